//! How our answer is held against the recorded one: what must be equal, and what only in kind.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use crate::recording::{Answer, is_operation};

/// Headers that clients act upon.
const HEADERS: [&str; 6] = [
    "azure-asyncnotification",
    "azure-asyncoperation",
    "content-type",
    "etag",
    "location",
    "x-ms-failure-cause",
];

/// The subscription of the recordings.
pub(crate) const RECORDED_SUBSCRIPTION: &str = "00000000-0000-0000-0000-000000000000";

/// Something in which our answer is not the service's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Difference {
    /// `status`, `header etag`, or the JSON pointer into the body.
    pub(crate) at: String,
    pub(crate) expected: String,
    pub(crate) got: String,
}

/// How closely answers are compared.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Closeness {
    /// The service was still at it when it answered, and we were not any more: states count as
    /// equal, and addresses may be given already.
    pub(crate) any_state: bool,
}

/// Every difference. `got` speaks of the recorded subscription and host already.
pub(crate) fn compare(expected: &Answer, got: &Answer, closeness: Closeness) -> Vec<Difference> {
    let mut found = Vec::new();
    if expected.status != got.status {
        found.push(Difference {
            at: "status".to_owned(),
            expected: expected.status.to_string(),
            got: format!("{} {}", got.status, shorten(&got.body)),
        });
        return found;
    }
    for name in HEADERS {
        let (one, other) = (header(expected, name), header(got, name));
        if one != other {
            found.push(Difference {
                at: format!("header {name}"),
                expected: one.unwrap_or("(absent)".to_owned()),
                got: other.unwrap_or("(absent)".to_owned()),
            });
        }
    }
    let bodies = [expected, got].map(|answer| match answer.json() {
        Some(body) => normal(&body, "", closeness),
        None => json!(answer.body),
    });
    let [expected, got] = bodies;
    walk(&expected, &got, "", &mut found);
    found
}

/// What a header must say; opaque parts by their kind.
fn header(answer: &Answer, name: &str) -> Option<String> {
    let value = answer.header(name)?;
    match name {
        // The service names a type for bodies that it does not send.
        "content-type" if answer.body.is_empty() => None,
        "azure-asyncoperation" | "location" => Some(link(value)),
        _ => Some(kinds(value)),
    }
}

/// A link to an operation: its id is opaque, and so is all of its query.
fn link(value: &str) -> String {
    let (path, query) = value.split_once('?').unwrap_or((value, ""));
    let path = match path.rsplit_once('/') {
        Some((above, _)) if is_operation(path) => format!("{above}/{{operation}}"),
        _ => path.to_owned(),
    };
    let version = match query.starts_with("api-version=") {
        true => "?api-version={version}",
        false => "",
    };
    kinds(&path) + version
}

/// A body with everything in it that no two servers share replaced by its kind.
fn normal(value: &Value, name: &str, closeness: Closeness) -> Value {
    match value {
        Value::Object(members) => {
            // Such an address comes when the gateway first runs.
            let is_given = members.get("privateIPAllocationMethod") == Some(&json!("Dynamic"));
            let members = members.iter().filter(|(name, _)| {
                !(closeness.any_state && is_given && *name == "privateIPAddress")
            });
            let one =
                |(name, value): (&String, &Value)| (kinds(name), normal(value, name, closeness));
            Value::Object(members.map(one).collect::<Map<_, _>>())
        }
        Value::Array(items) => items
            .iter()
            .map(|item| normal(item, name, closeness))
            .collect(),
        Value::String(text) => json!(normal_text(text, name, closeness)),
        other => other.clone(),
    }
}

fn normal_text(text: &str, name: &str, closeness: Closeness) -> String {
    let any = closeness.any_state;
    match name {
        "provisioningState" | "operationalState" if any => "{state}".to_owned(),
        "ipAddress" if text.parse::<std::net::IpAddr>().is_ok() => "{address}".to_owned(),
        "duration" => "{duration}".to_owned(),
        "templateHash" => "{hash}".to_owned(),
        "operationId" => "{operation}".to_owned(),
        "id" if is_operation(text) => link(text),
        _ => kinds(text),
    }
}

/// A text with its GUIDs and times replaced by their kinds.
fn kinds(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let text = casing(text);
    let mut rest = &*text;
    while let Some(first) = rest.chars().next() {
        let replaced = guid(rest).map(|kind| (36, kind));
        let replaced = replaced.or_else(|| time(rest).map(|length| (length, "{time}")));
        let (length, kind) = match replaced {
            Some((length, kind)) => (length, Some(kind)),
            None => (first.len_utf8(), None),
        };
        let (taken, after) = rest.split_at(length);
        out.push_str(kind.unwrap_or(taken));
        rest = after;
    }
    out
}

/// The provider of identities writes one word of its ids in another casing, and others repeat it.
fn casing(text: &str) -> Cow<'_, str> {
    match text.contains("/providers/Microsoft.ManagedIdentity/") {
        true => text.replace("/resourcegroups/", "/resourceGroups/").into(),
        false => text.into(),
    }
}

/// What stands at the beginning, if it is a GUID.
fn guid(text: &str) -> Option<&'static str> {
    let candidate = text.get(..36)?;
    let fits = candidate.bytes().enumerate().all(|(at, byte)| match at {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    });
    match fits {
        true if candidate == RECORDED_SUBSCRIPTION => Some("{subscription}"),
        true => Some("{guid}"),
        false => None,
    }
}

/// How long the time at the beginning is, if there is one: `2024-05-09T14:14:44.506197Z`.
fn time(text: &str) -> Option<usize> {
    let fixed = text.get(..19)?;
    let fits = fixed.bytes().enumerate().all(|(at, byte)| match at {
        4 | 7 => byte == b'-',
        10 => byte == b'T',
        13 | 16 => byte == b':',
        _ => byte.is_ascii_digit(),
    });
    let rest = text.get(19..).filter(|_| fits)?;
    let fraction = rest.find(|c: char| c != '.' && !c.is_ascii_digit());
    let fraction = fraction.unwrap_or(rest.len());
    match rest[fraction..].starts_with('Z') {
        true => Some(19 + fraction + 1),
        false => Some(19 + fraction),
    }
}

fn walk(expected: &Value, got: &Value, at: &str, found: &mut Vec<Difference>) {
    match (expected, got) {
        (Value::Object(one), Value::Object(other)) => walk_members(one, other, at, found),
        (Value::Array(one), Value::Array(other)) => {
            if one.len() != other.len() {
                found.push(different(
                    at,
                    &json!(one.len()),
                    &json!(other.len()),
                    "length of ",
                ));
            }
            for (index, (one, other)) in one.iter().zip(other).enumerate() {
                walk(one, other, &format!("{at}/{index}"), found);
            }
        }
        (one, other) if one != other => found.push(different(at, one, other, "")),
        _ => {}
    }
}

fn walk_members(
    expected: &Map<String, Value>,
    got: &Map<String, Value>,
    at: &str,
    found: &mut Vec<Difference>,
) {
    let below = |name: &str| format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
    for (name, value) in expected {
        match got.get(name) {
            Some(other) => walk(value, other, &below(name), found),
            None => found.push(Difference {
                got: "(absent)".to_owned(),
                ..different(&below(name), value, &Value::Null, "")
            }),
        }
    }
    for (name, value) in got.iter().filter(|(name, _)| !expected.contains_key(*name)) {
        found.push(Difference {
            expected: "(absent)".to_owned(),
            ..different(&below(name), &Value::Null, value, "")
        });
    }
    let common = |one: &Map<String, Value>, other: &Map<String, Value>| -> Vec<String> {
        let names = one.keys().filter(|name| other.contains_key(*name));
        names.cloned().collect()
    };
    let orders = (common(expected, got), common(got, expected));
    if orders.0 != orders.1 {
        found.push(different(
            at,
            &json!(orders.0),
            &json!(orders.1),
            "order of ",
        ));
    }
}

fn different(at: &str, expected: &Value, got: &Value, what: &str) -> Difference {
    Difference {
        at: format!("{what}{at}"),
        expected: shorten(&expected.to_string()),
        got: shorten(&got.to_string()),
    }
}

/// Enough of a value to know it.
fn shorten(text: &str) -> String {
    const SHOWN: usize = 400;
    let shown: String = text.chars().take(SHOWN).collect();
    match shown.len() < text.len() {
        true => shown + "…",
        false => shown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Answer {
        let headers = headers.iter();
        Answer {
            status,
            headers: headers
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            body: body.to_owned(),
        }
    }

    fn differences(expected: &str, got: &str, closeness: Closeness) -> Vec<String> {
        let found = compare(
            &answer(200, &[], expected),
            &answer(200, &[], got),
            closeness,
        );
        found.into_iter().map(|one| one.at).collect()
    }

    #[test]
    fn members_values_and_their_order_count() {
        let close = Closeness::default();
        assert!(differences(r#"{"a":1,"b":[{}]}"#, r#"{"a":1,"b":[{}]}"#, close).is_empty());
        for (got, expected) in [
            (r#"{"b":[{}],"a":1}"#, "order of "),
            (r#"{"a":2,"b":[{}]}"#, "/a"),
            (r#"{"a":1}"#, "/b"),
            (r#"{"a":1,"b":[{}],"c":1}"#, "/c"),
            (r#"{"a":1,"b":[]}"#, "length of /b"),
            (r#"{"a":1,"b":[{"x/y":1}]}"#, "/b/0/x~1y"),
        ] {
            let found = differences(r#"{"a":1,"b":[{}]}"#, got, close);
            assert_eq!(found, [expected], "{got}");
        }
    }

    #[test]
    fn what_no_two_servers_share_is_compared_in_kind() {
        let close = Closeness::default();
        let body = |etag: &str, time: &str| json!({"etag": etag, "t": time}).to_string();
        let etag = "W/\"0a5c9ad5-0000-4459-bcd4-e0b684684459\"";
        let one = body(etag, "2024-05-09T14:14:44.506197Z");
        let other = body(&etag.replace("0a5c", "1a5c"), "2026-05-09T14:14:44Z");
        assert!(differences(&one, &other, close).is_empty());
        let strange = other.replace("W/", "");
        assert_eq!(differences(&one, &strange, close), ["/etag"]);
        let subscription = format!("\"/subscriptions/{RECORDED_SUBSCRIPTION}\"");
        let elsewhere = "\"/subscriptions/1a5c9ad5-0000-4459-bcd4-e0b684684459\"";
        assert_eq!(differences(&subscription, elsewhere, close), [""]);
        let identity = |word: &str| format!("\"/{word}/g/providers/Microsoft.ManagedIdentity/i\"");
        let (one, other) = (identity("resourcegroups"), identity("resourceGroups"));
        assert!(differences(&one, &other, close).is_empty());
        let network = |text: &str| text.replace("ManagedIdentity", "Network");
        assert_eq!(differences(&network(&one), &network(&other), close), [""]);
    }

    #[test]
    fn states_count_unless_the_service_was_still_at_it() {
        let one = r#"{"properties":{"provisioningState":"Updating","operationalState":"Stopped"}}"#;
        let other = r#"{"properties":{"provisioningState":"Failed","operationalState":"Running"}}"#;
        let found = differences(one, other, Closeness::default());
        assert_eq!(found.len(), 2, "{found:?}");
        let any_state = Closeness { any_state: true };
        assert!(differences(one, other, any_state).is_empty());
        let given = r#"{"privateIPAddress":"10.0.0.6","privateIPAllocationMethod":"Dynamic"}"#;
        let none = r#"{"privateIPAllocationMethod":"Dynamic"}"#;
        assert!(differences(none, given, any_state).is_empty());
        assert_eq!(differences(none, given, Closeness::default()).len(), 1);
    }

    #[test]
    fn links_are_compared_without_their_opaque_parts() {
        let service = "https://management.azure.com/subscriptions/s/providers/Microsoft.Network\
                       /locations/westus/operations";
        let first = format!("{service}/1?api-version=2024-01-01&t=6&c=M");
        let expected = answer(202, &[("location", &first)], "");
        for (got, same) in [
            (format!("{service}/2?api-version=2022-01-01"), true),
            (format!("{service}/2"), false),
            (first.replace("westus", "eastus"), false),
            (first.replace("/operations/", "/operationResults/"), false),
        ] {
            let got = answer(202, &[("location", &got)], "");
            let found = compare(&expected, &got, Closeness::default());
            assert_eq!(found.is_empty(), same, "{got:?}");
        }
        let found = compare(&expected, &answer(202, &[], ""), Closeness::default());
        assert_eq!(found[0].at, "header location");
        let found = compare(&expected, &answer(200, &[], ""), Closeness::default());
        assert_eq!(found[0].at, "status");
    }
}
