//! `Microsoft.Compute`: machines, as far as their network interfaces are known by them.

use gatewright_arm::ArmError;
use gatewright_store::Pending;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::clock;
use crate::core::Core;
use crate::resources::kind::{Kind, Prepared, Put};
use crate::resources::shape::{self, Bounds, Form, Shape, computed, defaulted, member, server};

pub(crate) fn kinds() -> Vec<Box<dyn Kind>> {
    vec![Box::new(VirtualMachines)]
}

const MACHINE: Shape = Shape {
    type_last: false,
    head: &[
        member("location", Form::Text),
        defaulted("tags", Form::Any, "{}"),
        member("zones", Form::Texts),
        member("identity", Form::Any),
        member("plan", Form::Any),
    ],
    properties: &[
        member("hardwareProfile", Form::Any),
        server("vmId"),
        member("storageProfile", Form::Any),
        member("osProfile", Form::Any),
        defaulted("networkProfile", Form::Any, r#"{"networkInterfaces": []}"#),
        computed("timeCreated", "\"\""),
    ],
    tail: &[],
    bounds: Bounds::Open,
};

/// What a client says once and no answer holds.
const SECRETS: [&str; 2] = ["adminPassword", "customData"];

pub(crate) const MACHINES: &str = "Microsoft.Compute/virtualMachines";

struct VirtualMachines;

/// No machine runs: what is kept is where its interfaces are.
impl Kind for VirtualMachines {
    fn name(&self) -> &'static str {
        MACHINES
    }

    fn prepare<'a>(
        &'a self,
        _core: &'a Core,
        put: Put<'a>,
    ) -> Pending<'a, Result<Prepared, ArmError>> {
        Box::pin(async move {
            let mut body = put.shaped(&MACHINE)?;
            let kept = |pointer: &str| put.kept(pointer).cloned();
            let time = kept("/properties/timeCreated");
            let guid = kept("/properties/vmId");
            let bag = &mut body["properties"];
            bag["timeCreated"] = time.unwrap_or_else(|| json!(clock::precise(clock::now())));
            let guid = guid.unwrap_or_else(|| json!(Uuid::new_v4().to_string()));
            shape::insert_before(bag, "storageProfile", "vmId", guid);
            forget_secrets(bag);
            Ok(Prepared::of(body))
        })
    }
}

fn forget_secrets(bag: &mut Value) {
    let profile = bag.get_mut("osProfile").and_then(Value::as_object_mut);
    if let Some(profile) = profile {
        profile.retain(|name, _| !SECRETS.iter().any(|own| own.eq_ignore_ascii_case(name)));
    }
}
