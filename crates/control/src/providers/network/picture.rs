//! The network as it is stored: what it does with a flow, and who has which address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use gatewright_arm::{ArmError, ResourceId, read_network};
use gatewright_compile::compile_network;
use gatewright_snapshot::network::{Decision, Direction, Flow, NetworkPolicy, NextHop, Verdict};
use gatewright_snapshot::{SecurityGroupIndex, SubnetIndex};
use serde_json::{Value, json};

use super::interfaces::{INTERFACES, address_of};
use super::route_tables::TABLES;
use super::security_groups::GROUPS;
use super::virtual_networks::{NETWORKS, id_of, items, reference_of};
use crate::core::Core;
use crate::providers::compute::MACHINES;

/// Everything that decides about a flow.
pub(super) struct Picture {
    pub(super) policy: NetworkPolicy,
    /// By the id of the subnet, in lower case, and the address.
    tenants: HashMap<(String, IpAddr), Tenant>,
}

/// Who has an address in a subnet.
#[derive(Clone, Debug)]
pub(super) struct Tenant {
    /// The virtual machine; the IP configuration where there is none.
    pub(super) owner: ResourceId,
    pub(super) interface: ResourceId,
    group: Option<SecurityGroupIndex>,
}

/// Where a flow begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origin {
    pub(super) subnet: SubnetIndex,
    /// That of the network interface.
    pub(super) group: Option<SecurityGroupIndex>,
}

/// What becomes of a flow.
pub(super) struct Way<'p> {
    pub(super) origin: Origin,
    pub(super) verdict: Verdict<'p>,
    /// What the groups at its beginning say: the interface's, the subnet's.
    pub(super) outbound: Vec<Decision<'p>>,
    /// What those at its end say: the subnet's, the interface's.
    pub(super) inbound: Vec<Decision<'p>>,
    /// The subnet at its end, where that is in a known network.
    pub(super) end: Option<SubnetIndex>,
}

impl Way<'_> {
    pub(super) fn is_open(&self) -> bool {
        let mut decisions = self.outbound.iter().chain(&self.inbound);
        !self.is_dropped() && !decisions.any(Decision::is_denied)
    }

    /// Whether its route leads nowhere.
    pub(super) fn is_dropped(&self) -> bool {
        let route = self.verdict.route;
        route.is_some_and(|route| route.route.next_hop == NextHop::None)
    }
}

impl Picture {
    /// Where a subnet is in the policy.
    ///
    /// # Errors
    /// When it is in none of its networks.
    pub(super) fn subnet(&self, id: &ResourceId) -> Result<SubnetIndex, ArmError> {
        let id = id.to_string();
        let mut subnets = self.policy.subnets().iter();
        let found = subnets.position(|subnet| subnet.resource_id.eq_ignore_ascii_case(&id));
        found
            .map(SubnetIndex::new)
            .ok_or_else(|| unknown("its subnet cannot be read"))
    }

    /// Where a security group is in the policy.
    pub(super) fn group(&self, id: &ResourceId) -> Option<SecurityGroupIndex> {
        group_in(&self.policy, id)
    }

    /// Follows a flow to its end.
    pub(super) fn way(&self, origin: Origin, flow: &Flow) -> Way<'_> {
        let policy = &self.policy;
        let verdict = policy.evaluate(flow);
        let network = policy.subnet(origin.subnet).network;
        let end = policy.subnet_of(network, flow.destination);
        let tenant = end.and_then(|end| self.tenant(end, flow.destination));
        let at_interface = |at: Option<SubnetIndex>, group, direction| {
            let gate = policy.interface_gate(at?, group?, flow, direction);
            gate.decision().copied()
        };
        let own = at_interface(Some(origin.subnet), origin.group, Direction::Outbound);
        let group = tenant.and_then(|tenant| tenant.group);
        let other = at_interface(end, group, Direction::Inbound);
        Way {
            origin,
            outbound: own
                .into_iter()
                .chain(verdict.outbound.decision().copied())
                .collect(),
            inbound: verdict
                .inbound
                .decision()
                .copied()
                .into_iter()
                .chain(other)
                .collect(),
            verdict,
            end,
        }
    }

    pub(super) fn tenant(&self, subnet: SubnetIndex, address: IpAddr) -> Option<&Tenant> {
        let id = self.policy.subnet(subnet).resource_id.to_ascii_lowercase();
        self.tenants.get(&(id, address))
    }
}

fn group_in(policy: &NetworkPolicy, id: &ResourceId) -> Option<SecurityGroupIndex> {
    let id = id.to_string();
    let mut groups = policy.groups().iter();
    let found = groups.position(|group| group.resource_id.eq_ignore_ascii_case(&id));
    found.map(SecurityGroupIndex::new)
}

impl Core {
    /// Reads all that is stored of networks; costs time linear in that.
    pub(super) async fn picture(&self) -> Result<Picture, ArmError> {
        let networks = self.bodies_of(&[NETWORKS, GROUPS, TABLES]).await?;
        let policy = compile(networks.iter().map(|body| &**body))?;
        let mut tenants = HashMap::new();
        for interface in self.bodies_of(&[INTERFACES]).await? {
            self.add_tenants(&interface, &policy, &mut tenants);
        }
        Ok(Picture { policy, tenants })
    }

    async fn bodies_of(&self, kinds: &[&str]) -> Result<Vec<Arc<Value>>, ArmError> {
        let mut bodies = Vec::new();
        for known in kinds.iter().flat_map(|kind| self.inventory.of_type(kind)) {
            let document = self.document(&known.id).await?;
            bodies.extend(document.map(|document| document.body));
        }
        Ok(bodies)
    }

    fn add_tenants(
        &self,
        interface: &Value,
        policy: &NetworkPolicy,
        tenants: &mut HashMap<(String, IpAddr), Tenant>,
    ) {
        let Ok(id) = ResourceId::parse(id_of(interface)) else {
            return;
        };
        let machine = self.inventory.users_of_type(&id.to_string(), MACHINES);
        let machine = machine.first().and_then(|id| ResourceId::parse(id).ok());
        let group = reference_of(interface, "networkSecurityGroup");
        let group = group.and_then(|id| group_in(policy, &id));
        for configuration in items(interface, "ipConfigurations") {
            let subnet = reference_of(configuration, "subnet");
            let own = ResourceId::parse(id_of(configuration));
            let address = address_of(configuration).parse();
            if let (Some(subnet), Ok(own), Ok(address)) = (subnet, own, address) {
                let place = (subnet.to_string().to_ascii_lowercase(), address);
                let tenant = Tenant {
                    owner: machine.clone().unwrap_or(own),
                    interface: id.clone(),
                    group,
                };
                tenants.insert(place, tenant);
            }
        }
    }
}

/// The policy of stored networks, security groups and route tables.
///
/// # Errors
/// When one of them cannot be read, though it was stored.
pub(super) fn compile<'a>(
    bodies: impl IntoIterator<Item = &'a Value>,
) -> Result<NetworkPolicy, ArmError> {
    let mut documents = Vec::new();
    for body in bodies {
        let report = read_network(body).map_err(|error| unknown(&error.to_string()))?;
        documents.push(report.resources);
    }
    let compiled = compile_network(&documents, &[]);
    let compiled = compiled
        .map_err(|_| unknown("a network, security group or route table of it cannot be read"))?;
    Ok(compiled.policy)
}

pub(super) fn unknown(why: &str) -> ArmError {
    let message = format!("What holds in the network is not known: {why}.");
    ArmError::new("InternalServerError", message)
}

/// Whether this IP configuration is the primary one of its interface.
pub(super) fn is_primary(configuration: &Value) -> bool {
    configuration.pointer("/properties/primary") == Some(&json!(true))
}
