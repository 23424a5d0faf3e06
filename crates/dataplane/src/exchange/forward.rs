//! Passing a request on: which server, how often, and what becomes of its answer.

use std::rc::Rc;

use gatewright_snapshot::{
    BackendProtocol, BackendSetting, Generation, HostOverride, Member, Pool,
};
use gatewright_telemetry::{Failure, UpstreamAttempt};

use super::client::Client;
use super::conversation::Turn;
use super::decide::Forward;
use super::recording::{Note, Recording, micros};
use super::request_head::Outbound;
use super::{After, answer};
use crate::http::framing::BodyLength;
use crate::http::host::parse_host;
use crate::io::now;
use crate::live::{Live, LiveUpstream, Server, ServerId};
use crate::upstream::{Backend, ServerSlot, open};

/// Servers that are tried for one request.
const ATTEMPTS_MAX: usize = 2;

/// A request, its upstream, and what both mean for every attempt.
pub(super) struct Way<'a> {
    live: &'a Live,
    upstream: &'a LiveUpstream,
    pub(super) setting: &'a BackendSetting,
    pool: &'a Pool,
    pub(super) request: Forward,
}

/// How an attempt ended without an answer that could be passed on.
pub(super) struct AttemptFailure {
    pub(super) failure: Failure,
    /// Whether another attempt cannot repeat an effect.
    pub(super) is_safe_to_repeat: bool,
    /// Whether the same server may be asked again, over a new connection.
    pub(super) is_stale_connection: bool,
    /// Whether part of the request's body was read and is lost.
    pub(super) body_taken: bool,
    /// Whether the client has part of an interim answer, which nothing else may follow.
    pub(super) is_client_cut: bool,
}

impl AttemptFailure {
    /// Nothing of the request has gone out.
    fn unsent(failure: Failure) -> Self {
        Self {
            failure,
            // Another server would be given no more time.
            is_safe_to_repeat: failure != Failure::ShuttingDown,
            is_stale_connection: false,
            body_taken: false,
            is_client_cut: false,
        }
    }
}

pub(super) async fn forward(
    client: &mut Client,
    live: &Live,
    request: Forward,
    mut head: Outbound,
    recording: &mut Recording,
) -> After {
    let indexes = live.snapshot.upstream(request.upstream);
    let way = Way {
        live,
        upstream: live.upstream(request.upstream),
        setting: live.snapshot.setting(indexes.setting),
        pool: live.snapshot.pool(indexes.pool),
        request,
    };
    let after = way.run(client, &mut head, recording).await;
    client.core().keep_text(head.into_text());
    after
}

impl Way<'_> {
    async fn run(
        &self,
        client: &mut Client,
        head: &mut Outbound,
        recording: &mut Recording,
    ) -> After {
        let mut tried: Option<ServerId> = None;
        let mut may_stick = true;
        for number in 0..ATTEMPTS_MAX {
            let Some(server) = self.choose(tried, may_stick) else {
                let failed = AttemptFailure::unsent(self.without_server());
                return self.fail(client, recording, &failed).await;
            };
            // It may have left meanwhile: this configuration is that of the request's beginning.
            client.core().join(client.timer(), server.id);
            let failed = match self.attempt(client, server, head, number, recording).await {
                Ok(after) => return after,
                Err(failed) => failed,
            };
            let has_other = self.upstream.has_others() || failed.is_stale_connection;
            if number + 1 == ATTEMPTS_MAX || !failed.is_safe_to_repeat || !has_other {
                return self.fail(client, recording, &failed).await;
            }
            tried = Some(server.id);
            // Its server has only closed an old connection: the cookie still means it.
            may_stick = failed.is_stale_connection;
        }
        After::Close
    }

    /// By affinity first, then by turns. A server of the draining serves its cookies only.
    fn choose(&self, tried: Option<ServerId>, may_stick: bool) -> Option<&Server> {
        let sticky = self.request.affinity.filter(|_| may_stick);
        let by_affinity = sticky.and_then(|cookie| self.upstream.by_affinity(&cookie));
        by_affinity.or_else(|| self.upstream.next(tried))
    }

    fn without_server(&self) -> Failure {
        if !self.upstream.servers.is_empty() {
            Failure::NoHealthyServer
        } else if self.upstream.has_unresolved {
            Failure::NameUnresolved
        } else {
            Failure::PoolEmpty
        }
    }

    async fn fail(
        &self,
        client: &mut Client,
        recording: &mut Recording,
        failed: &AttemptFailure,
    ) -> After {
        let AttemptFailure {
            failure,
            body_taken,
            ..
        } = *failed;
        if !body_taken {
            recording.add_received(self.body_in_hand(client.inbox()).unwrap_or(0));
        }
        if failed.is_client_cut {
            recording.lose_client(failure);
            return After::Abort;
        }
        // The body's rest is still to come, or in the inbox: it is no request.
        let keep_alive =
            self.request.keep_alive && self.request.body == BodyLength::Empty && !body_taken;
        client.timer().join(crate::io::NO_GROUP);
        answer::fail(client, self.live, recording, failure, keep_alive).await
    }

    async fn attempt(
        &self,
        client: &mut Client,
        server: &Server,
        head: &mut Outbound,
        number: usize,
        recording: &mut Recording,
    ) -> Result<After, AttemptFailure> {
        let started = now();
        let slot = client.core().slot(server);
        recording.set_attempt(number, attempt_record(server));
        self.set_host(head, server);
        recording.note(Note::SentHost, head.host());
        let turn = Turn {
            server,
            head,
            number,
            started,
        };
        let outcome = self.attempt_on(client, &slot, &turn, recording).await;
        if let Some(record) = recording.attempt_mut(number) {
            record.total_micros = micros(now().saturating_duration_since(started));
            if let Err(failed) = &outcome {
                record.failure = Some(failed.failure);
            }
        }
        outcome
    }

    async fn attempt_on(
        &self,
        client: &mut Client,
        slot: &Rc<ServerSlot>,
        turn: &Turn<'_>,
        recording: &mut Recording,
    ) -> Result<After, AttemptFailure> {
        let name = self.certificate_name(turn.server, turn.head.host());
        let may_reuse = turn.number == 0;
        let mut backend = self
            .connect(client, slot, turn.server, name.as_deref(), may_reuse)
            .await?;
        if let Some(record) = recording.attempt_mut(turn.number) {
            record.source_port = backend.local_port;
            record.reused = backend.is_reused;
            if !backend.is_reused {
                record.connect_micros = micros(now().saturating_duration_since(turn.started));
            }
        }
        let conversation = self.converse(client, &mut backend, turn, recording).await?;
        if conversation.is_reusable {
            self.keep(client, backend);
        }
        Ok(conversation.after)
    }

    async fn connect(
        &self,
        client: &mut Client,
        slot: &Rc<ServerSlot>,
        server: &Server,
        name: Option<&str>,
        may_reuse: bool,
    ) -> Result<Backend, AttemptFailure> {
        let own = client.dedicated.take();
        let name = name.filter(|_| self.setting.protocol == BackendProtocol::Https);
        if self.setting.dedicated_connection {
            let usable = |own: &Backend| {
                own.slot.id == slot.id && own.name.as_deref() == name && own.stream.is_quiet()
            };
            if let Some(own) = own.filter(usable) {
                return Ok(own);
            }
        } else if may_reuse && let Some(idle) = slot.take_idle(name) {
            return Ok(idle);
        }
        // Live builds one for every Https setting, and must not be trusted to: without it nothing
        // may leave in the clear.
        let tls = match (self.setting.protocol, &self.upstream.tls) {
            (BackendProtocol::Http, _) => None,
            (BackendProtocol::Https, Some(tls)) => Some((tls, name)),
            (BackendProtocol::Https, None) => {
                return Err(self.judge(Failure::BackendTlsProtocol, true, false));
            }
        };
        let (obstacle, limit) = (server.obstacle.as_ref(), self.setting.request_timeout);
        let opened = open(slot, obstacle, tls, client.timer(), limit).await;
        opened.map_err(AttemptFailure::unsent)
    }

    /// What a failure after the request went out means for another attempt.
    pub(super) fn judge(
        &self,
        failure: Failure,
        body_whole: bool,
        was_reused: bool,
    ) -> AttemptFailure {
        let repeatable = self.request.is_idempotent && body_whole;
        let (is_safe, is_stale) = match failure {
            Failure::BackendClosedUnanswered
            | Failure::BackendResetUnanswered
            | Failure::BackendSendFailed => (repeatable && was_reused, was_reused),
            Failure::BackendTimedOut => (repeatable, false),
            _ => (false, false),
        };
        AttemptFailure {
            failure,
            is_safe_to_repeat: is_safe,
            is_stale_connection: is_stale,
            body_taken: !body_whole,
            is_client_cut: false,
        }
    }

    fn keep(&self, client: &mut Client, mut backend: Backend) {
        if !backend.inbox.is_empty() {
            // Bytes that nobody asked for: the next request would take them for its answer.
            return;
        }
        if self.setting.dedicated_connection {
            backend.is_reused = true;
            client.dedicated = Some(backend);
        } else if client.core().has_server(backend.slot.id) {
            backend.keep(now());
        }
    }

    /// Puts the server's own name into the head, where the setting wants that.
    fn set_host(&self, head: &mut Outbound, server: &Server) {
        if self.setting.host != HostOverride::FromMember {
            return;
        }
        match self.pool.members.get(server.member) {
            Some(Member::Fqdn(name)) => head.replace_host(name.as_bytes()),
            Some(Member::Ip(_)) | None => {
                head.replace_host(server.logical.ip().to_string().as_bytes());
            }
        }
    }

    /// The name that is asked for and checked in a TLS handshake with this server; `None` sends no
    /// name. On v1, and with a host override, the client's own does not matter.
    fn certificate_name(&self, server: &Server, host: &[u8]) -> Option<String> {
        let verification = self.setting.verification.as_ref()?;
        if let Some(name) = &verification.sni_name {
            return Some(name.clone());
        }
        let fqdn = match self.pool.members.get(server.member) {
            Some(Member::Fqdn(name)) => Some(name.clone()),
            Some(Member::Ip(_)) | None => None,
        };
        let is_v1 = self.request.generation == Generation::V1;
        let from_host = || String::from_utf8(parse_host(host)?.to_vec()).ok();
        match &self.setting.host {
            HostOverride::Fixed(_) if is_v1 => fqdn,
            HostOverride::Keep if is_v1 && fqdn.is_none() => None,
            HostOverride::FromMember => fqdn,
            HostOverride::Fixed(_) | HostOverride::Keep => from_host(),
        }
    }
}

fn attempt_record(server: &Server) -> UpstreamAttempt {
    UpstreamAttempt {
        server: server.logical,
        source_port: 0,
        reused: false,
        connect_micros: 0,
        head_micros: None,
        total_micros: 0,
        status: None,
        failure: None,
    }
}
