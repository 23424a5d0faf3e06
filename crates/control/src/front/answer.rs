//! What is answered.

use bytes::Bytes;
use gatewright_arm::ArmError;
use hyper::StatusCode;
use hyper::header::{HeaderName, HeaderValue};
use serde_json::Value;

/// An answer on its way; the front door adds the headers that every answer has.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) body: Body,
}

#[derive(Clone, Debug)]
pub(crate) enum Body {
    Empty,
    Json(Bytes),
    Xml(Bytes),
}

impl Answer {
    pub(crate) fn empty(status: StatusCode) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Body::Empty,
        }
    }

    pub(crate) fn json(status: StatusCode, value: &Value) -> Self {
        Self {
            status,
            headers: Vec::new(),
            // Twice as fast as its text by `Display`.
            body: Body::Json(serde_json::to_vec(value).unwrap_or_default().into()),
        }
    }

    pub(crate) fn ok(value: &Value) -> Self {
        Self::json(StatusCode::OK, value)
    }

    pub(crate) fn error(error: &ArmError) -> Self {
        let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::BAD_REQUEST);
        let mut answer = Self::json(status, &error.to_body());
        // The front door's own errors carry this; a provider's do not.
        if error.details.is_none() {
            answer = answer.with("x-ms-failure-cause", "gateway");
        }
        if status == StatusCode::TOO_MANY_REQUESTS {
            answer = answer.with("retry-after", "1");
        }
        answer
    }

    /// With one more header; one that HTTP cannot carry is left out.
    #[must_use]
    pub(crate) fn with(mut self, name: &'static str, value: impl AsRef<str>) -> Self {
        if let Ok(value) = HeaderValue::from_str(value.as_ref()) {
            self.headers.push((HeaderName::from_static(name), value));
        }
        self
    }
}

impl From<ArmError> for Answer {
    fn from(error: ArmError) -> Self {
        Self::error(&error)
    }
}
