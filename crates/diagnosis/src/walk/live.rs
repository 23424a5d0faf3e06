//! What becomes of live requests whose servers are well?

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::rc::Rc;

use gatewright_arm::Item;
use gatewright_arm::model::{BackendAddressPool, BackendHttpSettings, HttpListener};

use super::edits::Set;
use super::live_paths::{is_host_of, takes_host};
use super::{Candidate, Question, Walk, Weight, broken, finding, listed};
use crate::cause::{Cause, Owner};
use crate::evidence::{Backend, Evidence, Http, LOG, LogRow, Place, split_port};
use crate::finding::{Because, Confidence, Finding, Fix};
use crate::lookup::names_host;
use crate::remedy::{fix, word};
use crate::site::{Route, Via, in_gateway, is_path_of};

/// Requests that went to an address which a member's name has no more.
#[derive(Debug)]
pub(super) struct OldAddress {
    pool: String,
    name: String,
    /// Their positions in the log.
    rows: Vec<usize>,
    has_failed: bool,
}

/// The ways for a host, by the host in lower case and whether clients speak TLS.
pub(super) type RoutesByHost = BTreeMap<(String, Option<bool>), Rc<Vec<(usize, usize)>>>;

/// The status of a connection that was switched to a WebSocket.
const SWITCHED: u16 = 101;
/// When a WebSocket that the gateway ends for its silence ends, as parts of the setting's time.
const CUT: (f64, f64) = (0.99, 1.05);

/// Where in the setting's time an answer that never came ends, as parts of that time.
const GAVE_UP: f64 = 0.95;

/// Rows of requests that the gateway, or its backend, failed.
pub(super) fn failures(evidence: &Evidence) -> impl Iterator<Item = &LogRow> {
    let rows = evidence.rows();
    // That a method or a version of HTTP is not known is who asks for it to mend, unless it is most
    // of what is asked.
    let of_clients = rows.clone().filter(|row| is_of_client(row)).count();
    let are_most = of_clients * 2 > rows.clone().count();
    rows.filter(move |row| is_failure(row) && (are_most || !is_of_client(row)))
}

fn is_failure(row: &LogRow) -> bool {
    row.status.is_some_and(|status| status >= 500)
}

fn is_of_client(row: &LogRow) -> bool {
    matches!(row.status, Some(501 | 505))
}

pub(super) fn refusals(evidence: &Evidence) -> impl Iterator<Item = &LogRow> {
    let rows = evidence.rows();
    rows.filter(|row| {
        row.status
            .is_some_and(|status| (400..500).contains(&status))
    })
}

impl Walk<'_> {
    pub(super) fn do_servers_get_live_requests(&mut self) {
        let asked = "What becomes of live requests?";
        let questions: [Question<Self, usize>; 11] = [
            Self::is_another_service_asked,
            Self::is_the_address_of_yesterday,
            Self::is_the_target_gone,
            Self::does_the_shared_host_know_the_name,
            Self::is_another_name_asked_for_live,
            Self::did_the_time_run_out,
            Self::is_there_a_listener,
            Self::is_a_path_rewritten,
            Self::does_the_backend_break_off,
            Self::does_the_backend_close_first,
            Self::is_it_the_backends_own_error,
        ];
        let log = self.evidence.rows();
        let log: Vec<&LogRow> = log.collect();
        let old = self
            .old_addresses
            .get_or_init(|| self.rows_of_old_addresses());
        let rows = old.iter().flat_map(|one| &one.rows);
        let rows = rows.filter_map(|index| log.get(*index));
        let old: BTreeSet<Place> = rows.map(|row| row.place.clone()).collect();
        let mut told = Vec::new();
        for question in questions {
            if let Some((found, reach)) = question(self) {
                // What became of a request elsewhere says nothing of this server.
                let is_elsewhere = |one: &Because| old.contains(&one.place);
                if found.cause != Cause::DnsStaleCache && found.because.iter().any(is_elsewhere) {
                    continue;
                }
                told.push(found.title.clone());
                let weight = match self.is_old_news(&found) {
                    true => Weight::Beside,
                    false => Weight::Requests,
                };
                self.find(weight, reach, found);
            }
        }
        let count = failures(self.evidence).count();
        match (told.first(), self.evidence.log.is_some()) {
            (Some(first), _) => self.step(
                asked,
                first.clone(),
                "requests fail though servers are well",
            ),
            (None, true) => self.step(
                asked,
                format!("{count} rows of the log failed"),
                "they say no more",
            ),
            (None, false) => {
                self.step(asked, "there is no log", "it cannot be judged");
                let gateway = self.evidence.gateway.resource_id();
                let id = gateway.map(|id| id.to_string()).unwrap_or_default();
                let command = format!(
                    "az monitor log-analytics query -w WORKSPACE --analytics-query \
                     \"AGWAccessLogs | \
                     where _ResourceId =~ '{id}' and HttpStatus >= 400 | take 500\" -o json > {LOG}"
                );
                self.need(LOG, "it says who answered what, after which time", command);
            }
        }
    }

    /// Whether all that a finding rests on in the log was over a day before the log ends.
    fn is_old_news(&self, found: &Finding) -> bool {
        const DAY_SECONDS: i64 = 24 * 60 * 60;
        let Some(end) = self.evidence.rows().filter_map(|row| row.time).max() else {
            return false;
        };
        let own = found.because.iter().filter(|one| one.place.file == LOG);
        let own: BTreeSet<&Place> = own.map(|one| &one.place).collect();
        let mut rows = self.evidence.rows().filter(|row| own.contains(&row.place));
        !own.is_empty() && rows.all(|row| row.time.is_some_and(|time| time + DAY_SECONDS < end))
    }

    /// Whether somebody who asked the gateway, and no server behind it, got an error.
    pub(super) fn has_a_client_seen_it_fail(&self) -> bool {
        let listeners = self.evidence.gateway.properties.http_listeners.iter();
        let hosts: Vec<&str> = listeners.flat_map(|one| one.properties.hosts()).collect();
        let is_of_server = |one: &Http| {
            let mut targets = self.site.targets.iter();
            targets.any(|target| {
                let address = &target.row.address;
                names_host(&one.server, address) || names_host(&one.request, address)
            })
        };
        let mut http = self.evidence.observations.http.iter();
        http.any(|one| {
            let has_failed = one.status.is_some_and(|status| status >= 500);
            let host = one.host();
            let is_meant = host.is_some_and(|host| hosts.iter().any(|own| is_host_of(own, host)));
            has_failed && is_meant && !is_of_server(one)
        })
    }

    pub(super) fn setting_of<'w>(&'w self, row: &LogRow) -> Option<&'w Item<BackendHttpSettings>> {
        let settings = &self
            .evidence
            .gateway
            .properties
            .backend_http_settings_collection;
        let named = settings.iter().find(|one| one.is_named(&row.setting));
        let by_rule = || {
            let routes = self.site.routes.iter();
            let mut own = routes.filter(|route| route.rule.is_named(&row.rule));
            own.find_map(|route| route.setting)
        };
        let only = || match settings.as_slice() {
            [only] => Some(only),
            _ => None,
        };
        let by_host = || self.route_of(row)?.setting;
        named.or_else(by_rule).or_else(only).or_else(by_host)
    }

    /// The way of a request whose row names no rule, by its host and path: the first generation's
    /// rows name none.
    pub(super) fn route_of(&self, row: &LogRow) -> Option<&Route<'_>> {
        let path = row.uri.split('?').next().unwrap_or_default();
        let routes = self.routes_for(row.asked_host(), row.is_encrypted);
        let ways = routes.iter().filter_map(|(by_host, index)| {
            let route = self.site.routes.get(*index)?;
            let by_path = match route.via {
                Via::Path(_, rule) if is_path_of(&rule.properties.paths, path) => 0,
                Via::Path(..) => return None,
                Via::Basic | Via::Default(_) => 1,
            };
            Some(((*by_host, by_path), route))
        });
        let best = ways.min_by_key(|(rank, _)| *rank);
        best.map(|(_, route)| route)
    }

    /// The ways that requests for a host may take, by their positions, each with its rank: the
    /// lowest is tried first. A log asks for few hosts, and often.
    fn routes_for(&self, host: &str, is_encrypted: Option<bool>) -> Rc<Vec<(usize, usize)>> {
        let key = (host.to_lowercase(), is_encrypted);
        let mut known = self.routes_by_host.borrow_mut();
        let ranked = || {
            let routes = self.site.routes.iter().enumerate();
            let ranked = routes.filter_map(|(index, route)| {
                let listener = route.listener?;
                let protocol = listener.properties.protocol.zip(is_encrypted);
                let is_other = protocol.is_some_and(|(own, asked)| own.is_encrypted() != asked);
                let rank = self.rank_of(index, listener, host)?;
                (!is_other).then_some((rank, index))
            });
            Rc::new(ranked.collect())
        };
        Rc::clone(known.entry(key).or_insert_with(ranked))
    }

    fn rank_of(&self, index: usize, listener: &Item<HttpListener>, host: &str) -> Option<usize> {
        let mut own = listener.properties.hosts().peekable();
        if self.evidence.gateway.is_v1() {
            // The first rule of the list that takes it.
            return takes_host(listener, host).then_some(index);
        }
        if own.peek().is_none() {
            return Some(2);
        }
        let ranks = own.filter_map(|own| match is_host_of(own, host) {
            true => Some(usize::from(!own.eq_ignore_ascii_case(host))),
            false => None,
        });
        ranks.min()
    }

    fn did_the_time_run_out(&mut self) -> Option<(Finding, usize)> {
        let found = self.timed_out();
        let (row, setting, limit) = *found.first()?;
        let time = row.time_taken.or(row.server_latency);
        let time = time
            .map(|time| format!("{time:.1} s"))
            .unwrap_or_else(|| "its time".to_owned());
        let is_switched = row.status == Some(SWITCHED);
        let title = match is_switched {
            true => format!(
                "Nothing comes over WebSockets for longer than the {limit} s of the backend \
                 setting {}: the gateway ends them after {time}.",
                setting.name
            ),
            false => format!(
                "The backend takes longer to answer than the {limit} s of the backend setting {}: \
                 the gateway gives up after {time}.",
                setting.name
            ),
        };
        // That they end so by themselves is no more than unlikely.
        let confidence = match is_switched && row.error.is_empty() {
            true => Confidence::Likely,
            false => Confidence::Certain,
        };
        let place = in_gateway(setting.pointer_to("requestTimeout"));
        let because = [
            self.because(&row.place, format!("given up after {time}")),
            self.because(&place, format!("how long it waits: {limit} s")),
        ];
        let mut told = finding(Cause::RequestTimeout, confidence, title).because(because);
        let look = match is_switched {
            true => format!("Or have the server send a ping more often than every {limit} s."),
            false => "Find out what is slow there, or give it more servers.".to_owned(),
        };
        for fix in self.wait_longer(setting, limit, look) {
            told = told.fixed_by(fix);
        }
        Some((told, found.len()))
    }

    /// Requests that the gateway gave up, each with the setting and its limit in seconds.
    fn timed_out(&self) -> Vec<(&LogRow, &Item<BackendHttpSettings>, i32)> {
        let is_v1 = self.evidence.gateway.is_v1();
        // What was switched to a WebSocket has the status of that.
        let is_said = |row: &&LogRow| row.error.to_uppercase().contains("UPSTREAM_TIMED_OUT");
        let rows = self.evidence.rows();
        let rows = rows
            .filter(|row| is_failure(row) || is_said(row))
            .filter_map(|row| {
                let setting = self.setting_of(row)?;
                let limit = setting.properties.request_timeout.unwrap_or(30);
                let is_status = row.status == Some(504) || is_v1 && row.status == Some(502);
                let taken = [row.time_taken, row.server_latency].into_iter().flatten();
                let taken = taken.fold(0.0, f64::max);
                let is_over = taken >= f64::from(limit) * GAVE_UP;
                // What ended sooner ran out of another time, such as that to connect.
                let is_said = is_said(&row) && (is_over || taken == 0.0);
                (is_status && is_over || is_said).then_some((row, setting, limit))
            });
        let failed: Vec<_> = rows.collect();
        match failed.is_empty() {
            true => self.cut_at_the_limit(),
            false => failed,
        }
    }

    /// WebSockets that end when the setting's time is over, as most of that setting do: what no row
    /// calls an error.
    fn cut_at_the_limit(&self) -> Vec<(&LogRow, &Item<BackendHttpSettings>, i32)> {
        const ROWS_MIN: usize = 3;
        let rows = self.evidence.rows();
        let switched = rows.filter(|row| row.status == Some(SWITCHED));
        let mut by_setting: BTreeMap<&str, (usize, Vec<_>)> = BTreeMap::new();
        for row in switched {
            let Some(setting) = self.setting_of(row) else {
                continue;
            };
            let limit = setting.properties.request_timeout.unwrap_or(30);
            let (all, cut) = by_setting.entry(&setting.name).or_default();
            *all += 1;
            let part = row.time_taken.map(|taken| taken / f64::from(limit.max(1)));
            if part.is_some_and(|part| (CUT.0..=CUT.1).contains(&part)) {
                cut.push((row, setting, limit));
            }
        }
        let mut found = by_setting.into_values();
        let found = found.find(|(all, cut)| cut.len() >= ROWS_MIN && cut.len() * 2 > *all);
        found.map(|(_, cut)| cut).unwrap_or_default()
    }

    fn wait_longer(
        &self,
        setting: &Item<BackendHttpSettings>,
        limit: i32,
        look: String,
    ) -> Vec<Fix> {
        let more = limit.saturating_mul(2).max(60);
        let set = Set::number("--timeout", "requestTimeout", more.into());
        let longer = "Let the gateway wait longer than the slowest answer takes.";
        let wait = fix(Owner::Gateway, longer)
            .edit(self.update_setting(Some(setting), &[set]))
            .risking("Requests to a server that hangs hold their connection so much longer.")
            .verified_by(vec![format!(
                "{} --query \"backendHttpSettingsCollection[?name=='{}'].requestTimeout\"",
                self.commands.gateway("show"),
                setting.name
            )]);
        vec![wait, fix(Owner::Backend, look)]
    }

    fn is_it_the_backends_own_error(&mut self) -> Option<(Finding, usize)> {
        if self.has_requests_explained() {
            return None;
        }
        let rows = failures(self.evidence);
        let own: Vec<&LogRow> = rows.filter(|row| row.server_status == row.status).collect();
        let first = own.first()?;
        let status = first.status.unwrap_or_default();
        let server = first.server.clone();
        let title = format!(
            "{} answers with {status} itself; the gateway passes it on.",
            if server.is_empty() {
                "The backend"
            } else {
                &server
            }
        );
        let because = self.because(&first.place, format!("the server's own status is {status}"));
        // Of its own failures the gateway says 502 there too.
        let confidence = match status {
            502 | 504 => Confidence::Likely,
            _ => Confidence::Certain,
        };
        let told = finding(Cause::Backend5xxRelayed, confidence, title)
            .because([because])
            .fixed_by(
                fix(
                    Owner::Backend,
                    "Look into the application's log for the time of these requests.",
                )
                .run(self.ask_as(first)),
            );
        let told = self.ask_others(told, &own);
        Some((told, own.len()))
    }

    /// The same of the other servers that answered so, a few.
    fn ask_others(&self, mut told: Finding, rows: &[&LogRow]) -> Finding {
        const SERVERS_MAX: usize = 3;
        let mut servers: Vec<&LogRow> = Vec::new();
        for row in rows {
            if servers.len() == SERVERS_MAX {
                break;
            }
            if servers.iter().all(|known| known.server != row.server) {
                servers.push(row);
            }
        }
        if let Some(fix) = told.fixes.first_mut() {
            let others = servers.iter().skip(1);
            fix.commands.extend(others.map(|row| self.ask_as(row)));
        }
        told
    }

    /// A request of the log, made again past the gateway.
    pub(super) fn ask_as(&self, row: &LogRow) -> String {
        let setting = self.setting_of(row);
        let protocol = setting.and_then(|setting| setting.properties.protocol);
        let is_encrypted = protocol.is_some_and(|protocol| protocol.is_encrypted());
        let scheme = if is_encrypted { "https" } else { "http" };
        let host = [&row.host, &row.original_host];
        let host = host.into_iter().find(|host| !host.is_empty());
        let header = host.map(|host| format!("-H {} ", word(&format!("Host: {host}"))));
        let url = word(&format!("{scheme}://{}{}", row.server, row.uri));
        format!("curl -isk {}{url}", header.unwrap_or_default())
    }

    fn has_requests_explained(&self) -> bool {
        self.candidates
            .iter()
            .any(|one| one.weight == Weight::Requests)
    }

    fn does_the_backend_close_first(&mut self) -> Option<(Finding, usize)> {
        let rows = failures(self.evidence);
        let closed: Vec<&LogRow> = rows
            .filter(|row| {
                row.error
                    .to_uppercase()
                    .contains("UPSTREAM_CLOSED_CONNECTION")
            })
            .collect();
        let seen = failures(self.evidence)
            .find(|row| row.is_reused == Some(true) && broken::is_unanswered(row));
        if let Some(row) = seen {
            return Some((self.closed_between_requests(row), 1));
        }
        let backends = self.evidence.observations.backends.iter();
        let mut short =
            backends.filter(|one| one.keep_alive_seconds.is_some_and(|time| time < 60.0));
        let is_failing_at = |one: &&Backend| {
            let is_own = |row: &LogRow| {
                one.address.is_empty()
                    || row.server.is_empty()
                    || names_host(&row.server, &split_port(&one.address).0)
            };
            failures(self.evidence).any(is_own)
        };
        let short: Vec<&Backend> = short.by_ref().filter(is_failing_at).collect();
        let addresses: Vec<String> = short.iter().map(|one| one.address.clone()).collect();
        let short = short.first();
        let first = closed.first().map(|row| row.place.clone());
        let short = short?;
        // One that fails within a few milliseconds met a connection that was closed already.
        const INSTANT_SECONDS: f64 = 0.005;
        let is_instant = |row: &LogRow| row.time_taken.is_some_and(|time| time < INSTANT_SECONDS);
        let is_unanswered = |row: &LogRow| {
            row.status == Some(502) && (row.server_status.is_none() || is_instant(row))
        };
        let has_failures = first.is_some() || failures(self.evidence).any(is_unanswered);
        if !has_failures {
            return None;
        }
        let seconds = short.keep_alive_seconds.unwrap_or_default();
        let title = format!(
            "{} closes idle connections after {seconds} s, before the gateway stops using them \
             again.",
            if short.address.is_empty() {
                "The backend"
            } else {
                &short.address
            }
        );
        let mut because = vec![self.because(&short.place, "how long it keeps idle connections")];
        because.extend(
            first.map(|place| self.because(&place, "the connection was closed unanswered")),
        );
        let told = finding(Cause::KeepaliveRace, Confidence::Likely, title)
            .because(because)
            .fixed_by(broken::keep_longer(&listed(&addresses)));
        Some((told, closed.len()))
    }

    fn is_the_address_of_yesterday(&mut self) -> Option<(Finding, usize)> {
        let is_told = |one: &Candidate| one.finding.cause == Cause::DnsStaleCache;
        if self.candidates.iter().any(is_told) {
            return None;
        }
        let old = self
            .old_addresses
            .get_or_init(|| self.rows_of_old_addresses());
        let all = old.iter().filter(|one| one.has_failed);
        let first = all.max_by_key(|one| one.rows.len())?;
        Some((self.sent_to_an_old_address(first)?, first.rows.len()))
    }

    /// A server that fails since the gateway uses an address that its name has no more: what
    /// answers there, or does not, is another machine.
    pub(super) fn probed_at_an_old_address(&mut self, index: usize) -> Option<Finding> {
        let target = self.site.targets.get(index)?;
        let pool = target.pool?;
        let old = self
            .old_addresses
            .get_or_init(|| self.rows_of_old_addresses());
        let own = old.iter().find(|one| {
            pool.is_named(&one.pool) && one.name.eq_ignore_ascii_case(&target.row.address)
        })?;
        let found = self.sent_to_an_old_address(own)?;
        let place = self.because(&target.row.place, "what its probe comes to");
        Some(found.because([place]))
    }

    /// Of each pool, the requests that went to an address which none of its members has. Nothing is
    /// said where one of its members may have any.
    fn rows_of_old_addresses(&self) -> Vec<OldAddress> {
        let pools = &self.evidence.gateway.properties.backend_address_pools;
        let mut by_pool: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (index, row) in self.evidence.rows().enumerate() {
            let pool = match (row.pool.as_str(), pools.as_slice()) {
                ("", [only]) => Some(only.name.as_str()),
                ("", _) => self
                    .route_of(row)
                    .and_then(|route| route.pool)
                    .map(|one| &*one.name),
                (named, _) => Some(named),
            };
            let pool = pool.map(str::to_lowercase);
            by_pool
                .entry(pool.unwrap_or_default())
                .or_default()
                .push(index);
        }
        let old = pools.iter().filter_map(|pool| {
            let rows = by_pool.get(&pool.name.to_lowercase())?;
            self.old_address_of(pool, rows)
        });
        old.collect()
    }

    fn old_address_of(
        &self,
        pool: &Item<BackendAddressPool>,
        rows: &[usize],
    ) -> Option<OldAddress> {
        let own = &pool.properties;
        if !own.backend_ip_configurations.is_empty() {
            return None;
        }
        let members = &own.backend_addresses;
        let mut known: BTreeSet<String> = members
            .iter()
            .filter_map(|one| one.ip_address.clone())
            .collect();
        let names: Vec<&str> = members
            .iter()
            .filter_map(|one| one.fqdn.as_deref())
            .collect();
        for name in &names {
            let answers = self.answers_to_gateway(name);
            if answers.is_empty() {
                return None;
            }
            known.extend(answers.into_iter().flat_map(|one| one.answers));
        }
        let log = self.evidence.log.as_ref()?;
        let mut old: Vec<usize> = Vec::new();
        let mut host = String::new();
        for index in rows {
            let address = split_port(&log.get(*index)?.server).0;
            if address.parse::<IpAddr>().is_ok() && !known.contains(&address) {
                old.push(*index);
                host = address;
            }
        }
        old.first()?;
        // Of several names, the one that was seen to have had it.
        let had = |name: &&&str| {
            let mut answers = self.answers_for(name);
            answers.any(|one| one.answers.contains(&host))
        };
        let name = match names.as_slice() {
            [only] => only,
            all => all.iter().find(had)?,
        };
        let has_failed = old.iter().any(|index| {
            let status = log.get(*index).and_then(|row| row.status);
            status.is_some_and(|status| status >= 400)
        });
        Some(OldAddress {
            pool: pool.name.clone(),
            name: (*name).to_owned(),
            rows: old,
            has_failed,
        })
    }

    /// That requests to a member with a name went to an address that it has no more.
    fn sent_to_an_old_address(&self, old: &OldAddress) -> Option<Finding> {
        let mut pools = self
            .evidence
            .gateway
            .properties
            .backend_address_pools
            .iter();
        let pool = pools.find(|pool| pool.is_named(&old.pool))?;
        let answers = self.answers_to_gateway(&old.name);
        let now = answers.first()?;
        let first = self.evidence.log.as_ref()?.get(*old.rows.first()?)?;
        let (host, _) = split_port(&first.server);
        let title = format!(
            "{} is {} now, and the gateway still sends requests to {host}, which it was before.",
            old.name,
            listed(&now.answers)
        );
        let because = [
            self.because(&first.place, format!("the request went to {host}")),
            self.because(
                &now.place,
                format!("what the name has now: {}", listed(&now.answers)),
            ),
        ];
        let members = pool.properties.backend_addresses.iter();
        let members = members.filter_map(|one| one.fqdn.as_deref().or(one.ip_address.as_deref()));
        let members: Vec<String> = members.map(word).collect();
        let write = self.commands.part(
            "address-pool update",
            &pool.name,
            &format!("--servers {}", members.join(" ")),
        );
        let again = "Write the pool again: the gateway then looks the name up anew.";
        let anew = "Where that does not help, start the gateway anew.";
        let told = finding(Cause::DnsStaleCache, Confidence::Certain, title)
            .because(because)
            .fixed_by(
                fix(Owner::Gateway, again)
                    .run(write)
                    .verified_by(self.commands.verify_health()),
            )
            .fixed_by(
                fix(Owner::Gateway, anew)
                    .run(self.commands.gateway("stop"))
                    .run(self.commands.gateway("start"))
                    .risking("No request is answered in between."),
            );
        Some(told)
    }

    fn is_the_target_gone(&mut self) -> Option<(Finding, usize)> {
        let failing: Vec<usize> = self
            .site
            .targets
            .iter()
            .enumerate()
            .filter(|(_, target)| {
                let mut rows = self.rows_at(&target.row.address).into_iter();
                rows.any(is_failure)
            })
            .map(|(index, _)| index)
            .collect();
        let found = failing
            .into_iter()
            .find_map(|index| self.stale_target(index));
        found.map(|found| (found, 1))
    }
}
