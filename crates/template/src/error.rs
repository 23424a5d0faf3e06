//! What is wrong with a template: in the service's words where they are known, and where it is.

use serde_json::{Value, json};

/// Longest piece of a text of the template that a message repeats, in characters.
const QUOTED_CHARACTERS_MAX: usize = 120;

/// Why a template is refused.
///
/// The sentence of a missing parameter, the envelope and its `additionalInfo` are as recorded from
/// the service. The other sentences follow what it is known to say; they were not recorded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct TemplateError {
    /// The error code of the service: `InvalidTemplate` for nearly everything.
    pub code: &'static str,
    /// The sentence. Values of secure parameters are never in it.
    pub message: String,
    /// 1 for the first line of the text that was read; 0 where there was no text.
    pub line: u32,
    /// Last character of the value's first token, 1 for the first of the line, in UTF-16 units: so
    /// counts the service. 0 where there was no text.
    pub column: u32,
    /// Where in the request, as `properties.template.parameters.name`.
    pub path: String,
}

impl TemplateError {
    /// The error as the service answers it: the value of the member `error`.
    pub fn to_json(&self) -> Value {
        json!({
            "code": self.code,
            "message": self.message,
            "additionalInfo": [{
                "type": "TemplateViolation",
                "info": {
                    "lineNumber": self.line,
                    "linePosition": self.column,
                    "path": self.path,
                },
            }],
        })
    }
}

pub(crate) const INVALID_TEMPLATE: &str = "InvalidTemplate";

/// A text of the template, short enough for a message.
pub(crate) fn quoted(text: &str) -> String {
    match text.char_indices().nth(QUOTED_CHARACTERS_MAX) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text.to_owned(),
    }
}
