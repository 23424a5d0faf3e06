//! What connections came to, and what they say of a server.

use std::collections::BTreeSet;
use std::net::IpAddr;

use gatewright_arm::Item;
use gatewright_arm::model::Probe;

use super::edits::Set;
use super::{Walk, finding, listed};
use crate::cause::{Cause, Owner};
use crate::evidence::view::last_part;
use crate::evidence::{Place, State, Tcp, TcpResult, split_port};
use crate::finding::{Confidence, Finding};
use crate::lookup::has_whole;
use crate::remedy::{fix, word};
use crate::site::Target;

/// What stands in commands for a service that is not known.
pub(super) const SOME_SERVICE: &str = "SERVICE";

/// Ports of services that no gateway leads to: that one is open says nothing about the application.
const OTHER_PORTS: [u16; 15] = [
    22, 25, 53, 111, 135, 139, 445, 1433, 3306, 3389, 5432, 5985, 5986, 6379, 27_017,
];

/// What is no gateway of ours.
const OTHER_GATEWAYS: [&str; 6] = [
    "vpn gateway",
    "nat gateway",
    "expressroute gateway",
    "virtual network gateway",
    "default gateway",
    "vpn-gateway",
];

impl Walk<'_> {
    /// What somebody's connections came to.
    pub(super) fn by_measurement(&mut self, index: usize) -> Option<Finding> {
        let target = self.site.targets.get(index)?;
        let (host, port) = (target.row.address.clone(), target.probed_port()?);
        let addresses: Vec<String> = self
            .addresses_of(&host)
            .iter()
            .map(ToString::to_string)
            .collect();
        let hosts = addresses.iter().chain([&host]);
        let own = self.connections_to(hosts);
        let at = |wanted: bool, result: TcpResult| {
            let mut found = own.iter();
            found.find(|one| (one.port == Some(port)) == wanted && one.result == result)
        };
        let is_of_web = |one: &Tcp| one.port.is_some_and(|port| !OTHER_PORTS.contains(&port));
        // What another setting uses on the same server is another application.
        let targets = self.site.targets.iter();
        let used: BTreeSet<u16> = targets
            .filter(|other| other.row.address == host)
            .filter_map(Target::probed_port)
            .collect();
        let is_used = |one: &Tcp| one.port.is_some_and(|port| used.contains(&port));
        let mut others = own
            .iter()
            .filter(|one| one.port != Some(port) && !is_used(one));
        let open_elsewhere = others.find(|one| one.result == TcpResult::Open && is_of_web(one));
        let open_elsewhere = open_elsewhere.cloned();
        if let Some(refused) = at(true, TcpResult::Refused) {
            let because = [self.because(&refused.place, format!("nothing listens on port {port}"))];
            return Some(match open_elsewhere {
                Some(open) => self
                    .wrong_port(index, port, open.port.unwrap_or_default(), &open.place)
                    .because(because),
                None => self.not_listening(index, port).because(because),
            });
        }
        let times_out = own.iter().find(|one| {
            one.port == Some(port)
                && one.result == TcpResult::TimedOut
                && (self.is_from_gateway(&one.from) || one.from.is_empty())
        })?;
        let opens = own.iter().find(|one| {
            one.port == Some(port)
                && one.result == TcpResult::Open
                && !self.is_from_gateway(&one.from)
        });
        let opens = opens.filter(|_| self.is_let_through(index))?;
        Some(self.host_firewall(index, times_out, opens))
    }

    /// Whether the rules and routes that are known let the gateway through to a server.
    fn is_let_through(&self, index: usize) -> bool {
        self.let_through.contains(&index)
    }

    /// Whether somebody measured from the gateway's subnet: by the words, by its name, or by an
    /// address of it.
    pub(super) fn is_from_gateway(&self, from: &str) -> bool {
        let mut from = from.to_lowercase();
        // Other things are called so, too.
        for other in OTHER_GATEWAYS {
            from = from.replace(other, "");
        }
        let id = self.subnet_id().to_lowercase();
        let is_named = has_whole(&from, last_part(&id), "-_.");
        let first = from.split([' ', '/', '(', ',']).next().unwrap_or_default();
        let own = self.own_ranges();
        // An address tells more than what is said of it, such as "the former gateway subnet".
        match split_port(first).0.parse::<IpAddr>() {
            Ok(address) if !own.is_empty() => own.iter().any(|prefix| prefix.contains(address)),
            _ => is_named || ["gateway", "appgw"].iter().any(|word| from.contains(word)),
        }
    }

    /// A neighbour whose packets vanish, of a server that answers to itself: the network has no
    /// part in that. Where it lets the gateway through, to another server of the pool or by all of
    /// its rules, what drops them is the server's own.
    pub(super) fn by_neighbours(&self, index: usize) -> Option<Finding> {
        let target = self.site.targets.get(index)?;
        let (host, port) = (&target.row.address, target.probed_port());
        let mut own = self.connections_to([host]);
        own.retain(|one| one.port == port);
        let is_itself = |from: &str| {
            let from = from.to_lowercase();
            from.contains("itself") || from.contains("localhost") || from == host.to_lowercase()
        };
        let times_out = own
            .iter()
            .find(|one| one.result == TcpResult::TimedOut && !is_itself(&one.from))?;
        let opens = own
            .iter()
            .find(|one| one.result == TcpResult::Open && is_itself(&one.from))?;
        let mut others = self.site.targets.iter();
        let has_well = others.any(|other| {
            other.row.state == State::Healthy && other.row.setting == target.row.setting
        });
        let is_own = has_well || self.is_let_through(index);
        is_own.then(|| self.host_firewall(index, times_out, opens))
    }

    /// The servers of a pool that fail as one does under the same setting, that one first.
    fn alike(&self, index: usize) -> Vec<String> {
        let Some(target) = self.site.targets.get(index) else {
            return Vec::new();
        };
        let mut alike = vec![target.row.address.clone()];
        for other in &self.site.targets {
            let is_alike = other.symptom == target.symptom
                && other.row.state == target.row.state
                && (&other.row.pool, &other.row.setting) == (&target.row.pool, &target.row.setting);
            if is_alike && !alike.contains(&other.row.address) {
                alike.push(other.row.address.clone());
            }
        }
        alike
    }

    fn host_firewall(&self, index: usize, times_out: &Tcp, opens: &Tcp) -> Finding {
        let target = self.site.targets.get(index);
        let host = target.map_or("", |target| target.row.address.as_str());
        let port = target.and_then(Target::probed_port).unwrap_or_default();
        let title = format!(
            "A firewall on {host} drops what comes to port {port} from the network, which lets it \
             through: the port is open to {}.",
            opens.from
        );
        let because = [
            self.because(
                &times_out.place,
                format!("packets from {} vanish", times_out.from),
            ),
            self.because(&opens.place, "the port is open"),
        ];
        let sources = self.own_prefixes();
        let summary = format!(
            "Let {} in on port {port} at the firewall of {}.",
            sources.join(" and "),
            listed(&self.alike(index))
        );
        let mut mend = fix(Owner::Backend, summary);
        for source in &sources {
            mend = mend.run(format!(
                "sudo ufw allow proto tcp from {source} to any port {port}"
            ));
        }
        let mend = mend.run(format!(
            "New-NetFirewallRule -DisplayName appgw-{port} -Direction Inbound -Protocol TCP \
             -LocalPort {port} -RemoteAddress {} -Action Allow   # on Windows",
            sources.join(",")
        ));
        finding(Cause::HostFirewall, Confidence::Likely, title)
            .because(self.reported(index))
            .because(because)
            .fixed_by(mend.verified_by(self.commands.verify_health()))
    }

    /// What Kubernetes says that the pods listen on.
    pub(super) fn by_endpoints(&mut self, index: usize) -> Option<Finding> {
        let target = self.site.targets.get(index)?;
        let (address, port) = (target.row.address.clone(), target.probed_port()?);
        let endpoints = self.evidence.endpoints.iter().flatten();
        let own = endpoints.filter(|one| one.addresses.contains(&address));
        let own: Vec<_> = own.filter(|one| !one.ports.is_empty()).cloned().collect();
        let is_known = own.iter().any(|one| one.ports.contains(&port));
        let first = own.first().filter(|_| !is_known)?;
        let right = *first.ports.first()?;
        Some(self.wrong_port(index, port, right, &first.place.clone()))
    }

    fn wrong_port(&self, index: usize, port: u16, right: u16, place: &Place) -> Finding {
        let Some(target) = self.site.targets.get(index) else {
            return finding(
                Cause::WrongPort,
                Confidence::Likely,
                Cause::WrongPort.means(),
            );
        };
        let setting = target
            .setting
            .map_or(target.row.setting.as_str(), |one| one.name.as_str());
        let title = format!(
            "{} listens on port {right}, and the backend setting {setting} uses port {port}, where \
             nothing listens.",
            target.row.address
        );
        let mut found = finding(Cause::WrongPort, Confidence::Certain, title)
            .because(self.reported(index))
            .because([self.because(place, format!("port {right} is open"))]);
        if let Some(setting) = target.setting {
            let place = crate::site::in_gateway(setting.pointer_to("port"));
            let says = format!("requests go to port {}", target.port().unwrap_or(port));
            found = found.because([self.because(&place, says)]);
        }
        // A setting has one port for all of its servers.
        let mut others = self.site.targets.iter();
        let well = others.find(|other| {
            other.row.state == State::Healthy && other.row.setting == target.row.setting
        });
        if let Some(well) = well {
            let servers = listed(&self.alike(index));
            let summary = format!(
                "Have {servers} listen on port {port}, as {} does: the setting has one port for \
                 all.",
                well.row.address
            );
            let look = format!("sudo ss -ltnp 'sport = :{port}'   # on {servers}");
            let listen = fix(Owner::Backend, summary).run(look);
            return found.fixed_by(listen.verified_by(self.commands.verify_health()));
        }
        let service = self.service_of(&target.row.address);
        if self.is_managed() {
            found = found.fixed_by(
                fix(
                    Owner::Controller,
                    format!(
                        "Set the service's targetPort to {right}, or to the name of the \
                         container's port."
                    ),
                )
                .run(format!(
                    "kubectl patch service {service} --type=json -p='[{{\"op\":\"replace\",\
                     \"path\":\"/spec/ports/0/targetPort\",\"value\":{right}}}]'"
                )),
            );
        }
        let own = target.probe.filter(|probe| probe.properties.port.is_some());
        if let Some(probe) = own.filter(|_| target.port() != Some(port)) {
            return self.wrong_probe_port(found, probe, right);
        }
        found.fixed_by(
            fix(Owner::Gateway, format!("Use port {right}."))
                .edit(self.update_setting(
                    target.setting,
                    &[Set::number("--port", "port", right.into())],
                ))
                .verified_by(self.commands.verify_health()),
        )
    }

    /// Of a probe that asks another port than requests use.
    fn wrong_probe_port(&self, found: Finding, probe: &Item<Probe>, right: u16) -> Finding {
        let place = crate::site::in_gateway(probe.pointer_to("port"));
        found
            .because([self.because(&place, "the port that probes go to")])
            .fixed_by(
                fix(
                    Owner::Gateway,
                    format!("Probe port {right}, as requests use it."),
                )
                .edit(self.update_probe(probe, &[Set::number("--port", "port", right.into())]))
                .verified_by(self.commands.verify_health()),
            )
    }

    /// The Kubernetes service behind an address, as commands name it: `web -n shop`;
    /// [`SOME_SERVICE`] where that is not known.
    pub(super) fn service_of(&self, address: &str) -> String {
        let mut endpoints = self.evidence.endpoints.iter().flatten();
        let own = endpoints
            .find(|one| !one.service.is_empty() && one.addresses.iter().any(|own| own == address));
        own.map_or_else(
            || SOME_SERVICE.to_owned(),
            |own| match own.namespace.as_str() {
                "" => word(&own.service),
                namespace => format!("{} -n {}", word(&own.service), word(namespace)),
            },
        )
    }

    fn not_listening(&self, index: usize, port: u16) -> Finding {
        let address = self
            .site
            .targets
            .get(index)
            .map_or("", |target| target.row.address.as_str());
        let title = format!("Nothing listens on port {port} of {address}.");
        let found = finding(Cause::NotListening, Confidence::Certain, title)
            .because(self.reported(index))
            .fixed_by(
                fix(
                    Owner::Backend,
                    format!(
                        "Start the application on port {port}, at all of the server's addresses."
                    ),
                )
                .run(format!("sudo ss -ltnp 'sport = :{port}'"))
                .verified_by(self.commands.verify_health()),
            );
        match self.open_address(index) {
            Some(mend) => found.fixed_by(mend),
            None => found,
        }
    }
}
