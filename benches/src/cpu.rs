//! CPU time and memory of a process tree.
//!
//! Time is read from each process's own CPU clock: the same nanoseconds as the first field of
//! `/proc/PID/task/*/schedstat` summed over its threads, but with the threads that have ended.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, ensure};
use nix::time::ClockId;
use nix::unistd::Pid;

/// CPU time so far, by process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CpuTime {
    by_process: BTreeMap<i32, Duration>,
}

impl CpuTime {
    /// Reads the clocks of a process and everything below it.
    pub fn of_tree(root: Pid) -> anyhow::Result<Self> {
        let mut by_process = BTreeMap::new();
        for pid in tree(root)? {
            // A child that ended since the list was made is found missing by `since`.
            if let Ok(time) = of_process(pid) {
                by_process.insert(pid.as_raw(), time);
            }
        }
        ensure!(
            by_process.contains_key(&root.as_raw()),
            "process {root} has ended"
        );
        Ok(Self { by_process })
    }

    /// The time spent since an earlier reading; a process that ended took its time with it.
    pub fn since(&self, earlier: &Self) -> anyhow::Result<Duration> {
        for pid in earlier.by_process.keys() {
            let is_there = self.by_process.contains_key(pid);
            ensure!(is_there, "process {pid} ended while it was measured");
        }
        let spent = self.by_process.iter().map(|(pid, time)| {
            let before = earlier.by_process.get(pid).copied().unwrap_or_default();
            time.saturating_sub(before)
        });
        Ok(spent.sum())
    }
}

fn of_process(pid: Pid) -> anyhow::Result<Duration> {
    let clock = ClockId::pid_cpu_clock_id(pid)?;
    Ok(clock.now()?.into())
}

/// The process itself first, then its descendants.
pub(crate) fn tree(root: Pid) -> anyhow::Result<Vec<Pid>> {
    let mut parents = Vec::new();
    for entry in std::fs::read_dir("/proc").context("cannot list /proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<i32>().ok()) else {
            continue;
        };
        if let Some(parent) = parent_of(pid) {
            parents.push((pid, parent));
        }
    }
    let mut found = vec![root.as_raw()];
    let mut next = 0;
    while let Some(parent) = found.get(next).copied() {
        found.extend(
            parents
                .iter()
                .filter(|(_, of)| *of == parent)
                .map(|(pid, _)| *pid),
        );
        next += 1;
    }
    Ok(found.into_iter().map(Pid::from_raw).collect())
}

/// The fourth field of /proc/PID/stat; the second, a name, may hold anything but ends in `)`.
fn parent_of(pid: i32) -> Option<i32> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, after_name) = stat.rsplit_once(')')?;
    after_name.split_whitespace().nth(1)?.parse().ok()
}

/// Resident memory of a process tree in bytes. Pages that processes share count once for each.
pub fn resident_bytes(root: Pid) -> anyhow::Result<u64> {
    let mut bytes = 0;
    for pid in tree(root)? {
        let path = format!("/proc/{pid}/status");
        let status = std::fs::read_to_string(&path).with_context(|| format!("no {path}"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        bytes += 1024 * kib.with_context(|| format!("no VmRSS in {path}"))?;
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::hint::black_box;
    use std::process::{Command, Stdio};
    use std::time::Instant;

    use super::*;

    fn schedstat_of_threads() -> Duration {
        let tasks = std::fs::read_dir("/proc/self/task").expect("own threads");
        let nanoseconds = tasks.map(|task| {
            let path = task.expect("a thread").path().join("schedstat");
            let text = std::fs::read_to_string(path).unwrap_or_default();
            text.split(' ')
                .next()
                .and_then(|ns| ns.parse::<u64>().ok())
                .unwrap_or_default()
        });
        Duration::from_nanos(nanoseconds.sum())
    }

    fn spin(time: Duration) {
        let start = Instant::now();
        while start.elapsed() < time {
            black_box(start);
        }
    }

    #[test]
    fn a_thread_that_has_ended_still_counts() {
        let own = Pid::this();
        let before = CpuTime::of_tree(own).expect("own time");
        let clock = ClockId::CLOCK_PROCESS_CPUTIME_ID;
        let exact: Duration = clock.now().expect("own clock").into();
        let thread = std::thread::spawn(|| spin(Duration::from_millis(60)));
        thread.join().expect("no panic");
        let after = CpuTime::of_tree(own).expect("own time");
        // Not `since`: a child of another test may have ended meanwhile.
        let spent = after.by_process[&own.as_raw()] - before.by_process[&own.as_raw()];
        let exact = Duration::from(clock.now().expect("own clock")) - exact;
        // The machine may be busy, so compare with the clock and not with the wall.
        assert!(spent > Duration::from_millis(5), "{spent:?}");
        assert!(
            spent.abs_diff(exact) < exact / 2 + Duration::from_millis(20),
            "{spent:?}"
        );
        assert!(
            after.by_process[&own.as_raw()] + Duration::from_millis(10) > schedstat_of_threads()
        );
    }

    #[test]
    fn a_child_belongs_to_the_tree_and_its_end_is_noticed() {
        let own = Pid::this();
        let mut child = Command::new("sleep").arg("30").spawn().expect("sleep");
        let pid = Pid::from_raw(child.id().cast_signed());
        assert!(tree(own).expect("a tree").contains(&pid));
        let with_child = CpuTime::of_tree(own).expect("own time");
        child.kill().expect("a living child");
        child.wait().expect("a child");
        let without = CpuTime::of_tree(own).expect("own time");
        let error = without.since(&with_child).expect_err("the child has ended");
        assert!(error.to_string().contains("ended while"), "{error}");
    }

    #[test]
    fn memory_of_a_process_that_is_there_and_of_one_that_is_not() {
        assert!(resident_bytes(Pid::this()).expect("own memory") > 100_000);
        let mut gone = Command::new("true")
            .stdin(Stdio::null())
            .spawn()
            .expect("true");
        gone.wait().expect("an end");
        assert!(resident_bytes(Pid::from_raw(gone.id().cast_signed())).is_err());
    }
}
