//! `Microsoft.Network`.

mod catalogue;
mod gateways;
mod virtual_networks;

use crate::front::router::Route;
use crate::resources::kind::Kind;

pub(crate) use gateways::{GATEWAYS, desired as desired_gateway};

pub(crate) fn kinds() -> Vec<Box<dyn Kind>> {
    vec![
        Box::new(gateways::Gateways),
        Box::new(virtual_networks::VirtualNetworks),
    ]
}

pub(crate) fn routes() -> Vec<Route> {
    let mut routes = catalogue::routes();
    routes.extend(gateways::routes());
    routes
}
