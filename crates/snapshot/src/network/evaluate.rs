//! Whether a flow reaches its server, and who says so.

use super::flow::Flow;
use super::policy::{Attachment, NetworkPolicy, Subnet};
use super::routes::{NextHop, Route, RouteSource, RouteTable};
use super::rules::{Access, Crossing, Direction, Place, Rule, SecurityGroup};
use super::sets::Truth;
use crate::index::{SecurityGroupIndex, SubnetIndex};

/// Most undecided rules that a decision names; the rest is counted.
pub const UNDECIDED_MAX: usize = 8;

/// Rules that were skipped because they cannot be evaluated: an unknown service tag, an application
/// security group, a range of source ports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Undecided<'p> {
    named: [Option<&'p Rule>; UNDECIDED_MAX],
    count: usize,
    allows: bool,
    denies: bool,
}

impl<'p> Undecided<'p> {
    /// The first [`UNDECIDED_MAX`] of them, in priority order.
    pub fn rules(&self) -> impl Iterator<Item = &'p Rule> {
        self.named.into_iter().flatten()
    }

    /// How many there are in all.
    pub fn count(&self) -> usize {
        self.count
    }

    pub(super) fn push(&mut self, rule: &'p Rule) {
        if let Some(place) = self.named.get_mut(self.count) {
            *place = Some(rule);
        }
        self.count += 1;
        match rule.access {
            Access::Allow => self.allows = true,
            Access::Deny => self.denies = true,
        }
    }
}

/// What a security group says of a flow: the first rule that matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision<'p> {
    pub subnet: &'p Subnet,
    pub group: &'p SecurityGroup,
    pub rule: &'p Rule,
    /// Rules before it that were skipped.
    pub undecided: Undecided<'p>,
}

impl Decision<'_> {
    pub fn is_denied(&self) -> bool {
        self.rule.access == Access::Deny
    }

    /// Whether no skipped rule could have decided otherwise.
    pub fn is_certain(&self) -> bool {
        match self.rule.access {
            Access::Allow => !self.undecided.denies,
            Access::Deny => !self.undecided.allows,
        }
    }
}

/// What stands between a subnet and a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate<'p> {
    /// The address is in no subnet that a document shows.
    Outside,
    /// The subnet has no security group: everything passes.
    Open(&'p Subnet),
    /// No document has the subnet's security group: everything is taken to pass.
    Unknown {
        subnet: &'p Subnet,
        /// Id of the missing group.
        group: &'p str,
    },
    Decided(Decision<'p>),
}

impl<'p> Gate<'p> {
    pub fn decision(&self) -> Option<&Decision<'p>> {
        match self {
            Self::Decided(decision) => Some(decision),
            Self::Outside | Self::Open(_) | Self::Unknown { .. } => None,
        }
    }

    fn denial(self) -> Option<Decision<'p>> {
        match self {
            Self::Decided(decision) if decision.is_denied() => Some(decision),
            _ => None,
        }
    }
}

/// The effective route of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EffectiveRoute<'p> {
    pub route: &'p Route,
    /// The subnet's route table; the route is in it if its source is the user.
    pub table: Option<&'p RouteTable>,
    /// Id of the subnet's route table that no document has: the route may be another in truth.
    pub missing_table: Option<&'p str>,
}

impl<'p> EffectiveRoute<'p> {
    /// The route table that the route is in; `None` for one of the service's own.
    pub fn user_table(&self) -> Option<&'p RouteTable> {
        self.table
            .filter(|_| self.route.source == RouteSource::User)
    }
}

/// Everything that a policy says of a flow. Each part is told whatever the others say, so that a
/// diagnosis can name every obstacle; [`outcome`](Self::outcome) is what happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict<'p> {
    /// At the gateway's subnet.
    pub outbound: Gate<'p>,
    /// `None` only for an address that no route leads to, of which there is none.
    pub route: Option<EffectiveRoute<'p>>,
    /// At the server's subnet.
    pub inbound: Gate<'p>,
}

/// What happens to a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome<'p> {
    /// It reaches the server, or whatever its route leads to.
    Allowed,
    /// A rule denies it: the connection times out.
    Denied(Decision<'p>),
    /// Its route leads nowhere: the connection times out.
    Dropped(EffectiveRoute<'p>),
}

impl<'p> Verdict<'p> {
    /// The first obstacle on the way: outbound rules, the route, inbound rules.
    pub fn outcome(&self) -> Outcome<'p> {
        if let Some(decision) = self.outbound.denial() {
            return Outcome::Denied(decision);
        }
        if let Some(route) = self.route
            && route.route.next_hop == NextHop::None
        {
            return Outcome::Dropped(route);
        }
        match self.inbound.denial() {
            Some(decision) => Outcome::Denied(decision),
            None => Outcome::Allowed,
        }
    }

    pub fn is_allowed(&self) -> bool {
        self.outcome() == Outcome::Allowed
    }
}

impl NetworkPolicy {
    /// What the network does with a flow: outbound rules and routes of the gateway's subnet,
    /// inbound rules of the server's, where that is known.
    ///
    /// Never allocates. Costs a walk over each group's rules (of at most a few thousand), a binary
    /// search in each, and a walk over the routes.
    ///
    /// # Panics
    /// When `flow.subnet` is not of this policy.
    pub fn evaluate(&self, flow: &Flow) -> Verdict<'_> {
        let subnet = self.subnet(flow.subnet);
        let server = self.subnet_of(subnet.network, flow.destination);
        let inbound = match server {
            Some(server) => self.gate(self.subnet(server), subnet, flow, Direction::Inbound),
            None => Gate::Outside,
        };
        Verdict {
            outbound: self.gate(subnet, subnet, flow, Direction::Outbound),
            route: self.route(subnet, flow),
            inbound,
        }
    }

    /// What the group of one subnet says of a flow that crosses it, wherever else it leads. Of
    /// `flow.subnet` only the addresses count, and those only where its source is not known.
    ///
    /// # Panics
    /// When `at` or `flow.subnet` is not of this policy.
    pub fn subnet_gate(&self, at: SubnetIndex, flow: &Flow, direction: Direction) -> Gate<'_> {
        self.gate(self.subnet(at), self.subnet(flow.subnet), flow, direction)
    }

    /// What the group of a network interface in the subnet `at` says of a flow. Otherwise as
    /// [`subnet_gate`](Self::subnet_gate).
    ///
    /// # Panics
    /// When an index is not of this policy.
    pub fn interface_gate(
        &self,
        at: SubnetIndex,
        group: SecurityGroupIndex,
        flow: &Flow,
        direction: Direction,
    ) -> Gate<'_> {
        let (at, group) = (self.subnet(at), &self.groups()[group.position()]);
        let crossing = self.crossing(at, self.subnet(flow.subnet), flow);
        decide(at, group, direction, &crossing).map_or(Gate::Open(at), Gate::Decided)
    }

    /// What the group at `at` says of a flow that comes from `from`.
    fn gate<'p>(
        &'p self,
        at: &'p Subnet,
        from: &'p Subnet,
        flow: &Flow,
        direction: Direction,
    ) -> Gate<'p> {
        let group = match (self.group_of(at), &at.security_group) {
            (Some(group), _) => group,
            (None, Attachment::Missing(group)) => return Gate::Unknown { subnet: at, group },
            (None, _) => return Gate::Open(at),
        };
        let crossing = self.crossing(at, from, flow);
        decide(at, group, direction, &crossing).map_or(Gate::Open(at), Gate::Decided)
    }

    /// A flow from `from`, as it is seen at `at`.
    fn crossing<'p>(&'p self, at: &'p Subnet, from: &'p Subnet, flow: &Flow) -> Crossing<'p> {
        let source = match flow.source {
            Some(address) => Place::Address(address),
            None => Place::Somewhere {
                prefixes: &from.prefixes,
                is_ipv4: flow.destination.is_ipv4(),
            },
        };
        Crossing {
            protocol: flow.protocol,
            source,
            source_port: flow.source_port,
            destination: Place::Address(flow.destination),
            port: flow.port,
            tags: self.tags(at),
        }
    }

    fn route<'p>(&'p self, subnet: &'p Subnet, flow: &Flow) -> Option<EffectiveRoute<'p>> {
        let table = self.table_of(subnet);
        let beyond = self.network(subnet.network).beyond;
        let route = self
            .system_routes(subnet)
            .find(table, beyond, flow.destination)?;
        Some(effective(subnet, table, route))
    }
}

pub(super) fn effective<'p>(
    subnet: &'p Subnet,
    table: Option<&'p RouteTable>,
    route: &'p Route,
) -> EffectiveRoute<'p> {
    let missing_table = match &subnet.route_table {
        Attachment::Missing(id) => Some(id.as_str()),
        Attachment::None | Attachment::Known(_) => None,
    };
    EffectiveRoute {
        route,
        table,
        missing_table,
    }
}

/// The first rule that surely matches. `None` only if no rule does, which the last of the default
/// rules prevents.
fn decide<'p>(
    subnet: &'p Subnet,
    group: &'p SecurityGroup,
    direction: Direction,
    crossing: &Crossing<'_>,
) -> Option<Decision<'p>> {
    let mut undecided = Undecided::default();
    for rule in group.rules(direction) {
        match rule.matches(crossing) {
            Truth::No => {}
            Truth::Unknown => undecided.push(rule),
            Truth::Yes => {
                return Some(Decision {
                    subnet,
                    group,
                    rule,
                    undecided,
                });
            }
        }
    }
    None
}
