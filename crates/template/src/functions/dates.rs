//! Dates and times of the Gregorian calendar, in UTC.

use serde_json::Value;

use super::{Answer, Arguments};

/// The service's dates: the years 1 to 9999, in seconds since the Unix epoch.
const SECONDS_MIN: i64 = -62_135_596_800;
const SECONDS_MAX: i64 = 253_402_300_799;

const DAY: i64 = 86_400;

/// What `utcNow` answers without a format.
pub(super) const BASIC: &str = "yyyyMMddTHHmmssZ";

/// What `dateTimeAdd` answers where the base says nothing of a form.
const EXTENDED: &str = "yyyy-MM-ddTHH:mm:ssZ";

/// Longest format, in bytes.
const FORMAT_MAX: usize = 256;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = [
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Civil {
    year: i64,
    month: i64,
    day: i64,
    /// Of the day.
    second: i64,
}

impl Civil {
    /// From seconds since the epoch (days to dates after Howard Hinnant's algorithms).
    fn of(seconds: i64) -> Self {
        let days = seconds.div_euclid(DAY) + 719_468;
        let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
        let year_of_era =
            (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted = (5 * day_of_year + 2) / 153;
        let month = if shifted < 10 {
            shifted + 3
        } else {
            shifted - 9
        };
        Self {
            year: year_of_era + era * 400 + i64::from(month <= 2),
            month,
            day: day_of_year - (153 * shifted + 2) / 5 + 1,
            second: seconds.rem_euclid(DAY),
        }
    }

    fn seconds(self) -> i64 {
        let year = self.year - i64::from(self.month <= 2);
        let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
        let shifted = if self.month > 2 {
            self.month - 3
        } else {
            self.month + 9
        };
        let day_of_year = (153 * shifted + 2) / 5 + self.day - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        (era * 146_097 + day_of_era - 719_468) * DAY + self.second
    }

    /// Later by months; a day that the month lacks becomes its last.
    fn plus_months(self, months: i64) -> Self {
        let all = self.year * 12 + self.month - 1 + months;
        let (year, month) = (all.div_euclid(12), all.rem_euclid(12) + 1);
        Self {
            year,
            month,
            day: self.day.min(days_of(year, month)),
            ..self
        }
    }
}

fn days_of(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

pub(super) fn date_time_from_epoch(arguments: &Arguments<'_>) -> Answer {
    let seconds = arguments.integer(0)?;
    let refused = || arguments.fails("the year is not one of 1 to 9999.");
    let seconds = in_range(seconds).ok_or_else(refused)?;
    Ok(formatted(seconds, EXTENDED).unwrap_or_default().into())
}

pub(super) fn date_time_to_epoch(arguments: &Arguments<'_>) -> Answer {
    Ok(base(arguments)?.0.into())
}

/// Adds a duration of ISO 8601; the answer has the form of the base, or the given one.
pub(super) fn date_time_add(arguments: &Arguments<'_>) -> Answer {
    let (seconds, form) = base(arguments)?;
    let form = arguments.text_or(2, form)?;
    let duration = Duration::parse(arguments.text(1)?);
    let duration = duration.ok_or_else(|| {
        arguments.fails("the second parameter is no duration of ISO 8601, such as 'P1DT2H'.")
    })?;
    let later = Civil::of(seconds).plus_months(duration.months).seconds();
    let later = later.checked_add(duration.seconds).and_then(in_range);
    let later = later.ok_or_else(|| arguments.fails("the year is not one of 1 to 9999."))?;
    written(arguments, later, form)
}

/// The time `seconds` after the epoch, in a format of .NET.
pub(super) fn written(arguments: &Arguments<'_>, seconds: i64, form: &str) -> Answer {
    let refused = || arguments.fails(&format!("the format '{form}' is not supported here."));
    formatted(seconds, form)
        .map(Value::from)
        .ok_or_else(refused)
}

fn base(arguments: &Arguments<'_>) -> Result<(i64, &'static str), String> {
    let refused = || {
        arguments
            .fails("the first parameter is no date of ISO 8601, such as '2026-01-31T12:00:00Z'.")
    };
    parsed(arguments.text(0)?).ok_or_else(refused)
}

fn in_range(seconds: i64) -> Option<i64> {
    (SECONDS_MIN..=SECONDS_MAX)
        .contains(&seconds)
        .then_some(seconds)
}

/// A date of ISO 8601, extended or basic, and the format that writes it alike.
fn parsed(text: &str) -> Option<(i64, &'static str)> {
    let text = text.trim();
    let (date, time) = match text.find(['T', 't', ' ']) {
        Some(at) => (text.get(..at)?, text.get(at + 1..)?),
        None => (text, ""),
    };
    let is_basic = !date.contains('-');
    let (year, month, day) = if is_basic {
        (date.get(..4)?, date.get(4..6)?, date.get(6..)?)
    } else {
        let (year, rest) = date.split_once('-')?;
        let (month, day) = rest.split_once('-')?;
        (year, month, day)
    };
    let (year, month, day) = (digits(year, 4)?, digits(month, 2)?, digits(day, 2)?);
    let is_day = (1..=12).contains(&month) && (1..=days_of(year, month)).contains(&day);
    if year == 0 || !is_day {
        return None;
    }
    let (second, offset) = time_of_day(time)?;
    let seconds = in_range(
        Civil {
            year,
            month,
            day,
            second,
        }
        .seconds()
            - offset,
    )?;
    let form = match (is_basic, text.contains(' ')) {
        (true, _) => BASIC,
        (false, true) => "yyyy-MM-dd HH:mm:ssZ",
        (false, false) => EXTENDED,
    };
    Some((seconds, form))
}

/// Seconds of the day, and how many the zone is ahead of UTC.
fn time_of_day(time: &str) -> Option<(i64, i64)> {
    let zone = time.find(['Z', 'z', '+', '-']).unwrap_or(time.len());
    let (clock, zone) = time.split_at(zone);
    let clock = clock.split_once('.').map_or(clock, |(whole, _)| whole);
    let offset = match zone {
        "" | "Z" | "z" => 0,
        _ => {
            let (sign, rest) = zone.split_at(1);
            let (hours, minutes) = (rest.get(..2)?, rest.get(2..)?.trim_start_matches(':'));
            let ahead = digits(hours, 2)? * 3600 + digits(minutes, 2)? * 60;
            if sign == "-" { -ahead } else { ahead }
        }
    };
    if clock.is_empty() {
        return Some((0, offset));
    }
    let plain: String = clock.chars().filter(|c| *c != ':').collect();
    let (hours, minutes) = (digits(plain.get(..2)?, 2)?, digits(plain.get(2..4)?, 2)?);
    let seconds = match plain.get(4..)? {
        "" => 0,
        seconds => digits(seconds, 2)?,
    };
    let valid = hours < 24 && minutes < 60 && seconds < 60;
    valid.then_some((hours * 3600 + minutes * 60 + seconds, offset))
}

fn digits(text: &str, length: usize) -> Option<i64> {
    let all = text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit());
    if all { text.parse().ok() } else { None }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Duration {
    months: i64,
    seconds: i64,
}

impl Duration {
    /// `[-]P[nY][nM][nW][nD][T[nH][nM][nS]]`
    fn parse(text: &str) -> Option<Self> {
        let (sign, text) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
        let text = text.strip_prefix(['P', 'p'])?;
        let mut duration = Self::default();
        let (mut number, mut in_time, mut seen) = (String::new(), false, false);
        for character in text.chars() {
            match character.to_ascii_uppercase() {
                digit @ '0'..='9' if number.len() < 10 => number.push(digit),
                'T' if number.is_empty() && !in_time => (in_time, seen) = (true, false),
                unit => {
                    let count: i64 = number.parse().ok()?;
                    duration.add(count.checked_mul(sign)?, unit, in_time)?;
                    number.clear();
                    seen = true;
                }
            }
        }
        (number.is_empty() && seen).then_some(duration)
    }

    fn add(&mut self, count: i64, unit: char, in_time: bool) -> Option<()> {
        let seconds = match (unit, in_time) {
            ('Y', false) => return self.add_months(count.checked_mul(12)?),
            ('M', false) => return self.add_months(count),
            ('W', false) => 7 * DAY,
            ('D', false) => DAY,
            ('H', true) => 3600,
            ('M', true) => 60,
            ('S', true) => 1,
            _ => return None,
        };
        self.seconds = self.seconds.checked_add(count.checked_mul(seconds)?)?;
        Some(())
    }

    /// No further than from the first year to the last.
    fn add_months(&mut self, count: i64) -> Option<()> {
        self.months = self.months.checked_add(count)?;
        (self.months.abs() <= 12 * 10_000).then_some(())
    }
}

/// A format of .NET: the standard ones `d`, `o`, `R`, `s`, `u`, or one put together of `y`, `M`,
/// `d`, `H`, `h`, `m`, `s`, `f`, `t`, `z`, `K`, quoted texts and marks. Fractions are zero.
fn formatted(seconds: i64, form: &str) -> Option<String> {
    let form = match form {
        "d" => "M/d/yyyy",
        "o" | "O" => "yyyy-MM-ddTHH:mm:ss.fffffffZ",
        "R" | "r" => "ddd, dd MMM yyyy HH:mm:ss 'GMT'",
        "s" => "yyyy-MM-ddTHH:mm:ss",
        "u" => "yyyy-MM-dd HH:mm:ssZ",
        "" => return None,
        one if one.len() == 1 || one.len() > FORMAT_MAX => return None,
        custom => custom,
    };
    let civil = Civil::of(seconds);
    let mut result = String::new();
    let mut rest = form.chars().peekable();
    while let Some(character) = rest.next() {
        match character {
            '\'' | '"' => loop {
                match rest.next()? {
                    end if end == character => break,
                    other => result.push(other),
                }
            },
            '\\' => result.push(rest.next()?),
            '%' => {}
            'y' | 'M' | 'd' | 'H' | 'h' | 'm' | 's' | 'f' | 't' | 'z' | 'K' => {
                let mut length = 1;
                while rest.next_if_eq(&character).is_some() {
                    length += 1;
                }
                result.push_str(&field(civil, seconds, character, length)?);
            }
            other => result.push(other),
        }
    }
    Some(result)
}

fn field(civil: Civil, seconds: i64, letter: char, length: usize) -> Option<String> {
    let (hour, minute) = (civil.second / 3600, civil.second / 60 % 60);
    let padded = |number: i64| (length <= 2).then(|| format!("{number:0length$}"));
    let named = |name: &str| Some(if length == 3 { name.get(..3)? } else { name }.to_owned());
    match letter {
        'y' if length <= 2 => padded(civil.year % 100),
        'y' => Some(format!("{:0length$}", civil.year)),
        'M' if length > 2 => named(MONTHS.get(usize::try_from(civil.month - 1).ok()?)?),
        'M' => padded(civil.month),
        'd' if length > 2 => {
            let weekday = usize::try_from(seconds.div_euclid(DAY).rem_euclid(7)).ok()?;
            named(DAYS.get(weekday)?)
        }
        'd' => padded(civil.day),
        'H' => padded(hour),
        'h' => padded((hour + 11) % 12 + 1),
        'm' => padded(minute),
        's' => padded(civil.second % 60),
        'f' if length <= 7 => Some("0".repeat(length)),
        't' => Some(
            if hour < 12 { "AM" } else { "PM" }
                .get(..length.min(2))?
                .to_owned(),
        ),
        'z' if length == 3 => Some("+00:00".to_owned()),
        'z' => padded(0).map(|zero| format!("+{zero}")),
        'K' if length == 1 => Some("Z".to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_is_the_day_after_the_one_before() {
        let mut before = Civil::of(SECONDS_MIN);
        assert_eq!((before.year, before.month, before.day), (1, 1, 1));
        for seconds in (SECONDS_MIN..=SECONDS_MAX).step_by(86_400).skip(1) {
            let day = Civil::of(seconds);
            assert_eq!(day.seconds(), seconds);
            let next_day = before.day + 1 == day.day && before.month == day.month;
            let next_month = day.day == 1 && before.day == days_of(before.year, before.month);
            assert!(next_day || next_month, "{before:?} {day:?}");
            before = day;
        }
        assert_eq!((before.year, before.month, before.day), (9999, 12, 31));
    }
}
