//! Health events: what changed, as lines of JSON, and as insights, the notices of a server or a
//! gateway that is not well until they are cleared. Both can be posted to a URL.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gatewright_telemetry::{Health, HealthChange};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::output;
use crate::sentence::Sentence;
use crate::times::{now, rfc3339};

/// Changes that may wait to be told: several of each server of the largest gateways.
const WAITING_CHANGES_MAX: usize = 65_536;
/// Notifications that may wait for their turn; more are dropped, and that is logged.
const WAITING_NOTES_MAX: usize = 1_024;
/// For one attempt to post a notification.
const POST_TIMEOUT: Duration = Duration::from_secs(10);
/// How long it is waited after each attempt that failed; then the notification is given up.
const POST_PAUSES: [Duration; 3] = [
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(25),
];

/// Where the lines go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum EventTarget {
    Nowhere,
    Stdout,
    File(PathBuf),
}

/// Something that is not well: the form of the service's notice of a degraded backend server.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Insight {
    gateway: String,
    /// When it was raised, UTC.
    at: String,
    /// `None` for the gateway itself.
    server: Option<String>,
    status: String,
    error: String,
}

impl Insight {
    fn to_json(&self) -> Value {
        json!({
            "GatewayName": self.gateway,
            "CurrentTime": self.at,
            "BackendServerAddress": self.server,
            "HealthStatus": self.status,
            "ErrorDetails": self.error,
        })
    }
}

/// The insights that stand, by what they are about.
#[derive(Debug, Default)]
pub(crate) struct Insights(Mutex<BTreeMap<String, Insight>>);

impl Insights {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Insight>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Those that stand, in the notice's form.
    pub(crate) fn list(&self) -> Vec<Value> {
        self.lock().values().map(Insight::to_json).collect()
    }

    /// Raises or clears what `about` is about; what changed by that.
    fn set(&self, about: String, insight: Option<Insight>) -> Option<Value> {
        let mut standing = self.lock();
        let (state, insight) = match insight {
            Some(mut insight) => {
                let before = standing.get(&about);
                let state = match before {
                    Some(before) => {
                        insight.at.clone_from(&before.at);
                        "updated"
                    }
                    None => "raised",
                };
                standing.insert(about, insight.clone());
                (state, insight)
            }
            None => ("cleared", standing.remove(&about)?),
        };
        Some(json!({
            "time": now(),
            "event": "insight",
            "state": state,
            "insight": insight.to_json(),
        }))
    }
}

/// What happened to a gateway as a whole.
#[derive(Debug)]
enum GatewayEvent {
    Failed {
        key: String,
        gateway: String,
        error: String,
    },
    Succeeded {
        key: String,
    },
}

/// Takes events in, from the data plane and from the node.
#[derive(Clone, Debug)]
pub(crate) struct Events {
    changes: mpsc::Sender<HealthChange>,
    gateways: mpsc::UnboundedSender<GatewayEvent>,
    /// Why gateways are in a failed state, by key: what was told already is not told again.
    failing: Arc<Mutex<BTreeMap<String, String>>>,
    pub(crate) insights: Arc<Insights>,
}

impl Events {
    /// Begins to tell. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// When the file cannot be written, or no HTTP client made for `notify_url`.
    pub(crate) fn start(target: &EventTarget, notify_url: Option<&str>) -> Result<Self, Sentence> {
        let lines = Lines::open(target)?;
        let notes = notify_url.map(Notifier::start).transpose()?;
        let (changes, change_receiver) = mpsc::channel(WAITING_CHANGES_MAX);
        let (gateways, gateway_receiver) = mpsc::unbounded_channel();
        let insights = Arc::<Insights>::default();
        let teller = Teller {
            lines,
            notes,
            insights: Arc::clone(&insights),
        };
        tokio::spawn(teller.run(change_receiver, gateway_receiver));
        Ok(Self {
            changes,
            gateways,
            failing: Arc::default(),
            insights,
        })
    }

    pub(crate) fn health_changes(&self) -> mpsc::Sender<HealthChange> {
        self.changes.clone()
    }

    /// A change of this gateway was refused: what it was before is served on, or nothing.
    /// `key` tells it from others of its name. Whether that is news.
    pub(crate) fn gateway_failed(&self, key: &str, gateway: &str, error: &str) -> bool {
        let known = self.failing().insert(key.to_owned(), error.to_owned());
        if known.is_some_and(|known| known == error) {
            return false;
        }
        let event = GatewayEvent::Failed {
            key: key.to_owned(),
            gateway: gateway.to_owned(),
            error: error.to_owned(),
        };
        // There is nobody to tell any more when the runtime ends.
        let _ = self.gateways.send(event);
        true
    }

    /// Every gateway is served as it is wanted, or gone, but for those with these keys.
    pub(crate) fn all_succeeded_but(&self, failed: &BTreeSet<&str>) {
        self.failing().retain(|key, _| {
            let is_failing = failed.contains(key.as_str());
            if !is_failing {
                let key = key.clone();
                let _ = self.gateways.send(GatewayEvent::Succeeded { key });
            }
            is_failing
        });
    }

    fn failing(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.failing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Teller {
    lines: Lines,
    notes: Option<Notifier>,
    insights: Arc<Insights>,
}

impl Teller {
    async fn run(
        mut self,
        mut changes: mpsc::Receiver<HealthChange>,
        mut gateways: mpsc::UnboundedReceiver<GatewayEvent>,
    ) {
        loop {
            tokio::select! {
                Some(change) = changes.recv() => self.server_changed(&change),
                Some(event) = gateways.recv() => self.gateway_changed(event),
                else => return,
            }
        }
    }

    fn server_changed(&mut self, change: &HealthChange) {
        // Another reason for the same state changes the insight alone.
        if change.from != change.to {
            self.tell(health_event(change));
        }
        let HealthChange {
            gateway,
            gateway_id,
            server,
            setting,
            address,
            ..
        } = change;
        let about = format!("{gateway_id} {gateway} {setting} {server} {address}");
        let about = about.to_ascii_lowercase();
        let insight = (change.to == Health::Unhealthy).then(|| Insight {
            gateway: gateway.clone(),
            at: rfc3339(change.at_micros),
            server: Some(server.clone()),
            status: change.to.as_str().to_owned(),
            error: change.log.clone(),
        });
        if let Some(event) = self.insights.set(about, insight) {
            self.tell(event);
        }
    }

    fn gateway_changed(&mut self, event: GatewayEvent) {
        let (key, insight) = match event {
            GatewayEvent::Succeeded { key } => (key, None),
            GatewayEvent::Failed {
                key,
                gateway,
                error,
            } => {
                let insight = Insight {
                    gateway,
                    at: now(),
                    server: None,
                    status: "Failed".to_owned(),
                    error,
                };
                (key, Some(insight))
            }
        };
        if let Some(event) = self.insights.set(key, insight) {
            self.tell(event);
        }
    }

    fn tell(&mut self, event: Value) {
        self.lines.write(&event);
        if let Some(notes) = &self.notes {
            notes.post(event);
        }
    }
}

fn health_event(change: &HealthChange) -> Value {
    let result = match change.to {
        Health::Healthy => "success",
        Health::Unhealthy | Health::Unknown => "failure",
    };
    json!({
        "time": rfc3339(change.at_micros),
        "event": "health",
        "gateway": change.gateway,
        "gatewayId": change.gateway_id,
        "server": change.server,
        "address": change.address,
        "pools": change.pools,
        "setting": change.setting,
        "from": change.from.as_str(),
        "to": change.to.as_str(),
        "message": change.log,
        "code": change.message.code(),
        "detail": change.detail,
        "consecutive": { "result": result, "count": change.in_a_row },
    })
}

/// Lines of JSON, to standard output or a file.
enum Lines {
    Nowhere,
    Stdout,
    File(PathBuf, std::fs::File),
}

impl Lines {
    fn open(target: &EventTarget) -> Result<Self, Sentence> {
        let path = match target {
            EventTarget::Nowhere => return Ok(Self::Nowhere),
            EventTarget::Stdout => return Ok(Self::Stdout),
            EventTarget::File(path) => path,
        };
        let file = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(path);
        match file {
            Ok(file) => Ok(Self::File(path.clone(), file)),
            Err(error) => Err(Sentence::new(format!(
                "the health events cannot be written to {} ({error}); name a file in an existing, \
                 writable folder with --health-events",
                path.display()
            ))),
        }
    }

    /// A line that cannot be written is told in the log: there may be nobody else to tell.
    fn write(&mut self, event: &Value) {
        match self {
            Self::Nowhere => {}
            Self::Stdout => output::line(event),
            Self::File(path, file) => {
                // In one piece: whoever reads meanwhile sees whole lines.
                let line = format!("{event}\n");
                if let Err(error) = file.write_all(line.as_bytes()) {
                    let path = path.display();
                    tracing::error!(
                        "a health event cannot be written to {path} ({error}): {event}"
                    );
                }
            }
        }
    }
}

/// Posts events one after the other, in their order.
struct Notifier(mpsc::Sender<Value>);

impl Notifier {
    fn start(url: &str) -> Result<Self, Sentence> {
        let client = reqwest::Client::builder()
            .timeout(POST_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| Sentence::new(format!("nobody can be notified: {error}")))?;
        let url: reqwest::Url = url.parse().map_err(|error| {
            Sentence::new(format!(
                "'{url}' is no URL to notify ({error}); give one such as https://hooks.test/health"
            ))
        })?;
        let (sender, events) = mpsc::channel(WAITING_NOTES_MAX);
        tokio::spawn(post_all(client, url, events));
        Ok(Self(sender))
    }

    fn post(&self, event: Value) {
        if let Err(error) = self.0.try_send(event) {
            tracing::error!("a notification was dropped, because too many wait: {error}");
        }
    }
}

async fn post_all(client: reqwest::Client, url: reqwest::Url, mut events: mpsc::Receiver<Value>) {
    while let Some(event) = events.recv().await {
        let body = event.to_string();
        let mut pauses = POST_PAUSES.iter();
        while let Err(error) = post(&client, &url, &body).await {
            let Some(pause) = pauses.next() else {
                tracing::error!("a notification was given up ({error}): {body}");
                break;
            };
            tokio::time::sleep(*pause).await;
        }
    }
}

async fn post(client: &reqwest::Client, url: &reqwest::Url, body: &str) -> reqwest::Result<()> {
    let request = client
        .post(url.clone())
        .header("Content-Type", "application/json")
        .body(body.to_owned());
    request.send().await?.error_for_status().map(drop)
}

#[cfg(test)]
mod tests {
    use gatewright_telemetry::HealthMessage;

    use super::*;

    fn change(to: Health) -> HealthChange {
        HealthChange {
            at_micros: 1_795_219_199_000_000,
            gateway: "gw".to_owned(),
            gateway_id: "/subscriptions/s/gw".to_owned(),
            server: "10.0.0.4".to_owned(),
            address: "10.0.0.4:80".to_owned(),
            pools: vec!["web".to_owned()],
            setting: "http".to_owned(),
            from: Health::Healthy,
            to,
            message: HealthMessage::TimedOut,
            log: "Time taken".to_owned(),
            detail: None,
            in_a_row: 3,
        }
    }

    fn teller(insights: &Arc<Insights>) -> Teller {
        Teller {
            lines: Lines::Nowhere,
            notes: None,
            insights: Arc::clone(insights),
        }
    }

    #[test]
    fn a_change_is_told_with_what_led_to_it() {
        let event = health_event(&change(Health::Unhealthy));
        assert_eq!(event["time"], "2026-11-20T23:59:59Z");
        assert_eq!(
            event["consecutive"],
            json!({ "result": "failure", "count": 3 })
        );
        let states = (&event["from"], &event["to"]);
        assert_eq!(states, (&json!("Healthy"), &json!("Unhealthy")));
    }

    /// A change of one gateway says nothing anew of another that is in a failed state.
    #[test]
    fn what_was_told_of_a_gateway_is_not_told_again() {
        let (changes, _) = mpsc::channel(1);
        let (gateways, mut told) = mpsc::unbounded_channel();
        let events = Events {
            changes,
            gateways,
            failing: Arc::default(),
            insights: Arc::default(),
        };
        let mut next = || match told.try_recv().ok()? {
            GatewayEvent::Failed { key, error, .. } => Some(format!("{key} failed: {error}")),
            GatewayEvent::Succeeded { key } => Some(format!("{key} succeeded")),
        };
        events.all_succeeded_but(&BTreeSet::new());
        assert_eq!(next(), None);
        for _ in 0..2 {
            events.all_succeeded_but(&BTreeSet::from(["/a"]));
            events.gateway_failed("/a", "a", "taken");
        }
        assert_eq!(
            (next(), next()),
            (Some("/a failed: taken".to_owned()), None)
        );
        events.gateway_failed("/a", "a", "denied");
        assert_eq!(next(), Some("/a failed: denied".to_owned()));
        events.all_succeeded_but(&BTreeSet::from(["/b"]));
        assert_eq!((next(), next()), (Some("/a succeeded".to_owned()), None));
    }

    #[test]
    fn an_insight_stands_until_the_server_heals() {
        let insights = Arc::<Insights>::default();
        let mut teller = teller(&insights);
        teller.server_changed(&change(Health::Unhealthy));
        let expected = json!({
            "GatewayName": "gw",
            "CurrentTime": "2026-11-20T23:59:59Z",
            "BackendServerAddress": "10.0.0.4",
            "HealthStatus": "Unhealthy",
            "ErrorDetails": "Time taken",
        });
        assert_eq!(insights.list(), std::slice::from_ref(&expected));
        let worse = HealthChange {
            from: Health::Unhealthy,
            at_micros: 99_000_000,
            log: "It refuses connections.".to_owned(),
            ..change(Health::Unhealthy)
        };
        teller.server_changed(&worse);
        let list = insights.list();
        assert_eq!(list.len(), 1);
        assert_eq!(list[0]["ErrorDetails"], "It refuses connections.");
        assert_eq!(
            list[0]["CurrentTime"], expected["CurrentTime"],
            "since when it stands"
        );
        teller.server_changed(&change(Health::Healthy));
        assert!(insights.list().is_empty());
    }

    #[test]
    fn a_failed_gateway_is_told_in_the_same_form() {
        let insights = Arc::<Insights>::default();
        let mut teller = teller(&insights);
        let (gateway, error) = ("gw".to_owned(), "the port is taken".to_owned());
        let key = "/subscriptions/s/gw".to_owned();
        let failed = |key: &str| GatewayEvent::Failed {
            key: key.to_owned(),
            gateway: gateway.clone(),
            error: error.clone(),
        };
        teller.gateway_changed(failed("/subscriptions/other/gw"));
        teller.gateway_changed(GatewayEvent::Succeeded { key: key.clone() });
        assert_eq!(insights.list().len(), 1, "one of the same name is another");
        let key_of_other = "/subscriptions/other/gw".to_owned();
        teller.gateway_changed(GatewayEvent::Succeeded { key: key_of_other });
        teller.gateway_changed(failed(&key));
        let list = insights.list();
        assert_eq!(list[0]["HealthStatus"], "Failed");
        assert_eq!(list[0]["ErrorDetails"], "the port is taken");
        assert!(list[0]["BackendServerAddress"].is_null());
        teller.gateway_changed(GatewayEvent::Succeeded { key });
        assert!(insights.list().is_empty());
    }
}
