//! The query of a request.

use std::borrow::Cow;

/// Most parameters of one query that are looked at.
const PARAMETERS_MAX: usize = 64;

/// Parameters in their order, decoded. Some clients encode twice (az does so with time spans), so
/// that what is still encoded after the first time is decoded once more.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    pub(crate) fn parse(text: &str) -> Self {
        let pairs = text.split('&').filter(|pair| !pair.is_empty());
        let decode_pair = |pair: &str| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode_twice(name), decode_twice(value))
        };
        Self(pairs.take(PARAMETERS_MAX).map(decode_pair).collect())
    }

    /// The fields of a form, each decoded once.
    pub(crate) fn form(text: &str) -> Self {
        let pairs = text.split('&').filter(|pair| !pair.is_empty());
        let decode_pair = |pair: &str| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (
                decode(name, true).into_owned(),
                decode(value, true).into_owned(),
            )
        };
        Self(pairs.take(PARAMETERS_MAX).map(decode_pair).collect())
    }

    /// The first parameter of this name, in any letter case.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let mut pairs = self.0.iter();
        let found = pairs.find(|(own, _)| own.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

impl Query {
    /// A parameter that comes more than once; names differ in more than their letter case.
    pub(crate) fn repeated(&self) -> Option<&str> {
        let mut names = self.0.iter().map(|(name, _)| name.as_str()).enumerate();
        let before = |at: usize| self.0.iter().take(at).map(|(name, _)| name);
        let found = names.find(|(at, name)| before(*at).any(|one| one.eq_ignore_ascii_case(name)));
        found.map(|(_, name)| name)
    }
}

fn decode_twice(text: &str) -> String {
    let once = decode(text, true);
    // A plus that came encoded is a plus.
    decode(&once, false).into_owned()
}

/// Percent-decoded; what is no valid sequence, or no UTF-8, stays as it is.
pub(crate) fn decode(text: &str, plus_is_space: bool) -> Cow<'_, str> {
    if !text.contains(['%', '+']) {
        return Cow::Borrowed(text);
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        match first {
            b'%' => match after {
                [high, low, tail @ ..] if let (Some(high), Some(low)) = (hex(*high), hex(*low)) => {
                    bytes.push(high * 16 + low);
                    rest = tail;
                }
                _ => bytes.push(first),
            },
            b'+' if plus_is_space => bytes.push(b' '),
            _ => bytes.push(first),
        }
    }
    String::from_utf8(bytes).map_or(Cow::Borrowed(text), Cow::Owned)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_found_in_any_case_and_decoded() {
        let query = Query::parse("$filter=name%20eq%20%27a%27&API-Version=2024-01-01&x");
        assert_eq!(query.get("$filter"), Some("name eq 'a'"));
        assert_eq!(query.get("api-version"), Some("2024-01-01"));
        assert_eq!((query.get("x"), query.get("y")), (Some(""), None));
    }

    #[test]
    fn what_was_encoded_twice_is_decoded_twice() {
        let query = Query::parse("timespan=2026-11-20T14%253A30%252F2026-11-20T15%253A30&p=a%2Bb");
        assert_eq!(
            query.get("timespan"),
            Some("2026-11-20T14:30/2026-11-20T15:30")
        );
        assert_eq!(query.get("p"), Some("a+b"));
    }

    #[test]
    fn what_is_no_encoding_stays() {
        assert_eq!(decode("100%", false), "100%");
        assert_eq!(decode("%zz%f", false), "%zz%f");
        assert_eq!(decode("%ff", false), "%ff");
    }
}
