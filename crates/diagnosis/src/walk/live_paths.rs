//! Requests that no listener, and no path rule, is for.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use gatewright_arm::model::HttpListener;
use gatewright_arm::{Item, Reference};
use gatewright_snapshot::HostPattern;

use super::answered::first_part;
use super::edits::{Edit, Given, Set};
use super::live::refusals;
use super::{Walk, finding, listed};
use crate::cause::{Cause, Owner};
use crate::evidence::view::last_part;
use crate::evidence::{LogRow, path_of, split_port};
use crate::finding::{Confidence, Finding};
use crate::lookup;
use crate::remedy::fix;
use crate::site::{Via, in_gateway, is_path_of};

impl Walk<'_> {
    pub(super) fn is_there_a_listener(&mut self) -> Option<(Finding, usize)> {
        let properties = &self.evidence.gateway.properties;
        // Who looks for whatever there is asks for the gateway's address, or the platform's name of
        // it, where those who ask for the listeners' own hosts are answered.
        let mut log = self.evidence.rows();
        let has_answers = log.any(|row| row.server_status.is_some_and(|status| status < 500));
        let rows: Vec<&LogRow> = refusals(self.evidence)
            .filter(|row| row.server.is_empty() && !row.original_host.is_empty())
            .filter(|row| {
                row.status == Some(404) || row.error.to_uppercase().contains("INVALID_HOST")
            })
            .collect();
        // Of several hosts, the one that is asked for most.
        let host_of = |row: &LogRow| split_port(&row.original_host).0.to_lowercase();
        let by_host = grouped(&rows, |row| Some(host_of(row)));
        let is_noise = |rows: &[&LogRow]| {
            let host = rows.first().map(|row| host_of(row)).unwrap_or_default();
            has_answers && is_of_the_platform(&host) && !is_somebodys_habit(&host, rows)
        };
        let rows = by_host.iter().find(|rows| !is_noise(rows))?;
        let first = *rows.first()?;
        let host = host_of(first);
        // A listener of the other protocol takes nothing of these.
        let is_alike = |one: &&Item<HttpListener>| {
            let protocols = one.properties.protocol.zip(first.is_encrypted);
            protocols.is_none_or(|(own, asked)| own.is_encrypted() == asked)
        };
        let alike: Vec<_> = properties.http_listeners.iter().filter(is_alike).collect();
        let hosts = alike.iter().flat_map(|one| one.properties.hosts());
        let hosts: Vec<String> = hosts.map(str::to_owned).collect();
        let takes_any = |one: &&Item<HttpListener>| one.properties.hosts().next().is_none();
        let has_any = alike.iter().any(takes_any);
        if has_any || hosts.iter().any(|own| is_host_of(own, &host)) {
            return None;
        }
        let title = match hosts.is_empty() {
            true => {
                let protocol = if first.is_encrypted == Some(true) {
                    "HTTPS"
                } else {
                    "HTTP"
                };
                format!("No listener takes {protocol}, and requests for {host} came by it.")
            }
            false => format!(
                "No listener is for the host {host}; there are {}.",
                listed(&hosts)
            ),
        };
        let listener = nearest(&alike, &host);
        let mut because = vec![self.because(&first.place, "the gateway itself refused it")];
        because.extend(
            listener.map(|one| self.because(&in_gateway(one.pointer()), "what listeners are for")),
        );
        let mend = fix(Owner::Gateway, format!("Give a listener the host {host}."));
        let mend = match listener {
            Some(listener) => mend.edit(self.add_host(listener, &host)),
            None => mend,
        };
        // One that asks for what is nobody's here is no trouble.
        let is_trouble = listener.is_some() && self.answered().are_outweighed_by(rows);
        let confidence = match is_trouble {
            true if has_answers && is_of_the_platform(&host) => Confidence::Likely,
            true => Confidence::Certain,
            false => Confidence::Possible,
        };
        let told = finding(Cause::HostNotMatched, confidence, title)
            .because(because)
            .fixed_by(mend.verified_by(vec![self.commands.gateway("show")]));
        Some((told, rows.len()))
    }

    /// Gives a listener one host more.
    fn add_host(&self, listener: &Item<HttpListener>, host: &str) -> Edit {
        let own = &listener.properties;
        let mut names: Vec<String> = own.hosts().map(str::to_owned).collect();
        names.push(host.to_owned());
        let names = Set::of("--host-names", "hostNames", Given::Texts(names));
        // A listener has one name or several, never both.
        let clear = Set::of("--host-name", "hostName", Given::Null);
        let sets = match own.host_name {
            Some(_) => vec![clear, names],
            None => vec![names],
        };
        self.update("http-listener update", listener, &sets)
    }

    pub(super) fn is_a_path_rewritten(&mut self) -> Option<(Finding, usize)> {
        let rows: Vec<&LogRow> = refusals(self.evidence)
            .filter(|row| matches!(row.status, Some(404 | 405)) && row.server_status == row.status)
            .collect();
        let by_setting = grouped(&rows, |row| {
            self.setting_of(row).map(|one| one.name.as_str())
        });
        let mut by_setting = by_setting.into_iter();
        by_setting
            .find_map(|rows| self.rewritten_by_setting(&rows))
            .or_else(|| {
                let by_target =
                    grouped(&rows, |row| Some((row.pool.as_str(), first_part(&row.uri))));
                let mut by_target = by_target.into_iter();
                by_target.find_map(|rows| self.is_a_path_rule_missing(&rows))
            })
    }

    /// Whether the setting of some rows puts another path in the place of the client's.
    fn rewritten_by_setting(&self, rows: &[&LogRow]) -> Option<(Finding, usize)> {
        let setting = self.setting_of(rows.first()?)?;
        let path = setting.properties.path.as_deref()?;
        let doubled = self.with_path_twice(path, rows);
        let rows = match doubled.as_slice() {
            [] => rows,
            doubled => doubled,
        };
        let first = rows.first()?;
        let is_cause = match path {
            "" => false,
            "/" => self.takes_a_prefix_away(first, rows),
            _ => !doubled.is_empty() || !self.answered().has_setting(&setting.name, rows),
        };
        if !is_cause {
            return None;
        }
        let title = match doubled.is_empty() {
            true => format!(
                "The backend setting {} puts {path} in the place of the path that clients ask for, \
                 and the backend has no such page: {} gets {}.",
                setting.name,
                first.uri,
                first.status.unwrap_or_default()
            ),
            false => format!(
                "The backend setting {} puts {path} before the whole path that clients ask for, \
                 which has it already: {} is asked for as {}{}, and gets {}.",
                setting.name,
                first.uri,
                path.trim_end_matches('/'),
                first.uri,
                first.status.unwrap_or_default()
            ),
        };
        let place = in_gateway(setting.pointer_to("path"));
        let because = [
            self.because(&first.place, "what the backend answers"),
            self.because(&place, "what takes the path's place"),
        ];
        let told = finding(Cause::BackendPath, Confidence::Likely, title)
            .because(because)
            .fixed_by(
                fix(
                    Owner::Gateway,
                    format!("Pass the path on as it is, without {path}."),
                )
                .edit(self.update_setting(Some(setting), &[Set::text("--path", "path", "")]))
                .verified_by(self.commands.verify_health()),
            );
        Some((told, rows.len()))
    }

    /// The rows of clients that ask for what is below the path of a setting already, where the
    /// setting puts it before all that they ask for, and no such page is answered.
    fn with_path_twice<'r>(&self, path: &str, rows: &[&'r LogRow]) -> Vec<&'r LogRow> {
        let inner = path.trim_matches('/');
        let below = format!("/{inner}/");
        let is_meant = |row: &&LogRow| {
            // Of a path rule with a pattern, the part that the pattern spells out is cut off.
            let is_whole = self
                .route_of(row)
                .is_some_and(|route| matches!(route.via, Via::Basic | Via::Default(_)));
            row.uri.starts_with(&below) && is_whole
        };
        if inner.is_empty() {
            return Vec::new();
        }
        let doubled: Vec<&LogRow> = rows.iter().copied().filter(is_meant).collect();
        let pool = doubled.first().map_or("", |row| row.pool.as_str());
        // Who asks for other pages gets them: the path is put before what lacks it.
        match self.answered().has_pages(pool, &doubled) {
            true => Vec::new(),
            false => doubled,
        }
    }

    /// Whether a setting with the path `/` takes away what the pattern of a path rule spells out,
    /// and that is what fails: no such request is answered, or the server knows the page by the
    /// path that the client asked for.
    fn takes_a_prefix_away(&self, row: &LogRow, rows: &[&LogRow]) -> bool {
        let Some(route) = self.route_of(row) else {
            return false;
        };
        let has_prefix = match route.via {
            Via::Path(_, rule) => rule
                .properties
                .paths
                .iter()
                .any(|path| !path.starts_with("/*")),
            Via::Basic | Via::Default(_) => false,
        };
        let path = path_of(&row.uri);
        let mut http = self.evidence.observations.http.iter();
        let is_known = http.any(|one| {
            let is_good = one.status.is_some_and(|status| status < 400);
            is_good && path.is_some() && one.path == path
        });
        let own = route.setting;
        let is_answered = own.is_some_and(|own| self.answered().has_setting(&own.name, rows));
        has_prefix && (is_known || !is_answered)
    }

    /// The default of a path map answers what another pool is meant for: rows with one first part.
    fn is_a_path_rule_missing(&self, rows: &[&LogRow]) -> Option<(Finding, usize)> {
        let row = rows.first()?;
        let mut routes = self.site.routes.iter();
        let default = routes.find(|route| {
            let is_default = matches!(route.via, Via::Default(_));
            is_default && route.pool.is_some_and(|pool| pool.is_named(&row.pool))
        })?;
        let Via::Default(map) = default.via else {
            return None;
        };
        let rules = &map.properties.path_rules;
        if rules
            .iter()
            .any(|rule| is_path_of(&rule.properties.paths, &row.uri))
        {
            return None;
        }
        let title = format!(
            "No path rule of {} is for {}: it goes to the default pool {}, which answers {}.",
            map.name,
            row.uri,
            row.pool,
            row.status.unwrap_or_default()
        );
        let because = [
            self.because(&row.place, "who answered"),
            self.because(
                &in_gateway(map.pointer_to("pathRules")),
                "the paths that there are rules for",
            ),
        ];
        let first = first_part(&row.uri);
        // Where others below it are answered, it is the page that is missing.
        if !first.is_empty() && self.answered().has_below(&row.pool, first, rows) {
            return None;
        }
        let confidence = match self.answered().are_outweighed_by(rows) {
            true => Confidence::Likely,
            false => Confidence::Possible,
        };
        let pattern = format!("/{first}/*");
        // One that takes the part itself leads where its pages are.
        let of_part = rules.iter().find(|rule| {
            let mut paths = rule.properties.paths.iter();
            paths.any(|path| first_part(path).eq_ignore_ascii_case(first))
        });
        let rule = of_part.or_else(|| rules.first());
        let rule = rule.map(|rule| &rule.properties);
        let name_of = |reference: Option<&Reference>, else_: &str| {
            reference.map_or(else_, |one| last_part(&one.id)).to_owned()
        };
        let of_rule = rule.and_then(|one| one.backend_address_pool.as_ref());
        let pool = self.idle_pool_for(first).filter(|_| of_part.is_none());
        let pool = pool.unwrap_or_else(|| name_of(of_rule, "POOL"));
        let of_rule = rule.and_then(|one| one.backend_http_settings.as_ref());
        let setting = self.idle_setting_for(first);
        let setting = setting.filter(|_| of_part.is_none());
        let setting = setting.unwrap_or_else(|| name_of(of_rule, "SETTING"));
        let to = (pattern.as_str(), pool.as_str(), setting.as_str());
        let told = finding(Cause::MissingPathRule, confidence, title)
            .because(because)
            .fixed_by(
                fix(Owner::Gateway, format!("Add a path rule for {pattern}."))
                    .edit(self.create_path_rule(map, first, to))
                    .verified_by(vec![self.commands.gateway("show")]),
            );
        Some((told, rows.len()))
    }

    /// A pool that no rule uses: that which is called like the first part of a path, or the first.
    fn idle_pool_for(&self, first: &str) -> Option<String> {
        let pools = &self.evidence.gateway.properties.backend_address_pools;
        let is_used = |pool: &str| {
            let mut used = self.site.routes.iter().filter_map(|route| route.pool);
            used.any(|one| one.is_named(pool))
        };
        let mut idle = pools.iter().filter(|pool| !is_used(&pool.name));
        let named = idle.clone().find(|pool| shares_a_word(&pool.name, first));
        let idle = named.or_else(|| idle.next());
        idle.map(|pool| pool.name.clone())
    }

    /// A setting that no rule uses, and that is called like the first part of a path.
    fn idle_setting_for(&self, first: &str) -> Option<String> {
        let properties = &self.evidence.gateway.properties;
        let mut settings = properties.backend_http_settings_collection.iter();
        let is_used = |name: &str| {
            let mut used = self.site.routes.iter().filter_map(|route| route.setting);
            used.any(|one| one.is_named(name))
        };
        let idle = settings.find(|one| !is_used(&one.name) && shares_a_word(&one.name, first));
        idle.map(|one| one.name.clone())
    }
}

/// Rows by what they have in common, those that are most first; of as many, those that begin first.
/// Those that have none of it are left out.
fn grouped<'r, K: Ord>(
    rows: &[&'r LogRow],
    key_of: impl Fn(&'r LogRow) -> Option<K>,
) -> Vec<Vec<&'r LogRow>> {
    let mut groups: BTreeMap<K, (usize, Vec<&LogRow>)> = BTreeMap::new();
    for (index, row) in rows.iter().enumerate() {
        if let Some(key) = key_of(row) {
            let (_, group) = groups.entry(key).or_insert((index, Vec::new()));
            group.push(row);
        }
    }
    let mut groups: Vec<_> = groups.into_values().collect();
    groups.sort_by_key(|(first, group)| (Reverse(group.len()), *first));
    groups.into_iter().map(|(_, group)| group).collect()
}

/// Whether a host is an address, or a name that the platform gives one.
fn is_of_the_platform(host: &str) -> bool {
    let host = split_port(host).0.to_lowercase();
    host.parse::<IpAddr>().is_ok() || host.ends_with(".cloudapp.azure.com")
}

/// Of some listeners, one that has a host like this one: with most labels from the end in common,
/// and of those the fewest letters that differ.
fn nearest<'l>(listeners: &[&'l Item<HttpListener>], host: &str) -> Option<&'l Item<HttpListener>> {
    let distance = |own: &str| {
        let own = own.to_lowercase();
        let labels = own.rsplit('.').zip(host.rsplit('.'));
        let shared = labels.take_while(|(one, other)| one == other).count();
        (Reverse(shared), lookup::edits(&own, host))
    };
    let nearest = |one: &Item<HttpListener>| one.properties.hosts().map(distance).min();
    let mut listeners = listeners.to_vec();
    listeners.sort_by_key(|one| nearest(one).unwrap_or((Reverse(0), usize::MAX)));
    listeners.first().copied()
}

/// Whether one client goes on asking for the same pages of a name that the platform gave: who looks
/// for whatever there is asks for many, and mostly for an address.
fn is_somebodys_habit(host: &str, rows: &[&LogRow]) -> bool {
    let known = rows.iter().filter(|row| !row.client.is_empty());
    let known: Vec<(&str, &str)> = known.map(|row| (&*row.client, &*row.uri)).collect();
    let pages: BTreeSet<&(&str, &str)> = known.iter().collect();
    host.parse::<IpAddr>().is_err() && !known.is_empty() && known.len() >= pages.len() * 2
}

/// Whether a name has a word of a path's first part.
fn shares_a_word(name: &str, first: &str) -> bool {
    let is_break = |letter: char| !letter.is_alphanumeric();
    let mut words = first.split(is_break).filter(|word| word.len() > 2);
    words.any(|word| name.to_lowercase().contains(&word.to_lowercase()))
}

/// Whether a listener takes requests for a host: one without any takes all.
pub(super) fn takes_host(listener: &Item<HttpListener>, host: &str) -> bool {
    let mut hosts = listener.properties.hosts().peekable();
    hosts.peek().is_none() || hosts.any(|own| is_host_of(own, host))
}

/// Whether a listener's host is for a host, by the gateway's own reading of it.
pub(super) fn is_host_of(pattern: &str, host: &str) -> bool {
    // Most are no patterns, and each row of a log may ask.
    if !pattern.contains(['*', '?']) {
        return pattern.eq_ignore_ascii_case(host);
    }
    let host = host.to_ascii_lowercase();
    HostPattern::parse(pattern).is_ok_and(|pattern| pattern.matches(host.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_those_of_patterns() {
        for (pattern, host, expected) in [
            ("a.test", "A.test", true),
            ("*.a.test", "b.a.test", true),
            ("*.a.test", "a.test", false),
            ("b?.a.test", "b1.a.test", true),
            ("b?.a.test", "b.a.test", false),
            ("*a*.test", "xay.test", true),
            ("*a*.test", "x.test", false),
        ] {
            assert_eq!(is_host_of(pattern, host), expected, "{pattern} {host}");
        }
    }
}
