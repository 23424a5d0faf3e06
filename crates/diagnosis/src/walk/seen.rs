//! What was seen of each server, by its address: every server that fails asks, and there may be a
//! thousand of them and a long log.

use std::collections::{BTreeMap, BTreeSet};

use super::Walk;
use crate::evidence::{Http, LogRow, Tcp, split_port};
use crate::lookup::hosts_named;
use crate::site::Target;

/// Positions in a list of the evidence, in order, by a host in lower case.
type ByHost = BTreeMap<String, Vec<usize>>;

#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Rows of the log, by the server that the request was sent to.
    rows: ByHost,
    /// Connections, by the host that they were made to.
    tcp: ByHost,
    /// Requests that somebody made, by each server that they name.
    http: ByHost,
    /// Those that name no server.
    http_of_any: Vec<usize>,
}

impl Walk<'_> {
    fn seen(&self) -> &Seen {
        self.seen.get_or_init(|| {
            let rows = self.evidence.rows();
            let rows = rows.map(|row| split_port(&row.server).0.to_lowercase());
            let tcp = self.evidence.observations.tcp.iter();
            let tcp = tcp.map(|one| one.host.to_lowercase());
            let mut seen = Seen {
                rows: by_host(rows),
                tcp: by_host(tcp),
                ..Seen::default()
            };
            seen.sort_requests(self);
            seen
        })
    }

    /// The log's requests to a server.
    pub(super) fn rows_at(&self, address: &str) -> Vec<&LogRow> {
        let log = self.evidence.log.as_deref().map_or(&[][..], Vec::as_slice);
        let found = self.seen().rows.get(&address.to_lowercase());
        let rows = found.into_iter().flatten();
        rows.filter_map(|index| log.get(*index)).collect()
    }

    /// The connections that somebody made to any of these hosts.
    pub(super) fn connections_to(
        &self,
        hosts: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> Vec<&Tcp> {
        let hosts: BTreeSet<String> = hosts
            .into_iter()
            .map(|host| host.as_ref().to_lowercase())
            .collect();
        let found = hosts.iter().filter_map(|host| self.seen().tcp.get(host));
        let mut found: Vec<usize> = found.flatten().copied().collect();
        found.sort_unstable();
        let tcp = &self.evidence.observations.tcp;
        found.iter().filter_map(|index| tcp.get(*index)).collect()
    }

    /// The requests, made by somebody, that a server answered: those that name it, be it as the
    /// host that is asked for, and then those that name no server at all.
    pub(super) fn requests_to(&self, target: &Target<'_>) -> impl Iterator<Item = &Http> {
        let seen = self.seen();
        let own = seen.http.get(&target.row.address.to_lowercase());
        let all = own.into_iter().flatten().chain(&seen.http_of_any);
        all.filter_map(|index| self.evidence.observations.http.get(*index))
    }
}

impl Seen {
    fn sort_requests(&mut self, walk: &Walk<'_>) {
        let targets = walk.site.targets.iter();
        let known: BTreeSet<String> = targets
            .map(|target| target.row.address.to_lowercase())
            .collect();
        for (index, one) in walk.evidence.observations.http.iter().enumerate() {
            let named = hosts_named(&one.server).chain(hosts_named(&one.request));
            let named: BTreeSet<String> = named
                .map(str::to_lowercase)
                .filter(|host| known.contains(host))
                .collect();
            if named.is_empty() {
                self.http_of_any.push(index);
            }
            for host in named {
                self.http.entry(host).or_default().push(index);
            }
        }
    }
}

fn by_host(hosts: impl Iterator<Item = String>) -> ByHost {
    let mut by_host = ByHost::new();
    for (index, host) in hosts.enumerate() {
        by_host.entry(host).or_default().push(index);
    }
    by_host
}
