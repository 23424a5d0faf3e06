//! Are remedies right? Each that is a patch is tried on the evidence itself.

use gatewright_arm::ApplicationGateway;
use gatewright_arm::model::BackendHttpSettings;

use super::Walk;
use crate::cause::Cause;
use crate::evidence::{Evidence, GATEWAY, State};
use crate::finding::{Confidence, Fix, Replay, Verdict};
use crate::site::Target;

/// Causes whose remedies are replayed, the heaviest: each replay is a diagnosis of its own.
const CAUSES_MAX: usize = 5;

/// Replays the remedies of a verdict that are patches, and notes what came of it. `again` comes to
/// another verdict, with the changed evidence.
pub(super) fn prove(
    evidence: &Evidence,
    verdict: &mut Verdict,
    again: &dyn Fn(&Evidence, &Fix) -> Verdict,
) {
    let mut known: Vec<Cause> = Vec::new();
    for finding in &mut verdict.findings {
        let cause = finding.cause;
        // The heaviest finding of a cause is what is shown of it.
        if finding.confidence < Confidence::Likely || known.contains(&cause) {
            continue;
        }
        known.push(cause);
        if known.len() > CAUSES_MAX {
            break;
        }
        for fix in &mut finding.fixes {
            if !fix.whole_patches().is_empty() {
                fix.replay = Some(replay(evidence, fix, cause, again));
            }
        }
    }
}

/// A diagnosis with what a remedy changed: of servers that are probed otherwise now, what is
/// foreseen counts, and not what the report says.
pub(super) fn diagnose_again(
    before: &Evidence,
    patched: &Evidence,
    fix: &Fix,
    now: i64,
) -> Verdict {
    let changes_network = fix.whole_patches().iter().any(|one| one.file != GATEWAY);
    let mut walk = Walk::new(patched, now);
    walk.site.targets.retain(is_member);
    walk.foresee(|target| {
        let is_failing = target.row.state != State::Healthy;
        changes_network && is_failing || is_changed(&before.gateway, target)
    });
    walk.ask_everything()
}

fn replay(
    evidence: &Evidence,
    fix: &Fix,
    cause: Cause,
    again: &dyn Fn(&Evidence, &Fix) -> Verdict,
) -> Replay {
    let Ok(mut patched) = evidence.patched(fix.whole_patches()) else {
        return Replay::Remains;
    };
    let is_found = |patched: &Evidence| {
        again(patched, fix)
            .findings
            .iter()
            .any(|one| is_alike(one.cause, cause) && one.confidence >= Confidence::Likely)
    };
    if !is_found(&patched) {
        return Replay::Gone;
    }
    // Requests and changes that failed before say nothing of those that come after.
    match patched.forget_failures() && !is_found(&patched) {
        true => Replay::GoneWhenTriedAgain,
        false => Replay::Remains,
    }
}

/// Whether a server that the report has is in its pool.
fn is_member(target: &Target<'_>) -> bool {
    let address = &target.row.address;
    let members = target.pool.map(|pool| &pool.properties.backend_addresses);
    let is_it = |own: &Option<String>| own.as_ref().is_some_and(|own| own == address);
    members.is_none_or(|members| {
        // Members may be interfaces, whose addresses the pool does not have.
        let mut members = members.iter();
        members.len() == 0 || members.any(|one| is_it(&one.ip_address) || is_it(&one.fqdn))
    })
}

/// A refused change has the cause of which it was refused.
fn is_alike(found: Cause, cause: Cause) -> bool {
    let refused = Cause::V2ManagementPortsPutRejected;
    found == cause || cause == refused && found == Cause::V2ManagementPorts
}

/// Whether what probes do to a server is another thing than it was.
fn is_changed(before: &ApplicationGateway, target: &Target<'_>) -> bool {
    let own = &before.properties;
    let settings = &own.backend_http_settings_collection;
    let setting = target.setting.map(|now| {
        let was = settings.iter().find(|one| one.is_named(&now.name));
        was.is_none_or(|was| differ(&was.properties, &now.properties))
    });
    let probe = target.probe.map(|now| {
        let was = own.probes.iter().find(|one| one.is_named(&now.name));
        was.is_none_or(|was| was.properties != now.properties)
    });
    let pool = target.pool.map(|now| {
        let pools = &own.backend_address_pools;
        let was = pools.iter().find(|one| one.is_named(&now.name));
        was.is_none_or(|was| was.properties != now.properties)
    });
    [setting, probe, pool].into_iter().flatten().any(|one| one)
}

/// Whether they differ in more than what probes have no part in.
fn differ(was: &BackendHttpSettings, now: &BackendHttpSettings) -> bool {
    let live = BackendHttpSettings {
        request_timeout: now.request_timeout,
        path: now.path.clone(),
        ..was.clone()
    };
    live != *now
}
