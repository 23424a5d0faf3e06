//! Which members of a gateway are in answers under which API version.
//!
//! Source: recorded from the service, but where it says otherwise.

use serde_json::{Value, json};

use crate::model::ApplicationGateway;
use crate::validate::ApiVersion;

/// The API version before which answers are alike from `api_version` on; `None` where they have
/// every member. Answers of two versions of one era are the same.
pub fn end_of_era(api_version: ApiVersion) -> Option<ApiVersion> {
    let ends = [
        TCP_SINCE,
        TLS_DEFAULT_SINCE,
        CHECKS_SINCE,
        JWT_SINCE,
        ADVANCED_SINCE,
    ];
    ends.into_iter().find(|end| api_version < *end)
}

/// The first api-version whose answers have advanced rules (recorded; absent under 2025-07-01).
const ADVANCED_SINCE: ApiVersion = ApiVersion::new(2026, 1, 1);
const ADVANCED: [&str; 2] = ["advancedRoutingMaps", "advancedRoutingConditionSets"];

/// The first api-version whose answers have validations of tokens (recorded under 2025-07-01,
/// absent under 2025-01-01).
const JWT_SINCE: ApiVersion = ApiVersion::new(2025, 3, 1);
const JWT: &str = "entraJWTValidationConfigs";

/// The first api-version whose answers tell how servers' certificates are checked (recorded;
/// absent under 2023-11-01).
const CHECKS_SINCE: ApiVersion = ApiVersion::new(2024, 10, 1);
const CHECKS: [&str; 4] = [
    "dedicatedBackendConnection",
    "validateCertChainAndExpiry",
    "validateSNI",
    "sniName",
];

/// The first api-version whose answers have the default TLS policy.
const TLS_DEFAULT_SINCE: ApiVersion = ApiVersion::new(2023, 2, 1);

/// The first api-version whose gateways have listeners for TCP and TLS, and the family of the SKU.
/// They are in answers under 2022-05-01, and in none under 2021-03-01 (recorded by the azure-cli).
const TCP_SINCE: ApiVersion = ApiVersion::new(2021, 8, 1);

/// Takes what answers under `api_version` do not have out of a gateway as
/// [`write`](crate::write()) writes it.
pub fn leave_newer_members_out(gateway: &mut Value, api_version: ApiVersion) {
    let Some(properties) = gateway.get_mut("properties") else {
        return;
    };
    if api_version < ADVANCED_SINCE {
        leave_collections_out(properties, &ADVANCED);
    }
    if api_version < JWT_SINCE {
        leave_collections_out(properties, &[JWT]);
    }
    if api_version < CHECKS_SINCE {
        leave_checks_out(properties);
    }
    if api_version < TLS_DEFAULT_SINCE {
        leave_newer_out(properties);
    }
    if api_version < TCP_SINCE {
        leave_tcp_out(properties);
    }
}

/// Answers of older api-versions have neither the default TLS policy nor, unless it is on, HTTP/3
/// (recorded under 2022-05-01 and 2023-02-01).
fn leave_newer_out(properties: &mut Value) {
    if let Some(members) = properties.as_object_mut() {
        members.shift_remove("defaultPredefinedSslPolicy");
    }
    let listeners = properties
        .get_mut("httpListeners")
        .and_then(Value::as_array_mut);
    for listener in listeners.into_iter().flatten() {
        let own = listener
            .get_mut("properties")
            .and_then(Value::as_object_mut);
        if let Some(own) = own.filter(|own| own.get("enableHttp3") == Some(&json!(false))) {
            own.shift_remove("enableHttp3");
        }
    }
}

fn leave_tcp_out(properties: &mut Value) {
    let tcp = ["backendSettingsCollection", "listeners", "routingRules"];
    leave_collections_out(properties, &tcp);
    if let Some(Value::Object(sku)) = properties.get_mut("sku") {
        sku.shift_remove("family");
    }
}

/// Collections that are not empty stay: what a client wrote under a newer version is no secret.
fn leave_collections_out(properties: &mut Value, names: &[&str]) {
    let Some(members) = properties.as_object_mut() else {
        return;
    };
    for name in names {
        let is_empty = |value: &Value| value.as_array().is_some_and(Vec::is_empty);
        if members.get(*name).is_some_and(is_empty) {
            members.shift_remove(*name);
        }
    }
}

fn leave_checks_out(properties: &mut Value) {
    let settings = properties.get_mut("backendHttpSettingsCollection");
    let settings = settings.and_then(Value::as_array_mut);
    for setting in settings.into_iter().flatten() {
        let own = setting.get_mut("properties").and_then(Value::as_object_mut);
        if let Some(own) = own {
            own.retain(|name, _| !CHECKS.contains(&name.as_str()));
        }
    }
}

/// Keeps of the settings of `previous` what a client of this api-version neither sees nor can say:
/// else one that writes what it read would turn the checks of servers' certificates on again.
pub fn keep_newer_members(
    gateway: &mut ApplicationGateway,
    previous: &ApplicationGateway,
    api_version: ApiVersion,
) {
    if api_version >= CHECKS_SINCE {
        return;
    }
    for setting in &mut gateway.properties.backend_http_settings_collection {
        let mut stored = previous.properties.backend_http_settings_collection.iter();
        let Some(before) = stored.find(|before| before.is_named(&setting.name)) else {
            continue;
        };
        let (new, old) = (&mut setting.properties, &before.properties);
        new.dedicated_backend_connection = new
            .dedicated_backend_connection
            .or(old.dedicated_backend_connection);
        new.validate_cert_chain_and_expiry = new
            .validate_cert_chain_and_expiry
            .or(old.validate_cert_chain_and_expiry);
        new.validate_sni = new.validate_sni.or(old.validate_sni);
        if new.sni_name.is_none() {
            new.sni_name.clone_from(&old.sni_name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eras_end_where_a_member_begins() {
        let year = |year| ApiVersion::new(year, 1, 1);
        assert_eq!(end_of_era(year(2015)), Some(TCP_SINCE));
        assert_eq!(end_of_era(TCP_SINCE), Some(TLS_DEFAULT_SINCE));
        assert_eq!(end_of_era(year(2024)), Some(CHECKS_SINCE));
        assert_eq!(end_of_era(year(2025)), Some(JWT_SINCE));
        assert_eq!(
            end_of_era(ApiVersion::new(2025, 7, 1)),
            Some(ADVANCED_SINCE)
        );
        assert_eq!(end_of_era(year(2026)), None);
    }
}
