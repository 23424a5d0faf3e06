//! Names for everything that can go wrong with a request: whose side, in which phase, and what.
//!
//! A failure is named where it is born, and nowhere is there a catch-all: a new way to fail is a
//! new variant, and the compiler then asks every table what it means.

/// Whose doing a failure was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    Client,
    Gateway,
    Backend,
}

/// What was being done when it happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    Accept,
    Tls,
    Head,
    Select,
    Dns,
    Connect,
    BackendTls,
    Send,
    HeadWait,
    Body,
}

/// The access log's `error_info`, as the service names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorInfo {
    NoError,
    InvalidMethod,
    InvalidRequest,
    InvalidVersion,
    Invalid09Method,
    InvalidHost,
    InvalidContentLength,
    InvalidMethodTrace,
    ClientClosedRequest,
    RequestUriInvalid,
    HttpNoHostHeader,
    HttpToHttpsPort,
    InvalidHeader,
    ClientTimedOut,
    UpstreamNoLive,
    UpstreamClosedConnection,
    UpstreamTimedOut,
}

impl ErrorInfo {
    /// The value in the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoError => "ERRORINFO_NO_ERROR",
            Self::InvalidMethod => "ERRORINFO_INVALID_METHOD",
            Self::InvalidRequest => "ERRORINFO_INVALID_REQUEST",
            Self::InvalidVersion => "ERRORINFO_INVALID_VERSION",
            Self::Invalid09Method => "ERRORINFO_INVALID_09_METHOD",
            Self::InvalidHost => "ERRORINFO_INVALID_HOST",
            Self::InvalidContentLength => "ERRORINFO_INVALID_CONTENT_LENGTH",
            Self::InvalidMethodTrace => "ERRORINFO_INVALID_METHOD_TRACE",
            Self::ClientClosedRequest => "ERRORINFO_CLIENT_CLOSED_REQUEST",
            Self::RequestUriInvalid => "ERRORINFO_REQUEST_URI_INVALID",
            Self::HttpNoHostHeader => "ERRORINFO_HTTP_NO_HOST_HEADER",
            Self::HttpToHttpsPort => "ERRORINFO_HTTP_TO_HTTPS_PORT",
            Self::InvalidHeader => "ERRORINFO_INVALID_HEADER",
            Self::ClientTimedOut => "ERRORINFO_CLIENT_TIMED_OUT",
            Self::UpstreamNoLive => "ERRORINFO_UPSTREAM_NO_LIVE",
            Self::UpstreamClosedConnection => "ERRORINFO_UPSTREAM_CLOSED_CONNECTION",
            Self::UpstreamTimedOut => "ERRORINFO_UPSTREAM_TIMED_OUT",
        }
    }
}

macro_rules! failures {
    ($($(#[$doc:meta])* $name:ident: $side:ident, $phase:ident, $info:ident, $status:literal,
        $code:literal, $fact:literal;)*) => {
        /// One way in which a request can fail.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Failure {
            $($(#[$doc])* $name,)*
        }

        impl Failure {
            /// Every failure, for tables and documentation.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            pub fn side(self) -> Side {
                match self { $(Self::$name => Side::$side,)* }
            }

            pub fn phase(self) -> Phase {
                match self { $(Self::$name => Phase::$phase,)* }
            }

            /// How the service's access log names it; its own names are coarser than ours.
            pub fn error_info(self) -> ErrorInfo {
                match self { $(Self::$name => ErrorInfo::$info,)* }
            }

            /// The status of the gateway's answer, where one can still be sent. 499 is logged
            /// only.
            pub fn status(self) -> u16 {
                match self { $(Self::$name => $status,)* }
            }

            /// A stable name for logs and tools.
            pub fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// The failure that has this code.
            pub fn of_code(code: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.code() == code)
            }

            /// What happened, as a clause without a verdict.
            pub fn fact(self) -> &'static str {
                match self { $(Self::$name => $fact,)* }
            }
        }
    };
}

failures! {
    /// The head is not HTTP.
    RequestMalformed: Client, Head, InvalidRequest, 400, "request-malformed",
        "the request's head is not valid HTTP/1.1";
    /// A method that is no token.
    MethodInvalid: Client, Head, InvalidMethod, 400, "method-invalid",
        "the request's method is no word of capital letters, as all known ones are";
    /// TRACE is refused; the status is inferred from the service's custom error pages.
    MethodTrace: Client, Head, InvalidMethodTrace, 405, "method-trace",
        "the method TRACE is not supported";
    /// CONNECT is refused: this is no forward proxy.
    MethodConnect: Client, Head, InvalidMethod, 405, "method-connect",
        "the method CONNECT is not supported";
    VersionInvalid: Client, Head, InvalidVersion, 400, "version-invalid",
        "the request's HTTP version is not 1.0 or 1.1";
    VersionMissing: Client, Head, Invalid09Method, 400, "version-missing",
        "the request line has no HTTP version (HTTP/0.9)";
    TargetInvalid: Client, Head, RequestUriInvalid, 400, "target-invalid",
        "the request's target has characters that no URI has, or a form that is not accepted";
    /// Over 32 KB, a limit of the service; the status is not documented.
    TargetTooLong: Client, Head, RequestUriInvalid, 414, "target-too-long",
        "the request's target is longer than 32 KB";
    /// Over 32 KB, a limit of the service; the status is not documented.
    HeaderTooLarge: Client, Head, InvalidRequest, 431, "header-too-large",
        "the request's header is larger than 32 KB, or has too many fields";
    HeaderInvalid: Client, Head, InvalidHeader, 400, "header-invalid",
        "a header field of the request is malformed";
    HeaderRepeated: Client, Head, InvalidRequest, 400, "header-repeated",
        "a header field that may stand once stands twice";
    HostMissing: Client, Head, HttpNoHostHeader, 400, "host-missing",
        "the request has no Host";
    HostInvalid: Client, Head, InvalidHost, 400, "host-invalid",
        "the request's Host is malformed, repeated, or disagrees with its target";
    ContentLengthInvalid: Client, Head, InvalidContentLength, 400, "content-length-invalid",
        "Content-Length is not a number, or is repeated with differing values";
    /// What request smuggling is made of.
    FramingAmbiguous: Client, Head, InvalidRequest, 400, "framing-ambiguous",
        "the request has both Content-Length and Transfer-Encoding";
    TransferEncodingInvalid: Client, Head, InvalidRequest, 400, "transfer-encoding-invalid",
        "Transfer-Encoding is anything but a final chunked";
    LengthRequired: Client, Head, InvalidContentLength, 400, "length-required",
        "a POST has neither Content-Length nor Transfer-Encoding";
    PlainHttpOnTlsPort: Client, Tls, HttpToHttpsPort, 400, "plain-http-on-tls-port",
        "plain HTTP was sent to an HTTPS port";
    UpgradeRefused: Client, Head, InvalidRequest, 403, "upgrade-h2c-refused",
        "an upgrade to h2c is not supported";
    WebSocketUnsupported: Gateway, Select, InvalidRequest, 501, "websocket-unsupported",
        "an upgrade to another protocol is not supported yet";
    ExpectationUnknown: Client, Head, InvalidHeader, 417, "expectation-unknown",
        "Expect asks for something other than 100-continue";
    HeadTimedOut: Client, Head, ClientTimedOut, 408, "head-timed-out",
        "the client did not finish the request's head in time";
    BodyTimedOut: Client, Body, ClientTimedOut, 408, "body-timed-out",
        "the client sent less than 1 KiB of the request's body within its time";
    BodyMalformed: Client, Body, InvalidRequest, 400, "body-malformed",
        "the request's chunked body is malformed";
    BodyTooLarge: Client, Body, InvalidContentLength, 413, "body-too-large",
        "the request's body is larger than 4 GB (v1: 2 GB)";
    ClientClosedInHead: Client, Head, ClientClosedRequest, 499, "client-closed-in-head",
        "the client closed the connection within the request's head";
    ClientClosedInBody: Client, Body, ClientClosedRequest, 499, "client-closed-in-body",
        "the client closed the connection within the request's body";
    ClientClosedWaiting: Client, HeadWait, ClientClosedRequest, 499, "client-closed-waiting",
        "the client closed the connection before the backend had answered";
    ClientClosedInAnswer: Client, Body, ClientClosedRequest, 499, "client-closed-in-answer",
        "the client closed the connection within the answer";
    /// A client that stopped reading.
    ClientStalled: Client, Body, ClientTimedOut, 499, "client-stalled",
        "the client read nothing of the answer for too long";
    NoListener: Client, Select, InvalidHost, 404, "no-listener",
        "the request's Host belongs to no listener";
    GatewayStopped: Gateway, Select, UpstreamNoLive, 502, "gateway-stopped",
        "the gateway is stopped";
    GatewayFailed: Gateway, Select, UpstreamNoLive, 502, "gateway-failed",
        "the gateway's last change failed, and it has no earlier configuration to serve";
    PoolEmpty: Gateway, Select, UpstreamNoLive, 502, "pool-empty",
        "the backend pool has no member";
    /// By the verdict of the probes.
    NoHealthyServer: Backend, Select, UpstreamNoLive, 502, "no-healthy-server",
        "no server of the backend pool is healthy";
    NameUnresolved: Backend, Dns, UpstreamNoLive, 502, "name-unresolved",
        "no name of the backend pool's members could be resolved";
    ConnectRefused: Backend, Connect, UpstreamNoLive, 502, "connect-refused",
        "the server refused the connection";
    ConnectTimedOut: Backend, Connect, UpstreamNoLive, 502, "connect-timed-out",
        "the server did not accept the connection in time";
    ConnectReset: Backend, Connect, UpstreamNoLive, 502, "connect-reset",
        "the connection was reset while it was made";
    Unreachable: Backend, Connect, UpstreamNoLive, 502, "unreachable",
        "the server's address is not reachable from here";
    /// This machine ran out of ports, descriptors or memory.
    ConnectResources: Gateway, Connect, UpstreamNoLive, 502, "connect-resources",
        "this machine has no port, descriptor or memory left for a connection";
    BackendTlsTimedOut: Backend, BackendTls, UpstreamTimedOut, 502, "backend-tls-timed-out",
        "the server did not finish the TLS handshake in time";
    BackendTlsClosed: Backend, BackendTls, UpstreamClosedConnection, 502, "backend-tls-closed",
        "the server closed the connection within the TLS handshake";
    BackendTlsAlert: Backend, BackendTls, UpstreamClosedConnection, 502, "backend-tls-alert",
        "the server ended the TLS handshake with an alert";
    BackendTlsProtocol: Backend, BackendTls, UpstreamClosedConnection, 502,
        "backend-tls-protocol",
        "the server's side of the TLS handshake is not valid TLS 1.2 or 1.3";
    BackendCertificateName: Backend, BackendTls, UpstreamNoLive, 502, "backend-certificate-name",
        "the server's certificate is for another name";
    BackendCertificateDates: Backend, BackendTls, UpstreamNoLive, 502,
        "backend-certificate-dates",
        "the server's certificate is not valid at this time";
    BackendCertificateUntrusted: Backend, BackendTls, UpstreamNoLive, 502,
        "backend-certificate-untrusted",
        "the server's certificate is not signed by an authority that the setting trusts";
    BackendCertificateInvalid: Backend, BackendTls, UpstreamNoLive, 502,
        "backend-certificate-invalid",
        "the server's certificate is malformed or not fit for a server";
    BackendSendFailed: Backend, Send, UpstreamClosedConnection, 502, "backend-send-failed",
        "the server closed the connection while the request was sent";
    BackendSendTimedOut: Backend, Send, UpstreamTimedOut, 504, "backend-send-timed-out",
        "the server did not take the request in time";
    BackendClosedUnanswered: Backend, HeadWait, UpstreamClosedConnection, 502,
        "backend-closed-unanswered",
        "the server closed the connection without an answer";
    BackendResetUnanswered: Backend, HeadWait, UpstreamClosedConnection, 502,
        "backend-reset-unanswered",
        "the server reset the connection without an answer";
    BackendTimedOut: Backend, HeadWait, UpstreamTimedOut, 504, "backend-timed-out",
        "the server did not answer within the setting's request timeout";
    /// As above, on a v1 gateway, which answers 502.
    BackendTimedOutV1: Backend, HeadWait, UpstreamTimedOut, 502, "backend-timed-out-v1",
        "the server did not answer within the setting's request timeout";
    BackendHeadInvalid: Backend, HeadWait, UpstreamClosedConnection, 502,
        "backend-head-invalid",
        "the server's answer is not valid HTTP/1.1";
    BackendHeadTooLarge: Backend, HeadWait, UpstreamClosedConnection, 502,
        "backend-head-too-large",
        "the head of the server's answer is larger than 64 KB";
    BackendFramingAmbiguous: Backend, HeadWait, UpstreamClosedConnection, 502,
        "backend-framing-ambiguous",
        "the server's answer has contradictory lengths";
    BackendBodyClosed: Backend, Body, UpstreamClosedConnection, 502, "backend-body-closed",
        "the server closed the connection within its answer";
    BackendBodyMalformed: Backend, Body, UpstreamClosedConnection, 502,
        "backend-body-malformed",
        "the chunked body of the server's answer is malformed";
    BackendBodyTimedOut: Backend, Body, UpstreamTimedOut, 504, "backend-body-timed-out",
        "the server stopped within its answer for longer than the setting's request timeout";
    /// Its drain time is over.
    ServerDrained: Gateway, Body, UpstreamClosedConnection, 502, "server-drained",
        "the server has left the pool and its drain time is over";
    ShuttingDown: Gateway, Body, UpstreamClosedConnection, 502, "shutting-down",
        "the gateway shut down before the request was done";
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn codes_are_unique_and_in_kebab_case() {
        let mut seen = HashSet::new();
        for failure in Failure::ALL {
            let code = failure.code();
            assert!(seen.insert(code), "{code} names two failures");
            assert!(
                code.bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
            );
        }
    }

    #[test]
    fn a_clients_failure_is_never_a_5xx() {
        for failure in Failure::ALL {
            let class = failure.status() / 100;
            match failure.side() {
                Side::Client => assert_eq!(class, 4, "{}", failure.code()),
                Side::Gateway | Side::Backend => assert_eq!(class, 5, "{}", failure.code()),
            }
        }
    }
}
