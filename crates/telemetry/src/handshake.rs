//! TLS handshakes with clients that failed. There is no request yet, and so no record: they are
//! counted.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! handshake_failures {
    ($($name:ident: $code:literal, $fact:literal;)*) => {
        /// One way in which a client's TLS handshake can fail.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum HandshakeFailure {
            $(#[doc = $fact] $name,)*
        }

        impl HandshakeFailure {
            /// Every one, for tables and documentation.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// A stable name for tools.
            pub fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// What happened, as a clause without a verdict.
            pub fn fact(self) -> &'static str {
                match self { $(Self::$name => $fact,)* }
            }
        }
    };
}

handshake_failures! {
    Closed: "handshake-closed",
        "the client closed the connection within the handshake";
    TimedOut: "handshake-timed-out",
        "the client did not finish the handshake in time";
    HelloTooLong: "handshake-hello-too-long",
        "the client's hello is longer than 64 KiB";
    NameUnknown: "handshake-name-unknown",
        "no listener has the name that the client asked for";
    Alert: "handshake-alert",
        "the client ended the handshake with an alert";
    Incompatible: "handshake-incompatible",
        "the client and the listener's policy have no version, suite or key exchange in common";
    Invalid: "handshake-invalid",
        "the client's side of the handshake is not valid TLS 1.2 or 1.3";
}

/// Counts of failed handshakes since the process began. Any thread may write and read.
#[derive(Debug)]
pub struct HandshakeTotals {
    /// In the order of [`HandshakeFailure::ALL`].
    by_failure: Box<[AtomicU64]>,
}

impl Default for HandshakeTotals {
    fn default() -> Self {
        let counters = HandshakeFailure::ALL.iter().map(|_| AtomicU64::new(0));
        Self {
            by_failure: counters.collect(),
        }
    }
}

impl HandshakeTotals {
    pub fn count(&self, failure: HandshakeFailure) {
        if let Some(counter) = self.by_failure.get(failure as usize) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The failures that occurred, with their numbers, in the order of [`HandshakeFailure::ALL`].
    pub fn failures(&self) -> impl Iterator<Item = (HandshakeFailure, u64)> {
        let counters = self.by_failure.iter();
        let counts = counters.map(|counter| counter.load(Ordering::Relaxed));
        HandshakeFailure::ALL
            .iter()
            .copied()
            .zip(counts)
            .filter(|(_, count)| *count > 0)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn each_failure_is_counted_under_its_own_name() {
        let totals = HandshakeTotals::default();
        for (place, failure) in HandshakeFailure::ALL.iter().enumerate() {
            (0..=place).for_each(|_| totals.count(*failure));
        }
        let expected: Vec<_> = HandshakeFailure::ALL.iter().copied().zip(1..).collect();
        assert_eq!(totals.failures().collect::<Vec<_>>(), expected);
        let codes: HashSet<_> = HandshakeFailure::ALL.iter().map(|one| one.code()).collect();
        assert_eq!(codes.len(), HandshakeFailure::ALL.len());
    }
}
