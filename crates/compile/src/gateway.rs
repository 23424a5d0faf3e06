//! One gateway: its row, and the order of the steps.

use gatewright_arm::ApplicationGateway;
use gatewright_arm::model::{OperationalState, Properties, ProvisioningState};
use gatewright_snapshot::{Gateway, GatewayIndex, Generation, Idle, Snapshot};

use crate::codes;
use crate::findings::{Findings, quote};
use crate::routing::Router;
use crate::scope::{Scope, Tables, served};
use crate::{Options, endpoints, pools, settings, trust, unsupported};

/// Names the gateway across snapshots, in lower case: its resource id, or its name where it has
/// none.
pub(crate) fn key_of(gateway: &ApplicationGateway) -> String {
    let id = gateway
        .id
        .as_deref()
        .unwrap_or_default()
        .trim_end_matches('/');
    if id.is_empty() { &gateway.name } else { id }.to_ascii_lowercase()
}

/// Adds the gateway's rows to `snapshot`.
pub(crate) fn compile(
    gateway: &ApplicationGateway,
    options: &Options,
    snapshot: &mut Snapshot,
    findings: &mut Findings,
) {
    let generation = if gateway.is_v1() {
        Generation::V1
    } else {
        Generation::V2
    };
    let index = GatewayIndex::new(snapshot.gateways.len());
    let (first_pool, first_setting) = (snapshot.pools.len(), snapshot.settings.len());
    let tables = Tables::new(gateway);
    let served = served(gateway, &tables);
    let mut scope = Scope {
        gateway,
        options,
        index,
        generation,
        snapshot,
        findings,
    };
    let row = row(&mut scope);
    scope.snapshot.gateways.push(row);
    unsupported::check(&mut scope, &tables, &served);
    pools::compile(&mut scope);
    let trust = trust::compile(&mut scope);
    settings::compile(&mut scope, &trust);
    let router = Router::new(first_pool, first_setting);
    endpoints::compile(&mut scope, &tables, &served, router);
}

fn row(scope: &mut Scope<'_>) -> Gateway {
    let gateway = scope.gateway;
    let properties = &gateway.properties;
    let idle = idle(properties);
    if let Some(idle) = idle {
        warn_of_idleness(scope, idle);
    }
    let switches = properties.global_configuration.as_ref();
    Gateway {
        name: gateway.name.clone(),
        resource_id: gateway.id.clone().unwrap_or_default(),
        generation: scope.generation,
        idle,
        hide_server_header: switches
            .is_some_and(|one| one.disable_default_server_header_in_response == Some(true)),
    }
}

/// While it is first provisioned, a gateway shows Stopped too, with the state Updating. One that is
/// in a failed state and runs serves what was good before.
fn idle(properties: &Properties) -> Option<Idle> {
    if properties.operational_state != Some(OperationalState::Stopped) {
        return None;
    }
    match properties.provisioning_state {
        Some(ProvisioningState::Succeeded) => Some(Idle::Stopped),
        Some(ProvisioningState::Failed) => Some(Idle::Failed),
        _ => None,
    }
}

fn warn_of_idleness(scope: &mut Scope<'_>, idle: Idle) {
    let gateway = scope.gateway;
    let name = quote(&gateway.name);
    let (code, message, help) = match idle {
        Idle::Stopped => (
            codes::W_STOPPED,
            format!("The gateway {name} is stopped: every request is answered with 502."),
            "Start it (`az network application-gateway start`); in a file, set operationalState to \
             Running.",
        ),
        Idle::Failed => (
            codes::W_FAILED,
            format!(
                "The gateway {name} is in a failed state and does not run: every request is \
                 answered with 502."
            ),
            "The error of its last operation says why; an update that succeeds brings it up. In a \
             file, set operationalState to Running, to serve what is written there in any case.",
        ),
    };
    let pointer = gateway.source.pointer_to("operationalState");
    scope.findings.warning(code, pointer, message, help);
}
