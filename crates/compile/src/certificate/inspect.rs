//! What can be said of a certificate by looking at it: its dates, its names, its issuer.

use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer as _;

/// Facts of one certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    /// The distinguished name, shortened for messages.
    pub(crate) subject: String,
    pub(crate) issuer: String,
    /// DNS names of the subject alternative name extension, in lower case; the common name only
    /// where that extension has none.
    pub(crate) names: Vec<String>,
    /// Seconds since the Unix epoch.
    pub(crate) not_before: i64,
    /// Seconds since the Unix epoch.
    pub(crate) not_after: i64,
    pub(crate) is_authority: bool,
    pub(crate) is_self_issued: bool,
}

/// Longest distinguished name that a message quotes, in characters.
const NAME_CHARS_MAX: usize = 120;

/// Most names that are kept of one certificate.
const NAMES_MAX: usize = 256;

impl Facts {
    /// `None` when `der` is no X.509 certificate.
    pub(crate) fn of(der: &[u8]) -> Option<Self> {
        let (rest, certificate) = X509Certificate::from_der(der).ok()?;
        if !rest.is_empty() {
            return None;
        }
        let (subject, issuer) = (certificate.subject(), certificate.issuer());
        Some(Self {
            subject: shorten(&subject.to_string()),
            issuer: shorten(&issuer.to_string()),
            names: names(&certificate),
            not_before: certificate.validity().not_before.timestamp(),
            not_after: certificate.validity().not_after.timestamp(),
            // An X.509 v1 certificate has no extensions to say so; as a root it is one.
            is_authority: certificate.is_ca()
                || (certificate.version().0 == 0 && subject.as_raw() == issuer.as_raw()),
            is_self_issued: subject.as_raw() == issuer.as_raw(),
        })
    }

    /// Whether a client that asks for `host` accepts the names: equal, or under a wildcard that is
    /// the whole leftmost label. `host` may itself begin with a wildcard label.
    pub(crate) fn covers(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        self.names.iter().any(|name| {
            if *name == host {
                return true;
            }
            let parent = host.split_once('.').map(|(_, parent)| parent);
            name.strip_prefix("*.")
                .is_some_and(|base| Some(base) == parent)
        })
    }
}

fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let extension = certificate.subject_alternative_name().ok().flatten();
    let mut names: Vec<String> = extension
        .iter()
        .flat_map(|extension| &extension.value.general_names)
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
            _ => None,
        })
        .take(NAMES_MAX)
        .collect();
    if names.is_empty() {
        let common = certificate.subject().iter_common_name().next();
        names.extend(
            common
                .and_then(|name| name.as_str().ok())
                .map(str::to_ascii_lowercase),
        );
    }
    names
}

fn shorten(text: &str) -> String {
    let mut short: String = text
        .chars()
        .take(NAME_CHARS_MAX)
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect();
    if text.chars().nth(NAME_CHARS_MAX).is_some() {
        short.push('…');
    }
    short
}

/// A date for messages, `2026-11-20`, of seconds since the Unix epoch (proleptic Gregorian, UTC).
pub(crate) fn date(seconds: i64) -> String {
    // Howard Hinnant's civil_from_days: eras of 400 years, years that begin in March.
    let days = seconds.div_euclid(86_400) + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(date(0), "1970-01-01");
        assert_eq!(date(951_782_400), "2000-02-29");
        assert_eq!(date(1_795_219_199), "2026-11-20");
        assert_eq!(date(-1), "1969-12-31");
    }

    #[test]
    fn a_wildcard_stands_for_one_whole_label() {
        let facts = Facts {
            subject: String::new(),
            issuer: String::new(),
            names: vec!["*.contoso.com".to_owned(), "contoso.com".to_owned()],
            not_before: 0,
            not_after: 0,
            is_authority: false,
            is_self_issued: false,
        };
        for host in [
            "A.contoso.com",
            "contoso.com",
            "*.contoso.com",
            "shop?.contoso.com",
        ] {
            assert!(facts.covers(host), "{host}");
        }
        for host in ["a.b.contoso.com", "fabrikam.com", "com", "contoso.com.evil"] {
            assert!(!facts.covers(host), "{host}");
        }
    }
}
