//! From ARM documents to the routing form, in one pure step.
//!
//! [`compile`] takes gateways as the API describes them and answers with an immutable
//! [`Snapshot`](gatewright_snapshot::Snapshot), or with the reasons why there is none; every reason
//! has a JSON pointer into the document. It does no I/O and reads no clock: private keys that no
//! document holds, and the time, come in [`Options`].
//!
//! [`compile_network`] does the same for the networks around gateways.
//!
//! What must never be here: a socket, a file, a clock, anything that differs between two calls with
//! the same arguments.

mod certificate;
mod codes;
mod compiled;
mod endpoints;
mod error_pages;
mod findings;
mod gateway;
mod listener_certificates;
mod lookup;
mod network;
mod on_demand;
mod options;
mod pools;
mod probes;
mod redirects;
mod routing;
mod scope;
mod settings;
mod tls_policy;
mod trust;
mod unsupported;

pub use certificate::{
    CertificateError, ClientChain, FILE_BYTES_MAX, Identity, PFX_BYTES_MAX_V1, PFX_BYTES_MAX_V2,
    from_file as read_file, from_upload as read_upload, from_vault as read_from_vault,
    is_certificate, public_cert_data, public_leaf, read_certificates, read_client_chain, to_pfx,
};
pub use codes::{CERTIFICATE_WITHOUT_KEY, OWN_CODES};
pub use compiled::{Compiled, compile, compile_validated};
pub use listener_certificates::{KeylessCertificate, keyless_certificates};
pub use network::{CompiledNetwork, NetworkFinding, NetworkPlace, compile_network};
pub use on_demand::{OnDemand, compile_on_demand};
pub use options::{CertificateId, Options, SuppliedCertificate};
pub use probes::status_range;
