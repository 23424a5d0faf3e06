//! What a write waits for: the operation before it on the same resource.

use std::time::Duration;

use gatewright_arm::{ArmError, ResourceId};
use tokio::sync::MutexGuard;

use crate::core::Core;
use crate::operations::{Doing, Operation};
use crate::resources::kind::Kind;
use crate::resources::write::{ATTEMPTS_MAX, Call};

/// How long a write waits for the operation before it on the same resource.
const PREDECESSOR_PATIENCE: Duration = Duration::from_secs(10);

impl Core {
    /// A PUT of a gateway takes the place of a PUT before it; other writes wait for that, and each
    /// waits for other operations.
    pub(super) async fn wait_for_predecessor(
        &self,
        call: &Call,
        kind: &dyn Kind,
        id: &ResourceId,
    ) -> Result<(), ArmError> {
        let Some(before) = self.predecessor(call, kind, id).await? else {
            return Ok(());
        };
        self.endings.wait(before.id, PREDECESSOR_PATIENCE).await;
        let still = self.predecessor(call, kind, id).await?;
        match still.filter(|still| still.id == before.id) {
            None => Ok(()),
            Some(still) => Err(self.another_in_progress(&still)),
        }
    }

    /// The turn to write, at a moment when there is nothing to wait for.
    pub(super) async fn turn_after_predecessor(
        &self,
        call: &Call,
        kind: &dyn Kind,
        id: &ResourceId,
    ) -> Result<MutexGuard<'_, ()>, ArmError> {
        let mut tries = 0;
        loop {
            self.wait_for_predecessor(call, kind, id).await?;
            let turn = self.writing.lock().await;
            let Some(running) = self.predecessor(call, kind, id).await? else {
                return Ok(turn);
            };
            tries += 1;
            if tries == ATTEMPTS_MAX {
                return Err(self.another_in_progress(&running));
            }
        }
    }

    /// The operation that a write must wait for.
    async fn predecessor(
        &self,
        call: &Call,
        kind: &dyn Kind,
        id: &ResourceId,
    ) -> Result<Option<Operation>, ArmError> {
        let Some(document) = self.document(id).await? else {
            return Ok(None);
        };
        let running = self.running(&document).await?;
        // A PUT takes no delete back, nor does it decide whether the gateway runs.
        let is_superseded = |running: &Operation| {
            kind.supersedes() && call.doing == Doing::Put && running.doing == Doing::Put
        };
        let running = running.map(|running| running.operation);
        Ok(running.filter(|running| !is_superseded(running)))
    }

    fn another_in_progress(&self, running: &Operation) -> ArmError {
        ArmError::new(
            "AnotherOperationInProgress",
            format!(
                "Another operation on this or dependent resource is in progress. To retrieve \
                 status of the operation use uri: {}.",
                self.operation_path(running, "operations")
            ),
        )
    }
}
