//! The lenient reader: JSON as the service takes it, which is more than JSON.
//!
//! The `az` client splices the text of a template into its request as it is, behind the unquoted
//! key `template:` (recorded: deployments of template files). So there are comments (`//` and
//! `/* */`), keys without quotes, single quotes, raw line breaks inside texts, commas before a
//! closing bracket, and marks of the byte order at the beginning.
//!
//! A name that is given twice means its last value, as it does for the service. Names that differ
//! in letter case only are refused in a template, since the service reads names in any case and
//! could mean either. What a command printed may have both, and keeps both.

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::{Map, Number, Value};

use crate::document::{Document, Place};
use crate::error::quoted;

/// Largest text that is read, in bytes (16 MiB; the service takes 4 MiB per request).
pub const MAX_TEXT_BYTES: usize = 16 * 1024 * 1024;

/// Deepest nesting of a text, in objects and arrays.
pub const MAX_DEPTH: usize = 100;

/// Why a text could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// Longer than [`MAX_TEXT_BYTES`].
    #[error("the text has {bytes} bytes; the most that is read is {MAX_TEXT_BYTES}")]
    TooLarge {
        /// Length of the text.
        bytes: usize,
    },
    /// Not JSON even in the lenient sense, or nested more than [`MAX_DEPTH`] deep.
    #[error("the text is not JSON: {reason} (line {line}, column {column})")]
    Malformed {
        /// 1 for the first line.
        line: u32,
        /// 1 for the first character of the line, in UTF-16 units.
        column: u32,
        /// What was found, and what would be right.
        reason: String,
    },
}

/// Reads a text into a value. See the module's documentation for what is taken.
///
/// # Errors
/// See [`ReadError`].
pub fn read_text(text: &[u8]) -> Result<Value, ReadError> {
    read_document(text).map(Document::into_value)
}

/// As [`read_text`], and remembers where each value stood.
///
/// # Errors
/// See [`ReadError`].
pub fn read_document(text: &[u8]) -> Result<Document, ReadError> {
    if text.len() > MAX_TEXT_BYTES {
        return Err(ReadError::TooLarge { bytes: text.len() });
    }
    let text = decode(text)?;
    let mut reader = Reader::new(&text);
    reader.skip_blank()?;
    let (value, place) = reader.value(0)?;
    reader.skip_blank()?;
    match reader.peek() {
        None => Ok(Document::new(value, place)),
        Some(found) => {
            Err(reader.fault(format!("'{}' after the end of the document", shown(found))))
        }
    }
}

/// What a command printed into a file: one document or several behind each other (one for each
/// line, or those of several commands), each as [`read_text`] reads it. Lines of warnings before,
/// between and behind them are left out: az prints them beside its answer, and a shell may put both
/// into the file.
///
/// # Errors
/// See [`ReadError`].
pub fn read_printed(text: &[u8]) -> Result<Vec<Value>, ReadError> {
    if text.len() > MAX_TEXT_BYTES {
        return Err(ReadError::TooLarge { bytes: text.len() });
    }
    let text = decode(text)?;
    let mut reader = Reader::new(&text);
    reader.keeps_spellings = true;
    let mut documents = Vec::new();
    loop {
        reader.skip_blank()?;
        reader.skip_warnings();
        match (reader.peek(), documents.is_empty()) {
            (None, false) => return Ok(documents),
            // Behind a document, only another one like it may come.
            (Some('{' | '['), _) | (_, true) => documents.push(reader.value(0)?.0),
            (Some(found), false) => {
                let reason = format!("'{}' after the end of the document", shown(found));
                return Err(reader.fault(reason));
            }
        }
    }
}

/// To UTF-8, from what the first bytes say.
fn decode(text: &[u8]) -> Result<Cow<'_, str>, ReadError> {
    let wide = |bytes: &[u8], of: fn([u8; 2]) -> u16| {
        let pairs = bytes.chunks(2).map(|pair| match pair {
            [first, second] => of([*first, *second]),
            _ => 0xFFFD,
        });
        let text: Result<String, _> = char::decode_utf16(pairs).collect();
        text.map(Cow::Owned)
            .map_err(|_| Here { line: 1, column: 1 }.fault("the text is not UTF-16"))
    };
    match text {
        [0xEF, 0xBB, 0xBF, rest @ ..] => narrow(rest),
        [0xFF, 0xFE, rest @ ..] => wide(rest, u16::from_le_bytes),
        [0xFE, 0xFF, rest @ ..] => wide(rest, u16::from_be_bytes),
        [first, 0, ..] if *first != 0 => wide(text, u16::from_le_bytes),
        [0, second, ..] if *second != 0 => wide(text, u16::from_be_bytes),
        _ => narrow(text),
    }
}

fn narrow(text: &[u8]) -> Result<Cow<'_, str>, ReadError> {
    std::str::from_utf8(text)
        .map(Cow::Borrowed)
        .map_err(|error| {
            let valid = text.get(..error.valid_up_to()).unwrap_or_default();
            let mut reader = Reader::new(std::str::from_utf8(valid).unwrap_or_default());
            while reader.bump().is_some() {}
            reader.fault("the text is not UTF-8".to_owned())
        })
}

fn shown(character: char) -> String {
    character.escape_debug().to_string()
}

/// Where something begins that may turn out to be faulty.
#[derive(Clone, Copy)]
struct Here {
    line: u32,
    column: u32,
}

impl Here {
    fn fault(self, reason: impl Into<String>) -> ReadError {
        ReadError::Malformed {
            line: self.line,
            column: self.column,
            reason: reason.into(),
        }
    }
}

struct Reader<'a> {
    text: &'a str,
    /// In bytes.
    at: usize,
    line: u32,
    /// How many UTF-16 units of this line were taken.
    column: u32,
    /// Names of one object that differ in letter case only are kept, not refused.
    keeps_spellings: bool,
}

impl<'a> Reader<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            text,
            at: 0,
            line: 1,
            column: 0,
            keeps_spellings: false,
        }
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        // Most of a text is ASCII; the decoder is for the rest.
        match self.text.as_bytes().get(self.at) {
            Some(byte) if byte.is_ascii() => Some(char::from(*byte)),
            Some(_) => self.rest().chars().next(),
            None => None,
        }
    }

    fn bump(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        let ends_line = next == '\n' || (next == '\r' && self.peek() != Some('\n'));
        if ends_line {
            self.line = self.line.saturating_add(1);
            self.column = 0;
        } else {
            self.column = self
                .column
                .saturating_add(if next.len_utf16() == 2 { 2 } else { 1 });
        }
        Some(next)
    }

    /// A fault at the character that comes next.
    fn fault(&self, reason: impl Into<String>) -> ReadError {
        self.here().fault(reason)
    }

    fn here(&self) -> Here {
        Here {
            line: self.line,
            column: self.column.saturating_add(1),
        }
    }

    fn skip_blank(&mut self) -> Result<(), ReadError> {
        loop {
            match self.peek() {
                Some(blank) if blank.is_whitespace() || blank == '\u{FEFF}' => {
                    self.bump();
                }
                Some('/') => self.skip_comment()?,
                _ => return Ok(()),
            }
        }
    }

    /// The lines from one that says that it is a warning to the next that begins a document.
    fn skip_warnings(&mut self) {
        let line = self.rest().lines().next().unwrap_or_default();
        // Python's own are of kinds such as `UserWarning`.
        let is_warning = line.to_lowercase().contains("warning");
        if !is_warning || line.starts_with(['{', '[', '"']) {
            return;
        }
        while self.peek().is_some_and(|next| !matches!(next, '{' | '[')) {
            while self.bump().is_some_and(|taken| taken != '\n') {}
        }
    }

    fn skip_comment(&mut self) -> Result<(), ReadError> {
        let begin = self.here();
        if self.rest().starts_with("//") {
            while self.peek().is_some_and(|next| next != '\n' && next != '\r') {
                self.bump();
            }
            return Ok(());
        }
        if !self.rest().starts_with("/*") {
            return Err(self.fault("a comment begins with '//' or '/*'"));
        }
        let Some(length) = self.rest().get(2..).and_then(|inner| inner.find("*/")) else {
            return Err(begin.fault("this comment has no end; close it with '*/'"));
        };
        let end = self.at + length + 4;
        while self.at < end {
            self.bump();
        }
        Ok(())
    }

    fn value(&mut self, depth: usize) -> Result<(Value, Place), ReadError> {
        match self.peek() {
            Some('{' | '[') if depth == MAX_DEPTH => Err(self.fault(format!(
                "more than {MAX_DEPTH} objects and arrays inside each other"
            ))),
            Some('{') => self.object(depth),
            Some('[') => self.array(depth),
            Some(quote @ ('"' | '\'')) => {
                let text = self.quoted(quote)?;
                Ok((Value::String(text), self.place()))
            }
            Some('-' | '0'..='9') => self.number(),
            Some(_) => self.word(),
            None => Err(self.fault("the text ends where a value is expected")),
        }
    }

    /// Of what was just taken.
    fn place(&self) -> Place {
        Place {
            line: self.line,
            column: self.column,
            inside: Box::default(),
        }
    }

    fn object(&mut self, depth: usize) -> Result<(Value, Place), ReadError> {
        self.bump();
        let mut place = self.place();
        let mut members = Members {
            keeps_spellings: self.keeps_spellings,
            ..Members::default()
        };
        loop {
            self.skip_blank()?;
            if self.peek() == Some('}') {
                self.bump();
                place.inside = members.places.into_boxed_slice();
                return Ok((Value::Object(members.values), place));
            }
            let key_fault = |reader: &Self, other: &str, key: &str| {
                let (other, key) = (quoted(other), quoted(key));
                reader.fault(format!("'{key}' and '{other}' differ in letter case only"))
            };
            let key = self.key()?;
            self.skip_blank()?;
            if self.peek() != Some(':') {
                return Err(self.unexpected("a ':' after the name of a member"));
            }
            self.bump();
            self.skip_blank()?;
            let (value, inner) = self.value(depth + 1)?;
            members
                .insert(key, value, inner)
                .map_err(|(other, key)| key_fault(self, &other, &key))?;
            self.separator('}')?;
        }
    }

    fn array(&mut self, depth: usize) -> Result<(Value, Place), ReadError> {
        self.bump();
        let mut place = self.place();
        let (mut values, mut places) = (Vec::new(), Vec::new());
        loop {
            self.skip_blank()?;
            if self.peek() == Some(']') {
                self.bump();
                place.inside = places.into_boxed_slice();
                return Ok((Value::Array(values), place));
            }
            let (value, inner) = self.value(depth + 1)?;
            values.push(value);
            places.push(inner);
            self.separator(']')?;
        }
    }

    /// A comma, or nothing before the closing bracket.
    fn separator(&mut self, close: char) -> Result<(), ReadError> {
        self.skip_blank()?;
        match self.peek() {
            Some(',') => {
                self.bump();
                Ok(())
            }
            Some(found) if found == close => Ok(()),
            _ => Err(self.unexpected(&format!("',' or '{close}'"))),
        }
    }

    fn unexpected(&self, expected: &str) -> ReadError {
        match self.peek() {
            Some(found) => self.fault(format!("'{}' where {expected} is expected", shown(found))),
            None => self.fault(format!("the text ends where {expected} is expected")),
        }
    }

    fn key(&mut self) -> Result<String, ReadError> {
        match self.peek() {
            Some(quote @ ('"' | '\'')) => self.quoted(quote),
            Some(first) if first.is_alphabetic() || first == '_' || first == '$' => {
                let begin = self.at;
                while self
                    .peek()
                    .is_some_and(|next| next.is_alphanumeric() || "_$".contains(next))
                {
                    self.bump();
                }
                Ok(self.text.get(begin..self.at).unwrap_or_default().to_owned())
            }
            _ => Err(self.unexpected("the name of a member")),
        }
    }

    fn quoted(&mut self, quote: char) -> Result<String, ReadError> {
        let begin = self.here();
        self.bump();
        let mut text = String::new();
        loop {
            match self.bump() {
                None => return Err(begin.fault("this text has no end; close it with its quote")),
                Some(end) if end == quote => return Ok(text),
                Some('\\') => text.push(self.escape()?),
                Some(other) => text.push(other),
            }
        }
    }

    fn escape(&mut self) -> Result<char, ReadError> {
        let begin = self.here();
        Ok(match self.bump() {
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some(itself @ ('"' | '\'' | '\\' | '/')) => itself,
            Some('u') => self.unicode()?,
            _ => return Err(begin.fault("no escape of JSON; write '\\\\' for a backslash")),
        })
    }

    fn unicode(&mut self) -> Result<char, ReadError> {
        let begin = self.here();
        let no_digits = || begin.fault("'\\u' is followed by four hexadecimal digits");
        let first = self.four_digits().ok_or_else(no_digits)?;
        if let Some(character) = char::from_u32(u32::from(first)) {
            return Ok(character);
        }
        let lone = || begin.fault("half a surrogate pair is no character");
        if !self.rest().starts_with("\\u") {
            return Err(lone());
        }
        self.bump();
        self.bump();
        let second = self.four_digits().ok_or_else(no_digits)?;
        char::decode_utf16([first, second])
            .next()
            .and_then(Result::ok)
            .ok_or_else(lone)
    }

    fn four_digits(&mut self) -> Option<u16> {
        let digits = self.rest().get(..4)?;
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let value = u16::from_str_radix(digits, 16).ok()?;
        for _ in 0..4 {
            self.bump();
        }
        Some(value)
    }

    fn number(&mut self) -> Result<(Value, Place), ReadError> {
        let here = self.here();
        let begin = self.at;
        while self
            .peek()
            .is_some_and(|next| next.is_ascii_alphanumeric() || "+-.".contains(next))
        {
            self.bump();
        }
        let digits = self.text.get(begin..self.at).unwrap_or_default();
        let number: Number =
            serde_json::from_str(digits).map_err(|_| here.fault("this is no number of JSON"))?;
        Ok((Value::Number(number), self.place()))
    }

    fn word(&mut self) -> Result<(Value, Place), ReadError> {
        let here = self.here();
        let begin = self.at;
        while self.peek().is_some_and(char::is_alphanumeric) {
            self.bump();
        }
        let value = match self.text.get(begin..self.at) {
            Some("true") => Value::Bool(true),
            Some("false") => Value::Bool(false),
            Some("null") => Value::Null,
            _ => return Err(here.fault("here a value is expected")),
        };
        Ok((value, self.place()))
    }
}

/// The members of one object while it is read.
#[derive(Default)]
struct Members {
    values: Map<String, Value>,
    places: Vec<Place>,
    /// Names that differ in letter case only are members of their own.
    keeps_spellings: bool,
    /// Each name in lower case, with where it is and how it was written.
    known: HashMap<String, (usize, String)>,
}

impl Members {
    /// `Err` with the other name and this one where they differ in letter case only.
    fn insert(&mut self, key: String, value: Value, place: Place) -> Result<(), (String, String)> {
        let lower = if self.keeps_spellings {
            key.clone()
        } else {
            key.to_ascii_lowercase()
        };
        match self.known.get(&lower) {
            Some((_, written)) if *written != key => return Err((written.clone(), key)),
            Some((index, _)) => {
                if let Some(old) = self.places.get_mut(*index) {
                    *old = place;
                }
            }
            None => {
                self.known.insert(lower, (self.places.len(), key.clone()));
                self.places.push(place);
            }
        }
        self.values.insert(key, value);
        Ok(())
    }
}

#[cfg(test)]
#[path = "read_tests.rs"]
mod tests;
