//! What is to be done with a request, from its head alone. Nothing here waits.

use std::mem::MaybeUninit;

use gatewright_snapshot::{
    Action, EndpointIndex, Generation, HostOverride, RequestKey, Scratch, Selected, UpstreamIndex,
};
use gatewright_telemetry::{Failure, HttpVersion};

use super::client::Client;
use super::recording::Recording;
use super::redirect::location;
use super::request_head::{self, Outbound};
use crate::http::framing::BodyLength;
use crate::http::names::{RequestField, request_field};
use crate::http::request::{self, BODY_BYTES_MAX_V1, FIELDS_MAX, RequestHead};
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
        Err(failure) => {
            recording.note_refused_head(bytes);
            return Decision::Refuse {
                failure,
                keep_alive: false,
            };
        }
    };
    recording.note_head(&head, head_length);
    // Without its body having been read, a connection cannot go on.
    let keep_alive = head.keep_alive && head.body == BodyLength::Empty;
    let refuse = |failure| Decision::Refuse {
        failure,
        keep_alive,
    };
    let Some((endpoint, selected)) = endpoint.and_then(|at| Some((at, select(live, at, &head)?)))
    else {
        return refuse(Failure::NoListener);
    };
    recording.route(live.labels(selected.route), selected.listener);
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

fn select(live: &Live, endpoint: EndpointIndex, head: &RequestHead<'_, '_>) -> Option<Selected> {
    thread_local! {
        static SCRATCH: std::cell::RefCell<Scratch> = std::cell::RefCell::default();
    }
    let key = RequestKey {
        host: head.host_name,
        path: head.path,
    };
    SCRATCH.with_borrow_mut(|scratch| live.snapshot.select(endpoint, key, scratch))
}

/// What no route can serve.
fn refusal(live: &Live, endpoint: EndpointIndex, head: &RequestHead<'_, '_>) -> Option<Failure> {
    let gateway = live
        .snapshot
        .gateway(live.snapshot.endpoint(endpoint).gateway);
    if gateway.stopped {
        return Some(Failure::GatewayStopped);
    }
    let is_v1 = gateway.generation == Generation::V1;
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
            version: head.version,
            keep_alive: head.keep_alive,
            is_head: head.method == b"HEAD",
            is_idempotent: is_idempotent(head.method),
            expects_continue: head.expects_continue,
            affinity: affinity.and_then(|cookie| affinity_cookie(head, cookie)),
        };
        (forward, outbound)
    }
}

/// RFC 9110, section 9.2.2. Unknown methods are taken for the worse.
fn is_idempotent(method: &[u8]) -> bool {
    matches!(method, b"GET" | b"HEAD" | b"OPTIONS" | b"PUT" | b"DELETE")
}

/// The value of the affinity cookie, in either of its two names, if it looks like one of ours.
fn affinity_cookie(head: &RequestHead<'_, '_>, name: &str) -> Option<[u8; 32]> {
    let cookies = head
        .fields
        .iter()
        .filter(|field| request_field(field.name.as_bytes()) == RequestField::Cookie);
    let mut pairs = cookies
        .flat_map(|field| field.value.split(|byte| *byte == b';'))
        .map(<[u8]>::trim_ascii);
    pairs.find_map(|pair| {
        let rest = pair.strip_prefix(name.as_bytes())?;
        let value = rest
            .strip_prefix(b"CORS")
            .unwrap_or(rest)
            .strip_prefix(b"=")?;
        value.try_into().ok()
    })
}
