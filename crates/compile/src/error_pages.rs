//! Custom error pages.

use gatewright_arm::Item;
use gatewright_arm::model::{CustomError, HttpListener};
use gatewright_snapshot::ErrorPage;

use crate::codes;
use crate::findings::quote;
use crate::scope::Scope;

/// The gateway's own pages.
pub(crate) fn of_gateway(scope: &mut Scope<'_>) -> Vec<ErrorPage> {
    let gateway = scope.gateway;
    let pages = &gateway.properties.custom_error_configurations;
    compile(scope, pages, |member| gateway.source.pointer_to(member))
}

/// The listener's pages, then those of the gateway for other statuses.
pub(crate) fn of_listener(
    scope: &mut Scope<'_>,
    listener: &Item<HttpListener>,
    of_gateway: &[ErrorPage],
) -> Vec<ErrorPage> {
    let own = &listener.properties.custom_error_configurations;
    let mut pages = compile(scope, own, |member| listener.pointer_to(member));
    for page in of_gateway {
        if !pages.iter().any(|known| known.status == page.status) {
            pages.push(page.clone());
        }
    }
    pages
}

fn compile(
    scope: &mut Scope<'_>,
    pages: &[CustomError],
    pointer_to: impl Fn(&str) -> String,
) -> Vec<ErrorPage> {
    let mut compiled: Vec<ErrorPage> = Vec::new();
    for (position, page) in pages.iter().enumerate() {
        let (Some(code), Some(url)) = (page.status_code, &page.custom_error_page_url) else {
            continue;
        };
        let url = url.trim();
        let pointer = || {
            pointer_to(&format!(
                "customErrorConfigurations/{position}/customErrorPageUrl"
            ))
        };
        if !is_web_url(url) {
            scope.findings.warning(
                codes::W_ERROR_PAGE_URL,
                pointer(),
                format!(
                    "The error page {} is no http or https URL, and is not shown.",
                    quote(url)
                ),
                "",
            );
            continue;
        }
        if !is_html(url) {
            scope.findings.warning(
                codes::W_ERROR_PAGE_NAME,
                pointer(),
                format!(
                    "The error page {} does not end in .htm or .html.",
                    quote(url)
                ),
                "The service refuses it.",
            );
        }
        let status = code.status();
        if !compiled.iter().any(|known| known.status == status) {
            compiled.push(ErrorPage {
                status,
                url: url.to_owned(),
            });
        }
    }
    compiled
}

fn is_web_url(url: &str) -> bool {
    let starts = |scheme: &str| {
        url.get(..scheme.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(scheme))
            && url.len() > scheme.len()
    };
    (starts("http://") || starts("https://")) && url.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Whether the path, without query and fragment, ends as a page's does.
fn is_html(url: &str) -> bool {
    let path = url
        .split(['?', '#'])
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase();
    path.ends_with(".htm") || path.ends_with(".html")
}
