//! TLS policies, certificates and error pages.

use super::ApiVersion;
use super::checker::Checker;
use super::sku::{V2_TIERS, unsupported};
use crate::codes;
use crate::diagnostic::Severity;
use crate::model::{
    CustomError, CustomErrorStatus, Item, SslCertificate, SslPolicy, SslPolicyName, SslPolicyType,
    SslProtocol,
};

/// From this version on a gateway without a policy has `AppGwSslPolicy20220101`.
const NEW_DEFAULT_FROM: ApiVersion = ApiVersion::new(2023, 2, 1);
/// From this version on errors other than 403 and 502 can have a page.
const MORE_ERROR_PAGES_FROM: ApiVersion = ApiVersion::new(2022, 9, 1);

pub(crate) fn check(c: &mut Checker<'_>) {
    for (i, page) in c.properties.custom_error_configurations.iter().enumerate() {
        custom_error(
            c,
            page,
            &c.pointer_to(&format!("customErrorConfigurations/{i}")),
        );
    }
    policies(c);
    c.dangling("sslProfiles");
    certificates(c);
}

/// A page for errors, at `pointer`.
pub(crate) fn custom_error(c: &mut Checker<'_>, page: &CustomError, pointer: &str) {
    use CustomErrorStatus::{HttpStatus403, HttpStatus502};
    match page.status_code {
        None => {
            let message = "A custom error page must have a statusCode.";
            c.error(
                codes::E_CUSTOM_ERROR,
                message,
                format!("{pointer}/statusCode"),
            );
        }
        Some(HttpStatus403 | HttpStatus502) => {}
        Some(status) if c.api_version() < MORE_ERROR_PAGES_FROM => {
            let message = format!(
                "Custom error status code {status} is not valid for api-version {}.",
                c.api_version()
            );
            let code = "ApplicationGatewayCustomErrorStatusCodeIsInvalid";
            c.error(code, message, format!("{pointer}/statusCode"));
        }
        Some(_) => {}
    }
    if page
        .custom_error_page_url
        .as_deref()
        .is_none_or(str::is_empty)
    {
        let message = "A custom error page must have a customErrorPageUrl.";
        c.error(
            codes::E_CUSTOM_ERROR,
            message,
            format!("{pointer}/customErrorPageUrl"),
        );
    }
}

fn policies(c: &mut Checker<'_>) {
    let p = c.properties;
    let at = c.pointer_to("sslPolicy");
    let mut eras = Vec::new();
    if let Some(policy) = &p.ssl_policy {
        policy_form(c, policy, &at);
        eras.extend(era(policy));
    }
    let default = p.default_predefined_ssl_policy.unwrap_or({
        let old = c.api_version() < NEW_DEFAULT_FROM;
        if old {
            SslPolicyName::FORMER_DEFAULT
        } else {
            SslPolicyName::DEFAULT
        }
    });
    deprecated(c, p.ssl_policy.as_ref(), default, &at);
    for profile in &p.ssl_profiles {
        let Some(policy) = &profile.properties.ssl_policy else {
            continue;
        };
        let at = profile.pointer_to("sslPolicy");
        policy_form(c, policy, &at);
        deprecated(c, Some(policy), default, &at);
        eras.extend(era(policy));
    }
    if eras.contains(&Era::New) && eras.contains(&Era::Old) {
        let message = "The 2022 policies and CustomV2 cannot be used beside older policies on one \
                       gateway.";
        c.error(codes::E_TLS_POLICY, message, at);
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Era {
    Old,
    New,
}

/// Policies up to TLS 1.2, and those with TLS 1.3.
fn era(policy: &SslPolicy) -> Option<Era> {
    match policy.policy_type? {
        SslPolicyType::CustomV2 => Some(Era::New),
        SslPolicyType::Custom => Some(Era::Old),
        SslPolicyType::Predefined => match policy.policy_name?.max_protocol_version() {
            SslProtocol::TlsV1_3 => Some(Era::New),
            _ => Some(Era::Old),
        },
    }
}

fn policy_form(c: &mut Checker<'_>, policy: &SslPolicy, at: &str) {
    let mut refuse = |message: &str, member: &str| {
        c.error(codes::E_TLS_POLICY, message, format!("{at}/{member}"));
    };
    match policy.policy_type {
        Some(SslPolicyType::Predefined) if policy.policy_name.is_none() => {
            refuse(
                "A predefined TLS policy must have a policyName.",
                "policyName",
            );
        }
        Some(SslPolicyType::Custom | SslPolicyType::CustomV2) => {
            if policy.min_protocol_version.is_none() {
                refuse(
                    "A custom TLS policy must have a minProtocolVersion.",
                    "minProtocolVersion",
                );
            }
            // Its suites of TLS 1.3 are always on, and are no one's to list.
            let is_1_3_only = policy.policy_type == Some(SslPolicyType::CustomV2)
                && policy.min_protocol_version == Some(SslProtocol::TlsV1_3);
            if policy.cipher_suites.is_empty() && !is_1_3_only {
                refuse(
                    "A custom TLS policy must have cipherSuites.",
                    "cipherSuites",
                );
            }
        }
        _ => {}
    }
    let tls13 = policy.min_protocol_version == Some(SslProtocol::TlsV1_3);
    if policy.policy_type == Some(SslPolicyType::Custom) && tls13 {
        refuse(
            "A Custom TLS policy reaches TLS 1.2; CustomV2 has 1.3.",
            "minProtocolVersion",
        );
    }
    if era(policy) == Some(Era::New) && c.is_v1() {
        unsupported(c, "TLS 1.3 policies", V2_TIERS, at.to_owned());
    }
}

/// Whether a policy still lets TLS 1.0 or 1.1 in, and the name by which it goes.
fn deprecated(c: &mut Checker<'_>, policy: Option<&SslPolicy>, default: SslPolicyName, at: &str) {
    let disabled = policy.map_or(&[][..], |policy| &policy.disabled_ssl_protocols);
    let (name, minimum) = match policy.and_then(|p| p.policy_type.map(|kind| (kind, p))) {
        None => (default.as_str(), default.min_protocol_version()),
        Some((SslPolicyType::Predefined, policy)) => {
            let name = policy.policy_name.unwrap_or(default);
            (name.as_str(), name.min_protocol_version())
        }
        Some((kind, policy)) => (
            kind.as_str(),
            policy.min_protocol_version.unwrap_or(SslProtocol::TlsV1_2),
        ),
    };
    let allowed = [SslProtocol::TlsV1_0, SslProtocol::TlsV1_1];
    if !allowed
        .iter()
        .any(|version| *version >= minimum && !disabled.contains(version))
    {
        return;
    }
    let message = format!(
        "The TLS policy {name} for Application Gateway {} is using a deprecated TLS version. \
         Update it to a supported version. Learn more https://aka.ms/appgw-oldtlsversions",
        c.id()
    );
    let (severity, code) = if c.context.refuse_old_tls && !c.runs_already() {
        (
            Severity::Error,
            "ApplicationGatewayDeprecatedTlsVersionUsedInSslPolicy",
        )
    } else {
        (Severity::Warning, codes::W_TLS_DEPRECATED)
    };
    let help = "AppGwSslPolicy20220101 has TLS 1.2 and 1.3.";
    c.hint(severity, (code, message), at, help);
}

fn certificates(c: &mut Checker<'_>) {
    let p = c.properties;
    for item in &p.ssl_certificates {
        ssl_certificate(c, item);
    }
    for item in &p.trusted_root_certificates {
        let given = [&item.properties.data, &item.properties.key_vault_secret_id];
        if !given.into_iter().any(is_given) && item.provisioning_state.is_none() {
            no_data(
                c,
                "trusted root certificate",
                c.id_of(item),
                item.pointer_to("data"),
            );
        }
    }
    for item in &p.authentication_certificates {
        if !is_given(&item.properties.data) && item.provisioning_state.is_none() {
            let message = format!(
                "Data must be specified for authentication certificate {}.",
                c.id_of(item)
            );
            c.error(codes::E_CERTIFICATE_DATA, message, item.pointer_to("data"));
        }
    }
    for item in &p.trusted_client_certificates {
        let given = [&item.properties.data, &item.properties.validated_cert_data];
        if !given.into_iter().any(is_given) && item.provisioning_state.is_none() {
            let message = format!(
                "Data must be specified for trusted client certificate {}.",
                c.id_of(item)
            );
            let code = "ApplicationGatewayTrustedClientCertificateMustSpecifyData";
            c.error(code, message, item.pointer_to("data"));
        }
    }
    key_vault_needs_identity(c);
}

fn is_given(text: &Option<String>) -> bool {
    text.as_deref().is_some_and(|text| !text.is_empty())
}

/// An answer of the service never holds the data of a certificate, and a PUT may leave it out
/// where the certificate exists.
fn ssl_certificate(c: &mut Checker<'_>, item: &Item<SslCertificate>) {
    let p = &item.properties;
    let was_answered = item.provisioning_state.is_some() || is_given(&p.public_cert_data);
    let stored = c.context.previous.is_some_and(|previous| {
        previous
            .properties
            .ssl_certificates
            .iter()
            .any(|old| old.is_named(&item.name))
    });
    let data = p
        .data
        .as_ref()
        .is_some_and(|data| !data.expose().is_empty());
    let elsewhere = is_given(&p.key_vault_secret_id) || p.hsm.is_some();
    let from_before = match (c.context.api_version, c.context.previous) {
        // A file, or a PUT of which it is not known what was there before.
        (None, _) | (_, None) => was_answered,
        (Some(_), Some(_)) => stored,
    };
    if data || elsewhere || from_before {
        return;
    }
    let id = c.id_of(item);
    let at = item.pointer_to("data");
    if c.is_v1() {
        let message = format!("Data must be specified for certificate {id}.");
        c.error(
            "ApplicationGatewaySslCertificateDataMustBeSpecified",
            message,
            at,
        );
    } else {
        no_data(c, "certificate", id, at);
    }
}

fn no_data(c: &mut Checker<'_>, what: &str, id: String, at: String) {
    let message = format!("Data or KeyVaultSecretId must be specified for {what} {id}.");
    c.error(
        "ApplicationGatewayCertificateDataOrKeyVaultSecretIdMustBeSpecified",
        message,
        at,
    );
}

fn key_vault_needs_identity(c: &mut Checker<'_>) {
    if c.gateway.identity.is_some() {
        return;
    }
    let p = c.properties;
    let first = p
        .ssl_certificates
        .iter()
        .find(|i| is_given(&i.properties.key_vault_secret_id));
    if let Some(item) = first {
        let message = format!(
            "Certificate '{}' is in a Key Vault, but the gateway has no identity to read it with.",
            item.name
        );
        c.warn(
            codes::W_NO_IDENTITY,
            message,
            item.pointer_to("keyVaultSecretId"),
        );
    }
}
