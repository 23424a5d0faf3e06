//! The comparison on messages composed from seeds: the same ones in every run.

use std::collections::BTreeMap;

use super::grammar::{self, Dice};
use super::{Agreement, Asked, Disagreement, End, compare_request, compare_response};

const MESSAGES: u64 = 25_000;

/// Compares many messages; how often each outcome came.
fn tally(
    compose: impl Fn(&mut Dice) -> Vec<u8>,
    compare: impl Fn(&[u8]) -> Result<Agreement, Disagreement>,
) -> BTreeMap<Agreement, u32> {
    let mut tally = BTreeMap::new();
    for seed in 0..MESSAGES {
        let bytes = compose(&mut Dice::new(seed));
        match compare(&bytes) {
            Ok(agreement) => *tally.entry(agreement).or_default() += 1,
            Err(difference) => panic!("seed {seed}: {difference}\n{}", bytes.escape_ascii()),
        }
    }
    tally
}

/// A comparison that never gets to compare anything would hold as well.
fn check_reached(tally: &BTreeMap<Agreement, u32>, wanted: &[Agreement], at_least: u32) {
    for agreement in wanted {
        let times = tally.get(agreement).copied().unwrap_or_default();
        assert!(
            times >= at_least,
            "{agreement:?} came {times} times: {tally:#?}"
        );
    }
}

const ENDS: [Agreement; 4] = [
    Agreement::Taken(End::Complete),
    Agreement::Taken(End::Incomplete),
    Agreement::Taken(End::Broken),
    Agreement::Refused,
];

#[test]
fn requests_read_alike() {
    let tally = tally(grammar::request, compare_request);
    check_reached(&tally, &ENDS, 50);
    let meant = [
        "bare CR or LF",
        "TRACE",
        "CONNECT",
        "an odd target",
        "too large a header section",
        "a value that is not ASCII",
        "no Host",
        "a repeated Host",
        "an odd Host",
        "an odd Content-Length",
        "an odd Transfer-Encoding",
        "both a length and chunks",
        "a POST without a length",
        "a long body",
        "an unknown expectation",
        "an upgrade to h2c",
        "a repeated Authorization",
        "a long target",
        "a chunk size of many digits",
        "a long chunk-size line",
        "a control byte in a chunk extension",
        "an odd trailer section",
    ];
    check_reached(&tally, &meant.map(Agreement::Stricter), 1);
    check_reached(
        &tally,
        &[Agreement::Looser("unescaped bytes in the target")],
        1,
    );
}

#[test]
fn answers_read_alike() {
    for asked in [Asked::Get, Asked::Head] {
        let tally = tally(grammar::response, |bytes| compare_response(bytes, asked));
        let ends = if asked == Asked::Get {
            &ENDS[..]
        } else {
            &ENDS[3..]
        };
        check_reached(&tally, ends, 50);
        check_reached(&tally, &[Agreement::Taken(End::Complete)], 1000);
        let meant = [
            "bare CR or LF",
            "odd lengths",
            "a status beyond 599",
            "an empty line before an answer",
        ];
        check_reached(&tally, &meant.map(Agreement::Stricter), 1);
    }
}

#[test]
fn noise_reads_alike() {
    tally(grammar::noise, compare_request);
    tally(grammar::noise, |bytes| compare_response(bytes, Asked::Get));
}
