//! What the service adds to certificates: their public halves.

use gatewright_arm::ApplicationGateway;
use gatewright_compile::{PFX_BYTES_MAX_V2, public_cert_data, read_client_chain, read_upload};

use super::vault::given;

/// Fills in what an answer shows of each certificate, and takes away what it does not. A
/// certificate of a vault shows where it is, and nothing else.
pub(super) fn describe(gateway: &mut ApplicationGateway) {
    for item in &mut gateway.properties.ssl_certificates {
        let properties = &mut item.properties;
        if given(&properties.key_vault_secret_id).is_some() {
            properties.public_cert_data = None;
            continue;
        }
        let (Some(data), None) = (&properties.data, &properties.public_cert_data) else {
            continue;
        };
        let password = properties
            .password
            .as_ref()
            .map_or("", |password| password.expose());
        if let Ok(identity) = read_upload(data.expose(), password, PFX_BYTES_MAX_V2) {
            properties.public_cert_data = Some(public_cert_data(&identity.chain));
        }
    }
    for item in &mut gateway.properties.trusted_root_certificates {
        if given(&item.properties.key_vault_secret_id).is_some() {
            item.properties.data = None;
        }
    }
    for item in &mut gateway.properties.trusted_client_certificates {
        let data = item.properties.data.as_deref().unwrap_or_default();
        if let Ok(chain) = read_client_chain(data) {
            item.properties.validated_cert_data = Some(chain.validated);
            item.properties.client_cert_issuer_dn = Some(chain.issuer);
        }
    }
}
