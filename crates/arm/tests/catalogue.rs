//! The catalogues: against bodies recorded from the service where those are at hand, and by what
//! must hold of them anyway.

mod common;

use gatewright_arm::catalogue::*;
use serde_json::{Value, json};

const SUBSCRIPTION: &str = "00000000-0000-0000-0000-000000000000";

/// The texts of an array, or those at `pointer` in each of its items.
fn texts<'a>(array: &'a Value, pointer: &str) -> Vec<&'a str> {
    let items = array.as_array().expect("an array").iter();
    let texts = items.map(|item| item.pointer(pointer).and_then(Value::as_str));
    texts.map(|text| text.expect("a text")).collect()
}

fn resource_type<'a>(provider: &'a Value, name: &str) -> &'a Value {
    let types = provider["resourceTypes"].as_array().expect("types");
    let found = types.iter().find(|one| one["resourceType"] == name);
    found.unwrap_or_else(|| panic!("no {name}"))
}

#[test]
fn recorded_bodies_are_answered_as_they_were() {
    let Some(folder) = common::shared("spec/real-responses") else {
        return;
    };
    let policy = predefined_policy(SUBSCRIPTION, "AppGwSslPolicy20150501");
    for (file, answer) in [
        ("availableSslOptions", ssl_options(SUBSCRIPTION)),
        ("predefinedPolicies", predefined_policies(SUBSCRIPTION)),
        ("predefinedPolicy-20150501", policy.expect("a policy")),
        ("availableServerVariables", server_variables()),
        ("availableRequestHeaders", request_headers()),
        ("availableResponseHeaders", response_headers()),
        ("availableWafRuleSets", waf_rule_sets()),
        ("wafDynamicManifests-westus", waf_manifests(SUBSCRIPTION)),
    ] {
        let path = folder.join(format!("{file}.json"));
        let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path:?}: {e}"));
        let recorded: Value = serde_json::from_str(&text).expect("JSON");
        // As texts, so that the order of members counts too.
        let lines = |value: &Value| serde_json::to_string_pretty(value).expect("a text");
        for (ours, real) in lines(&answer).lines().zip(lines(&recorded).lines()) {
            assert_eq!(ours, real, "{file}");
        }
        assert_eq!(lines(&answer), lines(&recorded), "{file}");
    }
}

#[test]
fn a_predefined_policy_is_found_in_any_letter_case_as_the_list_has_it() {
    let list = predefined_policies("s1");
    for policy in list["value"].as_array().expect("a list") {
        let name = policy["name"].as_str().expect("a name");
        assert_eq!(
            predefined_policy("s1", &name.to_lowercase()).as_ref(),
            Some(policy)
        );
        let id = policy["id"].as_str().expect("an id");
        assert!(
            id.starts_with("/subscriptions/s1/resourceGroups//providers/"),
            "{id}"
        );
        assert!(id.ends_with(&format!(
            "/default/ApplicationGatewaySslPredefinedPolicy/{name}"
        )));
    }
    assert_eq!(
        ssl_options("s1")["properties"]["predefinedPolicies"],
        list["value"]
    );
    assert_eq!(predefined_policy("s1", "AppGwSslPolicy20990101"), None);
}

#[test]
fn the_strict_policy_of_2022_has_the_suites_with_gcm_alone() {
    let policy = predefined_policy("s1", "AppGwSslPolicy20220101S").expect("a policy");
    let suites = texts(&policy["properties"]["cipherSuites"], "");
    let expected = [
        "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
        "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
        "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
        "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    ];
    assert_eq!(suites, expected);
    assert_eq!(policy["properties"]["minProtocolVersion"], "TLSv1_2");
    let options = ssl_options("s1");
    let protocols = &options["properties"]["availableProtocols"];
    assert_eq!(
        protocols,
        &json!(["TLSv1_0", "TLSv1_1", "TLSv1_2", "TLSv1_3"])
    );
}

#[test]
fn what_rewrites_can_name_is_a_bare_array_without_repetition() {
    for (list, some, count) in [
        (server_variables(), "client_tcp_rtt", 32),
        (request_headers(), "X-Forwarded-For", 43),
        (response_headers(), "Strict-Transport-Security", 51),
    ] {
        let mut names = texts(&list, "");
        assert!(names.contains(&some), "{some}");
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}

#[test]
fn rule_sets_are_listed_under_the_services_malformed_id() {
    let list = waf_rule_sets();
    let expected = [
        "OWASP_3.2",
        "OWASP_3.1",
        "OWASP_3.0",
        "OWASP_2.2.9",
        "Microsoft_BotManagerRuleSet_0.1",
        "Microsoft_BotManagerRuleSet_1.0",
    ];
    assert_eq!(texts(&list["value"], "/name"), expected);
    let kind = "Microsoft.Network/applicationGatewayAvailableWafRuleSets";
    let id = format!("/subscriptions//resourceGroups//providers/{kind}/");
    assert_eq!(texts(&list["value"], "/id"), [id.as_str(); 6]);
    let rule = &list["value"][3]["properties"]["ruleGroups"][1]["rules"][0];
    assert_eq!(rule["ruleId"], json!(950107));
    assert_eq!(rule["ruleIdString"], "950107");
}

#[test]
fn the_manifest_has_the_newer_sets_and_their_rules() {
    let manifest = waf_manifest("s1");
    assert_eq!(waf_manifests("s1"), json!({ "value": [manifest] }));
    let id = "/subscriptions/s1/providers/Microsoft.Network/\
              applicationGatewayWafDynamicManifests/default";
    assert_eq!(manifest["id"], id);
    let sets = &manifest["properties"]["availableRuleSets"];
    let default = &manifest["properties"]["defaultRuleSet"];
    let names = |set: &Value| (set["ruleSetType"].clone(), set["ruleSetVersion"].clone());
    let all: Vec<_> = sets.as_array().expect("sets").iter().map(names).collect();
    assert!(all.contains(&names(default)));
    assert_eq!(sets[7]["ruleSetType"], "Microsoft_DefaultRuleSet");
    let groups = sets[7]["ruleGroups"].as_array().expect("groups");
    let rules = groups
        .iter()
        .flat_map(|group| group["rules"].as_array().expect("rules"));
    let rules: Vec<_> = rules.collect();
    assert_eq!(rules.len(), 189);
    let logging: Vec<_> = rules
        .iter()
        .filter(|rule| rule["action"] == "Log")
        .collect();
    assert_eq!(logging.len(), 1);
    assert_eq!(logging[0]["ruleId"], json!(99001017));
}

#[test]
fn a_provider_is_found_in_any_letter_case_and_says_whether_it_is_registered() {
    let network = provider("s1", "microsoft.NETWORK", true).expect("a provider");
    assert_eq!(
        network["id"],
        "/subscriptions/s1/providers/Microsoft.Network"
    );
    assert_eq!(network["namespace"], "Microsoft.Network");
    assert_eq!(network["registrationState"], "Registered");
    let unregistered = provider("s1", "Microsoft.Web", false).expect("a provider");
    assert_eq!(unregistered["registrationState"], "NotRegistered");
    assert_eq!(unregistered["registrationPolicy"], "RegistrationRequired");
    let free = provider("s1", "Microsoft.Resources", false).expect("a provider");
    assert_eq!(free["registrationState"], "Registered");
    assert_eq!(free["registrationPolicy"], "RegistrationFree");
    assert_eq!(provider("s1", "Microsoft.Relay", true), None);
}

#[test]
fn the_list_of_providers_asks_for_each_whether_it_is_registered() {
    let list = providers("s1", |namespace| namespace == "Microsoft.Network");
    let expected: Vec<&str> = namespaces().collect();
    assert_eq!(texts(&list["value"], "/namespace"), expected);
    assert_eq!(expected.len(), 9);
    for one in list["value"].as_array().expect("a list") {
        let namespace = one["namespace"].as_str().expect("a namespace");
        let alone = provider("s1", namespace, namespace == "Microsoft.Network");
        assert_eq!(Some(one), alone.as_ref());
    }
}

/// The api-versions that `az` 2.91 was seen to ask for (or a template of its to name).
#[test]
fn what_the_command_line_asks_for_is_offered() {
    for (namespace, name, version) in [
        ("Microsoft.Network", "applicationGateways", "2025-07-01"),
        ("Microsoft.Network", "virtualNetworks", "2015-06-15"),
        ("Microsoft.Network", "virtualNetworks/subnets", "2019-02-01"),
        (
            "Microsoft.Network",
            "networkSecurityGroups/securityRules",
            "2022-01-01",
        ),
        ("Microsoft.Network", "routeTables/routes", "2025-07-01"),
        ("Microsoft.Network", "publicIPAddresses", "2025-09-01"),
        ("Microsoft.Network", "networkInterfaces", "2023-11-01"),
        ("Microsoft.Network", "networkWatchers", "2022-01-01"),
        ("Microsoft.Network", "locations/operations", "2023-11-01"),
        ("Microsoft.Resources", "resourceGroups", "2024-11-01"),
        ("Microsoft.Resources", "deployments", "2022-09-01"),
        ("Microsoft.Web", "serverfarms", "2025-03-01"),
        ("Microsoft.Web", "sites", "2023-12-01"),
        ("Microsoft.Web", "sites/config", "2025-05-01"),
        ("Microsoft.KeyVault", "vaults", "2023-02-01"),
        (
            "Microsoft.ManagedIdentity",
            "userAssignedIdentities",
            "2023-01-31",
        ),
        ("Microsoft.Insights", "eventtypes/values", "2015-04-01"),
        ("Microsoft.Insights", "metrics", "2018-01-01"),
        (
            "Microsoft.Insights",
            "diagnosticSettings",
            "2021-05-01-preview",
        ),
        ("Microsoft.Compute", "virtualMachines", "2026-04-01"),
        ("Microsoft.OperationalInsights", "workspaces", "2025-02-01"),
    ] {
        let provider = provider("s1", namespace, true).expect(namespace);
        let versions = texts(&resource_type(&provider, name)["apiVersions"], "");
        assert!(versions.contains(&version), "{name} {version}");
    }
}

/// `az resource show` takes the newest version that is no preview: the first of the list.
#[test]
fn versions_are_listed_newest_first() {
    for namespace in namespaces() {
        let provider = provider("s1", namespace, true).expect(namespace);
        for one in provider["resourceTypes"].as_array().expect("types") {
            let versions = texts(&one["apiVersions"], "");
            assert!(!versions.is_empty(), "{one}");
            assert!(versions.is_sorted_by(|a, b| a[..10] >= b[..10]), "{one}");
        }
    }
}

#[test]
fn a_type_that_came_later_lacks_the_older_versions() {
    let network = provider("s1", "Microsoft.Network", true).expect("a provider");
    let oldest = |name: &str| {
        let versions = texts(&resource_type(&network, name)["apiVersions"], "");
        versions.last().expect("a version").to_string()
    };
    assert_eq!(oldest("applicationGateways"), "2015-05-01-preview");
    assert_eq!(oldest("networkWatchers"), "2016-09-01");
    assert_eq!(
        oldest("ApplicationGatewayWebApplicationFirewallPolicies"),
        "2018-12-01"
    );
}

#[test]
fn regions_are_those_that_types_lie_in_and_one_of_our_own() {
    let list = locations("s1");
    let network = provider("s1", "Microsoft.Network", true).expect("a provider");
    let gateways = resource_type(&network, "applicationGateways");
    assert_eq!(
        texts(&list["value"], "/displayName"),
        texts(&gateways["locations"], "")
    );
    assert_eq!(gateways["capabilities"], "SupportsTags, SupportsLocation");
    assert_eq!(resource_type(&network, "locations")["locations"], json!([]));
    let region = |name: &str| {
        let all = list["value"].as_array().expect("a list");
        all.iter().find(|one| one["name"] == name).expect(name)
    };
    let expected = json!({
        "id": "/subscriptions/s1/locations/eastus",
        "name": "eastus",
        "type": "Region",
        "displayName": "East US",
        "regionalDisplayName": "(US) East US",
        "metadata": {
            "regionType": "Physical",
            "regionCategory": "Recommended",
            "geography": "United States",
            "geographyGroup": "US",
            "physicalLocation": "Virginia",
            "pairedRegion": [{ "name": "westus", "id": "/subscriptions/s1/locations/westus" }],
        },
    });
    assert_eq!(region("eastus"), &expected);
    assert_eq!(region("local")["regionalDisplayName"], "Local");
    assert_eq!(region("local")["metadata"]["pairedRegion"], json!([]));
}
