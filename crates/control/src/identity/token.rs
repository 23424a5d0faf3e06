//! Access tokens: signed and verified with a key of this installation.

use std::fmt;

use gatewright_arm::ArmError;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::identity::principal::Principal;
use crate::identity::refused;

/// The one algorithm; a token that names another is none of ours.
const ALGORITHM: Algorithm = Algorithm::ES256;

/// How long a token is good, in seconds: a day, so that az asks for one a day.
pub(crate) const LIFETIME_SECONDS: i64 = 86_399;

/// Longest token that is looked at, in bytes.
const TOKEN_BYTES_MAX: usize = 8 * 1024;

/// Clocks of other machines may differ by this much, in seconds.
const LEEWAY_SECONDS: i64 = 60;

/// The signing key of this installation.
pub(crate) struct TokenKey {
    signing: EncodingKey,
    verifying: DecodingKey,
    public: Value,
    key_id: String,
    issuer: String,
    tenant: String,
    /// The resources that tokens of callers must be for: this control plane, by its names.
    audiences: Vec<String>,
}

/// What a token says.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Claims {
    aud: String,
    iss: String,
    iat: i64,
    nbf: i64,
    exp: i64,
    pub(crate) appid: String,
    pub(crate) oid: String,
    sub: String,
    tid: String,
    idtyp: String,
    uti: String,
    ver: String,
}

impl TokenKey {
    /// A new key, as PKCS #8. `None` when the system has no randomness to give.
    pub(crate) fn generate() -> Option<Zeroizing<Vec<u8>>> {
        let key = rcgen::KeyPair::generate().ok()?;
        Some(Zeroizing::new(key.serialize_der()))
    }

    /// `authorities` are the names with ports under which clients know the control plane.
    pub(crate) fn new(pkcs8: &[u8], tenant: &str, authorities: &[String]) -> Option<Self> {
        let signing = EncodingKey::from_ec_der(pkcs8);
        let jwk = Jwk::from_encoding_key(&signing, ALGORITHM).ok()?;
        let key_id = jwk
            .thumbprint(jsonwebtoken::jwk::ThumbprintHash::SHA256)
            .ok()?;
        let mut public = serde_json::to_value(&jwk).ok()?;
        public["kid"] = json!(key_id);
        public["use"] = json!("sig");
        Some(Self {
            verifying: DecodingKey::from_jwk(&jwk).ok()?,
            // Of the key and not of an address: a token is good after a change of ports, and never
            // at another installation.
            issuer: format!("urn:gatewright:{key_id}:{tenant}"),
            tenant: tenant.to_owned(),
            audiences: authorities
                .iter()
                .map(|one| format!("https://{one}"))
                .collect(),
            signing,
            public,
            key_id,
        })
    }

    /// The public half, as a JSON Web Key.
    pub(crate) fn public(&self) -> &Value {
        &self.public
    }

    pub(crate) fn issue(&self, principal: &Principal, audience: &str, now: i64) -> Option<String> {
        let claims = Claims {
            aud: audience.to_owned(),
            iss: self.issuer.clone(),
            iat: now,
            nbf: now,
            exp: now + LIFETIME_SECONDS,
            appid: principal.app_id.clone(),
            oid: principal.object_id.clone(),
            sub: principal.object_id.clone(),
            tid: self.tenant.clone(),
            idtyp: "app".to_owned(),
            uti: Uuid::new_v4().simple().to_string(),
            ver: "1.0".to_owned(),
        };
        let mut header = Header::new(ALGORITHM);
        header.kid = Some(self.key_id.clone());
        jsonwebtoken::encode(&header, &claims, &self.signing).ok()
    }

    /// What a good token says: signed by this key with its algorithm, of this issuer, for this
    /// control plane, not before its time and not after.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn verify(&self, token: &str, now: i64) -> Result<Claims, ArmError> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(invalid("it is too long"));
        }
        let mut validation = Validation::new(ALGORITHM);
        validation.set_issuer(&[&self.issuer]);
        validation.set_required_spec_claims(&["exp", "nbf", "iss", "aud"]);
        // These are compared below: audiences without their closing slashes, and times with the
        // clock that is given.
        validation.validate_aud = false;
        validation.validate_exp = false;
        validation.validate_nbf = false;
        let decoded = jsonwebtoken::decode::<Claims>(token, &self.verifying, &validation);
        let claims = decoded.map_err(|error| invalid(why(error.kind())))?.claims;
        let audience = claims.aud.trim_end_matches('/');
        if !self
            .audiences
            .iter()
            .any(|own| own.eq_ignore_ascii_case(audience))
        {
            return Err(refused(
                "InvalidAuthenticationTokenAudience",
                &format!(
                    "The access token has been obtained for wrong audience or resource '{}'. It \
                     should exactly match one of the allowed audiences '{}'.",
                    claims.aud,
                    self.audiences.join("/', '")
                ),
            ));
        }
        if claims.exp + LEEWAY_SECONDS < now {
            return Err(refused(
                "ExpiredAuthenticationToken",
                "The access token expiry UTC time is earlier than current UTC time; log in again.",
            ));
        }
        if claims.nbf - LEEWAY_SECONDS > now {
            return Err(invalid("it is not valid yet"));
        }
        Ok(claims)
    }
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "TokenKey({})", self.key_id)
    }
}

/// What is wrong with a token that cannot be taken for one of ours.
fn why(kind: &ErrorKind) -> &'static str {
    match kind {
        ErrorKind::InvalidSignature | ErrorKind::InvalidIssuer => {
            "it was not issued here; log in at this control plane"
        }
        ErrorKind::InvalidAlgorithm
        | ErrorKind::InvalidAlgorithmName
        | ErrorKind::UnsupportedAlgorithm => "it is not signed with ES256",
        ErrorKind::MissingRequiredClaim(_) | ErrorKind::InvalidClaimFormat(_) => {
            "a claim is missing, or has another type"
        }
        _ => "it is no JSON Web Token",
    }
}

fn invalid(why: &str) -> ArmError {
    let message = format!("The access token is invalid: {why}.");
    refused("InvalidAuthenticationToken", &message)
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;

    const NOW: i64 = 1_800_000_000;
    const AUDIENCE: &str = "https://localhost:9443/";

    fn key() -> TokenKey {
        let pkcs8 = TokenKey::generate().unwrap();
        TokenKey::new(&pkcs8, "tenant", &["localhost:9443".to_owned()]).unwrap()
    }

    fn principal() -> Principal {
        Principal::new("test", Vec::new(), String::new())
    }

    fn code(key: &TokenKey, token: &str, now: i64) -> String {
        key.verify(token, now)
            .map_or_else(|error| error.code, |_| "good".to_owned())
    }

    #[test]
    fn a_token_is_good_for_its_time_and_its_audience() {
        let (key, principal) = (key(), principal());
        let token = key.issue(&principal, AUDIENCE, NOW).unwrap();
        let claims = key.verify(&token, NOW).unwrap();
        assert_eq!(
            (claims.appid, claims.oid),
            (principal.app_id.clone(), principal.object_id.clone())
        );
        let late = NOW + LIFETIME_SECONDS + LEEWAY_SECONDS;
        assert_eq!(code(&key, &token, late), "good");
        assert_eq!(code(&key, &token, late + 1), "ExpiredAuthenticationToken");
        assert_eq!(code(&key, &token, NOW - 61), "InvalidAuthenticationToken");
        for audience in ["https://localhost:9443", "https://LOCALHOST:9443//"] {
            let token = key.issue(&principal, audience, NOW).unwrap();
            assert_eq!(code(&key, &token, NOW), "good", "{audience}");
        }
        let foreign = key
            .issue(&principal, "https://management.azure.com/", NOW)
            .unwrap();
        assert_eq!(
            code(&key, &foreign, NOW),
            "InvalidAuthenticationTokenAudience"
        );
    }

    #[test]
    fn what_another_key_signed_or_nobody_is_refused() {
        let (ours, theirs, principal) = (key(), key(), principal());
        let token = theirs.issue(&principal, AUDIENCE, NOW).unwrap();
        let refusal = ours.verify(&token, NOW).err().unwrap();
        assert_eq!(refusal.code, "InvalidAuthenticationToken");
        let expected =
            "The access token is invalid: it was not issued here; log in at this control plane.";
        assert_eq!(refusal.message, expected);
        let own = ours.issue(&principal, AUDIENCE, NOW).unwrap();
        let mut parts = own.split('.');
        let (_, claims) = (parts.next(), parts.next().unwrap());
        for header in [
            r#"{"alg":"none","typ":"JWT"}"#,
            r#"{"alg":"HS256","typ":"JWT"}"#,
        ] {
            let forged = format!("{}.{claims}.", URL_SAFE_NO_PAD.encode(header));
            assert_eq!(
                code(&ours, &forged, NOW),
                "InvalidAuthenticationToken",
                "{header}"
            );
        }
        // The public half must not be taken for a shared secret.
        let shared = EncodingKey::from_secret(ours.public().to_string().as_bytes());
        let decoded = ours.verify(&own, NOW).unwrap();
        let confused =
            jsonwebtoken::encode(&Header::new(Algorithm::HS256), &decoded, &shared).unwrap();
        assert_eq!(code(&ours, &confused, NOW), "InvalidAuthenticationToken");
        for junk in ["", "a.b.c", &"x".repeat(TOKEN_BYTES_MAX + 1)] {
            assert_eq!(code(&ours, junk, NOW), "InvalidAuthenticationToken");
        }
    }
}
