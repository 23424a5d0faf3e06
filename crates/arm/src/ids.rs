//! Resource ids: `/subscriptions/…/resourceGroups/…/providers/{namespace}/{type}/{name}…`.
//!
//! Ids are equal in any letter case. Clients vary the casing (`resourcegroups`,
//! `publicIpAddresses`), double slashes and append them; the service answers in one casing of
//! its own (recorded from the service, and from requests of the `az` client).

use std::fmt;
use std::hash::{Hash, Hasher};

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
pub struct ResourceId {
    subscription: Option<String>,
    resource_group: Option<String>,
    namespace: Option<String>,
    /// Pairs of type and name, outermost first.
    path: Vec<(String, String)>,
}

impl ResourceId {
    /// Parses an id. Doubled and trailing slashes are tolerated, names keep their casing.
    ///
    /// # Errors
    /// Where the text does not have the form of an id; see [`ResourceIdError`].
    pub fn parse(text: &str) -> Result<Self, ResourceIdError> {
        if text.len() > MAX_ID_BYTES {
            return Err(ResourceIdError::TooLong);
        }
        if !text.starts_with('/') {
            return Err(ResourceIdError::NoLeadingSlash);
        }
        let bad = |c: char| c.is_control() || matches!(c, '?' | '#' | '<' | '>' | '%' | '\\' | '"');
        if text.contains(bad) {
            return Err(ResourceIdError::BadCharacter);
        }
        let mut segments = text
            .split('/')
            .filter(|segment| !segment.is_empty())
            .peekable();
        let mut id = Self {
            subscription: None,
            resource_group: None,
            namespace: None,
            path: Vec::new(),
        };
        if take(&mut segments, "subscriptions") {
            id.subscription = Some(next(&mut segments)?);
            if take(&mut segments, "resourceGroups") {
                id.resource_group = Some(next(&mut segments)?);
            }
        } else if segments
            .peek()
            .is_none_or(|s| !s.eq_ignore_ascii_case("providers"))
        {
            return Err(ResourceIdError::NoScope);
        }
        if segments.peek().is_none() {
            return Ok(id);
        }
        if !take(&mut segments, "providers") {
            return Err(ResourceIdError::UnexpectedSegment);
        }
        id.namespace = Some(canonical(&next(&mut segments)?));
        while let Some(kind) = segments.next() {
            id.path.push((canonical(kind), next(&mut segments)?));
        }
        Ok(id)
    }

    /// The id of a gateway.
    pub fn gateway(subscription: &str, resource_group: &str, name: &str) -> Self {
        Self {
            subscription: Some(subscription.to_owned()),
            resource_group: Some(resource_group.to_owned()),
            namespace: Some("Microsoft.Network".to_owned()),
            path: vec![("applicationGateways".to_owned(), name.to_owned())],
        }
    }

    /// The subscription, if the id has one.
    pub fn subscription(&self) -> Option<&str> {
        self.subscription.as_deref()
    }

    /// The resource group, if the id has one.
    pub fn resource_group(&self) -> Option<&str> {
        self.resource_group.as_deref()
    }

    /// The name: the last segment. `None` for a subscription, a group or a provider.
    pub fn name(&self) -> Option<&str> {
        self.last().map(|(_, name)| name)
    }

    /// The full type, such as `Microsoft.Network/applicationGateways/probes`; empty for an id
    /// that names no resource.
    pub fn resource_type(&self) -> String {
        let mut out = self.namespace.clone().unwrap_or_default();
        for (kind, _) in &self.path {
            out.push('/');
            out.push_str(kind);
        }
        out
    }

    /// The id of a child of this resource.
    #[must_use]
    pub fn child(&self, kind: &str, name: &str) -> Self {
        let mut child = self.clone();
        child.path.push((canonical(kind), name.to_owned()));
        child
    }

    /// The id of the resource that this one is a child of; `None` for a resource of its own.
    pub fn parent(&self) -> Option<Self> {
        let mut parent = self.clone();
        parent.path.pop();
        (!parent.path.is_empty()).then_some(parent)
    }

    /// The innermost type and name.
    pub(crate) fn last(&self) -> Option<(&str, &str)> {
        self.path
            .last()
            .map(|(kind, name)| (kind.as_str(), name.as_str()))
    }

    fn segments(&self) -> impl Iterator<Item = &str> {
        let scope = [
            ("subscriptions", &self.subscription),
            ("resourceGroups", &self.resource_group),
        ];
        let provider = [("providers", &self.namespace)];
        scope
            .into_iter()
            .chain(provider)
            .filter_map(|(key, value)| value.as_deref().map(|value| [key, value]))
            .flatten()
            .chain(
                self.path
                    .iter()
                    .flat_map(|(kind, name)| [kind.as_str(), name.as_str()]),
            )
    }
}

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.segments()
            .try_for_each(|segment| write!(f, "/{segment}"))
    }
}

impl PartialEq for ResourceId {
    fn eq(&self, other: &Self) -> bool {
        let (mut a, mut b) = (self.segments(), other.segments());
        loop {
            match (a.next(), b.next()) {
                (None, None) => return true,
                (Some(a), Some(b)) if a.eq_ignore_ascii_case(b) => {}
                _ => return false,
            }
        }
    }
}

impl Eq for ResourceId {}

impl Hash for ResourceId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for segment in self.segments() {
            segment
                .bytes()
                .for_each(|b| state.write_u8(b.to_ascii_lowercase()));
            state.write_u8(b'/');
        }
    }
}

fn take<'a>(segments: &mut std::iter::Peekable<impl Iterator<Item = &'a str>>, word: &str) -> bool {
    segments
        .next_if(|segment| segment.eq_ignore_ascii_case(word))
        .is_some()
}

fn next<'a>(segments: &mut impl Iterator<Item = &'a str>) -> Result<String, ResourceIdError> {
    segments
        .next()
        .map(str::to_owned)
        .ok_or(ResourceIdError::Incomplete)
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
