//! The ends of what a network watcher is asked about: virtual machines with their interfaces, and
//! gateways.

use std::net::IpAddr;

use gatewright_arm::{ArmError, ResourceId};
use serde_json::{Value, json};

use super::location_of;
use crate::context::Context;
use crate::providers::compute::MACHINES;
use crate::providers::network::gateways::GATEWAYS;
use crate::providers::network::interfaces::{INTERFACES, address_of};
use crate::providers::network::own_codes;
use crate::providers::network::picture::{Origin, Picture, is_primary, unknown};
use crate::providers::network::virtual_networks::{id_of, items, reference_of};
use crate::resources::document::Document;

/// A virtual machine as far as networks know it.
pub(super) struct Machine {
    pub(super) id: ResourceId,
    /// The primary one first.
    interfaces: Vec<Document>,
}

/// Where a flow begins.
pub(super) struct End {
    /// Whom answers name.
    pub(super) owner: ResourceId,
    /// `None` for a gateway, whose instances are somewhere in its subnet.
    pub(super) address: Option<IpAddr>,
    subnet: ResourceId,
    /// The security group of its interface.
    group: Option<ResourceId>,
}

impl End {
    pub(super) fn origin(&self, picture: &Picture) -> Result<Origin, ArmError> {
        Ok(Origin {
            subnet: picture.subnet(&self.subnet)?,
            group: self.group.as_ref().and_then(|id| picture.group(id)),
        })
    }

    fn of(owner: &ResourceId, interface: &Document, configuration: &Value) -> Option<Self> {
        Some(Self {
            owner: owner.clone(),
            address: Some(address_of(configuration).parse().ok()?),
            subnet: reference_of(configuration, "subnet")?,
            group: reference_of(&interface.body, "networkSecurityGroup"),
        })
    }
}

/// A question that names something that cannot be.
pub(super) fn refused(message: impl Into<String>) -> ArmError {
    ArmError::new(own_codes::WATCHER, message)
}

/// An IP address of the body.
///
/// # Errors
/// When it is none.
pub(super) fn address_in(question: &Value, member: &str) -> Result<IpAddr, ArmError> {
    let text = text_in(question, member);
    let why = format!("The {member} '{text}' is no IP address.");
    text.parse().map_err(|_| refused(why))
}

pub(super) fn text_in<'a>(question: &'a Value, member: &str) -> &'a str {
    let text = question.get(member).and_then(Value::as_str);
    text.unwrap_or_default()
}

impl Context {
    /// The one from which a connection is tried: a virtual machine, or a gateway.
    ///
    /// # Errors
    /// When it is neither, it does not exist in the watcher's location, or the caller may not know
    /// of it.
    pub(super) async fn source(
        &self,
        watcher: &Document,
        text: &str,
        prefers_ipv6: bool,
    ) -> Result<End, ArmError> {
        let id = parse(text)?;
        match id.resource_type() {
            kind if kind.eq_ignore_ascii_case(GATEWAYS) => self.gateway(watcher, &id).await,
            _ => self
                .machine(Some(watcher), text)
                .await?
                .primary(prefers_ipv6),
        }
    }

    async fn gateway(&self, watcher: &Document, id: &ResourceId) -> Result<End, ArmError> {
        let gateway = self
            .neighbour(Some(watcher), id, &format!("{GATEWAYS}/read"))
            .await?;
        let place = items(&gateway.body, "gatewayIPConfigurations").next();
        let subnet = place.and_then(|place| reference_of(place, "subnet"));
        Ok(End {
            owner: gateway.id,
            address: None,
            subnet: subnet.ok_or_else(|| unknown("the gateway is in no subnet"))?,
            group: None,
        })
    }

    /// A virtual machine, in the watcher's location where one is given.
    ///
    /// # Errors
    /// As [`source`](Self::source).
    pub(super) async fn machine(
        &self,
        watcher: Option<&Document>,
        text: &str,
    ) -> Result<Machine, ArmError> {
        let id = parse(text)?;
        if !id.resource_type().eq_ignore_ascii_case(MACHINES) {
            let message = format!(
                "A network watcher of this control plane cannot be asked about {id}: it knows \
                 virtual machines, and application gateways as sources of connections."
            );
            return Err(refused(message));
        }
        let read = format!("{INTERFACES}/read");
        let machine = self.neighbour(watcher, &id, &read).await?;
        let mut interfaces = Vec::new();
        for reference in references(&machine.body) {
            let Ok(id) = ResourceId::parse(id_of(reference)) else {
                continue;
            };
            self.require_known(&id, &read)?;
            interfaces.extend(self.core.document(&id).await?);
        }
        Ok(Machine {
            id: machine.id,
            interfaces,
        })
    }

    /// A resource that the question names.
    async fn neighbour(
        &self,
        watcher: Option<&Document>,
        id: &ResourceId,
        action: &str,
    ) -> Result<Document, ArmError> {
        // First: who may not know of it is not told whether it exists.
        self.require_known(id, action)?;
        let found = self.core.document(id).await?.filter(|found| {
            watcher.is_none_or(|watcher| location_of(&found.body) == location_of(&watcher.body))
        });
        found.ok_or_else(|| {
            let asked = watcher.map_or_else(String::new, |watcher| {
                format!(" referenced by resource {}", watcher.id)
            });
            let message = format!(
                "Resource {id}{asked} was not found. Please make sure that the referenced resource \
                 exists, and that both resources are in the same region."
            );
            ArmError::new("InvalidResourceReference", message)
        })
    }

    fn require_known(&self, id: &ResourceId, action: &str) -> Result<(), ArmError> {
        if self.caller.may(action, &id.to_string()) {
            return Ok(());
        }
        let message = format!(
            "The client '{}' with object id '{}' may ask the network watcher; however, it does not \
             have permission to perform action '{action}' on the linked scope(s) '{id}' or the \
             linked scope(s) are invalid.",
            self.caller.app_id(),
            self.caller.object_id()
        );
        Err(ArmError::front_door("LinkedAuthorizationFailed", message))
    }
}

/// The interfaces of a machine, the primary one first.
fn references(machine: &Value) -> Vec<&Value> {
    let profile = machine.pointer("/properties/networkProfile/networkInterfaces");
    let all = profile.and_then(Value::as_array).into_iter().flatten();
    let mut all: Vec<&Value> = all.collect();
    all.sort_by_key(|one| !is_primary(one));
    all
}

fn parse(text: &str) -> Result<ResourceId, ArmError> {
    ResourceId::parse(text)
        .ok()
        .filter(|id| id.name().is_some())
        .ok_or_else(|| refused(format!("'{text}' is no id of a resource.")))
}

impl Machine {
    /// The primary address of the primary interface, of this kind where there is one.
    ///
    /// # Errors
    /// When the machine has no address.
    pub(super) fn primary(&self, prefers_ipv6: bool) -> Result<End, ArmError> {
        let mut ends: Vec<End> = self
            .interfaces
            .iter()
            .take(1)
            .flat_map(|one| self.ends(one))
            .collect();
        ends.sort_by_key(|end| end.address.is_some_and(|own| own.is_ipv6() != prefers_ipv6));
        let first = ends.into_iter().next();
        first.ok_or_else(|| refused(format!("The virtual machine {} has no address.", self.id)))
    }

    /// The addresses of an interface, the primary one first.
    fn ends(&self, interface: &Document) -> Vec<End> {
        let mut all: Vec<&Value> = items(&interface.body, "ipConfigurations").collect();
        all.sort_by_key(|one| !is_primary(one));
        all.into_iter()
            .filter_map(|one| End::of(&self.id, interface, one))
            .collect()
    }

    /// Where this machine has `address`: at the interface with this id, where one is given.
    ///
    /// # Errors
    /// When it has no such interface, or not that address there; or when only an interface that is
    /// named could tell.
    pub(super) fn at(&self, interface: &str, address: IpAddr) -> Result<End, ArmError> {
        let is_named = |one: &&Document| one.id.to_string().eq_ignore_ascii_case(interface);
        let candidates: Vec<&Document> = match interface {
            "" => self.interfaces.iter().collect(),
            _ => self.interfaces.iter().filter(is_named).collect(),
        };
        if candidates.is_empty() {
            let why = format!("has no such network interface: '{interface}'");
            return Err(refused(format!("The virtual machine {} {why}.", self.id)));
        }
        let mut own = candidates.iter().flat_map(|one| self.ends(one));
        if let Some(found) = own.find(|end| end.address == Some(address)) {
            return Ok(found);
        }
        let mut forwarding = candidates.iter().filter(|one| forwards(one));
        match (forwarding.next(), candidates.len()) {
            // What it forwards comes from anywhere.
            (Some(one), 1) => self.ends(one).into_iter().next(),
            (Some(_), _) => {
                let message = "The targetNicResourceId is needed: the virtual machine has several \
                               network interfaces, and one of them forwards.";
                return Err(refused(message));
            }
            (None, _) => None,
        }
        .ok_or_else(|| {
            let id = &self.id;
            refused(format!(
                "The virtual machine {id} does not have the address {address}."
            ))
        })
    }
}

fn forwards(interface: &Document) -> bool {
    interface.body.pointer("/properties/enableIPForwarding") == Some(&json!(true))
}
