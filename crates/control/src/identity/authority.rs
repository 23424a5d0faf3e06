//! The authority that clients log in at, in the style of AD FS and in that of Entra ID, and the
//! document by which they find it.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gatewright_arm::ArmError;
use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use crate::clock;
use crate::context::{Context, handler};
use crate::core::Core;
use crate::front::answer::Answer;
use crate::front::query::Query;
use crate::front::router::{Access, Route};
use crate::identity::secret;
use crate::identity::token::LIFETIME_SECONDS;

/// Longest resource that a token is issued for, in bytes.
const AUDIENCE_BYTES_MAX: usize = 256;

/// A hash of no secret: looked at where there is no such principal, so that an answer takes as long
/// as where there is one.
const NOBODYS_HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$\
                            AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Secrets that are looked at, at a time: each takes 19 MiB.
pub(crate) const LOOKS_MAX: usize = 4;

/// The routes that need no token. Every one is listed here.
pub(crate) fn routes() -> Vec<Route> {
    let mut routes = vec![
        public(Method::GET, "/metadata/endpoints", handler(endpoints)),
        public(Method::GET, "/common/discovery/instance", handler(instance)),
        public(Method::GET, "/adfs/discovery/keys", handler(keys)),
        public(Method::GET, "/{tenant}/discovery/v2.0/keys", handler(keys)),
    ];
    for path in [
        "/adfs/.well-known/openid-configuration",
        "/adfs/v2.0/.well-known/openid-configuration",
        "/adfs/{tenant}/v2.0/.well-known/openid-configuration",
    ] {
        routes.push(public(Method::GET, path, handler(adfs_configuration)));
    }
    for path in [
        "/{tenant}/.well-known/openid-configuration",
        "/{tenant}/v2.0/.well-known/openid-configuration",
    ] {
        routes.push(public(Method::GET, path, handler(aad_configuration)));
    }
    for path in [
        "/adfs/oauth2/token",
        "/adfs/oauth2/v2.0/token",
        "/{tenant}/oauth2/token",
        "/{tenant}/oauth2/v2.0/token",
    ] {
        routes.push(public(Method::POST, path, handler(token)));
    }
    routes
}

fn public(method: Method, pattern: &str, handler: crate::context::Handler) -> Route {
    Route {
        method,
        pattern: pattern.to_owned(),
        access: Access::Public,
        handler,
    }
}

/// What `az cloud register` reads.
async fn endpoints(context: Context) -> Result<Answer, ArmError> {
    let root = context.link("/");
    Ok(Answer::ok(&json!({
        "name": "Gatewright",
        "resourceManager": root,
        "portal": root,
        "gallery": root,
        "graphAudience": root,
        "graph": root,
        "microsoftGraphResourceId": root,
        "logAnalyticsResourceId": root.trim_end_matches('/'),
        "appInsightsResourceId": root.trim_end_matches('/'),
        "appServiceResourceId": root,
        "batch": root,
        "media": root,
        "sqlManagement": root,
        "authentication": {
            "loginEndpoint": context.link("/adfs"),
            "audiences": [root],
            "tenant": context.core.config.tenant,
            "identityProvider": "ADFS",
        },
        "suffixes": {
            "storage": "core.local",
            "keyVaultDns": "vault.local",
            "sqlServerHostname": "database.local",
            "acrLoginServer": "azurecr.local",
            "mhsmDns": "managedhsm.local",
        },
    })))
}

async fn adfs_configuration(context: Context) -> Result<Answer, ArmError> {
    Ok(Answer::ok(&json!({
        "issuer": context.link(&format!("/{}/", context.core.config.tenant)),
        "authorization_endpoint": context.link("/adfs/oauth2/authorize"),
        "token_endpoint": context.link("/adfs/oauth2/token"),
        "jwks_uri": context.link("/adfs/discovery/keys"),
        "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
        "grant_types_supported": ["client_credentials"],
        "response_types_supported": ["token"],
        "id_token_signing_alg_values_supported": ["ES256"],
    })))
}

async fn aad_configuration(context: Context) -> Result<Answer, ArmError> {
    let tenant = &context.core.config.tenant;
    let link = |path: &str| context.link(&format!("/{tenant}{path}"));
    Ok(Answer::ok(&json!({
        "issuer": link("/v2.0"),
        "authorization_endpoint": link("/oauth2/v2.0/authorize"),
        "token_endpoint": link("/oauth2/v2.0/token"),
        "jwks_uri": link("/discovery/v2.0/keys"),
        "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
        "grant_types_supported": ["client_credentials"],
        "response_types_supported": ["token"],
        "id_token_signing_alg_values_supported": ["ES256"],
    })))
}

/// What clients ask that do not know the authority.
async fn instance(context: Context) -> Result<Answer, ArmError> {
    let host = context.request.origin.trim_start_matches("https://");
    let path = format!(
        "/{}/v2.0/.well-known/openid-configuration",
        context.core.config.tenant
    );
    Ok(Answer::ok(&json!({
        "tenant_discovery_endpoint": context.link(&path),
        "api-version": "1.1",
        "metadata": [{
            "preferred_network": host,
            "preferred_cache": host,
            "aliases": [host],
        }],
    })))
}

async fn keys(context: Context) -> Result<Answer, ArmError> {
    let key = context.core.identity.tokens.public();
    Ok(Answer::ok(&json!({ "keys": [key] })))
}

/// The credentials of a request for a token.
struct Credentials {
    app_id: String,
    secret: zeroize::Zeroizing<String>,
}

async fn token(context: Context) -> Result<Answer, ArmError> {
    let form = Query::form(&String::from_utf8_lossy(&context.request.body));
    if form.repeated().is_some() {
        // RFC 6749, 3.2: somebody on the way may have looked at the other one.
        return Ok(refuse(
            StatusCode::BAD_REQUEST,
            "invalid_request",
            "a parameter is given more than once; give each once",
        ));
    }
    if form.get("grant_type") != Some("client_credentials") {
        return Ok(refuse(
            StatusCode::BAD_REQUEST,
            "unsupported_grant_type",
            "only the grant type client_credentials is supported: log in with --service-principal",
        ));
    }
    let Some(credentials) = credentials(&context, &form) else {
        return Ok(refuse(
            StatusCode::UNAUTHORIZED,
            "invalid_client",
            "client_id and client_secret are required",
        ));
    };
    let audience = match audience(&form) {
        Ok(audience) => audience,
        Err(why) => return Ok(refuse(StatusCode::BAD_REQUEST, "invalid_scope", why)),
    };
    Ok(log_in(&context, credentials, audience).await)
}

/// From the form, or from Basic authorization.
fn credentials(context: &Context, form: &Query) -> Option<Credentials> {
    use base64::Engine as _;
    if let (Some(app_id), Some(secret)) = (form.get("client_id"), form.get("client_secret")) {
        return Some(Credentials {
            app_id: app_id.to_owned(),
            secret: secret.to_owned().into(),
        });
    }
    let (scheme, encoded) = context.request.header("authorization")?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = base64::engine::general_purpose::STANDARD
        .decode(encoded.trim())
        .ok()?;
    let decoded = String::from_utf8(decoded).ok()?;
    let (app_id, secret) = decoded.split_once(':')?;
    let decode = |text: &str| crate::front::query::decode(text, true).into_owned();
    Some(Credentials {
        app_id: decode(app_id),
        secret: decode(secret).into(),
    })
}

/// The resource that the token is to be for. az writes it with a doubled slash.
fn audience(form: &Query) -> Result<String, &'static str> {
    let scopes = form.get("scope").unwrap_or_default();
    let scope = scopes
        .split(' ')
        .find_map(|one| one.strip_suffix("/.default"));
    let resource = scope.or(form.get("resource")).unwrap_or_default();
    if resource.is_empty() || resource.len() > AUDIENCE_BYTES_MAX {
        return Err("a scope that ends with /.default, or a resource, is required");
    }
    Ok(resource.to_owned())
}

/// In a task of its own: a client that hangs up frees no turn before the look is over, and its
/// failure counts all the same.
async fn log_in(context: &Context, credentials: Credentials, audience: String) -> Answer {
    let core = Arc::clone(&context.core);
    let address = context.request.peer.ip();
    let trying =
        tokio::spawn(async move { try_log_in(&core, address, credentials, &audience).await });
    trying.await.unwrap_or_else(|error| {
        tracing::error!("a login was not answered: {error}");
        server_error("the secret could not be looked at")
    })
}

async fn try_log_in(
    core: &Core,
    address: IpAddr,
    credentials: Credentials,
    audience: &str,
) -> Answer {
    let identity = &core.identity;
    let app_id = credentials.app_id.to_ascii_lowercase();
    if let Some(left) = identity.failures.wait(address, &app_id, Instant::now()) {
        return too_many(left);
    }
    let Ok(_turn) = identity.looks.acquire().await else {
        return server_error("the control plane stops");
    };
    // Those who had their turn before may have failed.
    if let Some(left) = identity.failures.wait(address, &app_id, Instant::now()) {
        return too_many(left);
    }
    let principal = identity.principal(&app_id);
    let hash = principal
        .as_ref()
        .map_or(NOBODYS_HASH, |principal| &principal.secret_hash);
    let (hash, given) = (hash.to_owned(), credentials.secret);
    let looked = tokio::task::spawn_blocking(move || secret::is_secret(&given, &hash)).await;
    let (Some(principal), Ok(true)) = (principal, looked) else {
        identity.failures.add(address, &app_id, Instant::now());
        tracing::warn!(address = %address, "a login failed");
        return refuse(
            StatusCode::UNAUTHORIZED,
            "invalid_client",
            "Invalid client secret provided, or no such service principal. Make one with \
             'gatewright sp create', or run 'gatewright az-setup'.",
        );
    };
    let issued = identity
        .tokens
        .issue(&principal, audience, clock::unix_now());
    match issued {
        Some(token) => Answer::ok(&json!({
            "token_type": "Bearer",
            "expires_in": LIFETIME_SECONDS,
            "ext_expires_in": LIFETIME_SECONDS,
            "access_token": token,
        }))
        .with("cache-control", "no-store"),
        None => server_error("the token could not be signed"),
    }
}

fn server_error(why: &str) -> Answer {
    refuse(StatusCode::INTERNAL_SERVER_ERROR, "server_error", why)
}

fn too_many(left: Duration) -> Answer {
    let seconds = left.as_secs() + 1;
    let why = format!("too many failed logins; try again in {seconds} seconds");
    refuse(
        StatusCode::TOO_MANY_REQUESTS,
        "temporarily_unavailable",
        &why,
    )
    .with("retry-after", seconds.to_string())
}

/// An error in OAuth's form; the number is what Entra ID says of a wrong secret.
fn refuse(status: StatusCode, error: &str, why: &str) -> Answer {
    let mut body = json!({"error": error, "error_description": why});
    if error == "invalid_client" {
        body["error_codes"] = Value::from(vec![7_000_215]);
    }
    let answer = Answer::json(status, &body).with("cache-control", "no-store");
    match status {
        // RFC 6749, 5.2.
        StatusCode::UNAUTHORIZED => answer.with("www-authenticate", "Basic realm=\"gatewright\""),
        _ => answer,
    }
}
