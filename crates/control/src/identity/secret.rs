//! Secrets of principals: made at random, shown once, kept as a hash.

use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

/// Random bytes of a secret.
const SECRET_BYTES: usize = 30;

/// Random bytes of a salt.
const SALT_BYTES: usize = 16;

/// Memory that one look at a secret takes, in KiB, and its passes: what OWASP names for Argon2id.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;

fn argon2() -> Argon2<'static> {
    let params = Params::new(MEMORY_KIB, PASSES, 1, None).unwrap_or_default();
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

fn random<const N: usize>() -> Option<Zeroizing<[u8; N]>> {
    let mut bytes = Zeroizing::new([0; N]);
    aws_lc_rs::rand::fill(&mut *bytes).ok()?;
    Some(bytes)
}

/// A new secret, as a text that needs no quotes in a shell: 240 random bits. `None` when the system
/// has no randomness to give.
pub(crate) fn new_secret() -> Option<Zeroizing<String>> {
    let bytes = random::<SECRET_BYTES>()?;
    // A leading dash would be taken for an option.
    Some(Zeroizing::new(format!(
        "gw~{}",
        URL_SAFE_NO_PAD.encode(*bytes)
    )))
}

/// The hash of a secret, in PHC form. Takes some tens of milliseconds and 19 MiB.
pub(crate) fn hash(secret: &str) -> Option<String> {
    let salt = random::<SALT_BYTES>()?;
    let salt = SaltString::encode_b64(&*salt).ok()?;
    let hash = argon2().hash_password(secret.as_bytes(), &salt).ok()?;
    Some(hash.to_string())
}

/// Whether this is the secret of the hash; as expensive as [`hash`].
pub(crate) fn is_secret(secret: &str, hash: &str) -> bool {
    PasswordHash::new(hash)
        .is_ok_and(|hash| argon2().verify_password(secret.as_bytes(), &hash).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_secret_itself_fits_its_hash() {
        let (secret, other) = (new_secret().unwrap(), new_secret().unwrap());
        let hash = hash(&secret).unwrap();
        assert!(
            hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{hash}"
        );
        assert!(is_secret(&secret, &hash) && !is_secret(&other, &hash));
        assert!(!is_secret(&secret, "") && !is_secret(&secret, "$argon2id$"));
        assert_eq!(secret.len(), "gw~".len() + 40);
    }
}
