//! Can the gateway find the names of its servers?

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use super::{Walk, Weight, finding, listed};
use crate::cause::{Cause, Owner};
use crate::evidence::view::last_part;
use crate::evidence::{Dns, Place, State, ZoneLink};
use crate::finding::{Confidence, Finding};
use crate::lookup::{edits, names_host};
use crate::message::Symptom;
use crate::remedy::{fix, word};

/// The platform's own resolver, which gateways with a public address ask for the platform's names.
const PLATFORM_RESOLVER: &str = "168.63.129.16";

/// Resolvers that anybody can ask, and no gateway does.
const PUBLIC_RESOLVERS: [IpAddr; 5] = [
    IpAddr::V4(Ipv4Addr::new(8, 8, 8, 8)),
    IpAddr::V4(Ipv4Addr::new(8, 8, 4, 4)),
    IpAddr::V4(Ipv4Addr::new(1, 1, 1, 1)),
    IpAddr::V4(Ipv4Addr::new(1, 0, 0, 1)),
    IpAddr::V4(Ipv4Addr::new(9, 9, 9, 9)),
];

/// Zones of the platform.
const PLATFORM_ZONES: [&str; 9] = [
    ".azurewebsites.net",
    ".windows.net",
    ".azure-api.net",
    ".azure.com",
    ".azure.net",
    ".azurecontainerapps.io",
    ".azuremicroservices.io",
    ".cloudapp.net",
    ".trafficmanager.net",
];

/// Whether a zone is one of the platform's, or that of its private endpoints.
fn is_of_platform(zone: &str) -> bool {
    let zone = format!(".{}", zone.to_lowercase());
    zone.starts_with(".privatelink.") || PLATFORM_ZONES.iter().any(|own| zone.ends_with(own))
}

/// Whether a name is one of a zone.
fn is_below(name: &str, zone: &str) -> bool {
    let name = name.to_lowercase();
    name.strip_suffix(&zone.to_lowercase())
        .is_some_and(|rest| rest.ends_with('.'))
}

impl Walk<'_> {
    pub(super) fn can_names_be_resolved(&mut self) {
        let asked = "Can the gateway find the names of its servers?";
        if let Some(found) = self.is_the_platform_asked_instead() {
            self.step(asked, found.title.clone(), "requests go to another address");
            return self.find(Weight::Change, 1, found);
        }
        let failing: Vec<(String, Place)> = self
            .site
            .targets
            .iter()
            .filter(|target| {
                let is_name = target.row.address.parse::<IpAddr>().is_err();
                let is_unknown = target.row.state == State::Unknown && is_name;
                target.symptom == Symptom::NameUnresolved && is_name
                    || is_unknown && self.fails_to_resolve(&target.row.address)
            })
            .map(|target| (target.row.address.clone(), target.row.place.clone()))
            .collect();
        let Some((name, place)) = failing.first().cloned() else {
            return self.step(
                asked,
                "no server says otherwise",
                "it can, or they are addresses",
            );
        };
        let found = self.unresolvable(&name, &place);
        self.step(
            asked,
            format!("{name} cannot be found"),
            "no probe can be made of it",
        );
        self.find(Weight::Servers, failing.len(), found);
    }

    fn unresolvable(&self, name: &str, place: &Place) -> Finding {
        let own: Vec<&Dns> = self.answers_for(name).collect();
        let mut because = vec![self.because(place, "the gateway does not find its name")];
        for one in own.iter().filter(|one| one.answers.is_empty()) {
            let asked = if one.server.is_empty() {
                "a name server"
            } else {
                &one.server
            };
            let says = match one.error.is_empty() {
                true => format!("{asked} does not know it"),
                false => format!("{asked} does not know it: {}", one.error),
            };
            because.push(self.because(&one.place, says));
        }
        let answered = own.iter().find(|one| !one.answers.is_empty());
        let servers = self.name_servers();
        let via = match servers.is_empty() {
            true => String::new(),
            false => format!(" ({})", servers.join(", ")),
        };
        let title = format!(
            "The gateway's name servers{via} do not know {name}{}.",
            answered
                .map(|one| format!(", though {} does", one.server))
                .unwrap_or_default()
        );
        let mut found = finding(Cause::DnsUnresolvableBackend, Confidence::Certain, title);
        if let Some(zone) = self.unlinked_zone(name) {
            because.push(self.because(&zone.place, "the zone is linked to other networks"));
            found = found.fixed_by(
                match self.asks_own_servers() && !is_of_platform(&zone.zone) {
                    true => self.forward(zone, name),
                    false => self.link(zone),
                },
            );
        } else if let Some(zone) = self.zone_of(name).filter(|zone| {
            // The zone is linked, and the network's own servers do not ask the platform.
            self.asks_own_servers() && !is_of_platform(&zone.zone)
        }) {
            because.push(self.because(&zone.place, "the zone that has it"));
            found = found.fixed_by(self.forward(zone, name));
        } else {
            found = found.fixed_by(
                fix(
                    Owner::Dns,
                    format!(
                        "Add {name} to the zone that these servers answer for, or correct the \
                             name in the pool."
                    ),
                )
                .run(format!("nslookup {}", word(name)))
                .verified_by(self.commands.verify_health()),
            );
            if let Some(correct) = self.correct_name(name) {
                found = found.fixed_by(correct);
            }
        }
        found.because(because).fixed_by(
            fix(
                Owner::Gateway,
                "Where the network's name servers were changed, start the gateway anew: it keeps \
                 the \
                 old ones.",
            )
            .run(self.commands.gateway("stop"))
            .run(self.commands.gateway("start"))
            .risking("No request is answered in between."),
        )
    }

    /// Where a name that is known is close to one that is not, the pool with that one.
    fn correct_name(&self, name: &str) -> Option<crate::finding::Fix> {
        const EDITS_MAX: usize = 2;
        let properties = &self.evidence.gateway.properties;
        let probes = properties.probes.iter();
        let settings = properties.backend_http_settings_collection.iter();
        let dns = self.evidence.observations.dns.iter();
        let known = probes.filter_map(|one| one.properties.host.as_deref());
        let known = known.chain(settings.filter_map(|one| one.properties.host_name.as_deref()));
        let answered = dns.filter(|one| !one.answers.is_empty());
        let mut known = known.chain(answered.map(|one| one.name.as_str()));
        let right = known.find(|own| (1..=EDITS_MAX).contains(&edits(name, own)))?;
        let mut pools = properties.backend_address_pools.iter();
        let is_it = |fqdn: &Option<String>| {
            fqdn.as_deref()
                .is_some_and(|own| own.eq_ignore_ascii_case(name))
        };
        let pool = pools.find(|pool| {
            let mut members = pool.properties.backend_addresses.iter();
            members.any(|one| is_it(&one.fqdn))
        })?;
        let members = pool.properties.backend_addresses.iter();
        let servers = members.filter_map(|one| match is_it(&one.fqdn) {
            true => Some(right.to_owned()),
            false => one.fqdn.clone().or_else(|| one.ip_address.clone()),
        });
        let summary = format!("If {right} is meant, correct the pool {}.", pool.name);
        let correct = fix(Owner::Gateway, summary).edit(self.set_servers(pool, servers.collect()));
        Some(correct.verified_by(self.commands.verify_health()))
    }

    /// Whether the network's own servers are asked, and not the platform's resolver.
    fn asks_own_servers(&self) -> bool {
        let servers = self.name_servers();
        !servers.is_empty() && !servers.iter().any(|one| one == PLATFORM_RESOLVER)
    }

    /// Has the network's own servers ask the platform about a zone: a link of the zone to the
    /// network is nothing to them.
    fn forward(&self, zone: &ZoneLink, name: &str) -> crate::finding::Fix {
        let servers = self.name_servers();
        let zone = &zone.zone;
        fix(
            Owner::Dns,
            format!(
                "Have the name servers {} forward {zone}, for {name}, to {PLATFORM_RESOLVER}, from \
                 a network that the zone is linked to.",
                servers.join(", ")
            ),
        )
        .run(format!(
            "Add-DnsServerConditionalForwarderZone -Name {zone} -MasterServers \
             {PLATFORM_RESOLVER}   # on Windows; in BIND a zone of the type forward"
        ))
        .verified_by(
            servers
                .iter()
                .map(|server| format!("nslookup {} {server}", word(name)))
                .collect(),
        )
    }

    pub(super) fn link(&self, zone: &ZoneLink) -> crate::finding::Fix {
        let network = self.network_id().unwrap_or_else(|| "VNET-ID".to_owned());
        let group = match (zone.id.is_empty(), &zone.group) {
            (true, Some(group)) => word(group),
            _ => self.group_of_id(&zone.id),
        };
        fix(
            Owner::Dns,
            format!(
                "Link the private zone {} to the gateway's network.",
                zone.zone
            ),
        )
        .run(format!(
            "az network private-dns link vnet create -g {group} -z {} -n appgw -v {} -e false",
            word(&zone.zone),
            word(&network)
        ))
        .run(self.commands.gateway("update"))
        .risking("Every machine of the network gets the zone's answers from then on.")
        .verified_by(self.commands.verify_health())
    }

    pub(super) fn answers_for<'w>(&'w self, name: &'w str) -> impl Iterator<Item = &'w Dns> {
        let all = self.evidence.observations.dns.iter();
        all.filter(move |one| one.name.eq_ignore_ascii_case(name))
    }

    /// What those said of a name who answer the gateway too: not resolvers out in the Internet.
    pub(super) fn answers_to_gateway(&self, name: &str) -> Vec<Dns> {
        let servers = self.name_servers();
        let network = self.network_id().unwrap_or_default();
        let network = last_part(&network);
        // The platform's resolver says in each network what that one's zones say.
        let was_asked_within = |one: &Dns| names_host(&one.server, network);
        let is_known_within = self.answers_for(name).any(was_asked_within);
        let others = self.other_networks();
        let was_asked_elsewhere =
            |one: &Dns| others.iter().any(|other| names_host(&one.server, other));
        // Nor do servers count that the network does not name, where one that it names was asked.
        let is_named = |one: &Dns| servers.iter().any(|own| names_host(&one.server, own));
        let is_known_by_name = self.answers_for(name).any(is_named);
        let is_own = |one: &&Dns| {
            if is_known_within {
                return was_asked_within(one);
            }
            let server = one.server.to_lowercase();
            let is_public = server
                .parse::<IpAddr>()
                .is_ok_and(|ip| PUBLIC_RESOLVERS.contains(&ip));
            is_named(one)
                || !is_known_by_name
                    && !was_asked_elsewhere(one)
                    && !is_public
                    && (servers.is_empty() || server.contains("vnet"))
        };
        let own = self
            .answers_for(name)
            .filter(is_own)
            .filter(|one| !one.answers.is_empty());
        own.cloned().collect()
    }

    /// Names of networks that are not the gateway's: those that zones are linked to, and peers.
    fn other_networks(&self) -> BTreeSet<&str> {
        let zones = self.evidence.zone_links.iter().flatten();
        let linked = zones.flat_map(|zone| zone.networks.iter().map(String::as_str));
        let networks = self.network_documents();
        let peerings = networks.flat_map(|(_, one)| &one.properties.virtual_network_peerings);
        let peers = peerings.filter_map(|one| {
            let remote = one.properties.remote_virtual_network.as_ref();
            remote?.id.as_deref()
        });
        let own = self.network_id().unwrap_or_default();
        let own = last_part(&own);
        let names = linked.chain(peers).map(last_part);
        // A word such as `hub` may be said of anything.
        let is_name = |name: &&str| {
            name.contains(|letter: char| !letter.is_alphabetic()) || name.contains("vnet")
        };
        names
            .filter(|name| is_name(name) && !name.eq_ignore_ascii_case(own))
            .collect()
    }

    fn fails_to_resolve(&self, name: &str) -> bool {
        let is_public = |one: &Dns| {
            one.server
                .parse::<IpAddr>()
                .is_ok_and(|ip| PUBLIC_RESOLVERS.contains(&ip))
        };
        let mut own = self.answers_for(name).filter(|one| !is_public(one));
        let is_answered = !self.answers_to_gateway(name).is_empty();
        let is_refused = own.any(|one| one.answers.is_empty());
        let is_of_another_network = self.is_network_known()
            && self.name_servers().is_empty()
            && self
                .unlinked_zone(name)
                .is_some_and(|zone| is_below(name, &zone.zone));
        !is_answered && (is_refused || is_of_another_network)
    }

    /// Whether a document has the gateway's network, and with it its name servers.
    fn is_network_known(&self) -> bool {
        let network = self.network_id().unwrap_or_default();
        self.network_document(&network).is_some()
    }

    /// Those that the gateway's network names.
    pub(super) fn name_servers(&self) -> Vec<String> {
        let Some(network) = self.network_id() else {
            return Vec::new();
        };
        let own = self.network_document(&network);
        let options = own.and_then(|(_, one)| one.properties.dhcp_options.as_ref());
        let servers = options
            .into_iter()
            .flat_map(|options| &options.dns_servers.0);
        servers.map(|server| server.value.clone()).collect()
    }

    /// The id of the network that the gateway's subnet is in.
    pub(super) fn network_id(&self) -> Option<String> {
        let subnet = self.subnet_id();
        let (network, _) = subnet.rsplit_once("/subnets/")?;
        Some(network.to_owned())
    }

    /// The private zone of a name that is not linked to the gateway's network.
    /// A private zone that a name is in.
    fn zone_of(&self, name: &str) -> Option<&ZoneLink> {
        let mut zones = self.evidence.zone_links.iter().flatten();
        zones.find(|zone| !zone.zone.is_empty() && is_below(name, &zone.zone))
    }

    pub(super) fn unlinked_zone(&self, name: &str) -> Option<&ZoneLink> {
        let name = name.to_lowercase();
        let network = self.network_id()?.to_lowercase();
        let mut zones = self.evidence.zone_links.iter().flatten();
        zones.find(|zone| {
            let own = zone.zone.to_lowercase();
            let is_of_zone = is_below(&name, &own)
                || own
                    .strip_prefix("privatelink.")
                    .is_some_and(|own| name.ends_with(own));
            let short = network.rsplit('/').next().unwrap_or_default();
            let is_linked = zone.networks.iter().any(|linked| {
                let linked = linked.to_lowercase();
                linked == network || linked == short
            });
            is_of_zone && !is_linked
        })
    }

    /// A name of the platform's that the network's own servers answer otherwise.
    fn is_the_platform_asked_instead(&mut self) -> Option<Finding> {
        let pools = &self.evidence.gateway.properties.backend_address_pools;
        let members = pools
            .iter()
            .flat_map(|pool| &pool.properties.backend_addresses);
        let is_of_platform = |name: &&str| {
            let name = name.to_lowercase();
            PLATFORM_ZONES.iter().any(|zone| name.ends_with(zone))
        };
        let mut names = members
            .filter_map(|one| one.fqdn.as_deref())
            .filter(is_of_platform);
        names.find_map(|name| self.answered_by_the_platform(name))
    }

    fn answered_by_the_platform(&self, name: &str) -> Option<Finding> {
        let is_platform = |one: &&Dns| {
            let server = one.server.to_lowercase();
            let said = [
                "azure dns",
                "azure-provided",
                "azure provided",
                "azure resolver",
            ];
            names_host(&server, PLATFORM_RESOLVER) || said.iter().any(|one| server.contains(one))
        };
        let platform = self.answers_for(name).find(is_platform)?;
        let said: BTreeSet<&String> = platform.answers.iter().collect();
        let servers = self.name_servers();
        // Isolated gateways ask the network's own servers alone.
        let isolates = self.is_isolated();
        let own = self.answers_for(name).find(|one| {
            let is_own = servers.iter().any(|own| names_host(&one.server, own));
            let other: BTreeSet<&String> = one.answers.iter().collect();
            is_own && !one.answers.is_empty() && other != said
        });
        let own = own.filter(|_| !isolates)?;
        let mut routed = platform
            .answers
            .iter()
            .flat_map(|address| self.rows_at(address));
        let routed = routed.next();
        let is_failing = self.site.targets.iter().any(|target| {
            target.row.address.eq_ignore_ascii_case(name) && target.row.state != State::Healthy
        });
        if routed.is_none() && !is_failing {
            return None;
        }
        let gets = match platform.answers.is_empty() {
            true => "nothing".to_owned(),
            false => listed(&platform.answers),
        };
        let title = format!(
            "The gateway asks the platform's resolver for {name} and gets {gets}, not the \
             network's own servers ({}), which say {}.",
            servers.join(", "),
            listed(&own.answers)
        );
        let went = routed.map(|row| self.because(&row.place, "where a request went"));
        let found = finding(Cause::DnsAzureResolverForced, Confidence::Likely, title)
            .because([
                self.because(&platform.place, "what the platform's resolver says"),
                self.because(&own.place, "what the network's own server says"),
            ])
            .because(went);
        let mend = match self.unlinked_zone(name) {
            Some(zone) => self.link(zone),
            None => {
                let summary = format!(
                    "Make a private zone for {name}, and link it to the gateway's network: the \
                     platform's resolver then answers with it."
                );
                fix(Owner::Dns, summary).verified_by(self.commands.verify_health())
            }
        };
        Some(found.fixed_by(mend))
    }
}
