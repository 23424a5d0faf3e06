//! A client's connection: its requests one after the other, until it ends.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gatewright_snapshot::{EndpointIndex, EndpointKey, Generation, Scheme};
use gatewright_telemetry::{Failure, TlsSession};

use super::recording::Recording;
use super::{After, SEND_STALL_MAX, answer, exchange};
use crate::core::Core;
use crate::http::request::{
    HEADER_BYTES_MAX, METHOD_BYTES_MAX, TARGET_BYTES_MAX, explain_line, first_line, is_method,
};
use crate::http::scan::{HeadScanner, Scan};
use crate::io::{Inbox, NO_GROUP, Stream, StreamError, Timer, now};
use crate::live::Live;
use crate::upstream::Backend;

/// How long a client may take for a head, from its first byte (the service's documented time).
const HEAD_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a connection may lie idle (the service's documented times).
const IDLE_TIMEOUT_V2: Duration = Duration::from_secs(75);
const IDLE_TIMEOUT_V1: Duration = Duration::from_secs(120);
/// How long, and how much, is read of a request that was refused.
const LINGER_TIMEOUT: Duration = Duration::from_secs(2);
const LINGER_BYTES_MAX: usize = 1024 * 1024;
/// A head is given up when this many bytes have come without its end.
const HEAD_BYTES_MAX: usize = TARGET_BYTES_MAX + HEADER_BYTES_MAX;

/// Where a connection came from.
#[derive(Clone, Debug)]
pub(crate) struct ClientOrigin {
    pub(crate) endpoint: Arc<EndpointKey>,
    pub(crate) scheme: Scheme,
    pub(crate) peer: SocketAddr,
    pub(crate) tls: Option<TlsSession>,
    /// The JA4 fingerprint of the client's hello, where it is passed on.
    pub(crate) ja4: Option<Box<str>>,
}

pub(crate) struct Client {
    core: Rc<Core>,
    stream: Stream,
    inbox: Inbox,
    timer: Timer,
    origin: ClientOrigin,
    /// `ip:port`, as X-Forwarded-For has it.
    forwarded_for: Box<str>,
    endpoint: (u64, Option<EndpointIndex>),
    pub(super) serial: u64,
    pub(super) requests: u32,
    /// When the first byte of the current request was there.
    pub(super) started: Instant,
    /// The backend connection that belongs to this client alone.
    pub(super) dedicated: Option<Backend>,
}

/// How waiting for a request's head ended.
enum HeadArrival {
    /// The inbox begins with a head of this length.
    Complete(usize),
    /// There is no next request.
    None,
    Failed(Failure),
}

/// Serves a connection to its end.
pub(crate) async fn serve(core: Rc<Core>, stream: Stream, timer: Timer, origin: ClientOrigin) {
    Client::new(core, stream, timer, origin).run().await;
}

impl Client {
    fn new(core: Rc<Core>, stream: Stream, timer: Timer, origin: ClientOrigin) -> Self {
        Self {
            forwarded_for: origin.peer.to_string().into(),
            serial: core.next_connection(),
            core,
            stream,
            inbox: Inbox::default(),
            timer,
            origin,
            endpoint: (0, None),
            requests: 0,
            started: now(),
            dedicated: None,
        }
    }

    pub(crate) fn core(&self) -> &Rc<Core> {
        &self.core
    }

    pub(crate) fn stream(&self) -> &Stream {
        &self.stream
    }

    pub(crate) fn inbox(&self) -> &Inbox {
        &self.inbox
    }

    pub(crate) fn inbox_mut(&mut self) -> &mut Inbox {
        &mut self.inbox
    }

    /// The stream and the inbox, to fill one from the other.
    pub(crate) fn stream_and_inbox(&mut self) -> (&Stream, &mut Inbox, &Timer) {
        (&self.stream, &mut self.inbox, &self.timer)
    }

    pub(crate) fn timer(&self) -> &Timer {
        &self.timer
    }

    pub(crate) fn origin(&self) -> &ClientOrigin {
        &self.origin
    }

    pub(crate) fn forwarded_for(&self) -> &str {
        &self.forwarded_for
    }

    /// This connection's endpoint in `live`; `None` when it was removed.
    pub(crate) fn endpoint(&mut self, live: &Live) -> Option<EndpointIndex> {
        if self.endpoint.0 != live.version {
            self.endpoint = (live.version, live.endpoint(&self.origin.endpoint));
        }
        self.endpoint.1
    }

    async fn run(mut self) {
        loop {
            let length = match self.receive_head().await {
                HeadArrival::Complete(length) => length,
                HeadArrival::None => break,
                HeadArrival::Failed(failure) => {
                    let after = self.refuse(failure).await;
                    self.end(after).await;
                    break;
                }
            };
            self.requests = self.requests.saturating_add(1);
            let after = exchange(&mut self, length).await;
            if after != After::KeepOpen || self.core.is_draining() {
                self.end(after).await;
                break;
            }
        }
    }

    /// Waits for a whole head. Judges what comes on the way, so that garbage is answered at once.
    async fn receive_head(&mut self) -> HeadArrival {
        // Whatever limit the last request's server was under, it is not this one's.
        self.timer.join(NO_GROUP);
        if !self.await_beginning().await {
            return HeadArrival::None;
        }
        self.started = now();
        let mut scanner = HeadScanner::default();
        let (mut waited, mut has_judged_line) = (false, false);
        loop {
            match scanner.scan(self.inbox.bytes()) {
                Scan::Complete(length) => return HeadArrival::Complete(length),
                Scan::BareLineEnd => return HeadArrival::Failed(Failure::RequestMalformed),
                Scan::Partial => {}
            }
            // Once is enough for the line: it may be long, and what follows it may come in bytes.
            let is_judged = std::mem::replace(&mut has_judged_line, scanner.has_first_line());
            let failure = match is_judged {
                true => judge_fields(self.inbox.bytes()),
                false => judge_early(self.inbox.bytes(), has_judged_line),
            };
            if let Some(failure) = failure {
                return HeadArrival::Failed(failure);
            }
            if !std::mem::replace(&mut waited, true) {
                self.timer.start(HEAD_TIMEOUT);
            }
            match self.stream.fill(&mut self.inbox, &self.timer).await {
                Ok(1..) => {}
                Ok(0) if self.inbox.is_empty() => return HeadArrival::None,
                Ok(0) | Err(StreamError::Broken) => {
                    return HeadArrival::Failed(Failure::ClientClosedInHead);
                }
                Err(StreamError::TimedOut) => return HeadArrival::Failed(Failure::HeadTimedOut),
            }
        }
    }

    /// Waits for the first byte of a head; `false` when none comes. Empty lines before a request
    /// line are not part of it (RFC 9112, section 2.2), so that the client is idle meanwhile.
    async fn await_beginning(&mut self) -> bool {
        let mut waited = false;
        loop {
            while self.inbox.bytes().starts_with(b"\r\n") {
                self.inbox.consume(2);
            }
            if !matches!(self.inbox.bytes(), b"" | b"\r") {
                return true;
            }
            if !std::mem::replace(&mut waited, true) {
                let patience = self.idle_timeout();
                self.timer.start(patience);
            }
            let received = self.stream.fill(&mut self.inbox, &self.timer).await;
            if !matches!(received, Ok(1..)) {
                return false;
            }
        }
    }

    fn idle_timeout(&mut self) -> Duration {
        if self.core.is_draining() {
            return Duration::ZERO;
        }
        let live = self.core.live();
        let generation = self.endpoint(&live).map(|endpoint| {
            live.snapshot
                .gateway(live.snapshot.endpoint(endpoint).gateway)
                .generation
        });
        match generation {
            Some(Generation::V1) => IDLE_TIMEOUT_V1,
            Some(Generation::V2) | None => IDLE_TIMEOUT_V2,
        }
    }

    /// Answers a head that never became one.
    async fn refuse(&mut self, failure: Failure) -> After {
        self.requests = self.requests.saturating_add(1);
        let live = self.core.live();
        let mut recording = Recording::begin(self, &live);
        recording.note_refused_head(self.inbox.bytes());
        answer::fail(self, &live, &mut recording, failure, false).await
    }

    /// Ends the connection such that the client gets what was sent to it, or notices that it
    /// was cut.
    async fn end(&mut self, after: After) {
        self.timer.start(SEND_STALL_MAX);
        let _ = self.stream.flush(&self.timer).await;
        match after {
            After::Abort => self.stream.socket().reset_on_close(),
            After::KeepOpen | After::Close => self.stream.finish_sending(),
            After::Linger => {
                self.stream.finish_sending();
                self.timer.join(NO_GROUP);
                self.timer.start(LINGER_TIMEOUT);
                let mut seen = 0;
                while seen < LINGER_BYTES_MAX {
                    self.inbox.clear();
                    match self.stream.fill(&mut self.inbox, &self.timer).await {
                        Ok(count @ 1..) => seen += count,
                        Ok(0) | Err(_) => break,
                    }
                }
            }
        }
    }
}

/// What can be told of a head whose end has not come, and whose line is a sound one.
fn judge_fields(head: &[u8]) -> Option<Failure> {
    (head.len() > HEAD_BYTES_MAX).then_some(Failure::HeaderTooLarge)
}

/// What can be told of a head whose end has not come.
fn judge_early(head: &[u8], has_first_line: bool) -> Option<Failure> {
    if has_first_line {
        return judge_fields(head).or_else(|| explain_line(first_line(head)));
    }
    if head.len() > TARGET_BYTES_MAX + 64 {
        return Some(Failure::TargetTooLong);
    }
    let begun = head.get(..=METHOD_BYTES_MAX).unwrap_or(head);
    let method = begun.split(|byte| *byte == b' ').next().unwrap_or_default();
    (!is_method(method)).then_some(Failure::MethodInvalid)
}

/// What a client gets that speaks plain HTTP to a TLS port.
pub(crate) async fn serve_plain_on_tls(
    core: Rc<Core>,
    stream: Stream,
    timer: Timer,
    origin: ClientOrigin,
) {
    let mut client = Client::new(core, stream, timer, origin);
    let after = client.refuse(Failure::PlainHttpOnTlsPort).await;
    client.end(after).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn garbage_is_told_before_it_ends() {
        assert_eq!(
            judge_early(b"\x16\x03\x01", false),
            Some(Failure::MethodInvalid)
        );
        assert_eq!(judge_early(b"GET", false), None);
        assert_eq!(judge_early(b"GET /a", false), None);
        assert_eq!(
            judge_early(&[b'A'; 33], false),
            Some(Failure::MethodInvalid)
        );
        let long = [b"GET /".as_slice(), &[b'a'; TARGET_BYTES_MAX + 64]].concat();
        assert_eq!(judge_early(&long, false), Some(Failure::TargetTooLong));
        assert_eq!(
            judge_early(b"GET /\r\nA", true),
            Some(Failure::VersionMissing)
        );
        assert_eq!(judge_early(b"GET / HTTP/1.1\r\nA", true), None);
    }
}
