//! Templates: judged, foretold, deployed, shown.

use serde_json::json;

use crate::stage::{has, id, names, site};

/// As people write them: with comments, and a text over two lines.
const TEMPLATE: &str = r#"{
  // A network of the parameter's name.
  "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
  "contentVersion": "1.0.0.0",
  "parameters": { "name": { "type": "string" } },
  "resources": [{
    "type": "Microsoft.Network/virtualNetworks",
    "apiVersion": "2023-09-01",
    "name": "[parameters('name')]",
    "location": "[resourceGroup().location]", /* where the group is */
    "properties": { "addressSpace": { "addressPrefixes": ["10.20.0.0/16"] } }
  }],
  "outputs": {
    "vnetId": {
      "type": "string",
      "value": "[resourceId('Microsoft.Network/virtualNetworks',
                 parameters('name'))]"
    }
  }
}"#;

#[tokio::test(flavor = "multi_thread")]
async fn templates() {
    let Some(site) = site(&[]) else { return };
    site.az("group create -n rg -l local");
    site.write("net.json", TEMPLATE);
    let network = id("Microsoft.Network/virtualNetworks/net9");
    let valid =
        site.az("deployment group validate -g rg --template-file net.json --parameters name=net9");
    has(
        &valid["properties"],
        &json!({ "provisioningState": "Succeeded", "error": null }),
    );
    assert_eq!(valid["properties"]["validatedResources"][0]["id"], network);
    let foretold = site
        .text("az deployment group what-if -g rg --template-file net.json --parameters name=net9");
    assert!(
        foretold.contains("+ Microsoft.Network/virtualNetworks/net9"),
        "{foretold}"
    );
    assert_eq!(site.az("network vnet list -g rg"), json!([]));

    let made = site.az(
        "deployment group create -g rg -n dep1 --template-file net.json --parameters name=net9",
    );
    has(
        &made,
        &json!({ "name": "dep1", "properties": {
            "provisioningState": "Succeeded", "mode": "Incremental", "error": null,
            "outputs": { "vnetId": { "type": "String", "value": network } },
            "parameters": { "name": { "type": "String", "value": "net9" } },
        }}),
    );
    assert_eq!(made["properties"]["outputResources"][0]["id"], network);
    let made_network = site.az("network vnet list -g rg");
    assert_eq!(names(&made_network), ["net9"]);
    assert_eq!(made_network[0]["location"], "local");
    assert_eq!(site.az("deployment group show -g rg -n dep1"), made);
    assert_eq!(names(&site.az("deployment group list -g rg")), ["dep1"]);
    let foretold = site
        .text("az deployment group what-if -g rg --template-file net.json --parameters name=net9");
    assert!(
        foretold.contains("= Microsoft.Network/virtualNetworks/net9"),
        "{foretold}"
    );
    assert!(
        foretold.contains("Resource changes: 1 no change."),
        "{foretold}"
    );

    let create = "deployment group create -g rg --template-file";
    let said = site.refused(&format!("{create} net.json"));
    assert!(said.contains("Missing input parameters: name"), "{said}");
    site.write(
        "bad.json",
        TEMPLATE.replace("[parameters('name')]", "[parameters('nam')]"),
    );
    let said = site.refused(&format!("{create} bad.json --parameters name=net9"));
    assert!(
        said.contains("InvalidTemplate") && said.contains("'nam'"),
        "{said}"
    );
    let said = site.fails("az deployment group what-if -g rg --template-file bad.json -p name=n");
    assert!(said.contains("'nam'"), "{said}");
    assert!(!said.contains("Traceback"), "{said}");
    site.write(
        "wide.json",
        TEMPLATE.replace("10.20.0.0/16", "10.20.0.0/99"),
    );
    let said = site.refused(&format!("{create} wide.json --parameters name=net8"));
    assert!(said.contains("10.20.0.0/99"), "{said}");
    assert_eq!(names(&site.az("network vnet list -g rg")), ["net9"]);
    let said = site.exits(3, "deployment group show -g rg -n nosuch");
    assert!(
        said.contains("(ResourceNotFound)") && said.contains("nosuch"),
        "{said}"
    );
}
