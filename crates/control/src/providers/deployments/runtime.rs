//! What a template learns of resources that are there.

use std::cell::Cell;
use std::collections::HashSet;
use std::sync::Arc;

use gatewright_arm::{ApiVersion, ResourceId};
use gatewright_template::Runtime;
use serde_json::{Value, json};
use tokio::runtime::Handle;

use crate::core::Core;
use crate::identity::Caller;
use crate::resources::document::Document;
use crate::resources::remove::part;

/// Answers for the store, with the rights of the caller. It waits for the store, so that it must be
/// used where that harms nobody: beside the runtime.
pub(super) struct Live {
    core: Arc<Core>,
    handle: Handle,
    caller: Caller,
    /// Ids in lower case, of what the deployment itself is going to make or change.
    later: Arc<HashSet<String>>,
    /// Whether one of those was asked for.
    is_early: Cell<bool>,
}

impl Live {
    /// One that knows what is there.
    ///
    /// # Panics
    /// Outside of a runtime.
    pub(super) fn new(core: &Arc<Core>, caller: &Caller) -> Self {
        Self::before(core, caller, Arc::default())
    }

    /// One that does not answer for what the deployment is going to make.
    pub(super) fn before(core: &Arc<Core>, caller: &Caller, later: Arc<HashSet<String>>) -> Self {
        Self {
            core: Arc::clone(core),
            handle: Handle::current(),
            caller: caller.clone(),
            later,
            is_early: Cell::new(false),
        }
    }

    /// Whether something was asked for that is not known yet, since the last time.
    pub(super) fn was_early(&self) -> bool {
        self.is_early.take()
    }

    fn find(&self, id: &ResourceId, api_version: ApiVersion) -> Result<Value, String> {
        let not_found = || format!("The resource '{id}' referred to was not found.");
        let kind = id.resource_type();
        if !self.caller.may(&format!("{kind}/read"), &id.to_string()) {
            return Err(format!("The client may not read the resource '{id}'."));
        }
        let read = |id: &ResourceId| self.handle.block_on(self.core.document(id));
        let shown = |document: Document| {
            self.core
                .shown_to(&document, api_version)
                .body()
                .into_owned()
        };
        let told = |error: gatewright_arm::ArmError| error.message;
        if let Some(document) = read(id).map_err(told)? {
            return Ok(shown(document));
        }
        let parent = id.parent().ok_or_else(not_found)?;
        let whole = read(&parent).map_err(told)?.ok_or_else(not_found)?;
        let collection = kind.rsplit('/').next().unwrap_or_default();
        let item = part(&shown(whole), collection, id.name().unwrap_or_default()).cloned();
        item.ok_or_else(not_found)
    }
}

impl Runtime for Live {
    fn reference(&self, id: &str, api_version: Option<&str>, full: bool) -> Result<Value, String> {
        let parsed = ResourceId::parse(id).map_err(|error| format!("'{id}' is no id: {error}."))?;
        if is_later(&self.later, &parsed.to_string()) {
            self.is_early.set(true);
            return Err(format!("The resource '{id}' is not deployed yet."));
        }
        let asked = api_version.and_then(|version| version.parse().ok());
        let mut body = self.find(&parsed, asked.unwrap_or(ApiVersion::NEWEST))?;
        if !full {
            return Ok(body["properties"].take());
        }
        body["apiVersion"] = json!(api_version.unwrap_or_default());
        body["resourceId"] = json!(parsed.to_string());
        body["subscriptionId"] = json!(parsed.subscription().unwrap_or_default());
        body["resourceGroupName"] = json!(parsed.resource_group().unwrap_or_default());
        Ok(body)
    }
}

/// Whether `id`, in any letter case, is one of `later`, or an item of one.
pub(super) fn is_later(later: &HashSet<String>, id: &str) -> bool {
    let id = id.to_ascii_lowercase();
    let ends = id.match_indices('/').map(|(at, _)| at);
    later.contains(&id)
        || ends
            .filter_map(|end| id.get(..end))
            .any(|above| later.contains(above))
}
