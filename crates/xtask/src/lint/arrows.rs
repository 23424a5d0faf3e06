//! The dependency arrows: every crate exists because of a dependency that it forbids.
//!
//! The table below is the drawing of the house; `cargo metadata` says what is so.

use std::collections::BTreeSet;

use anyhow::Context;
use serde_json::Value;

use super::Finding;

/// What a member may depend on inside the workspace.
enum May {
    Only(&'static [&'static str]),
    Anything,
}

/// A member and the arrows that lead away from it.
struct Rule {
    member: &'static str,
    may: May,
    /// No async runtime anywhere below it.
    runs_without_a_runtime: bool,
}

const fn rule(member: &'static str, may: May) -> Rule {
    Rule {
        member,
        may,
        runs_without_a_runtime: false,
    }
}

const fn pure(member: &'static str, may: &'static [&'static str]) -> Rule {
    Rule {
        member,
        may: May::Only(may),
        runs_without_a_runtime: true,
    }
}

const ARM: &str = "gatewright-arm";
const CHAIN: &str = "gatewright-chain";
const COMPILE: &str = "gatewright-compile";
const SNAPSHOT: &str = "gatewright-snapshot";
const STORE: &str = "gatewright-store";
const TELEMETRY: &str = "gatewright-telemetry";
const TEMPLATE: &str = "gatewright-template";
const TESTKIT: &str = "gatewright-testkit";

const HOUSE: [Rule; 15] = [
    pure(ARM, &[]),
    pure(CHAIN, &[]),
    pure(SNAPSHOT, &[]),
    pure(COMPILE, &[ARM, CHAIN, SNAPSHOT]),
    pure(TELEMETRY, &[]),
    pure(TEMPLATE, &[]),
    pure(
        "gatewright-diagnosis",
        &[ARM, CHAIN, COMPILE, SNAPSHOT, TELEMETRY],
    ),
    rule(
        "gatewright-dataplane",
        May::Only(&[CHAIN, SNAPSHOT, TELEMETRY]),
    ),
    rule(STORE, May::Only(&[])),
    rule(
        "gatewright-control",
        May::Only(&[ARM, COMPILE, SNAPSHOT, STORE, TELEMETRY, TEMPLATE]),
    ),
    rule("gatewright-logs", May::Only(&[TELEMETRY])),
    rule("gatewright", May::Anything),
    rule(TESTKIT, May::Only(&[])),
    rule("gatewright-benches", May::Anything),
    rule("xtask", May::Only(&[])),
];

const RUNTIMES: [&str; 8] = [
    "tokio",
    "async-std",
    "smol",
    "async-executor",
    "monoio",
    "glommio",
    "hyper",
    "mio",
];

/// Exactly one provider of cryptography: aws-lc-rs.
const OTHER_PROVIDERS: [&str; 5] = ["ring", "openssl", "openssl-sys", "native-tls", "boring"];

/// Holds the house against the output of `cargo metadata --format-version 1`.
pub(crate) fn check(metadata: &Value) -> anyhow::Result<Vec<Finding>> {
    let members = members(metadata)?;
    let names: BTreeSet<&str> = members
        .iter()
        .filter_map(|member| member["name"].as_str())
        .collect();
    let mut findings = Vec::new();
    for member in &members {
        let name = member["name"].as_str().context("a member has no name")?;
        let place = format!("{name}/Cargo.toml");
        let Some(rule) = HOUSE.iter().find(|rule| rule.member == name) else {
            let what = "the house does not know this member; give it a row in the arrow table \
                        of xtask, with what it may depend on";
            findings.push(Finding::error(place, what));
            continue;
        };
        for dependency in direct(member) {
            if names.contains(dependency.name) && !allows(rule, &dependency) {
                findings.push(Finding::error(place.clone(), forbidden(name, &dependency)));
            }
        }
    }
    Ok(findings)
}

/// The packages of the workspace itself.
pub(crate) fn members(metadata: &Value) -> anyhow::Result<Vec<&Value>> {
    let ids = metadata["workspace_members"]
        .as_array()
        .context("no workspace_members")?;
    let packages = metadata["packages"].as_array().context("no packages")?;
    Ok(packages
        .iter()
        .filter(|package| ids.contains(&package["id"]))
        .collect())
}

struct Dependency<'a> {
    name: &'a str,
    for_tests: bool,
}

fn direct(member: &Value) -> Vec<Dependency<'_>> {
    let listed = member["dependencies"]
        .as_array()
        .map_or(&[][..], Vec::as_slice);
    let named = listed.iter().filter_map(|dependency| {
        let for_tests = dependency["kind"] == "dev";
        Some(Dependency {
            name: dependency["name"].as_str()?,
            for_tests,
        })
    });
    named.collect()
}

fn allows(rule: &Rule, dependency: &Dependency<'_>) -> bool {
    match rule.may {
        May::Anything => dependency.name != "xtask",
        May::Only(names) => {
            names.contains(&dependency.name) || (dependency.for_tests && dependency.name == TESTKIT)
        }
    }
}

fn forbidden(name: &str, dependency: &Dependency<'_>) -> String {
    let to = dependency.name;
    if to == TESTKIT {
        return format!("{name} may use {to} in its tests only; move it to [dev-dependencies]");
    }
    format!(
        "{name} may not depend on {to}: that arrow points against the drawing; move what is \
         shared to a crate that both may see, or compose the two in the binary"
    )
}

/// The members that must stay free of async runtimes.
pub(crate) fn pure_members(metadata: &Value) -> anyhow::Result<Vec<&str>> {
    let members = members(metadata)?;
    let names = members.iter().filter_map(|member| member["name"].as_str());
    let is_pure = |name: &&str| {
        HOUSE
            .iter()
            .any(|rule| rule.member == *name && rule.runs_without_a_runtime)
    };
    Ok(names.filter(is_pure).collect())
}

/// Reads what `cargo tree` prints for the whole workspace.
pub(crate) fn check_providers(tree: &str) -> Vec<Finding> {
    let built = names_in(tree);
    let others = OTHER_PROVIDERS
        .into_iter()
        .filter(|other| built.contains(other));
    let finding = |other| {
        let what = format!(
            "`{other}` is built into the workspace; see `cargo tree -i {other} --target all` and \
             turn off the feature that asks for it: aws-lc-rs is the one provider of cryptography"
        );
        Finding::error("Cargo.lock", what)
    };
    others.map(finding).collect()
}

/// Reads what `cargo tree` prints for one member, without what only its tests use.
pub(crate) fn check_runtimes(member: &str, tree: &str) -> Vec<Finding> {
    let below = names_in(tree);
    let runtimes = RUNTIMES
        .into_iter()
        .filter(|runtime| below.contains(runtime));
    let finding = |runtime| {
        let what = format!(
            "{member} must stay free of async runtimes, but `{runtime}` is below it; run \
             `cargo tree -p {member} -i {runtime} -e normal,build` and drop what brings it"
        );
        Finding::error(format!("{member}/Cargo.toml"), what)
    };
    runtimes.map(finding).collect()
}

/// The names in lines of `name vVERSION …`.
fn names_in(tree: &str) -> BTreeSet<&str> {
    tree.lines()
        .filter_map(|line| line.split_whitespace().next())
        .collect()
}

#[cfg(test)]
#[path = "arrows_tests.rs"]
mod tests;
