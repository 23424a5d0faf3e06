//! Does the backend break its answers off? What our own nodes see of connections tells.

use gatewright_telemetry::Failure;

use super::{Walk, finding, live};
use crate::cause::{Cause, Owner};
use crate::evidence::LogRow;
use crate::finding::{Confidence, Finding, Fix};
use crate::remedy::fix;

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
            let is_new = row.is_reused == Some(false);
            is_broken_off(row) || is_new && is_unanswered(row)
        };
        let broken: Vec<&LogRow> = live::failures(self.evidence).filter(is_broken).collect();
        let first = broken.first()?;
        let what = match first.failure {
            Some(Failure::BackendHeadInvalid) => "answers with something that is not HTTP/1.1",
            Some(Failure::BackendHeadTooLarge) => "answers with a head of more than 64 KB",
            Some(Failure::BackendFramingAmbiguous) => {
                "answers with two lengths that contradict each other"
            }
            Some(Failure::BackendBodyMalformed) => "answers with a chunked body that is malformed",
            Some(Failure::BackendBodyClosed) => "closes the connection within its answer",
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
        finding(Cause::KeepaliveRace, Confidence::Certain, title)
            .because([self.because(&row.place, "a connection that was used before was closed")])
            .fixed_by(keep_longer(&row.server))
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

/// Of a server's connections, longer than the gateway keeps them.
pub(super) fn keep_longer(server: &str) -> Fix {
    let server = if server.is_empty() {
        "the backend"
    } else {
        server
    };
    let longer = format!(
        "Have {server} keep idle connections for longer than the gateway does (nginx: \
         keepalive_timeout 75s; Kestrel: Limits.KeepAliveTimeout; Node.js: \
         server.keepAliveTimeout = 75000, which is 5000 unless it is set)."
    );
    fix(Owner::Backend, longer)
        .run("grep -rn keepalive_timeout /etc/nginx   # on the server")
        .run("grep -rni keepAliveTimeout .   # in the application")
}

/// Whether no answer began on the connection.
pub(super) fn is_unanswered(row: &LogRow) -> bool {
    matches!(
        row.failure,
        Some(
            Failure::BackendClosedUnanswered
                | Failure::BackendResetUnanswered
                | Failure::BackendSendFailed
        )
    )
}

/// Whether an answer began that the gateway could not take to its end.
fn is_broken_off(row: &LogRow) -> bool {
    matches!(
        row.failure,
        Some(
            Failure::BackendHeadInvalid
                | Failure::BackendHeadTooLarge
                | Failure::BackendFramingAmbiguous
                | Failure::BackendBodyClosed
                | Failure::BackendBodyMalformed
        )
    )
}
