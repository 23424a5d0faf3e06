//! What is asked of a policy.

use std::net::IpAddr;

use crate::index::SubnetIndex;

/// The protocols that security rules tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    Tcp,
    Udp,
    Icmp,
    Esp,
    Ah,
}

impl Protocol {
    pub(super) fn has_ports(self) -> bool {
        matches!(self, Self::Tcp | Self::Udp)
    }
}

/// A connection that a gateway, or a machine, is about to open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flow {
    /// The subnet that it begins in, such as the gateway's; see
    /// [`NetworkPolicy::gateway_subnet`](super::NetworkPolicy).
    pub subnet: SubnetIndex,
    /// The instance's address in that subnet, where it is known: any of the subnet's otherwise.
    pub source: Option<IpAddr>,
    /// The port that it comes from, where it is known: any that clients take otherwise.
    pub source_port: Option<u16>,
    /// The server's logical address: that of the document, before it is mapped.
    pub destination: IpAddr,
    /// The server's port. Of no account for protocols without ports.
    pub port: u16,
    pub protocol: Protocol,
}

impl Flow {
    /// A TCP connection from anywhere in the subnet.
    pub fn tcp(subnet: SubnetIndex, destination: IpAddr, port: u16) -> Self {
        Self {
            subnet,
            source: None,
            source_port: None,
            destination,
            port,
            protocol: Protocol::Tcp,
        }
    }
}
