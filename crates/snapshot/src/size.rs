//! How much memory a snapshot holds, for the bench that keeps it within its bound.

use std::mem::size_of;

use crate::model::{Member, Route, Snapshot};

/// What a value owns on the heap, in bytes; an estimate that leaves allocator overhead out.
pub(crate) trait HeapSize {
    fn heap_bytes(&self) -> usize;
}

impl HeapSize for String {
    fn heap_bytes(&self) -> usize {
        self.capacity()
    }
}

impl<T: HeapSize> HeapSize for Option<T> {
    fn heap_bytes(&self) -> usize {
        self.as_ref().map_or(0, HeapSize::heap_bytes)
    }
}

impl HeapSize for Route {
    fn heap_bytes(&self) -> usize {
        self.rule.heap_bytes() + self.path_rule.heap_bytes()
    }
}

impl HeapSize for Member {
    fn heap_bytes(&self) -> usize {
        match self {
            Self::Ip(_) => 0,
            Self::Fqdn(name) => name.heap_bytes(),
        }
    }
}

fn rows<T>(table: &Vec<T>, owned: impl Fn(&T) -> usize) -> usize {
    table.capacity() * size_of::<T>() + table.iter().map(owned).sum::<usize>()
}

impl Snapshot {
    /// The memory that this snapshot holds, in bytes; an estimate that leaves out allocator
    /// overhead and the few texts of settings and certificates.
    pub fn memory_bytes(&self) -> usize {
        size_of::<Self>()
            + rows(&self.gateways, |gateway| gateway.name.heap_bytes())
            + rows(&self.endpoints, |endpoint| endpoint.hosts.heap_bytes())
            + rows(&self.listeners, |listener| {
                rows(&listener.host_names, HeapSize::heap_bytes) + listener.name.heap_bytes()
            })
            + rows(&self.routes, HeapSize::heap_bytes)
            + rows(&self.path_maps, |map| map.table.heap_bytes())
            + rows(&self.pools, |pool| {
                rows(&pool.members, HeapSize::heap_bytes)
            })
            + rows(&self.settings, |setting| setting.name.heap_bytes())
            + rows(&self.upstreams, |_| 0)
            + rows(&self.certificates, |certificate| {
                rows(&certificate.chain, Vec::capacity) + certificate.key.pkcs8_der().len()
            })
    }
}
