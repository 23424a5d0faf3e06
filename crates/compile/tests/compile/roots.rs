//! Certificates that backend settings trust.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gatewright_compile::Options;
use gatewright_snapshot::BackendTrust;
use serde_json::{Value, json};

use crate::chains::{chain, pem};
use crate::support::*;

#[test]
fn trusted_roots_are_pem_or_der_and_judged() {
    let chain = chain();
    let both = pem("CERTIFICATE", &chain.root) + &pem("CERTIFICATE", &chain.intermediate);
    let with_root = |data: String| {
        json!({
            "trustedRootCertificates": [item("root", json!({"data": data}))],
            "backendHttpSettingsCollection": [setting("s", json!({
                "protocol": "Https", "port": 443,
                "trustedRootCertificates": [to("trustedRootCertificates/root")],
            }))],
        })
    };
    let roots = |data: String| {
        let mut settings = compiled(with_root(data)).snapshot.settings;
        let verification = settings.remove(0).verification.expect("an Https setting");
        match verification.trust {
            BackendTrust::Roots(roots) => roots,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(
        roots(STANDARD.encode(&both)),
        [chain.root.clone(), chain.intermediate.clone()]
    );
    assert_eq!(
        roots(STANDARD.encode(&chain.root)),
        std::slice::from_ref(&chain.root)
    );
    assert_eq!(
        roots(both),
        [chain.root.clone(), chain.intermediate.clone()]
    );

    let broken = message(
        with_root(STANDARD.encode("x")),
        &options(),
        "GW-E-trusted-root",
    );
    assert!(
        broken.contains("'root'") && broken.contains("not X.509"),
        "{broken}"
    );
    let leaf = STANDARD.encode(&chain.leaf);
    let not_authority = message(with_root(leaf), &options(), "GW-W-trusted-root-not-a-ca");
    assert!(not_authority.contains("CN=leaf"), "{not_authority}");
    let late = Options {
        now: NOW + 20 * 366 * 86_400,
        ..options()
    };
    let data = STANDARD.encode(&chain.root);
    let expired = message(with_root(data), &late, "GW-W-trusted-root-expired");
    assert!(expired.contains("2035-01-01"), "{expired}");
}

#[test]
fn the_first_generation_pins_or_trusts_the_public_authorities() {
    let chain = chain();
    let trust = |pins: Value| {
        let mut settings = compiled(json!({
            "sku": {"name": "Standard_Medium", "tier": "Standard", "capacity": 1},
            "requestRoutingRules": [rule("r", "l", 0, json!({}))],
            "authenticationCertificates":
                [item("pin", json!({"data": STANDARD.encode(&chain.leaf)}))],
            "backendHttpSettingsCollection": [setting("s", json!({
                "protocol": "Https", "port": 443, "authenticationCertificates": pins,
            }))],
        }))
        .snapshot
        .settings;
        settings
            .remove(0)
            .verification
            .expect("an Https setting")
            .trust
    };
    let pinned = BackendTrust::Pinned(vec![chain.leaf.clone()]);
    assert_eq!(trust(json!([to("authenticationCertificates/pin")])), pinned);
    assert_eq!(trust(json!([])), BackendTrust::WellKnown);
}
