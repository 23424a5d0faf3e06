//! What becomes of a collection that its user ends.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::interrupt::{Pending, before_the_end};

/// The commands that run, by the ids of their process groups: a terminal's Ctrl-C does not reach
/// groups of their own.
#[derive(Clone, Debug, Default)]
pub(super) struct Running(Arc<Mutex<BTreeSet<u32>>>);

impl Running {
    pub(super) fn add(&self, group: u32) {
        self.with(|groups| groups.insert(group));
    }

    pub(super) fn remove(&self, group: u32) {
        self.with(|groups| groups.remove(&group));
    }

    fn with<T>(&self, change: impl FnOnce(&mut BTreeSet<u32>) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Has signals that end the program end these commands as well, and take `temporary` away,
    /// while what is returned lives.
    pub(super) fn end_with_program(&self, temporary: Option<PathBuf>) -> Pending {
        let running = self.clone();
        before_the_end(move || {
            running.with(|groups| groups.iter().for_each(|group| kill(*group)));
            if let Some(folder) = temporary {
                // There is nobody left to tell.
                let _ = fs::remove_dir_all(folder);
            }
        })
    }
}

/// Ends a process and all that it started, where there still is one.
pub(super) fn kill(group: u32) {
    if let Ok(group) = i32::try_from(group) {
        let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
    }
}
