//! The numbers that are told for defects, held against those of `openssl verify`.

use std::path::Path;
use std::process::Command;

use crate::workshop::*;
use gatewright_chain::{Checks, Defect, Kind, ServerName};
use gatewright_testkit::certificates::pem_of;
use rcgen::{
    BasicConstraints, CustomExtension, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa,
    NameConstraints,
};

/// What OpenSSL says where it has nothing against a chain.
const OK: u16 = 0;

/// OpenSSL's number for what is nobody's but the application's to refuse.
const APPLICATION_VERIFICATION: u16 = 50;

fn write_pem(path: &Path, ders: &[Vec<u8>]) {
    let pem: String = ders.iter().map(|der| pem_of("CERTIFICATE", der)).collect();
    std::fs::write(path, pem).expect("written");
}

/// The first number that `openssl verify` tells. `None` where this machine has no such command.
#[expect(clippy::print_stdout, reason = "a test that is skipped says so")]
fn theirs(sent: &[Vec<u8>], root: &Party, name: Option<&str>) -> Option<u16> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let (leaf, rest) = sent.split_first().expect("a certificate");
    write_pem(&path("leaf"), std::slice::from_ref(leaf));
    write_pem(&path("root"), std::slice::from_ref(&root.der));
    write_pem(&path("rest"), rest);
    let mut command = Command::new("openssl");
    command
        .args([
            "verify",
            "-no-CApath",
            "-no-CAstore",
            "-purpose",
            "sslserver",
        ])
        .args(["-attime", &NOW.to_string(), "-CAfile"])
        .arg(path("root"));
    if let Some(name) = name {
        let is_address = name.parse::<std::net::IpAddr>().is_ok();
        let asked = if is_address {
            "-verify_ip"
        } else {
            "-verify_hostname"
        };
        command.args([asked, name]);
    }
    if !rest.is_empty() {
        command.arg("-untrusted").arg(path("rest"));
    }
    let output = match command.arg(path("leaf")).output() {
        Ok(output) => output,
        Err(error) => {
            println!("skipped: openssl does not run ({error})");
            return None;
        }
    };
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    let numbers = text.lines().find_map(|line| {
        let rest = line.strip_prefix("error ")?;
        rest.split(' ').next()?.parse().ok()
    });
    assert!(numbers.is_some() || text.ends_with("OK\n"), "{text}");
    Some(numbers.unwrap_or(OK))
}

/// The deciding kind and its number.
fn ours(sent: &[Vec<u8>], root: &Party, name: &str) -> (Kind, u16) {
    let name = match name.parse() {
        Ok(address) => ServerName::Address(address),
        Err(_) => ServerName::Dns(name),
    };
    let verdict = verdict_for(sent, &Trusted::uploaded(&[root]), name, Checks::ALL);
    let defect: &Defect = verdict.deciding().expect("refused");
    (defect.kind(), defect.openssl())
}

fn dns(name: &str) -> Vec<GeneralSubtree> {
    vec![GeneralSubtree::DnsName(name.to_owned())]
}

fn issuing_for(permitted: Vec<GeneralSubtree>, excluded: Vec<GeneralSubtree>) -> Recipe {
    Recipe::authority("Contoso Issuing").constrained(NameConstraints {
        permitted_subtrees: permitted,
        excluded_subtrees: excluded,
    })
}

/// Permitted is an address of seven bytes with its mask; the leaf has an address.
fn malformed_constraint(root: &Party) -> Vec<Vec<u8>> {
    let issuing = root.sign(Recipe::authority("Contoso Issuing").with(|params| {
        let mut contents = vec![0x30, 13, 0xa0, 11, 0x30, 9, 0x87, 7];
        contents.extend([10, 0, 0, 0, 255, 0, 0]);
        let constraints = CustomExtension::from_oid_content(&[2, 5, 29, 30], contents);
        params.custom_extensions = vec![constraints];
    }));
    let leaf = issuing.sign(Recipe::leaf_for(&[HOST, "10.1.2.3"]));
    chain(&[&leaf, &issuing])
}

fn authority(recipe: Recipe) -> Recipe {
    recipe.with(|params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained))
}

/// Chains with one thing wrong each, under a root.
fn certificates(root: &Party) -> Vec<(Kind, Vec<Vec<u8>>)> {
    let direct = |recipe: Recipe| chain(&[&root.sign(recipe)]);
    let below = |issuing: Recipe| {
        let issuing = root.sign(issuing);
        chain(&[&issuing.sign(Recipe::leaf()), &issuing])
    };
    let purposes = |recipe: Recipe| {
        recipe.with(|params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth])
    };
    let critical = Recipe::leaf().with(|params| {
        let mut extension = CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 99], vec![5, 0]);
        extension.set_criticality(true);
        params.custom_extensions = vec![extension];
    });
    let no_authority = Recipe::authority("Not a CA").with(|params| {
        params.is_ca = IsCa::ExplicitNoCa;
    });
    let short = root.sign(Recipe::authority("Contoso Issuing").with(|params| {
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    }));
    let web = short.sign(Recipe::authority("Contoso Web"));
    vec![
        (Kind::Expired, direct(Recipe::leaf().expired())),
        (Kind::Expired, below(Recipe::authority("Issuing").expired())),
        (Kind::NotYetValid, direct(Recipe::leaf().days(1, 2))),
        (Kind::InvalidDates, direct(Recipe::leaf().days(5, -5))),
        (Kind::InvalidDates, direct(Recipe::leaf().days(-5, -9))),
        (Kind::InvalidPurpose, direct(purposes(Recipe::leaf()))),
        (
            Kind::InvalidPurpose,
            below(purposes(Recipe::authority("Issuing"))),
        ),
        (Kind::CriticalExtension, direct(critical)),
        (Kind::InvalidAuthority, below(no_authority)),
        (
            Kind::PathTooLong,
            chain(&[&web.sign(Recipe::leaf()), &web, &short]),
        ),
        (
            Kind::NameConstraint,
            below(issuing_for(dns("fabrikam.com"), Vec::new())),
        ),
        (
            Kind::NameConstraint,
            below(issuing_for(Vec::new(), dns("contoso.com"))),
        ),
        (Kind::NameConstraint, malformed_constraint(root)),
    ]
}

/// Chains in which signatures lead elsewhere.
fn strangers(root: &Party) -> Vec<(Kind, Vec<Vec<u8>>)> {
    let issuing = root.sign(Recipe::authority("Contoso Issuing"));
    let twin = root.sign(Recipe::authority("Contoso Issuing"));
    let leaf = issuing.sign(Recipe::leaf());
    let mut spoilt = leaf.clone();
    *spoilt.der.last_mut().expect("bytes") ^= 1;
    let other = house("Fabrikam");
    let namesake = house_of_root(Recipe::authority("Contoso Root").root());
    vec![
        (Kind::IssuerKeyDiffers, chain(&[&leaf, &twin])),
        (Kind::BadSignature, chain(&[&spoilt, &issuing])),
        (Kind::SelfSigned, chain(&[&Recipe::leaf().root()])),
        (
            Kind::SelfSignedNotUploaded,
            chain(&[&authority(Recipe::leaf()).root()]),
        ),
        (
            Kind::IntermediateNotUploaded,
            chain(&[&other.leaf, &other.issuing]),
        ),
        (
            Kind::RootMismatch,
            chain(&[&other.leaf, &other.issuing, &other.root]),
        ),
        (Kind::RootMismatch, namesake.clone()),
        (Kind::RootMismatch, namesake[..2].to_vec()),
    ]
}

fn house_of_root(root: Party) -> Vec<Vec<u8>> {
    let issuing = root.sign(Recipe::authority("Contoso Issuing"));
    chain(&[&issuing.sign(Recipe::leaf()), &issuing, &root])
}

#[test]
fn numbers_are_those_of_openssl() {
    let root = Recipe::authority("Contoso Root").root();
    let certificates = certificates(&root);
    for (kind, sent) in certificates.into_iter().chain(strangers(&root)) {
        let Some(theirs) = theirs(&sent, &root, Some(HOST)) else {
            return;
        };
        assert_eq!(ours(&sent, &root, HOST), (kind, theirs));
    }
    let leaf = chain(&[&root.sign(Recipe::leaf())]);
    for name in ["www.contoso.com", "10.1.2.3"] {
        let Some(theirs) = theirs(&leaf, &root, Some(name)) else {
            return;
        };
        assert_eq!(ours(&leaf, &root, name), (Kind::NameMismatch, theirs));
    }
}

/// What is refused here and not by OpenSSL has the number of a refusal that is the application's.
#[test]
fn what_openssl_takes_is_the_applications_to_refuse() {
    let house = house("Contoso");
    let used_twice = house.root.sign(authority(Recipe::leaf()));
    for (kind, sent, name) in [
        (Kind::AuthorityAsServer, chain(&[&used_twice]), Some(HOST)),
        (Kind::LeafMissing, chain(&[&house.issuing]), None),
        (
            Kind::LeafNotFirst,
            chain(&[&house.issuing, &house.leaf]),
            None,
        ),
    ] {
        let Some(theirs) = theirs(&sent, &house.root, name) else {
            return;
        };
        let found = ours(&sent, &house.root, name.unwrap_or(HOST));
        let expected = (kind, APPLICATION_VERIFICATION);
        assert_eq!((theirs, found), (OK, expected));
    }
}
