//! `Microsoft.Resources/tags`: the tags of a resource or a group, read and changed by themselves.

use gatewright_arm::{ArmError, shorten};
use hyper::{Method, StatusCode};
use serde_json::{Map, Value, json};

use crate::context::{Context, Handler, handler};
use crate::front::answer::Answer;
use crate::front::router::Route;
use crate::operations::Doing;
use crate::resources::document::Document;
use crate::resources::edit::{Edit, member};
use crate::resources::tags::TagChange;
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
    let change = TagChange::Replace(Value::Object(given(&context)?));
    set(context, change).await
}

async fn patch(context: Context) -> Result<Answer, ArmError> {
    let body = context.json()?;
    let operation = member(&body, "operation").and_then(Value::as_str);
    let operation = operation.unwrap_or_default().to_ascii_lowercase();
    let given = given(&context)?;
    let change = match operation.as_str() {
        "replace" => TagChange::Replace(Value::Object(given)),
        "merge" => TagChange::Merge(given),
        "delete" => TagChange::Delete(given),
        other => {
            let message = format!(
                "The operation '{}' of a change of tags is none of Merge, Replace and Delete.",
                shorten(other)
            );
            return Err(ArmError::front_door("InvalidTagPatchOperation", message));
        }
    };
    set(context, change).await
}

async fn delete(context: Context) -> Result<Answer, ArmError> {
    set(context, TagChange::Replace(json!({}))).await?;
    Ok(Answer::empty(StatusCode::OK))
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
async fn set(context: Context, change: TagChange) -> Result<Answer, ArmError> {
    let (core, id) = (&context.core, context.resource_id(SEGMENTS)?);
    context.document(&id).await?;
    let call = context.call(Doing::Put, format!("{TAGS}/write"));
    let edit = Edit::Tags(change);
    let after = match id.name() {
        Some(_) => core.write(&call, &id, edit).await?.document,
        None => core.put_group(&call, &id, edit).await?.0,
    };
    Ok(Answer::ok(&shown(&after)))
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
