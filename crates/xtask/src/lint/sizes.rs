//! Sizes: lines up to 100 columns, functions up to 70 lines, files up to 600.
//!
//! What is a little over is a notice, what is far over fails: small enough to read in a day.

use syn::spanned::Spanned;
use syn::visit::Visit;

use super::Finding;
use super::sources::Source;

const LINE_COLUMNS: usize = 100;
const FUNCTION_LINES: usize = 70;
const FUNCTION_LINES_AT_MOST: usize = 100;
const FILE_LINES: usize = 600;
const FILE_LINES_AT_MOST: usize = 1_000;

pub(crate) fn check(source: &Source) -> Vec<Finding> {
    let mut findings = check_lines(source);
    findings.extend(check_file(source));
    match functions(&source.text) {
        Ok(functions) => {
            findings.extend(
                functions
                    .iter()
                    .filter_map(|one| check_function(source, one)),
            );
        }
        Err(error) => {
            let what = format!("this is not Rust that can be read: {error}");
            findings.push(Finding::error(source.at(error.span().start().line), what));
        }
    }
    findings
}

fn check_lines(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, line) in source.text.lines().enumerate() {
        let columns = line.chars().count();
        // A link cannot be broken, and a reader never needs its far end.
        if columns > LINE_COLUMNS && !line.contains("https://") {
            let what = format!("this line has {columns} columns; break it at {LINE_COLUMNS}");
            findings.push(Finding::error(source.at(index + 1), what));
        }
    }
    findings
}

fn check_file(source: &Source) -> Option<Finding> {
    let lines = source.text.lines().count();
    let place = source.at(1);
    if lines > FILE_LINES_AT_MOST {
        let what = format!(
            "this file has {lines} lines; split it by idea (aim at {FILE_LINES}, \
             {FILE_LINES_AT_MOST} at most)"
        );
        return Some(Finding::error(place, what));
    }
    (lines > FILE_LINES).then(|| {
        let what = format!("this file has {lines} lines; {FILE_LINES} is the aim");
        Finding::notice(place, what)
    })
}

fn check_function(source: &Source, function: &Function) -> Option<Finding> {
    let Function { name, line, lines } = function;
    let place = source.at(*line);
    if *lines > FUNCTION_LINES_AT_MOST {
        let what = format!(
            "`{name}` has {lines} lines; split it (aim at {FUNCTION_LINES}, \
             {FUNCTION_LINES_AT_MOST} at most)"
        );
        return Some(Finding::error(place, what));
    }
    (*lines > FUNCTION_LINES).then(|| {
        Finding::notice(
            place,
            format!("`{name}` has {lines} lines; {FUNCTION_LINES} is the aim"),
        )
    })
}

/// A function with a body: its name, its first line, and its length in lines.
#[derive(Debug, PartialEq, Eq)]
struct Function {
    name: String,
    line: usize,
    lines: usize,
}

/// Every function, method and nested function; attributes and doc comments are not counted.
fn functions(text: &str) -> syn::Result<Vec<Function>> {
    let file = syn::parse_file(text)?;
    let mut finder = Finder::default();
    finder.visit_file(&file);
    Ok(finder.found)
}

#[derive(Default)]
struct Finder {
    found: Vec<Function>,
}

impl Finder {
    fn add(&mut self, signature: &syn::Signature, body: &syn::Block) {
        let first = signature.span().start().line;
        let last = body.span().end().line;
        self.found.push(Function {
            name: signature.ident.to_string(),
            line: first,
            lines: last + 1 - first,
        });
    }
}

impl<'ast> Visit<'ast> for Finder {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.add(&item.sig, &item.block);
        syn::visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.add(&item.sig, &item.block);
        syn::visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        if let Some(body) = &item.default {
            self.add(&item.sig, body);
        }
        syn::visit::visit_trait_item_fn(self, item);
    }
}

#[cfg(test)]
mod tests {
    use super::super::Weight;
    use super::*;

    fn source(text: String) -> Source {
        Source {
            path: "src/a.rs".to_owned(),
            text,
        }
    }

    /// A function of exactly so many lines, its braces included.
    fn function_of(lines: usize) -> String {
        format!("fn long() {{\n{}}}\n", "    step();\n".repeat(lines - 2))
    }

    fn weights(text: String) -> Vec<Weight> {
        check(&source(text))
            .iter()
            .map(|finding| finding.weight)
            .collect()
    }

    #[test]
    fn a_function_is_free_to_70_lines_noticed_to_100_and_refused_beyond() {
        assert_eq!(weights(function_of(70)), []);
        assert_eq!(weights(function_of(71)), [Weight::Notice]);
        assert_eq!(weights(function_of(100)), [Weight::Notice]);
        assert_eq!(weights(function_of(101)), [Weight::Error]);
    }

    #[test]
    fn functions_are_found_wherever_they_hide() {
        let text = "\
/// Doc lines do not count.
#[inline]
pub fn free() { // not a brace: }
    let tricky = \"} fn no() {\";
    fn nested() {}
}
trait T {
    fn declared();
    fn defaulted() {
    }
}
impl S {
    async fn method(
        &self,
    ) {
    }
}
mod m { const fn inner() {} }
";
        let found = functions(text).expect("this is Rust");
        let found: Vec<_> = found
            .iter()
            .map(|one| (one.name.as_str(), one.line, one.lines))
            .collect();
        let expected = [
            ("free", 3, 4),
            ("nested", 5, 1),
            ("defaulted", 9, 2),
            ("method", 13, 4),
            ("inner", 18, 1),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn text_that_is_not_rust_is_a_finding_at_its_line() {
        let findings = check(&source("fn good() {}\nfn bad( {\n".to_owned()));
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].weight, Weight::Error);
        assert!(
            findings[0].place.starts_with("src/a.rs:2"),
            "{}",
            findings[0]
        );
    }

    #[test]
    fn a_line_may_have_100_columns_and_counts_characters_not_bytes() {
        let comment = |columns: usize| format!("//{}\n", "é".repeat(columns - 2));
        assert_eq!(weights(comment(100)), []);
        assert_eq!(weights(comment(101)), [Weight::Error]);
        assert_eq!(
            weights(format!("// https://example.com/{}\n", "x".repeat(100))),
            []
        );
    }

    #[test]
    fn a_file_is_free_to_600_lines_noticed_to_1000_and_refused_beyond() {
        assert_eq!(weights("// x\n".repeat(600)), []);
        assert_eq!(weights("// x\n".repeat(601)), [Weight::Notice]);
        assert_eq!(weights("// x\n".repeat(1_001)), [Weight::Error]);
    }
}
