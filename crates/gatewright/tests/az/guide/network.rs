//! Resolutions A and C: security groups between the gateway and its server, and on the gateway's
//! own subnet.

use gatewright_testkit::backend::{Backend, Manners};
use serde_json::{Value, json};

use super::{GATEWAY, Guide};

/// The security group of the servers' subnet denies the gateway.
async fn denied() -> Option<Guide> {
    let guide = Guide::start(Backend::with(Manners::text("hello"))).await?;
    guide.probe_often();
    guide.is_mended().await;
    guide.deny();
    guide.is_broken().await;
    Some(guide)
}

/// Step 2c-1: what denies, and whom.
fn denials(guide: &Guide) -> Value {
    guide.other(
        "network nsg list --query \"[].{NSG:name, Rules:securityRules[?access=='Deny'].\
         {Name:name, Priority:priority, Direction:direction, DestPort:destinationPortRange, \
         Source:sourceAddressPrefix}}\"",
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denied_gateway_is_found_and_let_in() {
    let Some(guide) = denied().await else {
        return;
    };
    let [_, why] = guide.health();
    assert!(why.contains("NSG"), "{why}");
    let shown = guide.settings_and_pools();
    assert_eq!(shown["httpSettings"][0]["port"], 80);
    let prefix = guide.site.text(
        "SUBNET_ID=$(az network application-gateway show --name gw --resource-group rg \
         --query 'gatewayIPConfigurations[0].subnet.id' --output tsv); \
         az network vnet subnet show --ids \"$SUBNET_ID\" --query addressPrefix --output tsv",
    );
    assert_eq!(prefix, "10.0.0.0/24");
    let rule = json!({
        "Name": "Deny-Gateways", "Priority": 200, "Direction": "Inbound", "DestPort": "80",
        "Source": prefix,
    });
    assert_eq!(
        denials(&guide),
        json!([{"NSG": "servers", "Rules": [rule]}])
    );

    // Method 2, with the number of the rule that denies, with a higher and with a lower one.
    let allow = "network nsg rule create --nsg-name servers --direction Inbound \
        --source-address-prefix 10.0.0.0/24 --destination-port-range 80 --protocol Tcp \
        --access Allow --name";
    let said = guide.other_refused(&format!("{allow} Allow-AppGW-To-Backend --priority 200"));
    assert!(said.contains("(SecurityRuleConflict)"), "{said}");
    guide.other(&format!("{allow} Too-Late --priority 300"));
    guide.is_broken().await;
    guide.other(&format!("{allow} Allow-AppGW-To-Backend --priority 150"));
    guide.is_mended().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_that_denies_gives_way_or_goes() {
    let Some(guide) = denied().await else {
        return;
    };
    let allow = "network nsg rule create --nsg-name servers --name Allow-All --priority 300 \
        --direction Inbound --source-address-prefix '*' --destination-port-range '*' \
        --protocol '*' --access Allow";
    guide.other(allow);
    guide.is_broken().await;
    // Method 1, both ways.
    let rule = "--nsg-name servers --name Deny-Gateways";
    guide.other(&format!("network nsg rule update {rule} --priority 400"));
    guide.is_mended().await;
    guide.other(&format!("network nsg rule update {rule} --priority 200"));
    guide.is_broken().await;
    guide.other(&format!("network nsg rule delete {rule}"));
    guide.is_mended().await;
    assert_eq!(denials(&guide), json!([{"NSG": "servers", "Rules": []}]));
    // Against the next platform upgrade; the guide's --connection-draining-enabled is no flag.
    let setting = guide.part(
        "http-settings update --name appGatewayBackendHttpSettings \
         --connection-draining-timeout 60",
    );
    let draining = json!({"drainTimeoutInSec": 60, "enabled": true});
    assert_eq!(setting["connectionDraining"], draining);
}

/// A security group that keeps everybody from the gateway's subnet.
fn close_the_gateways(guide: &Guide) -> String {
    guide.site.az("network nsg create -g rg -n gateways");
    guide.site.az(
        "network nsg rule create -g rg --nsg-name gateways -n Deny-All --priority 400 \
         --direction Inbound --destination-port-ranges '*' --protocol '*' --access Deny",
    );
    "network vnet subnet update -g rg --vnet-name net -n gateways \
     --network-security-group gateways"
        .to_owned()
}

const ALLOW_MANAGEMENT: &str = "network nsg rule create --nsg-name gateways \
    --name Allow-AppGW-Management --priority 100 --direction Inbound \
    --source-address-prefix GatewayManager --destination-port-range 65200-65535 --protocol Tcp \
    --access Allow";

#[tokio::test(flavor = "multi_thread")]
async fn a_v1_gateway_without_its_management_ports() {
    let backend = Backend::with(Manners::text("hello"));
    let Some(guide) = Guide::before_a_gateway(backend).await else {
        return;
    };
    guide
        .site
        .az(&format!("{GATEWAY} --sku Standard_Medium --capacity 2"));
    guide.site.wait_for_healths("gw", &["Healthy"]);
    assert_eq!(guide.state()["sku"]["tier"], "Standard");
    let close = close_the_gateways(&guide);
    guide.site.az(&close);
    guide.site.wait_for_healths("gw", &["Unknown"]);
    guide.other(ALLOW_MANAGEMENT);
    guide.site.wait_for_healths("gw", &["Healthy"]);
    assert_eq!(guide.status().await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_v2_gateway_cannot_lose_its_management_ports() {
    let Some(guide) = Guide::start(Backend::with(Manners::text("hello"))).await else {
        return;
    };
    let close = close_the_gateways(&guide);
    let said = guide.site.refused(&close);
    let code = "ApplicationGatewaySubnetInboundTrafficBlockedByNetworkSecurityGroup";
    assert!(said.contains(code), "{said}");
    let why = "not permitted for Application Gateways that have V2 Sku";
    assert!(said.contains(why), "{said}");
    guide.other(ALLOW_MANAGEMENT);
    guide.site.az(&close);
    guide.site.wait_for_healths("gw", &["Healthy"]);
}
