//! Vaults and their secrets, over HTTPS.

mod support;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gatewright_control::DEFAULT_TENANT;
use gatewright_testkit::certificates::{Authority, Leaf};
use reqwest::StatusCode;
use serde_json::{Value, json};
use support::{GROUP, LOCATION, Site, group};

fn vault(name: &str) -> String {
    format!(
        "{}/providers/Microsoft.KeyVault/vaults/{name}",
        group(GROUP)
    )
}

/// The body of a vault whose one access policy is the caller's.
fn body(site: &Site, secrets: &[&str]) -> Value {
    json!({
        "location": LOCATION,
        "properties": {
            "tenantId": DEFAULT_TENANT,
            "sku": {"family": "A", "name": "Standard"},
            "accessPolicies": [{
                "tenantId": DEFAULT_TENANT,
                "objectId": site.bootstrap.principal.object_id,
                "permissions": {"secrets": secrets, "certificates": ["import", "get"]},
            }],
        },
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_is_as_the_service_answers_it() {
    let site = Site::with_group().await;
    let reply = site.api.put(&vault("kv-one"), &body(&site, &["get"])).await;
    let shown = reply.expect(StatusCode::CREATED).body;
    let properties = &shown["properties"];
    assert_eq!(shown["type"], "Microsoft.KeyVault/vaults");
    assert!(shown.get("etag").is_none(), "vaults have no etag");
    assert_eq!(properties["vaultUri"], "https://kv-one.vault.local/");
    assert_eq!(
        properties["sku"],
        json!({"family": "A", "name": "standard"})
    );
    assert_eq!(properties["softDeleteRetentionInDays"], 90);
    assert_eq!(properties["enableSoftDelete"], true);
    assert_eq!(properties["provisioningState"], "Succeeded");
    let tags = json!({"tags": {"a": "b"}, "properties": {"enableRbacAuthorization": true}});
    let patched = site
        .api
        .patch(&vault("kv-one"), &tags)
        .await
        .expect(StatusCode::OK)
        .body;
    assert_eq!(patched["properties"]["enableRbacAuthorization"], true);
    assert_eq!(
        patched["properties"]["accessPolicies"],
        properties["accessPolicies"]
    );
    for name in ["1kv", "kv--1", "kv", "a-name-of-more-than-24-chars", "kv_1"] {
        let reply = site.api.put(&vault(name), &body(&site, &[])).await;
        reply.refused("VaultNameNotValid");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_value_is_a_version_and_no_answer_of_the_api_shows_one() {
    let site = Site::with_group().await;
    site.api
        .create(&vault("kv-one"), &body(&site, &["get", "set", "list"]))
        .await;
    let secret = format!("{}/secrets/web", vault("kv-one"));
    let put = |value: &str| json!({"properties": {"value": value, "contentType": "text/plain"}});
    let first = site
        .api
        .put(&secret, &put("one"))
        .await
        .expect(StatusCode::CREATED);
    let second = site
        .api
        .put(&secret, &put("two"))
        .await
        .expect(StatusCode::OK);
    for reply in [&first, &second, &site.api.get(&secret).await] {
        assert!(
            !reply.text.contains("\"one\"") && !reply.text.contains("\"two\""),
            "{reply:?}"
        );
    }
    let version = |reply: &support::Reply| {
        let uri = reply.body["properties"]["secretUriWithVersion"]
            .as_str()
            .unwrap()
            .to_owned();
        assert!(
            uri.starts_with("https://kv-one.vault.local/secrets/web/"),
            "{uri}"
        );
        uri.rsplit('/').next().unwrap().to_owned()
    };
    let (first, second) = (version(&first), version(&second));
    let data = "/keyvault/kv-one/secrets/web";
    let dated = site.api.get(&format!("{data}?api-version=7.4")).await;
    dated.expect(StatusCode::OK);
    let other = site
        .api
        .get(&format!("{}?api-version=7.4", vault("kv-one")))
        .await;
    other.refused("InvalidApiVersionParameter");
    for (path, value) in [
        (data.to_owned(), "two"),
        (format!("{data}/{first}"), "one"),
        (format!("{data}/{second}"), "two"),
    ] {
        let shown = site.api.get(&path).await.expect(StatusCode::OK).body;
        assert_eq!(shown["value"], value, "{path}");
    }
    let listed = site.api.get(&format!("{data}/versions")).await.body;
    assert_eq!(listed["value"].as_array().unwrap().len(), 2);
    site.api
        .get(&format!("{data}/ffff"))
        .await
        .refused("SecretNotFound");
    let off = json!({"attributes": {"enabled": false}});
    site.api.patch(data, &off).await.expect(StatusCode::OK);
    site.api.get(data).await.refused("Forbidden");
    site.api
        .get(&format!("{data}/{first}"))
        .await
        .expect(StatusCode::OK);
    let large = "x".repeat(25 * 1024 + 1);
    site.api
        .put(&secret, &put(&large))
        .await
        .refused("BadParameter");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_vault_says_who_reads_it() {
    let site = Site::with_group().await;
    site.api
        .create(&vault("kv-one"), &body(&site, &["set"]))
        .await;
    let data = "/keyvault/kv-one/secrets/web";
    site.api
        .put(data, &json!({"value": "x"}))
        .await
        .expect(StatusCode::OK);
    let refused = site.api.get(data).await;
    assert!(
        refused
            .refused("Forbidden")
            .contains("does not have secrets get permission")
    );
    let anonymous = site
        .api
        .client
        .get(format!("{}{data}?api-version=7.4", site.api.root));
    assert_eq!(
        anonymous.send().await.unwrap().status(),
        StatusCode::UNAUTHORIZED
    );
    let policy = json!({"properties": {"accessPolicies": [{
        "tenantId": DEFAULT_TENANT,
        "objectId": site.bootstrap.principal.object_id,
        "permissions": {"secrets": ["get"]},
    }]}});
    let path = format!("{}/accessPolicies/add", vault("kv-one"));
    site.api.put(&path, &policy).await.expect(StatusCode::OK);
    site.api.get(data).await.expect(StatusCode::OK);
    let path = format!("{}/accessPolicies/remove", vault("kv-one"));
    site.api.put(&path, &policy).await.expect(StatusCode::OK);
    site.api.get(data).await.refused("Forbidden");
    let roles = json!({"properties": {"enableRbacAuthorization": true}});
    site.api
        .patch(&vault("kv-one"), &roles)
        .await
        .expect(StatusCode::OK);
    site.api.get(data).await.expect(StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_deleted_can_be_recovered_until_it_is_purged() {
    let site = Site::with_group().await;
    let all = ["get", "set", "list", "delete", "recover", "purge"];
    let body = body(&site, &all);
    site.api.create(&vault("kv-one"), &body).await;
    for name in ["web", "old"] {
        let path = format!("/keyvault/kv-one/secrets/{name}");
        site.api
            .put(&path, &json!({"value": name}))
            .await
            .expect(StatusCode::OK);
    }
    let old = "/keyvault/kv-one/secrets/old";
    let gone = site.api.delete(old).await.expect(StatusCode::OK).body;
    assert_eq!(
        gone["recoveryId"],
        "https://kv-one.vault.local/deletedsecrets/old"
    );
    site.api.get(old).await.refused("SecretNotFound");
    site.api
        .put(old, &json!({"value": "x"}))
        .await
        .refused("Conflict");

    site.api.remove(&vault("kv-one")).await;
    site.api
        .get(&vault("kv-one"))
        .await
        .refused("ResourceNotFound");
    site.api
        .get("/keyvault/kv-one/secrets/web")
        .await
        .refused("NotFound");
    site.api
        .put(&vault("kv-one"), &body)
        .await
        .refused("ConflictError");
    let provider = "/subscriptions/00000000-0000-4000-8000-000000000001/providers";
    let deleted = format!("{provider}/Microsoft.KeyVault/deletedVaults");
    let listed = site.api.get(&deleted).await.expect(StatusCode::OK).body;
    assert_eq!(listed["value"][0]["name"], "kv-one");

    let recover = json!({"location": LOCATION, "properties": {"createMode": "recover"}});
    site.api
        .put(&vault("kv-one"), &recover)
        .await
        .expect(StatusCode::OK);
    let shown = site
        .api
        .get("/keyvault/kv-one/secrets/web")
        .await
        .expect(StatusCode::OK);
    assert_eq!(shown.body["value"], "web");
    site.api.get(old).await.refused("SecretNotFound");
    let recovered = site
        .api
        .post("/keyvault/kv-one/deletedsecrets/old/recover", None)
        .await;
    recovered.expect(StatusCode::OK);
    assert_eq!(site.api.get(old).await.body["value"], "old");

    site.api.remove(&vault("kv-one")).await;
    let purge = format!("{provider}/Microsoft.KeyVault/locations/local/deletedVaults/kv-one/purge");
    site.api.post(&purge, None).await.expect(StatusCode::OK);
    site.api
        .put(&vault("kv-one"), &recover)
        .await
        .refused("DeletedVaultNotFound");
    site.api
        .put(&vault("kv-one"), &body)
        .await
        .expect(StatusCode::CREATED);
    site.api
        .get("/keyvault/kv-one/secrets/web")
        .await
        .refused("SecretNotFound");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_imported_certificate_is_a_secret_without_a_password() {
    let site = Site::with_group().await;
    site.api
        .create(&vault("kv-one"), &body(&site, &["get"]))
        .await;
    let identity = Authority::new("Root").issue(Leaf::named("app.contoso.test"));
    let import = "/keyvault/kv-one/certificates/web/import";
    let given = json!({"value": STANDARD.encode(identity.pfx("pass")), "pwd": "pass"});
    let shown = site
        .api
        .post(import, Some(&given))
        .await
        .expect(StatusCode::OK)
        .body;
    assert_eq!(shown["cer"], STANDARD.encode(identity.leaf()));
    let secret = site
        .api
        .get("/keyvault/kv-one/secrets/web")
        .await
        .expect(StatusCode::OK)
        .body;
    assert_eq!(secret["contentType"], "application/x-pkcs12");
    assert_eq!(secret["managed"], true);
    let read = gatewright_compile::read_from_vault(secret["value"].as_str().unwrap()).unwrap();
    assert_eq!(read.chain[0], identity.leaf().to_vec());
    let pem = json!({"value": identity.pem()});
    site.api
        .post(import, Some(&pem))
        .await
        .expect(StatusCode::OK);
    let secret = site
        .api
        .get("/keyvault/kv-one/secrets/web")
        .await
        .expect(StatusCode::OK)
        .body;
    assert_eq!(secret["contentType"], "application/x-pem-file");
    let wrong = json!({"value": given["value"], "pwd": "other"});
    let refused = site.api.post(import, Some(&wrong)).await;
    assert!(
        refused
            .refused("BadParameter")
            .contains("the password does not fit")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_goes_with_its_vaults_and_their_secrets() {
    let site = Site::with_group().await;
    site.api
        .create(&vault("kv-one"), &body(&site, &["set"]))
        .await;
    let path = "/keyvault/kv-one/secrets/web";
    site.api
        .put(path, &json!({"value": "x"}))
        .await
        .expect(StatusCode::OK);
    let reply = site
        .api
        .delete(&group(GROUP))
        .await
        .expect(StatusCode::ACCEPTED);
    site.api.result(&reply).await.expect(StatusCode::OK);
    site.api
        .get(&group(GROUP))
        .await
        .refused("ResourceGroupNotFound");
    site.api
        .create(&group(GROUP), &json!({"location": LOCATION}))
        .await;
    let recover = json!({"location": LOCATION, "properties": {"createMode": "recover"}});
    let back = site.api.put(&vault("kv-one"), &recover).await;
    back.expect(StatusCode::OK);
    let secret = format!("{}/secrets/web", vault("kv-one"));
    site.api.get(&secret).await.expect(StatusCode::OK);
}
