//! The error envelope of Azure Resource Manager, and the HTTP status of each code.
//!
//! Source: recorded from the service. Errors of the network provider always have `details`, even
//! empty; those of the ARM front door have none. Validation errors are all 400.

use serde_json::{Map, Value, json};

use crate::diagnostic::Diagnostic;

/// An error as it is sent to clients: `{"error": {"code", "message", "target"?, "details"?}}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArmError {
    /// The code, which clients compare.
    pub code: String,
    /// The sentence, which people read.
    pub message: String,
    /// What the error is about, where it is said.
    pub target: Option<String>,
    /// Finer errors; `None` leaves the member out, as the ARM front door does.
    pub details: Option<Vec<ArmError>>,
}

impl ArmError {
    /// An error of the network provider: with `details`, though empty.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        let (code, message) = (code.into(), message.into());
        Self {
            code,
            message,
            target: None,
            details: Some(Vec::new()),
        }
    }

    /// An error of the ARM front door: without `details`.
    pub fn front_door(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            details: None,
            ..Self::new(code, message)
        }
    }

    /// Adds a finer error.
    #[must_use]
    pub fn with_detail(mut self, detail: Self) -> Self {
        self.details.get_or_insert_default().push(detail);
        self
    }

    /// A body that the network provider's parser does not take, and why.
    pub fn not_parsed(details: impl IntoIterator<Item = (String, String)>) -> Self {
        let details = details.into_iter();
        let details = details.map(|(code, message)| Self::front_door(code, message));
        Self {
            details: Some(details.collect()),
            ..Self::new("InvalidRequestFormat", "Cannot parse the request.")
        }
    }

    /// What the service answers to a document with this finding. What it finds while it parses
    /// comes wrapped: `InvalidRequestFormat`, with the finding as its detail.
    pub fn from_finding(finding: &Diagnostic) -> Self {
        match is_of_parser(finding) {
            true => Self::not_parsed([(finding.code.to_string(), finding.message.clone())]),
            false => Self::new(finding.code.clone(), finding.message.clone()),
        }
    }

    /// The same of several findings: the first error decides, and of the parser's all are told.
    /// `None` where there is no error.
    pub fn from_findings(findings: &[Diagnostic]) -> Option<Self> {
        let mut errors = findings.iter().filter(|finding| finding.is_error());
        let first = errors.next()?;
        if !is_of_parser(first) {
            return Some(Self::from_finding(first));
        }
        let all = std::iter::once(first).chain(errors.filter(|finding| is_of_parser(finding)));
        let all = all.map(|finding| (finding.code.to_string(), finding.message.clone()));
        Some(Self::not_parsed(all.take(DETAILS_MAX)))
    }

    /// The body of the answer.
    pub fn to_body(&self) -> Value {
        json!({ "error": self.to_value() })
    }

    fn to_value(&self) -> Value {
        let mut out = Map::new();
        out.insert("code".to_owned(), Value::from(self.code.as_str()));
        out.insert("message".to_owned(), Value::from(self.message.as_str()));
        if let Some(target) = &self.target {
            out.insert("target".to_owned(), Value::from(target.as_str()));
        }
        if let Some(details) = &self.details {
            let details = details.iter().map(Self::to_value).collect();
            out.insert("details".to_owned(), Value::Array(details));
        }
        Value::Object(out)
    }

    /// The HTTP status that goes with the code; 400 for codes that are not listed, as all errors
    /// of validation are.
    pub fn status(&self) -> u16 {
        let listed = STATUSES.iter().find(|(code, _)| *code == self.code);
        listed.map_or(400, |(_, status)| *status)
    }
}

/// Most details of one error; a document that has more faults has them all over.
const DETAILS_MAX: usize = 50;

fn is_of_parser(finding: &Diagnostic) -> bool {
    let codes = [
        "InvalidJson",
        "InvalidJsonResourceType",
        "InvalidJsonReferenceFormat",
        "DuplicateResourceName",
    ];
    codes.contains(&finding.code.as_ref())
}

/// Codes whose status is not 400.
const STATUSES: &[(&str, u16)] = &[
    ("AuthenticationFailed", 401),
    ("AuthenticationFailedInvalidHeader", 401),
    ("ExpiredAuthenticationToken", 401),
    ("InvalidAuthenticationToken", 401),
    ("InvalidAuthenticationTokenAudience", 401),
    ("AuthorizationFailed", 403),
    ("Forbidden", 403),
    ("LinkedAuthorizationFailed", 403),
    ("CertificateNotFound", 404),
    ("DeletedVaultNotFound", 404),
    ("InvalidResourceType", 404),
    ("NotFound", 404),
    ("ParentResourceNotFound", 404),
    ("ResourceGroupNotFound", 404),
    ("ResourceNotFound", 404),
    ("RoleAssignmentNotFound", 404),
    ("RoleDefinitionDoesNotExist", 404),
    ("SubscriptionNotFound", 404),
    ("InvalidResourceNamespace", 404),
    ("SecretNotFound", 404),
    ("MethodNotAllowed", 405),
    ("RequestTimeout", 408),
    ("Conflict", 409),
    ("ConflictError", 409),
    ("DeploymentActive", 409),
    ("InvalidResourceGroupLocation", 409),
    ("InvalidResourceLocation", 409),
    ("MissingSubscriptionRegistration", 409),
    ("ReferencedResourceNotProvisioned", 409),
    ("ResourceGroupBeingDeleted", 409),
    ("ScopeLocked", 409),
    ("VaultAlreadyExists", 409),
    ("PreconditionFailed", 412),
    ("RequestContentTooLarge", 413),
    ("UnsupportedMediaType", 415),
    ("AnotherOperationInProgress", 429),
    ("RetryableError", 429),
    ("RetryableErrorDueToAnotherOperation", 429),
    ("InternalServerError", 500),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_layers_differ_in_details() {
        assert_eq!(
            ArmError::new("NotFound", "gone").to_body().to_string(),
            r#"{"error":{"code":"NotFound","message":"gone","details":[]}}"#
        );
        assert_eq!(
            ArmError::front_door("ResourceNotFound", "gone")
                .to_body()
                .to_string(),
            r#"{"error":{"code":"ResourceNotFound","message":"gone"}}"#
        );
    }

    #[test]
    fn findings_of_the_parser_come_wrapped_and_others_plain() {
        let wrapped = ArmError::from_finding(&Diagnostic::error("InvalidJson", "no", "/x"));
        assert_eq!(wrapped.code, "InvalidRequestFormat");
        assert_eq!(
            wrapped.details.as_ref().map(|d| d[0].code.as_str()),
            Some("InvalidJson")
        );
        let plain = ArmError::from_finding(&Diagnostic::error("SubnetIsRequired", "no", "/x"));
        assert_eq!(
            (plain.code.as_str(), plain.status()),
            ("SubnetIsRequired", 400)
        );
        assert_eq!(ArmError::new("RetryableError", "wait").status(), 429);
    }
}
