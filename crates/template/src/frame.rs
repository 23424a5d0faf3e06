//! What the expressions of a template can see.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde_json::Value;

use crate::parameters::Parameter;
use crate::scope::Scope;

/// The values of one template in one scope. Names are in lower case.
///
/// No `Debug`: there are secure parameters in it.
pub(crate) struct Frame {
    pub(crate) scope: Arc<Scope>,
    /// In the order of the template; the value is there once it was evaluated.
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) parameter_values: HashMap<String, Value>,
    pub(crate) variable_names: HashSet<String>,
    pub(crate) variables: HashMap<String, Value>,
    /// By `namespace.name`.
    pub(crate) functions: HashMap<String, UserFunction>,
    pub(crate) subscription: Value,
    pub(crate) tenant: Value,
    pub(crate) group: Value,
    pub(crate) deployment: Value,
}

/// A function that a template defines.
pub(crate) struct UserFunction {
    /// In lower case.
    pub(crate) parameters: Vec<String>,
    pub(crate) output: Value,
}

impl Frame {
    pub(crate) fn new(scope: Arc<Scope>, deployment: Value) -> Self {
        Self {
            subscription: scope.subscription(),
            tenant: scope.tenant(),
            group: scope.group(),
            deployment,
            scope,
            parameters: Vec::new(),
            parameter_values: HashMap::new(),
            variable_names: HashSet::new(),
            variables: HashMap::new(),
            functions: HashMap::new(),
        }
    }

    pub(crate) fn declares_parameter(&self, lower: &str) -> bool {
        self.parameters
            .iter()
            .any(|parameter| parameter.lower == lower)
    }
}
