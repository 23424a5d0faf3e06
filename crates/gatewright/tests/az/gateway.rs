//! A gateway's life: made in every way, listed, changed, stopped, started, and gone.

use gatewright_testkit::certificates::{Authority, Leaf, client_trusting};
use gatewright_testkit::client::{RawClient, get_tls};
use serde_json::json;

use crate::site::Site;
use crate::stage::{has, id, named, names, site, site_with_gateway};
use crate::support::wait_until;

const CREATE: &str = "network application-gateway create -g rg";

#[tokio::test(flavor = "multi_thread")]
async fn made_and_served_and_gone() {
    let (one, two) = (named("one").await, named("two").await);
    let Some(site) = site(&[("10.0.1.4:8080", &one), ("10.0.1.5:8080", &two)]) else {
        return;
    };
    site.az("group create -n rg -l local");
    site.az(
        "network vnet create -g rg -n net --subnet-name gateways --subnet-prefixes 10.0.0.0/24",
    );
    site.az("network public-ip create -g rg -n ip --sku Standard");
    let made = site.az(&format!(
        "{CREATE} -n gw -l local --sku Standard_v2 --public-ip-address ip --vnet-name net \
         --subnet gateways --servers 10.0.1.4 10.0.1.5 --priority 100 --capacity 2 \
         --http-settings-port 8080 --http-settings-protocol Http --frontend-port 80"
    ));
    let made = &made["applicationGateway"];
    has(
        made,
        &json!({
            "provisioningState": "Succeeded", "operationalState": "Running",
            "sku": { "name": "Standard_v2", "tier": "Standard_v2", "capacity": 2 },
        }),
    );
    has(
        &made["backendHttpSettingsCollection"][0],
        &json!({
            "name": "appGatewayBackendHttpSettings",
            "properties": { "port": 8080, "protocol": "Http", "cookieBasedAffinity": "Disabled" },
        }),
    );
    let mut served = [
        site.ask(80, "/", "a.test").await.1,
        site.ask(80, "/", "a.test").await.1,
    ];
    served.sort();
    assert_eq!(served, ["one", "two"]);

    let gateway = id("Microsoft.Network/applicationGateways/gw");
    let shown = site.az("network application-gateway show -g rg -n gw");
    has(
        &shown,
        &json!({ "id": gateway, "name": "gw", "location": "local", "tags": {} }),
    );
    assert_eq!(
        site.az("network application-gateway list -g rg"),
        json!([shown])
    );
    assert_eq!(site.az("network application-gateway list"), json!([shown]));
    let state = "az network application-gateway show -g rg -n gw --query operationalState -o tsv";
    assert_eq!(site.text(state), "Running");
    for word in ["created", "updated", "exists"] {
        site.az(&format!(
            "network application-gateway wait -g rg -n gw --{word}"
        ));
    }
    let said = site.exits(3, "network application-gateway show -g rg -n nosuch");
    assert!(
        said.contains("(ResourceNotFound) The Resource 'Microsoft.Network/"),
        "{said}"
    );

    site.az("network application-gateway delete -g rg -n gw");
    let refused = RawClient::connect(site.door(80)).await.err().unwrap();
    assert!(refused.is_refused(), "{refused}");
    assert_eq!(site.az("network application-gateway list -g rg"), json!([]));
    site.az("group delete -n rg --yes");
    assert_eq!(site.az("group exists -n rg"), false);
}

#[tokio::test(flavor = "multi_thread")]
async fn stopped_and_started() {
    let backend = named("one").await;
    let Some(site) = site_with_gateway(&[("10.0.1.4:8080", &backend)]) else {
        return;
    };
    assert_eq!(site.ask(80, "/", "a.test").await, (200, "one".to_owned()));
    let health = "network application-gateway show-backend-health -g rg -n gw";
    wait_until("the server is healthy", || {
        let report = site.az(health);
        let setting = &report["backendAddressPools"][0]["backendHttpSettingsCollection"][0];
        setting["servers"][0]["health"] == "Healthy"
    });
    let report = site.az(&format!("{health} --expand backendAddressPool"));
    let pool = &report["backendAddressPools"][0]["backendAddressPool"];
    has(
        pool,
        &json!({
            "name": "appGatewayBackendPool", "backendAddresses": [{ "ipAddress": "10.0.1.4" }],
        }),
    );

    // As some documents have it.
    let said = site.exits(
        2,
        "network application-gateway show-health-on-demand -g rg -n gw",
    );
    assert!(said.contains("is misspelled or not recognized"), "{said}");
    let state = "network application-gateway show -g rg -n gw \
                 --query [operationalState,provisioningState]";
    site.az("network application-gateway stop -g rg -n gw");
    assert_eq!(site.az(state), json!(["Stopped", "Succeeded"]));
    assert_eq!(site.ask(80, "/", "a.test").await.0, 502);
    site.az("network application-gateway start -g rg -n gw");
    assert_eq!(site.az(state), json!(["Running", "Succeeded"]));
    assert_eq!(site.ask(80, "/", "a.test").await, (200, "one".to_owned()));
    // Any update starts it too.
    site.az("network application-gateway stop -g rg -n gw");
    site.az("network application-gateway update -g rg -n gw");
    assert_eq!(site.az(state), json!(["Running", "Succeeded"]));
    assert_eq!(site.ask(80, "/", "a.test").await, (200, "one".to_owned()));
    updated(&site);
    assert_eq!(site.ask(80, "/", "a.test").await, (200, "one".to_owned()));
}

/// What `update` changes, and what it refuses.
fn updated(site: &Site) {
    let update = |words: &str| {
        site.az(&format!(
            "network application-gateway update -g rg -n gw {words}"
        ))
    };
    has(
        &update("--capacity 3"),
        &json!({ "sku": { "capacity": 3 } }),
    );
    let scaled = update("--min-capacity 1 --max-capacity 5");
    has(
        &scaled,
        &json!({ "autoscaleConfiguration": { "minCapacity": 1, "maxCapacity": 5 } }),
    );
    assert_eq!(scaled["sku"].get("capacity"), None);
    has(
        &update("--max-capacity 6"),
        &json!({ "autoscaleConfiguration": { "minCapacity": 1, "maxCapacity": 6 } }),
    );
    assert_eq!(
        update("--set sku.capacity=4")["provisioningState"],
        "Succeeded"
    );
    assert_eq!(update("--http2 Enabled")["enableHttp2"], true);
    assert_eq!(update("--set tags.a=b")["tags"], json!({ "a": "b" }));
    let before = update("");
    assert_eq!(update("--no-wait"), json!(null));
    let mut after = update("");
    after["etag"] = before["etag"].clone();
    assert_eq!(without_etags(&after), without_etags(&before));
    let all =
        site.refused("network application-gateway update -g rg -n gw --set sku.name=Standard_v3");
    assert!(all.contains("Standard_v3"), "{all}");
}

/// Every write gives new ones.
fn without_etags(value: &serde_json::Value) -> String {
    let text = format!("{value:#}");
    let lines = text.lines().filter(|line| !line.contains("\"etag\": "));
    lines.collect::<Vec<_>>().join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn made_with_everything_around_it() {
    let Some(site) = site(&[]) else { return };
    let root = Authority::new("Contoso Root");
    let identity = root.issue(Leaf::named("app.contoso.test"));
    site.write("site.pfx", identity.pfx("Pfx123"));
    site.az("group create -n rg -l local");
    let policy = site.az("network application-gateway waf-policy create -g rg -n rules");
    // The service says so, and az does not wait.
    has(
        &policy,
        &json!({ "name": "rules", "provisioningState": "Updating" }),
    );
    let policy = site.az("network application-gateway waf-policy show -g rg -n rules");
    assert_eq!(policy["provisioningState"], "Succeeded");
    let words = "-n gw --sku WAF_v2 --public-ip-address ip --vnet-name net --subnet gateways \
                 --priority 100 --min-capacity 0 --max-capacity 3 --servers web.contoso.test \
                 --cert-file site.pfx --http-settings-protocol Https --http-settings-port 443 \
                 --frontend-port 443";
    refused_at_creation(
        &site,
        &format!("{words} --cert-password Pfx123"),
        "ApplicationGatewayFirewallNotConfiguredForSelectedSku",
    );
    refused_at_creation(
        &site,
        &format!("{words} --cert-password Wrong --waf-policy rules"),
        "ApplicationGatewaySslCertificatePasswordIncorrect",
    );
    let made = site.az(&format!(
        "{CREATE} {words} --cert-password Pfx123 --waf-policy rules"
    ));
    let made = &made["applicationGateway"];
    has(
        made,
        &json!({
            "sku": { "name": "WAF_v2", "tier": "WAF_v2" }, "provisioningState": "Succeeded",
            "autoscaleConfiguration": { "minCapacity": 0, "maxCapacity": 3 },
        }),
    );
    let policy = id("Microsoft.Network/ApplicationGatewayWebApplicationFirewallPolicies/rules");
    assert_eq!(made["firewallPolicy"]["id"], policy);
    assert_eq!(names(&site.az("network vnet list -g rg")), ["net"]);
    let address = site.az("network public-ip show -g rg -n ip");
    has(
        &address,
        &json!({ "sku": { "name": "Standard" }, "publicIPAllocationMethod": "Static" }),
    );
    // Nobody is there under the server's name.
    let trust = client_trusting(&root);
    let answer = get_tls(site.door(443), "app.contoso.test", "/", trust)
        .await
        .unwrap();
    assert_eq!(answer.status, 502);

    let other = "--sku Standard_v2 --vnet-name net --subnet gateways --public-ip-address";
    refused_at_creation(
        &site,
        &format!("-n gw3 {other} ip --priority 100 --validate"),
        "PublicIPAddressInUse",
    );
    refused_at_creation(
        &site,
        &format!("-n gw4 {other} ip4"),
        "ApplicationGatewayRequestRoutingRulePriorityCannotBeEmpty",
    );
    let valid = site.az(&format!(
        "{CREATE} -n gw5 {other} ip5 --priority 100 --validate"
    ));
    assert_eq!(valid["properties"]["provisioningState"], "Succeeded");
    assert_eq!(
        names(&site.az("network application-gateway list -g rg")),
        ["gw"]
    );
}

/// The reason is told, and nothing is made.
#[track_caller]
fn refused_at_creation(site: &Site, words: &str, code: &str) {
    let said = site.refused(&format!("{CREATE} {words}"));
    assert!(said.contains(code), "{said}");
}
