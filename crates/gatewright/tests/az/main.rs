//! The Azure CLI, unmodified, against the real binary.
//!
//! `cargo xtask test` installs it into an environment of its own, which it names in
//! `GATEWRIGHT_AZ_VENV`. Without one these tests are skipped, and say so.

#[path = "../replay/plane.rs"]
mod plane;
mod site;
#[allow(dead_code, reason = "what starts the binary is used, and that alone")]
#[path = "../cli/support.rs"]
mod support;

mod deployments;
mod gateway;
mod guide;
mod lookups;
mod neighbours;
mod parts;
mod stage;
mod tour;
mod web;
