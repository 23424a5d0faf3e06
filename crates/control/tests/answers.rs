//! What every answer has, what the log says of every request, and what neither ever shows.

mod house;
mod support;

use std::io::{self, Write};
use std::sync::{Arc, LazyLock, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use gatewright_control::{DEFAULT_SUBSCRIPTION, DEFAULT_TENANT, Limits, Role};
use gatewright_testkit::certificates::{Authority, Leaf};
use house::{House, furnish};
use reqwest::StatusCode;
use serde_json::{Value, json};
use support::{GROUP, gateway, group, net};
use tracing_subscriber::fmt::MakeWriter;

/// Everything that is logged in this process.
#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Captured {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// The log, in all its detail.
static LOG: LazyLock<Captured> = LazyLock::new(|| {
    let captured = Captured::default();
    tracing_subscriber::fmt()
        .json()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_writer(captured.clone())
        .init();
    captured
});

impl Captured {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }

    /// The fields of the lines that a request has.
    fn lines_of(&self, correlation: &str) -> Vec<Value> {
        let text = self.text();
        let lines = text.lines().filter_map(|line| {
            let line: Value = serde_json::from_str(line).ok()?;
            (line["fields"]["correlation"] == correlation).then(|| line["fields"].clone())
        });
        lines.collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_has_the_headers_of_the_service() {
    let mut house = House::new(Limits::default());
    let running = house.start().await;
    let api = &running.api;
    let url = format!("{}/subscriptions?api-version=2022-12-01", api.root);
    for token in [&*api.token, "none"] {
        let request = api
            .client
            .get(&url)
            .bearer_auth(token)
            .header("x-ms-client-request-id", "client-1")
            .header("x-ms-correlation-request-id", "correlation-1");
        let answer = request.send().await.unwrap();
        let header = |name: &str| {
            let value = answer.headers().get(name);
            value.map(|value| value.to_str().unwrap().to_owned())
        };
        let fixed = [
            ("cache-control", "no-cache"),
            ("pragma", "no-cache"),
            ("expires", "-1"),
            ("x-content-type-options", "nosniff"),
            (
                "strict-transport-security",
                "max-age=31536000; includeSubDomains",
            ),
            ("content-type", "application/json; charset=utf-8"),
            ("x-ms-client-request-id", "client-1"),
            ("x-ms-correlation-request-id", "correlation-1"),
        ];
        for (name, value) in fixed {
            assert_eq!(header(name).as_deref(), Some(value), "{name}");
        }
        let id = header("x-ms-request-id").unwrap();
        assert_eq!(id.len(), 36);
        let routing = header("x-ms-routing-request-id").unwrap();
        let parts: Vec<&str> = routing.splitn(3, ':').collect();
        assert_eq!((parts[0], parts[2]), ("LOCAL", &*id), "{routing}");
        assert_eq!((parts[1].len(), &parts[1][8..9]), (16, "T"), "{routing}");
        // Nothing is counted down, so that no number pretends to be.
        let mut names = answer.headers().keys();
        assert!(names.all(|name| !name.as_str().contains("ratelimit")));
        assert!(header("server").is_none());
    }
    // The network's own provider has an id of its own.
    let network = url.replace("/subscriptions?", &format!("{}?", net("routeTables")));
    let answer = api
        .client
        .get(&network)
        .bearer_auth(&api.token)
        .send()
        .await;
    let answer = answer.unwrap();
    assert_eq!(answer.headers()["x-ms-arm-service-request-id"].len(), 36);
    // What is too long to be an id is not taken for one.
    let long = "x".repeat(200);
    let request = api.client.get(&url).bearer_auth(&api.token);
    let request = request
        .header("x-ms-client-request-id", &long)
        .header("x-ms-correlation-request-id", &long);
    let answer = request.send().await.unwrap();
    let headers = answer.headers();
    assert_eq!(headers.get("x-ms-client-request-id"), None);
    assert_eq!(
        headers["x-ms-correlation-request-id"],
        headers["x-ms-request-id"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_say_which_layer_they_are_of() {
    let mut house = House::new(Limits::default());
    let running = house.start().await;
    furnish(&running.api).await;
    let absent = running.api.get(&net("virtualNetworks/absent")).await;
    let absent = absent.expect(StatusCode::NOT_FOUND);
    assert_eq!(absent.header("x-ms-failure-cause"), Some("gateway"));
    assert_eq!(
        absent.body,
        json!({"error": {
            "code": "ResourceNotFound",
            "message": "The Resource 'Microsoft.Network/virtualNetworks/absent' under resource \
                        group 'rg1' was not found. For more details please go to \
                        https://aka.ms/ARMResourceNotFoundFix",
        }})
    );
    let mut bad = house::network();
    bad["properties"]["addressSpace"]["addressPrefixes"] = json!(["nonsense"]);
    let reply = running.api.put(&net("virtualNetworks/net2"), &bad).await;
    let reply = reply.expect(StatusCode::BAD_REQUEST);
    assert_eq!(reply.header("x-ms-failure-cause"), None);
    assert!(reply.body["error"]["details"].is_array(), "{reply:#?}");
}

/// A certificate with its key, as clients send it.
fn certificate() -> String {
    let authority = Authority::new("Test");
    let identity = authority.issue(Leaf::named("shop.test"));
    BASE64.encode(identity.pfx(PASSWORD))
}

const PASSWORD: &str = "pass-word-of-the-certificate";

#[tokio::test(flavor = "multi_thread")]
async fn each_request_is_a_line_and_no_line_has_a_secret() {
    let log = &*LOG;
    let mut house = House::new(Limits::default());
    let running = house.start().await;
    furnish(&running.api).await;
    let owner = house.owner.as_ref().unwrap();
    // A certificate, with its password; a login that fails; one by Basic authorization.
    let data = certificate();
    let mut body = gateway("ag1");
    body["properties"]["sslCertificates"] = json!([{"name": "site", "properties": {
        "data": data, "password": PASSWORD,
    }}]);
    let path = net("applicationGateways/ag1");
    let reply = running.api.put(&path, &body).await;
    let shown = running.api.get(&path).await.text;
    assert!(reply.status.is_success(), "{reply:#?}");
    assert_eq!(running.api.outcome(&reply).await["status"], "Succeeded");
    let url = format!("{}/{DEFAULT_TENANT}/oauth2/v2.0/token", running.api.root);
    let (app_id, secret) = (&owner.principal.app_id, &*owner.password);
    for (secret, status) in [
        (secret.as_str(), StatusCode::OK),
        ("a-secret-that-is-wrong", StatusCode::UNAUTHORIZED),
    ] {
        let request = running
            .api
            .client
            .post(&url)
            .basic_auth(app_id, Some(secret));
        let body = "grant_type=client_credentials&resource=x";
        let answer = request.body(body).send().await.unwrap();
        assert_eq!(answer.status(), status);
    }
    let scope = format!("/subscriptions/{DEFAULT_SUBSCRIPTION}");
    let (reader, api) = running.somebody(Role::Reader, &scope).await;
    let sent = |path: String, token: String, correlation: &'static str| {
        let url = format!("{}{path}?api-version=2024-05-01", running.api.root);
        let request = running.api.client.get(&url).bearer_auth(token);
        request.header("x-ms-correlation-request-id", correlation)
    };
    let token = api.token.clone();
    let answer = sent(group(GROUP), token, "reads").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let answer = sent(group("x"), "none".to_owned(), "fails").send().await;
    assert_eq!(answer.unwrap().status(), StatusCode::UNAUTHORIZED);
    for (correlation, status, caller, group_name) in [
        ("reads", 200, &*reader.principal.app_id, GROUP),
        ("fails", 401, "", "x"),
    ] {
        let lines = log.lines_of(correlation);
        let [line] = &*lines else {
            panic!("{} lines of {correlation}", lines.len());
        };
        assert_eq!(
            (&line["status"], &line["caller"]),
            (&json!(status), &json!(caller))
        );
        assert_eq!(line["message"], format!("GET {}", group(group_name)));
        assert!(line["milliseconds"].is_number() && line["request"].is_string());
        assert!(line["peer"].as_str().unwrap().starts_with("127.0.0.1:"));
    }
    let text = log.text();
    assert!(
        text.contains(&*net("applicationGateways/ag1")),
        "the log is whole"
    );
    for (what, secret) in [
        ("a secret", secret.as_str()),
        ("a secret that is wrong", "a-secret-that-is-wrong"),
        ("a token", &running.api.token),
        (
            "a token's signature",
            running.api.token.rsplit('.').next().unwrap(),
        ),
        ("another's token", &api.token),
        ("a certificate's data", &data[..60]),
        ("a certificate's password", PASSWORD),
        ("a hash", "$argon2"),
    ] {
        assert!(!text.contains(secret), "the log has {what}");
        assert!(!shown.contains(secret), "an answer has {what}");
    }
    at_rest(&house, running, &[secret, &data[100..160], PASSWORD]).await;
}

/// Nothing of it lies in a file of the data directory.
async fn at_rest(house: &House, running: house::Running, secrets: &[&str]) {
    let key = running.entry("identity/token-key").await.unwrap();
    let token_key = running
        .sealing
        .open("identity/token-key", &key.value)
        .unwrap();
    let key = running.entry("identity/authority").await.unwrap();
    let authority = running
        .sealing
        .open("identity/authority", &key.value)
        .unwrap();
    let authority: Value = serde_json::from_slice(&authority).unwrap();
    let line = authority["key"].as_str().unwrap().lines().nth(1).unwrap();
    let mut secrets: Vec<Vec<u8>> = secrets.iter().map(|one| one.as_bytes().to_vec()).collect();
    // The numbers themselves, of a key in binary; and the text of one in text.
    secrets.push(token_key[36..68].to_vec());
    secrets.push(line.as_bytes().to_vec());
    let app_id = house.owner.as_ref().unwrap().principal.app_id.clone();
    running.kill();
    let mut seen = false;
    for file in std::fs::read_dir(house.directory.path()).unwrap() {
        let path = file.unwrap().path();
        let Ok(bytes) = std::fs::read(&path) else {
            continue;
        };
        let has = |needle: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
        seen |= has(app_id.as_bytes()) && has(b"$argon2id$v=19$m=19456,t=2,p=1$");
        for (number, secret) in secrets.iter().enumerate() {
            assert!(!has(secret), "{}: secret {number}", path.display());
        }
    }
    assert!(seen, "the store's own file was looked through");
}
