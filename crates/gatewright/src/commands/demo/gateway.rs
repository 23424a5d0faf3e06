//! The demo's gateway, as its owner would have it exported from Azure.

use serde_json::{Value, json};

use super::sites::{Care, HEALTH_PATH, HOST, Site, sites, wanted_text};

/// The name of the trusted root.
const ROOT: &str = "contoso-root";

/// The gateway's resource id.
const ID: &str = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/demo\
                  /providers/Microsoft.Network/applicationGateways/demo";

fn reference(collection: &str, name: &str) -> Value {
    json!({ "id": format!("{ID}/{collection}/{name}") })
}

fn item(collection: &str, name: &str, properties: Value) -> Value {
    json!({ "name": name, "id": format!("{ID}/{collection}/{name}"), "properties": properties })
}

/// The document, with the frontend ports given, and the PEM of the root that servers' certificates
/// should lead to.
pub(super) fn document(http_port: u16, https_port: u16, root_pem: &str) -> Value {
    let sites = sites();
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
            "trustedRootCertificates": [root(root_pem)],
            "backendAddressPools": sites.iter().map(pool).collect::<Vec<_>>(),
            "backendHttpSettingsCollection": sites.iter().map(setting).collect::<Vec<_>>(),
            "probes": probes(),
            "httpListeners": [
                listener("everything", "http", None),
                listener("blog", "http", Some("blog.localhost")),
                listener("secure", "https", None),
            ],
            "urlPathMaps": [path_map(&sites)],
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

/// As an upload has it: base64 of DER, which is PEM without its first and last line.
fn root(pem: &str) -> Value {
    let is_inner = |line: &&str| !line.starts_with("-----");
    let data: String = pem.lines().filter(is_inner).collect();
    item("trustedRootCertificates", ROOT, json!({ "data": data }))
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
    let mut properties = json!({
        "port": site.port(),
        "protocol": if site.is_tls { "Https" } else { "Http" },
        "cookieBasedAffinity": if site.has_affinity { "Enabled" } else { "Disabled" },
        "requestTimeout": site.timeout,
        "pickHostNameFromBackendAddress": false,
    });
    if site.is_tls {
        properties["hostName"] = HOST.into();
        let root = reference("trustedRootCertificates", ROOT);
        properties["trustedRootCertificates"] = json!([root]);
    }
    if let Some(probe) = probe_of(site) {
        properties["probe"] = reference("probes", probe);
    }
    item("backendHttpSettingsCollection", site.name, properties)
}

/// The name of its custom probe.
fn probe_of(site: &Site) -> Option<&'static str> {
    match (site.care, site.is_tls) {
        (Care::Default, _) => None,
        (Care::Healthz, false) => Some("healthz"),
        (Care::Healthz, true) => Some("healthz-https"),
        (Care::HealthzText, _) => Some("healthz-text"),
    }
}

/// At the shortest intervals that show something at once and still are a gateway's.
fn probes() -> Vec<Value> {
    let probe = |name: &str, protocol: &str, expected: Value| {
        let mut properties = json!({
            "protocol": protocol,
            "path": HEALTH_PATH,
            "interval": 5,
            "timeout": 2,
            "unhealthyThreshold": 2,
            "minServers": 0,
            "pickHostNameFromBackendHttpSettings": protocol == "Https",
            "match": expected,
        });
        if protocol == "Http" {
            properties["host"] = "127.0.0.1".into();
        }
        item("probes", name, properties)
    };
    let statuses = json!({ "statusCodes": ["200-399"] });
    let mut with_text = statuses.clone();
    with_text["body"] = wanted_text().into();
    vec![
        probe("healthz", "Http", statuses.clone()),
        probe("healthz-text", "Http", with_text),
        probe("healthz-https", "Https", statuses),
    ]
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

fn path_map(sites: &[Site]) -> Value {
    let path_rule = |site: &Site| {
        let properties = json!({
            "paths": [format!("/{}/*", site.name)],
            "backendAddressPool": reference("backendAddressPools", site.name),
            "backendHttpSettings": reference("backendHttpSettingsCollection", site.name),
        });
        item("urlPathMaps/by-path/pathRules", site.name, properties)
    };
    let with_path = sites.iter().filter(|site| site.has_path);
    let mut rules: Vec<Value> = with_path.map(path_rule).collect();
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
    use gatewright_testkit::certificates::Authority;

    use super::*;
    use crate::documents::Document;

    #[test]
    fn the_demos_gateway_is_one_that_the_service_would_take() {
        let root = Authority::new("Contoso Root CA").cert_pem();
        let text = document(8080, 8443, &root).to_string();
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
