//! Which members of a gateway are in answers under which API version.
//!
//! Source: recorded from the service, but where it says otherwise.

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;

use crate::model::ApplicationGateway;
use crate::validate::ApiVersion;

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
const TLS_DEFAULT: &str = "defaultPredefinedSslPolicy";

/// The first api-version whose gateways have listeners for TCP and TLS, and the family of the SKU.
/// They are in answers under 2022-05-01, and in none under 2021-03-01 (recorded by the azure-cli).
const TCP_SINCE: ApiVersion = ApiVersion::new(2021, 8, 1);
const TCP: [&str; 3] = ["backendSettingsCollection", "listeners", "routingRules"];

/// A gateway, as [`write`](crate::write()) writes it, as answers under an api-version have it. It
/// is cut while it is serialized, since it may be large, and what is left out of it is little.
pub struct AsOf<'a>(Part<'a>);

impl<'a> AsOf<'a> {
    pub fn new(gateway: &'a Value, api_version: ApiVersion) -> Self {
        Self(Part {
            value: gateway,
            place: Place::Gateway,
            api_version,
        })
    }
}

impl Serialize for AsOf<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

/// A part of a gateway that something may be left out of.
struct Part<'a> {
    value: &'a Value,
    place: Place,
    api_version: ApiVersion,
}

/// Where in a gateway it is; of lists, the items.
#[derive(Clone, Copy)]
enum Place {
    Gateway,
    Properties,
    Sku,
    Listener,
    ListenerProperties,
    Setting,
    SettingProperties,
}

enum Fate {
    Kept,
    LeftOut,
    Cut(Place),
}

impl Part<'_> {
    fn at<'b>(&self, value: &'b Value, place: Place) -> Part<'b> {
        Part {
            value,
            place,
            api_version: self.api_version,
        }
    }

    fn fate(&self, name: &str, value: &Value) -> Fate {
        let before = |since: ApiVersion| self.api_version < since;
        // Those that are not empty stay: what a client wrote under a newer version is no secret.
        let is_empty = || value.as_array().is_some_and(Vec::is_empty);
        let is_left_out = match (self.place, name) {
            (Place::Gateway, "properties") => return Fate::Cut(Place::Properties),
            (Place::Properties, "sku") => return Fate::Cut(Place::Sku),
            (Place::Properties, "httpListeners") => return Fate::Cut(Place::Listener),
            (Place::Properties, "backendHttpSettingsCollection") => {
                return Fate::Cut(Place::Setting);
            }
            (Place::Listener, "properties") => return Fate::Cut(Place::ListenerProperties),
            (Place::Setting, "properties") => return Fate::Cut(Place::SettingProperties),
            (Place::Properties, name) if ADVANCED.contains(&name) => {
                before(ADVANCED_SINCE) && is_empty()
            }
            (Place::Properties, JWT) => before(JWT_SINCE) && is_empty(),
            (Place::Properties, name) if TCP.contains(&name) => before(TCP_SINCE) && is_empty(),
            (Place::Properties, TLS_DEFAULT) => before(TLS_DEFAULT_SINCE),
            (Place::Sku, "family") => before(TCP_SINCE),
            // Recorded under 2022-05-01 and 2023-02-01: HTTP/3 is there where it is on.
            (Place::ListenerProperties, "enableHttp3") => {
                before(TLS_DEFAULT_SINCE) && *value == Value::Bool(false)
            }
            (Place::SettingProperties, name) => before(CHECKS_SINCE) && CHECKS.contains(&name),
            _ => false,
        };
        match is_left_out {
            true => Fate::LeftOut,
            false => Fate::Kept,
        }
    }
}

impl Serialize for Part<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.value {
            Value::Array(items) => {
                serializer.collect_seq(items.iter().map(|one| self.at(one, self.place)))
            }
            Value::Object(members) => {
                let mut map = serializer.serialize_map(None)?;
                for (name, value) in members {
                    match self.fate(name, value) {
                        Fate::Kept => map.serialize_entry(name, value)?,
                        Fate::LeftOut => {}
                        Fate::Cut(place) => map.serialize_entry(name, &self.at(value, place))?,
                    }
                }
                map.end()
            }
            other => other.serialize(serializer),
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
    use serde_json::json;

    use super::*;

    #[test]
    fn each_member_is_there_from_its_version_on() {
        let gateway = json!({"name": "gw", "properties": {
            "sku": {"name": "Standard_v2", "family": "Generation_2"},
            "defaultPredefinedSslPolicy": "AppGwSslPolicy20220101",
            "httpListeners": [
                {"name": "l", "properties": {"enableHttp3": false}},
                {"name": "on", "properties": {"enableHttp3": true}},
            ],
            "backendHttpSettingsCollection": [{"name": "s", "properties": {
                "port": 80, "validateSNI": true, "sniName": "a",
            }}],
            "backendSettingsCollection": [],
            "listeners": [{"name": "t"}],
            "entraJWTValidationConfigs": [],
            "advancedRoutingMaps": [],
        }});
        let has = |version: &str, pointer: &str| {
            let as_of = AsOf::new(&gateway, version.parse().unwrap());
            let cut = serde_json::to_value(&as_of).unwrap();
            cut.pointer(pointer).is_some()
        };
        for (pointer, before, since) in [
            ("/properties/sku/family", "2021-07-01", "2021-08-01"),
            (
                "/properties/backendSettingsCollection",
                "2021-07-01",
                "2021-08-01",
            ),
            (
                "/properties/defaultPredefinedSslPolicy",
                "2023-01-01",
                "2023-02-01",
            ),
            (
                "/properties/httpListeners/0/properties/enableHttp3",
                "2023-01-01",
                "2023-02-01",
            ),
            (
                "/properties/backendHttpSettingsCollection/0/properties/validateSNI",
                "2024-09-01",
                "2024-10-01",
            ),
            (
                "/properties/backendHttpSettingsCollection/0/properties/sniName",
                "2024-09-01",
                "2024-10-01",
            ),
            (
                "/properties/entraJWTValidationConfigs",
                "2025-02-01",
                "2025-03-01",
            ),
            (
                "/properties/advancedRoutingMaps",
                "2025-12-01",
                "2026-01-01",
            ),
        ] {
            assert!(!has(before, pointer) && has(since, pointer), "{pointer}");
        }
        for kept in [
            "/name",
            "/properties/sku/name",
            "/properties/listeners/0/name",
            "/properties/httpListeners/1/properties/enableHttp3",
            "/properties/backendHttpSettingsCollection/0/properties/port",
        ] {
            assert!(has("2015-05-01", kept), "{kept}");
        }
        let newest = AsOf::new(&gateway, ApiVersion::NEWEST);
        assert_eq!(serde_json::to_value(&newest).unwrap(), gateway);
    }
}
