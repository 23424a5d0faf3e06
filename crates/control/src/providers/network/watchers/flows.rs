//! `nextHop` and `ipFlowVerify`: what the network says of one packet.

use std::net::IpAddr;
use std::sync::Arc;

use gatewright_arm::{ArmError, ResourceId};
use gatewright_snapshot::SubnetIndex;
use gatewright_snapshot::network::{Decision, Direction, Flow, NextHop, Protocol, Rule};
use gatewright_store::Pending;
use serde_json::{Value, json};

use super::ends::{End, address_in, refused, text_in};
use crate::context::Context;
use crate::core::Core;
use crate::front::answer::Answer;
use crate::providers::network::gateways::ask_later;
use crate::providers::network::picture::{Origin, Picture, unknown};
use crate::resources::shape::{self, Form, Member, member, required};

const NEXT_HOP: &[Member] = &[
    required("targetResourceId", Form::Text),
    required("sourceIPAddress", Form::Text),
    required("destinationIPAddress", Form::Text),
    member("targetNicResourceId", Form::Text),
];

const FLOW: &[Member] = &[
    required("targetResourceId", Form::Text),
    required("direction", Form::Word(&["Inbound", "Outbound"])),
    required("protocol", Form::Word(&["TCP", "UDP"])),
    required("localPort", Form::Text),
    required("remotePort", Form::Text),
    required("localIPAddress", Form::Text),
    required("remoteIPAddress", Form::Text),
    member("targetNicResourceId", Form::Text),
];

/// What stands in place of a route table where the route is the service's own.
const SYSTEM_ROUTE: &str = "System Route";

pub(super) async fn next_hop(context: Context) -> Result<Answer, ArmError> {
    let id = context.resource_id(1)?;
    let watcher = context.document(&id).await?;
    let question = shape::question(&id, NEXT_HOP, &context.json()?)?;
    let source = address_in(&question, "sourceIPAddress")?;
    let destination = address_in(&question, "destinationIPAddress")?;
    let machine = context
        .machine(Some(&watcher), text_in(&question, "targetResourceId"))
        .await?;
    let end = machine.at(text_in(&question, "targetNicResourceId"), source)?;
    let ask = move |core: Arc<Core>, _: ResourceId| -> Pending<'static, _> {
        Box::pin(async move {
            let picture = core.picture().await?;
            let origin = end.origin(&picture)?;
            hop_of(&picture, origin.subnet, destination)
        })
    };
    Ok(ask_later(&context, id, ask))
}

fn hop_of(picture: &Picture, from: SubnetIndex, to: IpAddr) -> Result<Value, ArmError> {
    // Routes ask for no port.
    let verdict = picture.policy.evaluate(&Flow::tcp(from, to, 0));
    let route = verdict
        .route
        .ok_or_else(|| unknown("no route leads there"))?;
    let mut hop = json!({ "nextHopType": hop_name(&route.route.next_hop) });
    if let NextHop::VirtualAppliance(addresses) = &route.route.next_hop
        && let Some(address) = addresses.first()
    {
        hop["nextHopIpAddress"] = json!(address);
    }
    let table = route.user_table().map(|table| table.resource_id.as_str());
    hop["routeTableId"] = json!(table.unwrap_or(SYSTEM_ROUTE));
    Ok(hop)
}

/// As the service's documentation of next hops lists them; `VirtualNetwork` was recorded.
pub(super) fn hop_name(hop: &NextHop) -> &'static str {
    match hop {
        NextHop::VnetLocal => "VirtualNetwork",
        NextHop::VnetPeering => "VirtualNetworkPeering",
        NextHop::Internet => "Internet",
        NextHop::VirtualNetworkGateway => "VirtualNetworkGateway",
        NextHop::VirtualAppliance(_) => "VirtualAppliance",
        NextHop::None => "None",
    }
}

/// A packet at one end.
struct Packet {
    direction: Direction,
    protocol: Protocol,
    local: (IpAddr, Option<u16>),
    remote: (IpAddr, Option<u16>),
}

pub(super) async fn verify(context: Context) -> Result<Answer, ArmError> {
    let id = context.resource_id(1)?;
    let watcher = context.document(&id).await?;
    let question = shape::question(&id, FLOW, &context.json()?)?;
    let packet = Packet::read(&question)?;
    let machine = context
        .machine(Some(&watcher), text_in(&question, "targetResourceId"))
        .await?;
    let end = machine.at(text_in(&question, "targetNicResourceId"), packet.local.0)?;
    let ask = move |core: Arc<Core>, _: ResourceId| -> Pending<'static, _> {
        Box::pin(async move { packet.judge(&core.picture().await?, &end) })
    };
    Ok(ask_later(&context, id, ask))
}

impl Packet {
    fn read(question: &Value) -> Result<Self, ArmError> {
        let direction = match text_in(question, "direction") {
            "Inbound" => Direction::Inbound,
            _ => Direction::Outbound,
        };
        let protocol = match text_in(question, "protocol") {
            "UDP" => Protocol::Udp,
            _ => Protocol::Tcp,
        };
        let is_outbound = direction == Direction::Outbound;
        let end = |address: &str, port: &str, is_source: bool| {
            let port = port_in(question, port, is_source)?;
            Ok((address_in(question, address)?, port))
        };
        Ok(Self {
            direction,
            protocol,
            local: end("localIPAddress", "localPort", is_outbound)?,
            remote: end("remoteIPAddress", "remotePort", !is_outbound)?,
        })
    }

    fn judge(&self, picture: &Picture, end: &End) -> Result<Value, ArmError> {
        let Origin { subnet, group } = end.origin(picture)?;
        let (source, destination) = match self.direction {
            Direction::Outbound => (self.local, self.remote),
            Direction::Inbound => (self.remote, self.local),
        };
        let flow = Flow {
            subnet,
            source: Some(source.0),
            source_port: source.1,
            destination: destination.0,
            port: destination.1.unwrap_or_default(),
            protocol: self.protocol,
        };
        let policy = &picture.policy;
        let by_subnet = policy.subnet_gate(subnet, &flow, self.direction);
        let by_interface =
            group.map(|group| policy.interface_gate(subnet, group, &flow, self.direction));
        let by_subnet = by_subnet.decision().copied();
        let by_interface = by_interface.and_then(|gate| gate.decision().copied());
        // In the order in which a packet meets them.
        let met = match self.direction {
            Direction::Outbound => [by_interface, by_subnet],
            Direction::Inbound => [by_subnet, by_interface],
        };
        let decisions: Vec<Decision<'_>> = met.into_iter().flatten().collect();
        let denial = decisions.iter().find(|one| one.is_denied());
        Ok(shown(denial.or(decisions.last())))
    }
}

/// Everything passes where no group is; no rule is named then.
fn shown(decision: Option<&Decision<'_>>) -> Value {
    let Some(decision) = decision else {
        return json!({"access": "Allow"});
    };
    let (group, rule) = (decision.group, decision.rule);
    // Recorded: rules that every group ends with have no id here.
    let (name, id) = match rule.is_default {
        true => (format!("defaultSecurityRules/{}", rule.name), String::new()),
        false => (
            format!("securityRules/{}", rule.name),
            format!("{}/securityRules/{}", group.resource_id, rule.name),
        ),
    };
    let access = if decision.is_denied() {
        "Deny"
    } else {
        "Allow"
    };
    json!({"access": access, "ruleName": name, "ruleId": id})
}

/// How connectivity checks call a rule.
pub(super) fn rule_name(rule: &Rule) -> String {
    match rule.is_default {
        true => format!("DefaultRule_{}", rule.name),
        false => format!("UserRule_{}", rule.name),
    }
}

/// A port; `None` for `*`, which only a source may have.
fn port_in(question: &Value, member: &str, is_source: bool) -> Result<Option<u16>, ArmError> {
    match text_in(question, member).trim() {
        "*" if is_source => Ok(None),
        text => match text.parse() {
            Ok(port) => Ok(Some(port)),
            Err(_) => {
                let anything = if is_source { ", or *" } else { "" };
                let message =
                    format!("The {member} '{text}' is no port: 0 to 65535 is expected{anything}.");
                Err(refused(message))
            }
        },
    }
}
