//! From tokens to the tree.

use super::TokenKind;
use super::lexer::tokens;
use super::{Call, Fault, MAX_EXPRESSION_BYTES, MAX_EXPRESSION_DEPTH, Node, NodeKind, Token};

/// Parses an expression with its brackets.
pub(crate) fn parse(expression: &str) -> Result<Node, Fault> {
    if expression.len() > MAX_EXPRESSION_BYTES {
        let message = format!(
            "The template language expression exceeds the limit: '{MAX_EXPRESSION_BYTES}' \
             characters, and has '{}'.",
            expression.len()
        );
        return Err(Fault { message, at: 0 });
    }
    let inner = expression
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let tokens = tokens(inner.unwrap_or_default())?;
    let mut parser = Parser {
        tokens: tokens.into_iter().peekable(),
    };
    let (node, _) = parser.expression(0)?;
    match parser.next() {
        Token {
            kind: TokenKind::EndOfData,
            ..
        } => Ok(node),
        other => Err(unexpected(&other, "EndOfData")),
    }
}

struct Parser {
    tokens: std::iter::Peekable<std::vec::IntoIter<Token>>,
}

impl Parser {
    fn next(&mut self) -> Token {
        let end = Token {
            kind: TokenKind::EndOfData,
            at: 0,
        };
        self.tokens.next().unwrap_or(end)
    }

    fn take(&mut self, wanted: &TokenKind) -> bool {
        self.tokens.next_if(|token| token.kind == *wanted).is_some()
    }

    fn expect(&mut self, wanted: &TokenKind) -> Result<(), Fault> {
        match self.next() {
            token if token.kind == *wanted => Ok(()),
            other => Err(unexpected(&other, wanted.name())),
        }
    }

    /// A literal or a call, and what is taken out of it; with the height of its tree.
    fn expression(&mut self, depth: usize) -> Result<(Node, usize), Fault> {
        let (mut node, mut height) = self.primary(depth)?;
        loop {
            let Some(token) = self.tokens.next_if(|token| begins_access(&token.kind)) else {
                return Ok((node, height));
            };
            let safe = matches!(token.kind, TokenKind::SafeDot | TokenKind::SafeBracket);
            let key = match token.kind {
                TokenKind::Dot | TokenKind::SafeDot => {
                    let (name, at) = self.identifier()?;
                    Node {
                        kind: NodeKind::Text(name),
                        at,
                    }
                }
                _ => {
                    let (key, inner) = self.expression(depth + 1)?;
                    self.expect(&TokenKind::RightBracket)?;
                    height = height.max(inner);
                    key
                }
            };
            height += 1;
            within(depth + height, token.at)?;
            let kind = NodeKind::Access {
                of: Box::new(node),
                key: Box::new(key),
                safe,
            };
            node = Node { kind, at: token.at };
        }
    }

    fn primary(&mut self, depth: usize) -> Result<(Node, usize), Fault> {
        let token = self.next();
        within(depth, token.at)?;
        let kind = match token.kind {
            TokenKind::Text(text) => NodeKind::Text(text),
            TokenKind::Integer(number) => NodeKind::Integer(number),
            TokenKind::Float(number) => NodeKind::Float(number),
            TokenKind::Identifier(name) => return self.call(name, token.at, depth),
            _ => return Err(unexpected(&token, "Identifier")),
        };
        Ok((Node { kind, at: token.at }, 1))
    }

    /// After its first name: `.name` of a function in a namespace, and the arguments.
    fn call(&mut self, first: String, at: usize, depth: usize) -> Result<(Node, usize), Fault> {
        let (namespace, name) = if self.take(&TokenKind::Dot) {
            (Some(first), self.identifier()?.0)
        } else {
            (None, first)
        };
        self.expect(&TokenKind::LeftParenthesis)?;
        let (mut arguments, mut height) = (Vec::new(), 0);
        if !self.take(&TokenKind::RightParenthesis) {
            loop {
                let (argument, inner) = self.expression(depth + 1)?;
                height = height.max(inner);
                arguments.push(argument);
                if self.take(&TokenKind::Comma) {
                    continue;
                }
                self.expect(&TokenKind::RightParenthesis)?;
                break;
            }
        }
        let kind = NodeKind::Call(Call {
            namespace,
            name,
            arguments,
        });
        Ok((Node { kind, at }, height + 1))
    }

    fn identifier(&mut self) -> Result<(String, usize), Fault> {
        match self.next() {
            Token {
                kind: TokenKind::Identifier(name),
                at,
            } => Ok((name, at)),
            other => Err(unexpected(&other, "Identifier")),
        }
    }
}

fn begins_access(kind: &TokenKind) -> bool {
    use TokenKind::{Dot, LeftBracket, SafeBracket, SafeDot};
    matches!(kind, Dot | SafeDot | LeftBracket | SafeBracket)
}

fn within(depth: usize, at: usize) -> Result<(), Fault> {
    if depth <= MAX_EXPRESSION_DEPTH {
        return Ok(());
    }
    let message = format!(
        "The language expression is nested more than '{MAX_EXPRESSION_DEPTH}' deep at position \
         '{at}'."
    );
    Err(Fault { message, at })
}

fn unexpected(found: &Token, expected: &str) -> Fault {
    let message = format!(
        "Unable to parse language expression: expected token '{expected}' and actual '{}' at \
         position '{}'.",
        found.kind.name(),
        found.at
    );
    Fault {
        message,
        at: found.at,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(expression: &str) -> String {
        parse(expression).unwrap_err().message
    }

    #[test]
    fn a_call_with_what_is_taken_out_of_it() {
        let node = parse("[ a.b( 'it''s', -7 ).c[0].?d ]").unwrap();
        let NodeKind::Access { of, key, safe } = node.kind else {
            panic!("no access");
        };
        assert!(safe);
        assert_eq!(key.kind, NodeKind::Text("d".to_owned()));
        let NodeKind::Access { of, key, .. } = of.kind else {
            panic!("no access");
        };
        assert_eq!(key.kind, NodeKind::Integer(0));
        let NodeKind::Access { of, .. } = of.kind else {
            panic!("no access");
        };
        let NodeKind::Call(call) = of.kind else {
            panic!("no call");
        };
        assert_eq!(
            (call.namespace.as_deref(), call.name.as_str()),
            (Some("a"), "b")
        );
        let kinds: Vec<_> = call
            .arguments
            .iter()
            .map(|node| (&node.kind, node.at))
            .collect();
        let text = NodeKind::Text("it's".to_owned());
        assert_eq!(kinds, [(&text, 7), (&NodeKind::Integer(-7), 16)]);
    }

    #[test]
    fn what_is_no_expression_is_told_with_its_position() {
        assert!(message("[]").contains("expected token 'Identifier' and actual 'EndOfData'"));
        assert!(message("[a]").contains("expected token 'LeftParenthesis' and actual 'EndOfData'"));
        assert!(message("[a(]").contains("'EndOfData' at position '3'"));
        assert!(message("[a('x)]").contains("position '3' has no closing quote"));
        assert!(
            message("[a() b()]").contains("expected token 'EndOfData' and actual 'Identifier'")
        );
        assert!(message("[a(#)]").contains("character '#' at position '3'"));
        assert!(message("[a().0]").contains("expected token 'Identifier' and actual 'Integer'"));
        assert!(message("[a(1,)]").contains("actual 'RightParenthesis'"));
        assert!(message("[a(99999999999999999999)]").contains("position '3' is not expected"));
    }

    #[test]
    fn depth_and_length_are_bounded() {
        let calls = |n| format!("[{}{}]", "a(".repeat(n), ")".repeat(n));
        assert!(parse(&calls(MAX_EXPRESSION_DEPTH)).is_ok());
        assert!(message(&calls(MAX_EXPRESSION_DEPTH + 2)).contains("deep"));
        assert!(message(&format!("[a(){}]", ".b".repeat(100))).contains("deep"));
        let indices = format!("[a(){}{}]", "[a()".repeat(100), "]".repeat(100));
        assert!(message(&indices).contains("deep"));
        let together = format!("[a(b(){}){}]", ".c".repeat(40), ".d".repeat(40));
        assert!(message(&together).contains("deep"));
        assert!(message(&format!("[a('{}')]", "x".repeat(30_000))).contains("exceeds the limit"));
    }
}
