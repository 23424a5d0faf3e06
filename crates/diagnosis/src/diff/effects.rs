//! What a change does to traffic, in sentences.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use gatewright_arm::ApplicationGateway;
use gatewright_snapshot::Scheme;

use super::form::shown_text;
use super::parts::Pairs;
use super::routes::{self, Door, Outcome, Route, Routes, Side, Target};
use super::{Asked, Difference, Effect, Weight, handling, servers, transport};

/// Most names of a sentence.
const NAMES_MAX: usize = 3;

/// Adds the effects to `difference`, whose parts are told already.
pub(super) fn find(
    old: &ApplicationGateway,
    new: &ApplicationGateway,
    pairs: &Pairs<'_>,
    difference: &mut Difference,
) {
    let sides = (Side::new(old, Some(pairs)), Side::new(new, None));
    let mut effects = transport::of_parts(&difference.parts);
    match &sides {
        (Ok(old), Ok(new)) => {
            let routes = routes::compare(old, new);
            difference.is_cut = routes.is_cut;
            effects.extend(of_doors(&routes));
            effects.extend(of_routes(&routes));
            let (was, now) = routes.reached();
            effects.extend(servers::find(old, new, &was, &now));
            effects.extend(handling::find(old, new, &was, &now));
            effects.extend(transport::of_certificates(old, new, &routes, pairs));
        }
        (Err(why), _) => difference.unknown = Some(format!("of the old configuration: {why}")),
        (_, Err(why)) => difference.unknown = Some(format!("of the new configuration: {why}")),
    }
    effects.sort_by(|one, other| {
        let place = |one: &Effect| (one.weight, Reverse(one.requests.len()));
        place(one)
            .cmp(&place(other))
            .then_with(|| one.says.cmp(&other.says))
    });
    effects.dedup();
    difference.effects = effects;
}

pub(super) fn effect(weight: Weight, says: impl Into<String>) -> Effect {
    Effect {
        weight,
        says: says.into(),
        requests: Vec::new(),
    }
}

/// Some of the names, and how many more there are.
pub(super) fn some(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        names if names.len() > NAMES_MAX => {
            let shown = names.get(..NAMES_MAX).unwrap_or_default();
            format!("{} and {} more", shown.join(", "), names.len() - NAMES_MAX)
        }
        [rest @ .., last] => format!("{} and {last}", rest.join(", ")),
    }
}

/// Ports that came and went, or that speak otherwise.
fn of_doors(routes: &Routes) -> Vec<Effect> {
    let mut effects = Vec::new();
    let frontends = |doors: &BTreeMap<Door, Scheme>| {
        let names: BTreeSet<&str> = doors.keys().map(|door| door.frontend.as_str()).collect();
        names.len()
    };
    let are_several = frontends(&routes.old_doors) > 1 || frontends(&routes.new_doors) > 1;
    let at = |door: &Door| match are_several {
        true => format!("port {} of the frontend {}", door.port, door.frontend),
        false => format!("port {}", door.port),
    };
    for (door, old) in &routes.old_doors {
        match routes.new_doors.get(door) {
            None => effects.push(effect(
                Weight::Lost,
                format!(
                    "Connections to {} are refused: no listener with a rule has it any more.",
                    at(door)
                ),
            )),
            Some(new) if new != old => effects.push(effect(
                Weight::Lost,
                format!(
                    "Clients must speak {} on {}, and not {} any more.",
                    new.as_str().to_uppercase(),
                    at(door),
                    old.as_str().to_uppercase()
                ),
            )),
            Some(_) => {}
        }
    }
    for (door, new) in &routes.new_doors {
        if !routes.old_doors.contains_key(door) {
            let scheme = new.as_str().to_uppercase();
            let says = format!(
                "Connections to {} are taken, with {scheme}; they were refused.",
                at(door)
            );
            effects.push(effect(Weight::Gained, says));
        }
    }
    effects
}

/// What is different of a request's way, as far as a sentence tells it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Move {
    Lost,
    Gained(Target),
    Target {
        old: Target,
        new: Target,
    },
    /// The same target, by other parts: what they are, before and now.
    Way {
        old: String,
        new: String,
    },
}

fn moved(route: &Route) -> Option<Move> {
    match (&route.old, &route.new) {
        (Some(old), Some(new)) if old == new => None,
        (Some(old), Some(new)) if old.target == new.target => Some(Move::Way {
            old: way(old, new),
            new: way(new, old),
        }),
        (Some(old), Some(new)) => Some(Move::Target {
            old: old.target.clone(),
            new: new.target.clone(),
        }),
        (Some(_), None) => Some(Move::Lost),
        (None, Some(new)) => Some(Move::Gained(new.target.clone())),
        (None, None) => None,
    }
}

/// The parts of one that are not those of the other.
fn way(one: &Outcome, other: &Outcome) -> String {
    let mut parts = Vec::new();
    if one.listener != other.listener {
        parts.push(format!("the listener {}", one.listener));
    }
    if one.rule != other.rule {
        parts.push(format!("the rule {}", one.rule));
    }
    if one.path_rule != other.path_rule {
        parts.push(match &one.path_rule {
            Some(name) => format!("the path rule {name}"),
            None => format!("no path rule of {}", one.rule),
        });
    }
    some(&parts)
}

/// What is asked of a host at a port, in parts that have one answer each.
type Host = (Option<String>, Vec<Option<String>>);

/// Requests that go elsewhere, those with the same change in one sentence.
fn of_routes(routes: &Routes) -> Vec<Effect> {
    let mut totals: BTreeMap<(Door, Option<&String>), usize> = BTreeMap::new();
    let mut by_host: BTreeMap<(Move, Door, Option<&String>), Vec<&Asked>> = BTreeMap::new();
    for route in &routes.common {
        let asked = &route.asked;
        let door = asked.door();
        *totals
            .entry((door.clone(), asked.host.as_ref()))
            .or_insert(0) += 1;
        if let Some(moved) = moved(route) {
            by_host
                .entry((moved, door, asked.host.as_ref()))
                .or_default()
                .push(asked);
        }
    }
    // By the change and the paths, empty for all; then hosts, and their doors.
    let mut groups: BTreeMap<(Move, Host), BTreeMap<Door, Vec<&Asked>>> = BTreeMap::new();
    for ((moved, door, host), asked) in by_host {
        let total = totals
            .get(&(door.clone(), host))
            .copied()
            .unwrap_or_default();
        let paths = match asked.len() == total {
            true => Vec::new(),
            false => asked.iter().map(|one| one.path.clone()).collect(),
        };
        let group = groups.entry((moved, (host.cloned(), paths))).or_default();
        group.entry(door).or_default().extend(asked);
    }
    let mut sentences: BTreeMap<Sentence, (Vec<Option<String>>, Vec<Asked>)> = BTreeMap::new();
    for ((moved, (host, paths)), doors) in groups {
        let asked = doors
            .values()
            .flatten()
            .map(|one| Asked::clone(one))
            .collect::<Vec<_>>();
        let doors: Vec<Door> = doors.into_keys().collect();
        let (hosts, all) = sentences.entry((moved, paths, doors)).or_default();
        hosts.push(host);
        all.extend(asked);
    }
    let hosts_at = |doors: &[Door]| {
        let known = totals.keys().filter(|(door, _)| doors.contains(door));
        let hosts: BTreeSet<_> = known.map(|(_, host)| *host).collect();
        hosts.len()
    };
    let frontends: BTreeSet<&String> = totals.keys().map(|(door, _)| &door.frontend).collect();
    let told = sentences
        .into_iter()
        .map(|((moved, paths, doors), (hosts, requests))| {
            let is_all = hosts.len() == hosts_at(&doors);
            let subject = subject(&hosts, is_all, &paths, &doors, frontends.len());
            let (weight, says) = told(&moved, &subject);
            Effect {
                weight,
                says,
                requests,
            }
        });
    told.collect()
}

type Sentence = (Move, Vec<Option<String>>, Vec<Door>);

/// `Requests for shop.contoso.com/api/* on port 443`.
fn subject(
    hosts: &[Option<String>],
    is_all: bool,
    paths: &[Option<String>],
    doors: &[Door],
    frontends: usize,
) -> String {
    // What nothing names comes last.
    let mut hosts_said: Vec<String> = hosts.iter().flatten().cloned().collect();
    if hosts.contains(&None) {
        let other = match hosts_said.is_empty() {
            true => "any other host",
            false => "all other hosts",
        };
        hosts_said.push(other.to_owned());
    }
    let mut paths_said: Vec<String> = paths.iter().flatten().cloned().collect();
    if paths.contains(&None) {
        paths_said.push("any path that no path rule names".to_owned());
    }
    let with = match paths {
        [] => String::new(),
        _ => format!(" with {}", some(&paths_said)),
    };
    let mut text = match (is_all, hosts, paths) {
        (true, _, []) => "All requests".to_owned(),
        (true, ..) => format!("Requests{with}"),
        (false, [Some(host)], [Some(path)]) => format!("Requests for {host}{path}"),
        (false, ..) => format!("Requests for {}{with}", some(&hosts_said)),
    };
    let ports: BTreeSet<u16> = doors.iter().map(|door| door.port).collect();
    let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
    let plural = if ports.len() > 1 { "s" } else { "" };
    text.push_str(&format!(" on port{plural} {}", some(&ports)));
    let own: BTreeSet<&str> = doors.iter().map(|door| door.frontend.as_str()).collect();
    if own.len() < frontends {
        let own: Vec<String> = own.into_iter().map(str::to_owned).collect();
        text.push_str(&format!(" of the frontend {}", some(&own)));
    }
    text
}

fn told(moved: &Move, subject: &str) -> (Weight, String) {
    match moved {
        Move::Lost => (
            Weight::Lost,
            format!("{subject} get 404: no listener is for them any more."),
        ),
        Move::Gained(target) => (
            Weight::Gained,
            format!("{subject} {}; they got 404.", goes(target)),
        ),
        Move::Way { old, new } => (
            Weight::Same,
            format!("{subject} are taken by {new} instead of {old}, and go where they went."),
        ),
        Move::Target { old, new } => (Weight::Moved, format!("{subject} {}.", instead(old, new))),
    }
}

fn goes(target: &Target) -> String {
    match target {
        Target::Pool { pool, .. } => format!("go to the pool {pool}"),
        Target::Redirect { status, to, .. } => {
            format!("are redirected to {} ({status})", shown_text(to))
        }
    }
}

fn instead(old: &Target, new: &Target) -> String {
    match (old, new) {
        (
            Target::Pool { pool, setting },
            Target::Pool {
                pool: new_pool,
                setting: new_setting,
            },
        ) => match (pool == new_pool, setting == new_setting) {
            (false, true) => format!("go to the pool {new_pool} instead of {pool}"),
            (true, _) => {
                format!("go to the pool {pool} by the setting {new_setting} instead of {setting}")
            }
            (false, false) => format!(
                "go to the pool {new_pool} by the setting {new_setting} instead of {pool} by \
                 {setting}"
            ),
        },
        (Target::Redirect { to, .. }, Target::Pool { .. }) => {
            let to = shown_text(to);
            format!("{} instead of being redirected to {to}", goes(new))
        }
        (Target::Pool { pool, .. }, Target::Redirect { .. }) => {
            format!("{} instead of going to the pool {pool}", goes(new))
        }
        (
            Target::Redirect {
                status,
                to,
                path,
                query,
            },
            Target::Redirect {
                status: new_status,
                to: new_to,
                path: new_path,
                query: new_query,
            },
        ) => {
            let (shown, new_shown) = (shown_text(to), shown_text(new_to));
            let mut text = format!("are redirected to {new_shown} ({new_status})");
            if shown != new_shown || status != new_status {
                text.push_str(&format!(" instead of {shown} ({status})"));
            }
            let mut kept = |name: &str, was: bool, is: bool| match (was, is) {
                (false, true) => text.push_str(&format!(", now with their {name}")),
                (true, false) => text.push_str(&format!(", without their {name} now")),
                _ => {}
            };
            kept("path", *path, *new_path);
            kept("query", *query, *new_query);
            if shown == new_shown && to != new_to {
                text.push_str(", with another query in the URL");
            }
            text
        }
    }
}
