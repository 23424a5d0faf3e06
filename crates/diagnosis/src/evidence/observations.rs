//! What somebody measured.

use super::Folder;
use super::certificates::Chain;
use super::view::{Place, View};

#[derive(Clone, Debug, Default)]
pub(crate) struct Observations {
    pub(crate) dns: Vec<Dns>,
    pub(crate) tcp: Vec<Tcp>,
    pub(crate) tls: Vec<Tls>,
    pub(crate) http: Vec<Http>,
    pub(crate) backends: Vec<Backend>,
}

#[derive(Clone, Debug)]
pub(crate) struct Dns {
    pub(crate) name: String,
    /// Who was asked.
    pub(crate) server: String,
    pub(crate) answers: Vec<String>,
    pub(crate) error: String,
    pub(crate) place: Place,
}

#[derive(Clone, Debug)]
pub(crate) struct Tcp {
    pub(crate) from: String,
    pub(crate) host: String,
    pub(crate) port: Option<u16>,
    pub(crate) result: TcpResult,
    /// What came of it, in the words of whoever measured; in lower case.
    pub(crate) said: String,
    pub(crate) place: Place,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TcpResult {
    Open,
    Refused,
    TimedOut,
    Other,
}

impl TcpResult {
    fn of(text: &str) -> Self {
        let text = text.to_ascii_lowercase();
        let words: Vec<&str> = text
            .split(|letter: char| !letter.is_alphanumeric())
            .collect();
        let has = |some: &[&str]| words.iter().any(|word| some.contains(word));
        let begins = |some: &str| words.iter().any(|word| word.starts_with(some));
        let is_out = |pair: &[&str]| matches!(pair, ["timed" | "time", "out"]);
        // What times out may have been reset, or refused, before or after.
        match () {
            () if begins("timeout")
                || words.windows(2).any(is_out)
                || has(&["timedout", "filtered", "dropped"]) =>
            {
                Self::TimedOut
            }
            () if has(&["refused", "reset", "rst", "closed"]) => Self::Refused,
            () if (has(&["open", "ok", "connected", "reachable", "established"])
                || begins("succe"))
                && !has(&["not", "never"]) =>
            {
                Self::Open
            }
            () => Self::Other,
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Tls {
    pub(crate) address: String,
    pub(crate) port: Option<u16>,
    pub(crate) sni: Option<String>,
    pub(crate) versions: Vec<String>,
    /// What a tool said of a handshake that failed; in lower case.
    pub(crate) error: String,
    /// What the server presented.
    pub(crate) chain: Option<Chain>,
    /// The file of the folder that the chain is in; empty where it is in none.
    pub(crate) chain_file: String,
    pub(crate) place: Place,
}

#[derive(Clone, Debug)]
pub(crate) struct Http {
    pub(crate) from: String,
    pub(crate) request: String,
    /// That of the request, without a query.
    pub(crate) path: Option<String>,
    pub(crate) server: String,
    pub(crate) status: Option<u16>,
    /// What was answered, as far as it was written down.
    pub(crate) body: String,
    /// What a tool said of a request that failed; in lower case.
    pub(crate) error: String,
    pub(crate) place: Place,
}

impl Http {
    /// The host that was asked for: that of a `Host:` header in the request, or of its URL.
    pub(crate) fn host(&self) -> Option<&str> {
        let words = || self.request.split_whitespace();
        let mut header = words().skip_while(|word| !word.to_lowercase().ends_with("host:"));
        let named = header.nth(1);
        let url = || {
            let (_, rest) = words().find_map(|word| word.split_once("://"))?;
            rest.split(['/', '?']).next()
        };
        let authority = named.or_else(url)?.trim_matches(['(', ')', '\'', '"', ',']);
        Some(match authority.rsplit_once(':') {
            Some((host, port)) if port.parse::<u16>().is_ok() => host,
            _ => authority,
        })
    }
}

/// Whether a tool speaks of an alert that ended a handshake.
pub(crate) fn is_alert(error: &str) -> bool {
    [
        "alert",
        "handshake",
        "unrecognized name",
        "no shared cipher",
    ]
    .iter()
    .any(|word| error.contains(word))
}

#[derive(Clone, Debug)]
pub(crate) struct Backend {
    pub(crate) address: String,
    pub(crate) keep_alive_seconds: Option<f64>,
    pub(crate) place: Place,
}

impl Observations {
    pub(super) fn read(view: &View<'_>, folder: &Folder<'_>) -> Self {
        let text = |one: &View<'_>, name: &str| one.text(name).unwrap_or_default();
        let port = |one: &View<'_>, name: &str| {
            one.number(name)
                .and_then(|number| u16::try_from(number as i64).ok())
        };
        let dns = |one: View<'_>| Dns {
            name: text(&one, "name"),
            server: text(&one, "server"),
            answers: one.texts("answers"),
            error: text(&one, "error"),
            place: one.place(),
        };
        let tcp = |one: View<'_>| {
            let (host, own_port) = split_port(&text(&one, "to"));
            Tcp {
                from: text(&one, "from"),
                host,
                port: own_port.or_else(|| port(&one, "port")),
                result: TcpResult::of(&text(&one, "result")),
                said: ["result", "error", "note"]
                    .map(|name| text(&one, name))
                    .join(" ")
                    .to_lowercase(),
                place: one.place(),
            }
        };
        let tls = |one: View<'_>| {
            let (address, own_port) = split_port(&text(&one, "address"));
            let chain = one.get("presented_chain");
            let of_file = chain
                .as_ref()
                .and_then(|chain| Chain::of_file(chain, folder));
            Tls {
                address,
                port: port(&one, "port").or(own_port),
                sni: one.text("sni"),
                versions: one.texts("versions_accepted"),
                error: text(&one, "error").to_lowercase(),
                chain_file: of_file
                    .as_ref()
                    .map(|chain| chain.place.file.clone())
                    .unwrap_or_default(),
                chain: of_file.or_else(|| Chain::of_texts(&chain?)),
                place: one.place(),
            }
        };
        let http = |one: View<'_>| Http {
            from: text(&one, "from"),
            path: path_of(&text(&one, "request")),
            request: text(&one, "request"),
            server: text(&one, "server"),
            status: port(&one, "status").filter(|status| *status >= 100),
            body: text(&one, "body"),
            error: text(&one, "error").to_lowercase(),
            place: one.place(),
        };
        let backend = |one: View<'_>| Backend {
            address: text(&one, "address"),
            keep_alive_seconds: one.number("keepAliveTimeoutSeconds"),
            place: one.place(),
        };
        Self {
            dns: view.list("dns").into_iter().map(dns).collect(),
            tcp: view.list("tcp").into_iter().map(tcp).collect(),
            tls: view.list("tls").into_iter().map(tls).collect(),
            http: view.list("http").into_iter().map(http).collect(),
            backends: view.list("backend").into_iter().map(backend).collect(),
        }
    }
}

/// `host:port`; a host alone, and an IPv6 address in brackets or without, too.
pub(crate) fn split_port(text: &str) -> (String, Option<u16>) {
    let text = text.trim();
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
            (host, port.parse().ok())
        }
        _ => (text, None),
    };
    (host.trim_matches(['[', ']']).to_owned(), port)
}

/// The path of a request such as `GET https://a.test/up?x=1`.
pub(crate) fn path_of(request: &str) -> Option<String> {
    let target = request.split_whitespace().find(|word| word.contains('/'))?;
    let path = match target.split_once("://") {
        Some((_, rest)) => rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/"),
        None => target,
    };
    let path = path.split(['?', '#']).next()?;
    path.starts_with('/').then(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_told_apart_in_anybodys_words() {
        for (text, expected) in [
            ("open", TcpResult::Open),
            ("Connected", TcpResult::Open),
            ("refused", TcpResult::Refused),
            ("connection refused (RST)", TcpResult::Refused),
            ("timeout", TcpResult::TimedOut),
            ("Timed out after 20 s", TcpResult::TimedOut),
            ("unreachable", TcpResult::Other),
            ("not open", TcpResult::Other),
            ("", TcpResult::Other),
        ] {
            assert_eq!(TcpResult::of(text), expected, "{text}");
        }
    }

    #[test]
    fn results_are_read_by_their_words() {
        for (text, expected) in [
            ("open", TcpResult::Open),
            ("Succeeded", TcpResult::Open),
            ("open (round trip 1 ms, server running)", TcpResult::Open),
            ("not reachable", TcpResult::Other),
            ("unreachable", TcpResult::Other),
            ("connection refused", TcpResult::Refused),
            ("RST", TcpResult::Refused),
            ("timed out, first SYN not answered", TcpResult::TimedOut),
            ("timeout (RST after a minute)", TcpResult::TimedOut),
            ("Connection time-out", TcpResult::TimedOut),
            ("", TcpResult::Other),
        ] {
            assert_eq!(TcpResult::of(text), expected, "{text}");
        }
    }

    #[test]
    fn requests_tell_the_host_that_they_ask_for() {
        for (request, expected) in [
            ("GET https://a.test/up", Some("a.test")),
            ("GET https://a.test:8443", Some("a.test")),
            ("GET https://10.0.0.4/up Host: b.test", Some("b.test")),
            ("GET https://10.0.0.4/up (Host: b.test:443)", Some("b.test")),
            ("curl -H 'Host: b.test' http://10.0.0.4/", Some("b.test")),
            ("GET /up", None),
            ("host:", None),
            ("", None),
        ] {
            let http = Http {
                from: String::new(),
                request: request.to_owned(),
                path: None,
                server: String::new(),
                status: None,
                body: String::new(),
                error: String::new(),
                place: Place::default(),
            };
            assert_eq!(http.host(), expected, "{request}");
        }
    }

    #[test]
    fn hosts_and_ports_part() {
        let split = |text: &str| split_port(text);
        assert_eq!(split("10.0.0.4:80"), ("10.0.0.4".to_owned(), Some(80)));
        assert_eq!(split("[fd00::1]:80"), ("fd00::1".to_owned(), Some(80)));
        assert_eq!(split("fd00::1"), ("fd00::1".to_owned(), None));
        assert_eq!(split("a.test"), ("a.test".to_owned(), None));
    }
}
