//! Step 5 and resolution I: an app that wants its own name, and lets in whom it knows.

use serde_json::{Value, json};

use crate::site::Site;

const HOSTS: &str = "network application-gateway show -g rg -n gw --query \
    '{routingRules:requestRoutingRules[].{rule:name, dataPathHttpSettings:backendHttpSettings.id, \
    pool:backendAddressPool.id}, httpSettings:backendHttpSettingsCollection[].{name:name, \
    dataPathHostName:hostName, pickHostNameFromBackendAddress:pickHostNameFromBackendAddress, \
    probe:probe.id}, probes:probes[].{name:name, probeHost:host, \
    pickHostNameFromBackendHttpSettings:pickHostNameFromBackendHttpSettings}}'";

const SETTING: &str = "network application-gateway http-settings update -g rg --gateway-name gw \
    -n appGatewayBackendHttpSettings";

/// A gateway in front of `app1`, whose probe names the app and whose requests do not.
fn with_app() -> Option<Site> {
    let site = Site::start(&[])?;
    site.az("group create -n rg -l local");
    site.az(
        "network vnet create -g rg -n net --subnet-name gateways --subnet-prefixes 10.0.0.0/24",
    );
    site.az("network public-ip create -g rg -n ip --sku Standard");
    site.az("appservice plan create -g rg -n plan --sku B1 --is-linux");
    site.az("webapp create -g rg -p plan -n app1 --runtime PYTHON:3.12");
    site.az(
        "network application-gateway create -g rg -n gw --sku Standard_v2 --public-ip-address ip \
         --vnet-name net --subnet gateways --priority 100 --servers app1.azurewebsites.net \
         --http-settings-protocol Https --http-settings-port 443",
    );
    site.az(
        "network application-gateway probe create -g rg --gateway-name gw -n probe \
         --protocol Https --host app1.azurewebsites.net --path / --interval 1 --timeout 5 \
         --threshold 1",
    );
    site.az(&format!("{SETTING} --probe probe"));
    site.wait_for_healths("gw", &["Healthy"]);
    Some(site)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_name_of_an_app() {
    let Some(site) = with_app() else {
        return;
    };
    // The probe is green, and clients are not served: the app has no certificate for their host.
    let ask = || site.ask(80, "/", "www.contoso.test");
    let (status, page) = ask().await;
    assert_eq!(status, 502, "{page}");
    let shown = site.az(HOSTS);
    let setting = &shown["httpSettings"][0];
    assert_eq!(setting["pickHostNameFromBackendAddress"], false);
    assert_eq!(setting["dataPathHostName"], Value::Null);
    assert_eq!(shown["probes"][0]["probeHost"], "app1.azurewebsites.net");
    site.az(&format!("{SETTING} --host-name-from-backend-pool true"));
    let (status, page) = ask().await;
    assert_eq!(status, 200, "{page}");
    assert!(page.contains("app1"), "{page}");

    // Behind a domain of one's own, under a name that the app has.
    let hosts = site.az("webapp config hostname list -g rg --webapp-name app1 --query [].name");
    assert_eq!(hosts, json!(["app1.azurewebsites.net"]));
    let explicit = "--host-name-from-backend-pool false --host-name";
    site.az(&format!("{SETTING} {explicit} www.contoso.test"));
    assert_eq!(ask().await.0, 502);
    site.az(&format!("{SETTING} {explicit} app1.azurewebsites.net"));
    assert_eq!(ask().await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_restrictions_of_an_app() {
    let Some(site) = with_app() else {
        return;
    };
    site.az(&format!("{SETTING} --host-name-from-backend-pool true"));
    site.az(
        "webapp config access-restriction add -g rg -n app1 --rule-name office --priority 300 \
         --action Allow --ip-address 203.0.113.10/32",
    );
    site.wait_for_healths("gw", &["Unhealthy"]);
    assert_eq!(site.ask(80, "/", "www.contoso.test").await.0, 502);
    let shown = site.az("webapp config access-restriction show -g rg -n app1");
    let rules = shown["ipSecurityRestrictions"].as_array().unwrap();
    let last = rules.last().unwrap();
    assert_eq!(
        [&last["action"], &last["name"]],
        ["Deny", "Deny all"],
        "{shown}"
    );

    // The gateway's outbound address.
    let address = site.text("az network public-ip show -g rg -n ip --query ipAddress -o tsv");
    site.az(&format!(
        "webapp config access-restriction add --name app1 --resource-group rg \
         --rule-name Allow-AppGateway --priority 100 --action Allow --ip-address {address}/32"
    ));
    site.wait_for_healths("gw", &["Healthy"]);
    assert_eq!(site.ask(80, "/", "www.contoso.test").await.0, 200);
}
