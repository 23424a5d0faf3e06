//! Tokens of an expression, with their spans.

use winnow::Parser;
use winnow::ascii::{digit1, multispace0};
use winnow::combinator::{alt, delimited, opt, repeat};
use winnow::error::{EmptyError, Result};
use winnow::stream::LocatingSlice;
use winnow::token::{any, one_of, take_till, take_while};

use super::Fault;

type Input<'a> = LocatingSlice<&'a str>;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Token {
    pub(crate) kind: TokenKind,
    /// In bytes, from the `[`.
    pub(crate) at: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum TokenKind {
    Identifier(String),
    Text(String),
    Integer(i64),
    Float(f64),
    LeftParenthesis,
    RightParenthesis,
    LeftBracket,
    /// `[?`
    SafeBracket,
    RightBracket,
    Dot,
    /// `.?`
    SafeDot,
    Comma,
    EndOfData,
}

impl TokenKind {
    /// The service's name for it.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Identifier(_) => "Identifier",
            Self::Text(_) => "LiteralString",
            Self::Integer(_) => "Integer",
            Self::Float(_) => "Float",
            Self::LeftParenthesis => "LeftParenthesis",
            Self::RightParenthesis => "RightParenthesis",
            Self::LeftBracket | Self::SafeBracket => "LeftSquareBracket",
            Self::RightBracket => "RightSquareBracket",
            Self::Dot | Self::SafeDot => "Dot",
            Self::Comma => "Comma",
            Self::EndOfData => "EndOfData",
        }
    }
}

/// The tokens of what stands between the outer brackets, with `EndOfData` as the last.
///
/// `inner` begins one byte after the `[`; positions count from the `[`.
pub(crate) fn tokens(inner: &str) -> std::result::Result<Vec<Token>, Fault> {
    let mut input = LocatingSlice::new(inner);
    let mut tokens = Vec::new();
    loop {
        if blank(&mut input).is_err() || input.is_empty() {
            break;
        }
        let left = input.len();
        let at = inner.len() - left + 1;
        match token.with_span().parse_next(&mut input) {
            Ok((kind, span)) => tokens.push(Token {
                kind,
                at: span.start + 1,
            }),
            Err(EmptyError) => return Err(unreadable(inner, at)),
        }
    }
    tokens.push(Token {
        kind: TokenKind::EndOfData,
        at: inner.len() + 1,
    });
    Ok(tokens)
}

fn unreadable(inner: &str, at: usize) -> Fault {
    let found = inner.get(at - 1..).and_then(|rest| rest.chars().next());
    let message = match found {
        Some('\'') => format!(
            "The language expression is not valid: the string literal at position '{at}' has no \
             closing quote."
        ),
        found => format!(
            "The language expression is not valid: the string character '{}' at position '{at}' is \
             not expected.",
            found.unwrap_or_default()
        ),
    };
    Fault { message, at }
}

fn blank<'a>(input: &mut Input<'a>) -> Result<&'a str, EmptyError> {
    multispace0.parse_next(input)
}

fn token(input: &mut Input<'_>) -> Result<TokenKind, EmptyError> {
    alt((identifier, text, number, mark)).parse_next(input)
}

fn identifier(input: &mut Input<'_>) -> Result<TokenKind, EmptyError> {
    let first = one_of(|c: char| c.is_alphabetic() || c == '_' || c == '$');
    let rest = take_while(0.., |c: char| c.is_alphanumeric() || c == '_' || c == '$');
    (first, rest)
        .take()
        .map(|name: &str| TokenKind::Identifier(name.to_owned()))
        .parse_next(input)
}

/// A text in single quotes; two of them inside are one.
fn text(input: &mut Input<'_>) -> Result<TokenKind, EmptyError> {
    let plain = take_till(1.., '\'');
    let piece = alt((plain, "''".value("'")));
    let pieces = repeat(0.., piece).fold(String::new, |mut whole, piece: &str| {
        whole.push_str(piece);
        whole
    });
    delimited('\'', pieces, '\'')
        .map(TokenKind::Text)
        .parse_next(input)
}

fn number(input: &mut Input<'_>) -> Result<TokenKind, EmptyError> {
    let fraction = opt(('.', digit1));
    (opt('-'), digit1, fraction)
        .take()
        .verify_map(|digits: &str| {
            if digits.contains('.') {
                return digits.parse().ok().map(TokenKind::Float);
            }
            digits.parse().ok().map(TokenKind::Integer)
        })
        .parse_next(input)
}

fn mark(input: &mut Input<'_>) -> Result<TokenKind, EmptyError> {
    let safe = alt((
        "[?".value(TokenKind::SafeBracket),
        ".?".value(TokenKind::SafeDot),
    ));
    let single = any.verify_map(|found| {
        Some(match found {
            '(' => TokenKind::LeftParenthesis,
            ')' => TokenKind::RightParenthesis,
            '[' => TokenKind::LeftBracket,
            ']' => TokenKind::RightBracket,
            '.' => TokenKind::Dot,
            ',' => TokenKind::Comma,
            _ => return None,
        })
    });
    alt((safe, single)).parse_next(input)
}
