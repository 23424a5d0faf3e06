//! `gatewright probe`: one probe, exactly as the gateway would send it, without any gateway.

mod plan;
mod show;

use std::net::SocketAddr;
use std::process::ExitCode;

use gatewright_dataplane::{NameFailure, NameServers, ProbePlan, probe_now, resolve};
use gatewright_telemetry::{Fill, HealthMessage, ProbeRecord, ProbeRequest, ProbeStage, StageName};

use crate::cli::ProbeArguments;
use crate::output::{self, Format};
use crate::sentence::Sentence;
use crate::times::unix_micros;
use plan::{Server, Wanted};

pub(crate) fn run(arguments: &ProbeArguments) -> Result<ExitCode, Sentence> {
    let wanted = plan::wanted(arguments)?;
    let servers = match arguments.dns.is_empty() {
        true => NameServers::System,
        false => NameServers::These(arguments.dns.iter().map(|one| one.address()).collect()),
    };
    let mut results = Vec::new();
    for one in &wanted {
        results.extend(
            probe(one, &servers)?
                .into_iter()
                .map(|record| (one, record)),
        );
    }
    match arguments.output {
        Format::Json => output::line(show::json(&results)),
        Format::Text => output::line(output::folded(&show::text(&results))),
    }
    match results.iter().all(|(_, record)| record.is_healthy) {
        true => Ok(ExitCode::SUCCESS),
        false => Ok(ExitCode::FAILURE),
    }
}

/// A gateway has a server for each address of a name, and so is each probed.
fn probe(wanted: &Wanted, name_servers: &NameServers) -> Result<Vec<ProbeRecord>, Sentence> {
    match &wanted.server {
        Server::At(address) => Ok(vec![probe_at(wanted, *address, None)?]),
        Server::Named(name) => {
            let began = std::time::Instant::now();
            let found = look_up(name, name_servers)?;
            let micros = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
            let (ok, detail) = match &found {
                Ok(addresses) => {
                    let shown: Vec<String> = addresses.iter().map(ToString::to_string).collect();
                    (true, format!("{name} is {}", shown.join(", ")))
                }
                Err(NameFailure::NoSuchName) => (
                    false,
                    format!("{name} does not exist, or has no IPv4 address"),
                ),
                Err(NameFailure::NoAnswer) => (false, format!("no name server answers for {name}")),
            };
            let stage = ProbeStage {
                name: StageName::Dns,
                ok,
                micros,
                detail,
            };
            match found {
                Ok(addresses) => addresses
                    .into_iter()
                    .map(|ip| probe_at(wanted, (ip, wanted.probe.port).into(), Some(&stage)))
                    .collect(),
                Err(failure) => Ok(vec![unresolved(wanted, failure, stage)]),
            }
        }
    }
}

fn probe_at(
    wanted: &Wanted,
    address: SocketAddr,
    dns: Option<&ProbeStage>,
) -> Result<ProbeRecord, Sentence> {
    let plan = ProbePlan {
        probe: wanted.probe.clone(),
        generation: wanted.generation,
        host: wanted.host.clone(),
        sni: wanted.sni.clone(),
        address,
        fields: Vec::new(),
    };
    let mut record = probe_now(plan)
        .map_err(|error| Sentence::new(format!("this machine cannot probe: {error}")))?;
    record.stages.splice(0..0, dns.cloned());
    Ok(record)
}

fn look_up(
    name: &str,
    servers: &NameServers,
) -> Result<Result<Vec<std::net::IpAddr>, NameFailure>, Sentence> {
    let cannot = |error: std::io::Error| {
        Sentence::new(format!(
            "names cannot be looked up ({error}); name a server with --dns, or give an address"
        ))
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(cannot)?;
    runtime.block_on(resolve(servers, name)).map_err(cannot)
}

/// What a gateway tells of a member whose name has no address.
fn unresolved(wanted: &Wanted, failure: NameFailure, stage: ProbeStage) -> ProbeRecord {
    let message = match failure {
        NameFailure::NoSuchName => HealthMessage::NameUnresolved,
        NameFailure::NoAnswer => HealthMessage::NameUnanswered,
    };
    ProbeRecord {
        at_micros: unix_micros(),
        is_healthy: false,
        message,
        log: message.render(&Fill::default()),
        detail: Some(stage.detail.clone()),
        status: None,
        request: ProbeRequest {
            host: wanted.host.clone(),
            sni: wanted.sni.clone(),
            path: wanted.probe.path.clone(),
            port: wanted.probe.port,
            is_encrypted: wanted.probe.verification.is_some(),
        },
        stages: vec![stage],
        certificates: Vec::new(),
    }
}
