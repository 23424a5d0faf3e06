//! What stands around a gateway: the error of its last change, its App Services and vault, what is
//! really behind its pools, its metrics.

use std::collections::BTreeMap;
use std::net::IpAddr;

use gatewright_snapshot::network::Prefix;

use super::logs::moment;
use super::view::{Place, View, last_part};

/// Why the last change failed.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    /// Codes and messages, the outermost first.
    pub(crate) errors: Vec<(String, String)>,
    pub(crate) time: Option<i64>,
    /// Whether the same was done without an error after it.
    pub(crate) is_overcome: bool,
    /// Whether the log has successes of the same, and none after it.
    pub(crate) is_newest: bool,
    /// Of the innermost error.
    pub(crate) place: Place,
}

/// Deepest nesting of details that is followed.
const DETAILS_DEPTH_MAX: usize = 8;

impl Failure {
    /// Reads an error envelope, an error, an operation, or the events of an activity log of which
    /// the last that failed counts. `None` where there is no error in it.
    pub(super) fn read(view: &View<'_>, gateway: Option<&str>) -> Option<Self> {
        let events = view.elements();
        // Those of the gateway itself, where there are any: a group has more resources.
        let is_of_gateway = |id: &str| gateway.is_some_and(|own| id.eq_ignore_ascii_case(own));
        let is_own =
            |event: &&View<'_>| told(event, "resourceId").is_some_and(|id| is_of_gateway(&id));
        // Reads change nothing; and other gateways are not this one's matter.
        let is_meant = |event: &View<'_>| {
            let id = told(event, "resourceId").unwrap_or_default();
            let is_gateway = id.to_lowercase().contains("/applicationgateways/");
            let operation = told(event, "operationName")
                .unwrap_or_default()
                .to_lowercase();
            let is_read = operation.ends_with("/read") || operation.contains("backendhealth");
            !is_read && (!is_gateway || gateway.is_none() || is_of_gateway(&id))
        };
        let events: Vec<View<'_>> = events.into_iter().filter(is_meant).collect();
        let own: Vec<View<'_>> = events.iter().filter(is_own).cloned().collect();
        let has_failed = own.iter().any(|event| Self::read_one(event).is_some());
        let events = if has_failed { own } else { events };
        let mut failures = events
            .iter()
            .filter_map(|event| Some((event, Self::read_one(event)?)));
        // The first of several of the same time: logs begin with what is newest.
        let first = failures.next()?;
        let (event, mut last) =
            failures.fold(first, |last, next| match next.1.time > last.1.time {
                true => next,
                false => last,
            });
        let successes = events.iter();
        let successes = successes.filter(|other| is_success(other) && is_same(other, event));
        let last_success = successes.filter_map(time_of).max();
        last.is_overcome = last_success.is_some_and(|time| Some(time) > last.time);
        // Of such as are refused at once, and leave the gateway as it was.
        let is_dated = last_success.is_some() && last.time.is_some();
        last.is_newest = is_dated && !last.is_overcome && last.is_refusal();
        Some(last)
    }

    fn read_one(view: &View<'_>) -> Option<Self> {
        let mut errors = Vec::new();
        let mut place = view.place();
        gather(view, 0, &mut errors, &mut place);
        let inner = view.get("statusMessage").and_then(|message| {
            serde_json::from_str::<serde_json::Value>(&message.as_text()?).ok()
        });
        if let Some(inner) = &inner {
            let inner = View::whole("", inner);
            gather(&inner, 0, &mut errors, &mut Place::default());
            place = view
                .get("statusMessage")
                .map_or(place, |message| message.place());
        }
        (!errors.is_empty()).then_some(Self {
            errors,
            time: time_of(view),
            is_overcome: false,
            is_newest: false,
            place,
        })
    }

    /// Whether the change was refused for what it says, before anything was done.
    fn is_refusal(&self) -> bool {
        const WORDS: [&str; 7] = [
            "invalid",
            "notfound",
            "mustmatch",
            "cannot",
            "notallowed",
            "incompatible",
            "blocked",
        ];
        let mut codes = self.codes().map(str::to_lowercase);
        codes.any(|code| WORDS.iter().any(|word| code.contains(word)))
    }

    pub(crate) fn codes(&self) -> impl Iterator<Item = &str> {
        self.errors.iter().map(|(code, _)| code.as_str())
    }

    /// All of it in one text, to be searched.
    pub(crate) fn text(&self) -> String {
        let lines = self
            .errors
            .iter()
            .map(|(code, message)| format!("{code}: {message}"));
        lines.collect::<Vec<_>>().join("\n")
    }
}

fn time_of(event: &View<'_>) -> Option<i64> {
    let names = ["eventTimestamp", "endTime", "timestamp"];
    names.iter().find_map(|name| moment(&event.text(name)?))
}

/// A text, or the value of one that is also told in the reader's language.
fn told(event: &View<'_>, name: &str) -> Option<String> {
    let member = event.get(name)?;
    member.as_text().or_else(|| member.text("value"))
}

fn is_success(event: &View<'_>) -> bool {
    told(event, "status").is_some_and(|status| status.to_lowercase().starts_with("succe"))
}

/// Whether two events are of the same resource.
fn is_same(event: &View<'_>, other: &View<'_>) -> bool {
    let ids = told(event, "resourceId").zip(told(other, "resourceId"));
    ids.is_some_and(|(own, other)| own.eq_ignore_ascii_case(&other))
}

fn gather(view: &View<'_>, depth: usize, errors: &mut Vec<(String, String)>, place: &mut Place) {
    if depth > DETAILS_DEPTH_MAX {
        return;
    }
    if let (Some(code), Some(message)) = (view.text("code"), view.text("message")) {
        errors.push((code, message));
        *place = view.place();
    }
    if let Some(error) = view.get("error") {
        gather(&error, depth + 1, errors, place);
    }
    for detail in view.list("details") {
        gather(&detail, depth + 1, errors, place);
    }
}

/// An App Service.
#[derive(Clone, Debug)]
pub(crate) struct WebApp {
    pub(crate) name: String,
    /// Its resource group; empty where the file does not say.
    pub(crate) group: String,
    pub(crate) default_host: String,
    pub(crate) hosts: Vec<String>,
    /// Hosts that have a certificate bound.
    pub(crate) tls_hosts: Vec<String>,
    pub(crate) has_tls_states: bool,
    pub(crate) restrictions: Vec<Restriction>,
    pub(crate) default_action: Option<String>,
    pub(crate) state: Option<String>,
    pub(crate) public_access: Option<String>,
    /// Whether the file says that no private endpoint leads to it.
    pub(crate) has_no_endpoint: bool,
    /// Empty where the file does not say.
    pub(crate) id: String,
    /// The oldest version of TLS that it takes, such as `1.2`.
    pub(crate) min_tls: Option<String>,
    pub(crate) place: Place,
}

#[derive(Clone, Debug)]
pub(crate) struct Restriction {
    pub(crate) address: String,
    pub(crate) subnet: String,
    pub(crate) action: String,
    pub(crate) name: String,
    pub(crate) priority: f64,
    pub(crate) place: Place,
}

impl WebApp {
    pub(super) fn read(view: &View<'_>) -> Self {
        let config = view.get("siteConfig");
        let within = |name: &str| config.as_ref().and_then(|config| config.get(name));
        let own = |name: &str| view.get(name).or_else(|| within(name));
        let states = view.list("hostNameSslStates");
        let is_bound = |state: &&View<'_>| {
            let kind = state.text("sslState").unwrap_or_default();
            !kind.is_empty() && !kind.eq_ignore_ascii_case("Disabled") && kind != "0"
        };
        let restrictions = own("ipSecurityRestrictions");
        let restrictions = restrictions.map(|list| list.elements()).unwrap_or_default();
        let restriction = |one: &View<'_>| Restriction {
            address: one
                .text("ipAddress")
                .or_else(|| one.text("ip_address"))
                .unwrap_or_default(),
            subnet: one.text("vnetSubnetResourceId").unwrap_or_default(),
            action: one.text("action").unwrap_or_default(),
            name: one.text("name").unwrap_or_default(),
            priority: one.number("priority").unwrap_or(f64::MAX),
            place: one.place(),
        };
        let mut restrictions: Vec<_> = restrictions.iter().map(restriction).collect();
        restrictions.sort_by(|one, other| one.priority.total_cmp(&other.priority));
        let default_action = own("ipSecurityRestrictionsDefaultAction");
        Self {
            name: view.text("name").unwrap_or_default(),
            group: view.text("resourceGroup").unwrap_or_default(),
            default_host: view.text("defaultHostName").unwrap_or_default(),
            hosts: view.texts("hostNames"),
            tls_hosts: states
                .iter()
                .filter(is_bound)
                .filter_map(|state| state.text("name"))
                .collect(),
            has_tls_states: !states.is_empty(),
            restrictions,
            default_action: default_action.and_then(|action| action.as_text()),
            state: view.text("state"),
            public_access: own("publicNetworkAccess").and_then(|one| one.as_text()),
            has_no_endpoint: view
                .get("privateEndpointConnections")
                .is_some_and(|list| list.value().is_array() && list.elements().is_empty()),
            id: view.text("id").unwrap_or_default(),
            min_tls: own("minTlsVersion").and_then(|one| one.as_text()),
            place: view.place(),
        }
    }

    /// Whether nothing but a private endpoint leads to it.
    pub(crate) fn is_private(&self) -> bool {
        let access = self.public_access.as_deref();
        access.is_some_and(|access| access.eq_ignore_ascii_case("Disabled"))
    }

    /// Whether it takes TLS 1.3 alone.
    pub(crate) fn wants_newest_tls(&self) -> bool {
        // Tools write it as `1.3`, `TLS1_3` or `TLSv1.3`.
        let version = self.min_tls.as_deref().unwrap_or_default();
        version.replace('_', ".").ends_with("1.3")
    }

    /// The restriction that decides on a caller from this subnet, of whom no address is known. What
    /// no rule is for is denied where there are rules that allow.
    pub(crate) fn decides_on(&self, subnet: &str) -> Option<(bool, &Restriction)> {
        let is_any =
            |one: &Restriction| matches!(one.address.as_str(), "Any" | "any" | "0.0.0.0/0");
        let is_meant = |one: &&Restriction| {
            !one.subnet.is_empty() && one.subnet.eq_ignore_ascii_case(subnet) || is_any(one)
        };
        let allows = |one: &Restriction| one.action.eq_ignore_ascii_case("Allow");
        if let Some(one) = self.restrictions.iter().find(is_meant) {
            return Some((allows(one), one));
        }
        let first = self.restrictions.iter().find(|one| allows(one))?;
        let is_open = self
            .default_action
            .as_deref()
            .is_some_and(|one| one.eq_ignore_ascii_case("Allow"));
        Some((is_open, first))
    }

    /// What becomes of a caller who does not show the subnet that it is in: whether it is let in,
    /// where rules for addresses or services do not decide; and whether there is one that may let
    /// it in.
    pub(crate) fn decides_on_addresses(&self) -> (bool, bool) {
        let is_any =
            |one: &&Restriction| matches!(one.address.as_str(), "Any" | "any" | "0.0.0.0/0");
        let allows = |one: &Restriction| one.action.eq_ignore_ascii_case("Allow");
        let others = || self.restrictions.iter().filter(|one| one.subnet.is_empty());
        let lets_in_all = match others().find(is_any) {
            Some(any) => allows(any),
            None => self
                .default_action
                .as_deref()
                .is_some_and(|one| one.eq_ignore_ascii_case("Allow")),
        };
        let may_let_in = others().any(|one| allows(one) && !is_any(&one));
        (lets_in_all, may_let_in)
    }

    /// Whether a restriction for addresses, or for a service's, comes before another one and lets
    /// in.
    pub(crate) fn may_let_in_before(&self, other: &Restriction) -> bool {
        let mut before = self
            .restrictions
            .iter()
            .filter(|one| one.subnet.is_empty() && one.priority <= other.priority);
        before.any(|one| one.action.eq_ignore_ascii_case("Allow"))
    }

    /// Whether it lets in who comes from an address, where rules for subnets do not decide.
    pub(crate) fn lets_in_address(&self, address: IpAddr) -> bool {
        let text = address.to_string();
        let is_any =
            |one: &Restriction| matches!(one.address.as_str(), "Any" | "any" | "0.0.0.0/0");
        let is_it = |one: &&Restriction| {
            let (own, bits) = one.address.split_once('/').unwrap_or((&one.address, "32"));
            one.subnet.is_empty() && (own == text && bits == "32" || is_any(one))
        };
        let first = self.restrictions.iter().find(is_it);
        first.is_some_and(|one| one.action.eq_ignore_ascii_case("Allow"))
    }

    /// Whether it lets nobody in: it has no restriction, and what decides without one denies.
    pub(crate) fn denies_all(&self) -> bool {
        let default = self.default_action.as_deref();
        let denies = default.is_some_and(|one| one.eq_ignore_ascii_case("Deny"));
        denies && self.restrictions.is_empty()
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.state
            .as_deref()
            .is_some_and(|state| state.eq_ignore_ascii_case("Stopped"))
    }

    pub(crate) fn answers_to(&self, host: &str) -> bool {
        let hosts = self.hosts.iter().chain([&self.default_host]);
        hosts
            .into_iter()
            .any(|own| !own.is_empty() && own.eq_ignore_ascii_case(host))
    }

    /// Whether it is known to answer to a name that no certificate is bound to: its own name has
    /// the platform's.
    pub(crate) fn lacks_certificate_for(&self, host: &str) -> bool {
        let mut bound = self.tls_hosts.iter();
        self.has_tls_states
            && self.answers_to(host)
            && !bound.any(|own| own.eq_ignore_ascii_case(host))
            && !host.to_lowercase().ends_with(".azurewebsites.net")
    }
}

/// A key vault.
#[derive(Clone, Debug)]
pub(crate) struct Vault {
    pub(crate) name: String,
    /// Empty where the file does not say.
    pub(crate) id: String,
    /// Whether roles decide who may read what, and not policies.
    pub(crate) has_roles: Option<bool>,
    pub(crate) default_action: Option<String>,
    pub(crate) bypass: Option<String>,
    pub(crate) public_access: Option<String>,
    /// Subnets that its firewall lets in.
    pub(crate) subnets: Vec<String>,
    /// What its access policies let whom do with secrets, by object ids; nothing where roles
    /// decide, or where the file does not say.
    pub(crate) permissions: Option<Vec<(String, Vec<String>)>>,
    pub(crate) policies: Place,
    pub(crate) place: Place,
}

impl Vault {
    /// Whether nothing but a private endpoint leads to it.
    pub(crate) fn is_private(&self) -> bool {
        let access = self.public_access.as_deref();
        access.is_some_and(|access| access.eq_ignore_ascii_case("Disabled"))
    }

    /// Whether its firewall keeps out a gateway in this subnet.
    pub(crate) fn is_shut_to(&self, subnet: &str) -> bool {
        let is = |text: &Option<String>, word: &str| {
            text.as_deref()
                .is_some_and(|text| text.eq_ignore_ascii_case(word))
        };
        let is_denied = self.names_others_than(subnet) && !self.lets_services_by();
        is_denied || is(&self.public_access, "Disabled") && !self.names(subnet)
    }

    /// Whether its firewall lets by whom the platform trusts, as which gateways count.
    pub(crate) fn lets_services_by(&self) -> bool {
        let bypass = self.bypass.as_deref();
        bypass.is_some_and(|bypass| bypass.eq_ignore_ascii_case("AzureServices"))
    }

    /// Whether its firewall denies who is not named, and does not name this subnet.
    pub(crate) fn names_others_than(&self, subnet: &str) -> bool {
        let default = self.default_action.as_deref();
        let denies = default.is_some_and(|default| default.eq_ignore_ascii_case("Deny"));
        denies && !self.names(subnet)
    }

    fn names(&self, subnet: &str) -> bool {
        let mut named = self.subnets.iter();
        named.any(|own| own.eq_ignore_ascii_case(subnet))
    }

    pub(super) fn read(view: &View<'_>) -> Self {
        let rules = view.get("networkAcls");
        let rule = |name: &str| rules.as_ref().and_then(|rules| rules.text(name));
        let subnets = rules
            .as_ref()
            .map(|rules| rules.list("virtualNetworkRules"));
        let subnets = subnets.unwrap_or_default();
        Self {
            name: view.text("name").unwrap_or_default(),
            id: view.text("id").unwrap_or_default(),
            has_roles: view
                .get("enableRbacAuthorization")
                .and_then(|one| one.as_flag()),
            default_action: rule("defaultAction"),
            bypass: rule("bypass"),
            public_access: view.text("publicNetworkAccess"),
            subnets: subnets.iter().filter_map(|one| one.text("id")).collect(),
            permissions: permissions_of(view),
            policies: view
                .get("accessPolicies")
                .map_or_else(|| view.place(), |list| list.place()),
            place: rules.as_ref().map_or_else(|| view.place(), View::place),
        }
    }
}

fn permissions_of(vault: &View<'_>) -> Option<Vec<(String, Vec<String>)>> {
    let policies = vault.get("accessPolicies")?;
    let has_roles = vault.get("enableRbacAuthorization");
    let has_roles = has_roles.and_then(|one| one.as_flag());
    let policies = policies.elements();
    // A vault that nobody may read is rarer than a file that leaves policies out.
    if has_roles == Some(true) || has_roles.is_none() && policies.is_empty() {
        return None;
    }
    let permissions = policies.iter().filter_map(|policy| {
        let secrets = policy.get("permissions");
        let secrets = secrets.map(|one| one.texts("secrets")).unwrap_or_default();
        let lower = secrets.iter().map(|one| one.to_lowercase());
        Some((policy.text("objectId")?, lower.collect()))
    });
    Some(permissions.collect())
}

/// A private zone and the networks that it is linked to.
#[derive(Clone, Debug)]
pub(crate) struct ZoneLink {
    pub(crate) zone: String,
    /// Its id, or that of one of its links; empty where that is not said.
    pub(crate) id: String,
    /// Its resource group, where that is said.
    pub(crate) group: Option<String>,
    pub(crate) networks: Vec<String>,
    pub(crate) place: Place,
}

impl ZoneLink {
    pub(super) fn read_all(list: &[View<'_>]) -> Vec<Self> {
        let read = |view: &View<'_>| {
            let zone = ["zone", "privateDnsZone", "zoneName"];
            let zone = zone.iter().find_map(|name| view.text(name));
            let of_id = || {
                let id = view.text("id")?;
                let (_, rest) = id.split_once("/privateDnsZones/")?;
                Some(rest.split('/').next().unwrap_or_default().to_owned())
            };
            let zone = zone.map(|zone| last_part(&zone).to_owned());
            let zone = zone.or_else(of_id).or_else(|| view.text("name"));
            let mut networks = view.texts("virtualNetworks");
            networks.extend(view.texts("vnets"));
            for link in view.list("links").iter().chain([view]) {
                let network = link.get("virtualNetwork").or_else(|| link.get("vnet"));
                let id = network.and_then(|one| one.text("id").or_else(|| one.as_text()));
                networks.extend(id);
            }
            let group = view.text("id").and_then(|id| {
                let id = gatewright_arm::ResourceId::parse(&id).ok()?;
                id.resource_group().map(str::to_owned)
            });
            Self {
                id: view.text("id").unwrap_or_default(),
                zone: zone.unwrap_or_default(),
                group: group.or_else(|| view.text("resourceGroup")),
                networks,
                place: view.place(),
            }
        };
        // az lists each link by itself.
        let mut zones: Vec<Self> = Vec::new();
        for one in list.iter().map(read) {
            let mut known = zones.iter_mut();
            match known.find(|zone| zone.zone.eq_ignore_ascii_case(&one.zone)) {
                Some(zone) => zone.networks.extend(one.networks),
                None => zones.push(one),
            }
        }
        zones
    }
}

/// An instance of a scale set.
#[derive(Clone, Debug)]
pub(crate) struct Instance {
    pub(crate) name: String,
    /// What commands call it: a number, or the name in a flexible set.
    pub(crate) number: String,
    /// The name of its scale set, where the file has that by itself.
    pub(crate) set: Option<String>,
    /// Empty where the file does not say.
    pub(crate) id: String,
    pub(crate) addresses: Vec<String>,
    pub(crate) has_latest_model: Option<bool>,
    /// The ids of the gateways' pools that its own interfaces are to be in; `None` where the file
    /// does not say.
    pub(crate) pools: Option<Vec<String>>,
    pub(crate) place: Place,
}

impl Instance {
    /// The name of its scale set: of `…/virtualMachineScaleSets/web/virtualMachines/3`, or of a
    /// name such as `web_3`.
    pub(crate) fn scale_set(&self) -> Option<&str> {
        let of_id = || {
            let mut parts = self.id.split('/');
            parts.find(|part| part.eq_ignore_ascii_case("virtualMachineScaleSets"))?;
            parts.next()
        };
        let of_name = || {
            let (set, number) = self.name.rsplit_once('_')?;
            number.parse::<u32>().ok().map(|_| set)
        };
        self.set.as_deref().or_else(of_id).or_else(of_name)
    }

    /// Whether it has the address at a network interface with an id.
    pub(crate) fn has_configuration(&self, id: &str) -> bool {
        let own = id.get(..self.id.len());
        let rest = id.get(self.id.len()..);
        !self.id.is_empty()
            && own.is_some_and(|own| own.eq_ignore_ascii_case(&self.id))
            && rest.is_some_and(|rest| rest.starts_with('/'))
    }
    pub(super) fn read_all(list: &[View<'_>]) -> Vec<Self> {
        let read = |view: &View<'_>| {
            let names = [
                "privateIpAddress",
                "privateIpAddresses",
                "ipAddress",
                "privateIp",
                "ip",
            ];
            Self {
                name: view
                    .text("name")
                    .or_else(|| view.text("instanceId"))
                    .unwrap_or_default(),
                number: number_of(view),
                set: view
                    .get("virtualMachineScaleSet")
                    .and_then(|set| set.text("id"))
                    .map(|id| last_part(&id).to_owned()),
                id: view.text("id").unwrap_or_default(),
                addresses: names.iter().flat_map(|name| view.texts(name)).collect(),
                has_latest_model: view.flag("latestModelApplied"),
                pools: pools_of(view),
                place: view.place(),
            }
        };
        list.iter().map(read).collect()
    }
}

/// What commands call an instance: its number, or what stands last in its id or its name.
fn number_of(instance: &View<'_>) -> String {
    let of_name = || {
        let name = instance.text("name")?;
        let (_, number) = name.rsplit_once('_')?;
        Some(number.to_owned())
    };
    let of_id = || Some(last_part(&instance.text("id")?).to_owned());
    let number = instance.text("instanceId");
    number.or_else(of_id).or_else(of_name).unwrap_or_default()
}

/// What an instance's own profile says of gateways' pools.
fn pools_of(instance: &View<'_>) -> Option<Vec<String>> {
    let profile = instance.get("networkProfileConfiguration")?;
    let interfaces = profile.list("networkInterfaceConfigurations");
    let addresses = interfaces
        .iter()
        .flat_map(|one| one.list("ipConfigurations"));
    let pools = addresses.flat_map(|one| one.list("applicationGatewayBackendAddressPools"));
    Some(pools.filter_map(|one| one.text("id")).collect())
}

/// What `kubectl get endpoints` shows of one service.
#[derive(Clone, Debug)]
pub(crate) struct KubernetesEndpoints {
    pub(crate) namespace: String,
    pub(crate) service: String,
    pub(crate) addresses: Vec<String>,
    pub(crate) ports: Vec<u16>,
    /// Addresses of pods that are there and not ready.
    pub(crate) not_ready: Vec<String>,
    /// The nodes of pods, by the pods' addresses.
    pub(crate) nodes: BTreeMap<String, String>,
    pub(crate) place: Place,
}

impl KubernetesEndpoints {
    pub(super) fn read_all(list: &[View<'_>]) -> Vec<Self> {
        items(list).iter().map(Self::read).collect()
    }

    fn read(view: &View<'_>) -> Self {
        let metadata = view.get("metadata");
        let told = |name: &str| metadata.as_ref().and_then(|metadata| metadata.text(name));
        let name = told("name");
        let mut found = Self {
            namespace: told("namespace").unwrap_or_default(),
            service: name.or_else(|| view.text("name")).unwrap_or_default(),
            addresses: view.texts("addresses"),
            ports: Vec::new(),
            not_ready: Vec::new(),
            nodes: BTreeMap::new(),
            place: view.place(),
        };
        for part in view.list("subsets").iter().chain([view]) {
            for address in part.list("addresses") {
                let Some(ip) = address.text("ip") else {
                    continue;
                };
                let node = address.text("nodeName");
                found.nodes.extend(node.map(|node| (ip.clone(), node)));
                found.addresses.push(ip);
            }
            let waiting = part.list("notReadyAddresses");
            let waiting = waiting.iter().map(|one| one.text("ip").unwrap_or_default());
            found.not_ready.extend(waiting);
            for port in part.list("ports") {
                let number = port.number("port").or_else(|| port.as_number());
                let number = number.and_then(|number| u16::try_from(number as i64).ok());
                found.ports.extend(number);
            }
        }
        found
    }
}

/// What `kubectl get nodes -o json` shows of a node.
#[derive(Clone, Debug)]
pub(crate) struct KubernetesNode {
    pub(crate) name: String,
    /// Its own, inside the network.
    pub(crate) addresses: Vec<String>,
    /// Of its pods, where the cluster gives each node a part of a network of its own.
    pub(crate) pods: Vec<Prefix>,
    /// `azure:///subscriptions/…`: the machine.
    pub(crate) provider_id: String,
    pub(crate) is_windows: bool,
    /// Whether its pods are in a network of the cluster's own that nothing leads to from outside
    /// (Azure CNI Overlay).
    pub(crate) is_overlaid: bool,
    pub(crate) place: Place,
}

impl KubernetesNode {
    pub(super) fn read_all(list: &[View<'_>]) -> Vec<Self> {
        let all = items(list);
        all.iter().map(Self::read).collect()
    }

    fn read(view: &View<'_>) -> Self {
        // Some have the columns of a table alone.
        let part = |name: &str| view.get(name).unwrap_or_else(|| view.clone());
        let (metadata, spec, status) = (part("metadata"), part("spec"), part("status"));
        let listed = status.list("addresses");
        let internal = listed.iter().filter(|one| {
            let kind = one.text("type");
            kind.is_some_and(|kind| kind.eq_ignore_ascii_case("InternalIP"))
        });
        let mut addresses: Vec<String> = internal.filter_map(|one| one.text("address")).collect();
        addresses.extend(status.text("internalIP"));
        let labels = metadata.get("labels");
        let label = |name: &str| labels.as_ref().and_then(|labels| labels.text(name));
        let is_overlaid = label("kubernetes.azure.com/azure-cni-overlay")
            .is_some_and(|own| own == "true")
            || label("kubernetes.azure.com/podnetwork-type").is_some_and(|own| own == "overlay");
        let system = label("kubernetes.io/os");
        let told = status.get("nodeInfo");
        let system = system.or_else(|| told?.text("operatingSystem"));
        let mut pods = spec.texts("podCIDRs");
        if pods.is_empty() {
            pods.extend(spec.text("podCIDR"));
        }
        Self {
            name: metadata.text("name").unwrap_or_default(),
            addresses,
            pods: pods.iter().filter_map(|one| one.parse().ok()).collect(),
            provider_id: spec.text("providerID").unwrap_or_default(),
            is_overlaid,
            is_windows: system.is_some_and(|system| system.eq_ignore_ascii_case("windows")),
            place: spec.get("podCIDR").unwrap_or(spec).place(),
        }
    }
}

/// The elements of Kubernetes' lists among these.
fn items<'v>(list: &[View<'v>]) -> Vec<View<'v>> {
    let lists = list.iter().flat_map(|view| match view.list("items") {
        items if items.is_empty() => vec![view.clone()],
        items => items,
    });
    lists.collect()
}

/// One metric over time.
#[derive(Clone, Debug)]
pub(crate) struct Metric {
    pub(crate) name: String,
    pub(crate) points: Vec<Point>,
    pub(crate) place: Place,
}

#[derive(Clone, Debug)]
pub(crate) struct Point {
    pub(crate) time: Option<i64>,
    /// Of its aggregations the one that says most: the total of what is counted, else the greatest.
    pub(crate) value: f64,
}

impl Metric {
    /// Whether it was as much as it ever was at a moment when another one was nothing, which was
    /// something at other times.
    pub(crate) fn was_so_without(&self, other: &Self) -> bool {
        let Some(most) = self.most() else {
            return false;
        };
        let mut own = self.points.iter().filter(|point| point.value >= most);
        let is_without = |point: &Point| {
            let mut others = other.points.iter();
            others.any(|one| one.time.is_some() && one.time == point.time && one.value == 0.0)
        };
        other.most().is_some_and(|most| most > 0.0) && own.any(is_without)
    }

    /// The least time between two points, in seconds; of less than two, five minutes.
    fn interval(&self) -> i64 {
        const USUAL: i64 = 300;
        let mut times: Vec<i64> = self.points.iter().filter_map(|one| one.time).collect();
        times.sort_unstable();
        times.dedup();
        let pairs = times.iter().zip(times.iter().skip(1));
        pairs.map(|(one, next)| next - one).min().unwrap_or(USUAL)
    }

    /// The most of it at points that lie this near to one of some moments, which are in order;
    /// `None` where no point does.
    pub(crate) fn most_near(&self, moments: &[i64], seconds: i64) -> Option<f64> {
        let interval = self.interval();
        // A point is for the time from its own moment to the next one's.
        let is_near = |time: i64| {
            let from = moments.partition_point(|one| *one < time - seconds);
            let until = time + interval + seconds;
            moments.get(from).is_some_and(|one| *one <= until)
        };
        let points = self.points.iter();
        let near = points.filter(|point| point.time.is_some_and(is_near));
        near.map(|point| point.value).max_by(f64::total_cmp)
    }

    pub(super) fn read_all(list: &[View<'_>]) -> Vec<Self> {
        let read = |view: &View<'_>| {
            let name = view.get("name")?;
            let name = name.text("value").or_else(|| name.as_text())?;
            let series = view.list("timeseries");
            let points = series.iter().flat_map(|one| one.list("data"));
            let points = points.chain(view.list("data"));
            // Of what is counted, the sum; `count` is how often it was looked at.
            let is_counted = last_part(&name).to_lowercase().ends_with("requests");
            let aggregations: &[&str] = match is_counted {
                true => &["total", "value", "maximum", "average"],
                false => &["maximum", "average", "value", "total"],
            };
            let point = |data: View<'_>| {
                let mut values = aggregations.iter().filter_map(|name| data.number(name));
                let time = data.text("timeStamp").and_then(|text| moment(&text));
                Some(Point {
                    time,
                    value: values.next()?,
                })
            };
            Some(Self {
                name: last_part(&name).to_owned(),
                points: points.filter_map(point).collect(),
                place: view.place(),
            })
        };
        list.iter().filter_map(read).collect()
    }

    pub(super) fn last(&self) -> Option<i64> {
        self.points.iter().filter_map(|point| point.time).max()
    }

    /// Whether it lies at a bound nearly all of the time, within one part in fifty, and never over
    /// it: of three points or more, four of five.
    pub(crate) fn stays_at(&self, bound: f64) -> bool {
        let is_at = |point: &&Point| (0.98..=1.02).contains(&(point.value / bound));
        let is_over = |point: &Point| point.value > bound * 1.02;
        let (at, all) = (self.points.iter().filter(is_at).count(), self.points.len());
        all >= 3 && at * 5 >= all * 4 && !self.points.iter().any(is_over)
    }

    pub(crate) fn sum(&self) -> f64 {
        self.points.iter().map(|point| point.value).sum()
    }

    pub(crate) fn most(&self) -> Option<f64> {
        self.points.iter().map(|point| point.value).reduce(f64::max)
    }
}
