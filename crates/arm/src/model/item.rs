//! What all parts of a gateway have in common: names, ids, references and their places.

use std::fmt;

use serde_json::{Map, Value};

use super::{Properties, ProvisioningState};
use crate::ids::ResourceId;
use crate::wire::members::Members;
use crate::wire::reader::Reader;
use crate::wire::writer::Writer;
use crate::wire::{WireObject, WireValue, pointer};

/// The full type of the gateway resource.
pub const GATEWAY_TYPE: &str = "Microsoft.Network/applicationGateways";

/// Where a part of a gateway stood in the document that it was read from.
///
/// All sources are equal to each other: a place is no part of what a gateway *is*.
#[derive(Clone, Debug, Default)]
pub struct Source {
    pointer: String,
    members: Vec<(&'static str, String)>,
    has_bag: bool,
}

impl PartialEq for Source {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Source {
    pub(crate) fn new(
        pointer: String,
        members: Vec<(&'static str, String)>,
        has_bag: bool,
    ) -> Self {
        Self {
            pointer,
            members,
            has_bag,
        }
    }

    /// JSON pointer of the part itself; empty for the root or for a part that was not read.
    pub fn pointer(&self) -> &str {
        &self.pointer
    }

    /// JSON pointer of a property, such as `hostName` or `match/statusCodes`: where it stands, or
    /// where it would stand in a document of this shape. Only the first name is looked up.
    pub fn pointer_to(&self, path: &str) -> String {
        let (first, rest) = match path.split_once('/') {
            Some((first, rest)) => (first, Some(rest)),
            None => (path, None),
        };
        let known = self.members.iter().find(|(name, _)| *name == first);
        let mut out = match known {
            Some((_, at)) => at.clone(),
            None if self.has_bag => format!("{}/properties/{first}", self.pointer),
            None => pointer::join(&self.pointer, first),
        };
        if let Some(rest) = rest {
            out.push('/');
            out.push_str(rest);
        }
        out
    }
}

/// A named child of a gateway, such as a listener or a probe.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Item<T> {
    /// Name, unique within its collection in any letter case; empty if the document has none.
    pub name: String,
    /// The id as the document gives it, if it does. It is recomputed when writing.
    pub id: Option<String>,
    /// The version tag as the document gives it; read-only.
    pub etag: Option<String>,
    /// The resource type as the document gives it; read-only.
    pub kind: Option<String>,
    /// State of the last write; read-only, the same in a whole gateway.
    pub provisioning_state: Option<ProvisioningState>,
    /// What the item is made of.
    pub properties: T,
    /// Where the item stands in its document.
    pub source: Source,
}

impl<T> Item<T> {
    /// An item by itself, not read from any document.
    pub fn new(name: impl Into<String>, properties: T) -> Self {
        Self {
            name: name.into(),
            id: None,
            etag: None,
            kind: None,
            provisioning_state: None,
            properties,
            source: Source::default(),
        }
    }

    /// JSON pointer of the item.
    pub fn pointer(&self) -> &str {
        self.source.pointer()
    }

    /// JSON pointer of one of its properties; see [`Source::pointer_to`].
    pub fn pointer_to(&self, path: &str) -> String {
        self.source.pointer_to(path)
    }

    /// Whether `name` names this item: names are equal in any letter case.
    pub fn is_named(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }
}

/// The properties of an [`Item`]: knows the collection that the items live in.
#[allow(private_bounds)]
pub trait ChildResource: WireObject + 'static {
    /// The collection's name in ids and in JSON, such as `httpListeners`.
    const COLLECTION: &'static str;
    /// The full resource type, as the service writes it into each item.
    const TYPE: &'static str;
    /// Whether the service writes `type` before `properties` rather than after.
    #[doc(hidden)]
    const TYPE_FIRST: bool = false;
}

/// A child of the gateway itself, which a [`Reference`] can be resolved to.
pub trait GatewayChild: ChildResource {
    /// The collection in a gateway.
    fn items(properties: &Properties) -> &[Item<Self>];
}

impl<T: ChildResource> WireValue for Item<T> {
    fn read(value: &Value, at: &str, reader: &mut Reader) -> Option<Self> {
        let map = reader.object(value, at)?;
        let mut members = Members::of_resource(map, at, reader);
        let name: Option<String> = members.outer("name", reader);
        let id = members.outer("id", reader);
        let etag = members.outer("etag", reader);
        let kind = members.outer("type", reader);
        let provisioning_state = members.property("provisioningState", reader);
        let properties = T::read_members(&mut members, reader);
        let at = members.pointer().to_owned();
        let (found, has_bag) = members.finish::<T>(&["name", "id", "properties"], reader);
        Some(Self {
            name: name.unwrap_or_default(),
            id,
            etag,
            kind,
            provisioning_state,
            properties,
            source: Source::new(at, found, has_bag),
        })
    }

    fn write(&self, writer: &Writer<'_>) -> Value {
        let id = format!("{}/{}/{}", writer.parent(), T::COLLECTION, self.name);
        let mut bag = Map::new();
        if let Some(state) = writer.state().or(self.provisioning_state) {
            bag.insert("provisioningState".to_owned(), Value::from(state.as_str()));
        }
        self.properties.write_members(&writer.below(&id), &mut bag);

        let mut out = Map::new();
        out.insert("name".to_owned(), Value::from(self.name.as_str()));
        out.insert("id".to_owned(), Value::from(id));
        if let Some(etag) = writer.etag().or(self.etag.as_deref()) {
            out.insert("etag".to_owned(), Value::from(etag));
        }
        if T::TYPE_FIRST {
            out.insert("type".to_owned(), Value::from(T::TYPE));
        }
        out.insert("properties".to_owned(), Value::Object(bag));
        if !T::TYPE_FIRST {
            out.insert("type".to_owned(), Value::from(T::TYPE));
        }
        Value::Object(out)
    }
}

/// A reference to another resource: `{"id": "…"}`, a SubResource in the API's words.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reference {
    /// The id as the document gives it; empty if the object has none.
    pub id: String,
    /// Where the reference stands in its document.
    pub source: Source,
}

impl Reference {
    /// A reference by itself, not read from any document.
    pub fn new(id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            source: Source::default(),
        }
    }

    /// JSON pointer of the reference (of the object, not of its `id`).
    pub fn pointer(&self) -> &str {
        self.source.pointer()
    }

    /// The id, if it is well-formed.
    pub fn resource_id(&self) -> Option<ResourceId> {
        ResourceId::parse(&self.id).ok()
    }

    /// The last segment of the id; the whole text if it has only one.
    pub fn name(&self) -> &str {
        let trimmed = self.id.trim_end_matches('/');
        trimmed.rsplit('/').next().unwrap_or(trimmed)
    }
}

impl WireValue for Reference {
    fn read(value: &Value, at: &str, reader: &mut Reader) -> Option<Self> {
        let body: ReferenceBody = crate::wire::members::read_object(value, at, reader)?;
        let source = Source::new(at.to_owned(), Vec::new(), false);
        Some(Self {
            id: body.id.unwrap_or_default(),
            source,
        })
    }

    fn write(&self, _: &Writer<'_>) -> Value {
        // The service answers with its own casing, whatever casing the client used.
        let id = self
            .resource_id()
            .map_or_else(|| self.id.clone(), |id| id.to_string());
        Value::Object(Map::from_iter([("id".to_owned(), Value::from(id))]))
    }
}

crate::wire::wire_object! {
    /// The JSON form of a reference.
    pub struct ReferenceBody as "SubResource" {
        /// The id.
        id: Option<String> => "id";
    }
}

/// A text that is never shown: not in logs, not in `Debug`, not in answers.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for the one place that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl WireValue for Secret {
    fn read(value: &Value, at: &str, reader: &mut Reader) -> Option<Self> {
        // A wrong type must not be quoted in a message: it may hold the secret all the same.
        match value {
            Value::String(text) => Some(Self(text.clone())),
            Value::Number(number) => Some(Self(number.to_string())),
            Value::Bool(flag) => Some(Self(flag.to_string())),
            _ => {
                reader.wrong_type(value, at, "a string");
                None
            }
        }
    }

    fn write(&self, _: &Writer<'_>) -> Value {
        Value::from(self.0.as_str())
    }
}

/// Declares an object of the wire that is the properties of items in a collection.
macro_rules! wire_items {
    (
        $collection:literal $(in $parent:literal)? $(, $first:ident)?;
        $(#[$meta:meta])* pub struct $name:ident $($rest:tt)*
    ) => {
        crate::wire::wire_object! { $(#[$meta])* pub struct $name $($rest)* }

        impl $crate::model::ChildResource for $name {
            const COLLECTION: &'static str = $collection;
            const TYPE: &'static str = concat!(
                "Microsoft.Network/applicationGateways/", $($parent, "/",)? $collection
            );
            $(const TYPE_FIRST: bool = $crate::model::item::$first;)?
        }
    };
}

/// Marks the collections whose items have `type` before `properties` (recorded from the service).
#[allow(non_upper_case_globals)]
pub(crate) const type_first: bool = true;

pub(crate) use wire_items;
