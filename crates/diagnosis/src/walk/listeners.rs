//! Do requests come to the listener and the rule that they are meant for?

use gatewright_arm::Item;
use gatewright_arm::model::HttpListener;

use super::edits::{Given, Set};
use super::live_paths::is_host_of;
use super::returns::is_of_platform;
use super::{Walk, Weight, finding, listed};
use crate::cause::{Cause, Owner};
use crate::evidence::TcpResult;
use crate::finding::{Confidence, Finding, Fix};
use crate::remedy::{fix, word};
use crate::site::in_gateway;

impl Walk<'_> {
    pub(super) fn do_requests_come_to_their_rule(&mut self) {
        let asked = "Do requests come to the listener and the rule that are meant for them?";
        let found = self
            .is_the_port_listened_on()
            .or_else(|| self.has_no_suite_for_listener())
            .map(|found| (1, found))
            .or_else(|| self.does_an_earlier_rule_take_them());
        // What no request shows gives way to what one does.
        let unproven = || Some((0, self.unproven_rule_that_gets_nothing()?));
        match found.or_else(unproven) {
            Some((reach, found)) => {
                self.step(asked, found.title.clone(), "they go elsewhere");
                self.find(Weight::Requests, reach, found);
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
        let by_http = failed
            .next()
            .map(|(port, one)| (port, one.place.clone(), one.host().unwrap_or_default()));
        let tcp = self.evidence.observations.tcp.iter();
        let mut refused = tcp.filter(|one| {
            let is_from_client = one.from.to_lowercase().contains("client")
                || one.from.to_lowercase().contains("internet");
            is_from_client && one.result != TcpResult::Open
        });
        let by_tcp = || {
            let one = refused.find(|one| one.port.is_some_and(|port| !ports.contains(&port)))?;
            Some((one.port?, one.place.clone(), one.host.as_str()))
        };
        let (port, place, host) = by_http.or_else(by_tcp)?;
        let takes = |one: &&Item<HttpListener>| {
            let mut hosts = one.properties.hosts();
            hosts.any(|own| is_host_of(own, host))
        };
        let listener = listeners.iter().find(takes).or_else(|| listeners.first())?;
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
        let mut found = finding(Cause::ListenerPort, Confidence::Certain, title).because(because);
        if let Some(mend) = self.have_the_controller_listen(port, &ports) {
            found = found.fixed_by(mend);
        } else if let Some(mend) = self.have_the_ingress_encrypt(port, host) {
            found = found.fixed_by(mend);
        }
        Some(
            found.fixed_by(
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

    /// A controller listens on the port of HTTPS where an ingress has a certificate.
    fn have_the_ingress_encrypt(&self, asked: u16, host: &str) -> Option<Fix> {
        let listeners = self.evidence.gateway.properties.http_listeners.iter();
        let mut encrypted = listeners.filter(|one| one.properties.ssl_certificate.is_some());
        if !self.is_managed() || asked != 443 || encrypted.next().is_some() {
            return None;
        }
        let of_host = match host.is_empty() {
            true => String::new(),
            false => format!(" for {host}"),
        };
        let summary = format!(
            "Give the ingress a section tls{of_host} with the name of a secret, or the annotation \
             appgw-ssl-certificate: the controller listens on 443 where there is a certificate."
        );
        let tls = serde_json::json!({"spec": {"tls": [{"hosts": [host], "secretName": "SECRET"}]}});
        let mend = fix(Owner::Controller, summary).run(format!(
            "kubectl patch ingress INGRESS --type=merge -p {}",
            word(&tls.to_string())
        ));
        Some(mend.verified_by(vec![self.commands.gateway("show")]))
    }

    /// What keeps a controller from the ports of the web: an annotation that asks for others, or a
    /// secret with the certificate that is not there.
    fn have_the_controller_listen(&self, asked: u16, ports: &[u16]) -> Option<Fix> {
        if !self.is_managed() || ![80, 443].contains(&asked) {
            return None;
        }
        if !ports.iter().any(|port| [80, 443].contains(port)) {
            let summary = "Where the ingress has the annotation that has it listen elsewhere, take \
                           it away: clients must then use the ports of the web.";
            return Some(fix(Owner::Controller, summary).run(
                "kubectl annotate ingress INGRESS \
                 appgw.ingress.kubernetes.io/override-frontend-port-",
            ));
        }
        let lines = self.evidence.controller_log.iter().flatten();
        let lines = lines.filter(|_| asked == 443);
        let mut secrets = lines.filter_map(|line| {
            let (_, rest) = line.split_once("secret associated to secretId: [")?;
            let (namespace, name) = rest.split(']').next()?.split_once('/')?;
            Some((word(namespace), word(name)))
        });
        let (namespace, name) = secrets.next_back()?;
        let summary = format!(
            "Make the secret {name} in {namespace}, which the ingress names: the controller has no \
             certificate to listen with."
        );
        let mend = fix(Owner::Controller, summary)
            .run(format!("kubectl get secret {name} -n {namespace}"))
            .run(format!(
                "kubectl create secret tls {name} -n {namespace} --cert=FILE.crt --key=FILE.key"
            ));
        Some(mend.verified_by(vec![self.commands.gateway("show")]))
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
