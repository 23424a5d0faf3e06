//! Redirects: their targets, and those that lead back.

use std::collections::HashMap;

use super::checker::Checker;
use super::hosts;
use super::listeners::names_of;
use crate::codes;
use crate::model::{
    HttpListener, Item, RedirectConfiguration, RequestRoutingRule, RuleType, UrlPathMap,
};
use crate::wire::reader::shorten;

/// Most redirects that are followed in search of a loop; the service allows 100 in all.
const MAX_HOPS: usize = 100;

pub(crate) fn check(c: &mut Checker<'_>) {
    for item in &c.properties.redirect_configurations {
        redirect(c, item);
    }
    c.dangling("redirectConfigurations");
    loops(c);
    loops_of_path_rules(c);
}

fn redirect(c: &mut Checker<'_>, item: &Item<RedirectConfiguration>) {
    let p = &item.properties;
    let id = c.id_of(item);
    let url = p.target_url.as_deref().filter(|url| !url.is_empty());
    let mut refuse = |fault: String, at: String| {
        c.error(
            codes::E_REDIRECT,
            format!("Redirect Configuration {id} {fault}."),
            at,
        );
    };
    if p.redirect_type.is_none() {
        refuse(
            "must have a redirectType".to_owned(),
            item.pointer_to("redirectType"),
        );
    }
    match (&p.target_listener, url) {
        (None, None) => {
            refuse(
                "must have a targetListener or a targetUrl".to_owned(),
                item.pointer().to_owned(),
            );
        }
        (Some(_), Some(_)) => {
            let fault = "cannot have both a targetListener and a targetUrl".to_owned();
            refuse(fault, item.pointer_to("targetUrl"));
        }
        (None, Some(url)) if !is_http_url(url) => {
            let fault = format!(
                "has the targetUrl '{}', which is no http or https URL",
                shorten(url)
            );
            refuse(fault, item.pointer_to("targetUrl"));
        }
        _ => {}
    }
    let Some(target) = c.resolve::<HttpListener>(p.target_listener.as_ref()) else {
        return;
    };
    let names = names_of(&target.properties);
    if names.len() > 1 || names.iter().any(|name| hosts::has_wildcard(name)) {
        let message = format!(
            "Redirect Configuration {id} cannot target listener '{}', which has several host names \
             or a wildcard.",
            target.name
        );
        c.error(
            codes::E_REDIRECT,
            message,
            item.pointer_to("targetListener"),
        );
    }
}

fn is_http_url(url: &str) -> bool {
    let scheme = |prefix: &str| {
        let head = url
            .get(..prefix.len())
            .is_some_and(|h| h.eq_ignore_ascii_case(prefix));
        head && url.len() > prefix.len()
    };
    (scheme("http://") || scheme("https://")) && !url.contains(char::is_whitespace)
}

/// Follows the redirects that each rule's listener starts.
fn loops(c: &mut Checker<'_>) {
    let mut targets: HashMap<&str, &Item<HttpListener>> = HashMap::new();
    let mut starts = Vec::new();
    for rule in &c.properties.request_routing_rules {
        let listener = c.resolve::<HttpListener>(rule.properties.http_listener.as_ref());
        if let (Some(listener), Some(target)) = (listener, target(c, rule)) {
            targets.insert(&listener.name, target);
            starts.push((rule, listener, target));
        }
    }
    for (rule, start, first) in starts {
        if std::ptr::eq(first, start) {
            to_itself(c, rule, start);
            continue;
        }
        let mut hops =
            std::iter::successors(Some(first), |at| targets.get(at.name.as_str()).copied())
                .take(MAX_HOPS);
        if hops.any(|at| std::ptr::eq(at, start)) {
            let message = format!(
                "Redirects lead from Http Listener '{}' over '{}' back to it.",
                start.name, first.name
            );
            c.warn(codes::W_REDIRECT_LOOP, message, rule.pointer());
        }
    }
}

/// Path rules that redirect to the very listener that they are asked by, with the path kept.
fn loops_of_path_rules(c: &mut Checker<'_>) {
    for rule in &c.properties.request_routing_rules {
        let p = &rule.properties;
        let (Some(listener), Some(map)) = (
            c.resolve::<HttpListener>(p.http_listener.as_ref()),
            c.resolve::<UrlPathMap>(p.url_path_map.as_ref()),
        ) else {
            continue;
        };
        for path_rule in &map.properties.path_rules {
            let redirect = path_rule.properties.redirect_configuration.as_ref();
            let Some(redirect) = c.resolve::<RedirectConfiguration>(redirect) else {
                continue;
            };
            let target = redirect.properties.target_listener.as_ref();
            let leads_back = c
                .resolve::<HttpListener>(target)
                .is_some_and(|target| std::ptr::eq(target, listener));
            if leads_back && redirect.properties.include_path == Some(true) {
                let message = format!(
                    "Path rule '{}' redirects Http Listener '{}' to itself, with the same path.",
                    path_rule.name, listener.name
                );
                c.warn(codes::W_REDIRECT_LOOP, message, path_rule.pointer());
            }
        }
    }
}

fn to_itself(c: &mut Checker<'_>, rule: &Item<RequestRoutingRule>, start: &Item<HttpListener>) {
    let message = format!(
        "Request Routing Rule {} redirects Http Listener '{}' to itself.",
        c.id_of(rule),
        start.name
    );
    if rule.properties.rule_type.unwrap_or(RuleType::Basic) == RuleType::Basic {
        c.error(
            codes::E_REDIRECT_LOOP,
            message,
            rule.pointer_to("redirectConfiguration"),
        );
    } else {
        c.warn(
            codes::W_REDIRECT_LOOP,
            message,
            rule.pointer_to("urlPathMap"),
        );
    }
}

/// The listener that every request of a rule, or every unmatched one, is redirected to.
fn target<'a>(c: &Checker<'a>, rule: &Item<RequestRoutingRule>) -> Option<&'a Item<HttpListener>> {
    let p = &rule.properties;
    let redirect = match p.rule_type.unwrap_or(RuleType::Basic) {
        RuleType::Basic => p.redirect_configuration.as_ref(),
        RuleType::PathBasedRouting => {
            let map = c.resolve::<UrlPathMap>(p.url_path_map.as_ref())?;
            map.properties.default_redirect_configuration.as_ref()
        }
        RuleType::AdvancedRouting => None,
    };
    let redirect = c.resolve::<RedirectConfiguration>(redirect)?;
    c.resolve::<HttpListener>(redirect.properties.target_listener.as_ref())
}
