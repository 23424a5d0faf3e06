//! The node: from files to what is served, at the start and on every reload.
//!
//! A configuration is read, validated and compiled before anything changes, and swapped in whole.
//! One that is refused at any step changes nothing.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use gatewright_compile::{Options, SuppliedCertificate};
use gatewright_dataplane::{Bound, Dataplane, DataplaneConfig};
use gatewright_snapshot::Snapshot;
use gatewright_telemetry::{AccessLog, AccessLogTarget, LabelRegistry, record_channel};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use zeroize::Zeroizing;

use crate::admin::{self, ReloadReply, WAITING_RELOADS_MAX};
use crate::bindings::{self, Bindings};
use crate::dev_certs::DevCertificates;
use crate::documents::{self, Document};
use crate::findings::{Finding, Level, has_errors};
use crate::health::Board;
use crate::pages::Pages;
use crate::sentence::Sentence;
use crate::settings::{AdminAddress, Settings};
use crate::watch::{self, Signatures};

/// How many batches of records may wait for the access log: some 30,000 records, 25 MiB.
const RECORD_BATCHES_MAX: usize = 128;

/// Largest password file, in bytes.
const PASSWORD_BYTES_MAX: u64 = 4 * 1024;

/// A configuration that is served now.
#[derive(Clone, Debug)]
pub(crate) struct Applied {
    pub(crate) revision: u64,
    /// Warnings and notes.
    pub(crate) findings: Vec<Finding>,
    pub(crate) bound: Vec<Bound>,
}

/// Why a configuration was not taken.
#[derive(Clone, Debug)]
pub(crate) struct Refused {
    /// The revision that is served on; 0 when there is none.
    pub(crate) revision: u64,
    pub(crate) why: String,
    pub(crate) findings: Vec<Finding>,
}

/// A configuration on its way.
struct Plan {
    snapshot: Arc<Snapshot>,
    bindings: Bindings,
    findings: Vec<Finding>,
}

/// Serves what its settings name, until it is told to stop.
pub(crate) struct Node {
    settings: Settings,
    dataplane: Dataplane,
    access_log: Arc<AccessLog>,
    board: Arc<Board>,
    pages: Pages,
    dev_certificates: DevCertificates,
    /// The state of the files when they were last read.
    seen: Signatures,
    reloads: mpsc::Receiver<ReloadReply>,
    /// Where the admin API listens.
    pub(crate) admin: Option<std::net::SocketAddr>,
}

impl Node {
    /// Starts everything but serving: the access log, the data plane's threads, the admin API.
    /// Must be called within a multi-thread runtime.
    ///
    /// # Errors
    /// When one of them cannot be started.
    pub(crate) async fn start(settings: Settings) -> Result<Self, Sentence> {
        let (sender, receiver) = record_channel(RECORD_BATCHES_MAX);
        let labels = Arc::new(LabelRegistry::default());
        let target = settings.access_log.clone();
        let access_log = AccessLog::start(target.clone(), Arc::clone(&labels), receiver)
            .map_err(|error| cannot_log(&target, &error))?;
        let access_log = Arc::new(access_log);
        let dataplane = Dataplane::start(DataplaneConfig {
            workers: settings.workers,
            address_map: settings.map.iter().cloned().collect(),
            name_servers: settings.name_servers(),
            labels,
            records: sender,
        })
        .map_err(|error| Sentence::new(format!("the data plane cannot be started: {error}")))?;
        let board = Arc::new(Board::new(dataplane.clone(), Arc::clone(&access_log)));
        let (reload_sender, reloads) = mpsc::channel(WAITING_RELOADS_MAX);
        let mut admin_address = None;
        if let AdminAddress::At(address) = settings.admin {
            let listener = admin::bind(address).await?;
            admin_address = listener.local_addr().ok();
            tokio::spawn(admin::serve(listener, Arc::clone(&board), reload_sender));
        }
        Ok(Self {
            settings,
            pages: Pages::new(dataplane.clone()),
            dataplane,
            access_log,
            board,
            dev_certificates: DevCertificates::default(),
            seen: Signatures::default(),
            reloads,
            admin: admin_address,
        })
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Reads the files and serves what they say.
    ///
    /// # Errors
    /// When anything is wrong with them, or an address cannot be bound; nothing has changed then.
    pub(crate) async fn apply(&mut self) -> Result<Applied, Refused> {
        self.seen = Signatures::take(&watched_files(&self.settings)).await;
        let planned =
            tokio::task::block_in_place(|| plan(&self.settings, &mut self.dev_certificates));
        let plan = match planned {
            Ok(plan) => plan,
            Err(findings) => return Err(self.refuse(summary(&findings), findings)),
        };
        let Plan {
            snapshot,
            bindings,
            findings,
        } = plan;
        let applied = self
            .dataplane
            .apply(Arc::clone(&snapshot), &bindings.addresses)
            .await;
        let bound = match applied {
            Ok(bound) => bound,
            Err(error) => return Err(self.refuse(error.to_string(), findings)),
        };
        self.pages.want(&error_pages(&snapshot));
        let revision = self.board.took(&snapshot, bound.clone());
        for warning in &bindings.warnings {
            tracing::warn!("{warning}");
        }
        Ok(Applied {
            revision,
            findings,
            bound,
        })
    }

    fn refuse(&self, why: String, findings: Vec<Finding>) -> Refused {
        let revision = self.board.refused(why.clone());
        Refused {
            revision,
            why,
            findings,
        }
    }

    /// Reloads whenever asked to, and returns when it was told to stop and everything is done. A
    /// second signal to stop ends the process at once.
    ///
    /// # Errors
    /// When signals cannot be received.
    pub(crate) async fn run(mut self) -> Result<(), Sentence> {
        let mut signals = Signals::new()?;
        let files = watched_files(&self.settings);
        let mut admin_is_there = true;
        loop {
            let (reason, reply) = tokio::select! {
                signal = signals.next() => match signal {
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
                () = watch::changed(&files, &self.seen), if self.settings.watch => {
                    ("a changed file", None)
                }
            };
            self.reload(reason, reply).await;
        }
        self.drain(signals).await;
        Ok(())
    }

    async fn reload(&mut self, reason: &str, reply: Option<ReloadReply>) {
        let result = self.apply().await;
        match &result {
            Ok(applied) => {
                applied.findings.iter().for_each(Finding::log);
                let revision = applied.revision;
                tracing::info!("reloaded because of {reason}: revision {revision} is served");
            }
            Err(refused) => {
                refused.findings.iter().for_each(Finding::log);
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

    async fn drain(self, mut signals: Signals) {
        let patience = self.settings.drain_timeout;
        tracing::info!(
            "stopping: requests have up to {} s to finish",
            patience.as_secs()
        );
        self.board.drains();
        tokio::select! {
            () = self.dataplane.drain(patience) => {}
            () = signals.stop() => tracing::warn!("stopping at once"),
        }
        let access_log = self.access_log;
        tokio::task::block_in_place(|| access_log.close());
        tracing::info!("stopped");
    }
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

/// Everything that a reload would read.
fn watched_files(settings: &Settings) -> Vec<PathBuf> {
    let certificates = settings.certificates.iter();
    let certificates = certificates.flat_map(|one| [Some(&one.file), one.password_file.as_ref()]);
    settings
        .gateways
        .iter()
        .chain(certificates.flatten())
        .cloned()
        .collect()
}

/// From files to a configuration that could be served.
fn plan(settings: &Settings, minted: &mut DevCertificates) -> Result<Plan, Vec<Finding>> {
    let documents: Vec<Document> = settings
        .gateways
        .iter()
        .map(|path| Document::load(path))
        .collect();
    let certificates = supplied_certificates(settings)?;
    let mut options = Options {
        now: unix_now(),
        port_offset: settings.port_offset,
        path_case_sensitive: settings.path_case_sensitive,
        allow_unsupported: settings.ignore_unsupported,
        certificates,
        ..Options::default()
    };
    if settings.dev_certs {
        let keyless: Vec<_> = documents
            .iter()
            .flat_map(|one| gatewright_compile::keyless_certificates(&one.gateways, &options))
            .collect();
        options.development_certificates = minted
            .provide(&keyless)
            .map_err(|sentence| vec![trouble("(node)", &sentence)])?;
    }
    let unused = unused_certificates(&options.certificates, &documents);
    let (compiled, mut findings) = documents::compile(documents, &options)?;
    findings.extend(unused);
    let snapshot = compiled.snapshot;
    let bindings = bindings::assign(&snapshot, &settings.bind, settings.port_offset)
        .map_err(|sentence| vec![trouble("(bindings)", &sentence)])?;
    Ok(Plan {
        snapshot: Arc::new(snapshot),
        bindings,
        findings,
    })
}

/// Files that were given for certificates which no gateway has.
fn unused_certificates(supplied: &[SuppliedCertificate], documents: &[Document]) -> Vec<Finding> {
    let gateways = || documents.iter().flat_map(|document| &document.gateways);
    let is_known = |name: &str| {
        let (owner, entry) = name
            .split_once('/')
            .map_or((None, name), |(o, e)| (Some(o), e));
        gateways()
            .filter(|gateway| owner.is_none_or(|owner| gateway.name.eq_ignore_ascii_case(owner)))
            .any(|gateway| {
                let properties = &gateway.properties;
                properties
                    .ssl_certificates
                    .iter()
                    .any(|item| item.is_named(entry))
                    || properties
                        .trusted_root_certificates
                        .iter()
                        .any(|item| item.is_named(entry))
            })
    };
    let unknown = supplied.iter().filter(|one| !is_known(&one.name));
    unknown
        .map(|one| {
            let message = format!(
                "--certificate {}=… is not used, because no gateway has a certificate of that \
                 name; the gateways' sslCertificates name theirs",
                one.name
            );
            Finding::of_file("(node)", Level::Warning, "GW-W-certificate-unused", message)
        })
        .collect()
}

fn trouble(place: &str, sentence: &Sentence) -> Finding {
    Finding::of_file(place, Level::Error, "GW-E-node", sentence.to_string())
}

fn supplied_certificates(settings: &Settings) -> Result<Vec<SuppliedCertificate>, Vec<Finding>> {
    let mut supplied = Vec::new();
    let mut findings = Vec::new();
    for certificate in &settings.certificates {
        let read = read_secret(&certificate.file, gatewright_compile::FILE_BYTES_MAX as u64);
        let password = match &certificate.password_file {
            Some(path) => read_password(path),
            None => Ok(settings.certificate_password.clone()),
        };
        match (read, password) {
            (Ok(bytes), Ok(password)) => supplied.push(SuppliedCertificate {
                name: certificate.name.clone(),
                bytes,
                password,
            }),
            (read, password) => {
                let errors = [read.err(), password.err()];
                findings.extend(errors.into_iter().flatten().map(|finding| *finding));
            }
        }
    }
    if findings.is_empty() {
        Ok(supplied)
    } else {
        Err(findings)
    }
}

/// The contents of a file that nobody else should see, wiped when dropped.
fn read_secret(path: &Path, bytes_max: u64) -> Result<Zeroizing<Vec<u8>>, Box<Finding>> {
    let file = path.display().to_string();
    let refuse =
        |message: String| Box::new(Finding::of_file(&file, Level::Error, "GW-E-file", message));
    let cannot = |error| refuse(format!("the file cannot be read: {error}"));
    let bytes = fs::metadata(path).map_err(cannot)?.len();
    if bytes > bytes_max {
        return Err(refuse(format!(
            "the file has {bytes} bytes; at most {bytes_max} are read"
        )));
    }
    fs::read(path).map(Zeroizing::new).map_err(cannot)
}

/// The first line of a password file.
fn read_password(path: &Path) -> Result<Zeroizing<String>, Box<Finding>> {
    let bytes = read_secret(path, PASSWORD_BYTES_MAX)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| {
        let message = "the password is not UTF-8; store it as text".to_owned();
        Finding::of_file(
            &path.display().to_string(),
            Level::Error,
            "GW-E-file",
            message,
        )
    })?;
    Ok(Zeroizing::new(
        text.lines().next().unwrap_or_default().to_owned(),
    ))
}

fn error_pages(snapshot: &Snapshot) -> BTreeSet<String> {
    let pages = snapshot
        .listeners
        .iter()
        .flat_map(|listener| &listener.error_pages);
    pages.map(|page| page.url.clone()).collect()
}

pub(crate) fn unix_now() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// The findings in one clause: the first error, and how many follow.
fn summary(findings: &[Finding]) -> String {
    let mut errors = findings.iter().filter(|finding| finding.is_error());
    let Some(first) = errors.next() else {
        return "nothing is known to be wrong".to_owned();
    };
    let place = format!("{}:{}", first.file, first.pointer);
    let more = match errors.count() {
        0 => String::new(),
        more => format!(" (and {more} more)"),
    };
    let message = first.message.trim_end_matches('.');
    format!("{}: {message}{more}", place.trim_end_matches(':'))
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
