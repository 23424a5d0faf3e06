//! The load generator as a process: `bench_load PLAN`, where the plan is JSON.

use anyhow::Context;

fn main() -> anyhow::Result<()> {
    let plan = std::env::args().nth(1).context("usage: bench_load PLAN")?;
    let plan = serde_json::from_str(&plan).context("the plan cannot be read")?;
    gatewright_benches::load::run(plan, std::io::stdin().lock(), std::io::stdout().lock())
}
