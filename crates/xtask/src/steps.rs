//! Running cargo and other programs as steps: each is named, timed, and fails with its name.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

/// Where the workspace lies and how its commands are run.
pub(crate) struct Workspace {
    root: PathBuf,
    cargo: PathBuf,
    /// Set only when this process chose the directory; otherwise cargo's own rules hold.
    target: Option<PathBuf>,
}

impl Workspace {
    /// Finds the workspace that cargo runs this program for. Where it was built says little: clones
    /// that share a target directory share this program too.
    pub(crate) fn find() -> anyhow::Result<Self> {
        let own = std::env::var_os("CARGO_MANIFEST_DIR");
        let own = PathBuf::from(own.context("this is run by cargo, as cargo xtask")?);
        let root = own
            .ancestors()
            .nth(2)
            .context("xtask must lie two folders below the workspace's root")?
            .to_path_buf();
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        Ok(Self {
            root,
            cargo: cargo.into(),
            target: target_in_ci(&|name| std::env::var_os(name)),
        })
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// True where a run must be repeatable: cargo may not touch the lock file there.
    pub(crate) fn in_ci(&self) -> bool {
        is_set(std::env::var_os("CI").as_deref())
    }

    /// In CI, where what earlier runs built is kept: where that lies.
    pub(crate) fn kept_target(&self) -> Option<PathBuf> {
        let named = std::env::var_os("CARGO_TARGET_DIR").map(|named| self.root.join(named));
        self.target.clone().or(named).filter(|_| self.in_ci())
    }

    pub(crate) fn cargo(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(&self.cargo);
        command.args(arguments);
        command
    }

    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root);
        if let Some(target) = &self.target {
            command.env("CARGO_TARGET_DIR", target);
        }
        command
    }
}

fn is_set(value: Option<&std::ffi::OsStr>) -> bool {
    value.is_some_and(|value| !value.is_empty())
}

/// In CI every run is a fresh clone; a target directory outside it keeps what the last run built.
fn target_in_ci(environment: &dyn Fn(&str) -> Option<std::ffi::OsString>) -> Option<PathBuf> {
    let has = |name| is_set(environment(name).as_deref());
    if !has("CI") || has("CARGO_TARGET_DIR") {
        return None;
    }
    Some(cache_folder(environment)?.join("target"))
}

/// Where what takes long to make is kept between runs.
pub(crate) fn cache_folder(
    environment: &dyn Fn(&str) -> Option<std::ffi::OsString>,
) -> Option<PathBuf> {
    let given = |name| environment(name).filter(|value| is_set(Some(value)));
    let cache = given("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| Some(PathBuf::from(environment("HOME")?).join(".cache")))?;
    Some(cache.join("gatewright"))
}

/// What became of one step.
enum Outcome {
    Passed,
    Failed(String),
    Skipped(String),
}

/// The steps that have run, in order, with their times.
#[derive(Default)]
pub(crate) struct Steps {
    done: Vec<(String, Duration, Outcome)>,
}

impl Steps {
    /// Runs one step; a failure is kept for the summary, so that later steps still report.
    pub(crate) fn run(&mut self, name: &str, step: impl FnOnce() -> anyhow::Result<()>) {
        println!("\n== {name}");
        let start = Instant::now();
        let outcome = match step() {
            Ok(()) => Outcome::Passed,
            Err(error) => {
                println!("{name}: {error:#}");
                Outcome::Failed(format!("{error:#}"))
            }
        };
        self.done.push((name.to_owned(), start.elapsed(), outcome));
    }

    /// Runs a step that provides what later ones can do without; a failure is why it is skipped.
    pub(crate) fn provide<T>(
        &mut self,
        name: &str,
        step: impl FnOnce() -> anyhow::Result<T>,
    ) -> Option<T> {
        println!("\n== {name}");
        let start = Instant::now();
        let (provided, outcome) = match step() {
            Ok(provided) => (Some(provided), Outcome::Passed),
            Err(error) => {
                println!("skipped: {error:#}");
                (None, Outcome::Skipped(format!("{error:#}")))
            }
        };
        self.done.push((name.to_owned(), start.elapsed(), outcome));
        provided
    }

    pub(crate) fn skip(&mut self, name: &str, why: &str) {
        println!("\n== {name}\nskipped: {why}");
        self.done.push((
            name.to_owned(),
            Duration::ZERO,
            Outcome::Skipped(why.to_owned()),
        ));
    }

    /// Prints one line for each step; an error if any of them failed.
    pub(crate) fn summary(&self) -> anyhow::Result<()> {
        println!("\n== summary");
        let mut failed = Vec::new();
        for (name, time, outcome) in &self.done {
            let (word, note) = match outcome {
                Outcome::Passed => ("ok", String::new()),
                Outcome::Skipped(why) => ("skipped", format!("  {why}")),
                Outcome::Failed(why) => {
                    failed.push(name.as_str());
                    (
                        "FAILED",
                        format!("  {}", why.lines().next().unwrap_or_default()),
                    )
                }
            };
            println!("{word:<8} {:>7.1} s  {name}{note}", time.as_secs_f64());
        }
        if !failed.is_empty() {
            bail!("failed: {}", failed.join(", "));
        }
        Ok(())
    }
}

/// Runs a program to its end with its output streaming through; its failure is an error.
pub(crate) fn must_succeed(command: &mut Command) -> anyhow::Result<()> {
    let shown = shown(command);
    let status = command
        .status()
        .with_context(|| format!("cannot start `{shown}`"))?;
    if !status.success() {
        bail!("`{shown}` ended with {status}");
    }
    Ok(())
}

/// Runs a program to its end and hands back what it printed; its failure is an error.
pub(crate) fn output_of(command: &mut Command) -> anyhow::Result<String> {
    let shown = shown(command);
    let output = command
        .output()
        .with_context(|| format!("cannot start `{shown}`"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("`{shown}` ended with {}: {}", output.status, said.trim());
    }
    String::from_utf8(output.stdout).with_context(|| format!("`{shown}` printed no UTF-8"))
}

fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let mut words = vec![program.file_name().unwrap_or_default().to_string_lossy()];
    words.extend(
        command
            .get_args()
            .map(|argument| argument.to_string_lossy()),
    );
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(variables: &[(&str, &str)]) -> Option<PathBuf> {
        target_in_ci(&|name| {
            let found = variables.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| std::ffi::OsString::from(value))
        })
    }

    #[test]
    fn outside_ci_cargo_decides_where_to_build() {
        assert_eq!(chosen(&[("HOME", "/h")]), None);
        assert_eq!(chosen(&[("CI", ""), ("HOME", "/h")]), None);
    }

    #[test]
    fn in_ci_builds_go_to_the_cache_unless_a_place_was_named() {
        let cache = Some(PathBuf::from("/h/.cache/gatewright/target"));
        assert_eq!(chosen(&[("CI", "true"), ("HOME", "/h")]), cache);
        let named = [("CI", "1"), ("HOME", "/h"), ("XDG_CACHE_HOME", "/c")];
        assert_eq!(chosen(&named), Some(PathBuf::from("/c/gatewright/target")));
        assert_eq!(
            chosen(&[("CI", "1"), ("HOME", "/h"), ("CARGO_TARGET_DIR", "/t")]),
            None
        );
    }

    #[test]
    fn a_failed_step_fails_the_summary_and_a_skipped_one_does_not() {
        let mut steps = Steps::default();
        steps.skip("absent", "not here");
        assert_eq!(steps.provide("given", || Ok(1)), Some(1));
        assert_eq!(steps.provide::<u8>("wanting", || bail!("not here")), None);
        steps.run("good", || Ok(()));
        assert!(steps.summary().is_ok());
        steps.run("bad", || bail!("broken"));
        let error = steps.summary().map_err(|error| error.to_string());
        assert_eq!(error, Err("failed: bad".to_owned()));
    }
}
