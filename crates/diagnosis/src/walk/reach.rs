//! Can the gateway connect to its servers?

use std::net::IpAddr;

use gatewright_arm::Item;
use gatewright_arm::model::Probe;
use gatewright_snapshot::SecurityGroupIndex;
use gatewright_snapshot::network::{Decision, Direction, EffectiveRoute, Flow, Gate, Outcome};

use super::edits::Set;
use super::network_edits::NewRule;
use super::{Walk, Weight, finding, listed};
use crate::cause::{Cause, Owner};
use crate::evidence::{OBSERVATIONS, Place, State, Tcp, TcpResult};
use crate::finding::{Because, Confidence, Finding, Fix};
use crate::message::Symptom;
use crate::remedy::{fix, word};
use crate::site::Target;

/// Ports of services that no gateway leads to: that one is open says nothing about the application.
const OTHER_PORTS: [u16; 15] = [
    22, 25, 53, 111, 135, 139, 445, 1433, 3306, 3389, 5432, 5985, 5986, 6379, 27_017,
];

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
            .or_else(|| self.inside_another_machine(index))
            .or_else(|| self.denied_on_the_way(index))
            .or_else(|| self.denied_at_interface(index))
            .or_else(|| self.stale_target(index))
            .or_else(|| self.route_of_others(index))
            .or_else(|| self.source_changed(index))
            .or_else(|| self.returns_elsewhere(index))
            .or_else(|| self.by_measurement(index))
            .or_else(|| self.by_neighbours(index))
            .or_else(|| self.by_endpoints(index));
        if found.is_none() {
            self.ask_for_reach(index);
        }
        found.map(|found| (found, Weight::Servers))
    }

    /// Routes that lead one direction over an appliance explain packets that vanish.
    fn returns_elsewhere(&self, index: usize) -> Option<Finding> {
        let address = self.site.targets.get(index)?.row.address.clone();
        self.asymmetry(&address)
    }

    fn reported(&self, index: usize) -> Vec<Because> {
        let target = self.site.targets.get(index);
        target
            .map(|target| self.because(&target.row.place, "its probe gets no connection"))
            .into_iter()
            .collect()
    }

    /// A rule, or a route that leads nowhere.
    fn denied_on_the_way(&mut self, index: usize) -> Option<Finding> {
        let target = self.site.targets.get(index)?;
        let port = target.probed_port()?;
        let (policy, subnet) = self.evidence.policy()?;
        let address = self.addresses_of(&target.row.address).into_iter().next()?;
        let flow = Flow::tcp(subnet, address, port);
        let verdict = policy.evaluate(&flow);
        let endpoint = format!("{address}:{port}");
        match verdict.outcome() {
            Outcome::Denied(decision) => {
                let place = format!("the subnet {}", decision.subnet.name);
                Some(self.denied(index, (&decision, &place), (address, port)))
            }
            Outcome::Dropped(effective) if effective.user_table().is_none() => {
                Some(self.nowhere(index, &endpoint, &effective.route.prefix.to_string()))
            }
            Outcome::Dropped(effective) => Some(self.dropped(index, &effective, &endpoint)),
            Outcome::Allowed if is_open_question(&verdict) => {
                let command = format!(
                    "az network nsg list -g {} -o json > nsgs.json",
                    word(self.commands.group())
                );
                self.need(
                    "nsgs.json",
                    "the security group of a subnet is in no file",
                    command,
                );
                None
            }
            Outcome::Allowed => {
                self.rule_out(
                    Cause::NsgBackendDeny,
                    format!("the rules and routes that are known let {endpoint} through"),
                );
                None
            }
        }
    }

    /// A rule of the group at the network interface of a member, where the group's document names
    /// the interface.
    fn denied_at_interface(&self, index: usize) -> Option<Finding> {
        let target = self.site.targets.get(index)?;
        let (policy, subnet) = self.evidence.policy()?;
        let address = self.addresses_of(&target.row.address).into_iter().next()?;
        let port = target.probed_port()?;
        let at = policy.subnet_of(policy.subnet(subnet).network, address)?;
        let members = &target.pool?.properties.backend_ip_configurations;
        let interfaces = members.iter().filter_map(|one| {
            let (interface, _) = one.id.as_deref()?.split_once("/ipConfigurations/")?;
            Some(interface)
        });
        for interface in interfaces {
            let Some(group) = self.group_at_interface(interface) else {
                continue;
            };
            let mut groups = policy.groups().iter();
            let position = groups.position(|one| one.resource_id.eq_ignore_ascii_case(group))?;
            let flow = Flow::tcp(subnet, address, port);
            let index_of = SecurityGroupIndex::new(position);
            let gate = policy.interface_gate(at, index_of, &flow, Direction::Inbound);
            if let Some(decision) = gate.decision().filter(|decision| decision.is_denied()) {
                let name = crate::evidence::view::last_part(interface);
                let place = format!("the network interface {name}");
                return Some(self.denied(index, (decision, &place), (address, port)));
            }
        }
        None
    }

    /// The id of the group whose document names this interface.
    fn group_at_interface(&self, interface: &str) -> Option<&str> {
        let resources = self.evidence.network_resources.iter();
        let mut groups = resources.flat_map(|(file, one)| {
            let groups = one.security_groups.iter();
            groups.map(move |group| (file, group))
        });
        let (_, group) = groups.find(|(file, group)| {
            let place = Place::new(file.as_str(), group.pointer_to("networkInterfaces"));
            let list = self.evidence.value_at(&place);
            let ids = list.as_array().into_iter().flatten();
            let mut ids = ids.filter_map(|one| one.get("id")?.as_str());
            ids.any(|id| id.eq_ignore_ascii_case(interface))
        })?;
        group.id.as_deref()
    }

    fn denied(
        &self,
        index: usize,
        (decision, at): (&Decision<'_>, &str),
        (address, port): (IpAddr, u16),
    ) -> Finding {
        let (group, rule) = (&decision.group.name, &decision.rule.name);
        let endpoint = format!("{address}:{port}");
        let key = (decision.group.resource_id.clone(), rule.clone());
        let mut denied = self.denied_by(&key);
        if denied.is_empty() {
            denied.push((address, port));
        }
        let others = match denied.len().saturating_sub(1) {
            0 => String::new(),
            1 => " and one more server".to_owned(),
            others => format!(" and {others} more servers"),
        };
        let title = format!(
            "The rule {rule} (priority {}) of the security group {group} at {at} denies \
             {endpoint}{others}.",
            decision.rule.priority
        );
        let confidence = match decision.is_certain() {
            true => Confidence::Certain,
            false => Confidence::Likely,
        };
        let place = self.rule_place(group, rule);
        finding(Cause::NsgBackendDeny, confidence, title)
            .because(self.reported(index))
            .because([self.because(&place, format!("it denies {endpoint}"))])
            .fixed_by(self.allow(decision, &denied))
    }

    /// A rule before the one that denies.
    fn allow(&self, decision: &Decision<'_>, denied: &[(IpAddr, u16)]) -> Fix {
        let rule = decision.rule;
        let port = denied.first().map(|(_, port)| *port).unwrap_or_default();
        let summary = match denied.iter().all(|(_, other)| *other == port) {
            true => format!(
                "Let the gateway's subnet reach port {port}, before {}.",
                rule.name
            ),
            false => format!(
                "Let the gateway's subnet reach the servers' ports, before {}.",
                rule.name
            ),
        };
        let allow = fix(Owner::Network, summary).verified_by(self.commands.verify_health());
        let mut ports: Vec<u16> = denied.iter().map(|(_, port)| *port).collect();
        ports.sort_unstable();
        ports.dedup();
        self.allow_before(
            allow,
            (decision.group, rule),
            NewRule {
                name: format!("Allow-AppGW-Backend-{port}"),
                direction: format!("{:?}", rule.direction),
                sources: self.own_prefixes(),
                destinations: self.destinations(denied),
                ports: ports.iter().map(ToString::to_string).collect(),
                priority: rule.priority,
            },
        )
    }

    /// The security rule that denies a server, by its group and its name.
    fn denying(&self, index: usize) -> Option<(String, String)> {
        let target = self.site.targets.get(index)?;
        let (policy, subnet) = self.evidence.policy()?;
        let address = self.addresses_of(&target.row.address).into_iter().next()?;
        let flow = Flow::tcp(subnet, address, target.probed_port()?);
        match policy.evaluate(&flow).outcome() {
            Outcome::Denied(decision) => {
                let group = decision.group.resource_id.clone();
                Some((group, decision.rule.name.clone()))
            }
            Outcome::Dropped(_) | Outcome::Allowed => None,
        }
    }

    /// Where servers are that fail and that a rule denies.
    fn denied_by(&self, rule: &(String, String)) -> Vec<(IpAddr, u16)> {
        let denials = self.denials.iter().filter(|(_, own)| *own == rule);
        let targets = denials.filter_map(|(index, _)| self.site.targets.get(*index));
        let mut denied = Vec::new();
        for target in targets {
            let address = self.addresses_of(&target.row.address).into_iter().next();
            let place = address.zip(target.probed_port());
            denied.extend(place.filter(|place| !denied.contains(place)));
        }
        denied
    }

    /// The addresses of servers; of many, the subnets that they are in.
    fn destinations(&self, servers: &[(IpAddr, u16)]) -> Vec<String> {
        const ADDRESSES_MAX: usize = 20;
        let mut addresses: Vec<IpAddr> = servers.iter().map(|(address, _)| *address).collect();
        addresses.sort_unstable();
        addresses.dedup();
        let mut named = Vec::new();
        for address in &addresses {
            let subnet = self.evidence.policy().and_then(|(policy, own)| {
                let subnet = policy.subnet_of(policy.subnet(own).network, *address)?;
                let mut prefixes = policy.subnet(subnet).prefixes.iter();
                prefixes.find(|prefix| prefix.contains(*address))
            });
            let is_many = addresses.len() > ADDRESSES_MAX;
            let name = match subnet.filter(|_| is_many) {
                Some(prefix) => prefix.to_string(),
                None => address.to_string(),
            };
            if !named.contains(&name) {
                named.push(name);
            }
        }
        named
    }

    fn dropped(&self, index: usize, effective: &EffectiveRoute<'_>, endpoint: &str) -> Finding {
        let table = effective.user_table();
        let table = table.map(|table| table.name.clone()).unwrap_or_default();
        let route = effective.route.name.clone();
        let title = format!(
            "The route {route} ({}) of {table} leads {endpoint} nowhere.",
            effective.route.prefix
        );
        let place = self.route_place(&table, &route);
        let mend = fix(Owner::Network, format!("Remove the route {route}."))
            .edit(self.remove_route(&table, &route))
            .verified_by(self.commands.verify_health());
        finding(Cause::MissingRoute, Confidence::Certain, title)
            .because(self.reported(index))
            .because([self.because(&place, "its next hop is None")])
            .fixed_by(mend)
    }

    /// As [`Self::table_elsewhere`], where no route of the gateway's own leads to the address, and
    /// no subnet that is known has it.
    fn route_of_others(&self, index: usize) -> Option<Finding> {
        let target = self.site.targets.get(index)?;
        let (policy, subnet) = self.evidence.policy()?;
        let address = self.addresses_of(&target.row.address).into_iter().next()?;
        let port = target.probed_port()?;
        let route = policy.evaluate(&Flow::tcp(subnet, address, port)).route;
        let has_own = route.is_some_and(|one| {
            one.user_table().is_some() && !one.route.prefix.is_default()
                || one.missing_table.is_some()
        });
        let is_inside = policy
            .subnet_of(policy.subnet(subnet).network, address)
            .is_some();
        match has_own || is_inside {
            true => None,
            false => self.table_elsewhere(index),
        }
    }

    /// A route to the address that stands in a table which the gateway's subnet does not have.
    fn table_elsewhere(&self, index: usize) -> Option<Finding> {
        let target = self.site.targets.get(index)?;
        let (policy, _) = self.evidence.policy()?;
        let address = self.addresses_of(&target.row.address).into_iter().next()?;
        let (table, route) = policy.route_tables().iter().find_map(|table| {
            let mut routes = table.routes().iter();
            let route =
                routes.find(|one| !one.prefix.is_default() && one.prefix.contains(address))?;
            Some((table, route))
        })?;
        let title = format!(
            "The gateway's subnet has no route to {address}: the route {} ({}) stands in {}, \
             which it \
             does not have.",
            route.name, route.prefix, table.name
        );
        let place = self.route_place(&table.name, &route.name);
        let command = format!(
            "az network vnet subnet update --ids {} --route-table {}",
            word(&self.subnet_id()),
            word(&table.resource_id)
        );
        Some(
            finding(Cause::MissingRoute, Confidence::Likely, title)
                .because(self.reported(index))
                .because([self.because(&place, "the way to it, for other subnets")])
                .fixed_by(
                    fix(
                        Owner::Network,
                        format!("Give the gateway's subnet the table {}.", table.name),
                    )
                    .run(command)
                    .risking("All of its routes hold for the gateway then.")
                    .verified_by(self.commands.verify_health()),
                ),
        )
    }

    /// No network that is known has the address, and nothing leads beyond them.
    fn nowhere(&self, index: usize, endpoint: &str, prefix: &str) -> Finding {
        if let Some(found) = self.table_elsewhere(index) {
            return found;
        }
        let title = format!(
            "No network that the gateway's is peered with has {endpoint}: packets for {prefix} are \
             dropped."
        );
        let network = self
            .evidence
            .policy()
            .map(|(policy, subnet)| policy.network(policy.subnet(subnet).network).name.clone());
        let network = network.unwrap_or_else(|| "VNET".to_owned());
        finding(Cause::UnroutableAddress, Confidence::Likely, title)
            .because(self.reported(index))
            .fixed_by(
                fix(
                    Owner::Network,
                    "Peer the gateway's network with the one that has the address, in both \
                     directions; or correct the address in the pool.",
                )
                .run(format!(
                    "az network vnet peering create -g {} --vnet-name {} -n to-backend \
                     --remote-vnet REMOTE-VNET-ID --allow-vnet-access",
                    word(self.commands.group()),
                    word(&network)
                ))
                .verified_by(self.commands.verify_health()),
            )
    }

    /// The addresses of a member: itself, or what its name was seen to have.
    pub(super) fn addresses_of(&self, member: &str) -> Vec<IpAddr> {
        if let Ok(address) = member.parse() {
            return vec![address];
        }
        let dns = self.evidence.observations.dns.iter();
        let own = dns.filter(|one| one.name.eq_ignore_ascii_case(member));
        let answers = own.flat_map(|one| &one.answers);
        answers.filter_map(|answer| answer.parse().ok()).collect()
    }

    /// An address of the pool that nothing behind it has.
    pub(super) fn stale_target(&mut self, index: usize) -> Option<Finding> {
        let target = self.site.targets.get(index)?;
        let address = target.row.address.clone();
        let (known, place): (Vec<String>, Place) = self.behind_the_pool(&target.row.pool)?;
        if known.is_empty() || known.contains(&address) || address.parse::<IpAddr>().is_err() {
            return None;
        }
        let members = target.pool.map(|pool| &pool.properties.backend_addresses);
        let is_configured = members.is_none_or(|members| {
            let mut own = members.iter();
            own.any(|one| one.ip_address.as_deref() == Some(address.as_str()))
        });
        if !is_configured {
            return None;
        }
        let title = format!(
            "The pool {} has {address}, which nothing behind it has any more: there are {}.",
            target.row.pool,
            listed(&known)
        );
        let pool = target.pool.cloned();
        let pool = pool.unwrap_or_else(|| Item::new(&*target.row.pool, Default::default()));
        let update = self.set_servers(&pool, known.clone());
        let because = self.because(&place, "what is there now");
        let mut found = finding(Cause::StaleBackendTargets, Confidence::Likely, title)
            .because(self.reported(index))
            .because([because]);
        if self.is_managed() {
            found = found.fixed_by(
                fix(
                    Owner::Controller,
                    "Have the controller write the gateway anew.",
                )
                .run("kubectl rollout restart deployment -n kube-system ingress-appgw-deployment"),
            );
            found.fixes.splice(0..0, self.allow_controller());
        }
        Some(
            found.fixed_by(
                fix(
                    Owner::Gateway,
                    "Give the pool the addresses that are there.",
                )
                .edit(update)
                .verified_by(self.commands.verify_health()),
            ),
        )
    }

    /// Where the controller's log says that it may not write the gateway, its role.
    fn allow_controller(&self) -> Option<Fix> {
        let mut lines = self.evidence.controller_log.iter().flatten();
        let line = lines.find(|line| line.contains("AuthorizationFailed"))?;
        let after = |words: &str| {
            let (_, rest) = line.split_once(words)?;
            rest.split('\'').next().filter(|text| !text.is_empty())
        };
        let client = after("with object id '").or_else(|| after("The client '"))?;
        let scope = after("over scope '")?;
        let summary = format!("Give the controller's identity {client} its role at the gateway.");
        Some(fix(Owner::Controller, summary).run(format!(
            "az role assignment create --role Contributor --assignee {} --scope {}",
            word(client),
            word(scope)
        )))
    }

    pub(super) fn behind_the_pool(&self, pool: &str) -> Option<(Vec<String>, Place)> {
        let pool = pool.to_lowercase();
        let endpoints = self.evidence.endpoints.iter().flatten();
        let all: Vec<_> = endpoints.filter(|one| !one.addresses.is_empty()).collect();
        // Of a whole cluster, those of the pool's own service: by its name, or by what both have.
        let is_named =
            |service: &str| !service.is_empty() && pool.contains(&service.to_lowercase());
        let is_only = self.evidence.gateway.properties.backend_address_pools.len() == 1;
        let is_known = |addresses: &[String]| {
            let mut targets = self.site.targets.iter();
            targets.any(|target| {
                target.row.pool.eq_ignore_ascii_case(&pool)
                    && addresses.contains(&target.row.address)
            })
        };
        let own = all.iter().copied().filter(|one| {
            let is_alone = is_only && all.len() == 1;
            is_alone || is_named(&one.service) || is_known(&one.addresses)
        });
        let mut endpoints = own.peekable();
        if let Some(first) = endpoints.peek().map(|one| one.place.clone()) {
            return Some((
                endpoints.flat_map(|one| one.addresses.clone()).collect(),
                first,
            ));
        }
        let instances = self.evidence.instances.iter().flatten();
        let instances = instances.filter(|one| !one.addresses.is_empty());
        // Another pool may well be of other machines.
        let shares = instances.clone().any(|one| {
            let set = one.name.rsplit_once('_').map_or("", |(set, _)| set);
            is_known(&one.addresses) || is_named(set)
        });
        if !is_only && !shares {
            return None;
        }
        let mut instances = instances.peekable();
        let first = instances.peek().map(|one| one.place.clone())?;
        Some((
            instances.flat_map(|one| one.addresses.clone()).collect(),
            first,
        ))
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
        let is_bridge = ip.octets().starts_with(&[172, 17]);
        let tcp = self.evidence.observations.tcp.iter();
        let mut open = tcp.filter(|one| one.result == TcpResult::Open && one.port == Some(port));
        let mut inside = open.clone().filter(|one| one.host == *address);
        let seen = inside.next().filter(|_| is_bridge)?;
        let host = open.find(|one| seen.from.contains(&one.host) && one.host != *address);
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

    /// What somebody's connections came to.
    fn by_measurement(&mut self, index: usize) -> Option<Finding> {
        let target = self.site.targets.get(index)?;
        let (host, port) = (target.row.address.clone(), target.probed_port()?);
        let addresses: Vec<String> = self
            .addresses_of(&host)
            .iter()
            .map(ToString::to_string)
            .collect();
        let tcp = self.evidence.observations.tcp.iter();
        let own: Vec<_> = tcp
            .filter(|one| one.host.eq_ignore_ascii_case(&host) || addresses.contains(&one.host))
            .cloned()
            .collect();
        let at = |wanted: bool, result: TcpResult| {
            let mut found = own.iter();
            found
                .find(|one| (one.port == Some(port)) == wanted && one.result == result)
                .cloned()
        };
        let is_of_web = |one: &Tcp| one.port.is_some_and(|port| !OTHER_PORTS.contains(&port));
        let mut others = own.iter().filter(|one| one.port != Some(port));
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
        let is_of_gateway = |from: &str| {
            from.to_lowercase().contains("gateway") || from.to_lowercase().contains("appgw")
        };
        let times_out = own.iter().find(|one| {
            one.port == Some(port)
                && one.result == TcpResult::TimedOut
                && (is_of_gateway(&one.from) || one.from.is_empty())
        })?;
        let opens = own.iter().find(|one| {
            one.port == Some(port) && one.result == TcpResult::Open && !is_of_gateway(&one.from)
        });
        let is_let_through = self
            .ruled_out
            .iter()
            .any(|one| one.cause == Cause::NsgBackendDeny);
        let opens = opens.filter(|_| is_let_through)?;
        Some(self.host_firewall(index, times_out, opens))
    }

    /// A neighbour whose packets vanish, of a server that answers to itself: the network has no
    /// part in that. Where it lets the gateway through to another server of the pool, what drops
    /// them is the server's own.
    fn by_neighbours(&self, index: usize) -> Option<Finding> {
        let target = self.site.targets.get(index)?;
        let (host, port) = (&target.row.address, target.probed_port());
        let tcp = self.evidence.observations.tcp.iter();
        let own = tcp.filter(|one| one.host.eq_ignore_ascii_case(host) && one.port == port);
        let own: Vec<&Tcp> = own.collect();
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
        has_well.then(|| self.host_firewall(index, times_out, opens))
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
            "Let {} in on port {port} at the server's firewall.",
            sources.join(" and ")
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

    /// The prefixes of the gateway's subnet.
    pub(super) fn own_prefixes(&self) -> Vec<String> {
        let Some((policy, subnet)) = self.evidence.policy() else {
            return vec!["GATEWAY-SUBNET".to_owned()];
        };
        let prefixes = policy.subnet(subnet).prefixes.iter();
        prefixes.map(ToString::to_string).collect()
    }

    /// What Kubernetes says that the pods listen on.
    fn by_endpoints(&mut self, index: usize) -> Option<Finding> {
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

    /// The Kubernetes service behind an address.
    fn service_of(&self, address: &str) -> String {
        let mut endpoints = self.evidence.endpoints.iter().flatten();
        let own = endpoints.find(|one| one.addresses.iter().any(|own| own == address));
        let name = own
            .map(|one| one.service.as_str())
            .filter(|name| !name.is_empty());
        name.map_or_else(|| "SERVICE".to_owned(), word)
    }

    fn not_listening(&self, index: usize, port: u16) -> Finding {
        let address = self
            .site
            .targets
            .get(index)
            .map_or("", |target| target.row.address.as_str());
        let title = format!("Nothing listens on port {port} of {address}.");
        finding(Cause::NotListening, Confidence::Certain, title)
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
            )
    }

    fn ask_for_reach(&mut self, index: usize) {
        let Some(target) = self.site.targets.get(index) else {
            return;
        };
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
    }
}

/// Whether a group or a table that decides is in no file.
fn is_open_question(verdict: &gatewright_snapshot::network::Verdict<'_>) -> bool {
    let is_unknown = |gate: &Gate<'_>| matches!(gate, Gate::Unknown { .. });
    let has_no_table = verdict
        .route
        .is_some_and(|route| route.missing_table.is_some());
    is_unknown(&verdict.outbound) || is_unknown(&verdict.inbound) || has_no_table
}
