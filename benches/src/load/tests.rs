//! The generator against the bench's own backend, and against servers that misbehave.

use std::io::{BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::thread;

use super::*;

fn plan(address: SocketAddr) -> LoadPlan {
    LoadPlan {
        address,
        certificate: None,
        path: "/1k".to_owned(),
        post_bytes: None,
        response_bytes: 1024,
        connections: 8,
        new_connection_each: false,
        rate: None,
        warm_up: 16,
        requests: 500,
        limit_seconds: 20,
    }
}

fn outcome(plan: LoadPlan) -> anyhow::Result<LoadOutcome> {
    let mut output = Vec::new();
    run(plan, BufReader::new(&b"go\n"[..]), &mut output)?;
    let output = String::from_utf8(output)?;
    let (ready, line) = output.split_once('\n').context("two lines")?;
    assert_eq!(ready, READY);
    Ok(serde_json::from_str(line)?)
}

/// The backend on a thread of its own; it lives as long as the test process.
fn backend() -> SocketAddr {
    let listener = crate::backend::listen(0, false).expect("a free port");
    let address = listener.local_addr().expect("bound");
    thread::spawn(move || crate::backend::serve(listener));
    address
}

/// A server that answers each connection once with these bytes, then closes.
fn answers(bytes: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("accept");
            let _request = stream.read(&mut [0; 4096]);
            let _gone = stream.write_all(bytes);
        }
    });
    address
}

#[test]
fn every_request_is_answered_and_counted() {
    let address = backend();
    for (path, post_bytes, response_bytes) in [
        ("/1k", None, 1024),
        ("/64k", None, 65_536),
        ("/post", Some(16_384), 2),
    ] {
        let path = path.to_owned();
        let plan = LoadPlan {
            path,
            post_bytes,
            response_bytes,
            ..plan(address)
        };
        let outcome = outcome(plan).expect("a run");
        assert_eq!(outcome.first_error, None);
        assert_eq!((outcome.successes, outcome.errors), (500, 0));
        assert_eq!(outcome.body_bytes, 500 * response_bytes);
        assert!(outcome.p50_us > 0.0 && outcome.p50_us <= outcome.p99_us);
    }
}

#[test]
fn a_fresh_connection_for_each_request() {
    let outcome = outcome(LoadPlan {
        new_connection_each: true,
        ..plan(backend())
    });
    let outcome = outcome.expect("a run");
    assert_eq!(
        (outcome.successes, outcome.errors),
        (500, 0),
        "{:?}",
        outcome.first_error
    );
}

#[test]
fn a_fixed_rate_takes_the_time_that_it_must() {
    let outcome = outcome(LoadPlan {
        rate: Some(1_000),
        requests: 300,
        ..plan(backend())
    });
    let outcome = outcome.expect("a run");
    assert_eq!((outcome.successes, outcome.errors), (300, 0));
    assert!(outcome.seconds >= 0.299, "{} s", outcome.seconds);
}

#[test]
fn a_wrong_answer_is_never_a_success() {
    const SHORT: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 1024\r\n\r\nshort";
    const REFUSED: &[u8] = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n";
    for (bytes, why) in [
        (SHORT, "closed before"),
        (REFUSED, "status 502"),
        (b"", "closed"),
    ] {
        let error = outcome(LoadPlan {
            warm_up: 4,
            ..plan(answers(bytes))
        });
        let error = error.expect_err("an error while warming up").to_string();
        assert!(error.contains(why), "{error} should say {why}");
    }
}

#[test]
fn a_server_that_is_not_there_ends_the_run_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    drop(listener);
    assert!(outcome(plan(address)).is_err());
}

#[test]
fn a_silent_server_ends_the_run_at_its_limit() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    let error = outcome(LoadPlan {
        limit_seconds: 1,
        ..plan(address)
    });
    let error = error.expect_err("nobody answers").to_string();
    assert!(error.contains("within the run's limit"), "{error}");
}
