//! Certificates that backend settings trust: uploaded roots (second generation), and pinned server
//! certificates (first generation).

use gatewright_arm::Item;
use gatewright_arm::model::{AuthenticationCertificate, TrustedRootCertificate};
use gatewright_chain::{Certificate, date};

use crate::certificate::{CertificateError, decode_base64, read_certificates};
use crate::codes;
use crate::findings::quote;
use crate::scope::Scope;

/// Longest `data` of a certificate that is taken, in characters.
const DATA_CHARS_MAX: usize = 256 * 1024;

/// The certificates of the gateway's entries in DER, in the document's order. An entry that cannot
/// be read has none, and an error.
pub(crate) struct Trust {
    pub(crate) roots: Vec<Vec<Vec<u8>>>,
    pub(crate) pinned: Vec<Vec<Vec<u8>>>,
}

pub(crate) fn compile(scope: &mut Scope<'_>) -> Trust {
    let properties = &scope.gateway.properties;
    let (roots, pinned) = (
        &properties.trusted_root_certificates,
        &properties.authentication_certificates,
    );
    Trust {
        roots: roots.iter().map(|item| root(scope, item)).collect(),
        pinned: pinned.iter().map(|item| pin(scope, item)).collect(),
    }
}

fn root(scope: &mut Scope<'_>, item: &Item<TrustedRootCertificate>) -> Vec<Vec<u8>> {
    let entry = Entry {
        kind: "trusted root certificate",
        code: codes::E_TRUSTED_ROOT,
        name: &item.name,
        pointer: item.pointer(),
        data: item.properties.data.as_deref(),
        in_vault: item.properties.key_vault_secret_id.is_some(),
    };
    let found = entry.read(scope);
    found
        .into_iter()
        .map(|root| judge_root(scope, item, &root))
        .collect()
}

fn pin(scope: &mut Scope<'_>, item: &Item<AuthenticationCertificate>) -> Vec<Vec<u8>> {
    let entry = Entry {
        kind: "authentication certificate",
        code: codes::E_AUTHENTICATION_CERTIFICATE,
        name: &item.name,
        pointer: item.pointer(),
        data: item.properties.data.as_deref(),
        in_vault: false,
    };
    let found = entry.read(scope);
    found.iter().map(|one| one.der().to_vec()).collect()
}

/// An entry of either collection.
struct Entry<'a> {
    kind: &'static str,
    /// Of the error that the entry cannot be read.
    code: &'static str,
    name: &'a str,
    pointer: &'a str,
    data: Option<&'a str>,
    in_vault: bool,
}

impl Entry<'_> {
    /// The certificates of the operator's file, else of the data. An entry without either trusts
    /// nothing, which fails on the safe side; one that cannot be read is an error.
    fn read(&self, scope: &mut Scope<'_>) -> Vec<Certificate> {
        let supplied = scope.options.supplied(&scope.gateway.name, self.name);
        let data = self.data.filter(|data| !data.trim().is_empty());
        let read = match (supplied, data) {
            (Some(file), _) => read_certificates(&file.bytes),
            (None, Some(data)) => certificates(data),
            (None, None) => {
                self.warn_of_absence(scope);
                return Vec::new();
            }
        };
        read.and_then(parsed).unwrap_or_else(|error| {
            scope.findings.error(
                self.code,
                self.pointer,
                format!(
                    "The {} {} cannot be read: {error}.",
                    self.kind,
                    quote(self.name)
                ),
                "It is base64 of a .cer file: PEM, or one certificate in DER.",
            );
            Vec::new()
        })
    }

    fn warn_of_absence(&self, scope: &mut Scope<'_>) {
        let whereabouts = match self.in_vault {
            true => "lies in a Key Vault, which is not read here",
            false => "is not in this document",
        };
        scope.findings.warning(
            codes::W_TRUSTED_CERTIFICATE_ABSENT,
            self.pointer,
            format!(
                "The {} {} {whereabouts}; backends that it vouches for are not trusted.",
                self.kind,
                quote(self.name)
            ),
            format!("Give it as a file: --certificate {}=FILE.", self.name),
        );
    }
}

fn judge_root(
    scope: &mut Scope<'_>,
    item: &Item<TrustedRootCertificate>,
    root: &Certificate,
) -> Vec<u8> {
    let described = format!(
        "trusted root certificate {} ({})",
        quote(&item.name),
        root.subject()
    );
    if root.not_after() < scope.options.now {
        scope.findings.warning(
            codes::W_TRUSTED_ROOT_EXPIRED,
            item.pointer(),
            format!("The {described} expired on {}.", date(root.not_after())),
            "Upload its successor; chains that lead to it may be refused.",
        );
    }
    if !root.is_authority() {
        scope.findings.warning(
            codes::W_TRUSTED_ROOT_NOT_A_CA,
            item.pointer(),
            format!("The {described} is no certificate of an authority (CA)."),
            "Upload the root that the server's chain leads to, not the server's certificate.",
        );
    }
    root.der().to_vec()
}

/// Base64 of a file; some clients send the PEM text as it is.
fn certificates(data: &str) -> Result<Vec<Vec<u8>>, CertificateError> {
    if data.len() > DATA_CHARS_MAX {
        return Err(CertificateError::TooLarge {
            bytes: data.len(),
            limit: DATA_CHARS_MAX,
        });
    }
    if data.trim_start().starts_with("-----BEGIN ") {
        return read_certificates(data.as_bytes());
    }
    let bytes = decode_base64(data).ok_or(CertificateError::Base64)?;
    read_certificates(&bytes)
}

fn parsed(found: Vec<Vec<u8>>) -> Result<Vec<Certificate>, CertificateError> {
    let read = |der: &Vec<u8>| Certificate::read(der).map_err(|_| CertificateError::NotX509);
    found.iter().map(read).collect()
}
