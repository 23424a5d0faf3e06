//! The front of App Service: one address at which every site answers, told apart by Host.
//!
//! It speaks HTTP and, where a client begins with TLS, HTTPS with a certificate of this
//! installation's authority for `*.azurewebsites.net`, as the service does for every name that has
//! no certificate of its own. It listens on a loopback address: whoever reaches it is on this
//! machine, and is taken for the gateway that has the site in a backend pool.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gatewright_arm::{ArmError, ResourceId};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsAcceptor;

use super::config::RESTRICTIONS;
use super::restrictions::{self, Visitor};
use super::{DOMAIN, bindings, pages};
use crate::core::Core;
use crate::providers::network::GATEWAYS;
use crate::resources::document::Document;

/// Most connections at a time; the next one waits.
const CONNECTIONS_MAX: usize = 512;

/// How long a client may take to begin, and to shake hands.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a client may take to send a request's head, the wait for it included.
const HEAD_TIMEOUT: Duration = Duration::from_secs(120);

/// Pause after a failed accept.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The first byte of a TLS record that begins a handshake (RFC 8446, section 5.1).
const TLS_HANDSHAKE: u8 = 22;

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// No site has this host name: 404.
    NoSuchSite,
    /// The site is stopped: 403.
    Stopped,
    /// Its access restrictions keep this address out: 403.
    Forbidden(IpAddr),
    /// It wants HTTPS: 301.
    WantsHttps,
    Served,
}

/// What App Service does with a request for `host`, by the site that it found, if any.
pub(crate) fn front(
    site: Option<&Value>,
    host: &str,
    visitor: &Visitor<'_>,
    is_tls: bool,
) -> Verdict {
    let named =
        |site: &&Value| bindings::host_names(site).any(|name| name.eq_ignore_ascii_case(host));
    let Some(site) = site.filter(named) else {
        return Verdict::NoSuchSite;
    };
    let properties = site.get("properties").unwrap_or(&Value::Null);
    if properties.get("state").and_then(Value::as_str) == Some("Stopped") {
        return Verdict::Stopped;
    }
    let config = properties.get("siteConfig").unwrap_or(&Value::Null);
    let [(list, stated), _] = RESTRICTIONS;
    let rules = config.get(list).unwrap_or(&Value::Null);
    let stated = config.get(stated).and_then(Value::as_str);
    if !restrictions::lets_in(rules, stated, visitor) {
        return Verdict::Forbidden(visitor.address);
    }
    match properties.get("httpsOnly") == Some(&Value::Bool(true)) && !is_tls {
        true => Verdict::WantsHttps,
        false => Verdict::Served,
    }
}

/// The names that the front's certificate has.
pub(crate) fn names() -> Vec<String> {
    vec![format!("*.{DOMAIN}"), format!("*.scm.{DOMAIN}")]
}

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
                tracing::warn!("the front of App Service cannot accept: {error}");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let (core, acceptor, stop) = (Arc::clone(&core), acceptor.clone(), stop.clone());
        tokio::spawn(async move {
            begin(stream, peer, acceptor, core, stop).await;
            drop(place);
        });
    }
}

/// Looks at the first byte: TLS, or HTTP.
async fn begin(
    stream: TcpStream,
    peer: SocketAddr,
    acceptor: TlsAcceptor,
    core: Arc<Core>,
    stop: watch::Receiver<bool>,
) {
    let _ = stream.set_nodelay(true);
    let mut first = [0];
    let peeked = tokio::time::timeout(HANDSHAKE_TIMEOUT, stream.peek(&mut first)).await;
    match (peeked, first) {
        (Ok(Ok(1)), [TLS_HANDSHAKE]) => {
            let handshake = tokio::time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream));
            match handshake.await {
                Ok(Ok(stream)) => converse(stream, peer, true, core, stop).await,
                Ok(Err(error)) => tracing::debug!("{peer}: the TLS handshake failed: {error}"),
                Err(_) => tracing::debug!("{peer}: the TLS handshake took too long"),
            }
        }
        (Ok(Ok(1)), _) => converse(stream, peer, false, core, stop).await,
        _ => tracing::debug!("{peer}: the client did not begin"),
    }
}

async fn converse(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: SocketAddr,
    is_tls: bool,
    core: Arc<Core>,
    mut stop: watch::Receiver<bool>,
) {
    let service = service_fn(move |request: Request<Incoming>| {
        let core = Arc::clone(&core);
        async move { Ok::<_, Infallible>(answer(&core, &request, peer, is_tls).await) }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
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

/// The request's host without its port, in lower case.
fn host_of(request: &Request<Incoming>) -> String {
    let header = request
        .headers()
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    let host = request.uri().host().or(header).unwrap_or_default();
    let host = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    host.to_ascii_lowercase()
}

async fn answer(
    core: &Core,
    request: &Request<Incoming>,
    peer: SocketAddr,
    is_tls: bool,
) -> Response<Full<Bytes>> {
    let host = host_of(request);
    let found = core.site_of_host(&host).await;
    let (site, origin) = match found {
        Ok(Some(site)) => {
            let origin = origin(core, &site, peer.ip()).await;
            (Some(site), origin)
        }
        Ok(None) => (None, Ok(Origin::plain(peer.ip()))),
        Err(error) => (None, Err(error)),
    };
    let origin = match origin {
        Ok(origin) => origin,
        Err(error) => {
            tracing::error!("a site cannot be looked up: {}", error.message);
            return respond(StatusCode::INTERNAL_SERVER_ERROR, String::new());
        }
    };
    let header = |name: &str| values(request.headers(), name);
    let visitor = Visitor {
        address: origin.address,
        subnet: origin.subnet.as_deref(),
        header: &header,
    };
    let body = site.as_ref().map(|site| &*site.body);
    let path = request
        .uri()
        .path_and_query()
        .map_or("/", |path| path.as_str());
    match front(body, &host, &visitor, is_tls) {
        Verdict::NoSuchSite => respond(StatusCode::NOT_FOUND, pages::not_found()),
        Verdict::Stopped => reasoned("Site Disabled", pages::stopped()),
        Verdict::Forbidden(address) => {
            let mut response = reasoned("Ip Forbidden", pages::forbidden());
            if let Ok(value) = HeaderValue::from_str(&address.to_string()) {
                response.headers_mut().insert("x-ms-forbidden-ip", value);
            }
            response
        }
        Verdict::WantsHttps => {
            let mut response = respond(StatusCode::MOVED_PERMANENTLY, String::new());
            if let Ok(value) = HeaderValue::from_str(&format!("https://{host}{path}")) {
                response.headers_mut().insert(header::LOCATION, value);
            }
            response
        }
        Verdict::Served => {
            let name = site
                .as_ref()
                .and_then(|site| site.id.name())
                .unwrap_or_default();
            respond(StatusCode::OK, pages::served(name, path))
        }
    }
}

fn values(headers: &HeaderMap, name: &str) -> Vec<String> {
    let all = headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok());
    all.map(str::to_owned).collect()
}

fn respond(status: StatusCode, page: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(page)));
    *response.status_mut() = status;
    let html = HeaderValue::from_static("text/html; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, html);
    response
}

/// 403 with the service's own reason.
fn reasoned(reason: &'static str, page: String) -> Response<Full<Bytes>> {
    let mut response = respond(StatusCode::FORBIDDEN, page);
    let reason = hyper::ext::ReasonPhrase::from_static(reason.as_bytes());
    response.extensions_mut().insert(reason);
    response
}

/// Where a request comes from, as App Service sees it.
struct Origin {
    address: IpAddr,
    subnet: Option<String>,
}

impl Origin {
    fn plain(address: IpAddr) -> Self {
        Self {
            address,
            subnet: None,
        }
    }
}

/// A client on this machine is the first gateway, by its id, that has the site in a pool: it comes
/// from that gateway's public address, and from its subnet where that has an endpoint for App
/// Service. Where no gateway has it, the client is who it is.
async fn origin(core: &Core, site: &Document, peer: IpAddr) -> Result<Origin, ArmError> {
    let mut origin = Origin::plain(peer);
    if !peer.to_canonical().is_loopback() {
        return Ok(origin);
    }
    for known in core.inventory.of_type(GATEWAYS) {
        let Some(gateway) = core.document(&known.id).await? else {
            continue;
        };
        if !has_in_a_pool(&gateway.body, &site.body) {
            continue;
        }
        if let Some(address) = public_address(core, &gateway.body).await? {
            origin.address = address;
        }
        origin.subnet = endpoint(core, &gateway.body).await?;
        break;
    }
    Ok(origin)
}

fn items<'a>(gateway: &'a Value, collection: &str) -> impl Iterator<Item = &'a Value> {
    let items = gateway.pointer(&format!("/properties/{collection}"));
    items.and_then(Value::as_array).into_iter().flatten()
}

fn has_in_a_pool(gateway: &Value, site: &Value) -> bool {
    let addresses = items(gateway, "backendAddressPools")
        .filter_map(|pool| pool.pointer("/properties/backendAddresses")?.as_array());
    addresses.flatten().any(|server| {
        let fqdn = server
            .get("fqdn")
            .and_then(Value::as_str)
            .unwrap_or_default();
        bindings::host_names(site).any(|name| name.eq_ignore_ascii_case(fqdn))
    })
}

async fn public_address(core: &Core, gateway: &Value) -> Result<Option<IpAddr>, ArmError> {
    for frontend in items(gateway, "frontendIPConfigurations") {
        let id = frontend
            .pointer("/properties/publicIPAddress/id")
            .and_then(Value::as_str);
        let Some(id) = id.and_then(|id| ResourceId::parse(id).ok()) else {
            continue;
        };
        let address = core.document(&id).await?;
        let address = address
            .as_ref()
            .and_then(|one| one.text("/properties/ipAddress"));
        if let Some(address) = address.and_then(|text| text.parse().ok()) {
            return Ok(Some(address));
        }
    }
    Ok(None)
}

/// The gateway's subnet, where it has an endpoint for App Service.
async fn endpoint(core: &Core, gateway: &Value) -> Result<Option<String>, ArmError> {
    for configuration in items(gateway, "gatewayIPConfigurations") {
        let id = configuration
            .pointer("/properties/subnet/id")
            .and_then(Value::as_str);
        let Some(subnet) = id.and_then(|id| ResourceId::parse(id).ok()) else {
            continue;
        };
        let Some(network) = subnet.parent() else {
            continue;
        };
        let Some(network) = core.document(&network).await? else {
            continue;
        };
        let name = subnet.name().unwrap_or_default();
        let found = crate::resources::remove::part(&network.body, "subnets", name);
        let endpoints = found.and_then(|one| one.pointer("/properties/serviceEndpoints"));
        let mut endpoints = endpoints.and_then(Value::as_array).into_iter().flatten();
        let is_for_us = endpoints.any(|one| {
            let service = one
                .get("service")
                .and_then(Value::as_str)
                .unwrap_or_default();
            service.eq_ignore_ascii_case("Microsoft.Web")
        });
        if is_for_us {
            return Ok(Some(subnet.to_string()));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_site_answers_to_its_names_alone_and_to_those_it_lets_in() {
        let site = |state: &str, https_only: bool, rules: Value| {
            json!({"properties": {
                "hostNames": ["app.azurewebsites.net", "www.contoso.test"],
                "state": state,
                "httpsOnly": https_only,
                "siteConfig": {"ipSecurityRestrictions": rules},
            }})
        };
        let rule = json!([{"ipAddress": "203.0.113.0/24", "action": "Allow", "priority": 1}]);
        let open = site("Running", false, json!([]));
        let closed = site("Running", false, rule);
        let stopped = site("Stopped", false, json!([]));
        let secure = site("Running", true, json!([]));
        let (inside, outside) = ("203.0.113.9", "198.51.100.1");
        let forbidden = Verdict::Forbidden(outside.parse().unwrap());
        for (site, host, address, is_tls, expected) in [
            (
                Some(&open),
                "app.azurewebsites.net",
                outside,
                false,
                Verdict::Served,
            ),
            (
                Some(&open),
                "WWW.contoso.test",
                outside,
                false,
                Verdict::Served,
            ),
            (
                Some(&open),
                "gateway.contoso.test",
                outside,
                false,
                Verdict::NoSuchSite,
            ),
            (
                None,
                "app.azurewebsites.net",
                outside,
                false,
                Verdict::NoSuchSite,
            ),
            (
                Some(&closed),
                "app.azurewebsites.net",
                inside,
                false,
                Verdict::Served,
            ),
            (
                Some(&closed),
                "app.azurewebsites.net",
                outside,
                false,
                forbidden,
            ),
            (
                Some(&stopped),
                "app.azurewebsites.net",
                inside,
                false,
                Verdict::Stopped,
            ),
            (
                Some(&secure),
                "app.azurewebsites.net",
                inside,
                false,
                Verdict::WantsHttps,
            ),
            (
                Some(&secure),
                "app.azurewebsites.net",
                inside,
                true,
                Verdict::Served,
            ),
        ] {
            let visitor = Visitor {
                address: address.parse().unwrap(),
                subnet: None,
                header: &|_| Vec::new(),
            };
            assert_eq!(
                front(site, host, &visitor, is_tls),
                expected,
                "{host} {address}"
            );
        }
    }
}
