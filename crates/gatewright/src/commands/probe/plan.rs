//! What is to be probed: as the flags say, or as a gateway's file does.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use gatewright_chain::Certificate;
use gatewright_compile::{Options, read_certificates, status_range};
use gatewright_dataplane::{AddressMap, probe_names};
use gatewright_snapshot::{
    BackendProtocol, BackendTrust, BackendVerification, Generation, Member, Probe, ProbeHost,
    Snapshot, Upstream,
};
use rustls::pki_types::DnsName;

use crate::cli::{ProbeArguments, Sku};
use crate::documents::{self, Document, read_file};
use crate::findings::errors_last;
use crate::network::NetworkFolder;
use crate::plan::unix_now;
use crate::sentence::Sentence;
use crate::templates::Parameters;

/// Longest timeout, in seconds: that of a gateway's probe.
const TIMEOUT_MAX_S: u64 = 86_400;

/// A probe that is to be made.
pub(super) struct Wanted {
    /// What it is of, for people: `https://app.contoso.com/`, `pool web, setting http, 10.0.0.4`.
    pub(super) title: String,
    pub(super) server: Server,
    pub(super) probe: Probe,
    pub(super) generation: Generation,
    pub(super) host: String,
    pub(super) sni: Option<String>,
}

pub(super) enum Server {
    At(SocketAddr),
    Named(String),
}

/// # Errors
/// When the flags contradict each other, or a file cannot be used.
pub(super) fn wanted(arguments: &ProbeArguments) -> Result<Vec<Wanted>, Sentence> {
    match (&arguments.url, &arguments.gateway, &arguments.setting) {
        (Some(url), None, None) => Ok(vec![of_url(url, arguments)?]),
        (None, Some(file), Some(setting)) => of_gateway(file, setting, arguments),
        (None, Some(_), None) => Err(Sentence::new(
            "which of the gateway's backend settings is to be probed? name one with --setting NAME",
        )),
        (Some(_), Some(_), _) => Err(Sentence::new(
            "a URL and --gateway both say what to probe; give one of them",
        )),
        (Some(_), None, Some(_)) => Err(Sentence::new(
            "--setting names a backend setting of a gateway's file; give --gateway FILE in place \
             of the URL, or leave --setting out",
        )),
        (None, None, _) => Err(Sentence::new(
            "what is to be probed? give a URL such as https://10.0.1.4/healthz, or --gateway FILE \
             and --setting NAME",
        )),
    }
}

/// A URL's parts; the port is its scheme's where it names none.
struct Url {
    protocol: BackendProtocol,
    host: String,
    port: u16,
    path: String,
}

fn parse(text: &str) -> Result<Url, Sentence> {
    let bad = |why: String| {
        Sentence::new(format!(
            "'{text}' is no URL to probe, since {why}; give for example https://10.0.1.4/healthz"
        ))
    };
    let url: reqwest::Url = text.parse().map_err(|error| bad(format!("{error}")))?;
    let protocol = match url.scheme() {
        "http" => BackendProtocol::Http,
        "https" => BackendProtocol::Https,
        other => return Err(bad(format!("'{other}' is neither http nor https"))),
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Err(bad("probes have no credentials".to_owned()));
    }
    let host = url.host_str().filter(|host| !host.is_empty());
    let host = host.ok_or_else(|| bad("it names no server".to_owned()))?;
    let query = url
        .query()
        .map_or_else(String::new, |query| format!("?{query}"));
    Ok(Url {
        protocol,
        host: host.trim_matches(['[', ']']).to_owned(),
        port: url.port_or_known_default().unwrap_or(80),
        path: format!("{}{query}", url.path()),
    })
}

fn of_url(text: &str, arguments: &ProbeArguments) -> Result<Wanted, Sentence> {
    let url = parse(text)?;
    let generation = match arguments.sku {
        Sku::V1 => Generation::V1,
        Sku::V2 => Generation::V2,
    };
    let verification = match url.protocol {
        BackendProtocol::Http => None,
        BackendProtocol::Https => Some(verification(arguments, generation)?),
    };
    let mut probe = Probe::default_for(url.protocol, url.port, verification);
    probe.path = url.path;
    adjust(&mut probe, arguments)?;
    let ip: Option<IpAddr> = url.host.parse().ok();
    let mapped = address_map(arguments).find(&url.host, url.port);
    let (server, name) = match ip {
        Some(ip) => (Server::At((ip, url.port).into()), None),
        None => (Server::Named(url.host.clone()), Some(url.host.clone())),
    };
    let server = mapped.map_or(server, Server::At);
    let host = match (&probe.host, &name) {
        (ProbeHost::Fixed(host), _) => host.clone(),
        (ProbeHost::Loopback | ProbeHost::FromSetting, Some(name)) => name.clone(),
        (ProbeHost::Loopback | ProbeHost::FromSetting, None) => "127.0.0.1".to_owned(),
    };
    // v1 names the server as the pool does, whatever the probe's host.
    let own = match generation {
        Generation::V1 => name,
        Generation::V2 => name_of_host(&host),
    };
    Ok(Wanted {
        title: text.to_owned(),
        server,
        sni: sni(arguments, own, url.protocol)?,
        probe,
        generation,
        host,
    })
}

/// The name in a Host header, without its port; `None` for an address.
fn name_of_host(host: &str) -> Option<String> {
    let is_port = |port: &str| port.bytes().all(|b| b.is_ascii_digit());
    let name = match host.rsplit_once(':') {
        Some((name, port)) if is_port(port) && !name.contains(':') => name,
        _ => host,
    };
    let bare = name.split(']').next().unwrap_or_default();
    let is_address = bare.trim_start_matches('[').parse::<IpAddr>().is_ok();
    (!is_address).then(|| name.to_owned())
}

fn sni(
    arguments: &ProbeArguments,
    own: Option<String>,
    protocol: BackendProtocol,
) -> Result<Option<String>, Sentence> {
    let name = match &arguments.sni {
        Some(none) if none == "none" => None,
        Some(name) if DnsName::try_from(name.as_str()).is_ok() => Some(name.clone()),
        Some(name) => {
            return Err(Sentence::new(format!(
                "'{}' is no TLS name; give for example app.contoso.com, or none",
                name.escape_debug()
            )));
        }
        None => own,
    };
    Ok(name.filter(|_| protocol == BackendProtocol::Https))
}

fn address_map(arguments: &ProbeArguments) -> AddressMap {
    let mappings = arguments.map.iter().map(|rule| rule.mapping.clone());
    mappings.collect()
}

/// What the flags say of a probe beyond where it goes.
fn adjust(probe: &mut Probe, arguments: &ProbeArguments) -> Result<(), Sentence> {
    if let Some(host) = &arguments.host {
        let is_allowed = |b: u8| b.is_ascii_alphanumeric() || b"-._:[]".contains(&b);
        if host.is_empty() || !host.bytes().all(is_allowed) {
            return Err(Sentence::new(format!(
                "'{}' is no host; give for example app.contoso.com",
                host.escape_debug()
            )));
        }
        probe.host = ProbeHost::Fixed(host.clone());
    }
    if let Some(path) = &arguments.path {
        let is_visible = |b: u8| b.is_ascii_graphic() && b != b'#';
        if !path.starts_with('/') || !path.bytes().all(is_visible) {
            return Err(Sentence::new(format!(
                "'{}' is no path; begin with '/', and percent-encode what no path has",
                path.escape_debug()
            )));
        }
        probe.path.clone_from(path);
    }
    if let Some(seconds) = arguments.timeout {
        if !(1..=TIMEOUT_MAX_S).contains(&seconds) {
            return Err(Sentence::new(format!(
                "a probe cannot wait {seconds} s; give --timeout 1 to {TIMEOUT_MAX_S}"
            )));
        }
        probe.timeout = Duration::from_secs(seconds);
    }
    if let Some(codes) = &arguments.match_codes {
        probe.statuses = statuses(codes)?;
    }
    if let Some(body) = &arguments.match_body {
        probe.body = Some(body.clone()).filter(|body| !body.is_empty());
    }
    Ok(())
}

fn statuses(text: &str) -> Result<Vec<std::ops::RangeInclusive<u16>>, Sentence> {
    let ranges: Option<Vec<_>> = text.split(',').map(status_range).collect();
    ranges.ok_or_else(|| {
        Sentence::new(format!(
            "'{text}' are no status codes; give for example 200-399 or 200,401"
        ))
    })
}

fn verification(
    arguments: &ProbeArguments,
    generation: Generation,
) -> Result<BackendVerification, Sentence> {
    let mut uploaded = Vec::new();
    for file in &arguments.root {
        let cannot = |why: String| {
            Sentence::new(format!(
                "the certificate file {} cannot be used: {why}",
                file.display()
            ))
        };
        let bytes = read_file(file).map_err(|error| cannot(error.to_string()))?;
        let found = read_certificates(&bytes).map_err(|error| cannot(error.to_string()))?;
        if found.iter().any(|der| Certificate::read(der).is_err()) {
            return Err(cannot(
                "it is not X.509; give a .cer file, in PEM or DER".to_owned(),
            ));
        }
        uploaded.extend(found);
    }
    let trust = match (uploaded.is_empty(), generation) {
        (true, _) => BackendTrust::WellKnown,
        (false, Generation::V2) => BackendTrust::Roots(uploaded),
        (false, Generation::V1) => BackendTrust::Pinned(uploaded),
    };
    Ok(BackendVerification {
        trust,
        check_chain: true,
        check_name: true,
        sni_name: None,
    })
}

/// Every server of every pool that a rule pairs with the setting.
fn of_gateway(
    file: &Path,
    setting: &str,
    arguments: &ProbeArguments,
) -> Result<Vec<Wanted>, Sentence> {
    let snapshot = compiled(file)?;
    let is_wanted = |upstream: &&Upstream| {
        let name = &snapshot.setting(upstream.setting).name;
        name.eq_ignore_ascii_case(setting)
    };
    let map = address_map(arguments);
    let mut wanted = Vec::new();
    for upstream in snapshot.upstreams.iter().filter(is_wanted) {
        for member in &snapshot.pool(upstream.pool).members {
            wanted.push(of_member(&snapshot, *upstream, member, &map, arguments)?);
        }
    }
    if wanted.is_empty() {
        let names = snapshot.upstreams.iter();
        let names = names.map(|one| format!("'{}'", snapshot.setting(one.setting).name));
        let mut names: Vec<String> = names.collect();
        names.sort_unstable();
        names.dedup();
        return Err(Sentence::new(format!(
            "no rule of {} leads to a server under a backend setting '{setting}'; there are {}",
            file.display(),
            match names.is_empty() {
                true => "none at all".to_owned(),
                false => names.join(", "),
            }
        )));
    }
    Ok(wanted)
}

fn of_member(
    snapshot: &Snapshot,
    upstream: Upstream,
    member: &Member,
    map: &AddressMap,
    arguments: &ProbeArguments,
) -> Result<Wanted, Sentence> {
    let (pool, setting) = (
        snapshot.pool(upstream.pool),
        snapshot.setting(upstream.setting),
    );
    let generation = snapshot.gateway(pool.gateway).generation;
    let unprobed = || Sentence::new("the setting is not probed");
    let mut probe = setting.probe.clone().ok_or_else(unprobed)?;
    adjust(&mut probe, arguments)?;
    if !arguments.root.is_empty() && probe.verification.is_some() {
        let own = verification(arguments, generation)?;
        if let Some(verification) = &mut probe.verification {
            verification.trust = own.trust;
        }
    }
    let names = probe_names(&probe, setting, member, generation);
    let (name, server) = match member {
        Member::Ip(ip) => {
            let at = map.find(&ip.to_string(), probe.port);
            let at = at.unwrap_or_else(|| SocketAddr::new(*ip, probe.port));
            (ip.to_string(), Server::At(at))
        }
        Member::Fqdn(name) => {
            let at = map.find(name, probe.port).map(Server::At);
            (
                name.clone(),
                at.unwrap_or_else(|| Server::Named(name.clone())),
            )
        }
    };
    Ok(Wanted {
        title: format!(
            "server {name} of pool {}, setting {}",
            pool.name, setting.name
        ),
        server,
        sni: sni(arguments, names.sni, probe.protocol)?,
        host: names.host,
        probe,
        generation,
    })
}

/// The gateway of a file, without its listeners' private keys, which a probe does not need.
fn compiled(file: &Path) -> Result<Snapshot, Sentence> {
    let documents = vec![Document::load(file, &Parameters::default())];
    let mut options = Options {
        now: unix_now(),
        allow_unsupported: true,
        ..Options::default()
    };
    let keyless: Vec<_> = documents
        .iter()
        .flat_map(|one| gatewright_compile::keyless_certificates(&one.gateways, &options))
        .collect();
    let mut minted = crate::dev_certs::DevCertificates::default();
    options.development_certificates = minted.provide(&keyless)?;
    match documents::compile(documents, &[], &NetworkFolder::default(), &options) {
        Ok((snapshot, _)) => Ok(snapshot),
        Err(findings) => {
            let worst = errors_last(&findings).last();
            let worst = worst.map_or_else(String::new, ToString::to_string);
            Err(Sentence::new(format!(
                "the gateway cannot be read ({worst}); `gatewright validate {}` says more",
                file.display()
            )))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        let url = parse("https://[::1]:8443/a?b=c#d").unwrap();
        assert_eq!((url.host.as_str(), url.port), ("::1", 8443));
        assert_eq!(url.path, "/a?b=c");
        assert_eq!(parse("http://app.test").unwrap().path, "/");
        for text in ["ftp://a.test/", "a.test", "http://u:p@a.test/", ""] {
            let error = parse(text).map(drop).unwrap_err().to_string();
            assert!(error.contains("give for example"), "{error}");
        }
    }

    #[test]
    fn hosts_have_names_unless_they_are_addresses() {
        for (host, name) in [
            ("app.test", Some("app.test")),
            ("app.test:8443", Some("app.test")),
            ("10.0.0.4", None),
            ("10.0.0.4:443", None),
            ("[fd00::4]:443", None),
            ("fd00::4", None),
        ] {
            assert_eq!(name_of_host(host).as_deref(), name, "{host}");
        }
    }

    #[test]
    fn status_codes_are_ranges() {
        assert_eq!(statuses("200-399, 401").unwrap(), [200..=399, 401..=401]);
        for text in ["", "20x", "300-200", "99", "600", "200,,201"] {
            assert!(statuses(text).is_err(), "{text:?}");
        }
    }
}
