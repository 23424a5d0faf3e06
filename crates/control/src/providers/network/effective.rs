//! What holds for a network interface in the end: routes and security rules.

use std::net::IpAddr;
use std::sync::Arc;

use gatewright_arm::{ArmError, ResourceId};
use gatewright_snapshot::SubnetIndex;
use gatewright_snapshot::network::{Attachment, NextHop, Route, RouteTable};
use gatewright_store::Pending;
use hyper::Method;
use serde_json::{Value, json};

use super::gateways::ask_later;
use super::interfaces::INTERFACES;
use super::picture::{self, is_primary, unknown};
use super::security_rules::texts;
use super::subnets::{Subnet, ranges};
use super::virtual_networks::{id_of, items, name_of, reference_of};
use crate::context::{Context, Handler, handler};
use crate::core::Core;
use crate::front::answer::Answer;
use crate::front::router;
use crate::resources::document::Document;
use crate::resources::edit::not_found_part;
use crate::routes::{action, route};

pub(super) fn routes() -> Vec<router::Route> {
    let post = |word: &str, handler: Handler| {
        let pattern = format!(
            "/subscriptions/{{subscription}}/resourceGroups/{{group}}/providers/{INTERFACES}/\
             {{name}}/{word}"
        );
        let access = action(INTERFACES, &format!("{word}/action"));
        route(Method::POST, pattern, access, handler)
    };
    vec![
        post("effectiveRouteTable", handler(effective_routes)),
        post("effectiveNetworkSecurityGroups", handler(effective_groups)),
    ]
}

async fn effective_routes(context: Context) -> Result<Answer, ArmError> {
    let id = context.resource_id(1)?;
    context.document(&id).await?;
    let ask = |core: Arc<Core>, id: ResourceId| -> Pending<'static, _> {
        Box::pin(async move { routes_of(&core, &id).await })
    };
    Ok(ask_later(&context, id, ask))
}

async fn effective_groups(context: Context) -> Result<Answer, ArmError> {
    let id = context.resource_id(1)?;
    context.document(&id).await?;
    let ask = |core: Arc<Core>, id: ResourceId| -> Pending<'static, _> {
        Box::pin(async move { groups_of(&core, &id).await })
    };
    Ok(ask_later(&context, id, ask))
}

/// The interface, and the subnet of its primary IP configuration.
async fn place_of(core: &Core, id: &ResourceId) -> Result<(Document, Subnet), ArmError> {
    let missing = || not_found_part(id);
    let interface = core.document(id).await?.ok_or_else(missing)?;
    let primary = items(&interface.body, "ipConfigurations").find(|one| is_primary(one));
    let subnet = primary
        .and_then(|one| reference_of(one, "subnet"))
        .ok_or_else(missing)?;
    let subnet = core.subnet(&subnet).await?.ok_or_else(missing)?;
    Ok((interface, subnet))
}

async fn routes_of(core: &Core, id: &ResourceId) -> Result<Value, ArmError> {
    let (_, subnet) = place_of(core, id).await?;
    let mut network = Value::clone(&subnet.network);
    network["properties"]["subnets"] = json!([subnet.body]);
    let table = match reference_of(&subnet.body, "routeTable") {
        Some(id) => core.document(&id).await?,
        None => None,
    };
    let bodies = [Some(Arc::new(network)), table.map(|table| table.body)];
    let policy = picture::compile(bodies.iter().flatten().map(|body| &**body))?;
    let Some(own) = policy.subnets().first() else {
        return Err(unknown("its subnet cannot be read"));
    };
    let table = match own.route_table {
        Attachment::Known(index) => policy.route_tables().get(index.position()),
        Attachment::None | Attachment::Missing(_) => None,
    };
    let has_ipv6 = ranges(&subnet.body).iter().any(|range| !range.is_ipv4());
    let users = table.map_or(&[][..], RouteTable::routes);
    let is_shown = |route: &&Route| route.prefix.is_ipv4() || has_ipv6;
    let service = policy.service_routes(SubnetIndex::new(0)).filter(is_shown);
    let service = service.map(|route| {
        let is_replaced = users.iter().any(|user| user.prefix == route.prefix);
        shown_route(route, "Default", is_replaced)
    });
    let users = users.iter().map(|route| shown_route(route, "User", false));
    let mut value: Vec<Value> = service.chain(users).collect();
    let ignores = table.is_some_and(|table| table.ignores_learned_routes);
    for route in &mut value {
        route["disableBgpRoutePropagation"] = json!(ignores);
    }
    Ok(json!({ "value": value }))
}

fn shown_route(route: &Route, source: &str, is_replaced: bool) -> Value {
    let (hop, addresses) = match &route.next_hop {
        NextHop::VnetLocal => ("VnetLocal", &[][..]),
        NextHop::VnetPeering => ("VNetPeering", &[][..]),
        NextHop::Internet => ("Internet", &[][..]),
        NextHop::VirtualNetworkGateway => ("VirtualNetworkGateway", &[][..]),
        NextHop::VirtualAppliance(addresses) => ("VirtualAppliance", addresses.as_slice()),
        NextHop::None => ("None", &[][..]),
    };
    let addresses: Vec<String> = addresses.iter().map(IpAddr::to_string).collect();
    let mut shown = json!({
        "source": source,
        "state": if is_replaced { "Invalid" } else { "Active" },
        "addressPrefix": [route.prefix.to_string()],
        "nextHopType": hop,
        "nextHopIpAddress": addresses,
    });
    if !route.name.is_empty() {
        shown["name"] = json!(route.name);
    }
    shown
}

async fn groups_of(core: &Core, id: &ResourceId) -> Result<Value, ArmError> {
    let (interface, subnet) = place_of(core, id).await?;
    let places = [
        ("subnet", &subnet.body, subnet.id.to_string()),
        ("networkInterface", &interface.body, id.to_string()),
    ];
    let mut value = Vec::new();
    for (association, body, place) in places {
        let group = reference_of(body, "networkSecurityGroup");
        let group = match &group {
            Some(id) => core.document(id).await?,
            None => None,
        };
        let Some(group) = group else {
            continue;
        };
        let mut rules = Vec::new();
        for collection in ["securityRules", "defaultSecurityRules"] {
            let all = items(&group.body, collection);
            rules.extend(all.map(|rule| shown_rule(rule, collection, &subnet.network)));
        }
        value.push(json!({
            "networkSecurityGroup": {"id": id_of(&group.body)},
            "association": {association: {"id": place}},
            "effectiveSecurityRules": rules,
        }));
    }
    Ok(json!({ "value": value }))
}

fn shown_rule(rule: &Value, collection: &str, network: &Value) -> Value {
    let bag = |name: &str| rule.pointer(&format!("/properties/{name}")).cloned();
    let protocol = match bag("protocol") {
        Some(Value::String(text)) if text != "*" => text,
        _ => "All".to_owned(),
    };
    let mut shown = json!({
        "name": format!("{collection}/{}", name_of(rule)),
        "protocol": protocol,
    });
    for side in ["source", "destination"] {
        let ports = texts(
            rule,
            &format!("{side}PortRange"),
            &format!("{side}PortRanges"),
        );
        let ports: Vec<String> = ports.into_iter().map(port_range).collect();
        shown[format!("{side}PortRange")] = json!(ports.join(","));
        shown[format!("{side}PortRanges")] = json!(ports);
    }
    for side in ["source", "destination"] {
        let names = (
            format!("{side}AddressPrefix"),
            format!("{side}AddressPrefixes"),
        );
        let prefixes = texts(rule, &names.0, &names.1);
        let prefixes: Vec<&str> = prefixes.into_iter().map(everywhere).collect();
        if prefixes.contains(&"VirtualNetwork") {
            let mut word = side.to_owned();
            word.get_mut(..1).map(str::make_ascii_uppercase);
            shown[format!("expanded{word}AddressPrefix")] = network_prefixes(network);
        }
        shown[names.0] = json!(prefixes.join(","));
        shown[names.1] = json!(prefixes);
    }
    for name in ["access", "priority", "direction"] {
        shown[name] = bag(name).unwrap_or_default();
    }
    shown
}

/// `80` is `80-80` here.
fn port_range(text: &str) -> String {
    match text {
        "*" => "0-65535".to_owned(),
        range if range.contains('-') => range.to_owned(),
        port => format!("{port}-{port}"),
    }
}

fn everywhere(prefix: &str) -> &str {
    match prefix {
        "*" => "0.0.0.0/0",
        prefix => prefix,
    }
}

/// What the tag `VirtualNetwork` means in a network: its space, those of its peers, the host.
fn network_prefixes(network: &Value) -> Value {
    const HOST: &str = "168.63.129.16/32";
    let own = network.pointer("/properties/addressSpace/addressPrefixes");
    let peers = items(network, "virtualNetworkPeerings")
        .filter(|peering| peering.pointer("/properties/peeringState") == Some(&json!("Connected")));
    let peers = peers
        .filter_map(|peering| peering.pointer("/properties/remoteAddressSpace/addressPrefixes"));
    let all = own
        .into_iter()
        .chain(peers)
        .filter_map(Value::as_array)
        .flatten();
    let mut all: Vec<Value> = all.cloned().collect();
    all.push(json!(HOST));
    all.into()
}
