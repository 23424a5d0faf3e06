//! What comes over the wire that no good client sends: a 4xx in the service's form or a clean end,
//! nothing stored, and the next client is served.

mod house;
mod support;

use std::time::{Duration, Instant};

use gatewright_control::{DEFAULT_SUBSCRIPTION, Limits};
use house::{Answered, House, Running};
use reqwest::StatusCode;
use serde_json::json;
use support::{GROUP, LOCATION, group};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// Bounds that a test can wait for.
fn short() -> Limits {
    let moment = Duration::from_millis(300);
    Limits {
        handshake: moment,
        head: moment,
        body: moment,
        write: moment,
        ..Limits::default()
    }
}

async fn house(limits: Limits) -> (House, Running) {
    let mut house = House::new(limits);
    let running = house.start().await;
    (house, running)
}

/// Sends the bytes on a connection of their own.
async fn exchange(running: &Running, bytes: impl AsRef<[u8]>) -> Option<Answered> {
    let mut wire = running.connect().await;
    wire.try_send(bytes).await;
    wire.answer().await
}

/// Refused with this status, and with this code where it is told in the service's form.
async fn refused(running: &Running, bytes: impl AsRef<[u8]>, status: u16, code: &str) {
    let shown = String::from_utf8_lossy(bytes.as_ref())
        .chars()
        .take(200)
        .collect::<String>();
    let answer = exchange(running, bytes)
        .await
        .unwrap_or_else(|| panic!("no answer to {shown}"));
    assert_eq!((answer.status, answer.code()), (status, code), "{shown}");
}

fn group_path(query: &str) -> String {
    format!("{}?{query}", group(GROUP))
}

/// A PUT of a group with a body and these headers.
fn put(running: &Running, headers: &str, body: &[u8]) -> Vec<u8> {
    let line = format!("PUT {}", group_path("api-version=2024-05-01"));
    let mut bytes = format!("{}{headers}\r\n", running.head(&line)).into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

fn with_length(running: &Running, kind: &str, body: &[u8]) -> Vec<u8> {
    let headers = format!("Content-Type: {kind}\r\nContent-Length: {}\r\n", body.len());
    put(running, &headers, body)
}

async fn nothing_was_made(running: &Running) {
    assert!(running.entries("resource/").await.is_empty());
    let list = format!("/subscriptions/{DEFAULT_SUBSCRIPTION}/resourceGroups");
    let reply = running.api.get(&list).await.expect(StatusCode::OK);
    assert_eq!(reply.body, json!({"value": []}));
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_are_found_however_clients_write_them() {
    let (_house, running) = house(Limits::default()).await;
    let location = json!({"location": LOCATION});
    running.api.create(&group(GROUP), &location).await;
    let id = DEFAULT_SUBSCRIPTION;
    for path in [
        format!("/SUBSCRIPTIONS/{id}/RESOURCEGROUPS/RG1"),
        format!("//subscriptions///{id}/resourcegroups/rg1/"),
        format!("/subscriptions/{id}/resource%47roups/%72g1"),
    ] {
        let reply = running.api.get(&path).await.expect(StatusCode::OK);
        assert_eq!(
            reply.body["id"],
            group(GROUP),
            "the casing is that of the PUT"
        );
    }
    let filter = "%2524filter=resourceType%2520eq%2520%2527a%252Fb%2527";
    let path = format!("/subscriptions/{id}/resources?{filter}");
    let reply = running.api.get(&path).await.expect(StatusCode::OK);
    assert_eq!(reply.body, json!({"value": []}), "encoded twice");
    for version in [
        "2024-05-01-preview",
        "2099-01-01",
        "2014-04-01",
        "2015-05-01-PREVIEW",
    ] {
        let path = group_path(&format!("api-version={version}"));
        running.api.get(&path).await.expect(StatusCode::OK);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_that_are_wrong_are_refused() {
    let (_house, running) = house(Limits::default()).await;
    let (path, host) = (group_path("api-version=2024-05-01"), running.host());
    let get = |path: &str| format!("{}\r\n", running.head(&format!("GET {path}")));
    for (query, code) in [
        ("", "MissingApiVersionParameter"),
        ("api-version=", "MissingApiVersionParameter"),
        ("api-version=yesterday", "InvalidApiVersionParameter"),
        ("api-version=2024-13-01", "InvalidApiVersionParameter"),
        (
            "api-version=2024-05-01-x%0d%0a",
            "InvalidApiVersionParameter",
        ),
    ] {
        refused(&running, get(&group_path(query)), 400, code).await;
    }
    let query = "api-version=2024-05-01";
    for bad in [
        "/a%2Fb",
        "/a%252Fb",
        "/../x",
        "/%2e%2e/x",
        "/a%00",
        "/a%5cb",
        "/%ff%fe%",
    ] {
        let bytes = get(&format!("{bad}?{query}"));
        refused(&running, bytes, 400, "InvalidRequestUri").await;
    }
    let deep = get(&format!("{}?{query}", "/a".repeat(60)));
    refused(&running, deep, 400, "InvalidRequestUri").await;
    let head = running.head(&format!("GET {path}"));
    let with_host = |hosts: &str| head.replace(&format!("Host: {host}\r\n"), hosts) + "\r\n";
    let wrong = [
        "Host: gateway.evil.test\r\n".to_owned(),
        "Host: localhost\r\n".to_owned(),
        format!("Host: {host}.evil.test\r\n"),
        format!("Host: user@{host}\r\n"),
        "Host: \r\n".to_owned(),
        String::new(),
        format!("Host: {host}\r\nHost: {host}\r\n"),
        format!("Host: {host}\r\nHost: evil.test\r\n"),
    ];
    for hosts in wrong {
        refused(&running, with_host(&hosts), 400, "InvalidHostHeader").await;
    }
    let absolute = |authority: &str| {
        format!(
            "{}\r\n",
            running.head(&format!("GET https://{authority}{path}"))
        )
    };
    refused(&running, absolute("evil.test"), 400, "InvalidHostHeader").await;
    refused(&running, absolute(&host), 404, "ResourceGroupNotFound").await;
    let post = format!(
        "{}Content-Length: 0\r\n\r\n",
        running.head(&format!("POST {path}"))
    );
    refused(&running, post, 405, "MethodNotAllowed").await;
    let odd = format!("{}\r\n", running.head(&format!("BREW {path}")));
    refused(&running, odd, 405, "MethodNotAllowed").await;
    nothing_was_made(&running).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_http_ends_the_connection() {
    let (_house, running) = house(Limits::default()).await;
    let path = group_path("api-version=2024-05-01");
    let head = running.head(&format!("GET {path}"));
    let huge = format!("{head}X-Huge: {}\r\n\r\n", "a".repeat(128 * 1024));
    let many = format!("{head}{}\r\n", "X-Many: 1\r\n".repeat(150));
    let long = format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(128 * 1024));
    let both = put(
        &running,
        "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n",
        b"0\r\n\r\n",
    );
    let twice = put(
        &running,
        "Content-Length: 2\r\nContent-Length: 3\r\n",
        b"{}x",
    );
    let garbage = b"\x16\x03\x01 what is this\r\n\r\n".to_vec();
    let h2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    let space = head.replace("Host:", "Host :") + "\r\n";
    let odd_chunk = put(
        &running,
        "Transfer-Encoding: chunked\r\n",
        b"zz\r\n{}\r\n0\r\n\r\n",
    );
    for bytes in [
        huge.into_bytes(),
        many.into_bytes(),
        long.into_bytes(),
        twice,
        garbage,
        h2,
        space.into_bytes(),
        odd_chunk,
    ] {
        let mut wire = running.connect().await;
        wire.try_send(&bytes).await;
        let answer = wire.answer().await;
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(60)]).into_owned();
        if let Some(answer) = answer {
            assert!((400..500).contains(&answer.status), "{shown}: {answer:?}");
        }
        assert!(wire.ends().await, "{shown}");
    }
    // Of two framings that differ, hyper believes the chunks, and ends the connection.
    let mut wire = running.connect().await;
    wire.send(&both).await;
    let answer = wire.answer().await;
    assert!(answer.is_none_or(|answer| answer.status == 400));
    nothing_was_made(&running).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_are_wrong_are_refused() {
    let limits = Limits {
        body_bytes: 2 * 1024 * 1024,
        ..Limits::default()
    };
    let (_house, running) = house(limits).await;
    let json_type = "application/json";
    let content = "InvalidRequestContent";
    let utf_16: Vec<u8> =
        r#"{"location":"local"}"#.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let deep = format!("{}1{}", "[".repeat(5000), "]".repeat(5000));
    let deep = format!("{{\"tags\":{deep}}}");
    for body in [
        &b""[..],
        b"{",
        b"[]",
        b"null",
        b"\"text\"",
        b"{\"location\": \"\xff\"}",
        b"{\"location\": \"local\"}{}",
        &utf_16,
        deep.as_bytes(),
    ] {
        refused(
            &running,
            with_length(&running, json_type, body),
            400,
            content,
        )
        .await;
    }
    let fine = br#"{"location": "local"}"#;
    for kind in [
        "text/plain",
        "application/xml",
        "application/json; charset=utf-16",
    ] {
        let bytes = with_length(&running, kind, fine);
        refused(&running, bytes, 415, "UnsupportedMediaType").await;
    }
    let zipped = format!(
        "Content-Encoding: gzip\r\nContent-Length: {}\r\n",
        fine.len()
    );
    let zipped = put(&running, &zipped, fine);
    refused(&running, zipped, 415, "UnsupportedMediaType").await;
    let large = vec![b' '; limits.body_bytes + 1];
    let announced = with_length(&running, json_type, &large);
    refused(&running, announced, 413, "RequestContentTooLarge").await;
    let mut chunks = format!("{:x}\r\n", large.len()).into_bytes();
    chunks.extend_from_slice(&large);
    chunks.extend_from_slice(b"\r\n0\r\n\r\n");
    let chunked = put(&running, "Transfer-Encoding: chunked\r\n", &chunks);
    refused(&running, chunked, 413, "RequestContentTooLarge").await;
    // Without a token, a form is all that is read.
    let form = vec![b'a'; limits.stranger_body_bytes + 1];
    let mut login = format!(
        "POST /adfs/oauth2/token HTTP/1.1\r\nHost: {}\r\nContent-Length: {}\r\n\r\n",
        running.host(),
        form.len()
    )
    .into_bytes();
    login.extend_from_slice(&form);
    refused(&running, login, 413, "RequestContentTooLarge").await;
    nothing_was_made(&running).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_http_allows_is_understood() {
    let (_house, running) = house(Limits::default()).await;
    let chunked = put(
        &running,
        "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n",
        b"5;x=y\r\n{\"loc\r\n14\r\nation\": \"local\"}    \r\n0\r\nX: y\r\n\r\n",
    );
    let answer = exchange(&running, chunked).await.unwrap();
    assert_eq!(answer.status, 201, "{answer:?}");
    // Two requests at once, answered in their order.
    let path = group_path("api-version=2024-05-01");
    let one = format!("{}\r\n", running.head(&format!("GET {path}")));
    let other = one.replace(GROUP, "absent");
    let mut wire = running.connect().await;
    wire.send(format!("{one}{other}{one}")).await;
    for status in [200, 404, 200] {
        assert_eq!(wire.answer().await.unwrap().status, status);
    }
    // HTTP/1.0, and a HEAD with the length of what a GET has.
    let old = exchange(&running, one.replace("HTTP/1.1", "HTTP/1.0")).await;
    assert_eq!(old.unwrap().status, 200);
    let mut wire = running.connect().await;
    wire.send(other.replace("GET", "HEAD")).await;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(wire.0.read_u8().await.unwrap());
    }
    assert!(head.starts_with(b"HTTP/1.1 404"));
    wire.send(&one).await;
    let next = wire.answer().await.unwrap();
    assert_eq!(next.status, 200, "a HEAD has no body");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_waits_is_told_to_go_on_only_when_it_may() {
    let (_house, running) = house(Limits::default()).await;
    let body = br#"{"location": "local"}"#;
    let headers = format!(
        "Content-Type: application/json\r\nContent-Length: {}\r\nExpect: 100-continue\r\n",
        body.len()
    );
    let head = put(&running, &headers, b"");
    let mut wire = running.connect().await;
    wire.send(&head).await;
    assert_eq!(wire.answer().await.unwrap().status, 100);
    wire.send(body).await;
    assert_eq!(wire.answer().await.unwrap().status, 201);
    let text = String::from_utf8(head).unwrap();
    let stranger = text.replace("Bearer ", "Bearer x");
    let mut wire = running.connect().await;
    wire.send(stranger).await;
    assert_eq!(wire.answer().await.unwrap().status, 401);
    let too_much = text.replace("Content-Length: 21", "Content-Length: 99999999");
    let mut wire = running.connect().await;
    wire.send(too_much).await;
    let mut answer = wire.answer().await.unwrap();
    if answer.status == 100 {
        answer = wire.answer().await.unwrap();
    }
    assert_eq!(answer.status, 413);
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_clients_are_left() {
    let (_house, running) = house(short()).await;
    let since = Instant::now();
    let silent = TcpStream::connect(running.control.address()).await.unwrap();
    let mut slow_head = running.connect().await;
    let mut slow_body = running.connect().await;
    let mut idle = running.connect().await;
    slow_head.send("GET / HTTP/1.1\r\nHost").await;
    let headers = "Content-Type: application/json\r\nContent-Length: 100\r\n";
    slow_body.send(put(&running, headers, b"{")).await;
    let answer = slow_body.answer().await.unwrap();
    assert_eq!((answer.status, answer.code()), (408, "RequestTimeout"));
    assert!(slow_body.ends().await && slow_head.ends().await && idle.ends().await);
    let mut rest = Vec::new();
    let mut silent = silent;
    let _ = silent.read_to_end(&mut rest).await;
    assert!(
        since.elapsed() < Duration::from_secs(10),
        "by default it is a minute"
    );
    nothing_was_made(&running).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_takes_no_answer_is_left() {
    let limits = Limits {
        write: Duration::from_millis(300),
        ..Limits::default()
    };
    let (_house, running) = house(limits).await;
    let one = format!(
        "GET /metadata/endpoints HTTP/1.1\r\nHost: {}\r\n\r\n",
        running.host()
    );
    let many = one.repeat(2000);
    let mut wire = running.connect().await;
    // Asks until its requests are not taken any more, and they are not because nobody reads.
    let asking = async { while wire.try_send(&many).await {} };
    tokio::time::timeout(house::PATIENCE, asking)
        .await
        .expect("the connection was cut");
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_do_not_stay_and_those_with_a_token_do() {
    let limits = Limits {
        stranger: Duration::from_millis(500),
        ..Limits::default()
    };
    let (_house, running) = house(limits).await;
    let (mut stranger, mut known) = (running.connect().await, running.connect().await);
    let public = format!(
        "GET /metadata/endpoints HTTP/1.1\r\nHost: {}\r\n\r\n",
        running.host()
    );
    let good = format!(
        "{}\r\n",
        running.head("GET /subscriptions?api-version=2022-12-01")
    );
    stranger.send(&public).await;
    assert_eq!(stranger.answer().await.unwrap().status, 200);
    known.send(&good).await;
    assert_eq!(known.answer().await.unwrap().status, 200);
    assert!(stranger.ends().await);
    tokio::time::sleep(Duration::from_secs(1)).await;
    known.send(&good).await;
    assert_eq!(known.answer().await.unwrap().status, 200, "it is known");
}

/// A request that is under way gets some seconds more, but not while another one needs the place.
#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_whose_time_is_over_gives_way_at_once() {
    let limits = Limits {
        stranger: Duration::from_millis(100),
        connections: 1,
        ..Limits::default()
    };
    let (_house, running) = house(limits).await;
    let mut stranger = running.connect().await;
    let unfinished = "POST /t/oauth2/token HTTP/1.1\r\nContent-Length: 9\r\n";
    let unfinished = format!("{unfinished}Host: {}\r\n\r\n1234", running.host());
    stranger.send(&unfinished).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let good = running.head("GET /subscriptions?api-version=2022-12-01");
    let next = async {
        let mut wire = running.connect().await;
        wire.send(format!("{good}\r\n")).await;
        wire.answer().await.unwrap().status
    };
    let status = tokio::time::timeout(Duration::from_secs(3), next).await;
    assert_eq!(status.expect("there is a place within the grace"), 200);
    assert!(stranger.ends().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_of_one_address_are_bounded() {
    let limits = Limits {
        address_connections: 4,
        ..Limits::default()
    };
    let (_house, running) = house(limits).await;
    let connect = async || TcpStream::connect(running.control.address()).await.unwrap();
    // One is the client's that logged in. Many that say nothing keep nobody out.
    let mut silent = Vec::new();
    for _ in 0..20 {
        silent.push(connect().await);
    }
    let good = format!(
        "{}\r\n",
        running.head("GET /subscriptions?api-version=2022-12-01")
    );
    let mut known = Vec::new();
    for _ in 0..3 {
        let mut wire = running.connect().await;
        wire.send(&good).await;
        assert_eq!(wire.answer().await.unwrap().status, 200);
        known.push(wire);
    }
    // Those that a good token was seen on give way to nobody who asks for nothing.
    for wire in &mut known {
        wire.send(&good).await;
        assert_eq!(wire.answer().await.unwrap().status, 200);
    }
    drop(silent);
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_are_held_with_a_good_token_keep_nobody_out() {
    let limits = Limits {
        address_connections: 4,
        ..Limits::default()
    };
    let (_house, running) = house(limits).await;
    let list = running.head("GET /subscriptions?api-version=2022-12-01");
    let mut held = Vec::new();
    for number in 0..12 {
        let mut wire = running.connect().await;
        wire.send(format!("{list}\r\n")).await;
        assert_eq!(wire.answer().await.unwrap().status, 200, "{number}");
        // Half of them seem to be about to send something.
        if number % 2 == 0 {
            wire.send(format!("{list}Content-Length: 9\r\n\r\n1234"))
                .await;
        }
        held.push(wire);
    }
    for wire in &mut held[..8] {
        assert!(wire.ends().await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_sends_to_the_end_before_it_reads_gets_its_refusal() {
    let (_house, running) = house(Limits::default()).await;
    let large = vec![b' '; 24 * 1024 * 1024];
    let json_type = "application/json";
    let announced = with_length(&running, json_type, &large);
    let stranger = String::from_utf8(announced.clone()).unwrap();
    let stranger = stranger.replace("Bearer ", "Bearer x").into_bytes();
    let mut chunks = format!("{:x}\r\n", large.len()).into_bytes();
    chunks.extend_from_slice(&large);
    chunks.extend_from_slice(b"\r\n0\r\n\r\n");
    let chunked = put(&running, "Transfer-Encoding: chunked\r\n", &chunks);
    for (bytes, status) in [(announced, 413), (stranger, 401), (chunked, 413)] {
        let mut wire = running.connect().await;
        assert!(wire.try_send(&bytes).await, "{status}: cut while it sent");
        assert_eq!(wire.answer().await.unwrap().status, status);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_hangs_up_leaves_no_write_half_done() {
    let (_house, running) = house(Limits::default()).await;
    let location = json!({"location": LOCATION});
    running.api.create(&group(GROUP), &location).await;
    let mut writing = JoinSet::new();
    let count = 60_u64;
    for number in 0..count {
        let path = support::net(&format!("routeTables/t{number}?api-version=2024-05-01"));
        let body = r#"{"location": "local"}"#;
        let bytes = format!(
            "{}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            running.head(&format!("PUT {path}")),
            body.len()
        );
        let mut wire = running.connect().await;
        writing.spawn(async move {
            wire.send(bytes).await;
            tokio::time::sleep(Duration::from_micros(number * 150)).await;
            drop(wire);
        });
    }
    while writing.join_next().await.is_some() {}
    let since = Instant::now();
    loop {
        let stored = running.entries("resource/").await;
        let list = running.api.get(&support::net("routeTables")).await.body;
        let listed = list["value"].as_array().unwrap();
        let is_done =
            |one: &serde_json::Value| one["properties"]["provisioningState"] == "Succeeded";
        // The group is stored too.
        if listed.len() + 1 == stored.len() && listed.iter().all(is_done) {
            assert!(!listed.is_empty());
            break;
        }
        let seen = format!("{} of {} stored: {list}", listed.len(), stored.len() - 1);
        assert!(since.elapsed() < house::PATIENCE, "{seen}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
