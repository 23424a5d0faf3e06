//! The expression language: what stands between `[` and `]` in a text of a template.
//!
//! An expression is a call with what is taken out of its result: `concat('a', b.c('d')).e[0].?f`.
//! There are no operators; literals are texts in single quotes (`''` is a quote in them) and
//! numbers. Names are read in any letter case.

mod lexer;
mod parser;

pub(crate) use lexer::{Token, TokenKind};
pub(crate) use parser::parse;

/// Longest expression, in bytes (the service: 24,576 characters).
pub const MAX_EXPRESSION_BYTES: usize = 24_576;

/// Deepest nesting of an expression: calls, indices and chained accesses together.
pub const MAX_EXPRESSION_DEPTH: usize = 64;

/// A part of an expression, and where it begins.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    pub(crate) kind: NodeKind,
    /// In bytes, from the `[`.
    pub(crate) at: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum NodeKind {
    Text(String),
    Integer(i64),
    Float(f64),
    Call(Call),
    /// What is inside `of`, by name or index. `safe`: null where there is nothing.
    Access {
        of: Box<Node>,
        key: Box<Node>,
        safe: bool,
    },
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Call {
    pub(crate) namespace: Option<String>,
    pub(crate) name: String,
    pub(crate) arguments: Vec<Node>,
}

/// A fault of an expression, or of its evaluation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) message: String,
    /// In bytes, from the `[`.
    pub(crate) at: usize,
}

/// What a text of a template stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Meaning<'a> {
    Literal(&'a str),
    /// With its brackets.
    Expression(&'a str),
}

/// A text in brackets is an expression; a second `[` takes that back, and is dropped. A text that
/// begins with `[` and does not end with `]` means itself.
pub(crate) fn meaning(text: &str) -> Meaning<'_> {
    if !(text.starts_with('[') && text.ends_with(']')) {
        return Meaning::Literal(text);
    }
    match text.strip_prefix('[') {
        Some(rest) if rest.starts_with('[') => Meaning::Literal(rest),
        _ => Meaning::Expression(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_make_an_expression_and_two_of_them_take_it_back() {
        assert_eq!(meaning("[a()]"), Meaning::Expression("[a()]"));
        assert_eq!(meaning("[[a]"), Meaning::Literal("[a]"));
        for itself in ["", "[", "]", "[a", "a]", " [a]", "[[a"] {
            assert_eq!(meaning(itself), Meaning::Literal(itself));
        }
    }
}
