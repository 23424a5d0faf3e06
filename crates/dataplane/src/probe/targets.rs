//! What is probed, and what came of it.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gatewright_snapshot::{Generation, Member, Probe};
use gatewright_telemetry::{Fill, Health, HealthChange, HealthMessage, ProbeOutcome, ProbeRecord};

use super::schedule::Pace;
use super::verdict::Verdict;
use super::{ProbeNames, probe_names};
use crate::core::unix_micros;
use crate::network::Obstacle;
use crate::tls::BackendTls;

/// Probes of one server that are remembered after they have ended.
const OUTCOMES_MAX: usize = 32;

/// Counts the changes of which servers are usable, so that what was derived from them can tell
/// whether it is stale.
#[derive(Clone, Debug, Default)]
pub(crate) struct Epoch(Arc<AtomicU64>);

impl Epoch {
    pub(crate) fn current(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    fn advance(&self) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }
}

/// A (server, setting): probed once, however many pools and rules lead to it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    /// The gateway's id, or its name where it has none; lower case.
    pub(crate) gateway: String,
    /// Lower case.
    pub(crate) setting: String,
    pub(crate) member: Member,
    /// As routing knows the server.
    pub(crate) logical: SocketAddr,
}

/// How it is probed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Spec {
    pub(crate) probe: Probe,
    pub(crate) generation: Generation,
    pub(crate) names: ProbeNames,
    /// Where the probe connects to, after mapping.
    pub(crate) address: SocketAddr,
    /// What drops connections there on their way.
    pub(crate) obstacle: Option<Obstacle>,
    /// What the request has beside what HTTP demands: names and values, each of one line.
    pub(crate) fields: Vec<(String, String)>,
}

impl Spec {
    /// `setting` and `member` are those that the probe belongs to.
    pub(crate) fn new(
        probe: &Probe,
        setting: &gatewright_snapshot::BackendSetting,
        member: &Member,
        generation: Generation,
        address: SocketAddr,
    ) -> Self {
        Self {
            names: probe_names(probe, setting, member, generation),
            probe: probe.clone(),
            generation,
            address,
            obstacle: None,
            fields: Vec::new(),
        }
    }

    /// The verification of the server's certificate; `None` for a probe in the clear. Without a
    /// name that was asked for there is none to check.
    pub(crate) fn verification(&self) -> Option<gatewright_snapshot::BackendVerification> {
        let mut verification = self.probe.verification.clone()?;
        verification.check_name &= self.names.sni.is_some();
        Some(verification)
    }

    pub(super) fn pace(&self) -> Pace {
        Pace {
            interval: self.probe.interval,
            retries_quickly: self.generation == Generation::V1,
        }
    }
}

/// What stands in events about a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TargetLabels {
    pub(crate) gateway: String,
    pub(crate) gateway_id: String,
    pub(crate) setting: String,
}

/// One probed server under one setting, with its state. Written by the prober alone.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) number: u64,
    pub(crate) place: Place,
    pub(crate) spec: Spec,
    pub(crate) labels: TargetLabels,
    pub(crate) tls: Option<BackendTls>,
    epoch: Epoch,
    /// What traffic asks for: whether the server is healthy.
    is_usable: AtomicBool,
    state: Mutex<State>,
}

#[derive(Clone, Debug, Default)]
struct State {
    verdict: Verdict,
    /// Since when the server is in its state, in microseconds since the Unix epoch; 0 before the
    /// first verdict.
    since_micros: u64,
    record: Option<Arc<ProbeRecord>>,
    /// The last probes, the newest last.
    outcomes: VecDeque<ProbeOutcome>,
    /// Whether a probe of this very spec has ended.
    is_probed: bool,
}

/// What the report tells of a target.
#[derive(Clone, Debug)]
pub(crate) struct TargetReport {
    pub(crate) health: Health,
    pub(crate) since_micros: u64,
    pub(crate) in_a_row: u32,
    pub(crate) record: Option<Arc<ProbeRecord>>,
}

/// A target with the pools that lead to it.
#[derive(Clone, Debug)]
pub(crate) struct Watched {
    pub(crate) target: Arc<Target>,
    pub(crate) pools: Vec<String>,
}

static NEXT_TARGET: AtomicU64 = AtomicU64::new(1);

impl Target {
    /// A new target. `before`: the same place under an earlier spec, whose state holds until this
    /// one's first result, so that a changed probe takes no server out by itself.
    pub(crate) fn new(
        place: Place,
        spec: Spec,
        labels: TargetLabels,
        tls: Option<BackendTls>,
        epoch: &Epoch,
        before: Option<&Self>,
    ) -> Self {
        let mut state = before.map(|target| target.state().clone());
        if let Some(state) = &mut state {
            state.is_probed = false;
        }
        Self {
            number: NEXT_TARGET.fetch_add(1, Ordering::Relaxed),
            place,
            spec,
            labels,
            tls,
            epoch: epoch.clone(),
            is_usable: AtomicBool::new(before.is_some_and(Self::is_usable)),
            state: Mutex::new(state.unwrap_or_default()),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the server may take traffic.
    pub(crate) fn is_usable(&self) -> bool {
        self.is_usable.load(Ordering::Acquire)
    }

    /// Whether a probe of this target has ended, or an earlier spec's state stands in for it.
    pub(crate) fn has_state(&self) -> bool {
        let state = self.state();
        state.is_probed || state.verdict.health() != Health::Unknown
    }

    /// What the last 32 probes found, the newest last.
    pub(crate) fn outcomes(&self) -> Vec<ProbeOutcome> {
        self.state().outcomes.iter().copied().collect()
    }

    pub(crate) fn report(&self) -> TargetReport {
        let state = self.state();
        TargetReport {
            health: state.verdict.health(),
            since_micros: state.since_micros,
            in_a_row: state.verdict.in_a_row(),
            record: state.record.clone(),
        }
    }

    /// Takes a probe's record; whether failures have begun that have not taken the server down,
    /// and the change, if there was one.
    pub(super) fn take(
        &self,
        record: ProbeRecord,
        pools: &[String],
    ) -> (bool, Option<HealthChange>) {
        let mut state = self.state();
        let threshold = self.spec.probe.unhealthy_threshold;
        let from = state.verdict.take(record.is_healthy, threshold);
        let (to, in_a_row) = (state.verdict.health(), state.verdict.in_a_row());
        // Of a server that stays unhealthy, another reason is told too.
        let is_news = |before: &Arc<ProbeRecord>| before.log != record.log;
        let other_reason =
            from.is_none() && to == Health::Unhealthy && state.record.as_ref().is_some_and(is_news);
        let told = from.or(other_reason.then_some(to));
        let change = told.map(|from| HealthChange {
            at_micros: record.at_micros,
            message: record.message,
            log: record.log.clone(),
            detail: record.detail.clone(),
            in_a_row,
            ..self.change(pools, from, to)
        });
        if from.is_some() {
            state.since_micros = record.at_micros;
        }
        state.is_probed = true;
        if state.outcomes.len() == OUTCOMES_MAX {
            state.outcomes.pop_front();
        }
        state.outcomes.push_back(record.outcome());
        state.record = Some(Arc::new(record));
        let is_failing = state.verdict.is_failing();
        drop(state);
        let is_usable = to == Health::Healthy;
        if self.is_usable.swap(is_usable, Ordering::AcqRel) != is_usable {
            self.epoch.advance();
        }
        (is_failing, change)
    }
}

impl Target {
    /// The change of a server that is not probed any more; `None` where it never had a state.
    pub(super) fn leave(&self, pools: &[String]) -> Option<HealthChange> {
        let from = self.state().verdict.health();
        (from != Health::Unknown).then(|| self.change(pools, from, Health::Unknown))
    }

    /// A change that no probe has led to.
    fn change(&self, pools: &[String], from: Health, to: Health) -> HealthChange {
        let message = HealthMessage::NoLongerProbed;
        HealthChange {
            at_micros: unix_micros(),
            gateway: self.labels.gateway.clone(),
            gateway_id: self.labels.gateway_id.clone(),
            server: member_name(&self.place.member),
            address: self.place.logical.to_string(),
            pools: pools.to_vec(),
            setting: self.labels.setting.clone(),
            from,
            to,
            message,
            log: message.render(&Fill::default()),
            detail: None,
            in_a_row: 0,
        }
    }
}

/// A member as the pool names it, which is how the report names the server.
pub(crate) fn member_name(member: &Member) -> String {
    match member {
        Member::Ip(ip) => ip.to_string(),
        Member::Fqdn(name) => name.clone(),
    }
}
