//! What is done before a signal ends the program.

use std::collections::BTreeMap;
use std::process;
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::thread;

use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};

/// What is added to a signal's number for the exit status, as shells do it.
const BY_SIGNAL: i32 = 128;

type Task = Box<dyn FnOnce() + Send>;

/// By numbers that count up.
static TASKS: Mutex<BTreeMap<u64, Task>> = Mutex::new(BTreeMap::new());

fn tasks() -> MutexGuard<'static, BTreeMap<u64, Task>> {
    TASKS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Has a signal that ends the program (SIGINT, SIGTERM, SIGHUP) do this first, while what is
/// returned lives. Where signals cannot be waited for, they do as ever.
#[must_use = "nothing is done any more once it is dropped"]
pub(crate) fn before_the_end(task: impl FnOnce() + Send + 'static) -> Pending {
    static WAITING: Once = Once::new();
    WAITING.call_once(|| {
        thread::spawn(|| {
            let Some(number) = first_signal() else {
                return;
            };
            // Held until the end: what waits to be taken back is done already.
            let mut tasks = tasks();
            while let Some((_, task)) = tasks.pop_last() {
                task();
            }
            process::exit(BY_SIGNAL + number);
        });
    });
    let mut tasks = tasks();
    let number = tasks.last_key_value().map_or(0, |(last, _)| last + 1);
    tasks.insert(number, Box::new(task));
    Pending(number)
}

/// Something that is to be done before a signal ends the program.
#[derive(Debug)]
pub(crate) struct Pending(u64);

impl Drop for Pending {
    fn drop(&mut self) {
        tasks().remove(&self.0);
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
