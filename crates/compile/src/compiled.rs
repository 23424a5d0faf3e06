//! The one step.

use std::collections::HashSet;

use gatewright_arm::{ApplicationGateway, Context, Diagnostic, validate};
use gatewright_snapshot::Snapshot;

use crate::codes;
use crate::findings::{Findings, quote};
use crate::gateway::{self, key_of};
use crate::options::Options;

/// What came of a compilation.
#[derive(Clone, Debug)]
pub struct Compiled {
    pub snapshot: Snapshot,
    /// Warnings only, those of validation among them; at most 1,000.
    pub diagnostics: Vec<Diagnostic>,
}

/// Validates `gateways` as the service would, each as a file by itself, and compiles them into one
/// snapshot.
///
/// Costs time and memory linear in the size of the documents, and the key derivation of each
/// uploaded PFX.
///
/// # Errors
/// All diagnostics, errors first, when one of them is an error: of validation (and then nothing
/// else was looked at), or of what cannot be served. At most 1,001.
pub fn compile(
    gateways: &[ApplicationGateway],
    options: &Options,
) -> Result<Compiled, Vec<Diagnostic>> {
    let mut findings = Findings::default();
    for gateway in gateways {
        let context = Context::default();
        validate(gateway, &context)
            .into_iter()
            .for_each(|finding| findings.push(finding));
    }
    if findings.has_errors() {
        return Err(findings.into_list());
    }
    compile_into(gateways, options, findings)
}

/// As [`compile`], for gateways that the caller has validated already, in a context that only it
/// knows: the api-version of a request, the gateway as it was before.
///
/// # Errors
/// All diagnostics, errors first, of what cannot be served. At most 1,001.
pub fn compile_validated(
    gateways: &[ApplicationGateway],
    options: &Options,
) -> Result<Compiled, Vec<Diagnostic>> {
    compile_into(gateways, options, Findings::default())
}

fn compile_into(
    gateways: &[ApplicationGateway],
    options: &Options,
    mut findings: Findings,
) -> Result<Compiled, Vec<Diagnostic>> {
    let mut snapshot = Snapshot::default();
    let mut keys = HashSet::new();
    for gateway in gateways {
        if keys.insert(key_of(gateway)) {
            gateway::compile(gateway, options, &mut snapshot, &mut findings);
            continue;
        }
        let message = format!("The gateway {} is given twice.", quote(&gateway.name));
        findings.error(
            codes::E_DUPLICATE_GATEWAY,
            gateway.source.pointer(),
            message,
            "",
        );
    }
    if findings.has_errors() {
        return Err(findings.into_list());
    }
    Ok(Compiled {
        snapshot,
        diagnostics: findings.into_list(),
    })
}
