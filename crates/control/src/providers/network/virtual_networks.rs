//! Virtual networks, their subnets and their peerings.

use std::net::IpAddr;
use std::sync::Arc;

use gatewright_arm::{ApiVersion, ArmError, ResourceId, shorten};
use gatewright_store::Pending;
use serde_json::{Value, json};

use super::{gateway_subnets, peerings, subnets, watchers};
use crate::core::Core;
use crate::operations::Operation;
use crate::resources::document::Document;
use crate::resources::edit;
use crate::resources::inventory::Inventory;
use crate::resources::kind::{Kind, Part, Prepared, Put};
use crate::resources::shape::{
    self, Bounds, Form, Member, Shape, computed, defaulted, dropped, guid, insert_before, member,
    server,
};

pub(super) const NETWORKS: &str = "Microsoft.Network/virtualNetworks";

/// The first api-versions whose networks have pools of addresses, and policies for endpoints.
const POOLS_SINCE: ApiVersion = ApiVersion::new(2024, 1, 1);
/// The first one whose answers have no pools any more where there are none (recorded in 2026).
const POOLS_UNTIL: ApiVersion = ApiVersion::new(2024, 7, 1);
const POLICIES_SINCE: ApiVersion = ApiVersion::new(2024, 5, 1);

/// The first api-version whose ranges must have no bits behind their length. Recorded: 2015-06-15
/// takes them; where between the two this began is not known.
const EXACT_RANGES_SINCE: ApiVersion = ApiVersion::new(2016, 1, 1);

/// The first api-version under which a network without a list of subnets keeps those that it has
/// (announced by the service).
const SUBNETS_STAY_SINCE: ApiVersion = ApiVersion::new(2023, 9, 1);

const POLICY: &[&str] = &[
    "Disabled",
    "Enabled",
    "NetworkSecurityGroupEnabled",
    "RouteTableEnabled",
];

const NETWORK: Shape = Shape {
    type_last: false,
    head: &[
        member("location", Form::Text),
        member("tags", Form::Any),
        member("extendedLocation", Form::Any),
    ],
    properties: &[
        guid("resourceGuid"),
        defaulted(
            "addressSpace",
            Form::Closed("AddressSpace", ADDRESS_SPACE),
            "{}",
        ),
        defaulted(
            "privateEndpointVNetPolicies",
            Form::Word(&["Disabled", "Basic"]),
            "\"Disabled\"",
        ),
        member("dhcpOptions", Form::Closed("DhcpOptions", DHCP_OPTIONS)),
        member("encryption", Form::Any),
        member("flowTimeoutInMinutes", Form::Integer(4, 30)),
        defaulted("subnets", Form::Items(&SUBNET), "[]"),
        defaulted("virtualNetworkPeerings", Form::Items(&PEERING), "[]"),
        defaulted("enableDdosProtection", Form::Boolean, "false"),
        dropped("enableVmProtection"),
    ],
    tail: &[],
    bounds: Bounds::These {
        contract: "VirtualNetworkProperties",
        others: &[
            "bgpCommunities",
            "cloudServices",
            "ddosProtectionPlan",
            "defaultPublicNatGateway",
            "flowLogConfiguration",
            "flowLogs",
            "ipAllocations",
            "summarizedGatewayPrefixes",
        ],
    },
};

const SUBNET: Shape = Shape {
    type_last: true,
    head: &[],
    properties: &[
        member("addressPrefix", Form::Text),
        member("addressPrefixes", Form::Texts),
        member("networkSecurityGroup", Form::Reference),
        member("routeTable", Form::Reference),
        member("natGateway", Form::Reference),
        computed("ipamPoolPrefixAllocations", "[]"),
        server("ipConfigurations"),
        server("applicationGatewayIPConfigurations"),
        server("privateLinkIpConfigurations"),
        member(
            "serviceEndpoints",
            Form::ClosedList("ServiceEndpointProperties", SERVICE_ENDPOINT),
        ),
        defaulted("delegations", Form::Items(&DELEGATION), "[]"),
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
    ],
    tail: &[],
    bounds: Bounds::These {
        contract: "SubnetProperties",
        others: &[
            "interfaceEndpoints",
            "ipAllocations",
            "ipConfigurationProfiles",
            "networkIntentPolicies",
            "privateEndpoints",
            "purpose",
            "resourceNavigationLinks",
            "serviceAssociationLinks",
            "serviceEndpointPolicies",
            "serviceGateway",
            "sharingScope",
        ],
    },
};

const SERVICE_ENDPOINT: &[Member] = &[
    computed("provisioningState", "\"Succeeded\""),
    shape::required("service", Form::Text),
    defaulted("locations", Form::Texts, "[\"*\"]"),
    member("networkIdentifier", Form::Reference),
];

const DELEGATION: Shape = Shape {
    type_last: true,
    head: &[],
    properties: &[
        shape::required("serviceName", Form::Text),
        computed("actions", "[]"),
    ],
    tail: &[],
    bounds: Bounds::These {
        contract: "ServiceDelegationProperties",
        others: &[],
    },
};

const ADDRESS_SPACE: &[Member] = &[
    defaulted("addressPrefixes", Form::Texts, "[]"),
    computed("ipamPoolPrefixAllocations", "[]"),
];

const DHCP_OPTIONS: &[Member] = &[defaulted("dnsServers", Form::Texts, "[]")];

const PEERING: Shape = Shape {
    type_last: true,
    head: &[],
    properties: &[
        guid("resourceGuid"),
        computed("peeringState", "\"Initiated\""),
        computed("peeringSyncLevel", "\"RemoteNotInSync\""),
        shape::required("remoteVirtualNetwork", Form::Reference),
        defaulted("allowVirtualNetworkAccess", Form::Boolean, "true"),
        defaulted("allowForwardedTraffic", Form::Boolean, "false"),
        defaulted("allowGatewayTransit", Form::Boolean, "false"),
        defaulted("useRemoteGateways", Form::Boolean, "false"),
        defaulted("doNotVerifyRemoteGateways", Form::Boolean, "false"),
        defaulted("peerCompleteVnets", Form::Boolean, "true"),
        server("remoteAddressSpace"),
        server("remoteVirtualNetworkAddressSpace"),
        computed("routeServiceVips", "{}"),
    ],
    tail: &[],
    bounds: Bounds::These {
        contract: "VirtualNetworkPeeringProperties",
        others: &[
            "enableOnlyIPv6Peering",
            "localAddressSpace",
            "localSubnetNames",
            "localVirtualNetworkAddressSpace",
            "remoteBgpCommunities",
            "remoteSubnetNames",
            "remoteVirtualNetworkEncryption",
        ],
    },
};

pub(crate) struct VirtualNetworks;

impl Kind for VirtualNetworks {
    fn name(&self) -> &'static str {
        NETWORKS
    }

    fn parts(&self) -> &'static [Part] {
        &[
            Part {
                collection: "subnets",
                is_writable: true,
            },
            Part {
                collection: peerings::PEERINGS,
                is_writable: true,
            },
        ]
    }

    /// Recorded by the azure-cli: answers to a PUT of a peering have no `Azure-AsyncNotification`.
    fn notifies_of(&self, collection: &str) -> bool {
        collection != peerings::PEERINGS
    }

    fn prepare<'a>(
        &'a self,
        core: &'a Core,
        put: Put<'a>,
    ) -> Pending<'a, Result<Prepared, ArmError>> {
        Box::pin(async move {
            let previous = put.previous_body();
            let mut body = put.shaped(&NETWORK)?;
            if put.api_version >= SUBNETS_STAY_SINCE {
                keep_subnets(&put, &mut body);
            }
            if put.api_version < EXACT_RANGES_SINCE {
                subnets::settle_ranges(&mut body);
            }
            check_name_servers(body.pointer("/properties/dhcpOptions"), None)?;
            subnets::check(put.id, &mut body, previous, &core.inventory)?;
            peerings::fill(core, put.id, &mut body, previous).await?;
            gateway_subnets::check_network(core, &body, previous).await?;
            Ok(Prepared::of(body))
        })
    }

    /// Recorded: neither under 2022-01-01; pools of addresses under 2024-01-01, policies since
    /// 2024-05-01.
    fn leave_out(&self, shown: &mut Document, api_version: ApiVersion) {
        let has_pools = (POOLS_SINCE..POOLS_UNTIL).contains(&api_version);
        if has_pools && api_version >= POLICIES_SINCE {
            return;
        }
        let Some(Value::Object(members)) = shown.edit().get_mut("properties") else {
            return;
        };
        if api_version < POLICIES_SINCE {
            members.shift_remove("privateEndpointVNetPolicies");
        }
        if has_pools {
            return;
        }
        leave_pools_out(members.get_mut("addressSpace").into_iter());
        let subnets = members.get_mut("subnets").and_then(Value::as_array_mut);
        let bags = subnets.into_iter().flatten();
        leave_pools_out(bags.filter_map(|subnet| subnet.get_mut("properties")));
    }

    fn present(&self, shown: &mut Document, inventory: &Inventory) {
        for subnet in items_mut(shown.edit(), "subnets") {
            let id = id_of(subnet).to_owned();
            let (gateways, others): (Vec<String>, Vec<String>) = inventory
                .users(&id)
                .into_iter()
                .partition(|user| is_gateway_place(user));
            let (links, others): (Vec<String>, Vec<String>) = others
                .into_iter()
                .partition(|user| user.contains("/privateLinkConfigurations/"));
            for (name, users) in [
                ("ipConfigurations", others),
                ("applicationGatewayIPConfigurations", gateways),
                ("privateLinkIpConfigurations", links),
            ] {
                if !users.is_empty() {
                    let bag = &mut subnet["properties"];
                    let next = match bag.get("serviceEndpoints") {
                        Some(_) => "serviceEndpoints",
                        None => "delegations",
                    };
                    insert_before(bag, next, name, shape::references(users));
                }
            }
        }
    }

    fn refuse_delete(
        &self,
        document: &Document,
        target: &ResourceId,
        inventory: &Inventory,
    ) -> Option<ArmError> {
        let is_whole = *target == document.id;
        let mut subnets = items(&document.body, "subnets");
        subnets.find_map(|subnet| {
            let is_meant = is_whole || target.to_string().eq_ignore_ascii_case(id_of(subnet));
            subnets::in_use(subnet, inventory).filter(|_| is_meant)
        })
    }

    /// Its location has a network watcher from then on.
    fn follow<'a>(
        &'a self,
        core: &'a Arc<Core>,
        document: &'a Document,
        operation: &'a Operation,
    ) -> Pending<'a, ()> {
        Box::pin(watchers::provide(core, document, operation))
    }

    fn touches(&self, before: Option<&Value>, after: Option<&Value>) -> Vec<ResourceId> {
        peerings::touched(before, after)
    }
}

/// # Errors
/// When a name server that `settings` lists is no address (recorded for networks). `word` may stand
/// in the place of them all.
pub(super) fn check_name_servers(
    settings: Option<&Value>,
    word: Option<&str>,
) -> Result<(), ArmError> {
    let servers = settings.and_then(|settings| settings.get("dnsServers"));
    let servers = servers.and_then(Value::as_array);
    let is_alone = servers.is_some_and(|servers| servers.len() == 1);
    let mut servers = servers.into_iter().flatten();
    let is_none = |server: &&Value| {
        let text = server.as_str().unwrap_or_default();
        let is_word = word.is_some_and(|word| text.eq_ignore_ascii_case(word));
        !(is_word && is_alone) && text.parse::<IpAddr>().is_err()
    };
    servers.find(is_none).map_or(Ok(()), |bad| {
        let bad = shorten(bad.as_str().unwrap_or_default());
        let message = format!("IP address is not valid '{bad}'.");
        Err(ArmError::new("NetcfgInvalidIPAddress", message))
    })
}

/// A client that says nothing of subnets leaves them as they are; an empty list takes them away, as
/// does `null`.
fn keep_subnets(put: &Put<'_>, body: &mut Value) {
    let bag = edit::member(put.body, "properties");
    let said = bag.and_then(|bag| edit::member(bag, "subnets"));
    if let (None, Some(subnets)) = (said, put.kept("/properties/subnets")) {
        body["properties"]["subnets"] = subnets.clone();
    }
}

/// Whether this is where a gateway stands in a subnet, and not one of its frontends.
pub(super) fn is_gateway_place(user: &str) -> bool {
    user.to_ascii_lowercase()
        .contains("/gatewayipconfigurations/")
}

fn leave_pools_out<'a>(bags: impl Iterator<Item = &'a mut Value>) {
    for bag in bags.filter_map(Value::as_object_mut) {
        bag.shift_remove("ipamPoolPrefixAllocations");
    }
}

/// The items of a collection of a body.
pub(super) fn items<'a>(body: &'a Value, collection: &str) -> impl Iterator<Item = &'a Value> {
    let items = body.get("properties").and_then(|bag| bag.get(collection));
    items.and_then(Value::as_array).into_iter().flatten()
}

/// As [`items`], to change them.
pub(super) fn items_mut<'a>(
    body: &'a mut Value,
    collection: &str,
) -> impl Iterator<Item = &'a mut Value> {
    let items = body
        .get_mut("properties")
        .and_then(|bag| bag.get_mut(collection));
    items.and_then(Value::as_array_mut).into_iter().flatten()
}

/// The id of a resource or an item, or in a reference; empty where there is none.
pub(super) fn id_of(value: &Value) -> &str {
    value.get("id").and_then(Value::as_str).unwrap_or_default()
}

/// The id in a member of `properties` that is a reference.
pub(super) fn reference_of(item: &Value, member: &str) -> Option<ResourceId> {
    let reference = item.get("properties")?.get(member)?;
    ResourceId::parse(id_of(reference)).ok()
}

/// The name of a resource or an item.
pub(super) fn name_of(value: &Value) -> &str {
    value
        .get("name")
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// The address space of a network, as it is stored.
pub(super) fn space_of(network: &Value) -> Value {
    let space = network.pointer("/properties/addressSpace/addressPrefixes");
    json!({"addressPrefixes": space.cloned().unwrap_or_else(|| json!([]))})
}
