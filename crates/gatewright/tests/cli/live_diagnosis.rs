//! `gatewright diagnose` and `gatewright why` on a running node.

use std::time::Duration;

use gatewright_testkit::backend::Manners;
use gatewright_testkit::client::get;
use serde_json::Value;

use crate::support::{Node, Process, free_port, json_of, run, spoil, stderr, stdout, wait_until};

/// Each site of the demo that fails, with the cause that a request to it is told; none where what a
/// node sees does not decide.
const SITES: [(&str, Option<&str>); 20] = [
    ("late", Some("request-timeout")),
    ("closing", Some("broken-answer")),
    ("babbling", Some("broken-answer")),
    ("refused", Some("not-listening")),
    ("black-hole", None),
    ("only-tls-1.1", Some("tls-version-or-cipher-mismatch")),
    ("wrong-name", Some("cn-san-mismatch")),
    ("expired", Some("expired")),
    ("missing-intermediate", Some("incomplete-chain")),
    ("private-authority", Some("root-mismatch")),
    ("self-signed", Some("self-signed")),
    ("out-of-order", Some("chain-order")),
    ("slow", Some("probe-timeout-too-short")),
    ("silent", Some("probe-timeout-too-short")),
    ("garbage", Some("broken-answer")),
    ("reset-mid-answer", Some("broken-answer")),
    ("not-found", Some("probe-404")),
    ("unauthorized", Some("probe-401")),
    ("server-error", Some("probe-5xx")),
    ("wrong-body", Some("body-mismatch")),
];

fn ask(admin: &str, command: &[&str]) -> Value {
    json_of(&run(&[command, &["-o", "json", "--admin", admin]].concat()))
}

/// The trace of the last request for a path that failed.
fn trace_of(admin: &str, path: &str) -> String {
    let mut trace = None;
    wait_until(&format!("a request for {path} is kept"), || {
        let failures = ask(admin, &["why"]);
        let mut failures = failures.as_array().unwrap().iter();
        let own = failures.find(|one| one["request"]["path"] == path);
        trace = own.map(|one| one["trace"].as_str().unwrap().to_owned());
        trace.is_some()
    });
    trace.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_to_each_site_of_the_demo_is_told_its_cause() {
    let port = free_port().to_string();
    let demo = Process::start(&["demo", "--port", &port, "--admin", "127.0.0.1:0"]);
    let ready = demo.next_line();
    let admin = ready.rsplit_once("http://").unwrap().1.to_owned();
    let first = ready.split("http://").nth(1).unwrap();
    let address = first.split(' ').next().unwrap().parse().unwrap();
    let has_settled = || {
        let health = run(&["health", "--admin", &admin]);
        stdout(&health).contains("17 of 27 servers are not healthy")
    };
    wait_until("probes have found everything", has_settled);
    for (site, expected) in SITES {
        let path = format!("/{site}/");
        get(address, "a.test", &path).await.unwrap();
        let story = ask(&admin, &["why", &trace_of(&admin, &path)]);
        let first = &story["diagnosis"]["findings"][0];
        assert_eq!(first["cause"].as_str(), expected, "{site}: {story:#}");
        assert_eq!(story["route"]["path_rule"], site, "{story:#}");
    }
    // All at once: one is the root cause, the others are told too.
    let verdict = ask(&admin, &["diagnose"]);
    assert_eq!(verdict["verdict"], "root-cause");
    let findings = verdict["findings"].as_array().unwrap();
    // Whether slowness is a cause of its own is not asked where servers cannot be reached.
    let others = SITES
        .iter()
        .filter(|(_, cause)| *cause != Some("probe-timeout-too-short"));
    for (site, expected) in others {
        let has = |cause: &str| findings.iter().any(|one| one["cause"] == cause);
        assert!(expected.is_none_or(has), "{site}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_well_is_healthy_and_a_request_that_went_well_has_a_story() {
    let (node, _files, _backend) = Node::with_server(Manners::text("hello"), &[]).await;
    node.wait_for_healths(&["Healthy"]);
    let answer = get(node.address(), "a.test", "/a?secret=x").await.unwrap();
    assert_eq!(answer.status, 200);
    let output = run(&["diagnose", "--admin", &node.admin()]);
    assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
    let none = run(&["why", "--admin", &node.admin()]);
    assert_eq!(stdout(&none), "No request has failed.\n");
    // Its trace stands in the evidence, which has no query.
    let admin = node.admin();
    let mut evidence = Value::Null;
    let address = admin.parse().unwrap();
    for _ in 0..500 {
        let answer = get(address, "localhost", "/evidence").await.unwrap();
        evidence = serde_json::from_slice(&answer.body).unwrap();
        if !evidence["access-logs.json"].as_array().unwrap().is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(!evidence.to_string().contains("secret"), "{evidence:#}");
    let row = &evidence["access-logs.json"][0]["properties"];
    let story = ask(&admin, &["why", row["transactionId"].as_str().unwrap()]);
    assert_eq!(story["answer"]["status"], 200);
    assert_eq!(story["attempts"][0]["server"], "10.9.8.7:80");
    assert_eq!(story["attempts"][0]["probes"][0]["healthy"], true);
    assert_eq!(story["diagnosis"], Value::Null);
    let told = run(&[
        "why",
        row["transactionId"].as_str().unwrap(),
        "--admin",
        &admin,
    ]);
    let told = stdout(&told);
    assert!(
        told.starts_with("GET ") && told.contains("/a from 127.0.0.1:"),
        "{told}"
    );
    assert!(
        told.contains("  rule      rule\n  pool      pool, setting setting\n"),
        "{told}"
    );
    assert!(
        told.contains("attempt 1 10.9.8.7:80, connected in "),
        "{told}"
    );
    assert!(told.contains("its probes: healthy, the last "), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_request_or_gateway_is_is_refused_with_the_way_out() {
    let (node, _files, _backend) = Node::with_server(Manners::text("hello"), &[]).await;
    let admin = node.admin();
    let refused = |arguments: &[&str], status: i32, why: &str| {
        let output = run(arguments);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(status), "{said}");
        assert!(said.contains(why), "{said}");
    };
    let why = |trace: &str, expected: &str| {
        refused(&["why", trace, "--admin", &admin], 1, expected);
    };
    why("xyz", "a trace id is 32 hexadecimal digits");
    why(&"0".repeat(32), "is not kept: the last 2,048 that failed");
    // 1 would say that a cause was found.
    let other = ["diagnose", "--gateway", "other & more", "--admin", &admin];
    let there_are = "serves no gateway of that name; there are: /subscriptions";
    refused(&other, 69, there_are);
    let nobody = format!("127.0.0.1:{}", free_port());
    refused(&["diagnose", "--admin", &nobody], 69, "no node answers at ");
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_from_before_a_change_do_not_count() {
    let (node, files, backend) = Node::with_server(Manners::Status(500), &[]).await;
    node.wait_for_healths(&["Unhealthy"]);
    assert_eq!(
        get(node.address(), "a.test", "/").await.unwrap().status,
        502
    );
    trace_of(&node.admin(), "/");
    assert_eq!(node.diagnosed()["cause"], "probe-5xx");
    backend.set_manners(Manners::text("well")).await.unwrap();
    node.wait_for_healths(&["Healthy"]);
    let is_healthy = || run(&["diagnose", "--admin", &node.admin()]).status.code() == Some(0);
    // The failures of before are evidence for a while: the server was down, and it is not said why.
    assert!(!is_healthy());
    let text = std::fs::read_to_string(files.path("gateway.json")).unwrap();
    let mut document: Value = serde_json::from_str(&text).unwrap();
    let setting = &mut document["properties"]["backendHttpSettingsCollection"][0];
    setting["properties"]["requestTimeout"] = 30.into();
    files.write(&document);
    assert!(node.reload().status.success());
    wait_until("what failed before the change does not count", is_healthy);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_were_refused_are_told_of() {
    let (node, files, _backend) = Node::with_server(Manners::text("hello"), &["--no-watch"]).await;
    node.wait_for_healths(&["Healthy"]);
    let text = std::fs::read_to_string(files.path("gateway.json")).unwrap();
    let mut document: Value = serde_json::from_str(&text).unwrap();
    spoil(&mut document);
    files.write(&document);
    assert!(!node.reload().status.success());
    let first = node.diagnosed();
    assert_eq!(first["category"], "G", "{first:#}");
    let said = first["because"].to_string();
    assert!(
        said.contains("The files were not taken when they changed"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_for_a_failure_says_so_where_that_is_wanted() {
    let (node, _files, backend) =
        Node::with_server(Manners::text("hello"), &["--proxy-status"]).await;
    node.wait_for_healths(&["Healthy"]);
    let address = node.address();
    let told = |answer: gatewright_testkit::client::Response| {
        let told = answer.header("Proxy-Status").map(str::to_owned);
        (answer.status, told)
    };
    let well = get(address, "a.test", "/").await.unwrap();
    assert_eq!(told(well), (200, None));
    backend.set_manners(Manners::Garbage).await.unwrap();
    let (status, said) = told(get(address, "a.test", "/x").await.unwrap());
    assert_eq!(status, 502);
    let said = said.unwrap();
    let expected = "gatewright; error=http_protocol_error; next-hop=\"10.9.8.7:80\"; \
                    details=\"the server's answer is not valid HTTP/1.1\"; trace=\"";
    let trace = said
        .strip_prefix(expected)
        .unwrap_or_else(|| panic!("{said}"));
    let trace = trace.strip_suffix('"').unwrap();
    assert_eq!(trace, trace_of(&node.admin(), "/x"));
    let story = ask(&node.admin(), &["why", trace]);
    assert_eq!(story["diagnosis"]["findings"][0]["cause"], "broken-answer");
    // Nobody is told unasked.
    let (node, _files, _backend) = Node::with_server(Manners::Garbage, &[]).await;
    let answer = get(node.address(), "a.test", "/x").await.unwrap();
    assert_eq!(told(answer), (502, None));
}
