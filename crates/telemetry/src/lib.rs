//! What happened: the vocabulary of failures, the record of a request, and the names under which
//! both are told.
//!
//! The data plane writes records, as plain fixed-size values with their texts in a shared arena, so
//! that a request costs a copy and no allocation; whoever reads them (the access log, counters,
//! later the diagnosis) does so elsewhere and at leisure.
//!
//! What must never be here: an ARM type, a snapshot, an async runtime, a verdict. Failures state
//! facts; what they mean is for `diagnosis` to say.

mod access_log;
mod channel;
mod failure;
mod handshake;
mod health;
mod labels;
mod proxy_status;
mod recent;
mod record;
#[cfg(test)]
mod samples;
mod totals;

pub use access_log::{AccessLog, AccessLogEncoder, AccessLogStatus, AccessLogTarget, Rotation};
pub use channel::{Received, RecordReceiver, RecordSender, record_channel};
pub use failure::{ErrorInfo, Failure, Phase, Side};
pub use handshake::{HandshakeFailure, HandshakeTotals};
pub use health::{
    CertificateNote, FaultyPart, Fill, Health, HealthChange, HealthMessage, ProbeOutcome,
    ProbeRecord, ProbeRequest, ProbeStage, StageName, Wording,
};
pub use labels::{LabelId, LabelRegistry, Labels};
pub use recent::RecentRequests;
pub use record::{
    HttpVersion, RecordBatch, RequestRecord, TextSpan, TlsSession, TraceId, UpstreamAttempt,
};
pub use totals::RequestTotals;
