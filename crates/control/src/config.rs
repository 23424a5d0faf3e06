//! How the control plane is set up.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::public_addresses::PublicAddresses;

/// The subscription, where none is named. Always the same, so that scripts can hold it.
pub const DEFAULT_SUBSCRIPTION: &str = "00000000-0000-4000-8000-000000000001";

/// The tenant, where none is named.
pub const DEFAULT_TENANT: &str = "00000000-0000-4000-8000-000000000002";

/// The settings of a control plane.
#[derive(Clone, Debug)]
pub struct ControlConfig {
    /// Where it listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Names and addresses that clients use for it besides `localhost` and the loopback addresses;
    /// its certificate has them.
    pub names: Vec<String>,
    /// The one subscription: a GUID, in lower case.
    pub subscription: String,
    /// How the subscription is called.
    pub subscription_name: String,
    /// The one tenant: a GUID, in lower case.
    pub tenant: String,
    /// What public IP addresses are made of.
    pub public_addresses: PublicAddresses,
    /// Where the certificate of the authority is written, for clients to trust.
    pub ca_file: PathBuf,
}
