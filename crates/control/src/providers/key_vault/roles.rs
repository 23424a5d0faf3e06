//! Roles that are assigned to identities, for what they may read in vaults.
//!
//! An assignment here gives its holder the data actions of its role. It gives nobody a right to
//! call this control plane: its principals have the roles that they were made with.

use gatewright_arm::{ArmError, ResourceId};
use gatewright_store::{Entry, Key, Transaction};
use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use crate::clock;
use crate::context::{Context, handler};
use crate::core::{Core, failed, written};
use crate::front::answer::Answer;
use crate::front::router::Route;
use crate::identity::is_at_or_below;
use crate::operations::Doing;
use crate::resources::edit::member;
use crate::resources::write::{not_committed, with_events};
use crate::routes::{action, route};

/// What the keys of assignments begin with; their GUID follows.
const PREFIX: &str = "role-assignment/";

/// Most assignments of the subscription.
const ASSIGNMENTS_MAX: usize = 1000;

const ASSIGNMENTS: &str = "Microsoft.Authorization/roleAssignments";

const DEFINITIONS: &str = "Microsoft.Authorization/roleDefinitions";

/// A built-in role, as far as vaults go. Source: the service's list of built-in roles.
struct Definition {
    id: &'static str,
    name: &'static str,
    data_actions: &'static [&'static str],
}

const ROLES: [Definition; 4] = [
    Definition {
        id: "4633458b-17de-408a-b874-0445c86b69e6",
        name: "Key Vault Secrets User",
        data_actions: &[
            "Microsoft.KeyVault/vaults/secrets/getSecret/action",
            "Microsoft.KeyVault/vaults/secrets/readMetadata/action",
        ],
    },
    Definition {
        id: "b86a8fe4-44ce-4948-aee5-eccb2c155cd7",
        name: "Key Vault Secrets Officer",
        data_actions: &["Microsoft.KeyVault/vaults/secrets/*"],
    },
    Definition {
        id: "a4417e6f-fecd-4de8-b567-7b0420556985",
        name: "Key Vault Certificates Officer",
        data_actions: &["Microsoft.KeyVault/vaults/certificates/*"],
    },
    Definition {
        id: "00482a5a-887f-4fb3-b363-3b7fe8e74483",
        name: "Key Vault Administrator",
        data_actions: &["Microsoft.KeyVault/vaults/*"],
    },
];

impl Definition {
    fn allows(&self, action: &str) -> bool {
        self.data_actions
            .iter()
            .any(|pattern| match pattern.strip_suffix('*') {
                Some(head) => action.starts_with(head),
                None => *pattern == action,
            })
    }

    fn shown(&self, core: &Core) -> Value {
        json!({
            "id": self.path(core),
            "name": self.id,
            "type": DEFINITIONS,
            "properties": {
                "roleName": self.name,
                "type": "BuiltInRole",
                "description": "",
                "assignableScopes": ["/"],
                "permissions": [{
                    "actions": [],
                    "notActions": [],
                    "dataActions": self.data_actions,
                    "notDataActions": [],
                }],
            },
        })
    }

    fn path(&self, core: &Core) -> String {
        let subscription = &core.config.subscription;
        format!(
            "/subscriptions/{subscription}/providers/{DEFINITIONS}/{}",
            self.id
        )
    }
}

/// Whether an assignment at the scope, or above it, allows the data action to this object id.
pub(crate) async fn allows_data(core: &Core, object_id: &str, action: &str, scope: &str) -> bool {
    if object_id.is_empty() {
        return false;
    }
    let all = all(core).await.unwrap_or_default();
    all.iter().any(|one| {
        let role = text(one, "roleDefinitionId")
            .rsplit('/')
            .next()
            .unwrap_or_default();
        let role = ROLES
            .iter()
            .find(|known| known.id.eq_ignore_ascii_case(role));
        text(one, "principalId").eq_ignore_ascii_case(object_id)
            && is_at_or_below(scope, text(one, "scope"))
            && role.is_some_and(|role| role.allows(action))
    })
}

fn text<'a>(assignment: &'a Value, name: &str) -> &'a str {
    let properties = assignment.get("properties").unwrap_or(&Value::Null);
    properties
        .get(name)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

async fn all(core: &Core) -> Result<Vec<Value>, ArmError> {
    let entries = core.entries(PREFIX).await.map_err(failed)?;
    entries.iter().map(read).collect()
}

fn read(entry: &Entry) -> Result<Value, ArmError> {
    serde_json::from_slice(&entry.value).map_err(failed)
}

fn key_of(name: &str) -> Result<Key, ArmError> {
    Key::new(format!("{PREFIX}{}", name.to_ascii_lowercase())).map_err(failed)
}

pub(crate) fn routes() -> Vec<Route> {
    let group = "/subscriptions/{subscription}/resourceGroups/{group}";
    let resource = format!("{group}/providers/{{namespace}}/{{type}}/{{resource}}");
    let mut routes = Vec::new();
    for scope in ["/subscriptions/{subscription}", group, &resource] {
        let one = format!("{scope}/providers/{ASSIGNMENTS}/{{assignment}}");
        routes.extend([
            route(
                Method::PUT,
                &one,
                action(ASSIGNMENTS, "write"),
                handler(put),
            ),
            route(
                Method::DELETE,
                &one,
                action(ASSIGNMENTS, "delete"),
                handler(delete),
            ),
        ]);
    }
    routes
}

impl Context {
    /// The scope that the path is below of.
    fn scope_without(&self, segments: usize) -> String {
        let kept = self.request.segments.len().saturating_sub(segments);
        let kept: Vec<&str> = self
            .request
            .segments
            .iter()
            .take(kept)
            .map(String::as_str)
            .collect();
        let path = format!("/{}", kept.join("/"));
        ResourceId::parse(&path).map_or(path, |id| id.to_string())
    }
}

async fn put(context: Context) -> Result<Answer, ArmError> {
    let scope = context.scope_without(4);
    let name = context.captures.get("assignment").to_ascii_lowercase();
    if uuid::Uuid::parse_str(&name).is_err() {
        let message = format!("The role assignment ID '{name}' is not valid. It must be a GUID.");
        return Err(ArmError::front_door("InvalidRoleAssignmentId", message));
    }
    let body = context.json()?;
    let bag = member(&body, "properties").unwrap_or(&Value::Null);
    let given = |name| {
        member(bag, name)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let (role, principal) = (given("roleDefinitionId"), given("principalId"));
    let role = role_named(&role)?;
    if uuid::Uuid::parse_str(&principal).is_err() {
        let message = format!("The principal ID '{principal}' is not valid. It must be a GUID.");
        return Err(ArmError::front_door("InvalidPrincipalId", message));
    }
    let kind = member(bag, "principalType").and_then(Value::as_str);
    let kind = kind.unwrap_or("ServicePrincipal");
    let core = &context.core;
    let _turn = core.writing.lock().await;
    let stored = all(core).await?;
    let mut named = stored.iter();
    let before = named.find(|one| one.get("name") == Some(&json!(name)));
    if let Some(before) = before {
        check_unmoved(before, &scope, &principal)?;
    }
    let is_new = before.is_none();
    if is_new && stored.len() >= ASSIGNMENTS_MAX {
        let message = format!("No more than {ASSIGNMENTS_MAX} role assignments can be made.");
        return Err(ArmError::front_door("RoleAssignmentLimitExceeded", message));
    }
    let now = clock::precise(clock::now());
    let assignment = json!({
        "id": format!("{scope}/providers/{ASSIGNMENTS}/{name}"),
        "name": name,
        "type": ASSIGNMENTS,
        "properties": {
            "roleDefinitionId": role.path(core),
            "principalId": principal,
            "principalType": kind,
            "scope": scope,
            "createdOn": now,
            "updatedOn": now,
            "createdBy": context.caller.object_id(),
            "updatedBy": context.caller.object_id(),
        },
    });
    let bytes = assignment.to_string().into_bytes();
    let transaction = Transaction::default().put(key_of(&name)?, bytes);
    let sub_status = if is_new { "Created" } else { "OK" };
    store(&context, transaction, (Doing::Put, "write"), sub_status).await?;
    Ok(Answer::json(written(is_new), &assignment))
}

/// The role of a definition's id.
fn role_named(definition: &str) -> Result<&'static Definition, ArmError> {
    let id = definition.rsplit('/').next().unwrap_or_default();
    let found = ROLES.iter().find(|known| known.id.eq_ignore_ascii_case(id));
    found.ok_or_else(|| {
        let names: Vec<&str> = ROLES.iter().map(|role| role.name).collect();
        let message = format!(
            "The specified role definition with ID '{id}' does not exist. The roles that can be \
             assigned here are {}.",
            names.join(", ")
        );
        ArmError::front_door("RoleDefinitionDoesNotExist", message)
    })
}

/// An owner of one scope must not take away what is assigned at another, by its name.
fn check_unmoved(before: &Value, scope: &str, principal: &str) -> Result<(), ArmError> {
    let is_same = |member: &str, value: &str| text(before, member).eq_ignore_ascii_case(value);
    if is_same("scope", scope) && is_same("principalId", principal) {
        return Ok(());
    }
    let message = "Tenant ID, application ID, principal ID, and scope are not allowed to be \
                   updated.";
    let code = "RoleAssignmentUpdateNotPermitted";
    Err(ArmError::front_door(code, message))
}

/// The assignment of this name at the scope.
pub(crate) async fn assignment(
    core: &Core,
    scope: &str,
    name: &str,
) -> Result<Option<Value>, ArmError> {
    let entry = core.store.get(&key_of(name)?).await.map_err(failed)?;
    let found = entry.as_ref().map(read).transpose()?;
    Ok(found.filter(|one| text(one, "scope").eq_ignore_ascii_case(scope)))
}

/// All assignments, each with its scope and its holder.
pub(crate) async fn assignments(core: &Core) -> Result<Vec<(String, String, Value)>, ArmError> {
    let all = all(core).await?.into_iter();
    let with = |one: Value| {
        let (scope, holder) = (text(&one, "scope"), text(&one, "principalId"));
        (scope.to_owned(), holder.to_owned(), one)
    };
    Ok(all.map(with).collect())
}

/// The roles, each with its name and its GUID.
pub(crate) fn definitions(core: &Core) -> Vec<(&'static str, &'static str, Value)> {
    let shown = |role: &Definition| (role.name, role.id, role.shown(core));
    ROLES.iter().map(shown).collect()
}

async fn delete(context: Context) -> Result<Answer, ArmError> {
    let (scope, name) = (context.scope_without(4), context.captures.get("assignment"));
    let Some(found) = assignment(&context.core, &scope, name).await? else {
        return Ok(Answer::empty(StatusCode::NO_CONTENT));
    };
    let transaction = Transaction::default().delete(key_of(name)?);
    store(&context, transaction, (Doing::Delete, "delete"), "OK").await?;
    Ok(Answer::ok(&found))
}

/// Commits a change of the assignment of the path, with its events.
async fn store(
    context: &Context,
    transaction: Transaction,
    (doing, verb): (Doing, &str),
    sub_status: &str,
) -> Result<(), ArmError> {
    let (core, id) = (&context.core, context.resource_id(0)?);
    let call = context.call(doing, format!("{ASSIGNMENTS}/{verb}"));
    let operation = core.begin(&call, &id, &Value::Null);
    let happened = [("Started", ""), ("Succeeded", sub_status)];
    let transaction = with_events(transaction, &operation, &id, &happened).map_err(failed)?;
    core.commit(transaction)
        .await
        .map(drop)
        .map_err(not_committed)
}
