//! `gatewright demo`.

use std::process::ExitCode;

use crate::cli::DemoArguments;
use crate::sentence::Sentence;

pub(crate) fn run(_arguments: &DemoArguments) -> Result<ExitCode, Sentence> {
    Err(Sentence::new("soon"))
}
