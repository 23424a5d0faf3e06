//! The deletion of a group with everything in it.

use std::sync::Arc;
use std::time::Duration;

use gatewright_arm::{ArmError, ResourceId};
use gatewright_store::{Condition, Transaction};
use serde_json::json;

use crate::core::{Core, failed};
use crate::operations::{self, Operation};
use crate::resources::document::{self, Document};
use crate::resources::links::no_group;
use crate::resources::remove::Removed;
use crate::resources::settle::insist;
use crate::resources::write::{Call, event, not_committed};

/// Times that what is in a group is looked through for something that can go: what uses others
/// goes before them.
const PASSES_MAX: usize = 10;

/// How long one resource may take to go.
const PATIENCE: Duration = Duration::from_secs(60);

impl Core {
    /// Marks the group; what is in it goes afterwards.
    ///
    /// # Errors
    /// When there is no such group.
    pub(super) async fn delete_group(
        self: &Arc<Self>,
        call: &Call,
        id: &ResourceId,
    ) -> Result<Operation, ArmError> {
        let operation = {
            let _turn = self.writing.lock().await;
            let Some(document) = self.document(id).await? else {
                return Err(no_group(id.resource_group().unwrap_or_default()));
            };
            if let Some(running) = self.running(&document).await? {
                return Ok(running.operation);
            }
            let operation = self.begin(call, id, &document.body);
            self.mark_group(document, &operation).await?;
            operation
        };
        let task = Arc::clone(self).empty_group(call.clone(), operation.clone());
        tokio::spawn(task);
        Ok(operation)
    }

    async fn mark_group(
        &self,
        mut document: Document,
        operation: &Operation,
    ) -> Result<(), ArmError> {
        let key = document::key_of(&document.id).map_err(failed)?;
        let operation_key = operations::key_of(operation.id).map_err(failed)?;
        let condition = Condition::ModifiedAt(key.clone(), document.revision);
        document.operation = Some(operation.id);
        document.edit()["properties"]["provisioningState"] = json!("Deleting");
        let (event_key, bytes) = event(operation, &document.id, ("Started", ""), None)
            .entry()
            .map_err(failed)?;
        let transaction = Transaction::default()
            .when(condition)
            .put(key, document.to_bytes())
            .put(operation_key, operation.to_bytes())
            .put(event_key, bytes);
        self.endings.begin(operation.id);
        document.revision = self.commit(transaction).await.map_err(|error| {
            self.endings.end(operation.id);
            not_committed(error)
        })?;
        self.note(&document);
        Ok(())
    }

    /// Deletes everything in the group, and the group at last; when something stays, so does the
    /// group.
    pub(crate) async fn empty_group(self: Arc<Self>, call: Call, operation: Operation) {
        let Ok(id) = ResourceId::parse(&operation.resource) else {
            return;
        };
        let mut outcome = Ok(());
        for _ in 0..PASSES_MAX {
            outcome = self.delete_all_within(&call, &id).await;
            if outcome.is_ok() {
                break;
            }
        }
        let conclude = || self.conclude_group(&id, &operation, &outcome);
        insist(conclude, || format!("the deletion of {id}")).await;
        self.endings.end(operation.id);
    }

    async fn delete_all_within(
        self: &Arc<Self>,
        call: &Call,
        group: &ResourceId,
    ) -> Result<(), ArmError> {
        let scope = group.to_string();
        let mut refusal = None;
        for known in self.inventory.within(&scope) {
            if known.id.name().is_none() {
                continue;
            }
            let call = Call {
                action: format!("{}/delete", known.id.resource_type()),
                ..call.clone()
            };
            match self.delete(&call, &known.id).await {
                Ok(Removed::Going(operation)) => self.endings.wait(operation.id, PATIENCE).await,
                Ok(Removed::Done | Removed::Absent) => {}
                Err(error) => refusal = Some(error),
            }
        }
        let mut left = self.inventory.within(&scope);
        left.retain(|known| known.id.name().is_some());
        match (left.first(), refusal) {
            (None, _) => Ok(()),
            (Some(_), Some(error)) => Err(error),
            (Some(known), None) => Err(ArmError::front_door(
                "ResourceGroupDeletionBlocked",
                format!("The resource {} could not be deleted.", known.id),
            )),
        }
    }

    async fn conclude_group(
        &self,
        id: &ResourceId,
        operation: &Operation,
        outcome: &Result<(), ArmError>,
    ) -> Result<(), ArmError> {
        let _turn = self.writing.lock().await;
        let document = self.document(id).await?;
        let mut ended = operation.clone();
        ended.end(outcome.as_ref().err());
        let key = document::key_of(id).map_err(failed)?;
        let operation_key = operations::key_of(ended.id).map_err(failed)?;
        let told = (ended.status.text(), "");
        let (event_key, bytes) = event(&ended, id, told, ended.error.as_ref())
            .entry()
            .map_err(failed)?;
        let transaction = Transaction::default()
            .put(operation_key, ended.to_bytes())
            .put(event_key, bytes);
        let Some(mut document) = document.filter(|_| outcome.is_err()) else {
            let gone = self.commit(transaction.delete(key)).await;
            gone.map_err(not_committed)?;
            self.inventory.remove(id);
            return Ok(());
        };
        document.edit()["properties"]["provisioningState"] = json!("Succeeded");
        document.operation = None;
        let transaction = transaction.put(key, document.to_bytes());
        document.revision = self.commit(transaction).await.map_err(not_committed)?;
        self.note(&document);
        Ok(())
    }
}
