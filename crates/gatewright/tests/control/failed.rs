//! A gateway whose last change failed: it serves what was good before, or answers 502; it can be
//! stopped and started; and everybody is told why, also after a restart.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::site::Site;
use crate::support::{Files, PATIENCE, gateway, item, reference, spoil};

/// Ports of the node, all free.
const PORT: u16 = 1;
const OTHER_PORT: u16 = 2;
const FILE_PORT: u16 = 3;

/// The gateway with one more port, and a listener and a rule for it.
fn with_port(port: u16) -> Value {
    let mut document = gateway(PORT);
    let properties = document["properties"].as_object_mut().unwrap();
    let mut add = |collection: &str, name: &str, own: Value| {
        let items = properties[collection].as_array_mut().unwrap();
        items.push(item(collection, name, own));
    };
    add("frontendPorts", "more", json!({ "port": port }));
    let listener = json!({
        "frontendIPConfiguration": reference("frontendIPConfigurations", "public"),
        "frontendPort": reference("frontendPorts", "more"),
        "protocol": "Http",
    });
    add("httpListeners", "more", listener);
    let rule = json!({
        "ruleType": "Basic",
        "priority": 20,
        "httpListener": reference("httpListeners", "more"),
        "backendAddressPool": reference("backendAddressPools", "pool"),
        "backendHttpSettings": reference("backendHttpSettingsCollection", "setting"),
    });
    add("requestRoutingRules", "more", rule);
    document
}

/// The gateway with one more port, behind TLS, whose certificate lies in a vault that is not there.
fn with_vault() -> Value {
    let mut document = with_port(OTHER_PORT);
    let properties = &mut document["properties"];
    let uri = "https://nowhere.vault.azure.net/secrets/site";
    let certificate = item(
        "sslCertificates",
        "site",
        json!({ "keyVaultSecretId": uri }),
    );
    properties["sslCertificates"] = json!([certificate]);
    let listener = &mut properties["httpListeners"][1]["properties"];
    listener["protocol"] = "Https".into();
    listener["sslCertificate"] = reference("sslCertificates", "site");
    document
}

fn states(provisioning: &str, operational: &str) -> (String, String) {
    (provisioning.to_owned(), operational.to_owned())
}

#[track_caller]
fn failed(outcome: &Value, why: &str) {
    assert_eq!(outcome["status"], "Failed", "{outcome}");
    let error = outcome["error"].to_string();
    assert!(error.contains(why), "{error}");
}

#[track_caller]
fn succeeded(outcome: &Value) {
    assert_eq!(outcome["status"], "Succeeded", "{outcome}");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_stops_and_starts_again_whatever_is_wrong_with_it() {
    let mut site = Site::start().await;
    succeeded(&site.put_gateway(&gateway(PORT)).await);
    assert_eq!(site.status(PORT).await, Some(200));
    let taken = TcpListener::bind(site.door(OTHER_PORT)).unwrap();
    for (document, why) in [
        (with_vault(), "There is no Key Vault 'nowhere'"),
        (with_port(OTHER_PORT), "cannot listen on"),
    ] {
        failed(&site.put_gateway(&document).await, why);
        assert_eq!(site.states().await, states("Failed", "Running"));
        assert_eq!(site.status(PORT).await, Some(200), "what was good goes on");

        succeeded(&site.post("stop").await);
        assert_eq!(site.states().await, states("Failed", "Stopped"));
        assert_eq!(site.status(PORT).await, Some(502));
        site.reload();
        assert_eq!(site.status(PORT).await, Some(502));
        site.restart().await;
        assert_eq!(site.states().await, states("Failed", "Stopped"));
        assert_eq!(site.status(PORT).await, Some(502));

        failed(&site.post("start").await, why);
        assert_eq!(site.states().await, states("Failed", "Running"));
        assert_eq!(site.status(PORT).await, Some(200), "what was good goes on");
    }
    drop(taken);
    succeeded(&site.post("start").await);
    assert_eq!(site.states().await, states("Succeeded", "Running"));
    let answers = (site.status(PORT).await, site.status(OTHER_PORT).await);
    assert_eq!(answers, (Some(200), Some(200)));
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_is_told_why_until_it_is_mended() {
    let mut site = Site::start().await;
    succeeded(&site.put_gateway(&gateway(PORT)).await);
    assert_eq!(site.insights(), [""; 0]);
    let taken = TcpListener::bind(site.door(OTHER_PORT)).unwrap();
    for (document, why) in [
        (with_vault(), "There is no Key Vault 'nowhere'"),
        (with_port(OTHER_PORT), "cannot listen on"),
    ] {
        failed(&site.put_gateway(&document).await, why);
        let is_told = |site: &Site| {
            let insights = site.insights();
            let [insight] = insights.as_slice() else {
                panic!("{insights:?}");
            };
            assert!(
                insight.contains("Failed") && insight.contains(why),
                "{insight}"
            );
        };
        is_told(&site);
        site.reload();
        is_told(&site);
        site.restart().await;
        is_told(&site);
    }
    drop(taken);
    // Nobody asked for another try: what is served is what the states say.
    site.reload();
    assert_eq!(site.status(OTHER_PORT).await, None);
    assert_eq!(site.insights().len(), 1);
    succeeded(&site.put_gateway(&with_port(OTHER_PORT)).await);
    assert_eq!(site.insights(), [""; 0]);
    assert_eq!(site.status(OTHER_PORT).await, Some(200));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_was_never_good_answers_502() {
    let mut site = Site::start().await;
    failed(
        &site.put_gateway(&with_vault()).await,
        "There is no Key Vault",
    );
    let never_ran = async |site: &Site| {
        assert_eq!(site.states().await, states("Failed", "Stopped"));
        assert_eq!(site.status(PORT).await, Some(502));
    };
    never_ran(&site).await;
    assert_eq!(
        site.status(OTHER_PORT).await,
        None,
        "there is no key for TLS"
    );
    site.restart().await;
    never_ran(&site).await;

    // A port that is free again is no reason to serve what is said to have failed.
    let taken = TcpListener::bind(site.door(OTHER_PORT)).unwrap();
    failed(
        &site.put_gateway(&with_port(OTHER_PORT)).await,
        "cannot listen on",
    );
    assert_eq!(site.status(PORT).await, None, "no part of it is served");
    let told = site.insights().concat();
    assert_eq!(told.matches("cannot listen on").count(), 1, "{told}");
    succeeded(&site.post("stop").await);
    drop(taken);
    site.restart().await;
    never_ran(&site).await;
    assert_eq!(site.status(OTHER_PORT).await, Some(502));
    succeeded(&site.post("stop").await);
    never_ran(&site).await;
    succeeded(&site.post("start").await);
    assert_eq!(site.states().await, states("Succeeded", "Running"));
    assert_eq!(site.status(OTHER_PORT).await, Some(200));
}

/// A node that serves a gateway of a file too, whose spoiling keeps it from taking anything; the
/// file, and what is in it.
async fn beside_a_file() -> (Site, Files, Value) {
    let mut file = gateway(FILE_PORT);
    file["name"] = "of-a-file".into();
    file["id"] = "".into();
    let files = Files::new(&file);
    let site = Site::start_with(&["--no-watch", "--gateway", &files.gateway()]).await;
    (site, files, file)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_can_take_nothing_new_says_so_and_serves_on() {
    let (mut site, files, mut file) = beside_a_file().await;
    succeeded(&site.put_gateway(&gateway(PORT)).await);
    spoil(&mut file);
    files.write(&file);
    let is_as_before = async |site: &Site, provisioning: &str| {
        assert_eq!(site.states().await, states(provisioning, "Running"));
        assert_eq!(site.status(PORT).await, Some(200));
    };
    // What was asked for and could not be had does not come later, by itself.
    let why = "ConfigurationNotServed";
    failed(&site.post("stop").await, why);
    is_as_before(&site, "Failed").await;
    failed(&site.put_gateway(&with_port(OTHER_PORT)).await, why);
    is_as_before(&site, "Failed").await;
    failed(&site.delete_gateway().await, why);
    is_as_before(&site, "Failed").await;
    files.write(&gateway(FILE_PORT));
    site.reload();
    is_as_before(&site, "Failed").await;
    site.restart().await;
    is_as_before(&site, "Failed").await;
    assert_eq!(site.status(OTHER_PORT).await, None);
    succeeded(&site.put_gateway(&with_port(OTHER_PORT)).await);
    is_as_before(&site, "Succeeded").await;
    assert_eq!(site.status(OTHER_PORT).await, Some(200));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_that_failed_is_as_if_nobody_had_asked_for_it() {
    let (site, files, mut file) = beside_a_file().await;
    spoil(&mut file);
    files.write(&file);
    let why = "ConfigurationNotServed";
    failed(&site.put_gateway(&gateway(PORT)).await, why);
    failed(&site.post("stop").await, why);
    assert_eq!(site.states().await, states("Failed", "Stopped"));
    files.write(&gateway(FILE_PORT));
    site.reload();
    site.tag("any").await;
    assert_eq!(site.states().await, states("Succeeded", "Running"));
    assert_eq!(site.status(PORT).await, Some(200));
}

#[tokio::test(flavor = "multi_thread")]
async fn any_write_brings_back_what_a_start_could_not_serve() {
    let mut site = Site::start().await;
    succeeded(&site.put_gateway(&gateway(PORT)).await);
    site.end_by(Signal::SIGKILL);
    let taken = TcpListener::bind(site.door(PORT)).unwrap();
    site.begin().await;
    assert!(site.insights().concat().contains("cannot listen on"));
    failed(&site.put_gateway(&gateway(PORT)).await, "cannot listen on");
    site.tag("one").await;
    assert_eq!(site.states().await.0, "Failed");
    drop(taken);
    site.tag("another").await;
    assert_eq!(site.states().await, states("Succeeded", "Running"));
    assert_eq!(site.status(PORT).await, Some(200));
    assert_eq!(site.insights(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_the_end_of_the_process_met_goes_on_at_the_next_start() {
    let mut site = Site::start().await;
    succeeded(&site.put_gateway(&gateway(PORT)).await);
    for (round, signal) in [Signal::SIGTERM, Signal::SIGKILL]
        .into_iter()
        .cycle()
        .take(8)
        .enumerate()
    {
        let (document, more) = match round % 4 < 2 {
            true => (with_port(OTHER_PORT), Some(200)),
            false => (gateway(PORT), None),
        };
        site.begin_put(&document).await;
        site.end_by(signal);
        site.begin().await;
        let since = Instant::now();
        while site.states().await.0 == "Updating" {
            assert!(since.elapsed() < PATIENCE, "it goes on and on");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(
            site.states().await,
            states("Succeeded", "Running"),
            "{signal}"
        );
        assert_eq!(site.status(OTHER_PORT).await, more, "{signal}");
    }
}
