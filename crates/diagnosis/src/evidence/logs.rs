//! Rows of the access log: resource-specific columns, those of AzureDiagnostics, and raw records.

use gatewright_telemetry::Failure;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::view::{Place, View};

/// One request. What a row does not say is `None` or empty.
#[derive(Clone, Debug, Default)]
pub(crate) struct LogRow {
    /// Seconds since the Unix epoch.
    pub(crate) time: Option<i64>,
    /// What the client got.
    pub(crate) status: Option<u16>,
    /// What the server answered.
    pub(crate) server_status: Option<u16>,
    /// Seconds until the server answered.
    pub(crate) server_latency: Option<f64>,
    /// Seconds in all.
    pub(crate) time_taken: Option<f64>,
    /// The client's address.
    pub(crate) client: String,
    pub(crate) uri: String,
    pub(crate) original_host: String,
    /// What the server was asked for.
    pub(crate) host: String,
    /// `address:port`.
    pub(crate) server: String,
    pub(crate) listener: String,
    pub(crate) rule: String,
    pub(crate) pool: String,
    pub(crate) setting: String,
    pub(crate) error: String,
    /// What a node of ours saw fail; nothing in logs of others.
    pub(crate) failure: Option<Failure>,
    /// Whether the connection to the server was one that had been used before, where that is known.
    pub(crate) is_reused: Option<bool>,
    /// Whether the client spoke TLS.
    pub(crate) is_encrypted: Option<bool>,
    pub(crate) place: Place,
}

impl LogRow {
    /// The host that the client asked for.
    pub(crate) fn asked_host(&self) -> &str {
        match self.original_host.is_empty() {
            true => &self.host,
            false => &self.original_host,
        }
    }
}

pub(super) fn read(rows: &[View<'_>], is_v1: bool) -> Vec<LogRow> {
    rows.iter().map(|row| read_one(row, is_v1)).collect()
}

fn read_one(row: &View<'_>, is_v1: bool) -> LogRow {
    let text = |name: &str| {
        let column = row.column(name);
        column
            .and_then(|column| column.as_text())
            .unwrap_or_default()
    };
    let number = |name: &str| row.column(name)?.as_number();
    let status = |name: &str| {
        let number = number(name)?;
        // What is no status is none.
        (100.0..1000.0).contains(&number).then_some(number as u16)
    };
    let time = ["timeStamp", "TimeGenerated", "time"];
    let time = time.iter().find_map(|name| moment(&text(name)));
    let uri = [text("originalRequestUriWithArgs"), text("requestUri")];
    // The first generation counts milliseconds, and has what it tells of the server in the query.
    let unit = if is_v1 { 1000.0 } else { 1.0 };
    let query = text("requestQuery");
    let packed = |name: &str| packed(&query, name).filter(|_| is_v1);
    let routed = text("serverRouted");
    let has_no_server = routed.is_empty()
        && query.to_ascii_uppercase().contains("SERVER-ROUTED=")
        && packed("SERVER-ROUTED").is_none();
    LogRow {
        time,
        status: status("httpStatus"),
        server_status: last_status(&text("serverStatus")).or_else(|| {
            // Where no server was tried, it is what the gateway answered.
            let status = packed("SERVER-STATUS").filter(|_| !has_no_server)?;
            status.parse().ok()
        }),
        server_latency: seconds(last(&text("serverResponseLatency"))),
        time_taken: number("timeTaken").map(|time| time / unit),
        uri: uri
            .into_iter()
            .find(|uri| !uri.is_empty())
            .unwrap_or_default(),
        client: text("clientIP"),
        original_host: text("originalHost"),
        host: text("host"),
        server: match packed("SERVER-ROUTED") {
            Some(server) if routed.is_empty() => server.to_owned(),
            _ => last(&routed).to_owned(),
        },
        listener: text("listenerName"),
        rule: text("ruleName"),
        pool: text("backendPoolName"),
        setting: text("backendSettingName"),
        error: [text("error_info"), text("errorInfo")].concat(),
        failure: Failure::of_code(&text("failure")),
        is_reused: row.column("connectionReused").and_then(|one| one.as_flag()),
        is_encrypted: match text("sslEnabled").to_lowercase().as_str() {
            "on" => Some(true),
            "off" => Some(false),
            _ => None,
        },
        place: row.place(),
    }
}

/// The last of values such as `502, 200`: of each server that was tried there is one.
fn last(values: &str) -> &str {
    values.rsplit(',').next().unwrap_or_default().trim()
}

fn seconds(text: &str) -> Option<f64> {
    let seconds = text.parse().ok();
    seconds.filter(|seconds: &f64| seconds.is_finite())
}

fn last_status(values: &str) -> Option<u16> {
    let number: f64 = last(values).parse().ok()?;
    (100.0..1000.0).contains(&number).then_some(number as u16)
}

/// A value among `X-AzureApplicationGateway-CACHE-HIT=0&SERVER-ROUTED=10.0.1.4&SERVER-STATUS=200`.
fn packed<'q>(query: &'q str, name: &str) -> Option<&'q str> {
    let mut values = query.split('&').filter_map(|one| one.split_once('='));
    let (_, value) = values.find(|(own, _)| own.eq_ignore_ascii_case(name))?;
    Some(value).filter(|value| !value.is_empty())
}

/// The moment of a timestamp such as `2026-03-20T14:42:00.123Z`, in seconds since the Unix epoch.
/// Without an offset it is UTC's.
pub(super) fn moment(text: &str) -> Option<i64> {
    let text = text.trim().replacen(' ', "T", 1);
    let parse = |text: &str| OffsetDateTime::parse(text, &Rfc3339).ok();
    let moment = parse(&text).or_else(|| parse(&format!("{text}Z")))?;
    Some(moment.unix_timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_servers_the_last_one_answered() {
        let row = serde_json::json!({
            "serverStatus": "502, 504,200", "serverRouted": "10.0.0.4:80, 10.0.0.5:80",
            "serverResponseLatency": "0.002, 0.5",
        });
        let row = read_one(&View::whole("f", &row), false);
        assert_eq!(row.server_status, Some(200));
        assert_eq!(row.server, "10.0.0.5:80");
        assert_eq!(row.server_latency, Some(0.5));
        for (text, expected) in [("", None), ("502.0", Some(502)), ("-", None), ("99", None)] {
            assert_eq!(last_status(text), expected, "{text}");
        }
    }

    #[test]
    fn moments_are_read() {
        assert_eq!(moment("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(moment("2026-03-20T14:42:00.5Z"), Some(1_774_017_720));
        assert_eq!(moment("2024-02-29 23:59:59"), Some(1_709_251_199));
        for bad in [
            "",
            "2026-03-20",
            "2026-13-20T14:42:00Z",
            "2026/03/20T14:42:00Z",
        ] {
            assert_eq!(moment(bad), None, "{bad}");
        }
    }
}
