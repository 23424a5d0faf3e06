//! The backend's answer on its way to the client.

use std::io::IoSlice;
use std::time::Duration;

use gatewright_telemetry::Failure;

use super::SEND_STALL_MAX;
use super::recording::Recording;
use super::upload::Uploading;
use crate::http::chunked::{ChunkOpening, ChunkedDecoder, LAST_CHUNK};
use crate::http::framing::BodyLength;
use crate::io::{Inbox, Stream, StreamError, Timer};
use crate::time_out::time_out;

/// The beginning of a body up to this length leaves in one piece with the head, in bytes.
const COPIED_BYTES_MAX: usize = 4 * 1024;

/// How a relay failed.
pub(super) enum RelayFailure {
    /// The client takes no more.
    Client(Failure),
    /// There is no more for it: the backend's doing, or that of a limit of ours.
    Answer(Failure),
}

/// The two ends of a relay.
pub(super) struct Relay<'a> {
    pub(super) client: &'a Stream,
    pub(super) backend: &'a Stream,
    /// The backend's inbox: begins with what is there of the body.
    pub(super) inbox: &'a mut Inbox,
    pub(super) timer: &'a Timer,
    /// How long the backend may send nothing within its answer.
    pub(super) patience: Duration,
    pub(super) length: BodyLength,
    /// Whether the body leaves in chunks of our own.
    pub(super) chunked_out: bool,
}

impl Relay<'_> {
    /// Sends `head` and the body behind it. The beginning of a short body is copied to the head's
    /// end: one piece is a cheaper system call than two.
    pub(super) async fn run(
        self,
        head: &mut Vec<u8>,
        uploading: &mut Uploading<'_>,
        recording: &mut Recording,
    ) -> Result<(), RelayFailure> {
        let mut body = Body::new(self.length);
        let mut ended = false;
        let mut first = Some(head);
        loop {
            let part = body.next(self.inbox, ended).map_err(RelayFailure::Answer)?;
            match first.take() {
                Some(head) if part.payload <= COPIED_BYTES_MAX => {
                    self.append(head, &part);
                    let mut pieces = [IoSlice::new(head)];
                    self.send_pieces(&mut pieces, uploading, recording).await?;
                }
                Some(head) => self.send(head, &part, uploading, recording).await?,
                None => self.send(b"", &part, uploading, recording).await?,
            }
            self.inbox.consume(part.consumed);
            if part.is_last {
                return Ok(());
            }
            self.timer.start(self.patience);
            let filled = uploading
                .beside(self.backend.fill(self.inbox, self.timer))
                .await;
            ended = match filled {
                Ok(count) => count == 0,
                Err(StreamError::Broken) => {
                    return Err(RelayFailure::Answer(Failure::BackendBodyClosed));
                }
                Err(StreamError::TimedOut) => {
                    let failure = time_out(self.timer, Failure::BackendBodyTimedOut);
                    return Err(RelayFailure::Answer(failure));
                }
            };
        }
    }

    fn append(&self, text: &mut Vec<u8>, part: &Part) {
        let payload = &self.inbox.bytes()[..part.payload];
        if self.chunked_out && part.payload > 0 {
            text.extend_from_slice(ChunkOpening::new(part.payload).as_bytes());
            text.extend_from_slice(payload);
            text.extend_from_slice(b"\r\n");
        } else {
            text.extend_from_slice(payload);
        }
        if self.chunked_out && part.is_last {
            text.extend_from_slice(LAST_CHUNK);
        }
    }

    async fn send(
        &self,
        head: &[u8],
        part: &Part,
        uploading: &mut Uploading<'_>,
        recording: &mut Recording,
    ) -> Result<(), RelayFailure> {
        let payload = &self.inbox.bytes()[..part.payload];
        if !self.chunked_out {
            let mut pieces = [IoSlice::new(head), IoSlice::new(payload)];
            let pieces = if head.is_empty() {
                &mut pieces[1..]
            } else {
                &mut pieces[..]
            };
            return self.send_pieces(pieces, uploading, recording).await;
        }
        let opening = ChunkOpening::new(part.payload);
        let is_chunk = part.payload > 0;
        let mut pieces = [
            IoSlice::new(head),
            IoSlice::new(if is_chunk { opening.as_bytes() } else { b"" }),
            IoSlice::new(payload),
            IoSlice::new(if is_chunk { b"\r\n" } else { b"" }),
            IoSlice::new(if part.is_last { LAST_CHUNK } else { b"" }),
        ];
        self.send_pieces(&mut pieces, uploading, recording).await
    }

    async fn send_pieces(
        &self,
        pieces: &mut [IoSlice<'_>],
        uploading: &mut Uploading<'_>,
        recording: &mut Recording,
    ) -> Result<(), RelayFailure> {
        if pieces.iter().all(|piece| piece.is_empty()) {
            return Ok(());
        }
        let mut sent = 0;
        let sending = self
            .client
            .send_all(pieces, &mut sent, self.timer, SEND_STALL_MAX);
        let outcome = uploading.beside(sending).await;
        recording.add_sent(sent);
        outcome.map_err(|error| match error {
            StreamError::Broken => RelayFailure::Client(Failure::ClientClosedInAnswer),
            StreamError::TimedOut => match time_out(self.timer, Failure::ClientStalled) {
                stalled @ Failure::ClientStalled => RelayFailure::Client(stalled),
                ours => RelayFailure::Answer(ours),
            },
        })
    }
}

/// Takes an answer's body out of an inbox, part by part.
pub(crate) enum Body {
    Exact { left: u64 },
    Chunked(ChunkedDecoder),
    UntilClose,
}

/// What an inbox holds of a body.
pub(crate) struct Part {
    /// Bytes at the front of the inbox that are the body's.
    pub(crate) payload: usize,
    /// Bytes of the inbox that this part took, framing included.
    pub(crate) consumed: usize,
    pub(crate) is_last: bool,
}

impl Body {
    pub(crate) fn new(length: BodyLength) -> Self {
        match length {
            BodyLength::Empty => Self::Exact { left: 0 },
            BodyLength::Exact(left) => Self::Exact { left },
            BodyLength::Chunked => Self::Chunked(ChunkedDecoder::default()),
            BodyLength::UntilClose => Self::UntilClose,
        }
    }

    /// The next part of the body; `ended`: the connection is at its end.
    ///
    /// # Errors
    /// When the body breaks off, or its framing is malformed.
    pub(crate) fn next(&mut self, inbox: &mut Inbox, ended: bool) -> Result<Part, Failure> {
        match self {
            Self::Exact { .. } | Self::Chunked(_) if ended => Err(Failure::BackendBodyClosed),
            Self::Exact { left } => {
                let payload = (*left).min(inbox.bytes().len() as u64) as usize;
                *left -= payload as u64;
                Ok(Part {
                    payload,
                    consumed: payload,
                    is_last: *left == 0,
                })
            }
            Self::Chunked(decoder) => {
                let decoded = decoder
                    .decode(inbox.bytes_mut())
                    .map_err(|_| Failure::BackendBodyMalformed)?;
                let (payload, consumed) = (decoded.payload, decoded.consumed);
                Ok(Part {
                    payload,
                    consumed,
                    is_last: decoder.is_done(),
                })
            }
            Self::UntilClose => {
                let payload = inbox.bytes().len();
                Ok(Part {
                    payload,
                    consumed: payload,
                    is_last: ended,
                })
            }
        }
    }
}
