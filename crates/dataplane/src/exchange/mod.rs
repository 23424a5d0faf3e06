//! One request and its answer: the only place that decides what happens next.
//!
//! `decide` looks at the head and says what is to be done, without waiting for anything;
//! [`exchange`] does it. A request pins one configuration here and never looks for another.

mod answer;
mod client;
mod conversation;
mod decide;
mod forward;
mod recording;
mod redirect;
mod relay;
mod request_head;
mod response_head;
mod upload;

use std::time::Duration;

use client::Client;
pub(crate) use client::{ClientOrigin, serve, serve_plain_on_tls};
pub(crate) use conversation::INTERIM_ANSWERS_MAX;
use decide::{Decision, decide};
use recording::Recording;
pub(crate) use relay::Body as AnswerBody;

/// How long a peer may take nothing of what is sent to it.
const SEND_STALL_MAX: Duration = Duration::from_secs(60);

/// What becomes of the client's connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum After {
    /// It may send the next request.
    KeepOpen,
    Close,
    /// Part of its request was not read: it must not lose the answer to a reset.
    Linger,
    /// The answer is incomplete, and the client has to notice.
    Abort,
}

/// Serves the request whose head is the first `head_length` bytes of the client's inbox.
async fn exchange(client: &mut Client, head_length: usize) -> After {
    let live = client.core().live();
    let mut recording = Recording::begin(client, &live);
    match decide(client, &live, head_length, &mut recording) {
        Decision::Refuse {
            failure,
            keep_alive,
        } => {
            client.inbox_mut().consume(head_length);
            answer::fail(client, &live, &mut recording, failure, keep_alive).await
        }
        Decision::Redirect {
            status,
            location,
            keep_alive,
        } => {
            client.inbox_mut().consume(head_length);
            answer::redirect(client, &live, &mut recording, status, &location, keep_alive).await
        }
        Decision::Forward(forward, head) => {
            client.inbox_mut().consume(head_length);
            forward::forward(client, &live, forward, head, &mut recording).await
        }
    }
}
