//! Members that hold secrets, by their names.

use serde_json::Value;

/// Names, in lower case and without what is no letter or digit, of members that go.
const NAMES: [&str; 25] = [
    "appsettings",
    "authorization",
    "authsettings",
    "azurestorageaccounts",
    "claims",
    "cookie",
    "cookies",
    "customdata",
    "data",
    "httprequest",
    "key1",
    "key2",
    "machinekey",
    "pass",
    "pfx",
    "pfxblob",
    "pfxdata",
    "protectedsettings",
    "publishingusername",
    "pwd",
    "requestbody",
    "responsebody",
    "sas",
    "sasurl",
    "userdata",
];

/// How names of such members end.
const ENDINGS: [&str; 26] = [
    "accesskey",
    "accountkey",
    "apikey",
    "clientsecret",
    "connectionstring",
    "connectionstrings",
    "credential",
    "credentials",
    "decryptionkey",
    "encryptionkey",
    "functionkey",
    "functionskey",
    "masterkey",
    "passphrase",
    "passwd",
    "password",
    "primarykey",
    "privatekey",
    "secondarykey",
    "secret",
    "sharedkey",
    "signingkey",
    "storagekey",
    "subscriptionkey",
    "token",
    "validationkey",
];

/// Whether the member goes. Flags stay: `disablePasswordAuthentication` is no password; so does
/// what is empty.
pub(super) fn is_secret(name: &str, value: &Value) -> bool {
    let name = plain(name);
    match value {
        Value::Null | Value::Bool(_) => false,
        Value::String(text) if text.is_empty() => false,
        // The points of a metric are called so too, and so is what a tag is for.
        Value::Array(_) | Value::Object(_) | Value::Number(_) if name == "data" => false,
        // Of a vault's permissions: the words get, list and so on.
        Value::Array(list) if name == "secrets" => !list.iter().all(is_word),
        _ => name == "secrets" || is_secret_name(&name),
    }
}

/// Whether a header, setting or parameter of this name holds a secret.
pub(super) fn is_secret_header(name: &str) -> bool {
    let name = plain(name);
    let parts = ["authorization", "cookie", "secret", "password", "token"];
    is_secret_name(&name)
        || name.ends_with("key") && name.len() > "key".len()
        || parts.iter().any(|part| name.contains(part))
}

fn is_secret_name(plain: &str) -> bool {
    // Such as the second key of an account.
    let bare = plain.trim_end_matches(|letter: char| letter.is_ascii_digit());
    NAMES.contains(&plain) || ENDINGS.iter().any(|ending| bare.ends_with(ending))
}

fn is_word(value: &Value) -> bool {
    const WORD_BYTES_MAX: usize = 16;
    value.as_str().is_some_and(|word| {
        word.len() <= WORD_BYTES_MAX && word.chars().all(|c| c.is_ascii_alphabetic())
    })
}

fn plain(name: &str) -> String {
    let letters = name.chars().filter(char::is_ascii_alphanumeric);
    letters.map(|letter| letter.to_ascii_lowercase()).collect()
}
