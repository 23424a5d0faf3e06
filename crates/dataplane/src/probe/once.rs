//! One probe without a gateway.

use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::thread;

use gatewright_snapshot::{Generation, Probe};
use gatewright_telemetry::ProbeRecord;

use super::attempt::probe;
use super::{ProbeNames, Spec};
use crate::io::{TICK, Timers, run};
use crate::tls::BackendTls;

/// A probe that is to be made, and whereto.
#[derive(Clone, Debug)]
pub struct ProbePlan {
    /// Its interval, threshold and `min_servers` are of no account.
    pub probe: Probe,
    pub generation: Generation,
    /// The `Host` header: one line, without control characters.
    pub host: String,
    /// The name in the TLS handshake, which is checked; `None` sends and checks none.
    pub sni: Option<String>,
    pub address: SocketAddr,
    /// Header fields beside `Host` and `Connection`: names and values without control characters.
    pub fields: Vec<(String, String)>,
}

/// Probes once, exactly as a gateway would, and waits for what comes of it: at most for the probe's
/// timeout, and a little.
///
/// # Errors
/// When a thread or its event loop cannot be made.
pub fn probe_now(plan: ProbePlan) -> io::Result<ProbeRecord> {
    let probing = thread::Builder::new().name("probe".to_owned());
    let probing = probing.spawn(move || run_once(plan))?;
    let ended = probing.join();
    ended.unwrap_or_else(|_| Err(io::Error::other("the probe has panicked")))
}

fn run_once(plan: ProbePlan) -> io::Result<ProbeRecord> {
    let spec = Spec {
        probe: plan.probe,
        generation: plan.generation,
        names: ProbeNames {
            host: plan.host,
            sni: plan.sni,
        },
        address: plan.address,
        obstacle: None,
        fields: plan.fields,
    };
    let record = Rc::new(RefCell::new(None));
    let timers = Rc::new(Timers::default());
    let (result, ticking) = (Rc::clone(&record), Rc::clone(&timers));
    let main = async move {
        let verification = spec.verification();
        let tls = verification.map(|verification| BackendTls::new(&verification));
        let probed = probe(&spec, tls.as_ref(), &timers).await;
        result.replace(Some(probed));
    };
    run(main, TICK, move || ticking.advance())?;
    let record = record.take();
    record.ok_or_else(|| io::Error::other("the event loop ended before the probe did"))
}
