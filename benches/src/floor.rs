//! The floor: what two sends and two receives cost on this machine, and nothing else.
//!
//! No proxy on plain sockets can do a request for less, whatever its engine. Kernels and their
//! mitigations differ so much here that a ratio of one machine says little about another; the
//! floor beside it does.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::Duration;

use anyhow::Context;
use nix::sched::{CpuSet, sched_setaffinity};
use nix::time::ClockId;
use nix::unistd::Pid;

const PAIRS: usize = 64;
const TURNS: usize = 500;
const REQUEST: [u8; 100] = [b'q'; 100];
const RESPONSE: [u8; 1_160] = [b'r'; 1_160];

/// A connection: the far end (client or backend) and the proxy's end.
type Pair = (TcpStream, TcpStream);

/// CPU microseconds for one request of 1 KiB, over 64 connections on both sides.
pub fn measure(cpu: usize) -> anyhow::Result<f64> {
    let measured = std::thread::spawn(move || {
        let mut set = CpuSet::new();
        set.set(cpu)?;
        sched_setaffinity(Pid::from_raw(0), &set)?;
        turns()
    });
    let measured = measured
        .join()
        .map_err(|_| anyhow::anyhow!("the floor panicked"))?;
    measured.context("the floor cannot be measured")
}

fn turns() -> anyhow::Result<f64> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let front = pairs(&listener)?;
    let back = pairs(&listener)?;
    let mut spent = Duration::ZERO;
    // The first turn of each connection grows its window; it is too small a part to matter.
    for _ in 0..TURNS {
        for (client, _) in &front {
            send(client, &REQUEST)?;
        }
        spent += timed(|| relay(&front, &back, &REQUEST))?;
        for (backend, _) in &back {
            receive(backend, REQUEST.len())?;
            send(backend, &RESPONSE)?;
        }
        spent += timed(|| relay(&back, &front, &RESPONSE))?;
        for (client, _) in &front {
            receive(client, RESPONSE.len())?;
        }
    }
    Ok(spent.as_secs_f64() * 1e6 / (TURNS * PAIRS) as f64)
}

fn pairs(listener: &TcpListener) -> anyhow::Result<Vec<Pair>> {
    let address = listener.local_addr()?;
    let pair = |_| {
        let far = TcpStream::connect(address)?;
        let (near, _) = listener.accept()?;
        far.set_nodelay(true)?;
        near.set_nodelay(true)?;
        Ok((far, near))
    };
    (0..PAIRS).map(pair).collect()
}

/// The proxy's part: from each of its ends on one side to its end on the other.
fn relay(from: &[Pair], to: &[Pair], bytes: &[u8]) -> anyhow::Result<()> {
    for ((_, from), (_, to)) in from.iter().zip(to) {
        receive(from, bytes.len())?;
        send(to, bytes)?;
    }
    Ok(())
}

fn send(mut to: &TcpStream, bytes: &[u8]) -> anyhow::Result<()> {
    Ok(to.write_all(bytes)?)
}

fn receive(mut from: &TcpStream, length: usize) -> anyhow::Result<()> {
    let mut buffer = [0; RESPONSE.len()];
    let room = buffer
        .get_mut(..length)
        .context("a buffer for the longer message")?;
    Ok(from.read_exact(room)?)
}

/// The thread's own CPU clock: a busy machine may take the CPU away in between.
fn timed(work: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<Duration> {
    let clock = ClockId::CLOCK_THREAD_CPUTIME_ID;
    let before = Duration::from(clock.now()?);
    work()?;
    Ok(Duration::from(clock.now()?).saturating_sub(before))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_costs_at_least_its_four_system_calls() {
        let floor = measure(0).expect("loopback and CPU 0");
        assert!((0.2..1_000.0).contains(&floor), "{floor} µs");
    }
}
