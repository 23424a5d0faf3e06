//! `gatewright explain`.

use std::process::ExitCode;

use gatewright_diagnosis::{Cause, explained, listed};

use crate::cli::ExplainArguments;
use crate::exit;
use crate::output;
use crate::sentence::Sentence;

/// More of what was typed is not repeated, in characters.
const TYPED_CHARS_MAX: usize = 40;

pub(crate) fn run(arguments: &ExplainArguments) -> ExitCode {
    let Some(typed) = &arguments.cause else {
        output::line(output::folded(listed().trim_end()));
        return ExitCode::SUCCESS;
    };
    let Some(cause) = Cause::named(typed) else {
        output::error(&unknown(typed));
        return ExitCode::from(exit::USAGE);
    };
    output::line(output::folded(explained(cause).trim_end()));
    ExitCode::SUCCESS
}

/// That there is no such cause, with those that are close.
pub(crate) fn unknown(typed: &str) -> Sentence {
    let typed: String = typed.chars().take(TYPED_CHARS_MAX).collect();
    let close = Cause::close_to(&typed).into_iter();
    let close = close.map(|cause| format!("{} {}", cause.code(), cause.name()));
    let close: Vec<String> = close.collect();
    let close = match close.split_last() {
        None => "none is close".to_owned(),
        Some((only, [])) => format!("close is {only}"),
        Some((last, others)) => format!("close are {} and {last}", others.join(", ")),
    };
    Sentence::new(format!(
        "there is no cause '{}'; {close}; `gatewright explain` lists all",
        typed.escape_debug()
    ))
}
