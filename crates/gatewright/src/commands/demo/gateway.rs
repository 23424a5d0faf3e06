//! The demo's gateway, as its owner would have it exported from Azure.

use serde_json::{Value, json};

/// The gateway's resource id.
const ID: &str = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/demo\
                  /providers/Microsoft.Network/applicationGateways/demo";

/// A backend server: the path under which it is reached, and its address in the imagined network.
pub(super) struct Site {
    pub(super) name: &'static str,
    /// The path rule's pattern; `None` for those that a rule of their own leads to.
    pub(super) path: Option<&'static str>,
    pub(super) servers: &'static [&'static str],
    /// The setting's `requestTimeout`, in seconds.
    pub(super) timeout: u32,
    pub(super) affinity: bool,
}

/// Every site of the demo. The two servers of `shop` also keep the carts.
pub(super) const SITES: [Site; 9] = [
    site("shop", None, &["10.0.1.4", "10.0.1.5"]),
    site("blog", None, &["10.0.1.6"]),
    site("images", Some("/images/*"), &["10.0.1.7"]),
    Site {
        affinity: true,
        ..site("cart", Some("/cart/*"), &["10.0.1.4", "10.0.1.5"])
    },
    site("refusing", Some("/refusing/*"), &["10.0.2.4"]),
    Site {
        timeout: 1,
        ..site("slow", Some("/slow/*"), &["10.0.2.5"])
    },
    site("closing", Some("/closing/*"), &["10.0.2.6"]),
    site("babbling", Some("/babbling/*"), &["10.0.2.7"]),
    site("dribbling", Some("/dribbling/*"), &["10.0.2.8"]),
];

const fn site(
    name: &'static str,
    path: Option<&'static str>,
    servers: &'static [&'static str],
) -> Site {
    Site {
        name,
        path,
        servers,
        timeout: 20,
        affinity: false,
    }
}

fn reference(collection: &str, name: &str) -> Value {
    json!({ "id": format!("{ID}/{collection}/{name}") })
}

fn item(collection: &str, name: &str, properties: Value) -> Value {
    json!({ "name": name, "id": format!("{ID}/{collection}/{name}"), "properties": properties })
}

/// The document, with the frontend ports given.
pub(super) fn document(http_port: u16, https_port: u16) -> Value {
    let network = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/demo\
                   /providers/Microsoft.Network";
    let subnet = json!({ "id": format!("{network}/virtualNetworks/demo/subnets/gateways") });
    let address = json!({ "id": format!("{network}/publicIPAddresses/demo") });
    let port = |name, number: u16| item("frontendPorts", name, json!({ "port": number }));
    json!({
        "name": "demo",
        "id": ID,
        "type": "Microsoft.Network/applicationGateways",
        "location": "westeurope",
        "properties": {
            "provisioningState": "Succeeded",
            "operationalState": "Running",
            "sku": { "name": "Standard_v2", "tier": "Standard_v2", "capacity": 2 },
            "gatewayIPConfigurations": [
                item("gatewayIPConfigurations", "subnet", json!({ "subnet": subnet })),
            ],
            "frontendIPConfigurations": [
                item("frontendIPConfigurations", "public", json!({ "publicIPAddress": address })),
            ],
            "frontendPorts": [port("http", http_port), port("https", https_port)],
            "sslCertificates": [certificate()],
            "sslPolicy": { "policyType": "Predefined", "policyName": "AppGwSslPolicy20220101S" },
            "backendAddressPools": SITES.iter().map(pool).collect::<Vec<_>>(),
            "backendHttpSettingsCollection": SITES.iter().map(setting).collect::<Vec<_>>(),
            "httpListeners": [
                listener("everything", "http", None),
                listener("blog", "http", Some("blog.localhost")),
                listener("secure", "https", None),
            ],
            "urlPathMaps": [path_map()],
            "redirectConfigurations": [redirect()],
            "requestRoutingRules": [
                by_path("everything", 300),
                basic("blog", "blog", 100),
                basic("secure", "shop", 200),
            ],
        },
    })
}

/// As an export has it: without the private key. `--dev-certs` takes its place.
fn certificate() -> Value {
    let mut certificate = item("sslCertificates", "site", json!({}));
    certificate["properties"]["provisioningState"] = "Succeeded".into();
    certificate
}

fn pool(site: &Site) -> Value {
    let servers = site.servers.iter().map(|ip| json!({ "ipAddress": ip }));
    let addresses = servers.collect::<Vec<_>>();
    item(
        "backendAddressPools",
        site.name,
        json!({ "backendAddresses": addresses }),
    )
}

fn setting(site: &Site) -> Value {
    let properties = json!({
        "port": 80,
        "protocol": "Http",
        "cookieBasedAffinity": if site.affinity { "Enabled" } else { "Disabled" },
        "requestTimeout": site.timeout,
        "pickHostNameFromBackendAddress": false,
    });
    item("backendHttpSettingsCollection", site.name, properties)
}

fn listener(name: &str, port: &str, host: Option<&str>) -> Value {
    let mut properties = json!({
        "frontendIPConfiguration": reference("frontendIPConfigurations", "public"),
        "frontendPort": reference("frontendPorts", port),
        "protocol": if port == "https" { "Https" } else { "Http" },
        "requireServerNameIndication": false,
    });
    if port == "https" {
        properties["sslCertificate"] = reference("sslCertificates", "site");
    }
    if let Some(host) = host {
        properties["hostName"] = host.into();
    }
    item("httpListeners", name, properties)
}

fn path_map() -> Value {
    let mut rules: Vec<Value> = SITES
        .iter()
        .filter_map(|site| {
            let properties = json!({
                "paths": [site.path?],
                "backendAddressPool": reference("backendAddressPools", site.name),
                "backendHttpSettings": reference("backendHttpSettingsCollection", site.name),
            });
            Some(item("urlPathMaps/by-path/pathRules", site.name, properties))
        })
        .collect();
    let old = json!({
        "paths": ["/old/*"],
        "redirectConfiguration": reference("redirectConfigurations", "to-secure"),
    });
    rules.push(item("urlPathMaps/by-path/pathRules", "old", old));
    let properties = json!({
        "defaultBackendAddressPool": reference("backendAddressPools", "shop"),
        "defaultBackendHttpSettings": reference("backendHttpSettingsCollection", "shop"),
        "pathRules": rules,
    });
    item("urlPathMaps", "by-path", properties)
}

fn redirect() -> Value {
    let properties = json!({
        "redirectType": "Permanent",
        "targetListener": reference("httpListeners", "secure"),
        "includePath": true,
        "includeQueryString": true,
    });
    item("redirectConfigurations", "to-secure", properties)
}

fn basic(listener: &str, site: &str, priority: u32) -> Value {
    let properties = json!({
        "ruleType": "Basic",
        "priority": priority,
        "httpListener": reference("httpListeners", listener),
        "backendAddressPool": reference("backendAddressPools", site),
        "backendHttpSettings": reference("backendHttpSettingsCollection", site),
    });
    item("requestRoutingRules", listener, properties)
}

fn by_path(listener: &str, priority: u32) -> Value {
    let properties = json!({
        "ruleType": "PathBasedRouting",
        "priority": priority,
        "httpListener": reference("httpListeners", listener),
        "urlPathMap": reference("urlPathMaps", "by-path"),
    });
    item("requestRoutingRules", listener, properties)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::documents::Document;

    #[test]
    fn the_demos_gateway_is_one_that_the_service_would_take() {
        let text = document(8080, 8443).to_string();
        let mut document = Document::parse("demo".to_owned(), text.as_bytes());
        let options = gatewright_compile::Options::default();
        let keyless = gatewright_compile::keyless_certificates(&document.gateways, &options);
        assert_eq!(keyless.len(), 1);
        document.check(&options);
        let codes: Vec<_> = document
            .findings
            .iter()
            .map(|one| one.code.as_str())
            .collect();
        assert_eq!(
            codes,
            ["GW-E-certificate-without-key"],
            "{:#?}",
            document.findings
        );
    }
}
