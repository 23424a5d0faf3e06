//! `gatewright validate`, as a user runs it.

use std::io::Write;
use std::process::Stdio;

use crate::support::{Files, binary, gateway, https_gateway, run, spoil, stderr, stdout};
use serde_json::{Value, json};

/// A gateway with a pool that nothing uses: legal, and worth a warning.
fn questionable() -> Value {
    let mut document = gateway(80);
    let pools = document["properties"]["backendAddressPools"]
        .as_array_mut()
        .unwrap();
    pools.push(json!({ "name": "spare", "properties": { "backendAddresses": [] } }));
    document
}

#[test]
fn a_good_gateway_passes() {
    let files = Files::new(&gateway(80));
    let output = run(&["validate", "--strict", &files.gateway()]);
    assert!(output.status.success(), "{}", stdout(&output));
    assert_eq!(stdout(&output), "1 gateway, 0 errors, 0 warnings\n");
}

#[test]
fn an_error_names_its_file_and_place_and_fails() {
    let mut document = gateway(80);
    spoil(&mut document);
    let files = Files::new(&document);
    let output = run(&["validate", &files.gateway()]);
    assert_eq!(output.status.code(), Some(1));
    let place = "/properties/requestRoutingRules/0/properties/backendAddressPool";
    let expected = format!(
        "{}:{place}: error InvalidResourceReference: ",
        files.gateway()
    );
    assert!(stdout(&output).contains(&expected), "{}", stdout(&output));
    assert!(
        stdout(&output).contains("1 gateway, 1 error,"),
        "{}",
        stdout(&output)
    );
}

#[test]
fn errors_stand_right_above_the_summary() {
    let mut document = questionable();
    document["properties"]["colour"] = "red".into();
    spoil(&mut document);
    let text = stdout(&run(&["validate", &Files::new(&document).gateway()]));
    let lines: Vec<_> = text
        .lines()
        .filter(|line| !line.starts_with("  help"))
        .collect();
    assert!(lines[0].contains(": warning "), "{text}");
    assert!(lines[lines.len() - 2].contains(": error "), "{text}");
}

#[test]
fn warnings_fail_only_when_strict() {
    let files = Files::new(&questionable());
    let output = run(&["validate", &files.gateway()]);
    assert!(output.status.success());
    assert!(
        stdout(&output).contains(": warning GW-W-unused: "),
        "{}",
        stdout(&output)
    );
    assert_eq!(
        run(&["validate", "--strict", &files.gateway()])
            .status
            .code(),
        Some(1)
    );
}

#[test]
fn findings_come_as_json_in_the_order_of_the_files() {
    let (good, questionable) = (Files::new(&gateway(80)), Files::new(&questionable()));
    let mut document = gateway(80);
    spoil(&mut document);
    let bad = Files::new(&document);
    let names = [&bad, &good, &questionable].map(Files::gateway);
    let output = run(&["validate", "-o", "json", &names[0], &names[1], &names[2]]);
    assert_eq!(output.status.code(), Some(1));
    let findings: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(findings[0]["file"], names[0]);
    assert_eq!(findings[0]["severity"], "error");
    assert_eq!(findings[0]["code"], "InvalidResourceReference");
    let pointer = findings[0]["pointer"].as_str().unwrap();
    assert!(
        document.pointer(pointer).is_some(),
        "{pointer} leads nowhere"
    );
    let last = findings.last().unwrap();
    assert_eq!(
        (&last["file"], &last["severity"]),
        (&json!(names[2]), &json!("warning"))
    );
    assert!(last["message"].is_string() && last.get("help").is_some());
}

#[test]
fn a_private_key_that_no_export_has_is_a_note() {
    let files = Files::new(&https_gateway(443));
    let output = run(&["validate", "--strict", &files.gateway()]);
    assert!(output.status.success(), "{}", stdout(&output));
    let text = stdout(&output);
    assert!(
        text.contains("/properties/sslCertificates/0: note GW-N-"),
        "{text}"
    );
    assert!(
        text.contains("--certificate site=FILE") && text.contains("--dev-certs"),
        "{text}"
    );
}

#[test]
fn a_key_left_out_is_a_note_in_any_letter_case() {
    let mut document = https_gateway(443);
    let properties = document["properties"].as_object_mut().unwrap();
    let mut certificates = properties.remove("sslCertificates").unwrap();
    certificates[0]["properties"] = json!({});
    properties.insert("SslCertificates".to_owned(), certificates);
    let output = run(&["validate", &Files::new(&document).gateway()]);
    assert!(output.status.success(), "{}", stdout(&output));
}

#[test]
fn a_gateway_without_a_name_gets_that_of_its_file() {
    let mut document = gateway(80);
    let members = document.as_object_mut().unwrap();
    members.remove("name");
    members.remove("id");
    let files = Files::new(&document);
    let output = run(&["validate", "--strict", &files.gateway()]);
    let text = stdout(&output);
    assert!(output.status.success(), "{text}");
    assert!(
        text.contains("/name: note GW-N-name-of-file: ") && text.contains("'gateway'"),
        "{text}"
    );

    let two = json!([document, document]);
    let output = run(&["validate", &Files::new(&two).gateway()]);
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("/1/name: error GW-E-no-name: "), "{text}");
}

/// The exit status of `validate` for what it is given on standard input, and what it prints.
fn of_stdin(text: &str) -> (Option<i32>, String) {
    let mut child = binary()
        .args(["validate", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(text.as_bytes()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    (output.status.code(), stdout(&output))
}

#[test]
fn standard_input_is_read_and_broken_json_is_told_with_its_line() {
    let (status, text) = of_stdin("{\n  \"name\": }\n");
    assert_eq!(status, Some(1));
    assert!(text.starts_with("stdin: error InvalidJson: "), "{text}");
    assert!(text.contains("line 2, column 11"), "{text}");
}

#[test]
fn comments_stop_nobody_and_hide_no_other_fault() {
    let text = gateway(80).to_string();
    let (status, said) = of_stdin(&text);
    assert_eq!(status, Some(0), "{said}");
    assert_eq!(
        of_stdin(&format!("// ours\n{text} /* all */")),
        (status, said)
    );
    let (status, said) = of_stdin("// ours\n{\n  \"name\": }\n");
    assert_eq!(status, Some(1));
    assert!(said.contains("line 3, column 11"), "{said}");
}

#[test]
fn a_missing_file_does_not_hide_the_others() {
    let files = Files::new(&questionable());
    let missing = files.path("missing.json").display().to_string();
    let output = run(&["validate", &missing, &files.gateway()]);
    assert_eq!(output.status.code(), Some(1));
    let text = stdout(&output);
    assert!(
        text.contains(&format!("{missing}: error GW-E-file: ")),
        "{text}"
    );
    assert!(text.contains("GW-W-unused"), "{text}");
    assert_eq!(stderr(&output), "");
}
