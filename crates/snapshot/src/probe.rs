//! Health probes, as a gateway's settings ask for them.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::{BackendProtocol, BackendVerification};

/// How the servers under a backend setting are probed: the setting's custom probe, or the default
/// one (parameters and their ranges: the service's documentation of probes).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Probe {
    /// The custom probe's name; `None` for the default probe.
    pub name: Option<String>,
    pub protocol: BackendProtocol,
    /// 1–65,535: the probe's own, or the setting's.
    pub port: u16,
    pub host: ProbeHost,
    /// Path and query; begins with `/`.
    pub path: String,
    /// From the beginning of one probe to that of the next; 1–86,400 s.
    pub interval: Duration,
    /// For everything from the connection to the answer; 1–86,400 s.
    pub timeout: Duration,
    /// Failures in a row that take a healthy server down; 1–20.
    pub unhealthy_threshold: u32,
    /// Statuses of a healthy answer; never empty.
    pub statuses: Vec<RangeInclusive<u16>>,
    /// What the body of a healthy answer holds; never empty, at most 4,090 characters.
    pub body: Option<String>,
    /// So many members of a pool count as healthy whatever their probes say.
    pub min_servers: u32,
    /// Present exactly when `protocol` is Https.
    pub verification: Option<BackendVerification>,
}

/// Where the `Host` of a probe comes from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ProbeHost {
    /// The default probe: `127.0.0.1`, which never is the name in a TLS handshake.
    Loopback,
    /// The custom probe's own.
    Fixed(String),
    /// `pickHostNameFromBackendHttpSettings`: what the setting gives requests.
    FromSetting,
}

impl Probe {
    /// The interval and the timeout of the default probe.
    pub const DEFAULT_INTERVAL: Duration = Duration::from_secs(30);
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);
    /// Failures in a row that take a server down under the default probe.
    pub const DEFAULT_THRESHOLD: u32 = 3;
    /// What counts as healthy unless a probe says otherwise.
    pub const DEFAULT_STATUSES: RangeInclusive<u16> = 200..=399;

    /// The probe of a setting that names none.
    pub fn default_for(
        protocol: BackendProtocol,
        port: u16,
        verification: Option<BackendVerification>,
    ) -> Self {
        Self {
            name: None,
            protocol,
            port,
            host: ProbeHost::Loopback,
            path: "/".to_owned(),
            interval: Self::DEFAULT_INTERVAL,
            timeout: Self::DEFAULT_TIMEOUT,
            unhealthy_threshold: Self::DEFAULT_THRESHOLD,
            statuses: vec![Self::DEFAULT_STATUSES],
            body: None,
            min_servers: 0,
            verification,
        }
    }

    /// Whether an answer with `status` is a healthy one.
    pub fn accepts(&self, status: u16) -> bool {
        self.statuses.iter().any(|range| range.contains(&status))
    }

    /// The statuses of a healthy answer as a document writes them: `200-399`, `200,401`.
    pub fn expected(&self) -> String {
        let range = |range: &RangeInclusive<u16>| match (range.start(), range.end()) {
            (low, high) if low == high => low.to_string(),
            (low, high) => format!("{low}-{high}"),
        };
        self.statuses
            .iter()
            .map(range)
            .collect::<Vec<_>>()
            .join(",")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expected_statuses_are_told_as_documents_write_them() {
        let mut probe = Probe::default_for(BackendProtocol::Http, 80, None);
        assert_eq!(probe.expected(), "200-399");
        assert!(probe.accepts(399) && !probe.accepts(400) && !probe.accepts(199));
        probe.statuses = vec![200..=200, 401..=401, 500..=502];
        assert_eq!(probe.expected(), "200,401,500-502");
        assert!(probe.accepts(401) && probe.accepts(501) && !probe.accepts(201));
    }
}
