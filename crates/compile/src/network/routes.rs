//! Route tables and their routes.

use std::collections::BTreeMap;
use std::net::IpAddr;

use gatewright_arm::model::network::{self, RouteNextHopType, Text};
use gatewright_arm::{Item, NetworkResources};
use gatewright_snapshot::RouteTableIndex;
use gatewright_snapshot::network::{
    AddressTerm, NetworkPolicyBuilder, NextHop, Prefix, PrefixError, Route, RouteSource,
    RouteTable, TaggedRoute,
};

use super::Desk;
use super::directory::{Directory, enter, key_of, parent_of};
use crate::codes;
use crate::findings::{Findings, quote};

/// A route that stands by itself, with the document that has it.
type Alone<'a> = (usize, String, &'a Item<network::Route>);

/// Adds a row for every route table.
pub(crate) fn compile(
    documents: &[NetworkResources],
    directory: &mut Directory,
    builder: &mut NetworkPolicyBuilder,
    desk: &mut Desk,
) {
    let mut alone: BTreeMap<String, Vec<Alone<'_>>> = BTreeMap::new();
    for (position, document) in documents.iter().enumerate() {
        for item in &document.routes {
            let (table, name) = parent_of(item).unwrap_or_default();
            let routes = alone.entry(table).or_default();
            routes.push((position, name, item));
        }
    }
    let mut count = 0;
    for (position, document) in documents.iter().enumerate() {
        for item in &document.route_tables {
            let key = key_of(item);
            let index = RouteTableIndex::new(count);
            let findings = desk.of(position);
            if enter(
                &mut directory.tables,
                key.clone(),
                index,
                item.pointer(),
                findings,
            ) {
                let more = alone.remove(&key).unwrap_or_default();
                builder.add_table(table(position, item, &more, desk));
                count += 1;
            }
        }
    }
    for (position, _, item) in alone.into_values().flatten() {
        let message = format!(
            "No document has the route table of the route {}, which is left out.",
            quote(&item.name)
        );
        let findings = desk.of(position);
        findings.warning(codes::W_NETWORK_MISSING, item.pointer(), message, "");
    }
}

fn table(
    position: usize,
    item: &Item<network::RouteTable>,
    alone: &[Alone<'_>],
    desk: &mut Desk,
) -> RouteTable {
    let mut rows = Rows::default();
    for one in &item.properties.routes {
        rows.add(one, &one.name, desk.of(position));
    }
    for (position, name, one) in alone {
        let mut known = item.properties.routes.iter();
        // Exports of templates give each route twice.
        if !known.any(|known| known.is_named(name)) {
            rows.add(one, name, desk.of(*position));
        }
    }
    RouteTable::new(
        item.name.clone(),
        item.id.clone().unwrap_or_default(),
        item.properties.disable_bgp_route_propagation == Some(true),
        rows.routes,
        rows.tagged,
    )
}

#[derive(Default)]
struct Rows {
    routes: Vec<Route>,
    tagged: Vec<TaggedRoute>,
}

impl Rows {
    /// Adds the route, or reports what is wrong with it.
    fn add(&mut self, item: &Item<network::Route>, name: &str, findings: &mut Findings) {
        let next_hop = next_hop(item, name, findings);
        let Some(text) = item.properties.address_prefix.0.first() else {
            let message = format!("The route {} has no address prefix.", quote(name));
            let pointer = item.pointer_to("addressPrefix");
            findings.error(codes::E_ROUTE, pointer, message, "");
            return;
        };
        let term = match AddressTerm::parse(&text.value) {
            Ok(term) => term,
            Err(error) => {
                let owner = item.id.as_deref().unwrap_or(name);
                return bad_prefix(text, owner, error, findings);
            }
        };
        let Some(next_hop) = next_hop else {
            return;
        };
        match term {
            AddressTerm::Prefix(prefix) => self.routes.push(Route {
                name: name.to_owned(),
                prefix,
                next_hop,
                source: RouteSource::User,
            }),
            _ => {
                let message = format!(
                    "The route {} is for the service tag {}, whose addresses are not known here: \
                     it is left out.",
                    quote(name),
                    quote(&text.value)
                );
                findings.warning(codes::W_NOT_EVALUATED, &*text.pointer, message, "");
                self.tagged.push(TaggedRoute {
                    name: name.to_owned(),
                    tag: text.value.clone(),
                    next_hop,
                });
            }
        }
    }
}

/// The prefix; `None` after an error. `owner` is the id or the name of what has it.
pub(crate) fn prefix(text: &Text, owner: &str, findings: &mut Findings) -> Option<Prefix> {
    match text.value.parse() {
        Ok(prefix) => Some(prefix),
        Err(error) => {
            bad_prefix(text, owner, error, findings);
            None
        }
    }
}

fn bad_prefix(text: &Text, owner: &str, error: PrefixError, findings: &mut Findings) {
    let message = format!(
        "Address prefix {} of resource {} is not formatted correctly. It should follow CIDR \
         notation, for example 10.0.0.0/24.",
        quote(&text.value).trim_matches('\''),
        quote(owner).trim_matches('\''),
    );
    let help = format!("As it stands, {error}.");
    findings.error("InvalidAddressPrefixFormat", &*text.pointer, message, help);
}

/// Where the route leads; `None` after an error.
fn next_hop(item: &Item<network::Route>, name: &str, findings: &mut Findings) -> Option<NextHop> {
    let properties = &item.properties;
    match properties.next_hop_type {
        Some(RouteNextHopType::VnetLocal) => Some(NextHop::VnetLocal),
        Some(RouteNextHopType::Internet) => Some(NextHop::Internet),
        Some(RouteNextHopType::VirtualNetworkGateway) => Some(NextHop::VirtualNetworkGateway),
        Some(RouteNextHopType::None) => Some(NextHop::None),
        Some(_) => {
            let many = properties.next_hop.as_ref();
            let many = many.map_or(&[][..], |hop| &hop.next_hop_ip_addresses.0);
            let texts = properties.next_hop_ip_address.0.iter().chain(many);
            appliances(item, name, texts.collect(), findings)
        }
        None => {
            let message = format!(
                "The route {} leads nowhere: it has no nextHopType.",
                quote(name)
            );
            let pointer = item.pointer_to("nextHopType");
            findings.error(codes::E_ROUTE, pointer, message, "");
            None
        }
    }
}

fn appliances(
    item: &Item<network::Route>,
    name: &str,
    texts: Vec<&Text>,
    findings: &mut Findings,
) -> Option<NextHop> {
    let help = "Give the appliance's address as nextHopIpAddress.";
    if texts.is_empty() {
        let message = format!(
            "The route {} leads to an appliance without address.",
            quote(name)
        );
        let pointer = item.pointer_to("nextHopIpAddress");
        findings.error(codes::E_ROUTE, pointer, message, help);
        return None;
    }
    let mut addresses = Vec::with_capacity(texts.len());
    for text in &texts {
        match text.value.parse::<IpAddr>() {
            Ok(address) => addresses.push(address),
            Err(_) => {
                let message = format!(
                    "The route {} leads to {}, which is no address.",
                    quote(name),
                    quote(&text.value)
                );
                findings.error(codes::E_ROUTE, &*text.pointer, message, help);
            }
        }
    }
    (addresses.len() == texts.len()).then_some(NextHop::VirtualAppliance(addresses))
}
