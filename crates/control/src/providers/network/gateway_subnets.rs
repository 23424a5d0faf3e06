//! What a gateway needs of its subnet. Judged whenever one of those that could break it is written:
//! the gateway, the subnet, the security group, the route table.

use gatewright_arm::model::network::ISOLATING_DELEGATE;
use gatewright_arm::{ArmError, ResourceId, read_network, shorten};
use gatewright_compile::compile_network;
use gatewright_snapshot::network::{ManagementPorts, NetworkPolicy, Prefix};
use gatewright_snapshot::{Generation, SubnetIndex};
use serde_json::{Value, json};

use super::own_codes;
use super::subnets::Subnet;
use super::virtual_networks::{NETWORKS, id_of, is_gateway_place, items, name_of, reference_of};
use crate::core::Core;
use crate::resources::document::Document;

/// Tiers of the first generation, of which the service asks nothing.
const FIRST_GENERATION: [&str; 2] = ["Standard", "WAF"];

/// A subnet with what is attached to it.
struct Place<'a> {
    subnet: &'a Value,
    network: &'a Value,
    group: Option<&'a Value>,
    table: Option<&'a Value>,
}

/// A gateway in a subnet.
pub(super) struct Tenant {
    pub(super) id: String,
    /// Whether it has no public address.
    pub(super) is_private: bool,
}

/// Judges a gateway that is about to be in a subnet.
///
/// # Errors
/// When something else is in the subnet, or its security group or route table does not suit the
/// gateway.
pub(super) async fn check_gateway(
    core: &Core,
    gateway: &Tenant,
    is_first_generation: bool,
    subnet: &Subnet,
) -> Result<(), ArmError> {
    let users = core.inventory.users(&subnet.id.to_string());
    if users.iter().any(|user| !is_of_a_gateway(user)) {
        return Err(other_resources(&subnet.id.to_string(), &gateway.id));
    }
    check_delegations(&subnet.body, &gateway.id)?;
    if is_first_generation {
        return Ok(());
    }
    let group = attached(core, &subnet.body, "networkSecurityGroup").await?;
    let table = attached(core, &subnet.body, "routeTable").await?;
    let place = Place {
        subnet: &subnet.body,
        network: &subnet.network,
        group: group.as_ref().map(|group| &*group.body),
        table: table.as_ref().map(|table| &*table.body),
    };
    check(&place, gateway)
}

/// Judges the subnets of a network of which the attachments change.
///
/// # Errors
/// As [`check_gateway`].
pub(super) async fn check_network(
    core: &Core,
    network: &Value,
    previous: Option<&Value>,
) -> Result<(), ArmError> {
    for subnet in items(network, "subnets") {
        let mut old = previous
            .into_iter()
            .flat_map(|before| items(before, "subnets"));
        let old = old.find(|old| id_of(old).eq_ignore_ascii_case(id_of(subnet)));
        let attachments = |subnet: &Value| {
            let attached = ["networkSecurityGroup", "routeTable"];
            let delegates: Vec<String> = delegates(subnet).map(str::to_owned).collect();
            (
                attached.map(|member| reference_of(subnet, member)),
                delegates,
            )
        };
        if old.is_some_and(|old| attachments(old) == attachments(subnet)) {
            continue;
        }
        if let Some(gateway) = gateway_in(core, id_of(subnet)) {
            check_delegations(subnet, &gateway)?;
        }
        let gateways = gateways_in(core, id_of(subnet)).await?;
        if gateways.is_empty() {
            continue;
        }
        let group = attached(core, subnet, "networkSecurityGroup").await?;
        let table = attached(core, subnet, "routeTable").await?;
        let place = Place {
            subnet,
            network,
            group: group.as_ref().map(|group| &*group.body),
            table: table.as_ref().map(|table| &*table.body),
        };
        for gateway in gateways {
            check(&place, &gateway)?;
        }
    }
    Ok(())
}

/// Judges a security group for the subnets that have it.
///
/// # Errors
/// As [`check_gateway`].
pub(super) async fn check_group(core: &Core, group: &Value) -> Result<(), ArmError> {
    check_attached(core, id_of(group), (Some(group), None)).await
}

/// Judges a route table for the subnets that have it.
///
/// # Errors
/// As [`check_gateway`].
pub(super) async fn check_table(core: &Core, table: &Value) -> Result<(), ArmError> {
    check_attached(core, id_of(table), (None, Some(table))).await
}

async fn check_attached(
    core: &Core,
    id: &str,
    (group, table): (Option<&Value>, Option<&Value>),
) -> Result<(), ArmError> {
    let kind = format!("{NETWORKS}/subnets");
    for subnet in core.inventory.users_of_type(id, &kind) {
        let gateways = gateways_in(core, &subnet).await?;
        let id = ResourceId::parse(&subnet).ok();
        let (Some(id), false) = (id, gateways.is_empty()) else {
            continue;
        };
        let Some(subnet) = core.subnet(&id).await? else {
            continue;
        };
        let place = Place {
            subnet: &subnet.body,
            network: &subnet.network,
            group,
            table,
        };
        for gateway in gateways {
            check(&place, &gateway)?;
        }
    }
    Ok(())
}

/// Refuses something else in the subnet of a gateway.
pub(super) fn check_other(core: &Core, subnet: &ResourceId) -> Result<(), ArmError> {
    let subnet = subnet.to_string();
    match gateway_in(core, &subnet) {
        Some(gateway) => Err(other_resources(&subnet, &gateway)),
        None => Ok(()),
    }
}

/// One of the gateways in a subnet, of any generation: its id.
fn gateway_in(core: &Core, subnet: &str) -> Option<String> {
    let users = core.inventory.users(subnet);
    let place = users.iter().find(|user| is_gateway_place(user))?;
    let gateway = ResourceId::parse(place).ok()?.parent()?;
    Some(gateway.to_string())
}

/// The services that a subnet is delegated to.
fn delegates(subnet: &Value) -> impl Iterator<Item = &str> {
    let names = items(subnet, "delegations").map(|one| one.pointer("/properties/serviceName"));
    names.filter_map(|name| name?.as_str())
}

fn is_own_delegate(name: &str) -> bool {
    name.eq_ignore_ascii_case(ISOLATING_DELEGATE)
}

/// A gateway's subnet is delegated to gateways or to nobody (documented).
fn check_delegations(subnet: &Value, gateway: &str) -> Result<(), ArmError> {
    let other = delegates(subnet).find(|name| !is_own_delegate(name));
    other.map_or(Ok(()), |name| {
        let message = format!(
            "Subnet {} cannot be used for application gateway {gateway} since it is delegated to \
             {}. A gateway's subnet is delegated to {ISOLATING_DELEGATE} or to nothing.",
            id_of(subnet),
            shorten(name)
        );
        Err(ArmError::new(own_codes::DELEGATION, message))
    })
}

fn other_resources(subnet: &str, gateway: &str) -> ArmError {
    ArmError::new(
        "ApplicationGatewaySubnetCannotHaveOtherResources",
        format!(
            "Subnet {subnet} cannot be used for application gateway {gateway} since it has other \
             resources deployed. Subnet used for application gateway can only have other \
             application gateways."
        ),
    )
}

fn is_of_a_gateway(user: &str) -> bool {
    user.to_ascii_lowercase().contains("/applicationgateways/")
}

/// The gateways of the second generation in a subnet.
async fn gateways_in(core: &Core, subnet: &str) -> Result<Vec<Tenant>, ArmError> {
    let mut gateways = Vec::new();
    for place in core.inventory.users(subnet) {
        let gateway = ResourceId::parse(&place)
            .ok()
            .and_then(|place| place.parent());
        let Some(id) = gateway.filter(|_| is_gateway_place(&place)) else {
            continue;
        };
        let Some(document) = core.document(&id).await? else {
            continue;
        };
        let tier = document.text("/properties/sku/tier");
        if tier.is_some_and(|tier| !FIRST_GENERATION.contains(&tier)) {
            let mut frontends = items(&document.body, "frontendIPConfigurations");
            gateways.push(Tenant {
                id: id.to_string(),
                is_private: !frontends.any(|one| reference_of(one, "publicIPAddress").is_some()),
            });
        }
    }
    Ok(gateways)
}

async fn attached(core: &Core, subnet: &Value, member: &str) -> Result<Option<Document>, ArmError> {
    match reference_of(subnet, member) {
        Some(id) => core.document(&id).await,
        None => Ok(None),
    }
}

/// Whether a gateway of the second generation can live in this place.
fn check(place: &Place<'_>, tenant: &Tenant) -> Result<(), ArmError> {
    let (subnet, gateway) = (id_of(place.subnet), tenant.id.as_str());
    if delegates(place.subnet).any(is_own_delegate) {
        return Ok(());
    }
    if tenant.is_private {
        let message = format!(
            "Application Gateway {gateway} with NetworkIsolation requires subnet delegation. \
             Please delegate subnet {subnet} to {ISOLATING_DELEGATE}."
        );
        let code = "ApplicationGatewayNetworkIsolationRequiresSubnetDelegation";
        return Err(ArmError::new(code, message));
    }
    if let Some(group) = place.group {
        check_inbound(place, group, gateway)?;
        check_outbound(group, subnet, gateway)?;
    }
    let Some(table) = place.table else {
        return Ok(());
    };
    let Some((route, hop)) = items(table, "routes").find_map(default_elsewhere) else {
        return Ok(());
    };
    Err(ArmError::new(
        "ApplicationGatewaySubnetUserDefinedRouteNotAllowed",
        format!(
            "Route Table {} is associated to subnet {subnet}, which contains V2 SKU Application \
             Gateway {gateway}. Route {route} for 0.0.0.0/0 has the next hop type {hop}; only \
             Internet is permitted.",
            id_of(table)
        ),
    ))
}

/// Whether the group lets the platform in.
fn check_inbound(place: &Place<'_>, group: &Value, gateway: &str) -> Result<(), ArmError> {
    let Some(policy) = policy(place, group) else {
        return Ok(());
    };
    let (group, subnet, at) = (id_of(group), id_of(place.subnet), SubnetIndex::new(0));
    let ports = policy.management_ports(at, Generation::V2);
    if matches!(ports, ManagementPorts::Denied { .. }) {
        let (first, last) = Generation::V2.management_ports();
        return Err(ArmError::new(
            "ApplicationGatewaySubnetInboundTrafficBlockedByNetworkSecurityGroup",
            format!(
                "Network security group {group} blocks incoming internet traffic on ports {first} \
                 - {last} to subnet {subnet}, associated with Application Gateway {gateway}. This \
                 is not permitted for Application Gateways that have V2 Sku."
            ),
        ));
    }
    Ok(())
}

/// Whether no rule of the group denies anything that a gateway sends by TCP. The service looks at
/// no more than that: not at where it leads, nor at rules before it that allow the same (reported
/// by its users, azure-docs #84599 and #87202).
fn check_outbound(group: &Value, subnet: &str, gateway: &str) -> Result<(), ArmError> {
    let is_denial = |rule: &Value| {
        let is = |name: &str, word: &str| {
            let text = rule.pointer(&format!("/properties/{name}"));
            text.and_then(Value::as_str) == Some(word)
        };
        let is_meant = is("protocol", "Tcp") || is("protocol", "*");
        is("direction", "Outbound") && is("access", "Deny") && is_meant
    };
    if !items(group, "securityRules").any(is_denial) {
        return Ok(());
    }
    let message = format!(
        "Network security group {} blocks outgoing Internet traffic on subnet {subnet}, associated \
         with Application Gateway {gateway}. This is not permitted for Application Gateways that \
         have fast update enabled or have V2 Sku.",
        id_of(group)
    );
    let code = "ApplicationGatewaySubnetOutboundTrafficBlockedByNetworkSecurityGroup";
    Err(ArmError::new(code, message))
}

/// The name and the next hop of a route for the whole Internet that leads elsewhere.
fn default_elsewhere(route: &Value) -> Option<(&str, &str)> {
    let bag = route.get("properties")?;
    let prefix: Prefix = bag.get("addressPrefix")?.as_str()?.parse().ok()?;
    let hop = bag.get("nextHopType")?.as_str()?;
    let is_elsewhere = prefix == Prefix::ALL_V4 && hop != "Internet";
    is_elsewhere.then(|| (name_of(route), hop))
}

/// The policy of the subnet alone; `None` where it cannot be judged. Rules that cannot be evaluated
/// are skipped, as for traffic.
fn policy(place: &Place<'_>, group: &Value) -> Option<NetworkPolicy> {
    let mut network = place.network.clone();
    network["properties"]["subnets"] = json!([place.subnet]);
    network["properties"]["virtualNetworkPeerings"] = json!([]);
    let mut documents = Vec::new();
    for body in [&network, group] {
        match read_network(body) {
            Ok(report) => documents.push(report.resources),
            Err(error) => {
                tracing::warn!("a security group cannot be judged: {error}");
                return None;
            }
        }
    }
    let Ok(compiled) = compile_network(&documents, &[]) else {
        tracing::warn!("the security group {} cannot be evaluated", id_of(group));
        return None;
    };
    let has_subnet = !compiled.policy.subnets().is_empty();
    has_subnet.then_some(compiled.policy)
}
