//! Route tables and their routes.

use std::collections::HashMap;
use std::net::IpAddr;

use gatewright_arm::{ArmError, ResourceId};
use gatewright_snapshot::network::{Prefix, PrefixError};
use gatewright_store::Pending;
use serde_json::Value;

use super::virtual_networks::{id_of, items, name_of};
use super::{gateway_subnets, own_codes, subnets};
use crate::core::Core;
use crate::resources::document::Document;
use crate::resources::inventory::Inventory;
use crate::resources::kind::{Kind, Part, Prepared, Put};
use crate::resources::shape::{
    self, Bounds, Form, Shape, computed, defaulted, guid, insert_before, member, required, server,
};

pub(super) const TABLES: &str = "Microsoft.Network/routeTables";

const TABLE: Shape = Shape {
    type_last: false,
    head: &[member("location", Form::Text), member("tags", Form::Any)],
    properties: &[
        guid("resourceGuid"),
        defaulted("disableBgpRoutePropagation", Form::Boolean, "false"),
        defaulted("routes", Form::Items(&ROUTE), "[]"),
        server("subnets"),
    ],
    tail: &[],
    bounds: Bounds::These {
        contract: "RouteTableProperties",
        others: &["disablePeeringRoute"],
    },
};

const NEXT_HOPS: &[&str] = &[
    "VirtualNetworkGateway",
    "VnetLocal",
    "Internet",
    "VirtualAppliance",
    "None",
];

const ROUTE: Shape = Shape {
    type_last: true,
    head: &[],
    properties: &[
        required("addressPrefix", Form::Text),
        required("nextHopType", Form::Word(NEXT_HOPS)),
        member("nextHopIpAddress", Form::Text),
        computed("hasBgpOverride", "false"),
    ],
    tail: &[],
    bounds: Bounds::These {
        contract: "RouteProperties",
        others: &["nextHop"],
    },
};

pub(crate) struct RouteTables;

impl Kind for RouteTables {
    fn name(&self) -> &'static str {
        TABLES
    }

    fn parts(&self) -> &'static [Part] {
        &[Part {
            collection: "routes",
            is_writable: true,
        }]
    }

    fn prepare<'a>(
        &'a self,
        core: &'a Core,
        put: Put<'a>,
    ) -> Pending<'a, Result<Prepared, ArmError>> {
        Box::pin(async move {
            let body = put.shaped(&TABLE)?;
            items(&body, "routes").try_for_each(check)?;
            check_conflicts(&body)?;
            gateway_subnets::check_table(core, &body).await?;
            Ok(Prepared::of(body))
        })
    }

    fn present(&self, shown: &mut Document, inventory: &Inventory) {
        let users = inventory.users(&shown.id.to_string());
        if !users.is_empty() {
            let bag = &mut shown.edit()["properties"];
            insert_before(bag, "", "subnets", shape::references(users));
        }
    }

    fn refuse_delete(
        &self,
        document: &Document,
        target: &ResourceId,
        inventory: &Inventory,
    ) -> Option<ArmError> {
        let is_used = !inventory.users(&document.id.to_string()).is_empty();
        (*target == document.id && is_used).then(|| {
            let name = name_of(&document.body);
            let message = format!("Route table {name} is in use and cannot be deleted.");
            ArmError::new("InUseRouteTableCannotBeDeleted", message)
        })
    }
}

/// # Errors
/// When two routes have one prefix: which of them applies, nobody could say.
fn check_conflicts(table: &Value) -> Result<(), ArmError> {
    let mut known: HashMap<&str, &str> = HashMap::new();
    for route in items(table, "routes") {
        let prefix = route.pointer("/properties/addressPrefix");
        let prefix = prefix.and_then(Value::as_str).unwrap_or_default();
        if let Some(other) = known.insert(prefix, name_of(route)) {
            let message = format!(
                "Route: {} conflicts with Route: {other}. Routes cannot have the same \
                 AddressPrefix.",
                name_of(route)
            );
            return Err(ArmError::new("RouteConflict", message));
        }
    }
    Ok(())
}

/// # Errors
/// When the prefix is none, or the next hop and its address do not go together.
fn check(route: &Value) -> Result<(), ArmError> {
    let text = |name: &str| {
        route
            .get("properties")
            .and_then(|bag| bag.get(name)?.as_str())
    };
    let prefix = text("addressPrefix").unwrap_or_default();
    let is_tag = prefix.starts_with(|first: char| first.is_ascii_alphabetic())
        && prefix.parse::<Prefix>() == Err(PrefixError::Address)
        && !prefix.contains([':', '/']);
    if !is_tag {
        subnets::prefix(prefix, id_of(route))?;
    }
    let is_appliance = text("nextHopType") == Some("VirtualAppliance");
    let address = text("nextHopIpAddress").filter(|text| !text.is_empty());
    let name = name_of(route);
    match (is_appliance, address) {
        (true, None) => Err(ArmError::new(
            "MissingNextHopIpAddress",
            format!(
                "NextHopIpAddress cannot be Null or Empty in route {name} when NextHopType is \
                 VirtualAppliance."
            ),
        )),
        (true, Some(text)) if text.parse::<IpAddr>().is_err() => Err(ArmError::new(
            own_codes::ROUTE,
            format!("NextHopIpAddress {text} in route {name} is no IP address."),
        )),
        (false, Some(_)) => Err(ArmError::new(
            own_codes::ROUTE,
            format!(
                "NextHopIpAddress in route {name} must be empty when NextHopType is not \
                 VirtualAppliance."
            ),
        )),
        _ => Ok(()),
    }
}
