//! Resource ids: `/subscriptions/…/resourceGroups/…/providers/{namespace}/{type}/{name}…`.
//!
//! Ids are equal in any letter case. Clients vary the casing (`resourcegroups`,
//! `publicIpAddresses`), double slashes and append them; the service answers in one casing of
//! its own (recorded from the service, and from requests of the `az` client).

use std::fmt;
use std::hash::{Hash, Hasher};

use crate::id_parts::{IdParts, same_words};

/// Longest id that is accepted, in bytes.
pub const MAX_ID_BYTES: usize = 2048;

/// Type names whose casing clients are known to vary, as the service writes them.
const CANONICAL: &[&str] = &[
    "applicationGateways",
    "ApplicationGatewayWebApplicationFirewallPolicies",
    "authenticationCertificates",
    "authenticationPolicies",
    "advancedRoutingConditionSets",
    "advancedRoutingMaps",
    "advancedRoutingRules",
    "backendAddressPools",
    "backendHttpSettingsCollection",
    "backendSettingsCollection",
    "entraJWTValidationConfigs",
    "frontendIPConfigurations",
    "frontendPorts",
    "gatewayIPConfigurations",
    "httpListeners",
    "ipConfigurations",
    "listeners",
    "loadDistributionPolicies",
    "loadDistributionTargets",
    "natGateways",
    "networkInterfaces",
    "networkSecurityGroups",
    "networkWatchers",
    "pathRules",
    "privateEndpointConnections",
    "privateEndpoints",
    "privateLinkConfigurations",
    "probes",
    "publicIPAddresses",
    "redirectConfigurations",
    "requestRoutingRules",
    "rewriteRuleSets",
    "routes",
    "routeTables",
    "routingRules",
    "securityRules",
    "sslCertificates",
    "sslProfiles",
    "subnets",
    "trustedClientCertificates",
    "trustedRootCertificates",
    "urlPathMaps",
    "userAssignedIdentities",
    "virtualMachines",
    "virtualMachineScaleSets",
    "virtualNetworks",
    "Microsoft.Authorization",
    "Microsoft.Compute",
    "Microsoft.Insights",
    "Microsoft.KeyVault",
    "Microsoft.ManagedIdentity",
    "Microsoft.Network",
    "Microsoft.OperationalInsights",
    "Microsoft.Resources",
    "Microsoft.Web",
];

/// Why a text is no resource id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResourceIdError {
    /// Longer than [`MAX_ID_BYTES`].
    #[error("the id is longer than {MAX_ID_BYTES} bytes")]
    TooLong,
    /// Does not begin with `/`.
    #[error("an id begins with '/'")]
    NoLeadingSlash,
    /// Does not begin with `/subscriptions/{id}` or `/providers/{namespace}`.
    #[error("an id begins with '/subscriptions/{{id}}' or '/providers/{{namespace}}'")]
    NoScope,
    /// A segment where another name was expected.
    #[error("'providers' or 'resourceGroups' is expected after the subscription")]
    UnexpectedSegment,
    /// A type without a name, or a name that is empty.
    #[error("a type must be followed by a name")]
    Incomplete,
    /// A character that no id holds: control characters, `?`, `#`, `<`, `>`, `%`, `\`, `"`.
    #[error("the id holds a character that no id may hold")]
    BadCharacter,
}

/// A resource id. Prints in canonical casing; equal and hashed in any casing.
#[derive(Clone, Debug)]
pub struct ResourceId(IdParts<String>);

impl ResourceId {
    /// Parses an id. Doubled and trailing slashes are tolerated, names keep their casing.
    ///
    /// # Errors
    /// Where the text does not have the form of an id; see [`ResourceIdError`].
    pub fn parse(text: &str) -> Result<Self, ResourceIdError> {
        let parts = IdParts::parse(text)?;
        let path = parts.path.into_iter();
        Ok(Self(IdParts {
            subscription: parts.subscription.map(str::to_owned),
            resource_group: parts.resource_group.map(str::to_owned),
            namespace: parts.namespace.map(canonical),
            path: path
                .map(|(kind, name)| (canonical(kind), name.to_owned()))
                .collect(),
        }))
    }

    /// The id of a gateway.
    pub fn gateway(subscription: &str, resource_group: &str, name: &str) -> Self {
        Self(IdParts {
            subscription: Some(subscription.to_owned()),
            resource_group: Some(resource_group.to_owned()),
            namespace: Some("Microsoft.Network".to_owned()),
            path: vec![("applicationGateways".to_owned(), name.to_owned())],
        })
    }

    /// The subscription, if the id has one.
    pub fn subscription(&self) -> Option<&str> {
        self.0.subscription.as_deref()
    }

    /// The resource group, if the id has one.
    pub fn resource_group(&self) -> Option<&str> {
        self.0.resource_group.as_deref()
    }

    /// The name: the last segment. `None` for a subscription, a group or a provider.
    pub fn name(&self) -> Option<&str> {
        self.0.path.last().map(|(_, name)| name.as_str())
    }

    /// The full type, such as `Microsoft.Network/applicationGateways/probes`; empty for an id
    /// that names no resource.
    pub fn resource_type(&self) -> String {
        let words: Vec<&str> = self.0.type_words().collect();
        words.join("/")
    }

    /// The id of a child of this resource.
    #[must_use]
    pub fn child(&self, kind: &str, name: &str) -> Self {
        let mut child = self.clone();
        child.0.path.push((canonical(kind), name.to_owned()));
        child
    }

    /// The id of the resource that this one is a child of; `None` for a resource of its own.
    pub fn parent(&self) -> Option<Self> {
        let (parent, _) = self.0.clone().split_child()?;
        Some(Self(parent))
    }

    /// The same, taken apart.
    pub(crate) fn parts(&self) -> &IdParts<String> {
        &self.0
    }
}

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .segments()
            .try_for_each(|segment| write!(f, "/{segment}"))
    }
}

impl PartialEq for ResourceId {
    fn eq(&self, other: &Self) -> bool {
        same_words(self.0.segments(), other.0.segments())
    }
}

impl Eq for ResourceId {}

impl Hash for ResourceId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for segment in self.0.segments() {
            segment
                .bytes()
                .for_each(|b| state.write_u8(b.to_ascii_lowercase()));
            state.write_u8(b'/');
        }
    }
}

fn canonical(word: &str) -> String {
    let known = CANONICAL
        .iter()
        .find(|known| known.eq_ignore_ascii_case(word));
    known.map_or_else(|| word.to_owned(), |known| (*known).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> ResourceId {
        ResourceId::parse(text).expect(text)
    }

    #[test]
    fn casing_and_slashes_are_made_canonical() {
        let id = parse(
            "/Subscriptions/S1//resourcegroups/Rg/providers/microsoft.network/\
             publicIpAddresses/Pip/",
        );
        assert_eq!(
            id.to_string(),
            "/subscriptions/S1/resourceGroups/Rg/providers/Microsoft.Network/publicIPAddresses/Pip"
        );
    }

    #[test]
    fn a_child_of_a_child_has_its_full_type() {
        let gateway = ResourceId::gateway("s", "rg", "gw");
        let rule = gateway.child("urlpathmaps", "m").child("PathRules", "r");
        assert_eq!(
            rule.resource_type(),
            "Microsoft.Network/applicationGateways/urlPathMaps/pathRules"
        );
        assert_eq!(
            rule.parent().and_then(|p| p.parent()),
            Some(gateway.clone())
        );
        assert_eq!(gateway.parent(), None);
        assert_eq!(rule.name(), Some("r"));
    }

    #[test]
    fn equality_ignores_letter_case_and_nothing_else() {
        use std::collections::HashSet;
        let a = parse("/subscriptions/s/resourceGroups/RG/providers/Microsoft.Network/probes/P");
        let b = parse("/SUBSCRIPTIONS/S/RESOURCEGROUPS/rg/PROVIDERS/microsoft.network/PROBES/p");
        assert_eq!(a, b);
        assert_eq!(HashSet::from([a.clone(), b]).len(), 1);
        assert_ne!(a, a.child("x", "y"));
        assert_ne!(a, parse("/subscriptions/s/resourceGroups/RG"));
    }

    #[test]
    fn malformed_ids_are_refused_with_their_reason() {
        let cases = [
            ("subscriptions/s", ResourceIdError::NoLeadingSlash),
            ("/", ResourceIdError::NoScope),
            ("/foo/bar", ResourceIdError::NoScope),
            ("/subscriptions", ResourceIdError::Incomplete),
            ("/subscriptions/s/foo", ResourceIdError::UnexpectedSegment),
            (
                "/subscriptions/s/providers/N/type",
                ResourceIdError::Incomplete,
            ),
            ("/subscriptions/s?x=1", ResourceIdError::BadCharacter),
        ];
        for (text, error) in cases {
            assert_eq!(ResourceId::parse(text), Err(error), "{text}");
        }
        let long = format!("/subscriptions/{}", "a".repeat(MAX_ID_BYTES));
        assert_eq!(ResourceId::parse(&long), Err(ResourceIdError::TooLong));
    }
}
