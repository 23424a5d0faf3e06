//! The API of Azure Application Gateway as types.

mod backrefs;
mod complete;
mod diagnostic;
mod flatten;
mod ids;
pub mod model;
mod read;
mod wire;
mod write;

pub use complete::complete;
pub use diagnostic::{Diagnostic, Severity};
pub use ids::{MAX_ID_BYTES, ResourceId, ResourceIdError};
pub use model::{ApplicationGateway, Item, Reference};
pub use read::{
    MAX_DEPTH, MAX_DOCUMENT_BYTES, MAX_GATEWAYS, ReadError, ReadOptions, ReadReport, read_gateways,
    read_gateways_text, read_gateways_with,
};
pub use write::{Shape, WriteOptions, write};
