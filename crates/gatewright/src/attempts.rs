//! Connections that somebody asks the control plane to try: made from here, with the node's
//! stand-ins.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use gatewright_control::{
    ATTEMPT_CONNECTIONS, Attempt, AttemptRequest, Attempted, LetsThrough, Tried,
};
use gatewright_dataplane::{Dataplane, HostPlace, NameFailure, ProbePlan, probe_now};
use gatewright_snapshot::{BackendProtocol, BackendTrust, BackendVerification, Generation, Probe};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

/// How long one connection may take.
const CONNECT_PATIENCE: Duration = Duration::from_secs(2);

/// Between one and the next: no queue of a small server is to be flooded.
const PAUSE: Duration = Duration::from_millis(20);

/// After this no other connection of an attempt is begun.
const ATTEMPT_PATIENCE: Duration = Duration::from_secs(6);

/// How long a request may take, from its connection to the answer.
const REQUEST_PATIENCE: Duration = Duration::from_secs(5);

/// Attempts that are under way at once; the others wait.
const AT_ONCE: usize = 16;

/// Makes attempts, so many at once.
pub(crate) struct Attempts(Semaphore);

impl Default for Attempts {
    fn default() -> Self {
        Self(Semaphore::new(AT_ONCE))
    }
}

impl Attempts {
    /// Looks the host up, connects to it, and asks where that is wanted.
    pub(crate) async fn make(
        &self,
        dataplane: &Dataplane,
        attempt: &Attempt,
        lets_through: LetsThrough<'_>,
    ) -> Attempted {
        let _place = self.0.acquire().await;
        let name_servers = &attempt.name_servers;
        let found = dataplane.places_of(&attempt.host, attempt.port, name_servers);
        let places = match found.await {
            Ok(places) => places,
            Err(failure) => return Attempted::Nameless(why_nameless(&attempt.host, failure)),
        };
        let Some(place) = choose(&places, attempt.prefers_ipv6) else {
            let why = why_nameless(&attempt.host, NameFailure::NoSuchName);
            return Attempted::Nameless(why);
        };
        if let Some(address) = place.logical.filter(|address| !lets_through(*address)) {
            return Attempted::Dropped(address);
        }
        let mut tried = connect(place.address).await;
        tried.address = place.logical;
        if let Some(request) = attempt.request.as_ref().filter(|_| !tried.times.is_empty()) {
            let fault = ask(place.address, request).await;
            tried.is_answered = Some(fault.is_none());
            tried.fault = fault.or(tried.fault);
        }
        Attempted::Tried(tried)
    }
}

fn why_nameless(host: &str, failure: NameFailure) -> String {
    match failure {
        NameFailure::NoSuchName => format!("{host} does not exist, or has no IPv4 address"),
        NameFailure::NoAnswer => format!("no name server answers for {host}"),
    }
}

fn choose(places: &[HostPlace], prefers_ipv6: bool) -> Option<&HostPlace> {
    let is_preferred = |place: &&HostPlace| place.address.is_ipv6() == prefers_ipv6;
    places.iter().find(is_preferred).or(places.first())
}

async fn connect(address: SocketAddr) -> Tried {
    let mut tried = Tried::default();
    let until = Instant::now() + ATTEMPT_PATIENCE;
    for position in 0..ATTEMPT_CONNECTIONS {
        if position > 0 {
            tokio::time::sleep(PAUSE).await;
        }
        let began = Instant::now();
        if began >= until {
            break;
        }
        let connecting = TcpStream::connect(address);
        let fault = match tokio::time::timeout(CONNECT_PATIENCE, connecting).await {
            Ok(Ok(_)) => {
                tried.times.push(began.elapsed());
                continue;
            }
            Ok(Err(error)) => format!("{address}: {error}"),
            Err(_) => format!(
                "{address}: no connection within {} s",
                CONNECT_PATIENCE.as_secs()
            ),
        };
        tried.failed += 1;
        tried.fault = Some(fault);
    }
    tried
}

/// Why there is no good answer; `None` for one that is.
async fn ask(address: SocketAddr, request: &AttemptRequest) -> Option<String> {
    let plan = plan(address, request);
    let probing = tokio::task::spawn_blocking(move || probe_now(plan));
    let record = match probing.await {
        Ok(Ok(record)) => record,
        Ok(Err(error)) => return Some(format!("this machine cannot ask: {error}")),
        Err(error) => return Some(format!("this machine cannot ask: {error}")),
    };
    match record.is_healthy {
        true => None,
        false => Some(record.detail.unwrap_or(record.log)),
    }
}

fn plan(address: SocketAddr, request: &AttemptRequest) -> ProbePlan {
    let (protocol, verification) = match request.is_encrypted {
        false => (BackendProtocol::Http, None),
        true => (BackendProtocol::Https, Some(trusting())),
    };
    let probe = Probe {
        path: request.path.clone(),
        timeout: REQUEST_PATIENCE,
        statuses: request.statuses.clone(),
        ..Probe::default_for(protocol, address.port(), verification)
    };
    // An address is no name for a handshake.
    let name = request
        .host
        .rsplit_once(':')
        .map_or(&*request.host, |(name, _)| name);
    let is_name = name.parse::<std::net::IpAddr>().is_err() && !name.starts_with('[');
    ProbePlan {
        probe,
        generation: Generation::V2,
        host: request.host.clone(),
        sni: (request.is_encrypted && is_name).then(|| name.to_owned()),
        address,
        fields: request.fields.clone(),
    }
}

/// Whether a server can be reached is the question, and not whose it is.
fn trusting() -> BackendVerification {
    BackendVerification {
        trust: BackendTrust::WellKnown,
        check_chain: false,
        check_name: false,
        sni_name: None,
    }
}
