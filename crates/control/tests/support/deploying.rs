//! Templates for deployments, and how a client deploys them.

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{Api, GROUP, LOCATION, Reply, group};

pub(crate) fn deployment(name: &str) -> String {
    let group = group(GROUP).replace("resourceGroups", "resourcegroups");
    format!("{group}/providers/Microsoft.Resources/deployments/{name}")
}

pub(crate) fn template(resources: Value) -> Value {
    json!({
        "$schema": "https://schema.management.azure.com/schemas/2019-04-01/\
                    deploymentTemplate.json#",
        "contentVersion": "1.0.0.0",
        "resources": resources,
    })
}

pub(crate) fn request(template: Value) -> Value {
    json!({"properties": {"mode": "incremental", "parameters": {}, "template": template}})
}

pub(crate) fn network(name: &str) -> Value {
    json!({
        "type": "Microsoft.Network/virtualNetworks",
        "apiVersion": "2023-09-01",
        "name": name,
        "location": "[resourceGroup().location]",
        "tags": {},
        "properties": {
            "addressSpace": {"addressPrefixes": ["10.20.0.0/16"]},
            "subnets": [{"name": "gateways", "properties": {"addressPrefix": "10.20.0.0/24"}}],
        },
    })
}

/// The body of a resource of a template, for a PUT of its own.
pub(crate) fn plain(mut resource: Value) -> Value {
    let members = resource.as_object_mut().unwrap();
    members.retain(|name, _| !["type", "apiVersion", "name"].contains(&name.as_str()));
    members.insert("location".to_owned(), json!(LOCATION));
    resource
}

pub(crate) fn group_of_rules(name: &str) -> Value {
    json!({
        "type": "Microsoft.Network/networkSecurityGroups",
        "apiVersion": "2015-06-15",
        "name": name,
        "location": LOCATION,
        "properties": {"securityRules": []},
    })
}

/// A subnet whose range is not in its network: refused by the provider.
pub(crate) fn stray_subnet(name: &str) -> Value {
    json!({
        "type": "Microsoft.Network/virtualNetworks/subnets",
        "apiVersion": "2023-09-01",
        "name": name,
        "properties": {"addressPrefix": "192.168.0.0/24"},
    })
}

/// PUTs a deployment, follows it to its end, and answers how it ended.
pub(crate) async fn deploy(api: &Api, name: &str, body: &Value) -> Value {
    let reply = api.put(&deployment(name), body).await;
    assert!(reply.status.is_success(), "{reply:#?}");
    ended(api, &reply).await
}

pub(crate) async fn ended(api: &Api, reply: &Reply) -> Value {
    let url = reply
        .header("azure-asyncoperation")
        .expect("something to follow");
    loop {
        let poll = api.get(url).await.expect(StatusCode::OK);
        if !["Accepted", "Running"].contains(&poll.body["status"].as_str().unwrap()) {
            return poll.body;
        }
        assert_eq!(poll.header("retry-after"), Some("1"));
    }
}
