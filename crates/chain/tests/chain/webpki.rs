//! webpki gives the data plane's verdict, so ours must be the same: what it accepts has no defect
//! here, and what it refuses has one. Held over chains put together at random from a pool in which
//! everything that can be wrong occurs.
//!
//! Where we differ on purpose: a certificate that was uploaded itself is trusted by that.

use std::sync::{Arc, OnceLock};

use crate::workshop::*;
use gatewright_chain::{Certificate, Checks, ServerName};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use rcgen::{
    BasicConstraints, CidrSubnet, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, KeyPair,
    NameConstraints,
};

const CASES: u32 = 1_000;

/// Longest chain that is put together.
const LENGTH_MAX: usize = 7;

struct Pool {
    roots: Vec<Vec<u8>>,
    /// Certificates of authorities and of servers, roots among them.
    all: Vec<Vec<u8>>,
    leaves: Vec<Vec<u8>>,
}

fn pool() -> &'static Pool {
    static POOL: OnceLock<Pool> = OnceLock::new();
    POOL.get_or_init(make_pool)
}

fn authority_with(name: &str, basic: BasicConstraints) -> Recipe {
    Recipe::authority(name).with(|params| params.is_ca = IsCa::Ca(basic))
}

fn constrained(name: &str, permitted: &[GeneralSubtree], excluded: &[GeneralSubtree]) -> Recipe {
    Recipe::authority(name).constrained(NameConstraints {
        permitted_subtrees: permitted.to_vec(),
        excluded_subtrees: excluded.to_vec(),
    })
}

fn make_pool() -> Pool {
    let key = || Arc::new(KeyPair::generate().expect("a key"));
    let dns = |name: &str| GeneralSubtree::DnsName(name.to_owned());
    let one = Recipe::authority("Root 1").root();
    let twin = Recipe::authority("Root 1").root();
    let two = Recipe::authority("Root 2").root();
    let limited = constrained("Root 3", &[dns("fabrikam.com")], &[]).root();
    let old = Recipe::authority("Root 4").expired().root();
    let issuing = key();
    let web = key();
    let by_one = one.sign_key(Recipe::authority("Issuing"), &issuing);
    let authorities = vec![
        by_one.clone(),
        one.sign_key(Recipe::authority("Issuing").expired(), &issuing),
        two.sign_key(Recipe::authority("Issuing"), &issuing),
        limited.sign_key(Recipe::authority("Issuing"), &issuing),
        old.sign_key(
            authority_with("Issuing", BasicConstraints::Constrained(0)),
            &issuing,
        ),
        one.sign(Recipe::authority("Issuing")),
        by_one.sign_key(Recipe::authority("Web"), &web),
        by_one.sign_key(constrained("Web", &[dns("contoso.com")], &[]), &web),
        two.sign_key(constrained("Web", &[], &[dns("shop.contoso.com")]), &web),
        two.sign_key(
            Recipe::authority("Web").with(|params| params.is_ca = IsCa::ExplicitNoCa),
            &web,
        ),
        two.sign_key(
            Recipe::authority("Web").with(|params| {
                params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
            }),
            &web,
        ),
        two.sign_key(
            constrained(
                "Web",
                &[GeneralSubtree::IpAddress(CidrSubnet::V4(
                    [10, 0, 0, 0],
                    [255, 0, 0, 0],
                ))],
                &[],
            ),
            &web,
        ),
        one.sign_key(Recipe::authority("Root 2"), &two.key),
        two.sign_key(Recipe::authority("Root 1"), &one.key),
    ];
    let under_web = authorities.get(6).expect("Web").clone();
    let mut leaves = Vec::new();
    for issuer in [&one, &two, &by_one, &under_web, &limited, &old] {
        leaves.push(issuer.sign(Recipe::leaf()).der);
        leaves.push(
            issuer
                .sign(Recipe::leaf_for(&["*.contoso.com", "10.1.2.3"]))
                .der,
        );
        leaves.push(issuer.sign(Recipe::leaf().expired()).der);
    }
    leaves.push(under_web.sign(Recipe::leaf_for(&["www.fabrikam.com"])).der);
    leaves.push(by_one.sign(Recipe::leaf_for(&["www.fabrikam.com"])).der);
    leaves.push(by_one.sign(Recipe::leaf().days(3, 9)).der);
    leaves.push(by_one.sign(Recipe::leaf().days(3, -9)).der);
    leaves.push(
        by_one
            .sign(Recipe::leaf().with(|params| {
                params.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning];
            }))
            .der,
    );
    leaves.push(
        by_one
            .sign(Recipe::leaf().with(|params| params.extended_key_usages = Vec::new()))
            .der,
    );
    leaves.push(Recipe::leaf().root().der);
    leaves.push(
        authority_with(HOST, BasicConstraints::Unconstrained)
            .root()
            .der,
    );
    let mut spoilt = by_one.sign(Recipe::leaf()).der;
    if let Some(last) = spoilt.last_mut() {
        *last ^= 1;
    }
    leaves.push(spoilt);
    let roots: Vec<Vec<u8>> = [&one, &twin, &two, &limited, &old]
        .iter()
        .map(|root| root.der.clone())
        .collect();
    let mut all: Vec<Vec<u8>> = authorities.into_iter().map(|one| one.der).collect();
    all.extend(roots.iter().cloned());
    all.push(b"no certificate".to_vec());
    Pool { roots, all, leaves }
}

fn trusted() -> impl Strategy<Value = Trusted> {
    let roots = || vec(select(pool().roots.clone()), 0..4);
    let uploads: Vec<Vec<u8>> = pool().roots.iter().chain(&pool().all).cloned().collect();
    (roots(), option::of(vec(select(uploads), 0..4))).prop_map(|(well_known, uploaded)| Trusted {
        well_known,
        uploaded,
    })
}

/// Mostly a leaf first; anything behind it.
fn presented() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let everything: Vec<Vec<u8>> = pool().leaves.iter().chain(&pool().all).cloned().collect();
    let first = prop_oneof![
        9 => select(pool().leaves.clone()),
        1 => select(everything.clone()),
    ];
    let rest = prop_oneof![
        9 => select(pool().all.clone()),
        1 => select(everything),
    ];
    (first, vec(rest, 0..LENGTH_MAX)).prop_map(|(first, rest)| {
        let mut chain = vec![first];
        chain.extend(rest);
        chain
    })
}

const CHAIN_ALONE: Checks = Checks {
    chain: true,
    name: false,
};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES))]

    #[test]
    fn chains_are_judged_as_webpki_judges_them(chain in presented(), trusted in trusted()) {
        let verdict = verdict_for(&chain, &trusted, ServerName::Dns(HOST), CHAIN_ALONE);
        let uploaded_itself = trusted.uploaded.iter().flatten().any(|root| *root == chain[0]);
        if !uploaded_itself {
            let theirs = webpki_chain(&chain, &trusted);
            prop_assert_eq!(verdict.is_accepted(), theirs.is_ok(), "{:?} {:?}", verdict, theirs);
        }
        for defect in verdict.defects.iter().chain(&verdict.remarks) {
            prop_assert!(!defect.to_string().is_empty());
        }
        prop_assert!(verdict.defects.is_sorted_by_key(|defect| defect.kind()));
    }

    /// One byte of one certificate is changed.
    #[test]
    fn spoilt_chains_are_judged_as_webpki_judges_them(
        which in 0_usize..2,
        at in any::<proptest::sample::Index>(),
        change in 1_u8..,
    ) {
        let root = pool().roots[0].clone();
        let mut chain = vec![pool().leaves[6].clone(), pool().all[0].clone()];
        let at = at.index(chain[which].len());
        chain[which][at] ^= change;
        let trusted = Trusted { well_known: vec![root], uploaded: None };
        let verdict = verdict_for(&chain, &trusted, ServerName::Dns(HOST), CHAIN_ALONE);
        let theirs = webpki_chain(&chain, &trusted);
        prop_assert_eq!(verdict.is_accepted(), theirs.is_ok(), "{:?} {:?}", verdict, theirs);
        if let Ok(read) = Certificate::read(&chain[which]) {
            prop_assert_eq!(read.der(), chain[which].as_slice());
        }
    }

    #[test]
    fn names_are_compared_as_webpki_compares_them(
        presented in "(\\*|[a-c]{1,2}|-a|a_)(\\.(\\*|[a-cA-C]{1,2})){0,3}\\.?",
        expected in "[a-c]{1,2}(\\.[a-c]{1,2}){0,3}\\.?",
    ) {
        let leaf = one_name(&presented);
        let read = Certificate::read(&leaf).expect("a certificate");
        let theirs = webpki_name(&leaf, &expected);
        let ours = read.names().are_for(ServerName::Dns(&expected));
        prop_assert_eq!(ours, theirs.is_ok(), "{} {} {:?}", presented, expected, theirs);
    }
}

/// The pool's chains that are good are found to be: the comparison is not one of refusals alone.
#[test]
fn the_pool_holds_good_chains() {
    let pool = pool();
    let sent = vec![pool.leaves[6].clone(), pool.all[0].clone()];
    let trusted = Trusted {
        well_known: vec![pool.roots[0].clone()],
        uploaded: None,
    };
    assert_eq!(verdict(&sent, &trusted).defects, []);
    assert_eq!(webpki_chain(&sent, &trusted), Ok(()));
}

fn one_name(name: &str) -> Vec<u8> {
    let leaf = Recipe::leaf_for(&[]).common("x").with(|params| {
        let name = name.to_owned().try_into().expect("ASCII");
        params.subject_alt_names = vec![rcgen::SanType::DnsName(name)];
    });
    leaf.root().der
}

/// Every byte of both certificates, a bit of it at a time: the tags of a certificate's outermost
/// parts are under no signature, so that only this finds who does not look at them.
#[test]
fn every_byte_is_judged_as_webpki_judges_it() {
    let clean = [pool().leaves[6].clone(), pool().all[0].clone()];
    let trusted = Trusted {
        well_known: vec![pool().roots[0].clone()],
        uploaded: None,
    };
    for which in 0..clean.len() {
        for at in 0..clean[which].len() {
            for change in [0x20, 0x40, 0x80] {
                let mut chain = clean.to_vec();
                chain[which][at] ^= change;
                let ours = verdict_for(&chain, &trusted, ServerName::Dns(HOST), CHAIN_ALONE);
                let theirs = webpki_chain(&chain, &trusted);
                assert_eq!(
                    ours.is_accepted(),
                    theirs.is_ok(),
                    "certificate {which}, byte {at}, bits {change:#x}: {ours:?} {theirs:?}"
                );
            }
        }
    }
}
