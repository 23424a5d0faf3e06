//! Names as the service compares them: in any letter case.

use std::hash::{Hash, Hasher};

/// A name that is equal, and hashed, in any letter case of ASCII.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AnyCase<'a>(pub(crate) &'a str);

impl PartialEq for AnyCase<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(other.0)
    }
}

impl Eq for AnyCase<'_> {}

impl Hash for AnyCase<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // In pieces: hashers are slow byte by byte, and a name has no bound.
        for piece in self.0.as_bytes().chunks(32) {
            let mut lower = [0; 32];
            for (to, from) in lower.iter_mut().zip(piece) {
                *to = from.to_ascii_lowercase();
            }
            state.write(&lower);
        }
        state.write_usize(self.0.len());
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_are_one_in_any_case_and_otherwise_not() {
        let long = "Listener-of-the-shop-".repeat(4);
        let (upper, other) = (long.to_ascii_uppercase(), long.replace("p-L", "p_L"));
        let mut seen = HashSet::from([AnyCase(&long), AnyCase("É"), AnyCase("a")]);
        assert!(!seen.insert(AnyCase(&upper)));
        assert!(!seen.insert(AnyCase("A")));
        assert!(seen.insert(AnyCase(&other)));
        assert!(seen.insert(AnyCase("é")));
        assert!(seen.insert(AnyCase("a\0")));
        assert!(seen.insert(AnyCase("")));
    }
}
