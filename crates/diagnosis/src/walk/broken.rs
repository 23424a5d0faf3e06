//! Does the backend break its answers off? What our own nodes see of connections tells.

use super::{Walk, finding, live};
use crate::cause::{Cause, Owner};
use crate::evidence::LogRow;
use crate::finding::{Confidence, Finding, Fix};
use crate::remedy::fix;

/// Failures of a connection on which no answer began, as a node names them.
pub(super) const UNANSWERED: [&str; 3] = [
    "backend-closed-unanswered",
    "backend-reset-unanswered",
    "backend-send-failed",
];
/// Failures of an answer that began.
const BROKEN: [&str; 5] = [
    "backend-head-invalid",
    "backend-head-too-large",
    "backend-framing-ambiguous",
    "backend-body-closed",
    "backend-body-malformed",
];

impl Walk<'_> {
    /// What probes meet.
    pub(super) fn probe_breaks_off(&self, index: usize) -> Option<Finding> {
        let target = self.site.targets.get(index)?;
        let title = format!(
            "{} breaks its answers to probes off, or does not speak HTTP: {}",
            target.endpoint(),
            target.row.log
        );
        let asked = fix(
            Owner::Backend,
            "See what it answers, and look into its log.",
        );
        Some(
            finding(Cause::BrokenAnswer, Confidence::Certain, title)
                .because([self.because(&target.row.place, "what the probe meets")])
                .fixed_by(asked.run(super::probes::ask_it(target))),
        )
    }

    /// What live requests meet on connections that are new.
    pub(super) fn does_the_backend_break_off(&mut self) -> Option<(Finding, usize)> {
        let is_broken = |row: &&LogRow| {
            let failure = row.failure.as_str();
            let is_new = row.is_reused == Some(false);
            BROKEN.contains(&failure) || is_new && UNANSWERED.contains(&failure)
        };
        let broken: Vec<&LogRow> = live::failures(self.evidence).filter(is_broken).collect();
        let first = broken.first()?;
        let what = match first.failure.as_str() {
            "backend-head-invalid" => "answers with something that is not HTTP/1.1",
            "backend-head-too-large" => "answers with a head of more than 64 KB",
            "backend-framing-ambiguous" => "answers with two lengths that contradict each other",
            "backend-body-malformed" => "answers with a chunked body that is malformed",
            "backend-body-closed" => "closes the connection within its answer",
            _ => "closes the connection without an answer",
        };
        let title = format!("{} {what}.", first.server);
        let found = finding(Cause::BrokenAnswer, Confidence::Certain, title)
            .because([self.because(&first.place, "what became of the request")])
            .fixed_by(self.look_there(first));
        Some((found, broken.len()))
    }

    /// A server that hung up on a connection while the gateway used it again.
    pub(super) fn closed_between_requests(&self, row: &LogRow) -> Finding {
        let title = format!(
            "{} closes connections that the gateway is about to use again.",
            row.server
        );
        let longer = "Have the backend keep idle connections for longer than the gateway does \
                      (nginx: keepalive_timeout 75s).";
        finding(Cause::KeepaliveRace, Confidence::Certain, title)
            .because([self.because(&row.place, "a connection that was used before was closed")])
            .fixed_by(fix(Owner::Backend, longer).run("grep -rn keepalive_timeout /etc/nginx"))
    }

    fn look_there(&self, row: &LogRow) -> Fix {
        fix(
            Owner::Backend,
            "Look into the server's log for the time of these requests, and ask it as the gateway \
             does.",
        )
        .run(self.ask_as(row))
    }
}
