//! Questions whose answers take a while: kept in memory for as long as a client may come for them.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use gatewright_arm::ArmError;
use serde_json::Value;
use uuid::Uuid;

use crate::operations::Operation;

/// Questions that are remembered; the oldest give way.
const REMEMBERED_MAX: usize = 1024;

#[derive(Debug, Default)]
pub(crate) struct Asked(Mutex<VecDeque<Operation>>);

impl Asked {
    pub(crate) fn begin(&self, operation: Operation) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= REMEMBERED_MAX {
            all.pop_front();
        }
        all.push_back(operation);
    }

    pub(crate) fn end(&self, id: Uuid, answer: Result<Value, ArmError>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(operation) = all.iter_mut().find(|one| one.id == id) else {
            return;
        };
        operation.end(answer.as_ref().err());
        operation.result = answer.ok();
    }

    pub(crate) fn find(&self, id: Uuid) -> Option<Operation> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().find(|one| one.id == id).cloned()
    }
}
