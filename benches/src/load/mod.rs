//! The load generator: one thread, one epoll, a closed loop or a fixed schedule.
//!
//! It must cost little, because on one core it takes turns with the proxy that is measured;
//! and it must be strict, because a proxy that answers wrongly is not fast.

mod link;
mod pacing;
mod response;
mod tally;
mod tls;

use std::io::{BufRead, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};
use rustls::client::ClientConfig;

use crate::plan::{GO, LoadOutcome, LoadPlan, READY};
use link::{Link, Progress};
use pacing::Pacer;
use tally::Tally;

const BUFFER_BYTES: usize = 128 * 1024;
const EVENTS_PER_WAIT: usize = 256;
const WAIT_MILLISECONDS: u16 = 50;
/// Connections are opened in waves of this size, so that no accept queue overflows.
const OPENING_WAVE: usize = 128;
/// The epoll token of the schedule's timer; connections use their index.
const TIMER: u64 = u64::MAX;

/// Warms up, says so, waits for the word, measures, and prints the outcome as one line.
pub fn run(plan: LoadPlan, orders: impl BufRead, mut output: impl Write) -> anyhow::Result<()> {
    let mut generator = Generator::new(plan)?;
    generator.warm_up()?;
    writeln!(output, "{READY}")?;
    output.flush()?;
    let Some(order) = orders.lines().next() else {
        return Ok(());
    };
    ensure!(order?.trim() == GO, "the driver must say `{GO}`");
    let outcome = generator.measure()?;
    writeln!(output, "{}", serde_json::to_string(&outcome)?)?;
    Ok(())
}

struct Generator {
    plan: LoadPlan,
    request: Vec<u8>,
    tls: Option<Arc<ClientConfig>>,
    epoll: Epoll,
    links: Vec<Option<Link>>,
    buffer: Vec<u8>,
    deadline: Instant,
}

impl Generator {
    fn new(plan: LoadPlan) -> anyhow::Result<Self> {
        ensure!(plan.connections > 0, "a run needs at least one connection");
        Ok(Self {
            request: request(&plan),
            tls: plan.certificate.as_deref().map(tls::client).transpose()?,
            epoll: Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?,
            links: (0..plan.connections).map(|_| None).collect(),
            buffer: vec![0; BUFFER_BYTES],
            deadline: Instant::now() + Duration::from_secs(plan.limit_seconds),
            plan,
        })
    }

    /// Opens every connection with one request, then asks for the rest of the warm-up.
    fn warm_up(&mut self) -> anyhow::Result<()> {
        let mut tally = Tally::default();
        let connections = self.plan.connections;
        if !self.plan.new_connection_each {
            for first in (0..connections).step_by(OPENING_WAVE) {
                let wave: Vec<usize> = (first..connections.min(first + OPENING_WAVE)).collect();
                self.drive(&wave, wave.len() as u64, None, &mut tally)?;
            }
        }
        let all: Vec<usize> = (0..connections).collect();
        self.drive(&all, self.plan.warm_up, None, &mut tally)?;
        if let Some(error) = tally.first_error() {
            bail!(
                "{} errors while warming up; the first: {error}",
                tally.errors()
            );
        }
        Ok(())
    }

    fn measure(&mut self) -> anyhow::Result<LoadOutcome> {
        let mut tally = Tally::with_capacity(self.plan.requests);
        let all: Vec<usize> = (0..self.plan.connections).collect();
        let start = Instant::now();
        let pacer = self
            .plan
            .rate
            .map(|rate| Pacer::new(rate, start))
            .transpose()?;
        self.drive(&all, self.plan.requests, pacer, &mut tally)?;
        Ok(tally.outcome(start.elapsed()))
    }

    /// Issues so many requests over these connections and sees them all to their end.
    fn drive(
        &mut self,
        links: &[usize],
        total: u64,
        pacer: Option<Pacer>,
        tally: &mut Tally,
    ) -> anyhow::Result<()> {
        let end = tally.finished() + total;
        let mut run = Run {
            left: total,
            idle: Vec::new(),
            pacer,
        };
        if let Some(pacer) = &run.pacer {
            self.epoll
                .add(pacer, EpollEvent::new(EpollFlags::EPOLLIN, TIMER))?;
            run.idle.extend_from_slice(links);
        } else {
            for index in links {
                self.next(*index, &mut run, tally);
            }
        }
        let mut events = [EpollEvent::empty(); EVENTS_PER_WAIT];
        while tally.finished() < end {
            let count = match self.epoll.wait(&mut events, WAIT_MILLISECONDS) {
                Err(nix::errno::Errno::EINTR) => continue,
                count => count.context("epoll_wait")?,
            };
            for event in events.iter().take(count) {
                match event.data() {
                    TIMER => {
                        run.pacer.iter().for_each(Pacer::acknowledge);
                        self.issue_due(&mut run, tally);
                    }
                    index => self.on_event(index as usize, event.events(), &mut run, tally),
                }
            }
            if Instant::now() > self.deadline {
                tally.give_up(
                    end - tally.finished(),
                    "not answered within the run's limit",
                );
            }
        }
        if let Some(pacer) = &run.pacer {
            self.epoll.delete(pacer)?;
        }
        Ok(())
    }

    /// Issues what the schedule asks for by now, as far as connections are idle.
    fn issue_due(&mut self, run: &mut Run, tally: &mut Tally) {
        while run.left > 0 {
            let Some(pacer) = &mut run.pacer else { return };
            let Some(index) = run.idle.pop() else { return };
            let Some(due) = pacer.take_due(Instant::now()) else {
                run.idle.push(index);
                return;
            };
            run.left -= 1;
            self.begin(index, due, run, tally);
        }
    }

    /// This connection has nothing to do: the next request, or idleness.
    fn next(&mut self, index: usize, run: &mut Run, tally: &mut Tally) {
        if run.pacer.is_some() {
            run.idle.push(index);
            self.issue_due(run, tally);
        } else if run.left > 0 {
            run.left -= 1;
            self.begin(index, Instant::now(), run, tally);
        }
    }

    fn begin(&mut self, index: usize, started: Instant, run: &mut Run, tally: &mut Tally) {
        if let Err(error) = self.try_begin(index, started) {
            self.fail(index, &format!("{error:#}"), run, tally);
        }
    }

    fn try_begin(&mut self, index: usize, started: Instant) -> anyhow::Result<()> {
        let slot = self.links.get_mut(index).context("no such connection")?;
        if slot.is_none() || self.plan.new_connection_each {
            // One that still waits for its server's close is dropped with that.
            *slot = None;
            let link = Link::open(self.plan.address, self.tls.as_ref()).context("connect")?;
            self.epoll
                .add(&link, EpollEvent::new(EpollFlags::EPOLLIN, index as u64))?;
            *slot = Some(link);
        }
        let Some(link) = slot else { return Ok(()) };
        let all_sent = link.begin(&self.request, started).context("send")?;
        watch(&self.epoll, link, index, !all_sent)
    }

    fn on_event(&mut self, index: usize, ready: EpollFlags, run: &mut Run, tally: &mut Tally) {
        let Some(link) = self.links.get_mut(index).and_then(Option::as_mut) else {
            return;
        };
        let was_answered = link.is_answered();
        let mut progress = Ok(Progress::More);
        if ready.intersects(EpollFlags::EPOLLIN | EpollFlags::EPOLLHUP | EpollFlags::EPOLLERR) {
            progress = link.receive(&mut self.buffer, self.plan.response_bytes);
        }
        let answered_now = link.is_answered() && !was_answered;
        let started = link.started;
        if progress == Ok(Progress::More)
            && let Err(error) = flush(&self.epoll, link, index, &self.request)
        {
            progress = Err(format!("send: {error:#}"));
        }
        if answered_now && progress.is_ok() {
            tally.success(started.elapsed(), self.plan.response_bytes);
        }
        match progress {
            Ok(Progress::More) => {}
            // A fresh connection each: the server closes, so that the client keeps no state.
            Ok(Progress::Answered) if self.plan.new_connection_each => {}
            Ok(Progress::Answered) => self.next(index, run, tally),
            Ok(Progress::Closed) => {
                self.close(index);
                if self.plan.new_connection_each || answered_now {
                    self.next(index, run, tally);
                }
            }
            // The request that this belongs to was counted: nothing more can be lost.
            Err(_) if was_answered => self.close(index),
            Err(error) => self.fail(index, &error, run, tally),
        }
    }

    fn fail(&mut self, index: usize, error: &str, run: &mut Run, tally: &mut Tally) {
        self.close(index);
        tally.failure(error);
        // Not `next`: a server that refuses at once would recurse; the timer or the next
        // event of another connection would starve. The closed loop goes on from here.
        while run.pacer.is_none() && run.left > 0 {
            run.left -= 1;
            match self.try_begin(index, Instant::now()) {
                Ok(()) => return,
                Err(error) => {
                    self.close(index);
                    tally.failure(&format!("{error:#}"));
                }
            }
        }
        if run.pacer.is_some() {
            run.idle.push(index);
        }
    }

    fn close(&mut self, index: usize) {
        if let Some(slot) = self.links.get_mut(index) {
            // Closing the socket takes it out of the epoll set.
            *slot = None;
        }
    }
}

/// What one drive still has to issue.
struct Run {
    left: u64,
    idle: Vec<usize>,
    pacer: Option<Pacer>,
}

/// Sends what is waiting: the rest of a request, or what the handshake asks for.
fn flush(epoll: &Epoll, link: &mut Link, index: usize, request: &[u8]) -> anyhow::Result<()> {
    if link.is_answered() {
        return Ok(());
    }
    let all_sent = link.send(request)?;
    watch(epoll, link, index, !all_sent)
}

/// Watches for writability only while something is waiting to leave.
fn watch(epoll: &Epoll, link: &mut Link, index: usize, writing: bool) -> anyhow::Result<()> {
    if link.watched_for_writing != writing {
        let mut flags = EpollFlags::EPOLLIN;
        flags.set(EpollFlags::EPOLLOUT, writing);
        epoll.modify(&*link, &mut EpollEvent::new(flags, index as u64))?;
        link.watched_for_writing = writing;
    }
    Ok(())
}

/// The bytes of the one request that a run repeats.
fn request(plan: &LoadPlan) -> Vec<u8> {
    let LoadPlan {
        address,
        path,
        post_bytes,
        new_connection_each,
        ..
    } = plan;
    let method = if post_bytes.is_some() { "POST" } else { "GET" };
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\n");
    head.push_str("User-Agent: gatewright-bench\r\nAccept: */*\r\n");
    if let Some(bytes) = post_bytes {
        head.push_str(&format!("Content-Length: {bytes}\r\n"));
    }
    if *new_connection_each {
        head.push_str("Connection: close\r\n");
    }
    head.push_str("\r\n");
    let mut request = head.into_bytes();
    request.resize(request.len() + post_bytes.unwrap_or(0), b'x');
    request
}

#[cfg(test)]
mod tests;
