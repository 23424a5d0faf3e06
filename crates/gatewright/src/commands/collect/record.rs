//! What a collection says of itself, beside what it collected.

use serde_json::{Value, json};

use super::az::{Answer, Run};
use super::picture::Question;
use crate::secrets::Cleaner;

/// Its file.
pub(super) const RECORD: &str = crate::evidence_source::COLLECTED;

/// A command of the collection, and what came of it.
pub(super) fn command(question: &Question, run: &Run, cleaner: &Cleaner) -> Value {
    let (outcome, reason) = match &run.answer {
        Answer::Value(_) => ("read", None),
        Answer::Nothing => ("nothing", None),
        Answer::Failed(reason) | Answer::NoProgram(reason) => {
            ("failed", Some(cleaner.text(reason)))
        }
    };
    let mut told = json!({
        "command": cleaner.text(&run.command),
        "for": question.what,
        "file": question.file,
        "began": run.began,
        "milliseconds": u64::try_from(run.took.as_millis()).unwrap_or(u64::MAX),
        "outcome": outcome,
    });
    if let (Some(told), Some(reason)) = (told.as_object_mut(), reason) {
        told.insert("reason".to_owned(), reason.into());
    }
    told
}
