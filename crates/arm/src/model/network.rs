//! The gateway's neighbours that decide what it reaches: virtual networks, security groups and
//! route tables, as far as network policy needs them.
//!
//! Source of the members: Azure REST API 2025-07-01 and bodies recorded from the service. What has
//! no bearing on policy is accepted and dropped.

use serde_json::Value;

use super::{ChildResource, ForeignResource, Item};
use crate::wire::reader::Reader;
use crate::wire::writer::Writer;
use crate::wire::{WireMember, WireValue, pointer, wire_enum, wire_object, wire_value_object};

/// Texts that documents give as one text, or as a list of them. Blank ones are left out, since
/// clients write `""` for a member that they do not use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Texts(pub Vec<Text>);

/// One of [`Texts`], with its place, which is no part of what it is.
#[derive(Clone, Debug, Default)]
pub struct Text {
    /// Without blanks around it.
    pub value: String,
    /// JSON pointer into the document that was read.
    pub pointer: String,
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl Eq for Text {}

impl WireMember for Texts {
    fn read_member(value: &Value, at: &str, reader: &mut Reader) -> Self {
        let one = |value: &Value, at: String, reader: &mut Reader| {
            let text = String::read(value, &at, reader)?;
            let value = text.trim().to_owned();
            (!value.is_empty()).then_some(Text { value, pointer: at })
        };
        let Value::Array(list) = value else {
            return Self(one(value, at.to_owned(), reader).into_iter().collect());
        };
        let elements = list
            .iter()
            .enumerate()
            .filter(|(_, value)| !value.is_null());
        Self(
            elements
                .filter_map(|(i, value)| one(value, pointer::index(at, i), reader))
                .collect(),
        )
    }

    fn write_member(&self, _: &Writer<'_>) -> Option<Value> {
        match self.0.as_slice() {
            [] => None,
            [one] => Some(Value::from(one.value.as_str())),
            many => Some(many.iter().map(|text| text.value.as_str()).collect()),
        }
    }

    fn empty() -> Value {
        Value::Array(Vec::new())
    }
}

/// Declares the properties of a resource that is no part of a gateway.
macro_rules! wire_neighbours {
    (
        $collection:literal, $type:literal;
        $(#[$meta:meta])* pub struct $name:ident $($rest:tt)*
    ) => {
        wire_object! { $(#[$meta])* pub struct $name $($rest)* }

        impl ChildResource for $name {
            const COLLECTION: &'static str = $collection;
            const TYPE: &'static str = concat!("Microsoft.Network/", $type);
        }
    };
}

wire_neighbours! {
    "virtualNetworks", "virtualNetworks";
    /// A virtual network.
    pub struct VirtualNetwork as "VirtualNetwork" {
        /// Its ranges.
        address_space: Option<AddressSpace> => "addressSpace";
        /// Its name servers.
        dhcp_options: Option<DhcpOptions> => "dhcpOptions";
        /// Its subnets.
        subnets: Vec<Item<Subnet>> => "subnets";
        /// The networks that it is peered with.
        virtual_network_peerings: Vec<Item<VirtualNetworkPeering>> => "virtualNetworkPeerings";
    }
    dropped ["location", "extendedLocation", "tags", "tag", "resourceGuid", "apiVersion",
             "dependsOn", "systemData", "resources", "bgpCommunities", "ddosProtectionPlan",
             "defaultPublicNatGateway", "enableDdosProtection", "enableVmProtection", "encryption",
             "flowLogConfiguration", "flowLogs", "flowTimeoutInMinutes", "ipAllocations",
             "privateEndpointVNetPolicies", "cloudServices"]
}

wire_value_object! {
    /// Ranges of addresses.
    pub struct AddressSpace as "AddressSpace" {
        /// As prefixes.
        address_prefixes: Texts => "addressPrefixes";
    }
    dropped ["ipamPoolPrefixAllocations"]
}

wire_value_object! {
    /// What machines are told at their start.
    pub struct DhcpOptions as "DhcpOptions" {
        /// Addresses of name servers; the platform's own where there are none.
        dns_servers: Texts => "dnsServers";
    }
}

wire_neighbours! {
    "subnets", "virtualNetworks/subnets";
    /// A subnet.
    pub struct Subnet as "Subnet" {
        /// The only range.
        address_prefix: Texts => "addressPrefix";
        /// The ranges, where there are several.
        address_prefixes: Texts => "addressPrefixes";
        /// The security group.
        network_security_group: Option<ForeignResource> => "networkSecurityGroup";
        /// The route table.
        route_table: Option<ForeignResource> => "routeTable";
        /// The services that it is delegated to.
        delegations: Vec<Item<Delegation>> => "delegations";
    }
    dropped ["apiVersion", "dependsOn", "systemData", "resources",
             "applicationGatewayIPConfigurations", "defaultOutboundAccess",
             "ipAllocations", "ipConfigurationProfiles", "ipConfigurations",
             "ipamPoolPrefixAllocations", "natGateway", "networkIntentPolicies",
             "privateEndpointNetworkPolicies", "privateEndpoints", "privateLinkIpConfigurations",
             "privateLinkServiceNetworkPolicies", "purpose", "resourceNavigationLinks",
             "serviceAssociationLinks", "serviceEndpointPolicies", "serviceEndpoints",
             "serviceGateway", "sharingScope"]
}

wire_neighbours! {
    "delegations", "virtualNetworks/subnets/delegations";
    /// The delegation of a subnet.
    pub struct Delegation as "Delegation" {
        /// The service, such as `Microsoft.Web/serverFarms`.
        service_name: Option<String> => "serviceName";
    }
    dropped ["apiVersion", "dependsOn", "systemData", "actions"]
}

/// The service that a gateway's subnet may be delegated to. Its gateways of the second generation
/// are then taken to be isolated: the platform manages them from within, whatever rules and routes
/// say. With the service, the feature of network isolation must be switched on for that too, which
/// no export shows.
pub const ISOLATING_DELEGATE: &str = "Microsoft.Network/applicationGateways";

impl Subnet {
    /// Whether gateways in it are isolated, see [`ISOLATING_DELEGATE`].
    pub fn isolates_gateways(&self) -> bool {
        let mut names = self.delegations.iter();
        names.any(|one| {
            let name = one.properties.service_name.as_deref();
            name.is_some_and(|name| name.eq_ignore_ascii_case(ISOLATING_DELEGATE))
        })
    }
}

wire_neighbours! {
    "virtualNetworkPeerings", "virtualNetworks/virtualNetworkPeerings";
    /// A peering, as one of its two sides sees it.
    pub struct VirtualNetworkPeering as "VirtualNetworkPeering" {
        /// Whether both sides have agreed.
        peering_state: Option<PeeringState> => "peeringState";
        /// The other side.
        remote_virtual_network: Option<ForeignResource> => "remoteVirtualNetwork";
        /// The other side's ranges as they were when the peering was last synchronised.
        remote_address_space: Option<AddressSpace> => "remoteAddressSpace";
        /// The other side's ranges as they are.
        remote_virtual_network_address_space: Option<AddressSpace> =>
            "remoteVirtualNetworkAddressSpace";
        /// Whether the other side is part of the tag `VirtualNetwork`. Default true.
        allow_virtual_network_access: Option<bool> => "allowVirtualNetworkAccess";
        /// Whether the other side's virtual network gateways serve this one.
        use_remote_gateways: Option<bool> => "useRemoteGateways";
    }
    dropped ["apiVersion", "dependsOn", "systemData", "resourceGuid", "allowForwardedTraffic",
             "allowGatewayTransit", "doNotVerifyRemoteGateways", "enableOnlyIPv6Peering",
             "localAddressSpace", "localSubnetNames", "localVirtualNetworkAddressSpace",
             "peerCompleteVnets", "peeringSyncLevel", "remoteBgpCommunities",
             "remoteSubnetNames", "remoteVirtualNetworkEncryption", "remoteGateways"]
}

wire_enum! {
    /// The state of a peering; read-only.
    pub enum PeeringState {
        Initiated = "Initiated",
        Connected = "Connected",
        Disconnected = "Disconnected",
    }
}

wire_neighbours! {
    "networkSecurityGroups", "networkSecurityGroups";
    /// A network security group.
    pub struct NetworkSecurityGroup as "NetworkSecurityGroup" {
        /// The user's rules.
        security_rules: Vec<Item<SecurityRule>> => "securityRules";
        /// The rules that every group ends with; read-only.
        default_security_rules: Vec<Item<SecurityRule>> => "defaultSecurityRules";
    }
    dropped ["location", "tags", "tag", "resourceGuid", "apiVersion", "dependsOn", "systemData",
             "resources", "flowLogs", "flushConnection", "networkInterfaces", "subnets"]
}

wire_neighbours! {
    "securityRules", "networkSecurityGroups/securityRules";
    /// A security rule.
    pub struct SecurityRule as "SecurityRule" {
        /// At most 140 characters.
        description: Option<String> => "description";
        /// Required.
        protocol: Option<SecurityRuleProtocol> => "protocol";
        /// A port, a range or `*`.
        source_port_range: Texts => "sourcePortRange";
        /// Several of them.
        source_port_ranges: Texts => "sourcePortRanges";
        /// A port, a range or `*`.
        destination_port_range: Texts => "destinationPortRange";
        /// Several of them.
        destination_port_ranges: Texts => "destinationPortRanges";
        /// A prefix, an address, a service tag or `*`.
        source_address_prefix: Texts => "sourceAddressPrefix";
        /// Several prefixes or addresses.
        source_address_prefixes: Texts => "sourceAddressPrefixes";
        /// In place of prefixes.
        source_application_security_groups: Vec<ForeignResource> =>
            "sourceApplicationSecurityGroups";
        /// A prefix, an address, a service tag or `*`.
        destination_address_prefix: Texts => "destinationAddressPrefix";
        /// Several prefixes or addresses.
        destination_address_prefixes: Texts => "destinationAddressPrefixes";
        /// In place of prefixes.
        destination_application_security_groups: Vec<ForeignResource> =>
            "destinationApplicationSecurityGroups";
        /// Required.
        access: Option<SecurityRuleAccess> => "access";
        /// 100–4096, unique per direction; required. The lowest is asked first.
        priority: Option<i32> => "priority";
        /// Required.
        direction: Option<SecurityRuleDirection> => "direction";
    }
    dropped ["apiVersion", "dependsOn", "systemData"]
}

wire_enum! {
    /// The protocol that a security rule is about.
    pub enum SecurityRuleProtocol {
        Tcp = "Tcp",
        Udp = "Udp",
        Icmp = "Icmp",
        Esp = "Esp",
        Any = "*",
        Ah = "Ah",
    }
}

wire_enum! {
    /// What a security rule does.
    pub enum SecurityRuleAccess { Allow = "Allow", Deny = "Deny" }
}

wire_enum! {
    /// Which way traffic goes, seen from the subnet.
    pub enum SecurityRuleDirection { Inbound = "Inbound", Outbound = "Outbound" }
}

wire_neighbours! {
    "routeTables", "routeTables";
    /// A route table.
    pub struct RouteTable as "RouteTable" {
        /// The routes.
        routes: Vec<Item<Route>> => "routes";
        /// Whether routes that virtual network gateways learn do not hold. Default false.
        disable_bgp_route_propagation: Option<bool> => "disableBgpRoutePropagation";
    }
    dropped ["location", "tags", "tag", "resourceGuid", "apiVersion", "dependsOn", "systemData",
             "resources", "subnets", "disablePeeringRoute"]
}

wire_neighbours! {
    "routes", "routeTables/routes";
    /// A route.
    pub struct Route as "Route" {
        /// Which destinations it is for: a prefix, or a service tag.
        address_prefix: Texts => "addressPrefix";
        /// Where it leads; required.
        next_hop_type: Option<RouteNextHopType> => "nextHopType";
        /// The appliance, where it leads to one.
        next_hop_ip_address: Texts => "nextHopIpAddress";
        /// The appliances, where it leads to several.
        next_hop: Option<RouteNextHop> => "nextHop";
    }
    dropped ["apiVersion", "dependsOn", "systemData", "hasBgpOverride"]
}

wire_value_object! {
    /// Appliances that share the traffic of a route.
    pub struct RouteNextHop as "RouteNextHopEcmp" {
        /// Their addresses.
        next_hop_ip_addresses: Texts => "nextHopIpAddresses";
    }
}

wire_enum! {
    /// Where a route leads.
    pub enum RouteNextHopType {
        VirtualNetworkGateway = "VirtualNetworkGateway",
        VnetLocal = "VnetLocal",
        Internet = "Internet",
        VirtualAppliance = "VirtualAppliance",
        VirtualApplianceEcmp = "VirtualApplianceEcmp",
        None = "None",
    }
}
