//! Routes: the user's and the service's, of which the longest prefix wins.
//!
//! Source: "Virtual network traffic routing" of the service's documentation.

use std::net::IpAddr;

use super::policy::{Beyond, VirtualNetwork};
use super::prefix::Prefix;
use super::sets::AddressSet;
use super::tags::RESERVED;

/// Where a route leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NextHop {
    /// Within the virtual network.
    VnetLocal,
    /// To a peered virtual network.
    VnetPeering,
    Internet,
    VirtualNetworkGateway,
    /// To the appliance at this address, or at one of several.
    VirtualAppliance(Vec<IpAddr>),
    /// Nowhere: traffic is dropped.
    None,
}

/// Who made a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RouteSource {
    /// A route table of the user's.
    User,
    /// The service, for the address space of the VNet.
    VirtualNetwork,
    /// The service, for the address space of a peered VNet.
    Peering,
    /// The service, for every VNet: 0.0.0.0/0, ::/0 and the reserved ranges.
    Default,
    /// Nobody's that a document shows: a gateway may have learned it, or it belongs to the part of
    /// the VNet that no document has. Taken for granted, since otherwise traffic would be dropped.
    Assumed,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Empty for routes of the service's.
    pub name: String,
    pub prefix: Prefix,
    pub next_hop: NextHop,
    pub source: RouteSource,
}

/// A route for a service tag, whose addresses are not known here: it is never looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaggedRoute {
    pub name: String,
    pub tag: String,
    pub next_hop: NextHop,
}

/// A route table of the user's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteTable {
    pub name: String,
    /// In the document's casing.
    pub resource_id: String,
    /// `disableBgpRoutePropagation`: routes that a gateway learned do not hold here.
    pub ignores_learned_routes: bool,
    /// The longest prefix first.
    routes: Vec<Route>,
    tagged: Vec<TaggedRoute>,
    prefixes: AddressSet,
    has_default_v4: bool,
}

impl RouteTable {
    /// A table of these routes, given in any order. Of two with one prefix the first counts.
    pub fn new(
        name: String,
        resource_id: String,
        ignores_learned_routes: bool,
        mut routes: Vec<Route>,
        tagged: Vec<TaggedRoute>,
    ) -> Self {
        sort(&mut routes);
        let prefixes = routes.iter().map(|route| route.prefix);
        Self {
            name,
            resource_id,
            ignores_learned_routes,
            prefixes: prefixes.filter(|prefix| !prefix.is_default()).collect(),
            has_default_v4: routes.iter().any(|route| route.prefix == Prefix::ALL_V4),
            routes,
            tagged,
        }
    }

    /// The longest prefix first.
    pub fn routes(&self) -> &[Route] {
        &self.routes
    }

    /// Routes that cannot be evaluated.
    pub fn tagged_routes(&self) -> &[TaggedRoute] {
        &self.tagged
    }

    pub(super) fn prefixes(&self) -> &AddressSet {
        &self.prefixes
    }

    pub(super) fn has_default(&self) -> bool {
        self.has_default_v4
    }
}

fn sort(routes: &mut [Route]) {
    routes.sort_by_key(|route| std::cmp::Reverse(route.prefix.length()));
}

/// The service's own routes in one VNet, the longest prefix first.
#[derive(Clone, Debug, Default)]
pub(super) struct SystemRoutes {
    /// Those of the VNet, its peers, and the default.
    lasting: Vec<Route>,
    /// Those of the reserved ranges, which a default route of the user's takes away.
    reserved: Vec<Route>,
    /// What stands in their place where a gateway may have learned better ones.
    assumed: Vec<Route>,
}

impl SystemRoutes {
    /// Of VNet and peers with one prefix, the VNet's counts.
    pub(super) fn new(network: &VirtualNetwork) -> Self {
        let own = network.address_space.iter();
        let own =
            own.map(|prefix| system(*prefix, NextHop::VnetLocal, RouteSource::VirtualNetwork));
        let peers = network.peers.iter().flat_map(|peer| &peer.address_space);
        let peers = peers.map(|prefix| system(*prefix, NextHop::VnetPeering, RouteSource::Peering));
        let defaults = [Prefix::ALL_V4, Prefix::ALL_V6];
        let defaults =
            defaults.map(|prefix| system(prefix, NextHop::Internet, RouteSource::Default));
        let mut lasting: Vec<Route> = own.chain(peers).chain(defaults).collect();
        sort(&mut lasting);
        // A space that includes a reserved range takes its route away.
        let is_free = |reserved: &Prefix| {
            !network
                .address_space
                .iter()
                .any(|prefix| prefix.includes(reserved))
        };
        let reserved = RESERVED.into_iter().filter(is_free);
        let assumed_hop = match network.beyond {
            Beyond::Nothing => None,
            Beyond::OnPremises => Some(NextHop::VirtualNetworkGateway),
            Beyond::SameNetwork => Some(NextHop::VnetLocal),
        };
        let assumed = reserved.clone().filter_map(|prefix| {
            let hop = assumed_hop.clone()?;
            Some(system(prefix, hop, RouteSource::Assumed))
        });
        let assumed = assumed.collect();
        let reserved = reserved.map(|prefix| system(prefix, NextHop::None, RouteSource::Default));
        Self {
            lasting,
            reserved: reserved.collect(),
            assumed,
        }
    }

    /// The route to `address` from a subnet with this route table.
    pub(super) fn find<'a>(
        &'a self,
        table: Option<&'a RouteTable>,
        beyond: Beyond,
        address: IpAddr,
    ) -> Option<&'a Route> {
        let user = table.and_then(|table| first(&table.routes, address));
        let user_default = table.is_some_and(RouteTable::has_default);
        let learns = !user_default && !table.is_some_and(|table| table.ignores_learned_routes);
        let others: &[Route] = match beyond {
            Beyond::SameNetwork => &self.assumed,
            Beyond::OnPremises if learns => &self.assumed,
            Beyond::OnPremises | Beyond::Nothing if user_default => &[],
            Beyond::OnPremises | Beyond::Nothing => &self.reserved,
        };
        let system = longer(first(&self.lasting, address), first(others, address));
        longer(user, system)
    }

    /// All of them, beside this table of the user's.
    pub(super) fn all(&self, table: Option<&RouteTable>) -> impl Iterator<Item = &Route> {
        let user_default = table.is_some_and(RouteTable::has_default);
        let reserved = self.reserved.iter().filter(move |_| !user_default);
        self.lasting.iter().chain(reserved)
    }

    /// The service's default route.
    pub(super) fn default_v4(&self) -> Option<&Route> {
        self.lasting
            .iter()
            .find(|route| route.prefix == Prefix::ALL_V4)
    }
}

fn system(prefix: Prefix, next_hop: NextHop, source: RouteSource) -> Route {
    Route {
        name: String::new(),
        prefix,
        next_hop,
        source,
    }
}

/// The first that holds the address: a bounded walk, since tables are short (400 routes at most).
fn first(routes: &[Route], address: IpAddr) -> Option<&Route> {
    routes.iter().find(|route| route.prefix.contains(address))
}

/// The one with the longer prefix; `one` of two that are equal.
fn longer<'a>(one: Option<&'a Route>, other: Option<&'a Route>) -> Option<&'a Route> {
    match (one, other) {
        (Some(one), Some(other)) if other.prefix.length() > one.prefix.length() => Some(other),
        (Some(one), _) => Some(one),
        (None, other) => other,
    }
}
