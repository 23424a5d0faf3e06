//! Private addresses, which a subnet gives away.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use gatewright_arm::{ArmError, ResourceId};
use gatewright_snapshot::network::Prefix;
use serde_json::Value;

use super::own_codes;
use super::subnets::{Subnet, ranges};
use super::virtual_networks::name_of;
use crate::resources::inventory::Inventory;

/// Addresses at the beginning of a range that the service keeps: the network's, the gateway's and
/// two for name servers. It keeps the last one too. Documentation of the service.
const RESERVED_FIRST: u128 = 4;

/// Whether the service keeps an address of this range for itself.
pub(super) fn is_reserved(range: &Prefix, address: IpAddr) -> bool {
    let offset = number(address).saturating_sub(number(range.first()));
    offset < RESERVED_FIRST || address == range.last()
}

/// How many addresses of a range the service gives away.
pub(super) fn capacity(range: &Prefix) -> f64 {
    let all = number(range.last()).saturating_sub(number(range.first()));
    // The last one counts in `all`, and is kept.
    all.saturating_sub(RESERVED_FIRST) as f64
}

/// The free addresses of a range, the lowest first.
pub(super) fn free(
    range: &Prefix,
    is_held: impl Fn(&IpAddr) -> bool,
) -> impl Iterator<Item = IpAddr> {
    let is_ipv4 = range.is_ipv4();
    let first = number(range.first()).saturating_add(RESERVED_FIRST);
    let all = (first..number(range.last())).map(move |number| address(number, is_ipv4));
    all.filter(move |one| !is_held(one))
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_bits().into(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

fn address(number: u128, is_ipv4: bool) -> IpAddr {
    match u32::try_from(number) {
        Ok(number) if is_ipv4 => Ipv4Addr::from_bits(number).into(),
        _ => Ipv6Addr::from_bits(number).into(),
    }
}

/// What an IP configuration asks for.
pub(super) struct Wish<'a> {
    /// Its id.
    pub(super) user: &'a str,
    /// The address that it must have; `None` for any.
    pub(super) fixed: Option<&'a str>,
    /// The one that it had, which it keeps where it can.
    pub(super) before: Option<&'a str>,
    pub(super) is_ipv6: bool,
    /// How many free addresses before it are left to what has none of its own here.
    pub(super) left: usize,
}

/// Gives addresses to one resource. What it gives is taken once the resource is stored; nothing
/// else is stored between the two, see [`Core::write`](crate::core::Core::write).
pub(super) struct Allocation<'a> {
    inventory: &'a Inventory,
    /// The resource: what it has is free for it.
    own: &'a ResourceId,
    given: HashSet<(String, IpAddr)>,
}

impl<'a> Allocation<'a> {
    pub(super) fn new(inventory: &'a Inventory, own: &'a ResourceId) -> Self {
        Self {
            inventory,
            own,
            given: HashSet::new(),
        }
    }

    /// An address of the subnet.
    ///
    /// # Errors
    /// When the one that is asked for cannot be had, or there is none left.
    pub(super) fn give(&mut self, subnet: &Subnet, wish: &Wish<'_>) -> Result<IpAddr, ArmError> {
        let place = subnet.id.to_string().to_ascii_lowercase();
        let held = self.inventory.held(&place, Some(self.own));
        let is_taken =
            |one: &IpAddr| held.contains_key(one) || self.given.contains(&(place.clone(), *one));
        let ranges: Vec<Prefix> = ranges(&subnet.body)
            .into_iter()
            .filter(|range| range.is_ipv4() != wish.is_ipv6)
            .collect();
        let found = match wish.fixed {
            Some(text) => {
                let address = fixed(text, &ranges, wish.user)?;
                if is_taken(&address) {
                    let user = held.get(&address).map_or(wish.user, String::as_str);
                    return Err(allocated(address, wish.user, user));
                }
                address
            }
            None => {
                let before = wish.before.and_then(|text| text.parse().ok());
                let before = before.filter(|one| {
                    ranges.iter().any(|range| range.contains(*one)) && !is_taken(one)
                });
                let free = || ranges.iter().flat_map(|range| free(range, is_taken));
                before
                    .or_else(|| free().nth(wish.left))
                    .or_else(|| free().next())
                    .ok_or_else(|| full(&subnet.body, &ranges))?
            }
        };
        self.given.insert((place, found));
        Ok(found)
    }
}

fn fixed(text: &str, ranges: &[Prefix], user: &str) -> Result<IpAddr, ArmError> {
    let shown: Vec<String> = ranges.iter().map(Prefix::to_string).collect();
    let shown = shown.join(", ");
    let address: IpAddr = text.parse().map_err(|_| {
        let message = format!("Private static IP address {text} of {user} is not valid.");
        ArmError::new(own_codes::ADDRESS, message)
    })?;
    let Some(range) = ranges.iter().find(|range| range.contains(address)) else {
        return Err(ArmError::new(
            "PrivateIPAddressNotInSubnet",
            format!(
                "Private static IP address {address} does not belong to the range of subnet \
                 prefix {shown}."
            ),
        ));
    };
    if is_reserved(range, address) {
        return Err(ArmError::new(
            "PrivateIPAddressInReservedRange",
            format!(
                "Private static IP address {address} falls within reserved IP range of subnet \
                 prefix {range}."
            ),
        ));
    }
    Ok(address)
}

fn allocated(address: IpAddr, user: &str, by: &str) -> ArmError {
    ArmError::new(
        "PrivateIPAddressIsAllocated",
        format!(
            "IP configuration {user} is using the private IP address {address} which is already \
             allocated to resource {by}."
        ),
    )
}

fn full(subnet: &Value, ranges: &[Prefix]) -> ArmError {
    let shown: Vec<String> = ranges.iter().map(Prefix::to_string).collect();
    ArmError::new(
        "SubnetIsFull",
        format!(
            "Subnet {} with address prefix {} does not have enough capacity for 1 IP addresses.",
            name_of(subnet),
            shown.join(", ")
        ),
    )
}
