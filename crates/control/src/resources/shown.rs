//! A resource as it is answered.

use std::borrow::Cow;
use std::sync::Arc;

use gatewright_arm::{ApiVersion, AsOf};
use serde::ser::{Serialize, Serializer};
use serde_json::Value;

use crate::core::Core;
use crate::resources::document::Document;

/// A body as clients of an api-version know it.
pub(crate) struct Shown {
    body: Arc<Value>,
    /// Of bodies that are cut while they are written: for which version.
    as_of: Option<ApiVersion>,
}

impl Shown {
    pub(crate) fn etag(&self) -> Option<&str> {
        self.body.get("etag")?.as_str()
    }

    /// The whole body, as it is answered: to look into, without a copy where nothing is cut.
    pub(crate) fn body(&self) -> Cow<'_, Value> {
        match self.as_of {
            // What was JSON is JSON.
            Some(version) => {
                Cow::Owned(serde_json::to_value(AsOf::new(&self.body, version)).unwrap_or_default())
            }
            None => Cow::Borrowed(&self.body),
        }
    }
}

impl Serialize for Shown {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.as_of {
            Some(version) => AsOf::new(&self.body, version).serialize(serializer),
            None => self.body.serialize(serializer),
        }
    }
}

impl Core {
    /// A resource as clients of this api-version know it.
    pub(crate) fn shown_to(&self, document: &Document, api_version: ApiVersion) -> Shown {
        let mut shown = self.shown(document);
        let kind = self.kind(&document.id.resource_type());
        let is_cut_late = kind.is_some_and(|kind| kind.is_cut_as_a_gateway());
        if let Some(kind) = kind.filter(|_| !is_cut_late) {
            kind.leave_out(&mut shown, api_version);
        }
        Shown {
            body: shown.body,
            as_of: is_cut_late.then_some(api_version),
        }
    }

    /// A resource as a GET of the newest api-version answers it.
    pub(crate) fn shown(&self, document: &Document) -> Document {
        let mut shown = document.clone();
        if let Some(kind) = self.kind(&document.id.resource_type()) {
            kind.present(&mut shown, &self.inventory);
        }
        shown
    }
}
