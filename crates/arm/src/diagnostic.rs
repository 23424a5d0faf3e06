//! What reading and validation say about a document.

use std::borrow::Cow;
use std::fmt;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// The service would refuse the document.
    Error,
    /// Legal, but probably not what was meant.
    Warning,
}

/// One finding about a document, with the place it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Whether the service would refuse the document because of it.
    pub severity: Severity,
    /// The service's error code, or one of our own (`GW-E-…`, `GW-W-…`) where it has none.
    pub code: Cow<'static, str>,
    /// The service's sentence where it is known, else ours. Always plain text, of bounded length
    /// but for resource ids.
    pub message: String,
    /// JSON pointer (RFC 6901) into the document that was read; empty for its root.
    pub pointer: String,
    /// What would be right, in one sentence.
    pub help: Option<String>,
}

impl Diagnostic {
    pub(crate) fn new(
        severity: Severity,
        code: impl Into<Cow<'static, str>>,
        message: impl Into<String>,
        pointer: impl Into<String>,
    ) -> Self {
        Self {
            severity,
            code: code.into(),
            message: message.into(),
            pointer: pointer.into(),
            help: None,
        }
    }

    pub(crate) fn error(
        code: impl Into<Cow<'static, str>>,
        message: impl Into<String>,
        pointer: impl Into<String>,
    ) -> Self {
        Self::new(Severity::Error, code, message, pointer)
    }

    pub(crate) fn warning(
        code: impl Into<Cow<'static, str>>,
        message: impl Into<String>,
        pointer: impl Into<String>,
    ) -> Self {
        Self::new(Severity::Warning, code, message, pointer)
    }

    pub(crate) fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Whether the service would refuse the document because of it.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

impl fmt::Display for Diagnostic {
    /// `error ApplicationGatewayProbeHostIsNull at /properties/probes/0: … (help)`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = if self.is_error() { "error" } else { "warning" };
        let place = if self.pointer.is_empty() {
            "/"
        } else {
            &self.pointer
        };
        write!(f, "{severity} {} at {place}: {}", self.code, self.message)?;
        match &self.help {
            Some(help) => write!(f, " {help}"),
            None => Ok(()),
        }
    }
}
