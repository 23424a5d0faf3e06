//! Any evidence: an object with the files of a folder, diagnosed, foretold, and told in every form.

#![no_main]

use gatewright_diagnosis::{Evidence, File, Report, diagnose, predict};
use gatewright_template::read_text;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

/// A moment that counts where the evidence speaks of none.
const NOW: i64 = 1_780_000_000;

fuzz_target!(|bytes: &[u8]| {
    let Ok(Value::Object(members)) = read_text(bytes) else {
        return;
    };
    let files = members.into_iter();
    let files = files.map(|(name, value)| File::of_value(name, value));
    let Ok(evidence) = Evidence::read(files) else {
        return;
    };
    let verdict = diagnose(&evidence, NOW);
    assert_eq!(verdict, diagnose(&evidence, NOW), "the same evidence, another answer");
    for fix in verdict.findings.iter().flat_map(|found| &found.fixes) {
        for patch in fix.whole_patches() {
            drop(patch.changes(&evidence));
        }
    }
    let report = Report::new(verdict, &evidence, &[]);
    drop((report.lines(true), report.sarif(), report.markdown(), report.junit()));
    drop(predict(&evidence, NOW));
});
