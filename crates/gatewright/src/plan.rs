//! From files and settings to a configuration that could be served. Nothing changes here: a plan is
//! made, or the reasons are told why there is none.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use gatewright_compile::{Options, SuppliedCertificate};
use gatewright_snapshot::Snapshot;
use zeroize::Zeroizing;

use crate::bindings::{self, Bindings};
use crate::dev_certs::DevCertificates;
use crate::documents::{self, Document, Parts};
use crate::findings::{Finding, Level};
use crate::maps;
use crate::network::{self, NetworkFolder};
use crate::sentence::Sentence;
use crate::settings::{CertificateFile, Settings};
use crate::site::Site;
use crate::stored::Chosen;
use crate::templates::Parameters;

/// Largest password file, in bytes.
const PASSWORD_BYTES_MAX: u64 = 4 * 1024;

/// Why there is no [`Plan`].
pub(crate) struct Problem {
    pub(crate) why: String,
    pub(crate) findings: Vec<Finding>,
}

impl From<Vec<Finding>> for Problem {
    fn from(findings: Vec<Finding>) -> Self {
        Self {
            why: summary(&findings),
            findings,
        }
    }
}

impl From<Sentence> for Problem {
    fn from(sentence: Sentence) -> Self {
        Self {
            why: sentence.to_string(),
            findings: Vec::new(),
        }
    }
}

/// A configuration on its way.
pub(crate) struct Plan {
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) bindings: Bindings,
    /// What it was made of.
    pub(crate) site: Site,
    /// Warnings and notes.
    pub(crate) findings: Vec<Finding>,
}

/// Everything that a reload would read.
pub(crate) fn watched_files(settings: &Settings) -> Vec<PathBuf> {
    let certificates = settings.certificates.iter();
    let certificates = certificates.flat_map(|one| [Some(&one.file), one.password_file.as_ref()]);
    settings
        .gateways
        .iter()
        .chain(&settings.parameters)
        .chain(certificates.flatten())
        .cloned()
        .chain(network::watched(settings.network.as_deref()))
        .collect()
}

/// From files, and what is chosen of what is stored, to a configuration that could be served.
pub(crate) fn plan(
    settings: &Settings,
    minted: &mut DevCertificates,
    parts: &mut Parts,
    chosen: &Chosen,
) -> Result<Plan, Problem> {
    let parameters = Parameters::load(settings.parameters.as_deref());
    let files = settings.gateways.iter();
    let files = files.map(|path| Document::load(path, &parameters));
    let documents: Vec<Document> = files.collect();
    let certificates = supplied_certificates(settings)?;
    let mut options = Options {
        now: unix_now(),
        port_offset: settings.port_offset,
        path_case_sensitive: settings.path_case_sensitive,
        // What is stored was taken with its warnings; a file is taken as its flags say.
        allow_unsupported: settings.ignore_unsupported || !chosen.gateways.is_empty(),
        certificates,
        ..Options::default()
    };
    if settings.dev_certs {
        let of_files = documents.iter().map(|one| one.gateways.as_slice());
        let stored = chosen.gateways.iter();
        let stored = stored.map(|(_, judged)| std::slice::from_ref(&*judged.gateway));
        let keyless: Vec<_> = of_files
            .chain(stored)
            .flat_map(|gateways| gatewright_compile::keyless_certificates(gateways, &options))
            .collect();
        options.development_certificates = minted.provide(&keyless)?;
    }
    let mut network = NetworkFolder::load(settings.network.as_deref());
    network.join(&chosen.network);
    for document in &documents {
        network.add_of(document);
    }
    let site = Site::new(&documents, &chosen.gateways, &network);
    let unused = unused_certificates(&settings.certificates, &documents);
    let stored = parts.take(&chosen.gateways, &options);
    let (snapshot, mut findings) = documents::compile(documents, &stored, &network, &options)?;
    findings.extend(unused);
    findings.extend(maps::unused(&settings.map, &snapshot));
    let bindings = bindings::assign(
        &snapshot,
        &settings.bind,
        &chosen.addresses,
        settings.port_offset,
    )?;
    Ok(Plan {
        snapshot: Arc::new(snapshot),
        bindings,
        site,
        findings,
    })
}

/// Files that were given for certificates which no gateway has.
fn unused_certificates(given: &[CertificateFile], documents: &[Document]) -> Vec<Finding> {
    let gateways = || documents.iter().flat_map(|document| &document.gateways);
    let is_known = |name: &str| {
        let (owner, entry) = name
            .split_once('/')
            .map_or((None, name), |(o, e)| (Some(o), e));
        gateways()
            .filter(|gateway| owner.is_none_or(|owner| gateway.name.eq_ignore_ascii_case(owner)))
            .any(|gateway| {
                let properties = &gateway.properties;
                properties
                    .ssl_certificates
                    .iter()
                    .any(|item| item.is_named(entry))
                    || properties
                        .trusted_root_certificates
                        .iter()
                        .any(|item| item.is_named(entry))
            })
    };
    let unknown = given.iter().filter(|one| !is_known(&one.name));
    unknown
        .map(|one| {
            let message = format!(
                "the file is not used, because it was given for the certificate '{}', and no \
                 gateway has one of that name; name an entry of sslCertificates",
                one.name
            );
            let file = one.file.display().to_string();
            Finding::of_file(&file, Level::Warning, "GW-W-certificate-unused", message)
        })
        .collect()
}

fn supplied_certificates(settings: &Settings) -> Result<Vec<SuppliedCertificate>, Vec<Finding>> {
    let mut supplied = Vec::new();
    let mut findings = Vec::new();
    for certificate in &settings.certificates {
        let owner = &certificate.name;
        let bytes_max = gatewright_compile::FILE_BYTES_MAX as u64;
        let read = read_secret(&certificate.file, bytes_max, owner);
        let password = match &certificate.password_file {
            Some(path) => read_password(path, owner),
            None => Ok(settings.certificate_password.clone()),
        };
        match (read, password) {
            (Ok(bytes), Ok(password)) => supplied.push(SuppliedCertificate {
                name: certificate.name.clone(),
                bytes,
                password,
            }),
            (read, password) => {
                let errors = [read.err(), password.err()];
                findings.extend(errors.into_iter().flatten().map(|finding| *finding));
            }
        }
    }
    if findings.is_empty() {
        Ok(supplied)
    } else {
        Err(findings)
    }
}

/// The contents of a file that nobody else should see, wiped when dropped. `owner` is the
/// certificate that it was given for.
fn read_secret(
    path: &Path,
    bytes_max: u64,
    owner: &str,
) -> Result<Zeroizing<Vec<u8>>, Box<Finding>> {
    let file = path.display().to_string();
    let refuse =
        |message: String| Box::new(Finding::of_file(&file, Level::Error, "GW-E-file", message));
    let cannot = |error: io::Error| {
        let why = match error.kind() {
            io::ErrorKind::NotFound => "does not exist; name an existing one".to_owned(),
            _ => format!("cannot be read: {error}"),
        };
        refuse(format!(
            "the file that --certificate names for '{owner}' {why}"
        ))
    };
    let bytes = fs::metadata(path).map_err(cannot)?.len();
    if bytes > bytes_max {
        return Err(refuse(format!(
            "the file has {bytes} bytes; at most {bytes_max} are read"
        )));
    }
    fs::read(path).map(Zeroizing::new).map_err(cannot)
}

/// The first line of a password file.
fn read_password(path: &Path, owner: &str) -> Result<Zeroizing<String>, Box<Finding>> {
    let bytes = read_secret(path, PASSWORD_BYTES_MAX, owner)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| {
        let message = "the password is not UTF-8; store it as text".to_owned();
        Finding::of_file(
            &path.display().to_string(),
            Level::Error,
            "GW-E-file",
            message,
        )
    })?;
    Ok(Zeroizing::new(
        text.lines().next().unwrap_or_default().to_owned(),
    ))
}

pub(crate) fn error_pages(snapshot: &Snapshot) -> BTreeSet<String> {
    let pages = snapshot
        .listeners
        .iter()
        .flat_map(|listener| &listener.error_pages);
    pages.map(|page| page.url.clone()).collect()
}

pub(crate) fn unix_now() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// The findings in one clause: the first error, and how many follow.
fn summary(findings: &[Finding]) -> String {
    let mut errors = findings.iter().filter(|finding| finding.is_error());
    let Some(first) = errors.next() else {
        return "nothing is known to be wrong".to_owned();
    };
    let place = format!("{}:{}", first.file, first.pointer);
    let more = match errors.count() {
        0 => String::new(),
        more => format!(" (and {more} more)"),
    };
    let message = first.message.trim_end_matches('.');
    let help = first.help.iter();
    let help: String = help
        .map(|help| format!("; {}", help.trim_end_matches('.')))
        .collect();
    format!("{}: {message}{help}{more}", place.trim_end_matches(':'))
}
