//! Network security groups and their rules.

use gatewright_arm::{ApiVersion, ArmError, ResourceId};
use gatewright_store::Pending;
use serde_json::{Value, json};

use super::virtual_networks::{id_of, items_mut};
use super::{gateway_subnets, security_rules};
use crate::core::Core;
use crate::resources::document::Document;
use crate::resources::inventory::Inventory;
use crate::resources::kind::{Kind, Part, Prepared, Put};
use crate::resources::shape::{
    self, Bounds, Form, Shape, computed, defaulted, guid, insert_before, member, server,
};

pub(super) const GROUPS: &str = "Microsoft.Network/networkSecurityGroups";

const GROUP: Shape = Shape {
    type_last: false,
    head: &[member("location", Form::Text), member("tags", Form::Any)],
    properties: &[
        guid("resourceGuid"),
        member("flushConnection", Form::Boolean),
        defaulted("securityRules", Form::Items(&security_rules::RULE), "[]"),
        computed("defaultSecurityRules", "[]"),
        server("networkInterfaces"),
        server("subnets"),
    ],
    tail: &[],
    bounds: Bounds::These {
        contract: "NetworkSecurityGroupProperties",
        others: &["flowLogs"],
    },
};

pub(crate) struct SecurityGroups;

impl Kind for SecurityGroups {
    fn name(&self) -> &'static str {
        GROUPS
    }

    fn parts(&self) -> &'static [Part] {
        &[
            Part {
                collection: "securityRules",
                is_writable: true,
            },
            Part {
                collection: "defaultSecurityRules",
                is_writable: false,
            },
        ]
    }

    fn leave_out(&self, shown: &mut Document, api_version: ApiVersion) {
        if api_version >= LISTS_SINCE {
            return;
        }
        for collection in ["securityRules", "defaultSecurityRules"] {
            for rule in items_mut(shown.edit(), collection) {
                leave_empty_lists_out(rule);
            }
        }
    }

    fn prepare<'a>(
        &'a self,
        core: &'a Core,
        put: Put<'a>,
    ) -> Pending<'a, Result<Prepared, ArmError>> {
        Box::pin(async move {
            let mut body = put.shaped(&GROUP)?;
            let id = put.own_id();
            body["properties"]["defaultSecurityRules"] = security_rules::defaults(id);
            security_rules::check(&body)?;
            gateway_subnets::check_group(core, &body).await?;
            Ok(Prepared::of(body))
        })
    }

    fn present(&self, shown: &mut Document, inventory: &Inventory) {
        let (interfaces, subnets) = users(shown, inventory);
        for (name, users) in [("networkInterfaces", interfaces), ("subnets", subnets)] {
            if !users.is_empty() {
                let bag = &mut shown.edit()["properties"];
                insert_before(bag, "", name, shape::references(users));
            }
        }
    }

    fn refuse_delete(
        &self,
        document: &Document,
        target: &ResourceId,
        inventory: &Inventory,
    ) -> Option<ArmError> {
        let (mut interfaces, subnets) = users(document, inventory);
        interfaces.extend(subnets);
        (*target == document.id && !interfaces.is_empty()).then(|| {
            ArmError::new(
                "InUseNetworkSecurityGroupCannotBeDeleted",
                format!(
                    "Network security group {} cannot be deleted because it is in use by the \
                     following resources: {}. In order to delete the Network security group, \
                     remove the association with the resource(s). To learn how to do this, see \
                     aka.ms/deletensg.",
                    id_of(&document.body),
                    interfaces.join(", ")
                ),
            )
        })
    }
}

/// The first api-version whose rules have lists of addresses and ports (API definitions).
const LISTS_SINCE: ApiVersion = ApiVersion::new(2017, 6, 1);

fn leave_empty_lists_out(rule: &mut Value) {
    let properties = rule.get_mut("properties").and_then(Value::as_object_mut);
    let Some(properties) = properties else {
        return;
    };
    for list in [
        "sourcePortRanges",
        "destinationPortRanges",
        "sourceAddressPrefixes",
        "destinationAddressPrefixes",
    ] {
        if properties.get(list) == Some(&json!([])) {
            properties.shift_remove(list);
        }
    }
}

/// The network interfaces and the subnets that have this group.
fn users(document: &Document, inventory: &Inventory) -> (Vec<String>, Vec<String>) {
    let users = inventory.users(&document.id.to_string()).into_iter();
    users.partition(|user| user.to_ascii_lowercase().contains("/networkinterfaces/"))
}
