//! The real binary with a control plane, driven over HTTPS: what clients of a gateway see while
//! its changes succeed and fail, and while the process goes and comes back.

mod failed;
#[allow(
    dead_code,
    reason = "one client over standard input and output is used"
)]
#[path = "../cli/mcp_client.rs"]
mod mcp_client;
mod mending;
#[path = "../replay/plane.rs"]
mod plane;
mod rest;
mod site;
#[allow(dead_code, reason = "what starts the binary, and one gateway, is used")]
#[path = "../cli/support.rs"]
mod support;
