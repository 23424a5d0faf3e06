//! Health probes over real sockets: what each kind of server is told to be, and what traffic makes
//! of it.

mod support;

use std::net::SocketAddr;
use std::time::Duration;

use gatewright_dataplane::{NameServers, ServerState};
use gatewright_snapshot::{
    Action, BackendProtocol, BackendSetting, BackendTrust, Generation, Member, Probe, ProbeHost,
    Scheme,
};
use gatewright_telemetry::{Failure, Health, HealthMessage};
use gatewright_testkit::backend::{Backend, Flood, Manners, TlsManners};
use gatewright_testkit::certificates::{Authority, Leaf};
use gatewright_testkit::resolver::{Mood, Resolver};
use support::{Setup, TestGateway, logical, setting, until, verification};

const GET: &str = "GET / HTTP/1.1\r\nHost: app.contoso.test\r\n\r\n";
const SECOND: Duration = Duration::from_secs(1);

/// A probe that is made every second.
fn probe() -> Probe {
    Probe {
        interval: SECOND,
        timeout: SECOND,
        unhealthy_threshold: 2,
        ..Probe::default_for(BackendProtocol::Http, 80, None)
    }
}

fn probed(probe: Probe) -> BackendSetting {
    BackendSetting {
        probe: Some(probe),
        ..setting()
    }
}

/// The states of the first upstream's servers.
fn servers(gateway: &TestGateway) -> Vec<ServerState> {
    gateway.plane.upstreams().swap_remove(0).servers
}

/// The state of the only server once its first probe has ended.
async fn first_verdict(gateway: &TestGateway) -> ServerState {
    until("a first verdict", async || {
        servers(gateway)[0].record.is_some()
    })
    .await;
    servers(gateway).swap_remove(0)
}

/// What the first probe of a backend with `manners` comes to.
async fn verdict_on(manners: Manners, probe: Probe) -> ServerState {
    let backend = Backend::start(manners).await.unwrap();
    let gateway = TestGateway::start(&[&backend], Setup::with_setting(1, probed(probe))).await;
    first_verdict(&gateway).await
}

fn log(state: &ServerState) -> &str {
    &state.record.as_ref().unwrap().log
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_server_is_healthy_before_the_first_request() {
    let backend = Backend::start(Manners::Named).await.unwrap();
    let gateway = TestGateway::start(&[&backend], Setup::with_setting(1, probed(probe()))).await;
    assert_eq!(gateway.ask(GET).await.status, 200);
    let state = servers(&gateway).swap_remove(0);
    assert_eq!(state.health, Health::Healthy);
    assert_eq!(log(&state), "Success. Received 200 status code");
    assert!(state.since_micros.is_some() && state.takes_traffic);
    let requests = backend.requests();
    let probe = &requests[0];
    assert_eq!((probe.method.as_str(), probe.target.as_str()), ("GET", "/"));
    let head = String::from_utf8_lossy(&probe.raw_head);
    assert!(head.contains("\r\nHost: 127.0.0.1\r\n"), "{head}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_way_to_fail_has_its_own_sentence() {
    use HealthMessage as M;
    let cases = [
        (Manners::Refused, M::ConnectRefused),
        (Manners::BlackHole, M::TimedOut),
        (Manners::Status(404), M::StatusMismatch),
        (Manners::Status(500), M::StatusMismatch),
        (Manners::CloseBeforeAnswer, M::ClosedUnanswered),
        (Manners::ResetBeforeAnswer, M::ResetUnanswered),
        (Manners::Garbage, M::NotHttp),
        (Manners::CloseMidHead, M::NotHttp),
        (Manners::Flood(Flood::Headers), M::AnswerTooLarge),
        (Manners::Flood(Flood::OneHeader), M::AnswerTooLarge),
        (Manners::Flood(Flood::ChunkExtension), M::NotHttp),
        (Manners::Flood(Flood::Interim), M::NotHttp),
        (Manners::TwoContentLengths, M::NotHttp),
    ];
    for (manners, expected) in cases {
        let shown = format!("{manners:?}");
        let state = verdict_on(manners, probe()).await;
        let record = state.record.as_ref().unwrap();
        assert_eq!(record.message, expected, "{shown}: {record:?}");
        assert_eq!(state.health, Health::Unhealthy, "{shown}");
        assert!(!record.is_healthy && !state.takes_traffic, "{shown}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_decides_as_the_probe_says() {
    let state = verdict_on(Manners::Status(404), probe()).await;
    assert_eq!(
        log(&state),
        "Status code of the backend's HTTP response did not match the probe setting. \
         Expected:200-399 Received:404."
    );
    let statuses = vec![200..=200, 404..=404];
    let tolerant = Probe {
        statuses,
        ..probe()
    };
    let state = verdict_on(Manners::Status(404), tolerant.clone()).await;
    assert_eq!(log(&state), "Success. Received 404 status code");
    let state = verdict_on(Manners::Status(302), probe()).await;
    assert_eq!(log(&state), "Success. Received 302 status code");
    let state = verdict_on(Manners::Status(302), tolerant).await;
    assert!(log(&state).ends_with("Expected:200,404 Received:302."));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_body_decides_where_a_text_is_asked_for() {
    let wanting = |text: &str| Probe {
        body: Some(text.to_owned()),
        ..probe()
    };
    let chunks = || Manners::Chunked {
        chunks: vec![b"all is we".to_vec(), b"ll here".to_vec()],
        trailers: Vec::new(),
    };
    let state = verdict_on(chunks(), wanting("is well")).await;
    assert_eq!(state.health, Health::Healthy);
    let state = verdict_on(chunks(), wanting("Is well")).await;
    assert_eq!(
        log(&state),
        "Body of the backend's HTTP response did not match the probe setting. Received response \
         body doesn't contain Is well."
    );
    // A hundred megabytes are not read to their end.
    let large = Manners::Large {
        bytes: 100 << 20,
        chunked: false,
    };
    let state = verdict_on(large.clone(), wanting("not in there")).await;
    let record = state.record.unwrap();
    assert_eq!(record.message, HealthMessage::BodyMismatch);
    let detail = record.detail.as_deref().unwrap_or_default();
    assert!(detail.starts_with("the first 1"), "{detail}");
    let state = verdict_on(large, probe()).await;
    assert_eq!(state.health, Health::Healthy);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_breaks_off_is_no_healthy_one() {
    let cut = Manners::CloseMidAnswer {
        sent: 10,
        promised: Some(1_000),
    };
    let state = verdict_on(cut, probe()).await;
    let message = state.record.unwrap().message;
    assert_eq!(message, HealthMessage::ClosedWithinAnswer);
}

#[tokio::test(flavor = "multi_thread")]
async fn traffic_follows_the_verdicts() {
    let good = Backend::with(Manners::Named)
        .named("good")
        .start()
        .await
        .unwrap();
    let bad = Backend::with(Manners::Status(500))
        .named("bad")
        .start()
        .await
        .unwrap();
    let setup = Setup::with_setting(2, probed(probe()));
    let mut gateway = TestGateway::start(&[&good, &bad], setup).await;
    for _ in 0..8 {
        assert_eq!(gateway.ask(GET).await.text(), "good");
    }
    good.set_manners(Manners::Status(503)).await.unwrap();
    until("the pool is dead", async || {
        servers(&gateway).iter().all(|one| !one.takes_traffic)
    })
    .await;
    assert_eq!(gateway.ask(GET).await.status, 502);
    let mut failure = None;
    while failure.is_none() {
        failure = gateway.next_record().await.failure;
    }
    assert_eq!(failure, Some(Failure::NoHealthyServer));
    bad.set_manners(Manners::Named).await.unwrap();
    until("one success heals", async || {
        servers(&gateway)[1].takes_traffic
    })
    .await;
    assert_eq!(gateway.ask(GET).await.text(), "bad");
}

#[tokio::test(flavor = "multi_thread")]
async fn as_many_failures_as_the_threshold_take_down_and_each_change_is_told_once() {
    let backend = Backend::start(Manners::Named).await.unwrap();
    let slow_to_judge = Probe {
        unhealthy_threshold: 3,
        ..probe()
    };
    let setup = Setup::with_setting(1, probed(slow_to_judge));
    let mut gateway = TestGateway::start(&[&backend], setup).await;
    let change = gateway.health_changes.recv().await.unwrap();
    assert_eq!((change.from, change.to), (Health::Unknown, Health::Healthy));
    backend.set_manners(Manners::Status(500)).await.unwrap();
    until("a first failure", async || {
        servers(&gateway)[0].record.as_ref().unwrap().status == Some(500)
    })
    .await;
    let state = servers(&gateway).swap_remove(0);
    assert_eq!(state.health, Health::Healthy, "{state:?}");
    let change = gateway.health_changes.recv().await.unwrap();
    assert_eq!(
        (change.from, change.to),
        (Health::Healthy, Health::Unhealthy)
    );
    assert_eq!((change.in_a_row, change.pools), (3, vec!["pool0".into()]));
    assert_eq!(change.server, logical(0).to_string());
    backend.set_manners(Manners::Named).await.unwrap();
    let change = gateway.health_changes.recv().await.unwrap();
    assert_eq!(change.to, Health::Healthy);
}

#[tokio::test(flavor = "multi_thread")]
async fn min_servers_keeps_members_in_use() {
    let backend = Backend::start(Manners::Status(404)).await.unwrap();
    let keeping = Probe {
        min_servers: 1,
        ..probe()
    };
    let gateway = TestGateway::start(&[&backend], Setup::with_setting(1, probed(keeping))).await;
    assert_eq!(gateway.ask(GET).await.status, 404, "from the server itself");
    let state = first_verdict(&gateway).await;
    assert!(state.takes_traffic);
    assert_eq!(state.health, Health::Unhealthy);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_under_one_setting_is_probed_once_whatever_leads_to_it() {
    let backend = Backend::start(Manners::Named).await.unwrap();
    let mut setup = Setup::default();
    let endpoint = setup.endpoint(80, Scheme::Http);
    for host in ["a.test", "b.test", "c.test"] {
        let upstream = setup.upstream([Member::Ip(logical(0))], probed(probe()));
        setup.listener(endpoint, &[host], Action::Forward(upstream));
    }
    let gateway = TestGateway::start(&[&backend], setup).await;
    assert!(backend.wait_for_requests(3, SECOND * 5).await);
    let reports = gateway.plane.upstreams();
    assert_eq!(reports.len(), 3);
    let all_healthy = |one: &gatewright_dataplane::UpstreamState| {
        one.servers.iter().all(|one| one.health == Health::Healthy)
    };
    assert!(reports.iter().all(all_healthy));
    // Three pools, one setting by name: a second's worth of probes is one, not three.
    let before = backend.request_count();
    tokio::time::sleep(SECOND * 2).await;
    let more = backend.request_count() - before;
    assert!((1..=3).contains(&more), "{more} probes in two seconds");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_that_replaces_every_server_loses_no_request() {
    let old = Backend::start(Manners::Named).await.unwrap();
    let new = Backend::start(Manners::Named).await.unwrap();
    let with = |member: usize| {
        let mut setup = Setup::default();
        let upstream = setup.upstream([Member::Ip(logical(member))], probed(probe()));
        let endpoint = setup.endpoint(80, Scheme::Http);
        setup.listener(endpoint, &[], Action::Forward(upstream));
        setup
    };
    let mut gateway = TestGateway::start(&[&old, &new], with(0)).await;
    for round in 1..=4 {
        gateway.apply(with(round % 2)).await;
        assert_eq!(gateway.ask(GET).await.status, 200, "round {round}");
    }
    // A probe that has changed keeps the state until its first result.
    let mut changed = Setup::with_setting(
        1,
        probed(Probe {
            path: "/x".into(),
            ..probe()
        }),
    );
    changed.snapshot.pools[0].members = vec![Member::Ip(logical(0))];
    old.set_manners(Manners::BlackHole).await.unwrap();
    gateway.apply(changed).await;
    assert!(servers(&gateway)[0].takes_traffic);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_gateway_that_serves_already_waits_for_what_is_new() {
    let slow = || Manners::slow(Duration::from_millis(300), Manners::Named);
    let first = Backend::start(slow()).await.unwrap();
    let second = Backend::start(slow()).await.unwrap();
    let with = |member: usize| {
        let mut setup = Setup::default();
        let upstream = setup.upstream([Member::Ip(logical(member))], probed(probe()));
        let endpoint = setup.endpoint(80, Scheme::Http);
        setup.listener(endpoint, &[], Action::Forward(upstream));
        setup.build()
    };
    let gateway = TestGateway::start(&[&first, &second], Setup::default()).await;
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    gateway.plane.apply(with(0), &[any]).await.unwrap();
    assert_eq!(
        servers(&gateway)[0].health,
        Health::Unknown,
        "it holds nobody up"
    );
    gateway.plane.first_probes(Some("ELSEWHERE")).await;
    assert_eq!(servers(&gateway)[0].health, Health::Unknown);
    gateway.plane.first_probes(None).await;
    assert_eq!(servers(&gateway)[0].health, Health::Healthy);
    // Its traffic goes on to the other server without a gap.
    gateway.plane.apply(with(1), &[any]).await.unwrap();
    assert_eq!(servers(&gateway)[0].health, Health::Healthy);
}

#[tokio::test(flavor = "multi_thread")]
async fn reloads_probe_nothing_that_has_not_changed() {
    let backend = Backend::start(Manners::Named).await.unwrap();
    let patient = || Probe {
        interval: SECOND * 60,
        ..probe()
    };
    let setup = || Setup::with_setting(1, probed(patient()));
    let mut gateway = TestGateway::start(&[&backend], setup()).await;
    first_verdict(&gateway).await;
    for _ in 0..5 {
        gateway.apply(setup()).await;
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    // The first, and perhaps the second, whose place in the interval is its own.
    let count = backend.request_count();
    assert!(count <= 2, "{count} probes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stays_unhealthy_tells_another_reason() {
    let backend = Backend::start(Manners::Status(500)).await.unwrap();
    let setup = Setup::with_setting(1, probed(probe()));
    let mut gateway = TestGateway::start(&[&backend], setup).await;
    let change = gateway.health_changes.recv().await.unwrap();
    assert_eq!(
        (change.from, change.to),
        (Health::Unknown, Health::Unhealthy)
    );
    backend.set_manners(Manners::Status(404)).await.unwrap();
    let change = gateway.health_changes.recv().await.unwrap();
    assert_eq!(
        (change.from, change.to),
        (Health::Unhealthy, Health::Unhealthy)
    );
    assert!(change.log.ends_with("Received:404."), "{}", change.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_does_not_exist_is_told_and_so_is_its_end() {
    let resolver = Resolver::start().await.unwrap();
    let backend = Backend::start(Manners::Named).await.unwrap();
    let mut setup = Setup::default();
    let upstream = setup.upstream([Member::Fqdn("app.test".into())], probed(probe()));
    let endpoint = setup.endpoint(80, Scheme::Http);
    setup.listener(endpoint, &[], Action::Forward(upstream));
    let servers = NameServers::These(vec![resolver.address()]);
    let mut gateway = TestGateway::start_on(&[backend.address()], setup, servers, 1).await;
    let change = gateway.health_changes.recv().await.unwrap();
    assert_eq!(
        (change.from, change.to),
        (Health::Unknown, Health::Unhealthy)
    );
    assert_eq!(
        (change.server.as_str(), change.pools),
        ("app.test", vec!["pool0".to_owned()])
    );
    assert_eq!(change.message, HealthMessage::NameUnresolved);
    let std::net::IpAddr::V4(ip) = logical(0) else {
        panic!("an IPv4 address")
    };
    resolver.set("app.test", &[ip], 300);
    let mut seen = Vec::new();
    while seen.len() < 2 {
        let change = gateway.health_changes.recv().await.unwrap();
        seen.push((change.from, change.to));
    }
    seen.sort_by_key(|(from, _)| *from == Health::Unknown);
    let cleared = (Health::Unhealthy, Health::Unknown);
    assert_eq!(seen, [cleared, (Health::Unknown, Health::Healthy)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_leaves_is_told_and_one_whose_probe_has_changed_is_not() {
    let staying = Backend::start(Manners::Named).await.unwrap();
    let leaving = Backend::start(Manners::Status(500)).await.unwrap();
    let setup = Setup::with_setting(2, probed(probe()));
    let mut gateway = TestGateway::start(&[&staying, &leaving], setup).await;
    for _ in 0..2 {
        let first = gateway.health_changes.recv().await.unwrap();
        assert_eq!(first.from, Health::Unknown);
    }
    let changed = Probe {
        path: "/x".into(),
        ..probe()
    };
    gateway.apply(Setup::with_setting(1, probed(changed))).await;
    let change = gateway.health_changes.recv().await.unwrap();
    assert_eq!(change.server, logical(1).to_string());
    assert_eq!(
        (change.from, change.to),
        (Health::Unhealthy, Health::Unknown)
    );
    assert_eq!(change.message, HealthMessage::NoLongerProbed);
    assert!(gateway.health_changes.try_recv().is_err(), "and no other");
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_do_not_resolve_are_told_apart() {
    let resolver = Resolver::start().await.unwrap();
    resolver.set_mood_of("silent.test", Mood::Silent);
    let mut setup = Setup::default();
    let members = ["missing.test", "silent.test"].map(|name| Member::Fqdn(name.into()));
    let upstream = setup.upstream(members, probed(probe()));
    let endpoint = setup.endpoint(80, Scheme::Http);
    setup.listener(endpoint, &[], Action::Forward(upstream));
    let servers_of_dns = NameServers::These(vec![resolver.address()]);
    let gateway = TestGateway::start_on(&[], setup, servers_of_dns, 1).await;
    let states = servers(&gateway);
    let seen: Vec<_> = states
        .iter()
        .map(|one| (one.health, one.has_no_such_name))
        .collect();
    assert_eq!(seen, [(Health::Unhealthy, true), (Health::Unknown, false)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_probe_names_what_it_should_in_its_handshake() {
    let authority = Authority::new("Contoso Root");
    let identity = authority.issue(Leaf::named("app.contoso.test"));
    let root = authority.root_certificate().to_vec();
    let trusting = gatewright_snapshot::BackendVerification {
        trust: BackendTrust::Roots(vec![root]),
        ..verification()
    };
    let over_tls = |host: &str| BackendSetting {
        protocol: BackendProtocol::Https,
        verification: Some(trusting.clone()),
        probe: Some(Probe {
            protocol: BackendProtocol::Https,
            host: ProbeHost::Fixed(host.to_owned()),
            verification: Some(trusting.clone()),
            ..probe()
        }),
        ..setting()
    };
    let check = async |host: &str, generation| {
        let mut setup = Setup::with_setting(1, over_tls(host));
        setup.snapshot.gateways[0].generation = generation;
        // One for each: the gateway before may still be probing the last.
        let tls = TlsManners::new(identity.clone());
        let backend = Backend::with(Manners::Named).tls(tls).start().await;
        let backend = backend.unwrap();
        let gateway = TestGateway::start(&[&backend], setup).await;
        let state = first_verdict(&gateway).await;
        // The server may learn of the end of a handshake after its client.
        until("a handshake", async || !backend.handshakes().is_empty()).await;
        (
            state.record.unwrap().message,
            backend.handshakes().pop().unwrap().server_name,
        )
    };
    let (message, sni) = check("app.contoso.test", Generation::V2).await;
    assert_eq!(message, HealthMessage::Success);
    assert_eq!(sni.as_deref(), Some("app.contoso.test"));
    let (message, sni) = check("other.contoso.test", Generation::V2).await;
    assert_eq!(message, HealthMessage::CertificateName);
    assert_eq!(sni.as_deref(), Some("other.contoso.test"));
    let (_, sni) = check("app.contoso.test", Generation::V1).await;
    assert_eq!(sni, None, "v1 names the pool's member, which is an address");
}
