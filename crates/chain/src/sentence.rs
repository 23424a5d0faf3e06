//! Defects in plain words: facts, one sentence, no advice.

use std::fmt;

use crate::date::date_time;
use crate::defect::{At, Defect, Listed, Untrusted, Violation};
use crate::presented::{PRESENTED_BYTES_MAX, PRESENTED_MAX};
use crate::signature::Weakness;

impl fmt::Display for At {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let position = self.position;
        match self.subject.as_str() {
            "" => write!(formatter, "the certificate at position {position}"),
            subject => write!(
                formatter,
                "the certificate at position {position} ({subject})"
            ),
        }
    }
}

impl fmt::Display for Listed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.names.is_empty(), self.more) {
            (true, _) => formatter.write_str("nothing"),
            (false, 0) => formatter.write_str(&self.names.join(", ")),
            (false, more) => write!(formatter, "{} and {more} more", self.names.join(", ")),
        }
    }
}

impl fmt::Display for Weakness {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Sha1 => "over a SHA-1 hash",
            Self::ShortKey => "with an RSA key of less than 2048 bits",
        })
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotPermitted(name) => write!(f, "{name} is not among the permitted names"),
            Self::Excluded(name) => write!(f, "{name} is among the excluded names"),
            Self::Malformed => f.write_str("the constraint or a name cannot be read"),
        }
    }
}

impl std::error::Error for Defect {}

impl fmt::Display for Defect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooManyBytes => write!(
                f,
                "the certificates presented have more than {PRESENTED_BYTES_MAX} bytes together"
            ),
            Self::TooManyCertificates => {
                write!(f, "more than {PRESENTED_MAX} certificates were presented")
            }
            Self::TooMuchWork => f.write_str(
                "the certificates presented can be put together in more ways than are tried",
            ),
            Self::LeafMissing { presented } if presented.is_empty() => {
                f.write_str("no certificate was presented")
            }
            Self::LeafMissing { presented } => write!(
                f,
                "no certificate of a server was presented, but those of authorities only: {}",
                listed(presented)
            ),
            Self::Unreadable { position, why } => {
                write!(f, "the certificate at position {position} {why}")
            }
            Self::UnsupportedVersion { at, version } => {
                write!(f, "{at} is of X.509 version {version}, not 3")
            }
            Self::Malformed { at, what } => write!(f, "{at} {what}"),
            Self::CriticalExtension { at, extension } => write!(
                f,
                "{at} has the critical extension {extension}, which is not understood"
            ),
            Self::LeafNotFirst { found, right } | Self::OutOfOrder { found, right } => {
                order(f, found, right)
            }
            Self::AuthorityAsServer { at } => {
                write!(
                    f,
                    "{at} is an authority's (CA:TRUE) and stands for a server, which only one that \
                     was uploaded itself may"
                )
            }
            Self::Expired { .. } | Self::NotYetValid { .. } | Self::InvalidDates { .. } => {
                self.tell_dates(f)
            }
            Self::AnchorExpired { subject, not_after } => {
                let end = date_time(*not_after);
                write!(f, "the uploaded root {subject} expired on {end}")
            }
            Self::SelfSigned { at, uploaded, .. } => {
                write!(f, "{at} is signed with its own key")?;
                whom(f, uploaded.as_ref())
            }
            Self::IntermediateMissing(untrusted)
            | Self::ServerNotWellKnown(untrusted)
            | Self::IntermediateNotWellKnown(untrusted)
            | Self::IntermediateNotUploaded(untrusted)
            | Self::RootMismatch(untrusted) => untrusted.fmt(f),
            Self::NotPinned { at, pinned } => write!(
                f,
                "{at} has the key of none of the uploaded server certificates ({pinned})"
            ),
            _ => self.tell_flaw(f),
        }
    }
}

impl Defect {
    fn tell_dates(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Expired { at, not_after, now } => {
                let (end, now) = (date_time(*not_after), date_time(*now));
                write!(f, "{at} expired on {end}; it was {now}")
            }
            Self::NotYetValid {
                at,
                not_before,
                now,
            } => {
                let (start, now) = (date_time(*not_before), date_time(*now));
                write!(f, "{at} is valid from {start} on; it was {now}")
            }
            Self::InvalidDates {
                at,
                not_before,
                not_after,
                ..
            } => {
                let (start, end) = (date_time(*not_before), date_time(*not_after));
                write!(
                    f,
                    "{at} begins to be valid on {start} and ends before that, on {end}"
                )
            }
            _ => Ok(()),
        }
    }

    fn tell_flaw(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadSignature { at, issuer } => write!(
                f,
                "the signature of {at} does not verify with the key of its issuer, {issuer}"
            ),
            Self::IssuerKeyDiffers { at, issuer } => write!(
                f,
                "{at} was signed with another key of its issuer than that of {issuer}"
            ),
            Self::WeakSignature { at, weakness } => {
                write!(f, "{at} is signed {weakness}, which is too weak")
            }
            Self::UnsupportedSignature { at } => write!(
                f,
                "{at} is signed with an algorithm, or with a curve or size of key, that is not \
                 supported"
            ),
            Self::InvalidAuthority { at, signed } => {
                write!(
                    f,
                    "{at} signed {signed}, and is no authority's (CA:TRUE is missing)"
                )
            }
            Self::PathTooLong { at, limit, found } => write!(
                f,
                "{at} allows {limit} authorities between itself and a server; there are {found}"
            ),
            Self::ChainTooLong { most } => write!(
                f,
                "more than {most} authorities stand between the server and a trusted one"
            ),
            Self::InvalidPurpose { at } => {
                write!(
                    f,
                    "{at} is not meant for TLS servers (serverAuth is missing)"
                )
            }
            Self::NameConstraint { at, by, violation } => {
                write!(f, "{at} breaks a name constraint of {by}: {violation}")
            }
            Self::NameMismatch {
                at,
                expected,
                presented,
                is_overruled,
            } => {
                match (is_overruled, presented.names.is_empty()) {
                    (false, _) => write!(f, "{at} is for {presented}")?,
                    (true, false) => write!(
                        f,
                        "{at} has alternative names ({presented}), so that its common name does \
                         not count"
                    )?,
                    (true, true) => write!(
                        f,
                        "{at} has alternative names, none of a host, so that its common name does \
                         not count"
                    )?,
                }
                write!(f, "; the name asked for was {expected}")
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Untrusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (top, issuer) = (&self.top, &self.issuer);
        match self.is_root {
            true => write!(f, "the chain ends at {top}, a root")?,
            false => write!(
                f,
                "{top} was issued by {issuer}, whose certificate was not presented"
            )?,
        }
        if let Some(namesake) = &self.namesake {
            write!(
                f,
                "; {namesake}, which is trusted, has the same name and another key"
            )?;
        }
        whom(f, self.uploaded.as_ref())
    }
}

/// Who would have been trusted.
fn whom(f: &mut fmt::Formatter<'_>, uploaded: Option<&Listed>) -> fmt::Result {
    match uploaded {
        None => f.write_str("; only well-known authorities are trusted"),
        Some(roots) => write!(
            f,
            "; trusted are well-known authorities and what was uploaded: {roots}"
        ),
    }
}

fn order(f: &mut fmt::Formatter<'_>, found: &[At], right: &[usize]) -> fmt::Result {
    let right: Vec<At> = right
        .iter()
        .filter_map(|position| found.get(*position).cloned())
        .collect();
    write!(
        f,
        "the certificates were presented in the order {}; the right order is {}",
        listed(found),
        listed(&right)
    )
}

/// Positions with names, without words.
fn listed(certificates: &[At]) -> String {
    let one = |at: &At| format!("{} ({})", at.position, at.subject);
    Listed::of(certificates.iter().map(one)).to_string()
}
