//! Answers that two readers could take differently: what a backend says beyond its answer, or
//! instead of one, is never given to a client as another's.

mod support;

use std::time::Duration;

use gatewright_snapshot::BackendSetting;
use gatewright_telemetry::{ErrorInfo, Failure};
use gatewright_testkit::backend::{Backend, Flood, KeepAlive, Manners};
use gatewright_testkit::client::Ending;
use support::{Setup, TestGateway, setting};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const SECOND: Duration = Duration::from_secs(1);
/// What nobody asked for.
const POISON: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nPOISON";

fn bytes(text: impl AsRef<[u8]>) -> Manners {
    let bytes = text.as_ref().to_vec();
    Manners::StaticBytes {
        bytes,
        close: false,
    }
}

/// Holds that an answer is not passed on, and its connection not used again.
async fn check_unfit(manners: Manners, failure: Failure) {
    let name = format!("{manners:?}").chars().take(150).collect::<String>();
    let backend = Backend::start(manners).await.unwrap();
    let mut gateway = TestGateway::start(&[&backend], Setup::basic(1)).await;
    let mut client = gateway.client_sending(GET).await;
    let response = match client.read_response().await {
        Ok(response) => response,
        Err(error) => panic!("{error} for {name}"),
    };
    assert_eq!(response.status, 502, "{name}");
    assert!(response.interim.len() <= 16, "{name}");
    assert!(!response.text().contains("POISON"), "{name}");
    let rest = client.read_to_end(Duration::from_millis(50)).await;
    assert!(rest.bytes.is_empty(), "{name}: {:?}", rest.bytes);
    let record = gateway.next_record().await;
    assert_eq!(record.failure, Some(failure), "{name}");
    assert_eq!(
        failure.error_info(),
        ErrorInfo::UpstreamClosedConnection,
        "{name}"
    );
    assert_eq!(record.attempts[0].unwrap().failure, Some(failure), "{name}");
    assert_eq!(
        record.attempts[1], None,
        "{name}: an answer is not asked for twice"
    );
    let closed = backend.wait_for_open_connections(0, 5 * SECOND).await;
    assert!(closed, "{name}: the connection is kept");
}

#[tokio::test]
async fn an_answer_with_doubtful_lengths_is_refused() {
    let ambiguous = Failure::BackendFramingAmbiguous;
    check_unfit(Manners::BothFramings, ambiguous).await;
    check_unfit(Manners::TwoContentLengths, ambiguous).await;
    for fields in [
        "Transfer-Encoding: chunked\r\nContent-Length: 6",
        "Content-Length: 6\r\nContent-Length: 6",
        "Content-Length: 6, 6",
        "Content-Length: +6",
        "Content-Length: -1",
        "Content-Length: 6x",
        "Content-Length: 18446744073709551615",
        "Content-Length:",
        "Transfer-Encoding: identity",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: xchunked",
    ] {
        let answer = format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\nPOISON");
        check_unfit(bytes(answer), ambiguous).await;
    }
    let old = "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nPOISON\r\n0\r\n\r\n";
    check_unfit(bytes(old), ambiguous).await;
}

#[tokio::test]
async fn an_answer_that_is_no_http_is_refused() {
    let invalid = Failure::BackendHeadInvalid;
    check_unfit(Manners::Garbage, invalid).await;
    check_unfit(Manners::CloseMidHead, invalid).await;
    for head in [
        "HTTP/1.1 200 OK\nContent-Length: 6\n\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 6\n\r\n",
        "HTTP/1.1 200 OK\r\nA: b\rSet-Cookie: c\r\nContent-Length: 6\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: b\r\n c\r\nContent-Length: 6\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length : 6\r\n\r\n",
        "HTTP/1.1 200 OK\r\n Content-Length: 6\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: b\0c\r\nContent-Length: 6\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA b\r\nContent-Length: 6\r\n\r\n",
        "\r\nHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n",
        "HTTP/2 200 OK\r\nContent-Length: 6\r\n\r\n",
        "HTTP/1.1 99 OK\r\nContent-Length: 6\r\n\r\n",
        "HTTP/1.1 099 OK\r\nContent-Length: 6\r\n\r\n",
        "HTTP/1.1 600 OK\r\nContent-Length: 6\r\n\r\n",
        "HTTP/1.1 2000 OK\r\nContent-Length: 6\r\n\r\n",
        "HTTP/1.1 +20 OK\r\nContent-Length: 6\r\n\r\n",
        "220 mail.contoso.com ESMTP\r\n\r\n",
        "SSH-2.0-OpenSSH_9.6\r\n\r\n",
        // Nobody asked to switch.
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n",
    ] {
        check_unfit(bytes(format!("{head}POISON")), invalid).await;
    }
}

#[tokio::test]
async fn an_answer_without_an_end_is_given_up() {
    let too_large = Failure::BackendHeadTooLarge;
    check_unfit(Manners::Flood(Flood::Headers), too_large).await;
    check_unfit(Manners::Flood(Flood::OneHeader), too_large).await;
    check_unfit(Manners::Flood(Flood::Interim), Failure::BackendHeadInvalid).await;
    let fields = "A: b\r\n".repeat(513);
    check_unfit(bytes(format!("HTTP/1.1 200 OK\r\n{fields}\r\n")), too_large).await;
}

/// The end of a body is told by its framing; where that breaks, nothing may look like an end.
#[tokio::test]
async fn a_malformed_body_is_never_taken_for_a_whole_one() {
    let chunked = |body: &str| {
        bytes(format!(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{body}"
        ))
    };
    for manners in [
        Manners::BadChunkSize,
        Manners::Flood(Flood::ChunkExtension),
        Manners::Flood(Flood::Trailers),
        chunked("6\nPOISON\r\n0\r\n\r\n"),
        chunked("6\r\nPOISON\n0\r\n\r\n"),
        chunked("6\r\nPOISON\r\n0\r\n\n"),
        chunked("6\r\nPOISONX\r\n0\r\n\r\n"),
        chunked("10000000000000006\r\nPOISON\r\n0\r\n\r\n"),
        chunked("+6\r\nPOISON\r\n0\r\n\r\n"),
    ] {
        for dribbles in [false, true] {
            let name = format!("{manners:?}, dribbled: {dribbles}");
            let manners = match (dribbles, manners.clone()) {
                (true, then @ Manners::StaticBytes { .. }) => {
                    Manners::dribbling(Duration::ZERO, then)
                }
                (_, manners) => manners,
            };
            let backend = Backend::start(manners).await.unwrap();
            let mut gateway = TestGateway::start(&[&backend], Setup::basic(1)).await;
            let mut client = gateway.client_sending(GET).await;
            let answer = client.read_response().await;
            // As long as nothing has been sent, the gateway can still say what happened.
            assert!(
                answer.as_ref().map_or(true, |answer| answer.status == 502),
                "{name}: {answer:?}"
            );
            let record = gateway.next_record().await;
            assert_eq!(
                record.failure,
                Some(Failure::BackendBodyMalformed),
                "{name}"
            );
            let expected = if answer.is_ok() { 502 } else { 200 };
            assert_eq!(record.status, expected, "{name}");
            assert_ne!(
                (record.status, record.sent_bytes),
                (200, 0),
                "{name}: nobody saw a 200"
            );
            assert!(backend.wait_for_open_connections(0, 5 * SECOND).await);
        }
    }
}

/// A setting whose connections belong to one client each.
fn dedicated() -> BackendSetting {
    BackendSetting {
        dedicated_connection: true,
        ..setting()
    }
}

#[tokio::test]
async fn what_follows_an_answer_ends_the_connection() {
    let answers: [&[u8]; 6] = [
        b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ngood\r\n0\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\nContent-Length: 44\r\n\r\n",
        b"HTTP/1.1 304 Not Modified\r\nContent-Length: 44\r\n\r\n",
    ];
    for setting in [setting(), dedicated()] {
        for answer in answers {
            let name = answer.escape_ascii().to_string();
            let backend = Backend::start(bytes([answer, POISON].concat()))
                .await
                .unwrap();
            let setup = Setup::with_setting(1, setting.clone());
            let gateway = TestGateway::start(&[&backend], setup).await;
            let mut client = gateway.client().await;
            for _ in 0..3 {
                client.send(GET.as_bytes()).await.unwrap();
                let response = client.read_response().await.unwrap();
                assert_ne!(response.text(), "POISON", "{name}");
                if response.status == 204 {
                    // A length that no body follows would make the next answer a body.
                    assert_eq!(response.header("content-length"), None, "{name}");
                }
            }
            let rest = client.read_to_end(Duration::from_millis(50)).await;
            assert_eq!((rest.bytes.len(), rest.ending), (0, Ending::Open), "{name}");
            assert_eq!(backend.connections(), 3, "{name}");
            assert!(backend.violations().is_empty());
        }
    }
}

#[tokio::test]
async fn what_follows_an_answer_to_head_ends_the_connection() {
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 44\r\n\r\n";
    let backend = Backend::start(bytes([answer, POISON].concat()))
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
        assert_eq!(response.header("content-length"), Some("44"));
    }
    assert_eq!(backend.connections(), 2);
}

/// Reads one request without a body.
async fn read_request(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut buffer = [0; 4096];
        let count = stream.read(&mut buffer).await.unwrap();
        assert!(count > 0, "the gateway closed within a request");
        head.extend_from_slice(&buffer[..count]);
    }
    String::from_utf8(head).unwrap()
}

/// Serves `stream` well: the target is the answer.
async fn answer_well(stream: &mut TcpStream) {
    let head = read_request(stream).await;
    let target = head.split(' ').nth(1).unwrap();
    let length = target.len();
    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{target}");
    stream.write_all(answer.as_bytes()).await.unwrap();
}

async fn next_connection(listener: &TcpListener) -> TcpStream {
    let accepted = tokio::time::timeout(5 * SECOND, listener.accept()).await;
    accepted.expect("a connection within 5 s").unwrap().0
}

#[tokio::test]
async fn an_answer_that_nobody_asked_for_is_given_to_nobody() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    for setting in [setting(), dedicated()] {
        for unsolicited in [
            POISON,
            b"x",
            b"HTTP/1.1 408 Request Timeout\r\n\r\n",
            b"\r\n",
        ] {
            let setup = Setup::with_setting(1, setting.clone());
            let servers = gatewright_dataplane::NameServers::These(Vec::new());
            let gateway = TestGateway::start_on(&[address], setup, servers, 1).await;
            let mut client = gateway
                .client_sending("GET /1 HTTP/1.1\r\nHost: a\r\n\r\n")
                .await;
            let mut first = next_connection(&listener).await;
            answer_well(&mut first).await;
            assert_eq!(client.read_response().await.unwrap().text(), "/1");
            // On loopback it has arrived when the write is done.
            first.write_all(unsolicited).await.unwrap();
            client
                .send(b"GET /2 HTTP/1.1\r\nHost: a\r\n\r\n")
                .await
                .unwrap();
            let mut second = next_connection(&listener).await;
            answer_well(&mut second).await;
            assert_eq!(client.read_response().await.unwrap().text(), "/2");
            let mut nothing = Vec::new();
            let closed = tokio::time::timeout(5 * SECOND, first.read_to_end(&mut nothing)).await;
            assert!(closed.is_ok(), "the poisoned connection is kept");
            assert_eq!(nothing.escape_ascii().to_string(), "");
        }
    }
}

/// A request that came while another was waiting must be answered after it, whatever is read ahead.
#[tokio::test]
async fn pipelined_requests_get_their_own_answers() {
    let backend = Backend::with(Manners::slow(Duration::from_millis(50), Manners::Echo))
        .keep_alive(KeepAlive::Forever)
        .start()
        .await
        .unwrap();
    let gateway = TestGateway::start(&[&backend], Setup::basic(1)).await;
    let body = "x".repeat(300_000);
    for first in [
        "GET /0 HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
        "POST /0 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc".to_owned(),
        "POST /0 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
            .to_owned(),
        format!("POST /0 HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n{body}"),
    ] {
        backend.forget();
        let mut client = gateway.client_sending(&first).await;
        // The first has arrived whole: the gateway waits for its answer when the second comes.
        assert!(backend.wait_for_requests(1, 5 * SECOND).await);
        client
            .send(b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTT")
            .await
            .unwrap();
        assert_eq!(client.read_response().await.unwrap().json()["target"], "/0");
        client.send(b"P/1.1\r\nHost: a\r\n\r\n").await.unwrap();
        for target in ["/1", "/2"] {
            let response = client.read_response().await;
            let shown = &first[..25];
            let response = response.unwrap_or_else(|error| panic!("{error} after {shown}"));
            assert_eq!(response.json()["target"], target, "after {shown}");
        }
    }
    assert!(backend.violations().is_empty());
}
