//! `Microsoft.Web`: plans, sites and their access restrictions; and a front in which each site
//! stands for an app, so that a gateway can have it as a backend.
//!
//! Not here: slots, deployments, the SCM site, anything that runs.

mod bindings;
mod config;
pub(crate) mod front;
mod pages;
mod plans;
mod restrictions;
mod sites;
mod stacks;

pub(crate) use bindings::host_names;

use crate::front::router::Route;
use crate::resources::kind::Kind;

pub(crate) const PLANS: &str = "Microsoft.Web/serverfarms";

pub(crate) const SITES: &str = "Microsoft.Web/sites";

/// What the default host names of sites end with.
pub(crate) const DOMAIN: &str = "azurewebsites.net";

pub(crate) fn kinds() -> Vec<Box<dyn Kind>> {
    vec![Box::new(plans::Plans), Box::new(sites::Sites)]
}

pub(crate) fn routes() -> Vec<Route> {
    let mut routes = sites::routes();
    routes.extend(config::routes());
    routes.extend(bindings::routes());
    routes.extend(stacks::routes());
    routes
}

/// The pattern of a site, and what follows.
fn below_site(path: &str) -> String {
    format!(
        "/subscriptions/{{subscription}}/resourceGroups/{{group}}/providers/{SITES}/{{site}}/{path}"
    )
}
