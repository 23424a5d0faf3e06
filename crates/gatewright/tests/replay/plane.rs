//! A node with an empty control plane, as a process.

use std::path::Path;
use std::sync::atomic::{AtomicU16, Ordering};

use serde_json::Value;

use crate::support::Process;

/// What is added to frontend ports of a node: beyond the ports that need rights, below those that
/// the system gives away, elsewhere for every process that runs this, and for each of its nodes.
pub(crate) fn port_offset() -> u16 {
    const FIRST: u16 = 11_000;
    static NODES: AtomicU16 = AtomicU16::new(0);
    let process = (std::process::id() % 50) as u16;
    FIRST + process * 200 + NODES.fetch_add(1, Ordering::Relaxed) * 3
}

/// Serves what will lie in `data`, with `more` arguments; with the ready line.
pub(crate) fn serve(data: &Path, port_offset: u16, more: &[&str]) -> (Process, Value) {
    let data = data.display().to_string();
    let offset = port_offset.to_string();
    let mut arguments = vec!["serve", "--data-dir", &data, "--control", "127.0.0.1:0"];
    arguments.extend(["--port-offset", &offset, "--workers", "1", "-o", "json"]);
    arguments.extend(more);
    let process = Process::start(&arguments);
    let ready = serde_json::from_str(&process.next_line()).unwrap();
    (process, ready)
}
