//! Backends: servers on 127.0.0.1 that answer as they are told to, well or badly, and remember
//! every request byte by byte.
//!
//! ```
//! use gatewright_testkit::backend::{Backend, Manners};
//! use gatewright_testkit::client::get;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let backend = Backend::start(Manners::text("well")).await.expect("a port is free");
//! let answer = get(backend.address(), "app.test", "/a?b").await.expect("an answer");
//! assert_eq!((answer.status, answer.text().as_str()), (200, "well"));
//! assert_eq!(backend.requests()[0].target, "/a?b");
//!
//! backend.set_manners(Manners::Refused).await.expect("the port is still ours");
//! assert!(get(backend.address(), "app.test", "/").await.is_err());
//! # }
//! ```

mod answer;
mod conversation;
mod door;
mod log;
mod manners;
mod proxy;
mod request;
mod rude;
mod tls;
mod wire;

use door::Door;
use log::Shared;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tls::Terminator;
use tokio::sync::Mutex;

pub use log::Arrival;
pub use manners::{FLOOD_LIMIT, Flood, KeepAlive, Manners, body_with, pattern};
pub use request::{RequestFraming, SeenRequest, Violation};
pub use tls::{
    ALERT_HANDSHAKE_FAILURE, ALERT_INTERNAL_ERROR, ALERT_PROTOCOL_VERSION, ALERT_UNRECOGNIZED_NAME,
    Handshake, OldTls, TlsAccident, TlsManners,
};

/// How many bytes of a request's body are kept: 1 MiB.
pub const MAX_KEPT_BODY: usize = 1024 * 1024;
/// How many requests are kept unless [`Builder::remembering`] says otherwise.
pub const DEFAULT_KEPT_REQUESTS: usize = 10_000;
/// How often a `wait_…` looks again.
const GLANCE: Duration = Duration::from_millis(2);

/// A running backend. Dropped, it stops, at the latest when its runtime next runs its tasks.
pub struct Backend {
    address: SocketAddr,
    /// Whether the port was chosen by the system, and is held without a gap.
    has_shared_port: bool,
    shared: Arc<Shared>,
    door: Mutex<Door>,
}

/// A backend to be.
pub struct Builder {
    manners: Manners,
    by_prefix: Vec<(String, Manners)>,
    name: String,
    port: u16,
    tls: Option<TlsManners>,
    requires_proxy_line: bool,
    keep_alive: KeepAlive,
    idle_timeout: Option<Duration>,
    max_requests: usize,
}

impl Builder {
    /// Its name, which [`Manners::Named`] and [`Manners::Echo`] tell; `backend` otherwise.
    pub fn named(mut self, name: &str) -> Self {
        self.name = name.to_owned();
        self
    }

    /// Listens on this port of 127.0.0.1 in place of a free one.
    pub fn on_port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Other manners for targets that start with `prefix`; the longest prefix decides.
    pub fn on_path(mut self, prefix: &str, manners: Manners) -> Self {
        self.by_prefix.push((prefix.to_owned(), manners));
        self
    }

    /// Puts TLS in front of everything.
    pub fn tls(mut self, tls: TlsManners) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Closes connections that do not begin with a line of the PROXY protocol, version 1, such as
    /// `PROXY UNKNOWN`; before TLS, if there is TLS. The line is kept in its [`Arrival`].
    pub fn requiring_proxy_line(mut self) -> Self {
        self.requires_proxy_line = true;
        self
    }

    /// When it closes connections that could be kept.
    pub fn keep_alive(mut self, keep_alive: KeepAlive) -> Self {
        self.keep_alive = keep_alive;
        self
    }

    /// Closes connections on which no request begins for this long; never otherwise.
    pub fn idle_timeout(mut self, limit: Duration) -> Self {
        self.idle_timeout = Some(limit);
        self
    }

    /// Keeps the first `most` requests, and counts the rest. Zero for benches.
    pub fn remembering(mut self, most: usize) -> Self {
        self.max_requests = most;
        self
    }

    /// Starts it on the current tokio runtime; it answers as soon as this returns.
    ///
    /// # Errors
    ///
    /// When the port cannot be had.
    ///
    /// # Panics
    ///
    /// When the manners contradict themselves (see [`Manners`]), or a TLS key cannot sign.
    pub async fn start(self) -> io::Result<Backend> {
        self.manners.check(true);
        self.by_prefix
            .iter()
            .for_each(|(_, manners)| manners.check(false));
        let has_shared_port = self.port == 0;
        let socket = door::bind(self.port, has_shared_port)?;
        let address = socket
            .local_addr()?
            .as_socket()
            .ok_or_else(|| io::Error::other("an IPv4 socket has no IPv4 address"))?;
        let manners = self.manners.clone();
        let mut shared = Shared::new(self.name, self.manners, self.by_prefix, self.max_requests);
        shared.keep_alive = self.keep_alive;
        shared.idle_timeout = self.idle_timeout;
        shared.requires_proxy_line = self.requires_proxy_line;
        shared.set_terminator(self.tls.map(Terminator::new));
        let shared = Arc::new(shared);
        let door = Mutex::new(Door::for_manners(&manners, socket, &shared)?);
        Ok(Backend {
            address,
            has_shared_port,
            shared,
            door,
        })
    }
}

impl Backend {
    /// A backend with these manners and nothing special: `Backend::with(manners).start()`.
    ///
    /// # Errors
    ///
    /// As [`Builder::start`].
    pub async fn start(manners: Manners) -> io::Result<Self> {
        Self::with(manners).start().await
    }

    /// Begins a backend with these manners.
    pub fn with(manners: Manners) -> Builder {
        Builder {
            manners,
            by_prefix: Vec::new(),
            name: "backend".to_owned(),
            port: 0,
            tls: None,
            requires_proxy_line: false,
            keep_alive: KeepAlive::Forever,
            idle_timeout: None,
            max_requests: DEFAULT_KEPT_REQUESTS,
        }
    }

    /// Where it listens (or does not, as its manners are).
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// The requests so far, in the order in which their heads were complete.
    pub fn requests(&self) -> Vec<SeenRequest> {
        self.shared.log().requests.clone()
    }

    /// How many requests came, kept or not.
    pub fn request_count(&self) -> u64 {
        self.shared.log().total
    }

    /// What its clients did wrong; empty, if the gateway is sound.
    pub fn violations(&self) -> Vec<Violation> {
        self.shared.log().violations.clone()
    }

    /// The TLS handshakes so far, in the order in which they ended.
    pub fn handshakes(&self) -> Vec<Handshake> {
        self.shared.log().handshakes.clone()
    }

    /// The connections so far, the first 10,000, in the order in which they were accepted.
    pub fn arrivals(&self) -> Vec<Arrival> {
        self.shared.log().arrivals.clone()
    }

    /// How many connections were accepted so far.
    pub fn connections(&self) -> u64 {
        self.shared.accepted.load(Ordering::Relaxed)
    }

    /// How many connections are open now, those that wait for the other side's close included.
    pub fn open_connections(&self) -> u64 {
        self.shared.open.load(Ordering::Relaxed)
    }

    /// Forgets requests, those on their way included, arrivals, violations and handshakes, and
    /// counts requests from 0 again; connections go on being counted.
    pub fn forget(&self) {
        self.shared.log().forget();
    }

    /// Waits until `count` requests have come to their ends; `true` if they did in time.
    pub async fn wait_for_requests(&self, count: usize, patience: Duration) -> bool {
        let done = || {
            let log = self.shared.log();
            log.requests
                .iter()
                .filter(|request| request.complete)
                .count()
                >= count
        };
        wait_until(done, patience).await
    }

    /// Waits until `count` TLS handshakes have ended, well or not; `true` if they did in time. A
    /// client can be through with its part before the backend is with its own.
    pub async fn wait_for_handshakes(&self, count: usize, patience: Duration) -> bool {
        wait_until(|| self.shared.log().handshakes.len() >= count, patience).await
    }

    /// Waits until `count` connections have been accepted, or more; `true` if they were in time.
    pub async fn wait_for_connections(&self, count: u64, patience: Duration) -> bool {
        wait_until(|| self.connections() >= count, patience).await
    }

    /// Waits until exactly `count` connections are open; `true` if that came in time.
    pub async fn wait_for_open_connections(&self, count: u64, patience: Duration) -> bool {
        wait_until(|| self.open_connections() == count, patience).await
    }

    /// Changes its manners. Open connections stay if it listened before and goes on to listen,
    /// and get the new manners with their next request; otherwise they are cut. A
    /// [`Manners::Sequence`] begins anew.
    ///
    /// # Errors
    ///
    /// When the port is lost. A port of the system's choosing is never let go; one of the
    /// caller's is free for an instant when the backend begins or ceases to listen.
    ///
    /// # Panics
    ///
    /// When the manners contradict themselves (see [`Manners`]).
    pub async fn set_manners(&self, manners: Manners) -> io::Result<()> {
        manners.check(true);
        let mut door = self.door.lock().await;
        self.shared.set_general_manners(manners.clone());
        let will_listen = !matches!(manners, Manners::Refused | Manners::SynBlackHole);
        if door.is_open() && will_listen {
            return Ok(());
        }
        let early = self
            .has_shared_port
            .then(|| door::bind(self.address.port(), true));
        std::mem::replace(&mut *door, Door::Gone).close().await;
        let socket = match early {
            Some(socket) => socket?,
            None => door::bind(self.address.port(), false)?,
        };
        *door = Door::for_manners(&manners, socket, &self.shared)?;
        Ok(())
    }

    /// Changes, or adds, the manners of the targets that start with `prefix`.
    ///
    /// # Panics
    ///
    /// When the manners contradict themselves, or act before there is a request.
    pub fn set_path_manners(&self, prefix: &str, manners: Manners) {
        manners.check(false);
        self.shared.set_path_manners(prefix, manners);
    }

    /// Changes what is in front of connections that are accepted from now on; none is plain. Open
    /// connections stay as they are.
    ///
    /// # Panics
    ///
    /// When a TLS key cannot sign.
    pub fn set_tls(&self, tls: Option<TlsManners>) {
        self.shared.set_terminator(tls.map(Terminator::new));
    }

    /// Stops: connections are cut, the port is free, and what was seen can still be asked for.
    pub async fn stop(&self) {
        let mut door = self.door.lock().await;
        std::mem::replace(&mut *door, Door::Gone).close().await;
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.door.get_mut().abort();
    }
}

async fn wait_until(is_so: impl Fn() -> bool, patience: Duration) -> bool {
    let deadline = Instant::now() + patience;
    while !is_so() {
        if Instant::now() >= deadline {
            return false;
        }
        tokio::time::sleep(GLANCE).await;
    }
    true
}
