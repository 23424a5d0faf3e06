//! The forms of an answer, each read again by a reader of its own.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use gatewright_diagnosis::Report;
use jsonschema::Validator;
use pulldown_cmark::{Event, Options, Parser, Tag};
use serde_json::{Value, json};

use crate::{CASES, folders, name, run};

/// What a SARIF log may have: transcribed from SARIF 2.1.0, and narrower than that.
static SARIF: LazyLock<Validator> = LazyLock::new(|| {
    let schema = serde_json::from_str(include_str!("sarif.schema.json")).unwrap();
    let options = jsonschema::draft7::options();
    options
        .should_validate_formats(true)
        .build(&schema)
        .unwrap()
});

/// What GitHub's comments have beside CommonMark.
const GITHUB: Options = Options::ENABLE_TABLES
    .union(Options::ENABLE_STRIKETHROUGH)
    .union(Options::ENABLE_TASKLISTS)
    .union(Options::ENABLE_FOOTNOTES)
    .union(Options::ENABLE_MATH)
    .union(Options::ENABLE_GFM);

/// Every form of a report can be read again, whatever is in it.
pub(crate) fn check(report: &Report) {
    assert!(serde_json::to_value(report).unwrap()["verdict"].is_string());
    assert_sarif(&report.sarif());
    assert_junit(&report.junit().unwrap());
    let text = report.text(true);
    assert!(text.lines().next().is_some_and(|line| !line.is_empty()));
    assert_no_controls(&text);
    assert_no_controls(&report.markdown());
    assert_markdown(&report.markdown());
}

fn assert_no_controls(text: &str) {
    let acts = |letter: char| letter.is_control() && letter != '\n' || letter == '\u{202e}';
    assert!(!text.contains(acts), "{text:?}");
}

pub(crate) fn assert_sarif(log: &Value) {
    let errors = SARIF.iter_errors(log);
    let errors: Vec<_> = errors
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{errors:#?}");
    let run = &log["runs"][0];
    for result in run["results"].as_array().unwrap() {
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(
            run["tool"]["driver"]["rules"][index]["id"],
            result["ruleId"]
        );
    }
}

fn assert_junit(text: &str) {
    let document = roxmltree::Document::parse(text).unwrap();
    for suite in document.descendants() {
        let counted = |name: &str| {
            let all = suite.descendants().filter(|node| node.has_tag_name(name));
            all.count().to_string()
        };
        if suite.has_tag_name("testsuites") || suite.has_tag_name("testsuite") {
            for (count, of) in [
                ("tests", "testcase"),
                ("failures", "failure"),
                ("errors", "error"),
                ("skipped", "skipped"),
            ] {
                assert_eq!(suite.attribute(count), Some(counted(of).as_str()), "{text}");
            }
        }
    }
}

/// Nothing in it is a link, an image or HTML but our own.
fn assert_markdown(text: &str) {
    for event in Parser::new_ext(text, GITHUB) {
        match event {
            Event::Start(Tag::Link { .. } | Tag::Image { .. } | Tag::Table(_)) => {
                panic!("{event:?} in {text}");
            }
            Event::Html(html) | Event::InlineHtml(html) => {
                let html = html.trim();
                let is_own = html == "<!-- -->"
                    || html == "</details>"
                    || html.starts_with("<details><summary>Not it (");
                assert!(is_own, "{html} in {text}");
            }
            _ => {}
        }
    }
}

pub(crate) fn case(name: &str) -> PathBuf {
    Path::new(CASES).join(name)
}

pub(crate) fn printed(options: &[&str], folder: &Path) -> String {
    let output = run(options, folder);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.stdout.is_empty(), "{}: {said}", folder.display());
    String::from_utf8(output.stdout).unwrap()
}

pub(crate) fn json_of(options: &[&str], folder: &Path) -> Value {
    let options = [&["-o", "json"], options].concat();
    serde_json::from_str(&printed(&options, folder)).unwrap()
}

#[test]
fn each_form_can_be_read_again_and_is_the_same_each_time() {
    for folder in folders(CASES).iter().step_by(5) {
        let mut forms = Vec::new();
        for form in ["text", "json", "sarif", "junit", "markdown"] {
            let one = printed(&["-o", form], folder);
            assert_eq!(one, printed(&["-o", form], folder), "{}", name(folder));
            assert!(one.ends_with('\n') && !one.ends_with("\n\n"), "{one}");
            forms.push(one);
        }
        let [text, json, sarif, junit, markdown] = forms.try_into().unwrap();
        assert_no_controls(&text);
        assert_sarif(&serde_json::from_str(&sarif).unwrap());
        assert_junit(&junit);
        assert_markdown(&markdown);
        let json: Value = serde_json::from_str(&json).unwrap();
        if json["verdict"] == "root-cause" {
            let title = json["findings"][0]["title"].as_str().unwrap();
            assert!(text.starts_with(title), "{text}");
        }
    }
}

#[test]
fn the_schema_refuses_what_sarif_has_no_place_for() {
    let log: Value = serde_json::from_str(&printed(&["-o", "sarif"], &case("d-no-pool"))).unwrap();
    let with = |pointer: &str, value: Value| {
        let mut log = log.clone();
        *log.pointer_mut(pointer).unwrap() = value;
        SARIF.is_valid(&log)
    };
    assert!(SARIF.is_valid(&log));
    assert!(!with("/version", json!("2.0.0")));
    assert!(!with("/runs/0/results/0/level", json!("fatal")));
    assert!(!with(
        "/runs/0/results/0/message",
        json!({"text": "x", "title": "y"})
    ));
    let uri = "/runs/0/results/0/locations/0/physicalLocation/artifactLocation/uri";
    assert!(!with(uri, json!("a b.json")));
}

#[test]
fn sarif_has_a_rule_for_each_cause_and_a_result_for_each_finding() {
    let folder = case("c-v2-mgmt-ports-put-rejected");
    let log: Value = serde_json::from_str(&printed(&["-o", "sarif"], &folder)).unwrap();
    let run = &log["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    assert_eq!(rules.len(), gatewright_diagnosis::Cause::ALL.len());
    let results = run["results"].as_array().unwrap();
    let told = |result: &Value| {
        let primary = result["properties"]["primary"].as_bool().unwrap();
        let [id, level] = [&result["ruleId"], &result["level"]].map(|one| one.as_str().unwrap());
        format!("{id} {level} {primary}")
    };
    let told: Vec<String> = results.iter().map(told).collect();
    assert_eq!(told, ["GW-C03 error true", "GW-C02 warning false"]);
    let place = &results[1]["locations"][0];
    let uri = &place["physicalLocation"]["artifactLocation"]["uri"];
    assert_eq!(uri, "nsgs.json");
    let pointer = &place["logicalLocations"][0]["fullyQualifiedName"];
    assert_eq!(pointer, "/0/securityRules/1");
    let fixes = &results[1]["properties"]["fixes"];
    let command = fixes[0]["commands"][0].as_str().unwrap();
    assert!(
        command.starts_with("az network nsg rule create"),
        "{command}"
    );
    assert_eq!(results[0]["suppressions"], json!([]));
}

#[test]
fn sarif_of_undecided_evidence_says_what_would_decide() {
    let folder = case("a-nsg-backend-deny-near-udp");
    let quiet: Value = serde_json::from_str(&printed(&["-o", "sarif"], &folder)).unwrap();
    let notes =
        |log: &Value| log["runs"][0]["invocations"][0]["toolExecutionNotifications"].clone();
    assert_eq!(notes(&quiet), json!([]));
    let folder = case("b-probe-403-near");
    let log: Value = serde_json::from_str(&printed(&["-o", "sarif"], &folder)).unwrap();
    let told = notes(&log);
    assert_eq!(told[0]["level"], "warning");
    let told = told[0]["message"]["text"].as_str().unwrap();
    assert!(told.contains("would decide"), "{told}");
    let possible = &log["runs"][0]["results"][0];
    assert_eq!(
        [&possible["ruleId"], &possible["level"]],
        ["GW-B03", "note"]
    );
}

/// Class and name of each test with what became of it.
pub(crate) fn tests(junit: &str) -> Vec<(String, &'static str, String)> {
    let document = roxmltree::Document::parse(junit).unwrap();
    let cases = document.descendants();
    let cases = cases.filter(|node| node.has_tag_name("testcase"));
    let became = |case: roxmltree::Node<'_, '_>| {
        let kinds = ["failure", "error", "skipped", "system-out"];
        let inner = case.children().find(|node| node.is_element()).unwrap();
        let kind = kinds.into_iter().find(|kind| inner.has_tag_name(*kind));
        let message = inner.attribute("message").or(inner.text());
        let message = message.unwrap_or_default().to_owned();
        let name = case.attribute("name").unwrap().to_owned();
        (name, kind.unwrap(), message)
    };
    cases.map(became).collect()
}

#[test]
fn junit_has_a_test_for_each_cause_that_something_is_known_of() {
    let folder = case("n-vmss-model-partly-applied");
    let junit = printed(&["-o", "junit"], &folder);
    let told = tests(&junit);
    let of = |name: &str| {
        let found = told.iter().find(|(own, ..)| own.contains(name));
        let (_, kind, message) = found.unwrap_or_else(|| panic!("{name} in {told:#?}"));
        (*kind, message.as_str())
    };
    let listens = "Nothing listens on port 80 of 10.126.1.5.";
    assert_eq!(of("GW-A01 not-listening"), ("failure", listens));
    assert_eq!(of("GW-N03").0, "failure");
    assert_eq!(of("stopped"), ("system-out", "operationalState is Running"));
    assert_eq!(of("the evidence decides").0, "system-out");
    let text = roxmltree::Document::parse(&junit).unwrap();
    let failure = text.descendants().find(|node| node.has_tag_name("failure"));
    let text = failure.unwrap().text().unwrap().to_owned();
    assert!(
        text.contains("\nBecause:\n") && text.contains("observations.json /tcp/"),
        "{text}"
    );
}

#[test]
fn junit_of_undecided_evidence_has_an_error_that_says_what_would_decide() {
    let junit = printed(&["-o", "junit"], &case("b-probe-403-near"));
    let told = tests(&junit);
    assert_eq!(told[0].0, "the evidence decides");
    assert_eq!(told[0].1, "error");
    let possible = told.iter().find(|(name, ..)| name.starts_with("GW-B03"));
    let (_, kind, message) = possible.unwrap();
    assert_eq!(*kind, "skipped");
    assert!(message.starts_with("only possible: "), "{message}");
    let document = roxmltree::Document::parse(&junit).unwrap();
    let error = document
        .descendants()
        .find(|node| node.has_tag_name("error"));
    let error = error.unwrap().text().unwrap();
    assert!(error.contains("access-logs.json: "), "{error}");
}

/// What means something in a terminal, in XML, in Markdown or in SARIF.
const HOSTILE: &str = "p<b>&\"' ]]> `` |*_~$ [a](b) ![c](d) {0} @team #12 <!-- www.x.example \
                       http://y.example \u{1b}[31m\u{7}\u{202e}\n# h\n```\r\u{0}\u{fffe}é";

/// What a document for people shows in its place.
const SHOWN: &str = concat!(
    "p<b>&\"' ]]> `` |*_~$ [a](b) ![c](d) {0} @team #12 <!-- www.x.example ",
    r"http://y.example \u{1b}[31m\u{7}\u{202e}\n# h\n```\r\u{0}\u{fffe}é"
);

/// A gateway with an empty pool, and a rule of that name that leads to it.
fn hostile() -> tempfile::TempDir {
    let id = |kind: &str, name: &str| {
        json!({"id": format!("/subscriptions/s/resourceGroups/rg/providers/Microsoft.Network/\
            applicationGateways/gw/{kind}/{name}")})
    };
    let gateway = json!({
        "name": "gw",
        "id": "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Network/\
            applicationGateways/gw",
        "operationalState": "Running",
        "backendAddressPools": [{"name": "be"}],
        "requestRoutingRules": [{
            "name": HOSTILE,
            "ruleType": "Basic",
            "backendAddressPool": id("backendAddressPools", "be"),
            "httpListener": id("httpListeners", "l"),
        }],
        "httpListeners": [{"name": "l"}],
    });
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("gateway.json"), gateway.to_string()).unwrap();
    folder
}

#[test]
fn names_that_mean_something_to_a_reader_mean_themselves() {
    let folder = hostile();
    let title = format!("The rule {HOSTILE} sends requests to the pool be, which has no servers.");
    let shown = title.replace(HOSTILE, SHOWN);
    let json = json_of(&[], folder.path());
    assert_eq!(json["findings"][0]["title"], *title);
    let text = printed(&["--explain"], folder.path());
    assert_no_controls(&text);
    assert!(text.starts_with(&format!("{shown}\n")), "{text}");
    let sarif: Value = serde_json::from_str(&printed(&["-o", "sarif"], folder.path())).unwrap();
    assert_sarif(&sarif);
    let message = sarif["runs"][0]["results"][0]["message"]["text"]
        .as_str()
        .unwrap();
    assert!(
        !message.contains("](") || message.contains(r"\[a\](b)"),
        "{message}"
    );
    assert!(message.contains("{{0}}"), "{message}");
    let meant = message.replace(r"\[", "[").replace(r"\]", "]");
    assert_eq!(meant.replace("{{", "{").replace("}}", "}"), title);
    let junit = printed(&["-o", "junit"], folder.path());
    assert_junit(&junit);
    let told = tests(&junit);
    let failed = told.iter().find(|(_, kind, _)| *kind == "failure").unwrap();
    assert_eq!(failed.2, shown);
    let markdown = printed(&["-o", "markdown"], folder.path());
    assert_no_controls(&markdown);
    assert_markdown(&markdown);
    assert!(
        !markdown.contains("@team") && !markdown.contains("#12"),
        "{markdown}"
    );
    let mut first = String::new();
    for event in Parser::new_ext(&markdown, GITHUB) {
        match event {
            Event::End(pulldown_cmark::TagEnd::Paragraph) => break,
            Event::Text(text) => first.push_str(&text),
            _ => {}
        }
    }
    assert_eq!(first, shown);
}

#[test]
fn markdown_has_commands_in_blocks_that_they_cannot_end() {
    let folder = tempfile::tempdir().unwrap();
    let gateway = json!({
        "name": "g```h", "operationalState": "Stopped", "backendAddressPools": [{"name": "be"}],
    });
    fs::write(folder.path().join("gateway.json"), gateway.to_string()).unwrap();
    let markdown = printed(&["-o", "markdown"], folder.path());
    let mut commands = String::new();
    let mut is_code = false;
    for event in Parser::new(&markdown) {
        match event {
            Event::Start(Tag::CodeBlock(_)) => is_code = true,
            Event::End(pulldown_cmark::TagEnd::CodeBlock) => is_code = false,
            Event::Text(text) if is_code => commands.push_str(&text),
            _ => {}
        }
    }
    let start = "az network application-gateway start -g RG -n 'g```h'\n";
    assert!(commands.contains(start), "{commands}\n{markdown}");
    let accepted = printed(
        &["-o", "markdown", "--suppress", "g01=g```h"],
        folder.path(),
    );
    let spans = Parser::new(&accepted).filter_map(|event| match event {
        Event::Code(code) => Some(code.to_string()),
        _ => None,
    });
    let spans: Vec<String> = spans.collect();
    assert!(
        spans.contains(&"--suppress GW-G01=g```h".to_owned()),
        "{accepted}"
    );
}

#[test]
fn colour_is_for_terminals_or_on_demand() {
    let folder = case("c-v2-mgmt-ports");
    let plain = printed(&[], &folder);
    assert!(!plain.contains('\u{1b}'), "{plain}");
    assert_eq!(printed(&["--color", "never"], &folder), plain);
    let coloured = printed(&["--color", "always"], &folder);
    assert!(
        coloured.starts_with("\u{1b}[1mThe platform cannot reach"),
        "{coloured}"
    );
    assert!(
        coloured.contains("\n  \u{1b}[33mGW-C02\u{1b}[0m v2-mgmt-ports"),
        "{coloured}"
    );
    assert!(
        coloured.contains("\n  \u{1b}[36maz network nsg rule update"),
        "{coloured}"
    );
    for form in ["json", "sarif", "junit", "markdown"] {
        let other = printed(&["--color", "always", "-o", form], &folder);
        assert!(!other.contains('\u{1b}'), "{other}");
    }
}

/// The first line of an answer that says what another one says, or itself: a whole line, the end
/// of the sentence, or a value.
fn repetition(text: &str) -> Option<&str> {
    /// Characters that are too many to be read twice.
    const LONG: usize = 40;
    let sentence = text.lines().next().unwrap();
    let mut told = BTreeSet::new();
    let mut lines = text.lines().skip(1).filter(|line| !line.is_empty());
    lines.find(|line| {
        // Each remedy has its own risk.
        let is_new = told.insert(*line) || line.starts_with("  Mind: ");
        let says = line.rsplit_once(" (").map_or(*line, |(says, _)| says);
        let (_, end) = says.split_once(": ").unwrap_or_default();
        let end = end.trim_end_matches('.');
        let value = says.rsplit_once(": \"").unwrap_or_default();
        let has_value = |(before, value): (&str, &str)| {
            let value = value.trim_end_matches('"');
            !value.is_empty() && before.contains(value)
        };
        !is_new || end.len() >= LONG && sentence.contains(end) || has_value(value)
    })
}

#[test]
fn text_says_each_thing_once_and_keeps_to_a_screen() {
    /// Columns and lines of a terminal that people have.
    const SCREEN: (usize, usize) = (100, 40);
    for folder in folders(CASES) {
        let text = printed(&[], &folder);
        let rows = text
            .lines()
            .map(|line| line.chars().count().div_ceil(SCREEN.0).max(1));
        let rows: usize = rows.sum();
        let is_undecided = text.starts_with("This evidence does not decide");
        assert!(
            is_undecided || rows < SCREEN.1,
            "{}: {rows}\n{text}",
            name(&folder)
        );
        assert!(!text.contains("MII"), "{}: {text}", name(&folder));
        assert_eq!(repetition(&text), None, "{}: {text}", name(&folder));
    }
    let text = printed(&[], &case("f-expired"));
    assert!(
        text.contains("\n  what the server presents (certs/presented.pem)\n"),
        "{text}"
    );
    let text = printed(&[], &case("o-request-timeout"));
    assert!(
        text.contains("\n  how long it waits: 25 s (gateway.json "),
        "{text}"
    );
    let text = printed(&[], &case("f-expired-near"));
    assert!(text.contains(" more: -o json lists all\n"), "{text}");
}
