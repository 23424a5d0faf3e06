//! Peerings of the gateway's network with those of its servers.

use std::net::IpAddr;

use gatewright_arm::model::network::{PeeringState, VirtualNetworkPeering};
use gatewright_arm::{Item, ResourceId};
use gatewright_snapshot::network::Prefix;

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
        let mend = self.peer_again(&network, remote, peering);
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

    fn peer_again(
        &self,
        network: &str,
        remote: &str,
        peering: &Item<VirtualNetworkPeering>,
    ) -> Fix {
        let create = |own: &str, name: &str, other: &str| {
            let id = ResourceId::parse(own).ok();
            let group = id.as_ref().and_then(|id| id.resource_group());
            format!(
                "-g {} --vnet-name {} -n {}{}",
                word(group.unwrap_or(self.commands.group())),
                word(last_part(own)),
                word(name),
                match other {
                    "" => String::new(),
                    other => format!(" --remote-vnet {} --allow-vnet-access", word(other)),
                }
            )
        };
        let back = format!("to-{}", last_part(network));
        let mut mend = fix(
            Owner::Network,
            "Make the peering anew on both sides: one that was taken away on one cannot be \
             connected again.",
        );
        // One that waits for the other side needs that alone.
        if peering.properties.peering_state == Some(PeeringState::Disconnected) {
            let own = create(network, &peering.name, "");
            mend = mend.run(format!("az network vnet peering delete {own}"));
            let own = create(network, &peering.name, remote);
            mend = mend.run(format!("az network vnet peering create {own}"));
        }
        mend.run(format!(
            "az network vnet peering create {}",
            create(remote, &back, network)
        ))
    }
}
