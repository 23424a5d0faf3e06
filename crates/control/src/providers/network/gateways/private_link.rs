//! What a gateway offers to private endpoints, and who is connected. There are no private endpoints
//! here, so that nobody ever is.

use gatewright_arm::ArmError;
use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use super::GATEWAYS;
use crate::context::{Context, Handler, handler};
use crate::front::answer::Answer;
use crate::front::router::Route;
use crate::providers::network::virtual_networks::{items, name_of};
use crate::resources::edit::not_found_part;
use crate::routes::{action, route};

const CONNECTIONS: &str = "privateEndpointConnections";
const RESOURCES: &str = "privateLinkResources";

pub(super) fn routes() -> Vec<Route> {
    let gateway = format!(
        "/subscriptions/{{subscription}}/resourceGroups/{{group}}/providers/{GATEWAYS}/{{name}}"
    );
    let at = |method: Method, path: &str, verb: &str, handler: Handler| {
        let collection = path.split('/').next().unwrap_or_default();
        let access = action(&format!("{GATEWAYS}/{collection}"), verb);
        route(method, format!("{gateway}/{path}"), access, handler)
    };
    let one = format!("{CONNECTIONS}/{{connection}}");
    vec![
        at(Method::GET, RESOURCES, "read", handler(resources)),
        at(Method::GET, CONNECTIONS, "read", handler(connections)),
        at(Method::GET, &one, "read", handler(no_connection)),
        at(Method::PUT, &one, "write", handler(no_connection)),
        at(Method::DELETE, &one, "delete", handler(delete)),
    ]
}

/// One for each frontend that names a configuration.
async fn resources(context: Context) -> Result<Answer, ArmError> {
    let gateway = context.document(&context.resource_id(1)?).await?;
    let frontends = items(&gateway.body, "frontendIPConfigurations");
    let offered = frontends.filter_map(|frontend| {
        let used = frontend.pointer("/properties/privateLinkConfiguration/id")?;
        let used = used.as_str()?.rsplit('/').next()?;
        let name = name_of(frontend);
        Some(json!({
            "name": name,
            "id": gateway.id.child(RESOURCES, name).to_string(),
            "etag": gateway.body.get("etag"),
            "type": format!("{GATEWAYS}/{RESOURCES}"),
            "properties": {
                "groupId": name,
                "requiredMembers": [used],
                "requiredZoneNames": [],
            },
        }))
    });
    let offered: Vec<Value> = offered.collect();
    Ok(Answer::ok(&json!({ "value": offered })))
}

async fn connections(context: Context) -> Result<Answer, ArmError> {
    let gateway = context.document(&context.resource_id(1)?).await?;
    let known: Vec<&Value> = items(&gateway.body, CONNECTIONS).collect();
    Ok(Answer::ok(&json!({ "value": known })))
}

async fn no_connection(context: Context) -> Result<Answer, ArmError> {
    context.document(&context.resource_id(2)?).await?;
    Err(not_found_part(&context.resource_id(0)?))
}

async fn delete(context: Context) -> Result<Answer, ArmError> {
    context.document(&context.resource_id(2)?).await?;
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}
