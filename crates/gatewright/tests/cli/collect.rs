//! `gatewright collect` and `diagnose --azure` where az fails as no real one does on demand: a
//! script in its place hangs, floods and babbles. What az really prints is in tests/az.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use gatewright_testkit::certificates::{Authority, Leaf};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::support::{binary, gateway, stderr, stdout, wait_until};

/// A script in place of az, and the folder around it.
struct Fake {
    folder: tempfile::TempDir,
}

impl Fake {
    /// `cases` are those of a `case` of the shell over the words of a command; others print
    /// nothing. The gateway is that of `gateway.json`.
    fn new(cases: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let fake = Self { folder };
        let here = fake.folder.path().display();
        let script = format!(
            "#!/bin/sh\ncd '{here}' || exit 9\necho \"$*\" >> calls\ncase \"$*\" in\n{cases}\n\
             'network application-gateway show '*) cat gateway.json ;;\nesac\n"
        );
        fs::write(fake.path("az"), script).unwrap();
        let mode = fs::Permissions::from_mode(0o755);
        fs::set_permissions(fake.path("az"), mode).unwrap();
        fake.write("gateway.json", &gateway(80));
        fs::create_dir(fake.path("tmp")).unwrap();
        fake
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, document: &Value) {
        fs::write(self.path(name), document.to_string()).unwrap();
    }

    fn command(&self, words: &str) -> std::process::Command {
        let mut command = binary();
        command
            .args(words.split_whitespace())
            .current_dir(self.folder.path())
            .env("GATEWRIGHT_AZ", self.path("az"))
            .env("TMPDIR", self.path("tmp"))
            .stdin(Stdio::null());
        command
    }

    fn run(&self, words: &str) -> Output {
        self.command(words).output().unwrap()
    }

    /// Collects into `out`, which succeeds; what is said on standard error.
    fn collect(&self, words: &str) -> String {
        let output = self.run(&format!("collect -g rg -n gw --out out {words}"));
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(0), "{said}");
        said
    }

    /// The files of a folder, with their texts.
    fn files(&self, name: &str) -> Vec<(String, String)> {
        let entries = fs::read_dir(self.path(name)).unwrap();
        let read = |path: &Path| fs::read_to_string(path).unwrap();
        let named = entries.map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, read(&path))
        });
        let mut files: Vec<_> = named.collect();
        files.sort();
        files
    }

    fn record(&self) -> Value {
        let text = fs::read(self.path("out/collected.json")).unwrap();
        serde_json::from_slice(&text).unwrap()
    }

    /// Waits until these many processes, whose ids are in the file `pids`, are no more.
    fn have_ended(&self, count: usize) {
        let pids = fs::read_to_string(self.path("pids")).unwrap();
        assert_eq!(pids.split_whitespace().count(), count, "{pids}");
        for pid in pids.split_whitespace() {
            let process = PathBuf::from(format!("/proc/{pid}/cmdline"));
            // One that nobody has waited for yet has no words.
            let has_ended = || !fs::read(&process).is_ok_and(|line| !line.is_empty());
            wait_until(&format!("the process {pid} has ended"), has_ended);
        }
    }

    fn is_left_behind(&self) -> bool {
        fs::read_dir(self.path("tmp")).unwrap().next().is_some()
    }
}

const FAILURES: &str = "\
*show-backend-health*) sleep 1000 & echo $$ $! >> pids; wait ;;
*'vnet subnet show'*) yes & echo $$ $! >> pids; wait ;;
*'vnet show'*) echo '{' ;;
*'activity-log'*) echo 'ERROR: (AuthorizationFailed) The client \"a\" may not read. Ask.' >&2
    echo 'Code: AuthorizationFailed' >&2; exit 1 ;;
*'metrics'*) kill -9 $$ ;;";

#[test]
fn what_fails_ends_nothing_and_is_told() {
    let fake = Fake::new(FAILURES);
    let began = Instant::now();
    let said = fake.collect("--az-timeout 1");
    assert!(began.elapsed() < Duration::from_secs(30));
    let told: Vec<&str> = said
        .lines()
        .filter(|line| line.starts_with("not read"))
        .collect();
    let expected = [
        "not read: the backend-health report (backend-health.json): az did not end within 3 s",
        "not read: the subnet sn of rg (subnet.json): az ",
        "not read: the virtual network vn of rg (vnet.json): az printed something that is no JSON",
        "not read: the changes that failed (last-error.json): az says: (AuthorizationFailed) The \
         client \"a\" may not read.",
        "not read: the metrics (metrics.json): az was ended by signal 9",
    ];
    assert_eq!(told.len(), expected.len(), "{said}");
    for (told, expected) in told.iter().zip(expected) {
        assert!(told.starts_with(expected), "{told} instead of {expected}");
    }
    // Each command can be typed as it is shown.
    let program = fake.path("az");
    let shown = format!("{} network vnet subnet show --ids /subs", program.display());
    assert!(said.lines().any(|line| line.starts_with(&shown)), "{said}");
    let names: Vec<String> = fake
        .files("out")
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(names, ["collected.json", "gateway.json"]);
    let record = fake.record();
    assert_eq!(record["files"], json!(["gateway.json"]));
    let outcomes = record["commands"].as_array().unwrap().iter();
    let outcomes: Vec<&str> = outcomes
        .map(|one| one["outcome"].as_str().unwrap())
        .collect();
    assert_eq!(
        outcomes,
        ["read", "failed", "failed", "failed", "failed", "failed"]
    );
    let reason = record["commands"][4]["reason"].as_str().unwrap();
    assert!(reason.contains("(AuthorizationFailed)"), "{record:#}");
    // Nothing that was started is left, nor what that started.
    fake.have_ended(4);
    let calls = fs::read_to_string(fake.path("calls")).unwrap();
    assert_eq!(calls.lines().count(), 6, "{calls}");
    let here = fake.folder.path().join("az").display().to_string();
    for process in fs::read_dir("/proc").unwrap().flatten() {
        let line = fs::read(process.path().join("cmdline")).unwrap_or_default();
        assert!(!String::from_utf8_lossy(&line).contains(&here));
    }
}

#[test]
fn a_flood_is_stopped() {
    let fake = Fake::new("*'vnet subnet show'*) yes ;;\n*'vnet show'*) yes >&2 ;;");
    let said = fake.collect("--az-timeout 6");
    let flood = "(subnet.json): az printed more than 64 MiB";
    assert!(said.contains(flood), "{said}");
    assert!(
        said.contains("(vnet.json): az did not end within 6 s"),
        "{said}"
    );
}

#[test]
fn what_it_starts_does_not_keep_it() {
    // It goes on in the background, with the output open.
    let fake = Fake::new("*'vnet show'*) sleep 1000 & echo $! > pids; echo '{}' ;;");
    let began = Instant::now();
    let said = fake.collect("");
    assert!(began.elapsed() < Duration::from_secs(20));
    let expected = "(vnet.json): az ended, and something that it started did not";
    assert!(said.contains(expected), "{said}");
    fake.have_ended(1);
}

#[test]
fn the_order_of_what_is_said_is_always_the_same() {
    let fake = Fake::new(
        "*'vnet subnet show'*) sleep 0.3; exit 1 ;;\n*'vnet show'*) sleep 0.1; exit 1 ;;\n\
         *metrics*) exit 1 ;;",
    );
    let first = fake.collect("");
    for _ in 0..3 {
        assert_eq!(fake.collect("--force"), first);
    }
}

#[test]
fn without_the_gateway_there_is_nothing() {
    let check = |cases: &str, expected: &str| {
        let fake = Fake::new(cases);
        let collect = fake.run("collect -g rg -n gw --out out");
        let diagnose = fake.run("diagnose --azure -g rg -n gw");
        for output in [collect, diagnose] {
            assert_eq!(output.status.code(), Some(69));
            let said = stderr(&output);
            let error = said.lines().last().unwrap();
            assert!(error.starts_with(&format!("error: {expected}")), "{error}");
        }
        assert!(!fake.path("out").exists() && !fake.is_left_behind());
        let calls = fs::read_to_string(fake.path("calls")).unwrap();
        assert_eq!(calls.lines().count(), 2, "{calls}");
    };
    let subject = "the gateway gw of rg cannot be read";
    let odd = format!("{subject}: az printed something that is no gateway");
    check("*) echo '{}' ;;", &odd);
    check("*) echo '[1, 2]' ;;", &odd);
    check("*) ;;", &format!("{subject}: az printed nothing"));
    check(
        "*) echo hello ;;",
        &format!("{subject}; az printed something that is no JSON"),
    );
    check(
        "*) echo \"ERROR: Please run 'az login' to setup account.\" >&2; exit 1 ;;",
        &format!("{subject}; az says: Please run 'az login' to setup account."),
    );
    check(
        "*) exit 7 ;;",
        &format!("{subject}; az ended with exit status 7"),
    );
}

#[test]
fn without_az_it_says_what_to_do() {
    let fake = Fake::new("");
    let nowhere = fake
        .command("collect -g rg -n gw --out out")
        .env("PATH", fake.path("tmp"))
        .env_remove("GATEWRIGHT_AZ")
        .output()
        .unwrap();
    assert_eq!(nowhere.status.code(), Some(69));
    let said = stderr(&nowhere);
    assert!(
        said.contains("install the Azure CLI") && said.contains("--az PATH"),
        "{said}"
    );
    let named = fake.run("collect -g rg -n gw --out out --az ./nosuch");
    assert_eq!(named.status.code(), Some(69));
    assert!(
        stderr(&named).contains("error: ./nosuch cannot be run"),
        "{}",
        stderr(&named)
    );
}

#[test]
fn no_secret_reaches_a_file_or_the_screen() {
    let identity = Authority::new("Contoso Root").issue(Leaf::named("shop.contoso.test"));
    let key: String = identity.key_pem().lines().skip(1).take(1).collect();
    let mut document = gateway(80);
    document["properties"]["sslCertificates"] = json!([{
        "name": "site",
        "properties": { "data": identity.key_pem(), "password": "hunter2", "note": key },
    }]);
    document["properties"]["customErrorConfigurations"] = json!([{
        "statusCode": "HttpStatus403",
        "customErrorPageUrl": "https://a.blob.core.windows.net/p/403.html?sv=1&sig=hunter3",
    }]);
    let fake = Fake::new(
        "*'vnet show'*) echo 'ERROR: bad https://a.test/x?sig=hunter4 AccountKey=hunter5' >&2
            exit 1 ;;
        *activity-log*) cat events.json ;;",
    );
    let message = json!({ "error": { "code": "X", "message": "y", "password": "hunter7" } });
    let event = json!({
        "status": { "value": "Failed" }, "claims": { "a": "hunter6" },
        "properties": { "statusMessage": message.to_string() },
    });
    fake.write("events.json", &json!([event]));
    fake.write("gateway.json", &document);
    let output = fake.run("diagnose --azure -g rg -n gw --out out");
    let said = format!("{}{}", stdout(&output), stderr(&output));
    assert!(said.contains("secrets were not written"), "{said}");
    let mut texts = fake.files("out");
    texts.push(("the screen".to_owned(), said));
    for (name, text) in &texts {
        for secret in ["hunter", key.as_str(), "PRIVATE KEY"] {
            assert!(!text.contains(secret), "{name} has {secret}: {text}");
        }
    }
    let named = |name: &str| texts.iter().find(|(own, _)| own == name).unwrap();
    assert!(named("gateway.json").1.contains("sv=1&sig=(removed)"));
    assert!(named("last-error.json").1.contains("statusMessage"));
    let removed = fake.record()["removed"].to_string();
    let place = "/properties/sslCertificates/0/properties/password";
    assert!(removed.contains(place), "{removed}");
}

#[test]
fn an_inconclusive_answer_keeps_the_evidence() {
    let fake = Fake::new("");
    let output = fake.run("diagnose --azure -g rg -n gw");
    assert_eq!(output.status.code(), Some(2), "{}", stdout(&output));
    let said = stderr(&output);
    let (_, place) = said.trim_end().rsplit_once(' ').unwrap();
    assert!(
        place.starts_with(fake.path("tmp").to_str().unwrap()),
        "{said}"
    );
    let again = fake.run(&format!("diagnose --evidence {place}"));
    assert_eq!(again.status.code(), Some(2));
    // What a pipeline makes of the answer is no part of it.
    let output = fake.run("diagnose --azure -g rg -n gw --fail-on never");
    assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
    let said = stderr(&output);
    let (_, other) = said.trim_end().rsplit_once(' ').unwrap();
    assert!(Path::new(other).join("collected.json").is_file(), "{said}");
    assert_eq!(stdout(&again), stdout(&output));
    // The record of the collection says of when the evidence is, whatever becomes of the files.
    let record = fs::read_to_string(Path::new(place).join("collected.json")).unwrap();
    let record: Value = serde_json::from_str(&record).unwrap();
    let moved = record["as_of"].as_str().unwrap().replacen("20", "19", 1);
    let moved = json!({ "as_of": moved });
    fs::write(Path::new(place).join("collected.json"), moved.to_string()).unwrap();
    let answer = stdout(&fake.run(&format!("diagnose --evidence {place} -o json")));
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(answer["as_of"], moved["as_of"]);
    let walk = stdout(&fake.run(&format!("diagnose --evidence {place} --explain")));
    assert!(!walk.contains("collected.json"), "{walk}");
}

#[test]
fn whoever_ends_it_ends_az_too() {
    let fake = Fake::new("*show-backend-health*) sleep 1000 & echo $$ $! > pids; wait ;;");
    let mut child = fake
        .command("diagnose --azure -g rg -n gw")
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_until("az is asked for the report", || {
        fs::read_to_string(fake.path("pids")).is_ok_and(|pids| pids.ends_with('\n'))
    });
    assert!(fake.is_left_behind());
    kill(Pid::from_raw(child.id() as i32), Signal::SIGINT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(!fake.is_left_behind());
    fake.have_ended(2);
}

#[test]
fn a_new_collection_takes_the_place_of_the_last() {
    let fake = Fake::new("*'vnet show'*) test -e broken && exit 1; echo '{\"id\": \"x\"}' ;;");
    fake.collect("");
    assert!(fake.path("out/vnet.json").exists());
    fs::write(fake.path("out/observations.json"), "{}").unwrap();
    let again = fake.run("collect -g rg -n gw --out out");
    assert_eq!(again.status.code(), Some(64));
    fs::write(fake.path("broken"), "").unwrap();
    fake.collect("--force");
    let names: Vec<String> = fake
        .files("out")
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(
        names,
        ["collected.json", "gateway.json", "observations.json"]
    );
}
