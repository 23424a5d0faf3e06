//! Which servers of an upstream take their turns: the healthy ones.

use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};

use crate::live::Server;
use crate::probe::Epoch;

/// The turns of one upstream. Worked out anew by whoever asks first after a server's health has
/// changed, so that a request costs two loads, and a dead server's turns fall evenly to the others.
#[derive(Debug)]
pub(crate) struct Rotation {
    epoch: Epoch,
    /// So many servers take turns whatever their health.
    min_servers: u32,
    turns: ArcSwap<Turns>,
}

#[derive(Debug)]
struct Turns {
    /// That they were worked out at.
    epoch: u64,
    positions: Vec<u32>,
}

impl Rotation {
    pub(crate) fn new(epoch: Epoch, min_servers: u32) -> Self {
        let never = Turns {
            epoch: u64::MAX,
            positions: Vec::new(),
        };
        Self {
            epoch,
            min_servers,
            turns: ArcSwap::from_pointee(never),
        }
    }

    /// The positions in `servers` of those that take turns, in ascending order. `servers` must be
    /// the same at every call.
    pub(crate) fn turns(&self, servers: &[Server]) -> impl std::ops::Deref<Target = [u32]> {
        let epoch = self.epoch.current();
        let known = self.turns.load();
        if known.epoch == epoch {
            return Positions(known);
        }
        // Health that changes meanwhile has a later epoch, and is looked at again.
        let usable = |server: &Server| {
            let target = server.target.as_ref();
            target.is_none_or(|target| target.is_usable())
        };
        let healths: Vec<bool> = servers.iter().map(usable).collect();
        let positions = positions(&healths, self.min_servers);
        self.turns.store(Arc::new(Turns { epoch, positions }));
        Positions(self.turns.load())
    }
}

struct Positions(Guard<Arc<Turns>>);

impl std::ops::Deref for Positions {
    type Target = [u32];

    fn deref(&self) -> &[u32] {
        &self.0.positions
    }
}

/// The healthy ones; where they are fewer than `min_servers`, the first of the others as well.
fn positions(are_healthy: &[bool], min_servers: u32) -> Vec<u32> {
    let healthy = are_healthy.iter().filter(|healthy| **healthy).count();
    let mut missing = (min_servers as usize).saturating_sub(healthy);
    let mut positions = Vec::with_capacity(healthy + missing);
    for (position, healthy) in are_healthy.iter().enumerate() {
        if *healthy {
            positions.push(position as u32);
        } else if missing > 0 {
            missing -= 1;
            positions.push(position as u32);
        }
    }
    positions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn healthy_servers_take_turns_and_min_servers_keeps_others() {
        let all = [true, false, true, false, false];
        assert_eq!(positions(&all, 0), [0, 2]);
        assert_eq!(positions(&all, 2), [0, 2]);
        assert_eq!(positions(&all, 3), [0, 1, 2]);
        assert_eq!(positions(&all, 99), [0, 1, 2, 3, 4]);
        assert!(positions(&[false, false], 0).is_empty());
        assert!(positions(&[], 3).is_empty());
    }
}
