//! The catalogues of the service: what it has to offer, not what anyone has made of it.
//!
//! Each function builds the whole body of one GET, in the service's member order. Where a body was
//! recorded from the service it is built as it was recorded, oddities included: ids with empty
//! segments, and a manifest that is called `dafault` in its own URL. Nothing here depends on what
//! is stored.
//!
//! | function | GET, below `/subscriptions/{subscription}` |
//! |---|---|
//! | [`ssl_options`] | `…/applicationGatewayAvailableSslOptions/default` |
//! | [`predefined_policies`] | the same with `/predefinedPolicies` |
//! | [`predefined_policy`] | the same with `/predefinedPolicies/{name}` |
//! | [`server_variables`] | `…/applicationGatewayAvailableServerVariables` |
//! | [`request_headers`] | `…/applicationGatewayAvailableRequestHeaders` |
//! | [`response_headers`] | `…/applicationGatewayAvailableResponseHeaders` |
//! | [`waf_rule_sets`] | `…/applicationGatewayAvailableWafRuleSets` |
//! | [`waf_manifests`] | `…/locations/{location}/applicationGatewayWafDynamicManifests` |
//! | [`waf_manifest`] | `…/locations/{location}/applicationGatewayWafDynamicManifests/dafault` |
//! | [`providers`], [`provider`] | `/providers`, `/providers/{namespace}` |
//! | [`locations`] | `/locations` |
//!
//! `…` is `/providers/Microsoft.Network`.

mod providers;
mod regions;
mod rewrites;
mod tls;
mod waf;
mod waf_rules;

pub use providers::{namespaces, provider, providers};
pub use regions::{is_region, locations, region_names};
pub use rewrites::{request_headers, response_headers, server_variables};
pub use tls::{predefined_policies, predefined_policy, ssl_options};
pub use waf::{waf_manifest, waf_manifests, waf_rule_sets};
