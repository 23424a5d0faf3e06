//! TLS as a health probe can meet it: names, old versions, mistaken ports, handshakes that stop.

use gatewright_testkit::backend::{
    ALERT_HANDSHAKE_FAILURE, ALERT_INTERNAL_ERROR, Backend, Manners, OldTls, TlsAccident,
    TlsManners,
};
use gatewright_testkit::certificates::{
    Authority, Leaf, client_trusting, client_trusting_anything,
};
use gatewright_testkit::client::{ClientError, Ending, RawClient, get, get_tls};
use rustls::{AlertDescription, Error, PeerIncompatible};
use std::sync::Arc;
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_secs(2);
const SHORT: Duration = Duration::from_millis(300);
const NAME: &str = "app.contoso.test";

async fn start(tls: TlsManners) -> Backend {
    let builder = Backend::with(Manners::Echo).tls(tls);
    builder.start().await.expect("a port is free")
}

async fn failure(accident: TlsAccident) -> ClientError {
    let backend = start(TlsManners::failing(accident)).await;
    let client = RawClient::connect_within(backend.address(), SHORT).await;
    let client = client.expect("it accepts");
    let error = client.tls(NAME, client_trusting_anything()).await.err();
    assert!(backend.wait_for_handshakes(1, SOON).await, "{accident:?}");
    let seen = &backend.handshakes()[0];
    assert_eq!(seen.server_name.as_deref(), Some(NAME), "{accident:?}");
    let outcome = seen.outcome.as_ref().expect_err("no handshake");
    assert!(outcome.contains("on purpose"), "{outcome}");
    assert!(backend.wait_for_open_connections(0, SOON).await);
    error.expect("no handshake")
}

#[tokio::test]
async fn old_versions_answer_with_a_hello_of_their_own() {
    for version in [OldTls::Tls10, OldTls::Tls11] {
        let error = failure(TlsAccident::OldHello(version)).await;
        let expected = Error::PeerIncompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13);
        assert_eq!(error.tls(), Some(&expected), "{error}");
    }
}

#[tokio::test]
async fn an_old_hello_is_of_the_version_it_claims() {
    for (version, minor) in [(OldTls::Tls10, 1), (OldTls::Tls11, 2)] {
        let tls = TlsManners::failing(TlsAccident::OldHello(version));
        let backend = start(tls).await;
        let mut client = RawClient::connect(backend.address()).await.expect("open");
        client.send(&client_hello()).await.expect("it reads");
        let record = client.read_exactly(5).await.expect("a record");
        assert_eq!(record[..3], [22, 3, minor]);
        let length = usize::from(u16::from_be_bytes([record[3], record[4]]));
        let hello = client.read_exactly(length).await.expect("a message");
        let inner = usize::from(hello[3]);
        assert_eq!((hello[0], inner), (2, length - 4));
        assert_eq!(hello[4..6], [3, minor]);
        let rest = client.read_to_end(SHORT).await;
        assert_eq!((rest.bytes.len(), rest.ending), (0, Ending::Open));
    }
}

/// What a real client says first.
fn client_hello() -> Vec<u8> {
    let name = NAME.try_into().expect("a name");
    let client = rustls::ClientConnection::new(client_trusting_anything(), name);
    let mut bytes = Vec::new();
    let mut client = client.expect("a sound configuration");
    client.write_tls(&mut bytes).expect("room for it");
    bytes
}

#[tokio::test]
async fn alerts_are_those_that_were_asked_for() {
    for (number, expected) in [
        (ALERT_HANDSHAKE_FAILURE, AlertDescription::HandshakeFailure),
        (ALERT_INTERNAL_ERROR, AlertDescription::InternalError),
    ] {
        let error = failure(TlsAccident::Alert(number)).await;
        let expected = Error::AlertReceived(expected);
        assert_eq!(error.tls(), Some(&expected), "{error}");
    }
}

#[tokio::test]
async fn half_a_hello_is_followed_by_a_close_or_by_nothing() {
    let error = failure(TlsAccident::CloseMidHello).await;
    assert!(
        error.tls().is_none() && error.to_string().contains("eof"),
        "{error}"
    );
    let error = failure(TlsAccident::SilenceMidHello).await;
    assert!(error.is_timeout(), "{error}");

    let tls = TlsManners::failing(TlsAccident::SilenceMidHello);
    let backend = start(tls).await;
    let began = Instant::now();
    let mut client = RawClient::connect(backend.address()).await.expect("open");
    client.send(&client_hello()).await.expect("it reads");
    let rest = client.read_to_end(SHORT).await;
    assert_eq!(rest.ending, Ending::Open);
    assert!(rest.bytes.starts_with(&[22, 3, 2]), "{rest:?}");
    let promised = usize::from(rest.bytes[4]) + 5;
    assert!(rest.bytes.len() < promised, "{rest:?}");
    drop(client);
    assert!(backend.wait_for_handshakes(1, SOON).await);
    let lasted = backend.handshakes()[0].at - began;
    assert!(
        lasted >= SHORT,
        "it is over when the client leaves: {lasted:?}"
    );
}

#[tokio::test]
async fn each_name_gets_its_own_certificate_and_every_name_is_noted() {
    let root = Authority::new("Contoso Root");
    let issue = |name: &str| root.issue(Leaf::named(name));
    let (general, blue, green) = (issue("127.0.0.1"), issue("blue.test"), issue("green.test"));
    let tls = TlsManners::new(general.clone())
        .for_name("Blue.test", blue.clone())
        .for_name("green.test", green.clone());
    let backend = start(tls).await;
    let began = Instant::now();
    for (name, expected) in [
        ("blue.test", &blue),
        ("GREEN.test", &green),
        ("red.test", &general),
        ("127.0.0.1", &general),
    ] {
        let client = RawClient::connect(backend.address()).await.expect("open");
        let client = client.tls(name, client_trusting_anything()).await;
        let shown = client.expect("a handshake").server_certificates();
        assert_eq!(shown, expected.chain, "{name}");
    }
    let mut silent = (*client_trusting(&root)).clone();
    silent.enable_sni = false;
    let nameless = get_tls(backend.address(), "127.0.0.1", "/", Arc::new(silent)).await;
    nameless.expect("the general certificate is for this address");

    assert!(backend.wait_for_handshakes(5, SOON).await);
    let seen = backend.handshakes();
    let names: Vec<_> = seen.iter().map(|it| it.server_name.as_deref()).collect();
    let (blue, green, red) = (Some("blue.test"), Some("green.test"), Some("red.test"));
    assert_eq!(names, [blue, green, red, None, None]);
    let times: Vec<_> = seen.iter().map(|it| it.at).collect();
    assert!(times.is_sorted() && times[0] >= began && times[4] <= Instant::now());
}

#[tokio::test]
#[should_panic(expected = "a failing handshake shows nothing")]
async fn a_failing_handshake_has_no_names() {
    let identity = Leaf::named(NAME).self_signed();
    let _ = TlsManners::failing(TlsAccident::Close).for_name(NAME, identity);
}

#[tokio::test]
async fn tls_can_be_changed_while_the_backend_runs() {
    let root = Authority::new("Contoso Root");
    let good = TlsManners::new(root.issue(Leaf::named(NAME)));
    let wrong = TlsManners::new(root.issue(Leaf::named("other.test")));
    let backend = start(wrong).await;
    let ask = || get_tls(backend.address(), NAME, "/", client_trusting(&root));
    ask().await.expect_err("another's name");
    backend.set_tls(Some(good));
    ask().await.expect("its own name");
    backend.set_tls(None);
    ask().await.expect_err("no TLS any more");
    let answer = get(backend.address(), NAME, "/").await;
    assert_eq!(answer.expect("plain speech").status, 200);
}

#[tokio::test]
async fn tls_on_a_plain_port_is_answered_in_plain() {
    let backend = Backend::start(Manners::Echo).await.expect("a port is free");
    let client = RawClient::connect(backend.address()).await.expect("open");
    let error = client.tls(NAME, client_trusting_anything()).await.err();
    let error = error.expect("no handshake");
    assert!(
        matches!(error.tls(), Some(Error::InvalidMessage(_))),
        "{error}"
    );
    let violation = &backend.violations()[0];
    assert_eq!(violation.what, "a TLS handshake in place of a request");
    assert!(violation.bytes.starts_with(&[22, 3]));
    assert_eq!(backend.request_count(), 0);
}

#[tokio::test]
async fn plain_speech_on_a_tls_port_gets_an_alert_or_an_answer() {
    let identity = Leaf::named(NAME).self_signed();
    let curt = start(TlsManners::new(identity.clone())).await;
    let mut client = RawClient::connect(curt.address()).await.expect("open");
    let request = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n";
    client.send(request).await.expect("it reads");
    let rest = client.read_to_end(SOON).await;
    assert!(rest.bytes.starts_with(&[21, 3]), "{rest:?}");

    let tls = TlsManners::new(identity).answering_plain_speech();
    let polite = start(tls).await;
    let answer = get(polite.address(), "h", "/").await.expect("an answer");
    let said = (answer.status, answer.text());
    assert_eq!(said, (400, "plain HTTP here\n".to_owned()));
    let answer = get_tls(polite.address(), NAME, "/", client_trusting_anything()).await;
    assert_eq!(answer.expect("TLS goes on").status, 200);
    assert!(polite.wait_for_handshakes(2, SOON).await);
    let outcome = polite.handshakes()[0].outcome.clone();
    assert!(outcome.expect_err("none").contains("plain speech"));
}
