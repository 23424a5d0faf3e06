//! One connection of a backend: reads requests to their ends, writes them down, answers them.

use super::answer::{After, Pen, Turn, answer, head as answer_head};
use super::log::Shared;
use super::manners::{KeepAlive, Manners};
use super::request::{
    Head, MAX_HEAD, RequestFraming, SeenRequest, Violation, chunk_size, head_end, parse_head,
    parse_trailers,
};
use super::wire::Wire;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// How much of the offending bytes a violation keeps.
const MAX_EVIDENCE: usize = 4 * 1024;
const READ_SIZE: usize = 16 * 1024;

/// Why reading a request stopped before its end.
enum Halt {
    /// The client broke a rule.
    Violation(&'static str),
    /// The client is gone, or idle for too long.
    Gone,
}

/// What is known of a connection before its first request.
pub(crate) struct Caller {
    pub(crate) connection: u64,
    pub(crate) peer: SocketAddr,
    pub(crate) server_name: Option<String>,
}

pub(crate) struct Conversation<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) caller: Caller,
    pub(crate) wire: &'a mut dyn Wire,
    /// Bytes that were read and belong to what comes next.
    buffer: Vec<u8>,
    /// The place of the current request, from 1.
    ordinal: u64,
}

/// Combined manners, taken apart.
struct Plan<'m> {
    delay: Duration,
    pace: Option<(usize, Duration)>,
    interim: Vec<u8>,
    ignores_expect: bool,
    leaf: &'m Manners,
}

impl<'a> Conversation<'a> {
    pub(crate) fn new(shared: &'a Shared, caller: Caller, wire: &'a mut dyn Wire) -> Self {
        Self {
            shared,
            caller,
            wire,
            buffer: Vec::new(),
            ordinal: 0,
        }
    }

    /// Answers requests until the connection is to end.
    pub(crate) async fn run(mut self) -> After {
        loop {
            self.ordinal += 1;
            match self.one_request().await {
                Ok(After::Next) => {}
                Ok(end) => return end,
                Err(Halt::Gone) => return After::Close,
                Err(Halt::Violation(what)) => {
                    self.report(what);
                    let text = format!(
                        "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: {}\
                         \r\n\r\n{what}",
                        what.len()
                    );
                    let _ = self.wire.write_all(text.as_bytes()).await;
                    return After::Close;
                }
            }
        }
    }

    async fn one_request(&mut self) -> Result<After, Halt> {
        let head = self.read_head().await?;
        let (manners, place) = self.shared.manners_for(&head.target);
        let plan = plan(&manners, place, self.ordinal);
        let record = self.write_down(&head);
        let body_length = match plan.leaf {
            Manners::EarlyAnswer { .. } => 0,
            _ => self.read_body(&head, plan.ignores_expect, record).await?,
        };
        let end = self.respond(&head, body_length, &plan).await;
        // An answer that cannot be written has been refused by a client that left.
        end.map_err(|_| Halt::Gone)
    }

    async fn respond(
        &mut self,
        head: &Head,
        body_length: u64,
        plan: &Plan<'_>,
    ) -> std::io::Result<After> {
        if !plan.delay.is_zero() {
            tokio::time::sleep(plan.delay).await;
        }
        let keep_alive = self.shared.keep_alive;
        let is_last = matches!(keep_alive, KeepAlive::Polite(most) if self.ordinal >= most);
        let is_rudely_last = matches!(keep_alive, KeepAlive::Rude(most) if self.ordinal >= most);
        let turn = Turn {
            head,
            body_length,
            name: &self.shared.name,
            connection: self.caller.connection,
            ordinal: self.ordinal,
            says_close: is_last
                || !head.keeps_alive()
                || matches!(plan.leaf, Manners::EarlyAnswer { .. }),
        };
        let mut pen = Pen {
            wire: &mut *self.wire,
            pace: plan.pace,
        };
        if !plan.interim.is_empty() {
            pen.write(&plan.interim).await?;
        }
        let after = answer(plan.leaf, &turn, &mut pen, &self.buffer).await?;
        let closes = turn.says_close || is_rudely_last;
        Ok(if after == After::Next && closes {
            After::Close
        } else {
            after
        })
    }

    async fn read_head(&mut self) -> Result<Head, Halt> {
        loop {
            match head_end(&self.buffer).map_err(Halt::Violation)? {
                Some(end) => {
                    let head = parse_head(&self.buffer[..end]).map_err(Halt::Violation)?;
                    self.buffer.drain(..end);
                    return Ok(head);
                }
                None if self.buffer.is_empty() => self.first_bytes().await?,
                None => self.more("the connection ended inside a head").await?,
            }
        }
    }

    /// Waits for a request to begin, for as long as the backend lets a connection be idle.
    async fn first_bytes(&mut self) -> Result<(), Halt> {
        match self.shared.idle_timeout {
            None => self.fill().await,
            Some(limit) => tokio::time::timeout(limit, self.fill())
                .await
                .unwrap_or(Err(Halt::Gone)),
        }
    }

    /// Reads more of what has begun.
    async fn more(&mut self, what_if_it_ends: &'static str) -> Result<(), Halt> {
        self.buffer.reserve(READ_SIZE);
        match self.wire.read_buf(&mut self.buffer).await {
            Ok(0) => Err(Halt::Violation(what_if_it_ends)),
            Ok(_) => Ok(()),
            Err(_) => Err(Halt::Gone),
        }
    }

    /// Reads more where an end is nobody's fault.
    async fn fill(&mut self) -> Result<(), Halt> {
        self.buffer.reserve(READ_SIZE);
        match self.wire.read_buf(&mut self.buffer).await {
            Ok(1..) => Ok(()),
            Ok(0) | Err(_) => Err(Halt::Gone),
        }
    }

    async fn read_body(
        &mut self,
        head: &Head,
        ignores_expect: bool,
        record: Option<usize>,
    ) -> Result<u64, Halt> {
        let has_body = head.framing != RequestFraming::Absent;
        if has_body && !ignores_expect && head.has_token("expect", "100-continue") {
            let go_on = answer_head(100, &[], super::answer::Framing::NoBody, false);
            self.wire.write_all(&go_on).await.map_err(|_| Halt::Gone)?;
            self.wire.flush().await.map_err(|_| Halt::Gone)?;
        }
        let (length, trailers) = match head.framing {
            RequestFraming::Absent => (0, Vec::new()),
            RequestFraming::Length(length) => {
                self.read_bytes(length, record).await?;
                (length, Vec::new())
            }
            RequestFraming::Chunked => self.read_chunks(record).await?,
        };
        self.shared.complete(record, trailers);
        Ok(length)
    }

    async fn read_bytes(&mut self, length: u64, record: Option<usize>) -> Result<(), Halt> {
        let mut left = length;
        while left > 0 {
            if self.buffer.is_empty() {
                self.fill().await?;
            }
            let size = usize::try_from(left)
                .unwrap_or(usize::MAX)
                .min(self.buffer.len());
            self.shared.grow(record, &self.buffer[..size]);
            self.buffer.drain(..size);
            left -= size as u64;
        }
        Ok(())
    }

    async fn read_chunks(
        &mut self,
        record: Option<usize>,
    ) -> Result<(u64, Vec<(String, String)>), Halt> {
        let mut total = 0u64;
        loop {
            let line = self.read_line().await?;
            let size = chunk_size(&line).map_err(Halt::Violation)?;
            if size == 0 {
                return Ok((total, self.read_trailers().await?));
            }
            total = total
                .checked_add(size)
                .ok_or(Halt::Violation("chunks beyond counting"))?;
            self.read_bytes(size, record).await?;
            if !self.read_line().await?.is_empty() {
                return Err(Halt::Violation("a chunk longer than its size"));
            }
        }
    }

    async fn read_trailers(&mut self) -> Result<Vec<(String, String)>, Halt> {
        let mut text = Vec::new();
        loop {
            let line = self.read_line().await?;
            if line.is_empty() {
                return parse_trailers(&text).map_err(Halt::Violation);
            }
            text.extend(line);
            text.extend(b"\r\n");
            if text.len() > MAX_HEAD {
                return Err(Halt::Violation("trailers of more than 256 KiB"));
            }
        }
    }

    /// One line of a chunked body without the CR LF that must end it.
    async fn read_line(&mut self) -> Result<Vec<u8>, Halt> {
        loop {
            if let Some(end) = self.buffer.iter().position(|&byte| byte == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                return match line.strip_suffix(b"\r\n") {
                    Some(line) => Ok(line.to_vec()),
                    None => Err(Halt::Violation("a line feed without a carriage return")),
                };
            }
            if self.buffer.len() > MAX_HEAD {
                return Err(Halt::Violation("a chunk line of more than 256 KiB"));
            }
            self.fill().await?;
        }
    }

    fn write_down(&self, head: &Head) -> Option<usize> {
        self.shared.begin(SeenRequest {
            method: head.method.clone(),
            target: head.target.clone(),
            version: head.version.clone(),
            headers: head.headers.clone(),
            raw_head: head.raw.clone(),
            framing: head.framing,
            body: Vec::new(),
            body_length: 0,
            trailers: Vec::new(),
            complete: false,
            connection: self.caller.connection,
            ordinal: self.ordinal,
            peer: self.caller.peer,
            server_name: self.caller.server_name.clone(),
            at: Instant::now(),
        })
    }

    fn report(&self, what: &'static str) {
        let evidence = &self.buffer[..self.buffer.len().min(MAX_EVIDENCE)];
        self.shared.report(Violation {
            connection: self.caller.connection,
            ordinal: self.ordinal,
            what,
            bytes: evidence.to_vec(),
        });
    }
}

/// Takes combined manners apart for the request at `place` (from 0) of its route, which is the
/// `ordinal`-th (from 1) of its connection.
fn plan(manners: &Manners, place: usize, ordinal: u64) -> Plan<'_> {
    let mut plan = Plan {
        delay: Duration::ZERO,
        pace: None,
        interim: Vec::new(),
        ignores_expect: false,
        leaf: manners,
    };
    loop {
        plan.leaf = match plan.leaf {
            Manners::Slow { delay, then } => {
                plan.delay += *delay;
                then
            }
            Manners::Dribble {
                step,
                interval,
                then,
            } => {
                plan.pace = Some((*step, *interval));
                then
            }
            Manners::Interim {
                status,
                headers,
                times,
                then,
            } => {
                let one = answer_head(*status, headers, super::answer::Framing::NoBody, false);
                for _ in 0..*times {
                    plan.interim.extend(&one);
                }
                then
            }
            Manners::IgnoreExpect { then } => {
                plan.ignores_expect = true;
                then
            }
            Manners::Sequence(all) => &all[place.min(all.len() - 1)],
            Manners::OnReuse { first, later } => {
                if ordinal == 1 {
                    first
                } else {
                    later
                }
            }
            _ => return plan,
        }
    }
}
