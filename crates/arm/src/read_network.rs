//! Reading of the gateway's neighbours: virtual networks, security groups and route tables.

use serde_json::{Map, Value};

use crate::diagnostic::Diagnostic;
use crate::ids::ResourceId;
use crate::model::network::{
    NetworkSecurityGroup, Route, RouteTable, SecurityRule, Subnet, VirtualNetwork,
    VirtualNetworkPeering,
};
use crate::model::{ChildResource, Item};
use crate::read::{ReadError, parse_text};
use crate::wire::reader::{Reader, shorten};
use crate::wire::{WireValue, pointer};

/// Most resources that one document may hold.
pub const MAX_NETWORK_RESOURCES: usize = 10_000;

/// What a document says about networks, in its order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NetworkResources {
    /// With their subnets and peerings.
    pub virtual_networks: Vec<Item<VirtualNetwork>>,
    /// Subnets that stand by themselves, as `az network vnet subnet show` prints one.
    pub subnets: Vec<Item<Subnet>>,
    /// Peerings that stand by themselves.
    pub peerings: Vec<Item<VirtualNetworkPeering>>,
    /// With their rules.
    pub security_groups: Vec<Item<NetworkSecurityGroup>>,
    /// Rules that stand by themselves.
    pub security_rules: Vec<Item<SecurityRule>>,
    /// With their routes.
    pub route_tables: Vec<Item<RouteTable>>,
    /// Routes that stand by themselves.
    pub routes: Vec<Item<Route>>,
    /// Resources of other types, which were not read.
    pub others: Vec<OtherResource>,
}

/// A resource that has no part in network policy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OtherResource {
    /// Its type as the document gives it, at most 80 characters; empty if it has none.
    pub kind: String,
    /// JSON pointer of it.
    pub pointer: String,
}

/// Network resources, and what was odd about their document.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NetworkReport {
    /// Empty where the document is about other things.
    pub resources: NetworkResources,
    /// Warnings: unknown members (`InvalidJson`), members given twice.
    pub warnings: Vec<Diagnostic>,
}

/// Why no network resource could be read.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum NetworkReadError {
    /// The text is too long or not JSON: [`ReadError::TooLarge`], [`ReadError::Malformed`].
    #[error(transparent)]
    Text(#[from] ReadError),
    /// JSON, but no resource and no list of resources.
    #[error("{0}; a network resource, or a list of them, is expected")]
    NoResource(String),
    /// Values that the service would not read either. Holds the warnings too, in the document's
    /// order.
    #[error("a network resource has values of the wrong kind: {}", first_error(.0))]
    Invalid(Vec<Diagnostic>),
}

fn first_error(findings: &[Diagnostic]) -> String {
    let first = findings.iter().find(|finding| finding.is_error());
    first.map(Diagnostic::to_string).unwrap_or_default()
}

/// Reads the network resources of a document: one resource, an array, `{"value": […]}`, or the
/// `resources` of a template; each in the REST shape, in the shape that `az … -o json` prints, in
/// PowerShell's, or in a mixture, as leniently as [`read_gateways`](crate::read_gateways).
///
/// Expressions of templates are not evaluated: a value that is one stays as its text.
///
/// # Errors
/// [`NetworkReadError::NoResource`] for another kind of document, [`NetworkReadError::Invalid`] for
/// values of the wrong type. Never panics, whatever the document.
pub fn read_network(document: &Value) -> Result<NetworkReport, NetworkReadError> {
    let mut collector = Collector::default();
    collector.document(document)?;
    let findings = collector.reader.into_findings();
    if findings.iter().any(Diagnostic::is_error) {
        return Err(NetworkReadError::Invalid(findings));
    }
    Ok(NetworkReport {
        resources: collector.resources,
        warnings: findings,
    })
}

/// As [`read_network`], from a JSON text in any encoding that
/// [`read_gateways_text`](crate::read_gateways_text) takes.
///
/// # Errors
/// As [`read_network`]; [`NetworkReadError::Text`] for the text itself.
pub fn read_network_text(text: &[u8]) -> Result<NetworkReport, NetworkReadError> {
    read_network(&parse_text(text)?)
}

/// A resource that others stand in, as templates nest them.
#[derive(Clone, Debug)]
struct Parent {
    kind: String,
    name: String,
}

struct Collector {
    reader: Reader,
    resources: NetworkResources,
    count: usize,
}

impl Default for Collector {
    fn default() -> Self {
        Self {
            reader: Reader::new(false),
            resources: NetworkResources::default(),
            count: 0,
        }
    }
}

impl Collector {
    fn document(&mut self, document: &Value) -> Result<(), NetworkReadError> {
        match document {
            Value::Array(list) => self.list(list, "", None),
            Value::Object(map) => {
                if let Some((name, Value::Array(list))) = member(map, "value") {
                    return self.list(list, &pointer::join("", name), None);
                }
                let is_resource = member(map, "type").is_some() || member(map, "id").is_some();
                match member(map, "resources") {
                    Some((name, Value::Array(list))) if !is_resource => {
                        self.list(list, &pointer::join("", name), None)
                    }
                    _ => self.resource(document, "", None),
                }
            }
            _ => Err(NetworkReadError::NoResource(
                "the document is neither an object nor an array".to_owned(),
            )),
        }
    }

    fn list(
        &mut self,
        list: &[Value],
        at: &str,
        parent: Option<&Parent>,
    ) -> Result<(), NetworkReadError> {
        for (position, value) in list.iter().enumerate() {
            if !value.is_null() {
                self.resource(value, &pointer::index(at, position), parent)?;
            }
        }
        Ok(())
    }

    fn resource(
        &mut self,
        value: &Value,
        at: &str,
        parent: Option<&Parent>,
    ) -> Result<(), NetworkReadError> {
        self.count += 1;
        if self.count > MAX_NETWORK_RESOURCES {
            let message = format!("the document holds more than {MAX_NETWORK_RESOURCES} resources");
            return Err(NetworkReadError::NoResource(message));
        }
        let Some(map) = value.as_object() else {
            let message = format!("'{at}' is not an object");
            return Err(NetworkReadError::NoResource(message));
        };
        let kind = kind_of(map, parent);
        self.reader.set_root(at);
        let name = self.read(kind.as_deref(), map, value, at, parent);
        if let Some((member, Value::Array(nested))) = member(map, "resources") {
            let parent = Parent {
                kind: kind.unwrap_or_default(),
                name,
            };
            self.list(nested, &pointer::join(at, member), Some(&parent))?;
        }
        Ok(())
    }

    /// Puts the resource where it belongs; returns its name, with those of its parents before it.
    fn read(
        &mut self,
        kind: Option<&str>,
        map: &Map<String, Value>,
        value: &Value,
        at: &str,
        parent: Option<&Parent>,
    ) -> String {
        let reader = &mut self.reader;
        let found = &mut self.resources;
        let is = |known: &str| kind.is_some_and(|kind| kind.eq_ignore_ascii_case(known));
        match () {
            () if is(VirtualNetwork::TYPE) => {
                put(&mut found.virtual_networks, value, at, parent, reader)
            }
            () if is(Subnet::TYPE) => put(&mut found.subnets, value, at, parent, reader),
            () if is(VirtualNetworkPeering::TYPE) => {
                put(&mut found.peerings, value, at, parent, reader)
            }
            () if is(NetworkSecurityGroup::TYPE) => {
                put(&mut found.security_groups, value, at, parent, reader)
            }
            () if is(SecurityRule::TYPE) => {
                put(&mut found.security_rules, value, at, parent, reader)
            }
            () if is(RouteTable::TYPE) => put(&mut found.route_tables, value, at, parent, reader),
            () if is(Route::TYPE) => put(&mut found.routes, value, at, parent, reader),
            () => {
                found.others.push(OtherResource {
                    kind: shorten(kind.unwrap_or_default()),
                    pointer: at.to_owned(),
                });
                let name = text(map, "name").unwrap_or_default();
                full_name(name, parent)
            }
        }
    }
}

fn put<T: ChildResource>(
    list: &mut Vec<Item<T>>,
    value: &Value,
    at: &str,
    parent: Option<&Parent>,
    reader: &mut Reader,
) -> String {
    reader.set_contract(T::TYPE_NAME);
    let Some(mut item) = Item::<T>::read(value, at, reader) else {
        return String::new();
    };
    if item.name.is_empty()
        && let Some(id) = item.id.as_deref().and_then(|id| ResourceId::parse(id).ok())
    {
        item.name = id.name().unwrap_or_default().to_owned();
    }
    item.name = full_name(&item.name, parent);
    let name = item.name.clone();
    list.push(item);
    name
}

/// A nested resource's name goes without its parents'.
fn full_name(name: &str, parent: Option<&Parent>) -> String {
    match parent {
        Some(parent) if !name.contains('/') => format!("{}/{name}", parent.name),
        _ => name.to_owned(),
    }
}

/// The full type: as the document says, as the id says, or as the members show.
fn kind_of(map: &Map<String, Value>, parent: Option<&Parent>) -> Option<String> {
    if let Some(kind) = text(map, "type") {
        // A nested resource's type goes without its parents'.
        return Some(match parent {
            Some(parent) if !kind.contains('/') => format!("{}/{kind}", parent.kind),
            _ => kind.to_owned(),
        });
    }
    if let Some(id) = text(map, "id").and_then(|id| ResourceId::parse(id).ok()) {
        return Some(id.resource_type());
    }
    let bag = member(map, "properties").and_then(|(_, bag)| bag.as_object());
    let has = |name: &str| {
        member(map, name).is_some() || bag.is_some_and(|bag| member(bag, name).is_some())
    };
    let kind = match () {
        () if has("securityRules") || has("defaultSecurityRules") => NetworkSecurityGroup::TYPE,
        () if has("routes") || has("disableBgpRoutePropagation") => RouteTable::TYPE,
        () if has("addressSpace") => VirtualNetwork::TYPE,
        () if has("nextHopType") => Route::TYPE,
        () if has("access") && has("direction") => SecurityRule::TYPE,
        () if has("remoteVirtualNetwork") => VirtualNetworkPeering::TYPE,
        () if has("addressPrefix") || has("addressPrefixes") => Subnet::TYPE,
        () => return None,
    };
    Some(kind.to_owned())
}

/// The member of this name, in any letter case, and how the document spells it.
fn member<'v>(map: &'v Map<String, Value>, name: &str) -> Option<(&'v str, &'v Value)> {
    let found = map.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
    found.map(|(key, value)| (key.as_str(), value))
}

fn text<'v>(map: &'v Map<String, Value>, name: &str) -> Option<&'v str> {
    let (_, value) = member(map, name)?;
    value.as_str().filter(|text| !text.trim().is_empty())
}
