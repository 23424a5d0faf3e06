//! The parts of a gateway, each made, shown, changed and removed, and what requests meet then.

use gatewright_testkit::backend::{Backend, Manners, TlsManners};
use gatewright_testkit::certificates::{Authority, Leaf, client_trusting};
use gatewright_testkit::client::{RawClient, Response, get, get_tls};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::timeout;

use crate::site::Site;
use crate::stage::{gw, has, named, names, of_gateway, site_with_gateway};
use crate::support::{PATIENCE, stderr};

const REFUSED: &str = "network application-gateway";

/// The whole answer that a client gets there.
async fn answer(site: &Site, port: u16, path: &str, host: &str) -> Response {
    get(site.door(port), host, path).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn probes_and_settings() {
    let backend = named("one").await;
    let Some(site) = site_with_gateway(&[("10.0.1.4:8080", &backend)]) else {
        return;
    };
    assert_eq!(gw(&site, "probe list"), json!([]));
    let probe = json!({
        "id": of_gateway("probes/probe1"), "name": "probe1", "protocol": "Http", "path": "/health",
        "interval": 30, "timeout": 30, "unhealthyThreshold": 3, "minServers": 0,
        "pickHostNameFromBackendHttpSettings": true, "match": { "statusCodes": ["200-399"] },
        "provisioningState": "Succeeded",
    });
    let made = gw(
        &site,
        "probe create -n probe1 --protocol Http --path /health --interval 30 --timeout 30 \
         --threshold 3 --host-name-from-http-settings true --match-status-codes 200-399",
    );
    has(&made, &probe);
    let made = gw(
        &site,
        "probe create -n probe2 --protocol Http --path /health --host 127.0.0.1",
    );
    has(
        &made,
        &json!({ "interval": 30, "timeout": 120, "unhealthyThreshold": 8 }),
    );
    has(&gw(&site, "probe show -n probe1"), &probe);
    assert_eq!(
        gw(&site, "probe update -n probe1 --path /healthz")["path"],
        "/healthz"
    );

    assert_eq!(
        names(&gw(&site, "http-settings list")),
        ["appGatewayBackendHttpSettings"]
    );
    let made = gw(
        &site,
        "http-settings create -n hs2 --port 443 --protocol Https --host-name-from-backend-pool true \
         --probe probe1 --timeout 30 --cookie-based-affinity Disabled",
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
    let update = |words: &str| gw(&site, &format!("http-settings update -n hs2 {words}"));
    let changed = update("--probe probe2");
    assert_eq!(changed["probe"]["id"], of_gateway("probes/probe2"));
    let said = site.exits(
        2,
        &format!(
            "{REFUSED} http-settings update -g rg --gateway-name gw -n hs2 \
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
    let said = site.refused(&format!(
        "{REFUSED} http-settings update -g rg --gateway-name gw -n hs2 --host-name app.contoso.test"
    ));
    assert!(
        said.contains("BackendHttpSettingsHostNameFieldConflict) HostName may only"),
        "{said}"
    );
    let named = update("--host-name app.contoso.test --host-name-from-backend-pool false");
    let expected = json!({
        "hostName": "app.contoso.test", "pickHostNameFromBackendAddress": false,
    });
    has(&named, &expected);
    has(&gw(&site, "http-settings show -n hs2"), &expected);
    assert_eq!(update("--remove probe").get("probe"), None);
    // Said by az, which looks into the gateway by itself.
    let said = site.exits(
        1,
        &format!("{REFUSED} probe show -g rg --gateway-name gw -n nosuch"),
    );
    assert!(said.contains("ResourceNotFoundError"), "{said}");

    // What the backend sees of it.
    backend.forget();
    let setting = "http-settings update -n appGatewayBackendHttpSettings";
    let bound = gw(
        &site,
        &format!("{setting} --host-name shop.contoso.test --probe probe1"),
    );
    assert_eq!(bound["hostName"], "shop.contoso.test");
    assert!(backend.wait_for_requests(1, PATIENCE).await);
    let seen = &backend.requests()[0];
    assert_eq!(
        (seen.target.as_str(), seen.host()),
        ("/healthz", Some("shop.contoso.test"))
    );
    let said = site.refused(&format!(
        "{REFUSED} probe delete -g rg --gateway-name gw -n probe1"
    ));
    assert!(
        said.contains("(InvalidResourceReference)") && said.contains("probe1"),
        "{said}"
    );
    gw(&site, "probe delete -n probe2");
    assert_eq!(names(&gw(&site, "probe list")), ["probe1"]);
    backend.forget();
    assert_eq!(
        site.ask(80, "/a", "client.test").await,
        (200, "one".to_owned())
    );
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

#[tokio::test(flavor = "multi_thread")]
async fn certificates_at_both_ends() {
    let root = Authority::new("Contoso Root");
    let backend = Backend::with(Manners::Named).named("secret");
    let inside = root.issue(Leaf::named("app.contoso.test"));
    let backend = backend.tls(TlsManners::new(inside)).start().await.unwrap();
    let Some(site) = site_with_gateway(&[("10.0.1.4:8443", &backend)]) else {
        return;
    };
    site.write("root.cer", root.certificate());
    site.write("ca.crt", root.cert_pem());
    let front = root.issue(Leaf::named("app.contoso.test"));
    site.write("site.pfx", front.pfx("Pfx123"));

    assert_eq!(gw(&site, "root-cert list"), json!([]));
    gw(&site, "root-cert create -n root1 --cert-file root.cer");
    gw(&site, "root-cert create -n root2 --cert-file ca.crt");
    assert_eq!(names(&gw(&site, "root-cert list")), ["root1", "root2"]);
    let setting = "http-settings update -n appGatewayBackendHttpSettings";
    let secured = gw(&site, &format!("{setting} --protocol Https --port 8443"));
    has(&secured, &json!({ "protocol": "Https", "port": 8443 }));
    assert_eq!(site.ask(80, "/", "app.contoso.test").await.0, 502);
    let trusting = gw(
        &site,
        &format!("{setting} --root-certs root1 --host-name app.contoso.test"),
    );
    let reference =
        json!({ "id": of_gateway("trustedRootCertificates/root1"), "resourceGroup": "rg" });
    assert_eq!(trusting["trustedRootCertificates"], json!([reference]));
    assert_eq!(
        site.ask(80, "/", "app.contoso.test").await,
        (200, "secret".to_owned())
    );
    let other = gw(&site, &format!("{setting} --root-certs root2"));
    assert_eq!(
        other["trustedRootCertificates"].as_array().unwrap().len(),
        1
    );
    assert_eq!(
        site.ask(80, "/", "app.contoso.test").await,
        (200, "secret".to_owned())
    );

    let made = gw(
        &site,
        "ssl-cert create -n cert1 --cert-file site.pfx --cert-password Pfx123",
    );
    has(
        &made,
        &json!({ "name": "cert1", "provisioningState": "Succeeded" }),
    );
    assert!(made["publicCertData"].as_str().unwrap().starts_with("MII"));
    assert_eq!((made.get("data"), made.get("password")), (None, None));
    assert_eq!(names(&gw(&site, "ssl-cert list")), ["cert1"]);
    let shown = gw(&site, "ssl-cert show -n cert1");
    assert_eq!(shown["publicCertData"], made["publicCertData"]);
    let said = site.refused(&format!(
        "{REFUSED} ssl-cert create -g rg --gateway-name gw -n bad --cert-file site.pfx \
         --cert-password Wrong"
    ));
    assert!(
        said.contains("(ApplicationGatewaySslCertificatePasswordIncorrect)"),
        "{said}"
    );

    let made = gw(&site, "frontend-port create -n port443 --port 443");
    has(
        &made,
        &json!({ "name": "port443", "port": 443, "provisioningState": "Succeeded" }),
    );
    let ports = gw(&site, "frontend-port list");
    assert_eq!(names(&ports), ["appGatewayFrontendPort", "port443"]);
    assert_eq!(
        names(&gw(&site, "frontend-ip list")),
        ["appGatewayFrontendIP"]
    );
    let made = gw(
        &site,
        "http-listener create -n l443 --frontend-port port443 --frontend-ip appGatewayFrontendIP \
         --ssl-cert cert1 --host-name app.contoso.test",
    );
    has(
        &made,
        &json!({
            "name": "l443", "protocol": "Https", "hostName": "app.contoso.test",
            "requireServerNameIndication": true,
            "sslCertificate": { "id": of_gateway("sslCertificates/cert1") },
            "frontendPort": { "id": of_gateway("frontendPorts/port443") },
        }),
    );
    gw(
        &site,
        "rule create -n rule2 --priority 110 --http-listener l443 --rule-type Basic \
         --address-pool appGatewayBackendPool --http-settings appGatewayBackendHttpSettings",
    );
    let trust = client_trusting(&root);
    let served = get_tls(site.door(443), "app.contoso.test", "/", trust.clone())
        .await
        .unwrap();
    assert_eq!((served.status, served.text().as_str()), (200, "secret"));

    // A new certificate, and a newer policy.
    let renewed = root.issue(Leaf::named("app.contoso.test"));
    site.write("new.pfx", renewed.pfx("Pfx456"));
    gw(
        &site,
        "ssl-cert update -n cert1 --cert-file new.pfx --cert-password Pfx456",
    );
    let connect = async || {
        let client = RawClient::connect(site.door(443)).await.unwrap();
        client.tls("app.contoso.test", trust.clone()).await.unwrap()
    };
    let client = connect().await;
    assert_eq!(client.server_certificates(), [renewed.leaf().clone()]);
    assert_eq!(client.tls_version().as_deref(), Some("TLSv1_2"));
    let policy = "ssl-policy set --name AppGwSslPolicy20220101 --policy-type Predefined";
    let expected = json!({ "policyName": "AppGwSslPolicy20220101", "policyType": "Predefined" });
    assert_eq!(gw(&site, policy), expected);
    assert_eq!(gw(&site, "ssl-policy show"), expected);
    assert_eq!(connect().await.tls_version().as_deref(), Some("TLSv1_3"));

    let moved = gw(&site, "frontend-port update -n port443 --port 9443");
    assert_eq!(moved["port"], 9443);
    let served = get_tls(site.door(9443), "app.contoso.test", "/", trust)
        .await
        .unwrap();
    assert_eq!(served.status, 200);
    let old = RawClient::connect(site.door(443)).await.err().unwrap();
    assert!(old.is_refused(), "{old}");
    let said = site.refused(&format!(
        "{REFUSED} ssl-cert delete -g rg --gateway-name gw -n cert1"
    ));
    assert!(said.contains("cert1"), "{said}");

    // What there is nothing of.
    assert_eq!(gw(&site, "client-cert list"), json!([]));
    assert_eq!(gw(&site, "listener list"), json!([]));
    let none = format!("{REFUSED} identity show -g rg --gateway-name gw");
    assert!(site.exits(1, &none).contains("ResourceNotFoundError"));
    // This one ends in a traceback of az's own.
    let none = format!("az {REFUSED} waf-config show -g rg --gateway-name gw");
    let said = stderr(&site.shell(&none));
    assert!(
        said.contains("'webApplicationFirewallConfiguration'"),
        "{said}"
    );
}

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
    let made = gw(&site, "address-pool create -n pool2 --servers 10.0.1.6");
    has(
        &made,
        &json!({
            "name": "pool2", "backendAddresses": [{ "ipAddress": "10.0.1.6" }],
            "provisioningState": "Succeeded",
        }),
    );
    assert_eq!(
        names(&gw(&site, "address-pool list")),
        ["appGatewayBackendPool", "pool2"]
    );
    assert_eq!(gw(&site, "address-pool show -n pool2"), made);
    let more = gw(
        &site,
        "address-pool update -n pool2 --add backendAddresses ipAddress=10.0.1.9",
    );
    let both = json!([{ "ipAddress": "10.0.1.6" }, { "ipAddress": "10.0.1.9" }]);
    assert_eq!(more["backendAddresses"], both);
    let less = gw(&site, "address-pool update -n pool2 --servers 10.0.1.6");
    assert_eq!(
        less["backendAddresses"],
        json!([{ "ipAddress": "10.0.1.6" }])
    );
    gw(&site, "http-settings create -n hs2 --port 80");

    let made = gw(
        &site,
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
        names(&gw(&site, "http-listener list")),
        ["appGatewayHttpListener", "l80b"]
    );
    let made = gw(
        &site,
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
    assert_eq!(names(&gw(&site, "url-path-map list")), ["map1"]);
    let made = gw(
        &site,
        "url-path-map rule create --path-map-name map1 -n vid --paths '/video/*' \
         --address-pool pool2 --http-settings hs2",
    );
    has(&made, &json!({ "name": "vid", "paths": ["/video/*"] }));
    // Before the listener without a name, to which all names belong.
    gw(
        &site,
        "rule create -n rule3 --priority 90 --http-listener l80b --rule-type PathBasedRouting \
         --url-path-map map1 --address-pool pool2 --http-settings hs2",
    );
    let rules = gw(&site, "rule list");
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

    for (path, host, expected) in [
        ("/images/a.png", "a.contoso.test", "two"),
        ("/video/b", "b.contoso.test", "two"),
        ("/other", "a.contoso.test", "one"),
        ("/images/a.png", "elsewhere.test", "one"),
    ] {
        assert_eq!(
            site.ask(80, path, host).await,
            (200, expected.to_owned()),
            "{host}{path}"
        );
    }
    let said = site.refused(&format!(
        "{REFUSED} address-pool delete -g rg --gateway-name gw -n pool2"
    ));
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
    assert_eq!(
        site.ask(80, "/", "elsewhere.test").await,
        (200, "three".to_owned())
    );
    // A host name of its own takes the others' place only when those are taken away.
    let said = site.refused(&format!(
        "{REFUSED} http-listener update -g rg --gateway-name gw -n l80b --host-name x.contoso.test"
    ));
    assert!(
        said.contains("cannot have both hostName and hostNames"),
        "{said}"
    );
    let moved = gw(
        &site,
        "http-listener update -n l80b --host-names x.contoso.test",
    );
    assert_eq!(moved["hostNames"], json!(["x.contoso.test"]));
    assert_eq!(
        site.ask(80, "/images/", "x.contoso.test").await,
        (200, "two".to_owned())
    );
    assert_eq!(
        site.ask(80, "/images/", "a.contoso.test").await,
        (200, "three".to_owned())
    );
    gw(
        &site,
        "frontend-port update -n appGatewayFrontendPort --port 8080",
    );
    assert_eq!(
        site.ask(8080, "/images/", "x.contoso.test").await,
        (200, "two".to_owned())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn redirects_and_rewrites() {
    let backend = named("one").await;
    let Some(site) = site_with_gateway(&[("10.0.1.4:8080", &backend)]) else {
        return;
    };
    let listener = "http-listener create -n other --frontend-port appGatewayFrontendPort";
    gw(&site, &format!("{listener} --host-name new.contoso.test"));
    let made = gw(
        &site,
        "redirect-config create -n redir1 --type Permanent --target-listener other \
         --include-path true --include-query-string true",
    );
    has(
        &made,
        &json!({
            "name": "redir1", "redirectType": "Permanent", "includePath": true,
            "includeQueryString": true, "targetListener": { "id": of_gateway("httpListeners/other") },
        }),
    );
    assert_eq!(names(&gw(&site, "redirect-config list")), ["redir1"]);

    let made = gw(&site, "rewrite-rule set create -n rws1");
    has(
        &made,
        &json!({ "name": "rws1", "rewriteRules": [], "provisioningState": "Succeeded" }),
    );
    let made = gw(
        &site,
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
        &site,
        "rewrite-rule condition create --rule-set-name rws1 --rule-name rw1 \
         --variable var_uri_path --pattern '/api/(.*)' --ignore-case true --negate false",
    );
    assert_eq!(made, condition);
    let sets = gw(&site, "rewrite-rule set list");
    assert_eq!(sets[0]["rewriteRules"][0]["conditions"], json!([condition]));

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
    let said = site.refused(&format!(
        "{REFUSED} rule update -g rg --gateway-name gw -n rule2 --priority 100"
    ));
    assert!(said.contains("riority"), "{said}");
    assert_eq!(
        site.ask(80, "/", "new.contoso.test").await,
        (200, "one".to_owned())
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
    assert_eq!(
        site.ask(80, "/", "new.contoso.test").await,
        (200, "one".to_owned())
    );
    let changed = gw(&site, "redirect-config update -n redir1 --type Found");
    assert_eq!(changed["redirectType"], "Found");
    assert_eq!(answer(&site, 80, "/", "old.contoso.test").await.status, 302);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_leaves_ends_what_it_began() {
    let leaving = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let staying = named("staying").await;
    let map = format!("10.0.1.4:8080={}", leaving.local_addr().unwrap());
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
    let mut asked = loop {
        let (mut stream, _) = timeout(PATIENCE, leaving.accept()).await.unwrap().unwrap();
        let mut head = [0; 4096];
        let length = stream.read(&mut head).await.unwrap();
        if head[..length].starts_with(b"GET /slow ") {
            break stream;
        }
        // The others are probes.
        let well = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        stream.write_all(well).await.unwrap();
    };
    gw(
        &site,
        "address-pool update -n appGatewayBackendPool --servers 10.0.1.5",
    );
    assert_eq!(
        site.ask(80, "/", "a.test").await,
        (200, "staying".to_owned())
    );
    let last = b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nleaving";
    asked.write_all(last).await.unwrap();
    let answer = waiting.await.unwrap();
    assert_eq!((answer.status, answer.text().as_str()), (200, "leaving"));
}
