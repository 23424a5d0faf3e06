//! Name constraints: for which names an authority may issue certificates (RFC 5280, section
//! 4.2.1.10), as webpki reads them: DNS names and addresses are compared, constraints on names of
//! other forms are broken by every name of that form.

use crate::der::{Tlv, tag};
use crate::names::{GeneralName, Names, Role, is_dns_name};

/// How a name breaks a constraint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Breach {
    /// There are permitted names of this form, and this is none of them.
    NotPermitted(String),
    Excluded(String),
    /// The constraint or the name cannot be read.
    Malformed,
    /// There are more comparisons to make than are allowed.
    TooMany,
}

/// The first breach of `constraints` (the contents of the extension's sequence) by `names`.
/// `comparisons` is what may still be compared.
pub(crate) fn breach(constraints: &[u8], names: &Names, comparisons: &mut usize) -> Option<Breach> {
    let Some(subtrees) = Subtrees::read(constraints) else {
        return Some(Breach::Malformed);
    };
    // Every certificate has a directory name: its subject.
    let subject = std::iter::once(Ok(GeneralName::Directory));
    names.alternative().chain(subject).find_map(|name| {
        let Ok(name) = name else {
            return Some(Breach::Malformed);
        };
        subtrees.breach(name, comparisons)
    })
}

struct Subtrees<'a> {
    permitted: &'a [u8],
    excluded: &'a [u8],
}

/// On which side a subtree stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Permitted,
    Excluded,
}

impl<'a> Subtrees<'a> {
    fn read(contents: &'a [u8]) -> Option<Self> {
        let mut rest = contents;
        let mut take = |wanted| {
            let found = Tlv::read(rest).filter(|(value, _)| value.tag == wanted);
            let (value, after) = found?;
            rest = after;
            Some(value.contents)
        };
        let permitted = take(tag::CONTEXT_0).unwrap_or_default();
        let excluded = take(tag::CONTEXT_1).unwrap_or_default();
        rest.is_empty().then_some(Self {
            permitted,
            excluded,
        })
    }

    fn breach(&self, name: GeneralName<'_>, comparisons: &mut usize) -> Option<Breach> {
        let permitted = match meets(name, self.permitted, Side::Permitted, comparisons) {
            Ok(met) => met,
            Err(breach) => return Some(breach),
        };
        if permitted == Some(false) {
            return Some(Breach::NotPermitted(name.to_string()));
        }
        match meets(name, self.excluded, Side::Excluded, comparisons) {
            Ok(Some(true)) => Some(Breach::Excluded(name.to_string())),
            Ok(_) => None,
            Err(breach) => Some(breach),
        }
    }
}

/// Whether `name` lies in one of `subtrees`; `None` where none of them is of its form.
fn meets(
    name: GeneralName<'_>,
    mut subtrees: &[u8],
    side: Side,
    comparisons: &mut usize,
) -> Result<Option<bool>, Breach> {
    let mut met = None;
    while !subtrees.is_empty() {
        *comparisons = comparisons.checked_sub(1).ok_or(Breach::TooMany)?;
        let (subtree, after) = Tlv::read(subtrees).ok_or(Breach::Malformed)?;
        subtrees = after;
        let base = base(subtree).ok_or(Breach::Malformed)?;
        if let Some(lies_in) = lies_in(name, base, side).ok_or(Breach::Malformed)? {
            met = Some(met == Some(true) || lies_in);
        }
    }
    Ok(met)
}

/// The one name of a subtree: minimum and maximum are not used (RFC 5280).
fn base(subtree: Tlv<'_>) -> Option<GeneralName<'_>> {
    if subtree.tag != tag::SEQUENCE {
        return None;
    }
    let (base, rest) = Tlv::read(subtree.contents)?;
    rest.is_empty().then(|| GeneralName::of(base).ok())?
}

/// The inner `None` for names of different forms, the outer for what cannot be read.
fn lies_in(name: GeneralName<'_>, base: GeneralName<'_>, side: Side) -> Option<Option<bool>> {
    match (name, base) {
        (GeneralName::Dns(name), GeneralName::Dns(base)) => {
            let (name, base) = (std::str::from_utf8(name), std::str::from_utf8(base));
            dns_lies_in(name.ok()?, base.ok()?, side).map(Some)
        }
        (GeneralName::Address(name), GeneralName::Address(base)) => {
            address_lies_in(name, base).map(Some)
        }
        // Not compared: refused on either side.
        (GeneralName::Directory, GeneralName::Directory) | (GeneralName::Uri, GeneralName::Uri) => {
            Some(Some(side == Side::Excluded))
        }
        (GeneralName::Other(name), GeneralName::Other(base)) if name == base => None,
        _ => Some(None),
    }
}

fn dns_lies_in(name: &str, base: &str, side: Side) -> Option<bool> {
    if !is_dns_name(name, Role::Presented) || !is_dns_name(base, Role::Constraint) {
        return None;
    }
    let (name, base) = (name.to_ascii_lowercase(), base.to_ascii_lowercase());
    if base.is_empty() || name == base {
        return Some(true);
    }
    // A wildcard can become a name under an excluded base that is longer than itself.
    if side == Side::Excluded
        && let Some(parent) = name.strip_prefix('*')
        && name.len() <= base.len()
    {
        let label = base.find('.').filter(|at| *at > 0);
        return Some(label.and_then(|at| base.get(at..)) == Some(parent));
    }
    let Some(prefix) = name.strip_suffix(&base) else {
        return Some(false);
    };
    Some(base.starts_with('.') || prefix.ends_with('.'))
}

/// `base` is an address and a mask of the same length.
fn address_lies_in(name: &[u8], base: &[u8]) -> Option<bool> {
    match (name.len(), base.len()) {
        (4, 8) | (16, 32) => {}
        (4, 32) | (16, 8) => return Some(false),
        _ => return None,
    }
    let (network, mask) = base.split_at_checked(name.len())?;
    let ones = mask.iter().take_while(|byte| **byte == 0xff).count();
    let mut tail = mask.iter().skip(ones);
    let is_mask = tail
        .next()
        .is_none_or(|byte| byte.leading_ones() + byte.trailing_zeros() == 8)
        && tail.all(|byte| *byte == 0);
    let inside = || {
        let mut bytes = name.iter().zip(network).zip(mask);
        bytes.all(|((name, network), mask)| (name ^ network) & mask == 0)
    };
    is_mask.then(inside)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::der::encode;

    const DNS: u8 = 0x82;
    const ADDRESS: u8 = 0x87;

    fn subtree(form: u8, base: &[u8]) -> Vec<u8> {
        encode(tag::SEQUENCE, &[&encode(form, &[base])])
    }

    fn check(permitted: &[Vec<u8>], excluded: &[Vec<u8>], name: (u8, &[u8])) -> Option<Breach> {
        let mut constraints = Vec::new();
        for (side, subtrees) in [(tag::CONTEXT_0, permitted), (tag::CONTEXT_1, excluded)] {
            if !subtrees.is_empty() {
                constraints.extend(encode(side, &[&subtrees.concat()]));
            }
        }
        let names = Names::new(Some(&encode(name.0, &[name.1])), Vec::new());
        breach(&constraints, &names, &mut 1_000)
    }

    #[test]
    fn dns_names_lie_under_their_base() {
        let permitted = |base: &str, name: &str| {
            check(
                &[subtree(DNS, base.as_bytes())],
                &[],
                (DNS, name.as_bytes()),
            )
            .is_none()
        };
        assert!(permitted("contoso.com", "Shop.Contoso.com"));
        assert!(permitted("contoso.com", "contoso.com"));
        assert!(permitted(".contoso.com", "a.contoso.com"));
        assert!(permitted("", "a.contoso.com"));
        assert!(permitted("contoso.com", "*.contoso.com"));
        assert!(!permitted("contoso.com", "badcontoso.com"));
        assert!(!permitted(".contoso.com", "contoso.com"));
        assert!(!permitted("a.contoso.com", "*.contoso.com"));
        let excluded = |base: &str, name: &str| {
            check(
                &[],
                &[subtree(DNS, base.as_bytes())],
                (DNS, name.as_bytes()),
            )
            .is_some()
        };
        assert!(excluded("contoso.com", "a.contoso.com"));
        assert!(excluded("a.contoso.com", "*.contoso.com"));
        assert!(!excluded("a.contoso.com", "b.contoso.com"));
        assert!(!excluded("a.fabrikam.com", "*.contoso.com"));
    }

    #[test]
    fn addresses_lie_in_their_network() {
        let network = [10, 0, 0, 0, 255, 0, 0, 0];
        let permitted = |name: &[u8]| check(&[subtree(ADDRESS, &network)], &[], (ADDRESS, name));
        assert_eq!(permitted(&[10, 9, 9, 9]), None);
        let breach = Breach::NotPermitted("11.0.0.1".to_owned());
        assert_eq!(permitted(&[11, 0, 0, 1]), Some(breach));
        let holes = [10, 0, 0, 0, 255, 0, 255, 0];
        let holed = check(&[subtree(ADDRESS, &holes)], &[], (ADDRESS, &[10, 0, 0, 1]));
        assert_eq!(holed, Some(Breach::Malformed));
    }

    #[test]
    fn names_of_another_form_are_free_and_forms_that_are_not_compared_are_refused() {
        let dns_only = [subtree(DNS, b"contoso.com")];
        assert_eq!(check(&dns_only, &[], (ADDRESS, &[10, 0, 0, 1])), None);
        let directory = [subtree(0xa4, b"")];
        assert!(check(&directory, &[], (DNS, b"a.contoso.com")).is_some());
        assert!(check(&[], &directory, (DNS, b"a.contoso.com")).is_some());
    }

    #[test]
    fn comparisons_are_bounded() {
        let names = Names::new(Some(&encode(DNS, &[b"a.contoso.com"])), Vec::new());
        let constraints = encode(tag::CONTEXT_0, &[&subtree(DNS, b"contoso.com").repeat(9)]);
        assert_eq!(breach(&constraints, &names, &mut 8), Some(Breach::TooMany));
        assert_eq!(breach(&constraints, &names, &mut 18), None);
    }
}
