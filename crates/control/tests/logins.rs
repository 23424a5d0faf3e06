//! How clients log in: both styles of authority, as MSAL speaks to them; failures, and their limit.

mod house;
mod support;

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gatewright_control::{DEFAULT_SUBSCRIPTION, DEFAULT_TENANT, Limits, NewPrincipal, Role};
use house::{House, Running, furnish};
use reqwest::{RequestBuilder, StatusCode};
use serde_json::{Value, json};
use support::{GROUP, LOCATION, group, net};

async fn house() -> (House, Running) {
    let mut house = House::new(Limits::default());
    let running = house.start().await;
    (house, running)
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

fn form(pairs: &[(&str, &str)]) -> String {
    let pairs = pairs
        .iter()
        .map(|(name, value)| format!("{name}={}", encoded(value)));
    pairs.collect::<Vec<_>>().join("&")
}

fn post(running: &Running, path: &str, body: String) -> RequestBuilder {
    let url = format!("{}{path}", running.api.root);
    let request = running.api.client.post(url).body(body);
    request.header("content-type", "application/x-www-form-urlencoded")
}

async fn json_of(running: &Running, path: &str) -> Value {
    let url = format!("{}{path}", running.api.root);
    let answer = running.api.client.get(&url).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK, "{url}");
    answer.json().await.unwrap()
}

/// The request of MSAL, with this secret.
async fn log_in(running: &Running, path: &str, app_id: &str, secret: &str) -> (StatusCode, Value) {
    let claims = r#"{"access_token":{"xms_cc":{"values":["CP1"]}}}"#;
    let scope = format!("{}//.default", running.api.root);
    let body = form(&[
        ("client_id", app_id),
        ("client_secret", secret),
        ("grant_type", "client_credentials"),
        ("client_info", "1"),
        ("scope", &scope),
        ("claims", claims),
    ]);
    let answer = post(running, path, body).send().await.unwrap();
    (answer.status(), answer.json().await.unwrap())
}

async fn is_good(running: &Running, token: &str) -> bool {
    let url = format!("{}/subscriptions?api-version=2022-12-01", running.api.root);
    let answer = running.api.client.get(url).bearer_auth(token).send();
    answer.await.unwrap().status() == StatusCode::OK
}

fn owner(house: &House) -> &NewPrincipal {
    house.owner.as_ref().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn clouds_are_found_without_a_token() {
    let (_house, running) = house().await;
    let root = &running.api.root;
    for path in [
        "/metadata/endpoints",
        "//metadata/endpoints?api-version=2022-09-01",
    ] {
        let found = json_of(&running, path).await;
        assert_eq!(found["resourceManager"], format!("{root}/"));
        let authentication = &found["authentication"];
        assert_eq!(authentication["loginEndpoint"], format!("{root}/adfs"));
        assert_eq!(authentication["audiences"], json!([format!("{root}/")]));
        assert!(found["suffixes"].is_object());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn msal_logs_in_as_with_ad_fs() {
    let (house, running) = house().await;
    let (root, owner) = (&running.api.root, owner(&house));
    let found = json_of(&running, "/adfs/.well-known/openid-configuration").await;
    let endpoint = found["token_endpoint"].as_str().unwrap();
    assert_eq!(endpoint, format!("{root}/adfs/oauth2/token"));
    assert!(found["authorization_endpoint"].is_string());
    // With a tenant that is no GUID, az takes the fourth part of the issuer for it.
    let path = "/adfs/adfs/v2.0/.well-known/openid-configuration";
    let found = json_of(&running, path).await;
    let issuer = found["issuer"].as_str().unwrap();
    assert_eq!(issuer.split('/').nth(3), Some(DEFAULT_TENANT));
    let path = endpoint.strip_prefix(&**root).unwrap();
    let (app_id, secret) = (&owner.principal.app_id, &*owner.password);
    let (status, body) = log_in(&running, path, app_id, secret).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    assert_eq!(
        (&body["token_type"], &body["expires_in"]),
        (&json!("Bearer"), &json!(86_399))
    );
    let token = body["access_token"].as_str().unwrap();
    assert!(is_good(&running, token).await);
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap());
    let claims: Value = serde_json::from_slice(&claims.unwrap()).unwrap();
    assert_eq!(
        claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(),
        86_399
    );
    assert_eq!(
        (&claims["appid"], &claims["tid"]),
        (&json!(app_id), &json!(DEFAULT_TENANT))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn msal_logs_in_as_with_entra_id() {
    let (house, running) = house().await;
    let (root, owner) = (&running.api.root, owner(&house));
    let authorize = encoded(&format!("{root}/common/oauth2/v2.0/authorize"));
    let path =
        format!("/common/discovery/instance?api-version=1.1&authorization_endpoint={authorize}");
    let instance = json_of(&running, &path).await;
    let discovery = instance["tenant_discovery_endpoint"].as_str().unwrap();
    let path = discovery.strip_prefix(&**root).unwrap();
    let found = json_of(&running, path).await;
    assert_eq!(found["issuer"], format!("{root}/{DEFAULT_TENANT}/v2.0"));
    let keys = found["jwks_uri"].as_str().unwrap();
    let keys = json_of(&running, keys.strip_prefix(&**root).unwrap()).await;
    assert_eq!(keys["keys"][0]["crv"], "P-256");
    assert_eq!(keys["keys"][0].get("d"), None, "the public half alone");
    let endpoint = found["token_endpoint"].as_str().unwrap();
    let path = endpoint.strip_prefix(&**root).unwrap();
    let (app_id, secret) = (&owner.principal.app_id, &*owner.password);
    let (status, body) = log_in(&running, path, app_id, secret).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    assert!(is_good(&running, body["access_token"].as_str().unwrap()).await);
    // The first version of it names a resource, and client_secret_basic is a way too.
    let path = format!("/{DEFAULT_TENANT}/oauth2/token");
    let resource = format!("{root}/");
    let body = form(&[
        ("grant_type", "client_credentials"),
        ("resource", &resource),
    ]);
    let basic = post(&running, &path, body).basic_auth(app_id, Some(encoded(secret)));
    let answer = basic.send().await.unwrap();
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let body: Value = answer.json().await.unwrap();
    assert!(is_good(&running, body["access_token"].as_str().unwrap()).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_request_for_a_token_is_refused() {
    let (house, running) = house().await;
    let app_id = &owner(&house).principal.app_id;
    let path = "/adfs/oauth2/token";
    let long = "x".repeat(300) + "/.default";
    for (pairs, status, error) in [
        (vec![], 400, "unsupported_grant_type"),
        (
            vec![
                ("grant_type", "client_credentials"),
                ("client_id", app_id),
                ("CLIENT_ID", "another"),
                ("client_secret", "x"),
                ("scope", "x/.default"),
            ],
            400,
            "invalid_request",
        ),
        (
            vec![("grant_type", "password")],
            400,
            "unsupported_grant_type",
        ),
        (
            vec![("grant_type", "client_credentials")],
            401,
            "invalid_client",
        ),
        (
            vec![
                ("grant_type", "client_credentials"),
                ("client_id", app_id),
                ("client_secret", "x"),
            ],
            400,
            "invalid_scope",
        ),
        (
            vec![
                ("grant_type", "client_credentials"),
                ("client_id", app_id),
                ("client_secret", "x"),
                ("scope", &long),
            ],
            400,
            "invalid_scope",
        ),
    ] {
        let answer = post(&running, path, form(&pairs)).send().await.unwrap();
        let challenge = answer.headers().get("www-authenticate").cloned();
        assert_eq!(answer.status().as_u16(), status);
        assert_eq!(challenge.is_some(), status == 401);
        let body: Value = answer.json().await.unwrap();
        assert_eq!(body["error"], error, "{pairs:?}");
        assert!(body["error_description"].is_string());
    }
    let answer = post(&running, path, "\u{0}\u{ff}&&==&%%%".to_owned());
    assert_eq!(
        answer.send().await.unwrap().status(),
        StatusCode::BAD_REQUEST
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_close_the_door_and_successes_do_not() {
    let (house, running) = house().await;
    let path = "/adfs/oauth2/token";
    let (app_id, secret) = (&owner(&house).principal.app_id, &*owner(&house).password);
    for _ in 0..12 {
        let (status, _) = log_in(&running, path, app_id, secret).await;
        assert_eq!(status, StatusCode::OK, "a success does not count");
    }
    for number in 0..20 {
        // No such principal, and the wrong secret, are told in the same words; and on this machine,
        // whose address is everyone's, failures for one principal do not close it to another.
        let nobody = format!("00000000-0000-4000-8000-0000000000{number:02}");
        let app_id = if number % 2 == 0 { app_id } else { &nobody };
        let (status, body) = log_in(&running, path, app_id, "wrong").await;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
        assert_eq!(body["error"], "invalid_client");
        assert_eq!(body["error_codes"], json!([7_000_215]));
        let description = body["error_description"].as_str().unwrap();
        assert!(description.contains("or no such service principal"));
    }
    // Also the right secret, which would else tell a guesser that it is.
    let body = form(&[
        ("grant_type", "client_credentials"),
        ("client_id", app_id),
        ("client_secret", secret),
        ("scope", "x/.default"),
    ]);
    let answer = post(&running, path, body).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
    let wait: u64 = answer.headers()["retry-after"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!((1..=61).contains(&wait), "{wait}");
    assert!(
        is_good(&running, &running.api.token).await,
        "tokens stay good"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn those_who_hang_up_have_failed_too() {
    let (house, running) = house().await;
    let body = form(&[
        ("grant_type", "client_credentials"),
        ("client_id", &owner(&house).principal.app_id),
        ("client_secret", "wrong"),
        ("scope", "x/.default"),
    ]);
    for _ in 0..10 {
        let mut wire = running.connect().await;
        let head = format!(
            "POST /adfs/oauth2/token HTTP/1.1\r\nHost: {}\r\nContent-Length: {}\r\n\r\n{body}",
            running.host(),
            body.len()
        );
        wire.send(head).await;
        // It is being looked at.
        tokio::time::sleep(Duration::from_millis(30)).await;
        drop(wire);
    }
    let since = Instant::now();
    let refused = loop {
        let answer = post(&running, "/adfs/oauth2/token", body.clone());
        let status = answer.send().await.unwrap().status();
        // This try counts too; without those before, it would take ten of them.
        if status == StatusCode::TOO_MANY_REQUESTS || since.elapsed() > house::PATIENCE {
            break status;
        }
        assert!(since.elapsed() < Duration::from_secs(5), "not counted");
        tokio::time::sleep(Duration::from_millis(900)).await;
    };
    assert_eq!(refused, StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_on_a_resource_shows_that_resource() {
    let (_house, running) = house().await;
    furnish(&running.api).await;
    let network = net("virtualNetworks/net1");
    let (made, api) = running.somebody(Role::Reader, &network).await;
    let list = api.get("/subscriptions").await.expect(StatusCode::OK);
    assert_eq!(
        list.body["value"][0]["subscriptionId"],
        DEFAULT_SUBSCRIPTION
    );
    api.get(&network).await.expect(StatusCode::OK);
    let subnet = format!("{network}/subnets/gateways");
    api.get(&subnet).await.expect(StatusCode::OK);
    api.get(&net("publicIPAddresses/pip1"))
        .await
        .expect(StatusCode::FORBIDDEN);
    api.get(&group(GROUP)).await.expect(StatusCode::FORBIDDEN);
    let everywhere = format!("/subscriptions/{DEFAULT_SUBSCRIPTION}/providers/Microsoft.Network");
    let found = |reply: support::Reply| -> Vec<String> {
        let items = reply.expect(StatusCode::OK).body["value"].clone();
        let items = items.as_array().unwrap().clone();
        items
            .iter()
            .map(|item| item["id"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(
        found(api.get(&format!("{everywhere}/virtualNetworks")).await),
        std::slice::from_ref(&network)
    );
    assert!(found(api.get(&format!("{everywhere}/publicIPAddresses")).await).is_empty());
    let resources = format!("/subscriptions/{DEFAULT_SUBSCRIPTION}/resources");
    assert_eq!(
        found(api.get(&resources).await),
        std::slice::from_ref(&network)
    );
    let groups = format!("/subscriptions/{DEFAULT_SUBSCRIPTION}/resourceGroups");
    assert_eq!(found(api.get(&groups).await), [group(GROUP)]);
    let message = api.put(&network, &house::network()).await;
    let message = message.expect(StatusCode::FORBIDDEN);
    let expected = format!(
        "The client '{}' with object id '{}' does not have authorization to perform action \
         'Microsoft.Network/virtualNetworks/write' over scope '{network}' or the scope is invalid. \
         If access was recently granted, please refresh your credentials.",
        made.principal.app_id, made.principal.object_id
    );
    assert_eq!(message.refused("AuthorizationFailed"), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_activity_log_of_a_group_is_for_those_who_may_read_the_group() {
    let (_house, running) = house().await;
    furnish(&running.api).await;
    let location = json!({"location": LOCATION});
    running.api.create(&group("rg2"), &location).await;
    let (_, reader) = running.somebody(Role::Reader, &group(GROUP)).await;
    let log = |filter: &str| {
        let filter = encoded(filter);
        let base = "providers/Microsoft.Insights/eventtypes/management/values";
        format!(
            "/subscriptions/{DEFAULT_SUBSCRIPTION}/{base}?api-version=2015-04-01&$filter={filter}"
        )
    };
    let network = net("virtualNetworks/net1");
    let of_group = format!("resourceGroupName eq '{}'", GROUP.to_uppercase());
    let of_network = format!("resourceUri eq '{network}'");
    for filter in [&of_group, &of_network] {
        let reply = reader.get(&log(filter)).await.expect(StatusCode::OK);
        assert!(!reply.body["value"].as_array().unwrap().is_empty());
    }
    let both = format!("{of_group} and resourceGroupName eq 'rg2'");
    let none = reader.get(&log(&both)).await.expect(StatusCode::OK);
    assert_eq!(none.body["value"], json!([]));
    for filter in ["", "resourceGroupName eq 'rg2'", "resourceUri eq 'net1'"] {
        let reply = reader.get(&log(filter)).await;
        let message = reply.refused("AuthorizationFailed");
        let action = "'Microsoft.Insights/eventtypes/values/read'";
        assert!(message.contains(action), "{filter}: {message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_links_to_what_is_not_theirs_is_not_told_whether_it_exists() {
    let (_house, running) = house().await;
    furnish(&running.api).await;
    let location = json!({"location": LOCATION});
    running.api.create(&group("rg2"), &location).await;
    running
        .api
        .create(&net("routeTables/there"), &location)
        .await;
    let (made, api) = running.somebody(Role::Owner, &group("rg2")).await;
    let path = format!(
        "{}/providers/Microsoft.Network/virtualNetworks/v",
        group("rg2")
    );
    let linking = |table: &str| {
        let mut body = house::network();
        let table = json!({"id": net(&format!("routeTables/{table}"))});
        body["properties"]["subnets"][0]["properties"]["routeTable"] = table;
        body
    };
    let there = api.put(&path, &linking("there")).await;
    let absent = api.put(&path, &linking("absent")).await;
    let there = there.expect(StatusCode::FORBIDDEN);
    let message = there.refused("LinkedAuthorizationFailed");
    let beginning = format!(
        "The client '{}' with object id '{}' has permission to perform action \
         'Microsoft.Network/virtualNetworks/write' on scope '{path}'; however, it does not have \
         permission to perform action 'Microsoft.Network/routeTables/join/action' on the linked \
         scope(s) '",
        made.principal.app_id, made.principal.object_id
    );
    assert!(message.starts_with(&beginning), "{message}");
    assert_eq!(absent.text, there.text.replace("there'", "absent'"));
    api.get(&path).await.expect(StatusCode::NOT_FOUND);
    let may = running.api.put(&path, &linking("there")).await;
    assert_eq!(may.status, StatusCode::CREATED);
}

#[tokio::test(flavor = "multi_thread")]
async fn assignments_definitions_and_permissions_are_shown() {
    let (house, running) = house().await;
    furnish(&running.api).await;
    let all = format!("/subscriptions/{DEFAULT_SUBSCRIPTION}");
    let network = net("virtualNetworks/net1");
    let (reader, reading) = running.somebody(Role::Reader, &network).await;
    let (operator, _) = running
        .somebody(Role::NetworkContributor, &group(GROUP))
        .await;
    let first = &owner(&house).principal.object_id;
    let (reader, operator) = (&reader.principal.object_id, &operator.principal.object_id);
    let list = |scope: &str, filter: &str| {
        let filter = encoded(filter);
        let base = "providers/Microsoft.Authorization/roleAssignments";
        format!("{scope}/{base}?$filter={filter}&api-version=2022-04-01")
    };
    for (scope, filter, expected) in [
        (&*all, "", vec![first, reader, operator]),
        (&all, "atScope()", vec![first]),
        (&group(GROUP), "atScope()", vec![first, operator]),
        (&group("rg2"), "", vec![first]),
        (&network, "", vec![first, reader, operator]),
        (&all, &format!("principalId eq '{reader}'"), vec![reader]),
        (
            &all,
            &format!("atScope() and assignedTo('{first}')"),
            vec![first],
        ),
    ] {
        let reply = running
            .api
            .get(&list(scope, filter))
            .await
            .expect(StatusCode::OK);
        let value = reply.body["value"].as_array().unwrap();
        let ids = value
            .iter()
            .map(|one| one["properties"]["principalId"].as_str());
        let mut ids: Vec<&str> = ids.flatten().collect();
        let mut expected: Vec<&str> = expected.into_iter().map(String::as_str).collect();
        ids.sort_unstable();
        expected.sort_unstable();
        assert_eq!(ids, expected, "{scope} {filter}");
        for one in value {
            let id = one["id"].as_str().unwrap();
            let shown = running.api.get(id).await.expect(StatusCode::OK);
            assert_eq!(shown.body, *one);
        }
    }
    let reply = running.api.get(&list(&all, "color eq 'red'")).await;
    reply.refused("InvalidFilter");
    let definitions = format!("{all}/providers/Microsoft.Authorization/roleDefinitions");
    let named = format!(
        "{definitions}?$filter={}",
        encoded("roleName eq 'Network Contributor'")
    );
    let found = running.api.get(&named).await.expect(StatusCode::OK);
    let [role] = &**found.body["value"].as_array().unwrap() else {
        panic!("{found:#?}");
    };
    assert_eq!(role["name"], "4d97b98b-1d4f-4787-a291-c67834d212e7");
    let shown = running.api.get(role["id"].as_str().unwrap()).await;
    assert_eq!(shown.expect(StatusCode::OK).body, *role);
    let absent = running.api.get(&format!("{definitions}/x")).await;
    absent.refused("RoleDefinitionDoesNotExist");
    let permissions =
        |scope: &str| format!("{scope}/providers/Microsoft.Authorization/permissions");
    let of = |reply: support::Reply| reply.expect(StatusCode::OK).body["value"].clone();
    let own = of(running.api.get(&permissions(&all)).await);
    assert_eq!(own[0]["actions"], json!(["*"]));
    assert_eq!(of(reading.get(&permissions(&all)).await), json!([]));
    let own = of(reading.get(&permissions(&network)).await);
    assert_eq!(own[0]["actions"], json!(["*/read"]));
    // Nobody who logs in gets a role here.
    let path = format!("{all}/providers/Microsoft.Authorization/roleAssignments/{DEFAULT_TENANT}");
    for role in [
        "8e3af657-a8ff-443c-a75c-2fe8c4bcb635",
        "4d97b98b-1d4f-4787-a291-c67834d212e7",
    ] {
        let body = json!({"properties": {
            "roleDefinitionId": format!("{definitions}/{role}"), "principalId": reader,
        }});
        let put = running.api.put(&path, &body).await;
        assert!(put.status.is_client_error(), "{put:#?}");
    }
    let still = reading.put(&network, &house::network()).await;
    still.refused("AuthorizationFailed");
}
