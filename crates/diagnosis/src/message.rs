//! What a line of the backend-health report says, in any generation of its wording.

use std::sync::LazyLock;

use gatewright_telemetry::HealthMessage;

use crate::evidence::HealthRow;

/// What the report says of one server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Symptom {
    /// The probe's answer is as it should be.
    Good,
    /// No TCP connection.
    NotConnected,
    /// No answer within the probe's time.
    TimedOut,
    NameUnresolved,
    /// Another status than the probe counts as healthy; which, where it is said.
    Status(Option<u16>),
    Body,
    CertificateName,
    CertificateDates,
    IntermediateMissing,
    LeafMissing,
    LeafNotTopmost,
    /// The chain leads to an authority that nobody was told of.
    NotTrusted,
    /// It leads to another one than the uploaded.
    OtherRoot,
    NotPinned,
    /// OpenSSL's number for it, where it is said.
    CertificateOther(Option<u16>),
    /// The TLS handshake failed for another reason than the certificate.
    Handshake,
    /// The server hung up, or does not speak HTTP.
    Broken,
    /// The platform does not know.
    Unretrievable,
    NotProbed,
    /// Nothing is said, or nothing that is known.
    Silent,
}

impl Symptom {
    pub(crate) fn of(row: &HealthRow) -> Self {
        let log = plain(&row.log);
        let known = WORDINGS
            .iter()
            .find(|(_, wordings)| wordings.iter().any(|parts| says(&log, parts)));
        match known {
            Some((message, _)) => Self::of_message(*message, &row.log),
            None => Self::of_words(&log, &row.log)
                .or_else(|| Self::of_error_name(&row.error_name, &row.log))
                .unwrap_or(Self::Silent),
        }
    }

    /// Whether it is about the certificate of the server.
    pub(crate) fn is_of_certificate(self) -> bool {
        matches!(
            self,
            Self::CertificateName
                | Self::CertificateDates
                | Self::IntermediateMissing
                | Self::LeafMissing
                | Self::LeafNotTopmost
                | Self::NotTrusted
                | Self::OtherRoot
                | Self::NotPinned
                | Self::CertificateOther(_)
        )
    }

    fn of_message(message: HealthMessage, log: &str) -> Self {
        use HealthMessage as Message;
        match message {
            Message::Success => Self::Good,
            Message::TimedOut => Self::TimedOut,
            Message::NameUnresolved => Self::NameUnresolved,
            Message::ConnectRefused
            | Message::ConnectTimedOut
            | Message::AddressUnreachable
            | Message::ConnectReset => Self::NotConnected,
            Message::StatusMismatch => Self::Status(received_status(log)),
            Message::BodyMismatch => Self::Body,
            Message::CertificateName | Message::CertificateNameV1 => Self::CertificateName,
            Message::CertificateDates => Self::CertificateDates,
            Message::IntermediateMissing => Self::IntermediateMissing,
            Message::LeafMissing => Self::LeafMissing,
            Message::LeafNotTopmost => Self::LeafNotTopmost,
            Message::NotWellKnown
            | Message::IntermediateNotWellKnown
            | Message::IntermediateNotUploaded => Self::NotTrusted,
            Message::RootMismatch => Self::OtherRoot,
            Message::NotAllowListed => Self::NotPinned,
            Message::CertificateUnverified => Self::CertificateOther(last_number(log)),
            Message::Unretrievable | Message::NameUnanswered => Self::Unretrievable,
            Message::NotProbed | Message::NoLongerProbed => Self::NotProbed,
            Message::TlsVersion
            | Message::TlsAlert
            | Message::TlsProtocol
            | Message::TlsUnfit
            | Message::TlsClosed => Self::Handshake,
            Message::ClosedUnanswered
            | Message::ResetUnanswered
            | Message::ClosedWithinAnswer
            | Message::NotHttp => Self::Broken,
            _ => Self::Silent,
        }
    }

    /// Wordings drift between releases: what they have in common.
    fn of_words(log: &str, raw: &str) -> Option<Self> {
        let has = |words: &[&str]| words.iter().all(|word| log.contains(word));
        Some(match () {
            () if log.is_empty() => return None,
            () if has(&["success"]) => Self::Good,
            () if has(&["could not be retrieved"]) => Self::Unretrievable,
            () if has(&["common name"]) || has(&["cn", "does not match"]) => Self::CertificateName,
            () if has(&["certificate", "expired"]) || has(&["valid from"]) => {
                Self::CertificateDates
            }
            () if has(&["intermediate", "missing"]) => Self::IntermediateMissing,
            () if has(&["leaf", "missing"]) => Self::LeafMissing,
            () if has(&["leaf", "topmost"]) => Self::LeafNotTopmost,
            () if has(&["root certificate", "match"]) => Self::OtherRoot,
            () if has(&["not signed by"]) || has(&["well-known certificate authority"]) => {
                Self::NotTrusted
            }
            () if has(&["whitelisted"]) || has(&["allowlisted"]) => Self::NotPinned,
            () if has(&["certificate", "error code"]) => Self::CertificateOther(last_number(raw)),
            () if has(&["body", "match"]) => Self::Body,
            () if has(&["status code"]) || has(&["invalid status"]) => {
                Self::Status(received_status(raw))
            }
            () if has(&["timeout"]) || has(&["time-out"]) || has(&["timed out"]) => Self::TimedOut,
            // To resolve an issue is another thing.
            () if has(&["fqdn"]) || has(&["resolved"]) || has(&["dns"]) => Self::NameUnresolved,
            () if has(&["connect"]) => Self::NotConnected,
            () if has(&["handshake"]) || has(&["ssl"]) || has(&["tls"]) => Self::Handshake,
            () => return None,
        })
    }

    /// `healthProbeErrorName`, where the text says nothing.
    fn of_error_name(name: &str, log: &str) -> Option<Self> {
        let mut known = HealthMessage::ALL.iter();
        let message = known.find(|message| {
            message.error_name() != "Unknown" && message.error_name().eq_ignore_ascii_case(name)
        })?;
        Some(Self::of_message(*message, log))
    }
}

/// Lower case, one blank between words, `doesn't` as `does not`, no other marks that come and go.
fn plain(text: &str) -> String {
    let lower = text
        .to_lowercase()
        .replace("n't", " not")
        .replace("n’t", " not");
    let kept = lower.replace(['.', ',', '\'', '’', '"', ';'], " ");
    kept.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The wordings of each message, each as the parts between the places that are filled in.
static WORDINGS: LazyLock<Vec<(HealthMessage, Vec<Vec<String>>)>> = LazyLock::new(|| {
    let parts = |wording: &&str| -> Vec<String> {
        let parts = wording.split('{');
        let parts = parts.map(|part| part.split_once('}').map_or(part, |two| two.1));
        parts.map(plain).filter(|part| !part.is_empty()).collect()
    };
    let all = HealthMessage::ALL.iter().map(|message| {
        let older = message.older_wordings().iter().copied();
        let wordings = older.chain([message.template()]).collect::<Vec<_>>();
        (*message, wordings.iter().map(parts).collect())
    });
    all.collect()
});

/// Whether a line is an instance of a wording: it has the parts, in their order.
fn says(log: &str, parts: &[String]) -> bool {
    let mut rest = log;
    let all = parts.iter().all(|part| match rest.find(part) {
        Some(at) => {
            rest = rest.get(at + part.len()..).unwrap_or_default();
            true
        }
        None => false,
    });
    all && !parts.is_empty()
}

/// The status that a line says was received: behind that word, or the only one that it has.
fn received_status(log: &str) -> Option<u16> {
    let lower = log.to_lowercase();
    let after = ["received:", "received invalid status code:", "received "];
    let from = after
        .iter()
        .find_map(|word| Some(lower.find(word)? + word.len()));
    let statuses = |text: &str| {
        let numbers = text.split(|letter: char| !letter.is_ascii_digit());
        let numbers = numbers.filter_map(|number| number.parse().ok());
        numbers
            .filter(|number| (100..600).contains(number))
            .collect::<Vec<u16>>()
    };
    let behind = from.and_then(|from| statuses(lower.get(from..)?).first().copied());
    behind.or_else(|| match statuses(&lower).as_slice() {
        [only] => Some(*only),
        _ => None,
    })
}

fn last_number(log: &str) -> Option<u16> {
    let numbers = log.split(|letter: char| !letter.is_ascii_digit());
    numbers.filter_map(|number| number.parse().ok()).next_back()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::Place;

    fn symptom(log: &str, error_name: &str) -> Symptom {
        let row = HealthRow {
            pool: String::new(),
            setting: String::new(),
            address: String::new(),
            state: crate::evidence::State::Unhealthy,
            log: log.to_owned(),
            error_name: error_name.to_owned(),
            configuration: String::new(),
            place: Place::default(),
        };
        Symptom::of(&row)
    }

    #[test]
    fn every_wording_of_the_catalogue_is_known() {
        for message in HealthMessage::ALL {
            let wordings = message.older_wordings().iter().copied();
            for wording in wordings.chain([message.template()]) {
                let filled = wording
                    .replace("{received}", "404")
                    .replace("{expected}", "200-399")
                    .replace("{openssl}", "20")
                    .replace("{text}", "x");
                let found = symptom(&filled, "");
                let expected = Symptom::of_message(*message, &filled);
                assert_eq!(found, expected, "{filled}");
            }
        }
    }

    #[test]
    fn wordings_that_nobody_recorded_are_known_by_their_words() {
        for (log, expected) in [
            (
                "Received invalid status code: 404 in the backend server's HTTP response. As per \
                 the health probe configuration, 200-399 is the acceptable status code. Either \
                 modify probe configuration or resolve backend issues.",
                Symptom::Status(Some(404)),
            ),
            (
                "Status code of the backend’s HTTP response did not match the probe setting. \
                 Expected:200-399 Received:502.",
                Symptom::Status(Some(502)),
            ),
            (
                "The backend certificate has expired",
                Symptom::CertificateDates,
            ),
            (
                "Unable to connect to the backend on port 8080",
                Symptom::NotConnected,
            ),
            (
                "Time taken by the backend to respond to the probe is more than the time-out \
                 threshold",
                Symptom::TimedOut,
            ),
            (
                "Time taken by the backend to respond to application gateway's health probe is \
                 more than the time-out threshold in the probe setting. Either increase the probe \
                 time-out or resolve the backend issues.",
                Symptom::TimedOut,
            ),
            ("", Symptom::Silent),
        ] {
            assert_eq!(symptom(log, ""), expected, "{log}");
        }
        let named = symptom(
            "",
            "IncompleteBackendCertificateChainOnlyLeafCertificateIsPresent",
        );
        assert_eq!(named, Symptom::IntermediateMissing);
    }
}
