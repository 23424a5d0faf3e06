//! What the node is to make of a stored gateway.

use std::sync::Arc;

use gatewright_arm::ApplicationGateway;
use gatewright_arm::model::{OperationalState, ProvisioningState};
use gatewright_store::SealingKey;
use serde_json::Value;

use super::{neighbours, typed};
use crate::resources::document::{Document, Judged};

/// The note on a gateway that was stopped.
pub(super) const STOPPED: &str = "stopped";

/// The note whether it was before the last stop.
pub(super) const STOPPED_BEFORE: &str = "stoppedBefore";

pub(crate) fn is_stopped(notes: &Value) -> bool {
    notes.get(STOPPED) == Some(&Value::Bool(true))
}

/// What a gateway is to be, whatever the states say that are stored of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    Running,
    Stopped,
    /// Its last change failed, and nothing was good before.
    Failed,
}

impl Asked {
    /// What was asked for last.
    pub(crate) fn of(notes: &Value) -> Self {
        match is_stopped(notes) {
            true => Self::Stopped,
            false => Self::Running,
        }
    }

    fn states(self) -> (OperationalState, ProvisioningState) {
        match self {
            Self::Running => (OperationalState::Running, ProvisioningState::Succeeded),
            Self::Stopped => (OperationalState::Stopped, ProvisioningState::Succeeded),
            Self::Failed => (OperationalState::Stopped, ProvisioningState::Failed),
        }
    }
}

/// A stored gateway as it is to be served, but for its states.
pub(crate) fn desired(document: &Document, sealing: &SealingKey) -> Result<Judged, String> {
    let mut judged = match &document.judged {
        Some(judged) => judged.clone(),
        None => {
            let secrets = document.open(sealing).map_err(|error| error.to_string())?;
            Judged {
                gateway: Arc::new(typed(document, &secrets)?),
                findings: None,
            }
        }
    };
    if neighbours::has_interfaces(&judged.gateway, &document.notes) {
        neighbours::serve_interfaces(Arc::make_mut(&mut judged.gateway), &document.notes);
    }
    Ok(judged)
}

/// Has a gateway say the states that the node is to bring about. Others see nothing of it.
pub(crate) fn ask_for(judged: &mut Judged, asked: Asked) {
    let (operational, provisioning) = asked.states();
    let (operational, provisioning) = (Some(operational), Some(provisioning));
    let says_so = |gateway: &ApplicationGateway| {
        let properties = &gateway.properties;
        properties.operational_state == operational && properties.provisioning_state == provisioning
    };
    if !says_so(&judged.gateway) {
        let properties = &mut Arc::make_mut(&mut judged.gateway).properties;
        properties.operational_state = operational;
        properties.provisioning_state = provisioning;
    }
}
