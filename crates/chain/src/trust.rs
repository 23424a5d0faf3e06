//! Whom a backend setting trusts.

use crate::certificate::{Certificate, Oddity};
use crate::der::{encode, tag};
use crate::text::shorten;
use x509_parser::prelude::{FromDer as _, X509Name};

/// A trusted authority in the form in which TLS libraries keep it: the fields of rustls'
/// `TrustAnchor`, each in DER without its outer tag and length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Anchor<'a> {
    pub subject: &'a [u8],
    /// The `SubjectPublicKeyInfo`.
    pub key: &'a [u8],
    pub constraints: Option<&'a [u8]>,
}

impl<'a> Anchor<'a> {
    /// A certificate that is trusted as it is, whatever it says of itself: neither its dates nor
    /// its CA flag are looked at (RFC 5280, section 6.2). `None` for one that no verifier can read.
    pub fn of(certificate: &'a Certificate) -> Option<Self> {
        if let Some(Oddity::Malformed(_)) = certificate.oddity() {
            return None;
        }
        let parts = certificate.parts();
        Some(Self {
            subject: parts.subject,
            key: parts.key,
            constraints: certificate.constraints(),
        })
    }

    /// The distinguished name, shortened for messages.
    pub fn name(&self) -> String {
        let whole = encode(tag::SEQUENCE, &[self.subject]);
        match X509Name::from_der(&whole) {
            Ok((_, name)) => shorten(&name.to_string()),
            Err(_) => "a name that cannot be read".to_owned(),
        }
    }
}

/// Whom to trust, and in which way (behaviour.md §2.4).
#[derive(Clone, Copy, Debug)]
pub enum Trust<'a> {
    /// The well-known authorities.
    WellKnown { anchors: &'a [Anchor<'a>] },
    /// The well-known authorities, and the roots that were uploaded.
    Uploaded {
        anchors: &'a [Anchor<'a>],
        roots: &'a [Certificate],
    },
    /// First generation: exactly the servers with these certificates, known by their public keys.
    Pinned { certificates: &'a [Certificate] },
}

impl<'a> Trust<'a> {
    pub(crate) fn well_known(&self) -> &'a [Anchor<'a>] {
        match self {
            Self::WellKnown { anchors } | Self::Uploaded { anchors, .. } => anchors,
            Self::Pinned { .. } => &[],
        }
    }

    /// `None` where only well-known authorities are trusted.
    pub(crate) fn uploaded(&self) -> Option<&'a [Certificate]> {
        match self {
            Self::Uploaded { roots, .. } => Some(roots),
            Self::WellKnown { .. } | Self::Pinned { .. } => None,
        }
    }
}
