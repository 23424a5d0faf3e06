//! What the log's well-answered requests show: that what a few others met is no trouble of all.

use std::collections::BTreeMap;

use super::Walk;
use crate::evidence::{LogRow, split_port};

/// Of failing requests, this part of those that were answered well is no more than odd: scanners,
/// bookmarks of pages that are gone, icons that browsers look for.
const ODD_PART: usize = 20;

/// When a request of a kind was answered last, in seconds since the Unix epoch; the end of time
/// where a row does not say.
type Last<K> = BTreeMap<K, i64>;

/// Requests that a server answered with less than 400. What was answered before others began to
/// fail says nothing of them: a change may lie between.
#[derive(Debug, Default)]
pub(super) struct Answered {
    /// When, in order.
    times: Vec<i64>,
    /// By the setting, in lower case.
    settings: Last<String>,
    /// By the host that was asked for, in lower case, and the setting where it is known.
    hosts: Last<(String, Option<String>)>,
    /// By the pool, in lower case, and the first part of the path.
    below: Last<(String, String)>,
}

impl Walk<'_> {
    /// Read once: each failing row may ask.
    pub(super) fn answered(&self) -> &Answered {
        self.answered.get_or_init(|| {
            let rows = self.evidence.rows();
            let good = rows.filter(|row| row.server_status.is_some_and(|status| status < 400));
            let mut answered = Answered::default();
            for row in good {
                let setting = self.setting_of(row).map(|one| one.name.to_lowercase());
                answered.add(row, setting);
            }
            answered.times.sort_unstable();
            answered
        })
    }
}

impl Answered {
    fn add(&mut self, row: &LogRow, setting: Option<String>) {
        let time = row.time.unwrap_or(i64::MAX);
        self.times.push(time);
        for host in [&row.host, &row.original_host] {
            let host = split_port(host).0.to_lowercase();
            note(&mut self.hosts, (host, setting.clone()), time);
        }
        if let Some(setting) = setting {
            note(&mut self.settings, setting, time);
        }
        let below = (row.pool.to_lowercase(), first_part(&row.uri).to_owned());
        note(&mut self.below, below, time);
    }

    /// Whether so many rows are more than one in twenty of those that were answered well since the
    /// first of them.
    pub(super) fn are_outweighed_by(&self, rows: &[&LogRow]) -> bool {
        let first = since(rows);
        let before = self.times.partition_point(|time| *time < first);
        rows.len().saturating_mul(ODD_PART) >= self.times.len() - before
    }

    /// Whether some request by a setting was, since the first of these rows.
    pub(super) fn has_setting(&self, setting: &str, rows: &[&LogRow]) -> bool {
        is_since(&self.settings, &setting.to_lowercase(), rows)
    }

    /// Whether some request for a host was, by a setting or by one that is not known, since the
    /// first of these rows.
    pub(super) fn has_host(&self, host: &str, setting: &str, rows: &[&LogRow]) -> bool {
        let settings = [Some(setting.to_lowercase()), None];
        let mut keys = settings
            .map(|setting| (host.to_lowercase(), setting))
            .into_iter();
        keys.any(|key| is_since(&self.hosts, &key, rows))
    }

    /// Whether a pool answered some page but the first one, since the first of these rows.
    pub(super) fn has_pages(&self, pool: &str, rows: &[&LogRow]) -> bool {
        let pool = pool.to_lowercase();
        let since = since(rows);
        let mut below = self.below.iter();
        // A browser asks for files beside pages, such as `favicon.ico`.
        below.any(|((own, first), time)| {
            *own == pool && !first.is_empty() && !first.contains('.') && *time >= since
        })
    }

    /// Whether a pool answered some page below the first part of a path, since the first of these
    /// rows.
    pub(super) fn has_below(&self, pool: &str, first: &str, rows: &[&LogRow]) -> bool {
        is_since(&self.below, &(pool.to_lowercase(), first.to_owned()), rows)
    }
}

fn note<K: Ord>(last: &mut Last<K>, key: K, time: i64) {
    let known = last.entry(key).or_insert(time);
    *known = time.max(*known);
}

/// When the first of some rows was; the beginning of time where one does not say.
fn since(rows: &[&LogRow]) -> i64 {
    let times = rows.iter().map(|row| row.time.unwrap_or(i64::MIN));
    times.min().unwrap_or(i64::MIN)
}

fn is_since<K: Ord>(last: &Last<K>, key: &K, rows: &[&LogRow]) -> bool {
    last.get(key).is_some_and(|time| *time >= since(rows))
}

/// The first part of a request's path: `api` of `/api/orders?id=1`, nothing of `/`.
pub(super) fn first_part(uri: &str) -> &str {
    let path = uri.split(['?', '#']).next().unwrap_or_default();
    let mut parts = path.trim_start_matches('/').split('/');
    parts.next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(time: i64) -> LogRow {
        LogRow {
            time: Some(time),
            uri: "/api/orders?id=1".to_owned(),
            host: "App.test".to_owned(),
            pool: "Web".to_owned(),
            ..LogRow::default()
        }
    }

    #[test]
    fn what_was_answered_before_others_failed_says_nothing_of_them() {
        let mut answered = Answered::default();
        answered.add(&row(50), Some("https".to_owned()));
        let (early, late) = (row(50), row(51));
        for (rows, expected) in [([&early], true), ([&late], false)] {
            assert_eq!(answered.has_setting("HTTPS", &rows), expected);
            assert_eq!(answered.has_host("app.TEST", "https", &rows), expected);
            assert_eq!(answered.has_below("wEb", "api", &rows), expected);
        }
        assert!(!answered.has_setting("other", &[&early]));
        assert!(!answered.has_host("app.test", "other", &[&early]));
        assert!(!answered.has_below("web", "web", &[&early]));
        assert!(!answered.has_below("api", "api", &[&early]));
    }

    #[test]
    fn one_in_twenty_is_odd() {
        let mut answered = Answered::default();
        for time in 0..41 {
            answered.add(&row(time), None);
        }
        let (first, last) = (row(0), row(40));
        assert!(!answered.are_outweighed_by(&[&first, &last]));
        assert!(answered.are_outweighed_by(&[&first, &last, &last]));
        assert!(answered.are_outweighed_by(&[&last]));
    }

    #[test]
    fn paths_have_first_parts() {
        for (uri, expected) in [
            ("/api/orders?id=1", "api"),
            ("/api", "api"),
            ("/api?x=/y", "api"),
            ("/", ""),
            ("/?x=1", ""),
            ("", ""),
        ] {
            assert_eq!(first_part(uri), expected, "{uri}");
        }
    }
}
