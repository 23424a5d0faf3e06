//! Rules, and paths of a map, that are tried before others and take what those are for.

use std::collections::{BTreeMap, BTreeSet};

use gatewright_arm::model::{HttpListener, PathRule, RequestRoutingRule, UrlPathMap};
use gatewright_arm::{Item, Reference};

use super::edits::{Edit, Set};
use super::live_paths::takes_host;
use super::{Walk, finding, listed};
use crate::cause::{Cause, Owner};
use crate::evidence::view::last_part;
use crate::evidence::{LogRow, Place, split_port};
use crate::finding::{Because, Confidence, Finding, Fix};
use crate::remedy::{fix, word};
use crate::site::{Via, in_gateway, is_path_of};

/// The priority of the rule that is tried last.
const LAST_PRIORITY: i32 = 20_000;

/// A rule with what decides whether a request comes to it.
struct Tried<'e> {
    rule: &'e Item<RequestRoutingRule>,
    /// Its priority; where rules have none, its place in the list.
    position: usize,
    port: u16,
    listener: &'e Item<HttpListener>,
}

impl Walk<'_> {
    /// What the log shows to have gone to a rule, or a path rule, that was tried too early; after
    /// how many requests that shows.
    pub(super) fn does_an_earlier_rule_take_them(&self) -> Option<(usize, Finding)> {
        self.does_an_earlier_listener_take_them()
            .map(|found| (1, found))
            .or_else(|| self.does_an_earlier_path_take_them())
    }

    /// A rule, or a path rule, that gets nothing because of one that is tried before it, by the
    /// configuration alone.
    pub(super) fn rule_that_gets_nothing(&self) -> Option<Finding> {
        self.shadowed_rule().or_else(|| self.shadowed_path())
    }

    /// As [`Walk::rule_that_gets_nothing`], where no request is known: nobody may ask for it.
    pub(super) fn unproven_rule_that_gets_nothing(&self) -> Option<Finding> {
        let mut found = self.rule_that_gets_nothing()?;
        // Where requests are known, they are others.
        let is_unknown = self.evidence.log.is_none() && self.evidence.observations.http.is_empty();
        found.confidence = match is_unknown {
            true => found.confidence.min(Confidence::Likely),
            false => Confidence::Possible,
        };
        let assumes =
            "that clients ask for what the later one is for: nothing here shows a request";
        found.assumes = Some(assumes.to_owned());
        Some(found)
    }

    /// A listener with a wildcard, or without a host, that took what another one names.
    fn does_an_earlier_listener_take_them(&self) -> Option<Finding> {
        let tried = self.tried();
        let is_v1 = self.evidence.gateway.is_v1();
        let mut seen = BTreeSet::new();
        let mut rows = self.evidence.rows().filter(|row| {
            // Of a long log, each of its few hosts and servers once.
            seen.insert((&row.listener, row.asked_host(), &row.server))
        });
        let (row, earlier, later) = rows.find_map(|row| match row.listener.is_empty() {
            false => taken_by_named(row, &tried),
            true if is_v1 => self.taken_by_first(row, &tried),
            true => None,
        })?;
        let host = split_port(row.asked_host()).0.to_lowercase();
        let title = format!(
            "The rule {} is tried before {}, and its listener {} takes requests for {host}, which \
             {} is for.",
            earlier.rule.name, later.rule.name, earlier.listener.name, later.listener.name
        );
        let says = match row.listener.is_empty() {
            false => format!("the listener {} took it", earlier.listener.name),
            true => format!("a server of the rule {} got it", earlier.rule.name),
        };
        Some(
            finding(Cause::RuleOrder, Confidence::Certain, title)
                .because([self.because(&row.place, says)])
                .because(self.in_this_order(earlier, later))
                .fixed_by(self.try_before(earlier, later)),
        )
    }

    /// The rules that took a request which names no listener, as those of the first generation do,
    /// and that it was meant for: told by the server that got it.
    fn taken_by_first<'t>(
        &self,
        row: &'t LogRow,
        tried: &'t [Tried<'t>],
    ) -> Option<(&'t LogRow, &'t Tried<'t>, &'t Tried<'t>)> {
        let (server, _) = split_port(&row.server);
        let host = split_port(row.asked_host()).0;
        let has_server = |one: &Tried<'_>| self.has_server(one, &server);
        let later = tried.iter().find(|one| one.names(&host))?;
        let mut before = tried
            .iter()
            .filter(|one| one.position < later.position && one.is_beside(later));
        let earlier = before.find(|one| one.takes(&host))?;
        (!server.is_empty() && has_server(earlier) && !has_server(later))
            .then_some((row, earlier, later))
    }

    /// Whether a server is one of those that a rule leads to.
    fn has_server(&self, one: &Tried<'_>, server: &str) -> bool {
        let mut routes = self.site.routes.iter();
        routes.any(|route| {
            let pool = route.pool.filter(|_| route.rule.is_named(&one.rule.name));
            let mut targets = self.site.targets.iter();
            pool.is_some_and(|pool| {
                targets.any(|target| {
                    pool.is_named(&target.row.pool)
                        && target.row.address.eq_ignore_ascii_case(server)
                })
            })
        })
    }

    /// A rule whose listener's hosts an earlier listener takes all of, and that got no request.
    fn shadowed_rule(&self) -> Option<Finding> {
        let tried = self.tried();
        let got_one = |later: &Tried<'_>| {
            let mut rows = self.evidence.rows();
            rows.any(|row| match row.listener.is_empty() {
                false => later.listener.is_named(&row.listener),
                true => {
                    later.names(&split_port(row.asked_host()).0)
                        && self.has_server(later, &split_port(&row.server).0)
                }
            })
        };
        // Of a thousand, those that may take another's host are few.
        let (patterns, exact): (Vec<_>, Vec<_>) = tried.iter().partition(|one| one.has_patterns());
        let mut by_host: BTreeMap<String, Vec<&Tried<'_>>> = BTreeMap::new();
        for one in exact {
            for host in one.listener.properties.hosts() {
                by_host.entry(host.to_lowercase()).or_default().push(one);
            }
        }
        let (earlier, later) = tried.iter().find_map(|later| {
            let host = later.listener.properties.hosts().next()?.to_lowercase();
            let alike = by_host.get(&host).into_iter().flatten();
            let takers = patterns.iter().chain(alike);
            let takers = takers.filter(|earlier| earlier.takes_all_of(later));
            let earlier = takers.min_by_key(|earlier| earlier.position)?;
            (!got_one(later)).then_some((*earlier, later))
        })?;
        let hosts = later.listener.properties.hosts();
        let hosts: Vec<String> = hosts.map(str::to_owned).collect();
        let title = format!(
            "The rule {} is tried before {}, and its listener takes requests for {}, which {} is \
             for.",
            earlier.rule.name,
            later.rule.name,
            listed(&hosts),
            later.rule.name
        );
        // One that leads all away may well stand first on purpose.
        let is_redirect = |one: &Tried<'_>| one.rule.properties.redirect_configuration.is_some();
        let confidence = match is_redirect(earlier) && !is_redirect(later) {
            true => Confidence::Possible,
            false => Confidence::Certain,
        };
        Some(
            finding(Cause::RuleOrder, confidence, title)
                .because(self.in_this_order(earlier, later))
                .fixed_by(self.try_before(earlier, later)),
        )
    }

    /// The rules that requests are compared with.
    fn tried(&self) -> Vec<Tried<'_>> {
        let gateway = &self.evidence.gateway;
        let rules = &gateway.properties.request_routing_rules;
        let tried = rules.iter().enumerate().filter_map(|(index, rule)| {
            let reference = rule.properties.http_listener.as_ref()?;
            let listener: &Item<HttpListener> = gateway.resolve(reference)?;
            // The first generation tries them as they stand in the list.
            let position = match gateway.is_v1() {
                true => index,
                false => usize::try_from(rule.properties.priority?).ok()?,
            };
            Some(Tried {
                rule,
                position,
                port: self.port_of(listener)?,
                listener,
            })
        });
        let mut tried: Vec<Tried<'_>> = tried.collect();
        tried.sort_by_key(|one| one.position);
        tried
    }

    fn in_this_order(&self, earlier: &Tried<'_>, later: &Tried<'_>) -> [Because; 2] {
        let place = |one: &Tried<'_>| match one.rule.properties.priority {
            Some(_) => in_gateway(one.rule.pointer_to("priority")),
            None => in_gateway(one.rule.pointer_to("name")),
        };
        let (first, second): (Place, Place) = (place(earlier), place(later));
        [
            self.because(&first, "tried earlier"),
            self.because(&second, "tried later"),
        ]
    }

    /// Has a rule tried before another one.
    fn try_before(&self, earlier: &Tried<'_>, later: &Tried<'_>) -> Fix {
        let hosts: Vec<String> = later
            .listener
            .properties
            .hosts()
            .map(str::to_owned)
            .collect();
        let (earlier, later) = (earlier.rule, later.rule);
        let of = match hosts.is_empty() {
            true => String::new(),
            false => format!(", which is for {},", listed(&hosts)),
        };
        let summary = format!("Have {}{of} tried before {}.", later.name, earlier.name);
        let mend = fix(Owner::Gateway, summary);
        let verify = vec![self.commands.gateway("show")];
        if self.evidence.gateway.is_v1() {
            let [delete, create] = self.put_rule_last(earlier);
            return mend
                .edit(delete)
                .edit(create)
                .risking(format!(
                    "Between the two, nobody answers what {} alone is for.",
                    earlier.name
                ))
                .verified_by(verify);
        }
        let rules = &self.evidence.gateway.properties.request_routing_rules;
        let first = earlier.properties.priority.unwrap_or(100);
        let taken = rules.iter().filter_map(|rule| rule.properties.priority);
        let taken: Vec<i32> = taken.collect();
        let free = (1..first).rev().find(|one| !taken.contains(one));
        let (rule, priority) = match free {
            Some(priority) => (later, priority),
            None => {
                let behind = (1..=LAST_PRIORITY).rev().find(|one| !taken.contains(one));
                (earlier, behind.unwrap_or(LAST_PRIORITY))
            }
        };
        let set = Set::number("--priority", "priority", priority.into());
        mend.edit(self.update("rule update", rule, &[set]))
            .verified_by(verify)
    }

    /// Takes a rule away and makes it anew, which puts it behind the others: rules of the first
    /// generation have no priority.
    fn put_rule_last(&self, rule: &Item<RequestRoutingRule>) -> [Edit; 2] {
        let own = &rule.properties;
        let kind = match own.url_path_map.is_some() {
            true => " --rule-type PathBasedRouting",
            false => " --rule-type Basic",
        };
        // Without a pool and a setting, az takes the only ones there are, or refuses.
        let map = own.url_path_map.as_ref();
        let map: Option<&Item<UrlPathMap>> = map.and_then(|one| self.evidence.gateway.resolve(one));
        let map = map.map(|map| &map.properties);
        let pool = own.backend_address_pool.as_ref();
        let pool = pool.or_else(|| map?.default_backend_address_pool.as_ref());
        let setting = own.backend_http_settings.as_ref();
        let setting = setting.or_else(|| map?.default_backend_http_settings.as_ref());
        let parts = options([
            ("--http-listener", own.http_listener.as_ref()),
            ("--address-pool", pool),
            ("--http-settings", setting),
            ("--url-path-map", own.url_path_map.as_ref()),
            ("--redirect-config", own.redirect_configuration.as_ref()),
            ("--rewrite-rule-set", own.rewrite_rule_set.as_ref()),
        ]);
        let delete = self.commands.part("rule delete", &rule.name, "");
        let more = format!("{}{parts}", kind.trim_start());
        let create = self.commands.part("rule create", &rule.name, &more);
        let list = self
            .evidence
            .gateway
            .source
            .pointer_to("requestRoutingRules");
        self.move_back(&list, rule, [delete, create])
    }

    /// A path rule of the same map that stands earlier and has the path too.
    fn does_an_earlier_path_take_them(&self) -> Option<(usize, Finding)> {
        let rows = self.evidence.rows();
        let is_refused = |row: &&LogRow| row.status.is_some_and(|status| status >= 400);
        let mut found = rows.filter(is_refused).filter_map(|row| {
            let routes = self.site.routes.iter();
            let mut matching = routes.filter_map(|route| match route.via {
                Via::Path(map, path) => {
                    let own = &path.properties.paths;
                    let is_rule = row.rule.is_empty() || route.rule.is_named(&row.rule);
                    (is_rule && is_path_of(own, &row.uri)).then_some((route, map, path))
                }
                _ => None,
            });
            let (first, map, path) = matching.next()?;
            let took = first.pool?;
            let longest =
                |paths: &[String]| paths.iter().map(String::len).max().unwrap_or_default();
            let (_, _, meant) = matching.find(|(_, other, rule)| {
                other.is_named(&map.name)
                    && longest(&rule.properties.paths) > longest(&path.properties.paths)
            })?;
            let is_seen = row.pool.is_empty() || took.is_named(&row.pool);
            is_seen.then_some((row, map, path, meant, &took.name))
        });
        let (row, map, path, meant, pool) = found.next()?;
        let others = found.filter(|(_, _, other, _, _)| other.is_named(&path.name));
        let count = 1 + others.count();
        let title = format!(
            "The path rule {} of {} stands before {} and takes {} too: it goes to the pool \
             {pool}.",
            path.name, map.name, meant.name, row.uri
        );
        let because = [
            self.because(&row.place, "which pool answered"),
            self.because(
                &in_gateway(path.pointer_to("paths")),
                "stands first, and has the path",
            ),
            self.because(
                &in_gateway(meant.pointer_to("paths")),
                "is meant, and is never tried",
            ),
        ];
        let mut found = finding(Cause::RuleOrder, Confidence::Likely, title).because(because);
        if let Some(mend) = self.ingress_of_its_own(path, meant) {
            found = found.fixed_by(mend);
        }
        Some((count, found.fixed_by(self.put_behind(map, path, meant))))
    }

    /// A controller puts path rules into the order of the names of their ingresses: what is meant,
    /// in an ingress that comes before.
    fn ingress_of_its_own(&self, earlier: &Item<PathRule>, meant: &Item<PathRule>) -> Option<Fix> {
        if !self.is_managed() {
            return None;
        }
        let pool = meant.properties.backend_address_pool.as_ref()?;
        let service = self.service_of_pool(last_part(&pool.id))?;
        let routes = self.site.routes.iter();
        let mut own = routes.filter(|route| match route.via {
            Via::Path(_, path) => path.is_named(&meant.name),
            _ => false,
        });
        let listener = own.find_map(|route| route.listener)?;
        // An ingress without a secret has its paths on HTTP alone.
        let secret = match listener.properties.ssl_certificate.as_ref() {
            Some(one) => {
                let name = last_part(&one.id);
                let own = name.strip_prefix(&format!("cert-{}-", service.namespace))?;
                format!(",tls={own}")
            }
            None => String::new(),
        };
        let mut hosts: Vec<&str> = listener.properties.hosts().collect();
        if hosts.is_empty() {
            hosts.push("");
        }
        let paths = &meant.properties.paths;
        let rules = hosts.iter().flat_map(|host| {
            let (service, secret) = (&service, &secret);
            paths.iter().map(move |path| {
                let rule = format!("{host}{path}={}:{}{secret}", service.name, service.port);
                format!(" --rule={}", word(&rule))
            })
        });
        let summary = format!(
            "The controller orders path rules by the namespaces and names of their ingresses: give \
             {} one of its own that comes before that of {}, and take the path out of the old one.",
            listed(paths),
            listed(&earlier.properties.paths)
        );
        let namespace = word(&service.namespace);
        Some(
            fix(Owner::Controller, summary)
                .run(format!(
                    "kubectl create ingress {} -n {namespace} --class=azure-application-gateway{}",
                    word(&format!("0-{}", service.name)),
                    rules.collect::<String>()
                ))
                .run(format!("kubectl get ingress -n {namespace} -o yaml"))
                .risking("It needs the annotations that the old one has, too.")
                .verified_by(vec![self.commands.gateway("show")]),
        )
    }

    /// A path rule of which an earlier one of the same map takes every path.
    fn shadowed_path(&self) -> Option<Finding> {
        let maps = &self.evidence.gateway.properties.url_path_maps;
        let (map, earlier, later) = maps.iter().find_map(|map| {
            let rules = &map.properties.path_rules;
            let mut later = rules.iter().enumerate();
            later.find_map(|(position, later)| {
                let before = rules.iter().take(position);
                let earlier = before
                    .filter(|one| leads_elsewhere(one, later))
                    .find(|one| takes_paths_of(one, later))?;
                Some((map, earlier, later))
            })
        })?;
        let title = format!(
            "The path rule {} of {} stands before {} and takes all of its paths.",
            earlier.name, map.name, later.name
        );
        Some(
            finding(Cause::RuleOrder, Confidence::Certain, title)
                .because([
                    self.because(&in_gateway(earlier.pointer_to("paths")), "stands first"),
                    self.because(&in_gateway(later.pointer_to("paths")), "is never tried"),
                ])
                .fixed_by(self.put_behind(map, earlier, later)),
        )
    }

    /// Takes a path rule away and makes it anew, which puts it behind the others.
    fn put_behind(
        &self,
        map: &Item<UrlPathMap>,
        path: &Item<PathRule>,
        meant: &Item<PathRule>,
    ) -> Fix {
        let map_word = word(&map.name);
        let patterns: Vec<String> = path.properties.paths.iter().map(|one| word(one)).collect();
        let own = &path.properties;
        let parts = options([
            ("--address-pool", own.backend_address_pool.as_ref()),
            ("--http-settings", own.backend_http_settings.as_ref()),
            ("--redirect-config", own.redirect_configuration.as_ref()),
            ("--rewrite-rule-set", own.rewrite_rule_set.as_ref()),
        ]);
        let waf = own.firewall_policy.as_ref();
        let waf = waf.map(|one| format!(" --waf-policy {}", word(&one.id)));
        let delete = self.commands.part(
            "url-path-map rule delete",
            &path.name,
            &format!("--path-map-name {map_word}"),
        );
        let create = self.commands.part(
            "url-path-map rule create",
            &path.name,
            &format!(
                "--path-map-name {map_word} --paths {}{parts}{}",
                patterns.join(" "),
                waf.unwrap_or_default()
            ),
        );
        let list = map.pointer_to("pathRules");
        let [delete, create] = self.move_back(&list, path, [delete, create]);
        fix(
            Owner::Gateway,
            format!("Put {} behind {}.", path.name, meant.name),
        )
        .edit(delete)
        .edit(create)
        .risking("Between the two, its paths go to the default.")
        .verified_by(vec![self.commands.gateway("show")])
    }
}

impl Tried<'_> {
    /// Whether its listener takes hosts that it does not spell out.
    fn has_patterns(&self) -> bool {
        let mut hosts = self.listener.properties.hosts().peekable();
        hosts.peek().is_none() || hosts.any(|own| own.contains(['*', '?']))
    }

    fn names(&self, host: &str) -> bool {
        let mut hosts = self.listener.properties.hosts();
        hosts.any(|own| own.eq_ignore_ascii_case(host))
    }

    /// Whether its listener takes requests for a host: one without any takes all.
    fn takes(&self, host: &str) -> bool {
        takes_host(self.listener, host)
    }

    /// Whether requests for another's host may come to this one: the port and the frontend are the
    /// same.
    fn is_beside(&self, other: &Self) -> bool {
        let (own, others) = (&self.listener.properties, &other.listener.properties);
        self.port == other.port
            && is_same(
                &own.frontend_ip_configuration,
                &others.frontend_ip_configuration,
            )
            && !self.listener.is_named(&other.listener.name)
    }

    /// Whether it is tried before another one, and its listener takes all of the other's hosts.
    fn takes_all_of(&self, later: &Self) -> bool {
        let mut hosts = later.listener.properties.hosts().peekable();
        self.position < later.position
            && self.is_beside(later)
            && lead_elsewhere(self.rule, later.rule)
            && hosts.peek().is_some()
            && hosts.all(|host| !host.contains('*') && self.takes(host))
    }
}

/// The rules that took a request, by the listener that its row names, and that it was meant for.
fn taken_by_named<'t>(
    row: &'t LogRow,
    tried: &'t [Tried<'t>],
) -> Option<(&'t LogRow, &'t Tried<'t>, &'t Tried<'t>)> {
    let took = tried
        .iter()
        .find(|one| one.listener.is_named(&row.listener))?;
    let (host, _) = split_port(&row.original_host);
    if host.is_empty() || took.names(&host) {
        return None;
    }
    let meant = tried
        .iter()
        .find(|one| one.names(&host) && one.is_beside(took))?;
    (took.position < meant.position).then_some((row, took, meant))
}

/// az's options for the parts that something refers to.
fn options<const N: usize>(parts: [(&str, Option<&Reference>); N]) -> String {
    let parts = parts.into_iter().filter_map(|(option, part)| {
        let name = word(part?.name());
        Some(format!(" {option} {name}"))
    });
    parts.collect()
}

/// Whether rules lead to different places. Two that redirect mostly do so alike.
fn lead_elsewhere(one: &Item<RequestRoutingRule>, other: &Item<RequestRoutingRule>) -> bool {
    let (one, other) = (&one.properties, &other.properties);
    let redirects = [one, other].map(|own| own.redirect_configuration.is_some());
    redirects != [true, true]
        && (!is_same(&one.backend_address_pool, &other.backend_address_pool)
            || !is_same(&one.backend_http_settings, &other.backend_http_settings)
            || !is_same(&one.url_path_map, &other.url_path_map)
            || redirects[0] != redirects[1])
}

/// Whether both refer to the same part, in any letter case, or to none.
fn is_same(one: &Option<Reference>, other: &Option<Reference>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => one.name().eq_ignore_ascii_case(other.name()),
        (None, None) => true,
        _ => false,
    }
}

fn leads_elsewhere(one: &Item<PathRule>, other: &Item<PathRule>) -> bool {
    let (one, other) = (&one.properties, &other.properties);
    one.backend_address_pool != other.backend_address_pool
        || one.backend_http_settings != other.backend_http_settings
        || one.redirect_configuration != other.redirect_configuration
        || one.rewrite_rule_set != other.rewrite_rule_set
        || one.firewall_policy != other.firewall_policy
}

/// Whether every path of a rule is one of another's.
fn takes_paths_of(one: &Item<PathRule>, other: &Item<PathRule>) -> bool {
    let own = &one.properties.paths;
    let mut paths = other.properties.paths.iter().peekable();
    paths.peek().is_some()
        && paths.all(|path| match path.strip_suffix('*') {
            Some(prefix) => own.iter().any(|own| {
                let own = own.to_lowercase();
                own.strip_suffix('*')
                    .is_some_and(|own| prefix.to_lowercase().starts_with(own))
            }),
            None => is_path_of(own, path),
        })
}
