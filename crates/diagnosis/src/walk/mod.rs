//! The walk over the map: one function for each question, in the order in which one asks.

mod answered;
mod broken;
mod certificate_causes;
mod certificate_remedies;
mod certificates;
mod denials;
mod document;
mod drift;
mod edits;
mod foresee;
mod ingress;
mod instances;
mod listeners;
mod live;
mod live_hosts;
mod live_paths;
mod measured;
mod names;
mod network;
mod network_edits;
mod order;
mod parts;
mod peerings;
mod pods;
mod pools;
mod predict;
mod probe_remedies;
mod probes;
mod reach;
mod replay;
mod restrictions;
mod returns;
mod room;
mod seen;
mod stale;
mod state;
mod suites;
mod vault;

pub use predict::predict;

use std::cell::{OnceCell, RefCell};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use gatewright_chain::Anchor;

use crate::cause::Cause;
use crate::evidence::{Evidence, HEALTH, LAST_ERROR, OBSERVATIONS, Place, State};
use crate::finding::{Because, Confidence, Finding, Fix, Need, Outcome, RuledOut, Step, Verdict};
use crate::remedy::{Commands, word};
use crate::site::Site;

/// Why requests fail, by this evidence. `now`, in seconds since the Unix epoch, counts where the
/// evidence speaks of no moment.
pub fn diagnose(evidence: &Evidence, now: i64) -> Verdict {
    let now = evidence.as_of().unwrap_or(now);
    let mut verdict = Walk::new(evidence, now).ask_everything();
    replay::prove(evidence, &mut verdict, &|patched, fix| {
        replay::diagnose_again(evidence, patched, fix, now)
    });
    verdict
}

/// How far a cause explains what is seen. The first explains everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Weight {
    /// No request can be answered.
    Gateway,
    /// What was last asked of the gateway was refused.
    Change,
    /// Servers are kept from traffic.
    Servers,
    /// Requests fail though servers are well.
    Requests,
    /// Nothing fails because of it alone.
    Beside,
}

/// A part of a question that may find a cause, with what else is to be known of it.
type Question<W, T> = fn(&mut W) -> Option<(Finding, T)>;

struct Candidate {
    finding: Finding,
    weight: Weight,
    /// Servers or requests that it explains.
    reach: usize,
}

pub(crate) struct Walk<'e> {
    pub(crate) evidence: &'e Evidence,
    pub(crate) site: Site<'e>,
    pub(crate) commands: Commands,
    pub(crate) now: i64,
    pub(crate) anchors: Vec<Anchor<'static>>,
    candidates: Vec<Candidate>,
    ruled_out: Vec<RuledOut>,
    needs: Vec<Need>,
    steps: Vec<Step>,
    /// The security rules that deny servers which fail, by group and name; by the target.
    denials: BTreeMap<usize, (String, String)>,
    /// Servers that the rules and routes which are known let the gateway through to.
    let_through: BTreeSet<usize>,
    /// What was found to be behind pools, by their names in lower case.
    behind: RefCell<BTreeMap<String, Option<stale::Behind>>>,
    routes_by_host: RefCell<live::RoutesByHost>,
    answered: OnceCell<answered::Answered>,
    seen: OnceCell<seen::Seen>,
    /// How the gateway's subnet gets a way to every node of a cluster.
    routes_to_nodes: OnceCell<Fix>,
    /// Requests that went where members with names are no more.
    old_addresses: OnceCell<Vec<live::OldAddress>>,
    /// Whether there is no report: what stands for one is what is foreseen of pools' members.
    foresees: bool,
}

impl<'e> Walk<'e> {
    fn new(evidence: &'e Evidence, now: i64) -> Self {
        let anchors = webpki_roots::TLS_SERVER_ROOTS.iter().map(|anchor| Anchor {
            subject: anchor.subject.as_ref(),
            key: anchor.subject_public_key_info.as_ref(),
            constraints: anchor.name_constraints.as_ref().map(|der| der.as_ref()),
        });
        Self {
            evidence,
            site: Site::of(evidence),
            commands: Commands::of(&evidence.gateway),
            now,
            anchors: anchors.collect(),
            candidates: Vec::new(),
            ruled_out: Vec::new(),
            needs: Vec::new(),
            steps: Vec::new(),
            denials: BTreeMap::new(),
            let_through: BTreeSet::new(),
            behind: RefCell::default(),
            routes_by_host: RefCell::default(),
            answered: OnceCell::new(),
            seen: OnceCell::new(),
            routes_to_nodes: OnceCell::new(),
            old_addresses: OnceCell::new(),
            foresees: false,
        }
    }

    fn ask_everything(mut self) -> Verdict {
        self.is_the_gateway_running();
        self.did_the_last_change_fail();
        self.can_certificates_be_fetched();
        self.ask_about_servers();
        self.is_what_is_shown_what_serves();
        self.do_requests_come_to_their_rule();
        self.do_servers_get_live_requests();
        self.is_there_room();
        self.end()
    }

    /// What probes and the network decide.
    fn ask_about_servers(&mut self) {
        self.does_each_rule_lead_to_servers();
        self.why_is_health_unknown();
        self.can_names_be_resolved();
        self.can_servers_be_connected_to();
        self.do_answers_come_back();
        self.does_the_gateway_itself_get_out();
        self.are_certificates_accepted();
        self.do_servers_answer_probes();
    }

    pub(crate) fn because(&self, place: &Place, says: impl Into<String>) -> Because {
        let is_member = self.foresees && foresee::is_foreseen(place);
        Because {
            place: place.clone(),
            value: self.evidence.value_at(place).clone(),
            says: match is_member {
                true => "the member of the pool".to_owned(),
                false => says.into(),
            },
        }
    }

    pub(crate) fn find(&mut self, weight: Weight, reach: usize, finding: Finding) {
        self.candidates.push(Candidate {
            finding,
            weight,
            reach,
        });
    }

    pub(crate) fn rule_out(&mut self, cause: Cause, because: impl Into<String>) {
        let is_known = self.ruled_out.iter().any(|one| one.cause == cause);
        if !is_known {
            self.ruled_out.push(RuledOut {
                cause,
                because: because.into(),
            });
        }
    }

    pub(crate) fn need(&mut self, file: &'static str, why: &str, command: impl Into<String>) {
        let is_known = self.needs.iter().any(|one| one.file == file);
        if !is_known {
            self.needs.push(Need {
                file,
                why: why.to_owned(),
                command: command.into(),
            });
        }
    }

    pub(crate) fn step(
        &mut self,
        asked: &'static str,
        seen: impl Into<String>,
        therefore: impl Into<String>,
    ) {
        self.steps.push(Step {
            asked,
            seen: seen.into(),
            therefore: therefore.into(),
        });
    }

    /// Whether something that explains more than this weight was found already.
    pub(crate) fn is_explained(&self, weight: Weight) -> bool {
        self.candidates
            .iter()
            .any(|one| one.weight < weight && one.finding.confidence >= Confidence::Likely)
    }

    fn end(mut self) -> Verdict {
        self.speak_of_the_ingress();
        self.ask_for_anything();
        self.candidates.sort_by_key(|one| {
            let is_weak = one.finding.confidence < Confidence::Likely;
            let confidence = Reverse(one.finding.confidence);
            (
                is_weak,
                one.weight,
                confidence,
                Reverse(one.reach),
                one.finding.cause,
            )
        });
        let is_found = self
            .candidates
            .first()
            .is_some_and(|first| first.finding.confidence >= Confidence::Likely);
        let outcome = match (is_found, self.is_well()) {
            (true, _) => Outcome::RootCause,
            (false, true) => Outcome::Healthy,
            (false, false) => Outcome::Inconclusive,
        };
        let findings: Vec<Finding> = self.candidates.into_iter().map(|one| one.finding).collect();
        let is_cause = |cause: Cause| findings.iter().any(|finding| finding.cause == cause);
        self.ruled_out.retain(|one| !is_cause(one.cause));
        let is_certain = findings
            .first()
            .is_some_and(|one| one.confidence == Confidence::Certain);
        if outcome == Outcome::Healthy || outcome == Outcome::RootCause && is_certain {
            self.needs.clear();
        }
        Verdict {
            outcome,
            as_of: self.now,
            findings,
            ruled_out: self.ruled_out,
            needs: self.needs,
            walk: self.steps,
            ignored: self.evidence.ignored().to_vec(),
        }
    }

    /// Where nothing else is known to decide, what is missing of the usual.
    fn ask_for_anything(&mut self) {
        let is_found = self
            .candidates
            .iter()
            .any(|one| one.finding.confidence >= Confidence::Likely);
        // A node has told all that it knows.
        if is_found || !self.needs.is_empty() || self.evidence.is_of_node() {
            return;
        }
        let health = self.commands.gateway("show-backend-health");
        let group = word(self.commands.group());
        for (file, why, command) in [
            (
                HEALTH,
                "it says which servers are well",
                format!("{health} -o json > {HEALTH}"),
            ),
            (
                "nsgs.json",
                "a security rule may be in the way",
                format!("az network nsg list -g {group} -o json > nsgs.json"),
            ),
            (
                LAST_ERROR,
                "it says what was last refused",
                format!(
                    "az monitor activity-log list -g {group} --status Failed --offset 7d -o json > \
                     {LAST_ERROR}"
                ),
            ),
            (
                OBSERVATIONS,
                "what a connection to a server comes to tells causes apart",
                "curl -sv -m 60 http://SERVER:PORT/   # from a machine of the gateway's network"
                    .to_owned(),
            ),
        ] {
            if !self.evidence.has(file) {
                self.need(file, why, command);
            }
        }
    }

    /// Whether nothing speaks of a failure.
    fn is_well(&self) -> bool {
        let is_served = self.site.is_all_healthy();
        let has_failures =
            live::failures(self.evidence).next().is_some() || self.has_a_client_seen_it_fail();
        let has_failures = has_failures || !self.clients_shut_out().is_empty();
        let has_failures = has_failures || self.do_metrics_tell_of_failures();
        let draining = self
            .site
            .targets
            .iter()
            .any(|one| one.row.state == State::Draining);
        let failure = self.evidence.failure.as_ref();
        let has_failed = failure.is_some_and(|failure| !self.is_history(failure));
        is_served && !has_failures && !draining && !has_failed
    }
}

/// A finding without its parts.
pub(crate) fn finding(cause: Cause, confidence: Confidence, title: impl Into<String>) -> Finding {
    Finding {
        cause,
        confidence,
        title: title.into(),
        because: Vec::new(),
        contradicts: None,
        assumes: None,
        fixes: Vec::new(),
    }
}

impl Finding {
    pub(crate) fn because(mut self, because: impl IntoIterator<Item = Because>) -> Self {
        self.because.extend(because);
        self
    }

    pub(crate) fn fixed_by(mut self, fix: Fix) -> Self {
        self.fixes.push(fix);
        self
    }
}

/// The first items by name, and how many more there are: `a, b and 3 more`.
pub(crate) fn listed(names: &[String]) -> String {
    const SHOWN_MAX: usize = 3;
    let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
    names.dedup();
    match names.split_at_checked(SHOWN_MAX) {
        Some((shown, rest)) if !rest.is_empty() => {
            format!("{} and {} more", shown.join(", "), rest.len())
        }
        _ => names.join(", "),
    }
}
