//! Memory: what an idle keep-alive connection costs a proxy.
//!
//! Every connection has carried one request, so that what a proxy allots on first use is there.

use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cases::{Case, Regime, Transport};
use crate::cpu::resident_bytes;
use crate::engines::{Engine, Installed};
use crate::stage::{Run, Stage};

/// Allocators and proxies tidy up for a moment after the last request.
const SETTLING: Duration = Duration::from_secs(2);
const PLAIN_AIM_BYTES: f64 = 12.0 * 1024.0;
/// The peers' tables must hold more than the connections that are opened.
const SPARE_CONNECTIONS: usize = 2_000;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Footprint {
    pub engine: Engine,
    pub tls: bool,
    pub connections: usize,
    pub before_bytes: u64,
    pub with_connections_bytes: u64,
    pub error: Option<String>,
}

impl Footprint {
    pub fn bytes_per_connection(&self) -> f64 {
        let grown = self
            .with_connections_bytes
            .saturating_sub(self.before_bytes);
        grown as f64 / self.connections.max(1) as f64
    }
}

/// Measures each proxy afresh for plain and for TLS: memory once touched is rarely given back.
pub fn run(
    folder: &Path,
    installed: &[Installed],
    connections: usize,
    tell: &dyn Fn(&str),
) -> anyhow::Result<Vec<Footprint>> {
    let mut stage = Stage::build(folder)?;
    let mut footprints = Vec::new();
    for transport in [Transport::Plain, Transport::TlsP256] {
        for one in installed {
            tell(&format!(
                "{} with {connections} connections",
                one.engine.name()
            ));
            let mut footprint = Footprint {
                engine: one.engine,
                tls: transport != Transport::Plain,
                connections,
                before_bytes: 0,
                with_connections_bytes: 0,
                error: None,
            };
            if let Err(error) = measure(&mut stage, one, transport, &mut footprint) {
                footprint.error = Some(format!("{error:#}"));
            }
            footprints.push(footprint);
        }
    }
    Ok(footprints)
}

fn measure(
    stage: &mut Stage,
    installed: &Installed,
    transport: Transport,
    footprint: &mut Footprint,
) -> anyhow::Result<()> {
    let Some(get_1k) = Case::named("get-1k") else {
        anyhow::bail!("there is no case get-1k")
    };
    let case = |connections| Case {
        transport,
        connections,
        ..*get_1k
    };
    let (proxy_cpus, cpus) = (Regime::TwoCores.proxy_cpus(), Regime::TwoCores.other_cpus());
    let room = footprint.connections + SPARE_CONNECTIONS;
    let backends = stage.backends(&[cpus])?;
    let proxy = stage.proxy(installed, &backends, proxy_cpus, 1, room)?;
    let few = case(get_1k.connections);
    let warm = Run {
        case: &few,
        requests: 0,
        warm_up: get_1k.requests / 20,
    };
    drop(stage.load(&proxy, &warm, cpus)?);
    std::thread::sleep(SETTLING);
    footprint.before_bytes = resident_bytes(proxy.program.pid())?;
    let many = case(footprint.connections);
    let _held = stage.load(
        &proxy,
        &Run {
            case: &many,
            requests: 0,
            warm_up: 0,
        },
        cpus,
    )?;
    std::thread::sleep(SETTLING);
    footprint.with_connections_bytes = resident_bytes(proxy.program.pid())?;
    Ok(())
}

pub fn show(footprints: &[Footprint]) -> String {
    let mut text = String::from(
        "# Resident memory per idle keep-alive connection\n\n\
         | proxy | transport | connections | before MiB | with MiB | KiB each | aim |\n\
         |---|---|---|---|---|---|---|\n",
    );
    for one in footprints {
        let transport = if one.tls { "TLS 1.3" } else { "plain" };
        let mib = |bytes: u64| bytes as f64 / 1024.0 / 1024.0;
        let each = one.bytes_per_connection();
        let aim = match (one.engine, one.tls) {
            (Engine::Gatewright, false) if each <= PLAIN_AIM_BYTES => "≤ 12 met",
            (Engine::Gatewright, false) => "≤ 12 **missed**",
            _ => "–",
        };
        let name = one.engine.name();
        let _infallible = match &one.error {
            Some(error) => writeln!(text, "| {name} | {transport} | failed: {error} | | | | |"),
            None => writeln!(
                text,
                "| {name} | {transport} | {} | {:.1} | {:.1} | {:.1} | {aim} |",
                one.connections,
                mib(one.before_bytes),
                mib(one.with_connections_bytes),
                each / 1024.0,
            ),
        };
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_of_a_connection_and_its_aim() {
        let footprint = |each: u64| Footprint {
            engine: Engine::Gatewright,
            tls: false,
            connections: 100,
            before_bytes: 1_000,
            with_connections_bytes: 1_000 + 100 * each,
            error: None,
        };
        assert_eq!(footprint(12 * 1024).bytes_per_connection(), 12.0 * 1024.0);
        assert!(show(&[footprint(12 * 1024)]).contains("≤ 12 met"));
        assert!(show(&[footprint(12 * 1024 + 1)]).contains("missed"));
        let failed = Footprint {
            error: Some("no room".to_owned()),
            ..footprint(1)
        };
        assert!(show(&[failed]).contains("failed: no room"));
    }
}
