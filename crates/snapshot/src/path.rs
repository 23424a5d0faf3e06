//! Path maps: the first pattern in listed order that a path matches.
//!
//! A pattern is a whole path, or with a final `*` the beginning of one. The order of listing
//! decides, not the length, yet a look-up need not try the patterns in turn: among sorted
//! beginnings, those that a path starts with form a chain from the longest to the shortest, and
//! each link already knows the earliest pattern from itself upwards.

use std::collections::HashMap;

// Its keys come from the configuration: nobody can choose them to collide.
use foldhash::fast::RandomState;

/// A pattern's place in the listing, the path rule that it belongs to, and its literal part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    order: u32,
    rule: u32,
    literal_length: u32,
}

#[derive(Clone, Debug)]
struct Beginning {
    literal: Box<[u8]>,
    /// The earliest listed entry among this beginning and its parents.
    earliest: Entry,
    /// The longest other beginning that this one starts with.
    parent: Option<u32>,
}

/// Which path rule a path belongs to.
#[derive(Clone, Debug, Default)]
pub struct PathTable {
    case_sensitive: bool,
    exact: HashMap<Box<[u8]>, Entry, RandomState>,
    /// Sorted by literal, without repeats.
    beginnings: Vec<Beginning>,
}

/// Collects the patterns of a [`PathTable`], in listed order.
#[derive(Clone, Debug, Default)]
pub struct PathTableBuilder {
    case_sensitive: bool,
    count: u32,
    exact: HashMap<Box<[u8]>, Entry, RandomState>,
    beginnings: HashMap<Box<[u8]>, Entry, RandomState>,
}

impl PathTableBuilder {
    pub fn new(case_sensitive: bool) -> Self {
        Self {
            case_sensitive,
            ..Self::default()
        }
    }

    /// Adds the next pattern in listed order. `rule` is the ordinal of its path rule.
    pub fn add(&mut self, pattern: &str, rule: u32) {
        let (literal, open) = match pattern.strip_suffix('*') {
            Some(literal) => (literal, true),
            None => (pattern, false),
        };
        let mut key = literal.as_bytes().to_vec();
        if !self.case_sensitive {
            key.make_ascii_lowercase();
        }
        let literal_length = u32::try_from(key.len()).unwrap_or(u32::MAX);
        let entry = Entry {
            order: self.count,
            rule,
            literal_length,
        };
        self.count += 1;
        let patterns = if open {
            &mut self.beginnings
        } else {
            &mut self.exact
        };
        patterns.entry(key.into()).or_insert(entry);
    }

    pub fn build(self) -> PathTable {
        let mut sorted: Vec<_> = self.beginnings.into_iter().collect();
        sorted.sort();
        let mut beginnings: Vec<Beginning> = Vec::with_capacity(sorted.len());
        // The beginnings that the current literal starts with, shortest first.
        let mut open: Vec<u32> = Vec::new();
        for (literal, own) in sorted {
            while let Some(&last) = open.last()
                && !literal.starts_with(&beginnings[last as usize].literal)
            {
                open.pop();
            }
            let parent = open.last().copied();
            let above = parent.map(|parent| beginnings[parent as usize].earliest);
            let earliest = above.filter(|above| above.order < own.order).unwrap_or(own);
            open.push(beginnings.len() as u32);
            beginnings.push(Beginning {
                literal,
                earliest,
                parent,
            });
        }
        PathTable {
            case_sensitive: self.case_sensitive,
            exact: self.exact,
            beginnings,
        }
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.order.cmp(&other.order)
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PathTable {
    /// Whether letter case matters: where it does not, [`find`](Self::find) wants lower case.
    pub fn is_case_sensitive(&self) -> bool {
        self.case_sensitive
    }

    /// The ordinal of the path rule whose pattern matches `path` first, and how many bytes of the
    /// path that pattern spells out. `path` has no query, is percent-decoded where the gateway
    /// does that, and is in lower case unless the table is case-sensitive.
    pub fn find(&self, path: &[u8]) -> Option<(u32, usize)> {
        let whole = self.exact.get(path).copied();
        let found = match (whole, self.find_beginning(path)) {
            (Some(whole), Some(beginning)) => Some(whole.min(beginning)),
            (whole, beginning) => whole.or(beginning),
        };
        found.map(|entry| (entry.rule, entry.literal_length as usize))
    }

    fn find_beginning(&self, path: &[u8]) -> Option<Entry> {
        let after = self
            .beginnings
            .partition_point(|beginning| *beginning.literal <= *path);
        // Whatever the path starts with is its predecessor in the order, or that one's parent.
        let nearest = self.beginnings.get(after.checked_sub(1)?)?;
        let shared = nearest
            .literal
            .iter()
            .zip(path)
            .take_while(|(literal, byte)| literal == byte)
            .count();
        let mut candidate = nearest;
        while candidate.literal.len() > shared {
            candidate = self.beginnings.get(candidate.parent? as usize)?;
        }
        Some(candidate.earliest)
    }
}

impl crate::size::HeapSize for PathTable {
    fn heap_bytes(&self) -> usize {
        let exact: usize = self.exact.keys().map(|key| key.len() + 48).sum();
        let open: usize = self
            .beginnings
            .iter()
            .map(|one| one.literal.len() + 48)
            .sum();
        exact + open
    }
}

/// Percent-decodes `path` onto `out`. A `%` without two hexadecimal digits stays as it is.
pub(crate) fn percent_decode(path: &[u8], out: &mut Vec<u8>) {
    let mut rest = path;
    while let Some((byte, length)) = next_decoded(rest) {
        out.push(byte);
        rest = &rest[length..];
    }
}

/// The first byte of `raw` after decoding, and how many raw bytes it took.
fn next_decoded(raw: &[u8]) -> Option<(u8, usize)> {
    if let [b'%', high, low, ..] = raw
        && let (Some(high), Some(low)) = (hex_value(*high), hex_value(*low))
    {
        return Some((high << 4 | low, 3));
    }
    raw.first().map(|byte| (*byte, 1))
}

fn hex_value(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|value| value as u8)
}

/// How many bytes of the path as sent make up its first `decoded_length` decoded bytes: where to
/// cut the path that a pattern's literal part matched. At most `raw.len()`.
pub fn decoded_prefix_length(raw: &[u8], decoded_length: usize) -> usize {
    let mut taken = 0;
    for _ in 0..decoded_length {
        match next_decoded(&raw[taken..]) {
            Some((_, length)) => taken += length,
            None => break,
        }
    }
    taken
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn table(patterns: &[&str]) -> PathTable {
        let mut builder = PathTableBuilder::new(true);
        for (rule, pattern) in patterns.iter().enumerate() {
            builder.add(pattern, rule as u32);
        }
        builder.build()
    }

    fn check(patterns: &[&str], path: &str, expected: Option<u32>) {
        let found = table(patterns).find(path.as_bytes()).map(|(rule, _)| rule);
        assert_eq!(found, expected, "{path} in {patterns:?}");
    }

    #[test]
    fn the_first_listed_wins_not_the_longest() {
        check(&["/*", "/images/*"], "/images/a", Some(0));
        check(&["/images/*", "/*"], "/images/a", Some(0));
        check(&["/images/*", "/*"], "/other", Some(1));
        check(&["/a/*", "/a/b", "/*"], "/a/b", Some(0));
        check(&["/a/b", "/a/*"], "/a/b", Some(0));
    }

    #[test]
    fn without_a_star_the_whole_path_counts() {
        check(&["/api/orders"], "/api/orders", Some(0));
        check(&["/api/orders"], "/api/orders/", None);
        check(&["/images/*"], "/images", None);
        check(&["/images*"], "/images2", Some(0));
    }

    #[test]
    fn a_parent_is_found_behind_longer_neighbours() {
        check(&["/a*", "/abc*", "/abd*"], "/abca", Some(0));
        check(&["/abc*", "/a*"], "/abz", Some(1));
        check(&["/abc*", "/abd*"], "/abe", None);
        check(&[], "/", None);
    }

    #[test]
    fn the_literal_length_is_that_of_the_pattern_found() {
        assert_eq!(table(&["/a*", "/abc*"]).find(b"/abcd"), Some((0, 2)));
        assert_eq!(table(&["/abc*", "/a*"]).find(b"/abcd"), Some((0, 4)));
        assert_eq!(table(&["/abc"]).find(b"/abc"), Some((0, 4)));
    }

    #[test]
    fn case_folds_in_the_patterns_unless_told_otherwise() {
        let mut builder = PathTableBuilder::new(false);
        builder.add("/Images/*", 0);
        assert_eq!(builder.build().find(b"/images/a"), Some((0, 8)));
    }

    #[test]
    fn decoding_leaves_broken_escapes_alone() {
        let mut out = Vec::new();
        percent_decode(b"/a%2Fb%zz%4", &mut out);
        assert_eq!(out, b"/a/b%zz%4");
        assert_eq!(decoded_prefix_length(b"/%61bc", 3), 5);
        assert_eq!(decoded_prefix_length(b"/a", 9), 2);
    }

    proptest! {
        /// The chain of parents is only an index: the answer is that of trying all in order.
        #[test]
        fn find_agrees_with_trying_all(
            patterns in prop::collection::vec("/[ab/]{0,4}[*]?", 0..14),
            path in "/[ab/]{0,6}",
        ) {
            let names: Vec<&str> = patterns.iter().map(String::as_str).collect();
            let matches = |pattern: &&&str| match pattern.strip_suffix('*') {
                Some(literal) => path.starts_with(literal),
                None => path == **pattern,
            };
            let expected = names.iter().find(matches).map(|pattern| {
                let rule = names.iter().position(|other| other == pattern).unwrap();
                (rule as u32, pattern.trim_end_matches('*').len())
            });
            prop_assert_eq!(table(&names).find(path.as_bytes()), expected);
        }
    }
}
