//! The name server, asked with packets made by hand.

use gatewright_testkit::resolver::{Mood, Resolver};
use std::net::Ipv4Addr;
use std::time::Duration;
use tokio::net::UdpSocket;

const A: u16 = 1;
const AAAA: u16 = 28;

fn query(id: u16, name: &str, kind: u16) -> Vec<u8> {
    let mut packet = id.to_be_bytes().to_vec();
    packet.extend([1, 0, 0, 1, 0, 0, 0, 0, 0, 1]);
    for label in name.split('.') {
        packet.push(u8::try_from(label.len()).expect("a short label"));
        packet.extend(label.as_bytes());
    }
    packet.push(0);
    packet.extend(kind.to_be_bytes());
    packet.extend(1u16.to_be_bytes());
    // An OPT record, as modern resolvers send it.
    packet.extend([0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0]);
    packet
}

async fn ask(resolver: &Resolver, packet: &[u8]) -> Option<Vec<u8>> {
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
    socket
        .send_to(packet, resolver.address())
        .await
        .expect("it is sent");
    let mut buffer = [0u8; 1024];
    let read = tokio::time::timeout(Duration::from_millis(300), socket.recv(&mut buffer));
    let length = read.await.ok()?.ok()?;
    Some(buffer[..length].to_vec())
}

/// The response code, the TTLs and the addresses.
async fn addresses(resolver: &Resolver, name: &str, kind: u16) -> (u8, Vec<(u32, Ipv4Addr)>) {
    let sent = query(0x1234, name, kind);
    let reply = ask(resolver, &sent).await.expect("an answer");
    assert_eq!(reply[..2], [0x12, 0x34]);
    assert_eq!(reply[2] & 0x80, 0x80, "it is a response");
    let question_end = sent.len() - 11;
    assert_eq!(
        reply[12..question_end],
        sent[12..question_end],
        "the question comes back"
    );
    let records = reply[question_end..].as_chunks::<16>();
    assert!(records.1.is_empty());
    assert_eq!(
        usize::from(u16::from_be_bytes([reply[6], reply[7]])),
        records.0.len()
    );
    let read = |record: &[u8; 16]| {
        assert_eq!(record[..6], [0xc0, 12, 0, 1, 0, 1]);
        let ttl = u32::from_be_bytes([record[6], record[7], record[8], record[9]]);
        (
            ttl,
            Ipv4Addr::new(record[12], record[13], record[14], record[15]),
        )
    };
    (reply[3] & 0x0f, records.0.iter().map(read).collect())
}

#[tokio::test]
async fn the_table_is_answered_and_can_change() {
    let resolver = Resolver::start().await.expect("a socket");
    let (one, two) = (Ipv4Addr::new(127, 0, 0, 1), Ipv4Addr::new(127, 0, 0, 2));
    resolver.set("App.Test.", &[two, one], 7);
    assert_eq!(
        addresses(&resolver, "aPP.test", A).await,
        (0, vec![(7, two), (7, one)])
    );
    assert_eq!(addresses(&resolver, "app.test", AAAA).await, (0, vec![]));
    assert_eq!(addresses(&resolver, "other.test", A).await, (3, vec![]));

    resolver.set("app.test", &[one], 0);
    assert_eq!(
        addresses(&resolver, "app.test", A).await,
        (0, vec![(0, one)])
    );
    resolver.set("app.test", &[], 1);
    assert_eq!(addresses(&resolver, "app.test", A).await, (0, vec![]));
    resolver.remove("app.test");
    assert_eq!(addresses(&resolver, "app.test", A).await, (3, vec![]));
    assert_eq!(
        (resolver.queries(), resolver.queries_for("APP.test")),
        (6, 5)
    );
}

#[tokio::test]
async fn moods_of_one_name_and_of_all() {
    let resolver = Resolver::start().await.expect("a socket");
    let address = Ipv4Addr::LOCALHOST;
    for name in ["a.test", "b.test"] {
        resolver.set(name, &[address], 5);
    }
    let failures = [
        (Mood::ServerFailure, 2),
        (Mood::NoSuchName, 3),
        (Mood::Refusing, 5),
    ];
    for (mood, code) in failures {
        resolver.set_mood_of("a.test", mood);
        assert_eq!(
            addresses(&resolver, "a.test", A).await,
            (code, vec![]),
            "{mood:?}"
        );
        assert_eq!(addresses(&resolver, "b.test", A).await.0, 0);
        resolver.set_mood(mood);
        assert_eq!(
            addresses(&resolver, "b.test", A).await,
            (code, vec![]),
            "{mood:?}"
        );
        resolver.set_mood(Mood::Answering);
    }
    resolver.set_mood_of("a.test", Mood::Answering);
    assert_eq!(
        addresses(&resolver, "a.test", A).await,
        (0, vec![(5, address)])
    );
}

#[tokio::test]
async fn silence_garbage_truncation_and_a_wrong_id() {
    let resolver = Resolver::start().await.expect("a socket");
    resolver.set("a.test", &[Ipv4Addr::LOCALHOST], 5);
    let packet = query(0x1234, "a.test", A);
    resolver.set_mood(Mood::Silent);
    assert_eq!(ask(&resolver, &packet).await, None);
    assert_eq!(resolver.queries(), 1, "a query without an answer counts");
    resolver.set_mood(Mood::Garbage);
    assert!(
        ask(&resolver, &packet)
            .await
            .expect("bytes")
            .starts_with(b"this is not")
    );
    resolver.set_mood(Mood::Truncating);
    let reply = ask(&resolver, &packet).await.expect("an answer");
    assert_eq!((reply[2] & 0x02, reply[7]), (0x02, 0));
    resolver.set_mood(Mood::WrongId);
    assert_ne!(
        ask(&resolver, &packet).await.expect("an answer")[..2],
        packet[..2]
    );
}

#[tokio::test]
async fn what_is_no_query_is_passed_over() {
    let resolver = Resolver::start().await.expect("a socket");
    let good = query(1, "a.test", A);
    let mut response = good.clone();
    response[2] |= 0x80;
    let mut pointing = good.clone();
    pointing[12..14].copy_from_slice(&[0xc0, 12]);
    let mut long = good[..12].to_vec();
    for _ in 0..5 {
        long.push(63);
        long.extend([b'a'; 63]);
    }
    long.extend([0, 0, 1, 0, 1]);
    for packet in [
        &good[..11],
        &good[..15],
        &response[..],
        &pointing[..],
        &long[..],
    ] {
        assert_eq!(ask(&resolver, packet).await, None, "{packet:?}");
    }
    assert_eq!(resolver.queries(), 0);
    assert!(ask(&resolver, &good).await.is_some(), "it is still there");
}

#[tokio::test]
async fn a_full_answer_fits_into_a_message() {
    let resolver = Resolver::start().await.expect("a socket");
    let label = "a".repeat(61);
    let name = [label.as_str(); 4].join(".");
    let most: Vec<_> = (1..=15)
        .map(|last| Ipv4Addr::new(127, 0, 0, last))
        .collect();
    resolver.set(&name, &most, 1);
    let reply = ask(&resolver, &query(1, &name, A))
        .await
        .expect("an answer");
    assert_eq!(reply[7], 15);
    assert!(reply.len() <= 512, "{}", reply.len());
}
