//! Operations that go on after their request was answered.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use gatewright_arm::ArmError;
use gatewright_store::{Entry, Key, Revision, StoreError};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tokio::sync::watch;
use uuid::Uuid;

use crate::clock;

/// What the keys of operations begin with; the id follows.
pub(crate) const PREFIX: &str = "operation/";

/// How long a poll waits for an operation to end before it says that it goes on.
pub(crate) const POLL_PATIENCE: Duration = Duration::from_secs(2);

/// What an operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Doing {
    Put,
    Delete,
    Start,
    Stop,
    /// A template deployment.
    Deploy,
    /// A question that takes time, whose answer is the result.
    Ask,
}

impl Doing {
    /// Whether what is stored is to be served from now on: a stop and a delete ask for less.
    pub(crate) fn configures(self) -> bool {
        matches!(self, Self::Put | Self::Start)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Status {
    InProgress,
    Succeeded,
    Failed,
    Canceled,
}

impl Status {
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::InProgress => "InProgress",
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
            Self::Canceled => "Canceled",
        }
    }
}

/// An operation, as it is stored.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Operation {
    pub(crate) id: Uuid,
    pub(crate) doing: Doing,
    /// What the caller was allowed to do.
    pub(crate) action: String,
    /// The id of the resource.
    pub(crate) resource: String,
    pub(crate) location: String,
    pub(crate) status: Status,
    /// The error object, where it failed or was canceled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<Value>,
    /// What its Location answers at the end; `None` is 204 without a body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) result: Option<Value>,
    /// Of the request that began it.
    pub(crate) correlation: String,
    pub(crate) caller: String,
    pub(crate) began: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ended: Option<String>,
}

impl Operation {
    pub(crate) fn read(entry: &Entry) -> Result<Self, StoreError> {
        serde_json::from_slice(&entry.value).map_err(|error| {
            StoreError::Unreadable(format!("the entry {} is no operation: {error}", entry.key))
        })
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Ends it, well or with this error.
    pub(crate) fn end(&mut self, error: Option<&ArmError>) {
        self.status = match error {
            None => Status::Succeeded,
            Some(_) => Status::Failed,
        };
        self.error = error.map(error_object);
        self.ended = Some(clock::precise(clock::now()));
    }

    /// The error that it ended with.
    pub(crate) fn to_error(&self) -> ArmError {
        self.error.as_ref().map_or_else(
            || ArmError::new("InternalServerError", "The operation failed."),
            read_error,
        )
    }

    /// `PutApplicationGatewayOperation` and the like.
    pub(crate) fn name(&self) -> String {
        let kind = self.resource.rsplit('/').nth(1).unwrap_or_default();
        let mut letters = kind.chars();
        let first = letters.next().map(|first| first.to_ascii_uppercase());
        let kind: String = first.into_iter().chain(letters).collect();
        let kind = kind.strip_suffix('s').unwrap_or(&kind);
        let doing = match self.doing {
            Doing::Put => "Put",
            Doing::Delete => "Delete",
            Doing::Start => "Start",
            Doing::Stop => "Stop",
            Doing::Deploy => "Deploy",
            Doing::Ask => "Get",
        };
        format!("{doing}{kind}Operation")
    }

    /// What the URL of `Azure-AsyncOperation` answers.
    pub(crate) fn status_body(&self) -> Value {
        let mut body = Map::new();
        body.insert("status".to_owned(), json!(self.status.text()));
        if let Some(error) = &self.error {
            body.insert("error".to_owned(), error.clone());
        }
        if matches!(self.doing, Doing::Start | Doing::Stop) && self.status == Status::Succeeded {
            body.insert("properties".to_owned(), json!({}));
        }
        Value::Object(body)
    }
}

/// The key of an operation.
pub(crate) fn key_of(id: Uuid) -> Result<Key, StoreError> {
    Key::new(format!("{PREFIX}{id}")).map_err(|error| StoreError::Refused(error.to_string()))
}

/// The error object inside an operation: with its code and message, and its details where it has
/// some.
pub(crate) fn error_object(error: &ArmError) -> Value {
    error.to_body().get("error").cloned().unwrap_or_default()
}

/// Reads what [`error_object`] wrote.
pub(crate) fn read_error(value: &Value) -> ArmError {
    let text = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    let details = value.get("details").and_then(Value::as_array);
    ArmError {
        code: text("code").unwrap_or_default(),
        message: text("message").unwrap_or_default(),
        target: text("target"),
        details: details.map(|details| details.iter().map(read_error).collect()),
    }
}

/// Tells those who wait that an operation has ended.
#[derive(Debug, Default)]
pub(crate) struct Endings(Mutex<HashMap<Uuid, watch::Sender<bool>>>);

impl Endings {
    pub(crate) fn begin(&self, id: Uuid) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.insert(id, watch::Sender::new(false));
    }

    pub(crate) fn end(&self, id: Uuid) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = waiting.remove(&id) {
            sender.send_replace(true);
        }
    }

    /// Waits until the operation has ended, or for so long; returns at once where none runs.
    pub(crate) async fn wait(&self, id: Uuid, patience: Duration) {
        let receiver = {
            let waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.get(&id).map(watch::Sender::subscribe)
        };
        let Some(mut receiver) = receiver else {
            return;
        };
        let ended = receiver.wait_for(|ended| *ended);
        let _ = tokio::time::timeout(patience, ended).await;
    }
}

/// An operation, with the step that last wrote it.
#[derive(Clone, Debug)]
pub(crate) struct StoredOperation {
    pub(crate) operation: Operation,
    pub(crate) revision: Revision,
}
