//! The dependency arrows: every crate exists because of a dependency that it forbids.
//!
//! The table below is the drawing of the house; `cargo metadata` says what is so.

use std::collections::{BTreeMap, BTreeSet};

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
const COMPILE: &str = "gatewright-compile";
const SNAPSHOT: &str = "gatewright-snapshot";
const STORE: &str = "gatewright-store";
const TELEMETRY: &str = "gatewright-telemetry";
const TESTKIT: &str = "gatewright-testkit";

const HOUSE: [Rule; 13] = [
    pure(ARM, &[]),
    pure(SNAPSHOT, &[]),
    pure(COMPILE, &[ARM, SNAPSHOT]),
    pure(TELEMETRY, &[]),
    pure("gatewright-diagnosis", &[ARM, COMPILE, SNAPSHOT, TELEMETRY]),
    rule("gatewright-dataplane", May::Only(&[SNAPSHOT, TELEMETRY])),
    rule(STORE, May::Only(&[])),
    rule(
        "gatewright-control",
        May::Only(&[ARM, COMPILE, STORE, TELEMETRY]),
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
    findings.extend(check_graph(metadata, &members)?);
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

/// Follows the resolved graph: what a crate must not have, it must not have anywhere below it.
fn check_graph(metadata: &Value, members: &[&Value]) -> anyhow::Result<Vec<Finding>> {
    let graph = Graph::read(metadata)?;
    let mut findings = Vec::new();
    for (id, name) in &graph.names {
        if OTHER_PROVIDERS.contains(name) {
            let users = graph.users_of(id).join(", ");
            let what = format!(
                "`{name}` is in the dependency graph (through {users}); turn off the feature \
                 that asks for it: aws-lc-rs is the one provider of cryptography"
            );
            findings.push(Finding::error("Cargo.lock", what));
        }
    }
    for member in members {
        let name = member["name"].as_str().unwrap_or_default();
        let pure = HOUSE
            .iter()
            .any(|rule| rule.member == name && rule.runs_without_a_runtime);
        let id = member["id"].as_str().unwrap_or_default();
        for runtime in graph
            .below(id)
            .into_iter()
            .filter(|below| pure && RUNTIMES.contains(below))
        {
            let what = format!(
                "{name} must stay free of async runtimes, but `{runtime}` is below it; run \
                 `cargo tree -p {name} -i {runtime} -e normal` and drop what brings it"
            );
            findings.push(Finding::error(format!("{name}/Cargo.toml"), what));
        }
    }
    Ok(findings)
}

/// The resolved graph without the edges that only tests have.
struct Graph<'a> {
    names: BTreeMap<&'a str, &'a str>,
    edges: BTreeMap<&'a str, Vec<&'a str>>,
}

impl<'a> Graph<'a> {
    fn read(metadata: &'a Value) -> anyhow::Result<Self> {
        let packages = metadata["packages"].as_array().context("no packages")?;
        let nodes = metadata["resolve"]["nodes"]
            .as_array()
            .context("no resolved graph")?;
        let name_of: BTreeMap<&str, &str> = packages
            .iter()
            .filter_map(|package| Some((package["id"].as_str()?, package["name"].as_str()?)))
            .collect();
        let mut graph = Self {
            names: BTreeMap::new(),
            edges: BTreeMap::new(),
        };
        for node in nodes {
            let id = node["id"].as_str().context("a node has no id")?;
            graph
                .names
                .insert(id, name_of.get(id).copied().unwrap_or(id));
            let dependencies = node["deps"].as_array().map_or(&[][..], Vec::as_slice);
            let kept = dependencies.iter().filter(|edge| outlives_tests(edge));
            graph
                .edges
                .insert(id, kept.filter_map(|edge| edge["pkg"].as_str()).collect());
        }
        Ok(graph)
    }

    /// The names of everything that this package is built from.
    fn below(&self, id: &'a str) -> BTreeSet<&'a str> {
        let mut seen = BTreeSet::new();
        let mut waiting = vec![id];
        while let Some(id) = waiting.pop() {
            if seen.insert(id) {
                waiting.extend(self.edges.get(id).into_iter().flatten());
            }
        }
        seen.iter()
            .filter_map(|id| self.names.get(id).copied())
            .collect()
    }

    fn users_of(&self, id: &str) -> Vec<&'a str> {
        let users = self.edges.iter().filter(|(_, below)| below.contains(&id));
        users
            .filter_map(|(user, _)| self.names.get(user).copied())
            .collect()
    }
}

fn outlives_tests(edge: &Value) -> bool {
    let kinds = edge["dep_kinds"].as_array().map_or(&[][..], Vec::as_slice);
    kinds.iter().any(|kind| kind["kind"] != "dev")
}

#[cfg(test)]
#[path = "arrows_tests.rs"]
mod tests;
