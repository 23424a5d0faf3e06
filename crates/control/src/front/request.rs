//! A request as the routes see it.

use std::net::SocketAddr;

use bytes::Bytes;
use gatewright_arm::{ApiVersion, ArmError};
use hyper::header::{AUTHORIZATION, Entry, HeaderMap, HeaderName};
use hyper::http::request::Parts;
use hyper::{Method, Uri};
use uuid::Uuid;

use crate::front::query::{self, Query};

/// Most segments of a path; the deepest resource has far fewer.
const SEGMENTS_MAX: usize = 48;

/// Longest id that a client may give to its request or its correlation, in bytes.
const CLIENT_ID_BYTES_MAX: usize = 128;

/// A request. Its body is empty until it is known who sends it, and that they may.
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
    /// A request's head.
    ///
    /// # Errors
    /// When its path is none.
    pub(crate) fn of_head(
        head: Parts,
        peer: SocketAddr,
        ids: RequestIds,
        origin: String,
    ) -> Result<Self, ArmError> {
        let mut headers = head.headers;
        if let Entry::Occupied(mut values) = headers.entry(AUTHORIZATION) {
            // No debug output shows them.
            values
                .iter_mut()
                .for_each(|value| value.set_sensitive(true));
        }
        Ok(Self {
            method: head.method,
            segments: Self::segments(&head.uri)?,
            query: Query::parse(head.uri.query().unwrap_or_default()),
            headers,
            body: Bytes::new(),
            peer,
            ids,
            origin,
        })
    }

    /// The path's segments.
    ///
    /// # Errors
    /// When there are too many, or one is no text that a resource id may hold.
    fn segments(uri: &Uri) -> Result<Vec<String>, ArmError> {
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

    /// The scope that permission is needed on: the subscription, group or resource of the path. The
    /// name of a list, and the word of an action, are no part of it; of a list there is the
    /// namespace, as in the service's own refusals.
    pub(crate) fn scope(&self) -> String {
        let mut words = self.segments.iter();
        let providers = words.rposition(|word| word.eq_ignore_ascii_case("providers"));
        let kept = match providers {
            // The namespace, and pairs of types and names.
            Some(at) => at + 2 + (self.segments.len().saturating_sub(at + 2) / 2) * 2,
            None => self.segments.len() / 2 * 2,
        };
        let kept = self.segments.iter().take(kept).map(String::as_str);
        format!("/{}", kept.collect::<Vec<_>>().join("/"))
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
        text.to_ascii_lowercase().parse().map_err(|_| {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn request(path: &str) -> Result<Request, ArmError> {
        let (head, ()) = hyper::Request::get(path).body(()).unwrap().into_parts();
        let ids = RequestIds::of(&head.headers);
        let peer = SocketAddr::from(([127, 0, 0, 1], 1));
        Request::of_head(head, peer, ids, String::new())
    }

    #[test]
    fn the_scope_of_a_path_is_what_a_role_can_be_on() {
        let group = "/subscriptions/s/resourceGroups/g";
        let net = format!("{group}/providers/Microsoft.Network");
        for (path, scope) in [
            ("/subscriptions".to_owned(), "/".to_owned()),
            ("/subscriptions/s".to_owned(), "/subscriptions/s".to_owned()),
            (
                "/subscriptions/s/resourcegroups/".to_owned(),
                "/subscriptions/s".to_owned(),
            ),
            (group.to_owned(), group.to_owned()),
            (format!("{group}/resources"), group.to_owned()),
            (format!("{net}/applicationGateways"), net.clone()),
            (format!("{net}//a/x/"), format!("{net}/a/x")),
            (format!("{net}/a/x/start"), format!("{net}/a/x")),
            (format!("{net}/a/x/b"), format!("{net}/a/x")),
            (format!("{net}/a/x/b/y"), format!("{net}/a/x/b/y")),
        ] {
            assert_eq!(request(&path).unwrap().scope(), scope, "{path}");
        }
    }

    #[test]
    fn segments_are_decoded_once_and_hold_no_separators() {
        let segments = |path: &str| request(path).map(|request| request.segments);
        assert_eq!(
            segments("/a%20b/%C3%A4//c/").unwrap(),
            ["a b", "\u{e4}", "c"]
        );
        for path in [
            "/a%2Fb",
            "/a%252Fb",
            "/..",
            "/a/%2e%2E/b",
            "/a%00",
            "/a%5Cb",
            "/%",
        ] {
            assert_eq!(
                segments(path).unwrap_err().code,
                "InvalidRequestUri",
                "{path}"
            );
        }
        assert!(segments(&"/a".repeat(SEGMENTS_MAX)).is_ok());
        assert!(segments(&"/a".repeat(SEGMENTS_MAX + 1)).is_err());
    }
}
