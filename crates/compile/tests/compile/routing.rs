//! Rules, path maps, redirects: which route a request takes after compilation.

use crate::support::*;
use gatewright_arm::{ApplicationGateway, WriteOptions, read_gateways_text, write};
use gatewright_compile::{Options, compile};
use gatewright_snapshot::{Action, RedirectTarget, Scheme, Snapshot};
use serde_json::{Value, json};

/// Asserts where requests `(host, path)` to port 80 of the base with `changes` go, also where it
/// stands behind another gateway in a snapshot.
#[track_caller]
fn check_routes(changes: Value, expected: &[(&str, &str, &str)]) {
    let compiled = compiled(changes);
    let mut behind = another();
    behind.append(&compiled.snapshot);
    for (host, path, wanted) in expected {
        let route = route(&compiled.snapshot, 80, host, path);
        assert_eq!(&shown(&compiled.snapshot, route), wanted, "{host}{path}");
        let route = route_of_gateway(&behind, 1, (80, host, path));
        assert_eq!(
            &shown(&behind, route),
            wanted,
            "{host}{path} behind another"
        );
    }
}

/// A gateway with a path map, so that every table has rows.
fn another() -> Snapshot {
    let changes = json!({
        "urlPathMaps": [item("m", merged(by_path_defaults(), json!({
            "pathRules": [path_rule("one", &["/one/*"], json!({}))],
        })))],
        "requestRoutingRules": [rule("r", "l", 10, by_path("m"))],
    });
    compiled(changes).snapshot
}

fn by_path_defaults() -> Value {
    json!({
        "defaultBackendAddressPool": to("backendAddressPools/p"),
        "defaultBackendHttpSettings": to("backendHttpSettingsCollection/s"),
    })
}

#[test]
fn a_snapshot_of_parts_is_that_of_all_documents() {
    let other_id = |gateway: ApplicationGateway| {
        let text = write(&gateway, &WriteOptions::default()).to_string();
        let text = text.replace(GATEWAY_ID, &format!("{GATEWAY_ID}2"));
        let report = read_gateways_text(text.as_bytes()).expect("a gateway");
        report.gateways.into_iter().next().expect("one gateway")
    };
    let path_map = json!({
        "urlPathMaps": [item("m", merged(by_path_defaults(), json!({
            "pathRules": [path_rule("one", &["/one/*"], json!({}))],
        })))],
        "requestRoutingRules": [rule("r", "l", 10, by_path("m"))],
    });
    let gateways = [gateway(json!({})), other_id(gateway(path_map))];
    let whole = compile(&gateways, &options())
        .expect("it compiles")
        .snapshot;
    let mut parts = Snapshot::default();
    for one in &gateways {
        let part = compile(std::slice::from_ref(one), &options()).expect("it compiles");
        parts.append(&part.snapshot);
    }
    let tables = |snapshot: &Snapshot| {
        let Snapshot {
            gateways,
            endpoints,
            listeners,
            routes,
            path_maps,
            pools,
            settings,
            ..
        } = snapshot;
        let endpoints: Vec<_> = endpoints
            .iter()
            .map(|one| {
                (
                    &one.key,
                    one.gateway,
                    one.scheme,
                    one.hosts.find(b"any"),
                    one.sni_fallback,
                )
            })
            .collect();
        let rest = (&snapshot.upstreams, &snapshot.certificates);
        format!(
            "{gateways:?}{endpoints:?}{listeners:?}{routes:?}{path_maps:?}{pools:?}\
             {settings:?}{rest:?}"
        )
    };
    assert_eq!(tables(&parts), tables(&whole));
}

fn v1(mut changes: Value) -> Value {
    changes["sku"] = json!({"name": "Standard_Medium", "tier": "Standard", "capacity": 1});
    changes
}

fn site(name: &str, host: &str) -> Value {
    listener(name, "p80", "Http", json!({"hostName": host}))
}

#[test]
fn a_basic_rule_takes_every_host_and_path() {
    check_routes(
        json!({}),
        &[("any", "/", "l/r → p+s"), ("", "/x", "l/r → p+s")],
    );
}

#[test]
fn the_lowest_priority_is_asked_first_across_kinds() {
    let listeners = json!([
        listener("all", "p80", "Http", json!({})),
        listener(
            "wild",
            "p80",
            "Http",
            json!({"hostNames": ["*.contoso.com"]})
        ),
        site("exact", "a.contoso.com"),
    ]);
    let rules = |all, wild, exact| {
        json!({
            "httpListeners": listeners,
            "requestRoutingRules": [
                rule("r-all", "all", all, json!({})),
                rule("r-wild", "wild", wild, json!({})),
                rule("r-exact", "exact", exact, json!({})),
            ],
        })
    };
    check_routes(
        rules(30, 20, 10),
        &[
            ("A.contoso.com", "/", "exact/r-exact → p+s"),
            ("b.contoso.com", "/", "wild/r-wild → p+s"),
            ("fabrikam.com", "/", "all/r-all → p+s"),
        ],
    );
    check_routes(
        rules(30, 10, 20),
        &[("a.contoso.com", "/", "wild/r-wild → p+s")],
    );
    check_routes(
        rules(10, 20, 30),
        &[("a.contoso.com", "/", "all/r-all → p+s")],
    );
}

#[test]
fn without_priorities_sites_come_before_basic_listeners() {
    check_routes(
        json!({
            "httpListeners": [listener("all", "p80", "Http", json!({})), site("a", "a.com")],
            "requestRoutingRules": [
                rule("r1", "all", 0, json!({})), rule("r2", "a", 0, json!({})),
            ],
            // As the service wrote it before priorities were compulsory.
            "provisioningState": "Succeeded",
        }),
        &[("a.com", "/", "a/r2 → p+s"), ("b.com", "/", "all/r1 → p+s")],
    );
}

#[test]
fn the_first_generation_asks_in_order_and_never_answers_404() {
    let listeners = json!([
        site("a", "a.com"),
        listener("all", "p80", "Http", json!({}))
    ]);
    let rules = |first: &str, second: &str| {
        v1(json!({
            "httpListeners": listeners,
            "requestRoutingRules": [
                rule("r1", first, 0, json!({})), rule("r2", second, 0, json!({})),
            ],
        }))
    };
    check_routes(rules("a", "all"), &[("a.com", "/", "a/r1 → p+s")]);
    check_routes(rules("all", "a"), &[("a.com", "/", "all/r1 → p+s")]);
    let sites = json!({
        "httpListeners": [site("a", "a.com"), site("b", "b.com")],
        "requestRoutingRules": [rule("r1", "b", 0, json!({})), rule("r2", "a", 0, json!({}))],
    });
    check_routes(
        v1(sites),
        &[("c.com", "/", "b/r1 → p+s"), ("a.com", "/", "a/r2 → p+s")],
    );
}

#[test]
fn the_second_generation_knows_no_unknown_host() {
    check_routes(
        json!({"httpListeners": [site("l", "a.com")]}),
        &[("a.com", "/", "l/r → p+s"), ("b.com", "/", "404")],
    );
}

fn path_map() -> Value {
    json!({
        "requestRoutingRules": [rule("r", "l", 10, by_path("m"))],
        "redirectConfigurations": [
            item("away", json!({"redirectType": "Found", "targetUrl": "https://a.com/x"})),
        ],
        "backendAddressPools": [item("p", json!({})), item("q", json!({}))],
        "urlPathMaps": [item("m", json!({
            "defaultRedirectConfiguration": to("redirectConfigurations/away"),
            "pathRules": [
                path_rule("images", &["/images/*", "/Pictures"], json!({
                    "backendAddressPool": to("backendAddressPools/q"),
                })),
                path_rule("logo", &["/images/logo"], json!({})),
                path_rule("api", &["/api*"], json!({})),
            ],
        }))],
    })
}

#[test]
fn path_rules_are_tried_as_listed_and_the_default_may_redirect() {
    check_routes(
        path_map(),
        &[
            ("h", "/images/logo", "l/r/images → q+s"),
            ("h", "/IMAGES/x", "l/r/images → q+s"),
            ("h", "/pictures", "l/r/images → q+s"),
            ("h", "/apis/1", "l/r/api → p+s"),
            ("h", "/", "l/r → 302"),
        ],
    );
}

#[test]
fn letter_case_counts_only_when_asked_to() {
    let strict = Options {
        path_case_sensitive: true,
        ..options()
    };
    let compiled = compiled_with(path_map(), &strict);
    let found = route(&compiled.snapshot, 80, "h", "/pictures");
    assert_eq!(shown(&compiled.snapshot, found), "l/r → 302");
}

#[test]
fn listeners_share_path_maps_and_upstreams() {
    let mut changes = path_map();
    changes["httpListeners"] = json!([site("l", "a.com"), site("m", "b.com")]);
    changes["requestRoutingRules"] = json!([
        rule("r", "l", 1, by_path("m")),
        rule("t", "m", 2, by_path("m"))
    ]);
    let snapshot = compiled(changes).snapshot;
    assert_eq!((snapshot.path_maps.len(), snapshot.upstreams.len()), (1, 2));
    assert_eq!(snapshot.routes.len(), 8);
    let found = route(&snapshot, 80, "b.com", "/api");
    assert_eq!(shown(&snapshot, found), "m/t/api → p+s");
}

/// Asserts what a redirect of the base becomes, `more` being its target.
#[track_caller]
fn check_redirect(kind: &str, more: Value, offset: u16, status: u16, target: RedirectTarget) {
    let redirect = item(
        "away",
        merged(json!({"redirectType": kind, "includePath": true}), more),
    );
    let changes = json!({
        "httpListeners": [
            listener("l", "p80", "Http", json!({})),
            listener("named", "p8080", "Http", json!({"hostName": "WWW.Contoso.com"})),
            listener("basic", "p8080", "Http", json!({})),
        ],
        "redirectConfigurations": [redirect],
        "requestRoutingRules": [
            rule("r", "l", 1, json!({
                "redirectConfiguration": to("redirectConfigurations/away"),
                "backendAddressPool": null, "backendHttpSettings": null,
            })),
            rule("n", "named", 2, json!({})),
            rule("b", "basic", 3, json!({})),
        ],
    });
    let compiled = compiled_with(
        changes,
        &Options {
            port_offset: offset,
            ..options()
        },
    );
    let route = route(&compiled.snapshot, 80, "h", "/").expect("a route");
    let Action::Redirect(redirect) = &route.action else {
        panic!("{:?} is no redirect", route.action);
    };
    assert_eq!((redirect.status, &redirect.target), (status, &target));
    assert_eq!(
        (redirect.include_path, redirect.include_query),
        (true, false)
    );
}

#[test]
fn redirects_lead_to_urls_and_to_listeners_where_clients_reach_them() {
    let url = "https://www.contoso.com/a?b=c";
    for (kind, status) in [
        ("Permanent", 301),
        ("Found", 302),
        ("SeeOther", 303),
        ("Temporary", 307),
    ] {
        let target = RedirectTarget::Url(url.to_owned());
        check_redirect(kind, json!({"targetUrl": url}), 0, status, target);
    }
    let (scheme, named) = (Scheme::Http, Some("www.contoso.com".to_owned()));
    let to_named = json!({"targetListener": to("httpListeners/named")});
    let target = RedirectTarget::Listener {
        scheme,
        host: named,
        port: 18_080,
    };
    check_redirect("Found", to_named, 10_000, 302, target);
    let to_basic = json!({"targetListener": to("httpListeners/basic")});
    let target = RedirectTarget::Listener {
        scheme,
        host: None,
        port: 8080,
    };
    check_redirect("Found", to_basic, 0, 302, target);
}

#[test]
fn a_url_that_would_break_out_of_its_header_is_refused() {
    for url in [
        "https://a.com/\r\nSet-Cookie: x",
        "/relative",
        "https:///x",
        "javascript:alert(1)",
    ] {
        let found = diagnostics(
            json!({
                "redirectConfigurations":
                    [item("away", json!({"redirectType": "Found", "targetUrl": url}))],
                "requestRoutingRules": [rule("r", "l", 1, json!({
                    "redirectConfiguration": to("redirectConfigurations/away"),
                    "backendAddressPool": null, "backendHttpSettings": null,
                }))],
            }),
            &options(),
        );
        assert!(
            found.iter().any(gatewright_arm::Diagnostic::is_error),
            "{url}"
        );
    }
}
