//! What somebody sends who wants to cost us time, memory, or a thread.

use crate::workshop::*;
use gatewright_chain::{
    CERTIFICATE_BYTES_MAX, Certificate, Defect, Kind, PRESENTED_BYTES_MAX, PRESENTED_MAX,
    Unreadable,
};
use proptest::collection::vec;
use proptest::prelude::*;
use rcgen::KeyPair;

fn kind(chain: &[Vec<u8>], trusted: &Trusted) -> Option<Kind> {
    verdict(chain, trusted).deciding().map(Defect::kind)
}

#[test]
fn a_chain_of_ten_thousand_certificates_is_refused_at_once() {
    let house = house("Contoso");
    let trusted = Trusted::uploaded(&[&house.root]);
    let mut sent = chain(&[&house.leaf, &house.issuing]);
    sent.resize(PRESENTED_MAX, house.root.der.clone());
    assert_eq!(kind(&sent, &trusted), None);
    sent.resize(10_000, house.root.der.clone());
    assert_eq!(kind(&sent, &trusted), Some(Kind::TooManyCertificates));
}

#[test]
fn megabytes_are_refused() {
    let house = house("Contoso");
    let mut sent = chain(&[&house.leaf]);
    sent.push(vec![0x30; PRESENTED_BYTES_MAX]);
    assert_eq!(kind(&sent, &Trusted::default()), Some(Kind::TooManyBytes));
    let large = vec![0x30; CERTIFICATE_BYTES_MAX + 1];
    assert_eq!(Certificate::read(&large), Err(Unreadable::TooLarge));
    assert_eq!(kind(&[large], &Trusted::default()), Some(Kind::Unreadable));
    let mut longer = house.leaf.der.clone();
    longer.push(0);
    assert_eq!(Certificate::read(&longer), Err(Unreadable::TrailingData));
}

/// Sixty authorities of one name that signed one another: with names alone there would be 60! ways.
#[test]
fn a_thicket_of_authorities_of_one_name_is_left_when_the_bound_is_met() {
    let mut last = Recipe::authority("Thicket").root();
    let mut sent = Vec::new();
    for _ in 0..60 {
        last = last.sign(Recipe::authority("Thicket"));
        sent.push(last.der.clone());
    }
    let leaf = last.sign(Recipe::leaf());
    sent.insert(0, leaf.der);
    assert_eq!(kind(&sent, &Trusted::default()), Some(Kind::TooMuchWork));
}

/// Four certificates of one key on each of six levels: few signatures, and more than 4^6 ways.
#[test]
fn the_ways_through_cross_signed_authorities_are_bounded() {
    let mut parent = Recipe::authority("Level 0").root();
    let mut sent = Vec::new();
    for level in 1..=6 {
        let key = std::sync::Arc::new(KeyPair::generate().expect("a key"));
        let name = format!("Level {level}");
        let sign = || parent.sign_key(Recipe::authority(&name), &key);
        let siblings = [sign(), sign(), sign(), sign()];
        sent.extend(chain(&siblings.each_ref()));
        parent = siblings[0].clone();
    }
    let leaf = parent.sign(Recipe::leaf());
    sent.insert(0, leaf.der);
    let found = kind(&sent, &Trusted::default());
    assert_eq!(found, Some(Kind::TooMuchWork));
}

#[test]
fn an_unreadable_certificate_matters_where_an_issuer_is_missing() {
    let house = house("Contoso");
    let trusted = Trusted::uploaded(&[&house.root]);
    let junk = || b"-----BEGIN".to_vec();
    let missing = vec![house.leaf.der.clone(), junk()];
    let found = verdict(&missing, &trusted);
    let kinds: Vec<Kind> = found.defects.iter().map(Defect::kind).collect();
    assert_eq!(kinds, [Kind::Unreadable, Kind::IntermediateMissing]);
    let complete = vec![house.leaf.der.clone(), junk(), house.issuing.der.clone()];
    let found = verdict(&complete, &trusted);
    assert!(found.is_accepted());
    assert_eq!(
        found.remarks.first().map(Defect::kind),
        Some(Kind::Unreadable)
    );
}

#[test]
fn names_with_control_characters_are_told_without_them() {
    let house = house_of(
        "Contoso",
        Recipe::leaf_for(&[]).common("a\r\nSet-Cookie: b"),
    );
    let found = verdict(
        &chain(&[&house.leaf, &house.issuing]),
        &Trusted::uploaded(&[&house.root]),
    );
    for defect in found.defects {
        assert!(!defect.to_string().contains(char::is_control), "{defect}");
    }
}

proptest! {
    #[test]
    fn no_bytes_do_any_harm(chain in vec(vec(any::<u8>(), 0..200), 0..4)) {
        let found = verdict(&chain, &Trusted::default());
        prop_assert!(!found.is_accepted());
    }

    /// Several bytes of a good certificate are changed, cut out, or put in.
    #[test]
    fn spoilt_certificates_do_no_harm(
        edits in vec((any::<proptest::sample::Index>(), 0_usize..4, vec(any::<u8>(), 0..4)), 1..6),
    ) {
        let mut der = spoilable().to_vec();
        for (at, cut, insert) in edits {
            let at = at.index(der.len());
            let end = der.len().min(at + cut);
            der.splice(at..end, insert);
            if der.is_empty() {
                break;
            }
        }
        if let Ok(read) = Certificate::read(&der) {
            let _ = (read.is_self_signed(), read.fingerprint(), read.serial());
        }
        let found = verdict(&[der.clone(), der], &Trusted::default());
        prop_assert!(!found.is_accepted());
    }
}

fn spoilable() -> &'static [u8] {
    static DER: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
    DER.get_or_init(|| {
        house_of("Contoso", Recipe::leaf_for(&[HOST, "10.0.0.4"]))
            .leaf
            .der
    })
}
