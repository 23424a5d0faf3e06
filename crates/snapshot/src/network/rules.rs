//! Security rules: what they match, and in which order they are asked.

use std::net::IpAddr;

use super::flow::Protocol;
use super::prefix::{Prefix, PrefixError};
use super::sets::{AddressSet, PortSet, Truth};
use super::tags::{HOST, Tags};

/// The ports that clients take for themselves: a rule on source ports that has all of these
/// matches every flow of ours (IANA: registered and dynamic ports).
const CLIENT_PORTS: (u16, u16) = (1024, u16::MAX);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    Inbound,
    Outbound,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    Allow,
    Deny,
}

/// One entry of a rule's source or destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AddressTerm {
    /// `*` or `Any`.
    Any,
    Prefix(Prefix),
    /// The VNet's address space, that of its peers, prefixes of the subnet's own routes, and the
    /// host's address 168.63.129.16.
    VirtualNetwork,
    /// What is outside of the virtual network and reachable by the public Internet.
    Internet,
    /// 168.63.129.16, from where the platform probes.
    AzureLoadBalancer,
    /// Where the platform manages gateways from; its addresses are in no document.
    GatewayManager,
    /// A service tag whose addresses are not known here, by name.
    ServiceTag(String),
    /// An application security group, by id: which interfaces are in it is not known here.
    ApplicationSecurityGroup(String),
}

impl AddressTerm {
    /// Reads an address prefix of a rule: `*`, `Any`, a prefix, an address or a service tag, in any
    /// letter case.
    ///
    /// # Errors
    /// Where the text is none of these.
    pub fn parse(text: &str) -> Result<Self, PrefixError> {
        let known = [
            ("*", Self::Any),
            ("Any", Self::Any),
            ("VirtualNetwork", Self::VirtualNetwork),
            ("VIRTUAL_NETWORK", Self::VirtualNetwork),
            ("Internet", Self::Internet),
            ("AzureLoadBalancer", Self::AzureLoadBalancer),
            ("AZURE_LOADBALANCER", Self::AzureLoadBalancer),
            ("GatewayManager", Self::GatewayManager),
        ];
        let found = known
            .into_iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(text));
        match found {
            Some((_, term)) => Ok(term),
            None if is_tag_name(text) => Ok(Self::ServiceTag(text.to_owned())),
            None => text.parse().map(Self::Prefix),
        }
    }
}

/// Such as `Storage.WestEurope` or `AzureCloud`. An IPv6 address has a colon.
fn is_tag_name(text: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    text.starts_with(|first: char| first.is_ascii_alphabetic()) && text.bytes().all(is_word)
}

/// The source or the destination of a rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Addresses {
    terms: Vec<AddressTerm>,
    set: AddressSet,
    any: bool,
    virtual_network: bool,
    internet: bool,
    gateway_manager: bool,
    has_unknown: bool,
}

/// Where a flow comes from or goes to.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place<'a> {
    Address(IpAddr),
    /// Somewhere in a subnet: its prefixes of one family count.
    Somewhere {
        prefixes: &'a [Prefix],
        is_ipv4: bool,
    },
}

impl Place<'_> {
    /// One truth about the whole place: `Unknown` where it holds for a part of it only, or where
    /// nothing is known of the place.
    fn all(self, of: impl Fn(&Prefix) -> Truth) -> Truth {
        let (prefixes, is_ipv4) = match self {
            Self::Address(address) => return of(&Prefix::host(address)),
            Self::Somewhere { prefixes, is_ipv4 } => (prefixes, is_ipv4),
        };
        let family = prefixes.iter().filter(|one| one.is_ipv4() == is_ipv4);
        let mut truths = family.map(of);
        let first = truths.next().unwrap_or(Truth::Unknown);
        if truths.all(|other| other == first) {
            first
        } else {
            Truth::Unknown
        }
    }
}

impl FromIterator<AddressTerm> for Addresses {
    fn from_iter<I: IntoIterator<Item = AddressTerm>>(terms: I) -> Self {
        let terms: Vec<AddressTerm> = terms.into_iter().collect();
        let is = |wanted: &AddressTerm| terms.contains(wanted);
        let host = is(&AddressTerm::AzureLoadBalancer).then_some(HOST);
        let prefixes = terms.iter().filter_map(|term| match term {
            AddressTerm::Prefix(prefix) => Some(*prefix),
            _ => None,
        });
        Self {
            set: prefixes.chain(host).collect(),
            any: is(&AddressTerm::Any),
            virtual_network: is(&AddressTerm::VirtualNetwork),
            internet: is(&AddressTerm::Internet),
            gateway_manager: is(&AddressTerm::GatewayManager),
            has_unknown: terms.iter().any(AddressTerm::is_unknown),
            terms,
        }
    }
}

impl AddressTerm {
    fn is_unknown(&self) -> bool {
        matches!(
            self,
            Self::GatewayManager | Self::ServiceTag(_) | Self::ApplicationSecurityGroup(_)
        )
    }
}

impl Addresses {
    /// As the document lists them.
    pub fn terms(&self) -> &[AddressTerm] {
        &self.terms
    }

    pub(super) fn holds(&self, place: Place<'_>, tags: Tags<'_>) -> Truth {
        if self.any {
            return Truth::Yes;
        }
        place.all(|prefix| {
            let mut truth = self.set.covers(prefix);
            if self.virtual_network {
                truth = truth.or(tags.virtual_network(prefix));
            }
            if self.internet {
                truth = truth.or(tags.internet(prefix));
            }
            if self.has_unknown {
                truth = truth.or(Truth::Unknown);
            }
            truth
        })
    }

    /// Whether the platform's load balancer is among them: one address, which tags of other
    /// services may have, and interfaces of yours not.
    pub(super) fn holds_load_balancer(&self, tags: Tags<'_>) -> Truth {
        let in_network = match self.virtual_network {
            true => tags.virtual_network(&HOST),
            false => Truth::No,
        };
        let in_internet = match self.internet {
            true => tags.internet(&HOST),
            false => Truth::No,
        };
        let has_tag = |term: &AddressTerm| matches!(term, AddressTerm::ServiceTag(_));
        let in_tags = match self.terms.iter().any(has_tag) {
            true => Truth::Unknown,
            false => Truth::No,
        };
        match self.any {
            true => Truth::Yes,
            false => self
                .set
                .covers(&HOST)
                .or(in_network)
                .or(in_internet)
                .or(in_tags),
        }
    }

    /// Whether the platform's gateway managers are among them: public addresses, which only the
    /// tags `GatewayManager` and `Internet`, and all of IPv4, surely hold.
    pub(super) fn holds_gateway_manager(&self, tags: Tags<'_>) -> Truth {
        let all_v4 = self.set.covers(&Prefix::ALL_V4) == Truth::Yes;
        if self.any || self.gateway_manager || self.internet || all_v4 {
            return Truth::Yes;
        }
        let has_tag = |term: &AddressTerm| matches!(term, AddressTerm::ServiceTag(_));
        let may_hold = self.terms.iter().any(has_tag)
            || tags.has_public_addresses(&self.set)
            || (self.virtual_network && tags.may_hold_public_addresses());
        if may_hold { Truth::Unknown } else { Truth::No }
    }
}

/// A security rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    pub name: String,
    /// 100–4096; those of default rules are 65000 and above. The lowest is asked first.
    pub priority: u32,
    pub direction: Direction,
    pub access: Access,
    /// `None` is `*`.
    pub protocol: Option<Protocol>,
    pub source: Addresses,
    pub source_ports: PortSet,
    pub destination: Addresses,
    pub destination_ports: PortSet,
    /// One of those that every group ends with.
    pub is_default: bool,
}

/// A flow as one group sees it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Crossing<'a> {
    pub(super) protocol: Protocol,
    pub(super) source: Place<'a>,
    pub(super) source_port: Option<u16>,
    pub(super) destination: Place<'a>,
    pub(super) port: u16,
    pub(super) tags: Tags<'a>,
}

impl Rule {
    pub(super) fn matches(&self, crossing: &Crossing<'_>) -> Truth {
        if self.protocol.is_some_and(|one| one != crossing.protocol) {
            return Truth::No;
        }
        let mut ports = Truth::Yes;
        if crossing.protocol.has_ports() {
            if !self.destination_ports.contains(crossing.port) {
                return Truth::No;
            }
            ports = self.takes_source_port(crossing.source_port);
        }
        let destination = self.destination.holds(crossing.destination, crossing.tags);
        if destination == Truth::No {
            return Truth::No;
        }
        let source = self.source.holds(crossing.source, crossing.tags);
        ports.and(destination).and(source)
    }

    fn takes_source_port(&self, port: Option<u16>) -> Truth {
        match port {
            Some(port) => Truth::from(self.source_ports.contains(port)),
            None => self.takes_any_source_port(),
        }
    }

    /// Nobody knows the source port of a flow of ours beforehand.
    pub(super) fn takes_any_source_port(&self) -> Truth {
        let (low, high) = CLIENT_PORTS;
        self.source_ports.covers(low, high)
    }

    /// What of it cannot be evaluated: service tags and application security groups. Empty for a
    /// rule in doubt only because of source ports, or because a flow's source is not known exactly.
    pub fn unknown_terms(&self) -> impl Iterator<Item = &AddressTerm> {
        let both = self.source.terms.iter().chain(&self.destination.terms);
        both.filter(|term| term.is_unknown())
    }
}

/// A network security group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecurityGroup {
    pub name: String,
    /// In the document's casing.
    pub resource_id: String,
    inbound: Vec<Rule>,
    outbound: Vec<Rule>,
}

impl SecurityGroup {
    /// A group of these rules, given in any order. The rules that every group ends with are added
    /// where they are not among them.
    pub fn new(name: String, resource_id: String, rules: Vec<Rule>) -> Self {
        let mut all = rules;
        for rule in default_rules() {
            let is_there = |one: &Rule| {
                let same_place = one.direction == rule.direction && one.priority == rule.priority;
                one.is_default && same_place
            };
            if !all.iter().any(is_there) {
                all.push(rule);
            }
        }
        all.sort_by_key(|rule| rule.priority);
        let (inbound, outbound) = all
            .into_iter()
            .partition(|rule| rule.direction == Direction::Inbound);
        Self {
            name,
            resource_id,
            inbound,
            outbound,
        }
    }

    /// The rules of one direction, the first to be asked first; at least the default ones.
    pub fn rules(&self, direction: Direction) -> &[Rule] {
        match direction {
            Direction::Inbound => &self.inbound,
            Direction::Outbound => &self.outbound,
        }
    }
}

/// The rules that every group ends with, as the service writes them.
fn default_rules() -> impl Iterator<Item = Rule> {
    use Access::{Allow, Deny};
    use AddressTerm::{Any, AzureLoadBalancer, Internet, VirtualNetwork};
    use Direction::{Inbound, Outbound};
    #[rustfmt::skip]
    let rows = [
        ("AllowVnetInBound", 65000, Inbound, Allow, VirtualNetwork, VirtualNetwork),
        ("AllowAzureLoadBalancerInBound", 65001, Inbound, Allow, AzureLoadBalancer, Any),
        ("DenyAllInBound", 65500, Inbound, Deny, Any, Any),
        ("AllowVnetOutBound", 65000, Outbound, Allow, VirtualNetwork, VirtualNetwork),
        ("AllowInternetOutBound", 65001, Outbound, Allow, Any, Internet),
        ("DenyAllOutBound", 65500, Outbound, Deny, Any, Any),
    ];
    rows.into_iter().map(
        |(name, priority, direction, access, source, destination)| Rule {
            name: name.to_owned(),
            priority,
            direction,
            access,
            protocol: None,
            source: Addresses::from_iter([source]),
            source_ports: PortSet::all(),
            destination: Addresses::from_iter([destination]),
            destination_ports: PortSet::all(),
            is_default: true,
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_terms_are_read_in_any_case_and_nonsense_is_refused() {
        let tag = |name: &str| Ok(AddressTerm::ServiceTag(name.to_owned()));
        let cases = [
            ("*", Ok(AddressTerm::Any)),
            ("any", Ok(AddressTerm::Any)),
            ("virtualnetwork", Ok(AddressTerm::VirtualNetwork)),
            ("INTERNET", Ok(AddressTerm::Internet)),
            ("AzureLoadBalancer", Ok(AddressTerm::AzureLoadBalancer)),
            ("gatewaymanager", Ok(AddressTerm::GatewayManager)),
            ("Storage.WestEurope", tag("Storage.WestEurope")),
            ("AzureFrontDoor.Backend", tag("AzureFrontDoor.Backend")),
            (
                "fd00::/8",
                Ok(AddressTerm::Prefix("fd00::/8".parse().unwrap())),
            ),
            (
                "10.0.0.4",
                Ok(AddressTerm::Prefix("10.0.0.4".parse().unwrap())),
            ),
            ("0.0.0.0/0", Ok(AddressTerm::Prefix(Prefix::ALL_V4))),
            ("789", Err(PrefixError::Address)),
            ("10.0.0.1/24", Err(PrefixError::HostBits)),
            ("10.0.0.1-10.0.0.9", Err(PrefixError::Address)),
            ("", Err(PrefixError::Address)),
            ("Storage, Sql", Err(PrefixError::Address)),
        ];
        for (text, expected) in cases {
            assert_eq!(AddressTerm::parse(text), expected, "{text}");
        }
    }

    #[test]
    fn every_group_ends_with_the_default_rules_once() {
        let group = SecurityGroup::new(String::new(), String::new(), Vec::new());
        let given: Vec<Rule> = group.outbound.iter().rev().cloned().collect();
        let again = SecurityGroup::new(String::new(), String::new(), given);
        assert_eq!(again, group);
        let names: Vec<&str> = group.inbound.iter().map(|rule| &*rule.name).collect();
        let expected = [
            "AllowVnetInBound",
            "AllowAzureLoadBalancerInBound",
            "DenyAllInBound",
        ];
        assert_eq!(names, expected);
    }
}
