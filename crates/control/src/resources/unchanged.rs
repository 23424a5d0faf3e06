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
use crate::resources::stamp::{new_etag, same_member, stamp};
use crate::resources::write::{Accepted, Call, not_committed, with_events};

impl Core {
    /// Whether a write asks for what is stored, and served, already; the tags are not.
    pub(crate) fn changes_tags_at_most(
        &self,
        kind: &dyn Kind,
        edit: &Edit<'_>,
        prepared: &Prepared,
        previous: &Document,
    ) -> Result<bool, ArmError> {
        let is_settled = previous.state() == Some("Succeeded")
            && prepared.doomed.is_none()
            && self.node().is_served(&previous.id);
        let is_plain = matches!(edit, Edit::Whole(_) | Edit::Tags(_));
        if !kind.ends_unchanged_writes() || !is_plain || !is_settled {
            return Ok(false);
        }
        let notes = prepared.notes.as_ref();
        if !same_but_tags(&prepared.body, &previous.body)
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
        prepared: Prepared,
        previous: Document,
    ) -> Result<Accepted, ArmError> {
        let mut operation = self.begin(call, id, &previous.body);
        operation.end(None);
        let mut document = Document {
            body: Arc::new(prepared.body),
            judged: prepared.judged,
            changed: clock::now(),
            ..previous.clone()
        };
        stamp(document.edit(), &new_etag(), "Succeeded");
        let transaction = self.written(&document, Some(&previous)).map_err(failed)?;
        let key = operations::key_of(operation.id).map_err(failed)?;
        let mut transaction: Transaction = transaction.put(key, operation.to_bytes());
        let happened = [("Started", ""), ("Accepted", "OK"), ("Succeeded", "")];
        transaction = with_events(transaction, &operation, id, &happened).map_err(failed)?;
        document.revision = self.commit(transaction).await.map_err(not_committed)?;
        self.note(&document);
        Ok(Accepted {
            document,
            is_new: false,
            operation: Some(operation),
        })
    }
}

/// Whether two bodies are the same but for the tags, and for what each write changes.
fn same_but_tags(a: &Value, b: &Value) -> bool {
    let (Some(a), Some(b)) = (a.as_object(), b.as_object()) else {
        return false;
    };
    let is_compared = |name: &&String| *name != "tags";
    a.keys().filter(is_compared).count() == b.keys().filter(is_compared).count()
        && a.iter()
            .all(|(name, value)| name == "tags" || same_member(name, value, b.get(name)))
}
