//! The TLS options. Source: bodies recorded from the service (api-version 2022-05-01).

use serde_json::{Value, json};

use crate::model::{SslPolicyName, SslProtocol};

const OPTIONS_TYPE: &str = "Microsoft.Network/ApplicationGatewayAvailableSslOptions";
const POLICY_TYPE: &str = "ApplicationGatewaySslPredefinedPolicy";

/// The predefined policies, the cipher suites and the versions of TLS that there are.
pub fn ssl_options(subscription: &str) -> Value {
    let protocols: Vec<_> = SslProtocol::ALL.iter().map(|p| p.as_str()).collect();
    json!({
        "name": "default",
        "id": options_id(subscription),
        "type": OPTIONS_TYPE,
        "properties": {
            "predefinedPolicies": policies(subscription),
            // As recorded, and what still holds below api-version 2023-02-01.
            "defaultPolicy": SslPolicyName::FORMER_DEFAULT.as_str(),
            // The oldest policy has every suite; its order is the one that was recorded.
            "availableCipherSuites": suites(SslPolicyName::AppGwSslPolicy20150501),
            "availableProtocols": protocols,
        },
    })
}

/// All predefined policies, as one page.
pub fn predefined_policies(subscription: &str) -> Value {
    json!({ "value": policies(subscription) })
}

/// The predefined policy of this name, in any letter case; `None` where there is none.
pub fn predefined_policy(subscription: &str, name: &str) -> Option<Value> {
    SslPolicyName::from_text(name).map(|name| policy(subscription, name))
}

fn policies(subscription: &str) -> Vec<Value> {
    let names = SslPolicyName::ALL.iter();
    names.map(|name| policy(subscription, *name)).collect()
}

fn policy(subscription: &str, name: SslPolicyName) -> Value {
    json!({
        "name": name.as_str(),
        "id": format!("{}/{POLICY_TYPE}/{name}", options_id(subscription)),
        "properties": {
            "cipherSuites": suites(name),
            "minProtocolVersion": name.min_protocol_version().as_str(),
        },
        "type": format!("{OPTIONS_TYPE}/{POLICY_TYPE}"),
    })
}

fn suites(name: SslPolicyName) -> Vec<&'static str> {
    name.cipher_suites().iter().map(|s| s.as_str()).collect()
}

/// The id of the options. The empty resource group is the service's own.
fn options_id(subscription: &str) -> String {
    format!("/subscriptions/{subscription}/resourceGroups//providers/{OPTIONS_TYPE}/default")
}
