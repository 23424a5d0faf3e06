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

/// How a relay failed.
pub(super) enum RelayFailure {
    Client(Failure),
    Backend(Failure),
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
    /// Sends `head` and the body behind it.
    pub(super) async fn run(
        mut self,
        head: &[u8],
        uploading: &mut Uploading<'_>,
        recording: &mut Recording,
    ) -> Result<(), RelayFailure> {
        let mut body = Body::new(self.length);
        let mut head = head;
        let mut ended = false;
        loop {
            let part = body
                .next(self.inbox, ended)
                .map_err(RelayFailure::Backend)?;
            self.send(head, &part, uploading, recording).await?;
            head = b"";
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
                    return Err(RelayFailure::Backend(Failure::BackendBodyClosed));
                }
                Err(StreamError::TimedOut) => {
                    let drained = self.timer.is_limit_over();
                    return Err(RelayFailure::Backend(match drained {
                        true => Failure::ServerDrained,
                        false => Failure::BackendBodyTimedOut,
                    }));
                }
            };
        }
    }

    async fn send(
        &mut self,
        head: &[u8],
        part: &Part,
        uploading: &mut Uploading<'_>,
        recording: &mut Recording,
    ) -> Result<(), RelayFailure> {
        let payload = &self.inbox.bytes()[..part.payload];
        let opening = ChunkOpening::new(part.payload);
        let is_chunk = self.chunked_out && part.payload > 0;
        let mut sent = 0;
        let outcome = if self.chunked_out {
            let mut pieces = [
                IoSlice::new(head),
                IoSlice::new(if is_chunk { opening.as_bytes() } else { b"" }),
                IoSlice::new(payload),
                IoSlice::new(if is_chunk { b"\r\n" } else { b"" }),
                IoSlice::new(if part.is_last { LAST_CHUNK } else { b"" }),
            ];
            self.send_pieces(&mut pieces, &mut sent, uploading).await
        } else if head.is_empty() {
            self.send_pieces(&mut [IoSlice::new(payload)], &mut sent, uploading)
                .await
        } else {
            let mut pieces = [IoSlice::new(head), IoSlice::new(payload)];
            self.send_pieces(&mut pieces, &mut sent, uploading).await
        };
        recording.add_sent(sent);
        outcome.map_err(|error| {
            RelayFailure::Client(match error {
                StreamError::Broken => Failure::ClientClosedInAnswer,
                StreamError::TimedOut => Failure::ClientStalled,
            })
        })
    }

    async fn send_pieces(
        &self,
        pieces: &mut [IoSlice<'_>],
        sent: &mut usize,
        uploading: &mut Uploading<'_>,
    ) -> Result<(), StreamError> {
        if pieces.iter().all(|piece| piece.is_empty()) {
            return Ok(());
        }
        let sending = self
            .client
            .send_all(pieces, sent, self.timer, SEND_STALL_MAX);
        uploading.beside(sending).await
    }
}

/// Takes an answer's body out of an inbox, part by part.
enum Body {
    Exact { left: u64 },
    Chunked(ChunkedDecoder),
    UntilClose,
}

struct Part {
    payload: usize,
    consumed: usize,
    is_last: bool,
}

impl Body {
    fn new(length: BodyLength) -> Self {
        match length {
            BodyLength::Empty => Self::Exact { left: 0 },
            BodyLength::Exact(left) => Self::Exact { left },
            BodyLength::Chunked => Self::Chunked(ChunkedDecoder::default()),
            BodyLength::UntilClose => Self::UntilClose,
        }
    }

    fn next(&mut self, inbox: &mut Inbox, ended: bool) -> Result<Part, Failure> {
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
