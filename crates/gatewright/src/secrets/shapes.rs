//! Secrets by their shapes, wherever in a text they stand.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use gatewright_chain::Certificate;
use regex::Regex;

use super::REMOVED;

/// Takes base64 with its padding or without it.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// As many letters of base64 as show what they begin with; a whole number of groups.
const HEAD_LETTERS: usize = 48;

/// Object identifiers of what is encrypted with a password, PKCS #5 and PKCS #12.
const ENCRYPTED: [&[u8]; 2] = [
    &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05],
    &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x0c],
];

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// The patterns.
#[derive(Debug)]
pub(super) struct Shapes {
    base64: Regex,
    /// Each with what stands in its place.
    replaced: Vec<(Regex, String)>,
}

/// What stands before a parameter, as it is or escaped.
const BEFORE: &str = r#"(?:^|[?&;,\s"'(\\]|%3f|%26|%3b)"#;

/// Words before what a client shows to be let in.
const SCHEMES: &str = "Bearer|Basic|SharedKey|SharedAccessSignature";

/// Parameters of URLs, and parts of connection strings, whose values are secrets.
const PARAMETERS: &str = "sig|signature|x-amz-signature|client_secret|secret|access_token|\
    id_token|refresh_token|token|code|password|passwd|pwd|api[-_]?key|apikey|auth|sas|key|\
    subscription-key|[a-z-]*functions-key|[a-z_-]*(?:password|secret|token)";

const PARTS: &str = "AccountKey|SharedAccessKey|SharedAccessSignature|SharedSecretValue|\
    ClientSecret|Password|Pwd";

/// Endings of members' names in JSON that is no whole document.
const MEMBERS: &str = "password|passwd|pwd|passphrase|secret|token|access_?key|account_?key|\
    api_?key|private_?key|shared_?key|connection_?string|credentials?|data";

impl Shapes {
    pub(super) fn new() -> Result<Self, regex::Error> {
        let patterns = [
            // Whole values up to the next part, with spaces.
            (
                format!(r#"(?i)\b((?:{PARTS})\s*=\s*)[^;"'&]+"#),
                format!("${{1}}{REMOVED}"),
            ),
            (
                format!(r#"(?i)({BEFORE}(?:{PARAMETERS})(?:=|%3d))[^&\s"'<>;\\]+"#),
                format!("${{1}}{REMOVED}"),
            ),
            // JSON that is cut off, or stands in a text.
            (
                format!(r#"(?i)((?:{MEMBERS})\\*"\s*:\s*\\*")[^"\\]+"#),
                format!("${{1}}{REMOVED}"),
            ),
            (
                r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?".to_owned(),
                REMOVED.to_owned(),
            ),
            (
                format!(r"(?i)\b((?:{SCHEMES})\s+)[a-z0-9+/=_.:~%&-]{{12,}}"),
                format!("${{1}}{REMOVED}"),
            ),
            (
                r"(?i)([a-z][a-z0-9+.-]*://[^/\s:@]*:)[^/\s@]+@".to_owned(),
                format!("${{1}}{REMOVED}@"),
            ),
        ];
        let replaced = patterns
            .into_iter()
            .map(|(pattern, by)| Ok((Regex::new(&pattern)?, by)));
        Ok(Self {
            base64: Regex::new("[A-Za-z0-9+/_-]{64,}")?,
            replaced: replaced.collect::<Result<_, regex::Error>>()?,
        })
    }

    /// The text without secrets; `None` where it has none.
    pub(super) fn cleaned(&self, text: &str) -> Option<String> {
        if self.has_key(text) {
            return Some(REMOVED.to_owned());
        }
        let mut cleaned = Cow::Borrowed(text);
        for (pattern, by) in &self.replaced {
            if let Cow::Owned(changed) = pattern.replace_all(&cleaned, by.as_str()) {
                cleaned = Cow::Owned(changed);
            }
        }
        // What was cleaned before is found again, and stays as it is.
        match cleaned {
            Cow::Owned(changed) if changed != text => Some(changed),
            _ => None,
        }
    }

    fn has_key(&self, text: &str) -> bool {
        if text.contains("PRIVATE KEY") || self.runs(text) {
            return true;
        }
        // What is folded into lines is one.
        let mut letters = text.chars().filter(|letter| !letter.is_whitespace());
        let is_base64 = |c: char| c.is_ascii_alphanumeric() || "+/-_=".contains(c);
        let is_folded = text.contains(char::is_whitespace) && letters.all(is_base64);
        is_folded && self.runs(&text.split_whitespace().collect::<String>())
    }

    fn runs(&self, text: &str) -> bool {
        let mut runs = self.base64.find_iter(text);
        runs.any(|run| is_key(run.as_str()))
    }
}

/// Whether base64 begins as a PFX or a private key does: with a version, or as what a password
/// encrypts. Certificates and public keys do not. Or it is PEM with a key somewhere.
fn is_key(run: &str) -> bool {
    let decoded = |letters: &str| {
        let letters = letters.replace('-', "+").replace('_', "/");
        BASE64.decode(letters).ok()
    };
    let Some(bytes) = decoded(run.get(..HEAD_LETTERS).unwrap_or(run)) else {
        return false;
    };
    if bytes.starts_with(b"-----BEGIN") {
        // The letters that are left over make no group.
        let whole = run.get(..run.len() / 4 * 4).and_then(decoded);
        let whole = whole.unwrap_or_default();
        return String::from_utf8_lossy(&whole).contains("PRIVATE KEY");
    }
    let Some(within) = content(&bytes, 0x30) else {
        return false;
    };
    if let [0x02, 0x01, version, ..] = within {
        return *version <= 3;
    }
    let algorithm = content(within, 0x30).and_then(|within| content(within, 0x06));
    algorithm.is_some_and(|id| ENCRYPTED.iter().any(|known| id.starts_with(known)))
}

/// What stands in the DER element that the bytes begin with, as far as it is there.
fn content(bytes: &[u8], tag: u8) -> Option<&[u8]> {
    let (first, rest) = bytes.split_first()?;
    let (length, rest) = rest.split_first()?;
    let skipped = match length {
        0..=0x80 => 0,
        more => usize::from(more & 0x7f),
    };
    (*first == tag).then(|| rest.get(skipped..))?
}

/// Whether the text is certificates, in base64 or as PEM, and nothing else.
pub(super) fn is_certificate(text: &str) -> bool {
    let Some(pem) = text.trim().strip_suffix(END) else {
        return is_encoded(text);
    };
    let mut blocks = pem.split(END);
    blocks.all(|block| block.trim().strip_prefix(BEGIN).is_some_and(is_encoded))
}

fn is_encoded(base64: &str) -> bool {
    let base64: String = base64.split_whitespace().collect();
    match BASE64.decode(base64) {
        // Some exports have PEM in base64.
        Ok(bytes) if bytes.starts_with(BEGIN.as_bytes()) => {
            std::str::from_utf8(&bytes).is_ok_and(is_certificate)
        }
        Ok(bytes) => Certificate::read(&bytes).is_ok(),
        Err(_) => false,
    }
}
