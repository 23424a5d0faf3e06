//! The order of resources: what one depends on comes before it, and otherwise the template's.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};

/// The numbers of the resources in an order that serves all dependencies, or the first one, in the
/// template's order, that depends on itself through others.
pub(super) fn sorted(depends_on: &[BTreeSet<usize>]) -> Result<Vec<usize>, usize> {
    let mut waits_for: Vec<usize> = depends_on.iter().map(BTreeSet::len).collect();
    let mut followers = vec![Vec::new(); depends_on.len()];
    for (number, needed) in depends_on.iter().enumerate() {
        for one in needed {
            if let Some(list) = followers.get_mut(*one) {
                list.push(number);
            }
        }
    }
    let free = waits_for
        .iter()
        .enumerate()
        .filter(|(_, count)| **count == 0);
    let mut ready: BinaryHeap<_> = free.map(|(number, _)| Reverse(number)).collect();
    let mut order = Vec::with_capacity(depends_on.len());
    while let Some(Reverse(next)) = ready.pop() {
        order.push(next);
        for follower in followers.get(next).into_iter().flatten() {
            if let Some(count) = waits_for.get_mut(*follower) {
                *count -= 1;
                if *count == 0 {
                    ready.push(Reverse(*follower));
                }
            }
        }
    }
    match waits_for.iter().enumerate().find(|(_, count)| **count > 0) {
        None => Ok(order),
        Some((stuck, _)) => Err(in_circle(depends_on, &order, stuck)),
    }
}

/// Somewhere upstream of a resource that never gets its turn there is a circle: on it.
fn in_circle(depends_on: &[BTreeSet<usize>], done: &[usize], stuck: usize) -> usize {
    let done: BTreeSet<usize> = done.iter().copied().collect();
    let mut seen = BTreeSet::new();
    let mut at = stuck;
    while seen.insert(at) {
        let needed = depends_on.get(at).into_iter().flatten();
        match needed.copied().find(|one| !done.contains(one)) {
            Some(next) => at = next,
            None => return at,
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted_of(depends_on: &[&[usize]]) -> Result<Vec<usize>, usize> {
        let sets: Vec<_> = depends_on
            .iter()
            .map(|one| one.iter().copied().collect())
            .collect();
        sorted(&sets)
    }

    #[test]
    fn dependencies_come_first_and_otherwise_the_order_stays() {
        assert_eq!(sorted_of(&[]), Ok(vec![]));
        assert_eq!(sorted_of(&[&[], &[], &[]]), Ok(vec![0, 1, 2]));
        assert_eq!(sorted_of(&[&[2], &[], &[1], &[]]), Ok(vec![1, 2, 0, 3]));
    }

    #[test]
    fn a_circle_is_told_by_one_that_is_on_it() {
        assert_eq!(sorted_of(&[&[0]]), Err(0));
        assert_eq!(sorted_of(&[&[1], &[2], &[1], &[]]), Err(1));
    }
}
