//! `gatewright demo`: a gateway with backends good and bad, to try things on.

mod gateway;

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use gatewright_testkit::backend::{Backend, Manners};

use crate::cli::{DemoArguments, ServeArguments};
use crate::commands::serve::{ready, tell, with_runtime};
use crate::maps::MapRule;
use crate::node::Node;
use crate::output;
use crate::sentence::Sentence;
use crate::settings::{AdminAddress, BindRule, OutputPath, Settings};

/// The first port that is tried for HTTPS.
const HTTPS_PORT: u16 = 8443;

/// How many ports are tried from the wanted one on.
const PORTS_TRIED: u16 = 100;

/// How many requests a backend remembers: the demo looks at none.
const REMEMBERED: usize = 0;

/// Where everything of this demo is.
struct Place {
    http_port: u16,
    https_port: u16,
    gateway: PathBuf,
    access_log: PathBuf,
    /// `None` without an admin API.
    admin: Option<SocketAddr>,
}

pub(crate) fn run(arguments: &DemoArguments) -> Result<ExitCode, Sentence> {
    let folder = tempfile::Builder::new()
        .prefix("gatewright-demo-")
        .tempdir();
    let folder = folder.map_err(|error| {
        let place = std::env::temp_dir();
        Sentence::new(format!(
            "no folder can be made in {}: {error}",
            place.display()
        ))
    })?;
    let http_port = free_port(arguments.port, &[])?;
    let https_port = free_port(HTTPS_PORT, &[http_port])?;
    let place = Place {
        http_port,
        https_port,
        gateway: folder.path().join("gateway.json"),
        access_log: folder.path().join("access.log"),
        admin: None,
    };
    write_gateway(&place)?;
    with_runtime(serve(place, arguments))?;
    Ok(ExitCode::SUCCESS)
}

async fn serve(mut place: Place, arguments: &DemoArguments) -> Result<(), Sentence> {
    // They answer until they are dropped.
    let (_backends, map) = start_backends().await?;
    let mut node = Node::start(Settings::gather(ServeArguments {
        gateway: vec![place.gateway.clone()],
        map,
        bind: vec![BindRule {
            frontend: None,
            address: Ipv4Addr::LOCALHOST.into(),
        }],
        // So that the access log's lines are in the order in which requests end.
        workers: Some(1),
        dev_certs: true,
        access_log: Some(OutputPath::File(place.access_log.clone())),
        admin: Some(admin_address(arguments.admin)),
        ..ServeArguments::default()
    })?)
    .await?;
    let applied = node.apply().await.map_err(tell)?;
    place.admin = node.admin;
    output::line(ready(&applied.bound, node.admin, node.settings().output));
    output::line(introduction(&place, &program()));
    node.run().await;
    Ok(())
}

fn write_gateway(place: &Place) -> Result<(), Sentence> {
    let document = gateway::document(place.http_port, place.https_port);
    // Indented: it is there to be edited.
    let text = format!("{document:#}\n");
    fs::write(&place.gateway, text).map_err(|error| {
        Sentence::new(format!(
            "{} cannot be written: {error}",
            place.gateway.display()
        ))
    })
}

/// The one that was asked for; else the default, or any free port where that one is taken.
fn admin_address(given: Option<AdminAddress>) -> AdminAddress {
    given.unwrap_or_else(|| match AdminAddress::DEFAULT {
        AdminAddress::At(address) if TcpListener::bind(address).is_err() => {
            output::remark(format_args!(
                "{address} is taken, so the admin API gets another port"
            ));
            AdminAddress::At(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
        }
        default => default,
    })
}

/// The first free port from `wanted` on that is not in `others`.
fn free_port(wanted: u16, others: &[u16]) -> Result<u16, Sentence> {
    let is_free = |port: &u16| {
        !others.contains(port) && TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok()
    };
    let last = wanted.saturating_add(PORTS_TRIED);
    let found = (wanted.max(1)..=last).find(is_free).ok_or_else(|| {
        Sentence::new(format!(
            "no port from {wanted} to {last} is free; give another --port"
        ))
    })?;
    if found != wanted {
        output::remark(format_args!("port {wanted} is taken, so {found} is used"));
    }
    Ok(found)
}

/// Who answers at each address of the imagined network.
fn inhabitants() -> Vec<(&'static str, Manners)> {
    let hello = |name: &str| Manners::text(&format!("hello from {name}\n"));
    vec![
        ("10.0.1.4", hello("shop-1")),
        ("10.0.1.5", hello("shop-2")),
        ("10.0.1.6", hello("blog")),
        ("10.0.1.7", hello("images")),
        ("10.0.2.4", Manners::Refused),
        (
            "10.0.2.5",
            Manners::slow(Duration::from_secs(10), hello("slow")),
        ),
        ("10.0.2.6", Manners::CloseBeforeAnswer),
        (
            "10.0.2.7",
            Manners::StaticBytes {
                bytes: b"SSH-2.0-OpenSSH_9.6\r\n".to_vec(),
                close: true,
            },
        ),
        (
            "10.0.2.8",
            Manners::dribbling(Duration::from_millis(20), hello("dribbling")),
        ),
    ]
}

async fn start_backends() -> Result<(Vec<Backend>, Vec<MapRule>), Sentence> {
    let mut backends = Vec::new();
    let mut map = Vec::new();
    for (address, manners) in inhabitants() {
        let backend = Backend::with(manners)
            .named(address)
            .remembering(REMEMBERED)
            .start()
            .await
            .map_err(|error| Sentence::new(format!("no backend can be started: {error}")))?;
        let rule = format!("{address}:80={}", backend.address());
        map.push(
            rule.parse()
                .map_err(|error| Sentence::new(format!("{rule}: {error}")))?,
        );
        backends.push(backend);
    }
    Ok((backends, map))
}

/// How this program is started from here.
fn program() -> String {
    let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("gatewright"));
    let here = std::env::current_dir().unwrap_or_default();
    program
        .strip_prefix(&here)
        .unwrap_or(&program)
        .display()
        .to_string()
}

fn introduction(place: &Place, program: &str) -> String {
    let Place {
        http_port,
        https_port,
        ..
    } = place;
    let (gateway, log) = (shown(&place.gateway), shown(&place.access_log));
    let http = format!("http://127.0.0.1:{http_port}");
    let mut text = format!(
        "\
A gateway with four good backends and five bad ones. Lines to paste:

  two servers in turn     curl {http}/ {http}/
  by path                 curl {http}/images/cat.png
  by host                 curl -H 'Host: blog.localhost' {http}/
  the same server again   curl -c jar -b jar {http}/cart/ {http}/cart/ {http}/cart/
  a redirect              curl -i '{http}/old/page?x=1'
  HTTPS                   curl -k https://127.0.0.1:{https_port}/

  502, refuses            curl -i {http}/refusing/
  502, hangs up           curl -i {http}/closing/
  502, speaks no HTTP     curl -i {http}/babbling/
  504, over its 1 s       curl -i {http}/slow/
  200, byte by byte       curl {http}/dribbling/

  why they failed         grep -v ERRORINFO_NO_ERROR {log}

The gateway is {gateway}.
Edit it, and a second later the change is served; or break it, and the old one is served on:

  its findings            {program} validate {gateway}
"
    );
    if let Some(admin) = place.admin {
        text.push_str(&format!(
            "  what is served          {program} health --admin {admin}\n  \
               reload now              {program} reload --admin {admin}\n"
        ));
    }
    let folder = place.gateway.parent().map(shown).unwrap_or_default();
    text.push_str(&format!("\nCtrl-C ends it, and removes {folder}."));
    text
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_passed_over() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        let found = free_port(port, &[]).unwrap();
        assert!(found > port);
        assert_ne!(free_port(found, &[found]).unwrap(), found);
    }

    #[test]
    fn every_server_of_the_gateway_is_inhabited() {
        let inhabited: Vec<_> = inhabitants()
            .into_iter()
            .map(|(address, _)| address)
            .collect();
        for server in gateway::SITES.iter().flat_map(|site| site.servers) {
            assert!(inhabited.contains(server), "{server}");
        }
    }
}
