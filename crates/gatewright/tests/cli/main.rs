//! The real binary, run as a user runs it.

mod serve;
mod support;
mod validate;
