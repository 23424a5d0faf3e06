//! Virtual networks and their subnets.

use gatewright_arm::{ArmError, ResourceId};
use gatewright_store::Pending;
use serde_json::{Value, json};

use crate::core::Core;
use crate::resources::document::Document;
use crate::resources::inventory::Inventory;
use crate::resources::kind::{Kind, Part, Prepared, Put};
use crate::resources::shape::{self, Form, Member, defaulted, dropped, guid, member, server};

const TOP: &[Member] = &[
    member("location", Form::Text),
    defaulted("tags", Form::Any, "{}"),
    member("extendedLocation", Form::Any),
];

const POLICY: &[&str] = &[
    "Disabled",
    "Enabled",
    "NetworkSecurityGroupEnabled",
    "RouteTableEnabled",
];

const SUBNET: &[Member] = &[
    member("addressPrefix", Form::Text),
    member("addressPrefixes", Form::Texts),
    member("networkSecurityGroup", Form::Reference),
    member("routeTable", Form::Reference),
    member("natGateway", Form::Reference),
    server("ipConfigurations"),
    server("applicationGatewayIPConfigurations"),
    member("serviceEndpoints", Form::Any),
    defaulted("delegations", Form::Any, "[]"),
    defaulted(
        "privateEndpointNetworkPolicies",
        Form::Word(POLICY),
        "\"Disabled\"",
    ),
    defaulted(
        "privateLinkServiceNetworkPolicies",
        Form::Word(POLICY),
        "\"Enabled\"",
    ),
    member("defaultOutboundAccess", Form::Boolean),
];

const PROPERTIES: &[Member] = &[
    guid("resourceGuid"),
    defaulted("addressSpace", Form::Object(ADDRESS_SPACE), "{}"),
    member("dhcpOptions", Form::Object(DHCP_OPTIONS)),
    member("encryption", Form::Any),
    member("flowTimeoutInMinutes", Form::Integer(4, 30)),
    defaulted(
        "privateEndpointVNetPolicies",
        Form::Word(POLICY),
        "\"Disabled\"",
    ),
    defaulted("subnets", Form::Items(SUBNET), "[]"),
    defaulted("virtualNetworkPeerings", Form::Items(PEERING), "[]"),
    defaulted("enableDdosProtection", Form::Boolean, "false"),
    dropped("enableVmProtection"),
];

const ADDRESS_SPACE: &[Member] = &[defaulted("addressPrefixes", Form::Texts, "[]")];

const DHCP_OPTIONS: &[Member] = &[defaulted("dnsServers", Form::Texts, "[]")];

const PEERING: &[Member] = &[
    defaulted("peeringState", Form::Text, "\"Connected\""),
    member("remoteVirtualNetwork", Form::Reference),
    defaulted("allowVirtualNetworkAccess", Form::Boolean, "true"),
    defaulted("allowForwardedTraffic", Form::Boolean, "false"),
    defaulted("allowGatewayTransit", Form::Boolean, "false"),
    defaulted("useRemoteGateways", Form::Boolean, "false"),
    member("remoteAddressSpace", Form::Object(ADDRESS_SPACE)),
];

pub(crate) struct VirtualNetworks;

impl Kind for VirtualNetworks {
    fn name(&self) -> &'static str {
        "Microsoft.Network/virtualNetworks"
    }

    fn parts(&self) -> &'static [Part] {
        &[
            Part {
                collection: "subnets",
            },
            Part {
                collection: "virtualNetworkPeerings",
            },
        ]
    }

    fn prepare<'a>(
        &'a self,
        _core: &'a Core,
        put: Put<'a>,
    ) -> Pending<'a, Result<Prepared, ArmError>> {
        Box::pin(async move {
            let previous = put.previous.map(|before| &before.body);
            let body = shape::resource(put.id, (TOP, PROPERTIES), put.body, previous)?;
            Ok(Prepared {
                body,
                ..Prepared::default()
            })
        })
    }

    fn present(&self, document: &Document, inventory: &Inventory) -> Value {
        let mut body = document.body.clone();
        let subnets = body
            .pointer_mut("/properties/subnets")
            .and_then(Value::as_array_mut);
        for subnet in subnets.into_iter().flatten() {
            let id = subnet
                .get("id")
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned();
            let (gateways, others): (Vec<String>, Vec<String>) =
                inventory.users(&id).into_iter().partition(|user| {
                    let user = user.to_ascii_lowercase();
                    user.contains("/gatewayipconfigurations/")
                });
            for (name, users) in [
                ("applicationGatewayIPConfigurations", gateways),
                ("ipConfigurations", others),
            ] {
                if !users.is_empty() {
                    let list: Vec<Value> = users.iter().map(|id| json!({ "id": id })).collect();
                    subnet["properties"][name] = list.into();
                }
            }
        }
        body
    }

    fn refuse_delete(
        &self,
        document: &Document,
        target: &ResourceId,
        inventory: &Inventory,
    ) -> Option<ArmError> {
        let subnets = document.body.pointer("/properties/subnets")?.as_array()?;
        for subnet in subnets {
            let id = subnet.get("id").and_then(Value::as_str).unwrap_or_default();
            let is_meant = *target == document.id || target.to_string().eq_ignore_ascii_case(id);
            let users = inventory.users(id);
            let Some(user) = users.first().filter(|_| is_meant) else {
                continue;
            };
            let name = subnet
                .get("name")
                .and_then(Value::as_str)
                .unwrap_or_default();
            return Some(ArmError::new(
                "InUseSubnetCannotBeDeleted",
                format!(
                    "Subnet {name} is in use by {user} and cannot be deleted. In order to delete \
                     the subnet, delete all the resources within the subnet. See \
                     aka.ms/deletesubnet."
                ),
            ));
        }
        None
    }
}
