//! Pins itself, binds its life to its parent's, and becomes another program:
//! `bench_launch CPU[,CPU…] PROGRAM [ARGUMENT…]`.

fn main() -> anyhow::Result<()> {
    Err(gatewright_benches::process::launch(
        std::env::args_os().skip(1),
    ))
}
