//! The `$filter` and the `$top` of lists of resources.

use gatewright_arm::ArmError;
use serde_json::Value;

use crate::resources::inventory::Known;

/// How many `$top` asks for at most.
///
/// # Errors
/// When it is no number.
pub(crate) fn most(top: Option<&str>) -> Result<usize, ArmError> {
    let Some(text) = top else {
        return Ok(usize::MAX);
    };
    text.parse().map_err(|_| {
        let message = format!("The $top '{text}' is no number.");
        ArmError::front_door("InvalidTopParameter", message)
    })
}

/// `a eq 'b' and c eq 'd'`, on the members that the service takes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Filter(Vec<(Field, String)>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Group,
    Name,
    Type,
    Location,
    TagName,
    TagValue,
}

impl Filter {
    /// # Errors
    /// When a term is none of those that are understood.
    pub(crate) fn parse(text: &str) -> Result<Self, ArmError> {
        let mut terms = Vec::new();
        for term in split_terms(text) {
            let parsed = parse_term(term).ok_or_else(|| {
                let message = format!(
                    "The $filter '{term}' is not understood. Terms are such as \
                     \"resourceType eq 'Microsoft.Network/applicationGateways'\", with 'and' \
                     between; resourceGroup, name, resourceType, location, tagName and tagValue \
                     can be compared."
                );
                ArmError::front_door("InvalidFilterInQueryString", message)
            })?;
            terms.push(parsed);
        }
        Ok(Self(terms))
    }

    /// Whether a tag of this name is meant: every one is, where none is named.
    fn names_tag(&self, name: &str) -> bool {
        let mut names = self.0.iter().filter(|(field, _)| *field == Field::TagName);
        names.all(|(_, expected)| name.eq_ignore_ascii_case(expected))
    }

    pub(crate) fn lets_through(&self, known: &Known) -> bool {
        let text = |name: &str| {
            let value = known.summary.get(name).and_then(Value::as_str);
            value.unwrap_or_default()
        };
        let tags = known.summary.get("tags").and_then(Value::as_object);
        self.0.iter().all(|(field, expected)| {
            let same = |own: &str| own.eq_ignore_ascii_case(expected);
            match field {
                Field::Group => same(known.id.resource_group().unwrap_or_default()),
                Field::Name => same(text("name")),
                Field::Type => same(text("type")),
                Field::Location => same(text("location")),
                Field::TagName => tags.is_some_and(|tags| tags.keys().any(|name| same(name))),
                Field::TagValue => tags.is_some_and(|tags| {
                    let named = tags.iter().filter(|(name, _)| self.names_tag(name));
                    { named }.any(|(_, value)| value.as_str() == Some(expected))
                }),
            }
        })
    }
}

fn parse_term(term: &str) -> Option<(Field, String)> {
    let (name, rest) = term.trim().split_once(char::is_whitespace)?;
    let (operator, value) = rest.trim().split_once(char::is_whitespace)?;
    if !operator.eq_ignore_ascii_case("eq") {
        return None;
    }
    let value = value.trim().strip_prefix('\'')?.strip_suffix('\'')?;
    let field = match name.to_ascii_lowercase().as_str() {
        "resourcegroup" => Field::Group,
        "name" => Field::Name,
        "resourcetype" => Field::Type,
        "location" => Field::Location,
        "tagname" => Field::TagName,
        "tagvalue" => Field::TagValue,
        _ => return None,
    };
    Some((field, value.replace("''", "'")))
}

/// The terms between the `and`s outside of quotes.
pub(crate) fn split_terms(text: &str) -> Vec<&str> {
    const AND: &str = " and ";
    let mut terms = Vec::new();
    let (mut start, mut quoted) = (0, false);
    for (position, character) in text.char_indices() {
        if character == '\'' {
            quoted = !quoted;
        }
        let word = text.get(position..position + AND.len());
        let is_and = word.is_some_and(|word| word.eq_ignore_ascii_case(AND));
        if is_and && !quoted && position >= start {
            terms.extend(text.get(start..position));
            start = position + AND.len();
        }
    }
    terms.extend(text.get(start..));
    terms.retain(|term| !term.trim().is_empty());
    terms
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_terms_with_and_between() {
        let text = "resourceGroup eq 'rg1' and name eq 'x and y' AND resourceType eq 'a/b'";
        let expected = [
            (Field::Group, "rg1".to_owned()),
            (Field::Name, "x and y".to_owned()),
            (Field::Type, "a/b".to_owned()),
        ];
        assert_eq!(Filter::parse(text).unwrap().0, expected);
        assert_eq!(Filter::parse("").unwrap(), Filter::default());
        assert_eq!(Filter::parse("name eq 'it''s'").unwrap().0[0].1, "it's");
        for text in ["name ne 'x'", "name eq x", "color eq 'red'", "name"] {
            let error = Filter::parse(text).unwrap_err();
            assert_eq!(error.code, "InvalidFilterInQueryString", "{text}");
        }
    }
}
