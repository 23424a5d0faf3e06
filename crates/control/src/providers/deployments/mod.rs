//! `Microsoft.Resources/deployments`: templates, and what they make of a resource group.

mod ledger;
mod preflight;
mod record;
mod request;
mod run;
mod runtime;
mod target;
mod what_if;

use std::sync::Arc;

use gatewright_arm::{ArmError, ResourceId};
use gatewright_store::Pending;
use gatewright_template::Plan;
use hyper::{Method, StatusCode};
use serde_json::{Value, json};

pub(crate) use run::resume;

use crate::context::{Context, Handler, handler};
use crate::core::{Core, written};
use crate::front::answer::Answer;
use crate::front::router::{Access, Route};
use crate::operations::{Doing, Operation, POLL_PATIENCE, Status};
use crate::providers::filter::split_terms;
use crate::providers::network::ask_later;
use crate::resources::document::Document;
use crate::resources::kind::{Kind, Manner, Prepared, Put};
use crate::resources::records::{DEPLOYMENTS, is_record};
use crate::resources::write::Call;
use crate::routes::{action, route, soon};
use ledger::{Begun, is_active};
use record::Notes;
use request::{Refusal, Requested, Source, aside, check_name};
use run::Run;

/// As recorded: a deployment that is only validated has no time.
const NO_TIME: &str = "0001-01-01T00:00:00Z";

pub(crate) fn routes() -> Vec<Route> {
    let group = "/subscriptions/{subscription}/resourceGroups/{group}";
    let list = format!("{group}/providers/{DEPLOYMENTS}");
    let item = format!("{list}/{{name}}");
    let on = |method: Method, pattern: &str, verb: &str, handler: Handler| {
        route(method, pattern, action(DEPLOYMENTS, verb), handler)
    };
    let below = |word: &str| format!("{item}/{word}");
    let mut routes = vec![
        on(Method::GET, &list, "read", handler(all)),
        on(Method::GET, &item, "read", handler(get)),
        on(Method::HEAD, &item, "read", handler(head)),
        on(Method::PUT, &item, "write", handler(put)),
        on(Method::DELETE, &item, "delete", handler(delete)),
        on(
            Method::POST,
            &below("validate"),
            "validate/action",
            handler(validate),
        ),
        on(
            Method::POST,
            &below("whatIf"),
            "whatIf/action",
            handler(what_if::answer),
        ),
        on(
            Method::POST,
            &below("cancel"),
            "cancel/action",
            handler(cancel),
        ),
        on(
            Method::POST,
            &below("exportTemplate"),
            "exportTemplate/action",
            handler(export),
        ),
        on(
            Method::GET,
            &below("operationStatuses/{operation}"),
            "operationstatuses/read",
            handler(status),
        ),
        on(
            Method::POST,
            &format!("{group}/exportTemplate"),
            "exportTemplate/action",
            handler(no_group_export),
        ),
    ];
    // Clients of different ages ask under both.
    for item in [item, format!("{group}/deployments/{{name}}")] {
        let list = format!("{item}/operations");
        let one = format!("{list}/{{operation}}");
        let verb = "operations/read";
        routes.push(on(Method::GET, &list, verb, handler(operations)));
        routes.push(on(Method::GET, &one, verb, handler(operation)));
    }
    routes.extend(elsewhere());
    routes
}

/// Deployments to the subscription: there are none, and each path to one says why.
fn elsewhere() -> Vec<Route> {
    let list = format!("/subscriptions/{{subscription}}/providers/{DEPLOYMENTS}");
    let mut routes = Vec::new();
    routes.push(route(
        Method::GET,
        list.clone(),
        Access::Authenticated,
        handler(none),
    ));
    for (below, methods) in [
        (
            "/{name}",
            &[Method::GET, Method::HEAD, Method::PUT, Method::DELETE][..],
        ),
        ("/{name}/{word}", &[Method::GET, Method::POST]),
        ("/{name}/{word}/{operation}", &[Method::GET]),
    ] {
        for method in methods {
            let pattern = format!("{list}{below}");
            let access = Access::Authenticated;
            routes.push(route(
                method.clone(),
                pattern,
                access,
                handler(no_such_scope),
            ));
        }
    }
    routes
}

/// Deployments are stored as resources are, and deleted with their group.
pub(crate) struct Deployments;

impl Kind for Deployments {
    fn name(&self) -> &'static str {
        DEPLOYMENTS
    }

    fn manner(&self) -> Manner {
        Manner::AtOnce
    }

    fn prepare<'a>(
        &'a self,
        _core: &'a Core,
        put: Put<'a>,
    ) -> Pending<'a, Result<Prepared, ArmError>> {
        Box::pin(async move {
            let message = format!("{} is written by its own route alone.", put.id);
            Err(ArmError::front_door("InvalidDeployment", message))
        })
    }
}

impl Context {
    /// The id of the deployment of the path, whatever else the path has.
    fn deployment_id(&self) -> Result<ResourceId, ArmError> {
        let name = self.captures.get("name");
        let group = self.core.group_id(self.captures.get("group"));
        ResourceId::parse(&format!("{group}/providers/{DEPLOYMENTS}/{name}")).map_err(|error| {
            let message = format!("The path names no deployment: {error}.");
            ArmError::front_door("InvalidRequestUri", message)
        })
    }

    /// The id under which a deployment of this path is stored: the group has the casing of its own.
    fn new_deployment_id(&self) -> Result<ResourceId, ArmError> {
        let id = self.deployment_id()?;
        check_name(id.name().unwrap_or_default())?;
        self.core.check_group(&id)?;
        let group = self.core.group_id(self.captures.get("group"));
        let known = self.core.inventory.find(&group);
        let group = known.map_or(group, |known| known.id);
        let name = id.name().unwrap_or_default();
        let text = format!("{group}/providers/{DEPLOYMENTS}/{name}");
        Ok(ResourceId::parse(&text).unwrap_or(id))
    }

    fn deployment_call(&self, verb: &str) -> Call {
        Call {
            if_match: None,
            only_new: false,
            ..self.call(Doing::Deploy, format!("{DEPLOYMENTS}/{verb}"))
        }
    }

    async fn deployment(&self) -> Result<Document, ArmError> {
        self.document(&self.deployment_id()?).await
    }
}

/// A template that was found to be good.
struct Checked {
    requested: Arc<Requested>,
    plan: Arc<Plan>,
    outlook: preflight::Outlook,
}

/// Reads the request, plans it and judges everything that can be judged now.
async fn check(context: &Context, id: &ResourceId, call: &Call) -> Result<Checked, Refusal> {
    let (requested, plan) = planned(context, id).await?;
    let outlook = judged(context, id, call, &plan).await?;
    Ok(Checked {
        requested,
        plan,
        outlook,
    })
}

async fn planned(
    context: &Context,
    id: &ResourceId,
) -> Result<(Arc<Requested>, Arc<Plan>), Refusal> {
    let bytes = context.request.body.clone();
    let origin = context.request.origin.clone();
    let requested = Arc::new(aside(move || Requested::read(&bytes, &origin)).await?);
    let plan = context.core.plan(Arc::clone(&requested), id).await?;
    Ok((requested, plan))
}

async fn judged(
    context: &Context,
    id: &ResourceId,
    call: &Call,
    plan: &Arc<Plan>,
) -> Result<preflight::Outlook, Refusal> {
    let core = &context.core;
    let outlook = core.outlook(call, plan).await?;
    core.judge_all(id.name().unwrap_or_default(), &outlook)
        .await?;
    Ok(outlook)
}

async fn put(context: Context) -> Result<Answer, ArmError> {
    let id = context.new_deployment_id()?;
    let call = context.deployment_call("write");
    match begin(&context, id.clone(), &call).await {
        Ok(answer) => Ok(answer),
        Err(refusal) => {
            let answer = refusal.answer();
            let error = match &answer {
                Err(error) => error.clone(),
                Ok(_) => ArmError::front_door("InvalidTemplate", "The template is not valid."),
            };
            context.core.note_refusal(&call, &id, &error).await;
            answer
        }
    }
}

async fn begin(context: &Context, id: ResourceId, call: &Call) -> Result<Answer, Refusal> {
    let core = &context.core;
    let (requested, plan) = planned(context, &id).await?;
    let refusal = match judged(context, &id, call, &plan).await {
        Err(refusal) if !reads_endings_only(context) => return Err(refusal),
        judged => judged.err().map(Refusal::into_error),
    };
    let tags = requested.tags.as_ref();
    let begun = Begun {
        body: record::body(&id, tags, &plan, &call.correlation, "Accepted"),
        id,
        notes: Notes::default(),
        source: Some(requested.source().clone()),
    };
    let (document, active, is_new) = core.begin_deployment(call, begun).await?;
    let answer = Answer::json(written(is_new), &document.body);
    let answer = answer.with(
        "azure-asyncoperation",
        status_url(context, &active.operation),
    );
    let run = Run {
        core: Arc::clone(core),
        call: call.clone(),
        active,
        plan,
    };
    match refusal {
        Some(error) => run.fail(error).await,
        None => drop(tokio::spawn(async move { drop(run.run().await) })),
    }
    Ok(answer)
}

/// Whether the command of az that asks shows a traceback where a deployment is refused (seen with
/// 2.91, which reads that answer twice). It is told the same as the end of the deployment.
fn reads_endings_only(context: &Context) -> bool {
    let command = context.request.headers.get("commandname");
    command.is_some_and(|name| name == "network application-gateway create")
}

/// Below the path of the request, in its casing.
fn status_url(context: &Context, operation: &Operation) -> String {
    let version = context.request.query.get("api-version").unwrap_or_default();
    context.link(&format!(
        "{}/operationStatuses/{}?api-version={version}",
        context.request.scope(),
        operation.id
    ))
}

async fn validate(context: Context) -> Result<Answer, ArmError> {
    let id = context.new_deployment_id()?;
    let call = context.deployment_call("validate/action");
    let checked = match check(&context, &id, &call).await {
        Ok(checked) => checked,
        Err(refusal) if reads_endings_only(&context) => {
            let error = refusal.into_error();
            let refuse = |_, _| -> Pending<'static, _> { Box::pin(async move { Err(error) }) };
            return Ok(ask_later(&context, id, refuse));
        }
        Err(refusal) => return refusal.answer(),
    };
    let tags = checked.requested.tags.as_ref();
    let mut body = record::body(&id, tags, &checked.plan, &call.correlation, "Succeeded");
    let properties = &mut body["properties"];
    properties["timestamp"] = json!(NO_TIME);
    properties["validatedResources"] = checked.plan.output_resources();
    Ok(Answer::ok(&body))
}

async fn get(context: Context) -> Result<Answer, ArmError> {
    Ok(Answer::ok(&context.deployment().await?.body))
}

async fn head(context: Context) -> Result<Answer, ArmError> {
    context.deployment().await?;
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}

/// What was deployed stays; the record of it goes.
async fn delete(context: Context) -> Result<Answer, ArmError> {
    let id = context.deployment_id()?;
    context.core.check_group(&id)?;
    let Some(document) = context.core.document(&id).await? else {
        return Ok(Answer::empty(StatusCode::NO_CONTENT));
    };
    if context.core.running(&document).await?.is_some() {
        return Err(is_active(&document));
    }
    let call = context.call(Doing::Delete, format!("{DEPLOYMENTS}/delete"));
    context.core.delete(&call, &id).await?;
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}

async fn all(context: Context) -> Result<Answer, ArmError> {
    let group = context.core.group_id(context.captures.get("group"));
    context.core.check_group(&group)?;
    let state = state_of(context.request.query.get("$filter").unwrap_or_default())?;
    let mut found = Vec::new();
    for known in context.core.inventory.within(&group.to_string()) {
        let is_meant = is_record(&known.id.resource_type())
            && state
                .as_ref()
                .is_none_or(|state| state.eq_ignore_ascii_case(&known.state))
            && (context.caller).may(&format!("{DEPLOYMENTS}/read"), &known.id.to_string());
        if !is_meant {
            continue;
        }
        if let Some(document) = context.core.document(&known.id).await? {
            found.push(document);
        }
    }
    // The newest first.
    found.sort_by_key(|document| std::cmp::Reverse(document.changed));
    let value: Vec<Arc<Value>> = found.into_iter().map(|document| document.body).collect();
    Ok(Answer::ok(&json!({ "value": value })))
}

/// The state of the filter `provisioningState eq 'Succeeded'`.
fn state_of(filter: &str) -> Result<Option<String>, ArmError> {
    let terms = split_terms(filter);
    let [term] = terms.as_slice() else {
        return match terms.is_empty() {
            true => Ok(None),
            false => Err(bad_filter(filter)),
        };
    };
    let words: Vec<&str> = term.split_whitespace().collect();
    match words.as_slice() {
        [name, operator, value]
            if name.eq_ignore_ascii_case("provisioningState")
                && operator.eq_ignore_ascii_case("eq") =>
        {
            Ok(Some(value.trim_matches('\'').to_owned()))
        }
        _ => Err(bad_filter(filter)),
    }
}

fn bad_filter(filter: &str) -> ArmError {
    let message = format!(
        "The $filter '{filter}' is not understood. It can be \"provisioningState eq 'Succeeded'\"."
    );
    ArmError::front_door("InvalidFilterInQueryString", message)
}

async fn cancel(context: Context) -> Result<Answer, ArmError> {
    let id = context.deployment_id()?;
    context.core.check_group(&id)?;
    let active = context.core.running_deployment(&id).await?;
    if !context.core.cancel_deployment(&active).await? {
        // It ended just now; this says how.
        context.core.running_deployment(&id).await?;
    }
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}

/// The template as it was given. Of what is part of another deployment, that one has it.
async fn export(context: Context) -> Result<Answer, ArmError> {
    let document = context.deployment().await?;
    let sealed = document.open(&context.core.sealing);
    let sealed = sealed.map_err(crate::core::failed)?;
    match Source::of(sealed) {
        Some(source) => Ok(Answer::ok(&json!({ "template": source.template }))),
        None => Err(ArmError::front_door(
            "DeploymentTemplateNotFound",
            format!(
                "The deployment '{}' is part of another one; export the template of that.",
                document.id.name().unwrap_or_default()
            ),
        )),
    }
}

async fn status(context: Context) -> Result<Answer, ArmError> {
    let id = context.deployment_id()?;
    let text = context.captures.get("operation");
    let missing = || {
        let message = format!(
            "The operation '{text}' of the deployment '{}' was not found.",
            id.name().unwrap_or_default()
        );
        ArmError::front_door("NotFound", message)
    };
    let operation = text.parse().map_err(|_| missing())?;
    context.core.endings.wait(operation, POLL_PATIENCE).await;
    let stored = context.core.operation(operation).await?;
    let stored = stored.map(|stored| stored.operation);
    let is_own = |stored: &Operation| stored.resource.eq_ignore_ascii_case(&id.to_string());
    let operation = stored.filter(is_own).ok_or_else(missing)?;
    if operation.status != Status::InProgress {
        return Ok(Answer::ok(&operation.status_body()));
    }
    let known = context.core.inventory.find(&id);
    let state = known.map_or_else(|| "Running".to_owned(), |known| known.state);
    Ok(soon(Answer::ok(&json!({ "status": state }))))
}

async fn operations(context: Context) -> Result<Answer, ArmError> {
    let document = context.deployment().await?;
    let steps = Notes::of(&document).steps;
    Ok(Answer::ok(&json!({ "value": steps })))
}

async fn operation(context: Context) -> Result<Answer, ArmError> {
    let document = context.deployment().await?;
    let id = context.captures.get("operation");
    let steps = Notes::of(&document).steps;
    let mut steps = steps.iter();
    let step = steps.find(|step| {
        let own = step.get("operationId").and_then(Value::as_str);
        own.is_some_and(|own| own.eq_ignore_ascii_case(id))
    });
    step.map(Answer::ok).ok_or_else(|| {
        let name = document.id.name().unwrap_or_default();
        let message = format!("The operation '{id}' of the deployment '{name}' was not found.");
        ArmError::front_door("DeploymentOperationNotFound", message)
    })
}

async fn no_group_export(_: Context) -> Result<Answer, ArmError> {
    let message = "This control plane makes no template of a resource group; 'az deployment group \
                   export' answers with that of a deployment.";
    Err(ArmError::front_door("ExportTemplateNotSupported", message))
}

async fn none(_: Context) -> Result<Answer, ArmError> {
    Ok(Answer::ok(&json!({ "value": [] })))
}

async fn no_such_scope(_: Context) -> Result<Answer, ArmError> {
    let message = "Deployments to the subscription are not part of this control plane: deploy to \
                   a resource group.";
    Err(ArmError::front_door("InvalidDeploymentScope", message))
}
