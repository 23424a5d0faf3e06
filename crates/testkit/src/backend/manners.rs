//! How a backend behaves towards those that talk to it.

use std::time::Duration;

/// The most bytes that any flood sends before it gives up: it must outlast every bound of a
/// gateway, and not a whole test run.
pub const FLOOD_LIMIT: u64 = 1024 * 1024 * 1024;

/// What a backend does with a request, or with whoever wants to send one.
///
/// Unless said otherwise a backend reads the whole request first, sends `100 Continue` when asked
/// to, answers HEAD without a body, and keeps the connection open if the client does.
///
/// [`Manners::Refused`], [`Manners::SynBlackHole`], [`Manners::NeverReads`],
/// [`Manners::CloseOnAccept`], [`Manners::ResetOnAccept`] and [`Manners::SpeakFirst`] act before
/// there is a request: they cannot be inside of another, nor belong to a path.
#[derive(Clone, Debug)]
pub enum Manners {
    // Well-behaved.
    /// 200 with a JSON object: `backend` (the name), `method`, `target`, `version`, `headers` (a
    /// list of pairs in order), `body_length`, `connection`, `ordinal`.
    Echo,
    /// 200 with the backend's name as plain text.
    Named,
    /// The status given, with a short text for a body.
    Status(u16),
    /// Exactly this status, these headers and this body; framing headers are added.
    Fixed {
        /// The status, 200 to 999.
        status: u16,
        /// Header names and values, sent first and in order.
        headers: Vec<(String, String)>,
        /// The body.
        body: Vec<u8>,
    },
    /// 200, chunked: one chunk per element, then the trailers.
    Chunked {
        /// The chunks; empty ones are left out, as one would end the body.
        chunks: Vec<Vec<u8>>,
        /// Trailer names and values.
        trailers: Vec<(String, String)>,
    },
    /// 200 without any length: the body ends where the connection does.
    CloseDelimited {
        /// The body.
        body: Vec<u8>,
    },
    /// An HTTP/1.0 answer, after which the connection is closed.
    Http10 {
        /// The body.
        body: Vec<u8>,
        /// Whether Content-Length is sent; the body ends with the connection otherwise.
        with_length: bool,
    },
    /// 200 with `bytes` bytes of [`pattern`].
    Large {
        /// The length of the body in bytes.
        bytes: u64,
        /// Chunked, or with Content-Length.
        chunked: bool,
    },
    /// 200 with `bytes` bytes of [`pattern`], which end where the connection does.
    LargeUntilClose {
        /// The length of the body in bytes.
        bytes: u64,
    },
    /// 200 with Content-Length: the head at once, and the body `step` bytes at a time.
    DribbleBody {
        /// The body.
        body: Vec<u8>,
        /// The bytes of one send; at least 1.
        step: usize,
        /// The time before each send.
        interval: Duration,
    },
    /// Sends an interim answer `times` times, then goes on as `then`.
    Interim {
        /// 100 to 199, for instance 103 for early hints.
        status: u16,
        /// Its headers.
        headers: Vec<(String, String)>,
        /// How often.
        times: u32,
        /// What follows.
        then: Box<Manners>,
    },
    /// 101 to a request with an Upgrade header, with `greeting` in the same write, and then all
    /// bytes back as they come (no WebSocket frames, no Sec-WebSocket-Accept); 426 to others.
    Upgrade {
        /// What is sent at once after the 101.
        greeting: Vec<u8>,
    },
    /// These bytes after a request, whatever they are.
    StaticBytes {
        /// The bytes.
        bytes: Vec<u8>,
        /// Whether the connection is closed after them.
        close: bool,
    },

    // Combined.
    /// Waits, then goes on as `then`. One who leaves meanwhile is noticed only afterwards.
    Slow {
        /// How long, from the end of the request.
        delay: Duration,
        /// What follows.
        then: Box<Manners>,
    },
    /// Goes on as `then`, but sends only `step` bytes at a time.
    Dribble {
        /// The bytes of one send; at least 1.
        step: usize,
        /// The time between two sends.
        interval: Duration,
        /// What is sent so slowly.
        then: Box<Manners>,
    },
    /// The n-th request (of the backend, or of the path) gets the n-th manners, all later ones
    /// the last. At least one.
    Sequence(Vec<Manners>),
    /// `first` for the first request of a connection, `later` for all others on it.
    OnReuse {
        /// For a fresh connection.
        first: Box<Manners>,
        /// For a reused one.
        later: Box<Manners>,
    },

    // Rude: nobody there.
    /// Nobody listens. The port is bound all the while, and each connect is refused at once. Nobody
    /// else can listen there either, if the system chose the port; a port of the caller's choosing
    /// could be taken by a process that sets SO_REUSEADDR.
    Refused,
    /// A listener whose queue is full and is never emptied: the kernel drops each SYN, and a
    /// connect neither succeeds nor fails. By Linux's rules for full queues; elsewhere unknown.
    SynBlackHole,

    // Rude: before a request.
    /// Accepts and reads nothing, so that a sender fills the buffers and then waits.
    NeverReads,
    /// Accepts and closes.
    CloseOnAccept,
    /// Accepts and resets.
    ResetOnAccept,
    /// Sends these bytes as soon as a connection (its TLS included) stands, then behaves as
    /// [`Manners::Echo`].
    SpeakFirst(Vec<u8>),

    // Rude: instead of an answer.
    /// Reads requests and never answers, until the client leaves.
    BlackHole,
    /// Reads the request, then closes, in good order.
    CloseBeforeAnswer,
    /// Reads the request, then resets the connection.
    ResetBeforeAnswer,
    /// Answers as soon as the head is there, without `100 Continue` and without reading the body,
    /// with `Connection: close`; what comes within a second after is read and thrown away.
    EarlyAnswer {
        /// The status of the answer.
        status: u16,
    },
    /// Answers a request that asks for `100 Continue` only after its body came anyway.
    IgnoreExpect {
        /// What follows.
        then: Box<Manners>,
    },

    // Rude: half an answer.
    /// Sends part of a head, then closes.
    CloseMidHead,
    /// Sends `sent` bytes of a body of `promised`, then closes (behind TLS without a goodbye).
    CloseMidAnswer {
        /// Bytes of body that are sent.
        sent: usize,
        /// The Content-Length; none means chunked, without the last chunk.
        promised: Option<u64>,
    },
    /// As [`Manners::CloseMidAnswer`], but the connection is reset.
    ResetMidAnswer {
        /// Bytes of body that are sent.
        sent: usize,
        /// The Content-Length; none means chunked, without the last chunk.
        promised: Option<u64>,
    },

    /// Sends part of a head, then resets the connection.
    ResetMidHead,
    /// Sends part of a head, then nothing until the client leaves.
    SilenceMidHead,
    /// Sends `sent` bytes of a body of `promised`, then nothing until the client leaves.
    SilenceMidAnswer {
        /// Bytes of body that are sent.
        sent: usize,
        /// The Content-Length; none means chunked, without the last chunk.
        promised: Option<u64>,
    },

    // Rude: a bad answer.
    /// Bytes that are no HTTP, then closes.
    Garbage,
    /// Something without an end: until the client leaves, or [`FLOOD_LIMIT`].
    Flood(Flood),
    /// A whole answer with Content-Length, and bytes beyond it.
    ExcessBytes {
        /// The body that Content-Length counts.
        body: Vec<u8>,
        /// What follows it.
        excess: Vec<u8>,
        /// How long after the answer; zero means in the same write.
        after: Duration,
    },
    /// Both Content-Length and Transfer-Encoding: chunked, over a valid chunked body.
    BothFramings,
    /// Two Content-Lengths that differ; the body has the first.
    TwoContentLengths,
    /// A chunk size that is no number, after a good first chunk.
    BadChunkSize,
}

/// What a [`Manners::Flood`] consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flood {
    /// Header after header.
    Headers,
    /// One header whose value does not end.
    OneHeader,
    /// Interim answers (102).
    Interim,
    /// A body that ends with the connection.
    Body,
    /// A body whose Content-Length is a number of 19 digits.
    LongBody,
    /// Chunk after chunk.
    Chunks,
    /// The extension of one chunk.
    ChunkExtension,
    /// Trailer after trailer.
    Trailers,
}

impl Manners {
    /// 200 with this text and no more.
    pub fn text(body: &str) -> Self {
        let headers = vec![("Content-Type".to_owned(), "text/plain".to_owned())];
        Self::Fixed {
            status: 200,
            headers,
            body: body.as_bytes().to_vec(),
        }
    }

    /// 200 with a page that no health check is looking for.
    pub fn wrong_body() -> Self {
        Self::text("Under maintenance, please come back later.")
    }

    /// 301, 302 or another redirect to `location`, without a body.
    pub fn redirect(status: u16, location: &str) -> Self {
        Self::Fixed {
            status,
            headers: vec![("Location".to_owned(), location.to_owned())],
            body: Vec::new(),
        }
    }

    /// 200, chunked, with at most `size` bytes of `body` in each chunk.
    ///
    /// # Panics
    ///
    /// When `size` is 0.
    pub fn in_chunks_of(size: usize, body: &[u8]) -> Self {
        Self::Chunked {
            chunks: body.chunks(size).map(<[u8]>::to_vec).collect(),
            trailers: Vec::new(),
        }
    }

    /// A body without a head, as in HTTP/0.9; then the connection is closed.
    pub fn http09(body: &str) -> Self {
        Self::StaticBytes {
            bytes: body.as_bytes().to_vec(),
            close: true,
        }
    }

    /// What a server that speaks HTTP/2 only says to a request in HTTP/1.1: its settings, and
    /// goodbye for the error PROTOCOL_ERROR (RFC 9113 §3.4 and §6.8).
    pub fn http2_only() -> Self {
        // Frames: length (3 bytes), type, flags, stream (4 bytes).
        let settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
        let goaway = [0, 0, 8, 7, 0, 0, 0, 0, 0];
        let (last_stream, protocol_error) = ([0, 0, 0, 0], [0, 0, 0, 1]);
        Self::StaticBytes {
            bytes: [settings.as_slice(), &goaway, &last_stream, &protocol_error].concat(),
            close: true,
        }
    }

    /// The words with which a client of HTTP/2 begins (RFC 9113 §3.4), from a server; then the
    /// connection is closed.
    pub fn http2_preface() -> Self {
        Self::StaticBytes {
            bytes: b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
            close: true,
        }
    }

    /// [`Manners::Slow`].
    pub fn slow(delay: Duration, then: Self) -> Self {
        Self::Slow {
            delay,
            then: Box::new(then),
        }
    }

    /// [`Manners::Dribble`], a byte at a time.
    pub fn dribbling(interval: Duration, then: Self) -> Self {
        Self::Dribble {
            step: 1,
            interval,
            then: Box::new(then),
        }
    }

    /// 103 with a Link header, then `then`.
    pub fn early_hints(then: Self) -> Self {
        let headers = vec![(
            "Link".to_owned(),
            "</style.css>; rel=preload; as=style".to_owned(),
        )];
        Self::Interim {
            status: 103,
            headers,
            times: 1,
            then: Box::new(then),
        }
    }

    /// [`Manners::OnReuse`]: well on a fresh connection, closed unanswered on a reused one.
    pub fn closing_when_reused() -> Self {
        let (first, later) = (Box::new(Self::Echo), Box::new(Self::CloseBeforeAnswer));
        Self::OnReuse { first, later }
    }

    /// # Panics
    ///
    /// When these manners cannot be, as [`Manners`] says.
    pub(crate) fn check(&self, is_outermost: bool) {
        if !is_outermost {
            assert!(
                !self.acts_before_requests(),
                "{self:?} cannot be inside of other manners"
            );
        }
        match self {
            Self::Status(status) | Self::Fixed { status, .. } | Self::EarlyAnswer { status } => {
                assert!((200..=999).contains(status), "{status} is no final status");
            }
            Self::Interim { status, then, .. } => {
                assert!(
                    (100..=199).contains(status),
                    "{status} is no interim status"
                );
                then.check(false);
            }
            Self::Slow { then, .. } | Self::IgnoreExpect { then } => then.check(false),
            Self::Dribble { step, then, .. } => {
                assert!(*step > 0, "a dribble moves at least one byte");
                then.check(false);
            }
            Self::DribbleBody { step, .. } => {
                assert!(*step > 0, "a dribble moves at least one byte");
            }
            Self::Sequence(all) => {
                assert!(!all.is_empty(), "a sequence has at least one member");
                all.iter().for_each(|manners| manners.check(false));
            }
            Self::OnReuse { first, later } => {
                first.check(false);
                later.check(false);
            }
            _ => {}
        }
    }

    fn acts_before_requests(&self) -> bool {
        matches!(
            self,
            Self::Refused
                | Self::SynBlackHole
                | Self::NeverReads
                | Self::CloseOnAccept
                | Self::ResetOnAccept
                | Self::SpeakFirst(_)
        )
    }
}

/// When a backend closes a connection that both sides would keep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeepAlive {
    /// Never.
    #[default]
    Forever,
    /// With the n-th answer, which says `Connection: close`; `Polite(1)` for no reuse at all.
    Polite(u64),
    /// After the n-th answer, which says nothing of it.
    Rude(u64),
}

/// The first `length` bytes of the pattern that [`Manners::Large`] sends: byte i is i modulo 251,
/// a prime, so that no power of two hides a shift.
pub fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(pattern_byte).collect()
}

fn pattern_byte(index: usize) -> u8 {
    u8::try_from(index % 251).expect("less than 251")
}

/// A body of `length` bytes of filler, a dot for each, with `text` at `offset`.
///
/// # Panics
///
/// When the text would reach beyond the end.
pub fn body_with(text: &str, offset: usize, length: usize) -> Vec<u8> {
    let mut body = vec![b'.'; length];
    body[offset..offset + text.len()].copy_from_slice(text.as_bytes());
    body
}
