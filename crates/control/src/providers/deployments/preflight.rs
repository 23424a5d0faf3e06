//! What is wrong with a deployment before anything of it is done.
//!
//! Each resource is judged as its own PUT would be, as far as that can be told: what a template
//! makes or changes itself is not there yet, or another then. A resource that relies on such is
//! judged alone, and the rest of it when it has its turn.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use gatewright_arm::{ArmError, ResourceId};
use gatewright_template::{Plan, PlannedResource, Runtime};
use serde_json::Value;
use uuid::Uuid;

use super::request::{Refusal, aside};
use super::runtime::{Live, is_later};
use super::target::Target;
use crate::core::Core;
use crate::resources::document::Document;
use crate::resources::kind::Put;
use crate::resources::records::DEPLOYMENTS;
use crate::resources::references;
use crate::resources::write::Call;

/// Errors that one refusal tells.
const DETAILS_MAX: usize = 100;

/// A resource of the template, or of one inside of it.
pub(super) struct Looked {
    pub(super) id: String,
    pub(super) api_version: String,
    /// `None` for a nested deployment, which is no resource to compare or to judge.
    pub(super) target: Option<Target>,
    /// `None` where it depends on what is not there yet.
    pub(super) body: Option<Value>,
}

/// Everything that a deployment is going to make or change, with the bodies that are known.
pub(super) struct Outlook {
    pub(super) resources: Vec<Looked>,
    /// Ids in lower case, of what may be another when it matters.
    later: Arc<HashSet<String>>,
    /// How often each resource is written, itself or an item of it; ids in lower case.
    writes: HashMap<String, usize>,
}

/// Asked for anything, it says that it is not there.
struct Blind;

impl Runtime for Blind {
    fn reference(&self, id: &str, _: Option<&str>, _: bool) -> Result<Value, String> {
        Err(format!("The resource '{id}' is not deployed yet."))
    }
}

impl Core {
    /// Looks at every resource of a plan and of the plans inside of it.
    ///
    /// # Errors
    /// When the template cannot be evaluated, has a type that is not here, or holds what the caller
    /// may not write.
    pub(super) async fn outlook(
        self: &Arc<Self>,
        call: &Call,
        plan: &Arc<Plan>,
    ) -> Result<Outlook, Refusal> {
        let (core, call, plan) = (Arc::clone(self), call.clone(), Arc::clone(plan));
        aside(move || {
            let (mut later, mut writes) = (HashSet::new(), HashMap::new());
            core.gather(&plan, &mut later, &mut writes);
            let later = Arc::new(later);
            let live = Live::before(&core, &call.caller, Arc::clone(&later));
            let mut resources = Vec::new();
            core.look(&plan, &live, &call, &mut resources)?;
            Ok(Outlook {
                resources,
                later,
                writes,
            })
        })
        .await
    }

    /// What the plan makes or changes, and what has something of that.
    fn gather(
        &self,
        plan: &Plan,
        later: &mut HashSet<String>,
        writes: &mut HashMap<String, usize>,
    ) {
        for planned in plan.resources.iter().filter(|planned| planned.condition) {
            let Ok(id) = ResourceId::parse(&planned.id) else {
                continue;
            };
            if planned.is_deployment() {
                match planned.nested(&Blind) {
                    Ok(inner) => inner
                        .iter()
                        .for_each(|inner| self.gather(inner, later, writes)),
                    // What it makes is not known: it may be anything in its group.
                    Err(_) => {
                        let group = id.resource_group().unwrap_or_default();
                        later.insert(self.group_id(group).to_string().to_ascii_lowercase());
                    }
                }
            }
            // A resource whose item changes is another.
            let whole = match (self.kind_of(&id), id.parent()) {
                (Err(_), Some(parent)) => parent.to_string(),
                _ => id.to_string(),
            };
            let users = self.inventory.users(&whole);
            later.extend(users.iter().map(|user| user.to_ascii_lowercase()));
            *writes.entry(whole.to_ascii_lowercase()).or_default() += 1;
            later.insert(whole.to_ascii_lowercase());
        }
    }

    fn look(
        &self,
        plan: &Plan,
        live: &Live,
        call: &Call,
        resources: &mut Vec<Looked>,
    ) -> Result<(), Refusal> {
        for planned in plan.resources.iter().filter(|planned| planned.condition) {
            if planned.is_deployment() {
                self.look_inside(planned, live, call, resources)?;
                continue;
            }
            let target = Target::of(self, planned, call)?;
            let body = match planned.body(live) {
                Ok(body) => Some(body),
                Err(_) if live.was_early() => None,
                Err(error) => return Err(error.into()),
            };
            resources.push(Looked {
                id: target.id.to_string(),
                api_version: planned.api_version.clone(),
                target: Some(target),
                body,
            });
        }
        Ok(())
    }

    fn look_inside(
        &self,
        planned: &PlannedResource,
        live: &Live,
        call: &Call,
        resources: &mut Vec<Looked>,
    ) -> Result<(), Refusal> {
        let action = format!("{DEPLOYMENTS}/write");
        call.caller.require(&action, &planned.id)?;
        resources.push(Looked {
            id: planned.id.clone(),
            api_version: planned.api_version.clone(),
            target: None,
            body: None,
        });
        match planned.nested(live) {
            Ok(Some(plan)) => self.look(&plan, live, call, resources),
            Ok(None) => Ok(()),
            Err(_) if live.was_early() => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Judges everything that can be judged now.
    ///
    /// # Errors
    /// `InvalidTemplateDeployment`, with what each provider says.
    pub(super) async fn judge_all(&self, name: &str, outlook: &Outlook) -> Result<(), ArmError> {
        let mut details = Vec::new();
        for looked in &outlook.resources {
            let (Some(target), Some(body)) = (&looked.target, &looked.body) else {
                continue;
            };
            if let Err(error) = self.judge(target, body, outlook).await {
                details.push(error);
            }
            if details.len() >= DETAILS_MAX {
                break;
            }
        }
        if details.is_empty() {
            return Ok(());
        }
        let message = format!(
            "The template deployment '{name}' is not valid according to the validation procedure. \
             The tracking id is '{}'. See inner errors for details. Please see \
             https://aka.ms/arm-deploy for usage details.",
            Uuid::new_v4()
        );
        Err(ArmError {
            details: Some(details),
            ..ArmError::front_door("InvalidTemplateDeployment", message)
        })
    }

    async fn judge(
        &self,
        target: &Target,
        body: &Value,
        outlook: &Outlook,
    ) -> Result<(), ArmError> {
        let previous = self.document(&target.whole).await?;
        if !outlook.touches(target, body, previous.as_ref()) {
            let prepared = target.prepare(self, body, previous.as_ref()).await;
            return prepared.map(drop);
        }
        self.check_group(&target.id)?;
        if target.whole != target.id {
            return Ok(());
        }
        let kind = self.kind_of(&target.whole)?;
        let last_good = self.last_good(kind, previous.as_ref()).await?;
        let put = Put {
            id: &target.id,
            body,
            previous: previous.as_ref(),
            last_good: last_good.as_ref(),
            api_version: target.call.api_version,
            replaces: true,
        };
        kind.judge_alone(self, &put)
    }
}

impl Outlook {
    /// Whether what the deployment makes or changes has a part in this write.
    pub(super) fn touches(
        &self,
        target: &Target,
        body: &Value,
        previous: Option<&Document>,
    ) -> bool {
        // An item is judged with the rest of its resource, which the template may write too.
        let own = target.whole.to_string().to_ascii_lowercase();
        let is_alone = self.writes.get(&own).is_none_or(|writes| *writes == 1);
        if target.whole != target.id && !is_alone {
            return true;
        }
        let bodies = previous.map(|document| &*document.body).into_iter();
        let mut bodies = bodies.chain([body]);
        bodies.any(|body| {
            let uses = references::collect(&target.whole, body);
            uses.iter().any(|one| is_later(&self.later, &one.target))
        })
    }
}
