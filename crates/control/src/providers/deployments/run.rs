//! A deployment on its way: resource after resource, in the order of what they depend on.
//!
//! Resources are written one at a time, each when the operation of the one before has ended. When
//! one fails, those that depend on it are left out, and the others have their turn all the same, as
//! they would if they had gone at the same time.
//!
//! After a restart a deployment goes on: what was noted as deployed is left alone, everything else
//! is written again, which changes nothing where it was written already.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use gatewright_arm::ArmError;
use gatewright_template::{Plan, PlannedResource};
use serde_json::{Map, Value};

use super::ledger::{Active, Begun, Ending, results};
use super::record::{self, Notes, Outcome, Step, set_state};
use super::request::{Refusal, Requested, Source, aside};
use super::runtime::Live;
use super::target::Target;
use crate::core::{Core, failed};
use crate::identity::Caller;
use crate::operations::{Operation, Status};
use crate::resources::document::Document;
use crate::resources::records::DEPLOYMENTS;
use crate::resources::settle::insist;
use crate::resources::write::Call;

/// How long one resource may take.
const RESOURCE_PATIENCE: Duration = Duration::from_secs(60 * 60);

/// How often a resource is written again that is busy with something else, and the pause before.
const BUSY_MAX: usize = 60;
const BUSY_PAUSE: Duration = Duration::from_secs(1);

/// Why a deployment goes no further.
enum Stop {
    /// Somebody canceled it, and has written so.
    Canceled,
    Failed(ArmError),
}

impl From<ArmError> for Stop {
    fn from(error: ArmError) -> Self {
        Self::Failed(error)
    }
}

/// Why a resource is not there.
enum Fault {
    Canceled,
    /// It was not taken.
    Refused(ArmError),
    /// It was taken, and did not come to be.
    Failed(ArmError),
}

impl From<ArmError> for Fault {
    fn from(error: ArmError) -> Self {
        Self::Refused(error)
    }
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal.into_error())
    }
}

/// A deployment that runs.
pub(super) struct Run {
    pub(super) core: Arc<Core>,
    /// What its resources are written with: the caller's own rights.
    pub(super) call: Call,
    pub(super) active: Active,
    pub(super) plan: Arc<Plan>,
}

impl Run {
    /// As [`Run::run`], of a type that can be inside of itself.
    fn boxed(self) -> Pin<Box<dyn Future<Output = Result<(), ArmError>> + Send>> {
        Box::pin(self.run())
    }

    /// Goes on until the deployment has ended, well or not. The error, where it has failed.
    pub(super) async fn run(self) -> Result<(), ArmError> {
        let ending = match self.carry_out().await {
            Ok(members) => Ok(members),
            Err(Stop::Failed(error)) => Err(error),
            Err(Stop::Canceled) => {
                return Err(ArmError::front_door(
                    "DeploymentCanceled",
                    "The deployment was canceled.",
                ));
            }
        };
        self.core.end_run(&self.active, &ending).await;
        ending.map(drop)
    }

    /// Ends the deployment with `error`, and nothing done.
    pub(super) async fn fail(self, error: ArmError) {
        self.core.end_run(&self.active, &Err(error)).await;
    }

    async fn carry_out(&self) -> Result<Map<String, Value>, Stop> {
        let began = self.active.began;
        self.note(|document| set_state(document.edit(), "Running", began))
            .await?;
        let mut is_lost = Vec::with_capacity(self.plan.resources.len());
        let mut failures = Vec::new();
        for (index, planned) in self.plan.resources.iter().enumerate() {
            let mut needed = planned.depends_on.iter();
            if needed.any(|at| is_lost.get(*at) == Some(&true)) {
                is_lost.push(true);
                continue;
            }
            let error = match planned.condition {
                true => self.resource(index, planned).await?,
                false => None,
            };
            is_lost.push(error.is_some());
            failures.extend(error);
        }
        if !failures.is_empty() {
            return Err(self.failure(failures).into());
        }
        self.outputs().await
    }

    fn failure(&self, details: Vec<ArmError>) -> ArmError {
        let message = "At least one resource deployment operation failed. Please list deployment \
                       operations for details. Please see \
                       https://aka.ms/arm-deployment-operations for usage details.";
        ArmError {
            target: Some(self.active.id.to_string()),
            details: Some(details),
            ..ArmError::front_door("DeploymentFailed", message)
        }
    }

    /// Changes the document.
    async fn note(&self, change: impl FnOnce(&mut Document)) -> Result<(), Stop> {
        match self.core.change_deployment(&self.active, change).await? {
            true => Ok(()),
            false => Err(Stop::Canceled),
        }
    }

    async fn note_step(&self, step: &Step, outcome: &Outcome<'_>) -> Result<(), Stop> {
        let shown = step.shown(outcome);
        let began = self.active.began;
        self.note(|document| {
            let mut notes = Notes::of(document);
            notes.put(shown);
            document.notes = notes.into_value();
            set_state(document.edit(), "Running", began);
        })
        .await
    }

    /// A deployment may run for long: whoever was taken away meanwhile changes nothing more.
    fn check_caller(&self) -> Result<(), Stop> {
        let app_id = self.call.caller.app_id();
        if self.core.identity.principal(app_id).is_some() {
            return Ok(());
        }
        let message = format!("The client '{app_id}' that began the deployment has been revoked.");
        Err(ArmError::front_door("AuthorizationFailed", message).into())
    }

    /// Deploys one resource. The error that it came to, in the words of the deployment.
    async fn resource(
        &self,
        index: usize,
        planned: &PlannedResource,
    ) -> Result<Option<ArmError>, Stop> {
        self.check_caller()?;
        let active = self.core.active(&self.active).await?;
        let (_, document) = active.ok_or(Stop::Canceled)?;
        if Notes::of(&document).has_deployed(&planned.id) {
            return Ok(None);
        }
        let step = Step::of_resource(&self.active.id, planned);
        self.note_step(&step, &Outcome::Running).await?;
        let (error, was_taken) = match self.deploy(index, planned).await {
            Ok(is_new) => {
                self.note_step(&step, &Outcome::Done(is_new)).await?;
                return Ok(None);
            }
            Err(Fault::Canceled) => return Err(Stop::Canceled),
            Err(Fault::Refused(error)) => (error, false),
            Err(Fault::Failed(error)) => (not_provisioned(&planned.id, error), true),
        };
        let outcome = match was_taken {
            true => Outcome::Failed(&error),
            false => Outcome::Refused(&error),
        };
        self.note_step(&step, &outcome).await?;
        Ok(Some(error))
    }

    /// Whether it is new.
    async fn deploy(&self, index: usize, planned: &PlannedResource) -> Result<bool, Fault> {
        if planned.is_deployment() {
            return self.deploy_inside(index, planned).await;
        }
        let target = Target::of(&self.core, planned, &self.call)?;
        let plan = Arc::clone(&self.plan);
        let live = Live::new(&self.core, &self.call.caller);
        let body = aside(move || {
            let planned = plan.resources.get(index);
            let planned = planned.ok_or_else(|| Refusal::Arm(failed("a resource is gone")))?;
            Ok(planned.body(&live)?)
        });
        let body = body.await?;
        let mut busy = 0;
        let accepted = loop {
            match target.write(&self.core, &body).await {
                Err(error) if error.status() == BUSY && busy < BUSY_MAX => {
                    busy += 1;
                    self.pause().await?;
                }
                other => break other?,
            }
        };
        if let Some(operation) = &accepted.operation {
            self.wait_for(operation).await?;
        }
        Ok(accepted.is_new)
    }

    /// Waits a moment, and looks whether there is anything to wait for.
    async fn pause(&self) -> Result<(), Fault> {
        let own = self.active.operation.id;
        self.core.endings.wait(own, BUSY_PAUSE).await;
        match self.core.active(&self.active).await? {
            Some(_) => Ok(()),
            None => Err(Fault::Canceled),
        }
    }

    async fn wait_for(&self, operation: &Operation) -> Result<(), Fault> {
        let endings = &self.core.endings;
        tokio::select! {
            () = endings.wait(operation.id, RESOURCE_PATIENCE) => {}
            () = endings.wait(self.active.operation.id, RESOURCE_PATIENCE) => {}
        }
        if self.core.active(&self.active).await?.is_none() {
            return Err(Fault::Canceled);
        }
        let stored = self.core.operation(operation.id).await?;
        let stored = stored.map(|stored| stored.operation);
        let stored = stored.ok_or_else(|| failed("an operation is gone"))?;
        match stored.status {
            Status::Succeeded => Ok(()),
            Status::InProgress => Err(Fault::Failed(ArmError::front_door(
                "ResourceDeploymentTimeout",
                format!(
                    "The resource was not provisioned within {} seconds.",
                    RESOURCE_PATIENCE.as_secs()
                ),
            ))),
            Status::Failed | Status::Canceled => Err(Fault::Failed(stored.to_error())),
        }
    }

    /// A deployment inside of this one: it has a document, an operation and steps of its own.
    async fn deploy_inside(&self, index: usize, planned: &PlannedResource) -> Result<bool, Fault> {
        let id = gatewright_arm::ResourceId::parse(&planned.id).map_err(failed)?;
        let action = format!("{DEPLOYMENTS}/write");
        self.call.caller.require(&action, &planned.id)?;
        let plan = Arc::clone(&self.plan);
        let live = Live::new(&self.core, &self.call.caller);
        let inner = aside(move || {
            let planned = plan.resources.get(index);
            let inner = planned.map(|planned| planned.nested(&live)).transpose()?;
            let inner = inner.flatten();
            inner.ok_or_else(|| Refusal::Arm(failed("a nested deployment has no template")))
        });
        let inner = Arc::new(inner.await?);
        let call = Call {
            action,
            ..self.call.clone()
        };
        let begun = Begun {
            body: record::body(&id, None, &inner, &call.correlation, "Accepted"),
            id,
            notes: Notes {
                nested_in: Some(self.active.operation.id),
                steps: Vec::new(),
            },
            source: None,
        };
        let (_, active, is_new) = self.core.begin_deployment(&call, begun).await?;
        let run = Self {
            core: Arc::clone(&self.core),
            call,
            active: active.clone(),
            plan: inner,
        };
        let own = self.active.operation.id;
        // On its own, so that what it has begun to write is never left half-way.
        let mut running = tokio::spawn(run.boxed());
        let ended = tokio::select! {
            ended = &mut running => ended,
            () = self.core.endings.wait(own, NESTED_PATIENCE) => {
                self.core.cancel_deployment(&active).await?;
                running.await
            }
        };
        if self.core.active(&self.active).await?.is_none() {
            return Err(Fault::Canceled);
        }
        let ended = ended.unwrap_or_else(|error| Err(failed(error)));
        ended.map(|()| is_new).map_err(Fault::Failed)
    }

    async fn outputs(&self) -> Result<Map<String, Value>, Stop> {
        let step = Step::of_outputs(&self.active.id, self.active.operation.id);
        let plan = Arc::clone(&self.plan);
        let live = Live::new(&self.core, &self.call.caller);
        let outputs = aside(move || Ok(plan.outputs(&live)?)).await;
        match outputs {
            Ok(outputs) => {
                self.note_step(&step, &Outcome::Done(false)).await?;
                Ok(results(outputs, self.plan.output_resources()))
            }
            Err(refusal) => {
                let error = refusal.into_error();
                self.note_step(&step, &Outcome::Refused(&error)).await?;
                Err(self.failure(vec![error]).into())
            }
        }
    }
}

fn not_provisioned(resource: &str, why: ArmError) -> ArmError {
    let message = "The resource write operation failed to complete successfully, because it \
                   reached terminal provisioning state 'Failed'.";
    ArmError {
        target: Some(resource.to_owned()),
        ..ArmError::front_door("ResourceDeploymentFailure", message).with_detail(why)
    }
}

/// Too many requests: what the resource is busy with ends by itself.
const BUSY: u16 = 429;

/// How long a deployment inside of another may take.
const NESTED_PATIENCE: Duration = Duration::from_secs(24 * 60 * 60);

impl Core {
    /// Writes the end of a deployment.
    async fn end_run(&self, active: &Active, ending: &Ending) {
        let conclude = || self.conclude_deployment(active, ending);
        insist(conclude, || format!("the deployment {}", active.id)).await;
        self.endings.end(active.operation.id);
    }

    /// What a deployment needs to go on after a restart.
    async fn pick_up(
        self: &Arc<Self>,
        document: &Document,
        operation: &Operation,
    ) -> Result<(Call, Arc<Plan>), ArmError> {
        let interrupted = || {
            ArmError::front_door(
                "OperationInterrupted",
                "The control plane was restarted while the deployment ran; start it again.",
            )
        };
        let sealed = document.open(&self.sealing).map_err(failed)?;
        let source = Source::of(sealed).ok_or_else(interrupted)?;
        let principal = self.identity.principal(&operation.caller);
        let caller = principal.map(Caller::of).ok_or_else(interrupted)?;
        let call = operation.resumed(caller);
        let requested = Requested::again(source).map_err(Refusal::into_error)?;
        let plan = self.plan(Arc::new(requested), &document.id).await;
        Ok((call, plan.map_err(Refusal::into_error)?))
    }
}

/// Goes on with a deployment that had not ended when the process did.
pub(crate) async fn resume(core: Arc<Core>, document: Document, operation: Operation) {
    let active = Active {
        id: document.id.clone(),
        began: document.changed,
        operation,
    };
    match core.pick_up(&document, &active.operation).await {
        Ok((call, plan)) => {
            let run = Run {
                core,
                call,
                active,
                plan,
            };
            drop(run.run().await);
        }
        Err(error) => core.end_run(&active, &Err(error)).await,
    }
}
