//! JSON pointers (RFC 6901) and the path notation of the service's error messages.

/// The pointer of member or element `token` below `base`.
pub(crate) fn join(base: &str, token: &str) -> String {
    let mut out = String::with_capacity(base.len() + token.len() + 1);
    out.push_str(base);
    out.push('/');
    for c in token.chars() {
        match c {
            '~' => out.push_str("~0"),
            '/' => out.push_str("~1"),
            _ => out.push(c),
        }
    }
    out
}

/// The pointer of element `index` below `base`.
pub(crate) fn index(base: &str, index: usize) -> String {
    format!("{base}/{index}")
}

/// The same place as the service writes it: `properties.sslCertificates[0].data`.
pub(crate) fn dotted(pointer: &str) -> String {
    let mut out = String::new();
    for token in pointer.split('/').skip(1) {
        let token = token.replace("~1", "/").replace("~0", "~");
        if !token.is_empty() && token.bytes().all(|b| b.is_ascii_digit()) {
            out.push_str(&format!("[{token}]"));
            continue;
        }
        if !out.is_empty() {
            out.push('.');
        }
        out.push_str(&token);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_with_slash_or_tilde_is_escaped_and_shown_plain() {
        let pointer = join(&index("/tags", 3), "a/b~c");
        assert_eq!(pointer, "/tags/3/a~1b~0c");
        assert_eq!(dotted(&pointer), "tags[3].a/b~c");
    }
}
