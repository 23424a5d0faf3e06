//! Certificates as they are compared: by what they are, and not by how they are written.

use std::fmt::Write;

use gatewright_chain::{Certificate, date};
use gatewright_compile::{PFX_BYTES_MAX_V2, public_leaf, read_upload};
use serde_json::{Map, Value as Json};

use crate::evidence::ders;

/// What a part's data holds.
pub(super) enum Printed {
    Read {
        fingerprints: String,
        /// Its subject and its end.
        says: String,
    },
    /// Data that cannot be read, which is not shown.
    Unread(String),
}

/// Takes the members with a certificate out of the properties of a part; `None` where it has none.
pub(super) fn take(collection: &str, bag: &mut Map<String, Json>) -> Option<Printed> {
    match collection {
        "sslCertificates" => {
            let mut text = |name: &str| match bag.shift_remove(name) {
                Some(Json::String(text)) if !text.trim().is_empty() => Some(text),
                _ => None,
            };
            let (data, password) = (text("data"), text("password"));
            let public = text("publicCertData").as_deref().and_then(public_leaf);
            // What is uploaded counts: the public half is of what was there before.
            let Some(data) = data else {
                return public.map(|leaf| printed(&[leaf]));
            };
            let password = password.unwrap_or_default();
            let identity = read_upload(&data, &password, PFX_BYTES_MAX_V2).ok();
            let leaf = identity.and_then(|one| Certificate::read(one.chain.first()?).ok());
            Some(leaf.map_or(Printed::Unread(data), |leaf| printed(&[leaf])))
        }
        "trustedRootCertificates" | "authenticationCertificates" | "trustedClientCertificates" => {
            let data = match bag.shift_remove("data") {
                Some(Json::String(data)) if !data.trim().is_empty() => data,
                _ => return None,
            };
            let read = ders(&data);
            let read: Option<Vec<Certificate>> =
                read.iter().map(|der| Certificate::read(der).ok()).collect();
            let read = read.filter(|list| !list.is_empty());
            Some(read.map_or(Printed::Unread(data), |list| printed(&list)))
        }
        _ => None,
    }
}

fn printed(list: &[Certificate]) -> Printed {
    let mut fingerprints = String::new();
    for byte in list.iter().flat_map(Certificate::fingerprint) {
        let _ = write!(fingerprints, "{byte:02x}");
    }
    let first = list.first();
    let says = first.map(|one| format!("{}, until {}", one.subject(), date(one.not_after())));
    Printed::Read {
        fingerprints,
        says: says.unwrap_or_default(),
    }
}
