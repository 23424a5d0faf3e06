//! What the owner of the data folder may ask of the control plane: principals and backups.
//!
//! Other users of this machine can connect too, so that these requests must carry the key that lies
//! in the node file, which only the folder's owner can read.

use std::path::PathBuf;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post};
use gatewright_control::{NewPrincipal, Principal, Role};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Admin, refuse};
use crate::control_plane::Operators;

/// The header with the key.
pub(crate) const KEY_HEADER: &str = "X-Gatewright-Key";

/// The rows of this part of the API.
pub(super) fn routes() -> Router<Admin> {
    Router::new()
        .route("/principals", get(list).post(create))
        .route("/principals/revoke", post(revoke))
        .route("/backup", post(backup))
}

/// The control plane, for a request that carries its key.
fn admitted<'a>(admin: &'a Admin, headers: &HeaderMap) -> Result<&'a Operators, Box<Response>> {
    let Some(operators) = admin.operators.get() else {
        let why = "this node has no control plane; start it with --data-dir DIR";
        return Err(Box::new(refuse(StatusCode::NOT_FOUND, why)));
    };
    let given = headers.get(KEY_HEADER).map(HeaderValue::as_bytes);
    let own = operators.admin_key.as_bytes();
    match given {
        Some(given) if is_same(given, own) => Ok(operators),
        _ => Err(Box::new(refuse(
            StatusCode::FORBIDDEN,
            "this needs the key in the data folder's node.json, as the header X-Gatewright-Key",
        ))),
    }
}

/// Compared in a time that tells nothing of the key.
pub(crate) fn is_same(given: &[u8], own: &[u8]) -> bool {
    let different = given.iter().zip(own).fold(0, |bits, (a, b)| bits | (a ^ b));
    given.len() == own.len() && different == 0
}

#[derive(Deserialize)]
struct Creation {
    name: String,
    role: String,
    #[serde(default)]
    scope: String,
}

async fn create(
    State(admin): State<Admin>,
    headers: HeaderMap,
    Json(wanted): Json<Creation>,
) -> Response {
    let operators = match admitted(&admin, &headers) {
        Ok(operators) => operators,
        Err(refusal) => return *refusal,
    };
    let role = match wanted.role.parse::<Role>() {
        Ok(role) => role,
        Err(why) => return refuse(StatusCode::BAD_REQUEST, &why),
    };
    let control = &operators.control;
    match control
        .create_principal(&wanted.name, role, &wanted.scope)
        .await
    {
        Ok(NewPrincipal {
            principal,
            password,
        }) => {
            let mut shown = shown(&principal);
            shown["password"] = json!(*password);
            Json(shown).into_response()
        }
        Err(why) => refuse(StatusCode::BAD_REQUEST, &why),
    }
}

fn shown(principal: &Principal) -> Value {
    let assignments = principal.assignments.iter();
    let assignments = assignments.map(|one| json!({"role": one.role.name(), "scope": one.scope}));
    json!({
        "appId": principal.app_id,
        "displayName": principal.display_name,
        "created": principal.created,
        "assignments": assignments.collect::<Vec<_>>(),
    })
}

async fn list(State(admin): State<Admin>, headers: HeaderMap) -> Response {
    match admitted(&admin, &headers) {
        Ok(operators) => {
            let principals = operators.control.principals();
            let list: Vec<Value> = principals.iter().map(|one| shown(one)).collect();
            Json(json!(list)).into_response()
        }
        Err(refusal) => *refusal,
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Revocation {
    app_id: String,
}

async fn revoke(
    State(admin): State<Admin>,
    headers: HeaderMap,
    Json(wanted): Json<Revocation>,
) -> Response {
    let operators = match admitted(&admin, &headers) {
        Ok(operators) => operators,
        Err(refusal) => return *refusal,
    };
    match operators.control.revoke_principal(&wanted.app_id).await {
        Ok(true) => Json(json!({"revoked": wanted.app_id})).into_response(),
        Ok(false) => refuse(StatusCode::NOT_FOUND, "there is no such service principal"),
        Err(error) => refuse(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

#[derive(Deserialize)]
struct Backup {
    to: PathBuf,
}

async fn backup(
    State(admin): State<Admin>,
    headers: HeaderMap,
    Json(wanted): Json<Backup>,
) -> Response {
    let operators = match admitted(&admin, &headers) {
        Ok(operators) => operators,
        Err(refusal) => return *refusal,
    };
    match operators.store.backup(&wanted.to).await {
        Ok(report) => Json(json!({"to": wanted.to, "revision": report.revision.0})).into_response(),
        Err(error) => refuse(StatusCode::CONFLICT, &error.to_string()),
    }
}
