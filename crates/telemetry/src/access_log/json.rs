//! The few pieces of JSON that a log line is made of, appended to a buffer without `fmt`.

/// Two decimal digits for each number below 100.
static PAIRS: [u8; 200] = {
    let mut pairs = [0; 200];
    let mut number = 0;
    while number < 100 {
        pairs[number * 2] = b'0' + (number / 10) as u8;
        pairs[number * 2 + 1] = b'0' + (number % 10) as u8;
        number += 1;
    }
    pairs
};

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Most digits of a `u64`.
const DIGITS_MAX: usize = 20;

/// The two digits of a number below 100; of its remainder above.
pub(crate) fn two_digits(number: u64) -> [u8; 2] {
    let at = (number % 100) as usize * 2;
    [PAIRS[at], PAIRS[at + 1]]
}

/// Appends a number in decimal.
pub(crate) fn push_integer(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0; DIGITS_MAX];
    let mut at = DIGITS_MAX;
    while number >= 100 {
        at -= 2;
        digits[at..at + 2].copy_from_slice(&two_digits(number));
        number /= 100;
    }
    at -= 2;
    digits[at..at + 2].copy_from_slice(&two_digits(number));
    if number < 10 {
        at += 1;
    }
    out.extend_from_slice(&digits[at..]);
}

/// Appends a time given in microseconds as seconds with three decimals, rounded.
pub(crate) fn push_seconds(out: &mut Vec<u8>, micros: u32) {
    let millis = (u64::from(micros) + 500) / 1_000;
    push_integer(out, millis / 1_000);
    let rest = millis % 1_000;
    let [tens, units] = two_digits(rest);
    out.extend_from_slice(&[b'.', b'0' + (rest / 100) as u8, tens, units]);
}

fn must_escape(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

/// Appends the inside of a JSON string that stands for `bytes`. What is UTF-8 stays as it is; any
/// other byte becomes the character of the same number, so that the result is always valid.
pub(crate) fn push_escaped(out: &mut Vec<u8>, bytes: &[u8]) {
    // No early exit: the compiler turns this into a few wide comparisons.
    let plain = bytes.iter().fold(true, |plain, &byte| {
        plain & !must_escape(byte) & byte.is_ascii()
    });
    if plain {
        out.extend_from_slice(bytes);
    } else {
        push_escaped_slowly(out, bytes);
    }
}

#[cold]
fn push_escaped_slowly(out: &mut Vec<u8>, bytes: &[u8]) {
    for chunk in bytes.utf8_chunks() {
        let mut rest = chunk.valid().as_bytes();
        while let Some(at) = rest.iter().position(|&byte| must_escape(byte)) {
            out.extend_from_slice(&rest[..at]);
            push_escape(out, rest[at]);
            rest = &rest[at + 1..];
        }
        out.extend_from_slice(rest);
        for &byte in chunk.invalid() {
            push_escape(out, byte);
        }
    }
}

fn push_escape(out: &mut Vec<u8>, byte: u8) {
    match byte {
        b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
        b'\n' => out.extend_from_slice(b"\\n"),
        b'\r' => out.extend_from_slice(b"\\r"),
        b'\t' => out.extend_from_slice(b"\\t"),
        _ => {
            let digits = [HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]];
            out.extend_from_slice(b"\\u00");
            out.extend_from_slice(&digits);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(push: impl Fn(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        push(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn seconds_have_three_decimals_and_are_rounded() {
        for (micros, expected) in [
            (0, "0.000"),
            (499, "0.000"),
            (500, "0.001"),
            (34_000, "0.034"),
            (999_500, "1.000"),
            (
                86_400_123_456_u64.min(u64::from(u32::MAX)) as u32,
                "4294.967",
            ),
        ] {
            assert_eq!(text(|out| push_seconds(out, micros)), expected);
        }
    }

    #[test]
    fn bytes_that_are_no_utf_8_become_characters_of_their_number() {
        assert_eq!(text(|out| push_escaped(out, b"a\xe9b")), "a\\u00e9b");
        assert_eq!(
            text(|out| push_escaped(out, "é\u{1}\"".as_bytes())),
            "é\\u0001\\\""
        );
    }

    proptest! {
        #[test]
        fn integers_agree_with_the_standard_library(number: u64, shift in 0_u32..64) {
            let number = number >> shift;
            prop_assert_eq!(text(|out| push_integer(out, number)), number.to_string());
        }

        /// Texts come back as they were; any bytes at all give a valid string.
        #[test]
        fn strings_survive(bytes in prop::collection::vec(any::<u8>(), 0..80), tail in ".{0,20}") {
            let quoted = |bytes: &[u8]| format!("\"{}\"", text(|out| push_escaped(out, bytes)));
            let read: String = serde_json::from_str(&quoted(&bytes)).unwrap();
            if let Ok(original) = std::str::from_utf8(&bytes) {
                prop_assert_eq!(&read, original);
            }
            let read: String = serde_json::from_str(&quoted(tail.as_bytes())).unwrap();
            prop_assert_eq!(read, tail);
        }
    }
}
