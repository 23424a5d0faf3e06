//! `trustedClientCertificates`: the chain that client certificates lead to, as the service shows
//! that it understood it.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer as _;
use x509_parser::x509::X509Name;

use super::{CertificateError, FILE_BYTES_MAX, decode_base64, read_certificates};

/// What the service answers of an uploaded chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientChain {
    /// `validatedCertData`: PEM of each certificate, without line breaks.
    pub validated: String,
    /// `clientCertIssuerDN`: the name of the authority that signs client certificates, in .NET's
    /// notation: `O=Contoso, S=Some-State, C=AU`.
    pub issuer: String,
}

/// Reads the `data` of an entry: base64 of PEM, or the PEM itself.
///
/// # Errors
/// See [`CertificateError`].
pub fn read_client_chain(data: &str) -> Result<ClientChain, CertificateError> {
    if data.len() > FILE_BYTES_MAX {
        return Err(CertificateError::TooLarge {
            bytes: data.len(),
            limit: FILE_BYTES_MAX,
        });
    }
    let chain = match data.trim_start().starts_with("-----BEGIN ") {
        true => read_certificates(data.as_bytes())?,
        false => read_certificates(&decode_base64(data).ok_or(CertificateError::Base64)?)?,
    };
    let parsed: Vec<X509Certificate<'_>> = chain
        .iter()
        .map(|der| X509Certificate::from_der(der).map(|(_, parsed)| parsed))
        .collect::<Result<_, _>>()
        .map_err(|_| CertificateError::NotX509)?;
    let lowest = lowest(&parsed).ok_or(CertificateError::NoCertificate)?;
    let pem = |der: &Vec<u8>| {
        let text = STANDARD.encode(der);
        format!("-----BEGIN CERTIFICATE-----{text}-----END CERTIFICATE-----")
    };
    Ok(ClientChain {
        validated: chain.iter().map(pem).collect(),
        issuer: dotnet_name(lowest.subject()),
    })
}

/// The authority that signed none of the others.
fn lowest<'a, 'b>(parsed: &'a [X509Certificate<'b>]) -> Option<&'a X509Certificate<'b>> {
    let signed_another = |one: &&X509Certificate<'_>| {
        parsed.iter().any(|other| {
            other.issuer().as_raw() == one.subject().as_raw()
                && other.subject().as_raw() != one.subject().as_raw()
        })
    };
    let mut lowest = parsed.iter().filter(|one| !signed_another(one));
    lowest.next().or(parsed.first())
}

/// What .NET writes for types of attributes (X500DistinguishedName); others by their number.
const TYPES: &[(&str, &str)] = &[
    ("2.5.4.3", "CN"),
    ("2.5.4.4", "SN"),
    ("2.5.4.5", "SERIALNUMBER"),
    ("2.5.4.6", "C"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "S"),
    ("2.5.4.9", "STREET"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("2.5.4.12", "T"),
    ("2.5.4.42", "G"),
    ("2.5.4.43", "I"),
    ("0.9.2342.19200300.100.1.25", "DC"),
    ("1.2.840.113549.1.9.1", "E"),
];

/// The name from its end to its beginning, with commas between.
fn dotnet_name(name: &X509Name<'_>) -> String {
    let sets: Vec<_> = name.iter().collect();
    let mut out = String::new();
    for set in sets.iter().rev() {
        for (position, attribute) in set.iter().enumerate() {
            let between = match (position, out.is_empty()) {
                (0, true) => "",
                (0, false) => ", ",
                _ => " + ",
            };
            let number = attribute.attr_type().to_id_string();
            let known = TYPES.iter().find(|(id, _)| *id == number);
            let kind =
                known.map_or_else(|| format!("OID.{number}"), |(_, kind)| (*kind).to_owned());
            let value = quoted(attribute.as_str().unwrap_or_default());
            let _ = write!(out, "{between}{kind}={value}");
        }
    }
    out
}

/// In quotes where a reader would take it for something else otherwise.
fn quoted(value: &str) -> String {
    let is_special = |c: char| ",+\"=\n<>#;".contains(c);
    let is_bare = !value.is_empty() && value.trim() == value && !value.contains(is_special);
    match is_bare {
        true => value.to_owned(),
        false => format!("\"{}\"", value.replace('"', "\"\"")),
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

    use super::*;

    fn params(names: &[(DnType, &str)]) -> CertificateParams {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        for (kind, value) in names {
            params.distinguished_name.push(kind.clone(), *value);
        }
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
    }

    #[test]
    fn the_issuer_is_the_lowest_authority_in_dotnet_notation() {
        let (root_key, key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let root_params = params(&[(DnType::CommonName, "Root")]);
        let root = root_params.self_signed(&root_key).unwrap();
        let issuing = params(&[
            (DnType::CountryName, "AU"),
            (DnType::StateOrProvinceName, "Some-State"),
            (DnType::OrganizationName, "Widgits, \"Pty\""),
        ]);
        let issuer = Issuer::new(root_params, root_key);
        let issuing = issuing.signed_by(&key, &issuer).unwrap();
        for pem in [root.pem() + &issuing.pem(), issuing.pem() + &root.pem()] {
            let chain = read_client_chain(&STANDARD.encode(&pem)).unwrap();
            assert_eq!(
                chain.issuer,
                "O=\"Widgits, \"\"Pty\"\"\", S=Some-State, C=AU"
            );
            assert_eq!(chain.validated, pem.replace(['\n', '\r'], ""));
        }
        assert_eq!(read_client_chain("!"), Err(CertificateError::Base64));
    }
}
