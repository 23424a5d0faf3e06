//! Peerings of the gateway's network with those of its servers.

use std::net::IpAddr;

use gatewright_arm::model::network::{PeeringState, VirtualNetworkPeering};
use gatewright_arm::{Item, ResourceId};
use gatewright_snapshot::network::{Flow, NextHop, Prefix};

use super::{Walk, finding};
use crate::cause::{Cause, Owner};
use crate::evidence::view::last_part;
use crate::evidence::{Place, Tcp, TcpResult, split_port};
use crate::finding::{Confidence, Finding, Fix};
use crate::lookup::names_host;
use crate::remedy::{fix, word};

/// What the subnet of a network's VPN or ExpressRoute gateways is called.
const GATEWAY_SUBNET: &str = "GatewaySubnet";

impl Walk<'_> {
    /// A server in a network whose peering one side knows nothing of: no route leads over it.
    pub(super) fn over_a_cut_peering(&mut self, index: usize) -> Option<Finding> {
        let target = self.site.targets.get(index)?;
        let address = self.addresses_of(&target.row.address).into_iter().next()?;
        let network = self.network_id()?;
        // What the network has itself, or a route of its own leads to, needs no peering.
        let (policy, subnet) = self.evidence.policy()?;
        let port = target.probed_port()?;
        let route = policy.evaluate(&Flow::tcp(subnet, address, port)).route;
        let is_near = route.is_some_and(|route| {
            let is_local = route.route.next_hop == NextHop::VnetLocal;
            is_local || route.user_table().is_some()
        });
        if is_near {
            return None;
        }
        let (place, peering) = self.peering_with(&network, address)?;
        let state = match peering.properties.peering_state? {
            PeeringState::Initiated => "Initiated",
            PeeringState::Disconnected => "Disconnected",
            _ => return None,
        };
        let remote = self.remote_of(peering);
        let title = format!(
            "The peering {} of the gateway's network with {}, which has {address}, is {state}: \
             nothing leads there.",
            peering.name,
            last_part(remote)
        );
        let mend = self.peer_again(&network, remote, peering, &place);
        Some(
            finding(Cause::MissingRoute, Confidence::Certain, title)
                .because(self.reported(index))
                .because([self.because(&place, "both sides must be Connected")])
                .fixed_by(mend.verified_by(self.commands.verify_health())),
        )
    }

    /// The peering of a network with the one that has an address, and where its state stands.
    fn peering_with(
        &self,
        network: &str,
        address: IpAddr,
    ) -> Option<(Place, &Item<VirtualNetworkPeering>)> {
        let has_address = |peering: &Item<VirtualNetworkPeering>| spans(peering, address);
        let (file, own) = self.network_document(network)?;
        let mut peerings = own.properties.virtual_network_peerings.iter();
        // Of two over each other's ranges, one that is connected leads there.
        let is_connected = |one: &&Item<VirtualNetworkPeering>| {
            has_address(one) && one.properties.peering_state == Some(PeeringState::Connected)
        };
        if peerings.clone().any(|one| is_connected(&one)) {
            return None;
        }
        let found = peerings.find(|one| has_address(one))?;
        let place = Place::new(file, found.pointer_to("peeringState"));
        Some((place, found))
    }

    /// A server that a neighbour of the peered network reaches over that one's own gateways, which
    /// the gateway's network may not use: a server at its owner's, say.
    pub(super) fn behind_gateways_of_a_peer(&self, index: usize) -> Option<Finding> {
        let target = self.site.targets.get(index)?;
        let tcp = self.connections_to([&target.row.address]).into_iter();
        let opens = tcp.filter(|one| {
            one.result == TcpResult::Open
                && one.port == target.probed_port()
                && !self.is_from_gateway(&one.from)
        });
        let opens: Vec<&Tcp> = opens.collect();
        let network = self.network_id()?;
        let (file, own) = self.network_document(&network)?;
        let peerings = own.properties.virtual_network_peerings.iter();
        let connected =
            peerings.filter(|one| one.properties.peering_state == Some(PeeringState::Connected));
        let connected: Vec<_> = connected.collect();
        // Gateways of one peer alone may be used.
        let uses_none =
            |one: &&&Item<VirtualNetworkPeering>| one.properties.use_remote_gateways != Some(true);
        let is_hub = |one: &&&Item<VirtualNetworkPeering>| {
            one.name.to_lowercase().contains("hub")
                || self.remote_of(one).to_lowercase().contains("hub")
        };
        let mut subnets = own.properties.subnets.iter();
        let has_own_gateway = subnets.any(|one| one.is_named(GATEWAY_SUBNET));
        if has_own_gateway || !connected.iter().all(|one| uses_none(&one)) {
            return None;
        }
        let peering = match connected.as_slice() {
            [only] => only,
            several => several.iter().find(is_hub)?,
        };
        let remote_id = self.remote_of(peering);
        let remote = last_part(remote_id);
        let open = opens
            .into_iter()
            .find(|one| is_from(one, remote, peering))?;
        let address = self.addresses_of(&target.row.address).into_iter().next()?;
        if self.leads_on_over_a_peering(remote_id, address) {
            return None;
        }
        let title = format!(
            "The gateway's network has no way to {}, which others reach: its peering {} with \
             {remote} does not use the gateways there.",
            target.endpoint(),
            peering.name
        );
        let place = Place::new(file, peering.pointer_to("useRemoteGateways"));
        let own = self.peering_in_commands(&network, &peering.name);
        let summary =
            format!("Have the peering use the gateways of {remote}, which must allow it.");
        let mend = fix(Owner::Network, summary)
            .run(format!(
                "az network vnet peering list {} --query \"[].[name,allowGatewayTransit]\" -o \
                 table   # allowGatewayTransit must be true on that side",
                self.network_in_commands(self.remote_of(peering))
            ))
            .run(format!(
                "az network vnet peering update {own} --set useRemoteGateways=true"
            ))
            .risking("Routes that those gateways learn hold for the whole network then.")
            .verified_by(self.commands.verify_health());
        Some(
            finding(Cause::MissingRoute, Confidence::Likely, title)
                .because(self.reported(index))
                .because([
                    self.because(&open.place, "from elsewhere, it takes connections"),
                    self.because(&place, "whether it uses the peer's gateways"),
                ])
                .fixed_by(mend),
        )
    }

    /// Whether a peered network, as far as a document has it, reaches an address by a peering of
    /// its own, or has no gateways: neither leads others there.
    fn leads_on_over_a_peering(&self, network: &str, address: IpAddr) -> bool {
        let Some((_, own)) = self.network_document(network) else {
            return false;
        };
        let own = &own.properties;
        let is_gateway = |name: &str| name.eq_ignore_ascii_case(GATEWAY_SUBNET);
        let has_none =
            !own.subnets.is_empty() && !own.subnets.iter().any(|one| is_gateway(&one.name));
        has_none
            || own
                .virtual_network_peerings
                .iter()
                .any(|one| spans(one, address))
    }

    fn remote_of<'p>(&self, peering: &'p Item<VirtualNetworkPeering>) -> &'p str {
        let remote = peering.properties.remote_virtual_network.as_ref();
        remote.and_then(|one| one.id.as_deref()).unwrap_or_default()
    }

    /// Makes the sides that are missing. One that the other side has dropped cannot be connected
    /// again: it is made anew, with what it allowed.
    fn peer_again(
        &self,
        network: &str,
        remote: &str,
        peering: &Item<VirtualNetworkPeering>,
        place: &Place,
    ) -> Fix {
        let back = format!("to-{}", last_part(network));
        let uses_gateways = peering.properties.use_remote_gateways == Some(true);
        let flags = match uses_gateways {
            true => " --allow-vnet-access --allow-gateway-transit",
            false => " --allow-vnet-access",
        };
        // The other side is first: what uses its gateways asks whether they may be.
        let other = format!(
            "az network vnet peering create {} --remote-vnet {}{flags}",
            self.peering_in_commands(remote, &back),
            word(network)
        );
        if peering.properties.peering_state != Some(PeeringState::Disconnected) {
            let summary = format!(
                "Make the other side of the peering: {} has none.",
                last_part(remote)
            );
            return fix(Owner::Network, summary).run(other);
        }
        let own = self.peering_in_commands(network, &peering.name);
        let flags: String = self.flags_of(place, peering).concat();
        let summary = "Make the peering anew on both sides: one that was taken away on one cannot \
                       be connected again.";
        fix(Owner::Network, summary)
            .run(format!("az network vnet peering delete {own}"))
            .run(other)
            .run(format!(
                "az network vnet peering create {own} --remote-vnet {}{flags}",
                word(remote)
            ))
            .risking(
                "What the other side's peering allowed beside access (forwarded traffic, its \
                 gateways) is to be set there as it was.",
            )
    }

    /// A peering of a network, by the options of commands.
    fn peering_in_commands(&self, network: &str, name: &str) -> String {
        format!("{} -n {}", self.network_in_commands(network), word(name))
    }

    /// A network, by the options of commands of its peerings.
    fn network_in_commands(&self, network: &str) -> String {
        let id = ResourceId::parse(network).ok();
        let gateway = self.evidence.gateway.resource_id();
        let own = gateway.as_ref().and_then(|id| id.subscription());
        let subscription = id.as_ref().and_then(|id| id.subscription());
        let elsewhere =
            subscription.filter(|one| !own.is_some_and(|own| own.eq_ignore_ascii_case(one)));
        let elsewhere = elsewhere.map(|one| format!(" --subscription {}", word(one)));
        format!(
            "-g {} --vnet-name {}{}",
            self.group_of_id(network),
            word(last_part(network)),
            elsewhere.unwrap_or_default()
        )
    }

    /// What a peering allows, as options that make it so again.
    fn flags_of(&self, place: &Place, peering: &Item<VirtualNetworkPeering>) -> Vec<&'static str> {
        let is_set = |property: &str| {
            let place = Place::new(&*place.file, peering.pointer_to(property));
            self.evidence.value_at(&place).as_bool()
        };
        [
            ("allowVirtualNetworkAccess", " --allow-vnet-access", true),
            ("allowForwardedTraffic", " --allow-forwarded-traffic", false),
            ("allowGatewayTransit", " --allow-gateway-transit", false),
            ("useRemoteGateways", " --use-remote-gateways", false),
        ]
        .into_iter()
        .filter(|(property, _, default)| is_set(property).unwrap_or(*default))
        .map(|(_, flag, _)| flag)
        .collect()
    }
}

/// Whether an address is one of the network at a peering's other end.
fn spans(peering: &Item<VirtualNetworkPeering>, address: IpAddr) -> bool {
    let own = &peering.properties;
    let spaces = own.remote_address_space.iter();
    let spaces = spaces.chain(&own.remote_virtual_network_address_space);
    let mut prefixes = spaces.flat_map(|one| &one.address_prefixes.0);
    prefixes.any(|one| {
        let prefix: Result<Prefix, _> = one.value.parse();
        prefix.is_ok_and(|own| own.contains(address))
    })
}

/// Whether somebody measured from the network at a peering's other end.
fn is_from(one: &Tcp, network: &str, peering: &Item<VirtualNetworkPeering>) -> bool {
    let first = one.from.split([' ', '/', '(', ',']).next();
    let address = split_port(first.unwrap_or_default()).0.parse();
    names_host(&one.from, network) || address.is_ok_and(|address| spans(peering, address))
}
