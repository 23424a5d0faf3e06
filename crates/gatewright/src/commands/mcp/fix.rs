//! The one tool that changes something: only what its user has seen and confirmed.
//!
//! A client asks its user when it gets `elicitation/create`. Up to the protocol of 2025-11-25 that
//! is a request of the server; from 2026-07-28 on it is part of the answer, and the client calls
//! again with what its user said. In between, the remedy that was shown is kept here, so that it is
//! that one, and no other, which is applied.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use gatewright_diagnosis::Cause;
use rmcp::RoleServer;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ElicitRequest, ElicitRequestParams,
    ElicitResult, ElicitationAction, ElicitationSchema, InputRequest, InputRequests,
    InputRequiredResult, ProtocolVersion,
};
use rmcp::service::RequestContext;
use serde_json::{Value, json};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use uuid::Uuid;

use crate::commands::fix::{Change, Target, apply, changes, remedies, shown, verify};
use crate::sentence::Sentence;

use super::answer::{Answer, failure};
use super::server::Server;
use super::subject::Subject;
use super::tools::{Kind, OfGateway, read};

/// How long a user may think about a change.
const PATIENCE: Duration = Duration::from_secs(600);
/// Changes that wait for their confirmations; the oldest makes room.
const OFFERS_MAX: usize = 16;
/// Longest message that asks for a confirmation, in bytes: a change must be seen whole.
const MESSAGE_BYTES_MAX: usize = 16 * 1024;
/// What the confirmation, and its one answer, are called.
const CONFIRMATION: &str = "confirmation";
const APPLY: &str = "apply";

/// A remedy as it was shown.
struct Offer {
    target: Target,
    cause: Cause,
    /// What the remedy does, in a sentence.
    summary: String,
    changes: Vec<Change>,
    message: String,
}

struct Waiting {
    handle: String,
    since: Instant,
    offer: Offer,
}

pub(super) struct Fixes {
    /// One change at a time.
    turn: Arc<Semaphore>,
    waiting: Mutex<Vec<Waiting>>,
}

impl Fixes {
    pub(super) fn new() -> Self {
        Self {
            turn: Arc::new(Semaphore::new(1)),
            waiting: Mutex::new(Vec::new()),
        }
    }

    pub(super) async fn settle_down(&self) {
        // It is never closed.
        let _ = self.turn.acquire().await;
    }

    /// Asks for a confirmation and applies what was confirmed.
    ///
    /// # Errors
    /// When nothing can be offered, or nobody can be asked.
    pub(super) async fn fix(
        &self,
        server: &Server,
        request: CallToolRequestParams,
        context: &RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, Sentence> {
        let of: OfGateway = read(Kind::Fix, request.arguments)?;
        if let Some(handle) = request.request_state {
            let responses = request.input_responses.unwrap_or_default();
            let said = responses.get(CONFIRMATION).cloned().unwrap_or_default();
            return self.take_up(&handle, said).await;
        }
        if !can_elicit(context) {
            return Err(Sentence::new(
                "this client cannot ask its user for a confirmation (it has no `elicitation` of \
                 forms), and without one nothing is changed; run `gatewright diagnose --fix` in a \
                 terminal instead",
            ));
        }
        let offer = server.work(move |subject| offer(subject, &of)).await?;
        let question = question(&offer)?;
        let is_asked_by_answer = context
            .protocol_version()
            .is_some_and(|version| version >= ProtocolVersion::V_2026_07_28);
        if is_asked_by_answer {
            let request = InputRequest::Elicitation(ElicitRequest::new(question));
            let requests = InputRequests::from([(CONFIRMATION.to_owned(), request)]);
            let handle = self.keep(offer);
            return Ok(InputRequiredResult::new(Some(requests), Some(handle)).into());
        }
        let peer = &context.peer;
        let asked = peer.create_elicitation_with_timeout(question, Some(PATIENCE));
        let said = asked.await.map_err(|error| {
            Sentence::new(format!(
                "nothing was changed: the client did not ask for the confirmation ({error})"
            ))
        })?;
        Ok(self.settle(offer, &said).await.into())
    }

    /// Goes on with what was offered in an earlier answer.
    async fn take_up(&self, handle: &str, said: Value) -> Result<CallToolResponse, Sentence> {
        let offer = self.take(handle).ok_or_else(|| {
            Sentence::new(
                "nothing was changed: no change waits for this confirmation (any more); call \
                 `fix` again",
            )
        })?;
        let said: ElicitResult = serde_json::from_value(said).map_err(|error| {
            Sentence::new(format!(
                "nothing was changed: the confirmation cannot be read ({error})"
            ))
        })?;
        Ok(self.settle(offer, &said).await.into())
    }

    async fn settle(&self, offer: Offer, said: &ElicitResult) -> CallToolResult {
        let is_ticked = said.content.as_ref().map(|content| &content[APPLY]);
        let is_confirmed =
            said.action == ElicitationAction::Accept && is_ticked == Some(&Value::Bool(true));
        if !is_confirmed {
            let text = "Nothing was changed: it was not confirmed.".to_owned();
            return told(&offer, false, false, text);
        }
        let Ok(turn) = Arc::clone(&self.turn).try_acquire_owned() else {
            return failure(&Sentence::new(
                "nothing was changed: another change is being applied; call `fix` again later",
            ));
        };
        let done = tokio::task::spawn_blocking(move || carry_out(&offer, turn));
        done.await.unwrap_or_else(|_| {
            failure(&Sentence::new(
                "the change has died on its way; ask `diagnose` how things are",
            ))
        })
    }

    fn keep(&self, offer: Offer) -> String {
        let handle = Uuid::new_v4().to_string();
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|one| one.since.elapsed() < PATIENCE);
        if waiting.len() >= OFFERS_MAX {
            waiting.remove(0);
        }
        waiting.push(Waiting {
            handle: handle.clone(),
            since: Instant::now(),
            offer,
        });
        handle
    }

    /// An offer can be taken once.
    fn take(&self, handle: &str) -> Option<Offer> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|one| one.since.elapsed() < PATIENCE);
        let at = waiting.iter().position(|one| one.handle == handle)?;
        Some(waiting.remove(at).offer)
    }
}

/// Whether the client can show a form. Without any mode, an early client means forms.
fn can_elicit(context: &RequestContext<RoleServer>) -> bool {
    let elicitation = context
        .client_capabilities()
        .and_then(|all| all.elicitation);
    elicitation.is_some_and(|how| how.form.is_some() || how.url.is_none())
}

/// The first remedy of the root cause.
fn offer(subject: &Subject, of: &OfGateway) -> Result<Offer, Sentence> {
    let data_dir = match subject {
        Subject::Node { data_dir, .. } => data_dir.clone(),
        Subject::Folder(_) => None,
    };
    let target = Target {
        admin: subject.admin()?,
        data_dir,
        gateway: of.gateway.clone().unwrap_or_default(),
    };
    let diagnosed = subject.diagnosed(of.gateway.as_deref())?;
    let (cause, remedies) = remedies(&diagnosed.report.verdict)?;
    let remedy = remedies.into_iter().next();
    let remedy = remedy.ok_or_else(|| Sentence::new("there is no remedy"))?;
    let changes = changes(&target, remedy, &diagnosed.evidence)?;
    let places: Vec<String> = changes.iter().map(Change::place).collect();
    let message = format!(
        "Apply this to what the node serves?\n\n{} {}: {}\n\n{}\n\nThis changes {}.",
        cause.code(),
        cause.name(),
        cause.means(),
        shown(remedy, &diagnosed.evidence),
        places.join(" and ")
    );
    Ok(Offer {
        target,
        cause,
        summary: remedy.summary.clone(),
        changes,
        message,
    })
}

/// What the client's user is asked: never less than everything that would be done.
fn question(offer: &Offer) -> Result<ElicitRequestParams, Sentence> {
    let message = offer.message.clone();
    let size = message.len();
    if size > MESSAGE_BYTES_MAX {
        return Err(Sentence::new(format!(
            "the change has {size} bytes when it is shown, and more than {MESSAGE_BYTES_MAX} are \
             too many to confirm at once; run `gatewright diagnose --fix` in a terminal instead"
        )));
    }
    let schema = json!({
        "type": "object",
        "properties": {
            APPLY: {
                "type": "boolean",
                "title": "Apply the change",
                "description": "Whether the change that is shown above is applied",
                "default": false,
            },
        },
        "required": [APPLY],
    });
    let requested_schema: ElicitationSchema = serde_json::from_value(schema)
        .map_err(|error| Sentence::new(format!("nobody can be asked: {error}")))?;
    Ok(ElicitRequestParams::FormElicitationParams {
        meta: None,
        message,
        requested_schema,
    })
}

/// Applies and verifies. `turn` is held until it is done, even if nobody waits for it any more.
fn carry_out(offer: &Offer, turn: OwnedSemaphorePermit) -> CallToolResult {
    let _turn = turn;
    let mut lines = Vec::new();
    let code = offer.cause.code();
    tracing::info!("{code}: a confirmed remedy is applied: {}", offer.summary);
    let mut tell = |line: String| {
        tracing::info!("{line}");
        lines.push(line);
    };
    let applied = apply(&offer.target, &offer.changes, &mut tell);
    let (is_applied, verified) = match applied {
        Ok(()) => (true, verify(&offer.target, offer.cause)),
        Err(why) => (false, Err(why)),
    };
    let (is_verified, last) = match verified {
        Ok(line) => (true, line),
        Err(why) => (false, format!("error: {why}")),
    };
    lines.push(last);
    let mut result = told(offer, is_applied, is_verified, lines.join("\n"));
    result.is_error = Some(!is_verified);
    result
}

fn told(offer: &Offer, is_applied: bool, is_verified: bool, text: String) -> CallToolResult {
    let json = json!({
        "cause": offer.cause.name(),
        "code": offer.cause.code(),
        "summary": offer.summary,
        "applied": is_applied,
        "verified": is_verified,
        "told": text,
    });
    let answer = Answer {
        json,
        text,
        narrower: "",
    };
    answer.into_result()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn an_offer(message: String) -> Offer {
        Offer {
            target: Target {
                admin: None,
                data_dir: None,
                gateway: String::new(),
            },
            cause: Cause::named("probe-404").unwrap(),
            summary: String::new(),
            changes: Vec::new(),
            message,
        }
    }

    #[test]
    fn a_change_that_is_too_long_is_not_asked_for() {
        let told = question(&an_offer("x".repeat(MESSAGE_BYTES_MAX + 1)));
        let why = told.unwrap_err().to_string();
        assert!(why.contains("the change has 16385 bytes"), "{why}");
        let message = "x".repeat(MESSAGE_BYTES_MAX);
        let asked = question(&an_offer(message.clone())).unwrap();
        let asked = serde_json::to_value(asked).unwrap();
        assert_eq!(asked["message"], message);
        assert_eq!(asked["requestedSchema"]["required"], json!([APPLY]));
    }

    #[test]
    fn an_offer_is_taken_once_and_the_oldest_makes_room() {
        let fixes = Fixes::new();
        let all: Vec<String> = (0..=OFFERS_MAX)
            .map(|number| fixes.keep(an_offer(number.to_string())))
            .collect();
        assert!(fixes.take(&all[0]).is_none());
        assert_eq!(fixes.take(&all[1]).unwrap().message, "1");
        assert!(fixes.take(&all[1]).is_none());
        assert!(fixes.take("").is_none());
        assert_eq!(fixes.take(&all[OFFERS_MAX]).unwrap().message, "16");
    }
}
