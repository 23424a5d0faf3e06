//! Who calls, and what they may do.

mod authority;
mod failures;
mod permission;
mod principal;
mod secret;
mod token;

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use gatewright_arm::ArmError;
use hyper::header::AUTHORIZATION;
use tokio::sync::Semaphore;

pub(crate) use authority::routes;
pub use permission::Role;
pub(crate) use permission::{Caller, is_at_or_below};
pub(crate) use principal::PREFIX as PRINCIPAL_PREFIX;
pub use principal::{Assignment, NewPrincipal, Principal};
pub(crate) use secret::{hash, new_secret};
pub(crate) use token::TokenKey;

use crate::clock;
use crate::front::request::Request;

/// The principals, the key that signs tokens, and the failures of late.
pub(crate) struct Identity {
    pub(crate) tokens: TokenKey,
    /// By appId, in lower case.
    principals: RwLock<HashMap<String, Arc<Principal>>>,
    failures: failures::Failures,
    /// Turns to look at a secret.
    looks: Semaphore,
}

impl Identity {
    pub(crate) fn new(tokens: TokenKey, principals: Vec<Principal>) -> Self {
        let identity = Self {
            tokens,
            principals: RwLock::default(),
            failures: failures::Failures::default(),
            looks: Semaphore::new(authority::LOOKS_MAX),
        };
        principals.into_iter().for_each(|one| identity.put(one));
        identity
    }

    /// Takes note of a principal as it was stored.
    pub(crate) fn put(&self, principal: Principal) {
        let mut all = self
            .principals
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        all.insert(principal.app_id.to_ascii_lowercase(), Arc::new(principal));
    }

    pub(crate) fn remove(&self, app_id: &str) {
        let mut all = self
            .principals
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        all.remove(&app_id.to_ascii_lowercase());
    }

    pub(crate) fn principal(&self, app_id: &str) -> Option<Arc<Principal>> {
        let all = self
            .principals
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        all.get(&app_id.to_ascii_lowercase()).cloned()
    }

    /// All principals, the oldest first.
    pub(crate) fn principals(&self) -> Vec<Arc<Principal>> {
        let all = self
            .principals
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        let mut list: Vec<_> = all.values().cloned().collect();
        list.sort_by(|a, b| (&a.created, &a.app_id).cmp(&(&b.created, &b.app_id)));
        list
    }

    /// Who sent a request, by its token.
    ///
    /// # Errors
    /// When there is no token, or none that is good here and now.
    pub(crate) fn caller(&self, request: &Request) -> Result<Caller, ArmError> {
        let mut given = request.headers.get_all(AUTHORIZATION).iter();
        let Some(authorization) = given.next() else {
            return Err(refused(
                "AuthenticationFailed",
                "Authentication failed. The 'Authorization' header is missing.",
            ));
        };
        let token = authorization
            .to_str()
            .ok()
            // With two of them, somebody on the way may have looked at the other one.
            .filter(|_| given.next().is_none())
            .and_then(|text| text.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| token.trim());
        let Some(token) = token else {
            return Err(refused(
                "AuthenticationFailedInvalidHeader",
                "Authentication failed. The 'Authorization' header is provided in an invalid \
                 format; 'Bearer' and a token are expected.",
            ));
        };
        let claims = self.tokens.verify(token, clock::unix_now())?;
        let principal = self.principal(&claims.appid).filter(|principal| {
            // One that was revoked, or made anew under the same id, has no valid tokens.
            principal.object_id == claims.oid
        });
        let Some(principal) = principal else {
            return Err(refused(
                "InvalidAuthenticationToken",
                "The access token is of a service principal that does not exist any more; log in \
                 with another.",
            ));
        };
        Ok(Caller::of(principal))
    }
}

/// A refusal of a token, as the front door writes them.
fn refused(code: &str, message: &str) -> ArmError {
    ArmError::front_door(code, message)
}
