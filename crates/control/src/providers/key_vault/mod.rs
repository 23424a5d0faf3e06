//! `Microsoft.KeyVault`: vaults, their secrets, and what gateways fetch from them.
//!
//! Vaults and secrets are resources. What a client of a vault's own address asks is answered under
//! `/keyvault/{vault}` of this control plane, with its tokens: there is no host
//! `{vault}.vault.local`, so that `az keyvault secret` does not reach it; `az rest` does.
//!
//! Not here: keys, key material in hardware, certificates that the vault makes itself, backups,
//! events.

mod access;
mod certificates;
mod data_plane;
mod deleted;
mod fetch;
pub(crate) mod roles;
mod secrets;
mod uri;
mod vaults;
mod versions;

use crate::front::router::Route;
use crate::resources::kind::Kind;

pub(crate) use fetch::{Reader, Trouble, fetch};
pub(crate) use uri::SecretUri;

pub(crate) const VAULTS: &str = "Microsoft.KeyVault/vaults";

pub(crate) const SECRETS: &str = "Microsoft.KeyVault/vaults/secrets";

/// The content type of a PFX in base64.
pub(crate) const PFX: &str = "application/x-pkcs12";

/// The content type of PEM.
pub(crate) const PEM: &str = "application/x-pem-file";

pub(crate) fn kinds() -> Vec<Box<dyn Kind>> {
    vec![Box::new(vaults::Vaults), Box::new(secrets::Secrets)]
}

pub(crate) fn routes() -> Vec<Route> {
    let mut routes = vaults::routes();
    routes.extend(deleted::routes());
    routes.extend(data_plane::routes());
    routes.extend(certificates::routes());
    routes.extend(roles::routes());
    routes
}
