//! Do requests come to the listener and the rule that they are meant for?

use gatewright_arm::model::{HttpListener, PathRule, RequestRoutingRule, UrlPathMap};
use gatewright_arm::{Item, Reference};

use super::edits::{Edit, Given, Set};
use super::returns::is_of_platform;
use super::{Walk, Weight, finding, listed};
use crate::cause::{Cause, Owner};
use crate::evidence::{LogRow, TcpResult};
use crate::finding::{Confidence, Finding, Fix};
use crate::remedy::{fix, word};
use crate::site::{Via, in_gateway, is_path_of};

impl Walk<'_> {
    pub(super) fn do_requests_come_to_their_rule(&mut self) {
        let asked = "Do requests come to the listener and the rule that are meant for them?";
        let found = self
            .is_the_port_listened_on()
            .or_else(|| self.does_an_earlier_listener_take_them())
            .or_else(|| self.does_an_earlier_path_take_them());
        match found {
            Some(found) => {
                self.step(asked, found.title.clone(), "they go elsewhere");
                self.find(Weight::Requests, 1, found);
            }
            None => self.step(asked, "nothing says otherwise", "they do"),
        }
    }

    pub(super) fn port_of(&self, listener: &Item<HttpListener>) -> Option<u16> {
        let reference = listener.properties.frontend_port.as_ref()?;
        let port: &Item<gatewright_arm::model::FrontendPort> =
            self.evidence.gateway.resolve(reference)?;
        u16::try_from(port.properties.port?).ok()
    }

    /// A client's connection to a port that no listener has.
    fn is_the_port_listened_on(&mut self) -> Option<Finding> {
        let listeners = &self.evidence.gateway.properties.http_listeners;
        let ports: Vec<u16> = listeners
            .iter()
            .filter_map(|one| self.port_of(one))
            .collect();
        let http = self.evidence.observations.http.iter();
        let asked = http.filter_map(|one| Some((port_of_url(&one.request)?, one)));
        let mut failed = asked.filter(|(port, one)| {
            let is_from_client = !one.from.to_lowercase().contains("gateway");
            let is_elsewhere = is_of_platform(one.request.split('/').nth(2).unwrap_or_default());
            one.status.is_none() && is_from_client && !is_elsewhere && !ports.contains(port)
        });
        let by_http = failed.next().map(|(port, one)| (port, one.place.clone()));
        let tcp = self.evidence.observations.tcp.iter();
        let mut refused = tcp.filter(|one| {
            let is_from_client = one.from.to_lowercase().contains("client")
                || one.from.to_lowercase().contains("internet");
            is_from_client && one.result != TcpResult::Open
        });
        let by_tcp = || {
            let one = refused.find(|one| one.port.is_some_and(|port| !ports.contains(&port)))?;
            Some((one.port?, one.place.clone()))
        };
        let (port, place) = by_http.or_else(by_tcp)?;
        let listener = listeners.first()?;
        let shown: Vec<String> = ports.iter().map(ToString::to_string).collect();
        let title = format!(
            "Clients connect to port {port}, and no listener listens there: there are listeners on \
             {}.",
            listed(&shown)
        );
        let because = [
            self.because(
                &place,
                format!("a client's connection to port {port} fails"),
            ),
            self.because(
                &in_gateway(listener.pointer_to("frontendPort")),
                "the listener's port",
            ),
        ];
        let name = self.free_name("frontendPorts", &format!("port_{port}"));
        let given = Given::Part("frontendPorts", name.clone());
        let on_port = Set::of("--frontend-port", "frontendPort", given);
        Some(
            finding(Cause::ListenerPort, Confidence::Certain, title)
                .because(because)
                .fixed_by(
                    fix(Owner::Gateway, format!("Listen on port {port}."))
                        .edit(self.create(
                            "frontend-port create",
                            ("frontendPorts", &name),
                            &[Set::number("--port", "port", port.into())],
                            "",
                        ))
                        .edit(self.update("http-listener update", listener, &[on_port]))
                        .risking("Clients of the port that it listened on get no answer any more.")
                        .verified_by(vec![self.commands.gateway("show")]),
                ),
        )
    }

    /// A listener with a wildcard, or without a host, that took what another one names.
    fn does_an_earlier_listener_take_them(&mut self) -> Option<Finding> {
        let listeners = &self.evidence.gateway.properties.http_listeners;
        let rows = self.evidence.rows();
        let found = rows.filter(|row| !row.listener.is_empty()).find_map(|row| {
            let took = listeners.iter().find(|one| one.is_named(&row.listener))?;
            let host = row.original_host.split(':').next()?.to_lowercase();
            let names = |one: &Item<HttpListener>| -> bool {
                one.properties
                    .hosts()
                    .any(|own| own.eq_ignore_ascii_case(&host))
            };
            let meant = listeners.iter().find(|one| {
                names(one) && self.port_of(one) == self.port_of(took) && one.name != took.name
            })?;
            (!host.is_empty() && !names(took)).then(|| (row.clone(), took, meant, host))
        });
        let (row, took, meant, host): (LogRow, _, _, String) = found?;
        let rules = &self.evidence.gateway.properties.request_routing_rules;
        let of = |listener: &Item<HttpListener>| {
            rules.iter().find(|rule| {
                let own = rule.properties.http_listener.as_ref();
                own.and_then(|one| self.evidence.gateway.resolve::<HttpListener>(one))
                    .is_some_and(|one| one.is_named(&listener.name))
            })
        };
        let (earlier, later) = (of(took)?, of(meant)?);
        let title = format!(
            "The rule {} is tried before {}, and its listener {} takes requests for {host}, which \
             {} is for.",
            earlier.name, later.name, took.name, meant.name
        );
        let because = [
            self.because(&row.place, format!("the listener {} took it", took.name)),
            self.because(&in_gateway(earlier.pointer_to("priority")), "tried earlier"),
            self.because(&in_gateway(later.pointer_to("priority")), "tried later"),
        ];
        Some(
            finding(Cause::RuleOrder, Confidence::Certain, title)
                .because(because)
                .fixed_by(self.try_before(earlier, later)),
        )
    }

    /// Has a rule tried before another one.
    pub(super) fn try_before(
        &self,
        earlier: &Item<RequestRoutingRule>,
        later: &Item<RequestRoutingRule>,
    ) -> Fix {
        let rules = &self.evidence.gateway.properties.request_routing_rules;
        let first = earlier.properties.priority.unwrap_or(100);
        let taken = rules.iter().filter_map(|rule| rule.properties.priority);
        let taken: Vec<i32> = taken.collect();
        let free = (1..first).rev().find(|one| !taken.contains(one));
        let (rule, priority) = match free {
            Some(priority) => (later, priority),
            None => (earlier, LAST_PRIORITY),
        };
        let set = Set::number("--priority", "priority", priority.into());
        fix(
            Owner::Gateway,
            format!("Have {} tried before {}.", later.name, earlier.name),
        )
        .edit(self.update("rule update", rule, &[set]))
        .verified_by(vec![self.commands.gateway("show")])
    }

    /// A path rule of the same map that stands earlier and has the path too.
    fn does_an_earlier_path_take_them(&mut self) -> Option<Finding> {
        let rows = self.evidence.rows();
        let is_refused = |row: &&LogRow| row.status.is_some_and(|status| status >= 400);
        let found = rows.filter(is_refused).find_map(|row| {
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
            is_seen.then(|| {
                (
                    row.clone(),
                    map.clone(),
                    path.clone(),
                    meant.clone(),
                    took.name.clone(),
                )
            })
        });
        let (row, map, path, meant, pool) = found?;
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
        let [delete, create] = self.put_behind(&map, &path);
        Some(
            finding(Cause::RuleOrder, Confidence::Likely, title)
                .because(because)
                .fixed_by(
                    fix(
                        Owner::Gateway,
                        format!("Put {} behind {}.", path.name, meant.name),
                    )
                    .edit(delete)
                    .edit(create)
                    .risking("Between the two, its paths go to the default.")
                    .verified_by(vec![self.commands.gateway("show")]),
                ),
        )
    }
}

/// The priority of the rule that is tried last.
const LAST_PRIORITY: i32 = 20_000;

impl Walk<'_> {
    /// Takes a path rule away and makes it anew, which puts it behind the others.
    pub(super) fn put_behind(&self, map: &Item<UrlPathMap>, path: &Item<PathRule>) -> [Edit; 2] {
        let map_word = word(&map.name);
        let patterns: Vec<String> = path.properties.paths.iter().map(|one| word(one)).collect();
        let own = &path.properties;
        let part = |option: &str, part: Option<&Reference>| {
            part.map(|one| format!(" {option} {}", word(one.name())))
        };
        let waf = own.firewall_policy.as_ref();
        let parts: String = [
            part("--address-pool", own.backend_address_pool.as_ref()),
            part("--http-settings", own.backend_http_settings.as_ref()),
            part("--redirect-config", own.redirect_configuration.as_ref()),
            part("--rewrite-rule-set", own.rewrite_rule_set.as_ref()),
            waf.map(|one| format!(" --waf-policy {}", word(&one.id))),
        ]
        .into_iter()
        .flatten()
        .collect();
        let delete = self.commands.part(
            "url-path-map rule delete",
            &path.name,
            &format!("--path-map-name {map_word}"),
        );
        let create = self.commands.part(
            "url-path-map rule create",
            &path.name,
            &format!(
                "--path-map-name {map_word} --paths {}{parts}",
                patterns.join(" ")
            ),
        );
        self.move_path_rule_back(map, path, [delete, create])
    }
}

/// The port of a request such as `GET https://a.test/`.
fn port_of_url(request: &str) -> Option<u16> {
    let url = request
        .split_whitespace()
        .find(|word| word.contains("://"))?;
    let (scheme, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?']).next()?;
    let (_, port) = crate::evidence::split_port(authority);
    port.or(match scheme.to_lowercase().as_str() {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_have_ports() {
        assert_eq!(port_of_url("GET https://a.test/x"), Some(443));
        assert_eq!(port_of_url("http://a.test:8080"), Some(8080));
        assert_eq!(port_of_url("GET /x"), None);
    }
}
