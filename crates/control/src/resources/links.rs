//! What a write may rely on: its group, and the resources that it refers to.

use std::collections::HashSet;

use gatewright_arm::{ArmError, ResourceId};
use serde_json::Value;

use crate::core::Core;
use crate::resources::document::{Document, plain_location};
use crate::resources::edit::member;
use crate::resources::references;
use crate::resources::write::Call;

impl Core {
    /// The resource's group exists and is not about to go.
    pub(crate) fn check_group(&self, id: &ResourceId) -> Result<(), ArmError> {
        let group = id.resource_group().unwrap_or_default();
        let known = self.inventory.find(&self.group_id(group));
        match known {
            None => Err(no_group(group)),
            Some(known) if known.state == "Deleting" && id.name().is_some() => {
                Err(group_being_deleted(group))
            }
            Some(_) => Ok(()),
        }
    }

    pub(crate) fn group_id(&self, group: &str) -> ResourceId {
        let text = format!(
            "/subscriptions/{}/resourceGroups/{group}",
            self.config.subscription
        );
        // The subscription is a GUID and the group a segment of a path.
        ResourceId::parse(&text).unwrap_or_else(|_| ResourceId::gateway("", "", ""))
    }

    /// Every resource that `body` refers to exists, and the caller may use it. What is no part of
    /// this control plane (a load balancer, say) is taken on trust; and so is what was stored with
    /// the reference already, even if what it led to was deleted since.
    pub(crate) fn check_links(
        &self,
        call: &Call,
        id: &ResourceId,
        body: &Value,
        previous: Option<&Document>,
    ) -> Result<(), ArmError> {
        let known = previous.map(|before| references::collect(id, &before.body));
        let known: HashSet<&str> = known.iter().flatten().map(|one| &*one.target).collect();
        for one in references::collect(id, body) {
            if known.contains(one.target.as_str()) {
                continue;
            }
            let Ok(target) = ResourceId::parse(&one.target) else {
                continue;
            };
            let Some(kind) = self.kind_or_part(&target) else {
                continue;
            };
            // First: who may not use it is not told whether it exists.
            let action = format!("{kind}/join/action");
            if !call.caller.may(&action, &one.target) {
                return Err(ArmError::front_door(
                    "LinkedAuthorizationFailed",
                    format!(
                        "The client '{}' with object id '{}' has permission to perform action '{}' \
                         on scope '{id}'; however, it does not have permission to perform action \
                         '{action}' on the linked scope(s) '{target}' or the linked scope(s) are \
                         invalid.",
                        call.caller.app_id(),
                        call.caller.object_id(),
                        call.action
                    ),
                ));
            }
            let is_elsewhere = self.is_elsewhere(&target, body);
            if is_elsewhere || !self.inventory.contains_item(&one.target) {
                return Err(ArmError::new(
                    "InvalidResourceReference",
                    format!(
                        "Resource {target} referenced by resource {} was not found. Please make \
                         sure that the referenced resource exists, and that both resources are in \
                         the same region.",
                        one.user
                    ),
                ));
            }
        }
        Ok(())
    }

    /// Whether a resource of the network, or what has it as a part, is in another region than the
    /// body that refers to it. Networks alone are peered across regions.
    fn is_elsewhere(&self, target: &ResourceId, body: &Value) -> bool {
        let mut whole = target.clone();
        while let Some(above) = whole.parent() {
            whole = above;
        }
        let kind = whole.resource_type();
        let is_peering = target.resource_type() == "Microsoft.Network/virtualNetworks";
        if !kind.starts_with("Microsoft.Network/") || is_peering {
            return false;
        }
        let known = self.inventory.find(&whole);
        let there =
            known.and_then(|known| known.summary.get("location")?.as_str().map(plain_location));
        let here = member(body, "location")
            .and_then(Value::as_str)
            .map(plain_location);
        there.is_some() && here.is_some() && there != here
    }

    /// The type of a resource that this control plane keeps, or of an item of one.
    fn kind_or_part(&self, id: &ResourceId) -> Option<String> {
        let mut above = Some(id.clone());
        while let Some(one) = above {
            if self.kind(&one.resource_type()).is_some() {
                return Some(id.resource_type());
            }
            above = one.parent();
        }
        None
    }
}

/// The front door's word for a group that is about to go.
pub(crate) fn group_being_deleted(group: &str) -> ArmError {
    let message = format!(
        "The resource group '{group}' is in deprovisioning state and cannot perform this operation."
    );
    ArmError::front_door("ResourceGroupBeingDeleted", message)
}

/// The front door's word for a group that does not exist.
pub(crate) fn no_group(group: &str) -> ArmError {
    let message = format!("Resource group '{group}' could not be found.");
    ArmError::front_door("ResourceGroupNotFound", message)
}
