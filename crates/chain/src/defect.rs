//! What can be wrong with what a server presented.

use crate::certificate::Unreadable;
use crate::signature::Weakness;

/// Most names that a defect lists. The rest is counted.
const LISTED_MAX: usize = 16;

/// A certificate in the chain as it was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct At {
    /// From 0; the server's own certificate is to be there.
    pub position: usize,
    /// The distinguished name, shortened. Empty where there is none.
    pub subject: String,
}

/// The first names of a longer list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    pub names: Vec<String>,
    /// How many more there are.
    pub more: usize,
}

impl Listed {
    pub(crate) fn of(all: impl IntoIterator<Item = String>) -> Self {
        let mut all = all.into_iter();
        let names = all.by_ref().take(LISTED_MAX).collect();
        Self {
            names,
            more: all.count(),
        }
    }
}

/// Whose word would have to be taken for a certificate, and is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Untrusted {
    /// The last certificate to which the chain leads.
    pub top: At,
    /// Who signed it, as it says itself.
    pub issuer: String,
    /// It is a root: signed with its own key.
    pub is_root: bool,
    /// A trusted authority that has the issuer's name, and another key.
    pub namesake: Option<String>,
    /// The subjects of the uploaded roots; `None` where only well-known authorities are trusted.
    pub uploaded: Option<Listed>,
}

/// What breaks a name constraint.
///
/// `Display` is a clause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Violation {
    /// There are permitted names of this form, and this is none of them.
    NotPermitted(String),
    Excluded(String),
    /// The constraint or a name cannot be read.
    Malformed,
}

/// One thing that is wrong. Positions are those of the chain as it was sent; dates are seconds
/// since the Unix epoch.
///
/// `Display` says it in one sentence of facts, without a final period.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Defect {
    TooManyBytes,
    TooManyCertificates,
    /// The chain needs more signature checks, or more attempts, than are made.
    TooMuchWork,
    LeafMissing {
        /// The authorities that were presented in its place.
        presented: Vec<At>,
    },
    Unreadable {
        position: usize,
        why: Unreadable,
    },
    UnsupportedVersion {
        at: At,
        version: u32,
    },
    Malformed {
        at: At,
        /// A clause that follows "it ".
        what: String,
    },
    CriticalExtension {
        at: At,
        /// The extension's object identifier.
        extension: String,
    },
    LeafNotFirst {
        /// The certificates in the order in which they were sent.
        found: Vec<At>,
        /// Positions in the order in which they should have been sent.
        right: Vec<usize>,
    },
    AuthorityAsServer {
        at: At,
    },
    Expired {
        at: At,
        not_after: i64,
        now: i64,
    },
    NotYetValid {
        at: At,
        not_before: i64,
        now: i64,
    },
    /// It ends before it begins.
    InvalidDates {
        at: At,
        not_before: i64,
        not_after: i64,
        now: i64,
    },
    SelfSigned {
        at: At,
        /// It calls itself an authority, as what many tools make does.
        is_authority: bool,
        uploaded: Option<Listed>,
    },
    IntermediateMissing(Untrusted),
    ServerNotWellKnown(Untrusted),
    IntermediateNotWellKnown(Untrusted),
    IntermediateNotUploaded(Untrusted),
    RootMismatch(Untrusted),
    NotPinned {
        at: At,
        /// The subjects of the certificates that are trusted.
        pinned: Listed,
    },
    BadSignature {
        at: At,
        issuer: At,
    },
    /// The issuer's certificate that was sent is of another key, as both say themselves.
    IssuerKeyDiffers {
        at: At,
        issuer: At,
    },
    WeakSignature {
        at: At,
        weakness: Weakness,
    },
    UnsupportedSignature {
        at: At,
    },
    InvalidAuthority {
        at: At,
        /// The certificate that it signed.
        signed: At,
    },
    PathTooLong {
        at: At,
        /// How many authorities may stand between it and the server.
        limit: u32,
        found: u32,
    },
    /// There are more authorities between the server and a trusted one than are followed.
    ChainTooLong {
        most: usize,
    },
    InvalidPurpose {
        at: At,
    },
    NameConstraint {
        at: At,
        /// The subject of the authority that set the constraint.
        by: String,
        violation: Violation,
    },
    NameMismatch {
        at: At,
        expected: String,
        presented: Listed,
        /// It has a common name that would count if it had no alternative names: the one asked
        /// for, or any where the alternative names have nothing to compare.
        is_overruled: bool,
    },
    /// The chain can be verified, but its certificates do not follow one another.
    OutOfOrder {
        found: Vec<At>,
        right: Vec<usize>,
    },
    /// The uploaded root to which the chain leads is past its date, which is not looked at.
    AnchorExpired {
        subject: String,
        not_after: i64,
    },
}

macro_rules! kinds {
    ($($kind:ident $code:literal $openssl:expr, $row:expr;)*) => {
        /// The kinds of [`Defect`] in their order of gravity: of two, the one that stands first
        /// decides.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Kind {
            $($kind,)*
        }

        impl Kind {
            /// Every kind, the gravest first.
            pub const ALL: &'static [Self] = &[$(Self::$kind,)*];

            /// A name that stays what it is.
            pub fn code(self) -> &'static str {
                match self { $(Self::$kind => $code,)* }
            }

            /// The number of the `X509_V_ERR` that OpenSSL 3 gives it, for the message that shows
            /// one. 50, an application's own refusal, is ours where OpenSSL would accept; where it
            /// has a word for what is wrong and would accept nevertheless, the word's number.
            pub fn openssl(self) -> u16 {
                match self { $(Self::$kind => $openssl,)* }
            }

            /// The row of behaviour.md §4 with the service's message. `None` for what the service
            /// has no numbered message for.
            pub fn row(self) -> Option<u8> {
                match self { $(Self::$kind => $row,)* }
            }
        }
    };
}

// Numbers: x509_vfy.h of OpenSSL 3. OpenSSL takes an authority's certificate for a server's, first
// in the chain or under a trusted root; webpki does not (CaUsedAsEndEntity): hence 50 for those.
kinds! {
    TooManyBytes "too-many-bytes" 50, Some(15);
    TooManyCertificates "too-many-certificates" 22, Some(15);
    TooMuchWork "too-much-work" 50, Some(15);
    LeafMissing "leaf-missing" 50, Some(9);
    Unreadable "unreadable" 50, Some(15);
    UnsupportedVersion "unsupported-version" 50, Some(15);
    Malformed "malformed" 41, Some(15);
    CriticalExtension "critical-extension" 34, Some(15);
    LeafNotFirst "leaf-not-first" 50, Some(14);
    AuthorityAsServer "authority-as-server" 50, Some(15);
    Expired "expired" 10, Some(7);
    NotYetValid "not-yet-valid" 9, Some(7);
    InvalidDates "invalid-dates" 10, Some(15);
    SelfSigned "self-signed" 18, Some(8);
    SelfSignedNotWellKnown "self-signed-not-well-known" 18, Some(10);
    SelfSignedNotUploaded "self-signed-not-uploaded" 18, Some(13);
    IntermediateMissing "intermediate-missing" 21, Some(8);
    ServerNotWellKnown "server-not-well-known" 19, Some(10);
    IntermediateNotWellKnown "intermediate-not-well-known" 20, Some(11);
    IntermediateNotUploaded "intermediate-not-uploaded" 20, Some(12);
    RootMismatch "root-mismatch" 19, Some(13);
    NotPinned "not-pinned" 27, None;
    BadSignature "bad-signature" 7, Some(15);
    IssuerKeyDiffers "issuer-key-differs" 20, Some(15);
    WeakSignature "weak-signature" 68, Some(15);
    UnsupportedSignature "unsupported-signature" 76, Some(15);
    InvalidAuthority "invalid-authority" 79, Some(15);
    PathTooLong "path-too-long" 25, Some(15);
    ChainTooLong "chain-too-long" 22, Some(15);
    InvalidPurpose "invalid-purpose" 26, Some(15);
    NameConstraint "name-constraint" 47, Some(15);
    NameMismatch "name-mismatch" 62, Some(6);
    OutOfOrder "out-of-order" 0, None;
    AnchorExpired "anchor-expired" 10, None;
}

impl Defect {
    /// What kind it is of.
    pub fn kind(&self) -> Kind {
        match self {
            Self::TooManyBytes => Kind::TooManyBytes,
            Self::TooManyCertificates => Kind::TooManyCertificates,
            Self::TooMuchWork => Kind::TooMuchWork,
            Self::LeafMissing { .. } => Kind::LeafMissing,
            Self::Unreadable { .. } => Kind::Unreadable,
            Self::UnsupportedVersion { .. } => Kind::UnsupportedVersion,
            Self::Malformed { .. } => Kind::Malformed,
            Self::CriticalExtension { .. } => Kind::CriticalExtension,
            Self::LeafNotFirst { .. } => Kind::LeafNotFirst,
            Self::AuthorityAsServer { .. } => Kind::AuthorityAsServer,
            Self::Expired { .. } => Kind::Expired,
            Self::NotYetValid { .. } => Kind::NotYetValid,
            Self::InvalidDates { .. } => Kind::InvalidDates,
            Self::SelfSigned {
                is_authority: false,
                ..
            } => Kind::SelfSigned,
            Self::SelfSigned { uploaded: None, .. } => Kind::SelfSignedNotWellKnown,
            Self::SelfSigned { .. } => Kind::SelfSignedNotUploaded,
            Self::IntermediateMissing(_) => Kind::IntermediateMissing,
            Self::ServerNotWellKnown(_) => Kind::ServerNotWellKnown,
            Self::IntermediateNotWellKnown(_) => Kind::IntermediateNotWellKnown,
            Self::IntermediateNotUploaded(_) => Kind::IntermediateNotUploaded,
            Self::RootMismatch(_) => Kind::RootMismatch,
            Self::NotPinned { .. } => Kind::NotPinned,
            Self::BadSignature { .. } => Kind::BadSignature,
            Self::IssuerKeyDiffers { .. } => Kind::IssuerKeyDiffers,
            Self::WeakSignature { .. } => Kind::WeakSignature,
            Self::UnsupportedSignature { .. } => Kind::UnsupportedSignature,
            Self::InvalidAuthority { .. } => Kind::InvalidAuthority,
            Self::PathTooLong { .. } => Kind::PathTooLong,
            Self::ChainTooLong { .. } => Kind::ChainTooLong,
            Self::InvalidPurpose { .. } => Kind::InvalidPurpose,
            Self::NameConstraint { .. } => Kind::NameConstraint,
            Self::NameMismatch { .. } => Kind::NameMismatch,
            Self::OutOfOrder { .. } => Kind::OutOfOrder,
            Self::AnchorExpired { .. } => Kind::AnchorExpired,
        }
    }

    /// The position of the certificate that it is about; the first one's, where it is about the
    /// order. `None` where it is about the chain as a whole, or about what was not presented.
    pub fn position(&self) -> Option<usize> {
        match self {
            Self::TooManyBytes
            | Self::TooManyCertificates
            | Self::TooMuchWork
            | Self::ChainTooLong { .. }
            | Self::AnchorExpired { .. } => None,
            Self::LeafMissing { presented: found }
            | Self::LeafNotFirst { found, .. }
            | Self::OutOfOrder { found, .. } => found.first().map(|at| at.position),
            Self::Unreadable { position, .. } => Some(*position),
            Self::UnsupportedVersion { at, .. }
            | Self::Malformed { at, .. }
            | Self::CriticalExtension { at, .. }
            | Self::AuthorityAsServer { at }
            | Self::Expired { at, .. }
            | Self::NotYetValid { at, .. }
            | Self::InvalidDates { at, .. }
            | Self::SelfSigned { at, .. }
            | Self::NotPinned { at, .. }
            | Self::BadSignature { at, .. }
            | Self::IssuerKeyDiffers { at, .. }
            | Self::WeakSignature { at, .. }
            | Self::UnsupportedSignature { at }
            | Self::InvalidAuthority { at, .. }
            | Self::PathTooLong { at, .. }
            | Self::InvalidPurpose { at }
            | Self::NameConstraint { at, .. }
            | Self::NameMismatch { at, .. } => Some(at.position),
            Self::IntermediateMissing(untrusted)
            | Self::ServerNotWellKnown(untrusted)
            | Self::IntermediateNotWellKnown(untrusted)
            | Self::IntermediateNotUploaded(untrusted)
            | Self::RootMismatch(untrusted) => Some(untrusted.top.position),
        }
    }

    /// The number of OpenSSL's `X509_V_ERR`, which for some kinds hangs on the particulars.
    pub fn openssl(&self) -> u16 {
        const CA_KEY_TOO_SMALL: u16 = 67;
        const SELF_SIGNED_CERT_IN_CHAIN: u16 = 19;
        const UNABLE_TO_GET_ISSUER_CERT_LOCALLY: u16 = 20;
        const IP_ADDRESS_MISMATCH: u16 = 64;
        const CERT_NOT_YET_VALID: u16 = 9;
        const EXCLUDED_VIOLATION: u16 = 48;
        const UNSUPPORTED_NAME_SYNTAX: u16 = 53;
        match self {
            Self::ServerNotWellKnown(untrusted)
            | Self::IntermediateNotWellKnown(untrusted)
            | Self::IntermediateNotUploaded(untrusted)
            | Self::RootMismatch(untrusted) => match untrusted.is_root {
                true => SELF_SIGNED_CERT_IN_CHAIN,
                false => UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
            },
            Self::WeakSignature {
                weakness: Weakness::ShortKey,
                ..
            } => CA_KEY_TOO_SMALL,
            // At any time one of its dates is broken; the first one is looked at first.
            Self::InvalidDates {
                not_before, now, ..
            } if now < not_before => CERT_NOT_YET_VALID,
            Self::NameConstraint { violation, .. } => match violation {
                Violation::NotPermitted(_) => self.kind().openssl(),
                Violation::Excluded(_) => EXCLUDED_VIOLATION,
                Violation::Malformed => UNSUPPORTED_NAME_SYNTAX,
            },
            Self::NameMismatch { expected, .. } if expected.parse::<std::net::IpAddr>().is_ok() => {
                IP_ADDRESS_MISMATCH
            }
            _ => self.kind().openssl(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn codes_are_distinct() {
        let codes: BTreeSet<&str> = Kind::ALL.iter().map(|kind| kind.code()).collect();
        assert_eq!(codes.len(), Kind::ALL.len());
        assert!(Kind::ALL.is_sorted());
    }

    #[test]
    fn every_row_of_the_documents_has_a_kind() {
        let rows: BTreeSet<u8> = Kind::ALL.iter().filter_map(|kind| kind.row()).collect();
        assert!(rows.into_iter().eq(6..=15));
    }

    #[test]
    fn long_lists_are_counted() {
        let listed = Listed::of((0..20).map(|n| n.to_string()));
        assert_eq!((listed.names.len(), listed.more), (LISTED_MAX, 4));
    }
}
