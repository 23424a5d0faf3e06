//! Health probes: a setting's custom one, or the default.

use std::ops::RangeInclusive;
use std::time::Duration;

use gatewright_arm::Item;
use gatewright_arm::model::{self, BackendHttpSettings, Protocol};
use gatewright_snapshot::{
    BackendProtocol, BackendSetting, BackendTrust, BackendVerification, Probe, ProbeHost,
};

use crate::codes;
use crate::findings::{Findings, quote};
use crate::lookup::Lookup;
use crate::scope::Scope;
use crate::settings::seconds;

/// Bounds of a probe's interval and timeout, in seconds.
const SECONDS: (i32, i32) = (1, 86_400);
/// Bounds of the failures in a row that take a server down.
const THRESHOLD: (i32, i32) = (1, 20);
/// Longest host name, in bytes (RFC 1035, section 2.3.4).
const HOST_BYTES_MAX: usize = 253;

/// How the servers under `item` are probed; `None` after an error.
pub(crate) fn of_setting(
    scope: &mut Scope<'_>,
    item: &Item<BackendHttpSettings>,
    setting: &BackendSetting,
    custom: &Lookup<'_, model::Probe>,
) -> Option<Probe> {
    let Some(reference) = &item.properties.probe else {
        let verification = setting.verification.clone();
        return Some(Probe::default_for(
            setting.protocol,
            setting.port,
            verification,
        ));
    };
    match custom.item(reference) {
        Some(probe) => {
            let is_v1 = scope.is_v1();
            Some(from_document(scope.findings, is_v1, probe, setting))
        }
        None => {
            scope.unresolved(reference);
            None
        }
    }
}

/// Values that validation bounds are clamped here, so that a row is always sound.
pub(crate) fn from_document(
    findings: &mut Findings,
    is_v1: bool,
    item: &Item<model::Probe>,
    setting: &BackendSetting,
) -> Probe {
    let properties = &item.properties;
    let protocol = match properties.protocol {
        Some(Protocol::Https) => BackendProtocol::Https,
        Some(Protocol::Http) => BackendProtocol::Http,
        // Of a layer-4 setting: it is not used by any of these.
        Some(_) | None => setting.protocol,
    };
    let duration = |value: Option<i32>, default: Duration| {
        value.map_or(default, |value| seconds(value, SECONDS))
    };
    let threshold = properties
        .unhealthy_threshold
        .map(|value| value.clamp(THRESHOLD.0, THRESHOLD.1).unsigned_abs());
    let expected = properties.r#match.as_ref();
    let body = expected.and_then(|expected| expected.body.clone());
    // Second-generation gateways alone have a port of their own; 0 is how PowerShell prints none.
    let port = properties.port.filter(|_| !is_v1);
    let port = port.and_then(|port| u16::try_from(port).ok());
    Probe {
        name: Some(item.name.clone()),
        protocol,
        port: port.filter(|port| *port > 0).unwrap_or(setting.port),
        host: host(findings, item),
        path: path(findings, item),
        interval: duration(properties.interval, Probe::DEFAULT_INTERVAL),
        timeout: duration(properties.timeout, Probe::DEFAULT_TIMEOUT),
        unhealthy_threshold: threshold.unwrap_or(Probe::DEFAULT_THRESHOLD),
        statuses: statuses(expected.map_or(&[], |expected| &expected.status_codes)),
        body: body.filter(|body| !body.is_empty()),
        min_servers: u32::try_from(properties.min_servers.unwrap_or(0)).unwrap_or(0),
        verification: verification(protocol, setting),
    }
}

/// The setting's own; for an Https probe of an Http setting, which names no trust, everything is
/// checked against the public authorities.
fn verification(
    protocol: BackendProtocol,
    setting: &BackendSetting,
) -> Option<BackendVerification> {
    let strict = || BackendVerification {
        trust: BackendTrust::WellKnown,
        check_chain: true,
        check_name: true,
        sni_name: None,
    };
    match protocol {
        BackendProtocol::Http => None,
        BackendProtocol::Https => Some(setting.verification.clone().unwrap_or_else(strict)),
    }
}

/// It goes into a header as it is: one host, perhaps with a port.
fn host(findings: &mut Findings, item: &Item<model::Probe>) -> ProbeHost {
    let properties = &item.properties;
    if properties.pick_host_name_from_backend_http_settings == Some(true) {
        return ProbeHost::FromSetting;
    }
    let host = properties.host.as_deref().map(str::trim);
    let Some(host) = host.filter(|host| !host.is_empty()) else {
        return ProbeHost::Loopback;
    };
    let is_allowed = |b: u8| b.is_ascii_alphanumeric() || b"-._:[]".contains(&b);
    if host.len() > HOST_BYTES_MAX || !host.bytes().all(is_allowed) {
        findings.error(
            codes::E_PROBE_HOST,
            item.pointer_to("host"),
            format!(
                "The host {} of the probe {} is no host name.",
                quote(host),
                quote(&item.name)
            ),
            "Give a name such as app.contoso.com, or an address, without a scheme or a path.",
        );
    }
    ProbeHost::Fixed(host.to_owned())
}

/// It goes into the request line as it is.
fn path(findings: &mut Findings, item: &Item<model::Probe>) -> String {
    let path = item.properties.path.as_deref().unwrap_or("/");
    let is_visible = |b: u8| b.is_ascii_graphic() && b != b'#';
    if path.starts_with('/') && path.bytes().all(is_visible) {
        return path.to_owned();
    }
    findings.error(
        codes::E_PROBE_PATH,
        item.pointer_to("path"),
        format!(
            "The path {} of the probe {} has characters that no path has, or no '/' in front.",
            quote(path),
            quote(&item.name)
        ),
        "Percent-encode them; a query may follow a '?'.",
    );
    "/".to_owned()
}

/// Codes and ranges; what validation would refuse is passed over.
fn statuses(texts: &[String]) -> Vec<RangeInclusive<u16>> {
    let ranges: Vec<_> = texts.iter().filter_map(|text| status_range(text)).collect();
    match ranges.is_empty() {
        true => vec![Probe::DEFAULT_STATUSES],
        false => ranges,
    }
}

/// The statuses that `text`, a code or a range of codes from 100 to 599, means; `None` for anything
/// else.
pub fn status_range(text: &str) -> Option<RangeInclusive<u16>> {
    let (low, high) = text.split_once('-').unwrap_or((text, text));
    let range = low.trim().parse().ok()?..=high.trim().parse().ok()?;
    let is_sound = !range.is_empty() && *range.start() >= 100 && *range.end() <= 599;
    is_sound.then_some(range)
}
