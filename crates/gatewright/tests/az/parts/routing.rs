//! Pools, listeners by host name, and path maps.

use serde_json::json;

use crate::site::Site;
use crate::stage::{gw, gw_refused, has, named, names, of_gateway, serves, site_with_gateway};

#[tokio::test(flavor = "multi_thread")]
async fn hosts_and_paths() {
    let (one, two, three) = (named("one").await, named("two").await, named("three").await);
    let Some(site) = site_with_gateway(&[
        ("10.0.1.4:8080", &one),
        ("10.0.1.6:80", &two),
        ("web.contoso.test:8080", &three),
    ]) else {
        return;
    };
    pools(&site);
    paths(&site);

    for (path, host, expected) in [
        ("/images/a.png", "a.contoso.test", "two"),
        ("/video/b", "b.contoso.test", "two"),
        ("/other", "a.contoso.test", "one"),
        ("/images/a.png", "elsewhere.test", "one"),
    ] {
        serves(&site, 80, host, path, expected).await;
    }
    let said = gw_refused(&site, "address-pool delete -n pool2");
    assert!(
        said.contains("(InvalidResourceReference)") && said.contains("pool2"),
        "{said}"
    );

    let changed = gw(
        &site,
        "address-pool update -n appGatewayBackendPool --servers web.contoso.test",
    );
    assert_eq!(
        changed["backendAddresses"],
        json!([{ "fqdn": "web.contoso.test" }])
    );
    serves(&site, 80, "elsewhere.test", "/", "three").await;
    // A host name of its own takes the others' place only when those are taken away.
    let said = gw_refused(
        &site,
        "http-listener update -n l80b --host-name x.contoso.test",
    );
    assert!(
        said.contains("cannot have both hostName and hostNames"),
        "{said}"
    );
    let moved = gw(
        &site,
        "http-listener update -n l80b --host-names x.contoso.test",
    );
    assert_eq!(moved["hostNames"], json!(["x.contoso.test"]));
    serves(&site, 80, "x.contoso.test", "/images/", "two").await;
    serves(&site, 80, "a.contoso.test", "/images/", "three").await;
    gw(
        &site,
        "frontend-port update -n appGatewayFrontendPort --port 8080",
    );
    serves(&site, 8080, "x.contoso.test", "/images/", "two").await;

    // And away again, from the last path to the pool.
    gw(
        &site,
        "url-path-map rule delete --path-map-name map1 -n vid",
    );
    let left = gw(&site, "url-path-map show -n map1");
    assert_eq!(names(&left["pathRules"]), ["img"]);
    serves(&site, 8080, "x.contoso.test", "/video/b", "three").await;
    serves(&site, 8080, "x.contoso.test", "/images/", "two").await;
    let said = gw_refused(&site, "url-path-map delete -n map1");
    assert!(said.contains("(InvalidResourceReference)"), "{said}");
    gw(&site, "rule delete -n rule3");
    for part in [
        "url-path-map delete -n map1",
        "http-listener delete -n l80b",
        "address-pool delete -n pool2",
        "http-settings delete -n hs2",
    ] {
        gw(&site, part);
    }
    let shown = gw(&site, "http-listener show -n appGatewayHttpListener");
    assert_eq!(shown["hostNames"], json!([]));
    assert_eq!(gw(&site, "url-path-map list"), json!([]));
    assert_eq!(
        names(&gw(&site, "address-pool list")),
        ["appGatewayBackendPool"]
    );
    serves(&site, 8080, "x.contoso.test", "/images/", "three").await;
}

fn pools(site: &Site) {
    let made = gw(site, "address-pool create -n pool2 --servers 10.0.1.6");
    has(
        &made,
        &json!({
            "name": "pool2", "backendAddresses": [{ "ipAddress": "10.0.1.6" }],
            "provisioningState": "Succeeded",
        }),
    );
    assert_eq!(
        names(&gw(site, "address-pool list")),
        ["appGatewayBackendPool", "pool2"]
    );
    assert_eq!(gw(site, "address-pool show -n pool2"), made);
    let more = gw(
        site,
        "address-pool update -n pool2 --add backendAddresses ipAddress=10.0.1.9",
    );
    let both = json!([{ "ipAddress": "10.0.1.6" }, { "ipAddress": "10.0.1.9" }]);
    assert_eq!(more["backendAddresses"], both);
    let less = gw(site, "address-pool update -n pool2 --servers 10.0.1.6");
    assert_eq!(
        less["backendAddresses"],
        json!([{ "ipAddress": "10.0.1.6" }])
    );
    gw(site, "http-settings create -n hs2 --port 80");
}

fn paths(site: &Site) {
    let made = gw(
        site,
        "http-listener create -n l80b --frontend-port appGatewayFrontendPort \
         --host-names a.contoso.test b.contoso.test",
    );
    has(
        &made,
        &json!({
            "hostNames": ["a.contoso.test", "b.contoso.test"], "protocol": "Http",
        }),
    );
    assert_eq!(
        names(&gw(site, "http-listener list")),
        ["appGatewayHttpListener", "l80b"]
    );
    let made = gw(
        site,
        "url-path-map create -n map1 --paths '/images/*' --address-pool pool2 --http-settings hs2 \
         --default-address-pool appGatewayBackendPool \
         --default-http-settings appGatewayBackendHttpSettings --rule-name img",
    );
    let pool = json!({ "id": of_gateway("backendAddressPools/appGatewayBackendPool") });
    has(
        &made,
        &json!({ "name": "map1", "defaultBackendAddressPool": pool }),
    );
    has(
        &made["pathRules"][0],
        &json!({ "name": "img", "paths": ["/images/*"] }),
    );
    assert_eq!(names(&gw(site, "url-path-map list")), ["map1"]);
    let made = gw(
        site,
        "url-path-map rule create --path-map-name map1 -n vid --paths '/video/*' \
         --address-pool pool2 --http-settings hs2",
    );
    has(&made, &json!({ "name": "vid", "paths": ["/video/*"] }));
    // Before the listener without a name, to which all names belong.
    gw(
        site,
        "rule create -n rule3 --priority 90 --http-listener l80b --rule-type PathBasedRouting \
         --url-path-map map1 --address-pool pool2 --http-settings hs2",
    );
    let rules = gw(site, "rule list");
    assert_eq!(names(&rules), ["rule1", "rule3"]);
    has(
        &rules[1],
        &json!({
            "ruleType": "PathBasedRouting", "priority": 90,
            "urlPathMap": { "id": of_gateway("urlPathMaps/map1") },
        }),
    );
    let table = "az network application-gateway rule list -g rg --gateway-name gw -o table";
    let table = site.text(table);
    assert!(
        table.contains("rule3") && table.contains("PathBasedRouting"),
        "{table}"
    );
}
