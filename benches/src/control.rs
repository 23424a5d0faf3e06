//! The control plane: how long a change takes until it is live on the data path, how long a read
//! takes, and what many gateways and an hour's worth of calls do to it.
//!
//! Gatewright alone: there is nothing to compare with that a change of takes less than minutes.

mod client;
mod documents;

use std::fmt::Write;
use std::io::{Read, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use serde::{Deserialize, Serialize};

use crate::cpu::resident_bytes;
use crate::engines::Installed;
use crate::stage::Stage;
use crate::timing::milliseconds;
use client::{Client, Door};

/// Listeners of the gateway that is changed.
const LISTENERS: usize = 100;
/// Clients of the mixed load; every fifth call is a change.
const CLIENTS: usize = 4;
const CALLS_PER_CHANGE: u64 = 5;
/// Aims: milliseconds.
const PUT_AIM_MS: f64 = 100.0;
const GET_AIM_MS: f64 = 5.0;

/// What is measured, and how much of it.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    pub gateways: usize,
    pub rounds: usize,
    pub load: Duration,
}

/// Times of one kind of call, in milliseconds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Times {
    pub p50: f64,
    pub p99: f64,
    pub max: f64,
    pub count: usize,
}

/// With so many gateways in all.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Point {
    pub gateways: usize,
    /// From the PUT until its operation has ended and the data path answers as it says.
    pub live: Times,
    /// From the PUT until it was answered.
    pub accepted: Times,
    pub get: Times,
    pub resident_bytes: u64,
}

/// A minute of reads and changes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Load {
    pub seconds: f64,
    pub gets: u64,
    pub puts: u64,
    pub errors: u64,
    pub get: Times,
    pub put: Times,
    pub resident_before: u64,
    pub resident_after: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Outcome {
    pub points: Vec<Point>,
    /// Making the other gateways, each until it is live.
    pub create: Times,
    pub load: Load,
}

pub fn run(
    folder: &Path,
    installed: &Installed,
    effort: Effort,
    tell: &dyn Fn(&str),
) -> anyhow::Result<Outcome> {
    std::fs::create_dir_all(folder)?;
    // Servers that answer, as a gateway's do: the first probes of new ones are waited for.
    let cpus: Vec<usize> = (0..std::thread::available_parallelism()?.get()).collect();
    let backends = Stage::build(&folder.join("stage"))?.backends(&[&cpus])?;
    let plane = client::Plane::start(folder, installed, &cpus, backends.port)?;
    let mut client = plane.door.client()?;
    documents::make_network(&mut client)?;
    let mut points = Vec::new();
    tell("1 gateway");
    points.push(point(&plane, &mut client, 1, effort.rounds)?);
    tell(&format!("{} more gateways", effort.gateways));
    let create = create(&mut client, effort.gateways)?;
    points.push(point(
        &plane,
        &mut client,
        effort.gateways + 1,
        effort.rounds,
    )?);
    tell(&format!("{} s of mixed load", effort.load.as_secs()));
    let load = load(&plane, effort)?;
    Ok(Outcome {
        points,
        create,
        load,
    })
}

fn point(
    plane: &client::Plane,
    client: &mut Client,
    gateways: usize,
    rounds: usize,
) -> anyhow::Result<Point> {
    let (mut live, mut accepted, mut get) = (Vec::new(), Vec::new(), Vec::new());
    let path = documents::gateway_path("big");
    for round in 0..rounds {
        // Another target each time, which the data path then shows.
        let target = format!("http://round-{gateways}-{round}.test");
        // A client's own work takes no time of the control plane's.
        let body = documents::big(LISTENERS, &target).to_string();
        let began = Instant::now();
        let operation = client.put(&path, &body)?;
        accepted.push(milliseconds(began.elapsed()));
        client.finish(&operation)?;
        wait_for_redirect(plane.port(documents::PORT), &target)?;
        live.push(milliseconds(began.elapsed()));
        let began = Instant::now();
        client.get(&path)?;
        get.push(milliseconds(began.elapsed()));
    }
    Ok(Point {
        gateways,
        live: Times::of(live)?,
        accepted: Times::of(accepted)?,
        get: Times::of(get)?,
        resident_bytes: resident_bytes(plane.pid())?,
    })
}

fn create(client: &mut Client, count: usize) -> anyhow::Result<Times> {
    let mut times = Vec::new();
    for number in 0..count {
        let path = documents::gateway_path(&documents::small_name(number));
        let body = documents::small(number, 0).to_string();
        let began = Instant::now();
        let operation = client.put(&path, &body)?;
        client.finish(&operation)?;
        times.push(milliseconds(began.elapsed()));
    }
    Times::of(times)
}

/// What one client of the load did.
#[derive(Default)]
struct Tally {
    gets: Vec<f64>,
    puts: Vec<f64>,
    errors: u64,
    error: Option<String>,
}

fn load(plane: &client::Plane, effort: Effort) -> anyhow::Result<Load> {
    let resident_before = resident_bytes(plane.pid())?;
    let door = &plane.door;
    let began = Instant::now();
    let tallies: Vec<anyhow::Result<Tally>> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| scope.spawn(move || one_client(door, effort, number)))
            .collect();
        let joined = clients.into_iter().map(|one| one.join());
        joined
            .map(|one| one.unwrap_or_else(|_| bail!("a client of the load panicked")))
            .collect()
    });
    let seconds = began.elapsed().as_secs_f64();
    let mut all = Tally::default();
    for tally in tallies {
        let tally = tally?;
        all.gets.extend(tally.gets);
        all.puts.extend(tally.puts);
        all.errors += tally.errors;
        all.error = all.error.or(tally.error);
    }
    if let Some(error) = &all.error {
        bail!("{} calls failed, the first with: {error}", all.errors);
    }
    Ok(Load {
        seconds,
        gets: all.gets.len() as u64,
        puts: all.puts.len() as u64,
        errors: all.errors,
        get: Times::of(all.gets)?,
        put: Times::of(all.puts)?,
        resident_before,
        resident_after: resident_bytes(plane.pid())?,
    })
}

fn one_client(door: &Door, effort: Effort, number: usize) -> anyhow::Result<Tally> {
    let mut client = door.client()?;
    let mut tally = Tally::default();
    let began = Instant::now();
    let mut call = 0_u64;
    // Each client changes gateways of its own, so that every change is seen to its end.
    let own = effort.gateways / CLIENTS;
    ensure!(own > 0, "the mixed load needs at least {CLIENTS} gateways");
    while began.elapsed() < effort.load {
        call += 1;
        let gateway = number * own + usize::try_from(call * 7919)? % own;
        let path = documents::gateway_path(&documents::small_name(gateway));
        let at = Instant::now();
        let done = if call.is_multiple_of(CALLS_PER_CHANGE) {
            let body = documents::small(gateway, call).to_string();
            let done = client.put(&path, &body).and_then(|one| client.finish(&one));
            tally.puts.push(milliseconds(at.elapsed()));
            done
        } else {
            let done = client.get(&path).map(drop);
            tally.gets.push(milliseconds(at.elapsed()));
            done
        };
        if let Err(error) = done {
            tally.errors += 1;
            tally.error.get_or_insert_with(|| format!("{error:#}"));
        }
    }
    Ok(tally)
}

/// Asks the data path until it redirects there; an operation that has ended must be live, so that
/// the first answer is the right one but for the way of a packet.
fn wait_for_redirect(address: SocketAddr, target: &str) -> anyhow::Result<()> {
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        let seen = location(address)?;
        if seen.as_deref().is_some_and(|seen| seen.starts_with(target)) {
            return Ok(());
        }
        ensure!(
            Instant::now() < deadline,
            "the data path still redirects to {seen:?}"
        );
    }
}

fn location(address: SocketAddr) -> anyhow::Result<Option<String>> {
    let mut stream = TcpStream::connect(address).with_context(|| format!("{address}"))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let host = documents::REDIRECTED_HOST;
    stream.write_all(
        format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").as_bytes(),
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let mut lines = answer.lines();
    let found = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("location")
            .then(|| value.trim().to_owned())
    });
    Ok(found)
}

impl Times {
    fn of(mut times: Vec<f64>) -> anyhow::Result<Self> {
        times.sort_by(f64::total_cmp);
        let at = |part: f64| {
            let position = (times.len() as f64 * part) as usize;
            times
                .get(position.min(times.len().saturating_sub(1)))
                .copied()
        };
        let (p50, p99, max) = (at(0.5), at(0.99), times.last().copied());
        let missing = "nothing was measured";
        Ok(Self {
            p50: p50.context(missing)?,
            p99: p99.context(missing)?,
            max: max.context(missing)?,
            count: times.len(),
        })
    }
}

pub fn show(outcome: &Outcome) -> String {
    let mut text = format!(
        "# The control plane: a gateway of {LISTENERS} listeners, in milliseconds\n\n\
         | gateways | PUT until live p50 / p99 / max | PUT answered p50 / p99 | GET p50 / p99 | \
         resident MiB |\n|---|---|---|---|---|\n"
    );
    let mib = |bytes: u64| bytes as f64 / 1024.0 / 1024.0;
    for point in &outcome.points {
        let Point {
            live,
            accepted,
            get,
            ..
        } = point;
        let _infallible = writeln!(
            text,
            "| {} | {:.1} / {:.1} / {:.1} | {:.1} / {:.1} | {:.2} / {:.2} | {:.0} |",
            point.gateways,
            live.p50,
            live.p99,
            live.max,
            accepted.p50,
            accepted.p99,
            get.p50,
            get.p99,
            mib(point.resident_bytes),
        );
    }
    let Outcome {
        create,
        load,
        points,
    } = outcome;
    let _infallible = writeln!(
        text,
        "\nMaking {} small gateways one by one: p50 {:.1}, p99 {:.1}, max {:.1}.\n\n\
         {:.0} s of mixed load by {CLIENTS} clients: {} GETs (p99 {:.1}) and {} PUTs until done \
         (p99 {:.1}), {} errors; resident {:.0} MiB before, {:.0} MiB after.",
        create.count,
        create.p50,
        create.p99,
        create.max,
        load.seconds,
        load.gets,
        load.get.p99,
        load.puts,
        load.put.p99,
        load.errors,
        mib(load.resident_before),
        mib(load.resident_after),
    );
    let verdict = |is_met: bool| if is_met { "met" } else { "**missed**" };
    let worst = |of: fn(&Point) -> f64| points.iter().map(of).fold(0.0, f64::max);
    let (put, get) = (worst(|one| one.live.p99), worst(|one| one.get.p50));
    let _infallible = writeln!(
        text,
        "\nA change is live within {put:.1} ms at p99 (≤ {PUT_AIM_MS} {}); a GET takes {get:.2} ms \
         (≤ {GET_AIM_MS} {}).",
        verdict(put <= PUT_AIM_MS),
        verdict(get <= GET_AIM_MS),
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(p99: f64) -> Times {
        Times {
            p50: p99 / 2.0,
            p99,
            max: p99,
            count: 100,
        }
    }

    #[test]
    fn the_worst_point_decides() {
        let point = |gateways, p99| Point {
            gateways,
            live: times(p99),
            accepted: times(5.0),
            get: times(2.0),
            resident_bytes: 1 << 20,
        };
        let load = Load {
            seconds: 60.0,
            gets: 10,
            puts: 2,
            errors: 0,
            get: times(3.0),
            put: times(30.0),
            resident_before: 1 << 20,
            resident_after: 2 << 20,
        };
        let mut outcome = Outcome {
            points: vec![point(1, 20.0), point(1001, 90.0)],
            create: times(10.0),
            load,
        };
        assert!(show(&outcome).contains("within 90.0 ms at p99 (≤ 100 met)"));
        outcome.points[1].live = times(101.0);
        assert_eq!(show(&outcome).matches("**missed**").count(), 1);
    }

    #[test]
    fn percentiles_are_of_what_was_measured() {
        let times = Times::of((1..=100).rev().map(f64::from).collect()).unwrap();
        assert_eq!((times.p50, times.p99, times.max), (51.0, 100.0, 100.0));
        assert!(Times::of(Vec::new()).is_err());
    }
}
