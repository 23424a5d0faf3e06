//! What was deleted and can be recovered: vaults with their secrets, and single secrets. It lies
//! beside the resources until it is recovered or purged, or its time is over.

use std::sync::Arc;

use gatewright_arm::{ArmError, ResourceId};
use gatewright_store::Transaction;
use hyper::{Method, StatusCode};
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

use super::VAULTS;
use crate::clock;
use crate::context::{Context, handler};
use crate::core::{Core, failed};
use crate::front::answer::Answer;
use crate::front::router::Route;
use crate::operations::Doing;
use crate::resources::document::{self, DELETED_PREFIX, Document};
use crate::resources::edit::{Edit, member};
use crate::resources::write::not_committed;
use crate::routes::{action, route};

/// How long what a vault does not say so of is kept, in days.
const RETENTION_DAYS: i64 = 90;

/// The type of deleted vaults, in actions.
const DELETED_VAULTS: &str = "Microsoft.KeyVault/locations/deletedVaults";

/// Something that was deleted.
pub(super) struct Deleted(pub(super) Document);

impl std::ops::Deref for Deleted {
    type Target = Document;

    fn deref(&self) -> &Document {
        &self.0
    }
}

impl Deleted {
    fn retention(&self) -> Duration {
        let days = self.body.pointer("/properties/softDeleteRetentionInDays");
        Duration::days(days.and_then(Value::as_i64).unwrap_or(RETENTION_DAYS))
    }

    /// When it was deleted.
    pub(super) fn at(&self) -> OffsetDateTime {
        self.changed
    }

    /// When it is going to be purged.
    pub(super) fn until(&self) -> OffsetDateTime {
        self.changed + self.retention()
    }
}

/// What was deleted under this id and is not over yet.
pub(super) async fn find(core: &Core, id: &ResourceId) -> Result<Option<Deleted>, ArmError> {
    let key = document::deleted_key_of(id).map_err(failed)?;
    let entry = core.store.get(&key).await.map_err(failed)?;
    let found = entry
        .as_ref()
        .map(Document::read)
        .transpose()
        .map_err(failed)?;
    Ok(found.map(Deleted).filter(|one| one.until() > clock::now()))
}

/// Everything of it whose id begins with `scope`.
async fn within(core: &Core, scope: &str) -> Result<Vec<Deleted>, ArmError> {
    let prefix = format!("{DELETED_PREFIX}{}", scope.to_ascii_lowercase());
    let entries = core.entries(&prefix).await.map_err(failed)?;
    let read = |entry| Document::read(entry).map(Deleted).map_err(failed);
    let mut found = entries.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    found.retain(|one| one.until() > clock::now());
    Ok(found)
}

async fn vaults(core: &Core) -> Result<Vec<Deleted>, ArmError> {
    let scope = format!("/subscriptions/{}/", core.config.subscription);
    let mut all = within(core, &scope).await?;
    all.retain(|one| one.id.resource_type() == VAULTS);
    Ok(all)
}

/// The deleted vault of this name.
pub(super) async fn vault(core: &Core, name: &str) -> Result<Option<Deleted>, ArmError> {
    let all = vaults(core).await?.into_iter();
    let is_named = |one: &Deleted| {
        one.id
            .name()
            .is_some_and(|own| own.eq_ignore_ascii_case(name))
    };
    Ok({ all }.find(is_named))
}

/// The deleted secrets of a vault that is there.
pub(super) async fn secrets(core: &Core, vault: &ResourceId) -> Result<Vec<Deleted>, ArmError> {
    within(core, &format!("{vault}/secrets/")).await
}

/// Takes it away for good, with what lies below it.
pub(super) async fn purge(core: &Core, id: &ResourceId) -> Result<(), ArmError> {
    let mut transaction = Transaction::default();
    transaction = transaction.delete(document::deleted_key_of(id).map_err(failed)?);
    for one in within(core, &format!("{id}/")).await? {
        transaction = transaction.delete(document::deleted_key_of(&one.id).map_err(failed)?);
    }
    core.commit(transaction)
        .await
        .map(drop)
        .map_err(not_committed)
}

/// Puts it back, with what went together with it.
pub(super) async fn recover(core: &Arc<Core>, deleted: Deleted) -> Result<Document, ArmError> {
    let _turn = core.writing.lock().await;
    core.check_group(&deleted.id)?;
    let mut all = within(core, &format!("{}/", deleted.id)).await?;
    // Secrets that were deleted by themselves before stay deleted.
    all.retain(|one| one.changed >= deleted.changed);
    all.insert(0, deleted);
    let mut transaction = Transaction::default();
    let mut back = Vec::new();
    for Deleted(mut one) in all {
        one.changed = clock::now();
        let from = document::deleted_key_of(&one.id).map_err(failed)?;
        let to = document::key_of(&one.id).map_err(failed)?;
        transaction = transaction.delete(from).put(to, one.to_bytes());
        back.push(one);
    }
    let revision = core.commit(transaction).await.map_err(not_committed)?;
    for one in &mut back {
        one.revision = revision;
        core.note(one);
    }
    back.into_iter()
        .next()
        .ok_or_else(|| failed("nothing was recovered"))
}

pub(super) fn routes() -> Vec<Route> {
    let provider = "/subscriptions/{subscription}/providers/Microsoft.KeyVault";
    let one = format!("{provider}/locations/{{location}}/deletedVaults/{{vault}}");
    let read = || action(DELETED_VAULTS, "read");
    vec![
        route(
            Method::GET,
            format!("{provider}/deletedVaults"),
            read(),
            handler(list),
        ),
        // az asks for both kinds of vaults in one command.
        route(
            Method::GET,
            format!("{provider}/deletedManagedHSMs"),
            read(),
            handler(no_hardware),
        ),
        route(Method::GET, one.clone(), read(), handler(get)),
        route(
            Method::POST,
            format!("{one}/purge"),
            action(DELETED_VAULTS, "purge/action"),
            handler(purge_vault),
        ),
    ]
}

/// A PUT that says `createMode` `recover` brings a deleted vault back; others write.
pub(super) async fn put_or_recover(context: Context) -> Result<Answer, ArmError> {
    let id = context.resource_id(0)?;
    let body = context.json()?;
    let mode = member(&body, "properties").and_then(|bag| member(bag, "createMode"));
    let is_recovery = mode
        .and_then(Value::as_str)
        .is_some_and(|mode| mode.eq_ignore_ascii_case("recover"));
    if is_recovery && context.core.document(&id).await?.is_none() {
        let Some(deleted) = find(&context.core, &id).await? else {
            let message = format!(
                "A deleted vault with the name '{}' does not exist in deleted state.",
                id.name().unwrap_or_default()
            );
            return Err(ArmError::front_door("DeletedVaultNotFound", message));
        };
        let vault = recover(&context.core, deleted).await?;
        return Ok(Answer::ok(&context.core.shown(&vault).body));
    }
    let call = context.call(Doing::Put, format!("{VAULTS}/write"));
    let accepted = context.core.write(&call, &id, Edit::Whole(&body)).await?;
    let shown = context.core.shown(&accepted.document).body;
    Ok(Answer::json(crate::core::written(accepted.is_new), &shown))
}

fn shown(core: &Core, one: &Deleted) -> Value {
    let name = one.id.name().unwrap_or_default();
    let protection = one
        .body
        .pointer("/properties/enablePurgeProtection")
        .cloned();
    let mut body = json!({
        "id": format!(
            "/subscriptions/{}/providers/Microsoft.KeyVault/locations/{}/deletedVaults/{name}",
            core.config.subscription,
            one.location()
        ),
        "name": name,
        "type": "Microsoft.KeyVault/deletedVaults",
        "properties": {
            "vaultId": one.id.to_string(),
            "location": one.location(),
            "tags": one.body.get("tags"),
            "deletionDate": clock::precise(one.at()),
            "scheduledPurgeDate": clock::precise(one.until()),
        },
    });
    if let Some(protection) = protection {
        body["properties"]["purgeProtectionEnabled"] = protection;
    }
    body
}

async fn list(context: Context) -> Result<Answer, ArmError> {
    let all = vaults(&context.core).await?;
    let all: Vec<Value> = all.iter().map(|one| shown(&context.core, one)).collect();
    Ok(Answer::ok(&json!({ "value": all })))
}

async fn no_hardware(_: Context) -> Result<Answer, ArmError> {
    Ok(Answer::ok(&json!({ "value": [] })))
}

async fn named(context: &Context) -> Result<Deleted, ArmError> {
    let name = context.captures.get("vault");
    vault(&context.core, name).await?.ok_or_else(|| {
        let message = format!("The specified deleted vault '{name}' does not exist.");
        ArmError::front_door("DeletedVaultNotFound", message)
    })
}

async fn get(context: Context) -> Result<Answer, ArmError> {
    let one = named(&context).await?;
    Ok(Answer::ok(&shown(&context.core, &one)))
}

async fn purge_vault(context: Context) -> Result<Answer, ArmError> {
    let one = named(&context).await?;
    if one.body.pointer("/properties/enablePurgeProtection") == Some(&json!(true)) {
        let message = format!(
            "Operation \"purge\" is not allowed on this vault because purge protection is enabled; \
             it is purged on {}.",
            clock::precise(one.until())
        );
        return Err(ArmError::front_door("MethodNotAllowed", message));
    }
    purge(&context.core, &one.id).await?;
    Ok(Answer::empty(StatusCode::OK))
}
