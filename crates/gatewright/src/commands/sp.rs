//! `gatewright sp`: service principals of the control plane.

use std::process::ExitCode;

use serde_json::{Value, json};

use crate::cli::{SpCommand, SpCreateArguments, SpListArguments, SpRevokeArguments};
use crate::client::Question;
use crate::control_plane::NodeFile;
use crate::output::{self, Format};
use crate::sentence::Sentence;

pub(crate) fn run(command: &SpCommand) -> Result<ExitCode, Sentence> {
    match command {
        SpCommand::Create(arguments) => create(arguments),
        SpCommand::List(arguments) => list(arguments),
        SpCommand::Revoke(arguments) => revoke(arguments),
    }
}

/// Makes a principal; the answer has its password.
pub(crate) fn make(
    node: &NodeFile,
    name: &str,
    role: &str,
    scope: &str,
) -> Result<Value, Sentence> {
    let wanted = json!({"name": name, "role": role, "scope": scope});
    node.ask(Question::Post("/principals", Some(&wanted)))
}

/// Prints what `az ad sp create-for-rbac` prints.
fn create(arguments: &SpCreateArguments) -> Result<ExitCode, Sentence> {
    let node = NodeFile::read(&arguments.node.data_dir)?;
    let made = make(&node, &arguments.name, &arguments.role, &arguments.scope)?;
    let shown = json!({
        "appId": made["appId"],
        "displayName": made["displayName"],
        "password": made["password"],
        "tenant": node.tenant,
    });
    output::line(format_args!("{shown:#}"));
    output::remark("the password is told this once; only its hash is kept");
    Ok(ExitCode::SUCCESS)
}

fn list(arguments: &SpListArguments) -> Result<ExitCode, Sentence> {
    let node = NodeFile::read(&arguments.node.data_dir)?;
    let principals = node.ask(Question::Get("/principals"))?;
    match arguments.output {
        Format::Json => output::line(format_args!("{principals:#}")),
        Format::Text => {
            for principal in principals.as_array().into_iter().flatten() {
                output::line(render(principal));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// One line: id, name, since when, and each role with its scope.
fn render(principal: &Value) -> String {
    let text = |name: &str| principal[name].as_str().unwrap_or("-").to_owned();
    let assignments = principal["assignments"].as_array().into_iter().flatten();
    let roles: Vec<String> = assignments
        .map(|one| {
            let text = |name: &str| one[name].as_str().unwrap_or("-").to_owned();
            format!("{} on {}", text("role"), text("scope"))
        })
        .collect();
    let created = text("created");
    let day = created.split('T').next().unwrap_or_default();
    let (id, name) = (text("appId"), text("displayName"));
    format!("{id}  {name}  since {day}  {}", roles.join(", "))
}

fn revoke(arguments: &SpRevokeArguments) -> Result<ExitCode, Sentence> {
    let node = NodeFile::read(&arguments.node.data_dir)?;
    let wanted = json!({"appId": arguments.app_id});
    node.ask(Question::Post("/principals/revoke", Some(&wanted)))?;
    output::line(format_args!("revoked {}", arguments.app_id));
    Ok(ExitCode::SUCCESS)
}
