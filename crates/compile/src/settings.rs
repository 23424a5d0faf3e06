//! Backend settings.

use std::time::Duration;

use gatewright_arm::model::{
    AuthenticationCertificate, BackendHttpSettings, CookieBasedAffinity, Probe, Protocol,
    TrustedRootCertificate,
};
use gatewright_arm::{Item, Reference};
use gatewright_snapshot::{
    BackendProtocol, BackendSetting, BackendTrust, BackendVerification, HostOverride, HostPattern,
};

use crate::codes;
use crate::findings::quote;
use crate::lookup::Lookup;
use crate::probes;
use crate::scope::Scope;
use crate::trust::Trust;

/// The service's `requestTimeout` where none is given (recorded from the service), in seconds.
const REQUEST_TIMEOUT_DEFAULT_S: i32 = 30;

/// Bounds of `requestTimeout`, in seconds.
const REQUEST_TIMEOUT_S: (i32, i32) = (1, 86_400);

/// How long a server may finish its requests where draining is off, in seconds.
const DRAIN_OFF_S: i32 = 30;

/// Bounds of `drainTimeoutInSec`, in seconds.
const DRAIN_S: (i32, i32) = (1, 3_600);

/// Names of the affinity cookie (behaviour.md §1.12).
const COOKIE_V1: &str = "ARRAffinity";
const COOKIE_V2: &str = "ApplicationGatewayAffinity";

/// Adds a row for every backend setting, used or not, in the document's order.
pub(crate) fn compile(scope: &mut Scope<'_>, trust: &Trust) {
    let gateway = scope.gateway;
    let roots = Lookup::<TrustedRootCertificate>::new(gateway);
    let pins = Lookup::<AuthenticationCertificate>::new(gateway);
    let custom = Lookup::<Probe>::new(gateway);
    for item in &gateway.properties.backend_http_settings_collection {
        let mut setting = setting(scope, item, |scope| {
            backend_trust(scope, item, trust, &roots, &pins)
        });
        setting.probe = probes::of_setting(scope, item, &setting, &custom);
        scope.snapshot.settings.push(setting);
    }
}

/// Values that validation bounds are clamped here, so that a row is always sound.
fn setting(
    scope: &mut Scope<'_>,
    item: &Item<BackendHttpSettings>,
    trust: impl FnOnce(&mut Scope<'_>) -> BackendTrust,
) -> BackendSetting {
    let properties = &item.properties;
    let is_encrypted = properties.protocol == Some(Protocol::Https);
    let drain = properties.connection_draining.as_ref();
    let drain = drain.filter(|draining| draining.enabled == Some(true));
    let drain = drain.map(|draining| draining.drain_timeout_in_sec.unwrap_or(DRAIN_OFF_S));
    let timeout = properties
        .request_timeout
        .unwrap_or(REQUEST_TIMEOUT_DEFAULT_S);
    let verification = is_encrypted.then(|| BackendVerification {
        trust: trust(scope),
        check_chain: properties.validate_cert_chain_and_expiry.unwrap_or(true),
        check_name: properties.validate_sni.unwrap_or(true),
        // It holds only while the name is checked at all (the service's documentation).
        sni_name: match properties.validate_sni {
            Some(false) => None,
            Some(true) | None => sni_name(scope, item),
        },
    });
    BackendSetting {
        name: item.name.clone(),
        gateway: scope.index,
        port: port(scope, item),
        protocol: match is_encrypted {
            true => BackendProtocol::Https,
            false => BackendProtocol::Http,
        },
        request_timeout: seconds(timeout, REQUEST_TIMEOUT_S),
        affinity_cookie: affinity_cookie(scope, item),
        drain_timeout: seconds(drain.unwrap_or(DRAIN_OFF_S), DRAIN_S),
        host: host(scope, item),
        path: path(scope, item),
        dedicated_connection: properties.dedicated_backend_connection == Some(true),
        verification,
        probe: None,
    }
}

pub(crate) fn seconds(value: i32, (least, most): (i32, i32)) -> Duration {
    Duration::from_secs(u64::try_from(value.clamp(least, most)).unwrap_or(1))
}

fn port(scope: &mut Scope<'_>, item: &Item<BackendHttpSettings>) -> u16 {
    let port = item
        .properties
        .port
        .and_then(|port| u16::try_from(port).ok());
    port.filter(|port| *port > 0).unwrap_or_else(|| {
        let message = format!("The backend setting {} has no port.", quote(&item.name));
        let help = "Give it one of 1–65535.";
        scope.findings.error(
            codes::E_BACKEND_PORT,
            item.pointer_to("port"),
            message,
            help,
        );
        1
    })
}

fn affinity_cookie(scope: &mut Scope<'_>, item: &Item<BackendHttpSettings>) -> Option<String> {
    if item.properties.cookie_based_affinity != Some(CookieBasedAffinity::Enabled) {
        return None;
    }
    let default = if scope.is_v1() { COOKIE_V1 } else { COOKIE_V2 };
    let own = item
        .properties
        .affinity_cookie_name
        .as_deref()
        .filter(|name| !name.is_empty());
    let name = own.unwrap_or(default);
    // It goes into a header as it is: a token (RFC 6265, section 4.1.1), or nothing.
    let is_token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    if !name.bytes().all(is_token) {
        scope.findings.error(
            codes::E_AFFINITY_COOKIE,
            item.pointer_to("affinityCookieName"),
            format!(
                "{} cannot be the name of a cookie (backend setting {}).",
                quote(name),
                quote(&item.name)
            ),
            "Use letters, digits, '-' and '_'.",
        );
        return None;
    }
    Some(name.to_owned())
}

fn host(scope: &mut Scope<'_>, item: &Item<BackendHttpSettings>) -> HostOverride {
    let properties = &item.properties;
    if properties.pick_host_name_from_backend_address == Some(true) {
        return HostOverride::FromMember;
    }
    match properties
        .host_name
        .as_deref()
        .filter(|name| !name.is_empty())
    {
        Some(name) if is_host(scope, item, "hostName", name) => {
            HostOverride::Fixed(name.to_owned())
        }
        _ => HostOverride::Keep,
    }
}

fn sni_name(scope: &mut Scope<'_>, item: &Item<BackendHttpSettings>) -> Option<String> {
    let name = item
        .properties
        .sni_name
        .as_deref()
        .filter(|name| !name.is_empty())?;
    is_host(scope, item, "sniName", name).then(|| name.to_owned())
}

/// Whether `name` can be sent as a host name; an error if not.
fn is_host(
    scope: &mut Scope<'_>,
    item: &Item<BackendHttpSettings>,
    member: &str,
    name: &str,
) -> bool {
    let is_exact = HostPattern::parse(name).is_ok_and(|pattern| pattern.is_exact());
    if !is_exact {
        scope.findings.error(
            codes::E_BACKEND_HOST_NAME,
            item.pointer_to(member),
            format!(
                "The {member} {} of the backend setting {} is no host name.",
                quote(name),
                quote(&item.name)
            ),
            "Give a name such as app.contoso.com, without a scheme, a port or wildcards.",
        );
    }
    is_exact
}

fn path(scope: &mut Scope<'_>, item: &Item<BackendHttpSettings>) -> Option<String> {
    let path = item
        .properties
        .path
        .as_deref()
        .filter(|path| !path.is_empty())?;
    // It goes into the request line as it is.
    let is_visible = |b: u8| b.is_ascii_graphic() && !b"?#".contains(&b);
    if !path.bytes().all(is_visible) {
        scope.findings.error(
            codes::E_BACKEND_PATH,
            item.pointer_to("path"),
            format!(
                "The path {} of the backend setting {} has characters that no path has.",
                quote(path),
                quote(&item.name)
            ),
            "Percent-encode them; a query cannot be given here.",
        );
        return None;
    }
    // A request's path begins with a slash, whatever the document says.
    Some(if path.starts_with('/') {
        path.to_owned()
    } else {
        format!("/{path}")
    })
}

fn backend_trust(
    scope: &mut Scope<'_>,
    item: &Item<BackendHttpSettings>,
    trust: &Trust,
    roots: &Lookup<'_, TrustedRootCertificate>,
    pins: &Lookup<'_, AuthenticationCertificate>,
) -> BackendTrust {
    let properties = &item.properties;
    if scope.is_v1() {
        // Without an upload, App Service and the like are trusted: by the public authorities.
        let references = &properties.authentication_certificates;
        let found = collect(scope, references, |one| pins.position(one), &trust.pinned);
        return match references.is_empty() {
            true => BackendTrust::WellKnown,
            false => BackendTrust::Pinned(found),
        };
    }
    let references = &properties.trusted_root_certificates;
    let found = collect(scope, references, |one| roots.position(one), &trust.roots);
    match references.is_empty() {
        true => BackendTrust::WellKnown,
        false => BackendTrust::Roots(found),
    }
}

fn collect(
    scope: &mut Scope<'_>,
    references: &[Reference],
    position: impl Fn(&Reference) -> Option<usize>,
    table: &[Vec<Vec<u8>>],
) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    for reference in references {
        match position(reference).and_then(|position| table.get(position)) {
            Some(certificates) => found.extend_from_slice(certificates),
            None => scope.unresolved(reference),
        }
    }
    found
}
