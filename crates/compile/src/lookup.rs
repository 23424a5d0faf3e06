//! From references to items, by hash: a gateway may have tens of thousands of references.

use std::collections::HashMap;

use gatewright_arm::model::GatewayChild;
use gatewright_arm::{ApplicationGateway, Item, Reference};

/// The items of one collection by name.
pub(crate) struct Lookup<'a, T> {
    items: &'a [Item<T>],
    by_name: HashMap<String, usize>,
}

impl<'a, T: GatewayChild> Lookup<'a, T> {
    pub(crate) fn new(gateway: &'a ApplicationGateway) -> Self {
        let items = T::items(&gateway.properties);
        let mut by_name = HashMap::with_capacity(items.len());
        for (position, item) in items.iter().enumerate() {
            by_name
                .entry(item.name.to_ascii_lowercase())
                .or_insert(position);
        }
        Self { items, by_name }
    }

    /// The position of the item that `reference` names. Validation has checked whose gateway the
    /// id belongs to; here collection and name count.
    pub(crate) fn position(&self, reference: &Reference) -> Option<usize> {
        let id = reference.id.trim_end_matches('/');
        let (parent, name) = id.rsplit_once('/')?;
        let (_, collection) = parent.rsplit_once('/')?;
        if !collection.eq_ignore_ascii_case(T::COLLECTION) {
            return None;
        }
        self.by_name.get(&name.to_ascii_lowercase()).copied()
    }

    /// The item that `reference` names.
    pub(crate) fn item(&self, reference: &Reference) -> Option<&'a Item<T>> {
        self.items.get(self.position(reference)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gatewright_arm::model::{BackendAddressPool, FrontendPort, Probe};

    #[test]
    fn names_and_collections_are_equal_in_any_case() {
        let mut gateway = ApplicationGateway::default();
        gateway
            .properties
            .backend_address_pools
            .push(Item::new("Pool", Default::default()));
        gateway
            .properties
            .frontend_ports
            .push(Item::new("pool", FrontendPort::default()));
        let pools = Lookup::<BackendAddressPool>::new(&gateway);
        let probes = Lookup::<Probe>::new(&gateway);
        let found = |id: &str| pools.position(&Reference::new(id));
        assert_eq!(found("/x/BACKENDADDRESSPOOLS/pOOl/"), Some(0));
        assert_eq!(found("/x/frontendPorts/pool"), None);
        assert_eq!(found("/x/backendAddressPools/other"), None);
        assert_eq!(found("pool"), None);
        assert_eq!(
            probes.position(&Reference::new("/x/backendAddressPools/pool")),
            None
        );
    }
}
