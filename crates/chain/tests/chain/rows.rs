//! Every row of behaviour.md §4 from 6 to 15, each from its own condition, and the table "Measured
//! facts on certificate errors" of dependencies.md.

use crate::workshop::*;
use gatewright_chain::{Certificate, Checks, Defect, Kind, Presented, ServerName, Trust, examine};
use rcgen::{BasicConstraints, CustomExtension, ExtendedKeyUsagePurpose, IsCa, KeyPair};

/// The deciding kind, its row, and the sentence.
fn decides(chain: &[Vec<u8>], trusted: &Trusted) -> (Kind, Option<u8>, String) {
    let verdict = verdict(chain, trusted);
    assert!(!verdict.is_accepted());
    let defect = verdict.deciding().expect("refused");
    // A refusal of ours is one of webpki's, but for the name, which is checked apart from it.
    let accepted = webpki_chain(chain, trusted);
    if defect.kind() != Kind::NameMismatch {
        assert!(
            accepted.is_err(),
            "webpki accepts what is refused for: {defect}"
        );
    }
    (defect.kind(), defect.kind().row(), defect.to_string())
}

fn accepts(chain: &[Vec<u8>], trusted: &Trusted) {
    let verdict = verdict(chain, trusted);
    assert_eq!(verdict.defects, []);
    assert_eq!(webpki_chain(chain, trusted), Ok(()));
}

#[test]
fn a_complete_chain_is_accepted_with_and_without_its_root() {
    let house = house("Contoso");
    let trusted = Trusted::uploaded(&[&house.root]);
    accepts(&chain(&[&house.leaf, &house.issuing]), &trusted);
    let whole = chain(&[&house.leaf, &house.issuing, &house.root]);
    accepts(&whole, &trusted);
    accepts(&whole, &Trusted::well_known(&[&house.root]));
    let verdict = verdict(&whole, &trusted);
    assert_eq!(verdict.path, [0, 1]);
    assert_eq!(verdict.anchor.as_deref(), Some("CN=Contoso Root"));
    assert_eq!(verdict.remarks, []);
}

#[test]
fn row_6_a_name_that_is_not_in_the_certificate() {
    let house = house_of(
        "Contoso",
        Recipe::leaf_for(&["a.contoso.com", "www.contoso.com"]),
    );
    let trusted = Trusted::uploaded(&[&house.root]);
    let (kind, row, sentence) = decides(&chain(&[&house.leaf, &house.issuing]), &trusted);
    assert_eq!((kind, row), (Kind::NameMismatch, Some(6)));
    assert_eq!(
        sentence,
        "the certificate at position 0 (CN=a.contoso.com) is for a.contoso.com, www.contoso.com; \
         the name asked for was shop.contoso.com"
    );
}

#[test]
fn row_7_dates_of_the_leaf_and_of_an_intermediate() {
    let house = house_of("Contoso", Recipe::leaf().expired());
    let trusted = Trusted::uploaded(&[&house.root]);
    let (kind, row, sentence) = decides(&chain(&[&house.leaf, &house.issuing]), &trusted);
    assert_eq!((kind, row), (Kind::Expired, Some(7)));
    assert_eq!(
        sentence,
        "the certificate at position 0 (CN=shop.contoso.com) expired on 2027-01-14T08:00:00Z; \
         it was 2027-01-15T08:00:00Z"
    );

    let early = house_of("Contoso", Recipe::leaf().days(1, 90));
    let trusted = Trusted::uploaded(&[&early.root]);
    let (kind, row, _) = decides(&chain(&[&early.leaf, &early.issuing]), &trusted);
    assert_eq!((kind, row), (Kind::NotYetValid, Some(7)));

    let root = Recipe::authority("Contoso Root").root();
    let issuing = root.sign(Recipe::authority("Contoso Issuing").expired());
    let leaf = issuing.sign(Recipe::leaf());
    let trusted = Trusted::uploaded(&[&root]);
    let (kind, row, sentence) = decides(&chain(&[&leaf, &issuing]), &trusted);
    assert_eq!((kind, row), (Kind::Expired, Some(7)));
    assert!(sentence.starts_with("the certificate at position 1 (CN=Contoso Issuing)"));
}

#[test]
fn row_8_only_the_leaf_was_sent() {
    let house = house("Contoso");
    let alone = chain(&[&house.leaf]);
    for trusted in [
        Trusted::uploaded(&[&house.root]),
        Trusted::well_known(&[&house.root]),
    ] {
        let (kind, row, sentence) = decides(&alone, &trusted);
        assert_eq!((kind, row), (Kind::IntermediateMissing, Some(8)));
        assert!(
            sentence.contains("was issued by CN=Contoso Issuing, whose certificate was not"),
            "{sentence}"
        );
    }
}

#[test]
fn row_8_and_others_a_certificate_signed_with_its_own_key() {
    let plain = Recipe::leaf().root();
    let (kind, row, _) = decides(&chain(&[&plain]), &Trusted::default());
    assert_eq!((kind, row), (Kind::SelfSigned, Some(8)));

    let authority = || {
        Recipe::leaf().with(|params| {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        })
    };
    let authority = authority().root();
    let sent = chain(&[&authority]);
    let (kind, row, _) = decides(&sent, &Trusted::default());
    assert_eq!((kind, row), (Kind::SelfSignedNotWellKnown, Some(10)));
    let other = house("Fabrikam").root;
    let (kind, row, sentence) = decides(&sent, &Trusted::uploaded(&[&other]));
    assert_eq!((kind, row), (Kind::SelfSignedNotUploaded, Some(13)));
    assert!(
        sentence.ends_with("what was uploaded: CN=Fabrikam Root"),
        "{sentence}"
    );

    // Uploaded itself, it is trusted by that: ours, where webpki refuses.
    let trusted = Trusted::uploaded(&[&authority]);
    assert_eq!(verdict(&sent, &trusted).defects, []);
    assert!(webpki_chain(&sent, &trusted).is_err());
    // Nor is it looked at for what it may be used, which is remarked.
    let clients_only = Recipe::leaf().with(|params| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    });
    let clients_only = clients_only.root();
    let found = verdict(
        &chain(&[&clients_only]),
        &Trusted::uploaded(&[&clients_only]),
    );
    let remarks: Vec<Kind> = found.remarks.iter().map(Defect::kind).collect();
    assert!(found.is_accepted());
    assert_eq!(remarks, [Kind::InvalidPurpose]);
    let expired = Recipe::leaf().expired().root();
    let trusted = Trusted::uploaded(&[&expired]);
    let verdict = verdict(&chain(&[&expired]), &trusted);
    assert_eq!(verdict.deciding().map(Defect::kind), Some(Kind::Expired));
}

#[test]
fn row_9_authorities_only() {
    let house = house("Contoso");
    for trusted in [Trusted::uploaded(&[&house.root]), Trusted::default()] {
        for sent in [
            chain(&[&house.issuing, &house.root]),
            chain(&[&house.issuing]),
            chain(&[&house.root]),
        ] {
            // Also of the root alone, which was uploaded, and names no server.
            let (kind, row, _) = decides(&sent, &trusted.clone());
            assert_eq!((kind, row), (Kind::LeafMissing, Some(9)));
        }
    }
    let verdict = verdict(&[], &Trusted::default());
    assert_eq!(
        verdict.deciding().map(Defect::kind),
        Some(Kind::LeafMissing)
    );
}

#[test]
fn rows_10_and_11_a_private_authority_where_well_known_ones_are_trusted() {
    let house = house("Contoso");
    let (public, nobody) = (self::house("Public"), Trusted::default());
    let trusted = Trusted::well_known(&[&public.root]);
    let direct = house.root.sign(Recipe::leaf());
    let (kind, row, sentence) = decides(&chain(&[&direct, &house.root]), &trusted);
    assert_eq!((kind, row), (Kind::ServerNotWellKnown, Some(10)));
    assert_eq!(
        sentence,
        "the chain ends at the certificate at position 1 (CN=Contoso Root), a root; only \
         well-known authorities are trusted"
    );
    for sent in [
        chain(&[&house.leaf, &house.issuing, &house.root]),
        chain(&[&house.leaf, &house.issuing]),
    ] {
        let (kind, row, sentence) = decides(&sent, &nobody);
        assert_eq!((kind, row), (Kind::IntermediateNotWellKnown, Some(11)));
        assert!(sentence.contains("CN=Contoso Root"), "{sentence}");
    }
}

#[test]
fn row_12_the_top_is_signed_by_no_uploaded_root() {
    let (house, other) = (house("Contoso"), house("Fabrikam"));
    let trusted = Trusted::uploaded(&[&other.root]);
    let (kind, row, sentence) = decides(&chain(&[&house.leaf, &house.issuing]), &trusted);
    assert_eq!((kind, row), (Kind::IntermediateNotUploaded, Some(12)));
    assert_eq!(
        sentence,
        "the certificate at position 1 (CN=Contoso Issuing) was issued by CN=Contoso Root, whose \
         certificate was not presented; trusted are well-known authorities and what was uploaded: \
         CN=Fabrikam Root"
    );
}

#[test]
fn row_13_another_root_or_one_of_the_same_name() {
    let (house, other) = (house("Contoso"), house("Fabrikam"));
    let whole = chain(&[&house.leaf, &house.issuing, &house.root]);
    let (kind, row, sentence) = decides(&whole, &Trusted::uploaded(&[&other.root]));
    assert_eq!((kind, row), (Kind::RootMismatch, Some(13)));
    assert!(sentence.contains("ends at the certificate at position 2 (CN=Contoso Root), a root"));

    let twin = Recipe::authority("Contoso Root").root();
    for sent in [whole, chain(&[&house.leaf, &house.issuing])] {
        let (kind, row, sentence) = decides(&sent, &Trusted::uploaded(&[&twin]));
        assert_eq!((kind, row), (Kind::RootMismatch, Some(13)));
        assert!(
            sentence.contains("has the same name and another key"),
            "{sentence}"
        );
    }
}

#[test]
fn row_14_an_authority_before_the_leaf() {
    let house = house("Contoso");
    let trusted = Trusted::uploaded(&[&house.root]);
    let reversed = chain(&[&house.root, &house.issuing, &house.leaf]);
    // The uploaded root itself is first: that it is trusted by upload is not what went wrong.
    let first = verdict(&reversed, &trusted);
    assert_eq!(first.deciding().map(Defect::kind), Some(Kind::LeafNotFirst));
    let (kind, row, sentence) = decides(&reversed, &Trusted::well_known(&[&house.root]));
    assert_eq!((kind, row), (Kind::LeafNotFirst, Some(14)));
    assert_eq!(
        sentence,
        "the certificates were presented in the order 0 (CN=Contoso Root), 1 (CN=Contoso Issuing), \
         2 (CN=shop.contoso.com); the right order is 2 (CN=shop.contoso.com), \
         1 (CN=Contoso Issuing)"
    );
    let swapped = chain(&[&house.issuing, &house.leaf, &house.root]);
    let (kind, _, _) = decides(&swapped, &trusted);
    assert_eq!(kind, Kind::LeafNotFirst);
    // Behind the leaf, any order is accepted, and told of.
    let behind = chain(&[&house.leaf, &house.root, &house.issuing]);
    accepts(&behind, &trusted);
    let remarks = verdict(&behind, &trusted).remarks;
    assert!(
        remarks.is_empty(),
        "the way is 0, 2, which ascends: {remarks:?}"
    );
    let deeper = house.issuing.sign(Recipe::authority("Contoso Web"));
    let leaf = deeper.sign(Recipe::leaf());
    let behind = chain(&[&leaf, &house.issuing, &deeper]);
    accepts(&behind, &trusted);
    let remarks = verdict(&behind, &trusted).remarks;
    assert_eq!(
        remarks.iter().map(Defect::kind).collect::<Vec<_>>(),
        [Kind::OutOfOrder]
    );
}

/// Row 15, one condition each: the kind and OpenSSL's number.
#[test]
fn row_15_everything_else() {
    let root = Recipe::authority("Contoso Root").root();
    let trusted = Trusted::uploaded(&[&root]);
    let check = |sent: &[Vec<u8>], kind: Kind, openssl: u16| {
        let verdict = verdict(sent, &trusted);
        let defect = verdict.deciding().expect("refused");
        assert_eq!(
            (defect.kind(), defect.openssl()),
            (kind, openssl),
            "{verdict:?}"
        );
        assert_eq!(defect.kind().row(), Some(15));
        assert!(webpki_chain(sent, &trusted).is_err());
        assert!(!defect.to_string().is_empty());
    };

    let backwards = root.sign(Recipe::leaf().days(5, -5));
    check(&chain(&[&backwards]), Kind::InvalidDates, 9);

    let clients_only = root.sign(Recipe::leaf().with(|params| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    }));
    check(&chain(&[&clients_only]), Kind::InvalidPurpose, 26);

    let no_authority = root.sign(Recipe::authority("Not a CA").with(|params| {
        params.is_ca = IsCa::ExplicitNoCa;
    }));
    let leaf = no_authority.sign(Recipe::leaf());
    check(&chain(&[&leaf, &no_authority]), Kind::InvalidAuthority, 79);

    let short = root.sign(Recipe::authority("Contoso Issuing").with(|params| {
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    }));
    let below = short.sign(Recipe::authority("Contoso Web"));
    let leaf = below.sign(Recipe::leaf());
    check(&chain(&[&leaf, &below, &short]), Kind::PathTooLong, 25);

    let unknown = root.sign(Recipe::leaf().with(|params| {
        let mut extension = CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 99], vec![5, 0]);
        extension.set_criticality(true);
        params.custom_extensions = vec![extension];
    }));
    check(&chain(&[&unknown]), Kind::CriticalExtension, 34);

    let issuing = root.sign(Recipe::authority("Contoso Issuing"));
    let twin = root.sign(Recipe::authority("Contoso Issuing"));
    let leaf = issuing.sign(Recipe::leaf());
    check(&chain(&[&leaf, &twin]), Kind::IssuerKeyDiffers, 20);
    let mut spoilt = leaf.der.clone();
    *spoilt.last_mut().expect("bytes") ^= 1;
    check(&[spoilt, issuing.der.clone()], Kind::BadSignature, 7);

    let used_twice = root.sign(Recipe::leaf().with(|params| {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    }));
    check(&chain(&[&used_twice]), Kind::AuthorityAsServer, 50);
}

#[test]
fn row_15_a_chain_that_is_deeper_than_is_followed() {
    let root = Recipe::authority("Contoso Root").root();
    let mut sent = Vec::new();
    let mut last = root.clone();
    for depth in 0..7 {
        last = last.sign(Recipe::authority(&format!("Contoso {depth}")));
        sent.insert(0, last.der.clone());
    }
    let trusted = Trusted::uploaded(&[&root]);
    let leaf = last.sign(Recipe::leaf());
    sent.insert(0, leaf.der);
    let (kind, row, _) = decides(&sent, &trusted);
    assert_eq!((kind, row), (Kind::ChainTooLong, Some(15)));
}

#[test]
fn a_pinned_certificate_is_known_by_its_key() {
    let house = house("Contoso");
    let same_key = house
        .issuing
        .sign_key(Recipe::leaf().expired(), &house.leaf.key);
    let other = house.issuing.sign(Recipe::leaf());
    let pinned = [house.leaf.certificate()];
    let trust = Trust::Pinned {
        certificates: &pinned,
    };
    let examine = |party: &Party| {
        let presented = Presented::read([party.der.as_slice()]);
        examine(
            &presented,
            &trust,
            ServerName::Dns("other.test"),
            NOW,
            Checks::ALL,
        )
    };
    let verdict = examine(&same_key);
    assert!(verdict.is_accepted());
    let remarks: Vec<Kind> = verdict.remarks.iter().map(Defect::kind).collect();
    assert_eq!(remarks, [Kind::Expired, Kind::NameMismatch]);
    let verdict = examine(&other);
    assert_eq!(verdict.deciding().map(Defect::kind), Some(Kind::NotPinned));
    let sentence = verdict.deciding().expect("refused").to_string();
    assert!(sentence.ends_with("(CN=shop.contoso.com)"), "{sentence}");
}

#[test]
fn what_is_switched_off_is_remarked_and_refuses_nothing() {
    let house = house_of("Contoso", Recipe::leaf_for(&["a.contoso.com"]).expired());
    let sent = chain(&[&house.leaf, &house.issuing]);
    let kinds = |defects: &[Defect]| defects.iter().map(Defect::kind).collect::<Vec<_>>();
    let verdict = |chain, name| {
        let checks = Checks { chain, name };
        verdict_for(&sent, &Trusted::default(), ServerName::Dns(HOST), checks)
    };
    let off = verdict(false, false);
    assert!(off.is_accepted());
    let all = [
        Kind::Expired,
        Kind::IntermediateNotWellKnown,
        Kind::NameMismatch,
    ];
    assert_eq!(kinds(&off.remarks), all);
    assert_eq!(kinds(&verdict(true, true).defects), all);
    let name_only = verdict(false, true);
    assert_eq!(kinds(&name_only.defects), [Kind::NameMismatch]);
    let chain_only = verdict(true, false);
    assert_eq!(kinds(&chain_only.remarks), [Kind::NameMismatch]);
}

#[test]
fn a_root_that_has_expired_is_trusted_and_remarked() {
    let root = Recipe::authority("Contoso Root").expired().root();
    let leaf = root.sign(Recipe::leaf());
    let trusted = Trusted::uploaded(&[&root]);
    let sent = chain(&[&leaf, &root]);
    accepts(&sent, &trusted);
    let remarks = verdict(&sent, &trusted).remarks;
    assert_eq!(
        remarks.iter().map(Defect::kind).collect::<Vec<_>>(),
        [Kind::AnchorExpired]
    );
    // Where it is not trusted, that is what is wrong, and not its date.
    let (kind, _, _) = decides(&sent, &Trusted::default());
    assert_eq!(kind, Kind::ServerNotWellKnown);
}

#[test]
fn a_cross_signed_authority_is_trusted_by_either_root() {
    let (old, new) = (house("Old").root, house("New").root);
    let key = std::sync::Arc::new(KeyPair::generate().expect("a key"));
    let by_old = old.sign_key(Recipe::authority("Issuing").expired(), &key);
    let by_new = new.sign_key(Recipe::authority("Issuing"), &key);
    let leaf = by_new.sign(Recipe::leaf());
    let sent = chain(&[&leaf, &by_old, &by_new]);
    accepts(&sent, &Trusted::uploaded(&[&new]));
    accepts(&sent, &Trusted::uploaded(&[&old, &new]));
    let (kind, _, sentence) = decides(&sent, &Trusted::uploaded(&[&old]));
    assert_eq!(kind, Kind::Expired, "{sentence}");
}

#[test]
fn the_common_name_counts_where_there_is_no_other() {
    let house = house_of("Contoso", Recipe::leaf_for(&[]).common(HOST));
    let trusted = Trusted::uploaded(&[&house.root]);
    let sent = chain(&[&house.leaf, &house.issuing]);
    assert!(verdict(&sent, &trusted).is_accepted());
    assert!(webpki_name(&house.leaf.der, HOST).is_err());
}

#[test]
fn a_common_name_beside_alternative_names_is_said_not_to_count() {
    let root = Recipe::authority("Contoso Root").root();
    let trusted = Trusted::uploaded(&[&root]);
    let told = |leaf: Recipe| {
        let sent = chain(&[&root.sign(leaf)]);
        let (kind, _, sentence) = decides(&sent, &trusted);
        assert_eq!(kind, Kind::NameMismatch);
        sentence
    };
    assert_eq!(
        told(Recipe::leaf_for(&["10.1.2.3"]).common(HOST)),
        "the certificate at position 0 (CN=shop.contoso.com) has alternative names (10.1.2.3), so \
         that its common name does not count; the name asked for was shop.contoso.com"
    );
    let uri = |common: &str| {
        Recipe::leaf_for(&[]).common(common).with(|params| {
            let uri = "spiffe://contoso/shop".to_owned();
            params.subject_alt_names = vec![rcgen::SanType::URI(uri.try_into().expect("ASCII"))];
        })
    };
    for common in [HOST, "www.contoso.com"] {
        assert_eq!(
            told(uri(common)),
            format!(
                "the certificate at position 0 (CN={common}) has alternative names, none of a \
                 host, so that its common name does not count; the name asked for was {HOST}"
            )
        );
    }
    // Nobody would expect it to count.
    let other = told(Recipe::leaf_for(&["10.1.2.3"]).common("www.contoso.com"));
    assert!(other.contains("is for 10.1.2.3; the name"), "{other}");
}

#[test]
fn facts_of_a_certificate() {
    let house = house_of("Contoso", Recipe::leaf_for(&["A.contoso.com", "10.0.0.4"]));
    let leaf = house.leaf.certificate();
    assert_eq!(leaf.subject(), "CN=A.contoso.com");
    assert_eq!(leaf.issuer(), "CN=Contoso Issuing");
    assert_eq!(leaf.names().dns(), ["a.contoso.com"]);
    assert_eq!(
        leaf.names().addresses(),
        [std::net::IpAddr::from([10, 0, 0, 4])]
    );
    assert_eq!(leaf.names().common(), ["A.contoso.com"]);
    assert_eq!(leaf.not_before(), NOW - 10 * 86_400);
    assert_eq!(leaf.not_after(), NOW + 80 * 86_400);
    assert_eq!(leaf.version(), 3);
    assert!(!leaf.is_authority() && !leaf.is_self_issued() && !leaf.is_self_signed());
    let issuing = house.issuing.certificate();
    assert_eq!(leaf.authority_key_id(), issuing.subject_key_id());
    assert!(leaf.authority_key_id().is_some());
    let root = house.root.certificate();
    assert!(root.is_authority() && root.is_self_issued() && root.is_self_signed());
    let forged = Recipe::authority("Contoso Root").root();
    let claims = forged.sign(Recipe::authority("Contoso Root")).certificate();
    assert!(claims.is_self_issued() && !claims.is_self_signed());
    assert_eq!(Certificate::read(root.der()).expect("read"), root);
    assert_ne!(root.fingerprint(), issuing.fingerprint());
    assert_eq!(root.serial().len() % 2, 0);
}

/// Evidence of two failures that people had, from the folder of cases that lies beside the checkout
/// of those who have it.
#[test]
fn chains_of_real_failures() {
    use rustls::pki_types::pem::PemObject;
    let cases = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/cases");
    let presented = |case: &str| -> Option<Vec<Vec<u8>>> {
        let pem = std::fs::read(cases.join(case).join("certs/presented.pem")).ok()?;
        let read = rustls::pki_types::CertificateDer::pem_slice_iter(&pem);
        Some(read.map(|der| der.expect("PEM").to_vec()).collect())
    };
    let (Some(private), Some(name)) = (
        presented("26-private-ca-no-trusted-root"),
        presented("32-private-ca-leaf-name-mismatch"),
    ) else {
        println!("skipped: the cases are not here");
        return;
    };
    let examine = |sent: &[Vec<u8>], uploaded: Option<Vec<Vec<u8>>>, host: &str| {
        let leaf = Certificate::read(&sent[0]).expect("a certificate");
        let presented = Presented::read(sent.iter().map(Vec::as_slice));
        let read = |der: &Vec<u8>| Certificate::read(der).expect("a certificate");
        let roots: Option<Vec<Certificate>> = uploaded.map(|all| all.iter().map(read).collect());
        let trust = match &roots {
            None => Trust::WellKnown { anchors: &[] },
            Some(roots) => Trust::Uploaded {
                anchors: &[],
                roots,
            },
        };
        let now = leaf.not_before();
        let verdict = examine(&presented, &trust, ServerName::Dns(host), now, Checks::ALL);
        verdict.deciding().map(Defect::kind)
    };
    let found = examine(&private, None, "app.contoso.com");
    assert_eq!(found, Some(Kind::IntermediateNotWellKnown));
    let root = vec![private[2].clone()];
    assert_eq!(
        examine(&private, Some(root.clone()), "app.contoso.com"),
        None
    );
    let root_of_name = vec![name[2].clone()];
    let found = examine(&name, Some(root_of_name), "app.contoso.com");
    assert_eq!(found, Some(Kind::NameMismatch));
    let found = examine(&name, Some(root), "vm1.corp.local");
    assert_ne!(found, Some(Kind::NameMismatch));
}
