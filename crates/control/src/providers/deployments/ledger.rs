//! The document and the operation of a deployment, from its beginning to its end.

use std::sync::Arc;

use gatewright_arm::{ArmError, ResourceId};
use gatewright_store::{Condition, Transaction};
use serde_json::{Map, Value, json};
use time::{Duration, OffsetDateTime};

use super::record::{Notes, set_state};
use super::request::Source;
use crate::clock;
use crate::core::{Core, failed};
use crate::operations::{self, Operation, Status, StoredOperation};
use crate::resources::document::{self, Document};
use crate::resources::edit::not_found;
use crate::resources::records::is_record;
use crate::resources::write::{Call, event, not_committed};

/// Deployments of a group that are remembered, as in the service; the oldest give way.
const HISTORY_MAX: usize = 800;

/// Deployments that run at a time.
const RUNNING_MAX: usize = 64;

/// How long a deployment may be active, as the service tells it to those who wait.
const ACTIVE_MAX: Duration = Duration::days(7);

/// A deployment that is about to run.
pub(super) struct Begun {
    pub(super) id: ResourceId,
    pub(super) body: Value,
    pub(super) notes: Notes,
    /// What it is made of; nothing for one that is part of another's template.
    pub(super) source: Option<Source>,
}

/// A deployment that runs.
#[derive(Clone)]
pub(super) struct Active {
    pub(super) id: ResourceId,
    pub(super) operation: Operation,
    pub(super) began: OffsetDateTime,
}

/// What a deployment came to, when nobody canceled it.
pub(super) type Ending = Result<Map<String, Value>, ArmError>;

impl Core {
    /// Stores a deployment, its operation and the events of its beginning. Whether it is new.
    ///
    /// # Errors
    /// When one of this name runs, or too many others.
    pub(super) async fn begin_deployment(
        self: &Arc<Self>,
        call: &Call,
        begun: Begun,
    ) -> Result<(Document, Active, bool), ArmError> {
        let _turn = self.writing.lock().await;
        self.check_group(&begun.id)?;
        let previous = self.document(&begun.id).await?;
        let mut transaction = self.make_room(&begun).await?;
        if let Some(previous) = &previous {
            transaction = self.take_over(transaction, previous, &begun.notes).await?;
        }
        let operation = self.begin(call, &begun.id, &begun.body);
        let id = previous
            .as_ref()
            .map_or(begun.id, |before| before.id.clone());
        let mut document = Document::new(id, begun.body);
        if let Some(previous) = &previous {
            document.created = previous.created;
        }
        document.operation = Some(operation.id);
        document.notes = begun.notes.into_value();
        let secrets = begun.source.map_or(Value::Null, Source::into_value);
        document.seal(&self.sealing, &secrets).map_err(failed)?;
        let key = document::key_of(&document.id).map_err(failed)?;
        let condition = match &previous {
            Some(previous) => Condition::ModifiedAt(key.clone(), previous.revision),
            None => Condition::Absent(key.clone()),
        };
        let operation_key = operations::key_of(operation.id).map_err(failed)?;
        transaction = transaction
            .when(condition)
            .put(key, document.to_bytes())
            .put(operation_key, operation.to_bytes());
        let is_new = previous.is_none();
        let sub_status = if is_new { "Created" } else { "OK" };
        for told in [("Started", ""), ("Accepted", sub_status)] {
            let (key, bytes) = event(&operation, &document.id, told, None)
                .entry()
                .map_err(failed)?;
            transaction = transaction.put(key, bytes);
        }
        self.endings.begin(operation.id);
        document.revision = self.commit(transaction).await.map_err(|error| {
            self.endings.end(operation.id);
            not_committed(error)
        })?;
        self.note(&document);
        let active = Active {
            id: document.id.clone(),
            operation,
            began: document.changed,
        };
        Ok((document, active, is_new))
    }

    /// The oldest deployment of the group goes, where there are too many.
    async fn make_room(&self, begun: &Begun) -> Result<Transaction, ArmError> {
        let scope = format!("/subscriptions/{}", self.config.subscription);
        let mut known = self.inventory.within(&scope);
        known.retain(|known| is_record(&known.id.resource_type()));
        let is_running = |state: &str| ["Accepted", "Running"].contains(&state);
        let running = known
            .iter()
            .filter(|known| is_running(&known.state))
            .count();
        if running >= RUNNING_MAX && begun.notes.nested_in.is_none() {
            let message = format!("{RUNNING_MAX} deployments run already; try again later.");
            return Err(ArmError::front_door("RetryableError", message));
        }
        let same = |other: &ResourceId| {
            let groups = (other.resource_group(), begun.id.resource_group());
            matches!(groups, (Some(a), Some(b)) if a.eq_ignore_ascii_case(b))
        };
        known.retain(|known| same(&known.id) && known.id != begun.id);
        let mut transaction = Transaction::default();
        if known.len() < HISTORY_MAX {
            return Ok(transaction);
        }
        known.retain(|known| !is_running(&known.state));
        let changed = |summary: &Map<String, Value>| {
            let time = summary.get("changedTime").and_then(Value::as_str);
            time.unwrap_or_default().to_owned()
        };
        if let Some(oldest) = known.iter().min_by_key(|known| changed(&known.summary)) {
            transaction = transaction.delete(document::key_of(&oldest.id).map_err(failed)?);
            self.inventory.remove(&oldest.id);
        }
        Ok(transaction)
    }

    /// One that runs is not replaced; but that which a deployment began before a restart gives way
    /// when the same deployment comes to it again.
    async fn take_over(
        &self,
        transaction: Transaction,
        previous: &Document,
        notes: &Notes,
    ) -> Result<Transaction, ArmError> {
        let Some(running) = self.running(previous).await? else {
            return Ok(transaction);
        };
        let before = Notes::of(previous).nested_in;
        if before.is_none() || before != notes.nested_in {
            return Err(is_active(previous));
        }
        let StoredOperation {
            mut operation,
            revision,
        } = running;
        operation.status = Status::Canceled;
        operation.ended = Some(clock::precise(clock::now()));
        let key = operations::key_of(operation.id).map_err(failed)?;
        self.endings.end(operation.id);
        Ok(transaction
            .when(Condition::ModifiedAt(key.clone(), revision))
            .put(key, operation.to_bytes()))
    }

    /// Changes the document of a deployment that still runs. Whether it does.
    pub(super) async fn change_deployment(
        &self,
        active: &Active,
        change: impl FnOnce(&mut Document),
    ) -> Result<bool, ArmError> {
        let _turn = self.writing.lock().await;
        let Some((_, mut document)) = self.active(active).await? else {
            return Ok(false);
        };
        change(&mut document);
        let key = document::key_of(&document.id).map_err(failed)?;
        let transaction = Transaction::default()
            .when(Condition::ModifiedAt(key.clone(), document.revision))
            .put(key, document.to_bytes());
        document.revision = self.commit(transaction).await.map_err(not_committed)?;
        self.note(&document);
        Ok(true)
    }

    /// The operation and the document, as long as the deployment has not ended.
    pub(super) async fn active(
        &self,
        active: &Active,
    ) -> Result<Option<(StoredOperation, Document)>, ArmError> {
        let stored = self.operation(active.operation.id).await?;
        let stored = stored.filter(|one| one.operation.status == Status::InProgress);
        let document = self.document(&active.id).await?;
        let document = document.filter(|one| one.operation == Some(active.operation.id));
        Ok(stored.zip(document))
    }

    /// Writes the end of a deployment; nothing where somebody else has ended it.
    pub(super) async fn conclude_deployment(
        &self,
        active: &Active,
        ending: &Ending,
    ) -> Result<(), ArmError> {
        let state = match ending {
            Ok(_) => "Succeeded",
            Err(_) => "Failed",
        };
        self.end_deployment(active, state, |operation, body| {
            operation.end(ending.as_ref().err());
            match ending {
                Ok(members) => {
                    let all = body["properties"].as_object_mut();
                    all.into_iter().for_each(|all| all.extend(members.clone()));
                }
                Err(_) => {
                    body["properties"]["error"] = operation.error.clone().unwrap_or_default();
                }
            }
        })
        .await
        .map(drop)
    }

    /// Ends a deployment; what it began with its resources goes on by itself. Whether it ran.
    pub(super) async fn cancel_deployment(&self, active: &Active) -> Result<bool, ArmError> {
        let error = ArmError::front_door("DeploymentCanceled", "The deployment was canceled.");
        let error = operations::error_object(&error);
        let is_canceled = self
            .end_deployment(active, "Canceled", |operation, _| {
                operation.status = Status::Canceled;
                operation.error = Some(error);
                operation.ended = Some(clock::precise(clock::now()));
            })
            .await?;
        self.endings.end(active.operation.id);
        Ok(is_canceled)
    }

    async fn end_deployment(
        &self,
        active: &Active,
        state: &'static str,
        change: impl FnOnce(&mut Operation, &mut Value),
    ) -> Result<bool, ArmError> {
        let _turn = self.writing.lock().await;
        let Some((stored, mut document)) = self.active(active).await? else {
            return Ok(false);
        };
        let StoredOperation {
            mut operation,
            revision,
        } = stored;
        set_state(document.edit(), state, active.began);
        change(&mut operation, document.edit());
        // What it was given is needed no more.
        let sealed = document.open(&self.sealing).map_err(failed)?;
        let kept =
            Source::of(sealed).map_or(Value::Null, |source| source.template_only().into_value());
        document.seal(&self.sealing, &kept).map_err(failed)?;
        let operation_key = operations::key_of(operation.id).map_err(failed)?;
        let key = document::key_of(&document.id).map_err(failed)?;
        let told = event(
            &operation,
            &document.id,
            (state, ""),
            operation.error.as_ref(),
        );
        let (event_key, bytes) = told.entry().map_err(failed)?;
        let transaction = Transaction::default()
            .when(Condition::ModifiedAt(operation_key.clone(), revision))
            .when(Condition::ModifiedAt(key.clone(), document.revision))
            .put(operation_key, operation.to_bytes())
            .put(key, document.to_bytes())
            .put(event_key, bytes);
        document.revision = self.commit(transaction).await.map_err(not_committed)?;
        self.note(&document);
        Ok(true)
    }

    /// What runs under this id.
    ///
    /// # Errors
    /// When there is no such deployment, or it has ended.
    pub(super) async fn running_deployment(&self, id: &ResourceId) -> Result<Active, ArmError> {
        let document = self.document(id).await?.ok_or_else(|| not_found(id))?;
        match self.running(&document).await? {
            Some(running) => Ok(Active {
                id: document.id,
                operation: running.operation,
                began: document.changed,
            }),
            None => Err(ArmError::front_door(
                "DeploymentCannotBeCancelled",
                format!(
                    "The deployment '{}' cannot be canceled: it has ended in the state '{}'.",
                    id.name().unwrap_or_default(),
                    document.state().unwrap_or_default()
                ),
            )),
        }
    }
}

/// The front door's word for a deployment that runs.
pub(super) fn is_active(document: &Document) -> ArmError {
    let message = format!(
        "Unable to edit or replace deployment '{}': previous deployment from '{}' is still active \
         (expiration time is '{}'). Please see https://aka.ms/arm-deploy for usage details.",
        document.id.name().unwrap_or_default(),
        clock::american(document.changed),
        clock::american(document.changed + ACTIVE_MAX),
    );
    ArmError::front_door("DeploymentActive", message)
}

/// The members of a deployment that has succeeded.
pub(super) fn results(outputs: Map<String, Value>, resources: Value) -> Map<String, Value> {
    let mut members = Map::new();
    if !outputs.is_empty() {
        members.insert("outputs".to_owned(), json!(outputs));
    }
    members.insert("outputResources".to_owned(), resources);
    members
}
