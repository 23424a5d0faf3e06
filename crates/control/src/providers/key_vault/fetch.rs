//! What a gateway reads from a vault, by its identities.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gatewright_arm::{ArmError, ResourceId};
use serde_json::Value;

use super::access::{Permission, allows};
use super::versions::{Version, Versions};
use super::{PFX, SecretUri, deleted};
use crate::core::Core;
use crate::resources::document::Document;

/// Who reads: a gateway.
pub(crate) struct Reader {
    /// The ids of its user-assigned identities.
    pub(crate) identities: Vec<String>,
    /// The ids of its subnets.
    pub(crate) subnets: Vec<String>,
}

/// What was read.
#[derive(Debug)]
pub(crate) struct Fetched {
    /// PFX or PEM, in base64.
    pub(crate) data: String,
}

/// Why nothing was read.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The text is no identifier of a secret.
    NotASecret,
    NoVault(String),
    VaultDeleted(String),
    NoIdentity,
    /// An identity of the gateway's that does not exist any more.
    IdentityGone(String),
    /// The vault's firewall lets neither the gateway's subnet nor everybody in.
    Firewall(String),
    /// None of the identities may get secrets of the vault.
    Forbidden(String),
    NoSecret(SecretUri),
    SecretDeleted(SecretUri),
    SecretDisabled(SecretUri),
    /// The control plane's own.
    Failed(ArmError),
}

impl From<ArmError> for Trouble {
    fn from(error: ArmError) -> Self {
        Self::Failed(error)
    }
}

/// Reads a secret as a gateway does.
///
/// The dates of a secret are not looked at: Key Vault gives out what has expired, and what is not
/// valid yet. Whether the certificate in it is good is for whoever serves it.
pub(crate) async fn fetch(core: &Core, uri: &str, reader: &Reader) -> Result<Fetched, Trouble> {
    let uri = SecretUri::parse(uri).ok_or(Trouble::NotASecret)?;
    let Some(vault) = core.vault(&uri.vault).await? else {
        return Err(match deleted::vault(core, &uri.vault).await? {
            Some(_) => Trouble::VaultDeleted(uri.vault),
            None => Trouble::NoVault(uri.vault),
        });
    };
    admit(core, &vault, reader).await?;
    let id = core.secret_id(&vault, &uri.name);
    let Some(secret) = core.document(&id).await? else {
        return Err(match deleted::find(core, &id).await? {
            Some(_) => Trouble::SecretDeleted(uri),
            None => Trouble::NoSecret(uri),
        });
    };
    let versions = Versions::of(core, &secret)?;
    match versions.find(uri.version.as_deref()) {
        None => Err(Trouble::NoSecret(uri)),
        Some(version) if !version.enabled => Err(Trouble::SecretDisabled(uri)),
        Some(version) => Ok(Fetched {
            data: as_file(version),
        }),
    }
}

async fn admit(core: &Core, vault: &Document, reader: &Reader) -> Result<(), Trouble> {
    let name = vault.id.name().unwrap_or_default().to_owned();
    if !lets_in(&vault.body, &reader.subnets) {
        return Err(Trouble::Firewall(name));
    }
    if reader.identities.is_empty() {
        return Err(Trouble::NoIdentity);
    }
    for identity in &reader.identities {
        let id = ResourceId::parse(identity);
        let document = match id {
            Ok(id) => core.document(&id).await?,
            Err(_) => None,
        };
        let document = document.ok_or_else(|| Trouble::IdentityGone(identity.clone()))?;
        let principal = document.text("/properties/principalId").unwrap_or_default();
        if allows(core, vault, principal, Permission::GetSecret).await {
            return Ok(());
        }
    }
    Err(Trouble::Forbidden(name))
}

/// A vault with a firewall lets in those that its rules name. The service's guide for gateways
/// wants both: a rule for the gateway's subnet, and trusted services let past the firewall.
fn lets_in(vault: &Value, subnets: &[String]) -> bool {
    let text = |pointer: &str| {
        vault
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let is_open = text("/properties/networkAcls/defaultAction") != "Deny"
        && text("/properties/publicNetworkAccess") != "Disabled";
    if is_open {
        return true;
    }
    let rules = vault.pointer("/properties/networkAcls/virtualNetworkRules");
    let mut rules = rules.and_then(Value::as_array).into_iter().flatten();
    let is_named = rules.any(|rule| {
        let id = rule.get("id").and_then(Value::as_str).unwrap_or_default();
        subnets.iter().any(|subnet| subnet.eq_ignore_ascii_case(id))
    });
    is_named && text("/properties/networkAcls/bypass") != "None"
}

/// A PFX lies in the vault as base64 already; other values are text.
fn as_file(version: &Version) -> String {
    let is_pem = version.value.contains("-----BEGIN ");
    let is_pfx = version
        .content_type
        .as_deref()
        .is_some_and(|kind| kind.eq_ignore_ascii_case(PFX));
    match is_pem || (!is_pfx && !is_base64(&version.value)) {
        true => STANDARD.encode(&version.value),
        false => version.value.clone(),
    }
}

fn is_base64(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"+/=\r\n".contains(&byte))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_firewall_wants_the_subnet_and_trusted_services() {
        let vault = |default: &str, bypass: &str, rule: &str| {
            json!({"properties": {"networkAcls": {
                "defaultAction": default, "bypass": bypass, "virtualNetworkRules": [{"id": rule}],
            }}})
        };
        let subnets = ["/Vnet/Subnet".to_owned()];
        for (vault, expected) in [
            (json!({}), true),
            (vault("Allow", "None", ""), true),
            (vault("Deny", "AzureServices", "/vnet/subnet"), true),
            (vault("Deny", "None", "/vnet/subnet"), false),
            (vault("Deny", "AzureServices", "/vnet/other"), false),
            (
                json!({"properties": {"publicNetworkAccess": "Disabled"}}),
                false,
            ),
        ] {
            assert_eq!(lets_in(&vault, &subnets), expected, "{vault}");
        }
    }
}
