//! Health probes: which servers may take traffic, and why the others may not.
//!
//! `targets` says what is probed and keeps each server's state, `schedule` when, `attempt` makes
//! one probe with the connections and the TLS of traffic, `verdict` makes a state of its results,
//! and `prober` runs them on a thread of its own, so that no probe ever delays a request.
//!
//! A server takes no traffic before its first good probe. One good probe heals; as many failures in
//! a row as the threshold says take down. The report tells what the last probe found, and asking
//! for it probes nothing.

mod answer;
mod attempt;
mod certificates;
mod message;
mod names;
mod once;
mod prober;
mod schedule;
mod targets;
mod verdict;

pub use names::{ProbeNames, probe_names};
pub use once::{ProbePlan, probe_now};
pub(crate) use prober::Prober;
pub(crate) use targets::{Epoch, Place, Spec, Target, TargetLabels, Watched, member_name};
