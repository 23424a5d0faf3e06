//! The form in which gateways are compared: parts by kind and name, each with members by path.
//!
//! What is only written otherwise has the same form: the order of lists that have none, letter
//! case where it does not count, defaults, ids, etags, states and all that the service computes.

use std::collections::{BTreeMap, HashMap};

use gatewright_arm::{ApplicationGateway, Shape, WriteOptions, write_without_back_references};
use serde_json::{Map, Value as Json};

use super::certificates::{self, Printed};

/// A part, in the order in which differences are told: its collection, and what it is called.
const KINDS: [(&str, &str); 26] = [
    ("", "gateway"),
    ("gatewayIPConfigurations", "gateway IP configuration"),
    ("frontendIPConfigurations", "frontend"),
    ("frontendPorts", "port"),
    ("httpListeners", "listener"),
    ("requestRoutingRules", "rule"),
    ("urlPathMaps", "path map"),
    ("pathRules", "path rule"),
    ("redirectConfigurations", "redirect"),
    ("rewriteRuleSets", "rewrite set"),
    ("backendAddressPools", "pool"),
    ("loadDistributionPolicies", "load distribution policy"),
    ("backendHttpSettingsCollection", "setting"),
    ("probes", "probe"),
    ("sslCertificates", "certificate"),
    ("sslProfiles", "TLS profile"),
    ("trustedRootCertificates", "root"),
    ("authenticationCertificates", "server certificate"),
    ("trustedClientCertificates", "client certificate chain"),
    ("listeners", "TCP/TLS listener"),
    ("routingRules", "TCP/TLS rule"),
    ("backendSettingsCollection", "TCP/TLS setting"),
    ("advancedRoutingMaps", "advanced map"),
    ("advancedRoutingConditionSets", "condition set"),
    ("privateLinkConfigurations", "private link"),
    ("entraJWTValidationConfigs", "token validation"),
];

/// What the service computes, at any depth.
const READ_ONLY: [&str; 14] = [
    "etag",
    "id",
    "type",
    "provisioningState",
    "operationalState",
    "resourceGuid",
    "family",
    "defaultPredefinedSslPolicy",
    "privateEndpointConnections",
    "backendIPConfigurations",
    "validatedCertData",
    "clientCertIssuerDN",
    "principalId",
    "tenantId",
];

/// Switches that are on unless something says otherwise; all others are off.
const ON_BY_DEFAULT: [&str; 6] = [
    "validateCertChainAndExpiry",
    "validateSNI",
    "requestBodyCheck",
    "enableRequestBuffering",
    "enableResponseBuffering",
    "probeEnabled",
];

/// Texts in which letter case does not count.
const CASELESS: [&str; 7] = [
    "host",
    "hosts",
    "hostNames",
    "hostName",
    "sniName",
    "location",
    "keyVaultSecretId",
];

/// Members by which the objects of a list without names are told apart.
const KEYS: [&str; 4] = ["name", "headerName", "statusCode", "ruleGroupName"];

/// What a header is called that is better not shown, in part.
const SECRET_HEADERS: [&str; 6] = ["auth", "key", "token", "secret", "password", "cookie"];

/// One value: equal to another where the keys are.
#[derive(Clone, Debug)]
pub(super) struct Value {
    /// `@collection/name` of a part, else `=` and the text.
    pub(super) key: String,
    pub(super) shown: String,
}

/// What stands at a path of a part.
#[derive(Clone, Debug)]
pub(super) enum Leaf {
    One(Value),
    /// In any order; sorted by key, without repeats.
    Many(Vec<Value>),
    /// Parts whose order decides.
    Order(Vec<Value>),
    /// What may be left away in a document and be there all the same: compared where both have it.
    IfBoth(Value),
    /// The same, and never shown.
    Hidden(String),
}

#[derive(Clone, Debug)]
pub(super) struct Part {
    /// Its place in the order of kinds.
    pub(super) rank: usize,
    /// The key of the part that it belongs to, where that is not the gateway.
    pub(super) parent: Option<String>,
    /// `@collection/name`.
    pub(super) key: String,
    pub(super) name: String,
    pub(super) leaves: BTreeMap<String, Leaf>,
}

impl Part {
    pub(super) fn kind(&self) -> &'static str {
        KINDS.get(self.rank).map_or("", |(_, kind)| kind)
    }
}

/// The parts of `gateway`. `group` is the beginning of ids in its own resource group: such ids are
/// equal to those of another gateway in its own group.
pub(super) fn parts(gateway: &ApplicationGateway, group: &str) -> Vec<Part> {
    let options = WriteOptions {
        secrets: true,
        shape: Shape::Rest,
    };
    let written = write_without_back_references(gateway, &options);
    let mut maker = Maker {
        group,
        parts: Vec::new(),
        known: HashMap::new(),
    };
    let empty = Map::new();
    let properties = written.get("properties").and_then(Json::as_object);
    let properties = properties.unwrap_or(&empty);
    let mut own = Map::new();
    for (name, value) in written.as_object().into_iter().flatten() {
        if name != "properties" && name != "name" {
            own.insert(name.clone(), value.clone());
        }
    }
    for (name, value) in properties {
        match KINDS.iter().position(|(collection, _)| collection == name) {
            Some(rank) => maker.collection(rank, value),
            None => {
                own.insert(name.clone(), value.clone());
            }
        }
    }
    let mut leaves = maker.leaves(&own);
    if !has_priorities(gateway) {
        let rules = gateway.properties.request_routing_rules.iter();
        let names = rules.map(|rule| part_value("requestRoutingRules", &rule.name));
        leaves.insert("order of rules".to_owned(), Leaf::Order(names.collect()));
    }
    maker.parts.push(Part {
        rank: 0,
        parent: None,
        key: "@".to_owned(),
        name: gateway.name.clone(),
        leaves,
    });
    maker.parts
}

/// The beginning of the ids of a gateway's resource group, in lower case; empty where its id does
/// not tell.
pub(super) fn group_of(gateway: &ApplicationGateway) -> String {
    let id = gateway
        .id
        .as_deref()
        .unwrap_or_default()
        .to_ascii_lowercase();
    match id.find("/providers/") {
        Some(end) if id.contains("/resourcegroups/") => id.get(..=end).unwrap_or("").to_owned(),
        _ => String::new(),
    }
}

/// Whether priorities order the rules; else their place in the list does.
fn has_priorities(gateway: &ApplicationGateway) -> bool {
    let mut rules = gateway.properties.request_routing_rules.iter();
    !gateway.is_v1() && rules.any(|rule| rule.properties.priority.is_some())
}

/// The key of a part.
pub(super) fn part_key(collection: &str, name: &str) -> String {
    format!(
        "@{}/{}",
        collection.to_ascii_lowercase(),
        name.to_ascii_lowercase()
    )
}

fn part_value(collection: &str, name: &str) -> Value {
    Value {
        key: part_key(collection, name),
        shown: name.to_owned(),
    }
}

fn plain(member: &str, text: &str) -> Value {
    let is_caseless = CASELESS.contains(&member);
    let text = text.trim();
    Value {
        key: match is_caseless {
            true => format!("={}", text.to_lowercase()),
            false => format!("={text}"),
        },
        shown: shown_text(text),
    }
}

/// A text without what may be a signature: the query of a URL.
pub(super) fn shown_text(text: &str) -> String {
    match text.split_once('?') {
        Some((url, _)) if url.contains("://") => format!("{url}?…"),
        _ => text.to_owned(),
    }
}

struct Maker<'a> {
    group: &'a str,
    parts: Vec<Part>,
    /// How many parts have a key: names may be given twice in a document that is refused.
    known: HashMap<String, usize>,
}

impl Maker<'_> {
    fn collection(&mut self, rank: usize, list: &Json) {
        let collection = KINDS.get(rank).map_or("", |(name, _)| name);
        for item in list.as_array().into_iter().flatten() {
            let Some(item) = item.as_object() else {
                continue;
            };
            self.item(rank, collection, None, item);
        }
    }

    fn item(
        &mut self,
        rank: usize,
        collection: &str,
        parent: Option<(&str, &str)>,
        item: &Map<String, Json>,
    ) {
        let own = item.get("name").and_then(Json::as_str).unwrap_or_default();
        let name = match parent {
            Some((_, map)) => format!("{map}/{own}"),
            None => own.to_owned(),
        };
        let mut key = part_key(collection, &name);
        let count = self.known.entry(key.clone()).or_insert(0);
        *count += 1;
        if *count > 1 {
            key = format!("{key}#{count}");
        }
        let empty = Map::new();
        let bag = item.get("properties").and_then(Json::as_object);
        let mut bag = bag.unwrap_or(&empty).clone();
        let certificate = certificates::take(collection, &mut bag);
        let rules = match collection {
            "urlPathMaps" => bag.shift_remove("pathRules"),
            _ => None,
        };
        if collection == "httpListeners" {
            join_hosts(&mut bag);
        }
        if collection == "frontendIPConfigurations" {
            forget_dynamic_address(&mut bag);
        }
        let mut leaves = self.leaves(&bag);
        certificates_into(&mut leaves, certificate);
        if let Some(rules) = &rules {
            let inner = |rule: &Json| {
                let rule = rule.get("name").and_then(Json::as_str).unwrap_or_default();
                Value {
                    key: part_key("", rule),
                    shown: rule.to_owned(),
                }
            };
            let names = rules.as_array().into_iter().flatten().map(inner).collect();
            leaves.insert("order of path rules".to_owned(), Leaf::Order(names));
        }
        self.parts.push(Part {
            rank,
            parent: parent.map(|(key, _)| key.to_owned()),
            key: key.clone(),
            name: name.clone(),
            leaves,
        });
        let rank = KINDS
            .iter()
            .position(|(collection, _)| *collection == "pathRules");
        for rule in rules.iter().filter_map(Json::as_array).flatten() {
            if let (Some(rule), Some(rank)) = (rule.as_object(), rank) {
                self.item(rank, "pathRules", Some((&key, &name)), rule);
            }
        }
    }

    fn leaves(&self, bag: &Map<String, Json>) -> BTreeMap<String, Leaf> {
        let mut leaves = BTreeMap::new();
        self.members("", bag, &mut leaves);
        leaves
    }

    fn members(&self, path: &str, bag: &Map<String, Json>, leaves: &mut BTreeMap<String, Leaf>) {
        let is_off = |name: &str| {
            let draining = name == "connectionDraining" || name.ends_with("Configuration");
            let inner = bag.get(name).and_then(|one| one.get("enabled"));
            draining && inner == Some(&Json::Bool(false))
        };
        for (name, value) in bag {
            if READ_ONLY.contains(&name.as_str()) && !(name == "type" && path == "identity") {
                continue;
            }
            let at = match (path, name.as_str()) {
                (path, "properties") => path.to_owned(),
                ("", name) => name.to_owned(),
                (path, name) => format!("{path}.{name}"),
            };
            if !is_off(name) {
                self.member(&at, name, value, leaves);
            }
        }
    }

    fn member(&self, at: &str, name: &str, value: &Json, leaves: &mut BTreeMap<String, Leaf>) {
        let leaf = match value {
            Json::Null => return,
            Json::Bool(switch) if *switch == ON_BY_DEFAULT.contains(&name) => return,
            Json::Bool(switch) => Leaf::One(plain(name, &switch.to_string())),
            Json::Number(number) => Leaf::One(plain(name, &number.to_string())),
            Json::String(text) if text.trim().is_empty() => return,
            Json::String(text) if matches!(name, "data" | "password" | "publicCertData") => {
                Leaf::Hidden(text.clone())
            }
            Json::String(text) if name == "location" => Leaf::IfBoth(Value {
                key: format!("={}", text.replace(' ', "").to_lowercase()),
                shown: text.clone(),
            }),
            Json::String(text) => Leaf::One(plain(name, text)),
            Json::Object(object) if name == "userAssignedIdentities" => {
                Leaf::Many(sorted(object.keys().map(|id| self.reference(id))))
            }
            Json::Object(object) => match reference_in(object) {
                Some(id) => Leaf::One(self.reference(id)),
                None => return self.members(at, object, leaves),
            },
            Json::Array(list) => match self.list(at, name, list, leaves) {
                Some(leaf) => leaf,
                None => return,
            },
        };
        leaves.insert(at.to_owned(), leaf);
    }

    /// A list of objects with keys becomes members; `None` then, and for a list of nothing.
    fn list(
        &self,
        at: &str,
        name: &str,
        list: &[Json],
        leaves: &mut BTreeMap<String, Leaf>,
    ) -> Option<Leaf> {
        if list.is_empty() {
            return None;
        }
        if name == "cipherSuites" {
            let suites: Vec<&str> = list.iter().filter_map(Json::as_str).collect();
            return Some(Leaf::One(plain(name, &suites.join(", "))));
        }
        let mut values = Vec::new();
        let mut seen: HashMap<String, usize> = HashMap::new();
        for one in list {
            let Some(object) = one.as_object() else {
                let text = one.as_str().map_or_else(|| one.to_string(), str::to_owned);
                values.extend((!text.trim().is_empty()).then(|| plain(name, &text)));
                continue;
            };
            let key = KEYS.iter().find_map(|key| object.get(*key)?.as_str());
            if let Some(key) = key {
                let count = seen.entry(key.to_lowercase()).or_insert(0);
                *count += 1;
                let at = match *count {
                    1 => format!("{at}[{key}]"),
                    count => format!("{at}[{key} #{count}]"),
                };
                self.keyed(&at, object, leaves);
            } else if let Some(id) = reference_in(object) {
                values.push(self.reference(id));
            } else {
                values.extend(self.object(name, object));
            }
        }
        (!values.is_empty()).then(|| Leaf::Many(sorted(values.into_iter())))
    }

    fn keyed(&self, at: &str, object: &Map<String, Json>, leaves: &mut BTreeMap<String, Leaf>) {
        let mut object = object.clone();
        KEYS.iter().for_each(|key| {
            object.shift_remove(*key);
        });
        let header = at.to_lowercase();
        let is_header = header.contains("headerconfigurations[");
        let is_secret = is_header && SECRET_HEADERS.iter().any(|word| header.contains(word));
        if let (true, Some(Json::String(text))) = (is_secret, object.get("headerValue")) {
            leaves.insert(format!("{at}.headerValue"), Leaf::Hidden(text.clone()));
            object.shift_remove("headerValue");
        }
        let before = leaves.len();
        self.members(at, &object, leaves);
        if leaves.len() == before {
            leaves.insert(at.to_owned(), Leaf::One(plain("", "there")));
        }
    }

    /// An object without a key, as one value.
    fn object(&self, name: &str, object: &Map<String, Json>) -> Option<Value> {
        if name == "backendAddresses" {
            let texts = ["ipAddress", "fqdn"].iter();
            let mut texts = texts.filter_map(|one| object.get(*one)?.as_str());
            let text = texts.find(|text| !text.trim().is_empty())?.trim();
            return Some(Value {
                key: format!("={}", text.trim_end_matches('.').to_lowercase()),
                shown: text.to_owned(),
            });
        }
        let mut leaves = BTreeMap::new();
        self.members("", object, &mut leaves);
        let texts = leaves.iter().map(|(path, leaf)| {
            let (key, shown) = leaf.texts();
            (format!("{path}={key}"), format!("{path} {shown}"))
        });
        let (keys, shown): (Vec<_>, Vec<_>) = texts.unzip();
        (!keys.is_empty()).then(|| Value {
            key: format!("={}", keys.join("&")),
            shown: shown.join(" "),
        })
    }

    /// What an id stands for: a part of the gateway by its name, or another resource.
    fn reference(&self, id: &str) -> Value {
        let id = id.trim_end_matches('/');
        let lower = id.to_ascii_lowercase();
        let segments: Vec<&str> = id.split('/').collect();
        let name = segments.last().copied().unwrap_or_default();
        if let [.., collection, name] = segments.as_slice()
            && lower.contains("/applicationgateways/")
            && KINDS
                .iter()
                .any(|(known, _)| known.eq_ignore_ascii_case(collection))
        {
            return part_value(collection, name);
        }
        let own = (!self.group.is_empty()).then(|| lower.strip_prefix(self.group));
        let shown = match segments.as_slice() {
            [.., outer, _, _] if lower.contains("/subnets/") => format!("{outer}/{name}"),
            _ => name.to_owned(),
        };
        Value {
            key: format!("={}", own.flatten().unwrap_or(&lower)),
            shown,
        }
    }
}

impl Leaf {
    /// What it is compared by, and what is shown of it.
    pub(super) fn texts(&self) -> (String, String) {
        let join = |list: &[Value], text: fn(&Value) -> &str| {
            let texts: Vec<&str> = list.iter().map(text).collect();
            texts.join(", ")
        };
        match self {
            Self::One(value) | Self::IfBoth(value) => (value.key.clone(), value.shown.clone()),
            Self::Many(list) | Self::Order(list) => {
                (join(list, |one| &one.key), join(list, |one| &one.shown))
            }
            Self::Hidden(text) => (text.clone(), "(not shown)".to_owned()),
        }
    }
}

fn certificates_into(leaves: &mut BTreeMap<String, Leaf>, printed: Option<Printed>) {
    let Some(printed) = printed else {
        return;
    };
    let leaf = match printed {
        Printed::Read { fingerprints, says } => Leaf::IfBoth(Value {
            key: format!("={fingerprints}"),
            shown: says,
        }),
        Printed::Unread(text) => Leaf::Hidden(text),
    };
    leaves.insert("data".to_owned(), leaf);
}

/// The id of an object that is a reference and nothing else.
fn reference_in(object: &Map<String, Json>) -> Option<&str> {
    let id = object.get("id")?.as_str();
    id.filter(|id| object.len() == 1 && !id.is_empty())
}

fn sorted(values: impl Iterator<Item = Value>) -> Vec<Value> {
    let mut values: Vec<Value> = values.collect();
    values.sort_by(|one, other| one.key.cmp(&other.key));
    values.dedup_by(|one, other| one.key == other.key);
    values
}

/// One host name and a list of one are the same.
fn join_hosts(bag: &mut Map<String, Json>) {
    let one = bag
        .shift_remove("hostName")
        .filter(|one| one.as_str() != Some(""));
    let many = bag.shift_remove("hostNames");
    let many = many.as_ref().and_then(Json::as_array).into_iter().flatten();
    let hosts: Vec<Json> = one.into_iter().chain(many.cloned()).collect();
    bag.insert("hosts".to_owned(), Json::Array(hosts));
}

/// An address that the service picks is told by an export and by no template.
fn forget_dynamic_address(bag: &mut Map<String, Json>) {
    let method = bag.get("privateIPAllocationMethod").and_then(Json::as_str);
    if method == Some("Dynamic") {
        bag.shift_remove("privateIPAddress");
    }
}
