//! The commands that hold this repository together: `cargo xtask lint`, `test` and `bench`.
//!
//! Each works on a machine that has Rust, git and a C compiler; what else a step would like
//! to have (cargo-deny, the bench's peers) is named when it is missing.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line tool talks on its standard streams"
)]

mod bench;
mod lint;
mod python;
mod steps;
mod test;

use std::process::ExitCode;

use steps::Workspace;

const USAGE: &str = "\
usage: cargo xtask <command>

  lint              formatting, clippy, dependency arrows, sizes, wording, licences
  test [--bench]    everything a change must pass: lint, tests (those with az in an environment
                    that is made once), doc tests, fuzz targets;
                    with --bench also a smoke run of the bench harness
  bench [options]   CPU per request beside HAProxy, nginx and Envoy (bench --help)
  bench memory      resident memory per idle connection
  bench scale       one worker against two
  bench compile     compile time and look-up time of a large gateway
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> anyhow::Result<()> {
    let workspace = Workspace::find()?;
    let (command, rest) = match arguments.split_first() {
        Some((command, rest)) => (command.as_str(), rest),
        None => ("help", arguments),
    };
    match command {
        "lint" if rest.is_empty() => lint::run(&workspace),
        "test" => test::run(&workspace, rest),
        "bench" => bench::run(&workspace, rest),
        "help" | "--help" | "-h" => {
            print!("{USAGE}");
            Ok(())
        }
        _ => anyhow::bail!("`{}` is not a command\n{USAGE}", arguments.join(" ")),
    }
}
