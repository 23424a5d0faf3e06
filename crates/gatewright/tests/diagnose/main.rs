//! `gatewright diagnose` over evidence folders with their answers: our own, and those that came
//! with the product's beginnings.

mod mangled;
mod mutations;
mod outputs;
mod pipeline;
mod predictions;
#[allow(dead_code, reason = "what runs the binary is used, and that alone")]
#[path = "../cli/support.rs"]
mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::Value;

/// Folders of [`CASES`] that are not answered as they should be yet, with what they lack. Whoever
/// mends one takes it off the list: the test sees to that.
const OPEN: &str = include_str!("open.txt");

const CASES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/diagnose/cases");

const SHARED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/cases");

fn folders(of: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(of) else {
        return Vec::new();
    };
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut folders: Vec<_> = paths
        .filter(|path| path.join("case.json").is_file())
        .collect();
    folders.sort();
    folders
}

fn name(folder: &Path) -> &str {
    folder.file_name().unwrap().to_str().unwrap()
}

fn run(options: &[&str], folder: &Path) -> Output {
    let folder = folder.to_str().unwrap();
    support::run(&[&["diagnose"], options, &["--evidence", folder]].concat())
}

/// The exit status and the answer.
fn diagnose(folder: &Path) -> (i32, String) {
    let output = run(&["-o", "json"], folder);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.stdout.is_empty(), "{}: {said}", folder.display());
    let text = String::from_utf8(output.stdout).unwrap();
    (output.status.code().unwrap(), text)
}

/// What is wrong with an answer; `None` where it is the case's.
fn difference(folder: &Path) -> Option<String> {
    let (status, text) = diagnose(folder);
    let answer: Value = serde_json::from_str(&text).unwrap();
    let case = fs::read(folder.join("case.json")).unwrap();
    let case: Value = serde_json::from_slice(&case).unwrap();
    let verdict = case["expected_verdict"].as_str().unwrap_or("root-cause");
    let expected = match verdict {
        "healthy" => 0,
        "root-cause" => 1,
        _ => 2,
    };
    let first = &answer["findings"][0];
    if answer["verdict"] != verdict {
        return Some(format!(
            "{} instead of {verdict}: {first:#}",
            answer["verdict"]
        ));
    }
    if status != expected {
        return Some(format!("exit status {status} instead of {expected}"));
    }
    if verdict != "root-cause" {
        return None;
    }
    let cause = [&case["expected_category"], &case["expected_subcause"]];
    if cause != [&first["category"], &first["cause"]] || first["primary"] != true {
        return Some(format!("{first:#} instead of {cause:?}"));
    }
    let fixes = first["fix"].as_array().unwrap().iter();
    let commands: Vec<&str> = fixes
        .clone()
        .flat_map(|fix| fix["commands"].as_array().unwrap())
        .map(|command| command.as_str().unwrap())
        .collect();
    let summaries = fixes.map(|fix| fix["summary"].as_str().unwrap());
    let all: Vec<&str> = commands.iter().copied().chain(summaries).collect();
    let words = |member: &str| -> Vec<String> {
        let words = case[member].as_array().into_iter().flatten();
        words
            .map(|word| word.as_str().unwrap().to_owned())
            .collect()
    };
    let is_in = |texts: &[&str], word: &String| texts.iter().any(|text| text.contains(&**word));
    let mut missing = words("expected_in_commands");
    missing.retain(|word| !is_in(&commands, word));
    missing.extend(
        words("expected_in_fix")
            .into_iter()
            .filter(|word| !is_in(&all, word)),
    );
    let mut harmful = words("never_in_commands");
    harmful.retain(|word| is_in(&commands, word));
    let is_right = missing.is_empty() && harmful.is_empty();
    (!is_right).then(|| format!("without {missing:?}, with {harmful:?}: {all:#?}"))
}

fn check(folders: &[PathBuf]) {
    let open: Vec<&str> = OPEN
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    let mut wrong = Vec::new();
    for folder in folders {
        let is_open = open.contains(&name(folder));
        match difference(folder) {
            Some(difference) if !is_open => wrong.push(format!("{}: {difference}", name(folder))),
            None if is_open => wrong.push(format!("{}: is right now; take it off", name(folder))),
            _ => {}
        }
    }
    let all = folders.len();
    assert!(
        wrong.is_empty(),
        "{} of {all}:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn each_case_has_its_answer() {
    let folders = folders(CASES);
    assert!(folders.len() > 100);
    check(&folders);
}

#[test]
fn the_cases_that_came_first_have_their_answers() {
    let folders = folders(SHARED);
    if folders.is_empty() {
        eprintln!("skipped: there are no shared cases here");
        return;
    }
    check(&folders);
}

#[test]
fn the_same_evidence_has_the_same_answer() {
    for folder in folders(CASES).iter().step_by(10) {
        assert_eq!(diagnose(folder), diagnose(folder), "{}", name(folder));
    }
}

/// What `gatewright` says of every case whose commands are patches too.
#[test]
fn every_remedy_that_is_a_patch_is_proved_by_its_replay() {
    let mut proved = 0;
    for folder in folders(CASES) {
        let (_, text) = diagnose(&folder);
        let answer: Value = serde_json::from_str(&text).unwrap();
        let findings = answer["findings"].as_array().unwrap().iter();
        let findings = findings.filter(|finding| finding["confidence"] != "possible");
        let fixes = findings.flat_map(|finding| finding["fix"].as_array().unwrap());
        for fix in fixes.filter(|fix| fix.get("patch").is_some()) {
            let operations = fix["patch"].to_string();
            for placeholder in ["/PATH\"", "\"HOST\"", "\"ADDRESS\"", "/POOL\""] {
                assert!(
                    !operations.contains(placeholder),
                    "{}: {operations}",
                    name(&folder)
                );
            }
            // Those of the heaviest causes are tried.
            let replay = &fix["replay"];
            assert_ne!(replay, "remains", "{}: {fix:#}", name(&folder));
            proved += usize::from(replay == "gone");
        }
        // The first one's are, whatever else there is.
        let first = &answer["findings"][0];
        let fixes = first["fix"].as_array().into_iter().flatten();
        let mut patches = fixes.filter(|fix| fix.get("patch").is_some());
        let is_tried = |fix: &Value| fix["replay"].is_string();
        assert!(
            first["confidence"] == "possible" || patches.all(is_tried),
            "{}: {first:#}",
            name(&folder)
        );
    }
    assert!(proved > 100, "{proved}");
}

/// The exit status, and what is said on standard error.
fn refused(write: impl Fn(&Path)) -> (i32, String) {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path());
    let output = run(&[], folder.path());
    let said = String::from_utf8(output.stderr).unwrap();
    (output.status.code().unwrap(), said)
}

const GATEWAY: &str = r#"{"name": "gw", "operationalState": "Running", "backendAddressPools": []}"#;

#[test]
fn what_cannot_be_read_is_named_with_its_place() {
    let (status, said) = refused(|_| {});
    assert_eq!(status, 65);
    assert!(
        said.contains("gateway.json") && said.contains("az network"),
        "{said}"
    );
    let with = |name: &'static str, text: &'static str| {
        refused(move |folder| {
            fs::write(folder.join("gateway.json"), GATEWAY).unwrap();
            fs::write(folder.join(name), text).unwrap();
        })
    };
    for (name, text, expected) in [
        (
            "backend-health.json",
            "[{\"a\": 1}]",
            "backend-health.json at /0: a pool",
        ),
        ("nsgs.json", "[1]", "nsgs.json"),
        (
            "access-logs.json",
            "3",
            "access-logs.json: an object or a list",
        ),
        ("observations.json", "{", "observations.json"),
        (
            "previous-gateway.json",
            "[]",
            "previous-gateway.json: it holds no gateway",
        ),
    ] {
        let (status, said) = with(name, text);
        assert_eq!(status, 65, "{name}: {said}");
        assert!(said.contains(expected), "{name}: {said}");
    }
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("certs")).unwrap();
    fs::write(folder.path().join("gateway.json"), GATEWAY).unwrap();
    fs::write(folder.path().join("certs/presented.pem"), "none").unwrap();
    let output = run(&[], folder.path());
    assert_eq!(output.status.code(), Some(65));
}

#[test]
fn files_that_nothing_is_known_of_are_named() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("gateway.json"), GATEWAY).unwrap();
    fs::write(folder.path().join("notes.txt"), "x").unwrap();
    let output = run(&["--explain"], folder.path());
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(
        text.starts_with("The gateway gw has no backend pool.\n"),
        "{text}"
    );
    assert!(text.ends_with("Not looked at: notes.txt\n"), "{text}");
    assert!(
        text.contains("  Is the gateway running?\n    seen: "),
        "{text}"
    );
}
