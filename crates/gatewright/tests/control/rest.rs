//! A client of a node's control plane: HTTPS, with a token.

use std::path::Path;

use serde_json::Value;

use crate::support::{PATIENCE, Process, wait_until};

/// Who the first start makes, and tells the secret of on standard error.
#[derive(Clone)]
pub(crate) struct Credentials {
    app_id: String,
    password: String,
}

impl Credentials {
    pub(crate) fn told_by(process: &Process) -> Self {
        let told_all = || process.stderr().contains("\n  tenant ");
        wait_until("the first principal's secret is told", told_all);
        let told = process.stderr();
        let word = |name: &str| {
            let line = told.lines().find_map(|line| line.trim().strip_prefix(name));
            line.unwrap_or_else(|| panic!("no {name} in {told}"))
                .trim()
                .to_owned()
        };
        Self {
            app_id: word("appId"),
            password: word("password"),
        }
    }
}

pub(crate) struct Rest {
    client: reqwest::Client,
    pub(crate) origin: String,
    pub(crate) subscription: String,
    token: String,
}

impl Rest {
    /// Logs in at the node whose data lie in `folder`.
    pub(crate) async fn log_in(folder: &Path, ready: &Value, credentials: &Credentials) -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let told: Value = {
            let text = std::fs::read(folder.join("node.json")).unwrap();
            serde_json::from_slice(&text).unwrap()
        };
        let authority = std::fs::read(folder.join("ca.crt")).unwrap();
        let authority = reqwest::Certificate::from_pem(&authority).unwrap();
        let client = reqwest::Client::builder()
            .tls_certs_only([authority])
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        let origin = format!("https://{}", ready["control"].as_str().unwrap());
        let form = format!(
            "grant_type=client_credentials&client_id={}&client_secret={}&scope={origin}/.default",
            credentials.app_id, credentials.password,
        );
        let tenant = told["tenant"].as_str().unwrap();
        let request = client
            .post(format!("{origin}/{tenant}/oauth2/v2.0/token"))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form);
        let answer: Value = request.send().await.unwrap().json().await.unwrap();
        let token = answer["access_token"].as_str();
        let token = token.unwrap_or_else(|| panic!("{answer}")).to_owned();
        Self {
            client,
            origin,
            subscription: told["subscription"].as_str().unwrap().to_owned(),
            token,
        }
    }

    /// Sends one request; `target` is a path or a URL.
    pub(crate) async fn send(&self, method: &str, target: &str, body: String) -> reqwest::Response {
        let url = match target.starts_with('/') {
            true => format!("{}{target}", self.origin),
            false => target.to_owned(),
        };
        let request = self
            .client
            .request(method.parse().unwrap(), &url)
            .timeout(PATIENCE)
            .bearer_auth(&self.token)
            .header("content-type", "application/json")
            .body(body);
        let answer = request.send().await;
        answer.unwrap_or_else(|error| panic!("{method} {url}: {error}"))
    }
}
