//! Where the members of pools are, and which security groups and route tables that makes worth
//! asking for.

use std::net::IpAddr;

use gatewright_arm::ResourceId;
use gatewright_snapshot::network::Prefix;
use serde_json::Value;

use super::picture::{Picture, Question, list, text};
use super::subject::{add, parse};
use super::verbs::Verb;

/// Most networks beside the gateway's own, subnets, and groups and tables each, that are asked for.
const PEERS_MAX: usize = 8;
const SUBNETS_MAX: usize = 16;
const PARTS_MAX: usize = 32;

/// Endings of names that are of the platform: no subnet of the user's is behind them.
const PLATFORM: [&str; 3] = [".azurewebsites.net", ".windows.net", ".azure.net"];

/// The networks in which members can be, and subnets that interfaces are in and no network shows.
pub(super) fn surroundings(picture: &mut Picture) -> Vec<Question> {
    let mut questions = Vec::new();
    let peers = picture.bounded(peers(picture), PEERS_MAX, "networks with members");
    let file = "backend-subnet.json";
    for id in peers {
        questions.push(Question::of(Verb::Network, &id, "virtual network", file));
    }
    let subnets: Vec<_> = interface_subnets(picture);
    let subnets = picture.bounded(subnets, SUBNETS_MAX, "subnets with members");
    for id in subnets {
        questions.push(Question::of(Verb::Subnet, &id, "subnet", file));
    }
    questions
}

/// The security groups and route tables that the way of requests leads past.
pub(super) fn groups_and_tables(picture: &mut Picture) -> Vec<Question> {
    let subnets = subnets_of_interest(picture);
    let mut groups = Vec::new();
    let mut tables = Vec::new();
    for subnet in &subnets {
        add(
            &mut groups,
            text(subnet, "/networkSecurityGroup/id").and_then(parse),
        );
        add(&mut tables, text(subnet, "/routeTable/id").and_then(parse));
    }
    for interface in interfaces(picture) {
        add(
            &mut groups,
            text(interface, "/networkSecurityGroup/id").and_then(parse),
        );
    }
    let groups = picture.bounded(groups, PARTS_MAX, "security groups");
    let tables = picture.bounded(tables, PARTS_MAX, "route tables");
    let groups = groups
        .iter()
        .map(|id| Question::of(Verb::SecurityGroup, id, "security group", "nsgs.json"));
    let tables = tables
        .iter()
        .map(|id| Question::of(Verb::RouteTable, id, "route table", "route-tables.json"));
    groups.chain(tables).collect()
}

/// Whether it is known which groups and tables the gateway's subnet has: without that, an empty
/// list of them would say what nobody knows.
pub(super) fn knows_own_subnet(picture: &Picture) -> bool {
    let own = picture.subject.subnet.as_ref();
    own.is_some_and(|own| all_subnets(picture).any(|subnet| is(subnet, own)))
}

fn is(resource: &Value, id: &ResourceId) -> bool {
    text(resource, "/id").and_then(parse).as_ref() == Some(id)
}

/// Interfaces of members, of machines and of scale sets.
fn interfaces(picture: &Picture) -> impl Iterator<Item = &Value> {
    let single = picture.all(Verb::Interface).map(|(_, value)| value);
    single.chain(picture.items(Verb::ScaleSetInterfaces))
}

/// Every subnet that is known, by itself or in its network.
fn all_subnets(picture: &Picture) -> impl Iterator<Item = &Value> {
    let single = picture.all(Verb::Subnet).map(|(_, value)| value);
    let networks = picture.all(Verb::Network);
    single.chain(networks.flat_map(|(_, network)| list(network, "/subnets")))
}

/// Subnets that interfaces of members are in.
fn joined_subnets(picture: &Picture) -> Vec<ResourceId> {
    let mut ids = Vec::new();
    for interface in interfaces(picture) {
        for configuration in list(interface, "/ipConfigurations") {
            add(&mut ids, text(configuration, "/subnet/id").and_then(parse));
        }
    }
    ids
}

/// Those of them that nobody has shown yet.
fn interface_subnets(picture: &Picture) -> Vec<ResourceId> {
    let mut ids = joined_subnets(picture);
    ids.retain(|id| !all_subnets(picture).any(|subnet| is(subnet, id)));
    ids
}

/// Peered networks that have an address of a member which the gateway's own network has not.
fn peers(picture: &Picture) -> Vec<ResourceId> {
    let Some(own) = picture.first(Verb::Network) else {
        return Vec::new();
    };
    let here: Vec<Prefix> = prefixes(list(own, "/addressSpace/addressPrefixes")).collect();
    let far = picture.subject.addresses.iter();
    let far: Vec<&IpAddr> = far
        .filter(|one| !here.iter().any(|prefix| prefix.contains(**one)))
        .collect();
    let mut ids = Vec::new();
    for peering in list(own, "/virtualNetworkPeerings") {
        let spaces = ["remoteAddressSpace", "remoteVirtualNetworkAddressSpace"];
        let mut remote = spaces
            .iter()
            .flat_map(|space| prefixes(list(peering, &format!("/{space}/addressPrefixes"))));
        if remote.any(|prefix| far.iter().any(|address| prefix.contains(**address))) {
            add(
                &mut ids,
                text(peering, "/remoteVirtualNetwork/id").and_then(parse),
            );
        }
    }
    ids
}

fn prefixes<'a>(texts: impl Iterator<Item = &'a Value>) -> impl Iterator<Item = Prefix> {
    texts.filter_map(|text| text.as_str()?.parse().ok())
}

/// The gateway's subnet, those with members, and where it is not known where one is, all of the
/// gateway's network.
fn subnets_of_interest(picture: &Picture) -> Vec<&Value> {
    let subject = &picture.subject;
    let has_member = |subnet: &Value| {
        let single = subnet.get("addressPrefix").into_iter();
        let own: Vec<Prefix> = prefixes(single.chain(list(subnet, "/addressPrefixes"))).collect();
        let mut members = subject.addresses.iter();
        members.any(|address| own.iter().any(|prefix| prefix.contains(*address)))
    };
    let joined = joined_subnets(picture);
    let mut names = subject.names.iter();
    let is_anywhere = names.any(|name| !PLATFORM.iter().any(|end| name.ends_with(end)));
    let whole = picture.first(Verb::Network).filter(|_| is_anywhere);
    let whole: Vec<&str> = whole
        .into_iter()
        .flat_map(|network| list(network, "/subnets"))
        .filter_map(|subnet| text(subnet, "/id"))
        .collect();
    all_subnets(picture)
        .filter(|subnet| {
            let is_own = subject.subnet.as_ref().is_some_and(|own| is(subnet, own));
            is_own
                || joined.iter().any(|id| is(subnet, id))
                || has_member(subnet)
                || text(subnet, "/id").is_some_and(|id| whole.contains(&id))
        })
        .collect()
}
