//! Who may have a connection, and which one gives way where all places are taken: nobody keeps
//! others out by holding connections, with a token or without.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use crate::client_network;

/// How long one that was told to leave is waited for before another is told.
const LEAVING_PATIENCE: Duration = Duration::from_millis(200);

/// Most connections of one address that were told to leave and are still there. For one more
/// nobody is told: what they hold counts until it is free.
const LEAVING_MAX: usize = 16;

/// The places of all connections.
#[derive(Debug)]
pub(crate) struct Places {
    room: Arc<Semaphore>,
    /// Most connections of one client network, those that are about to leave not among them.
    of_one_network: usize,
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
    network: IpAddr,
    standing: Arc<Standing>,
}

/// One connection's place, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    places: Arc<Places>,
    number: u64,
    standing: Arc<Standing>,
    _room: OwnedSemaphorePermit,
}

/// What a connection is to us.
#[derive(Debug)]
pub(crate) struct Standing {
    state: Mutex<State>,
    told: Notify,
}

#[derive(Clone, Copy, Debug)]
struct State {
    /// Whether a request had a good token.
    is_known: bool,
    /// Whether a request is being carried out, or its answer is under way.
    is_served: bool,
    /// Since when that is not so.
    quiet_since: Instant,
    must_leave: bool,
}

/// While it exists, what a connection asked for is carried out.
pub(crate) struct Service(Arc<Standing>);

/// How many connections a client network has.
#[derive(Clone, Copy, Default)]
struct Count {
    staying: usize,
    leaving: usize,
}

impl Places {
    /// `all`: most connections at a time.
    pub(crate) fn new(all: usize, of_one_network: usize) -> Arc<Self> {
        Arc::new(Self {
            room: Arc::new(Semaphore::new(all)),
            of_one_network,
            taken: Mutex::default(),
        })
    }

    /// A place for a connection from `address`; waits while all are taken. `None` where its network
    /// has its share, and none of its connections can leave.
    pub(crate) async fn take(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let network = client_network::of(address);
        let leaves = self.make_room_within(network)?;
        // One that leaves its network's share leaves its place to all, too.
        let room = self.room(leaves).await?;
        Some(self.seat(network, room))
    }

    /// Returns when every place is empty; nobody may take one any more.
    pub(crate) async fn emptied(&self, all: usize) {
        let all = u32::try_from(all).unwrap_or(u32::MAX);
        // It is never closed.
        let _ = self.room.acquire_many(all).await;
    }

    /// Sees to it that the network may have one more. Whether another of its connections leaves for
    /// that; `None` where none can.
    fn make_room_within(&self, network: IpAddr) -> Option<bool> {
        let mut taken = self.taken();
        let count = taken.count(network);
        if count.staying < self.of_one_network {
            return Some(false);
        }
        let can_leave = count.leaving < LEAVING_MAX;
        (can_leave && taken.send_away(network)).then_some(true)
    }

    async fn room(&self, mut somebody_leaves: bool) -> Option<OwnedSemaphorePermit> {
        if let Ok(room) = Arc::clone(&self.room).try_acquire_owned() {
            return Some(room);
        }
        loop {
            if !somebody_leaves {
                self.taken().send_one_away();
            }
            somebody_leaves = false;
            let room = Arc::clone(&self.room).acquire_owned();
            if let Ok(room) = tokio::time::timeout(LEAVING_PATIENCE, room).await {
                return room.ok();
            }
        }
    }

    fn seat(self: &Arc<Self>, network: IpAddr, room: OwnedSemaphorePermit) -> Place {
        let standing = Standing::of_a_stranger();
        let mut taken = self.taken();
        let number = taken.next;
        taken.next += 1;
        let entry = Entry {
            network,
            standing: Arc::clone(&standing),
        };
        taken.by_number.insert(number, entry);
        Place {
            places: Arc::clone(self),
            number,
            standing,
            _room: room,
        }
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    fn count(&self, network: IpAddr) -> Count {
        let mut count = Count::default();
        for entry in self.by_number.values() {
            if entry.network == network {
                count.add(entry);
            }
        }
        count
    }

    /// Tells one connection of those that hold the most to leave, if there is one that can.
    fn send_one_away(&mut self) {
        let mut counts: HashMap<IpAddr, usize> = HashMap::new();
        for entry in self.by_number.values() {
            *counts.entry(entry.network).or_default() += 1;
        }
        let mut networks: Vec<_> = counts.into_iter().collect();
        networks.sort_by_key(|(network, count)| (std::cmp::Reverse(*count), *network));
        let mut networks = networks.into_iter().map(|(network, _)| network);
        let _ = networks.any(|network| self.send_away(network));
    }

    /// Tells one connection of this network to leave: the oldest on which no request had a good
    /// token, or else the one that has been quiet for longest. Whether there is one.
    fn send_away(&mut self, network: IpAddr) -> bool {
        let own = self
            .by_number
            .iter()
            .filter(|(_, entry)| entry.network == network);
        let ranked = own.filter_map(|(number, entry)| Some((entry.standing.rank()?, *number)));
        let Some(((is_known, _), number)) = ranked.min() else {
            return false;
        };
        if let Some(entry) = self.by_number.get(&number) {
            entry.standing.tell_to_leave();
        }
        // A stranger is gone at once.
        if !is_known {
            self.by_number.remove(&number);
        }
        true
    }
}

impl Count {
    fn add(&mut self, entry: &Entry) {
        match entry.standing.state().must_leave {
            true => self.leaving += 1,
            false => self.staying += 1,
        }
    }
}

impl Place {
    pub(crate) fn standing(&self) -> Arc<Standing> {
        Arc::clone(&self.standing)
    }

    /// Returns when the connection must leave; never, where nobody tells it to.
    pub(crate) async fn must_leave(&self) {
        loop {
            // Made before the look, so that nothing is missed between the two.
            let told = self.standing.told.notified();
            if self.standing.state().must_leave {
                return;
            }
            told.await;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.taken().by_number.remove(&self.number);
    }
}

impl Standing {
    pub(super) fn of_a_stranger() -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State {
                is_known: false,
                is_served: false,
                quiet_since: Instant::now(),
                must_leave: false,
            }),
            told: Notify::new(),
        })
    }

    /// Whether a request on it had a good token.
    pub(crate) fn is_known(&self) -> bool {
        self.state().is_known
    }

    /// One that was told to leave stays what it was.
    pub(crate) fn make_known(&self) {
        let mut state = self.state();
        state.is_known |= !state.must_leave;
    }

    /// Whether a request is being carried out, or its answer is under way.
    pub(crate) fn is_served(&self) -> bool {
        self.state().is_served
    }

    /// Something is carried out from now on.
    pub(crate) fn serve(self: &Arc<Self>) -> Service {
        self.state().is_served = true;
        Service(Arc::clone(self))
    }

    fn tell_to_leave(&self) {
        self.state().must_leave = true;
        self.told.notify_waiters();
    }

    /// Who is least gives way first; `None` for those that do not, or were told to already.
    fn rank(&self) -> Option<(bool, Instant)> {
        let state = *self.state();
        let can_leave = !state.must_leave && (!state.is_known || !state.is_served);
        can_leave.then_some((state.is_known, state.quiet_since))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.is_served = false;
        // A stranger gets no longer a stay by asking often.
        if state.is_known {
            state.quiet_since = Instant::now();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
    const THERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::BROADCAST);

    impl Place {
        fn was_told(&self) -> bool {
            self.standing.state().must_leave
        }
    }

    async fn known(places: &Arc<Places>, address: IpAddr) -> Place {
        let place = places.take(address).await.unwrap();
        place.standing.make_known();
        place
    }

    #[tokio::test]
    async fn of_an_address_strangers_give_way_first_and_then_the_quietest() {
        let places = Places::new(9, 3);
        let other = places.take(THERE).await.unwrap();
        let first = known(&places, HERE).await;
        let second = known(&places, HERE).await;
        let stranger = places.take(HERE).await.unwrap();
        drop(first.standing.serve());
        let third = known(&places, HERE).await;
        assert!(stranger.was_told(), "a stranger, though others are older");
        let service = second.standing.serve();
        drop(third.standing.serve());
        let fourth = known(&places, HERE).await;
        assert!(first.was_told(), "what is carried out is not cut");
        drop(service);
        let fifth = known(&places, HERE).await;
        assert!(third.was_told(), "the quietest");
        let standings = [second.standing(), fourth.standing(), fifth.standing()];
        let services: Vec<_> = standings.iter().map(Standing::serve).collect();
        assert!(places.take(HERE).await.is_none(), "all are served");
        assert!(!second.was_told() && !other.was_told());
        assert!(places.take(THERE).await.is_some());
        drop((services, second));
        assert!(places.take(HERE).await.is_some());
    }

    /// Else one address would have its share, and with those that take their time to leave all the
    /// rest.
    #[tokio::test]
    async fn those_that_were_told_and_stay_count_for_their_address() {
        let places = Places::new(99, 2);
        let mut held = Vec::new();
        for _ in 0..2 + LEAVING_MAX {
            held.push(known(&places, HERE).await);
        }
        assert!(places.take(HERE).await.is_none());
        let told = held.iter().filter(|place| place.was_told()).count();
        assert_eq!(told, LEAVING_MAX);
        drop(held.remove(0));
        let last = places.take(HERE).await;
        assert!(last.is_some());
        let told = || held.iter().filter(|place| place.was_told()).count();
        let before = told();
        drop(last);
        assert!(places.take(HERE).await.is_some());
        assert_eq!(
            told(),
            before,
            "those that leave are none of those that stay"
        );
    }

    #[tokio::test]
    async fn a_whole_network_has_one_share() {
        let places = Places::new(9, 1);
        let first = places.take("2001:db8::1".parse().unwrap()).await.unwrap();
        let second = places.take("2001:db8::2".parse().unwrap()).await.unwrap();
        assert!(first.was_told());
        let _third = places.take("2001:db8:0:1::1".parse().unwrap()).await;
        assert!(!second.was_told());
    }

    #[tokio::test(start_paused = true)]
    async fn where_all_places_are_taken_one_of_those_leaves_who_hold_most() {
        let places = Places::new(3, 2);
        let stranger = places.take(THERE).await.unwrap();
        let first = known(&places, HERE).await;
        let second = known(&places, HERE).await;
        let elsewhere = "192.0.2.1".parse().unwrap();
        let taking = {
            let places = Arc::clone(&places);
            tokio::spawn(async move { places.take(elsewhere).await })
        };
        first.must_leave().await;
        assert!(!second.was_told() && !taking.is_finished());
        // One that does not leave is not waited for alone.
        second.must_leave().await;
        assert!(!stranger.was_told());
        drop(second);
        let last = taking.await.unwrap().unwrap();
        drop((stranger, first, last));
        places.emptied(3).await;
    }

    #[tokio::test]
    async fn one_that_gives_way_to_its_own_address_costs_nobody_elses_place() {
        let places = Places::new(2, 1);
        let other = places.take(THERE).await.unwrap();
        let own = places.take(HERE).await.unwrap();
        let taking = {
            let places = Arc::clone(&places);
            tokio::spawn(async move { places.take(HERE).await.is_some() })
        };
        own.must_leave().await;
        drop(own);
        assert!(taking.await.unwrap());
        assert!(!other.was_told());
    }

    /// It has no time that it could be known in.
    #[tokio::test]
    async fn a_stranger_that_was_told_to_leave_remains_one() {
        let places = Places::new(9, 1);
        let stranger = places.take(HERE).await.unwrap();
        let _next = places.take(HERE).await.unwrap();
        stranger.standing.make_known();
        assert!(!stranger.standing.is_known());
    }
}
