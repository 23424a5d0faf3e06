use serde_json::json;

use super::*;

type Edge = (&'static str, &'static str, &'static str);

/// A workspace of these members; each edge is (from, to, kind), where kind is "" for normal.
fn metadata(members: &[&str], edges: &[Edge]) -> Value {
    let kind = |kind: &str| match kind {
        "" => Value::Null,
        kind => json!(kind),
    };
    let package = |name: &&str| {
        let own = edges.iter().filter(|(from, ..)| from == name);
        let dependencies: Vec<Value> = own
            .map(|(_, to, of)| json!({"name": to, "kind": kind(of)}))
            .collect();
        json!({"id": name, "name": name, "dependencies": dependencies})
    };
    let packages: Vec<Value> = members.iter().map(package).collect();
    json!({"workspace_members": members, "packages": packages})
}

fn findings(members: &[&str], edges: &[Edge]) -> Vec<String> {
    let found = check(&metadata(members, edges)).expect("the metadata is well formed");
    found.iter().map(Finding::to_string).collect()
}

#[test]
fn the_house_as_drawn_is_accepted() {
    let members = [
        ARM,
        SNAPSHOT,
        COMPILE,
        TELEMETRY,
        "gatewright-dataplane",
        "gatewright",
        TESTKIT,
    ];
    let edges = [
        (COMPILE, ARM, ""),
        (COMPILE, SNAPSHOT, ""),
        ("gatewright-dataplane", SNAPSHOT, ""),
        ("gatewright-dataplane", TELEMETRY, ""),
        ("gatewright-dataplane", "tokio", ""),
        ("gatewright-dataplane", TESTKIT, "dev"),
        ("gatewright", "gatewright-dataplane", ""),
        ("gatewright", TESTKIT, ""),
    ];
    assert_eq!(findings(&members, &edges), Vec::<String>::new());
}

#[test]
fn an_arrow_against_the_drawing_is_found() {
    for (from, to) in [
        (SNAPSHOT, ARM),
        ("gatewright-dataplane", ARM),
        ("gatewright-control", "gatewright-dataplane"),
        (TELEMETRY, SNAPSHOT),
        (ARM, "gatewright"),
    ] {
        let found = findings(&[from, to], &[(from, to, "")]);
        assert_eq!(found.len(), 1, "{from} -> {to}");
        assert!(
            found[0].contains(&format!("{from} may not depend on {to}")),
            "{}",
            found[0]
        );
    }
}

#[test]
fn tests_may_use_the_testkit_and_the_product_may_not() {
    let members = ["gatewright-dataplane", TESTKIT];
    let edge = |kind| [("gatewright-dataplane", TESTKIT, kind)];
    assert!(findings(&members, &edge("dev")).is_empty());
    let found = findings(&members, &edge(""));
    assert_eq!(found.len(), 1);
    assert!(found[0].contains("in its tests only"), "{}", found[0]);
}

#[test]
fn a_test_may_not_turn_an_arrow_round_either() {
    let found = findings(&[SNAPSHOT, COMPILE], &[(SNAPSHOT, COMPILE, "dev")]);
    assert_eq!(found.len(), 1, "{found:?}");
}

#[test]
fn an_unknown_member_is_an_error() {
    let found = findings(&["gatewright-cellar"], &[]);
    assert_eq!(found.len(), 1);
    assert!(
        found[0].contains("does not know this member"),
        "{}",
        found[0]
    );
}

#[test]
fn only_the_pure_members_are_asked_for_runtimes() {
    let metadata = metadata(&["gatewright", COMPILE, "xtask", ARM], &[]);
    assert_eq!(pure_members(&metadata).expect("members"), [COMPILE, ARM]);
}

#[test]
fn a_runtime_anywhere_below_a_pure_crate_is_found() {
    let clean = "gatewright-arm v0.1.0 (/src/arm)\nserde v1.0.0\ntokio-free v1.0.0\n";
    assert_eq!(check_runtimes(ARM, clean), []);
    let found = check_runtimes(ARM, &format!("{clean}helper v0.2.0\ntokio v1.0.0 (*)\n"));
    assert_eq!(found.len(), 1);
    assert!(
        found[0].to_string().contains("`tokio` is below it"),
        "{}",
        found[0]
    );
}

#[test]
fn a_second_provider_of_cryptography_is_found() {
    let clean = "aws-lc-rs v1.19.0\nstring v1.0.0\nopenssl-probe v0.2.0\n";
    assert_eq!(check_providers(clean), []);
    let found = check_providers(&format!("{clean}ring v0.17.14\nopenssl v0.10.0\n"));
    assert_eq!(found.len(), 2, "{found:?}");
}
