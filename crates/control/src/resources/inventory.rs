//! What is known of every resource without reading it: where it is, and who uses it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::IpAddr;
use std::sync::{PoisonError, RwLock};

use gatewright_arm::ResourceId;
use gatewright_store::Revision;
use serde_json::{Map, Value, json};

use crate::clock;
use crate::resources::document::Document;
use crate::resources::records::is_record;
use crate::resources::references::{self, Hold, Use};

/// One resource.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) id: ResourceId,
    /// As `/resources` lists it.
    pub(crate) summary: Map<String, Value>,
    pub(crate) state: String,
    revision: Revision,
    uses: Vec<Use>,
    holds: Vec<Hold>,
    items: HashSet<String>,
}

/// All resources, by id. It follows the store: whoever commits a change tells it, and the revision.
#[derive(Debug, Default)]
pub(crate) struct Inventory(RwLock<Tables>);

#[derive(Debug, Default)]
struct Tables {
    /// By id in lower case, so that a group's resources are neighbours.
    known: BTreeMap<String, Known>,
    /// Who refers to an id: pairs of the resource's and the item's id.
    users: HashMap<String, HashSet<(String, String)>>,
    /// Who has an address in a subnet, or a public one: the resource's and the item's id.
    holders: HashMap<String, HashMap<IpAddr, (String, String)>>,
}

impl Inventory {
    /// Takes note of a resource as it was stored.
    pub(crate) fn put(&self, document: &Document) {
        let key = lower(&document.id);
        let known = Known::of(document);
        let mut tables = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let before = tables.known.get(&key);
        if before.is_some_and(|before| before.revision > known.revision) {
            return;
        }
        tables.forget(&key);
        for one in &known.uses {
            let users = tables.users.entry(one.target.clone()).or_default();
            users.insert((key.clone(), one.user.clone()));
        }
        for one in &known.holds {
            let held = tables.holders.entry(one.place.clone()).or_default();
            held.insert(one.address, (key.clone(), one.user.clone()));
        }
        tables.known.insert(key, known);
    }

    /// Takes note of a resource in which an operation's end has changed states alone since the step
    /// `before`: it refers to what it referred to.
    pub(crate) fn put_end(&self, document: &Document, before: Revision) {
        let mut tables = self.0.write().unwrap_or_else(PoisonError::into_inner);
        match tables.known.get_mut(&lower(&document.id)) {
            Some(known) if known.revision == before => known.outline(document),
            _ => {
                drop(tables);
                self.put(document);
            }
        }
    }

    pub(crate) fn remove(&self, id: &ResourceId) {
        let mut tables = self.0.write().unwrap_or_else(PoisonError::into_inner);
        tables.forget(&lower(id));
    }

    pub(crate) fn find(&self, id: &ResourceId) -> Option<Known> {
        self.read().known.get(&lower(id)).cloned()
    }

    /// Whether there is such a resource, or such an item of one, that is not about to go.
    pub(crate) fn contains_item(&self, id: &str) -> bool {
        let id = id.to_ascii_lowercase();
        let tables = self.read();
        // The resource that an item belongs to is the nearest before it.
        let mut before = tables.known.range(..=id.clone()).rev();
        let owner = before.find(|(key, _)| {
            id.strip_prefix(key.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        });
        owner.is_some_and(|(key, known)| {
            known.state != "Deleting" && (*key == id || known.items.contains(&id))
        })
    }

    /// Everything whose id begins with `scope`, in the order of their ids; the scope itself too.
    pub(crate) fn within(&self, scope: &str) -> Vec<Known> {
        let scope = scope.trim_end_matches('/').to_ascii_lowercase();
        let tables = self.read();
        let from = tables.known.range(scope.clone()..);
        from.take_while(|(key, _)| key.starts_with(&scope))
            .filter(|(key, _)| {
                let rest = key.get(scope.len()..).unwrap_or_default();
                rest.is_empty() || rest.starts_with('/')
            })
            .map(|(_, known)| known.clone())
            .collect()
    }

    /// Everything of this type, in the order of their ids.
    pub(crate) fn of_type(&self, kind: &str) -> Vec<Known> {
        let is = |known: &&Known| known.id.resource_type().eq_ignore_ascii_case(kind);
        self.read().known.values().filter(is).cloned().collect()
    }

    /// The ids of the resources, or items of them, that refer to `id`; sorted.
    pub(crate) fn users(&self, id: &str) -> Vec<String> {
        let tables = self.read();
        let users = tables.users.get(&id.to_ascii_lowercase());
        let mut ids: Vec<String> = users
            .into_iter()
            .flatten()
            .map(|(_, item)| item.clone())
            .collect();
        ids.sort_unstable();
        ids
    }

    /// The users of `id` that are of this type.
    pub(crate) fn users_of_type(&self, id: &str, kind: &str) -> Vec<String> {
        let mut users = self.users(id);
        users.retain(|user| {
            ResourceId::parse(user).is_ok_and(|id| id.resource_type().eq_ignore_ascii_case(kind))
        });
        users
    }

    /// The addresses of a subnet, or the public ones, that others than the resource `own` have,
    /// with the id of the item that has each.
    pub(crate) fn held(&self, place: &str, own: Option<&ResourceId>) -> HashMap<IpAddr, String> {
        let own = own.map(lower);
        let tables = self.read();
        let held = tables.holders.get(&place.to_ascii_lowercase());
        held.into_iter()
            .flatten()
            .filter(|(_, (key, _))| Some(key) != own.as_ref())
            .map(|(address, (_, user))| (*address, user.clone()))
            .collect()
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Tables> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tables {
    fn forget(&mut self, key: &str) {
        let Some(known) = self.known.remove(key) else {
            return;
        };
        for one in known.uses {
            if let Some(users) = self.users.get_mut(&one.target) {
                users.remove(&(key.to_owned(), one.user));
                if users.is_empty() {
                    self.users.remove(&one.target);
                }
            }
        }
        for one in known.holds {
            if let Some(held) = self.holders.get_mut(&one.place) {
                held.remove(&one.address);
                if held.is_empty() {
                    self.holders.remove(&one.place);
                }
            }
        }
    }
}

impl Known {
    fn of(document: &Document) -> Self {
        let Document { id, body, .. } = document;
        let empty = Value::Null;
        // What a record mentions, it does not use.
        let (body, notes) = match is_record(&id.resource_type()) {
            true => (&empty, &empty),
            false => (&**body, &document.notes),
        };
        let mut known = Self {
            uses: references::collect(id, body),
            holds: references::holds(id, body, notes),
            items: references::items(body),
            id: id.clone(),
            summary: Map::new(),
            state: String::new(),
            revision: document.revision,
        };
        known.outline(document);
        known
    }

    /// What is not computed from the depth of its body.
    fn outline(&mut self, document: &Document) {
        let Document { id, body, .. } = document;
        let mut summary = Map::new();
        summary.insert("id".to_owned(), json!(id.to_string()));
        summary.insert("name".to_owned(), json!(id.name().unwrap_or_default()));
        summary.insert("type".to_owned(), json!(id.resource_type()));
        for member in ["sku", "kind", "location", "tags", "zones", "identity"] {
            if let Some(value) = body.get(member) {
                summary.insert(member.to_owned(), value.clone());
            }
        }
        let times = [
            ("createdTime", document.created),
            ("changedTime", document.changed),
        ];
        for (name, time) in times {
            summary.insert(name.to_owned(), json!(clock::precise(time)));
        }
        self.state = document.state().unwrap_or("Succeeded").to_owned();
        summary.insert("provisioningState".to_owned(), json!(self.state));
        self.summary = summary;
        self.revision = document.revision;
    }
}

fn lower(id: &ResourceId) -> String {
    id.to_string().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NET: &str = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network";

    fn document(path: &str, revision: u64, subnet: Option<&str>) -> Document {
        let id = ResourceId::parse(&format!("{NET}/{path}")).unwrap();
        let mut body = json!({"id": id.to_string(), "location": "local"});
        if let Some(subnet) = subnet {
            body["properties"] = json!({"subnet": {"id": format!("{NET}/{subnet}")}});
        }
        Document {
            revision: Revision(revision),
            ..Document::new(id, body)
        }
    }

    #[test]
    fn users_come_and_go_with_the_resources() {
        let inventory = Inventory::default();
        let subnet = "virtualNetworks/v/subnets/n";
        let gateway = document("applicationGateways/a", 2, Some(subnet));
        inventory.put(&gateway);
        let target = format!("{NET}/VIRTUALNETWORKS/V/subnets/n");
        let expected = [format!("{NET}/applicationGateways/a")];
        assert_eq!(inventory.users(&target), expected);
        let kind = "Microsoft.Network/applicationGateways";
        assert_eq!(inventory.users_of_type(&target, kind), expected);
        inventory.put(&document("applicationGateways/a", 1, None));
        assert_eq!(
            inventory.users(&target),
            expected,
            "an older state came late"
        );
        inventory.put(&document("applicationGateways/a", 3, None));
        assert!(inventory.users(&target).is_empty());
        inventory.put(&document("applicationGateways/a", 4, Some(subnet)));
        inventory.remove(&gateway.id);
        assert!(inventory.users(&target).is_empty());
    }

    #[test]
    fn an_end_changes_the_state_alone() {
        let inventory = Inventory::default();
        let mut gateway = document(
            "applicationGateways/a",
            2,
            Some("virtualNetworks/v/subnets/n"),
        );
        inventory.put(&gateway);
        let users = || {
            inventory
                .users(&format!("{NET}/virtualNetworks/v/subnets/n"))
                .len()
        };
        gateway.edit()["properties"]["provisioningState"] = json!("Failed");
        gateway.revision = Revision(3);
        inventory.put_end(&gateway, Revision(2));
        let known = inventory.find(&gateway.id).unwrap();
        assert_eq!((known.state.as_str(), users()), ("Failed", 1));
        assert_eq!(known.summary["provisioningState"], "Failed");
        // What is known is older than the step before: all of it is looked at.
        let later = document("applicationGateways/a", 9, None);
        inventory.put_end(&later, Revision(8));
        assert_eq!(users(), 0);
    }

    #[test]
    fn a_type_is_told_in_any_case_and_without_its_neighbours() {
        let inventory = Inventory::default();
        let network = document("virtualNetworks/v", 1, None);
        inventory.put(&network);
        inventory.put(&document("applicationGateways/a", 2, None));
        let found = inventory.of_type("microsoft.network/VIRTUALNETWORKS");
        let ids: Vec<ResourceId> = found.into_iter().map(|known| known.id).collect();
        assert_eq!(ids, [network.id]);
        assert!(
            inventory
                .of_type("Microsoft.Network/routeTables")
                .is_empty()
        );
    }

    #[test]
    fn a_scope_holds_what_is_below_it_and_not_its_namesakes() {
        let inventory = Inventory::default();
        inventory.put(&document("virtualNetworks/v", 1, None));
        inventory.put(&document("virtualNetworks/vv", 2, None));
        let ids = |scope: &str| inventory.within(scope).len();
        assert_eq!(ids(&format!("{NET}/virtualNetworks/V/")), 1);
        assert_eq!(ids("/subscriptions/s"), 2);
        assert_eq!(ids("/subscriptions/other"), 0);
    }
}
