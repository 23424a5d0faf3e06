//! The addresses of backend names: asked for again when their time is over, and the last good
//! answer kept for as long as there is none.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolverConfig,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use crate::live::Addresses;
use crate::plane::NameServers;

/// Answers are asked for again after their time to live, within these bounds.
const TTL_MIN: Duration = Duration::from_secs(1);
const TTL_MAX: Duration = Duration::from_secs(300);
/// A name without an answer is asked for again after this.
const RETRY: Duration = Duration::from_secs(5);
/// Longest time for one look-up, all its retries included.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(5);
/// Look-ups that are under way at once.
const LOOKUPS_MAX: usize = 64;

/// The thread that looks names up. It ends with its last handle.
#[derive(Clone, Debug)]
pub(crate) struct Dns {
    commands: mpsc::UnboundedSender<Watch>,
    addresses: Arc<Mutex<Addresses>>,
    nameless: Arc<Mutex<HashSet<String>>>,
}

/// From now on these names matter, and no others.
struct Watch {
    names: BTreeSet<String>,
    /// Told when every name has been asked for once.
    done: oneshot::Sender<()>,
}

impl Dns {
    /// `changed` is called, on the thread of the look-ups, whenever an answer differs from the one
    /// before.
    ///
    /// # Errors
    /// When the thread or its event loop cannot be made, or the system's configuration not read.
    pub(crate) fn start(
        servers: &NameServers,
        changed: mpsc::UnboundedSender<()>,
    ) -> io::Result<Self> {
        let (commands, receiver) = mpsc::unbounded_channel();
        let (addresses, nameless) = (Arc::default(), Arc::default());
        let dns = Self {
            commands,
            addresses: Arc::clone(&addresses),
            nameless: Arc::clone(&nameless),
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let resolver = {
            let _context = runtime.enter();
            resolver(servers)?
        };
        let lookups = Lookups {
            resolver,
            addresses,
            nameless,
            changed,
            due: HashMap::new(),
            running: JoinSet::new(),
            waiting: Vec::new(),
        };
        thread::Builder::new()
            .name("dns".to_owned())
            .spawn(move || runtime.block_on(lookups.run(receiver)))?;
        Ok(dns)
    }

    /// Watches exactly these names, and waits until each has been asked for once.
    pub(crate) async fn watch(&self, names: BTreeSet<String>) {
        let (done, is_done) = oneshot::channel();
        if self.commands.send(Watch { names, done }).is_ok() {
            let _ = is_done.await;
        }
    }

    /// The last good answers.
    pub(crate) fn addresses(&self) -> Addresses {
        lock(&self.addresses).clone()
    }

    /// The names of which the name servers said, the last time they said something, that they do
    /// not exist or have no address.
    pub(crate) fn nameless(&self) -> HashSet<String> {
        lock(&self.nameless).clone()
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn resolver(servers: &NameServers) -> io::Result<TokioResolver> {
    let mut builder = match servers {
        NameServers::System => TokioResolver::builder_tokio().map_err(io::Error::other)?,
        NameServers::These(servers) => {
            let servers = servers.iter().map(|server| name_server(*server)).collect();
            let config = ResolverConfig::from_parts(None, Vec::new(), servers);
            TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
        }
    };
    let options = builder.options_mut();
    // Times to live are kept here; a second cache would only hide a change.
    options.cache_size = 0;
    // The service has no IPv6 backends.
    options.ip_strategy = LookupIpStrategy::Ipv4Only;
    options.timeout = LOOKUP_TIMEOUT / 3;
    options.attempts = 2;
    builder.build().map_err(io::Error::other)
}

fn name_server(server: SocketAddr) -> NameServerConfig {
    let on_port = |mut connection: ConnectionConfig| {
        connection.port = server.port();
        connection
    };
    let connections = vec![
        on_port(ConnectionConfig::udp()),
        on_port(ConnectionConfig::tcp()),
    ];
    NameServerConfig::new(server.ip(), true, connections)
}

struct Lookups {
    resolver: TokioResolver,
    addresses: Arc<Mutex<Addresses>>,
    nameless: Arc<Mutex<HashSet<String>>>,
    changed: mpsc::UnboundedSender<()>,
    /// When each watched name is to be asked for; `None` while it is under way.
    due: HashMap<String, Option<Instant>>,
    running: JoinSet<Answer>,
    /// Who waits for which names' first look-up.
    waiting: Vec<(BTreeSet<String>, oneshot::Sender<()>)>,
}

/// Why a name has no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameFailure {
    /// The name servers say that it does not exist, or has no IPv4 address.
    NoSuchName,
    /// No name server answers for it.
    NoAnswer,
}

/// The IPv4 addresses of `name`, asked for as a gateway asks, in ascending order. Takes at most
/// five seconds. Must be called within a tokio runtime.
///
/// # Errors
/// Of the outer kind when the system's resolver configuration cannot be read.
pub async fn resolve(
    servers: &NameServers,
    name: &str,
) -> io::Result<Result<Vec<IpAddr>, NameFailure>> {
    let answer = look_up(resolver(servers)?, name.to_owned()).await;
    Ok(match (answer.addresses.is_empty(), answer.is_nameless) {
        (false, _) => Ok(answer.addresses),
        (true, true) => Err(NameFailure::NoSuchName),
        (true, false) => Err(NameFailure::NoAnswer),
    })
}

/// What a look-up came to.
struct Answer {
    name: String,
    /// In ascending order; empty when there was no answer.
    addresses: Vec<IpAddr>,
    time_to_live: Duration,
    /// Whether a name server said that there is none.
    is_nameless: bool,
}

impl Lookups {
    async fn run(mut self, mut commands: mpsc::UnboundedReceiver<Watch>) {
        loop {
            self.begin_due();
            let next = self.due.values().flatten().min().copied();
            let pause = next.map_or(TTL_MAX, |at| at.saturating_duration_since(Instant::now()));
            tokio::select! {
                command = commands.recv() => match command {
                    Some(watch) => self.watch(watch),
                    None => return,
                },
                Some(Ok(answer)) = self.running.join_next() => self.take(answer),
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    fn watch(&mut self, watch: Watch) {
        self.due.retain(|name, _| watch.names.contains(name));
        let mut fresh = BTreeSet::new();
        for name in &watch.names {
            if !self.due.contains_key(name) {
                self.due.insert(name.clone(), Some(Instant::now()));
                fresh.insert(name.clone());
            }
        }
        lock(&self.addresses).retain(|name, _| watch.names.contains(name));
        lock(&self.nameless).retain(|name| watch.names.contains(name));
        self.waiting.push((fresh, watch.done));
        self.tell_waiting();
    }

    fn begin_due(&mut self) {
        let now = Instant::now();
        for (name, due) in &mut self.due {
            if self.running.len() >= LOOKUPS_MAX {
                break;
            }
            if due.is_some_and(|at| at <= now) {
                *due = None;
                self.running
                    .spawn(look_up(self.resolver.clone(), name.clone()));
            }
        }
    }

    fn take(&mut self, answer: Answer) {
        let Answer {
            name,
            addresses,
            time_to_live,
            is_nameless,
        } = answer;
        for (names, _) in &mut self.waiting {
            names.remove(&name);
        }
        if let Some(due) = self.due.get_mut(&name) {
            *due = Some(Instant::now() + time_to_live);
            let mut nameless = lock(&self.nameless);
            if is_nameless {
                nameless.insert(name.clone());
            } else if !addresses.is_empty() {
                nameless.remove(&name);
            }
            drop(nameless);
            let mut known = lock(&self.addresses);
            // No answer is no reason to forget the last good one.
            if !addresses.is_empty() && known.get(&name) != Some(&addresses) {
                known.insert(name, addresses);
                let _ = self.changed.send(());
            }
        }
        self.tell_waiting();
    }

    fn tell_waiting(&mut self) {
        let (done, waiting): (Vec<_>, Vec<_>) = std::mem::take(&mut self.waiting)
            .into_iter()
            .partition(|(names, _)| names.is_empty());
        self.waiting = waiting;
        for (_, teller) in done {
            let _ = teller.send(());
        }
    }
}

async fn look_up(resolver: TokioResolver, name: String) -> Answer {
    let looked_up = tokio::time::timeout(LOOKUP_TIMEOUT, resolver.lookup_ip(name.as_str())).await;
    match looked_up {
        Ok(Ok(found)) => {
            let mut addresses: Vec<IpAddr> = found.iter().collect();
            addresses.sort_unstable();
            addresses.dedup();
            let time_to_live = found
                .valid_until()
                .saturating_duration_since(Instant::now());
            Answer {
                name,
                addresses,
                time_to_live: time_to_live.clamp(TTL_MIN, TTL_MAX),
                is_nameless: false,
            }
        }
        Ok(Err(error)) => {
            tracing::warn!(name, %error, "a backend's name cannot be resolved");
            let is_nameless = error.is_no_records_found();
            unanswered(name, is_nameless)
        }
        Err(_) => {
            tracing::warn!(name, "a backend's name cannot be resolved in time");
            unanswered(name, false)
        }
    }
}

fn unanswered(name: String, is_nameless: bool) -> Answer {
    Answer {
        name,
        addresses: Vec::new(),
        time_to_live: RETRY,
        is_nameless,
    }
}
