//! Local stand-ins for the addresses of an exported gateway's backends.

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

/// One `HOST[:PORT]=ADDRESS[:PORT]`: connections to the host on the left, on that port or on any,
/// go to the address on the right, on that port or on their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    host: String,
    port: Option<u16>,
    address: IpAddr,
    address_port: Option<u16>,
}

/// Why a text is no mapping: a whole sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MappingError(String);

impl fmt::Display for MappingError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for MappingError {}

impl FromStr for Mapping {
    type Err = MappingError;

    fn from_str(text: &str) -> Result<Self, MappingError> {
        let error = |what: &str| {
            Err(MappingError(format!(
                "{text:?} is no mapping, since {what}; \
                 write HOST[:PORT]=ADDRESS[:PORT], such as 10.0.1.4:80=127.0.0.1:9001"
            )))
        };
        let Some((from, to)) = text.split_once('=') else {
            return error("it has no '='");
        };
        let Some((host, port)) = split_port(from) else {
            return error("what stands before the '=' is not a host with at most one port");
        };
        if host.is_empty() {
            return error("no host stands before the '='");
        }
        let Some((address, address_port)) = split_port(to) else {
            return error("what stands behind the '=' is not an address with at most one port");
        };
        let Ok(address) = address.parse() else {
            return error("what stands behind the '=' does not begin with an IP address");
        };
        Ok(Self {
            host: host.to_ascii_lowercase(),
            port,
            address,
            address_port,
        })
    }
}

impl Mapping {
    /// Connections to `host`, on any port, go to `address`.
    pub fn of_host(host: &str, address: SocketAddr) -> Self {
        Self {
            host: host.to_ascii_lowercase(),
            port: None,
            address: address.ip(),
            address_port: Some(address.port()),
        }
    }
}

/// `host`, `host:port`, `[v6]`, `[v6]:port` or a bare v6 address.
fn split_port(text: &str) -> Option<(&str, Option<u16>)> {
    if let Some(rest) = text.strip_prefix('[') {
        let (host, rest) = rest.split_once(']')?;
        return match rest {
            "" => Some((host, None)),
            _ => Some((host, Some(parse_port(rest.strip_prefix(':')?)?))),
        };
    }
    match text.split_once(':') {
        None => Some((text, None)),
        Some((_, rest)) if rest.contains(':') => Some((text, None)),
        Some((host, port)) => Some((host, Some(parse_port(port)?))),
    }
}

fn parse_port(text: &str) -> Option<u16> {
    text.parse().ok().filter(|port| *port > 0)
}

/// All mappings of a node. Those with a port go before those without.
#[derive(Clone, Debug, Default)]
pub struct AddressMap {
    by_host: HashMap<(String, Option<u16>), (IpAddr, Option<u16>)>,
}

impl FromIterator<Mapping> for AddressMap {
    fn from_iter<I: IntoIterator<Item = Mapping>>(mappings: I) -> Self {
        let row = |mapping: Mapping| {
            (
                (mapping.host, mapping.port),
                (mapping.address, mapping.address_port),
            )
        };
        Self {
            by_host: mappings.into_iter().map(row).collect(),
        }
    }
}

impl AddressMap {
    /// Where connections to `host` (a name in lower case, or an address) on `port` go instead.
    pub fn find(&self, host: &str, port: u16) -> Option<SocketAddr> {
        let exact = self.by_host.get(&(host.to_owned(), Some(port)));
        let (address, to_port) = exact.or_else(|| self.by_host.get(&(host.to_owned(), None)))?;
        Some(SocketAddr::new(*address, to_port.unwrap_or(port)))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.by_host.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(mapping: &str, host: &str, port: u16, expected: Option<&str>) {
        let map: AddressMap = [mapping.parse().unwrap()].into_iter().collect();
        let found = map.find(host, port).map(|address| address.to_string());
        assert_eq!(found.as_deref(), expected, "{host}:{port} by {mapping}");
    }

    #[test]
    fn mappings_name_a_host_and_perhaps_ports() {
        check(
            "10.0.1.4:80=127.0.0.1:9001",
            "10.0.1.4",
            80,
            Some("127.0.0.1:9001"),
        );
        check("10.0.1.4:80=127.0.0.1:9001", "10.0.1.4", 81, None);
        check("10.0.1.4=127.0.0.1", "10.0.1.4", 81, Some("127.0.0.1:81"));
        check(
            "App.Contoso.com=[::1]:9",
            "app.contoso.com",
            443,
            Some("[::1]:9"),
        );
        check(
            "[fd00::1]:80=127.0.0.1:9",
            "fd00::1",
            80,
            Some("127.0.0.1:9"),
        );
    }

    #[test]
    fn a_port_goes_before_any_port() {
        let rows = ["a=127.0.0.1:1", "a:80=127.0.0.1:2"].map(|row| row.parse().unwrap());
        let map: AddressMap = rows.into_iter().collect();
        assert_eq!(map.find("a", 80).unwrap().port(), 2);
        assert_eq!(map.find("a", 81).unwrap().port(), 1);
    }

    #[test]
    fn what_is_no_mapping_says_why() {
        for bad in [
            "",
            "a",
            "=127.0.0.1",
            "a=b",
            "a:x=127.0.0.1",
            "a=127.0.0.1:0",
            "a:1:2=b",
        ] {
            let error = bad.parse::<Mapping>().unwrap_err().to_string();
            assert!(
                error.contains("write HOST[:PORT]=ADDRESS[:PORT]"),
                "{bad}: {error}"
            );
        }
    }
}
