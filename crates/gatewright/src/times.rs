//! Moments as text.

use std::time::{SystemTime, UNIX_EPOCH};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Now, to the second: `2026-11-25T19:03:22Z`.
pub(crate) fn now() -> String {
    format(OffsetDateTime::now_utc())
}

/// Now, in microseconds since the Unix epoch.
pub(crate) fn unix_micros() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_micros() as u64)
}

/// A moment in microseconds since the Unix epoch, to the second.
pub(crate) fn rfc3339(unix_micros: u64) -> String {
    rfc3339_of_seconds(i64::try_from(unix_micros / 1_000_000).unwrap_or(i64::MAX))
}

/// A moment in microseconds since the Unix epoch, to the millisecond.
pub(crate) fn rfc3339_millis(unix_micros: u64) -> String {
    let seconds = rfc3339(unix_micros);
    let millis = unix_micros / 1_000 % 1_000;
    format!("{}.{millis:03}Z", seconds.trim_end_matches('Z'))
}

/// A moment in seconds since the Unix epoch. Years that cannot be written are told as the numbers
/// that they are.
pub(crate) fn rfc3339_of_seconds(unix_seconds: i64) -> String {
    match OffsetDateTime::from_unix_timestamp(unix_seconds) {
        Ok(moment) => format(moment),
        Err(_) => unix_seconds.to_string(),
    }
}

fn format(moment: OffsetDateTime) -> String {
    let moment = moment.replace_nanosecond(0).unwrap_or(moment);
    // Every year up to 9999 can be written.
    moment.format(&Rfc3339).unwrap_or_default()
}

/// The moment of a text such as `2026-11-25T19:03:22Z`, in seconds since the Unix epoch.
pub(crate) fn unix_seconds(text: &str) -> Option<u64> {
    let seconds = unix_nanos(text)?.div_euclid(1_000_000_000);
    u64::try_from(seconds).ok()
}

/// As that, in nanoseconds.
pub(crate) fn unix_nanos(text: &str) -> Option<i128> {
    let moment = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    Some(moment.unix_timestamp_nanos())
}

/// A length of time in its two largest units: `4 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`.
pub(crate) fn span(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min {} s", seconds % 60),
        (0, _, _) => format!("{hours} h {} min", minutes % 60),
        _ => format!("{days} d {} h", hours % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_two_units() {
        let shown = [0, 59, 60, 3_599, 3_600, 86_399, 86_400, 360_000].map(span);
        let expected = [
            "0 s",
            "59 s",
            "1 min 0 s",
            "59 min 59 s",
            "1 h 0 min",
            "23 h 59 min",
            "1 d 0 h",
            "4 d 4 h",
        ];
        assert_eq!(shown, expected);
    }

    #[test]
    fn moments_are_told_to_the_second() {
        assert_eq!(rfc3339(1_795_219_199_999_999), "2026-11-20T23:59:59Z");
        assert_eq!(rfc3339_of_seconds(i64::MAX), i64::MAX.to_string());
    }
}
