//! The static backend as a process: `bench_backend PORT [shared]`.

use anyhow::Context;

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let port = arguments
        .next()
        .context("usage: bench_backend PORT [shared]")?;
    let port = port.parse().context("the port must be a number")?;
    let shared = arguments.next().is_some_and(|word| word == "shared");
    gatewright_benches::backend::serve(gatewright_benches::backend::listen(port, shared)?)
}
