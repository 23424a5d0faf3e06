//! A recording is played again: what was sent to the service is sent to a node, and the answers are
//! compared.

use std::collections::{HashMap, HashSet};

use serde_json::{Value, json};

use crate::compare::{Closeness, Difference, compare};
use crate::node::Node;
use crate::recording::{Answer, Exchange, LINKS, is_operation, plain};

/// Where groups are that the recorder made outside of the recording, unless an answer shows it.
const LOCATION: &str = "westus";

/// What came of an exchange.
#[derive(Debug)]
pub(crate) struct Compared {
    pub(crate) number: usize,
    /// Method, path and query.
    pub(crate) request: String,
    pub(crate) differences: Vec<Difference>,
}

/// What came of a recording.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) compared: Vec<Compared>,
    /// Exchanges of which a later one tells the end: polls of what goes on, further pages.
    pub(crate) folded: usize,
    /// Polls of operations that we did not begin, which the exchange before shows.
    pub(crate) lost: usize,
    /// Exchanges with other services.
    pub(crate) foreign: usize,
}

pub(crate) async fn replay(exchanges: &[Exchange]) -> Outcome {
    let node = Node::start().await;
    let ours: Vec<Exchange> = exchanges
        .iter()
        .filter(|one| one.is_ours())
        .cloned()
        .collect();
    let mut replay = Replay {
        groups: groups(&ours),
        node,
        links: HashMap::new(),
        operations: HashMap::new(),
        busy: HashSet::new(),
        outcome: Outcome {
            foreign: exchanges.len() - ours.len(),
            ..Outcome::default()
        },
    };
    replay.set_up(&ours).await;
    for (place, exchange) in ours.iter().enumerate() {
        replay.step(&ours, place, exchange).await;
    }
    replay.outcome
}

struct Replay {
    node: Node,
    /// The groups of the recording, in lower case.
    groups: Vec<String>,
    /// Our link for each recorded one, both without their queries.
    links: HashMap<String, String>,
    /// Our id for each recorded one of an operation that a list told.
    operations: HashMap<String, String>,
    /// The resources that the service was still at, last we read.
    busy: HashSet<String>,
    outcome: Outcome,
}

impl Replay {
    /// Makes the groups that were there before.
    async fn set_up(&self, exchanges: &[Exchange]) {
        for group in &self.groups {
            let mut about = exchanges
                .iter()
                .filter(|one| group_of(one) == Some(group.clone()));
            let path_is_group = |one: &Exchange| one.path().split('/').count() == 5;
            let first = about.clone().next().unwrap();
            if path_is_group(first) && first.method == "PUT" {
                continue;
            }
            let shown = about.find(|one| path_is_group(one) && one.method == "GET");
            let shown = shown.and_then(|one| one.answer.json()).unwrap_or_default();
            let location = shown["location"].as_str().unwrap_or(LOCATION);
            let body = json!({"location": location, "tags": shown["tags"]}).to_string();
            let path: Vec<&str> = first.path().split('/').take(5).collect();
            let target = format!("{}?api-version=2022-09-01", path.join("/"));
            let answer = self.node.send("PUT", &target, &body).await;
            assert_eq!(answer.status, 201, "{target}: {}", answer.body);
        }
    }

    async fn step(&mut self, all: &[Exchange], place: usize, exchange: &Exchange) {
        let is_link = all[..place]
            .iter()
            .any(|one| one.answer.leads_to(exchange.path()));
        if exchange.is_next_page() || is_on_the_way(all, place, is_link) {
            self.outcome.folded += 1;
            return;
        }
        let got = match self.links.get(exchange.path()) {
            Some(link) => self.node.poll(link).await,
            None if is_link => {
                self.outcome.lost += 1;
                return;
            }
            None => {
                let Exchange { method, body, .. } = exchange;
                let mut target = exchange.target.clone();
                for (theirs, ours) in &self.operations {
                    target = target.replace(theirs, ours);
                }
                self.node.send(method, &target, body).await
            }
        };
        self.follow(&exchange.answer, &got).await;
        self.learn(&exchange.answer, &got);
        if exchange.answer.status == 0 {
            assert!(got.status < 300, "{}: {}", exchange.target, got.body);
            return;
        }
        let expected = self.expected(all, place);
        let closeness = self.closeness(exchange, is_link);
        self.outcome.compared.push(Compared {
            number: exchange.number,
            request: format!("{} {}", exchange.method, plain(&exchange.target)),
            differences: compare(&expected, &got, closeness),
        });
    }

    /// Remembers which of our operations is which of the recorded ones, and waits for its end.
    async fn follow(&mut self, recorded: &Answer, got: &Answer) {
        for name in LINKS {
            let Some(ours) = got.header(name).filter(|link| is_operation(link)) else {
                continue;
            };
            self.node.poll(ours).await;
            if let Some(theirs) = recorded.link(name) {
                self.links.insert(theirs.to_owned(), ours.to_owned());
            }
        }
    }

    /// Remembers which of our listed operations is which of the recorded ones.
    fn learn(&mut self, recorded: &Answer, got: &Answer) {
        let items = |answer: &Answer| list(&answer.json().unwrap_or_default());
        for (theirs, ours) in items(recorded).iter().zip(&items(got)) {
            let id = |item: &Value| {
                let id = item["id"].as_str().filter(|id| is_operation(id))?;
                id.rsplit('/').next().map(str::to_owned)
            };
            self.operations.extend(id(theirs).zip(id(ours)));
        }
    }

    /// The recorded answer, with the further pages of a list and without what belongs to others.
    fn expected(&self, all: &[Exchange], place: usize) -> Answer {
        let mut answer = all[place].answer.clone();
        let Some(mut body) = answer.json().filter(|body| body["value"].is_array()) else {
            return answer;
        };
        let pages = all[place + 1..].iter().take_while(|one| one.is_next_page());
        let more = pages.filter_map(|page| page.answer.json());
        let more: Vec<Value> = more.flat_map(|page| list(&page)).collect();
        let is_known = |item: &Value| {
            let id = item["id"].as_str().unwrap_or_default().to_ascii_lowercase();
            match id.split_once("/resourcegroups/") {
                Some((_, rest)) => {
                    let group = rest.split('/').next().unwrap_or_default();
                    self.groups.iter().any(|known| known == group)
                }
                None => true,
            }
        };
        let items = list(&body).into_iter().chain(more).filter(is_known);
        body["value"] = items.collect();
        if let Some(members) = body.as_object_mut() {
            members.shift_remove("nextLink");
        }
        answer.body = body.to_string();
        answer
    }

    fn closeness(&mut self, exchange: &Exchange, is_link: bool) -> Closeness {
        let was_busy = self.busy.contains(exchange.path());
        if exchange.method == "GET" {
            match exchange.answer.goes_on() {
                true => self.busy.insert(exchange.path().to_owned()),
                false => self.busy.remove(exchange.path()),
            };
        }
        let goes_on = exchange.method == "GET" && !is_link && exchange.answer.goes_on();
        Closeness {
            any_state: goes_on || was_busy,
        }
    }
}

/// Whether the answer is one of several on the way to the one that counts.
fn is_on_the_way(all: &[Exchange], place: usize, is_link: bool) -> bool {
    let exchange = &all[place];
    if is_link && (exchange.answer.status == 202 || exchange.answer.goes_on()) {
        return true;
    }
    let after = all[place + 1..].iter();
    let again = after.take_while(|one| one.repeats(exchange));
    again.last().is_some_and(|last| {
        last.answer.status != exchange.answer.status || last.answer.body != exchange.answer.body
    })
}

fn list(body: &Value) -> Vec<Value> {
    body["value"].as_array().cloned().unwrap_or_default()
}

/// The groups that the exchanges are about, in lower case.
fn groups(exchanges: &[Exchange]) -> Vec<String> {
    let mut groups: Vec<String> = exchanges.iter().filter_map(group_of).collect();
    groups.sort_unstable();
    groups.dedup();
    groups
}

fn group_of(exchange: &Exchange) -> Option<String> {
    let path = exchange.path().to_ascii_lowercase();
    let (_, rest) = path.split_once("/resourcegroups/")?;
    rest.split('/').next().map(str::to_owned)
}
