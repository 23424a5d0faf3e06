//! Network watchers: how they come to be, and what they find between two ends. The node of these
//! tests connects in truth, to stand-ins for the addresses of the network.

mod support;
mod watching;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use gatewright_control::{DEFAULT_SUBSCRIPTION, Role};
use reqwest::StatusCode;
use serde_json::{Value, json};
use support::{Api, GROUP, LOCATION, Site, StandIns, gateway, group, names, net};
use watching::{
    ask, closed, denial, guard, machine, machine_path, network, refusal, route, server, site_with,
    stand_in, to_address, watcher,
};

fn issues(answer: &Value) -> Vec<Value> {
    let hops = answer["hops"].as_array().unwrap();
    hops.iter()
        .flat_map(|hop| hop["issues"].as_array().unwrap().clone())
        .collect()
}

fn kinds(answer: &Value) -> Vec<&str> {
    let hops = answer["hops"].as_array().unwrap();
    hops.iter()
        .map(|hop| hop["type"].as_str().unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_location_has_a_watcher_once_it_has_a_network() {
    let site = Site::with_group().await;
    let all = format!(
        "/subscriptions/{DEFAULT_SUBSCRIPTION}/providers/Microsoft.Network/networkWatchers"
    );
    let groups = format!("/subscriptions/{DEFAULT_SUBSCRIPTION}/resourceGroups");
    assert_eq!(site.api.get(&all).await.body, json!({"value": []}));
    assert_eq!(
        site.api.get(&groups).await.body["value"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    let (path, mut body) = network("net1", "10.0.0.0/16", &[]);
    site.api.create(&path, &body).await;
    let listed = site.api.get(&all).await.body;
    let made = &listed["value"][0];
    assert_eq!(
        names(made),
        ["name", "id", "etag", "type", "location", "properties"],
        "as recorded"
    );
    assert_eq!(made["id"], watcher(""));
    assert_eq!(made["name"], "NetworkWatcher_local");
    assert_eq!(made["location"], "local");
    let expected = json!({"provisioningState": "Succeeded", "runningOperationIds": []});
    assert_eq!(made["properties"], expected);
    let in_group = site.api.get(&group("NetworkWatcherRG")).await;
    assert_eq!(in_group.expect(StatusCode::OK).body["location"], "local");
    // Whoever wrote the network made it.
    let log = format!(
        "/subscriptions/{DEFAULT_SUBSCRIPTION}/providers/Microsoft.Insights/eventtypes/management/\
         values?api-version=2015-04-01&$filter=resourceGroupName%20eq%20'NetworkWatcherRG'"
    );
    let log = site.api.get(&log).await.expect(StatusCode::OK).body;
    let events = log["value"].as_array().unwrap();
    assert_eq!(events.len(), 4, "a group and a watcher: {log:#}");
    for event in events {
        assert_eq!(event["caller"], *site.bootstrap.principal.app_id);
    }
    // A network in another location brings another one, and a second write no third.
    body["location"] = json!("West Europe");
    site.api.create(&net("virtualNetworks/net2"), &body).await;
    site.api.create(&net("virtualNetworks/net2"), &body).await;
    let listed = site.api.get(&all).await.body;
    let names: Vec<&Value> = listed["value"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["name"])
        .collect();
    assert_eq!(names, ["NetworkWatcher_local", "NetworkWatcher_westeurope"]);
    let groups = site.api.get(&groups).await.body;
    assert_eq!(groups["value"].as_array().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watcher_is_written_and_deleted_like_other_resources() {
    let site = Site::with_group().await;
    let own = net("networkWatchers/mine");
    let reply = site.api.put(&own, &json!({})).await;
    reply.refused("LocationRequired");
    let body = json!({"location": "Local", "tags": {"a": "b"}});
    let made = site.api.put(&own, &body).await.expect(StatusCode::CREATED);
    assert_eq!(made.header("azure-asyncoperation"), None);
    assert_eq!(made.body["properties"]["provisioningState"], "Succeeded");
    assert_eq!(made.body["tags"], json!({"a": "b"}));
    site.api.put(&own, &body).await.expect(StatusCode::OK);
    let other = net("networkWatchers/other");
    let reply = site.api.put(&other, &body).await;
    let why = reply.refused("NetworkWatcherCountLimitReached");
    assert!(why.contains("more than 1"), "{why}");
    let reply = site.api.put(&own, &json!({"location": "westeurope"})).await;
    reply.refused("InvalidResourceLocation");
    // Where there is one already, none is made.
    let (path, body) = network("net1", "10.0.0.0/16", &[]);
    site.api.create(&path, &body).await;
    site.api
        .get(&watcher(""))
        .await
        .refused("ResourceGroupNotFound");
    let patched = site.api.patch(&own, &json!({"tags": {"c": "d"}})).await;
    assert_eq!(
        patched.expect(StatusCode::OK).body["tags"],
        json!({"c": "d"})
    );
    // az takes 202 and 204, and nothing else.
    site.api.delete(&own).await.expect(StatusCode::NO_CONTENT);
    site.api.get(&own).await.refused("ResourceNotFound");
    // The next write of a network brings the service's own.
    site.api.create(&path, &body).await;
    site.api.get(&watcher("")).await.expect(StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_network_lets_through_is_tried_in_truth() {
    let (site, _) = site_with(stand_in("10.0.1.4", server(200).await)).await;
    let answer = ask(&site.api, "connectivityCheck", &to_address("10.0.1.4", 80)).await;
    assert_eq!(
        names(&answer),
        [
            "hops",
            "connectionStatus",
            "avgLatencyInMs",
            "minLatencyInMs",
            "maxLatencyInMs",
            "probesSent",
            "probesFailed",
            "errors",
        ],
        "as recorded"
    );
    assert_eq!(answer["connectionStatus"], "Reachable");
    assert_eq!(
        (&answer["probesSent"], &answer["probesFailed"]),
        (&json!(1), &json!(0))
    );
    assert_eq!(kinds(&answer), ["Source", "VirtualNetwork"]);
    let (source, end) = (&answer["hops"][0], &answer["hops"][1]);
    let members = [
        "type",
        "id",
        "address",
        "resourceId",
        "nextHopIds",
        "links",
        "previousHopIds",
        "previousLinks",
        "issues",
    ];
    assert_eq!(names(source), members, "as recorded");
    assert_eq!(source["address"], "10.0.0.4");
    assert_eq!(source["resourceId"], machine_path("vm1"));
    assert_eq!(source["nextHopIds"], json!([end["id"]]));
    assert_eq!(source["links"][0]["nextHopId"], end["id"]);
    assert_eq!(source["links"][0]["linkType"], "VirtualNetwork");
    assert!(source["links"][0]["properties"]["roundTripTimeAvg"].is_u64());
    assert_eq!(source["previousHopIds"], json!([]));
    assert_eq!(end["address"], "10.0.1.4");
    assert_eq!(end["resourceId"], machine_path("vm2"));
    assert_eq!(end["previousLinks"][0]["nextHopId"], source["id"]);
    assert_eq!(end["nextHopIds"], json!([]));
    assert_eq!(issues(&answer), Vec::<Value>::new());
    // The same by the id of the other machine.
    let mut question = to_address("", 80);
    question["destination"] = json!({"resourceId": machine_path("vm2"), "port": 80});
    let answer = ask(&site.api, "connectivityCheck", &question).await;
    assert_eq!(answer["connectionStatus"], "Reachable");
    assert_eq!(answer["hops"][1]["address"], "10.0.1.4");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_refuses_is_unreachable_and_says_why() {
    let (site, _) = site_with(stand_in("10.0.1.4", closed().await)).await;
    let answer = ask(&site.api, "connectivityCheck", &to_address("10.0.1.4", 80)).await;
    assert_eq!(answer["connectionStatus"], "Unreachable");
    assert_eq!(
        (&answer["probesSent"], &answer["probesFailed"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(answer.get("avgLatencyInMs"), None);
    let found = issues(&answer);
    assert_eq!(found.len(), 1);
    assert_eq!(
        (&found[0]["origin"], &found[0]["type"]),
        (&json!("Inbound"), &json!("Unknown"))
    );
    let why = found[0]["context"][0]["value"].as_str().unwrap();
    assert!(why.contains("refused"), "{why}");
}

/// Asks for 10.0.1.4:80, which listens, and answers the only issue; nothing was tried.
async fn blocked(site: &Site, node: &StandIns) -> Value {
    let before = node.connections.load(Ordering::Relaxed);
    let answer = ask(&site.api, "connectivityCheck", &to_address("10.0.1.4", 80)).await;
    assert_eq!(answer["connectionStatus"], "Unreachable");
    assert_eq!(answer["probesSent"], answer["probesFailed"]);
    assert_eq!(
        node.connections.load(Ordering::Relaxed),
        before,
        "nothing was tried"
    );
    let hops = answer["hops"].as_array().unwrap();
    let found = issues(&answer);
    assert_eq!(found.len(), 1, "{answer:#}");
    let at = hops.iter().position(|hop| hop["issues"] != json!([]));
    json!({"at": at, "issue": found[0]})
}

fn by_rule(at: usize, origin: &str, name: &str) -> Value {
    json!({"at": at, "issue": {
        "origin": origin, "severity": "Error", "type": "NetworkSecurityRule",
        "context": [{"key": "RuleName", "value": name}],
    }})
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_at_subnets_and_interfaces_block_in_both_directions() {
    let back = "virtualNetworks/net1/subnets/back";
    let front = "virtualNetworks/net1/subnets/front";
    let cases = [
        (back, "Inbound", 1),
        (front, "Outbound", 0),
        ("networkInterfaces/vm1nic", "Outbound", 0),
        ("networkInterfaces/vm2nic", "Inbound", 1),
    ];
    for (place, direction, at) in cases {
        let mut stand_ins = stand_in("10.0.1.4", server(200).await);
        let other = server(200).await;
        stand_ins.by_host.insert("10.0.0.4".to_owned(), other);
        let (site, node) = site_with(stand_ins).await;
        guard(&site.api, place, denial(direction, "80")).await;
        let seen = blocked(&site, &node).await;
        assert_eq!(seen, by_rule(at, direction, "UserRule_no-web"), "{place}");
        // Other ports are not meant.
        let answer = ask(&site.api, "connectivityCheck", &to_address("10.0.1.4", 81)).await;
        assert_eq!(answer["connectionStatus"], "Reachable", "{place}");
        // Nor is the other direction.
        let mut question = to_address("10.0.0.4", 80);
        question["source"]["resourceId"] = json!(machine_path("vm2"));
        let answer = ask(&site.api, "connectivityCheck", &question).await;
        assert_eq!(
            answer["connectionStatus"], "Reachable",
            "{place}: {answer:#}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_that_every_group_ends_with_is_named_as_such() {
    let (site, _) = site_with(stand_in("10.9.0.4", server(200).await)).await;
    guard(
        &site.api,
        "virtualNetworks/net1/subnets/front",
        denial("Inbound", "1"),
    )
    .await;
    let answer = ask(&site.api, "connectivityCheck", &to_address("10.9.0.4", 80)).await;
    assert_eq!(answer["connectionStatus"], "Unreachable");
    assert_eq!(kinds(&answer), ["Source", "Destination"]);
    let found = issues(&answer);
    assert_eq!(
        found[0]["context"][0]["value"],
        "DefaultRule_DenyAllOutBound"
    );
    assert_eq!(
        found[1]["type"], "Platform",
        "the platform drops it besides"
    );
    assert_eq!(
        found[1]["context"],
        json!([{"key": "RouteType", "value": "System"}])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_to_nowhere_blocks_and_an_appliance_is_a_hop() {
    let (site, node) = site_with(stand_in("10.0.1.4", server(200).await)).await;
    let to_nowhere = json!({"addressPrefix": "10.0.1.0/24", "nextHopType": "None"});
    route(&site.api, to_nowhere).await;
    let expected = json!({"at": 0, "issue": {
        "origin": "Outbound", "severity": "Error", "type": "UserDefinedRoute",
        "context": [{"key": "RouteType", "value": "User"}],
    }});
    assert_eq!(blocked(&site, &node).await, expected);
    let by_appliance = json!({
        "addressPrefix": "10.0.1.0/24", "nextHopType": "VirtualAppliance",
        "nextHopIpAddress": "10.0.0.9",
    });
    route(&site.api, by_appliance).await;
    let answer = ask(&site.api, "connectivityCheck", &to_address("10.0.1.4", 80)).await;
    assert_eq!(answer["connectionStatus"], "Reachable");
    assert_eq!(
        kinds(&answer),
        ["Source", "VirtualAppliance", "VirtualNetwork"]
    );
    let hops = &answer["hops"];
    assert_eq!(hops[1]["address"], "10.0.0.9");
    assert_eq!(hops[0]["nextHopIds"], json!([hops[1]["id"]]));
    assert_eq!(hops[1]["nextHopIds"], json!([hops[2]["id"]]));
    assert_eq!(hops[2]["previousHopIds"], json!([hops[1]["id"]]));
    // An appliance that is the destination itself is no hop on the way.
    let to_itself = json!({
        "addressPrefix": "10.0.1.0/24", "nextHopType": "VirtualAppliance",
        "nextHopIpAddress": "10.0.1.4",
    });
    route(&site.api, to_itself).await;
    let answer = ask(&site.api, "connectivityCheck", &to_address("10.0.1.4", 80)).await;
    assert_eq!(kinds(&answer), ["Source", "VirtualNetwork"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_looked_up_and_the_network_judges_their_addresses() {
    let mut stand_ins = stand_in("203.0.113.7", server(200).await);
    stand_ins
        .names
        .insert("www.shop.test".to_owned(), "203.0.113.7".parse().unwrap());
    let (site, node) = site_with(stand_ins).await;
    let question = to_address("https://WWW.shop.test/x", 443);
    let answer = ask(&site.api, "connectivityCheck", &question).await;
    assert_eq!(answer["connectionStatus"], "Reachable");
    assert_eq!(kinds(&answer), ["Source", "Internet"]);
    assert_eq!(answer["hops"][1]["address"], "203.0.113.7");
    assert_eq!(answer["hops"][0]["links"][0]["linkType"], "Internet");
    assert_eq!(answer["hops"][1].get("resourceId"), None, "as recorded");
    let attempt = node.last.lock().unwrap().clone().unwrap();
    assert_eq!((attempt.port, attempt.request), (443, None));
    let answer = ask(
        &site.api,
        "connectivityCheck",
        &to_address("nobody.test", 80),
    )
    .await;
    assert_eq!(answer["connectionStatus"], "Unreachable");
    assert_eq!(
        (&answer["probesSent"], &answer["probesFailed"]),
        (&json!(0), &json!(0))
    );
    let found = issues(&answer);
    assert_eq!(
        (&found[0]["type"], &found[0]["origin"]),
        (&json!("DnsResolution"), &json!("Local"))
    );
    let place = "virtualNetworks/net1/subnets/front";
    guard(&site.api, place, denial("Outbound", "*")).await;
    let answer = ask(
        &site.api,
        "connectivityCheck",
        &to_address("www.shop.test", 80),
    )
    .await;
    assert_eq!(issues(&answer)[0]["type"], "NetworkSecurityRule");
}

#[tokio::test(flavor = "multi_thread")]
async fn name_servers_of_the_source_s_network_are_the_ones_to_ask() {
    let (site, node) = site_with(StandIns::default()).await;
    let path = net("virtualNetworks/net1");
    let mut body = site.api.get(&path).await.body;
    body["properties"]["dhcpOptions"] = json!({"dnsServers": ["10.0.0.53"]});
    site.api.create(&path, &body).await;
    ask(
        &site.api,
        "connectivityCheck",
        &to_address("nobody.test", 80),
    )
    .await;
    let attempt = node.last.lock().unwrap().clone().unwrap();
    assert_eq!(
        attempt.name_servers,
        ["10.0.0.53".parse::<std::net::IpAddr>().unwrap()]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_decides_by_its_status() {
    let (site, node) = site_with(stand_in("10.0.1.4", server(503).await)).await;
    let mut question = to_address("10.0.1.4", 8080);
    question["protocolConfiguration"] = json!({"HTTPConfiguration": {
        "method": "get",
        "headers": [{"name": "Host", "value": "shop.test"}, {"name": "X-A", "value": "b"}],
        "validStatusCodes": [503],
    }});
    let answer = ask(&site.api, "connectivityCheck", &question).await;
    assert_eq!(answer["connectionStatus"], "Reachable");
    let attempt = node.last.lock().unwrap().clone().unwrap();
    let request = attempt.request.unwrap();
    assert_eq!((&*request.host, &*request.path), ("shop.test", "/"));
    assert!(!request.is_encrypted);
    assert_eq!(request.fields, [("X-A".to_owned(), "b".to_owned())]);
    question["protocolConfiguration"] = Value::Null;
    question["protocol"] = json!("HTTP");
    let answer = ask(&site.api, "connectivityCheck", &question).await;
    assert_eq!(answer["connectionStatus"], "Unreachable");
    assert_eq!(
        (&answer["probesSent"], &answer["probesFailed"]),
        (&json!(2), &json!(1))
    );
    let why = issues(&answer)[0]["context"][0]["value"].to_string();
    assert!(why.contains("503"), "{why}");
    let attempt = node.last.lock().unwrap().clone().unwrap();
    assert_eq!(attempt.request.unwrap().host, "10.0.1.4:8080");
    // Only connected to, whatever else is said.
    question["protocol"] = json!("Tcp");
    let answer = ask(&site.api, "connectivityCheck", &question).await;
    assert_eq!(answer["connectionStatus"], "Reachable");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_can_be_the_source() {
    let (site, _) = site_with(stand_in("10.0.1.4", server(200).await)).await;
    let (path, body) = network("net2", "10.0.0.0/16", &[("gateways", "10.0.2.0/24")]);
    let mut whole = site.api.get(&net("virtualNetworks/net1")).await.body;
    let subnets = whole["properties"]["subnets"].as_array_mut().unwrap();
    subnets.push(body["properties"]["subnets"][0].clone());
    site.api.create(&path.replace("net2", "net1"), &whole).await;
    let address = json!({"location": LOCATION, "sku": {"name": "Standard"}});
    site.api
        .create(&net("publicIPAddresses/pip1"), &address)
        .await;
    site.api
        .create(&net("applicationGateways/gw1"), &gateway("gw1"))
        .await;
    let mut question = to_address("10.0.1.4", 80);
    question["source"]["resourceId"] = json!(net("applicationGateways/gw1"));
    let answer = ask(&site.api, "connectivityCheck", &question).await;
    assert_eq!(answer["connectionStatus"], "Reachable");
    assert_eq!(
        answer["hops"][0]["resourceId"],
        net("applicationGateways/gw1")
    );
    let mut rule = denial("Inbound", "80");
    rule["sourceAddressPrefix"] = json!("10.0.2.0/24");
    guard(&site.api, "networkInterfaces/vm2nic", rule).await;
    let answer = ask(&site.api, "connectivityCheck", &question).await;
    assert_eq!(issues(&answer)[0]["context"][0]["value"], "UserRule_no-web");
    let answer = ask(&site.api, "connectivityCheck", &to_address("10.0.1.4", 80)).await;
    assert_eq!(
        answer["connectionStatus"], "Reachable",
        "vm1 is in another subnet"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_ask_learns_of_what_they_may_read_and_no_more() {
    let (site, _) = site_with(stand_in("10.0.1.4", server(200).await)).await;
    let ca = std::fs::read(site.directory.path().join("ca.pem")).unwrap();
    let somebody = async |role: Role, scope: &str| {
        let made = site
            .control
            .create_principal("test", role, scope)
            .await
            .unwrap();
        Api::log_in(site.control.address(), &ca, &made).await
    };
    let all = format!("/subscriptions/{DEFAULT_SUBSCRIPTION}");
    let contributor = somebody(Role::NetworkContributor, &all).await;
    let answer = ask(
        &contributor,
        "connectivityCheck",
        &to_address("10.0.1.4", 80),
    )
    .await;
    assert_eq!(answer["hops"][1]["resourceId"], machine_path("vm2"));
    let reader = somebody(Role::Reader, &all).await;
    let reply = refusal(&reader, "connectivityCheck", &to_address("10.0.1.4", 80)).await;
    assert_eq!(reply.status, StatusCode::FORBIDDEN);
    reply.refused("AuthorizationFailed");
    // The watcher alone is not enough: not even whether a machine exists is told.
    let watching = somebody(Role::Owner, &group("NetworkWatcherRG")).await;
    for name in ["vm1", "absent"] {
        let mut question = to_address("10.0.1.4", 80);
        question["source"]["resourceId"] = json!(machine_path(name));
        let reply = refusal(&watching, "connectivityCheck", &question).await;
        assert_eq!(reply.status, StatusCode::FORBIDDEN);
        reply.refused("LinkedAuthorizationFailed");
        let question = json!({
            "targetResourceId": machine_path(name),
            "sourceIPAddress": "10.0.0.4",
            "destinationIPAddress": "10.0.1.4",
        });
        let reply = refusal(&watching, "nextHop", &question).await;
        reply.refused("LinkedAuthorizationFailed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_lies_in_a_group_that_the_caller_may_not_read_is_not_named() {
    let node = Arc::new(stand_in("10.0.1.4", server(200).await));
    let site = Site::with(|_| {}, node).await;
    for name in [GROUP, "rg2"] {
        site.api
            .create(&group(name), &json!({"location": LOCATION}))
            .await;
    }
    let own = net("networkWatchers/mine");
    site.api.create(&own, &json!({"location": LOCATION})).await;
    let subnets = [("front", "10.0.0.0/24"), ("back", "10.0.1.0/24")];
    let (path, body) = network("net1", "10.0.0.0/16", &subnets);
    site.api.create(&path, &body).await;
    machine(&site.api, "vm1", "net1/subnets/front", "10.0.0.4").await;
    let theirs = net("networkInterfaces/theirs").replace(GROUP, "rg2");
    let body = json!({"location": LOCATION, "properties": {"ipConfigurations": [{
        "name": "ip", "properties": {
            "privateIPAllocationMethod": "Static",
            "privateIPAddress": "10.0.1.4",
            "subnet": {"id": net("virtualNetworks/net1/subnets/back")},
        },
    }]}});
    site.api.create(&theirs, &body).await;
    let ca = std::fs::read(site.directory.path().join("ca.pem")).unwrap();
    let made = site
        .control
        .create_principal("test", Role::Owner, &group(GROUP))
        .await;
    let limited = Api::log_in(site.control.address(), &ca, &made.unwrap()).await;
    let question = to_address("10.0.1.4", 80);
    let check = format!("{own}/connectivityCheck");
    let seen = async |api: &Api| {
        let reply = api.post(&check, Some(&question)).await;
        let answer = api.result(&reply.expect(StatusCode::ACCEPTED)).await.body;
        answer["hops"][1].get("resourceId").cloned()
    };
    let whole = json!(format!("{theirs}/ipConfigurations/ip"));
    assert_eq!(seen(&site.api).await, Some(whole));
    assert_eq!(seen(&limited).await, None);
}
