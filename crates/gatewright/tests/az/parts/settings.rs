//! Probes and settings, and servers that leave.

use gatewright_testkit::backend::Manners;
use gatewright_testkit::client::RawClient;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::site::Site;
use crate::stage::{
    GATEWAY, gw, gw_refused, has, named, names, of_gateway, serves, site_with_gateway,
};
use crate::support::{PATIENCE, wait_until};

#[tokio::test(flavor = "multi_thread")]
async fn probes_and_settings() {
    let backend = named("one").await;
    let Some(site) = site_with_gateway(&[("10.0.1.4:8080", &backend)]) else {
        return;
    };
    probes(&site);
    settings(&site);

    // What the backend sees of it.
    backend.forget();
    let setting = "http-settings update -n appGatewayBackendHttpSettings";
    let bound = gw(
        &site,
        &format!("{setting} --host-name shop.contoso.test --probe probe1"),
    );
    assert_eq!(bound["hostName"], "shop.contoso.test");
    // The probe before it may have been on its way.
    wait_until("the server is asked for the probe's path", || {
        let mut seen = backend.requests().into_iter();
        seen.any(|seen| seen.target == "/healthz" && seen.host() == Some("shop.contoso.test"))
    });
    // The same at once, with the setting's host name in it.
    backend.forget();
    let told = site.az(&format!(
        "{GATEWAY} show-backend-health -g rg -n gw --host-name-from-http-settings true \
         --path /now --protocol Http --timeout 30 --address-pool appGatewayBackendPool \
         --http-settings appGatewayBackendHttpSettings"
    ));
    let server = &told["backendHealthHttpSettings"]["servers"][0];
    has(
        server,
        &json!({ "address": "10.0.1.4", "health": "Healthy" }),
    );
    let mut seen = backend.requests().into_iter();
    let seen = seen.find(|seen| seen.target == "/now").unwrap();
    assert_eq!(seen.host(), Some("shop.contoso.test"));
    let said = gw_refused(&site, "probe delete -n probe1");
    assert!(
        said.contains("(InvalidResourceReference)") && said.contains("probe1"),
        "{said}"
    );
    gw(&site, "probe delete -n probe2");
    assert_eq!(names(&gw(&site, "probe list")), ["probe1"]);
    backend.forget();
    serves(&site, 80, "client.test", "/a", "one").await;
    let mut seen = backend.requests().into_iter();
    let seen = seen.find(|seen| seen.target == "/a").unwrap();
    assert_eq!(seen.host(), Some("shop.contoso.test"));
    // A server that does not answer is waited for as long as the setting says.
    backend.set_path_manners("/a", Manners::BlackHole);
    assert_eq!(
        gw(&site, &format!("{setting} --timeout 1"))["requestTimeout"],
        1
    );
    assert_eq!(site.ask(80, "/a", "client.test").await.0, 504);
}

fn probes(site: &Site) {
    assert_eq!(gw(site, "probe list"), json!([]));
    let probe = json!({
        "id": of_gateway("probes/probe1"), "name": "probe1", "protocol": "Http", "path": "/health",
        "interval": 30, "timeout": 30, "unhealthyThreshold": 3, "minServers": 0,
        "pickHostNameFromBackendHttpSettings": true, "match": { "statusCodes": ["200-399"] },
        "provisioningState": "Succeeded",
    });
    let made = gw(
        site,
        "probe create -n probe1 --protocol Http --path /health --interval 30 --timeout 30 \
         --threshold 3 --host-name-from-http-settings true --match-status-codes 200-399",
    );
    has(&made, &probe);
    let made = gw(
        site,
        "probe create -n probe2 --protocol Http --path /health --host 127.0.0.1",
    );
    has(
        &made,
        &json!({ "interval": 30, "timeout": 120, "unhealthyThreshold": 8 }),
    );
    has(&gw(site, "probe show -n probe1"), &probe);
    assert_eq!(
        gw(site, "probe update -n probe1 --path /healthz")["path"],
        "/healthz"
    );
}

fn settings(site: &Site) {
    assert_eq!(
        names(&gw(site, "http-settings list")),
        ["appGatewayBackendHttpSettings"]
    );
    let made = gw(
        site,
        "http-settings create -n hs2 --port 443 --protocol Https \
         --host-name-from-backend-pool true --probe probe1 \
         --timeout 30 --cookie-based-affinity Disabled",
    );
    has(
        &made,
        &json!({
            "name": "hs2", "port": 443, "protocol": "Https", "requestTimeout": 30,
            "pickHostNameFromBackendAddress": true, "cookieBasedAffinity": "Disabled",
            "probe": { "id": of_gateway("probes/probe1") },
            "connectionDraining": { "enabled": false, "drainTimeoutInSec": 1 },
        }),
    );
    let update = |words: &str| gw(site, &format!("http-settings update -n hs2 {words}"));
    let changed = update("--probe probe2");
    assert_eq!(changed["probe"]["id"], of_gateway("probes/probe2"));
    let said = site.exits(
        2,
        &format!(
            "{GATEWAY} http-settings update -g rg --gateway-name gw -n hs2 \
         --connection-draining-enabled true"
        ),
    );
    assert!(
        said.contains("unrecognized arguments: --connection-draining-enabled"),
        "{said}"
    );
    let drained = json!({ "enabled": true, "drainTimeoutInSec": 60 });
    assert_eq!(
        update("--connection-draining-timeout 60")["connectionDraining"],
        drained
    );
    assert_eq!(
        update("--host-name-from-backend-pool true")["connectionDraining"],
        drained
    );
    let said = gw_refused(
        site,
        "http-settings update -n hs2 --host-name app.contoso.test",
    );
    assert!(
        said.contains("BackendHttpSettingsHostNameFieldConflict) HostName may only"),
        "{said}"
    );
    let named = update("--host-name app.contoso.test --host-name-from-backend-pool false");
    let expected = json!({
        "hostName": "app.contoso.test", "pickHostNameFromBackendAddress": false,
    });
    has(&named, &expected);
    has(&gw(site, "http-settings show -n hs2"), &expected);
    assert_eq!(update("--remove probe").get("probe"), None);
    // Said by az, which looks into the gateway by itself.
    let said = site.exits(
        1,
        &format!("{GATEWAY} probe show -g rg --gateway-name gw -n nosuch"),
    );
    assert!(said.contains("ResourceNotFoundError"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_leaves_ends_what_it_began() {
    let leaving = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let staying = named("staying").await;
    let map = format!("10.0.1.4:8080={}", leaving.local_addr().unwrap());
    // From the beginning: probes that nobody answers while az works would take it out of rotation.
    let asked = tokio::spawn(answer_probes(leaving));
    let other = format!("10.0.1.5:8080={}", staying.address());
    let Some(site) = Site::start(&["--map", &map, "--map", &other]) else {
        return;
    };
    site.az("group create -n rg -l local");
    site.az(
        "network application-gateway create -g rg -n gw --sku Standard_v2 --public-ip-address ip \
         --vnet-name net --subnet gateways --servers 10.0.1.4 --http-settings-port 8080 \
         --priority 100 --connection-draining-timeout 60",
    );
    let door = site.door(80);
    let waiting = tokio::spawn(async move {
        let mut client = RawClient::connect(door).await.unwrap().patience(PATIENCE);
        client
            .send(b"GET /slow HTTP/1.1\r\nHost: a.test\r\n\r\n")
            .await
            .unwrap();
        client.read_response().await.unwrap()
    });
    let mut asked = timeout(PATIENCE, asked).await.unwrap().unwrap();
    gw(
        &site,
        "address-pool update -n appGatewayBackendPool --servers 10.0.1.5",
    );
    serves(&site, 80, "a.test", "/", "staying").await;
    let last = b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nleaving";
    asked.write_all(last).await.unwrap();
    let answer = waiting.await.unwrap();
    assert_eq!((answer.status, answer.text().as_str()), (200, "leaving"));
}

/// Answers probes until a request for `/slow` comes; its connection.
async fn answer_probes(server: TcpListener) -> TcpStream {
    loop {
        let (mut stream, _) = server.accept().await.unwrap();
        let mut head = [0; 4096];
        let length = stream.read(&mut head).await.unwrap();
        if head[..length].starts_with(b"GET /slow ") {
            return stream;
        }
        let well = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        stream.write_all(well).await.unwrap();
    }
}
