//! Where a secret is: `https://{vault}.vault.azure.net/secrets/{name}/{version}`.

/// What every host of a vault ends with here.
const DOMAIN: &str = "vault.local";

/// The identifier of a secret. The vault is the first label of its host, whatever the rest is: what
/// was exported from the service names the service's hosts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SecretUri {
    pub(crate) vault: String,
    pub(crate) name: String,
    /// `None` for the newest.
    pub(crate) version: Option<String>,
}

impl SecretUri {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.trim().split_once("://")?;
        if !scheme.eq_ignore_ascii_case("https") {
            return None;
        }
        let mut segments = rest.split('/');
        let (vault, _) = segments.next()?.split_once('.')?;
        let (word, name) = (segments.next()?, segments.next()?);
        let version = segments.next().filter(|version| !version.is_empty());
        let is_over = segments.all(str::is_empty);
        let is_secret = word.eq_ignore_ascii_case("secrets") && is_name(vault) && is_name(name);
        (is_secret && is_over).then(|| Self {
            vault: vault.to_ascii_lowercase(),
            name: name.to_owned(),
            version: version.map(str::to_ascii_lowercase),
        })
    }
}

fn is_name(text: &str) -> bool {
    let is_fine = |c: char| c.is_ascii_alphanumeric() || c == '-';
    !text.is_empty() && text.chars().all(is_fine)
}

/// The address of a vault, with a slash at its end.
pub(crate) fn of_vault(vault: &str) -> String {
    format!("https://{}.{DOMAIN}/", vault.to_ascii_lowercase())
}

/// The identifier of a secret, of one version where one is given.
pub(crate) fn of_secret(vault: &str, name: &str, version: Option<&str>) -> String {
    let version = version
        .map(|version| format!("/{version}"))
        .unwrap_or_default();
    format!("{}secrets/{name}{version}", of_vault(vault))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_label_is_the_vault_whatever_the_domain() {
        let uri = |version: Option<&str>| SecretUri {
            vault: "kv-1".to_owned(),
            name: "Web".to_owned(),
            version: version.map(str::to_owned),
        };
        for (text, expected) in [
            ("https://kv-1.vault.azure.net/secrets/Web", Some(uri(None))),
            ("https://KV-1.vault.local:443/secrets/Web/", Some(uri(None))),
            (
                "HTTPS://kv-1.vault.local/secrets/Web/AB12",
                Some(uri(Some("ab12"))),
            ),
            ("http://kv-1.vault.local/secrets/Web", None),
            ("https://kv-1.vault.local/keys/Web", None),
            ("https://kv-1.vault.local/secrets/Web/1/2", None),
            ("https://kv-1.vault.local/secrets/", None),
            ("https://localhost/secrets/Web", None),
            ("", None),
        ] {
            assert_eq!(SecretUri::parse(text), expected, "{text}");
        }
        assert_eq!(
            of_secret("KV", "Web", Some("1")),
            "https://kv.vault.local/secrets/Web/1"
        );
    }
}
