//! The node's own API, on a loopback address: `GET /health`, `POST /health/on-demand`, `GET
//! /status`, `GET /evidence`, `GET /why` and `POST /reload`.
//!
//! Where there is a control plane, `operators` adds what makes principals and backups.
//!
//! Nobody signs in. What keeps others out is that only this machine can connect, and what keeps
//! other people's web pages in this machine's browser out is that the `Host` must be a loopback one
//! (against names that are made to point here) and that a POST must carry a header which a page of
//! another origin cannot send unasked.

mod operators;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};

use crate::backend_health::BackendHealth;
use crate::control_plane::Operators;
use crate::findings::Finding;
use crate::live_evidence;
use crate::node::{Applied, Refused};
use crate::request_story;
use crate::sentence::Sentence;
use crate::status::Board;

/// What a POST must carry, with any value.
pub(crate) const GUARD_HEADER: &str = "X-Gatewright";

pub(crate) use operators::{KEY_HEADER, is_same};

/// How many reloads may wait for their turn.
pub(crate) const WAITING_RELOADS_MAX: usize = 16;

/// Where the node answers a reload.
pub(crate) type ReloadReply = oneshot::Sender<Result<Applied, Refused>>;

/// What the admin API tells of, and has changed.
#[derive(Clone)]
pub(crate) struct Admin {
    pub(crate) board: Arc<Board>,
    pub(crate) reloads: mpsc::Sender<ReloadReply>,
    /// Empty where there is no control plane, or none yet.
    pub(crate) operators: Arc<OnceLock<Operators>>,
}

/// Binds the admin address.
///
/// # Errors
/// When it cannot be had, with the ways out.
pub(crate) async fn bind(address: SocketAddr) -> Result<TcpListener, Sentence> {
    TcpListener::bind(address).await.map_err(|error| {
        let why = match error.kind() {
            io::ErrorKind::AddrInUse => "another process has it, perhaps another node".to_owned(),
            _ => error.to_string(),
        };
        Sentence::new(format!(
            "the admin address {address} cannot be had ({why}); give another one with --admin \
             ADDRESS, or do without with --admin none"
        ))
    })
}

/// Answers on `listener` until the runtime ends.
pub(crate) async fn serve(listener: TcpListener, admin: Admin) {
    let router = router(admin);
    if let Err(error) = axum::serve(listener, router).await {
        tracing::error!("the admin address does not answer any more: {error}");
    }
}

fn router(admin: Admin) -> Router {
    Router::new()
        .route("/health", get(health))
        .route("/health/on-demand", post(health_on_demand))
        .route("/status", get(status))
        .route("/evidence", get(evidence))
        .route("/why", get(why))
        .route("/reload", post(reload))
        .merge(operators::routes())
        .fallback(|| async {
            refuse(
                StatusCode::NOT_FOUND,
                "there is /health, /health/on-demand, /status, /evidence, /why and /reload, and \
                 with a control plane /principals, /principals/revoke and /backup",
            )
        })
        .layer(middleware::from_fn(guard))
        .with_state(admin)
}

async fn guard(request: Request, next: Next) -> Response {
    if !is_for_loopback(request.headers()) {
        let why = "the request's Host is not a loopback address";
        return refuse(StatusCode::FORBIDDEN, why);
    }
    let changes = *request.method() != Method::GET && *request.method() != Method::HEAD;
    if changes && !request.headers().contains_key(GUARD_HEADER) {
        let why = "a request that changes something needs the header X-Gatewright: 1";
        return refuse(StatusCode::FORBIDDEN, why);
    }
    next.run(request).await
}

/// Whether a request is for this machine by its `Host`, and not for a name that was made to point
/// here.
pub(crate) fn is_for_loopback(headers: &HeaderMap) -> bool {
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or_default();
    if let Ok(address) = host.parse::<SocketAddr>() {
        return address.ip().is_loopback();
    }
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    if let Ok(ip) = bare.parse::<IpAddr>() {
        return ip.is_loopback();
    }
    let name = host.split(':').next().unwrap_or_default();
    name.eq_ignore_ascii_case("localhost")
}

pub(crate) fn refuse(status: StatusCode, why: &str) -> Response {
    (status, Json(json!({ "error": why }))).into_response()
}

async fn health(State(admin): State<Admin>) -> Json<BackendHealth> {
    Json(admin.board.backend_health())
}

async fn health_on_demand(State(admin): State<Admin>, body: Bytes) -> Response {
    let body: Value = match serde_json::from_slice(&body) {
        Ok(body) => body,
        Err(error) => {
            let why = format!("the body is not JSON: {error}");
            return refuse(StatusCode::BAD_REQUEST, &why);
        }
    };
    match admin.board.health_on_demand(&body).await {
        Ok(report) => Json(report).into_response(),
        Err(diagnostics) => {
            let of_body = |one| Finding::from_diagnostic("body", one).to_string();
            let found: Vec<String> = diagnostics.into_iter().map(of_body).collect();
            refuse(StatusCode::BAD_REQUEST, &found.join("; "))
        }
    }
}

#[derive(Deserialize)]
struct OfGateway {
    /// Its name or id; may be absent where there is one.
    #[serde(default)]
    gateway: String,
}

async fn evidence(State(admin): State<Admin>, Query(of): Query<OfGateway>) -> Response {
    let files = tokio::task::block_in_place(|| live_evidence::files(&admin.board, &of.gateway));
    match files {
        Ok(files) => Json(files).into_response(),
        Err(why) => refuse(StatusCode::NOT_FOUND, &why),
    }
}

#[derive(Deserialize)]
struct OfRequest {
    /// Without one, the last requests that failed are listed.
    trace: Option<String>,
}

async fn why(State(admin): State<Admin>, Query(of): Query<OfRequest>) -> Response {
    let told = tokio::task::block_in_place(|| match &of.trace {
        Some(trace) => request_story::tell(&admin.board, trace),
        None => Ok(request_story::failures(&admin.board)),
    });
    match told {
        Ok(story) => Json(story).into_response(),
        Err(why) => refuse(StatusCode::NOT_FOUND, &why),
    }
}

async fn status(State(admin): State<Admin>) -> Json<Value> {
    Json(admin.board.report())
}

async fn reload(State(admin): State<Admin>) -> Response {
    let (reply, answer) = oneshot::channel();
    if admin.reloads.try_send(reply).is_err() {
        return refuse(
            StatusCode::SERVICE_UNAVAILABLE,
            "the node is busy or on its way out",
        );
    }
    match answer.await {
        Ok(Ok(applied)) => Json(json!({
            "revision": applied.revision,
            "diagnostics": applied.findings,
        }))
        .into_response(),
        Ok(Err(refused)) => {
            let body = json!({
                "revision": refused.revision,
                "error": refused.why,
                "diagnostics": refused.findings,
            });
            (StatusCode::CONFLICT, Json(body)).into_response()
        }
        Err(_) => refuse(
            StatusCode::SERVICE_UNAVAILABLE,
            "the node is on its way out",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_hosts_are_for_us() {
        let is_ours = |host: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, host.parse().unwrap());
            is_for_loopback(&headers)
        };
        for host in [
            "127.0.0.1:9440",
            "127.0.0.1",
            "[::1]:9440",
            "[::1]",
            "LocalHost:1",
        ] {
            assert!(is_ours(host), "{host}");
        }
        for host in [
            "evil.test:9440",
            "10.0.0.1",
            "localhost.evil.test",
            "",
            "127.0.0.1.nip.io",
        ] {
            assert!(!is_ours(host), "{host}");
        }
        assert!(!is_for_loopback(&HeaderMap::new()));
    }
}
