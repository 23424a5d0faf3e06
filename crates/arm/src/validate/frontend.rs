//! Subnets, ports and addresses of the frontend.

use std::collections::HashMap;
use std::net::IpAddr;
use std::ops::RangeInclusive;

use super::checker::Checker;
use crate::codes;
use crate::model::{FrontendIpConfiguration, IpAllocationMethod, Item};

/// Frontend ports of the first generation (recorded from the service); those above are its own.
const PORTS_V1: RangeInclusive<i32> = 1..=65502;
/// Frontend ports of the second generation; 65200–65535 are its own (Azure documentation).
const PORTS_V2: RangeInclusive<i32> = 1..=65199;

/// The gateway's subnet.
pub(crate) fn subnets(c: &mut Checker<'_>) {
    let items = &c.properties.gateway_ip_configurations;
    if items.is_empty() {
        let at = c.pointer_to("gatewayIPConfigurations");
        c.error(
            codes::E_GATEWAY_SUBNET,
            "A gateway needs a gatewayIPConfigurations item.",
            at,
        );
    }
    for item in items {
        if item.properties.subnet.is_none() {
            let id = c.id_of(item);
            let message = format!("Subnet reference is required for ipconfiguration {id}.");
            c.error("SubnetIsRequired", message, item.pointer_to("subnet"));
        }
    }
}

/// Frontend ports: range and repetition.
pub(crate) fn ports(c: &mut Checker<'_>) {
    let range = if c.is_v1() { PORTS_V1 } else { PORTS_V2 };
    let mut seen: HashMap<i32, &str> = HashMap::new();
    for item in &c.properties.frontend_ports {
        let port = item.properties.port.unwrap_or(0);
        let at = item.pointer_to("port");
        if !range.contains(&port) {
            let message = format!(
                "Port specified for FrontendPort {} is not valid. Supported range is [{}, {}].",
                c.id_of(item),
                range.start(),
                range.end()
            );
            c.error(
                "ApplicationGatewayFrontendPortInvalidPortNumber",
                message,
                at,
            );
        } else if let Some(other) = seen.insert(port, &item.name) {
            let message = format!(
                "Frontend ports '{other}' and '{}' have the same number {port}.",
                item.name
            );
            c.warn(codes::W_DUPLICATE_PORT, message, at);
        }
    }
}

/// Frontend addresses: one of public and private, in the way that the SKU allows.
pub(crate) fn addresses(c: &mut Checker<'_>) {
    let items = &c.properties.frontend_ip_configurations;
    for item in items {
        address(c, item);
    }
    let private_only = !items.is_empty()
        && !c.is_v1()
        && items
            .iter()
            .all(|item| item.properties.public_ip_address.is_none());
    if !private_only {
        return;
    }
    let at = c.pointer_to("frontendIPConfigurations");
    if !c.context.allow_private_only {
        super::sku::unsupported(
            c,
            "Application Gateway without Public IP",
            "Standard,WAF",
            at,
        );
    } else if !c.properties.private_link_configurations.is_empty() {
        let message = format!(
            "Application Gateway {} with NetworkIsolation is not supported with feature {{Private \
             Link Configuration}}..",
            c.id()
        );
        let at = c.pointer_to("privateLinkConfigurations");
        c.error(
            "ApplicationGatewayNetworkIsolationNotSupportedWithFeature",
            message,
            at,
        );
    }
}

fn address(c: &mut Checker<'_>, item: &Item<FrontendIpConfiguration>) {
    let id = c.id_of(item);
    let p = &item.properties;
    let (public, private) = (p.public_ip_address.is_some(), p.subnet.is_some());
    let is_static = p.private_ip_allocation_method == Some(IpAllocationMethod::Static);
    if !public && !private {
        let message = format!(
            "FrontendIpConfiguration {id} cannot have both subnet and publicIp as null. Either \
             publicIp or subnet should be specified."
        );
        let code = "ApplicationGatewayFrontendIpBothPublicIpAddressAndSubnetCannotBeNull";
        c.error(code, message, item.pointer());
    } else if public && private {
        let message = format!(
            "FrontendIpConfiguration {id} cannot have both subnet and publicIp. Either publicIp or \
             subnet should be specified."
        );
        let code = "ApplicationGatewayFrontendIpCannotHavePublicIpAndSubnet";
        c.error(code, message, item.pointer());
    } else if private && !is_static && !c.is_v1() {
        let message = format!(
            "FrontendIpConfiguration {id} of Application Gateway with SKU tier {} can only use \
             PrivateIPAddress with IpAllocationMethod as Static.",
            c.tier_name()
        );
        let code = "ApplicationGatewayFrontendIpPrivateIpAddressInvalidAllocationType";
        c.error(code, message, item.pointer_to("privateIPAllocationMethod"));
    } else if private && is_static {
        let given = p.private_ip_address.as_deref();
        if given.is_none_or(|text| text.trim().parse::<IpAddr>().is_err()) {
            let message = format!(
                "FrontendIpConfiguration {id} uses IpAllocationMethod Static: a PrivateIPAddress \
                 must be specified."
            );
            c.error(
                codes::E_FRONTEND_IP,
                message,
                item.pointer_to("privateIPAddress"),
            );
        }
    }
}
