//! The real binary, run as a user runs it.

mod collect;
mod demo;
mod diff;
mod explain;
mod health;
mod health_events;
mod live_diagnosis;
mod mcp;
mod mcp_client;
mod mcp_fix;
mod network;
mod probe;
mod probe_openssl;
mod serve;
mod support;
mod templates;
mod validate;
