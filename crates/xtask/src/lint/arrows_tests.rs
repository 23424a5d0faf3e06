use serde_json::json;

use super::*;

type Edge = (&'static str, &'static str, &'static str);

/// A workspace of these members; each edge is (from, to, kind), where kind is "" for normal.
fn metadata(members: &[&str], others: &[&str], edges: &[Edge]) -> Value {
    let kind = |kind: &str| {
        if kind.is_empty() {
            Value::Null
        } else {
            json!(kind)
        }
    };
    let mut packages = Vec::new();
    let mut nodes = Vec::new();
    for name in members.iter().chain(others) {
        let mut dependencies = Vec::new();
        let mut deps = Vec::new();
        for (_, to, of) in edges.iter().filter(|(from, ..)| from == name) {
            dependencies.push(json!({"name": to, "kind": kind(of)}));
            deps.push(json!({"pkg": to, "dep_kinds": [{"kind": kind(of)}]}));
        }
        packages.push(json!({"id": name, "name": name, "dependencies": dependencies}));
        nodes.push(json!({"id": name, "deps": deps}));
    }
    json!({"workspace_members": members, "packages": packages, "resolve": {"nodes": nodes}})
}

fn findings(members: &[&str], others: &[&str], edges: &[Edge]) -> Vec<String> {
    let found = check(&metadata(members, others, edges)).expect("the metadata is well formed");
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
    assert_eq!(findings(&members, &["tokio"], &edges), Vec::<String>::new());
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
        let found = findings(&[from, to], &[], &[(from, to, "")]);
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
    assert!(findings(&members, &[], &edge("dev")).is_empty());
    let found = findings(&members, &[], &edge(""));
    assert_eq!(found.len(), 1);
    assert!(found[0].contains("in its tests only"), "{}", found[0]);
}

#[test]
fn a_test_may_not_turn_an_arrow_round_either() {
    let found = findings(&[SNAPSHOT, COMPILE], &[], &[(SNAPSHOT, COMPILE, "dev")]);
    assert_eq!(found.len(), 1, "{found:?}");
}

#[test]
fn an_unknown_member_is_an_error() {
    let found = findings(&["gatewright-cellar"], &[], &[]);
    assert_eq!(found.len(), 1);
    assert!(
        found[0].contains("does not know this member"),
        "{}",
        found[0]
    );
}

#[test]
fn a_runtime_far_below_a_pure_crate_is_found_and_below_its_tests_is_not() {
    let members = [COMPILE, ARM];
    let others = ["helper", "tokio"];
    let edges = |kind| {
        [
            (COMPILE, ARM, ""),
            (ARM, "helper", kind),
            ("helper", "tokio", ""),
        ]
    };
    let found = findings(&members, &others, &edges(""));
    assert_eq!(
        found.len(),
        2,
        "both {ARM} and {COMPILE} have it below them: {found:?}"
    );
    assert!(findings(&members, &others, &edges("dev")).is_empty());
}

#[test]
fn a_second_provider_of_cryptography_is_found_wherever_it_is() {
    let edges = [("gatewright", "client", ""), ("client", "ring", "")];
    let found = findings(&["gatewright"], &["client", "ring"], &edges);
    assert_eq!(found.len(), 1);
    assert!(found[0].contains("through client"), "{}", found[0]);
}
