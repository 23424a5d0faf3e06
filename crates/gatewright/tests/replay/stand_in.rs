//! Deployments, until the control plane has them: the resources of the template are put one by one.

use gatewright_template::{Document, ResourceGroup, Runtime, Scope, Template, plan, read_document};
use serde_json::Value;

use crate::compare::RECORDED_SUBSCRIPTION;
use crate::node::Node;
use crate::recording::{Answer, Exchange};

/// Whether `got` says that there are no deployments.
pub(crate) fn is_due(exchange: &Exchange, got: &Answer) -> bool {
    let is_deployment = exchange
        .path()
        .contains("/Microsoft.Resources/deployments/");
    exchange.method == "PUT" && is_deployment && got.status == 404
}

/// Puts what the template holds; what cannot be put is left out, as its GET will show.
pub(crate) async fn deploy(node: &Node, exchange: &Exchange) {
    let document = read_document(exchange.body.as_bytes()).unwrap();
    let template = Template::read(document.part(&["properties", "template"]).unwrap()).unwrap();
    let given = document
        .part(&["properties", "parameters"])
        .map(Document::into_value);
    let given = given
        .and_then(|given| given.as_object().cloned())
        .unwrap_or_default();
    let group = exchange.path().split('/').nth(4).unwrap_or_default();
    let scope = Scope {
        subscription_id: RECORDED_SUBSCRIPTION.to_owned(),
        resource_group: ResourceGroup {
            name: group.to_owned(),
            location: "westus".to_owned(),
            ..ResourceGroup::default()
        },
        ..Scope::default()
    };
    for resource in &plan(&template, &given, &scope).unwrap().resources {
        let body = resource.body(&Nothing).unwrap().to_string();
        let target = format!("{}?api-version={}", resource.id, resource.api_version);
        let answer = node.send("PUT", &target, &body).await;
        if let Some(link) = answer.header("azure-asyncoperation") {
            node.poll(link).await;
        }
    }
}

struct Nothing;

impl Runtime for Nothing {
    fn reference(&self, id: &str, _: Option<&str>, _: bool) -> Result<Value, String> {
        Err(format!("nothing is known of {id}"))
    }
}
