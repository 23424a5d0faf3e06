//! Finds the end of a head in bytes that arrive piece by piece, and refuses bare CR and LF on the
//! way: every line of a head ends with CRLF.

/// What a scan found so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scan {
    /// The head has this many bytes, its empty line included.
    Complete(usize),
    /// The end is not there yet.
    Partial,
    /// A line ends with a bare LF, or has a bare CR in it.
    BareLineEnd,
}

/// Remembers how far a head has been scanned.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct HeadScanner {
    scanned: usize,
    line_start: usize,
}

impl HeadScanner {
    /// Looks at the bytes of `head` that were not there at the last call; the earlier ones must be
    /// the same.
    pub(crate) fn scan(&mut self, head: &[u8]) -> Scan {
        let fresh = head.get(self.scanned..).unwrap_or_default();
        for offset in memchr::memchr_iter(b'\n', fresh) {
            let line_feed = self.scanned + offset;
            let line = &head[self.line_start..line_feed];
            let Some(text) = line.strip_suffix(b"\r") else {
                return Scan::BareLineEnd;
            };
            if text.is_empty() {
                return Scan::Complete(line_feed + 1);
            }
            if memchr::memchr(b'\r', text).is_some() {
                return Scan::BareLineEnd;
            }
            self.line_start = line_feed + 1;
        }
        self.scanned = head.len();
        Scan::Partial
    }

    /// Whether the first line is complete, and where it ends.
    pub(crate) fn has_first_line(&self) -> bool {
        self.line_start > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(head: &str, expected: Scan) {
        assert_eq!(
            HeadScanner::default().scan(head.as_bytes()),
            expected,
            "{head:?}"
        );
        // Byte by byte, the verdict is the same.
        let mut scanner = HeadScanner::default();
        let mut last = Scan::Partial;
        for length in 1..=head.len() {
            last = scanner.scan(&head.as_bytes()[..length]);
            if last != Scan::Partial {
                break;
            }
        }
        assert_eq!(last, expected, "{head:?} byte by byte");
    }

    #[test]
    fn heads_end_with_an_empty_line() {
        check(
            "GET / HTTP/1.1\r\nHost: a\r\n\r\nbody\nbody",
            Scan::Complete(27),
        );
        check("GET / HTTP/1.1\r\nHost: a\r\n", Scan::Partial);
        check("\r\n", Scan::Complete(2));
    }

    #[test]
    fn bare_line_ends_are_refused() {
        check("GET / HTTP/1.1\nHost: a\r\n\r\n", Scan::BareLineEnd);
        check("GET / HTTP/1.1\r\nHost: a\n\r\n", Scan::BareLineEnd);
        check("GET / HTTP/1.1\r\nA: b\rc\r\n\r\n", Scan::BareLineEnd);
        check("GET / HTTP/1.1\r\nA: b\r\r\n\r\n", Scan::BareLineEnd);
    }
}
