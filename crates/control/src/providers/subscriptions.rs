//! The subscription, the tenant, their regions and providers, and the list of all resources.

use gatewright_arm::{ArmError, catalogue};
use hyper::Method;
use serde_json::{Map, Value, json};

use crate::context::{Context, handler};
use crate::front::answer::Answer;
use crate::front::router::{Access, Route};
use crate::providers::filter::{Filter, most};
use crate::resources::inventory::Known;
use crate::resources::records::is_record;
use crate::routes::{action, route};

pub(crate) fn routes() -> Vec<Route> {
    let one = "/subscriptions/{subscription}";
    let seen = |path: String, handler| route(Method::GET, path, Access::Authenticated, handler);
    vec![
        seen("/subscriptions".to_owned(), handler(subscriptions)),
        seen("/tenants".to_owned(), handler(tenants)),
        seen(one.to_owned(), handler(subscription)),
        seen(format!("{one}/locations"), handler(locations)),
        seen(format!("{one}/providers"), handler(providers)),
        seen(format!("{one}/providers/{{namespace}}"), handler(provider)),
        route(
            Method::POST,
            format!("{one}/providers/{{namespace}}/register"),
            action("{namespace}", "register/action"),
            handler(provider),
        ),
        seen(format!("{one}/resources"), handler(resources)),
        seen(
            format!("{one}/resourceGroups/{{group}}/resources"),
            handler(resources),
        ),
    ]
}

fn shown(context: &Context) -> Value {
    let config = &context.core.config;
    json!({
        "id": format!("/subscriptions/{}", config.subscription),
        "authorizationSource": "RoleBased",
        "managedByTenants": [],
        "subscriptionId": config.subscription,
        "tenantId": config.tenant,
        "displayName": config.subscription_name,
        "state": "Enabled",
        "subscriptionPolicies": {
            "locationPlacementId": "Internal_2014-09-01",
            "quotaId": "Internal_2014-09-01",
            "spendingLimit": "Off",
        },
    })
}

fn scope(context: &Context) -> String {
    format!("/subscriptions/{}", context.core.config.subscription)
}

/// The subscription, if anything of it is the caller's to see.
async fn subscriptions(context: Context) -> Result<Answer, ArmError> {
    let list = match context.caller.sees(&scope(&context)) {
        true => vec![shown(&context)],
        false => Vec::new(),
    };
    let count = json!({"type": "Total", "value": list.len()});
    Ok(Answer::ok(&json!({"value": list, "count": count})))
}

/// # Errors
/// When nothing of it is the caller's to see.
fn check(context: &Context) -> Result<(), ArmError> {
    if context.caller.sees(&scope(context)) {
        return Ok(());
    }
    let given = context.captures.get("subscription");
    let message = format!("The subscription '{given}' could not be found.");
    Err(ArmError::front_door("SubscriptionNotFound", message))
}

async fn subscription(context: Context) -> Result<Answer, ArmError> {
    check(&context)?;
    Ok(Answer::ok(&shown(&context)))
}

async fn tenants(context: Context) -> Result<Answer, ArmError> {
    let tenant = &context.core.config.tenant;
    Ok(Answer::ok(&json!({"value": [{
        "id": format!("/tenants/{tenant}"),
        "tenantId": tenant,
        "countryCode": "",
        "displayName": "Gatewright",
        "domains": [],
        "tenantCategory": "Home",
    }]})))
}

async fn locations(context: Context) -> Result<Answer, ArmError> {
    check(&context)?;
    let subscription = &context.core.config.subscription;
    Ok(Answer::ok(&catalogue::locations(subscription)))
}

async fn providers(context: Context) -> Result<Answer, ArmError> {
    check(&context)?;
    let subscription = &context.core.config.subscription;
    Ok(Answer::ok(&catalogue::providers(subscription, |_| true)))
}

/// All of them are registered; registering one again changes nothing.
async fn provider(context: Context) -> Result<Answer, ArmError> {
    check(&context)?;
    let namespace = context.captures.get("namespace");
    let subscription = &context.core.config.subscription;
    let found = catalogue::provider(subscription, namespace, true);
    found.map(|provider| Answer::ok(&provider)).ok_or_else(|| {
        let known: Vec<&str> = catalogue::namespaces().collect();
        let message = format!(
            "The resource namespace '{namespace}' is invalid. Those of this control plane are {}.",
            known.join(", ")
        );
        ArmError::front_door("InvalidResourceNamespace", message)
    })
}

/// Everything that the caller may read, as far as the filter lets it through.
async fn resources(context: Context) -> Result<Answer, ArmError> {
    check(&context)?;
    let filter = Filter::parse(context.request.query.get("$filter").unwrap_or_default())?;
    let most = most(context.request.query.get("$top"))?;
    let mut scope = scope(&context);
    let group = context.captures.get("group");
    if !group.is_empty() {
        scope = format!("{scope}/resourceGroups/{group}");
    }
    let expand = context.request.query.get("$expand").unwrap_or_default();
    let found = context.core.inventory.within(&scope).into_iter();
    let found = found.filter(|known| {
        let action = format!("{}/read", known.id.resource_type());
        known.id.name().is_some()
            && !is_record(&known.id.resource_type())
            && filter.lets_through(known)
            && context.caller.may(&action, &known.id.to_string())
    });
    let value: Vec<Value> = found
        .take(most)
        .map(|known| summary(known, expand))
        .collect();
    Ok(Answer::ok(&json!({ "value": value })))
}

/// Members that are shown on demand alone.
const ON_DEMAND: [&str; 3] = ["createdTime", "changedTime", "provisioningState"];

fn summary(known: Known, expand: &str) -> Value {
    let mut summary: Map<String, Value> = known.summary;
    summary.retain(|name, _| {
        let mut asked = expand.split(',');
        !ON_DEMAND.contains(&name.as_str())
            || asked.any(|one| one.trim().eq_ignore_ascii_case(name))
    });
    Value::Object(summary)
}
