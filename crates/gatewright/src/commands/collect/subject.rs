//! What a gateway's own document says of where else to look.

use std::collections::BTreeSet;
use std::net::IpAddr;

use gatewright_arm::model::{BackendAddressPool, ProvisioningState};
use gatewright_arm::{ApplicationGateway, Item, ResourceId, read_gateways};
use serde_json::Value;

/// A gateway, and the ends of what leads away from it.
#[derive(Clone, Debug)]
pub(super) struct Subject {
    pub(super) id: ResourceId,
    pub(super) is_v1: bool,
    /// The last change came to an end, and that was good.
    pub(super) has_succeeded: bool,
    pub(super) subnet: Option<ResourceId>,
    /// Members of pools, by name, in lower case.
    pub(super) names: BTreeSet<String>,
    /// Members of pools, by address.
    pub(super) addresses: BTreeSet<IpAddr>,
    /// Network interfaces that joined pools.
    pub(super) interfaces: Vec<ResourceId>,
    /// Scale sets whose interfaces joined pools.
    pub(super) scale_sets: Vec<ResourceId>,
    /// A pool has no members: something may be meant to join it.
    pub(super) has_empty_pool: bool,
    /// Names of vaults that certificates are fetched from.
    pub(super) vaults: Vec<String>,
}

const SCALE_SET: &str = "Microsoft.Compute/virtualMachineScaleSets";
const INTERFACE: &str = "Microsoft.Network/networkInterfaces";

impl Subject {
    /// Reads what `az network application-gateway show` printed; `None` where that is no gateway.
    pub(super) fn read(document: &Value) -> Option<Self> {
        let report = read_gateways(document).ok()?;
        let gateway = report.gateways.into_iter().next()?;
        let properties = &gateway.properties;
        let mut places = properties.gateway_ip_configurations.iter();
        let subnet = places.find_map(|place| parse(&place.properties.subnet.as_ref()?.id));
        let mut subject = Self {
            id: parse(gateway.id.as_deref()?)?,
            is_v1: gateway.is_v1(),
            has_succeeded: properties.provisioning_state == Some(ProvisioningState::Succeeded),
            subnet,
            names: BTreeSet::new(),
            addresses: BTreeSet::new(),
            interfaces: Vec::new(),
            scale_sets: Vec::new(),
            has_empty_pool: false,
            vaults: vaults(&gateway),
        };
        for pool in &properties.backend_address_pools {
            subject.pool(pool);
        }
        Some(subject)
    }

    fn pool(&mut self, pool: &Item<BackendAddressPool>) {
        let properties = &pool.properties;
        self.has_empty_pool |= properties.backend_addresses.is_empty()
            && properties.backend_ip_configurations.is_empty();
        for member in &pool.properties.backend_addresses {
            // Names of machines stand in either member.
            let texts = [&member.fqdn, &member.ip_address];
            for text in texts.into_iter().flatten().map(|text| text.trim()) {
                match text.parse() {
                    Ok(address) => self.addresses.insert(address),
                    Err(_) if text.is_empty() => false,
                    Err(_) => self.names.insert(text.to_ascii_lowercase()),
                };
            }
        }
        for joined in &pool.properties.backend_ip_configurations {
            let Some(id) = joined.id.as_deref().and_then(parse) else {
                continue;
            };
            if let Some(set) = ancestor(&id, SCALE_SET) {
                add(&mut self.scale_sets, set);
            } else if let Some(interface) = ancestor(&id, INTERFACE) {
                add(&mut self.interfaces, interface);
            }
        }
    }
}

/// An id that can be handed on: az reads files for texts that begin with `@`, and ids stand in
/// queries too.
pub(super) fn parse(text: &str) -> Option<ResourceId> {
    let is_plain = |c: char| c.is_alphanumeric() || "-_.()/".contains(c);
    let id = ResourceId::parse(text).ok()?;
    text.chars().all(is_plain).then_some(id)
}

/// A name that can be handed on, and is taken for no option.
pub(super) fn is_name(text: &str) -> bool {
    let is_plain = |c: char| c.is_alphanumeric() || "-_.()".contains(c);
    !text.starts_with('-') && !text.is_empty() && text.chars().all(is_plain)
}

/// The subscription, the group and the name of a resource, each fit to be handed on.
pub(super) fn parts(id: &ResourceId) -> Option<(&str, &str, &str)> {
    let parts = (id.subscription()?, id.resource_group()?, id.name()?);
    let all = [parts.0, parts.1, parts.2];
    all.iter().all(|part| is_name(part)).then_some(parts)
}

/// Adds an id that is not there yet.
pub(super) fn add(list: &mut Vec<ResourceId>, id: impl Into<Option<ResourceId>>) {
    if let Some(id) = id.into()
        && !list.contains(&id)
    {
        list.push(id);
    }
}

fn ancestor(id: &ResourceId, kind: &str) -> Option<ResourceId> {
    let mut own = Some(id.clone());
    while let Some(id) = own {
        if id.resource_type().eq_ignore_ascii_case(kind) {
            return Some(id);
        }
        own = id.parent();
    }
    None
}

/// The vaults of `https://NAME.vault.azure.net/secrets/…`, in the order of the gateway.
fn vaults(gateway: &ApplicationGateway) -> Vec<String> {
    let properties = &gateway.properties;
    let own = properties.ssl_certificates.iter();
    let own = own.filter_map(|one| one.properties.key_vault_secret_id.as_deref());
    let trusted = properties.trusted_root_certificates.iter();
    let trusted = trusted.filter_map(|one| one.properties.key_vault_secret_id.as_deref());
    let mut vaults: Vec<String> = Vec::new();
    for secret in own.chain(trusted) {
        let name = secret.split_once("://").and_then(|(_, rest)| {
            let host = rest.split(['/', ':']).next()?;
            host.split_once('.').map(|(name, _)| name)
        });
        let known = |name: &&str| vaults.iter().any(|one| one.eq_ignore_ascii_case(name));
        if let Some(name) = name.filter(|name| is_name(name) && !known(name)) {
            vaults.push(name.to_owned());
        }
    }
    vaults
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_gateway_says_where_to_look() {
        let group = "/subscriptions/s/resourceGroups/rg/providers";
        let gateway = json!({
            "name": "gw", "provisioningState": "Succeeded",
            "id": format!("{group}/Microsoft.Network/applicationGateways/gw"),
            "sku": { "name": "Standard_v2", "tier": "Standard_v2" },
            "gatewayIPConfigurations": [{ "name": "c", "subnet": {
                "id": format!("{group}/Microsoft.Network/virtualNetworks/v/subnets/s"),
            }}],
            "sslCertificates": [
                { "name": "a", "keyVaultSecretId": "https://kv1.vault.azure.net/secrets/a" },
                { "name": "b", "keyVaultSecretId": "https://KV1.vault.azure.net/secrets/b/1" },
                { "name": "c", "keyVaultSecretId": "https://-x.vault.azure.net/secrets/c" },
                { "name": "d", "keyVaultSecretId": "https://@x.vault.azure.net/secrets/c" },
                { "name": "e", "keyVaultSecretId": "" },
            ],
            "backendAddressPools": [{
                "name": "p",
                "backendAddresses": [
                    { "fqdn": "App.azurewebsites.net" }, { "ipAddress": "10.0.1.4" },
                    { "ipAddress": "vm1.internal" }, { "fqdn": "" },
                ],
                "backendIPConfigurations": [
                    { "id": format!("{group}/Microsoft.Compute/virtualMachineScaleSets/set/\
                        virtualMachines/0/networkInterfaces/n/ipConfigurations/i") },
                    { "id": format!("{group}/Microsoft.Compute/virtualMachineScaleSets/set/\
                        virtualMachines/1/networkInterfaces/n/ipConfigurations/i") },
                    { "id": format!("{group}/Microsoft.Network/networkInterfaces/n1/\
                        ipConfigurations/i") },
                    { "id": "nonsense" },
                ],
            }],
        });
        let subject = Subject::read(&gateway).unwrap();
        let subnet = subject.subnet.unwrap();
        assert_eq!(subnet.name(), Some("s"));
        assert!(subject.has_succeeded && !subject.is_v1);
        assert_eq!(subject.vaults, ["kv1"]);
        let names: Vec<_> = subject.names.iter().collect();
        assert_eq!(names, ["app.azurewebsites.net", "vm1.internal"]);
        assert_eq!(subject.addresses.len(), 1);
        let ids = |list: &[ResourceId]| -> Vec<String> {
            let names = list.iter().filter_map(ResourceId::name);
            names.map(str::to_owned).collect()
        };
        assert_eq!(ids(&subject.scale_sets), ["set"]);
        assert_eq!(ids(&subject.interfaces), ["n1"]);
    }

    #[test]
    fn what_is_no_gateway_is_none() {
        let odd = "/subscriptions/s/resourceGroups/rg' or '1' =~ '1/providers/Microsoft.Network/\
                   applicationGateways/gw";
        for other in [
            json!(null),
            json!([]),
            json!({}),
            json!({ "name": "gw" }),
            json!({ "name": "gw", "id": odd }),
        ] {
            assert!(Subject::read(&other).is_none(), "{other}");
        }
    }

    #[test]
    fn what_az_would_take_for_something_else_is_not_handed_on() {
        let set = |group: &str, name: &str| {
            let id = format!(
                "/subscriptions/s/resourceGroups/{group}/providers/Microsoft.Compute/\
                 virtualMachineScaleSets/{name}"
            );
            parse(&id).is_some_and(|id| parts(&id).is_some())
        };
        assert!(set("my-rg_(1).x", "set") && set("größe", "set"));
        for bad in [
            "@file", "--debug", "-h", "a b", "a'b", "a\"b", "a;b", "a\nb", "a$b",
        ] {
            assert!(!set(bad, "set") && !set("rg", bad), "{bad}");
        }
        assert!(parse("@/etc/passwd").is_none() && parse("").is_none());
    }
}
