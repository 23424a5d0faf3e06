//! Causes by what somebody types.

use std::net::Ipv4Addr;

use crate::cause::Cause;

/// More of what is typed is not looked at, in characters: no code or name is nearly as long.
const TYPED_CHARS_MAX: usize = 64;
/// Most causes that are offered for one that does not exist.
const OFFERED_MAX: usize = 3;
/// Shorter words of a name, such as `no`, say too little to offer its cause.
const WORD_BYTES_MIN: usize = 3;

impl Cause {
    /// The cause with this code or name, in any letter case. A code may lack its `GW-`.
    pub fn named(text: &str) -> Option<Self> {
        let text = text.trim();
        let bare = |code: &'static str| code.strip_prefix("GW-").unwrap_or(code);
        let is_meant = |cause: &&Self| {
            [cause.code(), bare(cause.code()), cause.name()]
                .iter()
                .any(|own| own.eq_ignore_ascii_case(text))
        };
        Self::ALL.iter().find(is_meant).copied()
    }

    /// Up to three causes whose code or name is close to a text that names none, the closest first.
    pub fn close_to(text: &str) -> Vec<Self> {
        let typed: String = text.trim().chars().take(TYPED_CHARS_MAX).collect();
        let typed = typed.to_lowercase().replace(['_', ' '], "-");
        let close = Self::ALL.iter().filter_map(|cause| {
            let distance = cause.distance_to(&typed)?;
            Some((distance, *cause))
        });
        let mut close: Vec<_> = close.collect();
        close.sort_unstable();
        let close = close.into_iter().map(|(_, cause)| cause);
        close.take(OFFERED_MAX).collect()
    }

    /// How far what was typed, in lower case, is from this cause; `None` where it is not close.
    fn distance_to(self, typed: &str) -> Option<usize> {
        let code = self.code().to_lowercase();
        let bare = code.strip_prefix("gw-").unwrap_or(&code);
        let code = edits(typed.strip_prefix("gw-").unwrap_or(typed), bare);
        // A status such as 502 is no code with one letter wrong.
        let may_be_code = typed.starts_with(|first: char| first.is_ascii_alphabetic());
        let code = Some(code).filter(|edits| may_be_code && *edits <= 1);
        // A third of a name may be wrong.
        let name = edits(typed, self.name());
        let name = Some(name).filter(|edits| edits * 3 <= typed.len());
        let words = |text: &str| -> Vec<String> {
            let words = text.split('-').filter(|word| word.len() >= WORD_BYTES_MIN);
            words.map(str::to_owned).collect()
        };
        let own = words(self.name());
        let shares = words(typed).iter().any(|word| own.contains(word));
        let word = shares.then_some(typed.len().max(1));
        [code, name, word].into_iter().flatten().min()
    }
}

/// Whether a text names a host, or an address, that is not a part of another one's name.
pub(crate) fn names_host(text: &str, host: &str) -> bool {
    has_whole(text, host, "-_.")
}

/// The hosts and addresses that a text may name, each as [`names_host`] finds it: its longest runs
/// of what such a name may have.
pub(crate) fn hosts_named(text: &str) -> impl Iterator<Item = &str> {
    let is_of_name = |letter: char| letter.is_alphanumeric() || "-_.".contains(letter);
    let names = text.split(move |letter| !is_of_name(letter));
    // An address of IPv6 has colons, where a port may follow a name.
    let addresses = text.split(move |letter| !is_of_name(letter) && letter != ':');
    let addresses = addresses.filter(|run| run.matches(':').count() > 1);
    let runs = names.chain(addresses);
    runs.map(|run| run.trim_end_matches('.'))
        .filter(|run| !run.is_empty())
}

/// The addresses of version 4 that a text has: `203.0.113.9`, or `office (203.0.113.9)`.
pub(crate) fn addresses_in(text: &str) -> impl Iterator<Item = Ipv4Addr> {
    let words = text.split(|letter: char| !(letter.is_ascii_digit() || letter == '.'));
    words.filter_map(|word| word.parse().ok())
}

/// Whether a text has a word, in any letter case of ASCII, that no letter, digit or one of
/// `joining` makes a part of a longer one.
pub(crate) fn has_whole(text: &str, word: &str, joining: &str) -> bool {
    let joins = |letter: char| letter.is_alphanumeric() || joining.contains(letter);
    let is_whole = |at: usize| {
        let (Some(before), Some(after)) = (text.get(..at), text.get(at + word.len()..)) else {
            return false;
        };
        // The full stop at a sentence's end is not the word's.
        let after = match after.strip_prefix('.') {
            Some(rest) if !rest.starts_with(char::is_alphanumeric) => rest,
            _ => after,
        };
        !before.ends_with(joins) && !after.starts_with(joins)
    };
    // Asked of every row of a log for every server: nothing is allocated.
    let mut windows = text.as_bytes().windows(word.len().max(1)).enumerate();
    !word.is_empty()
        && windows.any(|(at, own)| own.eq_ignore_ascii_case(word.as_bytes()) && is_whole(at))
}

/// How many characters must be put in, taken away or replaced to make one text of the other. Texts
/// that no name is as long as are taken to have nothing in common.
pub(crate) fn edits(one: &str, other: &str) -> usize {
    /// Bytes of the longest name of a host.
    const NAME_MAX: usize = 253;
    if one.len().max(other.len()) > NAME_MAX {
        return one.len().max(other.len());
    }
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (index, own) in one.chars().enumerate() {
        let mut next = vec![index + 1];
        let mut left = index + 1;
        let above = row.iter().zip(row.iter().skip(1));
        for (letter, (corner, above)) in other.iter().zip(above) {
            let replaced = corner + usize::from(*letter != own);
            left = replaced.min(above + 1).min(left + 1);
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_names_are_found_in_any_letter_case() {
        for cause in Cause::ALL {
            for text in [cause.code(), cause.name(), &cause.code()[3..]] {
                assert_eq!(Cause::named(text), Some(*cause), "{text}");
                assert_eq!(Cause::named(&text.to_lowercase()), Some(*cause), "{text}");
                assert_eq!(Cause::named(&text.to_uppercase()), Some(*cause), "{text}");
            }
        }
        for text in ["", "GW-", "GW-A00", "GW-A011", "wrong", "gw-"] {
            assert_eq!(Cause::named(text), None, "{text}");
        }
    }

    #[test]
    fn an_address_is_not_a_part_of_another() {
        for (text, expected) in [
            ("10.0.1.4", true),
            ("10.0.1.4:80", true),
            ("GET http://10.0.1.4/up", true),
            ("the server (10.0.1.4).", true),
            ("10.0.1.4 and 10.0.1.40", true),
            ("10.0.1.40:80", false),
            ("110.0.1.4", false),
            ("10.0.1.4.5", false),
            ("", false),
        ] {
            assert_eq!(names_host(text, "10.0.1.4"), expected, "{text}");
        }
        assert!(names_host("https://App.Contoso.com/x", "app.contoso.com"));
        assert!(!names_host("https://app.contoso.com/x", "contoso.com"));
        assert!(!names_host("https://app.contoso.com/x", ""));
    }

    #[test]
    fn hosts_of_a_text_are_those_that_it_names() {
        for text in [
            "GET https://app.contoso.com:8443/up?x=1 (Host: api.contoso.com)",
            "10.0.1.4:80 and 10.0.1.5.",
            "http://[fd00::1]:80/ fd00::2",
            "",
        ] {
            for host in [
                "app.contoso.com",
                "contoso.com",
                "api.contoso.com",
                "10.0.1.4",
                "10.0.1.5",
                "10.0.1",
                "fd00::1",
                "fd00::2",
            ] {
                let is_named = hosts_named(text).any(|own| own == host);
                assert_eq!(is_named, names_host(text, host), "{text} {host}");
            }
        }
    }

    #[test]
    fn edits_are_counted() {
        assert_eq!(edits("", ""), 0);
        assert_eq!(edits("", "abc"), 3);
        assert_eq!(edits("abc", ""), 3);
        assert_eq!(edits("probe-404", "probe-403"), 1);
        assert_eq!(edits("wrongport", "wrong-port"), 1);
        assert_eq!(edits("kitten", "sitting"), 3);
    }

    #[test]
    fn what_is_close_is_offered_closest_first_and_nothing_else() {
        let first = |text| Cause::close_to(text).first().copied();
        assert_eq!(first("worng-port"), Some(Cause::WrongPort));
        assert_eq!(first("wrong port"), Some(Cause::WrongPort));
        assert_eq!(first("PROBE_404"), Some(Cause::Probe404));
        assert_eq!(first("GW-F19"), Some(Cause::RootMismatch));
        assert_eq!(first("certificate-expired"), Some(Cause::Expired));
        assert_eq!(first("nsg"), Some(Cause::NsgBackendDeny));
        assert!(Cause::close_to("timeout").contains(&Cause::RequestTimeout));
        assert_eq!(Cause::close_to("probe").len(), OFFERED_MAX);
        for text in ["", "x", "502", "zzzzzz", "GW-Z99", &"é".repeat(10_000)] {
            assert_eq!(Cause::close_to(text), [], "{text}");
        }
    }
}
