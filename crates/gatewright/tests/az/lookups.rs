//! What can be asked besides: who is logged in, where, what there is, and what happened.

use serde_json::json;

use crate::site::Site;
use crate::stage::{SUBSCRIPTION, has, id, names, site_with_gateway};

#[tokio::test(flavor = "multi_thread")]
async fn accounts_resources_and_what_happened() {
    let Some(site) = site_with_gateway(&[]) else {
        return;
    };
    account(&site);
    resources(&site);
    tags(&site);
    private_links(&site);
    in_passing(&site);
    activity(&site);
    not_yet(&site);
}

fn account(site: &Site) {
    let account = site.az("account show");
    has(
        &account,
        &json!({
            "id": SUBSCRIPTION.trim_start_matches("/subscriptions/"),
            "environmentName": "Gatewright",
            "state": "Enabled", "isDefault": true, "user": { "type": "servicePrincipal" },
        }),
    );
    let list = site.az("account list");
    assert_eq!(
        (list.as_array().unwrap().len(), &list[0]["id"]),
        (1, &account["id"])
    );
    let locations = site.az("account list-locations --query [].name");
    let locations = locations.as_array().unwrap();
    assert!(
        ["local", "westeurope"]
            .iter()
            .all(|name| locations.contains(&json!(name)))
    );
    let registered = site.az("provider show -n Microsoft.Network --query registrationState");
    assert_eq!(registered, "Registered");
    site.az("provider register -n Microsoft.Network");
}

fn tags(site: &Site) {
    let gateway = id("Microsoft.Network/applicationGateways/gw");
    let of = |words: &str| site.az(&format!("tag {words} --resource-id {gateway}"));
    of("create --tags team=web cost=1");
    let merged = of("update --operation Merge --tags cost=2 x=y");
    let expected = json!({ "team": "web", "cost": "2", "x": "y" });
    assert_eq!(merged["properties"]["tags"], expected);
    assert_eq!(of("list")["properties"]["tags"], expected);
    of("update --operation Replace --tags a=b");
    let shown = site.az("network application-gateway show -g rg -n gw --query tags");
    assert_eq!(shown, json!({ "a": "b" }));
    site.az("group update -n rg --tags team=web");
    site.az("group create -n other -l local");
    let found = site.az("group list --tag team=web");
    assert_eq!(names(&found), ["rg"]);
    site.az("group delete -n other --yes");
}

fn private_links(site: &Site) {
    let of = "-g rg -n gw --type Microsoft.Network/applicationGateways";
    for what in ["private-link-resource", "private-endpoint-connection"] {
        assert_eq!(site.az(&format!("network {what} list {of}")), json!([]));
    }
}

/// What scripts ask before they begin.
fn in_passing(site: &Site) {
    for nothing in [
        "lock list",
        "lock list -g rg",
        "deployment sub list",
        "network vnet list-endpoint-services -l local",
    ] {
        assert_eq!(site.az(nothing), json!([]), "{nothing}");
    }
    let usages = site.az("network list-usages -l local");
    assert_eq!(usages[0]["name"]["value"], "PublicIPAddresses");
    // az shows numbers of usages as texts.
    assert_eq!(usages[0]["currentValue"], "1", "{usages:#?}");
}

fn resources(site: &Site) {
    let gateway = id("Microsoft.Network/applicationGateways/gw");
    let shown = site.az(&format!("resource show --ids {gateway}"));
    has(
        &shown,
        &json!({ "id": gateway, "name": "gw", "location": "local" }),
    );
    assert_eq!(shown["properties"]["operationalState"], "Running");
    let by_name = "resource show -g rg -n gw --resource-type Microsoft.Network/applicationGateways";
    assert_eq!(site.az(by_name), shown);
    let all = site.az("resource list -g rg");
    assert_eq!(names(&all), ["gw", "ip", "net"]);
    let found = site.az("resource list --resource-type Microsoft.Network/applicationGateways");
    has(
        &found[0],
        &json!({ "id": gateway, "provisioningState": "Succeeded" }),
    );
    assert_eq!(names(&found), ["gw"]);
    let raw = site.az(&format!(
        "rest --method get --url {gateway}?api-version=2024-05-01"
    ));
    assert_eq!(
        raw["properties"]["resourceGuid"],
        shown["properties"]["resourceGuid"]
    );
    let said = site.refused(&format!("rest --method get --url {gateway}?api-version=1"));
    assert!(said.contains("InvalidApiVersionParameter"), "{said}");
}

fn activity(site: &Site) {
    let gateway = id("Microsoft.Network/applicationGateways/gw");
    let query = "--query '[].[operationName.value, status.value, resourceId]'";
    let of_group = site.az(&format!(
        "monitor activity-log list -g rg --offset 1h {query}"
    ));
    let of_group = of_group.as_array().unwrap();
    let write = "Microsoft.Network/applicationGateways/write";
    let done = json!([write, "Succeeded", gateway]);
    assert!(of_group.contains(&done), "{of_group:#?}");
    let network = id("Microsoft.Network/virtualNetworks/net");
    let made = json!([
        "Microsoft.Network/virtualNetworks/write",
        "Succeeded",
        network
    ]);
    assert!(of_group.contains(&made), "{of_group:#?}");
    let of_gateway = site.az(&format!(
        "monitor activity-log list --resource-id {gateway} {query}"
    ));
    let of_gateway = of_gateway.as_array().unwrap();
    assert!(
        of_gateway.contains(&done) && !of_gateway.contains(&made),
        "{of_gateway:#?}"
    );
}

/// Said plainly until it is there.
fn not_yet(site: &Site) {
    let gateway = id("Microsoft.Network/applicationGateways/gw");
    let later = "(GW-E-not-here-yet) ";
    let workspace = id("Microsoft.OperationalInsights/workspaces/work1");
    let metrics = [
        format!(
            "metrics list --resource {gateway} --metrics CapacityUnits FailedRequests \
             UnhealthyHostCount --aggregation Maximum Average --interval PT5M --offset 1h"
        ),
        format!(
            "metrics list --resource {gateway} --metrics UnhealthyHostCount \
             --aggregation Average -o table"
        ),
        "metrics list --resource gw -g rg --resource-type Microsoft.Network/applicationGateways \
         --metric UnhealthyHostCount --filter \"BackendSettingsPool eq '*'\""
            .to_owned(),
        format!("metrics list-definitions --resource {gateway}"),
    ];
    let settings = [
        format!("diagnostic-settings list --resource {gateway}"),
        format!(
            "diagnostic-settings create --resource {gateway} -n ds1 --workspace work1 -g rg \
             --logs '[{{\"category\":\"ApplicationGatewayAccessLog\",\"enabled\":true}}]'"
        ),
    ];
    let workspaces = [
        "log-analytics workspace create -g rg -n work1".to_owned(),
        format!("log-analytics workspace show --ids {workspace}"),
        "log-analytics workspace list -g rg".to_owned(),
    ];
    for (what, commands) in [
        ("Metrics", &metrics[..]),
        ("Diagnostic settings", &settings[..]),
        ("Log Analytics workspaces", &workspaces[..]),
    ] {
        for words in commands {
            let said = site.refused(&format!("monitor {words}"));
            let expected = format!("{later}{what} are not part of");
            assert!(said.contains(&expected), "{said}");
        }
    }
    let said = site.refused(
        "rest --method post --url \
         $GATEWRIGHT_ENDPOINT/v1/workspaces/00000000-0000-0000-0000-00000000004d/query \
         --resource $GATEWRIGHT_ENDPOINT --body '{\"query\":\"AzureDiagnostics | take 1\"}'",
    );
    assert!(said.contains("Log queries are not part of"), "{said}");
}
