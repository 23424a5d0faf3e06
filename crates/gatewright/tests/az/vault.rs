//! A certificate that lies in a vault, by the commands of docs/key-vault.md: denied, mended,
//! renewed.

use gatewright_testkit::certificates::{Authority, Leaf, client_trusting};
use gatewright_testkit::client::get_tls;
use serde_json::json;

use crate::site::Site;
use crate::stage::{GATEWAY, has, id, site};

const HOST: &str = "shop.contoso.test";

/// Stores a certificate of `root` in the vault, as the newest version of the secret.
fn store(site: &Site, root: &Authority) {
    site.write("site.pfx", root.issue(Leaf::named(HOST)).pfx(""));
    let stored = site.json(
        r#"vault=$(az keyvault show -g rg -n kv1 --query id -o tsv)
        value="\"value\": \"$(base64 -w0 site.pfx)\""
        az rest --method put --url "$vault/secrets/site?api-version=2023-07-01" \
            --body "{\"properties\": {\"contentType\": \"application/x-pkcs12\", $value}}"
        "#,
    );
    assert_eq!(
        stored["properties"]["secretUri"],
        "https://kv1.vault.local/secrets/site"
    );
}

/// Whether the gateway shows a certificate of `root`.
async fn shows(site: &Site, root: &Authority) -> bool {
    let answer = get_tls(site.door(443), HOST, "/", client_trusting(root)).await;
    answer.is_ok_and(|answer| answer.status == 502)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_lies_in_a_vault() {
    let Some(site) = site(&[]) else { return };
    let [first, second] = ["First Root", "Second Root"].map(Authority::new);
    site.az("group create -n rg -l local");
    let vault = site.az("keyvault create -g rg -n kv1 -l local");
    assert_eq!(vault["properties"]["vaultUri"], "https://kv1.vault.local/");
    let identity = site.az("identity create -g rg -n id1 -l local");
    store(&site, &first);
    let grant = format!(
        "role assignment create --role 'Key Vault Secrets User' --scope {} \
         --assignee-object-id {} --assignee-principal-type ServicePrincipal",
        id("Microsoft.KeyVault/vaults/kv1"),
        identity["principalId"].as_str().unwrap()
    );
    let create = format!(
        "{GATEWAY} create -g rg -n gw --sku Standard_v2 --public-ip-address ip --vnet-name net \
         --subnet gateways --priority 100 --servers 10.0.1.4 --frontend-port 443 \
         --http-settings-protocol Http --http-settings-port 8080 --identity id1 \
         --key-vault-secret-id https://kv1.vault.local/secrets/site"
    );
    let said = site.refused(&create);
    let denied = "UserAssignedIdentityDoesNotHaveGetPermissionOnKeyVault";
    assert!(said.contains(denied), "{said}");
    let assignment = site.json(&format!("az {grant} -o json"));
    site.az(&format!("{GATEWAY} update -g rg -n gw"));
    assert!(shows(&site, &first).await);

    // Taken away again, what was good is served on.
    let assignment = assignment["id"].as_str().unwrap();
    site.az(&format!("role assignment delete --ids {assignment}"));
    let said = site.fails(&format!("az {GATEWAY} update -g rg -n gw"));
    assert!(
        said.contains("ApplicationGatewayKeyVaultSecretException"),
        "{said}"
    );
    assert!(said.contains(denied), "{said}");
    let state = site.az(&format!("{GATEWAY} show -g rg -n gw"));
    has(
        &state,
        &json!({"provisioningState": "Failed", "operationalState": "Running"}),
    );
    assert!(shows(&site, &first).await);
    site.json(&format!("az {grant} -o json"));
    site.az(&format!("{GATEWAY} update -g rg -n gw"));

    // A new version is followed, and the log says by whom.
    store(&site, &second);
    let since = std::time::Instant::now();
    while !shows(&site, &second).await {
        assert!(since.elapsed().as_secs() < 20, "{}", site.status());
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let log =
        site.az("monitor activity-log list -g rg --caller system --query [].operationName.value");
    let writes = log.as_array().unwrap().iter();
    let gateway = "Microsoft.Network/applicationGateways/write";
    assert!(
        writes.clone().count() > 0 && { writes }.all(|one| one == gateway),
        "{log}"
    );
    let log =
        site.az("monitor activity-log list -g rg --status Failed --query [].operationName.value");
    assert!(
        log.as_array().unwrap().iter().any(|one| one == gateway),
        "{log}"
    );
}
