//! The diagnostics of one compilation.

use std::borrow::Cow;

use gatewright_arm::{Diagnostic, Severity, shorten, shorten_id};

/// Most diagnostics that one compilation keeps; more help nobody and cost memory.
const FINDINGS_MAX: usize = 1000;

/// Collects diagnostics, and knows whether one is an error.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    list: Vec<Diagnostic>,
    has_errors: bool,
}

impl Findings {
    pub(crate) fn error(
        &mut self,
        code: &'static str,
        pointer: impl Into<String>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.add(
            Severity::Error,
            code,
            pointer.into(),
            message.into(),
            help.into(),
        );
    }

    pub(crate) fn warning(
        &mut self,
        code: &'static str,
        pointer: impl Into<String>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.add(
            Severity::Warning,
            code,
            pointer.into(),
            message.into(),
            help.into(),
        );
    }

    /// `help` may be empty.
    pub(crate) fn add(
        &mut self,
        severity: Severity,
        code: &'static str,
        pointer: String,
        message: String,
        help: String,
    ) {
        self.push(Diagnostic {
            severity,
            code: Cow::Borrowed(code),
            message,
            pointer,
            help: (!help.is_empty()).then_some(help),
        });
    }

    /// Keeps `finding`, unless the list is full and already holds the bad news.
    pub(crate) fn push(&mut self, finding: Diagnostic) {
        let is_first_error = finding.is_error() && !self.has_errors;
        self.has_errors |= finding.is_error();
        if self.list.len() < FINDINGS_MAX || is_first_error {
            self.list.push(finding);
        }
    }

    pub(crate) fn has_errors(&self) -> bool {
        self.has_errors
    }

    /// All of them, errors first, otherwise in the order in which they were found.
    pub(crate) fn into_list(mut self) -> Vec<Diagnostic> {
        self.list.sort_by_key(|finding| !finding.is_error());
        self.list
    }
}

/// A foreign text in quotes, as [`shorten`] has it.
pub(crate) fn quote(text: &str) -> String {
    format!("'{}'", shorten(text))
}

/// As [`quote`], for ids.
pub(crate) fn quote_id(id: &str) -> String {
    format!("'{}'", shorten_id(id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codes;

    #[test]
    fn a_full_list_still_takes_the_first_error_and_shows_it_first() {
        let mut findings = Findings::default();
        for _ in 0..FINDINGS_MAX + 5 {
            findings.warning(codes::W_STOPPED, "/x", "x", "");
        }
        findings.error(codes::E_NO_TARGET, "/y", "y", "do z");
        findings.error(codes::E_NO_TARGET, "/z", "y", "");
        assert!(findings.has_errors());
        let list = findings.into_list();
        assert_eq!(list.len(), FINDINGS_MAX + 1);
        assert_eq!(
            list.first().map(|finding| finding.pointer.as_str()),
            Some("/y")
        );
    }

    #[test]
    fn quotes_are_bounded_and_harmless() {
        assert_eq!(quote("a\r\nb"), "'a\u{fffd}\u{fffd}b'");
        assert_eq!(quote(&"a".repeat(100)).chars().count(), 80 + 3);
    }
}
