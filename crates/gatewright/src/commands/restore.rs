//! `gatewright restore`.

use std::process::ExitCode;

use gatewright_store::{SEALING_KEY_FILE, SEALING_KEY_VARIABLE, restore};

use crate::cli::RestoreArguments;
use crate::output;
use crate::sentence::Sentence;

pub(crate) fn run(arguments: &RestoreArguments) -> Result<ExitCode, Sentence> {
    let RestoreArguments {
        file,
        data_dir,
        replace,
    } = arguments;
    let report = restore(file, data_dir, *replace);
    let report = report.map_err(|error| Sentence::new(error.to_string()))?;
    output::line(format_args!(
        "{} holds the {} entries of revision {}",
        data_dir.display(),
        report.entries,
        report.backup
    ));
    if let Some(aside) = &report.kept_aside {
        output::remark(format_args!(
            "what was there before is in {}",
            aside.display()
        ));
    }
    if !data_dir.join(SEALING_KEY_FILE).exists() && std::env::var_os(SEALING_KEY_VARIABLE).is_none()
    {
        output::remark(format_args!(
            "put the {SEALING_KEY_FILE} of the old folder beside it (or set \
             {SEALING_KEY_VARIABLE}) before a node starts: without it, private keys cannot be read"
        ));
    }
    Ok(ExitCode::SUCCESS)
}
