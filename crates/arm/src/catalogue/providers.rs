//! The resource providers: which resource types there are, and their api-versions.
//!
//! Only types that gateways and their neighbours need are listed. Sources: the api-versions are
//! those of the Azure REST API specifications (of Microsoft.Network as gateways have them), with
//! those that `az` 2.91 asks for; whether a type can be moved is Azure's documentation of moves.
//! The shape of the answer is that of the REST API of Microsoft.Resources.

use serde_json::{Value, json};

use super::regions;

const NETWORK: &str = "2015-05-01-preview 2015-06-15 2016-03-30 2016-06-01 2016-09-01 2016-12-01 \
    2017-03-01 2017-03-30 2017-06-01 2017-08-01 2017-09-01 2017-10-01 2017-11-01 2018-01-01 \
    2018-02-01 2018-04-01 2018-06-01 2018-07-01 2018-08-01 2018-10-01 2018-11-01 2018-12-01 \
    2019-02-01 2019-04-01 2019-06-01 2019-07-01 2019-08-01 2019-09-01 2019-11-01 2019-12-01 \
    2020-03-01 2020-04-01 2020-05-01 2020-06-01 2020-07-01 2020-08-01 2020-11-01 2021-02-01 \
    2021-03-01 2021-05-01 2021-08-01 2022-01-01 2022-05-01 2022-07-01 2022-09-01 2022-11-01 \
    2023-02-01 2023-04-01 2023-05-01 2023-06-01 2023-09-01 2023-11-01 2024-01-01 2024-03-01 \
    2024-05-01 2024-07-01 2024-10-01 2025-01-01 2025-03-01 2025-05-01 2025-07-01 2025-09-01 \
    2026-03-01";
const RESOURCES: &str = "2015-11-01 2016-02-01 2016-07-01 2016-09-01 2017-05-10 2018-02-01 \
    2018-05-01 2019-03-01 2019-05-01 2019-05-10 2019-07-01 2019-08-01 2019-10-01 2020-06-01 \
    2020-08-01 2020-10-01 2021-01-01 2021-04-01 2022-09-01 2023-07-01 2024-03-01 2024-07-01 \
    2024-11-01 2025-03-01 2025-04-01";
const WEB: &str = "2015-08-01 2016-08-01 2018-02-01 2018-11-01 2019-08-01 2020-06-01 2020-09-01 \
    2020-10-01 2020-12-01 2021-01-01 2021-01-15 2021-02-01 2021-03-01 2022-03-01 2022-09-01 \
    2023-01-01 2023-12-01 2024-04-01 2024-11-01 2025-03-01 2025-05-01";
const WEB_PLANS: &str = "2015-08-01 2016-09-01 2018-02-01 2019-08-01 2020-06-01 2020-09-01 \
    2020-10-01 2020-12-01 2021-01-01 2021-01-15 2021-02-01 2021-03-01 2022-03-01 2022-09-01 \
    2023-01-01 2023-12-01 2024-04-01 2024-11-01 2025-03-01 2025-05-01";
const KEY_VAULT: &str = "2015-06-01 2016-10-01 2018-02-14-preview 2018-02-14 2019-09-01 \
    2020-04-01-preview 2021-04-01-preview 2021-06-01-preview 2021-10-01 2021-11-01-preview \
    2022-02-01-preview 2022-07-01 2022-11-01 2023-02-01 2023-07-01 2024-04-01-preview 2024-11-01 \
    2024-12-01-preview 2025-05-01 2026-02-01";
const IDENTITY: &str = "2015-08-31-preview 2018-11-30 2021-09-30-preview 2022-01-31-preview \
    2023-01-31 2023-07-31-preview 2024-11-30 2025-01-31-preview 2025-05-31-preview";
const COMPUTE: &str = "2015-06-15 2016-03-30 2016-04-30-preview 2017-03-30 2017-12-01 2018-04-01 \
    2018-06-01 2018-10-01 2019-03-01 2019-07-01 2019-12-01 2020-06-01 2020-12-01 2021-03-01 \
    2021-04-01 2021-07-01 2021-11-01 2022-03-01 2022-08-01 2022-11-01 2023-03-01 2023-07-01 \
    2023-09-01 2024-03-01 2024-07-01 2024-11-01 2025-04-01 2026-04-01";
const AUTHORIZATION: &str = "2015-07-01 2017-10-01-preview 2018-01-01-preview 2018-09-01-preview \
    2020-03-01-preview 2020-04-01-preview 2020-08-01-preview 2020-10-01-preview 2022-04-01";
const WORKSPACES: &str = "2015-11-01-preview 2020-03-01-preview 2020-08-01 2020-10-01 2021-06-01 \
    2021-12-01-preview 2022-10-01 2023-09-01 2025-02-01 2025-07-01";

const PROVIDERS: &[Provider] = &[
    Provider {
        namespace: "Microsoft.Network",
        policy: Policy::Required,
        types: &[
            Type::tracked("applicationGateways", NETWORK),
            Type::tracked("ApplicationGatewayWebApplicationFirewallPolicies", NETWORK)
                .since("2018-12-01"),
            Type::movable("virtualNetworks", NETWORK),
            Type::child("virtualNetworks/subnets", NETWORK),
            Type::movable("networkSecurityGroups", NETWORK),
            Type::child("networkSecurityGroups/securityRules", NETWORK),
            Type::movable("routeTables", NETWORK),
            Type::child("routeTables/routes", NETWORK),
            Type::movable("publicIPAddresses", NETWORK),
            Type::movable("networkInterfaces", NETWORK),
            Type::tracked("networkWatchers", NETWORK).since("2016-09-01"),
            Type::child("locations", NETWORK),
            Type::child("locations/operations", NETWORK),
            Type::child("locations/operationResults", NETWORK),
            Type::child("locations/usages", NETWORK),
            Type::child("locations/CheckDnsNameAvailability", NETWORK),
            Type::child("locations/virtualNetworkAvailableEndpointServices", NETWORK),
        ],
    },
    Provider {
        namespace: "Microsoft.Resources",
        policy: Policy::Free,
        types: &[
            Type::tracked("resourceGroups", RESOURCES),
            Type::child("deployments", RESOURCES),
            Type::child("tags", RESOURCES),
        ],
    },
    Provider {
        namespace: "Microsoft.Web",
        policy: Policy::Required,
        types: &[
            Type::movable("sites", WEB),
            Type::child("sites/config", WEB),
            Type::movable("serverfarms", WEB_PLANS),
        ],
    },
    Provider {
        namespace: "Microsoft.KeyVault",
        policy: Policy::Required,
        types: &[
            Type::movable("vaults", KEY_VAULT),
            Type::child("vaults/secrets", KEY_VAULT).since("2016-10-01"),
        ],
    },
    Provider {
        namespace: "Microsoft.ManagedIdentity",
        policy: Policy::Required,
        types: &[Type::tracked("userAssignedIdentities", IDENTITY)],
    },
    Provider {
        // In this casing, unlike the others.
        namespace: "microsoft.insights",
        policy: Policy::Required,
        types: &[
            Type::child("eventtypes", "2015-04-01"),
            Type::child("eventtypes/values", "2015-04-01"),
            Type::child("metrics", "2018-01-01 2023-10-01 2024-02-01"),
            Type::child("metricDefinitions", "2018-01-01 2023-10-01 2024-02-01"),
            Type::extension("diagnosticSettings", "2021-05-01-preview"),
        ],
    },
    Provider {
        namespace: "Microsoft.Compute",
        policy: Policy::Required,
        types: &[Type::movable("virtualMachines", COMPUTE)],
    },
    Provider {
        namespace: "Microsoft.Authorization",
        policy: Policy::Free,
        types: &[Type::extension("roleAssignments", AUTHORIZATION)],
    },
    Provider {
        namespace: "Microsoft.OperationalInsights",
        policy: Policy::Required,
        types: &[Type::movable("workspaces", WORKSPACES)],
    },
];

struct Provider {
    namespace: &'static str,
    policy: Policy,
    types: &'static [Type],
}

/// Whether a subscription must register before it can use a provider.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Policy {
    Required,
    Free,
}

struct Type {
    name: &'static str,
    /// Oldest first, separated by spaces.
    versions: &'static str,
    /// The first version that has the type, where it came later than its provider.
    since: &'static str,
    capabilities: &'static str,
    /// Whether resources of the type lie in a region of their own.
    is_regional: bool,
}

impl Type {
    const fn new(name: &'static str, versions: &'static str) -> Self {
        Self {
            name,
            versions,
            since: "",
            capabilities: "None",
            is_regional: false,
        }
    }

    /// A part of another resource, or nothing that is stored.
    const fn child(name: &'static str, versions: &'static str) -> Self {
        Self::new(name, versions)
    }

    /// A resource on any other.
    const fn extension(name: &'static str, versions: &'static str) -> Self {
        Self {
            capabilities: "SupportsExtension",
            ..Self::new(name, versions)
        }
    }

    /// A resource with tags and a region.
    const fn tracked(name: &'static str, versions: &'static str) -> Self {
        Self {
            capabilities: "SupportsTags, SupportsLocation",
            is_regional: true,
            ..Self::new(name, versions)
        }
    }

    /// The same, where it can leave its resource group and its subscription.
    const fn movable(name: &'static str, versions: &'static str) -> Self {
        Self {
            capabilities: "CrossResourceGroupResourceMove, CrossSubscriptionResourceMove, \
                           SupportsTags, SupportsLocation",
            ..Self::tracked(name, versions)
        }
    }

    const fn since(self, version: &'static str) -> Self {
        Self {
            since: version,
            ..self
        }
    }

    /// Newest first, as the service lists them.
    fn api_versions(&self) -> Vec<&'static str> {
        let versions = self.versions.split_ascii_whitespace().rev();
        versions.filter(|one| *one >= self.since).collect()
    }
}

/// The namespaces of the providers, in the service's casing.
pub fn namespaces() -> impl Iterator<Item = &'static str> {
    PROVIDERS.iter().map(|provider| provider.namespace)
}

/// A provider by its namespace, in any letter case; `None` where it is not known. `is_registered`
/// says whether the subscription has registered, which does not matter to those without need.
pub fn provider(subscription: &str, namespace: &str, is_registered: bool) -> Option<Value> {
    let mut all = PROVIDERS.iter();
    let found = all.find(|one| one.namespace.eq_ignore_ascii_case(namespace))?;
    Some(answer(subscription, found, is_registered))
}

/// All providers, as one page. `is_registered` is asked with each namespace, in the casing of
/// [`namespaces`].
pub fn providers(subscription: &str, is_registered: impl Fn(&str) -> bool) -> Value {
    let all = PROVIDERS.iter();
    let all = all.map(|one| answer(subscription, one, is_registered(one.namespace)));
    json!({ "value": all.collect::<Vec<_>>() })
}

fn answer(subscription: &str, provider: &Provider, is_registered: bool) -> Value {
    let namespace = provider.namespace;
    let (policy, is_registered) = match provider.policy {
        Policy::Required => ("RegistrationRequired", is_registered),
        Policy::Free => ("RegistrationFree", true),
    };
    let types: Vec<Value> = provider.types.iter().map(resource_type).collect();
    json!({
        "id": format!("/subscriptions/{subscription}/providers/{namespace}"),
        "namespace": namespace,
        "resourceTypes": types,
        "registrationState": if is_registered { "Registered" } else { "NotRegistered" },
        "registrationPolicy": policy,
    })
}

fn resource_type(one: &Type) -> Value {
    let locations: Vec<&str> = if one.is_regional {
        regions::display_names().collect()
    } else {
        Vec::new()
    };
    json!({
        "resourceType": one.name,
        "locations": locations,
        "apiVersions": one.api_versions(),
        "capabilities": one.capabilities,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validate::ApiVersion;

    #[test]
    fn api_versions_are_dates_each_once_and_oldest_first() {
        for one in PROVIDERS.iter().flat_map(|provider| provider.types) {
            let versions: Vec<&str> = one.versions.split_ascii_whitespace().collect();
            for version in &versions {
                version.parse::<ApiVersion>().expect(version);
            }
            // By date; on the same day the preview comes before what it was a preview of.
            let key = |version: &str| (version[..10].to_owned(), !version.ends_with("-preview"));
            for pair in versions.windows(2) {
                assert!(key(pair[0]) < key(pair[1]), "{}: {pair:?}", one.name);
            }
            assert!(
                one.since.is_empty() || versions.contains(&one.since),
                "{}",
                one.name
            );
        }
    }

    #[test]
    fn the_newest_version_of_gateways_is_the_newest_that_this_crate_knows() {
        let newest = PROVIDERS[0].types[0].api_versions()[0];
        assert_eq!(newest.parse(), Ok(ApiVersion::NEWEST));
    }

    #[test]
    fn a_type_begins_with_the_version_that_first_had_it() {
        const VERSIONS: &str = "2019-01-01 2020-01-01-preview 2020-01-01 2021-01-01";
        let all = Type::child("late", VERSIONS);
        assert_eq!(all.api_versions().len(), 4);
        let late = all.since("2020-01-01");
        let expected = ["2021-01-01", "2020-01-01", "2020-01-01-preview"];
        assert_eq!(late.api_versions(), expected);
    }
}
