//! A node with an empty control plane, spoken to over HTTPS with a token, as clients do.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::compare::RECORDED_SUBSCRIPTION;
use crate::plane;
use crate::recording::{Answer, SERVICE};
use crate::support::{PATIENCE, Process, wait_until};

/// Between two looks at an operation; the node itself waits while one runs.
const POLL_PAUSE: Duration = Duration::from_millis(10);

pub(crate) struct Node {
    client: reqwest::Client,
    origin: String,
    token: String,
    subscription: String,
    _process: Process,
    _folder: tempfile::TempDir,
}

impl Node {
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// With more arguments.
    pub(crate) async fn start_with(more: &[&str]) -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        let elsewhere = ["--admin", "none", "--bind", "127.0.0.1"];
        let more = [&elsewhere, more].concat();
        let (process, ready) = plane::serve(folder.path(), plane::port_offset(), &more);
        let told: Value = {
            let text = std::fs::read(folder.path().join("node.json")).unwrap();
            serde_json::from_slice(&text).unwrap()
        };
        let authority = std::fs::read(folder.path().join("ca.crt")).unwrap();
        let authority = reqwest::Certificate::from_pem(&authority).unwrap();
        let client = reqwest::Client::builder()
            .tls_certs_only([authority])
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        let mut node = Self {
            client,
            origin: format!("https://{}", ready["control"].as_str().unwrap()),
            token: String::new(),
            subscription: told["subscription"].as_str().unwrap().to_owned(),
            _process: process,
            _folder: folder,
        };
        node.log_in(told["tenant"].as_str().unwrap()).await;
        node
    }

    /// With the secret that the first start tells on standard error.
    async fn log_in(&mut self, tenant: &str) {
        let told_all = || self._process.stderr().contains("\n  tenant ");
        wait_until("the first principal's secret is told", told_all);
        let told = self._process.stderr();
        let word = |name: &str| {
            let line = told.lines().find_map(|line| line.trim().strip_prefix(name));
            line.unwrap_or_else(|| panic!("no {name} in {told}"))
                .trim()
                .to_owned()
        };
        let form = format!(
            "grant_type=client_credentials&client_id={}&client_secret={}&scope={}/.default",
            word("appId"),
            word("password"),
            self.origin
        );
        let url = format!("{}/{tenant}/oauth2/v2.0/token", self.origin);
        let request = self.client.post(url).body(form);
        let kind = "application/x-www-form-urlencoded";
        let answer = request.header("content-type", kind).send().await.unwrap();
        let answer: Value = answer.json().await.unwrap();
        let token = answer["access_token"].as_str();
        self.token = token.unwrap_or_else(|| panic!("{answer}")).to_owned();
    }

    /// Sends what was sent to the service, and answers in its words: with the recorded subscription
    /// and host.
    pub(crate) async fn send(&self, method: &str, target: &str, body: &str) -> Answer {
        let target = self.outgoing(target);
        let url = match target.starts_with('/') {
            true => format!("{}{target}", self.origin),
            false => target,
        };
        let request = self
            .client
            .request(method.parse().unwrap(), &url)
            .timeout(PATIENCE)
            .bearer_auth(&self.token)
            .header("content-type", "application/json")
            .body(self.outgoing(body));
        let answer = request
            .send()
            .await
            .unwrap_or_else(|e| panic!("{method} {url}: {e}"));
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
        text.replace(SERVICE, &self.origin)
            .replace(RECORDED_SUBSCRIPTION, &self.subscription)
    }

    fn incoming(&self, text: &str) -> String {
        text.replace(&self.origin, SERVICE)
            .replace(&self.subscription, RECORDED_SUBSCRIPTION)
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
