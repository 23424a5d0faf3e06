//! The request's body on its way to a backend, beside whatever comes back meanwhile.
//!
//! A backend may answer before it has read everything, so a long body is sent by a future of its
//! own that is polled along with the main course of the exchange.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::io::IoSlice;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Context;
use std::time::Duration;

use gatewright_telemetry::Failure;

use super::SEND_STALL_MAX;
use crate::core::Core;
use crate::http::chunked::{ChunkOpening, ChunkedDecoder, LAST_CHUNK};
use crate::http::framing::BodyLength;
use crate::http::request::BODY_BYTES_MAX;
use crate::io::{Inbox, Stream, StreamError, Timer, now};
use crate::live::ServerId;
use crate::time_out::time_out;

/// How long a client may take for [`BODY_STEP`] more of a body, or its end (the service's
/// documented time, there for a whole request, which is not streamed).
const BODY_TIMEOUT: Duration = Duration::from_secs(60);
/// In bytes: a byte now and then holds a connection for as long as it takes to send that much.
const BODY_STEP: usize = 1024;

/// How an upload ended.
pub(super) struct UploadEnd {
    /// What the client sent behind the body, until it is handed back.
    inbox: Option<Inbox>,
    /// Whether the client has sent all of the request.
    is_received: bool,
    pub(super) result: Result<(), Failure>,
}

/// An upload that may be under way.
pub(super) struct Uploading<'a> {
    future: Option<Pin<Box<dyn Future<Output = UploadEnd> + 'a>>>,
    end: Option<UploadEnd>,
    /// Bytes of the body that the client has sent, as they were on the wire.
    received: Rc<Cell<usize>>,
}

impl<'a> Uploading<'a> {
    /// For requests that were there as a whole: how sending them ended.
    pub(super) fn of_whole(result: Result<(), Failure>) -> Self {
        let failed = UploadEnd {
            inbox: None,
            is_received: true,
            result,
        };
        Self {
            future: None,
            end: result.is_err().then_some(failed),
            received: Rc::default(),
        }
    }

    pub(super) fn begin(upload: Upload<'a>) -> Self {
        let received = Rc::default();
        let future = Box::pin(upload.run(Rc::clone(&received)));
        Self {
            future: Some(future),
            end: None,
            received,
        }
    }

    /// Lets the upload get on.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) {
        if let Some(future) = &mut self.future
            && let std::task::Poll::Ready(end) = future.as_mut().poll(context)
        {
            self.end = Some(end);
            self.future = None;
        }
    }

    pub(super) fn is_under_way(&self) -> bool {
        self.future.is_some()
    }

    pub(super) fn end(&self) -> Option<&UploadEnd> {
        self.end.as_ref()
    }

    /// Whether nothing of the request is still to come from the client.
    pub(super) fn is_received(&self) -> bool {
        !self.is_under_way() && self.end.as_ref().is_none_or(|end| end.is_received)
    }

    /// Whether the backend has been sent all of the request.
    pub(super) fn is_sent(&self) -> bool {
        !self.is_under_way() && self.end.as_ref().is_none_or(|end| end.result.is_ok())
    }

    /// Bytes of the body that the client has sent so far.
    pub(super) fn received(&self) -> usize {
        self.received.get()
    }

    /// Gives back, once, what the client sent behind the body. Before that, nobody else may
    /// receive from the client.
    pub(super) fn hand_back(&mut self, inbox: &mut Inbox) {
        if let Some(behind) = self.end.as_mut().and_then(|end| end.inbox.take()) {
            *inbox = behind;
        }
    }

    /// Does `work` while the upload goes on.
    pub(super) async fn beside<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        poll_fn(|context| {
            self.poll(context);
            work.as_mut().poll(context)
        })
        .await
    }
}

/// A request that is sent as its body arrives.
pub(super) struct Upload<'a> {
    pub(super) client: &'a Stream,
    /// Begins with what is there of the body.
    pub(super) inbox: Inbox,
    pub(super) backend: &'a Stream,
    pub(super) core: &'a Core,
    pub(super) server: ServerId,
    pub(super) head: &'a [u8],
    pub(super) length: BodyLength,
    /// Whether the client waits to be told to send its body.
    pub(super) expects_continue: bool,
}

impl Upload<'_> {
    async fn run(mut self, received: Rc<Cell<usize>>) -> UploadEnd {
        let timer = self.core.timers.timer();
        self.core.join(&timer, self.server);
        received.set(self.inbox.bytes().len());
        let result = self.send(&timer, &received).await;
        // What is left belongs to the next request.
        received.set(received.get() - self.inbox.bytes().len());
        UploadEnd {
            inbox: Some(self.inbox),
            is_received: result.is_ok(),
            result,
        }
    }

    async fn send(&mut self, timer: &Timer, received: &Cell<usize>) -> Result<(), Failure> {
        let mut sent = 0;
        let mut head = self.head;
        let mut body = BodyParts::new(self.length);
        let mut pace = Pace::default();
        if self.expects_continue && self.inbox.is_empty() {
            self.send_continue(timer).await?;
        }
        loop {
            let part = body.next(&mut self.inbox)?;
            let opening = ChunkOpening::new(part.payload);
            let is_chunk = body.is_chunked() && part.payload > 0;
            let payload = &self.inbox.bytes()[..part.payload];
            let mut pieces = [
                IoSlice::new(head),
                IoSlice::new(if is_chunk { opening.as_bytes() } else { b"" }),
                IoSlice::new(payload),
                IoSlice::new(if is_chunk { b"\r\n" } else { b"" }),
                IoSlice::new(if body.is_chunked() && part.is_last {
                    LAST_CHUNK
                } else {
                    b""
                }),
            ];
            let outcome = self
                .backend
                .send_all(&mut pieces, &mut sent, timer, SEND_STALL_MAX)
                .await;
            outcome.map_err(|error| match error {
                StreamError::TimedOut => time_out(timer, Failure::BackendSendTimedOut),
                StreamError::Broken => Failure::BackendSendFailed,
            })?;
            head = b"";
            self.inbox.consume(part.consumed);
            if part.is_last {
                return Ok(());
            }
            let begun = now();
            timer.start(pace.patience());
            match self.client.fill(&mut self.inbox, timer).await {
                Ok(count @ 1..) => {
                    received.set(received.get() + count);
                    pace.take(count, now().saturating_duration_since(begun));
                }
                Ok(0) | Err(StreamError::Broken) => return Err(Failure::ClientClosedInBody),
                Err(StreamError::TimedOut) => return Err(time_out(timer, Failure::BodyTimedOut)),
            }
        }
    }

    async fn send_continue(&self, timer: &Timer) -> Result<(), Failure> {
        let mut sent = 0;
        let mut pieces = [IoSlice::new(b"HTTP/1.1 100 Continue\r\n\r\n")];
        let outcome = self
            .client
            .send_all(&mut pieces, &mut sent, timer, SEND_STALL_MAX)
            .await;
        outcome.map_err(|error| match error {
            StreamError::TimedOut if sent == 0 => time_out(timer, Failure::ClientStalled),
            // No page may follow half a line.
            StreamError::TimedOut => Failure::ClientStalled,
            StreamError::Broken => Failure::ClientClosedInBody,
        })
    }
}

/// How fast a client sends; time that the server takes does not count.
#[derive(Default)]
struct Pace {
    /// Since the last step, and how long they were waited for.
    bytes: usize,
    waited: Duration,
}

impl Pace {
    fn patience(&self) -> Duration {
        BODY_TIMEOUT.saturating_sub(self.waited)
    }

    fn take(&mut self, bytes: usize, waited: Duration) {
        self.bytes += bytes;
        self.waited += waited;
        if self.bytes >= BODY_STEP {
            *self = Self::default();
        }
    }
}

/// Takes a request's body out of an inbox, part by part.
enum BodyParts {
    Exact { left: u64 },
    Chunked { decoder: ChunkedDecoder, seen: u64 },
}

struct Part {
    /// Bytes at the front of the inbox that are to be sent.
    payload: usize,
    /// Bytes of the inbox that this part took.
    consumed: usize,
    is_last: bool,
}

impl BodyParts {
    fn new(length: BodyLength) -> Self {
        match length {
            BodyLength::Exact(left) => Self::Exact { left },
            // A request's body never ends with the connection.
            BodyLength::Empty | BodyLength::UntilClose => Self::Exact { left: 0 },
            BodyLength::Chunked => Self::Chunked {
                decoder: ChunkedDecoder::default(),
                seen: 0,
            },
        }
    }

    fn is_chunked(&self) -> bool {
        matches!(self, Self::Chunked { .. })
    }

    fn next(&mut self, inbox: &mut Inbox) -> Result<Part, Failure> {
        match self {
            Self::Exact { left } => {
                let payload = (*left).min(inbox.bytes().len() as u64) as usize;
                *left -= payload as u64;
                Ok(Part {
                    payload,
                    consumed: payload,
                    is_last: *left == 0,
                })
            }
            Self::Chunked { decoder, seen } => {
                let decoded = decoder
                    .decode(inbox.bytes_mut())
                    .map_err(|_| Failure::BodyMalformed)?;
                *seen += decoded.payload as u64;
                if *seen > BODY_BYTES_MAX {
                    return Err(Failure::BodyTooLarge);
                }
                let is_last = decoder.is_done();
                Ok(Part {
                    payload: decoded.payload,
                    consumed: decoded.consumed,
                    is_last,
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_now_and_then_gains_no_time() {
        let mut pace = Pace::default();
        for _ in 0..59 {
            pace.take(1, Duration::from_secs(1));
        }
        assert_eq!(pace.patience(), Duration::from_secs(1));
        pace.take(BODY_STEP, Duration::ZERO);
        assert_eq!(pace.patience(), BODY_TIMEOUT);
    }
}
