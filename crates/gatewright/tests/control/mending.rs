//! `gatewright diagnose --fix` with a control plane: what is stored is changed as any client would.

use std::io::Read;
use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rmcp::model::ElicitationAction;
use serde_json::{Value, json};

use crate::mcp_client::{Age, Client, User};
use crate::site::Site;
use crate::support::{binary, first_finding, gateway, probe_often, stderr, stdout, wait_until};

const PORT: u16 = 1;

/// What probes show.
const GONE: &str = "is not found any more, after ";
/// What only requests show.
const TO_BE_SEEN: &str = "Requests will show whether it helps";

fn cause(site: &Site) -> Value {
    first_finding(&site.run(&["diagnose", "-o", "json"]))["cause"].clone()
}

/// `outcome`: what it must say of whether it helped.
#[track_caller]
fn mend(site: &Site, outcome: &str) -> String {
    let output = site.run(&["diagnose", "--fix", "--yes"]);
    let said = format!("{}{}", stdout(&output), stderr(&output));
    assert!(output.status.success(), "{said}");
    assert!(said.contains(outcome), "{said}");
    assert!(!has_principal(site), "whoever made the change is gone");
    said
}

/// Whether there is a principal that makes a change.
fn has_principal(site: &Site) -> bool {
    let listed = site.run(&["sp", "list"]);
    assert!(listed.status.success(), "{}", stderr(&listed));
    stdout(&listed).contains("diagnose")
}

/// A gateway whose server a security rule denies, which is found.
async fn denied() -> Site {
    let site = Site::start().await;
    let group = json!({"location": "westeurope", "properties": {"securityRules": [
        {"name": "no-web", "properties": {
            "priority": 100, "direction": "Inbound", "access": "Deny", "protocol": "*",
            "sourceAddressPrefix": "*", "sourcePortRange": "*",
            "destinationAddressPrefix": "*", "destinationPortRange": "80",
        }},
    ]}});
    let made = site
        .put("Microsoft.Network/networkSecurityGroups/nsg", &group)
        .await;
    assert!(made.get("error").is_none(), "{made}");
    let subscription = "/subscriptions/00000000-0000-0000-0000-000000000000";
    let id = format!(
        "{subscription}/resourceGroups/rg/providers/Microsoft.Network/networkSecurityGroups/nsg"
    );
    let network = json!({"location": "westeurope", "properties": {
        "addressSpace": {"addressPrefixes": ["10.0.0.0/16"]},
        "subnets": [
            {"name": "sn", "properties": {"addressPrefix": "10.0.0.0/24"}},
            {"name": "servers", "properties": {
                "addressPrefix": "10.0.1.0/24", "networkSecurityGroup": {"id": id},
            }},
        ],
    }});
    site.put("Microsoft.Network/virtualNetworks/vn", &network)
        .await;
    let mut document = gateway(PORT);
    probe_often(
        &mut document,
        json!({"timeout": 1, "unhealthyThreshold": 1}),
    );
    let ended = site.put_gateway(&document).await;
    assert_eq!(ended["status"], "Succeeded", "{ended}");
    wait_until("the rule is found", || cause(&site) == "nsg-backend-deny");
    site
}

#[tokio::test(flavor = "multi_thread")]
async fn a_security_rule_is_added_and_servers_are_well_again() {
    let site = denied().await;
    assert_eq!(site.status(PORT).await, Some(502));
    let said = mend(&site, GONE);
    // There is no priority before 100, so that the rule goes behind the new one.
    assert!(said.contains("/priority: 101 instead of 100"), "{said}");
    assert_eq!(site.status(PORT).await, Some(200));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_has_what_is_stored_changed_once_its_user_agrees() {
    let site = denied().await;
    let more = ["--allow-writes", "--data-dir", site.folder()];
    for (action, status) in [
        (ElicitationAction::Decline, 502),
        (ElicitationAction::Accept, 200),
    ] {
        let user = User::Says(action, Some(json!({"apply": true})));
        let client = Client::start(&more, user, Age::Of2025).await;
        let told = client.call("fix", json!({})).await;
        assert_eq!(told.json["applied"], status == 200, "{told:?}");
        assert_eq!(client.asked().len(), 1, "{told:?}");
        assert_eq!(site.status(PORT).await, Some(status), "{told:?}");
        assert!(!has_principal(&site), "{told:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_interrupts_it_leaves_no_principal_behind() {
    let site = denied().await;
    let mut said = tempfile::NamedTempFile::new().unwrap();
    let mut child = binary()
        .args(["diagnose", "--fix", "--yes", "--data-dir", site.folder()])
        .stdin(Stdio::null())
        .stdout(said.reopen().unwrap())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // A change of milliseconds may go unseen; then it looks for a second whether that has helped.
    wait_until("it is at work", || {
        let mut text = String::new();
        said.read_to_string(&mut text).unwrap();
        has_principal(&site) || text.contains("Applied.")
    });
    kill(Pid::from_raw(child.id() as i32), Signal::SIGINT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(!has_principal(&site));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_gets_the_host_that_clients_ask_for() {
    let site = Site::start().await;
    let mut document = gateway(PORT);
    document["properties"]["httpListeners"][0]["properties"]["hostName"] = "b.test".into();
    let ended = site.put_gateway(&document).await;
    assert_eq!(ended["status"], "Succeeded", "{ended}");
    assert_eq!(site.status(PORT).await, Some(404));
    wait_until("the refusal is found", || {
        cause(&site) == "host-not-matched"
    });
    let said = mend(&site, TO_BE_SEEN);
    assert!(said.contains("a.test"), "{said}");
    assert_eq!(site.status(PORT).await, Some(200));
    let nothing = site.run(&["diagnose", "--fix", "--yes"]);
    assert!(!nothing.status.success());
    assert!(
        stderr(&nothing).contains("nothing to mend"),
        "{}",
        stderr(&nothing)
    );
}
