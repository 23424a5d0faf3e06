//! What the control plane needs of the node that serves.

use gatewright_arm::{ArmError, ResourceId};
use gatewright_store::{Pending, Revision};
use serde_json::Value;

/// The node: it follows the store, serves what lies there, and tells what came of it. The control
/// plane knows no more of it.
pub trait Node: Send + Sync + 'static {
    /// Waits until the node has taken the state of `revision`, or a later one.
    ///
    /// # Errors
    /// Why it could not take it.
    fn took(&self, revision: Revision) -> Pending<'_, Result<(), ArmError>>;

    /// Waits until the node has taken the state of `revision`, or a later one, and answers whether
    /// it serves that gateway as it is stored.
    ///
    /// # Errors
    /// Why it does not: a port that another program holds, a limit of the machine.
    fn serves<'a>(
        &'a self,
        gateway: &'a ResourceId,
        revision: Revision,
    ) -> Pending<'a, Result<(), ArmError>>;

    /// The health of every server of a gateway, as `backendhealth` answers.
    ///
    /// # Errors
    /// When the node does not serve that gateway.
    fn backend_health<'a>(
        &'a self,
        gateway: &'a ResourceId,
    ) -> Pending<'a, Result<Value, ArmError>>;

    /// Probes one pool as `probe`, the body of `getBackendHealthOnDemand`, says, and answers as
    /// that does.
    ///
    /// # Errors
    /// When the node does not serve that gateway, or the body asks for something else.
    fn backend_health_on_demand<'a>(
        &'a self,
        gateway: &'a ResourceId,
        probe: &'a Value,
    ) -> Pending<'a, Result<Value, ArmError>>;
}
