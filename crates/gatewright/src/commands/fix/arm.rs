//! Remedies through the node's own control plane, as any client of its API: with a principal that
//! lives as long as the change takes, so that the activity log names it.

use std::fs;
use std::time::{Duration, Instant};

use gatewright_arm::ApiVersion;
use gatewright_diagnosis::Patch;
use reqwest::{Certificate, Client, Method, Response, Url};
use serde_json::{Value, json};

use crate::client::Question;
use crate::commands::az_setup::endpoint;
use crate::commands::serve::with_runtime;
use crate::commands::sp;
use crate::control_plane::NodeFile;
use crate::interrupt::before_the_end;
use crate::output;
use crate::sentence::Sentence;

/// What the principal is called.
const PRINCIPAL: &str = "gatewright diagnose --fix";
const ROLE: &str = "Network Contributor";
/// How long one answer, and the whole operation, may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
const OPERATION_TIMEOUT: Duration = Duration::from_secs(120);
const PAUSE: Duration = Duration::from_millis(100);

/// Changes a resource, and waits until its operation has ended.
pub(super) fn apply(node: &NodeFile, patch: &Patch) -> Result<String, Sentence> {
    if patch.resource.is_empty() {
        return Err(Sentence::new("the document has no id to change it by"));
    }
    let made = sp::make(node, PRINCIPAL, ROLE, &patch.resource)?;
    let revocation = json!({"appId": made["appId"]});
    let interrupted = {
        let (node, revocation) = (node.clone(), revocation.clone());
        before_the_end(move || {
            output::error(&Sentence::new(
                "interrupted: whether the change was made is to be seen",
            ));
            let revoke = Question::Post("/principals/revoke", Some(&revocation));
            if let Err(why) = node.ask(revoke) {
                output::error(&why);
            }
        })
    };
    let outcome = with_runtime(change(node, &made, patch));
    let revoked = node.ask(Question::Post("/principals/revoke", Some(&revocation)));
    drop(interrupted);
    match (outcome, revoked) {
        (Ok(()), Ok(_)) => Ok(format!("{} is changed.", patch.resource)),
        (Ok(()), Err(why)) => Err(Sentence::new(format!(
            "{} is changed, but its principal stays ({why}): `gatewright sp list` and `sp revoke`",
            patch.resource
        ))),
        (Err(why), Ok(_)) => Err(why),
        (Err(why), Err(other)) => Err(Sentence::new(format!(
            "{why}; and its principal stays ({other}): `gatewright sp list` and `sp revoke`"
        ))),
    }
}

async fn change(node: &NodeFile, principal: &Value, patch: &Patch) -> Result<(), Sentence> {
    let arm = Arm::log_in(node, principal).await?;
    let id = &patch.resource;
    let mut document = arm.ask(Method::GET, id, None).await?.body;
    patch
        .apply(&mut document)
        .map_err(|why| Sentence::new(format!("{id}: {why}; diagnose again")))?;
    let answer = arm.ask(Method::PUT, id, Some(&document)).await?;
    arm.wait(&answer).await
}

struct Arm {
    client: Client,
    base: Url,
    token: String,
}

/// An answer that is no refusal.
struct Answer {
    /// Where its operation can be asked about.
    operation: Option<String>,
    body: Value,
}

fn unreachable(error: &reqwest::Error) -> Sentence {
    Sentence::new(format!("the control plane does not answer: {error}"))
}

impl Arm {
    async fn log_in(node: &NodeFile, principal: &Value) -> Result<Self, Sentence> {
        let ca = fs::read(&node.ca_file);
        let ca = ca.map_err(|error| {
            Sentence::new(format!(
                "{} cannot be read: {error}",
                node.ca_file.display()
            ))
        })?;
        let ca = Certificate::from_pem(&ca).map_err(|error| Sentence::new(error.to_string()))?;
        let client = Client::builder()
            .tls_certs_only([ca])
            .timeout(ANSWER_TIMEOUT)
            .build()
            .map_err(|error| Sentence::new(error.to_string()))?;
        let base = Url::parse(&endpoint(node)).map_err(|error| Sentence::new(error.to_string()))?;
        let mut arm = Self {
            client,
            base,
            token: String::new(),
        };
        let text = |name: &str| principal[name].as_str().unwrap_or_default().to_owned();
        let form = Url::parse_with_params(
            "http://form",
            [
                ("grant_type", "client_credentials"),
                ("client_id", &text("appId")),
                ("client_secret", &text("password")),
                ("scope", &format!("{}.default", arm.base)),
            ],
        );
        let form = form.map_err(|error| Sentence::new(error.to_string()))?;
        let url = arm.url(&format!("/{}/oauth2/v2.0/token", node.tenant))?;
        let request = arm
            .client
            .post(url)
            .header("Content-Type", "application/x-www-form-urlencoded")
            .body(form.query().unwrap_or_default().to_owned());
        let answer = request.send().await.map_err(|error| unreachable(&error))?;
        let token = answer_of(answer).await?.body;
        arm.token = token["access_token"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        Ok(arm)
    }

    fn url(&self, path: &str) -> Result<Url, Sentence> {
        self.base
            .join(path)
            .map_err(|error| Sentence::new(error.to_string()))
    }

    async fn ask(
        &self,
        method: Method,
        id: &str,
        body: Option<&Value>,
    ) -> Result<Answer, Sentence> {
        let mut url = self.url(id)?;
        url.query_pairs_mut()
            .append_pair("api-version", &ApiVersion::NEWEST.to_string());
        let mut request = self.client.request(method, url).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.json(body);
            // Nobody may have changed it in between.
            if let Some(etag) = body["etag"].as_str() {
                request = request.header("If-Match", etag);
            }
        }
        let answer = request.send().await.map_err(|error| unreachable(&error))?;
        answer_of(answer).await
    }

    /// Waits for the end of the operation behind an answer, if there is one.
    async fn wait(&self, answer: &Answer) -> Result<(), Sentence> {
        let Some(operation) = &answer.operation else {
            return Ok(());
        };
        let began = Instant::now();
        let url = Url::parse(operation).map_err(|error| Sentence::new(error.to_string()))?;
        while began.elapsed() < OPERATION_TIMEOUT {
            let request = self.client.get(url.clone()).bearer_auth(&self.token);
            let answer = request.send().await.map_err(|error| unreachable(&error))?;
            let told = answer_of(answer).await?.body;
            match told["status"].as_str() {
                Some("InProgress") => tokio::time::sleep(PAUSE).await,
                Some("Succeeded") => return Ok(()),
                _ => return Err(refusal(&told)),
            }
        }
        Err(Sentence::new("the operation has not ended in two minutes"))
    }
}

async fn answer_of(answer: Response) -> Result<Answer, Sentence> {
    let is_good = answer.status().is_success();
    let operation = answer.headers().get("azure-asyncoperation");
    let operation = operation
        .and_then(|one| one.to_str().ok())
        .map(str::to_owned);
    let body: Value = answer.json().await.map_err(|error| unreachable(&error))?;
    match is_good {
        true => Ok(Answer { operation, body }),
        false => Err(refusal(&body)),
    }
}

fn refusal(body: &Value) -> Sentence {
    let message = body["error"]["message"].as_str();
    let message = message.or_else(|| body["error_description"].as_str());
    let code = body["error"]["code"].as_str().unwrap_or("refused");
    Sentence::new(format!(
        "{} ({code})",
        message.unwrap_or("the control plane refuses")
    ))
}
