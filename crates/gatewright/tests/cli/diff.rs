//! `gatewright diff`, on files as people have them.

use serde_json::{Value, json};

use crate::support::{Files, ID, gateway, item, reference, rename_rule, run, stderr, stdout};

/// The status and what is said of OLD and NEW.
fn diff(old: &Value, new: &Value, more: &[&str]) -> (Option<i32>, String) {
    let files = Files::new(old);
    files.write_as("edited.json", new);
    let edited = files.path("edited.json").display().to_string();
    let gateway = files.gateway();
    let arguments = [&["diff", gateway.as_str(), edited.as_str()], more].concat();
    let output = run(&arguments);
    // The same input gives the same bytes.
    assert_eq!(run(&arguments).stdout, output.stdout);
    (output.status.code(), stdout(&output) + &stderr(&output))
}

/// The properties at every level merged, other casing and another order, as az prints them.
fn flattened(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let mut flat = serde_json::Map::new();
            for (name, value) in members.iter().rev() {
                match value.as_object().filter(|_| name == "properties") {
                    Some(bag) => {
                        let bag = bag.iter().map(|(name, one)| (name.clone(), flattened(one)));
                        flat.extend(bag);
                    }
                    None => {
                        flat.insert(name.clone(), flattened(value));
                    }
                }
            }
            Value::Object(flat)
        }
        Value::Array(list) => list.iter().rev().map(flattened).collect(),
        value => value.clone(),
    }
}

#[test]
fn what_is_only_written_otherwise_is_one_sentence() {
    let old = gateway(80);
    let mut new = flattened(&old);
    new["etag"] = "W/\"another\"".into();
    new["provisioningState"] = "Updating".into();
    new["httpListeners"][0]["enableHttp3"] = false.into();
    new["httpListeners"][0]["protocol"] = "http".into();
    new["httpListeners"][0]["frontendPort"]["id"] = format!("{ID}/frontendPorts/PORT").into();
    // A template in another group.
    let mut resource = old.clone();
    resource["apiVersion"] = "2024-05-01".into();
    let ids = [
        "00000000-0000-0000-0000-000000000000/resourceGroups/rg",
        "00000000-0000-4000-8000-000000000001/resourceGroups/local",
    ];
    let text = resource.to_string().replace(ids[0], ids[1]);
    let mut resource: Value = serde_json::from_str(&text).unwrap();
    resource.as_object_mut().unwrap().remove("id");
    let template = json!({
        "$schema":
            "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
        "contentVersion": "1.0.0.0",
        "resources": [resource],
    });
    for new in [&old, &new, &template] {
        let said = "Both say the same of the gateway gw.\n".to_owned();
        assert_eq!(diff(&old, new, &[]), (Some(0), said));
    }
    let (code, said) = diff(&old, &new, &["-o", "json"]);
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(
        (code, said),
        (Some(0), json!({"gateways": [], "removed": [], "added": []}))
    );
}

#[test]
fn a_change_is_told_with_what_it_does_and_with_new_trouble() {
    let old = gateway(80);
    let mut new = gateway(80);
    let all = &mut new["properties"];
    all["backendHttpSettingsCollection"][0]["properties"]["requestTimeout"] = 60.into();
    all["backendAddressPools"][0]["properties"]["backendAddresses"] = json!([]);
    rename_rule(&mut new, "rule-2");
    let (code, said) = diff(&old, &new, &[]);
    assert_eq!(code, Some(1));
    for line in [
        "3 parts of the gateway gw differ.",
        "  The pool pool has no servers any more: requests to it get 502.",
        "  10.9.8.7 gets no requests any more; those under way have 30 s (drain).",
        "  Answers may take 60 s instead of 20 s, by the setting setting.",
        "New trouble:",
        "(GW-D01 empty-pool, certain)",
        "  ~ rule rule is called rule-2 now, and is the same otherwise",
        "  ~ pool pool: backendAddresses -10.9.8.7",
        "  ~ setting setting: requestTimeout 20 → 60",
    ] {
        assert!(said.contains(line), "no {line:?} in:\n{said}");
    }
    // What it does stands before what it is.
    assert!(
        said.find("traffic:") < said.find("What is different:"),
        "{said}"
    );
    // The other way round the trouble is gone.
    let (_, said) = diff(&new, &old, &[]);
    assert!(said.contains("No trouble any more:\n"), "{said}");
    let (code, said) = diff(&old, &new, &["-o", "json"]);
    let said: Value = serde_json::from_str(&said).unwrap();
    let told = &said["gateways"][0];
    assert_eq!(code, Some(1));
    assert_eq!(told["effects"][0]["weight"], "lost", "{told:#}");
    assert_eq!(told["new_trouble"][0]["cause"], "empty-pool", "{told:#}");
    let setting = json!({"kind": "setting", "name": "setting", "change": "changed",
        "members": [{"member": "requestTimeout", "old": "20", "new": "60"}]});
    assert!(
        told["parts"].as_array().unwrap().contains(&setting),
        "{told:#}"
    );
}

#[test]
fn certificates_of_https_listeners_need_no_keys() {
    let old = crate::support::https_gateway(443);
    let mut new = old.clone();
    let other = item("sslCertificates", "other", json!({}));
    let all = &mut new["properties"];
    all["sslCertificates"].as_array_mut().unwrap().push(other);
    all["httpListeners"][0]["properties"]["sslCertificate"] = reference("sslCertificates", "other");
    let (_, said) = diff(&old, &new, &[]);
    let sentence = "Clients of any other host on port 443 are shown the certificate other instead \
                    of site.";
    assert!(said.contains(sentence), "{said}");
    assert!(
        said.contains("~ listener listener: sslCertificate site → other"),
        "{said}"
    );
}

#[test]
fn gateways_of_several_are_paired_by_name() {
    let named = |name: &str| {
        let text = gateway(80).to_string();
        let text = text.replace(
            "applicationGateways/gw",
            &format!("applicationGateways/{name}"),
        );
        let mut one: Value = serde_json::from_str(&text).unwrap();
        one["name"] = name.into();
        one
    };
    let old = json!([named("a"), named("b")]);
    let new = json!([named("c"), named("A")]);
    let (code, said) = diff(&old, &new, &[]);
    let expected = "The gateway b is not in NEW.\nThe gateway c is only in NEW.\n\
                    Both say the same of the gateway A.\n";
    assert_eq!((code, said.as_str()), (Some(1), expected));
}

#[test]
fn what_cannot_be_read_is_65_and_a_wrong_command_line_64() {
    let (code, said) = diff(&gateway(80), &json!({"no": "gateway"}), &[]);
    assert_eq!(code, Some(65), "{said}");
    let files = Files::new(&gateway(80));
    let output = run(&["diff", &files.gateway(), "/nowhere/gateway.json"]);
    assert_eq!(output.status.code(), Some(65));
    assert!(
        stderr(&output).contains("there is no such file"),
        "{}",
        stderr(&output)
    );
    assert_eq!(run(&["diff", &files.gateway()]).status.code(), Some(64));
}
