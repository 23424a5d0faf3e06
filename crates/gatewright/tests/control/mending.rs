//! `gatewright diagnose --fix` with a control plane: what is stored is changed as any client would.

use serde_json::{Value, json};

use crate::site::Site;
use crate::support::{gateway, probe_often, stderr, stdout, wait_until};

const PORT: u16 = 1;

/// What probes show.
const GONE: &str = "is not found any more, after ";
/// What only requests show.
const TO_BE_SEEN: &str = "Requests will show whether it helps";

fn cause(site: &Site) -> Value {
    let output = site.run(&["diagnose", "-o", "json"]);
    let verdict: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", stderr(&output)));
    verdict["findings"][0]["cause"].clone()
}

/// `outcome`: what it must say of whether it helped.
#[track_caller]
fn mend(site: &Site, outcome: &str) -> String {
    let output = site.run(&["diagnose", "--fix", "--yes"]);
    let said = format!("{}{}", stdout(&output), stderr(&output));
    assert!(output.status.success(), "{said}");
    assert!(said.contains(outcome), "{said}");
    // Whoever made the change is gone.
    let principals = stdout(&site.run(&["sp", "list"]));
    assert!(!principals.contains("diagnose"), "{principals}");
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn a_security_rule_is_added_and_servers_are_well_again() {
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
    assert_eq!(site.status(PORT).await, Some(502));
    let said = mend(&site, GONE);
    // There is no priority before 100, so that the rule goes behind the new one.
    assert!(said.contains("/priority: 101 instead of 100"), "{said}");
    assert_eq!(site.status(PORT).await, Some(200));
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
