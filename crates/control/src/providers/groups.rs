//! Resource groups.

mod deletion;

use std::sync::Arc;

use gatewright_arm::{ArmError, ResourceId};
use gatewright_store::Pending;
use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use crate::context::{Context, handler};
use crate::core::{Core, written};
use crate::front::answer::Answer;
use crate::front::router::{Access, Route};
use crate::operations::{Doing, POLL_PATIENCE, Status};
use crate::providers::filter::{Filter, most};
use crate::resources::document::{Document, plain_location};
use crate::resources::edit::{Edit, member};
use crate::resources::kind::{Kind, Manner, Prepared, Put};
use crate::resources::links::group_being_deleted;
use crate::resources::naming::{check_region, no_location};
use crate::resources::tags::{self, TagChange};
use crate::resources::write::Call;
use crate::routes::{action, route, soon};

/// The type of groups, in actions.
pub(crate) const GROUPS: &str = "Microsoft.Resources/subscriptions/resourceGroups";

/// Longest name, in characters.
const NAME_CHARACTERS_MAX: usize = 90;

pub(crate) fn routes() -> Vec<Route> {
    let list = "/subscriptions/{subscription}/resourceGroups";
    let item = format!("{list}/{{group}}");
    vec![
        route(Method::GET, &item, action(GROUPS, "read"), handler(get)),
        route(Method::HEAD, &item, action(GROUPS, "read"), handler(head)),
        route(Method::PUT, &item, action(GROUPS, "write"), handler(put)),
        route(
            Method::PATCH,
            &item,
            action(GROUPS, "write"),
            handler(patch),
        ),
        route(
            Method::DELETE,
            &item,
            action(GROUPS, "delete"),
            handler(delete),
        ),
        route(Method::GET, list, Access::Authenticated, handler(all)),
        route(
            Method::GET,
            "/subscriptions/{subscription}/operationresults/{operation}",
            Access::Authenticated,
            handler(result),
        ),
    ]
}

/// A group is stored as every resource is.
struct GroupKind;

impl Kind for GroupKind {
    fn name(&self) -> &'static str {
        GROUPS
    }

    fn manner(&self) -> Manner {
        Manner::AtOnce
    }

    fn prepare<'a>(
        &'a self,
        _core: &'a Core,
        put: Put<'a>,
    ) -> Pending<'a, Result<Prepared, ArmError>> {
        Box::pin(async move { prepare(&put) })
    }
}

fn prepare(put: &Put<'_>) -> Result<Prepared, ArmError> {
    let name = put.id.resource_group().unwrap_or_default();
    check_name(name)?;
    tags::check(member(put.body, "tags"))?;
    let location = member(put.body, "location").and_then(Value::as_str);
    let location = plain_location(location.unwrap_or_default());
    if location.is_empty() {
        return Err(no_location());
    }
    let before = put.kept("/location").and_then(Value::as_str);
    if let Some(before) = before.filter(|before| !before.eq_ignore_ascii_case(&location)) {
        let message = format!(
            "Invalid resource group location '{location}'. The Resource group already exists in \
             location '{before}'."
        );
        return Err(ArmError::front_door(
            "InvalidResourceGroupLocation",
            message,
        ));
    }
    if before.is_none() {
        check_region(&location, "ResourceGroup", "resource group", "")?;
    }
    let name = put.kept("/name").and_then(Value::as_str).unwrap_or(name);
    let id = put.own_id();
    let mut body = json!({
        "id": id.to_string(),
        "name": name,
        "type": "Microsoft.Resources/resourceGroups",
        "location": location,
    });
    for optional in ["managedBy", "tags"] {
        if let Some(value) = member(put.body, optional).filter(|value| !value.is_null()) {
            body[optional] = value.clone();
        }
    }
    body["properties"] = json!({"provisioningState": "Succeeded"});
    Ok(Prepared::of(body))
}

fn check_name(name: &str) -> Result<(), ArmError> {
    let is_fine = |c: char| c.is_alphanumeric() || "-_().".contains(c);
    let is_short = (1..=NAME_CHARACTERS_MAX).contains(&name.chars().count());
    if is_short && name.chars().all(is_fine) && !name.ends_with('.') {
        return Ok(());
    }
    let message = format!(
        "The provided resource group name '{name}' is invalid: up to {NAME_CHARACTERS_MAX} \
         letters, digits, '-', '_', '(', ')' and '.' are allowed, and a period may not be the last."
    );
    Err(ArmError::front_door("InvalidResourceGroup", message))
}

impl Context {
    fn group_id(&self) -> ResourceId {
        self.core.group_id(self.captures.get("group"))
    }

    fn group_call(&self, doing: Doing, verb: &str) -> Call {
        self.call(doing, format!("{GROUPS}/{verb}"))
    }

    /// Where the end of a group's deletion is told.
    fn follow_group(&self, operation: uuid::Uuid) -> Answer {
        let link = format!(
            "/subscriptions/{}/operationresults/{operation}?api-version={}",
            self.core.config.subscription,
            self.request.query.get("api-version").unwrap_or_default()
        );
        soon(Answer::empty(StatusCode::ACCEPTED)).with("location", self.link(&link))
    }
}

async fn get(context: Context) -> Result<Answer, ArmError> {
    let document = context.document(&context.group_id()).await?;
    Ok(Answer::ok(&document.body))
}

async fn head(context: Context) -> Result<Answer, ArmError> {
    context.core.check_group(&context.group_id())?;
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}

async fn put(context: Context) -> Result<Answer, ArmError> {
    let body = context.json()?;
    let call = context.group_call(Doing::Put, "write");
    let id = context.group_id();
    let (document, is_new) = context
        .core
        .put_group(&call, &id, Edit::Whole(&body))
        .await?;
    Ok(Answer::json(written(is_new), &document.body))
}

async fn patch(context: Context) -> Result<Answer, ArmError> {
    let body = context.json()?;
    let id = context.group_id();
    context.document(&id).await?;
    let call = context.group_call(Doing::Put, "write");
    let edit = Edit::Tags(TagChange::of_patch(&body));
    let (document, _) = context.core.put_group(&call, &id, edit).await?;
    Ok(Answer::ok(&document.body))
}

async fn all(context: Context) -> Result<Answer, ArmError> {
    let subscription = &context.core.config.subscription;
    let scope = format!("/subscriptions/{subscription}/resourceGroups");
    let query = &context.request.query;
    let filter = Filter::parse(query.get("$filter").unwrap_or_default())?;
    let most = most(query.get("$top"))?;
    let mut groups = Vec::new();
    let known = context.core.inventory.within(&scope).into_iter();
    let meant = known.filter(|known| {
        known.id.name().is_none()
            && filter.lets_through(known)
            && context.caller.sees(&known.id.to_string())
    });
    for known in meant.take(most) {
        if let Some(document) = context.core.document(&known.id).await? {
            groups.push(document.body);
        }
    }
    Ok(Answer::ok(&json!({ "value": groups })))
}

async fn delete(context: Context) -> Result<Answer, ArmError> {
    let call = context.group_call(Doing::Delete, "delete");
    let operation = context
        .core
        .delete_group(&call, &context.group_id())
        .await?;
    Ok(context.follow_group(operation.id))
}

async fn result(context: Context) -> Result<Answer, ArmError> {
    let text = context.captures.get("operation");
    let missing = || {
        let message = format!("The operation '{text}' was not found.");
        ArmError::front_door("NotFound", message)
    };
    let id = text.parse().map_err(|_| missing())?;
    context.core.endings.wait(id, POLL_PATIENCE).await;
    let stored = context.core.operation(id).await?.ok_or_else(missing)?;
    let operation = stored.operation;
    let is_own = operation.caller == context.caller.app_id();
    let action = format!("{GROUPS}/read");
    if !is_own && !context.caller.may(&action, &operation.resource) {
        // Others are not told that there is one.
        return Err(missing());
    }
    Ok(match (operation.status, operation.error) {
        (Status::InProgress, _) => context.follow_group(id),
        (_, Some(error)) => Answer::json(StatusCode::CONFLICT, &json!({ "error": error })),
        (_, None) => Answer::empty(StatusCode::OK),
    })
}

impl Core {
    pub(crate) async fn put_group(
        self: &Arc<Self>,
        call: &Call,
        id: &ResourceId,
        edit: Edit<'_>,
    ) -> Result<(Document, bool), ArmError> {
        let _turn = self.writing.lock().await;
        let previous = self.document(id).await?;
        if previous
            .as_ref()
            .is_some_and(|before| before.state() == Some("Deleting"))
        {
            return Err(group_being_deleted(id.resource_group().unwrap_or_default()));
        }
        let body = edit.apply(id, previous.as_ref().map(|before| &*before.body))?;
        let put = Put {
            id,
            body: &body,
            previous: previous.as_ref(),
            last_good: None,
            api_version: call.api_version,
            replaces: true,
        };
        let prepared = prepare(&put)?;
        let accepted = self.store(call, &GroupKind, id, prepared, previous).await?;
        Ok((accepted.document, accepted.is_new))
    }
}
