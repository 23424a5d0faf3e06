//! `cargo xtask lint`: the house rules that a machine can hold.
//!
//! Each check yields findings; each finding is one line: where, what is wrong, what is right.

mod arrows;
mod members;
mod sizes;
mod sources;
mod wording;

use std::fmt;

use anyhow::bail;

use crate::steps::{Steps, Workspace, must_succeed, output_of};
use sources::Source;

/// Whether a finding fails the lint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weight {
    Error,
    Notice,
}

/// One broken rule at one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    weight: Weight,
    place: String,
    what: String,
}

impl Finding {
    pub(crate) fn error(place: impl Into<String>, what: impl Into<String>) -> Self {
        Self {
            weight: Weight::Error,
            place: place.into(),
            what: what.into(),
        }
    }

    pub(crate) fn notice(place: impl Into<String>, what: impl Into<String>) -> Self {
        Self {
            weight: Weight::Notice,
            place: place.into(),
            what: what.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let weight = match self.weight {
            Weight::Error => "error",
            Weight::Notice => "notice",
        };
        write!(f, "{}: {weight}: {}", self.place, self.what)
    }
}

/// The lint alone, as a command of its own.
pub(crate) fn run(workspace: &Workspace) -> anyhow::Result<()> {
    let mut steps = Steps::default();
    self::steps(workspace, &mut steps);
    steps.summary()
}

/// The lint's steps, cheapest first, so that the first answer comes early.
pub(crate) fn steps(workspace: &Workspace, steps: &mut Steps) {
    steps.run("format", || {
        must_succeed(&mut workspace.cargo(&["fmt", "--all", "--check"]))
    });
    steps.run("house rules", || report(&house_rules(workspace)?));
    deny(workspace, steps);
    steps.run("clippy", || {
        let mut clippy = workspace.cargo(&["clippy", "--workspace", "--all-targets"]);
        must_succeed(clippy.args(["--", "-D", "warnings"]))
    });
}

fn house_rules(workspace: &Workspace) -> anyhow::Result<Vec<Finding>> {
    let mut metadata = workspace.cargo(&["metadata", "--format-version", "1"]);
    if workspace.in_ci() {
        metadata.arg("--locked");
    }
    let metadata: serde_json::Value = serde_json::from_str(&output_of(&mut metadata)?)?;
    let mut findings = arrows::check(&metadata)?;
    findings.extend(members::check(&metadata)?);
    findings.extend(arrows::check_providers(&tree(workspace, &["--workspace"])?));
    for member in arrows::pure_members(&metadata)? {
        let below = tree(workspace, &["-p", member, "-e", "normal,build"])?;
        findings.extend(arrows::check_runtimes(member, &below));
    }
    let private = wording::private_folders(workspace.root(), std::env::var_os("HOME"));
    for source in sources::tracked(workspace)? {
        check_source(&source, &private, &mut findings);
    }
    Ok(findings)
}

/// What is really built, one `name vVERSION` in a line. The graph in `cargo metadata` will not
/// do: it has optional dependencies that only a weak feature (`ring?/std`) names.
fn tree(workspace: &Workspace, of: &[&str]) -> anyhow::Result<String> {
    let mut tree = workspace.cargo(&["tree", "--target", "all", "--prefix", "none"]);
    output_of(tree.args(["--format", "{p}"]).args(of))
}

fn check_source(source: &Source, private: &[String], findings: &mut Vec<Finding>) {
    findings.extend(wording::check(source, private));
    if source.is_rust() {
        findings.extend(sizes::check(source));
        findings.extend(members::check_purity(source));
    }
}

fn report(findings: &[Finding]) -> anyhow::Result<()> {
    for finding in findings {
        println!("{finding}");
    }
    let errors = findings
        .iter()
        .filter(|finding| finding.weight == Weight::Error)
        .count();
    println!("{errors} errors, {} notices", findings.len() - errors);
    if errors > 0 {
        bail!("{errors} broken house rules");
    }
    Ok(())
}

/// Licences, duplicate providers and sources, where the tool for them is installed; and advisories,
/// where their database can be fetched.
fn deny(workspace: &Workspace, steps: &mut Steps) {
    const NAME: &str = "dependencies (cargo-deny)";
    const ADVISORIES: &str = "advisories (cargo-deny)";
    if output_of(&mut workspace.cargo(&["deny", "--version"])).is_err() {
        steps.skip(
            NAME,
            "cargo-deny is not installed (cargo install cargo-deny --locked)",
        );
        return;
    }
    let check = |what: &[&str]| must_succeed(workspace.cargo(&["deny", "check"]).args(what));
    steps.run(NAME, || check(&["bans", "licenses", "sources"]));
    if output_of(&mut workspace.cargo(&["deny", "fetch", "db"])).is_err() {
        steps.skip(ADVISORIES, "their database cannot be fetched from here");
        return;
    }
    steps.run(ADVISORIES, || check(&["advisories"]));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_is_shown_but_only_an_error_fails() {
        let notice = Finding::notice("a.rs:1", "long");
        assert_eq!(notice.to_string(), "a.rs:1: notice: long");
        assert!(report(std::slice::from_ref(&notice)).is_ok());
        assert!(report(&[notice, Finding::error("a.rs:2", "too long")]).is_err());
    }
}
