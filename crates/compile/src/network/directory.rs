//! From ids to what was compiled, across documents.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use gatewright_arm::model::ChildResource;
use gatewright_arm::model::network::{NetworkSecurityGroup, RouteTable, Subnet};
use gatewright_arm::{Item, ResourceId};
use gatewright_snapshot::{NetworkIndex, RouteTableIndex, SecurityGroupIndex, SubnetIndex};

use crate::codes;
use crate::findings::{Findings, quote};

/// What the names and ids of documents lead to.
#[derive(Default)]
pub(crate) struct Directory {
    pub(crate) networks: HashMap<String, NetworkIndex>,
    pub(crate) subnets: HashMap<String, SubnetIndex>,
    pub(crate) groups: HashMap<String, SecurityGroupIndex>,
    pub(crate) tables: HashMap<String, RouteTableIndex>,
}

impl Directory {
    pub(crate) fn subnet(&self, reference: &str) -> Option<SubnetIndex> {
        find::<Subnet, _>(&self.subnets, reference)
    }

    pub(crate) fn group(&self, reference: &str) -> Option<SecurityGroupIndex> {
        find::<NetworkSecurityGroup, _>(&self.groups, reference)
    }

    pub(crate) fn table(&self, reference: &str) -> Option<RouteTableIndex> {
        find::<RouteTable, _>(&self.tables, reference)
    }
}

fn find<T: ChildResource, I: Copy>(map: &HashMap<String, I>, reference: &str) -> Option<I> {
    if let Some(literal) = template_key(reference) {
        return map.get(&literal).copied();
    }
    // Nearly every id is written as the resource itself writes it, letter case aside.
    let plain = reference.starts_with('/');
    let found = plain.then(|| map.get(&reference.to_ascii_lowercase()));
    if let Some(found) = found.flatten() {
        return Some(*found);
    }
    let id = ResourceId::parse(reference).ok()?;
    let by_id = map.get(&id_key(&id));
    // A resource without an id, as in a template or in the body of a PUT, is known by its name.
    by_id
        .or_else(|| map.get(&name_key(T::TYPE, &names(&id))))
        .copied()
}

/// Under which key a resource is known: its id, or its type and name where it has none.
pub(crate) fn key_of<T: ChildResource>(item: &Item<T>) -> String {
    match id_of(item) {
        Some(id) => id_key(&id),
        None => name_key(T::TYPE, &item.name),
    }
}

pub(crate) fn id_of<T>(item: &Item<T>) -> Option<ResourceId> {
    ResourceId::parse(item.id.as_deref()?).ok()
}

/// The id of a resource in canonical casing, so that peers find each other; empty without one.
pub(crate) fn id_text(id: Option<&str>) -> String {
    let id = id.unwrap_or_default();
    ResourceId::parse(id).map_or_else(|_| id.to_owned(), |id| id.to_string())
}

/// The key of the resource that this one is a child of, and the child's own name.
pub(crate) fn parent_of<T: ChildResource>(item: &Item<T>) -> Option<(String, String)> {
    if let Some(id) = id_of(item) {
        return Some((id_key(&id.parent()?), id.name()?.to_owned()));
    }
    let (parent, name) = item.name.rsplit_once('/')?;
    let (kind, _) = T::TYPE.rsplit_once('/')?;
    Some((name_key(kind, parent), name.to_owned()))
}

/// The key of a child that stands in its parent, without an id of its own.
pub(crate) fn child_key<T: ChildResource>(parent: &str, item: &Item<T>) -> String {
    match id_of(item) {
        Some(id) => id_key(&id),
        None if parent.starts_with('/') => {
            let name = item.name.to_ascii_lowercase();
            format!("{parent}/{}/{name}", T::COLLECTION.to_ascii_lowercase())
        }
        None => {
            let kind = T::TYPE.rsplit_once('/').map_or("", |(kind, _)| kind);
            let names = parent.get(kind.len() + 1..).unwrap_or_default();
            name_key(T::TYPE, &format!("{names}/{}", item.name))
        }
    }
}

/// Ids are equal in any letter case; they begin with a slash, other keys do not.
fn id_key(id: &ResourceId) -> String {
    id.to_string().to_ascii_lowercase()
}

fn name_key(kind: &str, name: &str) -> String {
    format!("{kind}/{name}").to_ascii_lowercase()
}

/// The names in an id: `vnet/subnet`.
fn names(id: &ResourceId) -> String {
    let parent = id.parent().map(|parent| names(&parent));
    let name = id.name().unwrap_or_default();
    match parent {
        Some(parent) => format!("{parent}/{name}"),
        None => name.to_owned(),
    }
}

/// The key that `[resourceId('type', 'name', …)]` leads to, if its arguments are literals. No other
/// expression is understood.
fn template_key(text: &str) -> Option<String> {
    let inner = text.trim().strip_prefix('[')?.strip_suffix(']')?.trim();
    let (function, arguments) = inner.split_once('(')?;
    let arguments = arguments.trim_end().strip_suffix(')')?;
    if !function.trim().eq_ignore_ascii_case("resourceId") {
        return None;
    }
    let literal = |argument: &str| -> Option<String> {
        let inner = argument.trim().strip_prefix('\'')?.strip_suffix('\'')?;
        (!inner.contains('\'')).then(|| inner.to_owned())
    };
    let words: Option<Vec<String>> = arguments.split(',').map(literal).collect();
    let words = words?;
    let (kind, names) = words.split_first()?;
    Some(name_key(kind, &names.join("/")))
}

/// Enters a resource; `false`, with a warning, where an earlier one has its key.
pub(crate) fn enter<I>(
    map: &mut HashMap<String, I>,
    key: String,
    index: I,
    pointer: &str,
    findings: &mut Findings,
) -> bool {
    match map.entry(key) {
        Entry::Vacant(vacant) => {
            vacant.insert(index);
            true
        }
        Entry::Occupied(taken) => {
            let message = format!("{} is given twice; the first counts.", quote(taken.key()));
            findings.warning(codes::W_NETWORK_TWICE, pointer, message, "");
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literal_resource_ids_of_templates_are_understood_and_nothing_else() {
        let key = |text: &str| template_key(text);
        assert_eq!(
            key("[resourceId('Microsoft.Network/virtualNetworks/subnets', 'V', 'a')]").as_deref(),
            Some("microsoft.network/virtualnetworks/subnets/v/a")
        );
        assert_eq!(key("[ ResourceId( 'T' ,'n' ) ]").as_deref(), Some("t/n"));
        for text in [
            "[resourceId('T', parameters('n'))]",
            "[resourceId('T', concat('a', 'b'))]",
            "[parameters('id')]",
            "[resourceId()]",
            "[resourceId('T', 'a''b')]",
            "[",
            "/subscriptions/s",
            "",
        ] {
            assert_eq!(key(text), None, "{text}");
        }
    }

    #[test]
    fn names_of_an_id_go_from_the_outside_in() {
        let id = "/subscriptions/s/resourceGroups/g/providers/N/virtualNetworks/v/subnets/a";
        assert_eq!(names(&ResourceId::parse(id).unwrap()), "v/a");
    }
}
