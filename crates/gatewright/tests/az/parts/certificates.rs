//! Certificates at both ends, and the ports and listeners that show them.

use gatewright_testkit::backend::{Backend, Manners, TlsManners};
use gatewright_testkit::certificates::{Authority, Leaf, client_trusting};
use gatewright_testkit::client::{RawClient, get_tls};
use serde_json::json;

use crate::site::Site;
use crate::stage::{
    GATEWAY, gw, gw_refused, has, id, names, of_gateway, serves, site_with_gateway,
};
use crate::support::stderr;

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
    behind(&site).await;
    in_front(&site);

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
    nothing(&site);
    identity(&site);
    taken_away(&site);
    let closed = RawClient::connect(site.door(9443)).await.err().unwrap();
    assert!(closed.is_refused(), "{closed}");
    serves(&site, 80, "app.contoso.test", "/", "secret").await;
}

async fn behind(site: &Site) {
    assert_eq!(gw(site, "root-cert list"), json!([]));
    gw(site, "root-cert create -n root1 --cert-file root.cer");
    gw(site, "root-cert create -n root2 --cert-file ca.crt");
    assert_eq!(names(&gw(site, "root-cert list")), ["root1", "root2"]);
    let setting = "http-settings update -n appGatewayBackendHttpSettings";
    let secured = gw(site, &format!("{setting} --protocol Https --port 8443"));
    has(&secured, &json!({ "protocol": "Https", "port": 8443 }));
    assert_eq!(site.ask(80, "/", "app.contoso.test").await.0, 502);
    let trusting = gw(
        site,
        &format!("{setting} --root-certs root1 --host-name app.contoso.test"),
    );
    let reference =
        json!({ "id": of_gateway("trustedRootCertificates/root1"), "resourceGroup": "rg" });
    assert_eq!(trusting["trustedRootCertificates"], json!([reference]));
    serves(site, 80, "app.contoso.test", "/", "secret").await;
    let other = gw(site, &format!("{setting} --root-certs root2"));
    assert_eq!(
        other["trustedRootCertificates"].as_array().unwrap().len(),
        1
    );
    serves(site, 80, "app.contoso.test", "/", "secret").await;
}

fn in_front(site: &Site) {
    let made = gw(
        site,
        "ssl-cert create -n cert1 --cert-file site.pfx --cert-password Pfx123",
    );
    has(
        &made,
        &json!({ "name": "cert1", "provisioningState": "Succeeded" }),
    );
    assert!(made["publicCertData"].as_str().unwrap().starts_with("MII"));
    assert_eq!((made.get("data"), made.get("password")), (None, None));
    assert_eq!(names(&gw(site, "ssl-cert list")), ["cert1"]);
    let shown = gw(site, "ssl-cert show -n cert1");
    assert_eq!(shown["publicCertData"], made["publicCertData"]);
    let said = gw_refused(
        site,
        "ssl-cert create -n bad --cert-file site.pfx \
         --cert-password Wrong",
    );
    assert!(
        said.contains("(ApplicationGatewaySslCertificatePasswordIncorrect)"),
        "{said}"
    );

    let made = gw(site, "frontend-port create -n port443 --port 443");
    has(
        &made,
        &json!({ "name": "port443", "port": 443, "provisioningState": "Succeeded" }),
    );
    let ports = gw(site, "frontend-port list");
    assert_eq!(names(&ports), ["appGatewayFrontendPort", "port443"]);
    assert_eq!(
        names(&gw(site, "frontend-ip list")),
        ["appGatewayFrontendIP"]
    );
    let made = gw(
        site,
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
        site,
        "rule create -n rule2 --priority 110 --http-listener l443 --rule-type Basic \
         --address-pool appGatewayBackendPool --http-settings appGatewayBackendHttpSettings",
    );
}

/// What there is nothing of.
fn nothing(site: &Site) {
    assert_eq!(gw(site, "client-cert list"), json!([]));
    assert_eq!(gw(site, "ssl-profile list"), json!([]));
    assert_eq!(gw(site, "listener list"), json!([]));
    let none = format!("{GATEWAY} identity show -g rg --gateway-name gw");
    assert!(site.exits(1, &none).contains("ResourceNotFoundError"));
    // This one ends in a traceback of az's own.
    let none = format!("az {GATEWAY} waf-config show -g rg --gateway-name gw");
    let said = stderr(&site.shell(&none));
    assert!(
        said.contains("'webApplicationFirewallConfiguration'"),
        "{said}"
    );
}

/// Who a gateway is when it fetches secrets.
fn identity(site: &Site) {
    let made = site.az("identity create -g rg -n who");
    gw(site, "identity assign --identity who");
    let shown = gw(site, "identity show");
    let name = made["id"].as_str().unwrap();
    has(
        &shown["userAssignedIdentities"][name],
        &json!({ "clientId": made["clientId"], "principalId": made["principalId"] }),
    );
    gw(site, "identity remove");
    let left = site.az(&format!("{GATEWAY} show -g rg -n gw --query identity"));
    assert_eq!(left, json!(null));
}

/// Everything that was made, the users before the used.
fn taken_away(site: &Site) {
    let port = gw(site, "frontend-port show -n port443");
    assert_eq!(port["id"], of_gateway("frontendPorts/port443"));
    let address = gw(site, "frontend-ip show -n appGatewayFrontendIP");
    let public = id("Microsoft.Network/publicIPAddresses/ip");
    assert_eq!(address["publicIPAddress"]["id"], public);
    for (words, user) in [
        ("ssl-cert delete -n cert1", "l443"),
        ("frontend-port delete -n port443", "l443"),
        ("http-listener delete -n l443", "rule2"),
        ("root-cert delete -n root2", "appGatewayBackendHttpSettings"),
    ] {
        let said = gw_refused(site, words);
        assert!(said.contains("(InvalidResourceReference)"), "{said}");
        assert!(said.contains(user), "{said}");
    }
    gw(site, "rule delete -n rule2");
    gw(site, "http-listener delete -n l443");
    gw(site, "ssl-cert delete -n cert1");
    gw(site, "frontend-port delete -n port443");
    gw(site, "root-cert delete -n root1");
    let left = site.az(&format!(
        "{GATEWAY} show -g rg -n gw --query '[requestRoutingRules, httpListeners, \
         sslCertificates, frontendPorts, trustedRootCertificates][].name'"
    ));
    let expected = [
        "rule1",
        "appGatewayHttpListener",
        "appGatewayFrontendPort",
        "root2",
    ];
    assert_eq!(left, json!(expected));
}
