//! TLS towards backends: which certificates are believed, under which name, and what is recorded
//! of those that are not.

mod support;

use std::time::Duration;

use gatewright_dataplane::NameServers;
use gatewright_snapshot::{
    Action, BackendProtocol, BackendSetting, BackendTrust, BackendVerification, Generation,
    HostOverride, Member, Scheme,
};
use gatewright_telemetry::{ErrorInfo, Failure};
use gatewright_testkit::backend::{
    ALERT_PROTOCOL_VERSION, Backend, Handshake, Manners, TlsAccident, TlsManners,
};
use gatewright_testkit::certificates::{Authority, Identity, KeyKind, Leaf, Validity};
use gatewright_testkit::resolver::Resolver;
use support::{Setup, TestGateway, logical, setting, verification};

const NAME: &str = "app.contoso.test";
const GET: &str = "GET / HTTP/1.1\r\nHost: app.contoso.test\r\n\r\n";
const SECOND: Duration = Duration::from_secs(1);

fn https(verification: BackendVerification) -> BackendSetting {
    BackendSetting {
        protocol: BackendProtocol::Https,
        verification: Some(verification),
        request_timeout: SECOND,
        ..setting()
    }
}

fn trusting(roots: &[&[u8]]) -> BackendVerification {
    BackendVerification {
        trust: BackendTrust::Roots(roots.iter().map(|root| root.to_vec()).collect()),
        ..verification()
    }
}

fn pinning(identity: &Identity) -> BackendVerification {
    BackendVerification {
        trust: BackendTrust::Pinned(vec![identity.leaf().to_vec()]),
        ..verification()
    }
}

fn without_chain(verification: BackendVerification) -> BackendVerification {
    BackendVerification {
        check_chain: false,
        ..verification
    }
}

fn without_name(verification: BackendVerification) -> BackendVerification {
    BackendVerification {
        check_name: false,
        ..verification
    }
}

/// Holds what comes of a request to a server with this TLS, judged in this way.
async fn check(
    name: &str,
    tls: TlsManners,
    verification: BackendVerification,
    expected: Result<(), Failure>,
) {
    let backend = Backend::with(Manners::Echo).tls(tls).start().await.unwrap();
    let setup = Setup::with_setting(1, https(verification));
    let mut gateway = TestGateway::start(&[&backend], setup).await;
    let mut client = gateway.client_sending(GET).await;
    let response = client.read_response().await.unwrap();
    let record = gateway.next_record().await;
    assert_eq!(record.failure, expected.err(), "{name}");
    assert_eq!(
        record.attempts[0].unwrap().failure,
        expected.err(),
        "{name}"
    );
    let status = if expected.is_ok() { 200 } else { 502 };
    assert_eq!((response.status, record.status), (status, status), "{name}");
    if expected.is_err() {
        assert_eq!(backend.request_count(), 0, "{name}: a request got through");
    } else {
        assert!(record.attempts[0].unwrap().connect_micros > 0);
        client.send(GET.as_bytes()).await.unwrap();
        assert_eq!(client.read_response().await.unwrap().status, 200);
        assert_eq!(backend.connections(), 1, "{name}: the session is not kept");
    }
}

#[tokio::test]
async fn a_certificate_is_believed_by_its_chain_and_its_dates() {
    let root = Authority::new("Contoso Root");
    let issuing = root.intermediate("Contoso Issuing");
    let good = || issuing.issue(Leaf::named(NAME));
    let by = |root: &Authority| trusting(&[&root.root_certificate()]);
    let untrusted = Err(Failure::BackendCertificateUntrusted);
    let dates = Err(Failure::BackendCertificateDates);
    let expired = || issuing.issue(Leaf::named(NAME).valid(Validity::expired()));
    let early = issuing.issue(Leaf::named(NAME).valid(Validity::not_yet()));
    let rsa = issuing.issue(Leaf::named(NAME).key(KeyKind::Rsa2048));
    let incomplete = good().without_intermediates();
    let unchecked = || without_chain(verification());
    for (name, identity, verification, expected) in [
        ("good", good(), by(&root), Ok(())),
        ("good, RSA", rsa, by(&root), Ok(())),
        ("with its root", good().with_root(&root), by(&root), Ok(())),
        ("public authorities", good(), verification(), untrusted),
        (
            "another root",
            good(),
            by(&Authority::new("Other")),
            untrusted,
        ),
        ("a twin of its root", good(), by(&root.twin()), untrusted),
        ("no intermediate", incomplete, by(&root), untrusted),
        ("expired", expired(), by(&root), dates),
        ("not valid yet", early, by(&root), dates),
        ("expired, unchecked", expired(), unchecked(), Ok(())),
        ("unknown, unchecked", good(), unchecked(), Ok(())),
    ] {
        check(name, TlsManners::new(identity), verification, expected).await;
    }
}

#[tokio::test]
async fn a_certificate_is_believed_by_its_name() {
    let root = Authority::new("Contoso Root");
    let trusted = || trusting(&[&root.root_certificate()]);
    let named = |name: &str| root.issue(Leaf::named(name));
    let common = |name: &str| root.issue(Leaf::common_name_only(name));
    let overruled = root.issue(Leaf::named("other.test").common_name(NAME));
    let untrusted = Err(Failure::BackendCertificateUntrusted);
    let other = Err(Failure::BackendCertificateName);
    let no_name = || without_name(trusted());
    for (name, identity, verification, expected) in [
        ("a wildcard", named("*.contoso.test"), trusted(), Ok(())),
        ("too wide a wildcard", named("*.test"), trusted(), other),
        ("another name", named("other.test"), trusted(), other),
        ("a common name", common(NAME), trusted(), Ok(())),
        (
            "another common name",
            common("other.test"),
            trusted(),
            other,
        ),
        ("a common name beside others", overruled, trusted(), other),
        ("unchecked", named("other.test"), no_name(), Ok(())),
        (
            "unchecked, unknown",
            named("other.test"),
            without_name(verification()),
            untrusted,
        ),
        (
            "without a chain check",
            named("other.test"),
            without_chain(verification()),
            other,
        ),
        (
            "without any check",
            named("other.test"),
            without_name(without_chain(verification())),
            Ok(()),
        ),
    ] {
        check(name, TlsManners::new(identity), verification, expected).await;
    }
}

#[tokio::test]
async fn a_self_signed_certificate_is_believed_when_it_was_uploaded() {
    let own = Leaf::named(NAME).self_signed();
    let same_name = Leaf::named(NAME).self_signed();
    let wrong = Leaf::named("other.contoso.test").self_signed();
    let expired = Leaf::named(NAME).valid(Validity::expired()).self_signed();
    for (name, shown, uploaded, expected) in [
        ("its own", &own, &own, Ok(())),
        (
            "another",
            &own,
            &same_name,
            Err(Failure::BackendCertificateUntrusted),
        ),
        (
            "expired",
            &expired,
            &expired,
            Err(Failure::BackendCertificateDates),
        ),
        (
            "another name",
            &wrong,
            &wrong,
            Err(Failure::BackendCertificateName),
        ),
    ] {
        let tls = TlsManners::new(shown.clone());
        check(name, tls, trusting(&[uploaded.leaf()]), expected).await;
    }
}

#[tokio::test]
async fn a_pinned_certificate_is_believed_by_its_key() {
    let authority = Authority::new("Root");
    let pinned = authority.issue(Leaf::named("other.test").valid(Validity::expired()));
    let stranger = authority.issue(Leaf::named(NAME));
    // All RSA leaves of the workshop have one key.
    let [before, renewed] =
        [1, 2].map(|_| authority.issue(Leaf::named(NAME).key(KeyKind::Rsa2048)));
    let untrusted = Err(Failure::BackendCertificateUntrusted);
    for (name, shown, uploaded, expected) in [
        ("pinned, whatever it says", &pinned, &pinned, Ok(())),
        ("not pinned", &stranger, &pinned, untrusted),
        ("renewed with its key", &renewed, &before, Ok(())),
    ] {
        let tls = TlsManners::new(shown.clone());
        check(name, tls, pinning(uploaded), expected).await;
    }
}

#[tokio::test]
async fn a_handshake_that_fails_is_told_as_what_it_is() {
    let authority = Authority::new("Root");
    let good = authority.issue(Leaf::named(NAME));
    let trusted = || trusting(&[&authority.root_certificate()]);
    let closed = Err(Failure::BackendTlsClosed);
    let alert = Err(Failure::BackendTlsAlert);
    let accident = |accident| TlsManners::failing(accident);
    for (name, tls, expected) in [
        (
            "alert",
            accident(TlsAccident::Alert(ALERT_PROTOCOL_VERSION)),
            alert,
        ),
        (
            "garbage",
            accident(TlsAccident::Garbage),
            Err(Failure::BackendTlsProtocol),
        ),
        (
            "silence",
            accident(TlsAccident::Silence),
            Err(Failure::BackendTlsTimedOut),
        ),
        ("close", accident(TlsAccident::Close), closed),
        ("reset", accident(TlsAccident::Reset), closed),
        (
            "another name required",
            TlsManners::new(good.clone()).requiring_name("other.test"),
            alert,
        ),
        (
            "the name required",
            TlsManners::new(good.clone()).requiring_name(NAME),
            Ok(()),
        ),
        (
            "TLS 1.2",
            TlsManners::new(good.clone()).only_tls12(),
            Ok(()),
        ),
        (
            "TLS 1.3",
            TlsManners::new(good.clone()).only_tls13(),
            Ok(()),
        ),
        (
            "ALPN",
            TlsManners::new(good.clone()).alpn(&["http/1.1"]),
            Ok(()),
        ),
    ] {
        let began = std::time::Instant::now();
        check(name, tls, trusted(), expected).await;
        if name == "silence" {
            let waited = began.elapsed();
            assert!(waited >= SECOND && waited < 3 * SECOND, "{waited:?}");
        }
    }
    assert_eq!(
        Failure::BackendTlsTimedOut.error_info(),
        ErrorInfo::UpstreamTimedOut
    );
    assert_eq!(
        Failure::BackendCertificateName.error_info(),
        ErrorInfo::UpstreamNoLive
    );
}

/// The name that a server is asked for, with this setting, member and Host.
async fn name_sent(
    generation: Generation,
    host: HostOverride,
    sni_name: Option<&str>,
    member: Member,
    client_host: &str,
) -> Option<String> {
    let resolver = Resolver::start().await.unwrap();
    resolver.set("member.test", &["10.0.0.1".parse().unwrap()], 60);
    let tls = TlsManners::new(Leaf::named("x").self_signed());
    let backend = Backend::with(Manners::Echo).tls(tls).start().await.unwrap();
    let unchecked = BackendVerification {
        sni_name: sni_name.map(str::to_owned),
        ..without_name(without_chain(verification()))
    };
    let mut setup = Setup::default();
    let setting = BackendSetting {
        host,
        ..https(unchecked)
    };
    let upstream = setup.upstream([member], setting);
    let endpoint = setup.endpoint(80, Scheme::Http);
    setup.listener(endpoint, &[], Action::Forward(upstream));
    setup.snapshot.gateways[0].generation = generation;
    let servers = NameServers::These(vec![resolver.address()]);
    let gateway = TestGateway::start_on(&[backend.address()], setup, servers, 1).await;
    let text = format!("GET / HTTP/1.1\r\nHost: {client_host}\r\n\r\n");
    assert_eq!(gateway.ask(text).await.status, 200);
    assert!(backend.wait_for_handshakes(1, 5 * SECOND).await);
    backend.handshakes().remove(0).server_name
}

#[tokio::test]
async fn the_name_asked_for_is_that_of_the_settings_table() {
    use Generation::{V1, V2};
    let fixed = || HostOverride::Fixed("fixed.test".into());
    let fqdn = || Member::Fqdn("member.test".into());
    let ip = || Member::Ip(logical(0));
    let (keep, from_member) = (|| HostOverride::Keep, || HostOverride::FromMember);
    for (generation, host, sni_name, member, client_host, expected) in [
        (V2, fixed(), None, fqdn(), "client.test", Some("fixed.test")),
        (V2, fixed(), None, ip(), "client.test", Some("fixed.test")),
        (
            V2,
            from_member(),
            None,
            fqdn(),
            "client.test",
            Some("member.test"),
        ),
        (V2, from_member(), None, ip(), "client.test", None),
        (
            V2,
            keep(),
            None,
            ip(),
            "client.test:8080",
            Some("client.test"),
        ),
        (V2, keep(), None, fqdn(), "Client.test", Some("client.test")),
        (V2, keep(), None, ip(), "192.0.2.1", None),
        (V2, keep(), None, ip(), "[2001:db8::1]:80", None),
        (
            V2,
            keep(),
            Some("sni.test"),
            ip(),
            "client.test",
            Some("sni.test"),
        ),
        (
            V2,
            fixed(),
            Some("sni.test"),
            fqdn(),
            "client.test",
            Some("sni.test"),
        ),
        (
            V1,
            fixed(),
            None,
            fqdn(),
            "client.test",
            Some("member.test"),
        ),
        (V1, fixed(), None, ip(), "client.test", None),
        (
            V1,
            from_member(),
            None,
            fqdn(),
            "client.test",
            Some("member.test"),
        ),
        (V1, keep(), None, fqdn(), "client.test", Some("client.test")),
        (V1, keep(), None, ip(), "client.test", None),
    ] {
        let name = format!("{generation:?} {host:?} {sni_name:?} {member:?} {client_host}");
        let sent = name_sent(generation, host, sni_name, member, client_host).await;
        assert_eq!(sent.as_deref(), expected, "{name}");
    }
}

#[tokio::test]
async fn the_name_sent_is_the_name_checked() {
    let authority = Authority::new("Root");
    let identity = authority.issue(Leaf::named("sni.test"));
    let named = BackendVerification {
        sni_name: Some("sni.test".into()),
        ..trusting(&[&authority.root_certificate()])
    };
    let tls = TlsManners::new(identity.clone()).requiring_name("sni.test");
    check("sniName", tls, named, Ok(())).await;
    let unnamed = trusting(&[&authority.root_certificate()]);
    let wrong = Err(Failure::BackendCertificateName);
    check(
        "the client's Host",
        TlsManners::new(identity),
        unnamed,
        wrong,
    )
    .await;
}

#[tokio::test]
async fn a_session_is_not_used_for_another_name() {
    let authority = Authority::new("Root");
    let identity = authority.issue(Leaf::for_names(&["a.test", "b.test"]));
    let tls = TlsManners::new(identity);
    let backend = Backend::with(Manners::Echo).tls(tls).start().await.unwrap();
    let trusted = trusting(&[&authority.root_certificate()]);
    let setup = Setup::with_setting(1, https(trusted));
    let gateway = TestGateway::start(&[&backend], setup).await;
    let mut client = gateway.client().await;
    for (host, status) in [
        ("a.test", 200),
        ("b.test", 200),
        ("a.test", 200),
        ("b.test", 200),
        // Whoever got through before: this name is not on the certificate.
        ("c.test", 502),
    ] {
        let text = format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
        client.send(text.as_bytes()).await.unwrap();
        let response = client.read_response().await.unwrap();
        assert_eq!(response.status, status, "{host}");
    }
    assert!(backend.wait_for_handshakes(3, 5 * SECOND).await);
    let names = |handshake: &Handshake| handshake.server_name.clone().unwrap_or_default();
    let names: Vec<String> = backend.handshakes().iter().map(names).collect();
    assert_eq!(names, ["a.test", "b.test", "c.test"]);
    let used = backend
        .requests()
        .iter()
        .map(|one| one.connection)
        .collect::<Vec<_>>();
    assert_eq!(used, [1, 2, 1, 2]);
}

#[tokio::test]
async fn what_follows_an_answer_ends_the_session() {
    const POISON: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nPOISON";
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood";
    let manners = Manners::StaticBytes {
        bytes: [answer, POISON].concat(),
        close: false,
    };
    let tls = TlsManners::new(Leaf::named(NAME).self_signed());
    let backend = Backend::with(manners).tls(tls).start().await.unwrap();
    for dedicated_connection in [false, true] {
        let setting = BackendSetting {
            dedicated_connection,
            ..https(without_chain(verification()))
        };
        let setup = Setup::with_setting(1, setting);
        let gateway = TestGateway::start(&[&backend], setup).await;
        let before = backend.connections();
        let mut client = gateway.client().await;
        for _ in 0..3 {
            client.send(GET.as_bytes()).await.unwrap();
            assert_eq!(client.read_response().await.unwrap().text(), "good");
        }
        assert_eq!(backend.connections(), before + 3);
    }
}

#[tokio::test]
async fn large_messages_pass_whole_and_cut_ones_are_noticed() {
    let tls = TlsManners::new(Leaf::named(NAME).self_signed());
    let cut = Manners::CloseMidAnswer {
        sent: 100,
        promised: Some(200),
    };
    let large = Manners::Large {
        bytes: 5_000_000,
        chunked: true,
    };
    let backend = Backend::with(large)
        .on_path("/cut", cut)
        .tls(tls)
        .start()
        .await
        .unwrap();
    let setup = Setup::with_setting(1, https(without_chain(verification())));
    let mut gateway = TestGateway::start(&[&backend], setup).await;
    let body = gatewright_testkit::backend::pattern(5_000_000);
    let mut client = gateway.client().await.patience(20 * SECOND);
    for _ in 0..2 {
        let head = format!("PUT / HTTP/1.1\r\nHost: {NAME}\r\nContent-Length: 5000000\r\n\r\n");
        client.send(head.as_bytes()).await.unwrap();
        client.send(&body).await.unwrap();
        let response = client.read_response().await.unwrap();
        assert_eq!(response.status, 200);
        assert!(response.body == body, "the answer differs");
        assert_eq!(gateway.next_record().await.failure, None);
    }
    let seen = backend.requests().remove(1);
    assert_eq!(seen.body_length, 5_000_000);
    assert!(body.starts_with(&seen.body), "the upload differs");
    assert_eq!(backend.connections(), 1);
    client
        .send(format!("GET /cut HTTP/1.1\r\nHost: {NAME}\r\n\r\n").as_bytes())
        .await
        .unwrap();
    assert!(client.read_response().await.is_err());
    let failure = gateway.next_record().await.failure;
    assert_eq!(failure, Some(Failure::BackendBodyClosed));
}
