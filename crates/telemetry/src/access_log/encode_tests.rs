use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::samples::{plain_request, refused_request};

fn named() -> Labels {
    Labels {
        resource_id: "/subscriptions/s/\"quoted\"".into(),
        listener: "https".into(),
        rule: "shop".into(),
        path_rule: String::new(),
        pool: "shop-servers".into(),
        setting: "plain".into(),
    }
}

/// The line of the record that `make` makes, under the names of [`named`].
fn line(make: impl Fn(&mut RecordBatch) -> RequestRecord) -> String {
    let registry = Arc::new(LabelRegistry::default());
    let mut batch = RecordBatch::default();
    let record = RequestRecord {
        labels: registry.intern(named()),
        ..make(&mut batch)
    };
    let mut out = Vec::new();
    AccessLogEncoder::new(registry).encode(&batch, &record, &mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn an_answered_request_gives_exactly_this_line() {
    let expected = concat!(
        r#"{"timeStamp":"2021-10-14T22:17:11+00:00","#,
        r#""resourceId":"/subscriptions/s/\"quoted\"","listenerName":"https","#,
        r#""ruleName":"shop","backendPoolName":"shop-servers","backendSettingName":"plain","#,
        r#""operationName":"ApplicationGatewayAccess","category":"ApplicationGatewayAccessLog","#,
        r#""properties":{"instanceId":"appgw_0","clientIP":"185.42.129.24","clientPort":45057,"#,
        r#""httpMethod":"GET","originalRequestUriWithArgs":"/shop/?q=a%20b","requestUri":"/","#,
        r#""requestQuery":"q=a%20b","userAgent":"curl/8.5.0","httpStatus":200,"#,
        r#""httpVersion":"HTTP/1.1","receivedBytes":184,"sentBytes":466,"#,
        r#""clientResponseTime":0.001,"timeTaken":0.034,"#,
        r#""transactionId":"592d1649f75a8d480a4dc6a975309d01","sslEnabled":"on","#,
        r#""sslCipher":"ECDHE-RSA-AES256-GCM-SHA384","sslProtocol":"TLSv1.2","#,
        r#""sslClientVerify":"NONE","serverRouted":"10.0.1.4:80","serverStatus":"200","#,
        r#""serverResponseLatency":"0.028","serverConnectTime":"0.001","#,
        r#""serverHeaderTime":"0.027","upstreamSourcePort":"21564","#,
        r#""originalHost":"shop.contoso.com","host":"10.0.1.4","#,
        r#""error_info":"ERRORINFO_NO_ERROR","contentType":"text/html","#,
        r#""connectionSerialNumber":7,"noOfConnectionRequests":2}}"#,
        "\n"
    );
    assert_eq!(line(plain_request), expected);
}

/// The manual's page.
const PAGE: &str = include_str!("../../../../docs/access-log.md");

/// The names of all members, in order, those of `properties` after its own.
fn fields(line: &Value) -> Vec<String> {
    let keys = |value: &Value| -> Vec<String> {
        let members = value.as_object().into_iter().flatten();
        members.map(|(key, _)| key.clone()).collect()
    };
    [keys(line), keys(&line["properties"])].concat()
}

#[test]
fn the_manual_shows_such_a_line_and_explains_each_of_its_fields() {
    let written: Value = serde_json::from_str(&line(plain_request)).unwrap();
    let (_, rest) = PAGE.split_once("```json\n").unwrap();
    let (sample, rest) = rest.split_once("```\n").unwrap();
    let mut shown: Value = serde_json::from_str(sample).unwrap();
    shown["resourceId"] = written["resourceId"].clone();
    assert_eq!(shown, written);
    assert_eq!(fields(&shown), fields(&written));

    let (_, rest) = rest.split_once("## Fields\n").unwrap();
    let (table, _) = rest.split_once("\n## ").unwrap();
    let rows = table.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| `")?.split(" | ");
        Some((cells.next()?.trim_end_matches('`'), cells.next()?))
    });
    let rows: Vec<(&str, &str)> = rows.collect();
    let names: Vec<&str> = rows.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, fields(&written));
    for (name, kind) in rows {
        let value = written.get(name).unwrap_or(&written["properties"][name]);
        let found = match value {
            Value::String(_) => "string",
            Value::Number(_) => "number",
            _ => "object",
        };
        assert_eq!(kind, found, "{name}");
    }
}

#[test]
fn a_refused_request_says_that_no_server_was_reached() {
    let value: Value = serde_json::from_str(&line(refused_request)).unwrap();
    let properties = &value["properties"];
    for (field, expected) in [
        ("clientIP", json!("2001:db8::7")),
        ("httpStatus", json!(502)),
        ("httpVersion", json!("HTTP/1.0")),
        ("sslEnabled", json!("off")),
        ("sslCipher", json!("")),
        ("serverRouted", json!("[2001:db8::5]:8080")),
        ("serverStatus", json!("")),
        ("serverResponseLatency", json!("0.000")),
        ("serverConnectTime", json!("")),
        ("serverHeaderTime", json!("")),
        ("upstreamSourcePort", json!("")),
        ("error_info", json!("ERRORINFO_UPSTREAM_NO_LIVE")),
    ] {
        assert_eq!(properties[field], expected, "{field}");
    }
}

#[test]
fn a_request_that_was_never_routed_has_the_same_fields() {
    let keys = |line: &str| -> Vec<String> {
        let value: Value = serde_json::from_str(line).unwrap();
        value["properties"]
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect()
    };
    let unrouted = line(|batch| RequestRecord {
        attempts: [None, None],
        ..plain_request(batch)
    });
    assert_eq!(keys(&unrouted), keys(&line(plain_request)));
}

#[test]
fn a_server_that_was_too_slow_shows_how_long_it_was_waited_for() {
    let line = line(|batch| {
        let record = plain_request(batch);
        let [first, _] = record.attempts;
        let slow = first.map(|attempt| UpstreamAttempt {
            head_micros: None,
            total_micros: 20_000_400,
            status: None,
            failure: Some(Failure::BackendTimedOut),
            ..attempt
        });
        RequestRecord {
            status: 504,
            attempts: [slow, None],
            failure: Some(Failure::BackendTimedOut),
            ..record
        }
    });
    assert!(
        line.contains(r#""serverStatus":"","serverResponseLatency":"20.000""#),
        "{line}"
    );
    assert!(
        line.contains(r#""error_info":"ERRORINFO_UPSTREAM_TIMED_OUT""#),
        "{line}"
    );
}

#[test]
fn dates_follow_the_calendar() {
    let mut clock = SecondText::default();
    for (unix_seconds, expected) in [
        (0, "1970-01-01T00:00:00"),
        (951_782_399, "2000-02-28T23:59:59"),
        (951_782_400, "2000-02-29T00:00:00"),
        (1_709_251_199, "2024-02-29T23:59:59"),
        (1_709_251_200, "2024-03-01T00:00:00"),
        (4_107_542_400, "2100-03-01T00:00:00"),
        (1_798_761_599, "2026-12-31T23:59:59"),
    ] {
        assert_eq!(clock.text(unix_seconds), expected.as_bytes());
    }
}

#[test]
fn names_are_those_of_the_records_own_labels() {
    let registry = Arc::new(LabelRegistry::default());
    let mut encoder = AccessLogEncoder::new(Arc::clone(&registry));
    let mut batch = RecordBatch::default();
    let first = registry.intern(named());
    let second = registry.intern(Labels {
        rule: "other".into(),
        ..named()
    });
    for (labels, rule) in [(second, "other"), (first, "shop"), (LabelId::NONE, "")] {
        let record = RequestRecord {
            labels,
            ..plain_request(&mut batch)
        };
        let mut out = Vec::new();
        encoder.encode(&batch, &record, &mut out);
        let value: Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(value["ruleName"], rule);
    }
}

proptest! {
    /// Whatever a client sends, a line stays one line of valid JSON.
    #[test]
    fn every_line_parses(texts in prop::collection::vec(
        prop::collection::vec(any::<u8>(), 0..60), 8
    )) {
        let line = line(|batch| {
            let mut spans = texts.iter().map(|text| batch.text(text)).collect::<Vec<_>>();
            let mut next = || spans.pop().unwrap_or_default();
            let (method, target, sent_path, query) = (next(), next(), next(), next());
            let (host, sent_host, user_agent, content_type) = (next(), next(), next(), next());
            RequestRecord {
                method, target, sent_path, query, host, sent_host, user_agent, content_type,
                ..plain_request(batch)
            }
        });
        prop_assert_eq!(line.find('\n'), Some(line.len() - 1));
        let value: Value = serde_json::from_str(&line).unwrap();
        if let Ok(text) = std::str::from_utf8(&texts[7]) {
            prop_assert_eq!(value["properties"]["httpMethod"].as_str(), Some(text));
        }
    }
}
