//! Resolution B: what a probe asks for, and how long it waits.

use std::time::Duration;

use gatewright_testkit::backend::{Backend, Manners};
use serde_json::Value;

use super::Guide;

const SETTING: &str = "http-settings update --name appGatewayBackendHttpSettings";

/// A server whose root is not there and whose `/health` is.
fn without_a_root() -> gatewright_testkit::backend::Builder {
    Backend::with(Manners::Fixed {
        status: 404,
        headers: Vec::new(),
        body: b"nothing here".to_vec(),
    })
    .on_path("/health", Manners::text("fine"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_probe_finds_the_path_that_is_there() {
    let Some(guide) = Guide::start(without_a_root()).await else {
        return;
    };
    guide.is_broken().await;
    let [_, why] = guide.health();
    assert!(why.contains("404"), "{why}");
    // Steps 2a and 2b: the default probe is active.
    let shown = guide.settings_and_pools();
    assert_eq!(shown["httpSettings"][0]["probeName"], Value::Null);
    assert_eq!(guide.part("probe list"), Value::Array(Vec::new()));

    guide.part(
        "probe create --name custom --protocol Http --host app.contoso.test --path /health \
         --interval 30 --timeout 30 --threshold 3 --match-status-codes 200-399",
    );
    guide.part(&format!("{SETTING} --probe custom"));
    guide.site.wait_for_healths("gw", &["Healthy"]);
    let (status, body) = guide.site.ask(80, "/health", "www.contoso.test").await;
    assert_eq!((status, body.as_str()), (200, "fine"));

    // Step 2c, when the path of a custom probe is the wrong one.
    guide.part("probe update --name custom --path /nothing --interval 1 --threshold 1");
    guide.is_broken().await;
    let probe = guide.part("probe show --name custom");
    assert_eq!(probe["path"], "/nothing");
    assert_eq!(probe["match"]["statusCodes"][0], "200-399");
    guide.part("probe update --name custom --path /health");
    guide.site.wait_for_healths("gw", &["Healthy"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_probe_without_a_host_of_its_own() {
    let Some(guide) = Guide::start(without_a_root()).await else {
        return;
    };
    guide.part(
        "probe create --name nameless --protocol Http --host-name-from-http-settings true \
         --path /health",
    );
    let said = guide.part_refused(&format!("{SETTING} --probe nameless"));
    let code = "ApplicationGatewayBackendHttpSettingsIncompatibleProbeSettingPickHostName";
    assert!(said.contains(code), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_and_a_slow_answer() {
    let slow = Manners::slow(Duration::from_secs(3), Manners::text("at last"));
    let moved = Manners::redirect(301, "https://app.contoso.test/");
    let backend = Backend::with(Manners::text("hello"))
        .on_path("/slow", slow)
        .on_path("/moved", moved);
    let Some(guide) = Guide::start(backend).await else {
        return;
    };
    guide.part(
        "probe create --name custom --protocol Http --host app.contoso.test --path /moved \
         --interval 1 --timeout 1 --threshold 1 --match-status-codes 200-299",
    );
    guide.part(&format!("{SETTING} --probe custom"));
    guide.is_broken().await;
    guide.part("probe update --name custom --match-status-codes 200-299 301");
    guide.is_mended().await;
    guide.part("probe update --name custom --path /slow");
    guide.is_broken().await;
    guide.part("probe update --name custom --timeout 30");
    guide.is_mended().await;
}
