//! What is asked of a control plane and is no part of this one yet: a clear refusal that no client
//! tries again, to those who may ask.

use gatewright_arm::ArmError;
use hyper::Method;

use crate::context::{Handler, handler};
use crate::front::answer::Answer;
use crate::front::router::{Access, Route};
use crate::routes::route;

const METHODS: [Method; 5] = [
    Method::GET,
    Method::PUT,
    Method::PATCH,
    Method::POST,
    Method::DELETE,
];

pub(crate) fn routes() -> Vec<Route> {
    let group = "/subscriptions/{subscription}/resourceGroups/{group}";
    let workspaces = "providers/Microsoft.OperationalInsights/workspaces";
    let resource = format!("{group}/providers/{{namespace}}/{{type}}/{{name}}");
    let insights = format!("{resource}/providers/Microsoft.Insights");
    let everyone = Access::Authenticated;
    let mut routes = Vec::new();
    let mut add = |patterns: &[String], access: &Access, handler: &Handler| {
        for pattern in patterns {
            for method in METHODS {
                routes.push(route(
                    method,
                    pattern,
                    access.clone(),
                    Handler::clone(handler),
                ));
            }
        }
    };
    let everywhere = [
        "/subscriptions/{subscription}/providers/Microsoft.Insights".to_owned(),
        insights.clone(),
    ];
    let kinds = ["metrics", "metricDefinitions", "metricNamespaces"];
    let metrics: Vec<String> = everywhere
        .iter()
        .flat_map(|place| kinds.map(|kind| format!("{place}/{kind}")))
        .collect();
    add(&metrics, &everyone, &handler(|_| refuse("Metrics")));
    let settings = format!("{insights}/diagnosticSettings");
    let categories = format!("{insights}/diagnosticSettingsCategories");
    let settings = [format!("{settings}/{{setting}}"), settings, categories];
    add(
        &settings,
        &everyone,
        &handler(|_| refuse("Diagnostic settings")),
    );
    let all = [
        format!("/subscriptions/{{subscription}}/{workspaces}"),
        format!("{group}/{workspaces}"),
        format!("{group}/{workspaces}/{{workspace}}"),
        format!("{group}/{workspaces}/{{workspace}}/{{action}}"),
    ];
    add(
        &all,
        &everyone,
        &handler(|_| refuse("Log Analytics workspaces")),
    );
    let query = ["/v1/workspaces/{workspace}/query".to_owned()];
    add(&query, &everyone, &handler(|_| refuse("Log queries")));
    routes
}

async fn refuse(what: &'static str) -> Result<Answer, ArmError> {
    let message = format!("{what} are not part of this control plane yet.");
    Err(ArmError::front_door("GW-E-not-here-yet", message))
}
