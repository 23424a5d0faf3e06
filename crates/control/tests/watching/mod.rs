//! A network with two machines, a node that reaches stand-ins for their addresses in truth, and
//! somebody who asks its network watcher.

#![allow(dead_code, reason = "every test binary uses its part of it")]

use std::net::SocketAddr;
use std::sync::Arc;

use gatewright_arm::{ArmError, ResourceId};
use gatewright_control::{Attempt, Attempted, LetsThrough, Node};
use gatewright_store::{Pending, Revision};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::support::{
    Api, GROUP, LOCATION, Obedient, Reply, Site, StandIns, as_obedient, group, net,
};

/// A node that has stand-ins for the addresses of the network.
impl Node for StandIns {
    fn took(&self, revision: Revision) -> Pending<'_, Result<(), ArmError>> {
        Obedient.took(revision)
    }

    fn serves<'a>(&'a self, id: &'a ResourceId, at: Revision) -> Pending<'a, Result<(), ArmError>> {
        Obedient.serves(id, at)
    }

    as_obedient!(health);

    fn attempt<'a>(
        &'a self,
        attempt: &'a Attempt,
        lets_through: LetsThrough<'a>,
    ) -> Pending<'a, Attempted> {
        Box::pin(self.try_out(attempt, lets_through))
    }
}

/// A server that answers every request with this status.
pub(crate) async fn server(status: u16) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = [0; 1024];
                if stream
                    .read(&mut request)
                    .await
                    .is_ok_and(|length| length > 0)
                {
                    let answer = format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n");
                    let _ = stream.write_all(answer.as_bytes()).await;
                }
            });
        }
    });
    address
}

/// A port that nobody listens at.
pub(crate) async fn closed() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap()
}

pub(crate) fn network(name: &str, prefix: &str, subnets: &[(&str, &str)]) -> (String, Value) {
    let subnets = subnets
        .iter()
        .map(|(name, prefix)| json!({"name": name, "properties": {"addressPrefix": prefix}}));
    let body = json!({"location": LOCATION, "properties": {
        "addressSpace": {"addressPrefixes": [prefix]},
        "subnets": subnets.collect::<Vec<_>>(),
    }});
    (net(&format!("virtualNetworks/{name}")), body)
}

pub(crate) fn machine_path(name: &str) -> String {
    format!(
        "{}/providers/Microsoft.Compute/virtualMachines/{name}",
        group(GROUP)
    )
}

/// A machine with one interface in a subnet.
pub(crate) async fn machine(api: &Api, name: &str, subnet: &str, address: &str) {
    let interface = net(&format!("networkInterfaces/{name}nic"));
    let body = json!({"location": LOCATION, "properties": {"ipConfigurations": [{
        "name": "ipconfig1", "properties": {
            "privateIPAllocationMethod": "Static",
            "privateIPAddress": address,
            "subnet": {"id": net(&format!("virtualNetworks/{subnet}"))},
        },
    }]}});
    api.create(&interface, &body).await;
    let body = json!({"location": LOCATION, "properties": {
        "networkProfile": {"networkInterfaces": [{"id": interface}]},
    }});
    api.create(&machine_path(name), &body).await;
}

/// vm1 at 10.0.0.4 and vm2 at 10.0.1.4, in two subnets of one network.
pub(crate) async fn furnish(api: &Api) {
    let (path, body) = network(
        "net1",
        "10.0.0.0/16",
        &[("front", "10.0.0.0/24"), ("back", "10.0.1.0/24")],
    );
    api.create(&path, &body).await;
    machine(api, "vm1", "net1/subnets/front", "10.0.0.4").await;
    machine(api, "vm2", "net1/subnets/back", "10.0.1.4").await;
}

pub(crate) async fn site_with(stand_ins: StandIns) -> (Site, Arc<StandIns>) {
    let node = Arc::new(stand_ins);
    let site = Site::with(|_| {}, Arc::clone(&node) as Arc<dyn Node>).await;
    let body = json!({"location": LOCATION});
    let made = site.api.put(&group(GROUP), &body).await;
    made.expect(StatusCode::CREATED);
    furnish(&site.api).await;
    (site, node)
}

pub(crate) fn stand_in(address: &str, place: SocketAddr) -> StandIns {
    let mut stand_ins = StandIns::default();
    stand_ins.by_host.insert(address.to_owned(), place);
    stand_ins
}

pub(crate) fn watcher(word: &str) -> String {
    let group = group("NetworkWatcherRG");
    format!("{group}/providers/Microsoft.Network/networkWatchers/NetworkWatcher_local{word}")
}

pub(crate) async fn ask(api: &Api, word: &str, question: &Value) -> Value {
    let reply = api
        .post(&watcher(&format!("/{word}")), Some(question))
        .await;
    let reply = reply.expect(StatusCode::ACCEPTED);
    assert_eq!(reply.text, "null");
    let location = reply.header("location").unwrap();
    assert!(
        location.contains("/locations/local/operationResults/"),
        "{location}"
    );
    assert_eq!(reply.header("azure-asyncoperation"), None);
    api.result(&reply).await.expect(StatusCode::OK).body
}

pub(crate) async fn refusal(api: &Api, word: &str, question: &Value) -> Reply {
    api.post(&watcher(&format!("/{word}")), Some(question))
        .await
}

pub(crate) fn to_address(address: &str, port: u16) -> Value {
    json!({
        "source": {"resourceId": machine_path("vm1")},
        "destination": {"address": address, "port": port},
    })
}

/// Puts a group with this rule at a subnet of net1, or at an interface.
pub(crate) async fn guard(api: &Api, place: &str, rule: Value) {
    let id = net("networkSecurityGroups/nsg1");
    let body = json!({"location": LOCATION, "properties": {"securityRules": [
        {"name": "no-web", "properties": rule},
    ]}});
    api.create(&id, &body).await;
    let place = net(place);
    let mut body = api.get(&place).await.expect(StatusCode::OK).body;
    body["properties"]["networkSecurityGroup"] = json!({ "id": id });
    api.create(&place, &body).await;
}

pub(crate) fn denial(direction: &str, port: &str) -> Value {
    json!({
        "access": "Deny", "direction": direction, "priority": 100, "protocol": "Tcp",
        "sourceAddressPrefix": "*", "sourcePortRange": "*",
        "destinationAddressPrefix": "*", "destinationPortRange": port,
    })
}

/// Gives the subnet `front` a table with this route.
pub(crate) async fn route(api: &Api, properties: Value) {
    let table = net("routeTables/rt1");
    let body = json!({"location": LOCATION, "properties": {"routes": [
        {"name": "way", "properties": properties},
    ]}});
    api.create(&table, &body).await;
    let place = net("virtualNetworks/net1/subnets/front");
    let mut body = api.get(&place).await.expect(StatusCode::OK).body;
    body["properties"]["routeTable"] = json!({ "id": table });
    api.create(&place, &body).await;
}
