//! The record of one probe, and of what it changed.

use super::HealthMessage;

/// What the report says of a server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Health {
    /// No verdict yet, or none that could be had.
    #[default]
    Unknown,
    Healthy,
    Unhealthy,
}

impl Health {
    /// As the service's report writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "Unknown",
            Self::Healthy => "Healthy",
            Self::Unhealthy => "Unhealthy",
        }
    }
}

/// One step of a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StageName {
    Dns,
    Tcp,
    Tls,
    Http,
}

impl StageName {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dns => "DNS",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
            Self::Http => "HTTP",
        }
    }
}

/// How a step went. Steps that were not reached are absent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeStage {
    pub name: StageName,
    pub ok: bool,
    /// How long it took, in microseconds.
    pub micros: u64,
    /// What was seen, as a fact.
    pub detail: String,
}

/// What a probe asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProbeRequest {
    /// The `Host` header.
    pub host: String,
    /// The name in the TLS handshake; `None` where none is sent.
    pub sni: Option<String>,
    pub path: String,
    pub port: u16,
    pub is_encrypted: bool,
}

/// A certificate that a server presented.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateNote {
    pub subject: String,
    pub issuer: String,
    pub names: Vec<String>,
    /// Seconds since the Unix epoch.
    pub not_before: i64,
    /// Seconds since the Unix epoch.
    pub not_after: i64,
    /// What is wrong with it; `None` where nothing was found.
    pub defect: Option<String>,
    /// As presented, in DER.
    pub der: Vec<u8>,
}

/// One probe, from the name to the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeRecord {
    /// When it ended, in microseconds since the Unix epoch.
    pub at_micros: u64,
    pub is_healthy: bool,
    pub message: HealthMessage,
    /// The message with its facts: the report's `healthProbeLog`.
    pub log: String,
    /// What was seen, in our own words, where that says more than the log.
    pub detail: Option<String>,
    /// The answer's status, where there was one.
    pub status: Option<u16>,
    pub request: ProbeRequest,
    pub stages: Vec<ProbeStage>,
    /// As presented, the first one first.
    pub certificates: Vec<CertificateNote>,
}

/// What is remembered of a probe when later ones have ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProbeOutcome {
    /// When it ended, in microseconds since the Unix epoch.
    pub at_micros: u64,
    pub is_healthy: bool,
    pub message: HealthMessage,
    /// The answer's status, where there was one.
    pub status: Option<u16>,
}

impl ProbeRecord {
    pub fn outcome(&self) -> ProbeOutcome {
        ProbeOutcome {
            at_micros: self.at_micros,
            is_healthy: self.is_healthy,
            message: self.message,
            status: self.status,
        }
    }
}

/// A server's way from one state to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthChange {
    /// In microseconds since the Unix epoch.
    pub at_micros: u64,
    /// The gateway's name, and its resource id (empty where it has none).
    pub gateway: String,
    pub gateway_id: String,
    /// The server as the report names it: the member's address or name.
    pub server: String,
    /// Its IP address and port, as routing knows them.
    pub address: String,
    pub pools: Vec<String>,
    pub setting: String,
    pub from: Health,
    pub to: Health,
    pub message: HealthMessage,
    pub log: String,
    pub detail: Option<String>,
    /// How many probes in a row had the result that brought the change.
    pub in_a_row: u32,
}
