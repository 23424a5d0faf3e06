//! The two ways out: standard output for results, standard error for everything else.

use std::fmt;
use std::io::{self, IsTerminal, Write};

use tracing_subscriber::EnvFilter;

use crate::sentence::Sentence;

/// How results are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Format {
    #[default]
    Text,
    Json,
}

/// Logs to standard error from now on. `filter` has the syntax of `tracing`'s `EnvFilter`; one that
/// cannot be read is told, and `info` is used.
pub(crate) fn start_log(filter: &str) {
    let (filter, complaint) = match EnvFilter::try_new(filter) {
        Ok(filter) => (filter, None),
        Err(error) => (EnvFilter::new("info"), Some(error.to_string())),
    };
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .with_target(false)
        .init();
    if let Some(complaint) = complaint {
        tracing::warn!("--log is not a log filter ({complaint}), so `info` is used instead");
    }
}

/// Writes a line of results. A reader that went away ends nothing: whoever pipes into `head` has
/// what they want.
pub(crate) fn line(text: impl fmt::Display) {
    let mut stdout = io::stdout().lock();
    // There is nobody left to tell.
    let _ = writeln!(stdout, "{text}").and_then(|()| stdout.flush());
}

/// Writes a line that is no result.
pub(crate) fn remark(text: impl fmt::Display) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Says why a command failed.
pub(crate) fn error(sentence: &Sentence) {
    remark(format_args!("error: {sentence}"));
}
