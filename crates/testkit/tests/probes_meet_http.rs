//! HTTP as a health probe can meet it: endless, slow, cut short, and not HTTP at all.

use gatewright_testkit::backend::{
    Backend, Flood, Manners, TlsAccident, TlsManners, body_with, pattern,
};
use gatewright_testkit::certificates::{Leaf, client_trusting_anything};
use gatewright_testkit::client::{ClientError, Ending, ErrorKind, RawClient, get};
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_secs(2);
const SHORT: Duration = Duration::from_millis(300);
const GET: &[u8] = b"GET /health HTTP/1.1\r\nHost: h.test\r\n\r\n";
const MIB: u64 = 1024 * 1024;

async fn start(manners: Manners) -> Backend {
    Backend::start(manners).await.expect("a port is free")
}

async fn asked(backend: &Backend) -> RawClient {
    let client = RawClient::connect(backend.address()).await;
    let mut client = client.expect("it listens");
    client.send(GET).await.expect("it reads");
    client
}

async fn failure(manners: Manners) -> ClientError {
    let backend = start(manners).await;
    let outcome = asked(&backend).await.patience(SHORT).read_response().await;
    outcome.expect_err("no good answer")
}

#[tokio::test]
async fn a_body_of_a_hundred_megabytes_comes_with_a_length_and_without() {
    let bytes = 100 * MIB;
    let whole = usize::try_from(bytes).expect("it fits");
    for (manners, has_length) in [
        (
            Manners::Large {
                bytes,
                chunked: false,
            },
            true,
        ),
        (
            Manners::Large {
                bytes,
                chunked: true,
            },
            false,
        ),
        (Manners::LargeUntilClose { bytes }, false),
    ] {
        let backend = start(manners.clone()).await;
        let mut client = asked(&backend).await.patience(Duration::from_secs(60));
        let answer = client.read_response().await.expect("an answer");
        assert_eq!(answer.header("content-length").is_some(), has_length);
        assert_eq!(answer.body.len(), whole, "{manners:?}");
        // The pattern begins anew every 251 bytes.
        let (begun, last) = (whole - whole % 251, pattern(whole % 251));
        assert!(answer.body[begun..] == last, "{manners:?}");
    }
}

#[tokio::test]
async fn a_long_body_goes_on_for_as_long_as_someone_reads() {
    let backend = start(Manners::Flood(Flood::LongBody)).await;
    let mut client = asked(&backend).await;
    let begun = client.read_exactly(8 * 1024 * 1024).await.expect("more");
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 9000000000000000000\r\n\r\nmore";
    assert!(begun.starts_with(head));
    drop(client);
    assert!(backend.wait_for_open_connections(0, SOON).await);
}

#[tokio::test]
async fn a_dribbled_body_follows_a_head_that_comes_at_once() {
    let dribble = |length, step, interval| Manners::DribbleBody {
        body: pattern(length),
        step,
        interval,
    };
    let never = start(dribble(10, 1, Duration::from_secs(600))).await;
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n";
    let rest = asked(&never).await.read_to_end(SHORT).await;
    assert_eq!(
        (rest.bytes.as_slice(), rest.ending),
        (&head[..], Ending::Open)
    );

    let interval = Duration::from_millis(60);
    let backend = start(dribble(10, 3, interval)).await;
    let began = Instant::now();
    let mut client = asked(&backend).await;
    let answer = client.read_response().await.expect("an answer");
    assert_eq!(answer.body, pattern(10));
    assert!(began.elapsed() >= interval * 4);

    let error = failure(dribble(100, 1, Duration::from_millis(50))).await;
    assert!(error.is_timeout(), "{error}");
    let came = error.received.len();
    assert!((1..100).contains(&came), "{error}");
}

#[tokio::test]
async fn redirects_tell_where_to() {
    for status in [301, 302, 303, 307, 308] {
        let location = "https://elsewhere.test/login";
        let backend = start(Manners::redirect(status, location)).await;
        let answer = get(backend.address(), "h", "/").await.expect("an answer");
        let said = (answer.status, answer.header("location"));
        assert_eq!(said, (status, Some(location)));
        assert_ne!(answer.reason, "Status");
        assert_eq!(answer.body, b"");
    }
}

#[tokio::test]
async fn a_text_can_lie_across_chunks_and_at_the_very_end() {
    let text = "all is well";
    for size in [4 * 1024, 64 * 1024] {
        let body = body_with(text, size - text.len(), size);
        assert!(body.ends_with(text.as_bytes()) && body.len() == size);
        let split = size - text.len() / 2;
        let backend = start(Manners::in_chunks_of(split, &body)).await;
        let mut client = asked(&backend).await;
        let answer = client.read_response().await.expect("an answer");
        assert!(answer.body == body);

        let mut client = asked(&backend).await;
        let raw = client.read_to_end(SHORT).await.bytes;
        let is_whole = raw.windows(text.len()).any(|it| it == text.as_bytes());
        assert!(!is_whole, "a chunk's end lies within the text");
    }
    let bytewise = start(Manners::in_chunks_of(1, text.as_bytes())).await;
    let raw = asked(&bytewise).await.read_to_end(SHORT).await.bytes;
    let raw = String::from_utf8(raw).expect("text");
    assert!(raw.ends_with("1\r\nl\r\n1\r\nl\r\n0\r\n\r\n"), "{raw}");
}

#[tokio::test]
async fn heads_are_cut_reset_and_left_hanging() {
    let error = failure(Manners::ResetMidHead).await;
    assert!(error.is_reset(), "{error}");
    assert!(error.received.starts_with(b"HTTP/1.1 200"), "{error}");

    let error = failure(Manners::SilenceMidHead).await;
    assert!(error.is_timeout(), "{error}");
    assert!(error.received.starts_with(b"HTTP/1.1 200"), "{error}");
}

#[tokio::test]
async fn half_an_answer_is_left_hanging() {
    for promised in [Some(1_000), None] {
        let error = failure(Manners::SilenceMidAnswer { sent: 10, promised }).await;
        assert!(error.is_timeout(), "{error}");
        let is_framed = promised.is_some();
        assert_eq!(error.received == pattern(10), is_framed, "{error}");
    }
}

#[tokio::test]
async fn those_who_wait_are_noticed_when_their_client_leaves() {
    for manners in [
        Manners::BlackHole,
        Manners::SilenceMidHead,
        Manners::SilenceMidAnswer {
            sent: 10,
            promised: None,
        },
    ] {
        let backend = start(manners.clone()).await;
        let client = asked(&backend).await;
        assert!(backend.wait_for_requests(1, SOON).await);
        assert_eq!(backend.open_connections(), 1, "{manners:?}");
        drop(client);
        let is_closed = backend.wait_for_open_connections(0, SOON).await;
        assert!(is_closed, "{manners:?}");
    }
}

#[tokio::test]
async fn other_versions_of_http_are_no_http_1() {
    for manners in [
        Manners::http09("<html>hello</html>"),
        Manners::http2_preface(),
        Manners::http2_only(),
    ] {
        let error = failure(manners.clone()).await;
        let is_no_answer = matches!(error.kind, ErrorKind::Malformed(_) | ErrorKind::Closed);
        assert!(is_no_answer, "{manners:?}: {error}");
    }
    let backend = start(Manners::http2_only()).await;
    let rest = asked(&backend).await.read_to_end(SOON).await;
    assert_eq!(rest.ending, Ending::Closed);
    let frames = frames(&rest.bytes);
    // SETTINGS on stream 0, then GOAWAY for PROTOCOL_ERROR.
    let goaway: &[u8] = &[0, 0, 0, 0, 0, 0, 0, 1];
    assert_eq!(frames, [(4, &b""[..]), (7, goaway)]);
}

/// The type and the payload of each HTTP/2 frame.
fn frames(mut bytes: &[u8]) -> Vec<(u8, &[u8])> {
    let mut frames = Vec::new();
    while !bytes.is_empty() {
        let length = u32::from_be_bytes([0, bytes[0], bytes[1], bytes[2]]);
        let (frame, rest) = bytes.split_at(9 + usize::try_from(length).expect("it fits"));
        frames.push((frame[3], &frame[9..]));
        bytes = rest;
    }
    frames
}

#[tokio::test]
async fn one_who_requires_a_proxy_line_closes_without_it() {
    let builder = Backend::with(Manners::Named).requiring_proxy_line();
    let backend = builder.start().await.expect("a port is free");
    let too_long = format!("PROXY UNKNOWN {}", "x".repeat(100));
    let cases: [(&[u8], &str); 4] = [
        (GET, "does not begin with"),
        (b"PROXY UDP4 1 2 3 4\r\n", "malformed"),
        (b"PROXY UNKNOWN\n\r\n", "malformed"),
        (too_long.as_bytes(), "more than 107 bytes"),
    ];
    for (said, expected) in cases {
        let client = RawClient::connect(backend.address()).await;
        let mut client = client.expect("it listens");
        client.send(said).await.expect("it reads");
        let rest = client.read_to_end(SOON).await;
        assert_eq!((rest.bytes.len(), rest.ending), (0, Ending::Closed));
        let what = backend.violations().last().expect("one more").what;
        assert!(what.contains(expected), "{what}");
    }
    assert_eq!(backend.request_count(), 0);

    for line in ["PROXY UNKNOWN", "PROXY TCP4 10.0.0.9 10.0.1.4 5000 80"] {
        let client = RawClient::connect(backend.address()).await;
        let mut client = client.expect("it listens");
        let said = [line.as_bytes(), b"\r\n", GET].concat();
        client.send(&said).await.expect("it reads");
        let answer = client.read_response().await.expect("an answer");
        assert_eq!(answer.text(), "backend");
        let arrival = backend.arrivals().pop().expect("it came");
        assert_eq!(arrival.proxy_line.as_deref(), Some(line));
    }
}

#[tokio::test]
async fn a_proxy_line_comes_before_tls() {
    let tls = TlsManners::new(Leaf::named("h.test").self_signed());
    let builder = Backend::with(Manners::Named).tls(tls);
    let backend = builder.requiring_proxy_line().start().await;
    let backend = backend.expect("a port is free");
    let client = RawClient::connect(backend.address()).await;
    let mut client = client.expect("it listens");
    let line = b"PROXY UNKNOWN\r\n";
    client.send(line).await.expect("it reads");
    let client = client.tls("h.test", client_trusting_anything()).await;
    let mut client = client.expect("TLS begins after the line");
    client.send(GET).await.expect("it reads");
    assert_eq!(client.read_response().await.expect("an answer").status, 200);

    let client = RawClient::connect(backend.address()).await;
    let client = client.expect("it listens");
    let hasty = client.tls("h.test", client_trusting_anything()).await;
    hasty.err().expect("the line is missing");
    assert_eq!(backend.handshakes().len(), 1);
    assert!(backend.violations()[0].bytes.starts_with(&[22]));
}

#[tokio::test]
async fn the_log_tells_who_came_when_and_for_what() {
    let began = Instant::now();
    let tls = TlsManners::new(Leaf::named("h.test").self_signed());
    let backend = Backend::with(Manners::Named).tls(tls).start().await;
    let backend = backend.expect("a port is free");
    let mut ends = Vec::new();
    for _ in 0..3 {
        let client = RawClient::connect(backend.address()).await;
        let client = client.expect("it listens");
        ends.push(client.local_address().expect("it is connected"));
        let client = client.tls("h.test", client_trusting_anything()).await;
        let mut client = client.expect("a handshake");
        client.send(GET).await.expect("it reads");
        client.read_response().await.expect("an answer");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(backend.wait_for_connections(3, SOON).await);
    assert!(!backend.wait_for_connections(4, SHORT).await);
    let arrivals = backend.arrivals();
    let peers: Vec<_> = arrivals.iter().map(|it| it.peer).collect();
    let places: Vec<_> = arrivals.iter().map(|it| it.connection).collect();
    assert_eq!((peers, places), (ends, vec![1, 2, 3]));
    let requests = backend.requests();
    for (arrival, request) in arrivals.iter().zip(&requests) {
        assert_eq!(request.target, "/health");
        assert_eq!(request.host(), Some("h.test"));
        assert_eq!(request.server_name.as_deref(), Some("h.test"));
        assert!(began <= arrival.at && arrival.at <= request.at);
        assert_eq!(arrival.proxy_line, None);
    }
    let apart = requests[1].at - requests[0].at;
    assert!(apart >= Duration::from_millis(10), "{apart:?}");
    backend.forget();
    assert!(backend.arrivals().is_empty());
}

/// Of a failing TLS backend too: whoever connects is an arrival.
#[tokio::test]
async fn an_arrival_is_noted_whatever_comes_of_it() {
    let tls = TlsManners::failing(TlsAccident::Reset);
    let backend = Backend::with(Manners::Echo).tls(tls).start().await;
    let backend = backend.expect("a port is free");
    get(backend.address(), "h", "/").await.expect_err("no TLS");
    assert_eq!(backend.arrivals().len(), 1);
    let rude = start(Manners::ResetOnAccept).await;
    get(rude.address(), "h", "/").await.expect_err("reset");
    assert_eq!(rude.arrivals().len(), 1);
}
