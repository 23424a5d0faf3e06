//! Template deployments on their way: slow, failing, canceled, interrupted; and those of gateways.

mod support;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use gatewright_arm::{ArmError, ResourceId};
use gatewright_control::{Control, Node, Storage};
use gatewright_store::{Embedded, KeySources, Options, Pending, Revision};
use gatewright_testkit::certificates::{Authority, Leaf};
use reqwest::StatusCode;
use serde_json::{Value, json};
use support::deploying::{deploy, deployment, ended, group_of_rules, network, request, template};
use support::{Api, LOCATION, Obedient, Site, as_obedient, config, group, net};

const GROUP: &str = support::GROUP;

/// A node that lets so many operations end, well or not, and no more.
struct Slow {
    gate: tokio::sync::Semaphore,
    refuses: bool,
}

impl Slow {
    fn new(permits: usize, refuses: bool) -> Arc<Self> {
        Arc::new(Self {
            gate: tokio::sync::Semaphore::new(permits),
            refuses,
        })
    }
}

impl Node for Slow {
    fn took(&self, _: Revision) -> Pending<'_, Result<(), ArmError>> {
        Box::pin(async move {
            self.gate.acquire().await.unwrap().forget();
            match self.refuses {
                true => Err(ArmError::new("InternalServerError", "The node is broken.")),
                false => Ok(()),
            }
        })
    }

    fn serves<'a>(&'a self, id: &'a ResourceId, at: Revision) -> Pending<'a, Result<(), ArmError>> {
        Obedient.serves(id, at)
    }

    as_obedient!(health);

    as_obedient!(attempt);
}

async fn site_with(node: Arc<dyn Node>) -> Site {
    let site = Site::with(|_| {}, node).await;
    let body = json!({"location": LOCATION});
    let made = site.api.put(&group(GROUP), &body).await;
    made.expect(StatusCode::CREATED);
    site
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_that_fails_is_told_as_such() {
    let site = site_with(Slow::new(1, true)).await;
    let body = request(template(json!([network("v1")])));
    let end = deploy(&site.api, "d", &body).await;
    let detail = &end["error"]["details"][0];
    assert_eq!(detail["code"], "ResourceDeploymentFailure", "{end:#}");
    assert_eq!(detail["target"], net("virtualNetworks/v1"));
    assert_eq!(detail["details"][0]["message"], "The node is broken.");
    let steps = site
        .api
        .get(&format!("{}/operations", deployment("d")))
        .await;
    let properties = &steps.body["value"][0]["properties"];
    assert_eq!(properties["statusCode"], "Conflict");
    assert_eq!(properties["statusMessage"]["status"], "Failed");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_runs_is_not_replaced_but_can_be_canceled() {
    let node = Slow::new(0, false);
    let site = site_with(node.clone()).await;
    let api = &site.api;
    let body = request(template(json!([network("v1"), group_of_rules("nsg1")])));
    let reply = api.put(&deployment("d"), &body).await;
    assert_eq!(reply.status, StatusCode::CREATED);
    let again = api.put(&deployment("d"), &body).await;
    assert_eq!(again.status, StatusCode::CONFLICT);
    let message = again.refused("DeploymentActive");
    assert!(
        message.starts_with("Unable to edit or replace deployment 'd': previous deployment from"),
        "{message}"
    );
    let gone = api.delete(&deployment("d")).await;
    gone.refused("DeploymentActive");
    let cancel = format!("{}/cancel", deployment("d"));
    api.post(&cancel, None).await.expect(StatusCode::NO_CONTENT);
    assert_eq!(ended(api, &reply).await["status"], "Canceled");
    let shown = api.get(&deployment("d")).await.body;
    assert_eq!(shown["properties"]["provisioningState"], "Canceled");
    api.post(&cancel, None)
        .await
        .refused("DeploymentCannotBeCancelled");
    node.gate.add_permits(3);
    tokio::time::sleep(Duration::from_millis(300)).await;
    let missing = api.get(&net("networkSecurityGroups/nsg1")).await;
    missing.expect(StatusCode::NOT_FOUND);
    assert_eq!(deploy(api, "d", &body).await["status"], "Succeeded");
}

/// Of the PFX.
const PASSWORD: &str = "Pfx-secret-123";

/// As the client makes a gateway with everything around it.
fn everything_new(priority: Option<u16>) -> Value {
    let inside = |path: &str| json!({"Id": format!("[concat(variables('appGwID'), '/{path}')]")});
    let mut rule = json!({"Name": "rule1", "properties": {
        "RuleType": "Basic",
        "httpListener": inside("httpListeners/appGatewayHttpListener"),
        "backendAddressPool": inside("backendAddressPools/appGatewayBackendPool"),
        "backendHttpSettings": inside("backendHttpSettingsCollection/settings"),
    }});
    if let Some(priority) = priority {
        rule["properties"]["priority"] = json!(priority);
    }
    let identity = Authority::new("Contoso Root").issue(Leaf::named("web.contoso.test"));
    let pfx = BASE64.encode(identity.pfx(PASSWORD));
    let gateway = json!({
        "type": "Microsoft.Network/applicationGateways",
        "name": "gw2", "location": LOCATION, "tags": {}, "apiVersion": "2022-05-01",
        "dependsOn": [
            "Microsoft.Network/virtualNetworks/vnetnew",
            "Microsoft.Network/publicIpAddresses/pipnew",
        ],
        "zones": null,
        "properties": {
            "sku": {"name": "WAF_v2", "tier": "WAF_v2"},
            "autoscaleConfiguration": {"maxCapacity": 3},
            "webApplicationFirewallConfiguration": {
                "enabled": true, "firewallMode": "Detection", "ruleSetType": "OWASP",
                "ruleSetVersion": "3.0",
            },
            "backendAddressPools": [{"name": "appGatewayBackendPool"}],
            "backendHttpSettingsCollection": [{
                "name": "settings",
                "properties": {
                    "Port": "8080", "Protocol": "Http", "CookieBasedAffinity": "disabled",
                },
            }],
            "frontendIPConfigurations": [{"name": "appGatewayFrontendIP", "properties": {
                "publicIPAddress": {"id": net("publicIPAddresses/pipnew")},
            }}],
            "frontendPorts": [{"name": "appGatewayFrontendPort", "properties": {"Port": "443"}}],
            "gatewayIPConfigurations": [{"name": "appGatewayFrontendIP", "properties": {
                "subnet": {"id": net("virtualNetworks/vnetnew/subnets/subnew")},
            }}],
            "sslCertificates": [{"name": "gw2SslCert", "properties": {
                "data": pfx, "password": "[parameters('certPassword')]",
            }}],
            "httpListeners": [{"name": "appGatewayHttpListener", "properties": {
                "FrontendIpConfiguration": inside("frontendIPConfigurations/appGatewayFrontendIP"),
                "FrontendPort": inside("frontendPorts/appGatewayFrontendPort"),
                "Protocol": "https",
                "SslCertificate": inside("sslCertificates/gw2SslCert"),
            }}],
            "requestRoutingRules": [rule],
        },
    });
    let network = json!({
        "name": "vnetnew", "type": "Microsoft.Network/virtualNetworks", "location": LOCATION,
        "apiVersion": "2015-06-15", "dependsOn": [], "tags": {},
        "properties": {
            "addressSpace": {"addressPrefixes": ["10.0.0.0/16"]},
            "subnets": [{"name": "subnew", "properties": {"addressPrefix": "10.0.0.0/24"}}],
        },
    });
    let address = json!({
        "apiVersion": "2022-05-01", "type": "Microsoft.Network/publicIPAddresses",
        "name": "pipnew", "location": LOCATION, "tags": {}, "dependsOn": [],
        "properties": {"publicIPAllocationMethod": "Static"}, "sku": {"name": "Standard"},
    });
    let mut whole = template(json!([gateway, network, address]));
    whole["parameters"] = json!({"certPassword": {"type": "securestring"}});
    whole["variables"] =
        json!({"appGwID": "[resourceId('Microsoft.Network/applicationGateways', 'gw2')]"});
    whole["outputs"] =
        json!({"applicationGateway": {"type": "object", "value": "[reference('gw2')]"}});
    let mut body = request(whole);
    body["properties"]["parameters"] = json!({"certPassword": {"value": PASSWORD}});
    body
}

#[tokio::test(flavor = "multi_thread")]
async fn an_environment_has_the_names_that_exported_gateways_hold() {
    let site = Site::with_group().await;
    let vault = "[concat('https://kv', environment().suffixes.keyvaultDns, '/secrets/web')]";
    let mut whole = template(json!([]));
    whole["outputs"] = json!({
        "vault": {"type": "string", "value": vault},
        "storage": {"type": "string", "value": "[environment().suffixes.storage]"},
    });
    let end = deploy(&site.api, "d", &request(whole)).await;
    assert_eq!(end["status"], "Succeeded", "{end:#}");
    let shown = site.api.get(&deployment("d")).await.body;
    let outputs = &shown["properties"]["outputs"];
    assert_eq!(
        outputs["vault"]["value"],
        "https://kv.vault.azure.net/secrets/web"
    );
    assert_eq!(outputs["storage"]["value"], "core.windows.net");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_with_everything_around_it() {
    let site = Site::with_group().await;
    let api = &site.api;
    let reply = api.put(&deployment("d"), &everything_new(None)).await;
    reply.refused("InvalidTemplateDeployment");
    let detail = &reply.body["error"]["details"][0];
    assert_eq!(
        detail["code"], "ApplicationGatewayRequestRoutingRulePriorityCannotBeEmpty",
        "{detail:#}"
    );
    let mut wrong = everything_new(Some(100));
    wrong["properties"]["parameters"]["certPassword"]["value"] = json!("not it");
    let validate = format!("{}/validate", deployment("d"));
    let reply = api.post(&validate, Some(&wrong)).await;
    reply.refused("InvalidTemplateDeployment");
    let code = &reply.body["error"]["details"][0]["code"];
    assert_eq!(
        code, "ApplicationGatewaySslCertificatePasswordIncorrect",
        "{reply:#?}"
    );
    let body = everything_new(Some(100));
    let validate = format!("{}/validate", deployment("d"));
    api.post(&validate, Some(&body))
        .await
        .expect(StatusCode::OK);
    let end = deploy(api, "d", &body).await;
    assert_eq!(end["status"], "Succeeded", "{end:#}");
    let shown = api.get(&deployment("d")).await.body;
    let output = &shown["properties"]["outputs"]["applicationGateway"];
    // As clients of the template's api-version know it.
    let known = net("applicationGateways/gw2?api-version=2022-05-01");
    let gateway = api.get(&known).await.expect(StatusCode::OK).body;
    assert_eq!(output["value"], gateway["properties"]);
    assert_eq!(gateway["properties"]["operationalState"], "Running");
    let bounds = &gateway["properties"]["autoscaleConfiguration"];
    assert_eq!(*bounds, json!({"minCapacity": 0, "maxCapacity": 3}));
    assert!(!shown.to_string().contains(PASSWORD), "{shown:#}");
    let depends = &shown["properties"]["dependencies"][0];
    assert_eq!(depends["resourceName"], "gw2");
    assert_eq!(depends["dependsOn"].as_array().unwrap().len(), 2);
}

/// A control plane over a directory, in a runtime that can be taken away.
async fn start_at(directory: &Path, node: Arc<dyn Node>) -> Control {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let config = config(directory);
    let opened = Embedded::open_sealed(directory, Options::default(), &KeySources::default());
    let (store, key) = opened.unwrap();
    let storage = Storage::new(Arc::new(store), Arc::new(key));
    Control::start(config, None, storage, node).await.unwrap()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}

/// How long a deployment may take to go on.
const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn a_deployment_goes_on_after_a_restart() {
    let directory = tempfile::TempDir::new().unwrap();
    let ca = directory.path().join("ca.pem");
    let mut whole = template(json!([
        network("v1"),
        {
            "type": "Microsoft.Resources/deployments", "apiVersion": "2022-09-01",
            "name": "inner", "dependsOn": ["v1"],
            "properties": {
                "mode": "Incremental",
                "template": template(json!([group_of_rules("nsg1")])),
            },
        },
        group_of_rules("[parameters('last')]"),
    ]));
    whole["parameters"] = json!({
        "last": {"type": "securestring"},
        "made": {"type": "string", "defaultValue": "[newGuid()]"},
    });
    whole["outputs"] = json!({"made": {"type": "string", "value": "[parameters('made')]"}});
    let mut body = request(whole);
    body["properties"]["parameters"] = json!({"last": {"value": "nsg-last"}});

    // It gets as far as the group inside, whose operation does not end.
    let first = runtime();
    let node = Slow::new(1, false);
    let principal = first.block_on(async {
        let mut control = start_at(directory.path(), node.clone()).await;
        let principal = control.take_bootstrap().unwrap();
        let api = Api::log_in(control.address(), &std::fs::read(&ca).unwrap(), &principal).await;
        let made = api.put(&group(GROUP), &json!({"location": LOCATION})).await;
        made.expect(StatusCode::CREATED);
        api.put(&deployment("d"), &body)
            .await
            .expect(StatusCode::CREATED);
        let inner = format!("{}/operations", deployment("inner"));
        let since = Instant::now();
        while api.get(&inner).await.body["value"][0]["properties"]["provisioningState"] != "Running"
        {
            assert!(since.elapsed() < PATIENCE);
        }
        principal
    });
    first.shutdown_timeout(Duration::from_secs(5));

    let second = runtime();
    second.block_on(async {
        let control = start_at(directory.path(), Arc::new(Obedient)).await;
        let api = Api::log_in(control.address(), &std::fs::read(&ca).unwrap(), &principal).await;
        let since = Instant::now();
        let shown = loop {
            let shown = api.get(&deployment("d")).await.expect(StatusCode::OK).body;
            let state = shown["properties"]["provisioningState"].as_str().unwrap();
            if !["Accepted", "Running"].contains(&state) {
                break shown;
            }
            assert!(since.elapsed() < PATIENCE, "{shown:#}");
        };
        let properties = &shown["properties"];
        assert_eq!(properties["provisioningState"], "Succeeded", "{shown:#}");
        // What was made up when it was planned is the same.
        assert_eq!(
            properties["outputs"]["made"]["value"],
            properties["parameters"]["made"]["value"]
        );
        for name in ["nsg1", "nsg-last"] {
            let path = net(&format!("networkSecurityGroups/{name}"));
            api.get(&path).await.expect(StatusCode::OK);
        }
        let steps = api.get(&format!("{}/operations", deployment("d"))).await;
        let steps = steps.body["value"].as_array().unwrap().clone();
        let of_network = steps
            .iter()
            .filter(|step| step["properties"]["targetResource"]["resourceName"] == "v1");
        assert_eq!(of_network.count(), 1, "{steps:#?}");
        let inner = api.get(&deployment("inner")).await.body;
        assert_eq!(inner["properties"]["provisioningState"], "Succeeded");
    });
    second.shutdown_timeout(Duration::from_secs(5));
}
