//! For whom a certificate is: its alternative names, its common names, and whether one of them is
//! the name that was asked for.
//!
//! The rules are those of webpki, which gives the data plane's verdict: alternative names decide,
//! DNS names are compared without regard to case, a wildcard is the whole leftmost label and stands
//! for exactly one. Ours is only this: where a certificate has no alternative names at all, its
//! common name counts (behaviour.md §2.4; RFC 6125, section 6.4.4).

use std::fmt;
use std::net::IpAddr;

use crate::der::Tlv;
use crate::text::shorten;

/// Most names of one certificate that are kept for messages. All of them are compared.
const NAMES_SHOWN_MAX: usize = 256;

/// Longest DNS name, in characters (RFC 1035, section 2.3.4).
const DNS_NAME_MAX: usize = 253;

/// Longest label of a DNS name, in characters.
const DNS_LABEL_MAX: usize = 63;

/// The name under which a server is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerName<'a> {
    Dns(&'a str),
    Address(IpAddr),
}

impl fmt::Display for ServerName<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(name) => formatter.write_str(&shorten(name)),
            Self::Address(address) => address.fmt(formatter),
        }
    }
}

/// The names in a certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    dns: Vec<String>,
    addresses: Vec<IpAddr>,
    common: Vec<String>,
    /// What the alternative names extension holds, without its outer tag.
    alternative: Option<Vec<u8>>,
}

impl Names {
    pub(crate) fn new(alternative: Option<&[u8]>, common: Vec<String>) -> Self {
        let mut names = Self {
            alternative: alternative.map(<[u8]>::to_vec),
            common,
            ..Self::default()
        };
        let shown = general_names(alternative.unwrap_or_default()).map_while(Result::ok);
        for name in shown.take(NAMES_SHOWN_MAX) {
            match name {
                GeneralName::Dns(name) => {
                    let name = String::from_utf8_lossy(name).to_ascii_lowercase();
                    names.dns.push(shorten_dns(&name));
                }
                GeneralName::Address(bytes) => names.addresses.extend(address(bytes)),
                GeneralName::Directory | GeneralName::Uri | GeneralName::Other(_) => {}
            }
        }
        names
    }

    /// DNS names among the alternative names, in lower case; at most 256.
    pub fn dns(&self) -> &[String] {
        &self.dns
    }

    /// Addresses among the alternative names; at most 256.
    pub fn addresses(&self) -> &[IpAddr] {
        &self.addresses
    }

    /// The common names of the subject.
    pub fn common(&self) -> &[String] {
        &self.common
    }

    /// The names that clients by DNS go by, in lower case: the DNS names, and the first common name
    /// where there are none.
    pub fn served(&self) -> Vec<String> {
        let common = self.common.first().filter(|_| self.dns.is_empty());
        let common = common.map(|name| name.to_ascii_lowercase());
        self.dns.iter().cloned().chain(common).collect()
    }

    /// Whether a client that asks for `host` accepts the names that are [served](Self::served):
    /// equal, or under a wildcard that is the whole leftmost label. `host` is a listener's and may
    /// itself have wildcard characters in its first label.
    pub fn cover(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        self.served().iter().any(|name| {
            if *name == host {
                return true;
            }
            let parent = host.split_once('.').map(|(_, parent)| parent);
            name.strip_prefix("*.")
                .is_some_and(|base| Some(base) == parent)
        })
    }

    /// Whether the certificate is for `expected`.
    pub fn are_for(&self, expected: ServerName<'_>) -> bool {
        if self.common_name_counts() {
            return self.common_is_for(expected);
        }
        for name in self.alternative() {
            match (name, expected) {
                // Nothing behind what cannot be read is looked at.
                (Err(Malformed), _) => return false,
                (Ok(GeneralName::Dns(name)), ServerName::Dns(expected)) => {
                    if dns_name_is_for(name, expected) {
                        return true;
                    }
                }
                (Ok(GeneralName::Address(bytes)), ServerName::Address(expected)) => {
                    if address(bytes) == Some(expected) {
                        return true;
                    }
                }
                (Ok(_), _) => {}
            }
        }
        false
    }

    /// What a message quotes: the names that are compared with the one asked for. The common names
    /// where there are no alternative names at all; otherwise DNS names and addresses, which may be
    /// none, and at most 256.
    pub fn compared(&self) -> Vec<String> {
        if self.common_name_counts() {
            return self.common.clone();
        }
        let addresses = self.addresses.iter().map(IpAddr::to_string);
        self.dns.iter().cloned().chain(addresses).collect()
    }

    /// Whether a server is named at all, so that even an authority's certificate can be meant for
    /// one: an alternative name, or a common name that has the form of a host's.
    pub(crate) fn name_a_server(&self) -> bool {
        let is_host = |name: &String| name.contains('.') && is_dns_name(name, Role::Presented);
        !self.dns.is_empty() || !self.addresses.is_empty() || self.common.iter().any(is_host)
    }

    /// The alternative names one by one.
    pub(crate) fn alternative(&self) -> impl Iterator<Item = Result<GeneralName<'_>, Malformed>> {
        general_names(self.alternative.as_deref().unwrap_or_default())
    }

    /// Whether a common name would be what somebody expects to count, and does not, since there are
    /// alternative names: it is `expected`, or nothing else could be.
    pub(crate) fn overrule_common(&self, expected: ServerName<'_>) -> bool {
        let nothing_else = self.dns.is_empty() && self.addresses.is_empty();
        let is_meant = self.common_is_for(expected) || (nothing_else && !self.common.is_empty());
        is_meant && !self.common_name_counts()
    }

    fn common_is_for(&self, expected: ServerName<'_>) -> bool {
        let mut common = self.common.iter();
        common.any(|name| common_name_is_for(name, expected))
    }

    fn common_name_counts(&self) -> bool {
        self.alternative.as_ref().is_none_or(Vec::is_empty)
    }
}

/// One alternative name, or the base of a name constraint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GeneralName<'a> {
    Dns(&'a [u8]),
    Address(&'a [u8]),
    Directory,
    Uri,
    /// A form that only its number tells.
    Other(u8),
}

/// Something that is no general name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

impl<'a> GeneralName<'a> {
    /// RFC 5280, section 4.2.1.6.
    pub(crate) fn of(value: Tlv<'a>) -> Result<Self, Malformed> {
        Ok(match value.tag {
            0x82 => Self::Dns(value.contents),
            0x87 => Self::Address(value.contents),
            0xa4 => Self::Directory,
            0x86 => Self::Uri,
            0xa0 | 0x81 | 0xa3 | 0xa5 | 0x88 => Self::Other(value.tag & 0x1f),
            _ => return Err(Malformed),
        })
    }
}

impl fmt::Display for GeneralName<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(name) => formatter.write_str(&shorten(&String::from_utf8_lossy(name))),
            Self::Address(bytes) => match address(bytes) {
                Some(address) => address.fmt(formatter),
                None => formatter.write_str("an address of a wrong length"),
            },
            Self::Directory => formatter.write_str("its directory name"),
            Self::Uri => formatter.write_str("a URI"),
            Self::Other(form) => write!(formatter, "a name of the form [{form}]"),
        }
    }
}

/// The names one after the other; after the first that cannot be read there is none.
fn general_names(mut rest: &[u8]) -> impl Iterator<Item = Result<GeneralName<'_>, Malformed>> {
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let Some((value, after)) = Tlv::read(rest) else {
            rest = &[];
            return Some(Err(Malformed));
        };
        let name = GeneralName::of(value);
        rest = if name.is_ok() { after } else { &[] };
        Some(name)
    })
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    if let Ok(bytes) = <[u8; 4]>::try_from(bytes) {
        return Some(IpAddr::from(bytes));
    }
    Some(IpAddr::from(<[u8; 16]>::try_from(bytes).ok()?))
}

/// Control characters out; a name that is too long for DNS is no name to go by.
fn shorten_dns(name: &str) -> String {
    if name.len() <= DNS_NAME_MAX && !name.contains(char::is_control) {
        return name.to_owned();
    }
    shorten(name)
}

fn dns_name_is_for(presented: &[u8], expected: &str) -> bool {
    let Ok(presented) = std::str::from_utf8(presented) else {
        return false;
    };
    // Only the name asked for may be absolute.
    let expected = expected.strip_suffix('.').unwrap_or(expected);
    if !is_dns_name(presented, Role::Presented) || !is_dns_name(expected, Role::Expected) {
        return false;
    }
    match presented.strip_prefix("*.") {
        Some(parent) => expected
            .split_once('.')
            .is_some_and(|(_, rest)| rest.eq_ignore_ascii_case(parent)),
        None => presented.eq_ignore_ascii_case(expected),
    }
}

/// Equal, or a wildcard for the whole first label.
fn common_name_is_for(common: &str, expected: ServerName<'_>) -> bool {
    match expected {
        ServerName::Address(address) => common == address.to_string(),
        ServerName::Dns(expected) => {
            let expected = expected.strip_suffix('.').unwrap_or(expected);
            let parent = expected.split_once('.').map(|(_, parent)| parent);
            let covers =
                |base: &str| parent.is_some_and(|parent| parent.eq_ignore_ascii_case(base));
            common.eq_ignore_ascii_case(expected) || common.strip_prefix("*.").is_some_and(covers)
        }
    }
}

/// Where a DNS name stands, which decides what it may look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// In a certificate: a wildcard may be its first label, with at least two behind it.
    Presented,
    /// Asked for, without the final dot.
    Expected,
    /// The base of a name constraint: may be empty, or begin with a dot.
    Constraint,
}

/// Whether `name` is a host's: letters, digits, hyphens, underscores, a last label that is no
/// number. The rules of webpki, which are those of browsers.
pub(crate) fn is_dns_name(name: &str, role: Role) -> bool {
    if name.len() > DNS_NAME_MAX {
        return false;
    }
    let (labels, fewest) = match role {
        Role::Presented => match name.strip_prefix("*.") {
            Some(rest) => (rest, 2),
            None => (name, 1),
        },
        Role::Expected => (name, 1),
        Role::Constraint if name.is_empty() => return true,
        Role::Constraint => (name.strip_prefix('.').unwrap_or(name), 1),
    };
    let last = labels.rsplit('.').next().unwrap_or_default();
    labels.split('.').all(is_label)
        && labels.split('.').count() >= fewest
        && !last.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_label(label: &str) -> bool {
    (1..=DNS_LABEL_MAX).contains(&label.len())
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

#[cfg(test)]
#[path = "names_tests.rs"]
mod tests;
