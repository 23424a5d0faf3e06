//! Where a redirect sends a client.

use gatewright_snapshot::{Redirect, RedirectTarget};

use crate::http::request::RequestHead;

/// The Location of the answer. Path and query are passed on as they were sent.
pub(super) fn location(redirect: &Redirect, head: &RequestHead<'_, '_>) -> Vec<u8> {
    let mut location = Vec::with_capacity(128);
    let mut fragment = "";
    let base_has_query = match &redirect.target {
        RedirectTarget::Url(url) => {
            // Path and query belong in front of it.
            let (base, rest) = url.split_at(url.find('#').unwrap_or(url.len()));
            fragment = rest;
            location.extend_from_slice(base.as_bytes());
            base.contains('?')
        }
        RedirectTarget::Listener { scheme, host, port } => {
            location.extend_from_slice(scheme.as_str().as_bytes());
            location.extend_from_slice(b"://");
            let host = host
                .as_ref()
                .map_or(head.asked.host_name, |host| host.as_bytes());
            location.extend_from_slice(host);
            if *port != scheme.default_port() {
                location.extend_from_slice(format!(":{port}").as_bytes());
            }
            false
        }
    };
    if redirect.include_path {
        if base_has_query {
            // A path cannot follow a query; it is left out rather than put where it means
            // something else.
        } else {
            if location.last() == Some(&b'/') {
                location.pop();
            }
            // OPTIONS of the server as a whole has no path.
            let path = if head.asked.path == b"*" {
                b"/"
            } else {
                head.asked.path
            };
            location.extend_from_slice(path);
        }
    } else if matches!(redirect.target, RedirectTarget::Listener { .. }) {
        location.push(b'/');
    }
    if redirect.include_query
        && let Some(query) = head.asked.query
    {
        location.push(if base_has_query { b'&' } else { b'?' });
        location.extend_from_slice(query);
    }
    location.extend_from_slice(fragment.as_bytes());
    location
}
