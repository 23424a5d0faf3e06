//! Runs az: in time, within bounds, and never anything that changes.

use std::io::Read;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::interrupt::{Running, kill};
use super::reason::reason;
use super::verbs::Verb;
use crate::commands::az_setup::quoted;
use crate::times;

/// Most bytes that a command may print.
const OUTPUT_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Most bytes of what it says on standard error that are kept.
const SAID_BYTES_MAX: u64 = 64 * 1024;
/// Most commands that run at a time: az takes a second of a core to begin.
const AT_A_TIME: usize = 4;
/// The health report is made while az waits: so many times longer.
const HEALTH_FACTOR: u32 = 3;
/// Between two looks at a command.
const PAUSE: Duration = Duration::from_millis(10);
/// How long what is written may take to arrive when its writer has ended.
const ARRIVAL: Duration = Duration::from_secs(2);

/// Settings of az's for this: it must not install anything, nor ask, nor paint.
const SETTINGS: [(&str, &str); 3] = [
    ("AZURE_EXTENSION_USE_DYNAMIC_INSTALL", "no"),
    ("AZURE_CORE_ONLY_SHOW_ERRORS", "true"),
    ("AZURE_CORE_NO_COLOR", "true"),
];

/// The program, and how long one command of it may take.
#[derive(Clone, Debug)]
pub(super) struct Az {
    pub(super) program: PathBuf,
    pub(super) limit: Duration,
    pub(super) running: Running,
}

/// One command.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) verb: Verb,
    pub(super) arguments: Vec<String>,
}

/// A command that was run.
#[derive(Debug)]
pub(super) struct Run {
    /// As it can be typed.
    pub(super) command: String,
    pub(super) began: String,
    pub(super) took: Duration,
    pub(super) answer: Answer,
}

#[derive(Debug)]
pub(super) enum Answer {
    Value(Value),
    /// It succeeded and printed nothing.
    Nothing,
    /// Why there is no answer, as a clause.
    Failed(String),
    /// There is no such program.
    NoProgram(String),
}

impl Az {
    /// As a user can type it.
    fn shown(&self, call: &Call) -> String {
        let program = self.program.display().to_string();
        let mut words = vec![quoted(&program), call.verb.words().to_owned()];
        words.extend(call.arguments.iter().map(|one| quoted(one)));
        words.push("-o json".to_owned());
        words.join(" ")
    }

    /// Runs all, some at a time; the answers in the order of the calls. `announce` is told each
    /// command before it runs, in that order too.
    pub(super) fn run_all(&self, calls: &[&Call], announce: &(dyn Fn(&str) + Sync)) -> Vec<Run> {
        let next = Mutex::new(calls.iter().enumerate());
        let done = Mutex::new(Vec::with_capacity(calls.len()));
        let work = || {
            loop {
                let (index, call, command) = {
                    let mut next = next.lock().unwrap_or_else(PoisonError::into_inner);
                    let Some((index, call)) = next.next() else {
                        return;
                    };
                    let command = self.shown(call);
                    announce(&command);
                    (index, call, command)
                };
                let run = self.run(call, command);
                let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
                done.push((index, run));
            }
        };
        thread::scope(|scope| {
            for _ in 0..calls.len().min(AT_A_TIME) {
                scope.spawn(work);
            }
        });
        let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
        done.sort_by_key(|(index, _)| *index);
        done.into_iter().map(|(_, run)| run).collect()
    }

    fn run(&self, call: &Call, command: String) -> Run {
        let (began, since) = (times::now(), Instant::now());
        let answer = self.answer(call);
        Run {
            command,
            began,
            took: since.elapsed(),
            answer,
        }
    }

    fn answer(&self, call: &Call) -> Answer {
        let spawned = Command::new(&self.program)
            .args(call.verb.words().split(' '))
            .args(&call.arguments)
            .args(["-o", "json"])
            .envs(SETTINGS)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // All that it starts ends with it.
            .process_group(0)
            .spawn();
        match spawned {
            Ok(child) => {
                let group = child.id();
                self.running.add(group);
                let answer = self.await_end(call.verb, child);
                self.running.remove(group);
                answer
            }
            Err(error) => Answer::NoProgram(error.to_string()),
        }
    }

    fn await_end(&self, verb: Verb, mut child: Child) -> Answer {
        let limit = match verb {
            Verb::Health => self.limit.saturating_mul(HEALTH_FACTOR),
            _ => self.limit,
        };
        let output = reader(child.stdout.take(), OUTPUT_BYTES_MAX, false);
        let said = reader(child.stderr.take(), SAID_BYTES_MAX, true);
        let began = Instant::now();
        let mut printed = None;
        let status = loop {
            if printed.is_none() {
                printed = output.try_recv().ok();
            }
            if printed.as_ref().is_some_and(|printed| printed.is_cut) {
                end(&mut child);
                let mib = OUTPUT_BYTES_MAX / (1024 * 1024);
                return Answer::Failed(format!("az printed more than {mib} MiB"));
            }
            match child.try_wait() {
                Ok(Some(status)) => break status,
                Ok(None) if began.elapsed() < limit => thread::sleep(PAUSE),
                Ok(None) => {
                    end(&mut child);
                    let seconds = limit.as_secs();
                    return Answer::Failed(format!("az did not end within {seconds} s"));
                }
                Err(error) => {
                    end(&mut child);
                    return Answer::Failed(format!("az cannot be waited for: {error}"));
                }
            }
        };
        let printed = printed.or_else(|| output.recv_timeout(ARRIVAL).ok());
        let said = said.recv_timeout(ARRIVAL).ok();
        if printed.is_none() || said.is_none() {
            // Something that it started holds on to its output.
            end(&mut child);
        }
        match printed {
            Some(printed) if !printed.is_cut => answer(
                verb,
                status,
                &printed.bytes,
                &said.unwrap_or_default().bytes,
            ),
            Some(_) => Answer::Failed("az printed too much".to_owned()),
            None => Answer::Failed("az ended, and something that it started did not".to_owned()),
        }
    }
}

fn answer(verb: Verb, status: ExitStatus, printed: &[u8], said: &[u8]) -> Answer {
    if let Some(signal) = status.signal() {
        return Answer::Failed(format!("az was ended by signal {signal}"));
    }
    if !status.success() {
        let said = String::from_utf8_lossy(said);
        return Answer::Failed(reason(verb, status.code().unwrap_or_default(), &said));
    }
    if printed.trim_ascii().is_empty() {
        return Answer::Nothing;
    }
    match serde_json::from_slice(printed) {
        Ok(Value::Null) => Answer::Nothing,
        Ok(value) => Answer::Value(value),
        Err(_) => Answer::Failed("az printed something that is no JSON".to_owned()),
    }
}

/// Ends the command and all that it started.
fn end(child: &mut Child) {
    kill(child.id());
    let _ = child.wait();
}

#[derive(Debug, Default)]
struct Printed {
    bytes: Vec<u8>,
    /// There was more.
    is_cut: bool,
}

/// Reads up to so many bytes on a thread of its own; the rest too, if it is drained.
fn reader<R: Read + Send + 'static>(from: Option<R>, most: u64, drain: bool) -> Receiver<Printed> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let Some(mut from) = from else {
            return;
        };
        // What was read before an error is what there is.
        let _ = from.by_ref().take(most + 1).read_to_end(&mut bytes);
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let is_cut = bytes.len() > most;
        bytes.truncate(most);
        if is_cut && drain {
            let _ = std::io::copy(&mut from, &mut std::io::sink());
        }
        // Whoever waited has given up.
        let _ = sender.send(Printed { bytes, is_cut });
    });
    receiver
}
