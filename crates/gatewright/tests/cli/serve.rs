//! `gatewright serve` and the commands that talk to it, as a user runs them.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::support::{
    Files, Node, PATIENCE, access_log, binary, free_port, gateway, https_gateway, reference,
    rename_rule, run, spoil, stderr, stdout, wait_until,
};
use gatewright_testkit::backend::{Backend, Manners};
use gatewright_testkit::certificates::client_trusting_anything;
use gatewright_testkit::certificates::{Authority, Leaf, client_trusting};
use gatewright_testkit::client::{RawClient, get, get_tls};
use nix::sys::signal::Signal;
use serde_json::json;

/// `--map` for the server of the tests' gateway.
fn map_to(backend: &Backend) -> String {
    format!("10.9.8.7:80={}", backend.address())
}

async fn polite() -> Backend {
    Backend::start(Manners::text("hello")).await.unwrap()
}

/// A backend that answers a probe at once, and a request for /slow as these manners are.
async fn slow_on_request(manners: Manners) -> Backend {
    let backend = Backend::with(Manners::text("hello")).on_path("/slow", manners);
    backend.start().await.unwrap()
}

/// Waits until the one request that is no probe has come.
async fn wait_for_the_request(backend: &Backend) {
    let deadline = std::time::Instant::now() + PATIENCE;
    while !backend.requests().iter().any(|one| one.target == "/slow") {
        assert!(std::time::Instant::now() < deadline, "no request came");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_is_served_through_the_map_and_logged() {
    let backend = polite().await;
    let port = free_port();
    let files = Files::new(&gateway(port));
    let log = files.path("access.log");
    let map = map_to(&backend);
    let log_argument = log.display().to_string();
    let node = Node::serve(&files, &["--map", &map, "--access-log", &log_argument]);
    assert_eq!(node.address(), SocketAddr::from(([127, 0, 0, 1], port)));
    let answer = get(node.address(), "shop.test", "/a?b=c").await.unwrap();
    assert_eq!((answer.status, answer.text().as_str()), (200, "hello"));
    let targets: Vec<String> = backend
        .requests()
        .into_iter()
        .map(|one| one.target)
        .collect();
    assert_eq!(targets, ["/", "/a?b=c"], "a probe, and the request");
    wait_until("the request is logged", || !access_log(&log).is_empty());
    let line = &access_log(&log)[0];
    assert_eq!(line["ruleName"], "rule");
    assert_eq!(line["properties"]["originalRequestUriWithArgs"], "/a?b=c");
    assert_eq!(line["properties"]["serverRouted"], "10.9.8.7:80");
    let health = node.status();
    assert_eq!(
        (&health["status"], &health["revision"]),
        (&"serving".into(), &1.into())
    );
    assert_eq!(health["requests"]["by_status"]["2xx"], 1);
    assert_eq!(health["upstreams"][0]["servers"][0]["member"], "10.9.8.7");
    assert!(health["last_reload"].is_null());
}

#[test]
fn the_ready_line_is_one_line_that_begins_with_ready() {
    let port = free_port();
    let files = Files::new(&gateway(port));
    let mut child = binary()
        .args([
            "serve",
            "--gateway",
            &files.gateway(),
            "--bind",
            "127.0.0.1",
        ])
        .args(["--admin", "none", "--drain-timeout", "1"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut reader = std::io::BufReader::new(child.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut reader, &mut line).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(
        line,
        format!("ready: http://127.0.0.1:{port} (gw/public port {port})\n")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_file_changes_nothing_and_says_why() {
    let backend = polite().await;
    let mut document = gateway(free_port());
    let files = Files::new(&document);
    let node = Node::serve(&files, &["--map", &map_to(&backend), "--no-watch"]);
    spoil(&mut document);
    files.write(&document);
    let output = node.reload();
    assert_eq!(output.status.code(), Some(1));
    let text = stderr(&output);
    assert!(
        text.contains("/requestRoutingRules/0/") && text.contains("revision 1"),
        "{text}"
    );
    assert_eq!(
        get(node.address(), "shop.test", "/").await.unwrap().status,
        200
    );
    let reload = &node.status()["last_reload"];
    assert_eq!(reload["ok"], false);
    assert!(
        reload["error"].as_str().unwrap().contains("elsewhere"),
        "{reload}"
    );
    files.write(&gateway(node.address().port()));
    let output = node.reload();
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(stdout(&output), "reloaded: revision 2 is served\n");
    assert_eq!(node.status()["last_reload"]["ok"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_file_is_served_without_being_told() {
    let backend = polite().await;
    let (first, second) = (free_port(), free_port());
    let files = Files::new(&gateway(first));
    let node = Node::serve(&files, &["--map", &map_to(&backend)]);
    files.write(&gateway(second));
    wait_until("the change is served", || node.status()["revision"] == 2);
    let address = SocketAddr::from(([127, 0, 0, 1], second));
    assert_eq!(
        node.status()["endpoints"][0]["address"],
        address.to_string()
    );
    assert_eq!(get(address, "shop.test", "/").await.unwrap().status, 200);
    let gone = get(SocketAddr::from(([127, 0, 0, 1], first)), "shop.test", "/").await;
    assert!(gone.unwrap_err().is_refused());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_custom_error_page_is_fetched_and_shown() {
    let pages = Backend::start(Manners::text("we are sorry")).await.unwrap();
    let mut document = gateway(free_port());
    document["properties"]["customErrorConfigurations"] = serde_json::json!([{
        "statusCode": "HttpStatus502",
        "customErrorPageUrl": format!("http://{}/502.html", pages.address()),
    }]);
    let files = Files::new(&document);
    let node = Node::serve(&files, &["--map", "10.9.8.7=127.0.0.1:1"]);
    wait_until("the page is fetched", || {
        node.stderr().contains("fetched the error page")
    });
    let answer = get(node.address(), "shop.test", "/").await.unwrap();
    assert_eq!(
        (answer.status, answer.text().as_str()),
        (502, "we are sorry")
    );
    node.reload();
    assert_eq!(
        get(node.address(), "shop.test", "/").await.unwrap().text(),
        "we are sorry"
    );
    assert_eq!(pages.request_count(), 1);
}

#[test]
fn a_second_node_does_not_share_the_ports_of_the_first() {
    let files = Files::new(&gateway(free_port()));
    let node = Node::serve(&files, &[]);
    let arguments = [
        "serve",
        "--bind",
        "127.0.0.1",
        "--admin",
        "none",
        "--gateway",
    ];
    let output = run(&[&arguments[..], &[&files.gateway()]].concat());
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains(&node.address().to_string()),
        "{}",
        stderr(&output)
    );
}

#[test]
fn sighup_reloads() {
    let files = Files::new(&gateway(free_port()));
    let node = Node::serve(&files, &["--no-watch"]);
    node.send(Signal::SIGHUP);
    wait_until("the reload is done", || node.status()["revision"] == 2);
    let output = binary()
        .arg("status")
        .env("GATEWRIGHT_ADMIN", node.admin())
        .output()
        .unwrap();
    assert!(
        stdout(&output).starts_with("serving: revision 2 since "),
        "{}",
        stdout(&output)
    );
}

/// Ten reloads while four clients never pause: every request is answered, and well.
#[tokio::test(flavor = "multi_thread")]
async fn reloads_under_load_lose_no_request() {
    let backend = polite().await;
    let mut document = gateway(free_port());
    let files = Files::new(&document);
    let node = Node::serve(&files, &["--map", &map_to(&backend), "--no-watch"]);
    let is_over = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..4)
        .map(|_| tokio::spawn(ask_on(node.address(), Arc::clone(&is_over))))
        .collect();
    for number in 1..=10 {
        rename_rule(&mut document, &format!("rule-{number}"));
        files.write(&document);
        let output = node.reload();
        assert!(output.status.success(), "{}", stderr(&output));
    }
    is_over.store(true, Ordering::Relaxed);
    let mut answered = 0;
    for client in clients {
        answered += client.await.unwrap();
    }
    assert!(answered > 100, "only {answered} requests were made");
    assert_eq!(node.status()["revision"], 11);
    wait_until("all requests are counted", || {
        node.status()["requests"]["by_status"]["2xx"].as_u64() == Some(answered)
    });
}

/// One request after the other, a few on each connection; returns how many were answered with 200.
async fn ask_on(address: SocketAddr, is_over: Arc<AtomicBool>) -> u64 {
    const PER_CONNECTION: usize = 10;
    let mut answered = 0;
    while !is_over.load(Ordering::Relaxed) {
        let mut client = RawClient::connect(address).await.unwrap();
        for _ in 0..PER_CONNECTION {
            client
                .send(b"GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n")
                .await
                .unwrap();
            let answer = client.read_response().await.unwrap();
            assert_eq!(answer.status, 200);
            answered += 1;
            // A listener that is replaced may ask its clients to connect again.
            if answer.header("connection") == Some("close") {
                break;
            }
        }
    }
    answered
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_lets_requests_finish() {
    let slow = Manners::slow(Duration::from_secs(1), Manners::text("late"));
    let backend = slow_on_request(slow).await;
    let files = Files::new(&gateway(free_port()));
    let log = files.path("access.log");
    let map = map_to(&backend);
    let log_argument = log.display().to_string();
    let mut node = Node::serve(&files, &["--map", &map, "--access-log", &log_argument]);
    let address = node.address();
    let request = tokio::spawn(async move { get(address, "shop.test", "/slow").await });
    wait_for_the_request(&backend).await;
    node.send(Signal::SIGTERM);
    let answer = request.await.unwrap().unwrap();
    assert_eq!((answer.status, answer.text().as_str()), (200, "late"));
    assert_eq!(node.wait().code(), Some(0));
    assert!(
        get(address, "shop.test", "/")
            .await
            .unwrap_err()
            .is_refused()
    );
    assert_eq!(access_log(&log).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_it_at_once() {
    let backend = slow_on_request(Manners::slow(PATIENCE, Manners::Echo)).await;
    let files = Files::new(&gateway(free_port()));
    let mut node = Node::serve(
        &files,
        &["--map", &map_to(&backend), "--drain-timeout", "600"],
    );
    let address = node.address();
    let request = tokio::spawn(async move { get(address, "shop.test", "/slow").await });
    wait_for_the_request(&backend).await;
    node.send(Signal::SIGTERM);
    wait_until("the first signal is told", || {
        node.stderr().contains("stopping: ")
    });
    assert!(!node.has_ended());
    node.send(Signal::SIGTERM);
    node.wait();
    wait_until("the second is told", || {
        node.stderr().contains("stopping at once")
    });
    request.abort();
}

#[test]
fn a_port_in_use_is_told_with_the_ways_out() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let files = Files::new(&gateway(address.port()));
    let arguments = [
        "serve",
        "--bind",
        "127.0.0.1",
        "--admin",
        "none",
        "--gateway",
    ];
    let output = run(&[&arguments[..], &[&files.gateway()]].concat());
    assert_eq!(output.status.code(), Some(1));
    let text = stderr(&output);
    assert!(
        text.contains(&address.to_string()) && text.contains("public"),
        "{text}"
    );
    assert!(text.contains("--port-offset"), "{text}");
    assert_eq!(stdout(&output), "");
}

#[test]
fn frontends_that_want_one_address_get_stand_ins() {
    let port = free_port();
    let mut second = gateway(port);
    second["name"] = "other".into();
    let text = second
        .to_string()
        .replace("applicationGateways/gw", "applicationGateways/other");
    let files = Files::new(&gateway(port));
    let other = Files::new(&serde_json::from_str(&text).unwrap());
    let node = Node::serve(&files, &["--gateway", &other.gateway()]);
    let addresses = node.ready["endpoints"].as_array().unwrap().iter();
    let addresses: Vec<_> = addresses
        .map(|one| one["address"].as_str().unwrap())
        .collect();
    assert_eq!(
        addresses,
        [format!("127.0.0.1:{port}"), format!("127.0.0.2:{port}")]
    );
    wait_until("the stand-in is told", || {
        node.stderr().contains("--bind other/public=ADDRESS")
    });
}

#[test]
fn the_admin_api_can_be_off_and_a_taken_address_is_told() {
    let files = Files::new(&gateway(free_port()));
    let node = Node::serve(&files, &["--admin", "none"]);
    assert!(node.ready["admin"].is_null());
    let taken = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .to_string();
    let output = run(&["status", "--admin", &taken]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains(&format!("no node answers at {taken}")));

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = listener.local_addr().unwrap().to_string();
    let other = Files::new(&gateway(free_port()));
    let output = run(&["serve", "--gateway", &other.gateway(), "--admin", &taken]);
    assert_eq!(output.status.code(), Some(1));
    let text = stderr(&output);
    assert!(
        text.contains(&taken) && text.contains("--admin none"),
        "{text}"
    );
    let open = run(&[
        "serve",
        "--gateway",
        &other.gateway(),
        "--admin",
        "0.0.0.0:9440",
    ]);
    assert!(stderr(&open).contains("loopback"), "{}", stderr(&open));
}

#[tokio::test(flavor = "multi_thread")]
async fn web_pages_cannot_use_the_admin_api() {
    let files = Files::new(&gateway(free_port()));
    let node = Node::serve(&files, &[]);
    let admin: SocketAddr = node.admin().parse().unwrap();
    assert_eq!(
        get(admin, "evil.test", "/status").await.unwrap().status,
        403
    );
    assert_eq!(
        get(admin, &node.admin(), "/status").await.unwrap().status,
        200
    );
    let mut client = RawClient::connect(admin).await.unwrap();
    let post = format!("POST /reload HTTP/1.1\r\nHost: {admin}\r\nContent-Length: 0\r\n\r\n");
    client.send(post.as_bytes()).await.unwrap();
    assert_eq!(client.read_response().await.unwrap().status, 403);
    assert_eq!(node.status()["revision"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn https_is_served_with_a_development_certificate_only_when_asked_to() {
    let backend = polite().await;
    let files = Files::new(&https_gateway(free_port()));
    let output = run(&["serve", "--gateway", &files.gateway(), "--admin", "none"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("--dev-certs"),
        "{}",
        stderr(&output)
    );

    let node = Node::serve(&files, &["--map", &map_to(&backend), "--dev-certs"]);
    let trust = client_trusting_anything();
    let answer = get_tls(node.address(), "localhost", "/", trust)
        .await
        .unwrap();
    assert_eq!(answer.status, 200);
    let code = "GW-W-development-certificate";
    wait_until("the stand-in is told", || node.stderr().contains(code));
}

#[tokio::test(flavor = "multi_thread")]
async fn https_is_served_with_the_certificate_that_the_operator_gives() {
    let backend = polite().await;
    let files = Files::new(&https_gateway(free_port()));
    let authority = Authority::new("Contoso Root");
    let identity = authority.issue(Leaf::named("shop.test"));
    std::fs::write(files.path("site.pfx"), identity.pfx("pass word")).unwrap();
    std::fs::write(files.path("password"), "pass word\n").unwrap();
    let certificate = format!(
        "site={},password-file={}",
        files.path("site.pfx").display(),
        files.path("password").display()
    );
    let node = Node::serve(
        &files,
        &["--map", &map_to(&backend), "--certificate", &certificate],
    );
    let trust = client_trusting(&authority);
    assert_eq!(
        get_tls(node.address(), "shop.test", "/", trust)
            .await
            .unwrap()
            .status,
        200
    );
}

#[test]
fn the_access_log_goes_to_standard_output_after_the_ready_line() {
    let files = Files::new(&gateway(free_port()));
    let node = Node::serve(
        &files,
        &["--access-log", "-", "--map", "10.9.8.7=127.0.0.1:1"],
    );
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let answer = runtime
        .block_on(get(node.address(), "shop.test", "/"))
        .unwrap();
    assert_eq!(answer.status, 502);
    let line: serde_json::Value = serde_json::from_str(&node.next_line()).unwrap();
    assert_eq!(line["properties"]["httpStatus"], 502);
    assert_eq!(
        line["properties"]["error_info"],
        "ERRORINFO_UPSTREAM_NO_LIVE"
    );
}

#[test]
fn a_mapping_that_no_server_matches_is_told_once_with_the_nearest_server() {
    let files = Files::new(&gateway(free_port()));
    let maps = [
        "--map",
        "10.9.8.7:8080=127.0.0.1:1",
        "--map",
        "10.9.8.7=127.0.0.1:1",
    ];
    let node = Node::serve(&files, &[&maps[..], &["--no-watch"]].concat());
    let code = "--map: warning GW-W-map-unused: ";
    wait_until("the mapping is told", || node.stderr().contains(code));
    assert!(
        node.stderr()
            .contains("\n  help: The nearest server is 10.9.8.7:80."),
        "{}",
        node.stderr()
    );
    assert!(node.reload().status.success());
    wait_until("the reload is told", || {
        node.stderr().contains("revision 2 is served")
    });
    let text = node.stderr();
    assert_eq!(text.matches("GW-W-map-unused").count(), 1, "{text}");
}

#[test]
fn gateways_and_frontends_are_shown_as_their_documents_write_them() {
    let mut document = gateway(free_port());
    let properties = &mut document["properties"];
    properties["frontendIPConfigurations"][0]["name"] = "appGwPublic".into();
    properties["httpListeners"][0]["properties"]["frontendIPConfiguration"] =
        reference("frontendIPConfigurations", "APPGWPUBLIC");
    let files = Files::new(&document);
    let node = Node::serve(&files, &[]);
    let id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg\
              /providers/Microsoft.Network/applicationGateways/gw";
    assert_eq!(node.ready["endpoints"][0]["gateway"], id);
    let shown = &node.status()["endpoints"][0];
    let names = (&shown["gateway"], &shown["frontend"]);
    assert_eq!(names, (&json!(id), &json!("appGwPublic")));
}
