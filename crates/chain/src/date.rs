//! Instants for messages. Seconds since the Unix epoch, proleptic Gregorian calendar, UTC.

const SECONDS_PER_DAY: i64 = 86_400;

/// The day of an instant, `2026-11-20`.
pub fn date(seconds: i64) -> String {
    // Howard Hinnant's civil_from_days: eras of 400 years, years that begin in March.
    let days = seconds.div_euclid(SECONDS_PER_DAY) + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

/// An instant to the second, `2026-11-20T23:59:59Z`.
pub fn date_time(seconds: i64) -> String {
    let second = seconds.rem_euclid(SECONDS_PER_DAY);
    format!(
        "{}T{:02}:{:02}:{:02}Z",
        date(seconds),
        second / 3_600,
        second / 60 % 60,
        second % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(date(0), "1970-01-01");
        assert_eq!(date(951_782_400), "2000-02-29");
        assert_eq!(date(1_795_219_199), "2026-11-20");
        assert_eq!(date(-1), "1969-12-31");
    }

    #[test]
    fn instants_are_told_to_the_second() {
        assert_eq!(date_time(1_795_219_199), "2026-11-20T23:59:59Z");
        assert_eq!(date_time(-1), "1969-12-31T23:59:59Z");
    }
}
