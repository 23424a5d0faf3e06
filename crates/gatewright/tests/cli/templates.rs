//! Deployment templates in place of gateway files.

use gatewright_testkit::backend::{Backend, Manners};
use gatewright_testkit::client::get;
use serde_json::{Value, json};

use crate::support::{Files, ID, Node, free_port, gateway, probe_often, run, spoil, stdout};

/// The tests' gateway as a template, with its network; the server's address is a parameter.
fn template(port: u16) -> Value {
    let mut resource = gateway(port);
    let members = resource.as_object_mut().unwrap();
    members.shift_remove("id");
    members.insert("apiVersion".to_owned(), json!("2023-09-01"));
    members.insert("location".to_owned(), json!("[resourceGroup().location]"));
    members.insert("dependsOn".to_owned(), json!(["[variables('network')]"]));
    let properties = &mut resource["properties"];
    properties["backendAddressPools"][0]["properties"]["backendAddresses"] =
        json!([{ "ipAddress": "[parameters('server')]" }]);
    with_expressions(properties);
    json!({
        "$schema": "https://schema.management.azure.com/schemas/2019-04-01/\
                    deploymentTemplate.json#",
        "contentVersion": "1.0.0.0",
        "parameters": { "server": { "type": "string" } },
        "variables": {
            "gateway": "[resourceId('Microsoft.Network/applicationGateways', 'gw')]",
            "group": "[resourceId('Microsoft.Network/networkSecurityGroups', 'nsg')]",
            "network": "[resourceId('Microsoft.Network/virtualNetworks', 'vn')]",
        },
        "resources": [resource, {
            "type": "Microsoft.Network/virtualNetworks",
            "apiVersion": "2023-09-01",
            "name": "vn",
            "location": "[resourceGroup().location]",
            "properties": {
                "addressSpace": { "addressPrefixes": ["10.9.0.0/16"] },
                "subnets": [
                    { "name": "sn", "properties": { "addressPrefix": "10.9.0.0/24" } },
                    {
                        "name": "servers",
                        "properties": {
                            "addressPrefix": "10.9.8.0/24",
                            "networkSecurityGroup": { "id": "[variables('group')]" },
                        },
                    },
                ],
            },
        }],
    })
}

/// The ids of a document as expressions.
fn with_expressions(value: &mut Value) {
    match value {
        Value::String(text) if text.starts_with(ID) => {
            *text = format!("[concat(variables('gateway'), '{}')]", &text[ID.len()..]);
        }
        Value::String(text) if text.ends_with("/virtualNetworks/vn/subnets/sn") => {
            "[concat(variables('network'), '/subnets/sn')]".clone_into(text);
        }
        Value::Array(items) => items.iter_mut().for_each(with_expressions),
        Value::Object(members) => members.values_mut().for_each(with_expressions),
        _ => {}
    }
}

/// The security group of the server's subnet, which lets nobody in or everybody.
fn security_group(access: &str) -> Value {
    json!({
        "type": "Microsoft.Network/networkSecurityGroups",
        "apiVersion": "2023-09-01",
        "name": "nsg",
        "location": "[resourceGroup().location]",
        "properties": { "securityRules": [{ "name": "all", "properties": {
            "access": access, "direction": "Inbound", "priority": 100, "protocol": "*",
            "sourceAddressPrefix": "*", "sourcePortRange": "*",
            "destinationAddressPrefix": "*", "destinationPortRange": "*",
        } }] },
    })
}

fn parameters() -> Value {
    json!({
        "$schema": "https://schema.management.azure.com/schemas/2019-04-01/\
                    deploymentParameters.json#",
        "contentVersion": "1.0.0.0",
        "parameters": { "server": { "value": "10.9.8.7" } },
    })
}

#[test]
fn a_template_is_validated_with_its_parameters() {
    let files = Files::new(&template(80));
    let output = run(&["validate", &files.gateway()]);
    assert_eq!(output.status.code(), Some(1));
    let text = stdout(&output);
    assert!(
        text.contains(
            "error InvalidTemplate: Deployment template validation failed: 'The value for the \
             template parameter 'server' at line '5' and column '"
        ),
        "{text}"
    );
    assert!(text.contains("--parameters"), "{text}");

    files.write_as("parameters.json", &parameters());
    let given = files.path("parameters.json").display().to_string();
    let output = run(&["validate", &files.gateway(), "--parameters", &given]);
    let text = stdout(&output);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("1 gateway, 0 errors"), "{text}");

    let nowhere = files.path("nowhere.json").display().to_string();
    let output = run(&["validate", &files.gateway(), "--parameters", &nowhere]);
    let text = stdout(&output);
    assert!(
        text.contains("the file that --parameters names does not exist"),
        "{text}"
    );
}

#[test]
fn a_fault_of_the_gateway_is_found_in_a_template_too() {
    let mut document = template(80);
    spoil(&mut document["resources"][0]);
    with_expressions(&mut document["resources"][0]);
    document["parameters"]["server"]["defaultValue"] = json!("10.9.8.7");
    let output = run(&["validate", &Files::new(&document).gateway()]);
    let text = stdout(&output);
    assert!(
        text.contains(
            "/properties/requestRoutingRules/0/properties/backendAddressPool: error \
             InvalidResourceReference: "
        ),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_is_served_with_its_network() {
    let backend = Backend::start(Manners::text("hello")).await.unwrap();
    let map = format!("10.9.8.7:80={}", backend.address());
    for (access, health, status) in [("Allow", "Healthy", 200), ("Deny", "Unhealthy", 502)] {
        let mut document = template(free_port());
        probe_often(&mut document["resources"][0], json!({ "timeout": 2 }));
        with_expressions(&mut document["resources"][0]);
        let resources = document["resources"].as_array_mut().unwrap();
        resources.push(security_group(access));
        let files = Files::new(&document);
        files.write_as("parameters.json", &parameters());
        let given = files.path("parameters.json").display().to_string();
        let node = Node::serve(&files, &["--parameters", &given, "--map", &map]);
        node.wait_for_healths(&[health]);
        let response = get(node.address(), "any", "/").await.unwrap();
        assert_eq!(response.status, status, "{access}");
    }
}
