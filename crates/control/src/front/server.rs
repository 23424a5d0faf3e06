//! Connections: accepted, encrypted, read within bounds, answered.

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::Response;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};
use tokio_rustls::TlsAcceptor;

use crate::core::Core;
use crate::front::exchange;
use crate::front::patient::Patient;

/// Most header fields of a request.
const HEADERS_MAX: usize = 100;

/// Largest head of a request, in bytes: hyper's smallest buffer that takes az's tokens with room.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// Pause after a failed accept, when the process has no descriptor left for instance.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long a stranger whose time is over may take for the request in progress.
const STRANGER_GRACE: Duration = Duration::from_secs(5);

/// Accepts until told to stop, and returns when every connection has ended: within
/// [`crate::Limits::stop`] of that.
pub(crate) async fn serve(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    core: Arc<Core>,
    mut stop: watch::Receiver<bool>,
) {
    let room = Arc::new(Semaphore::new(core.limits.connections));
    let addresses = Arc::new(Addresses::default());
    let strangers = Arc::new(Strangers::default());
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &room, &strangers) => accepted,
            () = stopped(&mut stop) => break,
        };
        let Some((stream, peer, place)) = accepted else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let most = core.limits.address_connections;
        let Some(share) = share(&addresses, &strangers, peer.ip(), most) else {
            tracing::debug!("{peer}: closed, the address has {most} connections");
            continue;
        };
        let (acceptor, core, mut stop) = (acceptor.clone(), Arc::clone(&core), stop.clone());
        let (stranger, sent_away) = strangers.add(peer.ip());
        tokio::spawn(async move {
            let is_known = Arc::clone(&stranger.is_known);
            tokio::select! {
                () = converse(stream, peer, acceptor, core, (&is_known, &mut stop)) => {}
                () = told(sent_away) => tracing::debug!("{peer}: closed, others need the place"),
            }
            drop((place, share, stranger));
        });
    }
    drop(listener);
    let all = u32::try_from(core.limits.connections).unwrap_or(u32::MAX);
    // Connections that are too slow end themselves; the semaphore is never closed.
    let _ = room.acquire_many(all).await;
}

/// The next connection, once there is room for it; `None` when the system has none to give.
async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
    strangers: &Strangers,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let place = match Arc::clone(room).try_acquire_owned() {
        Ok(place) => place,
        Err(_) => {
            strangers.send_oldest_away(|_| true);
            Arc::clone(room).acquire_owned().await.ok()?
        }
    };
    match listener.accept().await {
        Ok((stream, peer)) => Some((stream, peer, place)),
        Err(error) => {
            tracing::warn!("the control plane cannot accept a connection: {error}");
            None
        }
    }
}

/// A share of an address: where it has as many as it may have, its oldest stranger gives way, and
/// leaves a moment later.
fn share(
    addresses: &Arc<Addresses>,
    strangers: &Strangers,
    address: IpAddr,
    most: usize,
) -> Option<Share> {
    let is_full = addresses.count(address) >= most;
    if is_full && !strangers.send_oldest_away(|other| other == address) {
        return None;
    }
    Some(addresses.share(address))
}

/// Connections in the order in which they came, of which those give way on which no request had a
/// good token: nobody without one can keep others out by holding all places.
#[derive(Debug, Default)]
struct Strangers(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    next: u64,
    by_number: BTreeMap<u64, Entry>,
}

#[derive(Debug)]
struct Entry {
    address: IpAddr,
    is_known: Arc<AtomicBool>,
    tell: oneshot::Sender<()>,
}

/// One connection among them.
struct Stranger {
    all: Arc<Strangers>,
    number: u64,
    is_known: Arc<AtomicBool>,
}

impl Strangers {
    /// One more, and what it is told when it must go.
    fn add(self: &Arc<Self>, address: IpAddr) -> (Stranger, oneshot::Receiver<()>) {
        let (tell, told) = oneshot::channel();
        let is_known = Arc::new(AtomicBool::new(false));
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let number = waiting.next;
        waiting.next += 1;
        let entry = Entry {
            address,
            is_known: Arc::clone(&is_known),
            tell,
        };
        waiting.by_number.insert(number, entry);
        let all = Arc::clone(self);
        let stranger = Stranger {
            all,
            number,
            is_known,
        };
        (stranger, told)
    }

    /// Sends the oldest stranger away whose address is meant; whether there is one.
    fn send_oldest_away(&self, is_meant: impl Fn(IpAddr) -> bool) -> bool {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Who is known is never a stranger again.
        let is_strange = |_: &u64, entry: &mut Entry| !entry.is_known.load(Ordering::Relaxed);
        waiting.by_number.retain(is_strange);
        let mut all = waiting.by_number.iter();
        let oldest = all.find(|(_, entry)| is_meant(entry.address));
        let oldest = oldest.map(|(number, _)| *number);
        let oldest = oldest.and_then(|number| waiting.by_number.remove(&number));
        // Where it has just ended by itself, the same is achieved.
        oldest.map(|entry| entry.tell.send(())).is_some()
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        let mut waiting = self.all.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.by_number.remove(&self.number);
    }
}

/// Returns when a connection must go; never, where nobody can tell it so any more.
async fn told(sent_away: oneshot::Receiver<()>) {
    if sent_away.await.is_err() {
        std::future::pending().await
    }
}

/// How many connections each address has.
#[derive(Debug, Default)]
struct Addresses(Mutex<HashMap<IpAddr, usize>>);

/// One connection of an address.
struct Share {
    addresses: Arc<Addresses>,
    address: IpAddr,
}

impl Addresses {
    fn count(&self, address: IpAddr) -> usize {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(&address).copied().unwrap_or_default()
    }

    /// One more.
    fn share(self: &Arc<Self>, address: IpAddr) -> Share {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *all.entry(address).or_default() += 1;
        Share {
            addresses: Arc::clone(self),
            address,
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let all = &self.addresses.0;
        let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = all.get_mut(&self.address) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                all.remove(&self.address);
            }
        }
    }
}

async fn converse(
    stream: TcpStream,
    peer: SocketAddr,
    acceptor: TlsAcceptor,
    core: Arc<Core>,
    (is_known, stop): (&Arc<AtomicBool>, &mut watch::Receiver<bool>),
) {
    // Answers are written whole; waiting for more to send with them would only delay them.
    let _ = stream.set_nodelay(true);
    let limits = core.limits;
    let stream = Patient::new(stream, limits.write);
    let handshake = tokio::time::timeout(limits.handshake, acceptor.accept(stream));
    let handshake = tokio::select! {
        handshake = handshake => handshake,
        () = stopped(stop) => return,
    };
    let stream = match handshake {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return tracing::debug!("{peer}: the TLS handshake failed: {error}"),
        Err(_) => return tracing::debug!("{peer}: the TLS handshake took too long"),
    };
    let known = Arc::clone(is_known);
    let service = service_fn(move |request| {
        let (core, known) = (Arc::clone(&core), Arc::clone(&known));
        async move { Ok::<_, Infallible>(answer(core, request, peer, known).await) }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let patience = tokio::select! {
        ended = connection.as_mut() => return tell(peer, ended),
        () = stopped(stop) => limits.stop,
        () = strange(is_known, limits.stranger) => STRANGER_GRACE,
    };
    connection.as_mut().graceful_shutdown();
    match tokio::time::timeout(patience, connection).await {
        Ok(ended) => tell(peer, ended),
        Err(_) => tracing::debug!("{peer}: the connection was cut, its time was over"),
    }
}

fn tell(peer: SocketAddr, ended: hyper::Result<()>) {
    if let Err(error) = ended {
        tracing::debug!("{peer}: the connection failed: {error}");
    }
}

/// Returns when the control plane is to stop.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    // Its sender is gone: the same.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Returns after that time, unless somebody with a good token has spoken by then.
async fn strange(is_known: &AtomicBool, patience: Duration) {
    tokio::time::sleep(patience).await;
    if is_known.load(Ordering::Relaxed) {
        std::future::pending().await
    }
}

/// Boxed, so that a connection that waits takes no room for an exchange.
fn answer(
    core: Arc<Core>,
    request: hyper::Request<Incoming>,
    peer: SocketAddr,
    known: Arc<AtomicBool>,
) -> Pin<Box<dyn Future<Output = Response<Full<Bytes>>> + Send>> {
    Box::pin(exchange::answer(core, request, peer, known))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_oldest_stranger_gives_way() {
        let strangers = Arc::new(Strangers::default());
        let here = IpAddr::from([127, 0, 0, 1]);
        let (known, told_known) = strangers.add(here);
        let (gone, _) = strangers.add(here);
        let (oldest, told_oldest) = strangers.add(here);
        let (_newest, told_newest) = strangers.add(here);
        known.is_known.store(true, Ordering::Relaxed);
        drop(gone);
        assert!(strangers.send_oldest_away(|_| true));
        told(told_oldest).await;
        drop(oldest);
        let not_yet = |receiver| tokio::time::timeout(Duration::from_millis(20), told(receiver));
        assert!(not_yet(told_known).await.is_err());
        assert!(not_yet(told_newest).await.is_err());
    }

    /// An address with two places at most, and who comes from it.
    struct Two {
        addresses: Arc<Addresses>,
        strangers: Arc<Strangers>,
    }

    impl Two {
        fn come(&self, address: [u8; 4]) -> Option<(Share, Stranger, oneshot::Receiver<()>)> {
            let address = IpAddr::from(address);
            let share = share(&self.addresses, &self.strangers, address, 2)?;
            let (stranger, sent_away) = self.strangers.add(address);
            Some((share, stranger, sent_away))
        }
    }

    #[test]
    fn an_address_has_its_share_in_which_strangers_give_way() {
        const HERE: [u8; 4] = [127, 0, 0, 1];
        const THERE: [u8; 4] = [10, 0, 0, 1];
        let two = Two {
            addresses: Arc::default(),
            strangers: Arc::default(),
        };
        let mut other = two.come(THERE).unwrap();
        let (mut first, mut second) = (two.come(HERE).unwrap(), two.come(HERE).unwrap());
        first.1.is_known.store(true, Ordering::Relaxed);
        let third = two.come(HERE).unwrap();
        assert!(second.2.try_recv().is_ok(), "the stranger goes");
        assert!(first.2.try_recv().is_err(), "who is known stays");
        assert!(other.2.try_recv().is_err(), "another address has its own");
        drop(second);
        third.1.is_known.store(true, Ordering::Relaxed);
        assert!(two.come(HERE).is_none(), "all are known");
        assert!(two.come(THERE).is_some());
        drop(first);
        assert!(two.come(HERE).is_some());
        drop((third, other));
        assert!(two.addresses.0.lock().unwrap().is_empty());
    }
}
