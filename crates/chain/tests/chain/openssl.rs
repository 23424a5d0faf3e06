//! Certificates that only the openssl command makes: X.509 version 1, SHA-1, short RSA keys.

use std::path::Path;
use std::process::Command;

use crate::workshop::*;
use gatewright_chain::{Certificate, Checks, Defect, KeyKind, Kind, ServerName};

/// Runs openssl in `folder`. `false` where this machine has none.
#[expect(clippy::print_stdout, reason = "a test that is skipped says so")]
fn openssl(folder: &Path, arguments: &str) -> bool {
    let output = Command::new("openssl")
        .args(arguments.split_whitespace())
        .current_dir(folder)
        .output();
    match output {
        Ok(output) => {
            let error = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "openssl {arguments}: {error}");
            true
        }
        Err(error) => {
            println!("skipped: openssl does not run ({error})");
            false
        }
    }
}

/// A root with an RSA key, and a leaf that it signed, both made with the options given.
fn pair(key: &str, root: &str, leaf: &str) -> Option<(Vec<u8>, Vec<u8>)> {
    pair_of(&format!("genrsa -out key.pem {key}"), root, leaf)
}

/// The same; `key` is the command that writes the root's key to key.pem.
fn pair_of(key: &str, root: &str, leaf: &str) -> Option<(Vec<u8>, Vec<u8>)> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    let san = format!("subjectAltName=DNS:{HOST}\n");
    std::fs::write(path.join("san.cnf"), san).expect("written");
    let made = openssl(path, key)
        && openssl(path, "req -new -key key.pem -subj /CN=Old -out root.csr")
        && openssl(
            path,
            &format!(
                "x509 -req -in root.csr -signkey key.pem -days 9999 -outform DER -out root.der \
                 {root}"
            ),
        )
        && openssl(path, "genrsa -out leaf.pem 2048")
        && openssl(
            path,
            &format!("req -new -key leaf.pem -subj /CN={HOST} -out leaf.csr"),
        )
        && openssl(
            path,
            &format!(
                "x509 -req -in leaf.csr -CA root.der -CAform DER -CAkey key.pem -set_serial 1 \
                 -days 9999 -outform DER -out leaf.der {leaf}"
            ),
        );
    let read = |name| std::fs::read(path.join(name)).expect("written");
    made.then(|| (read("root.der"), read("leaf.der")))
}

fn deciding(sent: &[Vec<u8>], roots: &[Vec<u8>]) -> Option<(Kind, u16)> {
    let trusted = Trusted {
        well_known: Vec::new(),
        uploaded: Some(roots.to_vec()),
    };
    let verdict = verdict(sent, &trusted);
    assert_eq!(verdict.is_accepted(), webpki_chain(sent, &trusted).is_ok());
    let defect: Option<&Defect> = verdict.deciding();
    defect.map(|defect| (defect.kind(), defect.openssl()))
}

#[test]
fn version_1_is_refused_for_servers_and_taken_for_roots() {
    let Some((root, leaf)) = pair("2048", "", "") else {
        return;
    };
    let read = Certificate::read(&root).expect("a certificate");
    assert_eq!(read.version(), 1);
    assert!(read.is_authority() && read.is_self_signed());
    let found = deciding(&[leaf], std::slice::from_ref(&root));
    assert_eq!(found, Some((Kind::UnsupportedVersion, 50)));
    let Some((root, leaf)) = pair("2048", "", "-extfile san.cnf") else {
        return;
    };
    assert_eq!(deciding(&[leaf], &[root]), None);
}

#[test]
fn weak_signatures_are_told_from_wrong_ones() {
    let Some((root, leaf)) = pair("2048", "", "-sha1 -extfile san.cnf") else {
        return;
    };
    let found = deciding(&[leaf], &[root]);
    assert_eq!(found, Some((Kind::WeakSignature, 68)));
    let Some((root, leaf)) = pair("1024", "", "-extfile san.cnf") else {
        return;
    };
    let found = deciding(&[leaf], &[root]);
    assert_eq!(found, Some((Kind::WeakSignature, 67)));
    let Some((root, leaf)) = pair("2048", "", "-md5 -extfile san.cnf") else {
        return;
    };
    let found = deciding(&[leaf], &[root]);
    assert_eq!(found, Some((Kind::UnsupportedSignature, 76)));
}

/// What is not verified is not called another's: the root that was uploaded is the right one.
#[test]
fn a_key_that_is_not_supported_is_no_other_key() {
    let curve = |name: &str| format!("ecparam -name {name} -genkey -noout -out key.pem");
    let rsa = |bits: u32| format!("genrsa -out key.pem {bits}");
    let unsupported = (Kind::UnsupportedSignature, 76);
    let short = (Kind::WeakSignature, 67);
    for (key, options, expected) in [
        (curve("brainpoolP256r1"), "-sha256", unsupported),
        (curve("secp256k1"), "-sha384", unsupported),
        (curve("prime256v1"), "-sha1", unsupported),
        (rsa(1_024), "-sha384", short),
        (rsa(1_024), "-sha256 -sigopt rsa_padding_mode:pss", short),
        (rsa(768), "-sha256", short),
    ] {
        let leaf = format!("{options} -extfile san.cnf");
        let Some((root, leaf)) = pair_of(&key, "", &leaf) else {
            return;
        };
        let found = deciding(std::slice::from_ref(&leaf), std::slice::from_ref(&root));
        assert_eq!(found, Some(expected), "{key} {options}");
        // Sent too, it is the root that it is.
        let found = deciding(&[leaf, root.clone()], &[root]);
        assert_eq!(found, Some(expected), "{key} {options}");
    }
}

/// A key of another kind or size than the signature's is another, which needs no verifying.
#[test]
fn a_key_of_another_kind_or_size_is_another_key() {
    let curve = |name: &str| format!("ecparam -name {name} -genkey -noout -out key.pem");
    let rsa = |bits: u32| format!("genrsa -out key.pem {bits}");
    for (key, twin, options) in [
        (curve("prime256v1"), rsa(2_048), "-sha256"),
        (rsa(2_048), curve("brainpoolP256r1"), "-sha256"),
        (rsa(2_048), rsa(1_024), "-sha384"),
        (rsa(1_024), rsa(2_048), "-sha384"),
        (rsa(2_048), rsa(2_048), "-sha384"),
        (curve("prime256v1"), curve("prime256v1"), "-sha384"),
    ] {
        let leaf = format!("{options} -extfile san.cnf");
        let (Some((_, leaf)), Some((other, _))) =
            (pair_of(&key, "", &leaf), pair_of(&twin, "", ""))
        else {
            return;
        };
        let found = deciding(&[leaf], &[other]).map(|(kind, _)| kind);
        assert_eq!(found, Some(Kind::RootMismatch), "{key} {twin} {options}");
    }
}

/// That it was uploaded itself makes no certificate one that the TLS library reads.
#[test]
fn version_1_is_refused_where_it_was_uploaded_itself() {
    let Some((_, leaf)) = pair("2048", "", "") else {
        return;
    };
    let found = deciding(std::slice::from_ref(&leaf), std::slice::from_ref(&leaf));
    assert_eq!(found, Some((Kind::UnsupportedVersion, 50)));
}

/// Nor does it where the chain is not looked at: it cannot sign a handshake.
#[test]
fn version_1_is_refused_where_the_chain_is_not_checked() {
    let Some((_, leaf)) = pair("2048", "", "") else {
        return;
    };
    let checks = Checks {
        chain: false,
        name: false,
    };
    let verdict = verdict_for(&[leaf], &Trusted::default(), ServerName::Dns(HOST), checks);
    let kinds: Vec<Kind> = verdict.defects.iter().map(Defect::kind).collect();
    assert_eq!(kinds, [Kind::UnsupportedVersion]);
    assert!(!verdict.remarks.is_empty());
}

/// What a key is for goes by the certificate's own key, and not by the one that signed it.
#[test]
fn keys_are_told_apart_by_their_kind() {
    let curve = "ecparam -name prime256v1 -genkey -noout -out key.pem";
    let edwards = "genpkey -algorithm ed25519 -out key.pem";
    let rsa = "genrsa -out key.pem 2048";
    for (key, expected) in [
        (curve, KeyKind::Ecdsa),
        (rsa, KeyKind::Rsa),
        (edwards, KeyKind::Other),
    ] {
        let Some((root, leaf)) = pair_of(key, "", "") else {
            return;
        };
        let kind = |der: &[u8]| Certificate::read(der).map(|one| one.key_kind());
        assert_eq!(kind(&root), Ok(expected), "{key}");
        assert_eq!(kind(&leaf), Ok(KeyKind::Rsa), "{key}");
    }
}
