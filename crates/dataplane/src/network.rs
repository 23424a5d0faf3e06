//! What the network policy says of connections to servers, as the facts that records tell.
//!
//! A flow depends on the gateway's subnet and the server's address alone, so that it is evaluated
//! when a configuration is made ready, once for each server, and costs a request nothing. A flow
//! that is denied is dropped, as it would be there: the connection is not made, and times out.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use gatewright_snapshot::network::{
    Decision, Direction, EffectiveRoute, Flow, ManagementPorts, NextHop, Outcome, PortSet,
};
use gatewright_snapshot::{GatewayIndex, Generation, Snapshot};

/// Why no connection to a server can be made: a clause that names the rule or the route.
pub(crate) type Obstacle = Arc<str>;

/// What stands between a gateway and a server's logical address; `None` where nothing does, or
/// where nothing is known of the gateway's network. This machine's loopback is on no network: who
/// names it in a pool tries a gateway out with servers beside it.
pub(crate) fn obstacle(
    snapshot: &Snapshot,
    gateway: GatewayIndex,
    server: SocketAddr,
) -> Option<Obstacle> {
    if server.ip().is_loopback() {
        return None;
    }
    let subnet = snapshot.network.gateway_subnet(gateway)?;
    let flow = Flow::tcp(subnet, server.ip(), server.port());
    match snapshot.network.evaluate(&flow).outcome() {
        Outcome::Allowed => None,
        Outcome::Denied(decision) => Some(denial(&decision, server).into()),
        Outcome::Dropped(route) => Some(dead_route(&route, server).into()),
    }
}

fn denial(decision: &Decision<'_>, server: SocketAddr) -> String {
    let direction = match decision.rule.direction {
        Direction::Inbound => "inbound",
        Direction::Outbound => "outbound",
    };
    format!(
        "the rule {} (priority {}, {direction}) of the security group {} at the subnet {} denies \
         {server}",
        decision.rule.name, decision.rule.priority, decision.group.name, decision.subnet.name
    )
}

fn dead_route(effective: &EffectiveRoute<'_>, server: SocketAddr) -> String {
    let route = effective.route;
    let named = match effective.table {
        Some(table) => format!(
            "the route {} ({}) of the route table {}",
            route.name, route.prefix, table.name
        ),
        None => format!("the platform's own route {}", route.prefix),
    };
    format!("{named} leads {server} nowhere")
}

/// Ranges as documents write them: `65200-65535,443`.
fn shown(ports: &PortSet) -> String {
    let range = |(low, high): &(u16, u16)| match low == high {
        true => low.to_string(),
        false => format!("{low}-{high}"),
    };
    ports
        .ranges()
        .iter()
        .map(range)
        .collect::<Vec<_>>()
        .join(",")
}

/// Why the platform could not tell the health of a gateway's servers, though the gateway may well
/// serve: closed management ports, or a default route that does not lead to the Internet.
pub(crate) fn unretrievable(snapshot: &Snapshot, gateway: GatewayIndex) -> Option<String> {
    let subnet = snapshot.network.gateway_subnet(gateway)?;
    let generation = snapshot.gateway(gateway).generation;
    // The first generation cannot be isolated.
    let is_isolated = snapshot.network.subnet(subnet).isolates_gateways;
    if is_isolated && generation == Generation::V2 {
        return None;
    }
    let ports = snapshot.network.management_ports(subnet, generation);
    if let ManagementPorts::Denied {
        group, rule, ports, ..
    } = ports
    {
        let (first, last) = generation.management_ports();
        let part = match ports.ranges() {
            [(low, high)] if *low <= first && *high >= last => String::new(),
            _ => format!("{} of ", shown(&ports)),
        };
        return Some(format!(
            "the rule {} (priority {}, inbound) of the security group {} denies {part}the \
             management ports {first}-{last}",
            rule.name, rule.priority, group.name
        ));
    }
    let default = snapshot.network.default_route(subnet)?;
    if default.leads_to_internet() {
        return None;
    }
    let route = default.route.route;
    let hop = match &route.next_hop {
        NextHop::Internet => "the Internet".to_owned(),
        NextHop::VnetLocal => "the virtual network".to_owned(),
        NextHop::VnetPeering => "a peered virtual network".to_owned(),
        NextHop::VirtualNetworkGateway => "a virtual network gateway".to_owned(),
        NextHop::VirtualAppliance(addresses) => {
            let addresses: Vec<String> = addresses.iter().map(IpAddr::to_string).collect();
            format!("the appliance {}", addresses.join(", "))
        }
        NextHop::None => "nowhere".to_owned(),
    };
    Some(format!(
        "the default route {} ({}) leads to {hop}, and not to the Internet",
        route.name, route.prefix
    ))
}
