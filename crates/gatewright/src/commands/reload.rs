//! `gatewright reload`.

use std::process::ExitCode;

use serde_json::Value;

use crate::cli::ReloadArguments;
use crate::client::{self, OK, Question};
use crate::output;
use crate::sentence::Sentence;

pub(crate) fn run(arguments: &ReloadArguments) -> Result<ExitCode, Sentence> {
    let answer = client::ask(arguments.admin, Question::Post("/reload", None))?;
    let text = |value: &Value, member: &str| {
        value
            .get(member)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let diagnostics = answer.body.get("diagnostics").and_then(Value::as_array);
    let mut has_told = false;
    for one in diagnostics.into_iter().flatten() {
        let [file, pointer, severity] = ["file", "pointer", "severity"].map(|name| text(one, name));
        let [code, message, help] = ["code", "message", "help"].map(|name| text(one, name));
        has_told |= severity == "error";
        let colon = if pointer.is_empty() { "" } else { ":" };
        output::remark(format_args!(
            "{file}{colon}{pointer}: {severity} {code}: {message}"
        ));
        if !help.is_empty() {
            output::remark(format_args!("  help: {help}"));
        }
    }
    let revision = answer.body.get("revision").and_then(Value::as_u64);
    match (answer.status, revision) {
        (OK, Some(revision)) => {
            output::line(format_args!("reloaded: revision {revision} is served"));
            Ok(ExitCode::SUCCESS)
        }
        (_, revision) => {
            let served = match revision {
                Some(revision) => format!(", and revision {revision} is served on"),
                None => String::new(),
            };
            let why = text(&answer.body, "error");
            // The diagnostics above say it in full.
            let why = if has_told {
                String::new()
            } else {
                format!(": {why}")
            };
            Err(Sentence::new(format!("not reloaded{served}{why}")))
        }
    }
}
