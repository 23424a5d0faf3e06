//! Failed logins of late, so that nobody guesses secrets at speed.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Failures within [`WINDOW`] after which nothing is looked at until it ends: from one address, or
/// for one principal.
const FAILURES_MAX: u32 = 10;

const WINDOW: Duration = Duration::from_secs(60);

/// Addresses and principals that are remembered, of each.
const REMEMBERED_MAX: usize = 10_000;

#[derive(Debug, Default)]
pub(crate) struct Failures(Mutex<Tables>);

#[derive(Debug, Default)]
struct Tables {
    addresses: HashMap<IpAddr, Window>,
    principals: HashMap<String, Window>,
}

#[derive(Clone, Copy, Debug)]
struct Window {
    began: Instant,
    failures: u32,
}

impl Failures {
    /// How long an attempt from this address for this principal must wait; `None` for not at all.
    pub(crate) fn wait(&self, address: IpAddr, app_id: &str, now: Instant) -> Option<Duration> {
        let tables = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let windows = [
            tables.addresses.get(&address),
            tables.principals.get(app_id),
        ];
        let waits = windows.into_iter().flatten().filter_map(|window| {
            let is_full = window.failures >= FAILURES_MAX;
            let left = WINDOW.checked_sub(now.saturating_duration_since(window.began))?;
            is_full.then_some(left)
        });
        waits.max()
    }

    /// Takes note of a failure.
    pub(crate) fn add(&self, address: IpAddr, app_id: &str, now: Instant) {
        let mut tables = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        count(&mut tables.addresses, address, now);
        count(&mut tables.principals, app_id.to_owned(), now);
    }
}

fn count<K: Eq + Hash>(windows: &mut HashMap<K, Window>, key: K, now: Instant) {
    if windows.len() >= REMEMBERED_MAX {
        windows.retain(|_, window| now.saturating_duration_since(window.began) < WINDOW);
    }
    if windows.len() >= REMEMBERED_MAX && !windows.contains_key(&key) {
        // A flood from everywhere: those that are counted already stay counted.
        return;
    }
    let fresh = Window {
        began: now,
        failures: 0,
    };
    let window = windows.entry(key).or_insert(fresh);
    if now.saturating_duration_since(window.began) >= WINDOW {
        *window = fresh;
    }
    window.failures = window.failures.saturating_add(1);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_failures_close_the_door_for_the_rest_of_a_minute() {
        let failures = Failures::default();
        let (here, there) = (IpAddr::from([127, 0, 0, 1]), IpAddr::from([10, 0, 0, 1]));
        let start = Instant::now();
        for _ in 0..FAILURES_MAX {
            assert_eq!(failures.wait(here, "a", start), None);
            failures.add(here, "a", start);
        }
        let later = start + Duration::from_secs(20);
        let left = Some(Duration::from_secs(40));
        assert_eq!(failures.wait(here, "b", later), left, "the address");
        assert_eq!(failures.wait(there, "a", later), left, "the principal");
        assert_eq!(failures.wait(there, "b", later), None);
        let over = start + Duration::from_secs(61);
        assert_eq!(failures.wait(here, "a", over), None);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut windows = HashMap::new();
        let start = Instant::now();
        for key in 0..REMEMBERED_MAX + 5 {
            count(&mut windows, key, start);
        }
        assert_eq!(windows.len(), REMEMBERED_MAX);
        count(&mut windows, usize::MAX, start + WINDOW);
        assert_eq!(windows.len(), 1);
    }
}
