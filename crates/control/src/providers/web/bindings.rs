//! Host names that a site answers to.
//!
//! The service asks the domain's owner to prove that it is theirs; there is no public DNS here to
//! prove it with, so that whoever may write the site may bind any name that no other site has.

use gatewright_arm::{ArmError, ResourceId};
use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use super::sites::BOUND;
use super::{SITES, below_site};
use crate::context::{Context, handler};
use crate::front::answer::Answer;
use crate::front::router::Route;
use crate::operations::Doing;
use crate::resources::document::Document;
use crate::resources::edit::Edit;
use crate::routes::{action, route};

pub(super) fn routes() -> Vec<Route> {
    let kind = format!("{SITES}/hostNameBindings");
    let list = below_site("hostNameBindings");
    let one = format!("{list}/{{host}}");
    vec![
        route(Method::GET, &list, action(&kind, "read"), handler(all)),
        route(Method::GET, &one, action(&kind, "read"), handler(get)),
        route(Method::PUT, &one, action(&kind, "write"), handler(put)),
        route(
            Method::DELETE,
            &one,
            action(&kind, "delete"),
            handler(delete),
        ),
    ]
}

pub(crate) fn host_names(site: &Value) -> impl Iterator<Item = &str> {
    let names = site
        .pointer("/properties/hostNames")
        .and_then(Value::as_array);
    names.into_iter().flatten().filter_map(Value::as_str)
}

fn bound(site: &Document) -> Vec<String> {
    let bound = site.body.get("properties").and_then(|bag| bag.get(BOUND));
    let bound = bound.and_then(Value::as_array).into_iter().flatten();
    bound.filter_map(Value::as_str).map(str::to_owned).collect()
}

fn shown(site: &Document, host: &str) -> Value {
    let name = site.id.name().unwrap_or_default();
    json!({
        "id": format!("{}/hostNameBindings/{host}", site.id),
        "name": format!("{name}/{host}"),
        "type": format!("{SITES}/hostNameBindings"),
        "location": site.location(),
        "properties": {
            "siteName": name,
            "domainId": null,
            "hostNameType": "Verified",
            "sslState": "Disabled",
        },
    })
}

async fn all(context: Context) -> Result<Answer, ArmError> {
    let site = context.document(&context.resource_id(1)?).await?;
    let all: Vec<Value> = host_names(&site.body)
        .map(|host| shown(&site, host))
        .collect();
    Ok(Answer::ok(
        &json!({"value": all, "nextLink": null, "id": null}),
    ))
}

async fn get(context: Context) -> Result<Answer, ArmError> {
    let site = context.document(&context.resource_id(2)?).await?;
    let host = context.captures.get("host");
    let found = host_names(&site.body).find(|name| name.eq_ignore_ascii_case(host));
    found
        .map(|name| Answer::ok(&shown(&site, name)))
        .ok_or_else(|| {
            let message = format!("Cannot find HostNameBinding with name {host}.");
            ArmError::front_door("NotFound", message)
        })
}

async fn change(
    context: &Context,
    id: &ResourceId,
    names: Vec<String>,
    doing: Doing,
) -> Result<Document, ArmError> {
    let call = context.call(doing, format!("{SITES}/hostNameBindings/write"));
    let change = json!({"properties": {BOUND: names}});
    Ok(context
        .core
        .write(&call, id, Edit::Merge(&change))
        .await?
        .document)
}

async fn put(context: Context) -> Result<Answer, ArmError> {
    let id = context.resource_id(2)?;
    let site = context.document(&id).await?;
    let host = context.captures.get("host").to_ascii_lowercase();
    let is_new = !host_names(&site.body).any(|name| name.eq_ignore_ascii_case(&host));
    let mut names = bound(&site);
    if is_new {
        names.push(host.clone());
    }
    let site = change(&context, &id, names, Doing::Put).await?;
    Ok(Answer::ok(&shown(&site, &host)))
}

async fn delete(context: Context) -> Result<Answer, ArmError> {
    let id = context.resource_id(2)?;
    let site = context.document(&id).await?;
    let host = context.captures.get("host");
    let mut names = bound(&site);
    let before = names.len();
    names.retain(|name| !name.eq_ignore_ascii_case(host));
    if names.len() == before {
        return Ok(Answer::empty(StatusCode::NO_CONTENT));
    }
    change(&context, &id, names, Doing::Put).await?;
    Ok(Answer::empty(StatusCode::OK))
}
