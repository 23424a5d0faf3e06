//! What is different between two configurations of a gateway, and what that does to traffic.
//!
//! Parts are compared by kind and name, in the form of [`form`]; where requests go is asked of the
//! compiled snapshots of both, with a representative for every frontend, port, host and path that
//! one of the two tells apart.

mod certificates;
mod effects;
mod form;
mod handling;
mod parts;
mod routes;
mod servers;
#[cfg(test)]
mod tests;
mod text;
mod transport;

use gatewright_arm::{ApplicationGateway, Context, Diagnostic, validate};
use serde::Serialize;

use crate::finding::{Confidence, Finding, Verdict};
pub use routes::REPRESENTATIVES_MAX;

/// What became of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    Added,
    Removed,
    Changed,
    /// It has another name, and is the same otherwise.
    Renamed,
}

/// A part that is not what it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PartChange {
    /// Such as `listener`; `gateway` for the gateway's own members.
    pub kind: &'static str,
    /// Its name; of a path rule, that of its map before it: `map/rule`.
    pub name: String,
    pub change: Change,
    /// The name that it had, where it was renamed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub was: Option<String>,
    /// What is different; of a part that came, all that it has.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<MemberChange>,
}

/// A member that is not what it was. Secrets have no values here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct MemberChange {
    /// The path of the member, such as `match.statusCodes`.
    pub member: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new: Option<String>,
    /// Of a list without an order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub added: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<String>,
}

/// How much an effect matters, the heaviest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Weight {
    /// Requests or connections that fail.
    Lost,
    /// Requests that go elsewhere.
    Moved,
    /// Servers that get requests, or none.
    Servers,
    /// Requests and probes that are made otherwise.
    Handling,
    /// What clients see of TLS and addresses.
    Clients,
    /// Requests that were not answered before.
    Gained,
    /// Another part does the same.
    Same,
}

/// One thing that the change does to traffic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Effect {
    pub weight: Weight,
    /// One sentence.
    pub says: String,
    /// The requests that it is about, where it is about their routing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub requests: Vec<Asked>,
}

/// A kind of request, by what configurations tell apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Asked {
    pub frontend: String,
    pub port: u16,
    /// A host name or a pattern; nothing for all that no listener names.
    pub host: Option<String>,
    /// A pattern; nothing for all that no path rule names.
    pub path: Option<String>,
}

/// What is foreseen with one of two configurations alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Trouble {
    /// The code of a cause, or of the service's validation.
    pub code: String,
    /// The name of the cause, and how sure it is; nothing of the validation's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confidence: Option<&'static str>,
    pub says: String,
}

/// What is different between two configurations of a gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    pub gateway: String,
    /// The heaviest first.
    pub effects: Vec<Effect>,
    /// Why it cannot be told where requests go.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unknown: Option<String>,
    /// Whether there are more representatives than [`REPRESENTATIVES_MAX`], and the effects on
    /// those beyond are not told.
    pub is_cut: bool,
    pub new_trouble: Vec<Trouble>,
    pub gone_trouble: Vec<Trouble>,
    pub parts: Vec<PartChange>,
}

impl Difference {
    /// Whether the two say the same.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// Takes in what [`predict`](crate::predict) says with each of the two.
    pub fn foretell(&mut self, old: &Verdict, new: &Verdict) {
        self.new_trouble.extend(only_in(new, old));
        self.gone_trouble.extend(only_in(old, new));
    }
}

/// Compares two configurations of a gateway. No gateway makes this panic, valid or not; the same
/// two give the same answer.
pub fn diff(old: &ApplicationGateway, new: &ApplicationGateway) -> Difference {
    let (old_group, new_group) = (form::group_of(old), form::group_of(new));
    // The body of a PUT has no id; what it refers to tells its group.
    let or = |own: &String, other: &String| match own.is_empty() {
        true => other.clone(),
        false => own.clone(),
    };
    let old_parts = form::parts(old, &or(&old_group, &new_group));
    let new_parts = form::parts(new, &or(&new_group, &old_group));
    let pairs = parts::Pairs::new(&old_parts, &new_parts);
    let changes = pairs.changes();
    let (old_errors, new_errors) = (errors(old), errors(new));
    let mut difference = Difference {
        gateway: new.name.clone(),
        effects: Vec::new(),
        unknown: None,
        is_cut: false,
        new_trouble: only_refused(&new_errors, &old_errors),
        gone_trouble: only_refused(&old_errors, &new_errors),
        parts: changes,
    };
    if !difference.is_empty() {
        effects::find(old, new, &pairs, &mut difference);
    }
    difference
}

/// What the service would refuse, but for what it says of keys.
fn errors(gateway: &ApplicationGateway) -> Vec<Diagnostic> {
    let found = validate(gateway, &Context::default()).into_iter();
    found
        .filter(|one| one.is_error() && !is_about_keys(one))
        .collect()
}

/// For what the service would refuse one of the two alone.
fn only_refused(one: &[Diagnostic], other: &[Diagnostic]) -> Vec<Trouble> {
    let is_new = |one: &&Diagnostic| {
        let mut known = other.iter();
        !known.any(|other| other.code == one.code && other.message == one.message)
    };
    let trouble = |one: &Diagnostic| Trouble {
        code: one.code.to_string(),
        cause: None,
        confidence: None,
        says: format!("The service refuses it: {}", one.message),
    };
    one.iter().filter(is_new).map(trouble).collect()
}

/// An export has no private keys, and means those that the service has.
fn is_about_keys(one: &Diagnostic) -> bool {
    one.code.contains("CertificateData")
}

fn only_in<'a>(one: &'a Verdict, other: &'a Verdict) -> impl Iterator<Item = Trouble> + 'a {
    let is_new = |found: &&Finding| {
        let mut known = other.findings.iter();
        !known.any(|known| known.cause == found.cause && known.title == found.title)
    };
    one.findings.iter().filter(is_new).map(|found| Trouble {
        code: found.cause.code().to_owned(),
        cause: Some(found.cause.name()),
        confidence: Some(Confidence::word(found.confidence)),
        says: found.title.clone(),
    })
}
