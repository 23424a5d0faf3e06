//! Takes chunked bodies apart. The payload is moved together at the front of the buffer, so that
//! it leaves again as one piece, in chunks of our own.

use super::names::is_token_byte;

/// Longest chunk-size line, extensions included, in bytes.
const SIZE_LINE_BYTES_MAX: usize = 256;
/// Trailer sections longer than this are refused, in bytes. Trailers are dropped, not forwarded.
const TRAILER_BYTES_MAX: usize = 8 * 1024;

/// The body breaks the rules of chunked coding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ChunkedError;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// In the digits of a size; with how many there were.
    Size {
        digits: u8,
    },
    /// In the blanks between a size and its extensions, or the line's end.
    Blank,
    /// In what stands behind a size: extensions, skipped.
    Extension,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    /// At the start of a trailer line, or of the last empty one.
    TrailerStart,
    TrailerName,
    TrailerValue,
    TrailerLf,
    LastLf,
    Done,
}

/// Where in a chunked body the next byte belongs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ChunkedDecoder {
    state: State,
    /// Of the current chunk: its size while in `Size`, what is left of it while in `Data`.
    remaining: u64,
    line_bytes: usize,
    trailer_bytes: usize,
}

/// What a call to [`ChunkedDecoder::decode`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Decoded {
    /// Bytes of payload, now at the front of the buffer.
    pub(crate) payload: usize,
    /// Bytes of the buffer that belonged to the body; the rest is what follows it.
    pub(crate) consumed: usize,
}

impl Default for ChunkedDecoder {
    fn default() -> Self {
        let state = State::Size { digits: 0 };
        Self {
            state,
            remaining: 0,
            line_bytes: 0,
            trailer_bytes: 0,
        }
    }
}

impl ChunkedDecoder {
    pub(crate) fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Takes as much of `buffer` as belongs to the body and moves its payload to the front.
    ///
    /// # Errors
    /// When the bytes are no chunked body: nothing of the buffer may be used then.
    pub(crate) fn decode(&mut self, buffer: &mut [u8]) -> Result<Decoded, ChunkedError> {
        let (mut at, mut payload) = (0, 0);
        while at < buffer.len() && self.state != State::Done {
            if self.state == State::Data {
                let available = (buffer.len() - at) as u64;
                let length = self.remaining.min(available) as usize;
                buffer.copy_within(at..at + length, payload);
                at += length;
                payload += length;
                self.remaining -= length as u64;
                if self.remaining == 0 {
                    self.state = State::DataCr;
                }
            } else {
                self.state = self.step(buffer[at])?;
                at += 1;
            }
        }
        Ok(Decoded {
            payload,
            consumed: at,
        })
    }

    fn step(&mut self, byte: u8) -> Result<State, ChunkedError> {
        match (self.state, byte) {
            (State::Size { digits }, _) => self.size_byte(digits, byte),
            (State::Extension | State::Blank, b'\r') => Ok(State::SizeLf),
            // Nothing but extensions may follow a size: in `4 2` each number could be the size.
            (State::Blank, b'\t' | b' ' | b';') => {
                self.count_line_byte()?;
                Ok(after_size(byte))
            }
            (State::Extension, b'\t' | b' '..=b'~' | 0x80..) => {
                self.count_line_byte()?;
                Ok(State::Extension)
            }
            (State::SizeLf, b'\n') if self.remaining == 0 => Ok(State::TrailerStart),
            (State::SizeLf, b'\n') => Ok(State::Data),
            (State::DataCr, b'\r') => Ok(State::DataLf),
            (State::DataLf, b'\n') => {
                self.line_bytes = 0;
                Ok(State::Size { digits: 0 })
            }
            (State::TrailerStart, b'\r') => Ok(State::LastLf),
            // A field and nothing else: a reader that knows of no trailers would take the line
            // for the next request.
            (State::TrailerStart | State::TrailerName, _) if is_token_byte(byte) => {
                self.count_trailer_byte()?;
                Ok(State::TrailerName)
            }
            (State::TrailerName, b':') => {
                self.count_trailer_byte()?;
                Ok(State::TrailerValue)
            }
            (State::TrailerValue, b'\t' | b' '..=b'~' | 0x80..) => {
                self.count_trailer_byte()?;
                Ok(State::TrailerValue)
            }
            (State::TrailerValue, b'\r') => Ok(State::TrailerLf),
            (State::TrailerLf, b'\n') => Ok(State::TrailerStart),
            (State::LastLf, b'\n') => Ok(State::Done),
            _ => Err(ChunkedError),
        }
    }

    fn size_byte(&mut self, digits: u8, byte: u8) -> Result<State, ChunkedError> {
        self.count_line_byte()?;
        if let Some(digit) = char::from(byte).to_digit(16) {
            if digits == 0 {
                self.remaining = 0;
            }
            // 15 digits stay below 2^60: no overflow, and no leading zeroes without end.
            if digits >= 15 {
                return Err(ChunkedError);
            }
            self.remaining = self.remaining * 16 + u64::from(digit);
            return Ok(State::Size { digits: digits + 1 });
        }
        match byte {
            _ if digits == 0 => Err(ChunkedError),
            b'\r' => Ok(State::SizeLf),
            b';' | b' ' | b'\t' => Ok(after_size(byte)),
            _ => Err(ChunkedError),
        }
    }

    fn count_line_byte(&mut self) -> Result<(), ChunkedError> {
        self.line_bytes += 1;
        if self.line_bytes > SIZE_LINE_BYTES_MAX {
            Err(ChunkedError)
        } else {
            Ok(())
        }
    }

    fn count_trailer_byte(&mut self) -> Result<(), ChunkedError> {
        self.trailer_bytes += 1;
        if self.trailer_bytes > TRAILER_BYTES_MAX {
            Err(ChunkedError)
        } else {
            Ok(())
        }
    }
}

/// What a byte behind a size begins, when it is a blank or a semicolon.
fn after_size(byte: u8) -> State {
    if byte == b';' {
        State::Extension
    } else {
        State::Blank
    }
}

/// The line that opens a chunk: the size in hexadecimal and CRLF.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ChunkOpening {
    text: [u8; 18],
    start: usize,
}

impl ChunkOpening {
    pub(crate) fn new(size: usize) -> Self {
        let mut text = [0; 18];
        text[16..].copy_from_slice(b"\r\n");
        let (mut start, mut rest) = (16, size);
        loop {
            start -= 1;
            text[start] = b"0123456789abcdef"[rest & 15];
            rest >>= 4;
            if rest == 0 {
                return Self { text, start };
            }
        }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.text[self.start..]
    }
}

/// What ends a chunked body that has no trailers.
pub(crate) const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

#[cfg(test)]
mod tests {
    use super::*;

    /// Decodes `input` in pieces of `step` bytes; the payload and what follows the body.
    fn decode(input: &[u8], step: usize) -> Result<(Vec<u8>, usize, bool), ChunkedError> {
        let mut decoder = ChunkedDecoder::default();
        let (mut payload, mut consumed) = (Vec::new(), 0);
        for piece in input.chunks(step) {
            let mut buffer = piece.to_vec();
            let decoded = decoder.decode(&mut buffer)?;
            payload.extend_from_slice(&buffer[..decoded.payload]);
            consumed += decoded.consumed;
        }
        Ok((payload, consumed, decoder.is_done()))
    }

    #[test]
    fn bodies_decode_whatever_their_pieces() {
        let input = b"4 \r\nWiki\r\n5\t ;ext=\"1\"\r\npedia\r\n0\r\nTrailer: x\r\n\r\nNEXT";
        for step in 1..input.len() {
            let (payload, consumed, done) = decode(input, step).unwrap();
            assert_eq!((payload.as_slice(), done), (&b"Wikipedia"[..], true));
            assert_eq!(consumed, input.len() - 4);
        }
    }

    #[test]
    fn what_two_readers_could_take_differently_is_refused() {
        for bad in [
            "\r\n",
            "g\r\n",
            "+4\r\nWiki\r\n",
            "0x4\r\n",
            "4\nWiki\r\n",
            "4\r\nWikiX",
            "-1\r\n",
            "4\r\nWiki\n0\r\n\r\n",
            "4;a\nb\r\n",
            "4;\0\r\n",
            "ffffffffffffffff\r\n",
            "4\rWiki",
            "0\r\nA: b\n\r\n",
            "0\r\n\n",
            "0000000000000000\r\n",
            " 4\r\n",
            "4 2\r\n",
            "4\tx;a\r\n",
            "0\r\nGET / HTTP/1.1\r\n",
            "0\r\nA : b\r\n",
            "0\r\n: b\r\n",
            "0\r\n b\r\n",
            "0\r\nA\r\n",
        ] {
            assert_eq!(decode(bad.as_bytes(), 64), Err(ChunkedError), "{bad:?}");
        }
    }

    #[test]
    fn lines_and_trailers_are_bounded() {
        let extension = format!("4;{}\r\n", "x".repeat(SIZE_LINE_BYTES_MAX));
        assert_eq!(decode(extension.as_bytes(), 4096), Err(ChunkedError));
        let trailers = format!("0\r\n{}", "a: b\r\n".repeat(TRAILER_BYTES_MAX / 4 + 1));
        assert_eq!(decode(trailers.as_bytes(), 4096), Err(ChunkedError));
    }

    #[test]
    fn openings_are_hexadecimal() {
        assert_eq!(ChunkOpening::new(0).as_bytes(), b"0\r\n");
        assert_eq!(ChunkOpening::new(0x1f3a).as_bytes(), b"1f3a\r\n");
        assert_eq!(
            ChunkOpening::new(usize::MAX).as_bytes(),
            b"ffffffffffffffff\r\n"
        );
    }
}
