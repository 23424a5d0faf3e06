//! Service principals.

use std::fmt;

use gatewright_store::{Entry, Key, StoreError};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::clock;
use crate::identity::permission::Role;

/// What the keys of principals begin with; the appId, in lower case, follows.
pub(crate) const PREFIX: &str = "principal/";

/// Longest display name, in characters.
const NAME_CHARACTERS_MAX: usize = 120;

/// Somebody who may log in.
#[derive(Clone, Serialize, Deserialize)]
pub struct Principal {
    /// What it logs in with, a GUID.
    pub app_id: String,
    /// A GUID that is never used again.
    pub object_id: String,
    pub display_name: String,
    /// Argon2id, in PHC form.
    pub(crate) secret_hash: String,
    pub assignments: Vec<Assignment>,
    /// RFC 3339.
    pub created: String,
}

/// Without the hash of the secret.
impl fmt::Debug for Principal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Principal")
            .field("app_id", &self.app_id)
            .field("object_id", &self.object_id)
            .field("display_name", &self.display_name)
            .field("assignments", &self.assignments)
            .finish_non_exhaustive()
    }
}

/// A role on a scope and everything below it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    pub role: Role,
    /// The id of a subscription, a resource group or a resource.
    pub scope: String,
}

/// A principal that was just made, with the only copy of its secret.
#[derive(Clone)]
pub struct NewPrincipal {
    pub principal: Principal,
    pub password: zeroize::Zeroizing<String>,
}

impl Principal {
    /// With new ids, and a secret of which the hash is given.
    pub(crate) fn new(name: &str, assignments: Vec<Assignment>, secret_hash: String) -> Self {
        Self {
            app_id: Uuid::new_v4().to_string(),
            object_id: Uuid::new_v4().to_string(),
            display_name: name.chars().take(NAME_CHARACTERS_MAX).collect(),
            secret_hash,
            assignments,
            created: clock::precise(clock::now()),
        }
    }

    pub(crate) fn read(entry: &Entry) -> Result<Self, StoreError> {
        serde_json::from_slice(&entry.value).map_err(|error| {
            StoreError::Unreadable(format!("the entry {} is no principal: {error}", entry.key))
        })
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    pub(crate) fn key(&self) -> Result<Key, StoreError> {
        Key::new(format!("{PREFIX}{}", self.app_id.to_ascii_lowercase()))
            .map_err(|error| StoreError::Refused(error.to_string()))
    }
}
