//! Reading of gateways, as lenient as the service and as loud as its users need.

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::diagnostic::{Diagnostic, Severity};
use crate::model::{ApplicationGateway, GATEWAY_TYPE, OnDemandProbe, Properties, Source};
use crate::wire::members::Members;
use crate::wire::reader::{Reader, shorten};
use crate::wire::{WireObject, WireValue, pointer};

/// Largest document that is read, in bytes (16 MiB; the service takes 4 MiB per request).
pub const MAX_DOCUMENT_BYTES: usize = 16 * 1024 * 1024;

/// Most gateways that one document may hold (the service's bound per subscription is 1000).
pub const MAX_GATEWAYS: usize = 1000;

/// Deepest nesting of a document, in objects and arrays: the bound of the JSON parser.
pub const MAX_DEPTH: usize = 127;

/// Gateways, and what was odd about their document.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReadReport {
    /// At least one gateway, in the document's order, unless the document is an empty list.
    pub gateways: Vec<ApplicationGateway>,
    /// Warnings: unknown members (`InvalidJson`), members given twice.
    pub warnings: Vec<Diagnostic>,
}

/// Why no gateway could be read.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ReadError {
    /// Longer than [`MAX_DOCUMENT_BYTES`].
    #[error("the document has {bytes} bytes; the most that is read is {MAX_DOCUMENT_BYTES}")]
    TooLarge {
        /// Length of the document.
        bytes: usize,
    },
    /// Not JSON, or nested too deeply.
    #[error("the document is not JSON: {reason} (line {line}, column {column})")]
    Malformed {
        /// 1 for the first line.
        line: usize,
        /// 1 for the first character of the line; 0 where a line break was the fault.
        column: usize,
        /// What the parser found.
        reason: String,
    },
    /// JSON, but another kind of document.
    #[error("{0}")]
    NotAGateway(String),
    /// A gateway, but with values that the service would not read either. Holds the warnings too,
    /// in the document's order.
    #[error("{}", first_error(.0))]
    Invalid(Vec<Diagnostic>),
}

fn first_error(findings: &[Diagnostic]) -> String {
    let mut errors = findings.iter().filter(|d| d.is_error());
    match (errors.next(), errors.count()) {
        (Some(first), 0) => first.to_string(),
        (Some(first), more) => format!("{first} ({more} more)"),
        (None, _) => "the document is not valid".to_owned(),
    }
}

/// Reads the gateways of a document: one gateway, an array, or `{"value": […]}`, each in the REST
/// shape, in the shape that `az … -o json` prints, in PowerShell's, or in a mixture.
///
/// Names and enumeration values are read in any letter case, numbers and booleans also as texts,
/// nulls as absent. Back-references are dropped, since they follow from the rest.
///
/// # Errors
/// [`ReadError::NotAGateway`] for another kind of document, [`ReadError::Invalid`] for values of
/// the wrong type. Never panics, whatever the document.
pub fn read_gateways(document: &Value) -> Result<ReadReport, ReadError> {
    let mut reader = Reader::new(false);
    let mut gateways = Vec::new();
    for (at, value) in candidates(document)? {
        reader.set_root(&at);
        gateways.push(read_gateway(value, &at, None, &mut reader)?);
    }
    let warnings = warnings(reader)?;
    Ok(ReadReport { gateways, warnings })
}

/// Reads the body of a PUT, as leniently as the service; an unknown member is an error. The name is
/// that of the path: the body needs no name, id, type and etag, and what it says of them counts for
/// nothing.
///
/// # Errors
/// As [`read_gateways`].
pub fn read_put(body: &Value, name: &str) -> Result<ApplicationGateway, ReadError> {
    let mut reader = Reader::new(true);
    reader.set_root("");
    let gateway = read_gateway(body, "", Some(name), &mut reader)?;
    warnings(reader)?;
    Ok(gateway)
}

/// What was found while reading, where none of it is an error.
fn warnings(reader: Reader) -> Result<Vec<Diagnostic>, ReadError> {
    let findings = reader.into_findings();
    match findings.iter().any(|d| d.severity == Severity::Error) {
        true => Err(ReadError::Invalid(findings)),
        false => Ok(findings),
    }
}

/// Reads the body of `getBackendHealthOnDemand`, as leniently as a gateway; an unknown member is an
/// error, as it is for the service.
///
/// # Errors
/// What is wrong with it, each finding with its JSON pointer.
pub fn read_on_demand_probe(document: &Value) -> Result<OnDemandProbe, Vec<Diagnostic>> {
    let mut reader = Reader::new(true);
    reader.set_contract(OnDemandProbe::TYPE_NAME);
    let probe = OnDemandProbe::read(document, "", &mut reader);
    let findings = reader.into_findings();
    match probe {
        Some(probe) if !findings.iter().any(Diagnostic::is_error) => Ok(probe),
        Some(_) | None => Err(findings),
    }
}

/// Reads the gateways of a JSON text: UTF-8, with or without a byte order mark, or UTF-16 with one,
/// as Windows PowerShell's `>` writes it.
///
/// # Errors
/// As [`read_gateways`]; [`ReadError::TooLarge`] and [`ReadError::Malformed`] for the text itself.
pub fn read_gateways_text(text: &[u8]) -> Result<ReadReport, ReadError> {
    read_gateways(&parse_text(text)?)
}

/// The JSON of a text, whatever it is about, in any encoding that [`read_gateways_text`] takes.
///
/// # Errors
/// [`ReadError::TooLarge`] and [`ReadError::Malformed`].
pub fn parse_text(text: &[u8]) -> Result<Value, ReadError> {
    if text.len() > MAX_DOCUMENT_BYTES {
        return Err(ReadError::TooLarge { bytes: text.len() });
    }
    let text = as_utf8(text)?;
    serde_json::from_slice(&text).map_err(|error| {
        let full = error.to_string();
        let place = format!(" at line {} column {}", error.line(), error.column());
        ReadError::Malformed {
            line: error.line(),
            column: error.column(),
            reason: full.strip_suffix(&place).unwrap_or(&full).to_owned(),
        }
    })
}

/// The text without its byte order mark.
fn as_utf8(text: &[u8]) -> Result<Cow<'_, [u8]>, ReadError> {
    let (words, unit): (_, fn([u8; 2]) -> u16) = match text {
        [0xff, 0xfe, words @ ..] => (words, u16::from_le_bytes),
        [0xfe, 0xff, words @ ..] => (words, u16::from_be_bytes),
        _ => {
            let bare = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
            return Ok(Cow::Borrowed(bare));
        }
    };
    let (words, rest) = words.as_chunks::<2>();
    let decoded: Result<String, _> =
        char::decode_utf16(words.iter().map(|word| unit(*word))).collect();
    match decoded {
        Ok(text) if rest.is_empty() => Ok(Cow::Owned(text.into_bytes())),
        _ => {
            let message = "the document is damaged UTF-16; save it as UTF-8";
            Err(ReadError::NotAGateway(message.to_owned()))
        }
    }
}

/// The values that should be gateways, with their pointers.
fn candidates(document: &Value) -> Result<Vec<(String, &Value)>, ReadError> {
    let (base, list) = match document {
        Value::Array(list) => ("", list),
        Value::Object(map) => {
            refuse_template(map)?;
            match map
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case("value"))
            {
                Some((name, Value::Array(list))) => (name.as_str(), list),
                _ => return Ok(vec![(String::new(), document)]),
            }
        }
        _ => {
            return Err(not_a_gateway(
                "the document is neither an object nor an array",
            ));
        }
    };
    if list.len() > MAX_GATEWAYS {
        let message = format!(
            "{} gateways in one document; at most {MAX_GATEWAYS}",
            list.len()
        );
        return Err(ReadError::NotAGateway(message));
    }
    let base = if base.is_empty() {
        String::new()
    } else {
        pointer::join("", base)
    };
    Ok(list
        .iter()
        .enumerate()
        .map(|(i, value)| (pointer::index(&base, i), value))
        .collect())
}

fn not_a_gateway(message: &str) -> ReadError {
    ReadError::NotAGateway(format!("{message}; a gateway is expected"))
}

fn refuse_template(map: &Map<String, Value>) -> Result<(), ReadError> {
    let schema = map
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("$schema"));
    let Some((_, Value::String(schema))) = schema else {
        return Ok(());
    };
    if schema.to_ascii_lowercase().contains("deploymenttemplate") {
        let message = "the document is an ARM deployment template, not a gateway: \
                       deploy it to the control plane, or give the gateway's resource alone";
        return Err(ReadError::NotAGateway(message.to_owned()));
    }
    Err(not_a_gateway(&format!(
        "the document follows the schema '{}'",
        shorten(schema)
    )))
}

/// `path_name` is the name in the path of a PUT.
fn read_gateway(
    value: &Value,
    at: &str,
    path_name: Option<&str>,
    reader: &mut Reader,
) -> Result<ApplicationGateway, ReadError> {
    let Some(map) = value.as_object() else {
        return Err(not_a_gateway(&format!("'{at}' is not an object")));
    };
    let mut members = Members::of_resource(map, at, reader);
    if path_name.is_some() {
        members.discard(&["id", "name", "type", "etag"]);
    }
    let kind: Option<String> = members.outer("type", reader);
    if let Some(kind) = &kind
        && !kind.eq_ignore_ascii_case(GATEWAY_TYPE)
    {
        let message = format!("the resource has the type '{}'", shorten(kind));
        return Err(not_a_gateway(&message));
    }
    let said: Option<String> = members.outer("name", reader);
    let name = path_name.map(str::to_owned).or(said);
    let id: Option<String> = members.outer("id", reader);
    let etag = members.outer("etag", reader);
    let location = members.outer("location", reader);
    let tags: Option<indexmap::IndexMap<String, String>> = members.outer("tags", reader);
    // PowerShell's name for the same member.
    let tags = tags.or_else(|| members.outer("tag", reader));
    let zones = members.outer("zones", reader);
    let identity = members.outer("identity", reader);
    let properties = Properties::read_members(&mut members, reader);
    if !members.has_any(Properties::MEMBERS) && kind.is_none() && path_name.is_none() {
        return Err(not_a_gateway(
            "the document has none of a gateway's properties",
        ));
    }
    // Members of a template's resource and of a deployment's export, which say nothing about it.
    members.ignore(&["apiVersion", "dependsOn", "systemData", "managedBy"]);
    const OUTER: &[&str] = &[
        "name",
        "id",
        "location",
        "tags",
        "zones",
        "identity",
        "properties",
    ];
    let (found, has_bag) = members.finish::<Properties>(OUTER, reader);
    let name = name.or_else(|| name_of(id.as_deref())).unwrap_or_default();
    let source = Source::new(at.to_owned(), found, has_bag);
    Ok(ApplicationGateway {
        name,
        id,
        etag,
        kind,
        location,
        tags,
        zones,
        identity,
        properties,
        source,
    })
}

fn name_of(id: Option<&str>) -> Option<String> {
    crate::ids::ResourceId::parse(id?)
        .ok()?
        .name()
        .map(str::to_owned)
}
