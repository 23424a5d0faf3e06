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
        let Some(share) = addresses.share(peer.ip(), most) else {
            tracing::debug!("{peer}: closed, the address has {most} connections");
            continue;
        };
        let (acceptor, core, mut stop) = (acceptor.clone(), Arc::clone(&core), stop.clone());
        let (stranger, sent_away) = strangers.add();
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
            strangers.send_oldest_away();
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

/// Connections in the order in which they came, of which those give way on which no request had a
/// good token: nobody without one can keep others out by holding all places.
#[derive(Debug, Default)]
struct Strangers(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    next: u64,
    by_number: BTreeMap<u64, (Arc<AtomicBool>, oneshot::Sender<()>)>,
}

/// One connection among them.
struct Stranger {
    all: Arc<Strangers>,
    number: u64,
    is_known: Arc<AtomicBool>,
}

impl Strangers {
    /// One more, and what it is told when it must go.
    fn add(self: &Arc<Self>) -> (Stranger, oneshot::Receiver<()>) {
        let (tell, told) = oneshot::channel();
        let is_known = Arc::new(AtomicBool::new(false));
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let number = waiting.next;
        waiting.next += 1;
        let entry = (Arc::clone(&is_known), tell);
        waiting.by_number.insert(number, entry);
        let all = Arc::clone(self);
        let stranger = Stranger {
            all,
            number,
            is_known,
        };
        (stranger, told)
    }

    fn send_oldest_away(&self) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some((_, (is_known, tell))) = waiting.by_number.pop_first() {
            if !is_known.load(Ordering::Relaxed) {
                // Where it has just ended by itself, the same is achieved.
                let _ = tell.send(());
                return;
            }
        }
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
    /// `None` when the address has its share already.
    fn share(self: &Arc<Self>, address: IpAddr, most: usize) -> Option<Share> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = all.entry(address).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(Share {
            addresses: Arc::clone(self),
            address,
        })
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
        let (known, told_known) = strangers.add();
        let (gone, _) = strangers.add();
        let (oldest, told_oldest) = strangers.add();
        let (_newest, told_newest) = strangers.add();
        known.is_known.store(true, Ordering::Relaxed);
        drop(gone);
        strangers.send_oldest_away();
        told(told_oldest).await;
        drop(oldest);
        let not_yet = |receiver| tokio::time::timeout(Duration::from_millis(20), told(receiver));
        assert!(not_yet(told_known).await.is_err());
        assert!(not_yet(told_newest).await.is_err());
    }

    #[test]
    fn an_address_has_its_share_and_no_more() {
        let addresses = Arc::new(Addresses::default());
        let (here, there) = (IpAddr::from([127, 0, 0, 1]), IpAddr::from([10, 0, 0, 1]));
        let first = addresses.share(here, 2);
        let second = addresses.share(here, 2);
        assert!(first.is_some() && second.is_some());
        assert!(addresses.share(here, 2).is_none());
        assert!(addresses.share(there, 2).is_some());
        drop(first);
        assert!(addresses.share(here, 2).is_some());
        drop(second);
        assert!(addresses.0.lock().unwrap().is_empty());
    }
}
