//! The access log: from records to lines, and from lines to a file.

mod encode;
mod json;

pub use encode::AccessLogEncoder;
