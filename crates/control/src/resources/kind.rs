//! What tells one type of resources from another.

use std::sync::Arc;

use gatewright_arm::{ApiVersion, ArmError, ResourceId};
use gatewright_store::Pending;
use hyper::StatusCode;
use serde_json::Value;

use crate::core::Core;
use crate::operations::{Doing, Operation};
use crate::resources::document::{Document, Judged};
use crate::resources::inventory::Inventory;
use crate::resources::shape::{self, Shape};

/// A PUT that is to be judged.
pub(crate) struct Put<'a> {
    pub(crate) id: &'a ResourceId,
    /// The whole resource, as it was sent, or as a change of a part of it made it.
    pub(crate) body: &'a Value,
    /// What is stored.
    pub(crate) previous: Option<&'a Document>,
    /// What was good before, where that is not, of kinds that keep it.
    pub(crate) last_good: Option<&'a Document>,
    pub(crate) api_version: ApiVersion,
    /// Whether a client's PUT replaces the whole: not a part, nor the tags, nor what is written
    /// anew because of another resource, or to be started or stopped.
    pub(crate) replaces: bool,
}

impl Put<'_> {
    /// What the stored body has at this pointer.
    pub(crate) fn kept(&self, pointer: &str) -> Option<&Value> {
        self.previous?.body.pointer(pointer)
    }

    /// The stored body.
    pub(crate) fn previous_body(&self) -> Option<&Value> {
        self.previous.map(|before| &*before.body)
    }

    /// The id in the casing of the first PUT.
    pub(crate) fn own_id(&self) -> &ResourceId {
        self.previous.map_or(self.id, |before| &before.id)
    }

    /// The body as resources of this shape have it.
    ///
    /// # Errors
    /// As [`shape::resource`].
    pub(crate) fn shaped(&self, shape: &'static Shape) -> Result<Value, ArmError> {
        shape::resource(self.id, shape, self.body, self.previous_body())
    }
}

/// What is to be stored.
#[derive(Debug, Default)]
pub(crate) struct Prepared {
    /// With every member that an answer has; the etag and the state are put in later, where there
    /// are such members.
    pub(crate) body: Value,
    /// What is to be sealed; `Null` for nothing.
    pub(crate) secrets: Value,
    /// What is to be remembered and never shown; `None` for what was before.
    pub(crate) notes: Option<Value>,
    /// What was made of the body to judge it, for those who are to serve it.
    pub(crate) judged: Option<Judged>,
    /// Why the operation is going to fail although the resource is stored, as with a vault that
    /// denies a certificate.
    pub(crate) doomed: Option<ArmError>,
}

impl Prepared {
    /// This body and nothing else.
    pub(crate) fn of(body: Value) -> Self {
        Self {
            body,
            ..Self::default()
        }
    }
}

/// How writes of a type are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// With the final resource.
    AtOnce,
    /// With the resource in the state Updating, and an operation to follow.
    ByOperation,
}

/// Items of a resource that are resources too: subnets of a virtual network.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part {
    /// The last word of its type, and the member of `properties` that lists them.
    pub(crate) collection: &'static str,
    /// Whether clients may write them.
    pub(crate) is_writable: bool,
}

/// How a resource is after an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// As it was asked for.
    Good,
    /// Not as it was asked for; what was good before goes on.
    LastGood,
    /// Not as it was asked for, and nothing was good before.
    NothingGood,
}

/// A type of resources.
pub(crate) trait Kind: Send + Sync + 'static {
    /// In canonical casing, such as `Microsoft.Network/virtualNetworks`.
    fn name(&self) -> &'static str;

    fn manner(&self) -> Manner {
        Manner::ByOperation
    }

    /// Whether a PUT takes the place of one that has not ended, instead of waiting for it.
    fn supersedes(&self) -> bool {
        false
    }

    /// Whether the last configuration that was served is kept until the next one is.
    fn keeps_last_good(&self) -> bool {
        false
    }

    /// The status of a PUT that makes a new one; clients of some types take nothing else.
    fn status_of_new(&self) -> StatusCode {
        StatusCode::CREATED
    }

    /// The status of a DELETE that is done when it is answered.
    fn status_of_deleted(&self) -> StatusCode {
        StatusCode::OK
    }

    /// Whether what is deleted of it is kept for a while, so that it can be recovered.
    fn is_recoverable(&self) -> bool {
        false
    }

    /// Whether a write that changes the tags at most has succeeded when it is answered.
    fn ends_unchanged_writes(&self) -> bool {
        false
    }

    /// Its items that have routes of their own.
    fn parts(&self) -> &'static [Part] {
        &[]
    }

    /// Whether answers to a PUT of such an item say that its end is notified of.
    fn notifies_of(&self, _collection: &str) -> bool {
        true
    }

    /// Judges a PUT, and makes of it what is to be stored.
    fn prepare<'a>(
        &'a self,
        core: &'a Core,
        put: Put<'a>,
    ) -> Pending<'a, Result<Prepared, ArmError>>;

    /// Judges what can be judged of a PUT without a look at any other resource: one of those that
    /// it refers to may not be there yet.
    ///
    /// # Errors
    /// The first thing that is wrong whatever the others are.
    fn judge_alone(&self, _core: &Core, _put: &Put<'_>) -> Result<(), ArmError> {
        Ok(())
    }

    /// Makes of a stored resource what a GET answers, with what other resources say of it.
    fn present(&self, _shown: &mut Document, _inventory: &Inventory) {}

    /// Takes out of an answer what clients of this api-version do not know.
    fn leave_out(&self, _shown: &mut Document, _api_version: ApiVersion) {}

    /// Whether it is a gateway, of which that is done while it is written, since it may be large:
    /// see [`AsOf`](gatewright_arm::AsOf).
    fn is_cut_as_a_gateway(&self) -> bool {
        false
    }

    /// Why it, or this item of it, cannot be deleted.
    fn refuse_delete(
        &self,
        _document: &Document,
        _target: &ResourceId,
        _inventory: &Inventory,
    ) -> Option<ArmError> {
        None
    }

    /// What must be so before the operation that wrote `document` has succeeded; by default, that
    /// the node serves what is stored.
    fn settle<'a>(
        &'a self,
        core: &'a Core,
        document: &'a Document,
        _doing: Doing,
    ) -> Pending<'a, Result<(), ArmError>> {
        Box::pin(core.node().took(document.revision))
    }

    /// Whether a PATCH changes `properties` too, and not the tags alone.
    fn patches_properties(&self) -> bool {
        false
    }

    /// Called when a write that is answered at once was stored, while nothing else can be written;
    /// what follows from it is for a task.
    fn stored(&self, _core: &Arc<Core>, _document: &Document) {}

    /// Called when the operation that wrote `document` is about to end well: what the service makes
    /// by itself because of that.
    fn follow<'a>(
        &'a self,
        _core: &'a Arc<Core>,
        _document: &'a Document,
        _operation: &'a Operation,
    ) -> Pending<'a, ()> {
        Box::pin(async {})
    }

    /// What an operation changes of what is remembered of a resource and never shown.
    fn note(&self, _doing: Doing, _notes: &mut Value) {}

    /// Undoes that for an operation that failed.
    fn take_back(&self, _doing: Doing, _notes: &mut Value) {}

    /// Resources that hold something of this one, so that they must be written anew when it changes
    /// from `before` to `after`; `None` is a resource that does not exist.
    fn touches(&self, _before: Option<&Value>, _after: Option<&Value>) -> Vec<ResourceId> {
        Vec::new()
    }

    /// What an operation makes of the body when it begins, besides the state.
    fn begin(&self, _body: &mut Value, _doing: Doing) {}

    /// What the end of an operation makes of the body, besides the state.
    fn end(&self, _body: &mut Value, _notes: &Value, _ending: Ending) {}
}
