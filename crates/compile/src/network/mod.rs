//! Network policy from the documents beside a gateway.

mod directory;
mod networks;
mod routes;
mod rules;

use gatewright_arm::{ApplicationGateway, Diagnostic, NetworkResources};
use gatewright_snapshot::GatewayIndex;
use gatewright_snapshot::network::{NetworkPolicy, NetworkPolicyBuilder};

use crate::codes;
use crate::findings::{Findings, quote};
use directory::Directory;

/// Which of the arguments a finding is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NetworkPlace {
    /// The gateway at this position.
    Gateway(usize),
    /// The document at this position.
    Document(usize),
}

/// A diagnostic, and which document its pointer leads into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkFinding {
    pub place: NetworkPlace,
    pub diagnostic: Diagnostic,
}

/// What came of network documents.
#[derive(Clone, Debug)]
pub struct CompiledNetwork {
    pub policy: NetworkPolicy,
    /// Warnings only, by place; at most 1,000 of each.
    pub findings: Vec<NetworkFinding>,
}

/// The findings of each document, one list each.
pub(crate) struct Desk(Vec<Findings>);

impl Desk {
    fn new(documents: usize) -> Self {
        Self((0..documents).map(|_| Findings::default()).collect())
    }

    /// The list of the document at this position.
    pub(crate) fn of(&mut self, document: usize) -> &mut Findings {
        let last = self.0.len().saturating_sub(1);
        // Every position comes from counting the documents.
        &mut self.0[document.min(last)]
    }
}

/// Compiles what `documents` say about networks, and finds the subnet of each of `gateways`: that
/// of the gateway at position `n` is the policy's
/// [`gateway_subnet`](NetworkPolicy::gateway_subnet) of `GatewayIndex::new(n)`, the same index that
/// [`compile`](crate::compile) gives it.
///
/// Several documents may describe parts of one thing: a VNet with its subnets, a subnet by itself.
/// Where two describe the same, the first counts. A reference that leads to nothing in any document
/// is a warning, and the policy says so in its verdicts. Costs time and memory linear in the size
/// of the documents.
///
/// # Errors
/// All findings, errors first, when one of them is an error: a prefix, port, priority or next hop
/// that the service would not take. Nothing is evaluated then: without that rule, the answers would
/// be wrong ones.
pub fn compile_network<'a>(
    documents: &[NetworkResources],
    gateways: impl IntoIterator<Item = &'a ApplicationGateway>,
) -> Result<CompiledNetwork, Vec<NetworkFinding>> {
    let mut desk = Desk::new(documents.len());
    let mut builder = NetworkPolicyBuilder::default();
    let mut directory = Directory::default();
    rules::compile(documents, &mut directory, &mut builder, &mut desk);
    routes::compile(documents, &mut directory, &mut builder, &mut desk);
    networks::compile(documents, &mut directory, &mut builder, &mut desk);
    let mut findings = Vec::new();
    for (position, gateway) in gateways.into_iter().enumerate() {
        let mut list = Findings::default();
        place(position, gateway, &directory, &mut builder, &mut list);
        collect(NetworkPlace::Gateway(position), list, &mut findings);
    }
    for (position, list) in desk.0.into_iter().enumerate() {
        collect(NetworkPlace::Document(position), list, &mut findings);
    }
    if findings.iter().any(|finding| finding.diagnostic.is_error()) {
        findings.sort_by_key(|finding| !finding.diagnostic.is_error());
        return Err(findings);
    }
    Ok(CompiledNetwork {
        policy: builder.build(),
        findings,
    })
}

fn collect(place: NetworkPlace, list: Findings, findings: &mut Vec<NetworkFinding>) {
    let found = list.into_list().into_iter();
    findings.extend(found.map(|diagnostic| NetworkFinding { place, diagnostic }));
}

fn place(
    position: usize,
    gateway: &ApplicationGateway,
    directory: &Directory,
    builder: &mut NetworkPolicyBuilder,
    findings: &mut Findings,
) {
    let configurations = &gateway.properties.gateway_ip_configurations;
    let subnets = configurations.iter().map(|one| &one.properties.subnet);
    // That there is one is validation's business.
    let Some(reference) = subnets.flatten().next() else {
        return;
    };
    match directory.subnet(&reference.id) {
        Some(subnet) => builder.place_gateway(GatewayIndex::new(position), subnet),
        None => findings.warning(
            codes::W_NETWORK_MISSING,
            reference.pointer(),
            format!(
                "No document has the subnet {} of the gateway {}, so that neither security groups \
                 nor routes are evaluated for it.",
                quote(&reference.id),
                quote(&gateway.name)
            ),
            "Add the subnet, or its virtual network.",
        ),
    }
}
