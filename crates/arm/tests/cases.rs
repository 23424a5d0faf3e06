//! Gateways that the service runs, or ran: none may be refused.
#![allow(clippy::print_stderr)]

mod common;

use gatewright_arm::{Context, read_gateways_text, validate};

#[test]
fn exported_gateways_of_real_incidents_are_not_refused() {
    let Some(folder) = common::shared("cases") else {
        return;
    };
    let mut checked = 0;
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        let Ok(text) = std::fs::read(entry.path().join("gateway.json")) else {
            continue;
        };
        let report = read_gateways_text(&text).expect("readable");
        assert_eq!(report.warnings, [], "{:?}", entry.path());
        for gateway in &report.gateways {
            let findings = validate(gateway, &Context::default());
            for finding in &findings {
                eprintln!("{:?}: {finding}", entry.file_name());
            }
            assert!(findings.iter().all(|f| !f.is_error()), "{:?}", entry.path());
            checked += 1;
        }
    }
    assert!(checked > 0);
}
