//! The versions of a secret, as they lie sealed in its document: the newest first.

use gatewright_arm::ArmError;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use zeroize::Zeroize as _;

use crate::core::{Core, failed};
use crate::resources::document::Document;

/// Versions that are kept of one secret; the oldest give way.
pub(crate) const VERSIONS_MAX: usize = 32;

/// One version.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Version {
    /// 32 hexadecimal digits.
    pub(crate) id: String,
    pub(crate) value: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) content_type: Option<String>,
    pub(crate) enabled: bool,
    /// Seconds since the Unix epoch, as the times that follow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) not_before: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) expires: Option<i64>,
    pub(crate) created: i64,
    pub(crate) updated: i64,
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub(crate) tags: Value,
    /// Whether it is the private part of a certificate of the vault.
    #[serde(default)]
    pub(crate) is_certificate: bool,
}

impl Drop for Version {
    fn drop(&mut self) {
        self.value.zeroize();
    }
}

impl Version {
    /// `attributes`, in the order of the service.
    pub(crate) fn attributes(&self) -> Map<String, Value> {
        let mut out = Map::new();
        out.insert("enabled".to_owned(), json!(self.enabled));
        for (name, time) in [("nbf", self.not_before), ("exp", self.expires)] {
            if let Some(time) = time {
                out.insert(name.to_owned(), json!(time));
            }
        }
        out.insert("created".to_owned(), json!(self.created));
        out.insert("updated".to_owned(), json!(self.updated));
        out
    }
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Versions {
    pub(crate) versions: Vec<Version>,
}

impl Versions {
    /// # Errors
    /// When the document was sealed with another key.
    pub(crate) fn of(core: &Core, document: &Document) -> Result<Self, ArmError> {
        match document.open(&core.sealing).map_err(failed)? {
            Value::Null => Ok(Self::default()),
            sealed => serde_json::from_value(sealed).map_err(failed),
        }
    }

    /// The one of this id, or the newest where none is asked for.
    pub(crate) fn find(&self, id: Option<&str>) -> Option<&Version> {
        match id {
            None => self.versions.first(),
            Some(id) => self
                .versions
                .iter()
                .find(|one| one.id.eq_ignore_ascii_case(id)),
        }
    }

    pub(crate) fn add(&mut self, version: Version) {
        self.versions.insert(0, version);
        self.versions.truncate(VERSIONS_MAX);
    }

    pub(crate) fn to_value(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}
