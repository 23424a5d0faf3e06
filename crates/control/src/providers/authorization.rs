//! `Microsoft.Authorization`: roles that are assigned to identities, for what they may read in
//! vaults.
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
use crate::resources::edit::member;
use crate::resources::write::not_committed;
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
            && is_within(scope, text(one, "scope"))
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

fn is_within(scope: &str, above: &str) -> bool {
    let (scope, above) = (scope.to_ascii_lowercase(), above.to_ascii_lowercase());
    let rest = scope.strip_prefix(above.trim_end_matches('/'));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
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
    let child = format!("{resource}/{{kind}}/{{child}}");
    let mut routes = Vec::new();
    for scope in ["/subscriptions/{subscription}", group, &resource, &child] {
        let list = format!("{scope}/providers/{ASSIGNMENTS}");
        let one = format!("{list}/{{assignment}}");
        let roles = format!("{scope}/providers/{DEFINITIONS}");
        routes.extend([
            route(
                Method::GET,
                &list,
                action(ASSIGNMENTS, "read"),
                handler(list_assignments),
            ),
            route(Method::GET, &one, action(ASSIGNMENTS, "read"), handler(get)),
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
            route(
                Method::GET,
                &roles,
                action(DEFINITIONS, "read"),
                handler(list_roles),
            ),
            route(
                Method::GET,
                format!("{roles}/{{role}}"),
                action(DEFINITIONS, "read"),
                handler(get_role),
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

fn missing(name: &str) -> ArmError {
    let message = format!("The role assignment '{name}' is not found.");
    ArmError::front_door("RoleAssignmentNotFound", message)
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
    let role_id = role.rsplit('/').next().unwrap_or_default();
    let Some(role) = ROLES
        .iter()
        .find(|known| known.id.eq_ignore_ascii_case(role_id))
    else {
        let names: Vec<&str> = ROLES.iter().map(|role| role.name).collect();
        let message = format!(
            "The specified role definition with ID '{role_id}' does not exist. The roles that can \
             be assigned here are {}.",
            names.join(", ")
        );
        return Err(ArmError::front_door("RoleDefinitionDoesNotExist", message));
    };
    if uuid::Uuid::parse_str(&principal).is_err() {
        let message = format!("The principal ID '{principal}' is not valid. It must be a GUID.");
        return Err(ArmError::front_door("InvalidPrincipalId", message));
    }
    let kind = member(bag, "principalType").and_then(Value::as_str);
    let kind = kind.unwrap_or("ServicePrincipal");
    let core = &context.core;
    let _turn = core.writing.lock().await;
    let stored = all(core).await?;
    let is_new = !stored
        .iter()
        .any(|one| one.get("name") == Some(&json!(name)));
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
    core.commit(transaction).await.map_err(not_committed)?;
    Ok(Answer::json(written(is_new), &assignment))
}

async fn find(context: &Context) -> Result<Option<Value>, ArmError> {
    let key = key_of(context.captures.get("assignment"))?;
    let entry = context.core.store.get(&key).await.map_err(failed)?;
    let found = entry.as_ref().map(read).transpose()?;
    let scope = context.scope_without(4);
    Ok(found.filter(|one| text(one, "scope").eq_ignore_ascii_case(&scope)))
}

async fn get(context: Context) -> Result<Answer, ArmError> {
    let found = find(&context).await?;
    let name = context.captures.get("assignment");
    found
        .map(|one| Answer::ok(&one))
        .ok_or_else(|| missing(name))
}

async fn delete(context: Context) -> Result<Answer, ArmError> {
    let Some(found) = find(&context).await? else {
        return Ok(Answer::empty(StatusCode::NO_CONTENT));
    };
    let key = key_of(context.captures.get("assignment"))?;
    let transaction = Transaction::default().delete(key);
    context
        .core
        .commit(transaction)
        .await
        .map_err(not_committed)?;
    Ok(Answer::ok(&found))
}

/// Those at the scope, above it and below it; of one holder where the filter says so.
async fn list_assignments(context: Context) -> Result<Answer, ArmError> {
    let scope = context.scope_without(3);
    let filter = context
        .request
        .query
        .get("$filter")
        .unwrap_or_default()
        .to_ascii_lowercase();
    let mut found = all(&context.core).await?;
    found.retain(|one| {
        let own = text(one, "scope");
        let is_near = is_within(own, &scope) || is_within(&scope, own);
        let holder = text(one, "principalId").to_ascii_lowercase();
        is_near && (!filter.contains("principalid eq") || filter.contains(&holder))
    });
    Ok(Answer::ok(&json!({ "value": found })))
}

async fn list_roles(context: Context) -> Result<Answer, ArmError> {
    let filter = context.request.query.get("$filter").unwrap_or_default();
    let name = filter
        .split_once('\'')
        .and_then(|(_, rest)| rest.strip_suffix('\''));
    let found = ROLES
        .iter()
        .filter(|role| name.is_none_or(|name| role.name.eq_ignore_ascii_case(name)));
    let found: Vec<Value> = found.map(|role| role.shown(&context.core)).collect();
    Ok(Answer::ok(&json!({ "value": found })))
}

async fn get_role(context: Context) -> Result<Answer, ArmError> {
    let asked = context.captures.get("role");
    let found = ROLES
        .iter()
        .find(|role| role.id.eq_ignore_ascii_case(asked));
    found
        .map(|role| Answer::ok(&role.shown(&context.core)))
        .ok_or_else(|| {
            let message =
                format!("The specified role definition with ID '{asked}' does not exist.");
            ArmError::front_door("RoleDefinitionDoesNotExist", message)
        })
}
