use serde_json::json;

use super::*;
use crate::document::Path;

fn fault(text: &str) -> (u32, u32, String) {
    match read_text(text.as_bytes()) {
        Err(ReadError::Malformed {
            line,
            column,
            reason,
        }) => (line, column, reason),
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn more_than_json_is_read() {
    let text = "\u{FEFF}// first\n{ \"a\": 1, template:{ 'b': 'it\\'s', /* c\n */ \
                \"d\": [1.5, -2,],},\n \
                e$_1 : \"two\nlines\", \"f\": \"\\u00e9\\ud83d\\ude00\\n\", \
                g: null, h: true } // end";
    let value = read_text(text.as_bytes()).unwrap();
    assert_eq!(
        value,
        json!({"a": 1, "template": {"b": "it's", "d": [1.5, -2]}, "e$_1": "two\nlines",
               "f": "é😀\n", "g": null, "h": true})
    );
}

#[test]
fn what_json_reads_is_read_alike() {
    for text in [
        "{}",
        "[]",
        "0",
        "-1.25e3",
        "\"\"",
        " [ { \"a\" : [ ] } , null ] ",
        "18446744073709551615",
    ] {
        let strict: Value = serde_json::from_str(text).unwrap();
        assert_eq!(read_text(text.as_bytes()).unwrap(), strict, "{text}");
    }
}

#[test]
fn what_commands_print_is_read_without_their_warnings() {
    let warning = "WARNING: This command is in preview.\n";
    let shell =
        "az : WARNING: x\nAt line:1 char:1\n+ az network nsg list\n    + FullyQualified\n\n";
    for (text, expected) in [
        ("{\"a\": 1}".to_owned(), vec![json!({"a": 1})]),
        (format!("{warning}[1]\n"), vec![json!([1])]),
        (
            "C:\\az\\x.py:17: UserWarning: 32-bit\n  import x\n[1]\n".to_owned(),
            vec![json!([1])],
        ),
        (format!("{warning}{warning}\n[1]\n"), vec![json!([1])]),
        (format!("[1]\n{warning}"), vec![json!([1])]),
        (format!("{shell}[1]\r\n"), vec![json!([1])]),
        (format!("[1]\n{warning}[2]"), vec![json!([1]), json!([2])]),
        (
            "{\"a\": 1}\n{\"a\": 2}\n".to_owned(),
            vec![json!({"a": 1}), json!({"a": 2})],
        ),
        ("\"WARNING\"".to_owned(), vec![json!("WARNING")]),
        (
            "{\"a\": 1, \"A\": 2, \"a\": 3}".to_owned(),
            vec![json!({"a": 3, "A": 2})],
        ),
    ] {
        assert_eq!(read_printed(text.as_bytes()).unwrap(), expected, "{text}");
    }
    for (text, reason) in [
        ("", "a value is expected (line 1, column 1)"),
        (warning, "a value is expected (line 2, column 1)"),
        ("ERROR: (NotFound) x\n", "(line 1, column 1)"),
        (
            "[1] x",
            "'x' after the end of the document (line 1, column 5)",
        ),
        (
            "[1]\n2",
            "'2' after the end of the document (line 2, column 1)",
        ),
        ("[1] {", "(line 1, column 6)"),
    ] {
        let error = read_printed(text.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(reason), "{text}: {error}");
    }
}

#[test]
fn byte_order_marks_and_wide_texts_are_read() {
    let text = "{\"a\": \"é\"}";
    let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let marked = |mark: &[u8], text: &[u8]| [mark, text].concat();
    for bytes in [
        marked(&[0xEF, 0xBB, 0xBF], text.as_bytes()),
        marked(&[0xFF, 0xFE], &little),
        marked(&[0xFE, 0xFF], &big),
        little.clone(),
        big.clone(),
    ] {
        assert_eq!(read_text(&bytes).unwrap(), json!({"a": "é"}), "{bytes:?}");
    }
    assert!(read_text(&[0xFF, 0xFE, 0x7B]).is_err());
    assert!(read_text(&[0xFF, 0xFE, 0x00, 0xD8]).is_err());
    let error = read_text(b"{\n\"a\": \"\xFF\"}").unwrap_err();
    assert_eq!(
        error.to_string(),
        "the text is not JSON: the text is not UTF-8 (line 2, column 7)"
    );
}

#[test]
fn faults_have_a_place_and_a_reason() {
    let cases = [
        ("", 1, 1, "ends where a value"),
        ("{", 1, 2, "where the name of a member is expected"),
        ("{\"a\" 1}", 1, 6, "':' after the name"),
        ("{\"a\": 1 \"b\": 2}", 1, 9, "',' or '}'"),
        ("[1 2]", 1, 4, "',' or ']'"),
        ("[,]", 1, 2, "a value is expected"),
        ("{\n \"a\": tru }", 2, 7, "a value is expected"),
        ("1 2", 1, 3, "after the end"),
        ("\"abc", 1, 1, "no end"),
        ("/* x", 1, 1, "no end"),
        ("/ x", 1, 1, "begins with"),
        ("\"\\q\"", 1, 3, "no escape"),
        ("\"\\u12g4\"", 1, 4, "four hexadecimal"),
        ("\"\\ud800x\"", 1, 4, "surrogate"),
        ("01", 1, 1, "no number"),
        ("-", 1, 1, "no number"),
        ("1.2.3", 1, 1, "no number"),
        ("{1: 2}", 1, 2, "name of a member"),
    ];
    for (text, line, column, words) in cases {
        let (found_line, found_column, reason) = fault(text);
        assert_eq!(
            (found_line, found_column),
            (line, column),
            "{text}: {reason}"
        );
        assert!(reason.contains(words), "{text}: {reason}");
    }
}

#[test]
fn a_name_given_twice_means_its_last_value_and_another_case_is_refused() {
    let text = "{\"a\": 1, \"b\": 2,\n\"a\": {\n\"c\": 3}}";
    let document = read_document(text.as_bytes()).unwrap();
    assert_eq!(document.value(), &json!({"a": {"c": 3}, "b": 2}));
    assert_eq!(document.position(&Path::to(&["a"])), (2, 6));
    assert_eq!(document.position(&Path::to(&["a", "c"])), (3, 6));
    let (line, _, reason) = fault("{\"a\": 1,\n\"A\": 2}");
    assert_eq!(
        (line, reason.as_str()),
        (2, "'A' and 'a' differ in letter case only")
    );
}

#[test]
fn positions_are_those_that_the_service_gives() {
    // Recorded: line 18, column 20 for a member like this one.
    let text = format!("{{\n{}    \"extra_param\": {{\n }}}}", "\n".repeat(16));
    let document = read_document(text.as_bytes()).unwrap();
    assert_eq!(document.position(&Path::to(&["extra_param"])), (18, 20));
    let document = read_document("{\"a\": \"b😀\", \"c\": [\r\n1,\r22]}".as_bytes()).unwrap();
    assert_eq!(document.position(&Path::to(&["a"])), (1, 11));
    let list = Path::to(&["c"]);
    assert_eq!(document.position(&list.index(0)), (2, 1));
    assert_eq!(document.position(&list.index(1)), (3, 2));
    assert_eq!(document.position(&list.index(7)), (1, 19));
}

#[test]
fn a_part_keeps_its_positions_and_its_path() {
    let text = b"{properties: {\nTemplate: {a: [\n1]}}}";
    let document = read_document(text).unwrap();
    let part = document.part(&["Properties", "template"]).unwrap();
    assert_eq!(part.value(), &json!({"a": [1]}));
    let path = Path::to(&["a"]).index(0);
    assert_eq!(part.position(&path), (3, 1));
    assert_eq!(
        part.full_path(&path).to_string(),
        "properties.Template.a[0]"
    );
    assert!(document.part(&["properties", "other"]).is_none());
}

#[test]
fn depth_and_size_are_bounded() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(read_text(nested(MAX_DEPTH).as_bytes()).is_ok());
    assert!(
        fault(&nested(MAX_DEPTH + 1))
            .2
            .contains("inside each other")
    );
    assert!(
        fault(&"{a:".repeat(1_000_000))
            .2
            .contains("inside each other")
    );
    let large = vec![b' '; MAX_TEXT_BYTES + 1];
    let bytes = MAX_TEXT_BYTES + 1;
    assert_eq!(read_text(&large), Err(ReadError::TooLarge { bytes }));
}
