//! No text makes any of this panic, and what is read is what was written.

mod common;

use common::{Echo, planned};
use gatewright_template::{Template, plan, read_document, read_text};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// Pieces of which both good and bad texts are made.
const MARKS: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "'",
    "/*",
    "*/",
    "//",
    "\n",
    "\\",
    "\\u12",
    "a",
    "resources",
    "1",
    "-",
    ".5",
    "null",
    "true",
    " ",
    "é",
    "\u{FEFF}",
    "copy",
    "\"type\": \"A.B/c\",",
];

const WORDS: &[&str] = &[
    "concat(",
    "if(",
    "true()",
    "variables('a')",
    "parameters('p')",
    "reference('r')",
    "(",
    ")",
    "[",
    "]",
    ".",
    ".?",
    "[?",
    ",",
    "'",
    "''",
    "x",
    "-1",
    "0",
    "9223372036854775807",
    "1.5",
    " ",
    "format('{0}',",
    "substring('é',",
    "map(",
    "lambda('x',",
    "lambdaVariables('x')",
    "range(",
    "split(",
    "cidrSubnet('10.0.0.0/8',",
    "dateTimeAdd('2026-01-31',",
    "'P1M'",
    "createObject('a',",
    "a.b(",
    "copyIndex(",
    "resourceId('A.B/c',",
    "json('[1]')",
    "padLeft(",
    "union(",
    "uri('http://a',",
    "int('1')",
    "min(",
    "take(",
    "skip(",
    "listKeys('r',",
    "items(",
    "é",
];

fn pieces(of: &'static [&'static str], most: usize) -> impl Strategy<Value = String> {
    let piece = proptest::sample::select(of);
    proptest::collection::vec(piece, 0..most).prop_map(|pieces| pieces.concat())
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 64, 8, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            proptest::collection::vec(("[a-z\"\\\\ ]{0,6}", inner), 0..8).prop_map(|members| {
                let members: Map<String, Value> = members.into_iter().collect();
                Value::Object(members)
            }),
        ]
    })
}

/// Everything that can be done with a template.
fn use_up(template: &Value) {
    let Ok(plan) = planned(template, json!({})) else {
        return;
    };
    let runtime = Echo::default();
    for resource in &plan.resources {
        drop(resource.body(&runtime));
        drop(resource.nested(&runtime));
    }
    drop(plan.outputs(&runtime));
    drop((
        plan.dependencies(),
        plan.providers(),
        plan.parameters(),
        plan.output_resources(),
    ));
}

/// A template with this expression in every place where one may be.
fn with_expression(expression: &str) -> Value {
    let text = format!("[{expression}]");
    json!({
        "parameters": {"p": {"type": "string", "defaultValue": "p"}},
        "variables": {"a": ["a", {"b": 1}]},
        "functions": [{"namespace": "a", "members": {
            "b": {"parameters": [{"name": "p"}], "output": {"value": text}},
        }}],
        "resources": [{
            "type": "A.B/c", "apiVersion": "1", "name": "r", "properties": {"x": text, "copy": [
                {"name": "y", "count": 1, "input": text},
            ]},
        }],
        "outputs": {"o": {"type": "string", "value": text}},
    })
}

proptest! {
    #[test]
    fn any_bytes_can_be_read_or_not(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        drop(read_text(&bytes));
    }

    #[test]
    fn any_marks_can_be_read_or_not(text in pieces(MARKS, 40)) {
        if let Ok(document) = read_document(text.as_bytes())
            && let Ok(template) = Template::read(document)
        {
            drop(plan(&template, &Map::new(), &common::scope()));
        }
    }

    #[test]
    fn what_is_written_is_read(value in any_value()) {
        for text in [value.to_string(), serde_json::to_string_pretty(&value).unwrap()] {
            let strict: Value = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(read_text(text.as_bytes()).unwrap(), strict);
        }
    }

    #[test]
    fn any_expression_has_a_value_or_a_fault(text in pieces(WORDS, 16)) {
        use_up(&with_expression(&text));
        use_up(&json!({"resources": [], "variables": {"v": format!("[{text}]")}}));
        let head = json!({"type": "A.B/c", "apiVersion": "1", "name": format!("[{text}]"),
            "condition": format!("[{text}]"), "dependsOn": [format!("[{text}]")]});
        use_up(&json!({"resources": [head]}));
        use_up(&json!({"resources": [], "parameters": {"p": {"type": "object",
            "defaultValue": format!("[{text}]")}}}));
    }

    #[test]
    fn any_value_can_be_a_section(value in any_value(), at in 0..6_usize) {
        let name = ["parameters", "variables", "functions", "resources", "outputs", "metadata"][at];
        let mut template = json!({"resources": []});
        template[name] = value.clone();
        use_up(&template);
        use_up(&json!({"resources": [{"type": "A.B/c", "apiVersion": "1", "name": "n",
            "copy": value}]}));
        use_up(&json!({"resources": [{"type": "Microsoft.Resources/deployments",
            "apiVersion": "1", "name": "n",
            "properties": {"template": value, "parameters": value}}]}));
        use_up(&json!({"resources": [], "parameters": {"a": value}, "outputs": {"b": value}}));
    }
}
