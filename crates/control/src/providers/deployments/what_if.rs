//! What a deployment would change, told without doing it.
//!
//! What would be stored is made as a PUT makes it, defaults included, so that a template that
//! leaves something to the service is no change where the service has done so already. What the
//! service writes itself at every PUT (etags, states) is left out on both sides.

use gatewright_arm::ArmError;
use gatewright_template::Plan;
use serde_json::{Map, Value, json};

use super::preflight::{Looked, Outlook};
use super::request::Refusal;
use super::target::Target;
use super::{Checked, check};
use crate::context::Context;
use crate::core::Core;
use crate::front::answer::Answer;
use crate::identity::Caller;
use crate::operations;
use crate::resources::document::Document;
use crate::resources::edit::is_named;
use crate::resources::records::is_record;

/// Members that every write changes.
const OF_EVERY_WRITE: [&str; 4] = [
    "etag",
    "provisioningState",
    "operationalState",
    "resourceGuid",
];

pub(super) async fn answer(context: Context) -> Result<Answer, ArmError> {
    let id = context.new_deployment_id()?;
    let call = context.deployment_call("whatIf/action");
    let checked = match check(&context, &id, &call).await {
        Ok(checked) => checked,
        Err(refusal) => return failed(refusal),
    };
    let Checked {
        requested,
        plan,
        outlook,
    } = checked;
    let core = &context.core;
    let mut changes = Vec::new();
    for looked in &outlook.resources {
        changes.extend(core.change(looked, &outlook).await?);
    }
    let group = core.group_id(context.captures.get("group")).to_string();
    changes.extend(
        core.left_alone(&group, &plan, &outlook, &context.caller)
            .await?,
    );
    if !requested.shows_payloads {
        for change in changes.iter_mut().filter_map(Value::as_object_mut) {
            change.retain(|name, _| ["resourceId", "changeType"].contains(&name.as_str()));
        }
    }
    Ok(Answer::ok(&json!({
        "status": "Succeeded",
        "properties": {"correlationId": call.correlation, "changes": changes},
    })))
}

/// What is wrong with a template is a result: the service answers at once and judges later, and of
/// a request that is refused az shows a traceback.
fn failed(refusal: Refusal) -> Result<Answer, ArmError> {
    let error = match refusal {
        Refusal::Template(error) => error.to_json(),
        Refusal::Arm(error) if error.status() == 400 => operations::error_object(&error),
        Refusal::Arm(error) => return Err(error),
    };
    Ok(Answer::ok(&json!({"status": "Failed", "error": error})))
}

impl Core {
    /// What becomes of one resource. Nothing for a nested deployment: its resources are looked at.
    async fn change(&self, looked: &Looked, outlook: &Outlook) -> Result<Option<Value>, ArmError> {
        let Some(target) = &looked.target else {
            return Ok(None);
        };
        let stored = self.document(&target.whole).await?;
        let shown = stored.as_ref().map(|document| self.shown(document));
        let before = shown.and_then(|whole| target.within(&whole));
        let before = before.map(|before| comparable(&before, looked));
        let after = match &looked.body {
            Some(body) => self.made_of(target, body, outlook, stored.as_ref()).await,
            None => None,
        };
        let after = after.map(|after| comparable(&after, looked));
        Ok(Some(match (before, after) {
            (None, after) => {
                let after = after.unwrap_or_else(|| sketch(looked, target));
                told(looked, "Create", [None, Some(after)], None)
            }
            // It is there, and what it will be is only known when it has its turn.
            (Some(before), None) => told(looked, "Deploy", [Some(before), None], None),
            (Some(before), Some(after)) => {
                let delta = differences(&before, &after);
                let kind = if delta.is_empty() {
                    "NoChange"
                } else {
                    "Modify"
                };
                told(looked, kind, [Some(before), Some(after)], Some(delta))
            }
        }))
    }

    /// The resource as a GET would show it afterwards; `None` where that cannot be told.
    async fn made_of(
        &self,
        target: &Target,
        body: &Value,
        outlook: &Outlook,
        stored: Option<&Document>,
    ) -> Option<Value> {
        match target.prepare(self, body, stored).await {
            Ok(prepared) => {
                let id = stored.map_or(&target.whole, |stored| &stored.id);
                let made = Document::new(id.clone(), prepared.body);
                target.within(&self.shown(&made))
            }
            // What it relies on is not there yet. The template says what it says.
            Err(_) if stored.is_none() && outlook.touches(target, body, None) => {
                Some(with_names(target, body))
            }
            Err(_) => None,
        }
    }

    /// What is in the group and not in the template.
    async fn left_alone(
        &self,
        group: &str,
        plan: &Plan,
        outlook: &Outlook,
        caller: &Caller,
    ) -> Result<Vec<Value>, ArmError> {
        let mut ignored = Vec::new();
        for known in self.inventory.within(group) {
            let (id, kind) = (known.id.to_string(), known.id.resource_type());
            let planned = outlook.resources.iter().map(|looked| &looked.id);
            let planned = planned.chain(plan.resources.iter().map(|planned| &planned.id));
            let is_named = planned
                .into_iter()
                .any(|other| other.eq_ignore_ascii_case(&id));
            let is_meant = known.id.name().is_some()
                && !is_record(&kind)
                && !is_named
                && caller.may(&format!("{kind}/read"), &id);
            let document = match is_meant {
                true => self.document(&known.id).await?,
                false => None,
            };
            if let Some(document) = document {
                let mut shown = self.shown(&document).into_body();
                without_own(&mut shown);
                ignored.push(json!({
                    "resourceId": id,
                    "changeType": "Ignore",
                    "before": shown,
                    "after": shown,
                }));
            }
        }
        Ok(ignored)
    }
}

fn told(
    looked: &Looked,
    kind: &str,
    [before, after]: [Option<Value>; 2],
    delta: Option<Vec<Value>>,
) -> Value {
    let mut change = Map::new();
    change.insert("resourceId".to_owned(), json!(looked.id));
    change.insert("changeType".to_owned(), json!(kind));
    let members = [
        ("before", before),
        ("after", after),
        ("delta", delta.map(Value::from)),
    ];
    for (name, value) in members {
        change.extend(value.map(|value| (name.to_owned(), value)));
    }
    Value::Object(change)
}

/// A resource of which no more is known.
fn sketch(looked: &Looked, target: &Target) -> Value {
    let mut after = with_names(target, &json!({}));
    after["apiVersion"] = json!(looked.api_version);
    after
}

fn with_names(target: &Target, body: &Value) -> Value {
    let mut whole = json!({
        "id": target.id.to_string(),
        "name": target.id.name().unwrap_or_default(),
        "type": target.id.resource_type(),
    });
    if let (Some(whole), Some(body)) = (whole.as_object_mut(), body.as_object()) {
        whole.extend(body.clone());
    }
    whole
}

/// A body without what changes by itself, and with the version that clients print.
fn comparable(body: &Value, looked: &Looked) -> Value {
    let mut body = body.clone();
    without_own(&mut body);
    body["apiVersion"] = json!(looked.api_version);
    body
}

fn without_own(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(without_own),
        Value::Object(members) => {
            members.retain(|name, _| !OF_EVERY_WRITE.contains(&name.as_str()));
            members.values_mut().for_each(without_own);
        }
        _ => {}
    }
}

/// The changes of properties that make `after` of `before`.
fn differences(before: &Value, after: &Value) -> Vec<Value> {
    let mut delta = Vec::new();
    compare("", before, after, &mut delta);
    delta
}

fn compare(path: &str, before: &Value, after: &Value, delta: &mut Vec<Value>) {
    match (before, after) {
        (before, after) if before == after => {}
        (Value::Object(old), Value::Object(new)) => compare_members(path, old, new, delta),
        (Value::Array(old), Value::Array(new)) => {
            let children = compare_items(old, new);
            if !children.is_empty() {
                delta.push(changed(path, "Array", [None, None], Some(children)));
            }
        }
        (before, after) => {
            let both = [Some(before), Some(after)];
            delta.push(changed(path, "Modify", both, None));
        }
    }
}

fn compare_members(
    path: &str,
    old: &Map<String, Value>,
    new: &Map<String, Value>,
    delta: &mut Vec<Value>,
) {
    let below = |name: &str| match path {
        "" => name.to_owned(),
        path => format!("{path}.{name}"),
    };
    for (name, before) in old {
        match new.get(name) {
            Some(after) => compare(&below(name), before, after, delta),
            None => delta.push(changed(&below(name), "Delete", [Some(before), None], None)),
        }
    }
    for (name, after) in new.iter().filter(|(name, _)| !old.contains_key(*name)) {
        delta.push(changed(&below(name), "Create", [None, Some(after)], None));
    }
}

/// Items with names are compared with their namesakes, others as what they are: in any order.
fn compare_items(old: &[Value], new: &[Value]) -> Vec<Value> {
    let mut children = Vec::new();
    let mut left: Vec<Option<&Value>> = old.iter().map(Some).collect();
    for (index, after) in new.iter().enumerate() {
        let name = after.get("name").and_then(Value::as_str);
        let same = |before: &Value| match name {
            Some(name) => is_named(before, name),
            None => before == after,
        };
        let found = left.iter_mut().find(|before| before.is_some_and(same));
        let path = index.to_string();
        match found.and_then(Option::take) {
            None => children.push(changed(&path, "Create", [None, Some(after)], None)),
            Some(before) if before == after => {}
            Some(before) => {
                let inner = differences(before, after);
                if !inner.is_empty() {
                    children.push(changed(&path, "Modify", [None, None], Some(inner)));
                }
            }
        }
    }
    for (index, before) in left.iter().enumerate() {
        if let Some(before) = before {
            let path = index.to_string();
            children.push(changed(&path, "Delete", [Some(before), None], None));
        }
    }
    children
}

fn changed(
    path: &str,
    kind: &str,
    [before, after]: [Option<&Value>; 2],
    children: Option<Vec<Value>>,
) -> Value {
    json!({
        "path": path,
        "propertyChangeType": kind,
        "before": before,
        "after": after,
        "children": children,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(before: &Value, after: &Value) -> Vec<(String, String)> {
        let delta = differences(before, after);
        let text = |change: &Value, name: &str| change[name].as_str().unwrap().to_owned();
        let pairs = delta
            .iter()
            .map(|change| (text(change, "path"), text(change, "propertyChangeType")));
        pairs.collect()
    }

    #[test]
    fn a_difference_is_named_by_its_path() {
        let before = json!({"a": 1, "gone": true, "in": {"x": "1", "y": []}});
        let after = json!({"a": 2, "in": {"x": "1", "y": [], "z": {}}});
        let pairs = [("a", "Modify"), ("gone", "Delete"), ("in.z", "Create")];
        let expected = pairs.map(|(path, kind)| (path.to_owned(), kind.to_owned()));
        assert_eq!(summary(&before, &after), expected);
        assert!(summary(&after, &after).is_empty());
    }

    #[test]
    fn items_are_compared_with_their_namesakes() {
        let before = json!({"l": [{"name": "a", "v": 1}, {"name": "b", "v": 1}]});
        let after = json!({"l": [{"name": "B", "v": 1}, {"name": "a", "v": 2}, {"name": "c"}]});
        let delta = differences(&before, &after);
        assert_eq!(delta.len(), 1, "{delta:#?}");
        assert_eq!(delta[0]["propertyChangeType"], "Array");
        let children = delta[0]["children"].as_array().unwrap();
        let kinds: Vec<_> = children
            .iter()
            .map(|child| (&child["path"], &child["propertyChangeType"]))
            .collect();
        // The name of the first differs in its casing.
        let expected = [("0", "Modify"), ("1", "Modify"), ("2", "Create")];
        assert_eq!(kinds.len(), expected.len(), "{children:#?}");
        for ((path, kind), expected) in kinds.into_iter().zip(expected) {
            assert_eq!((path.as_str().unwrap(), kind.as_str().unwrap()), expected);
        }
        let reordered = json!({"l": [{"name": "b", "v": 1}, {"name": "a", "v": 1}]});
        assert!(differences(&before, &reordered).is_empty());
        let plain = differences(&json!({"l": ["x", "y"]}), &json!({"l": ["y", "z"]}));
        let children = plain[0]["children"].as_array().unwrap();
        assert_eq!(children.len(), 2, "{children:#?}");
    }
}
