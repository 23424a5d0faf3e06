//! TLS towards clients: whose certificate, which policy, and the same exchange behind it.

mod support;

use std::sync::Arc;
use std::time::Duration;

use gatewright_snapshot::{Action, CipherSuite, EndpointIndex, Member, Scheme, TlsVersion};
use gatewright_telemetry::{ErrorInfo, Failure, HandshakeFailure};
use gatewright_testkit::backend::{Backend, Manners, pattern};
use gatewright_testkit::certificates::{
    Authority, Identity, KeyKind, Leaf, client_trusting, client_trusting_anything,
};
use gatewright_testkit::client::{ClientError, RawClient};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::{AlertDescription, ClientConfig, SupportedProtocolVersion};
use support::{Setup, TestGateway, logical, setting, until};

const SECOND: Duration = Duration::from_secs(1);

/// Endpoint 443 with a listener for each of these hosts, with these certificates, in front of one
/// backend. Nothing is said of clients that name another host.
fn with_sites(sites: &[(&[&str], &Identity)]) -> (Setup, EndpointIndex) {
    let mut setup = Setup::default();
    let upstream = setup.upstream([Member::Ip(logical(0))], setting());
    let endpoint = setup.endpoint(443, Scheme::Https);
    for (hosts, identity) in sites {
        let listener = setup.listener(endpoint, hosts, Action::Forward(upstream));
        setup.certificate(listener, identity);
    }
    (setup, endpoint)
}

/// As a v2 gateway does: the first listener answers whoever names no site, or an unknown one.
fn fall_back(setup: &mut Setup) {
    let first = gatewright_snapshot::ListenerIndex::new(0);
    setup.snapshot.endpoints[0].sni_fallback = Some(first);
}

async fn echo() -> Backend {
    Backend::start(Manners::Echo).await.unwrap()
}

async fn connect(
    gateway: &TestGateway,
    name: &str,
    config: Arc<ClientConfig>,
) -> Result<RawClient, ClientError> {
    gateway.client().await.tls(name, config).await
}

async fn status(client: &mut RawClient, host: &str) -> u16 {
    let text = format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
    client.send(text.as_bytes()).await.unwrap();
    client.read_response().await.unwrap().status
}

fn alert(error: &ClientError) -> Option<AlertDescription> {
    match error.tls() {
        Some(rustls::Error::AlertReceived(alert)) => Some(*alert),
        _ => None,
    }
}

#[tokio::test]
async fn a_named_site_shows_its_certificate() {
    let authority = Authority::new("Root");
    let shop = authority.issue(Leaf::named("shop.test"));
    let many = authority.issue(Leaf::for_names(&["x.many.test", "a.b.many.test"]));
    let backend = echo().await;
    for is_v1 in [false, true] {
        let (mut setup, _) = with_sites(&[(&["shop.test"], &shop), (&["*.many.test"], &many)]);
        if !is_v1 {
            fall_back(&mut setup);
        }
        let gateway = TestGateway::start(&[&backend], setup).await;
        for (name, identity) in [
            ("shop.test", &shop),
            ("SHOP.test", &shop),
            ("x.many.test", &many),
            // A listener's wildcard covers more than one label.
            ("a.b.many.test", &many),
        ] {
            let config = client_trusting(&authority);
            let mut client = connect(&gateway, name, config).await.unwrap();
            assert_eq!(client.server_certificates()[0], *identity.leaf(), "{name}");
            assert_eq!(status(&mut client, name).await, 200);
        }
    }
}

#[tokio::test]
async fn an_unknown_name_gets_the_first_certificate_and_the_host_decides() {
    let authority = Authority::new("Root");
    let [first, second] = ["a.test", "b.test"].map(|name| authority.issue(Leaf::named(name)));
    let backend = echo().await;
    let (mut setup, _) = with_sites(&[(&["a.test"], &first), (&["b.test"], &second)]);
    fall_back(&mut setup);
    let mut gateway = TestGateway::start(&[&backend], setup).await;
    // An address is not sent as a name.
    for name in ["c.test", "127.0.0.1"] {
        let config = client_trusting_anything();
        let mut client = connect(&gateway, name, config).await.unwrap();
        assert_eq!(client.server_certificates()[0], *first.leaf(), "{name}");
        for (host, expected) in [("c.test", 404), ("b.test", 200), ("a.test", 200)] {
            assert_eq!(
                status(&mut client, host).await,
                expected,
                "{host} as {name}"
            );
            let failure = gateway.next_record().await.failure;
            let expected = (expected == 404).then_some(Failure::NoListener);
            assert_eq!(failure, expected);
        }
    }
}

#[tokio::test]
async fn a_basic_listener_answers_whom_no_other_does() {
    let authority = Authority::new("Root");
    let [site, basic] = ["a.test", "basic.test"].map(|name| authority.issue(Leaf::named(name)));
    let backend = echo().await;
    for falls_back in [false, true] {
        let (mut setup, _) = with_sites(&[(&["a.test"], &site), (&[], &basic)]);
        if falls_back {
            fall_back(&mut setup);
        }
        let gateway = TestGateway::start(&[&backend], setup).await;
        for (name, identity) in [("a.test", &site), ("c.test", &basic), ("127.0.0.1", &basic)] {
            let config = client_trusting_anything();
            let mut client = connect(&gateway, name, config).await.unwrap();
            assert_eq!(client.server_certificates()[0], *identity.leaf(), "{name}");
            assert_eq!(status(&mut client, "c.test").await, 200);
        }
    }
}

#[tokio::test]
async fn without_a_fallback_an_unknown_name_ends_the_handshake() {
    let authority = Authority::new("Root");
    let site = authority.issue(Leaf::named("a.test"));
    let (setup, _) = with_sites(&[(&["a.test"], &site)]);
    let gateway = TestGateway::start(&[], setup).await;
    for name in ["c.test", "127.0.0.1"] {
        let refused = connect(&gateway, name, client_trusting_anything()).await;
        let error = refused.err().unwrap();
        assert_eq!(
            alert(&error),
            Some(AlertDescription::UnrecognisedName),
            "{error}"
        );
    }
}

#[tokio::test]
async fn plain_http_on_the_tls_port_is_told_so() {
    let site = Leaf::named("a.test").self_signed();
    let (mut setup, _) = with_sites(&[(&["a.test"], &site)]);
    fall_back(&mut setup);
    let mut gateway = TestGateway::start(&[], setup).await;
    for text in [
        "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 3\r\n\r\nabc",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ] {
        let mut client = gateway.client_sending(text).await;
        let response = client.read_response().await.unwrap();
        assert_eq!(
            (response.status, response.header("connection")),
            (400, Some("close"))
        );
        let page = response.text();
        assert!(
            page.contains("The plain HTTP request was sent to HTTPS port"),
            "{page}"
        );
        assert!(page.contains("<h1>400 Bad Request</h1>"), "{page}");
        assert!(client.is_closed_within(3 * SECOND).await);
        let record = gateway.next_record().await;
        assert_eq!(
            (record.status, record.failure, record.tls),
            (400, Some(Failure::PlainHttpOnTlsPort), None)
        );
    }
    let info = Failure::PlainHttpOnTlsPort.error_info();
    assert_eq!(info, ErrorInfo::HttpToHttpsPort);
}

#[tokio::test]
async fn what_is_no_hello_is_hung_up_on() {
    let authority = Authority::new("Root");
    let site = authority.issue(Leaf::named("a.test"));
    let (mut setup, _) = with_sites(&[(&["a.test"], &site)]);
    fall_back(&mut setup);
    let backend = echo().await;
    let gateway = TestGateway::start(&[&backend], setup).await;
    let endless = [
        b"\x16\x03\x01\x40\x00\x01\x00\xff\xff".as_slice(),
        &[0; 100_000],
    ]
    .concat();
    for garbage in [
        b"\x00\x01\x02\x03\x04\x05\x06\x07".as_slice(),
        b"\x16\x03\x01\x00\x05\x02\x00\x00\x01\x00",
        b"\x16\x03\x01\xff\xff\x01\x00\x00\x00",
        b"\x80\x2e\x01\x03\x01\x00\x15\x00\x00\x00\x10",
        b"\x15\x03\x01\x00\x02\x02\x28",
        &endless,
    ] {
        let mut client = gateway.client().await;
        // It may have heard enough before all is sent.
        let _ = client.send(garbage).await;
        let shown = garbage[..garbage.len().min(12)].escape_ascii();
        assert!(client.is_closed_within(SECOND).await, "{shown}");
    }
    let mut client = connect(&gateway, "a.test", client_trusting(&authority))
        .await
        .unwrap();
    assert_eq!(status(&mut client, "a.test").await, 200);
}

/// A client of these versions and suites only, in its order of preference.
fn particular(
    versions: &[&'static SupportedProtocolVersion],
    suites: &[rustls::SupportedCipherSuite],
    authority: &Authority,
) -> Arc<ClientConfig> {
    let provider = CryptoProvider {
        cipher_suites: suites.to_vec(),
        ..aws_lc_rs::default_provider()
    };
    let mut roots = rustls::RootCertStore::empty();
    roots.add(authority.root_certificate()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}

/// What clients and gateway agree on: protocol and suite, or the alert.
type Agreement = Result<(&'static str, &'static str), AlertDescription>;

/// Holds what a client of these versions, and of more suites than any policy has, agrees on with
/// a site of this policy.
async fn check_policy(
    range: (TlsVersion, TlsVersion),
    suites: &[CipherSuite],
    key: KeyKind,
    versions: &[&'static SupportedProtocolVersion],
    expected: Agreement,
) {
    use aws_lc_rs::cipher_suite as client;
    let name = format!("{range:?} {suites:?} {key:?} {versions:?}");
    let authority = Authority::new("Root");
    let backend = echo().await;
    let site = authority.issue(Leaf::named("a.test").key(key));
    let (mut setup, _) = with_sites(&[(&["a.test"], &site)]);
    let policy = setup.snapshot.listeners[0].tls_policy.as_mut().unwrap();
    (policy.minimum, policy.maximum) = range;
    policy.suites = suites.to_vec();
    let mut gateway = TestGateway::start(&[&backend], setup).await;
    let client_suites = [
        client::TLS13_CHACHA20_POLY1305_SHA256,
        client::TLS13_AES_128_GCM_SHA256,
        client::TLS13_AES_256_GCM_SHA384,
        client::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        client::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        client::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    ];
    let config = particular(versions, &client_suites, &authority);
    let agreed = match connect(&gateway, "a.test", config).await {
        Ok(mut client) => {
            assert_eq!(status(&mut client, "a.test").await, 200);
            let session = gateway.next_record().await.tls.unwrap();
            Ok((session.protocol, session.cipher))
        }
        Err(error) => Err(alert(&error).unwrap_or_else(|| panic!("{error} for {name}"))),
    };
    assert_eq!(agreed, expected, "{name}");
}

const OLD: [CipherSuite; 2] = [
    CipherSuite::EcdheEcdsaAes256GcmSha384,
    CipherSuite::EcdheEcdsaAes128GcmSha256,
];
const RSA: [CipherSuite; 1] = [CipherSuite::EcdheRsaAes128GcmSha256];
const NEW: [CipherSuite; 1] = [CipherSuite::Tls13Aes128GcmSha256];

#[tokio::test]
async fn a_policy_of_tls_12_is_kept_to() {
    use rustls::version::{TLS12, TLS13};
    let (ec, rsa) = (KeyKind::P256, KeyKind::Rsa2048);
    let no_suite = Err(AlertDescription::HandshakeFailure);
    let no_version = Err(AlertDescription::ProtocolVersion);
    let ec_256 = Ok(("TLSv1.2", "ECDHE-ECDSA-AES256-GCM-SHA384"));
    let ec_128 = Ok(("TLSv1.2", "ECDHE-ECDSA-AES128-GCM-SHA256"));
    let rsa_128 = Ok(("TLSv1.2", "ECDHE-RSA-AES128-GCM-SHA256"));
    for (suites, key, versions, expected) in [
        // The server's order counts, not the client's.
        (&OLD[..], ec, &[&TLS12, &TLS13][..], ec_256),
        (&OLD[1..], ec, &[&TLS12], ec_128),
        (&RSA, rsa, &[&TLS12], rsa_128),
        (&RSA, ec, &[&TLS12], no_suite),
        (&OLD, ec, &[&TLS13], no_version),
    ] {
        let range = (TlsVersion::Tls12, TlsVersion::Tls12);
        check_policy(range, suites, key, versions, expected).await;
    }
}

#[tokio::test]
async fn a_policy_with_tls_13_is_kept_to() {
    use rustls::version::{TLS12, TLS13};
    let both: Vec<_> = NEW.iter().chain(&OLD).copied().collect();
    let new = Ok(("TLSv1.3", "TLS_AES_128_GCM_SHA256"));
    let old = Ok(("TLSv1.2", "ECDHE-ECDSA-AES256-GCM-SHA384"));
    let no_version = Err(AlertDescription::ProtocolVersion);
    for (minimum, suites, versions, expected) in [
        (TlsVersion::Tls12, &both[..], &[&TLS12, &TLS13][..], new),
        (TlsVersion::Tls12, &both, &[&TLS12], old),
        (TlsVersion::Tls13, &NEW, &[&TLS12, &TLS13], new),
        (TlsVersion::Tls13, &NEW, &[&TLS12], no_version),
    ] {
        let range = (minimum, TlsVersion::Tls13);
        check_policy(range, suites, KeyKind::P256, versions, expected).await;
    }
}

/// A gateway with one site, and a client of it in each version.
async fn with_clients(backend: &Backend) -> (TestGateway, Vec<RawClient>) {
    let authority = Authority::new("Root");
    let site = authority.issue(Leaf::named("a.test"));
    let (setup, _) = with_sites(&[(&["a.test"], &site)]);
    let gateway = TestGateway::start(&[backend], setup).await;
    let suites = aws_lc_rs::DEFAULT_CIPHER_SUITES;
    let mut clients = Vec::new();
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let config = particular(&[version], suites, &authority);
        let client = connect(&gateway, "a.test", config).await.unwrap();
        clients.push(client.patience(20 * SECOND));
    }
    (gateway, clients)
}

#[tokio::test]
async fn large_messages_pass_whole_both_ways() {
    const LENGTH: usize = 5_000_000;
    for chunked in [false, true] {
        let large = Manners::Large {
            bytes: LENGTH as u64,
            chunked,
        };
        let backend = Backend::start(large).await.unwrap();
        let (gateway, clients) = with_clients(&backend).await;
        let body = pattern(LENGTH);
        for mut client in clients {
            for _ in 0..2 {
                backend.forget();
                let head =
                    format!("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: {LENGTH}\r\n\r\n");
                client.send(head.as_bytes()).await.unwrap();
                client.send(&body).await.unwrap();
                let response = client.read_response().await.unwrap();
                assert_eq!((response.status, response.body.len()), (200, LENGTH));
                assert!(response.body == body, "the answer differs");
                let seen = backend.requests().remove(0);
                assert_eq!((seen.body_length, seen.complete), (LENGTH as u64, true));
                assert!(body.starts_with(&seen.body), "the upload differs");
            }
        }
        drop(gateway);
        assert!(backend.violations().is_empty());
    }
}

#[tokio::test]
async fn requests_follow_each_other_on_a_session() {
    let backend = echo().await;
    let (mut gateway, clients) = with_clients(&backend).await;
    for mut client in clients {
        let mut text = Vec::new();
        for at in 0..20 {
            let request = format!("GET /{at} HTTP/1.1\r\nHost: a.test\r\n\r\n");
            text.extend_from_slice(request.as_bytes());
        }
        for step in [text.len(), 7] {
            support::send_in_pieces(&mut client, &text, step).await;
            for at in 0..20 {
                let response = client.read_response().await.unwrap();
                assert_eq!(response.json()["target"], format!("/{at}"));
            }
        }
        client
            .send(b"GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n")
            .await
            .unwrap();
        assert_eq!(client.read_response().await.unwrap().status, 200);
        let rest = client.read_to_end(SECOND).await;
        // In good order, with a goodbye of TLS.
        assert_eq!(rest.ending, gatewright_testkit::client::Ending::Closed);
    }
    let records = gateway.records(82).await;
    assert!(records.iter().all(|seen| seen.record.tls.is_some()));
    let request = backend.requests().remove(0);
    assert_eq!(request.header("x-forwarded-proto"), Some("https"));
    assert_eq!(request.header("x-forwarded-port"), Some("443"));
}

#[tokio::test]
async fn failed_handshakes_are_counted_by_what_they_failed_of() {
    let identity = Leaf::named("shop.test").self_signed();
    let backend = echo().await;
    // Nobody answers for other names.
    let (setup, _) = with_sites(&[(&["shop.test"], &identity)]);
    let gateway = TestGateway::start(&[&backend], setup).await;
    let trusting = client_trusting_anything();
    connect(&gateway, "shop.test", Arc::clone(&trusting))
        .await
        .unwrap();
    let unknown = connect(&gateway, "other.test", trusting).await;
    assert!(unknown.is_err());
    let suspicious = client_trusting(&Authority::new("Another"));
    assert!(connect(&gateway, "shop.test", suspicious).await.is_err());
    // A record that is no handshake's, and half of one that is.
    for (sent, count) in [(&b"\x17\x03\x03\x00\x01x"[..], 1), (b"\x16\x03\x01", 2)] {
        drop(gateway.client_sending(sent).await);
        until("the failure is counted", async || {
            gateway.plane.failed_handshakes().failures().count() == 2 + count
        })
        .await;
    }
    let failures: Vec<_> = gateway.plane.failed_handshakes().failures().collect();
    let expected = [
        (HandshakeFailure::Closed, 1),
        (HandshakeFailure::NameUnknown, 1),
        (HandshakeFailure::Alert, 1),
        (HandshakeFailure::Invalid, 1),
    ];
    assert_eq!(failures, expected);
}
