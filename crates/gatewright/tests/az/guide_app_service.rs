//! The 502 guide, step 5 and resolution I: an app behind the gateway that wants its own name.

use crate::site::Site;

const QUERY: &str = "{routingRules:requestRoutingRules[].{rule:name, \
    dataPathHttpSettings:backendHttpSettings.id, pool:backendAddressPool.id}, \
    httpSettings:backendHttpSettingsCollection[].{name:name, dataPathHostName:hostName, \
    pickHostNameFromBackendAddress:pickHostNameFromBackendAddress, probe:probe.id}, \
    probes:probes[].{name:name, probeHost:host, \
    pickHostNameFromBackendHttpSettings:pickHostNameFromBackendHttpSettings}}";

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
    site.az(
        "network application-gateway http-settings update -g rg --gateway-name gw \
         -n appGatewayBackendHttpSettings --probe probe",
    );
    Some(site)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_name_of_an_app() {
    let Some(site) = with_app() else {
        return;
    };
    // Step 1b: green. Clients: not.
    site.wait_for_healths("gw", &["Healthy"]);
    let (status, page) = site.ask(80, "/", "www.contoso.test").await;
    assert_eq!(status, 404, "{page}");

    let shown = site.az(&format!(
        "network application-gateway show -g rg -n gw --query '{QUERY}'"
    ));
    assert_eq!(
        shown["httpSettings"][0]["pickHostNameFromBackendAddress"],
        false
    );
    assert_eq!(
        shown["httpSettings"][0]["dataPathHostName"],
        serde_json::Value::Null
    );
    assert_eq!(shown["probes"][0]["probeHost"], "app1.azurewebsites.net");

    site.az(
        "network application-gateway http-settings update -g rg --gateway-name gw \
         -n appGatewayBackendHttpSettings --host-name-from-backend-pool true",
    );
    let (status, page) = site.ask(80, "/", "www.contoso.test").await;
    assert_eq!(status, 200, "{page}");
}
