//! The API of Azure Application Gateway as types: resource ids, the property tree, its JSON in
//! every shape that is met, validation, and the error envelope.
//!
//! - [`read_gateways`] reads what the REST API, `az` or PowerShell wrote, as leniently as the
//!   service, and says what it does not know instead of dropping it in silence.
//! - [`read_network`] reads the gateway's neighbours in the same way.
//! - [`validate`] gives the service's own verdict, in the service's order and words where those
//!   are known, and warns of what is legal but useless. Each finding points into the JSON.
//! - [`write()`] writes what the service would answer: its order, casing, defaults, ids and
//!   back-references. A body recorded from the service reads and writes back byte for byte.
//! - [`catalogue`] answers what the service has to offer: TLS policies, rule sets of the firewall,
//!   resource types, regions.
//!
//! Promised: no input makes any of this panic; every reading and every list of findings is
//! bounded; secrets never reach a message, a `Debug` text, or JSON without being asked for.
//!
//! Never here: I/O, a clock, asynchronous code, a network, the parsing of certificates, the
//! routing form of a gateway. What depends on time or on other resources is an argument, or
//! someone else's work. This crate depends on no other crate of the product.

mod any_case;
mod backrefs;
pub mod catalogue;
mod codes;
mod complete;
mod diagnostic;
mod errors;
mod flatten;
mod id_parts;
mod ids;
mod links;
pub mod model;
mod read;
mod read_network;
mod validate;
mod versions;
mod wire;
mod write;

pub use codes::OWN_CODES;
pub use complete::complete;
pub use diagnostic::{Diagnostic, Severity};
pub use errors::ArmError;
pub use ids::{MAX_ID_BYTES, ResourceId, ResourceIdError};
pub use model::{ApplicationGateway, Item, Reference};
pub use read::{
    MAX_DEPTH, MAX_DOCUMENT_BYTES, MAX_GATEWAYS, ReadError, ReadReport, parse_text, read_gateways,
    read_gateways_text, read_on_demand_probe, read_put,
};
pub use read_network::{
    MAX_NETWORK_RESOURCES, NetworkReadError, NetworkReport, NetworkResources, OtherResource,
    read_network, read_network_text,
};
pub use validate::is_numeric;
pub use validate::{ApiVersion, ApiVersionError, Context, name_fault, validate};
pub use versions::{AsOf, keep_newer_members};
pub use wire::reader::{no_such_member, no_such_value, shorten, shorten_id};
pub use write::{Shape, WriteOptions, write, write_without_back_references};
