//! What backends and clients see of each other through the gateway.

mod support;

use std::time::Duration;

use gatewright_snapshot::{HostOverride, Member};
use gatewright_testkit::backend::{Backend, KeepAlive, Manners, RequestFraming, pattern};
use gatewright_testkit::client::{RawClient, get};
use support::{Setup, TestGateway, logical, setting};

async fn echo() -> Backend {
    Backend::start(Manners::Echo).await.unwrap()
}

#[tokio::test]
async fn a_request_arrives_with_the_headers_of_a_gateway() {
    let backend = echo().await;
    let mut gateway = TestGateway::start(&[&backend], Setup::basic(1)).await;
    let mut client = gateway.client().await;
    client
        .send(
            b"GET /a?b=c HTTP/1.1\r\nHost: shop.contoso.com\r\nX-Forwarded-For: 1.2.3.4\r\n\
            Connection: X-Drop\r\nX-Drop: x\r\nA_b: c\r\nUser-Agent: test\r\n\r\n",
        )
        .await
        .unwrap();
    let response = client.read_response().await.unwrap();
    assert_eq!(response.status, 200);
    let request = backend.requests().remove(0);
    assert_eq!(request.target, "/a?b=c");
    let local = client.local_address().unwrap();
    let expected = [
        ("host", "shop.contoso.com".to_owned()),
        ("user-agent", "test".to_owned()),
        ("x-forwarded-for", format!("1.2.3.4, {local}")),
        ("x-forwarded-proto", "http".to_owned()),
        ("x-forwarded-port", "80".to_owned()),
        ("x-original-host", "shop.contoso.com".to_owned()),
        ("x-original-url", "/a?b=c".to_owned()),
    ];
    for (name, value) in expected {
        assert_eq!(request.header(name), Some(value.as_str()), "{name}");
    }
    for absent in ["x-drop", "a_b", "connection"] {
        assert_eq!(request.header(absent), None, "{absent}");
    }
    let record = gateway.records(1).await.remove(0).record;
    assert_eq!(
        request.header("x-appgw-trace-id").unwrap(),
        record.trace.to_string()
    );
    assert_eq!((record.status, record.failure), (200, None));
    assert_eq!(
        record.sent_bytes as usize,
        response.raw_head.len() + response.body.len()
    );
}

#[tokio::test]
async fn connections_are_kept_on_both_sides() {
    let backend = echo().await;
    let gateway = TestGateway::start(&[&backend], Setup::basic(1)).await;
    let mut client = gateway.client().await;
    for _ in 0..5 {
        client
            .send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            .await
            .unwrap();
        assert_eq!(client.read_response().await.unwrap().status, 200);
    }
    assert_eq!((backend.request_count(), backend.connections()), (5, 1));
    assert!(backend.violations().is_empty());
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let backend = echo().await;
    let gateway = TestGateway::start(&[&backend], Setup::basic(1)).await;
    let mut client = gateway.client().await;
    let text: String = (0..20)
        .map(|at| format!("GET /{at} HTTP/1.1\r\nHost: a\r\n\r\n"))
        .collect();
    client.send(text.as_bytes()).await.unwrap();
    for at in 0..20 {
        let response = client.read_response().await.unwrap();
        assert_eq!(response.json()["target"], format!("/{at}"));
    }
}

#[tokio::test]
async fn heads_may_come_byte_by_byte() {
    let backend = echo().await;
    let gateway = TestGateway::start(&[&backend], Setup::basic(1)).await;
    let mut client = gateway.client().await;
    let text = b"\r\nPOST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";
    client
        .send_slowly(text, 1, Duration::from_millis(1))
        .await
        .unwrap();
    assert_eq!(
        client.read_response().await.unwrap().json()["body_length"],
        3
    );
}

#[tokio::test]
async fn bodies_of_any_size_and_framing_arrive_whole() {
    let backend = echo().await;
    let gateway = TestGateway::start(&[&backend], Setup::basic(1)).await;
    let mut client = gateway.client().await;
    for size in [0, 1, 1_000, 100_000, 1_000_000, 5_000_000] {
        let body = pattern(size);
        let head = format!("POST /{size} HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\n\r\n");
        client
            .send(&[head.as_bytes(), &body].concat())
            .await
            .unwrap();
        assert_eq!(
            client.read_response().await.unwrap().json()["body_length"],
            size
        );
        let mut chunked =
            b"POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
        for piece in body.chunks(777) {
            chunked.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
            chunked.extend_from_slice(piece);
            chunked.extend_from_slice(b"\r\n");
        }
        chunked.extend_from_slice(b"0\r\nTrailer: dropped\r\n\r\n");
        client.send(&chunked).await.unwrap();
        assert_eq!(
            client.read_response().await.unwrap().json()["body_length"],
            size
        );
    }
    let requests = backend.requests();
    assert!(
        requests
            .iter()
            .all(|request| request.complete && request.trailers.is_empty())
    );
    assert_eq!(requests[2].framing, RequestFraming::Length(1));
    assert_eq!(requests[3].framing, RequestFraming::Chunked);
    for pair in requests.chunks(2) {
        let size = pair[0].body_length.min(1 << 20) as usize;
        assert_eq!(pair[0].body, pattern(pair[0].body_length as usize)[..size]);
        assert_eq!(pair[0].body, pair[1].body);
    }
    assert!(backend.violations().is_empty());
}

#[tokio::test]
async fn answers_of_any_framing_arrive_whole() {
    let big = 3_000_000;
    let cases = [
        (
            Manners::Large {
                bytes: big,
                chunked: false,
            },
            big as usize,
        ),
        (
            Manners::Large {
                bytes: big,
                chunked: true,
            },
            big as usize,
        ),
        (
            Manners::CloseDelimited {
                body: pattern(200_000),
            },
            200_000,
        ),
        (
            Manners::Http10 {
                body: pattern(1_000),
                with_length: true,
            },
            1_000,
        ),
        (
            Manners::Http10 {
                body: pattern(1_000),
                with_length: false,
            },
            1_000,
        ),
        (
            Manners::dribbling(Duration::from_millis(1), Manners::text("slow but sure")),
            13,
        ),
        (Manners::early_hints(Manners::text("after hints")), 11),
    ];
    for (manners, size) in cases {
        let name = format!("{manners:?}").chars().take(60).collect::<String>();
        let backend = Backend::start(manners).await.unwrap();
        let gateway = TestGateway::start(&[&backend], Setup::basic(1)).await;
        let mut client = gateway.client().await;
        for round in 0..2 {
            client
                .send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                .await
                .unwrap();
            let response = client.read_response().await.unwrap();
            assert_eq!(
                (response.status, response.body.len()),
                (200, size),
                "{name} {round}"
            );
        }
        // And to a client of HTTP/1.0, which knows no chunks.
        let mut old = gateway.client().await;
        old.send(b"GET / HTTP/1.0\r\nHost: a\r\n\r\n")
            .await
            .unwrap();
        let response = old.read_response().await.unwrap();
        assert_eq!(response.body.len(), size, "{name} to HTTP/1.0");
        assert_eq!(response.header("transfer-encoding"), None, "{name}");
        assert!(old.is_closed_within(Duration::from_secs(1)).await, "{name}");
    }
}

#[tokio::test]
async fn a_head_request_gets_a_head() {
    let backend = Backend::start(Manners::Large {
        bytes: 1000,
        chunked: false,
    })
    .await
    .unwrap();
    let gateway = TestGateway::start(&[&backend], Setup::basic(1)).await;
    let mut client = gateway.client().await;
    for _ in 0..2 {
        client
            .send(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
            .await
            .unwrap();
        let response = client.read_response_to_head().await.unwrap();
        assert_eq!(response.header("content-length"), Some("1000"));
    }
    assert_eq!(backend.connections(), 1);
}

#[tokio::test]
async fn hints_are_passed_on_and_expectations_are_met() {
    let backend = Backend::start(Manners::early_hints(Manners::Echo))
        .await
        .unwrap();
    let gateway = TestGateway::start(&[&backend], Setup::basic(1)).await;
    let mut client = gateway.client().await;
    client
        .send(b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        .await
        .unwrap();
    let interim = client.read_exactly(25).await.unwrap();
    assert_eq!(interim, b"HTTP/1.1 100 Continue\r\n\r\n");
    client.send(b"ab").await.unwrap();
    let response = client.read_response().await.unwrap();
    assert_eq!(response.interim.len(), 1);
    assert_eq!(response.interim[0].status, 103);
    assert_eq!(response.json()["body_length"], 2);
    assert_eq!(backend.requests()[0].header("expect"), None);
}

#[tokio::test]
async fn an_early_answer_ends_an_upload() {
    let backend = Backend::start(Manners::EarlyAnswer { status: 413 })
        .await
        .unwrap();
    let gateway = TestGateway::start(&[&backend], Setup::basic(1)).await;
    let mut client = gateway.client().await;
    let head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n";
    client
        .send(&[head, pattern(300_000).as_slice()].concat())
        .await
        .unwrap();
    assert_eq!(client.read_response().await.unwrap().status, 413);
    assert!(client.is_closed_within(Duration::from_secs(4)).await);
}

#[tokio::test]
async fn servers_take_turns() {
    let backends = [
        Backend::with(Manners::Named)
            .named("a")
            .start()
            .await
            .unwrap(),
        Backend::with(Manners::Named)
            .named("b")
            .start()
            .await
            .unwrap(),
        Backend::with(Manners::Named)
            .named("c")
            .start()
            .await
            .unwrap(),
    ];
    let all: Vec<&Backend> = backends.iter().collect();
    let gateway = TestGateway::start(&all, Setup::basic(3)).await;
    let mut order = String::new();
    for _ in 0..6 {
        order += &get(gateway.address(), "x", "/").await.unwrap().text();
    }
    assert!(
        order.replace('\n', "").contains("abcabc")
            || order.replace('\n', "").contains("bcabca")
            || order.replace('\n', "").contains("cabcab"),
        "{order}"
    );
}

#[tokio::test]
async fn cookies_stick_to_their_server() {
    let backends = [
        Backend::with(Manners::Named)
            .named("a")
            .start()
            .await
            .unwrap(),
        Backend::with(Manners::Named)
            .named("b")
            .start()
            .await
            .unwrap(),
    ];
    let all: Vec<&Backend> = backends.iter().collect();
    let mut sticky = setting();
    sticky.affinity_cookie = Some("ApplicationGatewayAffinity".into());
    let gateway = TestGateway::start(&all, Setup::with_setting(2, sticky)).await;
    let first = get(gateway.address(), "x", "/").await.unwrap();
    let cookies: Vec<&str> = first.headers_named("set-cookie");
    assert_eq!(cookies.len(), 2, "{cookies:?}");
    let value = cookies[1]
        .strip_prefix("ApplicationGatewayAffinity=")
        .unwrap();
    let value = value.strip_suffix("; Path=/").unwrap();
    assert_eq!(value.len(), 32);
    let cors = format!("ApplicationGatewayAffinityCORS={value}; Path=/; SameSite=None; Secure");
    assert_eq!(cookies[0], cors);
    for cookie in [
        "ApplicationGatewayAffinity",
        "ApplicationGatewayAffinityCORS",
    ] {
        for _ in 0..4 {
            let mut client = gateway.client().await;
            let text =
                format!("GET / HTTP/1.1\r\nHost: a\r\nCookie: z=1; {cookie}={value}\r\n\r\n");
            client.send(text.as_bytes()).await.unwrap();
            let response = client.read_response().await.unwrap();
            assert_eq!(response.text(), first.text());
            assert_eq!(response.header("set-cookie"), None);
        }
    }
    let mut client = gateway.client().await;
    let stale = format!(
        "GET / HTTP/1.1\r\nHost: a\r\nCookie: ApplicationGatewayAffinity={}\r\n\r\n",
        "0".repeat(32)
    );
    client.send(stale.as_bytes()).await.unwrap();
    assert_eq!(
        client
            .read_response()
            .await
            .unwrap()
            .headers_named("set-cookie")
            .len(),
        2
    );
}

#[tokio::test]
async fn hosts_are_overridden_as_the_setting_says() {
    let backend = echo().await;
    let cases = [
        (HostOverride::Keep, "client.com:8080".to_owned()),
        (
            HostOverride::Fixed("app.contoso.com".into()),
            "app.contoso.com".to_owned(),
        ),
        (HostOverride::FromMember, logical(0).to_string()),
    ];
    for (host, expected) in cases {
        backend.forget();
        let setting = gatewright_snapshot::BackendSetting { host, ..setting() };
        let mut gateway = TestGateway::start(&[&backend], Setup::with_setting(1, setting)).await;
        get(gateway.address(), "client.com:8080", "/")
            .await
            .unwrap();
        let request = backend.requests().remove(0);
        assert_eq!(request.header("host"), Some(expected.as_str()));
        assert_eq!(request.header("x-original-host"), Some("client.com:8080"));
        assert_eq!(gateway.records(1).await[0].sent_host, expected);
    }
}

#[tokio::test]
async fn a_dedicated_connection_belongs_to_one_client() {
    let backend = echo().await;
    let mut own = setting();
    own.dedicated_connection = true;
    let gateway = TestGateway::start(&[&backend], Setup::with_setting(1, own)).await;
    let mut clients = [gateway.client().await, gateway.client().await];
    for _ in 0..3 {
        for client in &mut clients {
            client
                .send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                .await
                .unwrap();
            client.read_response().await.unwrap();
        }
    }
    assert_eq!(backend.connections(), 2);
    let [first, second] = clients;
    drop((first, second));
    assert!(
        backend
            .wait_for_open_connections(0, Duration::from_secs(5))
            .await
    );
}

#[tokio::test]
async fn a_connection_that_its_server_closed_is_not_used_again() {
    let backend = Backend::with(Manners::Echo)
        .keep_alive(KeepAlive::Rude(1))
        .start()
        .await
        .unwrap();
    let gateway = TestGateway::start(&[&backend], Setup::basic(1)).await;
    for _ in 0..5 {
        let mut client = gateway.client().await;
        client
            .send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx")
            .await
            .unwrap();
        assert_eq!(client.read_response().await.unwrap().status, 200);
        assert!(
            backend
                .wait_for_open_connections(0, Duration::from_secs(5))
                .await
        );
    }
    assert_eq!(backend.request_count(), 5);
}

#[tokio::test]
async fn members_by_name_follow_dns() {
    use gatewright_dataplane::NameServers;
    use gatewright_testkit::resolver::{Mood, Resolver};
    let resolver = Resolver::start().await.unwrap();
    let backends = [
        Backend::with(Manners::Named)
            .named("old")
            .start()
            .await
            .unwrap(),
        Backend::with(Manners::Named)
            .named("new")
            .start()
            .await
            .unwrap(),
    ];
    resolver.set("app.contoso.com", &["10.0.0.1".parse().unwrap()], 1);
    let mut setup = Setup::default();
    let member = Member::Fqdn("app.contoso.com".into());
    let upstream = setup.upstream([member], setting());
    let endpoint = setup.endpoint(80, gatewright_snapshot::Scheme::Http);
    setup.listener(
        endpoint,
        &[],
        gatewright_snapshot::Action::Forward(upstream),
    );
    let addresses: Vec<_> = backends.iter().map(|one| one.address()).collect();
    let servers = NameServers::These(vec![resolver.address()]);
    let gateway = TestGateway::start_on(&addresses, setup, servers, 1).await;
    let text = || async { get(gateway.address(), "a", "/").await.unwrap().text() };
    assert_eq!(text().await.trim(), "old");
    resolver.set("app.contoso.com", &["10.0.0.2".parse().unwrap()], 1);
    wait_until(|| async { text().await.trim() == "new" }).await;
    resolver.set_mood(Mood::ServerFailure);
    let asked = resolver.queries();
    wait_until(|| async { resolver.queries() > asked }).await;
    assert_eq!(text().await.trim(), "new", "the last good answer is kept");
}

async fn wait_until<F: Future<Output = bool>>(mut holds: impl FnMut() -> F) {
    for _ in 0..200 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("it did not become true within 10 s");
}

#[tokio::test]
async fn a_client_that_reads_slowly_holds_nobody_up() {
    let backend = Backend::start(Manners::Large {
        bytes: 20_000_000,
        chunked: true,
    })
    .await
    .unwrap();
    let gateway = TestGateway::start(&[&backend], Setup::basic(1)).await;
    let mut slow = gateway.client().await;
    slow.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .unwrap();
    let mut quick: RawClient = gateway.client().await;
    quick
        .send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .unwrap();
    assert_eq!(quick.read_response().await.unwrap().body.len(), 20_000_000);
    assert_eq!(slow.read_response().await.unwrap().body.len(), 20_000_000);
}
