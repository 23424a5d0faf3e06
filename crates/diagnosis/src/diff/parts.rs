//! Which part of the new configuration is which of the old one, and what is different of it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::form::{Leaf, Part, Value, part_key};
use super::{Change, MemberChange, PartChange};

/// The parts of both, paired by kind and name, and by what they are where the name is new.
pub(super) struct Pairs<'a> {
    old: &'a [Part],
    new: &'a [Part],
    /// From the key of an old part to that of the new one, where they differ.
    renamed: HashMap<&'a str, &'a str>,
    old_by_key: HashMap<&'a str, &'a Part>,
    new_by_key: HashMap<&'a str, &'a Part>,
}

impl<'a> Pairs<'a> {
    pub(super) fn new(old: &'a [Part], new: &'a [Part]) -> Self {
        let by_key = |parts: &'a [Part]| parts.iter().map(|one| (one.key.as_str(), one)).collect();
        let mut pairs = Self {
            old,
            new,
            renamed: HashMap::new(),
            old_by_key: by_key(old),
            new_by_key: by_key(new),
        };
        // One that refers to another that was renamed is the same only once that is known.
        while pairs.find_renamed() {}
        pairs
    }

    /// The name in the new configuration of what the old one calls `name`; its own where it is
    /// gone.
    pub(super) fn now_called(&self, collection: &str, name: &str) -> String {
        let key = part_key(collection, name);
        let part = self.new_by_key.get(self.mapped(&key).as_str());
        part.map_or_else(|| name.to_owned(), |part| part.name.clone())
    }

    /// The old and the new part of a name in the new configuration.
    pub(super) fn pair(&self, collection: &str, name: &str) -> Option<(&'a Part, &'a Part)> {
        let key = part_key(collection, name);
        let new = self.new_by_key.get(key.as_str())?;
        let mut renamed = self.renamed.iter();
        let was = renamed.find(|(_, now)| **now == key).map(|(was, _)| *was);
        Some((self.old_by_key.get(was.unwrap_or(&key))?, new))
    }

    pub(super) fn changes(&self) -> Vec<PartChange> {
        let mut found: BTreeMap<(usize, String, &str), PartChange> = BTreeMap::new();
        let mut taken = HashSet::new();
        for was in self.old {
            let now = self.now(was);
            let change = match now {
                Some(now) => {
                    taken.insert(now.key.as_str());
                    self.changed(was, now)
                }
                None => Some(change(was, Change::Removed, Vec::new())),
            };
            let at = now.unwrap_or(was);
            let place = |change| ((at.rank, at.name.to_lowercase(), was.key.as_str()), change);
            found.extend(change.map(place));
        }
        for now in self
            .new
            .iter()
            .filter(|now| !taken.contains(now.key.as_str()))
        {
            let members = self.members(&BTreeMap::new(), &now.leaves);
            let place = (now.rank, now.name.to_lowercase(), now.key.as_str());
            found.insert(place, change(now, Change::Added, members));
        }
        found.into_values().collect()
    }

    /// The new part that an old one is.
    fn now(&self, was: &Part) -> Option<&'a Part> {
        let key = self.mapped(&was.key);
        self.new_by_key.get(key.as_str()).copied()
    }

    /// A key of the old configuration as the new one has it; a path rule goes with its map.
    fn mapped(&self, key: &str) -> String {
        if let Some(now) = self.renamed.get(key) {
            return (*now).to_owned();
        }
        let parent = self
            .old_by_key
            .get(key)
            .and_then(|part| part.parent.as_deref());
        let now = parent.and_then(|parent| Some((parent, self.renamed.get(parent)?)));
        let moved = now.and_then(|(parent, now)| {
            let own = key.strip_prefix("@pathrules/")?;
            let own = own.strip_prefix(parent.strip_prefix("@urlpathmaps/")?)?;
            Some(format!(
                "@pathrules/{}{own}",
                now.strip_prefix("@urlpathmaps/")?
            ))
        });
        moved.unwrap_or_else(|| key.to_owned())
    }

    /// Whether more was found. Parts that are alike are told apart by nothing, and are not paired.
    fn find_renamed(&mut self) -> bool {
        let was_found: HashSet<&str> = self.renamed.values().copied().collect();
        let mut gone: HashMap<String, Vec<&'a str>> = HashMap::new();
        let old_keys: HashSet<String> = self.old.iter().map(|one| self.mapped(&one.key)).collect();
        for was in self.old.iter().filter(|was| self.now(was).is_none()) {
            gone.entry(self.print(was, true))
                .or_default()
                .push(&was.key);
        }
        let mut come: HashMap<String, Vec<&'a str>> = HashMap::new();
        for now in self.new {
            if !old_keys.contains(&now.key) && !was_found.contains(now.key.as_str()) {
                come.entry(self.print(now, false))
                    .or_default()
                    .push(&now.key);
            }
        }
        let mut more = Vec::new();
        for (print, was) in &gone {
            if let ([was], Some([now])) = (was.as_slice(), come.get(print).map(Vec::as_slice)) {
                more.push((*was, *now));
            }
        }
        let is_more = !more.is_empty();
        self.renamed.extend(more);
        is_more
    }

    /// All that a part is but for its name.
    fn print(&self, part: &Part, is_old: bool) -> String {
        let key = |value: &Value| match is_old {
            true => self.mapped(&value.key),
            false => value.key.clone(),
        };
        let parent = part.parent.as_deref().map(|parent| match is_old {
            true => self.mapped(parent),
            false => parent.to_owned(),
        });
        let mut print = vec![part.kind().to_owned(), parent.unwrap_or_default()];
        for (path, leaf) in &part.leaves {
            print.push(path.clone());
            match leaf {
                Leaf::One(one) | Leaf::IfBoth(one) => print.push(key(one)),
                Leaf::Many(list) => {
                    let mut keys: Vec<String> = list.iter().map(key).collect();
                    keys.sort();
                    print.extend(keys);
                }
                Leaf::Order(list) => print.extend(list.iter().map(key)),
                Leaf::Hidden(text) => print.push(text.clone()),
            }
        }
        print.join("\u{0}")
    }

    fn changed(&self, was: &Part, now: &Part) -> Option<PartChange> {
        let mut members = self.members(&was.leaves, &now.leaves);
        let is_called = |one: &Part| one.name.to_lowercase();
        // The gateway is the same whatever it is called; that it is called otherwise is told.
        let is_renamed = self.renamed.contains_key(was.key.as_str());
        if now.rank == 0 && is_called(was) != is_called(now) {
            members.push(MemberChange {
                member: "name".to_owned(),
                old: Some(was.name.clone()),
                new: Some(now.name.clone()),
                ..MemberChange::default()
            });
        }
        match (is_renamed, members.is_empty()) {
            (false, true) => None,
            (true, _) => Some(PartChange {
                was: Some(was.name.clone()),
                ..change(now, Change::Renamed, members)
            }),
            (false, false) => Some(change(now, Change::Changed, members)),
        }
    }

    fn members(
        &self,
        was: &BTreeMap<String, Leaf>,
        now: &BTreeMap<String, Leaf>,
    ) -> Vec<MemberChange> {
        let paths: BTreeSet<&String> = was.keys().chain(now.keys()).collect();
        let paths = paths.into_iter();
        paths
            .filter_map(|path| {
                let mut change = self.leaf(was.get(path), now.get(path))?;
                change.member = path.clone();
                Some(change)
            })
            .collect()
    }

    /// The change of a member, without its name; `None` where it is the same.
    fn leaf(&self, was: Option<&Leaf>, now: Option<&Leaf>) -> Option<MemberChange> {
        let mut change = MemberChange::default();
        let list = |leaf: Option<&Leaf>| match leaf {
            Some(Leaf::Many(list)) => list.clone(),
            _ => Vec::new(),
        };
        match (was, now) {
            (Some(Leaf::Many(_)), Some(Leaf::Many(_)) | None) | (None, Some(Leaf::Many(_))) => {
                let (was, now) = (self.all_mapped(&list(was)), list(now));
                change.removed = without(&was, &now);
                change.added = without(&now, &was);
                (!change.removed.is_empty() || !change.added.is_empty()).then_some(change)
            }
            (Some(Leaf::Order(was)), Some(Leaf::Order(now))) => {
                let was = self.all_mapped(was);
                let common = |one: &[Value], other: &[Value]| -> Vec<String> {
                    let keys: HashSet<&str> = other.iter().map(|one| one.key.as_str()).collect();
                    let kept = one.iter().filter(|one| keys.contains(one.key.as_str()));
                    kept.map(|one| one.shown.clone()).collect()
                };
                let (was, now) = (common(&was, now), common(now, &was));
                let is_same = was
                    .iter()
                    .map(|one| one.to_lowercase())
                    .eq(now.iter().map(|one| one.to_lowercase()));
                (change.old, change.new) = (Some(was.join(", ")), Some(now.join(", ")));
                (!is_same).then_some(change)
            }
            // What is left away may be there all the same.
            (None, Some(Leaf::Order(_) | Leaf::IfBoth(_) | Leaf::Hidden(_)))
            | (Some(Leaf::Order(_) | Leaf::IfBoth(_) | Leaf::Hidden(_)), None) => None,
            (was, now) => {
                let texts = |leaf: Option<&Leaf>, is_old: bool| {
                    leaf.map(|leaf| match leaf {
                        Leaf::One(one) if is_old => (self.mapped(&one.key), one.shown.clone()),
                        leaf => leaf.texts(),
                    })
                };
                let (was, now) = (texts(was, true), texts(now, false));
                let key = |one: &Option<(String, String)>| one.as_ref().map(|one| one.0.clone());
                if key(&was) == key(&now) {
                    return None;
                }
                let ids = (id_in(was.as_ref()), id_in(now.as_ref()));
                (change.old, change.new) = (was.map(|one| one.1), now.map(|one| one.1));
                if change.old == change.new {
                    // Of the same name, in another group; or a query, or a secret.
                    (change.old, change.new) = ids;
                }
                change.old = change.old.or_else(|| switched(change.new.as_deref()));
                change.new = change.new.or_else(|| switched(change.old.as_deref()));
                Some(change)
            }
        }
    }

    fn all_mapped(&self, list: &[Value]) -> Vec<Value> {
        let now = |one: &Value| {
            let key = self.mapped(&one.key);
            let part = self.new_by_key.get(key.as_str());
            Value {
                shown: part.map_or_else(|| one.shown.clone(), |part| part.name.clone()),
                key,
            }
        };
        list.iter().map(now).collect()
    }
}

/// The id by which a resource outside of the gateway is compared.
fn id_in(texts: Option<&(String, String)>) -> Option<String> {
    let id = texts?.0.strip_prefix('=')?;
    let is_id = id.starts_with("/subscriptions/") || id.starts_with("providers/");
    is_id.then(|| id.trim_start_matches("providers/").to_owned())
}

/// A switch that is not written has its default, which is not what is written.
fn switched(other: Option<&str>) -> Option<String> {
    match other? {
        "true" => Some("false".to_owned()),
        "false" => Some("true".to_owned()),
        _ => None,
    }
}

fn without(list: &[Value], other: &[Value]) -> Vec<String> {
    let known: HashSet<&str> = other.iter().map(|one| one.key.as_str()).collect();
    let left = list.iter().filter(|one| !known.contains(one.key.as_str()));
    left.map(|one| one.shown.clone()).collect()
}

fn change(part: &Part, change: Change, members: Vec<MemberChange>) -> PartChange {
    PartChange {
        kind: part.kind(),
        name: part.name.clone(),
        change,
        was: None,
        members,
    }
}
