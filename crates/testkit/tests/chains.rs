//! Every chain that a server can show, as it arrives, and what two verifiers say to it: rustls,
//! and the openssl command where there is one.

use gatewright_testkit::backend::{Backend, Manners, TlsManners};
use gatewright_testkit::certificates::{
    Authority, Identity, KeyKind, Leaf, Validity, client_trusting_blindly, client_trusting_roots,
};
use gatewright_testkit::client::{ClientError, RawClient, get_tls};
use rustls::{CertificateError, Error};
use rustls_pki_types::CertificateDer;
use std::io::Write;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::slice::from_ref;

const NAME: &str = "app.contoso.test";
/// The most certificates of a chain that openssl reads by default are far fewer than these.
const MANY: usize = 100;

async fn start(tls: TlsManners) -> Backend {
    let builder = Backend::with(Manners::Echo).tls(tls);
    builder.start().await.expect("a port is free")
}

/// Root, intermediate, and a good identity.
fn family() -> (Authority, Authority, Identity) {
    let root = Authority::new("Contoso Root");
    let issuing = root.intermediate("Contoso Issuing");
    let good = issuing.issue(Leaf::named(NAME));
    (root, issuing, good)
}

/// What a client that checks nothing is shown.
async fn shown(tls: TlsManners) -> Result<Vec<CertificateDer<'static>>, ClientError> {
    let backend = start(tls).await;
    let client = RawClient::connect(backend.address()).await?;
    let client = client.tls(NAME, client_trusting_blindly()).await?;
    Ok(client.server_certificates())
}

#[tokio::test]
async fn any_list_of_certificates_arrives_as_it_was_given() {
    let (root, issuing, good) = family();
    let (leaf, middle, top) = (
        good.leaf().clone(),
        issuing.certificate(),
        root.certificate(),
    );
    let foreign = Authority::new("Stranger").certificate();
    let whole = good.with_root(&root);
    let not_der = CertificateDer::from(b"no certificate".to_vec());
    let cases = [
        (good.without_intermediates(), vec![leaf.clone()]),
        (good.without_leaf(), vec![middle.clone()]),
        (issuing.identity(), vec![middle.clone()]),
        (root.identity(), vec![top.clone()]),
        (
            whole.out_of_order(),
            vec![top.clone(), middle.clone(), leaf.clone()],
        ),
        (
            whole.with_issuers_out_of_order(),
            vec![leaf.clone(), top.clone(), middle.clone()],
        ),
        (
            good.with_certificates(from_ref(&foreign)),
            vec![leaf.clone(), middle.clone(), foreign],
        ),
        (
            good.with_duplicates(),
            vec![leaf.clone(), leaf.clone(), middle.clone(), middle.clone()],
        ),
        (
            good.with_certificates(from_ref(&not_der)),
            vec![leaf, middle, not_der],
        ),
    ];
    for (identity, expected) in cases {
        for tls in [
            TlsManners::new(identity.clone()).only_tls12(),
            TlsManners::new(identity.clone()).only_tls13(),
        ] {
            let seen = shown(tls).await.expect("a handshake");
            assert!(seen == expected, "{} certificates came", seen.len());
        }
    }
}

#[tokio::test]
async fn a_hundred_certificates_and_none_are_sent_too() {
    let (_, _, good) = family();
    let many = good.repeated_up_to(MANY);
    for tls in [
        TlsManners::new(many.clone()).only_tls12(),
        TlsManners::new(many.clone()).only_tls13(),
    ] {
        let seen = shown(tls).await.expect("a handshake");
        assert_eq!(seen.len(), MANY);
        assert_eq!(seen, many.chain);
    }
    let none = good.without_certificates();
    for tls in [
        TlsManners::new(none.clone()).only_tls12(),
        TlsManners::new(none.clone()).only_tls13(),
    ] {
        let error = shown(tls).await.expect_err("nobody is shown");
        assert_eq!(
            error.tls(),
            Some(&Error::NoCertificatesPresented),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_chain_whose_key_is_not_the_first_ones_is_found_out_by_the_signature() {
    let (root, _, good) = family();
    for identity in [good.with_root(&root).out_of_order(), good.without_leaf()] {
        let backend = start(TlsManners::new(identity)).await;
        let config = gatewright_testkit::certificates::client_trusting_anything();
        let error = get_tls(backend.address(), NAME, "/", config)
            .await
            .expect_err("the key is another's");
        let expected = Error::InvalidCertificate(CertificateError::BadSignature);
        assert_eq!(error.tls(), Some(&expected), "{error}");
    }
}

/// One chain, whom its client trusts, and what is said to it.
struct Case {
    what: &'static str,
    identity: Identity,
    trusted: CertificateDer<'static>,
    /// A part of rustls's reason; none if it is content.
    rustls: Option<&'static str>,
    /// OpenSSL's X509_V_ERR; 0 if it is content.
    openssl: u32,
}

fn case(
    what: &'static str,
    identity: Identity,
    trusted: &Authority,
    rustls: Option<&'static str>,
    openssl: u32,
) -> Case {
    Case {
        what,
        identity,
        trusted: trusted.certificate(),
        rustls,
        openssl,
    }
}

fn cases() -> Vec<Case> {
    let all = [dates_and_signatures(), trust(), names(), extensions()];
    all.into_iter().flatten().collect()
}

fn dates_and_signatures() -> Vec<Case> {
    let (root, issuing, good) = family();
    let leaf = || Leaf::named(NAME);
    let old_issuing = root.intermediate_valid("Old Issuing", Validity::expired());
    let old_root = Authority::with("Old Root", KeyKind::P256, Validity::expired());
    let renewed = old_root.renewed(Validity::current());
    let odd = leaf().valid(Validity::inverted());
    let dead = Some("ExpiredContext");
    vec![
        case("good", good.clone(), &root, None, 0),
        case("with its root", good.with_root(&root), &root, None, 0),
        case("with duplicates", good.with_duplicates(), &root, None, 0),
        case(
            "expired leaf",
            issuing.issue(leaf().valid(Validity::expired())),
            &root,
            dead,
            10,
        ),
        case(
            "leaf not yet valid",
            issuing.issue(leaf().valid(Validity::not_yet())),
            &root,
            Some("NotValidYet"),
            9,
        ),
        case(
            "expired intermediate",
            old_issuing.issue(leaf()),
            &root,
            dead,
            10,
        ),
        // To webpki a trust anchor is a name and a key: it has no dates.
        case("expired root", old_root.issue(leaf()), &old_root, None, 10),
        case("renewed root", old_root.issue(leaf()), &renewed, None, 0),
        case(
            "ends before it begins",
            issuing.issue(odd),
            &root,
            // Without the instant that rustls tells of one that has expired.
            Some("(Expired)"),
            9,
        ),
        case(
            "bad signature",
            good.with_bad_signature(),
            &root,
            Some("BadSignature"),
            7,
        ),
    ]
}

fn trust() -> Vec<Case> {
    let (root, issuing, good) = family();
    let leaf = || Leaf::named(NAME);
    let stranger = Authority::new("Stranger");
    let unknown = Some("UnknownIssuer");
    let crossed = root.cross_signed_by(&stranger);
    let authority_leaf = leaf().as_authority().self_signed();
    let mut uploaded = case(
        "self-signed with CA:TRUE, uploaded",
        authority_leaf.clone(),
        &root,
        Some("CaUsedAsEndEntity"),
        0,
    );
    uploaded.trusted = authority_leaf.leaf().clone();
    vec![
        case("stranger", good.clone(), &stranger, unknown, 20),
        case(
            "stranger's root sent",
            good.with_root(&root),
            &stranger,
            unknown,
            19,
        ),
        case(
            "intermediate missing",
            good.without_intermediates(),
            &root,
            unknown,
            21,
        ),
        case(
            "same name, other key",
            good.clone(),
            &root.twin(),
            Some("BadSignature"),
            20,
        ),
        case("self-signed", leaf().self_signed(), &root, unknown, 18),
        case(
            "self-signed with CA:TRUE",
            authority_leaf,
            &root,
            Some("CaUsedAsEndEntity"),
            18,
        ),
        uploaded,
        case(
            "a foreign root at the end",
            good.with_root(&stranger),
            &root,
            None,
            0,
        ),
        case(
            "cross-signed",
            good.with_certificates(&[crossed.certificate()]),
            &stranger,
            None,
            0,
        ),
        case(
            "an authority for a leaf",
            issuing.identity(),
            &root,
            Some("CaUsedAsEndEntity"),
            62,
        ),
    ]
}

fn names() -> Vec<Case> {
    let (root, issuing, _) = family();
    let no_name = Some("NotValidForName");
    vec![
        case(
            "wildcard",
            issuing.issue(Leaf::named("*.contoso.test")),
            &root,
            None,
            0,
        ),
        case(
            "wildcard a level up",
            issuing.issue(Leaf::named("*.test")),
            &root,
            no_name,
            62,
        ),
        // OpenSSL falls back on the common name where there are no alternative names.
        case(
            "common name only",
            issuing.issue(Leaf::common_name_only(NAME)),
            &root,
            no_name,
            0,
        ),
        case(
            "no name at all",
            issuing.issue(Leaf::for_names(&[])),
            &root,
            no_name,
            62,
        ),
        case(
            "address",
            issuing.issue(Leaf::named("127.0.0.1")),
            &root,
            no_name,
            62,
        ),
    ]
}

fn extensions() -> Vec<Case> {
    let (root, issuing, _) = family();
    let leaf = || Leaf::named(NAME);
    let shallow = root.intermediate_of_depth("Shallow", 0);
    let deep = shallow.intermediate("Too deep");
    let impostor = root.impostor("No authority");
    let v1 = issuing.issue_v1(leaf());
    vec![
        case(
            "for clients only",
            issuing.issue(leaf().for_clients_only()),
            &root,
            Some("Purpose"),
            26,
        ),
        case(
            "unknown demand",
            issuing.issue(leaf().with_unknown_demand()),
            &root,
            Some("UnsupportedCriticalExtension"),
            34,
        ),
        case("shallow", shallow.issue(leaf()), &root, None, 0),
        case(
            "too deep",
            deep.issue(leaf()),
            &root,
            Some("PathLenConstraintViolated"),
            25,
        ),
        case(
            "impostor",
            impostor.issue(leaf()),
            &root,
            Some("EndEntityUsedAsCa"),
            79,
        ),
        case("version 1", v1, &root, Some("UnsupportedCertVersion"), 0),
    ]
}

#[tokio::test]
async fn each_chain_is_judged_for_its_own_reason_by_rustls() {
    for case in cases() {
        let backend = start(TlsManners::new(case.identity)).await;
        let config = client_trusting_roots(&[case.trusted]);
        let outcome = get_tls(backend.address(), NAME, "/", config).await;
        match (outcome, case.rustls) {
            (Ok(_), None) => {}
            (Ok(_), Some(expected)) => panic!("{}: no {expected}", case.what),
            (Err(error), None) => panic!("{}: {error}", case.what),
            (Err(error), Some(expected)) => {
                let reason = format!("{:?}", error.tls());
                assert!(reason.contains(expected), "{}: {reason}", case.what);
            }
        }
    }
}

/// OpenSSL is the other side's verifier: its numbers are what the service reports.
#[tokio::test]
async fn each_chain_is_judged_for_its_own_reason_by_openssl() {
    if Command::new("openssl").arg("version").output().is_err() {
        eprintln!("SKIPPED: there is no openssl command");
        return;
    }
    for case in cases() {
        let backend = start(TlsManners::new(case.identity)).await;
        let (address, trusted) = (backend.address(), case.trusted);
        let codes = tokio::task::spawn_blocking(move || openssl_codes(address, &trusted));
        let codes = codes.await.expect("it does not panic");
        // It goes on after an error, and finds more of them.
        assert!(
            codes.contains(&case.openssl),
            "{}: {codes:?}, not {}",
            case.what,
            case.openssl
        );
        if case.openssl == 0 {
            assert_eq!(codes, [0], "{}", case.what);
        }
    }
}

/// The numbers of the errors that `openssl s_client` found, in order; 0 if there were none.
fn openssl_codes(address: SocketAddr, trusted: &CertificateDer<'_>) -> Vec<u32> {
    let pem = gatewright_testkit::certificates::pem_of("CERTIFICATE", trusted);
    let mut file = tempfile::NamedTempFile::new().expect("a folder for it");
    file.write_all(pem.as_bytes()).expect("room for it");
    let output = Command::new("openssl")
        .args(["s_client", "-connect", &address.to_string()])
        .args(["-servername", NAME, "-verify_hostname", NAME])
        .args(["-no-CApath", "-no-CAstore", "-CAfile"])
        .arg(file.path())
        .stdin(Stdio::null())
        .output()
        .expect("it runs");
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    let mut codes: Vec<u32> = text
        .lines()
        .filter_map(|line| line.strip_prefix("verify error:num="))
        .filter_map(|rest| rest.split(':').next()?.parse().ok())
        .collect();
    if codes.is_empty() {
        assert!(text.contains("Verify return code: 0 (ok)"), "{text}");
        codes.push(0);
    }
    codes
}
