//! `connectivityCheck`: what stands between two ends, and whether a connection can be made.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use gatewright_arm::{ArmError, ResourceId};
use gatewright_snapshot::network::{Flow, Protocol};
use gatewright_store::Pending;
use serde_json::{Map, Value, json};

use super::ends::{End, refused};
use super::hops::{Found, hops};
use super::target::Question;
use crate::context::Context;
use crate::core::Core;
use crate::front::answer::Answer;
use crate::identity::Caller;
use crate::node::{ATTEMPT_CONNECTIONS, Attempted, Tried};
use crate::providers::network::gateways::ask_later;
use crate::providers::network::picture::{Origin, Picture, Way};

pub(super) async fn check(context: Context) -> Result<Answer, ArmError> {
    let id = context.resource_id(1)?;
    let watcher = context.document(&id).await?;
    let mut question = Question::read(&id, &context.json()?)?;
    let prefers_ipv6 = question.attempt.prefers_ipv6;
    let source = context
        .source(&watcher, &question.source, prefers_ipv6)
        .await?;
    if let Some(text) = &question.machine {
        let machine = context.machine(None, text).await?.primary(prefers_ipv6)?;
        let address = machine
            .address
            .ok_or_else(|| refused("The destination has no address."))?;
        question.name_destination(address);
    }
    let check = Check {
        source,
        question,
        caller: context.caller.clone(),
    };
    let ask = move |core: Arc<Core>, _: ResourceId| -> Pending<'static, _> {
        Box::pin(async move { check.answer(&core).await })
    };
    Ok(ask_later(&context, id, ask))
}

/// A check that is to be made.
struct Check {
    source: End,
    question: Question,
    caller: Caller,
}

impl Check {
    async fn answer(mut self, core: &Core) -> Result<Value, ArmError> {
        let picture = core.picture().await?;
        let origin = self.source.origin(&picture)?;
        let subnet = picture.policy.subnet(origin.subnet);
        let network = picture.policy.network(subnet.network);
        self.question
            .attempt
            .name_servers
            .clone_from(&network.dns_servers);
        let lets_through = |address| self.way(&picture, origin, address).is_open();
        let attempted = core
            .node()
            .attempt(&self.question.attempt, &lets_through)
            .await;
        let address = match &attempted {
            Attempted::Nameless(_) => None,
            Attempted::Dropped(address) => Some(*address),
            Attempted::Tried(tried) => tried.address,
        };
        let found = Found {
            core,
            picture: &picture,
            caller: &self.caller,
            source: &self.source,
            host: &self.question.attempt.host,
            way: address.map(|address| (address, self.way(&picture, origin, address))),
            attempted: &attempted,
        };
        Ok(shown(hops(&found), &attempted))
    }

    fn way<'p>(&self, picture: &'p Picture, origin: Origin, destination: IpAddr) -> Way<'p> {
        let flow = Flow {
            subnet: origin.subnet,
            source: self.source.address,
            source_port: self.question.source_port,
            destination,
            port: self.question.attempt.port,
            protocol: Protocol::Tcp,
        };
        picture.way(origin, &flow)
    }
}

/// Recorded from the service: `Reachable`, whatever its own documents list.
fn status(attempted: &Attempted) -> &'static str {
    match attempted {
        Attempted::Tried(Tried { times, .. }) if times.is_empty() => "Unreachable",
        Attempted::Tried(Tried {
            is_answered: Some(false),
            ..
        }) => "Unreachable",
        Attempted::Tried(Tried { failed: 1.., .. }) => "Degraded",
        Attempted::Tried(_) => "Reachable",
        Attempted::Nameless(_) | Attempted::Dropped(_) => "Unreachable",
    }
}

/// Latencies are told of what was reached.
fn shown(hops: Value, attempted: &Attempted) -> Value {
    let status = status(attempted);
    let mut shown = Map::new();
    shown.insert("hops".to_owned(), hops);
    shown.insert("connectionStatus".to_owned(), json!(status));
    let (sent, failed) = match attempted {
        // Nothing is looked up for nobody.
        Attempted::Nameless(_) => (0, 0),
        // Each would have been dropped on its way.
        Attempted::Dropped(_) => (ATTEMPT_CONNECTIONS, ATTEMPT_CONNECTIONS),
        Attempted::Tried(tried) => {
            let made = u32::try_from(tried.times.len()).unwrap_or(u32::MAX);
            if let Some(times) = Times::of(&tried.times).filter(|_| status != "Unreachable") {
                shown.insert("avgLatencyInMs".to_owned(), json!(times.average));
                shown.insert("minLatencyInMs".to_owned(), json!(times.least));
                shown.insert("maxLatencyInMs".to_owned(), json!(times.most));
            }
            // A request is a probe too.
            let asked = u32::from(tried.is_answered.is_some());
            let unanswered = u32::from(tried.is_answered == Some(false));
            let sent = made.saturating_add(tried.failed).saturating_add(asked);
            (sent, tried.failed.saturating_add(unanswered))
        }
    };
    shown.insert("probesSent".to_owned(), json!(sent));
    shown.insert("probesFailed".to_owned(), json!(failed));
    shown.insert("errors".to_owned(), json!({}));
    Value::Object(shown)
}

/// Times in whole milliseconds.
pub(super) struct Times {
    pub(super) least: u64,
    pub(super) average: u64,
    pub(super) most: u64,
}

impl Times {
    /// `None` of none.
    pub(super) fn of(times: &[Duration]) -> Option<Self> {
        let in_millis = |time: &Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let count = u32::try_from(times.len()).ok()?;
        let sum: Duration = times.iter().sum();
        Some(Self {
            least: times.iter().map(in_millis).min()?,
            average: in_millis(&sum.checked_div(count)?),
            most: times.iter().map(in_millis).max()?,
        })
    }
}
