//! When a second server is asked, and when never: no effect may happen twice.

mod support;

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use gatewright_dataplane::NameServers;
use gatewright_snapshot::{BackendSetting, Generation};
use gatewright_telemetry::{Failure, RequestRecord};
use gatewright_testkit::backend::{Backend, Manners};
use support::{Setup, TestGateway, narrow_listener, setting};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const POST: &str = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";
const PUT: &str = "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";
const CHUNKED_POST: &str =
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
const CHUNKED_PUT: &str =
    "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
const SECOND: Duration = Duration::from_secs(1);

fn impatient() -> BackendSetting {
    BackendSetting {
        request_timeout: SECOND,
        ..setting()
    }
}

/// Two servers, of which the first gets the first request.
struct Pair {
    backends: [Backend; 2],
    gateway: TestGateway,
}

impl Pair {
    async fn start(first: Manners, second: Manners) -> Self {
        Self::of(Generation::V2, first, second).await
    }

    async fn of(generation: Generation, first: Manners, second: Manners) -> Self {
        let backends = [
            Backend::start(first).await.unwrap(),
            Backend::start(second).await.unwrap(),
        ];
        let mut setup = Setup::with_setting(2, impatient());
        setup.snapshot.gateways[0].generation = generation;
        let gateway = TestGateway::start(&[&backends[0], &backends[1]], setup).await;
        Self { backends, gateway }
    }

    /// The status of the answer, and the record, which must agree with it.
    async fn ask(&mut self, text: &str) -> (u16, RequestRecord) {
        let response = self.gateway.ask(text).await;
        let record = self.gateway.next_record().await;
        assert_eq!(record.status, response.status);
        (response.status, record)
    }

    /// How many requests each server has seen.
    fn counts(&self) -> [u64; 2] {
        [0, 1].map(|at| self.backends[at].request_count())
    }
}

/// The attempts' failures; `Some(None)` for one that succeeded.
fn attempts(record: &RequestRecord) -> [Option<Option<Failure>>; 2] {
    record
        .attempts
        .map(|attempt| attempt.map(|attempt| attempt.failure))
}

#[tokio::test]
async fn what_was_not_sent_goes_to_another_server() {
    let refused = Some(Some(Failure::ConnectRefused));
    for text in [
        GET,
        POST,
        PUT,
        CHUNKED_POST,
        "FOO / HTTP/1.1\r\nHost: a\r\n\r\n",
    ] {
        let mut pair = Pair::start(Manners::Refused, Manners::Echo).await;
        let (status, record) = pair.ask(text).await;
        assert_eq!(status, 200, "{text}");
        assert_eq!(attempts(&record), [refused, Some(None)], "{text}");
        assert_eq!(record.failure, None, "{text}");
        let servers = record.attempts.map(|one| one.unwrap().server.to_string());
        assert_eq!(servers, ["10.0.0.1:80", "10.0.0.2:80"]);
        assert_eq!(record.attempts[1].unwrap().status, Some(200));
        let seen = pair.backends[1].requests().remove(0);
        let has_body = text.contains("abc");
        let expected: &[u8] = if has_body { b"abc" } else { b"" };
        assert_eq!((seen.body.as_slice(), seen.complete), (expected, true));
        assert!(pair.backends[1].violations().is_empty());
    }
    let mut pair = Pair::start(Manners::Refused, Manners::Refused).await;
    let (status, record) = pair.ask(POST).await;
    assert_eq!(
        (status, record.failure),
        (502, Some(Failure::ConnectRefused))
    );
    assert_eq!(attempts(&record), [refused, refused]);
}

#[tokio::test]
async fn two_attempts_are_all() {
    let mut backends = Vec::new();
    for _ in 0..3 {
        backends.push(Backend::start(Manners::Refused).await.unwrap());
    }
    let all: Vec<&Backend> = backends.iter().collect();
    let mut gateway = TestGateway::start(&all, Setup::basic(3)).await;
    assert_eq!(gateway.ask(GET).await.status, 502);
    let record = gateway.next_record().await;
    let servers = record.attempts.map(|one| one.unwrap().server);
    assert_ne!(servers[0], servers[1]);
}

#[tokio::test]
async fn a_server_that_refuses_is_not_every_requests_first() {
    let mut pair = Pair::start(Manners::Refused, Manners::Echo).await;
    let mut troubled = 0;
    for _ in 0..10 {
        let (status, record) = pair.ask(GET).await;
        assert_eq!(status, 200);
        troubled += u32::from(record.attempts[1].is_some());
    }
    assert!((1..=6).contains(&troubled), "{troubled} of 10");
}

#[tokio::test]
async fn what_a_fresh_connection_did_not_answer_is_not_repeated() {
    for manners in [Manners::CloseBeforeAnswer, Manners::ResetBeforeAnswer] {
        for text in [GET, POST, PUT, CHUNKED_POST, CHUNKED_PUT] {
            let mut pair = Pair::start(manners.clone(), manners.clone()).await;
            let (status, record) = pair.ask(text).await;
            assert_eq!(status, 502, "{text}");
            assert_eq!(record.attempts[1], None, "{text}");
            assert_eq!(pair.counts(), [1, 0], "{text}");
        }
    }
}

#[tokio::test]
async fn an_answer_that_is_no_answer_is_not_asked_for_again() {
    for manners in [
        Manners::Garbage,
        Manners::CloseMidHead,
        Manners::BothFramings,
    ] {
        let mut pair = Pair::start(manners, Manners::Echo).await;
        let (status, record) = pair.ask(GET).await;
        assert_eq!((status, record.attempts[1]), (502, None));
        assert_eq!(pair.counts(), [1, 0]);
    }
}

/// A gateway with one server, which closes a connection at its second request, and `idle`
/// connections to it.
async fn with_stale_connections(idle: u64) -> (Backend, TestGateway) {
    let manners = Manners::OnReuse {
        first: Box::new(Manners::slow(Duration::from_millis(100), Manners::Echo)),
        later: Box::new(Manners::CloseBeforeAnswer),
    };
    let backend = Backend::start(manners).await.unwrap();
    let mut gateway = TestGateway::start(&[&backend], Setup::basic(1)).await;
    let mut clients = Vec::new();
    for _ in 0..idle {
        clients.push(gateway.client_sending(GET).await);
    }
    for mut client in clients {
        assert_eq!(client.read_response().await.unwrap().status, 200);
        gateway.next_record().await;
    }
    assert_eq!(backend.connections(), idle);
    backend.forget();
    (backend, gateway)
}

#[tokio::test]
async fn a_stale_connection_costs_an_idempotent_request_nothing() {
    for idle in [1, 3] {
        for text in [
            GET,
            PUT,
            "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n",
            "DELETE / HTTP/1.1\r\nHost: a\r\n\r\n",
            "OPTIONS / HTTP/1.1\r\nHost: a\r\n\r\n",
        ] {
            let (backend, mut gateway) = with_stale_connections(idle).await;
            let mut client = gateway.client_sending(text).await;
            let response = if text.starts_with("HEAD") {
                client.read_response_to_head().await.unwrap()
            } else {
                client.read_response().await.unwrap()
            };
            assert_eq!(response.status, 200, "{text} with {idle} connections");
            let record = gateway.next_record().await;
            let [first, second] = record.attempts.map(Option::unwrap);
            assert_eq!((first.reused, second.reused), (true, false));
            assert_eq!(first.failure, Some(Failure::BackendClosedUnanswered));
            assert_eq!(record.failure, None);
            assert_eq!(backend.request_count(), 2);
            let bodies: Vec<_> = backend
                .requests()
                .iter()
                .map(|one| one.body.clone())
                .collect();
            assert_eq!(bodies[0], bodies[1]);
        }
    }
}

#[tokio::test]
async fn a_stale_connection_costs_other_requests_their_answer() {
    for text in [
        POST,
        CHUNKED_POST,
        // Part of its body is gone when it fails.
        CHUNKED_PUT,
        "PATCH / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
        "FOO / HTTP/1.1\r\nHost: a\r\n\r\n",
    ] {
        let (backend, mut gateway) = with_stale_connections(1).await;
        assert_eq!(gateway.ask(text).await.status, 502, "{text}");
        let record = gateway.next_record().await;
        assert_eq!(record.attempts[1], None, "{text}");
        assert_eq!(backend.request_count(), 1, "{text} was delivered twice");
    }
}

#[tokio::test]
async fn a_time_out_is_tried_again_elsewhere_where_nothing_can_happen_twice() {
    let timed_out = Some(Some(Failure::BackendTimedOut));
    for text in [GET, PUT] {
        let mut pair = Pair::start(Manners::BlackHole, Manners::Echo).await;
        let (status, record) = pair.ask(text).await;
        assert_eq!(status, 200, "{text}");
        assert_eq!(attempts(&record), [timed_out, Some(None)], "{text}");
        assert_eq!(pair.counts(), [1, 1], "{text}");
    }
    for text in [POST, CHUNKED_POST, CHUNKED_PUT] {
        let mut pair = Pair::start(Manners::BlackHole, Manners::Echo).await;
        let (status, record) = pair.ask(text).await;
        assert_eq!(status, 504, "{text}");
        assert_eq!(attempts(&record), [timed_out, None], "{text}");
        assert_eq!(pair.counts(), [1, 0], "{text} was delivered twice");
    }
}

#[tokio::test]
async fn two_time_outs_are_a_504_and_on_v1_one_is_a_502() {
    let mut pair = Pair::start(Manners::BlackHole, Manners::BlackHole).await;
    let (status, record) = pair.ask(GET).await;
    assert_eq!(
        (status, record.failure),
        (504, Some(Failure::BackendTimedOut))
    );
    let timed_out = Some(Some(Failure::BackendTimedOut));
    assert_eq!(attempts(&record), [timed_out, timed_out]);
    let waited = Duration::from_micros(u64::from(record.total_micros));
    assert!(waited >= 2 * SECOND && waited < 4 * SECOND, "{waited:?}");

    let mut pair = Pair::of(Generation::V1, Manners::BlackHole, Manners::Echo).await;
    let (status, record) = pair.ask(GET).await;
    assert_eq!(status, 502);
    let failure = Some(Some(Failure::BackendTimedOutV1));
    assert_eq!(attempts(&record), [failure, None]);
}

#[tokio::test]
async fn a_client_can_go_on_after_a_second_attempt() {
    let mut pair = Pair::start(Manners::Refused, Manners::Echo).await;
    let mut client = pair.gateway.client().await;
    for text in [GET, POST, CHUNKED_POST, PUT, GET] {
        client.send(text.as_bytes()).await.unwrap();
        let response = client.read_response().await.unwrap();
        assert_eq!(
            (response.status, response.header("connection")),
            (200, None)
        );
        pair.gateway.next_record().await;
    }
    assert!(pair.backends[1].violations().is_empty());
}

/// A server that reads the head alone, answers with `answer`, and closes on the rest of the
/// request, for each connection.
fn closing_on_the_body(answer: &'static str) -> (SocketAddr, Arc<AtomicU64>) {
    let listener = narrow_listener();
    let address = listener.local_addr().unwrap();
    let requests = Arc::new(AtomicU64::new(0));
    let seen = Arc::clone(&requests);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                head.extend_from_slice(&byte);
            }
            seen.fetch_add(1, Ordering::Relaxed);
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    (address, requests)
}

#[tokio::test]
async fn an_answer_to_half_a_request_is_passed_on() {
    // One segment: the whole of it is in hand at once.
    let body = "x".repeat(60_000);
    for method in ["POST", "PUT"] {
        let (early, requests) =
            closing_on_the_body("HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nno!");
        let other = Backend::start(Manners::Echo).await.unwrap();
        let mut gateway = TestGateway::start_on(
            &[early, other.address()],
            Setup::with_setting(2, impatient()),
            NameServers::These(Vec::new()),
            1,
        )
        .await;
        let request =
            format!("{method} / HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n{body}");
        let mut client = gateway.client_sending(&request).await;
        let response = client.read_response().await.unwrap();
        assert_eq!((response.status, response.text().as_ref()), (413, "no!"));
        // Its request was read to the end: nothing speaks against another one.
        assert_eq!(response.header("connection"), None);
        let record = gateway.next_record().await;
        assert_eq!((record.status, record.failure), (413, None));
        assert_eq!(record.received_bytes, request.len() as u64);
        assert_eq!(record.attempts[1], None);
        // That server's connection is of no more use.
        for _ in 0..2 {
            client.send(GET.as_bytes()).await.unwrap();
            assert!(matches!(
                client.read_response().await.unwrap().status,
                200 | 413
            ));
            assert!(!gateway.next_record().await.attempts[0].unwrap().reused);
        }
        assert_eq!(
            (requests.load(Ordering::Relaxed), other.request_count()),
            (2, 1)
        );
    }
}

#[tokio::test]
async fn half_a_request_without_an_answer_is_sent_once() {
    // One segment: the whole of it is in hand at once.
    let body = "x".repeat(60_000);
    for answer in ["", "HTTP/1.1 413 Too La"] {
        for method in ["POST", "PUT"] {
            let (early, requests) = closing_on_the_body(answer);
            let other = Backend::start(Manners::Echo).await.unwrap();
            let mut gateway = TestGateway::start_on(
                &[early, other.address()],
                Setup::with_setting(2, impatient()),
                NameServers::These(Vec::new()),
                1,
            )
            .await;
            let head = format!("{method} / HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n");
            assert_eq!(gateway.ask(head + &body).await.status, 502);
            let record = gateway.next_record().await;
            // Which of them depends on how much of it the system took.
            let expected = [
                Failure::BackendSendFailed,
                Failure::BackendResetUnanswered,
                Failure::BackendClosedUnanswered,
                Failure::BackendHeadInvalid,
            ];
            assert!(expected.contains(&record.failure.unwrap()), "{record:?}");
            assert_eq!(record.attempts[1], None);
            let counts = (requests.load(Ordering::Relaxed), other.request_count());
            assert_eq!(counts, (1, 0), "{method} was delivered twice");
        }
    }
}
