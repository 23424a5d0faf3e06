//! Which resources a template declares: loops are unrolled, children find their parents, and each
//! gets its id. What is inside of them is not looked at yet.

use serde_json::{Map, Value};

use super::faults;
use crate::bounds::Budget;
use crate::document::{Document, Path, given};
use crate::error::TemplateError;
use crate::evaluate::{Evaluator, Stage, Stop, Turn, View, broken};
use crate::frame::Frame;
use crate::functions::{kind as kind_of, resource_id};

/// Most resources of a template (the service's bound).
pub const MAX_RESOURCES: usize = 800;

/// What a resource weighs in the budget beside its expressions, in bytes.
const RESOURCE_BYTES: usize = 4096;

/// A resource before its body.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    pub(crate) id: String,
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) api_version: Option<String>,
    pub(crate) location: Option<String>,
    pub(crate) condition: bool,
    /// Declared to be referred to, not to be deployed.
    pub(crate) existing: bool,
    /// Entries of `dependsOn` as they came out; `None` for those that came out as null.
    pub(crate) depends_on: Vec<Option<String>>,
    /// Of those before it in a serial loop.
    pub(crate) after: Vec<usize>,
    /// The group of a nested deployment that goes to another one.
    pub(crate) group: Option<String>,
    pub(crate) symbol: Option<String>,
    pub(crate) loop_name: Option<String>,
    pub(crate) turns: Vec<Turn>,
    /// Where it stands in the document.
    pub(crate) path: Path,
}

/// What a child takes from the resource around it.
struct Parent {
    kind: String,
    name: String,
}

/// The `copy` of a resource.
struct Loop {
    name: String,
    count: usize,
    /// How many at a time; `None` for all at once.
    batch: Option<usize>,
}

pub(crate) struct Expander<'a> {
    pub(crate) document: &'a Document,
    pub(crate) frame: &'a Frame,
    /// The id of the resource group that the resources go to.
    pub(crate) group: &'a str,
    pub(crate) budget: &'a Budget,
    pub(crate) heads: Vec<Head>,
}

impl Expander<'_> {
    /// All resources of the section, in its order.
    pub(crate) fn section(
        &mut self,
        section: &Value,
        path: &Path,
        turns: &[Turn],
    ) -> Result<(), TemplateError> {
        self.resources(section, path, turns, None)
    }

    fn resources(
        &mut self,
        section: &Value,
        path: &Path,
        turns: &[Turn],
        parent: Option<&Parent>,
    ) -> Result<(), TemplateError> {
        match section {
            Value::Array(resources) => {
                for (index, raw) in resources.iter().enumerate() {
                    self.resource(raw, &path.index(index), turns, parent, None)?;
                }
                Ok(())
            }
            Value::Object(resources) => {
                for (symbol, raw) in resources {
                    self.resource(raw, &path.name(symbol), turns, parent, Some(symbol))?;
                }
                Ok(())
            }
            _ => {
                let reason = "The section 'resources' must be an array or an object";
                Err(self.document.invalid(path, reason))
            }
        }
    }

    fn resource(
        &mut self,
        raw: &Value,
        path: &Path,
        turns: &[Turn],
        parent: Option<&Parent>,
        symbol: Option<&str>,
    ) -> Result<(), TemplateError> {
        let Some(members) = raw.as_object() else {
            return Err(self
                .document
                .invalid(path, "A template resource must be an object"));
        };
        let failed = |stop: Stop, document: &Document| faults::resource(document, path, raw, &stop);
        let Some((key, copy)) = given(raw, "copy") else {
            let head = self.head(members, path, turns, parent, symbol);
            let head = head.map_err(|stop| failed(stop, self.document))?;
            return self.keep(head, raw, path);
        };
        let of_loop = self.copy(copy, &path.name(key), turns);
        let of_loop = of_loop.map_err(|stop| failed(stop, self.document))?;
        let mut instances: Vec<usize> = Vec::new();
        for index in 0..of_loop.count {
            let mut turns = turns.to_vec();
            let name = of_loop.name.to_ascii_lowercase();
            turns.push(Turn {
                name,
                index,
                of_resources: true,
            });
            let symbol_here = symbol.map(|symbol| format!("{symbol}[{index}]"));
            let head = self.head(members, path, &turns, parent, symbol_here.as_deref());
            let mut head = head.map_err(|stop| failed(stop, self.document))?;
            head.loop_name = Some(symbol.unwrap_or(&of_loop.name).to_owned());
            if let Some(batch) = of_loop.batch {
                let begin = index / batch * batch;
                let before = instances.get(begin.saturating_sub(batch)..begin);
                head.after = before.unwrap_or_default().to_vec();
            }
            instances.push(self.heads.len());
            self.keep(head, raw, path)?;
        }
        Ok(())
    }

    /// Notes the resource, and then its children.
    fn keep(&mut self, head: Head, raw: &Value, path: &Path) -> Result<(), TemplateError> {
        let charged = self.budget.charge(RESOURCE_BYTES);
        charged.map_err(|reason| self.document.invalid(path, &reason))?;
        if self.heads.len() >= MAX_RESOURCES {
            let reason = format!(
                "The number of template resources limit exceeded. Limit: '{MAX_RESOURCES}'. Please \
                 see https://aka.ms/arm-template/#resources for usage details."
            );
            return Err(self.document.invalid(path, &reason));
        }
        let parent = Parent {
            kind: head.kind.clone(),
            name: head.name.clone(),
        };
        let turns = head.turns.clone();
        self.heads.push(head);
        match given(raw, "resources") {
            Some((key, children)) => {
                self.resources(children, &path.name(key), &turns, Some(&parent))
            }
            None => Ok(()),
        }
    }

    fn copy(&self, copy: &Value, path: &Path, turns: &[Turn]) -> Result<Loop, Stop> {
        let mut evaluator = self.evaluator(turns);
        let mut path = path.clone();
        let count = evaluator.count(copy, &mut path)?;
        let Some(members) = copy.as_object() else {
            return Err(broken("A copy loop must be an object", &path));
        };
        let mut text = |name: &str| self.text(&mut evaluator, members, &path, name);
        let name = text("name")?.ok_or_else(|| broken("A copy loop must have a 'name'", &path))?;
        let mode = text("mode")?.unwrap_or_default();
        let batch = match mode.to_ascii_lowercase().as_str() {
            "" | "parallel" => None,
            "serial" => {
                let size = given(copy, "batchSize").map(|(_, size)| size);
                let size = size
                    .map(|size| evaluator.value(size, &mut path))
                    .transpose()?;
                let size = size.map_or(Some(1), |size| size.as_u64());
                let size = size.and_then(|size| usize::try_from(size).ok());
                let at_least_one = size.filter(|size| *size > 0);
                let refused = || broken("The 'batchSize' must be a positive integer", &path);
                Some(at_least_one.ok_or_else(refused)?)
            }
            _ => {
                return Err(broken(
                    "The copy mode must be 'Serial' or 'Parallel'",
                    &path,
                ));
            }
        };
        Ok(Loop { name, count, batch })
    }

    fn evaluator(&self, turns: &[Turn]) -> Evaluator<'_> {
        let view = View {
            frame: self.frame,
            stage: Stage::Head,
            runtime: None,
            index: None,
            budget: self.budget,
        };
        Evaluator::new(view, turns.to_vec())
    }

    fn head(
        &self,
        raw: &Map<String, Value>,
        path: &Path,
        turns: &[Turn],
        parent: Option<&Parent>,
        symbol: Option<&str>,
    ) -> Result<Head, Stop> {
        let mut evaluator = self.evaluator(turns);
        let mut text = |name: &str| self.text(&mut evaluator, raw, path, name);
        let missing = |name: &str| {
            let what = format!("Required property '{name}' not found in JSON. Path '{path}'.");
            broken(what, path)
        };
        if text("scope")?.is_some() {
            return Err(broken("The property 'scope' is not supported here.", path));
        }
        let kind = text("type")?.ok_or_else(|| missing("type"))?;
        let name = text("name")?.ok_or_else(|| missing("name"))?;
        let api_version = text("apiVersion")?;
        let (kind, name) = match parent {
            Some(parent) => within(parent, &kind, &name),
            None => (kind, name),
        };
        let is_deployment = kind.eq_ignore_ascii_case(super::DEPLOYMENTS);
        let group = if is_deployment {
            text("resourceGroup")?
        } else {
            None
        };
        let subscription = if is_deployment {
            text("subscriptionId")?
        } else {
            None
        };
        let own = &self.frame.scope.subscription_id;
        if subscription.is_some_and(|other| !other.eq_ignore_ascii_case(own)) {
            return Err(broken(
                "Deployments to another subscription are not supported here.",
                path,
            ));
        }
        let flag = |evaluator: &mut Evaluator<'_>, name: &str, default: bool| {
            self.flag(evaluator, raw, path, name, default)
        };
        let condition = flag(&mut evaluator, "condition", true)?;
        let existing = flag(&mut evaluator, "existing", false)?;
        if api_version.is_none() && !existing {
            return Err(missing("apiVersion"));
        }
        let home = self.home(group.as_deref(), path)?;
        Ok(Head {
            id: id(&home, &kind, &name, path)?,
            location: self.location(raw, path, turns)?,
            depends_on: self.depends_on(&mut evaluator, raw, path)?,
            kind,
            name,
            api_version,
            condition,
            existing,
            after: Vec::new(),
            group,
            symbol: symbol.map(str::to_owned),
            loop_name: None,
            turns: turns.to_vec(),
            path: path.clone(),
        })
    }

    /// The id of the group that this resource goes to.
    fn home(&self, group: Option<&str>, path: &Path) -> Result<String, Stop> {
        let Some(name) = group else {
            return Ok(self.group.to_owned());
        };
        let scope = &self.frame.scope;
        match scope.group_named(name) {
            Some(group) => Ok(format!(
                "{}/resourceGroups/{}",
                scope.subscription_path(),
                group.name
            )),
            None => Err(broken(
                format!("Resource group '{name}' could not be found."),
                path,
            )),
        }
    }

    /// A member that has to be a text, if it is there.
    fn text(
        &self,
        evaluator: &mut Evaluator<'_>,
        raw: &Map<String, Value>,
        path: &Path,
        name: &str,
    ) -> Result<Option<String>, Stop> {
        let Some((key, value)) = member_of(raw, name) else {
            return Ok(None);
        };
        let path = path.name(key);
        match evaluator.value(value, &mut path.clone())? {
            Value::String(text) => Ok(Some(text)),
            other => {
                let what = format!(
                    "The property '{name}' must be of type 'String'; it is of type '{}'.",
                    kind_of(&other)
                );
                Err(broken(what, &path))
            }
        }
    }

    fn flag(
        &self,
        evaluator: &mut Evaluator<'_>,
        raw: &Map<String, Value>,
        path: &Path,
        name: &str,
        default: bool,
    ) -> Result<bool, Stop> {
        let Some((key, value)) = member_of(raw, name) else {
            return Ok(default);
        };
        let path = path.name(key);
        match evaluator.value(value, &mut path.clone())? {
            Value::Bool(flag) => Ok(flag),
            Value::String(text) if text.eq_ignore_ascii_case("true") => Ok(true),
            Value::String(text) if text.eq_ignore_ascii_case("false") => Ok(false),
            other => {
                let what = format!(
                    "The property '{name}' must be of type 'Boolean'; it is of type '{}'.",
                    kind_of(&other)
                );
                Err(broken(what, &path))
            }
        }
    }

    /// Where the resource goes; `None` where that is told by one that is not deployed yet.
    fn location(
        &self,
        raw: &Map<String, Value>,
        path: &Path,
        turns: &[Turn],
    ) -> Result<Option<String>, Stop> {
        let Some((key, value)) = member_of(raw, "location") else {
            return Ok(None);
        };
        let mut evaluator = self.evaluator(turns);
        evaluator.view.stage = Stage::Body;
        let value = evaluator.value(value, &mut path.name(key))?;
        let text = value.as_str().map(str::to_owned);
        Ok(text.filter(|_| !evaluator.pending))
    }

    fn depends_on(
        &self,
        evaluator: &mut Evaluator<'_>,
        raw: &Map<String, Value>,
        path: &Path,
    ) -> Result<Vec<Option<String>>, Stop> {
        let Some((key, value)) = member_of(raw, "dependsOn") else {
            return Ok(Vec::new());
        };
        let path = path.name(key);
        let too_many = |value: &Value| {
            value
                .as_array()
                .is_some_and(|all| all.len() > MAX_RESOURCES)
        };
        let refused = || {
            let what = format!("The property 'dependsOn' has more than '{MAX_RESOURCES}' entries.");
            broken(what, &path)
        };
        if too_many(value) {
            return Err(refused());
        }
        let value = evaluator.value(value, &mut path.clone())?;
        if too_many(&value) {
            return Err(refused());
        }
        let entries = match value {
            Value::Array(entries) => entries,
            one @ Value::String(_) => vec![one],
            _ => return Err(broken("The property 'dependsOn' must be an array.", &path)),
        };
        let entry = |(index, entry)| match entry {
            Value::String(name) => Ok(Some(name)),
            Value::Null => Ok(None),
            _ => Err(broken(
                "An entry of 'dependsOn' must be a text.",
                &path.index(index),
            )),
        };
        entries.into_iter().enumerate().map(entry).collect()
    }
}

fn member_of<'v>(members: &'v Map<String, Value>, name: &str) -> Option<(&'v str, &'v Value)> {
    let exact = members.get_key_value(name);
    let found = exact.or_else(|| {
        members
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
    });
    found
        .map(|(key, value)| (key.as_str(), value))
        .filter(|(_, value)| !value.is_null())
}

/// The full type and name of a child: what is written of it is behind its parent's.
fn within(parent: &Parent, kind: &str, name: &str) -> (String, String) {
    let behind = |whole: &str, of: &str| {
        let start = whole
            .get(..of.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(of));
        start
            && whole
                .get(of.len()..)
                .is_some_and(|rest| rest.starts_with('/'))
    };
    if behind(kind, &parent.kind) && behind(name, &parent.name) {
        return (kind.to_owned(), name.to_owned());
    }
    (
        format!("{}/{kind}", parent.kind),
        format!("{}/{name}", parent.name),
    )
}

fn id(group: &str, kind: &str, name: &str, path: &Path) -> Result<String, Stop> {
    let types = kind.split('/').count();
    if types < 2 || types != name.split('/').count() + 1 || name.split('/').any(str::is_empty) {
        let what = "The template resource has incorrect segment lengths. A nested resource type \
                    must have identical number of segments as its resource name. A root resource \
                    type must have segment length one greater than its resource name. Please see \
                    https://aka.ms/arm-syntax-resources for usage details.";
        return Err(broken(what, path));
    }
    resource_id(group, kind, name).map_err(|what| broken(what, path))
}
