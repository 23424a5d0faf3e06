//! Virtual networks, their peerings and their subnets.

use std::collections::{BTreeMap, HashMap};

use gatewright_arm::model::network::{self, AddressSpace, PeeringState, Text};
use gatewright_arm::{Item, NetworkResources};
use gatewright_snapshot::network::{
    Attachment, Beyond, NetworkPolicyBuilder, Peer, Prefix, Subnet, VirtualNetwork,
};
use gatewright_snapshot::{NetworkIndex, SubnetIndex};

use super::Desk;
use super::directory::{Directory, child_key, enter, id_of, id_text, key_of, parent_of};
use super::routes::prefix;
use crate::codes;
use crate::findings::{Findings, quote};

/// The subnet that virtual network gateways live in has this name (documentation of the service).
const GATEWAY_SUBNET: &str = "GatewaySubnet";

/// Adds a row for every virtual network and every subnet. Groups and tables are there already.
pub(crate) fn compile(
    documents: &[NetworkResources],
    directory: &mut Directory,
    builder: &mut NetworkPolicyBuilder,
    desk: &mut Desk,
) {
    let mut compiler = Compiler {
        directory,
        builder,
        desk,
        spaces: HashMap::new(),
        subnets: HashMap::new(),
    };
    let mut peerings: BTreeMap<String, Vec<Peering<'_>>> = BTreeMap::new();
    for (position, document) in documents.iter().enumerate() {
        for item in &document.virtual_networks {
            let space = item.properties.address_space.as_ref();
            compiler.spaces.insert(key_of(item), space);
        }
        for item in &document.peerings {
            let (network, _) = parent_of(item).unwrap_or_default();
            peerings.entry(network).or_default().push((position, item));
        }
    }
    for (position, document) in documents.iter().enumerate() {
        for item in &document.virtual_networks {
            compiler.network(position, item, &mut peerings);
        }
    }
    for (position, item) in peerings.into_values().flatten() {
        let message = format!(
            "No document has the virtual network of the peering {}, which is left out.",
            quote(&item.name)
        );
        let findings = compiler.desk.of(position);
        findings.warning(codes::W_NETWORK_MISSING, item.pointer(), message, "");
    }
    compiler.standing_alone(documents);
}

/// A peering, with the document that has it.
type Peering<'a> = (usize, &'a Item<network::VirtualNetworkPeering>);

struct Compiler<'a, 'b> {
    directory: &'b mut Directory,
    builder: &'b mut NetworkPolicyBuilder,
    desk: &'b mut Desk,
    /// By the key of the VNet.
    spaces: HashMap<String, Option<&'a AddressSpace>>,
    /// By the key of the subnet.
    subnets: HashMap<String, &'a Item<network::Subnet>>,
}

impl<'a> Compiler<'a, '_> {
    fn network(
        &mut self,
        position: usize,
        item: &'a Item<network::VirtualNetwork>,
        peerings: &mut BTreeMap<String, Vec<Peering<'a>>>,
    ) {
        let key = key_of(item);
        let index = NetworkIndex::new(self.directory.networks.len());
        let findings = self.desk.of(position);
        let map = &mut self.directory.networks;
        if !enter(map, key.clone(), index, item.pointer(), findings) {
            return;
        }
        let own = item.properties.virtual_network_peerings.iter();
        let own = own.map(|one| (position, one));
        let alone = peerings.remove(&key).unwrap_or_default();
        let connected: Vec<Peering<'_>> = own
            .chain(alone)
            .filter(|one| is_connected(one, self.desk))
            .collect();
        let uses_remote = |(_, one): &Peering<'_>| one.properties.use_remote_gateways == Some(true);
        let subnets = &item.properties.subnets;
        let has_gateway = subnets.iter().any(|subnet| subnet.is_named(GATEWAY_SUBNET))
            || connected.iter().any(uses_remote);
        let peers = connected.iter().map(|one| self.peer(*one)).collect();
        let findings = self.desk.of(position);
        let space = item.properties.address_space.as_ref();
        self.builder.add_network(VirtualNetwork {
            name: item.name.clone(),
            resource_id: id_text(item.id.as_deref()),
            address_space: prefixes(space, &item.name, findings),
            peers,
            beyond: match has_gateway {
                true => Beyond::OnPremises,
                false => Beyond::Nothing,
            },
            dns_servers: dns_servers(item, findings),
        });
        for subnet in subnets {
            self.subnet(position, child_key(&key, subnet), subnet, index);
        }
    }

    fn peer(&mut self, (position, item): Peering<'a>) -> Peer {
        let properties = &item.properties;
        let remote = properties.remote_virtual_network.as_ref();
        let remote = id_text(remote.and_then(|one| one.id.as_deref()));
        let current = properties.remote_virtual_network_address_space.as_ref();
        let address_space = match current.or(properties.remote_address_space.as_ref()) {
            Some(space) => prefixes(Some(space), &item.name, self.desk.of(position)),
            None => {
                let space = self.spaces.get(&remote.to_ascii_lowercase());
                // What is wrong with the other's space is reported with the other.
                prefixes(space.copied().flatten(), "", &mut Findings::default())
            }
        };
        Peer {
            address_space,
            in_tag: properties.allow_virtual_network_access != Some(false),
            resource_id: remote,
        }
    }

    /// Adds the subnet, unless it is known.
    fn subnet(
        &mut self,
        position: usize,
        key: String,
        item: &'a Item<network::Subnet>,
        network: NetworkIndex,
    ) {
        if let Some(known) = self.subnets.get(&key) {
            // A VNet and `az network vnet subnet show` tell the same; no more needs to be said.
            if known.properties != item.properties {
                let message = format!(
                    "The subnet {} is given twice, and not alike; the first counts.",
                    quote(&item.name)
                );
                let findings = self.desk.of(position);
                findings.warning(codes::W_NETWORK_TWICE, item.pointer(), message, "");
            }
            return;
        }
        let index = SubnetIndex::new(self.subnets.len());
        self.subnets.insert(key.clone(), item);
        self.directory.subnets.insert(key, index);
        let findings = self.desk.of(position);
        let properties = &item.properties;
        let ranges = ranges(item, findings);
        if ranges.is_empty() {
            let message = format!("The subnet {} has no address range.", quote(&item.name));
            let pointer = item.pointer_to("addressPrefix");
            findings.warning(codes::W_NETWORK_VALUE, pointer, message, "");
        }
        let group = properties.network_security_group.as_ref();
        let group = group.and_then(|one| one.id.as_deref());
        let table = properties.route_table.as_ref();
        let table = table.and_then(|one| one.id.as_deref());
        let security_group = attach(group, |id| self.directory.group(id));
        let route_table = attach(table, |id| self.directory.table(id));
        if let Attachment::Missing(id) = &security_group {
            let member = item.pointer_to("networkSecurityGroup");
            missing(item, "security group", id, member, findings);
        }
        if let Attachment::Missing(id) = &route_table {
            missing(
                item,
                "route table",
                id,
                item.pointer_to("routeTable"),
                findings,
            );
        }
        self.builder.add_subnet(Subnet {
            name: item.name.clone(),
            resource_id: item.id.clone().unwrap_or_default(),
            network,
            prefixes: ranges,
            security_group,
            route_table,
            isolates_gateways: properties.isolates_gateways(),
        });
    }

    /// Subnets that stand by themselves. Those whose VNet no document has share one that is made
    /// up, since nothing else is known of it.
    fn standing_alone(&mut self, documents: &'a [NetworkResources]) {
        let mut homeless: BTreeMap<String, Vec<(usize, &Item<network::Subnet>)>> = BTreeMap::new();
        for (position, document) in documents.iter().enumerate() {
            for item in &document.subnets {
                let (network, _) = parent_of(item).unwrap_or_default();
                match self.directory.networks.get(&network) {
                    Some(index) => self.subnet(position, key_of(item), item, *index),
                    None => homeless.entry(network).or_default().push((position, item)),
                }
            }
        }
        for (key, subnets) in homeless {
            let network = self.made_up(&key, &subnets);
            for (position, item) in subnets {
                self.subnet(position, key_of(item), item, network);
            }
        }
    }

    fn made_up(&mut self, key: &str, subnets: &[(usize, &Item<network::Subnet>)]) -> NetworkIndex {
        let parent = subnets.iter().find_map(|(_, item)| id_of(item)?.parent());
        let name = parent.as_ref().and_then(|id| id.name()).unwrap_or(key);
        if let Some((position, item)) = subnets.first() {
            let message = format!(
                "No document has the virtual network of the subnet {}: private addresses that no \
                 other document shows are taken to be in it.",
                quote(&item.name)
            );
            let help = "Add what `az network vnet show` prints.";
            let findings = self.desk.of(*position);
            findings.warning(codes::W_NETWORK_MISSING, item.pointer(), message, help);
        }
        // Bad prefixes are reported where the subnets are compiled.
        let mut unheard = Findings::default();
        let space = subnets
            .iter()
            .flat_map(|(_, item)| ranges(item, &mut unheard));
        let address_space = space.collect();
        let index = self.builder.add_network(VirtualNetwork {
            name: name.to_owned(),
            resource_id: parent.map(|id| id.to_string()).unwrap_or_default(),
            address_space,
            beyond: Beyond::SameNetwork,
            ..VirtualNetwork::default()
        });
        self.directory.networks.insert(key.to_owned(), index);
        index
    }
}

/// Peerings of which one side does not know yet, or any more, lead nowhere.
fn is_connected((position, item): &Peering<'_>, desk: &mut Desk) -> bool {
    match item.properties.peering_state {
        None | Some(PeeringState::Connected) => true,
        Some(state) => {
            let message = format!(
                "The peering {} is {state}, not Connected: it is left out.",
                quote(&item.name)
            );
            let pointer = item.pointer_to("peeringState");
            desk.of(*position)
                .warning(codes::W_PEERING, pointer, message, "");
            false
        }
    }
}

fn attach<I>(id: Option<&str>, find: impl FnOnce(&str) -> Option<I>) -> Attachment<I> {
    match id {
        None => Attachment::None,
        Some(id) => match find(id) {
            Some(index) => Attachment::Known(index),
            None => Attachment::Missing(id.to_owned()),
        },
    }
}

fn missing(
    item: &Item<network::Subnet>,
    what: &str,
    id: &str,
    pointer: String,
    findings: &mut Findings,
) {
    let message = format!(
        "No document has the {what} {} of the subnet {}: what it says is not known.",
        quote(id),
        quote(&item.name)
    );
    let help = format!("Add the {what}.");
    findings.warning(codes::W_NETWORK_MISSING, pointer, message, help);
}

/// The subnet's ranges, by whichever of the two members.
fn ranges(item: &Item<network::Subnet>, findings: &mut Findings) -> Vec<Prefix> {
    let one = item.properties.address_prefix.0.iter();
    let mut found: Vec<Prefix> = one
        .chain(&item.properties.address_prefixes.0)
        .filter_map(|text| prefix(text, item.id.as_deref().unwrap_or(&item.name), findings))
        .collect();
    found.dedup();
    found
}

fn prefixes(space: Option<&AddressSpace>, owner: &str, findings: &mut Findings) -> Vec<Prefix> {
    let texts = space.map_or(&[][..], |space| &space.address_prefixes.0);
    let found = texts
        .iter()
        .filter_map(|text| prefix(text, owner, findings));
    found.collect()
}

fn dns_servers(
    item: &Item<network::VirtualNetwork>,
    findings: &mut Findings,
) -> Vec<std::net::IpAddr> {
    let options = item.properties.dhcp_options.as_ref();
    let texts: &[Text] = options.map_or(&[], |options| &options.dns_servers.0);
    let mut servers = Vec::with_capacity(texts.len());
    for text in texts {
        match text.value.parse() {
            Ok(server) => servers.push(server),
            Err(_) => {
                let message = format!(
                    "{} is no address of a name server; it is left out.",
                    quote(&text.value)
                );
                findings.warning(codes::W_NETWORK_VALUE, &*text.pointer, message, "");
            }
        }
    }
    servers
}
