//! Do answers come back, and does the gateway itself get out?

use std::net::{IpAddr, Ipv4Addr};

use gatewright_arm::ResourceId;
use gatewright_snapshot::SubnetIndex;
use gatewright_snapshot::network::{Direction, EffectiveRoute, Flow, NextHop};

use super::reach::WELL_MAX;
use super::{Walk, Weight, finding, listed};
use crate::cause::{Cause, Owner};
use crate::evidence::{Dns, Http, State, TcpResult};
use crate::finding::{Confidence, Finding, Fix};
use crate::lookup::names_host;
use crate::message::Symptom;
use crate::remedy::{fix, word};

/// An address in the middle of the Internet, which stands for all of it.
const SOMEWHERE: IpAddr = IpAddr::V4(Ipv4Addr::new(20, 20, 20, 20));
/// What gateways need of the platform: tokens, vaults, lists of revoked certificates, logs.
const PLATFORM: [&str; 7] = [
    ".microsoftonline.com",
    ".vault.azure.net",
    ".digicert.com",
    ".microsoft.com",
    ".azure.com",
    ".core.windows.net",
    ".azure-automation.net",
];

/// Of these anybody has names.
const ANYBODYS: [&str; 3] = [
    ".vault.azure.net",
    ".core.windows.net",
    ".azure-automation.net",
];

/// Whether a name server may say of a name that there is none because nobody has it.
fn may_not_exist(one: &Dns) -> bool {
    let name = one.name.to_lowercase();
    let is_anybodys = ANYBODYS.iter().any(|suffix| name.ends_with(suffix));
    is_anybodys && one.error.to_uppercase().contains("NXDOMAIN")
}

/// Whether a host is one of the platform's, or of those that it needs.
pub(super) fn is_of_platform(host: &str) -> bool {
    let host = host.split(':').next().unwrap_or_default().to_lowercase();
    PLATFORM.iter().any(|suffix| host.ends_with(suffix))
}

/// What somebody says who saw an answer, or where it came from.
const ANSWERS: [&str; 8] = [
    "syn-ack",
    "syn+ack",
    "syn/ack",
    "answer",
    "repl",
    "came back",
    "comes back",
    "source",
];
/// What somebody says who looked for another source, and found none.
const DENIALS: [&str; 4] = ["no snat", "without snat", "not snat", "no source nat"];

/// A port that answers go to.
const CLIENT_PORT: u16 = 50_000;

impl Walk<'_> {
    pub(super) fn do_answers_come_back(&mut self) {
        let asked = "Do answers of servers take the way back that requests came?";
        let is_meant = |symptom: Symptom| {
            matches!(
                symptom,
                Symptom::NotConnected
                    | Symptom::TimedOut
                    | Symptom::Silent
                    | Symptom::Unretrievable
            )
        };
        let targets = self.site.targets.iter();
        let failing: Vec<String> = targets
            .filter(|target| {
                let is_failing = target.row.state != State::Healthy && is_meant(target.symptom);
                is_failing || self.foresees
            })
            .map(|target| target.row.address.clone())
            .collect();
        let count = failing.len();
        // Where the source address is changed, the answers cannot go another way.
        let is_told = self
            .candidates
            .iter()
            .any(|one| one.finding.cause == Cause::ReturnPathSnat);
        let failing = failing.iter().filter(|_| !is_told);
        let targets = self.site.targets.iter();
        let mut well = targets.filter(|one| one.row.state == State::Healthy);
        // What is foreseen of the configuration is of one moment.
        let is_refuted = !self.foresees
            && well
                .by_ref()
                .take(WELL_MAX)
                .any(|one| self.asymmetry(&one.row.address).is_some());
        let mut failing = failing.into_iter().filter(|_| !is_refuted);
        let found = failing.find_map(|address| self.asymmetry(address));
        match found {
            Some(found) => {
                self.step(
                    asked,
                    found.title.clone(),
                    "connections are cut or never made",
                );
                self.find(Weight::Servers, count, found);
            }
            None => self.step(asked, "no route that is known says otherwise", "they do"),
        }
    }

    /// Routes that lead one direction over an appliance, and the other not.
    pub(super) fn asymmetry(&self, member: &str) -> Option<Finding> {
        let (policy, subnet) = self.evidence.policy()?;
        let address = self.addresses_of(member).into_iter().next()?;
        let back_from = policy.subnet_of(policy.subnet(subnet).network, address)?;
        let own = policy.subnet(subnet).prefixes.first()?.first();
        let forth = policy.evaluate(&Flow::tcp(subnet, address, 443)).route?;
        let back = policy
            .evaluate(&Flow::tcp(back_from, own, CLIENT_PORT))
            .route?;
        let is_appliance = |hop: &NextHop| matches!(hop, NextHop::VirtualAppliance(_));
        let (ways, odd) = match (
            is_appliance(&forth.route.next_hop),
            is_appliance(&back.route.next_hop),
        ) {
            (true, false) => ("Requests", forth),
            (false, true) => ("Answers", back),
            _ => return None,
        };
        let table = odd.user_table()?;
        let place = self.route_place(&table.name, &odd.route.name);
        let title = format!(
            "{ways} of {member} go over an appliance by the route {} ({}) of {}, and the other way \
             they do not.",
            odd.route.name, odd.route.prefix, table.name
        );
        // The other direction, from where it begins to where it ends.
        let (from, to) = match ways {
            "Requests" => (back_from, subnet),
            _ => (subnet, back_from),
        };
        let other = policy.subnet(from);
        let routes = policy
            .subnet(to)
            .prefixes
            .iter()
            .filter(|one| one.is_ipv4());
        let routes = routes.map(|prefix| {
            let name = format!("to-{}", policy.subnet(to).name);
            (name, *prefix, odd.route.next_hop.clone())
        });
        let summary = format!(
            "Send both directions over the appliance: give the subnet {} the route that the other \
             direction has.",
            other.name
        );
        let both = self.with_routes_at(
            fix(Owner::Network, summary),
            &other.resource_id,
            policy.table_of(other),
            &routes.collect::<Vec<_>>(),
        );
        Some(
            finding(Cause::AsymmetricRouting, Confidence::Likely, title)
                .because([self.because(&place, "leads one direction over the appliance")])
                .fixed_by(both.verified_by(self.commands.verify_health()))
                .fixed_by(
                    self.past_appliance(&odd, from, to)
                        .weakening()
                        .risking("What the appliance inspected goes past it.")
                        .verified_by(self.commands.verify_health()),
                ),
        )
    }

    /// Leads the direction that goes over an appliance past it. A route for more than the other end
    /// stays as it is: one for that end alone goes before it.
    fn past_appliance(
        &self,
        odd: &EffectiveRoute<'_>,
        end: SubnetIndex,
        begin: SubnetIndex,
    ) -> Fix {
        let route = &odd.route;
        let table = odd.user_table().map_or("", |table| table.name.as_str());
        let take_away = || {
            let summary = format!(
                "Or send both directions past it: take the route {} ({}) of {table} away.",
                route.name, route.prefix
            );
            fix(Owner::Network, summary).edit(self.remove_route(table, &route.name))
        };
        let Some((policy, _)) = self.evidence.policy() else {
            return take_away();
        };
        let (end, begin) = (policy.subnet(end), policy.subnet(begin));
        let prefixes = end.prefixes.iter().filter(|one| one.is_ipv4());
        let is_wider = prefixes
            .clone()
            .all(|one| route.prefix.length() < one.length());
        if end.network != begin.network || !is_wider {
            return take_away();
        }
        let routes = prefixes.map(|one| (format!("to-{}", end.name), *one, NextHop::VnetLocal));
        let routes: Vec<_> = routes.collect();
        let summary = format!(
            "Or send both directions past it: give {table} a route of its own for {}; {} ({}) \
             stays for all else.",
            end.name, route.name, route.prefix
        );
        let mend = fix(Owner::Network, summary);
        self.with_routes_at(mend, &begin.resource_id, policy.table_of(begin), &routes)
    }

    /// Somebody saw that packets arrive with another source address, and that answers to that do
    /// not come back.
    pub(super) fn source_changed(&self, index: usize) -> Option<Finding> {
        const WORDS: [&str; 5] = [
            "snat",
            "source nat",
            "masquerad",
            "with source",
            "source address changed",
        ];
        let target = self.site.targets.get(index)?;
        let (host, port) = (&target.row.address, target.probed_port());
        let mut tcp = self.connections_to([host]).into_iter();
        let seen = tcp.find(|one| {
            let is_own = one.port == port;
            let is_changed = WORDS.iter().any(|word| one.said.contains(word))
                && !DENIALS.iter().any(|word| one.said.contains(word));
            is_own && is_changed && one.result != TcpResult::Open
        })?;
        let title = format!(
            "Packets to {} arrive with another source address than the gateway's, and the answers \
             do not come back: {}.",
            target.endpoint(),
            seen.from
        );
        let prefixes = self.own_prefixes().join(" ");
        let mend = fix(
            Owner::Network,
            format!(
                "Have the appliance leave the source address of {prefixes} as it is on the way to \
                 the servers, or send the answers back through it."
            ),
        )
        .run(format!(
            "sudo tcpdump -ni any port {}",
            port.unwrap_or_default()
        ));
        Some(
            finding(Cause::ReturnPathSnat, Confidence::Likely, title)
                .because([
                    self.because(&target.row.place, "its probe gets no connection"),
                    self.because(&seen.place, "what arrives has another source"),
                ])
                .fixed_by(mend.verified_by(self.commands.verify_health())),
        )
    }

    /// Pods on Windows nodes that answer inside the cluster, where the gateway reaches none of them
    /// and those on other nodes well: such nodes give what pods send to other networks their own
    /// address.
    pub(super) fn translated_by_nodes(&self, index: usize) -> Option<Finding> {
        if let Some(found) = self.answered_by_its_node(index) {
            return Some(found);
        }
        let target = self.site.targets.get(index)?;
        let address: IpAddr = target.row.address.parse().ok()?;
        if let Some(found) = self.answered_inside_alone(index, address) {
            return Some(found);
        }
        let node = self.node_of(address).filter(|node| node.is_windows)?;
        let mut tcp = self.connections_to([&target.row.address]).into_iter();
        let open = tcp.find(|one| {
            one.port == target.probed_port()
                && one.result == TcpResult::Open
                && !self.is_from_gateway(&one.from)
        })?;
        let is_healthy_on = |is_windows: bool| {
            let mut healthy = self.site.targets.iter();
            healthy.any(|other| {
                let address = other.row.address.parse().ok();
                let address = address.filter(|_| other.row.state == State::Healthy);
                let node = address.and_then(|address| self.node_of(address));
                node.is_some_and(|node| node.is_windows == is_windows)
            })
        };
        if is_healthy_on(true) || !is_healthy_on(false) {
            return None;
        }
        let title = format!(
            "{address} is a pod on the Windows node {}, which answers inside the cluster and not \
             the gateway, as none on Windows nodes does: these give what pods send to another \
             network the node's address.",
            node.name
        );
        Some(
            finding(Cause::ReturnPathSnat, Confidence::Likely, title)
                .because(self.reported(index))
                .because([
                    self.because(&open.place, "from elsewhere, the pod takes connections"),
                    self.because(&node.place, "the node of the pod has Windows"),
                ])
                .fixed_by(self.without_outbound_nat()),
        )
    }

    /// A pod of a cluster with Windows nodes, of which no file says on which node it is: a node
    /// gets its answer and the gateway none, while others are well.
    fn answered_inside_alone(&self, index: usize, address: IpAddr) -> Option<Finding> {
        let target = self.site.targets.get(index)?;
        let nodes: Vec<_> = self.evidence.nodes.iter().flatten().collect();
        let is_node = |text: &str| {
            nodes
                .iter()
                .any(|node| node.addresses.iter().any(|own| own == text))
        };
        let is_mixed =
            nodes.iter().any(|node| node.is_windows) && nodes.iter().any(|node| !node.is_windows);
        if !is_mixed || self.node_of(address).is_some() || is_node(&target.row.address) {
            return None;
        }
        let port = target.probed_port();
        let tcp = self.connections_to([&target.row.address]);
        let own = || tcp.iter().filter(|one| one.port == port);
        let open = own().find(|one| one.result == TcpResult::Open && is_node(one.from.trim()))?;
        let shut = own()
            .find(|one| one.result == TcpResult::TimedOut && self.is_from_gateway(&one.from))?;
        let mut others = self.site.targets.iter();
        others.find(|other| {
            other.row.state == State::Healthy && other.row.address.parse::<IpAddr>().is_ok()
        })?;
        let windows = nodes.iter().find(|node| node.is_windows)?;
        let title = format!(
            "{address} answers the cluster's nodes and not the gateway, which others answer: pods \
             on Windows nodes, as {} is one, give what they send to another network the node's \
             address.",
            windows.name
        );
        Some(
            finding(Cause::ReturnPathSnat, Confidence::Likely, title)
                .because(self.reported(index))
                .because([
                    self.because(&shut.place, "the gateway gets no answer"),
                    self.because(&open.place, "a node of the cluster does"),
                    self.because(&windows.place, "a node that has Windows"),
                ])
                .fixed_by(self.without_outbound_nat()),
        )
    }

    /// Somebody saw that the answers of a pod come from its node.
    fn answered_by_its_node(&self, index: usize) -> Option<Finding> {
        let target = self.site.targets.get(index)?;
        let address: IpAddr = target.row.address.parse().ok()?;
        let node = self.node_of(address)?;
        let mut tcp = self.connections_to([&target.row.address]).into_iter();
        let seen = tcp.find(|one| {
            let names_node = node.addresses.iter().any(|own| names_host(&one.said, own));
            let is_answer = ANSWERS.iter().any(|word| one.said.contains(word));
            let is_own = one.port == target.probed_port();
            is_own && one.result == TcpResult::TimedOut && names_node && is_answer
        })?;
        let title = format!(
            "The answers of the pod {address} come from its node {} ({}): the gateway waits for \
             such from {address}.",
            node.name,
            node.addresses.join(", ")
        );
        let mend = match node.is_windows {
            true => self.without_outbound_nat(),
            false => self.without_masquerading(),
        };
        Some(
            finding(Cause::ReturnPathSnat, Confidence::Certain, title)
                .because(self.reported(index))
                .because([
                    self.because(&seen.place, "what came back had the node's address"),
                    self.because(&node.place, "the node of the pod"),
                ])
                .fixed_by(mend),
        )
    }

    fn without_masquerading(&self) -> Fix {
        let own = self.own_prefixes().join(", ");
        let summary = format!(
            "Have the nodes leave the address of pods as it is towards {own}: add it to \
             nonMasqueradeCIDRs."
        );
        fix(Owner::Network, summary)
            .run(
                "kubectl get configmap -n kube-system azure-ip-masq-agent-config -o \
                 jsonpath='{.data}'",
            )
            .run(format!(
                "kubectl edit configmap -n kube-system azure-ip-masq-agent-config   # \
                 nonMasqueradeCIDRs: and {own}"
            ))
            .verified_by(self.commands.verify_health())
    }

    fn without_outbound_nat(&self) -> Fix {
        let tags = self.evidence.gateway.tags.iter().flatten();
        let mut clusters = tags.filter(|(name, _)| name.starts_with("ingress-for-aks-cluster-id"));
        let cluster = clusters.find_map(|(_, id)| ResourceId::parse(id).ok());
        let group = cluster.as_ref().and_then(|id| id.resource_group());
        let name = cluster.as_ref().and_then(|id| id.name());
        let summary = format!(
            "Have the Windows nodes leave the address of pods as it is towards {}: by a node pool \
             without outbound NAT, or by a gateway in the cluster's own network. Until then, with \
             that in the ExceptionList of OutBoundNAT in each node's 10-azure.conflist, which new \
             nodes do not have.",
            self.network_prefixes().join(", ")
        );
        fix(Owner::Network, summary)
            .run(format!(
                "az aks nodepool add -g {} --cluster-name {} -n win2 --os-type Windows \
                 --disable-windows-outbound-nat",
                word(group.unwrap_or(self.commands.group())),
                word(name.unwrap_or("CLUSTER"))
            ))
            .risking(
                "The cluster's way out must be a NAT gateway or a route: pods of that pool have no \
                 other.",
            )
            .verified_by(self.commands.verify_health())
    }

    pub(super) fn does_the_gateway_itself_get_out(&mut self) {
        let asked = "May the gateway send what it must to the platform?";
        let found = self
            .denied_egress()
            .or_else(|| self.blocked_egress())
            .or_else(|| self.unknown_to_own_servers());
        match found {
            Some(found) => {
                self.step(
                    asked,
                    found.title.clone(),
                    "health, logs and certificates suffer",
                );
                self.find(Weight::Beside, 0, found);
            }
            None => self.step(asked, "no rule that is known denies it", "it may"),
        }
    }

    /// Connections of the gateway's subnet to the platform that fail.
    fn blocked_egress(&self) -> Option<Finding> {
        let is_member = |host: &str| {
            let mut targets = self.site.targets.iter();
            targets.any(|target| target.row.address == host)
        };
        let observations = &self.evidence.observations;
        let tcp = observations
            .tcp
            .iter()
            .filter(|one| self.is_from_gateway(&one.from) && one.result != TcpResult::Open);
        let http = observations
            .http
            .iter()
            .filter(|one| self.is_from_gateway(&one.from))
            .filter(|one| one.status.is_none() || is_of_firewall(one));
        let tcp = tcp.map(|one| (one.host.clone(), &one.place));
        let http = http.filter_map(|one| {
            let host = one.request.split('/').nth(2)?;
            Some((host.to_owned(), &one.place))
        });
        let blocked = tcp.chain(http);
        let blocked = blocked.filter(|(host, _)| is_of_platform(host) && !is_member(host));
        let blocked: Vec<_> = blocked.collect();
        let (_, first) = blocked.first()?;
        let names: Vec<String> = blocked.iter().map(|(host, _)| host.clone()).collect();
        let title = format!(
            "Something keeps the gateway from the platform: its subnet does not reach {}.",
            listed(&names)
        );
        let fix = fix(
            Owner::Network,
            format!(
                "Let the gateway's subnet reach {} at the firewall.",
                names.join(", ")
            ),
        );
        let allow = format!(
            "az network firewall application-rule create -g {} --firewall-name FIREWALL \
             --collection-name appgw -n platform --priority 200 --action Allow --protocols Http=80 \
             Https=443 --source-addresses {} --target-fqdns {}",
            word(self.commands.group()),
            self.own_prefixes().join(" "),
            names
                .iter()
                .map(|name| word(name))
                .collect::<Vec<_>>()
                .join(" ")
        );
        Some(
            finding(Cause::PlatformEgressBlocked, Confidence::Likely, title)
                .because([self.because(first, "a connection from the gateway's subnet")])
                .fixed_by(fix.run(allow).verified_by(self.commands.verify_health())),
        )
    }

    /// Names of the platform that the network's own name servers do not know, where health is
    /// unknown: the gateway asks these servers.
    fn unknown_to_own_servers(&self) -> Option<Finding> {
        let mut targets = self.site.targets.iter();
        let unknown = targets.find(|target| target.row.state == State::Unknown)?;
        let servers = self.name_servers();
        // What a pool has is needed by its requests, and by nothing else.
        let is_member = |name: &str| {
            let mut targets = self.site.targets.iter();
            targets.any(|target| target.row.address.eq_ignore_ascii_case(name))
        };
        let dns = self.evidence.observations.dns.iter();
        let unknown_names: Vec<_> = dns
            .filter(|one| {
                let is_own = servers.iter().any(|own| names_host(&one.server, own));
                let is_platform = is_of_platform(&one.name) && !is_member(&one.name);
                is_own && one.answers.is_empty() && is_platform && !may_not_exist(one)
            })
            .collect();
        let first = unknown_names.first()?;
        let names: Vec<String> = unknown_names.iter().map(|one| one.name.clone()).collect();
        let servers = servers.join(", ");
        let title = format!(
            "The name servers of the gateway's network ({servers}) do not know {}, which the \
             gateway needs of the platform.",
            listed(&names)
        );
        let summary = format!(
            "Have {servers} forward what they do not know to the platform's resolver, \
             168.63.129.16; then start the gateway anew, which keeps what it was told at its start."
        );
        Some(
            finding(Cause::PlatformEgressBlocked, Confidence::Likely, title)
                .because([
                    self.because(&unknown.row.place, "its health is Unknown"),
                    self.because(&first.place, "the name server's answer"),
                ])
                .fixed_by(
                    fix(Owner::Dns, summary)
                        .run(self.commands.gateway("stop"))
                        .run(self.commands.gateway("start"))
                        .risking("No request is answered in between.")
                        .verified_by(self.commands.verify_health()),
                ),
        )
    }

    pub(super) fn denied_egress(&self) -> Option<Finding> {
        let (policy, subnet) = self.evidence.policy()?;
        if self.is_isolated() || self.evidence.gateway.is_v1() {
            return None;
        }
        let flow = Flow::tcp(subnet, SOMEWHERE, 443);
        let gate = policy.subnet_gate(subnet, &flow, Direction::Outbound);
        let decision = gate.decision().filter(|decision| decision.is_denied())?;
        let (group, rule) = (&decision.group.name, &decision.rule.name);
        let unknown = self
            .site
            .targets
            .iter()
            .any(|target| target.row.state == State::Unknown);
        let confidence = match unknown && decision.is_certain() {
            true => Confidence::Certain,
            false => Confidence::Likely,
        };
        let title = format!(
            "The rule {rule} (priority {}, outbound) of {group} denies the Internet to the \
             gateway, \
             which it must reach.",
            decision.rule.priority
        );
        let place = self.rule_place(group, rule);
        Some(
            finding(Cause::GatewaySubnetOutboundNsg, confidence, title)
                .because([self.because(&place, "denies what the gateway sends")])
                .fixed_by(
                    fix(Owner::Network, format!("Take the rule {rule} away."))
                        .edit(self.remove_rule((group, &decision.group.resource_id), rule))
                        .weakening()
                        .risking("The gateway reaches the Internet then.")
                        .verified_by(self.commands.verify_health()),
                ),
        )
    }
}

/// Whether a firewall on the way answered a request: that of the platform says so with a status of
/// its own.
fn is_of_firewall(one: &Http) -> bool {
    const DENIED: u16 = 470;
    one.status == Some(DENIED) || one.error.contains("action: deny")
}
