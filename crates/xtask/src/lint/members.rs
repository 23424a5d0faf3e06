//! Each member inherits the workspace's lints, and the pure crates stay pure.

use anyhow::Context;
use serde_json::Value;

use super::Finding;
use super::sources::Source;

pub(crate) fn check(metadata: &Value) -> anyhow::Result<Vec<Finding>> {
    let members = super::arrows::members(metadata)?;
    let mut findings = Vec::new();
    for member in members {
        let manifest = member["manifest_path"]
            .as_str()
            .context("a package has no manifest")?;
        let text =
            std::fs::read_to_string(manifest).with_context(|| format!("cannot read {manifest}"))?;
        findings.extend(check_manifest(
            member["name"].as_str().unwrap_or_default(),
            &text,
        ));
    }
    Ok(findings)
}

/// Without this line a member may use unsafe code and ignore every warning.
fn check_manifest(name: &str, manifest: &str) -> Option<Finding> {
    let mut lines = manifest.lines().map(str::trim);
    let inherits = lines.by_ref().any(|line| line == "[lints]")
        && lines.take_while(|line| !line.starts_with('[')).any(|line| {
            line.split_once('=')
                .is_some_and(|(key, value)| key.trim() == "workspace" && value.trim() == "true")
        });
    (!inherits).then(|| {
        Finding::error(
            format!("{name}/Cargo.toml"),
            "the workspace's lints are not inherited; add `[lints]` with `workspace = true`",
        )
    })
}

/// Crates whose functions depend on their arguments only: no async, no I/O, no clock.
const PURE_SOURCES: [&str; 5] = [
    "crates/arm/src/",
    "crates/compile/src/",
    "crates/diagnosis/src/",
    "crates/snapshot/src/",
    "crates/template/src/",
];

/// What would make a pure crate impure, and what to do instead.
const IMPURE: [(&str, &str); 8] = [
    ("std::fs", "take the bytes as an argument"),
    ("std::process", "leave other programs to the binary"),
    ("std::thread", "leave threads to the caller"),
    ("TcpStream", "leave sockets to the data plane"),
    ("UdpSocket", "leave sockets to the data plane"),
    ("Instant::now", "take the time as an argument"),
    ("SystemTime::now", "take the time as an argument"),
    ("now_utc", "take the time as an argument"),
];

/// Reads up to the tests: those may read fixtures.
pub(crate) fn check_purity(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !PURE_SOURCES
        .iter()
        .any(|pure| source.path.starts_with(pure))
        || source.path.ends_with("tests.rs")
    {
        return findings;
    }
    let product = source
        .text
        .lines()
        .take_while(|line| line.trim() != "#[cfg(test)]");
    for (index, line) in product.enumerate() {
        if line.trim_start().starts_with("//") {
            continue;
        }
        for (impure, instead) in IMPURE {
            if line.contains(impure) {
                let what = format!("`{impure}` in a crate without I/O and clock: {instead}");
                findings.push(Finding::error(source.at(index + 1), what));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_must_inherit_the_lints() {
        let good = "[package]\nname = \"a\"\n\n[lints]\nworkspace = true\n";
        assert_eq!(check_manifest("a", good), None);
        for bad in [
            "[package]\nworkspace = true\n",
            "[lints]\nworkspace = false\n",
            "[lints]\n[dependencies]\nworkspace = true\n",
        ] {
            assert!(check_manifest("a", bad).is_some(), "{bad}");
        }
    }

    #[test]
    fn a_pure_crate_reads_no_clock_outside_its_tests() {
        let at = |path: &str, text: &str| {
            check_purity(&Source {
                path: path.to_owned(),
                text: text.to_owned(),
            })
            .len()
        };
        let clock = "let now = Instant::now();\n";
        assert_eq!(at("crates/compile/src/lib.rs", clock), 1);
        assert_eq!(at("crates/dataplane/src/lib.rs", clock), 0);
        assert_eq!(at("crates/compile/src/lib.rs", &format!("// {clock}")), 0);
        assert_eq!(
            at(
                "crates/compile/src/lib.rs",
                &format!("#[cfg(test)]\n{clock}")
            ),
            0
        );
    }
}
