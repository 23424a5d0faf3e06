//! The names under which a request is logged, interned once so that a record carries a number.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

/// Stands for one [`Labels`] in a [`LabelRegistry`], for as long as the process lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LabelId(u32);

impl LabelId {
    /// For requests that reached no listener: every name is empty.
    pub const NONE: Self = Self(0);

    /// Its place in tables by label; ids are given out densely, from 0.
    pub(crate) fn number(self) -> usize {
        self.0 as usize
    }
}

/// What routing decided, by name. Empty where a request did not get that far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Labels {
    /// The gateway's ARM resource id.
    pub resource_id: String,
    pub listener: String,
    pub rule: String,
    /// Empty for a basic rule, and for the default of a path map.
    pub path_rule: String,
    pub pool: String,
    pub setting: String,
}

/// Hands out [`LabelId`]s. Equal labels get the same id, across configurations; ids are never
/// reused, so the registry grows with the number of distinct names ever configured and no faster.
#[derive(Debug)]
pub struct LabelRegistry {
    ids: Mutex<HashMap<Arc<Labels>, LabelId>>,
    labels: RwLock<Vec<Arc<Labels>>>,
}

impl Default for LabelRegistry {
    fn default() -> Self {
        let none = Arc::new(Labels::default());
        Self {
            ids: Mutex::new(HashMap::from([(Arc::clone(&none), LabelId::NONE)])),
            labels: RwLock::new(vec![none]),
        }
    }
}

impl LabelRegistry {
    /// The id of `labels`, new or known. Takes a lock: for configuration time, not per request.
    pub fn intern(&self, labels: Labels) -> LabelId {
        let mut ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(id) = ids.get(&labels) {
            return *id;
        }
        let labels = Arc::new(labels);
        let mut table = self.labels.write().unwrap_or_else(PoisonError::into_inner);
        let id = LabelId(u32::try_from(table.len()).unwrap_or(u32::MAX));
        table.push(Arc::clone(&labels));
        ids.insert(labels, id);
        id
    }

    /// The labels behind `id`.
    pub fn resolve(&self, id: LabelId) -> Arc<Labels> {
        let table = self.labels.read().unwrap_or_else(PoisonError::into_inner);
        table
            .get(id.number())
            .map_or_else(|| Arc::clone(&table[0]), Arc::clone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_labels_share_an_id_and_others_do_not() {
        let registry = LabelRegistry::default();
        let named = |listener: &str| Labels {
            listener: listener.into(),
            ..Labels::default()
        };
        let first = registry.intern(named("a"));
        assert_eq!(registry.intern(named("a")), first);
        assert_ne!(registry.intern(named("b")), first);
        assert_eq!(registry.intern(Labels::default()), LabelId::NONE);
        assert_eq!(registry.resolve(first).listener, "a");
    }
}
