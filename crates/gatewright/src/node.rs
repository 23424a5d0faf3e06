//! The node: from files to what is served, at the start and on every reload.
//!
//! A configuration is read, validated and compiled before anything changes, and swapped in whole.
//! One that is refused at any step changes nothing.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use gatewright_dataplane::{AddressMap, ApplyError, Bound, Dataplane, DataplaneConfig};
use gatewright_snapshot::Snapshot;
use gatewright_telemetry::{AccessLog, AccessLogTarget, LabelRegistry, record_channel};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

use crate::admin::{self, Admin, ReloadReply, WAITING_RELOADS_MAX};
use crate::control_plane::Operators;
use crate::dev_certs::DevCertificates;
use crate::documents::Parts;
use crate::events::Events;
use crate::findings::{Finding, errors_last, has_errors};
use crate::pages::Pages;
use crate::plan::{Plan, Problem, error_pages, plan, watched_files};
use crate::sentence::Sentence;
use crate::settings::{AdminAddress, Settings};
use crate::status::Board;
use crate::stored::{Chosen, Served, Stored};
use crate::watch::{self, Signatures};

/// How many batches of records may wait for the access log: some 30,000 records, 25 MiB.
const RECORD_BATCHES_MAX: usize = 128;

/// A configuration that is served now.
#[derive(Clone, Debug)]
pub(crate) struct Applied {
    pub(crate) revision: u64,
    /// Warnings and notes.
    pub(crate) findings: Vec<Finding>,
    pub(crate) bound: Vec<Bound>,
}

/// The stand-ins of backends: what the user says goes before what the control plane knows.
fn address_map(settings: &Settings, chosen: &Chosen) -> AddressMap {
    let said = settings.map.iter().map(|rule| &rule.mapping);
    chosen.apps.iter().chain(said).cloned().collect()
}

/// Why a configuration was not taken.
#[derive(Clone, Debug)]
pub(crate) struct Refused {
    /// The revision that is served on; 0 when there is none.
    pub(crate) revision: u64,
    pub(crate) why: String,
    pub(crate) findings: Vec<Finding>,
}

/// Serves what its settings name, until it is told to stop.
pub(crate) struct Node {
    settings: Settings,
    dataplane: Dataplane,
    access_log: Arc<AccessLog>,
    board: Arc<Board>,
    events: Events,
    pages: Pages,
    /// What the control plane stores, where there is one.
    stored: Option<Stored>,
    /// The stored gateways, as they were compiled.
    parts: Parts,
    dev_certificates: DevCertificates,
    /// The files that were last read, those that were not there included.
    watched: Vec<PathBuf>,
    /// Their state then.
    seen: Signatures,
    reloads: mpsc::Receiver<ReloadReply>,
    signals: Signals,
    /// Where the admin API listens.
    pub(crate) admin: Option<SocketAddr>,
    /// The control plane, once it has started.
    operators: Arc<OnceLock<Operators>>,
}

impl Node {
    /// Starts everything but serving: the access log, the data plane's threads, the admin API.
    /// Must be called within a multi-thread runtime.
    ///
    /// # Errors
    /// When one of them cannot be started.
    pub(crate) async fn start(settings: Settings) -> Result<Self, Sentence> {
        // First: from here on a signal waits for its turn and kills nobody.
        let signals = Signals::new()?;
        let (sender, receiver) = record_channel(RECORD_BATCHES_MAX);
        let labels = Arc::new(LabelRegistry::default());
        let target = settings.access_log.clone();
        let access_log = AccessLog::start(target.clone(), Arc::clone(&labels), receiver)
            .map_err(|error| cannot_log(&target, &error))?;
        let access_log = Arc::new(access_log);
        let events = Events::start(&settings.health_events, settings.notify_url.as_deref())?;
        let dataplane = Dataplane::start(DataplaneConfig {
            tells_failures: settings.proxy_status,
            workers: settings.workers,
            address_map: address_map(&settings, &Chosen::default()),
            name_servers: settings.name_servers(),
            labels: Arc::clone(&labels),
            records: sender,
            health_changes: events.health_changes(),
        })
        .map_err(|error| Sentence::new(format!("the data plane cannot be started: {error}")))?;
        let board = Arc::new(Board::new(
            dataplane.clone(),
            Arc::clone(&access_log),
            labels,
            &events,
        ));
        let (reload_sender, reloads) = mpsc::channel(WAITING_RELOADS_MAX);
        let operators = Arc::new(OnceLock::new());
        let mut admin_address = None;
        if let AdminAddress::At(address) = settings.admin {
            let listener = admin::bind(address).await?;
            admin_address = listener.local_addr().ok();
            let admin = Admin {
                board: Arc::clone(&board),
                reloads: reload_sender,
                operators: Arc::clone(&operators),
            };
            tokio::spawn(admin::serve(listener, admin));
        }
        Ok(Self {
            settings,
            pages: Pages::new(dataplane.clone()),
            dataplane,
            access_log,
            board,
            events,
            stored: None,
            parts: Parts::default(),
            dev_certificates: DevCertificates::default(),
            watched: Vec::new(),
            seen: Signatures::default(),
            reloads,
            signals,
            admin: admin_address,
            operators,
        })
    }

    /// Serves what is stored too.
    pub(crate) fn follow(&mut self, stored: Stored) -> Served {
        let served = Served::new(stored.taken(), Arc::clone(&self.board));
        self.stored = Some(stored);
        served
    }

    /// From now on the admin API can make principals and backups.
    pub(crate) fn control(&self, operators: Operators) {
        // There is one control plane.
        let _ = self.operators.set(operators);
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Reads the files, and serves what they say and what is stored. A stored gateway that cannot
    /// be served gives way to its last good configuration, alone. Returns when its servers have
    /// been probed, or after a second.
    ///
    /// # Errors
    /// When anything is wrong with the files, or an address of theirs cannot be bound; nothing has
    /// changed then.
    pub(crate) async fn apply(&mut self) -> Result<Applied, Refused> {
        let applied = self.apply_at_once().await?;
        self.dataplane.first_probes(None).await;
        Ok(applied)
    }

    /// As [`Node::apply`], without a look at the servers of gateways that are new: whoever made one
    /// waits for them, and nobody else.
    async fn apply_at_once(&mut self) -> Result<Applied, Refused> {
        loop {
            let chosen = self.stored.as_ref().map(Stored::choose).unwrap_or_default();
            let refused = match self.try_apply(&chosen).await {
                Ok(applied) => {
                    if let Some(stored) = &mut self.stored {
                        stored.publish(None);
                    }
                    self.tell_failures();
                    return Ok(applied);
                }
                Err(refused) => refused,
            };
            let is_blamed = match (&mut self.stored, &refused) {
                (Some(stored), NotApplied::Plan(problem)) => stored.blame(problem, &chosen),
                (Some(stored), NotApplied::Apply(error, _)) => stored.blame_for(error, &chosen),
                (None, _) => false,
            };
            if !is_blamed {
                let refused = self.refuse(refused);
                if let Some(stored) = &mut self.stored {
                    stored.publish(Some(&refused.why));
                }
                return Err(refused);
            }
        }
    }

    /// Insights and the log tell of the stored gateways that are not served as they are stored.
    fn tell_failures(&self) {
        let failed = self.stored.iter().flat_map(Stored::failed);
        self.board.failed(failed.collect());
        let failures = || self.stored.iter().flat_map(Stored::failures);
        let failed = failures().map(|(id, ..)| id).collect();
        self.events.all_succeeded_but(&failed);
        for (id, name, why) in failures() {
            if self.events.gateway_failed(id, name, &why) {
                tracing::error!("{id} is not served as it is stored: {why}");
            }
        }
    }

    async fn try_apply(&mut self, chosen: &Chosen) -> Result<Applied, NotApplied> {
        // Anew each time: files of the network folder come and go.
        self.watched = watched_files(&self.settings);
        self.seen = Signatures::take(&self.watched).await;
        let planned = tokio::task::block_in_place(|| {
            plan(
                &self.settings,
                &mut self.dev_certificates,
                &mut self.parts,
                chosen,
            )
        });
        let Plan {
            snapshot,
            bindings,
            site,
            findings,
        } = planned.map_err(NotApplied::Plan)?;
        self.dataplane
            .set_address_map(address_map(&self.settings, chosen));
        let applied = self
            .dataplane
            .apply(Arc::clone(&snapshot), &bindings.addresses)
            .await;
        let bound = match applied {
            Ok(bound) => as_in_document(bound, &snapshot),
            Err(error) => return Err(NotApplied::Apply(error, findings)),
        };
        self.pages.want(&error_pages(&snapshot));
        let (endpoints, found) = (bound.clone(), findings.clone());
        let revision = self.board.took(snapshot, site, endpoints, found);
        for warning in &bindings.warnings {
            tracing::warn!("{warning}");
        }
        Ok(Applied {
            revision,
            findings,
            bound,
        })
    }

    fn refuse(&self, refused: NotApplied) -> Refused {
        let (why, findings) = match refused {
            NotApplied::Plan(Problem { why, findings }) => (why, findings),
            NotApplied::Apply(error, findings) => (error.to_string(), findings),
        };
        let revision = self.board.refused(why.clone());
        for (key, gateway) in self.board.gateways() {
            self.events.gateway_failed(&key, &gateway, &why);
        }
        Refused {
            revision,
            why,
            findings,
        }
    }

    /// Reloads whenever asked to, and returns when it was told to stop and everything is done. A
    /// second signal to stop cuts that short.
    pub(crate) async fn run(mut self) {
        let mut admin_is_there = true;
        loop {
            let (reason, reply) = tokio::select! {
                signal = self.signals.next() => match signal {
                    Told::Stop => break,
                    Told::Reload => ("SIGHUP", None),
                },
                reply = self.reloads.recv(), if admin_is_there => match reply {
                    Some(reply) => ("a request", Some(reply)),
                    None => {
                        admin_is_there = false;
                        continue;
                    }
                },
                () = watch::changed(&self.watched, &self.seen), if self.settings.watch => {
                    ("a changed file", None)
                }
                () = stored_change(&mut self.stored) => {
                    self.take_stored().await;
                    continue;
                }
            };
            if let Some(stored) = &mut self.stored {
                stored.forgive();
                self.parts.clear();
            }
            self.reload(reason, reply).await;
        }
        self.drain().await;
    }

    /// A change of the control plane's: it tells whoever made it what came of it.
    async fn take_stored(&mut self) {
        let known: HashSet<Finding> = self.board.findings().into_iter().collect();
        let is_new = |finding: &&Finding| !known.contains(*finding);
        match self.apply_at_once().await {
            Ok(applied) => {
                applied
                    .findings
                    .iter()
                    .filter(is_new)
                    .for_each(Finding::log);
                tracing::debug!("revision {} is served", applied.revision);
            }
            Err(refused) => tracing::error!("a change is not served: {}", refused.why),
        }
    }

    async fn reload(&mut self, reason: &str, reply: Option<ReloadReply>) {
        // What is served with a warning was told when it began.
        let known: HashSet<Finding> = self.board.findings().into_iter().collect();
        let is_new = |finding: &&Finding| !known.contains(*finding);
        let result = self.apply().await;
        match &result {
            Ok(applied) => {
                let new = applied.findings.iter().filter(is_new);
                new.for_each(Finding::log);
                let revision = applied.revision;
                tracing::info!("reloaded because of {reason}: revision {revision} is served");
            }
            Err(refused) => {
                let new = errors_last(&refused.findings).filter(is_new);
                new.for_each(Finding::log);
                let Refused { revision, why, .. } = refused;
                // What is wrong with the files was just told in full.
                let why = if has_errors(&refused.findings) {
                    "see above"
                } else {
                    why
                };
                tracing::error!(
                    "not reloaded in spite of {reason} ({why}); revision {revision} is served on"
                );
            }
        }
        if let Some(reply) = reply {
            // A client that did not wait has nothing to be told.
            let _ = reply.send(result);
        }
    }

    async fn drain(mut self) {
        let patience = self.settings.drain_timeout;
        tracing::info!(
            "stopping: requests have up to {} s to finish",
            patience.as_secs()
        );
        self.board.drains();
        // No step is taken any more, and nobody is told that one was not.
        self.stored = None;
        let operators = self.operators.get();
        let control = async {
            if let Some(operators) = operators {
                operators.control.stop();
                // What is not answered by then is cut when the process ends.
                let _ = tokio::time::timeout(patience, operators.control.stopped()).await;
            }
        };
        let drained = async { tokio::join!(self.dataplane.drain(patience), control) };
        tokio::select! {
            ((), ()) = drained => {}
            () = self.signals.stop() => tracing::warn!("stopping at once"),
        }
        let access_log = self.access_log;
        tokio::task::block_in_place(|| access_log.close());
        tracing::info!("stopped");
    }
}

/// At which step a configuration was not taken.
enum NotApplied {
    Plan(Problem),
    /// With the warnings of the plan.
    Apply(ApplyError, Vec<Finding>),
}

/// What a signal tells the node to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Reload,
    Stop,
}

struct Signals {
    reload: Signal,
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> Result<Self, Sentence> {
        let listen = |kind| {
            signal(kind)
                .map_err(|error| Sentence::new(format!("signals cannot be received: {error}")))
        };
        Ok(Self {
            reload: listen(SignalKind::hangup())?,
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) -> Told {
        tokio::select! {
            _ = self.terminate.recv() => Told::Stop,
            _ = self.interrupt.recv() => Told::Stop,
            _ = self.reload.recv() => Told::Reload,
        }
    }

    /// Returns on SIGTERM or SIGINT.
    async fn stop(&mut self) {
        while self.next().await != Told::Stop {}
    }
}

/// Waits for a change of what is stored; for ever, where nothing is.
async fn stored_change(stored: &mut Option<Stored>) {
    match stored {
        Some(stored) => stored.changed().await,
        None => std::future::pending().await,
    }
}

/// With the ids of gateways and the names of frontends as their documents write them; the data
/// plane has them in lower case.
fn as_in_document(mut bound: Vec<Bound>, snapshot: &Snapshot) -> Vec<Bound> {
    let endpoints = snapshot.endpoints.iter();
    let rows: HashMap<_, _> = endpoints.map(|row| (&row.key, row)).collect();
    for Bound { endpoint, .. } in &mut bound {
        let Some(row) = rows.get(endpoint) else {
            continue;
        };
        let id = &snapshot.gateway(row.gateway).resource_id;
        if !id.is_empty() {
            endpoint.gateway.clone_from(id);
        }
        endpoint.frontend.clone_from(&row.frontend);
    }
    bound
}

fn cannot_log(target: &AccessLogTarget, error: &std::io::Error) -> Sentence {
    let place = match target {
        AccessLogTarget::File(path, _) => path.display().to_string(),
        AccessLogTarget::Nowhere | AccessLogTarget::Stdout => "its target".to_owned(),
    };
    Sentence::new(format!(
        "the access log cannot be written to {place} ({error}); name a file in an existing, \
         writable folder with --access-log"
    ))
}
