//! What all checks share: the gateway, its index, and the findings so far.

use std::collections::{HashMap, HashSet};

use super::{ApiVersion, Context};
use crate::diagnostic::{Diagnostic, Severity};
use crate::links::{self, Link, Target};
use crate::model::{
    ApplicationGateway, ChildResource, GatewayChild, Item, Properties, Reference, SkuTier,
};

/// The most findings that one validation keeps.
pub(crate) const MAX_FINDINGS: usize = 1000;

/// Largest group of items that is compared pair by pair; the service's own bounds lie below.
pub(crate) const MAX_COMPARED: usize = 500;

pub(crate) struct Checker<'a> {
    pub(crate) gateway: &'a ApplicationGateway,
    pub(crate) properties: &'a Properties,
    pub(crate) context: &'a Context<'a>,
    pub(crate) tier: Option<SkuTier>,
    pub(crate) links: Vec<Link<'a>>,
    id: String,
    /// Position of each item, by collection and lower-case name.
    index: HashMap<(&'static str, String), usize>,
    findings: Vec<Diagnostic>,
    has_error: bool,
}

impl<'a> Checker<'a> {
    pub(crate) fn new(gateway: &'a ApplicationGateway, context: &'a Context<'a>) -> Self {
        let mut index = HashMap::new();
        for (collection, names) in links::names(&gateway.properties) {
            for (i, name) in names.into_iter().enumerate() {
                index
                    .entry((collection, name.to_ascii_lowercase()))
                    .or_insert(i);
            }
        }
        let id = gateway.id_text();
        Self {
            gateway,
            properties: &gateway.properties,
            context,
            tier: gateway.tier(),
            links: links::collect(gateway, &id),
            id,
            index,
            findings: Vec::new(),
            has_error: false,
        }
    }

    pub(crate) fn finish(self) -> Vec<Diagnostic> {
        let mut findings = self.findings;
        findings.sort_by_key(|finding| finding.severity);
        findings
    }

    fn push(&mut self, finding: Diagnostic) {
        // A full list still takes the first error, which is what the service would answer.
        let first_error = finding.is_error() && !self.has_error;
        if self.findings.len() < MAX_FINDINGS || first_error {
            self.has_error |= finding.is_error();
            self.findings.push(finding);
        }
    }

    pub(crate) fn error(
        &mut self,
        code: &'static str,
        message: impl Into<String>,
        pointer: impl Into<String>,
    ) {
        self.push(Diagnostic::error(code, message, pointer));
    }

    pub(crate) fn warn(
        &mut self,
        code: &'static str,
        message: impl Into<String>,
        pointer: impl Into<String>,
    ) {
        self.push(Diagnostic::warning(code, message, pointer));
    }

    /// A finding with a hint at what would be right.
    pub(crate) fn hint(
        &mut self,
        severity: Severity,
        (code, message): (&'static str, String),
        pointer: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.push(Diagnostic::new(severity, code, message, pointer).with_help(help));
    }

    /// The gateway's id.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// The id of one of the gateway's items.
    pub(crate) fn id_of<T: ChildResource>(&self, item: &Item<T>) -> String {
        format!("{}/{}/{}", self.id, T::COLLECTION, item.name)
    }

    /// JSON pointer of one of the gateway's own properties.
    pub(crate) fn pointer_to(&self, path: &str) -> String {
        self.gateway.source.pointer_to(path)
    }

    pub(crate) fn is_v1(&self) -> bool {
        self.tier.is_some_and(SkuTier::is_v1)
    }

    pub(crate) fn is_basic(&self) -> bool {
        self.tier.is_some_and(SkuTier::is_basic)
    }

    /// The tier as messages spell it.
    pub(crate) fn tier_name(&self) -> &'static str {
        self.tier.map_or("Standard_v2", SkuTier::as_str)
    }

    pub(crate) fn api_version(&self) -> ApiVersion {
        self.context.api_version.unwrap_or(ApiVersion::NEWEST)
    }

    /// Whether the service wrote this document, so that it is known to run.
    pub(crate) fn runs_already(&self) -> bool {
        self.context.api_version.is_none() && self.properties.provisioning_state.is_some()
    }

    /// The item that a reference names, as [`ApplicationGateway::resolve`] but by the index.
    pub(crate) fn resolve<T: GatewayChild>(
        &self,
        reference: Option<&Reference>,
    ) -> Option<&'a Item<T>> {
        let name = self.target_name(reference?, T::COLLECTION)?;
        let position = *self.index.get(&(T::COLLECTION, name))?;
        T::items(self.properties).get(position)
    }

    /// The lower-case name of the item of `collection` that a reference names, existing or not.
    pub(crate) fn target_name(&self, reference: &Reference, collection: &str) -> Option<String> {
        let id = reference.resource_id()?;
        let parent = id.parent()?;
        let (kind, name) = id.last()?;
        let own = match self.gateway.resource_id() {
            Some(own) => own == parent,
            None => parent
                .resource_type()
                .eq_ignore_ascii_case(crate::model::GATEWAY_TYPE),
        };
        (own && kind.eq_ignore_ascii_case(collection)).then(|| name.to_ascii_lowercase())
    }

    /// The names, by collection, of the items that something refers to.
    pub(crate) fn used(&self) -> HashSet<(&'static str, String)> {
        let mut used = HashSet::new();
        for link in &self.links {
            if let Target::Child(collection) = link.target
                && let Some(name) = self.target_name(link.reference, collection)
            {
                used.insert((collection, name));
            }
        }
        used
    }

    /// Reports the references of `collection` that lead nowhere.
    pub(crate) fn dangling(&mut self, collection: &str) {
        let mut missing = Vec::new();
        for link in self
            .links
            .iter()
            .filter(|link| link.collection == collection)
        {
            let Target::Child(target) = link.target else {
                continue;
            };
            if !link.is_well_formed() {
                continue;
            }
            let name = self.target_name(link.reference, target);
            if !name.is_some_and(|name| self.index.contains_key(&(target, name))) {
                missing.push((link.owner.clone(), link.reference));
            }
        }
        for (owner, reference) in missing {
            let message = format!(
                "Resource {} referenced by resource {owner} was not found. Please make sure that \
                 the referenced resource exists, and that both resources are in the same region.",
                reference.id
            );
            self.error("InvalidResourceReference", message, reference.pointer());
        }
    }
}
