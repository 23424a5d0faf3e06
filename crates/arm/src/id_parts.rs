//! The parts of a resource id, without a copy of its text: what a look-up needs. A gateway may hold
//! tens of thousands of references.

use crate::ids::{MAX_ID_BYTES, ResourceId, ResourceIdError};
use crate::model::GATEWAY_TYPE;

/// An id taken apart; its words are texts of their own or parts of one.
#[derive(Clone, Debug)]
pub(crate) struct IdParts<S> {
    pub(crate) subscription: Option<S>,
    pub(crate) resource_group: Option<S>,
    pub(crate) namespace: Option<S>,
    /// Pairs of type and name, outermost first.
    pub(crate) path: Vec<(S, S)>,
}

impl<'a> IdParts<&'a str> {
    /// See [`ResourceId::parse`](crate::ResourceId::parse).
    pub(crate) fn parse(text: &'a str) -> Result<Self, ResourceIdError> {
        if text.len() > MAX_ID_BYTES {
            return Err(ResourceIdError::TooLong);
        }
        if !text.starts_with('/') {
            return Err(ResourceIdError::NoLeadingSlash);
        }
        let has_bad = match text.is_ascii() {
            true => text.bytes().any(|byte| is_bad(char::from(byte))),
            false => text.contains(is_bad),
        };
        if has_bad {
            return Err(ResourceIdError::BadCharacter);
        }
        let mut segments = text
            .split('/')
            .filter(|segment| !segment.is_empty())
            .peekable();
        let mut id = Self {
            subscription: None,
            resource_group: None,
            namespace: None,
            path: Vec::new(),
        };
        if take(&mut segments, "subscriptions") {
            id.subscription = Some(next(&mut segments)?);
            if take(&mut segments, "resourceGroups") {
                id.resource_group = Some(next(&mut segments)?);
            }
        } else if segments
            .peek()
            .is_none_or(|s| !s.eq_ignore_ascii_case("providers"))
        {
            return Err(ResourceIdError::NoScope);
        }
        if segments.peek().is_none() {
            return Ok(id);
        }
        if !take(&mut segments, "providers") {
            return Err(ResourceIdError::UnexpectedSegment);
        }
        id.namespace = Some(next(&mut segments)?);
        while let Some(kind) = segments.next() {
            id.path.push((kind, next(&mut segments)?));
        }
        Ok(id)
    }

    /// The name, if this is the id of an item of `collection` of the gateway whose id is `gateway`;
    /// of any gateway, if that has none.
    pub(crate) fn child_of(
        self,
        gateway: Option<&ResourceId>,
        collection: &str,
    ) -> Option<&'a str> {
        let (parent, (kind, name)) = self.split_child()?;
        let own = match gateway {
            Some(gateway) => same_words(gateway.parts().segments(), parent.segments()),
            None => same_words(GATEWAY_TYPE.split('/'), parent.type_words()),
        };
        (own && kind.eq_ignore_ascii_case(collection)).then_some(name)
    }
}

impl<S: AsRef<str>> IdParts<S> {
    /// Every word of the id, in order.
    pub(crate) fn segments(&self) -> impl Iterator<Item = &str> {
        let scope = [
            ("subscriptions", &self.subscription),
            ("resourceGroups", &self.resource_group),
            ("providers", &self.namespace),
        ];
        let scope = scope
            .into_iter()
            .filter_map(|(key, value)| value.as_ref().map(|value| [key, value.as_ref()]));
        let path = self.path.iter();
        scope
            .chain(path.map(|(kind, name)| [kind.as_ref(), name.as_ref()]))
            .flatten()
    }

    /// The words of the full type: the namespace and each type. Empty where the id names no
    /// resource.
    pub(crate) fn type_words(&self) -> impl Iterator<Item = &str> {
        let kinds = self.path.iter().map(|(kind, _)| kind.as_ref());
        self.namespace.iter().map(AsRef::as_ref).chain(kinds)
    }

    /// The parent of a child resource, and the child's type and name; `None` for a resource of its
    /// own.
    pub(crate) fn split_child(mut self) -> Option<(Self, (S, S))> {
        let child = self.path.pop()?;
        (!self.path.is_empty()).then_some((self, child))
    }
}

/// The collection and the name of an item of the gateway whose id is `gateway`, in canonical form,
/// where the item's id is written in the same way, letter case aside. `None` says nothing: the id
/// may be written in another way. Nearly every reference of a large gateway is answered here.
pub(crate) fn plain_child<'a>(text: &'a str, gateway: &str) -> Option<(&'a str, &'a str)> {
    let (beginning, rest) = text.split_at_checked(gateway.len())?;
    let (kind, name) = rest.strip_prefix('/')?.split_once('/')?;
    let is_plain = text.len() <= MAX_ID_BYTES
        && beginning.eq_ignore_ascii_case(gateway)
        && !kind.is_empty()
        && !name.is_empty()
        && !name.contains('/')
        && !rest.contains(is_bad);
    is_plain.then_some((kind, name))
}

/// Whether no id has this character.
fn is_bad(c: char) -> bool {
    c.is_control() || matches!(c, '?' | '#' | '<' | '>' | '%' | '\\' | '"')
}

/// Whether two lists of words are the same in any letter case.
pub(crate) fn same_words<'a, 'b>(
    mut a: impl Iterator<Item = &'a str>,
    mut b: impl Iterator<Item = &'b str>,
) -> bool {
    loop {
        match (a.next(), b.next()) {
            (None, None) => return true,
            (Some(a), Some(b)) if a.eq_ignore_ascii_case(b) => {}
            _ => return false,
        }
    }
}

fn take<'a>(segments: &mut std::iter::Peekable<impl Iterator<Item = &'a str>>, word: &str) -> bool {
    segments
        .next_if(|segment| segment.eq_ignore_ascii_case(word))
        .is_some()
}

fn next<'a>(segments: &mut impl Iterator<Item = &'a str>) -> Result<&'a str, ResourceIdError> {
    segments.next().ok_or(ResourceIdError::Incomplete)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GATEWAY: &str = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/\
                           applicationGateways/gw";

    #[test]
    fn plain_ids_of_items_are_told_at_sight() {
        for text in [
            format!("{GATEWAY}/probes/p"),
            format!("{}/probes/p", GATEWAY.to_ascii_uppercase()),
        ] {
            assert_eq!(plain_child(&text, GATEWAY), Some(("probes", "p")), "{text}");
        }
        for rest in [
            "",
            "/",
            "/probes",
            "/probes/",
            "2/probes/p",
            "/probes/p/",
            "/a/b/c/d",
        ] {
            assert_eq!(
                plain_child(&format!("{GATEWAY}{rest}"), GATEWAY),
                None,
                "{rest}"
            );
        }
    }

    proptest! {
        /// What is told at sight is what reading the id says.
        #[test]
        fn at_sight_says_what_reading_says(rest in "(/?[a-z?#é<]{0,3}){0,5}") {
            let gateway = ResourceId::parse(GATEWAY).unwrap();
            let text = format!("{GATEWAY}{rest}");
            if let Some((kind, name)) = plain_child(&text, GATEWAY) {
                let read = IdParts::parse(&text).unwrap();
                prop_assert_eq!(read.child_of(Some(&gateway), kind), Some(name));
            }
        }
    }
}
