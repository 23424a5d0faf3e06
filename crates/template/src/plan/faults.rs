//! The sentences around a fault of a resource or an output.

use serde_json::Value;

use crate::document::{Document, Path, given};
use crate::error::{TemplateError, quoted};
use crate::evaluate::Stop;
use crate::template::told;

/// A fault in what makes the resource at `path`.
pub(super) fn resource(
    document: &Document,
    path: &Path,
    raw: &Value,
    stop: &Stop,
) -> TemplateError {
    let (line, column) = document.position(path);
    let name = given(raw, "name")
        .and_then(|(_, name)| name.as_str())
        .unwrap_or_default();
    let reason = format!(
        "The template resource '{}' at line '{line}' and column '{column}' is not valid: {}. \
         Please see https://aka.ms/arm-syntax-resources for usage details.",
        quoted(name),
        told(stop).trim_end_matches('.')
    );
    document.invalid(&stop.path, &reason)
}

/// A fault in the body of the resource at `path`.
pub(super) fn body(document: &Document, path: &Path, id: &str, stop: &Stop) -> TemplateError {
    let (line, column) = document.position(path);
    let reason = told(stop);
    TemplateError {
        message: format!(
            "Unable to process template language expressions for resource '{id}' at line '{line}' \
             and column '{column}'. '{reason}'"
        ),
        ..document.invalid(&stop.path, &reason)
    }
}

pub(super) fn output(document: &Document, name: &str, stop: &Stop) -> TemplateError {
    let reason = format!(
        "The template output '{}' is not valid: {}. Please see \
         https://aka.ms/arm-template/#outputs for usage details.",
        quoted(name),
        told(stop).trim_end_matches('.')
    );
    document.invalid(&stop.path, &reason)
}
