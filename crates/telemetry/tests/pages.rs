//! The pages of the manual that tell what this crate writes: docs/failures.md and
//! docs/health-messages.md, which are made from [`Failure`], [`HandshakeFailure`] and
//! [`HealthMessage`], and the table of `error_info` in docs/access-log.md.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use gatewright_telemetry::{ErrorInfo, Failure, HandshakeFailure, HealthMessage, Side, Wording};

const STALE: &str = "is stale: GATEWRIGHT_BLESS=1 cargo test -p gatewright-telemetry --test pages";

fn page(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../docs")
        .join(name)
}

/// Writes the page where that is asked for; else holds what is there against it.
fn hold(name: &str, fresh: &str) {
    let path = page(name);
    if std::env::var_os("GATEWRIGHT_BLESS").is_some() {
        fs::write(&path, fresh).unwrap();
        return;
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(found == fresh, "docs/{name} {STALE}");
}

/// A section for each side: its heading, and what its failures have in common.
const SIDES: &[(Side, &str, &str)] = &[
    (
        Side::Client,
        "The client's",
        "The request, or the client's end of the connection. The status 499 is logged only: the \
         client has left.",
    ),
    (
        Side::Gateway,
        "The gateway's",
        "The configuration, or the machine that the gateway runs on.",
    ),
    (
        Side::Backend,
        "The backend's",
        "The servers, or the way to them. Where a part of the answer is with the client already, \
         its connection is closed\ninstead.",
    ),
];

/// A name in the log, such as `backend-tls` for `BackendTls`.
fn kebab(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        if c.is_uppercase() && !out.is_empty() {
            out.push('-');
        }
        out.extend(c.to_lowercase());
    }
    out
}

fn failures() -> String {
    let mut out = String::from(
        "# How a request can fail\n\n\
         Each failure has a name of ours, the status of the answer, and the service's word for it, \
         the `error_info` of the\naccess log without its `ERRORINFO_`, which is coarser; see \
         [access-log.md](access-log.md). What was being done when it\nhappened stands behind \
         \"in\". This page is made from the source.\n",
    );
    let mut count = 0;
    for (side, heading, about) in SIDES {
        out.push_str(&format!("\n## {heading}\n\n{about}\n\n"));
        for failure in Failure::ALL.iter().filter(|one| one.side() == *side) {
            count += 1;
            out.push_str(&format!(
                "- **`{}`**: {}, `{}`, in {}:\n  {}\n",
                failure.code(),
                failure.status(),
                short(failure.error_info()),
                kebab(&format!("{:?}", failure.phase())),
                failure.fact()
            ));
        }
    }
    assert_eq!(count, Failure::ALL.len(), "a side has no heading");
    out.push_str(
        "\n## TLS handshakes with clients\n\n\
         There is no request yet, and so no line in the access log: they are counted in \
         `gatewright status`, and told on\nstandard error now and then.\n\n",
    );
    for failure in HandshakeFailure::ALL {
        out.push_str(&format!("- **`{}`**: {}\n", failure.code(), failure.fact()));
    }
    let widest = out.lines().map(|line| line.chars().count()).max();
    assert!(widest <= Some(120), "a line has {widest:?} columns");
    out
}

/// What stands in the places of a sentence, for readers of the page.
const PLACES: &str = "In the sentences, `{received}` is the status of the answer, `{expected}` \
    what the probe counts as healthy, `{text}` the text that the message is about, and `{openssl}` \
    OpenSSL's number for a defect (`X509_V_ERR_…`).";

fn health_messages() -> String {
    let mut out = format!(
        "# What the backend-health report says\n\n\
         Every sentence that `healthProbeLog` can hold, with its cause and what mends it; see \
         [health.md](health.md) for how to\nread the report. This page is made from the \
         source.\n\n{}",
        wrapped("", PLACES)
    );
    for (wording, heading) in [
        (Wording::Service, "The service's sentences"),
        (Wording::Own, "Ours, where the service has none"),
    ] {
        out.push_str(&format!("\n## {heading}\n"));
        let messages = HealthMessage::ALL.iter();
        for message in messages.filter(|one| one.wording() == wording) {
            out.push_str(&health_message(*message));
        }
    }
    let widest = out.lines().map(|line| line.chars().count()).max();
    assert!(widest <= Some(120), "a line has {widest:?} columns");
    out
}

fn health_message(message: HealthMessage) -> String {
    let mut out = format!("\n### `{}`\n\n", message.code());
    out.push_str(&wrapped("> ", message.template()));
    out.push_str(&format!("\n`{}`\n\n", message.error_name()));
    out.push_str(&wrapped("", &format!("**Cause.** {}", message.cause())));
    out.push('\n');
    out.push_str(&wrapped(
        "",
        &format!("**What mends it.** {}", message.remedy()),
    ));
    if !message.older_wordings().is_empty() {
        out.push_str("\nIn older exports:\n\n");
    }
    for older in message.older_wordings() {
        out.push_str(&wrapped("> ", older));
        out.push('\n');
    }
    out.trim_end().to_owned() + "\n"
}

/// `text` in lines of at most 118 columns, each behind `margin`.
fn wrapped(margin: &str, text: &str) -> String {
    let mut out = String::new();
    let mut line = margin.to_owned();
    for word in text.split_whitespace() {
        let is_begun = line.len() > margin.len();
        if is_begun && line.chars().count() + 1 + word.chars().count() > 118 {
            out.push_str(&line);
            out.push('\n');
            line = margin.to_owned();
        } else if is_begun {
            line.push(' ');
        }
        line.push_str(word);
    }
    out + &line + "\n"
}

fn short(info: ErrorInfo) -> &'static str {
    let name = info.as_str();
    name.strip_prefix("ERRORINFO_").unwrap_or(name)
}

#[test]
fn the_page_of_failures_is_what_the_source_says() {
    hold("failures.md", &failures());
}

#[test]
fn the_page_of_health_messages_is_what_the_source_says() {
    hold("health-messages.md", &health_messages());
}

#[test]
fn the_access_logs_page_explains_exactly_the_values_that_are_written() {
    let text = fs::read_to_string(page("access-log.md")).unwrap();
    let (_, table) = text.split_once("## error_info\n").unwrap();
    let rows = table.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| `")?.split('|');
        let name = cells.next()?.trim().trim_end_matches('`').to_owned();
        Some((name, cells.next()?.trim().to_owned()))
    });
    let explained: BTreeMap<String, String> = rows.collect();

    let mut statuses: BTreeMap<&str, BTreeSet<u16>> = BTreeMap::new();
    for failure in Failure::ALL {
        let statuses = statuses.entry(short(failure.error_info())).or_default();
        statuses.insert(failure.status());
    }
    let written = statuses.into_iter().map(|(name, statuses)| {
        let statuses: Vec<String> = statuses.iter().map(u16::to_string).collect();
        (name.to_owned(), statuses.join(", "))
    });
    let no_error = (short(ErrorInfo::NoError).to_owned(), "any".to_owned());
    assert_eq!(explained, written.chain([no_error]).collect());
}
