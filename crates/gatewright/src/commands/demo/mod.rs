//! `gatewright demo`: a gateway with backends good and bad, to try things on.

mod gateway;
mod introduction;
mod sites;

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use gatewright_testkit::backend::Backend;
use gatewright_testkit::situations::{Situation, Surroundings};

use crate::cli::{DemoArguments, ServeArguments};
use crate::commands::serve::{ready, tell, with_runtime};
use crate::maps::MapRule;
use crate::node::Node;
use crate::output;
use crate::sentence::Sentence;
use crate::settings::{AdminAddress, BindRule, OutputPath, Settings};
use sites::{HOST, SLOWNESS};

/// The first port that is tried for HTTPS.
const HTTPS_PORT: u16 = 8443;

/// How many ports are tried from the wanted one on.
const PORTS_TRIED: u16 = 100;

/// How many requests a backend remembers: the demo looks at none.
const REMEMBERED: usize = 0;

/// Where everything of this demo is.
struct Place {
    folder: PathBuf,
    http_port: u16,
    https_port: u16,
    /// `None` without an admin API.
    admin: Option<SocketAddr>,
    /// Where the server is that asks for a password.
    unauthorized: SocketAddr,
    /// Where the one is that keeps its intermediate certificate to itself.
    missing_intermediate: SocketAddr,
}

impl Place {
    fn gateway(&self) -> PathBuf {
        self.folder.join("gateway.json")
    }

    fn access_log(&self) -> PathBuf {
        self.folder.join("access.log")
    }

    /// The root certificate that the servers' certificates should lead to.
    fn root(&self) -> PathBuf {
        self.folder.join("root.pem")
    }
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
    with_runtime(serve(folder.path(), arguments))?;
    Ok(ExitCode::SUCCESS)
}

async fn serve(folder: &Path, arguments: &DemoArguments) -> Result<(), Sentence> {
    let around = Surroundings {
        slowness: SLOWNESS,
        ..Surroundings::new(HOST)
    };
    // They answer until they are dropped.
    let (backends, map) = start_backends(&around).await?;
    let mut place = place(folder, arguments.port, &backends)?;
    let root = around.root.cert_pem();
    write(&place.root(), &root)?;
    let document = gateway::document(place.http_port, place.https_port, &root);
    // Indented: it is there to be edited.
    write(&place.gateway(), &format!("{document:#}\n"))?;
    let mut node = Node::start(Settings::gather(ServeArguments {
        gateway: vec![place.gateway()],
        map,
        bind: vec![BindRule {
            frontend: None,
            address: Ipv4Addr::LOCALHOST.into(),
        }],
        // So that the access log's lines are in the order in which requests end.
        workers: Some(1),
        dev_certs: true,
        access_log: Some(OutputPath::File(place.access_log())),
        admin: Some(admin_address(arguments.admin)),
        ..ServeArguments::default()
    })?)
    .await?;
    let applied = node.apply().await.map_err(tell)?;
    place.admin = node.admin;
    output::line(ready(
        &applied.bound,
        node.admin,
        None,
        node.settings().output,
    ));
    output::line(introduction::text(&place, &program()));
    node.run().await;
    Ok(())
}

/// As late as can be before the ports are taken.
fn place(folder: &Path, port: u16, backends: &[Backend]) -> Result<Place, Sentence> {
    let address_of = |situation: Situation| {
        let found = backends.iter().find(|one| one.name() == situation.name());
        found.map(Backend::address).ok_or_else(|| {
            Sentence::new(format!(
                "no backend is in the situation {}",
                situation.name()
            ))
        })
    };
    let http_port = free_port(port, &[])?;
    Ok(Place {
        folder: folder.to_owned(),
        http_port,
        https_port: free_port(HTTPS_PORT, &[http_port])?,
        admin: None,
        unauthorized: address_of(Situation::Unauthorized)?,
        missing_intermediate: address_of(Situation::MissingIntermediate)?,
    })
}

fn write(path: &Path, text: &str) -> Result<(), Sentence> {
    fs::write(path, text)
        .map_err(|error| Sentence::new(format!("{} cannot be written: {error}", path.display())))
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

async fn start_backends(around: &Surroundings) -> Result<(Vec<Backend>, Vec<MapRule>), Sentence> {
    let mut backends = Vec::new();
    let mut map = Vec::new();
    for one in sites::inhabitants(around) {
        let backend = one
            .backend
            .remembering(REMEMBERED)
            .start()
            .await
            .map_err(|error| Sentence::new(format!("no backend can be started: {error}")))?;
        let rule = format!("{}:{}={}", one.address, one.port, backend.address());
        map.push(
            rule.parse()
                .map_err(|error| Sentence::new(format!("{rule}: {error}")))?,
        );
        backends.push(backend);
    }
    Ok((backends, map))
}

/// How this program was started: a name that the shell finds, or a path.
fn program() -> String {
    std::env::args()
        .next()
        .filter(|program| !program.is_empty())
        .unwrap_or_else(|| "gatewright".to_owned())
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
}
