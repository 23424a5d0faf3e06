//! Pools, backend settings and probes.

use std::net::{IpAddr, Ipv6Addr};
use std::ops::RangeInclusive;

use super::checker::Checker;
use crate::Severity;
use crate::codes;
use crate::model::{
    BackendAddress, BackendAddressPool, BackendHttpSettings, BackendSettings, Item, Probe,
    ProbeMatch, Protocol, TrustedRootCertificate,
};
use crate::wire::reader::shorten;

const PORTS: RangeInclusive<i32> = 1..=65535;
/// Seconds of timeouts and intervals (Azure REST API).
const SECONDS: RangeInclusive<i32> = 1..=86400;
/// Seconds of connection draining (recorded from the service).
const DRAIN_SECONDS: RangeInclusive<i32> = 1..=3600;
/// Failures in a row (Azure REST API).
const THRESHOLDS: RangeInclusive<i32> = 1..=20;
/// Characters of the text that a healthy answer holds (Azure documentation).
const MAX_MATCH_BODY_CHARS: usize = 4090;
/// HTTP statuses that a probe can be told to expect.
const STATUSES: RangeInclusive<u16> = 100..=599;

pub(crate) fn settings_ports(c: &mut Checker<'_>) {
    for item in &c.properties.backend_http_settings_collection {
        if !PORTS.contains(&item.properties.port.unwrap_or(0)) {
            let message = format!(
                "Port specified for BackendHttpSettings {} is not valid. Supported range is [1, \
                 65535].",
                c.id_of(item)
            );
            let code = "ApplicationGatewayBackendHttpSettingsPortIsInvalid";
            c.error(code, message, item.pointer_to("port"));
        }
    }
    for item in &c.properties.backend_settings_collection {
        if !PORTS.contains(&item.properties.port.unwrap_or(0)) {
            let id = c.id_of(item);
            let message = format!(
                "Port specified for BackendSettings {id} is not valid. Supported range is [1, \
                 65535]."
            );
            c.error(codes::E_BACKEND_SETTING, message, item.pointer_to("port"));
        }
    }
}

pub(crate) fn draining(c: &mut Checker<'_>) {
    for item in &c.properties.backend_http_settings_collection {
        let Some(draining) = &item.properties.connection_draining else {
            continue;
        };
        let seconds = draining.drain_timeout_in_sec.unwrap_or(0);
        if !DRAIN_SECONDS.contains(&seconds) {
            let message = format!(
                "Backend Http Settings {} connection draining timeout is invalid. The current \
                 value is {seconds}. Supported range is [1, 3600].",
                c.id_of(item)
            );
            let at = item.pointer_to("connectionDraining/drainTimeoutInSec");
            c.error(
                "ApplicationGatewayConnectionDrainingTimeoutInvalid",
                message,
                at,
            );
        }
    }
}

pub(crate) fn check(c: &mut Checker<'_>) {
    let p = c.properties;
    for item in &p.backend_address_pools {
        pool(c, item);
    }
    for item in &p.backend_http_settings_collection {
        http_settings(c, item);
    }
    c.dangling("backendHttpSettingsCollection");
    for item in &p.backend_settings_collection {
        settings(c, item);
    }
    c.dangling("backendSettingsCollection");
    for item in &p.probes {
        probe(c, item);
    }
}

fn pool(c: &mut Checker<'_>, item: &Item<BackendAddressPool>) {
    for (i, address) in item.properties.backend_addresses.iter().enumerate() {
        if let Some(fault) = address_fault(address) {
            let message = format!("Backend address {i} of pool {}: {fault}.", c.id_of(item));
            let at = item.pointer_to(&format!("backendAddresses/{i}"));
            c.error(codes::E_BACKEND_ADDRESS, message, at);
        } else if let Some(ip) = ipv6(address) {
            let message = format!(
                "Backend address {i} of pool {} is {ip}; the service has no IPv6 backends.",
                c.id_of(item)
            );
            let finding = (codes::W_IPV6_BACKEND, message);
            let at = item.pointer_to(&format!("backendAddresses/{i}"));
            let help = "Give the server's IPv4 address, or a name that has one.";
            c.hint(Severity::Warning, finding, at, help);
        }
    }
}

fn ipv6(address: &BackendAddress) -> Option<Ipv6Addr> {
    let texts = [&address.ip_address, &address.fqdn];
    let mut texts = texts.into_iter().flatten();
    texts.find_map(|text| text.trim().parse().ok())
}

/// Whether a name can only be a mistyped address: no top-level domain is a number.
pub fn is_numeric(name: &str) -> bool {
    let last = name.trim_end_matches('.').rsplit('.').next();
    last.is_some_and(|last| !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit()))
}

fn address_fault(address: &BackendAddress) -> Option<&'static str> {
    let given = |text: &Option<String>| text.as_deref().is_some_and(|text| !text.is_empty());
    match (given(&address.fqdn), given(&address.ip_address)) {
        (true, true) => Some("give fqdn or ipAddress, not both"),
        (false, false) => Some("fqdn or ipAddress must be specified"),
        // Recorded: a name is taken as an ipAddress too.
        (true, false) | (false, true) => {
            let name = [&address.fqdn, &address.ip_address];
            let name = name.into_iter().flatten().find(|text| !text.is_empty());
            let name = name.map_or("", |text| text.trim());
            let bad = |c: char| c.is_whitespace() || matches!(c, '/' | ':' | '?' | '#' | '@' | '*');
            let is_address = || name.parse::<IpAddr>().is_ok();
            let is_no_name = || name.contains(bad) || is_numeric(name);
            (!is_address() && is_no_name()).then_some(
                "a server is a plain name or an IP address, without scheme, port or path",
            )
        }
    }
}

fn http_settings(c: &mut Checker<'_>, item: &Item<BackendHttpSettings>) {
    let p = &item.properties;
    let id = c.id_of(item);
    let picks_host = p.pick_host_name_from_backend_address == Some(true);
    let host = p.host_name.as_deref().filter(|host| !host.is_empty());
    if !p.protocol.is_some_and(Protocol::is_http) {
        let message = format!("BackendHttpSettings {id} must use protocol Http or Https.");
        c.error(
            codes::E_BACKEND_SETTING,
            message,
            item.pointer_to("protocol"),
        );
    }
    if p.request_timeout
        .is_some_and(|seconds| !SECONDS.contains(&seconds))
    {
        let message =
            format!("RequestTimeout of BackendHttpSettings {id} is not in the range [1, 86400].");
        c.error(
            codes::E_BACKEND_SETTING,
            message,
            item.pointer_to("requestTimeout"),
        );
    }
    if picks_host && host.is_some() {
        let message = format!(
            "HostName may only be specified if PickHostNameFromBackendAddress is set to false in \
             context '{id}'."
        );
        let code = "ApplicationGatewayBackendHttpSettingsHostNameFieldConflict";
        c.error(code, message, item.pointer_to("hostName"));
    }
    let trusts = [
        (
            !p.trusted_root_certificates.is_empty(),
            "trustedRootCertificates",
            "ApplicationGatewayBackendHttpSettingsCannotHaveTrustedRootCertificate",
        ),
        (
            !p.authentication_certificates.is_empty(),
            "authenticationCertificates",
            codes::E_TRUSTED_ROOT_ON_HTTP,
        ),
    ];
    for (given, member, code) in trusts {
        if given && p.protocol == Some(Protocol::Http) {
            let message = format!("BackendHttpSettings {id} uses Http: it cannot have {member}.");
            c.error(code, message, item.pointer_to(member));
        }
    }
    let Some(probe) = c.resolve::<Probe>(p.probe.as_ref()) else {
        return;
    };
    let probe_picks = probe.properties.pick_host_name_from_backend_http_settings == Some(true);
    if probe_picks && !picks_host && host.is_none() {
        let message = format!(
            "Probe '{}' picks its host name from BackendHttpSettings {id}, which has neither \
             hostName nor pickHostNameFromBackendAddress.",
            c.id_of(probe)
        );
        let code = "ApplicationGatewayBackendHttpSettingsIncompatibleProbeSettingPickHostName";
        c.error(code, message, item.pointer_to("probe"));
    }
    probe_protocol(c, p.protocol, probe, item.pointer_to("probe"));
}

fn probe_protocol(c: &mut Checker<'_>, own: Option<Protocol>, probe: &Item<Probe>, at: String) {
    let (Some(own), Some(other)) = (own, probe.properties.protocol) else {
        return;
    };
    if own != other {
        let message = format!(
            "The setting speaks {own}, but its probe '{}' {other}.",
            probe.name
        );
        c.warn(codes::W_PROBE_PROTOCOL, message, at);
    }
}

fn settings(c: &mut Checker<'_>, item: &Item<BackendSettings>) {
    let p = &item.properties;
    let id = c.id_of(item);
    if !matches!(p.protocol, Some(Protocol::Tcp | Protocol::Tls)) {
        let message = format!("BackendSettings {id} must use protocol Tcp or Tls.");
        c.error(
            codes::E_BACKEND_SETTING,
            message,
            item.pointer_to("protocol"),
        );
    }
    if p.timeout.is_some_and(|seconds| !SECONDS.contains(&seconds)) {
        let message = format!("Timeout of BackendSettings {id} is not in the range [1, 86400].");
        c.error(
            codes::E_BACKEND_SETTING,
            message,
            item.pointer_to("timeout"),
        );
    }
    let trusts = c.resolve::<TrustedRootCertificate>(p.trusted_root_certificates.first());
    if trusts.is_some() && p.protocol == Some(Protocol::Tcp) {
        let message =
            format!("BackendSettings {id} uses Tcp: it cannot have trustedRootCertificates.");
        let at = item.pointer_to("trustedRootCertificates");
        c.error(codes::E_TRUSTED_ROOT_ON_HTTP, message, at);
    }
    if let Some(probe) = c.resolve::<Probe>(p.probe.as_ref()) {
        probe_protocol(c, p.protocol, probe, item.pointer_to("probe"));
    }
}

fn probe(c: &mut Checker<'_>, item: &Item<Probe>) {
    let p = &item.properties;
    match p.protocol {
        Some(protocol) if protocol.is_http() => http_probe(c, item),
        Some(_) => {}
        None => {
            let message = format!("Protocol must be specified for Probe '{}'.", c.id_of(item));
            c.error(codes::E_PROBE, message, item.pointer_to("protocol"));
        }
    }
    let ranges = [
        ("interval", Some(p.interval.unwrap_or(0)), SECONDS),
        ("timeout", Some(p.timeout.unwrap_or(0)), SECONDS),
        (
            "unhealthyThreshold",
            Some(p.unhealthy_threshold.unwrap_or(0)),
            THRESHOLDS,
        ),
        ("port", p.port, PORTS),
        ("minServers", p.min_servers, 0..=i32::MAX),
    ];
    for (member, value, range) in ranges {
        // A port of 0 is how PowerShell prints one that is not set.
        let unset = member == "port" && value == Some(0);
        if value.is_some_and(|value| !range.contains(&value)) && !unset {
            let message = format!(
                "{member} specified for Probe '{}' is not valid. Supported range is [{}, {}].",
                c.id_of(item),
                range.start(),
                range.end()
            );
            c.error(codes::E_PROBE, message, item.pointer_to(member));
        }
    }
    if let (Some(timeout), Some(interval)) = (p.timeout, p.interval)
        && timeout > interval
    {
        let message = format!(
            "Probe '{}' has a timeout of {timeout} s, but an interval of {interval} s.",
            item.name
        );
        c.warn(codes::W_PROBE_TIMEOUT, message, item.pointer_to("timeout"));
    }
    if let Some(expected) = &p.r#match {
        probe_match(c, item, expected);
    }
}

fn http_probe(c: &mut Checker<'_>, item: &Item<Probe>) {
    let p = &item.properties;
    let id = c.id_of(item);
    let picks = p.pick_host_name_from_backend_http_settings == Some(true);
    let host = p.host.as_deref().filter(|host| !host.is_empty());
    if host.is_none() && !picks {
        let message = format!(
            "Host specified for Probe '{id}' is not valid. Host can only be null when \
             pickHostNameFromBackendHttpSettings is set to true."
        );
        c.error(
            "ApplicationGatewayProbeHostIsNull",
            message,
            item.pointer_to("host"),
        );
    } else if host.is_some() && picks {
        let message = format!(
            "The host of probe '{}' is not used: it is picked.",
            item.name
        );
        c.warn(
            codes::W_PROBE_HOST_IGNORED,
            message,
            item.pointer_to("host"),
        );
    }
    if !p.path.as_deref().is_some_and(|path| path.starts_with('/')) {
        let message =
            format!("Path specified for Probe '{id}' is not valid. Path must start with '/'.");
        c.error(
            "ApplicationGatewayProbePathIsInvalid",
            message,
            item.pointer_to("path"),
        );
    }
}

fn probe_match(c: &mut Checker<'_>, item: &Item<Probe>, expected: &ProbeMatch) {
    let id = c.id_of(item);
    let body = expected.body.as_deref().unwrap_or_default();
    if body.chars().count() > MAX_MATCH_BODY_CHARS {
        let message = format!(
            "The body that Probe '{id}' expects has more than {MAX_MATCH_BODY_CHARS} characters."
        );
        c.error(codes::E_PROBE, message, item.pointer_to("match/body"));
    }
    for (i, range) in expected.status_codes.iter().enumerate() {
        if !is_status_range(range) {
            let message = format!(
                "Status code '{}' of Probe '{id}' is neither a code nor a range such as 200-399.",
                shorten(range)
            );
            c.error(
                codes::E_PROBE,
                message,
                item.pointer_to(&format!("match/statusCodes/{i}")),
            );
        }
    }
}

fn is_status_range(text: &str) -> bool {
    let status = |text: &str| {
        text.trim()
            .parse::<u16>()
            .ok()
            .filter(|s| STATUSES.contains(s))
    };
    match text.split_once('-') {
        Some((low, high)) => matches!((status(low), status(high)), (Some(l), Some(h)) if l <= h),
        None => status(text).is_some(),
    }
}
