//! Writing of gateways as the service writes them.

use serde_json::{Map, Value};

use crate::backrefs;
use crate::complete::complete;
use crate::flatten;
use crate::model::{ApplicationGateway, GATEWAY_TYPE, SkuTier};
use crate::wire::writer::{Edition, Writer};
use crate::wire::{Presence, WireObject};

/// The shape of the JSON that is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shape {
    /// As the REST API answers: `properties` at every level, the service's order.
    #[default]
    Rest,
    /// As `az … -o json` prints: properties merged, members sorted, `resourceGroup` added.
    AzureCli,
}

/// How a gateway is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WriteOptions {
    /// Whether `data` and `password` of certificates are written. Answers never hold them; only
    /// what is stored may.
    pub secrets: bool,
    /// The shape.
    pub shape: Shape,
}

/// Writes a gateway as the service answers a GET: canonical names and casing, the service's
/// member order and defaults (see [`complete`]), collections that the SKU always shows, ids and
/// back-references recomputed, the gateway's etag and state on every child.
///
/// Reading the result gives the gateway with its defaults filled in and, unless the options say
/// otherwise, without secrets.
pub fn write(gateway: &ApplicationGateway, options: &WriteOptions) -> Value {
    written(gateway, options, true)
}

/// The same without back-references: what a gateway is, and not who uses which of its parts.
pub fn write_without_back_references(
    gateway: &ApplicationGateway,
    options: &WriteOptions,
) -> Value {
    written(gateway, options, false)
}

fn written(
    gateway: &ApplicationGateway,
    options: &WriteOptions,
    with_back_references: bool,
) -> Value {
    let mut gateway = gateway.clone();
    complete(&mut gateway);
    let id = gateway.id_text();
    let state = gateway.properties.provisioning_state;
    let writer = Writer::new(id.clone(), gateway.etag.as_deref(), state)
        .for_edition(edition(&gateway))
        .with_secrets(options.secrets);

    let mut out = Map::new();
    out.insert("name".to_owned(), Value::from(gateway.name.as_str()));
    if gateway.id.is_some() {
        out.insert("id".to_owned(), Value::from(id.as_str()));
    }
    Presence::IfSet.emit("etag", &gateway.etag, &writer, &mut out);
    out.insert("type".to_owned(), Value::from(GATEWAY_TYPE));
    Presence::IfSet.emit("location", &gateway.location, &writer, &mut out);
    Presence::IfSet.emit("tags", &gateway.tags, &writer, &mut out);
    Presence::IfSet.emit("zones", &gateway.zones, &writer, &mut out);
    Presence::IfSet.emit("identity", &gateway.identity, &writer, &mut out);
    let mut properties = Map::new();
    gateway.properties.write_members(&writer, &mut properties);
    if with_back_references {
        backrefs::insert(&mut properties, &gateway, &id);
    }
    out.insert("properties".to_owned(), Value::Object(properties));
    match options.shape {
        Shape::Rest => Value::Object(out),
        Shape::AzureCli => flatten::as_azure_cli(Value::Object(out)),
    }
}

fn edition(gateway: &ApplicationGateway) -> Edition {
    match gateway.tier() {
        Some(SkuTier::Basic) => Edition::Basic,
        Some(tier) if tier.is_v1() => Edition::V1,
        _ => Edition::V2,
    }
}
