//! What a virtual network's ranges must be like, and which of their addresses are free.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use gatewright_arm::{ArmError, ResourceId};
use gatewright_snapshot::network::{Prefix, PrefixError};
use hyper::Method;
use serde_json::{Value, json};

use super::addresses;
use super::own_codes;
use super::virtual_networks::{NETWORKS, id_of, items, items_mut, name_of};
use crate::context::{Context, Handler, handler};
use crate::core::Core;
use crate::front::answer::Answer;
use crate::front::router::Route;
use crate::resources::inventory::Inventory;
use crate::routes::{action, route};

/// A subnet, and the network that it is in.
pub(super) struct Subnet {
    pub(super) id: ResourceId,
    pub(super) body: Value,
    pub(super) network: Arc<Value>,
}

impl Core {
    /// A stored subnet; `None` where there is none.
    pub(super) async fn subnet(&self, id: &ResourceId) -> Result<Option<Subnet>, ArmError> {
        let Some(parent) = id.parent() else {
            return Ok(None);
        };
        let Some(network) = self.document(&parent).await? else {
            return Ok(None);
        };
        let text = id.to_string();
        let found = items(&network.body, "subnets")
            .find(|subnet| id_of(subnet).eq_ignore_ascii_case(&text))
            .cloned();
        Ok(found.map(|body| Subnet {
            id: id.clone(),
            body,
            network: network.body,
        }))
    }
}

/// The ranges of a subnet that was stored.
pub(super) fn ranges(subnet: &Value) -> Vec<Prefix> {
    texts(subnet)
        .iter()
        .filter_map(|text| text.parse().ok())
        .collect()
}

/// The ranges of a subnet, by whichever of the two members it has.
fn texts(subnet: &Value) -> Vec<&str> {
    let bag = subnet.get("properties");
    let list = bag
        .and_then(|bag| bag.get("addressPrefixes"))
        .and_then(Value::as_array);
    let list: Vec<&str> = list
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    match list.is_empty() {
        true => bag
            .and_then(|bag| bag.get("addressPrefix")?.as_str())
            .into_iter()
            .collect(),
        false => list,
    }
}

/// Checks the ranges of a network and its subnets, and that what is in use stays.
///
/// # Errors
/// The first range that is none, lies outside, or overlaps; the first subnet in use that would go
/// or move.
pub(super) fn check(
    id: &ResourceId,
    body: &mut Value,
    previous: Option<&Value>,
    inventory: &Inventory,
) -> Result<(), ArmError> {
    for subnet in items_mut(body, "subnets") {
        settle_members(subnet);
        check_names(subnet)?;
        items_mut(subnet, "delegations").for_each(allow_actions);
    }
    let space = space(id, body)?;
    let mut subnets = Vec::new();
    for subnet in items(body, "subnets") {
        let mut ranges = Vec::new();
        let given = texts(subnet);
        for text in given.iter().copied().chain(given.is_empty().then_some("")) {
            ranges.push(prefix(text, id_of(subnet))?);
        }
        subnets.push((subnet, ranges));
    }
    let network = id.name().unwrap_or_default();
    check_place(&subnets, &space, network)?;
    check_overlaps(&subnets, previous, network)?;
    check_uses(&subnets, previous, inventory)
}

/// One range stands in `addressPrefix`, several in `addressPrefixes`; a client that says one range
/// in the list finds it there again.
fn settle_members(subnet: &mut Value) {
    let several = texts(subnet).len() > 1;
    let Some(bag) = subnet.get_mut("properties").and_then(Value::as_object_mut) else {
        return;
    };
    let is_listed = bag.get("addressPrefixes").and_then(Value::as_array);
    match is_listed.is_some_and(|list| !list.is_empty()) {
        true if several || !bag.contains_key("addressPrefix") => bag.shift_remove("addressPrefix"),
        _ => bag.shift_remove("addressPrefixes"),
    };
}

/// Whether each delegation and each endpoint is one of a service.
fn check_names(subnet: &Value) -> Result<(), ArmError> {
    let is_empty = |text: Option<&Value>| text.is_none_or(|text| text == "");
    let refuse = |code: &str, what: &str| {
        let message = format!("Subnet {} has {what}.", id_of(subnet));
        Err(ArmError::new(code, message))
    };
    let mut delegations = items(subnet, "delegations");
    if delegations.any(|one| is_empty(one.pointer("/properties/serviceName"))) {
        let what = "a delegation with an empty serviceName; one such as Microsoft.Web/serverFarms \
                    is expected";
        return refuse(own_codes::DELEGATION, what);
    }
    if items(subnet, "serviceEndpoints").any(|one| is_empty(one.get("service"))) {
        let what = "a service endpoint with an empty service; one such as Microsoft.Storage is \
                    expected";
        return refuse(own_codes::ENDPOINT, what);
    }
    Ok(())
}

/// What a service may do in a subnet that is delegated to it. Recorded for these services.
fn allow_actions(delegation: &mut Value) {
    const SUBNETS: &str = "Microsoft.Network/virtualNetworks/subnets";
    let join = format!("{SUBNETS}/join/action");
    let service = delegation.pointer("/properties/serviceName");
    let service = service.and_then(Value::as_str).unwrap_or_default();
    let actions = match service.to_ascii_lowercase().as_str() {
        "microsoft.batch/batchaccounts"
        | "microsoft.containerinstance/containergroups"
        | "microsoft.logic/integrationserviceenvironments"
        | "microsoft.servicefabricmesh/networks"
        | "microsoft.web/hostingenvironments"
        | "microsoft.web/serverfarms" => json!([format!("{SUBNETS}/action")]),
        "microsoft.baremetal/azurevmware"
        | "microsoft.baremetal/crayservers"
        | "microsoft.hardwaresecuritymodules/dedicatedhsms"
        | "microsoft.netapp/volumes" => json!(["Microsoft.Network/networkinterfaces/*", join]),
        "microsoft.databricks/workspaces" | "microsoft.sql/managedinstances" => json!([
            join,
            format!("{SUBNETS}/prepareNetworkPolicies/action"),
            format!("{SUBNETS}/unprepareNetworkPolicies/action"),
        ]),
        _ => json!([join]),
    };
    delegation["properties"]["actions"] = actions;
}

fn space(id: &ResourceId, body: &Value) -> Result<Vec<Prefix>, ArmError> {
    let space = body.pointer("/properties/addressSpace/addressPrefixes");
    let texts = space.and_then(Value::as_array).into_iter().flatten();
    let texts = texts.filter_map(Value::as_str);
    texts.map(|text| prefix(text, &id.to_string())).collect()
}

/// # Errors
/// When the text is no range, or has bits behind its length.
pub(super) fn prefix(text: &str, owner: &str) -> Result<Prefix, ArmError> {
    let malformed = || {
        ArmError::new(
            "InvalidAddressPrefixFormat",
            format!(
                "Address prefix {text} of resource {owner} is not formatted correctly. It should \
                 follow CIDR notation, for example 10.0.0.0/24."
            ),
        )
    };
    if !text.contains('/') {
        return Err(malformed());
    }
    text.parse().map_err(|error| match (error, first_of(text)) {
        (PrefixError::HostBits, Some(right)) => ArmError::new(
            "InvalidCIDRNotation",
            format!(
                "The address prefix {text} in resource {owner} has an invalid CIDR notation. For \
                 the given prefix length, the address prefix should be {right}."
            ),
        ),
        _ => malformed(),
    })
}

/// Puts the range in place of any address in it, as `10.0.0.1/16`: clients of the first API version
/// may name one so (recorded: a template of 2015-06-15 is taken).
pub(super) fn settle_ranges(network: &mut Value) {
    let settle = |text: &mut Value| {
        let said = text.as_str().unwrap_or_default();
        if let Err(PrefixError::HostBits) = said.parse::<Prefix>()
            && let Some(range) = first_of(said)
        {
            *text = Value::from(range.to_string());
        }
    };
    let settle_all = |list: Option<&mut Value>| match list {
        Some(Value::Array(texts)) => texts.iter_mut().for_each(settle),
        Some(text) => settle(text),
        None => {}
    };
    settle_all(network.pointer_mut("/properties/addressSpace/addressPrefixes"));
    for subnet in items_mut(network, "subnets") {
        settle_all(subnet.pointer_mut("/properties/addressPrefix"));
        settle_all(subnet.pointer_mut("/properties/addressPrefixes"));
    }
}

/// The range that an address with a length lies in: `10.0.0.5/24` in `10.0.0.0/24`.
fn first_of(text: &str) -> Option<Prefix> {
    let (address, length) = text.split_once('/')?;
    let length: u8 = length.parse().ok()?;
    let address: IpAddr = address.parse().ok()?;
    let first = match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX
                .checked_shl(32u32.checked_sub(length.into())?)
                .unwrap_or(0);
            Ipv4Addr::from_bits(address.to_bits() & mask).into()
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX
                .checked_shl(128u32.checked_sub(length.into())?)
                .unwrap_or(0);
            Ipv6Addr::from_bits(address.to_bits() & mask).into()
        }
    };
    Prefix::new(first, length).ok()
}

type Placed<'a> = (&'a Value, Vec<Prefix>);

fn check_place(subnets: &[Placed<'_>], space: &[Prefix], network: &str) -> Result<(), ArmError> {
    for (subnet, ranges) in subnets {
        let is_within = |range: &Prefix| space.iter().any(|prefix| prefix.includes(range));
        if !ranges.iter().all(is_within) {
            let name = name_of(subnet);
            return Err(ArmError::new(
                "NetcfgSubnetRangeOutsideVnet",
                format!(
                    "Subnet '{name}' is not valid because its IP address range is outside the IP \
                     address range of virtual network '{network}'."
                ),
            ));
        }
    }
    Ok(())
}

/// Of two subnets that overlap, the one that came last is not valid.
fn check_overlaps(
    subnets: &[Placed<'_>],
    previous: Option<&Value>,
    network: &str,
) -> Result<(), ArmError> {
    let mut all: Vec<(Prefix, &Value)> = Vec::new();
    for (subnet, ranges) in subnets {
        all.extend(ranges.iter().map(|range| (*range, *subnet)));
    }
    // In the order of their beginnings, whatever overlaps has neighbours that do.
    all.sort_by_key(|(range, _)| (!range.is_ipv4(), range.first(), range.length()));
    for pair in all.windows(2) {
        let [(first, one), (second, other)] = pair else {
            continue;
        };
        if !first.includes(second) {
            continue;
        }
        let stayed = |subnet: &Value| {
            before(previous, subnet).is_some_and(|before| texts(before) == texts(subnet))
        };
        let position = |subnet: &Value| subnets.iter().position(|(own, _)| **own == *subnet);
        let late = match (stayed(one), stayed(other)) {
            (true, false) => other,
            (false, true) => one,
            _ if position(one) > position(other) => one,
            _ => other,
        };
        let name = name_of(late);
        return Err(ArmError::new(
            "NetcfgSubnetRangesOverlap",
            format!(
                "Subnet '{name}' is not valid because its IP address range overlaps with that of \
                 an existing subnet in virtual network '{network}'."
            ),
        ));
    }
    Ok(())
}

/// The subnet as it was.
fn before<'a>(previous: Option<&'a Value>, subnet: &Value) -> Option<&'a Value> {
    let mut subnets = items(previous?, "subnets");
    subnets.find(|before| id_of(before).eq_ignore_ascii_case(id_of(subnet)))
}

fn check_uses(
    subnets: &[Placed<'_>],
    previous: Option<&Value>,
    inventory: &Inventory,
) -> Result<(), ArmError> {
    let Some(previous) = previous else {
        return Ok(());
    };
    for old in items(previous, "subnets") {
        let Some(refusal) = in_use(old, inventory) else {
            continue;
        };
        let id = id_of(old);
        let new = subnets
            .iter()
            .find(|(subnet, _)| id_of(subnet).eq_ignore_ascii_case(id));
        let Some((_, new)) = new else {
            return Err(refusal);
        };
        // More ranges are fine; those that addresses may lie in must stay.
        if !ranges(old).iter().all(|range| new.contains(range)) {
            let name = name_of(old);
            return Err(ArmError::new(
                "InUseSubnetCannotBeUpdated",
                format!("Subnet {name} is in use and cannot be updated."),
            ));
        }
    }
    Ok(())
}

/// Why a subnet cannot go, where something uses it.
pub(super) fn in_use(subnet: &Value, inventory: &Inventory) -> Option<ArmError> {
    let users = inventory.users(id_of(subnet));
    let user = users.first()?;
    let name = name_of(subnet);
    Some(ArmError::new(
        "InUseSubnetCannotBeDeleted",
        format!(
            "Subnet {name} is in use by {user} and cannot be deleted. In order to delete the \
             subnet, delete all the resources within the subnet. See aka.ms/deletesubnet."
        ),
    ))
}

/// Addresses that are offered in place of one that is not free (recorded).
const OFFERED: usize = 5;

pub(super) fn routes() -> Vec<Route> {
    let network = format!(
        "/subscriptions/{{subscription}}/resourceGroups/{{group}}/providers/{NETWORKS}/{{name}}"
    );
    let at = |word: &str, verb: &str, handler: Handler| {
        let access = action(NETWORKS, verb);
        route(Method::GET, format!("{network}/{word}"), access, handler)
    };
    vec![
        at(
            "CheckIPAddressAvailability",
            "checkIpAddressAvailability/read",
            handler(check_address),
        ),
        at("usages", "usages/read", handler(usages)),
    ]
}

/// How many addresses of each subnet are given away, of how many that can be: 251 of a /24, as the
/// service's documentation shows it. Of a subnet with both families, those of IPv4.
async fn usages(context: Context) -> Result<Answer, ArmError> {
    let network = context.document(&context.resource_id(1)?).await?;
    let usage = |subnet: &Value| {
        let ranges = ranges(subnet);
        let is_ipv4 = ranges.iter().any(Prefix::is_ipv4);
        let own = ranges.iter().filter(|range| range.is_ipv4() == is_ipv4);
        let limit: f64 = own.map(addresses::capacity).sum();
        let held = context.core.inventory.held(id_of(subnet), None);
        let used = held.keys().filter(|address| address.is_ipv4() == is_ipv4);
        json!({
            "currentValue": used.count() as f64,
            "id": id_of(subnet),
            "limit": limit,
            "name": { "localizedValue": "Subnet size and usage", "value": "SubnetSpace" },
            "unit": "Count",
        })
    };
    let value: Vec<Value> = items(&network.body, "subnets").map(usage).collect();
    Ok(Answer::ok(&json!({ "value": value })))
}

async fn check_address(context: Context) -> Result<Answer, ArmError> {
    let id = context.resource_id(1)?;
    let network = context.document(&id).await?;
    let text = context.request.query.get("ipAddress").unwrap_or_default();
    let address: IpAddr = text.parse().map_err(|_| {
        let message = format!("IP address '{text}' is not valid; give one with ipAddress=.");
        ArmError::new(own_codes::ADDRESS, message)
    })?;
    let answer = availability(&network.body, address, &context.core.inventory);
    answer.map(|answer| Answer::ok(&answer)).ok_or_else(|| {
        let message = format!("IP address {address} does not belong to any subnet of {id}.");
        ArmError::new(own_codes::ADDRESS, message)
    })
}

/// Whether an address is free, and which are otherwise; `None` for one in no subnet.
fn availability(network: &Value, address: IpAddr, inventory: &Inventory) -> Option<Value> {
    let mut subnets = items(network, "subnets");
    let (subnet, range) = subnets.find_map(|subnet| {
        let mut ranges = ranges(subnet).into_iter();
        Some((subnet, ranges.find(|range| range.contains(address))?))
    })?;
    let held = inventory.held(id_of(subnet), None);
    let is_reserved = addresses::is_reserved(&range, address);
    if !is_reserved && !held.contains_key(&address) {
        return Some(json!({"available": true, "isPlatformReserved": false}));
    }
    let free = addresses::free(&range, |one| held.contains_key(one));
    let others = free.filter(|one| *one > address).take(OFFERED);
    let others: Vec<String> = others.map(|one| one.to_string()).collect();
    Some(json!({
        "available": false,
        "availableIPAddresses": others,
        "isPlatformReserved": is_reserved,
    }))
}
