//! The defaults that the service adds to what it was given.
//!
//! Source: bodies recorded from the service, and the defaults that the Azure REST API 2026-03-01
//! declares where no recording shows otherwise. A default that answers omit while it is unset
//! (`includePath`, `affinityCookieName`) is not filled in.

use crate::model::{
    ApplicationGateway, BackendHttpSettings, BackendSettings, ClientRevocation,
    CookieBasedAffinity, FirewallConfiguration, IpAllocationMethod, Item, Probe, ProbeMatch,
    Properties, RewriteRuleSet, SkuFamily,
};

/// Seconds until a backend must have answered, unless the setting says otherwise.
const DEFAULT_TIMEOUT_SECONDS: i32 = 30;
/// KiB of a request body that the firewall inspects.
const DEFAULT_BODY_KIB: i32 = 128;
/// MiB of a file upload that the firewall lets through.
const DEFAULT_UPLOAD_MIB: i32 = 100;
/// Statuses of a healthy server.
const DEFAULT_HEALTHY_STATUSES: &str = "200-399";

/// Fills in the defaults that the service would answer with. What is set already stays.
pub fn complete(gateway: &mut ApplicationGateway) {
    let is_v1 = gateway.is_v1();
    let tier = gateway.tier();
    let properties = &mut gateway.properties;
    if let Some(sku) = &mut properties.sku {
        sku.tier = sku.tier.or(tier);
        let family = if is_v1 {
            SkuFamily::Generation1
        } else {
            SkuFamily::Generation2
        };
        sku.family.get_or_insert(family);
    }
    complete_frontend(properties);
    each(
        &mut properties.backend_http_settings_collection,
        complete_http_settings,
    );
    if !is_v1 {
        each(
            &mut properties.backend_http_settings_collection,
            complete_checks,
        );
    }
    each(
        &mut properties.backend_settings_collection,
        |settings: &mut BackendSettings| {
            settings.timeout.get_or_insert(DEFAULT_TIMEOUT_SECONDS);
        },
    );
    each(&mut properties.probes, complete_probe);
    each(&mut properties.rewrite_rule_sets, complete_rewrites);
    if let Some(firewall) = &mut properties.web_application_firewall_configuration {
        complete_firewall(firewall);
    }
}

fn each<T>(items: &mut [Item<T>], apply: impl Fn(&mut T)) {
    items
        .iter_mut()
        .for_each(|item| apply(&mut item.properties));
}

fn complete_frontend(properties: &mut Properties) {
    each(&mut properties.frontend_ip_configurations, |frontend| {
        frontend
            .private_ip_allocation_method
            .get_or_insert(IpAllocationMethod::Dynamic);
    });
    each(&mut properties.http_listeners, |listener| {
        listener.require_server_name_indication.get_or_insert(false);
        listener.enable_http3.get_or_insert(false);
    });
    each(&mut properties.ssl_profiles, |profile| {
        if let Some(auth) = &mut profile.client_auth_configuration {
            auth.verify_client_revocation
                .get_or_insert(ClientRevocation::None);
        }
    });
}

fn complete_http_settings(settings: &mut BackendHttpSettings) {
    settings
        .cookie_based_affinity
        .get_or_insert(CookieBasedAffinity::Disabled);
    settings
        .pick_host_name_from_backend_address
        .get_or_insert(false);
    settings
        .request_timeout
        .get_or_insert(DEFAULT_TIMEOUT_SECONDS);
}

/// Recorded of the second generation, from API version 2024-10-01 on.
fn complete_checks(settings: &mut BackendHttpSettings) {
    settings.dedicated_backend_connection.get_or_insert(false);
    settings.validate_cert_chain_and_expiry.get_or_insert(true);
    settings.validate_sni.get_or_insert(true);
}

fn complete_probe(probe: &mut Probe) {
    probe.min_servers.get_or_insert(0);
    if probe.protocol.is_some_and(|protocol| !protocol.is_http()) {
        probe
            .pick_host_name_from_backend_settings
            .get_or_insert(false);
        return;
    }
    probe
        .pick_host_name_from_backend_http_settings
        .get_or_insert(false);
    let healthy = vec![DEFAULT_HEALTHY_STATUSES.to_owned()];
    probe.r#match.get_or_insert(ProbeMatch {
        body: None,
        status_codes: healthy,
    });
}

fn complete_rewrites(set: &mut RewriteRuleSet) {
    let actions = set
        .rewrite_rules
        .iter_mut()
        .filter_map(|rule| rule.action_set.as_mut());
    for url in actions.filter_map(|actions| actions.url_configuration.as_mut()) {
        url.reroute.get_or_insert(false);
    }
}

fn complete_firewall(firewall: &mut FirewallConfiguration) {
    firewall.request_body_check.get_or_insert(true);
    if firewall.max_request_body_size.is_none() {
        firewall
            .max_request_body_size_in_kb
            .get_or_insert(DEFAULT_BODY_KIB);
    }
    firewall
        .file_upload_limit_in_mb
        .get_or_insert(DEFAULT_UPLOAD_MIB);
}
