//! Why az has no answer, in one sentence.

use super::verbs::Verb;

/// Most characters of a reason.
const REASON_CHARS_MAX: usize = 400;

/// What az says on standard error, cut to its first sentence, without what a terminal would obey.
pub(super) fn reason(verb: Verb, status: i32, said: &str) -> String {
    let lines = || said.lines().map(str::trim).filter(|line| !line.is_empty());
    let error = lines().find_map(|line| line.strip_prefix("ERROR:"));
    // Of a traceback, the last line says what it is about.
    let line = error.or_else(|| lines().next_back()).map(plain);
    let line = line.filter(|line| !line.is_empty());
    let Some(line) = line else {
        return format!("az ended with exit status {status}");
    };
    if verb == Verb::Log && line.contains("misspelled or not recognized") {
        return "az lacks the extension for it: az extension add -n log-analytics".to_owned();
    }
    format!("az says: {}", sentence(&line))
}

/// One line that does nothing but show.
fn plain(text: &str) -> String {
    let shown = text.chars().map(|letter| match letter {
        letter if letter.is_control() => ' ',
        letter => letter,
    });
    let shown: String = shown.collect();
    shown.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The first sentence, or as much of it as is told.
fn sentence(line: &str) -> String {
    let end = line.match_indices(". ").find(|(at, _)| *at > 20);
    let first = end.map_or(line, |(at, _)| line.get(..=at).unwrap_or(line));
    match first.char_indices().nth(REASON_CHARS_MAX) {
        Some((at, _)) => format!("{}…", first.get(..at).unwrap_or(first)),
        None => first.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(said: &str, expected: &str) {
        assert_eq!(reason(Verb::Health, 1, said), expected);
    }

    #[test]
    fn what_az_says_is_cut_to_a_sentence() {
        check(
            "WARNING: old\nERROR: (AuthorizationFailed) The client 'a' may not. Ask again.\n\
             Code: AuthorizationFailed\nMessage: The client",
            "az says: (AuthorizationFailed) The client 'a' may not.",
        );
        check(
            "ERROR: Please run 'az login' to setup account.\n",
            "az says: Please run 'az login' to setup account.",
        );
        check("", "az ended with exit status 1");
        check("ERROR:\n", "az ended with exit status 1");
        check(
            "Traceback (most recent call last):\n  File \"x\"\nKeyError: 'id'\n",
            "az says: KeyError: 'id'",
        );
        check("ERROR: \u{1b}[31mred\u{7}\u{1b}[0m", "az says: [31mred [0m");
        let long = format!("ERROR: {}", "ä".repeat(1000));
        let expected = format!("az says: {}…", "ä".repeat(REASON_CHARS_MAX));
        check(&long, &expected);
    }

    #[test]
    fn an_extension_that_lacks_is_named() {
        let said = "ERROR: 'query' is misspelled or not recognized by the system.\n";
        let told = reason(Verb::Log, 2, said);
        assert!(told.contains("az extension add -n log-analytics"), "{told}");
        assert!(reason(Verb::Vault, 2, said).contains("misspelled"));
    }
}
