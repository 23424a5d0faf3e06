//! Reads one HTTP/1.1 response, and refuses whatever is not exactly what was asked for.

/// A head longer than this is no head that any proxy here would send.
const HEAD_BYTES_AT_MOST: usize = 16 * 1024;
const HEADERS_AT_MOST: usize = 32;

/// Where a response stands. Heads almost always come whole; a partial one is kept.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Response {
    Head(Vec<u8>),
    Body { left: u64 },
}

impl Response {
    pub(super) fn new() -> Self {
        Self::Head(Vec::new())
    }

    /// Takes the next bytes; true when the response is whole.
    pub(super) fn feed(&mut self, bytes: &[u8], body_bytes: u64) -> Result<bool, String> {
        let received = match self {
            Self::Body { .. } => bytes.len(),
            Self::Head(partial) if partial.is_empty() => match head_length(bytes, body_bytes)? {
                Some(head) => bytes.len() - head,
                None => return keep(partial, bytes),
            },
            Self::Head(partial) => {
                let before = partial.len();
                keep(partial, bytes)?;
                match head_length(partial, body_bytes)? {
                    // The part that was kept held no whole head, so the head ends in `bytes`.
                    Some(head) => bytes.len() - head.saturating_sub(before),
                    None => return Ok(false),
                }
            }
        };
        if matches!(self, Self::Head(_)) {
            *self = Self::Body { left: body_bytes };
        }
        let Self::Body { left } = self else {
            return Ok(false);
        };
        *left = left
            .checked_sub(received as u64)
            .ok_or_else(|| format!("{received} bytes where at most {left} were left"))?;
        Ok(*left == 0)
    }
}

fn keep(partial: &mut Vec<u8>, bytes: &[u8]) -> Result<bool, String> {
    if partial.len() + bytes.len() > HEAD_BYTES_AT_MOST {
        return Err(format!(
            "a response head of more than {HEAD_BYTES_AT_MOST} bytes"
        ));
    }
    partial.extend_from_slice(bytes);
    Ok(false)
}

/// The head's length once it is whole: a 200 with the expected Content-Length, nothing else.
fn head_length(bytes: &[u8], body_bytes: u64) -> Result<Option<usize>, String> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_AT_MOST];
    let mut response = httparse::Response::new(&mut headers);
    let head = match response.parse(bytes) {
        Ok(httparse::Status::Complete(head)) => head,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(error) => return Err(format!("a malformed response head: {error}")),
    };
    let code = response.code.unwrap_or_default();
    if code != 200 {
        return Err(format!("status {code}"));
    }
    let mut length = None;
    for header in response.headers.iter() {
        if header.name.eq_ignore_ascii_case("content-length") {
            let value = std::str::from_utf8(header.value).unwrap_or_default();
            if length.replace(value.parse::<u64>()).is_some() {
                return Err("two Content-Length headers".to_owned());
            }
        } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
            return Err("a Transfer-Encoding where a Content-Length was expected".to_owned());
        }
    }
    match length {
        Some(Ok(length)) if length == body_bytes => Ok(Some(head)),
        Some(Ok(length)) => Err(format!("Content-Length {length}, expected {body_bytes}")),
        _ => Err("no readable Content-Length".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\nx: y\r\n\r\nabcd";

    fn whole(bytes: &[u8]) -> Result<bool, String> {
        Response::new().feed(bytes, 4)
    }

    #[test]
    fn a_response_is_whole_when_its_last_byte_is_in_wherever_it_is_cut() {
        assert_eq!(whole(GOOD), Ok(true));
        for cut in 1..GOOD.len() {
            let mut response = Response::new();
            assert_eq!(response.feed(&GOOD[..cut], 4), Ok(false), "cut at {cut}");
            assert_eq!(response.feed(&GOOD[cut..], 4), Ok(true), "cut at {cut}");
        }
    }

    #[test]
    fn a_response_byte_by_byte_is_the_same_response() {
        let mut response = Response::new();
        for (at, byte) in GOOD.iter().enumerate() {
            let last = at + 1 == GOOD.len();
            assert_eq!(response.feed(&[*byte], 4), Ok(last), "byte {at}");
        }
    }

    #[test]
    fn whatever_was_not_asked_for_is_an_error() {
        for (bytes, why) in [
            (
                &b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 4\r\n\r\nabcd"[..],
                "status 502",
            ),
            (
                b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nabcde",
                "Content-Length 5",
            ),
            (b"HTTP/1.1 200 OK\r\n\r\nabcd", "no readable"),
            (
                b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nabcde",
                "5 bytes where",
            ),
            (
                b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
                "Transfer-Encoding",
            ),
            (
                b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\ncontent-length: 4\r\n\r\n",
                "two",
            ),
            (b"nonsense\r\n\r\n", "malformed"),
        ] {
            let error = whole(bytes).expect_err(why);
            assert!(error.contains(why), "{error} should say {why}");
        }
    }

    #[test]
    fn a_head_without_an_end_is_given_up() {
        let mut response = Response::new();
        let filler = [b'x'; 1024];
        assert_eq!(response.feed(b"HTTP/1.1 200 OK\r\nlong: ", 4), Ok(false));
        let fed = (0..64).try_for_each(|_| response.feed(&filler, 4).map(drop));
        assert!(fed.expect_err("unbounded").contains("more than 16384"));
    }
}
