//! Roles, and what they allow where.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use gatewright_arm::ArmError;
use serde::{Deserialize, Serialize};

use crate::identity::principal::{Assignment, Principal};

/// What a principal may do. The actions are those of the service's roles of the same names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Role {
    Reader,
    #[serde(rename = "Network Contributor")]
    NetworkContributor,
    Owner,
}

impl Role {
    /// In the order of what they allow.
    pub const ALL: [Self; 3] = [Self::Reader, Self::NetworkContributor, Self::Owner];

    /// What the service calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Reader => "Reader",
            Self::NetworkContributor => "Network Contributor",
            Self::Owner => "Owner",
        }
    }

    /// The GUID of the service's definition of the role.
    pub(crate) fn definition(self) -> &'static str {
        match self {
            Self::Reader => "acdd72a7-3385-48ef-bd42-f606fba81ae7",
            Self::NetworkContributor => "4d97b98b-1d4f-4787-a291-c67834d212e7",
            Self::Owner => "8e3af657-a8ff-443c-a75c-2fe8c4bcb635",
        }
    }

    /// What the service says of it.
    pub(crate) fn description(self) -> &'static str {
        match self {
            Self::Reader => "View all resources, but does not allow you to make any changes.",
            Self::NetworkContributor => "Lets you manage networks, but not access to them.",
            Self::Owner => {
                "Grants full access to manage all resources, including the ability to assign roles \
                 in Azure RBAC."
            }
        }
    }

    /// Patterns of actions, with `*` for any text. Source: the service's list of built-in roles.
    pub(crate) fn actions(self) -> &'static [&'static str] {
        match self {
            Self::Reader => &["*/read"],
            Self::NetworkContributor => &[
                "Microsoft.Authorization/*/read",
                "Microsoft.Insights/alertRules/*",
                "Microsoft.Network/*",
                "Microsoft.ResourceHealth/availabilityStatuses/read",
                "Microsoft.Resources/deployments/*",
                "Microsoft.Resources/subscriptions/resourceGroups/read",
                "Microsoft.Support/*",
            ],
            Self::Owner => &["*"],
        }
    }

    fn allows(self, action: &str) -> bool {
        self.actions().iter().any(|pattern| covers(pattern, action))
    }
}

impl fmt::Display for Role {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut all = Self::ALL.into_iter();
        let plain = |text: &str| text.replace([' ', '-', '_'], "").to_ascii_lowercase();
        all.find(|role| plain(role.name()) == plain(text))
            .ok_or_else(|| {
                let names = Self::ALL.map(Self::name).join(", ");
                format!("there is no role '{text}'; the roles are {names}")
            })
    }
}

/// Whether `pattern`, with at most one `*`, covers `action`; in any letter case.
fn covers(pattern: &str, action: &str) -> bool {
    let (pattern, action) = (pattern.to_ascii_lowercase(), action.to_ascii_lowercase());
    match pattern.split_once('*') {
        None => pattern == action,
        Some((head, tail)) => {
            action.len() >= head.len() + tail.len()
                && action.starts_with(head)
                && action.ends_with(tail)
        }
    }
}

/// What the control plane calls itself where it acts of its own accord.
const SYSTEM: &str = "system";

/// Who sends a request.
#[derive(Clone, Debug)]
pub(crate) struct Caller(Option<Arc<Principal>>);

impl Caller {
    /// On routes for everyone: may do nothing.
    pub(crate) fn nobody() -> Self {
        Self(None)
    }

    pub(crate) fn of(principal: Arc<Principal>) -> Self {
        Self(Some(principal))
    }

    pub(crate) fn app_id(&self) -> &str {
        self.0.as_ref().map_or("", |principal| &principal.app_id)
    }

    /// This control plane itself, as the activity log names it.
    pub(crate) fn system(subscription: &str) -> Self {
        Self::system_for(subscription, SYSTEM)
    }

    /// This control plane itself, which goes on with what somebody began, in their name.
    pub(crate) fn system_for(subscription: &str, app_id: &str) -> Self {
        let assignment = Assignment {
            role: Role::Owner,
            scope: format!("/subscriptions/{subscription}"),
        };
        let system = Principal::new(SYSTEM, vec![assignment], String::new());
        Self::of(Arc::new(Principal {
            app_id: app_id.to_owned(),
            ..system
        }))
    }

    pub(crate) fn object_id(&self) -> &str {
        self.0.as_ref().map_or("", |principal| &principal.object_id)
    }

    /// The roles that hold at the scope: there, and above it.
    pub(crate) fn roles_at(&self, scope: &str) -> Vec<Role> {
        let assignments = self.0.iter().flat_map(|principal| &principal.assignments);
        assignments
            .filter(|one| is_at_or_below(scope, &one.scope))
            .map(|one| one.role)
            .collect()
    }

    /// Whether a role allows the action on the scope.
    pub(crate) fn may(&self, action: &str, scope: &str) -> bool {
        let assignments = self.0.iter().flat_map(|principal| &principal.assignments);
        assignments
            .into_iter()
            .any(|one| one.role.allows(action) && is_at_or_below(scope, &one.scope))
    }

    /// # Errors
    /// When no role allows the action on the scope.
    pub(crate) fn require(&self, action: &str, scope: &str) -> Result<(), ArmError> {
        if self.may(action, scope) {
            return Ok(());
        }
        let (app_id, object_id) = (self.app_id(), self.object_id());
        let message = format!(
            "The client '{app_id}' with object id '{object_id}' does not have authorization to \
             perform action '{action}' over scope '{scope}' or the scope is invalid. If access was \
             recently granted, please refresh your credentials."
        );
        Err(ArmError::front_door("AuthorizationFailed", message))
    }

    /// Whether they may read anything at or below the scope: the scope itself, or a part of it.
    pub(crate) fn sees(&self, scope: &str) -> bool {
        let assignments = self.0.iter().flat_map(|principal| &principal.assignments);
        assignments
            .into_iter()
            .any(|one| is_at_or_below(scope, &one.scope) || is_at_or_below(&one.scope, scope))
    }
}

/// Whether `scope` is `above`, or lies below it.
pub(crate) fn is_at_or_below(scope: &str, above: &str) -> bool {
    let words = |text: &str| text.to_ascii_lowercase();
    let (scope, above) = (words(scope), words(above));
    let above = above.trim_end_matches('/');
    scope
        .strip_prefix(above)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(role: Role, scope: &str) -> Caller {
        let assignment = Assignment {
            role,
            scope: scope.to_owned(),
        };
        Caller::of(Arc::new(Principal::new(
            "x",
            vec![assignment],
            String::new(),
        )))
    }

    #[test]
    fn roles_allow_what_the_services_roles_allow() {
        let read = "Microsoft.Network/applicationGateways/read";
        let write = "microsoft.network/applicationgateways/write";
        let secrets = "Microsoft.KeyVault/vaults/write";
        let table = [
            (Role::Reader, read, true),
            (Role::Reader, write, false),
            (
                Role::Reader,
                "Microsoft.Network/applicationGateways/backendhealth/action",
                false,
            ),
            (Role::NetworkContributor, write, true),
            (Role::NetworkContributor, secrets, false),
            (
                Role::NetworkContributor,
                "Microsoft.Resources/subscriptions/resourceGroups/write",
                false,
            ),
            (
                Role::NetworkContributor,
                "Microsoft.Resources/deployments/write",
                true,
            ),
            (Role::Owner, secrets, true),
        ];
        for (role, action, expected) in table {
            assert_eq!(
                caller(role, "/subscriptions/s").may(action, "/subscriptions/s/x"),
                expected,
                "{role} {action}"
            );
        }
    }

    #[test]
    fn a_role_holds_at_its_scope_and_below() {
        let caller = caller(Role::Owner, "/subscriptions/s/resourceGroups/rg");
        for (scope, expected) in [
            ("/subscriptions/S/resourcegroups/RG", true),
            ("/subscriptions/s/resourceGroups/rg/providers/x/y/z", true),
            ("/subscriptions/s/resourceGroups/rg2", false),
            ("/subscriptions/s", false),
        ] {
            assert_eq!(caller.may("a/read", scope), expected, "{scope}");
        }
        assert!(caller.sees("/subscriptions/s") && !caller.sees("/subscriptions/t"));
        assert!(!Caller::nobody().may("a/read", "/"));
    }

    #[test]
    fn roles_are_named_in_any_spelling() {
        assert_eq!("network-contributor".parse(), Ok(Role::NetworkContributor));
        assert_eq!("OWNER".parse(), Ok(Role::Owner));
        assert!(
            "Contributor"
                .parse::<Role>()
                .unwrap_err()
                .contains("Network Contributor")
        );
    }
}
