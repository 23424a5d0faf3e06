//! A control plane that ends in the middle of things, and is started again.

mod house;
mod support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use gatewright_control::Limits;
use gatewright_store::{Key, Transaction};
use house::{Gate, House, PATIENCE, Running, furnish};
use reqwest::StatusCode;
use serde_json::{Value, json};
use support::{Api, GROUP, LOCATION, Reply, gateway, group, net};

const GATEWAY: &str = "applicationGateways/ag1";

/// A house with a network, an address, and a node that takes nothing from now on.
async fn house() -> (House, Running, Arc<Gate>) {
    let (mut house, gate) = (House::new(Limits::default()), Gate::closed());
    gate.open();
    let running = house.start_with(Arc::clone(&gate) as _).await;
    furnish(&running.api).await;
    gate.close();
    (house, running, gate)
}

/// The operation of a reply, under the address of another control plane.
fn moved(reply: &Reply, header: &str, api: &Api) -> String {
    let url = reply.header(header).unwrap_or_else(|| panic!("{reply:#?}"));
    let path = url.splitn(4, '/').nth(3).unwrap();
    format!("{}/{path}", api.root)
}

async fn poll(api: &Api, url: &str) -> Value {
    api.get(url).await.expect(StatusCode::OK).body
}

/// How the operation ends.
async fn end(api: &Api, url: &str) -> Value {
    let since = Instant::now();
    loop {
        let body = poll(api, url).await;
        if body["status"] != "InProgress" {
            return body;
        }
        assert!(since.elapsed() < PATIENCE, "{url} does not end");
    }
}

/// Killed, and started with a node that takes everything.
async fn again(house: &mut House, running: Running) -> Running {
    running.kill();
    house.start().await
}

async fn state(api: &Api, path: &str) -> Value {
    let reply = api.get(path).await.expect(StatusCode::OK);
    reply.body["properties"]["provisioningState"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_put_goes_on_after_a_restart() {
    let (mut house, running, _gate) = house().await;
    let path = net(GATEWAY);
    let put = running.api.put(&path, &gateway("ag1")).await;
    let put = put.expect(StatusCode::CREATED);
    assert_eq!(state(&running.api, &path).await, "Updating");
    // A second start that ends too changes nothing.
    running.kill();
    let running = house.start_with(Gate::closed()).await;
    let url = moved(&put, "azure-asyncoperation", &running.api);
    assert_eq!(
        poll(&running.api, &url).await,
        json!({"status": "InProgress"})
    );
    let running = again(&mut house, running).await;
    let url = moved(&put, "azure-asyncoperation", &running.api);
    assert_eq!(
        end(&running.api, &url).await,
        json!({"status": "Succeeded"})
    );
    assert_eq!(state(&running.api, &path).await, "Succeeded");
    let body = running.api.get(&path).await.body;
    assert_eq!(body["properties"]["operationalState"], "Running");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_put_that_supersedes_is_the_one_that_goes_on() {
    let (mut house, running, _gate) = house().await;
    let path = net(GATEWAY);
    let first = running.api.put(&path, &gateway("ag1")).await;
    let mut body = gateway("ag1");
    body["tags"] = json!({"which": "second"});
    let second = running.api.put(&path, &body).await.expect(StatusCode::OK);
    let running = again(&mut house, running).await;
    let url = moved(&first, "azure-asyncoperation", &running.api);
    let outcome = end(&running.api, &url).await;
    assert_eq!(outcome["status"], "Canceled");
    let code = &outcome["error"]["details"][0]["code"];
    assert_eq!(code, "CanceledAndSupersededDueToAnotherOperation");
    let url = moved(&second, "azure-asyncoperation", &running.api);
    assert_eq!(end(&running.api, &url).await["status"], "Succeeded");
    let body = running.api.get(&path).await.body;
    assert_eq!(body["tags"], json!({"which": "second"}));
    assert_eq!(body["properties"]["provisioningState"], "Succeeded");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_bound_to_fail_does_so_after_a_restart_too() {
    let (mut house, running, gate) = house().await;
    gate.open();
    let path = net(GATEWAY);
    let mut body = gateway("ag1");
    body["properties"]["sslCertificates"] = json!([{"name": "c", "properties": {
        "keyVaultSecretId": "https://nowhere.vault.azure.net/secrets/c",
    }}]);
    let put = running.api.put(&path, &body).await;
    let outcome = running.api.outcome(&put).await;
    assert_eq!(outcome["status"], "Failed", "{outcome}");
    // As if it had been killed before the end was written.
    let url = put.header("azure-asyncoperation").unwrap();
    let id = url.rsplit('/').next().unwrap().split('?').next().unwrap();
    rewrite(&running, &format!("operation/{id}"), |operation| {
        operation["status"] = json!("InProgress");
        operation.as_object_mut().unwrap().remove("error");
    })
    .await;
    let running = again(&mut house, running).await;
    let url = moved(&put, "azure-asyncoperation", &running.api);
    assert_eq!(end(&running.api, &url).await, outcome);
    assert_eq!(state(&running.api, &path).await, "Failed");
    // And it can go.
    running.api.remove(&path).await;
}

async fn rewrite(running: &Running, key: &str, change: impl FnOnce(&mut Value)) {
    let entry = running.entry(key).await.expect(key);
    let mut value: Value = serde_json::from_slice(&entry.value).unwrap();
    change(&mut value);
    let bytes = value.to_string().into_bytes();
    let transaction = Transaction::default().put(entry.key, bytes);
    running.store.commit(transaction).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_being_deleted_can_neither_be_used_nor_put_before_it_is_gone() {
    let (_house, running, gate) = house().await;
    gate.open();
    let (path, api) = (net(GATEWAY), &running.api);
    let group = net("networkSecurityGroups/nsg1");
    api.create(&group, &json!({"location": LOCATION})).await;
    let subnet = json!({"properties": {"addressPrefix": "10.0.1.0/24"}});
    let machines = net("virtualNetworks/net1/subnets/machines");
    api.create(&machines, &subnet).await;
    api.create(&path, &gateway("ag1")).await;
    gate.close();
    api.delete(&group).await.expect(StatusCode::ACCEPTED);
    let interface = json!({"location": LOCATION, "properties": {
        "networkSecurityGroup": {"id": group},
        "ipConfigurations": [{"name": "c", "properties": {
            "subnet": {"id": machines},
        }}],
    }});
    let refused = api.put(&net("networkInterfaces/nic1"), &interface).await;
    let message = refused.refused("InvalidResourceReference");
    assert!(message.contains("networkSecurityGroups/nsg1"), "{message}");
    let delete = api.delete(&path).await.expect(StatusCode::ACCEPTED);
    let (again, target) = (api.clone(), path.clone());
    let putting = tokio::spawn(async move { again.put(&target, &gateway("ag1")).await });
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!putting.is_finished(), "it waits for the end of the delete");
    gate.open();
    let put = putting.await.unwrap().expect(StatusCode::CREATED);
    assert_eq!(api.outcome(&put).await["status"], "Succeeded");
    assert_eq!(api.outcome(&delete).await["status"], "Succeeded");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_goes_on_after_a_restart() {
    let (mut house, running, gate) = house().await;
    gate.open();
    let path = net(GATEWAY);
    running.api.create(&path, &gateway("ag1")).await;
    gate.close();
    let stop = running.api.post(&format!("{path}/stop"), None).await;
    let stop = stop.expect(StatusCode::ACCEPTED);
    let body = running.api.get(&path).await.body;
    assert_eq!(body["properties"]["operationalState"], "Stopping");
    let running = again(&mut house, running).await;
    let url = moved(&stop, "azure-asyncoperation", &running.api);
    let expected = json!({"status": "Succeeded", "properties": {}});
    assert_eq!(end(&running.api, &url).await, expected);
    let body = running.api.get(&path).await.body;
    assert_eq!(body["properties"]["operationalState"], "Stopped");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_goes_on_after_a_restart() {
    let (mut house, running, gate) = house().await;
    gate.open();
    let path = net(GATEWAY);
    running.api.create(&path, &gateway("ag1")).await;
    gate.close();
    let delete = running.api.delete(&path).await;
    let delete = delete.expect(StatusCode::ACCEPTED);
    assert_eq!(state(&running.api, &path).await, "Deleting");
    let running = again(&mut house, running).await;
    let url = moved(&delete, "azure-asyncoperation", &running.api);
    assert_eq!(end(&running.api, &url).await["status"], "Succeeded");
    let url = moved(&delete, "location", &running.api);
    running.api.get(&url).await.expect(StatusCode::NO_CONTENT);
    let gone = running.api.get(&path).await.expect(StatusCode::NOT_FOUND);
    gone.refused("ResourceNotFound");
    // What it used is free.
    running.api.remove(&net("publicIPAddresses/pip1")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_was_being_deleted_is_deleted_after_a_restart() {
    let (mut house, running, gate) = house().await;
    gate.open();
    running.api.create(&net(GATEWAY), &gateway("ag1")).await;
    gate.close();
    let delete = running.api.delete(&group(GROUP)).await;
    let delete = delete.expect(StatusCode::ACCEPTED);
    assert_eq!(state(&running.api, &group(GROUP)).await, "Deleting");
    let (table, location) = (net("routeTables/t"), json!({"location": LOCATION}));
    let refused = running.api.put(&table, &location).await;
    refused.refused("ResourceGroupBeingDeleted");
    let running = again(&mut house, running).await;
    let mut url = moved(&delete, "location", &running.api);
    let since = Instant::now();
    loop {
        let reply = running.api.get(&url).await;
        if reply.status == StatusCode::OK {
            break;
        }
        let reply = reply.expect(StatusCode::ACCEPTED);
        url = reply.header("location").unwrap().to_owned();
        assert!(since.elapsed() < PATIENCE, "it does not end");
    }
    let gone = running.api.get(&group(GROUP)).await;
    gone.refused("ResourceGroupNotFound");
    let left = running.entries("resource/").await;
    let left: Vec<&str> = left.iter().map(|entry| entry.key.as_str()).collect();
    // The group of network watchers is another one.
    let is_others = |key: &&str| key.contains("networkwatcherrg");
    assert!(left.iter().all(is_others), "{left:?}");
    // The log says who it was, before the restart and after it.
    let caller = &house.owner.as_ref().unwrap().principal.app_id;
    for entry in running.entries("activity/").await {
        let event: Value = serde_json::from_slice(&entry.value).unwrap();
        assert_eq!(event["caller"], **caller, "{event}");
    }
    running
        .api
        .create(&group(GROUP), &json!({"location": LOCATION}))
        .await;
}

/// Rewrites the stored operation that still runs; the control plane is down.
async fn vanish(running: &Running, resource: &str) {
    let key = Key::new(format!("resource{}", resource.to_ascii_lowercase())).unwrap();
    assert!(running.store.get(&key).await.unwrap().is_some());
    running
        .store
        .commit(Transaction::default().delete(key))
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_whose_resource_vanished_ends() {
    let (mut house, running, gate) = house().await;
    let (table, other) = (net("routeTables/put"), net("routeTables/delete"));
    let location = json!({"location": LOCATION});
    gate.open();
    running.api.create(&other, &location).await;
    gate.close();
    let put = running
        .api
        .put(&table, &location)
        .await
        .expect(StatusCode::CREATED);
    let delete = running
        .api
        .delete(&other)
        .await
        .expect(StatusCode::ACCEPTED);
    vanish(&running, &table).await;
    vanish(&running, &other).await;
    let running = again(&mut house, running).await;
    let url = moved(&put, "azure-asyncoperation", &running.api);
    let outcome = end(&running.api, &url).await;
    assert_eq!(outcome["status"], "Failed");
    assert_eq!(outcome["error"]["code"], "OperationInterrupted");
    let url = moved(&delete, "azure-asyncoperation", &running.api);
    assert_eq!(
        end(&running.api, &url).await["status"],
        "Succeeded",
        "it is gone"
    );
    running.api.get(&table).await.expect(StatusCode::NOT_FOUND);
    running.api.create(&table, &location).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_finishes_the_requests_in_progress() {
    let (_house, running, gate) = house().await;
    let idle = running.connect().await;
    let put = running.api.put(&net(GATEWAY), &gateway("ag1")).await;
    let url = put.header("azure-asyncoperation").unwrap().to_owned();
    let api = running.api.clone();
    // A poll waits for two seconds, or for the end.
    let polling = tokio::spawn(async move { api.get(&url).await });
    tokio::time::sleep(Duration::from_millis(300)).await;
    let since = Instant::now();
    running.control.stop();
    gate.open();
    let reply = polling.await.unwrap().expect(StatusCode::OK);
    assert_eq!(reply.body["status"], "Succeeded");
    running.control.stopped().await;
    assert!(
        since.elapsed() < Duration::from_secs(10),
        "idle connections end at once"
    );
    let mut idle = idle;
    assert!(idle.ends().await);
    let late = tokio::net::TcpStream::connect(running.control.address()).await;
    assert!(late.is_err(), "it listens no more");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_cuts_what_takes_too_long() {
    let limits = Limits {
        stop: Duration::from_millis(300),
        ..Limits::default()
    };
    let mut house = House::new(limits);
    let running = house.start().await;
    let mut slow = running.connect().await;
    let headers = "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{";
    let path = format!("PUT {}?api-version=2024-05-01", group(GROUP));
    slow.send(running.head(&path) + headers).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    running.control.stop();
    let stopped = tokio::time::timeout(PATIENCE, running.control.stopped()).await;
    stopped.expect("it stops");
    assert!(slow.ends().await);
    assert!(running.entries("resource/").await.is_empty());
}
