//! Web apps behind a gateway: plans, sites, their names and who may reach them.

use serde_json::json;

use crate::site::Site;
use crate::stage::{gw, has, id, names, site};

const RESTRICTION: &str = "webapp config access-restriction";

#[tokio::test(flavor = "multi_thread")]
async fn sites_and_who_may_reach_them() {
    let Some(site) = site(&[]) else { return };
    site.az("group create -n rg -l local");
    site.az(
        "network vnet create -g rg -n net --subnet-name gateways --subnet-prefixes 10.0.0.0/24",
    );
    apps(&site);
    site.az(
        "network application-gateway create -g rg -n gw --sku Standard_v2 --public-ip-address ip \
         --vnet-name net --subnet gateways --priority 100 --servers app2.azurewebsites.net",
    );
    gw(
        &site,
        "probe create -n app --protocol Http --path / --host-name-from-http-settings true",
    );
    gw(
        &site,
        "http-settings update -n appGatewayBackendHttpSettings --probe app \
         --host-name-from-backend-pool true",
    );
    site.wait_for_healths("gw", &["Healthy"]);
    let (status, page) = site.ask(80, "/", "www.contoso.test").await;
    assert!(status == 200 && page.contains("app2"), "{status} {page}");
    restrictions(&site);
    // The gateway's subnet is let in, and when it is not, its clients meet the app's refusal.
    assert_eq!(site.ask(80, "/", "www.contoso.test").await.0, 200);
    let office = "--rule-name office --action Allow --ip-address 203.0.113.10/32 --priority 90";
    site.az(&format!("{RESTRICTION} add -g rg -n app2 {office}"));
    site.az(&format!(
        "{RESTRICTION} remove -g rg -n app2 --rule-name AllowGw"
    ));
    assert_eq!(site.ask(80, "/", "www.contoso.test").await.0, 403);
    let said = site.refused(&format!(
        "{RESTRICTION} add -g rg -n app2 --rule-name Bad --action Allow --ip-address 1.2.3/99 \
         --priority 120"
    ));
    assert!(said.contains("1.2.3/99"), "{said}");
}

fn apps(site: &Site) {
    for plan in ["plan1 --is-linux", "plan2"] {
        let made = site.az(&format!("appservice plan create -g rg --sku B1 -n {plan}"));
        has(
            &made,
            &json!({
                "reserved": true, "kind": "linux", "provisioningState": "Succeeded",
                "location": "local",
                "sku": { "name": "B1", "tier": "Basic", "capacity": 1 },
            }),
        );
    }
    let made = site.az("webapp create -g rg -p plan1 -n app1 --runtime PYTHON:3.12");
    has(
        &made,
        &json!({
            "name": "app1", "state": "Running", "defaultHostName": "app1.azurewebsites.net",
            "hostNames": ["app1.azurewebsites.net"], "httpsOnly": false,
        }),
    );
    let plan = id("Microsoft.Web/serverfarms/plan1");
    let of_plan = made["serverFarmId"]
        .as_str()
        .or(made["appServicePlanId"].as_str());
    assert_eq!(of_plan, Some(plan.as_str()), "{made:#}");
    let made = site.az("webapp create -g rg -p plan2 -n app2 --container-image-name nginx:latest");
    assert_eq!(made["defaultHostName"], "app2.azurewebsites.net");
    let listed = site.az("webapp list -g rg --query [].name");
    assert_eq!(listed, json!(["app1", "app2"]));
    let shown = site.az("webapp show -g rg -n app2");
    has(
        &shown,
        &json!({ "name": "app2", "siteConfig": { "linuxFxVersion": "DOCKER|nginx:latest" } }),
    );
    let said = site.exits(3, "webapp show -g rg -n nosuch");
    assert!(said.contains("(ResourceNotFound)"), "{said}");
    let said = site.refused("webapp create -g rg -p plan1 -n app3 --runtime COBOL:68");
    assert!(said.contains("'COBOL|68' is not supported"), "{said}");

    let bindings = site.az("webapp config hostname list -g rg --webapp-name app2");
    has(
        &bindings[0],
        &json!({
            "name": "app2.azurewebsites.net", "siteName": "app2", "hostNameType": "Verified",
        }),
    );
    let as_text = "az webapp config hostname list -g rg --webapp-name app2 --query [].name -o tsv";
    assert_eq!(site.text(as_text), "app2.azurewebsites.net");
}

fn restrictions(site: &Site) {
    let open = site.az(&format!("{RESTRICTION} show -g rg -n app2"));
    let everyone = json!([{
        "action": "Allow", "description": "Allow all access", "ipAddress": "Any",
        "name": "Allow all", "priority": 2147483647_u32,
    }]);
    has(
        &open,
        &json!({
            "ipSecurityRestrictions": everyone, "scmIpSecurityRestrictions": everyone,
            "scmIpSecurityRestrictionsUseMain": false,
        }),
    );
    let rules = site.az(&format!(
        "{RESTRICTION} add -g rg -n app2 --rule-name AllowGw --action Allow --vnet-name net \
         --subnet gateways --priority 100"
    ));
    let subnet = id("Microsoft.Network/virtualNetworks/net/subnets/gateways");
    has(
        &rules[0],
        &json!({
            "name": "AllowGw", "action": "Allow", "priority": 100, "vnetSubnetResourceId": subnet,
        }),
    );
    has(
        &rules[1],
        &json!({ "name": "Deny all", "action": "Deny", "ipAddress": "Any" }),
    );
    let shown = site.az("network vnet subnet show -g rg --vnet-name net -n gateways");
    assert_eq!(shown["serviceEndpoints"][0]["service"], "Microsoft.Web");
    let rules = site.az(&format!(
        "{RESTRICTION} add -g rg -n app2 --rule-name AllowGwIp --action Allow \
         --ip-address 203.0.113.10/32 --priority 110"
    ));
    assert_eq!(names(&rules), ["AllowGw", "AllowGwIp", "Deny all"]);
    assert_eq!(rules[1]["ipAddress"], "203.0.113.10/32");
    let rules = site.az(&format!(
        "{RESTRICTION} remove -g rg -n app2 --rule-name AllowGwIp --query [].[name,priority]"
    ));
    assert_eq!(
        rules,
        json!([["AllowGw", 100], ["Deny all", 2147483647_u32]])
    );
}
