//! How a typed object meets JSON: one declarative list of members per object.
//!
//! `wire_object!` takes that list once and derives from it the struct, its reader, its writer and
//! the names that are known. Nothing else in the crate spells a property name for reading or
//! writing, so a property cannot be read and then forgotten when it is written.

pub(crate) mod members;
pub(crate) mod pointer;
pub(crate) mod reader;
pub(crate) mod values;
pub(crate) mod writer;

use serde_json::{Map, Value};

use members::Members;
use reader::Reader;
use writer::{Edition, Writer};

/// A JSON value that stands for `Self`.
pub(crate) trait WireValue: Sized {
    /// Reads the value at `pointer`; a value of the wrong type is reported and gives `None`.
    fn read(value: &Value, pointer: &str, reader: &mut Reader) -> Option<Self>;
    fn write(&self, writer: &Writer<'_>) -> Value;
}

/// A member of an object, which may be absent.
pub(crate) trait WireMember: Default {
    fn read_member(value: &Value, pointer: &str, reader: &mut Reader) -> Self;
    /// `None` where the member is unset: the service emits `null` for one member alone.
    fn write_member(&self, writer: &Writer<'_>) -> Option<Value>;
    /// What an unset member looks like when the service emits it all the same.
    fn empty() -> Value;
}

/// An object with a fixed list of members.
pub(crate) trait WireObject: Sized + Default {
    /// The service's name of the type, as its error messages spell it.
    const TYPE_NAME: &'static str;
    const MEMBERS: &'static [&'static str];
    /// Members that are accepted and dropped because they are recomputed; `*` drops all others.
    const DROPPED: &'static [&'static str];
    fn read_members(members: &mut Members<'_>, reader: &mut Reader) -> Self;
    fn write_members(&self, writer: &Writer<'_>, out: &mut Map<String, Value>);
}

/// When a member is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Presence {
    /// Only when it has a value.
    IfSet,
    /// Also when it is an empty collection.
    Always,
    /// As `Always` on the first generation (Standard, WAF); as `IfSet` elsewhere.
    AlwaysV1,
    /// As `Always` on the second generation, Basic included; as `IfSet` on the first.
    AlwaysSinceV2,
    /// As `Always` on the second generation; as `IfSet` on the first, and on Basic.
    AlwaysV2,
    /// On the second generation also as `null`; as `IfSet` elsewhere.
    OrNullV2,
    /// Only when the caller asked for secrets.
    Secret,
}

impl Presence {
    /// Puts the member into `out` if it is due.
    pub(crate) fn emit<M: WireMember>(
        self,
        name: &str,
        member: &M,
        writer: &Writer<'_>,
        out: &mut Map<String, Value>,
    ) {
        let edition = writer.edition();
        let otherwise = match self {
            Self::IfSet => None,
            Self::Always => Some(M::empty()),
            Self::AlwaysV1 => (edition == Edition::V1).then(M::empty),
            Self::AlwaysSinceV2 => (edition != Edition::V1).then(M::empty),
            Self::AlwaysV2 => (edition == Edition::V2).then(M::empty),
            Self::OrNullV2 => (edition == Edition::V2).then_some(Value::Null),
            Self::Secret if writer.secrets() => None,
            Self::Secret => return,
        };
        if let Some(value) = member.write_member(writer).or(otherwise) {
            out.insert(name.to_owned(), value);
        }
    }
}

/// Declares an object of the wire: `field: Type => "memberName"[, Presence];`, in the service's
/// order, with the names that are accepted and dropped after it.
macro_rules! wire_object {
    (
        $(#[$meta:meta])*
        pub struct $name:ident as $type_name:literal {
            $(
                $(#[$field_meta:meta])*
                $field:ident: $ty:ty => $member:literal $(, $presence:ident)?;
            )*
        }
        $(dropped [$($dropped:literal),* $(,)?])?
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct $name {
            $( $(#[$field_meta])* pub $field: $ty, )*
        }

        impl $crate::wire::WireObject for $name {
            const TYPE_NAME: &'static str = $type_name;
            const MEMBERS: &'static [&'static str] = &[$($member),*];
            const DROPPED: &'static [&'static str] = &[$($($dropped),*)?];

            fn read_members(
                members: &mut $crate::wire::members::Members<'_>,
                reader: &mut $crate::wire::reader::Reader,
            ) -> Self {
                Self { $( $field: members.property($member, reader), )* }
            }

            fn write_members(
                &self,
                writer: &$crate::wire::writer::Writer<'_>,
                out: &mut serde_json::Map<String, serde_json::Value>,
            ) {
                $(
                    #[allow(unused_variables)]
                    let presence = $crate::wire::Presence::IfSet;
                    $(let presence = $crate::wire::Presence::$presence;)?
                    presence.emit($member, &self.$field, writer, out);
                )*
            }
        }
    };
}

/// As `wire_object!`, for an object that stands by itself (not the properties of an [`Item`]).
macro_rules! wire_value_object {
    ($(#[$meta:meta])* pub struct $name:ident $($rest:tt)*) => {
        $crate::wire::wire_object! { $(#[$meta])* pub struct $name $($rest)* }

        impl $crate::wire::WireValue for $name {
            fn read(
                value: &serde_json::Value,
                pointer: &str,
                reader: &mut $crate::wire::reader::Reader,
            ) -> Option<Self> {
                $crate::wire::members::read_object(value, pointer, reader)
            }

            fn write(&self, writer: &$crate::wire::writer::Writer<'_>) -> serde_json::Value {
                let mut out = serde_json::Map::new();
                $crate::wire::WireObject::write_members(self, writer, &mut out);
                serde_json::Value::Object(out)
            }
        }
    };
}

/// Declares a closed enumeration with the one table of its canonical spellings.
macro_rules! wire_enum {
    (
        $(#[$meta:meta])*
        pub enum $name:ident {
            $( $(#[$variant_meta:meta])* $variant:ident = $text:literal ),* $(,)?
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum $name { $( $(#[$variant_meta])* #[doc = concat!("`", $text, "`")] $variant, )* }

        impl $name {
            /// Every value, in the order of the service's own list.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The canonical spelling.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }

            /// The value with this spelling in any letter case; `None` for any other text.
            pub fn from_text(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|v| v.as_str().eq_ignore_ascii_case(text))
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl $crate::wire::WireValue for $name {
            fn read(
                value: &serde_json::Value,
                pointer: &str,
                reader: &mut $crate::wire::reader::Reader,
            ) -> Option<Self> {
                let allowed = Self::ALL.iter().map(|v| v.as_str());
                reader.enumerated(value, pointer, allowed, Self::from_text)
            }

            fn write(&self, _: &$crate::wire::writer::Writer<'_>) -> serde_json::Value {
                serde_json::Value::from(self.as_str())
            }
        }
    };
}

pub(crate) use {wire_enum, wire_object, wire_value_object};
