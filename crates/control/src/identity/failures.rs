//! Failed logins of late, so that nobody guesses secrets at speed, nor has this machine look at
//! them at speed: each look takes memory and time.
//!
//! While an address or a principal has failed too often, nothing of it is looked at, not even a
//! secret that would be right: an answer to that one would make the limit worth nothing. Logins
//! that succeed are not counted. A secret is 240 random bits, so that the limit of a principal can
//! be wide: it takes several addresses, or somebody on this machine, to shut a principal out, for a
//! minute, and tokens that it has stay good.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hash};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::client_network;

/// Failures of one address within [`WINDOW`] after which nothing more of it is looked at until that
/// ends. An IPv6 network of 64 bits counts as one address: everyone there has all of them.
const ADDRESS_FAILURES_MAX: u32 = 10;

/// The same for one principal, from wherever.
const PRINCIPAL_FAILURES_MAX: u32 = 50;

const WINDOW: Duration = Duration::from_secs(60);

/// Addresses and principals that are remembered, of each.
const REMEMBERED_MAX: usize = 10_000;

#[derive(Debug, Default)]
pub(crate) struct Failures(Mutex<Tables>);

#[derive(Debug, Default)]
struct Tables {
    addresses: HashMap<Origin, Window>,
    /// By a hash of the name: a stranger's may be long.
    principals: HashMap<u64, Window>,
    hasher: RandomState,
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
            (
                tables.addresses.get(&tables.origin(address, app_id)),
                ADDRESS_FAILURES_MAX,
            ),
            (
                tables.principals.get(&tables.hasher.hash_one(app_id)),
                PRINCIPAL_FAILURES_MAX,
            ),
        ];
        let waits = windows.into_iter().filter_map(|(window, most)| {
            let window = window.filter(|window| window.failures >= most)?;
            WINDOW.checked_sub(now.saturating_duration_since(window.began))
        });
        waits.max()
    }

    /// Takes note of a failure.
    pub(crate) fn add(&self, address: IpAddr, app_id: &str, now: Instant) {
        let mut tables = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let origin = tables.origin(address, app_id);
        let app_id = tables.hasher.hash_one(app_id);
        count(&mut tables.addresses, origin, now);
        count(&mut tables.principals, app_id, now);
    }
}

/// Where attempts come from: an address, or the network that stands for it; and on this machine's
/// own, which everyone has who is on it, the principal too, so that nobody shuts all others out.
type Origin = (IpAddr, Option<u64>);

impl Tables {
    fn origin(&self, address: IpAddr, app_id: &str) -> Origin {
        let is_own = address.to_canonical().is_loopback();
        (
            client_network::of(address),
            is_own.then(|| self.hasher.hash_one(app_id)),
        )
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

    fn here() -> IpAddr {
        IpAddr::from([10, 0, 0, 2])
    }

    #[test]
    fn ten_failures_close_the_door_to_an_address_for_the_rest_of_a_minute() {
        let failures = Failures::default();
        let there = IpAddr::from([10, 0, 0, 1]);
        let start = Instant::now();
        for _ in 0..ADDRESS_FAILURES_MAX {
            assert_eq!(failures.wait(here(), "a", start), None);
            failures.add(here(), "a", start);
        }
        let later = start + Duration::from_secs(20);
        let left = Some(Duration::from_secs(40));
        assert_eq!(failures.wait(here(), "b", later), left);
        assert_eq!(
            failures.wait(there, "a", later),
            None,
            "one address does not shut a principal out"
        );
        let over = start + Duration::from_secs(61);
        assert_eq!(failures.wait(here(), "a", over), None);
    }

    #[test]
    fn a_principal_that_is_guessed_at_from_everywhere_is_closed_too() {
        let failures = Failures::default();
        let start = Instant::now();
        for number in 0..PRINCIPAL_FAILURES_MAX {
            assert_eq!(failures.wait(here(), "a", start), None);
            let address = IpAddr::from(u32::to_be_bytes(number));
            failures.add(address, "a", start);
        }
        assert!(failures.wait(here(), "a", start).is_some());
        assert_eq!(failures.wait(here(), "b", start), None);
    }

    #[test]
    fn whoever_is_on_this_machine_shuts_no_other_out() {
        let failures = Failures::default();
        let (start, here) = (Instant::now(), IpAddr::from([127, 0, 0, 1]));
        for _ in 0..ADDRESS_FAILURES_MAX {
            failures.add(here, "a", start);
        }
        assert_eq!(failures.wait(here, "b", start), None);
        assert!(failures.wait(here, "a", start).is_some());
    }

    #[test]
    fn a_network_of_ipv6_is_one_address() {
        let failures = Failures::default();
        let start = Instant::now();
        for host in 0..ADDRESS_FAILURES_MAX {
            let address = format!("2001:db8:0:1::{host:x}").parse().unwrap();
            failures.add(address, &host.to_string(), start);
        }
        let wait = |address: &str| failures.wait(address.parse().unwrap(), "x", start);
        assert!(wait("2001:db8:0:1:ffff::1").is_some());
        assert!(wait("2001:db8:0:2::1").is_none());
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
