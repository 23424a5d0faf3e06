//! Application security groups: names under which rules know the IP configurations of interfaces.

use std::collections::BTreeMap;

use gatewright_arm::{ArmError, ResourceId};
use gatewright_store::Pending;

use super::own_codes;
use super::virtual_networks::name_of;
use crate::core::Core;
use crate::resources::document::Document;
use crate::resources::inventory::Inventory;
use crate::resources::kind::{Kind, Prepared, Put};
use crate::resources::shape::{Bounds, Form, Shape, member};

const GROUP: Shape = Shape {
    type_last: false,
    head: &[member("location", Form::Text), member("tags", Form::Any)],
    properties: &[],
    tail: &[],
    bounds: Bounds::These {
        contract: "ApplicationSecurityGroupProperties",
        others: &["resourceGuid"],
    },
};

pub(crate) struct ApplicationSecurityGroups;

impl Kind for ApplicationSecurityGroups {
    fn name(&self) -> &'static str {
        "Microsoft.Network/applicationSecurityGroups"
    }

    fn prepare<'a>(
        &'a self,
        _core: &'a Core,
        put: Put<'a>,
    ) -> Pending<'a, Result<Prepared, ArmError>> {
        Box::pin(async move { put.shaped(&GROUP).map(Prepared::of) })
    }

    /// The sentence was seen in reports of users, without its code.
    fn refuse_delete(
        &self,
        document: &Document,
        _: &ResourceId,
        inventory: &Inventory,
    ) -> Option<ArmError> {
        let users = inventory.users(&document.id.to_string());
        let what = references(&users)?;
        let name = name_of(&document.body);
        let message = format!(
            "Application Security Group {name} cannot be deleted because it is referenced by \
             {what}."
        );
        Some(ArmError::new(own_codes::IN_USE, message))
    }
}

/// `IpConfiguration(s) a, b` and the like: those that refer to it, by their kind.
fn references(users: &[String]) -> Option<String> {
    let mut names: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for user in users {
        let mut segments = user.rsplit('/');
        let name = segments.next().unwrap_or_default();
        let collection = segments.next().unwrap_or_default();
        let kind = match collection.to_ascii_lowercase().as_str() {
            "ipconfigurations" => "IpConfiguration(s)",
            "securityrules" => "SecurityRule(s)",
            _ => "resource(s)",
        };
        names.entry(kind).or_default().push(name);
    }
    let parts = names
        .iter()
        .map(|(kind, names)| format!("{kind} {}", names.join(", ")));
    let parts: Vec<String> = parts.collect();
    (!parts.is_empty()).then(|| parts.join(" and "))
}
