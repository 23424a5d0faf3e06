//! Health events and insights: into a file, and to a URL.

use std::path::Path;
use std::time::Duration;

use gatewright_testkit::backend::{Backend, Manners};
use serde_json::{Value, json};

use crate::support::{
    Files, ID, Node, free_port, gateway, json_lines, probe_often, set_servers, spoil, stderr,
    wait_until,
};

/// For retries, of which the second comes six seconds after the first attempt.
const RETRIES: Duration = Duration::from_secs(60);

struct Watched {
    node: Node,
    backend: Backend,
    files: Files,
    document: Value,
}

impl Watched {
    /// A node with one server, which is well, and probed every second.
    async fn start(more: &[&str]) -> Self {
        let backend = Backend::start(Manners::text("hello")).await.unwrap();
        let mut document = gateway(free_port());
        probe_often(&mut document, json!({}));
        let files = Files::new(&document);
        let events = files.path("events.jsonl").display().to_string();
        let map = format!("10.9.8.7:80={}", backend.address());
        let arguments = ["--map", &map, "--no-watch", "--health-events", &events];
        let node = Node::serve(&files, &[&arguments[..], more].concat());
        node.wait_for_healths(&["Healthy"]);
        Self {
            node,
            backend,
            files,
            document,
        }
    }

    fn events(&self) -> Vec<Value> {
        json_lines(&self.files.path("events.jsonl"))
    }

    async fn turn(&self, manners: Manners, health: &str) {
        self.backend.set_manners(manners).await.unwrap();
        self.node.wait_for_healths(&[health]);
    }

    fn reload(&self, document: &Value, succeeds: bool) {
        self.files.write(document);
        let output = self.node.reload();
        assert_eq!(output.status.success(), succeeds, "{}", stderr(&output));
    }
}

/// What each line is about, in few words.
fn told(events: &[Value]) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let line = |event: &Value| match event["event"].as_str() {
        Some("health") => format!("{} to {}", text(&event["from"]), text(&event["to"])),
        Some("insight") => format!(
            "{} {}",
            text(&event["state"]),
            text(&event["insight"]["HealthStatus"])
        ),
        _ => panic!("{event}"),
    };
    events.iter().map(line).collect()
}

fn wait_for_lines(path: &Path, count: usize) -> Vec<Value> {
    wait_until(&format!("{count} events are written"), || {
        json_lines(path).len() >= count
    });
    json_lines(path)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_goes_down_and_heals_is_told_line_by_line() {
    let watched = Watched::start(&[]).await;
    watched.turn(Manners::Status(500), "Unhealthy").await;
    wait_until("the insight stands", || {
        watched.node.status()["insights"].as_array().unwrap().len() == 1
    });
    watched.turn(Manners::text("hello"), "Healthy").await;
    let events = wait_for_lines(&watched.files.path("events.jsonl"), 5);
    let expected = [
        "Unknown to Healthy",
        "Healthy to Unhealthy",
        "raised Unhealthy",
        "Unhealthy to Healthy",
        "cleared Unhealthy",
    ];
    assert_eq!(told(&events), expected);

    let mut down = events[1].clone();
    let time = down["time"].take();
    assert!(
        time.as_str().is_some_and(|time| time.ends_with('Z')),
        "{time}"
    );
    let sentence = "Status code of the backend's HTTP response did not match the probe setting. \
                    Expected:200-399 Received:500.";
    let expected = json!({
        "time": null,
        "event": "health",
        "gateway": "gw",
        "gatewayId": ID,
        "server": "10.9.8.7",
        "address": "10.9.8.7:80",
        "pools": ["pool"],
        "setting": "setting",
        "from": "Healthy",
        "to": "Unhealthy",
        "message": sentence,
        "code": "status-mismatch",
        "detail": "the answer's status is 500",
        "consecutive": { "result": "failure", "count": 2 },
    });
    assert_eq!(down, expected);
    let expected = json!({
        "GatewayName": "gw",
        "CurrentTime": time,
        "BackendServerAddress": "10.9.8.7",
        "HealthStatus": "Unhealthy",
        "ErrorDetails": sentence,
    });
    assert_eq!(events[2]["insight"], expected);
    assert_eq!(
        events[4]["insight"], expected,
        "what is cleared is what was raised"
    );
    wait_until("no insight stands", || {
        watched.node.status()["insights"] == json!([])
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_objects_are_posted_in_order_and_again_until_they_are_taken() {
    let hook = Backend::start(Manners::Refused).await.unwrap();
    let url = format!("http://{}/health?key=1", hook.address());
    let watched = Watched::start(&["--notify-url", &url]).await;
    // The first event was posted to nobody; its second attempt will meet a server in trouble.
    let taken = Manners::Status(204);
    let troubled = Manners::Sequence(vec![Manners::Status(503), taken]);
    hook.set_manners(troubled).await.unwrap();
    watched.turn(Manners::Status(500), "Unhealthy").await;
    watched.turn(Manners::text("hello"), "Healthy").await;
    wait_until("all is written", || watched.events().len() == 5);
    assert!(
        hook.wait_for_requests(6, RETRIES).await,
        "{:#?}",
        hook.requests()
    );
    let requests = hook.requests();
    let bodies: Vec<Value> = requests
        .iter()
        .map(|one| serde_json::from_slice(&one.body).unwrap())
        .collect();
    assert_eq!(bodies[0], bodies[1], "what was not taken comes again");
    assert_eq!(bodies[1..], watched.events());
    for request in &requests {
        let line = (request.method.as_str(), request.target.as_str());
        assert_eq!(line, ("POST", "/health?key=1"));
        assert_eq!(request.header("content-type"), Some("application/json"));
    }
}

#[test]
fn a_url_that_is_none_and_a_file_that_cannot_be_are_told() {
    let files = Files::new(&gateway(free_port()));
    let refused = |more: &[&str]| {
        let gateway = files.gateway();
        let arguments = ["serve", "--gateway", &gateway, "--admin", "none"];
        let output = crate::support::run(&[&arguments[..], more].concat());
        assert_eq!(output.status.code(), Some(1));
        stderr(&output)
    };
    let text = refused(&["--notify-url", "hooks.test/health"]);
    assert!(
        text.contains("'hooks.test/health' is no URL to notify"),
        "{text}"
    );
    let missing = files.path("missing/events.jsonl").display().to_string();
    let text = refused(&["--health-events", &missing]);
    assert!(
        text.contains(&missing) && text.contains("--health-events"),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_reload_is_told_until_one_is_taken() {
    let watched = Watched::start(&[]).await;
    let mut bad = watched.document.clone();
    spoil(&mut bad);
    watched.reload(&bad, false);
    let path = watched.files.path("events.jsonl");
    let events = wait_for_lines(&path, 2);
    assert_eq!(told(&events), ["Unknown to Healthy", "raised Failed"]);
    let insight = &events[1]["insight"];
    assert_eq!(insight["GatewayName"], "gw");
    assert_eq!(insight["BackendServerAddress"], Value::Null);
    let why = insight["ErrorDetails"].as_str().unwrap();
    assert!(
        why.contains("/requestRoutingRules/0/") && why.contains("elsewhere"),
        "{why}"
    );
    assert_eq!(watched.node.status()["insights"][0], *insight);
    watched.reload(&watched.document, true);
    let events = wait_for_lines(&path, 3);
    assert_eq!(told(&events[2..]), ["cleared Failed"]);
    assert_eq!(events[2]["insight"], *insight);
    assert_eq!(watched.node.status()["insights"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_insight_is_over_when_its_server_has_left() {
    let watched = Watched::start(&[]).await;
    watched.turn(Manners::Status(500), "Unhealthy").await;
    let path = watched.files.path("events.jsonl");
    wait_for_lines(&path, 3);
    watched.reload(&watched.document, true);
    let standing = watched.node.status()["insights"].clone();
    assert_eq!(
        standing.as_array().unwrap().len(),
        1,
        "its server is still there"
    );
    let mut other = watched.document.clone();
    set_servers(&mut other, &[]);
    watched.reload(&other, true);
    let events = wait_for_lines(&path, 5);
    let expected = [
        "raised Unhealthy",
        "Unhealthy to Unknown",
        "cleared Unhealthy",
    ];
    assert_eq!(told(&events[2..]), expected);
    assert_eq!(events[3]["code"], "no-longer-probed");
    assert_eq!(watched.node.status()["insights"], json!([]));
}
