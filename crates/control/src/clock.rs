//! The time of day, read in one place.

use time::OffsetDateTime;
use time::format_description::FormatItem;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;

const COMPACT: &[FormatItem<'static>] =
    format_description!("[year][month][day]T[hour][minute][second]Z");

/// As the service writes times: seven digits of a second.
const PRECISE: &[FormatItem<'static>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:7]Z");

/// As .NET writes times without a culture: the front door has one sentence with such.
const AMERICAN: &[FormatItem<'static>] = format_description!(
    "[month padding:none]/[day padding:none]/[year] [hour repr:12 padding:none]:[minute]:[second] \
     [period]"
);

pub(crate) fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

/// Seconds since the Unix epoch.
pub(crate) fn unix_now() -> i64 {
    now().unix_timestamp()
}

/// `20261126T120000Z`.
pub(crate) fn compact_now() -> String {
    now().format(COMPACT).unwrap_or_default()
}

/// `2026-11-26T12:00:00.1234567Z`.
pub(crate) fn precise(time: OffsetDateTime) -> String {
    time.format(PRECISE).unwrap_or_default()
}

/// `11/26/2026 1:05:09 PM`.
pub(crate) fn american(time: OffsetDateTime) -> String {
    time.format(AMERICAN).unwrap_or_default()
}

/// Reads what [`precise`] wrote, and any other RFC 3339 time; az leaves the offset out, which means
/// UTC then.
pub(crate) fn parse(text: &str) -> Option<OffsetDateTime> {
    let with_offset = OffsetDateTime::parse(text, &Rfc3339);
    with_offset
        .or_else(|_| OffsetDateTime::parse(&format!("{text}Z"), &Rfc3339))
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_the_service_writes_them() {
        let time = parse("2026-11-06T13:05:09.1234567Z").unwrap();
        assert_eq!(precise(time), "2026-11-06T13:05:09.1234567Z");
        assert_eq!(american(time), "11/6/2026 1:05:09 PM");
    }
}
