//! Step 2d and resolution F: the certificate of the server.

use gatewright_testkit::backend::{Backend, Manners, TlsManners};
use gatewright_testkit::certificates::{Authority, Leaf};
use serde_json::{Value, json};

use super::Guide;

const SETTING: &str = "http-settings update --name appGatewayBackendHttpSettings";

#[tokio::test(flavor = "multi_thread")]
async fn a_private_authority_and_the_wrong_name() {
    let root = Authority::new("Contoso Root");
    let issuing = root.intermediate("Contoso Issuing");
    let identity = issuing.issue(Leaf::named("app.contoso.test"));
    let backend = Backend::with(Manners::text("hello"));
    let backend = backend.tls(TlsManners::new(identity.clone()));
    let Some(guide) = Guide::start(backend).await else {
        return;
    };
    guide.site.write("root.cer", root.root_certificate());

    // The root comes after HTTPS.
    guide.part("root-cert create --name root --cert-file root.cer");
    let said = guide.part_refused(&format!("{SETTING} --root-certs root"));
    let code = "(ApplicationGatewayBackendHttpSettingsCannotHaveTrustedRootCertificate)";
    assert!(said.contains(code), "{said}");
    guide.part(&format!(
        "{SETTING} --protocol Https --port 443 --host-name app.contoso.test"
    ));
    guide.is_broken().await;
    let [_, why] = guide.health();
    assert!(why.contains("not signed by a well-known"), "{why}");
    let list = "http-settings list --query \"[].{name:name, protocol:protocol, port:port, \
        hostName:hostName, pickHostNameFromBackendAddress:pickHostNameFromBackendAddress}\"";
    let shown = json!([{
        "name": "appGatewayBackendHttpSettings", "protocol": "Https", "port": 443,
        "hostName": "app.contoso.test", "pickHostNameFromBackendAddress": false,
    }]);
    assert_eq!(guide.part(list), shown);
    assert_eq!(guide.part("root-cert list")[0]["name"], "root");
    guide.part(&format!("{SETTING} --root-certs root"));
    guide.is_mended().await;

    // A name that the certificate does not have.
    guide.probe_often_in_https();
    guide.part("probe update --name often --host other.contoso.test");
    guide.is_broken().await;
    let [_, why] = guide.health();
    let expected = "The Common Name of the leaf certificate presented by the backend server does \
        not match the Probe or Backend Setting hostname of the application gateway.";
    assert!(why.starts_with(expected), "{why}");
    guide.part("probe update --name often --host app.contoso.test");
    guide.is_mended().await;

    // A server that keeps its intermediate certificate to itself, until it is told.
    let alone = TlsManners::new(identity.without_intermediates());
    guide.backend.set_tls(Some(alone));
    guide.is_broken().await;
    guide.backend.set_tls(Some(TlsManners::new(identity)));
    guide.is_mended().await;
    let probes = guide.part("probe list");
    assert_eq!(probes.as_array().map(Vec::len), Some(1));
    assert_ne!(probes[0]["protocol"], Value::Null);
}

impl Guide {
    fn probe_often_in_https(&self) {
        self.part(
            "probe create --name often --protocol Https --host app.contoso.test --path / \
             --interval 1 --timeout 5 --threshold 1",
        );
        self.part(&format!("{SETTING} --probe often"));
    }
}
