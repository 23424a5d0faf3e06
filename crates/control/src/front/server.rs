//! Connections: accepted, encrypted, read within bounds, answered.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use gatewright_arm::ArmError;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::service::service_fn;
use hyper::{Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsAcceptor;

use crate::core::Core;
use crate::front::answer::{Answer, Body};
use crate::front::body::BODY_BYTES_MAX;
use crate::front::query::Query;
use crate::front::request::{Request, RequestIds};

/// Most connections at a time; the next one waits.
const CONNECTIONS_MAX: usize = 512;

/// How long a client may take to shake hands.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a client may take to send a request's head, the wait for it included.
const HEAD_TIMEOUT: Duration = Duration::from_secs(120);

/// How long a client may take to send a request's body.
const BODY_TIMEOUT: Duration = Duration::from_secs(60);

/// Most header fields of a request.
const HEADERS_MAX: usize = 100;

/// Largest head of a request, in bytes: hyper's smallest buffer that takes az's tokens with room.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// Pause after a failed accept, when the process has no descriptor left for instance.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Accepts until told to stop.
pub(crate) async fn serve(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    core: Arc<Core>,
    mut stop: watch::Receiver<bool>,
) {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(place) = Arc::clone(&room).acquire_owned().await else {
            return;
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stopped(&mut stop) => return,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!("the control plane cannot accept a connection: {error}");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let (acceptor, core, stop) = (acceptor.clone(), Arc::clone(&core), stop.clone());
        tokio::spawn(async move {
            converse(stream, peer, acceptor, core, stop).await;
            drop(place);
        });
    }
}

async fn converse(
    stream: TcpStream,
    peer: SocketAddr,
    acceptor: TlsAcceptor,
    core: Arc<Core>,
    mut stop: watch::Receiver<bool>,
) {
    // Answers are written whole; waiting for more to send with them would only delay them.
    let _ = stream.set_nodelay(true);
    let handshake = tokio::time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream));
    let stream = match handshake.await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return tracing::debug!("{peer}: the TLS handshake failed: {error}"),
        Err(_) => return tracing::debug!("{peer}: the TLS handshake took too long"),
    };
    let service = service_fn(move |request| {
        let core = Arc::clone(&core);
        async move { Ok::<_, Infallible>(answer(core, request, peer).await) }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = stopped(&mut stop) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!("{peer}: the connection failed: {error}");
    }
}

/// Returns when the control plane is to stop.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    // Its sender is gone: the same.
    let _ = stop.wait_for(|stop| *stop).await;
}

async fn answer(
    core: Arc<Core>,
    request: hyper::Request<Incoming>,
    peer: SocketAddr,
) -> Response<Full<Bytes>> {
    let began = Instant::now();
    let (head, body) = request.into_parts();
    let ids = RequestIds::of(&head.headers);
    let (method, path) = (head.method.clone(), head.uri.path().to_owned());
    let read = read(&core, head, body, peer, ids.clone()).await;
    let answer = match read {
        Ok(request) => core.answer(request).await,
        Err(error) => Answer::error(&error),
    };
    let milliseconds = began.elapsed().as_millis();
    let RequestIds {
        request,
        correlation,
        ..
    } = &ids;
    let status = answer.status.as_u16();
    tracing::info!(%request, correlation, status, milliseconds, "{method} {path}");
    finish(answer, &ids)
}

async fn read(
    core: &Core,
    head: hyper::http::request::Parts,
    body: Incoming,
    peer: SocketAddr,
    ids: RequestIds,
) -> Result<Request, ArmError> {
    let segments = Request::segments(&head.uri)?;
    let origin = core.origin(&head.headers)?;
    let body = tokio::time::timeout(BODY_TIMEOUT, Limited::new(body, BODY_BYTES_MAX).collect());
    let body = body.await.map_err(|_| {
        let message = format!(
            "The request's body did not arrive within {} seconds.",
            BODY_TIMEOUT.as_secs()
        );
        ArmError::front_door("RequestTimeout", message)
    })?;
    let body = body.map_err(
        |error| match error.is::<http_body_util::LengthLimitError>() {
            true => ArmError::front_door(
                "RequestContentTooLarge",
                format!("The request's body is larger than {BODY_BYTES_MAX} bytes."),
            ),
            false => ArmError::front_door(
                "InvalidRequestContent",
                format!("The request's body could not be read: {error}."),
            ),
        },
    )?;
    Ok(Request {
        method: head.method,
        segments,
        query: Query::parse(head.uri.query().unwrap_or_default()),
        headers: head.headers,
        body: body.to_bytes(),
        peer,
        ids,
        origin,
    })
}

/// With what every answer of the service has.
fn finish(answer: Answer, ids: &RequestIds) -> Response<Full<Bytes>> {
    let (content_type, body) = match answer.body {
        Body::Empty => (None, Bytes::new()),
        Body::Json(body) => (Some("application/json; charset=utf-8"), body),
        Body::Xml(body) => (Some("application/xml"), body),
    };
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = answer.status;
    let headers = response.headers_mut();
    for (name, value) in answer.headers {
        headers.append(name, value);
    }
    if let Some(content_type) = content_type {
        let value = HeaderValue::from_static(content_type);
        headers.insert(header::CONTENT_TYPE, value);
    }
    constant_headers(headers);
    identify(headers, ids);
    if answer.status == StatusCode::UNAUTHORIZED {
        headers
            .entry(header::WWW_AUTHENTICATE)
            .or_insert(HeaderValue::from_static("Bearer"));
    }
    response
}

fn constant_headers(headers: &mut HeaderMap) {
    for (name, value) in [
        (header::CACHE_CONTROL, "no-cache"),
        (header::PRAGMA, "no-cache"),
        (header::EXPIRES, "-1"),
        (
            header::STRICT_TRANSPORT_SECURITY,
            "max-age=31536000; includeSubDomains",
        ),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        headers
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    }
}

fn identify(headers: &mut HeaderMap, ids: &RequestIds) {
    let request = ids.request.to_string();
    let routing = format!("LOCAL:{}:{}", crate::clock::compact_now(), ids.request);
    let mut pairs = vec![
        ("x-ms-request-id", request.as_str()),
        ("x-ms-correlation-request-id", &ids.correlation),
        ("x-ms-routing-request-id", &routing),
    ];
    if let Some(client) = &ids.client {
        pairs.push(("x-ms-client-request-id", client));
    }
    for (name, value) in pairs {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    }
}
