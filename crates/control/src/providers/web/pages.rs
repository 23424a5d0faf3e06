//! What App Service itself answers, and what an app answers here.

/// The pages are small, and the client's text in them is escaped.
fn page(title: &str, heading: &str, text: &str) -> String {
    let text = escaped(text);
    format!(
        "<!DOCTYPE html>\n<html>\n<head>\n<title>{title}</title>\n</head>\n<body>\n\
         <h1>{heading}</h1>\n<p>{text}</p>\n</body>\n</html>\n"
    )
}

pub(super) fn not_found() -> String {
    page(
        "404 Web Site not found.",
        "Error 404 - Web app not found.",
        "The web app you have attempted to reach is not available in this Microsoft Azure App \
         Service region. This could be due to one of several reasons: 1. The web app owner has \
         registered a custom domain to point to the Microsoft Azure App Service, but has not yet \
         configured Azure to recognize it. 2. The web app owner has moved the web app to a \
         different region, but the DNS cache is still directing to the old IP address.",
    )
}

pub(super) fn forbidden() -> String {
    page(
        "Error 403 - Forbidden",
        "Error 403 - Forbidden",
        "The web app you have attempted to reach has blocked your access.",
    )
}

pub(super) fn stopped() -> String {
    page(
        "Web App - Unavailable",
        "Error 403 - This web app is stopped.",
        "The web app you have attempted to reach is currently stopped and does not accept any \
         requests. Please try to reload the page or visit it again soon.",
    )
}

/// What the app of this site says.
pub(super) fn served(site: &str, path: &str) -> String {
    let site = escaped(site);
    page(
        &site,
        &site,
        &format!("This is the web app {site}. You asked for {path}."),
    )
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            other => out.push(other),
        }
    }
    out
}
