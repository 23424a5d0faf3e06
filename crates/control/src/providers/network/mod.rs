//! `Microsoft.Network`.

mod addresses;
mod application_security_groups;
mod catalogue;
mod effective;
mod firewall_policies;
mod gateway_subnets;
mod gateways;
mod interfaces;
mod locations;
mod own_codes;
mod peerings;
mod picture;
mod public_ips;
mod route_tables;
mod security_groups;
mod security_rules;
mod subnets;
mod virtual_networks;
mod watchers;

use crate::front::router::Route;
use crate::resources::kind::Kind;

pub(crate) use gateways::{GATEWAYS, ask_later, serving};

pub(crate) fn kinds() -> Vec<Box<dyn Kind>> {
    vec![
        Box::new(application_security_groups::ApplicationSecurityGroups),
        Box::new(firewall_policies::FirewallPolicies),
        Box::new(gateways::Gateways),
        Box::new(interfaces::Interfaces),
        Box::new(public_ips::PublicIps),
        Box::new(route_tables::RouteTables),
        Box::new(security_groups::SecurityGroups),
        Box::new(virtual_networks::VirtualNetworks),
        Box::new(watchers::Watchers),
    ]
}

pub(crate) fn routes() -> Vec<Route> {
    let mut routes = catalogue::routes();
    routes.extend(effective::routes());
    routes.extend(gateways::routes());
    routes.extend(locations::routes());
    routes.extend(subnets::routes());
    routes.extend(watchers::routes());
    routes
}
