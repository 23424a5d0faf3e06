//! Redirects and rewrite sets, and the rules that use them.

use gatewright_testkit::client::{Response, get};
use serde_json::json;

use crate::site::Site;
use crate::stage::{gw, gw_refused, has, named, names, of_gateway, serves, site_with_gateway};

/// The whole answer that a client gets there.
async fn answer(site: &Site, port: u16, path: &str, host: &str) -> Response {
    get(site.door(port), host, path).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn redirects_and_rewrites() {
    let backend = named("one").await;
    let Some(site) = site_with_gateway(&[("10.0.1.4:8080", &backend)]) else {
        return;
    };
    redirect(&site);
    rewrite(&site);

    // The new name is served, the old one leads there.
    gw(
        &site,
        "rule create -n rule2 --priority 90 --http-listener other --rule-type Basic \
         --address-pool appGatewayBackendPool --http-settings appGatewayBackendHttpSettings \
         --rewrite-rule-set rws1",
    );
    let shown = gw(&site, "rule show -n rule2");
    has(
        &shown,
        &json!({
            "priority": 90, "ruleType": "Basic",
            "rewriteRuleSet": { "id": of_gateway("rewriteRuleSets/rws1") },
            "httpListener": { "id": of_gateway("httpListeners/other") },
        }),
    );
    assert_eq!(
        gw(&site, "rule update -n rule2 --priority 95")["priority"],
        95
    );
    let said = gw_refused(&site, "rule update -n rule2 --priority 100");
    assert!(said.contains("riority"), "{said}");
    serves(&site, 80, "new.contoso.test", "/", "one").await;
    let told = site.status();
    assert!(
        told.contains("warning GW-W-unsupported-rewrite: "),
        "{told}"
    );
    let turned = gw(
        &site,
        "rule update -n rule1 --set redirectConfiguration.id=\
         $(az network application-gateway redirect-config list -g rg --gateway-name gw \
           --query '[0].id' -o tsv) --remove backendAddressPool --remove backendHttpSettings",
    );
    let redirect = of_gateway("redirectConfigurations/redir1");
    assert_eq!(turned["redirectConfiguration"]["id"], redirect);
    let told = answer(&site, 80, "/a?b=c", "old.contoso.test").await;
    assert_eq!(told.status, 301);
    let to = told.header("location").unwrap();
    assert!(to.starts_with("http://new.contoso.test"), "{to}");
    assert!(to.ends_with("/a?b=c"), "{to}");
    serves(&site, 80, "new.contoso.test", "/", "one").await;
    let changed = gw(&site, "redirect-config update -n redir1 --type Found");
    assert_eq!(changed["redirectType"], "Found");
    assert_eq!(answer(&site, 80, "/", "old.contoso.test").await.status, 302);
    unwritten(&site).await;
}

/// The rewrites changed, and taken away. They are stored; what is served is not rewritten yet.
async fn unwritten(site: &Site) {
    let of_rule = "--rule-set-name rws1 --rule-name rw1 --variable var_uri_path";
    let changed = gw(
        site,
        &format!("rewrite-rule condition update {of_rule} --negate true"),
    );
    assert_eq!(changed["negate"], true);
    gw(site, &format!("rewrite-rule condition delete {of_rule}"));
    let changed = gw(
        site,
        "rewrite-rule update --rule-set-name rws1 -n rw1 \
         --response-headers Strict-Transport-Security=max-age=1",
    );
    assert_eq!(changed["conditions"], json!([]));
    let shown = gw(site, "rewrite-rule show --rule-set-name rws1 -n rw1");
    assert_eq!(shown, changed);
    gw(site, "rewrite-rule delete --rule-set-name rws1 -n rw1");
    let shown = gw(site, "rewrite-rule set show -n rws1");
    assert_eq!(shown["rewriteRules"], json!([]));

    for (words, user) in [
        ("rewrite-rule set delete -n rws1", "rule2"),
        ("redirect-config delete -n redir1", "rule1"),
    ] {
        let said = gw_refused(site, words);
        assert!(said.contains("(InvalidResourceReference)"), "{said}");
        assert!(said.contains(user), "{said}");
    }
    gw(site, "rule update -n rule2 --remove rewriteRuleSet");
    gw(site, "rewrite-rule set delete -n rws1");
    gw(site, "rule delete -n rule1");
    gw(site, "redirect-config delete -n redir1");
    assert_eq!(gw(site, "rewrite-rule set list"), json!([]));
    assert_eq!(gw(site, "redirect-config list"), json!([]));
    serves(site, 80, "new.contoso.test", "/", "one").await;
}

fn redirect(site: &Site) {
    let listener = "http-listener create -n other --frontend-port appGatewayFrontendPort";
    gw(site, &format!("{listener} --host-name new.contoso.test"));
    let made = gw(
        site,
        "redirect-config create -n redir1 --type Permanent --target-listener other \
         --include-path true --include-query-string true",
    );
    has(
        &made,
        &json!({
            "name": "redir1", "redirectType": "Permanent", "includePath": true,
            "includeQueryString": true,
            "targetListener": { "id": of_gateway("httpListeners/other") },
        }),
    );
    assert_eq!(names(&gw(site, "redirect-config list")), ["redir1"]);
}

fn rewrite(site: &Site) {
    let made = gw(site, "rewrite-rule set create -n rws1");
    has(
        &made,
        &json!({ "name": "rws1", "rewriteRules": [], "provisioningState": "Succeeded" }),
    );
    let made = gw(
        site,
        "rewrite-rule create --rule-set-name rws1 -n rw1 --sequence 100 \
         --request-headers 'X-Forwarded-For={var_add_x_forwarded_for_proxy}' \
         --response-headers Strict-Transport-Security=max-age=31536000",
    );
    let [request, response] = [
        "requestHeaderConfigurations",
        "responseHeaderConfigurations",
    ];
    has(
        &made,
        &json!({ "name": "rw1", "ruleSequence": 100, "actionSet": {
            request: [{
                "headerName": "X-Forwarded-For", "headerValue": "{var_add_x_forwarded_for_proxy}",
            }],
            response: [{
                "headerName": "Strict-Transport-Security", "headerValue": "max-age=31536000",
            }],
        }}),
    );
    let condition = json!({
        "variable": "var_uri_path", "pattern": "/api/(.*)", "ignoreCase": true, "negate": false,
    });
    let made = gw(
        site,
        "rewrite-rule condition create --rule-set-name rws1 --rule-name rw1 \
         --variable var_uri_path --pattern '/api/(.*)' --ignore-case true --negate false",
    );
    assert_eq!(made, condition);
    let sets = gw(site, "rewrite-rule set list");
    assert_eq!(sets[0]["rewriteRules"][0]["conditions"], json!([condition]));
}
