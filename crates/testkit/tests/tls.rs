//! TLS clients against TLS backends: right, wrong and absent certificates, and accidents.

use gatewright_testkit::backend::{
    ALERT_PROTOCOL_VERSION, Backend, Manners, TlsAccident, TlsManners,
};
use gatewright_testkit::certificates::{
    Authority, Identity, KeyKind, Leaf, Validity, client_trusting, client_trusting_anything,
};
use gatewright_testkit::client::{ClientError, Ending, RawClient, Response, get_tls};
use rustls::{AlertDescription, CertificateError, ClientConfig, Error};
use std::sync::Arc;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(2);
const NAME: &str = "app.contoso.test";

async fn start(tls: TlsManners) -> Backend {
    Backend::with(Manners::Echo)
        .tls(tls)
        .start()
        .await
        .expect("a port is free")
}

async fn ask(identity: Identity, config: Arc<ClientConfig>) -> Result<Response, ClientError> {
    let backend = start(TlsManners::new(identity)).await;
    get_tls(backend.address(), NAME, "/", config).await
}

async fn refusal(identity: Identity, config: Arc<ClientConfig>) -> CertificateError {
    let error = ask(identity, config)
        .await
        .expect_err("the certificate is refused");
    match error.tls() {
        Some(Error::InvalidCertificate(reason)) => reason.clone(),
        _ => panic!("not about the certificate: {error}"),
    }
}

fn family() -> (Authority, Authority) {
    let root = Authority::new("Contoso Root");
    let issuing = root.intermediate("Contoso Issuing");
    (root, issuing)
}

#[tokio::test]
async fn a_complete_chain_is_believed_and_the_name_is_seen() {
    let (root, issuing) = family();
    let identity = issuing.issue(Leaf::for_names(&[NAME, "127.0.0.1"]));
    let backend = start(TlsManners::new(identity.clone())).await;
    let config = client_trusting(&root);
    let answer = get_tls(backend.address(), NAME, "/", Arc::clone(&config)).await;
    assert_eq!(answer.expect("an answer").status, 200);
    let client = RawClient::connect(backend.address())
        .await
        .expect("it listens");
    let client = client
        .tls("127.0.0.1", config)
        .await
        .expect("an address can be a name");
    assert_eq!(client.server_certificates(), identity.chain);
    assert_eq!(client.tls_version().as_deref(), Some("TLSv1_3"));

    assert!(backend.wait_for_handshakes(2, SOON).await);
    let names: Vec<_> = backend
        .handshakes()
        .into_iter()
        .map(|handshake| handshake.server_name)
        .collect();
    assert_eq!(names, [Some(NAME.to_owned()), None]);
    assert_eq!(backend.requests()[0].server_name.as_deref(), Some(NAME));
}

#[tokio::test]
async fn rsa_chains_work_too() {
    let root = Authority::with("Old Root", KeyKind::Rsa2048, Validity::current());
    let identity = root
        .intermediate("Old Issuing")
        .issue(Leaf::named(NAME).key(KeyKind::Rsa2048));
    ask(identity.clone(), client_trusting(&root))
        .await
        .expect("an answer");
    let reason = refusal(identity, client_trusting(&root.twin())).await;
    assert!(
        matches!(reason, CertificateError::BadSignature),
        "{reason:?}"
    );
}

#[tokio::test]
async fn each_wrong_certificate_is_refused_for_its_own_reason() {
    let (root, issuing) = family();
    let config = || client_trusting(&root);

    let reason = refusal(issuing.issue(Leaf::named("other.test")), config()).await;
    assert!(
        matches!(reason, CertificateError::NotValidForNameContext { .. }),
        "{reason:?}"
    );
    let reason = refusal(issuing.issue(Leaf::common_name_only(NAME)), config()).await;
    assert!(
        matches!(reason, CertificateError::NotValidForNameContext { .. }),
        "{reason:?}"
    );

    let expired = issuing.issue(Leaf::named(NAME).valid(Validity::expired()));
    let reason = refusal(expired, config()).await;
    assert!(
        matches!(reason, CertificateError::ExpiredContext { .. }),
        "{reason:?}"
    );
    let not_yet = issuing.issue(Leaf::named(NAME).valid(Validity::not_yet()));
    let reason = refusal(not_yet, config()).await;
    assert!(
        matches!(reason, CertificateError::NotValidYetContext { .. }),
        "{reason:?}"
    );

    let good = issuing.issue(Leaf::named(NAME));
    let reason = refusal(good.without_intermediates(), config()).await;
    assert_eq!(reason, CertificateError::UnknownIssuer);
    let reason = refusal(good.clone(), client_trusting(&Authority::new("Stranger"))).await;
    assert_eq!(reason, CertificateError::UnknownIssuer);
    let reason = refusal(good.clone(), client_trusting(&root.twin())).await;
    assert!(
        matches!(reason, CertificateError::BadSignature),
        "{reason:?}"
    );
    let reason = refusal(Leaf::named(NAME).self_signed(), config()).await;
    assert_eq!(reason, CertificateError::UnknownIssuer);
    for spoilt in [good.out_of_order(), good.without_leaf()] {
        let error = ask(spoilt, config())
            .await
            .expect_err("an authority is no server");
        assert!(error.to_string().contains("CaUsedAsEndEntity"), "{error}");
    }
    ask(good.with_root(&root), config())
        .await
        .expect("a root at the end does no harm");
}

#[tokio::test]
async fn one_who_believes_anyone_takes_any_certificate_but_wants_its_key() {
    let (_, issuing) = family();
    let expired = issuing.issue(Leaf::named("other.test").valid(Validity::expired()));
    ask(expired, client_trusting_anything())
        .await
        .expect("anything goes");
    let error = ask(
        issuing.issue(Leaf::named(NAME)).without_leaf(),
        client_trusting_anything(),
    );
    let error = error.await.expect_err("the key is another's");
    assert!(
        matches!(error.tls(), Some(Error::InvalidCertificate(_))),
        "{error}"
    );
}

#[tokio::test]
async fn versions_are_kept_apart() {
    let (root, issuing) = family();
    let identity = issuing.issue(Leaf::named(NAME));
    for (tls, expected) in [
        (TlsManners::new(identity.clone()).only_tls12(), "TLSv1_2"),
        (TlsManners::new(identity.clone()).only_tls13(), "TLSv1_3"),
    ] {
        let backend = start(tls).await;
        get_tls(backend.address(), NAME, "/", client_trusting(&root))
            .await
            .expect("an answer");
        assert_eq!(backend.handshakes()[0].outcome.as_deref(), Ok(expected));
    }
}

#[tokio::test]
async fn a_required_name_must_be_sent() {
    let (root, issuing) = family();
    let identity = issuing.issue(Leaf::for_names(&[NAME, "other.test", "127.0.0.1"]));
    let unrecognised = |error: ClientError| {
        let alert = AlertDescription::UnrecognisedName;
        assert_eq!(error.tls(), Some(&Error::AlertReceived(alert)), "{error}");
    };
    let backend = start(TlsManners::new(identity.clone()).requiring_name(NAME)).await;
    let ask = |name| get_tls(backend.address(), name, "/", client_trusting(&root));
    ask(NAME).await.expect("an answer");
    unrecognised(ask("other.test").await.expect_err("another name"));
    unrecognised(ask("127.0.0.1").await.expect_err("no name"));

    let backend = start(TlsManners::new(identity).requiring_any_name()).await;
    let ask = |name| get_tls(backend.address(), name, "/", client_trusting(&root));
    ask("other.test").await.expect("an answer");
    unrecognised(ask("127.0.0.1").await.expect_err("no name"));
}

#[tokio::test]
async fn protocols_are_negotiated_and_noted() {
    let (root, issuing) = family();
    let identity = issuing.issue(Leaf::named(NAME));
    let backend = start(TlsManners::new(identity).alpn(&["http/1.1"])).await;
    let mut config = (*client_trusting(&root)).clone();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let client = RawClient::connect(backend.address())
        .await
        .expect("it listens");
    let client = client
        .tls(NAME, Arc::new(config))
        .await
        .expect("a common protocol");
    assert_eq!(client.alpn().as_deref(), Some("http/1.1"));
    assert!(backend.wait_for_handshakes(1, SOON).await);
    assert_eq!(backend.handshakes()[0].alpn, ["h2", "http/1.1"]);
}

#[tokio::test]
async fn accidents_happen_after_the_client_hello() {
    let attempt = async |accident| {
        let backend = start(TlsManners::failing(accident)).await;
        let client = RawClient::connect(backend.address())
            .await
            .expect("it accepts");
        let client = client.patience(Duration::from_millis(200));
        let error = client.tls(NAME, client_trusting_anything()).await.err();
        error.expect("no handshake")
    };
    let error = attempt(TlsAccident::Alert(ALERT_PROTOCOL_VERSION)).await;
    let alert = Error::AlertReceived(AlertDescription::ProtocolVersion);
    assert_eq!(error.tls(), Some(&alert), "{error}");
    let error = attempt(TlsAccident::Garbage).await;
    assert!(
        matches!(error.tls(), Some(Error::InvalidMessage(_))),
        "{error}"
    );
    let error = attempt(TlsAccident::Silence).await;
    assert!(error.is_timeout(), "{error}");
    let error = attempt(TlsAccident::Close).await;
    assert!(
        error.tls().is_none() && error.to_string().contains("eof"),
        "{error}"
    );
    let error = attempt(TlsAccident::Reset).await;
    assert!(error.is_reset(), "{error}");
}

#[tokio::test]
async fn plain_speech_on_a_tls_port_is_noted_as_a_failed_handshake() {
    let (_, issuing) = family();
    let backend = start(TlsManners::new(issuing.issue(Leaf::named(NAME)))).await;
    let mut client = RawClient::connect(backend.address())
        .await
        .expect("it accepts");
    client
        .send(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        .await
        .expect("it reads");
    client
        .read_response()
        .await
        .expect_err("this is no HTTP port");
    let outcome = backend.handshakes()[0].outcome.clone();
    assert!(
        outcome
            .expect_err("no handshake")
            .contains("no client hello")
    );
    assert_eq!(backend.request_count(), 0);
}

#[tokio::test]
async fn a_connection_cut_behind_tls_ends_without_a_goodbye() {
    let (root, issuing) = family();
    let half = Manners::CloseMidAnswer {
        sent: 5,
        promised: None,
    };
    let whole = Manners::CloseDelimited {
        body: b"whole".to_vec(),
    };
    for (manners, expected) in [(half, Ending::Broken), (whole, Ending::Closed)] {
        let tls = TlsManners::new(issuing.issue(Leaf::named(NAME)));
        let backend = Backend::with(manners)
            .tls(tls)
            .start()
            .await
            .expect("a port is free");
        let client = RawClient::connect(backend.address())
            .await
            .expect("it listens");
        let mut client = client
            .tls(NAME, client_trusting(&root))
            .await
            .expect("it is believed");
        client
            .send(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            .await
            .expect("it reads");
        let rest = client.read_to_end(SOON).await;
        assert!(rest.bytes.starts_with(b"HTTP/1.1 200"));
        assert_eq!(rest.ending, expected);
    }
}
