//! What there is: the kinds of resources, and the routes that are no resource's.

mod activity_log;
mod authorization;
mod compute;
mod deployments;
mod filter;
pub(crate) mod groups;
mod identity;
mod key_vault;
mod later;
mod network;
mod subscriptions;
mod tags;
pub(crate) mod web;

use crate::front::router::Route;
use crate::resources::kind::Kind;

/// Every kind of resources with routes of its own.
pub(crate) fn kinds() -> Vec<Box<dyn Kind>> {
    let mut kinds = network::kinds();
    kinds.extend(key_vault::kinds());
    kinds.extend(web::kinds());
    kinds.extend(identity::kinds());
    kinds.extend(compute::kinds());
    kinds.push(Box::new(deployments::Deployments));
    kinds
}

/// The routes beside those that every kind has.
pub(crate) fn routes() -> Vec<Route> {
    let mut routes = subscriptions::routes();
    routes.extend(groups::routes());
    routes.extend(activity_log::routes());
    routes.extend(deployments::routes());
    routes.extend(authorization::routes());
    routes.extend(tags::routes());
    routes.extend(network::routes());
    routes.extend(key_vault::routes());
    routes.extend(web::routes());
    routes.extend(later::routes());
    routes
}

pub(crate) use deployments::resume as resume_deployment;
pub(crate) use network::serving;
