//! Gateways among their neighbours: subnets, groups, tables, public addresses, interfaces.

mod support;

use gatewright_arm::Item;
use gatewright_arm::model::BackendAddressPool;
use reqwest::StatusCode;
use serde_json::{Value, json};
use support::{LOCATION, Site, merge_tags_at_once, names, net};

const GATEWAY: &str = "applicationGateways/ag1";

fn child(collection: &str, name: &str) -> Value {
    json!({"id": format!("{}/{collection}/{name}", net(GATEWAY))})
}

/// A gateway as small as it can be, with a public frontend at `pip1`.
fn gateway() -> Value {
    json!({"location": LOCATION, "properties": {
        "sku": {"name": "Standard_v2", "tier": "Standard_v2", "capacity": 1},
        "gatewayIPConfigurations": [{
            "name": "place",
            "properties": {"subnet": {"id": subnet("gateways")}},
        }],
        "frontendIPConfigurations": [{"name": "public", "properties": {
            "publicIPAddress": {"id": net("publicIPAddresses/pip1")},
        }}],
        "frontendPorts": [{"name": "http", "properties": {"port": 80}}],
        "backendAddressPools": [{"name": "pool"}, {"name": "pool2"}],
        "backendHttpSettingsCollection": [{"name": "settings", "properties": {
            "port": 8080, "protocol": "Http",
        }}],
        "httpListeners": [{"name": "listener", "properties": {
            "frontendIPConfiguration": child("frontendIPConfigurations", "public"),
            "frontendPort": child("frontendPorts", "http"),
            "protocol": "Http",
        }}],
        "requestRoutingRules": [{"name": "rule", "properties": {
            "ruleType": "Basic", "priority": 1,
            "httpListener": child("httpListeners", "listener"),
            "backendAddressPool": child("backendAddressPools", "pool"),
            "backendHttpSettings": child("backendHttpSettingsCollection", "settings"),
        }}],
    }})
}

/// One of the first generation, with a private frontend.
fn private_gateway(address: Option<&str>) -> Value {
    let mut body = gateway();
    body["properties"]["sku"] =
        json!({"name": "Standard_Small", "tier": "Standard", "capacity": 1});
    let mut frontend = json!({"subnet": {"id": subnet("gateways")}});
    if let Some(address) = address {
        frontend["privateIPAddress"] = json!(address);
        frontend["privateIPAllocationMethod"] = json!("Static");
    }
    body["properties"]["frontendIPConfigurations"] =
        json!([{"name": "public", "properties": frontend}]);
    body["properties"]["requestRoutingRules"][0]["properties"]
        .as_object_mut()
        .unwrap()
        .remove("priority");
    body
}

fn subnet(name: &str) -> String {
    net(&format!("virtualNetworks/vnet1/subnets/{name}"))
}

fn interface(subnet_name: &str, pools: &[&str]) -> Value {
    let pools: Vec<Value> = pools
        .iter()
        .map(|name| child("backendAddressPools", name))
        .collect();
    json!({"location": LOCATION, "properties": {"ipConfigurations": [{
        "name": "ipconfig1",
        "properties": {
            "subnet": {"id": subnet(subnet_name)},
            "privateIPAllocationMethod": "Dynamic",
            "privateIPAddressVersion": "IPv4",
            "applicationGatewayBackendAddressPools": pools,
        },
    }]}})
}

async fn site() -> Site {
    let site = Site::with_group().await;
    let network = json!({"location": LOCATION, "properties": {
        "addressSpace": {"addressPrefixes": ["10.0.0.0/16"]},
        "subnets": [
            {"name": "gateways", "properties": {"addressPrefix": "10.0.0.0/24"}},
            {"name": "backend", "properties": {"addressPrefix": "10.0.1.0/24"}},
        ],
    }});
    site.api
        .create(&net("virtualNetworks/vnet1"), &network)
        .await;
    let address = json!({"location": LOCATION, "sku": {"name": "Standard"}});
    site.api
        .create(&net("publicIPAddresses/pip1"), &address)
        .await;
    site
}

#[tokio::test(flavor = "multi_thread")]
async fn neighbours_say_who_uses_them() {
    let site = site().await;
    site.api.create(&net(GATEWAY), &gateway()).await;
    let got = site.api.get(&subnet("gateways")).await.body;
    let place = child("gatewayIPConfigurations", "place");
    assert_eq!(
        got["properties"]["applicationGatewayIPConfigurations"],
        json!([place])
    );
    assert_eq!(got["properties"].get("ipConfigurations"), None);
    let got = site.api.get(&net("publicIPAddresses/pip1")).await.body;
    let frontend = child("frontendIPConfigurations", "public");
    assert_eq!(got["properties"]["ipConfiguration"], frontend);
    assert_eq!(
        names(&got["properties"])[6..],
        ["ipTags", "ipConfiguration", "ddosSettings"]
    );
    let reply = site.api.delete(&net("publicIPAddresses/pip1")).await;
    let message = reply.expect(StatusCode::BAD_REQUEST);
    let message = message.refused("PublicIPAddressCannotBeDeleted").to_owned();
    let user = frontend["id"].as_str().unwrap();
    let expected = format!("can not be deleted since it is still allocated to resource {user}. In");
    assert!(message.contains(&expected), "{message}");
    let reply = site.api.delete(&subnet("gateways")).await;
    reply.refused("InUseSubnetCannotBeDeleted");
    site.api.remove(&net(GATEWAY)).await;
    site.api.remove(&net("publicIPAddresses/pip1")).await;
    site.api.remove(&subnet("gateways")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_public_address_exists_and_is_in_no_other_use() {
    let site = site().await;
    site.api.create(&net(GATEWAY), &gateway()).await;
    let text = gateway().to_string();
    let second =
        |text: &str| serde_json::from_str::<Value>(&text.replace("/ag1/", "/ag2/")).unwrap();
    let path = net("applicationGateways/ag2");
    let reply = site.api.put(&path, &second(&text)).await;
    let message = reply
        .expect(StatusCode::BAD_REQUEST)
        .refused("PublicIPAddressInUse")
        .to_owned();
    let user = child("frontendIPConfigurations", "public");
    let user = user["id"].as_str().unwrap();
    let expected = format!(
        "Resource {} is referencing public IP address {} that is already allocated to resource \
         {user}.",
        user.replace("/ag1/", "/ag2/"),
        net("publicIPAddresses/pip1")
    );
    assert_eq!(message, expected);
    let reply = site
        .api
        .put(&path, &second(&text.replace("pip1", "none")))
        .await;
    reply.refused("InvalidResourceReference");
    let mut nic = interface("backend", &[]);
    nic["properties"]["ipConfigurations"][0]["properties"]["publicIPAddress"] =
        json!({"id": net("publicIPAddresses/pip1")});
    let reply = site.api.put(&net("networkInterfaces/nic1"), &nic).await;
    reply.refused("PublicIPAddressInUse");
    site.api.create(&net(GATEWAY), &gateway()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_of_the_second_generation_has_no_basic_address() {
    let site = site().await;
    let path = format!("{}?api-version=2022-01-01", net("publicIPAddresses/old"));
    let address = json!({"location": LOCATION});
    site.api.create(&path, &address).await;
    let text = gateway().to_string().replace("pip1", "old");
    let body = serde_json::from_str::<Value>(&text).unwrap();
    let reply = site.api.put(&net(GATEWAY), &body).await;
    let message = reply
        .expect(StatusCode::BAD_REQUEST)
        .refused("ApplicationGatewayInvalidPublicIpSku")
        .to_owned();
    let expected = format!(
        "Application gateway {} with SKU Standard_v2 can only reference public ip with Standard \
         SKU.",
        net(GATEWAY)
    );
    assert_eq!(message, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_frontend_gets_an_address() {
    let site = site().await;
    let pointer = "/properties/frontendIPConfigurations/0/properties/privateIPAddress";
    let made = site.api.create(&net(GATEWAY), &private_gateway(None)).await;
    let instances = "the first address is for the one instance";
    assert_eq!(
        made.pointer(pointer),
        Some(&json!("10.0.0.5")),
        "{instances}"
    );
    let again = site.api.create(&net(GATEWAY), &made).await;
    assert_eq!(again.pointer(pointer), Some(&json!("10.0.0.5")));
    let check = net("virtualNetworks/vnet1/CheckIPAddressAvailability?ipAddress=10.0.0.5");
    assert_eq!(site.api.get(&check).await.body["available"], false);
    let got = site.api.get(&subnet("gateways")).await.body;
    let frontend = child("frontendIPConfigurations", "public");
    assert_eq!(got["properties"]["ipConfigurations"], json!([frontend]));
    for (address, code) in [
        ("10.0.1.9", "PrivateIPAddressNotInSubnet"),
        ("10.0.0.1", "PrivateIPAddressInReservedRange"),
    ] {
        let reply = site
            .api
            .put(&net(GATEWAY), &private_gateway(Some(address)))
            .await;
        reply.refused(code);
    }
    let made = site
        .api
        .create(&net(GATEWAY), &private_gateway(Some("10.0.0.77")))
        .await;
    assert_eq!(made.pointer(pointer), Some(&json!("10.0.0.77")));
    let text = private_gateway(Some("10.0.0.77"))
        .to_string()
        .replace("/ag1/", "/ag2/");
    let second: Value = serde_json::from_str(&text).unwrap();
    let reply = site.api.put(&net("applicationGateways/ag2"), &second).await;
    reply.refused("PrivateIPAddressIsAllocated");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateways_subnet_has_nothing_else() {
    let site = site().await;
    let nic = net("networkInterfaces/nic1");
    site.api.create(&nic, &interface("gateways", &[])).await;
    let expected = format!(
        "Subnet {} cannot be used for application gateway {} since it has other resources \
         deployed. Subnet used for application gateway can only have other application gateways.",
        subnet("gateways"),
        net(GATEWAY)
    );
    let code = "ApplicationGatewaySubnetCannotHaveOtherResources";
    let reply = site
        .api
        .put(&net(GATEWAY), &gateway())
        .await
        .expect(StatusCode::BAD_REQUEST);
    assert_eq!(reply.refused(code), expected);
    site.api.remove(&nic).await;
    site.api.create(&net(GATEWAY), &gateway()).await;
    let reply = site.api.put(&nic, &interface("gateways", &[])).await;
    assert_eq!(reply.refused(code), expected);
}

fn rule(priority: u32, access: &str, source: &str, ports: &str) -> Value {
    json!({"name": format!("r{priority}"), "properties": {
        "access": access, "direction": "Inbound", "priority": priority, "protocol": "*",
        "sourceAddressPrefix": source, "sourcePortRange": "*",
        "destinationAddressPrefix": "*", "destinationPortRange": ports,
    }})
}

fn group(rules: &[Value]) -> Value {
    json!({"location": LOCATION, "properties": {"securityRules": rules}})
}

fn subnet_with(member: &str, path: &str) -> Value {
    json!({"properties": {"addressPrefix": "10.0.0.0/24", member: {"id": net(path)}}})
}

#[tokio::test(flavor = "multi_thread")]
async fn the_platform_must_reach_a_gateway() {
    const CODE: &str = "ApplicationGatewaySubnetInboundTrafficBlockedByNetworkSecurityGroup";
    const GROUP: &str = "networkSecurityGroups/nsg1";
    let site = site().await;
    let api = &site.api;
    let open = group(&[rule(100, "Allow", "GatewayManager", "65200-65535")]);
    let expected = format!(
        "Network security group {} blocks incoming internet traffic on ports 65200 - 65535 to \
         subnet {}, associated with Application Gateway {}. This is not permitted for Application \
         Gateways that have V2 Sku.",
        net(GROUP),
        subnet("gateways"),
        net(GATEWAY)
    );
    // A group with the service's rules alone denies it.
    api.create(&net(GROUP), &group(&[])).await;
    api.create(
        &subnet("gateways"),
        &subnet_with("networkSecurityGroup", GROUP),
    )
    .await;
    let reply = api
        .put(&net(GATEWAY), &gateway())
        .await
        .expect(StatusCode::BAD_REQUEST);
    assert_eq!(reply.refused(CODE), expected, "on the gateway");
    api.create(&net(GROUP), &open).await;
    api.create(&net(GATEWAY), &gateway()).await;
    let reply = api.put(&net(GROUP), &group(&[])).await;
    assert_eq!(reply.refused(CODE), expected, "on the group");
    let one = net(&format!("{GROUP}/securityRules/r99"));
    let deny = rule(101, "Deny", "*", "65300");
    api.create(&one, &deny).await;
    let mut deny = deny;
    deny["properties"]["priority"] = json!(100);
    api.put(&one, &deny).await.refused("SecurityRuleConflict");
    let first = net(&format!("{GROUP}/securityRules/r100"));
    let mut late = rule(100, "Allow", "GatewayManager", "65200-65535");
    late["properties"]["priority"] = json!(200);
    let reply = api.put(&first, &late).await;
    assert_eq!(reply.refused(CODE), expected, "on the rule");
    let reply = api.delete(&first).await;
    assert_eq!(reply.refused(CODE), expected, "on its end");
    // On the subnet that is given the group.
    let other = "networkSecurityGroups/nsg2";
    api.create(&net(other), &group(&[])).await;
    let reply = api
        .put(
            &subnet("gateways"),
            &subnet_with("networkSecurityGroup", other),
        )
        .await;
    assert_eq!(
        reply.refused(CODE),
        expected.replace("nsg1", "nsg2"),
        "on the subnet"
    );
    let older = group(&[rule(100, "Allow", "Internet", "65200-65535")]);
    api.create(&net(GROUP), &older).await;
}

/// Wherever it goes, and whatever a rule before it allows.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_may_be_denied_that_a_gateway_sends_by_tcp() {
    const CODE: &str = "ApplicationGatewaySubnetOutboundTrafficBlockedByNetworkSecurityGroup";
    const GROUP: &str = "networkSecurityGroups/nsg1";
    let site = site().await;
    let api = &site.api;
    let out = |priority: u32, access: &str, protocol: &str, to: &str| {
        let mut rule = rule(priority, access, "*", "*");
        rule["properties"]["direction"] = json!("Outbound");
        rule["properties"]["protocol"] = json!(protocol);
        rule["properties"]["destinationAddressPrefix"] = json!(to);
        rule
    };
    let open = rule(100, "Allow", "GatewayManager", "65200-65535");
    let group = |rules: &[Value]| group(&[std::slice::from_ref(&open), rules].concat());
    api.create(&net(GROUP), &group(&[])).await;
    api.create(
        &subnet("gateways"),
        &subnet_with("networkSecurityGroup", GROUP),
    )
    .await;
    api.create(&net(GATEWAY), &gateway()).await;
    let expected = format!(
        "Network security group {} blocks outgoing Internet traffic on subnet {}, associated with \
         Application Gateway {}. This is not permitted for Application Gateways that have fast \
         update enabled or have V2 Sku.",
        net(GROUP),
        subnet("gateways"),
        net(GATEWAY)
    );
    let denied = [("*", "Internet"), ("tcp", "*"), ("Tcp", "10.0.1.4")];
    for (protocol, to) in denied {
        let allow = out(200, "Allow", "*", "*");
        let deny = out(300, "Deny", protocol, to);
        let reply = api.put(&net(GROUP), &group(&[allow, deny])).await;
        assert_eq!(reply.refused(CODE), expected, "{protocol} {to}");
    }
    let others = [
        out(200, "Deny", "Udp", "*"),
        out(201, "Deny", "Icmp", "*"),
        rule(202, "Deny", "10.9.0.0/16", "*"),
    ];
    api.create(&net(GROUP), &group(&others)).await;
}

fn as_ag2(gateway: &Value) -> Value {
    serde_json::from_str(&gateway.to_string().replace("/ag1/", "/ag2/")).unwrap()
}

/// Then the platform reaches its gateways from within.
#[tokio::test(flavor = "multi_thread")]
async fn in_a_subnet_that_is_delegated_to_gateways_rules_and_routes_are_free() {
    const OWN: &str = "Microsoft.Network/applicationGateways";
    let site = site().await;
    let api = &site.api;
    let mut rule = rule(100, "Deny", "*", "*");
    rule["properties"]["direction"] = json!("Outbound");
    api.create(&net("networkSecurityGroups/nsg1"), &group(&[rule]))
        .await;
    let route = json!({"name": "r", "properties": {
        "addressPrefix": "0.0.0.0/0", "nextHopType": "VirtualAppliance",
        "nextHopIpAddress": "10.0.1.4",
    }});
    let table = json!({"location": LOCATION, "properties": {"routes": [route]}});
    api.create(&net("routeTables/rt1"), &table).await;
    let place = |delegate: Option<&str>| {
        let mut body = subnet_with("networkSecurityGroup", "networkSecurityGroups/nsg1");
        body["properties"]["routeTable"] = json!({"id": net("routeTables/rt1")});
        if let Some(delegate) = delegate {
            let delegation = json!({"name": "d", "properties": {"serviceName": delegate}});
            body["properties"]["delegations"] = json!([delegation]);
        }
        body
    };
    api.create(
        &subnet("gateways"),
        &place(Some("microsoft.network/ApplicationGateways")),
    )
    .await;
    api.create(&net(GATEWAY), &gateway()).await;
    let back = api.put(&subnet("gateways"), &place(None)).await;
    back.refused("ApplicationGatewaySubnetInboundTrafficBlockedByNetworkSecurityGroup");
    let mut private = private_gateway(Some("10.0.0.77"));
    let sku = json!({"name": "Standard_v2", "tier": "Standard_v2", "capacity": 1});
    private["properties"]["sku"] = sku;
    private["properties"]["requestRoutingRules"][0]["properties"]["priority"] = json!(1);
    api.create(&net("applicationGateways/ag2"), &as_ag2(&private))
        .await;
    let back = api.put(&subnet("gateways"), &place(None)).await;
    assert!(!back.status.is_success());
    api.remove(&net("applicationGateways/ag2")).await;
    let free = subnet("backend");
    let elsewhere = private
        .to_string()
        .replace("subnets/gateways", "subnets/backend")
        .replace("10.0.0.77", "10.0.1.77");
    let elsewhere: Value = serde_json::from_str(&elsewhere).unwrap();
    let reply = api
        .put(&net("applicationGateways/ag2"), &as_ag2(&elsewhere))
        .await;
    let expected = format!(
        "Application Gateway {} with NetworkIsolation requires subnet delegation. Please delegate \
         subnet {free} to {OWN}.",
        net("applicationGateways/ag2")
    );
    let code = "ApplicationGatewayNetworkIsolationRequiresSubnetDelegation";
    assert_eq!(reply.refused(code), expected);
    let foreign = "Microsoft.Web/serverFarms";
    let expected = format!(
        "Subnet {} cannot be used for application gateway {} since it is delegated to {foreign}. A \
         gateway's subnet is delegated to {OWN} or to nothing.",
        subnet("gateways"),
        net(GATEWAY)
    );
    let reply = api.put(&subnet("gateways"), &place(Some(foreign))).await;
    assert_eq!(reply.refused("GW-E-delegation"), expected);
    api.remove(&net(GATEWAY)).await;
    api.create(&subnet("gateways"), &place(Some(foreign))).await;
    for body in [gateway(), private_gateway(None)] {
        let reply = api.put(&net(GATEWAY), &body).await;
        assert_eq!(reply.refused("GW-E-delegation"), expected);
    }
}

/// Else a client that writes what it read would turn them on again.
#[tokio::test(flavor = "multi_thread")]
async fn an_old_client_keeps_how_servers_certificates_are_checked() {
    let site = site().await;
    let mut body = gateway();
    let checks = json!({
        "dedicatedBackendConnection": true, "validateCertChainAndExpiry": false,
        "validateSNI": false, "sniName": "app.contoso.test",
    });
    let of = |body: &Value| {
        let setting = &body["properties"]["backendHttpSettingsCollection"][0]["properties"];
        let names = checks.as_object().unwrap().keys();
        let found = names.map(|name| (name.clone(), setting[name].clone()));
        Value::Object(found.collect())
    };
    let setting = &mut body["properties"]["backendHttpSettingsCollection"][0]["properties"];
    for (name, value) in checks.as_object().unwrap() {
        setting[name] = value.clone();
    }
    let [path, old] = ["2025-01-01", "2023-11-01"]
        .map(|version| format!("{}?api-version={version}", net(GATEWAY)));
    site.api.create(&path, &body).await;
    assert_eq!(of(&site.api.get(&path).await.body), checks);
    let read = site.api.get(&old).await.expect(StatusCode::OK).body;
    assert_eq!(of(&read)["validateSNI"], Value::Null);
    site.api.create(&old, &read).await;
    assert_eq!(of(&site.api.get(&path).await.body), checks);
    // One who can say it and does not means the defaults.
    site.api.create(&path, &gateway()).await;
    assert_eq!(of(&site.api.get(&path).await.body)["validateSNI"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_generation_may_be_blocked() {
    const GROUP: &str = "networkSecurityGroups/nsg1";
    let site = site().await;
    site.api.create(&net(GROUP), &group(&[])).await;
    site.api
        .create(
            &subnet("gateways"),
            &subnet_with("networkSecurityGroup", GROUP),
        )
        .await;
    site.api.create(&net(GATEWAY), &private_gateway(None)).await;
    site.api
        .create(&net(GROUP), &group(&[rule(100, "Deny", "*", "*")]))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateways_way_to_the_internet_is_its_own() {
    const CODE: &str = "ApplicationGatewaySubnetUserDefinedRouteNotAllowed";
    const TABLE: &str = "routeTables/rt1";
    let site = site().await;
    let api = &site.api;
    let route = |prefix: &str, hop: &str| {
        let mut properties = json!({"addressPrefix": prefix, "nextHopType": hop});
        if hop == "VirtualAppliance" {
            properties["nextHopIpAddress"] = json!("10.0.1.4");
        }
        json!({ "properties": properties })
    };
    let path = net(&format!("{TABLE}/routes/r1"));
    let elsewhere = route("0.0.0.0/0", "VirtualAppliance");
    api.create(&net(TABLE), &json!({"location": LOCATION}))
        .await;
    api.create(&subnet("gateways"), &subnet_with("routeTable", TABLE))
        .await;
    api.create(&path, &elsewhere).await;
    let start = format!(
        "Route Table {} is associated to subnet {}, which contains V2 SKU Application Gateway {}",
        net(TABLE),
        subnet("gateways"),
        net(GATEWAY)
    );
    let reply = api
        .put(&net(GATEWAY), &gateway())
        .await
        .expect(StatusCode::BAD_REQUEST);
    assert!(reply.refused(CODE).starts_with(&start), "{reply:?}");
    api.create(&path, &route("0.0.0.0/0", "Internet")).await;
    api.create(&net(GATEWAY), &gateway()).await;
    api.create(&path, &route("10.0.1.0/24", "VirtualAppliance"))
        .await;
    let reply = api.put(&path, &elsewhere).await;
    assert!(reply.refused(CODE).starts_with(&start), "{reply:?}");
    let other = "routeTables/rt2";
    let mut named = elsewhere.clone();
    named["name"] = json!("r1");
    let table = json!({"location": LOCATION, "properties": {"routes": [named]}});
    api.create(&net(other), &table).await;
    let reply = api
        .put(&subnet("gateways"), &subnet_with("routeTable", other))
        .await;
    assert!(
        reply
            .refused(CODE)
            .starts_with(&start.replace("rt1", "rt2")),
        "{reply:?}"
    );
}

/// The addresses in the pools of the gateway as the node is to serve it.
async fn served(site: &Site) -> Vec<Vec<String>> {
    let desired = site.desired().await;
    let gateway = desired.gateways().values().next().unwrap();
    let pools = &gateway.wanted.gateway.properties.backend_address_pools;
    let of_pool = |pool: &Item<BackendAddressPool>| {
        let servers = pool.properties.backend_addresses.iter();
        servers
            .filter_map(|server| server.ip_address.clone())
            .collect()
    };
    pools.iter().map(of_pool).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn interfaces_join_pools() {
    let site = site().await;
    let api = &site.api;
    api.create(&net(GATEWAY), &gateway()).await;
    let nic = net("networkInterfaces/nic1");
    let made = api.create(&nic, &interface("backend", &["pool"])).await;
    let expected = json!({
        "name": "ipconfig1",
        "id": format!("{nic}/ipConfigurations/ipconfig1"),
        "etag": made["etag"],
        "type": "Microsoft.Network/networkInterfaces/ipConfigurations",
        "properties": {
            "provisioningState": "Succeeded",
            "privateIPAddress": "10.0.1.4",
            "privateIPAllocationMethod": "Dynamic",
            "subnet": {"id": subnet("backend")},
            "primary": true,
            "privateIPAddressVersion": "IPv4",
            "applicationGatewayBackendAddressPools": [child("backendAddressPools", "pool")],
        },
    });
    assert_eq!(
        made["properties"]["ipConfigurations"][0].to_string(),
        expected.to_string()
    );
    assert_eq!(
        names(&made),
        [
            "name",
            "id",
            "etag",
            "properties",
            "type",
            "location",
            "kind"
        ]
    );
    let members = async |position: usize| {
        let gateway = api.get(&net(GATEWAY)).await.body;
        let pool = &gateway["properties"]["backendAddressPools"][position];
        pool["properties"].get("backendIPConfigurations").cloned()
    };
    let own = json!([{"id": format!("{nic}/ipConfigurations/ipconfig1")}]);
    assert_eq!(members(0).await, Some(own.clone()));
    assert_eq!(members(1).await, None);
    assert_eq!(served(&site).await, [vec!["10.0.1.4"], vec![]]);
    // A client that writes the gateway as it read it changes nothing of that.
    let gateway_body = api.get(&net(GATEWAY)).await.body;
    api.create(&net(GATEWAY), &gateway_body).await;
    assert_eq!(members(0).await, Some(own.clone()));
    api.create(&nic, &interface("backend", &["pool2"])).await;
    assert_eq!(members(0).await, None);
    assert_eq!(members(1).await, Some(own));
    let reply = api.put(&nic, &interface("backend", &["none"])).await;
    reply.refused("InvalidResourceReference");
    api.remove(&nic).await;
    assert_eq!(members(1).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_may_go_before_its_interfaces() {
    let site = site().await;
    let api = &site.api;
    api.create(&net(GATEWAY), &gateway()).await;
    let nic = net("networkInterfaces/nic1");
    api.create(&nic, &interface("backend", &["pool"])).await;
    api.remove(&net(GATEWAY)).await;
    let got = api.get(&nic).await.body;
    let member = "/properties/ipConfigurations/0/properties/applicationGatewayBackendAddressPools";
    assert_eq!(got.pointer(member), None);
    api.create(&nic, &got).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_primary_configuration_joins_pools() {
    let site = site().await;
    site.api.create(&net(GATEWAY), &gateway()).await;
    let mut body = interface("backend", &["pool"]);
    let mut second = interface("backend", &["pool2"])["properties"]["ipConfigurations"][0].clone();
    second["name"] = json!("ipconfig2");
    second["properties"]["primary"] = json!(false);
    body["properties"]["ipConfigurations"]
        .as_array_mut()
        .unwrap()
        .push(second);
    let nic = net("networkInterfaces/nic1");
    let reply = site
        .api
        .put(&nic, &body)
        .await
        .expect(StatusCode::BAD_REQUEST);
    let code = "ApplicationGatewayLoadBalancingNotSupportedOnSecondaryIpConfigurations";
    assert_eq!(
        reply.refused(code),
        format!(
            "Network Interface with Id: {nic} has a secondary IpConfigurations ipconfig2 is using \
             ApplicationGatewayAddressPools. ApplicationGateway loadbalancing is not supported for \
             secondary IpConfigurations."
        )
    );
    let empty = json!({"location": LOCATION, "properties": {"ipConfigurations": []}});
    site.api.put(&nic, &empty).await.refused("GW-E-interface");
    let mut nowhere = interface("backend", &[]);
    nowhere["properties"]["ipConfigurations"][0]["properties"]["subnet"] = json!(null);
    site.api
        .put(&nic, &nowhere)
        .await
        .refused("SubnetIsRequired");
    let lost = interface("none", &[]);
    site.api
        .put(&nic, &lost)
        .await
        .refused("InvalidResourceReference");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_gateway_cannot_be_asked_is_told_at_once() {
    let site = site().await;
    let path = net("applicationGateways/ag1");
    for empty in [
        json!({"location": LOCATION}),
        json!({"location": LOCATION, "properties": {}}),
    ] {
        let reply = site.api.put(&path, &empty).await;
        let reply = reply.expect(StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(reply.body["error"]["code"], "InternalServerError");
        assert_eq!(reply.body["error"]["message"], "An error occurred.");
    }
    site.api.create(&path, &gateway()).await;
    let about = |pool: &str| {
        let id = format!("{path}/backendAddressPools/{pool}");
        json!({"backendAddressPool": {"id": id}})
    };
    let ask = format!("{path}/getBackendHealthOnDemand");
    let reply = site.api.post(&ask, Some(&about("nosuch"))).await;
    let message = reply.refused("InvalidResourceReference");
    assert!(message.contains("backendAddressPools/nosuch"), "{message}");
    let pools = site.api.get(&path).await.body;
    let known = pools["properties"]["backendAddressPools"][0]["name"]
        .as_str()
        .unwrap();
    let reply = site
        .api
        .post(&ask, Some(&about(&known.to_uppercase())))
        .await;
    reply.expect(StatusCode::ACCEPTED);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_offers_to_private_endpoints_what_it_is_told_to() {
    let site = site().await;
    let path = net("applicationGateways/ag1");
    let list = async |collection: &str| {
        let reply = site.api.get(&format!("{path}/{collection}")).await;
        reply.expect(StatusCode::OK).body["value"].clone()
    };
    site.api.create(&path, &gateway()).await;
    assert_eq!(list("privateLinkResources").await, json!([]));
    let mut offering = gateway();
    let bag = &mut offering["properties"];
    bag["privateLinkConfigurations"] = json!([{"name": "link", "properties": {
        "ipConfigurations": [{"name": "c", "properties": {
            "primary": true, "subnet": {"id": subnet("backend")},
        }}],
    }}]);
    bag["frontendIPConfigurations"][0]["properties"]["privateLinkConfiguration"] =
        child("privateLinkConfigurations", "link");
    site.api.create(&path, &offering).await;
    let offered = list("privateLinkResources").await;
    assert_eq!(offered[0]["name"], "public");
    let expected = json!({
        "groupId": "public", "requiredMembers": ["link"], "requiredZoneNames": [],
    });
    assert_eq!(offered[0]["properties"], expected);
    assert_eq!(list("privateEndpointConnections").await, json!([]));
    let one = format!("{path}/privateEndpointConnections/x");
    site.api.get(&one).await.expect(StatusCode::NOT_FOUND);
    site.api.delete(&one).await.expect(StatusCode::NO_CONTENT);
}

/// Tags alone are stored at once, and count as a change of the gateway all the same.
#[tokio::test(flavor = "multi_thread")]
async fn changes_of_a_gateways_tags_at_the_same_moment_all_stay() {
    let site = site().await;
    let path = net(GATEWAY);
    site.api.create(&path, &gateway()).await;
    assert_eq!(merge_tags_at_once(&site.api, &path).await, 8);
}

/// Rules had no priorities then, and none is asked for to stop it, to tag it, or to join its pools.
#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_of_an_older_api_version_can_be_stopped_and_tagged() {
    let site = site().await;
    let api = &site.api;
    let path = net(GATEWAY);
    let mut body = gateway();
    let rule = &mut body["properties"]["requestRoutingRules"][0]["properties"];
    rule.as_object_mut().unwrap().remove("priority");
    let old = format!("{path}?api-version=2020-05-01");
    let made = api.put(&old, &body).await.expect(StatusCode::CREATED);
    assert_eq!(api.outcome(&made).await["status"], "Succeeded");
    api.create(
        &net("networkInterfaces/nic1"),
        &interface("backend", &["pool"]),
    )
    .await;
    assert_eq!(served(&site).await[0], ["10.0.1.4"]);
    let tagged = api.patch(&path, &json!({"tags": {"a": "b"}})).await;
    assert_eq!(api.outcome(&tagged).await["status"], "Succeeded");
    let stop = api.post(&format!("{path}/stop"), None).await;
    assert_eq!(api.outcome(&stop).await["status"], "Succeeded");
    let shown = api.get(&path).await.body;
    assert_eq!(shown["properties"]["operationalState"], "Stopped");
    api.put(&path, &shown).await.expect(StatusCode::BAD_REQUEST);
}

#[tokio::test(flavor = "multi_thread")]
async fn older_api_versions_have_what_they_had() {
    let site = site().await;
    let path = net("applicationGateways/ag1");
    site.api.create(&path, &gateway()).await;
    let of = async |path: &str, version: &str| {
        let reply = site.api.get(&format!("{path}?api-version={version}")).await;
        reply.expect(StatusCode::OK).body["properties"].clone()
    };
    for (version, is_there) in [("2021-03-01", false), ("2022-05-01", true)] {
        let bag = of(&path, version).await;
        for name in ["backendSettingsCollection", "listeners", "routingRules"] {
            assert_eq!(bag.get(name).is_some(), is_there, "{version} {name}");
        }
        assert_eq!(bag["sku"].get("family").is_some(), is_there, "{version}");
        let address = of(&net("publicIPAddresses/pip1"), version).await;
        assert_eq!(address.get("ddosSettings").is_some(), is_there, "{version}");
    }
    // The answers to a PUT, the lists and the items are cut alike.
    let old = "api-version=2021-03-01";
    let put = site.api.put(&format!("{path}?{old}"), &gateway()).await;
    let put = put.expect(StatusCode::OK);
    assert_eq!(put.body["properties"].get("routingRules"), None);
    site.api.outcome(&put).await;
    let list = net(&format!("publicIPAddresses?{old}"));
    let list = site.api.get(&list).await.expect(StatusCode::OK);
    assert!(list.body["value"][0]["properties"].get("ipTags").is_some());
    assert!(
        list.body["value"][0]["properties"]
            .get("ddosSettings")
            .is_none()
    );
    let item = site.api.get(&format!("{}?{old}", subnet("backend"))).await;
    let item = item.expect(StatusCode::OK);
    assert!(
        item.body["properties"]
            .get("ipamPoolPrefixAllocations")
            .is_none()
    );
    let network = net("virtualNetworks/vnet1");
    for (version, pools, policies) in [
        ("2022-01-01", false, false),
        ("2024-01-01", true, false),
        ("2024-05-01", true, true),
    ] {
        let bag = of(&network, version).await;
        let has = |bag: &Value| bag.get("ipamPoolPrefixAllocations").is_some();
        assert_eq!(has(&bag["addressSpace"]), pools, "{version}");
        assert_eq!(has(&bag["subnets"][0]["properties"]), pools, "{version}");
        let policy = bag.get("privateEndpointVNetPolicies");
        assert_eq!(policy.is_some(), policies, "{version}");
    }
}

/// Recorded from 2022 to 2026, each of them with and without.
#[tokio::test(flavor = "multi_thread")]
async fn newer_api_versions_have_what_is_theirs_in_its_place() {
    let site = site().await;
    let path = net(GATEWAY);
    site.api.create(&path, &gateway()).await;
    let of = async |version: &str| {
        let reply = site.api.get(&format!("{path}?api-version={version}")).await;
        reply.expect(StatusCode::OK).body["properties"].clone()
    };
    let after = |bag: &Value, name: &str| {
        let names = names(bag);
        let at = names.iter().position(|own| *own == name)?;
        at.checked_sub(1).map(|before| names[before].to_owned())
    };
    for (version, checks, tokens, advanced) in [
        ("2023-11-01", false, false, false),
        ("2024-10-01", true, false, false),
        ("2025-07-01", true, true, false),
        ("2026-01-01", true, true, true),
    ] {
        let bag = of(version).await;
        let setting = &bag["backendHttpSettingsCollection"][0]["properties"];
        let expected = match checks {
            true => json!({
                "pickHostNameFromBackendAddress": false, "dedicatedBackendConnection": false,
                "validateCertChainAndExpiry": true, "validateSNI": true, "sniName": null,
                "requestTimeout": 30,
            }),
            false => json!({"pickHostNameFromBackendAddress": false, "requestTimeout": 30}),
        };
        let expected = expected.to_string();
        let inner = expected.trim_matches(['{', '}']);
        assert!(setting.to_string().contains(inner), "{version}: {setting}");
        for (name, before, is_there) in [
            (
                "entraJWTValidationConfigs",
                "privateEndpointConnections",
                tokens,
            ),
            ("advancedRoutingMaps", "urlPathMaps", advanced),
            ("advancedRoutingConditionSets", "rewriteRuleSets", advanced),
        ] {
            let expected = is_there.then(|| before.to_owned());
            assert_eq!(after(&bag, name), expected, "{version} {name}");
        }
    }
    let whole = site.api.get(&path).await.body;
    assert_eq!(whole.get("tags"), None, "none were sent");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_elsewhere_is_not_found() {
    let site = site().await;
    let mut elsewhere = gateway();
    elsewhere["location"] = json!("westus");
    let reply = site.api.put(&net(GATEWAY), &elsewhere).await;
    let message = reply.refused("InvalidResourceReference");
    assert!(
        message.contains("both resources are in the same region"),
        "{message}"
    );
    // Networks are peered across regions.
    let mut other = json!({"location": "westus", "properties": {
        "addressSpace": {"addressPrefixes": ["10.9.0.0/16"]},
    }});
    other["properties"]["virtualNetworkPeerings"] = json!([{"name": "p", "properties": {
        "remoteVirtualNetwork": {"id": net("virtualNetworks/vnet1")},
    }}]);
    site.api.create(&net("virtualNetworks/far"), &other).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_member_that_nobody_knows_is_named() {
    let site = site().await;
    let mut body = gateway();
    let setting = &mut body["properties"]["backendHttpSettingsCollection"][0]["properties"];
    setting["foo"] = json!(1);
    setting["bar"] = json!(2);
    let reply = site.api.put(&net(GATEWAY), &body).await;
    reply.refused("InvalidRequestFormat");
    let details = reply.body["error"]["details"].as_array().unwrap();
    let texts: Vec<&str> = details
        .iter()
        .filter_map(|one| one["message"].as_str())
        .collect();
    assert_eq!(texts.len(), 2, "{texts:?}");
    assert!(
        texts[0].starts_with("Could not find member 'foo'"),
        "{texts:?}"
    );
    assert!(
        texts[1].starts_with("Could not find member 'bar'"),
        "{texts:?}"
    );
    assert_eq!(details[0].get("details"), None);
}

/// As an answer of the service holds it, which no other control plane has the key of.
#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_comes_from_somewhere() {
    let site = site().await;
    let mut body = gateway();
    body["properties"]["sslCertificates"] = json!([
        {"name": "web", "properties": {"provisioningState": "Succeeded", "publicCertData": "MII="}},
    ]);
    let reply = site.api.put(&net(GATEWAY), &body).await;
    let code = "ApplicationGatewayCertificateDataOrKeyVaultSecretIdMustBeSpecified";
    let expected = format!(
        "Data or KeyVaultSecretId must be specified for certificate {}.",
        child("sslCertificates", "web")["id"].as_str().unwrap()
    );
    assert_eq!(reply.refused(code), expected);
}
