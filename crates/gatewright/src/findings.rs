//! What is found in files, and how it is shown.

use std::fmt;

use gatewright_arm::{Diagnostic, Severity};
use serde::Serialize;

/// How bad a [`Finding`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    Error,
    Warning,
    /// Worth knowing, and nothing to mend.
    Note,
}

impl Level {
    fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// One thing that was found, with its file.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub(crate) struct Finding {
    pub(crate) file: String,
    pub(crate) severity: Level,
    pub(crate) code: String,
    pub(crate) message: String,
    /// JSON pointer; empty for the document as a whole.
    pub(crate) pointer: String,
    pub(crate) help: Option<String>,
}

impl Finding {
    /// Something about a file as a whole.
    pub(crate) fn of_file(file: &str, severity: Level, code: &str, message: String) -> Self {
        Self {
            file: file.to_owned(),
            severity,
            code: code.to_owned(),
            message,
            pointer: String::new(),
            help: None,
        }
    }

    pub(crate) fn from_diagnostic(file: &str, diagnostic: Diagnostic) -> Self {
        let severity = match diagnostic.severity {
            Severity::Error => Level::Error,
            Severity::Warning => Level::Warning,
        };
        Self {
            file: file.to_owned(),
            severity,
            code: diagnostic.code.into_owned(),
            message: diagnostic.message,
            pointer: diagnostic.pointer,
            help: diagnostic.help,
        }
    }

    pub(crate) fn is_error(&self) -> bool {
        self.severity == Level::Error
    }

    /// Tells it on the log, on one line; the log itself says how bad it is.
    pub(crate) fn log(&self) {
        let (place, code, message) = (self.place(), &self.code, &self.message);
        let help = self.help.as_deref().unwrap_or_default();
        let is_sentence = message.ends_with(['.', '!', '?']);
        let gap = match (help.is_empty(), is_sentence) {
            (true, _) => "",
            (false, true) => " ",
            // A message may end with the address of a page.
            (false, false) => " : ",
        };
        match self.severity {
            Level::Error => tracing::error!("{place}: {code}: {message}{gap}{help}"),
            Level::Warning => tracing::warn!("{place}: {code}: {message}{gap}{help}"),
            Level::Note => tracing::info!("{place}: {code}: {message}{gap}{help}"),
        }
    }

    fn place(&self) -> String {
        let colon = if self.pointer.is_empty() { "" } else { ":" };
        format!("{}{colon}{}", self.file, self.pointer)
    }
}

impl fmt::Display for Finding {
    /// `gateway.json:/properties/probes/0: error CODE: sentence`, and the help on a second line.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = self.severity.as_str();
        let (place, code, message) = (self.place(), &self.code, &self.message);
        write!(formatter, "{place}: {severity} {code}: {message}")?;
        match &self.help {
            Some(help) => write!(formatter, "\n  help: {help}"),
            None => Ok(()),
        }
    }
}

/// The findings as they are shown: errors last, so that they stand right above the summary.
pub(crate) fn errors_last(findings: &[Finding]) -> impl Iterator<Item = &Finding> {
    let others = findings.iter().filter(|finding| !finding.is_error());
    others.chain(findings.iter().filter(|finding| finding.is_error()))
}

pub(crate) fn has_errors(findings: &[Finding]) -> bool {
    findings.iter().any(Finding::is_error)
}
