//! Address prefixes: `10.0.0.0/24`, `10.0.0.4`, `fd00::/48`.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// A prefix of IPv4 or IPv6, without host bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Prefix {
    address: IpAddr,
    length: u8,
}

/// Why a text is no prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrefixError {
    /// What stands before the slash, or alone, is no address.
    Address,
    /// What stands after the slash is no number, or more than 32 (IPv4) or 128 (IPv6).
    Length,
    /// Bits are set behind the prefix, as in `10.0.0.1/24`. The service refuses that too.
    HostBits,
}

impl fmt::Display for PrefixError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Address => "it is no IP address",
            Self::Length => "its length is not a number up to 32 (IPv4) or 128 (IPv6)",
            Self::HostBits => "it has bits behind its length",
        })
    }
}

impl std::error::Error for PrefixError {}

impl Prefix {
    /// 0.0.0.0/0.
    pub const ALL_V4: Self = Self::v4(0, 0, 0, 0, 0);
    /// ::/0.
    pub const ALL_V6: Self = Self {
        address: IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        length: 0,
    };

    /// For tables of known prefixes: the caller sees to it that there are no host bits.
    pub(super) const fn v4(a: u8, b: u8, c: u8, d: u8, length: u8) -> Self {
        Self {
            address: IpAddr::V4(Ipv4Addr::new(a, b, c, d)),
            length,
        }
    }

    /// # Errors
    /// [`PrefixError::Length`] or [`PrefixError::HostBits`].
    pub fn new(address: IpAddr, length: u8) -> Result<Self, PrefixError> {
        let (value, width): (u128, u8) = match address {
            IpAddr::V4(address) => (u128::from(address.to_bits()), 32),
            IpAddr::V6(address) => (address.to_bits(), 128),
        };
        let host_bits = u32::from(width.checked_sub(length).ok_or(PrefixError::Length)?);
        let host_mask = 1u128
            .checked_shl(host_bits)
            .map_or(u128::MAX, |bit| bit - 1);
        if value & host_mask != 0 {
            return Err(PrefixError::HostBits);
        }
        Ok(Self { address, length })
    }

    /// A single address.
    pub fn host(address: IpAddr) -> Self {
        let length = if address.is_ipv4() { 32 } else { 128 };
        Self { address, length }
    }

    /// How many leading bits count.
    pub fn length(&self) -> u8 {
        self.length
    }

    /// 0.0.0.0/0 or ::/0.
    pub fn is_default(&self) -> bool {
        self.length == 0
    }

    /// Whether it is of IPv4.
    pub fn is_ipv4(&self) -> bool {
        self.address.is_ipv4()
    }

    /// The first address.
    pub fn first(&self) -> IpAddr {
        self.address
    }

    /// The last address.
    pub fn last(&self) -> IpAddr {
        let free = u32::from(self.length);
        match self.address {
            IpAddr::V4(first) => {
                let host_mask = u32::MAX.checked_shr(free).unwrap_or(0);
                Ipv4Addr::from_bits(first.to_bits() | host_mask).into()
            }
            IpAddr::V6(first) => {
                let host_mask = u128::MAX.checked_shr(free).unwrap_or(0);
                Ipv6Addr::from_bits(first.to_bits() | host_mask).into()
            }
        }
    }

    /// Whether the address lies in it; never across families.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.is_ipv4() == address.is_ipv4() && (self.first()..=self.last()).contains(&address)
    }

    /// Whether all of `other` lies in it.
    pub fn includes(&self, other: &Self) -> bool {
        self.length <= other.length && self.contains(other.address)
    }
}

impl FromStr for Prefix {
    type Err = PrefixError;

    /// `address/length`, or an address alone.
    fn from_str(text: &str) -> Result<Self, PrefixError> {
        let Some((address, length)) = text.split_once('/') else {
            let address = text.parse().map_err(|_| PrefixError::Address)?;
            return Ok(Self::host(address));
        };
        let address = address.parse().map_err(|_| PrefixError::Address)?;
        let digits = length.bytes().all(|byte| byte.is_ascii_digit());
        let length = length.parse().ok().filter(|_| digits);
        Self::new(address, length.ok_or(PrefixError::Length)?)
    }
}

impl fmt::Display for Prefix {
    /// With its length, a single address's too: `10.0.0.4/32`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix(text: &str) -> Prefix {
        text.parse().expect(text)
    }

    #[test]
    fn a_prefix_knows_its_first_and_last_address() {
        let cases = [
            ("10.1.2.0/23", "10.1.2.0", "10.1.3.255"),
            ("0.0.0.0/0", "0.0.0.0", "255.255.255.255"),
            ("10.1.2.3", "10.1.2.3", "10.1.2.3"),
            ("10.1.2.3/32", "10.1.2.3", "10.1.2.3"),
            (
                "fd00::/8",
                "fd00::",
                "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
            ),
            ("::/0", "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("fd00::1", "fd00::1", "fd00::1"),
        ];
        for (text, first, last) in cases {
            assert_eq!(prefix(text).first().to_string(), first, "{text}");
            assert_eq!(prefix(text).last().to_string(), last, "{text}");
        }
        assert_eq!(prefix("10.1.2.3").to_string(), "10.1.2.3/32");
    }

    #[test]
    fn what_is_no_prefix_is_refused_with_its_reason() {
        let cases = [
            ("", PrefixError::Address),
            ("VirtualNetwork", PrefixError::Address),
            ("789", PrefixError::Address),
            ("10.0.0/24", PrefixError::Address),
            ("10.0.0.0/33", PrefixError::Length),
            ("10.0.0.0/", PrefixError::Length),
            ("10.0.0.0/+8", PrefixError::Length),
            ("10.0.0.0/999", PrefixError::Length),
            ("::/129", PrefixError::Length),
            ("10.0.0.1/24", PrefixError::HostBits),
            ("fd00::1/127", PrefixError::HostBits),
        ];
        for (text, error) in cases {
            assert_eq!(text.parse::<Prefix>(), Err(error), "{text}");
        }
    }

    #[test]
    fn families_never_mix() {
        assert!(prefix("10.0.0.0/8").contains("10.255.0.1".parse().unwrap()));
        assert!(!prefix("10.0.0.0/8").contains("11.0.0.1".parse().unwrap()));
        assert!(!Prefix::ALL_V4.contains("::1".parse().unwrap()));
        assert!(!Prefix::ALL_V6.contains("10.0.0.1".parse().unwrap()));
        assert!(prefix("10.0.0.0/8").includes(&prefix("10.1.0.0/16")));
        assert!(!prefix("10.1.0.0/16").includes(&prefix("10.0.0.0/8")));
        assert!(!Prefix::ALL_V4.includes(&prefix("fd00::/8")));
    }
}
