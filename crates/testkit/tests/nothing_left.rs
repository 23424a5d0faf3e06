//! Backends leave neither a socket nor a thread behind. A file of its own, with one test: what is
//! counted belongs to the whole process.

use gatewright_testkit::backend::{Backend, Flood, Manners, OldTls, TlsAccident, TlsManners};
use gatewright_testkit::certificates::{Leaf, client_trusting_anything};
use gatewright_testkit::client::RawClient;
use std::time::{Duration, Instant};

const SHORT: Duration = Duration::from_millis(50);
const SOON: Duration = Duration::from_secs(2);

/// The descriptors and the threads of this process, by Linux's reckoning; none elsewhere.
fn belongings() -> Option<(usize, usize)> {
    let count = |folder| Some(std::fs::read_dir(folder).ok()?.count());
    Some((count("/proc/self/fd")?, count("/proc/self/task")?))
}

fn plain() -> Vec<Manners> {
    vec![
        Manners::Echo,
        Manners::Refused,
        Manners::SynBlackHole,
        Manners::NeverReads,
        Manners::BlackHole,
        Manners::SilenceMidHead,
        Manners::SilenceMidAnswer {
            sent: 10,
            promised: Some(100),
        },
        Manners::slow(Duration::from_secs(600), Manners::Echo),
        Manners::DribbleBody {
            body: vec![b'x'; 1_000],
            step: 1,
            interval: Duration::from_secs(1),
        },
        Manners::Flood(Flood::LongBody),
        Manners::Flood(Flood::Headers),
        Manners::ResetMidHead,
    ]
}

fn tls() -> Vec<TlsManners> {
    let accidents = [
        TlsAccident::Silence,
        TlsAccident::SilenceMidHello,
        TlsAccident::OldHello(OldTls::Tls11),
        TlsAccident::CloseMidHello,
    ];
    let good = TlsManners::new(Leaf::named("h.test").self_signed());
    let failing = accidents.into_iter().map(TlsManners::failing);
    failing.chain([good]).collect()
}

/// Starts it, begins a conversation, and lets go of the backend while it goes on.
async fn meet(backend: Backend, is_tls: bool) {
    let client = RawClient::connect_within(backend.address(), SHORT).await;
    let mut clients = Vec::new();
    if let Ok(mut client) = client {
        if is_tls {
            let tls = client.tls("h.test", client_trusting_anything()).await;
            clients.extend(tls.ok());
        } else {
            let request = b"GET / HTTP/1.1\r\nHost: h.test\r\n\r\n";
            client.send(request).await.expect("there is room for it");
            let _ = client.read_to_end(SHORT / 5).await;
            clients.push(client);
        }
    }
    drop(backend);
}

#[tokio::test]
async fn no_socket_and_no_thread_outlives_its_backend() {
    let Some(before) = belongings() else {
        eprintln!("SKIPPED: there is no /proc/self to count in");
        return;
    };
    for manners in plain() {
        let backend = Backend::start(manners).await.expect("a port is free");
        meet(backend, false).await;
    }
    for tls in tls() {
        let builder = Backend::with(Manners::BlackHole).tls(tls);
        meet(builder.start().await.expect("a port is free"), true).await;
    }
    let lazy = Backend::with(Manners::Echo).requiring_proxy_line();
    let backend = lazy.start().await.expect("a port is free");
    let client = RawClient::connect(backend.address()).await;
    drop((backend, client));

    let deadline = Instant::now() + SOON;
    while belongings() != Some(before) {
        let now = belongings();
        assert!(Instant::now() < deadline, "{before:?} became {now:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
