//! Network watchers, and what can be asked of them.
//!
//! The service makes one by itself, in a group of its own, when a virtual network is written in a
//! location that has none. So does this control plane, before the operation of that write ends; one
//! that was deleted comes back with the next write. Source: "Enable or disable Azure Network
//! Watcher" of the service's documentation.

mod connectivity;
mod ends;
mod flows;
mod hops;
mod target;

use std::sync::Arc;

use gatewright_arm::{ArmError, ResourceId};
use gatewright_store::Pending;
use hyper::{Method, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::context::{Handler, handler};
use crate::core::{Core, failed};
use crate::front::router::Route;
use crate::identity::Caller;
use crate::operations::Operation;
use crate::providers::groups::GROUPS;
use crate::resources::document::{Document, plain_location};
use crate::resources::edit::Edit;
use crate::resources::inventory::Inventory;
use crate::resources::kind::{Kind, Manner, Prepared, Put};
use crate::resources::naming::no_location;
use crate::resources::shape::{Bounds, Form, Shape, computed, member};
use crate::resources::write::Call;
use crate::routes::{action, route};

const WATCHERS: &str = "Microsoft.Network/networkWatchers";

/// The group of those that are made by themselves.
const GROUP: &str = "NetworkWatcherRG";

const WATCHER: Shape = Shape {
    type_last: false,
    head: &[member("location", Form::Text), member("tags", Form::Any)],
    properties: &[computed("runningOperationIds", "[]")],
    tail: &[],
    bounds: Bounds::These {
        contract: "NetworkWatcherProperties",
        others: &[],
    },
};

pub(super) fn routes() -> Vec<Route> {
    let post = |word: &str, handler: Handler| {
        let pattern = format!(
            "/subscriptions/{{subscription}}/resourceGroups/{{group}}/providers/{WATCHERS}/\
             {{name}}/{word}"
        );
        let access = action(WATCHERS, &format!("{word}/action"));
        route(Method::POST, pattern, access, handler)
    };
    vec![
        post("connectivityCheck", handler(connectivity::check)),
        post("ipFlowVerify", handler(flows::verify)),
        post("nextHop", handler(flows::next_hop)),
    ]
}

pub(crate) struct Watchers;

impl Kind for Watchers {
    fn name(&self) -> &'static str {
        WATCHERS
    }

    fn manner(&self) -> Manner {
        Manner::AtOnce
    }

    fn status_of_deleted(&self) -> StatusCode {
        StatusCode::NO_CONTENT
    }

    fn prepare<'a>(
        &'a self,
        core: &'a Core,
        put: Put<'a>,
    ) -> Pending<'a, Result<Prepared, ArmError>> {
        Box::pin(async move {
            let mut body = put.shaped(&WATCHER)?;
            let location = location_of(&body);
            if location.is_empty() {
                return Err(no_location());
            }
            let other = watcher_in(&core.inventory, &location);
            if other.is_some_and(|other| other != *put.id) {
                let message = "Cannot create more than 1 network watchers for this subscription in \
                               this region.";
                return Err(ArmError::new("NetworkWatcherCountLimitReached", message));
            }
            body["location"] = json!(location);
            Ok(Prepared::of(body))
        })
    }
}

fn location_of(body: &Value) -> String {
    let location = body.get("location").and_then(Value::as_str);
    plain_location(location.unwrap_or_default())
}

/// The watcher of a location; there is one at most.
fn watcher_in(inventory: &Inventory, location: &str) -> Option<ResourceId> {
    let mut all = inventory.of_type(WATCHERS).into_iter();
    let here = all.find(|known| {
        let own = known.summary.get("location").and_then(Value::as_str);
        own == Some(location)
    });
    here.map(|known| known.id)
}

/// Makes the watcher of the location of a network, and its group, unless there is one: whatever
/// whoever wrote the network may, and in their name.
pub(super) async fn provide(core: &Arc<Core>, network: &Document, because: &Operation) {
    let location = location_of(&network.body);
    if location.is_empty() || watcher_in(&core.inventory, &location).is_some() {
        return;
    }
    if let Err(error) = make(core, &location, because).await {
        // The next write of a network there tries again.
        let why = error.message;
        tracing::warn!("the network watcher of {location} was not made: {why}");
    }
}

async fn make(core: &Arc<Core>, location: &str, because: &Operation) -> Result<(), ArmError> {
    let caller = Caller::system_for(&core.config.subscription, &because.caller);
    // A step of nobody's: who follows a deployment by its correlation finds what the template says.
    let call = |kind: &str| Call {
        action: format!("{kind}/write"),
        correlation: Uuid::new_v4().to_string(),
        ..because.resumed(caller.clone())
    };
    let body = json!({ "location": location });
    let group = core.group_id(GROUP);
    if core.inventory.find(&group).is_none() {
        core.put_group(&call(GROUPS), &group, Edit::Whole(&body))
            .await?;
    }
    let path = format!("{group}/providers/{WATCHERS}/NetworkWatcher_{location}");
    let id = ResourceId::parse(&path).map_err(failed)?;
    core.write(&call(WATCHERS), &id, Edit::Whole(&body)).await?;
    Ok(())
}
