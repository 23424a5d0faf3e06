//! Vaults.

use gatewright_arm::{ArmError, ResourceId};
use gatewright_store::Pending;
use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use super::{VAULTS, deleted, uri};
use crate::context::{Context, handler};
use crate::core::Core;
use crate::front::answer::Answer;
use crate::front::router::{Access, Route};
use crate::operations::Doing;
use crate::resources::edit::{Edit, member};
use crate::resources::kind::{Kind, Manner, Prepared, Put};
use crate::resources::naming::no_location;
use crate::resources::shape::member as plain;
use crate::resources::shape::{Bounds, Form, Member, Shape, defaulted, dropped};
use crate::routes::{action, route};

/// Lengths of a name, in characters.
const NAME_CHARACTERS: std::ops::RangeInclusive<usize> = 3..=24;

/// Most access policies of a vault, as in the service.
const POLICIES_MAX: usize = 1024;

const SHAPE: Shape = Shape {
    type_last: false,
    head: TOP,
    properties: PROPERTIES,
    tail: &[],
    bounds: Bounds::Open,
};

const TOP: &[Member] = &[
    plain("location", Form::Text),
    defaulted("tags", Form::Any, "{}"),
    dropped("systemData"),
];

const PROPERTIES: &[Member] = &[
    defaulted("sku", Form::Object(SKU), "{}"),
    plain("tenantId", Form::Text),
    plain("networkAcls", Form::Object(NETWORK_ACLS)),
    defaulted("accessPolicies", Form::Objects(POLICY), "[]"),
    defaulted("enabledForDeployment", Form::Boolean, "false"),
    plain("enabledForDiskEncryption", Form::Boolean),
    plain("enabledForTemplateDeployment", Form::Boolean),
    // It cannot be switched off any more.
    dropped("enableSoftDelete"),
    defaulted("softDeleteRetentionInDays", Form::Integer(7, 90), "90"),
    defaulted("enableRbacAuthorization", Form::Boolean, "false"),
    plain("enablePurgeProtection", Form::Boolean),
    dropped("vaultUri"),
    dropped("createMode"),
    defaulted(
        "publicNetworkAccess",
        Form::Word(&["Enabled", "Disabled"]),
        "\"Enabled\"",
    ),
];

const SKU: &[Member] = &[
    defaulted("family", Form::Word(&["A"]), "\"A\""),
    defaulted("name", Form::Word(&["standard", "premium"]), "\"standard\""),
];

const NETWORK_ACLS: &[Member] = &[
    defaulted(
        "bypass",
        Form::Word(&["AzureServices", "None"]),
        "\"AzureServices\"",
    ),
    defaulted("defaultAction", Form::Word(&["Allow", "Deny"]), "\"Allow\""),
    defaulted("ipRules", Form::Any, "[]"),
    defaulted("virtualNetworkRules", Form::Any, "[]"),
];

const POLICY: &[Member] = &[
    plain("tenantId", Form::Text),
    plain("objectId", Form::Text),
    plain("applicationId", Form::Text),
    defaulted("permissions", Form::Object(PERMISSIONS), "{}"),
];

const PERMISSIONS: &[Member] = &[
    plain("keys", Form::Texts),
    plain("secrets", Form::Texts),
    plain("certificates", Form::Texts),
    plain("storage", Form::Texts),
];

pub(super) struct Vaults;

impl Kind for Vaults {
    fn name(&self) -> &'static str {
        VAULTS
    }

    fn manner(&self) -> Manner {
        Manner::AtOnce
    }

    fn patches_properties(&self) -> bool {
        true
    }

    fn is_recoverable(&self) -> bool {
        true
    }

    fn prepare<'a>(
        &'a self,
        core: &'a Core,
        put: Put<'a>,
    ) -> Pending<'a, Result<Prepared, ArmError>> {
        Box::pin(prepare(core, put))
    }
}

async fn prepare(core: &Core, put: Put<'_>) -> Result<Prepared, ArmError> {
    let name = put.id.name().unwrap_or_default();
    check_name(name)?;
    if put.previous.is_none() {
        check_free(core, name).await?;
    }
    let previous = put.previous_body();
    let mut body = put.shaped(&SHAPE)?;
    if let Some(members) = body.as_object_mut() {
        // Vaults have none.
        members.shift_remove("etag");
    }
    let location = previous.and_then(|before| before.get("location"));
    if body.get("location").is_none() {
        body["location"] = location.cloned().ok_or_else(no_location)?;
    }
    let properties = &mut body["properties"];
    properties["enableSoftDelete"] = json!(true);
    properties["vaultUri"] = json!(uri::of_vault(name));
    if properties.get("tenantId").is_none() {
        properties["tenantId"] = json!(core.config.tenant);
    }
    let count = properties["accessPolicies"].as_array().map_or(0, Vec::len);
    if count > POLICIES_MAX {
        let message = format!("A vault has at most {POLICIES_MAX} access policies.");
        return Err(ArmError::front_door("BadRequest", message));
    }
    keep_purge_protection(&put, properties)?;
    Ok(Prepared::of(body))
}

fn check_name(name: &str) -> Result<(), ArmError> {
    let is_fine = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let begins_well = name.starts_with(|c: char| c.is_ascii_alphabetic());
    let is_good = NAME_CHARACTERS.contains(&name.len())
        && name.chars().all(is_fine)
        && begins_well
        && !name.ends_with('-')
        && !name.contains("--");
    if is_good {
        return Ok(());
    }
    let message = format!(
        "The vault name '{name}' is invalid. A vault's name must be between 3-24 alphanumeric \
         characters. The name must begin with a letter, end with a letter or digit, and not \
         contain consecutive hyphens. Follow this link for more information: \
         https://go.microsoft.com/fwlink/?linkid=2147742"
    );
    Err(ArmError::front_door("VaultNameNotValid", message))
}

/// No other vault has the name: in the whole subscription, and among those that were deleted.
async fn check_free(core: &Core, name: &str) -> Result<(), ArmError> {
    if core.vault_id(name).is_some() {
        let message = format!(
            "The vault name '{name}' is already in use. Vault names are globally unique so it is \
             possible that the name is already taken. If you are sure that the vault name was not \
             taken then it is possible that a vault with the same name was recently deleted but \
             not purged after being placed in a recoverable state."
        );
        return Err(ArmError::front_door("VaultAlreadyExists", message));
    }
    if deleted::vault(core, name).await?.is_some() {
        let message = format!(
            "A vault with the same name already exists in deleted state. You need to either \
             recover or purge existing key vault '{name}'. Follow this link \
             https://go.microsoft.com/fwlink/?linkid=2149745 for more information on soft delete."
        );
        return Err(ArmError::front_door("ConflictError", message));
    }
    Ok(())
}

/// Once switched on, it stays on.
fn keep_purge_protection(put: &Put<'_>, properties: &mut Value) -> Result<(), ArmError> {
    let name = "enablePurgeProtection";
    let is_on = put.kept("/properties/enablePurgeProtection") == Some(&json!(true));
    match properties.get(name) {
        Some(Value::Bool(false)) if is_on => {
            let message = "The property \"enablePurgeProtection\" cannot be set to false. Enabling \
                           the purge protection for a vault is an irreversible action.";
            Err(ArmError::front_door("BadRequest", message))
        }
        None if is_on => {
            properties[name] = json!(true);
            Ok(())
        }
        _ => Ok(()),
    }
}

pub(super) fn routes() -> Vec<Route> {
    let one = format!(
        "/subscriptions/{{subscription}}/resourceGroups/{{group}}/providers/{VAULTS}/{{vault}}"
    );
    vec![
        // What creating a vault in the state Recover means.
        route(
            Method::PUT,
            one.clone(),
            action(VAULTS, "write"),
            handler(deleted::put_or_recover),
        ),
        route(
            Method::PUT,
            format!("{one}/accessPolicies/{{operation}}"),
            action(&format!("{VAULTS}/accessPolicies"), "write"),
            handler(change_policies),
        ),
        route(
            Method::POST,
            "/subscriptions/{subscription}/providers/Microsoft.KeyVault/checkNameAvailability",
            Access::Authenticated,
            handler(check_availability),
        ),
    ]
}

/// `add`, `replace` and `remove` of access policies.
async fn change_policies(context: Context) -> Result<Answer, ArmError> {
    let id = context.resource_id(2)?;
    let document = context.document(&id).await?;
    let body = context.json()?;
    let given = member(&body, "properties").and_then(|bag| member(bag, "accessPolicies"));
    let given = given.and_then(Value::as_array).cloned().unwrap_or_default();
    let stored = document.body.pointer("/properties/accessPolicies");
    let mut policies = stored
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    let operation = context.captures.get("operation").to_ascii_lowercase();
    for policy in given {
        policies.retain(|one| operation == "add" || !is_for_same(one, &policy));
        match operation.as_str() {
            "add" => add_policy(&mut policies, policy),
            "replace" => policies.push(policy),
            "remove" => {}
            other => {
                let message = format!(
                    "The operation kind '{other}' is unknown; it is one of add, replace, remove."
                );
                return Err(ArmError::front_door("BadRequest", message));
            }
        }
    }
    let change = json!({"properties": {"accessPolicies": policies}});
    let call = context.call(Doing::Put, format!("{VAULTS}/accessPolicies/write"));
    let accepted = context.core.write(&call, &id, Edit::Merge(&change)).await?;
    let vault = &accepted.document;
    Ok(Answer::json(
        StatusCode::OK,
        &json!({
            "id": format!("{}/accessPolicies/", vault.id),
            "type": format!("{VAULTS}/accessPolicies"),
            "properties": {"accessPolicies": vault.body.pointer("/properties/accessPolicies")},
        }),
    ))
}

fn is_for_same(one: &Value, other: &Value) -> bool {
    ["objectId", "applicationId"].iter().all(|name| {
        let text = |policy| {
            member(policy, name)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        text(one).eq_ignore_ascii_case(text(other))
    })
}

/// The permissions of both, where there is one for the same holder.
fn add_policy(policies: &mut Vec<Value>, policy: Value) {
    let Some(known) = policies.iter_mut().find(|one| is_for_same(one, &policy)) else {
        policies.push(policy);
        return;
    };
    let more = member(&policy, "permissions").and_then(Value::as_object);
    for (collection, words) in more.into_iter().flatten() {
        let mut all = known["permissions"][collection]
            .as_array()
            .cloned()
            .unwrap_or_default();
        for word in words.as_array().into_iter().flatten() {
            if !all.contains(word) {
                all.push(word.clone());
            }
        }
        known["permissions"][collection] = all.into();
    }
}

async fn check_availability(context: Context) -> Result<Answer, ArmError> {
    let body = context.json()?;
    let name = member(&body, "name")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let answer = |reason: &str, message: String| {
        Ok(Answer::ok(
            &json!({"nameAvailable": false, "reason": reason, "message": message}),
        ))
    };
    if let Err(error) = check_name(name) {
        return answer("AccountNameInvalid", error.message);
    }
    match check_free(&context.core, name).await {
        Err(error) => answer("AlreadyExists", error.message),
        Ok(()) => Ok(Answer::ok(&json!({"nameAvailable": true}))),
    }
}

impl Core {
    /// The vault of this name, in any group.
    pub(crate) fn vault_id(&self, name: &str) -> Option<ResourceId> {
        let mut named = self.inventory.of_type(VAULTS).into_iter().filter(|known| {
            let own = known.id.name().unwrap_or_default();
            own.eq_ignore_ascii_case(name)
        });
        named.next().map(|known| known.id)
    }
}
