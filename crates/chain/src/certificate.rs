//! What can be said of one certificate by looking at it.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{ParsedExtension, X509Extension};
use x509_parser::oid_registry::{
    OID_KEY_TYPE_EC_PUBLIC_KEY, OID_PKCS1_RSAENCRYPTION, OID_X509_EXT_BASIC_CONSTRAINTS,
    OID_X509_EXT_CRL_DISTRIBUTION_POINTS, OID_X509_EXT_EXTENDED_KEY_USAGE, OID_X509_EXT_KEY_USAGE,
    OID_X509_EXT_NAME_CONSTRAINTS, OID_X509_EXT_SUBJECT_ALT_NAME, Oid,
};
use x509_parser::prelude::FromDer as _;

use crate::der::{Tlv, tag};
use crate::names::Names;
use crate::signature::{self, Signed, SignedData};
use crate::text::{hex, shorten};

/// Largest certificate that is read, in bytes: what the TLS library reads too.
pub const CERTIFICATE_BYTES_MAX: usize = 64 * 1024;

/// Most common names that are kept of one certificate.
const COMMON_NAMES_MAX: usize = 16;

/// Longest key identifier or serial number that is shown, in bytes (RFC 5280 allows 20 for either;
/// longer ones are met).
const ID_BYTES_MAX: usize = 64;

/// Why bytes are no certificate. The texts are clauses that follow "it ".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// It has more than [`CERTIFICATE_BYTES_MAX`] bytes.
    TooLarge,
    NotX509,
    /// Something stands behind the certificate.
    TrailingData,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge => write!(formatter, "has more than {CERTIFICATE_BYTES_MAX} bytes"),
            Self::NotX509 => formatter.write_str("is no X.509 certificate"),
            Self::TrailingData => formatter.write_str("has something behind its end"),
        }
    }
}

impl std::error::Error for Unreadable {}

/// One X.509 certificate, read.
#[derive(Clone, PartialEq, Eq)]
pub struct Certificate {
    der: Vec<u8>,
    subject: String,
    issuer: String,
    names: Names,
    not_before: i64,
    not_after: i64,
    version: u32,
    /// The CA flag and the path length of the basic constraints.
    basic: (bool, Option<u32>),
    /// The contents of the name constraints extension.
    constraints: Option<Vec<u8>>,
    /// `false` where it is limited to purposes among which TLS servers are not.
    serves_tls: bool,
    subject_key_id: Option<Vec<u8>>,
    authority_key_id: Option<Vec<u8>>,
    key_kind: KeyKind,
    oddity: Option<Oddity>,
}

/// What a public key is for, as far as TLS's cipher suites tell keys apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    Rsa,
    /// On an elliptic curve, for ECDSA.
    Ecdsa,
    Other,
}

/// What a reader of X.509 takes and a verifier must refuse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Oddity {
    /// Its version is not 3.
    Version(u32),
    /// It is marked critical, and nobody here knows what it means.
    CriticalExtension(String),
    /// The text is a clause that follows "it ".
    Malformed(&'static str),
}

impl Certificate {
    /// Reads a certificate in DER.
    ///
    /// # Errors
    /// See [`Unreadable`].
    pub fn read(der: &[u8]) -> Result<Self, Unreadable> {
        if der.len() > CERTIFICATE_BYTES_MAX {
            return Err(Unreadable::TooLarge);
        }
        let (rest, parsed) = X509Certificate::from_der(der).map_err(|_| Unreadable::NotX509)?;
        if !rest.is_empty() {
            return Err(Unreadable::TrailingData);
        }
        Parts::of(der).ok_or(Unreadable::NotX509)?;
        let common = parsed.subject().iter_common_name();
        let common = common.filter_map(|name| name.as_str().ok()).map(shorten);
        let alternative = contents(&parsed, &OID_X509_EXT_SUBJECT_ALT_NAME);
        Ok(Self {
            der: der.to_vec(),
            subject: shorten(&parsed.subject().to_string()),
            issuer: shorten(&parsed.issuer().to_string()),
            names: Names::new(alternative, common.take(COMMON_NAMES_MAX).collect()),
            not_before: parsed.validity().not_before.timestamp(),
            not_after: parsed.validity().not_after.timestamp(),
            version: parsed.version().0.saturating_add(1),
            basic: basic_constraints(&parsed),
            constraints: contents(&parsed, &OID_X509_EXT_NAME_CONSTRAINTS).map(<[u8]>::to_vec),
            serves_tls: serves_tls(&parsed),
            subject_key_id: subject_key_id(&parsed),
            authority_key_id: authority_key_id(&parsed),
            key_kind: key_kind(&parsed),
            oddity: oddity(der, &parsed),
        })
    }

    /// The certificate itself.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The distinguished name of its owner, shortened for messages.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// The distinguished name of who says to have signed it, shortened for messages.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// For whom it is.
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// The first second in which it is valid, since the Unix epoch.
    pub fn not_before(&self) -> i64 {
        self.not_before
    }

    /// The last second in which it is valid, since the Unix epoch.
    pub fn not_after(&self) -> i64 {
        self.not_after
    }

    /// The version of X.509: 1, 2 or 3.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// Whether it may sign certificates. One of version 1 has no way to say so; as a root it may.
    pub fn is_authority(&self) -> bool {
        self.basic.0 || (self.version == 1 && self.is_self_issued())
    }

    /// Whether owner and issuer have the same name.
    pub fn is_self_issued(&self) -> bool {
        let parts = self.parts();
        parts.subject == parts.issuer
    }

    /// Whether it is signed with its own key, under its own name. Verifies a signature each time.
    pub fn is_self_signed(&self) -> bool {
        let own = || self.is_signed_with(self.parts().key);
        self.is_self_issued() && matches!(own(), Signed::Yes | Signed::Weakly(_))
    }

    /// The serial number in hexadecimal digits, the first 64 bytes of it.
    pub fn serial(&self) -> String {
        let serial = self.parts().serial;
        hex(serial.get(..ID_BYTES_MAX).unwrap_or(serial))
    }

    /// SHA-256 of [`Self::der`].
    pub fn fingerprint(&self) -> [u8; 32] {
        let hash = digest(&SHA256, &self.der);
        <[u8; 32]>::try_from(hash.as_ref()).unwrap_or_default()
    }

    /// Of the owner's key, as the issuer named it; at most 64 bytes.
    pub fn subject_key_id(&self) -> Option<&[u8]> {
        self.subject_key_id.as_deref()
    }

    /// Of the key that signed, as the issuer named it; at most 64 bytes.
    pub fn authority_key_id(&self) -> Option<&[u8]> {
        self.authority_key_id.as_deref()
    }

    /// Of its own public key.
    pub fn key_kind(&self) -> KeyKind {
        self.key_kind
    }

    /// Whether both belong to the same key.
    pub fn has_key_of(&self, other: &Self) -> bool {
        self.parts().key == other.parts().key
    }

    pub(crate) fn may_issue(&self) -> bool {
        self.basic.0
    }

    pub(crate) fn path_length(&self) -> Option<u32> {
        self.basic.1
    }

    pub(crate) fn constraints(&self) -> Option<&[u8]> {
        self.constraints.as_deref()
    }

    pub(crate) fn serves_tls(&self) -> bool {
        self.serves_tls
    }

    pub(crate) fn oddity(&self) -> Option<&Oddity> {
        self.oddity.as_ref()
    }

    /// The parts that were there when it was read.
    pub(crate) fn parts(&self) -> Parts<'_> {
        Parts::of(&self.der).unwrap_or_default()
    }

    pub(crate) fn is_signed_with(&self, key: &[u8]) -> Signed {
        signature::check(self.parts().signed, key)
    }
}

fn key_kind(parsed: &X509Certificate<'_>) -> KeyKind {
    let algorithm = &parsed.public_key().algorithm.algorithm;
    match () {
        () if *algorithm == OID_PKCS1_RSAENCRYPTION => KeyKind::Rsa,
        () if *algorithm == OID_KEY_TYPE_EC_PUBLIC_KEY => KeyKind::Ecdsa,
        () => KeyKind::Other,
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Certificate")
            .field("subject", &self.subject)
            .field("issuer", &self.issuer)
            .field("serial", &self.serial())
            .finish_non_exhaustive()
    }
}

/// The parts of a certificate that are compared byte by byte, without their outer tags.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Parts<'a> {
    pub(crate) serial: &'a [u8],
    pub(crate) issuer: &'a [u8],
    pub(crate) subject: &'a [u8],
    /// The `SubjectPublicKeyInfo`.
    pub(crate) key: &'a [u8],
    pub(crate) signed: SignedData<'a>,
    /// The algorithm that the signed part names.
    inner_algorithm: &'a [u8],
}

impl<'a> Parts<'a> {
    /// RFC 5280, section 4.1.
    fn of(der: &'a [u8]) -> Option<Self> {
        let mut outer = Tlv::only(der, tag::SEQUENCE)?.children();
        let mut next = |wanted| outer.next().filter(|part| part.tag == wanted);
        let message = next(tag::SEQUENCE)?;
        let (algorithm, signature) = (next(tag::SEQUENCE)?, next(tag::BIT_STRING)?);
        let (0, signature) = signature.contents.split_first()? else {
            return None;
        };
        let mut fields = message.children().peekable();
        fields.next_if(|field| field.tag == tag::CONTEXT_0);
        let mut next = |wanted| fields.next().filter(|field| field.tag == wanted);
        let serial = next(tag::INTEGER)?.contents;
        let inner_algorithm = next(tag::SEQUENCE)?.contents;
        let issuer = next(tag::SEQUENCE)?.contents;
        let _validity = next(tag::SEQUENCE)?;
        let subject = next(tag::SEQUENCE)?.contents;
        let key = next(tag::SEQUENCE)?.contents;
        let signed = SignedData {
            message: message.whole,
            algorithm: algorithm.contents,
            signature,
        };
        Some(Self {
            serial,
            issuer,
            subject,
            key,
            signed,
            inner_algorithm,
        })
    }
}

/// The extensions that a verifier of servers understands; another one that is critical is a reason
/// to refuse.
fn understood() -> [Oid<'static>; 6] {
    [
        OID_X509_EXT_KEY_USAGE,
        OID_X509_EXT_SUBJECT_ALT_NAME,
        OID_X509_EXT_BASIC_CONSTRAINTS,
        OID_X509_EXT_NAME_CONSTRAINTS,
        OID_X509_EXT_CRL_DISTRIBUTION_POINTS,
        OID_X509_EXT_EXTENDED_KEY_USAGE,
    ]
}

fn oddity(der: &[u8], parsed: &X509Certificate<'_>) -> Option<Oddity> {
    let version = parsed.version().0.saturating_add(1);
    if version != 3 {
        return Some(Oddity::Version(version));
    }
    let parts = Parts::of(der)?;
    if parts.inner_algorithm != parts.signed.algorithm {
        return Some(Oddity::Malformed(
            "names one signature algorithm inside and another outside",
        ));
    }
    if parsed.tbs_certificate.issuer_uid.is_some() || parsed.tbs_certificate.subject_uid.is_some() {
        return Some(Oddity::Malformed("has unique identifiers"));
    }
    let understood = understood();
    let mut seen = [false; 6];
    for extension in parsed.extensions() {
        let known = understood.iter().position(|oid| *oid == extension.oid);
        let Some(seen) = known.and_then(|known| seen.get_mut(known)) else {
            if extension.critical {
                return Some(Oddity::CriticalExtension(extension.oid.to_id_string()));
            }
            continue;
        };
        if std::mem::replace(seen, true) {
            return Some(Oddity::Malformed("has an extension twice"));
        }
        if is_unreadable(extension) {
            return Some(Oddity::Malformed("has an extension that cannot be read"));
        }
    }
    None
}

/// Alternative names and constraints are read here, piece by piece; the rest by the parser.
fn is_unreadable(extension: &X509Extension<'_>) -> bool {
    let broken = matches!(
        extension.parsed_extension(),
        ParsedExtension::ParseError { .. }
    );
    let by_pieces = extension.oid == OID_X509_EXT_SUBJECT_ALT_NAME
        || extension.oid == OID_X509_EXT_NAME_CONSTRAINTS;
    match by_pieces {
        true => Tlv::only(extension.value, tag::SEQUENCE).is_none(),
        false => {
            broken
                && (extension.oid == OID_X509_EXT_BASIC_CONSTRAINTS
                    || extension.oid == OID_X509_EXT_EXTENDED_KEY_USAGE)
        }
    }
}

/// What the sequence of an extension holds. One that is no sequence holds what cannot be read.
fn contents<'a>(parsed: &X509Certificate<'a>, oid: &Oid<'_>) -> Option<&'a [u8]> {
    let extension = parsed.extensions().iter().find(|one| one.oid == *oid)?;
    let sequence = Tlv::only(extension.value, tag::SEQUENCE);
    Some(sequence.map_or(extension.value, |sequence| sequence.contents))
}

fn basic_constraints(parsed: &X509Certificate<'_>) -> (bool, Option<u32>) {
    let found = parsed.extensions().iter().find_map(|one| {
        let ParsedExtension::BasicConstraints(basic) = one.parsed_extension() else {
            return None;
        };
        Some((basic.ca, basic.path_len_constraint))
    });
    found.unwrap_or_default()
}

fn serves_tls(parsed: &X509Certificate<'_>) -> bool {
    let purposes = parsed.extensions().iter().find_map(|one| {
        let ParsedExtension::ExtendedKeyUsage(purposes) = one.parsed_extension() else {
            return None;
        };
        Some(purposes.server_auth)
    });
    purposes.unwrap_or(true)
}

fn subject_key_id(parsed: &X509Certificate<'_>) -> Option<Vec<u8>> {
    parsed.extensions().iter().find_map(|one| {
        let ParsedExtension::SubjectKeyIdentifier(id) = one.parsed_extension() else {
            return None;
        };
        Some(id.0.iter().copied().take(ID_BYTES_MAX).collect())
    })
}

fn authority_key_id(parsed: &X509Certificate<'_>) -> Option<Vec<u8>> {
    parsed.extensions().iter().find_map(|one| {
        let ParsedExtension::AuthorityKeyIdentifier(id) = one.parsed_extension() else {
            return None;
        };
        let id = id.key_identifier.as_ref()?;
        Some(id.0.iter().copied().take(ID_BYTES_MAX).collect())
    })
}
