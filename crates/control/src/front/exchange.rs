//! One request: who sends it and whether they may, then its body, then the answer, and a line in
//! the log.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use gatewright_arm::ArmError;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body as _, Incoming};
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Response, StatusCode};

use crate::core::Core;
use crate::front::answer::{Answer, Body, Outgoing};
use crate::front::body;
use crate::front::limits::LARGE_BODY_BYTES;
use crate::front::places::{Answering, Service, Standing};
use crate::front::request::{Request, RequestIds};
use crate::identity::Caller;

/// Most of a path that the log shows, in bytes.
const LOGGED_PATH_BYTES_MAX: usize = 512;

/// Most of a body that is read after the request was refused, in bytes, and for how long: a client
/// that is still sending, as those in Python do to the end, would else see its connection fail
/// instead of the answer. More than anybody sends who means it.
const REFUSED_BODY_BYTES_MAX: usize = 64 * 1024 * 1024;
const REFUSED_BODY_TIMEOUT: Duration = Duration::from_secs(10);

pub(super) async fn answer(
    core: Arc<Core>,
    request: hyper::Request<Incoming>,
    peer: SocketAddr,
    standing: Arc<Standing>,
) -> Response<Outgoing> {
    let began = Instant::now();
    let (head, body) = request.into_parts();
    let ids = RequestIds::of(&head.headers);
    let (method, path) = (head.method.clone(), shortened(head.uri.path()));
    let origin = core.origin(&head.uri, &head.headers);
    let realm = origin.clone().unwrap_or_default();
    let visit = Visit {
        peer,
        ids: &ids,
        origin,
        standing,
    };
    let (mut caller, mut service) = (None, None);
    let answered = respond(&core, head, body, visit, &mut caller, &mut service).await;
    let mut answer = answered.unwrap_or_else(|error| Answer::error(&error));
    if answer.status == StatusCode::UNAUTHORIZED {
        answer = challenge(answer, &realm, &core.config.tenant);
    }
    let caller = caller.as_ref().map_or("", Caller::app_id);
    if path
        .to_ascii_lowercase()
        .contains("/providers/microsoft.network/")
    {
        answer = answer.with("x-ms-arm-service-request-id", ids.request.to_string());
    }
    let (request, correlation) = (ids.request, &ids.correlation);
    let status = answer.status.as_u16();
    let milliseconds = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    tracing::info!(%request, correlation, caller, %peer, status, milliseconds, "{method} {path}");
    finish(answer, &ids, service.map(Service::answer))
}

/// What surrounds a request.
struct Visit<'a> {
    peer: SocketAddr,
    ids: &'a RequestIds,
    /// Or why the request is not for this control plane.
    origin: Result<String, ArmError>,
    /// The connection's.
    standing: Arc<Standing>,
}

/// The beginning of a path; it is ASCII.
fn shortened(path: &str) -> String {
    match path.get(..LOGGED_PATH_BYTES_MAX) {
        Some(beginning) if path.len() > LOGGED_PATH_BYTES_MAX => format!("{beginning}…"),
        _ => path.to_owned(),
    }
}

async fn respond(
    core: &Arc<Core>,
    head: Parts,
    body: Incoming,
    visit: Visit<'_>,
    caller: &mut Option<Caller>,
    service: &mut Option<Service>,
) -> Result<Answer, ArmError> {
    let waits = head.headers.contains_key(header::EXPECT);
    let admitted = visit.origin.and_then(|origin| {
        let request = Request::of_head(head, visit.peer, visit.ids.clone(), origin)?;
        let admitted = core.admit(&request, caller)?;
        if !admitted.is_public && !body.is_end_stream() {
            body::check_type(&request.headers)?;
        }
        Ok((request, admitted))
    });
    // One that has to leave is cut at once: nothing is begun for it.
    if caller.is_some() && !visit.standing.make_known() {
        let message = "The connection is closed, others need the place. Try again.";
        return Err(ArmError::front_door("ServiceUnavailable", message));
    }
    let (mut request, admitted) = match admitted {
        Ok(admitted) => admitted,
        Err(error) => {
            discard(body, waits).await;
            return Err(error);
        }
    };
    let most = match admitted.is_public {
        true => core.limits.stranger_body_bytes,
        false => core.limits.body_bytes,
    };
    request.body = collect(body, most, core.limits.body, waits).await?;
    *service = Some(visit.standing.serve());
    let _turn = match request.body.len() >= LARGE_BODY_BYTES {
        true => core.large.acquire().await.ok(),
        false => None,
    };
    core.carry_out(admitted, request).await
}

/// The whole body. `waits`: for a client that waits to be told to go on.
async fn collect(
    mut body: Incoming,
    most: usize,
    patience: Duration,
    waits: bool,
) -> Result<Bytes, ArmError> {
    let too_large = || {
        let message = format!("The request's body is larger than {most} bytes.");
        ArmError::front_door("RequestContentTooLarge", message)
    };
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if announced > most {
        discard(body, waits).await;
        return Err(too_large());
    }
    let collected = tokio::time::timeout(patience, Limited::new(&mut body, most).collect()).await;
    let collected = collected.map_err(|_| {
        let message = format!(
            "The request's body did not arrive within {} seconds.",
            patience.as_secs_f32()
        );
        ArmError::front_door("RequestTimeout", message)
    })?;
    match collected {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => {
            discard(body, false).await;
            Err(too_large())
        }
        Err(error) => {
            let message = format!("The request's body could not be read: {error}.");
            Err(ArmError::front_door("InvalidRequestContent", message))
        }
    }
}

/// Reads what nobody will look at, within bounds. A client that waits to be told to go on is told
/// that it need not.
async fn discard(mut body: Incoming, waits: bool) {
    if waits {
        return;
    }
    let discarding = async {
        let mut left = REFUSED_BODY_BYTES_MAX;
        while let Some(Ok(frame)) = body.frame().await {
            let bytes = frame.data_ref().map_or(0, Bytes::len);
            match left.checked_sub(bytes) {
                Some(rest) => left = rest,
                None => return,
            }
        }
    };
    let _ = tokio::time::timeout(REFUSED_BODY_TIMEOUT, discarding).await;
}

/// Where a client gets a token, as the service says it.
fn challenge(answer: Answer, origin: &str, tenant: &str) -> Answer {
    let name = header::WWW_AUTHENTICATE;
    if answer.headers.iter().any(|(own, _)| *own == name) {
        return answer;
    }
    let challenge =
        format!("Bearer authorization_uri=\"{origin}/{tenant}\", error=\"invalid_token\"");
    answer.with("www-authenticate", challenge)
}

/// With what every answer of the service has.
fn finish(answer: Answer, ids: &RequestIds, answering: Option<Answering>) -> Response<Outgoing> {
    let (content_type, body) = match answer.body {
        Body::Empty => (None, Bytes::new()),
        Body::Json(body) => (Some("application/json; charset=utf-8"), body),
        Body::Xml(body) => (Some("application/xml"), body),
    };
    let mut response = Response::new(Outgoing::new(body, answering));
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
    response
}

/// There are none that count down what a client may still ask: nothing is counted down here, and a
/// number that means nothing would make clients wait for nothing.
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
