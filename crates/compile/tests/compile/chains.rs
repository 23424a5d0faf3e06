//! Certificate chains for tests, and the files that they come in.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use p12_keystore::{KeyStore, KeyStoreEntry, PrivateKeyChain};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd,
};

pub(crate) const SITE: &str = "shop.contoso.com";

/// A root, an intermediate and a leaf for `SITE`, with the leaf's key.
pub(crate) struct Chain {
    pub(crate) root: Vec<u8>,
    pub(crate) intermediate: Vec<u8>,
    pub(crate) leaf: Vec<u8>,
    pub(crate) key: KeyPair,
}

pub(crate) fn authority(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).expect("parameters");
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    valid(params, (2025, 2035))
}

pub(crate) fn valid(mut params: CertificateParams, (from, to): (i32, i32)) -> CertificateParams {
    params.not_before = date_time_ymd(from, 1, 1);
    params.not_after = date_time_ymd(to, 1, 1);
    params
}

pub(crate) fn chain_for(names: &[&str], years: (i32, i32)) -> Chain {
    let new_key = || KeyPair::generate().expect("a key");
    let root = CertifiedIssuer::self_signed(authority("Test Root"), new_key()).expect("a root");
    let intermediate = authority("Test Intermediate");
    let intermediate =
        CertifiedIssuer::signed_by(intermediate, new_key(), &root).expect("an intermediate");
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).expect("parameters");
    params.distinguished_name.push(DnType::CommonName, "leaf");
    let key = new_key();
    let leaf = valid(params, years)
        .signed_by(&key, &intermediate)
        .expect("a leaf");
    Chain {
        root: root.der().to_vec(),
        intermediate: intermediate.der().to_vec(),
        leaf: leaf.der().to_vec(),
        key,
    }
}

pub(crate) fn chain() -> Chain {
    chain_for(&[SITE], (2025, 2030))
}

impl Chain {
    pub(crate) fn pfx(&self, certificates: &[&[u8]], password: &str) -> Vec<u8> {
        let key = p12_keystore::PrivateKey::from_der(&self.key.serialize_der()).expect("a key");
        let certificates: Vec<_> = certificates
            .iter()
            .map(|der| p12_keystore::Certificate::from_der(der).expect("X.509"))
            .collect();
        let entry = PrivateKeyChain::new([1, 2, 3].as_slice(), key, certificates);
        let mut store = KeyStore::new();
        store.add_entry("site", KeyStoreEntry::PrivateKeyChain(entry));
        let writer = store
            .writer(password)
            .mac_iterations(100)
            .encryption_iterations(100);
        writer.write().expect("a PFX")
    }

    pub(crate) fn pem(&self, key: &str, certificates: &[&[u8]]) -> Vec<u8> {
        let mut text = key.to_owned();
        for der in certificates {
            text.push_str(&pem("CERTIFICATE", der));
        }
        text.into_bytes()
    }

    pub(crate) fn ordered(&self) -> Vec<Vec<u8>> {
        vec![
            self.leaf.clone(),
            self.intermediate.clone(),
            self.root.clone(),
        ]
    }
}

pub(crate) fn pem(label: &str, der: &[u8]) -> String {
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        STANDARD.encode(der)
    )
}

/// A PKCS#7 bundle of certificates, as `publicCertData` has it.
pub(crate) fn pkcs7(certificates: &[&[u8]]) -> Vec<u8> {
    let tlv = |tag: u8, contents: &[u8]| {
        let mut out = vec![tag, 0x82, (contents.len() >> 8) as u8, contents.len() as u8];
        out.extend_from_slice(contents);
        out
    };
    let oid = |last: u8| vec![6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, last];
    let signed = [
        vec![2, 1, 1],
        tlv(0x31, &[]),
        tlv(0x30, &oid(1)),
        tlv(0xa0, &certificates.concat()),
        tlv(0x31, &[]),
    ];
    let content = tlv(0xa0, &tlv(0x30, &signed.concat()));
    tlv(0x30, &[oid(2), content].concat())
}

/// The PFX without its third member. Lengths of three bytes, as all PFX files here have.
pub(crate) fn without_mac(pfx: &[u8]) -> Vec<u8> {
    assert_eq!(pfx[..2], [0x30, 0x82]);
    assert_eq!(pfx[4..9], [2, 1, 3, 0x30, 0x82]);
    let safe = usize::from(pfx[9]) << 8 | usize::from(pfx[10]);
    let length = 3 + 4 + safe;
    let mut out = vec![0x30, 0x82, (length >> 8) as u8, length as u8];
    out.extend_from_slice(&pfx[4..4 + length]);
    out
}

/// A leaf with its key, its issuer, and that one's issuer, whose issuer is the former.
pub(crate) fn vouching_for_each_other() -> (Vec<u8>, KeyPair, [Vec<u8>; 2]) {
    let new_key = || KeyPair::generate().expect("a key");
    let root = |name: &str| CertifiedIssuer::self_signed(authority(name), new_key());
    let (one, other) = (root("One").expect("a root"), root("Other").expect("a root"));
    let crossed = |name: &str, subject: &KeyPair, issuer| {
        let crossed = authority(name).signed_by(subject, issuer);
        crossed.expect("a cross certificate").der().to_vec()
    };
    let by_other = crossed("One", one.key(), &other);
    let by_one = crossed("Other", other.key(), &one);
    let key = new_key();
    let params = CertificateParams::new(vec![SITE.to_owned()]).expect("parameters");
    let leaf = valid(params, (2025, 2030))
        .signed_by(&key, &one)
        .expect("a leaf");
    (leaf.der().to_vec(), key, [by_other, by_one])
}
