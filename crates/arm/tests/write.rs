//! The writer against a sample that was reviewed by hand, and against itself.

mod common;

use common::{gateway, sample};
use gatewright_arm::model::SkuTier;
use gatewright_arm::{
    Shape, WriteOptions, complete, read_put, write, write_without_back_references,
};
use serde_json::{Value, json};

const SECRETS: WriteOptions = WriteOptions {
    secrets: true,
    shape: Shape::Rest,
};

#[test]
fn a_put_body_is_answered_in_the_services_casing_order_and_defaults() {
    let written = write(
        &gateway(&sample("contoso-put.json")),
        &WriteOptions::default(),
    );
    let expected = sample("contoso-get.json");
    // As texts, so that the order of the members counts.
    let pretty = |value: &Value| serde_json::to_string_pretty(value).expect("JSON");
    assert_eq!(pretty(&written), pretty(&expected));
}

#[test]
fn what_is_written_reads_back_as_it_was() {
    let mut before = gateway(&sample("contoso-put.json"));
    complete(&mut before);
    for shape in [Shape::Rest, Shape::AzureCli] {
        let written = write(
            &before,
            &WriteOptions {
                secrets: true,
                shape,
            },
        );
        let mut after = gateway(&written);
        // Ids, etags and types are the server's: the sample, a PUT body, has none of them.
        after.id.clone_from(&before.id);
        assert_eq!(
            text(&write(&after, &SECRETS)),
            text(&write(&before, &SECRETS))
        );
        assert_eq!(
            after.properties.probes[0].properties,
            before.properties.probes[0].properties
        );
        assert_eq!(after.identity, before.identity);
        assert_eq!(after.tags, before.tags);
        let again = gateway(&write(
            &after,
            &WriteOptions {
                secrets: true,
                shape,
            },
        ));
        assert_eq!(again.properties, after.properties, "{shape:?}");
    }
}

fn text(value: &Value) -> String {
    value.to_string()
}

#[test]
fn secrets_are_written_only_when_asked_for() {
    let gateway = gateway(&sample("contoso-put.json"));
    assert!(!format!("{gateway:?}").contains("hunter2"));
    assert!(
        !write(&gateway, &WriteOptions::default())
            .to_string()
            .contains("hunter2")
    );
    assert!(write(&gateway, &SECRETS).to_string().contains("hunter2"));
}

#[test]
fn the_azure_cli_shape_is_flat_sorted_and_names_the_group() {
    let options = WriteOptions {
        secrets: false,
        shape: Shape::AzureCli,
    };
    let written = write(&gateway(&sample("contoso-put.json")), &options);
    let listener = written.pointer("/httpListeners/0").expect("a listener");
    assert_eq!(listener["protocol"], "Http");
    assert_eq!(listener["resourceGroup"], "contoso");
    assert_eq!(listener["frontendPort"]["resourceGroup"], "contoso");
    assert_eq!(written["tags"]["team"], "web");
    let names: Vec<&String> = listener.as_object().expect("an object").keys().collect();
    assert!(names.is_sorted(), "{names:?}");
    assert!(!written.to_string().contains("\"properties\""));
}

#[test]
fn the_first_generation_shows_its_own_collections() {
    let mut document = sample("contoso-put.json");
    document["properties"]["sku"] = serde_json::json!({ "name": "Standard_Medium" });
    let properties = &write(&gateway(&document), &WriteOptions::default())["properties"];
    assert_eq!(properties["sku"]["tier"], "Standard");
    assert_eq!(
        properties["authenticationCertificates"],
        serde_json::json!([])
    );
    assert!(properties.get("trustedClientCertificates").is_none());
}

#[test]
fn path_maps_and_their_rules_are_told_apart_in_back_references() {
    let mut document = sample("contoso-put.json");
    let maps = document["properties"]["urlPathMaps"]
        .as_array_mut()
        .expect("a list");
    let mut second = maps[0].clone();
    second["name"] = Value::from("second");
    maps.push(second);
    let written = write(&gateway(&document), &WriteOptions::default());
    let names = |pointer: &str| -> Vec<String> {
        let list = written
            .pointer(pointer)
            .and_then(Value::as_array)
            .expect(pointer);
        let ids = list.iter().filter_map(|user| user["id"].as_str());
        ids.filter_map(|id| id.split_once("/urlPathMaps/"))
            .map(|(_, n)| n.to_owned())
            .collect()
    };
    let pools = "/properties/backendAddressPools";
    assert_eq!(
        names(&format!("{pools}/0/properties/urlPathMaps")),
        ["shop", "second"]
    );
    assert_eq!(
        names(&format!("{pools}/1/properties/pathRules")),
        ["shop/pathRules/images", "second/pathRules/images"]
    );
}

#[test]
fn what_is_written_without_back_references_is_the_same_otherwise() {
    // Lists of ids of parts: all others that the sample has are a setting's roots.
    fn strip(value: &mut Value, count: &mut usize) {
        if let Value::Object(members) = value {
            members.retain(|name, value| {
                let users = value.as_array().into_iter().flatten();
                let mut ids = users.map(|one| one.as_object().filter(|one| one.len() == 1));
                let is_users = value.as_array().is_some_and(|list| !list.is_empty())
                    && ids.all(|one| one.is_some_and(|one| one.contains_key("id")))
                    && name != "trustedRootCertificates";
                *count += usize::from(is_users);
                !is_users
            });
            members.values_mut().for_each(|value| strip(value, count));
        } else if let Value::Array(list) = value {
            list.iter_mut().for_each(|value| strip(value, count));
        }
    }
    let gateway = gateway(&sample("contoso-put.json"));
    let mut count = 0;
    let mut expected = write(&gateway, &SECRETS);
    strip(&mut expected, &mut count);
    assert!(count > 10, "{count}");
    let written = write_without_back_references(&gateway, &SECRETS);
    assert_eq!(text(&written), text(&expected));
}

#[test]
fn a_user_is_shown_once_and_defaults_follow_the_protocol() {
    let mut document = sample("contoso-put.json");
    let properties = &mut document["properties"];
    let setting = &mut properties["backendHttpSettingsCollection"][0]["properties"];
    let roots = &mut setting["trustedRootCertificates"];
    let root = roots[0].clone();
    roots.as_array_mut().expect("a list").push(root);
    properties["probes"][0]["properties"]["protocol"] = Value::from("Tls");
    properties["webApplicationFirewallConfiguration"] = serde_json::json!({ "enabled": true });
    let properties = &write(&gateway(&document), &WriteOptions::default())["properties"];
    let root = &properties["trustedRootCertificates"][0]["properties"];
    assert_eq!(
        root["backendHttpSettings"].as_array().map(Vec::len),
        Some(1)
    );
    let probe = &properties["probes"][0]["properties"];
    assert_eq!(probe["pickHostNameFromBackendSettings"], false);
    assert!(probe.get("match").is_none());
    let firewall = &properties["webApplicationFirewallConfiguration"];
    assert_eq!(firewall["requestBodyCheck"], true);
    assert_eq!(firewall["maxRequestBodySizeInKb"], 128);
    assert_eq!(firewall["fileUploadLimitInMb"], 100);
}

/// Recorded in 2026: who an advanced map and its rules lead to shows them, and a frontend's link
/// stands behind its back-references.
#[test]
fn advanced_maps_and_links_are_shown_as_they_were_recorded() {
    let mut body = sample("contoso-put.json");
    let own = |path: &str| {
        let text = sample("contoso-get.json")["id"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        json!({ "id": format!("{text}/{path}") })
    };
    let bag = &mut body["properties"];
    bag["advancedRoutingConditionSets"] = json!([{"name": "set", "properties": {
        "routingConditions": [{"conditionType": "Path", "propertyValues": ["/a"]}],
    }}]);
    bag["advancedRoutingMaps"] = json!([{"name": "map", "properties": {
        "defaultBackendAddressPool": own("backendAddressPools/shop"),
        "defaultBackendHttpSettings": own("backendHttpSettingsCollection/http"),
        "advancedRoutingRules": [{"name": "r", "properties": {
            "priority": 1,
            "advancedRoutingConditionSet": own("advancedRoutingConditionSets/set"),
            "backendAddressPool": own("backendAddressPools/images"),
            "backendHttpSettings": own("backendHttpSettingsCollection/http"),
        }}],
    }}]);
    let frontend = &mut bag["frontendIPConfigurations"][0]["properties"];
    frontend["privateLinkConfiguration"] = own("privateLinkConfigurations/link");
    let mut gateway = gateway(&body);
    gateway.id = sample("contoso-get.json")["id"].as_str().map(str::to_owned);
    let written = write(&gateway, &WriteOptions::default());
    let named = |collection: &str, name: &str| {
        let items = written["properties"][collection].as_array().expect("items");
        let found = items.iter().find(|item| item["name"] == name);
        found.expect("the item")["properties"].clone()
    };
    let map = json!([own("advancedRoutingMaps/map")]);
    let rule = json!([own("advancedRoutingMaps/map/advancedRoutingRules/r")]);
    let http = named("backendHttpSettingsCollection", "http");
    assert_eq!(
        (&http["advancedRoutingMaps"], &http["advancedRoutingRules"]),
        (&map, &rule)
    );
    assert_eq!(
        named("backendAddressPools", "shop")["advancedRoutingMaps"],
        map
    );
    assert_eq!(
        named("backendAddressPools", "images")["advancedRoutingRules"],
        rule
    );
    assert_eq!(
        named("advancedRoutingConditionSets", "set")["advancedRoutingRules"],
        rule
    );
    let frontend = &written["properties"]["frontendIPConfigurations"][0]["properties"];
    let last = frontend
        .as_object()
        .and_then(|members| members.keys().next_back());
    assert_eq!(last.map(String::as_str), Some("privateLinkConfiguration"));
    // An answer can be sent back.
    assert_eq!(
        read_put(&written, "contoso-gw").map(|read| read.name),
        Ok("contoso-gw".to_owned())
    );
}

#[test]
fn basic_has_not_what_it_does_not_offer() {
    let mut gateway = gateway(&sample("contoso-put.json"));
    let properties = &mut gateway.properties;
    properties.sku.get_or_insert_default().tier = Some(SkuTier::Basic);
    properties.listeners.clear();
    let written = write(&gateway, &WriteOptions::default());
    let bag = written["properties"].as_object().expect("a bag");
    assert!(bag.contains_key("trustedRootCertificates"));
    for absent in [
        "sslProfiles",
        "listeners",
        "privateLinkConfigurations",
        "advancedRoutingMaps",
    ] {
        assert!(!bag.contains_key(absent), "{absent}");
    }
}
