//! What a tool answers, in bounded size.

use rmcp::model::{CallToolResult, ContentBlock};
use serde_json::Value;

use crate::sentence::Sentence;

/// Most of an answer's text, in bytes.
const TEXT_BYTES_MAX: usize = 48 * 1024;
/// Most of an answer's JSON, in bytes.
const JSON_BYTES_MAX: usize = 256 * 1024;

/// The same thing for programs and for people.
pub(super) struct Answer {
    /// An object: clients of before 2026 take no other.
    pub(super) json: Value,
    pub(super) text: String,
    /// What makes the answer smaller.
    pub(super) narrower: &'static str,
}

impl Answer {
    /// As the protocol has it. What is too large is left out, and the text says so.
    pub(super) fn into_result(self) -> CallToolResult {
        let Self {
            json,
            mut text,
            narrower,
        } = self;
        let size = json.to_string().len();
        let is_fit = size <= JSON_BYTES_MAX;
        cut(&mut text);
        if !is_fit {
            text.push_str(&format!(
                "\n\n(The JSON of this answer is left out: it has {size} bytes, and at most \
                 {JSON_BYTES_MAX} are sent. {narrower})"
            ));
        }
        let mut result = CallToolResult::success(vec![ContentBlock::text(text)]);
        result.structured_content = is_fit.then_some(json);
        result
    }
}

/// What went wrong, in a sentence for whoever asked.
pub(super) fn failure(why: &Sentence) -> CallToolResult {
    let mut text = why.to_string();
    cut(&mut text);
    CallToolResult::error(vec![ContentBlock::text(text)])
}

/// Cuts a text that is too long, where a line ends if one does.
fn cut(text: &mut String) {
    let all = text.len();
    if all <= TEXT_BYTES_MAX {
        return;
    }
    let mut end = TEXT_BYTES_MAX;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    if let Some(line) = text.rfind('\n').filter(|at| *at > 0) {
        text.truncate(line);
    }
    let left = all - text.len();
    text.push_str(&format!("\n… ({left} more bytes of text are left out.)"));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn answer(json: Value, text: String) -> (String, Option<Value>) {
        let narrower = "Name a pool.";
        let result = Answer {
            json,
            text,
            narrower,
        }
        .into_result();
        let text = result.content[0].as_text().unwrap().text.clone();
        (text, result.structured_content)
    }

    #[test]
    fn what_fits_is_whole() {
        let (text, json) = answer(json!({"a": 1}), "one\ntwo".to_owned());
        assert_eq!((text.as_str(), json), ("one\ntwo", Some(json!({"a": 1}))));
    }

    #[test]
    fn what_is_too_large_is_left_out_and_the_text_says_so() {
        let (text, json) = answer(json!({"a": "x".repeat(JSON_BYTES_MAX)}), "one".to_owned());
        assert_eq!(json, None);
        assert!(text.starts_with("one\n\n(The JSON of this answer is left out: it has 2621"));
        assert!(text.ends_with("Name a pool.)"), "{text}");
    }

    #[test]
    fn a_long_text_is_cut_where_a_line_ends() {
        let line = format!("{}\n", "ä".repeat(500));
        let (text, _) = answer(json!({}), line.repeat(100));
        assert!(text.len() < TEXT_BYTES_MAX + 100);
        assert!(text.contains("ä\n… ("), "{}", &text[text.len() - 200..]);
        let (text, _) = answer(json!({}), "ä".repeat(TEXT_BYTES_MAX));
        assert!(text.ends_with(" more bytes of text are left out.)"));
        assert!(text.len() < TEXT_BYTES_MAX + 100);
    }
}
