//! Secrets: their values are sealed, and every value that is written is a new version.

use std::sync::Arc;

use gatewright_arm::{ApiVersion, ArmError, ResourceId};
use gatewright_store::Pending;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::versions::{Version, Versions};
use super::{SECRETS, SecretUri, deleted, uri};
use crate::clock;
use crate::core::Core;
use crate::identity::Caller;
use crate::operations::Doing;
use crate::providers::network::GATEWAYS;
use crate::resources::document::Document;
use crate::resources::edit::{Edit, member};
use crate::resources::kind::{Kind, Manner, Prepared, Put};
use crate::resources::write::Call;

/// Largest value, in bytes, as in the service.
const VALUE_BYTES_MAX: usize = 25 * 1024;

/// Longest name, in characters.
const NAME_CHARACTERS_MAX: usize = 127;

/// Longest content type, in characters.
const CONTENT_TYPE_CHARACTERS_MAX: usize = 255;

/// Most secrets of a vault: a vault is deleted and recovered in one step with all of them.
const SECRETS_MAX: usize = 200;

/// A member of `properties` by which a certificate that is imported says so; never stored.
pub(super) const IS_CERTIFICATE: &str = "isCertificate";

pub(super) struct Secrets;

impl Kind for Secrets {
    fn name(&self) -> &'static str {
        SECRETS
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

    fn stored(&self, core: &Arc<Core>, document: &Document) {
        let is_enabled = document.body.pointer("/properties/attributes/enabled");
        if is_enabled == Some(&json!(true)) {
            tokio::spawn(renew(Arc::clone(core), document.id.clone()));
        }
    }
}

async fn prepare(core: &Core, put: Put<'_>) -> Result<Prepared, ArmError> {
    let (vault_id, name) = (put.id.parent(), put.id.name().unwrap_or_default());
    let vault = match &vault_id {
        Some(id) => core.document(id).await?,
        None => None,
    };
    let vault = vault.ok_or_else(|| no_vault(vault_id.as_ref()))?;
    check_name(name)?;
    if put.previous.is_none() {
        check_free(core, &vault, put.id).await?;
    }
    let mut versions = match put.previous {
        Some(previous) => Versions::of(core, previous)?,
        None => Versions::default(),
    };
    let given = Given::read(put.body)?;
    given.apply(&mut versions)?;
    let tags = member(put.body, "tags").filter(|tags| !tags.is_null());
    let tags = tags.cloned().unwrap_or_else(|| json!({}));
    let newest = versions
        .versions
        .first_mut()
        .ok_or_else(|| bad("The secret has no value."))?;
    newest.tags = tags.clone();
    let vault_name = vault.id.name().unwrap_or_default();
    let id = put.own_id();
    let mut properties = Map::new();
    properties.insert("attributes".to_owned(), newest.attributes().into());
    if let Some(content_type) = &newest.content_type {
        properties.insert("contentType".to_owned(), json!(content_type));
    }
    let own = uri::of_secret(vault_name, name, None);
    properties.insert("secretUri".to_owned(), json!(own));
    properties.insert(
        "secretUriWithVersion".to_owned(),
        json!(format!("{own}/{}", newest.id)),
    );
    Ok(Prepared {
        body: json!({
            "id": id.to_string(),
            "name": id.name().unwrap_or_default(),
            "type": SECRETS,
            "location": vault.location(),
            "tags": tags,
            "properties": properties,
        }),
        secrets: versions.to_value(),
        ..Prepared::default()
    })
}

fn no_vault(id: Option<&ResourceId>) -> ArmError {
    let name = id.and_then(ResourceId::name).unwrap_or_default();
    let message = format!(
        "Can not perform requested operation on nested resource. Parent resource '{name}' not \
         found."
    );
    ArmError::front_door("ParentResourceNotFound", message)
}

fn bad(why: &str) -> ArmError {
    ArmError::front_door("BadParameter", why)
}

fn check_name(name: &str) -> Result<(), ArmError> {
    let is_fine = |c: char| c.is_ascii_alphanumeric() || c == '-';
    if (1..=NAME_CHARACTERS_MAX).contains(&name.len()) && name.chars().all(is_fine) {
        return Ok(());
    }
    let message = format!(
        "The request URI contains an invalid name: {name}. A name has 1 to {NAME_CHARACTERS_MAX} \
         letters, digits and hyphens."
    );
    Err(bad(&message))
}

/// The name is not that of a deleted secret, and the vault has room.
async fn check_free(core: &Core, vault: &Document, id: &ResourceId) -> Result<(), ArmError> {
    let name = id.name().unwrap_or_default();
    if deleted::find(core, id).await?.is_some() {
        let message = format!(
            "Secret {name} is currently in a deleted but recoverable state, and its name cannot be \
             reused; in this state, the secret can only be recovered or purged."
        );
        return Err(ArmError::front_door("Conflict", message));
    }
    if core.inventory.within(&vault.id.to_string()).len() > SECRETS_MAX {
        let message = format!("A vault has at most {SECRETS_MAX} secrets here.");
        return Err(bad(&message));
    }
    Ok(())
}

/// What a body says.
struct Given<'a> {
    value: Option<&'a str>,
    /// `None` for nothing said.
    content_type: Option<&'a str>,
    enabled: Option<bool>,
    not_before: Option<i64>,
    expires: Option<i64>,
    is_certificate: bool,
}

impl<'a> Given<'a> {
    fn read(body: &'a Value) -> Result<Self, ArmError> {
        let nothing = &Value::Null;
        let bag = member(body, "properties").unwrap_or(nothing);
        let attributes = member(bag, "attributes").unwrap_or(nothing);
        let text = |name| member(bag, name).and_then(Value::as_str);
        let enabled = member(attributes, "enabled").filter(|value| !value.is_null());
        let given = Self {
            value: text("value"),
            content_type: text("contentType"),
            enabled: enabled
                .map(|value| {
                    value
                        .as_bool()
                        .ok_or_else(|| bad("Property attributes.enabled is no boolean."))
                })
                .transpose()?,
            not_before: seconds(attributes, "nbf")?,
            expires: seconds(attributes, "exp")?,
            is_certificate: member(bag, IS_CERTIFICATE) == Some(&json!(true)),
        };
        if given
            .value
            .is_some_and(|value| value.len() > VALUE_BYTES_MAX)
        {
            let message = format!("The secret's value is longer than {VALUE_BYTES_MAX} bytes.");
            return Err(bad(&message));
        }
        let longest = given.content_type.map_or(0, |text| text.chars().count());
        if longest > CONTENT_TYPE_CHARACTERS_MAX {
            return Err(bad("The content type is longer than 255 characters."));
        }
        match (given.not_before, given.expires) {
            (Some(from), Some(to)) if to <= from => {
                Err(bad("The attribute exp must be later than nbf."))
            }
            _ => Ok(given),
        }
    }

    /// Makes a new version of a value; changes the newest where none is given.
    fn apply(&self, versions: &mut Versions) -> Result<(), ArmError> {
        let now = clock::unix_now();
        if let Some(value) = self.value {
            versions.add(Version {
                id: Uuid::new_v4().simple().to_string(),
                value: value.to_owned(),
                content_type: self.content_type.map(str::to_owned),
                enabled: self.enabled.unwrap_or(true),
                not_before: self.not_before,
                expires: self.expires,
                created: now,
                updated: now,
                tags: Value::Null,
                is_certificate: self.is_certificate,
            });
            return Ok(());
        }
        let newest = versions.versions.first_mut();
        let newest = newest.ok_or_else(|| bad("Property value is required."))?;
        newest.enabled = self.enabled.unwrap_or(newest.enabled);
        newest.not_before = self.not_before.or(newest.not_before);
        newest.expires = self.expires.or(newest.expires);
        if let Some(content_type) = self.content_type {
            newest.content_type = Some(content_type.to_owned());
        }
        newest.updated = now;
        Ok(())
    }
}

fn seconds(attributes: &Value, name: &str) -> Result<Option<i64>, ArmError> {
    match member(attributes, name).filter(|value| !value.is_null()) {
        None => Ok(None),
        Some(value) => value.as_i64().map(Some).ok_or_else(|| {
            bad(&format!(
                "Property attributes.{name} is no number of seconds."
            ))
        }),
    }
}

/// Writes the gateways again that use the newest version of this secret: the service finds a new
/// one within four hours.
async fn renew(core: Arc<Core>, secret: ResourceId) {
    let vault = secret.parent();
    let vault = vault
        .as_ref()
        .and_then(ResourceId::name)
        .unwrap_or_default();
    for id in users(&core, vault, secret.name().unwrap_or_default()).await {
        let call = Call {
            caller: Caller::system(&core.config.subscription),
            correlation: Uuid::new_v4().to_string(),
            api_version: ApiVersion::NEWEST,
            if_match: None,
            only_new: false,
            doing: Doing::Put,
            action: format!("{GATEWAYS}/write"),
        };
        if let Err(error) = core.write(&call, &id, Edit::Again).await {
            tracing::warn!(
                "{id} was not given the new version of {secret}: {}",
                error.message
            );
        }
    }
}

async fn users(core: &Core, vault: &str, name: &str) -> Vec<ResourceId> {
    let mut found = Vec::new();
    let gateways = core.inventory.of_type(GATEWAYS).into_iter();
    for known in gateways.filter(|known| known.state != "Deleting") {
        let Ok(Some(gateway)) = core.document(&known.id).await else {
            continue;
        };
        if uses(&gateway.body, vault, name) {
            found.push(known.id);
        }
    }
    found
}

/// Whether a certificate of the gateway follows the newest version of the secret.
fn uses(gateway: &Value, vault: &str, name: &str) -> bool {
    ["sslCertificates", "trustedRootCertificates"]
        .iter()
        .any(|collection| {
            let items = gateway.pointer(&format!("/properties/{collection}"));
            let mut items = items.and_then(Value::as_array).into_iter().flatten();
            items.any(|item| {
                let text = item
                    .pointer("/properties/keyVaultSecretId")
                    .and_then(Value::as_str);
                text.and_then(SecretUri::parse).is_some_and(|uri| {
                    uri.version.is_none()
                        && uri.vault.eq_ignore_ascii_case(vault)
                        && uri.name.eq_ignore_ascii_case(name)
                })
            })
        })
}

impl Core {
    /// The secret of a vault; its id, whether there is one or not.
    pub(super) fn secret_id(&self, vault: &Document, name: &str) -> ResourceId {
        vault.id.child("secrets", name)
    }

    /// A vault by its name alone.
    pub(super) async fn vault(&self, name: &str) -> Result<Option<Document>, ArmError> {
        match self.vault_id(name) {
            Some(id) => self.document(&id).await,
            None => Ok(None),
        }
    }
}
