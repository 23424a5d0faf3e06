//! A JSON document that knows where each of its values stood in the text.
//!
//! The positions are a tree beside the values, of the same shape: 24 bytes for a value, and nothing
//! to pay for on the way of a template that has no faults. A path is looked up when there is
//! something to complain about.

use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use crate::error::{INVALID_TEMPLATE, TemplateError};

/// One step from a value to one inside of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Name(String),
    Index(usize),
}

/// A way from the root of a document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Path(Vec<Step>);

impl Path {
    pub(crate) fn to(names: &[&str]) -> Self {
        names
            .iter()
            .fold(Self::default(), |path, name| path.name(name))
    }

    pub(crate) fn name(&self, name: &str) -> Self {
        let mut longer = self.clone();
        longer.push_name(name);
        longer
    }

    pub(crate) fn index(&self, index: usize) -> Self {
        let mut longer = self.clone();
        longer.push_index(index);
        longer
    }

    pub(crate) fn push_name(&mut self, name: &str) {
        self.0.push(Step::Name(name.to_owned()));
    }

    pub(crate) fn push_index(&mut self, index: usize) {
        self.0.push(Step::Index(index));
    }

    pub(crate) fn pop(&mut self) {
        self.0.pop();
    }

    pub(crate) fn join(&self, more: &Path) -> Self {
        Self([self.0.as_slice(), more.0.as_slice()].concat())
    }
}

impl fmt::Display for Path {
    /// As the service prints it: `resources[0].properties.name`, odd names as `['a b']`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, step) in self.0.iter().enumerate() {
            match step {
                Step::Index(at) => write!(f, "[{at}]")?,
                Step::Name(name) if name.contains([' ', '.', '[', ']', '\'', '(', ')', '/']) => {
                    write!(f, "['{name}']")?;
                }
                Step::Name(name) => {
                    let dot = if index == 0 { "" } else { "." };
                    write!(f, "{dot}{name}")?;
                }
            }
        }
        Ok(())
    }
}

/// Line and column, and those of what is inside. See `TemplateError` for how they count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) line: u32,
    pub(crate) column: u32,
    /// In the order of the members or elements.
    pub(crate) inside: Box<[Place]>,
}

/// A value, and where each part of it stood. Parts share the text's values: they are cheap.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    root: Arc<Root>,
    /// From the root to this part.
    base: Path,
    /// Where the root is in the request.
    prefix: Path,
}

#[derive(Debug, PartialEq)]
struct Root {
    value: Value,
    place: Place,
}

impl Document {
    pub(crate) fn new(value: Value, place: Place) -> Self {
        Self {
            root: Arc::new(Root { value, place }),
            base: Path::default(),
            prefix: Path::default(),
        }
    }

    /// A value that was not read from a text by this crate: its positions are all 0.
    pub fn without_positions(value: Value) -> Self {
        Self::new(value, Place::default())
    }

    /// The value.
    pub fn value(&self) -> &Value {
        walk(&self.root.value, &self.base).unwrap_or(&Value::Null)
    }

    /// The value, without the positions.
    pub fn into_value(self) -> Value {
        match Arc::try_unwrap(self.root) {
            Ok(root) if self.base.0.is_empty() => root.value,
            Ok(root) => walk(&root.value, &self.base).cloned().unwrap_or_default(),
            Err(shared) => walk(&shared.value, &self.base).cloned().unwrap_or_default(),
        }
    }

    /// The part behind the members with these names, in any letter case. It keeps its positions
    /// and its path in the request.
    pub fn part(&self, names: &[&str]) -> Option<Document> {
        let mut path = Path::default();
        let mut value = self.value();
        for name in names {
            let (found, inner) = member(value, name)?;
            path.push_name(found);
            value = inner;
        }
        self.at(&path)
    }

    /// The same document at another place of the request: `["properties", "template"]` for a
    /// template that came in a file of its own.
    pub fn moved_to(mut self, names: &[&str]) -> Document {
        self.prefix = Path::to(names);
        self
    }

    /// The part at exactly this path.
    pub(crate) fn at(&self, path: &Path) -> Option<Document> {
        self.get(path)?;
        Some(Document {
            root: Arc::clone(&self.root),
            base: self.base.join(path),
            prefix: self.prefix.clone(),
        })
    }

    pub(crate) fn get(&self, path: &Path) -> Option<&Value> {
        walk(self.value(), path)
    }

    /// Line and column where it stands in the text that was read; 0 where there was none.
    pub fn place(&self) -> (u32, u32) {
        self.position(&Path::default())
    }

    /// Line and column of the deepest value on this path that has a position.
    pub(crate) fn position(&self, path: &Path) -> (u32, u32) {
        let (mut place, mut value) = (&self.root.place, &self.root.value);
        for step in self.base.0.iter().chain(&path.0) {
            let Some((inner, index)) = inside(value, step) else {
                break;
            };
            let Some(deeper) = place.inside.get(index) else {
                break;
            };
            (place, value) = (deeper, inner);
        }
        (place.line, place.column)
    }

    /// A fault of the template at this path: the service's envelope around the reason.
    pub(crate) fn invalid(&self, path: &Path, reason: &str) -> TemplateError {
        let (line, column) = self.position(path);
        TemplateError {
            code: INVALID_TEMPLATE,
            message: format!("Deployment template validation failed: '{reason}'."),
            line,
            column,
            path: self.full_path(path).to_string(),
        }
    }

    /// The path in the request.
    pub(crate) fn full_path(&self, path: &Path) -> Path {
        self.prefix.join(&self.base).join(path)
    }
}

fn walk<'a>(value: &'a Value, path: &Path) -> Option<&'a Value> {
    path.0.iter().try_fold(value, |value, step| match step {
        Step::Name(name) => value.as_object()?.get(name),
        Step::Index(index) => value.as_array()?.get(*index),
    })
}

fn inside<'a>(value: &'a Value, step: &Step) -> Option<(&'a Value, usize)> {
    match step {
        Step::Index(index) => Some((value.as_array()?.get(*index)?, *index)),
        Step::Name(name) => {
            let mut members = value.as_object()?.iter().enumerate();
            let (index, (_, inner)) = members.find(|(_, (key, _))| *key == name)?;
            Some((inner, index))
        }
    }
}

/// The member with this name in any letter case, and its name as it is written.
pub(crate) fn member<'a>(value: &'a Value, name: &str) -> Option<(&'a str, &'a Value)> {
    let members = value.as_object()?;
    if let Some((key, inner)) = members.get_key_value(name) {
        return Some((key, inner));
    }
    let mut members = members.iter();
    let (key, inner) = members.find(|(key, _)| key.eq_ignore_ascii_case(name))?;
    Some((key, inner))
}

/// As [`member`], and absent where the value is null.
pub(crate) fn given<'a>(value: &'a Value, name: &str) -> Option<(&'a str, &'a Value)> {
    member(value, name).filter(|(_, inner)| !inner.is_null())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_written_as_the_service_writes_it() {
        let path = Path::to(&["properties", "template", "resources"])
            .index(2)
            .name("a.b")
            .name("c");
        assert_eq!(
            path.to_string(),
            "properties.template.resources[2]['a.b'].c"
        );
    }
}
