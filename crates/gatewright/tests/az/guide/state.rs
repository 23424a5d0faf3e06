//! Step 1a, and resolutions G and H: a gateway that is stopped, that has failed, that is too small.

use std::net::TcpListener;

use gatewright_testkit::backend::{Backend, Manners};
use serde_json::json;

use super::Guide;

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_gateway_is_started() {
    let Some(guide) = Guide::start(Backend::with(Manners::text("hello"))).await else {
        return;
    };
    guide.is_mended().await;
    guide.gateway("stop");
    assert_eq!(guide.state()["operationalState"], "Stopped");
    assert_eq!(guide.status().await, 502);
    guide.gateway("start");
    let sku = json!({"name": "Standard_v2", "tier": "Standard_v2"});
    let running = json!({
        "provisioningState": "Succeeded", "operationalState": "Running", "sku": sku,
    });
    assert_eq!(guide.state(), running);
    guide.is_mended().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_gateway_is_tried_again() {
    let Some(guide) = Guide::start(Backend::with(Manners::text("hello"))).await else {
        return;
    };
    guide.is_mended().await;
    let taken = TcpListener::bind(guide.site.door(8080)).unwrap();
    let said = guide.part_refused("frontend-port update --name appGatewayFrontendPort --port 8080");
    assert!(said.contains("cannot listen on"), "{said}");
    assert_eq!(guide.state()["provisioningState"], "Failed");
    // What was good is served on.
    assert_eq!(guide.status().await, 200);

    let script = "az network application-gateway update --name gw --resource-group rg";
    let said = guide.site.fails(script);
    assert!(said.contains("cannot listen on"), "{said}");
    drop(taken);
    guide.gateway("update");
    assert_eq!(guide.state()["provisioningState"], "Succeeded");
    let (status, _) = guide.site.ask(8080, "/", "www.contoso.test").await;
    assert_eq!(status, 200);
    assert!(!guide.site.is_open(80));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_gets_room() {
    let Some(guide) = Guide::start(Backend::with(Manners::text("hello"))).await else {
        return;
    };
    guide.gateway("update --capacity 4");
    let size = "show --query '{sku:sku, autoscale:autoscaleConfiguration}'";
    let shown = guide.gateway(size);
    assert_eq!(shown["sku"]["capacity"], 4);
    guide.gateway("update --min-capacity 1 --max-capacity 10");
    guide.gateway("update --max-capacity 20");
    let shown = guide.gateway(size);
    let autoscale = json!({"minCapacity": 1, "maxCapacity": 20});
    assert_eq!(shown["autoscale"], autoscale, "{shown}");
    guide.is_mended().await;
}
