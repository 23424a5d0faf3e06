//! App Service plans.

use gatewright_arm::{ArmError, ResourceId};
use gatewright_store::Pending;
use hyper::StatusCode;
use serde_json::json;

use super::{PLANS, SITES};
use crate::core::Core;
use crate::resources::document::Document;
use crate::resources::inventory::Inventory;
use crate::resources::kind::{Kind, Manner, Prepared, Put};
use crate::resources::shape::{Bounds, Form, Member, Shape, defaulted, dropped, member};

const SHAPE: Shape = Shape {
    type_last: false,
    head: TOP,
    properties: PROPERTIES,
    tail: &[],
    bounds: Bounds::Open,
};

const TOP: &[Member] = &[
    dropped("kind"),
    member("location", Form::Text),
    defaulted("tags", Form::Any, "{}"),
    defaulted("sku", Form::Object(SKU), "{}"),
];

const SKU: &[Member] = &[
    defaulted("name", Form::Text, "\"B1\""),
    dropped("tier"),
    dropped("size"),
    dropped("family"),
    defaulted("capacity", Form::Integer(0, 100), "1"),
];

const PROPERTIES: &[Member] = &[
    defaulted("perSiteScaling", Form::Boolean, "false"),
    defaulted("elasticScaleEnabled", Form::Boolean, "false"),
    defaulted("maximumElasticWorkerCount", Form::Integer(0, 1000), "1"),
    defaulted("isSpot", Form::Boolean, "false"),
    defaulted("reserved", Form::Boolean, "false"),
    defaulted("isXenon", Form::Boolean, "false"),
    defaulted("hyperV", Form::Boolean, "false"),
    defaulted("targetWorkerCount", Form::Integer(0, 1000), "0"),
    defaulted("targetWorkerSizeId", Form::Integer(0, 1000), "0"),
    defaulted("zoneRedundant", Form::Boolean, "false"),
    dropped("status"),
    dropped("numberOfSites"),
    dropped("numberOfWorkers"),
    dropped("resourceGroup"),
    dropped("subscription"),
    dropped("geoRegion"),
];

/// First letters of a SKU's name, and the tier; longer ones first.
const TIERS: [(&str, &str); 9] = [
    ("EP", "ElasticPremium"),
    ("WS", "WorkflowStandard"),
    ("F", "Free"),
    ("D", "Shared"),
    ("B", "Basic"),
    ("S", "Standard"),
    ("P", "Premium"),
    ("I", "Isolated"),
    ("Y", "Dynamic"),
];

pub(super) struct Plans;

impl Kind for Plans {
    fn name(&self) -> &'static str {
        PLANS
    }

    fn manner(&self) -> Manner {
        Manner::AtOnce
    }

    fn status_of_new(&self) -> StatusCode {
        StatusCode::OK
    }

    fn patches_properties(&self) -> bool {
        true
    }

    fn prepare<'a>(
        &'a self,
        _core: &'a Core,
        put: Put<'a>,
    ) -> Pending<'a, Result<Prepared, ArmError>> {
        Box::pin(async move { prepare(&put) })
    }

    fn present(&self, shown: &mut Document, inventory: &Inventory) {
        let sites = inventory.users_of_type(&shown.id.to_string(), SITES);
        shown.edit()["properties"]["numberOfSites"] = json!(sites.len());
    }

    fn refuse_delete(
        &self,
        document: &Document,
        _target: &ResourceId,
        inventory: &Inventory,
    ) -> Option<ArmError> {
        let sites = inventory.users_of_type(&document.id.to_string(), SITES);
        let first = sites.first()?;
        let name = |id: &str| id.rsplit('/').next().unwrap_or_default().to_owned();
        let message = format!(
            "Server farm '{}' cannot be deleted because it has web app(s) {} assigned to it.",
            document.id.name().unwrap_or_default(),
            name(first)
        );
        Some(ArmError::front_door("Conflict", message))
    }
}

fn prepare(put: &Put<'_>) -> Result<Prepared, ArmError> {
    let mut body = put.shaped(&SHAPE)?;
    let is_linux = body["properties"]["reserved"] == true;
    let sku = body["sku"]["name"]
        .as_str()
        .unwrap_or_default()
        .to_ascii_uppercase();
    let capacity = body["sku"]["capacity"].clone();
    let family: String = sku.chars().take_while(char::is_ascii_alphabetic).collect();
    body["sku"] = json!({
        "name": sku,
        "tier": tier(&sku)?,
        "size": sku,
        "family": family,
        "capacity": capacity,
    });
    body["kind"] = json!(if is_linux { "linux" } else { "app" });
    if let Some(members) = body.as_object_mut() {
        members.shift_remove("etag");
    }
    let properties = &mut body["properties"];
    properties["status"] = json!("Ready");
    properties["numberOfWorkers"] = capacity;
    properties["maximumNumberOfWorkers"] = json!(3);
    properties["resourceGroup"] = json!(put.id.resource_group());
    properties["subscription"] = json!(put.id.subscription());
    Ok(Prepared::of(body))
}

/// `P1V3` is of the tier `PremiumV3`.
fn tier(sku: &str) -> Result<String, ArmError> {
    let known = TIERS.iter().find(|(letters, _)| sku.starts_with(letters));
    let Some((_, tier)) = known.filter(|_| sku.len() > 1) else {
        let message = format!("The sku '{sku}' is none of an App Service plan, such as B1.");
        return Err(ArmError::front_door("BadRequest", message));
    };
    let version = sku.rsplit_once('V').map(|(_, version)| version);
    let is_version = |text: &&str| !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
    let version = version
        .filter(is_version)
        .map(|version| format!("V{version}"));
    Ok(format!("{tier}{}", version.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sku_tells_its_tier() {
        for (sku, expected) in [
            ("F1", "Free"),
            ("B1", "Basic"),
            ("S2", "Standard"),
            ("P0V3", "PremiumV3"),
            ("P1V2", "PremiumV2"),
            ("EP1", "ElasticPremium"),
            ("I1V2", "IsolatedV2"),
        ] {
            assert_eq!(tier(sku).unwrap(), expected, "{sku}");
        }
        assert!(tier("Q1").is_err() && tier("").is_err() && tier("B").is_err());
    }
}
