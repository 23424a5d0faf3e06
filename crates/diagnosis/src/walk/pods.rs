//! Pods of clusters whose nodes have networks of their own (kubenet): nothing but a route for each
//! node leads to them.

use std::net::IpAddr;

use gatewright_arm::ResourceId;
use gatewright_snapshot::network::{EffectiveRoute, Flow, NextHop, Prefix};

use super::measured::SOME_SERVICE;
use super::{Walk, finding};
use crate::cause::{Cause, Owner};
use crate::evidence::{KubernetesNode, ROUTE_TABLES};
use crate::finding::{Confidence, Finding, Fix};
use crate::remedy::{fix, word};

impl Walk<'_> {
    /// A pod that the gateway's subnet has no route to, or one to another node than the pod's.
    pub(super) fn pod_without_a_way(&mut self, index: usize) -> Option<Finding> {
        let target = self.site.targets.get(index)?;
        let address: IpAddr = target.row.address.parse().ok()?;
        let port = target.probed_port()?;
        let node = self.node_of(address)?.clone();
        if !node.pods.iter().any(|prefix| prefix.contains(address)) {
            return None;
        }
        if node.is_overlaid {
            return Some(self.overlaid(index, address, &node));
        }
        let Some((policy, subnet)) = self.evidence.policy() else {
            let why = format!(
                "{address} is a pod of {}: only a route table of the gateway's subnet leads there",
                node.name
            );
            let command = self.show_subnet();
            self.need("subnet.json", &why, command);
            return None;
        };
        // With Azure's own plug-in, pods have addresses of the network.
        let network = policy.subnet(subnet).network;
        if policy.subnet_of(network, address).is_some() {
            return None;
        }
        let route = policy.evaluate(&Flow::tcp(subnet, address, port)).route?;
        if route.missing_table.is_some() {
            let command = format!(
                "az network route-table list -g {} -o json > {ROUTE_TABLES}",
                word(self.commands.group())
            );
            let why = format!("whether it leads to the pods of {} decides", node.name);
            self.need(ROUTE_TABLES, &why, command);
            return None;
        }
        let found = match (&route.route.next_hop, route.user_table()) {
            (NextHop::VirtualAppliance(hops), Some(_)) => {
                self.led_to_another_node(index, &node, &route, hops)?
            }
            (NextHop::None, Some(_)) => return None,
            _ => self.unrouted(index, address, &node, &route)?,
        };
        let place = self.because(&node.place, "the node, and the addresses of its pods");
        Some(found.because([place]))
    }

    /// No route leads into an overlay: the nodes give only what its own pods send its way.
    fn overlaid(&self, index: usize, address: IpAddr, node: &KubernetesNode) -> Finding {
        let title = format!(
            "{address} is a pod in the overlay network of {}'s cluster, which nothing outside of \
             it reaches.",
            node.name
        );
        let service = match self.service_of(&address.to_string()) {
            unknown if unknown == SOME_SERVICE => self.service_in_commands(index),
            known => known,
        };
        let summary = "Have an internal load balancer, with an address in the network, stand for \
                       the pods, and give the pool that; or use a controller and a cluster that \
                       lead the gateway into the overlay.";
        let expose = fix(Owner::Controller, summary)
            .run(format!(
                "kubectl annotate service {service} \
                 service.beta.kubernetes.io/azure-load-balancer-internal=true --overwrite"
            ))
            .run(format!(
                "kubectl patch service {service} -p '{{\"spec\":{{\"type\":\"LoadBalancer\"}}}}'"
            ))
            .run(format!(
                "kubectl get service {service}   # its EXTERNAL-IP is for the pool"
            ));
        finding(Cause::UnroutableAddress, Confidence::Likely, title)
            .because(self.reported(index))
            .because([self.because(&node.place, "the node's pods have addresses of the overlay")])
            .fixed_by(expose.verified_by(self.commands.verify_health()))
    }

    /// The service of a server's pool, as commands name it.
    fn service_in_commands(&self, index: usize) -> String {
        let target = self.site.targets.get(index);
        let service = target.and_then(|target| self.service_of_pool(&target.row.pool));
        service.map_or_else(
            || SOME_SERVICE.to_owned(),
            |own| format!("{} -n {}", word(&own.name), word(&own.namespace)),
        )
    }

    /// A route for just this node's pods that leads to another machine. One for more may lead over
    /// an appliance that knows the way.
    fn led_to_another_node(
        &self,
        index: usize,
        node: &KubernetesNode,
        effective: &EffectiveRoute<'_>,
        hops: &[IpAddr],
    ) -> Option<Finding> {
        let target = self.site.targets.get(index)?;
        let (route, table) = (effective.route, effective.user_table()?);
        let is_own = |hop: &IpAddr| node.addresses.contains(&hop.to_string());
        if hops.iter().any(is_own) || !node.pods.contains(&route.prefix) {
            return None;
        }
        let to = node.addresses.first()?;
        let hops: Vec<String> = hops.iter().map(IpAddr::to_string).collect();
        let title = format!(
            "The route {} ({}) of {} leads {} to {}; it is a pod of {}, which has {}.",
            route.name,
            route.prefix,
            table.name,
            target.row.address,
            hops.join(", "),
            node.name,
            node.addresses.join(", ")
        );
        let place = self.route_place(&table.name, &route.name);
        let summary = format!("Have the route lead to {}.", node.name);
        let mend = fix(Owner::Network, summary)
            .edit(self.lead(&table.name, &route.name, Some(to)))
            .verified_by(self.commands.verify_health());
        Some(
            finding(Cause::MissingRoute, Confidence::Certain, title)
                .because(self.reported(index))
                .because([self.because(&place, "its next hop is not the node")])
                .fixed_by(mend),
        )
    }

    /// The node that has a pod: by the addresses of its pods, or by the pods of services.
    pub(super) fn node_of(&self, address: IpAddr) -> Option<&KubernetesNode> {
        let text = address.to_string();
        let mut services = self.evidence.endpoints.iter().flatten();
        let mut nodes = self.evidence.nodes.iter().flatten();
        let by_address = nodes.find(|node| node.pods.iter().any(|own| own.contains(address)));
        by_address.or_else(|| {
            let name = services.find_map(|one| one.nodes.get(&text))?;
            let mut nodes = self.evidence.nodes.iter().flatten();
            nodes.find(|node| node.name == *name)
        })
    }

    fn unrouted(
        &self,
        index: usize,
        address: IpAddr,
        node: &KubernetesNode,
        route: &EffectiveRoute<'_>,
    ) -> Option<Finding> {
        // The cluster's table, where some file has it and it may be the gateway's too.
        let elsewhere = self.table_with_route_to(address);
        let may_be_shared = elsewhere.is_none_or(|(table, _)| self.may_have(table));
        let found = self.table_elsewhere(index).filter(|_| may_be_shared);
        if found.is_some() {
            return found;
        }
        let pods = node.pods.iter().find(|prefix| prefix.contains(address))?;
        let title = format!(
            "{address} is a pod of {}, and the gateway's subnet has no route to that node's pods \
             ({pods}).",
            node.name
        );
        let found =
            finding(Cause::MissingRoute, Confidence::Certain, title).because(self.reported(index));
        let shared = self.table_of_cluster(node);
        let found = match shared.filter(|_| route.table.is_none() && may_be_shared) {
            Some(mend) => found.fixed_by(mend),
            None => found,
        };
        let routes = self
            .routes_to_nodes
            .get_or_init(|| self.make_routes_to_nodes());
        Some(found.fixed_by(routes.clone()))
    }

    /// The cluster keeps a route for each node in a table beside its nodes, in the group that their
    /// ids name.
    fn table_of_cluster(&self, node: &KubernetesNode) -> Option<Fix> {
        let id = node.provider_id.strip_prefix("azure://")?;
        let id = ResourceId::parse(id).ok()?;
        let command = format!(
            "az network vnet subnet update --ids {} --route-table \"$(az network route-table list \
             -g {} --query '[0].id' -o tsv)\"",
            word(&self.subnet_id()),
            word(id.resource_group()?)
        );
        let summary = "Give the gateway's subnet the route table of the cluster, which follows its \
                       nodes.";
        Some(
            fix(Owner::Network, summary)
                .run(command)
                .risking("All of its routes hold for the gateway then.")
                .verified_by(self.commands.verify_health()),
        )
    }

    /// A route for each node that none leads to.
    fn make_routes_to_nodes(&self) -> Fix {
        let nodes = self.evidence.nodes.iter().flatten();
        let routes: Vec<_> = nodes.filter_map(|node| self.missing_route(node)).collect();
        let summary = match routes.len() {
            1 => "Give the gateway's subnet a route for the node.",
            _ => "Give the gateway's subnet a route for each node that has none.",
        };
        self.with_routes(fix(Owner::Network, summary), &routes)
            .risking("New nodes need new routes.")
            .verified_by(self.commands.verify_health())
    }

    fn missing_route(&self, node: &KubernetesNode) -> Option<(String, Prefix, NextHop)> {
        let (policy, subnet) = self.evidence.policy()?;
        let host = node.addresses.iter().find_map(|one| one.parse().ok())?;
        let pods = node.pods.iter().find(|one| one.is_ipv4())?;
        // Which port it is changes nothing of the way.
        let route = policy.evaluate(&Flow::tcp(subnet, pods.first(), 80)).route;
        let is_led = route.is_some_and(|route| match &route.route.next_hop {
            NextHop::VirtualAppliance(hops) => route.user_table().is_some() && !hops.is_empty(),
            _ => false,
        });
        let hop = NextHop::VirtualAppliance(vec![host]);
        (!is_led).then(|| (node.name.clone(), *pods, hop))
    }
}
