//! Who may have a connection, and which one gives way where all places are taken: nobody keeps
//! others out by holding connections, with a token or without.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use crate::client_network;

/// How long one that was told to leave is waited for before another is told.
const LEAVING_PATIENCE: Duration = Duration::from_millis(200);

/// Most connections of one network that were told to leave and are still there. For one more
/// nobody is told: what they hold counts until it is free.
const LEAVING_MAX: usize = 16;

/// Of places that were never taken, or are about to be free: as many are kept where there are at
/// least eight times as many in all, so that nobody who comes waits for somebody to go.
const RESERVE_MAX: usize = 16;

/// Networks with so many connections are alike to the choice of who gives way: a client that opens
/// a few at a time is not the first of many that open one each.
const FEW: usize = 8;

/// The places of all connections.
#[derive(Debug)]
pub(crate) struct Places {
    room: Arc<Semaphore>,
    /// Places that are kept free for who comes next.
    reserve: usize,
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
    /// Whether a request is being carried out.
    is_served: bool,
    /// Whether an answer is under way, up to its last piece.
    is_answered: bool,
    /// Since when nothing was carried out.
    quiet_since: Instant,
    must_leave: bool,
}

/// While it exists, what a connection asked for is carried out: until it is made an [`Answering`].
pub(crate) struct Service(Arc<Standing>);

/// While it exists, an answer is under way.
pub(crate) struct Answering(Arc<Standing>);

/// Who is least gives way first: strangers, then those that get no answer, then the quietest.
type Rank = (bool, bool, Instant);

/// Who was told to leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Stranger,
    Known,
}

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
            reserve: RESERVE_MAX.min(all / 8),
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
        self.keep_reserve();
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

    /// Sees to it that there is room for those who come next.
    fn keep_reserve(&self) {
        let mut taken = self.taken();
        let leaving = taken
            .by_number
            .values()
            .filter(|one| one.standing.must_leave())
            .count();
        if self.room.available_permits() + leaving < self.reserve {
            taken.send_one_away();
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

    /// Tells one connection to leave, if there is one that can: a stranger of the network that has
    /// the most of them, or else one of the network that has the most.
    fn send_one_away(&mut self) {
        let mut counts: HashMap<(bool, IpAddr), usize> = HashMap::new();
        let ranked: Vec<_> = self.ranked(|_| true).collect();
        for (rank, _, network) in &ranked {
            *counts.entry((rank.0, *network)).or_default() += 1;
        }
        let by_count = ranked.into_iter().map(|(rank, number, network)| {
            let count = counts.get(&(rank.0, network)).copied().unwrap_or_default();
            ((rank.0, Reverse(count.max(FEW)), rank), number)
        });
        if let Some((_, number)) = by_count.min() {
            self.tell(number);
        }
    }

    /// Tells one connection of this network to leave: the oldest on which no request had a good
    /// token, or else the one that has been quiet for longest. Whether there is one.
    fn send_away(&mut self, network: IpAddr) -> bool {
        let own = self.ranked(|own| own == network);
        let least = own.map(|(rank, number, _)| (rank, number)).min();
        match least {
            Some((_, number)) => self.tell(number),
            None => false,
        }
    }

    /// Those that can be told to leave.
    fn ranked(
        &self,
        is_meant: impl Fn(IpAddr) -> bool,
    ) -> impl Iterator<Item = (Rank, u64, IpAddr)> {
        let entries = self.by_number.iter();
        let meant = entries.filter(move |(_, entry)| is_meant(entry.network));
        meant.filter_map(|(number, entry)| Some((entry.standing.rank()?, *number, entry.network)))
    }

    /// Tells a connection to leave. Whether it could be told.
    fn tell(&mut self, number: u64) -> bool {
        let told = self
            .by_number
            .get(&number)
            .and_then(|one| one.standing.tell_to_leave());
        if told == Some(Told::Stranger) {
            // It is gone at once.
            self.by_number.remove(&number);
        }
        told.is_some()
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
                is_answered: false,
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

    /// Whether it is known from now on: a stranger that was told to leave stays one.
    pub(crate) fn make_known(&self) -> bool {
        let mut state = self.state();
        state.is_known |= !state.must_leave;
        state.is_known
    }

    /// Whether a request is being carried out.
    pub(crate) fn is_served(&self) -> bool {
        self.state().is_served
    }

    /// Whether an answer is under way, up to its last piece.
    pub(crate) fn is_answered(&self) -> bool {
        self.state().is_answered
    }

    fn must_leave(&self) -> bool {
        self.state().must_leave
    }

    /// Something is carried out from now on.
    pub(crate) fn serve(self: &Arc<Self>) -> Service {
        self.state().is_served = true;
        Service(Arc::clone(self))
    }

    /// Tells it, where it can still be told.
    fn tell_to_leave(&self) -> Option<Told> {
        let mut state = self.state();
        state.rank()?;
        state.must_leave = true;
        let told = match state.is_known {
            true => Told::Known,
            false => Told::Stranger,
        };
        drop(state);
        self.told.notify_waiters();
        Some(told)
    }

    fn rank(&self) -> Option<Rank> {
        self.state().rank()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// `None` for those that do not give way, or were told to already.
    fn rank(&self) -> Option<Rank> {
        let can_leave = !self.must_leave && (!self.is_known || !self.is_served);
        can_leave.then_some((self.is_known, self.is_answered, self.quiet_since))
    }
}

impl Service {
    /// What was asked for is done; its answer is under way.
    pub(crate) fn answer(self) -> Answering {
        self.0.state().is_answered = true;
        Answering(Arc::clone(&self.0))
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.state().is_answered = false;
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
    async fn where_all_places_are_taken_the_next_one_waits_for_one_to_leave() {
        let places = Places::new(2, 2);
        let first = known(&places, HERE).await;
        let second = known(&places, HERE).await;
        let taking = {
            let places = Arc::clone(&places);
            tokio::spawn(async move { places.take(THERE).await })
        };
        first.must_leave().await;
        assert!(!second.was_told() && !taking.is_finished());
        // One that does not leave is not waited for alone.
        second.must_leave().await;
        drop(second);
        let last = taking.await.unwrap().unwrap();
        drop((first, last));
        places.emptied(2).await;
    }

    fn without_reserve(all: usize, of_one_network: usize) -> Arc<Places> {
        let mut places = Places::new(all, of_one_network);
        Arc::get_mut(&mut places).unwrap().reserve = 0;
        places
    }

    fn elsewhere(number: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, number])
    }

    /// Else whoever has many networks, and no token, would drive out all others.
    #[tokio::test(start_paused = true)]
    async fn strangers_of_many_networks_give_way_to_each_other() {
        let places = without_reserve(FEW + 2, 9);
        let own = known(&places, HERE).await;
        let mut fresh = Vec::new();
        let mut many = Vec::new();
        many.push(places.take(elsewhere(0)).await.unwrap());
        for _ in 0..FEW {
            fresh.push(places.take(HERE).await.unwrap());
        }
        let taking = {
            let places = Arc::clone(&places);
            tokio::spawn(async move { places.take(elsewhere(1)).await })
        };
        many[0].must_leave().await;
        drop(many);
        let next = taking.await.unwrap().unwrap();
        assert!(!own.was_told() && fresh.iter().all(|one| !one.was_told()));
        drop(next);
    }

    #[tokio::test(start_paused = true)]
    async fn the_network_that_holds_most_gives_way() {
        let places = without_reserve(2 * FEW + 1, 2 * FEW);
        let mut others = vec![known(&places, THERE).await];
        let mut held = Vec::new();
        for _ in 0..=FEW {
            held.push(known(&places, HERE).await);
        }
        while others.len() < FEW {
            others.push(known(&places, THERE).await);
        }
        let taking = {
            let places = Arc::clone(&places);
            tokio::spawn(async move { places.take(elsewhere(1)).await })
        };
        held[0].must_leave().await;
        drop(held);
        assert!(taking.await.unwrap().is_some());
        assert!(others.iter().all(|one| !one.was_told()));
    }

    /// So that nobody who comes has to wait.
    #[tokio::test]
    async fn some_places_are_kept_free() {
        let places = Places::new(8 * RESERVE_MAX, 8 * RESERVE_MAX);
        let mut held = Vec::new();
        for _ in 0..8 * RESERVE_MAX {
            held.push(known(&places, HERE).await);
            held.retain(|place| !place.was_told());
        }
        assert_eq!(held.len(), 7 * RESERVE_MAX);
    }

    /// Whoever takes an answer slowly holds no place for that.
    #[tokio::test]
    async fn one_whose_answer_is_under_way_gives_way_after_quiet_ones() {
        let places = Places::new(9, 2);
        let slow = known(&places, HERE).await;
        let answering = slow.standing.serve().answer();
        assert!(!slow.standing.is_served() && slow.standing.is_answered());
        let quiet = known(&places, HERE).await;
        let third = known(&places, HERE).await;
        assert!(quiet.was_told() && !slow.was_told());
        let service = third.standing.serve();
        let _fourth = places.take(HERE).await.unwrap();
        assert!(slow.was_told());
        drop((answering, service));
        assert!(!slow.standing.is_answered());
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
        assert!(!stranger.standing.make_known());
        assert!(!stranger.standing.is_known());
    }
}
