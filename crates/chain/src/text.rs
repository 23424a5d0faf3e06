//! What certificates say, made fit for a sentence: bounded and without control characters.

/// Longest name that a message quotes, in characters.
const NAME_CHARS_MAX: usize = 120;

/// The first [`NAME_CHARS_MAX`] characters of `text`, control characters replaced.
pub(crate) fn shorten(text: &str) -> String {
    let mut characters = text.chars();
    let mut short: String = characters
        .by_ref()
        .take(NAME_CHARS_MAX)
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect();
    if characters.next().is_some() {
        short.push('…');
    }
    short
}

/// Two hexadecimal digits for each of `bytes`.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_and_hostile_names_are_made_harmless() {
        assert_eq!(
            shorten("CN=a\r\nb\u{1b}[2J"),
            "CN=a\u{fffd}\u{fffd}b\u{fffd}[2J"
        );
        let long = "é".repeat(NAME_CHARS_MAX + 1);
        assert_eq!(shorten(&long).chars().count(), NAME_CHARS_MAX + 1);
        assert!(shorten(&long).ends_with('…'));
        assert_eq!(shorten(&long[2..]), long[2..]);
    }
}
