//! Remedies as changes of documents (RFC 6902).

use json_patch::jsonptr::PointerBuf;
use json_patch::{AddOperation, PatchOperation, RemoveOperation, ReplaceOperation, TestOperation};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;

use crate::evidence::{Evidence, Place};

/// A change of one resource's document, as the evidence has it: that is its shape too.
#[derive(Clone, Debug, PartialEq)]
pub struct Patch {
    /// The resource's id; empty where its document has none.
    pub resource: String,
    /// The file of the evidence that holds the document.
    pub file: String,
    /// JSON pointer of the document in the file.
    pub at: String,
    /// In their order. Paths are of the document; what the change relies on is tested first.
    pub operations: Vec<PatchOperation>,
}

/// Why a patch does not fit a document: it is another one than the patch was made for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the document has changed: {0}")]
pub struct DoesNotFit(String);

impl Patch {
    /// Changes a document of the resource, wholly or not at all.
    ///
    /// # Errors
    /// When the document is not as it was.
    pub fn apply(&self, document: &mut Value) -> Result<(), DoesNotFit> {
        json_patch::patch(document, &self.operations).map_err(|error| DoesNotFit(error.to_string()))
    }

    /// What it changes, a line each: the place, what stands there and what will.
    pub fn changes(&self, evidence: &Evidence) -> Vec<String> {
        let told = self.operations.iter().filter_map(|one| {
            let place = Place::new(self.file.as_str(), format!("{}{}", self.at, one.path()));
            let before = evidence.value_at(&place);
            let at = format!("{} {}", place.file, place.pointer);
            Some(match one {
                PatchOperation::Add(AddOperation { value, .. })
                | PatchOperation::Replace(ReplaceOperation { value, .. }) => match before {
                    Value::Null => format!("{at}: {value}"),
                    before => format!("{at}: {value} instead of {before}"),
                },
                PatchOperation::Remove(_) => format!("{at}: no {before} any more"),
                _ => return None,
            })
        });
        told.collect()
    }

    /// As [`Patch::apply`], of the file that holds the document.
    ///
    /// # Errors
    /// As there, and when the file does not hold the document where it did.
    pub fn apply_to_file(&self, file: &mut Value) -> Result<(), DoesNotFit> {
        match file.pointer_mut(&self.at) {
            Some(document) => self.apply(document),
            None => Err(DoesNotFit(format!("there is nothing at '{}'", self.at))),
        }
    }
}

impl Serialize for Patch {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("resource", &self.resource)?;
        map.serialize_entry("file", &self.file)?;
        map.serialize_entry("at", &self.at)?;
        map.serialize_entry("operations", &self.operations)?;
        map.end()
    }
}

/// Operations on paths that are known to be JSON pointers; of one that is none, nothing.
fn operation(path: &str, make: impl FnOnce(PointerBuf) -> PatchOperation) -> Vec<PatchOperation> {
    PointerBuf::parse(path).ok().map(make).into_iter().collect()
}

/// Puts a member, in place of the one that may be there; behind the last of a list, with `/-`.
pub(crate) fn put(path: &str, value: Value) -> Vec<PatchOperation> {
    operation(path, |path| {
        PatchOperation::Add(AddOperation { path, value })
    })
}

pub(crate) fn remove(path: &str) -> Vec<PatchOperation> {
    operation(path, |path| {
        PatchOperation::Remove(RemoveOperation { path })
    })
}

/// The patch fits only where this value stands there.
pub(crate) fn test(path: &str, value: Value) -> Vec<PatchOperation> {
    operation(path, |path| {
        PatchOperation::Test(TestOperation { path, value })
    })
}
