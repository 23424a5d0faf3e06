//! Policies of the firewall, identities, machines, and what holds for interfaces in the end.

mod support;

use reqwest::StatusCode;
use serde_json::{Value, json};
use support::{API_VERSION, GROUP, LOCATION, Reply, Site, group, merge_tags_at_once, names, net};

const POLICY: &str = "ApplicationGatewayWebApplicationFirewallPolicies/waf1";

fn policy() -> Value {
    json!({"location": LOCATION, "properties": {"managedRules": {"managedRuleSets": [
        {"ruleSetType": "Microsoft_DefaultRuleSet", "ruleSetVersion": "2.1"},
    ]}}})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_is_answered_as_recorded() {
    let site = Site::with_group().await;
    let made = site.api.create(&net(POLICY), &policy()).await;
    let expected = json!({
        "name": "waf1",
        "id": net(POLICY),
        "etag": made["etag"],
        "type": "Microsoft.Network/ApplicationGatewayWebApplicationFirewallPolicies",
        "location": LOCATION,
        "properties": {
            "provisioningState": "Succeeded",
            "customRules": [],
            "policySettings": {
                "requestBodyCheck": true,
                "maxRequestBodySizeInKb": 128,
                "fileUploadLimitInMb": 100,
                "state": "Disabled",
                "mode": "Detection",
                "requestBodyInspectLimitInKB": 128,
                "fileUploadEnforcement": true,
                "requestBodyEnforcement": true,
            },
            "managedRules": {
                "managedRuleSets": [{
                    "ruleSetType": "Microsoft_DefaultRuleSet",
                    "ruleSetVersion": "2.1",
                    "ruleGroupOverrides": [],
                }],
                "exclusions": [],
            },
        },
    });
    assert_eq!(made.to_string(), expected.to_string());
    let mut body = policy();
    body["properties"]["customRules"] = json!([{
        "action": "Log",
        "matchConditions": [{
            "matchValues": ["192.168.1.0/24"],
            "matchVariables": [{"variableName": "RemoteAddr"}],
            "operator": "IPMatch",
        }],
        "name": "rule1",
        "priority": 50,
        "ruleType": "MatchRule",
    }]);
    body["properties"]["managedRules"]["managedRuleSets"][0]["ruleGroupOverrides"] =
        json!([{"ruleGroupName": "SQLI", "rules": [{"ruleId": 942100}]}]);
    let lower = net("applicationGatewayWebApplicationFirewallPolicies/waf1");
    let reply = site.api.put(&lower, &body).await.expect(StatusCode::OK);
    assert!(reply.header("azure-asyncoperation").is_some());
    assert_eq!(reply.body["id"], net(POLICY));
    let rule = json!([{
        "name": "rule1",
        "priority": 50,
        "ruleType": "MatchRule",
        "action": "Log",
        "matchConditions": [{
            "matchVariables": [{"variableName": "RemoteAddr"}],
            "operator": "IPMatch",
            "negationConditon": false,
            "matchValues": ["192.168.1.0/24"],
            "transforms": [],
        }],
        "skippedManagedRuleSets": [],
        "state": "Enabled",
    }]);
    assert_eq!(
        reply.body["properties"]["customRules"].to_string(),
        rule.to_string()
    );
    let rules = "/properties/managedRules/managedRuleSets/0/ruleGroupOverrides/0/rules";
    let expected = json!([{"ruleId": "942100", "state": "Disabled"}]);
    assert_eq!(reply.body.pointer(rules), Some(&expected));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_policy_cannot_be() {
    let site = Site::with_group().await;
    let put = async |set: &dyn Fn(&mut Value)| {
        let mut body = policy();
        set(&mut body["properties"]);
        site.api.put(&net(POLICY), &body).await
    };
    let size = |kib: i64| {
        move |bag: &mut Value| bag["policySettings"] = json!({"maxRequestBodySizeInKb": kib})
    };
    let older = |bag: &mut Value| {
        bag["managedRules"]["managedRuleSets"] =
            json!([{"ruleSetType": "OWASP", "ruleSetVersion": "3.1"}]);
        size(129)(bag);
    };
    let code = "GW-E-firewall";
    let told = |reply: &Reply| reply.refused(code).to_owned();
    let words = "is out of range, it should be within 8 and";
    let expected = format!("MaxRequestBodySizeInKb 2001 {words} 2000");
    assert_eq!(told(&put(&size(2001)).await), expected);
    assert_eq!(
        told(&put(&size(7)).await),
        format!("MaxRequestBodySizeInKb 7 {words} 2000")
    );
    assert_eq!(
        told(&put(&older).await),
        format!("MaxRequestBodySizeInKb 129 {words} 128")
    );
    assert!(put(&size(2000)).await.status.is_success());
    let none = |bag: &mut Value| bag["managedRules"]["managedRuleSets"] = json!([]);
    put(&none).await.refused("GW-E-firewall");
    let nothing = |bag: &mut Value| bag["managedRules"] = json!(null);
    put(&nothing).await.refused("InvalidRequestFormat");
    let rule = |name: &str, priority: i64| {
        json!({
            "name": name, "priority": priority, "ruleType": "MatchRule", "action": "Block",
            "matchConditions": [],
        })
    };
    let twice = |bag: &mut Value| bag["customRules"] = json!([rule("a", 1), rule("b", 1)]);
    put(&twice).await.refused("GW-E-firewall");
    let namesakes = |bag: &mut Value| bag["customRules"] = json!([rule("a", 1), rule("a", 2)]);
    put(&namesakes).await.refused("GW-E-firewall");
}

/// A gateway with the policy on itself and on its listener.
fn gateway() -> Value {
    let own = |path: &str| json!({"id": net(&format!("applicationGateways/ag1/{path}"))});
    let policy = json!({"id": net(POLICY)});
    json!({"location": LOCATION, "properties": {
        "sku": {"name": "WAF_v2", "tier": "WAF_v2", "capacity": 1},
        "gatewayIPConfigurations": [{"name": "p", "properties": {"subnet": {"id": subnet()}}}],
        "frontendIPConfigurations": [{"name": "f", "properties": {
            "publicIPAddress": {"id": net("publicIPAddresses/pip1")},
        }}],
        "frontendPorts": [{"name": "http", "properties": {"port": 80}}],
        "backendAddressPools": [{"name": "pool"}],
        "backendHttpSettingsCollection": [{"name": "s", "properties": {
            "port": 8080, "protocol": "Http",
        }}],
        "httpListeners": [{"name": "l", "properties": {
            "frontendIPConfiguration": own("frontendIPConfigurations/f"),
            "frontendPort": own("frontendPorts/http"),
            "protocol": "Http",
            "firewallPolicy": policy,
        }}],
        "requestRoutingRules": [{"name": "r", "properties": {
            "ruleType": "Basic", "priority": 1,
            "httpListener": own("httpListeners/l"),
            "backendAddressPool": own("backendAddressPools/pool"),
            "backendHttpSettings": own("backendHttpSettingsCollection/s"),
        }}],
        "firewallPolicy": policy,
    }})
}

fn subnet() -> String {
    net("virtualNetworks/v/subnets/a")
}

async fn network(site: &Site, more: &Value) {
    let mut bag = json!({"addressPrefix": "10.0.0.0/24"});
    for (name, value) in more.as_object().unwrap() {
        bag[name] = value.clone();
    }
    let body = json!({"location": LOCATION, "properties": {
        "addressSpace": {"addressPrefixes": ["10.0.0.0/16"]},
        "subnets": [{"name": "a", "properties": bag}],
    }});
    site.api.create(&net("virtualNetworks/v"), &body).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_and_an_identity_know_their_gateway() {
    let site = Site::with_group().await;
    site.api.create(&net(POLICY), &policy()).await;
    network(&site, &json!({})).await;
    let address = json!({"location": LOCATION});
    site.api
        .create(&net("publicIPAddresses/pip1"), &address)
        .await;
    let path = net("applicationGateways/ag1");
    let identity = format!(
        "{}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id1",
        group(GROUP)
    );
    let identity_body = site.api.create(&identity, &address).await;
    let mut body = gateway();
    body["identity"] = json!({"type": "UserAssigned", "userAssignedIdentities": {&identity: {}}});
    let made = site.api.create(&path, &body).await;
    let expected = json!({
        "principalId": identity_body["properties"]["principalId"],
        "clientId": identity_body["properties"]["clientId"],
    });
    assert_eq!(
        made["identity"]["userAssignedIdentities"][&identity],
        expected
    );
    let properties = site.api.get(&net(POLICY)).await.body["properties"].clone();
    assert_eq!(
        names(&properties)[4..],
        ["applicationGateways", "httpListeners"]
    );
    assert_eq!(properties["applicationGateways"], json!([{ "id": path }]));
    let listener = format!("{path}/httpListeners/l");
    assert_eq!(properties["httpListeners"], json!([{ "id": listener }]));
    let reply = site.api.delete(&net(POLICY)).await;
    reply.refused("GW-E-in-use");
    site.api.remove(&path).await;
    site.api.remove(&net(POLICY)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_identity_is_there_at_once_and_keeps_its_guids() {
    let site = Site::with_group().await;
    let kind = "Microsoft.ManagedIdentity/userAssignedIdentities";
    let path = format!("{}/providers/{kind}/id1", group(GROUP));
    let body = json!({"location": LOCATION});
    let made = site.api.put(&path, &body).await.expect(StatusCode::CREATED);
    assert_eq!(made.header("azure-asyncoperation"), None);
    assert_eq!(
        names(&made.body),
        ["location", "tags", "id", "name", "type", "properties"]
    );
    assert_eq!(
        names(&made.body["properties"]),
        ["tenantId", "principalId", "clientId"]
    );
    assert_eq!(made.body["type"], kind);
    let mut tagged = made.body.clone();
    tagged["tags"] = json!({"a": "b"});
    tagged["properties"]["clientId"] = json!("another");
    let again = site.api.put(&path, &tagged).await.expect(StatusCode::OK);
    assert_eq!(again.body["properties"], made.body["properties"]);
    assert_eq!(again.body["tags"], json!({"a": "b"}));
    site.api
        .put(&path.replace("id1", "id2"), &json!({}))
        .await
        .refused("LocationRequired");
    assert_eq!(site.api.delete(&path).await.status, StatusCode::OK);
    assert_eq!(site.api.delete(&path).await.status, StatusCode::NO_CONTENT);
}

fn machine_path() -> String {
    format!(
        "{}/providers/Microsoft.Compute/virtualMachines/vm1",
        group(GROUP)
    )
}

fn interface(more: &Value) -> Value {
    let mut bag = json!({"ipConfigurations": [{
        "name": "ipconfig1",
        "properties": {"subnet": {"id": subnet()}},
    }]});
    for (name, value) in more.as_object().unwrap() {
        bag[name] = value.clone();
    }
    json!({"location": LOCATION, "properties": bag})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machines_interface_stays() {
    let site = Site::with_group().await;
    network(&site, &json!({})).await;
    let nic = net("networkInterfaces/nic1");
    site.api.create(&nic, &interface(&json!({}))).await;
    let body = json!({"location": LOCATION, "properties": {
        "hardwareProfile": {"vmSize": "Standard_DS1_v2"},
        "osProfile": {"computerName": "vm1", "adminPassword": "secret", "customData": "eA=="},
        "networkProfile": {"networkInterfaces": [{"id": nic, "properties": {"primary": true}}]},
    }});
    let made = site.api.create(&machine_path(), &body).await;
    assert_eq!(made["location"], LOCATION);
    assert_eq!(
        made["properties"]["osProfile"],
        json!({"computerName": "vm1"})
    );
    let again = site.api.create(&machine_path(), &made).await;
    for member in ["vmId", "timeCreated"] {
        assert!(made["properties"][member].is_string(), "{made}");
        assert_eq!(again["properties"][member], made["properties"][member]);
    }
    let got = site.api.get(&nic).await.body;
    assert_eq!(
        got["properties"]["virtualMachine"],
        json!({"id": machine_path()})
    );
    assert_eq!(got["properties"]["primary"], true);
    let reply = site.api.delete(&nic).await.expect(StatusCode::BAD_REQUEST);
    assert_eq!(
        reply.refused("NicInUse"),
        format!(
            "Network Interface {nic} is used by existing resource {}. In order to delete the \
             network interface, it must be dissociated from the resource. To learn more, see \
             aka.ms/deletenic.",
            machine_path()
        )
    );
    site.api.remove(&machine_path()).await;
    site.api.remove(&nic).await;
    let lost = json!({"location": LOCATION, "properties": {
        "networkProfile": {"networkInterfaces": [{"id": nic}]},
    }});
    site.api
        .put(&machine_path(), &lost)
        .await
        .refused("InvalidResourceReference");
}

async fn asked(site: &Site, word: &str) -> Value {
    let path = net(&format!("networkInterfaces/nic1/{word}"));
    let reply = site
        .api
        .post(&path, None)
        .await
        .expect(StatusCode::ACCEPTED);
    assert_eq!(reply.text, "null");
    assert_eq!(reply.header("azure-asyncoperation"), None);
    let location = reply.header("location").unwrap();
    assert!(location.contains("/operationResults/") && location.ends_with(API_VERSION));
    site.api.result(&reply).await.expect(StatusCode::OK).body
}

#[tokio::test(flavor = "multi_thread")]
async fn effective_routes_are_the_services_and_the_users() {
    let site = Site::with_group().await;
    let table = json!({"location": LOCATION, "properties": {"routes": [
        {"name": "r1", "properties": {
            "addressPrefix": "10.0.0.0/16",
            "nextHopType": "VirtualAppliance",
            "nextHopIpAddress": "10.0.0.9",
        }},
    ]}});
    site.api.create(&net("routeTables/rt1"), &table).await;
    network(
        &site,
        &json!({"routeTable": {"id": net("routeTables/rt1")}}),
    )
    .await;
    site.api
        .create(&net("networkInterfaces/nic1"), &interface(&json!({})))
        .await;
    let value = asked(&site, "effectiveRouteTable").await["value"].clone();
    let find = |source: &str, prefix: &str| {
        let mut all = value.as_array().unwrap().iter();
        let found =
            all.find(|one| one["source"] == source && one["addressPrefix"] == json!([prefix]));
        found
            .cloned()
            .unwrap_or_else(|| panic!("no {source} {prefix} in {value}"))
    };
    let route = find("Default", "10.0.0.0/16");
    assert_eq!(
        (&route["nextHopType"], &route["state"]),
        (&json!("VnetLocal"), &json!("Invalid"))
    );
    let route = find("Default", "0.0.0.0/0");
    assert_eq!(
        (&route["nextHopType"], &route["state"]),
        (&json!("Internet"), &json!("Active"))
    );
    assert_eq!(find("Default", "192.168.0.0/16")["nextHopType"], "None");
    let route = find("User", "10.0.0.0/16");
    assert_eq!(route["name"], "r1");
    assert_eq!(route["nextHopIpAddress"], json!(["10.0.0.9"]));
    assert!(!value.to_string().contains("::/0"));
}

#[tokio::test(flavor = "multi_thread")]
async fn effective_groups_are_the_subnets_and_the_interfaces() {
    let site = Site::with_group().await;
    let rule = json!({"name": "web", "properties": {
        "access": "Allow", "direction": "Inbound", "priority": 100, "protocol": "Tcp",
        "sourceAddressPrefix": "*", "sourcePortRange": "*",
        "destinationAddressPrefix": "VirtualNetwork", "destinationPortRanges": ["80", "443-444"],
    }});
    let first = net("networkSecurityGroups/nsg1");
    let second = net("networkSecurityGroups/nsg2");
    let group = json!({"location": LOCATION, "properties": {"securityRules": [rule]}});
    site.api.create(&first, &group).await;
    site.api
        .create(&second, &json!({"location": LOCATION}))
        .await;
    network(&site, &json!({"networkSecurityGroup": {"id": first}})).await;
    let nic = net("networkInterfaces/nic1");
    let body = interface(&json!({"networkSecurityGroup": {"id": second}}));
    site.api.create(&nic, &body).await;
    let value = asked(&site, "effectiveNetworkSecurityGroups").await["value"].clone();
    assert_eq!(value[0]["networkSecurityGroup"], json!({ "id": first }));
    assert_eq!(value[0]["association"], json!({"subnet": {"id": subnet()}}));
    assert_eq!(
        value[1]["association"],
        json!({"networkInterface": {"id": nic}})
    );
    let expected = json!({
        "name": "securityRules/web",
        "protocol": "Tcp",
        "sourcePortRange": "0-65535",
        "sourcePortRanges": ["0-65535"],
        "destinationPortRange": "80-80,443-444",
        "destinationPortRanges": ["80-80", "443-444"],
        "sourceAddressPrefix": "0.0.0.0/0",
        "sourceAddressPrefixes": ["0.0.0.0/0"],
        "expandedDestinationAddressPrefix": ["10.0.0.0/16", "168.63.129.16/32"],
        "destinationAddressPrefix": "VirtualNetwork",
        "destinationAddressPrefixes": ["VirtualNetwork"],
        "access": "Allow",
        "priority": 100,
        "direction": "Inbound",
    });
    assert_eq!(value[0]["effectiveSecurityRules"][0], expected);
    assert_eq!(
        value[0]["effectiveSecurityRules"].as_array().unwrap().len(),
        7
    );
    assert_eq!(
        value[1]["effectiveSecurityRules"].as_array().unwrap().len(),
        6
    );
    let users = site.api.get(&second).await.body["properties"]["networkInterfaces"].clone();
    assert_eq!(users, json!([{ "id": nic }]));
    let missing = net("networkInterfaces/none/effectiveRouteTable");
    site.api
        .post(&missing, None)
        .await
        .refused("ResourceNotFound");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_routes_with_one_prefix_conflict() {
    let site = Site::with_group().await;
    let route = |name: &str, prefix: &str| {
        let bag = json!({"addressPrefix": prefix, "nextHopType": "None"});
        json!({"name": name, "properties": bag})
    };
    let table = |second: &str| {
        json!({"location": LOCATION, "properties": {
            "routes": [route("default0", "10.0.0.0/16"), route("default1", second)],
        }})
    };
    let path = net("routeTables/t");
    let refused = site.api.put(&path, &table("10.0.0.0/16")).await;
    assert_eq!(
        refused.refused("RouteConflict"),
        "Route: default1 conflicts with Route: default0. Routes cannot have the same \
         AddressPrefix."
    );
    site.api.create(&path, &table("10.1.0.0/16")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_places_and_words_are_judged_as_the_network_does() {
    let site = Site::with_group().await;
    let api = &site.api;
    let located = |location: &str| json!({ "location": location });
    for name in ["a:b", "a.", ".a", &"x".repeat(81)] {
        let refused = api
            .put(&net(&format!("routeTables/{name}")), &located(LOCATION))
            .await;
        refused.refused("InvalidResourceName");
    }
    let path = net("routeTables/t");
    let nowhere = api.put(&path, &json!({"tags": {}})).await;
    nowhere.refused("LocationRequired");
    let made = api.create(&path, &located("West US")).await;
    assert_eq!(made["location"], "westus");
    let moved = api.put(&path, &located("northeurope")).await;
    let moved = moved.expect(StatusCode::CONFLICT);
    assert_eq!(moved.body["error"]["code"], "InvalidResourceLocation");
    // Each PUT says where; what is stored stays.
    for nowhere in [json!({"tags": {}}), json!({"location": 5})] {
        api.put(&path, &nowhere).await.refused("LocationRequired");
    }
    api.patch(&path, &json!({"tags": {"a": "b"}})).await;
    assert_eq!(api.get(&path).await.body["location"], "westus");
    let mars = json!({"location": "Mars North"});
    let reply = site.api.put(&net("routeTables/there"), &mars).await;
    let message = reply.refused("LocationNotAvailableForResourceType");
    let beginning = "The provided location 'Mars North' is not available for resource type \
                     'Microsoft.Network/routeTables'. List of available regions for the resource \
                     type is 'eastus,";
    assert!(message.starts_with(beginning), "{message}");
    assert!(message.ends_with(",local'."), "{message}");
    let reply = site.api.put(&group("rg-mars"), &mars).await;
    let message = reply.refused("LocationNotAvailableForResourceGroup");
    assert!(
        message.contains("for resource group. List of available regions is '"),
        "{message}"
    );
    let sovereign = json!({"location": "USGov Virginia"});
    site.api.create(&net("routeTables/there"), &sovereign).await;
    api.create(&path, &located("WestUS")).await;
    let odd = json!({"location": LOCATION, "sku": {"name": "Basically"}});
    let refused = api.put(&net("publicIPAddresses/p"), &odd).await;
    refused.refused("InvalidRequestFormat");
    let detail = &refused.body["error"]["details"][0];
    assert_eq!(detail["code"], "InvalidJsonResourceType");
    assert_eq!(
        detail["message"],
        "Value for resource type Microsoft.WindowsAzure.Networking.Nrp.Frontend.Contract.Csm.\
         Public.PublicIpAddress is invalid, exception: Requested value 'Basically' was not found."
    );
    let orphan = api.get(&net("virtualNetworks/nosuch/subnets/x")).await;
    let message = orphan.expect(StatusCode::NOT_FOUND);
    let message = message.body["error"]["message"].as_str().unwrap();
    assert!(
        message.contains("'Microsoft.Network/virtualNetworks/nosuch'"),
        "{message}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_are_listed_by_their_tags() {
    let site = Site::with_group().await;
    let api = &site.api;
    for (name, tags) in [
        ("web1", json!({"team": "web"})),
        ("web2", json!({"Team": "web", "other": "x"})),
        ("db", json!({"team": "db", "other": "web"})),
    ] {
        let body = json!({"location": LOCATION, "tags": tags});
        api.create(&group(name), &body).await;
    }
    let list = async |query: &str| {
        let all = group("");
        let path = format!("{}?{query}", all.trim_end_matches('/'));
        let reply = api.get(&path).await.expect(StatusCode::OK);
        let value = reply.body["value"].as_array().unwrap().iter();
        value
            .map(|one| one["name"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let filter = "$filter=tagName%20eq%20'team'%20and%20tagValue%20eq%20'web'";
    assert_eq!(list(filter).await, ["web1", "web2"]);
    assert_eq!(list("$filter=tagName%20eq%20'other'").await, ["db", "web2"]);
    assert_eq!(list("$top=1").await.len(), 1);
    let odd = api
        .get(&format!(
            "{}?$filter=color",
            group("").trim_end_matches('/')
        ))
        .await;
    odd.refused("InvalidFilterInQueryString");
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_are_read_and_changed_by_themselves() {
    let site = Site::with_group().await;
    let api = &site.api;
    let table = net("routeTables/t");
    let body = json!({"location": LOCATION, "tags": {"Team": "web", "cost": "1"}});
    api.create(&table, &body).await;
    for scope in [table.clone(), group(GROUP)] {
        let path = format!("{scope}/providers/Microsoft.Resources/tags/default");
        let tags = |tags: Value| json!({"properties": {"tags": tags}});
        let put = api
            .put(&path, &tags(json!({"Team": "web", "cost": "1"})))
            .await;
        assert_eq!(put.expect(StatusCode::OK).body["name"], "default");
        let patch = async |operation: &str, changed: Value| {
            let mut body = tags(changed);
            body["operation"] = json!(operation);
            let reply = api.patch(&path, &body).await.expect(StatusCode::OK);
            reply.body["properties"]["tags"].clone()
        };
        let merged = patch("Merge", json!({"team": "db", "x": "y"})).await;
        assert_eq!(merged, json!({"Team": "db", "cost": "1", "x": "y"}));
        let left = patch("Delete", json!({"x": "other", "COST": "1"})).await;
        assert_eq!(left, json!({"Team": "db", "x": "y"}));
        assert_eq!(patch("Replace", json!({"a": "b"})).await, json!({"a": "b"}));
        let shown = api.get(&path).await.expect(StatusCode::OK).body;
        assert_eq!(shown["properties"]["tags"], json!({"a": "b"}));
        assert_eq!(api.get(&scope).await.body["tags"], json!({"a": "b"}));
        let odd = api.patch(&path, &tags(json!({}))).await;
        odd.refused("InvalidTagPatchOperation");
        let bad = api.put(&path, &tags(json!({"a<b": ""}))).await;
        bad.refused("InvalidTagNameCharacters");
        api.delete(&path).await.expect(StatusCode::OK);
        let shown = api.get(&path).await.body;
        assert_eq!(shown["properties"]["tags"], json!({}));
    }
    let mut body = body;
    body["tags"] = json!({"a": "b".repeat(257)});
    api.put(&table, &body)
        .await
        .refused("InvalidTagValueLength");
    for scope in [table, group(GROUP)] {
        let locks = format!("{scope}/providers/Microsoft.Authorization/locks");
        let locks = api.get(&locks).await.expect(StatusCode::OK);
        assert_eq!(locks.body, json!({"value": []}));
    }
    let nothing = net("routeTables/none/providers/Microsoft.Resources/tags/default");
    api.get(&nothing).await.expect(StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_of_tags_at_the_same_moment_all_stay() {
    let site = Site::with_group().await;
    let table = net("routeTables/t");
    let body = json!({"location": LOCATION});
    site.api.create(&table, &body).await;
    for scope in [table, group(GROUP)] {
        assert_eq!(merge_tags_at_once(&site.api, &scope).await, 8, "{scope}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_tells_how_full_it_is_and_an_interface_its_configurations() {
    let site = Site::with_group().await;
    let api = &site.api;
    network(&site, &json!({})).await;
    let nic = net("networkInterfaces/nic1");
    let path = net("virtualNetworks/v/usages");
    let usages = async || -> Vec<Value> {
        let reply = api.get(&path).await.expect(StatusCode::OK);
        let value = reply.body["value"].as_array().unwrap().clone();
        assert!(value.iter().all(|one| one["unit"] == "Count"));
        assert!(
            value
                .iter()
                .all(|one| one["name"]["value"] == "SubnetSpace")
        );
        value
    };
    let before = usages().await;
    assert_eq!(before[0]["id"], net("virtualNetworks/v/subnets/a"));
    assert_eq!(
        (&before[0]["currentValue"], &before[0]["limit"]),
        (&json!(0.0), &json!(251.0))
    );
    api.create(&nic, &interface(&json!({}))).await;
    assert_eq!(usages().await[0]["currentValue"], json!(1.0));
    let missing = net("virtualNetworks/none/usages");
    api.get(&missing).await.expect(StatusCode::NOT_FOUND);
    let shown = api.get(&nic).await.body["properties"]["ipConfigurations"].clone();
    let list = api.get(&format!("{nic}/ipConfigurations")).await;
    assert_eq!(list.expect(StatusCode::OK).body["value"], shown);
    let name = shown[0]["name"].as_str().unwrap();
    let one = format!("{nic}/ipConfigurations/{name}");
    assert_eq!(api.get(&one).await.expect(StatusCode::OK).body, shown[0]);
    let none = format!("{nic}/ipConfigurations/none");
    api.get(&none).await.expect(StatusCode::NOT_FOUND);
    let reply = api.put(&one, &shown[0]).await;
    reply.expect(StatusCode::METHOD_NOT_ALLOWED);
}
