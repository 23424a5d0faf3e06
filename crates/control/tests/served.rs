//! What the node is told of a change while it is made, beside what lies in the store afterwards.

mod support;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gatewright_arm::{ApplicationGateway, ArmError, ResourceId, WriteOptions};
use gatewright_control::{Desired, Judged, Node};
use gatewright_store::{Pending, Revision, Watch};
use gatewright_testkit::certificates::{Authority, Leaf};
use serde_json::{Value, json};
use support::{GROUP, LOCATION, Obedient, Site, as_obedient, gateway, group, net};
use tokio::sync::Mutex;

const GATEWAY: &str = "applicationGateways/ag1";

/// A node that takes each step when it is asked to serve it, as the real one does.
#[derive(Default)]
struct Following(OnceLock<Mutex<(Desired, Box<dyn Watch>)>>, AtomicBool);

impl Following {
    async fn follow(&self, site: &Site) {
        let desired = Desired::load(&site.storage).await.unwrap();
        let steps = site.store.watch(Desired::PREFIX, desired.revision()).await;
        let following = Mutex::new((desired, steps.unwrap()));
        assert!(self.0.set(following).is_ok());
    }

    async fn take(&self, revision: Revision) {
        let mut following = self.0.get().unwrap().lock().await;
        let (desired, steps) = &mut *following;
        while desired.revision() < revision {
            desired.step(&steps.next().await.unwrap()).unwrap();
        }
    }

    async fn wanted(&self) -> Judged {
        let following = self.0.get().unwrap().lock().await;
        of(&following.0)
    }
}

fn of(desired: &Desired) -> Judged {
    let id = net(GATEWAY).to_ascii_lowercase();
    desired.gateways()[&id].wanted.clone()
}

impl Node for Following {
    fn took(&self, revision: Revision) -> Pending<'_, Result<(), ArmError>> {
        Box::pin(async move {
            if self.0.get().is_some() {
                self.take(revision).await;
            }
            Ok(())
        })
    }

    /// Fails where it was told to.
    fn took_all(&self, revision: Revision) -> Pending<'_, Result<(), ArmError>> {
        Box::pin(async move {
            self.took(revision).await?;
            match self.1.load(Ordering::Relaxed) {
                true => Err(ArmError::new("NodeTimeout", "It takes too long.")),
                false => Ok(()),
            }
        })
    }

    fn serves<'a>(
        &'a self,
        _: &'a ResourceId,
        revision: Revision,
    ) -> Pending<'a, Result<(), ArmError>> {
        self.took(revision)
    }

    as_obedient!(health);

    as_obedient!(attempt);
}

/// A node that takes a moment for each gateway, and serves none where it was told so.
#[derive(Default)]
struct Slow(AtomicBool);

impl Node for Slow {
    fn took(&self, revision: Revision) -> Pending<'_, Result<(), ArmError>> {
        Obedient.took(revision)
    }

    fn serves<'a>(&'a self, _: &'a ResourceId, _: Revision) -> Pending<'a, Result<(), ArmError>> {
        Box::pin(async move {
            tokio::time::sleep(Duration::from_millis(2)).await;
            match self.0.load(Ordering::Relaxed) {
                true => Err(ArmError::new("FrontendCannotListen", "The port is taken.")),
                false => Ok(()),
            }
        })
    }

    as_obedient!(health);

    as_obedient!(attempt);
}

/// All that is served of a gateway, as text; each write has an etag of its own.
fn text(gateway: &ApplicationGateway) -> String {
    let options = WriteOptions {
        secrets: true,
        ..WriteOptions::default()
    };
    let mut written = gatewright_arm::write(gateway, &options);
    drop_etags(&mut written);
    format!("{written:#}")
}

fn drop_etags(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(drop_etags),
        Value::Object(members) => {
            members.remove("etag");
            members.values_mut().for_each(drop_etags);
        }
        _ => {}
    }
}

async fn network(site: &Site) {
    let body = json!({"location": LOCATION, "properties": {
        "addressSpace": {"addressPrefixes": ["10.0.0.0/16"]},
        "subnets": [
            {"name": "gateways", "properties": {"addressPrefix": "10.0.0.0/24"}},
            {"name": "backend", "properties": {"addressPrefix": "10.0.1.0/24"}},
        ],
    }});
    site.api.create(&net("virtualNetworks/net1"), &body).await;
    let address = json!({"location": LOCATION, "sku": {"name": "Standard"}});
    let path = net("publicIPAddresses/pip1");
    site.api.create(&path, &address).await;
}

fn interface() -> Value {
    let pool = net(&format!("{GATEWAY}/backendAddressPools/pool"));
    json!({"location": LOCATION, "properties": {"ipConfigurations": [{
        "name": "ipconfig1",
        "properties": {
            "subnet": {"id": net("virtualNetworks/net1/subnets/backend")},
            "applicationGatewayBackendAddressPools": [{"id": pool}],
        },
    }]}})
}

#[tokio::test(flavor = "multi_thread")]
async fn the_node_is_told_what_is_stored() {
    let node = Arc::new(Following::default());
    let site = Site::with(|_| {}, Arc::clone(&node) as Arc<dyn Node>).await;
    let api = &site.api;
    api.create(&group(GROUP), &json!({"location": LOCATION}))
        .await;
    network(&site).await;
    node.follow(&site).await;
    let same = async |what: &str| {
        let (told, stored) = (node.wanted().await, of(&site.desired().await));
        assert_eq!(text(&told.gateway), text(&stored.gateway), "{what}");
        // One was judged when it was written, and not read again.
        assert!(
            told.findings.is_some() && stored.findings.is_none(),
            "{what}"
        );
    };
    let identity = Authority::new("ca").issue(Leaf::named("www.shop.test"));
    let mut body = gateway("ag1");
    body["properties"]["sslCertificates"] = json!([{"name": "site", "properties": {
        "data": STANDARD.encode(identity.pfx("secret")),
        "password": "secret",
    }}]);
    api.create(&net(GATEWAY), &body).await;
    same("made").await;
    assert!(text(&node.wanted().await.gateway).contains("\"password\": \"secret\""));

    let mut read = api.get(&net(GATEWAY)).await.body;
    read["properties"]["requestRoutingRules"][0]["properties"]["priority"] = json!(7);
    api.create(&net(GATEWAY), &read).await;
    same("written without its secret").await;

    api.create(&net("networkInterfaces/nic1"), &interface())
        .await;
    same("an interface joined a pool").await;
    assert!(text(&node.wanted().await.gateway).contains("10.0.1.4"));

    let state = async || -> Value {
        api.get(&net(GATEWAY)).await.body["properties"]["operationalState"].clone()
    };
    for (action, expected) in [
        ("stop", "Stopped"),
        ("start", "Running"),
        ("stop", "Stopped"),
    ] {
        let reply = api.post(&format!("{}/{action}", net(GATEWAY)), None).await;
        assert_eq!(api.outcome(&reply).await["status"], "Succeeded");
        same(action).await;
        assert_eq!(state().await, expected);
    }
    // Other resources, and tags, do not start it; any PUT does, also of what is there.
    api.create(&net("networkInterfaces/nic2"), &interface())
        .await;
    same("another interface joined").await;
    let tags = api.patch(&net(GATEWAY), &json!({"tags": {"a": "b"}})).await;
    assert_eq!(api.outcome(&tags).await["status"], "Succeeded");
    assert_eq!(state().await, "Stopped");
    let read = api.get(&net(GATEWAY)).await.body;
    api.create(&net(GATEWAY), &read).await;
    same("a PUT of a stopped gateway").await;
    assert_eq!(state().await, "Running");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_could_not_be_deleted_is_what_it_was() {
    let node = Arc::new(Following::default());
    let site = Site::with(|_| {}, Arc::clone(&node) as Arc<dyn Node>).await;
    let api = &site.api;
    api.create(&group(GROUP), &json!({"location": LOCATION}))
        .await;
    network(&site).await;
    node.follow(&site).await;
    api.create(&net(GATEWAY), &gateway("ag1")).await;
    let mut doomed = gateway("ag1");
    doomed["properties"]["sslCertificates"] = json!([{"name": "c", "properties": {
        "keyVaultSecretId": "https://nowhere.vault.azure.net/secrets/c",
    }}]);
    let put = api.put(&net(GATEWAY), &doomed).await;
    assert_eq!(api.outcome(&put).await["status"], "Failed");
    let is_as_before = async || {
        let shown = api.get(&net(GATEWAY)).await.body;
        assert_eq!(shown["properties"]["provisioningState"], "Failed");
        assert_eq!(shown["properties"]["operationalState"], "Running");
        let following = node.0.get().unwrap().lock().await;
        let known = &following.0.gateways()[&net(GATEWAY).to_ascii_lowercase()];
        assert!(known.failure().is_some() && known.last_good.is_some());
    };
    is_as_before().await;
    node.1.store(true, Ordering::Relaxed);
    let delete = api.delete(&net(GATEWAY)).await;
    assert_eq!(api.outcome(&delete).await["status"], "Failed");
    node.take(site.store.revision().await.unwrap()).await;
    is_as_before().await;
    node.1.store(false, Ordering::Relaxed);
    api.remove(&net(GATEWAY)).await;
}

/// A stop waits for a PUT: it must not make something good of what never was.
#[tokio::test(flavor = "multi_thread")]
async fn a_stop_at_the_moment_of_a_put_makes_nothing_good_of_it() {
    let node = Arc::new(Slow::default());
    let site = Site::with(|_| {}, Arc::clone(&node) as Arc<dyn Node>).await;
    let api = &site.api;
    api.create(&group(GROUP), &json!({"location": LOCATION}))
        .await;
    network(&site).await;
    let path = net(GATEWAY);
    let body = |capacity: u64| {
        let mut body = gateway("ag1");
        body["properties"]["sku"]["capacity"] = json!(capacity);
        body
    };
    for round in 0..60 {
        node.0.store(false, Ordering::Relaxed);
        api.create(&path, &body(2)).await;
        node.0.store(true, Ordering::Relaxed);
        let putting = {
            let (api, path, body) = (api.clone(), path.clone(), body(3));
            tokio::spawn(async move { api.put(&path, &body).await })
        };
        tokio::time::sleep(Duration::from_micros(100 * round)).await;
        let stop = api.post(&format!("{path}/stop"), None).await;
        let put = api.outcome(&putting.await.unwrap()).await;
        let stopped = api.outcome(&stop).await;
        assert_eq!(stopped["status"], "Succeeded", "{round}: {stopped}");
        let code = &put["error"]["code"];
        assert_eq!(code, "FrontendCannotListen", "{round}: {put}");
        let shown = api.get(&path).await.body;
        assert_eq!(shown["properties"]["provisioningState"], "Failed");
        let desired = site.desired().await;
        let known = &desired.gateways()[&path.to_ascii_lowercase()];
        let good = known.last_good.as_ref().expect("what was good is kept");
        let sku = good.gateway.properties.sku.as_ref();
        assert_eq!(sku.unwrap().capacity, Some(2), "{round}");
    }
}
