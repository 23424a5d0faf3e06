//! Writes that change nothing of what is served.

use std::sync::Arc;

use gatewright_arm::{ArmError, ResourceId};
use gatewright_store::Transaction;
use serde_json::Value;

use crate::clock;
use crate::core::{Core, failed};
use crate::operations;
use crate::resources::document::Document;
use crate::resources::edit::Edit;
use crate::resources::kind::{Kind, Prepared};
use crate::resources::stamp::{new_etag, stamp};
use crate::resources::write::{Accepted, Call, event, not_committed};

impl Core {
    /// Whether a write asks for what is stored, and served, already; the tags are not.
    pub(crate) fn changes_tags_at_most(
        &self,
        kind: &dyn Kind,
        edit: &Edit<'_>,
        prepared: &Prepared,
        previous: &Document,
    ) -> Result<bool, ArmError> {
        let is_settled = previous.state() == Some("Succeeded") && prepared.doomed.is_none();
        let is_plain = matches!(edit, Edit::Whole(_) | Edit::Tags(_));
        if !kind.ends_unchanged_writes() || !is_plain || !is_settled {
            return Ok(false);
        }
        let notes = prepared.notes.as_ref();
        if settled(&prepared.body) != settled(&previous.body)
            || notes.is_some_and(|notes| *notes != previous.notes)
        {
            return Ok(false);
        }
        let secrets = previous.open(&self.sealing).map_err(failed)?;
        Ok(secrets == prepared.secrets)
    }

    /// Stores it under a new etag, with an operation that has ended.
    pub(crate) async fn store_tags(
        self: &Arc<Self>,
        call: &Call,
        id: &ResourceId,
        body: Value,
        previous: Document,
    ) -> Result<Accepted, ArmError> {
        let mut operation = self.begin(call, id, &previous.body);
        operation.end(None);
        let mut document = Document {
            body: Arc::new(body),
            changed: clock::now(),
            ..previous.clone()
        };
        stamp(document.edit(), &new_etag(), "Succeeded");
        let transaction = self.written(&document, Some(&previous)).map_err(failed)?;
        let key = operations::key_of(operation.id).map_err(failed)?;
        let mut transaction: Transaction = transaction.put(key, operation.to_bytes());
        for (status, sub_status) in [("Started", ""), ("Accepted", "OK"), ("Succeeded", "")] {
            let event = event(&operation, id, (status, sub_status), None);
            let (key, bytes) = event.entry().map_err(failed)?;
            transaction = transaction.put(key, bytes);
        }
        document.revision = self.commit(transaction).await.map_err(not_committed)?;
        self.note(&document);
        Ok(Accepted {
            document,
            is_new: false,
            operation: Some(operation),
        })
    }
}

/// A body without what each write changes.
fn settled(body: &Value) -> Value {
    let mut body = body.clone();
    if let Some(members) = body.as_object_mut() {
        members.shift_remove("tags");
    }
    stamp(&mut body, "", "Succeeded");
    body
}
