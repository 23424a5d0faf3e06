//! The certificates that HTTPS listeners present.

use std::collections::HashMap;

use gatewright_arm::model::{HttpListener, SslCertificate};
use gatewright_arm::{ApplicationGateway, Item};
use gatewright_chain::date;
use gatewright_snapshot::{Certificate, CertificateIndex};

use crate::certificate::{
    self, CertificateError, Identity, PFX_BYTES_MAX_V1, PFX_BYTES_MAX_V2, public,
};
use crate::codes;
use crate::findings::quote;
use crate::gateway::key_of;
use crate::options::{CertificateId, Options, SuppliedCertificate};
use crate::scope::{Scope, Served, Tables, served};

/// Where the private key of an `sslCertificates` entry comes from.
enum Origin<'a> {
    Supplied(&'a SuppliedCertificate),
    Uploaded {
        data: &'a str,
        password: &'a str,
    },
    /// What a vault held: PFX or PEM, in base64.
    Fetched {
        data: &'a str,
    },
}

/// A file of the operator's goes before what the document holds. `None` when neither has a key, as
/// in every export: the service never gives keys out.
fn origin<'a>(
    gateway: &ApplicationGateway,
    options: &'a Options,
    item: &'a Item<SslCertificate>,
) -> Option<Origin<'a>> {
    if let Some(file) = options.supplied(&gateway.name, &item.name) {
        return Some(Origin::Supplied(file));
    }
    let data = item.properties.data.as_ref()?.expose();
    let password = item
        .properties
        .password
        .as_ref()
        .map_or("", |password| password.expose());
    match (data.trim(), &item.properties.key_vault_secret_id) {
        ("", _) => None,
        (_, None) => Some(Origin::Uploaded { data, password }),
        (_, Some(_)) => Some(Origin::Fetched { data }),
    }
}

/// A certificate of a listener for which neither the document nor the options have a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeylessCertificate {
    /// Under which a stand-in goes into
    /// [`Options::development_certificates`](crate::Options::development_certificates).
    pub id: CertificateId,
    /// The name of the gateway, as in the document.
    pub gateway: String,
    /// The name of the `sslCertificates` entry, as in the document.
    pub certificate: String,
    /// The names of the listeners that present it, by the order of their rules.
    pub listeners: Vec<String>,
    /// What a stand-in should be for, without repeats: the host names of the listeners, some with
    /// `*` and `?`, then the names of the original where the document has its public half. Empty
    /// for a basic listener of which nothing is known.
    pub host_names: Vec<String>,
}

/// The certificates that listeners with a rule present and that lack a private key, so that
/// [`compile`](crate::compile) would refuse them: mint stand-ins for these, or tell the operator.
pub fn keyless_certificates(
    gateways: &[ApplicationGateway],
    options: &Options,
) -> Vec<KeylessCertificate> {
    gateways
        .iter()
        .flat_map(|gateway| keyless_of(gateway, options))
        .collect()
}

fn keyless_of(gateway: &ApplicationGateway, options: &Options) -> Vec<KeylessCertificate> {
    let tables = Tables::new(gateway);
    let mut found: Vec<KeylessCertificate> = Vec::new();
    for one in served(gateway, &tables) {
        let Some(item) = presented(&tables, one.listener) else {
            continue;
        };
        if origin(gateway, options, item).is_some() {
            continue;
        }
        let id = CertificateId::new(&key_of(gateway), &item.name);
        let position = found
            .iter()
            .position(|known| known.id == id)
            .unwrap_or_else(|| {
                found.push(KeylessCertificate {
                    id,
                    gateway: gateway.name.clone(),
                    certificate: item.name.clone(),
                    listeners: Vec::new(),
                    host_names: Vec::new(),
                });
                found.len() - 1
            });
        if let Some(known) = found.get_mut(position) {
            known.listeners.push(one.listener.name.clone());
            let names = one.listener.properties.hosts().map(str::to_ascii_lowercase);
            add_new(&mut known.host_names, names);
        }
    }
    for known in &mut found {
        let named = |item: &&Item<SslCertificate>| item.is_named(&known.certificate);
        let item = gateway.properties.ssl_certificates.iter().find(named);
        let public = item.and_then(|item| item.properties.public_cert_data.as_deref());
        add_new(
            &mut known.host_names,
            public.map(public::leaf_names).unwrap_or_default(),
        );
    }
    found
}

fn add_new(names: &mut Vec<String>, more: impl IntoIterator<Item = String>) {
    for name in more {
        if !names.contains(&name) {
            names.push(name);
        }
    }
}

/// The certificate that an HTTPS listener refers to.
fn presented<'a>(
    tables: &Tables<'a>,
    listener: &Item<HttpListener>,
) -> Option<&'a Item<SslCertificate>> {
    let properties = &listener.properties;
    let is_https = properties
        .protocol
        .is_some_and(|protocol| protocol.is_encrypted());
    let reference = properties.ssl_certificate.as_ref().filter(|_| is_https)?;
    tables.certificates.item(reference)
}

/// What is known of an entry that was used before.
struct Known {
    index: CertificateIndex,
    /// Of a leaf that is really the owner's; `None` for a development certificate.
    leaf: Option<gatewright_chain::Certificate>,
}

/// The snapshot's rows of this gateway's certificates, each made when first used.
#[derive(Default)]
pub(crate) struct ListenerCertificates {
    known: HashMap<String, Option<Known>>,
}

impl ListenerCertificates {
    /// Reads the uploads that no listener uses too: the service refuses a bad one in any case.
    pub(crate) fn read_unused(&mut self, scope: &mut Scope<'_>) {
        let gateway = scope.gateway;
        for item in &gateway.properties.ssl_certificates {
            let name = item.name.to_ascii_lowercase();
            if !self.known.contains_key(&name) && origin(gateway, scope.options, item).is_some() {
                read(scope, item);
            }
        }
    }

    /// The row of the certificate that `served` presents; `None` after an error.
    pub(crate) fn of(
        &mut self,
        scope: &mut Scope<'_>,
        tables: &Tables<'_>,
        served: &Served<'_>,
    ) -> Option<CertificateIndex> {
        let listener = served.listener;
        let Some(item) = presented(tables, listener) else {
            match &listener.properties.ssl_certificate {
                Some(reference) => scope.unresolved(reference),
                None => refuse_missing(scope, listener),
            }
            return None;
        };
        let known = self
            .known
            .entry(item.name.to_ascii_lowercase())
            .or_insert_with(|| first_use(scope, item, listener));
        let known = known.as_ref()?;
        if let Some(leaf) = &known.leaf {
            warn_of_names(scope, served, item, leaf);
        }
        Some(known.index)
    }
}

/// Whether a listener has no place in a gateway that answers 502 to everything: without a private
/// key there is no handshake in which to answer. Says so in a warning.
pub(crate) fn is_left_out(scope: &mut Scope<'_>, tables: &Tables<'_>, served: &Served<'_>) -> bool {
    let Some(item) = presented(tables, served.listener).filter(|_| scope.is_idle()) else {
        return false;
    };
    let is_given = origin(scope.gateway, scope.options, item).is_some();
    if is_given || development_certificate(scope, item).is_some() {
        return false;
    }
    let (listener, certificate) = (quote(&served.listener.name), quote(&item.name));
    scope.findings.warning(
        codes::W_LISTENER_WITHOUT_KEY,
        served.listener.pointer_to("sslCertificate"),
        format!(
            "The private key of the certificate {certificate} is not there, and the gateway does \
             not run: the listener {listener} is left out, so that clients are refused."
        ),
        "It is needed as soon as the gateway runs.",
    );
    true
}

fn first_use(
    scope: &mut Scope<'_>,
    item: &Item<SslCertificate>,
    listener: &Item<HttpListener>,
) -> Option<Known> {
    let (identity, leaf) = if origin(scope.gateway, scope.options, item).is_some() {
        let identity = read(scope, item)?;
        let leaf = leaf(&identity);
        (identity, leaf)
    } else {
        (stand_in(scope, item, listener)?, None)
    };
    let index = CertificateIndex::new(scope.snapshot.certificates.len());
    scope.snapshot.certificates.push(Certificate {
        name: item.name.clone(),
        chain: identity.chain,
        key: identity.key,
    });
    Some(Known { index, leaf })
}

fn refuse_missing(scope: &mut Scope<'_>, listener: &Item<HttpListener>) {
    scope.findings.error(
        codes::E_LISTENER_WITHOUT_CERTIFICATE,
        listener.pointer_to("sslCertificate"),
        format!(
            "The HTTPS listener {} has no certificate.",
            quote(&listener.name)
        ),
        "Give it an sslCertificate.",
    );
}

fn development_certificate<'a>(
    scope: &Scope<'a>,
    item: &Item<SslCertificate>,
) -> Option<&'a Identity> {
    let id = CertificateId::new(&key_of(scope.gateway), &item.name);
    let identity = scope.options.development_certificates.get(&id);
    identity.filter(|identity| !identity.chain.is_empty())
}

/// The development certificate for `item`, with a warning; an error where there is none.
fn stand_in(
    scope: &mut Scope<'_>,
    item: &Item<SslCertificate>,
    listener: &Item<HttpListener>,
) -> Option<Identity> {
    let (certificate, name) = (quote(&item.name), quote(&listener.name));
    let identity = development_certificate(scope, item);
    let file = format!("--certificate {}=FILE", item.name);
    match identity {
        Some(identity) => {
            scope.findings.warning(
                codes::W_DEVELOPMENT_CERTIFICATE,
                item.pointer(),
                format!(
                    "The private key of the certificate {certificate} is not in the document, so \
                     that the listener {name} presents a development certificate, which no \
                     client trusts."
                ),
                format!("Give the real one, with its private key: {file}."),
            );
            Some(identity.clone())
        }
        None => {
            let where_it_is = match &item.properties.key_vault_secret_id {
                Some(_) => "in a Key Vault, which is not read here",
                None => "not in the document: the service never gives keys out",
            };
            scope.findings.error(
                codes::E_CERTIFICATE_WITHOUT_KEY,
                listener.pointer_to("sslCertificate"),
                format!(
                    "The listener {name} presents the certificate {certificate}, whose private \
                     key is {where_it_is}."
                ),
                format!("Give it as PEM or PFX, {file}, or serve with a made-up one: --dev-certs."),
            );
            None
        }
    }
}

/// The identity of an entry that has a key, judged; `None` after an error.
fn read(scope: &mut Scope<'_>, item: &Item<SslCertificate>) -> Option<Identity> {
    let limit = if scope.is_v1() {
        PFX_BYTES_MAX_V1
    } else {
        PFX_BYTES_MAX_V2
    };
    let read = match origin(scope.gateway, scope.options, item)? {
        Origin::Supplied(file) => {
            let read = certificate::from_file(&file.bytes, &file.password);
            let is_without_password = file.password.is_empty();
            read.map_err(|error| refuse_file(scope, item, &error, is_without_password))
        }
        Origin::Uploaded { data, password } => {
            let read = certificate::from_upload(data, password, limit);
            let is_without_password = password.is_empty();
            read.map_err(|error| refuse_upload(scope, item, &error, is_without_password))
        }
        Origin::Fetched { data } => {
            let read = certificate::from_vault(data);
            read.map_err(|error| refuse_upload(scope, item, &error, true))
        }
    };
    let identity = read.ok()?;
    judge(scope, item, &identity);
    Some(identity)
}

fn refuse_file(
    scope: &mut Scope<'_>,
    item: &Item<SslCertificate>,
    error: &CertificateError,
    is_without_password: bool,
) {
    let name = quote(&item.name);
    let file = format!("The file given for the certificate {name}");
    let (message, help) = match (error, is_without_password) {
        (CertificateError::PasswordIncorrect, true) => (
            format!("{file} is a PFX with a password, and none was given."),
            format!(
                "Give it in GATEWRIGHT_CERTIFICATE_PASSWORD, or as \
                 --certificate {}=FILE,password-file=PATH.",
                item.name
            ),
        ),
        (CertificateError::PasswordIncorrect, false) => (
            format!("{file} is a PFX with another password than the one that was given."),
            "Check GATEWRIGHT_CERTIFICATE_PASSWORD, or the first line of the password-file.".into(),
        ),
        _ => (
            format!("{file}: {error}."),
            "Give PEM with the private key and the chain, or PFX with its password.".into(),
        ),
    };
    let pointer = item.pointer();
    scope
        .findings
        .error(codes::E_CERTIFICATE_FILE, pointer, message, help);
}

/// With the service's codes and sentences; ours, which says more, is the help.
fn refuse_upload(
    scope: &mut Scope<'_>,
    item: &Item<SslCertificate>,
    error: &CertificateError,
    is_without_password: bool,
) {
    let id = format!("{}/sslCertificates/{}", scope.gateway.id_text(), item.name);
    let (code, member, message) = match error {
        CertificateError::PasswordIncorrect => (
            "ApplicationGatewaySslCertificatePasswordIncorrect",
            "password",
            format!("Password specified for certificate {id} is incorrect."),
        ),
        _ => (
            "ApplicationGatewaySslCertificateInvalidData",
            "data",
            format!("Data or Password for certificate {id} is invalid."),
        ),
    };
    let help = match (error, is_without_password) {
        (CertificateError::PasswordIncorrect, true) => {
            "The PFX in its data has a password; give it as the certificate's password.".to_owned()
        }
        (CertificateError::PasswordIncorrect, false) => {
            "The password does not fit; give that with which the PFX was exported.".to_owned()
        }
        _ => format!("What stands in its data cannot be used: {error}."),
    };
    scope
        .findings
        .error(code, item.pointer_to(member), message, help);
}

fn leaf(identity: &Identity) -> Option<gatewright_chain::Certificate> {
    gatewright_chain::Certificate::read(identity.chain.first()?).ok()
}

/// Warns of dates, and of a leaf that stands alone.
fn judge(scope: &mut Scope<'_>, item: &Item<SslCertificate>, identity: &Identity) {
    let name = quote(&item.name);
    let Some(leaf) = leaf(identity) else {
        return;
    };
    if leaf.not_after() < scope.options.now {
        scope.findings.warning(
            codes::W_CERTIFICATE_EXPIRED,
            item.pointer(),
            format!(
                "The certificate {name} expired on {}.",
                date(leaf.not_after())
            ),
            "Clients refuse it; upload its successor.",
        );
    }
    if leaf.not_before() > scope.options.now {
        scope.findings.warning(
            codes::W_CERTIFICATE_NOT_YET_VALID,
            item.pointer(),
            format!(
                "The certificate {name} is valid from {} on.",
                date(leaf.not_before())
            ),
            "Clients refuse it until then; check the clock of this machine too.",
        );
    }
    if identity.chain.len() == 1 && !leaf.is_self_issued() {
        scope.findings.warning(
            codes::W_CERTIFICATE_CHAIN,
            item.pointer(),
            format!(
                "The certificate {name} comes without the certificate of its issuer ({}), so \
                 that many clients cannot verify it.",
                leaf.issuer()
            ),
            "Put the intermediate certificates into the PFX or PEM file.",
        );
    }
}

/// Warns of host names that the leaf is not for. A name with a wildcard beyond its first label
/// stands for names that no certificate can have in common.
fn warn_of_names(
    scope: &mut Scope<'_>,
    served: &Served<'_>,
    item: &Item<SslCertificate>,
    leaf: &gatewright_chain::Certificate,
) {
    let can_be_covered = |host: &&str| {
        host.split_once('.')
            .is_some_and(|(_, parent)| !parent.contains(['*', '?']))
    };
    let uncovered: Vec<String> = served
        .host_names()
        .filter(can_be_covered)
        .filter(|host| !leaf.names().cover(host))
        .map(quote)
        .collect();
    if uncovered.is_empty() {
        return;
    }
    scope.findings.warning(
        codes::W_CERTIFICATE_NAMES,
        served.listener.pointer_to("sslCertificate"),
        format!(
            "The certificate {} of the listener {} is not for {}.",
            quote(&item.name),
            quote(&served.listener.name),
            uncovered.join(", ")
        ),
        format!("It is for {}.", listed(&leaf.names().served())),
    );
}

/// The first few of `names`.
fn listed(names: &[String]) -> String {
    const SHOWN_MAX: usize = 8;
    let shown: Vec<String> = names
        .iter()
        .take(SHOWN_MAX)
        .map(|name| quote(name))
        .collect();
    match (shown.len(), names.len().saturating_sub(SHOWN_MAX)) {
        (0, _) => "no name at all".to_owned(),
        (_, 0) => shown.join(", "),
        (_, more) => format!("{} and {more} more", shown.join(", ")),
    }
}
