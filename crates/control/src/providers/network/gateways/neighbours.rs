//! What a gateway has of its neighbours: addresses of a subnet, a public address, the interfaces in
//! its pools; and what they have to say to it.

use gatewright_arm::model::{BackendAddress, ForeignResource, IpAllocationMethod, SkuTier};
use gatewright_arm::{ApplicationGateway, ArmError, ResourceId};
use serde_json::{Map, Value, json};

use crate::core::Core;
use crate::providers::network::addresses::{Allocation, Wish};
use crate::providers::network::gateway_subnets::{self, Tenant};
use crate::providers::network::interfaces::{INTERFACES, address_of};
use crate::providers::network::public_ips;
use crate::providers::network::virtual_networks::{id_of, items};
use crate::resources::kind::Put;

/// The note of the addresses of interfaces in pools: by the pool's name, in lower case.
const INTERFACE_ADDRESSES: &str = "interfaceAddresses";

/// Puts the interfaces that joined its pools into a gateway; answers their addresses.
pub(super) async fn join_interfaces(
    core: &Core,
    id: &ResourceId,
    gateway: &mut ApplicationGateway,
) -> Result<Value, ArmError> {
    let kind = format!("{INTERFACES}/ipConfigurations");
    let mut addresses = Map::new();
    for pool in &mut gateway.properties.backend_address_pools {
        pool.properties.backend_ip_configurations.clear();
        let pool_id = id.child("backendAddressPools", &pool.name).to_string();
        let mut of_pool = Vec::new();
        for user in core.inventory.users_of_type(&pool_id, &kind) {
            let Some(address) = interface_address(core, &user).await? else {
                continue;
            };
            of_pool.push(address);
            pool.properties
                .backend_ip_configurations
                .push(ForeignResource { id: Some(user) });
        }
        if !of_pool.is_empty() {
            addresses.insert(pool.name.to_ascii_lowercase(), json!(of_pool));
        }
    }
    Ok(Value::Object(addresses))
}

/// The address of an IP configuration, unless its interface is about to go.
async fn interface_address(core: &Core, configuration: &str) -> Result<Option<String>, ArmError> {
    let interface = ResourceId::parse(configuration)
        .ok()
        .and_then(|id| id.parent());
    let Some(interface) = interface else {
        return Ok(None);
    };
    let document = core.document(&interface).await?;
    let document = document.filter(|document| document.state() != Some("Deleting"));
    Ok(document.and_then(|document| {
        let mut all = items(&document.body, "ipConfigurations");
        let found = all.find(|one| id_of(one).eq_ignore_ascii_case(configuration))?;
        Some(address_of(found).to_owned()).filter(|address| !address.is_empty())
    }))
}

/// Remembers the addresses of interfaces beside what is remembered already.
pub(super) fn noted(put: &Put<'_>, addresses: Value) -> Value {
    let mut notes = put
        .previous
        .map_or(Value::Null, |before| before.notes.clone());
    if !notes.is_object() {
        notes = json!({});
    }
    notes[INTERFACE_ADDRESSES] = addresses;
    notes
}

/// Whether interfaces are, or were, in its pools.
pub(super) fn has_interfaces(gateway: &ApplicationGateway, notes: &Value) -> bool {
    let noted = notes.get(INTERFACE_ADDRESSES).and_then(Value::as_object);
    noted.is_some_and(|addresses| !addresses.is_empty())
        || gateway
            .properties
            .backend_address_pools
            .iter()
            .any(|pool| !pool.properties.backend_ip_configurations.is_empty())
}

/// Makes servers of the interfaces in the pools of a gateway that is to be served.
pub(super) fn serve_interfaces(gateway: &mut ApplicationGateway, notes: &Value) {
    for pool in &mut gateway.properties.backend_address_pools {
        pool.properties.backend_ip_configurations.clear();
        let addresses = notes.get(INTERFACE_ADDRESSES);
        let addresses = addresses.and_then(|all| all.get(pool.name.to_ascii_lowercase()));
        for address in addresses.and_then(Value::as_array).into_iter().flatten() {
            pool.properties.backend_addresses.push(BackendAddress {
                ip_address: address.as_str().map(str::to_owned),
                ..BackendAddress::default()
            });
        }
    }
}

/// Instances of a gateway whose SKU does not say how many.
const DEFAULT_INSTANCES: i32 = 2;

/// Says of the identities that a gateway acts under who they are.
pub(super) async fn introduce_identities(
    core: &Core,
    gateway: &mut ApplicationGateway,
) -> Result<(), ArmError> {
    let identities = gateway.identity.iter_mut();
    for (id, shown) in identities.flat_map(|one| &mut one.user_assigned_identities) {
        let document = match ResourceId::parse(id) {
            Ok(id) => core.document(&id).await?,
            Err(_) => None,
        };
        let text = |pointer: &str| Some(document.as_ref()?.text(pointer)?.to_owned());
        shown.principal_id = text("/properties/principalId");
        shown.client_id = text("/properties/clientId");
    }
    Ok(())
}

/// Gives the private frontends their addresses, and sees to it that the public ones are free.
///
/// # Errors
/// When an address cannot be had.
pub(super) async fn give_addresses(
    core: &Core,
    put: &Put<'_>,
    gateway: &mut ApplicationGateway,
    previous: Option<&ApplicationGateway>,
) -> Result<(), ArmError> {
    let id = put.own_id();
    let tier = gateway.tier().filter(|tier| !tier.is_v1());
    let sku = gateway.properties.sku.as_ref();
    let instances = sku
        .and_then(|sku| sku.capacity)
        .unwrap_or(DEFAULT_INSTANCES);
    let mut allocation = Allocation::new(&core.inventory, id);
    for frontend in &mut gateway.properties.frontend_ip_configurations {
        let user = id
            .child("frontendIPConfigurations", &frontend.name)
            .to_string();
        let properties = &mut frontend.properties;
        let public = properties.public_ip_address.as_ref();
        if let Some(public) = public.and_then(|one| ResourceId::parse(&one.id).ok()) {
            public_ips::check_use(&core.inventory, id, &user, &public)?;
            if put.replaces {
                check_public_sku(core, id, tier, &public).await?;
            }
        }
        let subnet = properties.subnet.as_ref();
        let Some(subnet) = subnet.and_then(|one| ResourceId::parse(&one.id).ok()) else {
            continue;
        };
        // One that does not exist is refused later, as every such reference.
        let Some(subnet) = core.subnet(&subnet).await? else {
            continue;
        };
        let method = properties.private_ip_allocation_method;
        let is_static = method == Some(IpAllocationMethod::Static);
        let before = previous.and_then(|before| {
            let mut all = before.properties.frontend_ip_configurations.iter();
            let same = all.find(|one| one.is_named(&frontend.name))?;
            same.properties.private_ip_address.as_deref()
        });
        let wish = Wish {
            user: &user,
            fixed: properties
                .private_ip_address
                .as_deref()
                .filter(|_| is_static),
            before,
            is_ipv6: false,
            // The service gives its instances the first ones (recorded: two, and then 10.0.0.6).
            left: usize::try_from(instances).unwrap_or_default(),
        };
        let address = allocation.give(&subnet, &wish)?;
        properties.private_ip_address = Some(address.to_string());
    }
    Ok(())
}

/// Whether a gateway of this tier of the second generation may have this public address.
///
/// # Errors
/// For a Basic address; in the service's words, as its users report them.
async fn check_public_sku(
    core: &Core,
    id: &ResourceId,
    tier: Option<SkuTier>,
    address: &ResourceId,
) -> Result<(), ArmError> {
    let Some(tier) = tier else {
        return Ok(());
    };
    // One that does not exist is refused later, as every such reference.
    let document = core.document(address).await?;
    let sku = document.as_ref().and_then(|one| public_ips::sku(&one.body));
    if sku != Some("Basic") {
        return Ok(());
    }
    let message = format!(
        "Application gateway {id} with SKU {} can only reference public ip with Standard SKU.",
        tier.as_str()
    );
    Err(ArmError::new(
        "ApplicationGatewayInvalidPublicIpSku",
        message,
    ))
}

/// Asks the subnet whether the gateway may be in it.
///
/// # Errors
/// When it may not; see [`gateway_subnets::check_gateway`].
pub(super) async fn check_subnet(
    core: &Core,
    id: &ResourceId,
    gateway: &ApplicationGateway,
) -> Result<(), ArmError> {
    let mut frontends = gateway.properties.frontend_ip_configurations.iter();
    let is_private = !frontends.any(|one| one.properties.public_ip_address.is_some());
    for place in &gateway.properties.gateway_ip_configurations {
        let subnet = place.properties.subnet.as_ref();
        let Some(subnet) = subnet.and_then(|one| ResourceId::parse(&one.id).ok()) else {
            continue;
        };
        if let Some(subnet) = core.subnet(&subnet).await? {
            let tenant = Tenant {
                id: id.to_string(),
                is_private,
            };
            gateway_subnets::check_gateway(core, &tenant, gateway.is_v1(), &subnet).await?;
        }
    }
    Ok(())
}
