//! `--network`: a folder with the documents of the gateways' neighbourhood.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gatewright_arm::{ApplicationGateway, NetworkReadError, NetworkResources, read_network};
use gatewright_compile::{NetworkFinding, NetworkPlace, compile_network};
use gatewright_snapshot::network::NetworkPolicy;
use serde_json::Value;

use crate::documents::{Document, read_file, read_json};
use crate::findings::{Finding, Level};

/// Most files of the folder that are read; a folder with more is none of documents.
const FILES_MAX: usize = 256;

/// What was read from the folder, and what is wrong with it.
#[derive(Debug, Default)]
pub(crate) struct NetworkFolder {
    documents: Vec<NetworkResources>,
    /// What each was read from, with the name of its file.
    bodies: Vec<(String, Arc<Value>)>,
    pub(crate) findings: Vec<Finding>,
}

/// Every file whose change is a change of the network, and the folder itself, whose change tells of
/// files that come and go.
pub(crate) fn watched(folder: Option<&Path>) -> Vec<PathBuf> {
    let Some(folder) = folder else {
        return Vec::new();
    };
    let files = json_files(folder).unwrap_or_default();
    std::iter::once(folder.to_path_buf()).chain(files).collect()
}

/// In the order of their names.
fn json_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let is_json = path
            .extension()
            .is_some_and(|ext| ext.eq_ignore_ascii_case("json"));
        if is_json && path.is_file() {
            files.push(path);
        }
    }
    files.sort_unstable();
    Ok(files)
}

impl NetworkFolder {
    /// Reads every `.json` file of the folder that holds network resources; others, such as the
    /// gateway's own, are left alone. Never fails: what is wrong is in the findings.
    pub(crate) fn load(folder: Option<&Path>) -> Self {
        let mut network = Self::default();
        let Some(folder) = folder else {
            return network;
        };
        let shown = folder.display().to_string();
        match json_files(folder) {
            Ok(files) if files.len() > FILES_MAX => {
                let message = format!(
                    "the folder has {} JSON files; give one with at most {FILES_MAX} to --network",
                    files.len()
                );
                network.refuse(&shown, message);
            }
            Ok(files) => files.iter().for_each(|file| network.read(file)),
            Err(error) => {
                let why = match error.kind() {
                    io::ErrorKind::NotFound => "does not exist".to_owned(),
                    io::ErrorKind::NotADirectory => "is no folder".to_owned(),
                    _ => format!("cannot be read: {error}"),
                };
                let message = format!(
                    "the folder that --network names {why}; name one with the JSON of virtual \
                     networks, security groups and route tables"
                );
                network.refuse(&shown, message);
            }
        }
        network
    }

    /// Adds resources that come from no file; `name` stands for one in findings. `body` is what
    /// they were read from.
    pub(crate) fn add(&mut self, name: String, resources: NetworkResources, body: Arc<Value>) {
        self.documents.push(resources);
        self.bodies.push((name, body));
    }

    /// Adds the network resources of a document, such as a template, that has some.
    pub(crate) fn add_of(&mut self, document: &Document) {
        if let Some((resources, body)) = &document.network {
            self.add(document.file.clone(), resources.clone(), Arc::clone(body));
        }
    }

    /// The JSON of all resources, each with the file that it is from.
    pub(crate) fn bodies(&self) -> &[(String, Arc<Value>)] {
        &self.bodies
    }

    /// Adds what another one holds.
    pub(crate) fn join(&mut self, other: &Self) {
        self.documents.extend(other.documents.iter().cloned());
        self.bodies.extend(other.bodies.iter().cloned());
        self.findings.extend(other.findings.iter().cloned());
    }

    fn refuse(&mut self, file: &str, message: String) {
        let finding = Finding::of_file(file, Level::Error, "GW-E-file", message);
        self.findings.push(finding);
    }

    fn read(&mut self, path: &Path) {
        let file = path.display().to_string();
        let bytes = match read_file(path) {
            Ok(bytes) => bytes,
            Err(error) => return self.refuse(&file, format!("the file cannot be read: {error}")),
        };
        let read = read_json(&bytes).map_err(NetworkReadError::from);
        let read = read.and_then(|body| Ok((read_network(&body)?, body)));
        match read {
            Ok((report, body)) => {
                let warnings = report.warnings.into_iter();
                self.findings
                    .extend(warnings.map(|one| Finding::from_diagnostic(&file, one)));
                self.add(file, report.resources, Arc::new(body));
            }
            // Something else that is kept beside them.
            Err(NetworkReadError::NoResource(_)) => {}
            Err(NetworkReadError::Text(error)) => {
                let finding =
                    Finding::of_file(&file, Level::Error, "InvalidJson", error.to_string());
                self.findings.push(finding);
            }
            Err(NetworkReadError::Invalid(diagnostics)) => {
                let found = diagnostics.into_iter();
                self.findings
                    .extend(found.map(|one| Finding::from_diagnostic(&file, one)));
            }
        }
    }

    /// The policy for `gateways`, which come from the files `origins`, one each.
    ///
    /// # Errors
    /// The findings, when one of them is an error.
    pub(crate) fn compile(
        &self,
        gateways: &[&ApplicationGateway],
        origins: &[&str],
    ) -> Result<(NetworkPolicy, Vec<Finding>), Vec<Finding>> {
        if self.documents.is_empty() {
            return Ok((NetworkPolicy::default(), Vec::new()));
        }
        let convert = |finding: NetworkFinding| {
            let file = match finding.place {
                NetworkPlace::Gateway(position) => origins.get(position).copied(),
                NetworkPlace::Document(position) => {
                    self.bodies.get(position).map(|(file, _)| file.as_str())
                }
            };
            let file = file.unwrap_or_default();
            Finding::from_diagnostic(file, finding.diagnostic)
        };
        match compile_network(&self.documents, gateways.iter().copied()) {
            Ok(compiled) => {
                let findings = compiled.findings.into_iter().map(convert).collect();
                Ok((compiled.policy, findings))
            }
            Err(findings) => Err(findings.into_iter().map(convert).collect()),
        }
    }
}
