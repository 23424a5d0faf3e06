//! One module for each command.

pub(crate) mod demo;
pub(crate) mod health;
pub(crate) mod probe;
pub(crate) mod reload;
pub(crate) mod serve;
pub(crate) mod status;
pub(crate) mod validate;
