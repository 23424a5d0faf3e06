//! Which answers fail, and what is suppressed.

use std::fs;
use std::path::Path;
use std::process::Output;

use serde_json::{Value, json};

use crate::outputs::{assert_sarif, case, json_of, printed, tests};
use crate::run;

fn status(options: &[&str], folder: &Path) -> i32 {
    run(options, folder).status.code().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn which_findings_fail_is_chosen() {
    let failed = case("a-not-listening");
    let warned = case("c-v2-mgmt-ports");
    let open = case("b-probe-403-near");
    let well = case("g-put-failed-reference-near");
    for (fail_on, expected) in [
        (None, [1, 1, 2, 0]),
        (Some("warning"), [1, 1, 2, 0]),
        (Some("error"), [1, 0, 2, 0]),
        (Some("never"), [0, 0, 0, 0]),
    ] {
        let options = fail_on.map(|severity| ["--fail-on", severity]);
        let options = options.as_ref().map_or(&[][..], |options| options);
        let told = [&failed, &warned, &open, &well].map(|folder| status(options, folder));
        assert_eq!(told, expected, "{fail_on:?}");
    }
    let nothing = tempfile::tempdir().unwrap();
    assert_eq!(status(&["--fail-on", "never"], nothing.path()), 65);
    // An error beside a warning fails, whichever comes first.
    let both = case("c-v2-mgmt-ports-put-rejected");
    assert_eq!(status(&["--fail-on", "error"], &both), 1);
    assert_eq!(
        status(&["--fail-on", "error", "--suppress", "GW-C03"], &both),
        0
    );
    assert_eq!(status(&["--suppress", "GW-C03"], &both), 1);
}

#[test]
fn a_wrong_command_line_is_told_from_an_answer() {
    let folder = case("d-no-pool");
    for options in [
        ["--fail-on", "info"],
        ["-o", "xml"],
        ["--color", "blue"],
        ["--suppress", "GW-A99"],
        ["--suppress", "GW-A03="],
        ["--suppress", "=nsg"],
    ] {
        let output = run(&options, &folder);
        assert_eq!(output.status.code(), Some(64), "{options:?}");
        assert!(output.stdout.is_empty());
    }
    let said = stderr(&run(&["--suppress", "nsg-backend-den"], &folder));
    assert!(said.contains("close are GW-A03 nsg-backend-deny"), "{said}");
    assert_eq!(status(&["--help"], &folder), 0);
}

#[test]
fn what_is_suppressed_is_no_root_cause_and_is_listed() {
    let folder = case("n-vmss-model-partly-applied");
    let found = json_of(&[], &folder);
    let codes = |answer: &Value| -> Vec<String> {
        let findings = answer["findings"].as_array().unwrap().iter();
        let told = findings.map(|one| {
            let is = |member: &'static str| if one[member] == true { member } else { "" };
            let code = one["code"].as_str().unwrap();
            format!("{code} {}{}", is("primary"), is("suppressed"))
        });
        told.collect()
    };
    assert_eq!(codes(&found), ["GW-N03 primary", "GW-A01 "]);
    assert!(found["findings"][1].get("suppressed").is_none());
    let one = json_of(&["--suppress", "vmss-model-not-applied"], &folder);
    assert_eq!(codes(&one), ["GW-A01 primary", "GW-N03 suppressed"]);
    assert_eq!(one["verdict"], "root-cause");
    let both = ["--suppress", "n03", "--suppress", "GW-A01"];
    let none = json_of(&both, &folder);
    assert_eq!(codes(&none), ["GW-N03 suppressed", "GW-A01 suppressed"]);
    assert_eq!(none["verdict"], "healthy");
    assert_eq!(none["needs"], json!([]));
    assert_eq!(status(&both, &folder), 0);
    let text = printed(&both, &folder);
    let sentence = "Nothing is wrong with what this evidence shows but what is suppressed.\n";
    assert!(text.starts_with(sentence), "{text}");
    let listed = "\nSuppressed:\n  GW-N03 vmss-model-not-applied (likely, by --suppress GW-N03): ";
    assert!(text.contains(listed), "{text}");
    let sarif = printed(&[&["-o", "sarif"], &both[..]].concat(), &folder);
    let sarif: Value = serde_json::from_str(&sarif).unwrap();
    assert_sarif(&sarif);
    let result = &sarif["runs"][0]["results"][1];
    assert_eq!(result["ruleId"], "GW-A01");
    let suppressions = json!([{
        "kind": "external", "status": "accepted", "justification": "--suppress GW-A01",
    }]);
    assert_eq!(result["suppressions"], suppressions);
    let told = tests(&printed(&[&["-o", "junit"], &both[..]].concat(), &folder));
    let skipped = told.iter().filter(|(_, kind, _)| *kind == "skipped");
    assert_eq!(skipped.count(), 2, "{told:#?}");
    let markdown = printed(&[&["-o", "markdown"], &both[..]].concat(), &folder);
    assert!(markdown.contains("by `--suppress GW-A01`"), "{markdown}");
}

#[test]
fn a_resource_is_what_the_finding_has() {
    let deny = case("a-nsg-backend-deny");
    let group = "/subscriptions/bd664e8d-8d2d-4208-93f5-90e837d55c4c/resourceGroups/";
    let nsgs = fs::read_to_string(deny.join("nsgs.json")).unwrap();
    let id = |end: &str| {
        let mut texts = nsgs.split('"');
        texts
            .find(|text| text.starts_with(group) && text.ends_with(end))
            .unwrap()
    };
    for resource in [
        "nsg-erp",
        "NSG-ERP",
        "no-east-west",
        "10.44.8.30",
        "10.44.8.30:443",
        id("/nsg-erp"),
        id("/securityRules/no-east-west"),
    ] {
        let suppress = format!("GW-A03={resource}");
        let output = run(&["--suppress", &suppress], &deny);
        assert_eq!(output.status.code(), Some(0), "{resource}");
        assert_eq!(stderr(&output), "", "{resource}");
    }
    // Parts of names, words of the sentence, ports, and what the evidence has elsewhere.
    for resource in ["nsg", "10.44.8.3", "rule", "443", "snet-other", "east"] {
        let suppress = format!("a03={resource}");
        let output = run(&["--suppress", &suppress], &deny);
        assert_eq!(output.status.code(), Some(1), "{resource}");
        let said = format!(
            "warning: --suppress GW-A03={resource} suppressed nothing: nsg-backend-deny was found \
             elsewhere\n"
        );
        assert_eq!(stderr(&output), said);
    }
    let output = run(&["--suppress", "GW-A03=nsg-erp"], &case("d-no-pool"));
    let said = "warning: --suppress GW-A03=nsg-erp suppressed nothing: nsg-backend-deny was not \
                found\n";
    assert_eq!(stderr(&output), said);
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_resource_may_be_what_evidence_lies_in() {
    // Neither the pool nor the setting is in a sentence of this finding.
    let folder = case("a-not-listening");
    let health = fs::read_to_string(folder.join("backend-health.json")).unwrap();
    for kind in ["backendAddressPools/", "backendHttpSettingsCollection/"] {
        let (_, name) = health.split_once(kind).unwrap();
        let (name, _) = name.split_once('"').unwrap();
        let suppress = format!("GW-A01={name}");
        assert_eq!(status(&["--suppress", &suppress], &folder), 0, "{name}");
    }
}

#[test]
fn another_finding_of_a_suppressed_cause_comes_up() {
    let id = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Network/\
              applicationGateways/gw";
    let of = |part: String| json!({"id": format!("{id}/{part}")});
    let rule = |name: &str, pool: &str| {
        json!({
            "name": name,
            "ruleType": "Basic",
            "backendAddressPool": of(format!("backendAddressPools/{pool}")),
            "httpListener": of("httpListeners/l".to_owned()),
        })
    };
    let gateway = json!({
        "name": "gw",
        "id": id,
        "operationalState": "Running",
        "httpListeners": [{"name": "l"}],
        "backendAddressPools": [{"name": "blue"}, {"name": "green"}],
        "requestRoutingRules": [rule("one", "blue"), rule("two", "green")],
    });
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("gateway.json"), gateway.to_string()).unwrap();
    let whole = json_of(&[], folder.path());
    assert_eq!(whole["findings"].as_array().unwrap().len(), 1);
    for (accepted, left) in [("blue", "green"), ("green", "blue")] {
        let suppress = format!("empty-pool={accepted}");
        let text = printed(&["--suppress", &suppress], folder.path());
        let first = text.lines().next().unwrap();
        assert!(first.contains(&format!("the pool {left},")), "{text}");
        assert_eq!(status(&["--suppress", &suppress], folder.path()), 1);
    }
    let both = [
        "--suppress",
        "empty-pool=blue",
        "--suppress",
        "empty-pool=green",
    ];
    assert_eq!(status(&both, folder.path()), 0);
}
