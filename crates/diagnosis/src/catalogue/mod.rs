//! What the pages of the causes say, beside the one sentence in the table of causes.
//!
//! In each text, a cause is named by its code alone, which the pages turn into its name and a
//! link. In `mends`, what stands in backticks and has a space is a command; the pages put it on
//! lines of its own.

use crate::cause::Cause;

/// The texts of one cause.
pub(crate) struct Texts {
    shows: &'static str,
    decides: &'static str,
    mends: &'static str,
}

/// A constant for each cause, with the cause's name. The table of causes looks up exactly these,
/// so that the compiler refuses a cause without texts, and notices texts without a cause.
macro_rules! texts {
    ($($cause:ident {
        shows: $shows:literal,
        decides: $decides:literal,
        mends: $mends:literal,
    })*) => {
        $(
            #[expect(non_upper_case_globals, reason = "the name of its cause")]
            pub(crate) const $cause: Texts = Texts {
                shows: $shows,
                decides: $decides,
                mends: $mends,
            };
        )*
    };
}

mod answers;
mod certificates;
mod gateway;
mod network;

pub(crate) use answers::*;
pub(crate) use certificates::*;
pub(crate) use gateway::*;
pub(crate) use network::*;

impl Cause {
    /// How it shows: what an operator sees in backend health, statuses and the access log.
    pub fn shows(self) -> &'static str {
        self.texts().shows
    }

    /// Which files of an evidence folder decide it, and which causes look alike.
    pub fn decides(self) -> &'static str {
        self.texts().decides
    }

    /// Who mends it and how. Commands stand in backticks, with placeholders in capitals.
    pub fn mends(self) -> &'static str {
        self.texts().mends
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The files of an evidence folder that the texts may name.
    const FILES: [&str; 20] = [
        "gateway.json",
        "backend-health.json",
        "nsgs.json",
        "subnet.json",
        "vnet.json",
        "route-tables.json",
        "certs/presented.pem",
        "certs/presented-without-sni.pem",
        "observations.json",
        "access-logs.json",
        "metrics.json",
        "webapp.json",
        "keyvault.json",
        "private-dns-links.json",
        "vmss-instances.json",
        "k8s-endpoints.json",
        "k8s-nodes.json",
        "controller-log.txt",
        "last-error.json",
        "previous-gateway.json",
    ];

    /// The codes that a text names.
    fn codes(text: &str) -> Vec<&str> {
        let starts = text.match_indices("GW-").map(|(at, _)| at);
        let codes = starts.filter_map(|at| text.get(at..at + 6));
        let is_code = |code: &&str| code[4..].chars().all(|one| one.is_ascii_digit());
        codes.filter(is_code).collect()
    }

    #[test]
    fn each_cause_is_told_from_others_that_exist_by_files_that_exist() {
        let mut named = BTreeSet::new();
        for cause in Cause::ALL {
            let code = cause.code();
            let decides = cause.decides();
            let spans = decides.split('`').skip(1).step_by(2);
            let is_file = |span: &&str| {
                [".json", ".txt", ".pem"]
                    .iter()
                    .any(|end| span.ends_with(end))
            };
            let files: Vec<_> = spans.filter(is_file).collect();
            assert!(!files.is_empty(), "{code} names no file");
            for file in files {
                assert!(
                    FILES.contains(&file),
                    "{code}: no evidence is called {file}"
                );
                named.insert(file);
            }
            let others = codes(decides);
            assert!(!others.is_empty(), "{code} is told from nothing");
            assert!(!others.contains(&code), "{code} is told from itself");
            for other in [cause.shows(), decides, cause.mends()]
                .into_iter()
                .flat_map(codes)
            {
                assert!(Cause::named(other).is_some(), "{code} names {other}");
            }
        }
        assert_eq!(
            named.len(),
            FILES.len(),
            "a file decides nothing: {named:?}"
        );
    }

    #[test]
    fn texts_are_whole_sentences_and_say_each_thing_once() {
        let mut seen = BTreeSet::new();
        for cause in Cause::ALL {
            for text in [cause.shows(), cause.decides(), cause.mends()] {
                let code = cause.code();
                assert!(seen.insert(text), "{code} says what another says: {text}");
                assert_eq!(text.matches('`').count() % 2, 0, "{code}: {text}");
                assert!(text.ends_with(['.', '`']), "{code}: {text}");
                assert!(
                    !text.contains("  ") && !text.contains(['!', '—', '\n']),
                    "{code}: {text}"
                );
            }
            let sentences = cause.shows().matches(". ").count() + 1;
            assert!(sentences <= 3, "{}: {sentences} sentences", cause.code());
        }
    }
}
