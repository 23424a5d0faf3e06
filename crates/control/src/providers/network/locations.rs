//! What is asked of a location: how much of it is used, which names are free.

use gatewright_arm::ArmError;
use hyper::Method;
use serde_json::json;

use super::public_ips;
use crate::context::{Context, Handler, handler};
use crate::front::answer::Answer;
use crate::front::router::Route;
use crate::resources::document::plain_location;
use crate::resources::references::PUBLIC;
use crate::routes::{action, route};

pub(super) fn routes() -> Vec<Route> {
    let at = |word: &str, handler: Handler| {
        let pattern = format!(
            "/subscriptions/{{subscription}}/providers/Microsoft.Network/locations/{{location}}/\
             {word}"
        );
        let access = action(&format!("Microsoft.Network/locations/{word}"), "read");
        route(Method::GET, pattern, access, handler)
    };
    vec![
        at("usages", handler(usages)),
        at("CheckDnsNameAvailability", handler(check_name)),
        at(
            "virtualNetworkAvailableEndpointServices",
            handler(endpoint_services),
        ),
    ]
}

/// What has a bound here: public addresses of IPv4. Names, and what a usage looks like, as recorded
/// by the azure-cli.
async fn usages(context: Context) -> Result<Answer, ArmError> {
    let core = &context.core;
    let held = core.inventory.held(PUBLIC, None);
    let used = held.keys().filter(|address| address.is_ipv4()).count();
    let limit = core.config.public_addresses.count(false);
    let location = plain_location(context.captures.get("location"));
    let name = "PublicIPAddresses";
    let usage = json!({
        "currentValue": used,
        "id": format!(
            "/subscriptions/{}/providers/Microsoft.Network/locations/{location}/usages/{name}",
            core.config.subscription
        ),
        "limit": u64::try_from(limit).unwrap_or(u64::MAX),
        "name": { "localizedValue": "Public IP Addresses", "value": name },
        "unit": "Count",
        "isAdjustable": false,
    });
    Ok(Answer::ok(&json!({ "value": [usage] })))
}

async fn check_name(context: Context) -> Result<Answer, ArmError> {
    let label = context.request.query.get("domainNameLabel");
    let location = plain_location(context.captures.get("location"));
    let label = label.unwrap_or_default();
    let is_free = public_ips::is_free(&context.core, label, &location).await?;
    Ok(Answer::ok(&json!({ "available": is_free })))
}

/// There are no endpoints of services in networks here.
async fn endpoint_services(_: Context) -> Result<Answer, ArmError> {
    Ok(Answer::ok(&json!({ "value": [] })))
}
