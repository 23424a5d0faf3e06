//! The Azure CLI and the Azure SDK for Python, unmodified, against the real binary.
//!
//! `cargo xtask test` installs them into environments of their own, which it names in
//! `GATEWRIGHT_AZ_VENV` and `GATEWRIGHT_SDK_VENV`. Without them these tests are skipped, and say
//! so.
//!
//! `tour` is the first minutes of a user, `guide` the repair of a gateway that answers 502, `sdk`
//! the page about the SDK; the others are one story each about a family of az's commands.

#[path = "../replay/plane.rs"]
mod plane;
mod site;
#[allow(dead_code, reason = "what starts the binary is used, and that alone")]
#[path = "../cli/support.rs"]
mod support;

mod collect;
mod deployments;
mod gateway;
mod guide;
mod logins;
mod lookups;
mod neighbours;
mod parts;
mod remedies;
mod sdk;
mod stage;
mod tour;
mod vault;
mod web;
