//! Who may have a connection, and which one gives way where all places are taken: nobody keeps
//! others out by holding connections, with a token or without.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

/// How long one that was told to leave is waited for before another is told.
const LEAVING_PATIENCE: Duration = Duration::from_secs(1);

/// The places of all connections.
#[derive(Debug)]
pub(crate) struct Places {
    room: Arc<Semaphore>,
    /// Most connections of one address.
    of_one_address: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    next: u64,
    /// In the order in which they came.
    by_number: BTreeMap<u64, Entry>,
}

#[derive(Debug)]
struct Entry {
    address: IpAddr,
    standing: Arc<Standing>,
    /// What tells it to leave; it is left out of all counts once it was told.
    tell: oneshot::Sender<()>,
}

/// One connection's place, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    places: Arc<Places>,
    number: u64,
    standing: Arc<Standing>,
    told: oneshot::Receiver<()>,
    _room: OwnedSemaphorePermit,
}

/// What a connection is to us.
#[derive(Debug)]
pub(crate) struct Standing {
    is_known: AtomicBool,
    quiet: Mutex<Quiet>,
}

#[derive(Clone, Copy, Debug)]
struct Quiet {
    /// Since when nothing was carried out on it.
    since: Instant,
    is_served: bool,
}

/// While it exists, what a connection asked for is carried out.
pub(crate) struct Service<'a>(&'a Standing);

impl Places {
    /// `all`: most connections at a time.
    pub(crate) fn new(all: usize, of_one_address: usize) -> Arc<Self> {
        Arc::new(Self {
            room: Arc::new(Semaphore::new(all)),
            of_one_address,
            taken: Mutex::default(),
        })
    }

    /// A place for a connection from `address`; waits while all are taken. `None` where the address
    /// has its share, and something is being carried out on each of its connections.
    pub(crate) async fn take(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let is_own = |other: IpAddr| other == address;
        let is_full = self.count(is_own) >= self.of_one_address;
        if is_full && !self.send_away(is_own) {
            return None;
        }
        // One that leaves its address's share leaves its place to all, too.
        let room = self.room(is_full).await?;
        Some(self.seat(address, room))
    }

    /// Returns when every place is empty; nobody may take one any more.
    pub(crate) async fn emptied(&self, all: usize) {
        let all = u32::try_from(all).unwrap_or(u32::MAX);
        // It is never closed.
        let _ = self.room.acquire_many(all).await;
    }

    async fn room(&self, mut somebody_leaves: bool) -> Option<OwnedSemaphorePermit> {
        if let Ok(room) = Arc::clone(&self.room).try_acquire_owned() {
            return Some(room);
        }
        loop {
            if !somebody_leaves {
                self.send_away(|_| true);
            }
            somebody_leaves = false;
            let room = Arc::clone(&self.room).acquire_owned();
            if let Ok(room) = tokio::time::timeout(LEAVING_PATIENCE, room).await {
                return room.ok();
            }
        }
    }

    fn seat(self: &Arc<Self>, address: IpAddr, room: OwnedSemaphorePermit) -> Place {
        let (tell, told) = oneshot::channel();
        let standing = Arc::new(Standing::stranger());
        let mut taken = self.taken();
        let number = taken.next;
        taken.next += 1;
        let entry = Entry {
            address,
            standing: Arc::clone(&standing),
            tell,
        };
        taken.by_number.insert(number, entry);
        Place {
            places: Arc::clone(self),
            number,
            standing,
            told,
            _room: room,
        }
    }

    fn count(&self, is_meant: impl Fn(IpAddr) -> bool) -> usize {
        let taken = self.taken();
        let meant = |entry: &&Entry| is_meant(entry.address);
        taken.by_number.values().filter(meant).count()
    }

    /// Tells one connection whose address is meant to leave: the oldest on which no request had a
    /// good token, or else the one that has been quiet for longest. Whether there is one.
    fn send_away(&self, is_meant: impl Fn(IpAddr) -> bool) -> bool {
        let mut taken = self.taken();
        let meant = taken
            .by_number
            .iter()
            .filter(|(_, entry)| is_meant(entry.address));
        let quiet = meant.filter_map(|(number, entry)| Some((entry.standing.rank()?, *number)));
        let Some((_, number)) = quiet.min() else {
            return false;
        };
        // Where it has just ended by itself, the same is achieved.
        taken
            .by_number
            .remove(&number)
            .map(|entry| entry.tell.send(()))
            .is_some()
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    pub(crate) fn standing(&self) -> Arc<Standing> {
        Arc::clone(&self.standing)
    }

    /// Returns when the connection must leave; never, where nobody tells it to.
    pub(crate) async fn must_leave(&mut self) {
        if (&mut self.told).await.is_err() {
            std::future::pending().await
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.taken().by_number.remove(&self.number);
    }
}

impl Standing {
    fn stranger() -> Self {
        Self {
            is_known: AtomicBool::new(false),
            quiet: Mutex::new(Quiet {
                since: Instant::now(),
                is_served: false,
            }),
        }
    }

    /// Whether a request on it had a good token.
    pub(crate) fn is_known(&self) -> bool {
        self.is_known.load(Ordering::Relaxed)
    }

    pub(crate) fn make_known(&self) {
        self.is_known.store(true, Ordering::Relaxed);
    }

    /// Something is carried out from now on.
    pub(crate) fn serve(&self) -> Service<'_> {
        self.quiet().is_served = true;
        Service(self)
    }

    /// Who is least gives way first; `None` for those that do not.
    fn rank(&self) -> Option<(bool, Instant)> {
        let quiet = *self.quiet();
        let is_known = self.is_known();
        (!is_known || !quiet.is_served).then_some((is_known, quiet.since))
    }

    fn quiet(&self) -> MutexGuard<'_, Quiet> {
        self.quiet.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Service<'_> {
    fn drop(&mut self) {
        let mut quiet = self.0.quiet();
        quiet.is_served = false;
        // A stranger gets no longer a stay by asking often.
        if self.0.is_known() {
            quiet.since = Instant::now();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
    const THERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::BROADCAST);

    impl Place {
        fn was_told(&mut self) -> bool {
            self.told.try_recv().is_ok()
        }
    }

    #[tokio::test]
    async fn of_an_address_strangers_give_way_first_and_then_the_quietest() {
        let places = Places::new(9, 3);
        let mut other = places.take(THERE).await.unwrap();
        let mut first = places.take(HERE).await.unwrap();
        let mut second = places.take(HERE).await.unwrap();
        let mut stranger = places.take(HERE).await.unwrap();
        for known in [&first, &second] {
            known.standing.make_known();
        }
        drop(first.standing.serve());
        let mut third = places.take(HERE).await.unwrap();
        assert!(stranger.was_told(), "a stranger, though others are older");
        third.standing.make_known();
        let served = second.standing();
        let service = served.serve();
        drop(third.standing.serve());
        let fourth = places.take(HERE).await.unwrap();
        assert!(first.was_told(), "what is carried out is not cut");
        fourth.standing.make_known();
        drop(service);
        let fifth = places.take(HERE).await.unwrap();
        assert!(third.was_told(), "the quietest");
        fifth.standing.make_known();
        let standings = [second.standing(), fourth.standing(), fifth.standing()];
        let services: Vec<_> = standings.iter().map(|one| one.serve()).collect();
        assert!(places.take(HERE).await.is_none(), "all are served");
        assert!(!second.was_told() && !other.was_told());
        assert!(places.take(THERE).await.is_some());
        drop((services, second));
        assert!(places.take(HERE).await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn where_all_places_are_taken_the_next_one_waits_for_one_to_leave() {
        let places = Places::new(2, 2);
        let mut oldest = places.take(THERE).await.unwrap();
        let mut other = places.take(HERE).await.unwrap();
        let taking = {
            let places = Arc::clone(&places);
            tokio::spawn(async move { places.take(HERE).await })
        };
        oldest.must_leave().await;
        assert!(!other.was_told() && !taking.is_finished());
        // One that does not leave is not waited for alone.
        other.must_leave().await;
        drop(other);
        let third = taking.await.unwrap().unwrap();
        drop((oldest, third));
        places.emptied(2).await;
    }

    #[tokio::test]
    async fn one_that_gives_way_to_its_own_address_costs_nobody_elses_place() {
        let places = Places::new(2, 1);
        let mut other = places.take(THERE).await.unwrap();
        let mut own = places.take(HERE).await.unwrap();
        let taking = {
            let places = Arc::clone(&places);
            tokio::spawn(async move { places.take(HERE).await.is_some() })
        };
        own.must_leave().await;
        drop(own);
        assert!(taking.await.unwrap());
        assert!(!other.was_told());
    }
}
