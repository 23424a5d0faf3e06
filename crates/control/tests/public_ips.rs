//! Public IP addresses.

mod support;

use std::sync::Arc;

use gatewright_control::DEFAULT_SUBSCRIPTION;
use reqwest::StatusCode;
use serde_json::{Value, json};
use support::{GROUP, LOCATION, Obedient, Site, group, names, net};

fn address(name: &str) -> String {
    net(&format!("publicIPAddresses/{name}"))
}

fn body() -> Value {
    json!({
        "location": LOCATION,
        "properties": {"idleTimeoutInMinutes": 4, "publicIPAllocationMethod": "Static"},
        "sku": {"name": "Standard"},
    })
}

async fn site(addresses: &str) -> Site {
    let addresses = addresses.parse().unwrap();
    let site = Site::with(
        |config| config.public_addresses = addresses,
        Arc::new(Obedient),
    )
    .await;
    site.api
        .create(&group(GROUP), &json!({"location": LOCATION}))
        .await;
    site
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_is_shown_once_it_is_there() {
    let site = site("192.0.2.10").await;
    let created = site
        .api
        .put(&address("a"), &body())
        .await
        .expect(StatusCode::CREATED);
    assert_eq!(created.body["properties"].get("ipAddress"), None);
    site.api.outcome(&created).await;
    let got = site.api.get(&address("a")).await.body;
    let expected = json!({
        "name": "a",
        "id": address("a"),
        "etag": got["etag"],
        "location": LOCATION,
        "properties": {
            "provisioningState": "Succeeded",
            "resourceGuid": got["properties"]["resourceGuid"],
            "ipAddress": "192.0.2.10",
            "publicIPAddressVersion": "IPv4",
            "publicIPAllocationMethod": "Static",
            "idleTimeoutInMinutes": 4,
            "ipTags": [],
            "ddosSettings": {"protectionMode": "VirtualNetworkInherited"},
        },
        "type": "Microsoft.Network/publicIPAddresses",
        "sku": {"name": "Standard", "tier": "Regional"},
    });
    assert_eq!(got.to_string(), expected.to_string());
    // As az updates: with all that it read, and more.
    let mut changed = got.clone();
    changed["tags"] = json!({"foo": "doo"});
    changed["properties"]["ipAddress"] = json!("203.0.113.9");
    changed["properties"]["idleTimeoutInMinutes"] = json!("10");
    changed["properties"]["dnsSettings"] = json!({"domainNameLabel": "wowza2"});
    let again = site
        .api
        .put(&address("a"), &changed)
        .await
        .expect(StatusCode::OK);
    assert_eq!(again.body["properties"]["ipAddress"], "192.0.2.10");
    assert_eq!(again.body["properties"]["idleTimeoutInMinutes"], 10);
    assert_eq!(
        names(&again.body)[..5],
        ["name", "id", "etag", "location", "tags"]
    );
    let dns = json!({"domainNameLabel": "wowza2", "fqdn": "wowza2.local.cloudapp.local"});
    assert_eq!(
        again.body["properties"]["dnsSettings"].to_string(),
        dns.to_string()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn no_address_is_given_twice() {
    let site = site("192.0.2.8/29,2001:db8::1").await;
    let paths: Vec<String> = (0..7).map(|n| address(&format!("p{n}"))).collect();
    let body = body();
    let mut puts = tokio::task::JoinSet::new();
    for path in paths.clone() {
        let (api, body) = (site.api.clone(), body.clone());
        puts.spawn(async move { api.put(&path, &body).await });
    }
    let mut refused = Vec::new();
    while let Some(reply) = puts.join_next().await {
        let reply = reply.unwrap();
        match reply.status.is_success() {
            true => drop(site.api.outcome(&reply).await),
            false => refused.push(reply.refused("PublicIPCountLimitReached").to_owned()),
        }
    }
    assert_eq!(refused.len(), 1, "six addresses are in the block");
    assert!(refused[0].starts_with("Cannot create more than 6 IPv4 public IP addresses"));
    let list = site.api.get(&net("publicIPAddresses")).await.body;
    let mut given: Vec<&str> = list["value"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["properties"]["ipAddress"].as_str().unwrap())
        .collect();
    given.sort_by_key(|one| one.parse::<std::net::Ipv4Addr>().unwrap());
    let expected: Vec<String> = (9..15).map(|n| format!("192.0.2.{n}")).collect();
    assert_eq!(given, expected);
    let mut six = body.clone();
    six["properties"]["publicIPAddressVersion"] = json!("ipv6");
    let six = site.api.create(&address("six"), &six).await;
    assert_eq!(six["properties"]["ipAddress"], "2001:db8::1");
    // What is gone is free again.
    let some = list["value"][0].clone();
    site.api.remove(some["id"].as_str().unwrap()).await;
    let new = site.api.create(&address("new"), &body).await;
    assert_eq!(
        new["properties"]["ipAddress"],
        some["properties"]["ipAddress"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_service_does_not_take() {
    let site = site("192.0.2.0/24").await;
    let refused = async |member: &str, value: Value| {
        let mut body = body();
        *body.pointer_mut(member).expect(member) = value;
        let reply = site
            .api
            .put(&address("bad"), &body)
            .await
            .expect(StatusCode::BAD_REQUEST);
        let error = &reply.body["error"];
        let text = |name: &str| error[name].as_str().unwrap().to_owned();
        (text("code"), text("message"))
    };
    let (code, message) = refused("/sku", json!({"name": "Basic", "tier": "Global"})).await;
    assert_eq!(
        code,
        "GlobalPublicIPAddressNotSupportedForBasicPublicIpAddress"
    );
    assert!(
        message.ends_with("publicIPAddresses/bad is not standard SKU."),
        "{message}"
    );
    let (code, message) = refused("/sku/name", json!("basic")).await;
    assert_eq!(code, "IPv4BasicSkuPublicIpCountLimitReached");
    assert_eq!(
        message,
        "Cannot create more than 0 IPv4 Basic SKU public IP addresses for this subscription in \
         this region."
    );
    let method = "/properties/publicIPAllocationMethod";
    let (code, _) = refused(method, json!("Dynamic")).await;
    assert_eq!(code, "StandardSkuPublicIPAddressesMustBeStatic");
    assert_eq!(
        refused("/sku/name", json!("Basically")).await.0,
        "InvalidRequestFormat"
    );
    let timeout = "/properties/idleTimeoutInMinutes";
    assert_eq!(refused(timeout, json!(31)).await.0, "InvalidRequestFormat");
    let mut labelled = body();
    labelled["properties"]["dnsSettings"] = json!({"domainNameLabel": "woot1"});
    site.api.create(&address("a"), &labelled).await;
    site.api.create(&address("a"), &labelled).await;
    let reply = site.api.put(&address("b"), &labelled).await;
    let message = reply.refused("DnsRecordInUse");
    assert_eq!(
        message,
        "DNS record woot1.local.cloudapp.local is already used by another public IP."
    );
    for label in ["ab", "Woot", "1woot", "woot-", "wo.ot", &"x".repeat(64)] {
        labelled["properties"]["dnsSettings"]["domainNameLabel"] = json!(label);
        let reply = site.api.put(&address("b"), &labelled).await;
        reply.refused("InvalidDomainNameLabel");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_location_tells_what_is_used_and_which_names_are_free() {
    let site = site("192.0.2.0/30,2001:db8::/126").await;
    let api = &site.api;
    let at = |word: &str| {
        let scope = format!("/subscriptions/{DEFAULT_SUBSCRIPTION}/providers/Microsoft.Network");
        format!("{scope}/locations/{LOCATION}/{word}")
    };
    let mut named = body();
    named["properties"]["dnsSettings"] = json!({"domainNameLabel": "shop"});
    api.create(&address("a"), &named).await;
    let mut newer = body();
    newer["properties"]["publicIPAddressVersion"] = json!("IPv6");
    api.create(&address("six"), &newer).await;
    let usages = api.get(&at("usages")).await.expect(StatusCode::OK).body;
    let usages = usages["value"].as_array().unwrap();
    assert_eq!(
        usages[0],
        json!({
            "currentValue": 1, "id": at("usages/PublicIPAddresses"), "limit": 2,
            "name": {"localizedValue": "Public IP Addresses", "value": "PublicIPAddresses"},
            "unit": "Count", "isAdjustable": false,
        })
    );
    assert_eq!(usages.len(), 1);
    let check = async |label: &str| {
        let path = at(&format!("CheckDnsNameAvailability?domainNameLabel={label}"));
        api.get(&path).await
    };
    for (label, is_free) in [("shop", false), ("shops", true)] {
        let reply = check(label).await.expect(StatusCode::OK);
        assert_eq!(reply.body, json!({"available": is_free}));
    }
    for label in ["", "s", "Shop", "shop-"] {
        check(label).await.refused("InvalidDomainNameLabel");
    }
    let services = api
        .get(&at("virtualNetworkAvailableEndpointServices"))
        .await;
    assert_eq!(services.expect(StatusCode::OK).body, json!({"value": []}));
}

/// As the templates of v1 gateways have them.
#[tokio::test(flavor = "multi_thread")]
async fn an_old_api_version_makes_basic_addresses() {
    let site = site("192.0.2.0/24").await;
    let old = |name: &str| format!("{}?api-version=2022-01-01", address(name));
    let plain = json!({"location": LOCATION});
    site.api.create(&old("plain"), &plain).await;
    let plain = site.api.get(&address("plain")).await.body;
    assert_eq!(plain["sku"], json!({"name": "Basic", "tier": "Regional"}));
    let bag = &plain["properties"];
    assert_eq!(bag["publicIPAllocationMethod"], "Dynamic");
    assert_eq!(bag.get("ipAddress"), None, "nobody uses it");
    // The same template, once more, and by a newer client too.
    for path in [old("plain"), address("plain")] {
        let unsaid = json!({"location": LOCATION, "tags": {"env": "test"}});
        let again = site.api.create(&path, &unsaid).await;
        let kept = |pointer: &str| again.pointer(pointer) == plain.pointer(pointer);
        assert!(
            kept("/sku") && kept("/properties/publicIPAllocationMethod"),
            "{path}: {again}"
        );
    }
    let mut again = plain.clone();
    again["properties"]["publicIPAllocationMethod"] = json!("Static");
    site.api.create(&old("plain"), &again).await;
    // Who says nothing of the method leaves it as it is.
    site.api
        .create(&old("plain"), &json!({"location": LOCATION}))
        .await;
    let fixed = site.api.get(&address("plain")).await.body;
    assert_eq!(fixed["properties"]["ipAddress"], "192.0.2.1");
    let standard = json!({"location": LOCATION, "sku": {"name": "Standard"}});
    let made = site.api.create(&old("standard"), &standard).await;
    let method = &made["properties"]["publicIPAllocationMethod"];
    assert_eq!(
        (&made["sku"]["name"], method),
        (&json!("Standard"), &json!("Static"))
    );
    let unsaid = json!({"location": LOCATION});
    let kept = site.api.create(&address("standard"), &unsaid).await;
    assert_eq!(kept["sku"]["name"], "Standard");
    for (path, body) in [(old("standard"), &unsaid), (address("standard"), &again)] {
        let reply = site.api.put(&path, body).await;
        let message = reply.refused("SkuCannotBeChangedOnUpdate");
        let expected = format!(
            "Sku property is set at creation time and cannot be changed from Standard to Basic on \
             resource update for resource {}.",
            address("standard")
        );
        assert_eq!(message, expected);
    }
    site.api.create(&address("plain"), &again).await;
    let reply = site.api.put(&address("other"), &again).await;
    reply.refused("IPv4BasicSkuPublicIpCountLimitReached");
    again["sku"]["name"] = json!("Standard");
    let upgraded = site.api.create(&address("plain"), &again).await;
    assert_eq!(upgraded["sku"]["name"], "Standard");
}
