use super::*;
use crate::der::encode;

const DNS: u8 = 0x82;
const ADDRESS: u8 = 0x87;

fn names(alternative: &[(u8, &[u8])], common: &[&str]) -> Names {
    let values: Vec<Vec<u8>> = alternative
        .iter()
        .map(|(tag, value)| encode(*tag, &[value]))
        .collect();
    let common = common.iter().map(|name| (*name).to_owned()).collect();
    Names::new(Some(&values.concat()), common)
}

fn dns(name: &str) -> ServerName<'_> {
    ServerName::Dns(name)
}

#[test]
fn a_name_is_met_exactly_or_by_one_wildcard_label() {
    let names = names(
        &[(DNS, b"Shop.contoso.com"), (DNS, b"*.apps.contoso.com")],
        &[],
    );
    for yes in [
        "shop.contoso.com",
        "SHOP.CONTOSO.COM",
        "shop.contoso.com.",
        "a.apps.contoso.com",
    ] {
        assert!(names.are_for(dns(yes)), "{yes}");
    }
    for no in [
        "contoso.com",
        "apps.contoso.com",
        "a.b.apps.contoso.com",
        "shop.contoso.com..",
        "",
        ".apps.contoso.com",
    ] {
        assert!(!names.are_for(dns(no)), "{no}");
    }
}

#[test]
fn addresses_are_met_by_addresses_alone() {
    let names = names(&[(ADDRESS, &[10, 0, 0, 4]), (DNS, b"10.0.0.5")], &[]);
    assert!(names.are_for(ServerName::Address([10, 0, 0, 4].into())));
    assert!(!names.are_for(ServerName::Address([10, 0, 0, 5].into())));
    assert!(!names.are_for(dns("10.0.0.5")));
}

#[test]
fn the_common_name_counts_only_without_alternative_names() {
    let only_common = Names::new(None, vec!["*.contoso.com".to_owned()]);
    assert!(only_common.are_for(dns("a.contoso.com")));
    assert!(!only_common.are_for(dns("a.b.contoso.com")));
    assert!(!only_common.are_for(dns("contoso.com")));
    assert_eq!(only_common.compared(), ["*.contoso.com"]);
    let address = Names::new(None, vec!["10.0.0.4".to_owned(), "*.0.0.4".to_owned()]);
    assert!(address.are_for(ServerName::Address([10, 0, 0, 4].into())));
    assert!(!address.are_for(ServerName::Address([9, 0, 0, 4].into())));
    let both = names(&[(DNS, b"b.contoso.com")], &["a.contoso.com"]);
    assert!(!both.are_for(dns("a.contoso.com")));
    assert_eq!(both.compared(), ["b.contoso.com"]);
    let mail_only = names(&[(0x81, b"a@contoso.com")], &["a.contoso.com"]);
    assert!(!mail_only.are_for(dns("a.contoso.com")));
    assert!(names(&[], &["a.contoso.com"]).are_for(dns("a.contoso.com")));
}

#[test]
fn nothing_behind_what_cannot_be_read_counts() {
    let names = names(
        &[
            (DNS, b"a.contoso.com"),
            (0x99, b"?"),
            (DNS, b"b.contoso.com"),
        ],
        &["b.contoso.com"],
    );
    assert!(names.are_for(dns("a.contoso.com")));
    assert!(!names.are_for(dns("b.contoso.com")));
}

#[test]
fn names_beyond_those_shown_are_compared_too() {
    let many: Vec<String> = (0..2_000).map(|n| format!("h{n}.contoso.com")).collect();
    let listed: Vec<(u8, &[u8])> = many.iter().map(|name| (DNS, name.as_bytes())).collect();
    let names = names(&listed, &[]);
    assert_eq!(names.dns().len(), NAMES_SHOWN_MAX);
    assert!(names.are_for(dns("h1999.contoso.com")));
    assert!(!names.are_for(dns("h2000.contoso.com")));
}

#[test]
fn a_listeners_host_is_covered_by_the_names_served() {
    let names = names(&[(DNS, b"*.contoso.com"), (DNS, b"contoso.com")], &["x"]);
    assert_eq!(names.served(), ["*.contoso.com", "contoso.com"]);
    for host in [
        "A.contoso.com",
        "contoso.com",
        "*.contoso.com",
        "shop?.contoso.com",
    ] {
        assert!(names.cover(host), "{host}");
    }
    for host in ["a.b.contoso.com", "fabrikam.com", "com", "contoso.com.evil"] {
        assert!(!names.cover(host), "{host}");
    }
}

#[test]
fn names_are_those_of_hosts() {
    let label = "a".repeat(DNS_LABEL_MAX);
    let long = [label.as_str(); 5].join(".");
    for (name, presented) in [
        ("contoso.com", true),
        ("*.contoso.com", true),
        ("*.com", false),
        ("a.*.com", false),
        ("a*.contoso.com", false),
        ("a_b.contoso.com", true),
        ("-a.contoso.com", false),
        ("a-.contoso.com", false),
        ("contoso.com.", false),
        ("a..b", false),
        ("10.0.0.4", false),
        ("", false),
        ("Contoso Root", false),
        (label.as_str(), true),
        (long.as_str(), false),
    ] {
        assert_eq!(is_dns_name(name, Role::Presented), presented, "{name}");
    }
    assert!(is_dns_name("", Role::Constraint));
    assert!(is_dns_name(".contoso.com", Role::Constraint));
    assert!(!is_dns_name(".", Role::Constraint));
    assert!(!is_dns_name(".contoso.com", Role::Expected));
    assert!(!is_dns_name("*.contoso.com", Role::Expected));
}
