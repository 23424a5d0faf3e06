//! `--map`, and which of its rules lead nowhere.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use gatewright_dataplane::{Mapping, MappingError};
use gatewright_snapshot::{Member, Snapshot};

use crate::findings::{Finding, Level};

/// Where name servers listen.
const DNS_PORT: u16 = 53;

/// What a finding names in place of a file.
const FLAG: &str = "--map";

/// One rule, with the text that was given for it.
#[derive(Clone, Debug)]
pub(crate) struct MapRule {
    pub(crate) mapping: Mapping,
    text: String,
}

impl FromStr for MapRule {
    type Err = MappingError;

    fn from_str(text: &str) -> Result<Self, MappingError> {
        Ok(Self {
            mapping: text.parse()?,
            text: text.to_owned(),
        })
    }
}

impl MapRule {
    /// What stands before the `=`, as servers are written here: a server without its port is
    /// meant on every port.
    fn from(&self) -> String {
        let (from, _) = self.text.split_once('=').unwrap_or((&self.text, ""));
        let is_bare_v6 = !from.starts_with('[') && from.matches(':').count() > 1;
        match is_bare_v6 {
            true => format!("[{from}]").to_ascii_lowercase(),
            false => from.to_ascii_lowercase(),
        }
    }
}

/// Rules that no server of any pool matches; none while there is no gateway that could have one.
pub(crate) fn unused(rules: &[MapRule], snapshot: &Snapshot) -> Vec<Finding> {
    if snapshot.gateways.is_empty() {
        return Vec::new();
    }
    let servers = servers(snapshot);
    let hosts: BTreeSet<&str> = servers.iter().map(|server| host_of(server)).collect();
    let is_unused = |rule: &&MapRule| {
        let from = rule.from();
        !servers.contains(&from) && !hosts.contains(from.as_str())
    };
    let tell = |rule: &MapRule| {
        let from = rule.from();
        let message = format!(
            "The mapping '{}' is not used, because no rule leads to a server {from}.",
            rule.text
        );
        let near = servers.iter().min_by_key(|one| distance(one, &from));
        let help = near.map(|near| format!("The nearest server is {near}."));
        Finding {
            help,
            ..Finding::of_file(FLAG, Level::Warning, "GW-W-map-unused", message)
        }
    };
    rules.iter().filter(is_unused).map(tell).collect()
}

/// Every `host:port` that requests, probes or questions for names may go to.
fn servers(snapshot: &Snapshot) -> BTreeSet<String> {
    let networks = snapshot.network.networks().iter();
    let name_servers = networks.flat_map(|network| &network.dns_servers);
    let at_their_port = |ip: &IpAddr| SocketAddr::new(*ip, DNS_PORT).to_string();
    let mut servers: BTreeSet<String> = name_servers.map(at_their_port).collect();
    for upstream in &snapshot.upstreams {
        let setting = snapshot.setting(upstream.setting);
        let probe_port = setting.probe.as_ref().map(|probe| probe.port);
        for port in [Some(setting.port), probe_port].into_iter().flatten() {
            for member in &snapshot.pool(upstream.pool).members {
                servers.insert(match member {
                    Member::Ip(ip) if ip.is_ipv6() => format!("[{ip}]:{port}"),
                    Member::Ip(ip) => format!("{ip}:{port}"),
                    Member::Fqdn(name) => format!("{name}:{port}"),
                });
            }
        }
    }
    servers
}

fn host_of(server: &str) -> &str {
    server.rsplit_once(':').map_or(server, |(host, _)| host)
}

/// How many characters are left when what both begin with and end with is taken away.
fn distance(one: &str, other: &str) -> usize {
    let same = |(a, b): &(u8, u8)| a == b;
    let begin = one.bytes().zip(other.bytes()).take_while(same).count();
    let (one, other) = (&one.as_bytes()[begin..], &other.as_bytes()[begin..]);
    let ends = one.iter().rev().zip(other.iter().rev());
    let end = ends.take_while(|(a, b)| a == b).count();
    one.len().max(other.len()) - end
}

#[cfg(test)]
mod tests {
    use gatewright_snapshot::network::{Beyond, NetworkPolicyBuilder, VirtualNetwork};
    use gatewright_snapshot::{Gateway, Generation};

    use super::*;

    fn text_of(rule: &str) -> String {
        rule.parse::<MapRule>().unwrap().from()
    }

    #[test]
    fn rules_are_written_as_servers_are() {
        assert_eq!(text_of("App.Test:80=127.0.0.1:1"), "app.test:80");
        assert_eq!(text_of("10.0.1.4=127.0.0.1:1"), "10.0.1.4");
        assert_eq!(text_of("fd00::1=127.0.0.1:1"), "[fd00::1]");
        assert_eq!(text_of("[fd00::1]:80=127.0.0.1:1"), "[fd00::1]:80");
        assert_eq!(host_of("[fd00::1]:80"), "[fd00::1]");
    }

    #[test]
    fn a_stand_in_of_a_networks_name_server_is_used() {
        let mut networks = NetworkPolicyBuilder::default();
        networks.add_network(VirtualNetwork {
            name: "net".to_owned(),
            resource_id: String::new(),
            address_space: Vec::new(),
            peers: Vec::new(),
            beyond: Beyond::Nothing,
            dns_servers: vec![[10, 0, 1, 4].into(), "fd00::4".parse().unwrap()],
        });
        let mut snapshot = Snapshot {
            network: networks.build(),
            ..Snapshot::default()
        };
        let rules = ["10.0.1.4:53", "[fd00::4]:53", "10.0.1.4", "10.0.1.5:53"];
        let rules = rules.map(|from| format!("{from}=127.0.0.1:5353").parse().unwrap());
        assert_eq!(unused(&rules, &snapshot), [], "there is no gateway");
        snapshot.gateways.push(Gateway {
            name: "gw".to_owned(),
            resource_id: String::new(),
            generation: Generation::V2,
            idle: None,
            hide_server_header: false,
        });
        let told = unused(&rules, &snapshot);
        assert_eq!(told.len(), 1);
        assert!(
            told[0].message.contains("10.0.1.5:53"),
            "{}",
            told[0].message
        );
    }

    #[test]
    fn the_nearest_differs_in_the_least() {
        assert_eq!(distance("10.0.1.4:80", "10.0.1.4:80"), 0);
        assert!(
            distance("10.0.1.4:80", "10.0.1.4:8080") < distance("10.0.2.5:80", "10.0.1.4:8080")
        );
        assert_eq!(distance("aa", "a"), 1);
    }
}
