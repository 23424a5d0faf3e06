//! Composes messages at random: mostly right ones, with one thing or another odd about them.

use crate::http::request::{HEADER_BYTES_MAX, TARGET_BYTES_MAX};

/// A generator whose run a seed repeats (xorshift64*).
pub(super) struct Dice {
    state: u64,
}

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        // Zero would stay zero; and seeds that follow each other must not begin alike.
        let state = seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        Self { state }
    }

    fn next(&mut self) -> u64 {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        self.state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    fn one_in(&mut self, odds: usize) -> bool {
        self.below(odds) == 0
    }

    fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }

    /// One of the usual; rarely, one of the odd.
    fn pick_mostly<'a>(&mut self, usual: &[&'a str], odd: &[&'a str]) -> &'a str {
        if self.one_in(24) {
            self.pick(odd)
        } else {
            self.pick(usual)
        }
    }
}

const METHODS: [&str; 6] = ["GET", "GET", "PUT", "POST", "OPTIONS", "HEAD"];
const ODD_METHODS: [&str; 10] = [
    "TRACE", "CONNECT", "get", "M!x", "G(T", "", " GET", "GET ", "PRI", "G\u{e9}T",
];
const TARGETS: [&str; 10] = [
    "/",
    "/a/b",
    "/a?b=c",
    "/?",
    "//a",
    "/%2e%2e/x",
    "http://a.com/x?y",
    "HTTP://A.com",
    "https://a.com:80?x",
    "*",
];
const ODD_TARGETS: [&str; 22] = [
    "",
    "a",
    "a.com:80",
    "/a b",
    "/a#b",
    "/\u{e9}",
    "/a\tb",
    "/a\0b",
    "/{x}",
    "/a\"b",
    "/a?<b>",
    "/a\\b^`|",
    "http://",
    "http:///x",
    "http://b.com/",
    "http://u@a.com/",
    "ftp://a.com/",
    "http://[::1]/",
    "?a",
    "/?a?b",
    "http:/a.com/",
    "http://a.com*",
];
const VERSIONS: [&str; 4] = ["HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.0"];
const ODD_VERSIONS: [&str; 9] = [
    "HTTP/2.0",
    "HTTP/1.2",
    "http/1.1",
    "",
    "HTTP/1.1 ",
    " HTTP/1.1",
    "HTTP/01.1",
    "HTTP/1.1\t",
    "HTTP/0.9",
];
const HOSTS: [&str; 3] = ["a.com", "A.com", "a.com:80"];
const ODD_HOSTS: [&str; 18] = [
    "", "a:b", "a:1:2", "u@a", "a/b", "[::1]", "[::1]:80", "[::1", "[]", "[::1]x", "a b",
    "a:123456", "a:99999", ":80", "a:", "a,b", "_~a", "a%41",
];
const LENGTHS: [&str; 4] = ["0", "3", "5", "12"];
const ODD_LENGTHS: [&str; 18] = [
    "",
    "+5",
    "-5",
    "5, 5",
    "5,5",
    "0x5",
    "5 5",
    "005",
    "000000000000000000005",
    "18446744073709551615",
    "18446744073709551616",
    "4294967296",
    "4294967297",
    "5.0",
    "5;",
    "\u{660}",
    "5,",
    "\u{b}5",
];
const ODD_CODINGS: [&str; 16] = [
    "",
    "identity",
    "gzip, chunked",
    "chunked, chunked",
    "chunked, identity",
    "chunked;q=1",
    "xchunked",
    "chunked,",
    ",chunked",
    "chunked, ,",
    "\"chunked\"",
    "Chunked ",
    "\tchunked",
    "chunked\u{b}",
    "chunke\u{212a}",
    "chunked\t,",
];
const NAMES: [&str; 8] = [
    "Accept",
    "Cookie",
    "X-A",
    "x-a",
    "User-Agent",
    "X_Y",
    "TE",
    "Upgrade",
];
const ODD_NAMES: [&str; 18] = [
    "",
    " A",
    "A ",
    "A\t",
    "A B",
    "A\u{e9}",
    "A\0",
    "(A)",
    "A\"",
    "Content-Length ",
    "Transfer-Encoding ",
    "Transfer-Encoding\0",
    "Transfer\u{2d}Encoding\u{b}",
    "Content_Length",
    "Expect",
    "Authorization",
    "!#$%&'*+-.^_`|~",
    "Connection",
];
const VALUES: [&str; 6] = ["b", "", " b ", "a, b", "websocket", "trailers"];
const ODD_VALUES: [&str; 17] = [
    "\u{e9}",
    "b\0c",
    "b\r\n c",
    "b\r\n\tc",
    "b\rc",
    "b\nc",
    "b\u{7f}",
    "\tb\t",
    "100-continue",
    "100-Continue",
    "more",
    "h2c",
    "close",
    "keep-alive, x",
    "b:c",
    "\u{c}",
    "b\r\n\r\n",
];
const LINE_ENDS: [&str; 1] = ["\r\n"];
const ODD_LINE_ENDS: [&str; 8] = [
    "\n", "\r", "\r\r\n", "\n\r", "\r\n ", "\r\n\r\n", " \r\n", "",
];
const SIZES: [&str; 6] = ["3", "5", "A", "a", "05", "1"];
const ODD_SIZES: [&str; 18] = [
    "",
    "g",
    "+3",
    "-1",
    "0x3",
    " 3",
    "3 ",
    "3\t",
    "3 4",
    "3 ;x",
    "0000000000000003",
    "000000000000003",
    "ffffffffffffffff",
    "10000000000000003",
    "3\u{b}",
    "\u{663}",
    "00",
    "3,",
];
const EXTENSIONS: [&str; 4] = ["", "", "", ";a=b"];
const ODD_EXTENSIONS: [&str; 9] = [
    ";",
    ";a=\"b\r\n\"",
    ";a\nb",
    ";a\rb",
    ";\0",
    ";\u{e9}",
    ";\u{7f}",
    ";a=\"\\\"",
    ";;",
];
const TRAILERS: [&str; 3] = ["A: b", "Expires: 0", "X-A:"];
const ODD_TRAILERS: [&str; 13] = [
    "A b",
    ": b",
    " A: b",
    "A : b",
    "A: b\nB: c",
    "A: \0",
    "A\u{e9}: b",
    "A: \u{e9}",
    "GET / HTTP/1.1",
    "A",
    "Content-Length: 5",
    "A: b\r\n c",
    "A: \u{7f}",
];

/// A request with a body and, perhaps, with what follows it.
pub(super) fn request(dice: &mut Dice) -> Vec<u8> {
    let mut text = String::new();
    if dice.one_in(24) {
        text.push_str(dice.pick(&["\r\n", "\r\n\r\n", "\n", "\r", " ", "\u{feff}"]));
    }
    let method = dice.pick_mostly(&METHODS, &ODD_METHODS);
    text.push_str(method);
    text.push_str(dice.pick_mostly(&[" "], &["  ", "\t", "", "\u{b}"]));
    text.push_str(dice.pick_mostly(&TARGETS, &ODD_TARGETS));
    if dice.one_in(500) {
        text.push_str(&"/a".repeat(TARGET_BYTES_MAX / 2));
    }
    text.push_str(dice.pick_mostly(&[" "], &["  ", "\t", "", "\u{b}"]));
    text.push_str(dice.pick_mostly(&VERSIONS, &ODD_VERSIONS));
    end_line(dice, &mut text);
    if !dice.one_in(32) {
        let host = dice.pick_mostly(&HOSTS, &ODD_HOSTS);
        field(dice, &mut text, "Host", host);
        if dice.one_in(32) {
            field(dice, &mut text, "host", host);
        }
    }
    fields(dice, &mut text);
    lengths(dice, &mut text, matches!(method, "PUT" | "POST"));
    fields(dice, &mut text);
    end_line(dice, &mut text);
    finish(dice, text)
}

/// An answer, perhaps with interim ones before it.
pub(super) fn response(dice: &mut Dice) -> Vec<u8> {
    let mut text = String::new();
    while dice.one_in(8) {
        if dice.one_in(16) {
            text.push_str("\r\n");
        }
        text.push_str(dice.pick(&[
            "HTTP/1.1 100 Continue\r\n\r\n",
            "HTTP/1.1 103 x\r\nA: b\r\n\r\n",
        ]));
    }
    text.push_str(dice.pick_mostly(&VERSIONS, &ODD_VERSIONS));
    text.push_str(dice.pick_mostly(&[" "], &["  ", "\t", ""]));
    text.push_str(dice.pick_mostly(
        &["200", "200", "204", "304", "404", "503"],
        &[
            "101", "199", "599", "600", "999", "099", "20", "2000", "2x0", "",
        ],
    ));
    text.push_str(dice.pick_mostly(
        &[" OK", " Not Found", " ", ""],
        &[
            " \u{e9}", " a\tb", " a\0b", "  OK", " OK ", "\tOK", " a\u{7f}",
        ],
    ));
    end_line(dice, &mut text);
    fields(dice, &mut text);
    let has_length = !dice.one_in(4);
    lengths(dice, &mut text, has_length);
    fields(dice, &mut text);
    end_line(dice, &mut text);
    finish(dice, text)
}

/// Any bytes, of the kinds that parsers look for.
pub(super) fn noise(dice: &mut Dice) -> Vec<u8> {
    let length = dice.below(200);
    let likely = b"\r\n\r\n\r\n: ;,/0123aGET HTTP/1.1chunked\0\x7f\xff\t";
    (0..length)
        .map(|_| match dice.below(4) {
            0 => dice.below(256) as u8,
            _ => likely[dice.below(likely.len())],
        })
        .collect()
}

fn end_line(dice: &mut Dice, text: &mut String) {
    let odd = dice.one_in(6);
    let odd: &[&str] = if odd { &ODD_LINE_ENDS } else { &LINE_ENDS };
    text.push_str(dice.pick_mostly(&LINE_ENDS, odd));
}

fn field(dice: &mut Dice, text: &mut String, name: &str, value: &str) {
    text.push_str(name);
    text.push_str(dice.pick_mostly(&[": ", ":"], &[" :", ":  ", ":\t", "", " ", "::", "\t:"]));
    text.push_str(value);
    end_line(dice, text);
}

fn fields(dice: &mut Dice, text: &mut String) {
    let mut count = dice.below(3);
    if dice.one_in(200) {
        count = 120 + dice.below(16);
    }
    for _ in 0..count {
        let name = dice.pick_mostly(&NAMES, &ODD_NAMES);
        let value = dice.pick_mostly(&VALUES, &ODD_VALUES);
        field(dice, text, name, value);
    }
    match dice.below(400) {
        0 => text.push_str("Connection: Upgrade\r\nUpgrade: websocket, h2c\r\n"),
        1 => text.push_str("Authorization: a\r\nauthorization: a\r\n"),
        2 => text.push_str("Expect: 100-continue\r\n"),
        3 => text.push_str(&format!("A: {}\r\n", "b".repeat(HEADER_BYTES_MAX))),
        _ => {}
    }
}

/// The fields that say how long the body is; now and then too many of them.
fn lengths(dice: &mut Dice, text: &mut String, has_body: bool) {
    let mut count = usize::from(has_body != dice.one_in(16));
    while dice.one_in(16) {
        count += 1;
    }
    let chunks = ["chunked", "chunked", "Chunked"];
    for _ in 0..count {
        let (name, value) = match dice.below(2) {
            0 => (
                dice.pick(&["Content-Length", "content-length"]),
                dice.pick_mostly(&LENGTHS, &ODD_LENGTHS),
            ),
            _ => (
                dice.pick(&["Transfer-Encoding", "transfer-encoding"]),
                dice.pick_mostly(&chunks, &ODD_CODINGS),
            ),
        };
        field(dice, text, name, value);
    }
}

/// A body in chunks, whatever the head says; what follows it; and mishaps on the way.
fn finish(dice: &mut Dice, text: String) -> Vec<u8> {
    let mut bytes = text.into_bytes();
    let head_length = bytes.len();
    for _ in 0..dice.below(4) {
        chunk(dice, &mut bytes);
    }
    bytes.extend_from_slice(
        dice.pick_mostly(&["0", "000"], &["", "0 ", "0;a=b"])
            .as_bytes(),
    );
    bytes.extend_from_slice(dice.pick_mostly(&LINE_ENDS, &ODD_LINE_ENDS).as_bytes());
    while dice.one_in(6) {
        bytes.extend_from_slice(dice.pick_mostly(&TRAILERS, &ODD_TRAILERS).as_bytes());
        bytes.extend_from_slice(dice.pick_mostly(&LINE_ENDS, &ODD_LINE_ENDS).as_bytes());
    }
    bytes.extend_from_slice(dice.pick_mostly(&LINE_ENDS, &ODD_LINE_ENDS).as_bytes());
    if dice.one_in(3) {
        bytes.extend_from_slice(b"GET /next HTTP/1.1\r\nHost: a.com\r\n\r\n");
    }
    if dice.one_in(8) {
        mutate(dice, &mut bytes);
    }
    if dice.one_in(16) {
        bytes.truncate(head_length + dice.below(24));
    }
    bytes
}

fn chunk(dice: &mut Dice, bytes: &mut Vec<u8>) {
    let size = dice.pick_mostly(&SIZES, &ODD_SIZES);
    bytes.extend_from_slice(size.as_bytes());
    bytes.extend_from_slice(dice.pick_mostly(&EXTENSIONS, &ODD_EXTENSIONS).as_bytes());
    if dice.one_in(60) {
        bytes.extend_from_slice(format!(";{}", "x".repeat(dice.below(600))).as_bytes());
    }
    bytes.extend_from_slice(dice.pick_mostly(&LINE_ENDS, &ODD_LINE_ENDS).as_bytes());
    let digits = size.trim_end_matches([' ', '\t']);
    let mut length = usize::from_str_radix(digits, 16).unwrap_or(3).min(16);
    if dice.one_in(24) {
        length = dice.below(16);
    }
    bytes.extend_from_slice(&b"payload, payload"[..length]);
    bytes.extend_from_slice(dice.pick_mostly(&LINE_ENDS, &ODD_LINE_ENDS).as_bytes());
}

/// Cuts, doubles, drops or changes a few bytes anywhere.
fn mutate(dice: &mut Dice, bytes: &mut Vec<u8>) {
    for _ in 0..=dice.below(3) {
        if bytes.is_empty() {
            return;
        }
        let at = dice.below(bytes.len());
        match dice.below(5) {
            0 => bytes.truncate(at),
            1 => bytes[at] = dice.below(256) as u8,
            2 => bytes[at] = b"\r\n \t:;,\0"[dice.below(8)],
            3 => {
                bytes.remove(at);
            }
            _ => {
                let end = bytes.len().min(at + 1 + dice.below(12));
                let piece = bytes[at..end].to_vec();
                bytes.splice(at..at, piece);
            }
        }
    }
}
