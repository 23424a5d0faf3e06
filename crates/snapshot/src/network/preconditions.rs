//! What the platform needs of a gateway's subnet, or its backend health is unknown.
//!
//! Source: "Application Gateway infrastructure configuration" of the service's documentation, and
//! its health message, which names NSG, UDR and firewall on ports 65503-65534 (v1) and 65200-65535
//! (v2).

use super::evaluate::{EffectiveRoute, Undecided, effective};
use super::flow::Protocol;
use super::policy::{Attachment, Beyond, NetworkPolicy, Subnet};
use super::routes::{NextHop, Route};
use super::rules::{Access, Direction, Place, Rule, SecurityGroup};
use super::sets::{PortSet, Truth};
use super::tags::Tags;
use crate::index::SubnetIndex;
use crate::model::Generation;

/// Longest prefix of a user's route that counts as a default route: 0.0.0.0/1 and 128.0.0.0/1
/// together are 0.0.0.0/0 in other words.
const DEFAULT_ROUTE_LENGTH_MAX: u8 = 1;

/// Whether the platform reaches a gateway's management ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ManagementPorts<'p> {
    /// No security group stands before them.
    NoGroup,
    /// No document has the subnet's security group: its id.
    UnknownGroup(&'p str),
    /// All of them are open.
    Open {
        group: &'p SecurityGroup,
        undecided: Undecided<'p>,
    },
    /// A rule denies some or all of them.
    Denied {
        group: &'p SecurityGroup,
        rule: &'p Rule,
        /// The ports that it denies.
        ports: PortSet,
        /// Rules before it that may cover these ports, but cannot be evaluated.
        undecided: Undecided<'p>,
    },
}

/// Where the default route of a gateway's subnet leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DefaultRoute<'p> {
    /// The user's route for half of the Internet or more that leads elsewhere than to the
    /// Internet, if there is one; else the route that holds.
    pub route: EffectiveRoute<'p>,
    /// Whether a virtual network gateway may have learned a default route, which is in no document.
    pub may_be_learned: bool,
}

impl DefaultRoute<'_> {
    pub fn leads_to_internet(&self) -> bool {
        self.route.route.next_hop == NextHop::Internet
    }
}

impl Generation {
    /// The ports on which the platform manages gateways, both ends included.
    pub fn management_ports(self) -> (u16, u16) {
        match self {
            Self::V1 => (65503, 65534),
            Self::V2 => (65200, 65535),
        }
    }
}

impl NetworkPolicy {
    /// Whether the security group of a gateway's subnet lets the platform reach the management
    /// ports: TCP from the tag `GatewayManager`, or from all of the Internet as older rules say.
    ///
    /// # Panics
    /// When `subnet` is not of this policy.
    pub fn management_ports(
        &self,
        subnet: SubnetIndex,
        generation: Generation,
    ) -> ManagementPorts<'_> {
        self.first_denial(subnet, generation, admits_manager)
    }

    /// The same, were `group` the subnet's security group.
    ///
    /// # Panics
    /// When `subnet` is not of this policy.
    pub fn management_ports_behind<'p>(
        &'p self,
        subnet: SubnetIndex,
        group: &'p SecurityGroup,
        generation: Generation,
    ) -> ManagementPorts<'p> {
        self.denial_of(group, self.subnet(subnet), generation, admits_manager)
    }

    /// The same of the platform's load balancer, which asks the instances of a gateway on these
    /// ports whether they are well: it is let in by a rule that every group has, unless another
    /// one stands before that.
    ///
    /// # Panics
    /// When `subnet` is not of this policy.
    pub fn load_balancer_ports(
        &self,
        subnet: SubnetIndex,
        generation: Generation,
    ) -> ManagementPorts<'_> {
        self.first_denial(subnet, generation, admits_load_balancer)
    }

    fn first_denial(
        &self,
        subnet: SubnetIndex,
        generation: Generation,
        admits: fn(&Rule, &Subnet, Tags<'_>) -> Truth,
    ) -> ManagementPorts<'_> {
        let subnet = self.subnet(subnet);
        let group = match (self.group_of(subnet), &subnet.security_group) {
            (Some(group), _) => group,
            (None, Attachment::Missing(id)) => return ManagementPorts::UnknownGroup(id),
            (None, _) => return ManagementPorts::NoGroup,
        };
        self.denial_of(group, subnet, generation, admits)
    }

    fn denial_of<'p>(
        &'p self,
        group: &'p SecurityGroup,
        subnet: &Subnet,
        generation: Generation,
        admits: fn(&Rule, &Subnet, Tags<'_>) -> Truth,
    ) -> ManagementPorts<'p> {
        let tags = self.tags(subnet);
        // What no rule has spoken of yet.
        let mut open_question = PortSet::new([generation.management_ports()]);
        let mut undecided = Undecided::default();
        for rule in group.rules(Direction::Inbound) {
            let ports = open_question.and(&rule.destination_ports);
            if ports.is_empty() {
                continue;
            }
            match (admits(rule, subnet, tags), rule.access) {
                (Truth::No, _) => {}
                (Truth::Unknown, _) => undecided.push(rule),
                (Truth::Yes, Access::Allow) => open_question = open_question.without(&ports),
                (Truth::Yes, Access::Deny) => {
                    return ManagementPorts::Denied {
                        group,
                        rule,
                        ports,
                        undecided,
                    };
                }
            }
        }
        ManagementPorts::Open { group, undecided }
    }

    /// Where the default route of a gateway's subnet leads: anywhere but to the Internet, and the
    /// platform cannot be answered.
    ///
    /// `None` only without any route at all, which the service's own prevent.
    ///
    /// # Panics
    /// When `subnet` is not of this policy.
    pub fn default_route(&self, subnet: SubnetIndex) -> Option<DefaultRoute<'_>> {
        let subnet = self.subnet(subnet);
        let table = self.table_of(subnet);
        let is_default = |route: &&Route| {
            route.prefix.is_ipv4() && route.prefix.length() <= DEFAULT_ROUTE_LENGTH_MAX
        };
        let users = table.map_or(&[][..], |table| table.routes());
        let elsewhere = users
            .iter()
            .filter(is_default)
            .find(|route| route.next_hop != NextHop::Internet);
        let users_own = users
            .iter()
            .find(|route| route.prefix.is_ipv4() && route.prefix.is_default());
        let route = elsewhere
            .or(users_own)
            .or_else(|| self.system_routes(subnet).default_v4())?;
        let learns = self.network(subnet.network).beyond == Beyond::OnPremises
            && !table.is_some_and(|table| table.ignores_learned_routes);
        Some(DefaultRoute {
            route: effective(subnet, table, route),
            may_be_learned: learns && users_own.is_none(),
        })
    }
}

/// Whether a rule, ports aside, is about the platform's way to the subnet.
fn admits_manager(rule: &Rule, subnet: &Subnet, tags: Tags<'_>) -> Truth {
    admits(rule, subnet, tags, rule.source.holds_gateway_manager(tags))
}

fn admits_load_balancer(rule: &Rule, subnet: &Subnet, tags: Tags<'_>) -> Truth {
    admits(rule, subnet, tags, rule.source.holds_load_balancer(tags))
}

fn admits(rule: &Rule, subnet: &Subnet, tags: Tags<'_>, source: Truth) -> Truth {
    if rule.protocol.is_some_and(|one| one != Protocol::Tcp) {
        return Truth::No;
    }
    let destination = Place::Somewhere {
        prefixes: &subnet.prefixes,
        is_ipv4: true,
    };
    source
        .and(rule.destination.holds(destination, tags))
        .and(rule.takes_any_source_port())
}
