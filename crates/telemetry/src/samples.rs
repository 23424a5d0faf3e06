//! Records for tests.

use std::net::SocketAddr;

use crate::{
    Failure, HttpVersion, LabelId, RecordBatch, RequestRecord, TextSpan, TlsSession, TraceId,
    UpstreamAttempt,
};

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// An answered GET over TLS.
pub(crate) fn plain_request(batch: &mut RecordBatch) -> RequestRecord {
    RequestRecord {
        started_unix_micros: 1_634_249_831_123_456,
        trace: TraceId(*b"Y-\x16I\xf7Z\x8dH\x0aM\xc6\xa9u0\x9d\x01"),
        labels: LabelId::NONE,
        client: address("185.42.129.24:45057"),
        connection: 7,
        connection_request: 2,
        tls: Some(TlsSession {
            protocol: "TLSv1.2",
            cipher: "ECDHE-RSA-AES256-GCM-SHA384",
        }),
        version: HttpVersion::Http11,
        method: batch.text(b"GET"),
        target: batch.text(b"/shop/?q=a%20b"),
        sent_path: batch.text(b"/"),
        query: batch.text(b"q=a%20b"),
        host: batch.text(b"shop.contoso.com"),
        sent_host: batch.text(b"10.0.1.4"),
        user_agent: batch.text(b"curl/8.5.0"),
        content_type: batch.text(b"text/html"),
        status: 200,
        received_bytes: 184,
        sent_bytes: 466,
        total_micros: 34_400,
        answer_micros: 1_000,
        attempts: [
            Some(UpstreamAttempt {
                server: address("10.0.1.4:80"),
                source_port: 21_564,
                reused: false,
                connect_micros: 600,
                head_micros: Some(27_000),
                total_micros: 28_100,
                status: Some(200),
                failure: None,
            }),
            None,
        ],
        failure: None,
    }
}

/// A GET whose servers both refused the connection, from a client with an IPv6 address.
pub(crate) fn refused_request(batch: &mut RecordBatch) -> RequestRecord {
    let refused = |server: &str| UpstreamAttempt {
        server: address(server),
        source_port: 0,
        reused: false,
        connect_micros: 300,
        head_micros: None,
        total_micros: 300,
        status: None,
        failure: Some(Failure::ConnectRefused),
    };
    RequestRecord {
        client: address("[2001:db8::7]:40000"),
        tls: None,
        version: HttpVersion::Http10,
        content_type: TextSpan::default(),
        status: 502,
        attempts: [
            Some(refused("10.0.1.4:80")),
            Some(refused("[2001:db8::5]:8080")),
        ],
        failure: Some(Failure::ConnectRefused),
        ..plain_request(batch)
    }
}
