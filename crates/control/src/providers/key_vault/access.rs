//! Who may do what with the secrets of a vault: its access policies, or roles.

use serde_json::Value;

use super::roles;
use crate::core::Core;
use crate::identity::Caller;
use crate::resources::document::Document;

/// What may be allowed, with its name in access policies and that of the data action of roles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Permission {
    GetSecret,
    ListSecrets,
    SetSecret,
    DeleteSecret,
    RecoverSecret,
    PurgeSecret,
    GetCertificate,
    ImportCertificate,
}

impl Permission {
    /// The collection of an access policy, and the word in it.
    pub(crate) fn policy(self) -> (&'static str, &'static str) {
        match self {
            Self::GetSecret => ("secrets", "get"),
            Self::ListSecrets => ("secrets", "list"),
            Self::SetSecret => ("secrets", "set"),
            Self::DeleteSecret => ("secrets", "delete"),
            Self::RecoverSecret => ("secrets", "recover"),
            Self::PurgeSecret => ("secrets", "purge"),
            Self::GetCertificate => ("certificates", "get"),
            Self::ImportCertificate => ("certificates", "import"),
        }
    }

    pub(crate) fn action(self) -> &'static str {
        match self {
            Self::GetSecret => "Microsoft.KeyVault/vaults/secrets/getSecret/action",
            Self::ListSecrets => "Microsoft.KeyVault/vaults/secrets/readMetadata/action",
            Self::SetSecret => "Microsoft.KeyVault/vaults/secrets/setSecret/action",
            Self::DeleteSecret => "Microsoft.KeyVault/vaults/secrets/delete",
            Self::RecoverSecret => "Microsoft.KeyVault/vaults/secrets/recover/action",
            Self::PurgeSecret => "Microsoft.KeyVault/vaults/secrets/purge/action",
            Self::GetCertificate => "Microsoft.KeyVault/vaults/certificates/read",
            Self::ImportCertificate => "Microsoft.KeyVault/vaults/certificates/import/action",
        }
    }
}

/// Whether roles decide, and not access policies.
pub(crate) fn is_by_roles(vault: &Document) -> bool {
    vault.body.pointer("/properties/enableRbacAuthorization") == Some(&Value::Bool(true))
}

/// Whether the vault lets the holder of this object id do it.
pub(crate) async fn allows(
    core: &Core,
    vault: &Document,
    object_id: &str,
    permission: Permission,
) -> bool {
    if !is_by_roles(vault) {
        return has_policy(&vault.body, object_id, permission);
    }
    let scope = vault.id.to_string();
    roles::allows_data(core, object_id, permission.action(), &scope).await
}

/// The same for somebody who logged in. Their own roles count too where roles decide: an owner of
/// the vault may read and write in it, while the service would ask for a role of the Key Vault.
pub(crate) async fn allows_caller(
    core: &Core,
    vault: &Document,
    caller: &Caller,
    permission: Permission,
) -> bool {
    let scope = vault.id.to_string();
    let by_role = is_by_roles(vault) && caller.may(permission.action(), &scope);
    by_role || allows(core, vault, caller.object_id(), permission).await
}

fn has_policy(vault: &Value, object_id: &str, permission: Permission) -> bool {
    let (collection, word) = permission.policy();
    let policies = vault
        .pointer("/properties/accessPolicies")
        .and_then(Value::as_array);
    policies.into_iter().flatten().any(|policy| {
        let own = policy
            .get("objectId")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let words = policy.pointer(&format!("/permissions/{collection}"));
        let mut words = words.and_then(Value::as_array).into_iter().flatten();
        let is_listed = words.any(|one| {
            let one = one.as_str().unwrap_or_default();
            let is_all = one.eq_ignore_ascii_case("all") && word != "purge";
            one.eq_ignore_ascii_case(word) || is_all
        });
        !object_id.is_empty() && own.eq_ignore_ascii_case(object_id) && is_listed
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_policy_is_for_one_holder_and_what_it_lists() {
        let vault = json!({"properties": {"accessPolicies": [
            {"objectId": "AA", "permissions": {"secrets": ["Get"], "certificates": ["all"]}},
            {"objectId": "", "permissions": {"secrets": ["all"]}},
        ]}});
        for (holder, permission, expected) in [
            ("aa", Permission::GetSecret, true),
            ("aa", Permission::SetSecret, false),
            ("aa", Permission::ImportCertificate, true),
            ("bb", Permission::GetSecret, false),
            ("", Permission::GetSecret, false),
        ] {
            assert_eq!(
                has_policy(&vault, holder, permission),
                expected,
                "{holder} {permission:?}"
            );
        }
        let all = json!({"properties": {"accessPolicies": [
            {"objectId": "aa", "permissions": {"secrets": ["all"]}},
        ]}});
        assert!(has_policy(&all, "aa", Permission::SetSecret));
        assert!(
            !has_policy(&all, "aa", Permission::PurgeSecret),
            "purge must be named"
        );
    }
}
