//! Every failure that the gateway answers itself: the status, the page, and what the record says.

mod support;

use std::time::Duration;

use gatewright_dataplane::NameServers;
use gatewright_snapshot::{
    Action, BackendProtocol, BackendSetting, Generation, Idle, Member, Scheme,
};
use gatewright_telemetry::{ErrorInfo as Info, Failure};
use gatewright_testkit::backend::{Backend, Manners};
use gatewright_testkit::client::Response;
use gatewright_testkit::resolver::Resolver;
use support::{Setup, TestGateway, logical, setting, until};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const SECOND: Duration = Duration::from_secs(1);

fn impatient() -> BackendSetting {
    BackendSetting {
        request_timeout: SECOND,
        ..setting()
    }
}

/// The head and the page that every error of the gateway has.
fn check_page(response: &Response, status: u16, reason: &str, name: &str) {
    assert_eq!(
        (response.status, response.reason.as_str()),
        (status, reason),
        "{name}"
    );
    let header = |name: &str| response.header(name).unwrap_or("none").to_owned();
    assert_eq!(
        header("server"),
        "Microsoft-Azure-Application-Gateway/v2",
        "{name}"
    );
    assert!(header("date").ends_with(" GMT"), "{name}");
    assert_eq!(header("content-type"), "text/html", "{name}");
    assert_eq!(
        header("content-length"),
        response.body.len().to_string(),
        "{name}"
    );
    let text = response.text();
    for part in [
        format!("<head><title>{status} {reason}</title></head>"),
        format!("<center><h1>{status} {reason}</h1></center>"),
        "<hr><center>Microsoft-Azure-Application-Gateway/v2</center>".to_owned(),
    ] {
        assert!(text.contains(&part), "{name}: {text}");
    }
}

/// A gateway that knows two hosts, in front of a good backend.
async fn of_two_hosts() -> (Backend, TestGateway) {
    let backend = Backend::start(Manners::Echo).await.unwrap();
    let mut setup = Setup::default();
    let upstream = setup.upstream([Member::Ip(logical(0))], setting());
    let endpoint = setup.endpoint(80, Scheme::Http);
    setup.listener(endpoint, &["a", "b.com"], Action::Forward(upstream));
    let gateway = TestGateway::start(&[&backend], setup).await;
    (backend, gateway)
}

/// The status, its words, and the log's name for what a client does wrong.
fn wrongs_answer(failure: Failure) -> (u16, &'static str, Info) {
    match failure {
        Failure::RequestMalformed => (400, "Bad Request", Info::InvalidRequest),
        Failure::HostInvalid => (400, "Bad Request", Info::InvalidHost),
        Failure::UpgradeRefused => (403, "Forbidden", Info::InvalidRequest),
        Failure::NoListener => (404, "Not Found", Info::InvalidHost),
        Failure::MethodTrace => (405, "Method Not Allowed", Info::InvalidMethodTrace),
        Failure::MethodConnect => (405, "Method Not Allowed", Info::InvalidMethod),
        Failure::BodyTooLarge => (413, "Request Entity Too Large", Info::InvalidContentLength),
        Failure::TargetTooLong => (414, "Request-URI Too Large", Info::RequestUriInvalid),
        Failure::ExpectationUnknown => (417, "Expectation Failed", Info::InvalidHeader),
        Failure::HeaderTooLarge => (431, "Request Header Fields Too Large", Info::InvalidRequest),
        Failure::WebSocketUnsupported => (501, "Not Implemented", Info::InvalidRequest),
        other => panic!("{other:?} is no client's"),
    }
}

#[tokio::test]
async fn what_a_client_does_wrong_has_its_status() {
    let (backend, mut gateway) = of_two_hosts().await;
    let long = "x".repeat(33 * 1024);
    for (line, fields, failure) in [
        ("GET  / HTTP/1.1", "Host: a", Failure::RequestMalformed),
        ("GET / HTTP/1.1", "Host: a:b:c", Failure::HostInvalid),
        (
            "GET / HTTP/1.1",
            "Host: a\r\nConnection: Upgrade\r\nUpgrade: h2c",
            Failure::UpgradeRefused,
        ),
        ("GET / HTTP/1.1", "Host: c.com", Failure::NoListener),
        ("TRACE / HTTP/1.1", "Host: a", Failure::MethodTrace),
        (
            "CONNECT a:80 HTTP/1.1",
            "Host: a:80",
            Failure::MethodConnect,
        ),
        // One more than 4 GB.
        (
            "PUT / HTTP/1.1",
            "Host: a\r\nContent-Length: 4294967297",
            Failure::BodyTooLarge,
        ),
        (
            &format!("GET /{long} HTTP/1.1"),
            "Host: a",
            Failure::TargetTooLong,
        ),
        (
            "GET / HTTP/1.1",
            "Host: a\r\nExpect: a miracle",
            Failure::ExpectationUnknown,
        ),
        (
            "GET / HTTP/1.1",
            &format!("Host: a\r\nA: {long}"),
            Failure::HeaderTooLarge,
        ),
        (
            "GET / HTTP/1.1",
            "Host: a\r\nConnection: Upgrade\r\nUpgrade: websocket",
            Failure::WebSocketUnsupported,
        ),
    ] {
        let (status, reason, info) = wrongs_answer(failure);
        let name = format!("{failure:?}");
        let response = gateway.ask(format!("{line}\r\n{fields}\r\n\r\n")).await;
        check_page(&response, status, reason, &name);
        let record = gateway.next_record().await;
        assert_eq!(
            (record.status, record.failure),
            (status, Some(failure)),
            "{name}"
        );
        assert_eq!(failure.error_info(), info, "{name}");
        assert_eq!(record.attempts, [None, None], "{name}");
    }
    assert_eq!(backend.connections(), 0);
    let bound = "PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\
        Content-Length: 4294967296\r\n\r\n";
    let mut client = gateway.client_sending(bound).await;
    let interim = client.read_exactly(12).await.unwrap();
    assert_eq!(interim, b"HTTP/1.1 100", "4 GB are not too much");
}

#[tokio::test]
async fn an_error_does_not_end_a_connection_whose_state_is_known() {
    let (_backend, gateway) = of_two_hosts().await;
    let mut client = gateway.client().await;
    for (host, status) in [("c.com", 404), ("a", 200), ("C", 404), ("B.COM", 200)] {
        let text = format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
        client.send(text.as_bytes()).await.unwrap();
        let response = client.read_response().await.unwrap();
        assert_eq!(response.status, status, "{host}");
        assert_eq!(response.header("connection"), None, "{host}");
    }
    client
        .send(b"HEAD / HTTP/1.1\r\nHost: c.com\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .unwrap();
    let head = client.read_response_to_head().await.unwrap();
    assert_eq!(head.status, 404);
    assert_ne!(head.header("content-length"), Some("0"));
    assert_eq!(client.read_response().await.unwrap().status, 200);
    // A body that nobody will read is no request.
    let text = "POST / HTTP/1.1\r\nHost: c.com\r\nContent-Length: 40\r\n\r\n\
        GET / HTTP/1.1\r\nHost: a\r\nPadding: xx\r\n\r\n";
    client.send(text.as_bytes()).await.unwrap();
    let response = client.read_response().await.unwrap();
    assert_eq!(
        (response.status, response.header("connection")),
        (404, Some("close"))
    );
    let rest = client.read_to_end(SECOND).await;
    assert_eq!(rest.bytes.escape_ascii().to_string(), "");
}

/// Sixty seconds are too long for a test; a gateway that shuts down lets nobody dawdle either.
#[tokio::test]
async fn a_head_that_does_not_end_is_answered_408() {
    let (_backend, mut gateway) = of_two_hosts().await;
    let mut client = gateway
        .client_sending("GET / HTTP/1.1\r\nHost: a\r\nA: b")
        .await;
    let plane = gateway.plane.clone();
    until("the connection is counted", async || {
        plane.connections() == 1
    })
    .await;
    // Another one that is served shows that the first has been read: they share one thread.
    assert_eq!(gateway.ask(GET).await.status, 200);
    let draining = tokio::spawn(async move { plane.drain(5 * SECOND).await });
    let response = client.read_response().await.unwrap();
    check_page(&response, 408, "Request Time-out", "a head without an end");
    assert_eq!(response.header("connection"), Some("close"));
    drop(client);
    draining.await.unwrap();
    gateway.next_record().await;
    let record = gateway.next_record().await;
    assert_eq!(
        (record.status, record.failure),
        (408, Some(Failure::HeadTimedOut))
    );
    assert_eq!(Failure::HeadTimedOut.error_info(), Info::ClientTimedOut);
}

#[tokio::test]
async fn a_client_that_leaves_is_recorded_as_499() {
    let chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
        3\r\nabc\r\n0\r\n\r\n";
    let body = "x".repeat(300_000);
    let long = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n{body}");
    for text in [
        GET,
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
        chunked,
        &long,
    ] {
        for resets in [false, true] {
            let name = format!("{} {resets}", &text[..26]);
            let backend = Backend::start(Manners::BlackHole).await.unwrap();
            let mut gateway = TestGateway::start(&[&backend], Setup::basic(1)).await;
            let client = gateway.client_sending(text).await;
            assert!(backend.wait_for_requests(1, 5 * SECOND).await, "{name}");
            if resets {
                client.reset().unwrap();
            } else {
                drop(client);
            }
            let closed = backend.wait_for_open_connections(0, 3 * SECOND).await;
            assert!(closed, "{name}: the backend works for nobody");
            let record = gateway.next_record().await;
            assert_eq!(
                (record.status, record.failure),
                (499, Some(Failure::ClientClosedWaiting)),
                "{name}"
            );
            assert_eq!(record.sent_bytes, 0);
            let attempts = record.attempts;
            assert!(
                attempts[0].is_some() && attempts[1].is_none(),
                "{name}: {attempts:?}"
            );
        }
    }
    assert_eq!(
        Failure::ClientClosedWaiting.error_info(),
        Info::ClientClosedRequest
    );
}

#[tokio::test]
async fn a_client_that_leaves_within_a_message_is_recorded_as_499() {
    let backend = Backend::with(Manners::Echo)
        .on_path(
            "/large",
            Manners::Large {
                bytes: 200_000_000,
                chunked: false,
            },
        )
        .start()
        .await
        .unwrap();
    let mut gateway = TestGateway::start(&[&backend], Setup::basic(1)).await;
    let half_body = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc";
    for (text, failure) in [
        ("GET / HTTP/1.1\r\nHost", Failure::ClientClosedInHead),
        (half_body, Failure::ClientClosedInBody),
        (
            "GET /large HTTP/1.1\r\nHost: a\r\n\r\n",
            Failure::ClientClosedInAnswer,
        ),
    ] {
        let mut client = gateway.client_sending(text).await;
        if failure == Failure::ClientClosedInAnswer {
            client.read_exactly(100_000).await.unwrap();
        }
        drop(client);
        let record = gateway.next_record().await;
        assert_eq!((record.status, record.failure), (499, Some(failure)));
        assert_eq!(failure.error_info(), Info::ClientClosedRequest);
        let closed = backend.wait_for_open_connections(0, 5 * SECOND).await;
        assert!(closed, "after {failure:?}");
    }
    assert!(
        backend
            .requests()
            .iter()
            .all(|one| one.target != "/" || !one.complete)
    );
}

/// The answer to a GET through a gateway with this setting, and its record.
async fn ask_rude(
    manners: Manners,
    setting: BackendSetting,
    generation: Generation,
) -> (Response, gatewright_telemetry::RequestRecord) {
    let backend = Backend::start(manners).await.unwrap();
    let mut setup = Setup::with_setting(1, setting);
    setup.snapshot.gateways[0].generation = generation;
    let mut gateway = TestGateway::start(&[&backend], setup).await;
    let mut client = gateway.client_sending(GET).await;
    let response = client.read_response().await.unwrap();
    let record = gateway.next_record().await;
    // Whatever the backend did, the client's connection is as good as before.
    assert_eq!(response.header("connection"), None);
    backend.set_manners(Manners::Echo).await.unwrap();
    if setting_is_plain(&record) {
        client.send(GET.as_bytes()).await.unwrap();
        assert_eq!(client.read_response().await.unwrap().status, 200);
    }
    (response, record)
}

fn setting_is_plain(record: &gatewright_telemetry::RequestRecord) -> bool {
    record.failure != Some(Failure::BackendTlsProtocol)
}

#[tokio::test]
async fn a_rude_backend_is_told_as_what_it_is() {
    let closed = Info::UpstreamClosedConnection;
    let to_tls = BackendSetting {
        protocol: BackendProtocol::Https,
        verification: Some(support::verification()),
        ..impatient()
    };
    for (manners, setting, failure, info) in [
        (
            Manners::Refused,
            impatient(),
            Failure::ConnectRefused,
            Info::UpstreamNoLive,
        ),
        (
            Manners::SynBlackHole,
            impatient(),
            Failure::ConnectTimedOut,
            Info::UpstreamNoLive,
        ),
        (
            Manners::CloseBeforeAnswer,
            impatient(),
            Failure::BackendClosedUnanswered,
            closed,
        ),
        (
            Manners::ResetBeforeAnswer,
            impatient(),
            Failure::BackendResetUnanswered,
            closed,
        ),
        (
            Manners::Garbage,
            impatient(),
            Failure::BackendHeadInvalid,
            closed,
        ),
        (Manners::Echo, to_tls, Failure::BackendTlsProtocol, closed),
    ] {
        let name = format!("{manners:?} {:?}", setting.protocol);
        let (response, record) = ask_rude(manners, setting, Generation::V2).await;
        check_page(&response, 502, "Bad Gateway", &name);
        assert_eq!(
            (record.status, record.failure),
            (502, Some(failure)),
            "{name}"
        );
        assert_eq!(failure.error_info(), info, "{name}");
        let attempt = record.attempts[0].unwrap();
        assert_eq!(
            (attempt.failure, attempt.status),
            (Some(failure), None),
            "{name}"
        );
        assert_eq!(attempt.server.to_string(), "10.0.0.1:80", "{name}");
        assert_eq!(record.attempts[1], None, "{name}");
    }
}

#[tokio::test]
async fn a_connection_that_ends_before_the_request_is_read_is_a_502() {
    for manners in [Manners::CloseOnAccept, Manners::ResetOnAccept] {
        let (response, record) = ask_rude(manners, impatient(), Generation::V2).await;
        check_page(&response, 502, "Bad Gateway", "closed or reset");
        // Which of them depends on what arrives first.
        let failure = record.failure.unwrap();
        let expected = [
            Failure::ConnectReset,
            Failure::BackendSendFailed,
            Failure::BackendResetUnanswered,
            Failure::BackendClosedUnanswered,
        ];
        assert!(expected.contains(&failure), "{failure:?}");
    }
}

#[tokio::test]
async fn a_backend_that_does_not_answer_is_504_on_v2_and_502_on_v1() {
    let (response, record) = ask_rude(Manners::BlackHole, impatient(), Generation::V2).await;
    check_page(&response, 504, "Gateway Time-out", "v2");
    assert_eq!(
        (record.status, record.failure),
        (504, Some(Failure::BackendTimedOut))
    );
    let waited = Duration::from_micros(u64::from(record.total_micros));
    assert!(waited >= SECOND && waited < 2 * SECOND, "{waited:?}");
    let (response, record) = ask_rude(Manners::BlackHole, impatient(), Generation::V1).await;
    assert_eq!(response.status, 502);
    assert_eq!(
        response.header("server"),
        Some("Microsoft-Azure-Application-Gateway/v1")
    );
    let text = response.text();
    assert!(
        text.contains("502 - Web server received an invalid response while acting as a gateway"),
        "{text}"
    );
    assert_eq!(
        (record.status, record.failure),
        (502, Some(Failure::BackendTimedOutV1))
    );
    for failure in [Failure::BackendTimedOut, Failure::BackendTimedOutV1] {
        assert_eq!(failure.error_info(), Info::UpstreamTimedOut);
    }
}

#[tokio::test]
async fn without_a_server_there_is_a_502() {
    let resolver = Resolver::start().await.unwrap();
    let nameless = Member::Fqdn("nowhere.contoso.com".into());
    for (members, failure) in [
        (vec![], Failure::PoolEmpty),
        (vec![nameless], Failure::NameUnresolved),
    ] {
        let mut setup = Setup::default();
        let upstream = setup.upstream(members, setting());
        let endpoint = setup.endpoint(80, Scheme::Http);
        setup.listener(endpoint, &[], Action::Forward(upstream));
        let servers = NameServers::These(vec![resolver.address()]);
        let mut gateway = TestGateway::start_on(&[], setup, servers, 1).await;
        check_page(&gateway.ask(GET).await, 502, "Bad Gateway", "no server");
        let record = gateway.next_record().await;
        assert_eq!(
            (record.status, record.failure, record.attempts[0]),
            (502, Some(failure), None)
        );
        assert_eq!(failure.error_info(), Info::UpstreamNoLive);
    }
}

#[tokio::test]
async fn an_idle_gateway_answers_502() {
    for (idle, word, expected) in [
        (Idle::Stopped, "stopped", Failure::GatewayStopped),
        (Idle::Failed, "failed", Failure::GatewayFailed),
    ] {
        let backend = Backend::start(Manners::Echo).await.unwrap();
        let mut setup = Setup::basic(1);
        setup.snapshot.gateways[0].idle = Some(idle);
        let mut gateway = TestGateway::start(&[&backend], setup).await;
        check_page(&gateway.ask(GET).await, 502, "Bad Gateway", word);
        let failure = gateway.next_record().await.failure.unwrap();
        assert_eq!(failure, expected);
        assert_eq!(backend.connections(), 0);
    }
}

#[tokio::test]
async fn the_server_header_can_be_left_out() {
    let mut setup = Setup::basic(0);
    setup.snapshot.gateways[0].hide_server_header = true;
    let gateway = TestGateway::start(&[], setup).await;
    assert_eq!(gateway.ask(GET).await.header("server"), None);
}

#[tokio::test]
async fn an_answer_that_is_cut_is_never_complete() {
    let stalling = Manners::Dribble {
        step: 150,
        interval: 3 * SECOND,
        then: Box::new(Manners::text(&"x".repeat(200))),
    };
    let closed = Failure::BackendBodyClosed;
    for (manners, failure) in [
        (
            Manners::CloseMidAnswer {
                sent: 10,
                promised: Some(20),
            },
            closed,
        ),
        (
            Manners::CloseMidAnswer {
                sent: 0,
                promised: Some(20),
            },
            closed,
        ),
        (
            Manners::CloseMidAnswer {
                sent: 300_000,
                promised: None,
            },
            closed,
        ),
        (
            Manners::ResetMidAnswer {
                sent: 10,
                promised: None,
            },
            closed,
        ),
        (
            Manners::ResetMidAnswer {
                sent: 10,
                promised: Some(20),
            },
            closed,
        ),
        (stalling, Failure::BackendBodyTimedOut),
    ] {
        for version in ["1.0", "1.1"] {
            let name = format!("{manners:?} to HTTP/{version}");
            let backend = Backend::start(manners.clone()).await.unwrap();
            let setup = Setup::with_setting(1, impatient());
            let mut gateway = TestGateway::start(&[&backend], setup).await;
            let text = format!("GET / HTTP/{version}\r\nHost: a\r\n\r\n");
            let mut client = gateway.client_sending(text).await;
            let answer = client.read_response().await;
            assert!(answer.is_err(), "{name}: {answer:?}");
            let error = answer.unwrap_err();
            assert!(!error.is_timeout(), "{name}: the client is left waiting");
            assert!(!error.received.ends_with(b"0\r\n\r\n"), "{name}");
            let record = gateway.next_record().await;
            assert_eq!(
                (record.status, record.failure),
                (200, Some(failure)),
                "{name}"
            );
            assert!(record.sent_bytes > 0, "{name}");
        }
    }
}

#[tokio::test]
async fn a_request_that_reaches_no_listener_is_logged_under_its_gateway() {
    let (_backend, mut gateway) = of_two_hosts().await;
    for sent in [
        "GET / HTTP/1.1\r\nHost: unknown\r\n\r\n",
        "garbage\0\r\n\r\n",
    ] {
        let mut client = gateway.client_sending(sent).await;
        client.read_response().await.unwrap();
    }
    for seen in gateway.records(2).await {
        assert_ne!(seen.record.labels, gatewright_telemetry::LabelId::NONE);
    }
}

#[tokio::test]
async fn the_bytes_of_a_body_count_whatever_became_of_it() {
    let never = Backend::start(Manners::CloseBeforeAnswer).await.unwrap();
    let mut gateway = TestGateway::start(&[&never], Setup::basic(1)).await;
    let whole = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";
    let chunked =
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n";
    for sent in [whole, chunked] {
        let mut client = gateway.client_sending(sent).await;
        assert_eq!(client.read_response().await.unwrap().status, 502);
    }
    let seen = gateway.records(2).await;
    let counted: Vec<u64> = seen.iter().map(|one| one.record.received_bytes).collect();
    assert_eq!(counted, [whole.len() as u64, chunked.len() as u64]);
}

#[tokio::test]
async fn a_v1_gateway_takes_half_as_much_as_a_v2() {
    let backend = Backend::start(Manners::EarlyAnswer { status: 200 })
        .await
        .unwrap();
    for (generation, status) in [(Generation::V1, 413), (Generation::V2, 200)] {
        let mut setup = Setup::basic(1);
        setup.snapshot.gateways[0].generation = generation;
        let mut gateway = TestGateway::start(&[&backend], setup).await;
        let head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2147483649\r\n\r\n";
        let mut client = gateway.client_sending(head).await;
        assert_eq!(client.read_response().await.unwrap().status, status);
        drop(client);
        gateway.records(1).await;
    }
}
