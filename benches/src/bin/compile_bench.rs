//! What a large configuration costs: milliseconds to compile, bytes to keep, nanoseconds to route
//! by, beside a configuration of one of each. Run it with `--release`.

#![allow(
    clippy::print_stdout,
    reason = "the report is what this program is for"
)]

use std::hint::black_box;
use std::time::Instant;

use anyhow::{Context, bail};
use gatewright_arm::{ApplicationGateway, read_gateways, validate};
use gatewright_benches::gateway_json::big_gateway;
use gatewright_benches::timing::{median, milliseconds};
use gatewright_compile::{Options, compile, compile_validated};
use gatewright_snapshot::{EndpointIndex, RequestKey, Scratch, Snapshot};

/// Listeners, path rules of each, pools, and servers in each pool.
type Size = (usize, usize, usize, usize);

const SMALL: Size = (1, 1, 1, 1);
const LARGE: Size = (100, 100, 100, 1200);

/// The median of this many compilations counts.
const COMPILATIONS: usize = 5;

/// Requests that are routed to measure one.
const REQUESTS: u32 = 2_000_000;

fn main() -> anyhow::Result<()> {
    println!("listeners × path rules, pools × servers");
    for size in [SMALL, LARGE] {
        report(size)?;
    }
    Ok(())
}

fn report(size: Size) -> anyhow::Result<()> {
    let (listeners, path_rules, pools, servers) = size;
    println!("{listeners} × {path_rules}, {pools} × {servers}");
    let report = read_gateways(&big_gateway(listeners, path_rules, pools, servers))?;
    let gateways = report.gateways;
    let options = Options::default();
    let snapshot = match compile(&gateways, &options) {
        Ok(compiled) => compiled.snapshot,
        Err(diagnostics) => bail!("does not compile: {}", diagnostics[0]),
    };
    let context = gatewright_arm::Context::default();
    let whole = median(COMPILATIONS, || {
        drop(black_box(compile(&gateways, &options)))
    });
    let validation = median(COMPILATIONS, || {
        drop(black_box(validate(first(&gateways), &context)))
    });
    let alone = median(COMPILATIONS, || {
        drop(black_box(compile_validated(&gateways, &options)))
    });
    let snapshot_kib = snapshot.memory_bytes() / 1024;
    println!(
        "  compile   {:8.2} ms (median of {COMPILATIONS})",
        milliseconds(whole)
    );
    println!("    of it   {:8.2} ms validation", milliseconds(validation));
    println!("            {:8.2} ms compilation", milliseconds(alone));
    println!("  snapshot  {snapshot_kib:8} KiB");
    println!("  select    {:8.1} ns", select_nanoseconds(&snapshot)?);
    Ok(())
}

fn first(gateways: &[ApplicationGateway]) -> &ApplicationGateway {
    &gateways[0]
}

/// Routes requests for the last listener by its last path rule, and checks that they arrive there.
fn select_nanoseconds(snapshot: &Snapshot) -> anyhow::Result<f64> {
    let listener = snapshot.listeners.last().context("no listener")?;
    let host = listener.host_names.first().context("no host name")?;
    let rules = snapshot.routes.len() / snapshot.listeners.len() - 1;
    let path = format!("/service{:03}/v1/orders/4711", rules - 1);
    let request = RequestKey {
        host: host.as_bytes(),
        path: path.as_bytes(),
    };
    let endpoint = EndpointIndex::new(0);
    let mut scratch = Scratch::default();
    let selected = snapshot.select(endpoint, request, &mut scratch);
    let selected = selected.context("the request finds no listener")?;
    if snapshot.route(selected.route).path_rule.is_none() {
        bail!("{path} finds no path rule");
    }
    let start = Instant::now();
    for _ in 0..REQUESTS {
        black_box(snapshot.select(endpoint, black_box(request), &mut scratch));
    }
    Ok(start.elapsed().as_secs_f64() * 1e9 / f64::from(REQUESTS))
}
