//! Host names of listeners, with their wildcards.
//!
//! Source: Azure documentation of multi-site listeners. `*` stands for any run of characters, dots
//! included; `?` for exactly one.

/// Most host names of one listener.
pub(crate) const MAX_HOST_NAMES: usize = 5;
/// Longest host name, in characters (DNS).
const MAX_HOST_CHARS: usize = 253;
const MAX_STARS_PER_LABEL: usize = 1;
const MAX_STARS: usize = 2;
const MAX_WILDCARDS: usize = 4;

/// Whether the name holds a wildcard.
pub(crate) fn has_wildcard(name: &str) -> bool {
    name.contains(['*', '?'])
}

/// What is wrong with a host name, as the end of a sentence; `None` if it is right.
pub(crate) fn fault(name: &str, wildcards_allowed: bool) -> Option<&'static str> {
    let count = |wanted: char, text: &str| text.chars().filter(|c| *c == wanted).count();
    let bad = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '*' | '?' | '_'));
    if name.is_empty() {
        return Some("it is empty");
    }
    if name.chars().count() > MAX_HOST_CHARS {
        return Some("it has more than 253 characters");
    }
    if name.contains(bad) {
        return Some(
            "a host name holds letters, digits, '-' and '.' only, no scheme, port or path",
        );
    }
    if name.split('.').any(str::is_empty) {
        return Some("it has an empty label");
    }
    if !has_wildcard(name) {
        return None;
    }
    if !wildcards_allowed {
        return Some("wildcards are allowed in hostNames of the second generation only");
    }
    if name
        .split('.')
        .any(|label| count('*', label) > MAX_STARS_PER_LABEL)
    {
        return Some("a label may hold one '*' at most");
    }
    if name.contains("*?") || name.contains("?*") {
        return Some("'*' and '?' may not stand side by side");
    }
    if count('*', name) > MAX_STARS {
        return Some("a host name may hold two '*' at most");
    }
    if count('*', name) + count('?', name) > MAX_WILDCARDS {
        return Some("a host name may hold four wildcards at most");
    }
    None
}

/// Whether every host that `narrow` matches is matched by `wide` too. Never true wrongly; it may
/// be false where two patterns with several wildcards happen to match the same hosts.
pub(crate) fn covers(wide: &str, narrow: &str) -> bool {
    let wide: Vec<u8> = wide.bytes().map(|b| b.to_ascii_lowercase()).collect();
    let narrow: Vec<u8> = narrow.bytes().map(|b| b.to_ascii_lowercase()).collect();
    // Greedy matching with one point of return, the last '*' of `wide`. A '*' of `narrow` can be
    // taken by a '*' only, a '?' by either.
    let takes = |w: u8, n: u8| n != b'*' && (w == n || w == b'?');
    let (mut w, mut n) = (0, 0);
    let mut back: Option<(usize, usize)> = None;
    while let Some(&symbol) = narrow.get(n) {
        match wide.get(w) {
            Some(b'*') => {
                back = Some((w, n));
                w += 1;
            }
            Some(&pattern) if takes(pattern, symbol) => {
                w += 1;
                n += 1;
            }
            _ => {
                let Some((star, from)) = back else {
                    return false;
                };
                back = Some((star, from + 1));
                w = star + 1;
                n = from + 1;
            }
        }
    }
    wide.get(w..)
        .is_some_and(|rest| rest.iter().all(|b| *b == b'*'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_examples_are_judged_as_documented() {
        for right in [
            "contoso.com",
            "*.contoso.com",
            "*.contoso.*",
            "???.contoso.com",
            "a-b.c1.de",
        ] {
            assert_eq!(fault(right, true), None, "{right}");
        }
        for wrong in [
            "",
            "a..b",
            ".a",
            "https://a",
            "a:80",
            "a/b",
            "**.com",
            "a*b*.com",
            "*?.com",
            "?*.com",
            "????.contoso.*",
            "*.*.*",
            "bücher.de",
        ] {
            assert!(fault(wrong, true).is_some(), "{wrong}");
        }
        assert!(fault("*.contoso.com", false).is_some());
        assert!(fault(&"a".repeat(254), true).is_some());
    }

    #[test]
    fn covering_is_inclusion_of_what_is_matched() {
        for (wide, narrow) in [
            ("*", "a.b"),
            ("*.contoso.com", "a.b.CONTOSO.com"),
            ("*.com", "*.contoso.com"),
            ("?.com", "a.com"),
            ("?.com", "?.com"),
            ("*.com", "?.com"),
            ("*a*", "bab*"),
            ("a*c*e", "abcde"),
            ("*b", "abbb"),
        ] {
            assert!(covers(wide, narrow), "{wide} covers {narrow}");
        }
        for (wide, narrow) in [
            ("a", "*"),
            ("?.com", "*.com"),
            ("*.contoso.com", "contoso.com"),
            ("a.com", "?.com"),
            ("*.contoso.com", "*.com"),
            ("a", "ab"),
            ("ab", "a"),
            ("a*b", "a*"),
        ] {
            assert!(!covers(wide, narrow), "{wide} does not cover {narrow}");
        }
    }
}
