//! What all checks share: the gateway, its index, and the findings so far.

use std::collections::{HashMap, HashSet};

use super::{ApiVersion, Context};
use crate::any_case::AnyCase;
use crate::diagnostic::{Diagnostic, Severity};
use crate::id_parts::{IdParts, plain_child, same_words};
use crate::ids::ResourceId;
use crate::links::{self, Link, Target};
use crate::model::{
    ApplicationGateway, ChildResource, GATEWAY_TYPE, GatewayChild, Item, Properties, Reference,
    SkuTier,
};

/// The most findings that one validation keeps.
pub(crate) const MAX_FINDINGS: usize = 1000;

/// Largest group of items that is compared pair by pair; the service's own bounds lie below.
pub(crate) const MAX_COMPARED: usize = 500;

/// A reference whose id has been looked at: once, because there are tens of thousands.
pub(crate) struct CheckedLink<'a> {
    pub(crate) link: Link<'a>,
    /// Whether the id has the form of an id of the type that belongs there.
    pub(crate) is_well_formed: bool,
    /// The item of this gateway that it names, existing or not.
    own: Option<ItemKey<'a>>,
}

/// Names an item of the gateway: its collection and its name.
pub(crate) type ItemKey<'a> = (&'static str, AnyCase<'a>);

pub(crate) struct Checker<'a> {
    pub(crate) gateway: &'a ApplicationGateway,
    pub(crate) properties: &'a Properties,
    pub(crate) context: &'a Context<'a>,
    pub(crate) tier: Option<SkuTier>,
    pub(crate) links: Vec<CheckedLink<'a>>,
    id: String,
    own: OwnId,
    /// Position of each item.
    index: HashMap<ItemKey<'a>, usize>,
    findings: Vec<Diagnostic>,
    has_error: bool,
}

impl<'a> Checker<'a> {
    pub(crate) fn new(gateway: &'a ApplicationGateway, context: &'a Context<'a>) -> Self {
        let mut index = HashMap::new();
        for (collection, names) in links::names(&gateway.properties) {
            for (i, name) in names.into_iter().enumerate() {
                index.entry((collection, AnyCase(name))).or_insert(i);
            }
        }
        let own = OwnId::of(gateway);
        let links = links::collect(gateway).into_iter();
        Self {
            gateway,
            properties: &gateway.properties,
            context,
            tier: gateway.tier(),
            links: links.map(|link| checked(link, &own)).collect(),
            id: gateway.id_text(),
            own,
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

    /// The name of the item of `collection` that a reference names, existing or not.
    pub(crate) fn target_name<'r>(
        &self,
        reference: &'r Reference,
        collection: &str,
    ) -> Option<AnyCase<'r>> {
        self.own.name_of(&reference.id, collection).map(AnyCase)
    }

    /// The items that something refers to.
    pub(crate) fn used(&self) -> HashSet<ItemKey<'a>> {
        self.links.iter().filter_map(|link| link.own).collect()
    }

    /// Reports the references of `collection` that lead nowhere.
    pub(crate) fn dangling(&mut self, collection: &str) {
        let exists = |own: ItemKey<'_>| self.index.contains_key(&own);
        let mut missing = Vec::new();
        for one in &self.links {
            let link = &one.link;
            let is_inside = matches!(link.target, Target::Child(_));
            if is_inside
                && one.is_well_formed
                && link.owner.collection() == collection
                && !one.own.is_some_and(exists)
            {
                missing.push((link.owner.id(&self.id), link.reference));
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

/// The id of the gateway that is checked, where it has a good one.
struct OwnId {
    id: Option<ResourceId>,
    /// In canonical form, where it is a gateway's.
    text: Option<String>,
}

impl OwnId {
    fn of(gateway: &ApplicationGateway) -> Self {
        let id = gateway.resource_id();
        let is_gateway = |id: &&ResourceId| id.resource_type().eq_ignore_ascii_case(GATEWAY_TYPE);
        let text = id.as_ref().filter(is_gateway).map(ResourceId::to_string);
        Self { id, text }
    }

    /// The collection and the name of an item of this gateway; see [`plain_child`].
    fn plain_child<'a>(&self, text: &'a str) -> Option<(&'a str, &'a str)> {
        plain_child(text, self.text.as_deref()?)
    }

    /// The name of the item of `collection` that has this id, existing or not.
    fn name_of<'a>(&self, text: &'a str, collection: &str) -> Option<&'a str> {
        if let Some((kind, name)) = self.plain_child(text) {
            return kind.eq_ignore_ascii_case(collection).then_some(name);
        }
        let id = IdParts::parse(text).ok()?;
        id.child_of(self.id.as_ref(), collection)
    }
}

fn checked<'a>(link: Link<'a>, own: &OwnId) -> CheckedLink<'a> {
    let text = &link.reference.id;
    if let (Target::Child(collection), Some((kind, name))) = (link.target, own.plain_child(text)) {
        let is_well_formed = kind.eq_ignore_ascii_case(collection);
        return CheckedLink {
            link,
            is_well_formed,
            own: is_well_formed.then_some((collection, AnyCase(name))),
        };
    }
    let id = IdParts::parse(text).ok();
    let is_well_formed = id
        .as_ref()
        .is_some_and(|id| same_words(id.type_words(), link.target.type_words()));
    let own = match link.target {
        Target::Child(collection) => id
            .and_then(|id| id.child_of(own.id.as_ref(), collection))
            .map(|name| (collection, AnyCase(name))),
        Target::Outside(_) => None,
    };
    CheckedLink {
        link,
        is_well_formed,
        own,
    }
}
