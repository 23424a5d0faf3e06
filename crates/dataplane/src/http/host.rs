//! The host that a request names.

use std::net::Ipv6Addr;

/// Longest Host, port included, in bytes.
const HOST_BYTES_MAX: usize = 255 + 6;

/// The name in a Host, when it is one: `name`, `name:port`, `[v6]`, `[v6]:port`.
pub(crate) fn parse_host(host: &[u8]) -> Option<&[u8]> {
    if host.len() > HOST_BYTES_MAX {
        return None;
    }
    let (name, port) = if host.first() == Some(&b'[') {
        let end = memchr::memchr(b']', host)?;
        let (name, rest) = host.split_at(end + 1);
        let inner = std::str::from_utf8(name.get(1..end)?).ok()?;
        inner.parse::<Ipv6Addr>().ok()?;
        (
            name,
            if rest.is_empty() {
                None
            } else {
                Some(rest.strip_prefix(b":")?)
            },
        )
    } else {
        let (name, port) = match memchr::memchr(b':', host) {
            Some(at) => (&host[..at], Some(&host[at + 1..])),
            None => (host, None),
        };
        let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
        let has_empty_label =
            name.first() == Some(&b'.') || name.windows(2).any(|two| two == b"..");
        if name.is_empty() || has_empty_label || !name.iter().all(is_name) {
            return None;
        }
        (name, port)
    };
    port.is_none_or(is_port).then_some(name)
}

/// Whether this is what may follow the colon of a host: nothing, or 1 to 65535.
fn is_port(port: &[u8]) -> bool {
    let number = std::str::from_utf8(port).ok().filter(|_| port.len() <= 5);
    let is_digits = port.iter().all(u8::is_ascii_digit);
    port.is_empty() || is_digits && number.is_some_and(|text| matches!(text.parse(), Ok(1u16..)))
}
