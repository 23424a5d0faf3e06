//! Servers that get requests, and those that get none any more.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use gatewright_snapshot::{Member, Pool};

use super::effects::{effect, some};
use super::routes::{Reached, Side};
use super::{Effect, Weight};

/// `was` and `now`: what requests come to in each of the two.
pub(super) fn find(old: &Side<'_>, new: &Side<'_>, was: &Reached, now: &Reached) -> Vec<Effect> {
    let (old_pools, new_pools) = (old.pools(), new.pools());
    let mut effects = Vec::new();
    for pool in now.keys().filter(|pool| is_empty(new, &new_pools, pool)) {
        if was.contains_key(pool) && is_empty(old, &old_pools, pool) {
            continue;
        }
        let says = match old_pools.get(pool.as_str()) {
            Some(was) if !was.members.is_empty() => {
                format!("The pool {pool} has no servers any more: requests to it get 502.")
            }
            _ => format!("The pool {pool} has no servers: requests to it get 502."),
        };
        effects.push(effect(Weight::Lost, says));
    }
    let (had, have) = (servers(was, &old_pools), servers(now, &new_pools));
    effects.extend(gone(&had, &have, was, old));
    effects.extend(come(&had, &have));
    effects.extend(moved(&had, &have, was, now));
    effects
}

/// Whether it has no server, not even interfaces that joined it.
fn is_empty(side: &Side<'_>, pools: &BTreeMap<String, &Pool>, name: &str) -> bool {
    let Some(pool) = pools.get(name) else {
        return false;
    };
    let mut items = side.gateway.properties.backend_address_pools.iter();
    let item = items.find(|item| item.is_named(&pool.name));
    let has_interfaces =
        item.is_some_and(|one| !one.properties.backend_ip_configurations.is_empty());
    pool.members.is_empty() && !has_interfaces
}

/// By address, the pools that bring requests to it.
fn servers(
    reached: &Reached,
    pools: &BTreeMap<String, &Pool>,
) -> BTreeMap<String, BTreeSet<String>> {
    let mut servers: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for name in reached.keys() {
        for member in pools.get(name).into_iter().flat_map(|pool| &pool.members) {
            let address = match member {
                Member::Ip(address) => address.to_string(),
                Member::Fqdn(name) => name.clone(),
            };
            servers.entry(address).or_default().insert(name.clone());
        }
    }
    servers
}

type Servers = BTreeMap<String, BTreeSet<String>>;

/// Those that get nothing any more, with the time that the settings give requests under way.
fn gone(had: &Servers, have: &Servers, was: &Reached, old: &Side<'_>) -> Vec<Effect> {
    let settings = old.settings();
    let mut by_drain: BTreeMap<Duration, Vec<String>> = BTreeMap::new();
    for (address, pools) in had
        .iter()
        .filter(|(address, _)| !have.contains_key(*address))
    {
        let used = pools.iter().filter_map(|pool| was.get(pool)).flatten();
        let drains = used.filter_map(|name| Some(settings.get(name)?.drain_timeout));
        let drain = drains.max().unwrap_or_default();
        by_drain.entry(drain).or_default().push(address.clone());
    }
    let told = by_drain.into_iter().map(|(drain, addresses)| {
        let s = verb_end(&addresses);
        let says = format!(
            "{} get{s} no requests any more; those under way have {} s (drain).",
            some(&addresses),
            drain.as_secs()
        );
        effect(Weight::Servers, says)
    });
    told.collect()
}

fn come(had: &Servers, have: &Servers) -> Vec<Effect> {
    let mut by_pools: BTreeMap<&BTreeSet<String>, Vec<String>> = BTreeMap::new();
    for (address, pools) in have
        .iter()
        .filter(|(address, _)| !had.contains_key(*address))
    {
        by_pools.entry(pools).or_default().push(address.clone());
    }
    let told = by_pools.into_iter().map(|(pools, addresses)| {
        let pools: Vec<String> = pools.iter().cloned().collect();
        let s = verb_end(&addresses);
        let says = format!(
            "{} get{s} requests now, by the pool {}.",
            some(&addresses),
            some(&pools)
        );
        effect(Weight::Servers, says)
    });
    told.collect()
}

/// Those that leave or join a pool that requests come to before and after, and are in another one.
fn moved(had: &Servers, have: &Servers, was: &Reached, now: &Reached) -> Vec<Effect> {
    let mut left: BTreeMap<&String, Vec<String>> = BTreeMap::new();
    let mut joined: BTreeMap<&String, Vec<String>> = BTreeMap::new();
    for (address, before) in had {
        let Some(after) = have.get(address) else {
            continue;
        };
        let is_used = |pool: &&String| was.contains_key(*pool) && now.contains_key(*pool);
        for pool in before.difference(after).filter(is_used) {
            left.entry(pool).or_default().push(address.clone());
        }
        for pool in after.difference(before).filter(is_used) {
            joined.entry(pool).or_default().push(address.clone());
        }
    }
    let left = left.into_iter().map(|(pool, addresses)| {
        let s = verb_end(&addresses);
        format!(
            "{} get{s} no requests of the pool {pool} any more.",
            some(&addresses)
        )
    });
    let joined = joined.into_iter().map(|(pool, addresses)| {
        let s = verb_end(&addresses);
        format!(
            "{} get{s} requests of the pool {pool} too.",
            some(&addresses)
        )
    });
    left.chain(joined)
        .map(|says| effect(Weight::Servers, says))
        .collect()
}

fn verb_end(subjects: &[String]) -> &'static str {
    match subjects {
        [_] => "s",
        _ => "",
    }
}
