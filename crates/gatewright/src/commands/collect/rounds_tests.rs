//! Questions and files by what az prints, and what a diagnosis makes of the files. Scale sets,
//! private zones, metrics and logs are not to be had from a control plane of ours.

use std::fs;
use std::path::PathBuf;

use gatewright_diagnosis::{Evidence, File, diagnose};
use serde_json::json;

use super::super::files::files;
use super::super::subject::Subject;
use super::*;

const CASES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/diagnose/cases");

const GROUP: &str = "/subscriptions/s/resourceGroups/rg/providers";

fn wish() -> Wish {
    Wish {
        group: "rg".to_owned(),
        name: "gw".to_owned(),
        subscription: None,
        workspace: None,
    }
}

fn picture(gateway: Value) -> Picture {
    Picture {
        subject: Subject::read(&gateway).unwrap(),
        gateway,
        answers: Vec::new(),
        remarks: Vec::new(),
    }
}

fn of_case(case: &str) -> Picture {
    picture(document(case, "gateway.json"))
}

fn document(case: &str, name: &str) -> Value {
    let path = PathBuf::from(CASES).join(case).join(name);
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// A v2 gateway in 10.0.0.0/24 with such members.
fn gateway(pool: Value) -> Picture {
    picture(json!({
        "name": "gw", "id": format!("{GROUP}/Microsoft.Network/applicationGateways/gw"),
        "provisioningState": "Succeeded", "sku": { "name": "Standard_v2", "tier": "Standard_v2" },
        "gatewayIPConfigurations": [{ "name": "c", "subnet": { "id": subnet("net", "gateways") } }],
        "backendAddressPools": [pool],
    }))
}

fn subnet(network: &str, name: &str) -> String {
    format!("{}/subnets/{name}", network_id(network))
}

fn network_id(name: &str) -> String {
    format!("{GROUP}/Microsoft.Network/virtualNetworks/{name}")
}

/// All rounds; each question is answered by the first answer whose words it has, and the others by
/// nothing. What was asked, without `az` and `-o json`.
fn asked(wish: &Wish, picture: &mut Picture, answers: &[(&str, Value)]) -> Vec<String> {
    let mut all = Vec::new();
    for round in [Wish::first_round, Wish::second_round, Wish::third_round] {
        for question in round(wish, picture) {
            let call = &question.call;
            let words = format!("{} {}", call.verb.words(), call.arguments.join(" "));
            let mut known = answers.iter();
            if let Some((_, answer)) = known.find(|(part, _)| words.contains(part)) {
                picture.answers.push((question, answer.clone()));
            }
            all.push(words);
        }
    }
    all
}

#[track_caller]
fn has(asked: &[String], words: &str) {
    assert!(
        asked.iter().any(|one| one.contains(words)),
        "{words} is not in {asked:#?}"
    );
}

#[track_caller]
fn has_not(asked: &[String], words: &str) {
    assert!(
        !asked.iter().any(|one| one.contains(words)),
        "{words} is in {asked:#?}"
    );
}

fn written(picture: &mut Picture, name: &str) -> Option<Value> {
    let files = files(picture);
    let own = files.into_iter().find(|file| file.name == name);
    own.map(|file| file.content)
}

/// The primary cause of a case, with its own files of `more` and those that were collected; and
/// the whole answer.
fn judged(case: &str, picture: &mut Picture, more: &[&str]) -> (String, String) {
    let own = more.iter();
    let own = own.map(|name| File::of_value(*name, document(case, name)));
    let own: Vec<File> = own.collect();
    let collected = files(picture).into_iter();
    let collected = collected.map(|file| File::of_value(file.name, file.content));
    let evidence = Evidence::read(own.into_iter().chain(collected)).unwrap();
    assert_eq!(evidence.ignored(), Vec::<String>::new());
    let verdict = serde_json::to_value(diagnose(&evidence, 1_774_017_720)).unwrap();
    let cause = verdict["findings"][0]["cause"].as_str().unwrap_or_default();
    (cause.to_owned(), verdict.to_string())
}

/// As `az vmss nic list` prints an interface of an instance.
fn interface(set: &str, instance: &str, address: &str) -> Value {
    json!({
        "id": format!("{set}/virtualMachines/{instance}/networkInterfaces/nic"),
        "virtualMachine": { "id": format!("{}/virtualMachines/{instance}", set.to_uppercase()) },
        "ipConfigurations": [{
            "privateIPAddress": address, "subnet": { "id": subnet("net", "machines") },
        }],
        "networkSecurityGroup": {
            "id": format!("{GROUP}/Microsoft.Network/networkSecurityGroups/of-set"),
        },
    })
}

#[test]
fn instances_are_found_by_interfaces_and_told_with_their_addresses() {
    let case = "n-stale-backend-targets-vmss";
    let set = format!("{GROUP}/Microsoft.Compute/virtualMachineScaleSets/set");
    let mut gateway = document(case, "gateway.json");
    let interface_of_7 = format!("{set}/virtualMachines/7/networkInterfaces/nic");
    let pool = &mut gateway["properties"]["backendAddressPools"][0]["properties"];
    pool["backendIPConfigurations"] =
        json!([{ "id": format!("{interface_of_7}/ipConfigurations/i") }]);
    let mut picture = picture(gateway);
    let instance = |id: &str| {
        json!({
            "instanceId": id, "name": format!("set_{id}"), "latestModelApplied": true,
            "id": format!("{set}/virtualMachines/{id}"),
            "osProfile": { "adminUsername": "bob", "customData": "hunter2" },
        })
    };
    let asked = asked(
        &wish(),
        &mut picture,
        &[
            ("vmss list-instances", json!([instance("7"), instance("8")])),
            (
                "vmss nic list",
                json!([
                    interface(&set, "7", "10.125.1.8"),
                    interface(&set, "8", "10.125.1.9")
                ]),
            ),
        ],
    );
    has(&asked, "vmss list-instances -g rg -n set --subscription s");
    has(
        &asked,
        "vmss nic list -g rg --vmss-name set --subscription s",
    );
    has(
        &asked,
        &format!(
            "network vnet subnet show --ids {}",
            subnet("net", "machines")
        ),
    );
    has(&asked, "networkSecurityGroups/of-set");
    let all = written(&mut picture, "vmss-instances.json").unwrap();
    assert_eq!(all[1]["privateIpAddresses"], json!(["10.125.1.9"]));
    assert_eq!(all[1].get("osProfile"), None);
    let (cause, answer) = judged(case, &mut picture, &["backend-health.json"]);
    assert_eq!(cause, "stale-backend-targets", "{answer}");
    assert!(answer.contains("10.125.1.8"), "{answer}");
}

#[test]
fn an_empty_pool_is_looked_for_in_the_models_of_scale_sets() {
    let case = "n-vmss-model-not-applied";
    let mut picture = of_case(case);
    let instances = document(case, "vmss-instances.json");
    let set = instances[0]["id"].as_str().unwrap();
    let (set, _) = set.split_once("/virtualMachines/").unwrap();
    let pool = format!("{}/backendAddressPools/be", picture.subject.id);
    let sets = json!([
        { "id": format!("{GROUP}/Microsoft.Compute/virtualMachineScaleSets/other"), "pools": null },
        { "id": set, "pools": [pool] },
    ]);
    let answers = [
        ("vmss list --query", sets),
        ("vmss list-instances", instances),
    ];
    let asked = asked(&wish(), &mut picture, &answers);
    has(&asked, "-n vmss-x");
    has_not(&asked, "-n other");
    let (cause, answer) = judged(case, &mut picture, &["backend-health.json"]);
    assert_eq!(cause, "vmss-model-not-applied", "{answer}");
}

#[test]
fn zones_of_members_are_told_with_their_links_and_without() {
    let case = "k-dns-zone-not-linked";
    let mut picture = of_case(case);
    let zone = |name: &str| {
        json!({
            "name": name, "id": format!("{GROUP}/Microsoft.Network/privateDnsZones/{name}"),
        })
    };
    let zones = json!([zone("levee.test"), zone("evee.test"), zone("test.other")]);
    let hub = json!([{
        "name": "to-hub",
        "id": format!("{GROUP}/Microsoft.Network/privateDnsZones/levee.test/virtualNetworkLinks/l"),
        "virtualNetwork": { "id": network_id("hub") },
    }]);
    for links in [hub, json!([])] {
        picture.answers.clear();
        let answers = [("zone list", zones.clone()), ("link vnet list", links)];
        let asked = asked(&wish(), &mut picture, &answers);
        has(
            &asked,
            "link vnet list -g rg -z levee.test --subscription s",
        );
        has_not(&asked, "-z evee.test");
        has_not(&asked, "-z test.other");
        let more = ["backend-health.json", "observations.json", "vnet.json"];
        let (cause, answer) = judged(case, &mut picture, &more);
        assert_eq!(cause, "dns-unresolvable-backend", "{answer}");
        assert!(answer.contains("link vnet create"), "{answer}");
    }
}

#[test]
fn names_of_private_endpoints_have_zones_too() {
    let mut picture = gateway(json!({
        "name": "p", "backendAddresses": [{ "fqdn": "App1.azurewebsites.net" }],
    }));
    let zone = "privatelink.azurewebsites.net";
    let id = format!("{GROUP}/Microsoft.Network/privateDnsZones/{zone}");
    let app = format!("{GROUP}/Microsoft.Web/sites/app1");
    let apps = json!([
        { "id": format!("{app}-other"), "defaultHostName": "app2.azurewebsites.net" },
        { "id": app, "defaultHostName": "x.test", "hostNames": ["app1.azurewebsites.net"] },
    ]);
    let answers = [
        ("zone list", json!([{ "name": zone, "id": id }])),
        ("webapp list", apps),
    ];
    let asked = asked(&wish(), &mut picture, &answers);
    has(&asked, &format!("-z {zone}"));
    has(&asked, &format!("webapp show --ids {app}"));
    has_not(&asked, "app1-other");
    assert_eq!(picture.remarks, Vec::<String>::new());
}

#[test]
fn an_app_that_nobody_shows_is_told() {
    let mut picture = gateway(json!({
        "name": "p", "backendAddresses": [{ "fqdn": "app-slot.azurewebsites.net" }],
    }));
    asked(&wish(), &mut picture, &[("webapp list", json!([]))]);
    let expected = "webapp.json: no web app that az shows answers to app-slot.azurewebsites.net";
    assert_eq!(picture.remarks, [expected]);
}

#[test]
fn the_vault_that_keeps_the_gateway_out_is_the_one_that_is_read() {
    let case = "p-listener-certificate";
    let mut picture = of_case(case);
    picture.subject.vaults.insert(0, "open".to_owned());
    let open = json!({ "name": "open", "properties": { "publicNetworkAccess": "Enabled" } });
    let answers = [
        ("-n open", open),
        ("-n kv-brook", document(case, "keyvault.json")),
    ];
    asked(&wish(), &mut picture, &answers);
    assert_eq!(
        written(&mut picture, "keyvault.json").unwrap()["name"],
        "kv-brook"
    );
    assert_eq!(
        written(&mut picture, "keyvault-2.json").unwrap()["name"],
        "open"
    );
    picture
        .answers
        .retain(|(question, _)| !question.what.contains("open"));
    let more = ["backend-health.json", "observations.json"];
    let (cause, answer) = judged(case, &mut picture, &more);
    assert_eq!(cause, "listener-certificate-unreachable", "{answer}");
}

#[test]
fn metrics_and_logs_are_read_as_az_prints_them() {
    let case = "h-fixed-capacity";
    let mut picture = of_case(case);
    let wish = Wish {
        workspace: Some("w".to_owned()),
        ..wish()
    };
    let rows = document(case, "access-logs.json");
    let answers = [
        ("metrics list", document(case, "metrics.json")),
        ("AGWAccessLogs", json!([])),
        ("AzureDiagnostics", rows.clone()),
    ];
    let asked = asked(&wish, &mut picture, &answers);
    let id = picture.subject.id.to_string();
    has(&asked, &format!("--resource {id} --metrics CapacityUnits"));
    has(
        &asked,
        &format!("-w w --analytics-query AGWAccessLogs | where _ResourceId =~ '{id}'"),
    );
    has(&asked, "AzureDiagnostics");
    assert_eq!(written(&mut picture, "access-logs.json"), Some(rows));
    let (cause, answer) = judged(case, &mut picture, &["backend-health.json"]);
    assert_eq!(cause, "fixed-capacity", "{answer}");
}

#[test]
fn the_log_is_asked_for_once_where_it_has_rows_and_never_unasked() {
    let mut picture = gateway(json!({ "name": "p" }));
    has_not(&asked(&wish(), &mut picture, &[]), "log-analytics");
    let wish = Wish {
        workspace: Some("w".to_owned()),
        ..wish()
    };
    let rows = json!([{ "HttpStatus": "502" }]);
    let asked = asked(&wish, &mut picture, &[("AGWAccessLogs", rows)]);
    has_not(&asked, "AzureDiagnostics");
}

/// An event as `az monitor activity-log list` prints it.
fn event(time: &str, status: &str, operation: &str) -> Value {
    let message = json!({ "error": { "code": "Refused", "message": time } }).to_string();
    json!({
        "eventTimestamp": time, "status": { "value": status },
        "operationName": { "value": format!("Microsoft.Network/applicationGateways/{operation}") },
        "properties": { "statusMessage": message },
    })
}

#[test]
fn changes_that_failed_are_told_unless_one_succeeded_since() {
    let failed = json!([
        event("2026-03-18T10:00:00Z", "Failed", "write"),
        event("2026-03-20T10:00:00.5Z", "Failed", "write"),
        event("2026-03-21T10:00:00Z", "Failed", "backendhealth/action"),
    ]);
    let told = |succeeded: Value| {
        let mut picture = gateway(json!({ "name": "p" }));
        let answers = [
            ("--status Failed", failed.clone()),
            ("--status Succeeded", succeeded),
        ];
        asked(&wish(), &mut picture, &answers);
        let written = written(&mut picture, "last-error.json");
        let list = written
            .and_then(|events| events.as_array().cloned())
            .unwrap_or_default();
        let times = list.iter().filter_map(|one| text(one, "/eventTimestamp"));
        (
            times.map(str::to_owned).collect::<Vec<_>>(),
            picture.remarks,
        )
    };
    let (times, _) = told(json!([]));
    assert_eq!(times, ["2026-03-20T10:00:00.5Z", "2026-03-18T10:00:00Z"]);
    let (times, _) = told(json!([event("2026-03-19T10:00:00Z", "Succeeded", "write")]));
    assert_eq!(times, ["2026-03-20T10:00:00.5Z"]);
    let later = "2026-03-22T10:00:00Z";
    let (times, _) = told(json!([event(later, "Succeeded", "backendHealth/action")]));
    assert_eq!(times.len(), 2);
    let (times, remarks) = told(json!([event(later, "Succeeded", "write")]));
    assert_eq!(times, Vec::<String>::new());
    let expected = "last-error.json: 2 events of failed changes are left out";
    assert!(
        remarks.iter().any(|one| one.starts_with(expected)),
        "{remarks:?}"
    );
}

#[test]
fn what_succeeded_is_asked_for_only_where_that_decides() {
    let failed = [(
        "--status Failed",
        json!([event("2026-03-18T10:00:00Z", "Failed", "write")]),
    )];
    let mut one = gateway(json!({ "name": "p" }));
    has(&asked(&wish(), &mut one, &failed), "--status Succeeded");
    has_not(
        &asked(&wish(), &mut gateway(json!({ "name": "p" })), &[]),
        "--status Succeeded",
    );
    let mut one = gateway(json!({ "name": "p" }));
    one.subject.has_succeeded = false;
    has_not(&asked(&wish(), &mut one, &failed), "--status Succeeded");
}

/// A network with a security group of its own at each subnet.
fn network(name: &str, prefix: &str, subnets: &[(&str, &str)], peers: Value) -> Value {
    let one = |(own, prefix): &(&str, &str)| {
        json!({
            "id": subnet(name, own), "name": own, "addressPrefix": prefix,
            "type": "Microsoft.Network/virtualNetworks/subnets",
            "networkSecurityGroup": {
                "id": format!("{GROUP}/Microsoft.Network/networkSecurityGroups/of-{own}"),
            },
            "routeTable": { "id": format!("{GROUP}/Microsoft.Network/routeTables/of-{own}") },
        })
    };
    json!({
        "id": network_id(name), "name": name, "type": "Microsoft.Network/virtualNetworks",
        "addressSpace": { "addressPrefixes": [prefix] },
        "subnets": subnets.iter().map(one).collect::<Vec<_>>(), "virtualNetworkPeerings": peers,
    })
}

fn peering(to: &str, prefix: &str) -> Value {
    json!({
        "name": to, "remoteVirtualNetwork": { "id": network_id(to) },
        "remoteAddressSpace": { "addressPrefixes": [prefix] },
    })
}

#[test]
fn groups_and_tables_are_those_on_the_way() {
    let mut picture = gateway(json!({
        "name": "p", "backendAddresses": [{ "ipAddress": "10.0.1.4" }, { "ipAddress": "10.1.1.4" }],
    }));
    let peers = json!([
        peering("far", "10.1.0.0/16"),
        peering("else", "10.2.0.0/16")
    ]);
    let subnets = [
        ("gateways", "10.0.0.0/24"),
        ("near", "10.0.1.0/24"),
        ("idle", "10.0.2.0/24"),
    ];
    let near = network("net", "10.0.0.0/16", &subnets, peers);
    let far = [("far-servers", "10.1.1.0/24"), ("far-idle", "10.1.2.0/24")];
    let far = network("far", "10.1.0.0/16", &far, json!([]));
    let own = format!("vnet show --ids {}", network_id("net"));
    let other = format!("vnet show --ids {}", network_id("far"));
    let answers = [(own.as_str(), near), (other.as_str(), far)];
    let asked = asked(&wish(), &mut picture, &answers);
    has_not(&asked, &network_id("else"));
    for name in ["gateways", "near", "far-servers"] {
        let group =
            format!("nsg show --ids {GROUP}/Microsoft.Network/networkSecurityGroups/of-{name}");
        has(&asked, &group);
        has(
            &asked,
            &format!("route-table show --ids {GROUP}/Microsoft.Network/routeTables/of-{name}"),
        );
        assert_eq!(
            asked
                .iter()
                .filter(|one| **one == group || one.ends_with(&group))
                .count(),
            1
        );
    }
    has_not(&asked, "of-idle");
    has_not(&asked, "of-far-idle");
    let backends = written(&mut picture, "backend-subnet.json").unwrap();
    assert_eq!(backends[0]["name"], "far");
    assert_eq!(written(&mut picture, "vnet.json").unwrap()["name"], "net");
}

#[test]
fn a_member_that_can_be_anywhere_makes_all_subnets_worth_it() {
    let subnets = [("gateways", "10.0.0.0/24"), ("idle", "10.0.2.0/24")];
    for (name, is_anywhere) in [("db.internal", true), ("app1.azurewebsites.net", false)] {
        let mut picture = gateway(json!({ "name": "p", "backendAddresses": [{ "fqdn": name }] }));
        let own = network("net", "10.0.0.0/16", &subnets, json!([]));
        let asked = asked(&wish(), &mut picture, &[("network vnet show", own)]);
        let is_asked = asked
            .iter()
            .any(|one| one.contains("networkSecurityGroups/of-idle"));
        assert_eq!(is_asked, is_anywhere, "{name}");
    }
}

#[test]
fn lists_of_groups_are_empty_only_where_that_is_known() {
    let mut picture = gateway(json!({ "name": "p" }));
    asked(&wish(), &mut picture, &[]);
    assert_eq!(written(&mut picture, "nsgs.json"), None);
    let own = json!({ "id": subnet("net", "GATEWAYS"), "addressPrefix": "10.0.0.0/24" });
    picture.answers.clear();
    asked(&wish(), &mut picture, &[("vnet subnet show", own)]);
    assert_eq!(written(&mut picture, "nsgs.json"), Some(json!([])));
    assert_eq!(written(&mut picture, "route-tables.json"), Some(json!([])));
}

#[test]
fn more_than_is_asked_for_is_told() {
    let joined = |index: u32| {
        let id = format!("{GROUP}/Microsoft.Network/networkInterfaces/n{index}");
        json!({ "id": format!("{id}/ipConfigurations/i") })
    };
    let all: Vec<Value> = (0..40).map(joined).collect();
    let mut picture = gateway(json!({ "name": "p", "backendIPConfigurations": all }));
    let asked = asked(&wish(), &mut picture, &[]);
    let shown = asked
        .iter()
        .filter(|one| one.starts_with("network nic show"));
    assert_eq!(shown.count(), INTERFACES_MAX);
    let expected = "of 40 network interfaces, only the first 16 are asked for";
    assert_eq!(picture.remarks, [expected]);
}

#[test]
fn the_first_generation_has_other_metrics() {
    let mut picture = gateway(json!({ "name": "p" }));
    picture.subject.is_v1 = true;
    let asked = asked(&wish(), &mut picture, &[]);
    has(&asked, "Throughput");
    has_not(&asked, "CapacityUnits");
    let wish = Wish {
        subscription: Some("sub".to_owned()),
        ..wish()
    };
    let question = wish.gateway();
    assert_eq!(
        question.call.arguments,
        ["-g", "rg", "-n", "gw", "--subscription", "sub"]
    );
}
