//! Reading of virtual networks, security groups and route tables.

mod common;

use gatewright_arm::model::network::{
    RouteNextHopType, SecurityRuleAccess, SecurityRuleDirection, SecurityRuleProtocol, Text, Texts,
};
use gatewright_arm::{
    Diagnostic, MAX_NETWORK_RESOURCES, NetworkReadError, NetworkResources, ReadError, read_network,
    read_network_text,
};
use serde_json::{Value, json};

const NET: &str = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Network";

fn resources(document: &Value) -> NetworkResources {
    let report = read_network(document).unwrap_or_else(|error| panic!("{error}: {document}"));
    assert_eq!(report.warnings, [], "{document}");
    report.resources
}

fn errors(document: &Value) -> Vec<Diagnostic> {
    match read_network(document) {
        Err(NetworkReadError::Invalid(findings)) => findings,
        other => panic!("expected findings, got {other:?}"),
    }
}

fn values(texts: &Texts) -> Vec<&str> {
    texts.0.iter().map(|text| text.value.as_str()).collect()
}

fn rest_group() -> Value {
    json!({
        "name": "nsg",
        "id": format!("{NET}/networkSecurityGroups/nsg"),
        "etag": "W/\"1\"",
        "type": "Microsoft.Network/networkSecurityGroups",
        "location": "westus",
        "tags": {"a": "b"},
        "properties": {
            "provisioningState": "Succeeded",
            "resourceGuid": "g",
            "securityRules": [{
                "name": "web",
                "id": format!("{NET}/networkSecurityGroups/nsg/securityRules/web"),
                "type": "Microsoft.Network/networkSecurityGroups/securityRules",
                "properties": {
                    "provisioningState": "Succeeded",
                    "description": "d",
                    "protocol": "TCP",
                    "sourcePortRange": "*",
                    "destinationPortRanges": ["80", "8000-8999"],
                    "sourceAddressPrefix": "Internet",
                    "sourceAddressPrefixes": [],
                    "destinationAddressPrefix": "",
                    "destinationAddressPrefixes": ["10.0.0.0/24", " 10.0.1.4 "],
                    "destinationApplicationSecurityGroups": [{"id": "/asg"}],
                    "access": "allow",
                    "priority": 100,
                    "direction": "Inbound",
                },
            }],
            "defaultSecurityRules": [],
            "subnets": [{"id": "/subnet"}],
            "networkInterfaces": [{"id": "/nic"}],
        },
    })
}

/// What `az … -o json` makes of it: no `properties`, a `resourceGroup` everywhere.
fn flat(value: &Value) -> Value {
    match value {
        Value::Array(list) => list.iter().map(flat).collect(),
        Value::Object(map) => {
            let mut out = serde_json::Map::new();
            for (name, value) in map {
                match flat(value) {
                    Value::Object(bag) if name == "properties" => out.extend(bag),
                    value => drop(out.insert(name.clone(), value)),
                }
            }
            if map.contains_key("id") {
                out.insert("resourceGroup".to_owned(), json!("rg"));
            }
            Value::Object(out)
        }
        other => other.clone(),
    }
}

/// Every name in another letter case, every number as a text, a null beside each member.
fn odd(value: &Value) -> Value {
    match value {
        Value::Array(list) => list.iter().map(odd).chain([Value::Null]).collect(),
        Value::Object(map) => map
            .iter()
            .map(|(name, value)| (name.to_ascii_uppercase(), odd(value)))
            .collect(),
        Value::Number(number) => json!(number.to_string()),
        other => other.clone(),
    }
}

#[test]
fn the_shapes_of_a_security_group_read_alike() {
    let rest = rest_group();
    let read = resources(&rest);
    let group = &read.security_groups[0];
    let rule = &group.properties.security_rules[0];
    assert_eq!((&*group.name, &*rule.name), ("nsg", "web"));
    let properties = &rule.properties;
    assert_eq!(properties.protocol, Some(SecurityRuleProtocol::Tcp));
    assert_eq!(properties.access, Some(SecurityRuleAccess::Allow));
    assert_eq!(properties.direction, Some(SecurityRuleDirection::Inbound));
    assert_eq!(properties.priority, Some(100));
    assert_eq!(
        values(&properties.destination_port_ranges),
        ["80", "8000-8999"]
    );
    assert_eq!(values(&properties.destination_address_prefix), [""; 0]);
    assert_eq!(
        values(&properties.destination_address_prefixes),
        ["10.0.0.0/24", "10.0.1.4"]
    );
    assert_eq!(properties.destination_application_security_groups.len(), 1);
    let place = |texts: &Texts| texts.0.last().map(|text: &Text| text.pointer.clone());
    assert_eq!(
        place(&properties.destination_address_prefixes).as_deref(),
        Some("/properties/securityRules/0/properties/destinationAddressPrefixes/1")
    );
    let expected = read;
    let az = flat(&rest);
    let list = json!({"value": [az]});
    let template = json!({
        "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
        "contentVersion": "1.0.0.0",
        "resources": [rest],
    });
    for document in [
        &az,
        &json!([rest]),
        &list,
        &template,
        &odd(&rest),
        &odd(&az),
        &odd(&json!([rest])),
    ] {
        assert_eq!(resources(document), expected, "{document}");
    }
}

#[test]
fn a_network_reads_with_its_subnets_and_peerings() {
    let document = json!({
        "id": format!("{NET}/virtualNetworks/v"),
        "location": "westus",
        "addressSpace": {"addressPrefixes": ["10.0.0.0/16"], "ipamPoolPrefixAllocations": []},
        "dhcpOptions": {"dnsServers": ["10.0.9.4", "10.0.9.5"]},
        "enableDdosProtection": false,
        "privateEndpointVNetPolicies": "Disabled",
        "subnets": [{
            "name": "a",
            "addressPrefix": "10.0.0.0/24",
            "delegations": [{"name": "d", "serviceName": "Microsoft.Web/serverFarms"}],
            "networkSecurityGroup": {"id": "/nsg", "resourceGroup": "rg", "securityRules": []},
            "routeTable": {"id": "/rt"},
        }, {
            "name": "b",
            "addressPrefixes": ["10.0.1.0/24", "fd00::/64"],
        }],
        "virtualNetworkPeerings": [{
            "name": "p",
            "peeringState": "connected",
            "remoteVirtualNetwork": {"id": "/other"},
            "remoteAddressSpace": {"addressPrefixes": ["10.1.0.0/16"]},
            "allowVirtualNetworkAccess": "true",
            "useRemoteGateways": false,
        }],
    });
    let read = resources(&document);
    let network = &read.virtual_networks[0];
    assert_eq!(network.name, "v", "from the id");
    let dns = network.properties.dhcp_options.as_ref().expect("options");
    assert_eq!(values(&dns.dns_servers), ["10.0.9.4", "10.0.9.5"]);
    let [a, b] = &network.properties.subnets[..] else {
        panic!("{network:?}");
    };
    let group = a.properties.network_security_group.as_ref();
    assert_eq!(group.and_then(|one| one.id.as_deref()), Some("/nsg"));
    assert_eq!(
        a.pointer_to("networkSecurityGroup"),
        "/subnets/0/networkSecurityGroup"
    );
    assert_eq!(values(&b.properties.address_prefixes).len(), 2);
    let peering = &network.properties.virtual_network_peerings[0].properties;
    assert_eq!(peering.allow_virtual_network_access, Some(true));
}

#[test]
fn resources_are_known_by_type_by_id_or_by_their_members() {
    let documents = [
        json!({"type": "microsoft.network/NETWORKSECURITYGROUPS"}),
        json!({"id": format!("{NET}/networkSecurityGroups/n")}),
        json!({"securityRules": []}),
        json!({"properties": {"defaultSecurityRules": []}}),
    ];
    for document in &documents {
        assert_eq!(resources(document).security_groups.len(), 1, "{document}");
    }
    let all = json!([
        {"routes": []},
        {"addressSpace": {}},
        {"addressPrefix": "10.0.0.0/24"},
        {"addressPrefix": "10.0.0.0/24", "nextHopType": "vnetlocal"},
        {"access": "Deny", "direction": "Inbound"},
        {"properties": {"remoteVirtualNetwork": {"id": "/x"}}},
        {"type": "Microsoft.Network/publicIPAddresses", "name": "pip"},
        {},
    ]);
    let read = resources(&all);
    let counts = [
        read.route_tables.len(),
        read.virtual_networks.len(),
        read.subnets.len(),
        read.routes.len(),
        read.security_rules.len(),
        read.peerings.len(),
        read.security_groups.len(),
    ];
    assert_eq!(counts, [1, 1, 1, 1, 1, 1, 0]);
    assert_eq!(
        read.routes[0].properties.next_hop_type,
        Some(RouteNextHopType::VnetLocal)
    );
    let others: Vec<_> = read
        .others
        .iter()
        .map(|one| (&*one.kind, &*one.pointer))
        .collect();
    assert_eq!(
        others,
        [("Microsoft.Network/publicIPAddresses", "/6"), ("", "/7")]
    );
}

#[test]
fn resources_nested_in_a_template_carry_their_parents_names() {
    let document = json!({"resources": [{
        "type": "Microsoft.Network/virtualNetworks",
        "apiVersion": "2024-05-01",
        "name": "v",
        "dependsOn": [],
        "properties": {"addressSpace": {"addressPrefixes": "10.0.0.0/16"}},
        "resources": [
            {"type": "subnets", "apiVersion": "2024-05-01", "name": "a",
             "properties": {"addressPrefix": "10.0.0.0/24"}},
        ],
    }, {
        "type": "Microsoft.Network/networkSecurityGroups/securityRules",
        "name": "nsg/web",
        "properties": {"priority": 100},
    }]});
    let read = resources(&document);
    assert_eq!(read.subnets[0].name, "v/a");
    assert_eq!(read.subnets[0].pointer(), "/resources/0/resources/0");
    assert_eq!(read.security_rules[0].name, "nsg/web");
    let alone = resources(&document["resources"][0]);
    assert_eq!(
        (alone.virtual_networks.len(), &*alone.subnets[0].name),
        (1, "v/a")
    );
    let space = read.virtual_networks[0].properties.address_space.as_ref();
    assert_eq!(
        space.map(|space| values(&space.address_prefixes)),
        Some(vec!["10.0.0.0/16"])
    );
}

#[test]
fn unknown_members_are_told_with_their_place() {
    let mut document = rest_group();
    document["properties"]["securityRules"][0]["properties"]["destinationPortRnge"] = json!("80");
    document["properties"]["securityRule"] = json!([]);
    let report = read_network(&json!({"value": [document]})).expect("readable");
    let seen: Vec<_> = report
        .warnings
        .iter()
        .map(|one| (&*one.pointer, one.help.as_deref().unwrap_or_default()))
        .collect();
    let expected = [
        (
            "/value/0/properties/securityRules/0/properties/destinationPortRnge",
            "Did you mean 'destinationPortRange'?",
        ),
        (
            "/value/0/properties/securityRule",
            "Did you mean 'securityRules'?",
        ),
    ];
    assert_eq!(seen, expected);
    let path = "Path 'properties.securityRules[0].properties.destinationPortRnge'";
    assert!(
        report.warnings[0].message.contains(path),
        "{:?}",
        report.warnings[0]
    );
}

#[test]
fn values_that_the_service_would_not_read_are_errors_with_their_place() {
    let cases = [
        ("priority", json!("first"), "InvalidJson"),
        ("priority", json!(99_999_999_999_u64), "InvalidJson"),
        ("protocol", json!("sctp"), "InvalidJsonResourceType"),
        ("access", json!("maybe"), "InvalidJsonResourceType"),
        ("direction", json!(1), "InvalidJson"),
        ("sourceAddressPrefix", json!({"a": 1}), "InvalidJson"),
    ];
    for (member, value, code) in cases {
        let mut document = rest_group();
        document["properties"]["securityRules"][0]["properties"][member] = value;
        let findings = errors(&document);
        let pointer = format!("/properties/securityRules/0/properties/{member}");
        let found = findings.iter().find(|one| one.pointer == pointer);
        assert_eq!(found.map(|one| &*one.code), Some(code), "{member}");
        assert!(found.is_some_and(Diagnostic::is_error));
    }
    let mut document = rest_group();
    document["properties"]["securityRules"][0]["properties"]["access"] = json!("x");
    let message = &errors(&document)[0].message;
    assert!(
        message.contains("Csm.Public.NetworkSecurityGroup is invalid"),
        "{message}"
    );
    document["properties"]["securityRules"] = json!("none");
    assert_eq!(errors(&document)[0].pointer, "/properties/securityRules");
}

#[test]
fn other_documents_are_refused_and_hostile_ones_bounded() {
    for document in [json!(1), json!(["x"]), json!("resources"), Value::Null] {
        let error = read_network(&document).expect_err("no resource");
        assert!(
            matches!(error, NetworkReadError::NoResource(_)),
            "{document}"
        );
    }
    let many = Value::Array(vec![json!({}); MAX_NETWORK_RESOURCES + 1]);
    assert!(matches!(
        read_network(&many),
        Err(NetworkReadError::NoResource(_))
    ));
    let error = read_network_text(b"{").expect_err("no JSON");
    assert!(matches!(
        error,
        NetworkReadError::Text(ReadError::Malformed { .. })
    ));
    let mut nested = json!({"type": "a", "resources": []});
    for _ in 0..55 {
        nested = json!({"type": "a/b", "name": "n", "resources": [nested]});
    }
    assert_eq!(resources(&json!([nested])).others.len(), 56);
    let text = "\u{feff}[]".as_bytes();
    assert_eq!(
        read_network_text(text).expect("empty").resources,
        NetworkResources::default()
    );
}

/// Every prefix, every value of `rest_group` replaced by every other kind: an answer, no panic.
#[test]
fn no_replacement_of_a_value_makes_reading_panic() {
    fn paths(value: &Value, at: String, out: &mut Vec<String>) {
        out.push(at.clone());
        match value {
            Value::Array(list) => {
                for (i, value) in list.iter().enumerate() {
                    paths(value, format!("{at}/{i}"), out);
                }
            }
            Value::Object(map) => {
                for (name, value) in map {
                    paths(value, format!("{at}/{name}"), out);
                }
            }
            _ => {}
        }
    }
    let document = rest_group();
    let mut places = Vec::new();
    paths(&document, String::new(), &mut places);
    let replacements = [
        json!(null),
        json!(true),
        json!(-1.5),
        json!("x"),
        json!([[]]),
        json!({"id": {}}),
    ];
    let mut refused = 0;
    for place in places {
        for replacement in &replacements {
            let mut document = document.clone();
            if let Some(value) = document.pointer_mut(&place) {
                *value = replacement.clone();
            }
            refused += usize::from(read_network(&document).is_err());
        }
    }
    assert!(refused > 50, "{refused}");
}

#[test]
fn recorded_networks_read_without_a_warning() {
    let Some(folder) = common::shared("recordings/neighbours") else {
        return;
    };
    let mut counts = [0; 5];
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        if entry.path().extension().is_none_or(|e| e != "yaml") {
            continue;
        }
        let text = std::fs::read_to_string(entry.path()).expect("a text");
        for body in common::quoted_strings(&text, "string: '") {
            let Ok(body) = serde_json::from_str::<Value>(&body) else {
                continue;
            };
            if body.get("error").is_some() || !(body.is_array() || body.is_object()) {
                continue;
            }
            let Ok(report) = read_network(&body) else {
                panic!("{:?}: {body}", entry.path());
            };
            assert_eq!(report.warnings, [], "{:?}", entry.path());
            let read = report.resources;
            let found = [
                read.virtual_networks.len(),
                read.subnets.len(),
                read.security_groups.len(),
                read.route_tables.len(),
                read.routes.len(),
            ];
            for (count, found) in counts.iter_mut().zip(found) {
                *count += found;
            }
        }
    }
    assert!(counts.iter().all(|count| *count > 3), "{counts:?}");
}

#[test]
fn networks_of_public_cases_read() {
    let Some(folder) = common::shared("cases") else {
        return;
    };
    let mut read = 0;
    for case in std::fs::read_dir(folder).expect("a folder").flatten() {
        for name in [
            "nsgs.json",
            "subnet.json",
            "backend-subnet.json",
            "vnet.json",
            "route-tables.json",
        ] {
            let Ok(text) = std::fs::read(case.path().join(name)) else {
                continue;
            };
            let report = read_network_text(&text).expect("readable");
            assert_eq!(report.warnings, [], "{:?} {name}", case.path());
            assert_eq!(report.resources.others, [], "{:?} {name}", case.path());
            read += 1;
        }
    }
    assert!(read > 2, "{read}");
}
