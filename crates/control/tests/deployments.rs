//! Template deployments: asked for, judged, listed, compared.

mod support;

use gatewright_control::{DEFAULT_SUBSCRIPTION, Role};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use support::deploying::{
    deploy, deployment, ended, group_of_rules, network, plain, request, stray_subnet, template,
};
use support::{Api, GROUP, LOCATION, Reply, Site, group, names, net};

async fn post_text(api: &Api, method: Method, path: &str, text: &str) -> Reply {
    let url = format!("{}{path}?api-version=2025-04-01", api.root);
    let answer = api
        .client
        .request(method, &url)
        .bearer_auth(&api.token)
        .header("content-type", "application/json")
        .body(text.to_owned())
        .send()
        .await
        .unwrap();
    let (status, headers) = (answer.status(), answer.headers().clone());
    let text = answer.text().await.unwrap();
    Reply {
        request: url,
        status,
        headers,
        body: serde_json::from_str(&text).unwrap_or(Value::Null),
        text,
    }
}

/// As the client sends it: no JSON.
const AS_SENT: &str = r#"{"properties": {"parameters": {"location": {"value": "local"},
  "name": {"value": "nsg7"}}, "mode": "Incremental", template:{
  "$schema": "https://schema.management.azure.com/schemas/2015-01-01/deploymentTemplate.json#",
  "contentVersion": "1.0.0.0",
  "parameters": {
    "location": { "type": "string", "metadata": {"description": "Location for the
        network security group."} },
    "name": { "type": "string" }
  },
  "variables": { },
  "resources": [
    {
      "type": "Microsoft.Network/networkSecurityGroups",
      "name": "[parameters('name')]",
      "apiVersion": "2015-06-15",
      "location": "[parameters('location')]",
      "properties": { "securityRules": [ ] },
      "dependsOn": [ ]
    }
  ],
  "outputs": {
    "Empty": { "type": "string", "value": "" },
    "NewNSG": {
      /** comment1
          comment2 **/
      "type": "object", /** comment **/
      "value": "[reference(parameters('name'))]" // comment
    }
  } // comment
}
}}"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_is_answered_as_recorded() {
    let site = Site::with_group().await;
    let api = &site.api;
    let path = deployment("dep1");
    let reply = post_text(api, Method::PUT, &path, AS_SENT).await;
    assert_eq!(reply.status, StatusCode::CREATED, "{reply:#?}");
    let id = format!(
        "{}/providers/Microsoft.Resources/deployments/dep1",
        group(GROUP)
    );
    assert_eq!(names(&reply.body), ["id", "name", "type", "properties"]);
    assert_eq!(reply.body["id"], id);
    assert_eq!(reply.body["properties"]["provisioningState"], "Accepted");
    assert_eq!(
        names(&reply.body["properties"]),
        [
            "templateHash",
            "parameters",
            "mode",
            "provisioningState",
            "timestamp",
            "duration",
            "correlationId",
            "providers",
            "dependencies"
        ]
    );
    assert_eq!(ended(api, &reply).await, json!({"status": "Succeeded"}));
    let shown = api.get(&path).await.expect(StatusCode::OK).body;
    let properties = &shown["properties"];
    assert_eq!(properties["provisioningState"], "Succeeded");
    assert_eq!(
        properties["parameters"]["location"],
        json!({"type": "String", "value": "local"})
    );
    assert_eq!(properties["mode"], "Incremental");
    // As clients of the template's api-version know it.
    let known = net("networkSecurityGroups/nsg7?api-version=2015-06-15");
    let group = api.get(&known).await.expect(StatusCode::OK).body;
    let outputs = &properties["outputs"];
    assert_eq!(outputs["empty"], json!({"type": "String", "value": ""}));
    assert_eq!(outputs["newNSG"]["type"], "Object");
    assert_eq!(outputs["newNSG"]["value"], group["properties"]);
    assert_eq!(
        properties["outputResources"],
        json!([{"id": net("networkSecurityGroups/nsg7")}])
    );
    let duration = properties["duration"].as_str().unwrap();
    assert!(
        duration.starts_with("PT") && duration.ends_with('S'),
        "{duration}"
    );
    let again = post_text(api, Method::PUT, &path, AS_SENT).await;
    assert_eq!(again.status, StatusCode::OK);
    assert_eq!(ended(api, &again).await["status"], "Succeeded");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_step_is_an_operation_and_an_event() {
    let site = Site::with_group().await;
    let api = &site.api;
    let body = request(template(json!([network("v1")])));
    assert_eq!(deploy(api, "dep1", &body).await["status"], "Succeeded");
    for base in [
        deployment("dep1"),
        format!("{}/deployments/dep1", group(GROUP)),
    ] {
        let list = api.get(&format!("{base}/operations")).await;
        let list = list.expect(StatusCode::OK).body["value"].clone();
        let list = list.as_array().unwrap();
        assert_eq!(list.len(), 2, "{list:#?}");
        let properties = &list[0]["properties"];
        assert_eq!(properties["provisioningOperation"], "Create");
        assert_eq!(properties["statusCode"], "Created");
        assert_eq!(
            properties["targetResource"],
            json!({
                "id": net("virtualNetworks/v1"),
                "resourceType": "Microsoft.Network/virtualNetworks",
                "resourceName": "v1",
            })
        );
        assert_eq!(
            list[1]["properties"]["provisioningOperation"],
            "EvaluateDeploymentOutput"
        );
        let one = list[0]["operationId"].as_str().unwrap();
        let one = api.get(&format!("{base}/operations/{one}")).await;
        assert_eq!(one.expect(StatusCode::OK).body, list[0]);
        let missing = api.get(&format!("{base}/operations/none")).await;
        missing.refused("DeploymentOperationNotFound");
    }
    let shown = api.get(&deployment("dep1")).await.body;
    let correlation = shown["properties"]["correlationId"].as_str().unwrap();
    let filter = format!("correlationId%20eq%20'{correlation}'");
    let path = format!(
        "/subscriptions/{}/providers/Microsoft.Insights/eventtypes/management/values\
         ?$filter={filter}",
        DEFAULT_SUBSCRIPTION
    );
    let events = api.get(&path).await.expect(StatusCode::OK).body;
    let told: Vec<(&str, &str)> = events["value"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| {
            let text = |name: &str| event[name]["value"].as_str().unwrap();
            (text("resourceType"), text("status"))
        })
        .rev()
        .collect();
    let (deployments, networks) = (
        "Microsoft.Resources/deployments",
        "Microsoft.Network/virtualNetworks",
    );
    assert_eq!(
        told,
        [
            (deployments, "Started"),
            (deployments, "Accepted"),
            (networks, "Started"),
            (networks, "Accepted"),
            (networks, "Succeeded"),
            (deployments, "Succeeded"),
        ]
    );
}

/// The message of a refusal, which a what-if answers as its result: of an error az makes a
/// traceback.
fn fault<'a>(reply: &'a Reply, code: &str) -> &'a str {
    if !reply.request.contains("/whatIf?") {
        assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{reply:?}");
        return reply.refused(code);
    }
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    assert_eq!(reply.body["status"], "Failed", "{reply:?}");
    assert_eq!(reply.body["error"]["code"], code, "{reply:?}");
    reply.body["error"]["message"].as_str().unwrap()
}

/// What is said of the missing parameter.
const MISSING: &str = "Deployment template validation failed: 'The value for the template \
                       parameter 'name' at line '7' and column '";

#[tokio::test(flavor = "multi_thread")]
async fn a_faulty_template_is_refused_with_its_place() {
    let site = Site::with_group().await;
    let text = AS_SENT.replace(",\n  \"name\": {\"value\": \"nsg7\"}", "");
    for (method, path) in [
        (Method::PUT, deployment("dep1")),
        (Method::POST, format!("{}/validate", deployment("dep1"))),
        (Method::POST, format!("{}/whatIf", deployment("dep1"))),
    ] {
        let reply = post_text(&site.api, method, &path, &text).await;
        let message = fault(&reply, "InvalidTemplate");
        assert!(message.starts_with(MISSING), "{message}");
        let info = &reply.body["error"]["additionalInfo"][0];
        assert_eq!(info["type"], "TemplateViolation");
        assert_eq!(
            info["info"]["path"], "properties.template.parameters.name",
            "{info}"
        );
        assert_eq!(info["info"]["lineNumber"], 7);
    }
    let missing = site.api.get(&deployment("dep1")).await;
    missing.expect(StatusCode::NOT_FOUND);
}

/// What is said of a resource that cannot be here, at the line of its brace.
const MISPLACED: &str = "Deployment template validation failed: 'The template resource 'nsg7' at \
                         line '12' and column '";

#[tokio::test(flavor = "multi_thread")]
async fn a_resource_that_cannot_be_here_is_refused_with_its_place() {
    let site = Site::with_group().await;
    let odd = |old: &str, new: &str| {
        assert!(AS_SENT.contains(old));
        AS_SENT.replace(old, new)
    };
    let alien = odd(
        "Microsoft.Network/networkSecurityGroups",
        "Microsoft.Storage/storageAccounts",
    );
    let undated = odd("2015-06-15", "newest");
    for (text, code, reason) in [
        (&alien, "InvalidResourceType", "'storageAccounts'"),
        (&undated, "InvalidApiVersionParameter", "'newest'"),
    ] {
        for (method, path) in [
            (Method::PUT, deployment("dep1")),
            (Method::POST, format!("{}/validate", deployment("dep1"))),
            (Method::POST, format!("{}/whatIf", deployment("dep1"))),
        ] {
            let reply = post_text(&site.api, method, &path, text).await;
            let message = fault(&reply, code);
            assert!(message.starts_with(MISPLACED), "{message}");
            assert!(message.contains(reason), "{message}");
            let info = &reply.body["error"]["additionalInfo"][0];
            assert_eq!(info["type"], "TemplateViolation");
            let info = &info["info"];
            assert_eq!(info["path"], "properties.template.resources[0]", "{info}");
            assert_eq!(info["lineNumber"], 12, "{info}");
        }
    }
    let missing = site.api.get(&deployment("dep1")).await;
    missing.expect(StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_done_is_refused() {
    let site = Site::with_group().await;
    let api = &site.api;
    let good = || request(template(json!([network("v1")])));
    let mut complete = good();
    complete["properties"]["mode"] = json!("Complete");
    let mut linked = good();
    linked["properties"]["templateLink"] = json!({"uri": "https://example.test/t.json"});
    let mut placed = good();
    placed["location"] = json!("local");
    for body in [&complete, &linked, &placed] {
        api.put(&deployment("d"), body)
            .await
            .refused("InvalidDeployment");
    }
    let long = "x".repeat(65);
    let reply = api.put(&deployment(&long), &good()).await;
    reply.refused("InvalidDeploymentName");
    for section in ["contentVersion", "resources"] {
        let mut body = good();
        let sections = body["properties"]["template"].as_object_mut().unwrap();
        sections.remove(section);
        let reply = api.put(&deployment("d"), &body).await;
        let message = reply.refused("InvalidRequestContent");
        let expected = format!(
            "The request content was invalid and could not be deserialized: 'Required property \
             '{section}' not found in JSON. Path 'properties.template', line 1, position "
        );
        assert!(message.starts_with(&expected), "{message}");
    }
    let mut alien = network("v1");
    alien["type"] = json!("Microsoft.Storage/storageAccounts");
    let reply = api
        .put(&deployment("d"), &request(template(json!([alien]))))
        .await;
    reply.refused("InvalidResourceType");
    // Asked for itself, or for all of its kind, it is named too.
    for path in ["storageAccounts", "storageAccounts/sa1/blobServices"] {
        let subscription = format!("/subscriptions/{DEFAULT_SUBSCRIPTION}");
        let path = format!("{subscription}/providers/Microsoft.Storage/{path}");
        let reply = api.get(&path).await;
        let message = reply.refused("InvalidResourceType");
        assert!(message.contains("'storageAccounts"), "{message}");
        assert!(message.contains("'Microsoft.Storage'"), "{message}");
    }
    let root = format!(
        "/subscriptions/{}/providers/Microsoft.Resources/deployments",
        DEFAULT_SUBSCRIPTION
    );
    for list in [root.clone(), format!("{root}/")] {
        let list = api.get(&list).await.expect(StatusCode::OK);
        assert_eq!(list.body, json!({"value": []}));
    }
    let reply = api.put(&format!("{root}/d"), &good()).await;
    reply.refused("InvalidDeploymentScope");
    let reply = api.post(&format!("{root}/d/validate"), Some(&good())).await;
    reply.refused("InvalidDeploymentScope");
    let reply = api
        .post(&format!("{}/exportTemplate", group(GROUP)), None)
        .await;
    reply.refused("ExportTemplateNotSupported");
    let reply = api
        .put(&deployment("d").replace(GROUP, "nowhere"), &good())
        .await;
    reply.refused("ResourceGroupNotFound");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_provider_would_refuse_is_refused_before_anything_is_done() {
    let site = Site::with_group().await;
    let api = &site.api;
    api.create(&net("virtualNetworks/old"), &plain(network("old")))
        .await;
    let body = request(template(json!([
        group_of_rules("nsg1"),
        stray_subnet("old/stray")
    ])));
    for path in [deployment("d"), format!("{}/validate", deployment("d"))] {
        let reply = match path.ends_with("validate") {
            true => api.post(&path, Some(&body)).await,
            false => api.put(&path, &body).await,
        };
        let message = reply.refused("InvalidTemplateDeployment");
        assert!(message.contains("'d' is not valid"), "{message}");
        let details = reply.body["error"]["details"].as_array().unwrap();
        assert_eq!(details.len(), 1, "{details:#?}");
        assert_eq!(
            details[0]["code"], "NetcfgSubnetRangeOutsideVnet",
            "{details:#?}"
        );
    }
    let missing = api.get(&net("networkSecurityGroups/nsg1")).await;
    missing.expect(StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_leaves_out_what_depends_on_it_and_nothing_else() {
    let site = Site::with_group().await;
    let api = &site.api;
    let mut stray = stray_subnet("v1/stray");
    stray["dependsOn"] = json!(["Microsoft.Network/virtualNetworks/v1"]);
    let mut after = group_of_rules("after");
    after["dependsOn"] =
        json!(["[resourceId('Microsoft.Network/virtualNetworks/subnets', 'v1', 'stray')]"]);
    let mut never = group_of_rules("never");
    never["condition"] = json!(false);
    // The network is not there yet, so that nothing can be said of its subnet before.
    let resources = json!([after, stray, network("v1"), group_of_rules("other"), never]);
    let end = deploy(api, "d", &request(template(resources))).await;
    assert_eq!(end["status"], "Failed");
    let error = &end["error"];
    assert_eq!(error["code"], "DeploymentFailed");
    assert_eq!(error["details"].as_array().unwrap().len(), 1, "{error:#}");
    assert_eq!(error["details"][0]["code"], "NetcfgSubnetRangeOutsideVnet");
    let shown = api.get(&deployment("d")).await.body;
    assert_eq!(shown["properties"]["provisioningState"], "Failed");
    assert_eq!(shown["properties"]["error"], *error);
    for (name, expected) in [
        ("virtualNetworks/v1", StatusCode::OK),
        ("networkSecurityGroups/other", StatusCode::OK),
        ("networkSecurityGroups/after", StatusCode::NOT_FOUND),
        ("networkSecurityGroups/never", StatusCode::NOT_FOUND),
    ] {
        api.get(&net(name)).await.expect(expected);
    }
    let steps = api.get(&format!("{}/operations", deployment("d"))).await;
    let steps = steps.body["value"].as_array().unwrap().clone();
    let failed: Vec<&Value> = steps
        .iter()
        .filter(|step| step["properties"]["provisioningState"] == "Failed")
        .collect();
    assert_eq!(failed.len(), 1, "{steps:#?}");
    assert_eq!(failed[0]["properties"]["statusCode"], "BadRequest");
    assert_eq!(
        failed[0]["properties"]["statusMessage"]["error"]["code"],
        "NetcfgSubnetRangeOutsideVnet"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_callers_own_rights_hold_for_every_resource() {
    let site = Site::with_group().await;
    let scope = format!("{}/providers/Microsoft.Resources", group(GROUP));
    let principal = site
        .control
        .create_principal("deployer", Role::NetworkContributor, &scope)
        .await
        .unwrap();
    let ca = std::fs::read(site.directory.path().join("ca.pem")).unwrap();
    let api = Api::log_in(site.control.address(), &ca, &principal).await;
    let body = request(template(json!([network("v1")])));
    let reply = api.put(&deployment("d"), &body).await;
    let message = reply.refused("AuthorizationFailed");
    assert!(
        message.contains("Microsoft.Network/virtualNetworks/write"),
        "{message}"
    );
    // What they may not read, no output tells them.
    site.api
        .create(&net("virtualNetworks/secret"), &plain(network("secret")))
        .await;
    let mut curious = template(json!([]));
    curious["outputs"] = json!({"all": {
        "type": "object",
        "value": format!("[reference('{}', '2023-09-01')]", net("virtualNetworks/secret")),
    }});
    let end = deploy(&api, "d", &request(curious)).await;
    assert_eq!(end["status"], "Failed", "{end:#}");
    let text = end.to_string();
    assert!(
        text.contains("may not read") && !text.contains("10.20"),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn deployments_inside_of_a_deployment() {
    let site = Site::with_group().await;
    let api = &site.api;
    api.put(&group("rg2"), &json!({"location": LOCATION}))
        .await
        .expect(StatusCode::CREATED);
    let mut inner = template(json!([network("v2")]));
    inner["parameters"] = json!({"greeting": {"type": "string"}});
    inner["outputs"] = json!({"said": {"type": "string", "value": "[parameters('greeting')]"}});
    let nested = json!({
        "type": "Microsoft.Resources/deployments",
        "apiVersion": "2022-09-01",
        "name": "inner",
        "resourceGroup": "rg2",
        "properties": {
            "mode": "Incremental",
            "expressionEvaluationOptions": {"scope": "inner"},
            "parameters": {"greeting": {"value": "hello"}},
            "template": inner,
        },
    });
    let mut outer = template(json!([nested]));
    outer["outputs"] = json!({"heard": {
        "type": "string",
        "value": "[reference('inner').outputs.said.value]",
    }});
    let end = deploy(api, "outer", &request(outer)).await;
    assert_eq!(end["status"], "Succeeded", "{end:#}");
    let network = net("virtualNetworks/v2").replace(GROUP, "rg2");
    api.get(&network).await.expect(StatusCode::OK);
    let shown = api.get(&deployment("outer")).await.body;
    assert_eq!(shown["properties"]["outputs"]["heard"]["value"], "hello");
    let inner = deployment("inner").replace(GROUP, "rg2");
    let inner = api.get(&inner).await.expect(StatusCode::OK).body;
    assert_eq!(inner["properties"]["provisioningState"], "Succeeded");
    assert_eq!(
        inner["properties"]["correlationId"],
        shown["properties"]["correlationId"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn deployments_are_records_and_no_resources() {
    let site = Site::with_group().await;
    let api = &site.api;
    let body = request(template(json!([network("v1")])));
    deploy(api, "d1", &body).await;
    let all = api.get(&format!("{}/resources", group(GROUP))).await.body;
    let all = all["value"].as_array().unwrap();
    assert_eq!(all.len(), 1, "{all:#?}");
    // It mentions the network, and does not use it.
    api.remove(&net("virtualNetworks/v1")).await;
    deploy(api, "d2", &body).await;
    for (query, expected) in [
        ("", 2),
        ("?$filter=provisioningState%20eq%20'Succeeded'", 2),
        ("?$filter=provisioningState%20eq%20'Failed'", 0),
    ] {
        let list = api.get(&format!("{}{query}", deployment(""))).await;
        let list = list.expect(StatusCode::OK).body;
        assert_eq!(list["value"].as_array().unwrap().len(), expected, "{query}");
    }
    let head = api.send(Method::HEAD, &deployment("d1"), None).await;
    assert_eq!(head.status, StatusCode::NO_CONTENT);
    api.delete(&deployment("d1"))
        .await
        .expect(StatusCode::NO_CONTENT);
    let head = api.send(Method::HEAD, &deployment("d1"), None).await;
    assert_eq!(head.status, StatusCode::NOT_FOUND);
    api.get(&net("virtualNetworks/v1"))
        .await
        .expect(StatusCode::OK);
    let reply = api.delete(&group(GROUP)).await.expect(StatusCode::ACCEPTED);
    assert_eq!(api.result(&reply).await.status, StatusCode::OK);
    let gone = api.get(&deployment("d2")).await;
    gone.refused("ResourceGroupNotFound");
}

#[tokio::test(flavor = "multi_thread")]
async fn secure_parameters_are_kept_nowhere() {
    let site = Site::with_group().await;
    let api = &site.api;
    let mut secret = template(json!([network("v1")]));
    secret["parameters"] = json!({
        "password": {"type": "securestring"},
        "plain": {"type": "string", "defaultValue": "visible"},
    });
    let mut body = request(secret);
    body["properties"]["parameters"] = json!({"password": {"value": "correct-horse-battery"}});
    assert_eq!(deploy(api, "d", &body).await["status"], "Succeeded");
    let shown = api.get(&deployment("d")).await.body;
    assert_eq!(
        shown["properties"]["parameters"],
        json!({
            "password": {"type": "SecureString"},
            "plain": {"type": "String", "value": "visible"},
        })
    );
    let exported = api
        .post(&format!("{}/exportTemplate", deployment("d")), None)
        .await
        .expect(StatusCode::OK);
    assert_eq!(exported.body["template"], body["properties"]["template"]);
    assert!(!exported.text.contains("correct-horse"));
    let mut files = vec![site.directory.path().to_owned()];
    let mut seen = 0;
    while let Some(path) = files.pop() {
        if path.is_dir() {
            files.extend(
                std::fs::read_dir(&path)
                    .unwrap()
                    .map(|one| one.unwrap().path()),
            );
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        let has = |text: &[u8]| bytes.windows(text.len()).any(|window| window == text);
        seen += usize::from(has(b"visible"));
        assert!(!has(b"correct-horse-battery"), "{}", path.display());
    }
    assert!(seen > 0, "the store was not looked at");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_change_is_told_and_nothing_done() {
    let site = Site::with_group().await;
    let api = &site.api;
    api.create(&net("virtualNetworks/v1"), &plain(network("v1")))
        .await;
    api.create(&net("virtualNetworks/same"), &plain(network("same")))
        .await;
    api.create(
        &net("networkSecurityGroups/left"),
        &json!({"location": LOCATION}),
    )
    .await;
    let mut changed = network("v1");
    changed["properties"]["subnets"][0]["properties"]["addressPrefix"] = json!("10.20.1.0/24");
    changed["tags"] = json!({"by": "test"});
    let resources = json!([changed, network("same"), network("new")]);
    let path = format!("{}/whatIf", deployment("d"));
    let reply = api.post(&path, Some(&request(template(resources)))).await;
    let body = reply.expect(StatusCode::OK).body;
    assert_eq!(body["status"], "Succeeded");
    let changes = body["properties"]["changes"].as_array().unwrap();
    let kinds: Vec<(&str, &str)> = changes
        .iter()
        .map(|change| {
            let id = change["resourceId"].as_str().unwrap();
            let name = id.rsplit('/').next().unwrap();
            (name, change["changeType"].as_str().unwrap())
        })
        .collect();
    assert_eq!(
        kinds,
        [
            ("v1", "Modify"),
            ("same", "NoChange"),
            ("new", "Create"),
            ("left", "Ignore")
        ]
    );
    let delta = changes[0]["delta"].as_array().unwrap();
    let paths: Vec<&str> = delta
        .iter()
        .map(|one| one["path"].as_str().unwrap())
        .collect();
    assert_eq!(paths, ["tags.by", "properties.subnets"], "{delta:#?}");
    assert_eq!(delta[1]["propertyChangeType"], "Array");
    let inner = &delta[1]["children"][0]["children"][0];
    assert_eq!(inner["path"], "properties.addressPrefix");
    assert_eq!(
        (&inner["before"], &inner["after"]),
        (&json!("10.20.0.0/24"), &json!("10.20.1.0/24"))
    );
    assert_eq!(changes[2]["after"]["apiVersion"], "2023-09-01");
    api.get(&net("virtualNetworks/new"))
        .await
        .expect(StatusCode::NOT_FOUND);
    api.get(&deployment("d"))
        .await
        .expect(StatusCode::NOT_FOUND);
}
