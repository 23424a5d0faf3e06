//! Where connections to a host lead, for those who ask beside traffic and probes.

use std::net::{IpAddr, SocketAddr};

use super::Dataplane;
use crate::dns::NameFailure;

/// One place that connections to a host lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostPlace {
    /// The host's own address, which networks judge; `None` where a stand-in takes the place of a
    /// name whose address nobody knows.
    pub logical: Option<IpAddr>,
    /// Where a connection is made, after mapping.
    pub address: SocketAddr,
}

impl Dataplane {
    /// Where connections to `host` (an address, or a name in lower case) on `port` lead: by the
    /// mapping, and for names by `name_servers` of a network, or the node's, as for pool members.
    /// Takes at most five seconds. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// Why the name has no address.
    pub async fn places_of(
        &self,
        host: &str,
        port: u16,
        name_servers: &[IpAddr],
    ) -> Result<Vec<HostPlace>, NameFailure> {
        let (map, dns) = (self.0.address_map.load_full(), &self.0.dns);
        let at = |ip: IpAddr| HostPlace {
            logical: Some(ip),
            address: map
                .find(&ip.to_string(), port)
                .unwrap_or_else(|| SocketAddr::new(ip, port)),
        };
        if let Ok(ip) = host.parse() {
            return Ok(vec![at(ip)]);
        }
        if let Some(address) = map.find(host, port) {
            return Ok(vec![HostPlace {
                logical: None,
                address,
            }]);
        }
        let question = dns.question_in(name_servers, host, &map);
        Ok(dns.ask(&question).await?.into_iter().map(at).collect())
    }
}
