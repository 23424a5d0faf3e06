//! From a template to the resources that it makes, in the order in which they can be made.
//!
//! Two steps. `plan` does everything that needs no resource to be there: parameters, variables,
//! names, loops, conditions, dependencies; and it evaluates each body as far as it goes, so that
//! what can be wrong is told before anything is done. When a resource has its turn,
//! [`PlannedResource::body`] evaluates the body for good, with a [`Runtime`] to ask.

mod answers;
mod expand;
mod faults;
mod index;
mod nested;
mod order;
mod outputs;

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Map, Value};

pub use expand::MAX_RESOURCES;
pub(crate) use index::{Index, Target};
pub use nested::MAX_NESTED_DEPLOYMENTS;

use crate::bounds::Budget;
use crate::document::{Document, Path, member};
use crate::error::TemplateError;
use crate::evaluate::{Evaluator, Stage, Stop, Turn, View};
use crate::frame::Frame;
use crate::scope::{Runtime, Scope};
use crate::template::{Template, frame};
use expand::{Expander, Head};

/// The type of a deployment inside of a deployment.
const DEPLOYMENTS: &str = "Microsoft.Resources/deployments";

/// Members of a resource that are the template's, or known from the plan, and not in its body.
const NOT_IN_THE_BODY: &[&str] = &[
    "apiVersion",
    "comments",
    "condition",
    "copy",
    "dependsOn",
    "existing",
    "name",
    "resourceGroup",
    "resources",
    "scope",
    "subscriptionId",
    "type",
];

/// What a deployment does.
pub struct Plan {
    /// Dependencies before those that need them, otherwise in the template's order.
    pub resources: Vec<PlannedResource>,
    shared: Arc<Shared>,
}

/// What the resources of one plan have in common.
struct Shared {
    /// The template.
    document: Document,
    frame: Arc<Frame>,
    index: Arc<Index>,
    /// The loops around a nested template that is evaluated in the scope around.
    turns: Vec<Turn>,
    /// How many deployments are around this one.
    level: usize,
}

/// A resource of a plan.
pub struct PlannedResource {
    pub id: String,
    /// In full, as `Microsoft.Network/virtualNetworks/subnets`.
    pub resource_type: String,
    /// In full, as `network/subnet`.
    pub name: String,
    /// Empty where the template gives none.
    pub api_version: String,
    /// `None` where it has none, or where only another resource tells.
    pub location: Option<String>,
    /// Whether it is to be deployed at all.
    pub condition: bool,
    /// What it has to wait for, as indices into the plan's resources. Those that are not to be
    /// deployed are among them.
    pub depends_on: Vec<usize>,
    /// Where it stands in the template; 0 where there was no text.
    pub line: u32,
    /// See `line`.
    pub column: u32,
    /// Where it stands in the request.
    pub path: String,
    /// What the template says or shows it depends on: the parent of a child is not among them.
    declared: Vec<usize>,
    /// Its place in the template's order.
    ordinal: usize,
    /// The group of a nested deployment that goes to another one.
    group: Option<String>,
    turns: Vec<Turn>,
    raw: Path,
    shared: Arc<Shared>,
}

/// Plans a deployment: everything that can be done and checked before a resource is there.
///
/// `parameters` are `{"name": {"value": …}}`, or a whole parameter file.
///
/// # Errors
/// The first fault of the template, in the order: sections, parameters, variables, resources,
/// dependencies, bodies, outputs.
pub fn plan(
    template: &Template,
    parameters: &Map<String, Value>,
    scope: &Scope,
) -> Result<Plan, TemplateError> {
    let budget = Budget::default();
    let frame = frame(template, parameters, Arc::new(scope.clone()), &budget)?;
    let builder = Builder {
        template,
        frame: Arc::new(frame),
        group: scope.group_path(),
        turns: Vec::new(),
        around: None,
        level: 0,
        budget: &budget,
    };
    builder.build()
}

/// What a plan is made of.
struct Builder<'a> {
    template: &'a Template,
    frame: Arc<Frame>,
    /// The id of the group that the resources go to.
    group: String,
    turns: Vec<Turn>,
    around: Option<Arc<Index>>,
    level: usize,
    budget: &'a Budget,
}

impl Builder<'_> {
    fn build(self) -> Result<Plan, TemplateError> {
        let document = self.template.document();
        let mut expander = Expander {
            document,
            frame: &self.frame,
            group: &self.group,
            budget: self.budget,
            heads: Vec::new(),
        };
        if let Some((path, section)) = self.template.section("resources") {
            expander.section(section, &path, &self.turns)?;
        }
        let heads = expander.heads;
        once_each(document, &heads)?;
        let shared = Arc::new(Shared {
            document: document.clone(),
            index: Arc::new(Index::new(&heads, self.around)),
            frame: self.frame,
            turns: self.turns,
            level: self.level,
        });
        let mut declared = declared_dependencies(document, &heads, &shared.index, self.budget)?;
        for (number, (head, depends_on)) in heads.iter().zip(&mut declared).enumerate() {
            let mentioned = shared.check(head, self.budget)?;
            depends_on.extend(mentioned.into_iter().filter(|other| *other != number));
        }
        let plan = arranged(heads, declared, &shared)?;
        plan.check_outputs(self.budget)?;
        for resource in &plan.resources {
            if resource.condition {
                drop(resource.nested_plan(None, self.budget)?);
            }
        }
        Ok(plan)
    }
}

/// Refuses two resources with one id, where both are to be deployed.
fn once_each(document: &Document, heads: &[Head]) -> Result<(), TemplateError> {
    let mut seen = BTreeSet::new();
    for head in heads.iter().filter(|head| head.condition && !head.existing) {
        if !seen.insert(head.id.to_ascii_lowercase()) {
            let (line, column) = document.position(&head.path);
            let reason = format!(
                "The resource '{}/{}' at line '{line}' and column '{column}' is defined multiple \
                 times in a template. Please see https://aka.ms/arm-syntax-resources for usage \
                 details.",
                head.kind, head.name
            );
            return Err(document.invalid(&head.path, &reason));
        }
    }
    Ok(())
}

/// What `dependsOn` and serial loops say.
fn declared_dependencies(
    document: &Document,
    heads: &[Head],
    index: &Index,
    budget: &Budget,
) -> Result<Vec<BTreeSet<usize>>, TemplateError> {
    let mut all = Vec::with_capacity(heads.len());
    for head in heads {
        let mut of_this: BTreeSet<usize> = head.after.iter().copied().collect();
        let mut seen = BTreeSet::new();
        for (entry, name) in head.depends_on.iter().enumerate() {
            let Some(name) = name.as_ref().filter(|name| seen.insert(name.as_str())) else {
                continue;
            };
            let found = budget
                .charge(heads.len())
                .and_then(|()| index.dependencies(name));
            let refused = |reason: String| {
                let key = document
                    .get(&head.path)
                    .and_then(|raw| member(raw, "dependsOn"));
                let path = key.map_or_else(|| head.path.clone(), |(key, _)| head.path.name(key));
                document.invalid(&path.index(entry), &reason)
            };
            of_this.extend(found.map_err(refused)?);
        }
        all.push(of_this);
    }
    Ok(all)
}

/// The resources in their order. A child waits for its parent, unless the parent waits for it.
fn arranged(
    heads: Vec<Head>,
    declared: Vec<BTreeSet<usize>>,
    shared: &Arc<Shared>,
) -> Result<Plan, TemplateError> {
    let document = &shared.document;
    let with_parents = with_parents(&heads, &declared);
    let (edges, order) = match order::sorted(&with_parents) {
        Ok(order) => (with_parents, order),
        Err(_) => match order::sorted(&declared) {
            Ok(order) => (declared.clone(), order),
            Err(circular) => {
                let head = heads.get(circular);
                let (id, path) =
                    head.map_or(("", Path::default()), |head| (&head.id, head.path.clone()));
                let reason = format!(
                    "Circular dependency detected on resource: '{id}'. Please see \
                     https://aka.ms/arm-syntax-resources for usage details."
                );
                return Err(document.invalid(&path, &reason));
            }
        },
    };
    let mut places = vec![None; heads.len()];
    let deployed = order
        .iter()
        .filter(|number| heads.get(**number).is_some_and(|head| !head.existing));
    for (place, number) in deployed.enumerate() {
        if let Some(slot) = places.get_mut(*number) {
            *slot = Some(place);
        }
    }
    let placed = |numbers: Option<&BTreeSet<usize>>| -> Vec<usize> {
        let numbers = numbers.into_iter().flatten();
        let mut placed: Vec<usize> = numbers.filter_map(|one| *places.get(*one)?).collect();
        placed.sort_unstable();
        placed
    };
    let mut resources: Vec<PlannedResource> = Vec::with_capacity(order.len());
    let mut heads: Vec<Option<Head>> = heads.into_iter().map(Some).collect();
    for number in order {
        let head = heads.get_mut(number).and_then(Option::take);
        if let Some(head) = head.filter(|head| !head.existing) {
            let (depends_on, declared) = (placed(edges.get(number)), placed(declared.get(number)));
            resources.push(planned(head, number, depends_on, declared, shared));
        }
    }
    Ok(Plan {
        resources,
        shared: Arc::clone(shared),
    })
}

fn with_parents(heads: &[Head], declared: &[BTreeSet<usize>]) -> Vec<BTreeSet<usize>> {
    let ids = heads.iter().enumerate().filter(|(_, head)| !head.existing);
    let ids: std::collections::HashMap<String, usize> = ids
        .map(|(number, head)| (head.id.to_ascii_lowercase(), number))
        .collect();
    let mut edges = declared.to_vec();
    for (number, (head, edges)) in heads.iter().zip(&mut edges).enumerate() {
        let parent = head.id.rsplitn(3, '/').nth(2);
        let parent = parent.and_then(|parent| ids.get(&parent.to_ascii_lowercase()));
        edges.extend(parent.copied().filter(|parent| *parent != number));
    }
    edges
}

fn planned(
    head: Head,
    ordinal: usize,
    depends_on: Vec<usize>,
    declared: Vec<usize>,
    shared: &Arc<Shared>,
) -> PlannedResource {
    let (line, column) = shared.document.position(&head.path);
    PlannedResource {
        path: shared.document.full_path(&head.path).to_string(),
        id: head.id,
        resource_type: head.kind,
        name: head.name,
        api_version: head.api_version.unwrap_or_default(),
        location: head.location,
        condition: head.condition,
        depends_on,
        line,
        column,
        declared,
        ordinal,
        group: head.group,
        turns: head.turns,
        raw: head.path,
        shared: Arc::clone(shared),
    }
}

impl Shared {
    fn evaluator<'a>(
        &'a self,
        stage: Stage,
        runtime: Option<&'a dyn Runtime>,
        turns: &[Turn],
        budget: &'a Budget,
    ) -> Evaluator<'a> {
        let frame = &self.frame;
        let view = View {
            frame,
            stage,
            runtime,
            index: Some(&self.index),
            budget,
        };
        Evaluator::new(view, turns.to_vec())
    }

    /// Evaluates a body as far as it goes. Answers with the resources that it mentions. What is not
    /// to be deployed is not looked at.
    fn check(&self, head: &Head, budget: &Budget) -> Result<Vec<usize>, TemplateError> {
        if !head.condition || head.existing {
            return Ok(Vec::new());
        }
        let mut evaluator = self.evaluator(Stage::Body, None, &head.turns, budget);
        let body = self.body(&mut evaluator, &head.path, &head.kind);
        body.map_err(|stop| faults::body(&self.document, &head.path, &head.id, &stop))?;
        let properties = self.document.get(&head.path.name("properties"));
        let is_deployment = head.kind.eq_ignore_ascii_case(DEPLOYMENTS);
        if let Some(properties) = properties.filter(|_| is_deployment)
            && !nested::is_inner(properties)
            && let Some((_, template)) = member(properties, "template")
        {
            evaluator.look_for_mentions(template);
        }
        Ok(evaluator.mentioned)
    }

    fn body(
        &self,
        evaluator: &mut Evaluator<'_>,
        path: &Path,
        kind: &str,
    ) -> Result<Map<String, Value>, Stop> {
        let raw = self.document.get(path);
        let Some(members) = raw.and_then(Value::as_object) else {
            return Ok(Map::new());
        };
        let mut without = NOT_IN_THE_BODY.to_vec();
        let is_deployment = kind.eq_ignore_ascii_case(DEPLOYMENTS);
        if is_deployment {
            without.push("properties");
        }
        let mut body = evaluator.members(members, &mut path.clone(), &without)?;
        let properties = raw.and_then(|raw| member(raw, "properties"));
        if let Some((key, Value::Object(properties))) = properties.filter(|_| is_deployment) {
            // The nested template has expressions of its own.
            let mut path = path.name(key);
            let properties = evaluator.members(properties, &mut path, &["template"])?;
            body.insert(key.to_owned(), Value::Object(properties));
        }
        Ok(body)
    }
}

impl PlannedResource {
    /// The body of the resource: everything but type, name, version and what only the template
    /// needs. Of a nested deployment, without its template.
    ///
    /// # Errors
    /// A fault of the template, which may only show now, or what the runtime refuses.
    pub fn body(&self, runtime: &dyn Runtime) -> Result<Value, TemplateError> {
        let budget = Budget::default();
        let shared = &self.shared;
        let mut evaluator = shared.evaluator(Stage::Body, Some(runtime), &self.turns, &budget);
        let body = shared.body(&mut evaluator, &self.raw, &self.resource_type);
        let body = body.map(Value::Object);
        body.map_err(|stop| faults::body(&shared.document, &self.raw, &self.id, &stop))
    }
}
