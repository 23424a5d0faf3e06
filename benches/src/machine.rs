//! Facts of the machine, without which no number means anything.

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    pub cpu: String,
    pub cpus: usize,
    pub kernel: String,
    pub memory_mib: u64,
    pub congestion_control: String,
    /// CPU µs of the two sends and two receives of a 1 KiB request; absent if unmeasured.
    pub floor_us: Option<f64>,
}

impl Machine {
    /// What cannot be read is shown as unknown: no fact is worth ending a run.
    pub fn read() -> Self {
        let cpuinfo = read("/proc/cpuinfo");
        let meminfo = read("/proc/meminfo");
        let kib = field(&meminfo, "MemTotal").and_then(|kib| kib.split(' ').next()?.parse().ok());
        Self {
            cpu: field(&cpuinfo, "model name")
                .unwrap_or("unknown")
                .to_owned(),
            cpus: std::thread::available_parallelism().map_or(1, usize::from),
            kernel: or_unknown(&read("/proc/sys/kernel/osrelease")),
            memory_mib: kib.unwrap_or(0_u64) / 1024,
            congestion_control: or_unknown(&read("/proc/sys/net/ipv4/tcp_congestion_control")),
            floor_us: None,
        }
    }
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

fn or_unknown(text: &str) -> String {
    let text = text.trim();
    if text.is_empty() {
        "unknown".to_owned()
    } else {
        text.to_owned()
    }
}

/// The value of the first `name : value` line.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let mut pairs = text.lines().filter_map(|line| line.split_once(':'));
    pairs
        .find(|(key, _)| key.trim() == name)
        .map(|(_, value)| value.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found_by_its_whole_name() {
        let text = "MemTotal:  24 kB\nMemTotalExtra: 9\nmodel name\t: Fast CPU\n";
        assert_eq!(field(text, "MemTotal"), Some("24 kB"));
        assert_eq!(field(text, "model name"), Some("Fast CPU"));
        assert_eq!(field(text, "model"), None);
    }
}
