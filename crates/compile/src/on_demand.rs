//! Probes on demand: the body of `getBackendHealthOnDemand` against what is served.

use std::time::Duration;

use gatewright_arm::model::{self, OnDemandProbe, Protocol};
use gatewright_arm::{Diagnostic, Item, Reference};
use gatewright_snapshot::{BackendSetting, GatewayIndex, Pool, Probe, Snapshot, Upstream};
use gatewright_snapshot::{PoolIndex, SettingIndex};

use crate::codes;
use crate::findings::{Findings, quote, quote_id};
use crate::probes;

/// Bounds of the timeout, in seconds (Azure REST API).
const TIMEOUT_S: std::ops::RangeInclusive<i32> = 1..=86_400;
/// Longest text that a probe looks for, in characters (the same).
const MATCH_CHARS_MAX: usize = 4_090;

/// Whom to probe once, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnDemand {
    /// The pool under the setting; no rule need pair them.
    pub upstream: Upstream,
    pub probe: Probe,
}

/// What `body` asks for of `gateway`. Whatever it leaves out is as in the setting's own probe. As
/// in the service, the setting's switches for certificates and names do not hold for such a probe:
/// it checks everything.
///
/// # Errors
/// What is wrong with the body, each finding with its JSON pointer.
pub fn compile_on_demand(
    body: &OnDemandProbe,
    gateway: GatewayIndex,
    snapshot: &Snapshot,
) -> Result<OnDemand, Vec<Diagnostic>> {
    let mut findings = Findings::default();
    let pool = find(
        &mut findings,
        body.backend_address_pool.as_ref(),
        ("backendAddressPool", "backendAddressPools"),
        |name| {
            position(&snapshot.pools, |pool: &Pool| {
                pool.gateway == gateway && pool.name.eq_ignore_ascii_case(name)
            })
        },
    );
    let setting = find(
        &mut findings,
        body.backend_http_settings.as_ref(),
        ("backendHttpSettings", "backendHttpSettingsCollection"),
        |name| {
            position(&snapshot.settings, |setting: &BackendSetting| {
                setting.gateway == gateway && setting.name.eq_ignore_ascii_case(name)
            })
        },
    );
    check(&mut findings, body);
    let (Some(pool), Some(setting)) = (pool, setting) else {
        return Err(findings.into_list());
    };
    let upstream = Upstream {
        pool: PoolIndex::new(pool),
        setting: SettingIndex::new(setting),
    };
    let probe = probe(&mut findings, body, snapshot.setting(upstream.setting));
    match findings.has_errors() {
        true => Err(findings.into_list()),
        false => Ok(OnDemand { upstream, probe }),
    }
}

fn position<T>(table: &[T], is_it: impl Fn(&T) -> bool) -> Option<usize> {
    table.iter().position(is_it)
}

/// What a reference names: its member and its collection come in `place`.
fn find(
    findings: &mut Findings,
    reference: Option<&Reference>,
    (member, collection): (&str, &str),
    by_name: impl Fn(&str) -> Option<usize>,
) -> Option<usize> {
    let id = reference.map_or("", |reference| reference.id.trim_end_matches('/'));
    let mut ends = id.rsplit('/');
    let (name, kind) = (
        ends.next().unwrap_or_default(),
        ends.next().unwrap_or_default(),
    );
    let found = match kind.eq_ignore_ascii_case(collection) {
        true => by_name(name),
        false => None,
    };
    if found.is_none() {
        let message = match id {
            "" => format!("The body names no {member}."),
            id => format!("{} names nothing in this gateway.", quote_id(id)),
        };
        findings.error(
            codes::E_ON_DEMAND_PROBE,
            format!("/{member}/id"),
            message,
            format!("Give an id that ends in {collection}/NAME."),
        );
    }
    found
}

fn check(findings: &mut Findings, body: &OnDemandProbe) {
    let mut refuse = |member: &str, message: String, help: &str| {
        findings.error(
            codes::E_ON_DEMAND_PROBE,
            format!("/{member}"),
            message,
            help,
        );
    };
    if let Some(seconds) = body.timeout
        && !TIMEOUT_S.contains(&seconds)
    {
        let message = format!("A probe cannot take {seconds} s.");
        refuse("timeout", message, "Give 1 to 86400 seconds.");
    }
    if let Some(protocol) = body.protocol
        && !protocol.is_http()
    {
        let message = format!("Servers are not probed by {protocol} here yet.");
        refuse("protocol", message, "Give Http or Https.");
    }
    let Some(expected) = &body.r#match else {
        return;
    };
    let text = expected.body.as_deref().unwrap_or_default();
    if text.chars().count() > MATCH_CHARS_MAX {
        let message = format!("The text to look for has more than {MATCH_CHARS_MAX} characters.");
        refuse("match/body", message, "Look for a shorter one.");
    }
    for (at, status) in expected.status_codes.iter().enumerate() {
        if probes::status_range(status).is_none() {
            let message = format!(
                "{} is neither a status code nor a range of them.",
                quote(status)
            );
            refuse(
                &format!("match/statusCodes/{at}"),
                message,
                "Give for example 200-399.",
            );
        }
    }
}

fn probe(findings: &mut Findings, body: &OnDemandProbe, setting: &BackendSetting) -> Probe {
    let default =
        || Probe::default_for(setting.protocol, setting.port, setting.verification.clone());
    let own = setting.probe.clone().unwrap_or_else(default);
    let item = Item::new(
        "on-demand",
        model::Probe {
            protocol: body.protocol.or(Some(match own.verification {
                Some(_) => Protocol::Https,
                None => Protocol::Http,
            })),
            host: body.host.clone(),
            path: body.path.clone(),
            timeout: body.timeout,
            pick_host_name_from_backend_http_settings: body
                .pick_host_name_from_backend_http_settings,
            r#match: body.r#match.clone(),
            ..model::Probe::default()
        },
    );
    let mut probe = probes::from_document(findings, false, &item, setting);
    if probe.protocol == own.protocol {
        probe.port = own.port;
    }
    if body.host.is_none() && body.pick_host_name_from_backend_http_settings.is_none() {
        probe.host = own.host;
    }
    if body.path.is_none() {
        probe.path = own.path;
    }
    probe.timeout = body.timeout.map_or(own.timeout, |seconds| {
        Duration::from_secs(u64::from(seconds.unsigned_abs()))
    });
    if body.r#match.is_none() {
        (probe.statuses, probe.body) = (own.statuses, own.body);
    }
    probe.name = None;
    if let Some(verification) = &mut probe.verification {
        verification.check_chain = true;
        verification.check_name = true;
        verification.sni_name = None;
    }
    probe
}
