//! Deletes.

use std::sync::Arc;

use gatewright_arm::{ArmError, ResourceId};
use gatewright_store::{Condition, Transaction};
use serde_json::Value;

use crate::clock;
use crate::core::{Core, failed};
use crate::operations::{self, Operation};
use crate::resources::document::{self, Document};
use crate::resources::edit::{Edit, is_named};
use crate::resources::kind::{Kind, Manner};
use crate::resources::stamp::{new_etag, stamp};
use crate::resources::write::{Call, check_preconditions, not_committed, with_events};

/// What became of a delete.
#[derive(Clone, Debug)]
pub(crate) enum Removed {
    /// There was nothing.
    Absent,
    /// It is gone.
    Done,
    /// It goes.
    Going(Box<Operation>),
}

impl Core {
    /// Deletes a resource with routes of its own.
    ///
    /// # Errors
    /// When something uses it.
    pub(crate) async fn delete(
        self: &Arc<Self>,
        call: &Call,
        id: &ResourceId,
    ) -> Result<Removed, ArmError> {
        let kind = self.kind_of(id)?;
        let turn = self.turn_after_predecessor(call, kind, id).await?;
        let Some(document) = self.document(id).await? else {
            return Ok(Removed::Absent);
        };
        let refusal = match check_preconditions(call, id, Some(&document)) {
            Ok(()) => kind.refuse_delete(&document, id, &self.inventory),
            Err(error) => Some(error),
        };
        if let Some(error) = refusal {
            self.note_refusal(call, id, &error).await;
            return Err(error);
        }
        let touched = kind.touches(Some(&*document.body), None);
        let operation = self.begin(call, id, &document.body);
        let removed = match kind.manner() {
            Manner::AtOnce => self
                .remove(&document, &operation)
                .await
                .map(|()| Removed::Done),
            Manner::ByOperation => self
                .mark(document, operation)
                .await
                .map(|operation| Removed::Going(Box::new(operation))),
        };
        drop(turn);
        if removed.is_ok() {
            self.touch(call, &touched).await;
        }
        removed
    }

    /// Deletes an item of a resource; answers as [`Core::delete`].
    pub(crate) async fn delete_part(
        self: &Arc<Self>,
        call: &Call,
        id: &ResourceId,
        collection: &'static str,
    ) -> Result<Removed, ArmError> {
        let name = id.name().unwrap_or_default();
        let Some(parent) = id.parent() else {
            return Ok(Removed::Absent);
        };
        let Some(document) = self.document(&parent).await? else {
            return Ok(Removed::Absent);
        };
        if part(&document.body, collection, name).is_none() {
            return Ok(Removed::Absent);
        }
        let kind: &dyn Kind = self.kind_of(&parent)?;
        if let Some(error) = kind.refuse_delete(&document, id, &self.inventory) {
            self.note_refusal(call, id, &error).await;
            return Err(error);
        }
        let edit = Edit::DeletePart { collection, name };
        let accepted = self.write(call, &parent, edit).await?;
        Ok(accepted.operation.map_or(Removed::Done, |operation| {
            Removed::Going(Box::new(operation))
        }))
    }

    /// With everything below it, which cannot be without it.
    async fn remove(&self, document: &Document, operation: &Operation) -> Result<(), ArmError> {
        let going = self.with_below(document).await?;
        let mut transaction = Transaction::default();
        for one in &going {
            let key = document::key_of(&one.id).map_err(failed)?;
            let condition = Condition::ModifiedAt(key.clone(), one.revision);
            transaction = transaction.when(condition).delete(key);
            if self.kind_of(&one.id)?.is_recoverable() {
                let key = document::deleted_key_of(&one.id).map_err(failed)?;
                transaction = transaction.put(key, one.to_bytes());
            }
        }
        let happened = [("Started", ""), ("Succeeded", "")];
        let transaction = with_events(transaction, operation, &document.id, &happened);
        let transaction = transaction.map_err(failed)?;
        self.commit(transaction).await.map_err(not_committed)?;
        going.iter().for_each(|one| self.forget(&one.id));
        Ok(())
    }

    /// A resource and those below it, all changed now.
    async fn with_below(&self, document: &Document) -> Result<Vec<Document>, ArmError> {
        let now = clock::now();
        let mut all = vec![document.clone()];
        for known in self.inventory.within(&document.id.to_string()) {
            if known.id != document.id {
                all.extend(self.document(&known.id).await?);
            }
        }
        all.iter_mut().for_each(|one| one.changed = now);
        Ok(all)
    }

    /// From now on it is being deleted; a GET shows it until it is gone.
    async fn mark(
        self: &Arc<Self>,
        mut document: Document,
        operation: Operation,
    ) -> Result<Operation, ArmError> {
        let key = document::key_of(&document.id).map_err(failed)?;
        let condition = Condition::ModifiedAt(key.clone(), document.revision);
        document.operation = Some(operation.id);
        stamp(document.edit(), &new_etag(), "Deleting");
        let operation_key = operations::key_of(operation.id).map_err(failed)?;
        let transaction = Transaction::default()
            .when(condition)
            .put(key, document.to_bytes())
            .put(operation_key, operation.to_bytes());
        let happened = [("Started", ""), ("Accepted", "Accepted")];
        let transaction = with_events(transaction, &operation, &document.id, &happened);
        let transaction = transaction.map_err(failed)?;
        self.endings.begin(operation.id);
        let committed = self.commit(transaction).await;
        document.revision = committed.map_err(|error| {
            self.endings.end(operation.id);
            not_committed(error)
        })?;
        self.note(&document);
        tokio::spawn(Arc::clone(self).settle(document, operation.clone(), None));
        Ok(operation)
    }
}

/// An item of a resource.
pub(crate) fn part<'a>(body: &'a Value, collection: &str, name: &str) -> Option<&'a Value> {
    let items = body.get("properties")?.get(collection)?.as_array()?;
    items.iter().find(|item| is_named(item, name))
}
