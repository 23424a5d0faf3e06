//! What one worker thread owns: its timers, connections to backends, records. Nothing in here is
//! shared with another thread, so nothing is locked.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ops::Deref;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use bytes::Bytes;
use gatewright_telemetry::{HandshakeTotals, RecordBatch, RecordSender, TraceId};

use crate::io::{Timer, Timers};
use crate::live::{Live, Server, ServerId};
use crate::upstream::ServerSlot;

/// Buffers for heads and notes that a thread keeps for reuse.
const SPARE_TEXTS_MAX: usize = 256;
/// A spare that grew larger than this, in bytes, is given back.
const SPARE_TEXT_BYTES_MAX: usize = 16 * 1024;

/// Custom error pages by their URL.
pub(crate) type ErrorPages = HashMap<String, Bytes>;

/// What all threads see.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) error_pages: ArcSwap<ErrorPages>,
    pub(crate) connections: AtomicU64,
    /// Client connections are accepted below this number: half of the descriptors that this
    /// process may have, since each may need one to a backend.
    pub(crate) connections_max: u64,
    /// Whether answers that are made for a failure say so, in `Proxy-Status`.
    pub(crate) tells_failures: bool,
    /// Serial numbers of client connections.
    pub(crate) next_connection: AtomicU64,
    pub(crate) handshakes: HandshakeTotals,
}

/// Counts one client connection for as long as it lives.
#[derive(Debug)]
pub(crate) struct Counted(Arc<Shared>);

impl Counted {
    pub(crate) fn new(shared: &Arc<Shared>) -> Self {
        shared.connections.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(shared))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A thread's hold on a [`Live`].
#[derive(Debug)]
pub(crate) struct PinnedLive(Arc<Live>);

impl Deref for PinnedLive {
    type Target = Live;

    fn deref(&self) -> &Live {
        &self.0
    }
}

#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) shared: Arc<Shared>,
    pub(crate) timers: Rc<Timers>,
    /// Counted per thread: a count that threads share would be the one thing that all requests
    /// write to.
    live: RefCell<Rc<PinnedLive>>,
    slots: RefCell<HashMap<ServerId, Rc<ServerSlot>, foldhash::fast::RandomState>>,
    /// Until when requests may go on with servers that have left. One that is neither in here nor
    /// in `live` has no time left.
    leaving: RefCell<HashMap<ServerId, Instant>>,
    records: RefCell<RecordBatch>,
    sender: RecordSender,
    texts: RefCell<Vec<Vec<u8>>>,
    random: Cell<[u64; 2]>,
    /// A moment by both clocks, to tell the wall's from the steady one's.
    anchor: Cell<(Instant, u64)>,
    draining: Cell<bool>,
}

impl Core {
    pub(crate) fn new(shared: Arc<Shared>, sender: RecordSender) -> Rc<Self> {
        Rc::new(Self {
            shared,
            timers: Rc::default(),
            live: RefCell::new(Rc::new(PinnedLive(Arc::new(Live::empty())))),
            slots: RefCell::default(),
            leaving: RefCell::default(),
            records: RefCell::default(),
            sender,
            texts: RefCell::default(),
            random: Cell::new(seed()),
            anchor: Cell::new((Instant::now(), unix_micros())),
            draining: Cell::new(false),
        })
    }

    /// The configuration of this moment; who asks keeps it to the end of a request.
    pub(crate) fn live(&self) -> Rc<PinnedLive> {
        Rc::clone(&self.live.borrow())
    }

    /// Whether `server` is in the configuration of this moment, which may be newer than the one
    /// that a request keeps to.
    pub(crate) fn has_server(&self, server: ServerId) -> bool {
        self.live.borrow().has_server(server)
    }

    /// Serves `live` from the next request on. Servers that it does not know any more have their
    /// drain time to finish what they are at.
    pub(crate) fn swap(&self, live: Arc<Live>) {
        let before = self.live.replace(Rc::new(PinnedLive(live)));
        let live = self.live.borrow();
        let mut slots = self.slots.borrow_mut();
        let mut leaving = self.leaving.borrow_mut();
        let now = Instant::now();
        leaving.retain(|_, until| *until > now);
        for (server, drain) in before.drain_timeouts() {
            if live.has_server(server) {
                continue;
            }
            // Also without a slot: a request that keeps to an older configuration may still come.
            leaving.insert(server, now + drain);
            if let Some(slot) = slots.get(&server) {
                slot.close_idle();
                self.timers.limit_group(server.0, drain);
            }
        }
        slots.retain(|server, _| live.has_server(*server) || live.is_draining(*server));
    }

    /// Has `timer` keep to what limits the requests to `server`, those that began before this one
    /// included.
    pub(crate) fn join(&self, timer: &Timer, server: ServerId) {
        timer.join(server.0);
        if !self.has_server(server) {
            let leaving = self.leaving.borrow();
            let until = leaving.get(&server);
            timer.limit(until.map_or(Duration::ZERO, |until| {
                until.saturating_duration_since(Instant::now())
            }));
        }
    }

    /// This thread's connections to `server`.
    pub(crate) fn slot(&self, server: &Server) -> Rc<ServerSlot> {
        let mut slots = self.slots.borrow_mut();
        let slot = slots
            .entry(server.id)
            .or_insert_with(|| Rc::new(ServerSlot::new(server)));
        Rc::clone(slot)
    }

    /// Every tick: timers, idle connections, records that wait for company.
    pub(crate) fn tick(&self) {
        let now = Instant::now();
        self.timers.advance();
        self.anchor.set((now, unix_micros()));
        self.sender.submit(&mut self.records.borrow_mut());
        for slot in self.slots.borrow().values() {
            slot.close_stale(now);
        }
    }

    /// Writes a record into the current batch.
    pub(crate) fn record(&self, write: impl FnOnce(&mut RecordBatch)) {
        let mut batch = self.records.borrow_mut();
        write(&mut batch);
        if batch.is_full() {
            self.sender.submit(&mut batch);
        }
    }

    /// An empty text to write a head or notes into; see [`keep_text`](Self::keep_text).
    pub(crate) fn text(&self) -> Vec<u8> {
        self.texts
            .borrow_mut()
            .pop()
            .unwrap_or_else(|| Vec::with_capacity(1024))
    }

    /// Takes back a text for reuse.
    pub(crate) fn keep_text(&self, mut text: Vec<u8>) {
        let mut texts = self.texts.borrow_mut();
        if texts.len() < SPARE_TEXTS_MAX && text.capacity() <= SPARE_TEXT_BYTES_MAX {
            text.clear();
            texts.push(text);
        }
    }

    /// A number that no two requests share (xoroshiro128+, seeded from the system's randomness).
    pub(crate) fn trace_id(&self) -> TraceId {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&self.random().to_be_bytes());
        id[8..].copy_from_slice(&self.random().to_be_bytes());
        TraceId(id)
    }

    fn random(&self) -> u64 {
        let [a, mut b] = self.random.get();
        let number = a.wrapping_add(b);
        b ^= a;
        self.random
            .set([a.rotate_left(24) ^ b ^ (b << 16), b.rotate_left(37)]);
        number
    }

    /// Microseconds since the Unix epoch at a moment of the recent past.
    pub(crate) fn unix_micros_at(&self, moment: Instant) -> u64 {
        let (instant, micros) = self.anchor.get();
        match moment.checked_duration_since(instant) {
            Some(since) => micros + since.as_micros() as u64,
            None => micros.saturating_sub(instant.duration_since(moment).as_micros() as u64),
        }
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.get()
    }

    /// From now on no connection is kept open after its request, and none has longer than
    /// `patience`.
    pub(crate) fn drain(&self, patience: Duration) {
        self.draining.set(true);
        self.timers.limit_all(patience);
        self.timers.limit_group(crate::io::NO_GROUP, Duration::ZERO);
    }

    pub(crate) fn next_connection(&self) -> u64 {
        self.shared.next_connection.fetch_add(1, Ordering::Relaxed)
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        self.sender.submit(self.records.get_mut());
    }
}

/// Now, in microseconds since the Unix epoch.
pub(crate) fn unix_micros() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_micros() as u64)
}

fn seed() -> [u64; 2] {
    let mut bytes = [0; 16];
    if aws_lc_rs::rand::fill(&mut bytes).is_err() {
        // Trace ids must differ, not be secret.
        bytes[..8].copy_from_slice(&unix_micros().to_be_bytes());
    }
    let (a, b) = bytes.split_at(8);
    let word = |half: &[u8]| {
        half.iter()
            .fold(1, |word, byte| (word << 8) ^ u64::from(*byte))
    };
    [word(a), word(b)]
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use gatewright_telemetry::record_channel;

    use super::*;

    fn core() -> Rc<Core> {
        let shared = Shared {
            error_pages: ArcSwap::default(),
            connections: AtomicU64::new(0),
            connections_max: u64::MAX,
            tells_failures: false,
            next_connection: AtomicU64::new(1),
            handshakes: HandshakeTotals::default(),
        };
        Core::new(Arc::new(shared), record_channel(1).0)
    }

    #[test]
    fn trace_ids_differ() {
        let core = core();
        let ids: HashSet<TraceId> = (0..10_000).map(|_| core.trace_id()).collect();
        assert_eq!(ids.len(), 10_000);
    }

    #[test]
    fn moments_keep_their_distance_on_the_wall_clock() {
        let core = core();
        let now = Instant::now();
        let later = now + Duration::from_millis(5);
        assert_eq!(core.unix_micros_at(later) - core.unix_micros_at(now), 5_000);
    }
}
