//! What the tests of this crate have in common.

#![allow(dead_code, reason = "each test file uses a part")]

use std::cell::RefCell;

use gatewright_template::{
    Plan, ResourceGroup, Runtime, Scope, Template, TemplateError, plan, read_document,
};
use serde_json::{Map, Value, json};

/// 2026-01-31T12:34:56Z
pub(crate) const NOW: i64 = 1_769_862_896;

pub(crate) const GROUP: &str = "/subscriptions/s-1/resourceGroups/rg1";

pub(crate) fn scope() -> Scope {
    let group = |name: &str, location: &str| ResourceGroup {
        name: name.to_owned(),
        location: location.to_owned(),
        tags: Map::new(),
    };
    Scope {
        subscription_id: "s-1".to_owned(),
        tenant_id: "t-1".to_owned(),
        resource_group: group("rg1", "westus"),
        other_groups: vec![group("rg2", "eastus")],
        deployment_name: "deploy1".to_owned(),
        location: None,
        now: NOW,
        guid_seed: 7,
        environment: json!({"name": "Gatewright", "suffixes": {"storage": "core.test"}}),
        providers: json!([{"namespace": "Microsoft.Network", "resourceTypes": [
            {"resourceType": "virtualNetworks", "locations": ["westus"],
                "apiVersions": ["2022-01-01"]},
        ]}]),
    }
}

/// Answers with what it was asked, and remembers it.
#[derive(Default)]
pub(crate) struct Echo(pub(crate) RefCell<Vec<String>>);

impl Runtime for Echo {
    fn reference(&self, id: &str, version: Option<&str>, full: bool) -> Result<Value, String> {
        let asked = format!("{id} {} {full}", version.unwrap_or("-"));
        self.0.borrow_mut().push(asked.clone());
        if id.contains("missing") {
            return Err(format!("The Resource '{id}' was not found."));
        }
        Ok(json!({"asked": asked, "ip": "10.0.0.1", "outputs": {"x": {"value": 5}}}))
    }
}

pub(crate) fn parameters(values: Value) -> Map<String, Value> {
    let Value::Object(values) = values else {
        panic!("parameters are an object");
    };
    let given = values
        .into_iter()
        .map(|(name, value)| (name, json!({"value": value})));
    given.collect()
}

pub(crate) fn planned(template: &Value, values: Value) -> Result<Plan, TemplateError> {
    let text = serde_json::to_string_pretty(template).unwrap();
    planned_text(&text, values)
}

pub(crate) fn planned_text(text: &str, values: Value) -> Result<Plan, TemplateError> {
    let document = read_document(text.as_bytes()).unwrap();
    let template = Template::read(document.moved_to(&["properties", "template"]))?;
    plan(&template, &parameters(values), &scope())
}

pub(crate) fn refused(template: &Value, values: Value) -> TemplateError {
    match planned(template, values) {
        Ok(_) => panic!("the template was taken: {template}"),
        Err(error) => error,
    }
}

/// What a value of a template comes out as, in an output.
pub(crate) fn evaluated(raw: &Value) -> Result<Value, TemplateError> {
    let template = json!({
        "functions": [{"namespace": "contoso", "members": {
            "twice": {
                "parameters": [{"name": "text", "type": "string"}],
                "output": {"type": "string", "value": "[concat(parameters('Text'), \
                    parameters('text'))]"},
            },
            "wrong": {"parameters": [], "output": {"type": "string",
                "value": "[variables('list')]"}},
            "pair": {"output": {"type": "array", "value": ["a", ["b"]]}},
            "asks": {"parameters": [], "output": {"type": "string", "value": "[reference('gw')]"}},
        }}],
        "parameters": {
            "text": {"type": "string", "defaultValue": "Text"},
            "secret": {"type": "securestring", "defaultValue": "s3cret"},
        },
        "variables": {
            "list": ["a", "b", {"Name": "c"}],
            "tree": {"A": {"b": [10, 20]}, "null": null},
        },
        "resources": [],
        "outputs": {"o": {"type": "object", "value": {"it": raw}}},
    });
    let outputs = planned(&template, json!({}))?.outputs(&Echo::default())?;
    Ok(outputs["o"]["value"]["it"].clone())
}

pub(crate) fn value(expression: &str) -> Value {
    match evaluated(&json!(format!("[{expression}]"))) {
        Ok(value) => value,
        Err(error) => panic!("{expression}: {error}"),
    }
}

pub(crate) fn message(expression: &str) -> String {
    match evaluated(&json!(format!("[{expression}]"))) {
        Ok(value) => panic!("{expression} has a value: {value}"),
        Err(error) => error.message,
    }
}
