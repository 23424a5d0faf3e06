//! Network policy: security groups and routes, evaluated in software on each new flow.
//!
//! One function, [`NetworkPolicy::evaluate`], serves traffic, probes and diagnosis. It follows what
//! the service documents: rules by ascending priority, the first that matches decides; routes by
//! longest prefix, the user's before the service's. What cannot be known from documents (the
//! addresses of a service tag, a route that a gateway learned) is never guessed in silence: a rule
//! in doubt is skipped and named in the verdict, an assumed route is marked as such.

mod evaluate;
mod flow;
mod policy;
mod preconditions;
mod prefix;
mod routes;
mod rules;
mod sets;
mod tags;

pub use evaluate::{Decision, EffectiveRoute, Gate, Outcome, UNDECIDED_MAX, Undecided, Verdict};
pub use flow::{Flow, Protocol};
pub use policy::{
    Attachment, Beyond, NetworkPolicy, NetworkPolicyBuilder, Peer, Subnet, VirtualNetwork,
};
pub use preconditions::{DefaultRoute, ManagementPorts};
pub use prefix::{Prefix, PrefixError};
pub use routes::{NextHop, Route, RouteSource, RouteTable, TaggedRoute};
pub use rules::{Access, AddressTerm, Addresses, Direction, Rule, SecurityGroup};
pub use sets::PortSet;
