//! What the demo tells before it serves: lines to paste, for a terminal of 100 columns that shows
//! few lines at once.

use gatewright_testkit::situations::Situation;

use super::Place;
use super::sites::{HOST, sites};
use crate::settings::AdminAddress;

/// What stands before a line to paste.
const LABEL_COLUMNS: usize = 23;

/// The introduction, without a last line feed. `program` is how this program was started.
pub(super) fn text(place: &Place, program: &str) -> String {
    let program = quoted(program);
    let mut lines = vec![format!(
        "A gateway before {} sites. Lines to paste into another terminal{}:",
        sites().len(),
        match program.starts_with('/') || !program.contains('/') {
            true => "",
            false => ", in this folder",
        }
    )];
    lines.extend(what_works(place));
    lines.extend(what_fails_on_request(place));
    lines.extend(what_probes_found(place, &program));
    lines.extend(the_files(place, &program));
    lines.join("\n")
}

fn what_works(place: &Place) -> Vec<String> {
    let http = http(place);
    vec![
        "What works".to_owned(),
        line("two servers in turn", format!("curl {http}/ {http}/")),
        line("by path", format!("curl {http}/images/cat.png")),
        line("by host", format!("curl -H 'Host: blog.localhost' {http}/")),
        line(
            "the same server again",
            format!("curl -b '' {http}/cart/ {http}/cart/"),
        ),
        line(
            "a redirect to HTTPS",
            format!("curl -ikL '{http}/old/page?x=1'"),
        ),
    ]
}

fn what_fails_on_request(place: &Place) -> Vec<String> {
    let http = http(place);
    let log = quoted(&place.access_log().display().to_string());
    vec![
        "What fails when a request comes, though probes find the server healthy".to_owned(),
        line("504, over its 1 s", format!("curl -i {http}/late/")),
        line("502, hangs up", format!("curl -i {http}/closing/")),
        line("502, speaks no HTTP", format!("curl -i {http}/babbling/")),
        line("200, byte by byte", format!("curl {http}/dribbling/")),
        line(
            "why they failed",
            format!("grep -v ERRORINFO_NO_ERROR {log}"),
        ),
    ]
}

fn what_probes_found(place: &Place, program: &str) -> Vec<String> {
    let http = http(place);
    let mut lines = vec![format!(
        "What probes find: {} servers with one thing wrong each, which get no request",
        Situation::ALL.len()
    )];
    let expired = Situation::Expired.name();
    lines.push(line("502 at once", format!("curl -i {http}/{expired}/")));
    if let Some(admin) = admin(place) {
        lines.push(line(
            "every server, and why",
            format!("{program} health{admin}"),
        ));
        lines.push(line("what is served", format!("{program} status{admin}")));
    }
    let (plain, tls) = (place.unauthorized, place.missing_intermediate);
    let root = quoted(&place.root().display().to_string());
    lines.push(line(
        "a single probe",
        format!("{program} probe http://{plain}/"),
    ));
    lines.push(line(
        "a broken chain",
        format!("{program} probe https://{tls}/ \\"),
    ));
    lines.push(line("", format!("  --host {HOST} --root {root}")));
    lines
}

fn the_files(place: &Place, program: &str) -> Vec<String> {
    let gateway = place.gateway().display().to_string();
    vec![
        "Edit the gateway's file: a second later it is served, or refused and the old one served on"
            .to_owned(),
        line("its findings", format!("{program} validate {}", quoted(&gateway))),
        format!("Ctrl-C ends it, and removes {}.", place.folder.display()),
    ]
}

fn http(place: &Place) -> String {
    format!("http://127.0.0.1:{}", place.http_port)
}

/// The flag, where one is needed; `None` where nobody can be asked.
fn admin(place: &Place) -> Option<String> {
    let address = place.admin?;
    Some(match AdminAddress::At(address) == AdminAddress::DEFAULT {
        true => String::new(),
        false => format!(" --admin {address}"),
    })
}

fn line(label: &str, command: String) -> String {
    format!("  {label:<LABEL_COLUMNS$}{command}")
}

/// As a shell takes it for one word.
fn quoted(text: &str) -> String {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-_./:+@%".contains(&b);
    match !text.is_empty() && text.bytes().all(is_plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', "'\\''")),
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    const LINES_MAX: usize = 24;
    const COLUMNS_MAX: usize = 100;

    fn place(admin: &str) -> Place {
        let address = |port| std::net::SocketAddr::from(([127, 0, 0, 1], port));
        Place {
            folder: PathBuf::from("/tmp/gatewright-demo-AbCdEf"),
            http_port: 18_080,
            https_port: 18_443,
            admin: admin.parse().ok(),
            unauthorized: address(45_678),
            missing_intermediate: address(45_679),
        }
    }

    #[test]
    fn it_fits_a_terminal() {
        let text = text(&place("127.0.0.1:19440"), "target/release/gatewright");
        assert!(text.lines().count() < LINES_MAX, "{text}");
        for line in text.lines() {
            assert!(line.chars().count() <= COLUMNS_MAX, "{line}");
        }
    }

    #[test]
    fn what_is_not_there_is_not_offered() {
        let offered = |admin| text(&place(admin), "gatewright").contains("gatewright health");
        assert!(offered("127.0.0.1:9440"));
        assert!(!offered("none"));
    }

    #[test]
    fn words_of_a_shell_stay_words() {
        assert_eq!(quoted("./gatewright"), "./gatewright");
        assert_eq!(quoted("/a b/it's"), "'/a b/it'\\''s'");
        assert_eq!(quoted(""), "''");
    }
}
