//! Certificates that lie in a Key Vault: fetched at every write, and kept, so that the gateway
//! serves them although the vault is gone later.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gatewright_arm::model::Secret;
use gatewright_arm::{ApplicationGateway, ArmError};
use gatewright_compile::{CertificateError, read_certificates, read_from_vault};

use crate::core::Core;
use crate::providers::key_vault::{Reader, SecretUri, Trouble, fetch};

/// Fetches what the gateway refers to. What cannot be fetched keeps the data that it has.
///
/// The answer is why the operation is going to fail, if anything cannot be fetched.
pub(super) async fn fetch_all(core: &Core, gateway: &mut ApplicationGateway) -> Option<ArmError> {
    let reader = reader(gateway);
    let own = gateway.id.clone().unwrap_or_default();
    let mut details = Vec::new();
    for item in &mut gateway.properties.ssl_certificates {
        let Some(uri) = given(&item.properties.key_vault_secret_id) else {
            continue;
        };
        let id = format!("{own}/sslCertificates/{}", item.name);
        match fetch(core, uri, &reader).await {
            Ok(fetched) if read_from_vault(&fetched.data).is_ok() => {
                item.properties.data = Some(Secret::new(&fetched.data));
                item.properties.password = None;
            }
            Ok(_) => details.push(invalid_data(&id)),
            Err(trouble) => details.push(explain(&trouble, uri, &own)),
        }
    }
    for item in &mut gateway.properties.trusted_root_certificates {
        let Some(uri) = given(&item.properties.key_vault_secret_id) else {
            continue;
        };
        let id = format!("{own}/trustedRootCertificates/{}", item.name);
        match fetch(core, uri, &reader).await {
            Ok(fetched) => match root(&fetched.data) {
                Ok(root) => item.properties.data = Some(root),
                Err(_) => details.push(invalid_data(&id)),
            },
            Err(trouble) => details.push(explain(&trouble, uri, &own)),
        }
    }
    if details.is_empty() {
        return None;
    }
    let message = format!(
        "Problem occured while accessing and validating KeyVault Secrets associated with \
         Application Gateway '{own}'. See details below:"
    );
    let error = ArmError::new("ApplicationGatewayKeyVaultSecretException", message);
    Some(details.into_iter().fold(error, ArmError::with_detail))
}

pub(super) fn given(uri: &Option<String>) -> Option<&str> {
    uri.as_deref().filter(|uri| !uri.is_empty())
}

fn reader(gateway: &ApplicationGateway) -> Reader {
    let identity = gateway.identity.as_ref();
    let identities = identity.map(|identity| &identity.user_assigned_identities);
    let configurations = gateway.properties.gateway_ip_configurations.iter();
    let subnets = configurations.filter_map(|one| one.properties.subnet.as_ref());
    Reader {
        identities: identities
            .into_iter()
            .flat_map(|all| all.keys().cloned())
            .collect(),
        subnets: subnets.map(|subnet| subnet.id.clone()).collect(),
    }
}

/// The last of what lies there: of a chain, its root.
fn root(data: &str) -> Result<String, CertificateError> {
    let certificates = match read_from_vault(data) {
        Ok(identity) => identity.chain,
        Err(_) => {
            let bytes = STANDARD
                .decode(data)
                .map_err(|_| CertificateError::Base64)?;
            read_certificates(&bytes)?
        }
    };
    let last = certificates.last().ok_or(CertificateError::NoCertificate)?;
    gatewright_compile::is_certificate(last)
        .then(|| STANDARD.encode(last))
        .ok_or(CertificateError::NotX509)
}

fn invalid_data(id: &str) -> ArmError {
    let message = format!("Data or Password for certificate {id} is invalid.");
    ArmError::new("ApplicationGatewaySslCertificateInvalidData", message)
}

/// What the service says where the vault refuses, with the cause below it; the cause alone where
/// there is nothing to refuse. Causes have the codes that the service's advisor has for them.
fn explain(trouble: &Trouble, uri: &str, gateway: &str) -> ArmError {
    if let Trouble::Failed(error) = trouble {
        return error.clone();
    }
    let (code, why) = refusal(trouble).unwrap_or_else(|| absence(trouble, uri));
    let cause = ArmError::new(code, why);
    if refusal(trouble).is_none() {
        return cause;
    }
    let message = format!(
        "Access denied for KeyVault Secret '{uri}' for Application Gateway '{gateway}'. Make sure \
         that Identity assigned to Application Gateway has access to the KeyVault associated with \
         secret."
    );
    ArmError::new("ApplicationGatewayKeyVaultSecretAccessDenied", message).with_detail(cause)
}

/// Why the vault refuses, where it does.
fn refusal(trouble: &Trouble) -> Option<(&'static str, String)> {
    Some(match trouble {
        Trouble::NoIdentity => (
            "UserAssignedManagedIdentityNotFound",
            "The application gateway has no user-assigned identity.".to_owned(),
        ),
        Trouble::Forbidden(vault) => (
            "UserAssignedIdentityDoesNotHaveGetPermissionOnKeyVault",
            format!(
                "No user-assigned identity of the application gateway has the 'get' permission on \
                 secrets of the Key Vault '{vault}', by an access policy or by a role such as Key \
                 Vault Secrets User."
            ),
        ),
        Trouble::Firewall(vault) => (
            "KeyVaultHasRestrictedAccess",
            format!(
                "The network of the Key Vault '{vault}' is restricted: a virtual network rule for \
                 the application gateway's subnet is needed, and trusted Microsoft services must \
                 be allowed to bypass the firewall."
            ),
        ),
        Trouble::SecretDisabled(secret) => (
            "SecretDisabled",
            format!(
                "The secret '{}' of the Key Vault '{}' is disabled.",
                secret.name, secret.vault
            ),
        ),
        _ => return None,
    })
}

/// What is not there.
fn absence(trouble: &Trouble, uri: &str) -> (&'static str, String) {
    match trouble {
        Trouble::IdentityGone(id) => (
            "UserAssignedManagedIdentityNotFound",
            format!("The user-assigned identity '{id}' of the application gateway was not found."),
        ),
        Trouble::SecretDeleted(secret) => (
            "SecretDeletedFromKeyVault",
            format!(
                "The secret '{}' was deleted from the Key Vault '{}'; it can be recovered.",
                secret.name, secret.vault
            ),
        ),
        Trouble::NoSecret(SecretUri {
            vault,
            name,
            version,
        }) => {
            let version = version.as_ref().map(|one| format!("/{one}"));
            let name = format!("{name}{}", version.unwrap_or_default());
            let why =
                format!("A secret with (name/id) {name} was not found in the Key Vault '{vault}'.");
            ("SecretNotFound", why)
        }
        Trouble::VaultDeleted(vault) => (
            "KeyVaultSoftDeleted",
            format!("The Key Vault '{vault}' was deleted; it can be recovered."),
        ),
        Trouble::NoVault(vault) => (
            "GW-E-vault-not-found",
            format!("There is no Key Vault '{vault}' in this control plane."),
        ),
        _ => (
            "GW-E-key-vault-secret-id",
            format!(
                "'{uri}' is no identifier of a secret: https://<vault>.vault.azure.net/secrets/\
                 <name>, with a version behind it or without, is expected."
            ),
        ),
    }
}
