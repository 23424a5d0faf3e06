//! A worker: one thread, one event loop, sockets and connections of its own.

use std::cell::Cell;
use std::collections::HashMap;
use std::future::poll_fn;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use gatewright_snapshot::{EndpointKey, Scheme};
use gatewright_telemetry::RecordSender;
use tokio::sync::{mpsc, oneshot};

use crate::core::{Core, Counted, Shared};
use crate::exchange::{ClientOrigin, serve, serve_plain_on_tls};
use crate::io::{Acceptor, NO_GROUP, Socket, Stream, TICK, Task, now, run, spawn};
use crate::live::Live;
use crate::tls::{self, TlsAccept};

/// How long a client may take for its TLS handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(30);
/// At most one failed handshake is told of in this time, per worker.
const HANDSHAKE_REPORT_PAUSE: Duration = Duration::from_secs(10);
/// How long accepting pauses when this machine has no descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A listening socket that a worker is to serve.
pub(crate) struct Opening {
    pub(crate) endpoint: Arc<EndpointKey>,
    pub(crate) scheme: Scheme,
    pub(crate) address: SocketAddr,
    pub(crate) listener: TcpListener,
}

/// What a worker is told to do.
pub(crate) enum Command {
    /// Serve `live`, with these sockets more and those less.
    Swap {
        live: Arc<Live>,
        open: Vec<Opening>,
        close: Vec<(EndpointKey, Scheme, SocketAddr)>,
        done: oneshot::Sender<()>,
    },
    /// Accept nothing more, and finish; answers when no connection is left.
    Drain {
        patience: Duration,
        done: oneshot::Sender<()>,
    },
}

/// The way to a worker.
#[derive(Clone, Debug)]
pub(crate) struct WorkerHandle(mpsc::UnboundedSender<Command>);

impl WorkerHandle {
    /// Starts the worker's thread.
    ///
    /// # Errors
    /// When the thread or its event loop cannot be made.
    pub(crate) fn start(
        number: usize,
        shared: Arc<Shared>,
        records: RecordSender,
    ) -> io::Result<Self> {
        let (commands, receiver) = mpsc::unbounded_channel();
        let (ready, is_ready) = std::sync::mpsc::channel();
        thread::Builder::new()
            .name(format!("worker-{number}"))
            .spawn(move || {
                let core = Core::new(shared, records);
                let ticking = Rc::downgrade(&core);
                let on_tick = move || {
                    if let Some(core) = ticking.upgrade() {
                        core.tick();
                    }
                };
                let main = async move {
                    let _ = ready.send(());
                    Worker::new(core).run(receiver).await;
                };
                if let Err(error) = run(main, TICK, on_tick) {
                    tracing::error!(%error, "a worker's event loop has ended");
                }
            })?;
        // A worker that could not begin has dropped its end, and logged why.
        is_ready.recv().map_err(io::Error::other)?;
        Ok(Self(commands))
    }

    /// Sends a command; a worker that is gone is like one that has nothing to do.
    pub(crate) fn send(&self, command: Command) {
        let _ = self.0.send(command);
    }
}

struct Worker {
    core: Rc<Core>,
    acceptors: HashMap<(EndpointKey, Scheme, SocketAddr), Task>,
}

impl Worker {
    fn new(core: Rc<Core>) -> Self {
        Self {
            core,
            acceptors: HashMap::new(),
        }
    }

    async fn run(mut self, mut commands: mpsc::UnboundedReceiver<Command>) {
        while let Some(command) = commands.recv().await {
            match command {
                Command::Swap {
                    live,
                    open,
                    close,
                    done,
                } => {
                    self.swap(live, open, &close);
                    let _ = done.send(());
                }
                Command::Drain { patience, done } => {
                    self.stop_accepting();
                    self.core.drain(patience);
                    self.wait_for_clients().await;
                    let _ = done.send(());
                    return;
                }
            }
        }
    }

    /// Until no connection is left: each has been given an end.
    async fn wait_for_clients(&self) {
        let timer = self.core.timers.timer();
        timer.exempt();
        // The core is held by this worker and by each connection.
        while Rc::strong_count(&self.core) > 1 {
            timer.start(TICK);
            poll_fn(|context| timer.poll(context)).await;
        }
    }

    fn swap(
        &mut self,
        live: Arc<Live>,
        open: Vec<Opening>,
        close: &[(EndpointKey, Scheme, SocketAddr)],
    ) {
        self.core.swap(live);
        for opening in open {
            let key = (
                EndpointKey::clone(&opening.endpoint),
                opening.scheme,
                opening.address,
            );
            let core = Rc::clone(&self.core);
            match Acceptor::new(opening.listener) {
                Ok(acceptor) => {
                    let task = accept(core, acceptor, opening.endpoint, opening.scheme);
                    self.acceptors.insert(key, spawn(task));
                }
                // The reactor takes any socket while there are descriptors; the other workers, or
                // the log, tell of it.
                Err(error) => tracing::error!(%error, "a listening socket cannot be used"),
            }
        }
        for key in close {
            if let Some(acceptor) = self.acceptors.remove(key) {
                acceptor.abort();
            }
        }
    }

    fn stop_accepting(&mut self) {
        self.acceptors
            .drain()
            .for_each(|(_, acceptor)| acceptor.abort());
    }
}

async fn accept(core: Rc<Core>, acceptor: Acceptor, endpoint: Arc<EndpointKey>, scheme: Scheme) {
    let pause = core.timers.timer();
    loop {
        while core.shared.connections.load(Ordering::Relaxed) >= core.shared.connections_max {
            // The rest waits in the system's queue, and backends can still be reached.
            pause.start(ACCEPT_PAUSE);
            poll_fn(|context| pause.poll(context)).await;
        }
        match acceptor.accept().await {
            Ok((socket, peer)) => {
                let origin = ClientOrigin {
                    endpoint: Arc::clone(&endpoint),
                    scheme,
                    peer: canonical(peer),
                    tls: None,
                    ja4: None,
                };
                let (core, counted) = (Rc::clone(&core), Counted::new(&core.shared));
                // Two futures, not one for both: a plain connection is much the smaller.
                match scheme {
                    Scheme::Http => spawn(async move {
                        let timer = core.timers.timer();
                        serve(core, Stream::Plain(socket), timer, origin).await;
                        drop(counted);
                    }),
                    Scheme::Https => spawn(async move {
                        serve_tls(core, socket, origin).await;
                        drop(counted);
                    }),
                };
            }
            // The client was gone again; only a lack of descriptors or memory lasts.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                tracing::warn!(%error, "a connection cannot be accepted");
                pause.start(ACCEPT_PAUSE);
                poll_fn(|context| pause.poll(context)).await;
            }
        }
    }
}

async fn serve_tls(core: Rc<Core>, socket: Socket, mut origin: ClientOrigin) {
    let timer = core.timers.timer();
    timer.join(NO_GROUP);
    timer.start(HANDSHAKE_TIMEOUT);
    let live = core.live();
    let choose = |name: Option<&str>| {
        let endpoint = live.snapshot.endpoint(live.endpoint(&origin.endpoint)?);
        let named = name.and_then(|name| endpoint.hosts.find(name.as_bytes()));
        let listener = named
            .or_else(|| endpoint.hosts.find(b""))
            .or(endpoint.sni_fallback)?;
        Some(live.tls(listener)?.chosen())
    };
    let accepted = tls::accept(socket, &timer, choose).await;
    drop(live);
    match accepted {
        TlsAccept::Session { stream, ja4 } => {
            origin.tls = stream.session();
            origin.ja4 = ja4;
            serve(core, Stream::Tls(stream), timer, origin).await;
        }
        TlsAccept::PlainHttp(socket) => {
            serve_plain_on_tls(core, Stream::Plain(socket), timer, origin).await;
        }
        TlsAccept::Failed(error) => {
            core.shared.handshakes.count(error.failure());
            tell_of_handshake(&origin, &error);
        }
    }
}

/// Tells of a failed handshake: there is no request that a record could tell of. Not of each one,
/// since anybody can cause any number; all are counted.
fn tell_of_handshake(origin: &ClientOrigin, error: &tls::HandshakeError) {
    thread_local! {
        static LAST_TOLD: Cell<Option<Instant>> = const { Cell::new(None) };
        static UNTOLD: Cell<u64> = const { Cell::new(0) };
    }
    let now = now();
    let is_early = |last: Instant| now.saturating_duration_since(last) < HANDSHAKE_REPORT_PAUSE;
    if LAST_TOLD.get().is_some_and(is_early) {
        UNTOLD.set(UNTOLD.get() + 1);
        return;
    }
    LAST_TOLD.set(Some(now));
    let others = UNTOLD.replace(0);
    let (peer, EndpointKey { frontend, port, .. }) = (origin.peer, &*origin.endpoint);
    tracing::info!(
        "TLS handshake with {peer} on frontend {frontend:?}, port {port}, failed: {error} \
         ({others} more since the last such line)"
    );
}

/// An IPv4 client on an IPv6 socket is told as what it is.
fn canonical(peer: SocketAddr) -> SocketAddr {
    SocketAddr::new(peer.ip().to_canonical(), peer.port())
}
