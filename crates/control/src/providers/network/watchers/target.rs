//! What a connectivity check is to try: the destination, and what is asked of it.

use std::net::IpAddr;
use std::ops::RangeInclusive;

use gatewright_arm::{ArmError, ResourceId};
use serde_json::Value;

use super::ends::{refused, text_in};
use crate::node::{Attempt, AttemptRequest};
use crate::resources::shape::{self, Form, Member, member, required};

const CHECK: &[Member] = &[
    required("source", Form::Object(SOURCE)),
    required("destination", Form::Object(DESTINATION)),
    member("protocol", Form::Word(&["Tcp", "Http", "Https", "Icmp"])),
    member("protocolConfiguration", Form::Object(CONFIGURATION)),
    member("preferredIPVersion", Form::Word(&["IPv4", "IPv6"])),
];

const SOURCE: &[Member] = &[
    required("resourceId", Form::Text),
    member("port", Form::Integer(0, 65535)),
];

const DESTINATION: &[Member] = &[
    member("resourceId", Form::Text),
    member("address", Form::Text),
    member("port", Form::Integer(0, 65535)),
];

const CONFIGURATION: &[Member] = &[member("HTTPConfiguration", Form::Object(HTTP))];

const HTTP: &[Member] = &[
    member("method", Form::Word(&["Get"])),
    member("headers", Form::Objects(HEADER)),
    member("validStatusCodes", Form::Any),
];

const HEADER: &[Member] = &[required("name", Form::Text), required("value", Form::Text)];

/// Longest address or URL, in bytes.
const ADDRESS_BYTES_MAX: usize = 2048;

/// Most header fields of a request, and the bytes of one.
const FIELDS_MAX: usize = 32;
const FIELD_BYTES_MAX: usize = 4096;

/// Most statuses that a good answer may have.
const STATUSES_MAX: usize = 100;

/// What a good answer has where nothing is said, as with probes.
const STATUSES: RangeInclusive<u16> = 200..=399;

/// Fields that say how the request itself is framed.
const FRAMING: [&str; 4] = [
    "connection",
    "content-length",
    "transfer-encoding",
    "upgrade",
];

/// A question that was read.
pub(super) struct Question {
    pub(super) source: String,
    pub(super) source_port: Option<u16>,
    /// The id of a virtual machine whose address is meant, in place of the attempt's host.
    pub(super) machine: Option<String>,
    pub(super) attempt: Attempt,
}

impl Question {
    /// Reads the body of a connectivity check.
    ///
    /// # Errors
    /// When something of it cannot be.
    pub(super) fn read(id: &ResourceId, body: &Value) -> Result<Self, ArmError> {
        let body = shape::question(id, CHECK, body)?;
        let (source, destination) = (&body["source"], &body["destination"]);
        let machine = Some(text_in(destination, "resourceId")).filter(|text| !text.is_empty());
        let address = Address::read(text_in(destination, "address"))?;
        if machine.is_none() && address.host.is_empty() {
            let message = "The destination needs a resourceId or an address.";
            return Err(refused(message));
        }
        let http = body.pointer("/protocolConfiguration/HTTPConfiguration");
        let protocol = match (text_in(&body, "protocol"), http) {
            ("", Some(_)) if address.is_encrypted() => "Https",
            ("", Some(_)) => "Http",
            ("", None) => "Tcp",
            (said, _) => said,
        };
        if protocol == "Icmp" {
            let message = "The protocol Icmp is not tried by this control plane; Tcp, Http and \
                           Https are.";
            return Err(refused(message));
        }
        let port = number(destination, "port")
            .or(address.port)
            .or(match protocol {
                "Http" => Some(80),
                "Https" => Some(443),
                _ => address.scheme_port(),
            });
        let port = port
            .filter(|port| *port > 0)
            .ok_or_else(|| refused("The destination needs a port from 1 to 65535."))?;
        let request = match protocol {
            "Tcp" => None,
            _ => Some(request(http, &address, port, protocol == "Https")?),
        };
        Ok(Self {
            source: text_in(source, "resourceId").to_owned(),
            source_port: number(source, "port").filter(|port| *port > 0),
            machine: machine.map(str::to_owned),
            attempt: Attempt {
                host: address.host,
                port,
                prefers_ipv6: text_in(&body, "preferredIPVersion") == "IPv6",
                name_servers: Vec::new(),
                request,
            },
        })
    }
}

impl Question {
    /// The address of the machine that is named.
    pub(super) fn name_destination(&mut self, address: IpAddr) {
        let is_encrypted = self
            .attempt
            .request
            .as_ref()
            .is_some_and(|one| one.is_encrypted);
        let host = authority(&address.to_string(), self.attempt.port, is_encrypted);
        if let Some(request) = self
            .attempt
            .request
            .as_mut()
            .filter(|one| one.host.is_empty())
        {
            request.host = host;
        }
        self.attempt.host = address.to_string();
    }
}

fn number(value: &Value, member: &str) -> Option<u16> {
    value.get(member)?.as_u64()?.try_into().ok()
}

/// An address, a name, or a URL.
struct Address {
    scheme: Option<&'static str>,
    /// An address without brackets, or a name in lower case; empty where nothing was said.
    host: String,
    port: Option<u16>,
    /// Begins with `/`.
    path: String,
}

impl Address {
    fn read(text: &str) -> Result<Self, ArmError> {
        let text = text.trim();
        let bad = || {
            refused(format!(
                "The destination's address '{text}' is none that can be tried."
            ))
        };
        if text.len() > ADDRESS_BYTES_MAX || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(bad());
        }
        let schemes = ["http", "https"].into_iter();
        let lower = text.to_ascii_lowercase();
        let mut stripped = schemes.filter_map(|scheme| {
            let rest = lower.strip_prefix(scheme)?.strip_prefix("://")?;
            Some((scheme, text.len() - rest.len()))
        });
        let (scheme, from) = match stripped.next_back() {
            Some((scheme, from)) => (Some(scheme), from),
            None => (None, 0),
        };
        let rest = text.get(from..).unwrap_or_default();
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let path = path.split('#').next().unwrap_or_default();
        let path = match path.starts_with('/') {
            true => path.to_owned(),
            false => format!("/{path}"),
        };
        let (host, port) = split(authority).ok_or_else(bad)?;
        let is_none = host.is_empty() && (scheme.is_some() || !text.is_empty());
        if is_none || !(host.is_empty() || is_host(host)) {
            return Err(bad());
        }
        Ok(Self {
            scheme,
            host: host.to_ascii_lowercase(),
            port,
            path,
        })
    }

    fn is_encrypted(&self) -> bool {
        self.scheme == Some("https")
    }

    fn scheme_port(&self) -> Option<u16> {
        self.scheme
            .map(|_| if self.is_encrypted() { 443 } else { 80 })
    }
}

/// `host`, `host:port`, `[v6]`, `[v6]:port` or a bare v6 address.
fn split(authority: &str) -> Option<(&str, Option<u16>)> {
    if let Some(rest) = authority.strip_prefix('[') {
        let (host, rest) = rest.split_once(']')?;
        return match rest {
            "" => Some((host, None)),
            _ => Some((host, Some(rest.strip_prefix(':')?.parse().ok()?))),
        };
    }
    match authority.split_once(':') {
        Some((host, port)) if !port.contains(':') => Some((host, Some(port.parse().ok()?))),
        _ => Some((authority, None)),
    }
}

/// Whether this is an address or a name: of letters, digits, `-`, `_` and `.`.
fn is_host(host: &str) -> bool {
    let is_fine = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let is_number = |label: &str| label.bytes().all(|byte| byte.is_ascii_digit());
    let is_name = host.len() <= 253
        && host.bytes().all(is_fine)
        && host.trim_end_matches('.').split('.').all(|label| (1..=63).contains(&label.len()))
        // 10.0.0.256 is no name.
        && !host.trim_end_matches('.').rsplit('.').next().is_some_and(is_number);
    is_name || host.parse::<IpAddr>().is_ok()
}

/// The request of a check by HTTP.
fn request(
    http: Option<&Value>,
    address: &Address,
    port: u16,
    is_encrypted: bool,
) -> Result<AttemptRequest, ArmError> {
    let list = |name: &str| {
        http.and_then(|http| http.get(name))
            .and_then(Value::as_array)
    };
    let mut fields = Vec::new();
    let mut host = authority(&address.host, port, is_encrypted);
    for header in list("headers").into_iter().flatten() {
        let (name, value) = (text_in(header, "name"), text_in(header, "value"));
        check_field(name, value)?;
        match name.eq_ignore_ascii_case("host") {
            true => value.clone_into(&mut host),
            false => fields.push((name.to_owned(), value.to_owned())),
        }
    }
    if fields.len() > FIELDS_MAX {
        return Err(refused(format!("At most {FIELDS_MAX} headers are sent.")));
    }
    let mut statuses = Vec::new();
    for status in list("validStatusCodes").into_iter().flatten() {
        let status = status
            .as_u64()
            .and_then(|status| u16::try_from(status).ok());
        let status = status.filter(|status| (100..=599).contains(status));
        let status = status.ok_or_else(|| refused("A valid status code is from 100 to 599."))?;
        statuses.push(status..=status);
    }
    if statuses.len() > STATUSES_MAX {
        let message = format!("At most {STATUSES_MAX} valid status codes can be given.");
        return Err(refused(message));
    }
    if statuses.is_empty() {
        statuses.push(STATUSES);
    }
    Ok(AttemptRequest {
        is_encrypted,
        host,
        path: address.path.clone(),
        fields,
        statuses,
    })
}

/// The `Host` of a request; empty as long as only a machine is named.
fn authority(host: &str, port: u16, is_encrypted: bool) -> String {
    let default = if is_encrypted { 443 } else { 80 };
    let host = match host.contains(':') {
        true => format!("[{host}]"),
        false => host.to_owned(),
    };
    match port == default || host.is_empty() {
        true => host,
        false => format!("{host}:{port}"),
    }
}

fn check_field(name: &str, value: &str) -> Result<(), ArmError> {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let is_text = |byte: u8| byte == b'\t' || (b' '..=b'~').contains(&byte);
    let is_framing = FRAMING.iter().any(|own| own.eq_ignore_ascii_case(name));
    let is_good = !name.is_empty()
        && name.bytes().all(is_token)
        && value.bytes().all(is_text)
        && name.len() + value.len() <= FIELD_BYTES_MAX
        && !is_framing;
    match is_good {
        true => Ok(()),
        false => Err(refused(format!(
            "The header '{}' cannot be sent.",
            name.escape_debug()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_with_or_without_a_scheme_a_port_and_a_path() {
        let read = |text: &str| {
            let address = Address::read(text).ok()?;
            Some((address.scheme, address.host, address.port, address.path))
        };
        let good = [
            ("10.0.1.4", None, "10.0.1.4", None, "/"),
            ("10.0.1.4:81", None, "10.0.1.4", Some(81), "/"),
            ("fd00::1", None, "fd00::1", None, "/"),
            ("[fd00::1]:81", None, "fd00::1", Some(81), "/"),
            ("WWW.Contoso.test", None, "www.contoso.test", None, "/"),
            ("https://Bing.test", Some("https"), "bing.test", None, "/"),
            (
                "HTTP://b.test:8080/A?b=c#d",
                Some("http"),
                "b.test",
                Some(8080),
                "/A?b=c",
            ),
            ("http://b.test?b", Some("http"), "b.test", None, "/?b"),
            ("", None, "", None, "/"),
        ];
        for (text, scheme, host, port, path) in good {
            let expected = Some((scheme, host.to_owned(), port, path.to_owned()));
            assert_eq!(read(text), expected, "{text}");
        }
        let long = "a".repeat(300);
        for bad in [
            "10.0.0.256",
            "a b",
            "http://",
            "a:b",
            "ftp://a",
            "a\r\nb",
            "x..y",
            "/p",
            "é",
            &long,
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn headers_that_would_break_the_request_are_refused() {
        assert!(check_field("X-Trace", "a b").is_ok());
        let long = "a".repeat(5000);
        let bad = [
            ("", "x"),
            ("A B", "x"),
            ("A", "x\r\nB: y"),
            ("A\r\n", "x"),
            ("Content-Length", "5"),
            ("transfer-encoding", "chunked"),
            ("A", &long),
        ];
        for (name, value) in bad {
            assert!(check_field(name, value).is_err(), "{name}");
        }
    }
}
