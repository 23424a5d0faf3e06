//! The addresses of backend names: asked for again when their time is over, and the last good
//! answer kept for as long as there is none.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use gatewright_snapshot::{GatewayIndex, Snapshot};
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolverConfig,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use crate::address_map::AddressMap;

/// Answers are asked for again after their time to live, within these bounds.
const TTL_MIN: Duration = Duration::from_secs(1);
const TTL_MAX: Duration = Duration::from_secs(300);
/// A name without an answer is asked for again after this.
const RETRY: Duration = Duration::from_secs(5);
/// Longest time for one look-up, all its retries included.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a configuration waits for the first answers about its names: one look-up's time,
/// however many names there are. Those that come later are taken up when they come.
const FIRST_ANSWERS_PATIENCE: Duration = Duration::from_secs(6);
/// Look-ups that are under way at once.
const LOOKUPS_MAX: usize = 64;
/// The port of name servers (RFC 1035, section 4.2).
const PORT: u16 = 53;
/// The platform's own name server, which answers inside of it alone: a network that names it uses
/// the default.
const PLATFORM_SERVER: IpAddr = IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16));

/// Whom to ask for the addresses of backend names.
#[derive(Clone, Debug)]
pub enum NameServers {
    /// What this machine is configured to use.
    System,
    These(Vec<SocketAddr>),
}

/// A name, and whom to ask for it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Question {
    pub(crate) name: String,
    /// The name servers of the gateway's network; `None`: the node's.
    pub(crate) servers: OwnServers,
}

/// Name servers that a network has of its own.
pub(crate) type OwnServers = Option<Arc<[SocketAddr]>>;

/// The addresses of names, as DNS last gave them.
pub(crate) type Addresses = HashMap<Question, Vec<IpAddr>>;

/// By [`GatewayIndex`], the name servers that the documents of the gateways' networks name, where
/// the mapping says they are reached.
#[derive(Debug, Default)]
pub(crate) struct NetworkServers(Vec<OwnServers>);

impl NetworkServers {
    fn of(snapshot: &Snapshot, map: &AddressMap) -> Self {
        let of_gateway = |position| {
            let network = snapshot.network.network_of(GatewayIndex::new(position))?;
            reached(&network.dns_servers, map)
        };
        Self((0..snapshot.gateways.len()).map(of_gateway).collect())
    }

    /// The question that finds a member of one of the gateway's pools.
    pub(crate) fn question(&self, gateway: GatewayIndex, name: &str) -> Question {
        Question {
            name: name.to_owned(),
            servers: self.0.get(gateway.position()).cloned().flatten(),
        }
    }
}

/// A network's name servers, where the mapping says they are reached; `None` where the platform's
/// answers.
fn reached(servers: &[IpAddr], map: &AddressMap) -> OwnServers {
    let servers = servers.iter().filter(|ip| **ip != PLATFORM_SERVER);
    let reached = servers.map(|ip| {
        let mapped = map.find(&ip.to_string(), PORT);
        mapped.unwrap_or_else(|| SocketAddr::new(*ip, PORT))
    });
    let reached: Arc<[SocketAddr]> = reached.collect();
    (!reached.is_empty()).then_some(reached)
}

/// The thread that looks names up. It ends with its last handle.
#[derive(Clone, Debug)]
pub(crate) struct Dns {
    commands: mpsc::UnboundedSender<Watch>,
    /// The node's own.
    servers: NameServers,
    addresses: Arc<Mutex<Addresses>>,
    nameless: Arc<Mutex<HashSet<Question>>>,
}

/// From now on these names matter, and no others.
struct Watch {
    names: BTreeSet<Question>,
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
        servers: NameServers,
        changed: mpsc::UnboundedSender<()>,
    ) -> io::Result<Self> {
        let (commands, receiver) = mpsc::unbounded_channel();
        let (addresses, nameless) = (Arc::default(), Arc::default());
        let dns = Self {
            commands,
            servers,
            addresses: Arc::clone(&addresses),
            nameless: Arc::clone(&nameless),
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let resolver = {
            let _context = runtime.enter();
            resolver(&dns.servers)?
        };
        let lookups = Lookups {
            resolvers: HashMap::from([(None, resolver)]),
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

    /// Watches exactly these names, and waits until each has been asked for once, within a bound.
    pub(crate) async fn watch(&self, names: BTreeSet<Question>) {
        let (done, is_done) = oneshot::channel();
        if self.commands.send(Watch { names, done }).is_ok() {
            let _ = tokio::time::timeout(FIRST_ANSWERS_PATIENCE, is_done).await;
        }
    }

    /// Whom the gateways of `snapshot` ask. Name servers that the node was given go before those of
    /// networks, which may well be out of reach.
    pub(crate) fn network_servers(&self, snapshot: &Snapshot, map: &AddressMap) -> NetworkServers {
        match &self.servers {
            NameServers::System => NetworkServers::of(snapshot, map),
            NameServers::These(_) => NetworkServers::default(),
        }
    }

    /// The question for a name that is asked in a network with these name servers.
    pub(crate) fn question_in(&self, servers: &[IpAddr], name: &str, map: &AddressMap) -> Question {
        Question {
            name: name.to_owned(),
            servers: match &self.servers {
                NameServers::System => reached(servers, map),
                NameServers::These(_) => None,
            },
        }
    }

    /// The last good answers.
    pub(crate) fn addresses(&self) -> Addresses {
        lock(&self.addresses).clone()
    }

    /// The names of which the name servers said, the last time they said something, that they do
    /// not exist or have no address.
    pub(crate) fn nameless(&self) -> HashSet<Question> {
        lock(&self.nameless).clone()
    }

    /// Asks for a name now, whether it is watched or not.
    pub(crate) async fn ask(&self, question: &Question) -> Result<Vec<IpAddr>, NameFailure> {
        let asked = match &question.servers {
            Some(servers) => resolve(&NameServers::These(servers.to_vec()), &question.name).await,
            None => resolve(&self.servers, &question.name).await,
        };
        asked.unwrap_or(Err(NameFailure::NoAnswer))
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
    /// The node's, and those of the networks whose names are watched.
    resolvers: HashMap<OwnServers, TokioResolver>,
    addresses: Arc<Mutex<Addresses>>,
    nameless: Arc<Mutex<HashSet<Question>>>,
    changed: mpsc::UnboundedSender<()>,
    /// When each watched name is to be asked for; `None` while it is under way.
    due: HashMap<Question, Option<Instant>>,
    running: JoinSet<Answer>,
    /// Who waits for which names' first look-up.
    waiting: Vec<(BTreeSet<Question>, oneshot::Sender<()>)>,
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
    let question = Question {
        name: name.to_owned(),
        servers: None,
    };
    let answer = look_up(resolver(servers)?, question).await;
    Ok(match (answer.addresses.is_empty(), answer.is_nameless) {
        (false, _) => Ok(answer.addresses),
        (true, true) => Err(NameFailure::NoSuchName),
        (true, false) => Err(NameFailure::NoAnswer),
    })
}

/// What a look-up came to.
struct Answer {
    question: Question,
    /// In ascending order; empty when there was no answer.
    addresses: Vec<IpAddr>,
    time_to_live: Duration,
    /// Whether a name server said that there is none.
    is_nameless: bool,
    /// Why there was no answer, for the log of a node. Who asks once is told, and logs nothing.
    error: Option<String>,
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
        self.due
            .retain(|question, _| watch.names.contains(question));
        let mut fresh = BTreeSet::new();
        for question in &watch.names {
            if !self.due.contains_key(question) {
                self.due.insert(question.clone(), Some(Instant::now()));
                fresh.insert(question.clone());
            }
        }
        let is_asked = |servers: &OwnServers| {
            servers.is_none() || watch.names.iter().any(|one| one.servers == *servers)
        };
        self.resolvers.retain(|servers, _| is_asked(servers));
        lock(&self.addresses).retain(|question, _| watch.names.contains(question));
        lock(&self.nameless).retain(|question| watch.names.contains(question));
        self.waiting.push((fresh, watch.done));
        self.tell_waiting();
    }

    fn begin_due(&mut self) {
        let now = Instant::now();
        for (question, due) in &mut self.due {
            if self.running.len() >= LOOKUPS_MAX {
                break;
            }
            if due.is_none_or(|at| at > now) {
                continue;
            }
            let question = question.clone();
            *due = None;
            match resolver_for(&mut self.resolvers, &question.servers) {
                Ok(resolver) => self.running.spawn(look_up(resolver, question)),
                Err(error) => {
                    tracing::warn!(name = question.name, %error, "its name servers are of no use");
                    self.running.spawn(async { unanswered(question) })
                }
            };
        }
    }

    fn take(&mut self, answer: Answer) {
        let Answer {
            question,
            addresses,
            time_to_live,
            is_nameless,
            error,
        } = answer;
        if let Some(error) = error {
            let (name, asked) = (&question.name, question.asked());
            tracing::warn!(name, asked, error, "a backend's name cannot be resolved");
        }
        for (names, _) in &mut self.waiting {
            names.remove(&question);
        }
        if let Some(due) = self.due.get_mut(&question) {
            *due = Some(Instant::now() + time_to_live);
            let mut nameless = lock(&self.nameless);
            let is_news = match (is_nameless, addresses.is_empty()) {
                (true, _) => nameless.insert(question.clone()),
                (false, false) => nameless.remove(&question),
                (false, true) => false,
            };
            drop(nameless);
            if is_news {
                let _ = self.changed.send(());
            }
            let mut known = lock(&self.addresses);
            // No answer is no reason to forget the last good one.
            if !addresses.is_empty() && known.get(&question) != Some(&addresses) {
                known.insert(question, addresses);
                let _ = self.changed.send(());
            }
        }
        self.tell_waiting();
    }

    fn tell_waiting(&mut self) {
        // Who has waited long enough is gone.
        self.waiting.retain(|(_, teller)| !teller.is_closed());
        let (done, waiting): (Vec<_>, Vec<_>) = std::mem::take(&mut self.waiting)
            .into_iter()
            .partition(|(names, _)| names.is_empty());
        self.waiting = waiting;
        for (_, teller) in done {
            let _ = teller.send(());
        }
    }
}

fn resolver_for(
    resolvers: &mut HashMap<OwnServers, TokioResolver>,
    servers: &OwnServers,
) -> io::Result<TokioResolver> {
    if let Some(known) = resolvers.get(servers) {
        return Ok(known.clone());
    }
    // The node's own is always there.
    let own = servers.as_deref().unwrap_or_default().to_vec();
    let made = resolver(&NameServers::These(own))?;
    resolvers.insert(servers.clone(), made.clone());
    Ok(made)
}

async fn look_up(resolver: TokioResolver, question: Question) -> Answer {
    let looked_up = resolver.lookup_ip(question.name.as_str());
    match tokio::time::timeout(LOOKUP_TIMEOUT, looked_up).await {
        Ok(Ok(found)) => {
            let mut addresses: Vec<IpAddr> = found.iter().collect();
            addresses.sort_unstable();
            addresses.dedup();
            let time_to_live = found
                .valid_until()
                .saturating_duration_since(Instant::now());
            Answer {
                question,
                addresses,
                time_to_live: time_to_live.clamp(TTL_MIN, TTL_MAX),
                is_nameless: false,
                error: None,
            }
        }
        Ok(Err(error)) => Answer {
            is_nameless: error.is_no_records_found(),
            error: Some(error.to_string()),
            ..unanswered(question)
        },
        Err(_) => Answer {
            error: Some(format!("no answer in {} s", LOOKUP_TIMEOUT.as_secs())),
            ..unanswered(question)
        },
    }
}

impl Question {
    /// Who is asked, for the log.
    fn asked(&self) -> String {
        let Some(servers) = &self.servers else {
            return "the node's name servers".to_owned();
        };
        let servers: Vec<String> = servers.iter().map(SocketAddr::to_string).collect();
        format!("the network's name servers {}", servers.join(", "))
    }
}

fn unanswered(question: Question) -> Answer {
    Answer {
        question,
        addresses: Vec::new(),
        time_to_live: RETRY,
        is_nameless: false,
        error: None,
    }
}
