//! Streamable HTTP, for this machine alone.
//!
//! What keeps web pages in this machine's browser out is that the `Host` must be a loopback one and
//! that no `Origin` is taken: clients that are no browser send none. What keeps other users of this
//! machine out is a token, where there is one.

use std::fs::File;
use std::io::Read as _;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use tokio::net::TcpListener;
use zeroize::Zeroizing;

use crate::admin::{is_for_loopback, is_same, refuse};
use crate::output;
use crate::sentence::Sentence;

use super::MESSAGE_BYTES_MAX;
use super::server::Server;

/// Shortest and longest token, in bytes.
const TOKEN_BYTES_MIN: usize = 16;
const TOKEN_BYTES_MAX: usize = 1_024;

type Token = Option<Zeroizing<String>>;

/// The token in a file, without the white space around it.
///
/// # Errors
/// When there is none that keeps anybody out.
pub(super) fn read_token(path: &Path) -> Result<Zeroizing<String>, Sentence> {
    let cannot = |why: String| {
        Sentence::new(format!(
            "the token file {} is of no use: {why}",
            path.display()
        ))
    };
    let mut text = Zeroizing::new(String::new());
    let most = TOKEN_BYTES_MAX as u64 + 1;
    let file = File::open(path).map_err(|error| cannot(error.to_string()))?;
    let read = file.take(most).read_to_string(&mut text);
    read.map_err(|error| cannot(error.to_string()))?;
    let token = Zeroizing::new(text.trim().to_owned());
    let is_plain = token.bytes().all(|byte| byte.is_ascii_graphic());
    match token.len() {
        TOKEN_BYTES_MIN..=TOKEN_BYTES_MAX if is_plain => Ok(token),
        TOKEN_BYTES_MIN..=TOKEN_BYTES_MAX => Err(cannot(
            "it has other characters than printable ASCII ones, or spaces".to_owned(),
        )),
        length => Err(cannot(format!(
            "a token has {TOKEN_BYTES_MIN} to {TOKEN_BYTES_MAX} characters, and this one has \
             {length}; `openssl rand -hex 32` makes one"
        ))),
    }
}

/// Answers on `address` until the process ends.
pub(super) async fn serve(
    server: Server,
    address: SocketAddr,
    token: Token,
) -> Result<(), Sentence> {
    let cannot = |error| Sentence::new(format!("the address {address} cannot be had: {error}"));
    let listener = TcpListener::bind(address).await.map_err(cannot)?;
    let bound = listener.local_addr().map_err(cannot)?;
    // The guard looks at the host: it knows all loopback addresses.
    let config = StreamableHttpServerConfig::default()
        .disable_allowed_hosts()
        .enforce_origin_validation()
        .with_max_request_body_bytes(MESSAGE_BYTES_MAX);
    let clients = Arc::new(LocalSessionManager::default());
    let service = StreamableHttpService::new(move || Ok(server.clone()), clients, config);
    let router = Router::new()
        .route_service("/mcp", service)
        .fallback(|| async { refuse(StatusCode::NOT_FOUND, "there is /mcp") })
        .layer(middleware::from_fn_with_state(Arc::new(token), guard));
    output::line(format_args!("ready: http://{bound}/mcp"));
    let served = axum::serve(listener, router).await;
    served.map_err(|error| Sentence::new(format!("{bound} does not answer any more: {error}")))
}

async fn guard(State(token): State<Arc<Token>>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    if !is_for_loopback(headers) {
        let why = "the request's Host is not a loopback address";
        return refuse(StatusCode::FORBIDDEN, why);
    }
    if headers.contains_key(header::ORIGIN) {
        let why = "requests of web pages, which have an Origin, are not taken";
        return refuse(StatusCode::FORBIDDEN, why);
    }
    if !is_admitted(headers, token.as_ref().as_ref().map(|token| token.as_str())) {
        let why = "this needs the token, as the header Authorization: Bearer TOKEN";
        let challenge = [(header::WWW_AUTHENTICATE, "Bearer")];
        return (challenge, refuse(StatusCode::UNAUTHORIZED, why)).into_response();
    }
    next.run(request).await
}

fn is_admitted(headers: &HeaderMap, token: Option<&str>) -> bool {
    let Some(token) = token else {
        return true;
    };
    let given = headers.get(header::AUTHORIZATION);
    let given = given.and_then(|given| given.as_bytes().split_at_checked("Bearer ".len()));
    given.is_some_and(|(scheme, given)| {
        scheme.eq_ignore_ascii_case(b"Bearer ") && is_same(given, token.as_bytes())
    })
}
