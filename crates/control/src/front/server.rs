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

/// How long one that must leave for another is given to have its request read whole. What is then
/// carried out is waited for, and the answer for so long.
const LEAVING_GRACE: Duration = Duration::from_millis(100);
const ANSWER_GRACE: Duration = Duration::from_secs(2);

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
    let end = tokio::select! {
        ended = connection.as_mut() => return tell(peer, ended),
        () = stopped(&mut stop) => End::OfAll,
        () = strange(&standing, limits.stranger) => End::OfStranger,
        () = place.must_leave() => End::ForAnother,
    };
    connection.as_mut().graceful_shutdown();
    let over = async {
        match end {
            End::OfAll => tokio::time::sleep(limits.stop).await,
            End::OfStranger => overstayed(&standing, STRANGER_GRACE).await,
            End::ForAnother => std::future::pending().await,
        }
    };
    tokio::select! {
        ended = connection => tell(peer, ended),
        () = over => tracing::debug!("{peer}: the connection was cut, its time was over"),
        () = gave_way(&place, &standing) => tracing::debug!("{peer}: {GIVES_WAY}"),
    }
}

/// Why a connection ends.
enum End {
    /// The control plane stops.
    OfAll,
    OfStranger,
    ForAnother,
}

/// Returns when a connection that must leave for another has had its time.
async fn gave_way(place: &Place, standing: &Standing) {
    place.must_leave().await;
    // Who was never known gets no time to spin out.
    if standing.is_known() {
        overstayed(standing, LEAVING_GRACE).await;
    }
}

/// Returns after that time, but not before what is carried out then has ended, and its answer has
/// had its time too.
async fn overstayed(standing: &Standing, grace: Duration) {
    tokio::time::sleep(grace).await;
    while standing.is_known() && standing.is_served() {
        tokio::time::sleep(LEAVING_GRACE).await;
    }
    let mut left = ANSWER_GRACE;
    while standing.is_known() && standing.is_answered() && !left.is_zero() {
        tokio::time::sleep(LEAVING_GRACE).await;
        left = left.saturating_sub(LEAVING_GRACE);
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
        let gone = gave_way(&place, &standing);
        tokio::pin!(gone);
        let mut is_gone_within = async |time| tokio::time::timeout(time, &mut gone).await.is_ok();
        assert!(!is_gone_within(LEAVING_GRACE / 2).await);
        let service = standing.serve();
        // However long it takes.
        assert!(!is_gone_within(Duration::from_secs(60)).await);
        let answering = service.answer();
        assert!(!is_gone_within(ANSWER_GRACE / 2).await);
        assert!(
            is_gone_within(ANSWER_GRACE).await,
            "whoever takes it slowly is cut"
        );
        drop(answering);
    }
}
