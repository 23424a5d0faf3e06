//! What a server presented, and what the gateway holds to judge it by.

use gatewright_arm::ApplicationGateway;
use gatewright_chain::{Certificate, Presented};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use super::view::{Place, View};
use super::{Folder, PRESENTED, PRESENTED_WITHOUT_SNI, Unreadable, unreadable};

/// Certificates that the gateway holds, or that are known of the chain.
const UPLOADED: [&str; 2] = ["certs/uploaded-root.pem", "certs/whitelisted.cer"];
const KNOWN: [&str; 2] = ["certs/root.pem", "certs/intermediate-not-sent.pem"];

pub(super) fn is_known(name: &str) -> bool {
    let all = [PRESENTED, PRESENTED_WITHOUT_SNI];
    all.contains(&name) || UPLOADED.contains(&name) || KNOWN.contains(&name)
}

/// What a server presented, in its order.
#[derive(Clone, Debug)]
pub(crate) struct Chain {
    pub(crate) presented: Presented,
    pub(crate) place: Place,
}

impl Chain {
    pub(super) fn read(file: &str, bytes: &[u8]) -> Result<Self, Unreadable> {
        let certificates = certificates(bytes);
        if certificates.is_empty() {
            let expected = "certificates in PEM are expected, in the order in which the server \
                            presents them";
            return Err(unreadable(file, "", expected));
        }
        Ok(Self {
            presented: Presented::read(certificates.iter().map(Vec::as_slice)),
            place: Place::whole(file),
        })
    }

    /// What stands in a file of the folder that an observation names.
    pub(super) fn of_file(view: &View<'_>, folder: &Folder<'_>) -> Option<Self> {
        let name = view.as_text()?;
        let below = format!("certs/{name}");
        let names = [name, below];
        names.iter().find_map(|name| {
            let (file, _) = folder.get(name)?;
            Self::read(file, folder.bytes(name)?).ok()
        })
    }

    /// What an observation holds: one text, or a list of them, in PEM or in base 64. `None` where
    /// it holds something else, such as the subjects of the certificates.
    pub(super) fn of_texts(view: &View<'_>) -> Option<Self> {
        let texts = match view.elements() {
            elements if view.value().is_array() => elements,
            _ => vec![view.clone()],
        };
        let texts = texts.iter().filter_map(View::as_text);
        let certificates: Vec<Vec<u8>> = texts.flat_map(|text| ders(&text)).collect();
        (!certificates.is_empty()).then(|| Self {
            presented: Presented::read(certificates.iter().map(Vec::as_slice)),
            place: view.place(),
        })
    }

    /// The first certificate that can be read.
    pub(crate) fn leaf(&self) -> Option<&Certificate> {
        self.presented.certificates().first()?.as_ref().ok()
    }

    pub(crate) fn readable(&self) -> impl Iterator<Item = &Certificate> {
        let all = self.presented.certificates().iter();
        all.filter_map(|one| one.as_ref().ok())
    }
}

/// A certificate that servers are judged by.
#[derive(Clone, Debug)]
pub(crate) struct Uploaded {
    /// The name of the trusted root or authentication certificate; empty for a file of the folder.
    pub(crate) name: String,
    pub(crate) certificate: Certificate,
    pub(crate) place: Place,
    /// Whether the gateway has it; else it is known of the chain alone.
    pub(crate) is_uploaded: bool,
}

impl Uploaded {
    pub(super) fn read_all(
        gateway: &ApplicationGateway,
        folder: &Folder<'_>,
    ) -> Result<Vec<Self>, Unreadable> {
        let mut all = of_gateway(gateway);
        for (names, is_uploaded) in [(UPLOADED, true), (KNOWN, false)] {
            for name in names {
                let Some(bytes) = folder.bytes(name) else {
                    continue;
                };
                let found = certificates(bytes);
                if found.is_empty() {
                    return Err(unreadable(
                        name,
                        "",
                        "a certificate in PEM or DER is expected",
                    ));
                }
                for der in found {
                    let certificate = Certificate::read(&der)
                        .map_err(|why| unreadable(name, "", &why.to_string()))?;
                    all.push(Self {
                        name: String::new(),
                        certificate,
                        place: Place::whole(name),
                        is_uploaded,
                    });
                }
            }
        }
        Ok(all)
    }
}

/// Exports have the data of trusted roots and of authentication certificates in base 64, as the
/// upload had it: DER, or PEM within.
fn of_gateway(gateway: &ApplicationGateway) -> Vec<Uploaded> {
    let properties = &gateway.properties;
    let roots = properties.trusted_root_certificates.iter().map(|one| {
        (
            &one.name,
            one.properties.data.as_deref(),
            one.pointer_to("data"),
        )
    });
    let pins = properties.authentication_certificates.iter().map(|one| {
        (
            &one.name,
            one.properties.data.as_deref(),
            one.pointer_to("data"),
        )
    });
    let mut all = Vec::new();
    for (name, data, pointer) in roots.chain(pins) {
        let Some(certificate) = data.and_then(of_base64) else {
            continue;
        };
        all.push(Uploaded {
            name: name.clone(),
            certificate,
            place: Place::new(super::GATEWAY, pointer),
            is_uploaded: true,
        });
    }
    all
}

fn of_base64(data: &str) -> Option<Certificate> {
    let inner = ders(data).into_iter().next()?;
    Certificate::read(&inner).ok()
}

/// The certificates of a text: PEM, or base 64 of DER or of PEM.
pub(crate) fn ders(text: &str) -> Vec<Vec<u8>> {
    let plain = certificates(text.as_bytes());
    if !plain.is_empty() {
        return plain;
    }
    let wrapped = format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n");
    let Some(outer) = certificates(wrapped.as_bytes()).into_iter().next() else {
        return Vec::new();
    };
    match outer.first() {
        Some(b'-') => certificates(&outer),
        Some(0x30) => vec![outer],
        _ => Vec::new(),
    }
}

/// The certificates of a file, in DER: all of a PEM file, or the one that the file is.
fn certificates(bytes: &[u8]) -> Vec<Vec<u8>> {
    let found = CertificateDer::pem_slice_iter(bytes);
    let found: Vec<Vec<u8>> = found
        .filter_map(Result::ok)
        .map(|der| der.to_vec())
        .collect();
    match found.is_empty() && bytes.first() == Some(&0x30) {
        true => vec![bytes.to_vec()],
        false => found,
    }
}
