//! Whole requests as clients send them: copies of their traits, and those recorded, where they are.

mod common;

use std::path::Path;

use common::{Echo, scope};
use gatewright_template::{Document, Plan, Template, TemplateError, plan, read_document};
use serde_json::{Map, Value, json};

/// As the handler of a deployment does it.
fn requested(document: &Document) -> Result<Plan, TemplateError> {
    let template = document
        .part(&["properties", "template"])
        .expect("a template");
    let given = document
        .part(&["properties", "parameters"])
        .map(Document::into_value);
    let given = given
        .and_then(|given| given.as_object().cloned())
        .unwrap_or_default();
    plan(&Template::read(template)?, &given, &scope())
}

fn requested_text(text: &str) -> Plan {
    requested(&read_document(text.as_bytes()).unwrap()).unwrap()
}

#[test]
fn a_template_with_comments_and_broken_lines() {
    let plan = requested_text(include_str!("data/multiline.jsonc"));
    let id = format!(
        "{}/providers/Microsoft.Network/networkSecurityGroups/nsg1",
        common::GROUP
    );
    assert_eq!(plan.resources.len(), 1);
    let resource = &plan.resources[0];
    assert_eq!(
        (resource.id.as_str(), resource.name.as_str()),
        (id.as_str(), "nsg1")
    );
    assert_eq!((resource.line, resource.column), (20, 5));
    assert_eq!(resource.path, "properties.template.resources[0]");
    assert_eq!(resource.api_version, "2015-06-15");
    assert_eq!(resource.location.as_deref(), Some("westus"));
    let body = resource.body(&Echo::default()).unwrap();
    assert_eq!(
        body,
        json!({"location": "westus", "properties": {"securityRules": []}})
    );
    assert_eq!(plan.dependencies(), json!([]));
    assert_eq!(
        plan.providers(),
        json!([{"namespace": "Microsoft.Network", "resourceTypes": [
            {"resourceType": "networkSecurityGroups", "locations": ["westus"]},
        ]}])
    );
    assert_eq!(
        Value::Object(plan.parameters()),
        json!({"location": {"type": "String", "value": "westus"},
               "name": {"type": "String", "value": "nsg1"}})
    );
    assert_eq!(plan.output_resources(), json!([{"id": id}]));
    let outputs = Value::Object(plan.outputs(&Echo::default()).unwrap());
    assert_eq!(outputs["empty"], json!({"type": "String", "value": ""}));
    assert_eq!(outputs["newNSG"]["type"], "Object");
    assert_eq!(
        outputs["newNSG"]["value"]["asked"],
        format!("{id} 2015-06-15 false")
    );
}

#[test]
fn the_template_that_creates_a_gateway() {
    let plan = requested_text(include_str!("data/gateway.json"));
    let names: Vec<&str> = plan.resources.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["vnetnew", "pipnew", "gw2"]);
    assert_eq!(plan.resources[2].depends_on, [0, 1]);
    let body = plan.resources[2].body(&Echo::default()).unwrap();
    let gateway = format!(
        "{}/providers/Microsoft.Network/applicationGateways/gw2",
        common::GROUP
    );
    let listener = &body["properties"]["httpListeners"][0]["properties"];
    assert_eq!(
        listener["FrontendPort"]["Id"],
        format!("{gateway}/frontendPorts/appGatewayFrontendPort")
    );
    assert_eq!(listener["SslCertificate"], Value::Null);
    assert_eq!(
        body["properties"]["sslCertificates"][0]["properties"]["password"],
        "Pfx123"
    );
    assert_eq!(
        body["properties"]["backendHttpSettingsCollection"][0]["properties"]["Port"],
        "8080"
    );
    assert!(body.as_object().unwrap().contains_key("zones"));
    let keys: Vec<&String> = body.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["location", "tags", "properties", "zones"]);
    let answered = Value::Object(plan.parameters());
    assert_eq!(answered, json!({"certPassword": {"type": "SecureString"}}));
    // The shapes of these two are recorded.
    let resource = |kind: &str, name: &str| {
        json!({
            "id": format!("{}/providers/Microsoft.Network/{kind}/{name}", common::GROUP),
            "resourceType": format!("Microsoft.Network/{kind}"),
            "resourceName": name,
        })
    };
    let mut of_gateway = resource("applicationGateways", "gw2");
    of_gateway["dependsOn"] = json!([
        resource("virtualNetworks", "vnetnew"),
        resource("publicIPAddresses", "pipnew")
    ]);
    assert_eq!(plan.dependencies(), json!([of_gateway]));
    let ids: Vec<String> = plan
        .output_resources()
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            one["id"]
                .as_str()
                .unwrap()
                .rsplit('/')
                .next()
                .unwrap()
                .to_owned()
        })
        .collect();
    assert_eq!(ids, ["gw2", "pipnew", "vnetnew"]);
}

#[test]
fn a_hash_is_of_the_template_and_not_of_its_comments() {
    let hash = |text: &str| {
        let document = read_document(text.as_bytes()).unwrap();
        Template::read(document).unwrap().hash()
    };
    let plain = hash("{\"resources\": []}");
    assert!(plain.bytes().all(|byte| byte.is_ascii_digit()));
    assert_eq!(plain, hash("// c\n{resources:\n[]}"));
    assert_ne!(plain, hash("{\"resources\": [], \"outputs\": {}}"));
}

/// A file of reference data beside the repository; `None`, said aloud, where it is absent.
#[allow(clippy::print_stderr, reason = "a test that is skipped says so")]
fn beside(path: &str) -> Option<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let found = std::fs::read_to_string(folder.join(path)).ok();
    if found.is_none() {
        eprintln!("skipped: no {path} beside the repository");
    }
    found
}

#[test]
fn the_templates_that_the_client_posts() {
    for (file, resources) in [
        ("spec/az-create-template.json", 1),
        ("spec/az-create-template-new-vnet.json", 3),
    ] {
        let Some(text) = beside(file) else {
            continue;
        };
        let plan = requested_text(&text);
        assert_eq!(plan.resources.len(), resources, "{file}");
        let runtime = Echo::default();
        for resource in &plan.resources {
            let body = resource.body(&runtime).unwrap().to_string();
            assert!(
                !body.contains("\"["),
                "{file}: an expression is left in {body}"
            );
        }
        let outputs = plan.outputs(&runtime).unwrap();
        assert_eq!(outputs["applicationGateway"]["type"], "Object", "{file}");
    }
}

/// The recorded requests and answers of deployments, in a reading of just enough YAML: both are in
/// quoted scalars, folded over lines.
fn recorded(text: &str) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    for exchange in text.split("\n- request:\n").skip(1) {
        let body = scalar(exchange, "    body: ");
        let answer = scalar(exchange, "      string: ");
        if let (Some(body), Some(answer)) = (body, answer) {
            pairs.push((body, answer));
        }
    }
    pairs
}

fn scalar(text: &str, key: &str) -> Option<String> {
    let start = text
        .find(&format!("\n{key}"))
        .map(|at| at + 1)
        .or(text.starts_with(key).then_some(0))?;
    let mut rest = text.get(start + key.len()..)?.chars();
    let quote = rest.next().filter(|first| matches!(first, '\'' | '"'))?;
    let (mut result, mut rest) = (String::new(), rest.peekable());
    while let Some(next) = rest.next() {
        match next {
            '\'' if quote == '\'' => match rest.next_if_eq(&'\'') {
                Some(_) => result.push('\''),
                None => return Some(result),
            },
            '"' if quote == '"' => return Some(result),
            '\\' if quote == '"' => match rest.next()? {
                'n' => result.push('\n'),
                'r' => result.push('\r'),
                't' => result.push('\t'),
                'u' => {
                    let digits: String = rest.by_ref().take(4).collect();
                    result.push(char::from_u32(u32::from_str_radix(&digits, 16).ok()?)?);
                }
                '\n' => while rest.next_if_eq(&' ').is_some() {},
                other => result.push(other),
            },
            '\n' => {
                while result.ends_with(' ') {
                    result.pop();
                }
                let mut breaks = 0;
                while let Some(blank) = rest.next_if(|next| matches!(next, ' ' | '\n')) {
                    breaks += usize::from(blank == '\n');
                }
                result.push_str(&if breaks == 0 {
                    " ".to_owned()
                } else {
                    "\n".repeat(breaks)
                });
            }
            other => result.push(other),
        }
    }
    None
}

/// Puts what only the recording knows in the place of what only the test's scope knows.
fn same_scope(mut value: Value, group: &str) -> Value {
    let text = value.to_string().replace(group, common::GROUP);
    value = serde_json::from_str(&text).unwrap();
    value
}

#[test]
fn what_is_recorded_of_deployments_is_answered_alike() {
    let files = [
        "recordings/neighbours/test_resource_group_deployment.yaml",
        "recordings/test_network_app_gateway_with_defaults.yaml",
        "recordings/test_network_app_gateway_with_public_ip.yaml",
        "recordings/test_network_app_gateway_with_waf_v2_sku.yaml",
        "recordings/test_network_appgw_creation_with_public_and_private_ip.yaml",
    ];
    let (mut planned, mut refused) = (0, 0);
    for file in files {
        let Some(text) = beside(file) else {
            return;
        };
        for (body, answer) in recorded(&text) {
            if !body.contains("$schema") {
                continue;
            }
            let answer: Value = serde_json::from_str(&answer).unwrap();
            let document = read_document(body.as_bytes()).unwrap_or_else(|e| panic!("{file}: {e}"));
            match requested(&document) {
                Ok(plan) => {
                    compare(&plan, &answer, file);
                    planned += 1;
                }
                Err(error) => {
                    assert_eq!(json!({"error": error.to_json()}), answer, "{file}");
                    refused += 1;
                }
            }
        }
    }
    assert!(
        planned >= 8 && refused == 2,
        "{planned} planned, {refused} refused"
    );
}

fn compare(plan: &Plan, answer: &Value, file: &str) {
    let id = answer["id"].as_str().unwrap();
    let group = id.split("/providers/").next().unwrap();
    let recorded = same_scope(answer["properties"].clone(), group);
    assert_eq!(plan.dependencies(), recorded["dependencies"], "{file}");
    assert_eq!(plan.providers(), recorded["providers"], "{file}");
    assert_eq!(
        Value::Object(plan.parameters()),
        recorded["parameters"],
        "{file}"
    );
    if let Some(validated) = recorded.get("validatedResources") {
        assert_eq!(&plan.output_resources(), validated, "{file}");
    }
}

#[test]
fn no_parameters_are_an_empty_map() {
    let template = Template::from_value(json!({"resources": []})).unwrap();
    let plan = plan(&template, &Map::new(), &scope()).unwrap();
    assert!(plan.resources.is_empty() && plan.parameters().is_empty());
}
