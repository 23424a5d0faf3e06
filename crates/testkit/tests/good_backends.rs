//! The client against backends that behave.

use gatewright_testkit::backend::{
    Backend, KeepAlive, Manners, RequestFraming, SeenRequest, pattern,
};
use gatewright_testkit::client::{Ending, RawClient, Response, get};
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_secs(2);
const GET: &[u8] = b"GET /a HTTP/1.1\r\nHost: h.test\r\n\r\n";

async fn start(manners: Manners) -> Backend {
    Backend::start(manners).await.expect("a port is free")
}

async fn client_of(backend: &Backend) -> RawClient {
    RawClient::connect(backend.address())
        .await
        .expect("the backend listens")
}

async fn ask(client: &mut RawClient, request: &[u8]) -> Response {
    client.send(request).await.expect("the backend reads");
    client.read_response().await.expect("the backend answers")
}

#[tokio::test]
async fn echo_tells_what_came_and_the_backend_keeps_every_byte() {
    let backend = Backend::with(Manners::Echo)
        .named("blue")
        .start()
        .await
        .expect("a port");
    let mut client = client_of(&backend).await;
    let request = b"POST /p?q=1 HTTP/1.1\r\nHost: h.test\r\nx-ODD:  a b \r\nX-Odd: c\r\n\
        Content-Length: 5\r\n\r\nhello";
    let echo = ask(&mut client, request).await.json();
    assert_eq!(echo["backend"], "blue");
    assert_eq!(echo["method"], "POST");
    assert_eq!(echo["target"], "/p?q=1");
    assert_eq!(echo["headers"][1], serde_json::json!(["x-ODD", "a b"]));
    assert_eq!(echo["body_length"], 5);

    let seen = &backend.requests()[0];
    assert_eq!(seen.raw_head, &request[..request.len() - 5]);
    assert_eq!(seen.body, b"hello");
    assert_eq!(seen.headers_named("X-ODD"), ["a b", "c"]);
    assert_eq!(seen.framing, RequestFraming::Length(5));
    assert_eq!(seen.peer, client.local_address().expect("it is connected"));
    assert!(seen.complete);
}

#[tokio::test]
async fn requests_of_one_connection_are_counted_even_when_pipelined() {
    let backend = start(Manners::Named).await;
    let mut client = client_of(&backend).await;
    client
        .send(&[GET, GET, GET].concat())
        .await
        .expect("the backend reads");
    for _ in 0..3 {
        assert_eq!(
            client.read_response().await.expect("an answer").text(),
            "backend"
        );
    }
    get(backend.address(), "h.test", "/b")
        .await
        .expect("an answer");
    let places: Vec<_> = backend
        .requests()
        .iter()
        .map(|seen| (seen.connection, seen.ordinal))
        .collect();
    assert_eq!(places, [(1, 1), (1, 2), (1, 3), (2, 1)]);
    assert_eq!((backend.connections(), backend.request_count()), (2, 4));
    assert!(backend.wait_for_open_connections(1, SOON).await);
    drop(client);
    assert!(backend.wait_for_open_connections(0, SOON).await);
}

#[tokio::test]
async fn chunked_requests_are_taken_apart() {
    let backend = start(Manners::Echo).await;
    let mut client = client_of(&backend).await;
    let request = b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n\
        3\r\nabc\r\nA\r\n0123456789\r\n0\r\nX-Sum: 7\r\n\r\n";
    client
        .send_slowly(request, 1, Duration::ZERO)
        .await
        .expect("the backend reads");
    let echo = client.read_response().await.expect("an answer").json();
    assert_eq!(echo["body_length"], 13);
    let seen = &backend.requests()[0];
    assert_eq!(seen.body, b"abc0123456789");
    assert_eq!(seen.trailers, [("X-Sum".to_owned(), "7".to_owned())]);
}

#[tokio::test]
async fn smuggled_bytes_are_a_violation_and_not_a_request() {
    let cases: [(&[u8], &str); 4] = [
        (
            b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbodyGARBAGE\r\n\r\n",
            "three words",
        ),
        (
            b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n",
            "longer than its size",
        ),
        (
            b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\nabc\n0\n\n",
            "line feed without",
        ),
        (
            b"GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
            "both Content-Length",
        ),
    ];
    for (request, expected) in cases {
        let backend = start(Manners::Echo).await;
        let mut client = client_of(&backend).await;
        client.send(request).await.expect("the backend reads");
        let rest = client.read_to_end(SOON).await;
        let text = String::from_utf8_lossy(&rest.bytes).into_owned();
        assert!(text.contains("400 Bad Request"), "{text}");
        let violations = backend.violations();
        assert_eq!(violations.len(), 1, "{violations:?}");
        assert!(violations[0].what.contains(expected), "{violations:?}");
    }
}

#[tokio::test]
async fn every_framing_of_an_answer_gives_the_same_body() {
    let body = b"a body".to_vec();
    let (front, back) = (b"a b".to_vec(), b"ody".to_vec());
    let trailers = vec![("X-Sum".to_owned(), "7".to_owned())];
    let cases = [
        (Manners::text("a body"), false),
        (
            Manners::Chunked {
                chunks: vec![front, vec![], back],
                trailers,
            },
            false,
        ),
        (Manners::CloseDelimited { body: body.clone() }, true),
        (
            Manners::Http10 {
                body: body.clone(),
                with_length: true,
            },
            true,
        ),
        (
            Manners::Http10 {
                body: body.clone(),
                with_length: false,
            },
            true,
        ),
        (Manners::early_hints(Manners::text("a body")), false),
        (
            Manners::dribbling(Duration::from_millis(1), Manners::text("a body")),
            false,
        ),
    ];
    for (manners, closes) in cases {
        let backend = start(manners.clone()).await;
        let mut client = client_of(&backend).await;
        assert_eq!(ask(&mut client, GET).await.body, body, "{manners:?}");
        let window = if closes {
            SOON
        } else {
            Duration::from_millis(30)
        };
        assert_eq!(client.is_closed_within(window).await, closes, "{manners:?}");
    }
}

#[tokio::test]
async fn trailers_and_interim_answers_are_kept() {
    let trailers = vec![("X-Sum".to_owned(), "7".to_owned())];
    let chunked = Manners::Chunked {
        chunks: vec![b"x".to_vec()],
        trailers: trailers.clone(),
    };
    let backend = start(Manners::early_hints(chunked)).await;
    let answer = get(backend.address(), "h", "/").await.expect("an answer");
    assert_eq!(answer.trailers, trailers);
    assert_eq!(answer.interim.len(), 1);
    assert_eq!(answer.interim[0].status, 103);
    assert!(answer.interim[0].headers[0].1.contains("style.css"));
}

#[tokio::test]
async fn a_large_body_is_the_pattern() {
    let length = 3_000_017;
    for chunked in [false, true] {
        let backend = start(Manners::Large {
            bytes: length as u64,
            chunked,
        })
        .await;
        let answer = get(backend.address(), "h", "/").await.expect("an answer");
        assert!(answer.body == pattern(length), "chunked: {chunked}");
        assert_eq!(answer.header("content-length").is_none(), chunked);
    }
}

#[tokio::test]
async fn head_204_and_304_have_no_body() {
    let backend = start(Manners::text("a body")).await;
    let mut client = client_of(&backend).await;
    client
        .send(b"HEAD / HTTP/1.1\r\nHost: h\r\n\r\n")
        .await
        .expect("it reads");
    let answer = client.read_response_to_head().await.expect("an answer");
    assert_eq!(
        (answer.header("Content-Length"), answer.body.len()),
        (Some("6"), 0)
    );
    for status in [204, 304] {
        backend
            .set_manners(Manners::Status(status))
            .await
            .expect("it listens");
        let answer = ask(&mut client, GET).await;
        assert_eq!(
            (answer.status, answer.header("content-length")),
            (status, None)
        );
    }
    assert_eq!(backend.connections(), 1);
}

#[tokio::test]
async fn a_client_that_expects_100_gets_it_before_its_body() {
    let backend = start(Manners::Echo).await;
    let head = b"POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";
    let mut client = client_of(&backend).await;
    client.send(head).await.expect("it reads");
    let go_on = client.read_exactly(25).await.expect("an interim answer");
    assert_eq!(go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    assert_eq!(ask(&mut client, b"ok").await.json()["body_length"], 2);

    let ignoring = start(Manners::IgnoreExpect {
        then: Box::new(Manners::Echo),
    })
    .await;
    let mut client = client_of(&ignoring).await;
    client.send(head).await.expect("it reads");
    let rest = client.read_to_end(Duration::from_millis(50)).await;
    assert_eq!(
        (rest.bytes.as_slice(), rest.ending),
        (b"".as_slice(), Ending::Open)
    );

    let early = start(Manners::EarlyAnswer { status: 413 }).await;
    let answer = ask(&mut client_of(&early).await, head).await;
    assert_eq!(
        (answer.status, answer.header("connection")),
        (413, Some("close"))
    );
}

#[tokio::test]
async fn keep_alive_ends_politely_or_rudely() {
    let limits = [
        (KeepAlive::Polite(2), Some("close")),
        (KeepAlive::Rude(2), None),
    ];
    for (limit, said) in limits {
        let backend = Backend::with(Manners::Echo)
            .keep_alive(limit)
            .start()
            .await
            .expect("a port");
        let mut client = client_of(&backend).await;
        assert_eq!(ask(&mut client, GET).await.header("connection"), None);
        assert_eq!(ask(&mut client, GET).await.header("connection"), said);
        assert!(client.is_closed_within(SOON).await);
    }
    let idle = Duration::from_millis(50);
    let backend = Backend::with(Manners::Echo)
        .idle_timeout(idle)
        .start()
        .await
        .expect("a port");
    let mut client = client_of(&backend).await;
    ask(&mut client, GET).await;
    assert_eq!(client.read_to_end(SOON).await.ending, Ending::Closed);
}

#[tokio::test]
async fn an_upgraded_connection_is_raw_from_the_first_byte() {
    let backend = start(Manners::Upgrade {
        greeting: b"hi".to_vec(),
    })
    .await;
    let mut client = client_of(&backend).await;
    let request =
        b"GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n\x81early";
    let answer = ask(&mut client, request).await;
    assert_eq!(
        (answer.status, answer.header("upgrade")),
        (101, Some("websocket"))
    );
    client.send(b"\x00late").await.expect("it reads");
    let echoed = client.read_exactly(13).await.expect("all comes back");
    assert_eq!(echoed, b"hi\x81early\x00late");
    assert_eq!(
        get(backend.address(), "h", "/")
            .await
            .expect("an answer")
            .status,
        426
    );
}

#[tokio::test]
async fn slow_answers_take_their_time() {
    let delay = Duration::from_millis(120);
    let backend = start(Manners::slow(delay, Manners::Named)).await;
    let began = Instant::now();
    get(backend.address(), "h", "/").await.expect("an answer");
    assert!(began.elapsed() >= delay);
}

#[tokio::test]
async fn paths_sequences_and_reuse_choose_the_manners() {
    let sequence = Manners::Sequence(vec![Manners::Status(500), Manners::Status(404)]);
    let backend = Backend::with(sequence).on_path("/health", Manners::text("up"));
    let backend = backend.start().await.expect("a port");
    let mut statuses = Vec::new();
    for path in ["/health", "/", "/healthy", "/", "/"] {
        statuses.push(
            get(backend.address(), "h", path)
                .await
                .expect("an answer")
                .status,
        );
    }
    assert_eq!(statuses, [200, 500, 200, 404, 404]);
    backend.set_path_manners("/health", Manners::Status(503));
    assert_eq!(
        get(backend.address(), "h", "/health")
            .await
            .expect("an answer")
            .status,
        503
    );

    let moody = start(Manners::closing_when_reused()).await;
    let mut client = client_of(&moody).await;
    assert_eq!(ask(&mut client, GET).await.status, 200);
    client.send(GET).await.expect("it reads");
    let error = client.read_response().await.expect_err("no second answer");
    assert!(error.is_closed(), "{error}");
    assert_eq!(moody.request_count(), 2);
}

#[tokio::test]
async fn the_memory_is_bounded_and_can_be_emptied() {
    let builder = Backend::with(Manners::Echo).remembering(2);
    let backend = builder.start().await.expect("a port");
    let mut client = client_of(&backend).await;
    for _ in 0..3 {
        ask(&mut client, GET).await;
    }
    assert_eq!((backend.requests().len(), backend.request_count()), (2, 3));

    // Kept first, forgotten with its body still to come.
    backend.forget();
    let head = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n";
    client.send(head).await.expect("it reads");
    while backend.requests().is_empty() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    backend.forget();
    assert_eq!((backend.requests().len(), backend.request_count()), (0, 0));
    get(backend.address(), "h", "/other")
        .await
        .expect("an answer");
    ask(&mut client, b"ok").await;
    ask(&mut client, GET).await;
    assert!(backend.wait_for_requests(2, SOON).await);
    let landed_elsewhere = |seen: &SeenRequest| seen.method != "GET" || !seen.body.is_empty();
    assert!(!backend.requests().iter().any(landed_elsewhere));
}
