//! What a client of a vault's own address asks, under `/keyvault/{vault}`: secrets and their
//! versions. Tokens are those of this control plane; who may do what is for the vault to say.

use gatewright_arm::{ArmError, ResourceId};
use hyper::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::access::{Permission, allows_caller};
use super::deleted::{self, Deleted};
use super::uri;
use super::versions::{Version, Versions};
use crate::clock;
use crate::context::{Context, Handler, handler};
use crate::front::answer::Answer;
use crate::front::router::{Access, Route};
use crate::operations::Doing;
use crate::resources::document::Document;
use crate::resources::edit::{Edit, member};
use crate::routes::route;

/// What every secret can be after it was deleted.
const RECOVERY_LEVEL: &str = "Recoverable+Purgeable";

pub(super) fn routes() -> Vec<Route> {
    let row = |method: Method, path: &str, handler: Handler| {
        let pattern = format!("/keyvault/{{vault}}/{path}");
        route(method, pattern, Access::Authenticated, handler)
    };
    vec![
        row(Method::GET, "secrets", handler(list)),
        row(Method::PUT, "secrets/{name}", handler(set)),
        row(Method::GET, "secrets/{name}", handler(get)),
        row(Method::PATCH, "secrets/{name}", handler(change)),
        row(Method::DELETE, "secrets/{name}", handler(delete)),
        row(
            Method::GET,
            "secrets/{name}/versions",
            handler(list_versions),
        ),
        row(Method::GET, "secrets/{name}/{version}", handler(get)),
        row(Method::PATCH, "secrets/{name}/{version}", handler(change)),
        row(Method::GET, "deletedsecrets", handler(list_deleted)),
        row(Method::GET, "deletedsecrets/{name}", handler(get_deleted)),
        row(Method::DELETE, "deletedsecrets/{name}", handler(purge)),
        row(
            Method::POST,
            "deletedsecrets/{name}/recover",
            handler(recover),
        ),
    ]
}

/// The vault of the path, if the caller may do this in it.
pub(super) async fn admitted(
    context: &Context,
    permission: Permission,
) -> Result<Document, ArmError> {
    let name = context.captures.get("vault");
    let core = &context.core;
    let missing = || {
        let message = format!("There is no vault '{name}', or nothing of it is yours to see.");
        ArmError::front_door("NotFound", message)
    };
    let vault = core.vault(name).await?.ok_or_else(missing)?;
    if allows_caller(core, &vault, &context.caller, permission).await {
        return Ok(vault);
    }
    let (collection, word) = permission.policy();
    let message = format!(
        "The user, group or application 'appid={};oid={}' does not have {collection} {word} \
         permission on key vault '{name};location={}'. For help resolving this issue, please see \
         https://go.microsoft.com/fwlink/?linkid=2125287",
        context.caller.app_id(),
        context.caller.object_id(),
        vault.location()
    );
    Err(ArmError::front_door("Forbidden", message))
}

fn no_secret(name: &str) -> ArmError {
    let message = format!(
        "A secret with (name/id) {name} was not found in this key vault. If you recently deleted \
         this secret you may be able to recover it using the correct recovery command. For help \
         resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125182"
    );
    ArmError::front_door("SecretNotFound", message)
}

pub(super) async fn secret(context: &Context, vault: &Document) -> Result<Document, ArmError> {
    let name = context.captures.get("name");
    let id = context.core.secret_id(vault, name);
    context
        .core
        .document(&id)
        .await?
        .ok_or_else(|| no_secret(name))
}

fn name_of(document: &Document) -> &str {
    document.id.name().unwrap_or_default()
}

/// A version without its value; with its version in the id, or without.
fn item(
    vault: &Document,
    name: &str,
    version: &Version,
    is_of_version: bool,
) -> Map<String, Value> {
    let mut attributes = version.attributes();
    attributes.insert("recoveryLevel".to_owned(), json!(RECOVERY_LEVEL));
    let id = is_of_version.then_some(version.id.as_str());
    let mut out = Map::new();
    if let Some(content_type) = &version.content_type {
        out.insert("contentType".to_owned(), json!(content_type));
    }
    out.insert(
        "id".to_owned(),
        json!(uri::of_secret(name_of(vault), name, id)),
    );
    if version.is_certificate {
        out.insert("managed".to_owned(), json!(true));
    }
    out.insert("attributes".to_owned(), attributes.into());
    if version
        .tags
        .as_object()
        .is_some_and(|tags| !tags.is_empty())
    {
        out.insert("tags".to_owned(), version.tags.clone());
    }
    out
}

fn bundle(vault: &Document, name: &str, version: &Version) -> Value {
    let mut out = Map::new();
    out.insert("value".to_owned(), json!(version.value));
    out.extend(item(vault, name, version, true));
    Value::Object(out)
}

async fn get(context: Context) -> Result<Answer, ArmError> {
    let vault = admitted(&context, Permission::GetSecret).await?;
    let document = secret(&context, &vault).await?;
    let versions = Versions::of(&context.core, &document)?;
    let asked = Some(context.captures.get("version")).filter(|version| !version.is_empty());
    let version = versions
        .find(asked)
        .ok_or_else(|| no_secret(name_of(&document)))?;
    if !version.enabled {
        let message = "Operation get is not allowed on a disabled secret.";
        return Err(ArmError::front_door("Forbidden", message));
    }
    Ok(Answer::ok(&bundle(&vault, name_of(&document), version)))
}

/// Writes a secret as this body of the data plane says, in the form of a resource.
pub(super) async fn write(
    context: &Context,
    vault: &Document,
    mut properties: Map<String, Value>,
    action: &str,
) -> Result<Document, ArmError> {
    let body = context.json()?;
    for name in ["contentType", "attributes"] {
        if let (Some(given), false) = (member(&body, name), properties.contains_key(name)) {
            properties.insert(name.to_owned(), given.clone());
        }
    }
    let mut whole = json!({ "properties": properties });
    if let Some(tags) = member(&body, "tags") {
        whole["tags"] = tags.clone();
    }
    let id = context.core.secret_id(vault, context.captures.get("name"));
    let call = context.call(Doing::Put, action.to_owned());
    let edit = match whole.pointer("/properties/value") {
        Some(_) => Edit::Whole(&whole),
        None => Edit::Merge(&whole),
    };
    Ok(context.core.write(&call, &id, edit).await?.document)
}

async fn set(context: Context) -> Result<Answer, ArmError> {
    let vault = admitted(&context, Permission::SetSecret).await?;
    let body = context.json()?;
    let value = member(&body, "value")
        .and_then(Value::as_str)
        .ok_or_else(|| {
            ArmError::front_door("BadParameter", "Property value is required, and is a text.")
        })?;
    let mut properties = Map::new();
    properties.insert("value".to_owned(), json!(value));
    let action = Permission::SetSecret.action();
    let document = write(&context, &vault, properties, action).await?;
    newest(&context, &vault, &document)
}

fn newest(context: &Context, vault: &Document, document: &Document) -> Result<Answer, ArmError> {
    let versions = Versions::of(&context.core, document)?;
    let name = name_of(document);
    let version = versions.find(None).ok_or_else(|| no_secret(name))?;
    Ok(Answer::ok(&bundle(vault, name, version)))
}

/// Attributes, content type and tags of the newest version.
async fn change(context: Context) -> Result<Answer, ArmError> {
    let vault = admitted(&context, Permission::SetSecret).await?;
    let document = secret(&context, &vault).await?;
    let versions = Versions::of(&context.core, &document)?;
    let asked = context.captures.get("version");
    let is_newest = versions
        .find(None)
        .is_some_and(|one| asked.is_empty() || one.id.eq_ignore_ascii_case(asked));
    if !is_newest {
        let message = "Only the newest version of a secret can be changed here.";
        return Err(ArmError::front_door("BadParameter", message));
    }
    let action = Permission::SetSecret.action();
    let document = write(&context, &vault, Map::new(), action).await?;
    let versions = Versions::of(&context.core, &document)?;
    let name = name_of(&document);
    let version = versions.find(None).ok_or_else(|| no_secret(name))?;
    Ok(Answer::ok(&item(&vault, name, version, true)))
}

async fn list(context: Context) -> Result<Answer, ArmError> {
    let vault = admitted(&context, Permission::ListSecrets).await?;
    let mut items: Vec<Value> = Vec::new();
    for known in context
        .core
        .inventory
        .within(&format!("{}/secrets", vault.id))
    {
        let Some(document) = context.core.document(&known.id).await? else {
            continue;
        };
        let versions = Versions::of(&context.core, &document)?;
        let newest = versions.find(None);
        items.extend(newest.map(|one| item(&vault, name_of(&document), one, false).into()));
    }
    Ok(Answer::ok(&json!({"value": items, "nextLink": null})))
}

async fn list_versions(context: Context) -> Result<Answer, ArmError> {
    let vault = admitted(&context, Permission::ListSecrets).await?;
    let document = secret(&context, &vault).await?;
    let versions = Versions::of(&context.core, &document)?;
    let name = name_of(&document);
    let one = |version: &Version| Value::from(item(&vault, name, version, true));
    let items: Vec<Value> = versions.versions.iter().map(one).collect();
    Ok(Answer::ok(&json!({"value": items, "nextLink": null})))
}

async fn delete(context: Context) -> Result<Answer, ArmError> {
    let vault = admitted(&context, Permission::DeleteSecret).await?;
    let document = secret(&context, &vault).await?;
    let action = Permission::DeleteSecret.action().to_owned();
    let call = context.call(Doing::Delete, action);
    context.core.delete(&call, &document.id).await?;
    let gone = gone(&context, &document.id).await?;
    Ok(Answer::ok(&deleted_item(&context, &vault, &gone)?))
}

async fn gone(context: &Context, id: &ResourceId) -> Result<Deleted, ArmError> {
    let found = deleted::find(&context.core, id).await?;
    found.ok_or_else(|| no_secret(id.name().unwrap_or_default()))
}

fn deleted_item(context: &Context, vault: &Document, gone: &Deleted) -> Result<Value, ArmError> {
    let versions = Versions::of(&context.core, gone)?;
    let name = name_of(gone);
    let version = versions.find(None).ok_or_else(|| no_secret(name))?;
    let mut out = item(vault, name, version, true);
    let recovery = format!("{}deletedsecrets/{name}", uri::of_vault(name_of(vault)));
    out.insert("recoveryId".to_owned(), json!(recovery));
    out.insert("deletedDate".to_owned(), json!(gone.at().unix_timestamp()));
    out.insert(
        "scheduledPurgeDate".to_owned(),
        json!(gone.until().unix_timestamp()),
    );
    Ok(Value::Object(out))
}

async fn list_deleted(context: Context) -> Result<Answer, ArmError> {
    let vault = admitted(&context, Permission::ListSecrets).await?;
    let mut items = Vec::new();
    for one in deleted::secrets(&context.core, &vault.id).await? {
        items.push(deleted_item(&context, &vault, &one)?);
    }
    Ok(Answer::ok(&json!({"value": items, "nextLink": null})))
}

async fn get_deleted(context: Context) -> Result<Answer, ArmError> {
    let vault = admitted(&context, Permission::GetSecret).await?;
    let id = context.core.secret_id(&vault, context.captures.get("name"));
    let gone = gone(&context, &id).await?;
    Ok(Answer::ok(&deleted_item(&context, &vault, &gone)?))
}

async fn purge(context: Context) -> Result<Answer, ArmError> {
    let vault = admitted(&context, Permission::PurgeSecret).await?;
    let id = context.core.secret_id(&vault, context.captures.get("name"));
    let gone = gone(&context, &id).await?;
    if vault.body.pointer("/properties/enablePurgeProtection") == Some(&json!(true)) {
        let message = format!(
            "Operation \"purge\" is not allowed because purge protection is enabled for this \
             vault; the secret is purged on {}.",
            clock::precise(gone.until())
        );
        return Err(ArmError::front_door("Forbidden", message));
    }
    deleted::purge(&context.core, &id).await?;
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}

async fn recover(context: Context) -> Result<Answer, ArmError> {
    let vault = admitted(&context, Permission::RecoverSecret).await?;
    let id = context.core.secret_id(&vault, context.captures.get("name"));
    let gone = gone(&context, &id).await?;
    let document = deleted::recover(&context.core, gone).await?;
    let versions = Versions::of(&context.core, &document)?;
    let name = name_of(&document);
    let version = versions.find(None).ok_or_else(|| no_secret(name))?;
    Ok(Answer::ok(&item(&vault, name, version, true)))
}
