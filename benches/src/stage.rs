//! The stage of an experiment: a folder, certificates, one backend for all, and the proxies.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use nix::unistd::Pid;

use crate::cases::{Case, Transport};
use crate::certificates::Certificates;
use crate::cpu::CpuTime;
use crate::engines::{FreePorts, Installed, Proxy, Setting};
use crate::plan::{GO, LoadOutcome, LoadPlan, READY};
use crate::process::{Program, sibling};

/// A run that takes longer than this is stuck.
const LIMIT_SECONDS: u64 = 120;
const PATIENCE: Duration = Duration::from_secs(LIMIT_SECONDS + 10);
/// What a peer must be ready for in the cases (the memory experiment asks for more).
pub const CONNECTIONS: usize = 8_192;

pub struct Stage {
    folder: PathBuf,
    certificates: Certificates,
    free: FreePorts,
}

impl Stage {
    pub fn build(folder: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot make {}", folder.display()))?;
        let folder = folder.canonicalize()?;
        let certificates = Certificates::make(&folder)?;
        Ok(Self {
            folder,
            certificates,
            free: FreePorts::default(),
        })
    }

    /// Starts a backend on each of these sets of CPUs, all on one port.
    pub fn backends(&mut self, cpus: &[&[usize]]) -> anyhow::Result<Backends> {
        let port = self.free.take()?;
        let mut programs = Vec::new();
        for (index, cpus) in cpus.iter().enumerate() {
            let command: Vec<OsString> = vec![
                sibling("bench_backend")?.into(),
                port.to_string().into(),
                "shared".into(),
            ];
            let log = self.folder.join(format!("backend-{index}.log"));
            programs.push(Program::start("the backend", cpus, &command, &log)?);
        }
        Ok(Backends {
            port,
            _programs: programs,
        })
    }

    pub fn proxy(
        &mut self,
        installed: &Installed,
        backends: &Backends,
        cpus: &[usize],
        workers: usize,
        connections: usize,
    ) -> anyhow::Result<Proxy> {
        self.proxy_with(installed, backends, cpus, workers, connections, 0)
    }

    /// A proxy whose gateway has more servers than the one that is asked.
    pub fn proxy_with(
        &mut self,
        installed: &Installed,
        backends: &Backends,
        cpus: &[usize],
        workers: usize,
        connections: usize,
        more_servers: usize,
    ) -> anyhow::Result<Proxy> {
        let setting = Setting {
            folder: &self.folder,
            certificates: &self.certificates,
            backend: backends.port,
            cpus,
            workers,
            connections,
            more_servers,
        };
        Proxy::start(installed, &setting, &mut self.free)
    }

    /// A generator whose connections stand and which waits for the word.
    pub fn load(&self, proxy: &Proxy, run: &Run<'_>, cpus: &[usize]) -> anyhow::Result<Load> {
        let Run {
            case,
            requests,
            warm_up,
        } = *run;
        let certificate = match case.transport {
            Transport::Plain => None,
            Transport::TlsP256 => Some(self.certificates.p256.der.clone()),
            Transport::TlsRsa => Some(self.certificates.rsa.der.clone()),
        };
        let plan = LoadPlan {
            address: proxy.ports.address(case.transport),
            certificate,
            path: case.path.to_owned(),
            post_bytes: case.post_bytes,
            response_bytes: case.response_bytes,
            connections: case.connections,
            new_connection_each: case.new_connection_each,
            rate: case.rate,
            warm_up,
            requests,
            limit_seconds: LIMIT_SECONDS,
        };
        let plan = serde_json::to_string(&plan)?;
        let command = [sibling("bench_load")?.into_os_string(), plan.into()];
        let log = self
            .folder
            .join(format!("load-on-{}.log", proxy.engine.name()));
        let mut program = Program::start("the load generator", cpus, &command, &log)?;
        program.wait_for(READY, PATIENCE)?;
        Ok(Load { program })
    }
}

/// How much of a case is run: its own count is for a full round.
pub struct Run<'a> {
    pub case: &'a Case,
    pub requests: u64,
    pub warm_up: u64,
}

/// The backends of an experiment; they end with this.
pub struct Backends {
    pub(crate) port: u16,
    _programs: Vec<Program>,
}

/// A generator that has warmed up and holds its connections.
pub struct Load {
    program: Program,
}

impl Load {
    pub fn go(&mut self) -> anyhow::Result<()> {
        self.program.say(GO)
    }

    pub fn outcome(&mut self) -> anyhow::Result<LoadOutcome> {
        let line = self.program.line(PATIENCE)?;
        serde_json::from_str(&line).with_context(|| format!("no outcome: {line}"))
    }
}

/// Runs one load to its end; hands back what it saw and the CPU time of the tree below `root`.
pub fn measure(load: &mut Load, root: Pid) -> anyhow::Result<(LoadOutcome, Duration)> {
    let before = CpuTime::of_tree(root)?;
    load.go()?;
    let outcome = load.outcome()?;
    let spent = CpuTime::of_tree(root)?.since(&before)?;
    Ok((outcome, spent))
}
