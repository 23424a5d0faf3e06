//! Validation: what the service would say about a gateway, and what it would not say but should.
//!
//! Sources: the order of the checks and most sentences are recorded from the service; bounds and
//! rules without a recording are those of the Azure REST API 2026-03-01 and of Azure's public
//! documentation. Where a sentence or code was never captured, ours stands in its place (see
//! [`OWN_CODES`](crate::OWN_CODES)).

mod backend;
mod checker;
mod format;
mod frontend;
mod hosts;
mod limits;
mod listeners;
mod paths;
mod previous;
mod redirects;
mod rewrites;
mod routing;
mod rules;
mod sku;
mod tls;
mod usage;

use std::fmt;
use std::str::FromStr;

use crate::diagnostic::Diagnostic;
use crate::model::ApplicationGateway;
pub use backend::is_numeric;
use checker::Checker;

pub use format::name_fault;

/// A version of the API: a date. Versions are ordered by it; `-preview` makes no difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ApiVersion {
    year: u16,
    month: u8,
    day: u8,
}

impl ApiVersion {
    /// The newest version that this crate knows: 2026-03-01.
    pub const NEWEST: Self = Self::new(2026, 3, 1);

    /// The version of a date; that it is one is the caller's care.
    pub const fn new(year: u16, month: u8, day: u8) -> Self {
        Self { year, month, day }
    }
}

/// A text that is no api-version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an api-version has the form 2025-09-01 or 2025-09-01-preview")]
pub struct ApiVersionError;

impl FromStr for ApiVersion {
    type Err = ApiVersionError;

    fn from_str(text: &str) -> Result<Self, ApiVersionError> {
        let date = text.strip_suffix("-preview").unwrap_or(text);
        let mut parts = date.split('-');
        let mut part = |digits: usize| {
            let part = parts.next().filter(|p| p.len() == digits);
            let part = part.filter(|p| p.bytes().all(|b| b.is_ascii_digit()));
            part.and_then(|p| p.parse::<u16>().ok())
                .ok_or(ApiVersionError)
        };
        let (year, month, day) = (part(4)?, part(2)?, part(2)?);
        let in_range = (1..=12).contains(&month) && (1..=31).contains(&day);
        if !in_range || parts.next().is_some() {
            return Err(ApiVersionError);
        }
        let small = |n: u16| u8::try_from(n).map_err(|_| ApiVersionError);
        Ok(Self::new(year, small(month)?, small(day)?))
    }
}

impl fmt::Display for ApiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

/// What validation depends on besides the gateway.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The api-version of the PUT; `None` for a file, which is held against the newest one. A file
    /// that the service wrote (it has a provisioningState) is known to run, so that rules which
    /// came after it was made only warn.
    pub api_version: Option<ApiVersion>,
    /// The gateway as it is stored; `None` where it is new or unknown.
    pub previous: Option<&'a ApplicationGateway>,
    /// Whether the subscription may have gateways without a public address on the second
    /// generation (Azure: a feature registration). Default true.
    pub allow_private_only: bool,
    /// Whether TLS 1.0 and 1.1 are refused, as the service does since 31 August 2025, also where
    /// they are only the default of an old api-version. Otherwise they are warned about.
    /// Default true.
    pub refuse_old_tls: bool,
}

impl Default for Context<'_> {
    fn default() -> Self {
        Self {
            api_version: None,
            previous: None,
            allow_private_only: true,
            refuse_old_tls: true,
        }
    }
}

/// Checks a gateway. Errors come first, in the order in which the service would find them: it
/// stops at the first, so that the first is what it would answer. Warnings follow.
///
/// The checks that need more than the gateway are not made here: the contents of subnets, network
/// security groups, routes, certificates (all but their presence) and Key Vault. Time and memory
/// grow with the document's size; what is compared pair by pair (listeners, path patterns) is
/// compared only within a bound above the service's own limits.
pub fn validate(gateway: &ApplicationGateway, context: &Context<'_>) -> Vec<Diagnostic> {
    let mut checker = Checker::new(gateway, context);
    if format::nothing_at_all(&mut checker) {
        return checker.finish();
    }
    format::names(&mut checker);
    format::references(&mut checker);
    frontend::subnets(&mut checker);
    frontend::ports(&mut checker);
    backend::settings_ports(&mut checker);
    backend::draining(&mut checker);
    listeners::check(&mut checker);
    rules::check(&mut checker);
    frontend::addresses(&mut checker);
    sku::check(&mut checker);
    limits::check(&mut checker);
    backend::check(&mut checker);
    paths::check(&mut checker);
    redirects::check(&mut checker);
    rewrites::check(&mut checker);
    routing::check(&mut checker);
    tls::check(&mut checker);
    previous::check(&mut checker);
    usage::check(&mut checker);
    checker.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn api_versions_are_dates_and_ordered_by_date() {
        let parse = |text: &str| text.parse::<ApiVersion>();
        assert_eq!(parse("2026-03-01"), Ok(ApiVersion::NEWEST));
        assert_eq!(parse("2021-08-01-preview"), Ok(ApiVersion::new(2021, 8, 1)));
        assert!(parse("2021-08-01").unwrap() < parse("2022-01-01").unwrap());
        for text in [
            "",
            "2021-8-1",
            "2021-13-01",
            "2021-08-01-beta",
            "2021-08-01-01",
            "+021-08-01",
        ] {
            assert_eq!(parse(text), Err(ApiVersionError), "{text}");
        }
        assert_eq!(ApiVersion::new(2021, 8, 1).to_string(), "2021-08-01");
    }
}
