//! The verdict on certificates, end to end: each row of the service's documentation from a chain
//! that really has the defect, over a real handshake.

mod support;

use std::time::Duration;

use gatewright_dataplane::ServerState;
use gatewright_snapshot::{
    BackendProtocol, BackendSetting, BackendTrust, BackendVerification, Generation, HostOverride,
    Probe,
};
use gatewright_telemetry::{Health, HealthMessage as M};
use gatewright_testkit::backend::{
    ALERT_HANDSHAKE_FAILURE, Backend, Manners, OldTls, TlsAccident, TlsManners,
};
use gatewright_testkit::certificates::{Authority, Identity, Leaf, Validity};
use gatewright_testkit::situations::{Situation, Surroundings};
use support::{Setup, TestGateway, setting, until, verification};

const NAME: &str = "app.contoso.test";
const SECOND: Duration = Duration::from_secs(1);

fn leaf() -> Leaf {
    Leaf::named(NAME)
}

fn trusting(roots: &[&Authority]) -> BackendVerification {
    let roots = roots.iter().map(|root| root.root_certificate().to_vec());
    BackendVerification {
        trust: BackendTrust::Roots(roots.collect()),
        ..verification()
    }
}

fn well_known() -> BackendVerification {
    verification()
}

fn probed(verification: BackendVerification) -> BackendSetting {
    let probe = Probe {
        timeout: SECOND,
        interval: SECOND,
        ..Probe::default_for(BackendProtocol::Https, 443, Some(verification.clone()))
    };
    BackendSetting {
        port: 443,
        protocol: BackendProtocol::Https,
        host: HostOverride::Fixed(NAME.to_owned()),
        verification: Some(verification),
        probe: Some(probe),
        ..setting()
    }
}

async fn verdict_of(backend: &Backend, setting: BackendSetting, on: Generation) -> ServerState {
    let mut setup = Setup::with_setting(1, setting);
    setup.snapshot.gateways[0].generation = on;
    let gateway = TestGateway::start(&[backend], setup).await;
    let state = || gateway.plane.upstreams().remove(0).servers.remove(0);
    until("a first verdict", async || state().record.is_some()).await;
    state()
}

/// What a v2 gateway says of a server with these certificates.
async fn verdict(identity: Identity, verification: BackendVerification) -> ServerState {
    let tls = TlsManners::new(identity);
    let backend = Backend::with(Manners::Named)
        .tls(tls)
        .start()
        .await
        .unwrap();
    verdict_of(&backend, probed(verification), Generation::V2).await
}

#[track_caller]
fn check(state: &ServerState, message: M, detail: &str) {
    let record = state.record.as_ref().unwrap();
    assert_eq!(record.message, message, "{record:#?}");
    let told = record.detail.as_deref().unwrap_or_default();
    assert!(told.contains(detail), "{told:?} does not say {detail:?}");
    let expected = match message {
        M::Success => Health::Healthy,
        _ => Health::Unhealthy,
    };
    assert_eq!(state.health, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_chain_is_healthy_and_its_certificates_are_told() {
    let root = Authority::new("Contoso Root");
    let issuing = root.intermediate("Contoso Issuing");
    let state = verdict(issuing.issue(leaf()), trusting(&[&root])).await;
    check(&state, M::Success, "");
    let record = state.record.unwrap();
    let seen: Vec<_> = record.certificates.iter().collect();
    assert_eq!(seen.len(), 2, "{seen:#?}");
    assert_eq!(
        (&seen[0].names[..], &seen[0].defect),
        (&[NAME.to_owned()][..], &None)
    );
    assert!(seen[1].subject.contains("Contoso Issuing"));
}

#[tokio::test(flavor = "multi_thread")]
async fn row_6_another_name() {
    let root = Authority::new("Contoso Root");
    let other = Leaf::for_names(&["shop.contoso.test", "*.shop.contoso.test"]);
    let state = verdict(root.issue(other), trusting(&[&root])).await;
    let detail = "for shop.contoso.test, *.shop.contoso.test; the name asked for was app.contoso";
    check(&state, M::CertificateName, detail);
    let record = state.record.unwrap();
    assert!(record.certificates[0].defect.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn row_7_dates() {
    let root = Authority::new("Contoso Root");
    for (validity, detail) in [
        (Validity::expired(), "expired"),
        (Validity::not_yet(), "is valid from"),
    ] {
        let state = verdict(root.issue(leaf().valid(validity)), trusting(&[&root])).await;
        check(&state, M::CertificateDates, detail);
    }
    let expired = root.intermediate_valid("Contoso Old Issuing", Validity::expired());
    let state = verdict(expired.issue(leaf()), trusting(&[&root])).await;
    check(&state, M::CertificateDates, "Contoso Old Issuing");
}

#[tokio::test(flavor = "multi_thread")]
async fn row_8_only_the_leaf() {
    let root = Authority::new("Contoso Root");
    let identity = root.intermediate("Contoso Issuing").issue(leaf());
    let alone = identity.without_intermediates();
    let state = verdict(alone.clone(), trusting(&[&root])).await;
    check(&state, M::IntermediateMissing, "Contoso Issuing");
    let state = verdict(alone, well_known()).await;
    check(&state, M::IntermediateMissing, "Contoso Issuing");
}

#[tokio::test(flavor = "multi_thread")]
async fn row_9_no_leaf() {
    let root = Authority::new("Contoso Root");
    let authorities = root.intermediate("Contoso Issuing").identity();
    let state = verdict(authorities, trusting(&[&root])).await;
    check(&state, M::LeafMissing, "Contoso Issuing");
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_10_and_11_an_authority_that_nobody_knows() {
    let root = Authority::new("Contoso Root");
    let state = verdict(root.issue(leaf()).with_root(&root), well_known()).await;
    check(
        &state,
        M::NotWellKnown,
        "only well-known authorities are trusted",
    );
    let issuing = root.intermediate("Contoso Issuing");
    let state = verdict(issuing.issue(leaf()).with_root(&root), well_known()).await;
    check(&state, M::IntermediateNotWellKnown, "Contoso Root");
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_12_and_13_another_root_than_the_uploaded_one() {
    let (root, other) = (
        Authority::new("Contoso Root"),
        Authority::new("Fabrikam Root"),
    );
    let identity = root.intermediate("Contoso Issuing").issue(leaf());
    let state = verdict(identity.clone(), trusting(&[&other])).await;
    check(&state, M::IntermediateNotUploaded, "Fabrikam Root");
    let state = verdict(identity.with_root(&root), trusting(&[&other])).await;
    check(&state, M::RootMismatch, "Contoso Root");
    // Of the same name, and another key.
    let state = verdict(identity, trusting(&[&root.twin()])).await;
    check(&state, M::RootMismatch, "another key");
}

#[tokio::test(flavor = "multi_thread")]
async fn row_14_the_leaf_is_not_first() {
    let root = Authority::new("Contoso Root");
    let identity = root.intermediate("Contoso Issuing").issue(leaf());
    let state = verdict(identity.out_of_order(), trusting(&[&root])).await;
    check(&state, M::LeafNotTopmost, "the right order is");
}

#[tokio::test(flavor = "multi_thread")]
async fn row_15_anything_else_with_openssls_number() {
    let root = Authority::new("Contoso Root");
    let for_clients = root.issue(leaf().for_clients_only());
    let state = verdict(for_clients, trusting(&[&root])).await;
    check(&state, M::CertificateUnverified, "serverAuth");
    let log = &state.record.as_ref().unwrap().log;
    assert!(log.ends_with("error code 26"), "{log}");
    let impostor = root.impostor("Not An Authority").issue(leaf());
    let state = verdict(impostor, trusting(&[&root])).await;
    let log = &state.record.as_ref().unwrap().log;
    assert!(log.ends_with("error code 79"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_switches_of_a_setting_count() {
    let root = Authority::new("Contoso Root");
    let expired = || root.issue(Leaf::named("other.test").valid(Validity::expired()));
    let without = |chain: bool, name: bool| BackendVerification {
        check_chain: chain,
        check_name: name,
        ..trusting(&[&root])
    };
    check(
        &verdict(expired(), without(false, false)).await,
        M::Success,
        "",
    );
    check(
        &verdict(expired(), without(false, true)).await,
        M::CertificateName,
        "",
    );
    check(
        &verdict(expired(), without(true, false)).await,
        M::CertificateDates,
        "",
    );
    let named = BackendVerification {
        sni_name: Some("other.test".to_owned()),
        ..without(false, true)
    };
    check(&verdict(expired(), named).await, M::Success, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn v1_trusts_exactly_what_was_uploaded() {
    let root = Authority::new("Contoso Root");
    let identity = root.issue(leaf());
    let pinning = |identity: &Identity| BackendVerification {
        trust: BackendTrust::Pinned(vec![identity.leaf().to_vec()]),
        ..verification()
    };
    let tls = TlsManners::new(identity.clone());
    let backend = Backend::with(Manners::Named)
        .tls(tls)
        .start()
        .await
        .unwrap();
    let setting = probed(pinning(&identity));
    check(
        &verdict_of(&backend, setting, Generation::V1).await,
        M::Success,
        "",
    );
    let setting = probed(pinning(&root.issue(leaf())));
    let state = verdict_of(&backend, setting, Generation::V1).await;
    check(&state, M::NotAllowListed, NAME);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_handshake_is_never_a_failed_connection() {
    let accident = async |accident| {
        let tls = TlsManners::failing(accident);
        let backend = Backend::with(Manners::Named)
            .tls(tls)
            .start()
            .await
            .unwrap();
        verdict_of(&backend, probed(well_known()), Generation::V2).await
    };
    let old = TlsAccident::OldHello(OldTls::Tls11);
    check(&accident(old).await, M::TlsVersion, "");
    let alert = TlsAccident::Alert(ALERT_HANDSHAKE_FAILURE);
    let state = accident(alert).await;
    check(&state, M::TlsAlert, "");
    let log = &state.record.as_ref().unwrap().log;
    assert!(log.contains("handshake_failure"), "{log}");
    check(
        &accident(TlsAccident::CloseMidHello).await,
        M::TlsClosed,
        "",
    );
    check(
        &accident(TlsAccident::SilenceMidHello).await,
        M::TimedOut,
        "",
    );
    let plain = Backend::start(Manners::Named).await.unwrap();
    let state = verdict_of(&plain, probed(well_known()), Generation::V2).await;
    check(&state, M::TlsProtocol, "does it expect HTTP on this port?");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_operators_meet_at_night_is_told_as_what_it_is() {
    let mut around = Surroundings::new(NAME);
    around.slowness = SECOND * 3;
    for situation in Situation::ALL {
        let expected = match situation {
            Situation::Refused => M::ConnectRefused,
            Situation::BlackHole => M::ConnectTimedOut,
            Situation::Slow | Situation::Silent => M::TimedOut,
            Situation::NotFound | Situation::Unauthorized | Situation::ServerError => {
                M::StatusMismatch
            }
            Situation::WrongBody => M::BodyMismatch,
            Situation::WrongName => M::CertificateName,
            Situation::Expired => M::CertificateDates,
            Situation::MissingIntermediate => M::IntermediateMissing,
            Situation::PrivateAuthority => M::RootMismatch,
            Situation::SelfSigned => M::IntermediateMissing,
            Situation::OutOfOrder => M::LeafNotTopmost,
            Situation::OnlyTls11 => M::TlsVersion,
            Situation::Garbage => M::NotHttp,
            Situation::ResetMidAnswer => M::ClosedWithinAnswer,
        };
        let mut setting = probed(trusting(&[&around.root]));
        if let Some(probe) = &mut setting.probe {
            probe.body = Some(gatewright_testkit::situations::GOOD_BODY.trim().to_owned());
            if !situation.is_tls() {
                (probe.protocol, probe.verification) = (BackendProtocol::Http, None);
            }
        }
        let backend = situation.backend(&around).start().await.unwrap();
        let state = verdict_of(&backend, setting, Generation::V2).await;
        let record = state.record.as_ref().unwrap();
        assert_eq!(
            record.message,
            expected,
            "{}: {record:#?}",
            situation.name()
        );
    }
}

/// A leaf followed by `count` certificates that have nothing to do with it.
fn with_strangers(root: &Authority, count: usize) -> Identity {
    let mut identity = root.issue(leaf());
    let stranger = Authority::new("Nobody's Root").root_certificate();
    identity.chain.extend(std::iter::repeat_n(stranger, count));
    identity
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endless_chain_is_refused_at_the_bound_of_a_handshake_and_told_as_that() {
    let root = Authority::new("Contoso Root");
    let state = verdict(with_strangers(&root, 10_000), trusting(&[&root])).await;
    check(&state, M::TlsUnfit, "more than 64 KiB");
    let record = state.record.unwrap();
    assert_eq!(record.certificates, [], "nothing of it is kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_chain_within_the_bound_is_walked_and_its_notes_are_bounded() {
    let root = Authority::new("Contoso Root");
    let state = verdict(with_strangers(&root, 100), trusting(&[&root])).await;
    check(&state, M::Success, "");
    let notes = state.record.unwrap().certificates.len();
    assert!((2..=101).contains(&notes), "{notes}");
}
