//! The resources of a template by everything that they are called.

use std::collections::HashMap;
use std::sync::Arc;

use super::expand::Head;

/// A resource that is meant by a name or an id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) id: String,
    pub(crate) api_version: Option<String>,
    /// Its number among the resources of this template; `None` for another's, and for one that is
    /// only declared as existing.
    pub(crate) index: Option<usize>,
}

struct Entry {
    target: Target,
    /// What is behind the resource group in its id, in lower case.
    tail: String,
    condition: bool,
}

/// Names are in lower case.
#[derive(Default)]
pub(crate) struct Index {
    entries: Vec<Entry>,
    symbols: HashMap<String, usize>,
    loops: HashMap<String, Vec<usize>>,
    names: HashMap<String, Vec<usize>>,
    /// Of the template around, where this one's expressions are evaluated in its scope.
    around: Option<Arc<Index>>,
}

impl Index {
    pub(crate) fn new(heads: &[Head], around: Option<Arc<Index>>) -> Self {
        let mut index = Self {
            around,
            ..Self::default()
        };
        for (number, head) in heads.iter().enumerate() {
            index.add(number, head);
        }
        index
    }

    fn add(&mut self, number: usize, head: &Head) {
        let id = head.id.to_ascii_lowercase();
        let tail = id
            .split_once("/providers/")
            .map_or("", |(_, tail)| tail)
            .to_owned();
        let name = head.name.to_ascii_lowercase();
        let typed = format!("{}/{name}", head.kind.to_ascii_lowercase());
        let mut names = vec![id, tail.clone(), typed, name];
        names.sort();
        names.dedup();
        for name in names {
            self.names.entry(name).or_default().push(number);
        }
        if let Some(symbol) = &head.symbol {
            self.symbols.insert(symbol.to_ascii_lowercase(), number);
        }
        if let Some(of_loop) = &head.loop_name {
            self.loops
                .entry(of_loop.to_ascii_lowercase())
                .or_default()
                .push(number);
        }
        let target = Target {
            id: head.id.clone(),
            api_version: head.api_version.clone(),
            index: (!head.existing).then_some(number),
        };
        self.entries.push(Entry {
            target,
            tail,
            condition: head.condition,
        });
    }

    /// The one resource that is meant, if it is of this template or of the one around.
    ///
    /// # Errors
    /// A sentence where several could be meant.
    pub(crate) fn resolve(&self, name: &str) -> Result<Option<Target>, String> {
        match self.one(name)? {
            Some(entry) => Ok(Some(entry.target.clone())),
            None => {
                let around = self.around.as_deref().map(|around| around.resolve(name));
                let outer = around.transpose()?.flatten();
                Ok(outer.map(|target| Target {
                    index: None,
                    ..target
                }))
            }
        }
    }

    /// What an entry of `dependsOn` means: one resource, or all of a loop. A resource that only
    /// exists, or another template's, is nothing to wait for.
    ///
    /// # Errors
    /// A sentence where nothing is meant, or several resources could be.
    pub(crate) fn dependencies(&self, name: &str) -> Result<Vec<usize>, String> {
        let lower = name.to_ascii_lowercase();
        if !self.symbols.contains_key(&lower)
            && let Some(of_loop) = self.loops.get(&lower)
        {
            return Ok(of_loop.clone());
        }
        if let Some(entry) = self.one(name)? {
            return Ok(entry.target.index.into_iter().collect());
        }
        if let Some(entry) = self.by_the_end(&lower)? {
            return Ok(entry.target.index.into_iter().collect());
        }
        Err(format!(
            "The resource '{}' is not defined in the template. Please see \
             https://aka.ms/arm-syntax for usage details.",
            crate::error::quoted(name)
        ))
    }

    fn one(&self, name: &str) -> Result<Option<&Entry>, String> {
        let lower = name.trim_end_matches('/').to_ascii_lowercase();
        if let Some(number) = self.symbols.get(&lower) {
            return Ok(self.entries.get(*number));
        }
        let numbers = self.names.get(&lower).map_or(&[][..], Vec::as_slice);
        self.only(
            name,
            numbers
                .iter()
                .filter_map(|number| self.entries.get(*number)),
        )
    }

    /// A child by the end of its id: `subnets/a` inside of its network.
    fn by_the_end(&self, lower: &str) -> Result<Option<&Entry>, String> {
        let end = format!("/{lower}");
        self.only(
            lower,
            self.entries
                .iter()
                .filter(|entry| entry.tail.ends_with(&end)),
        )
    }

    /// Of several with one name, the one that is deployed.
    fn only<'a>(
        &self,
        name: &str,
        found: impl Iterator<Item = &'a Entry>,
    ) -> Result<Option<&'a Entry>, String> {
        let mut first: Option<&Entry> = None;
        for entry in found {
            match first {
                Some(known) if known.condition && entry.condition => {
                    return Err(format!(
                        "The name '{}' is that of more than one resource of the template; give \
                         its type and name, or its id.",
                        crate::error::quoted(name)
                    ));
                }
                Some(known) if known.condition => {}
                _ => first = Some(entry),
            }
        }
        Ok(first)
    }
}
