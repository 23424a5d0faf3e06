//! Peerings of the gateway's network with those of its servers.

use std::net::IpAddr;

use gatewright_arm::model::network::{PeeringState, VirtualNetworkPeering};
use gatewright_arm::{Item, ResourceId};
use gatewright_snapshot::network::{Flow, NextHop, Prefix};

use super::{Walk, finding};
use crate::cause::{Cause, Owner};
use crate::evidence::Place;
use crate::evidence::view::last_part;
use crate::finding::{Confidence, Finding, Fix};
use crate::remedy::{fix, word};

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
        let remote = peering.properties.remote_virtual_network.as_ref();
        let remote = remote.and_then(|one| one.id.as_deref()).unwrap_or_default();
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
        let has_address = |peering: &Item<VirtualNetworkPeering>| {
            let own = &peering.properties;
            let spaces = own
                .remote_address_space
                .iter()
                .chain(&own.remote_virtual_network_address_space);
            let mut prefixes = spaces.flat_map(|one| &one.address_prefixes.0);
            prefixes.any(|one| {
                one.value
                    .parse()
                    .is_ok_and(|own: Prefix| own.contains(address))
            })
        };
        let files = self.evidence.network_resources.iter();
        let mut networks = files.flat_map(|(file, resources)| {
            let all = resources.virtual_networks.iter();
            all.map(move |one| (file, one))
        });
        let is_own = |id: &Option<String>| {
            id.as_deref()
                .is_some_and(|id| id.eq_ignore_ascii_case(network))
        };
        let (file, own) = networks.find(|(_, one)| is_own(&one.id))?;
        let mut peerings = own.properties.virtual_network_peerings.iter();
        // Of two over each other's ranges, one that is connected leads there.
        let is_connected = |one: &&Item<VirtualNetworkPeering>| {
            has_address(one) && one.properties.peering_state == Some(PeeringState::Connected)
        };
        if peerings.clone().any(|one| is_connected(&one)) {
            return None;
        }
        let found = peerings.find(|one| has_address(one))?;
        let place = Place::new(file.as_str(), found.pointer_to("peeringState"));
        Some((place, found))
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
        let id = ResourceId::parse(network).ok();
        let gateway = self.evidence.gateway.resource_id();
        let own = gateway.as_ref().and_then(|id| id.subscription());
        let subscription = id.as_ref().and_then(|id| id.subscription());
        let elsewhere =
            subscription.filter(|one| !own.is_some_and(|own| own.eq_ignore_ascii_case(one)));
        let elsewhere = elsewhere.map(|one| format!(" --subscription {}", word(one)));
        format!(
            "-g {} --vnet-name {} -n {}{}",
            self.group_of_id(network),
            word(last_part(network)),
            word(name),
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
