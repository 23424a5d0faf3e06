//! Logging in by hand, without `az-setup`, in both styles of authority; and what a reader may do.

use serde_json::{Value, json};

use crate::site::Site;
use crate::stage::{SUBSCRIPTION, has, names, site_with_gateway};

/// A folder of az's own, with nothing in it.
const ELSEWHERE: &str = "export AZURE_CONFIG_DIR=$PWD/elsewhere";

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_logs_in_by_hand() {
    let Some(site) = site_with_gateway(&[]) else {
        return;
    };
    let group = format!("{SUBSCRIPTION}/resourceGroups/rg");
    site.az("group create -n hidden -l local");
    let made = site.gatewright(&format!(
        "sp create --name ci --role Reader --scope {group}"
    ));
    let reader: Value = serde_json::from_str(&made).unwrap();
    let login = |secret: &str, tenant: &str| {
        let user = reader["appId"].as_str().unwrap();
        format!(
            "{ELSEWHERE}; az login --service-principal -u {user} -p='{secret}' --tenant {tenant}"
        )
    };
    let secret = reader["password"].as_str().unwrap();
    let az = |words: &str| site.json(&format!("{ELSEWHERE}; az {words}"));
    az("cloud register -n ByHand --endpoint-resource-manager $GATEWRIGHT_ENDPOINT");
    az("cloud set -n ByHand");
    assert_eq!(az("cloud show --query isActive"), true);
    let authority = az("cloud show --query endpoints.activeDirectory");
    assert!(
        authority.as_str().unwrap().ends_with("/adfs"),
        "{authority}"
    );
    let said = site.fails(&login("wrong", "$AZURE_TENANT_ID"));
    assert!(said.contains("Invalid client secret provided"), "{said}");

    // As people of another cloud of this style are used to, and as ours has it.
    for tenant in ["adfs", "$AZURE_TENANT_ID"] {
        let seen = site.json(&login(secret, tenant));
        has(
            &seen[0],
            &json!({
                "id": SUBSCRIPTION.trim_start_matches("/subscriptions/"), "state": "Enabled",
                "cloudName": "ByHand", "tenantId": "00000000-0000-4000-8000-000000000002",
                "user": { "name": reader["appId"], "type": "servicePrincipal" },
            }),
        );
    }
    reads_alone(&site);

    // In the other style az asks a stranger first, unless it is told not to.
    az("logout");
    az("config set core.instance_discovery=false --only-show-errors");
    az("cloud update -n ByHand --endpoint-active-directory $GATEWRIGHT_ENDPOINT");
    assert_eq!(
        site.json(&login(secret, "$AZURE_TENANT_ID"))[0]["state"],
        "Enabled"
    );
    assert_eq!(names(&az("group list")), ["rg"]);
    let user = reader["appId"].as_str().unwrap();
    site.gatewright(&format!("sp revoke {user}"));
    let said = site.fails(&format!("{ELSEWHERE}; az group list"));
    assert!(
        said.contains(user) || said.contains("InvalidAuthenticationToken"),
        "{said}"
    );
}

fn reads_alone(site: &Site) {
    let az = |words: &str| site.json(&format!("{ELSEWHERE}; az {words}"));
    let fails = |words: &str| site.fails(&format!("{ELSEWHERE}; az {words}"));
    // Lists hold what a caller may read, and nothing else is told from what is not there.
    assert_eq!(names(&az("group list")), ["rg"]);
    assert_eq!(names(&az("network application-gateway list")), ["gw"]);
    let said = fails("group show -n hidden");
    assert!(said.contains("(AuthorizationFailed)"), "{said}");
    for (words, action) in [
        (
            "network application-gateway stop -g rg -n gw",
            "Microsoft.Network/applicationGateways/stop/action",
        ),
        (
            "network application-gateway update -g rg -n gw --set tags.a=b",
            "Microsoft.Network/applicationGateways/write",
        ),
        (
            "group create -n more -l local",
            "Microsoft.Resources/subscriptions/resourceGroups/write",
        ),
    ] {
        let said = fails(words);
        assert!(said.contains("(AuthorizationFailed)"), "{said}");
        assert!(said.contains(&format!("'{action}'")), "{said}");
    }
    let state = "network application-gateway show -g rg -n gw --query [operationalState,tags]";
    assert_eq!(az(state), json!(["Running", {}]));
}
