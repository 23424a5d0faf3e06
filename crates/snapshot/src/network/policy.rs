//! The tables of a policy, and how they are built.

use std::collections::HashMap;
use std::net::IpAddr;

use super::prefix::Prefix;
use super::routes::{Route, RouteTable, SystemRoutes};
use super::rules::SecurityGroup;
use super::sets::AddressSet;
use super::tags::{HOST, Publicness, Tags};
use crate::index::{GatewayIndex, NetworkIndex, RouteTableIndex, SecurityGroupIndex, SubnetIndex};

/// What becomes of reserved addresses (10.0.0.0/8 and its like) that no known VNet, peer or route
/// has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Beyond {
    /// They are nowhere: the service drops traffic to them.
    #[default]
    Nothing,
    /// They may be on the premises behind a virtual network gateway, which learns their routes.
    OnPremises,
    /// They may be in the same VNet: its document is missing, only some subnets are known.
    SameNetwork,
}

/// A virtual network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VirtualNetwork {
    pub name: String,
    /// In the document's casing.
    pub resource_id: String,
    pub address_space: Vec<Prefix>,
    pub peers: Vec<Peer>,
    pub beyond: Beyond,
    /// `dhcpOptions.dnsServers`; empty where the platform's DNS answers.
    pub dns_servers: Vec<IpAddr>,
}

/// A VNet that is peered with another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Peer {
    /// Id of the other VNet.
    pub resource_id: String,
    pub address_space: Vec<Prefix>,
    /// `allowVirtualNetworkAccess`: whether the other is part of the tag `VirtualNetwork`. Routes
    /// lead there either way.
    pub in_tag: bool,
}

/// A reference of a subnet's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Attachment<T> {
    /// There is none.
    #[default]
    None,
    Known(T),
    /// It names a resource that no document has: its id.
    Missing(String),
}

/// A subnet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subnet {
    pub name: String,
    /// In the document's casing.
    pub resource_id: String,
    pub network: NetworkIndex,
    pub prefixes: Vec<Prefix>,
    pub security_group: Attachment<SecurityGroupIndex>,
    pub route_table: Attachment<RouteTableIndex>,
    /// Whether the platform manages gateways in it from within, whatever rules and routes say.
    pub isolates_gateways: bool,
}

/// What is derived of a VNet once.
#[derive(Clone, Debug, Default)]
struct Derived {
    /// Its space, its peers' as far as the tag has them, and the host's address.
    tag: AddressSet,
    routes: SystemRoutes,
    /// Its subnets' prefixes by first address.
    places: Vec<(Prefix, SubnetIndex)>,
    peers: Vec<NetworkIndex>,
}

/// VNets, subnets, security groups and route tables, as far as documents show them. Immutable; see
/// [`evaluate`](Self::evaluate).
#[derive(Clone, Debug, Default)]
pub struct NetworkPolicy {
    networks: Vec<VirtualNetwork>,
    subnets: Vec<Subnet>,
    groups: Vec<SecurityGroup>,
    tables: Vec<RouteTable>,
    /// By the gateway's position.
    gateways: Vec<Option<SubnetIndex>>,
    /// By the VNet's position.
    derived: Vec<Derived>,
    publicness: Publicness,
}

/// Collects what a [`NetworkPolicy`] is made of.
#[derive(Clone, Debug, Default)]
pub struct NetworkPolicyBuilder(NetworkPolicy);

impl NetworkPolicyBuilder {
    pub fn add_network(&mut self, network: VirtualNetwork) -> NetworkIndex {
        self.0.networks.push(network);
        NetworkIndex::new(self.0.networks.len() - 1)
    }

    pub fn add_group(&mut self, group: SecurityGroup) -> SecurityGroupIndex {
        self.0.groups.push(group);
        SecurityGroupIndex::new(self.0.groups.len() - 1)
    }

    pub fn add_table(&mut self, table: RouteTable) -> RouteTableIndex {
        self.0.tables.push(table);
        RouteTableIndex::new(self.0.tables.len() - 1)
    }

    /// A subnet of a VNet, with a group and a table, that were added before.
    pub fn add_subnet(&mut self, subnet: Subnet) -> SubnetIndex {
        self.0.subnets.push(subnet);
        SubnetIndex::new(self.0.subnets.len() - 1)
    }

    /// Says in which subnet a gateway is.
    pub fn place_gateway(&mut self, gateway: GatewayIndex, subnet: SubnetIndex) {
        let gateways = &mut self.0.gateways;
        let length = gateways.len().max(gateway.position() + 1);
        gateways.resize(length, None);
        if let Some(place) = gateways.get_mut(gateway.position()) {
            *place = Some(subnet);
        }
    }

    pub fn build(self) -> NetworkPolicy {
        let mut policy = self.0;
        let id_of = |network: &VirtualNetwork| network.resource_id.to_ascii_lowercase();
        let by_id: HashMap<String, NetworkIndex> = policy
            .networks
            .iter()
            .enumerate()
            .map(|(position, network)| (id_of(network), NetworkIndex::new(position)))
            .collect();
        policy.derived = policy
            .networks
            .iter()
            .map(|network| derive(network, &by_id))
            .collect();
        for (position, subnet) in policy.subnets.iter().enumerate() {
            if let Some(derived) = policy.derived.get_mut(subnet.network.position()) {
                let index = SubnetIndex::new(position);
                let places = subnet.prefixes.iter().map(|prefix| (*prefix, index));
                derived.places.extend(places);
            }
        }
        for derived in &mut policy.derived {
            derived.places.sort_by_key(|(prefix, _)| *prefix);
        }
        policy
    }
}

fn derive(network: &VirtualNetwork, by_id: &HashMap<String, NetworkIndex>) -> Derived {
    let in_tag = network.peers.iter().filter(|peer| peer.in_tag);
    let tag = network
        .address_space
        .iter()
        .chain(in_tag.flat_map(|peer| &peer.address_space))
        .copied()
        .chain([HOST]);
    let peer = |id: &str| by_id.get(&id.to_ascii_lowercase()).copied();
    Derived {
        tag: tag.collect(),
        routes: SystemRoutes::new(network),
        places: Vec::new(),
        peers: network
            .peers
            .iter()
            .filter_map(|one| peer(&one.resource_id))
            .collect(),
    }
}

impl Derived {
    /// The subnet that holds the address. Subnets of one VNet do not overlap; where a document's
    /// do, the one that begins last counts.
    fn subnet_at(&self, address: IpAddr) -> Option<SubnetIndex> {
        let after = self
            .places
            .partition_point(|(prefix, _)| prefix.first() <= address);
        let (prefix, index) = self.places.get(after.checked_sub(1)?)?;
        prefix.contains(address).then_some(*index)
    }
}

impl NetworkPolicy {
    pub fn networks(&self) -> &[VirtualNetwork] {
        &self.networks
    }

    pub fn subnets(&self) -> &[Subnet] {
        &self.subnets
    }

    pub fn groups(&self) -> &[SecurityGroup] {
        &self.groups
    }

    pub fn route_tables(&self) -> &[RouteTable] {
        &self.tables
    }

    pub fn network(&self, index: NetworkIndex) -> &VirtualNetwork {
        &self.networks[index.position()]
    }

    pub fn subnet(&self, index: SubnetIndex) -> &Subnet {
        &self.subnets[index.position()]
    }

    /// The subnet that a gateway is in; `None` where no document shows it, so that nothing is known
    /// of its network.
    pub fn gateway_subnet(&self, gateway: GatewayIndex) -> Option<SubnetIndex> {
        *self.gateways.get(gateway.position())?
    }

    /// The VNet that a gateway is in; `None` as above.
    pub fn network_of(&self, gateway: GatewayIndex) -> Option<&VirtualNetwork> {
        let subnet = self.gateway_subnet(gateway)?;
        Some(self.network(self.subnet(subnet).network))
    }

    /// The subnet that an address is in, as seen from a VNet: in that VNet, else in a peer, else
    /// in the only other known VNet that has the address (which an appliance may lead to).
    pub fn subnet_of(&self, from: NetworkIndex, address: IpAddr) -> Option<SubnetIndex> {
        let own = self.derived.get(from.position())?;
        let peers = own.peers.iter();
        let near = peers.filter_map(|peer| self.derived.get(peer.position()));
        let near = std::iter::once(own).chain(near);
        let found = near.filter_map(|one| one.subnet_at(address)).next();
        found.or_else(|| {
            let mut all = self.derived.iter().filter_map(|one| one.subnet_at(address));
            let only = all.next();
            only.filter(|_| all.next().is_none())
        })
    }

    /// The service's own routes for a subnet, the longest prefix first: those of its VNet, of
    /// peers, the default, and those that keep reserved ranges from the Internet.
    ///
    /// # Panics
    /// When `subnet` is not of this policy.
    pub fn service_routes(&self, subnet: SubnetIndex) -> impl Iterator<Item = &Route> {
        let subnet = self.subnet(subnet);
        self.system_routes(subnet).all(self.table_of(subnet))
    }

    pub(super) fn group_of(&self, subnet: &Subnet) -> Option<&SecurityGroup> {
        match &subnet.security_group {
            Attachment::Known(group) => self.groups.get(group.position()),
            Attachment::None | Attachment::Missing(_) => None,
        }
    }

    /// The route table of a subnet; `None` where it has none, or one that no document shows.
    pub fn table_of(&self, subnet: &Subnet) -> Option<&RouteTable> {
        match &subnet.route_table {
            Attachment::Known(table) => self.tables.get(table.position()),
            Attachment::None | Attachment::Missing(_) => None,
        }
    }

    pub(super) fn tags(&self, subnet: &Subnet) -> Tags<'_> {
        let table = self.table_of(subnet);
        Tags {
            publicness: &self.publicness,
            network: &self.derived[subnet.network.position()].tag,
            routed: table.map(RouteTable::prefixes),
            default_route: table.is_some_and(RouteTable::has_default),
            beyond: self.network(subnet.network).beyond,
        }
    }

    pub(super) fn system_routes(&self, subnet: &Subnet) -> &SystemRoutes {
        &self.derived[subnet.network.position()].routes
    }
}
