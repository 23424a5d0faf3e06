//! A resource as it is stored.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use gatewright_arm::{ApplicationGateway, ArmError, Diagnostic, ResourceId};
use gatewright_store::{Entry, Key, Revision, SealError, SealingKey, StoreError};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::clock;
use crate::operations::{self, Operation};

/// What the keys of resources begin with; the id, in lower case, follows.
pub(crate) const PREFIX: &str = "resource";

/// What the keys of configurations begin with that are served while a newer one is not.
pub(crate) const LAST_GOOD_PREFIX: &str = "last-good";

/// What the keys of resources begin with that were deleted and can be recovered.
pub(crate) const DELETED_PREFIX: &str = "deleted";

/// A resource.
#[derive(Clone, Debug)]
pub(crate) struct Document {
    pub(crate) id: ResourceId,
    /// What a GET answers, without what is computed from other resources, and without secrets.
    /// Shared, because it may be large: [`Document::edit`] changes it.
    pub(crate) body: Arc<Value>,
    pub(crate) created: OffsetDateTime,
    pub(crate) changed: OffsetDateTime,
    /// The operation that last wrote it, running or ended.
    pub(crate) operation: Option<Uuid>,
    /// What no answer holds: keys, passwords. Sealed, for this document alone.
    pub(crate) sealed: Option<Vec<u8>>,
    /// What its kind remembers of it and never shows.
    pub(crate) notes: Value,
    /// Why the last write of what is to be served failed, or is going to whatever the node does:
    /// the error object. What it asks for is not to be served. A stop changes nothing of that.
    pub(crate) failure: Option<Value>,
    /// What its kind made of the body to judge it; none for one that was read from the store.
    pub(crate) judged: Option<Judged>,
    /// The step that wrote it; 0 for one that is not stored yet.
    pub(crate) revision: Revision,
}

/// A gateway, with its secrets, and what is known of its validity.
#[derive(Clone, Debug)]
pub struct Judged {
    pub gateway: Arc<ApplicationGateway>,
    /// What validation found when it was written, warnings alone; none where it was not validated
    /// since it was read from the store.
    pub findings: Option<Arc<[Diagnostic]>>,
}

/// How it lies in the store.
#[derive(Debug, Serialize, Deserialize)]
struct Stored<V> {
    id: String,
    created: String,
    changed: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    operation: Option<Uuid>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sealed: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    notes: Option<V>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failure: Option<V>,
    body: V,
}

/// What tells whether a document needs to be read: most steps change its state alone.
#[derive(Debug, Deserialize)]
pub(crate) struct Glance {
    #[serde(default)]
    pub(crate) operation: Option<Uuid>,
    #[serde(default)]
    pub(crate) notes: Value,
    #[serde(default)]
    pub(crate) failure: Option<Value>,
}

impl Glance {
    pub(crate) fn read(entry: &Entry) -> Result<Self, StoreError> {
        serde_json::from_slice(&entry.value).map_err(|error| no_resource(entry, &error.to_string()))
    }
}

fn no_resource(entry: &Entry, why: &str) -> StoreError {
    StoreError::Unreadable(format!("the entry {} is no resource: {why}", entry.key))
}

impl Document {
    /// One that is about to be stored.
    pub(crate) fn new(id: ResourceId, body: Value) -> Self {
        let now = clock::now();
        Self {
            id,
            body: Arc::new(body),
            created: now,
            changed: now,
            operation: None,
            sealed: None,
            notes: Value::Null,
            failure: None,
            judged: None,
            revision: Revision::default(),
        }
    }

    pub(crate) fn read(entry: &Entry) -> Result<Self, StoreError> {
        let unreadable = |why: &str| no_resource(entry, why);
        let stored: Stored<Value> =
            serde_json::from_slice(&entry.value).map_err(|error| unreadable(&error.to_string()))?;
        let time = |text: &str| clock::parse(text).ok_or_else(|| unreadable("a time is no time"));
        let sealed = stored.sealed.map(|text| BASE64.decode(text));
        Ok(Self {
            id: ResourceId::parse(&stored.id).map_err(|error| unreadable(&error.to_string()))?,
            created: time(&stored.created)?,
            changed: time(&stored.changed)?,
            operation: stored.operation,
            sealed: sealed
                .transpose()
                .map_err(|_| unreadable("what is sealed in it is no base64"))?,
            notes: stored.notes.unwrap_or_default(),
            failure: stored.failure,
            body: Arc::new(stored.body),
            judged: None,
            revision: entry.modified,
        })
    }

    /// How it is to lie in the store.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let stored = Stored {
            id: self.id.to_string(),
            created: clock::precise(self.created),
            changed: clock::precise(self.changed),
            operation: self.operation,
            sealed: self.sealed.as_ref().map(|sealed| BASE64.encode(sealed)),
            notes: Some(&self.notes).filter(|notes| !notes.is_null()),
            failure: self.failure.as_ref(),
            body: &*self.body,
        };
        serde_json::to_vec(&stored).unwrap_or_default()
    }

    /// Its body, to be changed: a copy of its own, where others share it.
    pub(crate) fn edit(&mut self) -> &mut Value {
        Arc::make_mut(&mut self.body)
    }

    pub(crate) fn into_body(self) -> Value {
        Arc::unwrap_or_clone(self.body)
    }

    /// Seals `secrets` for this document; `Null` for none.
    ///
    /// # Errors
    /// When the system has no randomness to give.
    pub(crate) fn seal(&mut self, key: &SealingKey, secrets: &Value) -> Result<(), SealError> {
        self.sealed = match secrets {
            Value::Null => None,
            secrets => {
                let plain = Zeroizing::new(secrets.to_string());
                Some(key.seal(&context(&self.id), plain.as_bytes())?)
            }
        };
        Ok(())
    }

    /// What is sealed in it; `Null` when there is nothing.
    ///
    /// # Errors
    /// When it was sealed with another key, or for another document.
    pub(crate) fn open(&self, key: &SealingKey) -> Result<Value, StoreError> {
        let Some(sealed) = &self.sealed else {
            return Ok(Value::Null);
        };
        let cannot = |why: String| {
            StoreError::Unreadable(format!("the secrets of {} cannot be read: {why}", self.id))
        };
        let plain = key
            .open(&context(&self.id), sealed)
            .map_err(|error| cannot(error.to_string()))?;
        serde_json::from_slice(&plain).map_err(|error| cannot(error.to_string()))
    }

    /// Why the operation that wrote it fails whatever the node does.
    pub(crate) fn doomed(&self, operation: &Operation) -> Option<ArmError> {
        let asks_for_it = self.operation == Some(operation.id) && operation.doing.configures();
        let failure = self.failure.as_ref().filter(|_| asks_for_it);
        failure.map(operations::read_error)
    }

    /// A text of its body, by JSON pointer.
    pub(crate) fn text(&self, pointer: &str) -> Option<&str> {
        self.body.pointer(pointer)?.as_str()
    }

    pub(crate) fn state(&self) -> Option<&str> {
        self.text("/properties/provisioningState")
    }

    /// Whether the last write of it succeeded: also where a stop or a delete after that failed.
    pub(crate) fn is_good(&self) -> bool {
        let is_settled = matches!(self.state(), Some("Succeeded" | "Failed"));
        is_settled && self.failure.is_none()
    }

    pub(crate) fn location(&self) -> &str {
        self.text("/location").unwrap_or_default()
    }
}

/// A location in the form in which they are compared: `West Europe` is `westeurope`.
pub(crate) fn plain_location(said: &str) -> String {
    let words: String = said.split_whitespace().collect();
    words.to_ascii_lowercase()
}

/// What a sealed part is bound to, so that it cannot be moved to another resource.
fn context(id: &ResourceId) -> String {
    id.to_string().to_ascii_lowercase()
}

/// Where the resource lies in the store.
///
/// # Errors
/// Never for an id that was parsed: its length is bounded below a key's.
pub(crate) fn key_of(id: &ResourceId) -> Result<Key, StoreError> {
    keyed(PREFIX, id)
}

/// Where the configuration lies that is served instead of a failed one.
pub(crate) fn last_good_key_of(id: &ResourceId) -> Result<Key, StoreError> {
    keyed(LAST_GOOD_PREFIX, id)
}

/// Where it lies after it was deleted, until it is recovered or purged.
pub(crate) fn deleted_key_of(id: &ResourceId) -> Result<Key, StoreError> {
    keyed(DELETED_PREFIX, id)
}

fn keyed(prefix: &str, id: &ResourceId) -> Result<Key, StoreError> {
    let text = format!("{prefix}{}", id.to_string().to_ascii_lowercase());
    Key::new(text).map_err(|error| StoreError::Refused(error.to_string()))
}
