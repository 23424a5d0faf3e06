//! Changes of security groups and route tables, each as a command and as a patch.

use gatewright_arm::model::network::{Route, SecurityRule};
use gatewright_arm::{Item, ResourceId};
use json_patch::PatchOperation;
use serde_json::{Value, json};

use super::Walk;
use super::document::Document;
use super::edits::{Edit, free};
use crate::patch::Patch;
use crate::remedy::word;

/// A security rule to be made.
pub(super) struct NewRule {
    pub(super) name: String,
    pub(super) priority: u32,
    /// `Inbound` or `Outbound`.
    pub(super) direction: String,
    pub(super) sources: Vec<String>,
    pub(super) destinations: Vec<String>,
    pub(super) ports: Vec<String>,
}

impl Walk<'_> {
    /// The resource group of an id, as `-g` takes it; with the subscription, where that is another
    /// than the gateway's.
    pub(super) fn group_of_id(&self, id: &str) -> String {
        let id = ResourceId::parse(id).ok();
        let group = id.as_ref().and_then(|id| id.resource_group());
        let group = word(group.unwrap_or(self.commands.group()));
        let own = self.evidence.gateway.id.as_deref();
        let own = own.and_then(|own| ResourceId::parse(own).ok());
        let subscription_of = |id: &Option<ResourceId>| {
            let id = id.as_ref()?;
            id.subscription().map(str::to_owned)
        };
        match (subscription_of(&id), subscription_of(&own)) {
            (Some(other), Some(own)) if !other.eq_ignore_ascii_case(&own) => {
                format!("{group} --subscription {}", word(&other))
            }
            _ => group,
        }
    }

    fn document_of<'e, T>(&self, file: &'e str, item: &'e Item<T>) -> Document<'e>
    where
        Self: 'e,
    {
        Document {
            evidence: self.evidence,
            resource: item.id.clone().unwrap_or_default(),
            file,
            at: item.pointer(),
        }
    }

    /// What `change` says of a rule of a security group, where both are known.
    fn patch_rule(
        &self,
        group: &str,
        rule: &str,
        change: impl FnOnce(&Document<'_>, &Item<SecurityRule>) -> Vec<PatchOperation>,
    ) -> Option<Patch> {
        let (file, group) = self.security_group(group)?;
        let mut rules = group.properties.security_rules.iter();
        let own = rules.find(|one| one.is_named(rule))?;
        let document = self.document_of(file, group);
        Some(document.patch(change(&document, own)))
    }

    /// Changes a route of a table. `arguments` are az's.
    fn edit_route(
        &self,
        (verb, table, route): (&str, &str, &str),
        arguments: &str,
        change: impl FnOnce(&Document<'_>, &Item<Route>) -> Vec<PatchOperation>,
    ) -> Edit {
        let found = self.route_table(table);
        let id = found.and_then(|(_, item)| item.id.as_deref());
        let command = format!(
            "az network route-table route {verb} -g {} --route-table-name {} -n {}{arguments}",
            self.group_of_id(id.unwrap_or_default()),
            word(table),
            word(route)
        );
        let patch = found.and_then(|(file, item)| {
            let mut routes = item.properties.routes.iter();
            let own = routes.find(|one| one.is_named(route))?;
            let document = self.document_of(file, item);
            Some(document.patch(change(&document, own)))
        });
        Edit { command, patch }
    }

    /// Adds a rule that allows to a security group.
    pub(super) fn add_rule(&self, (group, id): (&str, &str), rule: &NewRule) -> Edit {
        let NewRule {
            name,
            priority,
            direction,
            sources,
            destinations,
            ports,
        } = rule;
        let known = self.security_group(group);
        let taken = known.map(|(_, item)| {
            let rules = item.properties.security_rules.iter();
            rules.map(|one| one.name.as_str()).collect::<Vec<_>>()
        });
        let name = &free(&taken.unwrap_or_default(), name);
        let words = |list: &[String]| {
            list.iter()
                .map(|one| word(one))
                .collect::<Vec<_>>()
                .join(" ")
        };
        let command = format!(
            "az network nsg rule create -g {} --nsg-name {} -n {name} --priority {priority} \
             --direction {direction} --access Allow --protocol Tcp --source-address-prefixes {} \
             --source-port-ranges '*' --destination-address-prefixes {} \
             --destination-port-ranges {}",
            self.group_of_id(id),
            word(group),
            words(sources),
            words(destinations),
            words(ports)
        );
        let sources = one_or_all("sourceAddressPrefix", "sourceAddressPrefixes", sources);
        let to = one_or_all(
            "destinationAddressPrefix",
            "destinationAddressPrefixes",
            destinations,
        );
        let ports = one_or_all("destinationPortRange", "destinationPortRanges", ports);
        let value = json!({
            "name": name,
            "properties": {
                "priority": priority, "direction": direction, "access": "Allow",
                "protocol": "Tcp", sources.0: sources.1, "sourcePortRange": "*",
                to.0: to.1, ports.0: ports.1,
            },
        });
        let patch = known.map(|(file, item)| {
            let document = self.document_of(file, item);
            document.patch(document.append(&item.pointer_to("securityRules"), value))
        });
        Edit { command, patch }
    }

    /// Gives a rule of a security group another priority.
    pub(super) fn move_rule(&self, (group, id): (&str, &str), rule: &str, priority: u32) -> Edit {
        let command = format!(
            "az network nsg rule update -g {} --nsg-name {} -n {} --priority {priority}",
            self.group_of_id(id),
            word(group),
            word(rule)
        );
        let patch = self.patch_rule(group, rule, |document, own| {
            let mut operations = document.is_still(own);
            operations.extend(document.put_over(&own.pointer_to("priority"), json!(priority)));
            operations
        });
        Edit { command, patch }
    }

    /// Has a rule of a security group be for these ports, of any destination.
    pub(super) fn lead_rule_everywhere(
        &self,
        (group, id): (&str, &str),
        rule: &str,
        ports: &str,
    ) -> Edit {
        let command = format!(
            "az network nsg rule update -g {} --nsg-name {} -n {} --destination-port-ranges \
             {ports} --destination-address-prefixes '*'",
            self.group_of_id(id),
            word(group),
            word(rule)
        );
        let patch = self.patch_rule(group, rule, |document, own| {
            let mut operations = document.is_still(own);
            for (member, value) in [
                ("destinationPortRange", json!(ports)),
                ("destinationPortRanges", json!([])),
                ("destinationAddressPrefix", json!("*")),
                ("destinationAddressPrefixes", json!([])),
            ] {
                operations.extend(document.put_over(&own.pointer_to(member), value));
            }
            operations
        });
        Edit { command, patch }
    }

    /// Takes a rule out of a security group.
    pub(super) fn remove_rule(&self, (group, id): (&str, &str), rule: &str) -> Edit {
        let command = format!(
            "az network nsg rule delete -g {} --nsg-name {} -n {}",
            self.group_of_id(id),
            word(group),
            word(rule)
        );
        let patch = self.patch_rule(group, rule, |document, own| document.remove(own));
        Edit { command, patch }
    }

    /// Takes a route out of a table.
    pub(super) fn remove_route(&self, table: &str, route: &str) -> Edit {
        self.edit_route(("delete", table, route), "", |document, own| {
            document.remove(own)
        })
    }

    /// Has a route lead to the machine with an address, or to the Internet.
    pub(super) fn lead(&self, table: &str, route: &str, to: Option<&str>) -> Edit {
        let (kind, address) = match to {
            Some(address) => ("VirtualAppliance", address),
            None => ("Internet", "null"),
        };
        let arguments = format!(" --next-hop-type {kind} --next-hop-ip-address {address}");
        self.edit_route(("update", table, route), &arguments, |document, own| {
            let mut operations = document.is_still(own);
            let mut put = |member, value| {
                operations.extend(document.put_over(&own.pointer_to(member), value));
            };
            put("nextHopType", json!(kind));
            put("nextHopIpAddress", json!(to));
            operations
        })
    }
}

/// A member that has one value, or its twin that has several.
fn one_or_all<'n>(one: &'n str, several: &'n str, values: &[String]) -> (&'n str, Value) {
    match values {
        [only] => (one, json!(only)),
        all => (several, json!(all)),
    }
}
