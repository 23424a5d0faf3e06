//! Private keys and chains: uploads, the operator's files, stand-ins.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gatewright_compile::{Options, SuppliedCertificate, keyless_certificates};
use gatewright_snapshot::Certificate;
use serde_json::{Value, json};

use crate::chains::{
    Chain, SITE, chain, chain_for, pem, pkcs7, vouching_for_each_other, without_mac,
};
use crate::support::*;

/// An HTTPS site with certificate `c` of these properties.
fn https(certificate: Value) -> Value {
    json!({
        "sslCertificates": [item("c", certificate)],
        "httpListeners": [listener("l", "p443", "Https", json!({
            "hostName": SITE, "sslCertificate": to("sslCertificates/c"),
        }))],
    })
}

fn upload(pfx: &[u8], password: &str) -> Value {
    https(json!({"data": STANDARD.encode(pfx), "password": password}))
}

fn supplied(name: &str, bytes: Vec<u8>, password: &str) -> Options {
    let file = SuppliedCertificate {
        name: name.to_owned(),
        bytes: bytes.into(),
        password: password.to_owned().into(),
    };
    Options {
        certificates: vec![file],
        ..options()
    }
}

/// The only certificate of an export whose key comes from the operator's `bytes`.
#[track_caller]
fn from_file(bytes: Vec<u8>, password: &str) -> Certificate {
    let changes = https(json!({"publicCertData": "AAAA"}));
    compiled_with(changes, &supplied("C", bytes, password))
        .snapshot
        .certificates
        .remove(0)
}

#[test]
fn an_upload_gives_key_and_chain_in_order() {
    let chain = chain();
    for (certificates, password) in [
        (
            [&chain.leaf[..], &chain.intermediate, &chain.root],
            "secret1",
        ),
        ([&chain.leaf, &chain.root, &chain.intermediate], "Grüße"),
        ([&chain.leaf, &chain.intermediate, &chain.root], ""),
    ] {
        let snapshot = compiled(upload(&chain.pfx(&certificates, password), password)).snapshot;
        let certificate = &snapshot.certificates[0];
        assert_eq!(certificate.chain, chain.ordered());
        assert_eq!(certificate.key.pkcs8_der(), chain.key.serialize_der());
        assert_eq!(
            snapshot.listeners[0]
                .certificate
                .map(|index| index.position()),
            Some(0)
        );
    }
}

#[test]
fn a_bad_upload_is_refused_with_the_services_code_even_when_unused() {
    let chain = chain();
    let good = chain.pfx(&[&chain.leaf], "right");
    let large = chain.pfx(&vec![&chain.root[..]; 60], "right");
    assert!(large.len() > 16 * 1024, "{} bytes", large.len());
    let (password, data) = (
        "ApplicationGatewaySslCertificatePasswordIncorrect",
        "ApplicationGatewaySslCertificateInvalidData",
    );
    for (pfx, given, code, says) in [
        (good.clone(), "wrong", password, "password does not fit"),
        (large, "right", data, "at most 16384 are taken"),
        (good[..good.len() - 9].to_vec(), "right", data, "PFX"),
        (b"no pfx".to_vec(), "", data, "not DER"),
        (without_mac(&good), "right", data, "no integrity check"),
    ] {
        let used = upload(&pfx, given);
        let mut unused = used.clone();
        unused["httpListeners"] = json!([listener("l", "p80", "Http", json!({}))]);
        for changes in [used, unused] {
            let message = message(changes, &options(), code);
            assert!(
                message.contains(says) && message.contains(GATEWAY_ID),
                "{message}"
            );
            assert!(
                message.contains("/properties/sslCertificates/0/properties/"),
                "{message}"
            );
        }
    }
    let text = https(json!({"data": "%%%", "password": "x"}));
    assert!(message(text, &options(), data).contains("not base64"));
}

#[test]
fn the_first_generation_takes_smaller_uploads() {
    let chain = chain();
    let pfx = chain.pfx(&vec![&chain.root[..]; 30], "right");
    assert!(
        (10 * 1024..16 * 1024).contains(&pfx.len()),
        "{} bytes",
        pfx.len()
    );
    let mut changes = upload(&pfx, "right");
    changes["sku"] = json!({"name": "Standard_Medium", "tier": "Standard", "capacity": 1});
    changes["requestRoutingRules"] = json!([rule("r", "l", 0, json!({}))]);
    let code = "ApplicationGatewaySslCertificateInvalidData";
    assert!(message(changes, &options(), code).contains("at most 10240 are taken"));
}

#[test]
fn an_operators_file_is_pem_or_pfx_in_any_order() {
    let chain = chain();
    let key = chain.key.serialize_pem();
    let mixed = [&chain.root[..], &chain.leaf, &chain.intermediate];
    let unrelated = self::chain();
    let with_stranger = [
        &unrelated.leaf[..],
        &chain.leaf,
        &chain.intermediate,
        &chain.root,
    ];
    for bytes in [chain.pem(&key, &mixed), chain.pem(&key, &with_stranger)] {
        let certificate = from_file(bytes, "");
        assert_eq!(certificate.chain, chain.ordered());
        assert_eq!(certificate.key.pkcs8_der(), chain.key.serialize_der());
    }
    assert_eq!(
        from_file(chain.pfx(&[&chain.leaf], "x"), "x").chain,
        [chain.leaf]
    );
}

#[test]
fn authorities_that_vouch_for_each_other_do_not_make_an_endless_chain() {
    let (leaf, key, [one, other]) = vouching_for_each_other();
    let mut file = key.serialize_pem();
    for der in [&other, &leaf, &one] {
        file.push_str(&pem("CERTIFICATE", der));
    }
    assert_eq!(from_file(file.into_bytes(), "").chain, [leaf, one, other]);
}

#[test]
fn an_operators_file_that_does_not_do_says_why() {
    let (other, chain) = (chain(), chain());
    let key = chain.key.serialize_pem();
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n\
                     -----END ENCRYPTED PRIVATE KEY-----\n";
    for (bytes, says) in [
        (chain.pem(&key, &[&other.leaf]), "belongs to none"),
        (chain.pem(&key, &[]), "no certificate"),
        (chain.pem("", &[&chain.leaf]), "no private key"),
        (chain.pem(encrypted, &[&chain.leaf]), "is encrypted"),
        (chain.pem(&key, &[b"not X.509"]), "not X.509"),
        (vec![b' '; 300 * 1024], "at most 262144"),
    ] {
        let changes = https(json!({"publicCertData": "AAAA"}));
        let message = message(changes, &supplied("c", bytes, ""), "GW-E-certificate-file");
        assert!(message.contains(says), "{message}");
    }
}

#[test]
fn a_password_that_was_not_given_is_told_from_one_that_does_not_fit() {
    let chain = chain();
    let pfx = chain.pfx(&[&chain.leaf], "right");
    for (given, says) in [
        ("", "none was given"),
        (
            "",
            "GATEWRIGHT_CERTIFICATE_PASSWORD, or as --certificate c=FILE,password-file=PATH",
        ),
        ("wrong", "another password"),
    ] {
        let changes = https(json!({"publicCertData": "AAAA"}));
        let options = supplied("c", pfx.clone(), given);
        let message = message(changes, &options, "GW-E-certificate-file");
        assert!(message.contains(says), "{message}");
    }
}

#[test]
fn a_file_for_this_gateway_goes_before_one_for_any() {
    let (mine, any) = (chain(), chain());
    let mut options = supplied("c", any.pem(&any.key.serialize_pem(), &[&any.leaf]), "");
    let own = mine.pem(&mine.key.serialize_pem(), &[&mine.leaf]);
    options
        .certificates
        .extend(supplied("GW/C", own, "").certificates);
    let snapshot = compiled_with(https(json!({"publicCertData": "AAAA"})), &options).snapshot;
    assert_eq!(snapshot.certificates[0].chain, [mine.leaf]);
}

#[test]
fn an_export_without_keys_says_what_to_do() {
    let vault = json!({"keyVaultSecretId": "https://v.vault.azure.net/secrets/c"});
    for (certificate, says) in [
        (json!({"publicCertData": "AAAA"}), "not in the document"),
        (vault, "in a Key Vault"),
    ] {
        let message = message(
            https(certificate),
            &options(),
            "GW-E-certificate-without-key",
        );
        let parts = ["'l'", "'c'", says, "--dev-certs", "--certificate c=FILE"];
        assert!(parts.iter().all(|part| message.contains(part)), "{message}");
        let pointer = "/properties/httpListeners/0/properties/sslCertificate:";
        assert!(message.contains(pointer), "{message}");
    }
}

#[test]
fn certificates_without_a_key_are_listed_with_the_names_they_need() {
    let chain = chain_for(&["original.contoso.com", SITE], (2025, 2030));
    let bundle = pkcs7(&[&chain.root, &chain.leaf]);
    let mut changes = https(json!({"publicCertData": STANDARD.encode(bundle)}));
    let more = listener(
        "k",
        "p443",
        "Https",
        json!({
            "hostNames": ["*.Contoso.com"], "sslCertificate": to("sslCertificates/C"),
        }),
    );
    changes["httpListeners"]
        .as_array_mut()
        .expect("a list")
        .push(more);
    changes["requestRoutingRules"] =
        json!([rule("r", "l", 2, json!({})), rule("q", "k", 1, json!({}))]);
    let gateways = [gateway(changes.clone())];
    let found = keyless_certificates(&gateways, &options());
    assert_eq!(found.len(), 1);
    assert_eq!(
        (found[0].gateway.as_str(), found[0].certificate.as_str()),
        ("gw", "c")
    );
    assert_eq!(found[0].listeners, ["k", "l"]);
    assert_eq!(
        found[0].host_names,
        ["*.contoso.com", SITE, "original.contoso.com"]
    );
    let key = supplied("c", Vec::new(), "");
    assert!(keyless_certificates(&gateways, &key).is_empty());

    let stand_in = gatewright_compile::Identity {
        chain: vec![chain.leaf.clone()],
        key: gatewright_snapshot::PrivateKey::new(chain.key.serialize_der()),
    };
    let mut options = options();
    options
        .development_certificates
        .insert(found[0].id.clone(), stand_in);
    let compiled = compiled_with(changes, &options);
    assert_eq!(compiled.snapshot.certificates[0].chain, [chain.leaf]);
    let warnings = lines(&compiled.diagnostics);
    assert_eq!(
        warnings.matches("GW-W-development-certificate").count(),
        1,
        "{warnings}"
    );
}

#[test]
fn dates_names_and_missing_issuers_are_warned_of() {
    let full = |chain: &Chain| chain.pfx(&[&chain.leaf, &chain.intermediate], "x");
    let good = chain();
    let alone = good.pfx(&[&good.leaf], "x");
    for (pfx, code) in [
        (full(&good), None),
        (full(&chain_for(&["*.contoso.com"], (2025, 2030))), None),
        (
            full(&chain_for(&[SITE], (2024, 2026))),
            Some("GW-W-certificate-expired: 2026-01-01"),
        ),
        (
            full(&chain_for(&[SITE], (2027, 2030))),
            Some("GW-W-certificate-not-yet-valid: 2027-01"),
        ),
        (
            full(&chain_for(&["contoso.com"], (2025, 2030))),
            Some("GW-W-certificate-names: 'contoso."),
        ),
        (alone, Some("GW-W-certificate-chain: CN=Test Intermediate")),
    ] {
        let found = own_diagnostics(upload(&pfx, "x"), &options());
        let found: Vec<_> = found
            .iter()
            .filter(|one| one.code != "GW-W-tls-suites")
            .collect();
        match (
            code.and_then(|code| code.split_once(": ")),
            found.as_slice(),
        ) {
            (None, []) => {}
            (Some((code, says)), [one]) => {
                assert!(one.code == code && one.to_string().contains(says), "{one}");
            }
            (expected, found) => panic!("{expected:?} expected, found {found:?}"),
        }
    }
}

/// A folder with `leaf.pem` and `key.pem`, or `None` where there is no openssl to test with.
fn workshop(chain: &Chain) -> Option<tempfile::TempDir> {
    if !Command::new("openssl")
        .arg("version")
        .output()
        .is_ok_and(|out| out.status.success())
    {
        println!("skipped: there is no openssl command");
        return None;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &[u8]| {
        let mut file = std::fs::File::create(folder.path().join(name)).expect("a file");
        file.write_all(text).expect("written");
    };
    write("leaf.pem", pem("CERTIFICATE", &chain.leaf).as_bytes());
    write("key.pem", chain.key.serialize_pem().as_bytes());
    Some(folder)
}

/// Runs openssl in `folder`, and reads the file that it wrote.
fn openssl(folder: &tempfile::TempDir, arguments: &[&str], out: &str) -> Vec<u8> {
    let path: PathBuf = folder.path().join(out);
    let (program, options) = arguments.split_first().expect("a command");
    let mut command = Command::new("openssl");
    command
        .arg(program)
        .arg("-out")
        .arg(&path)
        .args(options)
        .current_dir(folder.path());
    let run = command.output().expect("openssl runs");
    assert!(
        run.status.success(),
        "{arguments:?}: {}",
        String::from_utf8_lossy(&run.stderr)
    );
    std::fs::read(path).expect("openssl's output")
}

#[test]
fn pfx_files_of_openssl_modern_and_legacy() {
    let chain = chain();
    let Some(folder) = workshop(&chain) else {
        return;
    };
    let legacy = ["-legacy"].as_slice();
    let triple = [
        "-keypbe",
        "PBE-SHA1-3DES",
        "-certpbe",
        "PBE-SHA1-3DES",
        "-macalg",
        "sha1",
    ];
    for (more, password) in [
        (&[][..], "secret1"),
        (legacy, "secret1"),
        (&triple, "secret1"),
        (&[], ""),
        (legacy, ""),
        (&[], "Grüße"),
        (legacy, "Grüße"),
    ] {
        let pass = format!("pass:{password}");
        let export = ["pkcs12", "-export", "-in", "leaf.pem", "-inkey", "key.pem"];
        let arguments = [&export[..], &["-passout", &pass], more].concat();
        let pfx = openssl(&folder, &arguments, "out.pfx");
        let snapshot = compiled(upload(&pfx, password)).snapshot;
        assert_eq!(
            snapshot.certificates[0].chain,
            std::slice::from_ref(&chain.leaf),
            "{arguments:?}"
        );
        let code = "ApplicationGatewaySslCertificatePasswordIncorrect";
        message(upload(&pfx, "other"), &options(), code);
    }
    let export = ["pkcs12", "-export", "-in", "leaf.pem", "-inkey", "key.pem"];
    let arguments = [&export[..], &["-nomac", "-passout", "pass:x"]].concat();
    let bare = openssl(&folder, &arguments, "nomac.pfx");
    let code = "ApplicationGatewaySslCertificateInvalidData";
    assert!(message(upload(&bare, "x"), &options(), code).contains("no integrity check"));
}

#[test]
fn keys_in_their_older_encodings_become_pkcs8() {
    let chain = chain();
    let Some(folder) = workshop(&chain) else {
        return;
    };
    // SEC1, the encoding of elliptic-curve keys before PKCS#8.
    let sec1 = openssl(&folder, &["ec", "-in", "key.pem"], "sec1.pem");
    let text = String::from_utf8(sec1).expect("PEM");
    assert!(text.contains("BEGIN EC PRIVATE KEY"));
    check_pkcs8(&folder, chain.pem(&text, &[&chain.leaf]), &chain.leaf);

    // PKCS#1, that of RSA keys.
    let rsa = openssl(&folder, &["genrsa", "-traditional", "2048"], "rsa.pem");
    let rsa = String::from_utf8(rsa).expect("PEM");
    assert!(rsa.contains("BEGIN RSA PRIVATE KEY"));
    let request = [
        "req", "-x509", "-new", "-key", "rsa.pem", "-subj", "/CN=x", "-outform", "DER",
    ];
    let leaf = openssl(&folder, &request, "rsa.der");
    check_pkcs8(&folder, chain.pem(&rsa, &[&chain.leaf, &leaf]), &leaf);
    // The key tells that the other certificate is not its own.
    let message = message(
        https(json!({"publicCertData": "AAAA"})),
        &supplied("c", chain.pem(&rsa, &[&chain.leaf]), ""),
        "GW-E-certificate-file",
    );
    assert!(message.contains("belongs to none"), "{message}");
}

/// Asserts that the file gives `leaf`, and a key that openssl takes for one with its public half.
fn check_pkcs8(folder: &tempfile::TempDir, file: Vec<u8>, leaf: &[u8]) {
    let certificate = from_file(file, "");
    assert_eq!(certificate.chain, [leaf]);
    // What openssl would read in other encodings too, this reader takes as PKCS#8 alone.
    p12_keystore::PrivateKey::from_der(certificate.key.pkcs8_der()).expect("PKCS#8");
    let write = |name: &str, bytes: &[u8]| {
        std::fs::write(folder.path().join(name), bytes).expect("written");
    };
    write("pkcs8.der", certificate.key.pkcs8_der());
    write("any.der", leaf);
    let of_key = openssl(
        folder,
        &["pkey", "-inform", "DER", "-in", "pkcs8.der", "-pubout"],
        "a",
    );
    let arguments = [
        "x509", "-inform", "DER", "-in", "any.der", "-noout", "-pubkey",
    ];
    let of_leaf = Command::new("openssl")
        .args(arguments)
        .current_dir(folder.path())
        .output();
    let of_leaf = of_leaf.expect("openssl runs").stdout;
    assert_eq!(
        String::from_utf8_lossy(&of_key),
        String::from_utf8_lossy(&of_leaf)
    );
}
