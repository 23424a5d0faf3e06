//! Host names to listeners.
//!
//! There is no ranking by specificity: of all the listeners whose pattern matches, the one whose
//! rule comes first wins. So every entry carries its order, and a look-up is a minimum over the few
//! entries that can match: the exact name by hash, wildcard patterns by the hash of their literal
//! end or beginning.

use std::collections::HashMap;
use std::fmt;

use foldhash::fast::RandomState;

use crate::ListenerIndex;

/// Longest host name that can match anything, in bytes (RFC 1035 gives 253 without the root dot).
pub(crate) const HOST_BYTES_MAX: usize = 255;

/// A host name of a listener in lower case, with `*` for any run of characters and `?` for one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostPattern(Box<str>);

/// Why a text is no host pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostPatternError {
    Empty,
    TooLong,
    /// A character besides letters, digits, `-`, `_`, `.`, `*` and `?`.
    Character(char),
}

impl fmt::Display for HostPatternError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => formatter.write_str("a host name must not be empty"),
            Self::TooLong => write!(formatter, "a host name has at most {HOST_BYTES_MAX} bytes"),
            Self::Character(character) => write!(
                formatter,
                "{character:?} cannot stand in a host name: letters, digits, '-', '.' can, \
                 and '*' and '?' as wildcards"
            ),
        }
    }
}

impl std::error::Error for HostPatternError {}

impl HostPattern {
    /// # Errors
    /// When `text` is empty, longer than 255 bytes, or has a character that no host name has.
    pub fn parse(text: &str) -> Result<Self, HostPatternError> {
        let text = text.strip_suffix('.').unwrap_or(text);
        if text.is_empty() {
            return Err(HostPatternError::Empty);
        }
        if text.len() > HOST_BYTES_MAX {
            return Err(HostPatternError::TooLong);
        }
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.*?".contains(c);
        if let Some(character) = text.chars().find(|c| !allowed(*c)) {
            return Err(HostPatternError::Character(character));
        }
        Ok(Self(text.to_ascii_lowercase().into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn is_exact(&self) -> bool {
        !self.0.contains(['*', '?'])
    }

    /// Whether `host`, in lower case and without a port, fits the pattern. Linear in the length of
    /// the host times the number of `*`.
    pub fn matches(&self, host: &[u8]) -> bool {
        glob(self.0.as_bytes(), host)
    }
}

/// Classic greedy matching with one point to come back to: after a `*`, only the last one matters.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                retry = Some((p + 1, t));
                p += 1;
            }
            Some(&symbol) if symbol == b'?' || symbol == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match retry {
                Some((after_star, from)) => {
                    p = after_star;
                    t = from + 1;
                    retry = Some((after_star, t));
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|symbol| *symbol == b'*')
}

/// A listener and the order of its rule: the lowest order wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    order: u32,
    listener: ListenerIndex,
}

/// Wildcard patterns that share the length of their literal end (or beginning), by that literal.
#[derive(Clone, Debug)]
struct Bucket {
    literal_length: usize,
    patterns: HashMap<Box<[u8]>, Vec<(HostPattern, Entry)>, RandomState>,
}

/// All host names of one endpoint.
#[derive(Clone, Debug, Default)]
pub struct HostTable {
    exact: HashMap<Box<[u8]>, Entry, RandomState>,
    by_end: Vec<Bucket>,
    by_beginning: Vec<Bucket>,
    any: Option<Entry>,
}

/// Collects the entries of a [`HostTable`].
#[derive(Clone, Debug, Default)]
pub struct HostTableBuilder {
    table: HostTable,
}

impl HostTableBuilder {
    /// `listener` answers hosts that fit `pattern`, unless one of a lower `order` does.
    pub fn add(&mut self, pattern: HostPattern, order: u32, listener: ListenerIndex) {
        let entry = Entry { order, listener };
        if pattern.is_exact() {
            let key = pattern.0.as_bytes().into();
            let kept = self.table.exact.entry(key).or_insert(entry);
            if entry.order < kept.order {
                *kept = entry;
            }
            return;
        }
        let bytes = pattern.0.as_bytes();
        let is_wild = |byte: &u8| matches!(byte, b'*' | b'?');
        let end = bytes.iter().rev().take_while(|byte| !is_wild(byte)).count();
        let beginning = bytes.iter().take_while(|byte| !is_wild(byte)).count();
        let (buckets, literal): (_, Box<[u8]>) = if end >= beginning {
            (&mut self.table.by_end, bytes[bytes.len() - end..].into())
        } else {
            (&mut self.table.by_beginning, bytes[..beginning].into())
        };
        let length = literal.len();
        let position = buckets
            .iter()
            .position(|bucket| bucket.literal_length == length);
        let position = position.unwrap_or_else(|| {
            buckets.push(Bucket {
                literal_length: length,
                patterns: HashMap::default(),
            });
            buckets.len() - 1
        });
        buckets[position]
            .patterns
            .entry(literal)
            .or_default()
            .push((pattern, entry));
    }

    /// `listener` answers any host, unless one of a lower `order` fits.
    pub fn add_any(&mut self, order: u32, listener: ListenerIndex) {
        let entry = Entry { order, listener };
        if self.table.any.is_none_or(|kept| entry.order < kept.order) {
            self.table.any = Some(entry);
        }
    }

    pub fn build(mut self) -> HostTable {
        let buckets = self
            .table
            .by_end
            .iter_mut()
            .chain(&mut self.table.by_beginning);
        for list in buckets.flat_map(|bucket| bucket.patterns.values_mut()) {
            list.sort_by_key(|(_, entry)| entry.order);
        }
        self.table
    }
}

impl HostTable {
    /// The listener for `host`, which has no port; letter case does not matter. `None` for a host
    /// that no listener takes, or one of more than 255 bytes.
    pub fn find(&self, host: &[u8]) -> Option<ListenerIndex> {
        let host = host.strip_suffix(b".").unwrap_or(host);
        let mut lower = [0_u8; HOST_BYTES_MAX];
        let lower = lower.get_mut(..host.len())?;
        for (to, from) in lower.iter_mut().zip(host) {
            *to = from.to_ascii_lowercase();
        }
        self.find_lower(lower).map(|entry| entry.listener)
    }

    /// With listeners that stand so many rows further back.
    pub(crate) fn shifted(mut self, by: usize) -> Self {
        let buckets = self.by_end.iter_mut().chain(&mut self.by_beginning);
        let lists = buckets.flat_map(|bucket| bucket.patterns.values_mut());
        let wild = lists.flatten().map(|(_, entry)| entry);
        for entry in self.exact.values_mut().chain(wild).chain(&mut self.any) {
            entry.listener = ListenerIndex::new(entry.listener.position() + by);
        }
        self
    }

    fn find_lower(&self, host: &[u8]) -> Option<Entry> {
        let mut best = earlier(self.any, self.exact.get(host).copied());
        for bucket in &self.by_end {
            let start = host.len().checked_sub(bucket.literal_length);
            best = bucket.improve(best, start.and_then(|start| host.get(start..)), host);
        }
        for bucket in &self.by_beginning {
            best = bucket.improve(best, host.get(..bucket.literal_length), host);
        }
        best
    }
}

impl Bucket {
    fn improve(&self, best: Option<Entry>, literal: Option<&[u8]>, host: &[u8]) -> Option<Entry> {
        let Some(list) = literal.and_then(|literal| self.patterns.get(literal)) else {
            return best;
        };
        let found = list.iter().find(|(pattern, _)| pattern.matches(host));
        earlier(best, found.map(|(_, entry)| *entry))
    }
}

fn earlier(a: Option<Entry>, b: Option<Entry>) -> Option<Entry> {
    match (a, b) {
        (Some(a), Some(b)) => Some(if b.order < a.order { b } else { a }),
        (one, other) => one.or(other),
    }
}

impl crate::size::HeapSize for HostTable {
    fn heap_bytes(&self) -> usize {
        let exact: usize = self.exact.keys().map(|key| key.len() + 64).sum();
        let wild: usize = self
            .by_end
            .iter()
            .chain(&self.by_beginning)
            .flat_map(|bucket| &bucket.patterns)
            .map(|(literal, list)| literal.len() + 64 + list.len() * 64)
            .sum();
        exact + wild
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn table(entries: &[(&str, u32)]) -> HostTable {
        let mut builder = HostTableBuilder::default();
        for (position, (pattern, order)) in entries.iter().enumerate() {
            let listener = ListenerIndex::new(position);
            match *pattern {
                "" => builder.add_any(*order, listener),
                text => builder.add(HostPattern::parse(text).unwrap(), *order, listener),
            }
        }
        builder.build()
    }

    fn check(entries: &[(&str, u32)], host: &str, expected: Option<usize>) {
        let found = table(entries)
            .find(host.as_bytes())
            .map(ListenerIndex::position);
        assert_eq!(found, expected, "{host} in {entries:?}");
    }

    #[test]
    fn the_lowest_order_wins_whatever_the_kind() {
        let entries = [("a.contoso.com", 20), ("*.contoso.com", 10), ("", 30)];
        check(&entries, "a.contoso.com", Some(1));
        check(&entries, "contoso.com", Some(2));
        check(
            &[("a.contoso.com", 1), ("*.contoso.com", 10)],
            "A.Contoso.COM.",
            Some(0),
        );
        check(
            &[("a.contoso.com", 2), ("a.contoso.com", 1)],
            "a.contoso.com",
            Some(1),
        );
        check(&[("a.contoso.com", 2), ("", 1)], "a.contoso.com", Some(1));
        check(&[("a.contoso.com", 2)], "b.contoso.com", None);
    }

    #[test]
    fn a_star_crosses_dots_and_a_question_mark_is_one_character() {
        check(&[("*.contoso.com", 1)], "a.b.contoso.com", Some(0));
        check(&[("*.contoso.com", 1)], ".contoso.com", Some(0));
        check(&[("shop?.contoso.*", 1)], "shop1.contoso.org", Some(0));
        check(&[("shop?.contoso.*", 1)], "shop.contoso.org", None);
        check(&[("shop?.contoso.*", 1)], "shop12.contoso.org", None);
        check(&[("*", 1)], "anything", Some(0));
    }

    #[test]
    fn a_host_beyond_the_bound_matches_nothing() {
        check(&[("", 1)], &"a".repeat(HOST_BYTES_MAX), Some(0));
        check(&[("", 1)], &"a".repeat(HOST_BYTES_MAX + 1), None);
    }

    #[test]
    fn patterns_refuse_what_no_host_name_has() {
        assert_eq!(
            HostPattern::parse("a b"),
            Err(HostPatternError::Character(' '))
        );
        assert_eq!(HostPattern::parse(""), Err(HostPatternError::Empty));
        assert_eq!(
            HostPattern::parse(&"a".repeat(256)),
            Err(HostPatternError::TooLong)
        );
    }

    proptest! {
        /// The buckets are only an index: the answer is that of trying every pattern in turn.
        #[test]
        fn find_agrees_with_trying_all(
            patterns in prop::collection::vec("[ab.*?]{1,6}", 1..12),
            host in "[ab.]{0,7}",
        ) {
            let mut builder = HostTableBuilder::default();
            let mut oracle = None;
            let bare = host.strip_suffix('.').unwrap_or(&host);
            for (position, text) in patterns.iter().enumerate() {
                let Ok(pattern) = HostPattern::parse(text) else { continue };
                let order = (position as u32 * 7) % 5;
                let entry = Entry { order, listener: ListenerIndex::new(position) };
                if pattern.matches(bare.as_bytes()) {
                    oracle = earlier(oracle, Some(entry));
                }
                builder.add(pattern, order, entry.listener);
            }
            let found = builder.build().find_lower(bare.as_bytes()).map(|entry| entry.order);
            prop_assert_eq!(found, oracle.map(|entry| entry.order));
        }
    }
}
