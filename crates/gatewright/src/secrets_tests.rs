use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use gatewright_testkit::certificates::{Authority, Leaf};
use serde_json::json;

use super::*;

fn cleaned(mut document: Value) -> (Value, Vec<String>) {
    let removed = Cleaner::new().unwrap().clean(&mut document);
    (document, removed)
}

/// Fails unless the document is written without `secret`.
#[track_caller]
fn goes(document: Value, secret: &str) {
    let before = document.to_string();
    assert!(before.contains(secret), "{before} has no {secret}");
    let (after, removed) = cleaned(document);
    assert!(!after.to_string().contains(secret), "{after}");
    assert!(!removed.is_empty(), "{after}");
}

#[track_caller]
fn stays(document: Value) {
    let (after, removed) = cleaned(document.clone());
    assert_eq!(after, document);
    assert_eq!(removed, Vec::<String>::new());
}

fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

#[test]
fn members_go_by_their_names_in_any_case_and_spelling() {
    for name in [
        "password",
        "Password",
        "certPassword",
        "cert_password",
        "PUBLISHINGPASSWORD",
        "publishingUserName",
        "adminPassword",
        "customData",
        "clientSecret",
        "client-secret",
        "accessToken",
        "refresh_token",
        "connectionString",
        "ConnectionStrings",
        "primaryKey",
        "accountKey",
        "storageAccountKey1",
        "adminPassword2",
        "sharedKey",
        "privateKey",
        "protectedSettings",
        "machineKey",
        "appSettings",
        "claims",
        "requestbody",
        "pfxBlob",
        "authorization",
        "secrets",
        "x-functions-key",
        "sasToken",
        "key1",
    ] {
        let (after, removed) = cleaned(json!({ "a": { name: "hunter2", "name": "x" } }));
        assert_eq!(after, json!({ "a": { "name": "x" } }), "{name}");
        assert_eq!(removed, [format!("/a/{name}")]);
        goes(
            json!([{ "properties": { name: { "deep": ["hunter2"] } } }]),
            "hunter2",
        );
        goes(json!({ name: 31415926 }), "31415926");
    }
    let (_, removed) = cleaned(json!({ "a/b": [{ "pass~": "x", "pwd": "y" }] }));
    assert_eq!(removed, ["/a~1b/0/pass~0", "/a~1b/0/pwd"]);
}

#[test]
fn what_a_diagnosis_needs_stays() {
    stays(json!({
        "keyVaultSecretId": "https://kv1.vault.azure.net/secrets/site/0123456789abcdef",
        "disablePasswordAuthentication": true, "password": null, "data": null,
        "affinityCookieName": "Affinity", "cookieBasedAffinity": "Enabled",
        "permissions": { "secrets": ["get", "list"], "keys": [], "certificates": ["get"] },
        "timeseries": [{ "data": [{ "timeStamp": "2026-03-20T14:42:00Z", "total": 3.0 }] }],
        "name": { "value": "CapacityUnits", "localizedValue": "Capacity Units" },
        "probe": "https://app.contoso.test:8443/healthz?full=1&verbose=true",
        "id": "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/v",
        "message": "Received invalid status code: 401, WWW-Authenticate: Basic realm=app",
        "error": "Code=\"AuthorizationFailed\" Message=\"The password is incorrect.\"",
        "requestHeaderConfigurations": [{ "headerName": "X-Forwarded-Proto", "headerValue": "a" }],
    }));
}

#[test]
fn certificates_stay_where_they_are_certificates() {
    let root = Authority::new("Contoso Root");
    let identity = root.issue(Leaf::named("app.contoso.test"));
    let der = base64(identity.leaf());
    let pem = identity.cert_pem();
    for text in [der.clone(), pem.clone(), base64(pem.as_bytes())] {
        stays(json!({ "trustedRootCertificates": [{ "name": "r", "data": text }] }));
        let properties = json!({ "properties": { "data": text } });
        stays(json!({ "properties": { "AuthenticationCertificates": [properties] } }));
    }
    stays(json!({ "sslCertificates": [{ "name": "s", "publicCertData": der }] }));
    goes(
        json!({ "sslCertificates": [{ "name": "s", "data": der }] }),
        &der,
    );

    // What pretends to be one.
    let pfx = base64(&identity.pfx("x"));
    let key: String = identity
        .key_pem()
        .lines()
        .filter(|line| !line.contains("--"))
        .collect();
    let both = format!("{pem}{}", identity.key_pem());
    for (text, secret) in [
        (pfx.clone(), &pfx[..40]),
        (key.clone(), &key[..40]),
        (both.clone(), &key[..40]),
        (base64(both.as_bytes()), &base64(both.as_bytes())[..40]),
        ("hunter2".to_owned(), "hunter2"),
    ] {
        goes(
            json!({ "trustedRootCertificates": [{ "data": text }] }),
            secret,
        );
        goes(
            json!({ "trustedRootCertificates": [{ "data": { "data": text } }] }),
            secret,
        );
    }
    goes(
        json!({ "trustedRootCertificates": [{ "password": "hunter2" }] }),
        "hunter2",
    );
}

#[test]
fn keys_go_wherever_they_stand() {
    let identity = Authority::new("Contoso Root").issue(Leaf::named("app.contoso.test"));
    let pem = identity.key_pem();
    let key: String = pem.lines().filter(|line| !line.contains("--")).collect();
    let pfx = base64(&identity.pfx("x"));
    let lines = pfx.as_bytes().chunks(40);
    let lines: Vec<&str> = lines
        .map(|line| std::str::from_utf8(line).unwrap())
        .collect();
    let wrapped = lines.join("\r\n");
    let last = wrapped.lines().last().unwrap().to_owned();
    for (text, secret) in [
        (pem.clone(), &key[..40]),
        (key.clone(), &key[..40]),
        (pfx.clone(), &pfx[..40]),
        (
            format!("data:application/x-pkcs12;base64,{pfx}"),
            &pfx[..40],
        ),
        (pfx.replace('+', "-").replace('/', "_"), &pfx[..16]),
        (wrapped.clone(), last.as_str()),
        (base64(pem.as_bytes()), &base64(pem.as_bytes())[40..80]),
    ] {
        goes(json!({ "publicCertData": text }), secret);
        goes(json!({ "tags": { "note": [text] } }), secret);
    }
    // Encrypted with a password: PBES2.
    let encrypted =
        "MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAgAAAAAAAAAAAICCAAwDAYIKoZIhvcNAgkF";
    goes(json!({ "note": encrypted }), &encrypted[..40]);
}

#[test]
fn secrets_within_texts_go_and_the_rest_stays() {
    let cleaner = Cleaner::new().unwrap();
    let check = |text: &str, expected: &str| {
        assert_eq!(cleaner.text(text), expected);
        // Once is enough.
        assert_eq!(cleaner.text(expected), expected);
    };
    check(
        "https://a.blob.core.windows.net/p/403.html?sv=2024-01-01&sr=b&sig=aB%2Fc%3D&sp=r",
        "https://a.blob.core.windows.net/p/403.html?sv=2024-01-01&sr=b&sig=(removed)&sp=r",
    );
    check("SIG=abc", "SIG=(removed)");
    check("/x?code=abc== HTTP/1.1", "/x?code=(removed) HTTP/1.1");
    check("/x?u=1&API_KEY=abc#f", "/x?u=1&API_KEY=(removed)");
    check("next=%2Fp%3Fsig%3DaBc", "next=%2Fp%3Fsig%3D(removed)");
    check(
        "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=aBc/+==;EndpointSuffix=x",
        "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=(removed);EndpointSuffix=x",
    );
    check(
        "Server=tcp:db;User ID=u;Password=two words;Encrypt=True",
        "Server=tcp:db;User ID=u;Password=(removed);Encrypt=True",
    );
    check(
        "Endpoint=sb://x/;SharedAccessKey=aBc=",
        "Endpoint=sb://x/;SharedAccessKey=(removed)",
    );
    check(
        "https://bob:hunter2@db.test/x",
        "https://bob:(removed)@db.test/x",
    );
    check(
        "Authorization: Bearer abcdefghijkl.mno",
        "Authorization: Bearer (removed)",
    );
    check(
        "token eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.c2ln end",
        "token (removed) end",
    );
    check(
        "no secret: https://app.test/?page=2&sort=key, basic rules",
        "no secret: https://app.test/?page=2&sort=key, basic rules",
    );
}

#[test]
fn headers_and_settings_are_pairs() {
    for (name, value) in [
        ("headerName", "headerValue"),
        ("name", "value"),
        ("Name", "Value"),
    ] {
        for header in [
            "Authorization",
            "Proxy-Authorization",
            "Cookie",
            "X-Api-Key",
            "x-functions-key",
            "Ocp-Apim-Subscription-Key",
            "DB_PASSWORD",
            "AzureWebJobsSecretStorage",
        ] {
            let (after, _) = cleaned(json!({ name: header, value: "hunter2" }));
            assert_eq!(after, json!({ name: header, value: "(removed)" }));
        }
    }
    stays(json!({ "headerName": "Cookie", "headerValue": "" }));
    goes(
        json!({ "value": { "x": "hunter2" }, "name": "secret" }),
        "hunter2",
    );
}

#[test]
fn json_in_texts_is_looked_into() {
    let inner = json!({ "properties": { "password": "hunter2", "port": 80 } }).to_string();
    let (after, removed) = cleaned(json!({ "statusMessage": inner }));
    let kept = json!({ "properties": { "port": 80 } }).to_string();
    assert_eq!(after, json!({ "statusMessage": kept }));
    assert_eq!(removed, ["/statusMessage"]);
    stays(json!({ "statusMessage": " {\"error\": {\"code\": \"X\", \"message\": \"y\"}} " }));
    // In as many layers as anybody likes.
    let mut text = json!({ "password": "hunter2" }).to_string();
    for _ in 0..8 {
        text = json!({ "message": text }).to_string();
    }
    goes(json!({ "statusMessage": text }), "hunter2");
    // Half a document is a text.
    let half = "{\"password\": \"hunter2\", \"sig\": \"x\"";
    let (after, _) = cleaned(json!({ "m": half }));
    assert!(!after.to_string().contains("hunter2"), "{after}");
}
