//! The guide for HTTP 502 that the service's users are given, typed as it stands there: each
//! resolution after what it mends has been broken, until clients and probes are served again.
//!
//! Flags that the guide names and az does not have are replaced by those that do the same.

mod app_service;
mod network;
mod probes;
mod routing;
mod state;
mod tls;

use gatewright_testkit::backend::{Backend, Builder};
use serde_json::Value;

use crate::site::Site;

/// What the guide has its reader record first.
const INPUTS: &str = "SUBSCRIPTION=00000000-0000-4000-8000-000000000001; RG=rg; RESOURCE_NAME=gw; ";

/// The gateway that a user would come with.
const GATEWAY: &str = "network application-gateway create -g rg -n gw --public-ip-address ip \
    --vnet-name net --subnet gateways --servers 10.0.1.4";

/// A reader of the guide, with a gateway before one server.
pub(super) struct Guide {
    pub(super) site: Site,
    pub(super) backend: Backend,
}

impl Guide {
    /// A v2 gateway whose server 10.0.1.4, on any port, is `backend`.
    pub(super) async fn start(backend: Builder) -> Option<Self> {
        let guide = Self::before_a_gateway(backend).await?;
        guide
            .site
            .az(&format!("{GATEWAY} --sku Standard_v2 --priority 100"));
        Some(guide)
    }

    /// Its network alone: a subnet for gateways, one for servers, and an address.
    pub(super) async fn before_a_gateway(backend: Builder) -> Option<Self> {
        let backend = backend.start().await.unwrap();
        let map = format!("10.0.1.4={}", backend.address());
        let site = Site::start(&["--map", &map])?;
        site.az("group create -n rg -l local");
        site.az(
            "network vnet create -g rg -n net --address-prefixes 10.0.0.0/16 \
             --subnet-name gateways --subnet-prefixes 10.0.0.0/24",
        );
        site.az(
            "network vnet subnet create -g rg --vnet-name net -n servers \
             --address-prefixes 10.0.1.0/24",
        );
        site.az("network public-ip create -g rg -n ip --sku Standard");
        Some(Self { site, backend })
    }

    /// A command of the guide's about the gateway itself.
    pub(super) fn gateway(&self, command: &str) -> Value {
        self.run(&format!(
            "az network application-gateway {command} --name \"$RESOURCE_NAME\" \
             --resource-group \"$RG\" --subscription \"$SUBSCRIPTION\""
        ))
    }

    /// A command of the guide's about a part of the gateway: `probe update --name probe …`.
    pub(super) fn part(&self, command: &str) -> Value {
        self.run(&part(command))
    }

    /// What az says to such a command that it, or the gateway, refuses.
    pub(super) fn part_refused(&self, command: &str) -> String {
        self.site.fails(&format!("{INPUTS} {}", part(command)))
    }

    /// A command of the guide's about a security group, `nsg rule …`, or an app, `webapp …`.
    pub(super) fn other(&self, command: &str) -> Value {
        self.run(&other(command))
    }

    pub(super) fn other_refused(&self, command: &str) -> String {
        self.site.fails(&format!("{INPUTS} {}", other(command)))
    }

    fn run(&self, command: &str) -> Value {
        self.site.json(&format!("{INPUTS} {command} --output json"))
    }

    /// Step 1a.
    pub(super) fn state(&self) -> Value {
        self.gateway(
            "show --query '{provisioningState:provisioningState, \
             operationalState:operationalState, sku:sku.{name:name,tier:tier}}'",
        )
    }

    /// Step 1b: the only server's health, and why.
    pub(super) fn health(&self) -> [String; 2] {
        let told = self.gateway("show-backend-health");
        let server =
            &told["backendAddressPools"][0]["backendHttpSettingsCollection"][0]["servers"][0];
        let text = |name: &str| server[name].as_str().unwrap_or_default().to_owned();
        [text("health"), text("healthProbeLog")]
    }

    /// Step 2a.
    pub(super) fn settings_and_pools(&self) -> Value {
        self.gateway(
            "show --query '{httpSettings:backendHttpSettingsCollection[].{name:name,port:port,\
             protocol:protocol,probeName:probe.id}, \
             pools:backendAddressPools[].{name:name,targets:backendAddresses}}'",
        )
    }

    /// Has the server probed every second, so that nobody waits.
    pub(super) fn probe_often(&self) {
        self.part(
            "probe create --name often --protocol Http --host app.contoso.test --path / \
             --interval 1 --timeout 1 --threshold 1",
        );
        self.part("http-settings update --name appGatewayBackendHttpSettings --probe often");
    }

    /// Has a security group, at the servers' subnet, keep the gateway from its server.
    pub(super) fn deny(&self) {
        self.site.az("network nsg create -g rg -n servers");
        self.site.az(
            "network nsg rule create -g rg --nsg-name servers -n Deny-Gateways --priority 200 \
             --direction Inbound --source-address-prefixes 10.0.0.0/24 \
             --destination-port-ranges 80 --protocol Tcp --access Deny",
        );
        self.site.az(
            "network vnet subnet update -g rg --vnet-name net -n servers \
             --network-security-group servers",
        );
    }

    /// Waits until the guide's reader has come: the server is unhealthy and clients get 502.
    pub(super) async fn is_broken(&self) {
        self.site.wait_for_healths("gw", &["Unhealthy"]);
        assert_eq!(self.status().await, 502);
    }

    /// Waits until the guide's reader can go: step 1b is green and clients are served.
    pub(super) async fn is_mended(&self) {
        self.site.wait_for_healths("gw", &["Healthy"]);
        assert_eq!(self.status().await, 200);
    }

    pub(super) async fn status(&self) -> u16 {
        self.site.ask(80, "/", "www.contoso.test").await.0
    }
}

fn part(command: &str) -> String {
    format!(
        "az network application-gateway {command} --gateway-name \"$RESOURCE_NAME\" \
         --resource-group \"$RG\" --subscription \"$SUBSCRIPTION\""
    )
}

fn other(command: &str) -> String {
    format!("az {command} --resource-group \"$RG\" --subscription \"$SUBSCRIPTION\"")
}
