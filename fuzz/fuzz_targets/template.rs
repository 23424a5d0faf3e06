//! Any text as a request with a template: read, planned, and used up.

#![no_main]

use gatewright_template::{Document, Runtime, Scope, Template, plan, read_document};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

/// Knows every resource.
struct Everything;

impl Runtime for Everything {
    fn reference(&self, id: &str, _: Option<&str>, full: bool) -> Result<Value, String> {
        Ok(serde_json::json!({"id": id, "full": full, "outputs": {"a": {"value": [1]}}}))
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Ok(document) = read_document(bytes) else {
        return;
    };
    let given = document
        .part(&["properties", "parameters"])
        .map(Document::into_value);
    let given = given
        .and_then(|given| given.as_object().cloned())
        .unwrap_or_default();
    let whole = document.clone();
    let part = document.part(&["properties", "template"]).unwrap_or(whole);
    let Ok(template) = Template::read(part) else {
        return;
    };
    let Ok(plan) = plan(&template, &given, &Scope::default()) else {
        return;
    };
    for (index, resource) in plan.resources.iter().enumerate() {
        assert!(
            resource.depends_on.iter().all(|needed| *needed < index),
            "{}",
            resource.id
        );
        drop(resource.body(&Everything));
        drop(resource.nested(&Everything));
    }
    drop(plan.outputs(&Everything));
    drop((
        plan.dependencies(),
        plan.providers(),
        plan.parameters(),
        plan.output_resources(),
    ));
});
