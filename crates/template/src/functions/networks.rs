//! Address ranges in the notation of CIDR, of both versions.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde_json::{Map, Value};

use super::{Answer, Arguments};

/// A range: its first address as a number, and how long its prefix is.
#[derive(Clone, Copy)]
struct Range {
    first: u128,
    prefix: u32,
    /// Bits of an address.
    width: u32,
}

impl Range {
    fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = text.trim().split_once('/')?;
        let (bits, width) = match address.parse().ok()? {
            IpAddr::V4(address) => (u128::from(u32::from(address)), 32),
            IpAddr::V6(address) => (u128::from(address), 128),
        };
        if prefix.is_empty() || !prefix.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let prefix = prefix.parse().ok().filter(|prefix| *prefix <= width)?;
        let range = Self {
            first: bits,
            prefix,
            width,
        };
        Some(Self {
            first: bits & !range.hosts(),
            ..range
        })
    }

    /// The bits that differ inside of the range.
    fn hosts(self) -> u128 {
        let free = self.width - self.prefix;
        u128::MAX.checked_shr(128 - free).unwrap_or_default()
    }

    fn last(self) -> u128 {
        self.first | self.hosts()
    }

    fn address(self, bits: u128) -> String {
        match u32::try_from(bits) {
            Ok(bits) if self.width == 32 => Ipv4Addr::from(bits).to_string(),
            _ => Ipv6Addr::from(bits).to_string(),
        }
    }
}

fn range(arguments: &Arguments<'_>) -> Result<Range, String> {
    let text = arguments.text(0)?;
    let refused = || {
        let what = "the value is no address range in CIDR notation, such as '10.0.0.0/16'.";
        arguments.fails(what)
    };
    Range::parse(text).ok_or_else(refused)
}

pub(super) fn parse_cidr(arguments: &Arguments<'_>) -> Answer {
    let range = range(arguments)?;
    let mask = Range { first: 0, ..range }.hosts() ^ Range { prefix: 0, ..range }.hosts();
    // The usable ones: of a short prefix of version 4, neither the network nor the broadcast.
    let (first, last) = match range.width - range.prefix {
        0 | 1 => (range.first, range.last()),
        _ if range.width == 32 => (range.first + 1, range.last() - 1),
        _ => (range.first, range.last()),
    };
    let mut members = Map::new();
    let mut put = |name: &str, value: Value| members.insert(name.to_owned(), value);
    put("network", range.address(range.first).into());
    put("netmask", range.address(mask).into());
    if range.width == 32 {
        put("broadcast", range.address(range.last()).into());
    }
    put("firstUsable", range.address(first).into());
    put("lastUsable", range.address(last).into());
    put("cidr", range.prefix.into());
    Ok(Value::Object(members))
}

/// The subnet with this number (from 0) of those with the new prefix.
pub(super) fn cidr_subnet(arguments: &Arguments<'_>) -> Answer {
    let (range, prefix, number) = (range(arguments)?, arguments.count(1)?, arguments.count(2)?);
    let prefix = u32::try_from(prefix).unwrap_or(u32::MAX);
    if !(range.prefix..=range.width).contains(&prefix) {
        let (least, most) = (range.prefix, range.width);
        let what = format!("the new prefix must be '{least}' to '{most}'; it is '{prefix}'.");
        return Err(arguments.fails(&what));
    }
    let subnet = Range { prefix, ..range };
    let beyond = || arguments.fails(&format!("the range has no subnet '{number}'."));
    let step = subnet.hosts().checked_add(1);
    let first = step
        .and_then(|step| step.checked_mul(number as u128))
        .or((number == 0).then_some(0))
        .and_then(|offset| range.first.checked_add(offset))
        .filter(|first| *first <= range.last())
        .ok_or_else(beyond)?;
    Ok(format!("{}/{prefix}", subnet.address(first)).into())
}

/// The host with this number (from 0): in version 4 the first is the one after the network.
pub(super) fn cidr_host(arguments: &Arguments<'_>) -> Answer {
    let (range, number) = (range(arguments)?, arguments.count(1)?);
    let reserved = u128::from(range.width == 32 && range.width - range.prefix > 1);
    let first = range.first.checked_add(reserved);
    let address = first.and_then(|first| first.checked_add(number as u128));
    let last = range.last() - reserved;
    let beyond = || arguments.fails(&format!("the range has no host '{number}'."));
    let address = address
        .filter(|address| *address <= last)
        .ok_or_else(beyond)?;
    Ok(range.address(address).into())
}
