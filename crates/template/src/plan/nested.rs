//! Deployments inside of a deployment.
//!
//! With `expressionEvaluationOptions.scope` `inner`, the nested template has its own parameters and
//! variables; with `outer`, which is the default, its expressions see those around it.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::{Builder, DEPLOYMENTS, Plan, PlannedResource, faults};
use crate::bounds::Budget;
use crate::document::{Path, given, member};
use crate::error::TemplateError;
use crate::evaluate::{Stage, broken};
use crate::functions::digest64;
use crate::scope::{Runtime, Scope};
use crate::template::{Template, frame};

/// Most deployments inside each other (the service's bound).
pub const MAX_NESTED_DEPLOYMENTS: usize = 5;

impl PlannedResource {
    /// Whether this is a deployment inside of the deployment.
    pub fn is_deployment(&self) -> bool {
        self.resource_type.eq_ignore_ascii_case(DEPLOYMENTS)
    }

    /// The plan of a nested deployment, when it has its turn. `None` of any other resource.
    ///
    /// # Errors
    /// A fault of the nested template or of its parameters.
    pub fn nested(&self, runtime: &dyn Runtime) -> Result<Option<Plan>, TemplateError> {
        self.nested_plan(Some(runtime), &Budget::default())
    }

    /// Without a runtime, also `None` where the parameters ask one.
    pub(super) fn nested_plan(
        &self,
        runtime: Option<&dyn Runtime>,
        budget: &Budget,
    ) -> Result<Option<Plan>, TemplateError> {
        if !self.is_deployment() {
            return Ok(None);
        }
        let document = &self.shared.document;
        let refused = |path: &Path, what: &str| {
            let raw = document.get(&self.raw).unwrap_or(&Value::Null);
            faults::resource(document, &self.raw, raw, &broken(what, path))
        };
        if self.shared.level >= MAX_NESTED_DEPLOYMENTS {
            let what =
                format!("More than '{MAX_NESTED_DEPLOYMENTS}' deployments inside each other");
            return Err(refused(&self.raw, &what));
        }
        let raw = document.get(&self.raw).unwrap_or(&Value::Null);
        let Some((key, properties)) = given(raw, "properties") else {
            return Err(refused(&self.raw, "A deployment must have 'properties'"));
        };
        let path = self.raw.name(key);
        for link in ["templateLink", "parametersLink"] {
            if let Some((key, _)) = given(properties, link) {
                let what = format!(
                    "Linked templates are not supported here: put the template itself in the place \
                     of '{link}'"
                );
                return Err(refused(&path.name(key), &what));
            }
        }
        if let Some((key, mode)) = given(properties, "mode")
            && mode
                .as_str()
                .is_some_and(|mode| mode.eq_ignore_ascii_case("Complete"))
        {
            let what = "The mode 'Complete' is not supported here: it deletes what the template \
                        does not name. Use 'Incremental'";
            return Err(refused(&path.name(key), what));
        }
        let Some((key, _)) = given(properties, "template") else {
            return Err(refused(
                &path,
                "A deployment must have a 'template' in its 'properties'",
            ));
        };
        let Some(inner) = document.at(&path.name(key)) else {
            return Ok(None);
        };
        let template = Template::read(inner)?;
        if !is_inner(properties) {
            return self.outer(&template, budget).map(Some);
        }
        match self.parameters(properties, &path, runtime, budget)? {
            Some(parameters) => self.inner(&template, &parameters, budget).map(Some),
            None => Ok(None),
        }
    }

    /// The parameters for the nested template; `None` where they ask a runtime that is not there.
    fn parameters(
        &self,
        properties: &Value,
        path: &Path,
        runtime: Option<&dyn Runtime>,
        budget: &Budget,
    ) -> Result<Option<Map<String, Value>>, TemplateError> {
        let Some((key, raw)) = given(properties, "parameters") else {
            return Ok(Some(Map::new()));
        };
        let shared = &self.shared;
        let mut evaluator = shared.evaluator(Stage::Body, runtime, &self.turns, budget);
        let value = evaluator.value(raw, &mut path.name(key));
        let value =
            value.map_err(|stop| faults::body(&shared.document, &self.raw, &self.id, &stop))?;
        match value {
            _ if evaluator.pending => Ok(None),
            Value::Object(parameters) => Ok(Some(parameters)),
            _ => Ok(Some(Map::new())),
        }
    }

    fn inner(
        &self,
        template: &Template,
        parameters: &Map<String, Value>,
        budget: &Budget,
    ) -> Result<Plan, TemplateError> {
        let scope = Arc::new(self.scope());
        let group = scope.group_path();
        let frame = Arc::new(frame(template, parameters, scope, budget)?);
        let level = self.shared.level + 1;
        let builder = Builder {
            template,
            frame,
            group,
            turns: Vec::new(),
            around: None,
            level,
            budget,
        };
        builder.build()
    }

    fn outer(&self, template: &Template, budget: &Budget) -> Result<Plan, TemplateError> {
        let builder = Builder {
            template,
            frame: Arc::clone(&self.shared.frame),
            group: self.scope().group_path(),
            turns: self.turns.clone(),
            around: Some(Arc::clone(&self.shared.index)),
            level: self.shared.level + 1,
            budget,
        };
        builder.build()
    }

    /// The scope of the nested deployment.
    fn scope(&self) -> Scope {
        let mut scope = Scope::clone(&self.shared.frame.scope);
        let group = self
            .group
            .as_deref()
            .and_then(|group| scope.group_named(group))
            .cloned();
        if let Some(group) = group {
            let around = std::mem::replace(&mut scope.resource_group, group);
            scope.other_groups.push(around);
        }
        scope.deployment_name.clone_from(&self.name);
        scope.guid_seed ^= u128::from(digest64(&self.id)) << 64;
        scope
    }
}

/// Whether the nested template has its own parameters and variables.
pub(super) fn is_inner(properties: &Value) -> bool {
    let options = member(properties, "expressionEvaluationOptions").map(|(_, options)| options);
    let scope = options
        .and_then(|options| given(options, "scope"))
        .map(|(_, scope)| scope);
    let scope = scope.and_then(Value::as_str);
    scope.is_some_and(|scope| scope.eq_ignore_ascii_case("inner"))
}
