//! Certificates that are imported into a vault: each is a secret too, of the same name and version,
//! which holds the private key. That secret is what gateways refer to.

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use gatewright_arm::ArmError;
use gatewright_compile::{CertificateError, Identity, read_file, read_from_vault, to_pfx};
use hyper::Method;
use serde_json::{Map, Value, json};

use super::access::Permission;
use super::data_plane::{admitted, secret, write};
use super::secrets::IS_CERTIFICATE;
use super::versions::{Version, Versions};
use super::{PEM, PFX, uri};
use crate::context::{Context, handler};
use crate::front::answer::Answer;
use crate::front::router::{Access, Route};
use crate::resources::document::Document;
use crate::resources::edit::member;
use crate::routes::route;

pub(super) fn routes() -> Vec<Route> {
    let row = |method, path: &str, handler| {
        let pattern = format!("/keyvault/{{vault}}/certificates/{{name}}{path}");
        route(method, pattern, Access::Authenticated, handler)
    };
    vec![
        row(Method::POST, "/import", handler(import)),
        row(Method::GET, "", handler(get)),
        row(Method::GET, "/{version}", handler(get)),
    ]
}

fn bad(why: &str) -> ArmError {
    ArmError::front_door("BadParameter", why)
}

async fn import(context: Context) -> Result<Answer, ArmError> {
    let vault = admitted(&context, Permission::ImportCertificate).await?;
    let body = context.json()?;
    let text = |name| member(&body, name).and_then(Value::as_str);
    let value = text("value").ok_or_else(|| bad("Property value is required, and is a text."))?;
    let (value, password) = (value.to_owned(), text("pwd").unwrap_or_default().to_owned());
    let asked = body
        .pointer("/policy/secret_props/contentType")
        .and_then(Value::as_str);
    let as_pem = match asked {
        Some(kind) => kind.eq_ignore_ascii_case(PEM),
        None => value.contains("-----BEGIN "),
    };
    // Deriving the key of a PFX takes its time.
    let read = tokio::task::spawn_blocking(move || {
        let identity = uploaded(&value, &password)?;
        match as_pem {
            true => Ok((pem(&identity), PEM)),
            false => to_pfx(&identity).map(|pfx| (STANDARD.encode(&*pfx), PFX)),
        }
    });
    let read = read.await.map_err(crate::core::failed)?;
    let (value, kind) = read.map_err(|error: CertificateError| {
        bad(&format!(
            "The specified PKCS#12 or PEM content cannot be read: {error}."
        ))
    })?;
    let mut properties = Map::new();
    properties.insert("value".to_owned(), json!(value));
    properties.insert("contentType".to_owned(), json!(kind));
    properties.insert(IS_CERTIFICATE.to_owned(), json!(true));
    let action = Permission::ImportCertificate.action();
    let document = write(&context, &vault, properties, action).await?;
    shown(&context, &vault, &document, None)
}

/// PFX in base64, or PEM.
fn uploaded(value: &str, password: &str) -> Result<Identity, CertificateError> {
    if value.contains("-----BEGIN ") {
        return read_file(value.as_bytes(), "");
    }
    let dense: String = value.split_ascii_whitespace().collect();
    let bytes = STANDARD
        .decode(dense)
        .map_err(|_| CertificateError::Base64)?;
    read_file(&bytes, password)
}

fn pem(identity: &Identity) -> String {
    let mut out = block("PRIVATE KEY", identity.key.pkcs8_der());
    for certificate in &identity.chain {
        out.push_str(&block("CERTIFICATE", certificate));
    }
    out
}

/// RFC 7468.
fn block(label: &str, der: &[u8]) -> String {
    const LINE: usize = 64;
    let text = STANDARD.encode(der);
    let mut out = format!("-----BEGIN {label}-----\n");
    for (position, character) in text.chars().enumerate() {
        if position > 0 && position % LINE == 0 {
            out.push('\n');
        }
        out.push(character);
    }
    out.push_str(&format!("\n-----END {label}-----\n"));
    out
}

async fn get(context: Context) -> Result<Answer, ArmError> {
    let vault = admitted(&context, Permission::GetCertificate).await?;
    let document = secret(&context, &vault).await?;
    let asked = Some(context.captures.get("version")).filter(|version| !version.is_empty());
    shown(&context, &vault, &document, asked)
}

fn shown(
    context: &Context,
    vault: &Document,
    document: &Document,
    version: Option<&str>,
) -> Result<Answer, ArmError> {
    let name = document.id.name().unwrap_or_default();
    let versions = Versions::of(&context.core, document)?;
    let version = versions
        .find(version)
        .filter(|version| version.is_certificate);
    let version = version.ok_or_else(|| {
        let message = format!(
            "A certificate with (name/id) {name} was not found in this key vault. If you recently \
             deleted this certificate you may be able to recover it using the correct recovery \
             command. For help resolving this issue, please see \
             https://go.microsoft.com/fwlink/?linkid=2125182"
        );
        ArmError::front_door("CertificateNotFound", message)
    })?;
    let leaf = leaf(version).ok_or_else(|| bad("The certificate cannot be read any more."))?;
    let id = |word: &str| {
        let vault = uri::of_vault(vault.id.name().unwrap_or_default());
        format!("{vault}{word}/{name}/{}", version.id)
    };
    let thumbprint = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, &leaf);
    Ok(Answer::ok(&json!({
        "id": id("certificates"),
        "sid": id("secrets"),
        "x5t": URL_SAFE_NO_PAD.encode(thumbprint),
        "cer": STANDARD.encode(&leaf),
        "attributes": version.attributes(),
        "tags": version.tags,
        "policy": {"secret_props": {"contentType": version.content_type}},
    })))
}

fn leaf(version: &Version) -> Option<Vec<u8>> {
    let read = match version.content_type.as_deref() {
        Some(PFX) => read_from_vault(&version.value),
        _ => read_file(version.value.as_bytes(), ""),
    };
    read.ok()?.chain.first().cloned()
}
