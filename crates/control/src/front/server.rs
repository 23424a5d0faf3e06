//! Connections: accepted, encrypted, read within bounds, answered.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::Response;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use crate::core::Core;
use crate::front::answer::Outgoing;
use crate::front::exchange;
use crate::front::patient::Patient;
use crate::front::places::{Place, Places, Standing};

/// Most header fields of a request.
const HEADERS_MAX: usize = 100;

/// Largest head of a request, in bytes: hyper's smallest buffer that takes az's tokens with room.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// Pause after a failed accept, when the process has no descriptor left for instance.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long a connection on which no request had a good token in its time may take for the request
/// in progress.
const STRANGER_GRACE: Duration = Duration::from_secs(5);

/// How long one that must leave for another is given to have its request read whole; what is then
/// carried out is waited for.
const LEAVING_GRACE: Duration = Duration::from_millis(100);

/// What the log says of one that must leave for another.
const GIVES_WAY: &str = "closed, others need the place";

/// Accepts until told to stop, and returns when every connection has ended: within
/// [`crate::Limits::stop`] of that.
pub(crate) async fn serve(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    core: Arc<Core>,
    mut stop: watch::Receiver<bool>,
) {
    let limits = core.limits;
    let places = Places::new(limits.connections, limits.address_connections);
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &places) => accepted,
            () = stopped(&mut stop) => break,
        };
        let Some((stream, peer, place)) = accepted else {
            continue;
        };
        let (acceptor, core, stop) = (acceptor.clone(), Arc::clone(&core), stop.clone());
        tokio::spawn(converse(stream, peer, acceptor, core, place, stop));
    }
    drop(listener);
    // Connections that are too slow end themselves.
    places.emptied(limits.connections).await;
}

/// The next connection, once there is a place for it; `None` when there is none for its address,
/// and, after a pause, when the system has none to give.
async fn accept(
    listener: &TcpListener,
    places: &Arc<Places>,
) -> Option<(TcpStream, SocketAddr, Place)> {
    let (stream, peer) = match listener.accept().await {
        Ok(accepted) => accepted,
        Err(error) => {
            tracing::warn!("the control plane cannot accept a connection: {error}");
            tokio::time::sleep(ACCEPT_PAUSE).await;
            return None;
        }
    };
    let Some(place) = places.take(peer.ip()).await else {
        tracing::debug!("{peer}: closed, its address has as many connections as it may");
        return None;
    };
    Some((stream, peer, place))
}

async fn converse(
    stream: TcpStream,
    peer: SocketAddr,
    acceptor: TlsAcceptor,
    core: Arc<Core>,
    place: Place,
    mut stop: watch::Receiver<bool>,
) {
    // Answers are written whole; waiting for more to send with them would only delay them.
    let _ = stream.set_nodelay(true);
    let limits = core.limits;
    let stream = Patient::new(stream, limits.write);
    let handshake = tokio::time::timeout(limits.handshake, acceptor.accept(stream));
    let handshake = tokio::select! {
        handshake = handshake => handshake,
        () = stopped(&mut stop) => return,
        () = place.must_leave() => return tracing::debug!("{peer}: {GIVES_WAY}"),
    };
    let stream = match handshake {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return tracing::debug!("{peer}: the TLS handshake failed: {error}"),
        Err(_) => return tracing::debug!("{peer}: the TLS handshake took too long"),
    };
    let standing = place.standing();
    let service = service_fn(|request| {
        let (core, standing) = (Arc::clone(&core), Arc::clone(&standing));
        async move { Ok::<_, Infallible>(answer(core, request, peer, standing).await) }
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
        () = stopped(&mut stop) => limits.stop,
        () = strange(&standing, limits.stranger) => STRANGER_GRACE,
        () = place.must_leave() => limits.stop,
    };
    connection.as_mut().graceful_shutdown();
    tokio::select! {
        ended = connection => tell(peer, ended),
        () = tokio::time::sleep(patience) => {
            tracing::debug!("{peer}: the connection was cut, its time was over");
        }
        () = overstayed(&place, &standing) => tracing::debug!("{peer}: {GIVES_WAY}"),
    }
}

/// Returns when a connection that must leave has had its time.
async fn overstayed(place: &Place, standing: &Standing) {
    place.must_leave().await;
    // Who was never known gets no time to spin out.
    while standing.is_known() {
        tokio::time::sleep(LEAVING_GRACE).await;
        if !standing.is_served() {
            return;
        }
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
async fn strange(standing: &Standing, patience: Duration) {
    tokio::time::sleep(patience).await;
    if standing.is_known() {
        std::future::pending().await
    }
}

/// Boxed, so that a connection that waits takes no room for an exchange.
fn answer(
    core: Arc<Core>,
    request: hyper::Request<Incoming>,
    peer: SocketAddr,
    standing: Arc<Standing>,
) -> Pin<Box<dyn Future<Output = Response<Outgoing>> + Send>> {
    Box::pin(exchange::answer(core, request, peer, standing))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_began_in_time_is_carried_out_before_the_connection_is_cut() {
        let here = std::net::Ipv4Addr::LOCALHOST.into();
        let places = Places::new(9, 1);
        let place = places.take(here).await.unwrap();
        let standing = place.standing();
        standing.make_known();
        let _next = places.take(here).await.unwrap();
        let overstayed = overstayed(&place, &standing);
        tokio::pin!(overstayed);
        let waits = LEAVING_GRACE / 2;
        assert!(tokio::time::timeout(waits, &mut overstayed).await.is_err());
        let service = standing.serve();
        let waits = LEAVING_GRACE * 9;
        assert!(tokio::time::timeout(waits, &mut overstayed).await.is_err());
        drop(service);
        overstayed.await;
    }
}
