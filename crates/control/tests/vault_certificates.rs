//! Gateways whose certificates lie in a Key Vault: fetched, refused, mended, renewed.

mod support;

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gatewright_control::{Control, DEFAULT_TENANT, Desired, Storage};
use gatewright_store::{Embedded, Key, KeySources, Options, SealingKey, Store, Transaction};
use gatewright_testkit::certificates::{Authority, Identity, Leaf};
use reqwest::StatusCode;
use serde_json::{Value, json};
use support::{Api, GROUP, LOCATION, Obedient, Reply, config, group, net};
use tempfile::TempDir;

const PRINCIPAL: &str = "33333333-3333-4333-8333-333333333333";

/// A control plane with a vault, an identity and a network, and its store to look into.
struct World {
    api: Api,
    store: Arc<dyn Store>,
    sealing: Arc<SealingKey>,
    _control: Control,
    _directory: TempDir,
}

fn identity_id() -> String {
    format!(
        "{}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id1",
        group(GROUP)
    )
}

fn vault() -> String {
    format!(
        "{}/providers/Microsoft.KeyVault/vaults/kv-one",
        group(GROUP)
    )
}

fn secret() -> String {
    format!("{}/secrets/web", vault())
}

fn gateway_id() -> String {
    net("applicationGateways/gw")
}

impl World {
    async fn start() -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let directory = TempDir::new().unwrap();
        let opened =
            Embedded::open_sealed(directory.path(), Options::default(), &KeySources::default());
        let (store, sealing) = opened.unwrap();
        let (store, sealing): (Arc<dyn Store>, _) = (Arc::new(store), Arc::new(sealing));
        put_identity(&*store).await;
        let config = config(directory.path());
        let (ca_file, node) = (config.ca_file.clone(), Arc::new(Obedient));
        let storage = Storage::new(Arc::clone(&store), Arc::clone(&sealing));
        let started = Control::start(config, None, storage, node);
        let mut control = started.await.unwrap();
        let bootstrap = control.take_bootstrap().unwrap();
        let ca = std::fs::read(ca_file).unwrap();
        let api = Api::log_in(control.address(), &ca, &bootstrap).await;
        api.put(&group(GROUP), &json!({"location": LOCATION})).await;
        let network = json!({"location": LOCATION, "properties": {
            "addressSpace": {"addressPrefixes": ["10.0.0.0/16"]},
            "subnets": [{"name": "gw", "properties": {
                "addressPrefix": "10.0.0.0/24",
                // Its gateways have no public address.
                "delegations": [{"name": "d", "properties": {
                    "serviceName": "Microsoft.Network/applicationGateways",
                }}],
            }}],
        }});
        api.create(&net("virtualNetworks/v"), &network).await;
        let world = Self {
            api,
            store,
            sealing,
            _control: control,
            _directory: directory,
        };
        world.policies(&["get"]).await;
        world
    }

    /// Writes the vault with these permissions for the identity.
    async fn policies(&self, secrets: &[&str]) {
        let body = json!({"location": LOCATION, "properties": {
            "tenantId": DEFAULT_TENANT,
            "accessPolicies": [{
                "tenantId": DEFAULT_TENANT,
                "objectId": PRINCIPAL,
                "permissions": {"secrets": secrets},
            }],
        }});
        self.api.create(&vault(), &body).await;
    }

    /// Writes a new version of the secret; its identifier.
    async fn certificate(&self, identity: &Identity) -> String {
        let value = STANDARD.encode(identity.pfx(""));
        let kind = "application/x-pkcs12";
        let body = json!({"properties": {"value": value, "contentType": kind}});
        let shown = self.api.put(&secret(), &body).await;
        assert!(shown.status.is_success(), "{shown:?}");
        shown.body["properties"]["secretUriWithVersion"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// PUTs the gateway, and how that ended.
    async fn put(&self, body: &Value) -> (Reply, Value) {
        let reply = self.api.put(&gateway_id(), body).await;
        assert!(
            reply.status.is_success(),
            "a vault's failures come later: {reply:?}"
        );
        let outcome = self.api.outcome(&reply).await;
        (reply, outcome)
    }

    /// A GET that is PUT again, and how that ended.
    async fn update(&self) -> Value {
        let body = self.api.get(&gateway_id()).await.body;
        self.put(&body).await.1
    }

    async fn state(&self) -> Value {
        self.api.get(&gateway_id()).await.body["properties"]["provisioningState"].clone()
    }

    async fn desired(&self) -> Desired {
        let storage = Storage::new(Arc::clone(&self.store), Arc::clone(&self.sealing));
        Desired::load(&storage).await.unwrap()
    }

    /// The leaf that is to be served; of what is served instead, where `last_good`.
    async fn leaf(&self, last_good: bool) -> Vec<u8> {
        let desired = self.desired().await;
        let known = &desired.gateways()[&gateway_id().to_ascii_lowercase()];
        let gateway = match last_good {
            true => known
                .last_good
                .as_ref()
                .expect("something is served instead"),
            false => &known.wanted,
        };
        let data = gateway.gateway.properties.ssl_certificates[0]
            .properties
            .data
            .as_ref();
        let identity = gatewright_compile::read_from_vault(data.unwrap().expose()).unwrap();
        identity.chain[0].clone()
    }
}

async fn put_identity(store: &dyn Store) {
    let id = identity_id();
    let document = json!({
        "id": id,
        "created": "2026-01-01T00:00:00Z",
        "changed": "2026-01-01T00:00:00Z",
        "body": {"id": id, "properties": {"principalId": PRINCIPAL}},
    });
    let key = Key::new(format!("resource{}", id.to_ascii_lowercase())).unwrap();
    let bytes = document.to_string().into_bytes();
    store
        .commit(Transaction::default().put(key, bytes))
        .await
        .unwrap();
}

fn gateway(secret: &str) -> Value {
    let own = |path: &str| json!({"id": format!("{}/{path}", gateway_id())});
    json!({
        "location": LOCATION,
        "identity": {"type": "UserAssigned", "userAssignedIdentities": {identity_id(): {}}},
        "properties": {
            "sku": {"name": "Standard_v2", "tier": "Standard_v2", "capacity": 1},
            "gatewayIPConfigurations": [{"name": "c", "properties": {
                "subnet": {"id": net("virtualNetworks/v/subnets/gw")},
            }}],
            "frontendIPConfigurations": [{"name": "f", "properties": {
                "privateIPAddress": "10.0.0.10",
                "privateIPAllocationMethod": "Static",
                "subnet": {"id": net("virtualNetworks/v/subnets/gw")},
            }}],
            "frontendPorts": [{"name": "p", "properties": {"port": 443}}],
            "backendAddressPools": [{"name": "b"}],
            "backendHttpSettingsCollection": [{"name": "s", "properties": {
                "port": 80, "protocol": "Http",
            }}],
            "sslCertificates": [{"name": "cert", "properties": {"keyVaultSecretId": secret}}],
            "httpListeners": [{"name": "l", "properties": {
                "frontendIPConfiguration": own("frontendIPConfigurations/f"),
                "frontendPort": own("frontendPorts/p"),
                "protocol": "Https",
                "sslCertificate": own("sslCertificates/cert"),
            }}],
            "requestRoutingRules": [{"name": "r", "properties": {
                "ruleType": "Basic",
                "priority": 1,
                "httpListener": own("httpListeners/l"),
                "backendAddressPool": own("backendAddressPools/b"),
                "backendHttpSettings": own("backendHttpSettingsCollection/s"),
            }}],
        },
    })
}

fn issued() -> Identity {
    Authority::new("Root").issue(Leaf::named("app.contoso.test"))
}

/// The innermost code of an operation's error.
fn innermost(outcome: &Value) -> &str {
    assert_eq!(outcome["status"], "Failed", "{outcome}");
    let mut error = &outcome["error"];
    while let Some(inner) = error["details"].get(0) {
        error = inner;
    }
    error["code"].as_str().unwrap()
}

const EXPORTED: &str = "https://KV-one.vault.azure.net/secrets/web";

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_fetched_and_outlives_its_vault() {
    let world = World::start().await;
    let identity = issued();
    world.certificate(&identity).await;
    let (reply, outcome) = world.put(&gateway(EXPORTED)).await;
    assert_eq!(outcome["status"], "Succeeded", "{outcome}");
    let shown = &reply.body["properties"]["sslCertificates"][0]["properties"];
    assert_eq!(shown["keyVaultSecretId"], EXPORTED);
    assert!(
        shown.get("publicCertData").is_none() && shown.get("data").is_none(),
        "{shown}"
    );
    assert_eq!(world.leaf(false).await, identity.leaf().to_vec());
    world.api.remove(&vault()).await;
    assert_eq!(world.leaf(false).await, identity.leaf().to_vec());
    assert_eq!(innermost(&world.update().await), "KeyVaultSoftDeleted");
    assert_eq!(world.leaf(true).await, identity.leaf().to_vec());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_that_refuses_fails_the_operation_and_a_bare_update_mends_it() {
    let world = World::start().await;
    let identity = issued();
    world.certificate(&identity).await;
    world.policies(&["list"]).await;
    let (_, outcome) = world.put(&gateway(EXPORTED)).await;
    let error = &outcome["error"];
    assert_eq!(error["code"], "ApplicationGatewayKeyVaultSecretException");
    let detail = &error["details"][0];
    assert_eq!(
        detail["code"],
        "ApplicationGatewayKeyVaultSecretAccessDenied"
    );
    let expected = format!(
        "Access denied for KeyVault Secret '{EXPORTED}' for Application Gateway '{}'. Make sure \
         that Identity assigned to Application Gateway has access to the KeyVault associated with \
         secret.",
        gateway_id()
    );
    assert_eq!(detail["message"], expected);
    assert_eq!(world.state().await, "Failed");
    world.policies(&["get"]).await;
    assert_eq!(world.update().await["status"], "Succeeded");
    assert_eq!(world.state().await, "Succeeded");
    assert_eq!(world.leaf(false).await, identity.leaf().to_vec());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_outlives_a_change_to_a_vault_that_failed() {
    let world = World::start().await;
    let (uploaded, identity) = (gateway(EXPORTED), issued());
    let with = |properties: Value| {
        let mut body = uploaded.clone();
        body["properties"]["sslCertificates"][0]["properties"] = properties;
        body
    };
    let data = STANDARD.encode(identity.pfx("pass"));
    let whole = with(json!({"data": data, "password": "pass"}));
    assert_eq!(world.put(&whole).await.1["status"], "Succeeded");
    let nowhere = with(json!({"keyVaultSecretId": EXPORTED}));
    for _ in 0..2 {
        assert_eq!(innermost(&world.put(&nowhere).await.1), "SecretNotFound");
    }
    // As it was before, by its name alone.
    let (_, outcome) = world.put(&with(json!({}))).await;
    assert_eq!(outcome["status"], "Succeeded", "{outcome}");
    let desired = world.desired().await;
    let known = &desired.gateways()[&gateway_id().to_ascii_lowercase()];
    let kept = &known.wanted.gateway.properties.ssl_certificates[0].properties;
    assert_eq!(kept.data.as_ref().unwrap().expose(), data);
    assert_eq!(kept.password.as_ref().unwrap().expose(), "pass");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_cause_has_its_code() {
    let world = World::start().await;
    let version = world.certificate(&issued()).await;
    assert_eq!(world.put(&gateway(&version)).await.1["status"], "Succeeded");
    let causes = [
        (
            "https://kv-two.vault.azure.net/secrets/web",
            "GW-E-vault-not-found",
        ),
        (
            "https://kv-one.vault.azure.net/secrets/other",
            "SecretNotFound",
        ),
        (
            "https://kv-one.vault.azure.net/secrets/web/ffff",
            "SecretNotFound",
        ),
        (
            "https://kv-one.vault.azure.net/keys/web",
            "GW-E-key-vault-secret-id",
        ),
    ];
    for (uri, code) in causes {
        assert_eq!(innermost(&world.put(&gateway(uri)).await.1), code, "{uri}");
    }
    let mut stranger = gateway(EXPORTED);
    stranger.as_object_mut().unwrap().remove("identity");
    let outcome = world.put(&stranger).await.1;
    assert_eq!(innermost(&outcome), "UserAssignedManagedIdentityNotFound");
    let change = |properties: Value| json!({ "properties": properties });
    let off = change(json!({"attributes": {"enabled": false}}));
    world
        .api
        .patch(&secret(), &off)
        .await
        .expect(StatusCode::OK);
    assert_eq!(
        innermost(&world.put(&gateway(EXPORTED)).await.1),
        "SecretDisabled"
    );
    let expired = change(json!({"attributes": {"enabled": true, "exp": 1}}));
    world
        .api
        .patch(&secret(), &expired)
        .await
        .expect(StatusCode::OK);
    assert_eq!(world.put(&gateway(EXPORTED)).await.1["status"], "Succeeded");
    let closed = change(json!({"networkAcls": {"defaultAction": "Deny"}}));
    world
        .api
        .patch(&vault(), &closed)
        .await
        .expect(StatusCode::OK);
    assert_eq!(
        innermost(&world.update().await),
        "KeyVaultHasRestrictedAccess"
    );
    let subnet = json!([{"id": net("virtualNetworks/v/subnets/gw")}]);
    let open = change(json!({"networkAcls": {"virtualNetworkRules": subnet}}));
    world
        .api
        .patch(&vault(), &open)
        .await
        .expect(StatusCode::OK);
    assert_eq!(world.update().await["status"], "Succeeded");
    let junk = change(json!({"value": "no certificate"}));
    world.api.put(&secret(), &junk).await.expect(StatusCode::OK);
    let outcome = world.update().await;
    assert_eq!(
        innermost(&outcome),
        "ApplicationGatewaySslCertificateInvalidData"
    );
    world.api.remove(&secret()).await;
    assert_eq!(
        innermost(&world.update().await),
        "SecretDeletedFromKeyVault"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_let_an_identity_read_where_they_decide() {
    let world = World::start().await;
    world.certificate(&issued()).await;
    let by_roles = json!({"properties": {"enableRbacAuthorization": true}});
    world
        .api
        .patch(&vault(), &by_roles)
        .await
        .expect(StatusCode::OK);
    let outcome = world.put(&gateway(EXPORTED)).await.1;
    assert_eq!(
        innermost(&outcome),
        "UserAssignedIdentityDoesNotHaveGetPermissionOnKeyVault"
    );
    let authorization = format!("{}/providers/Microsoft.Authorization", vault());
    let filter = "roleDefinitions?$filter=roleName eq 'Key Vault Secrets User'";
    let roles = world
        .api
        .get(&format!("{authorization}/{filter}"))
        .await
        .body;
    let assignment = json!({"properties": {
        "roleDefinitionId": roles["value"][0]["id"],
        "principalId": PRINCIPAL,
        "principalType": "ServicePrincipal",
    }});
    let name = "44444444-4444-4444-8444-444444444444";
    let elsewhere = net("virtualNetworks/v/providers/Microsoft.Authorization");
    let elsewhere = format!("{elsewhere}/roleAssignments/{name}");
    let path = format!("{authorization}/roleAssignments/{name}");
    world
        .api
        .put(&path, &assignment)
        .await
        .expect(StatusCode::CREATED);
    assert_eq!(world.update().await["status"], "Succeeded");
    // Whoever owns something else must not take it away by its name.
    let moved = world.api.put(&elsewhere, &assignment).await;
    moved.refused("RoleAssignmentUpdateNotPermitted");
    let nothing = world.api.delete(&elsewhere).await;
    nothing.expect(StatusCode::NO_CONTENT);
    assert_eq!(world.update().await["status"], "Succeeded");
    let etag = world.api.get(&gateway_id()).await.body["etag"].clone();
    world.api.delete(&path).await.expect(StatusCode::OK);
    assert_eq!(world.update().await["status"], "Failed");
    // What failed is not what is to be served, also before that is written.
    let served = world.desired().await;
    let known = &served.gateways()[&gateway_id().to_ascii_lowercase()];
    assert!(known.failure().is_some());
    let good = known.last_good.as_ref().unwrap().gateway.etag.as_deref();
    assert_eq!(good, etag.as_str());
    let events = world.store.list("activity/", None, 10_000).await.unwrap();
    let read = |entry: &gatewright_store::Entry| -> Value {
        serde_json::from_slice(&entry.value).unwrap()
    };
    let events: Vec<Value> = events.entries.iter().map(read).collect();
    let of_roles = |verb: &str| {
        let action = format!("Microsoft.Authorization/roleAssignments/{verb}");
        let named = events.iter();
        let named = named.filter(|one| one["operationName"]["value"] == *action);
        named
            .filter(|one| one["status"]["value"] == "Succeeded")
            .count()
    };
    assert_eq!((of_roles("write"), of_roles("delete")), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_version_reaches_the_gateways_that_name_none() {
    let world = World::start().await;
    let (first, second) = (issued(), issued());
    let version = world.certificate(&first).await;
    world.put(&gateway(EXPORTED)).await;
    world.certificate(&second).await;
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while world.leaf(false).await != second.leaf().to_vec() || world.state().await != "Succeeded" {
        assert!(
            std::time::Instant::now() < deadline,
            "the gateway was not written again"
        );
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(world.put(&gateway(&version)).await.1["status"], "Succeeded");
    assert_eq!(
        world.leaf(false).await,
        first.leaf().to_vec(),
        "a version stays readable"
    );
    let etag = world.api.get(&gateway_id()).await.body["etag"].clone();
    world.certificate(&second).await;
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    assert_eq!(
        world.api.get(&gateway_id()).await.body["etag"],
        etag,
        "nothing changed for it"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn pem_and_roots_are_fetched_and_public_halves_are_shown() {
    let world = World::start().await;
    let authority = Authority::new("Root");
    let identity = authority.issue(Leaf::named("app.contoso.test"));
    let kind = "application/x-pem-file";
    let pem = json!({"properties": {"value": identity.pem(), "contentType": kind}});
    world
        .api
        .put(&secret(), &pem)
        .await
        .expect(StatusCode::CREATED);
    let root = json!({"properties": {"value": authority.cert_pem()}});
    world
        .api
        .put(&format!("{}/secrets/root", vault()), &root)
        .await
        .expect(StatusCode::CREATED);
    let mut body = gateway(EXPORTED);
    let uri = "https://kv-one.vault.azure.net/secrets/root";
    let properties = &mut body["properties"];
    properties["trustedRootCertificates"] =
        json!([{"name": "root", "properties": {"keyVaultSecretId": uri}}]);
    let uploaded = STANDARD.encode(identity.pfx("pass"));
    properties["sslCertificates"]
        .as_array_mut()
        .unwrap()
        .push(json!({
            "name": "own",
            "properties": {"data": uploaded, "password": "pass", "publicCertData": "forged"},
        }));
    properties["trustedClientCertificates"] = json!([{
        "name": "clients",
        "properties": {"data": STANDARD.encode(authority.cert_pem())},
    }]);
    let (reply, outcome) = world.put(&body).await;
    assert_eq!(outcome["status"], "Succeeded", "{outcome}");
    let shown = &reply.body["properties"];
    let trusted = &shown["trustedRootCertificates"][0]["properties"];
    assert!(trusted.get("data").is_none(), "{trusted}");
    let desired = world.desired().await;
    let gateway = &desired.gateways()[&gateway_id().to_ascii_lowercase()]
        .wanted
        .gateway;
    let data = gateway.properties.trusted_root_certificates[0]
        .properties
        .data
        .clone();
    assert_eq!(data.unwrap(), STANDARD.encode(authority.certificate()));
    assert_eq!(world.leaf(false).await, identity.leaf().to_vec());
    let own = &shown["sslCertificates"][1]["properties"];
    let public = STANDARD
        .decode(own["publicCertData"].as_str().unwrap())
        .unwrap();
    let leaf = identity.leaf().to_vec();
    assert!(
        public.windows(leaf.len()).any(|window| window == leaf),
        "{own}"
    );
    let clients = &shown["trustedClientCertificates"][0]["properties"];
    assert_eq!(clients["clientCertIssuerDN"], "CN=Root");
    let again = world.api.get(&gateway_id()).await.body;
    assert_eq!(world.put(&again).await.1["status"], "Succeeded");
    let kept = world.api.get(&gateway_id()).await.body;
    assert_eq!(
        kept["properties"]["sslCertificates"][1]["properties"]["publicCertData"],
        own["publicCertData"]
    );
}
