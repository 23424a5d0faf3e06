//! The members of one JSON object, found by name in any letter case, in any of the shapes.
//!
//! Three shapes of the same resource are met: REST (`properties` holds the properties), the shape
//! that `az … -o json` prints (properties merged with `name` and `id`), and PowerShell's (merged,
//! in PascalCase). A property is looked for in the `properties` object first, then beside it.

use serde_json::{Map, Value};

use super::reader::Reader;
use super::{WireMember, WireObject, pointer};

/// Members that Azure's tools add to any object and that are no part of the API.
const TOOL_MEMBERS: &[&str] = &["resourceGroup", "resourceGroupName"];

/// PowerShell repeats each property as JSON text in a member with this ending.
const POWERSHELL_TEXT: &str = "Text";

struct Entry<'v> {
    name: &'v str,
    value: &'v Value,
    pointer: String,
    in_bag: bool,
    used: bool,
}

/// The members of an object, each used at most once.
pub(crate) struct Members<'v> {
    entries: Vec<Entry<'v>>,
    found: Vec<(&'static str, String)>,
    pointer: String,
    has_bag: bool,
}

impl<'v> Members<'v> {
    /// The members of an object that has no `properties`.
    pub(crate) fn of_object(map: &'v Map<String, Value>, at: &str) -> Self {
        let mut members = Self {
            entries: Vec::new(),
            found: Vec::new(),
            pointer: at.to_owned(),
            has_bag: false,
        };
        members.add(map, at, false);
        members
    }

    /// The members of a resource: those of its `properties`, and those beside it.
    pub(crate) fn of_resource(map: &'v Map<String, Value>, at: &str, reader: &mut Reader) -> Self {
        let mut members = Self::of_object(map, at);
        let bag = members.take("properties", Some(false), reader);
        if let Some((value, at)) = bag
            && let Some(map) = reader.object(value, &at)
        {
            members.has_bag = true;
            members.add(map, &at, true);
        }
        members
    }

    fn add(&mut self, map: &'v Map<String, Value>, at: &str, in_bag: bool) {
        self.entries.extend(map.iter().map(|(name, value)| Entry {
            name,
            value,
            pointer: pointer::join(at, name),
            in_bag,
            used: false,
        }));
    }

    /// A property: in `properties`, or beside it.
    pub(crate) fn property<M: WireMember>(&mut self, name: &'static str, reader: &mut Reader) -> M {
        self.read(name, None, reader)
    }

    /// A member that stands beside `properties` only, as `name` and `id` do.
    pub(crate) fn outer<M: WireMember>(&mut self, name: &'static str, reader: &mut Reader) -> M {
        self.read(name, Some(false), reader)
    }

    fn read<M: WireMember>(
        &mut self,
        name: &'static str,
        in_bag: Option<bool>,
        reader: &mut Reader,
    ) -> M {
        match self.take(name, in_bag, reader) {
            Some((value, at)) => M::read_member(value, &at, reader),
            None => M::default(),
        }
    }

    /// The last member of this name (the one in `properties` before the one beside it), as the
    /// service takes the last. A null counts as absent.
    fn take(
        &mut self,
        name: &'static str,
        in_bag: Option<bool>,
        reader: &mut Reader,
    ) -> Option<(&'v Value, String)> {
        let mut chosen: Option<(&'v Value, String)> = None;
        for entry in &mut self.entries {
            if in_bag.is_some_and(|b| b != entry.in_bag) || !entry.name.eq_ignore_ascii_case(name) {
                continue;
            }
            entry.used = true;
            if entry.value.is_null() && chosen.is_some() {
                continue;
            }
            if let Some((value, at)) = &chosen
                && !value.is_null()
            {
                reader.duplicate(at, &entry.pointer);
            }
            chosen = Some((entry.value, entry.pointer.clone()));
        }
        let (value, at) = chosen?;
        self.found.push((name, at.clone()));
        (!value.is_null()).then_some((value, at))
    }

    /// Reports the members that nothing asked for; returns where those that were found are.
    pub(crate) fn finish<T: WireObject>(
        self,
        also_known: &[&'static str],
        reader: &mut Reader,
    ) -> (Vec<(&'static str, String)>, bool) {
        let open = T::DROPPED.contains(&"*");
        for entry in self.entries.iter().filter(|e| !e.used && !open) {
            let is = |known: &&&str| known.eq_ignore_ascii_case(entry.name);
            let known = T::DROPPED.iter().chain(TOOL_MEMBERS).any(|n| is(&n));
            if !known && !is_powershell_text(entry, T::MEMBERS, T::DROPPED) {
                let candidates = T::MEMBERS.iter().chain(also_known).copied();
                reader.unknown_member(entry.name, &entry.pointer, T::TYPE_NAME, candidates);
            }
        }
        (self.found, self.has_bag)
    }

    /// Whether any of these members was found.
    pub(crate) fn has_any(&self, names: &[&str]) -> bool {
        self.found.iter().any(|(name, _)| names.contains(name))
    }

    /// Accepts members that stand beside `properties` and says nothing about them.
    pub(crate) fn ignore(&mut self, names: &[&str]) {
        for entry in self.entries.iter_mut().filter(|e| !e.in_bag) {
            entry.used |= names
                .iter()
                .any(|name| name.eq_ignore_ascii_case(entry.name));
        }
    }

    /// Takes members away that stand beside `properties`, whatever they hold.
    pub(crate) fn discard(&mut self, names: &[&str]) {
        let is_named = |entry: &Entry<'_>| {
            let mut names = names.iter();
            names.any(|name| name.eq_ignore_ascii_case(entry.name))
        };
        self.entries
            .retain(|entry| entry.in_bag || !is_named(entry));
    }

    /// The pointer of the object itself.
    pub(crate) fn pointer(&self) -> &str {
        &self.pointer
    }
}

fn is_powershell_text(entry: &Entry<'_>, members: &[&str], dropped: &[&str]) -> bool {
    let Some(stem) = entry.name.strip_suffix(POWERSHELL_TEXT) else {
        return false;
    };
    let is_text = entry.value.is_string() || entry.value.is_null();
    let singular = |name: &&str| {
        name.eq_ignore_ascii_case(stem)
            || name
                .strip_suffix('s')
                .is_some_and(|n| n.eq_ignore_ascii_case(stem))
    };
    is_text && members.iter().chain(dropped).any(singular)
}

/// Reads an object without `properties`.
pub(crate) fn read_object<T: WireObject>(
    value: &Value,
    at: &str,
    reader: &mut Reader,
) -> Option<T> {
    let map = reader.object(value, at)?;
    let mut members = Members::of_object(map, at);
    let object = T::read_members(&mut members, reader);
    members.finish::<T>(&[], reader);
    Some(object)
}
