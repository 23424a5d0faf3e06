//! The addresses that public IP addresses are made of.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use gatewright_snapshot::network::Prefix;

/// Addresses and blocks of addresses, from which each public IP address gets one of its own.
///
/// In blocks, the first address and the last are left out: machines take neither for their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicAddresses(Vec<Prefix>);

/// Longest prefix of IPv4 of which the first and the last address are left out.
const BLOCK_LENGTH_MAX: u8 = 30;

/// Why a text is no list of addresses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{text}' is neither an address nor a block of addresses: {why}; a list such as \
     127.100.0.0/16,192.0.2.10 is expected"
)]
pub struct PublicAddressesError {
    text: String,
    why: String,
}

impl Default for PublicAddresses {
    /// 127.100.0.0/16: loopback addresses, which a machine has without being told.
    fn default() -> Self {
        let address = IpAddr::from(Ipv4Addr::new(127, 100, 0, 0));
        Self(Prefix::new(address, 16).into_iter().collect())
    }
}

impl FromStr for PublicAddresses {
    type Err = PublicAddressesError;

    /// Addresses and blocks with commas between; an empty text is none.
    fn from_str(text: &str) -> Result<Self, PublicAddressesError> {
        let words = text
            .split(',')
            .map(str::trim)
            .filter(|word| !word.is_empty());
        let parse = |word: &str| {
            word.parse()
                .map_err(
                    |error: gatewright_snapshot::network::PrefixError| PublicAddressesError {
                        text: word.to_owned(),
                        why: error.to_string(),
                    },
                )
        };
        words.map(parse).collect::<Result<_, _>>().map(Self)
    }
}

impl PublicAddresses {
    /// The first address of a family that is not held. Looks at no more than are held, and one.
    pub(crate) fn free(&self, is_ipv6: bool, is_held: impl Fn(&IpAddr) -> bool) -> Option<IpAddr> {
        let ranges = self.ranges(is_ipv6);
        let mut all =
            ranges.flat_map(|(first, last)| first..=last).map(|number| {
                match u32::try_from(number) {
                    Ok(number) if !is_ipv6 => IpAddr::from(Ipv4Addr::from_bits(number)),
                    _ => Ipv6Addr::from_bits(number).into(),
                }
            });
        all.find(|address| !is_held(address))
    }

    /// How many addresses of a family there are.
    pub(crate) fn count(&self, is_ipv6: bool) -> u128 {
        let sizes = self
            .ranges(is_ipv6)
            .map(|(first, last)| (last - first).saturating_add(1));
        sizes.fold(0, u128::saturating_add)
    }

    /// The first and the last address of each block that are given away, as numbers.
    fn ranges(&self, is_ipv6: bool) -> impl Iterator<Item = (u128, u128)> {
        let own = self
            .0
            .iter()
            .filter(move |prefix| prefix.is_ipv4() != is_ipv6);
        own.map(|prefix| {
            let (first, last) = (number(prefix.first()), number(prefix.last()));
            match prefix.is_ipv4() && prefix.length() <= BLOCK_LENGTH_MAX {
                true => (first + 1, last - 1),
                false => (first, last),
            }
        })
    }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_bits().into(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str, is_ipv6: bool) -> Vec<String> {
        let addresses: PublicAddresses = text.parse().unwrap();
        let mut given: Vec<IpAddr> = Vec::new();
        while let Some(next) = addresses.free(is_ipv6, |one| given.contains(one)) {
            given.push(next);
        }
        assert_eq!(addresses.count(is_ipv6), given.len() as u128);
        given.iter().map(IpAddr::to_string).collect()
    }

    #[test]
    fn each_address_is_given_once_in_the_order_of_the_list() {
        let text = "192.0.2.10, 127.100.0.0/30,2001:db8::/126,";
        assert_eq!(
            all(text, false),
            ["192.0.2.10", "127.100.0.1", "127.100.0.2"]
        );
        let expected = ["2001:db8::", "2001:db8::1", "2001:db8::2", "2001:db8::3"];
        assert_eq!(all(text, true), expected);
        assert_eq!(
            all("198.51.100.4/31", false),
            ["198.51.100.4", "198.51.100.5"]
        );
        assert!(all("", false).is_empty());
    }

    #[test]
    fn all_of_a_huge_block_is_never_looked_at() {
        let addresses: PublicAddresses = "::/0".parse().unwrap();
        assert_eq!(addresses.count(true), u128::MAX);
        assert_eq!(
            addresses.free(true, |_| false),
            Some(Ipv6Addr::UNSPECIFIED.into())
        );
    }

    #[test]
    fn what_is_no_address_is_refused_by_name() {
        for (text, word) in [
            ("127.0.0.1/8", "127.0.0.1/8"),
            ("a", "a"),
            ("10.0.0.1,10.0.0.0/33", "10.0.0.0/33"),
        ] {
            let error = text.parse::<PublicAddresses>().unwrap_err();
            assert!(
                error
                    .to_string()
                    .starts_with(&format!("'{word}' is neither")),
                "{error}"
            );
        }
    }
}
