//! The client against backends that misbehave: each must fail in its own way.

use gatewright_testkit::backend::{Backend, Flood, Manners};
use gatewright_testkit::client::{ClientError, Ending, ErrorKind, RawClient, get};
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_secs(2);
const SHORT: Duration = Duration::from_millis(150);
const GET: &[u8] = b"GET /a HTTP/1.1\r\nHost: h.test\r\n\r\n";

async fn start(manners: Manners) -> Backend {
    Backend::start(manners).await.expect("a port is free")
}

async fn failure(manners: Manners) -> ClientError {
    let backend = start(manners).await;
    get(backend.address(), "h", "/")
        .await
        .expect_err("no good answer")
}

#[tokio::test]
async fn a_refusing_port_refuses_every_time_and_is_taken() {
    let backend = start(Manners::Refused).await;
    for _ in 0..20 {
        let error = get(backend.address(), "h", "/")
            .await
            .expect_err("nobody listens");
        assert!(error.is_refused(), "{error}");
    }
    let taken = std::net::TcpListener::bind(backend.address());
    assert_eq!(
        taken.expect_err("the port is held").kind(),
        std::io::ErrorKind::AddrInUse
    );
}

#[tokio::test]
async fn a_syn_black_hole_neither_accepts_nor_refuses() {
    let backend = start(Manners::SynBlackHole).await;
    for _ in 0..2 {
        let connect = RawClient::connect_within(backend.address(), SHORT).await;
        let error = connect.err().expect("no connection");
        assert!(error.is_timeout(), "{error}");
    }
}

#[tokio::test]
async fn a_backend_comes_and_goes_on_the_same_port() {
    let backend = start(Manners::Refused).await;
    let address = backend.address();
    backend
        .set_manners(Manners::Named)
        .await
        .expect("the port is held");
    assert_eq!(
        get(address, "h", "/").await.expect("it listens").text(),
        "backend"
    );

    let mut open = RawClient::connect(address).await.expect("it listens");
    backend
        .set_manners(Manners::Refused)
        .await
        .expect("the port is held");
    assert!(
        get(address, "h", "/")
            .await
            .expect_err("it is gone")
            .is_refused()
    );
    assert!(open.is_closed_within(SOON).await, "connections are cut");

    backend
        .set_manners(Manners::SynBlackHole)
        .await
        .expect("the port is held");
    let connect = RawClient::connect_within(address, SHORT).await;
    assert!(connect.err().expect("no connection").is_timeout());

    backend
        .set_manners(Manners::Named)
        .await
        .expect("the port is held");
    get(address, "h", "/").await.expect("it listens again");
    backend.stop().await;
    assert!(
        get(address, "h", "/")
            .await
            .expect_err("it stopped")
            .is_refused()
    );
    assert_eq!(backend.request_count(), 2);
}

#[tokio::test]
async fn a_dropped_backend_stops() {
    let backend = start(Manners::Named).await;
    let address = backend.address();
    drop(backend);
    let deadline = Instant::now() + SOON;
    while RawClient::connect(address).await.is_ok() {
        assert!(Instant::now() < deadline, "it still listens");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_fixed_port_is_kept_through_a_change_of_manners() {
    let port = start(Manners::Named).await.address().port();
    // The port was free a moment ago; the first backend must let go of it.
    let deadline = Instant::now() + SOON;
    let backend = loop {
        match Backend::with(Manners::Named).on_port(port).start().await {
            Ok(backend) => break backend,
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    assert_eq!(backend.address().port(), port);
    assert!(
        Backend::with(Manners::Named)
            .on_port(port)
            .start()
            .await
            .is_err()
    );
    get(backend.address(), "h", "/").await.expect("it listens");
    backend
        .set_manners(Manners::Refused)
        .await
        .expect("the port is free for us");
    assert!(
        get(backend.address(), "h", "/")
            .await
            .expect_err("gone")
            .is_refused()
    );
}

#[tokio::test]
async fn black_holes_read_or_do_not_and_never_answer() {
    let backend = start(Manners::BlackHole).await;
    let mut client = RawClient::connect(backend.address())
        .await
        .expect("it accepts");
    client.send(GET).await.expect("it reads");
    let rest = client.read_to_end(SHORT).await;
    assert_eq!((rest.bytes.len(), rest.ending), (0, Ending::Open));
    assert_eq!(backend.request_count(), 1);

    let deaf = start(Manners::NeverReads).await;
    let client = RawClient::connect(deaf.address())
        .await
        .expect("it accepts");
    let error = client
        .patience(SHORT)
        .send(&vec![b'x'; 64 * 1024 * 1024])
        .await;
    assert!(error.expect_err("the buffers fill").is_timeout());
    assert_eq!(deaf.request_count(), 0);
}

#[tokio::test]
async fn connections_end_before_an_answer() {
    for manners in [Manners::CloseOnAccept, Manners::CloseBeforeAnswer] {
        let error = failure(manners.clone()).await;
        // A request that meets a closed socket is answered with a reset.
        let is_expected = match manners {
            Manners::CloseOnAccept => error.is_closed() || error.is_reset(),
            _ => error.is_closed(),
        };
        assert!(
            is_expected && error.received.is_empty(),
            "{manners:?}: {error}"
        );
    }
    for manners in [Manners::ResetOnAccept, Manners::ResetBeforeAnswer] {
        let error = failure(manners.clone()).await;
        assert!(
            matches!(error.kind, ErrorKind::Io(_)),
            "{manners:?}: {error}"
        );
    }
}

#[tokio::test]
async fn connections_end_in_the_middle_of_an_answer() {
    let error = failure(Manners::CloseMidHead).await;
    assert!(
        error.is_closed() && error.received.starts_with(b"HTTP/1.1 200"),
        "{error}"
    );
    for promised in [Some(1000), None] {
        let error = failure(Manners::CloseMidAnswer { sent: 10, promised }).await;
        assert!(error.is_closed(), "{promised:?}: {error}");
        let error = failure(Manners::ResetMidAnswer { sent: 10, promised }).await;
        assert!(error.is_reset(), "{promised:?}: {error}");
        if promised.is_some() {
            assert_eq!(error.received.len(), 10, "{error}");
        }
    }
}

#[tokio::test]
async fn bad_answers_are_refused_for_their_own_reason() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n";
    let static_bytes = |text: &str| Manners::StaticBytes {
        bytes: text.into(),
        close: true,
    };
    let cases = [
        (Manners::Garbage, "a status line that is not UTF-8"),
        (Manners::BothFramings, "both Content-Length"),
        (Manners::TwoContentLengths, "more than one Content-Length"),
        (Manners::BadChunkSize, "chunk size"),
        (static_bytes(chunked), "longer than its size"),
        (static_bytes("HTTP/1.1 2000 OK\r\n\r\n"), "three digits"),
        (
            static_bytes("HTTP/1.1 200 OK\r\nX: a\nY: b\r\n\r\n"),
            "line feed",
        ),
    ];
    for (manners, expected) in cases {
        let error = failure(manners.clone()).await;
        let ErrorKind::Malformed(what) = error.kind else {
            panic!("{manners:?}: {error}")
        };
        assert!(what.contains(expected), "{manners:?}: {what}");
    }
}

#[tokio::test]
async fn excess_bytes_follow_a_good_answer_at_once_or_later() {
    for after in [Duration::ZERO, Duration::from_millis(60)] {
        let (body, excess) = (b"good".to_vec(), b"HTTP/1.1 200 OK\r\n\r\n".to_vec());
        let backend = start(Manners::ExcessBytes {
            body,
            excess: excess.clone(),
            after,
        })
        .await;
        let mut client = RawClient::connect(backend.address())
            .await
            .expect("it accepts");
        client.send(GET).await.expect("it reads");
        assert_eq!(
            client.read_response().await.expect("an answer").text(),
            "good"
        );
        assert_eq!(
            client.read_exactly(excess.len()).await.expect("the excess"),
            excess
        );
    }
    let talker = start(Manners::SpeakFirst(b"220 smtp\r\n".to_vec())).await;
    let mut client = RawClient::connect(talker.address())
        .await
        .expect("it accepts");
    assert_eq!(
        client.read_exactly(10).await.expect("a greeting"),
        b"220 smtp\r\n"
    );
    client.send(GET).await.expect("it reads");
    assert_eq!(client.read_response().await.expect("an answer").status, 200);
}

#[tokio::test]
async fn floods_do_not_end_by_themselves() {
    let floods = [
        Flood::Headers,
        Flood::OneHeader,
        Flood::Interim,
        Flood::Body,
        Flood::Chunks,
        Flood::ChunkExtension,
        Flood::Trailers,
    ];
    for flood in floods {
        let backend = start(Manners::Flood(flood)).await;
        let mut client = RawClient::connect(backend.address())
            .await
            .expect("it accepts");
        client.send(GET).await.expect("it reads");
        let much = 8 * 1024 * 1024;
        assert_eq!(
            client.read_exactly(much).await.expect("more").len(),
            much,
            "{flood:?}"
        );
        drop(client);
        assert!(
            backend.wait_for_open_connections(0, SOON).await,
            "{flood:?}"
        );
    }
}

#[tokio::test]
async fn the_client_survives_floods_by_its_own_bounds() {
    for (flood, expected) in [
        (Flood::Headers, "head of more than"),
        (Flood::Interim, "interim answers"),
        (Flood::Trailers, "trailers of more than"),
        (Flood::ChunkExtension, "line of more than"),
    ] {
        let error = failure(Manners::Flood(flood)).await;
        let ErrorKind::Malformed(what) = error.kind else {
            panic!("{flood:?}")
        };
        assert!(what.contains(expected), "{flood:?}: {what}");
    }
}

#[tokio::test]
#[should_panic(expected = "cannot be inside of other manners")]
async fn manners_that_act_before_requests_cannot_be_nested() {
    let _ = Backend::start(Manners::slow(SHORT, Manners::Refused)).await;
}
