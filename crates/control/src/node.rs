//! What the control plane needs of the node that serves.

use std::net::IpAddr;
use std::time::Duration;

use gatewright_arm::{ArmError, ResourceId};
use gatewright_store::{Pending, Revision};
use serde_json::Value;

/// The node: it follows the store, serves what lies there, and tells what came of it. The control
/// plane knows no more of it.
pub trait Node: Send + Sync + 'static {
    /// Waits until the node has looked at the state of `revision`, or a later one, whatever it
    /// could make of it; for ever, where the node ends before.
    ///
    /// # Errors
    /// When that takes too long.
    fn took(&self, revision: Revision) -> Pending<'_, Result<(), ArmError>>;

    /// As [`Node::took`], and answers whether it could make anything of that state: it serves what
    /// was before where it could not. By default it always can.
    ///
    /// # Errors
    /// Why it could not.
    fn took_all(&self, revision: Revision) -> Pending<'_, Result<(), ArmError>> {
        self.took(revision)
    }

    /// Waits until the node has taken the state of `revision`, or a later one, and answers whether
    /// it serves that gateway as it is stored.
    ///
    /// # Errors
    /// Why it does not: a port that another program holds, a limit of the machine.
    fn serves<'a>(
        &'a self,
        gateway: &'a ResourceId,
        revision: Revision,
    ) -> Pending<'a, Result<(), ArmError>>;

    /// Whether a gateway is served as it is stored, as far as is known now; by default it is. After
    /// a start that found its port taken, it is not.
    fn is_served(&self, _gateway: &ResourceId) -> bool {
        true
    }

    /// The health of every server of a gateway, as `backendhealth` answers.
    ///
    /// # Errors
    /// When the node does not serve that gateway.
    fn backend_health<'a>(
        &'a self,
        gateway: &'a ResourceId,
    ) -> Pending<'a, Result<Value, ArmError>>;

    /// Probes one pool as `probe`, the body of `getBackendHealthOnDemand`, says, and answers as
    /// that does.
    ///
    /// # Errors
    /// When the node does not serve that gateway, or the body asks for something else.
    fn backend_health_on_demand<'a>(
        &'a self,
        gateway: &'a ResourceId,
        probe: &'a Value,
    ) -> Pending<'a, Result<Value, ArmError>>;

    /// Tries to connect, several times, and to ask where that is wanted: from this machine, with
    /// the stand-ins that it has for addresses and names. No connection is made to an address that
    /// `lets_through` refuses. Bounded in time and in number.
    fn attempt<'a>(
        &'a self,
        attempt: &'a Attempt,
        lets_through: LetsThrough<'a>,
    ) -> Pending<'a, Attempted>;
}

/// How many connections an attempt makes where none has to be waited for.
pub const ATTEMPT_CONNECTIONS: u32 = 10;

/// Whether the network lets connections through to an address.
pub type LetsThrough<'a> = &'a (dyn Fn(IpAddr) -> bool + Send + Sync);

/// A connection that is to be tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// An address, or a name in lower case.
    pub host: String,
    pub port: u16,
    /// Of several addresses of a name, one of this kind is taken where there is one.
    pub prefers_ipv6: bool,
    /// The name servers of the network that it is made in; empty where the platform's answers.
    pub name_servers: Vec<IpAddr>,
    /// What is asked over the connection; `None` for nothing.
    pub request: Option<AttemptRequest>,
}

/// A GET. The names and values are of one line, without control characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptRequest {
    /// Over TLS, whoever the server's certificate is of: whether it can be reached is the question.
    pub is_encrypted: bool,
    /// The `Host` header, and the name in the TLS handshake.
    pub host: String,
    /// Path and query; begins with `/`.
    pub path: String,
    pub fields: Vec<(String, String)>,
    /// Statuses of a good answer; never empty.
    pub statuses: Vec<std::ops::RangeInclusive<u16>>,
}

/// What came of an [`Attempt`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attempted {
    /// The name has no address: why, in a sentence.
    Nameless(String),
    /// The network lets nothing through to this address.
    Dropped(IpAddr),
    Tried(Tried),
}

/// Connections that were tried.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tried {
    /// `None` where a stand-in takes the place of a name whose address nobody knows.
    pub address: Option<IpAddr>,
    /// How long each connection took that was made.
    pub times: Vec<Duration>,
    /// How many were not made.
    pub failed: u32,
    /// Why one was not made, or the answer to the request is no good one: the last that was seen.
    pub fault: Option<String>,
    /// Whether the request was answered as it should be; `None` where nothing was asked.
    pub is_answered: Option<bool>,
}
