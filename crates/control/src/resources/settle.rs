//! What follows a write: the operation goes on until the node serves what was stored, and is ended.

use std::sync::Arc;
use std::time::Duration;

use gatewright_arm::{ArmError, ResourceId};
use gatewright_store::{Condition, Transaction};

use crate::core::{Core, failed};
use crate::operations::{self, Doing, Operation, Status};
use crate::resources::document::{self, Document};
use crate::resources::kind::Ending;
use crate::resources::stamp::{new_etag, stamp};
use crate::resources::write::{event, not_committed};

/// How long to wait before the end of an operation is written again when the store fails; each time
/// twice as long as before, up to the longest pause.
const PAUSE: Duration = Duration::from_millis(250);
const PAUSE_MAX: Duration = Duration::from_secs(10);

impl Core {
    /// Goes on with an operation until it has ended.
    pub(crate) async fn settle(
        self: Arc<Self>,
        document: Document,
        operation: Operation,
        doomed: Option<ArmError>,
    ) {
        let outcome = match doomed {
            Some(error) => {
                // What is told of it then is what is served; how long that takes changes nothing.
                let _ = self.node().took(document.revision).await;
                Err(error)
            }
            None => self.settled(&document, &operation).await,
        };
        if outcome.is_ok() && operation.doing == Doing::Put {
            self.follow(&document, &operation).await;
        }
        self.end(operation, outcome).await;
    }

    async fn follow(self: &Arc<Self>, document: &Document, operation: &Operation) {
        if let Some(kind) = self.kind(&document.id.resource_type()) {
            kind.follow(self, document, operation).await;
        }
    }

    /// Ends an operation in this way.
    pub(crate) async fn end(self: Arc<Self>, operation: Operation, outcome: Result<(), ArmError>) {
        let conclude = || self.conclude(&operation, &outcome);
        insist(conclude, || format!("the operation {}", operation.id)).await;
        self.endings.end(operation.id);
    }

    async fn settled(&self, document: &Document, operation: &Operation) -> Result<(), ArmError> {
        let kind = self.kind_of(&document.id)?;
        kind.settle(self, document, operation.doing).await
    }

    /// Writes the end of an operation, of its resource's state, and the event, in one step. Nothing
    /// happens when another operation has taken its place.
    async fn conclude(
        &self,
        operation: &Operation,
        outcome: &Result<(), ArmError>,
    ) -> Result<(), ArmError> {
        let id = &ResourceId::parse(&operation.resource).map_err(failed)?;
        let _turn = self.writing.lock().await;
        let stored = self.operation(operation.id).await?;
        let Some(stored) = stored.filter(|one| one.operation.status == Status::InProgress) else {
            return Ok(());
        };
        let mut ended = stored.operation;
        ended.end(outcome.as_ref().err());
        let key = operations::key_of(ended.id).map_err(failed)?;
        let mut transaction = Transaction::default()
            .when(Condition::ModifiedAt(key.clone(), stored.revision))
            .put(key, ended.to_bytes());
        let status = ended.status.text();
        let event = event(&ended, id, (status, ""), ended.error.as_ref());
        let (key, bytes) = event.entry().map_err(failed)?;
        transaction = transaction.put(key, bytes);
        let document = self.document(id).await?;
        let document = document.filter(|document| document.operation == Some(ended.id));
        match document {
            None => self
                .commit(transaction)
                .await
                .map(drop)
                .map_err(not_committed),
            Some(document) => self.conclude_document(transaction, document, &ended).await,
        }
    }

    async fn conclude_document(
        &self,
        transaction: Transaction,
        mut document: Document,
        ended: &Operation,
    ) -> Result<(), ArmError> {
        let key = document::key_of(&document.id).map_err(failed)?;
        let condition = Condition::ModifiedAt(key.clone(), document.revision);
        let mut transaction = transaction.when(condition);
        let has_succeeded = ended.status == Status::Succeeded;
        let last_good = document::last_good_key_of(&document.id).map_err(failed)?;
        if has_succeeded && document.state() == Some("Deleting") {
            transaction = transaction.delete(key).delete(last_good);
            self.commit(transaction).await.map_err(not_committed)?;
            self.inventory.remove(&document.id);
            return Ok(());
        }
        let kind = self.kind_of(&document.id)?;
        if !has_succeeded {
            kind.take_back(ended.doing, &mut document.notes);
            if ended.doing.configures() {
                document.failure.clone_from(&ended.error);
            }
        }
        let ending = match has_succeeded && document.failure.is_none() {
            true => Ending::Good,
            false => match self.store.modified(&last_good).await.map_err(failed)? {
                Some(_) => Ending::LastGood,
                None => Ending::NothingGood,
            },
        };
        let state = match ending {
            Ending::Good => "Succeeded",
            Ending::LastGood | Ending::NothingGood => "Failed",
        };
        stamp(document.edit(), &new_etag(), state);
        // What could not be deleted is what it was.
        if ended.doing != Doing::Delete {
            kind.end(Arc::make_mut(&mut document.body), &document.notes, ending);
        }
        if ending == Ending::Good {
            transaction = transaction.delete(last_good);
        }
        transaction = transaction.put(key, document.to_bytes());
        let before = document.revision;
        document.revision = self.commit(transaction).await.map_err(not_committed)?;
        self.note_end(&document, before);
        Ok(())
    }
}

/// Writes the end of what was acknowledged until the store takes it: a disk that is full now may
/// have room later, and until then nobody else may change the resource. `what` is for the log.
pub(crate) async fn insist<F>(conclude: impl Fn() -> F, what: impl Fn() -> String)
where
    F: Future<Output = Result<(), ArmError>>,
{
    let mut pause = PAUSE;
    while let Err(error) = conclude().await {
        tracing::error!("{} cannot end yet: {}", what(), error.message);
        tokio::time::sleep(pause).await;
        pause = PAUSE_MAX.min(pause * 2);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_end_is_written_however_long_the_store_cannot() {
        let (began, tries) = (tokio::time::Instant::now(), Cell::new(0));
        let conclude = || async {
            tries.set(tries.get() + 1);
            match began.elapsed() < Duration::from_secs(3600) {
                true => Err(failed("the disk is full")),
                false => Ok(()),
            }
        };
        insist(conclude, || "it".to_owned()).await;
        assert!((300..500).contains(&tries.get()), "{}", tries.get());
    }
}
