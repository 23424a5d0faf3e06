//! Step 3, and resolutions D and E: pools, ports and paths.

use gatewright_testkit::backend::{Backend, Manners};
use serde_json::{Value, json};

use super::Guide;

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_pool_gets_its_server() {
    let Some(guide) = Guide::start(Backend::with(Manners::text("hello"))).await else {
        return;
    };
    guide.is_mended().await;
    let pool = "address-pool update --name appGatewayBackendPool";
    guide.part(&format!("{pool} --set backendAddresses=[]"));
    assert_eq!(guide.status().await, 502);
    let told = guide.gateway("show-backend-health");
    let servers = &told["backendAddressPools"][0]["backendHttpSettingsCollection"][0]["servers"];
    assert_eq!(servers, &json!([]), "{told}");
    guide.part(&format!("{pool} --servers 10.0.1.4"));
    guide.is_mended().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_on_the_wrong_port() {
    let Some(guide) = Guide::start(Backend::with(Manners::text("hello"))).await else {
        return;
    };
    guide.part("frontend-port update --name appGatewayFrontendPort --port 8888");
    assert!(!guide.site.is_open(80) && !guide.site.is_open(8080));
    let rules = guide
        .site
        .text("az network application-gateway rule list --gateway-name gw -g rg --output table");
    assert!(
        rules.contains("rule1") && rules.contains("Basic"),
        "{rules}"
    );
    // `listener list` is of the other kind of listeners, those of TCP and TLS.
    let listeners = guide.part("http-listener list");
    assert_eq!(listeners[0]["protocol"], "Http");
    assert_eq!(guide.part("listener list"), json!([]));

    let said = guide.part_refused("frontend-port update --name appGatewayFrontendPort --port 443");
    let code = "(ApplicationGatewayPortNotValidForProtocol)";
    assert!(said.contains(code), "{said}");
    guide.part("frontend-port update --name appGatewayFrontendPort --port 8080");
    guide.site.wait_for_healths("gw", &["Healthy"]);
    let (status, _) = guide.site.ask(8080, "/", "www.contoso.test").await;
    assert_eq!(status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_without_a_rule() {
    let backend = Backend::with(Manners::text("hello"));
    let Some(guide) = Guide::start(backend).await else {
        return;
    };
    guide.part("address-pool create --name empty");
    guide.part(
        "url-path-map create --name paths --rule-name images --paths '/images/*' \
         --address-pool appGatewayBackendPool --http-settings appGatewayBackendHttpSettings \
         --default-address-pool empty --default-http-settings appGatewayBackendHttpSettings",
    );
    guide.part("rule update --name rule1 --rule-type PathBasedRouting --url-path-map paths");
    let ask = |path: &'static str| guide.site.ask(80, path, "www.contoso.test");
    assert_eq!(ask("/images/a.png").await.0, 200);
    assert_eq!(ask("/video/a.mp4").await.0, 502);
    let rule = guide.part("rule list");
    assert_eq!(rule[0]["ruleType"], "PathBasedRouting");
    assert_ne!(rule[0]["urlPathMap"]["id"], Value::Null);
    guide.part(
        "url-path-map rule create --path-map-name paths --name video --paths '/video/*' \
         --address-pool appGatewayBackendPool --http-settings appGatewayBackendHttpSettings",
    );
    assert_eq!(ask("/video/a.mp4").await.0, 200);
}
