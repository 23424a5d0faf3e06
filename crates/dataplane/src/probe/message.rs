//! Which sentence of the report a failure of a probe is told with.

use gatewright_telemetry::{Failure, HealthMessage};
use rustls::{AlertDescription, Error, InvalidMessage, PeerIncompatible};

/// The sentence for a failure on the way to an answer. `tls`: what the TLS library says of it.
///
/// Every failure is named, also those that only requests meet, so that a new one is not forgotten;
/// for them the sentence says no more than is certain.
pub(super) fn of_failure(failure: Failure, tls: Option<&Error>) -> HealthMessage {
    use Failure as F;
    use HealthMessage as M;
    match failure {
        F::ConnectRefused => M::ConnectRefused,
        F::ConnectTimedOut => M::ConnectTimedOut,
        F::ConnectReset => M::ConnectReset,
        F::Unreachable => M::AddressUnreachable,
        F::ConnectResources => M::NoResources,
        F::BackendTlsTimedOut
        | F::BackendSendTimedOut
        | F::BackendTimedOut
        | F::BackendTimedOutV1
        | F::BackendBodyTimedOut => M::TimedOut,
        F::BackendTlsClosed => M::TlsClosed,
        F::BackendTlsAlert | F::BackendTlsProtocol => tls.map_or(M::TlsProtocol, of_tls_error),
        F::BackendCertificateName => M::CertificateName,
        F::BackendCertificateDates => M::CertificateDates,
        F::BackendCertificateUntrusted | F::BackendCertificateInvalid => M::CertificateUnverified,
        F::BackendSendFailed | F::BackendClosedUnanswered => M::ClosedUnanswered,
        F::BackendResetUnanswered => M::ResetUnanswered,
        F::BackendHeadInvalid | F::BackendFramingAmbiguous | F::BackendBodyMalformed => M::NotHttp,
        F::BackendHeadTooLarge => M::AnswerTooLarge,
        F::BackendBodyClosed => M::ClosedWithinAnswer,
        F::NameUnresolved => M::NameUnanswered,
        F::RequestMalformed
        | F::MethodInvalid
        | F::MethodTrace
        | F::MethodConnect
        | F::VersionInvalid
        | F::VersionMissing
        | F::TargetInvalid
        | F::TargetTooLong
        | F::HeaderTooLarge
        | F::HeaderInvalid
        | F::HeaderRepeated
        | F::HostMissing
        | F::HostInvalid
        | F::ContentLengthInvalid
        | F::FramingAmbiguous
        | F::TransferEncodingInvalid
        | F::LengthRequired
        | F::PlainHttpOnTlsPort
        | F::UpgradeRefused
        | F::WebSocketUnsupported
        | F::ExpectationUnknown
        | F::HeadTimedOut
        | F::BodyTimedOut
        | F::BodyMalformed
        | F::BodyTooLarge
        | F::ClientClosedInHead
        | F::ClientClosedInBody
        | F::ClientClosedWaiting
        | F::ClientClosedInAnswer
        | F::ClientStalled
        | F::NoListener
        | F::GatewayStopped
        | F::GatewayFailed
        | F::PoolEmpty
        | F::NoHealthyServer
        | F::ServerDrained
        | F::ShuttingDown => M::NotProbed,
    }
}

fn of_tls_error(error: &Error) -> HealthMessage {
    match error {
        Error::AlertReceived(AlertDescription::ProtocolVersion)
        | Error::PeerIncompatible(
            PeerIncompatible::ServerDoesNotSupportTls12Or13
            | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
        ) => HealthMessage::TlsVersion,
        Error::AlertReceived(_) => HealthMessage::TlsAlert,
        Error::NoCertificatesPresented => HealthMessage::LeafMissing,
        // What is TLS, but not as the standard has it, or not as we take it.
        Error::InvalidMessage(InvalidMessage::HandshakePayloadTooLarge)
        | Error::PeerIncompatible(_)
        | Error::PeerMisbehaved(_)
        | Error::DecryptError
        | Error::InvalidCertificate(_) => HealthMessage::TlsUnfit,
        _ => HealthMessage::TlsProtocol,
    }
}

/// What the TLS library says, in plain words where its own are none.
pub(super) fn in_plain_words(error: &Error) -> String {
    match error {
        Error::InvalidMessage(InvalidMessage::HandshakePayloadTooLarge) => {
            "its certificates, or another message of its handshake, have more than 64 KiB"
                .to_owned()
        }
        Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
            "what it sends is no TLS; does it expect HTTP on this port?".to_owned()
        }
        other => other.to_string(),
    }
}

/// An alert's name as the standard writes it: `handshake_failure`.
pub(super) fn alert_name(error: &Error) -> Option<String> {
    let Error::AlertReceived(alert) = error else {
        return None;
    };
    let mut name = String::new();
    for c in format!("{alert:?}").chars() {
        if c.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(c.to_ascii_lowercase());
    }
    // The library spells two of them in its own way.
    let name = name.replace("unknown_c_a", "unknown_ca");
    Some(name.replace("unrecognised", "unrecognized"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alerts_have_the_standards_names() {
        let name = |alert| alert_name(&Error::AlertReceived(alert)).unwrap();
        assert_eq!(
            name(AlertDescription::HandshakeFailure),
            "handshake_failure"
        );
        assert_eq!(name(AlertDescription::UnknownCA), "unknown_ca");
        assert_eq!(
            name(AlertDescription::UnrecognisedName),
            "unrecognized_name"
        );
    }

    #[test]
    fn an_older_tls_is_told_as_that() {
        let version = Error::AlertReceived(AlertDescription::ProtocolVersion);
        let found = of_failure(Failure::BackendTlsAlert, Some(&version));
        assert_eq!(found, HealthMessage::TlsVersion);
        let other = Error::AlertReceived(AlertDescription::HandshakeFailure);
        let found = of_failure(Failure::BackendTlsAlert, Some(&other));
        assert_eq!(found, HealthMessage::TlsAlert);
    }
}
