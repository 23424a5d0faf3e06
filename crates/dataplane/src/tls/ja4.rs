//! The JA4 fingerprint of a client's hello, which backends get as `X-Azure-JA4-Fingerprint`.
//!
//! It names a client's TLS library by what that offers: `t13d1516h2_8daaf6152771_e5627efa2ab1`. The
//! form is that of the published JA4 technical details (FoxIO, BSD-licensed part).

use aws_lc_rs::digest::{SHA256, digest};

const SERVER_NAME: u16 = 0x0000;
const SIGNATURE_ALGORITHMS: u16 = 0x000d;
const ALPN: u16 = 0x0010;
const SUPPORTED_VERSIONS: u16 = 0x002b;

/// What of a hello goes into its fingerprint.
#[derive(Debug, Default)]
struct Hello {
    legacy_version: u16,
    ciphers: Vec<u16>,
    extensions: Vec<u16>,
    signature_algorithms: Vec<u16>,
    versions: Vec<u16>,
    alpn: Option<Vec<u8>>,
}

/// The fingerprint of the hello at the beginning of `records`, as received; `None` when it is not
/// all there or no hello. The TLS library judges the hello itself; this only reads it.
pub(super) fn fingerprint(records: &[u8]) -> Option<String> {
    let hello = Hello::parse(&handshake_bytes(records))?;
    Some(format!(
        "{}_{}_{}",
        hello.summary(),
        hello.cipher_hash(),
        hello.extension_hash()
    ))
}

/// The content of the handshake records.
fn handshake_bytes(mut records: &[u8]) -> Vec<u8> {
    let mut content = Vec::new();
    while let [22, _, _, high, low, rest @ ..] = records {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let (fragment, after) = rest.split_at(length.min(rest.len()));
        content.extend_from_slice(fragment);
        records = after;
    }
    content
}

/// Reads big-endian numbers and length-prefixed runs.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self, bytes: usize) -> Option<usize> {
        Some(
            self.take(bytes)?
                .iter()
                .fold(0, |number, byte| number << 8 | usize::from(*byte)),
        )
    }

    /// A run whose length stands before it, in this many bytes.
    fn run(&mut self, length_bytes: usize) -> Option<Reader<'a>> {
        let length = self.number(length_bytes)?;
        self.take(length).map(Reader)
    }

    fn numbers(mut self) -> Vec<u16> {
        std::iter::from_fn(|| self.number(2).map(|number| number as u16))
            .filter(|number| !is_grease(*number))
            .collect()
    }
}

/// Values that clients send to keep servers tolerant (RFC 8701).
fn is_grease(number: u16) -> bool {
    let [high, low] = number.to_be_bytes();
    high == low && low & 0x0f == 0x0a
}

impl Hello {
    fn parse(handshake: &[u8]) -> Option<Self> {
        let mut message = Reader(handshake);
        if message.number(1)? != 1 {
            return None;
        }
        let mut body = message.run(3)?;
        let mut hello = Self {
            legacy_version: body.number(2)? as u16,
            ..Self::default()
        };
        body.take(32)?;
        body.run(1)?;
        hello.ciphers = body.run(2)?.numbers();
        body.run(1)?;
        let mut extensions = body.run(2).unwrap_or(Reader(&[]));
        while let Some(kind) = extensions.number(2) {
            let content = extensions.run(2)?;
            hello.take_extension(kind as u16, content);
        }
        Some(hello)
    }

    fn take_extension(&mut self, kind: u16, mut content: Reader<'_>) {
        if is_grease(kind) {
            return;
        }
        self.extensions.push(kind);
        match kind {
            SIGNATURE_ALGORITHMS => {
                self.signature_algorithms = content.run(2).map_or_else(Vec::new, Reader::numbers);
            }
            SUPPORTED_VERSIONS => {
                self.versions = content.run(1).map_or_else(Vec::new, Reader::numbers);
            }
            ALPN => {
                let first = content.run(2).and_then(|mut names| names.run(1));
                self.alpn = first.map(|name| name.0.to_vec());
            }
            _ => {}
        }
    }

    fn summary(&self) -> String {
        let version = self
            .versions
            .iter()
            .max()
            .copied()
            .unwrap_or(self.legacy_version);
        let version = match version {
            0x0304 => "13",
            0x0303 => "12",
            0x0302 => "11",
            0x0301 => "10",
            _ => "00",
        };
        let named = if self.extensions.contains(&SERVER_NAME) {
            'd'
        } else {
            'i'
        };
        let (ciphers, extensions) = (self.ciphers.len().min(99), self.extensions.len().min(99));
        let alpn = match self.alpn.as_deref() {
            Some([first, .., last]) => ends(*first, *last),
            Some([only]) => ends(*only, *only),
            Some([]) | None => "00".to_owned(),
        };
        format!("t{version}{named}{ciphers:02}{extensions:02}{alpn}")
    }

    fn cipher_hash(&self) -> String {
        hash(&sorted_hex(self.ciphers.clone()))
    }

    fn extension_hash(&self) -> String {
        let others = self
            .extensions
            .iter()
            .filter(|kind| !matches!(**kind, SERVER_NAME | ALPN));
        let mut text = sorted_hex(others.copied().collect());
        if !self.signature_algorithms.is_empty() {
            text.push('_');
            text.push_str(&hex(&self.signature_algorithms));
        }
        hash(&text)
    }
}

/// The first and last character of a protocol's name; in hexadecimal where they are no text.
fn ends(first: u8, last: u8) -> String {
    if first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric() {
        return [first, last].map(char::from).iter().collect();
    }
    format!("{:x}{:x}", first >> 4, last & 15)
}

fn sorted_hex(mut numbers: Vec<u16>) -> String {
    numbers.sort_unstable();
    hex(&numbers)
}

fn hex(numbers: &[u16]) -> String {
    let digits: Vec<String> = numbers
        .iter()
        .map(|number| format!("{number:04x}"))
        .collect();
    digits.join(",")
}

/// The first twelve digits of the SHA-256; zeroes for nothing.
fn hash(text: &str) -> String {
    if text.is_empty() {
        return "0".repeat(12);
    }
    let digest = digest(&SHA256, text.as_bytes());
    digest
        .as_ref()
        .iter()
        .take(6)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the published description.
    fn example() -> Hello {
        let numbers = |text: &str| -> Vec<u16> {
            text.split(',')
                .map(|one| u16::from_str_radix(one, 16).unwrap())
                .collect()
        };
        Hello {
            legacy_version: 0x0303,
            ciphers: numbers(
                "1301,1302,1303,c02b,c02f,c02c,c030,cca9,cca8,c013,c014,009c,009d,002f,0035",
            ),
            extensions: numbers(
                "001b,0000,0033,0010,4469,0017,002d,000d,0005,0023,0012,002b,ff01,000b,000a,0015",
            ),
            signature_algorithms: numbers("0403,0804,0401,0503,0805,0501,0806,0601"),
            versions: numbers("0304,0303"),
            alpn: Some(b"h2".to_vec()),
        }
    }

    #[test]
    fn the_published_example_comes_out() {
        let hello = example();
        assert_eq!(hello.summary(), "t13d1516h2");
        assert_eq!(hello.cipher_hash(), "8daaf6152771");
        assert_eq!(hello.extension_hash(), "e5627efa2ab1");
    }

    /// A hello with one GREASE value in each list, in two records.
    fn records() -> Vec<u8> {
        let mut body = vec![3, 3];
        body.extend_from_slice(&[7; 32]);
        body.push(0);
        body.extend_from_slice(&[0, 4, 0x1a, 0x1a, 0x13, 0x01]);
        body.extend_from_slice(&[1, 0]);
        let extensions = [
            0x2a, 0x2a, 0, 0, // GREASE
            0, 0x2b, 0, 3, 2, 3, 4, // supported_versions: 1.3
            0, 0x0d, 0, 4, 0, 2, 4, 3, // signature_algorithms: ecdsa_secp256r1_sha256
        ];
        body.extend_from_slice(&[0, extensions.len() as u8]);
        body.extend_from_slice(&extensions);
        let mut handshake = vec![1, 0, 0, body.len() as u8];
        handshake.extend_from_slice(&body);
        let (first, second) = handshake.split_at(20);
        let record = |part: &[u8]| [&[22, 3, 1, 0, part.len() as u8], part].concat();
        [record(first), record(second)].concat()
    }

    #[test]
    fn hellos_are_read_across_records_and_without_grease() {
        let expected = format!("t13i010200_{}_{}", hash("1301"), hash("000d,002b_0403"));
        assert_eq!(fingerprint(&records()), Some(expected));
    }

    #[test]
    fn what_is_cut_or_no_hello_has_none() {
        let records = records();
        for length in 0..records.len() {
            assert_eq!(fingerprint(&records[..length]), None, "{length}");
        }
        assert_eq!(fingerprint(b"GET / HTTP/1.1\r\n\r\n"), None);
    }
}
