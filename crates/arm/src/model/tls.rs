//! Certificates and TLS policies.

use super::item::wire_items;
use super::{
    CipherSuite, ClientAuthMode, ClientRevocation, Reference, Secret, SslPolicyName, SslPolicyType,
    SslProtocol,
};
use crate::wire::wire_value_object;

wire_items! {
    "sslCertificates";
    /// A certificate with its key, for listeners.
    pub struct SslCertificate as "ApplicationGatewaySslCertificate" {
        /// PFX in base64; only in a PUT, never in an answer.
        data: Option<Secret> => "data", Secret;
        /// Password of the PFX; only in a PUT, never in an answer.
        password: Option<Secret> => "password", Secret;
        /// The public chain as PKCS#7 in base64; read-only.
        public_cert_data: Option<String> => "publicCertData";
        /// Id of a Key Vault secret that holds the certificate.
        key_vault_secret_id: Option<String> => "keyVaultSecretId";
        /// A key in a managed HSM.
        hsm: Option<ManagedHsm> => "hsm";
    }
    dropped ["httpListeners", "listeners"]
}

wire_value_object! {
    /// A key in a managed HSM, with its public certificate.
    pub struct ManagedHsm as "ApplicationGatewayManagedHsm" {
        /// Identifier of the key.
        key_id: Option<String> => "keyId";
        /// The public certificate in base64.
        public_cert_data: Option<String> => "publicCertData";
    }
}

wire_items! {
    "authenticationCertificates";
    /// A server certificate that backend settings trust (first generation).
    pub struct AuthenticationCertificate as "ApplicationGatewayAuthenticationCertificate" {
        /// The certificate in base64.
        data: Option<String> => "data";
    }
    dropped ["backendHttpSettings"]
}

wire_items! {
    "trustedRootCertificates";
    /// A root certificate that backend settings trust (second generation).
    pub struct TrustedRootCertificate as "ApplicationGatewayTrustedRootCertificate" {
        /// The certificate in base64.
        data: Option<String> => "data";
        /// Id of a Key Vault secret that holds the certificate.
        key_vault_secret_id: Option<String> => "keyVaultSecretId";
    }
    dropped ["backendHttpSettings", "backendSettings"]
}

wire_items! {
    "trustedClientCertificates";
    /// A chain that client certificates may lead to.
    pub struct TrustedClientCertificate as "ApplicationGatewayTrustedClientCertificate" {
        /// The chain: PEM in base64.
        data: Option<String> => "data";
        /// The chain as the service understood it; read-only.
        validated_cert_data: Option<String> => "validatedCertData";
        /// Distinguished name of the issuer, in .NET's notation; read-only.
        client_cert_issuer_dn: Option<String> => "clientCertIssuerDN";
    }
    dropped ["sslProfiles"]
}

wire_value_object! {
    /// Which TLS versions and cipher suites clients may use.
    pub struct SslPolicy as "ApplicationGatewaySslPolicy" {
        /// Predefined or custom.
        policy_type: Option<SslPolicyType> => "policyType";
        /// Name of the predefined policy.
        policy_name: Option<SslPolicyName> => "policyName";
        /// Lowest version of a custom policy.
        min_protocol_version: Option<SslProtocol> => "minProtocolVersion";
        /// Cipher suites of a custom policy, in the gateway's order of preference.
        cipher_suites: Vec<CipherSuite> => "cipherSuites";
        /// Versions that are switched off (no policy type).
        disabled_ssl_protocols: Vec<SslProtocol> => "disabledSslProtocols";
    }
}

wire_items! {
    "sslProfiles";
    /// TLS policy and client authentication of single listeners.
    pub struct SslProfile as "ApplicationGatewaySslProfile" {
        /// Chains that client certificates may lead to.
        trusted_client_certificates: Vec<Reference> => "trustedClientCertificates";
        /// The TLS policy.
        ssl_policy: Option<SslPolicy> => "sslPolicy";
        /// How clients are authenticated.
        client_auth_configuration: Option<ClientAuthConfiguration> => "clientAuthConfiguration";
    }
    dropped ["httpListeners", "listeners"]
}

wire_value_object! {
    /// How clients are authenticated.
    pub struct ClientAuthConfiguration as "ApplicationGatewayClientAuthConfiguration" {
        /// Whether the issuer of a client certificate must be the chain's.
        verify_client_cert_issuer_dn: Option<bool> => "verifyClientCertIssuerDN";
        /// Whether revocation is checked. Default `None`.
        verify_client_revocation: Option<ClientRevocation> => "verifyClientRevocation";
        /// Whether a bad certificate ends the request. Default `Strict`.
        verify_client_auth_mode: Option<ClientAuthMode> => "verifyClientAuthMode";
    }
}
