//! Deployment templates in place of gateway files: what they would deploy, without a control plane.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use gatewright_control::{DEFAULT_SUBSCRIPTION, DEFAULT_TENANT};
use gatewright_template::{
    Plan, ResourceGroup, Runtime, Scope, Template, TemplateError, plan, read_document, read_text,
};
use serde_json::{Map, Value, json};

use crate::documents::read_file;
use crate::findings::{Finding, Level};

/// Where a template is deployed that only a file knows of.
const GROUP: &str = "local";
pub(crate) const LOCATION: &str = "local";

const GATEWAYS: &str = "Microsoft.Network/applicationGateways";

/// The help with a template that asks for what is not in it.
const HELP: &str = "Give parameters without a default in a file, with --parameters; what only a \
                    deployed resource knows, a control plane tells (serve --data-dir).";

/// `--parameters`: a parameter file, for every template.
#[derive(Debug, Default)]
pub(crate) struct Parameters {
    values: Map<String, Value>,
    finding: Option<Finding>,
}

impl Parameters {
    /// Reads the file. Never fails: what is wrong is told with the first template.
    pub(crate) fn load(path: Option<&Path>) -> Self {
        let Some(path) = path else {
            return Self::default();
        };
        let file = path.display().to_string();
        let wrong = |code: &str, message: String| Self {
            values: Map::new(),
            finding: Some(Finding::of_file(&file, Level::Error, code, message)),
        };
        let bytes = match read_file(path) {
            Ok(bytes) => bytes,
            Err(error) => {
                let why = match error.kind() {
                    io::ErrorKind::NotFound => "does not exist; name an existing one".to_owned(),
                    _ => format!("cannot be read: {error}"),
                };
                let message = format!("the file that --parameters names {why}");
                return wrong("GW-E-file", message);
            }
        };
        match read_text(&bytes) {
            Ok(Value::Object(values)) => Self {
                values,
                finding: None,
            },
            Ok(_) => wrong("InvalidJson", "a parameter file holds an object".to_owned()),
            Err(error) => wrong("InvalidJson", error.to_string()),
        }
    }
}

/// What a template would deploy.
#[derive(Debug)]
pub(crate) struct Deployed {
    /// As a document of the REST API has them: one, or `{"value": […]}`.
    pub(crate) gateways: Value,
    /// `{"value": […]}`; nothing where there is none.
    pub(crate) others: Option<Value>,
}

/// Plans the template that `text` is. `None` where it is something else.
///
/// # Errors
/// What is wrong with the template, in the words of the service.
pub(crate) fn deployed(
    file: &str,
    text: &[u8],
    parameters: &Parameters,
) -> Option<Result<Deployed, Finding>> {
    // Exports are large, and told apart without reading them twice.
    let mentions = |word: &[u8]| {
        let mut windows = text.windows(word.len());
        windows.any(|window| window.eq_ignore_ascii_case(word))
    };
    if !mentions(b"deploymentTemplate") && !mentions(b"contentVersion") {
        return None;
    }
    let document = read_document(text).ok()?;
    if !is_template(document.value()) {
        return None;
    }
    if let Some(finding) = &parameters.finding {
        return Some(Err(finding.clone()));
    }
    let planned = Template::read(document).and_then(|template| {
        let plan = plan(&template, &parameters.values, &scope(file))?;
        let made = Made::default();
        let mut resources = Vec::new();
        take(&plan, &made, &mut resources)?;
        Ok(resources)
    });
    Some(match planned {
        Ok(resources) => Ok(sorted(resources)),
        Err(error) => Err(finding(file, &error)),
    })
}

fn is_template(document: &Value) -> bool {
    let Some(members) = document.as_object() else {
        return false;
    };
    let member = |name: &str| {
        let mut members = members.iter();
        let found = members.find(|(own, _)| own.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value)
    };
    let schema = member("$schema").and_then(Value::as_str);
    let schema = schema.unwrap_or_default().to_ascii_lowercase();
    // A parameter file has the schema of its own.
    schema.contains("deploymenttemplate")
        || (member("resources").is_some() && member("contentVersion").is_some())
}

fn scope(file: &str) -> Scope {
    let stem = Path::new(file)
        .file_stem()
        .and_then(std::ffi::OsStr::to_str);
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let seconds = since.map_or(0, |since| since.as_secs());
    Scope {
        subscription_id: DEFAULT_SUBSCRIPTION.to_owned(),
        tenant_id: DEFAULT_TENANT.to_owned(),
        resource_group: ResourceGroup {
            name: GROUP.to_owned(),
            location: LOCATION.to_owned(),
            tags: Map::new(),
        },
        deployment_name: stem.unwrap_or("template").to_owned(),
        now: i64::try_from(seconds).unwrap_or_default(),
        environment: json!({"name": "Gatewright"}),
        providers: json!([]),
        ..Scope::default()
    }
}

/// The bodies that were made so far, by id in lower case.
#[derive(Default)]
struct Made(RefCell<HashMap<String, Value>>);

impl Runtime for Made {
    fn reference(&self, id: &str, _: Option<&str>, full: bool) -> Result<Value, String> {
        let made = self.0.borrow();
        let Some(body) = made.get(&id.to_ascii_lowercase()) else {
            return Err(format!(
                "The resource '{id}' is not in the template, and there is no control plane to ask."
            ));
        };
        let properties = body.get("properties").cloned();
        Ok(match full {
            true => body.clone(),
            false => properties.unwrap_or_else(|| json!({})),
        })
    }
}

fn take(
    plan: &Plan,
    made: &Made,
    resources: &mut Vec<(String, Value)>,
) -> Result<(), TemplateError> {
    for planned in plan.resources.iter().filter(|planned| planned.condition) {
        if let Some(inner) = planned.nested(made)? {
            take(&inner, made, resources)?;
            continue;
        }
        let mut whole = json!({
            "id": planned.id,
            "name": planned.name,
            "type": planned.resource_type,
        });
        if let (Some(whole), Value::Object(body)) = (whole.as_object_mut(), planned.body(made)?) {
            whole.extend(body);
        }
        let id = planned.id.to_ascii_lowercase();
        made.0.borrow_mut().insert(id, whole.clone());
        resources.push((planned.resource_type.clone(), whole));
    }
    Ok(())
}

fn sorted(resources: Vec<(String, Value)>) -> Deployed {
    let (gateways, others): (Vec<_>, Vec<_>) = resources
        .into_iter()
        .partition(|(kind, _)| kind.eq_ignore_ascii_case(GATEWAYS));
    let bodies = |list: Vec<(String, Value)>| -> Vec<Value> {
        list.into_iter().map(|(_, body)| body).collect()
    };
    let (mut gateways, others) = (bodies(gateways), bodies(others));
    Deployed {
        gateways: match gateways.len() {
            1 => gateways.remove(0),
            _ => json!({ "value": gateways }),
        },
        others: (!others.is_empty()).then(|| json!({ "value": others })),
    }
}

fn finding(file: &str, error: &TemplateError) -> Finding {
    let place = match error.line {
        0 => String::new(),
        line => format!(" (line {line}, column {})", error.column),
    };
    let message = format!("{}{place}", error.message);
    Finding {
        help: Some(HELP.to_owned()),
        ..Finding::of_file(file, Level::Error, error.code, message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(resources: &Value) -> Vec<u8> {
        json!({"contentVersion": "1.0.0.0", "resources": resources})
            .to_string()
            .into_bytes()
    }

    #[test]
    fn only_templates_are_taken_for_templates() {
        let none = Parameters::default();
        for text in [
            r#"{"name": "a", "properties": {}}"#,
            r#"{"contentVersion": "1.0.0.0", "parameters": {}}"#,
            r#"[{"tags": {"contentVersion": "1"}}]"#,
            r#"{"contentVersion": "#,
        ] {
            assert!(deployed("f", text.as_bytes(), &none).is_none(), "{text}");
        }
        let good = deployed("f", &template(&json!([])), &none);
        assert!(good.is_some_and(|one| one.is_ok()));
    }

    #[test]
    fn what_the_template_makes_can_be_referred_to_and_nothing_else() {
        let gateway = |of: &str| {
            json!({
                "type": GATEWAYS, "apiVersion": "2023-09-01", "name": "gw", "dependsOn": ["v"],
                "properties": {"seen": format!("[reference({of}).addressSpace]")},
            })
        };
        let network = json!({
            "type": "Microsoft.Network/virtualNetworks", "apiVersion": "2023-09-01", "name": "v",
            "properties": {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}},
        });
        let none = Parameters::default();
        let text = template(&json!([gateway("'v'"), network]));
        let made = deployed("f", &text, &none).unwrap().unwrap();
        let seen = &made.gateways["properties"]["seen"];
        assert_eq!(seen["addressPrefixes"][0], "10.0.0.0/16");
        assert_eq!(made.others.unwrap()["value"][0]["name"], "v");
        let stranger = "resourceId('Microsoft.Network/virtualNetworks', 'w')";
        let text = template(&json!([gateway(stranger), network]));
        let error = deployed("f", &text, &none).unwrap().unwrap_err();
        assert!(
            error.message.contains("no control plane to ask"),
            "{}",
            error.message
        );
    }
}
