//! What gateways can be made of: TLS policies, rewrite variables, firewall rules.

use gatewright_arm::{ArmError, catalogue};
use hyper::Method;

use crate::context::{Context, Handler, handler};
use crate::front::answer::Answer;
use crate::front::router::Route;
use crate::routes::{action, route};

pub(crate) fn routes() -> Vec<Route> {
    let options = "applicationGatewayAvailableSslOptions";
    let manifests = "applicationGatewayWafDynamicManifests";
    vec![
        row(&format!("{options}/default"), options, handler(ssl_options)),
        row(
            &format!("{options}/default/predefinedPolicies"),
            options,
            handler(policies),
        ),
        row(
            &format!("{options}/default/predefinedPolicies/{{policy}}"),
            options,
            handler(policy),
        ),
        plain(
            "applicationGatewayAvailableServerVariables",
            handler(server_variables),
        ),
        plain(
            "applicationGatewayAvailableRequestHeaders",
            handler(request_headers),
        ),
        plain(
            "applicationGatewayAvailableResponseHeaders",
            handler(response_headers),
        ),
        plain(
            "applicationGatewayAvailableWafRuleSets",
            handler(waf_rule_sets),
        ),
        row(
            &format!("locations/{{location}}/{manifests}"),
            manifests,
            handler(waf_manifests),
        ),
        // The typo is the contract.
        row(
            &format!("locations/{{location}}/{manifests}/dafault"),
            manifests,
            handler(waf_manifest),
        ),
    ]
}

fn plain(kind: &str, handler: Handler) -> Route {
    row(kind, kind, handler)
}

fn row(path: &str, kind: &str, handler: Handler) -> Route {
    let pattern = format!("/subscriptions/{{subscription}}/providers/Microsoft.Network/{path}");
    let access = action(&format!("Microsoft.Network/{kind}"), "read");
    route(Method::GET, pattern, access, handler)
}

async fn ssl_options(context: Context) -> Result<Answer, ArmError> {
    Ok(Answer::ok(&catalogue::ssl_options(
        &context.core.config.subscription,
    )))
}

async fn policies(context: Context) -> Result<Answer, ArmError> {
    let subscription = &context.core.config.subscription;
    Ok(Answer::ok(&catalogue::predefined_policies(subscription)))
}

async fn policy(context: Context) -> Result<Answer, ArmError> {
    let name = context.captures.get("policy");
    let subscription = &context.core.config.subscription;
    let found = catalogue::predefined_policy(subscription, name);
    found.map(|policy| Answer::ok(&policy)).ok_or_else(|| {
        let message = format!("There is no predefined TLS policy '{name}'.");
        ArmError::new("NotFound", message)
    })
}

async fn server_variables(_: Context) -> Result<Answer, ArmError> {
    Ok(Answer::ok(&catalogue::server_variables()))
}

async fn request_headers(_: Context) -> Result<Answer, ArmError> {
    Ok(Answer::ok(&catalogue::request_headers()))
}

async fn response_headers(_: Context) -> Result<Answer, ArmError> {
    Ok(Answer::ok(&catalogue::response_headers()))
}

async fn waf_rule_sets(_: Context) -> Result<Answer, ArmError> {
    Ok(Answer::ok(&catalogue::waf_rule_sets()))
}

async fn waf_manifests(context: Context) -> Result<Answer, ArmError> {
    Ok(Answer::ok(&catalogue::waf_manifests(
        &context.core.config.subscription,
    )))
}

async fn waf_manifest(context: Context) -> Result<Answer, ArmError> {
    Ok(Answer::ok(&catalogue::waf_manifest(
        &context.core.config.subscription,
    )))
}
