//! The thread that probes.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::thread;

use foldhash::{HashMap, HashSet};
use gatewright_telemetry::{HealthChange, ProbeRecord};
use tokio::sync::{Notify, mpsc, oneshot};

use super::attempt::probe;
use super::schedule::Schedule;
use super::{Place, Spec, Target, Watched};
use crate::io::{TICK, Timers, now, run, spawn};
use crate::tls::BackendTls;

/// Probes that may be under way at once, where descriptors allow: each has a connection.
const RUNNING_MAX: usize = 16 * 1024;
/// Fewest probes that may be under way, however few descriptors there are.
const RUNNING_MIN: usize = 16;

/// The way to the thread that probes. The thread ends with its last handle.
#[derive(Clone, Debug)]
pub(crate) struct Prober {
    commands: mpsc::UnboundedSender<Command>,
    /// Told after every first result of a target.
    first_results: Arc<Notify>,
}

enum Command {
    /// Probe exactly these from now on.
    Watch(Vec<Watched>),
    /// Make one probe more, which no state takes notice of.
    Once(Box<Once>),
}

struct Once {
    spec: Spec,
    tls: Option<BackendTls>,
    reply: oneshot::Sender<ProbeRecord>,
}

impl Prober {
    /// `changes` gets every change of a target's state; when it is full, or nobody listens, they
    /// are dropped: the states themselves stay right.
    ///
    /// # Errors
    /// When the thread or its event loop cannot be made.
    pub(crate) fn start(changes: mpsc::Sender<HealthChange>) -> io::Result<Self> {
        let (commands, receiver) = mpsc::unbounded_channel();
        let first_results = Arc::new(Notify::new());
        let told = Arc::clone(&first_results);
        let (ready, is_ready) = std::sync::mpsc::channel();
        thread::Builder::new()
            .name("prober".to_owned())
            .spawn(move || {
                let timers = Rc::new(Timers::default());
                let ticking = Rc::clone(&timers);
                let main = async move {
                    let _ = ready.send(());
                    let work = Work::new(timers, changes, told);
                    Rc::new(work).run(receiver).await;
                };
                if let Err(error) = run(main, TICK, move || ticking.advance()) {
                    tracing::error!(%error, "the prober's event loop has ended");
                }
            })?;
        // A prober that could not begin has dropped its end, and logged why.
        is_ready.recv().map_err(io::Error::other)?;
        Ok(Self {
            commands,
            first_results,
        })
    }

    /// Probes exactly these from now on; those that are new at once.
    pub(crate) fn watch(&self, targets: Vec<Watched>) {
        let _ = self.commands.send(Command::Watch(targets));
    }

    /// Probes once, at once; `None` when the prober is gone. `tls`: for an Https probe.
    pub(crate) async fn once(&self, spec: Spec, tls: Option<BackendTls>) -> Option<ProbeRecord> {
        let (reply, answer) = oneshot::channel();
        let once = Box::new(Once { spec, tls, reply });
        self.commands.send(Command::Once(once)).ok()?;
        answer.await.ok()
    }

    /// Waits until each of `targets` has a state.
    pub(crate) async fn first_results(&self, targets: &[Arc<Target>]) {
        loop {
            let told = self.first_results.notified();
            tokio::pin!(told);
            // Before the look, so that a result in between is not missed.
            told.as_mut().enable();
            if targets.iter().all(|target| target.has_state()) {
                return;
            }
            told.await;
        }
    }
}

struct Work {
    timers: Rc<Timers>,
    changes: mpsc::Sender<HealthChange>,
    first_results: Arc<Notify>,
    schedule: RefCell<Schedule>,
    targets: RefCell<HashMap<u64, Watched>>,
    running: Cell<usize>,
    running_max: usize,
}

impl Work {
    fn new(
        timers: Rc<Timers>,
        changes: mpsc::Sender<HealthChange>,
        first_results: Arc<Notify>,
    ) -> Self {
        Self {
            timers,
            changes,
            first_results,
            schedule: RefCell::default(),
            targets: RefCell::default(),
            running: Cell::new(0),
            running_max: running_max(),
        }
    }

    async fn run(self: Rc<Self>, mut commands: mpsc::UnboundedReceiver<Command>) {
        let timer = self.timers.timer();
        loop {
            timer.start(TICK);
            let command = poll_fn(|context| match commands.poll_recv(context) {
                std::task::Poll::Ready(command) => std::task::Poll::Ready(Some(command)),
                std::task::Poll::Pending => timer.poll(context).map(|()| None),
            });
            match command.await {
                None => {}
                Some(None) => return,
                Some(Some(Command::Watch(targets))) => self.watch(targets),
                Some(Some(Command::Once(once))) => self.probe_once(*once),
            }
            self.begin_due();
        }
    }

    fn watch(&self, targets: Vec<Watched>) {
        let pace = |one: &Watched| (one.target.number, one.target.spec.pace());
        let paces = targets.iter().map(pace);
        self.schedule.borrow_mut().set(paces, now());
        let numbered = targets.into_iter().map(|one| (one.target.number, one));
        let before = self.targets.replace(numbered.collect());
        self.tell_who_left(before);
    }

    /// Tells of the servers that were probed and are not any more; a changed probe is no such.
    fn tell_who_left(&self, before: HashMap<u64, Watched>) {
        let targets = self.targets.borrow();
        let places: HashSet<&Place> = targets.values().map(|one| &one.target.place).collect();
        let left = before
            .values()
            .filter(|one| !places.contains(&one.target.place));
        for Watched { target, pools } in left {
            if let Some(change) = target.leave(pools) {
                let _ = self.changes.try_send(change);
            }
        }
    }

    /// Who asks bounds how many of these there are.
    fn probe_once(&self, once: Once) {
        let timers = Rc::clone(&self.timers);
        spawn(async move {
            let Once { spec, tls, reply } = once;
            // Who asked may have gone.
            let _ = reply.send(probe(&spec, tls.as_ref(), &timers).await);
        });
    }

    fn begin_due(self: &Rc<Self>) {
        let room = self.running_max.saturating_sub(self.running.get());
        let due = self.schedule.borrow_mut().begin(now(), TICK, room);
        for number in due {
            let target = self
                .targets
                .borrow()
                .get(&number)
                .map(|one| Arc::clone(&one.target));
            if let Some(target) = target {
                self.running.set(self.running.get() + 1);
                let work = Rc::clone(self);
                spawn(async move {
                    let record = probe(&target.spec, target.tls.as_ref(), &work.timers).await;
                    work.running.set(work.running.get() - 1);
                    work.take(&target, record);
                });
            }
        }
    }

    fn take(&self, target: &Arc<Target>, record: ProbeRecord) {
        let targets = self.targets.borrow();
        let Some(watched) = targets.get(&target.number) else {
            // It was removed meanwhile.
            return;
        };
        let is_first = !target.has_state();
        let (is_failing, change) = target.take(record, &watched.pools);
        drop(targets);
        if is_first {
            self.first_results.notify_waiters();
        }
        if let Some(change) = change {
            let _ = self.changes.try_send(change);
        }
        let mut schedule = self.schedule.borrow_mut();
        schedule.end(target.number, is_failing, now());
    }
}

/// A quarter of this process's descriptors, within bounds: traffic has half of them.
fn running_max() -> usize {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let quarter = limit.map_or(RUNNING_MAX as u64, |descriptors| descriptors / 4);
    usize::try_from(quarter)
        .unwrap_or(RUNNING_MAX)
        .clamp(RUNNING_MIN, RUNNING_MAX)
}
