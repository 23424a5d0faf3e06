//! The control plane: the REST API of Azure Resource Manager over stored documents.
//!
//! [`Control::start`] serves HTTPS on one address: the authority that clients log in at, and the
//! resources. What is written is judged as the service judges it, stored, and answered with an
//! operation, which ends when the [`Node`] serves what was stored, or says why it does not.
//!
//! Promised: what was acknowledged is stored; nothing is answered without a token that this
//! installation signed and a role that allows it, but for the few routes by which a client gets a
//! token; every byte of a request is bounded.
//!
//! What must never be here: the data plane. The node is behind a trait.

mod activity;
mod app_service;
mod asked;
mod client_network;
mod clock;
mod config;
mod context;
mod control;
mod core;
mod desired;
mod front;
mod housekeeping;
mod identity;
mod keys;
mod node;
mod operations;
mod pki;
mod providers;
mod public_addresses;
mod resources;
mod routes;
mod storage;

pub use app_service::AppService;
pub use config::{ControlConfig, DEFAULT_SUBSCRIPTION, DEFAULT_TENANT};
pub use control::{Control, StartError};
pub use desired::{Changed, Desired, DesiredError, DesiredGateway};
pub use front::limits::Limits;
pub use identity::{Assignment, NewPrincipal, Principal, Role};
pub use node::{ATTEMPT_CONNECTIONS, Attempt, AttemptRequest, Attempted, LetsThrough, Node, Tried};
pub use public_addresses::{PublicAddresses, PublicAddressesError};
pub use resources::document::Judged;
#[doc(hidden)]
pub use routes::{ListedRoute, listed_routes};
pub use storage::Storage;
