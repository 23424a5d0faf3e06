//! A name server for tests: A records from a table that can change while it runs, and failures.
//!
//! One UDP socket on 127.0.0.1; no TCP, no EDNS (an OPT record in a query is ignored, as an old
//! server would). The question is given back byte for byte, so that clients that randomise the
//! case of names are content.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

/// The longest message that is read or written, in bytes: the bound of DNS over UDP.
const MAX_MESSAGE: usize = 512;
/// The longest name in its wire form, in bytes (RFC 1035 §2.3.4).
const MAX_NAME: usize = 255;
/// As many A records as fit in [`MAX_MESSAGE`] beside the longest question.
const MAX_ADDRESSES: usize = (MAX_MESSAGE - HEADER - MAX_NAME - 4) / RECORD;
const HEADER: usize = 12;
/// A compressed name (2), type, class (2 + 2), TTL (4), length (2) and the address (4).
const RECORD: usize = 16;

const TYPE_A: u16 = 1;
const CLASS_IN: u16 = 1;
const SERVER_FAILURE: u8 = 2;
const NO_SUCH_NAME: u8 = 3;
const REFUSED: u8 = 5;

/// How the server, or one name of it, answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mood {
    /// From the table; NXDOMAIN for names that are not in it; no data for other types than A.
    #[default]
    Answering,
    /// SERVFAIL.
    ServerFailure,
    /// NXDOMAIN.
    NoSuchName,
    /// REFUSED.
    Refusing,
    /// Not at all: the client's time runs out.
    Silent,
    /// With bytes that are no DNS message.
    Garbage,
    /// With the truncation flag and no records; there is no TCP to turn to.
    Truncating,
    /// From the table, but under another transaction id, as a clumsy spoofer would.
    WrongId,
}

#[derive(Default)]
struct Zone {
    mood: Mood,
    names: HashMap<String, Entry>,
    queries: HashMap<String, u64>,
    total: u64,
}

#[derive(Default)]
struct Entry {
    addresses: Vec<Ipv4Addr>,
    ttl: u32,
    mood: Mood,
}

/// A running name server. Dropped, it stops.
pub struct Resolver {
    address: SocketAddr,
    zone: Arc<Mutex<Zone>>,
    task: JoinHandle<()>,
}

impl Resolver {
    /// Starts with an empty table on a free UDP port of 127.0.0.1, on the current tokio runtime.
    ///
    /// # Errors
    ///
    /// When no socket can be had.
    pub async fn start() -> io::Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = socket.local_addr()?;
        let zone = Arc::new(Mutex::new(Zone::default()));
        let task = tokio::spawn(serve(socket, Arc::clone(&zone)));
        Ok(Self {
            address,
            zone,
            task,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sets the A records of a name, in the order in which they are answered; `ttl` in seconds.
    /// An empty list makes a name that exists and has no address. Names are compared without
    /// regard to case or a final dot.
    ///
    /// # Panics
    ///
    /// When there are more than 15 addresses: one UDP answer holds no more.
    pub fn set(&self, name: &str, addresses: &[Ipv4Addr], ttl: u32) {
        assert!(
            addresses.len() <= MAX_ADDRESSES,
            "an answer holds {MAX_ADDRESSES} addresses"
        );
        let mut zone = self.zone();
        let entry = zone.names.entry(normal(name)).or_default();
        entry.addresses = addresses.to_vec();
        entry.ttl = ttl;
    }

    /// Forgets a name: NXDOMAIN from now on.
    pub fn remove(&self, name: &str) {
        self.zone().names.remove(&normal(name));
    }

    /// How all names are answered from now on; anything but [`Mood::Answering`] overrules the
    /// moods of single names.
    pub fn set_mood(&self, mood: Mood) {
        self.zone().mood = mood;
    }

    /// How one name is answered from now on. Its records, if any, are kept.
    pub fn set_mood_of(&self, name: &str, mood: Mood) {
        self.zone().names.entry(normal(name)).or_default().mood = mood;
    }

    /// How many queries came, of all types, answered or not.
    pub fn queries(&self) -> u64 {
        self.zone().total
    }

    /// How many queries came for one name, of all types, answered or not.
    pub fn queries_for(&self, name: &str) -> u64 {
        self.zone().queries.get(&normal(name)).copied().unwrap_or(0)
    }

    fn zone(&self) -> MutexGuard<'_, Zone> {
        self.zone.lock().expect("no holder of the lock panics")
    }
}

impl Drop for Resolver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn normal(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

async fn serve(socket: UdpSocket, zone: Arc<Mutex<Zone>>) {
    let mut buffer = [0u8; MAX_MESSAGE];
    loop {
        // An error here is an ICMP echo of an earlier answer that nobody waited for.
        let Ok((length, client)) = socket.recv_from(&mut buffer).await else {
            continue;
        };
        let Some(query) = Query::read(&buffer[..length]) else {
            continue;
        };
        let answer = zone
            .lock()
            .expect("no holder of the lock panics")
            .answer(&query);
        if let Some(answer) = answer {
            let _ = socket.send_to(&answer, client).await;
        }
    }
}

impl Zone {
    fn answer(&mut self, query: &Query<'_>) -> Option<Vec<u8>> {
        self.total += 1;
        *self.queries.entry(query.name.clone()).or_default() += 1;
        let entry = self.names.get(&query.name);
        let mood = match self.mood {
            Mood::Answering => entry.map_or(Mood::NoSuchName, |entry| entry.mood),
            overruling => overruling,
        };
        Some(match mood {
            Mood::Silent => return None,
            Mood::Garbage => b"this is not a DNS message".to_vec(),
            Mood::ServerFailure => query.reply(SERVER_FAILURE, false, &Entry::default()),
            Mood::NoSuchName => query.reply(NO_SUCH_NAME, false, &Entry::default()),
            Mood::Refusing => query.reply(REFUSED, false, &Entry::default()),
            Mood::Truncating => query.reply(0, true, &Entry::default()),
            Mood::Answering => query.reply(0, false, entry.unwrap_or(&Entry::default())),
            Mood::WrongId => {
                let mut reply = query.reply(0, false, entry.unwrap_or(&Entry::default()));
                reply[0] ^= 0xff;
                reply
            }
        })
    }
}

struct Query<'a> {
    id: [u8; 2],
    recursion_desired: bool,
    /// Name, type and class as they came.
    question: &'a [u8],
    name: String,
    wants_addresses: bool,
}

impl<'a> Query<'a> {
    /// Reads a standard query with exactly one question; anything else is nobody's business.
    fn read(message: &'a [u8]) -> Option<Self> {
        let header = message.first_chunk::<HEADER>()?;
        let is_standard_query = header[2] & 0b1111_1000 == 0;
        if !is_standard_query || header[4..6] != [0, 1] {
            return None;
        }
        let (name, after_name) = read_name(message, HEADER)?;
        let question = message.get(HEADER..after_name + 4)?;
        let fields = message.get(after_name..after_name + 4)?;
        let wants_addresses =
            fields[..2] == TYPE_A.to_be_bytes() && fields[2..] == CLASS_IN.to_be_bytes();
        Some(Self {
            id: [header[0], header[1]],
            recursion_desired: header[2] & 1 == 1,
            question,
            name,
            wants_addresses,
        })
    }

    fn reply(&self, code: u8, truncated: bool, entry: &Entry) -> Vec<u8> {
        let addresses: &[Ipv4Addr] = if self.wants_addresses {
            &entry.addresses
        } else {
            &[]
        };
        let mut reply = Vec::with_capacity(MAX_MESSAGE);
        reply.extend(self.id);
        // A response (0x80) with authority (0x04); truncated (0x02); the client's own wish.
        reply.push(0x84 | u8::from(truncated) << 1 | u8::from(self.recursion_desired));
        reply.push(0x80 | code);
        let count = u16::try_from(addresses.len()).expect("bounded by MAX_ADDRESSES");
        for field in [1u16, count, 0, 0] {
            reply.extend(field.to_be_bytes());
        }
        reply.extend(self.question);
        for address in addresses {
            // A pointer to the question's name.
            reply.extend([0xc0, HEADER as u8]);
            reply.extend(TYPE_A.to_be_bytes());
            reply.extend(CLASS_IN.to_be_bytes());
            reply.extend(entry.ttl.to_be_bytes());
            reply.extend(4u16.to_be_bytes());
            reply.extend(address.octets());
        }
        reply
    }
}

/// An uncompressed name at `start`, lower-cased without its final dot, and what comes after it.
/// A question has nothing before it that it could point to, so pointers are refused.
fn read_name(message: &[u8], start: usize) -> Option<(String, usize)> {
    let mut name = String::new();
    let mut at = start;
    loop {
        let length = usize::from(*message.get(at)?);
        at += 1;
        if length == 0 {
            return Some((name, at));
        }
        let label = message.get(at..at + length)?;
        at += length;
        if length > 63 || at - start >= MAX_NAME || !label.is_ascii() {
            return None;
        }
        if !name.is_empty() {
            name.push('.');
        }
        name.extend(
            label
                .iter()
                .map(|byte| char::from(byte.to_ascii_lowercase())),
        );
    }
}
