//! Can the gateway connect to its servers?

use std::net::IpAddr;

use gatewright_snapshot::network::{AddressTerm, Prefix};

use super::{Walk, Weight, finding};
use crate::cause::{Cause, Owner};
use crate::evidence::{Dns, OBSERVATIONS, ROUTE_TABLES, State, Tcp, TcpResult};
use crate::finding::{Because, Confidence, Finding};
use crate::lookup::names_host;
use crate::message::Symptom;
use crate::remedy::{fix, word};

/// Most servers that are well and are held against what the network is said to do.
pub(super) const WELL_MAX: usize = 20;

/// A question of what keeps a server from the gateway.
type Theory<W> = fn(&mut W, usize) -> Option<Finding>;

impl Walk<'_> {
    pub(super) fn can_servers_be_connected_to(&mut self) {
        let asked = "Can the gateway connect to its servers?";
        let targets = self.site.targets.iter().enumerate();
        let is_meant =
            |symptom: Symptom| matches!(symptom, Symptom::NotConnected | Symptom::TimedOut);
        let failing: Vec<usize> = targets
            .filter(|(_, target)| target.row.state != State::Healthy && is_meant(target.symptom))
            .map(|(index, _)| index)
            .collect();
        if failing.is_empty() {
            return self.step(asked, "no server says otherwise", "it can");
        }
        let count = failing.len();
        let denials = failing.iter().map(|index| (*index, self.denying(*index)));
        self.denials = denials
            .filter_map(|(index, rule)| Some((index, rule?)))
            .collect();
        let mut told = 0;
        let mut rules = Vec::new();
        for index in failing {
            // One finding tells of all that a rule denies.
            if let Some(rule) = self.denials.get(&index) {
                if rules.contains(rule) {
                    continue;
                }
                rules.push(rule.clone());
            }
            if let Some((found, weight)) = self.obstacle(index) {
                told += 1;
                self.find(weight, count, found);
            }
        }
        let therefore = match told {
            0 => "nothing here says why",
            _ => "what keeps it from them is known",
        };
        self.step(
            asked,
            format!("{count} servers cannot be reached in time"),
            therefore,
        );
    }

    fn obstacle(&mut self, index: usize) -> Option<(Finding, Weight)> {
        let found = self
            .unroutable(index)
            .or_else(|| self.probed_at_an_old_address(index))
            .or_else(|| self.inside_another_machine(index));
        let mut doubtful = None;
        let theories: [Theory<Self>; 3] = [
            Self::over_a_cut_peering,
            Self::pod_without_a_way,
            Self::denied_on_the_way,
        ];
        let found = found.or_else(|| self.by_network(index, &theories, &mut doubtful));
        // Which interface has which address is in no document: of others it says nothing.
        let at_interface = || {
            self.denied_at_interface(index)
                .filter(|_| !self.was_reached(index))
        };
        let found = found.or_else(at_interface);
        let found = found.or_else(|| self.stale_target(index));
        let theories: [Theory<Self>; 1] = [Self::route_of_others];
        let found = found.or_else(|| self.by_network(index, &theories, &mut doubtful));
        let found = found
            .or_else(|| self.translated_by_nodes(index))
            .or_else(|| self.source_changed(index));
        let theories: [Theory<Self>; 1] = [Self::returns_elsewhere];
        let found = found.or_else(|| self.by_network(index, &theories, &mut doubtful));
        let found = found
            .or_else(|| self.by_measurement(index))
            .or_else(|| self.by_neighbours(index))
            .or_else(|| self.by_endpoints(index))
            .or(doubtful);
        if found.is_none() {
            self.ask_for_reach(index);
        }
        found.map(|found| (found, Weight::Servers))
    }

    /// What rules and routes say, unless a connection came through in spite of them. Where a server
    /// that is well would have to fail of the same, the documents and the report are of different
    /// moments: that is no more than possible.
    fn by_network(
        &mut self,
        index: usize,
        theories: &[Theory<Self>],
        doubtful: &mut Option<Finding>,
    ) -> Option<Finding> {
        for theory in theories {
            let Some(mut found) = theory(self, index) else {
                continue;
            };
            if self.was_reached(index) {
                continue;
            }
            if !self.holds_for_one_that_is_well(index, found.cause, *theory) {
                return Some(found);
            }
            found.confidence = Confidence::Possible;
            doubtful.get_or_insert(found);
        }
        None
    }

    /// Whether the gateway's subnet was answered by a server, be it by a refusal.
    fn was_reached(&self, index: usize) -> bool {
        let Some(target) = self.site.targets.get(index) else {
            return false;
        };
        let mut tcp = self.connections_to([&target.row.address]).into_iter();
        tcp.any(|one| {
            let is_answer = matches!(one.result, TcpResult::Open | TcpResult::Refused);
            is_answer && one.port == target.probed_port() && self.is_from_gateway(&one.from)
        })
    }

    fn holds_for_one_that_is_well(
        &mut self,
        index: usize,
        cause: Cause,
        theory: Theory<Self>,
    ) -> bool {
        // What is foreseen of the configuration is of one moment.
        let targets = self.site.targets.iter().enumerate();
        let is_report = !self.foresees;
        let well = targets.filter(|(_, one)| is_report && one.row.state == State::Healthy);
        let mut well: Vec<(usize, bool)> = well
            .map(|(other, one)| {
                let own = self.site.targets.get(index);
                (other, own.is_none_or(|own| own.row.pool != one.row.pool))
            })
            .collect();
        // Those of its own pool first.
        well.sort_by_key(|(other, is_of_another)| (*is_of_another, *other));
        let (asked, ruled_out) = (self.needs.len(), self.ruled_out.len());
        let holds = well
            .iter()
            .take(WELL_MAX)
            .any(|(other, _)| theory(self, *other).is_some_and(|found| found.cause == cause));
        // It was asked for the answer alone.
        self.needs.truncate(asked);
        self.ruled_out.truncate(ruled_out);
        holds
    }

    /// Routes that lead one direction over an appliance explain packets that vanish.
    fn returns_elsewhere(&mut self, index: usize) -> Option<Finding> {
        let address = self.site.targets.get(index)?.row.address.clone();
        self.asymmetry(&address)
    }

    pub(super) fn reported(&self, index: usize) -> Vec<Because> {
        let target = self.site.targets.get(index);
        target
            .map(|target| self.because(&target.row.place, "its probe gets no connection"))
            .into_iter()
            .collect()
    }

    /// The addresses of a member: itself, or what its name was seen to have.
    pub(super) fn addresses_of(&self, member: &str) -> Vec<IpAddr> {
        if let Ok(address) = member.parse() {
            return vec![address];
        }
        let known = self.answers_to_gateway(member);
        let anybodys = || self.answers_for(member).cloned().collect();
        let known: Vec<Dns> = if known.is_empty() { anybodys() } else { known };
        let answers = known.iter().flat_map(|one| &one.answers);
        let mut addresses: Vec<IpAddr> = answers.filter_map(|answer| answer.parse().ok()).collect();
        addresses.sort_by_key(|address| !address.is_ipv4());
        addresses
    }

    /// An address that nothing on any network can have.
    fn unroutable(&self, index: usize) -> Option<Finding> {
        let target = self.site.targets.get(index)?;
        let address: IpAddr = target.row.address.parse().ok()?;
        // A node of ours reaches what it probes; in Azure these are nobody's.
        if self.evidence.is_of_node() {
            return None;
        }
        let why = match address {
            IpAddr::V4(ip) if ip.is_loopback() => "it is the gateway's own loopback",
            IpAddr::V4(ip) if ip.is_link_local() => "it is link-local",
            IpAddr::V4(ip) if ip.is_unspecified() || ip.is_multicast() || ip.is_broadcast() => {
                "it is no address of a server"
            }
            IpAddr::V6(_) => "backends have IPv4 addresses alone",
            IpAddr::V4(_) => return None,
        };
        let title = format!("Nothing reachable can have the address {address}: {why}.");
        let pool = target.row.pool.clone();
        Some(
            finding(Cause::UnroutableAddress, Confidence::Certain, title)
                .because(self.reported(index))
                .fixed_by(
                    fix(
                        Owner::Gateway,
                        format!("Give the pool {pool} the server's address in its network."),
                    )
                    .run(
                        self.commands
                            .part("address-pool update", &pool, "--servers ADDRESS"),
                    )
                    .verified_by(self.commands.verify_health()),
                ),
        )
    }

    /// An address of a container, which its host alone can reach.
    fn inside_another_machine(&self, index: usize) -> Option<Finding> {
        let target = self.site.targets.get(index)?;
        let (address, port) = (&target.row.address, target.probed_port()?);
        let IpAddr::V4(ip) = address.parse().ok()? else {
            return None;
        };
        // The network that Docker's bridge has where nobody says otherwise.
        let is_of_network = self.evidence.policy().is_some_and(|(policy, subnet)| {
            let network = policy.subnet(subnet).network;
            policy.subnet_of(network, IpAddr::V4(ip)).is_some()
        });
        let is_bridge = ip.octets().starts_with(&[172, 17]) && !is_of_network;
        if !is_bridge {
            return None;
        }
        let is_open = |one: &&Tcp| one.result == TcpResult::Open && one.port == Some(port);
        let seen = self.connections_to([address]).into_iter().find(is_open)?;
        let mut open = self.evidence.observations.tcp.iter().filter(is_open);
        let host = open.find(|one| names_host(&seen.from, &one.host) && one.host != *address);
        let title = format!(
            "{address} is the address of a container, which {} alone can reach: the pool {} needs \
             its host's.",
            seen.from, target.row.pool
        );
        let mut found = finding(Cause::UnroutableAddress, Confidence::Certain, title)
            .because(self.reported(index))
            .because([self.because(&seen.place, "it is open on its own host")]);
        found = found.because(host.map(|one| self.because(&one.place, "its host's port is open")));
        let servers: Vec<String> = host.map(|one| one.host.clone()).into_iter().collect();
        let mend = fix(Owner::Gateway, "Give the pool the host's address.");
        let mend = match target.pool {
            Some(pool) => mend.edit(self.set_servers(pool, servers)),
            None => mend,
        };
        Some(found.fixed_by(mend.verified_by(self.commands.verify_health())))
    }

    /// The prefixes of the gateway's subnet, as commands write them.
    pub(super) fn own_prefixes(&self) -> Vec<String> {
        match self.evidence.policy() {
            Some(_) => self.own_ranges().iter().map(ToString::to_string).collect(),
            None => vec!["GATEWAY-SUBNET".to_owned()],
        }
    }

    /// The prefixes of the gateway's subnet; none, where its network is not known.
    pub(super) fn own_ranges(&self) -> &[Prefix] {
        let known = self.evidence.policy();
        known.map_or(&[], |(policy, subnet)| &policy.subnet(subnet).prefixes)
    }

    /// Whether a side of a rule holds addresses of the gateway's subnet.
    pub(super) fn is_own_side(&self, terms: &[AddressTerm]) -> bool {
        let own = self.own_ranges();
        terms.iter().any(|term| match term {
            AddressTerm::Any | AddressTerm::VirtualNetwork => true,
            AddressTerm::Prefix(prefix) => own.iter().any(|one| prefix.contains(one.first())),
            _ => false,
        })
    }

    /// The prefixes of the gateway's network; of its subnet, where the network is not known.
    pub(super) fn network_prefixes(&self) -> Vec<String> {
        let space = self.evidence.policy().map(|(policy, subnet)| {
            let network = policy.network(policy.subnet(subnet).network);
            network.address_space.iter().map(ToString::to_string)
        });
        let prefixes: Vec<String> = space.into_iter().flatten().collect();
        match prefixes.is_empty() {
            true => self.own_prefixes(),
            false => prefixes,
        }
    }

    fn ask_for_reach(&mut self, index: usize) {
        let Some(target) = self.site.targets.get(index) else {
            return;
        };
        // That it takes connections is known: what comes after them decides.
        if self.is_open_to_gateway(target) {
            if target.is_encrypted() {
                self.ask_for_chain(index);
            }
            return;
        }
        let endpoint = target.endpoint();
        let group = word(self.commands.group());
        self.need(
            OBSERVATIONS,
            "whether the port refuses, drops or takes connections tells the causes apart",
            format!(
                "az network watcher test-connectivity -g {group} --source-resource VM \
                 --dest-address {} --dest-port {}   # from a machine of the gateway's network",
                target.row.address,
                target.probed_port().unwrap_or_default()
            ),
        );
        if !self.evidence.has("nsgs.json") {
            let why = format!("a security rule may deny {endpoint}");
            self.need(
                "nsgs.json",
                &why,
                format!("az network nsg list -g {group} -o json > nsgs.json"),
            );
        }
        if !self.evidence.has(ROUTE_TABLES) {
            let why =
                format!("a route may lead what goes to {endpoint}, or its answers, elsewhere");
            self.need(
                ROUTE_TABLES,
                &why,
                format!("az network route-table list -g {group} -o json > {ROUTE_TABLES}"),
            );
        }
    }
}
