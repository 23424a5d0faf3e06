//! The same through the Azure SDK for Python, by the very code of docs/control-plane-sdk.md.

use std::path::PathBuf;

use gatewright_testkit::client::RawClient;
use serde_json::{Value, json};

use crate::site::{Site, environment};
use crate::stage::{has, id, named, names, of_gateway, serves, site};

const PAGE: &str = include_str!("../../../../docs/control-plane-sdk.md");

/// What the page says does the same as the credential in its code.
const OTHERS: &str = r#"
from azure.identity import ClientSecretCredential, DefaultAzureCredential
from azure.mgmt.network import NetworkManagementClient
import json, os

root = os.environ["AZURE_AUTHORITY_HOST"]
tenant, id, secret = (
    os.environ["AZURE_" + name] for name in ["TENANT_ID", "CLIENT_ID", "CLIENT_SECRET"]
)
seen = []
for credential in [
    ClientSecretCredential(tenant, id, secret, authority=root, disable_instance_discovery=True),
    DefaultAzureCredential(disable_instance_discovery=True),
    ClientSecretCredential("adfs", id, secret, authority=root),
]:
    client = NetworkManagementClient(
        credential,
        os.environ["AZURE_SUBSCRIPTION_ID"],
        base_url=root,
        credential_scopes=[root + "/.default"],
    )
    seen.append([one.name for one in client.application_gateways.list_all()])
print(json.dumps(seen))
"#;

/// A user of the SDK.
struct Sdk<'a> {
    site: &'a Site,
    python: PathBuf,
}

impl Sdk<'_> {
    /// What a program prints, as JSON.
    fn run(&self, program: &str) -> Value {
        self.site.write("program.py", program);
        self.site
            .json(&format!("{} program.py", self.python.display()))
    }

    /// Runs parts of the page, and what they left in `result`.
    fn page(&self, parts: &[&str], result: &str) -> Value {
        let result = format!("import json\nprint(json.dumps({result}))");
        self.run(&[parts, &[&result]].concat().join("\n"))
    }
}

/// The page's code, block by block.
fn code() -> Vec<&'static str> {
    let blocks = PAGE.split("```python\n").skip(1);
    blocks
        .map(|block| block.split("```").next().unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_of_the_sdk() {
    let Some(environment) = environment("GATEWRIGHT_SDK_VENV") else {
        return;
    };
    let (one, two) = (named("one").await, named("two").await);
    let Some(site) = site(&[("10.0.1.4:8080", &one), ("10.0.1.4:8081", &two)]) else {
        return;
    };
    let python = environment.join("bin/python");
    let sdk = Sdk {
        site: &site,
        python,
    };
    let [connect, create, change, health, delete] = code()[..] else {
        panic!("the page has other parts");
    };
    site.az("group create -n rg -l local");
    let made = sdk.page(&[connect, create], "made.as_dict()");
    has(
        &made,
        &json!({
            "name": "gw", "id": id("Microsoft.Network/applicationGateways/gw"),
            "type": "Microsoft.Network/applicationGateways",
            "properties": {
                "provisioningState": "Succeeded", "operationalState": "Running",
                "sku": { "name": "Standard_v2", "tier": "Standard_v2", "capacity": 2 },
            },
        }),
    );
    has(
        &made["properties"]["requestRoutingRules"][0],
        &json!({
            "id": of_gateway("requestRoutingRules/rule"),
            "properties": { "priority": 100, "provisioningState": "Succeeded" },
        }),
    );
    serves(&site, 80, "a.test", "/", "one").await;

    let quiet = change.replace("print(", "why = (");
    let result = "{'changed': changed.as_dict(), 'why': why}";
    let told = sdk.page(&[connect, &quiet], result);
    let changed = &told["changed"];
    assert_eq!(changed["tags"], json!({ "team": "edge" }));
    let setting = &changed["properties"]["backendHttpSettingsCollection"][0];
    has(
        &setting["properties"],
        &json!({ "port": 8081, "requestTimeout": 30 }),
    );
    assert_ne!(changed["etag"], made["etag"]);
    let guid = |gateway: &Value| gateway["properties"]["resourceGuid"].clone();
    assert_eq!(guid(changed), guid(&made));
    assert_eq!(told["why"][0], 400);
    let why = told["why"][2].as_str().unwrap();
    assert!(
        why.contains("Priority 0") && why.contains("'rule'"),
        "{why}"
    );
    serves(&site, 80, "a.test", "/", "two").await;

    site.wait_for_healths("gw", &["Healthy"]);
    let quiet = health.replace("print(", "seen = (");
    let seen = sdk.page(&[connect, &quiet], "seen");
    assert_eq!(
        (&seen[0], &seen[1]),
        (&json!("10.0.1.4"), &json!("Healthy"))
    );
    assert!(seen[2].as_str().unwrap().contains("200"), "{seen}");
    assert_eq!(sdk.run(OTHERS), json!([["gw"], ["gw"], ["gw"]]));

    let listed = "[one.name for one in client.application_gateways.list('rg')]";
    assert_eq!(sdk.page(&[connect, delete], listed), json!([]));
    let refused = RawClient::connect(site.door(80)).await.err().unwrap();
    assert!(refused.is_refused(), "{refused}");
    assert_eq!(names(&site.az("resource list -g rg")), ["ip", "net"]);
}
