//! Where a resource of a template is written: as a whole, or as an item of another.

use std::sync::Arc;

use gatewright_arm::{ApiVersion, ArmError, ResourceId};
use gatewright_template::PlannedResource;
use serde_json::Value;

use crate::core::Core;
use crate::operations::Doing;
use crate::resources::document::Document;
use crate::resources::edit::Edit;
use crate::resources::kind::Prepared;
use crate::resources::remove::part;
use crate::resources::write::{Accepted, Call};

/// A resource that a template wants to be there.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) id: ResourceId,
    /// The resource that is written: itself, or the one that it is an item of.
    pub(super) whole: ResourceId,
    collection: Option<&'static str>,
    pub(super) call: Call,
}

impl Target {
    /// What is written for a planned resource, and by whom.
    ///
    /// # Errors
    /// When there is no such type here, the version is none, or the caller may not.
    pub(super) fn of(
        core: &Core,
        planned: &PlannedResource,
        call: &Call,
    ) -> Result<Self, ArmError> {
        let id = ResourceId::parse(&planned.id).map_err(|error| {
            let message = format!("The resource '{}' has no valid id: {error}.", planned.id);
            ArmError::front_door("InvalidTemplate", message)
        })?;
        let (whole, collection) = place(core, &id)?;
        let action = format!("{}/write", id.resource_type());
        call.caller.require(&action, &id.to_string())?;
        let api_version = version(&planned.api_version)?;
        let call = Call {
            api_version,
            action,
            doing: Doing::Put,
            if_match: None,
            only_new: false,
            ..call.clone()
        };
        Ok(Self {
            id,
            whole,
            collection,
            call,
        })
    }

    fn edit<'a>(&'a self, body: &'a Value) -> Edit<'a> {
        match self.collection {
            None => Edit::Whole(body),
            Some(collection) => Edit::PutPart {
                collection,
                name: self.id.name().unwrap_or_default(),
                body,
            },
        }
    }

    /// The resource, or the item of it.
    pub(super) fn within(&self, whole: &Document) -> Option<Value> {
        match self.collection {
            None => Some(Value::clone(&whole.body)),
            Some(collection) => {
                part(whole, collection, self.id.name().unwrap_or_default()).cloned()
            }
        }
    }

    /// Judges the write as it would be carried out now.
    pub(super) async fn prepare(
        &self,
        core: &Core,
        body: &Value,
        previous: Option<&Document>,
    ) -> Result<Prepared, ArmError> {
        let kind = core.kind_of(&self.whole)?;
        let edit = self.edit(body);
        core.prepare(&self.call, kind, &self.whole, &edit, previous)
            .await
    }

    /// Writes it. Whether it is new, and what goes on.
    pub(super) async fn write(&self, core: &Arc<Core>, body: &Value) -> Result<Accepted, ArmError> {
        let before = core.document(&self.whole).await?;
        let is_new = before.is_none_or(|before| self.within(&before).is_none());
        let edit = self.edit(body);
        let accepted = core.write(&self.call, &self.whole, edit).await?;
        Ok(Accepted { is_new, ..accepted })
    }
}

fn version(text: &str) -> Result<ApiVersion, ArmError> {
    text.parse().map_err(|_| {
        let shown: String = text.chars().take(64).collect();
        let message = format!(
            "The api-version '{shown}' is invalid. The supported versions are dates such as '{}', \
             with '-preview' or without.",
            ApiVersion::NEWEST
        );
        ArmError::front_door("InvalidApiVersionParameter", message)
    })
}

/// The resource that is written, and the collection of it that the item is in.
fn place(core: &Core, id: &ResourceId) -> Result<(ResourceId, Option<&'static str>), ArmError> {
    let not_here = core.kind_of(id).map(drop);
    if not_here.is_ok() {
        return Ok((id.clone(), None));
    }
    let name = id.resource_type();
    let parent = id.parent().filter(|parent| core.kind_of(parent).is_ok());
    let (Some(parent), Some((_, word))) = (parent, name.rsplit_once('/')) else {
        return not_here.map(|()| (id.clone(), None));
    };
    let mut parts = core.kind_of(&parent)?.parts().iter();
    let part = parts.find(|part| part.is_writable && part.collection.eq_ignore_ascii_case(word));
    match part {
        Some(part) => Ok((parent, Some(part.collection))),
        None => not_here.map(|()| (id.clone(), None)),
    }
}
