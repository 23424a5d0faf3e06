//! One module for each command.

pub(crate) mod az_setup;
pub(crate) mod backup;
pub(crate) mod collect;
pub(crate) mod demo;
pub(crate) mod diagnose;
pub(crate) mod diff;
pub(crate) mod explain;
pub(crate) mod fix;
pub(crate) mod health;
pub(crate) mod mcp;
pub(crate) mod predict;
pub(crate) mod probe;
pub(crate) mod reload;
pub(crate) mod restore;
pub(crate) mod serve;
pub(crate) mod sp;
pub(crate) mod status;
pub(crate) mod validate;
pub(crate) mod why;
