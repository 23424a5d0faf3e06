//! What a health probe found, and the sentences of the backend-health report.

mod catalogue;
mod probe_record;
mod render;

pub use catalogue::{FaultyPart, HealthMessage, Wording};
pub use probe_record::{
    CertificateNote, Health, HealthChange, ProbeOutcome, ProbeRecord, ProbeRequest, ProbeStage,
    StageName,
};
pub use render::Fill;
