//! Requests that two readers could take differently: refused, and never seen by a backend.

mod support;

use std::time::Duration;

use gatewright_telemetry::ErrorInfo as Info;
use gatewright_telemetry::Failure;
use gatewright_testkit::backend::{Backend, Manners};
use gatewright_testkit::client::Ending;
use support::{Setup, TestGateway, send_in_pieces};

const SECOND: Duration = Duration::from_secs(1);

struct Stage {
    backend: Backend,
    gateway: TestGateway,
    /// What the records must say, in order.
    verdicts: Vec<(Verdict, String)>,
}

/// What a request must come to.
#[derive(Clone, Copy)]
struct Verdict(u16, Failure, Info);

impl Stage {
    async fn set() -> Self {
        let backend = Backend::start(Manners::Echo).await.unwrap();
        let gateway = TestGateway::start(&[&backend], Setup::basic(1)).await;
        Self {
            backend,
            gateway,
            verdicts: Vec::new(),
        }
    }

    /// Holds that `text` is answered with an error and hung up on, however it arrives, and that
    /// nothing of it comes to the backend.
    async fn refuses(&mut self, verdict: Verdict, text: impl AsRef<[u8]>) {
        let text = text.as_ref();
        for step in [text.len(), (text.len() / 4_000).max(1)] {
            self.check_refused(verdict, text, step).await;
        }
        assert_eq!(self.backend.request_count(), 0, "{}", shown(text));
        assert_eq!(self.backend.connections(), 0, "{}", shown(text));
    }

    /// Holds that `text`, in pieces of `step`, has one answer, an error, and the end of the
    /// connection behind it.
    async fn check_refused(&mut self, verdict: Verdict, text: &[u8], step: usize) {
        let mut client = self.gateway.client().await;
        send_in_pieces(&mut client, text, step).await;
        let name = format!("{} in steps of {step}", shown(text));
        let response = match client.read_response().await {
            Ok(response) => response,
            Err(error) => panic!("{error} for {name}"),
        };
        assert_eq!(response.status, verdict.0, "{name}");
        assert_eq!(response.header("connection"), Some("close"), "{name}");
        let rest = client.read_to_end(SECOND).await;
        assert_ne!(rest.ending, Ending::Open, "{name}");
        assert!(rest.bytes.is_empty(), "{name} is answered twice");
        self.verdicts.push((verdict, name));
    }

    /// Holds that the records say why.
    async fn finish(mut self) {
        let records = self.gateway.records(self.verdicts.len()).await;
        assert_eq!(records.len(), self.verdicts.len());
        for (Verdict(status, failure, info), name) in &self.verdicts {
            let record = self.gateway.next_record().await;
            assert_eq!(record.failure, Some(*failure), "{name}");
            assert_eq!(record.failure.unwrap().error_info(), *info, "{name}");
            assert_eq!(record.status, *status, "{name}");
            let attempt = record.attempts[0];
            assert_eq!(attempt.is_some(), *failure == BODY.1, "{name}");
        }
        assert!(self.backend.violations().is_empty());
    }
}

fn shown(text: &[u8]) -> String {
    text[..text.len().min(120)].escape_ascii().to_string()
}

const REQUEST: Verdict = Verdict(400, Failure::RequestMalformed, Info::InvalidRequest);
const METHOD: Verdict = Verdict(400, Failure::MethodInvalid, Info::InvalidMethod);
const VERSION: Verdict = Verdict(400, Failure::VersionInvalid, Info::InvalidVersion);
const VERSION_09: Verdict = Verdict(400, Failure::VersionMissing, Info::Invalid09Method);
const TARGET: Verdict = Verdict(400, Failure::TargetInvalid, Info::RequestUriInvalid);
const HEADER: Verdict = Verdict(400, Failure::HeaderInvalid, Info::InvalidHeader);
const REPEATED: Verdict = Verdict(400, Failure::HeaderRepeated, Info::InvalidRequest);
const HOST: Verdict = Verdict(400, Failure::HostInvalid, Info::InvalidHost);
const NO_HOST: Verdict = Verdict(400, Failure::HostMissing, Info::HttpNoHostHeader);
const LENGTH: Verdict = Verdict(
    400,
    Failure::ContentLengthInvalid,
    Info::InvalidContentLength,
);
const NO_LENGTH: Verdict = Verdict(400, Failure::LengthRequired, Info::InvalidContentLength);
const CODING: Verdict = Verdict(400, Failure::TransferEncodingInvalid, Info::InvalidRequest);
const BOTH: Verdict = Verdict(400, Failure::FramingAmbiguous, Info::InvalidRequest);
const BODY: Verdict = Verdict(400, Failure::BodyMalformed, Info::InvalidRequest);
const LONG_TARGET: Verdict = Verdict(414, Failure::TargetTooLong, Info::RequestUriInvalid);
const LARGE_HEADER: Verdict = Verdict(431, Failure::HeaderTooLarge, Info::InvalidRequest);

#[tokio::test]
async fn a_request_with_two_lengths_is_refused() {
    let mut stage = Stage::set().await;
    let bodies = ["0\r\n\r\nGET /admin HTTP/1.1\r\nHost: a\r\n\r\n", ""];
    for (verdict, fields) in [
        (BOTH, "Content-Length: 4\r\nTransfer-Encoding: chunked"),
        (BOTH, "Transfer-Encoding: chunked\r\nContent-Length: 4"),
        (BOTH, "Transfer-Encoding: chunked\r\nContent-Length: 0"),
        (BOTH, "content-length: 4\r\ntransfer-ENCODING: Chunked"),
        (LENGTH, "Content-Length: 4\r\nContent-Length: 4"),
        (LENGTH, "Content-Length: 4\r\nContent-Length: 5"),
        (LENGTH, "Content-Length: 4\r\nA: b\r\ncontent-length: 0"),
        (LENGTH, "Content-Length: 4, 4"),
        (LENGTH, "Content-Length: 4,5"),
        (LENGTH, "Content-Length: +4"),
        (LENGTH, "Content-Length: -4"),
        (LENGTH, "Content-Length: 0x4"),
        (LENGTH, "Content-Length: 4 4"),
        (LENGTH, "Content-Length: 4.0"),
        (LENGTH, "Content-Length:"),
        (LENGTH, "Content-Length: ,"),
        (LENGTH, "Content-Length: 18446744073709551620"),
        (LENGTH, "Content-Length: 9223372036854775808"),
        (NO_LENGTH, "A: b"),
    ] {
        for body in bodies {
            let text = format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n{body}");
            stage.refuses(verdict, text).await;
        }
    }
    stage.finish().await;
}

#[tokio::test]
async fn a_transfer_coding_other_than_chunked_is_refused() {
    let mut stage = Stage::set().await;
    for coding in [
        "identity",
        "gzip, chunked",
        "chunked, gzip",
        "chunked, identity",
        "chunked, chunked",
        "xchunked",
        "chunkedx",
        "chunked;q=1",
        "\"chunked\"",
        "'chunked'",
        "ch unked",
        "",
        ",",
        "x, ,chunked",
        "chunked\r\nTransfer-Encoding: chunked",
        "chunked\r\nTransfer-Encoding: identity",
        "identity\r\nTransfer-Encoding: chunked",
        "gzip\r\ntransfer-encoding: chunked",
    ] {
        let text = format!(
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: {coding}\r\n\r\n\
            0\r\n\r\nGET /admin HTTP/1.1\r\nHost: a\r\n\r\n"
        );
        stage.refuses(CODING, text).await;
    }
    let old = "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    stage.refuses(CODING, old).await;
    stage.finish().await;
}

#[tokio::test]
async fn lines_end_with_cr_lf_and_nothing_else() {
    let mut stage = Stage::set().await;
    for text in [
        "GET / HTTP/1.1\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\nHost: a\n\n",
        "GET / HTTP/1.1\r\nHost: a\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n\n",
        "GET / HTTP/1.1\r\nHost: a\r\nA: b\nTransfer-Encoding: chunked\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nA: b\rTransfer-Encoding: chunked\r\n\r\n",
        "GET / HTTP/1.1\r\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\r\n\r\n",
        "GET /\r HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n\r\r\n\r\n",
        "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "\r\n\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    ] {
        stage.refuses(REQUEST, text).await;
    }
    stage.finish().await;
}

#[tokio::test]
async fn fields_are_well_formed() {
    let mut stage = Stage::set().await;
    for lines in [
        "A: b\r\n c",
        "A: b\r\n\tTransfer-Encoding: chunked",
        "Transfer-Encoding : chunked",
        "Content-Length : 3",
        "A\t: b",
        " A: b",
        "\tA: b",
        "A b",
        ": b",
        "A\0: b",
        "A: b\0c",
        "A: b\x01c",
        "A: b\x7fc",
        "A(: b",
        "A\"B: c",
        "A/B: c",
        "A\u{e9}: b",
        "A: \u{e9}",
        "Transfer\u{2d}Encoding\x0b: chunked",
        "Transfer-Encoding\0: chunked",
        "Transfer-Encoding:\x0bchunked",
    ] {
        let text = format!("GET / HTTP/1.1\r\nHost: a\r\n{lines}\r\n\r\n");
        stage.refuses(HEADER, text).await;
    }
    let twice = "GET / HTTP/1.1\r\nHost: a\r\nAuthorization: b\r\nAuthorization: c\r\n\r\n";
    stage.refuses(REPEATED, twice).await;
    // Before the first field: where it could be taken for a part of the request line.
    stage
        .refuses(HEADER, "GET / HTTP/1.1\r\n Host: a\r\n\r\n")
        .await;
    stage.finish().await;
}

#[tokio::test]
async fn a_request_has_one_good_host() {
    let mut stage = Stage::set().await;
    for (verdict, lines) in [
        (NO_HOST, "GET / HTTP/1.1\r\nA: b"),
        (NO_HOST, "GET / HTTP/1.1\r\nHost:"),
        (NO_HOST, "GET / HTTP/1.0\r\nA: b"),
        (HOST, "GET / HTTP/1.1\r\nHost: a\r\nHost: a"),
        (HOST, "GET / HTTP/1.1\r\nHost: a\r\nhost: b"),
        (HOST, "GET / HTTP/1.1\r\nHost: a, b"),
        (HOST, "GET / HTTP/1.1\r\nHost: a b"),
        (HOST, "GET / HTTP/1.1\r\nHost: a:80:81"),
        (HOST, "GET / HTTP/1.1\r\nHost: a:x"),
        (HOST, "GET / HTTP/1.1\r\nHost: a:123456"),
        (HOST, "GET / HTTP/1.1\r\nHost: user@a"),
        (HOST, "GET / HTTP/1.1\r\nHost: a/b"),
        (HOST, "GET / HTTP/1.1\r\nHost: a?b"),
        (HOST, "GET / HTTP/1.1\r\nHost: a#b"),
        (HOST, "GET / HTTP/1.1\r\nHost: a\\b"),
        (HOST, "GET / HTTP/1.1\r\nHost: a%00"),
        (HOST, "GET / HTTP/1.1\r\nHost: [::1"),
        (HOST, "GET / HTTP/1.1\r\nHost: ::1"),
        (HOST, "GET / HTTP/1.1\r\nHost: [::1]80"),
        (HOST, "GET http://b/ HTTP/1.1\r\nHost: a"),
        (HOST, "GET http://a:81/ HTTP/1.1\r\nHost: a"),
        (HOST, "GET http://user@a/ HTTP/1.1\r\nHost: a"),
        (HOST, "GET https://b HTTP/1.1\r\nHost: a"),
        (NO_HOST, "GET http://a/ HTTP/1.1\r\nA: b"),
    ] {
        stage.refuses(verdict, format!("{lines}\r\n\r\n")).await;
    }
    let long = format!("GET / HTTP/1.1\r\nHost: {}\r\n\r\n", "a".repeat(300));
    stage.refuses(HOST, long).await;
    stage.finish().await;
}

#[tokio::test]
async fn a_target_that_agrees_with_the_host_is_sent_on_in_origin_form() {
    let mut stage = Stage::set().await;
    for (target, host, expected) in [
        ("http://a.com/x?y", "a.com", "/x?y"),
        ("HTTP://A.com:80/x", "a.COM:80", "/x"),
        ("https://a.com", "a.com", "/"),
        ("http://a.com?y", "a.com", "/?y"),
    ] {
        stage.backend.forget();
        let text = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n");
        assert_eq!(stage.gateway.ask(text).await.status, 200, "{target}");
        let seen = stage.backend.requests().remove(0);
        assert_eq!(seen.target, expected);
        assert_eq!(seen.header("host"), Some(host));
        assert_eq!(stage.gateway.next_record().await.failure, None);
    }
    assert!(stage.backend.violations().is_empty());
}

#[tokio::test]
async fn request_lines_are_well_formed() {
    let mut stage = Stage::set().await;
    for (verdict, line) in [
        (METHOD, "G(T / HTTP/1.1"),
        (METHOD, " GET / HTTP/1.1"),
        (METHOD, "G\0T / HTTP/1.1"),
        (METHOD, "get / HTTP/1.1"),
        (METHOD, "G1 / HTTP/1.1"),
        (METHOD, "\x16\x03\x01\x02"),
        (METHOD, "\"GET\" / HTTP/1.1"),
        (VERSION_09, "GET /"),
        (VERSION, "GET / HTTP/2.0"),
        (VERSION, "GET / HTTP/1.2"),
        (VERSION, "GET / HTTP/0.9"),
        (VERSION, "GET / HTTP/01.1"),
        (VERSION, "GET / http/1.1"),
        (VERSION, "GET / ICY/1.1"),
        (REQUEST, "GET  / HTTP/1.1"),
        (REQUEST, "GET / HTTP/1.1 "),
        (REQUEST, "GET /  HTTP/1.1"),
        (REQUEST, "GET /a b HTTP/1.1"),
        (VERSION, "GET /\tHTTP/1.1 HTTP/1.1x"),
        (TARGET, "GET /\t HTTP/1.1"),
        (TARGET, "GET /\0 HTTP/1.1"),
        (TARGET, "GET /\x7f HTTP/1.1"),
        (TARGET, "GET /\u{e9} HTTP/1.1"),
        (TARGET, "GET /a#b HTTP/1.1"),
        (TARGET, "GET a HTTP/1.1"),
        (TARGET, "GET * HTTP/1.1"),
        (TARGET, "GET ftp://a/ HTTP/1.1"),
        (TARGET, "GET http:/// HTTP/1.1"),
    ] {
        let text = format!("{line}\r\nHost: a\r\n\r\n");
        stage.refuses(verdict, text).await;
    }
    let preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    stage.refuses(VERSION, preface).await;
    stage.finish().await;
}

#[tokio::test]
async fn heads_are_bounded() {
    let mut stage = Stage::set().await;
    let target = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(32 * 1024));
    stage.refuses(LONG_TARGET, target).await;
    stage
        .refuses(LONG_TARGET, format!("GET /{}", "a".repeat(80_000)))
        .await;
    let header = format!("A: {}\r\n", "b".repeat(33 * 1024));
    let text = format!("GET / HTTP/1.1\r\nHost: a\r\n{header}\r\n");
    stage.refuses(LARGE_HEADER, text).await;
    // Without an end: told as soon as it is too long, not when time is over.
    let endless = format!("GET / HTTP/1.1\r\nHost: a\r\nA: {}", "b".repeat(70_000));
    stage.refuses(LARGE_HEADER, endless).await;
    let fields = "A: b\r\n".repeat(128);
    let text = format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
    stage.refuses(LARGE_HEADER, text).await;
    stage.refuses(METHOD, "A".repeat(33)).await;
    stage.finish().await;
}

#[tokio::test]
async fn what_is_within_the_bounds_is_served() {
    let stage = Stage::set().await;
    let long = "a".repeat(32 * 1024 - 1);
    let response = stage
        .gateway
        .ask(format!("GET /{long} HTTP/1.1\r\nHost: a\r\n\r\n"))
        .await;
    assert_eq!(response.status, 200);
    let fields = "A: b\r\n".repeat(127);
    let large = "b".repeat(30 * 1024);
    for fields in [fields, format!("A: {large}\r\n")] {
        let text = format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
        assert_eq!(stage.gateway.ask(text).await.status, 200);
    }
    // Methods that nobody knows, in one piece and byte by byte.
    for method in ["M-SEARCH", "X_Y", "FOOBAR"] {
        for step in [1, 100] {
            let mut client = stage.gateway.client().await;
            let text = format!("{method} / HTTP/1.1\r\nHost: a\r\n\r\n");
            send_in_pieces(&mut client, text.as_bytes(), step).await;
            let response = client.read_response().await.unwrap();
            assert_eq!(response.status, 200, "{method} in steps of {step}");
        }
    }
    assert!(stage.backend.violations().is_empty());
}

/// A backend never takes part of a malformed body for a whole one.
#[tokio::test]
async fn malformed_chunked_bodies_are_refused() {
    let mut stage = Stage::set().await;
    let long_extension = format!("4;{}\r\nWiki\r\n0\r\n\r\n", "x".repeat(300));
    let endless_extension = format!("4;{}", "x".repeat(20_000));
    let trailers = format!("0\r\n{}\r\n", "A: b\r\n".repeat(5_000));
    for body in [
        "\r\n",
        "x\r\n",
        "4\nWiki\r\n0\r\n\r\n",
        "4\rWiki\r\n0\r\n\r\n",
        "4\r\nWiki\n0\r\n\r\n",
        "4\r\nWikiX0\r\n\r\n",
        "4\r\nWikiXX0\r\n\r\n",
        "+4\r\nWiki\r\n0\r\n\r\n",
        "-4\r\nWiki\r\n0\r\n\r\n",
        "0x4\r\nWiki\r\n0\r\n\r\n",
        " 4\r\nWiki\r\n0\r\n\r\n",
        "4_\r\nWiki\r\n0\r\n\r\n",
        "4;a\nb\r\nWiki\r\n0\r\n\r\n",
        "4;a\rb\r\nWiki\r\n0\r\n\r\n",
        "4;\0\r\nWiki\r\n0\r\n\r\n",
        "ffffffffffffffff\r\nWiki",
        "10000000000000004\r\nWiki\r\n0\r\n\r\n",
        "00000000000000000004\r\nWiki\r\n0\r\n\r\n",
        "0\r\n\n",
        "0\n\r\n",
        "0\r\nA: b\n\r\n",
        "0\r\nA: b\rc\r\n\r\n",
        "0\r\nA: \0\r\n\r\n",
        &long_extension,
        &endless_extension,
        &trailers,
    ] {
        let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        let text = [head, body].concat();
        for step in [text.len(), 1 + text.len() / 1_000] {
            stage.check_refused(BODY, text.as_bytes(), step).await;
        }
    }
    let seen = stage.backend.requests();
    let whole: Vec<_> = seen.iter().filter(|request| request.complete).collect();
    assert!(whole.is_empty(), "{whole:?}");
    stage.finish().await;
}

/// Each hides a `GET /admin` for a reader that frames it in another way.
const HIDING: &[&str] = &[
    // CL.TE
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 37\r\nTransfer-Encoding: chunked\r\n\r\n\
        0\r\n\r\nGET /admin HTTP/1.1\r\nHost: a\r\n\r\n",
    // TE.CL
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n\
        20\r\nGET /admin HTTP/1.1\r\nHost: a\r\n\r\n\r\n0\r\n\r\n",
    // TE.TE
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\
        Content-Length: 4\r\n\r\n20\r\nGET /admin HTTP/1.1\r\nHost: a\r\n\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\x0bchunked\r\nContent-Length: 4\r\n\r\n\
        20\r\nGET /admin HTTP/1.1\r\nHost: a\r\n\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding\r\n : chunked\r\nContent-Length: 4\r\n\r\n\
        20\r\nGET /admin HTTP/1.1\r\nHost: a\r\n\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nX: y\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n\
        20\r\nGET /admin HTTP/1.1\r\nHost: a\r\n\r\n\r\n0\r\n\r\n",
    // A name that some servers fold into another: the length alone decides.
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer_Encoding: chunked\r\nContent-Length: 43\r\n\r\n\
        0\r\n\r\nGET /admin HTTP/1.1\r\nHost: a\r\nA: b\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nContent_Length: 9\r\nContent-Length: 39\r\n\r\n\
        GET /admin HTTP/1.1\r\nHost: a\r\nAA: b\r\n\r\n",
    // Connection cannot take a length away.
    "GET / HTTP/1.1\r\nHost: a\r\nConnection: Content-Length\r\nContent-Length: 39\r\n\r\n\
        GET /admin HTTP/1.1\r\nHost: a\r\nAA: b\r\n\r\n",
    "PUT / HTTP/1.1\r\nHost: a\r\nConnection: Transfer-Encoding\r\nTransfer-Encoding: chunked\
        \r\n\r\n27\r\nGET /admin HTTP/1.1\r\nHost: a\r\nAA: b\r\n\r\n\r\n0\r\n\r\n",
    // A body where none is usual.
    "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 39\r\n\r\n\
        GET /admin HTTP/1.1\r\nHost: a\r\nAA: b\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
        27\r\nGET /admin HTTP/1.1\r\nHost: a\r\nAA: b\r\n\r\n\r\n0\r\n\r\n",
    // In a trailer, and in an extension.
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
        1;x\r\na\r\n0\r\nGET /admin HTTP/1.1\r\nHost: a\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
        1;\nGET /admin HTTP/1.1\nHost: a\r\na\r\n0\r\n\r\n",
    // A chunk that is longer, or shorter, than it says.
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
        1\r\na\r\n\r\nGET /admin HTTP/1.1\r\nHost: a\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
        0\r\nContent-Length: 37\r\n GET /admin HTTP/1.1\r\n\r\n",
    // An upgrade that nobody agreed to.
    "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, Content-Length\r\nUpgrade: x\r\n\
        Content-Length: 39\r\n\r\nGET /admin HTTP/1.1\r\nHost: a\r\nAA: b\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\
        HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\nGET /admin HTTP/1.1\r\nHost: a\r\n\r\n",
    // In fields.
    "GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n\0\r\nGET /admin HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /\x0b?HTTP/1.1\r\nGET /admin HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue, x\r\nContent-Length: 39\r\n\r\n\
        GET /admin HTTP/1.1\r\nHost: a\r\nAA: b\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 39\r\n\r\n\
        GET /admin HTTP/1.1\r\nHost: a\r\nAA: b\r\n\r\n",
    "POST / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\nContent-Length: 39\r\n\r\n\
        GET /admin HTTP/1.1\r\nHost: a\r\nAA: b\r\n\r\n",
    "TRACE / HTTP/1.1\r\nHost: a\r\nContent-Length: 39\r\n\r\n\
        GET /admin HTTP/1.1\r\nHost: a\r\nAA: b\r\n\r\n",
];

#[tokio::test]
async fn a_request_in_a_body_stays_in_the_body() {
    let stage = Stage::set().await;
    for text in HIDING {
        for step in [text.len(), 1] {
            stage.backend.forget();
            let mut client = stage.gateway.client().await;
            send_in_pieces(&mut client, text.as_bytes(), step).await;
            // The victim's own request, on the same connections if the gateway has them open.
            send_in_pieces(
                &mut client,
                b"GET /victim HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
                step,
            )
            .await;
            let rest = client.read_to_end(Duration::from_secs(3)).await;
            let answers = String::from_utf8_lossy(&rest.bytes).into_owned();
            let shown = shown(text.as_bytes());
            assert!(answers.starts_with("HTTP/1.1 "), "{shown}: {answers}");
            assert!(!answers.contains("\"target\":\"/admin\""), "{shown}");
            let mut other = stage.gateway.client().await;
            other
                .send(b"GET /other HTTP/1.1\r\nHost: a\r\n\r\n")
                .await
                .unwrap();
            let response = other.read_response().await.unwrap();
            assert_eq!(response.json()["target"], "/other", "{shown}");
            for request in stage.backend.requests() {
                assert_ne!(request.target, "/admin", "{shown} in steps of {step}");
            }
            assert!(stage.backend.violations().is_empty(), "{shown}");
        }
    }
}
