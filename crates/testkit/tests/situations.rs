//! Each situation by its name, as a client that a health probe could be meets it.

use gatewright_testkit::certificates::client_trusting;
use gatewright_testkit::client::{ClientError, ErrorKind, RawClient, Response};
use gatewright_testkit::situations::{GOOD_BODY, Situation, Surroundings};
use std::collections::HashSet;
use std::net::SocketAddr;
use std::time::Duration;

const HOST: &str = "app.contoso.test";
/// How long the client waits for each step.
const PATIENCE: Duration = Duration::from_millis(500);

async fn probe(
    address: SocketAddr,
    situation: Situation,
    around: &Surroundings,
) -> Result<Response, ClientError> {
    let mut client = RawClient::connect_within(address, PATIENCE).await?;
    if situation.is_tls() {
        client = client.tls(HOST, client_trusting(&around.root)).await?;
    }
    let request = format!("GET /health HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n");
    client.send(request.as_bytes()).await?;
    client.read_response().await
}

/// Whether this is how the situation looks from outside.
fn fits(situation: Situation, outcome: &Result<Response, ClientError>) -> bool {
    let error = outcome.as_ref().err();
    let has_status = |status| outcome.as_ref().is_ok_and(|it| it.status == status);
    let tls_says = |what: &str| {
        let reason = error.and_then(ClientError::tls);
        reason.is_some_and(|reason| format!("{reason:?}").contains(what))
    };
    let timed_out_while = |what| error.is_some_and(|it| it.is_timeout() && it.during == what);
    match situation {
        Situation::Refused => error.is_some_and(ClientError::is_refused),
        Situation::BlackHole => timed_out_while("connecting"),
        Situation::Slow | Situation::Silent => timed_out_while("reading a head"),
        Situation::NotFound => has_status(404),
        Situation::Unauthorized => has_status(401),
        Situation::ServerError => has_status(500),
        Situation::WrongBody => {
            let body = outcome.as_ref().map(Response::text);
            has_status(200) && body.is_ok_and(|it| !it.contains(GOOD_BODY.trim()))
        }
        Situation::WrongName => tls_says("NotValidForName"),
        Situation::Expired => tls_says("Expired"),
        Situation::MissingIntermediate | Situation::PrivateAuthority | Situation::SelfSigned => {
            tls_says("UnknownIssuer")
        }
        Situation::OutOfOrder => tls_says("CaUsedAsEndEntity"),
        Situation::OnlyTls11 => tls_says("AlertReceived(ProtocolVersion)"),
        Situation::Garbage => error.is_some_and(|it| matches!(it.kind, ErrorKind::Malformed(_))),
        Situation::ResetMidAnswer => {
            error.is_some_and(|it| it.is_reset() && it.received.len() == 100)
        }
    }
}

#[tokio::test]
async fn each_situation_is_met_as_its_name_says() {
    let around = Surroundings::new(HOST);
    for situation in Situation::ALL {
        let builder = situation.backend(&around);
        let backend = builder.start().await.expect("a port is free");
        assert_eq!(backend.name(), situation.name());
        let outcome = probe(backend.address(), situation, &around).await;
        assert!(fits(situation, &outcome), "{situation:?}: {outcome:?}");
    }
}

#[tokio::test]
async fn a_slow_backend_is_well_for_those_who_wait() {
    let around = Surroundings {
        slowness: Duration::from_millis(20),
        ..Surroundings::new(HOST)
    };
    let backend = Situation::Slow.backend(&around).start().await;
    let backend = backend.expect("a port is free");
    let answer = probe(backend.address(), Situation::Slow, &around).await;
    assert_eq!(answer.expect("an answer").text(), GOOD_BODY);
}

#[test]
fn names_tell_situations_apart() {
    let names: HashSet<_> = Situation::ALL.iter().map(|it| it.name()).collect();
    assert_eq!(names.len(), Situation::ALL.len());
    let is_plain = |name: &str| {
        name.bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte))
    };
    assert!(names.iter().all(|name| is_plain(name)));
}
