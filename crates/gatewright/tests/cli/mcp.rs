//! `gatewright mcp`: what an MCP client can ask of a node and of an evidence folder.

use std::io::Write as _;
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use gatewright_testkit::backend::{Backend, Manners};
use gatewright_testkit::client::get;
use rmcp::model::ElicitationAction;
use serde_json::{Value, json};

use crate::mcp_client::{Age, Client, User, listen};
use crate::support::{Files, Node, PATIENCE, binary, free_port, gateway, run, stderr, wait_until};

const READING: [&str; 6] = ["health", "diagnose", "why", "show", "explain", "predict"];

/// A node whose only server answers its probes with 500.
struct Broken {
    node: Node,
    _files: Files,
    _backend: Backend,
}

impl Broken {
    async fn start() -> Self {
        let (node, _files, _backend) = Node::with_server(Manners::Status(500), &[]).await;
        node.wait_for_healths(&["Unhealthy"]);
        Self {
            node,
            _files,
            _backend,
        }
    }

    async fn client(&self, age: Age) -> Client {
        Client::start(&["--admin", &self.node.admin()], User::Nobody, age).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tools_are_listed_with_what_they_are_for_and_take() {
    for age in [Age::Of2025, Age::Of2026] {
        let client = Client::start(&[], User::Nobody, age).await;
        let tools = client.tools().await;
        let names: Vec<&str> = tools
            .iter()
            .map(|tool| tool["name"].as_str().unwrap())
            .collect();
        assert_eq!(names, READING, "{age:?}");
        for tool in &tools {
            assert_eq!(tool["annotations"]["readOnlyHint"], true, "{tool:#}");
            assert!(tool["description"].as_str().unwrap().len() > 80, "{tool:#}");
            let schema = &tool["inputSchema"];
            assert_eq!(schema["type"], "object", "{tool:#}");
            assert_eq!(schema["additionalProperties"], false, "{tool:#}");
            jsonschema::draft202012::meta::validate(schema).unwrap();
            for (name, property) in schema["properties"].as_object().unwrap() {
                assert!(property["description"].is_string(), "{name}: {tool:#}");
            }
        }
        let trace = &tools[2]["inputSchema"]["properties"]["trace"];
        assert_eq!(trace["maxLength"], 1024, "{trace:#}");
        client.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_is_asked_what_is_wrong() {
    let broken = Broken::start().await;
    let failed = get(broken.node.address(), "shop.test", "/a?secret=x").await;
    assert_eq!(failed.unwrap().status, 502);
    let (_server, url) = listen(&["--admin", &broken.node.admin()]);
    for age in [Age::Of2025, Age::Of2026] {
        check_node(&broken.client(age).await).await;
        check_node(&Client::connect(&url, None, User::Nobody, age).await).await;
    }
}

async fn check_node(client: &Client) {
    let diagnosis = client.call("diagnose", json!({"explain": true})).await;
    let first = &diagnosis.json["findings"][0];
    assert_eq!(first["cause"], "probe-5xx", "{diagnosis:?}");
    assert_eq!(diagnosis.json["verdict"], "root-cause");
    assert!(!diagnosis.is_error && diagnosis.text.contains("probe-5xx"));
    assert!(!diagnosis.text.contains('\u{1b}'), "{}", diagnosis.text);

    let health = client.call("health", json!({"pool": "pool"})).await;
    let servers = health
        .json
        .pointer("/backendAddressPools/0/backendHttpSettingsCollection/0/servers")
        .unwrap();
    assert_eq!(servers[0]["health"], "Unhealthy", "{health:?}");
    assert!(
        health.text.contains("the only server is not healthy"),
        "{}",
        health.text
    );

    let mut failures = client.call("why", json!({})).await;
    let deadline = Instant::now() + PATIENCE;
    while failures.json["failures"][0].is_null() {
        assert!(Instant::now() < deadline, "{failures:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
        failures = client.call("why", json!({})).await;
    }
    let trace = failures.json["failures"][0]["trace"].clone();
    assert!(failures.text.contains(trace.as_str().unwrap()));
    let story = client.call("why", json!({"trace": trace})).await;
    assert_eq!(story.json["answer"]["status"], 502, "{story:?}");
    let cause = &story.json["diagnosis"]["findings"][0]["cause"];
    assert_eq!(*cause, "probe-5xx", "{story:?}");
    assert!(story.text.contains("rule      rule") && story.text.contains("probe-5xx"));
    assert!(!story.text.contains("secret"), "{}", story.text);

    let status = client.call("show", json!({})).await;
    assert_eq!(status.json["gateways"][0]["name"], "gw", "{status:?}");
    assert!(status.text.contains("gateway gw of group rg (v2)"));
    let document = client.call("show", json!({"what": "gateway"})).await;
    assert_eq!(document.json["document"]["name"], "gw", "{document:?}");
    assert!(document.text.contains("\"backendAddressPools\": ["));
    let part = json!({"pointer": "/properties/frontendPorts/0/name"});
    let part = client.call("show", part).await;
    assert_eq!(part.json["document"], "port", "{part:?}");

    let page = client.call("explain", json!({"cause": "probe-5xx"})).await;
    assert_eq!(page.json["code"], first["code"], "{page:?}");
    assert!(page.text.contains("What mends it"), "{}", page.text);
    let all = client.call("explain", json!({})).await;
    assert!(
        all.json["causes"].as_array().unwrap().len() > 50,
        "{}",
        all.text
    );
    // What was seen of the server has no part in what is foretold.
    let foretold = client.call("predict", json!({"gateway": "gw"})).await;
    assert_eq!(foretold.json["verdict"], "healthy", "{foretold:?}");
    assert!(!foretold.is_error && foretold.text.contains("gw"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_evidence_folder_is_asked_and_no_other() {
    let mut document = gateway(80);
    document["properties"]["sslCertificates"] = json!([{
        "name": "own", "properties": {"password": "a-password"},
    }]);
    let pool = &mut document["properties"]["backendAddressPools"][0]["properties"];
    pool["backendAddresses"] = json!([]);
    let files = Files::new(&document);
    let folder = files.path("").display().to_string();
    let client = Client::start(&["--evidence", &folder], User::Nobody, Age::Of2025).await;
    let names = client.tool_names().await;
    assert_eq!(names, ["diagnose", "show", "explain", "predict"]);
    let diagnosis = client.call("diagnose", json!({})).await;
    let cause = &diagnosis.json["findings"][0]["cause"];
    assert_eq!(*cause, "empty-pool", "{diagnosis:?}");
    let shown = client.call("show", json!({})).await;
    assert_eq!(shown.json["document"]["name"], "gw", "{shown:?}");
    assert!(!format!("{shown:?}").contains("a-password"), "{shown:?}");
    let foretold = client.call("predict", json!({})).await;
    assert_eq!(foretold.json["findings"][0]["cause"], "empty-pool");
    for path in ["/etc", "../..", &folder] {
        let refused = client.call("diagnose", json!({"gateway": path})).await;
        let why = "this server answers about an evidence folder, which is of one gateway";
        assert!(
            refused.is_error && refused.text.contains(why),
            "{refused:?}"
        );
        let refused = client.call("diagnose", json!({"evidence": path})).await;
        assert!(
            refused.is_error && refused.text.contains("unknown field"),
            "{refused:?}"
        );
        let refused = client.call("show", json!({"pointer": path})).await;
        assert!(refused.is_error, "{refused:?}");
    }
    let status = client.call("show", json!({"what": "status"})).await;
    assert!(
        status.is_error && status.text.contains("asks no node"),
        "{status:?}"
    );
    let gone = run(&["mcp", "--evidence", "/no/such/folder"]);
    assert!(stderr(&gone).contains("the evidence folder /no/such/folder cannot be found"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_argument_is_refused_and_a_node_that_is_away_is_told() {
    let nobody = format!("127.0.0.1:{}", free_port());
    let client = Client::start(&["--admin", &nobody], User::Nobody, Age::Of2025).await;
    let long = "x".repeat(100_000);
    for (tool, arguments, why) in [
        ("diagnose", json!({"gateway": long}), "has 100000 bytes"),
        ("why", json!({"trace": 5}), "expected a string"),
        ("why", json!({"trace": ["x"]}), "expected a string"),
        ("diagnose", json!({"explain": "yes"}), "expected a boolean"),
        ("show", json!({"what": "/etc/passwd"}), "unknown variant"),
        ("health", json!({"path": "/etc"}), "unknown field `path`"),
        ("explain", json!({(long.clone()): 1}), "has 100000 bytes"),
        ("explain", json!({"cause": "probe-4o4"}), "close are"),
    ] {
        let told = client.call(tool, arguments).await;
        assert!(told.is_error && told.text.contains(why), "{tool}: {told:?}");
        assert!(told.text.len() < 1_000, "{tool}");
    }
    let unknown = client.try_call("exec", json!({})).await.unwrap_err();
    assert!(unknown.contains("there is no such tool; there are: health, diagnose"));
    // Not offered is not there.
    client.try_call("fix", json!({})).await.unwrap_err();
    for tool in ["health", "diagnose", "why", "show", "predict"] {
        let told = client.call(tool, json!({})).await;
        let why = format!("no node answers at {nobody}");
        assert!(
            told.is_error && told.text.contains(&why),
            "{tool}: {told:?}"
        );
    }
}

/// A server with pipes, to be treated badly.
struct Raw(Child);

impl Raw {
    fn start() -> Self {
        let mut command = binary();
        command.args(["mcp", "--log", "error"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        Self(command.stderr(Stdio::piped()).spawn().unwrap())
    }

    /// What is printed, and the exit status, once all of `input` has been read.
    fn feed(mut self, input: &[u8]) -> (String, Option<i32>) {
        let mut stdin = self.0.stdin.take().unwrap();
        let input = input.to_vec();
        // It may have ended before it has read all.
        let writer = thread::spawn(move || stdin.write_all(&input));
        let deadline = Instant::now() + PATIENCE;
        while self.0.try_wait().unwrap().is_none() {
            assert!(Instant::now() < deadline, "it goes on and on");
            thread::sleep(Duration::from_millis(10));
        }
        let _ = writer.join().unwrap();
        let mut printed = String::new();
        let mut stdout = self.0.stdout.take().unwrap();
        std::io::Read::read_to_string(&mut stdout, &mut printed).unwrap();
        (printed, self.0.wait().unwrap().code())
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

const INITIALIZE: &str = concat!(
    r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","#,
    r#""capabilities":{},"clientInfo":{"name":"t","version":"1"}}}"#,
);
const PING: &str = r#"{"jsonrpc":"2.0","id":7,"method":"ping"}"#;

#[test]
fn garbage_on_standard_input_neither_ends_nor_stops_it() {
    let long = format!("{{\"a\":\"{}\"}}", "x".repeat(2_000_000));
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let garbage = [
        "not JSON",
        "{}",
        "[]",
        "\u{0}\u{1}",
        "{\"jsonrpc\":\"2.0\"",
        &long,
        &deep,
    ];
    let garbage = garbage.join("\n");
    let input = format!("{garbage}\n{INITIALIZE}\n{garbage}\n{PING}\n");
    let (printed, code) = Raw::start().feed(input.as_bytes());
    let lines: Vec<Value> = printed
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let answer = |id: u32| lines.iter().find(|line| line["id"] == id);
    assert_eq!(
        answer(1).unwrap()["result"]["serverInfo"]["name"],
        "gatewright"
    );
    assert!(answer(7).unwrap()["result"].is_object(), "{printed}");
    assert_eq!(code, Some(0), "{printed}");
    // Nobody there at all.
    assert_eq!(Raw::start().feed(b""), (String::new(), Some(0)));
    let (_, code) = Raw::start().feed(&[0xff; 4096]);
    assert_eq!(code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn http_is_for_programs_of_this_machine_alone() {
    for address in ["0.0.0.0:0", "10.0.0.1:80", "[::]:0"] {
        let refused = stderr(&run(&["mcp", "--http", address]));
        assert!(
            refused.contains("can be reached from other machines"),
            "{refused}"
        );
    }
    let (server, url) = listen(&[]);
    let client = reqwest::Client::new();
    let post = |name: &'static str, value: &'static str| {
        let request = client.post(&url).header("Content-Type", "application/json");
        let request = request.header("Accept", "application/json, text/event-stream");
        request.header(name, value).body(INITIALIZE).send()
    };
    for (name, value, status) in [
        ("X-Any", "any", 200),
        ("Host", "localhost:1", 200),
        ("Host", "evil.test", 403),
        ("Host", "127.0.0.1.nip.io", 403),
        ("Origin", "https://evil.test", 403),
        ("Origin", "null", 403),
        ("Origin", "http://localhost:3000", 403),
    ] {
        let answer = post(name, value).await.unwrap();
        assert_eq!(answer.status(), status, "{name}: {value}");
    }
    let large = client.post(&url).header("Content-Type", "application/json");
    let large = large.header("Accept", "application/json, text/event-stream");
    let large = large.body("x".repeat(1_000_000)).send().await.unwrap();
    assert_eq!(large.status(), 413);
    assert_eq!(server.waiting_line(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_keeps_others_out() {
    let files = Files::new(&json!({}));
    let path = files.path("token");
    let token_file = path.display().to_string();
    for (content, why) in [
        ("short", "this one has 5"),
        ("has a space in the middle", "or spaces"),
    ] {
        std::fs::write(&path, content).unwrap();
        let refused = run(&["mcp", "--http", "127.0.0.1:0", "--token-file", &token_file]);
        assert!(stderr(&refused).contains(why), "{}", stderr(&refused));
    }
    let refused = run(&["mcp", "--http", "127.0.0.1:0", "--allow-writes"]);
    assert!(stderr(&refused).contains("give a token with --token-file"));
    std::fs::write(&path, "0123456789abcdef\n").unwrap();
    let (_server, url) = listen(&["--token-file", &token_file, "--allow-writes"]);
    let accepts = User::Says(ElicitationAction::Accept, None);
    for token in [None, Some("0123456789abcdeg"), Some("0123456789abcdef0")] {
        let refused = Client::try_connect(&url, token, accepts.clone(), Age::Of2025).await;
        assert!(refused.is_err(), "{token:?}");
    }
    let token = Some("0123456789abcdef");
    let client = Client::connect(&url, token, accepts, Age::Of2025).await;
    let names = client.tool_names().await;
    assert_eq!(names.last().unwrap(), "fix");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_ends_with_its_client() {
    let mut raw = Raw::start();
    drop(raw.0.stdin.take());
    wait_until("it has ended", || raw.0.try_wait().unwrap().is_some());
}
