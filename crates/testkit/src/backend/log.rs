//! What the connections of a backend share: its manners, and what it has seen.

use super::MAX_KEPT_BODY;
use super::manners::{KeepAlive, Manners};
use super::request::{SeenRequest, Violation};
use super::tls::{Handshake, Terminator};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// The most connections, the most violations, and the most handshakes, that are kept.
const MAX_NOTES: usize = 10_000;

/// A connection that was accepted, whatever came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Its number; the first of a backend is 1.
    pub connection: u64,
    /// The other end.
    pub peer: SocketAddr,
    /// When it was accepted.
    pub at: Instant,
    /// The line of the PROXY protocol with which it began, without its CR LF; none if it had none
    /// or the backend does not require one.
    pub proxy_line: Option<String>,
}

pub(crate) struct Shared {
    pub(crate) name: String,
    pub(crate) keep_alive: KeepAlive,
    pub(crate) idle_timeout: Option<Duration>,
    /// Whether a connection must begin with a line of the PROXY protocol.
    pub(crate) requires_proxy_line: bool,
    pub(crate) accepted: AtomicU64,
    pub(crate) open: AtomicU64,
    /// How many requests are kept; later ones are counted only.
    max_requests: usize,
    routes: Mutex<Routes>,
    terminator: Mutex<Option<Arc<Terminator>>>,
    log: Mutex<Log>,
}

struct Route {
    manners: Arc<Manners>,
    requests: usize,
}

struct Routes {
    general: Route,
    by_prefix: Vec<(String, Route)>,
}

#[derive(Default)]
pub(crate) struct Log {
    pub(crate) requests: Vec<SeenRequest>,
    /// How many requests were kept and forgotten again: the place of the first one kept.
    forgotten: usize,
    pub(crate) total: u64,
    pub(crate) arrivals: Vec<Arrival>,
    pub(crate) violations: Vec<Violation>,
    pub(crate) handshakes: Vec<Handshake>,
}

impl Log {
    /// Empties it. Requests on their way are not written to any more.
    pub(crate) fn forget(&mut self) {
        *self = Self {
            forgotten: self.forgotten + self.requests.len(),
            ..Self::default()
        };
    }

    fn kept(&mut self, record: Option<usize>) -> Option<&mut SeenRequest> {
        let place = record?.checked_sub(self.forgotten)?;
        self.requests.get_mut(place)
    }
}

/// Counts a connection as open for as long as it lives.
pub(crate) struct OpenConnection<'a>(&'a Shared);

impl Drop for OpenConnection<'_> {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Route {
    fn new(manners: Manners) -> Self {
        Self {
            manners: Arc::new(manners),
            requests: 0,
        }
    }
}

impl Shared {
    pub(crate) fn new(
        name: String,
        general: Manners,
        by_prefix: Vec<(String, Manners)>,
        max_requests: usize,
    ) -> Self {
        let by_prefix = by_prefix
            .into_iter()
            .map(|(prefix, manners)| (prefix, Route::new(manners)))
            .collect();
        Self {
            name,
            keep_alive: KeepAlive::Forever,
            idle_timeout: None,
            requires_proxy_line: false,
            accepted: AtomicU64::new(0),
            open: AtomicU64::new(0),
            max_requests,
            routes: Mutex::new(Routes {
                general: Route::new(general),
                by_prefix,
            }),
            terminator: Mutex::new(None),
            log: Mutex::new(Log::default()),
        }
    }

    pub(crate) fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().expect("no holder of the lock panics")
    }

    pub(crate) fn count_open(&self) -> OpenConnection<'_> {
        self.open.fetch_add(1, Ordering::Relaxed);
        OpenConnection(self)
    }

    /// The manners for a target, and how many requests its route has had before.
    pub(crate) fn manners_for(&self, target: &str) -> (Arc<Manners>, usize) {
        let mut routes = self.routes();
        let Routes { general, by_prefix } = &mut *routes;
        let route = by_prefix
            .iter_mut()
            .filter(|(prefix, _)| target.starts_with(prefix.as_str()))
            .max_by_key(|(prefix, _)| prefix.len())
            .map_or(general, |(_, route)| route);
        route.requests += 1;
        (Arc::clone(&route.manners), route.requests - 1)
    }

    /// What is in front of connections that are accepted from now on.
    pub(crate) fn terminator(&self) -> Option<Arc<Terminator>> {
        self.terminator_slot().clone()
    }

    pub(crate) fn set_terminator(&self, terminator: Option<Terminator>) {
        *self.terminator_slot() = terminator.map(Arc::new);
    }

    pub(crate) fn general_manners(&self) -> Arc<Manners> {
        Arc::clone(&self.routes().general.manners)
    }

    pub(crate) fn set_general_manners(&self, manners: Manners) {
        self.routes().general = Route::new(manners);
    }

    pub(crate) fn set_path_manners(&self, prefix: &str, manners: Manners) {
        let mut routes = self.routes();
        routes.by_prefix.retain(|(known, _)| known != prefix);
        routes
            .by_prefix
            .push((prefix.to_owned(), Route::new(manners)));
    }

    /// Writes a request down; its place, unless there are too many already.
    pub(crate) fn begin(&self, request: SeenRequest) -> Option<usize> {
        let mut log = self.log();
        log.total += 1;
        if log.requests.len() >= self.max_requests {
            return None;
        }
        log.requests.push(request);
        Some(log.forgotten + log.requests.len() - 1)
    }

    /// Adds to the body of the request at `record`.
    pub(crate) fn grow(&self, record: Option<usize>, bytes: &[u8]) {
        let mut log = self.log();
        if let Some(request) = log.kept(record) {
            request.body_length += bytes.len() as u64;
            let room = MAX_KEPT_BODY - request.body.len();
            request.body.extend(&bytes[..bytes.len().min(room)]);
        }
    }

    pub(crate) fn complete(&self, record: Option<usize>, trailers: Vec<(String, String)>) {
        let mut log = self.log();
        if let Some(request) = log.kept(record) {
            request.trailers = trailers;
            request.complete = true;
        }
    }

    pub(crate) fn report(&self, violation: Violation) {
        let mut log = self.log();
        if log.violations.len() < MAX_NOTES {
            log.violations.push(violation);
        }
    }

    pub(crate) fn note_handshake(&self, handshake: Handshake) {
        let mut log = self.log();
        if log.handshakes.len() < MAX_NOTES {
            log.handshakes.push(handshake);
        }
    }

    pub(crate) fn note_arrival(&self, connection: u64, peer: SocketAddr) {
        let mut log = self.log();
        if log.arrivals.len() < MAX_NOTES {
            log.arrivals.push(Arrival {
                connection,
                peer,
                at: Instant::now(),
                proxy_line: None,
            });
        }
    }

    pub(crate) fn note_proxy_line(&self, connection: u64, line: String) {
        let mut log = self.log();
        let arrival = log
            .arrivals
            .iter_mut()
            .rev()
            .find(|arrival| arrival.connection == connection);
        if let Some(arrival) = arrival {
            arrival.proxy_line = Some(line);
        }
    }

    fn terminator_slot(&self) -> MutexGuard<'_, Option<Arc<Terminator>>> {
        self.terminator
            .lock()
            .expect("no holder of the lock panics")
    }

    fn routes(&self) -> MutexGuard<'_, Routes> {
        self.routes.lock().expect("no holder of the lock panics")
    }
}
