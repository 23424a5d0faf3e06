//! Peerings: what one side says of the other.

use gatewright_arm::{ArmError, ResourceId};
use gatewright_snapshot::network::Prefix;
use serde_json::{Value, json};
use uuid::Uuid;

use super::virtual_networks::{id_of, items, items_mut, reference_of, space_of};
use crate::core::Core;
use crate::resources::shape::insert_before;

pub(super) const PEERINGS: &str = "virtualNetworkPeerings";

/// Puts into the peerings of a network what the other sides say.
///
/// # Errors
/// When a new peering would join networks that overlap.
pub(super) async fn fill(
    core: &Core,
    id: &ResourceId,
    body: &mut Value,
    previous: Option<&Value>,
) -> Result<(), ArmError> {
    let own_space = space_of(body);
    let own_guid = guid_of(body);
    for peering in items_mut(body, PEERINGS) {
        let Some(remote) = reference_of(peering, "remoteVirtualNetwork") else {
            continue;
        };
        let before = before(previous, peering);
        let other = core.document(&remote).await?;
        let other = other.filter(|other| other.state() != Some("Deleting"));
        if let (Some(other), None) = (&other, before) {
            check_overlap(
                id_of(peering),
                (id, &own_space),
                (&remote, &space_of(&other.body)),
            )?;
        }
        let answers = other.as_ref().is_some_and(|other| {
            let mut theirs = items(&other.body, PEERINGS);
            theirs.any(|one| reference_of(one, "remoteVirtualNetwork").as_ref() == Some(id))
        });
        let old = |member: &str| before.and_then(|before| before.get("properties")?.get(member));
        let was = old("peeringState").and_then(Value::as_str);
        let (state, sync) = match (answers, was) {
            (true, _) => ("Connected", "FullyInSync"),
            (false, Some("Connected" | "Disconnected")) => ("Disconnected", "RemoteNotInSync"),
            (false, _) => ("Initiated", "RemoteNotInSync"),
        };
        let space = other.as_ref().map(|other| space_of(&other.body));
        let space = space.or_else(|| old("remoteAddressSpace").cloned());
        let bag = &mut peering["properties"];
        if let Some(guid) = other
            .as_ref()
            .and_then(|other| joined(own_guid?, &other.body))
        {
            bag["resourceGuid"] = json!(guid.to_string());
        }
        bag["peeringState"] = json!(state);
        bag["peeringSyncLevel"] = json!(sync);
        for member in ["remoteAddressSpace", "remoteVirtualNetworkAddressSpace"] {
            if let Some(space) = &space {
                insert_before(bag, "routeServiceVips", member, space.clone());
            }
        }
    }
    Ok(())
}

/// The GUID of both halves of a peering: as recorded, that of the one network with the bits of the
/// other's turned (exclusive or).
fn joined(own: Uuid, other: &Value) -> Option<Uuid> {
    let other = guid_of(other)?;
    Some(Uuid::from_u128(own.as_u128() ^ other.as_u128()))
}

fn guid_of(network: &Value) -> Option<Uuid> {
    let guid = network.pointer("/properties/resourceGuid")?.as_str()?;
    guid.parse().ok()
}

fn before<'a>(previous: Option<&'a Value>, peering: &Value) -> Option<&'a Value> {
    let mut peerings = items(previous?, PEERINGS);
    peerings.find(|before| id_of(before).eq_ignore_ascii_case(id_of(peering)))
}

fn check_overlap(
    peering: &str,
    (own, own_space): (&ResourceId, &Value),
    (other, other_space): (&ResourceId, &Value),
) -> Result<(), ArmError> {
    let others = prefixes(other_space);
    for one in prefixes(own_space) {
        let overlap = others
            .iter()
            .find(|two| one.includes(two) || two.includes(&one));
        if let Some(two) = overlap {
            return Err(ArmError::new(
                "VnetAddressSpacesOverlap",
                format!(
                    "Cannot create or update peering {peering}. Virtual networks {own} and {other} \
                     cannot be peered because their address spaces overlap. Overlapping address \
                     prefixes: {one}, {two}."
                ),
            ));
        }
    }
    Ok(())
}

fn prefixes(space: &Value) -> Vec<Prefix> {
    let texts = space.get("addressPrefixes").and_then(Value::as_array);
    let texts = texts.into_iter().flatten().filter_map(Value::as_str);
    texts.filter_map(|text| text.parse().ok()).collect()
}

/// The networks on the other sides of all peerings.
pub(super) fn touched(before: Option<&Value>, after: Option<&Value>) -> Vec<ResourceId> {
    let peerings = before
        .into_iter()
        .chain(after)
        .flat_map(|body| items(body, PEERINGS));
    let mut remotes: Vec<ResourceId> = Vec::new();
    for remote in peerings.filter_map(|one| reference_of(one, "remoteVirtualNetwork")) {
        if !remotes.contains(&remote) {
            remotes.push(remote);
        }
    }
    remotes
}
