//! Listeners of both kinds.

use std::collections::{HashMap, HashSet};

use super::checker::Checker;
use super::hosts;
use crate::any_case::AnyCase;
use crate::codes;
use crate::diagnostic::Severity;
use crate::model::{
    FrontendIpConfiguration, FrontendPort, HttpListener, Item, Listener, Protocol, Reference,
};
use crate::wire::reader::shorten;

/// The port that HTTPS alone may use (Azure documentation).
const HTTPS_PORT: i32 = 443;

pub(crate) fn check(c: &mut Checker<'_>) {
    for item in &c.properties.http_listeners {
        frontend_references(c, item);
    }
    c.dangling("httpListeners");
    for item in &c.properties.http_listeners {
        http_listener(c, item);
    }
    same_port(c);
    for item in &c.properties.listeners {
        l4_listener(c, item);
    }
    c.dangling("listeners");
    shared_sockets(c);
}

fn frontend_references(c: &mut Checker<'_>, item: &Item<HttpListener>) {
    let p = &item.properties;
    let parts = [
        (
            p.frontend_ip_configuration.is_none(),
            "FrontendIpConfiguration",
            "frontendIPConfiguration",
        ),
        (p.frontend_port.is_none(), "FrontendPort", "frontendPort"),
    ];
    for (missing, what, member) in parts {
        if missing {
            let message = format!("Http Listener {} must reference a {what}.", c.id_of(item));
            let code = "ApplicationGatewayHttpListenerMustReference";
            c.error(code, message, item.pointer_to(member));
        }
    }
}

fn http_listener(c: &mut Checker<'_>, item: &Item<HttpListener>) {
    let p = &item.properties;
    let id = c.id_of(item);
    match p.protocol {
        Some(Protocol::Https) if p.ssl_certificate.is_none() => {
            let message = format!(
                "Http Listener {id} uses protocol Https. Ssl Certificate must be specified."
            );
            let code = "ApplicationGatewayHttpsListenerMustReferenceSslCert";
            c.error(code, message, item.pointer_to("sslCertificate"));
        }
        Some(Protocol::Https) => {}
        Some(Protocol::Http) => plain_http(c, item),
        Some(Protocol::Tcp | Protocol::Tls) | None => {
            let message = format!("Http Listener {id} must use protocol Http or Https.");
            c.error(
                codes::E_LISTENER_PROTOCOL,
                message,
                item.pointer_to("protocol"),
            );
        }
    }
    host_names(c, item);
    for (i, page) in p.custom_error_configurations.iter().enumerate() {
        super::tls::custom_error(
            c,
            page,
            &item.pointer_to(&format!("customErrorConfigurations/{i}")),
        );
    }
}

fn plain_http(c: &mut Checker<'_>, item: &Item<HttpListener>) {
    let p = &item.properties;
    let id = c.id_of(item);
    let port = c.resolve::<FrontendPort>(p.frontend_port.as_ref());
    if port.is_some_and(|port| port.properties.port == Some(HTTPS_PORT)) {
        let message =
            format!("Port {HTTPS_PORT} of Http Listener {id} is not valid for protocol Http.");
        let code = "ApplicationGatewayPortNotValidForProtocol";
        c.error(code, message, item.pointer_to("frontendPort"));
    }
    if p.ssl_certificate.is_some() {
        let message = format!(
            "Http Listener '{}' uses Http: its certificate is not used.",
            item.name
        );
        c.warn(
            codes::W_CERTIFICATE_ON_PLAIN,
            message,
            item.pointer_to("sslCertificate"),
        );
    }
}

/// The one name or the several names of a listener; empty for one that takes any host.
pub(crate) fn names_of(p: &HttpListener) -> Vec<&str> {
    let single = p.host_name.as_deref().filter(|name| !name.is_empty());
    single
        .into_iter()
        .chain(p.host_names.iter().map(String::as_str))
        .collect()
}

fn host_names(c: &mut Checker<'_>, item: &Item<HttpListener>) {
    let p = &item.properties;
    let id = c.id_of(item);
    let single = p.host_name.as_deref().filter(|name| !name.is_empty());
    let mut refuse = |message: String, at: String| c.error(codes::E_HOST_NAME, message, at);
    if single.is_some() && !p.host_names.is_empty() {
        let message = format!("Http Listener {id} cannot have both hostName and hostNames.");
        refuse(message, item.pointer_to("hostName"));
    }
    if p.host_names.len() > hosts::MAX_HOST_NAMES {
        let message = format!(
            "Http Listener {id} has {} host names; the maximum allowed is {}.",
            p.host_names.len(),
            hosts::MAX_HOST_NAMES
        );
        refuse(message, item.pointer_to("hostNames"));
    }
    let single = single.map(|name| (name, false, item.pointer_to("hostName")));
    let v2 = !c.is_v1();
    let many = p.host_names.iter().enumerate();
    let many = many.map(|(i, n)| (n.as_str(), v2, item.pointer_to(&format!("hostNames/{i}"))));
    for (name, wildcards, at) in single.into_iter().chain(many) {
        if let Some(fault) = hosts::fault(name, wildcards) {
            let name = shorten(name);
            let message =
                format!("Host name '{name}' of Http Listener {id} is not valid: {fault}.");
            c.error(codes::E_HOST_NAME, message, at);
        }
    }
}

/// Two listeners that would have to share a socket and cannot be told apart by the host.
fn same_port(c: &mut Checker<'_>) {
    let mut seen = HashSet::new();
    let mut findings = Vec::new();
    for item in &c.properties.http_listeners {
        let p = &item.properties;
        let Some((address, port)) = frontend_key(c, p) else {
            continue;
        };
        // The first generation does not share a port between addresses.
        let address = if c.is_v1() { AnyCase("") } else { address };
        let names = names_of(p);
        let names = if names.is_empty() { vec![""] } else { names };
        let mut clash = false;
        for name in names {
            clash |= !seen.insert((address, port, AnyCase(name)));
        }
        if clash {
            let port = p.frontend_port.as_ref().map_or("", |port| port.id.as_str());
            let message = format!(
                "Two Http Listeners of Application Gateway {} are using the same Frontend Port \
                 {port}.",
                c.id()
            );
            findings.push((message, item.pointer_to("frontendPort")));
        }
    }
    for (message, at) in findings {
        let finding = (
            "ApplicationGatewayHttpListenersUsingSameFrontendPort",
            message,
        );
        let help = "Give each listener on this address and port host names of its own.";
        c.hint(Severity::Error, finding, at, help);
    }
}

fn frontend_key<'a>(c: &Checker<'_>, p: &'a HttpListener) -> Option<(AnyCase<'a>, AnyCase<'a>)> {
    let name = |reference: &'a Option<Reference>, collection: &str| {
        c.target_name(reference.as_ref()?, collection)
    };
    let address = name(&p.frontend_ip_configuration, "frontendIPConfigurations")?;
    Some((address, name(&p.frontend_port, "frontendPorts")?))
}

/// The socket of a listener: the name of its address and the number of its port.
pub(crate) fn socket<'a>(
    c: &Checker<'a>,
    address: Option<&Reference>,
    port: Option<&Reference>,
) -> Option<(AnyCase<'a>, i32)> {
    let address = c.resolve::<FrontendIpConfiguration>(address)?;
    let port = c.resolve::<FrontendPort>(port)?.properties.port?;
    Some((AnyCase(&address.name), port))
}

fn l4_listener(c: &mut Checker<'_>, item: &Item<Listener>) {
    let p = &item.properties;
    let id = c.id_of(item);
    let parts = [
        (
            p.frontend_ip_configuration.is_none(),
            "FrontendIpConfiguration",
            "frontendIPConfiguration",
        ),
        (p.frontend_port.is_none(), "FrontendPort", "frontendPort"),
    ];
    for (missing, what, member) in parts {
        if missing {
            let message = format!("Listener {id} must reference a {what}.");
            c.error(
                "ApplicationGatewayListenerMustReference",
                message,
                item.pointer_to(member),
            );
        }
    }
    match p.protocol {
        Some(Protocol::Tls) if p.ssl_certificate.is_none() => {
            let message =
                format!("Listener {id} uses protocol Tls. Ssl Certificate must be specified.");
            let code = "ApplicationGatewayTlsListenerMustReferenceSslCert";
            c.error(code, message, item.pointer_to("sslCertificate"));
        }
        Some(Protocol::Tcp | Protocol::Tls) => {}
        Some(Protocol::Http | Protocol::Https) | None => {
            let message = format!("Listener {id} must use protocol Tcp or Tls.");
            c.error(
                codes::E_LISTENER_PROTOCOL,
                message,
                item.pointer_to("protocol"),
            );
        }
    }
    for (i, name) in p.host_names.iter().enumerate() {
        if let Some(fault) = hosts::fault(name, true) {
            let name = shorten(name);
            let message = format!("Host name '{name}' of Listener {id} is not valid: {fault}.");
            c.error(
                codes::E_HOST_NAME,
                message,
                item.pointer_to(&format!("hostNames/{i}")),
            );
        }
    }
}

/// One address and port speak one protocol.
fn shared_sockets(c: &mut Checker<'_>) {
    let mut protocols: HashMap<(AnyCase<'_>, i32), (Protocol, &str)> = HashMap::new();
    let mut clashes = Vec::new();
    let p = c.properties;
    let http = p.http_listeners.iter().map(|item| {
        let p = &item.properties;
        let socket = socket(
            c,
            p.frontend_ip_configuration.as_ref(),
            p.frontend_port.as_ref(),
        );
        (
            socket,
            p.protocol,
            item.name.as_str(),
            item.pointer_to("protocol"),
        )
    });
    let l4 = p.listeners.iter().map(|item| {
        let p = &item.properties;
        let socket = socket(
            c,
            p.frontend_ip_configuration.as_ref(),
            p.frontend_port.as_ref(),
        );
        (
            socket,
            p.protocol,
            item.name.as_str(),
            item.pointer_to("protocol"),
        )
    });
    for (socket, protocol, name, at) in http.chain(l4) {
        let (Some(socket), Some(protocol)) = (socket, protocol) else {
            continue;
        };
        let port = socket.1;
        let (first, other) = *protocols.entry(socket).or_insert((protocol, name));
        if first != protocol {
            let message = format!(
                "Listeners '{other}' and '{name}' share an address and port {port}, but one speaks \
                 {first} and the other {protocol}."
            );
            clashes.push((message, at));
        }
    }
    for (message, at) in clashes {
        c.error(codes::E_LISTENER_PROTOCOL, message, at);
    }
}
