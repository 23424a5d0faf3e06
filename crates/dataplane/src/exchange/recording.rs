//! The record of one request, written exactly once: when the recording ends, whatever ended it.

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Instant;

use gatewright_snapshot::ListenerIndex;
use gatewright_telemetry::{
    Failure, HttpVersion, LabelId, RecordBatch, RequestRecord, TextSpan, TraceId, UpstreamAttempt,
};

use super::client::Client;
use crate::core::Core;
use crate::http::request::{Asked, line_for_record};
use crate::io::now;
use crate::live::Live;

/// The texts of a record, each at its place in the notes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Note {
    Method,
    Target,
    SentPath,
    Query,
    Host,
    SentHost,
    UserAgent,
    ContentType,
}

const NOTES: usize = 8;

pub(super) struct Recording {
    core: Rc<Core>,
    started: Instant,
    first_sent: Option<Instant>,
    listener: Option<ListenerIndex>,
    record: RequestRecord,
    /// Copies of the texts: the head's buffer is given back before the request is done.
    notes: Vec<u8>,
    spans: [(u32, u32); NOTES],
}

impl Recording {
    pub(super) fn begin(client: &mut Client, live: &Live) -> Self {
        let labels = client
            .endpoint(live)
            .map_or(LabelId::NONE, |at| live.gateway_labels(at));
        let core = Rc::clone(client.core());
        let record = RequestRecord {
            started_unix_micros: core.unix_micros_at(client.started),
            trace: core.trace_id(),
            labels,
            client: client.origin().peer,
            connection: client.serial,
            connection_request: client.requests,
            tls: client.origin().tls,
            version: HttpVersion::Http11,
            method: TextSpan::default(),
            target: TextSpan::default(),
            sent_path: TextSpan::default(),
            query: TextSpan::default(),
            host: TextSpan::default(),
            sent_host: TextSpan::default(),
            user_agent: TextSpan::default(),
            content_type: TextSpan::default(),
            // What is logged if nothing else is said: the client was gone before an answer.
            status: 499,
            received_bytes: 0,
            sent_bytes: 0,
            total_micros: 0,
            answer_micros: 0,
            attempts: [None; 2],
            failure: None,
        };
        let notes = core.text();
        Self {
            core,
            started: client.started,
            first_sent: None,
            listener: None,
            record,
            notes,
            spans: [(0, 0); NOTES],
        }
    }

    pub(super) fn trace(&self) -> TraceId {
        self.record.trace
    }

    pub(super) fn version(&self) -> HttpVersion {
        self.record.version
    }

    pub(super) fn note(&mut self, note: Note, text: &[u8]) {
        self.spans[note as usize] = (self.notes.len() as u32, text.len() as u32);
        self.notes.extend_from_slice(text);
    }

    pub(super) fn note_asked(&mut self, head: &Asked<'_>, head_length: usize) {
        self.record.version = head.version;
        self.record.received_bytes = head_length as u64;
        self.note(Note::Method, head.method);
        let target_start = self.notes.len() as u32;
        self.note(Note::SentPath, head.path);
        if let Some(query) = head.query {
            self.notes.push(b'?');
            self.note(Note::Query, query);
        }
        self.spans[Note::Target as usize] = (target_start, self.notes.len() as u32 - target_start);
        self.note(Note::Host, head.host);
        self.note(Note::UserAgent, head.user_agent);
    }

    pub(super) fn note_refused_head(&mut self, bytes: &[u8]) {
        let (method, target, version) = line_for_record(bytes);
        self.record.version = version;
        self.note(Note::Method, method);
        self.note(Note::Target, target);
        self.record.received_bytes = bytes.len() as u64;
    }

    /// The text noted, as long as the request lasts.
    pub(super) fn noted(&self, note: Note) -> &[u8] {
        let (start, length) = self.spans[note as usize];
        self.notes
            .get(start as usize..(start + length) as usize)
            .unwrap_or_default()
    }

    pub(super) fn route(&mut self, labels: LabelId, listener: ListenerIndex) {
        self.record.labels = labels;
        self.listener = Some(listener);
    }

    /// The listener that took the request, if one did.
    pub(super) fn listener(&self) -> Option<ListenerIndex> {
        self.listener
    }

    pub(super) fn set_status(&mut self, status: u16) {
        self.record.status = status;
    }

    pub(super) fn fail(&mut self, failure: Failure) {
        self.record.failure = Some(failure);
    }

    /// The client left, or could not be told: whatever was sent, 499 is what counts.
    pub(super) fn lose_client(&mut self, failure: Failure) {
        self.record.status = 499;
        self.record.failure = Some(failure);
    }

    pub(super) fn add_received(&mut self, bytes: usize) {
        self.record.received_bytes += bytes as u64;
    }

    /// Whether the client has been sent anything.
    pub(super) fn has_sent(&self) -> bool {
        self.first_sent.is_some()
    }

    pub(super) fn add_sent(&mut self, bytes: usize) {
        if self.first_sent.is_none() {
            self.first_sent = Some(now());
        }
        self.record.sent_bytes += bytes as u64;
    }

    pub(super) fn set_attempt(&mut self, number: usize, attempt: UpstreamAttempt) {
        if let Some(slot) = self.record.attempts.get_mut(number) {
            *slot = Some(attempt);
        }
    }

    /// The server of the last attempt.
    pub(super) fn last_server(&self) -> Option<SocketAddr> {
        let attempts = self.record.attempts.iter().flatten();
        attempts.last().map(|attempt| attempt.server)
    }

    /// The attempt of this number, as far as it has been told.
    pub(super) fn attempt_mut(&mut self, number: usize) -> Option<&mut UpstreamAttempt> {
        self.record.attempts.get_mut(number)?.as_mut()
    }

    fn write(&mut self, batch: &mut RecordBatch, now: Instant) {
        let notes = &self.notes;
        let mut text = |note: Note| {
            let (start, length) = self.spans[note as usize];
            batch.text(
                notes
                    .get(start as usize..(start + length) as usize)
                    .unwrap_or_default(),
            )
        };
        let record = &mut self.record;
        record.method = text(Note::Method);
        record.target = text(Note::Target);
        record.sent_path = text(Note::SentPath);
        record.query = text(Note::Query);
        record.host = text(Note::Host);
        record.sent_host = text(Note::SentHost);
        record.user_agent = text(Note::UserAgent);
        record.content_type = text(Note::ContentType);
        record.total_micros = micros(now.saturating_duration_since(self.started));
        record.answer_micros = self
            .first_sent
            .map_or(0, |first| micros(now.saturating_duration_since(first)));
        batch.push(self.record);
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        let now = now();
        let core = Rc::clone(&self.core);
        core.record(|batch| self.write(batch, now));
        core.keep_text(std::mem::take(&mut self.notes));
    }
}

/// In microseconds; more than an hour and eleven minutes counts as that.
pub(super) fn micros(duration: std::time::Duration) -> u32 {
    u32::try_from(duration.as_micros()).unwrap_or(u32::MAX)
}
