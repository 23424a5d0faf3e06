//! Putting facts into the places of a sentence.

use super::HealthMessage;

/// Longest text of a backend or a configuration that goes into a sentence, in characters.
const TEXT_CHARS_MAX: usize = 4_096;

/// What stands in the places of a sentence. A sentence without a place ignores it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fill<'a> {
    /// What the probe counts as healthy: `200-399`, or several, separated by commas.
    pub expected: &'a str,
    /// The status that was received.
    pub received: Option<u16>,
    /// A text that the message speaks of: the wanted part of a body, a TLS alert.
    pub text: &'a str,
    /// OpenSSL's number for a defect of a certificate (`X509_V_ERR_…`).
    pub openssl: Option<u32>,
}

impl HealthMessage {
    /// The sentence for `fill`. Characters that would break a line or a terminal are replaced.
    pub fn render(self, fill: &Fill<'_>) -> String {
        let number = |number: Option<u32>| number.map_or_else(String::new, |n| n.to_string());
        let mut text = String::new();
        let mut rest = self.template();
        while let Some((before, place, after)) = next_place(rest) {
            text.push_str(before);
            match place {
                "expected" => text.push_str(&harmless(fill.expected)),
                "received" => text.push_str(&number(fill.received.map(u32::from))),
                "text" => text.push_str(&harmless(fill.text)),
                "openssl" => text.push_str(&number(fill.openssl)),
                _ => debug_assert!(false, "no such place: {place}"),
            }
            rest = after;
        }
        text.push_str(rest);
        text
    }
}

/// The text before the next place, the place's name, and what comes behind it.
fn next_place(template: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = template.split_once('{')?;
    let (place, after) = rest.split_once('}')?;
    Some((before, place, after))
}

fn harmless(text: &str) -> String {
    let visible = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    let mut short: String = text.chars().take(TEXT_CHARS_MAX).map(visible).collect();
    if text.chars().nth(TEXT_CHARS_MAX).is_some() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::Wording;

    #[test]
    fn places_are_filled() {
        let fill = Fill {
            expected: "200-399",
            received: Some(404),
            text: "it works",
            openssl: Some(20),
        };
        assert_eq!(
            HealthMessage::StatusMismatch.render(&fill),
            "Status code of the backend's HTTP response did not match the probe setting. \
             Expected:200-399 Received:404."
        );
        assert_eq!(
            HealthMessage::BodyMismatch.render(&fill),
            "Body of the backend's HTTP response did not match the probe setting. Received \
             response body doesn't contain it works."
        );
        let unverified = HealthMessage::CertificateUnverified.render(&fill);
        assert!(unverified.ends_with("error code 20"), "{unverified}");
        let success = HealthMessage::Success.render(&fill);
        assert_eq!(success, "Success. Received 404 status code");
    }

    #[test]
    fn every_place_of_every_sentence_is_known() {
        for message in HealthMessage::ALL {
            for template in [message.template()].iter().chain(message.older_wordings()) {
                let mut rest = *template;
                while let Some((_, place, after)) = next_place(rest) {
                    assert!(
                        ["expected", "received", "text", "openssl"].contains(&place),
                        "{place} in {}",
                        message.code()
                    );
                    rest = after;
                }
            }
        }
    }

    #[test]
    fn what_a_backend_sends_cannot_break_a_line() {
        let fill = Fill {
            text: "a\r\nb\u{1b}[31m",
            ..Fill::default()
        };
        let text = HealthMessage::TlsAlert.render(&fill);
        assert!(!text.contains(char::is_control), "{text:?}");
        let long = "x".repeat(TEXT_CHARS_MAX + 9);
        let fill = Fill {
            text: &long,
            ..Fill::default()
        };
        assert!(HealthMessage::BodyMismatch.render(&fill).len() < TEXT_CHARS_MAX + 200);
    }

    #[test]
    fn codes_are_unique_and_error_names_are_the_services() {
        // The values that the service was seen to send or is documented to have.
        const NAMES: [&str; 23] = [
            "SuccessWithStatusCode",
            "HttpStatusCodeMismatchWithStatusCode",
            "Unknown",
            "Timeout",
            "HostNameNotResolved",
            "AddressNotReachable",
            "PortNotReachable",
            "ServerNotReachable",
            "HttpResponseBodyMismatch",
            "BackendServerCertificateNotWhitelisted",
            "BackendCertInvalidCA",
            "BackendCertInvalidCN",
            "BackendSecureConnectionError",
            "GatewayNotReachable",
            "CertVerificationFailed",
            "BackendServerCertificateNotTrustedByRootCertificates",
            "TrustedCertsNotLoaded",
            "BackendCertificateCNMismatchWithProbeHostName",
            "BackendServerCertificateExpired",
            "IncorrectBackendCertificateChainLeafCertificateIsNotTopmostCertificate",
            "IncorrectBackendCertificateChainMissingLeafCertificate",
            "IncompleteBackendCertificateChainOnlyLeafCertificateIsPresent",
            "BackendServerCertificateNotTrustedByWellKnownCAs",
        ];
        let mut seen = HashSet::new();
        for message in HealthMessage::ALL {
            assert!(seen.insert(message.code()), "{} twice", message.code());
            assert!(
                NAMES.contains(&message.error_name()),
                "{}",
                message.error_name()
            );
            if message.wording() == Wording::Own {
                assert!(message.older_wordings().is_empty(), "{}", message.code());
            }
        }
    }
}
