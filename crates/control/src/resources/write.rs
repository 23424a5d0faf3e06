//! Writes: judged, stored with their operation and their event, answered, and settled later.

use std::sync::Arc;

use gatewright_arm::{ApiVersion, ArmError, ResourceId};
use gatewright_store::{CommitError, Condition, Revision, StoreError, Transaction};
use serde_json::Value;
use uuid::Uuid;

use crate::activity::Event;
use crate::clock;
use crate::core::{Core, failed};
use crate::front::body;
use crate::identity::Caller;
use crate::operations::{self, Doing, Operation, Status, StoredOperation};
use crate::resources::document::{self, Document};
use crate::resources::edit::{Edit, member, not_found};
use crate::resources::kind::{Kind, Manner, Prepared, Put};
use crate::resources::naming::{check_location, check_names, plain_place};
use crate::resources::stamp::{new_etag, stamp};
use crate::resources::tags;

/// How often a write is judged anew because what it relies on changed meanwhile; the last time,
/// nothing else is written.
pub(super) const ATTEMPTS_MAX: usize = 3;

/// Who writes, and how.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) caller: Caller,
    pub(crate) correlation: String,
    pub(crate) api_version: ApiVersion,
    /// The etag that the resource must have; `*` for any.
    pub(crate) if_match: Option<String>,
    /// Whether the resource must not exist.
    pub(crate) only_new: bool,
    /// What the operation is called.
    pub(crate) doing: Doing,
    /// What the caller was allowed to do, such as `Microsoft.Network/virtualNetworks/write`.
    pub(crate) action: String,
}

/// A write that was stored.
#[derive(Clone, Debug)]
pub(crate) struct Accepted {
    pub(crate) document: Document,
    pub(crate) is_new: bool,
    /// What goes on; `None` when nothing does.
    pub(crate) operation: Option<Operation>,
}

impl Core {
    /// Carries out a write of the resource `id`, one with routes of its own.
    ///
    /// # Errors
    /// When the resource would not be valid, a reference leads nowhere, or a precondition fails;
    /// nothing has changed then, but for the activity log.
    pub(crate) async fn write(
        self: &Arc<Self>,
        call: &Call,
        id: &ResourceId,
        edit: Edit<'_>,
    ) -> Result<Accepted, ArmError> {
        let result = self.try_write(call, id, &edit).await;
        match &result {
            // What is written because of another write goes no further.
            Ok((_, touched)) if !matches!(edit, Edit::Again | Edit::Nothing) => {
                self.touch(call, touched).await;
            }
            Ok(_) => {}
            Err(error) => self.note_refusal(call, id, error).await,
        }
        result.map(|(accepted, _)| accepted)
    }

    /// Writes resources anew that hold something of one that was written.
    pub(crate) async fn touch(self: &Arc<Self>, call: &Call, touched: &[ResourceId]) {
        for id in touched {
            let known = self.inventory.find(id);
            if known.is_none_or(|known| known.state == "Deleting") {
                continue;
            }
            let call = Call {
                if_match: None,
                only_new: false,
                doing: Doing::Put,
                action: format!("{}/write", id.resource_type()),
                ..call.clone()
            };
            if let Err(error) = Box::pin(self.write(&call, id, Edit::Again)).await {
                tracing::warn!("{id} could not be written anew: {}", error.message);
            }
        }
    }

    async fn try_write(
        self: &Arc<Self>,
        call: &Call,
        id: &ResourceId,
        edit: &Edit<'_>,
    ) -> Result<(Accepted, Vec<ResourceId>), ArmError> {
        let kind = self.kind_of(id)?;
        for attempt in 1..=ATTEMPTS_MAX {
            let is_last = attempt == ATTEMPTS_MAX;
            // Before the wait: a write that begins after it is one too.
            let edits = self.edits();
            let turn = match is_last {
                true => Some(self.turn_after_predecessor(call, kind, id).await?),
                false => {
                    self.wait_for_predecessor(call, kind, id).await?;
                    None
                }
            };
            let previous = self.document(id).await?;
            let prepared = self
                .prepare(call, kind, id, edit, previous.as_ref())
                .await?;
            let turn = match turn {
                Some(turn) => turn,
                None => self.writing.lock().await,
            };
            if !is_last && self.edits() != edits {
                continue;
            }
            // Another write's end may have come between: it changes what is said of the resource,
            // not what was judged.
            let previous = self.document(id).await?;
            let before = previous.as_ref().map(|previous| &*previous.body);
            let touched = kind.touches(before, Some(&prepared.body));
            let accepted = match previous {
                Some(previous)
                    if self.changes_tags_at_most(kind, edit, &prepared, &previous)? =>
                {
                    self.store_tags(call, id, prepared, previous).await?
                }
                previous => self.store(call, kind, id, prepared, previous).await?,
            };
            drop(turn);
            return Ok((accepted, touched));
        }
        Err(failed("a write never had its turn"))
    }

    /// The kind of a resource that has one.
    pub(crate) fn kind_of(&self, id: &ResourceId) -> Result<&dyn Kind, ArmError> {
        self.kind(&id.resource_type()).ok_or_else(|| {
            let kind = id.resource_type();
            let (namespace, kind) = kind.split_once('/').unwrap_or_default();
            let message = format!(
                "The resource type '{kind}' could not be found in the namespace '{namespace}'. It \
                 is not part of this control plane."
            );
            ArmError::front_door("InvalidResourceType", message)
        })
    }

    /// Judges a write as it would be carried out now; changes nothing.
    pub(crate) async fn prepare(
        &self,
        call: &Call,
        kind: &dyn Kind,
        id: &ResourceId,
        edit: &Edit<'_>,
        previous: Option<&Document>,
    ) -> Result<Prepared, ArmError> {
        self.check_group(id)?;
        check_preconditions(call, id, previous)?;
        if let (Edit::Nothing, Some(previous)) = (edit, previous) {
            return self.as_it_is(previous);
        }
        let is_whole = matches!(edit, Edit::Whole(_));
        let mut body = edit.apply(id, previous.map(|document| &*document.body))?;
        body::check_size(&body)?;
        tags::check(member(&body, "tags"))?;
        check_names(kind, id, &body, previous)?;
        check_location(kind, id, &mut body, previous, is_whole)?;
        let last_good = self.last_good(kind, previous).await?;
        let put = Put {
            id,
            body: &body,
            previous,
            last_good: last_good.as_ref(),
            api_version: call.api_version,
            replaces: is_whole,
        };
        let mut prepared = kind.prepare(self, put).await?;
        plain_place(kind, &mut prepared.body);
        self.check_links(call, id, &prepared.body, previous)?;
        Ok(prepared)
    }

    /// What is stored, to be stored again.
    fn as_it_is(&self, document: &Document) -> Result<Prepared, ArmError> {
        Ok(Prepared {
            body: (*document.body).clone(),
            secrets: document.open(&self.sealing).map_err(failed)?,
            notes: None,
            judged: document.judged.clone(),
            doomed: document.failure.as_ref().map(operations::read_error),
        })
    }

    /// What was good before, where the resource is not as it was asked for.
    pub(crate) async fn last_good(
        &self,
        kind: &dyn Kind,
        previous: Option<&Document>,
    ) -> Result<Option<Document>, ArmError> {
        let is_kept = |previous: &&Document| kind.keeps_last_good() && !previous.is_good();
        let Some(previous) = previous.filter(is_kept) else {
            return Ok(None);
        };
        let key = document::last_good_key_of(&previous.id).map_err(failed)?;
        let entry = self.store.get(&key).await.map_err(failed)?;
        entry
            .as_ref()
            .map(Document::read)
            .transpose()
            .map_err(failed)
    }

    /// The operation on this resource that has not ended.
    pub(crate) async fn running(
        &self,
        document: &Document,
    ) -> Result<Option<StoredOperation>, ArmError> {
        let Some(id) = document.operation else {
            return Ok(None);
        };
        let stored = self.operation(id).await?;
        Ok(stored.filter(|one| one.operation.status == Status::InProgress))
    }

    pub(crate) async fn operation(&self, id: Uuid) -> Result<Option<StoredOperation>, ArmError> {
        if let Some(operation) = self.asked.find(id) {
            let revision = Revision::default();
            return Ok(Some(StoredOperation {
                operation,
                revision,
            }));
        }
        let key = operations::key_of(id).map_err(failed)?;
        let Some(entry) = self.store.get(&key).await.map_err(failed)? else {
            return Ok(None);
        };
        let operation = Operation::read(&entry).map_err(failed)?;
        Ok(Some(StoredOperation {
            operation,
            revision: entry.modified,
        }))
    }

    /// Stores what was judged. Whoever calls has the turn to write.
    pub(crate) async fn store(
        self: &Arc<Self>,
        call: &Call,
        kind: &dyn Kind,
        id: &ResourceId,
        prepared: Prepared,
        previous: Option<Document>,
    ) -> Result<Accepted, ArmError> {
        let operation = self.begin(call, id, &prepared.body);
        let doomed = prepared.doomed;
        let mut document = Document::new(canonical(id, previous.as_ref()), prepared.body);
        if let Some(previous) = &previous {
            document.created = previous.created;
        }
        let before = previous.as_ref().map(|before| before.notes.clone());
        document.notes = prepared.notes.or(before).unwrap_or_default();
        document.failure = doomed.as_ref().map(operations::error_object);
        document.judged = prepared.judged;
        kind.note(call.doing, &mut document.notes);
        kind.begin(document.edit(), call.doing);
        document
            .seal(&self.sealing, &prepared.secrets)
            .map_err(failed)?;
        let is_at_once = kind.manner() == Manner::AtOnce;
        document.operation = (!is_at_once).then_some(operation.id);
        let state = if is_at_once { "Succeeded" } else { "Updating" };
        stamp(document.edit(), &new_etag(), state);
        let mut transaction = self.written(&document, previous.as_ref()).map_err(failed)?;
        if kind.keeps_last_good() {
            transaction = keep_last_good(transaction, id, previous.as_ref()).map_err(failed)?;
        }
        let mut superseded = None;
        if !is_at_once {
            (transaction, superseded) = self
                .supersede(transaction, previous.as_ref(), &operation)
                .await?;
            let key = operations::key_of(operation.id).map_err(failed)?;
            transaction = transaction.put(key, operation.to_bytes());
        }
        let is_new = previous.is_none();
        let outcome = if is_at_once { "Succeeded" } else { "Accepted" };
        let sub_status = if is_new { "Created" } else { "OK" };
        let happened = [("Started", ""), (outcome, sub_status)];
        transaction = with_events(transaction, &operation, id, &happened).map_err(failed)?;
        self.endings.begin(operation.id);
        document.revision = self.commit(transaction).await.map_err(|error| {
            self.endings.end(operation.id);
            not_committed(error)
        })?;
        self.note(&document);
        superseded.into_iter().for_each(|id| self.endings.end(id));
        if is_at_once {
            self.endings.end(operation.id);
            kind.stored(self, &document);
            return Ok(Accepted {
                document,
                is_new,
                operation: None,
            });
        }
        let doomed = document.doomed(&operation);
        let settling = (document.clone(), operation.clone());
        tokio::spawn(Arc::clone(self).settle(settling.0, settling.1, doomed));
        Ok(Accepted {
            document,
            is_new,
            operation: Some(operation),
        })
    }

    pub(crate) fn begin(&self, call: &Call, id: &ResourceId, body: &Value) -> Operation {
        let location = body.get("location").and_then(Value::as_str);
        Operation {
            id: Uuid::new_v4(),
            doing: call.doing,
            action: call.action.clone(),
            resource: id.to_string(),
            location: location.unwrap_or("local").to_owned(),
            status: Status::InProgress,
            error: None,
            result: None,
            correlation: call.correlation.clone(),
            caller: call.caller.app_id().to_owned(),
            began: clock::precise(clock::now()),
            ended: None,
        }
    }

    /// The document, on the condition that nobody else wrote it meanwhile.
    pub(crate) fn written(
        &self,
        document: &Document,
        previous: Option<&Document>,
    ) -> Result<Transaction, StoreError> {
        let key = document::key_of(&document.id)?;
        let condition = match previous {
            Some(previous) => Condition::ModifiedAt(key.clone(), previous.revision),
            None => Condition::Absent(key.clone()),
        };
        Ok(Transaction::default()
            .when(condition)
            .put(key, document.to_bytes()))
    }

    /// Cancels the operation that still runs on the resource; tells which, to end it once that is
    /// stored.
    async fn supersede(
        &self,
        transaction: Transaction,
        previous: Option<&Document>,
        by: &Operation,
    ) -> Result<(Transaction, Option<Uuid>), ArmError> {
        let Some(previous) = previous else {
            return Ok((transaction, None));
        };
        let Some(StoredOperation {
            mut operation,
            revision,
        }) = self.running(previous).await?
        else {
            return Ok((transaction, None));
        };
        let detail = ArmError::new(
            "CanceledAndSupersededDueToAnotherOperation",
            format!(
                "Operation {} ({}) was canceled and superseded by operation {} ({}).",
                operation.name(),
                operation.id,
                by.name(),
                by.id
            ),
        );
        let error = ArmError::new("Canceled", "Operation was canceled.").with_detail(detail);
        operation.status = Status::Canceled;
        operation.error = Some(operations::error_object(&error));
        operation.ended = Some(clock::precise(clock::now()));
        let key = operations::key_of(operation.id).map_err(failed)?;
        let transaction = transaction
            .when(Condition::ModifiedAt(key.clone(), revision))
            .put(key, operation.to_bytes());
        Ok((transaction, Some(operation.id)))
    }

    /// A write that was refused is an event too.
    pub(crate) async fn note_refusal(&self, call: &Call, id: &ResourceId, error: &ArmError) {
        let mut operation = self.begin(call, id, &Value::Null);
        operation.error = Some(operations::error_object(error));
        let event = event(
            &operation,
            id,
            ("Failed", "BadRequest"),
            operation.error.as_ref(),
        );
        let Ok((key, bytes)) = event.entry() else {
            return;
        };
        if let Err(error) = self.commit(Transaction::default().put(key, bytes)).await {
            tracing::error!("an event was not stored: {error}");
        }
    }
}

impl Operation {
    /// The call that goes on with it after a restart; its caller was admitted when it began, and
    /// may be nobody by now.
    pub(crate) fn resumed(&self, caller: Caller) -> Call {
        Call {
            caller,
            correlation: self.correlation.clone(),
            api_version: ApiVersion::NEWEST,
            if_match: None,
            only_new: false,
            doing: self.doing,
            action: self.action.clone(),
        }
    }
}

/// Adds the events of an operation: each a status and a sub-status.
///
/// # Errors
/// Never: their keys are short.
pub(crate) fn with_events(
    mut transaction: Transaction,
    operation: &Operation,
    id: &ResourceId,
    happened: &[(&'static str, &str)],
) -> Result<Transaction, StoreError> {
    for words in happened {
        let (key, bytes) = event(operation, id, *words, None).entry()?;
        transaction = transaction.put(key, bytes);
    }
    Ok(transaction)
}

/// The event of an operation.
pub(crate) fn event<'a>(
    operation: &'a Operation,
    resource: &'a ResourceId,
    (status, sub_status): (&'static str, &'a str),
    error: Option<&'a Value>,
) -> Event<'a> {
    Event {
        resource,
        action: &operation.action,
        status,
        sub_status,
        caller: &operation.caller,
        correlation: &operation.correlation,
        operation: operation.id,
        error,
    }
}

/// The casing of an id is that of its first PUT.
fn canonical(id: &ResourceId, previous: Option<&Document>) -> ResourceId {
    previous.map_or_else(|| id.clone(), |previous| previous.id.clone())
}

fn keep_last_good(
    transaction: Transaction,
    id: &ResourceId,
    previous: Option<&Document>,
) -> Result<Transaction, StoreError> {
    match previous.filter(|previous| previous.is_good()) {
        Some(good) => {
            let key = document::last_good_key_of(id)?;
            Ok(transaction.put(key, good.to_bytes()))
        }
        None => Ok(transaction),
    }
}

pub(crate) fn check_preconditions(
    call: &Call,
    id: &ResourceId,
    previous: Option<&Document>,
) -> Result<(), ArmError> {
    let etag = previous.and_then(|document| document.text("/etag"));
    if call.only_new && previous.is_some() {
        let message = format!("The resource {id} exists already (If-None-Match).");
        return Err(ArmError::new("PreconditionFailed", message));
    }
    let Some(expected) = &call.if_match else {
        return Ok(());
    };
    let is_met = match expected.as_str() {
        "*" => previous.is_some(),
        expected => etag.is_some_and(|etag| same_etag(etag, expected)),
    };
    match (is_met, previous) {
        (true, _) => Ok(()),
        (false, None) => Err(not_found(id)),
        (false, Some(_)) => Err(ArmError::new(
            "PreconditionFailed",
            format!("The resource {id} has been modified (etag mismatch)."),
        )),
    }
}

/// Weak or strong, quoted or not.
fn same_etag(a: &str, b: &str) -> bool {
    let plain = |etag: &str| etag.trim_start_matches("W/").trim_matches('"').to_owned();
    plain(a).eq_ignore_ascii_case(&plain(b))
}

pub(crate) fn not_committed(error: CommitError) -> ArmError {
    match error {
        CommitError::Conflict(condition) => {
            tracing::warn!("a commit met a conflict at {}", condition.key());
            ArmError::new("RetryableError", "A retryable error occurred.")
        }
        CommitError::Store(StoreError::Refused(why)) => ArmError::front_door(
            "RequestContentTooLarge",
            format!("What is to be stored is too large: {why}."),
        ),
        CommitError::Store(error) => failed(error),
    }
}
