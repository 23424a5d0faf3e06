//! Why does the platform not know how servers are?

use std::net::{IpAddr, Ipv4Addr};

use gatewright_arm::Item;
use gatewright_arm::model::network::{NetworkSecurityGroup, RouteTable, VirtualNetwork};
use gatewright_snapshot::Generation;
use gatewright_snapshot::network::{
    Access, AddressTerm, Attachment, Direction, ManagementPorts, NextHop, PortSet, Protocol, Rule,
    SecurityGroup,
};

use super::live_paths::is_host_of;
use super::network_edits::NewRule;
use super::{Walk, Weight, finding};
use crate::cause::{Cause, Owner};
use crate::evidence::view::last_part;
use crate::evidence::{OBSERVATIONS, Place, State, Tcp, TcpResult};
use crate::finding::{Confidence, Fix};
use crate::lookup::{addresses_in, has_whole};
use crate::message::Symptom;
use crate::remedy::{fix, word};

/// The priority of a rule of one's own that is tried last.
const LAST_RULE: u32 = 4_096;

/// As many routes are written out one by one.
const ROUTES_MAX: usize = 20;

/// A resource, and the file that holds its document.
type Held<'e, T> = (&'e str, &'e Item<T>);

impl Walk<'_> {
    pub(super) fn why_is_health_unknown(&mut self) {
        let asked = "Does the platform know how the servers are?";
        let unknown = |state: State, symptom: Symptom| {
            state == State::Unknown || symptom == Symptom::Unretrievable
        };
        let targets = self.site.targets.iter();
        let places: Vec<Place> = targets
            .filter(|target| unknown(target.row.state, target.symptom))
            .map(|target| target.row.place.clone())
            .collect();
        let count = places.len();
        let denied = self.denied_management(Who::Manager);
        // Where health is known, its probes come through whatever a rule says.
        let is_unknown = count > 0;
        let denied = denied.or_else(|| {
            let denied = self.denied_management(Who::LoadBalancer)?;
            let is_shut_out = is_unknown || self.client_let_in(&denied).is_some();
            is_shut_out.then_some(denied)
        });
        let elsewhere = self.default_elsewhere();
        let therefore = match (denied.is_some(), elsewhere.is_some()) {
            (true, true) => "a rule keeps the platform out, and the default route leads elsewhere",
            (true, false) => "a rule keeps the platform out",
            (false, true) => "the default route leads elsewhere",
            (false, false) => "",
        };
        // Each of the two is enough: both are to be mended.
        if let Some(denied) = denied {
            self.tell_of_management(denied, &places);
        }
        if let Some(route) = elsewhere {
            self.tell_of_default(route, &places);
        }
        if !therefore.is_empty() {
            return self.step(asked, format!("{count} servers are Unknown"), therefore);
        }
        if count == 0 {
            return self.step(asked, "it does", "probes decide");
        }
        self.step(
            asked,
            format!("{count} servers are Unknown"),
            "nothing here says why",
        );
        let group = self.commands.group().to_owned();
        let group = word(&group);
        let (own_group, own_table) = self.missing_of_subnet();
        if own_group.is_some() || !self.evidence.has("nsgs.json") {
            let which = own_group.as_deref().map(last_part);
            let why = format!(
                "a security rule{} may keep the platform from the management ports",
                which.map(|own| format!(" of {own}")).unwrap_or_default()
            );
            let group = own_group.map_or(group.clone(), |id| self.group_of_id(&id));
            self.need(
                "nsgs.json",
                &why,
                format!("az network nsg list -g {group} -o json > nsgs.json"),
            );
        }
        if !self.evidence.has("subnet.json") {
            self.need(
                "subnet.json",
                "it says which security group and route table the gateway's subnet has",
                self.show_subnet(),
            );
        }
        let targets = self.site.targets.iter();
        let mut names = targets.filter(|target| {
            let address = &target.row.address;
            let is_name = address.parse::<IpAddr>().is_err() && !address.is_empty();
            is_name && target.row.state == State::Unknown
        });
        let name = names.next().map(|target| target.row.address.clone());
        if let Some(name) = name.filter(|name| self.answers_for(name).next().is_none()) {
            let why = format!("whether the name servers of the gateway's network know {name}");
            let command = format!(
                "nslookup {}   # from a machine of that network",
                word(&name)
            );
            self.need(OBSERVATIONS, &why, command);
        }
        if own_table.is_some() || !self.evidence.has("route-tables.json") {
            let which = own_table.as_deref().map(last_part);
            let why = format!(
                "a default route{} that does not lead to the Internet keeps the platform out",
                which.map(|own| format!(" of {own}")).unwrap_or_default()
            );
            let group = own_table.map_or(group, |id| self.group_of_id(&id));
            self.need(
                "route-tables.json",
                &why,
                format!("az network route-table list -g {group} -o json > route-tables.json"),
            );
        }
    }

    /// The ids of the gateway's subnet's own security group and route table, where no file has
    /// them.
    fn missing_of_subnet(&self) -> (Option<String>, Option<String>) {
        let Some((policy, subnet)) = self.evidence.policy() else {
            return (None, None);
        };
        let subnet = policy.subnet(subnet);
        let group = match &subnet.security_group {
            Attachment::Missing(id) => Some(id.clone()),
            _ => None,
        };
        let table = match &subnet.route_table {
            Attachment::Missing(id) => Some(id.clone()),
            _ => None,
        };
        (group, table)
    }

    /// The documents of networks, each with its file.
    pub(super) fn network_documents(&self) -> impl Iterator<Item = (&str, &Item<VirtualNetwork>)> {
        let files = self.evidence.network_resources.iter();
        files.flat_map(|(file, resources)| {
            let all = resources.virtual_networks.iter();
            all.map(move |one| (file.as_str(), one))
        })
    }

    /// The document of the network with an id, and its file.
    pub(super) fn network_document(&self, id: &str) -> Option<(&str, &Item<VirtualNetwork>)> {
        let is_it = |own: &str| own.eq_ignore_ascii_case(id);
        let mut all = self.network_documents();
        all.find(|(_, one)| one.id.as_deref().is_some_and(is_it))
    }

    /// The id of the subnet that the gateway is in.
    pub(super) fn subnet_id(&self) -> String {
        let places = self
            .evidence
            .gateway
            .properties
            .gateway_ip_configurations
            .iter();
        let mut subnets = places.filter_map(|one| one.properties.subnet.as_ref());
        subnets.next().map(|one| one.id.clone()).unwrap_or_default()
    }

    pub(super) fn show_subnet(&self) -> String {
        let id = self.subnet_id();
        format!(
            "az network vnet subnet show --ids {} -o json > subnet.json",
            word(&id)
        )
    }

    /// The group and the rule that deny the management ports; whether that is certain.
    fn denied_management(&self, who: Who) -> Option<Denied> {
        let (policy, subnet) = self.evidence.policy()?;
        if self.is_isolated() {
            return None;
        }
        let ports = match who {
            Who::Manager => policy.management_ports(subnet, self.generation()),
            Who::LoadBalancer => policy.load_balancer_ports(subnet, self.generation()),
        };
        denied(ports, who)
    }

    fn generation(&self) -> Generation {
        match self.evidence.gateway.is_v1() {
            true => Generation::V1,
            false => Generation::V2,
        }
    }

    fn tell_of_management(&mut self, denied: Denied, unknown: &[Place]) {
        let cause = match self.generation() {
            Generation::V1 => Cause::V1ManagementPorts,
            Generation::V2 => Cause::V2ManagementPorts,
        };
        let (first, last) = self.generation().management_ports();
        let (group, own) = (&denied.group.name, &denied.rule);
        let rule = match own.is_default {
            true => format!("{group} has no rule that lets it in"),
            false => format!(
                "the rule {} (priority {}) of {group} denies it",
                own.name, own.priority
            ),
        };
        let shut_out = match denied.who {
            Who::LoadBalancer => self.client_let_in(&denied),
            Who::Manager => None,
        };
        let effect = match (unknown.is_empty(), shut_out.is_some()) {
            (false, _) => ", so the health of its servers is Unknown",
            (true, true) => ", so it leads no client there",
            (true, false) => "",
        };
        let who = match denied.who {
            Who::Manager => "The platform",
            Who::LoadBalancer => "The load balancer before the gateway's instances",
        };
        let title = format!(
            "{who} cannot reach the management ports {first}-{last} of the gateway's \
             subnet{effect}: {rule}."
        );
        let is_manager = denied.who == Who::Manager;
        let confidence = match (denied.is_certain, unknown.is_empty()) {
            (true, false) if is_manager => Confidence::Certain,
            (true, false) => Confidence::Likely,
            (true, true) => Confidence::Likely,
            (false, _) => Confidence::Possible,
        };
        let mut because: Vec<_> = unknown
            .iter()
            .take(1)
            .map(|place| self.because(place, "its health is Unknown"))
            .collect();
        let place = self.rule_place(group, &own.name);
        because.push(self.because(&place, format!("{rule} from {}", denied.who.tag())));
        because.extend(shut_out.map(|one| self.because(&one.place, "a client gets no connection")));
        let allow = self.let_platform_in(&denied);
        let found = finding(cause, confidence, title)
            .because(because)
            .fixed_by(allow);
        self.find(Weight::Beside, unknown.len(), found);
    }

    /// The service takes only a rule for GatewayManager whose destination is everything.
    fn widen_manager(&self, message: &str) -> Option<Fix> {
        let (policy, _) = self.evidence.policy()?;
        let mut groups = policy.groups().iter();
        let group = groups.find(|one| has_whole(message, &one.name, "-_."))?;
        self.correct_manager(group, LAST_RULE)
    }

    /// A rule before a priority that lets the platform in, and not at all of its ports or not
    /// everywhere: it is to be corrected, rather than another one made.
    fn correct_manager(&self, group: &SecurityGroup, before: u32) -> Option<Fix> {
        let mut rules = group.rules(Direction::Inbound).iter();
        let rule = rules.find(|one| {
            // What is for others too stays as it is for them.
            let is_manager = one.source.terms() == [AddressTerm::GatewayManager];
            let is_tcp = one.protocol.is_none_or(|own| own == Protocol::Tcp);
            let is_any_port = one.source_ports == PortSet::all();
            is_manager
                && is_tcp
                && is_any_port
                && one.access == Access::Allow
                && one.priority < before
                && !one.is_default
        })?;
        let (first, last) = self.generation().management_ports();
        let is_whole = rule.destination.terms() == [AddressTerm::Any]
            && [first, last]
                .iter()
                .all(|port| rule.destination_ports.contains(*port));
        if is_whole {
            return None;
        }
        let ports = format!("{first}-{last}");
        let summary = format!(
            "Let {} be for the ports {ports}, and lead everywhere: the service takes neither fewer \
             ports nor a narrower destination.",
            rule.name
        );
        let own = (group.name.as_str(), group.resource_id.as_str());
        let correct = fix(Owner::Network, summary)
            .edit(self.lead_rule_everywhere(own, &rule.name, &ports))
            .verified_by(self.commands.verify_health());
        Some(correct)
    }

    /// Clients, out in the Internet, that get no connection to a port that a listener has.
    pub(super) fn clients_shut_out(&self) -> Vec<&Tcp> {
        let listeners = &self.evidence.gateway.properties.http_listeners;
        let ports: Vec<u16> = listeners
            .iter()
            .filter_map(|one| self.port_of(one))
            .collect();
        let has_basic = listeners
            .iter()
            .any(|one| one.properties.hosts().next().is_none());
        let hosts: Vec<&str> = listeners
            .iter()
            .flat_map(|one| one.properties.hosts())
            .collect();
        let gateway = self.evidence.gateway.name.to_lowercase();
        // The address of a name that is none of the listeners' is another's.
        let is_of_another = |host: &str| {
            let mut dns = self.evidence.observations.dns.iter();
            let is_own = |name: &str| {
                name.to_lowercase().starts_with(&gateway)
                    || hosts.iter().any(|own| is_host_of(own, name))
            };
            dns.any(|one| one.answers.iter().any(|own| own == host) && !is_own(&one.name))
        };
        let is_of_server = |host: &str| {
            let mut targets = self.site.targets.iter();
            targets.any(|target| target.row.address.eq_ignore_ascii_case(host))
        };
        // Where another client gets through, something in between keeps the one out.
        let tcp = &self.evidence.observations.tcp;
        let is_open = |own: &Tcp| {
            let mut tcp = tcp.iter();
            tcp.any(|one| {
                one.host == own.host && one.port == own.port && one.result == TcpResult::Open
            })
        };
        let shut_out = tcp.iter().filter(|one| {
            one.result == TcpResult::TimedOut
                && one.host.parse().is_ok_and(is_public)
                && client_of(one).is_some()
                && one.port.is_some_and(|port| ports.contains(&port))
                && !is_of_server(&one.host)
                && (has_basic || !is_of_another(&one.host))
                && !is_open(one)
        });
        shut_out.collect()
    }

    /// One of those whom a rule before the one that denies lets in.
    fn client_let_in(&self, denied: &Denied) -> Option<&Tcp> {
        let mut clients = self.clients_shut_out().into_iter();
        clients.find(|one| denied.lets_in(one, |terms| self.is_own_side(terms)))
    }

    /// What the group that a message names would deny: its association with the subnet was refused.
    fn denied_behind(&self, message: &str) -> Option<Denied> {
        let (policy, subnet) = self.evidence.policy()?;
        let mut groups = policy.groups().iter();
        let group = groups.find(|one| has_whole(message, &one.name, "-_."))?;
        let ports = policy.management_ports_behind(subnet, group, self.generation());
        denied(ports, Who::Manager)
    }

    /// What mends a change that was refused because the platform is kept out.
    pub(super) fn let_manager_in(&self, message: &str) -> Option<Fix> {
        let denied = self.denied_management(Who::Manager);
        let denied = denied.or_else(|| self.denied_behind(message));
        let allow = denied.map(|denied| self.let_platform_in(&denied));
        allow.or_else(|| self.widen_manager(message))
    }

    fn let_platform_in(&self, denied: &Denied) -> Fix {
        let is_manager = denied.who == Who::Manager;
        let correct = is_manager.then(|| self.correct_manager(&denied.group, denied.rule.priority));
        correct
            .flatten()
            .unwrap_or_else(|| self.allow_manager(denied))
    }

    fn allow_manager(&self, denied: &Denied) -> Fix {
        let (first, last) = self.generation().management_ports();
        let tag = denied.who.tag();
        let said = match denied.who {
            Who::Manager => format!("{first}-{last}"),
            Who::LoadBalancer => "all ports".to_owned(),
        };
        let (name, ports, risk) = match denied.who {
            Who::Manager => (
                "Allow-AppGW-Management",
                format!("{first}-{last}"),
                "The ports are the platform's own; nothing of yours listens there.",
            ),
            Who::LoadBalancer => (
                "Allow-AppGW-LoadBalancer",
                "*".to_owned(),
                "It lets the platform's probes in on every port, as the last of the rules that \
                 every group has does.",
            ),
        };
        let allow = fix(
            Owner::Network,
            format!("Let {tag} in on {said}, before {}.", denied.rule.name),
        )
        .risking(risk)
        .verified_by(self.commands.verify_health());
        self.allow_before(
            allow,
            (&denied.group, &denied.rule),
            NewRule {
                name: name.to_owned(),
                direction: "Inbound".to_owned(),
                sources: vec![tag.to_owned()],
                destinations: vec!["*".to_owned()],
                ports: vec![ports],
                priority: denied.rule.priority,
            },
        )
    }

    /// Adds a rule before the one that denies: at the first priority that is free, or in its place,
    /// with the other one put behind.
    pub(super) fn allow_before(
        &self,
        mut allow: Fix,
        (group, denying): (&SecurityGroup, &Rule),
        mut rule: NewRule,
    ) -> Fix {
        let own = (group.name.as_str(), group.resource_id.as_str());
        let others = group.rules(denying.direction);
        let is_free = |priority: &u32| others.iter().all(|one| one.priority != *priority);
        // As near as can be: what is denied before that stays denied.
        let before = (100..denying.priority.min(LAST_RULE + 1))
            .rev()
            .find(is_free);
        if let Some(priority) = before {
            rule.priority = priority;
            return allow.edit(self.add_rule(own, &rule));
        }
        rule.priority = denying.priority;
        let next = denying.priority + 1;
        if next <= LAST_RULE && is_free(&next) {
            allow = allow.edit(self.move_rule(own, &denying.name, next));
            return allow.edit(self.add_rule(own, &rule));
        }
        // Whatever stands behind it would count before it then.
        let behind = (next..=LAST_RULE).find(is_free).unwrap_or(LAST_RULE);
        let moved = self.move_rule(own, &denying.name, behind).command;
        let risk = format!(
            "Rules with priorities from {next} to {behind} count before {} then: see first what \
             they allow.",
            denying.name
        );
        allow
            .run(moved)
            .run(self.add_rule(own, &rule).command)
            .risking(risk)
    }

    /// A security group by its name, and the file that has it.
    pub(super) fn security_group(&self, name: &str) -> Option<Held<'_, NetworkSecurityGroup>> {
        let mut files = self.evidence.network_resources.iter();
        files.find_map(|(file, one)| {
            let mut groups = one.security_groups.iter();
            Some((file.as_str(), groups.find(|group| group.is_named(name))?))
        })
    }

    /// As that, of a route table.
    pub(super) fn route_table(&self, name: &str) -> Option<Held<'_, RouteTable>> {
        let mut files = self.evidence.network_resources.iter();
        files.find_map(|(file, one)| {
            let mut tables = one.route_tables.iter();
            Some((file.as_str(), tables.find(|table| table.is_named(name))?))
        })
    }

    /// Where a rule stands among the documents; the group, where it is none of its own.
    pub(super) fn rule_place(&self, group: &str, rule: &str) -> Place {
        let Some((file, group)) = self.security_group(group) else {
            return Place::default();
        };
        let own = &group.properties;
        let mut rules = own.security_rules.iter().chain(&own.default_security_rules);
        let rule = rules.find(|own| own.is_named(rule)).map(Item::pointer);
        Place::new(file, rule.unwrap_or_else(|| group.pointer()))
    }

    /// As that, of a route and its table.
    pub(super) fn route_place(&self, table: &str, route: &str) -> Place {
        let Some((file, table)) = self.route_table(table) else {
            return Place::default();
        };
        let mut routes = table.properties.routes.iter();
        let route = routes.find(|own| own.is_named(route)).map(Item::pointer);
        Place::new(file, route.unwrap_or_else(|| table.pointer()))
    }

    /// Whether the platform manages the gateway by ways that no rule or route of its network bears
    /// on: its subnet is delegated, it has the platform's mark of that, or it has no public
    /// address, which others of the second generation must have.
    pub(super) fn is_isolated(&self) -> bool {
        let gateway = &self.evidence.gateway;
        let is_delegated = || {
            let policy = self.evidence.policy();
            policy.is_some_and(|(policy, subnet)| policy.subnet(subnet).isolates_gateways)
        };
        let has_mark = || {
            let mut tags = gateway.tags.iter().flatten();
            tags.any(|(name, value)| {
                name.eq_ignore_ascii_case("EnhancedNetworkControl")
                    && value.eq_ignore_ascii_case("true")
            })
        };
        let frontends = &gateway.properties.frontend_ip_configurations;
        let is_private = || {
            let mut frontends = frontends.iter().peekable();
            frontends.peek().is_some()
                && frontends.all(|one| one.properties.public_ip_address.is_none())
        };
        !gateway.is_v1() && (is_delegated() || has_mark() || is_private())
    }

    fn default_elsewhere(&self) -> Option<Elsewhere> {
        let (policy, subnet) = self.evidence.policy()?;
        if self.is_isolated() {
            return None;
        }
        let default = policy.default_route(subnet)?;
        if default.leads_to_internet() {
            return None;
        }
        let table = default.route.user_table()?;
        let route = default.route.route;
        let hop = match &route.next_hop {
            NextHop::VirtualAppliance(addresses) => {
                let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
                format!("the appliance {}", addresses.join(", "))
            }
            NextHop::VirtualNetworkGateway => "the virtual network gateway".to_owned(),
            NextHop::None => "nowhere".to_owned(),
            other => format!("{other:?}"),
        };
        Some(Elsewhere {
            table: table.name.clone(),
            route: route.name.clone(),
            prefix: route.prefix.to_string(),
            hop,
        })
    }

    /// What mends a change that was refused because of the default route.
    pub(super) fn lead_to_internet(&self) -> Option<Fix> {
        self.default_elsewhere()
            .map(|route| self.to_internet(&route))
    }

    fn to_internet(&self, route: &Elsewhere) -> Fix {
        self.with_own_table(route)
            .unwrap_or_else(|| self.lead_route_to_internet(route))
    }

    /// Where other subnets have the table too, one for the gateway's subnet alone: with the other
    /// routes, and with the default route to the Internet.
    fn with_own_table(&self, route: &Elsewhere) -> Option<Fix> {
        let (policy, own) = self.evidence.policy()?;
        let subnet = policy.subnet(own);
        let table = policy.table_of(subnet)?;
        let mut others: Vec<&str> = policy
            .subnets()
            .iter()
            .filter(|one| {
                policy
                    .table_of(one)
                    .is_some_and(|own| own.resource_id == table.resource_id)
            })
            .map(|one| one.resource_id.as_str())
            .collect();
        let (file, document) = self.route_table(&table.name)?;
        let listed = Place::new(file, document.pointer_to("subnets"));
        let listed = self.evidence.value_at(&listed).as_array();
        let listed = listed.into_iter().flatten();
        others.extend(listed.filter_map(|one| one.get("id")?.as_str()));
        others.retain(|one| !one.eq_ignore_ascii_case(&subnet.resource_id));
        let other = others.first().map(|one| last_part(one))?;
        let routes = table.routes().iter().map(|one| {
            // Two halves make a default route, too.
            let is_default = one.name == route.route || one.prefix.length() <= 1;
            let hop = match is_default {
                true => NextHop::Internet,
                false => one.next_hop.clone(),
            };
            (one.name.clone(), one.prefix, hop)
        });
        let summary = format!(
            "Give the gateway's subnet {} a table of its own, with {} to the Internet: {} has {} \
             too.",
            subnet.name, route.prefix, other, table.name
        );
        let mend = fix(Owner::Network, summary);
        let routes: Vec<_> = routes.collect();
        let mut mend = self.with_routes_at(mend, &self.subnet_id(), None, &routes);
        let no_learnt = Place::new(file, document.pointer_to("disableBgpRoutePropagation"));
        if self.evidence.value_at(&no_learnt).as_bool() == Some(true)
            && let Some(create) = mend.commands.first_mut()
        {
            create.push_str(" --disable-bgp-route-propagation true");
        }
        // Routes for tags are no prefixes; and nobody types a hundred.
        let count = document.properties.routes.len();
        if count != routes.len() || count > ROUTES_MAX {
            let copy = format!(
                "az network route-table route list -g {} --route-table-name {} -o table   # its \
                 other routes are for the new table too",
                self.group_of_id(&table.resource_id),
                word(&table.name)
            );
            let is_of_default = |one: &String| {
                !one.contains(" route create ") || one.contains(" --next-hop-type Internet")
            };
            mend.commands.retain(is_of_default);
            mend.commands.insert(0, copy);
        }
        Some(
            mend.risking("What the appliance inspected of the gateway's traffic goes past it.")
                .verified_by(self.commands.verify_health()),
        )
    }

    fn lead_route_to_internet(&self, route: &Elsewhere) -> Fix {
        fix(
            Owner::Network,
            format!("Send {} to the Internet.", route.prefix),
        )
        .edit(self.lead(&route.table, &route.route, None))
        .risking("What the appliance inspected of the gateway's traffic goes past it.")
        .verified_by(self.commands.verify_health())
    }

    fn tell_of_default(&mut self, route: Elsewhere, unknown: &[Place]) {
        let title = format!(
            "The route {} ({}) of {} sends the gateway's own traffic to {} instead of the \
             Internet, so the platform cannot manage it.",
            route.route, route.prefix, route.table, route.hop
        );
        let place = self.route_place(&route.table, &route.route);
        let mut because =
            vec![self.because(&place, format!("{} leads to {}", route.prefix, route.hop))];
        let shown = unknown.iter().take(1);
        because.extend(shown.map(|place| self.because(place, "its health is Unknown")));
        let confidence = match unknown.is_empty() {
            true => Confidence::Likely,
            false => Confidence::Certain,
        };
        let mend = self.to_internet(&route);
        let found = finding(Cause::UdrDefaultRoute, confidence, title)
            .because(because)
            .fixed_by(mend);
        self.find(Weight::Beside, unknown.len(), found);
    }
}

/// Of the platform, what a rule keeps out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Who {
    Manager,
    /// Of the gateway's own instances.
    LoadBalancer,
}

impl Who {
    fn tag(self) -> &'static str {
        match self {
            Self::Manager => "GatewayManager",
            Self::LoadBalancer => "AzureLoadBalancer",
        }
    }
}

fn denied(ports: ManagementPorts<'_>, who: Who) -> Option<Denied> {
    let ManagementPorts::Denied {
        group,
        rule,
        undecided,
        ..
    } = ports
    else {
        return None;
    };
    Some(Denied {
        who,
        group: group.clone(),
        rule: rule.clone(),
        is_certain: undecided.count() == 0,
    })
}

impl Denied {
    /// Whether a rule before the one that denies lets a client in, who gets no connection.
    /// `is_own` says whether a side of a rule holds addresses of the gateway.
    fn lets_in(&self, client: &Tcp, is_own: impl Fn(&[AddressTerm]) -> bool) -> bool {
        let (Some(source), Some(port)) = (client_of(client), client.port) else {
            return false;
        };
        let is_source = |term: &AddressTerm| match term {
            AddressTerm::Any | AddressTerm::Internet => true,
            AddressTerm::Prefix(prefix) => prefix.contains(IpAddr::V4(source)),
            _ => false,
        };
        let rules = self.group.rules(Direction::Inbound).iter();
        let mut before = rules.take_while(|rule| rule.priority < self.rule.priority);
        let first = before.find(|rule| {
            rule.protocol.is_none_or(|one| one == Protocol::Tcp)
                && rule.destination_ports.contains(port)
                && rule.source.terms().iter().any(is_source)
                && is_own(rule.destination.terms())
        });
        first.is_some_and(|rule| rule.access == Access::Allow)
    }
}

/// The public address that a connection comes from: `203.0.113.9`, or `office (203.0.113.9)`.
fn client_of(tcp: &Tcp) -> Option<Ipv4Addr> {
    addresses_in(&tcp.from).find(|one| is_public(*one))
}

fn is_public(address: Ipv4Addr) -> bool {
    !address.is_private() && !address.is_loopback() && !address.is_link_local()
}

struct Denied {
    who: Who,
    group: SecurityGroup,
    rule: Rule,
    is_certain: bool,
}

struct Elsewhere {
    table: String,
    route: String,
    prefix: String,
    hop: String,
}
