//! What the workshop makes, read by parsers that are not its own.

use gatewright_testkit::certificates::{
    Authority, Identity, KeyKind, Leaf, PfxCipher, Validity, client_presenting,
};
use p12_keystore::{KeyStore, Pkcs12ImportPolicy};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use time::OffsetDateTime;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate, X509Version};

fn parsed(der: &CertificateDer<'_>) -> X509Certificate<'static> {
    let bytes: &'static [u8] = Box::leak(der.to_vec().into_boxed_slice());
    X509Certificate::from_der(bytes).expect("a certificate").1
}

fn san_count(certificate: &X509Certificate<'_>) -> usize {
    let names = certificate
        .subject_alternative_name()
        .expect("a sound extension");
    names.map_or(0, |names| names.value.general_names.len())
}

#[test]
fn a_leaf_says_what_was_asked_of_it() {
    let validity = Validity::hours_from_now(-2, 3);
    let leaf = Leaf::for_names(&["a.test", "*.b.test", "10.0.1.4"])
        .common_name("Other")
        .valid(validity);
    let identity = Authority::new("Root").issue(leaf);
    let certificate = parsed(identity.leaf());
    let names = certificate
        .subject_alternative_name()
        .expect("sound")
        .expect("there");
    assert!(matches!(
        names.value.general_names[0],
        GeneralName::DNSName("a.test")
    ));
    assert!(matches!(
        names.value.general_names[1],
        GeneralName::DNSName("*.b.test")
    ));
    assert!(matches!(
        names.value.general_names[2],
        GeneralName::IPAddress([10, 0, 1, 4])
    ));
    assert_eq!(certificate.subject().to_string(), "CN=Other");
    assert_eq!(certificate.issuer().to_string(), "CN=Root");
    let not_after = certificate.validity().not_after.timestamp();
    assert_eq!(not_after, validity.not_after.unix_timestamp());
    assert!(!certificate.is_ca());
}

#[test]
fn validities_lie_where_they_say() {
    let now = OffsetDateTime::now_utc();
    let holds = |validity: Validity| validity.not_before <= now && now <= validity.not_after;
    assert!(holds(Validity::current()));
    assert!(!holds(Validity::expired()) && Validity::expired().not_after < now);
    assert!(!holds(Validity::not_yet()) && Validity::not_yet().not_before > now);
}

#[test]
fn a_common_name_alone_has_no_alternative_names() {
    let certificate = Leaf::common_name_only("a.test").self_signed();
    let certificate = parsed(certificate.leaf());
    assert_eq!(san_count(&certificate), 0);
    assert_eq!(certificate.subject().to_string(), "CN=a.test");
    assert_eq!(certificate.issuer(), certificate.subject());
}

#[test]
fn a_chain_is_the_leaf_then_each_issuer_without_the_root() {
    let root = Authority::new("Root");
    let upper = root.intermediate("Upper");
    let lower = upper.intermediate("Lower");
    let identity = lower.issue(Leaf::named("a.test"));
    let subjects = |identity: &Identity| -> Vec<String> {
        identity
            .chain
            .iter()
            .map(|der| parsed(der).subject().to_string())
            .collect()
    };
    assert_eq!(subjects(&identity), ["CN=a.test", "CN=Lower", "CN=Upper"]);
    assert_eq!(
        subjects(&identity.out_of_order()),
        ["CN=Upper", "CN=Lower", "CN=a.test"]
    );
    assert_eq!(subjects(&identity.without_leaf()), ["CN=Lower", "CN=Upper"]);
    assert_eq!(subjects(&identity.without_intermediates()), ["CN=a.test"]);
    assert_eq!(
        subjects(&identity.with_root(&lower)),
        ["CN=a.test", "CN=Lower", "CN=Upper", "CN=Root"]
    );
    assert_eq!(lower.root_certificate(), root.certificate());
    assert!(parsed(&lower.certificate()).is_ca());
    assert_eq!(lower.common_name(), "Lower");
}

#[test]
fn a_twin_has_the_same_name_and_another_key() {
    for kind in [KeyKind::P256, KeyKind::Rsa2048] {
        let root = Authority::with("Root", kind, Validity::current());
        let (one, other) = (
            parsed(&root.certificate()),
            parsed(&root.twin().certificate()),
        );
        assert_eq!(one.subject(), other.subject());
        assert_ne!(one.public_key().raw, other.public_key().raw);
    }
}

#[test]
fn pem_reads_back_as_what_was_written() {
    let authority = Authority::new("Root");
    let identity = authority
        .intermediate("Issuing")
        .issue(Leaf::named("a.test"));
    let pem = identity.pem();
    let chain: Vec<_> = CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<Result<_, _>>()
        .expect("PEM certificates");
    assert_eq!(chain, identity.chain);
    let key = PrivateKeyDer::from_pem_slice(pem.as_bytes()).expect("a PEM key");
    assert_eq!(key, identity.key);
    assert!(pem.lines().all(|line| line.len() <= 64));
    let root = CertificateDer::from_pem_slice(authority.cert_pem().as_bytes());
    assert_eq!(root.expect("a PEM certificate"), authority.certificate());
}

#[test]
fn a_pfx_of_each_cipher_opens_with_its_password_only() {
    let issuing = Authority::new("Root").intermediate("Issuing");
    let identity = issuing.issue(Leaf::named("a.test").key(KeyKind::Rsa2048));
    for cipher in [PfxCipher::Aes256, PfxCipher::TripleDes, PfxCipher::Rc2] {
        for password in ["p\u{e4}ss", ""] {
            let pfx = identity.pfx_in(password, cipher);
            let store = KeyStore::from_pkcs12(&pfx, password, Pkcs12ImportPolicy::Strict)
                .unwrap_or_else(|error| panic!("{cipher:?} {password:?}: {error}"));
            let (_, chain) = store.private_key_chain().expect("a key with its chain");
            let certificates: Vec<_> = chain.certs().iter().map(|it| it.as_der()).collect();
            let expected: Vec<_> = identity.chain.iter().map(|it| it.as_ref()).collect();
            assert_eq!(certificates, expected, "{cipher:?}");
            assert_eq!(
                chain.key().as_der(),
                identity.key.secret_der(),
                "{cipher:?}"
            );
            assert!(KeyStore::from_pkcs12(&pfx, "wrong", Pkcs12ImportPolicy::Strict).is_err());
        }
    }
    assert!(KeyStore::from_pkcs12(&identity.pfx("x"), "x", Pkcs12ImportPolicy::Strict).is_ok());
}

#[test]
#[should_panic(expected = "belongs to its certificate")]
fn a_client_cannot_show_what_it_has_no_key_for() {
    let root = Authority::new("Root");
    let mut identity = root.issue(Leaf::named("a.test"));
    identity.key = root.issue(Leaf::named("b.test")).key;
    client_presenting(&root, &identity);
}

#[test]
fn a_certificate_of_version_1_is_whole_but_for_its_extensions() {
    for kind in [KeyKind::P256, KeyKind::Rsa2048] {
        let root = Authority::with("Root", kind, Validity::current());
        let identity = root.issue_v1(Leaf::named("a.test"));
        let certificate = parsed(identity.leaf());
        assert_eq!(certificate.version(), X509Version::V1);
        assert!(certificate.extensions().is_empty());
        assert_eq!(certificate.subject().to_string(), "CN=a.test");
        assert_eq!(certificate.issuer().to_string(), "CN=Root");
        let newer = parsed(root.issue(Leaf::named("a.test")).leaf());
        assert_eq!(certificate.signature_algorithm, newer.signature_algorithm);
    }
}

#[test]
fn leaves_are_spoilt_as_they_were_asked_to_be() {
    let root = Authority::new("Root");
    let leaf = || Leaf::named("a.test");
    let inverted = parsed(root.issue(leaf().valid(Validity::inverted())).leaf());
    let validity = inverted.validity();
    assert!(validity.not_after < validity.not_before);
    assert!(parsed(leaf().as_authority().self_signed().leaf()).is_ca());
    let usage = |leaf: Leaf| {
        let certificate = parsed(root.issue(leaf).leaf());
        let usage = certificate
            .extended_key_usage()
            .expect("sound")
            .expect("there");
        (usage.value.server_auth, usage.value.client_auth)
    };
    assert_eq!(usage(leaf()), (true, true));
    assert_eq!(usage(leaf().for_clients_only()), (false, true));
    let demanding = parsed(root.issue(leaf().with_unknown_demand()).leaf());
    let is_unknown = |oid: &str| oid == "1.3.6.1.4.1.32473.1";
    let demand = demanding
        .extensions()
        .iter()
        .find(|extension| is_unknown(&extension.oid.to_id_string()));
    assert!(demand.expect("there").critical);

    let good = root.issue(leaf());
    let bad = good.with_bad_signature();
    let (good, bad) = (parsed(good.leaf()), parsed(bad.leaf()));
    assert_eq!(good.tbs_certificate.as_ref(), bad.tbs_certificate.as_ref());
    assert_ne!(good.signature_value, bad.signature_value);
}

#[test]
fn authorities_come_back_with_the_same_key() {
    let key_of = |authority: &Authority| {
        let certificate = parsed(&authority.certificate());
        (
            certificate.subject().to_string(),
            certificate.public_key().raw.to_vec(),
            certificate.issuer().to_string(),
        )
    };
    for kind in [KeyKind::P256, KeyKind::Rsa2048] {
        let root = Authority::with("Root", kind, Validity::expired());
        let (name, key, _) = key_of(&root);
        let renewed = key_of(&root.renewed(Validity::current()));
        assert_eq!(renewed, (name.clone(), key.clone(), name.clone()));
        let crossed = key_of(&root.cross_signed_by(&Authority::new("Other")));
        assert_eq!(crossed, (name, key, "CN=Other".to_owned()));
    }
}
