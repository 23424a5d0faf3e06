//! What is never written: secrets, by the names of their members, and by their shapes wherever
//! they stand.
//!
//! Rather too much than too little goes: what is removed is named, so nobody wonders. Certificates
//! are public and stay, where they are certificates in truth.

mod names;
mod shapes;

use std::sync::LazyLock;

use serde_json::{Map, Value};

use crate::sentence::Sentence;

use names::{is_secret, is_secret_header};
use shapes::{Shapes, is_certificate};

/// What stands in place of a secret that was taken out of a text.
const REMOVED: &str = "(removed)";

/// Deepest nesting of JSON in texts of JSON that is looked into; deeper ones go whole.
const EMBEDDED_DEPTH_MAX: usize = 4;

/// Most places that are named.
const PLACES_MAX: usize = 1_000;

/// Collections of a gateway whose `data` are certificates without keys.
const PUBLIC: [&str; 3] = [
    "trustedRootCertificates",
    "authenticationCertificates",
    "trustedClientCertificates",
];

/// Takes secrets out of documents and texts.
#[derive(Debug)]
pub(crate) struct Cleaner {
    /// The same of all: making the patterns takes milliseconds.
    shapes: &'static Shapes,
}

/// Where in a document the cleaner is.
#[derive(Clone, Copy)]
struct Within {
    /// Below a collection of certificates without keys.
    is_public: bool,
    /// In how many texts of JSON.
    embedded: usize,
}

impl Cleaner {
    /// # Errors
    /// When its patterns cannot be made; then nothing may be written.
    pub(crate) fn new() -> Result<Self, Sentence> {
        static SHAPES: LazyLock<Result<Shapes, regex::Error>> = LazyLock::new(Shapes::new);
        let shapes = SHAPES.as_ref();
        let shapes = shapes.map_err(|error| Sentence::new(error.to_string()))?;
        Ok(Self { shapes })
    }

    /// Takes all secrets out of a document; the JSON pointers of where they were.
    pub(crate) fn clean(&self, document: &mut Value) -> Vec<String> {
        let mut removed = Vec::new();
        let within = Within {
            is_public: false,
            embedded: 0,
        };
        self.value(document, "", within, &mut removed);
        removed
    }

    /// The text without secrets.
    pub(crate) fn text(&self, text: &str) -> String {
        let cleaned = self.shapes.cleaned(text);
        cleaned.unwrap_or_else(|| text.to_owned())
    }

    fn value(&self, value: &mut Value, pointer: &str, within: Within, removed: &mut Vec<String>) {
        match value {
            Value::Object(map) => self.object(map, pointer, within, removed),
            Value::Array(list) => {
                for (index, one) in list.iter_mut().enumerate() {
                    self.value(one, &format!("{pointer}/{index}"), within, removed);
                }
            }
            Value::String(text) => {
                if let Some(cleaned) = self.string(text, within.embedded) {
                    *text = cleaned;
                    note(removed, pointer.to_owned());
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn object(
        &self,
        map: &mut Map<String, Value>,
        pointer: &str,
        within: Within,
        removed: &mut Vec<String>,
    ) {
        map.retain(|name, value| {
            let is_certificate = within.is_public
                && name.eq_ignore_ascii_case("data")
                && value.as_str().is_some_and(is_certificate);
            let stays = is_certificate || !is_secret(name, value);
            if !stays {
                note(removed, below(pointer, name));
            }
            stays
        });
        let holds_secret = names_a_secret(map);
        for (name, value) in map.iter_mut() {
            let own = below(pointer, name);
            let is_value = ["value", "headerValue"].iter();
            if holds_secret && { is_value }.any(|known| name.eq_ignore_ascii_case(known)) {
                if value.as_str() != Some("") && !value.is_null() {
                    *value = REMOVED.into();
                    note(removed, own);
                }
                continue;
            }
            let is_public = within.is_public
                || PUBLIC
                    .iter()
                    .any(|public| name.eq_ignore_ascii_case(public));
            let within = Within {
                is_public,
                ..within
            };
            self.value(value, &own, within, removed);
        }
    }

    /// The text without secrets; `None` where it has none.
    fn string(&self, text: &str, embedded: usize) -> Option<String> {
        let begins = text.trim_start().starts_with(['{', '[']);
        let document = match begins {
            true => serde_json::from_str::<Value>(text).ok(),
            false => None,
        };
        let Some(mut document) = document else {
            return self.shapes.cleaned(text);
        };
        if embedded == EMBEDDED_DEPTH_MAX {
            return Some(REMOVED.to_owned());
        }
        let mut removed = Vec::new();
        let within = Within {
            is_public: false,
            embedded: embedded + 1,
        };
        self.value(&mut document, "", within, &mut removed);
        (!removed.is_empty()).then(|| document.to_string())
    }
}

/// Whether it is a pair of a name and a value, such as a header's, and the name is a secret's.
fn names_a_secret(map: &Map<String, Value>) -> bool {
    let names = ["name", "headerName", "key"];
    let mut members = map.iter();
    members.any(|(member, value)| {
        names.iter().any(|name| member.eq_ignore_ascii_case(name))
            && value.as_str().is_some_and(is_secret_header)
    })
}

fn note(removed: &mut Vec<String>, pointer: String) {
    if removed.len() < PLACES_MAX {
        removed.push(pointer);
    }
}

fn below(pointer: &str, name: &str) -> String {
    let name = name.replace('~', "~0").replace('/', "~1");
    format!("{pointer}/{name}")
}

#[cfg(test)]
#[path = "secrets_tests.rs"]
mod tests;
