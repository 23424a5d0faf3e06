//! A node with an empty control plane, spoken to over HTTPS with a token, as clients do.

use std::time::{Duration, Instant};

use crate::compare::RECORDED_SUBSCRIPTION;
use crate::plane;
use crate::recording::{Answer, SERVICE};
use crate::rest::{Credentials, Rest};
use crate::support::{PATIENCE, Process};

/// Between two looks at an operation; the node itself waits while one runs.
const POLL_PAUSE: Duration = Duration::from_millis(10);

pub(crate) struct Node {
    rest: Rest,
    _process: Process,
    _folder: tempfile::TempDir,
}

impl Node {
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// With more arguments.
    pub(crate) async fn start_with(more: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let elsewhere = ["--admin", "none", "--bind", "127.0.0.1"];
        let more = [&elsewhere, more].concat();
        let (process, ready) = plane::serve(folder.path(), plane::port_offset(), &more);
        let credentials = Credentials::told_by(&process);
        Self {
            rest: Rest::log_in(folder.path(), &ready, &credentials).await,
            _process: process,
            _folder: folder,
        }
    }

    /// Sends what was sent to the service, and answers in its words: with the recorded subscription
    /// and host.
    pub(crate) async fn send(&self, method: &str, target: &str, body: &str) -> Answer {
        let (target, body) = (self.outgoing(target), self.outgoing(body));
        let answer = self.rest.send(method, &target, body).await;
        let headers = answer.headers().iter().map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes());
            (name.as_str().to_owned(), self.incoming(&value))
        });
        Answer {
            status: answer.status().as_u16(),
            headers: headers.collect(),
            body: self.incoming(&answer.text().await.unwrap()),
        }
    }

    fn outgoing(&self, text: &str) -> String {
        text.replace(SERVICE, &self.rest.origin)
            .replace(RECORDED_SUBSCRIPTION, &self.rest.subscription)
    }

    fn incoming(&self, text: &str) -> String {
        text.replace(&self.rest.origin, SERVICE)
            .replace(&self.rest.subscription, RECORDED_SUBSCRIPTION)
    }

    /// Asks for an operation until it has ended.
    pub(crate) async fn poll(&self, link: &str) -> Answer {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = self.send("GET", link, "").await;
            if answer.status != 202 && !answer.goes_on() {
                return answer;
            }
            assert!(
                Instant::now() < deadline,
                "{link} goes on and on: {}",
                answer.body
            );
            tokio::time::sleep(POLL_PAUSE).await;
        }
    }
}
