//! The header fields that the gateway knows, told apart by length first.

/// A request header field that is not merely copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RequestField {
    Host,
    ContentLength,
    TransferEncoding,
    Connection,
    Upgrade,
    Expect,
    Cookie,
    UserAgent,
    Authorization,
    XForwardedFor,
    /// Keep-Alive, Proxy-Connection, TE, Trailer: for this hop only.
    HopByHop,
    /// A field that only the gateway itself may send to a backend.
    GatewayOwn,
    Other,
}

/// A response header field that is not merely copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ResponseField {
    ContentLength,
    TransferEncoding,
    Connection,
    ContentType,
    /// Keep-Alive, Proxy-Connection, TE, Trailer, Upgrade: for this hop only.
    HopByHop,
    Other,
}

pub(crate) fn request_field(name: &[u8]) -> RequestField {
    let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
    match name.len() {
        2 if is("te") => RequestField::HopByHop,
        4 if is("host") => RequestField::Host,
        6 if is("cookie") => RequestField::Cookie,
        6 if is("expect") => RequestField::Expect,
        7 if is("upgrade") => RequestField::Upgrade,
        7 if is("trailer") => RequestField::HopByHop,
        10 if is("connection") => RequestField::Connection,
        10 if is("user-agent") => RequestField::UserAgent,
        10 if is("keep-alive") => RequestField::HopByHop,
        13 if is("authorization") => RequestField::Authorization,
        14 if is("content-length") => RequestField::ContentLength,
        14 if is("x-original-url") => RequestField::GatewayOwn,
        15 if is("x-forwarded-for") => RequestField::XForwardedFor,
        15 if is("x-original-host") => RequestField::GatewayOwn,
        16 if is("x-forwarded-port") || is("x-appgw-trace-id") => RequestField::GatewayOwn,
        16 if is("proxy-connection") => RequestField::HopByHop,
        17 if is("transfer-encoding") => RequestField::TransferEncoding,
        17 if is("x-forwarded-proto") => RequestField::GatewayOwn,
        23 if is("x-azure-ja4-fingerprint") => RequestField::GatewayOwn,
        _ => RequestField::Other,
    }
}

pub(crate) fn response_field(name: &[u8]) -> ResponseField {
    let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
    match name.len() {
        2 if is("te") => ResponseField::HopByHop,
        7 if is("upgrade") || is("trailer") => ResponseField::HopByHop,
        10 if is("connection") => ResponseField::Connection,
        10 if is("keep-alive") => ResponseField::HopByHop,
        12 if is("content-type") => ResponseField::ContentType,
        14 if is("content-length") => ResponseField::ContentLength,
        16 if is("proxy-connection") => ResponseField::HopByHop,
        17 if is("transfer-encoding") => ResponseField::TransferEncoding,
        _ => ResponseField::Other,
    }
}

/// The elements of a comma-separated field value, without blanks around them or empty ones.
pub(crate) fn list_elements(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value
        .split(|byte| *byte == b',')
        .map(<[u8]>::trim_ascii)
        .filter(|element| !element.is_empty())
}

/// Whether a byte may stand in a token (RFC 9110, section 5.6.2).
pub(crate) fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Whether the gateway passes a request field of this name on: letters, digits and hyphens only.
/// Others are dropped in silence, as the service does.
pub(crate) fn is_forwardable_request_name(name: &[u8]) -> bool {
    name.iter()
        .all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
}
