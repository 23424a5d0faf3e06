//! Every route of the table, tried by everyone who may not use it. A new route is tried without a
//! word here; one that needs no token must be listed below.

mod house;
mod support;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gatewright_control::{
    DEFAULT_SUBSCRIPTION, DEFAULT_TENANT, Limits, ListedRoute, NewPrincipal, Role, listed_routes,
};
use house::{House, Running};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use support::{API_VERSION, Api, GROUP, LOCATION, Reply, group, net};

/// What a client needs before it has a token, and nothing else.
const PUBLIC: [&str; 13] = [
    "GET /adfs/.well-known/openid-configuration",
    "GET /adfs/discovery/keys",
    "GET /adfs/v2.0/.well-known/openid-configuration",
    "GET /adfs/{tenant}/v2.0/.well-known/openid-configuration",
    "GET /common/discovery/instance",
    "GET /metadata/endpoints",
    "GET /{tenant}/.well-known/openid-configuration",
    "GET /{tenant}/discovery/v2.0/keys",
    "GET /{tenant}/v2.0/.well-known/openid-configuration",
    "POST /adfs/oauth2/token",
    "POST /adfs/oauth2/v2.0/token",
    "POST /{tenant}/oauth2/token",
    "POST /{tenant}/oauth2/v2.0/token",
];

/// The name of everything that those who are refused must not learn of.
const HIDDEN: &str = "hidden";

/// What routes say whose subject this control plane does not have; to everyone alike.
const NOT_HERE: [&str; 2] = ["GW-E-not-here-yet", "InvalidDeploymentScope"];

fn is_not_here(reply: &Reply) -> bool {
    let code = reply.body["error"]["code"].as_str();
    code.is_some_and(|code| NOT_HERE.contains(&code))
}

/// What no route parses before it knows who calls.
const BROKEN: &str = "{\"";

/// The routes that need a token.
fn guarded() -> Vec<ListedRoute> {
    let mut routes = listed_routes();
    routes.retain(|route| route.access != "public");
    assert!(routes.len() > 60, "the table is whole");
    routes
}

/// A path of the pattern, with `name` for the names of resources.
fn path(route: &ListedRoute, subscription: &str, name: &str) -> String {
    let words = route.pattern.split('/').map(|word| match word {
        "{subscription}" => subscription,
        "{group}" => GROUP,
        "{namespace}" => "Microsoft.Network",
        "{type}" => "virtualNetworks",
        "{operation}" | "{assignment}" => "6f0c8a52-52d4-4a26-9d3b-2f3a4e0a7c11",
        word if word.starts_with("{name") || word == "{part}" => name,
        word if word.starts_with('{') => "x",
        word => word,
    });
    words.collect::<Vec<_>>().join("/")
}

async fn call(api: &Api, route: &ListedRoute, path: &str, authorization: &[&str]) -> Reply {
    let url = format!("{}{path}?api-version={API_VERSION}", api.root);
    let method: Method = route.method.parse().unwrap();
    let has_body = [Method::PUT, Method::PATCH, Method::POST].contains(&method);
    let mut request = api.client.request(method, &url);
    for one in authorization {
        request = request.header("authorization", *one);
    }
    if has_body {
        request = request
            .header("content-type", "application/json")
            .body(BROKEN);
    }
    let answer = request.send().await.unwrap();
    let (status, headers) = (answer.status(), answer.headers().clone());
    let text = answer.text().await.unwrap();
    Reply {
        request: format!("{} {url}", route.method),
        status,
        headers,
        body: serde_json::from_str(&text).unwrap_or(Value::Null),
        text,
    }
}

/// Refused with this status, and this code where the answer has a body.
#[track_caller]
fn refused(reply: &Reply, status: StatusCode, code: &str) {
    assert_eq!(reply.status, status, "{reply:#?}");
    assert_eq!(reply.header("x-ms-failure-cause"), Some("gateway"));
    if !reply.request.starts_with("HEAD") {
        assert_eq!(reply.body["error"]["code"], code, "{reply:#?}");
        assert_eq!(reply.body["error"].get("details"), None);
    }
}

/// Something in the group to be found, by everyone who looks.
async fn furnished() -> (House, Running) {
    let mut house = House::new(Limits::default());
    let running = house.start().await;
    let location = json!({"location": LOCATION});
    running.api.create(&group(GROUP), &location).await;
    running.api.create(&group("rg2"), &location).await;
    let network = json!({"location": LOCATION, "properties": {
        "addressSpace": {"addressPrefixes": ["10.0.0.0/16"]},
        "subnets": [{"name": HIDDEN, "properties": {"addressPrefix": "10.0.0.0/24"}}],
    }});
    for (kind, body) in [
        ("virtualNetworks", &network),
        ("networkSecurityGroups", &location),
        ("routeTables", &location),
        ("publicIPAddresses", &location),
    ] {
        let path = net(&format!("{kind}/{HIDDEN}"));
        running.api.create(&path, body).await;
    }
    (house, running)
}

/// A token's claims, changed.
fn changed(claims: &Value, name: &str, value: impl Into<Value>) -> Value {
    let mut changed = claims.clone();
    changed[name] = value.into();
    changed
}

/// Tokens that are good for nothing, and the code of their refusal.
async fn bad_tokens(running: &Running) -> Vec<(&'static str, String, &'static str)> {
    let token = &running.api.token;
    let mut parts = token.split('.');
    let (header, claims) = (parts.next().unwrap(), parts.next().unwrap());
    let decode = |part: &str| -> Value {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
    };
    let (key_id, good) = (decode(header)["kid"].clone(), decode(claims));
    let stored = running.entry("identity/token-key").await.unwrap();
    let pkcs8 = running.sealing.open("identity/token-key", &stored.value);
    let own = EncodingKey::from_ec_der(&pkcs8.unwrap());
    let stranger = rcgen::KeyPair::generate().unwrap().serialize_der();
    let stranger = EncodingKey::from_ec_der(&stranger);
    let signed = |key: &EncodingKey, algorithm, claims: &Value| {
        let mut header = Header::new(algorithm);
        header.kid = key_id.as_str().map(str::to_owned);
        jsonwebtoken::encode(&header, claims, key).unwrap()
    };
    let by_us = |claims: &Value| signed(&own, Algorithm::ES256, claims);
    assert_eq!(
        call_with(running, &by_us(&good)).await.status,
        StatusCode::OK,
        "this test can sign"
    );
    let keys = running
        .api
        .client
        .get(format!("{}/adfs/discovery/keys", running.api.root));
    let public: Value = keys.send().await.unwrap().json().await.unwrap();
    let shared = EncodingKey::from_secret(public["keys"][0].to_string().as_bytes());
    let none = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#);
    let now = good["iat"].as_i64().unwrap();
    let invalid = "InvalidAuthenticationToken";
    let mut tampered = token.clone();
    let at = header.len() + 10;
    let letter = if tampered.as_bytes()[at] == b'A' {
        "B"
    } else {
        "A"
    };
    tampered.replace_range(at..=at, letter);
    vec![
        ("garbage", "garbage".to_owned(), invalid),
        ("three parts of garbage", "a.b.c".to_owned(), invalid),
        ("too long", "a".repeat(9000), invalid),
        ("tampered with", tampered, invalid),
        (
            "without its signature",
            format!("{header}.{claims}."),
            invalid,
        ),
        (
            "a stranger's key",
            signed(&stranger, Algorithm::ES256, &good),
            invalid,
        ),
        ("no algorithm", format!("{none}.{claims}."), invalid),
        (
            "the public key as a secret",
            signed(&shared, Algorithm::HS256, &good),
            invalid,
        ),
        (
            "expired",
            by_us(&changed(&good, "exp", now - 100)),
            "ExpiredAuthenticationToken",
        ),
        (
            "not valid yet",
            by_us(&changed(&good, "nbf", now + 1000)),
            invalid,
        ),
        (
            "another audience",
            by_us(&changed(&good, "aud", "https://management.azure.com/")),
            "InvalidAuthenticationTokenAudience",
        ),
        (
            "another issuer",
            by_us(&changed(&good, "iss", "https://sts.test/")),
            invalid,
        ),
        (
            "a principal made anew",
            by_us(&changed(&good, "oid", DEFAULT_TENANT)),
            invalid,
        ),
    ]
}

async fn call_with(running: &Running, token: &str) -> Reply {
    let api = Api {
        token: token.to_owned(),
        ..running.api.clone()
    };
    api.get("/subscriptions").await
}

#[test]
fn what_needs_no_token_is_listed() {
    let mut public: Vec<String> = listed_routes()
        .into_iter()
        .filter(|route| route.access == "public")
        .map(|route| format!("{} {}", route.method, route.pattern))
        .collect();
    public.sort();
    assert_eq!(public, PUBLIC);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_comes_in_without_a_good_token() {
    let (_house, running) = furnished().await;
    let scope = format!("/subscriptions/{DEFAULT_SUBSCRIPTION}");
    let (gone, revoked) = running.somebody(Role::Owner, &scope).await;
    let app_id = &gone.principal.app_id;
    assert!(running.control.revoke_principal(app_id).await.unwrap());
    let mut tokens = bad_tokens(&running).await;
    tokens.push(("revoked", revoked.token, "InvalidAuthenticationToken"));
    let good = format!("Bearer {}", running.api.token);
    let mut tries: Vec<(&str, Vec<String>, &str)> = tokens
        .into_iter()
        .map(|(what, token, code)| (what, vec![format!("Bearer {token}")], code))
        .collect();
    let invalid_header = "AuthenticationFailedInvalidHeader";
    tries.extend([
        ("nothing", Vec::new(), "AuthenticationFailed"),
        ("a password", vec!["Basic YTpi".to_owned()], invalid_header),
        ("a word", vec!["Bearer".to_owned()], invalid_header),
        (
            "two tokens",
            vec![good.clone(), "Bearer x".to_owned()],
            invalid_header,
        ),
        (
            "two tokens",
            vec!["Bearer x".to_owned(), good],
            invalid_header,
        ),
    ]);
    let before = running.revision().await;
    let mut routes = guarded();
    let unknown = |pattern: &str| ListedRoute {
        method: "GET".to_owned(),
        pattern: pattern.to_owned(),
        access: "none".to_owned(),
    };
    routes.extend(["/", "/x/y/z", "/subscriptions/{subscription}/x"].map(unknown));
    for route in &routes {
        let path = path(route, DEFAULT_SUBSCRIPTION, HIDDEN);
        for (what, authorization, code) in &tries {
            let given: Vec<&str> = authorization.iter().map(String::as_str).collect();
            let reply = call(&running.api, route, &path, &given).await;
            assert_eq!(reply.status, StatusCode::UNAUTHORIZED, "{what}: {reply:#?}");
            refused(&reply, StatusCode::UNAUTHORIZED, code);
            let expected = format!(
                "Bearer authorization_uri=\"{}/{DEFAULT_TENANT}\", error=\"invalid_token\"",
                running.api.root
            );
            assert_eq!(reply.header("www-authenticate"), Some(&*expected));
        }
    }
    assert_eq!(running.revision().await, before, "nothing was written");
}

/// What is refused to somebody who may read.
fn is_read(route: &ListedRoute) -> bool {
    route.access == "authenticated" || route.access.ends_with("/read")
}

/// What a Network Contributor may do, by the service's definition of the role.
fn is_of_networks(route: &ListedRoute) -> bool {
    let action = route.access.replace("{namespace}", "Microsoft.Network");
    action == "authenticated"
        || action.starts_with("Microsoft.Network/")
        || action.starts_with("Microsoft.Resources/deployments/")
        || action == "Microsoft.Resources/subscriptions/resourceGroups/read"
        || action.starts_with("Microsoft.Authorization/") && action.ends_with("/read")
}

#[track_caller]
fn forbidden(reply: &Reply, route: &ListedRoute, made: &NewPrincipal, path: &str) {
    refused(reply, StatusCode::FORBIDDEN, "AuthorizationFailed");
    if reply.request.starts_with("HEAD") {
        return;
    }
    let message = reply.body["error"]["message"].as_str().unwrap();
    let (app_id, object_id) = (&made.principal.app_id, &made.principal.object_id);
    let action = route.access.replace("{namespace}", "Microsoft.Network");
    let beginning = format!(
        "The client '{app_id}' with object id '{object_id}' does not have authorization to perform \
         action '{action}' over scope '"
    );
    let end = "' or the scope is invalid. If access was recently granted, please refresh your \
               credentials.";
    let scope = message
        .strip_prefix(&beginning)
        .and_then(|rest| rest.strip_suffix(end));
    let scope = scope.unwrap_or_else(|| panic!("{message}"));
    assert!(path.starts_with(scope), "{scope} is not above {path}");
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_that_do_not_allow_it_are_refused_before_anything_is_looked_up() {
    let (_house, running) = furnished().await;
    let all = format!("/subscriptions/{DEFAULT_SUBSCRIPTION}");
    type IsAllowed = fn(&ListedRoute) -> bool;
    let tries: [(Role, &str, IsAllowed); 3] = [
        (Role::Reader, &all, is_read),
        (Role::NetworkContributor, &all, is_of_networks),
        (Role::Owner, &group("rg2"), |route| {
            route.access == "authenticated"
        }),
    ];
    for (role, scope, allowed) in tries {
        let (made, api) = running.somebody(role, scope).await;
        let token = format!("Bearer {}", api.token);
        let before = running.revision().await;
        let mut tried = 0;
        for route in guarded().iter().filter(|route| !allowed(route)) {
            let there = path(route, DEFAULT_SUBSCRIPTION, HIDDEN);
            let reply = call(&api, route, &there, &[&token]).await;
            forbidden(&reply, route, &made, &there);
            // What is not there is refused in the same words.
            let absent = path(route, DEFAULT_SUBSCRIPTION, "absent");
            let other = call(&api, route, &absent, &[&token]).await;
            assert_eq!(other.status, reply.status);
            assert_eq!(other.text, reply.text.replace(HIDDEN, "absent"));
            tried += 1;
        }
        assert!(tried >= 4, "{role}: {tried} routes");
        assert_eq!(
            running.revision().await,
            before,
            "{role}: nothing was written"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_everyone_may_ask_tells_nothing_of_what_others_have() {
    let (_house, running) = furnished().await;
    let (_, api) = running.somebody(Role::Owner, &group("rg2")).await;
    let token = format!("Bearer {}", api.token);
    // An operation of somebody else's is as if it were not.
    let (table, location) = (net("routeTables/hidden2"), json!({"location": LOCATION}));
    let reply = running.api.put(&table, &location).await;
    let url = reply.header("azure-asyncoperation").unwrap().to_owned();
    running.api.get(&url).await.expect(StatusCode::OK);
    let theirs = api.get(&url).await.expect(StatusCode::NOT_FOUND);
    let operation = url.rsplit('/').next().unwrap().split('?').next().unwrap();
    let other = "00000000-0000-4000-8000-00000000000f";
    let absent = api.get(&url.replace(operation, other)).await;
    assert_eq!(theirs.text.replace(operation, other), absent.text);
    for route in guarded() {
        if route.access != "authenticated" {
            continue;
        }
        let path = path(&route, DEFAULT_SUBSCRIPTION, HIDDEN);
        let reply = call(&api, &route, &path, &[&token]).await;
        assert!(!reply.text.contains(HIDDEN), "{reply:#?}");
        assert!(!reply.text.contains("resourceGroups/rg1"), "{reply:#?}");
        // Forbidden: where the query says what it is that must be allowed.
        let statuses = [
            StatusCode::OK,
            StatusCode::BAD_REQUEST,
            StatusCode::FORBIDDEN,
            StatusCode::NOT_FOUND,
        ];
        assert!(statuses.contains(&reply.status), "{reply:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_one_subscription() {
    let (_house, running) = furnished().await;
    let token = format!("Bearer {}", running.api.token);
    let other = "00000000-0000-4000-8000-0000000000ff";
    let before = running.revision().await;
    for route in guarded() {
        if !route.pattern.contains("{subscription}") {
            continue;
        }
        let path = path(&route, other, HIDDEN);
        let reply = call(&running.api, &route, &path, &[&token]).await;
        refused(&reply, StatusCode::NOT_FOUND, "SubscriptionNotFound");
    }
    assert_eq!(running.revision().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn those_who_may_come_through() {
    // What is refused above is refused for its reason: an owner gets to the body, or to the answer.
    let (_house, running) = furnished().await;
    let token = format!("Bearer {}", running.api.token);
    for route in guarded() {
        if route.method == "DELETE" {
            continue;
        }
        let path = path(&route, DEFAULT_SUBSCRIPTION, HIDDEN);
        let reply = call(&running.api, &route, &path, &[&token]).await;
        let is_admitted =
            ![StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&reply.status);
        assert!(is_admitted && !reply.status.is_server_error(), "{reply:#?}");
        // Some look for what they are to change a part of before they look at the body.
        if ["PUT", "PATCH"].contains(&&*route.method) && reply.status != StatusCode::NOT_FOUND {
            assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{reply:#?}");
            let is_read = reply.body["error"]["code"] == "InvalidRequestContent";
            assert!(is_read || is_not_here(&reply), "{reply:#?}");
        }
    }
}
