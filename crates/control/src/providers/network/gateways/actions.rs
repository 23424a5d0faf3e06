//! What can be done with a gateway besides writing it: start, stop, and asking for health.

use std::sync::Arc;

use gatewright_arm::{ArmError, ResourceId, shorten_id};
use gatewright_store::Pending;
use hyper::{Method, StatusCode};
use serde_json::Value;

use super::{GATEWAYS, private_link};
use crate::context::{Context, Handler, handler};
use crate::core::Core;
use crate::front::answer::Answer;
use crate::front::body;
use crate::front::router::Route;
use crate::operations::Doing;
use crate::resources::document::Document;
use crate::resources::edit::{Edit, member};
use crate::resources::references;
use crate::routes::{action, route, soon};

pub(crate) fn routes() -> Vec<Route> {
    let post = |word: &str, handler: Handler| {
        let pattern = format!(
            "/subscriptions/{{subscription}}/resourceGroups/{{group}}/providers/{GATEWAYS}/\
             {{name}}/{word}"
        );
        let access = action(GATEWAYS, &format!("{word}/action"));
        route(Method::POST, pattern, access, handler)
    };
    let mut routes = private_link::routes();
    routes.extend([
        post("start", handler(|context| turn(context, Doing::Start))),
        post("stop", handler(|context| turn(context, Doing::Stop))),
        post("backendhealth", handler(health)),
        post("getBackendHealthOnDemand", handler(health_on_demand)),
    ]);
    routes
}

async fn turn(context: Context, doing: Doing) -> Result<Answer, ArmError> {
    let id = context.resource_id(1)?;
    context.document(&id).await?;
    // What is wrong with it is no reason not to stop it.
    let (word, edit) = match doing {
        Doing::Start => ("start", Edit::Again),
        _ => ("stop", Edit::Nothing),
    };
    let call = context.call(doing, format!("{GATEWAYS}/{word}/action"));
    let accepted = context.core.write(&call, &id, edit).await?;
    let answer = Answer::empty(StatusCode::ACCEPTED);
    Ok(match &accepted.operation {
        Some(operation) => context.follow(answer, operation),
        None => answer,
    })
}

async fn health(context: Context) -> Result<Answer, ArmError> {
    let id = context.resource_id(1)?;
    let document = context.document(&id).await?;
    let expand = context
        .request
        .query
        .get("$expand")
        .unwrap_or_default()
        .to_owned();
    let ask = move |core: Arc<Core>, id: ResourceId| -> Pending<'static, _> {
        Box::pin(async move {
            let mut report = core.node().backend_health(&id).await?;
            if !expand.is_empty() {
                expand_health(&mut report, &document.body, &expand);
            }
            Ok(report)
        })
    };
    Ok(ask_later(&context, id, ask))
}

async fn health_on_demand(context: Context) -> Result<Answer, ArmError> {
    let id = context.resource_id(1)?;
    let document = context.document(&id).await?;
    let probe = body::json(&context.request.body)?;
    check_pool(&document, &probe)?;
    let ask = move |core: Arc<Core>, id: ResourceId| -> Pending<'static, _> {
        Box::pin(async move { core.node().backend_health_on_demand(&id, &probe).await })
    };
    Ok(ask_later(&context, id, ask))
}

/// The pool that is asked about is one of the gateway's; what else is wrong with a probe, the
/// operation tells.
fn check_pool(gateway: &Document, probe: &Value) -> Result<(), ArmError> {
    let pool = member(probe, "backendAddressPool").and_then(|pool| member(pool, "id")?.as_str());
    let Some(pool) = pool else {
        return Ok(());
    };
    match references::items(&gateway.body).contains(&pool.to_ascii_lowercase()) {
        true => Ok(()),
        false => Err(ArmError::new(
            "InvalidResourceReference",
            format!(
                "Resource {} referenced by resource {} was not found. Name one of the gateway's \
                 backendAddressPools.",
                shorten_id(pool),
                gateway.id
            ),
        )),
    }
}

/// Answers at once where the result will be found, and goes to find it.
pub(crate) fn ask_later(
    context: &Context,
    id: ResourceId,
    ask: impl FnOnce(Arc<Core>, ResourceId) -> Pending<'static, Result<Value, ArmError>>
    + Send
    + 'static,
) -> Answer {
    let core = Arc::clone(&context.core);
    let call = context.call(Doing::Ask, String::new());
    let known = core
        .inventory
        .find(&id)
        .map(|known| Value::Object(known.summary));
    let operation = core.begin(&call, &id, &known.unwrap_or_default());
    core.asked.begin(operation.clone());
    core.endings.begin(operation.id);
    let asked = operation.clone();
    tokio::spawn(async move {
        let answer = ask(Arc::clone(&core), id).await;
        core.asked.end(asked.id, answer);
        core.endings.end(asked.id);
    });
    let answer = Answer::json(StatusCode::ACCEPTED, &Value::Null);
    context.follow(soon(answer), &operation)
}

/// Puts the pools and settings themselves where their ids stand.
fn expand_health(report: &mut Value, gateway: &Value, expand: &str) {
    let expand = expand.to_ascii_lowercase();
    let pools = report
        .get_mut("backendAddressPools")
        .and_then(Value::as_array_mut);
    for pool in pools.into_iter().flatten() {
        if expand.contains("backendaddresspool") {
            expand_one(
                &mut pool["backendAddressPool"],
                gateway,
                "backendAddressPools",
            );
        }
        let settings = pool.get_mut("backendHttpSettingsCollection");
        for setting in settings.and_then(Value::as_array_mut).into_iter().flatten() {
            if expand.contains("backendhttpsettings") {
                let collection = "backendHttpSettingsCollection";
                expand_one(&mut setting["backendHttpSettings"], gateway, collection);
            }
        }
    }
}

fn expand_one(reference: &mut Value, gateway: &Value, collection: &str) {
    let id = reference
        .get("id")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let items = gateway
        .get("properties")
        .and_then(|bag| bag.get(collection));
    let mut items = items.and_then(Value::as_array).into_iter().flatten();
    let found = items.find(|item| {
        let own = item.get("id").and_then(Value::as_str);
        own.is_some_and(|own| own.eq_ignore_ascii_case(id))
    });
    if let Some(item) = found.cloned() {
        *reference = item;
    }
}
