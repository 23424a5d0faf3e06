//! What a document may ask for and this gateway does not do: refused, or warned about.
//!
//! One criterion decides: it is an **error** when ignoring it would change who is let in, or where
//! a request goes, or what the backend receives; a **warning** otherwise. An operator may accept
//! the latter two with `allow_unsupported`; never the first.
//!
//! The firewall is the one judgement in it: it tells attacks from requests, but is no statement of
//! the owner's about who may come in, and backends must be safe behind Standard tiers too.

use std::collections::HashSet;

use gatewright_arm::model::{
    ClientAuthMode, HttpListener, PathRule, RequestRoutingRule, RewriteRuleSet, RuleType,
    SslProfile, UrlPathMap,
};
use gatewright_arm::{Item, Reference, Severity};

use crate::codes;
use crate::findings::quote;
use crate::scope::{Scope, Served, Tables};

/// What ignoring a feature would change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Consequence {
    /// Who is let in.
    Admission,
    /// Where a request goes, or what the backend receives.
    Traffic,
    /// Neither.
    Nothing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Feature {
    ClientCertificates,
    ClientCertificatesPassed,
    TokenValidation,
    RewriteSet,
    LoadDistribution,
    AdvancedRouting,
    Layer4,
    Firewall,
    Http2,
    Http3,
    PrivateLink,
    Fips,
    RequestBuffering,
}

/// A row of the table: the codes as error and as warning, and the sentence's end.
struct Row {
    consequence: Consequence,
    error: &'static str,
    warning: &'static str,
    says: &'static str,
}

impl Feature {
    /// The table.
    #[rustfmt::skip]
    fn row(self) -> Row {
        use Consequence::{Admission, Nothing, Traffic};
        let (consequence, error, warning, says) = match self {
            Self::ClientCertificates => (Admission,
                codes::E_UNSUPPORTED_CLIENT_CERTIFICATES, "",
                "asks clients for certificates; they are not verified here, so that everyone \
                 would be let in"),
            Self::ClientCertificatesPassed => (Traffic,
                codes::E_UNSUPPORTED_CLIENT_CERTIFICATES_PASSED,
                codes::W_UNSUPPORTED_CLIENT_CERTIFICATES_PASSED,
                "passes client certificates on to the backend; they are not asked for here"),
            Self::TokenValidation => (Admission,
                codes::E_UNSUPPORTED_TOKEN_VALIDATION, "",
                "validates access tokens; they are not looked at here, so that everyone would \
                 be let in"),
            Self::RewriteSet => (Traffic,
                codes::E_UNSUPPORTED_REWRITE, codes::W_UNSUPPORTED_REWRITE,
                "has a rewrite set; headers and URLs are not rewritten here"),
            Self::LoadDistribution => (Traffic,
                codes::E_UNSUPPORTED_LOAD_DISTRIBUTION, codes::W_UNSUPPORTED_LOAD_DISTRIBUTION,
                "has a load distribution policy; requests are not spread over several pools here"),
            Self::AdvancedRouting => (Traffic,
                codes::E_UNSUPPORTED_ADVANCED_ROUTING, codes::W_UNSUPPORTED_ADVANCED_ROUTING,
                "is of the type AdvancedRouting, which is not served here"),
            Self::Layer4 => (Traffic,
                codes::E_UNSUPPORTED_LAYER4, codes::W_UNSUPPORTED_LAYER4,
                "forwards TCP or TLS connections; only HTTP and HTTPS are served here"),
            Self::Firewall => (Nothing,
                "", codes::W_UNSUPPORTED_FIREWALL,
                "has a web application firewall; no firewall runs here, requests pass \
                 uninspected"),
            Self::Http2 => (Nothing,
                "", codes::W_UNSUPPORTED_HTTP2,
                "enables HTTP/2; clients are offered HTTP/1.1 only"),
            Self::Http3 => (Nothing,
                "", codes::W_UNSUPPORTED_HTTP3,
                "enables HTTP/3; clients are offered HTTP/1.1 only"),
            Self::PrivateLink => (Nothing,
                "", codes::W_UNSUPPORTED_PRIVATE_LINK,
                "is exposed by private link; here it is reached at its own address only"),
            Self::Fips => (Nothing,
                "", codes::W_UNSUPPORTED_FIPS,
                "enables FIPS mode; the cryptography here is not a validated module"),
            Self::RequestBuffering => (Nothing,
                "", codes::W_UNSUPPORTED_BUFFERING,
                "buffers requests; bodies are passed on as they come here, so that a server \
                 meets slow clients"),
        };
        Row { consequence, error, warning, says }
    }
}

/// Reports everything that the gateway asks for and does not get.
pub(crate) fn check(scope: &mut Scope<'_>, tables: &Tables<'_>, served: &[Served<'_>]) {
    check_gateway(scope);
    let mut maps_seen = HashSet::new();
    for one in served {
        check_listener(scope, tables, one.listener);
        check_rule(scope, tables, one.rule);
        let Some(map) = one.rule.properties.url_path_map.as_ref() else {
            continue;
        };
        if let Some(position) = tables.path_maps.position(map)
            && maps_seen.insert(position)
            && let Some(map) = tables.path_maps.item(map)
        {
            check_path_map(scope, tables, map);
        }
    }
}

fn report(scope: &mut Scope<'_>, feature: Feature, subject: &str, pointer: String) {
    let row = feature.row();
    let is_error = match row.consequence {
        Consequence::Admission => true,
        Consequence::Traffic => !scope.options.allow_unsupported,
        Consequence::Nothing => false,
    };
    let help = match row.consequence {
        Consequence::Admission => "Remove it from the gateway to serve the rest.",
        Consequence::Traffic if is_error => "Remove it, or serve without it: --ignore-unsupported.",
        Consequence::Traffic | Consequence::Nothing => "",
    };
    let (severity, code) = match is_error {
        true => (Severity::Error, row.error),
        false => (Severity::Warning, row.warning),
    };
    let message = format!("{subject} {}.", row.says);
    scope
        .findings
        .add(severity, code, pointer, message, help.to_owned());
}

fn check_gateway(scope: &mut Scope<'_>) {
    let gateway = scope.gateway;
    let properties = &gateway.properties;
    let subject = format!("The gateway {}", quote(&gateway.name));
    let at = |member| gateway.source.pointer_to(member);
    let inline = properties.web_application_firewall_configuration.as_ref();
    let firewall = match &properties.firewall_policy {
        Some(policy) => Some(policy.pointer().to_owned()),
        None => inline
            .filter(|configuration| configuration.enabled == Some(true))
            .map(|_| at("webApplicationFirewallConfiguration")),
    };
    if let Some(pointer) = firewall {
        report(scope, Feature::Firewall, &subject, pointer);
    }
    if properties.enable_http2 == Some(true) {
        report(scope, Feature::Http2, &subject, at("enableHttp2"));
    }
    if properties.enable_fips == Some(true) {
        report(scope, Feature::Fips, &subject, at("enableFips"));
    }
    let switches = properties.global_configuration.as_ref();
    if switches.is_some_and(|switches| switches.enable_request_buffering == Some(true)) {
        let pointer = at("globalConfiguration/enableRequestBuffering");
        report(scope, Feature::RequestBuffering, &subject, pointer);
    }
    for frontend in &properties.frontend_ip_configurations {
        if let Some(link) = &frontend.properties.private_link_configuration {
            let subject = format!("The frontend {}", quote(&frontend.name));
            report(
                scope,
                Feature::PrivateLink,
                &subject,
                link.pointer().to_owned(),
            );
        }
    }
    for rule in &properties.routing_rules {
        let subject = format!("The routing rule {}", quote(&rule.name));
        report(scope, Feature::Layer4, &subject, rule.pointer().to_owned());
    }
}

fn check_listener(scope: &mut Scope<'_>, tables: &Tables<'_>, listener: &Item<HttpListener>) {
    let subject = format!("The listener {}", quote(&listener.name));
    let profile = listener.properties.ssl_profile.as_ref();
    if let Some((reference, feature)) =
        profile.and_then(|one| Some((one, client_certificates(tables.profiles.item(one)?)?)))
    {
        report(scope, feature, &subject, reference.pointer().to_owned());
    }
    if let Some(policy) = &listener.properties.firewall_policy {
        report(
            scope,
            Feature::Firewall,
            &subject,
            policy.pointer().to_owned(),
        );
    }
    if listener.properties.enable_http3 == Some(true) {
        report(
            scope,
            Feature::Http3,
            &subject,
            listener.pointer_to("enableHttp3"),
        );
    }
}

/// What a profile wants of client certificates. The service writes a `clientAuthConfiguration`
/// into every profile, so that alone says nothing: verification needs trusted certificates.
fn client_certificates(profile: &Item<SslProfile>) -> Option<Feature> {
    let properties = &profile.properties;
    let mode = properties.client_auth_configuration.as_ref();
    let mode = mode.and_then(|configuration| configuration.verify_client_auth_mode);
    let verifies_issuer = properties
        .client_auth_configuration
        .as_ref()
        .is_some_and(|configuration| configuration.verify_client_cert_issuer_dn == Some(true));
    match mode {
        Some(ClientAuthMode::Passthrough) => Some(Feature::ClientCertificatesPassed),
        Some(ClientAuthMode::Strict) => Some(Feature::ClientCertificates),
        _ if verifies_issuer || !properties.trusted_client_certificates.is_empty() => {
            Some(Feature::ClientCertificates)
        }
        _ => None,
    }
}

fn check_rule(scope: &mut Scope<'_>, tables: &Tables<'_>, rule: &Item<RequestRoutingRule>) {
    let properties = &rule.properties;
    let subject = format!("The rule {}", quote(&rule.name));
    if let Some(token) = &properties.entra_jwt_validation_config {
        report(
            scope,
            Feature::TokenValidation,
            &subject,
            token.pointer().to_owned(),
        );
    }
    if !properties.auth_configs.is_empty() {
        report(
            scope,
            Feature::TokenValidation,
            &subject,
            rule.pointer_to("authConfigs"),
        );
    }
    if properties.rule_type == Some(RuleType::AdvancedRouting) {
        let pointer = rule.pointer_to("ruleType");
        report(scope, Feature::AdvancedRouting, &subject, pointer);
    }
    check_target(
        scope,
        tables,
        &subject,
        properties.rewrite_rule_set.as_ref(),
        properties.load_distribution_policy.as_ref(),
    );
}

fn check_target(
    scope: &mut Scope<'_>,
    tables: &Tables<'_>,
    subject: &str,
    rewrite: Option<&Reference>,
    distribution: Option<&Reference>,
) {
    let rewrites = |set: &&Reference| tables.rewrites.item(set).is_none_or(does_something);
    if let Some(set) = rewrite.filter(rewrites) {
        report(
            scope,
            Feature::RewriteSet,
            subject,
            set.pointer().to_owned(),
        );
    }
    if let Some(policy) = distribution {
        report(
            scope,
            Feature::LoadDistribution,
            subject,
            policy.pointer().to_owned(),
        );
    }
}

fn does_something(set: &Item<RewriteRuleSet>) -> bool {
    !set.properties.rewrite_rules.is_empty()
}

fn check_path_map(scope: &mut Scope<'_>, tables: &Tables<'_>, map: &Item<UrlPathMap>) {
    let properties = &map.properties;
    check_target(
        scope,
        tables,
        &format!("The path map {}", quote(&map.name)),
        properties.default_rewrite_rule_set.as_ref(),
        properties.default_load_distribution_policy.as_ref(),
    );
    for rule in &properties.path_rules {
        check_path_rule(scope, tables, rule);
    }
}

fn check_path_rule(scope: &mut Scope<'_>, tables: &Tables<'_>, rule: &Item<PathRule>) {
    let properties = &rule.properties;
    let (rewrite, distribution) = (
        properties.rewrite_rule_set.as_ref(),
        properties.load_distribution_policy.as_ref(),
    );
    if rewrite.is_none() && distribution.is_none() && properties.firewall_policy.is_none() {
        return;
    }
    let subject = format!("The path rule {}", quote(&rule.name));
    check_target(scope, tables, &subject, rewrite, distribution);
    if let Some(policy) = &properties.firewall_policy {
        report(
            scope,
            Feature::Firewall,
            &subject,
            policy.pointer().to_owned(),
        );
    }
}
