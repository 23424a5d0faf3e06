//! Base64, JSON in a text, data URIs.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::Value;

use super::{Answer, Arguments};

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::RequireCanonical),
);

pub(super) fn base64(arguments: &Arguments<'_>) -> Answer {
    Ok(BASE64.encode(arguments.text(0)?).into())
}

pub(super) fn base64_to_string(arguments: &Arguments<'_>) -> Answer {
    Ok(decoded(arguments, arguments.text(0)?)?.into())
}

pub(super) fn base64_to_json(arguments: &Arguments<'_>) -> Answer {
    parsed(arguments, &decoded(arguments, arguments.text(0)?)?)
}

fn decoded(arguments: &Arguments<'_>, text: &str) -> Result<String, String> {
    let bytes = BASE64.decode(text.trim());
    let bytes = bytes.map_err(|_| arguments.fails("the value is not Base64."))?;
    String::from_utf8(bytes).map_err(|_| arguments.fails("the decoded value is not UTF-8."))
}

pub(super) fn json(arguments: &Arguments<'_>) -> Answer {
    parsed(arguments, arguments.text(0)?)
}

fn parsed(arguments: &Arguments<'_>, text: &str) -> Answer {
    let document = crate::read::read_text(text.as_bytes());
    document.map_err(|error| arguments.fails(&format!("{error}.")))
}

pub(super) fn data_uri(arguments: &Arguments<'_>) -> Answer {
    let data = BASE64.encode(arguments.text(0)?);
    Ok(Value::from(format!(
        "data:text/plain;charset=utf8;base64,{data}"
    )))
}

pub(super) fn data_uri_to_string(arguments: &Arguments<'_>) -> Answer {
    let refused = || arguments.fails("the value is no data URI.");
    let content = arguments
        .text(0)?
        .strip_prefix("data:")
        .ok_or_else(refused)?;
    let (form, data) = content.split_once(',').ok_or_else(refused)?;
    if form.to_ascii_lowercase().ends_with(";base64") {
        return Ok(decoded(arguments, data)?.into());
    }
    Ok(super::uris::unescaped(data).ok_or_else(refused)?.into())
}
