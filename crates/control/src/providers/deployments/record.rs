//! A deployment as it is stored and shown, and the record of each of its steps.

use gatewright_arm::{ArmError, ResourceId};
use gatewright_template::{Plan, PlannedResource};
use hyper::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::clock;
use crate::resources::document::Document;
use crate::resources::records::DEPLOYMENTS;

/// Where a deployment's state is.
const STATE: &str = "provisioningState";

/// What is remembered of a deployment beside what a GET shows.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Notes {
    /// The operation of the deployment whose template holds this one's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) nested_in: Option<Uuid>,
    /// One for each resource that had its turn, as the list of operations shows it.
    #[serde(default)]
    pub(super) steps: Vec<Value>,
}

impl Notes {
    pub(super) fn of(document: &Document) -> Self {
        serde_json::from_value(document.notes.clone()).unwrap_or_default()
    }

    pub(super) fn into_value(self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    /// Takes the place of the step with the same id.
    pub(super) fn put(&mut self, step: Value) {
        let id = step.get("operationId").cloned();
        let mut known = self.steps.iter_mut();
        match known.find(|one| one.get("operationId") == id.as_ref()) {
            Some(known) => *known = step,
            None => self.steps.push(step),
        }
    }

    /// Whether a step says that this resource was deployed.
    pub(super) fn has_deployed(&self, resource: &str) -> bool {
        self.steps.iter().any(|step| {
            let text = |pointer: &str| step.pointer(pointer).and_then(Value::as_str);
            text("/properties/provisioningState") == Some("Succeeded")
                && text("/properties/targetResource/id")
                    .is_some_and(|id| id.eq_ignore_ascii_case(resource))
        })
    }
}

/// The body of a deployment that is about to run, or that was only looked at.
pub(super) fn body(
    id: &ResourceId,
    tags: Option<&Value>,
    plan: &Plan,
    correlation: &str,
    state: &str,
) -> Value {
    let mut body = Map::new();
    body.insert("id".to_owned(), json!(id.to_string()));
    body.insert("name".to_owned(), json!(id.name().unwrap_or_default()));
    body.insert("type".to_owned(), json!(DEPLOYMENTS));
    if let Some(tags) = tags.filter(|tags| tags.is_object()) {
        body.insert("tags".to_owned(), tags.clone());
    }
    let properties = json!({
        "templateHash": plan.template_hash(),
        "parameters": plan.parameters(),
        "mode": "Incremental",
        STATE: state,
        "timestamp": clock::precise(clock::now()),
        "duration": "PT0S",
        "correlationId": correlation,
        "providers": plan.providers(),
        "dependencies": plan.dependencies(),
    });
    body.insert("properties".to_owned(), properties);
    Value::Object(body)
}

/// Notes the state of now.
pub(super) fn set_state(body: &mut Value, state: &str, began: OffsetDateTime) {
    let now = clock::now();
    let properties = &mut body["properties"];
    properties[STATE] = json!(state);
    properties["timestamp"] = json!(clock::precise(now));
    properties["duration"] = json!(duration(now - began));
}

/// ISO 8601, with seven digits of a second: `PT3M53.2575683S`.
pub(super) fn duration(span: Duration) -> String {
    let span = span.max(Duration::ZERO);
    let (hours, minutes) = (span.whole_hours(), span.whole_minutes() % 60);
    let (seconds, parts) = (span.whole_seconds() % 60, span.subsec_nanoseconds() / 100);
    let mut text = "PT".to_owned();
    for (number, unit) in [(hours, 'H'), (minutes, 'M')] {
        if number > 0 {
            text += &format!("{number}{unit}");
        }
    }
    let fraction = format!(".{parts:07}");
    let fraction = fraction.trim_end_matches('0').trim_end_matches('.');
    format!("{text}{seconds}{fraction}S")
}

/// What became of one resource.
pub(super) enum Outcome<'a> {
    Running,
    /// Whether it is new.
    Done(bool),
    /// The provider refused it, or the template could not be evaluated.
    Refused(&'a ArmError),
    /// The provider took it, and its operation failed.
    Failed(&'a ArmError),
}

/// A resource that has its turn.
pub(super) struct Step {
    deployment: String,
    id: String,
    tracking: Uuid,
    began: OffsetDateTime,
    /// Nothing for the outputs.
    target: Option<Value>,
}

impl Step {
    pub(super) fn of_resource(deployment: &ResourceId, planned: &PlannedResource) -> Self {
        let (number, _) = Uuid::new_v4().as_u64_pair();
        let target = json!({
            "id": planned.id,
            "resourceType": planned.resource_type,
            "resourceName": planned.name,
        });
        Self::new(deployment, format!("{number:016X}"), Some(target))
    }

    /// The evaluation of the outputs has the id of the deployment's own operation.
    pub(super) fn of_outputs(deployment: &ResourceId, operation: Uuid) -> Self {
        Self::new(deployment, operation.to_string(), None)
    }

    fn new(deployment: &ResourceId, id: String, target: Option<Value>) -> Self {
        Self {
            deployment: deployment.to_string(),
            id,
            tracking: Uuid::new_v4(),
            began: clock::now(),
            target,
        }
    }

    /// As the list of operations shows it.
    pub(super) fn shown(&self, outcome: &Outcome<'_>) -> Value {
        let now = clock::now();
        let doing = match &self.target {
            Some(_) => "Create",
            None => "EvaluateDeploymentOutput",
        };
        let state = match outcome {
            Outcome::Running => "Running",
            Outcome::Done(_) => "Succeeded",
            Outcome::Refused(_) | Outcome::Failed(_) => "Failed",
        };
        let mut properties = json!({
            "provisioningOperation": doing,
            STATE: state,
            "timestamp": clock::precise(now),
            "duration": duration(now - self.began),
            "trackingId": self.tracking.to_string(),
        });
        let code = match outcome {
            Outcome::Running => None,
            Outcome::Done(true) => Some(StatusCode::CREATED),
            Outcome::Done(false) => Some(StatusCode::OK),
            Outcome::Refused(error) => StatusCode::from_u16(error.status()).ok(),
            Outcome::Failed(_) => Some(StatusCode::CONFLICT),
        };
        if let Some(code) = code {
            properties["statusCode"] = json!(code_name(code));
        }
        match outcome {
            Outcome::Refused(error) => properties["statusMessage"] = error.to_body(),
            Outcome::Failed(error) => {
                let mut message = error.to_body();
                message["status"] = json!("Failed");
                properties["statusMessage"] = message;
            }
            Outcome::Running | Outcome::Done(_) => {}
        }
        if let Some(target) = &self.target {
            properties["targetResource"] = target.clone();
        }
        json!({
            "id": format!("{}/operations/{}", self.deployment, self.id),
            "operationId": self.id,
            "properties": properties,
        })
    }
}

/// `NotFound` for 404, as .NET names them.
fn code_name(code: StatusCode) -> String {
    let words = code.canonical_reason().unwrap_or("BadRequest");
    match code {
        StatusCode::OK => words.to_owned(),
        _ => words.split([' ', '-']).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_as_the_service_writes_them() {
        for (nanoseconds, expected) in [
            (0, "PT0S"),
            (340_300, "PT0.0003403S"),
            (3_405_154_100, "PT3.4051541S"),
            (1_753_288_000, "PT1.753288S"),
            (233_257_568_300, "PT3M53.2575683S"),
            (3_723_000_000_000, "PT1H2M3S"),
            (-5, "PT0S"),
        ] {
            assert_eq!(duration(Duration::nanoseconds(nanoseconds)), expected);
        }
    }

    #[test]
    fn codes_have_their_names() {
        for (code, name) in [(200, "OK"), (404, "NotFound"), (429, "TooManyRequests")] {
            assert_eq!(code_name(StatusCode::from_u16(code).unwrap()), name);
        }
    }
}
