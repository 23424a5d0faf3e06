//! Every route there is.

use std::sync::Arc;
use std::time::Duration;

use gatewright_arm::{ArmError, ResourceId};
use hyper::{Method, StatusCode};
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::context::{Context, Handler, handler};
use crate::core::{Core, failed, written};
use crate::front::answer::Answer;
use crate::front::router::{Access, Route};
use crate::identity;
use crate::operations::{Doing, Operation, POLL_PATIENCE, Status};
use crate::providers;
use crate::resources::document::Document;
use crate::resources::edit::{Edit, not_found, not_found_part};
use crate::resources::kind::Kind;
use crate::resources::records::is_record;
use crate::resources::remove::{Removed, part};
use crate::resources::shown::Shown;
use crate::resources::tags::TagChange;
use crate::resources::write::{Accepted, Call};

const GROUP: &str = "/subscriptions/{subscription}/resourceGroups/{group}";
const SUBSCRIPTION: &str = "/subscriptions/{subscription}";

/// The whole table: what needs no token, what every kind of resources has, and the rest. The first
/// row that matches answers.
pub(crate) fn table(kinds: &[Box<dyn Kind>]) -> Vec<Route> {
    let mut routes = providers::routes();
    // Records have routes of their own.
    for kind in kinds.iter().filter(|kind| !is_record(kind.name())) {
        routes.extend(routes_of(&**kind));
    }
    for word in ["operations", "operationResults"] {
        routes.push(route(
            Method::GET,
            format!(
                "{SUBSCRIPTION}/providers/{{namespace}}/locations/{{location}}/{word}/{{operation}}"
            ),
            Access::Authenticated,
            match word {
                "operations" => handler(operation_status),
                _ => handler(operation_result),
            },
        ));
    }
    // Last: their patterns begin with a name that matches everything.
    routes.extend(identity::routes());
    routes
}

/// A row of the table, for the tests that try every one.
#[doc(hidden)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedRoute {
    pub method: String,
    /// With names in braces for segments that may be anything.
    pub pattern: String,
    /// `public`, `authenticated`, or the action that is needed.
    pub access: String,
}

/// The whole table.
#[doc(hidden)]
pub fn listed_routes() -> Vec<ListedRoute> {
    let listed = table(&providers::kinds())
        .into_iter()
        .map(|route| ListedRoute {
            method: route.method.to_string(),
            pattern: route.pattern,
            access: match route.access {
                Access::Public => "public".to_owned(),
                Access::Authenticated => "authenticated".to_owned(),
                Access::Action(action) => action,
            },
        });
    listed.collect()
}

pub(crate) fn route(
    method: Method,
    pattern: impl Into<String>,
    access: Access,
    handler: Handler,
) -> Route {
    Route {
        method,
        pattern: pattern.into(),
        access,
        handler,
    }
}

/// The access of one action on a type.
pub(crate) fn action(kind: &str, verb: &str) -> Access {
    Access::Action(format!("{kind}/{verb}"))
}

/// The pattern of a kind's items: `…/providers/Ns/a/{name1}/b/{name2}`, and that of their list.
fn patterns(kind: &str) -> (String, String) {
    let mut words = kind.split('/');
    let namespace = words.next().unwrap_or_default();
    let mut item = format!("{GROUP}/providers/{namespace}");
    let mut list = String::new();
    for (position, word) in words.enumerate() {
        list = format!("{item}/{word}");
        item = format!("{list}/{{name{position}}}");
    }
    (item, list)
}

fn routes_of(kind: &dyn Kind) -> Vec<Route> {
    let name = kind.name();
    let (item, list) = patterns(name);
    let mut routes = vec![
        route(Method::GET, &item, action(name, "read"), handler(get)),
        route(Method::HEAD, &item, action(name, "read"), handler(get)),
        route(Method::PUT, &item, action(name, "write"), handler(put)),
        route(Method::PATCH, &item, action(name, "write"), handler(patch)),
        route(
            Method::DELETE,
            &item,
            action(name, "delete"),
            handler(delete),
        ),
        route(
            Method::GET,
            &list,
            action(name, "read"),
            handler(list_in_group),
        ),
    ];
    if name.split('/').count() == 2 {
        let pattern = format!("{SUBSCRIPTION}/providers/{name}");
        routes.push(route(
            Method::GET,
            pattern,
            Access::Authenticated,
            handler(list_everywhere),
        ));
    }
    for one in kind.parts() {
        let collection = one.collection;
        let name = format!("{name}/{collection}");
        let list = format!("{item}/{collection}");
        let item = format!("{list}/{{part}}");
        let on = |function: fn(Context, &'static str) -> PartAnswer| -> Handler {
            Arc::new(move |context| function(context, collection))
        };
        routes.extend([
            route(Method::GET, &item, action(&name, "read"), on(get_part)),
            route(Method::GET, &list, action(&name, "read"), on(list_parts)),
        ]);
        if one.is_writable {
            routes.extend([
                route(Method::PUT, &item, action(&name, "write"), on(put_part)),
                route(
                    Method::DELETE,
                    &item,
                    action(&name, "delete"),
                    on(delete_part),
                ),
            ]);
        }
    }
    routes
}

type PartAnswer = std::pin::Pin<Box<dyn Future<Output = Result<Answer, ArmError>> + Send>>;

impl Context {
    /// The write that this request is.
    pub(crate) fn call(&self, doing: Doing, action: String) -> Call {
        // What is no text is no etag that there is; it is not the same as none.
        let header = |name: &str| {
            let value = self.request.headers.get(name)?;
            Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        Call {
            caller: self.caller.clone(),
            correlation: self.request.ids.correlation.clone(),
            api_version: self.api_version,
            if_match: header("if-match"),
            only_new: header("if-none-match").as_deref() == Some("*"),
            doing,
            action,
        }
    }

    fn call_on(&self, id: &ResourceId, doing: Doing, verb: &str) -> Call {
        self.call(doing, format!("{}/{verb}", id.resource_type()))
    }

    /// The resource of the path.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) async fn document(&self, id: &ResourceId) -> Result<Document, ArmError> {
        self.core.check_group(id)?;
        self.core.document(id).await?.ok_or_else(|| not_found(id))
    }

    /// The URL of an operation.
    pub(crate) fn operation_url(&self, operation: &Operation, word: &str) -> String {
        let path = self.core.operation_path(operation, word);
        self.link(&format!("{path}?api-version={}", self.api_version_text()))
    }

    /// A resource as a GET of this api-version answers it.
    pub(crate) fn shown(&self, document: &Document) -> Shown {
        self.core.shown_to(document, self.api_version)
    }

    fn api_version_text(&self) -> &str {
        self.request.query.get("api-version").unwrap_or_default()
    }

    /// With what a client follows an operation by.
    pub(crate) fn follow(&self, answer: Answer, operation: &Operation) -> Answer {
        self.follow_quietly(answer.with("azure-asyncnotification", "Enabled"), operation)
    }

    /// With the links by which a client follows an operation that nobody is notified of.
    fn follow_quietly(&self, answer: Answer, operation: &Operation) -> Answer {
        let link = |word| self.operation_url(operation, word);
        let answer = match operation.doing {
            Doing::Ask => answer,
            _ => answer.with("azure-asyncoperation", link("operations")),
        };
        match operation.doing {
            Doing::Put | Doing::Deploy => answer,
            _ => answer.with("location", link("operationResults")),
        }
    }
}

impl Core {
    pub(crate) fn operation_path(&self, operation: &Operation, word: &str) -> String {
        let kind = ResourceId::parse(&operation.resource).map(|id| id.resource_type());
        let kind = kind.unwrap_or_default();
        let namespace = kind.split('/').next().unwrap_or_default();
        format!(
            "/subscriptions/{}/providers/{namespace}/locations/{}/{word}/{}",
            self.config.subscription, operation.location, operation.id
        )
    }
}

fn with_etag(answer: Answer, etag: Option<&str>) -> Answer {
    match etag {
        Some(etag) => answer.with("etag", etag),
        None => answer,
    }
}

async fn get(context: Context) -> Result<Answer, ArmError> {
    let id = context.resource_id(0)?;
    let document = context.document(&id).await?;
    let shown = context.shown(&document);
    Ok(with_etag(Answer::ok(&shown), shown.etag()))
}

async fn put(context: Context) -> Result<Answer, ArmError> {
    let id = context.resource_id(0)?;
    let body = context.json()?;
    let call = context.call_on(&id, Doing::Put, "write");
    let accepted = context.core.write(&call, &id, Edit::Whole(&body)).await?;
    let shown = context.shown(&accepted.document);
    let status = match accepted.is_new {
        true => context.core.kind_of(&id)?.status_of_new(),
        false => StatusCode::OK,
    };
    Ok(answer_write(&context, &accepted, status, &shown, true))
}

fn answer_write(
    context: &Context,
    accepted: &Accepted,
    status: StatusCode,
    shown: &impl Serialize,
    is_notified: bool,
) -> Answer {
    let answer = Answer::json(status, shown);
    match &accepted.operation {
        Some(operation) if is_notified => context.follow(answer, operation),
        Some(operation) => context.follow_quietly(answer, operation),
        None => answer,
    }
}

/// PATCH of the tags: done when it is answered, as the service declares it.
async fn patch(context: Context) -> Result<Answer, ArmError> {
    let id = context.resource_id(0)?;
    let body = context.json()?;
    context.document(&id).await?;
    let call = context.call_on(&id, Doing::Put, "write");
    let kind = context.core.kind_of(&id)?;
    let edit = match kind.patches_properties() {
        true => Edit::Merge(&body),
        false => Edit::Tags(TagChange::of_patch(&body)),
    };
    let accepted = context.core.write(&call, &id, edit).await?;
    if let Some(operation) = &accepted.operation {
        context
            .core
            .endings
            .wait(operation.id, PATCH_PATIENCE)
            .await;
    }
    let document = context.document(&id).await?;
    Ok(Answer::ok(&context.shown(&document)))
}

/// How long a PATCH waits for what it began.
const PATCH_PATIENCE: Duration = Duration::from_secs(10);

async fn delete(context: Context) -> Result<Answer, ArmError> {
    let id = context.resource_id(0)?;
    let call = context.call_on(&id, Doing::Delete, "delete");
    context.core.check_group(&id)?;
    let removed = context.core.delete(&call, &id).await?;
    let done = context.core.kind_of(&id)?.status_of_deleted();
    Ok(answer_delete(&context, &removed, done))
}

/// `done` is the status where nothing is left to be done.
fn answer_delete(context: &Context, removed: &Removed, done: StatusCode) -> Answer {
    match removed {
        Removed::Absent => Answer::empty(StatusCode::NO_CONTENT),
        Removed::Done => Answer::empty(done),
        Removed::Going(operation) => context.follow(Answer::empty(StatusCode::ACCEPTED), operation),
    }
}

async fn list_in_group(context: Context) -> Result<Answer, ArmError> {
    let segments = &context.request.segments;
    let scope = format!("/{}", segments.join("/"));
    let above = context.resource_id(segments.len().saturating_sub(4))?;
    context.core.check_group(&above)?;
    let kind = type_of_list(segments);
    list(&context, &scope, &kind).await
}

async fn list_everywhere(context: Context) -> Result<Answer, ArmError> {
    let kind = type_of_list(&context.request.segments);
    let scope = format!("/subscriptions/{}", context.core.config.subscription);
    list(&context, &scope, &kind).await
}

/// The type of the items of a list, by its path.
fn type_of_list(segments: &[String]) -> String {
    let from = segments
        .iter()
        .position(|word| word.eq_ignore_ascii_case("providers"));
    let words = segments
        .iter()
        .skip(from.map_or(usize::MAX, |from| from + 1));
    let kind = words
        .enumerate()
        .filter(|(position, _)| *position == 0 || position % 2 == 1);
    kind.map(|(_, word)| word.as_str())
        .collect::<Vec<_>>()
        .join("/")
}

/// A list, whole.
#[derive(Serialize)]
struct Page {
    value: Vec<Shown>,
}

/// Those that the caller may read.
async fn list(context: &Context, scope: &str, kind: &str) -> Result<Answer, ArmError> {
    let mut items = Vec::new();
    for known in context.core.inventory.within(scope) {
        let is_of_kind = known.id.resource_type().eq_ignore_ascii_case(kind);
        let action = format!("{}/read", known.id.resource_type());
        if !is_of_kind || !context.caller.may(&action, &known.id.to_string()) {
            continue;
        }
        if let Some(document) = context.core.document(&known.id).await? {
            items.push(context.shown(&document));
        }
    }
    Ok(Answer::ok(&Page { value: items }))
}

fn get_part(context: Context, collection: &'static str) -> PartAnswer {
    Box::pin(async move {
        let id = context.resource_id(0)?;
        let body = shown_part(&context, &id, collection).await?;
        let etag = body.get("etag").and_then(Value::as_str);
        Ok(with_etag(Answer::ok(&body), etag))
    })
}

/// An item as a GET shows it.
async fn shown_part(
    context: &Context,
    id: &ResourceId,
    collection: &str,
) -> Result<Value, ArmError> {
    let parent = id.parent().ok_or_else(|| not_found(id))?;
    context.core.check_group(id)?;
    let document = context.core.document(&parent).await?;
    let document = document.ok_or_else(|| not_found(&parent))?;
    let shown = context.shown(&document);
    let name = id.name().unwrap_or_default();
    part(&shown.body(), collection, name)
        .cloned()
        .ok_or_else(|| not_found_part(id))
}

fn put_part(context: Context, collection: &'static str) -> PartAnswer {
    Box::pin(async move {
        let id = context.resource_id(0)?;
        let body = context.json()?;
        let parent = id.parent().ok_or_else(|| not_found(&id))?;
        context.core.check_group(&id)?;
        let before = context.core.document(&parent).await?;
        let name = id.name().unwrap_or_default();
        let is_new = before.is_none_or(|before| part(&before.body, collection, name).is_none());
        let call = context.call_on(&id, Doing::Put, "write");
        let edit = Edit::PutPart {
            collection,
            name,
            body: &body,
        };
        let accepted = context.core.write(&call, &parent, edit).await?;
        let shown = context.shown(&accepted.document);
        let item = part(&shown.body(), collection, name)
            .cloned()
            .unwrap_or_default();
        let is_notified = context.core.kind_of(&parent)?.notifies_of(collection);
        let status = written(is_new);
        Ok(answer_write(
            &context,
            &accepted,
            status,
            &item,
            is_notified,
        ))
    })
}

fn delete_part(context: Context, collection: &'static str) -> PartAnswer {
    Box::pin(async move {
        let id = context.resource_id(0)?;
        let call = context.call_on(&id, Doing::Delete, "delete");
        context.core.check_group(&id)?;
        let removed = context.core.delete_part(&call, &id, collection).await?;
        Ok(answer_delete(&context, &removed, StatusCode::OK))
    })
}

fn list_parts(context: Context, collection: &'static str) -> PartAnswer {
    Box::pin(async move {
        let parent = context.resource_id(1)?;
        let document = context.document(&parent).await?;
        let shown = context.shown(&document);
        let items = shown
            .body()
            .get("properties")
            .and_then(|bag| bag.get(collection))
            .cloned();
        Ok(Answer::ok(
            &json!({ "value": items.unwrap_or_else(|| json!([])) }),
        ))
    })
}

/// The operation of the path, once it has ended or the patience is over.
async fn polled(context: &Context) -> Result<Operation, ArmError> {
    let text = context.captures.get("operation");
    let missing = || {
        let message = format!("The operation '{text}' was not found.");
        ArmError::new("NotFound", message)
    };
    let id: Uuid = text.parse().map_err(|_| missing())?;
    context.core.endings.wait(id, POLL_PATIENCE).await;
    let stored = context.core.operation(id).await?.ok_or_else(missing)?;
    let operation = stored.operation;
    // Whoever may read the resource may know what happens to it; and whoever began it.
    let kind = ResourceId::parse(&operation.resource).map(|id| id.resource_type());
    let action = format!("{}/read", kind.map_err(failed)?);
    let is_own = operation.caller == context.caller.app_id();
    match is_own || context.caller.may(&action, &operation.resource) {
        true => Ok(operation),
        // Others are not told that there is one.
        false => Err(missing()),
    }
}

async fn operation_status(context: Context) -> Result<Answer, ArmError> {
    let operation = polled(&context).await?;
    let answer = Answer::ok(&operation.status_body());
    Ok(match operation.status {
        Status::InProgress => soon(answer),
        _ => answer,
    })
}

async fn operation_result(context: Context) -> Result<Answer, ArmError> {
    let operation = polled(&context).await?;
    let answer = match (operation.status, &operation.result) {
        (Status::InProgress, _) => soon(Answer::json(StatusCode::ACCEPTED, &Value::Null)),
        (Status::Succeeded, Some(result)) => Answer::ok(result),
        (Status::Succeeded, None) => match operation.doing {
            Doing::Start | Doing::Stop => Answer::ok(&Value::Null),
            _ => Answer::empty(StatusCode::NO_CONTENT),
        },
        (Status::Failed | Status::Canceled, _) => Answer::json(
            StatusCode::CONFLICT,
            &json!({"error": operation.error.clone().unwrap_or_default()}),
        ),
    };
    Ok(context.follow(answer, &operation))
}

/// Ask again in a moment: the second header is what az's library looks at first, in milliseconds.
pub(crate) fn soon(answer: Answer) -> Answer {
    answer
        .with("retry-after", "1")
        .with("retry-after-ms", "100")
}
