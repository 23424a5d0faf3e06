//! One request over one connection: sent, answered, passed on.

use std::future::poll_fn;
use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Instant;

use gatewright_snapshot::Generation;
use gatewright_telemetry::{Failure, HttpVersion};

use super::client::Client;
use super::forward::{AttemptFailure, Way};
use super::recording::{Note, Recording, micros};
use super::relay::{Relay, RelayFailure};
use super::request_head::Outbound;
use super::response_head::{self, is_chunked_to_client};
use super::upload::{Upload, Uploading};
use super::{After, SEND_STALL_MAX};
use crate::core::Core;
use crate::http::framing::BodyLength;
use crate::http::response::{self, FIELDS_MAX, HEAD_BYTES_MAX, begins_like_http};
use crate::http::scan::{HeadScanner, Scan};
use crate::io::{Inbox, Stream, StreamError, Timer, now};
use crate::live::Server;
use crate::time_out::time_out;
use crate::upstream::Backend;

/// Interim answers (1xx) that a server may send before its answer.
pub(crate) const INTERIM_ANSWERS_MAX: usize = 16;

/// How an attempt with an answer ended.
pub(super) struct Conversation {
    pub(super) after: After,
    /// Whether the backend's connection may serve another request.
    pub(super) is_reusable: bool,
}

/// One attempt, as far as it is known before it begins.
pub(super) struct Turn<'a> {
    pub(super) server: &'a Server,
    pub(super) head: &'a Outbound,
    pub(super) number: usize,
    pub(super) started: Instant,
}

impl Turn<'_> {
    fn note_answer(&self, status: u16, recording: &mut Recording) {
        recording.set_status(status);
        if let Some(record) = recording.attempt_mut(self.number) {
            record.status = Some(status);
            record.head_micros = Some(micros(now().saturating_duration_since(self.started)));
        }
    }
}

/// The client's side of a conversation.
struct Ends<'a> {
    client: &'a Stream,
    inbox: &'a mut Inbox,
    /// How many bytes of the inbox are the request's body, kept for another attempt; `None` when
    /// it is sent as it comes.
    in_hand: Option<usize>,
    timer: &'a Timer,
    core: &'a Rc<Core>,
    /// The affinity cookie that the answer is to set.
    set_affinity: Option<(&'a str, &'a [u8; 32])>,
    /// Whether the client has part of an interim answer and gets no more of it.
    is_client_cut: bool,
}

impl Ends<'_> {
    /// Whether the client has closed its side, which counts as having left. What it sends instead
    /// is the next request, and waits.
    fn has_client_left(&mut self, context: &mut Context<'_>) -> bool {
        if self.inbox.bytes().len() > self.in_hand.unwrap_or(0) {
            return false;
        }
        matches!(
            self.client.poll_fill(context, self.inbox),
            Poll::Ready(Ok(0) | Err(_))
        )
    }
}

/// A final answer's head, taken apart and written again.
struct Answered {
    status: u16,
    body: BodyLength,
    keep_backend: bool,
    keep_client: bool,
    head: Vec<u8>,
}

impl Way<'_> {
    /// Sends the request over `backend` and passes the answer on.
    pub(super) async fn converse(
        &self,
        client: &mut Client,
        backend: &mut Backend,
        turn: &Turn<'_>,
        recording: &mut Recording,
    ) -> Result<Conversation, AttemptFailure> {
        let core = Rc::clone(client.core());
        let (stream, inbox, timer) = client.stream_and_inbox();
        let in_hand = self.body_in_hand(inbox);
        let was_reused = backend.is_reused;
        let mut ends = Ends {
            client: stream,
            inbox,
            in_hand,
            timer,
            core: &core,
            set_affinity: self.affinity_to_set(turn.server),
            is_client_cut: false,
        };
        let mut uploading = self
            .send(&mut ends, &backend.stream, turn, was_reused)
            .await?;
        let mut answered = self
            .await_answer(
                &mut ends,
                &backend.stream,
                &mut backend.inbox,
                &mut uploading,
                recording,
            )
            .await
            .map_err(|failure| {
                recording.add_received(uploading.received());
                AttemptFailure {
                    is_client_cut: ends.is_client_cut,
                    ..self.judge(failure, in_hand.is_some(), was_reused)
                }
            })?;
        turn.note_answer(answered.status, recording);
        // The body was kept for another attempt; there will be none.
        ends.inbox.consume(in_hand.unwrap_or(0));
        recording.add_received(in_hand.unwrap_or(0));
        let relay = Relay {
            client: stream,
            backend: &backend.stream,
            inbox: &mut backend.inbox,
            timer,
            patience: self.setting.request_timeout,
            length: answered.body,
            chunked_out: is_chunked_to_client(answered.body, self.request.version),
        };
        let relayed = relay
            .run(&mut answered.head, &mut uploading, recording)
            .await;
        if let Err(RelayFailure::Answer(failure)) = relayed
            && !recording.has_sent()
        {
            return Err(self.judge(failure, in_hand.is_some(), was_reused));
        }
        let conversation = conclude(&answered, relayed, &mut uploading, ends.inbox, recording);
        core.keep_text(answered.head);
        Ok(conversation)
    }

    /// Sends the request: at once when its body is there, or as it comes, beside what follows.
    async fn send<'a>(
        &self,
        ends: &mut Ends<'a>,
        backend: &'a Stream,
        turn: &Turn<'a>,
        was_reused: bool,
    ) -> Result<Uploading<'a>, AttemptFailure> {
        let head = turn.head.text();
        if let Some(length) = ends.in_hand {
            let body = &ends.inbox.bytes()[..length];
            let sent = self.send_whole(backend, head, body, ends.timer, was_reused);
            return Ok(Uploading::of_whole(sent.await?));
        }
        Ok(Uploading::begin(Upload {
            client: ends.client,
            inbox: std::mem::take(ends.inbox),
            backend,
            core: ends.core,
            server: turn.server.id,
            head,
            length: self.request.body,
            expects_continue: self.request.expects_continue,
        }))
    }

    /// How many bytes of the inbox are the request's whole body, when it is all there.
    pub(super) fn body_in_hand(&self, inbox: &Inbox) -> Option<usize> {
        match self.request.body {
            BodyLength::Empty => Some(0),
            BodyLength::Exact(length) => usize::try_from(length)
                .ok()
                .filter(|length| *length <= inbox.bytes().len()),
            BodyLength::Chunked | BodyLength::UntilClose => None,
        }
    }

    /// Sends a request whose body is there. The inner result is how that ended once some of it had
    /// left: the server may have answered nevertheless.
    async fn send_whole(
        &self,
        backend: &Stream,
        head: &[u8],
        body: &[u8],
        timer: &Timer,
        was_reused: bool,
    ) -> Result<Result<(), Failure>, AttemptFailure> {
        let mut sent = 0;
        // One piece is a cheaper system call than two.
        let mut pieces = [IoSlice::new(head), IoSlice::new(body)];
        let pieces = if body.is_empty() {
            &mut pieces[..1]
        } else {
            &mut pieces[..]
        };
        match backend
            .send_all(pieces, &mut sent, timer, SEND_STALL_MAX)
            .await
        {
            Ok(()) => Ok(Ok(())),
            Err(StreamError::Broken) if sent > 0 => Ok(Err(Failure::BackendSendFailed)),
            Err(StreamError::TimedOut) => {
                let failure = time_out(timer, Failure::BackendSendTimedOut);
                Err(self.judge(failure, true, was_reused))
            }
            Err(StreamError::Broken) => {
                let mut failed = self.judge(Failure::BackendSendFailed, true, was_reused);
                // What may lie in the socket is no answer to what it never got.
                failed.is_safe_to_repeat = true;
                Err(failed)
            }
        }
    }

    /// Waits for the final answer's head, passing interim ones on, which give the server no more
    /// time.
    async fn await_answer(
        &self,
        ends: &mut Ends<'_>,
        backend: &Stream,
        backend_inbox: &mut Inbox,
        uploading: &mut Uploading<'_>,
        recording: &mut Recording,
    ) -> Result<Answered, Failure> {
        ends.timer.start(self.setting.request_timeout);
        for _ in 0..INTERIM_ANSWERS_MAX {
            let length = self
                .await_head(ends, backend, backend_inbox, uploading)
                .await?;
            let bytes = &backend_inbox.bytes()[..length];
            let answered = self.take_apart(ends, bytes, uploading, recording)?;
            backend_inbox.consume(length);
            match answered.status {
                100..=199 => {
                    let sent = send_interim(ends, &answered.head, uploading).await?;
                    recording.add_sent(sent);
                    ends.core.keep_text(answered.head);
                }
                _ => return Ok(answered),
            }
        }
        Err(Failure::BackendHeadInvalid)
    }

    async fn await_head(
        &self,
        ends: &mut Ends<'_>,
        backend: &Stream,
        backend_inbox: &mut Inbox,
        uploading: &mut Uploading<'_>,
    ) -> Result<usize, Failure> {
        let mut scanner = HeadScanner::default();
        // Also one that ended within an interim answer has to be looked at.
        let mut upload_running = uploading.is_under_way() || uploading.end().is_some();
        let mut upload_failure = None;
        poll_fn(|context| {
            uploading.poll(context);
            uploading.hand_back(ends.inbox);
            if upload_running {
                // The server's time begins when it has the whole request.
                ends.timer.start(self.setting.request_timeout);
                upload_running = uploading.is_under_way();
                match uploading.end().map(|end| end.result) {
                    // Perhaps it says why it will not read on.
                    Some(Err(failure @ Failure::BackendSendFailed)) => {
                        upload_failure = Some(failure);
                    }
                    Some(Err(failure)) => return Poll::Ready(Err(failure)),
                    Some(Ok(())) | None => {}
                }
            }
            loop {
                match scanner.scan(backend_inbox.bytes()) {
                    Scan::Complete(length) if length <= HEAD_BYTES_MAX => {
                        return Poll::Ready(Ok(length));
                    }
                    Scan::Complete(_) => return Poll::Ready(Err(Failure::BackendHeadTooLarge)),
                    Scan::BareLineEnd => return Poll::Ready(Err(Failure::BackendHeadInvalid)),
                    Scan::Partial if backend_inbox.bytes().len() > HEAD_BYTES_MAX => {
                        return Poll::Ready(Err(Failure::BackendHeadTooLarge));
                    }
                    Scan::Partial if !begins_like_http(backend_inbox.bytes()) => {
                        return Poll::Ready(Err(Failure::BackendHeadInvalid));
                    }
                    Scan::Partial => {}
                }
                match backend.poll_fill(context, backend_inbox) {
                    Poll::Ready(Ok(1..)) => {}
                    Poll::Ready(received) => {
                        let failure = upload_failure.unwrap_or_else(|| {
                            ended_unanswered(received.is_ok(), backend_inbox.is_empty())
                        });
                        return Poll::Ready(Err(failure));
                    }
                    Poll::Pending => break,
                }
            }
            if !upload_running && ends.has_client_left(context) {
                return Poll::Ready(Err(Failure::ClientClosedWaiting));
            }
            ends.timer
                .poll(context)
                .map(|()| Err(time_out(ends.timer, self.unanswered())))
        })
        .await
    }

    /// The failure of a server that takes longer than the setting allows.
    fn unanswered(&self) -> Failure {
        match self.request.generation {
            Generation::V1 => Failure::BackendTimedOutV1,
            Generation::V2 => Failure::BackendTimedOut,
        }
    }

    fn take_apart(
        &self,
        ends: &Ends<'_>,
        bytes: &[u8],
        uploading: &Uploading<'_>,
        recording: &mut Recording,
    ) -> Result<Answered, Failure> {
        let mut storage = [const { MaybeUninit::uninit() }; FIELDS_MAX];
        let head = response::parse(bytes, self.request.is_head, &mut storage)?;
        let mut text = ends.core.text();
        if head.status == 101 {
            // Nobody asked for another protocol: Upgrade is not passed on.
            return Err(Failure::BackendHeadInvalid);
        }
        if head.status < 200 {
            // 100 was for us, who sent no Expect; the others are the client's, if it knows them.
            if head.status != 100 && self.request.version == HttpVersion::Http11 {
                response_head::write_interim(&mut text, bytes, &head);
            }
            let status = head.status;
            let body = BodyLength::Empty;
            return Ok(Answered {
                status,
                body,
                keep_backend: true,
                keep_client: true,
                head: text,
            });
        }
        let has_end = match head.body {
            BodyLength::Empty | BodyLength::Exact(_) => true,
            BodyLength::Chunked | BodyLength::UntilClose => {
                is_chunked_to_client(head.body, self.request.version)
            }
        };
        let keep_client = self.request.keep_alive
            && has_end
            && uploading.is_received()
            && !ends.core.is_draining();
        let context = response_head::Context {
            client_version: self.request.version,
            keep_alive: keep_client,
            set_affinity: ends.set_affinity,
            cors_affinity: self.request.generation == Generation::V2,
        };
        response_head::write(&mut text, bytes, &head, &context);
        recording.note(Note::ContentType, head.content_type);
        Ok(Answered {
            status: head.status,
            body: head.body,
            keep_backend: head.keep_alive && head.body != BodyLength::UntilClose,
            keep_client,
            head: text,
        })
    }

    /// A client without the cookie of its server gets one.
    fn affinity_to_set<'s>(&'s self, server: &'s Server) -> Option<(&'s str, &'s [u8; 32])> {
        let name = self.setting.affinity_cookie.as_deref()?;
        let value = server.affinity.as_ref()?;
        (self.request.affinity.as_ref() != Some(value)).then_some((name, value))
    }
}

/// Passes an interim answer on; how many bytes that was.
async fn send_interim(
    ends: &mut Ends<'_>,
    head: &[u8],
    uploading: &mut Uploading<'_>,
) -> Result<usize, Failure> {
    let mut sent = 0;
    if !head.is_empty() {
        let mut pieces = [IoSlice::new(head)];
        let sending = ends
            .client
            .send_all(&mut pieces, &mut sent, ends.timer, SEND_STALL_MAX);
        let outcome = uploading.beside(sending).await;
        outcome.map_err(|error| {
            ends.is_client_cut = sent > 0;
            match error {
                StreamError::Broken => Failure::ClientClosedWaiting,
                StreamError::TimedOut => time_out(ends.timer, Failure::ClientStalled),
            }
        })?;
    }
    Ok(sent)
}

/// What it means that a connection ended before there was an answer.
fn ended_unanswered(in_order: bool, nothing_came: bool) -> Failure {
    match (in_order, nothing_came) {
        (_, false) => Failure::BackendHeadInvalid,
        (true, true) => Failure::BackendClosedUnanswered,
        (false, true) => Failure::BackendResetUnanswered,
    }
}

/// What becomes of both connections after the answer.
fn conclude(
    answered: &Answered,
    relayed: Result<(), RelayFailure>,
    uploading: &mut Uploading<'_>,
    client_inbox: &mut Inbox,
    recording: &mut Recording,
) -> Conversation {
    recording.add_received(uploading.received());
    uploading.hand_back(client_inbox);
    let keep_backend = answered.keep_backend && uploading.is_sent();
    let (after, is_reusable) = match relayed {
        Ok(()) if !uploading.is_received() => (After::Linger, false),
        Ok(()) if answered.keep_client => (After::KeepOpen, keep_backend),
        Ok(()) => (After::Close, keep_backend),
        Err(RelayFailure::Client(failure)) => {
            recording.lose_client(failure);
            (After::Close, false)
        }
        Err(RelayFailure::Answer(failure)) => {
            recording.fail(failure);
            (After::Abort, false)
        }
    };
    Conversation { after, is_reusable }
}
