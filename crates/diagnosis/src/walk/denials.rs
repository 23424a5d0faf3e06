//! Security rules and routes that keep the gateway from its servers.

use std::net::{IpAddr, Ipv4Addr};

use gatewright_snapshot::SecurityGroupIndex;
use gatewright_snapshot::network::{
    Decision, Direction, EffectiveRoute, Flow, Gate, NextHop, Outcome, Prefix, Route, RouteTable,
    Verdict,
};

use super::edits::free;
use super::network_edits::NewRule;
use super::{Walk, finding};
use crate::cause::{Cause, Owner};
use crate::evidence::view::last_part;
use crate::evidence::{Place, State, TcpResult};
use crate::finding::{Confidence, Finding, Fix};
use crate::remedy::{fix, word};
use crate::site::Target;

/// A table that is made for a subnet that has none.
const NEW_TABLE: &str = "gateway-routes";

/// The priorities of the rules that every security group has (documented).
const DEFAULT_RULES_FROM: u32 = 65_000;

impl Walk<'_> {
    /// A rule, or a route that leads nowhere.
    pub(super) fn denied_on_the_way(&mut self, index: usize) -> Option<Finding> {
        let target = self.site.targets.get(index)?;
        let port = target.probed_port()?;
        let (policy, subnet) = self.evidence.policy()?;
        let address = self.addresses_of(&target.row.address).into_iter().next()?;
        let flow = Flow::tcp(subnet, address, port);
        let verdict = policy.evaluate(&flow);
        let endpoint = format!("{address}:{port}");
        // What no route leads to is in no tag either, so that the default rules deny it.
        let is_dropped = |route: &EffectiveRoute<'_>| route.route.next_hop == NextHop::None;
        let outcome = match (verdict.outcome(), verdict.route.filter(is_dropped)) {
            (Outcome::Denied(decision), Some(route))
                if decision.rule.priority >= DEFAULT_RULES_FROM =>
            {
                Outcome::Dropped(route)
            }
            (outcome, _) => outcome,
        };
        match outcome {
            Outcome::Denied(decision) => {
                let place = format!("the subnet {}", decision.subnet.name);
                Some(self.denied(index, (&decision, &place), (address, port)))
            }
            Outcome::Dropped(effective) if effective.user_table().is_none() => {
                Some(self.nowhere(index, &endpoint, &effective.route.prefix.to_string()))
            }
            Outcome::Dropped(effective) => Some(self.dropped(index, &effective, &endpoint)),
            Outcome::Allowed if is_open_question(&verdict) => {
                self.ask_for_group(&verdict);
                None
            }
            Outcome::Allowed => {
                self.let_through.insert(index);
                self.rule_out(
                    Cause::NsgBackendDeny,
                    format!("the rules and routes that are known let {endpoint} through"),
                );
                None
            }
        }
    }

    /// A rule of the group at the network interface of a member, where the group's document names
    /// the interface. Which interface has which address is in no document.
    pub(super) fn denied_at_interface(&self, index: usize) -> Option<Finding> {
        let target = self.site.targets.get(index)?;
        let (policy, subnet) = self.evidence.policy()?;
        let address = self.addresses_of(&target.row.address).into_iter().next()?;
        let port = target.probed_port()?;
        let at = policy.subnet_of(policy.subnet(subnet).network, address)?;
        let pool = target.pool?;
        let members = pool.properties.backend_ip_configurations.iter();
        let interfaces: Vec<&str> = members
            .filter_map(|one| Some(one.id.as_deref()?.split_once("/ipConfigurations/")?.0))
            .collect();
        let flow = Flow::tcp(subnet, address, port);
        let denying = |interface: &&str| {
            let group = self.group_at_interface(interface)?;
            let mut groups = policy.groups().iter();
            let position = groups.position(|one| one.resource_id.eq_ignore_ascii_case(group))?;
            let index = SecurityGroupIndex::new(position);
            let gate = policy.interface_gate(at, index, &flow, Direction::Inbound);
            let is_denied = gate.decision().is_some_and(Decision::is_denied);
            is_denied.then_some(gate)
        };
        let denied: Vec<_> = interfaces
            .iter()
            .filter_map(|interface| Some((*interface, denying(interface)?)))
            .collect();
        let let_in = interfaces.len() - denied.len();
        let targets = self.site.targets.iter();
        let own = targets.filter(|one| one.pool.is_some_and(|own| own.is_named(&pool.name)));
        let is_well = |one: &&Target<'_>| {
            one.row.setting == target.row.setting && one.row.state == State::Healthy
        };
        // Some server that is well would be behind an interface that denies.
        if own.filter(is_well).count() > let_in {
            return None;
        }
        let (interface, gate) = denied.first()?;
        let decision = gate.decision()?;
        let name = last_part(interface);
        let place = format!("the network interface {name}");
        let mut found = self.denied(index, (decision, &place), (address, port));
        if let_in > 0 {
            found.confidence = found.confidence.min(Confidence::Likely);
        }
        Some(found)
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

    /// Asks for the security group of a subnet that is in no file.
    fn ask_for_group(&mut self, verdict: &Verdict<'_>) {
        let missing = [&verdict.outbound, &verdict.inbound].map(|gate| match gate {
            Gate::Unknown { subnet, group } => Some((subnet.name.clone(), *group)),
            _ => None,
        });
        let (why, group) = match missing.into_iter().flatten().next() {
            Some((subnet, group)) => {
                let name = last_part(group);
                let what = match self.security_group(name) {
                    Some(_) => "cannot be judged as it was exported",
                    None => "is in no file",
                };
                (
                    format!("the security group {name} of the subnet {subnet} {what}"),
                    self.group_of_id(group),
                )
            }
            None => (
                "the security group of a subnet is in no file".to_owned(),
                word(self.commands.group()),
            ),
        };
        let command = format!("az network nsg list -g {group} -o json > nsgs.json");
        self.need("nsgs.json", &why, command);
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
    pub(super) fn denying(&self, index: usize) -> Option<(String, String)> {
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
    pub(super) fn route_of_others(&mut self, index: usize) -> Option<Finding> {
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

    /// A table that the gateway's subnet does not have and that has a route to an address, and that
    /// route: the narrowest.
    pub(super) fn table_with_route_to(&self, address: IpAddr) -> Option<(&RouteTable, &Route)> {
        let (policy, _) = self.evidence.policy()?;
        let own = self.own_table().map(|table| table.resource_id.as_str());
        let others = policy.route_tables().iter();
        let others = others.filter(|table| Some(table.resource_id.as_str()) != own);
        let routes = others.flat_map(|table| table.routes().iter().map(move |one| (table, one)));
        routes
            .filter(|(_, one)| !one.prefix.is_default() && one.prefix.contains(address))
            .reduce(
                |best, next| match next.1.prefix.length() > best.1.prefix.length() {
                    true => next,
                    false => best,
                },
            )
    }

    /// The route table of the gateway's subnet.
    fn own_table(&self) -> Option<&RouteTable> {
        let (policy, subnet) = self.evidence.policy()?;
        policy.table_of(policy.subnet(subnet))
    }

    /// A route to the address that stands in a table which the gateway's subnet does not have.
    pub(super) fn table_elsewhere(&self, index: usize) -> Option<Finding> {
        let target = self.site.targets.get(index)?;
        let address = self.addresses_of(&target.row.address).into_iter().next()?;
        let (table, route) = self.table_with_route_to(address)?;
        let title = format!(
            "The gateway's subnet has no route to {address}: the route {} ({}) stands in {}, \
             which it \
             does not have.",
            route.name, route.prefix, table.name
        );
        let place = self.route_place(&table.name, &route.name);
        let mend = match self.may_have(table) && self.own_table().is_none() {
            true => {
                let summary = format!("Give the gateway's subnet the table {}.", table.name);
                let command = format!(
                    "az network vnet subnet update --ids {} --route-table {}",
                    word(&self.subnet_id()),
                    word(&table.resource_id)
                );
                fix(Owner::Network, summary)
                    .run(command)
                    .risking("All of its routes hold for the gateway then.")
            }
            false => {
                let why = match self.own_table() {
                    Some(own) => format!("It has the table {} already.", own.name),
                    None => format!(
                        "{} itself is not for a gateway: it leads all else away from the Internet, \
                         too.",
                        table.name
                    ),
                };
                let summary = format!("Give the gateway's subnet a route like it. {why}");
                self.with_routes(fix(Owner::Network, summary), &self.routes_of_failing(table))
            }
        };
        Some(
            finding(Cause::MissingRoute, Confidence::Likely, title)
                .because(self.reported(index))
                .because([self.because(&place, "the way to it, for other subnets")])
                .fixed_by(mend.verified_by(self.commands.verify_health())),
        )
    }

    /// The routes of a table to servers that are not well.
    fn routes_of_failing(&self, table: &RouteTable) -> Vec<(String, Prefix, NextHop)> {
        let targets = self.site.targets.iter();
        let failing = targets.filter(|target| target.row.state != State::Healthy);
        let failing: Vec<IpAddr> = failing
            .flat_map(|target| self.addresses_of(&target.row.address))
            .collect();
        let is_meant = |route: &&Route| {
            !route.prefix.is_default() && failing.iter().any(|one| route.prefix.contains(*one))
        };
        let routes = table.routes().iter().filter(is_meant);
        routes
            .map(|one| (one.name.clone(), one.prefix, one.next_hop.clone()))
            .collect()
    }

    /// Whether a table may be that of the gateway's subnet: the second generation must reach the
    /// Internet by itself, unless its network is isolated.
    pub(super) fn may_have(&self, table: &RouteTable) -> bool {
        let mut routes = table.routes().iter();
        let leads_away = |one: &Route| one.prefix.is_default() && one.next_hop != NextHop::Internet;
        !routes.any(leads_away) || self.is_isolated() || self.evidence.gateway.is_v1()
    }

    /// Makes routes in the table of the gateway's subnet, or in a new one.
    pub(super) fn with_routes(&self, mend: Fix, routes: &[(String, Prefix, NextHop)]) -> Fix {
        self.with_routes_at(mend, &self.subnet_id(), self.own_table(), routes)
    }

    /// The same for the subnet with an id, whose table is `own`.
    pub(super) fn with_routes_at(
        &self,
        mend: Fix,
        subnet: &str,
        own: Option<&RouteTable>,
        routes: &[(String, Prefix, NextHop)],
    ) -> Fix {
        let tables = self
            .evidence
            .policy()
            .map(|(policy, _)| policy.route_tables());
        let tables = tables.into_iter().flatten();
        let known: Vec<&str> = tables.map(|table| table.name.as_str()).collect();
        let new = free(&known, NEW_TABLE);
        let table = own.map_or(new.as_str(), |own| own.name.as_str());
        let own_routes = own.into_iter().flat_map(RouteTable::routes);
        let taken: Vec<&str> = own_routes.map(|route| route.name.as_str()).collect();
        let group = match own {
            Some(own) => self.group_of_id(&own.resource_id),
            // The subnet's own group: it names the table alone.
            None => self.group_of_id(subnet),
        };
        let mut mend = mend;
        if own.is_none() {
            mend = mend.run(format!(
                "az network route-table create -g {group} -n {table}"
            ));
        }
        for (name, prefix, hop) in routes {
            let (kind, address) = match hop {
                NextHop::VirtualAppliance(hops) => ("VirtualAppliance", hops.first()),
                NextHop::VirtualNetworkGateway => ("VirtualNetworkGateway", None),
                NextHop::VnetLocal | NextHop::VnetPeering => ("VnetLocal", None),
                NextHop::Internet => ("Internet", None),
                NextHop::None => ("None", None),
            };
            let address = address.map(|one| format!(" --next-hop-ip-address {one}"));
            mend = mend.run(format!(
                "az network route-table route create -g {group} --route-table-name {} -n {} \
                 --address-prefix {prefix} --next-hop-type {kind}{}",
                word(table),
                word(&free(&taken, name)),
                address.unwrap_or_default()
            ));
        }
        if own.is_none() {
            mend = mend.run(format!(
                "az network vnet subnet update --ids {} --route-table {table}",
                word(subnet)
            ));
        }
        mend
    }

    /// No network that is known has the address, and nothing leads beyond them.
    fn nowhere(&self, index: usize, endpoint: &str, prefix: &str) -> Finding {
        let found = self.table_elsewhere(index);
        if let Some(found) = found.or_else(|| self.behind_gateways_of_a_peer(index)) {
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
        let found = finding(Cause::UnroutableAddress, Confidence::Likely, title)
            .because(self.reported(index));
        let mend = self.servers_behind_the_pool(index);
        let found = match mend.or_else(|| self.open_address(index)) {
            Some(mend) => found.fixed_by(mend),
            None => found,
        };
        found.fixed_by(
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
}

impl Walk<'_> {
    /// The pool with an address that the gateway was seen to reach, and that no pool has, in the
    /// place of one that it does not.
    pub(super) fn open_address(&self, index: usize) -> Option<Fix> {
        let target = self.site.targets.get(index)?;
        let pool = target.pool?;
        let is_member = |host: &str| {
            let mut targets = self.site.targets.iter();
            targets.any(|one| one.row.address.eq_ignore_ascii_case(host))
        };
        let mut tcp = self.evidence.observations.tcp.iter();
        let open = tcp.find(|one| {
            one.result == TcpResult::Open
                && one.port == target.probed_port()
                && self.is_from_gateway(&one.from)
                && !is_member(&one.host)
                && one
                    .host
                    .parse()
                    .is_ok_and(|host: Ipv4Addr| host.is_private())
        })?;
        let summary = format!(
            "The gateway's subnet reaches {} instead: if the same application answers there, give \
             the pool {} that in the place of {}.",
            open.host, pool.name, target.row.address
        );
        let members = pool.properties.backend_addresses.iter();
        let servers = members.filter_map(|one| {
            let own = one.ip_address.as_ref().or(one.fqdn.as_ref())?;
            let is_it = own.eq_ignore_ascii_case(&target.row.address);
            Some(if is_it { &open.host } else { own }.clone())
        });
        let mend = fix(Owner::Gateway, summary).edit(self.set_servers(pool, servers.collect()));
        Some(mend.verified_by(self.commands.verify_health()))
    }
}

/// Whether a group or a table that decides is in no file.
pub(super) fn is_open_question(verdict: &Verdict<'_>) -> bool {
    let is_unknown = |gate: &Gate<'_>| matches!(gate, Gate::Unknown { .. });
    let has_no_table = verdict
        .route
        .is_some_and(|route| route.missing_table.is_some());
    is_unknown(&verdict.outbound) || is_unknown(&verdict.inbound) || has_no_table
}
