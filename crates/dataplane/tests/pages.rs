//! Answers that the configuration words: custom error pages and redirects; and the override path.

mod support;

use bytes::Bytes;
use gatewright_snapshot::{
    Action, BackendSetting, ErrorPage, Member, PathMap, PathMapIndex, PathTableBuilder, Redirect,
    RedirectTarget, Route, RouteIndex, Routing, Scheme,
};
use gatewright_testkit::backend::{Backend, Manners};
use support::{Setup, TestGateway, logical, setting};

const GET: &str = "GET / HTTP/1.1\r\nHost: a.com\r\n\r\n";
const PAGE_502: &str = "https://pages.contoso.com/502.html";
const PAGE_404: &str = "https://pages.contoso.com/404.html";

fn error_page(status: u16, url: &str) -> ErrorPage {
    ErrorPage {
        status,
        url: url.into(),
    }
}

#[tokio::test]
async fn a_published_page_replaces_what_the_gateway_would_say() {
    let backend = Backend::with(Manners::Status(502))
        .on_path("/rude", Manners::Garbage)
        .start()
        .await
        .unwrap();
    let mut setup = Setup::default();
    let upstream = setup.upstream([Member::Ip(logical(0))], setting());
    let endpoint = setup.endpoint(80, Scheme::Http);
    let with = setup.listener(endpoint, &["a.com"], Action::Forward(upstream));
    setup.listener(endpoint, &["b.com"], Action::Forward(upstream));
    setup.snapshot.listeners[with.position()].error_pages =
        vec![error_page(502, PAGE_502), error_page(404, PAGE_404)];
    let gateway = TestGateway::start(&[&backend], setup).await;
    let ask = |host: &str, path: &str| {
        let text = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n");
        gateway.ask(text)
    };
    // Configured, not fetched yet.
    assert!(ask("a.com", "/rude").await.text().contains("<h1>502 Bad"));
    let page = Bytes::from_static(b"<p>Sorry, not now.</p>");
    gateway.plane.publish_error_page(PAGE_502, page.clone());
    let replaced = ask("a.com", "/rude").await;
    assert_eq!(
        (replaced.status, replaced.body.as_slice()),
        (502, &page[..])
    );
    assert_eq!(replaced.header("content-type"), Some("text/html"));
    assert_eq!(
        replaced.header("server"),
        Some("Microsoft-Azure-Application-Gateway/v2")
    );
    assert!(ask("b.com", "/rude").await.text().contains("<h1>502 Bad"));
    let own = ask("a.com", "/").await;
    assert_eq!(own.status, 502);
    assert!(
        !own.text().contains("Sorry"),
        "a backend's own error passes"
    );
    assert_eq!(own.header("server"), None);
    // Where no listener has the request, the pages of the endpoint's first one count.
    gateway
        .plane
        .publish_error_page(PAGE_404, Bytes::from_static(b"nobody here"));
    assert_eq!(ask("c.com", "/").await.text(), "nobody here");
    // A HEAD is told the length alone.
    let mut client = gateway
        .client_sending("HEAD /rude HTTP/1.1\r\nHost: a.com\r\n\r\n")
        .await;
    let head = client.read_response_to_head().await.unwrap();
    assert_eq!(head.header("content-length"), Some("22"));
    client.send(GET.as_bytes()).await.unwrap();
    assert_eq!(client.read_response().await.unwrap().status, 502);
}

fn to_url(url: &str, include_path: bool, include_query: bool) -> Redirect {
    Redirect {
        status: 301,
        target: RedirectTarget::Url(url.into()),
        include_path,
        include_query,
    }
}

fn to_listener(scheme: Scheme, host: Option<&str>, port: u16, both: bool) -> Redirect {
    Redirect {
        status: 302,
        target: RedirectTarget::Listener {
            scheme,
            host: host.map(str::to_owned),
            port,
        },
        include_path: both,
        include_query: both,
    }
}

async fn redirecting(redirect: Redirect) -> TestGateway {
    let mut setup = Setup::default();
    let endpoint = setup.endpoint(80, Scheme::Http);
    setup.listener(endpoint, &[], Action::Redirect(redirect));
    TestGateway::start(&[], setup).await
}

#[tokio::test]
async fn redirects_have_their_type_and_leave_the_connection_open() {
    for (status, reason) in [
        (301, "Moved Permanently"),
        (302, "Found"),
        (303, "See Other"),
        (307, "Temporary Redirect"),
    ] {
        let redirect = Redirect {
            status,
            ..to_url("https://b.com", true, true)
        };
        let mut gateway = redirecting(redirect).await;
        let mut client = gateway.client().await;
        for _ in 0..2 {
            client.send(GET.as_bytes()).await.unwrap();
            let response = client.read_response().await.unwrap();
            assert_eq!(
                (response.status, response.reason.as_str()),
                (status, reason)
            );
            assert_eq!(response.header("location"), Some("https://b.com/"));
            assert_eq!(
                response.header("server"),
                Some("Microsoft-Azure-Application-Gateway/v2")
            );
            assert!(response.text().contains(&format!("<h1>{status} {reason}")));
            let record = gateway.next_record().await;
            assert_eq!((record.status, record.failure), (status, None));
            assert_eq!(record.attempts[0], None);
        }
        client
            .send(b"HEAD / HTTP/1.1\r\nHost: a.com\r\n\r\n")
            .await
            .unwrap();
        let head = client.read_response_to_head().await.unwrap();
        assert_eq!(
            (head.status, head.header("location")),
            (status, Some("https://b.com/"))
        );
        client.send(GET.as_bytes()).await.unwrap();
        assert_eq!(client.read_response().await.unwrap().status, status);
        // A body that is not read could be taken for the next request.
        client
            .send(b"POST / HTTP/1.1\r\nHost: a.com\r\nContent-Length: 3\r\n\r\nabc")
            .await
            .unwrap();
        let response = client.read_response().await.unwrap();
        assert_eq!(response.header("connection"), Some("close"));
    }
}

/// Holds that a request for `target` at a.com:81 is sent to `expected`.
async fn check_location(redirect: Redirect, target: &str, expected: &str) {
    let name = format!("{redirect:?} {target}");
    let gateway = redirecting(redirect).await;
    let text = format!("GET {target} HTTP/1.1\r\nHost: a.com:81\r\n\r\n");
    let response = gateway.ask(text).await;
    assert_eq!(response.header("location"), Some(expected), "{name}");
}

#[tokio::test]
async fn redirects_to_a_url_carry_what_they_should() {
    for (url, path, query, target, expected) in [
        ("https://b.com", false, false, "/x?z=1", "https://b.com"),
        (
            "https://b.com",
            true,
            false,
            "/x/y?z=1",
            "https://b.com/x/y",
        ),
        ("https://b.com", false, true, "/x?z=1", "https://b.com?z=1"),
        ("https://b.com", true, true, "/x?z=1", "https://b.com/x?z=1"),
        ("https://b.com/", true, true, "/x", "https://b.com/x"),
        ("https://b.com/c", true, true, "/x?", "https://b.com/c/x?"),
        (
            "https://b.com/?k",
            false,
            true,
            "/x?z",
            "https://b.com/?k&z",
        ),
        (
            "https://b.com",
            true,
            true,
            "/%2E//a",
            "https://b.com/%2E//a",
        ),
    ] {
        check_location(to_url(url, path, query), target, expected).await;
    }
}

#[tokio::test]
async fn redirects_to_a_listener_carry_what_they_should() {
    let (http, https, b) = (Scheme::Http, Scheme::Https, Some("b.com"));
    for (scheme, host, port, both, target, expected) in [
        (https, None, 443, true, "/x?z", "https://a.com/x?z"),
        (https, None, 8443, true, "/x?z", "https://a.com:8443/x?z"),
        (http, None, 80, true, "//b.com/", "http://a.com//b.com/"),
        (https, b, 443, true, "/x", "https://b.com/x"),
        (http, b, 8080, true, "/", "http://b.com:8080/"),
        (https, b, 443, false, "/x?z", "https://b.com/"),
    ] {
        check_location(to_listener(scheme, host, port, both), target, expected).await;
    }
}

/// The table of the service's documentation, by way of a path map.
#[tokio::test]
async fn the_override_path_stands_in_for_what_a_pattern_spells() {
    let backend = Backend::start(Manners::Echo).await.unwrap();
    for (pattern, sent, expected) in [
        (None, "/home/", "/override/home/"),
        (
            None,
            "/home/secondhome/?q=1",
            "/override/home/secondhome/?q=1",
        ),
        (Some("/pathrule*"), "/pathrule/home/", "/override/home/"),
        (
            Some("/pathrule*"),
            "/pathrule/home/secondhome/",
            "/override/home/secondhome/",
        ),
        (Some("/pathrule*"), "/home/", "/override/home/"),
        (Some("/pathrule/home*"), "/pathrule/home/", "/override/"),
        (
            Some("/pathrule/home*"),
            "/pathrule/home/secondhome/",
            "/override/secondhome/",
        ),
        (Some("/pathrule/"), "/pathrule/?q", "/override/?q"),
    ] {
        let mut setup = Setup::default();
        let overriding = BackendSetting {
            path: Some("/override/".into()),
            ..setting()
        };
        let upstream = setup.upstream([Member::Ip(logical(0))], overriding);
        let endpoint = setup.endpoint(80, Scheme::Http);
        let listener = setup.listener(endpoint, &[], Action::Forward(upstream));
        if let Some(pattern) = pattern {
            by_path(&mut setup, listener, pattern, Action::Forward(upstream));
        }
        backend.forget();
        let mut gateway = TestGateway::start(&[&backend], setup).await;
        let text = format!("GET {sent} HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(gateway.ask(text).await.status, 200);
        let seen = backend.requests().remove(0);
        assert_eq!(seen.target, expected, "{pattern:?} {sent}");
        assert_eq!(seen.header("x-original-url"), Some(sent));
        let seen = gateway.records(1).await.remove(0);
        assert_eq!(seen.target, sent);
    }
}

/// Lets a path map with one rule decide, whose default is the listener's route.
fn by_path(
    setup: &mut Setup,
    listener: gatewright_snapshot::ListenerIndex,
    pattern: &str,
    action: Action,
) {
    let snapshot = &mut setup.snapshot;
    let mut table = PathTableBuilder::default();
    table.add(pattern, 0);
    snapshot.path_maps.push(PathMap {
        name: "map".into(),
        gateway: gatewright_snapshot::GatewayIndex::new(0),
        table: table.build(),
    });
    let default = RouteIndex::new(listener.position());
    snapshot.routes.push(Route {
        listener,
        rule: "rule".into(),
        path_rule: Some("paths".into()),
        action,
    });
    snapshot.listeners[listener.position()].routing = Routing::ByPath {
        map: PathMapIndex::new(0),
        first: RouteIndex::new(snapshot.routes.len() - 1),
        default,
    };
}
