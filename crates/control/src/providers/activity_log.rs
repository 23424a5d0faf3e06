//! `Microsoft.Insights`' activity log: every write, its caller and what came of it.

use gatewright_arm::ArmError;
use hyper::Method;
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

use crate::activity;
use crate::clock;
use crate::context::{Context, handler};
use crate::core::failed;
use crate::front::answer::Answer;
use crate::front::router::{Access, Route};
use crate::providers::filter::split_terms;
use crate::routes::route;

/// Events of one answer, the newest.
const EVENTS_MAX: usize = 1000;

/// Entries that are read at a time.
const PAGE: usize = 500;

/// How far back an answer reaches when the filter names no time.
const DEFAULT_SPAN: Duration = Duration::hours(6);

/// What a caller must be allowed to, for the events of a scope.
const ACTION: &str = "Microsoft.Insights/eventtypes/values/read";

pub(crate) fn routes() -> Vec<Route> {
    let pattern = "/subscriptions/{subscription}/providers/Microsoft.Insights/eventtypes/\
                   management/values";
    // What the caller must be allowed to read, the filter says.
    let access = Access::Authenticated;
    vec![route(Method::GET, pattern, access, handler(list))]
}

/// What is asked for.
#[derive(Debug, Default)]
struct Filter {
    from: Option<OffsetDateTime>,
    to: Option<OffsetDateTime>,
    /// Members of an event, and the text that they must have.
    equal: Vec<(&'static str, String)>,
}

const GROUP: &str = "/resourceGroupName";
const RESOURCE: &str = "/resourceId";

/// The members that can be compared, by the names of the filter.
const MEMBERS: [(&str, &str); 7] = [
    ("resourcegroupname", GROUP),
    ("resourceid", RESOURCE),
    ("resourceuri", RESOURCE),
    ("resourceprovider", "/resourceProviderName/value"),
    ("correlationid", "/correlationId"),
    ("caller", "/caller"),
    ("status", "/status/value"),
];

impl Filter {
    fn parse(text: &str) -> Result<Self, ArmError> {
        let mut filter = Self::default();
        for term in split_terms(text) {
            filter.add(term.trim()).ok_or_else(|| refused(term))?;
        }
        Ok(filter)
    }

    fn add(&mut self, term: &str) -> Option<()> {
        let mut words = term.splitn(3, char::is_whitespace);
        let (name, operator, value) = (words.next()?, words.next()?, words.next()?);
        let value = value.trim().trim_matches('\'');
        let name = name.to_ascii_lowercase();
        match (name.as_str(), operator.to_ascii_lowercase().as_str()) {
            ("eventtimestamp", "ge") => self.from = Some(clock::parse(value)?),
            ("eventtimestamp", "le") => self.to = Some(clock::parse(value)?),
            // There is one channel, and every level of it.
            ("eventchannels" | "levels", "eq") => {}
            (name, "eq") => {
                let (_, pointer) = MEMBERS.iter().find(|(known, _)| *known == name)?;
                self.equal.push((pointer, value.to_owned()));
            }
            _ => return None,
        }
        Some(())
    }

    /// The resource, or else the group, whose events alone are asked for; or else the subscription.
    fn scope(&self, subscription: &str) -> String {
        let said = |pointer| {
            let mut all = self.equal.iter();
            all.find(|(own, _)| *own == pointer).map(|(_, value)| value)
        };
        let whole = format!("/subscriptions/{subscription}");
        match (said(RESOURCE), said(GROUP)) {
            (Some(id), _) => id.clone(),
            (None, Some(group)) => format!("{whole}/resourceGroups/{group}"),
            (None, None) => whole,
        }
    }

    fn lets_through(&self, event: &Value) -> bool {
        self.equal.iter().all(|(pointer, expected)| {
            let own = event.pointer(pointer).and_then(Value::as_str);
            own.is_some_and(|own| own.eq_ignore_ascii_case(expected))
        })
    }
}

fn refused(term: &str) -> ArmError {
    let message = format!(
        "The $filter '{term}' is not understood. Terms are such as \"eventTimestamp ge \
         '2026-01-01T00:00:00Z'\" or \"resourceGroupName eq 'my-group'\", with 'and' between."
    );
    ArmError::front_door("BadRequest", message)
}

/// The newest first.
async fn list(context: Context) -> Result<Answer, ArmError> {
    let filter = Filter::parse(context.request.query.get("$filter").unwrap_or_default())?;
    let scope = filter.scope(&context.core.config.subscription);
    context.caller.require(ACTION, &scope)?;
    let now = clock::now();
    let from = filter.from.unwrap_or(now - DEFAULT_SPAN);
    let to = filter.to.unwrap_or(now);
    // The bounds of what can be a time are no reason to fail.
    let end = to.saturating_add(Duration::microseconds(1));
    let end = activity::key_at(end, "").map_err(failed)?;
    let from = from.max(OffsetDateTime::UNIX_EPOCH);
    let mut after = Some(activity::key_at(from, "").map_err(failed)?);
    let mut events = Vec::new();
    loop {
        let store = &context.core.store;
        let page = store.list(activity::PREFIX, after.as_ref(), PAGE).await;
        let page = page.map_err(failed)?;
        after = page.entries.last().map(|entry| entry.key.clone());
        for entry in page.entries.iter().filter(|entry| entry.key < end) {
            let event = activity::read(entry).map_err(failed)?;
            if filter.lets_through(&event) {
                events.push(event);
            }
        }
        let surplus = events.len().saturating_sub(EVENTS_MAX);
        events.drain(..surplus);
        if !page.more || after.as_ref().is_none_or(|after| *after >= end) {
            break;
        }
    }
    events.reverse();
    Ok(Answer::ok(&json!({ "value": events })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filter_that_az_sends_is_understood() {
        let failed = Filter::parse("status eq 'Failed'").unwrap();
        assert!(failed.lets_through(&json!({"status": {"value": "Failed"}})));
        assert!(!failed.lets_through(&json!({"status": {"value": "Started"}})));
        let text = "eventTimestamp ge 2026-11-26T00:00:00Z and eventTimestamp le \
                    2026-11-26T06:00:00Z and resourceGroupName eq 'rg1'";
        let filter = Filter::parse(text).unwrap();
        assert!(filter.from.is_some() && filter.to.is_some());
        assert!(filter.lets_through(&json!({"resourceGroupName": "RG1"})));
        assert!(!filter.lets_through(&json!({"resourceGroupName": "rg2"})));
        for text in ["eventTimestamp ge yesterday", "color eq 'red'", "x"] {
            assert_eq!(Filter::parse(text).unwrap_err().code, "BadRequest");
        }
    }
}
