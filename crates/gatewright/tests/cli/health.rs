//! `gatewright health`, as a user runs it.

use std::process::Command;
use std::thread;
use std::time::Duration;

use gatewright_testkit::backend::{Backend, Manners};
use gatewright_testkit::client::get;
use serde_json::{Value, json};

use crate::support::{
    Files, ID, Node, Process, free_port, gateway, probe_often, run, set_servers, stderr, stdout,
    wait_until,
};

const STATUS_MISMATCH: &str = "Status code of the backend's HTTP response did not match the probe \
    setting. Expected:200-399 Received:503.";

/// Longer than `--watch` waits between two looks, twice.
const TWO_LOOKS: Duration = Duration::from_millis(2_500);

/// A node with two servers, of which the second answers 503, and a pool that no rule leads to.
struct TwoServers {
    node: Node,
    backends: [Backend; 2],
    _files: Files,
}

impl TwoServers {
    async fn start() -> Self {
        let backends = [
            Backend::start(Manners::text("hello")).await.unwrap(),
            Backend::start(Manners::Status(503)).await.unwrap(),
        ];
        let mut document = gateway(free_port());
        probe_often(&mut document, json!({}));
        set_servers(&mut document, &["10.9.8.7", "10.9.8.8"]);
        let pools = document["properties"]["backendAddressPools"].as_array_mut();
        pools
            .unwrap()
            .push(json!({ "name": "spare", "properties": { "backendAddresses": [] } }));
        let files = Files::new(&document);
        let maps = [0, 1].map(|n| format!("10.9.8.{}:80={}", 7 + n, backends[n].address()));
        let node = Node::serve(&files, &["--map", &maps[0], "--map", &maps[1]]);
        node.wait_for_healths(&["Healthy", "Unhealthy"]);
        Self {
            node,
            backends,
            _files: files,
        }
    }
}

/// What az prints for [`TwoServers`].
fn as_az_prints() -> Value {
    let reference = |part: &str| json!({ "id": format!("{ID}/{part}"), "resourceGroup": "rg" });
    json!({
        "backendAddressPools": [
            {
                "backendAddressPool": reference("backendAddressPools/pool"),
                "backendHttpSettingsCollection": [{
                    "backendHttpSettings": reference("backendHttpSettingsCollection/setting"),
                    "servers": [
                        {
                            "address": "10.9.8.7",
                            "health": "Healthy",
                            "healthProbeLog": "Success. Received 200 status code",
                            "ipConfiguration": null,
                        },
                        {
                            "address": "10.9.8.8",
                            "health": "Unhealthy",
                            "healthProbeLog": STATUS_MISMATCH,
                            "ipConfiguration": null,
                        },
                    ],
                }],
            },
            {
                "backendAddressPool": reference("backendAddressPools/spare"),
                "backendHttpSettingsCollection": [],
            },
        ],
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn json_is_exactly_what_az_prints() {
    let two = TwoServers::start().await;
    let output = two.node.health(&["-o", "json"]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report, as_az_prints());
    two.backends[1]
        .set_manners(Manners::Status(204))
        .await
        .unwrap();
    two.node.wait_for_healths(&["Healthy", "Healthy"]);
    let output = two.node.health(&["-o", "json"]);
    assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
}

#[tokio::test(flavor = "multi_thread")]
async fn yaml_says_the_same() {
    let two = TwoServers::start().await;
    let output = two.node.health(&["-o", "yaml"]);
    assert_eq!(output.status.code(), Some(1));
    let text = stdout(&output);
    let expected = format!(
        "\
backendAddressPools:
- backendAddressPool:
    id: {ID}/backendAddressPools/pool
    resourceGroup: rg
  backendHttpSettingsCollection:
  - backendHttpSettings:
      id: {ID}/backendHttpSettingsCollection/setting
      resourceGroup: rg
    servers:
    - address: \"10.9.8.7\"
      health: Healthy
      healthProbeLog: \"Success. Received 200 status code\"
      ipConfiguration: null
    - address: \"10.9.8.8\"
      health: Unhealthy
      healthProbeLog: \"{STATUS_MISMATCH}\"
      ipConfiguration: null
- backendAddressPool:
    id: {ID}/backendAddressPools/spare
    resourceGroup: rg
  backendHttpSettingsCollection: []
"
    );
    assert_eq!(text, expected);
    match parsed_by_python(&text) {
        Some(report) => assert_eq!(report, as_az_prints()),
        None => skipped("no python3 with yaml is here to parse the YAML"),
    }
}

#[expect(
    clippy::print_stderr,
    reason = "a part of a test that is skipped says so"
)]
fn skipped(why: &str) {
    eprintln!("skipped: {why}");
}

/// What another reader of YAML makes of a document; `None` where there is none.
fn parsed_by_python(text: &str) -> Option<Value> {
    const PROGRAM: &str = "import json, sys, yaml; print(json.dumps(yaml.safe_load(sys.argv[1])))";
    let output = Command::new("python3").args(["-c", PROGRAM, text]).output();
    let output = output.ok().filter(|output| output.status.success())?;
    serde_json::from_slice(&output.stdout).ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_table_says_what_was_seen_and_what_mends_it() {
    let two = TwoServers::start().await;
    let output = two.node.health(&[]);
    assert_eq!(output.status.code(), Some(1));
    let text = stdout(&output);
    let lines: Vec<&str> = text.lines().collect();
    let row = |n: usize| -> Vec<&str> {
        let cells = lines[n].split("  ").map(str::trim);
        cells.filter(|cell| !cell.is_empty()).take(5).collect()
    };
    assert_eq!(row(0), ["POOL", "SETTING", "SERVER", "HEALTH", "LAST"]);
    assert_eq!(row(1), ["pool", "setting", "10.9.8.7:80", "Healthy", "200"]);
    assert_eq!(
        row(2),
        ["pool", "setting", "10.9.8.8:80", "Unhealthy", "503"]
    );
    assert_eq!(lines[3], format!("    {STATUS_MISMATCH}"));
    assert_eq!(lines[4], "    seen: the answer's status is 503");
    let mapped = format!("    reached at {}, by a mapping", two.backends[1].address());
    assert_eq!(lines[5], mapped);
    assert!(lines[6].starts_with("    to do: Probe a path"), "{text}");
    let last: Vec<&str> = lines.iter().rev().take(2).copied().collect();
    assert_eq!(last, ["1 of 2 servers is not healthy", ""]);
    assert!(text.contains("(no rule leads here)"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_several_gateways_is_shown_by_its_name() {
    let (good, bad) = (Manners::text("hello"), Manners::Status(503));
    let good = Backend::start(good).await.unwrap();
    let bad = Backend::start(bad).await.unwrap();
    let files = Files::new(&gateway(free_port()));
    let mut other = gateway(free_port());
    other["name"] = "other".into();
    set_servers(&mut other, &["10.9.8.8"]);
    let text = other.to_string();
    let text = text.replace("applicationGateways/gw", "applicationGateways/other");
    files.write_as("other.json", &serde_json::from_str(&text).unwrap());
    let node = Node::serve(
        &files,
        &[
            "--gateway",
            &files.path("other.json").display().to_string(),
            "--map",
            &format!("10.9.8.7={}", good.address()),
            "--map",
            &format!("10.9.8.8={}", bad.address()),
        ],
    );
    node.wait_for_healths(&["Healthy", "Unhealthy"]);
    let all = stdout(&node.health(&[]));
    assert!(
        all.contains("\ngw/pool ") && all.contains("\nother/pool "),
        "{all}"
    );
    let output = node.health(&["--gateway", "GW"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = stdout(&output);
    assert!(
        text.contains("10.9.8.7:80") && !text.contains("10.9.8.8"),
        "{text}"
    );
    assert!(text.ends_with("\nthe only server is healthy\n"), "{text}");
    let output = node.health(&["--gateway", "other"]);
    assert_eq!(output.status.code(), Some(1));
    let output = node.health(&["--gateway", "third"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(stdout(&output), "");
    let text = stderr(&output);
    let expected = "error: the node serves no gateway 'third' with a backend pool; `gatewright \
                    status` lists its gateways\n";
    assert_eq!(text, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn watch_tells_every_change_once() {
    let two = TwoServers::start().await;
    let admin = two.node.admin();
    let mut watch = Process::start(&["health", "--watch", "--admin", &admin]);
    let summary = || loop {
        let line = watch.next_line();
        if line.ends_with("healthy") {
            return line;
        }
    };
    assert_eq!(summary(), "1 of 2 servers is not healthy");
    // Nothing changes meanwhile but the spans, and nothing is to be told.
    thread::sleep(TWO_LOOKS);
    assert_eq!(watch.waiting_line(), None);
    two.backends[0].set_manners(Manners::Refused).await.unwrap();
    wait_until("both are told to be down", || {
        summary() == "2 of 2 servers are not healthy"
    });
    for backend in &two.backends {
        backend.set_manners(Manners::text("hello")).await.unwrap();
    }
    wait_until("both are told to be well", || {
        summary() == "all 2 servers are healthy"
    });
    drop(two);
    assert_eq!(watch.wait().code(), Some(1));
    wait_until("the node's end is told", || {
        watch.stderr().contains("no node answers")
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn now_probes_at_once_and_changes_nothing() {
    let backend = Backend::start(Manners::Status(503)).await.unwrap();
    let mut document = gateway(free_port());
    // Nothing but the first probe comes by itself.
    probe_often(&mut document, json!({ "interval": 86_400 }));
    let files = Files::new(&document);
    let map = format!("10.9.8.7:80={}", backend.address());
    let node = Node::serve(&files, &["--map", &map]);
    node.wait_for_healths(&["Unhealthy"]);
    backend.set_manners(Manners::text("hello")).await.unwrap();
    let before = backend.request_count();
    let output = node.health(&["--now"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = stdout(&output);
    assert!(text.ends_with("\nthe only server is healthy\n"), "{text}");
    assert_eq!(backend.request_count(), before + 1, "one probe");
    assert_eq!(node.healths(), ["Unhealthy"], "traffic still passes it by");
    let answer = get(node.address(), "shop.test", "/").await.unwrap();
    assert_eq!(answer.status, 502);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_or_a_setting_is_shown_by_its_name() {
    let two = TwoServers::start().await;
    let told = |more: &[&str]| {
        let output = two.node.health(more);
        (output.status.code(), stdout(&output) + &stderr(&output))
    };
    let (code, text) = told(&["--pool", "SPARE"]);
    assert_eq!(code, Some(0));
    assert!(text.contains("spare") && !text.contains("10.9.8"), "{text}");
    let (code, text) = told(&["--setting", "setting", "--pool", "pool"]);
    assert_eq!(code, Some(1));
    assert!(
        text.contains("10.9.8.8") && !text.contains("spare"),
        "{text}"
    );
    for more in [["--pool", "other"], ["--setting", "other"]] {
        let expected = "error: no pool under a setting has these names; `gatewright health` lists \
                        them\n";
        assert_eq!(told(&more), (Some(1), expected.to_owned()));
    }
}

#[test]
fn a_node_that_does_not_run_is_told_with_the_ways_out() {
    let admin = format!("127.0.0.1:{}", free_port());
    for format in ["table", "json", "yaml"] {
        let output = run(&["health", "--admin", &admin, "-o", format]);
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(stdout(&output), "");
        let text = stderr(&output);
        let expected = format!("error: no node answers at {admin} (");
        assert!(text.starts_with(&expected), "{text}");
        assert!(
            text.contains("`gatewright serve`") && text.contains("--admin"),
            "{text}"
        );
    }
}
