//! Network security groups and route tables.

mod support;

use reqwest::StatusCode;
use serde_json::{Value, json};
use support::{LOCATION, Site, names, net};

const GROUP: &str = "networkSecurityGroups/nsg1";
const TABLE: &str = "routeTables/rt1";

fn rule(priority: i64, more: &[(&str, Value)]) -> Value {
    let mut properties = json!({
        "access": "Allow",
        "destinationAddressPrefix": "1234",
        "destinationPortRange": "4444",
        "direction": "Inbound",
        "priority": priority,
        "protocol": "*",
        "sourceAddressPrefix": "789",
        "sourcePortRange": "*",
    });
    for (name, value) in more {
        properties[*name] = value.clone();
    }
    json!({"name": "web", "properties": properties})
}

async fn site() -> Site {
    let site = Site::with_group().await;
    site.api
        .create(&net(GROUP), &json!({"location": LOCATION}))
        .await;
    site.api
        .create(&net(TABLE), &json!({"location": LOCATION}))
        .await;
    site
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_and_its_rules_are_answered_as_recorded() {
    let site = Site::with_group().await;
    let body = json!({"location": LOCATION, "tags": {"foo": "doo"}});
    let group = site.api.create(&net(GROUP), &body).await;
    assert_eq!(
        names(&group),
        [
            "name",
            "id",
            "etag",
            "type",
            "location",
            "tags",
            "properties"
        ]
    );
    let properties = &group["properties"];
    let expected = [
        "provisioningState",
        "resourceGuid",
        "securityRules",
        "defaultSecurityRules",
    ];
    assert_eq!(names(properties), expected);
    let defaults = properties["defaultSecurityRules"].as_array().unwrap();
    let told: Vec<_> = defaults
        .iter()
        .map(|rule| {
            (
                rule["name"].as_str().unwrap(),
                rule["properties"]["priority"].as_i64().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("AllowVnetInBound", 65000),
            ("AllowAzureLoadBalancerInBound", 65001),
            ("DenyAllInBound", 65500),
            ("AllowVnetOutBound", 65000),
            ("AllowInternetOutBound", 65001),
            ("DenyAllOutBound", 65500),
        ]
    );
    assert_eq!(
        names(&defaults[0]),
        ["name", "id", "etag", "type", "properties"]
    );
    assert_eq!(defaults[0]["etag"], group["etag"]);
    let path = net(&format!("{GROUP}/securityRules/web"));
    let made = site.api.create(&path, &rule(1000, &[])).await;
    let expected = json!({
        "name": "web",
        "id": path,
        "etag": made["etag"],
        "type": "Microsoft.Network/networkSecurityGroups/securityRules",
        "properties": {
            "provisioningState": "Succeeded",
            "protocol": "*",
            "sourcePortRange": "*",
            "destinationPortRange": "4444",
            "sourceAddressPrefix": "789",
            "destinationAddressPrefix": "1234",
            "access": "Allow",
            "priority": 1000,
            "direction": "Inbound",
            "sourcePortRanges": [],
            "destinationPortRanges": [],
            "sourceAddressPrefixes": [],
            "destinationAddressPrefixes": [],
        },
    });
    assert_eq!(made.to_string(), expected.to_string());
    let default = net(&format!("{GROUP}/defaultSecurityRules/DenyAllInBound"));
    site.api.get(&default).await.expect(StatusCode::OK);
    let reply = site.api.put(&default, &rule(100, &[])).await;
    assert_eq!(reply.status, StatusCode::METHOD_NOT_ALLOWED);
    // A PUT of the group without its rules drops them.
    let group = site.api.create(&net(GROUP), &body).await;
    assert_eq!(group["properties"]["securityRules"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_are_checked() {
    let site = site().await;
    let path = |name: &str| net(&format!("{GROUP}/securityRules/{name}"));
    site.api.create(&path("web"), &rule(1000, &[])).await;
    let reply = site.api.put(&path("other"), &rule(1000, &[])).await;
    let expected = "Security rule other conflicts with rule web. Rules cannot have the same \
                    Priority and Direction. To learn more, see aka.ms/nsgrules.";
    assert_eq!(
        reply
            .expect(StatusCode::BAD_REQUEST)
            .refused("SecurityRuleConflict"),
        expected
    );
    let outbound = [("direction", json!("outbound"))];
    let made = site
        .api
        .create(&path("other"), &rule(1000, &outbound))
        .await;
    assert_eq!(made["properties"]["direction"], "Outbound");
    let reply = site.api.put(&path("DenyAllInbound"), &rule(200, &[])).await;
    reply.refused("SecurityRuleConflict");
    for (priority, member, value, code) in [
        (99, "access", json!("Allow"), "SecurityRuleInvalidPriority"),
        (
            4097,
            "access",
            json!("Allow"),
            "SecurityRuleInvalidPriority",
        ),
        (
            300,
            "sourcePortRange",
            json!("any"),
            "SecurityRuleInvalidPortRange",
        ),
        (
            300,
            "destinationPortRange",
            json!("90-80"),
            "SecurityRuleInvalidPortRange",
        ),
        (
            300,
            "destinationPortRange",
            json!("65536"),
            "SecurityRuleInvalidPortRange",
        ),
        (
            300,
            "destinationPortRange",
            json!(null),
            "SecurityRuleInvalidPortRange",
        ),
        (
            300,
            "destinationPortRanges",
            json!(["80", "x"]),
            "SecurityRuleInvalidPortRange",
        ),
        (
            300,
            "sourceAddressPrefix",
            json!("50.206.209.68/27"),
            "SecurityRuleInvalidAddressPrefix",
        ),
        (
            300,
            "sourceAddressPrefix",
            json!(null),
            "SecurityRuleInvalidAddressPrefix",
        ),
        (
            300,
            "description",
            json!("x".repeat(141)),
            "GW-E-security-rule",
        ),
        (300, "protocol", json!("Sctp"), "InvalidRequestFormat"),
        (300, "direction", json!(null), "InvalidRequestFormat"),
    ] {
        let reply = site
            .api
            .put(&path("bad"), &rule(priority, &[(member, value.clone())]))
            .await;
        assert_eq!(reply.body["error"]["code"], code, "{member}: {value}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_subnet_has_stays() {
    let site = site().await;
    let vnet = json!({"location": LOCATION, "properties": {
        "addressSpace": {"addressPrefixes": ["10.0.0.0/16"]},
        "subnets": [{"name": "a", "properties": {
            "addressPrefix": "10.0.0.0/24",
            "networkSecurityGroup": {"id": net(GROUP)},
            "routeTable": {"id": net(TABLE)},
        }}],
    }});
    site.api.create(&net("virtualNetworks/v"), &vnet).await;
    let subnet = net("virtualNetworks/v/subnets/a");
    for path in [GROUP, TABLE] {
        let body = site.api.get(&net(path)).await.body;
        assert_eq!(
            body["properties"]["subnets"],
            json!([{ "id": subnet }]),
            "{path}"
        );
    }
    let reply = site.api.delete(&net(GROUP)).await;
    let message = reply.refused("InUseNetworkSecurityGroupCannotBeDeleted");
    assert!(message.contains(&subnet), "{message}");
    let reply = site.api.delete(&net(TABLE)).await;
    let message = reply.refused("InUseRouteTableCannotBeDeleted");
    assert_eq!(message, "Route table rt1 is in use and cannot be deleted.");
    site.api
        .create(
            &subnet,
            &json!({"properties": {"addressPrefix": "10.0.0.0/24"}}),
        )
        .await;
    site.api.remove(&net(GROUP)).await;
    site.api.remove(&net(TABLE)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn routes_are_answered_as_recorded_and_checked() {
    let site = site().await;
    let table = site.api.get(&net(TABLE)).await.body;
    assert_eq!(
        names(&table["properties"]),
        [
            "provisioningState",
            "resourceGuid",
            "disableBgpRoutePropagation",
            "routes"
        ]
    );
    let path = net(&format!("{TABLE}/routes/r1"));
    let body = json!({"name": "r1", "properties": {
        "addressPrefix": "10.0.5.0/24", "nextHopType": "none",
    }});
    let made = site.api.create(&path, &body).await;
    let expected = json!({
        "name": "r1",
        "id": path,
        "etag": made["etag"],
        "properties": {
            "provisioningState": "Succeeded",
            "addressPrefix": "10.0.5.0/24",
            "nextHopType": "None",
            "hasBgpOverride": false,
        },
        "type": "Microsoft.Network/routeTables/routes",
    });
    assert_eq!(made.to_string(), expected.to_string());
    for (prefix, hop, address, code) in [
        ("10.0.5.1/24", "None", "", "InvalidCIDRNotation"),
        ("10.0.5", "None", "", "InvalidAddressPrefixFormat"),
        (
            "10.0.5.0/24",
            "VirtualAppliance",
            "",
            "MissingNextHopIpAddress",
        ),
        ("10.0.5.0/24", "VirtualAppliance", "x", "GW-E-route"),
        ("10.0.5.0/24", "Internet", "10.0.0.4", "GW-E-route"),
        ("10.0.5.0/24", "Elsewhere", "", "InvalidRequestFormat"),
    ] {
        let body = json!({"properties": {
            "addressPrefix": prefix, "nextHopType": hop, "nextHopIpAddress": address,
        }});
        let reply = site.api.put(&path, &body).await;
        assert_eq!(
            reply.body["error"]["code"], code,
            "{prefix} {hop} {address}"
        );
    }
    let tag =
        json!({"properties": {"addressPrefix": "Storage.WestEurope", "nextHopType": "Internet"}});
    site.api.create(&path, &tag).await;
    site.api.remove(&path).await;
    assert_eq!(
        site.api.get(&net(&format!("{TABLE}/routes"))).await.body,
        json!({"value": []})
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_group_goes_when_nobody_refers_to_it() {
    let site = site().await;
    let (api, group) = (&site.api, net("applicationSecurityGroups/web"));
    let path = net(&format!("{GROUP}/securityRules/web"));
    let target = |id: &str| {
        (
            "destinationApplicationSecurityGroups",
            json!([{ "id": id }]),
        )
    };
    let mut body = rule(100, &[target(&group)]);
    let properties = body["properties"].as_object_mut().unwrap();
    properties.remove("destinationAddressPrefix");
    let missing = api.put(&path, &body).await;
    missing.refused("InvalidResourceReference");

    let made = api.create(&group, &json!({"location": LOCATION})).await;
    let expected = json!({
        "name": "web",
        "id": group,
        "etag": made["etag"],
        "type": "Microsoft.Network/applicationSecurityGroups",
        "location": LOCATION,
        "properties": {"provisioningState": "Succeeded"},
    });
    assert_eq!(made.to_string(), expected.to_string());
    let stored = api.create(&path, &body).await;
    let (member, groups) = target(&group);
    assert_eq!(stored["properties"][member], groups);
    let network = json!({"location": LOCATION, "properties": {
        "addressSpace": {"addressPrefixes": ["10.0.0.0/16"]},
        "subnets": [{"name": "machines", "properties": {"addressPrefix": "10.0.1.0/24"}}],
    }});
    api.create(&net("virtualNetworks/net1"), &network).await;
    let interface = net("networkInterfaces/nic1");
    let body = json!({"location": LOCATION, "properties": {"ipConfigurations": [{
        "name": "ipconfig1",
        "properties": {
            "subnet": {"id": net("virtualNetworks/net1/subnets/machines")},
            "applicationSecurityGroups": [{ "id": group }],
        },
    }]}});
    api.create(&interface, &body).await;
    for (others, used) in [
        (
            "IpConfiguration(s) ipconfig1 and SecurityRule(s) web",
            &interface,
        ),
        ("SecurityRule(s) web", &path),
    ] {
        let refused = api.delete(&group).await;
        let expected = format!(
            "Application Security Group web cannot be deleted because it is referenced by {others}."
        );
        assert_eq!(refused.refused("GW-E-in-use"), expected);
        api.remove(used).await;
    }
    api.remove(&group).await;
    let list = api.get(&net("applicationSecurityGroups")).await.body;
    assert_eq!(list, json!({"value": []}));
}
