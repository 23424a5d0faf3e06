//! Our reading of a request against hyper's.

#![no_main]

use gatewright_dataplane::fuzzing::compare_request;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Err(difference) = compare_request(bytes) {
        panic!("{difference}\n{}", bytes.escape_ascii());
    }
});
