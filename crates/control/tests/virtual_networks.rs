//! Virtual networks, subnets, peerings.

mod support;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use support::{LOCATION, Site, names, net};

const VNET: &str = "virtualNetworks/vnet1";

fn network(space: &[&str], subnets: &[(&str, &str)]) -> Value {
    let subnets: Vec<Value> = subnets
        .iter()
        .map(|(name, prefix)| json!({"name": name, "properties": {"addressPrefix": prefix}}))
        .collect();
    json!({
        "location": LOCATION,
        "properties": {"addressSpace": {"addressPrefixes": space}, "subnets": subnets},
    })
}

fn subnet(prefix: &str) -> Value {
    json!({"properties": {"addressPrefix": prefix}})
}

async fn site() -> Site {
    let site = Site::with_group().await;
    let body = network(&["10.0.0.0/16"], &[("default", "10.0.0.0/24")]);
    site.api.create(&net(VNET), &body).await;
    site
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_is_answered_as_it_was_recorded() {
    let site = Site::with_group().await;
    let mut body = network(&["10.0.0.0/16"], &[("default", "10.0.0.0/24")]);
    body["properties"]["enableVmProtection"] = json!(false);
    let created = site
        .api
        .put(&net(VNET), &body)
        .await
        .expect(StatusCode::CREATED);
    assert_eq!(created.body["properties"]["provisioningState"], "Updating");
    assert_eq!(
        created.body["properties"]["subnets"][0]["properties"]["provisioningState"],
        "Updating"
    );
    assert!(created.header("azure-asyncoperation").is_some());
    assert!(created.header("location").is_none());
    assert_eq!(
        site.api.outcome(&created).await,
        json!({"status": "Succeeded"})
    );
    let got = site.api.get(&net(VNET)).await.expect(StatusCode::OK);
    assert_eq!(got.header("etag"), got.body["etag"].as_str());
    assert_ne!(got.body["etag"], created.body["etag"]);
    assert_eq!(
        names(&got.body),
        ["name", "id", "etag", "type", "location", "properties"]
    );
    assert_eq!(
        names(&got.body["properties"]),
        [
            "provisioningState",
            "resourceGuid",
            "addressSpace",
            "privateEndpointVNetPolicies",
            "subnets",
            "virtualNetworkPeerings",
            "enableDdosProtection",
        ]
    );
    let subnet = &got.body["properties"]["subnets"][0];
    let expected = json!({
        "name": "default",
        "id": format!("{}/subnets/default", net(VNET)),
        "etag": got.body["etag"],
        "properties": {
            "provisioningState": "Succeeded",
            "addressPrefix": "10.0.0.0/24",
            "ipamPoolPrefixAllocations": [],
            "delegations": [],
            "privateEndpointNetworkPolicies": "Disabled",
            "privateLinkServiceNetworkPolicies": "Enabled",
        },
        "type": "Microsoft.Network/virtualNetworks/subnets",
    });
    assert_eq!(subnet.to_string(), expected.to_string());
    let again = site.api.create(&net(VNET), &got.body).await;
    assert_eq!(
        again["properties"],
        got.body["properties"].clone().with_etags_of(&again)
    );
    let guid = &got.body["properties"]["resourceGuid"];
    assert_eq!(again["properties"]["resourceGuid"], *guid);
}

trait WithEtags {
    fn with_etags_of(self, other: &Value) -> Value;
}

impl WithEtags for Value {
    fn with_etags_of(self, other: &Value) -> Value {
        let own = self["subnets"][0]["etag"].to_string();
        let text = self.to_string().replace(&own, &other["etag"].to_string());
        serde_json::from_str(&text).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ranges_are_held_against_their_network() {
    let site = site().await;
    let (api, path) = (&site.api, |name: &str| {
        net(&format!("{VNET}/subnets/{name}"))
    });
    for (prefix, code, words) in [
        (
            "10.0.1.0",
            "InvalidAddressPrefixFormat",
            "is not formatted correctly",
        ),
        (
            "x/24",
            "InvalidAddressPrefixFormat",
            "Address prefix x/24 of resource",
        ),
        (
            "10.0.1.7/24",
            "InvalidCIDRNotation",
            "the address prefix should be 10.0.1.0/24",
        ),
        (
            "10.1.0.0/24",
            "NetcfgSubnetRangeOutsideVnet",
            "outside the IP address range",
        ),
        (
            "10.0.0.0/15",
            "NetcfgSubnetRangeOutsideVnet",
            "Subnet 'b' is not valid",
        ),
        (
            "10.0.0.128/25",
            "NetcfgSubnetRangesOverlap",
            "Subnet 'b' is not valid because",
        ),
        (
            "10.0.0.0/16",
            "NetcfgSubnetRangesOverlap",
            "Subnet 'b' is not valid because",
        ),
    ] {
        let reply = api
            .put(&path("b"), &subnet(prefix))
            .await
            .expect(StatusCode::BAD_REQUEST);
        let message = reply.refused(code);
        assert!(message.contains(words), "{prefix}: {message}");
        assert_eq!(reply.body["error"]["details"], json!([]));
    }
    let message = "Subnet 'default' is not valid because its IP address range overlaps with that \
                   of an existing subnet in virtual network 'vnet1'.";
    api.create(&path("b"), &subnet("10.0.1.0/24")).await;
    let reply = api.put(&path("default"), &subnet("10.0.0.0/23")).await;
    assert_eq!(reply.refused("NetcfgSubnetRangesOverlap"), message);
    let reply = api.put(&net(VNET), &network(&["10.0.0/16"], &[])).await;
    reply.refused("InvalidAddressPrefixFormat");
    let reply = api.put(&path("c"), &json!({"properties": {}})).await;
    reply.refused("InvalidAddressPrefixFormat");
    let reply = api
        .put(
            &net("virtualNetworks/none/subnets/a"),
            &subnet("10.0.0.0/24"),
        )
        .await;
    reply
        .clone()
        .expect(StatusCode::NOT_FOUND)
        .refused("ParentResourceNotFound");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_range_or_several() {
    let site = site().await;
    let path = net(&format!("{VNET}/subnets/b"));
    let several = json!({"properties": {"addressPrefixes": ["10.0.1.0/24", "10.0.2.0/24"]}});
    let made = site.api.create(&path, &several).await;
    assert_eq!(
        made["properties"]["addressPrefixes"],
        json!(["10.0.1.0/24", "10.0.2.0/24"])
    );
    assert_eq!(made["properties"].get("addressPrefix"), None);
    // As az updates: both members of what it read, one of them changed.
    let both = json!({"properties": {"addressPrefix": "10.0.3.0/24", "addressPrefixes": []}});
    let made = site.api.create(&path, &both).await;
    assert_eq!(made["properties"]["addressPrefix"], "10.0.3.0/24");
    assert_eq!(made["properties"].get("addressPrefixes"), None);
    let outside = json!({"properties": {"addressPrefixes": ["10.0.1.0/24", "10.9.0.0/24"]}});
    site.api
        .put(&path, &outside)
        .await
        .refused("NetcfgSubnetRangeOutsideVnet");
}

fn interface(subnet: &str, more: &Value) -> Value {
    let mut properties = json!({"subnet": {"id": net(&format!("{VNET}/subnets/{subnet}"))}});
    for (name, value) in more.as_object().unwrap() {
        properties[name] = value.clone();
    }
    json!({
        "location": LOCATION,
        "properties": {"ipConfigurations": [{"name": "ipconfig1", "properties": properties}]},
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subnet_in_use_stays_where_it_is() {
    let site = site().await;
    let (api, path) = (&site.api, net(&format!("{VNET}/subnets/default")));
    let nic = net("networkInterfaces/nic1");
    api.create(&nic, &interface("default", &json!({}))).await;
    let user = format!("{nic}/ipConfigurations/ipconfig1");
    let got = api.get(&path).await.body;
    assert_eq!(
        got["properties"]["ipConfigurations"],
        json!([{ "id": user }])
    );
    assert_eq!(
        names(&got["properties"])[2..5],
        [
            "ipamPoolPrefixAllocations",
            "ipConfigurations",
            "delegations"
        ]
    );
    let expected = format!(
        "Subnet default is in use by {user} and cannot be deleted. In order to delete the subnet, \
         delete all the resources within the subnet. See aka.ms/deletesubnet."
    );
    for path in [&path, &net(VNET)] {
        let reply = api.delete(path).await.expect(StatusCode::BAD_REQUEST);
        assert_eq!(reply.refused("InUseSubnetCannotBeDeleted"), expected);
    }
    let reply = api.put(&net(VNET), &network(&["10.0.0.0/16"], &[])).await;
    reply.refused("InUseSubnetCannotBeDeleted");
    let reply = api.put(&path, &subnet("10.0.7.0/24")).await;
    let message = reply.refused("InUseSubnetCannotBeUpdated");
    assert_eq!(message, "Subnet default is in use and cannot be updated.");
    let more = json!({"properties": {"addressPrefixes": ["10.0.0.0/24", "10.0.7.0/24"]}});
    api.create(&path, &more).await;
    api.remove(&nic).await;
    api.create(&path, &subnet("10.0.7.0/24")).await;
    api.remove(&path).await;
    api.get(&path)
        .await
        .expect(StatusCode::NOT_FOUND)
        .refused("NotFound");
    assert_eq!(api.delete(&path).await.status, StatusCode::NO_CONTENT);
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_are_given_once_and_found_free_or_not() {
    let site = site().await;
    let api = &site.api;
    let check = |address: &str| {
        net(&format!(
            "{VNET}/CheckIPAddressAvailability?ipAddress={address}"
        ))
    };
    let free = json!({"available": true, "isPlatformReserved": false});
    assert_eq!(
        api.get(&check("10.0.0.50"))
            .await
            .expect(StatusCode::OK)
            .body,
        free
    );
    let reserved = json!({
        "available": false,
        "availableIPAddresses": ["10.0.0.4", "10.0.0.5", "10.0.0.6", "10.0.0.7", "10.0.0.8"],
        "isPlatformReserved": true,
    });
    assert_eq!(api.get(&check("10.0.0.0")).await.body, reserved);
    assert_eq!(
        api.get(&check("10.0.0.3")).await.body["isPlatformReserved"],
        true
    );
    assert_eq!(
        api.get(&check("10.0.0.255")).await.body["isPlatformReserved"],
        true
    );
    api.get(&check("10.9.9.9")).await.refused("GW-E-address");
    api.get(&check("x")).await.refused("GW-E-address");
    let address = |nic: Value| {
        let pointer = "/properties/ipConfigurations/0/properties/privateIPAddress";
        nic.pointer(pointer).unwrap().as_str().unwrap().to_owned()
    };
    let nic = |name: &str| net(&format!("networkInterfaces/{name}"));
    let fixed = |address: &str| {
        let more = json!({"privateIPAllocationMethod": "Static", "privateIPAddress": address});
        interface("default", &more)
    };
    let made = api.create(&nic("a"), &fixed("10.0.0.5")).await;
    assert_eq!(address(made), "10.0.0.5");
    let any = interface("default", &json!({}));
    assert_eq!(address(api.create(&nic("b"), &any).await), "10.0.0.4");
    assert_eq!(address(api.create(&nic("c"), &any).await), "10.0.0.6");
    assert_eq!(
        address(api.create(&nic("b"), &any).await),
        "10.0.0.4",
        "it keeps its own"
    );
    let taken = json!({
        "available": false,
        "availableIPAddresses": ["10.0.0.7", "10.0.0.8", "10.0.0.9", "10.0.0.10", "10.0.0.11"],
        "isPlatformReserved": false,
    });
    assert_eq!(api.get(&check("10.0.0.5")).await.body, taken);
    for (address, code) in [
        ("10.0.0.6", "PrivateIPAddressIsAllocated"),
        ("10.0.1.6", "PrivateIPAddressNotInSubnet"),
        ("10.0.0.2", "PrivateIPAddressInReservedRange"),
        ("10.0.0.255", "PrivateIPAddressInReservedRange"),
        ("ten", "GW-E-address"),
    ] {
        api.put(&nic("d"), &fixed(address)).await.refused(code);
    }
    api.remove(&nic("a")).await;
    assert_eq!(address(api.create(&nic("d"), &any).await), "10.0.0.5");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_subnet_gives_nothing() {
    let site = site().await;
    let small = net(&format!("{VNET}/subnets/small"));
    site.api.create(&small, &subnet("10.0.1.0/29")).await;
    let body = interface("small", &json!({}));
    // Eight addresses, five of which the service keeps; four are asked for at once.
    let mut puts = tokio::task::JoinSet::new();
    for number in 0..4 {
        let (api, body) = (site.api.clone(), body.clone());
        let path = net(&format!("networkInterfaces/n{number}"));
        puts.spawn(async move { api.put(&path, &body).await });
    }
    let mut refused = 0;
    while let Some(reply) = puts.join_next().await {
        let reply = reply.unwrap();
        if !reply.status.is_success() {
            let message = reply.refused("SubnetIsFull");
            let expected = "Subnet small with address prefix 10.0.1.0/29 does not have enough \
                            capacity for 1 IP addresses.";
            assert_eq!(message, expected);
            refused += 1;
        }
    }
    assert_eq!(refused, 1);
}

/// With a second network; its id, and those of the peerings to it and back.
async fn two_networks() -> (Site, String, String, String) {
    let site = site().await;
    let other = net("virtualNetworks/vnet2");
    let body = network(&["10.1.0.0/16"], &[]);
    site.api.create(&other, &body).await;
    let there = net(&format!("{VNET}/virtualNetworkPeerings/there"));
    let back = format!("{other}/virtualNetworkPeerings/back");
    (site, other, there, back)
}

fn peering(remote: &str) -> Value {
    json!({"properties": {"remoteVirtualNetwork": {"id": remote}}})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peering_is_connected_once_both_sides_say_so() {
    let (site, other, there, back) = two_networks().await;
    let api = &site.api;
    let made = api.create(&there, &peering(&other)).await;
    assert_eq!(made["properties"]["peeringState"], "Initiated");
    assert_eq!(
        made["properties"]["remoteAddressSpace"],
        json!({"addressPrefixes": ["10.1.0.0/16"]})
    );
    let made = api.create(&back, &peering(&net(VNET))).await;
    assert_eq!(made["properties"]["peeringState"], "Connected");
    let state = async || api.get(&there).await.body["properties"]["peeringState"].clone();
    assert_eq!(state().await, "Connected");
    api.remove(&back).await;
    assert_eq!(state().await, "Disconnected");
    let third = net("virtualNetworks/vnet3");
    api.create(&third, &network(&["10.0.128.0/17"], &[])).await;
    let reply = api.put(&format!("{there}2"), &peering(&third)).await;
    let message = reply.refused("VnetAddressSpacesOverlap");
    assert!(
        message.ends_with("Overlapping address prefixes: 10.0.0.0/16, 10.0.128.0/17."),
        "{message}"
    );
    let reply = api.put(&there, &json!({"properties": {}})).await;
    reply.refused("InvalidRequestFormat");
    let reply = api
        .put(&format!("{there}3"), &peering(&net("virtualNetworks/none")))
        .await;
    reply.refused("InvalidResourceReference");
}

/// As recorded by the azure-cli: both halves have one GUID, and nobody is notified.
#[tokio::test(flavor = "multi_thread")]
async fn both_halves_of_a_peering_have_one_guid() {
    let (site, other, there, back) = two_networks().await;
    let api = &site.api;
    for (path, remote) in [(&there, other.clone()), (&back, net(VNET))] {
        for status in [StatusCode::CREATED, StatusCode::OK] {
            let reply = api.put(path, &peering(&remote)).await.expect(status);
            assert_eq!(reply.header("azure-asyncnotification"), None);
            assert!(reply.header("azure-asyncoperation").is_some(), "{reply:#?}");
            assert_eq!(api.outcome(&reply).await["status"], "Succeeded");
        }
    }
    let guid = async |path: &str| -> u128 {
        let guid = api.get(path).await.body["properties"]["resourceGuid"].clone();
        u128::from_str_radix(&guid.as_str().unwrap().replace('-', ""), 16).unwrap()
    };
    let one = guid(&there).await;
    assert_eq!(one, guid(&back).await);
    assert_eq!(one, guid(&net(VNET)).await ^ guid(&other).await);
    api.remove(&back).await;
    api.remove(&other).await;
    assert_eq!(guid(&there).await, one);
    let subnet = json!({"properties": {"addressPrefix": "10.0.77.0/24"}});
    let path = net(&format!("{VNET}/subnets/new"));
    let reply = api.put(&path, &subnet).await;
    assert_eq!(reply.header("azure-asyncnotification"), Some("Enabled"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_with_an_etag_changes_nothing_that_has_another() {
    let site = site().await;
    let (api, path) = (&site.api, net(VNET));
    let first = api.get(&path).await.body["etag"]
        .as_str()
        .unwrap()
        .to_owned();
    let (body, tags) = (network(&["10.0.0.0/16"], &[]), json!({"tags": {"a": "b"}}));
    let changed = api
        .send_if(Method::PUT, &path, Some(&body), Some(&first))
        .await;
    assert_eq!(
        api.outcome(&changed.expect(StatusCode::OK)).await["status"],
        "Succeeded"
    );
    for (method, body) in [
        (Method::PUT, Some(&body)),
        (Method::PATCH, Some(&tags)),
        (Method::DELETE, None),
    ] {
        let reply = api.send_if(method, &path, body, Some(&first)).await;
        let reply = reply.expect(StatusCode::PRECONDITION_FAILED);
        assert_eq!(reply.body["error"]["code"], "PreconditionFailed");
    }
    let now = api.get(&path).await.body["etag"]
        .as_str()
        .unwrap()
        .to_owned();
    let gone = api.send_if(Method::DELETE, &path, None, Some(&now)).await;
    gone.expect(StatusCode::ACCEPTED);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_nobody_knows_is_named_as_the_network_names_it() {
    let site = Site::with_group().await;
    let path = net("virtualNetworks/v");
    let network = |subnet: Value, peering: Value| {
        json!({"location": LOCATION, "properties": {
            "addressSpace": {"addressPrefixes": ["10.0.0.0/16"]},
            "bgpCommunities": {"virtualNetworkCommunity": "12076:20000"},
            "subnets": [
                {"name": "a", "properties": {"addressPrefix": "10.0.0.0/24"}},
                {"name": "b", "properties": subnet},
            ],
            "virtualNetworkPeerings": peering,
        }})
    };
    let typo = network(json!({"adressPrefix": "10.0.1.0/24"}), json!([]));
    let reply = site.api.put(&path, &typo).await;
    reply.refused("InvalidRequestFormat");
    let detail = &reply.body["error"]["details"][0];
    assert_eq!(detail["code"], "InvalidJson");
    assert_eq!(
        detail["message"],
        "Could not find member 'adressPrefix' on object of type 'SubnetProperties'. Path \
         'properties.subnets[1].properties.adressPrefix'."
    );
    // What is known and means nothing here stays as it came.
    let subnet = json!({"addressPrefix": "10.0.1.0/24", "PURPOSE": "x"});
    let made = site.api.create(&path, &network(subnet, json!([]))).await;
    let community = &made["properties"]["bgpCommunities"]["virtualNetworkCommunity"];
    assert_eq!(community, "12076:20000");
    // As recorded, but for line and column.
    let other = json!([{"name": "p", "properties": {"color": "red"}}]);
    let subnet = json!({"addressPrefix": "10.0.1.0/24"});
    let reply = site.api.put(&path, &network(subnet, other)).await;
    assert_eq!(
        reply.body["error"]["details"][0]["message"],
        "Could not find member 'color' on object of type 'VirtualNetworkPeeringProperties'. Path \
         'properties.virtualNetworkPeerings[0].properties.color'."
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_api_version_takes_a_range_by_any_address_in_it() {
    let site = Site::with_group().await;
    let body = network(&["10.0.0.1/16"], &[("subnet1", "10.0.0.1/28")]);
    let refused = site.api.put(&net(VNET), &body).await;
    refused.refused("InvalidCIDRNotation");
    let old = format!("{}?api-version=2015-06-15", net(VNET));
    let made = site.api.put(&old, &body).await.expect(StatusCode::CREATED);
    let bag = &made.body["properties"];
    assert_eq!(
        bag["addressSpace"]["addressPrefixes"],
        json!(["10.0.0.0/16"])
    );
    let subnet = &bag["subnets"][0]["properties"];
    assert_eq!(subnet["addressPrefix"], "10.0.0.0/28");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_without_a_list_of_subnets_keeps_those_that_it_has() {
    let site = Site::with_group().await;
    let body = network(&["10.0.0.0/16"], &[("a", "10.0.0.0/24")]);
    site.api.create(&net(VNET), &body).await;
    let mut without = body.clone();
    let members = without["properties"].as_object_mut().unwrap();
    members.remove("subnets");
    let subnets = async |version: &str, body: &Value| {
        let path = format!("{}?api-version={version}", net(VNET));
        let made = site.api.create(&path, body).await;
        made["properties"]["subnets"].as_array().unwrap().len()
    };
    assert_eq!(subnets("2023-09-01", &without).await, 1);
    let mut emptied = without.clone();
    emptied["properties"]["subnets"] = Value::Null;
    assert_eq!(subnets("2023-09-01", &emptied).await, 0);
    site.api.create(&net(VNET), &body).await;
    assert_eq!(subnets("2023-06-01", &without).await, 0);
}

/// As recorded.
#[tokio::test(flavor = "multi_thread")]
async fn delegations_and_service_endpoints_are_filled_in() {
    let site = Site::with_group().await;
    let mut body = network(&["10.0.0.0/16"], &[("a", "10.0.0.0/24")]);
    let bag = &mut body["properties"]["subnets"][0]["properties"];
    bag["serviceEndpoints"] = json!([{"service": "Microsoft.Storage"}]);
    bag["delegations"] = json!([
        {"name": "0", "properties": {"serviceName": "Microsoft.Web/serverFarms"}},
    ]);
    let made = site.api.create(&net(VNET), &body).await;
    let subnet = &made["properties"]["subnets"][0];
    let bag = &subnet["properties"];
    let endpoint =
        r#"[{"provisioningState":"Succeeded","service":"Microsoft.Storage","locations":["*"]}]"#;
    assert_eq!(bag["serviceEndpoints"].to_string(), endpoint);
    let delegation = &bag["delegations"][0];
    assert_eq!(
        names(delegation),
        ["name", "id", "etag", "properties", "type"]
    );
    let id = format!("{}/delegations/0", subnet["id"].as_str().unwrap());
    assert_eq!(delegation["id"], id);
    assert_eq!(delegation["etag"], subnet["etag"]);
    assert_eq!(
        delegation["type"],
        "Microsoft.Network/virtualNetworks/subnets/delegations"
    );
    let expected = json!({
        "provisioningState": "Succeeded",
        "serviceName": "Microsoft.Web/serverFarms",
        "actions": ["Microsoft.Network/virtualNetworks/subnets/action"],
    });
    assert_eq!(delegation["properties"], expected);
    // What was read can be written.
    site.api.create(&net(VNET), &made).await;
    let refused = async |pointer: &str, code: &str| {
        let mut body = body.clone();
        *body.pointer_mut(pointer).unwrap() = json!("");
        site.api
            .put(&net(VNET), &body)
            .await
            .refused(code)
            .to_owned()
    };
    let subnet = "/properties/subnets/0/properties";
    let message = refused(
        &format!("{subnet}/delegations/0/properties/serviceName"),
        "GW-E-delegation",
    )
    .await;
    assert!(message.contains("an empty serviceName"), "{message}");
    let endpoint = format!("{subnet}/serviceEndpoints/0/service");
    let message = refused(&endpoint, "GW-E-service-endpoint").await;
    assert!(message.contains("an empty service;"), "{message}");
}

/// Within `properties`, and one level deeper.
#[tokio::test(flavor = "multi_thread")]
async fn members_that_nobody_knows_are_refused() {
    let site = Site::with_group().await;
    let mut whole = network(&["10.0.0.0/16"], &[("a", "10.0.0.0/24")]);
    whole["properties"]["dhcpOptions"] = json!({"dnsServers": []});
    whole["properties"]["subnets"][0]["properties"]["serviceEndpoints"] =
        json!([{"service": "Microsoft.Storage"}]);
    let cases = [
        ("/properties/addressSpace", "AddressSpace"),
        ("/properties/dhcpOptions", "DhcpOptions"),
        (
            "/properties/subnets/0/properties/serviceEndpoints/0",
            "ServiceEndpointProperties",
        ),
    ];
    for (pointer, contract) in cases {
        let mut body = whole.clone();
        body.pointer_mut(pointer).unwrap()["surprise"] = json!(1);
        let reply = site.api.put(&net(VNET), &body).await;
        let reply = reply.expect(StatusCode::BAD_REQUEST);
        let detail = &reply.body["error"]["details"][0];
        assert_eq!(detail["code"], "InvalidJson");
        let message = detail["message"].as_str().unwrap();
        let expected = format!("'surprise' on object of type '{contract}'");
        assert!(message.contains(&expected), "{message}");
    }
    let addresses = net("publicIPAddresses/a");
    for member in ["sku", "dnsSettings"] {
        let mut body = json!({"location": LOCATION, "properties": {}});
        let within = if member == "sku" {
            &mut body
        } else {
            &mut body["properties"]
        };
        within[member] = json!({"surprise": 1});
        let reply = site.api.put(&addresses, &body).await;
        assert_eq!(reply.body["error"]["details"][0]["code"], "InvalidJson");
    }
    let interface = json!({"location": LOCATION, "properties": {
        "dnsSettings": {"surprise": 1}, "ipConfigurations": [],
    }});
    let reply = site.api.put(&net("networkInterfaces/n"), &interface).await;
    assert_eq!(reply.body["error"]["details"][0]["code"], "InvalidJson");
}

#[tokio::test(flavor = "multi_thread")]
async fn name_servers_are_addresses() {
    let site = Site::with_group().await;
    let mut body = network(&["10.0.0.0/16"], &[]);
    for bad in ["", "dns.contoso.com"] {
        body["properties"]["dhcpOptions"] = json!({"dnsServers": ["10.0.0.4", bad]});
        let reply = site.api.put(&net(VNET), &body).await;
        let message = reply.refused("NetcfgInvalidIPAddress");
        assert_eq!(message, format!("IP address is not valid '{bad}'."));
    }
    body["properties"]["dhcpOptions"] = json!({"dnsServers": ["10.0.0.4", "fd00::4"]});
    site.api.create(&net(VNET), &body).await;
}
