//! Redirects.

use gatewright_arm::model::{HttpListener, Protocol, RedirectConfiguration};
use gatewright_arm::{Item, Reference};
use gatewright_snapshot::{HostPattern, Redirect, RedirectTarget, Scheme};

use crate::codes;
use crate::findings::quote;
use crate::scope::{Scope, Tables};

/// What `reference` makes of a request; `None` after an error.
pub(crate) fn compile(
    scope: &mut Scope<'_>,
    tables: &Tables<'_>,
    reference: &Reference,
) -> Option<Redirect> {
    let Some(item) = tables.redirects.item(reference) else {
        scope.unresolved(reference);
        return None;
    };
    let properties = &item.properties;
    let target = match (&properties.target_listener, &properties.target_url) {
        (Some(listener), _) => to_listener(scope, tables, listener),
        (None, Some(url)) => to_url(scope, item, url),
        (None, None) => {
            refuse(
                scope,
                item,
                "has no target",
                "Give it a targetListener or a targetUrl.",
            );
            None
        }
    }?;
    let Some(kind) = properties.redirect_type else {
        refuse(
            scope,
            item,
            "has no type",
            "Permanent, Found, SeeOther or Temporary.",
        );
        return None;
    };
    Some(Redirect {
        status: kind.status(),
        target,
        include_path: properties.include_path == Some(true),
        include_query: properties.include_query_string == Some(true),
    })
}

fn refuse(scope: &mut Scope<'_>, item: &Item<RedirectConfiguration>, what: &str, help: &str) {
    let message = format!("The redirect {} {what}.", quote(&item.name));
    scope
        .findings
        .error(codes::E_REDIRECT, item.pointer(), message, help);
}

fn to_listener(
    scope: &mut Scope<'_>,
    tables: &Tables<'_>,
    reference: &Reference,
) -> Option<RedirectTarget> {
    let Some(listener) = tables.listeners.item(reference) else {
        scope.unresolved(reference);
        return None;
    };
    let scheme = match listener.properties.protocol {
        Some(Protocol::Https) => Scheme::Https,
        _ => Scheme::Http,
    };
    // Clients reach the port behind the offset, so that is where they are sent.
    let port = reached_port(scope, tables, listener)?;
    Some(RedirectTarget::Listener {
        scheme,
        host: only_host(&listener.properties),
        port,
    })
}

/// The port of a listener, before any offset; `None` after an error.
pub(crate) fn listener_port(
    scope: &mut Scope<'_>,
    tables: &Tables<'_>,
    listener: &Item<HttpListener>,
) -> Option<u16> {
    let reference = listener.properties.frontend_port.as_ref();
    let port = reference.and_then(|reference| tables.ports.item(reference));
    let number = port.and_then(|port| port.properties.port);
    let number = number
        .and_then(|port| u16::try_from(port).ok())
        .filter(|port| *port > 0);
    if number.is_none() {
        scope.findings.error(
            codes::E_LISTENER_PORT,
            listener.pointer_to("frontendPort"),
            format!("The listener {} has no port.", quote(&listener.name)),
            "Give it a frontendPort of 1–65535.",
        );
    }
    number
}

/// The port at which clients reach a listener, any offset included; `None` after an error.
pub(crate) fn reached_port(
    scope: &mut Scope<'_>,
    tables: &Tables<'_>,
    listener: &Item<HttpListener>,
) -> Option<u16> {
    let port = listener_port(scope, tables, listener)?;
    let offset = scope.options.port_offset;
    let reached = port.checked_add(offset);
    if reached.is_none() {
        scope.findings.error(
            codes::E_PORT_OFFSET,
            listener.pointer_to("frontendPort"),
            format!(
                "The port {port} of the listener {} and the offset {offset} are together more \
                 than 65535.",
                quote(&listener.name)
            ),
            format!(
                "Use an offset of at most {}: --port-offset.",
                u16::MAX - port
            ),
        );
    }
    reached
}

/// The one exact host name of a listener. A target with wildcards or several names has none that a
/// client could be sent to; validation refuses it.
fn only_host(listener: &HttpListener) -> Option<String> {
    let mut names = listener.hosts();
    let (first, second) = (names.next()?, names.next());
    let pattern = HostPattern::parse(first)
        .ok()
        .filter(|pattern| pattern.is_exact())?;
    second.is_none().then(|| pattern.as_str().to_owned())
}

/// The URL goes into the `Location` header as it is.
fn to_url(
    scope: &mut Scope<'_>,
    item: &Item<RedirectConfiguration>,
    url: &str,
) -> Option<RedirectTarget> {
    let url = url.trim();
    let rest = ["http://", "https://"].iter().find_map(|scheme| {
        let (start, rest) = url.split_at_checked(scheme.len())?;
        start.eq_ignore_ascii_case(scheme).then_some(rest)
    });
    let has_host = rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with(['/', '?', '#']));
    if !has_host || !url.bytes().all(|byte| byte.is_ascii_graphic()) {
        scope.findings.error(
            codes::E_REDIRECT_URL,
            item.pointer_to("targetUrl"),
            format!(
                "The target {} of the redirect {} is no absolute URL.",
                quote(url),
                quote(&item.name)
            ),
            "Give one such as https://www.contoso.com/path, percent-encoded where needed.",
        );
        return None;
    }
    Some(RedirectTarget::Url(url.to_owned()))
}
