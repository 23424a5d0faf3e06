//! What becomes of a collection that its user ends.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};

/// What is added to a signal's number for the exit status, as shells do it.
const BY_SIGNAL: i32 = 128;

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

    /// From now on, signals that end the program end these commands as well, and take `temporary`
    /// away. Where signals cannot be waited for, they do as ever.
    pub(super) fn end_with_program(&self, temporary: Option<PathBuf>) {
        let running = self.clone();
        thread::spawn(move || {
            let Some(number) = first_signal() else {
                return;
            };
            running.with(|groups| groups.iter().for_each(|group| kill(*group)));
            if let Some(folder) = temporary {
                // There is nobody left to tell.
                let _ = fs::remove_dir_all(folder);
            }
            process::exit(BY_SIGNAL + number);
        });
    }
}

/// Ends a process and all that it started, where there still is one.
pub(super) fn kill(group: u32) {
    if let Ok(group) = i32::try_from(group) {
        let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
    }
}

/// The number of the first signal that comes.
fn first_signal() -> Option<i32> {
    let runtime = Builder::new_current_thread().enable_all().build().ok()?;
    runtime.block_on(async {
        let kinds = [
            SignalKind::interrupt(),
            SignalKind::terminate(),
            SignalKind::hangup(),
        ];
        let [mut interrupt, mut terminate, mut hangup] = kinds.map(|kind| signal(kind).ok());
        let [interrupt, terminate, hangup] =
            [interrupt.as_mut()?, terminate.as_mut()?, hangup.as_mut()?];
        let kind = tokio::select! {
            _ = interrupt.recv() => SignalKind::interrupt(),
            _ = terminate.recv() => SignalKind::terminate(),
            _ = hangup.recv() => SignalKind::hangup(),
        };
        Some(kind.as_raw_value())
    })
}
