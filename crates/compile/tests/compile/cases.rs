//! Gateways of real failures: each compiles, with stand-ins for the keys that exports lack.

use std::path::Path;

use gatewright_arm::{Diagnostic, read_gateways_text};
use gatewright_compile::{Identity, Options, compile, keyless_certificates};
use gatewright_snapshot::PrivateKey;

use crate::support::{NOW, lines};

/// Beside the repository, where it is checked out with the evidence.
const CASES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/cases");

#[test]
fn every_gateway_of_the_cases_compiles() {
    let Ok(folders) = std::fs::read_dir(Path::new(CASES)) else {
        println!("skipped: {CASES} is not there");
        return;
    };
    let mut compiled = 0;
    for folder in folders.flatten() {
        let file = folder.path().join("gateway.json");
        if let Ok(text) = std::fs::read(&file) {
            check_case(&file.display().to_string(), &text);
            compiled += 1;
        }
    }
    println!("{compiled} gateways compiled");
    assert!(compiled > 0, "no gateway.json below {CASES}");
}

fn check_case(file: &str, text: &[u8]) {
    let gateways = read_gateways_text(text).unwrap_or_else(|error| panic!("{file}: {error}"));
    let gateways = gateways.gateways;
    let mut options = Options {
        now: NOW,
        ..Options::default()
    };
    let keyless = keyless_certificates(&gateways, &options);
    if !keyless.is_empty() {
        let refused = compile(&gateways, &options).expect_err(file);
        let errors: Vec<&Diagnostic> = refused.iter().filter(|one| one.is_error()).collect();
        let codes = errors
            .iter()
            .all(|one| one.code == "GW-E-certificate-without-key");
        assert!(codes, "{file}:\n{}", lines(&refused));
    }
    for one in keyless {
        let stand_in = Identity {
            chain: vec![vec![1]],
            key: PrivateKey::new(vec![2]),
        };
        options.development_certificates.insert(one.id, stand_in);
    }
    match compile(&gateways, &options) {
        Ok(compiled) => {
            assert!(
                !compiled.snapshot.endpoints.is_empty(),
                "{file} serves nothing"
            );
            println!("{file}:\n{}", lines(&compiled.diagnostics));
        }
        Err(diagnostics) => panic!("{file}:\n{}", lines(&diagnostics)),
    }
}
