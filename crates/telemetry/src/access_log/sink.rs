//! The thread that writes the access log.

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::encode::AccessLogEncoder;
use super::file::{RotatingFile, Rotation};
use crate::{LabelRegistry, Received, RecentRequests, RecordBatch, RecordReceiver, RequestTotals};

/// Longest time that a line waits to be written.
const FLUSH_AFTER: Duration = Duration::from_millis(200);

/// How much is gathered before it is written, in bytes.
const BUFFER_BYTES: usize = 64 * 1024;

/// Room that is made for the buffer: what is gathered, and the line that goes beyond.
const BUFFER_ROOM: usize = BUFFER_BYTES + 16 * 1024;

/// How often the same trouble is told.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// Where the access log goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccessLogTarget {
    /// Requests are counted, not logged.
    Nowhere,
    Stdout,
    File(PathBuf, Rotation),
}

/// The running access log: counts every record that comes out of its channel, and writes the line
/// of each.
#[derive(Debug)]
pub struct AccessLog {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    totals: RequestTotals,
    recent: RecentRequests,
    written: AtomicU64,
    lost: AtomicU64,
    dropped: AtomicU64,
    error: Mutex<Option<String>>,
}

/// How the access log is doing. Numbers are lines since the process began.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccessLogStatus {
    pub written: u64,
    /// Lines that could not be written (a full disk).
    pub lost: u64,
    /// Records that never came, because the writer was behind.
    pub dropped: u64,
    /// Why the last attempt to write failed; `None` when it did not.
    pub error: Option<String>,
}

impl AccessLog {
    /// Starts the thread. The log ends when [`close`](Self::close) is called or every sender of
    /// the channel is gone.
    ///
    /// # Errors
    /// When the file cannot be opened or the thread cannot be started.
    pub fn start(
        target: AccessLogTarget,
        registry: Arc<LabelRegistry>,
        records: RecordReceiver,
    ) -> io::Result<Self> {
        let output = match target {
            AccessLogTarget::Nowhere => None,
            AccessLogTarget::Stdout => Some(Output::Stdout(io::stdout())),
            AccessLogTarget::File(path, rotation) => {
                Some(Output::File(RotatingFile::open(path, rotation)?))
            }
        };
        let shared = Arc::new(Shared::default());
        let writer = Writer::new(output, registry, records, Arc::clone(&shared));
        let thread = thread::Builder::new()
            .name("access-log".into())
            .spawn(move || writer.run())?;
        Ok(Self {
            shared,
            thread: Mutex::new(Some(thread)),
        })
    }

    pub fn totals(&self) -> &RequestTotals {
        &self.shared.totals
    }

    /// The requests that came out of the channel last.
    pub fn recent(&self) -> &RecentRequests {
        &self.shared.recent
    }

    pub fn status(&self) -> AccessLogStatus {
        let shared = &self.shared;
        let error = shared.error.lock().unwrap_or_else(PoisonError::into_inner);
        AccessLogStatus {
            written: shared.written.load(Ordering::Relaxed),
            lost: shared.lost.load(Ordering::Relaxed),
            dropped: shared.dropped.load(Ordering::Relaxed),
            error: error.clone(),
        }
    }

    /// Writes everything that was submitted before, and ends; what is submitted later is dropped.
    /// Takes up to 200 ms longer than the writing.
    pub fn close(&self) {
        self.shared.stop.store(true, Ordering::Release);
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(thread) = thread.take() {
            // A panic of the writer was printed when it happened.
            let _ = thread.join();
        }
    }
}

enum Output {
    Stdout(io::Stdout),
    File(RotatingFile),
    #[cfg(test)]
    Test(Box<dyn Write + Send>),
}

impl Output {
    /// Appends all of `bytes`. On failure also says how many of them were written.
    fn append(&mut self, bytes: &[u8]) -> Result<(), (usize, io::Error)> {
        let (writer, prepared): (&mut dyn Write, _) = match self {
            Self::Stdout(stdout) => (stdout, Ok(())),
            #[cfg(test)]
            Self::Test(writer) => (writer, Ok(())),
            Self::File(file) => {
                let prepared = file.prepare(bytes.len() as u64);
                (file, prepared)
            }
        };
        let mut done = 0;
        while let Some(rest) = bytes.get(done..).filter(|rest| !rest.is_empty()) {
            match writer.write(rest) {
                Ok(0) => return Err((done, io::ErrorKind::WriteZero.into())),
                Ok(count) => done += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err((done, error)),
            }
        }
        writer.flush().map_err(|error| (done, error))?;
        // The lines are safe in the old file when a new one could not be made.
        prepared.map_err(|error| (done, error))
    }
}

struct Writer {
    records: RecordReceiver,
    shared: Arc<Shared>,
    encoder: AccessLogEncoder,
    output: Option<Output>,
    buffer: Vec<u8>,
    /// Since when the oldest line in the buffer has been there.
    oldest: Option<Instant>,
    /// Whether the output ends within a line.
    torn: bool,
    told_error: Option<Instant>,
    told_dropped: Option<(Instant, u64)>,
}

impl Writer {
    fn new(
        output: Option<Output>,
        registry: Arc<LabelRegistry>,
        records: RecordReceiver,
        shared: Arc<Shared>,
    ) -> Self {
        Self {
            records,
            shared,
            encoder: AccessLogEncoder::new(registry),
            output,
            buffer: Vec::with_capacity(BUFFER_ROOM),
            oldest: None,
            torn: false,
            told_error: None,
            told_dropped: None,
        }
    }

    fn run(mut self) {
        loop {
            let patience = self.oldest.map_or(FLUSH_AFTER, |oldest| {
                FLUSH_AFTER.saturating_sub(oldest.elapsed())
            });
            match self.records.recv_timeout(patience) {
                Received::Batch(batch) => self.take(batch),
                Received::Nothing => self.write_out(),
                Received::Closed => break,
            }
            let due = self
                .oldest
                .is_some_and(|oldest| oldest.elapsed() >= FLUSH_AFTER);
            if due || self.buffer.len() >= BUFFER_BYTES {
                self.write_out();
            }
            self.tell_dropped();
            if self.shared.stop.load(Ordering::Acquire) {
                while let Received::Batch(batch) = self.records.try_recv() {
                    self.take(batch);
                }
                break;
            }
        }
        self.write_out();
        self.tell_dropped();
    }

    fn take(&mut self, batch: RecordBatch) {
        self.shared.totals.count(&batch);
        self.shared.recent.take(&batch);
        if self.output.is_some() {
            for record in batch.records() {
                self.encoder.encode(&batch, record, &mut self.buffer);
                if self.buffer.len() >= BUFFER_BYTES {
                    self.write_out();
                }
            }
            if !self.buffer.is_empty() {
                self.oldest.get_or_insert_with(Instant::now);
            }
        }
        self.records.recycle(batch);
    }

    fn write_out(&mut self) {
        self.oldest = None;
        let Some(output) = self.output.as_mut().filter(|_| !self.buffer.is_empty()) else {
            return;
        };
        let mut result = Ok(());
        if self.torn {
            result = output.append(b"\n").map_err(|(_, error)| (0, error));
        }
        if result.is_ok() {
            self.torn = false;
            result = output.append(&self.buffer);
        }
        let done = match &result {
            Ok(()) => self.buffer.len(),
            Err((done, _)) => *done,
        };
        let (written, rest) = self.buffer.split_at(done);
        self.torn = written.last().map_or(self.torn, |last| *last != b'\n');
        self.shared
            .written
            .fetch_add(lines(written), Ordering::Relaxed);
        let lost = lines(rest);
        self.shared.lost.fetch_add(lost, Ordering::Relaxed);
        self.buffer.clear();
        self.note(result.err().map(|(_, error)| error));
    }

    /// Keeps why writing failed, for `status`, and tells it now and then.
    fn note(&mut self, error: Option<io::Error>) {
        let text = error.as_ref().map(ToString::to_string);
        *self
            .shared
            .error
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = text;
        let Some(error) = error else { return };
        if self
            .told_error
            .is_none_or(|told| told.elapsed() >= TELL_EVERY)
        {
            self.told_error = Some(Instant::now());
            let lost = self.shared.lost.load(Ordering::Relaxed);
            tracing::error!("the access log cannot be written ({error}); {lost} lines are lost");
        }
    }

    fn tell_dropped(&mut self) {
        let dropped = self.records.dropped();
        self.shared.dropped.store(dropped, Ordering::Relaxed);
        let (told, before) = self.told_dropped.map_or((None, 0), |(at, n)| (Some(at), n));
        if dropped > before && told.is_none_or(|told| told.elapsed() >= TELL_EVERY) {
            self.told_dropped = Some((Instant::now(), dropped));
            let more = dropped - before;
            tracing::warn!(
                "the access log is behind: the records of {more} requests were dropped ({dropped} \
                 since the start)"
            );
        }
    }
}

fn lines(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|byte| **byte == b'\n').count() as u64
}

#[cfg(test)]
#[path = "sink_tests.rs"]
mod tests;
