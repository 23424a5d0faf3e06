//! Differences of small gateways, and of every gateway that the tests of the product have.

use std::path::Path;

use gatewright_arm::{ApplicationGateway, Shape, WriteOptions, parse_text, read_gateways, write};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Change, Difference, diff};

const ID: &str = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Network\
                  /applicationGateways/gw";

fn part(collection: &str, name: &str) -> Value {
    json!({ "id": format!("{ID}/{collection}/{name}") })
}

fn listener(name: &str, hosts: &[&str]) -> Value {
    json!({"name": name, "hostNames": hosts, "protocol": "Http",
           "frontendIPConfiguration": part("frontendIPConfigurations", "f"),
           "frontendPort": part("frontendPorts", "p80")})
}

fn path_rule(name: &str, path: &str, pool: &str) -> Value {
    json!({"name": name, "paths": [path], "backendAddressPool": part("backendAddressPools", pool),
           "backendHttpSettings": part("backendHttpSettingsCollection", "set")})
}

fn rule(name: &str, priority: usize, listener: &str, target: &str) -> Value {
    let mut rule = json!({"name": name, "priority": priority, "ruleType": "Basic",
                          "httpListener": part("httpListeners", listener)});
    if target == "map" {
        rule["ruleType"] = "PathBasedRouting".into();
        rule["urlPathMap"] = part("urlPathMaps", "map");
    } else {
        rule["backendAddressPool"] = part("backendAddressPools", target);
        rule["backendHttpSettings"] = part("backendHttpSettingsCollection", "set");
    }
    rule
}

fn document() -> Value {
    json!({
        "name": "gw", "id": ID, "location": "westeurope",
        "sku": {"name": "Standard_v2", "tier": "Standard_v2", "capacity": 2},
        "frontendPorts": [{"name": "p80", "port": 80}],
        "frontendIPConfigurations": [{"name": "f", "privateIPAddress": "10.0.0.9",
                                      "privateIPAllocationMethod": "Static"}],
        "httpListeners": [listener("wild", &["*.a.test"]), listener("one", &["b.a.test"])],
        "backendAddressPools": [
            {"name": "p",
             "backendAddresses": [{"ipAddress": "10.0.1.4"}, {"ipAddress": "10.0.1.5"}]},
            {"name": "q", "backendAddresses": [{"ipAddress": "10.0.2.4"}]},
        ],
        "probes": [{"name": "up", "protocol": "Http", "host": "x.test", "path": "/",
                    "interval": 30, "timeout": 30, "unhealthyThreshold": 3}],
        "backendHttpSettingsCollection": [
            {"name": "set", "port": 80, "protocol": "Http", "requestTimeout": 20,
             "connectionDraining": {"enabled": true, "drainTimeoutInSec": 60},
             "probe": part("probes", "up")},
        ],
        "urlPathMaps": [{
            "name": "map", "defaultBackendAddressPool": part("backendAddressPools", "p"),
            "defaultBackendHttpSettings": part("backendHttpSettingsCollection", "set"),
            "pathRules": [path_rule("deep", "/api/*", "q"), path_rule("all", "/*", "p")],
        }],
        "redirectConfigurations": [{"name": "away", "redirectType": "Found",
                                    "targetUrl": "https://x.test/?sig=hidden"}],
        "requestRoutingRules": [rule("second", 20, "wild", "q"), rule("first", 10, "one", "map")],
    })
}

fn gateway(document: &Value) -> ApplicationGateway {
    read_gateways(document).unwrap().gateways.remove(0)
}

fn changed(edit: impl FnOnce(&mut Value)) -> Difference {
    let old = document();
    let mut new = document();
    edit(&mut new);
    diff(&gateway(&old), &gateway(&new))
}

fn text(difference: &Difference) -> String {
    let lines = difference.lines().into_iter();
    lines.map(|line| line.text + "\n").collect()
}

/// Each change has its sentences, in the text as people read it.
#[track_caller]
fn check(edit: impl FnOnce(&mut Value), expected: &[&str]) {
    let text = text(&changed(edit));
    for sentence in expected {
        assert!(text.contains(sentence), "no {sentence:?} in:\n{text}");
    }
}

#[test]
fn every_change_has_its_sentence() {
    let web = "backendHttpSettingsCollection";
    check(
        |new| new["requestRoutingRules"][0]["priority"] = 5.into(),
        &[
            "~ rule second: priority 20 → 5",
            "Requests for b.a.test with /* and any path that no path rule names on port 80 go to \
             the pool q instead of p.",
            "Requests for b.a.test/api/* on port 80 are taken by the listener wild, the rule \
             second and no path rule of second instead of",
        ],
    );
    check(
        |new| {
            new["urlPathMaps"][0]["pathRules"]
                .as_array_mut()
                .unwrap()
                .reverse()
        },
        &[
            "~ path map map: order of path rules deep, all → all, deep",
            "Requests for b.a.test/api/* on port 80 go to the pool p instead of q.",
        ],
    );
    check(
        |new| new["httpListeners"][0]["hostNames"] = json!(["*.c.test"]),
        &[
            "~ listener wild: hosts -*.a.test +*.c.test",
            "Requests for *.a.test on port 80 get 404: no listener is for them any more.",
            "Requests for *.c.test on port 80 go to the pool q; they got 404.",
        ],
    );
    check(
        |new| new["frontendPorts"][0]["port"] = 8080.into(),
        &[
            "Connections to port 80 are refused",
            "Connections to port 8080 are taken, with HTTP; they were refused.",
        ],
    );
    check(
        |new| {
            new["requestRoutingRules"][0] = json!({
                "name": "second", "priority": 20, "ruleType": "Basic",
                "httpListener": part("httpListeners", "wild"),
                "redirectConfiguration": part("redirectConfigurations", "away"),
            });
        },
        &["on port 80 are redirected to https://x.test/?… (302) instead of going to the pool q."],
    );
    check(
        |new| {
            new["backendAddressPools"][0]["backendAddresses"] =
                json!([{"fqdn": "10.0.1.4"}, {"fqdn": "New.test"}])
        },
        &[
            "10.0.1.5 gets no requests any more; those under way have 60 s (drain).",
            "new.test gets requests now, by the pool p.",
            "~ pool p: backendAddresses -10.0.1.5 +New.test",
        ],
    );
    check(
        |new| new["backendAddressPools"][1]["backendAddresses"] = json!([]),
        &["The pool q has no servers any more: requests to it get 502."],
    );
    check(
        |new| new[web][0]["requestTimeout"] = 60.into(),
        &[
            "requestTimeout 20 → 60",
            "Answers may take 60 s instead of 20 s, by the setting set.",
        ],
    );
    check(
        |new| new[web][0]["requestTimeout"] = 5.into(),
        &["Answers that take more than 5 s get 504: the setting set gave them 20 s."],
    );
    check(
        |new| new["probes"][0]["path"] = "/up".into(),
        &["The probe of the setting set asks for /up instead of /: servers that do not have it"],
    );
    check(
        |new| new["frontendIPConfigurations"][0]["privateIPAddress"] = "10.0.0.8".into(),
        &["Clients reach the frontend f at 10.0.0.8 instead of 10.0.0.9."],
    );
    check(
        |new| new["sku"]["capacity"] = 3.into(),
        &[
            "~ gateway gw: sku.capacity 2 → 3",
            "it does nothing to traffic",
        ],
    );
}

#[test]
fn of_a_setting_each_member_is_told() {
    let rows = [
        (
            "port",
            json!(81),
            "go to port 81 of the servers instead of 80",
        ),
        (
            "cookieBasedAffinity",
            json!("Enabled"),
            "stay with their server by the cookie",
        ),
        (
            "hostName",
            json!("h.test"),
            "Servers see h.test as the host instead of the client's own",
        ),
        (
            "path",
            json!("/v2/"),
            "Servers are asked for /v2/ in place of",
        ),
        (
            "protocol",
            json!("Https"),
            "spoken to with HTTPS by the setting set, instead of HTTP",
        ),
        (
            "dedicatedBackendConnection",
            json!(true),
            "a connection of its own",
        ),
        (
            "connectionDraining",
            json!(null),
            "have 30 s instead of 60 s",
        ),
        (
            "probe",
            json!(null),
            "asks for the host 127.0.0.1 instead of x.test",
        ),
    ];
    for (member, value, sentence) in rows {
        check(
            |new| new["backendHttpSettingsCollection"][0][member] = value,
            &[sentence, "~ setting set: "],
        );
    }
}

#[test]
fn what_is_renamed_is_told_so_and_does_nothing() {
    let new = document().to_string();
    let new = new.replace("backendAddressPools/q", "backendAddressPools/r");
    let new = new.replace("backendAddressPools/p", "backendAddressPools/s");
    let new = new.replace("urlPathMaps/map", "urlPathMaps/paths");
    let new = new.replace(r#""name":"q""#, r#""name":"r""#);
    let new = new.replace(r#""name":"p""#, r#""name":"s""#);
    let new = new.replace(r#""name":"map""#, r#""name":"paths""#);
    let new: Value = serde_json::from_str(&new).unwrap();
    let difference = diff(&gateway(&document()), &gateway(&new));
    let told: Vec<_> = difference
        .parts
        .iter()
        .map(|one| (one.kind, one.name.as_str(), one.change, one.was.as_deref()))
        .collect();
    let expected = [
        ("path map", "paths", Change::Renamed, Some("map")),
        ("pool", "r", Change::Renamed, Some("q")),
        ("pool", "s", Change::Renamed, Some("p")),
    ];
    assert_eq!(told, expected, "{difference:#?}");
    assert_eq!(difference.effects, []);
}

#[test]
fn what_cannot_be_compiled_is_told() {
    let difference = changed(|new| {
        new["requestRoutingRules"][0]["backendAddressPool"] = part("backendAddressPools", "none");
    });
    let why = difference.unknown.clone().unwrap();
    assert!(why.contains("backendAddressPools/none"), "{why}");
    assert!(!difference.new_trouble.is_empty());
}

#[test]
fn secrets_are_not_shown() {
    let with = |data: &str, header: &str| {
        let mut document = document();
        document["sslCertificates"] = json!([{"name": "c", "data": data, "password": data}]);
        document["rewriteRuleSets"] = json!([{"name": "s", "rewriteRules": [
            {"name": "r", "ruleSequence": 1, "actionSet": {"requestHeaderConfigurations": [
                {"headerName": "X-Api-Key", "headerValue": header}]}}]}]);
        gateway(&document)
    };
    let difference = diff(
        &with("c2VjcmV0MQ==", "secret1"),
        &with("c2VjcmV0Mg==", "secret2"),
    );
    let shown = format!("{}{}", text(&difference), json!(difference));
    assert!(shown.contains("certificate c: data differs"), "{shown}");
    assert!(shown.contains("[X-Api-Key].headerValue differs"), "{shown}");
    for secret in ["secret", "c2VjcmV0"] {
        assert!(!shown.contains(secret), "{shown}");
    }
    let redirect = changed(|new| {
        new["redirectConfigurations"][0]["targetUrl"] = "https://x.test/?sig=other".into();
    });
    let shown = format!("{}{}", text(&redirect), json!(redirect));
    assert!(
        shown.contains("targetUrl") && !shown.contains("sig="),
        "{shown}"
    );
}

/// Of every gateway of the cases and recordings: its forms say the same.
#[test]
fn what_is_only_written_otherwise_is_no_difference() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut files = vec![root.join("arm/tests/data/contoso-get.json")];
    let cases = std::fs::read_dir(root.join("gatewright/tests/diagnose/cases")).unwrap();
    files.extend(cases.map(|one| one.unwrap().path().join("gateway.json")));
    files.sort();
    let mut count = 0;
    let mut unread = Vec::new();
    for file in files {
        let read = parse_text(&std::fs::read(&file).unwrap_or_default());
        let read = read.and_then(|body| read_gateways(&body));
        let gateways = read.map(|report| report.gateways).unwrap_or_default();
        if gateways.is_empty() {
            let folder = file.parent().and_then(Path::file_name).unwrap();
            unread.push(folder.to_str().unwrap().to_owned());
        }
        for gateway in &gateways {
            for shape in [Shape::Rest, Shape::AzureCli] {
                let options = WriteOptions {
                    secrets: true,
                    shape,
                };
                let mut again = write(gateway, &options);
                turn_lists(&mut again);
                let again = read_gateways(&again).unwrap().gateways.remove(0);
                let difference = diff(gateway, &again);
                assert!(
                    difference.is_empty(),
                    "{}: {}",
                    file.display(),
                    text(&difference)
                );
                count += 1;
            }
        }
    }
    assert!(count > 400, "{count}");
    // A few are no JSON, as people paste it; what reads evidence is more lenient.
    assert!(unread.len() * 20 < count, "{unread:?}");
}

/// Turns every list that has no order.
fn turn_lists(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                let has_order = ["pathRules", "cipherSuites", "requestRoutingRules"];
                if let (false, Some(list)) =
                    (has_order.contains(&name.as_str()), value.as_array_mut())
                {
                    list.reverse();
                }
                turn_lists(value);
            }
        }
        Value::Array(list) => list.iter_mut().for_each(turn_lists),
        _ => {}
    }
}

/// A configuration of three listeners, each with a rule or without, and one path map.
#[derive(Clone, Debug)]
struct Small {
    hosts: Vec<Vec<&'static str>>,
    /// By listener: the priority, and the target.
    rules: Vec<Option<(usize, &'static str)>>,
    /// Path rules in their order: the path and the pool.
    paths: Vec<(&'static str, &'static str)>,
}

const HOSTS: [&str; 3] = ["a.x.test", "b.x.test", "*.x.test"];
const PATHS: [&str; 3] = ["/*", "/a/*", "/a/b"];

fn small() -> impl Strategy<Value = Small> {
    let hosts = prop::sample::subsequence(HOSTS.to_vec(), 0..=2);
    let target = prop::sample::select(vec!["p", "q", "map"]);
    let pools = prop::collection::vec(prop::sample::select(vec!["p", "q"]), 3);
    (
        prop::collection::vec(hosts, 3),
        Just(vec![1, 2, 3]).prop_shuffle(),
        prop::collection::vec(prop::option::weighted(0.8, target), 3),
        Just(PATHS.to_vec()).prop_shuffle(),
        pools,
    )
        .prop_filter("a port needs a rule", |(_, _, targets, ..)| {
            targets.iter().any(Option::is_some)
        })
        .prop_map(|(hosts, priorities, targets, paths, pools)| Small {
            hosts,
            rules: targets
                .into_iter()
                .zip(priorities)
                .map(|(target, priority)| Some((priority, target?)))
                .collect(),
            paths: paths.into_iter().zip(pools).collect(),
        })
}

impl Small {
    fn gateway(&self) -> ApplicationGateway {
        let mut document = document();
        let numbered = self.hosts.iter().enumerate();
        document["httpListeners"] = numbered
            .map(|(at, hosts)| listener(&format!("l{at}"), hosts))
            .collect();
        let rules = self.rules.iter().enumerate();
        let rules = rules.filter_map(|(at, rule)| Some((at, (*rule)?)));
        document["requestRoutingRules"] = rules
            .map(|(at, (priority, target))| {
                rule(&format!("r{at}"), priority, &format!("l{at}"), target)
            })
            .collect();
        let paths = self.paths.iter();
        document["urlPathMaps"][0]["pathRules"] = paths
            .map(|(path, pool)| path_rule(&format!("for {path}"), path, pool))
            .collect();
        gateway(&document)
    }

    /// Where a request goes, by the words of the documentation: the rule of the lowest priority
    /// whose listener takes the host, then the first path rule that fits.
    fn goes(&self, host: &str, path: &str) -> Option<(usize, &str, &str)> {
        let fits = |pattern: &str, text: &str| match pattern.split_once('*') {
            Some((before, after)) => text.starts_with(before) && text.ends_with(after),
            None => pattern == text,
        };
        let rules = self.rules.iter().zip(&self.hosts).enumerate();
        let taking = rules.filter_map(|(at, (rule, hosts))| {
            let takes = hosts.is_empty() || hosts.iter().any(|one| fits(one, host));
            rule.filter(|_| takes)
                .map(|(priority, target)| (priority, at, target))
        });
        let (_, at, target) = taking.min()?;
        if target != "map" {
            return Some((at, "", target));
        }
        let found = self.paths.iter().find(|(pattern, _)| fits(pattern, path));
        let (pattern, pool) = found.copied().unwrap_or(("none", "p"));
        Some((at, pattern, pool))
    }
}

fn pointers(at: &str, value: &Value, places: &mut Vec<String>) {
    places.push(at.to_owned());
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                pointers(&format!("{at}/{name}"), value, places);
            }
        }
        Value::Array(list) => {
            for (position, value) in list.iter().enumerate() {
                pointers(&format!("{at}/{position}"), value, places);
            }
        }
        _ => {}
    }
}

proptest! {
    #[test]
    fn nothing_differs_from_itself(small in small()) {
        let one = small.gateway();
        prop_assert!(diff(&one, &one).is_empty());
    }

    /// Requests are told of if and only if they go another way.
    #[test]
    fn effects_are_those_of_routing(old in small(), new in small()) {
        let difference = diff(&old.gateway(), &new.gateway());
        prop_assert_eq!(&difference.unknown, &None);
        let named = |pattern: Option<&str>, other: &str, of: &str| match pattern {
            Some(pattern) => pattern.replace('*', "z"),
            None => format!("{of}{other}"),
        };
        let told: Vec<(String, String)> = difference
            .effects
            .iter()
            .flat_map(|one| &one.requests)
            .map(|one| {
                let host = named(one.host.as_deref(), "other.test", "");
                (host, named(one.path.as_deref(), "none", "/"))
            })
            .collect();
        for host in ["a.x.test", "b.x.test", "z.x.test", "other.test"] {
            let differs = |path: &str| old.goes(host, path) != new.goes(host, path);
            let is_told = told.iter().any(|(own, _)| own == host);
            let is_other = ["/a/b", "/a/z", "/z", "/none"].into_iter().any(differs);
            let is_known = host == "other.test"
                || [&old, &new].iter().any(|one| {
                    let all = one.rules.iter().zip(&one.hosts);
                    let served = all.filter(|(rule, _)| rule.is_some());
                    let mut hosts = served.flat_map(|(_, hosts)| hosts);
                    hosts.any(|one| one.replace('*', "z") == host)
                });
            // A host that no pattern names stands behind one that does.
            if is_known {
                prop_assert_eq!(is_told, is_other, "{} {:?}", host, difference.effects);
            }
        }
        for (host, path) in &told {
            prop_assert!(old.goes(host, path) != new.goes(host, path), "{} {}", host, path);
        }
        let weights = difference.effects.iter().map(|one| one.weight);
        prop_assert!(weights.is_sorted());
        prop_assert_eq!(text(&difference), text(&diff(&old.gateway(), &new.gateway())));
    }

    /// Members of any kind at any place.
    #[test]
    fn hostile_documents_do_not_panic(
        at in any::<usize>(),
        with in prop::sample::select(vec![
            json!(null), json!(-1), json!(99_999_999), json!("/\u{0}*?%"), json!([{}]), json!({}),
            json!([{"name": "p"}, {"name": "P"}]), json!(""), json!([[["x"]]]),
        ]),
    ) {
        let mut hostile = document();
        let mut places = Vec::new();
        pointers("", &hostile, &mut places);
        let place = hostile.pointer_mut(&places[at % places.len()]).unwrap();
        *place = with;
        if let Ok(report) = read_gateways(&hostile) {
            for one in &report.gateways {
                let _ = text(&diff(&gateway(&document()), one));
                let _ = text(&diff(one, &gateway(&document())));
                prop_assert!(diff(one, one).is_empty());
            }
        }
    }
}
