//! `Microsoft.Authorization`: who may do what, to be read. Assignments to those who log in are made
//! by the operator, not through this API; those to identities, for what lies in vaults, through it.

use aws_lc_rs::digest;
use gatewright_arm::ArmError;
use hyper::Method;
use serde_json::{Value, json};

use crate::context::{Context, Handler, handler};
use crate::front::answer::Answer;
use crate::front::router::{Access, Route};
use crate::identity::{Assignment, Principal, Role, is_at_or_below};
use crate::providers::filter::split_terms;
use crate::providers::key_vault::roles;
use crate::routes::route;

const ASSIGNMENTS: &str = "Microsoft.Authorization/roleAssignments";
const DEFINITIONS: &str = "Microsoft.Authorization/roleDefinitions";
const PERMISSIONS: &str = "Microsoft.Authorization/permissions";
const LOCKS: &str = "Microsoft.Authorization/locks";

/// What a role can be on.
const SCOPES: [&str; 3] = [
    "/subscriptions/{subscription}",
    "/subscriptions/{subscription}/resourceGroups/{group}",
    "/subscriptions/{subscription}/resourceGroups/{group}/providers/{namespace}/{type}/{name}",
];

pub(crate) fn routes() -> Vec<Route> {
    let mut routes = Vec::new();
    for scope in SCOPES {
        let mut read = |path: String, kind: &str, handler: Handler| {
            let access = Access::Action(format!("{kind}/read"));
            let pattern = format!("{scope}/providers/{path}");
            routes.push(route(Method::GET, pattern, access, handler));
        };
        read(ASSIGNMENTS.to_owned(), ASSIGNMENTS, handler(assignments));
        let one = format!("{ASSIGNMENTS}/{{assignment}}");
        read(one, ASSIGNMENTS, handler(assignment));
        read(DEFINITIONS.to_owned(), DEFINITIONS, handler(definitions));
        let one = format!("{DEFINITIONS}/{{definition}}");
        read(one, DEFINITIONS, handler(definition));
        read(LOCKS.to_owned(), LOCKS, handler(locks));
        // Everyone may know what they may.
        let pattern = format!("{scope}/providers/{PERMISSIONS}");
        let own = handler(permissions);
        routes.push(route(Method::GET, pattern, Access::Authenticated, own));
    }
    routes
}

/// Nothing is locked here; scripts ask before they delete.
async fn locks(_: Context) -> Result<Answer, ArmError> {
    Ok(Answer::ok(&json!({ "value": [] })))
}

/// What is before the last `/providers/` of the path.
fn scope(context: &Context) -> String {
    let segments = &context.request.segments;
    let mut words = segments.iter();
    let end = words.rposition(|word| word.eq_ignore_ascii_case("providers"));
    let kept: Vec<&str> = segments
        .iter()
        .take(end.unwrap_or_default())
        .map(String::as_str)
        .collect();
    format!("/{}", kept.join("/"))
}

/// What the `$filter` of a list of assignments asks for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Filter {
    /// Not those below the scope.
    at_scope: bool,
    principal: Option<String>,
}

impl Filter {
    fn parse(text: &str) -> Result<Self, ArmError> {
        let mut filter = Self::default();
        for term in split_terms(text) {
            filter.add(term.trim()).ok_or_else(|| {
                let message = format!(
                    "The $filter '{term}' is not understood. atScope(), principalId eq '...' and \
                     assignedTo('...') can be asked for, with 'and' between."
                );
                ArmError::front_door("InvalidFilter", message)
            })?;
        }
        Ok(filter)
    }

    fn add(&mut self, term: &str) -> Option<()> {
        if term.eq_ignore_ascii_case("atScope()") {
            self.at_scope = true;
            return Some(());
        }
        let lower = term.to_ascii_lowercase();
        let quoted = match lower.strip_prefix("assignedto(") {
            Some(rest) => rest.strip_suffix(')')?,
            None => {
                let rest = lower.strip_prefix("principalid")?.trim_start();
                rest.strip_prefix("eq")?
            }
        };
        let id = quoted.trim().strip_prefix('\'')?.strip_suffix('\'')?;
        self.principal = Some(id.to_owned());
        Some(())
    }

    /// An assignment to this holder on the scope `own`, where those at `scope` are asked for.
    fn lets_through(&self, (holder, own): (&str, &str), scope: &str) -> bool {
        let is_above = is_at_or_below(scope, own);
        let is_below = !self.at_scope && is_at_or_below(own, scope);
        let asked = self.principal.as_ref();
        (is_above || is_below) && asked.is_none_or(|asked| asked.eq_ignore_ascii_case(holder))
    }
}

/// Those at the scope, those that hold there because they are on something above it, and those
/// below it.
async fn assignments(context: Context) -> Result<Answer, ArmError> {
    let scope = scope(&context);
    let filter = Filter::parse(context.request.query.get("$filter").unwrap_or_default())?;
    let mut value = Vec::new();
    for principal in context.core.identity.principals() {
        let own = principal.assignments.iter();
        let shown =
            own.filter(|one| filter.lets_through((&principal.object_id, &one.scope), &scope));
        value.extend(shown.map(|one| shown_assignment(&context, &principal, one)));
    }
    for (own, holder, one) in roles::assignments(&context.core).await? {
        if filter.lets_through((&holder, &own), &scope) {
            value.push(one);
        }
    }
    Ok(Answer::ok(&json!({ "value": value })))
}

async fn assignment(context: Context) -> Result<Answer, ArmError> {
    let (scope, name) = (scope(&context), context.captures.get("assignment"));
    for principal in context.core.identity.principals() {
        for one in &principal.assignments {
            let is_meant = assignment_name(&principal, one).eq_ignore_ascii_case(name);
            if is_meant && is_at_or_below(&scope, &one.scope) {
                return Ok(Answer::ok(&shown_assignment(&context, &principal, one)));
            }
        }
    }
    if let Some(found) = roles::assignment(&context.core, &scope, name).await? {
        return Ok(Answer::ok(&found));
    }
    let message = format!("The role assignment '{name}' is not found.");
    Err(ArmError::front_door("RoleAssignmentNotFound", message))
}

/// An assignment has no id of its own; this one is always the same.
fn assignment_name(principal: &Principal, one: &Assignment) -> String {
    let scope = one.scope.to_ascii_lowercase();
    let text = format!(
        "{}\n{}\n{scope}",
        principal.object_id,
        one.role.definition()
    );
    let hash = digest::digest(&digest::SHA256, text.as_bytes());
    let mut bytes = [0; 16];
    bytes
        .iter_mut()
        .zip(hash.as_ref())
        .for_each(|(byte, hashed)| *byte = *hashed);
    let id = uuid::Builder::from_random_bytes(bytes).into_uuid();
    id.to_string()
}

fn shown_assignment(context: &Context, principal: &Principal, one: &Assignment) -> Value {
    let name = assignment_name(principal, one);
    json!({
        "properties": {
            "roleDefinitionId": definition_id(context, one.role),
            "principalId": principal.object_id,
            "principalType": "ServicePrincipal",
            "scope": one.scope,
            "condition": null,
            "conditionVersion": null,
            "createdOn": principal.created,
            "updatedOn": principal.created,
            "createdBy": "",
            "updatedBy": "",
            "delegatedManagedIdentityResourceId": null,
            "description": null,
        },
        "id": format!("{}/providers/{ASSIGNMENTS}/{name}", one.scope),
        "type": ASSIGNMENTS,
        "name": name,
    })
}

fn definition_id(context: &Context, role: Role) -> String {
    let subscription = &context.core.config.subscription;
    let name = role.definition();
    format!("/subscriptions/{subscription}/providers/{DEFINITIONS}/{name}")
}

/// All roles; `roleName eq 'Owner'` and `type eq 'BuiltInRole'` narrow them, as az asks.
async fn definitions(context: Context) -> Result<Answer, ArmError> {
    let filter = context.request.query.get("$filter").unwrap_or_default();
    let mut roles: Vec<(&str, Value)> = Role::ALL
        .into_iter()
        .map(|role| (role.name(), shown_role(&context, role)))
        .collect();
    let of_vaults = roles::definitions(&context.core).into_iter();
    roles.extend(of_vaults.map(|(name, _, shown)| (name, shown)));
    for term in split_terms(filter) {
        let words: Vec<&str> = term.trim().splitn(3, char::is_whitespace).collect();
        let asked = |value: &str| value.trim().trim_matches('\'').to_ascii_lowercase();
        match words.as_slice() {
            [name, eq, value] if is_equal(name, "roleName", eq) => {
                roles.retain(|(name, _)| name.to_ascii_lowercase() == asked(value));
            }
            [name, eq, value] if is_equal(name, "type", eq) => {
                roles.retain(|_| asked(value) == "builtinrole");
            }
            _ if term.trim().eq_ignore_ascii_case("atScopeAndBelow()") => {}
            _ if term.trim().eq_ignore_ascii_case("atScope()") => {}
            _ => {
                let message = format!(
                    "The $filter '{term}' is not understood. roleName and type can be compared \
                     with eq."
                );
                return Err(ArmError::front_door("InvalidFilter", message));
            }
        }
    }
    let shown = roles.into_iter().map(|(_, shown)| shown);
    Ok(Answer::ok(&json!({ "value": shown.collect::<Vec<_>>() })))
}

fn is_equal(name: &str, expected: &str, operator: &str) -> bool {
    name.eq_ignore_ascii_case(expected) && operator.eq_ignore_ascii_case("eq")
}

async fn definition(context: Context) -> Result<Answer, ArmError> {
    let name = context.captures.get("definition");
    let mut roles = Role::ALL.into_iter();
    let found = roles.find(|role| role.definition().eq_ignore_ascii_case(name));
    let mut of_vaults = roles::definitions(&context.core).into_iter();
    let of_vaults = of_vaults.find(|(_, id, _)| id.eq_ignore_ascii_case(name));
    found
        .map(|role| shown_role(&context, role))
        .or(of_vaults.map(|(_, _, shown)| shown))
        .map(|shown| Answer::ok(&shown))
        .ok_or_else(|| {
            let message = format!("The specified role definition with ID '{name}' does not exist.");
            ArmError::front_door("RoleDefinitionDoesNotExist", message)
        })
}

fn shown_role(context: &Context, role: Role) -> Value {
    json!({
        "properties": {
            "roleName": role.name(),
            "type": "BuiltInRole",
            "description": role.description(),
            "assignableScopes": ["/"],
            "permissions": [allowed(role)],
        },
        "id": definition_id(context, role),
        "type": DEFINITIONS,
        "name": role.definition(),
    })
}

fn allowed(role: Role) -> Value {
    json!({
        "actions": role.actions(),
        "notActions": [],
        "dataActions": [],
        "notDataActions": [],
    })
}

/// What the caller's roles allow at the scope.
async fn permissions(context: Context) -> Result<Answer, ArmError> {
    let mut roles = context.caller.roles_at(&scope(&context));
    roles.dedup();
    let value: Vec<Value> = roles.into_iter().map(allowed).collect();
    Ok(Answer::ok(&json!({ "value": value })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filters_of_az_are_understood() {
        let parse = |text| Filter::parse(text).unwrap();
        let both = parse("atScope() and principalId eq 'ABC'");
        assert_eq!(both.principal.as_deref(), Some("abc"));
        assert!(both.at_scope);
        assert_eq!(parse("assignedTo('x')").principal.as_deref(), Some("x"));
        assert_eq!(parse(""), Filter::default());
        for text in ["principalId eq x", "color eq 'red'", "assignedTo('x'"] {
            assert_eq!(Filter::parse(text).unwrap_err().code, "InvalidFilter");
        }
    }

    #[test]
    fn an_assignment_is_called_the_same_every_time_and_differs_from_others() {
        let assignment = |role| Assignment {
            role,
            scope: "/subscriptions/S".to_owned(),
        };
        let principal = Principal::new("x", Vec::new(), String::new());
        let name = |role| assignment_name(&principal, &assignment(role));
        assert_eq!(name(Role::Owner), name(Role::Owner));
        assert_ne!(name(Role::Owner), name(Role::Reader));
        assert!(name(Role::Owner).parse::<uuid::Uuid>().is_ok());
    }
}
