//! What service tags mean for one subnet.
//!
//! Source: "Virtual network service tags" of the service's documentation. `VirtualNetwork` is the
//! VNet's address space, peered VNets, connected on-premises spaces, the host's address, and
//! "address prefixes used on user-defined routes"; it "might also contain default routes".
//! `Internet` is what is "outside the virtual network and reachable by the public internet".

use super::policy::Beyond;
use super::prefix::Prefix;
use super::sets::{AddressSet, Truth};

/// The host's virtual address: platform DNS, and where the platform's probes come from.
pub(super) const HOST: Prefix = Prefix::v4(168, 63, 129, 16, 32);

/// The ranges that the service reserves: traffic to them is dropped where no VNet, peer, gateway
/// or route of the user has them.
pub(super) const RESERVED: [Prefix; 4] = [
    Prefix::v4(10, 0, 0, 0, 8),
    Prefix::v4(172, 16, 0, 0, 12),
    Prefix::v4(192, 168, 0, 0, 16),
    Prefix::v4(100, 64, 0, 0, 10),
];

/// What the public Internet does not reach besides: the host, this network, loopback, link-local,
/// and from multicast upwards.
const UNROUTED: [Prefix; 5] = [
    HOST,
    Prefix::v4(0, 0, 0, 0, 8),
    Prefix::v4(127, 0, 0, 0, 8),
    Prefix::v4(169, 254, 0, 0, 16),
    Prefix::v4(224, 0, 0, 0, 3),
];

/// Addresses that are not public, precomputed for a policy.
#[derive(Clone, Debug)]
pub(super) struct Publicness {
    reserved: AddressSet,
    outside: AddressSet,
}

impl Default for Publicness {
    fn default() -> Self {
        Self {
            reserved: RESERVED.into_iter().collect(),
            outside: RESERVED.into_iter().chain(UNROUTED).collect(),
        }
    }
}

/// The tags as one subnet sees them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tags<'a> {
    pub(super) publicness: &'a Publicness,
    /// The VNet's space, its peers', and the host.
    pub(super) network: &'a AddressSet,
    /// Prefixes of the subnet's own routes but for default ones.
    pub(super) routed: Option<&'a AddressSet>,
    /// Whether the user has a default route there.
    pub(super) default_route: bool,
    pub(super) beyond: Beyond,
}

impl Tags<'_> {
    pub(super) fn virtual_network(self, prefix: &Prefix) -> Truth {
        let known = self.surely_virtual_network(prefix);
        if known != Truth::No {
            return known;
        }
        // A reserved address that nobody claims is on the premises behind the gateway, or in the
        // part of the VNet that no document shows, or behind the appliance that the default route
        // names; else it is nowhere.
        let claims_reserved = self.default_route || self.beyond != Beyond::Nothing;
        match self.publicness.reserved.covers(prefix) {
            Truth::Yes if claims_reserved => Truth::Yes,
            Truth::No if self.default_route => Truth::Unknown,
            _ => Truth::No,
        }
    }

    pub(super) fn internet(self, prefix: &Prefix) -> Truth {
        let public = match (prefix.is_ipv4(), prefix.first()) {
            (true, _) => not(self.publicness.outside.covers(prefix)),
            // Global unicast is 2000::/3.
            (false, std::net::IpAddr::V6(first)) => Truth::from(first.octets()[0] >> 5 == 1),
            (false, std::net::IpAddr::V4(_)) => Truth::No,
        };
        public.and(not(self.surely_virtual_network(prefix)))
    }

    fn surely_virtual_network(self, prefix: &Prefix) -> Truth {
        let routed = self.routed.map_or(Truth::No, |set| set.covers(prefix));
        self.network.covers(prefix).or(routed)
    }

    pub(super) fn has_public_addresses(self, set: &AddressSet) -> bool {
        set.exceeds_v4(&self.publicness.outside)
    }

    /// Whether `VirtualNetwork` may hold addresses of the Internet.
    pub(super) fn may_hold_public_addresses(self) -> bool {
        let routed = self
            .routed
            .is_some_and(|set| self.has_public_addresses(set));
        self.default_route || routed
    }
}

fn not(truth: Truth) -> Truth {
    match truth {
        Truth::Yes => Truth::No,
        Truth::No => Truth::Yes,
        Truth::Unknown => Truth::Unknown,
    }
}
