//! The keys of this installation: made when they are first needed, and sealed in the store.

use gatewright_store::{Condition, Key, SealingKey, Store, Transaction};
use zeroize::Zeroizing;

use crate::clock;
use crate::control::StartError;
use crate::identity::TokenKey;
use crate::pki::Authority;

/// Where the key that signs tokens lies, and what it is sealed for.
const TOKEN_KEY: &str = "identity/token-key";

/// Where the authority of certificates lies, and what it is sealed for.
pub(crate) const AUTHORITY: &str = "identity/authority";

/// The same for the authority of what the front of App Service presents. It is another one, for
/// clients trust the first, and it must not vouch for a domain of the world.
pub(crate) const APP_SERVICE_AUTHORITY: &str = "identity/app-service-authority";

/// The sealed bytes of an entry; those that `make` makes, where there is no such entry yet.
async fn sealed(
    store: &dyn Store,
    sealing: &SealingKey,
    name: &str,
    make: impl FnOnce() -> Result<Zeroizing<Vec<u8>>, String>,
) -> Result<Zeroizing<Vec<u8>>, StartError> {
    let key = Key::new(name).map_err(|error| StartError::Keys(error.to_string()))?;
    let text = |error: gatewright_store::SealError| StartError::Keys(error.to_string());
    if let Some(entry) = store.get(&key).await? {
        return sealing.open(name, &entry.value).map_err(text);
    }
    let made = make().map_err(StartError::Keys)?;
    let bytes = sealing.seal(name, &made).map_err(text)?;
    let transaction = Transaction::default()
        .when(Condition::Absent(key.clone()))
        .put(key, bytes);
    store
        .commit(transaction)
        .await
        .map_err(|error| StartError::Keys(error.to_string()))?;
    Ok(made)
}

/// The authority that lies under this name, able to vouch for these names.
pub(crate) async fn authority(
    store: &dyn Store,
    sealing: &SealingKey,
    (name, names): (&str, &[String]),
) -> Result<Authority, StartError> {
    let text = |error: &dyn std::fmt::Display| StartError::Keys(error.to_string());
    let make = || {
        let authority = Authority::generate(names, clock::now());
        to_bytes(&authority.map_err(|error| error.to_string())?)
    };
    let bytes = sealed(store, sealing, name, make).await?;
    let authority: Authority = serde_json::from_slice(&bytes).map_err(|error| text(&error))?;
    let renewed = authority.renewed(names, clock::now());
    let Some(renewed) = renewed.map_err(|error| text(&error))? else {
        return Ok(authority);
    };
    tracing::warn!(
        "the authority's certificate was made anew, for {}; clients need the new file",
        names.join(", ")
    );
    let key = Key::new(name).map_err(|error| text(&error))?;
    let plain = to_bytes(&renewed).map_err(StartError::Keys)?;
    let bytes = sealing.seal(name, &plain).map_err(|error| text(&error))?;
    let committed = store.commit(Transaction::default().put(key, bytes)).await;
    committed.map_err(|error| text(&error))?;
    Ok(renewed)
}

fn to_bytes(authority: &Authority) -> Result<Zeroizing<Vec<u8>>, String> {
    let bytes = serde_json::to_vec(authority).map_err(|error| error.to_string())?;
    Ok(Zeroizing::new(bytes))
}

pub(crate) async fn token_key(
    store: &dyn Store,
    sealing: &SealingKey,
    tenant: &str,
    authorities: &[String],
) -> Result<TokenKey, StartError> {
    let make = || TokenKey::generate().ok_or_else(|| "no randomness".to_owned());
    let pkcs8 = sealed(store, sealing, TOKEN_KEY, make).await?;
    TokenKey::new(&pkcs8, tenant, authorities)
        .ok_or_else(|| StartError::Keys("the key that signs tokens is damaged".to_owned()))
}
