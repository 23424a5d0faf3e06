//! The way of a connection, hop by hop, with what stands in it.

use std::net::IpAddr;

use gatewright_arm::ResourceId;
use gatewright_snapshot::network::{Decision, NextHop};
use serde_json::{Value, json};
use uuid::Uuid;

use super::connectivity::Times;
use super::ends::End;
use super::flows::{hop_name, rule_name};
use crate::core::Core;
use crate::identity::Caller;
use crate::node::Attempted;
use crate::providers::network::picture::{Picture, Way};

/// What is known of a connection.
pub(super) struct Found<'a> {
    pub(super) core: &'a Core,
    pub(super) picture: &'a Picture,
    /// Resources that they may not read are not named to them.
    pub(super) caller: &'a Caller,
    pub(super) source: &'a End,
    /// What was to be reached.
    pub(super) host: &'a str,
    /// The address that the host has, and the way there; `None` where it has none that is known.
    pub(super) way: Option<(IpAddr, Way<'a>)>,
    pub(super) attempted: &'a Attempted,
}

struct Hop {
    kind: &'static str,
    id: Uuid,
    address: String,
    resource: Option<String>,
    issues: Vec<Value>,
}

impl Hop {
    fn new(kind: &'static str, address: impl Into<String>) -> Self {
        Self {
            kind,
            id: Uuid::new_v4(),
            address: address.into(),
            resource: None,
            issues: Vec::new(),
        }
    }
}

/// All of them, from the source to the destination.
pub(super) fn hops(found: &Found<'_>) -> Value {
    let address = found.source.address.map(|address| address.to_string());
    let mut source = Hop::new("Source", address.unwrap_or_default());
    source.resource = Some(found.source.owner.to_string());
    let mut destination = found.destination();
    found.note_issues(&mut source.issues, &mut destination.issues);
    let between = found.appliance();
    let all: Vec<Hop> = [Some(source), between, Some(destination)]
        .into_iter()
        .flatten()
        .collect();
    chain(&all, found.times().as_ref())
}

impl Found<'_> {
    fn times(&self) -> Option<Times> {
        match self.attempted {
            Attempted::Tried(tried) => Times::of(&tried.times),
            Attempted::Nameless(_) | Attempted::Dropped(_) => None,
        }
    }

    fn next_hop(&self) -> Option<&NextHop> {
        let (_, way) = self.way.as_ref()?;
        way.verdict.route.map(|route| &route.route.next_hop)
    }

    /// The appliance that the route leads to, unless that is the destination.
    fn appliance(&self) -> Option<Hop> {
        let (destination, _) = self.way.as_ref()?;
        let NextHop::VirtualAppliance(addresses) = self.next_hop()? else {
            return None;
        };
        let address = addresses
            .first()
            .filter(|address| *address != destination)?;
        let mut hop = Hop::new("VirtualAppliance", address.to_string());
        hop.resource = self.owner_of(*address);
        Some(hop)
    }

    fn destination(&self) -> Hop {
        let Some((address, way)) = &self.way else {
            return Hop::new("Destination", self.host);
        };
        let kind = match (self.next_hop(), way.end) {
            (Some(NextHop::None) | None, _) => "Destination",
            (_, Some(_)) => "VirtualNetwork",
            (Some(NextHop::VirtualAppliance(_)), None) => "Internet",
            (Some(hop), None) => hop_name(hop),
        };
        let mut hop = Hop::new(kind, address.to_string());
        hop.resource = match kind {
            // As documented of what a route keeps away.
            "Destination" => Some("Unknown".to_owned()),
            "VirtualNetwork" => self.owner_of(*address),
            _ => None,
        };
        hop
    }

    /// The resource that has an address, as far as the caller may read it.
    fn owner_of(&self, address: IpAddr) -> Option<String> {
        let (_, way) = self.way.as_ref()?;
        let policy = &self.picture.policy;
        let network = policy.subnet(way.origin.subnet).network;
        let subnet = policy.subnet_of(network, address)?;
        let may_read = |id: &ResourceId| {
            let action = format!("{}/read", id.resource_type());
            self.caller.may(&action, &id.to_string())
        };
        if let Some(tenant) = self.picture.tenant(subnet, address) {
            return may_read(&tenant.interface).then(|| tenant.owner.to_string());
        }
        let place = &policy.subnet(subnet).resource_id;
        let held = self.core.inventory.held(place, None);
        let holder = ResourceId::parse(held.get(&address)?).ok()?;
        let owner = holder.parent().unwrap_or(holder);
        may_read(&owner).then(|| owner.to_string())
    }

    /// What stands in the way: on the side of the source, and of the destination.
    fn note_issues(&self, source: &mut Vec<Value>, destination: &mut Vec<Value>) {
        if let Some((_, way)) = &self.way {
            source.extend(
                way.outbound
                    .iter()
                    .filter_map(|one| rule_issue("Outbound", one)),
            );
            source.extend(route_issue(way));
            destination.extend(
                way.inbound
                    .iter()
                    .filter_map(|one| rule_issue("Inbound", one)),
            );
        }
        match self.attempted {
            Attempted::Nameless(why) => {
                let context = [("Name", self.host), ("Error", why)];
                source.push(issue("Local", "Error", "DnsResolution", &context));
            }
            Attempted::Tried(tried) => {
                let why = tried.fault.as_deref();
                destination
                    .extend(why.map(|why| issue("Inbound", "Error", "Unknown", &[("Error", why)])));
            }
            Attempted::Dropped(_) => {}
        }
    }
}

fn issue(origin: &str, severity: &str, kind: &str, context: &[(&str, &str)]) -> Value {
    let context = context
        .iter()
        .map(|(key, value)| json!({"key": key, "value": value}));
    json!({
        "origin": origin,
        "severity": severity,
        "type": kind,
        "context": context.collect::<Vec<_>>(),
    })
}

/// The rule that denies; or, as a warning, one that was passed over and might.
fn rule_issue(origin: &str, decision: &Decision<'_>) -> Option<Value> {
    let (severity, rule) = match (decision.is_denied(), decision.is_certain()) {
        (true, _) => ("Error", decision.rule),
        (false, true) => return None,
        (false, false) => ("Warning", decision.undecided.rules().next()?),
    };
    let name = rule_name(rule);
    Some(issue(
        origin,
        severity,
        "NetworkSecurityRule",
        &[("RuleName", &name)],
    ))
}

fn route_issue(way: &Way<'_>) -> Option<Value> {
    let route = way.verdict.route.filter(|_| way.is_dropped())?;
    let (kind, source) = match route.user_table() {
        Some(_) => ("UserDefinedRoute", "User"),
        None => ("Platform", "System"),
    };
    Some(issue("Outbound", "Error", kind, &[("RouteType", source)]))
}

/// Each with links to its neighbours.
fn chain(hops: &[Hop], times: Option<&Times>) -> Value {
    let link = |to: &Hop, kind: &str, properties: Value| {
        json!([{
            "nextHopId": to.id,
            "linkType": kind,
            "properties": properties,
            "context": {},
            "issues": [],
            "resourceId": "",
        }])
    };
    let shown = hops.iter().enumerate().map(|(position, hop)| {
        let before = position.checked_sub(1).and_then(|before| hops.get(before));
        let next = hops.get(position + 1);
        let mut shown = json!({"type": hop.kind, "id": hop.id, "address": hop.address});
        if let Some(resource) = &hop.resource {
            shown["resourceId"] = json!(resource);
        }
        shown["nextHopIds"] = next.map_or(json!([]), |next| json!([next.id]));
        shown["links"] = next.map_or(json!([]), |next| {
            // How long each part of a longer way takes is not known.
            let times = times.filter(|_| hops.len() == 2);
            link(next, next.kind, times.map_or(json!({}), round_trips))
        });
        shown["previousHopIds"] = before.map_or(json!([]), |before| json!([before.id]));
        shown["previousLinks"] =
            before.map_or(json!([]), |before| link(before, hop.kind, json!({})));
        shown["issues"] = json!(hop.issues);
        shown
    });
    shown.collect()
}

fn round_trips(times: &Times) -> Value {
    json!({
        "roundTripTimeMin": times.least,
        "roundTripTimeAvg": times.average,
        "roundTripTimeMax": times.most,
    })
}
