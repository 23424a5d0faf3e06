//! What a compilation depends on besides the documents.

use std::collections::HashMap;
use std::fmt;

use zeroize::Zeroizing;

use crate::certificate::Identity;

/// Everything outside the documents that decides what they mean. Two calls with equal documents
/// and equal options give equal snapshots.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Seconds since the Unix epoch. Certificates that are not valid then are warned about.
    pub now: i64,
    /// Added to every frontend port where clients connect. A port beyond 65,535 is an error.
    pub port_offset: u16,
    /// Whether path rules tell `/Images` from `/images`. The service's documents disagree; its
    /// reference says that they do not.
    pub path_case_sensitive: bool,
    /// Serve a gateway although it asks for what this one does not do yet and what its backends
    /// may depend on (rewrites and the like): warn instead of refusing. Client certificates and
    /// token validation are refused all the same, because leaving them out lets strangers in.
    pub allow_unsupported: bool,
    /// Certificates that the operator gives for `sslCertificates` entries (or, without a key, for
    /// `trustedRootCertificates` entries), by the entry's name, or `gateway/entry` where two
    /// gateways have one of the same name. They come before what the document holds.
    pub certificates: Vec<SuppliedCertificate>,
    /// Stand-ins for the certificates that [`keyless_certificates`](crate::keyless_certificates)
    /// lists.
    pub development_certificates: HashMap<CertificateId, Identity>,
}

/// Names an `sslCertificates` entry of one gateway, in any letter case.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CertificateId {
    gateway: String,
    certificate: String,
}

impl CertificateId {
    /// `gateway` is its resource id, or its name where it has none.
    pub fn new(gateway: &str, certificate: &str) -> Self {
        Self {
            gateway: gateway.to_ascii_lowercase(),
            certificate: certificate.to_ascii_lowercase(),
        }
    }
}

/// A certificate file of the operator's.
#[derive(Clone)]
pub struct SuppliedCertificate {
    /// `entry` or `gateway/entry`, in any letter case.
    pub name: String,
    /// PEM (private key and chain, in any order), or PFX; at most 256 KiB. Wiped when dropped.
    pub bytes: Zeroizing<Vec<u8>>,
    /// The PFX's password; empty for PEM.
    pub password: Zeroizing<String>,
}

impl fmt::Debug for SuppliedCertificate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SuppliedCertificate({:?}, …)", self.name)
    }
}

impl Options {
    /// The operator's file for `entry` of `gateway`: the name with the gateway goes first.
    pub(crate) fn supplied(&self, gateway: &str, entry: &str) -> Option<&SuppliedCertificate> {
        let is_full = |one: &&SuppliedCertificate| {
            one.name.split_once('/').is_some_and(|(own, name)| {
                own.eq_ignore_ascii_case(gateway) && name.eq_ignore_ascii_case(entry)
            })
        };
        let is_short = |one: &&SuppliedCertificate| one.name.eq_ignore_ascii_case(entry);
        let list = || self.certificates.iter();
        list().find(is_full).or_else(|| list().find(is_short))
    }
}
