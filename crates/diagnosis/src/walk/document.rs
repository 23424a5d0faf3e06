//! A document that is to be changed, and the operations that change it.

use gatewright_arm::Item;
use json_patch::PatchOperation;
use serde_json::Value;

use crate::evidence::{Evidence, Place};
use crate::patch::{self, Patch};

/// One of the evidence. Pointers are of its file, paths of the document itself.
pub(super) struct Document<'e> {
    pub(super) evidence: &'e Evidence,
    /// The resource's id; empty where the document has none.
    pub(super) resource: String,
    pub(super) file: &'e str,
    /// Where the document stands in the file.
    pub(super) at: &'e str,
}

impl Document<'_> {
    pub(super) fn patch(&self, operations: Vec<PatchOperation>) -> Patch {
        Patch {
            resource: self.resource.clone(),
            file: self.file.to_owned(),
            at: self.at.to_owned(),
            operations,
        }
    }

    pub(super) fn path<'p>(&self, pointer: &'p str) -> &'p str {
        pointer.strip_prefix(self.at).unwrap_or(pointer)
    }

    pub(super) fn value(&self, pointer: &str) -> &Value {
        self.evidence.value_at(&Place::new(self.file, pointer))
    }

    pub(super) fn stands(&self, pointer: &str) -> bool {
        !self.value(pointer).is_null()
    }

    /// The pointer of a member of the object at `outer`, in the letter case that it has there.
    pub(super) fn existing(&self, outer: &str, member: &str) -> String {
        let members = self.value(outer).as_object().into_iter().flatten();
        let mut names = members.map(|(name, _)| name.as_str());
        let own = names.find(|name| name.eq_ignore_ascii_case(member));
        format!("{outer}/{}", own.unwrap_or(member))
    }

    /// The part must be the one that it was.
    pub(super) fn is_still<T>(&self, part: &Item<T>) -> Vec<PatchOperation> {
        let name = self.existing(part.pointer(), "name");
        match self.stands(&name) {
            true => patch::test(self.path(&name), part.name.as_str().into()),
            false => Vec::new(),
        }
    }

    /// Puts a value, where the one that is there is still what it was.
    pub(super) fn put_over(&self, pointer: &str, value: Value) -> Vec<PatchOperation> {
        let path = self.path(pointer);
        let mut operations = match self.value(pointer) {
            Value::Null => Vec::new(),
            before => patch::test(path, before.clone()),
        };
        operations.extend(patch::put(path, value));
        operations
    }

    /// Puts a part behind the last of a list, which is made where there is none. `part` has its
    /// members in `properties`; it gets the document's shape.
    pub(super) fn append(&self, list: &str, part: Value) -> Vec<PatchOperation> {
        let part = self.in_shape(part);
        match self.stands(list) {
            true => self.push(list, part),
            false => patch::put(self.path(list), [part].into_iter().collect()),
        }
    }

    /// Puts a value behind the last of a list that there is.
    pub(super) fn push(&self, list: &str, value: Value) -> Vec<PatchOperation> {
        patch::put(&format!("{}/-", self.path(list)), value)
    }

    pub(super) fn remove<T>(&self, part: &Item<T>) -> Vec<PatchOperation> {
        let mut operations = self.is_still(part);
        operations.extend(patch::remove(self.path(part.pointer())));
        operations
    }

    /// As the document writes parts: with `properties`, or with their members beside the name, as
    /// az and PowerShell print them.
    fn in_shape(&self, part: Value) -> Value {
        match self.stands(&format!("{}/properties", self.at)) {
            true => part,
            false => flat(part),
        }
    }
}

/// The members of `properties` beside the others.
fn flat(part: Value) -> Value {
    let Value::Object(mut members) = part else {
        return part;
    };
    if let Some(Value::Object(properties)) = members.remove("properties") {
        members.extend(properties);
    }
    Value::Object(members)
}
