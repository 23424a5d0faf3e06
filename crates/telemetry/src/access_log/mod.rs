//! The access log: from records to lines, and from lines to a file.

mod encode;
mod file;
mod json;
mod sink;

pub use encode::AccessLogEncoder;
pub use file::Rotation;
pub use sink::{AccessLog, AccessLogStatus, AccessLogTarget};
