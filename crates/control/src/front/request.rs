//! A request as the routes see it.

use std::net::SocketAddr;

use bytes::Bytes;
use gatewright_arm::{ApiVersion, ArmError};
use hyper::header::{HeaderMap, HeaderName};
use hyper::{Method, Uri};
use uuid::Uuid;

use crate::front::query::{self, Query};

/// Most segments of a path; the deepest resource has far fewer.
const SEGMENTS_MAX: usize = 48;

/// Longest id that a client may give to its request or its correlation, in bytes.
const CLIENT_ID_BYTES_MAX: usize = 128;

/// A request, read whole.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: Method,
    /// Decoded; empty segments (of doubled and trailing slashes) are left out.
    pub(crate) segments: Vec<String>,
    pub(crate) query: Query,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) peer: SocketAddr,
    pub(crate) ids: RequestIds,
    /// The scheme and authority that the client used: what links in answers begin with.
    pub(crate) origin: String,
}

/// What ties a request to its answer, to the log and to everything that came of it.
#[derive(Clone, Debug)]
pub(crate) struct RequestIds {
    pub(crate) request: Uuid,
    /// The client's, if it gave one; it may span several requests.
    pub(crate) correlation: String,
    /// `x-ms-client-request-id`.
    pub(crate) client: Option<String>,
}

impl RequestIds {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let request = Uuid::new_v4();
        let given = |name: &'static str| {
            let value = headers.get(HeaderName::from_static(name))?.to_str().ok()?;
            (!value.is_empty() && value.len() <= CLIENT_ID_BYTES_MAX).then(|| value.to_owned())
        };
        let correlation = given("x-ms-correlation-request-id");
        Self {
            request,
            correlation: correlation.unwrap_or_else(|| request.to_string()),
            client: given("x-ms-client-request-id"),
        }
    }
}

impl Request {
    /// The path's segments.
    ///
    /// # Errors
    /// When there are too many, or one is no text that a resource id may hold.
    pub(crate) fn segments(uri: &Uri) -> Result<Vec<String>, ArmError> {
        let mut segments = Vec::new();
        for raw in uri.path().split('/').filter(|part| !part.is_empty()) {
            let segment = query::decode(raw, false).into_owned();
            let is_bad = |c: char| {
                c.is_control() || matches!(c, '/' | '\\' | '<' | '>' | '%' | '?' | '#' | '"')
            };
            if segment.chars().any(is_bad) || segment == "." || segment == ".." {
                let message = "A segment of the path holds a character that no resource id may \
                               hold.";
                return Err(ArmError::front_door("InvalidRequestUri", message));
            }
            segments.push(segment);
        }
        if segments.len() > SEGMENTS_MAX {
            let message = format!("The path has more than {SEGMENTS_MAX} segments.");
            return Err(ArmError::front_door("InvalidRequestUri", message));
        }
        Ok(segments)
    }

    /// A header's text.
    pub(crate) fn header(&self, name: &'static str) -> Option<&str> {
        let name = HeaderName::from_static(name);
        self.headers.get(name)?.to_str().ok()
    }

    /// Whether it is for a vault's data plane, whose versions are such as `7.4`.
    fn is_for_a_vault(&self) -> bool {
        let first = self.segments.first();
        first.is_some_and(|first| first.eq_ignore_ascii_case("keyvault"))
    }

    /// The `api-version` of the query. Any well-formed one is taken.
    ///
    /// # Errors
    /// When there is none, or it is no date.
    pub(crate) fn api_version(&self) -> Result<ApiVersion, ArmError> {
        let Some(text) = self
            .query
            .get("api-version")
            .filter(|text| !text.is_empty())
        else {
            let message =
                "The api-version query parameter (?api-version=) is required for all requests.";
            return Err(ArmError::front_door("MissingApiVersionParameter", message));
        };
        if self.is_for_a_vault() && is_vault_version(text) {
            return Ok(ApiVersion::NEWEST);
        }
        text.parse().map_err(|_| {
            let shown: String = text.chars().take(64).collect();
            let message = format!(
                "The api-version '{shown}' is invalid. The supported versions are dates such as \
                 '{}', with '-preview' or without.",
                ApiVersion::NEWEST
            );
            ArmError::front_door("InvalidApiVersionParameter", message)
        })
    }
}

fn is_vault_version(text: &str) -> bool {
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    text.split_once('.')
        .is_some_and(|(major, minor)| is_number(major) && is_number(minor))
}
