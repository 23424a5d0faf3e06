//! `Microsoft.ManagedIdentity`: identities that gateways act under.

use gatewright_arm::ArmError;
use gatewright_store::Pending;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::core::Core;
use crate::resources::edit::member;
use crate::resources::kind::{Kind, Manner, Prepared, Put};
use crate::resources::naming::no_location;

pub(crate) fn kinds() -> Vec<Box<dyn Kind>> {
    vec![Box::new(UserAssigned)]
}

struct UserAssigned;

impl Kind for UserAssigned {
    fn name(&self) -> &'static str {
        "Microsoft.ManagedIdentity/userAssignedIdentities"
    }

    fn manner(&self) -> Manner {
        Manner::AtOnce
    }

    fn prepare<'a>(
        &'a self,
        core: &'a Core,
        put: Put<'a>,
    ) -> Pending<'a, Result<Prepared, ArmError>> {
        Box::pin(async move { prepare(core, &put) })
    }
}

/// In the order that was recorded; the GUIDs stay for as long as the identity does.
fn prepare(core: &Core, put: &Put<'_>) -> Result<Prepared, ArmError> {
    let id = put.own_id();
    let location = member(put.body, "location").or(put.kept("/location"));
    let Some(location) = location
        .and_then(Value::as_str)
        .filter(|text| !text.is_empty())
    else {
        return Err(no_location());
    };
    let tags = member(put.body, "tags").filter(|tags| !tags.is_null());
    let guid = |pointer: &str| {
        let before = put.kept(pointer).cloned();
        before.unwrap_or_else(|| json!(Uuid::new_v4().to_string()))
    };
    let body = json!({
        "location": location,
        "tags": tags.cloned().unwrap_or_else(|| json!({})),
        "id": id.to_string(),
        "name": id.name().unwrap_or_default(),
        "type": id.resource_type(),
        "properties": {
            "tenantId": core.config.tenant,
            "principalId": guid("/properties/principalId"),
            "clientId": guid("/properties/clientId"),
        },
    });
    Ok(Prepared::of(body))
}
