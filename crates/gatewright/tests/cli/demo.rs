//! `gatewright demo`, as a user runs it.

use std::net::SocketAddr;
use std::process::{Command, Stdio};

use gatewright_testkit::client::get;
use nix::sys::signal::Signal;
use serde_json::Value;

use crate::support::{Process, access_log, free_port, run, stderr, stdout, wait_until};

/// Every site, with the `code` and the `healthProbeErrorName` of what its probes find.
const SITES: [(&str, &str, &str); 25] = [
    ("shop", WELL.0, WELL.1),
    ("blog", WELL.0, WELL.1),
    ("images", WELL.0, WELL.1),
    ("cart", WELL.0, WELL.1),
    ("late", WELL.0, WELL.1),
    ("closing", WELL.0, WELL.1),
    ("babbling", WELL.0, WELL.1),
    ("dribbling", WELL.0, WELL.1),
    ("refused", "connect-refused", "PortNotReachable"),
    ("black-hole", "connect-timed-out", "ServerNotReachable"),
    (
        "only-tls-1.1",
        "tls-version",
        "BackendSecureConnectionError",
    ),
    (
        "wrong-name",
        "certificate-name",
        "BackendCertificateCNMismatchWithProbeHostName",
    ),
    (
        "expired",
        "certificate-dates",
        "BackendServerCertificateExpired",
    ),
    ("missing-intermediate", "intermediate-missing", ALONE),
    (
        "private-authority",
        "root-mismatch",
        "BackendServerCertificateNotTrustedByRootCertificates",
    ),
    ("self-signed", "intermediate-missing", ALONE),
    (
        "out-of-order",
        "leaf-not-topmost",
        "IncorrectBackendCertificateChainLeafCertificateIsNotTopmostCertificate",
    ),
    ("slow", "timed-out", "Timeout"),
    ("silent", "timed-out", "Timeout"),
    ("garbage", "not-http", "Unknown"),
    (
        "reset-mid-answer",
        "closed-within-answer",
        "ServerNotReachable",
    ),
    ("not-found", STATUS.0, STATUS.1),
    ("unauthorized", STATUS.0, STATUS.1),
    ("server-error", STATUS.0, STATUS.1),
    ("wrong-body", "body-mismatch", "HttpResponseBodyMismatch"),
];

const WELL: (&str, &str) = ("success", "SuccessWithStatusCode");
const STATUS: (&str, &str) = ("status-mismatch", "HttpStatusCodeMismatchWithStatusCode");
const ALONE: &str = "IncompleteBackendCertificateChainOnlyLeafCertificateIsPresent";

/// What the introduction's lines print, by what stands before them: a part of the output, and the
/// exit status.
const LINES: [(&str, &str, i32); 16] = [
    ("two servers in turn", "hello from shop-", 0),
    ("by path", "hello from images\n", 0),
    ("by host", "hello from blog\n", 0),
    ("the same server again", "hello from shop-", 0),
    ("a redirect to HTTPS", "hello from shop-", 0),
    ("504, over its 1 s", "HTTP/1.1 504 ", 0),
    ("502, hangs up", "HTTP/1.1 502 ", 0),
    ("502, speaks no HTTP", "HTTP/1.1 502 ", 0),
    ("200, byte by byte", "hello from dribbling\n", 0),
    ("why they failed", "ERRORINFO_UPSTREAM_TIMED_OUT", 0),
    ("502 at once", "HTTP/1.1 502 ", 0),
    (
        "every server, and why",
        "17 of 27 servers are not healthy\n",
        1,
    ),
    ("what is served", "serving: revision 1 since ", 0),
    ("a single probe", "Expected:200-399 Received:401.", 1),
    ("a broken chain", "whose certificate was not presented", 1),
    ("its findings", "1 gateway, 0 errors, 0 warnings\n", 0),
];

struct Demo {
    process: Process,
    http: SocketAddr,
    admin: SocketAddr,
    /// Everything on standard output.
    text: String,
}

impl Demo {
    fn start() -> Self {
        let port = free_port().to_string();
        let process = Process::start(&["demo", "--port", &port, "--admin", "127.0.0.1:0"]);
        let mut text = process.next_line();
        let after = |what: &str| -> SocketAddr {
            let (_, rest) = text.split_once(what).unwrap();
            rest.split([' ', ',']).next().unwrap().parse().unwrap()
        };
        let (http, admin) = (after("ready: http://"), after("admin http://"));
        while !text.contains("Ctrl-C") {
            text = format!("{text}\n{}", process.next_line());
        }
        Self {
            process,
            http,
            admin,
            text,
        }
    }

    /// The commands to paste, each with what stands before it. A command goes on after a backslash.
    fn lines(&self) -> Vec<(String, String)> {
        let text = self.text.replace("\\\n", " ");
        let indented = text.lines().filter_map(|line| line.strip_prefix("  "));
        let pair = |line: &str| {
            let (label, command) = line.split_at(23);
            (label.trim().to_owned(), command.trim().to_owned())
        };
        indented.map(pair).collect()
    }

    async fn report(&self) -> Value {
        let answer = get(self.admin, &self.admin.to_string(), "/health").await;
        answer.unwrap().json()
    }

    /// `(pool, code, healthProbeErrorName)` of every pool's first server.
    async fn findings(&self) -> Vec<(String, String, String)> {
        let report = self.report().await;
        let pools = report["pools"].as_array().unwrap().iter();
        pools
            .map(|pool| {
                let server = &pool["settings"][0]["servers"][0];
                let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                (
                    text(&pool["pool"]),
                    text(&server["code"]),
                    text(&server["health_probe_error_name"]),
                )
            })
            .collect()
    }

    async fn status_of(&self, site: &str) -> u16 {
        let path = format!("/{site}/");
        get(self.http, "demo.test", &path).await.unwrap().status
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_shows_what_it_says() {
    let mut demo = Demo::start();
    let expected: Vec<_> = SITES
        .iter()
        .map(|(site, code, name)| ((*site).to_owned(), (*code).to_owned(), (*name).to_owned()))
        .collect();
    let deadline = std::time::Instant::now() + crate::support::PATIENCE;
    while demo.findings().await != expected {
        let late = std::time::Instant::now() > deadline;
        assert!(!late, "{:#?}", demo.findings().await);
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    requests_fare_as_told(&demo).await;
    lines_print_what_they_promise(&demo);
    what_the_end_removes(&mut demo);
}

async fn requests_fare_as_told(demo: &Demo) {
    for (site, status) in [("late", 504), ("closing", 502), ("babbling", 502)] {
        assert_eq!(demo.status_of(site).await, status, "{site}");
    }
    for site in ["shop", "images", "cart", "dribbling"] {
        assert_eq!(demo.status_of(site).await, 200, "{site}");
    }
    let unwell = SITES.iter().filter(|(_, code, _)| *code != WELL.0);
    for (site, _, _) in unwell {
        assert_eq!(demo.status_of(site).await, 502, "{site}");
    }
    let folder = folder(demo);
    let log = folder.join("access.log");
    wait_until("all requests are logged", || access_log(&log).len() == 24);
    let log = access_log(&log);
    let fates: Vec<_> = log[..3]
        .iter()
        .map(|line| &line["properties"]["error_info"])
        .collect();
    let expected = [
        "ERRORINFO_UPSTREAM_TIMED_OUT",
        "ERRORINFO_UPSTREAM_CLOSED_CONNECTION",
        "ERRORINFO_UPSTREAM_CLOSED_CONNECTION",
    ];
    assert_eq!(fates, expected);
    for line in &log[7..] {
        let fate = &line["properties"]["error_info"];
        assert_eq!(fate, "ERRORINFO_UPSTREAM_NO_LIVE", "{line:#}");
    }
}

/// Pastes every line into a shell.
fn lines_print_what_they_promise(demo: &Demo) {
    let is_here = Command::new("curl")
        .arg("--version")
        .stdout(Stdio::null())
        .status();
    let has_curl = is_here.is_ok_and(|status| status.success());
    if !has_curl {
        skipped("curl is not here to paste lines for");
    }
    let lines = demo.lines();
    for (label, part, status) in &LINES {
        let found = lines.iter().find(|(name, _)| name == label);
        let (_, command) = found.unwrap_or_else(|| panic!("no {label:?} in\n{}", demo.text));
        if command.starts_with("curl") && !has_curl {
            continue;
        }
        let output = Command::new("sh").args(["-c", command]).output().unwrap();
        let text = stdout(&output);
        assert_eq!(
            output.status.code(),
            Some(*status),
            "{command}\n{text}{}",
            stderr(&output)
        );
        assert!(text.contains(part), "{command}\n{text}{}", stderr(&output));
        match *label {
            "two servers in turn" => assert!(text.contains("shop-1") && text.contains("shop-2")),
            "the same server again" => {
                let same = text.contains("shop-1") != text.contains("shop-2");
                assert!(same, "{text}");
            }
            _ => {}
        }
    }
    assert_eq!(lines.len(), LINES.len(), "{}", demo.text);
}

#[expect(
    clippy::print_stderr,
    reason = "a part of a test that is skipped says so"
)]
fn skipped(why: &str) {
    eprintln!("skipped: {why}");
}

fn folder(demo: &Demo) -> std::path::PathBuf {
    let (_, path) = demo
        .text
        .split_once("Ctrl-C ends it, and removes ")
        .unwrap();
    path.trim_end_matches('.').into()
}

fn what_the_end_removes(demo: &mut Demo) {
    let folder = folder(demo);
    assert!(folder.join("gateway.json").is_file());
    demo.process.send(Signal::SIGINT);
    assert_eq!(demo.process.wait().code(), Some(0));
    assert!(!folder.exists());
}

#[test]
fn a_port_out_of_reach_is_told() {
    let output = run(&["demo", "--port", "70000"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("70000"), "{}", stderr(&output));
}
