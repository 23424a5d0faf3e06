//! Backend pools.

use std::collections::HashSet;
use std::net::IpAddr;

use gatewright_arm::model::{BackendAddress, BackendAddressPool};
use gatewright_arm::{Item, is_numeric};
use gatewright_snapshot::{HostPattern, Member, Pool};

use crate::codes;
use crate::findings::quote;
use crate::scope::Scope;

/// Most network interfaces that a warning names.
const NAMED_MAX: usize = 5;

/// Adds a row for every pool, used or not, in the document's order.
pub(crate) fn compile(scope: &mut Scope<'_>) {
    let gateway = scope.gateway;
    for pool in &gateway.properties.backend_address_pools {
        let members = members(scope, pool);
        warn_of_interfaces(scope, pool);
        scope.snapshot.pools.push(Pool {
            name: pool.name.clone(),
            gateway: scope.index,
            members,
        });
    }
}

/// The servers in listed order. One that is listed twice is one server: it is probed once, and gets
/// no double share of the requests.
fn members(scope: &mut Scope<'_>, pool: &Item<BackendAddressPool>) -> Vec<Member> {
    let addresses = &pool.properties.backend_addresses;
    let mut seen = HashSet::with_capacity(addresses.len());
    let mut members = Vec::with_capacity(addresses.len());
    for (position, address) in addresses.iter().enumerate() {
        match member(address) {
            Ok(Some(member)) if seen.insert(member.clone()) => members.push(member),
            Ok(_) => {}
            Err(text) => scope.findings.error(
                codes::E_BACKEND_ADDRESS,
                pool.pointer_to(&format!("backendAddresses/{position}")),
                format!(
                    "{} in the backend pool {} is neither an IP address nor a host name.",
                    quote(text),
                    quote(&pool.name)
                ),
                "Give one address or one name, without a port or a scheme; the port comes from \
                 the backend setting.",
            ),
        }
    }
    members
}

/// The server; `None` for an entry that names none, as portals leave behind. What is an address is
/// one, and what is a name a name, whichever member it stands in, as in the service.
fn member(address: &BackendAddress) -> Result<Option<Member>, &str> {
    let texts = [&address.ip_address, &address.fqdn];
    let mut texts = texts.into_iter().flatten().map(|text| text.trim());
    let Some(text) = texts.find(|text| !text.is_empty()) else {
        return Ok(None);
    };
    if let Ok(ip) = text.parse::<IpAddr>() {
        return Ok(Some(Member::Ip(ip)));
    }
    match HostPattern::parse(text) {
        Ok(host) if host.is_exact() && !is_numeric(text) => {
            Ok(Some(Member::Fqdn(host.as_str().to_owned())))
        }
        _ => Err(text),
    }
}

/// The addresses of network interfaces that joined the pool from their side are not in a gateway's
/// document; only their ids are.
fn warn_of_interfaces(scope: &mut Scope<'_>, pool: &Item<BackendAddressPool>) {
    let interfaces = &pool.properties.backend_ip_configurations;
    if interfaces.is_empty() {
        return;
    }
    let named: Vec<String> = interfaces
        .iter()
        .take(NAMED_MAX)
        .map(|one| interface_name(one.id.as_deref().unwrap_or_default()))
        .collect();
    let more = interfaces.len().saturating_sub(NAMED_MAX);
    let more = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    scope.findings.warning(
        codes::W_BACKEND_INTERFACES,
        pool.pointer_to("backendIPConfigurations"),
        format!(
            "The backend pool {} has members that are network interfaces ({}{more}); their \
             addresses are not in this document, so that they get no requests here.",
            quote(&pool.name),
            named.join(", ")
        ),
        "Add their addresses to backendAddresses.",
    );
}

/// `vm1-nic/ipconfig1` of a network interface's IP configuration; the instance of a scale set in
/// full.
fn interface_name(id: &str) -> String {
    let kept: Vec<&str> = id.rsplit('/').take(3).collect();
    match kept.as_slice() {
        [configuration, kind, interface] if kind.eq_ignore_ascii_case("ipConfigurations") => {
            format!("{}/{}", quote(interface).trim_matches('\''), configuration)
        }
        _ => quote(id),
    }
}
