//! Whose a request is, also one that is refused: its listener's page and labels; and what a
//! connection may expect after it.

mod support;

use std::time::{Duration, Instant};

use bytes::Bytes;
use gatewright_snapshot::{
    Action, BackendSetting, ErrorPage, Idle, Member, Redirect, RedirectTarget, Scheme,
};
use gatewright_telemetry::{Failure, HttpVersion};
use gatewright_testkit::backend::{Backend, Manners};
use support::{Setup, TestGateway, logical, setting};

const GET: &str = "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n";
const SECOND: Duration = Duration::from_secs(1);

/// One endpoint with the listeners a.test and b.test, each with a page of its own for 400.
fn tenants() -> Setup {
    let mut setup = Setup::default();
    let upstream = setup.upstream([Member::Ip(logical(0))], setting());
    let endpoint = setup.endpoint(80, Scheme::Http);
    for host in ["a.test", "b.test"] {
        let listener = setup.listener(endpoint, &[host], Action::Forward(upstream));
        setup.snapshot.listeners[listener.position()].error_pages = vec![ErrorPage {
            status: 400,
            url: format!("https://pages.test/{host}"),
        }];
    }
    setup
}

#[tokio::test]
async fn a_refused_request_is_still_its_listeners() {
    let backend = Backend::start(Manners::Named).await.unwrap();
    let mut gateway = TestGateway::start(&[&backend], tenants()).await;
    for host in ["a.test", "b.test"] {
        let page = Bytes::from(format!("page of {host}"));
        let url = format!("https://pages.test/{host}");
        gateway.plane.publish_error_page(&url, page);
    }
    let refused = [
        "POST /x?y HTTP/1.1\r\nHost: b.test\r\nUser-Agent: me\r\n\r\n",
        "GET /x?y HTTP/1.1\r\nHost: b.test\r\nAuthorization: a\r\nAuthorization: b\r\n\
         User-Agent: me\r\n\r\n",
    ];
    for head in refused {
        let answer = gateway.ask(head).await;
        assert_eq!(
            (answer.status, answer.text().as_str()),
            (400, "page of b.test"),
            "{head}"
        );
    }
    let seen = gateway.records(refused.len()).await;
    assert!(seen.iter().all(|one| one.target == "/x?y"), "{seen:?}");
    let record = seen[0].record;
    assert_ne!(
        record.labels,
        gateway_labels(&mut gateway).await,
        "the listener's, not its own"
    );
    // Two hosts are nobody's: the endpoint's first has to do.
    let nobodys = gateway
        .ask("GET / HTTP/1.1\r\nHost: b.test\r\nHost: a.test\r\n\r\n")
        .await;
    assert_eq!(nobodys.text(), "page of a.test");
}

/// The labels of a request that reached no listener.
async fn gateway_labels(gateway: &mut TestGateway) -> gatewright_telemetry::LabelId {
    let answer = gateway.ask("GET / HTTP/1.1\r\nHost: c.test\r\n\r\n").await;
    assert_eq!(answer.status, 404);
    let seen = gateway.records(3).await;
    seen[2].record.labels
}

#[tokio::test]
async fn the_version_of_a_refused_request_is_its_own() {
    let backend = Backend::start(Manners::Named).await.unwrap();
    let mut gateway = TestGateway::start(&[&backend], Setup::basic(1)).await;
    assert_eq!(gateway.ask("GET / HTTP/1.0\r\n\r\n").await.status, 400);
    assert_eq!(gateway.next_record().await.version, HttpVersion::Http10);
}

#[tokio::test]
async fn a_stopped_gateway_answers_the_same_to_hosts_that_it_does_not_know() {
    let backend = Backend::start(Manners::Named).await.unwrap();
    let mut setup = tenants();
    setup.snapshot.gateways[0].idle = Some(Idle::Stopped);
    let mut gateway = TestGateway::start(&[&backend], setup).await;
    for host in ["a.test", "c.test"] {
        let head = format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
        assert_eq!(gateway.ask(head).await.status, 502, "{host}");
        let failure = gateway.next_record().await.failure;
        assert_eq!(failure, Some(Failure::GatewayStopped));
    }
}

#[tokio::test]
async fn an_absolute_target_may_name_the_port_that_its_scheme_leaves_out() {
    let backend = Backend::start(Manners::Named).await.unwrap();
    let gateway = TestGateway::start(&[&backend], Setup::basic(1)).await;
    for (target, host, status) in [
        ("http://a.test:80/x", "a.test", 200),
        ("http://a.test/x", "A.test:80", 200),
        ("http://a.test:81/x", "a.test", 400),
        ("http://b.test/x", "a.test", 400),
        ("http://a.test:443/x", "a.test", 400),
    ] {
        let head = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n");
        assert_eq!(gateway.ask(head).await.status, status, "{target} at {host}");
    }
}

#[tokio::test]
async fn what_is_no_host_is_refused() {
    let backend = Backend::start(Manners::Named).await.unwrap();
    let gateway = TestGateway::start(&[&backend], Setup::basic(1)).await;
    let hosts = [
        "a:0",
        "a:65536",
        "a:99999",
        "[:::::]",
        "[1.2.3.4]",
        "..",
        ".a.test",
        "a..test",
    ];
    for host in hosts {
        let head = format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
        assert_eq!(gateway.ask(head).await.status, 400, "{host}");
    }
    for host in ["a:", "a:65535", "[::1]:1", "a.test."] {
        let head = format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
        assert_eq!(gateway.ask(head).await.status, 200, "{host}");
    }
}

#[tokio::test]
async fn empty_lines_between_requests_are_no_request() {
    let backend = Backend::start(Manners::Named).await.unwrap();
    let mut gateway = TestGateway::start(&[&backend], Setup::basic(1)).await;
    let mut client = gateway.client_sending(GET).await;
    assert_eq!(client.read_response().await.unwrap().status, 200);
    for piece in ["\r", "\n\r\n", GET] {
        client.send(piece.as_bytes()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(client.read_response().await.unwrap().status, 200);
    client.send(b"\r\n").await.unwrap();
    drop(client);
    let seen = gateway.records(2).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(seen.len(), 2, "and no record of a request that never began");
}

#[tokio::test]
async fn a_server_that_speaks_another_protocol_is_told_at_once() {
    let manners = Manners::StaticBytes {
        bytes: b"SSH-2.0-OpenSSH_9.6\r\n".to_vec(),
        close: false,
    };
    let backend = Backend::start(manners).await.unwrap();
    let mut gateway = TestGateway::start(&[&backend], Setup::basic(1)).await;
    let began = Instant::now();
    assert_eq!(gateway.ask(GET).await.status, 502);
    assert!(
        began.elapsed() < setting().request_timeout,
        "not by a time-out"
    );
    let failure = gateway.next_record().await.failure;
    assert_eq!(failure, Some(Failure::BackendHeadInvalid));
}

#[tokio::test]
async fn interim_answers_give_a_server_no_more_time() {
    let interim = Manners::Interim {
        status: 102,
        headers: Vec::new(),
        times: 8,
        then: Box::new(Manners::BlackHole),
    };
    // Each of its bytes takes a while, so that the interim answers come over seconds.
    let backend = Backend::start(Manners::dribbling(Duration::from_millis(20), interim)).await;
    let backend = backend.unwrap();
    let patience = BackendSetting {
        request_timeout: SECOND,
        ..setting()
    };
    let gateway = TestGateway::start(&[&backend], Setup::with_setting(1, patience)).await;
    let began = Instant::now();
    assert_eq!(gateway.ask(GET).await.status, 504);
    assert!(began.elapsed() < SECOND * 3, "{:?}", began.elapsed());
}

#[tokio::test]
async fn an_answer_may_have_many_fields() {
    let fields = "X: y\r\n".repeat(300);
    let bytes = format!("HTTP/1.1 200 OK\r\n{fields}Content-Length: 2\r\n\r\nok");
    let manners = Manners::StaticBytes {
        bytes: bytes.into_bytes(),
        close: false,
    };
    let backend = Backend::start(manners).await.unwrap();
    let gateway = TestGateway::start(&[&backend], Setup::basic(1)).await;
    assert_eq!(gateway.ask(GET).await.text(), "ok");
}

#[tokio::test]
async fn a_connection_of_a_removed_endpoint_ends_with_its_next_answer() {
    let backend = Backend::start(Manners::Named).await.unwrap();
    let mut gateway = TestGateway::start(&[&backend], Setup::basic(1)).await;
    let mut client = gateway.client_sending(GET).await;
    assert_eq!(client.read_response().await.unwrap().status, 200);
    let mut elsewhere = Setup::default();
    let upstream = elsewhere.upstream([Member::Ip(logical(0))], setting());
    let endpoint = elsewhere.endpoint(81, Scheme::Http);
    elsewhere.listener(endpoint, &[], Action::Forward(upstream));
    gateway.apply(elsewhere).await;
    client.send(GET.as_bytes()).await.unwrap();
    let answer = client.read_response().await.unwrap();
    assert_eq!(
        (answer.status, answer.header("connection")),
        (404, Some("close"))
    );
    assert!(client.read_to_end(SECOND).await.bytes.is_empty());
}

#[tokio::test]
async fn a_redirect_keeps_its_fragment_at_the_end_and_a_star_is_no_path() {
    let mut setup = Setup::default();
    let endpoint = setup.endpoint(80, Scheme::Http);
    let redirect = Redirect {
        status: 302,
        target: RedirectTarget::Url("https://x.test/app#top".into()),
        include_path: true,
        include_query: true,
    };
    setup.listener(endpoint, &[], Action::Redirect(redirect));
    let gateway = TestGateway::start(&[], setup).await;
    let location = async |line: &str| {
        let head = format!("{line} HTTP/1.1\r\nHost: a.test\r\n\r\n");
        gateway
            .ask(head)
            .await
            .header("location")
            .map(str::to_owned)
    };
    let seen = location("GET /p?q=1").await;
    assert_eq!(seen.as_deref(), Some("https://x.test/app/p?q=1#top"));
    let seen = location("OPTIONS *").await;
    assert_eq!(seen.as_deref(), Some("https://x.test/app/#top"));
}
