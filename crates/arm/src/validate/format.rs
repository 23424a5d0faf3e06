//! What the service finds while it still parses: names and the form of references.

use std::collections::HashSet;

use super::checker::Checker;
use crate::any_case::AnyCase;
use crate::model::{ChildResource, Item};
use crate::wire::pointer::dotted;
use crate::wire::reader::{shorten, shorten_id};

/// Longest name of a resource, in characters (Azure REST API).
const MAX_NAME_CHARS: usize = 80;

/// A body without any property: the service fails on it.
pub(crate) fn nothing_at_all(c: &mut Checker<'_>) -> bool {
    let empty = crate::model::Properties {
        provisioning_state: c.properties.provisioning_state,
        ..Default::default()
    };
    let nothing = *c.properties == empty;
    if nothing {
        let at = c.gateway.source.pointer().to_owned();
        let finding = ("InternalServerError", "An error occurred.".to_owned());
        let help = "The gateway has no properties at all.";
        c.hint(crate::diagnostic::Severity::Error, finding, at, help);
    }
    nothing
}

/// Names: present, well-formed, unique in their collection in any letter case.
pub(crate) fn names(c: &mut Checker<'_>) {
    if !is_name(&c.gateway.name) {
        let at = c.gateway.source.pointer_to("name");
        c.error(
            "InvalidResourceName",
            name_fault("").unwrap_or_default(),
            at,
        );
    }
    top_level(c);
    nested(c);
}

fn top_level(c: &mut Checker<'_>) {
    use crate::model::*;
    let p = c.properties;
    macro_rules! each {
        ($($type:ty),* $(,)?) => {
            $(check_collection(c, <$type as GatewayChild>::items(p), "");)*
        };
    }
    each!(
        GatewayIpConfiguration,
        SslCertificate,
        AuthenticationCertificate,
        TrustedRootCertificate,
        TrustedClientCertificate,
        SslProfile,
        FrontendIpConfiguration,
        FrontendPort,
        BackendAddressPool,
        LoadDistributionPolicy,
        BackendHttpSettings,
        BackendSettings,
        HttpListener,
        Listener,
        UrlPathMap,
        RequestRoutingRule,
        RoutingRule,
        AdvancedRoutingMap,
        AdvancedRoutingConditionSet,
        Probe,
        RewriteRuleSet,
        RedirectConfiguration,
        PrivateLinkConfiguration,
        EntraJwtValidationConfig,
    );
}

fn nested(c: &mut Checker<'_>) {
    let p = c.properties;
    for map in &p.url_path_maps {
        check_collection(c, &map.properties.path_rules, &c.id_of(map));
    }
    for map in &p.advanced_routing_maps {
        check_collection(c, &map.properties.advanced_routing_rules, &c.id_of(map));
    }
    for policy in &p.load_distribution_policies {
        check_collection(
            c,
            &policy.properties.load_distribution_targets,
            &c.id_of(policy),
        );
    }
    for link in &p.private_link_configurations {
        check_collection(c, &link.properties.ip_configurations, &c.id_of(link));
    }
}

fn check_collection<T: ChildResource>(c: &mut Checker<'_>, items: &[Item<T>], parent: &str) {
    let mut seen = HashSet::new();
    for item in items {
        if let Some(fault) = name_fault(&item.name) {
            c.error(
                "InvalidResourceName",
                fault,
                format!("{}/name", item.pointer()),
            );
        } else if !seen.insert(AnyCase(&item.name)) {
            let parent = if parent.is_empty() { c.id() } else { parent };
            let message = format!(
                "Resource {parent} has two child resources with the same name ({}).",
                item.name
            );
            c.error("DuplicateResourceName", message, item.pointer_to("name"));
        }
    }
}

/// Why the service would not take a name for a resource of the network, or an item of one: the
/// sentence of its `InvalidResourceName`.
pub fn name_fault(name: &str) -> Option<String> {
    (!is_name(name)).then(|| {
        format!(
            "Resource name {} is invalid. The name can be up to {MAX_NAME_CHARS} characters long. \
             It must begin with a word character, and it must end with a word character or with \
             '_'. The name may contain word characters or '.', '-', '_'.",
            shorten(name)
        )
    })
}

fn is_name(name: &str) -> bool {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    name.chars().count() <= MAX_NAME_CHARS
        && name.chars().next().is_some_and(word)
        && name.chars().next_back().is_some_and(word)
        && name.chars().all(|c| word(c) || matches!(c, '.' | '-'))
}

/// The form of each reference: an id, of the type that belongs there.
pub(crate) fn references(c: &mut Checker<'_>) {
    let mut findings = Vec::new();
    for one in c.links.iter().filter(|one| !one.is_well_formed) {
        let link = &one.link;
        let at = format!("{}/id", link.reference.pointer());
        let path = at.strip_prefix(c.gateway.source.pointer()).unwrap_or(&at);
        let message = format!(
            "Reference Id {} is not formatted correctly. The Id is expected to reference a \
             resource of type {}. Path {}.",
            shorten_id(&link.reference.id),
            link.target.type_words().collect::<Vec<_>>().join("/"),
            dotted(path)
        );
        findings.push((message, at));
    }
    for (message, at) in findings {
        c.error("InvalidJsonReferenceFormat", message, at);
    }
}
