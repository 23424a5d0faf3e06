//! Sets of addresses and of ports, as sorted ranges: a look-up is a binary search, however many
//! prefixes a rule lists.

use std::net::IpAddr;

use super::prefix::Prefix;

/// Whether something is so, where it cannot always be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Truth {
    Yes,
    No,
    Unknown,
}

impl Truth {
    pub(super) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::No, _) | (_, Self::No) => Self::No,
            (Self::Yes, Self::Yes) => Self::Yes,
            _ => Self::Unknown,
        }
    }

    pub(super) fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Yes, _) | (_, Self::Yes) => Self::Yes,
            (Self::No, Self::No) => Self::No,
            _ => Self::Unknown,
        }
    }
}

impl From<bool> for Truth {
    fn from(value: bool) -> Self {
        if value { Self::Yes } else { Self::No }
    }
}

/// A number that ranges are made of.
pub(super) trait Step: Copy + Ord {
    /// The next one; `None` after the last.
    fn next(self) -> Option<Self>;
}

macro_rules! steps {
    ($($number:ty),*) => {$(
        impl Step for $number {
            fn next(self) -> Option<Self> {
                self.checked_add(1)
            }
        }
    )*};
}

steps!(u16, u32, u128);

/// Disjoint ranges, both ends included, in ascending order, with a gap between any two.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Ranges<T>(Vec<(T, T)>);

impl<T> Default for Ranges<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Step> Ranges<T> {
    /// Ranges in any order, overlapping or not.
    fn new(mut ranges: Vec<(T, T)>) -> Self {
        ranges.sort_unstable();
        let mut merged: Vec<(T, T)> = Vec::with_capacity(ranges.len());
        for (low, high) in ranges {
            match merged.last_mut() {
                Some(last) if last.1.next().is_none_or(|after| low <= after) => {
                    last.1 = last.1.max(high);
                }
                _ => merged.push((low, high)),
            }
        }
        Self(merged)
    }

    /// Whether all of the range is in the set, nothing of it, or a part (`Unknown`).
    fn covers(&self, low: T, high: T) -> Truth {
        let after = self.0.partition_point(|range| range.0 <= high);
        let nearest = after.checked_sub(1).and_then(|at| self.0.get(at));
        match nearest {
            Some(range) if range.0 <= low && high <= range.1 => Truth::Yes,
            Some(range) if low <= range.1 => Truth::Unknown,
            _ => Truth::No,
        }
    }
}

/// A set of addresses of both families.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct AddressSet {
    v4: Ranges<u32>,
    v6: Ranges<u128>,
}

impl FromIterator<Prefix> for AddressSet {
    fn from_iter<I: IntoIterator<Item = Prefix>>(prefixes: I) -> Self {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for prefix in prefixes {
            match (prefix.first(), prefix.last()) {
                (IpAddr::V4(low), IpAddr::V4(high)) => v4.push((low.to_bits(), high.to_bits())),
                (IpAddr::V6(low), IpAddr::V6(high)) => v6.push((low.to_bits(), high.to_bits())),
                _ => {}
            }
        }
        Self {
            v4: Ranges::new(v4),
            v6: Ranges::new(v6),
        }
    }
}

impl AddressSet {
    /// Whether all of the prefix is in the set, nothing of it, or a part (`Unknown`).
    pub(super) fn covers(&self, prefix: &Prefix) -> Truth {
        match (prefix.first(), prefix.last()) {
            (IpAddr::V4(low), IpAddr::V4(high)) => self.v4.covers(low.to_bits(), high.to_bits()),
            (IpAddr::V6(low), IpAddr::V6(high)) => self.v6.covers(low.to_bits(), high.to_bits()),
            _ => Truth::No,
        }
    }

    /// Whether a part of it, of IPv4, lies outside of `other`.
    pub(super) fn exceeds_v4(&self, other: &Self) -> bool {
        let ranges = &self.v4.0;
        ranges
            .iter()
            .any(|(low, high)| other.v4.covers(*low, *high) != Truth::Yes)
    }
}

/// A set of ports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PortSet(Ranges<u16>);

impl PortSet {
    /// Every port.
    pub fn all() -> Self {
        Self(Ranges(vec![(0, u16::MAX)]))
    }

    /// The ports of these ranges, both ends included. Those whose first exceeds their last are
    /// empty.
    pub fn new(ranges: impl IntoIterator<Item = (u16, u16)>) -> Self {
        let ranges = ranges.into_iter().filter(|(low, high)| low <= high);
        Self(Ranges::new(ranges.collect()))
    }

    pub fn contains(&self, port: u16) -> bool {
        self.0.covers(port, port) == Truth::Yes
    }

    pub fn is_empty(&self) -> bool {
        self.0.0.is_empty()
    }

    /// The ranges, ascending, with a gap between any two.
    pub fn ranges(&self) -> &[(u16, u16)] {
        &self.0.0
    }

    /// Whether all of the ports from `low` to `high` are in the set, none, or some.
    pub(super) fn covers(&self, low: u16, high: u16) -> Truth {
        self.0.covers(low, high)
    }

    /// The ports that are in both.
    pub(super) fn and(&self, other: &Self) -> Self {
        let pairs = self
            .ranges()
            .iter()
            .flat_map(|one| other.ranges().iter().map(move |two| (one, two)));
        Self::new(pairs.map(|(one, two)| (one.0.max(two.0), one.1.min(two.1))))
    }

    /// The ports of this set that are not in the other.
    pub(super) fn without(&self, other: &Self) -> Self {
        let mut gaps = Vec::with_capacity(other.ranges().len() + 1);
        let mut free = Some(0);
        for (low, high) in other.ranges() {
            if let (Some(first), Some(last)) = (free, low.checked_sub(1)) {
                gaps.push((first, last));
            }
            free = high.next();
        }
        gaps.extend(free.map(|first| (first, u16::MAX)));
        self.and(&Self::new(gaps))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn set(prefixes: &[&str]) -> AddressSet {
        prefixes
            .iter()
            .map(|text| text.parse::<Prefix>().unwrap())
            .collect()
    }

    #[test]
    fn neighbours_make_one_range_and_parts_are_told() {
        let halves = set(&["10.0.0.128/25", "10.0.0.0/25", "fd00::/64"]);
        let covers = |text: &str| halves.covers(&text.parse().unwrap());
        assert_eq!(covers("10.0.0.0/24"), Truth::Yes);
        assert_eq!(covers("10.0.0.0/23"), Truth::Unknown);
        assert_eq!(covers("10.0.1.0/24"), Truth::No);
        assert_eq!(covers("fd00::/65"), Truth::Yes);
        assert_eq!(covers("0.0.0.0/0"), Truth::Unknown);
        assert_eq!(covers("fd01::"), Truth::No);
        let last = "255.255.255.255".parse().unwrap();
        assert_eq!(set(&["0.0.0.0/0"]).covers(&last), Truth::Yes);
        assert_eq!(set(&[]).covers(&"0.0.0.0".parse().unwrap()), Truth::No);
        assert!(set(&["8.8.8.8"]).exceeds_v4(&set(&["10.0.0.0/8"])));
        assert!(!set(&["10.1.0.0/16"]).exceeds_v4(&set(&["10.0.0.0/8"])));
    }

    fn some_ports() -> impl Strategy<Value = Vec<(u16, u16)>> {
        let end = prop_oneof![0u16..12, 65530u16..=65535];
        prop::collection::vec((end.clone(), end), 0..5)
    }

    proptest! {
        #[test]
        fn sets_of_ports_agree_with_asking_each_range(one in some_ports(), two in some_ports()) {
            let holds = |ranges: &[(u16, u16)], port| {
                ranges.iter().any(|(low, high)| *low <= port && port <= *high)
            };
            let (a, b) = (PortSet::new(one.clone()), PortSet::new(two.clone()));
            for port in (0..14).chain(65528..=65535) {
                let (in_one, in_two) = (holds(&one, port), holds(&two, port));
                prop_assert_eq!(a.contains(port), in_one);
                prop_assert_eq!(a.and(&b).contains(port), in_one && in_two);
                prop_assert_eq!(a.without(&b).contains(port), in_one && !in_two);
            }
        }
    }
}
