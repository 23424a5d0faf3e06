//! Child processes that never outlive the bench.
//!
//! Each is started through the `bench_launch` program, which pins itself, asks the kernel to be
//! ended with its parent, and only then becomes the program that is wanted. So neither a panic
//! nor a signal to the bench leaves anything behind, and nothing here needs unsafe code.

use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getppid};

use crate::cpu::tree;

/// Enough for 10,000 connections on both sides of a proxy.
const OPEN_FILES: u64 = 65_536;
const PATIENCE_AT_END: Duration = Duration::from_secs(3);
const POLL: Duration = Duration::from_millis(10);

/// A program that runs, and is ended when this is dropped.
pub struct Program {
    name: String,
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
    log: PathBuf,
}

impl Program {
    /// Starts a program on these CPUs; what it says on its standard error goes to `log`.
    pub fn start(
        name: &str,
        cpus: &[usize],
        command: &[OsString],
        log: &Path,
    ) -> anyhow::Result<Self> {
        let errors =
            File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
        let mut child = Command::new(sibling("bench_launch")?)
            .arg(cpu_list(cpus))
            .args(command)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(errors)
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        let output = child.stdout.take().context("the output was piped")?;
        let (sender, lines) = channel();
        // Reads to the end of the program, so that it never waits for a full pipe.
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                // Nobody may be interested any more; the pipe is drained all the same.
                let _uninterested = sender.send(line);
            }
        });
        let input = child.stdin.take();
        Ok(Self {
            name: name.to_owned(),
            child,
            input,
            lines,
            log: log.to_path_buf(),
        })
    }

    pub fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }

    pub fn say(&mut self, line: &str) -> anyhow::Result<()> {
        let input = self.input.as_mut().context("the input is closed")?;
        writeln!(input, "{line}").with_context(|| format!("{} no longer listens", self.name))
    }

    /// The next line that the program prints.
    pub fn line(&mut self, patience: Duration) -> anyhow::Result<String> {
        match self.lines.recv_timeout(patience) {
            Ok(line) => Ok(line),
            Err(RecvTimeoutError::Timeout) => {
                bail!(
                    "{} said nothing for {} s; {}",
                    self.name,
                    patience.as_secs(),
                    self.said()
                )
            }
            Err(RecvTimeoutError::Disconnected) => {
                bail!("{} ended early; {}", self.name, self.said())
            }
        }
    }

    /// Waits until the program prints a line that begins so.
    pub fn wait_for(&mut self, beginning: &str, patience: Duration) -> anyhow::Result<String> {
        let deadline = Instant::now() + patience;
        loop {
            let line = self.line(deadline.saturating_duration_since(Instant::now()))?;
            if line.starts_with(beginning) {
                return Ok(line);
            }
        }
    }

    pub fn has_ended(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// The end of its log, for an error message.
    pub fn said(&self) -> String {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        match log.trim().lines().last() {
            Some(last) => format!("its last words: {last} ({})", self.log.display()),
            None => format!("it left no words in {}", self.log.display()),
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.input = None;
        // An error says that it has ended already, which is what is wanted.
        let _ended = kill(self.pid(), Signal::SIGTERM);
        let deadline = Instant::now() + PATIENCE_AT_END;
        while Instant::now() < deadline {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(POLL);
        }
        // A master that is killed leaves its workers behind, so the whole tree goes.
        for pid in tree(self.pid()).unwrap_or_default() {
            let _ended = kill(pid, Signal::SIGKILL);
        }
        let _reaped = self.child.wait();
    }
}

/// A program of the bench itself: cargo builds them all into one folder.
pub fn sibling(name: &str) -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe().context("where is this program?")?;
    let path = own.with_file_name(name);
    ensure!(
        path.is_file(),
        "{} is missing: run `cargo build --release -p gatewright-benches`",
        path.display()
    );
    Ok(path)
}

fn cpu_list(cpus: &[usize]) -> String {
    cpus.iter()
        .map(usize::to_string)
        .collect::<Vec<_>>()
        .join(",")
}

/// What `bench_launch CPUS PROGRAM ARGUMENTS…` does; it returns only when it failed.
pub fn launch(mut arguments: impl Iterator<Item = OsString>) -> anyhow::Error {
    match prepare(&mut arguments) {
        Ok(program) => {
            let error = Command::new(&program).args(arguments).exec();
            anyhow::Error::new(error).context(format!("cannot run {}", program.display()))
        }
        Err(error) => error,
    }
}

fn prepare(arguments: &mut impl Iterator<Item = OsString>) -> anyhow::Result<PathBuf> {
    let cpus = arguments
        .next()
        .and_then(|list| list.into_string().ok())
        .context("no CPU list")?;
    let program = arguments.next().context("no program")?;
    // Asking to end gently lets a master process end its workers too.
    set_pdeathsig(Signal::SIGTERM)?;
    ensure!(
        getppid() != Pid::from_raw(1),
        "the bench ended before this program began"
    );
    let mut set = CpuSet::new();
    for cpu in cpus.split(',') {
        set.set(
            cpu.parse()
                .with_context(|| format!("`{cpu}` is no CPU number"))?,
        )?;
    }
    sched_setaffinity(Pid::from_raw(0), &set).with_context(|| format!("cannot pin to {cpus}"))?;
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    if setrlimit(Resource::RLIMIT_NOFILE, OPEN_FILES, OPEN_FILES.max(hard)).is_err() {
        setrlimit(Resource::RLIMIT_NOFILE, hard.min(OPEN_FILES), hard)?;
    }
    Ok(program.into())
}
