//! Where resources lie, for all who read them in one process.

use std::sync::Arc;

use gatewright_store::{SealingKey, Store};

use crate::resources::recent::Recent;

/// A store, the key of what is sealed in it, and what is known of it: whoever writes a resource
/// has it in hand, so that whoever serves it need not read it again. Clones share all three.
#[derive(Clone)]
pub struct Storage {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) sealing: Arc<SealingKey>,
    pub(crate) recent: Recent,
}

impl Storage {
    pub fn new(store: Arc<dyn Store>, sealing: Arc<SealingKey>) -> Self {
        Self {
            store,
            sealing,
            recent: Recent::default(),
        }
    }

    pub fn store(&self) -> &dyn Store {
        &*self.store
    }
}
