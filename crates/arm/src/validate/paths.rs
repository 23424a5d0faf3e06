//! Path maps and their patterns.
//!
//! Sources: recorded from the service (the pattern `/`, repeated patterns), Azure documentation
//! (syntax, order of evaluation, letter case).

use std::collections::HashSet;

use super::checker::{Checker, MAX_COMPARED};
use crate::codes;
use crate::diagnostic::Severity;
use crate::model::{Item, PathRule, UrlPathMap};
use crate::wire::reader::shorten;

pub(crate) fn check(c: &mut Checker<'_>) {
    for map in &c.properties.url_path_maps {
        defaults(c, map);
        for rule in &map.properties.path_rules {
            path_rule(c, map, rule);
        }
        repeated(c, map);
        unreachable(c, map);
    }
    c.dangling("urlPathMaps");
}

fn defaults(c: &mut Checker<'_>, map: &Item<UrlPathMap>) {
    let p = &map.properties;
    let pool =
        p.default_backend_address_pool.is_some() || p.default_load_distribution_policy.is_some();
    let settings = p.default_backend_http_settings.is_some();
    let redirect = p.default_redirect_configuration.is_some();
    let id = c.id_of(map);
    let fault = match (redirect, pool, settings) {
        (true, false, false) | (false, true, true) => None,
        (true, ..) => Some(
            "cannot reference a default BackendAddressPool or BackendHttpSettings \
                            when a default Redirect Setting is specified",
        ),
        (false, false, _) => Some("must reference a default BackendAddressPool"),
        (false, true, false) => Some("must reference a default BackendHttpSettings"),
    };
    if let Some(fault) = fault {
        c.error(
            codes::E_PATH_MAP_DEFAULT,
            format!("Url Path Map {id} {fault}."),
            map.pointer(),
        );
    }
    if p.path_rules.is_empty() {
        let message = format!(
            "Path map '{}' has no path rules: its default always holds.",
            map.name
        );
        c.warn(
            codes::W_EMPTY_PATH_MAP,
            message,
            map.pointer_to("pathRules"),
        );
    }
}

fn path_rule(c: &mut Checker<'_>, map: &Item<UrlPathMap>, rule: &Item<PathRule>) {
    let p = &rule.properties;
    // A gateway may have ten thousand path rules: texts are made for findings only.
    let id = |c: &Checker<'_>| format!("{}/pathRules/{}", c.id_of(map), rule.name);
    let pool = p.backend_address_pool.is_some() || p.load_distribution_policy.is_some();
    let settings = p.backend_http_settings.is_some();
    if p.redirect_configuration.is_some() {
        let extra = [
            (pool, "BackendAddressPool"),
            (settings, "BackendHttpSettings"),
        ];
        for (_, what) in extra.into_iter().filter(|(given, _)| *given) {
            let message = format!(
                "Path Rule {} cannot reference a {what} when Redirect Setting is specified.",
                id(c)
            );
            c.error(
                codes::E_PATH_RULE_REDIRECT,
                message,
                rule.pointer_to("redirectConfiguration"),
            );
        }
    } else {
        let needed = [
            (pool, "BackendAddressPool", "backendAddressPool"),
            (settings, "BackendHttpSettings", "backendHttpSettings"),
        ];
        for (_, what, member) in needed.into_iter().filter(|(given, ..)| !given) {
            let message = format!("Path Rule {} must reference a {what}.", id(c));
            c.error(codes::E_PATH_RULE, message, rule.pointer_to(member));
        }
    }
    if p.paths.is_empty() {
        let message = format!("Path Rule {} must have a path.", id(c));
        c.error(codes::E_PATH_RULE, message, rule.pointer_to("paths"));
    }
    for (i, path) in p.paths.iter().enumerate() {
        let at = || rule.pointer_to(&format!("paths/{i}"));
        if path == "/" {
            let message = format!(
                "Path / should have a nonempty match value followed by '/'  in PathRule {}",
                id(c)
            );
            let code = "ApplicationGatewayPathRulePathShouldHaveNonEmptyMatchValue";
            let help = "To match every path write '/*'.";
            c.hint(Severity::Error, (code, message), at(), help);
        } else if let Some(fault) = fault(path, c.is_v1()) {
            let path = shorten(path);
            let id = id(c);
            let message = format!("Path '{path}' in PathRule {id} is not valid: {fault}.");
            c.error(codes::E_PATH_PATTERN, message, at());
        } else if !c.is_v1()
            && let Some(decoded) = decoded(path)
        {
            let message = format!(
                "Path '{}' in PathRule {} never matches what it seems to: the path of a request is \
                 decoded before it is compared.",
                shorten(path),
                id(c)
            );
            let help = format!("Write '{}'.", shorten(&decoded));
            let finding = (codes::W_ENCODED_PATH, message);
            c.hint(Severity::Warning, finding, at(), &help);
        }
    }
}

/// A pattern that is percent-encoded somewhere, as requests for it are compared; `None` for others.
fn decoded(path: &str) -> Option<String> {
    let mut bytes = path.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    while let Some((first, rest)) = bytes.split_first() {
        let digits = rest.first_chunk::<2>().filter(|_| *first == b'%');
        let digits = digits.and_then(|two| std::str::from_utf8(two).ok());
        let value = digits
            .filter(|two| two.bytes().all(|digit| digit.is_ascii_hexdigit()))
            .and_then(|two| u8::from_str_radix(two, 16).ok());
        plain.push(value.unwrap_or(*first));
        bytes = value
            .map_or(Some(rest), |_| rest.get(2..))
            .unwrap_or_default();
    }
    (plain.len() < path.len()).then(|| String::from_utf8_lossy(&plain).into_owned())
}

/// What is wrong with a pattern, as the end of a sentence.
fn fault(path: &str, v1: bool) -> Option<&'static str> {
    let Some(stem) = path.strip_suffix('*') else {
        return if !path.starts_with('/') {
            Some("it must start with '/'")
        } else {
            path.contains('*')
                .then_some("'*' may stand at the end only")
        };
    };
    if !path.starts_with('/') {
        Some("it must start with '/'")
    } else if stem.contains('*') {
        Some("'*' may stand at the end only")
    } else if v1 && !stem.ends_with('/') {
        Some("'*' must follow a '/' on the first generation")
    } else {
        None
    }
}

fn repeated(c: &mut Checker<'_>, map: &Item<UrlPathMap>) {
    let mut seen = HashSet::new();
    for rule in &map.properties.path_rules {
        for (i, path) in rule.properties.paths.iter().enumerate() {
            if !seen.insert(path.as_str()) {
                let message = format!(
                    "Paths specified in a UrlPathMap must be unique. Path {} is already specified \
                     in another PathRule in UrlPathMap {}.",
                    shorten(path),
                    c.id_of(map)
                );
                let code = "ApplicationGatewayPathsWithinUrlPathMapMustBeUnique";
                c.error(code, message, rule.pointer_to(&format!("paths/{i}")));
            }
        }
    }
}

/// Patterns that an earlier rule of the map takes all paths from.
fn unreachable(c: &mut Checker<'_>, map: &Item<UrlPathMap>) {
    let rules = &map.properties.path_rules;
    let patterns: usize = rules.iter().map(|rule| rule.properties.paths.len()).sum();
    if patterns > MAX_COMPARED {
        return;
    }
    let mut earlier: Vec<(&str, &str)> = Vec::new();
    for rule in rules {
        let paths = &rule.properties.paths;
        for (i, path) in paths.iter().enumerate() {
            // A pattern given twice is an error of its own.
            let cover = earlier
                .iter()
                .find(|(_, other)| covers(other, path) && other != path);
            let Some((other_rule, other)) = cover else {
                continue;
            };
            let message = format!(
                "Path '{}' never matches: '{}' of the earlier path rule '{other_rule}' matches \
                 the same paths.",
                shorten(path),
                shorten(other)
            );
            let finding = (codes::W_UNREACHABLE_PATH, message);
            let help = "The first rule that matches wins, not the longest pattern; letter case is \
                        ignored. Move the narrower pattern up.";
            c.hint(
                Severity::Warning,
                finding,
                rule.pointer_to(&format!("paths/{i}")),
                help,
            );
        }
        earlier.extend(paths.iter().map(|path| (rule.name.as_str(), path.as_str())));
    }
}

/// Whether `wide` matches every path that `narrow` matches.
fn covers(wide: &str, narrow: &str) -> bool {
    match wide.strip_suffix('*') {
        Some(stem) => {
            let narrow = narrow.strip_suffix('*').unwrap_or(narrow);
            narrow
                .get(..stem.len())
                .is_some_and(|head| head.eq_ignore_ascii_case(stem))
        }
        None => !narrow.ends_with('*') && wide.eq_ignore_ascii_case(narrow),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_patterns_are_judged_as_documented() {
        for right in ["/images/*", "/*", "/api/orders", "/a.b/c-d_e~"] {
            assert_eq!(
                (fault(right, true), fault(right, false)),
                (None, None),
                "{right}"
            );
        }
        assert!(fault("/images*", true).is_some());
        assert_eq!(fault("/images*", false), None);
        for wrong in [
            "",
            "*",
            "images/*",
            "/images/*.jpg",
            "/*.jpg",
            "/Repos/*/Comments/*",
        ] {
            assert!(fault(wrong, false).is_some(), "{wrong}");
        }
    }

    #[test]
    fn covering_is_by_prefix_and_ignores_case() {
        for (wide, narrow) in [
            ("/*", "/a"),
            ("/a/*", "/A/b/*"),
            ("/a*", "/ab*"),
            ("/A", "/a"),
            ("/a/*", "/a/"),
        ] {
            assert!(covers(wide, narrow), "{wide} covers {narrow}");
        }
        for (wide, narrow) in [
            ("/a/*", "/a"),
            ("/a", "/a/*"),
            ("/a/b/*", "/a/*"),
            ("/é*", "/e"),
        ] {
            assert!(!covers(wide, narrow), "{wide} does not cover {narrow}");
        }
    }
}
