use serde_json::json;

use super::*;
use crate::cause::Cause;
use crate::evidence::{Content, File};
use crate::walk::diagnose;

/// A gateway with two rules to empty pools.
fn evidence() -> Evidence {
    let id =
        "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Network/applicationGateways/gw";
    let of = |part: &str| json!({"id": format!("{id}/{part}")});
    let rule = |name: &str, to: &str| {
        json!({
            "name": name,
            "ruleType": "Basic",
            "backendAddressPool": of(&format!("backendAddressPools/{to}")),
            "httpListener": of("httpListeners/l"),
        })
    };
    let gateway = json!({
        "name": "gw",
        "id": id,
        "httpListeners": [{"name": "l"}],
        "operationalState": "Running",
        "backendAddressPools": [{"name": "blue"}, {"name": "green"}],
        "requestRoutingRules": [rule("one", "blue"), rule("two", "green")],
    });
    let file = File {
        name: "gateway.json".to_owned(),
        content: Content::Json(gateway),
    };
    Evidence::read(vec![file]).unwrap()
}

/// Its verdict, with a finding for each of the pools.
fn verdict(evidence: &Evidence) -> Verdict {
    let mut verdict = diagnose(evidence, 0);
    let mut first = verdict.findings.first().unwrap().clone();
    assert_eq!(first.cause, Cause::EmptyPool);
    first.because.clear();
    let mut second = first.clone();
    second.title = "The pool green-1 has no servers.".to_owned();
    first.title = "The pool blue-1 has no servers.".to_owned();
    verdict.findings = vec![first, second];
    verdict
}

fn suppression(resource: Option<&str>) -> Suppression {
    Suppression {
        cause: Cause::EmptyPool,
        resource: resource.map(str::to_owned),
    }
}

#[test]
fn what_is_suppressed_hides_no_other_of_its_cause() {
    let evidence = evidence();
    let whole = Report::new(verdict(&evidence), &evidence, &[]);
    assert_eq!(
        whole.verdict.findings.len(),
        1,
        "the heaviest stands for its cause"
    );
    let one = Report::new(
        verdict(&evidence),
        &evidence,
        &[suppression(Some("blue-1"))],
    );
    assert_eq!(one.sentence(), "The pool green-1 has no servers.");
    assert_eq!(one.verdict.outcome, Outcome::RootCause);
    assert_eq!(one.suppressed.len(), 1);
    let both = [suppression(Some("blue-1")), suppression(Some("green-1"))];
    let both = Report::new(verdict(&evidence), &evidence, &both);
    assert_eq!(both.verdict.outcome, Outcome::Healthy);
    assert_eq!(both.suppressed.len(), 2);
    let all = Report::new(verdict(&evidence), &evidence, &[suppression(None)]);
    assert_eq!(all.suppressed.len(), 1);
    assert_eq!(all.worst(), None);
}

#[test]
fn a_suppression_behind_another_is_not_idle() {
    let evidence = evidence();
    let twice = [suppression(None), suppression(Some("blue-1"))];
    let report = Report::new(verdict(&evidence), &evidence, &twice);
    assert_eq!(report.unused, []);
    let idle = suppression(Some("red-1"));
    let report = Report::new(verdict(&evidence), &evidence, std::slice::from_ref(&idle));
    assert_eq!(report.unused, [idle]);
}

#[test]
fn only_what_is_possible_is_no_more_after_what_explained_it() {
    let evidence = evidence();
    let mut verdict = verdict(&evidence);
    let second = verdict.findings.last_mut().unwrap();
    second.confidence = Confidence::Possible;
    second.cause = Cause::Probe403;
    let report = Report::new(verdict.clone(), &evidence, &[suppression(None)]);
    assert_eq!(report.verdict.outcome, Outcome::Healthy);
    assert_eq!(report.others().len(), 1);
    // Where nothing was explained, nothing is by suppressing what is possible.
    verdict.outcome = Outcome::Inconclusive;
    verdict.findings.remove(0);
    let possible = Suppression {
        cause: Cause::Probe403,
        resource: None,
    };
    let report = Report::new(verdict, &evidence, &[possible]);
    assert_eq!(report.verdict.outcome, Outcome::Inconclusive);
}

#[test]
fn what_is_one_more_is_shown() {
    assert_eq!(first_lines(&[1, 2, 3], 2), (&[1, 2, 3][..], 0));
    assert_eq!(first_lines(&[1, 2, 3, 4], 2), (&[1, 2][..], 2));
    assert_eq!(first(&[1, 2, 3], 2), (&[1, 2][..], 1));
}

#[test]
fn long_texts_are_cut_and_commands_are_not() {
    let long = "é".repeat(TEXT_CHARS_MAX + 1);
    assert_eq!(visible(&long).chars().count(), TEXT_CHARS_MAX + 1);
    assert!(visible(&long).ends_with("é…"));
    assert_eq!(whole(&long), long);
    assert_eq!(visible("a\tb\u{85}\u{2066}"), r"a\tb\u{85}\u{2066}");
}
