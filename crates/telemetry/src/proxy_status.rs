//! Failures as other software names them.

use crate::Failure;

impl Failure {
    /// The type of error that RFC 9209 (`Proxy-Status`, section 2.3) has for it.
    pub fn proxy_error(self) -> &'static str {
        match self {
            Self::RequestMalformed
            | Self::MethodInvalid
            | Self::MethodTrace
            | Self::MethodConnect
            | Self::VersionInvalid
            | Self::VersionMissing
            | Self::TargetInvalid
            | Self::TargetTooLong
            | Self::HeaderTooLarge
            | Self::HeaderInvalid
            | Self::HeaderRepeated
            | Self::HostMissing
            | Self::HostInvalid
            | Self::ContentLengthInvalid
            | Self::FramingAmbiguous
            | Self::TransferEncodingInvalid
            | Self::LengthRequired
            | Self::PlainHttpOnTlsPort
            | Self::ExpectationUnknown
            | Self::HeadTimedOut
            | Self::BodyTimedOut
            | Self::BodyMalformed
            | Self::BodyTooLarge
            | Self::ClientClosedInHead
            | Self::ClientClosedInBody
            | Self::ClientClosedWaiting
            | Self::ClientClosedInAnswer
            | Self::ClientStalled => "http_request_error",
            Self::UpgradeRefused => "http_request_denied",
            Self::WebSocketUnsupported => "http_upgrade_failed",
            Self::NoListener => "destination_not_found",
            Self::GatewayStopped
            | Self::PoolEmpty
            | Self::NoHealthyServer
            | Self::ServerDrained => "destination_unavailable",
            Self::GatewayFailed => "proxy_configuration_error",
            Self::NameUnresolved => "dns_error",
            Self::ConnectRefused => "connection_refused",
            Self::ConnectTimedOut => "connection_timeout",
            Self::ConnectReset
            | Self::BackendSendFailed
            | Self::BackendClosedUnanswered
            | Self::BackendResetUnanswered => "connection_terminated",
            Self::Unreachable => "destination_ip_unroutable",
            Self::ConnectResources | Self::ShuttingDown => "proxy_internal_error",
            Self::BackendTlsTimedOut => "connection_read_timeout",
            Self::BackendTlsClosed | Self::BackendTlsProtocol => "tls_protocol_error",
            Self::BackendTlsAlert => "tls_alert_received",
            Self::BackendCertificateName
            | Self::BackendCertificateDates
            | Self::BackendCertificateUntrusted
            | Self::BackendCertificateInvalid => "tls_certificate_error",
            Self::BackendSendTimedOut => "connection_write_timeout",
            Self::BackendTimedOut | Self::BackendTimedOutV1 | Self::BackendBodyTimedOut => {
                "http_response_timeout"
            }
            Self::BackendHeadInvalid | Self::BackendFramingAmbiguous => "http_protocol_error",
            Self::BackendHeadTooLarge => "http_response_header_section_size",
            Self::BackendBodyClosed => "http_response_incomplete",
            Self::BackendBodyMalformed => "http_response_transfer_coding",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Side;

    /// Section 2.3 of the RFC.
    const TYPES: [&str; 31] = [
        "dns_timeout",
        "dns_error",
        "destination_not_found",
        "destination_unavailable",
        "destination_ip_prohibited",
        "destination_ip_unroutable",
        "connection_refused",
        "connection_terminated",
        "connection_timeout",
        "connection_read_timeout",
        "connection_write_timeout",
        "connection_limit_reached",
        "tls_protocol_error",
        "tls_certificate_error",
        "tls_alert_received",
        "http_request_error",
        "http_request_denied",
        "http_response_incomplete",
        "http_response_header_section_size",
        "http_response_header_size",
        "http_response_body_size",
        "http_response_trailer_section_size",
        "http_response_trailer_size",
        "http_response_transfer_coding",
        "http_response_content_coding",
        "http_response_timeout",
        "http_upgrade_failed",
        "http_protocol_error",
        "proxy_internal_response",
        "proxy_internal_error",
        "proxy_configuration_error",
    ];

    #[test]
    fn every_failure_has_a_type_of_the_rfc() {
        for failure in Failure::ALL {
            let error = failure.proxy_error();
            assert!(TYPES.contains(&error), "{}: {error}", failure.code());
            // Of what a client does wrong, or asks for that is not there.
            let is_of_client =
                error.starts_with("http_request") || error == "destination_not_found";
            assert_eq!(
                is_of_client,
                failure.side() == Side::Client,
                "{}",
                failure.code()
            );
        }
    }
}
