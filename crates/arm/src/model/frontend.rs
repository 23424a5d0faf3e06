//! Where the gateway listens: frontend addresses, ports and listeners.

use super::item::wire_items;
use super::{CustomErrorStatus, IpAllocationMethod, Item, Protocol, Reference};
use crate::wire::wire_value_object;

wire_items! {
    "gatewayIPConfigurations";
    /// The subnet that the gateway's instances live in.
    pub struct GatewayIpConfiguration as "ApplicationGatewayIPConfiguration" {
        /// The subnet.
        subnet: Option<Reference> => "subnet";
    }
}

wire_items! {
    "frontendIPConfigurations", type_first;
    /// An address that the gateway answers on: public or private, not both.
    pub struct FrontendIpConfiguration as "ApplicationGatewayFrontendIPConfiguration" {
        /// The private address, as text.
        private_ip_address: Option<String> => "privateIPAddress";
        /// How the private address is allocated. Default `Dynamic`, on public ones too.
        private_ip_allocation_method: Option<IpAllocationMethod> => "privateIPAllocationMethod";
        /// The subnet of the private address.
        subnet: Option<Reference> => "subnet";
        /// The public address.
        public_ip_address: Option<Reference> => "publicIPAddress";
        /// The private link configuration that exposes this address.
        private_link_configuration: Option<Reference> => "privateLinkConfiguration";
    }
    dropped ["httpListeners", "listeners"]
}

wire_items! {
    "frontendPorts";
    /// A port that listeners use.
    pub struct FrontendPort as "ApplicationGatewayFrontendPort" {
        /// Port number: 1–65502 on the first generation, 1–65199 on the second.
        port: Option<i32> => "port";
    }
    dropped ["httpListeners", "listeners"]
}

wire_items! {
    "httpListeners";
    /// A listener for HTTP and HTTPS.
    pub struct HttpListener as "ApplicationGatewayHttpListener" {
        /// The frontend address.
        frontend_ip_configuration: Option<Reference> => "frontendIPConfiguration";
        /// The frontend port.
        frontend_port: Option<Reference> => "frontendPort";
        /// `Http` or `Https`.
        protocol: Option<Protocol> => "protocol";
        /// The certificate of an HTTPS listener.
        ssl_certificate: Option<Reference> => "sslCertificate";
        /// TLS policy and client authentication of this listener alone.
        ssl_profile: Option<Reference> => "sslProfile";
        /// The one host name that is served; excludes `host_names`.
        host_name: Option<String> => "hostName";
        /// Up to 5 host names, with `*` and `?` as wildcards; excludes `host_name`.
        host_names: Vec<String> => "hostNames", Always;
        /// Whether a handshake without a known server name is refused. Default false.
        require_server_name_indication: Option<bool> => "requireServerNameIndication";
        /// Whether HTTP/3 is offered. Default false. In no specification; recorded.
        enable_http3: Option<bool> => "enableHttp3";
        /// Error pages of this listener; they come before those of the gateway.
        custom_error_configurations: Vec<CustomError> => "customErrorConfigurations";
        /// The firewall policy of this listener alone.
        firewall_policy: Option<Reference> => "firewallPolicy";
    }
    dropped ["requestRoutingRules", "redirectConfiguration"]
}

impl HttpListener {
    /// The host names, by whichever of the two members; none for a listener that takes any host.
    pub fn hosts(&self) -> impl Iterator<Item = &str> {
        let one = self.host_name.iter();
        one.chain(&self.host_names)
            .map(String::as_str)
            .filter(|name| !name.trim().is_empty())
    }
}

wire_items! {
    "listeners";
    /// A listener for TCP and TLS.
    pub struct Listener as "ApplicationGatewayListener" {
        /// The frontend address.
        frontend_ip_configuration: Option<Reference> => "frontendIPConfiguration";
        /// The frontend port.
        frontend_port: Option<Reference> => "frontendPort";
        /// `Tcp` or `Tls`.
        protocol: Option<Protocol> => "protocol";
        /// The certificate of a TLS listener.
        ssl_certificate: Option<Reference> => "sslCertificate";
        /// TLS policy and client authentication of this listener alone.
        ssl_profile: Option<Reference> => "sslProfile";
        /// Server names that are served, with wildcards.
        host_names: Vec<String> => "hostNames", Always;
    }
    dropped ["routingRules"]
}

wire_value_object! {
    /// A page that is shown in place of the gateway's own error page.
    pub struct CustomError as "ApplicationGatewayCustomError" {
        /// The status that the page is for.
        status_code: Option<CustomErrorStatus> => "statusCode";
        /// Where the page is fetched from.
        custom_error_page_url: Option<String> => "customErrorPageUrl";
    }
}

wire_items! {
    "privateLinkConfigurations", type_first;
    /// Private link of a frontend address.
    pub struct PrivateLinkConfiguration as "ApplicationGatewayPrivateLinkConfiguration" {
        /// Addresses that the private link translates to.
        ip_configurations: Vec<Item<PrivateLinkIpConfiguration>> => "ipConfigurations", Always;
    }
    dropped ["frontendIpConfigurations"]
}

wire_items! {
    "ipConfigurations" in "privateLinkConfigurations", type_first;
    /// An address of a private link configuration.
    pub struct PrivateLinkIpConfiguration as "ApplicationGatewayPrivateLinkIpConfiguration" {
        /// The private address, as text.
        private_ip_address: Option<String> => "privateIPAddress";
        /// How the private address is allocated.
        private_ip_allocation_method: Option<IpAllocationMethod> => "privateIPAllocationMethod";
        /// Whether it is the primary one.
        primary: Option<bool> => "primary";
        /// The subnet of the address; not the gateway's own.
        subnet: Option<Reference> => "subnet";
    }
}

wire_items! {
    "privateEndpointConnections";
    /// A private endpoint that asked for access; read-only.
    pub struct PrivateEndpointConnection as "ApplicationGatewayPrivateEndpointConnection" {
        /// The private endpoint.
        private_endpoint: Option<ForeignResource> => "privateEndpoint";
        /// Whether access was granted.
        connection_state: Option<ConnectionState> => "privateLinkServiceConnectionState";
        /// The consumer's link id.
        link_identifier: Option<String> => "linkIdentifier";
    }
}

wire_value_object! {
    /// Whether a private endpoint was let in.
    pub struct ConnectionState as "PrivateLinkServiceConnectionState" {
        /// `Approved`, `Pending`, `Rejected` or `Disconnected`.
        status: Option<String> => "status";
        /// Why.
        description: Option<String> => "description";
        /// What the consumer must do, as a text.
        actions_required: Option<String> => "actionsRequired";
    }
}

wire_value_object! {
    /// A resource of another kind that answers may embed whole; only its id is kept.
    pub struct ForeignResource as "SubResource" {
        /// The id.
        id: Option<String> => "id";
    }
    dropped ["*"]
}
