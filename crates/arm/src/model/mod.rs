//! The typed property tree of `Microsoft.Network/applicationGateways`.
//!
//! Source of the members: Azure REST API 2026-03-01; of their order and of those that no
//! specification lists (`enableHttp3`): bodies recorded from the service. Every scalar is an
//! `Option` and every collection may be empty: what the service insists on is a matter of
//! [`validate`](crate::validate), not of reading. Integers are what the document says; their
//! bounds hold only after validation.

mod backend;
mod enums;
mod frontend;
mod gateway;
mod item;
pub mod network;
mod policy;
mod predefined;
mod rewrite;
mod routing;
mod tls;

pub use backend::*;
pub use enums::*;
pub use frontend::*;
pub use gateway::*;
pub use item::*;
pub use policy::*;
pub use rewrite::*;
pub use routing::*;
pub use tls::*;
