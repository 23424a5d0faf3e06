//! Network policies from the outside.

mod oracle;
mod preconditions;
mod support;
mod verdicts;
