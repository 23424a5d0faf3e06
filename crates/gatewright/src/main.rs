//! The `gatewright` command.
//!
//! This crate composes and shows: it turns files and flags into the calls of the other crates, and
//! what they say into text. It decides nothing about routing, certificates or traffic itself.

mod admin;
mod attempts;
mod backend_health;
mod bindings;
mod cli;
mod client;
mod commands;
mod control_plane;
mod dev_certs;
mod documents;
mod events;
mod evidence_source;
mod exit;
mod findings;
mod interrupt;
mod live_evidence;
mod maps;
mod network;
mod node;
mod output;
mod pages;
mod paint;
mod plan;
mod request_story;
mod secrets;
mod sentence;
mod settings;
mod site;
mod status;
mod stored;
mod templates;
mod times;
mod watch;
mod yaml;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use crate::cli::{Cli, Command};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return refused(&error),
    };
    output::start_log(&cli.log);
    let result = match cli.command {
        Command::Serve(arguments) => commands::serve::run(*arguments),
        Command::Validate(arguments) => commands::validate::run(&arguments),
        Command::Reload(arguments) => commands::reload::run(&arguments),
        Command::Health(arguments) => commands::health::run(&arguments),
        Command::Collect(arguments) => commands::collect::run(&arguments),
        Command::Diagnose(arguments) => commands::diagnose::run(&arguments),
        Command::Predict(arguments) => commands::predict::run(&arguments),
        Command::Diff(arguments) => commands::diff::run(&arguments),
        Command::Why(arguments) => commands::why::run(&arguments),
        Command::Mcp(arguments) => commands::mcp::run(arguments),
        Command::Explain(arguments) => Ok(commands::explain::run(&arguments)),
        Command::Probe(arguments) => commands::probe::run(&arguments),
        Command::Status(arguments) => commands::status::run(&arguments),
        Command::AzSetup(arguments) => commands::az_setup::run(&arguments),
        Command::Sp(command) => commands::sp::run(&command),
        Command::Backup(arguments) => commands::backup::run(&arguments),
        Command::Restore(arguments) => commands::restore::run(&arguments),
        Command::Demo(arguments) => commands::demo::run(&arguments),
    };
    result.unwrap_or_else(|sentence| {
        output::error(&sentence);
        ExitCode::FAILURE
    })
}

/// Tells what is wrong with the command line, or shows help.
fn refused(error: &clap::Error) -> ExitCode {
    // There is nobody left to tell.
    let _ = error.print();
    let command = Cli::command().ignore_errors(true).try_get_matches();
    let command = command
        .ok()
        .and_then(|found| found.subcommand_name().map(str::to_owned));
    // 2, clap's own, is an answer of `diagnose`; of the others, 64 is promised.
    let own = ["collect", "diagnose", "diff", "explain", "predict"];
    let has_own = command.is_some_and(|command| own.contains(&command.as_str()));
    match error.exit_code() {
        0 => ExitCode::SUCCESS,
        _ if has_own => ExitCode::from(exit::USAGE),
        other => u8::try_from(other).map_or(ExitCode::FAILURE, ExitCode::from),
    }
}
