//! The API of Azure Application Gateway as types.

mod diagnostic;
mod ids;
pub mod model;
mod wire;

pub use diagnostic::{Diagnostic, Severity};
pub use ids::{MAX_ID_BYTES, ResourceId, ResourceIdError};
pub use model::{ApplicationGateway, Item, Reference};
