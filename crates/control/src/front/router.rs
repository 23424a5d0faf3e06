//! The table of routes: a method and a pattern, what the caller must be allowed to do, and who
//! answers.

use hyper::Method;

use crate::context::Handler;

/// Who may call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Everyone: what a client needs before it has a token.
    Public,
    /// Everyone with a token; what they see depends on what they may read.
    Authenticated,
    /// Those who may do this, such as `Microsoft.Network/applicationGateways/write`, to the
    /// resource, group or subscription of the path.
    Action(String),
}

/// One row of the table.
pub(crate) struct Route {
    pub(crate) method: Method,
    /// Segments; those in braces match any one segment and are captured under that name. Compared
    /// in any letter case.
    pub(crate) pattern: String,
    pub(crate) access: Access,
    pub(crate) handler: Handler,
}

/// What the braces of a pattern matched.
#[derive(Clone, Debug, Default)]
pub(crate) struct Captures(Vec<(String, String)>);

impl Captures {
    /// What `{name}` matched; empty when the pattern has no such name.
    pub(crate) fn get(&self, name: &str) -> &str {
        let mut pairs = self.0.iter();
        let found = pairs.find(|(own, _)| own == name);
        found.map_or("", |(_, value)| value.as_str())
    }
}

pub(crate) struct Router {
    routes: Vec<Route>,
}

/// What the table says about a request.
pub(crate) enum Found<'a> {
    Route(&'a Route, Captures),
    /// The path is known, for these methods.
    OtherMethods(Vec<Method>),
    Nothing,
}

impl Router {
    pub(crate) fn new(routes: Vec<Route>) -> Self {
        Self { routes }
    }

    pub(crate) fn find(&self, method: &Method, segments: &[String]) -> Found<'_> {
        let mut others = Vec::new();
        for route in &self.routes {
            let Some(captures) = matches(&route.pattern, segments) else {
                continue;
            };
            if route.method == *method {
                return Found::Route(route, captures);
            }
            others.push(route.method.clone());
        }
        match others.is_empty() {
            true => Found::Nothing,
            false => Found::OtherMethods(others),
        }
    }
}

fn matches(pattern: &str, segments: &[String]) -> Option<Captures> {
    let mut captures = Captures::default();
    let mut segments = segments.iter();
    for expected in pattern.split('/').filter(|part| !part.is_empty()) {
        let segment = segments.next()?;
        match expected
            .strip_prefix('{')
            .and_then(|part| part.strip_suffix('}'))
        {
            Some(name) => captures.0.push((name.to_owned(), segment.clone())),
            None if expected.eq_ignore_ascii_case(segment) => {}
            None => return None,
        }
    }
    segments.next().is_none().then_some(captures)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn captured(pattern: &str, path: &str) -> Option<Vec<(String, String)>> {
        let segments: Vec<String> = path.split('/').map(str::to_owned).collect();
        matches(pattern, &segments).map(|captures| captures.0)
    }

    #[test]
    fn words_match_in_any_case_and_braces_match_one_segment() {
        let pattern = "/subscriptions/{subscription}/resourceGroups/{group}";
        let pairs = captured(pattern, "SUBSCRIPTIONS/s1/resourcegroups/Rg").unwrap();
        let names: Vec<_> = pairs
            .iter()
            .map(|(name, value)| (&**name, &**value))
            .collect();
        assert_eq!(names, [("subscription", "s1"), ("group", "Rg")]);
        assert_eq!(captured(pattern, "subscriptions/s1/resourcegroups"), None);
        assert_eq!(
            captured(pattern, "subscriptions/s1/resourcegroups/a/b"),
            None
        );
        assert_eq!(captured("/", "a"), None);
    }
}
