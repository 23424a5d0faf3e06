//! HTTP/1.1 as bytes: heads, framing, chunked bodies. No sockets, no clock.

pub(crate) mod chunked;
pub(crate) mod fields;
pub(crate) mod framing;
pub(crate) mod host;
pub(crate) mod names;
pub(crate) mod request;
pub(crate) mod response;
pub(crate) mod scan;
