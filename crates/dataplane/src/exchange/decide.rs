//! What is to be done with a request, from its head alone. Nothing here waits.

use std::mem::MaybeUninit;

use gatewright_snapshot::{
    Action, EndpointIndex, Gateway, Generation, HostOverride, Idle, RequestKey, Scratch, Selected,
    UpstreamIndex,
};
use gatewright_telemetry::{Failure, HttpVersion};

use super::client::Client;
use super::recording::Recording;
use super::redirect::location;
use super::request_head::{self, Outbound};
use crate::http::framing::BodyLength;
use crate::http::names::{RequestField, request_field};
use crate::http::request::{self, BODY_BYTES_MAX_V1, FIELDS_MAX, Refusal, RequestHead};
use crate::live::Live;

pub(super) enum Decision {
    Refuse {
        failure: Failure,
        keep_alive: bool,
    },
    Redirect {
        status: u16,
        location: Vec<u8>,
        keep_alive: bool,
    },
    /// With the head that the backend is to get.
    Forward(Forward, Outbound),
}

/// A request on its way to a backend.
pub(super) struct Forward {
    pub(super) upstream: UpstreamIndex,
    pub(super) generation: Generation,
    pub(super) body: BodyLength,
    pub(super) version: HttpVersion,
    pub(super) keep_alive: bool,
    pub(super) is_head: bool,
    pub(super) is_idempotent: bool,
    pub(super) expects_continue: bool,
    /// The affinity cookie that the client sent.
    pub(super) affinity: Option<[u8; 32]>,
}

pub(super) fn decide(
    client: &mut Client,
    live: &Live,
    head_length: usize,
    recording: &mut Recording,
) -> Decision {
    let endpoint = client.endpoint(live);
    let bytes = &client.inbox().bytes()[..head_length];
    let mut storage = [const { MaybeUninit::uninit() }; FIELDS_MAX];
    let head = match request::parse(bytes, &mut storage) {
        Ok(head) => head,
        Err(refusal) => {
            note_refused(live, endpoint, bytes, &refusal, recording);
            return Decision::Refuse {
                failure: refusal.failure,
                keep_alive: false,
            };
        }
    };
    recording.note_asked(&head.asked, head_length);
    // Without its body having been read, a connection cannot go on.
    let keep_alive = head.keep_alive && head.body == BodyLength::Empty;
    let refuse = |failure| Decision::Refuse {
        failure,
        keep_alive,
    };
    let Some(endpoint) = endpoint else {
        // It has been removed, and will not come back on this connection.
        return Decision::Refuse {
            failure: Failure::NoListener,
            keep_alive: false,
        };
    };
    let selected = select(live, endpoint, head.asked.host_name, head.asked.path);
    if let Some(selected) = &selected {
        recording.route(live.labels(selected.route), selected.listener);
    }
    match gateway(live, endpoint).idle {
        Some(Idle::Stopped) => return refuse(Failure::GatewayStopped),
        Some(Idle::Failed) => return refuse(Failure::GatewayFailed),
        None => {}
    }
    let Some(selected) = selected else {
        return refuse(Failure::NoListener);
    };
    if let Some(failure) = refusal(live, endpoint, &head) {
        return refuse(failure);
    }
    let route = live.snapshot.route(selected.route);
    match &route.action {
        Action::Redirect(redirect) => {
            let location = location(redirect, &head);
            Decision::Redirect {
                status: redirect.status,
                location,
                keep_alive,
            }
        }
        Action::Forward(upstream) => {
            let way = Way {
                live,
                endpoint,
                selected,
                upstream: *upstream,
            };
            let (forward, outbound) = way.forward(client, bytes, &head, recording);
            Decision::Forward(forward, outbound)
        }
    }
}

/// Records of a refused head what is certain; who would have taken it also gets to show its page.
fn note_refused(
    live: &Live,
    endpoint: Option<EndpointIndex>,
    bytes: &[u8],
    refusal: &Refusal<'_>,
    recording: &mut Recording,
) {
    let Some(asked) = &refusal.asked else {
        recording.note_refused_head(bytes);
        return;
    };
    recording.note_asked(asked, bytes.len());
    let selected = endpoint.and_then(|at| select(live, at, asked.host_name, asked.path));
    if let Some(selected) = selected {
        recording.route(live.labels(selected.route), selected.listener);
    }
}

fn gateway(live: &Live, endpoint: EndpointIndex) -> &Gateway {
    let snapshot = &live.snapshot;
    snapshot.gateway(snapshot.endpoint(endpoint).gateway)
}

fn select(live: &Live, endpoint: EndpointIndex, host: &[u8], path: &[u8]) -> Option<Selected> {
    thread_local! {
        static SCRATCH: std::cell::RefCell<Scratch> = std::cell::RefCell::default();
    }
    let key = RequestKey { host, path };
    SCRATCH.with_borrow_mut(|scratch| live.snapshot.select(endpoint, key, scratch))
}

/// What no route can serve.
fn refusal(live: &Live, endpoint: EndpointIndex, head: &RequestHead<'_, '_>) -> Option<Failure> {
    let is_v1 = gateway(live, endpoint).generation == Generation::V1;
    if is_v1 && matches!(head.body, BodyLength::Exact(length) if length > BODY_BYTES_MAX_V1) {
        return Some(Failure::BodyTooLarge);
    }
    head.wants_websocket
        .then_some(Failure::WebSocketUnsupported)
}

/// The way from an endpoint to an upstream.
struct Way<'a> {
    live: &'a Live,
    endpoint: EndpointIndex,
    selected: Selected,
    upstream: UpstreamIndex,
}

impl Way<'_> {
    fn forward(
        &self,
        client: &Client,
        bytes: &[u8],
        head: &RequestHead<'_, '_>,
        recording: &mut Recording,
    ) -> (Forward, Outbound) {
        let snapshot = &self.live.snapshot;
        let setting = snapshot.setting(snapshot.upstream(self.upstream).setting);
        let generation = snapshot
            .gateway(snapshot.endpoint(self.endpoint).gateway)
            .generation;
        let context = request_head::Context {
            host: match &setting.host {
                HostOverride::Fixed(host) => Some(host.as_bytes()),
                HostOverride::Keep | HostOverride::FromMember => None,
            },
            forwarded_for: client.forwarded_for(),
            scheme: client.origin().scheme,
            port: client.origin().endpoint.port,
            trace: recording.trace(),
            ja4: client.origin().ja4.as_deref(),
            override_path: setting.path.as_deref(),
            literal_length: self.selected.literal_length,
            decodes_paths: generation == Generation::V2,
        };
        let outbound = request_head::write(client.core().text(), bytes, head, &context);
        if let Some(path) = outbound.overridden_path() {
            recording.note(super::recording::Note::SentPath, path);
        }
        let affinity = setting.affinity_cookie.as_deref();
        let forward = Forward {
            upstream: self.upstream,
            generation,
            body: head.body,
            version: head.asked.version,
            keep_alive: head.keep_alive,
            is_head: head.asked.method == b"HEAD",
            is_idempotent: is_idempotent(head.asked.method),
            expects_continue: head.expects_continue,
            affinity: affinity.and_then(|cookie| self.affinity(head, cookie)),
        };
        (forward, outbound)
    }
}

impl Way<'_> {
    /// The client's affinity cookie: of several, the first that means a server.
    fn affinity(&self, head: &RequestHead<'_, '_>, name: &str) -> Option<[u8; 32]> {
        let upstream = self.live.upstream(self.upstream);
        affinity_cookies(head, name).find(|cookie| upstream.by_affinity(cookie).is_some())
    }
}

/// RFC 9110, section 9.2.2. Unknown methods are taken for the worse.
fn is_idempotent(method: &[u8]) -> bool {
    matches!(method, b"GET" | b"HEAD" | b"OPTIONS" | b"PUT" | b"DELETE")
}

/// The values of affinity cookies, in either of their two names, that look like ours.
fn affinity_cookies<'a>(
    head: &'a RequestHead<'_, '_>,
    name: &'a str,
) -> impl Iterator<Item = [u8; 32]> + 'a {
    let cookies = head
        .fields
        .iter()
        .filter(|field| request_field(field.name.as_bytes()) == RequestField::Cookie);
    let pairs = cookies
        .flat_map(|field| field.value.split(|byte| *byte == b';'))
        .map(<[u8]>::trim_ascii);
    pairs.filter_map(|pair| {
        let rest = pair.strip_prefix(name.as_bytes())?;
        let value = rest
            .strip_prefix(b"CORS")
            .unwrap_or(rest)
            .strip_prefix(b"=")?;
        value.try_into().ok()
    })
}
