//! How long the access log takes per line: `cargo run --release --example encode_speed`.

use std::hint::black_box;
use std::io::Write;
use std::sync::Arc;
use std::time::Instant;

use gatewright_telemetry::{
    AccessLogEncoder, HttpVersion, LabelRegistry, Labels, RecordBatch, RequestRecord, TraceId,
    UpstreamAttempt,
};

const ROUNDS: u32 = 20_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let registry = Arc::new(LabelRegistry::default());
    let batch = batch(&registry)?;
    let mut encoder = AccessLogEncoder::new(registry);
    let mut out = Vec::with_capacity(1024 * 1024);
    let mut best = f64::MAX;
    for _ in 0..5 {
        let start = Instant::now();
        for _ in 0..ROUNDS {
            out.clear();
            for record in black_box(&batch).records() {
                encoder.encode(&batch, record, &mut out);
            }
            black_box(&out);
        }
        let records = f64::from(ROUNDS) * batch.records().len() as f64;
        best = best.min(start.elapsed().as_nanos() as f64 / records);
    }
    let bytes = out.len() / batch.records().len();
    writeln!(std::io::stdout(), "{best:.0} ns per line of {bytes} bytes")?;
    Ok(())
}

fn batch(registry: &LabelRegistry) -> Result<RecordBatch, std::net::AddrParseError> {
    let labels = registry.intern(Labels {
        resource_id: "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg\
            /providers/Microsoft.Network/applicationGateways/contoso"
            .into(),
        listener: "listener-http".into(),
        rule: "rule-shop".into(),
        path_rule: String::new(),
        pool: "pool-shop".into(),
        setting: "setting-http".into(),
    });
    let mut batch = RecordBatch::default();
    for number in 0..64 {
        let record = RequestRecord {
            started_unix_micros: 1_634_249_831_123_456 + number * 15_000,
            trace: TraceId([number as u8; 16]),
            labels,
            client: "185.42.129.24:45057".parse()?,
            connection: 4_711,
            connection_request: number as u32 + 1,
            tls: None,
            version: HttpVersion::Http11,
            method: batch.text(b"GET"),
            target: batch.text(b"/shop/items/4711?colour=green&size=xl"),
            sent_path: batch.text(b"/shop/items/4711"),
            query: batch.text(b"colour=green&size=xl"),
            host: batch.text(b"shop.contoso.com"),
            sent_host: batch.text(b"shop.contoso.com"),
            user_agent: batch
                .text(b"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"),
            content_type: batch.text(b"text/html; charset=utf-8"),
            status: 200,
            received_bytes: 384,
            sent_bytes: 1_466,
            total_micros: 3_440,
            answer_micros: 1_000,
            attempts: [
                Some(UpstreamAttempt {
                    server: "10.0.1.4:8080".parse()?,
                    source_port: 21_564,
                    reused: true,
                    connect_micros: 0,
                    head_micros: Some(2_700),
                    total_micros: 2_810,
                    status: Some(200),
                    failure: None,
                }),
                None,
            ],
            failure: None,
        };
        batch.push(record);
    }
    Ok(batch)
}
