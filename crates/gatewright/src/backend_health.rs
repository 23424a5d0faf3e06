//! The backend-health report: built by the node, read by `health`, in the service's form and in
//! ours, which says more.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use gatewright_dataplane::{ServerState, UpstreamState};
use gatewright_snapshot::{Gateway, Snapshot};
use gatewright_telemetry::{CertificateNote, Fill, Health, HealthMessage, ProbeRecord, ProbeStage};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::times::{self, rfc3339};

/// Every pool of every gateway. A pool has an entry for each setting that a rule pairs it with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct BackendHealth {
    pub(crate) pools: Vec<PoolHealth>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PoolHealth {
    pub(crate) gateway: String,
    /// Empty where the document has none.
    pub(crate) gateway_id: String,
    /// Why the gateway answers 502 to every request: `stopped`, `failed`.
    #[serde(default)]
    pub(crate) idle: Option<String>,
    pub(crate) pool: String,
    pub(crate) settings: Vec<SettingHealth>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SettingHealth {
    pub(crate) setting: String,
    pub(crate) servers: Vec<ServerHealth>,
}

/// One server under one setting.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ServerHealth {
    /// As the pool names it.
    pub(crate) address: String,
    /// Its IP address and port as routing knows them.
    pub(crate) endpoint: Option<String>,
    /// Where it is reached instead, by a mapping.
    pub(crate) reached_at: Option<String>,
    /// `Healthy`, `Unhealthy` or `Unknown`.
    pub(crate) health: String,
    /// Whether it counts as healthy by the probe's `minServers` alone.
    pub(crate) is_kept: bool,
    pub(crate) health_probe_log: String,
    pub(crate) health_probe_error_name: String,
    /// Our name for the message.
    pub(crate) code: String,
    /// What was seen, where that says more than the log.
    pub(crate) detail: Option<String>,
    /// What mends it; absent while it is healthy.
    pub(crate) remedy: Option<String>,
    /// The status of the last probe's answer.
    pub(crate) status: Option<u16>,
    /// Since when it is in its state.
    pub(crate) since: Option<String>,
    /// The same in seconds before the report was made.
    pub(crate) for_seconds: Option<u64>,
    /// When the last probe ended.
    pub(crate) probed_at: Option<String>,
    /// How many probes in a row had the last one's result.
    pub(crate) in_a_row: u32,
    /// How many failed ones in a row make it unhealthy; absent where it is not probed on schedule.
    #[serde(default)]
    pub(crate) unhealthy_threshold: Option<u32>,
    /// What the last probe asked for, how its steps went, and which certificates it saw.
    pub(crate) probe: Option<Value>,
}

fn idle(gateway: &Gateway) -> Option<String> {
    gateway.idle.map(|idle| idle.as_str().to_owned())
}

impl BackendHealth {
    /// The report at `now`, in microseconds since the Unix epoch.
    pub(crate) fn new(snapshot: &Snapshot, upstreams: &[UpstreamState], now: u64) -> Self {
        let mut by_pool: BTreeMap<(&str, &str), Vec<SettingHealth>> = BTreeMap::new();
        for upstream in upstreams {
            let gateway = key_of(&upstream.gateway_id, &upstream.gateway);
            let key = (gateway, upstream.pool.as_str());
            let settings = by_pool.entry(key).or_default();
            settings.push(setting_health(upstream, now));
        }
        let pools = snapshot.pools.iter().map(|pool| {
            let gateway = snapshot.gateway(pool.gateway);
            let owner = key_of(&gateway.resource_id, &gateway.name);
            let key = (owner, pool.name.as_str());
            PoolHealth {
                gateway: gateway.name.clone(),
                gateway_id: gateway.resource_id.clone(),
                idle: idle(gateway),
                pool: pool.name.clone(),
                settings: by_pool.remove(&key).unwrap_or_default(),
            }
        });
        Self {
            pools: pools.collect(),
        }
    }

    /// The report on one pool under one setting, of this gateway.
    pub(crate) fn of_upstream(upstream: &UpstreamState, gateway: &Gateway, now: u64) -> Self {
        Self {
            pools: vec![PoolHealth {
                gateway: upstream.gateway.clone(),
                gateway_id: gateway.resource_id.clone(),
                idle: idle(gateway),
                pool: upstream.pool.clone(),
                settings: vec![setting_health(upstream, now)],
            }],
        }
    }

    /// Adds another report, which has none of the same pools under the same settings.
    pub(crate) fn take(&mut self, other: Self) {
        for pool in other.pools {
            let of = |one: &PoolHealth| {
                (
                    one.gateway_id.clone(),
                    one.gateway.clone(),
                    one.pool.clone(),
                )
            };
            let is_same = |one: &&mut PoolHealth| of(one) == of(&pool);
            match self.pools.iter_mut().find(is_same) {
                Some(known) => known.settings.extend(pool.settings),
                None => self.pools.push(pool),
            }
        }
    }

    pub(crate) fn servers(&self) -> impl Iterator<Item = &ServerHealth> {
        let settings = self.pools.iter().flat_map(|pool| &pool.settings);
        settings.flat_map(|setting| &setting.servers)
    }

    /// The pools without a server, each with a setting under which a rule leads there.
    pub(crate) fn empty_pools(&self) -> impl Iterator<Item = (&PoolHealth, &str)> {
        self.pools.iter().flat_map(|pool| {
            let settings = pool.settings.iter();
            let empty = settings.filter(|setting| setting.servers.is_empty());
            empty.map(move |setting| (pool, setting.setting.as_str()))
        })
    }

    /// The names of gateways that answer 502 to every request, with why: `stopped`, `failed`.
    pub(crate) fn idle_gateways(&self) -> BTreeSet<(&str, &str)> {
        let pools = self.pools.iter();
        let idle = pools.filter_map(|pool| Some((pool.gateway.as_str(), pool.idle.as_deref()?)));
        idle.collect()
    }

    /// The report on one gateway alone: by its id, or its name where it has none.
    pub(crate) fn of_gateway(mut self, key: &str) -> Self {
        self.pools
            .retain(|pool| key_of(&pool.gateway_id, &pool.gateway).eq_ignore_ascii_case(key));
        self
    }

    /// As the service answers `backendhealth`.
    pub(crate) fn as_service_answers(&self) -> Value {
        let pools = self.pools.iter().map(|pool| {
            let settings = pool
                .settings
                .iter()
                .map(|setting| service_setting(pool, setting));
            json!({
                "backendAddressPool": service_reference(pool, "backendAddressPools", &pool.pool),
                "backendHttpSettingsCollection": settings.collect::<Vec<_>>(),
            })
        });
        json!({ "backendAddressPools": pools.collect::<Vec<_>>() })
    }

    /// As the service answers `getBackendHealthOnDemand`; `None` when there is nothing in it.
    pub(crate) fn as_service_answers_on_demand(&self) -> Option<Value> {
        let pool = self.pools.first()?;
        let setting = pool.settings.first()?;
        Some(json!({
            "backendAddressPool": service_reference(pool, "backendAddressPools", &pool.pool),
            "backendHealthHttpSettings": service_setting(pool, setting),
        }))
    }

    /// As `az network application-gateway show-backend-health` prints it.
    pub(crate) fn as_az_prints(&self) -> Value {
        let pools = self.pools.iter().map(|pool| {
            let settings = pool.settings.iter().map(|setting| {
                let collection = "backendHttpSettingsCollection";
                json!({
                    "backendHttpSettings": reference(pool, collection, &setting.setting),
                    "servers": setting.servers.iter().map(az_server).collect::<Vec<_>>(),
                })
            });
            json!({
                "backendAddressPool": reference(pool, "backendAddressPools", &pool.pool),
                "backendHttpSettingsCollection": settings.collect::<Vec<_>>(),
            })
        });
        json!({ "backendAddressPools": pools.collect::<Vec<_>>() })
    }
}

/// What tells gateways apart: names are unique within a resource group only.
pub(crate) fn key_of<'a>(id: &'a str, name: &'a str) -> &'a str {
    match id {
        "" => name,
        id => id,
    }
}

fn service_setting(pool: &PoolHealth, setting: &SettingHealth) -> Value {
    let collection = "backendHttpSettingsCollection";
    json!({
        "backendHttpSettings": service_reference(pool, collection, &setting.setting),
        "servers": setting.servers.iter().map(service_server).collect::<Vec<_>>(),
    })
}

fn service_reference(pool: &PoolHealth, collection: &str, name: &str) -> Value {
    json!({ "id": format!("{}/{collection}/{name}", pool.gateway_id) })
}

/// The last two members are in no specification, and in every recorded answer.
fn service_server(server: &ServerHealth) -> Value {
    json!({
        "address": server.address,
        "health": server.health,
        "healthProbeLog": server.health_probe_log,
        "healthProbeErrorName": server.health_probe_error_name,
        "backendCertificateChainMetadata": {"certificateChainMetadata": []},
    })
}

/// az adds the resource group to every object that has an id.
fn reference(pool: &PoolHealth, collection: &str, name: &str) -> Value {
    let id = format!("{}/{collection}/{name}", pool.gateway_id);
    let mut parts = pool.gateway_id.split('/');
    let is_group = |part: &str| part.eq_ignore_ascii_case("resourceGroups");
    let mut reference = Map::new();
    reference.insert("id".to_owned(), id.into());
    if parts.any(is_group)
        && let Some(group) = parts.next()
    {
        reference.insert("resourceGroup".to_owned(), group.into());
    }
    Value::Object(reference)
}

fn az_server(server: &ServerHealth) -> Value {
    json!({
        "address": server.address,
        "health": server.health,
        "healthProbeLog": server.health_probe_log,
        // Members are given by address or name here, never by a network interface.
        "ipConfiguration": null,
    })
}

fn setting_health(upstream: &UpstreamState, now: u64) -> SettingHealth {
    let unretrievable = upstream.unretrievable.as_deref();
    let servers = upstream.servers.iter().map(|one| match unretrievable {
        Some(why) => unretrievable_server(server(one, now), why),
        None => ServerHealth {
            unhealthy_threshold: upstream.unhealthy_threshold,
            ..server(one, now)
        },
    });
    SettingHealth {
        setting: upstream.setting.clone(),
        servers: servers.collect(),
    }
}

fn server(state: &ServerState, now: u64) -> ServerHealth {
    let is_kept = state.takes_traffic && state.health == Health::Unhealthy;
    let health = match is_kept {
        true => Health::Healthy,
        false => state.health,
    };
    let record = state.record.as_deref();
    let message = message(state, record);
    let log = record.map_or_else(
        || message.render(&Fill::default()),
        |record| record.log.clone(),
    );
    let is_well = message == HealthMessage::Success;
    let reached_at = state.address.filter(|at| Some(*at) != state.logical);
    ServerHealth {
        address: state.member.clone(),
        endpoint: state.logical.map(|at| at.to_string()),
        reached_at: reached_at.as_ref().map(SocketAddr::to_string),
        health: health.as_str().to_owned(),
        is_kept,
        health_probe_log: log,
        health_probe_error_name: message.error_name().to_owned(),
        code: message.code().to_owned(),
        detail: record.and_then(|record| record.detail.clone()),
        remedy: (!is_well).then(|| message.remedy().to_owned()),
        status: record.and_then(|record| record.status),
        since: state.since_micros.map(rfc3339),
        for_seconds: (state.since_micros).map(|since| now.saturating_sub(since) / 1_000_000),
        probed_at: record.map(|record| rfc3339(record.at_micros)),
        in_a_row: state.in_a_row,
        unhealthy_threshold: None,
        probe: record.map(probe),
    }
}

/// What the platform would tell of a server whose health it cannot have. It may well be healthy,
/// and take traffic.
fn unretrievable_server(server: ServerHealth, why: &str) -> ServerHealth {
    let message = HealthMessage::Unretrievable;
    let seen = server.detail.as_deref();
    let seen = seen.map_or_else(String::new, |seen| format!(" ({seen})"));
    let probes = format!("our own probes say: {}{seen}", server.health_probe_log);
    ServerHealth {
        health: Health::Unknown.as_str().to_owned(),
        health_probe_log: message.render(&Fill::default()),
        health_probe_error_name: message.error_name().to_owned(),
        code: message.code().to_owned(),
        detail: Some(format!("{why}; {probes}")),
        remedy: Some(message.remedy().to_owned()),
        ..server
    }
}

fn message(state: &ServerState, record: Option<&ProbeRecord>) -> HealthMessage {
    match (record, state.logical) {
        (Some(record), _) => record.message,
        (None, Some(_)) => HealthMessage::NotProbed,
        (None, None) if state.has_no_such_name => HealthMessage::NameUnresolved,
        (None, None) => HealthMessage::NameUnanswered,
    }
}

/// The probe as `GET /health` and `probe -o json` tell it.
pub(crate) fn probe(record: &ProbeRecord) -> Value {
    let request = &record.request;
    json!({
        "request": {
            "scheme": if request.is_encrypted { "https" } else { "http" },
            "host": request.host,
            "sni": request.sni,
            "path": request.path,
            "port": request.port,
        },
        "stages": record.stages.iter().map(stage).collect::<Vec<_>>(),
        "certificates": record.certificates.iter().map(certificate).collect::<Vec<_>>(),
    })
}

fn stage(stage: &ProbeStage) -> Value {
    json!({
        "name": stage.name.as_str(),
        "ok": stage.ok,
        "milliseconds": stage.micros as f64 / 1_000.0,
        "detail": stage.detail,
    })
}

fn certificate(note: &CertificateNote) -> Value {
    json!({
        "subject": note.subject,
        "issuer": note.issuer,
        "names": note.names,
        "notBefore": times::rfc3339_of_seconds(note.not_before),
        "notAfter": times::rfc3339_of_seconds(note.not_after),
        "verdict": note.defect.as_deref().unwrap_or("nothing wrong"),
    })
}

#[cfg(test)]
mod tests {
    use gatewright_snapshot::{Gateway, GatewayIndex, Generation, Pool};

    use super::*;

    const ID: &str = "/subscriptions/s/resourceGroups/rg-appgw/providers/Microsoft.Network\
                      /applicationGateways/gw";

    fn snapshot() -> Snapshot {
        let pool = |name: &str| Pool {
            name: name.to_owned(),
            gateway: GatewayIndex::new(0),
            members: Vec::new(),
        };
        Snapshot {
            gateways: vec![Gateway {
                name: "gw".to_owned(),
                resource_id: ID.to_owned(),
                generation: Generation::V2,
                idle: None,
                hide_server_header: false,
            }],
            pools: vec![pool("web"), pool("unused")],
            ..Snapshot::default()
        }
    }

    fn state(member: &str, health: Health, takes_traffic: bool) -> ServerState {
        ServerState {
            member: member.to_owned(),
            logical: Some("10.0.0.4:80".parse().unwrap()),
            address: Some("127.0.0.1:9001".parse().unwrap()),
            health,
            takes_traffic,
            since_micros: Some(1_000_000),
            in_a_row: 2,
            record: None,
            has_no_such_name: false,
        }
    }

    fn report(servers: Vec<ServerState>) -> BackendHealth {
        let upstream = UpstreamState {
            gateway: "gw".to_owned(),
            gateway_id: ID.to_owned(),
            pool: "web".to_owned(),
            setting: "http".to_owned(),
            servers,
            unhealthy_threshold: Some(3),
            unretrievable: None,
        };
        BackendHealth::new(&snapshot(), &[upstream], 4_500_000)
    }

    #[test]
    fn the_form_is_that_of_az() {
        let report = report(vec![state("10.0.0.4", Health::Unknown, false)]);
        let expected = json!({ "backendAddressPools": [
            {
                "backendAddressPool": {
                    "id": format!("{ID}/backendAddressPools/web"), "resourceGroup": "rg-appgw",
                },
                "backendHttpSettingsCollection": [{
                    "backendHttpSettings": {
                        "id": format!("{ID}/backendHttpSettingsCollection/http"),
                        "resourceGroup": "rg-appgw",
                    },
                    "servers": [{
                        "address": "10.0.0.4",
                        "health": "Unknown",
                        "healthProbeLog": "The backend has not been probed yet.",
                        "ipConfiguration": null,
                    }],
                }],
            },
            {
                "backendAddressPool": {
                    "id": format!("{ID}/backendAddressPools/unused"), "resourceGroup": "rg-appgw",
                },
                "backendHttpSettingsCollection": [],
            },
        ] });
        assert_eq!(report.as_az_prints(), expected);
    }

    #[test]
    fn a_server_that_min_servers_keeps_counts_as_healthy() {
        let kept = state("10.0.0.4", Health::Unhealthy, true);
        let down = state("10.0.0.5", Health::Unhealthy, false);
        let report = report(vec![kept, down]);
        let seen: Vec<(&str, bool)> = report
            .servers()
            .map(|one| (one.health.as_str(), one.is_kept))
            .collect();
        assert_eq!(seen, [("Healthy", true), ("Unhealthy", false)]);
        let first = report.servers().next().unwrap();
        assert_eq!(first.for_seconds, Some(3));
        assert_eq!(first.reached_at.as_deref(), Some("127.0.0.1:9001"));
    }

    #[test]
    fn names_without_an_address_are_told_apart() {
        let nameless = |has_no_such_name| ServerState {
            logical: None,
            address: None,
            has_no_such_name,
            since_micros: None,
            ..state("app.test", Health::Unknown, false)
        };
        let report = report(vec![nameless(true), nameless(false)]);
        let codes: Vec<&str> = report.servers().map(|one| one.code.as_str()).collect();
        assert_eq!(codes, ["name-unresolved", "name-unanswered"]);
    }
}
