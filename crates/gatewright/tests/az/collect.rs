//! `gatewright collect` and `gatewright diagnose --azure`, which run the real az.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use gatewright_testkit::backend::{Backend, Manners};
use gatewright_testkit::certificates::{Authority, Leaf};
use serde_json::Value;

use crate::guide::Guide;
use crate::site::Site;
use crate::stage::{GATEWAY, gw, site};
use crate::support::{binary, stderr, stdout};

const PASSWORD: &str = "Correct-Horse-7731";

/// What lets somebody read a page of a storage account.
const SIGNATURE: &str = "c3RhcGxlLWJhdHRlcnk";

/// The exit status of `gatewright` for these words, what it prints and what it says.
fn gatewright(site: &Site, words: &str) -> (i32, String, String) {
    let program = PathBuf::from(binary().get_program());
    let output = site.shell(&format!("{} {words}", program.display()));
    let status = output.status.code().unwrap();
    (status, stdout(&output), stderr(&output))
}

/// The files of a folder, by their names.
fn files(folder: &Path) -> BTreeMap<String, String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let read = |entry: fs::DirEntry| {
        let mode = entry.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{:?}", entry.path());
        let name = entry.file_name().into_string().unwrap();
        (name, fs::read_to_string(entry.path()).unwrap())
    };
    entries.map(read).collect()
}

/// Gives the gateway a certificate with its key, of which az shows neither the key nor the
/// password, and a tag with a signed address, which az shows as it is. What must not be written.
fn give_secrets(site: &Site) -> Vec<String> {
    let root = Authority::new("Contoso Root");
    let identity = root.issue(Leaf::named("shop.contoso.test"));
    let pfx = identity.pfx(PASSWORD);
    site.write("site.pfx", &pfx);
    gw(
        site,
        &format!("ssl-cert create -n site --cert-file site.pfx --cert-password {PASSWORD}"),
    );
    let page = format!("https://a.blob.core.windows.net/p/502.html?sv=1&sig={SIGNATURE}");
    site.az(&format!(
        "{GATEWAY} update -g rg -n gw --set 'tags.page={page}'"
    ));
    let shown = site.az(&format!("{GATEWAY} show -g rg -n gw"));
    assert_eq!(shown["tags"]["page"], *page);
    let encoded = site.text("base64 -w0 site.pfx");
    // Behind the first two lines is the public half, which certificates have too.
    let key = identity.key_pem();
    let key = key.lines().skip(1).take(2).map(str::to_owned);
    let others = [PASSWORD, &encoded[..64], SIGNATURE];
    key.chain(others.map(str::to_owned)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_is_denied_is_collected_and_diagnosed() {
    let Some(guide) = Guide::start(Backend::with(Manners::text("hello"))).await else {
        return;
    };
    let site = &guide.site;
    guide.probe_often();
    guide.is_mended().await;
    let secrets = give_secrets(site);
    let (status, text, said) = gatewright(site, "diagnose --azure -g rg -n gw");
    assert_eq!(status, 0, "{text}{said}");

    guide.deny();
    guide.is_broken().await;
    let (status, text, said) = gatewright(site, "collect -g rg -n gw --out evidence");
    assert_eq!(status, 0, "{text}{said}");
    let first = said.lines().next();
    let show = "az network application-gateway show -g rg -n gw -o json";
    assert_eq!(first, Some(show));
    // The control plane has no metrics: that ends nothing.
    let lacking = "not read: the metrics (metrics.json): az says: ";
    assert!(said.contains(lacking), "{said}");
    let folder = site.file("evidence");
    let mode = fs::metadata(&folder).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    let files = files(&folder);
    let names: Vec<&str> = files.keys().map(String::as_str).collect();
    let expected = [
        "backend-health.json",
        "collected.json",
        "gateway.json",
        "nsgs.json",
        "route-tables.json",
        "subnet.json",
        "vnet.json",
    ];
    assert_eq!(names, expected, "{said}");
    for (name, text) in &files {
        for secret in &secrets {
            assert!(!text.contains(secret), "{name} has {secret}");
        }
    }
    let gateway: Value = serde_json::from_str(&files["gateway.json"]).unwrap();
    let page = gateway["tags"]["page"].as_str().unwrap();
    assert!(page.ends_with("/502.html?sv=1&sig=(removed)"), "{page}");
    let groups: Value = serde_json::from_str(&files["nsgs.json"]).unwrap();
    assert_eq!(groups[0]["name"], "servers");
    assert_eq!(groups[0]["securityRules"][0]["name"], "Deny-Gateways");
    let tables: Value = serde_json::from_str(&files["route-tables.json"]).unwrap();
    assert_eq!(tables, Value::Array(Vec::new()));

    let by_folder = gatewright(site, "diagnose --evidence evidence -o json");
    assert_eq!(by_folder.0, 1, "{by_folder:?}");
    let answer: Value = serde_json::from_str(&by_folder.1).unwrap();
    let cause = &answer["findings"][0];
    assert_eq!(cause["cause"], "nsg-backend-deny", "{answer:#}");
    let fixes = cause["fix"].to_string();
    assert!(fixes.contains("--nsg-name servers"), "{fixes}");
    // At once, in a folder that is not needed any more.
    let at_once = gatewright(site, "diagnose --azure -g rg -n gw -o json");
    assert_eq!(at_once.0, 1, "{at_once:?}");
    let answer: Value = serde_json::from_str(&at_once.1).unwrap();
    assert_eq!(answer["findings"][0]["cause"], "nsg-backend-deny");
    assert!(!at_once.2.contains("the evidence is in"), "{}", at_once.2);
    refused(site);
}

/// What is refused, and with what.
fn refused(site: &Site) {
    let (status, _, said) = gatewright(site, "collect -g rg -n gw --out evidence");
    assert_eq!(status, 64, "{said}");
    assert!(said.starts_with("error: evidence is not empty"), "{said}");
    let (status, _, said) = gatewright(site, "collect -g rg -n nosuch --out other");
    assert_eq!(status, 69, "{said}");
    let error = said.lines().last().unwrap();
    let expected = "error: the gateway nosuch of rg cannot be read; az says: (ResourceNotFound)";
    assert!(error.starts_with(expected), "{said}");
    assert!(!site.file("other").exists());
    let script = "AZURE_CONFIG_DIR=$PWD/nobody";
    let program = PathBuf::from(binary().get_program());
    let asked = format!(
        "{script} {} collect -g rg -n gw --out other",
        program.display()
    );
    let output = site.shell(&asked);
    assert_eq!(output.status.code(), Some(69));
    assert!(stderr(&output).contains("az login"), "{}", stderr(&output));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_and_a_vault_are_found_by_the_gateway() {
    let Some(site) = site(&[]) else { return };
    for command in [
        "group create -n rg -l local",
        "group create -n apps -l local",
        "network vnet create -g rg -n net --subnet-name gateways --subnet-prefixes 10.0.0.0/24",
        "appservice plan create -g apps --sku B1 -n plan1 --is-linux",
        "webapp create -g apps -p plan1 -n app1 --runtime PYTHON:3.12",
        "keyvault create -g apps -n kv1 -l local --enable-rbac-authorization true",
        "identity create -g rg -n id1 -l local",
    ] {
        site.az(command);
    }
    let root = Authority::new("Contoso Root");
    site.write(
        "site.pfx",
        root.issue(Leaf::named("shop.contoso.test")).pfx(""),
    );
    site.json(
        r#"vault=$(az keyvault show -g apps -n kv1 --query id -o tsv)
        value="\"value\": \"$(base64 -w0 site.pfx)\""
        az rest --method put --url "$vault/secrets/site?api-version=2023-07-01" \
            --body "{\"properties\": {\"contentType\": \"application/x-pkcs12\", $value}}"
        principal=$(az identity show -g rg -n id1 --query principalId -o tsv)
        az role assignment create --role 'Key Vault Secrets User' --scope "$vault" \
            --assignee-object-id $principal --assignee-principal-type ServicePrincipal >/dev/null
        "#,
    );
    site.az(&format!(
        "{GATEWAY} create -g rg -n gw --sku Standard_v2 --public-ip-address ip --vnet-name net \
         --subnet gateways --priority 100 --servers app1.azurewebsites.net --frontend-port 443 \
         --http-settings-protocol Http --http-settings-port 80 --identity id1 \
         --key-vault-secret-id https://kv1.vault.local/secrets/site"
    ));
    gw(
        &site,
        "probe create -n app --protocol Http --path / --host-name-from-http-settings true \
         --interval 1 --timeout 1 --threshold 1",
    );
    gw(
        &site,
        "http-settings update -n appGatewayBackendHttpSettings --probe app \
         --host-name-from-backend-pool true",
    );
    site.wait_for_healths("gw", &["Healthy"]);
    site.az(
        "webapp config access-restriction add -g apps -n app1 --rule-name office --action Allow \
         --ip-address 203.0.113.10/32 --priority 90",
    );
    site.wait_for_healths("gw", &["Unhealthy"]);
    let (status, text, said) = gatewright(&site, "diagnose --azure -g rg -n gw --out out");
    assert_eq!(status, 1, "{text}{said}");
    assert!(
        text.contains("appservice-access-restriction"),
        "{text}{said}"
    );
    assert!(said.contains("the evidence is in out"), "{said}");
    let files = files(&site.file("out"));
    let read = |name: &str| -> Value { serde_json::from_str(&files[name]).unwrap() };
    let app = read("webapp.json");
    assert_eq!(app[0]["resourceGroup"], "apps");
    assert_eq!(
        app[0]["siteConfig"]["ipSecurityRestrictions"][0]["name"],
        "office"
    );
    assert_eq!(read("keyvault.json")["name"], "kv1");
}
