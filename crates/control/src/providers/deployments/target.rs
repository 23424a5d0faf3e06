//! Where a resource of a template is written: as a whole, or as an item of another.

use std::sync::Arc;

use gatewright_arm::{ApiVersion, ArmError, ResourceId};
use gatewright_template::{PlannedResource, TemplateError};
use serde_json::Value;

use super::request::Refusal;
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
    /// With its place in the template, when there is no such type here or the version is none; when
    /// the caller may not.
    pub(super) fn of(core: &Core, planned: &PlannedResource, call: &Call) -> Result<Self, Refusal> {
        let id = ResourceId::parse(&planned.id).map_err(|error| {
            let reason = format!("The resource '{}' has no valid id: {error}", planned.id);
            misplaced(planned, "InvalidTemplate", &reason)
        })?;
        let (whole, collection) =
            place(core, &id).map_err(|error| misplaced(planned, TYPE, &error.message))?;
        let action = format!("{}/write", id.resource_type());
        call.caller.require(&action, &id.to_string())?;
        let api_version =
            version(&planned.api_version).map_err(|reason| misplaced(planned, VERSION, &reason))?;
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
                part(&whole.body, collection, self.id.name().unwrap_or_default()).cloned()
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

/// Codes of what only shows when a resource of a template is looked for in this control plane.
const TYPE: &str = "InvalidResourceType";
const VERSION: &str = "InvalidApiVersionParameter";

/// A fault of a planned resource, told as the faults of templates are: with its name and its place.
fn misplaced(planned: &PlannedResource, code: &'static str, reason: &str) -> TemplateError {
    let (line, column) = (planned.line, planned.column);
    let name: String = planned.name.chars().take(NAME_CHARACTERS_MAX).collect();
    let reason = reason.trim_end_matches('.');
    TemplateError {
        code,
        message: format!(
            "Deployment template validation failed: 'The template resource '{name}' at line \
             '{line}' and column '{column}' is not valid: {reason}. Please see \
             https://aka.ms/arm-syntax-resources for usage details.'."
        ),
        line,
        column,
        path: planned.path.clone(),
    }
}

/// Longest name, or version, of a resource that a message repeats, in characters.
const NAME_CHARACTERS_MAX: usize = 120;
const VERSION_CHARACTERS_MAX: usize = 64;

fn version(text: &str) -> Result<ApiVersion, String> {
    text.parse().map_err(|_| {
        let shown: String = text.chars().take(VERSION_CHARACTERS_MAX).collect();
        format!(
            "The api-version '{shown}' is invalid. The supported versions are dates such as '{}', \
             with '-preview' or without",
            ApiVersion::NEWEST
        )
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
