//! `Microsoft.Resources/tags`: the tags of a resource or a group, read and changed by themselves.

use std::sync::Arc;

use gatewright_arm::{ArmError, ResourceId};
use hyper::{Method, StatusCode};
use serde_json::{Map, Value, json};

use crate::context::{Context, Handler, handler};
use crate::front::answer::Answer;
use crate::front::router::Route;
use crate::operations::Doing;
use crate::resources::document::Document;
use crate::resources::edit::{Edit, member};
use crate::routes::{action, route};

const TAGS: &str = "Microsoft.Resources/tags";

/// Segments of a path that stand behind the scope: `providers/Microsoft.Resources/tags/default`.
const SEGMENTS: usize = 4;

pub(crate) fn routes() -> Vec<Route> {
    let group = "/subscriptions/{subscription}/resourceGroups/{group}";
    let resource = format!("{group}/providers/{{namespace}}/{{type}}/{{resource}}");
    let mut routes = Vec::new();
    for scope in [group, &resource] {
        let path = format!("{scope}/providers/{TAGS}/default");
        let at = |method: Method, verb: &str, handler: Handler| {
            route(method, path.clone(), action(TAGS, verb), handler)
        };
        routes.extend([
            at(Method::GET, "read", handler(get)),
            at(Method::PUT, "write", handler(put)),
            at(Method::PATCH, "write", handler(patch)),
            at(Method::DELETE, "delete", handler(delete)),
        ]);
    }
    routes
}

async fn get(context: Context) -> Result<Answer, ArmError> {
    let document = context.document(&context.resource_id(SEGMENTS)?).await?;
    Ok(Answer::ok(&shown(&document)))
}

async fn put(context: Context) -> Result<Answer, ArmError> {
    let given = given(&context)?;
    set(context, |_| Ok(given)).await
}

async fn patch(context: Context) -> Result<Answer, ArmError> {
    let body = context.json()?;
    let operation = member(&body, "operation").and_then(Value::as_str);
    let operation = operation.unwrap_or_default().to_ascii_lowercase();
    let given = given(&context)?;
    set(context, |mut tags| {
        match operation.as_str() {
            "replace" => tags = given,
            "merge" => given.into_iter().for_each(|(name, value)| {
                let known = known_name(&tags, &name);
                tags.insert(known.unwrap_or(name), value);
            }),
            // A value that is given must be the tag's.
            "delete" => given.into_iter().for_each(|(name, value)| {
                let known = known_name(&tags, &name);
                let is_meant = |own: &Value| value.is_null() || *own == value;
                if let Some(known) = known.filter(|known| tags.get(known).is_some_and(is_meant)) {
                    tags.shift_remove(&known);
                }
            }),
            other => {
                let message = format!(
                    "The operation '{other}' of a change of tags is none of Merge, Replace and \
                     Delete."
                );
                return Err(ArmError::front_door("InvalidTagPatchOperation", message));
            }
        }
        Ok(tags)
    })
    .await
}

async fn delete(context: Context) -> Result<Answer, ArmError> {
    set(context, |_| Ok(Map::new())).await?;
    Ok(Answer::empty(StatusCode::OK))
}

/// Names are the same in any letter case; the one that is there stays as it was written.
fn known_name(tags: &Map<String, Value>, name: &str) -> Option<String> {
    let mut names = tags.keys();
    names.find(|own| own.eq_ignore_ascii_case(name)).cloned()
}

/// The tags of the body.
fn given(context: &Context) -> Result<Map<String, Value>, ArmError> {
    let body = context.json()?;
    let tags = member(&body, "properties").and_then(|bag| member(bag, "tags")?.as_object());
    tags.cloned().ok_or_else(|| {
        let message = "The body has no object 'properties.tags'.";
        ArmError::front_door("InvalidRequestContent", message)
    })
}

/// Changes the tags of the resource, or the group, of the path.
async fn set(
    context: Context,
    change: impl FnOnce(Map<String, Value>) -> Result<Map<String, Value>, ArmError>,
) -> Result<Answer, ArmError> {
    let id = context.resource_id(SEGMENTS)?;
    let before = context.document(&id).await?;
    let tags = before.body.get("tags").and_then(Value::as_object);
    let tags = change(tags.cloned().unwrap_or_default())?;
    let after = write(&context, &id, before, json!({ "tags": tags })).await?;
    Ok(Answer::ok(&shown(&after)))
}

async fn write(
    context: &Context,
    id: &ResourceId,
    mut before: Document,
    tags: Value,
) -> Result<Document, ArmError> {
    let core: &Arc<_> = &context.core;
    let call = context.call(Doing::Put, format!("{TAGS}/write"));
    if id.name().is_some() {
        let accepted = core.write(&call, id, Edit::Tags(&tags)).await?;
        return Ok(accepted.document);
    }
    before.edit()["tags"] = tags["tags"].clone();
    let (group, _) = core.put_group(&call, id, &before.body).await?;
    Ok(group)
}

fn shown(document: &Document) -> Value {
    let tags = document.body.get("tags").filter(|tags| tags.is_object());
    json!({
        "id": format!("{}/providers/{TAGS}/default", document.id),
        "name": "default",
        "type": TAGS,
        "properties": { "tags": tags.cloned().unwrap_or_else(|| json!({})) },
    })
}
