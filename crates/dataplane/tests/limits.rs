//! The limits that draining and shutdown set: kept whatever a request is at, and told as ours.

mod support;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use gatewright_dataplane::NameServers;
use gatewright_snapshot::{Action, BackendSetting, Member, Scheme};
use gatewright_telemetry::{Failure, RequestRecord};
use gatewright_testkit::backend::{Backend, Manners};
use gatewright_testkit::client::{Ending, RawClient};
use support::{Setup, TestGateway, logical, narrow_listener, setting, until};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const SECOND: Duration = Duration::from_secs(1);

/// A gateway whose pool has the backends at these places, with a drain time of a second.
fn with_members(members: &[usize]) -> Setup {
    let setting = BackendSetting {
        drain_timeout: SECOND,
        ..setting()
    };
    with_members_under(members, setting)
}

fn with_members_under(members: &[usize], setting: BackendSetting) -> Setup {
    let mut setup = Setup::default();
    let members = members.iter().map(|at| Member::Ip(logical(*at)));
    let upstream = setup.upstream(members, setting);
    let endpoint = setup.endpoint(80, Scheme::Http);
    setup.listener(endpoint, &[], Action::Forward(upstream));
    setup
}

/// A gateway whose one server is at `address`, and a client that has sent it `request`.
async fn under_way(address: SocketAddr, request: &str) -> (TestGateway, RawClient) {
    let names = NameServers::These(Vec::new());
    let mut gateway = TestGateway::start_on(&[address], with_members(&[0]), names, 1).await;
    let client = gateway.client_sending(request).await;
    until("the connection is counted", async || {
        gateway.plane.connections() == 1
    })
    .await;
    // Another one that is answered shows that the first has been read: they share one thread.
    assert_eq!(gateway.ask("garbage\0\r\n\r\n").await.status, 400);
    gateway.next_record().await;
    (gateway, client)
}

/// What our own doing cuts a request off by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cut {
    /// Its server leaves, and has a second.
    Removal,
    /// The gateway shuts down within a second.
    Shutdown,
}

impl Cut {
    /// Cuts the request that is under way; its record, which must be of our limit.
    async fn apply(self, gateway: &mut TestGateway) -> RequestRecord {
        let began = Instant::now();
        let failure = match self {
            Self::Removal => {
                gateway.apply(with_members(&[])).await;
                Failure::ServerDrained
            }
            Self::Shutdown => {
                gateway.plane.drain(SECOND).await;
                Failure::ShuttingDown
            }
        };
        let record = gateway.next_record().await;
        let waited = began.elapsed();
        assert!(waited >= SECOND && waited < 3 * SECOND, "{waited:?}");
        assert_eq!(record.failure, Some(failure));
        let attempt = record.attempts[0].unwrap();
        assert_eq!(attempt.failure.unwrap_or(failure), failure);
        record
    }
}

#[tokio::test]
async fn a_limit_is_ours_while_a_server_is_connected_to() {
    let backend = Backend::start(Manners::SynBlackHole).await.unwrap();
    for cut in [Cut::Removal, Cut::Shutdown] {
        let (mut gateway, mut client) = under_way(backend.address(), GET).await;
        let record = cut.apply(&mut gateway).await;
        assert_eq!(record.status, 502);
        assert_eq!(client.read_response().await.unwrap().status, 502);
    }
}

#[tokio::test]
async fn a_limit_is_ours_while_a_client_takes_nothing() {
    let manners = Manners::Large {
        bytes: 200_000_000,
        chunked: false,
    };
    let backend = Backend::start(manners).await.unwrap();
    for cut in [Cut::Removal, Cut::Shutdown] {
        let (mut gateway, mut client) = under_way(backend.address(), GET).await;
        client.read_exactly(100_000).await.unwrap();
        let record = cut.apply(&mut gateway).await;
        assert_eq!(record.status, 200);
        assert!(record.sent_bytes >= 100_000);
        let rest = client.read_to_end(5 * SECOND).await;
        assert_eq!(rest.ending, Ending::Broken, "it must notice");
    }
}

#[tokio::test]
async fn a_limit_is_ours_while_a_server_takes_nothing() {
    // Its system accepts; nobody reads.
    let server = narrow_listener();
    let body = "x".repeat(100_000);
    let whole = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n{body}");
    let long = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n{body}");
    for request in [whole, long] {
        for cut in [Cut::Removal, Cut::Shutdown] {
            let (mut gateway, mut client) = under_way(server.local_addr().unwrap(), &request).await;
            let record = cut.apply(&mut gateway).await;
            assert_eq!(record.status, 502);
            assert_eq!(client.read_response().await.unwrap().status, 502);
        }
    }
}

#[tokio::test]
async fn a_second_attempt_is_limited_by_what_happened_during_the_first() {
    let timed_out = Some(Failure::BackendTimedOut);
    let drained = Some(Failure::ServerDrained);
    // The first takes two seconds; the second server's time is over by then, or ends meanwhile.
    for (drain_timeout, expected) in [(SECOND, 2 * SECOND), (3 * SECOND, 3 * SECOND)] {
        let backends = [
            Backend::start(Manners::BlackHole).await.unwrap(),
            Backend::start(Manners::BlackHole).await.unwrap(),
        ];
        let setting = BackendSetting {
            request_timeout: 2 * SECOND,
            drain_timeout,
            ..setting()
        };
        let setup = with_members_under(&[0, 1], setting.clone());
        let mut gateway = TestGateway::start(&[&backends[0], &backends[1]], setup).await;
        let mut client = gateway.client_sending(GET).await;
        assert!(backends[0].wait_for_requests(1, 5 * SECOND).await);
        let removed = Instant::now();
        gateway.apply(with_members_under(&[0], setting)).await;
        assert_eq!(client.read_response().await.unwrap().status, 502);
        let waited = removed.elapsed();
        assert!(waited < expected + SECOND * 4 / 5, "{waited:?}");
        let record = gateway.next_record().await;
        assert_eq!(record.failure, drained);
        let failures = record.attempts.map(|attempt| attempt.unwrap().failure);
        assert_eq!(failures, [timed_out, drained]);
    }
}
