//! `gatewright backup`.

use std::process::ExitCode;

use gatewright_store::{SEALING_KEY_FILE, SEALING_KEY_VARIABLE};
use serde_json::json;

use crate::cli::BackupArguments;
use crate::client::Question;
use crate::control_plane::NodeFile;
use crate::output;
use crate::sentence::Sentence;

pub(crate) fn run(arguments: &BackupArguments) -> Result<ExitCode, Sentence> {
    let node = NodeFile::read(&arguments.node.data_dir)?;
    // The node may have been started in another folder.
    let file = std::path::absolute(&arguments.file)
        .map_err(|error| Sentence::new(format!("{}: {error}", arguments.file.display())))?;
    let made = node.ask(Question::Post("/backup", Some(&json!({"to": file}))))?;
    output::line(format_args!(
        "{} holds everything up to revision {}",
        file.display(),
        made["revision"]
    ));
    output::remark(format_args!(
        "private keys and passwords in it are sealed: keep {} (or the value of \
         {SEALING_KEY_VARIABLE}) as well, and in another place",
        arguments.node.data_dir.join(SEALING_KEY_FILE).display()
    ));
    Ok(ExitCode::SUCCESS)
}
