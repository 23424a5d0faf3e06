//! Network interfaces.

use gatewright_arm::{ApiVersion, ArmError, ResourceId};
use gatewright_store::Pending;
use serde_json::{Value, json};

use super::addresses::{Allocation, Wish};
use super::virtual_networks::{check_name_servers, id_of, items, items_mut, name_of, reference_of};
use super::{gateway_subnets, own_codes, public_ips};
use crate::core::Core;
use crate::providers::compute::MACHINES;
use crate::resources::document::Document;
use crate::resources::inventory::Inventory;
use crate::resources::kind::{Kind, Part, Prepared, Put};
use crate::resources::shape::{
    Bounds, Form, Member, Shape, computed, defaulted, dropped, guid, insert_before, member, server,
};

pub(super) const INTERFACES: &str = "Microsoft.Network/networkInterfaces";

/// What stands in the place of an interface's name servers for those of the platform.
const PROVIDED_SERVER: &str = "AzureProvidedDNS";

/// The member that lists the pools of gateways that an IP configuration is in.
const POOLS: &str = "applicationGatewayBackendAddressPools";

const INTERFACE: Shape = Shape {
    type_last: true,
    head: &[member("tags", Form::Any)],
    properties: &[
        guid("resourceGuid"),
        defaulted("ipConfigurations", Form::Items(&CONFIGURATION), "[]"),
        defaulted(
            "dnsSettings",
            Form::Closed("NetworkInterfaceDnsSettings", DNS_SETTINGS),
            "{}",
        ),
        server("macAddress"),
        defaulted("enableAcceleratedNetworking", Form::Boolean, "false"),
        computed("vnetEncryptionSupported", "false"),
        defaulted("enableIPForwarding", Form::Boolean, "false"),
        defaulted("disableTcpStateTracking", Form::Boolean, "false"),
        member("networkSecurityGroup", Form::Reference),
        server("primary"),
        server("virtualMachine"),
        computed("hostedWorkloads", "[]"),
        computed("tapConfigurations", "[]"),
        defaulted(
            "nicType",
            Form::Word(&["Standard", "Elastic"]),
            "\"Standard\"",
        ),
        computed("allowPort25Out", "true"),
        defaulted("auxiliaryMode", Form::Text, "\"None\""),
        defaulted("auxiliarySku", Form::Text, "\"None\""),
    ],
    tail: &[
        member("location", Form::Text),
        member("extendedLocation", Form::Any),
        computed("kind", "\"Regular\""),
    ],
    bounds: Bounds::These {
        contract: "NetworkInterfaceProperties",
        others: &[
            "defaultOutboundConnectivityEnabled",
            "dscpConfiguration",
            "interfaceEndpoint",
            "migrationPhase",
            "privateEndpoint",
            "privateLinkService",
            "workloadType",
        ],
    },
};

const DNS_SETTINGS: &[Member] = &[
    defaulted("dnsServers", Form::Texts, "[]"),
    computed("appliedDnsServers", "[]"),
    member("internalDnsNameLabel", Form::Text),
    dropped("internalFqdn"),
    computed("internalDomainNameSuffix", "\"internal.cloudapp.local\""),
];

const CONFIGURATION: Shape = Shape {
    type_last: false,
    head: &[],
    properties: &[
        member("privateIPAddress", Form::Text),
        defaulted(
            "privateIPAllocationMethod",
            Form::Word(&["Dynamic", "Static"]),
            "\"Dynamic\"",
        ),
        member("publicIPAddress", Form::Reference),
        member("subnet", Form::Reference),
        member("primary", Form::Boolean),
        defaulted(
            "privateIPAddressVersion",
            Form::Word(&["IPv4", "IPv6"]),
            "\"IPv4\"",
        ),
        member("loadBalancerBackendAddressPools", Form::References),
        member("loadBalancerInboundNatRules", Form::References),
        member(POOLS, Form::References),
        member("applicationSecurityGroups", Form::References),
    ],
    tail: &[],
    bounds: Bounds::These {
        contract: "NetworkInterfaceIPConfigurationProperties",
        others: &[
            "gatewayLoadBalancer",
            "privateIPAddressPrefixLength",
            "privateLinkConnectionProperties",
            "virtualNetworkTaps",
        ],
    },
};

pub(crate) struct Interfaces;

impl Kind for Interfaces {
    fn name(&self) -> &'static str {
        INTERFACES
    }

    fn parts(&self) -> &'static [Part] {
        &[Part {
            collection: "ipConfigurations",
            is_writable: false,
        }]
    }

    /// Recorded under 2022-01-01 and 2022-11-01.
    fn leave_out(&self, shown: &mut Document, api_version: ApiVersion) {
        if api_version >= ApiVersion::new(2022, 11, 1) {
            return;
        }
        let properties = shown.edit().get_mut("properties");
        let properties = properties.and_then(Value::as_object_mut);
        if let Some(properties) = properties {
            for newer in ["disableTcpStateTracking", "auxiliarySku"] {
                properties.shift_remove(newer);
            }
        }
    }

    fn prepare<'a>(
        &'a self,
        core: &'a Core,
        put: Put<'a>,
    ) -> Pending<'a, Result<Prepared, ArmError>> {
        Box::pin(async move {
            let previous = put.previous_body();
            let mut body = put.shaped(&INTERFACE)?;
            choose_primary(put.id, &mut body)?;
            check_pools(put.id, &body)?;
            let settings = body.pointer("/properties/dnsSettings");
            check_name_servers(settings, Some(PROVIDED_SERVER))?;
            connect(core, put.id, &mut body, previous).await?;
            Ok(Prepared::of(body))
        })
    }

    fn present(&self, shown: &mut Document, inventory: &Inventory) {
        let machine = machine_of(shown, inventory);
        let body = shown.edit();
        for configuration in items_mut(body, "ipConfigurations") {
            let bag = configuration
                .get_mut("properties")
                .and_then(Value::as_object_mut);
            let Some(bag) = bag else {
                continue;
            };
            // A pool may be gone since.
            let Some(Value::Array(pools)) = bag.get_mut(POOLS) else {
                continue;
            };
            pools.retain(|pool| inventory.contains_item(id_of(pool)));
            if pools.is_empty() {
                bag.shift_remove(POOLS);
            }
        }
        if let Some(machine) = machine {
            let bag = &mut body["properties"];
            insert_before(bag, "hostedWorkloads", "primary", json!(true));
            insert_before(
                bag,
                "hostedWorkloads",
                "virtualMachine",
                json!({ "id": machine }),
            );
        }
    }

    fn refuse_delete(
        &self,
        document: &Document,
        _: &ResourceId,
        inventory: &Inventory,
    ) -> Option<ArmError> {
        let machine = machine_of(document, inventory)?;
        Some(ArmError::new(
            "NicInUse",
            format!(
                "Network Interface {} is used by existing resource {machine}. In order to delete \
                 the network interface, it must be dissociated from the resource. To learn more, \
                 see aka.ms/deletenic.",
                document.id
            ),
        ))
    }

    /// The gateways in whose pools it is, or was, at an address that changed.
    fn touches(&self, before: Option<&Value>, after: Option<&Value>) -> Vec<ResourceId> {
        let (before, after) = (memberships(before), memberships(after));
        let gone = before.iter().filter(|one| !after.contains(one));
        let new = after.iter().filter(|one| !before.contains(one));
        let mut gateways: Vec<ResourceId> = Vec::new();
        for (pool, ..) in gone.chain(new) {
            let gateway = ResourceId::parse(pool).ok().and_then(|pool| pool.parent());
            gateways.extend(gateway.filter(|gateway| !gateways.contains(gateway)));
        }
        gateways
    }
}

/// A pool, the IP configuration that is in it, and its address.
type Membership = (String, String, String);

fn memberships(body: Option<&Value>) -> Vec<Membership> {
    let configurations = body
        .into_iter()
        .flat_map(|body| items(body, "ipConfigurations"));
    let mut found = Vec::new();
    for configuration in configurations {
        for pool in pools(configuration) {
            found.push((
                pool.to_owned(),
                id_of(configuration).to_owned(),
                address_of(configuration).to_owned(),
            ));
        }
    }
    found
}

/// The ids of the pools that an IP configuration is in.
fn pools(configuration: &Value) -> impl Iterator<Item = &str> {
    let pools = configuration
        .get("properties")
        .and_then(|bag| bag.get(POOLS));
    pools
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(id_of)
}

/// The private address of an IP configuration.
pub(super) fn address_of(configuration: &Value) -> &str {
    let bag = configuration.get("properties");
    let address = bag.and_then(|bag| bag.get("privateIPAddress")?.as_str());
    address.unwrap_or_default()
}

fn machine_of(document: &Document, inventory: &Inventory) -> Option<String> {
    let users = inventory.users_of_type(&document.id.to_string(), MACHINES);
    users.into_iter().next()
}

/// One IP configuration is the primary one: the first, where nothing is said.
fn choose_primary(id: &ResourceId, body: &mut Value) -> Result<(), ArmError> {
    let is_primary = |one: &Value| one.pointer("/properties/primary") == Some(&json!(true));
    let count = items(body, "ipConfigurations").count();
    let primaries = items(body, "ipConfigurations")
        .filter(|one| is_primary(one))
        .count();
    let refuse = |code: &str, what: &str| {
        let message = format!("Network interface {id} must have {what}.");
        Err(ArmError::new(code, message))
    };
    match (count, primaries) {
        (0, _) => {
            return refuse(own_codes::INTERFACE, "an IP configuration");
        }
        (_, 0 | 1) => {}
        _ => {
            let what = "one primary IP configuration, and no more";
            return refuse(own_codes::INTERFACE, what);
        }
    }
    for (position, configuration) in items_mut(body, "ipConfigurations").enumerate() {
        let is_first = primaries == 0 && position == 0;
        let value = json!(is_primary(configuration) || is_first);
        let bag = &mut configuration["properties"];
        insert_before(bag, "privateIPAddressVersion", "primary", value);
    }
    Ok(())
}

fn check_pools(id: &ResourceId, body: &Value) -> Result<(), ArmError> {
    let is_secondary = |one: &&Value| one.pointer("/properties/primary") == Some(&json!(false));
    let mut secondary = items(body, "ipConfigurations").filter(is_secondary);
    let Some(one) = secondary.find(|one| pools(one).next().is_some()) else {
        return Ok(());
    };
    let name = name_of(one);
    Err(ArmError::new(
        "ApplicationGatewayLoadBalancingNotSupportedOnSecondaryIpConfigurations",
        format!(
            "Network Interface with Id: {id} has a secondary IpConfigurations {name} is using \
             ApplicationGatewayAddressPools. ApplicationGateway loadbalancing is not supported for \
             secondary IpConfigurations."
        ),
    ))
}

/// Gives each IP configuration its private address, and sees to it that its public one is free.
async fn connect(
    core: &Core,
    id: &ResourceId,
    body: &mut Value,
    previous: Option<&Value>,
) -> Result<(), ArmError> {
    let mut allocation = Allocation::new(&core.inventory, id);
    for configuration in items_mut(body, "ipConfigurations") {
        public_ips::check_free(&core.inventory, id, configuration)?;
        let user = id_of(configuration).to_owned();
        let Some(subnet) = reference_of(configuration, "subnet") else {
            let message = format!("Subnet reference is required for ipconfiguration {user}.");
            return Err(ArmError::new("SubnetIsRequired", message));
        };
        // One that does not exist is refused later, as every such reference.
        let Some(subnet) = core.subnet(&subnet).await? else {
            continue;
        };
        gateway_subnets::check_other(core, &subnet.id)?;
        let old = previous
            .into_iter()
            .flat_map(|before| items(before, "ipConfigurations"));
        let mut old = old.filter(|old| id_of(old).eq_ignore_ascii_case(&user));
        let old = old
            .next()
            .filter(|old| reference_of(old, "subnet").as_ref() == Some(&subnet.id));
        let text = |name: &str| configuration.get("properties")?.get(name)?.as_str();
        let is_static = text("privateIPAllocationMethod") == Some("Static");
        let wish = Wish {
            user: &user,
            fixed: text("privateIPAddress").filter(|_| is_static),
            before: old.map(address_of),
            is_ipv6: text("privateIPAddressVersion") == Some("IPv6"),
            left: 0,
        };
        let address = allocation.give(&subnet, &wish)?.to_string();
        let bag = &mut configuration["properties"];
        insert_before(
            bag,
            "privateIPAllocationMethod",
            "privateIPAddress",
            json!(address),
        );
    }
    Ok(())
}
