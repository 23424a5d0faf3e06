//! Our reading of an answer against hyper's, as the answer to a GET and to a HEAD.

#![no_main]

use gatewright_dataplane::fuzzing::{Asked, compare_response};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for asked in [Asked::Get, Asked::Head] {
        if let Err(difference) = compare_response(bytes, asked) {
            panic!("{asked:?}: {difference}\n{}", bytes.escape_ascii());
        }
    }
});
