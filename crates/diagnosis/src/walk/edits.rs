//! Changes of documents, each told twice: as the command that makes it, and as a patch.

use gatewright_arm::Item;
use gatewright_arm::ResourceId;
use gatewright_arm::model::network::{NetworkSecurityGroup, RouteTable};
use gatewright_arm::model::{BackendAddressPool, BackendHttpSettings, Probe};
use json_patch::PatchOperation;
use serde_json::{Map, Value, json};

use super::Walk;
use crate::evidence::{GATEWAY, Place};
use crate::finding::Fix;
use crate::patch::{self, Patch};
use crate::remedy::word;

/// What one member of a part is set to: az's option for it, and its value.
pub(super) struct Set {
    option: &'static str,
    /// Within the part's properties, such as `match/statusCodes`.
    member: &'static str,
    given: Given,
}

pub(super) enum Given {
    Number(i64),
    Text(String),
    Flag(bool),
    Null,
    /// An empty text; az has no option for that, but a path of its own.
    Cleared(&'static str),
    Texts(Vec<String>),
    /// A part of this collection.
    Part(&'static str, String),
    Parts(&'static str, Vec<String>),
    /// Addresses and names of a pool's members.
    Servers(Vec<String>),
}

impl Set {
    pub(super) fn number(option: &'static str, member: &'static str, value: i64) -> Self {
        let given = Given::Number(value);
        Self {
            option,
            member,
            given,
        }
    }

    pub(super) fn text(option: &'static str, member: &'static str, value: &str) -> Self {
        let given = Given::Text(value.to_owned());
        Self {
            option,
            member,
            given,
        }
    }

    pub(super) fn of(option: &'static str, member: &'static str, given: Given) -> Self {
        Self {
            option,
            member,
            given,
        }
    }
}

impl Given {
    /// As az takes it.
    fn argument(&self) -> String {
        let words = |list: &[String]| {
            let words: Vec<String> = list.iter().map(|one| word(one)).collect();
            words.join(" ")
        };
        match self {
            Self::Number(number) => number.to_string(),
            Self::Text(text) => word(text),
            Self::Flag(flag) => flag.to_string(),
            Self::Null => "null".to_owned(),
            Self::Cleared(path) => format!("{path}=''"),
            Self::Part(_, name) => word(name),
            Self::Texts(list) | Self::Parts(_, list) | Self::Servers(list) => words(list),
        }
    }

    /// Whether it stands for what the evidence does not have, and an operator is to put in.
    fn is_placeholder(&self) -> bool {
        const PLACEHOLDERS: [&str; 5] = ["/PATH", "HOST", "ADDRESS", "POOL", "SETTING"];
        let is_one = |text: &str| PLACEHOLDERS.contains(&text);
        match self {
            Self::Text(text) | Self::Part(_, text) => is_one(text),
            Self::Texts(list) | Self::Parts(_, list) | Self::Servers(list) => {
                list.iter().any(|text| is_one(text))
            }
            Self::Number(_) | Self::Flag(_) | Self::Null | Self::Cleared(_) => false,
        }
    }

    /// As the document has it.
    fn value(&self, gateway: &str) -> Value {
        let reference = |of: &str, name: &str| json!({"id": format!("{gateway}/{of}/{name}")});
        match self {
            Self::Number(number) => json!(number),
            Self::Text(text) => json!(text),
            Self::Flag(flag) => json!(flag),
            Self::Null => Value::Null,
            Self::Cleared(_) => json!(""),
            Self::Texts(list) => json!(list),
            Self::Part(of, name) => reference(of, name),
            Self::Parts(of, names) => names.iter().map(|name| reference(of, name)).collect(),
            Self::Servers(list) => list.iter().map(|server| member(server)).collect(),
        }
    }
}

/// A member of a pool.
fn member(server: &str) -> Value {
    match server.parse::<std::net::IpAddr>() {
        Ok(_) => json!({"ipAddress": server}),
        Err(_) => json!({"fqdn": server}),
    }
}

/// A change.
pub(super) struct Edit {
    pub(super) command: String,
    /// Nothing where what is to be changed stands in no document.
    patch: Option<Patch>,
}

impl Edit {
    /// One that only a command can make.
    pub(super) fn by_command(command: String) -> Self {
        Self {
            command,
            patch: None,
        }
    }
}

impl Fix {
    /// A change, by its command and as a patch.
    pub(super) fn edit(mut self, edit: Edit) -> Self {
        self.commands.push(edit.command);
        let Some(patch) = edit.patch else {
            self.is_partial = true;
            return self;
        };
        let mut known = self.patches.iter_mut();
        let same = known.find(|one| one.file == patch.file && one.at == patch.at);
        match same {
            Some(known) => known.operations.extend(patch.operations),
            None => self.patches.push(patch),
        }
        self
    }
}

/// The name of a probe that is made for a setting without one.
pub(super) const NEW_PROBE: &str = "health";

impl Walk<'_> {
    fn gateway_id(&self) -> String {
        let id = self.evidence.gateway.resource_id();
        id.map(|id| id.to_string()).unwrap_or_default()
    }

    /// A patch of the gateway's document. Paths are pointers of the file.
    fn of_gateway(&self, operations: Vec<PatchOperation>) -> Patch {
        Patch {
            resource: self.gateway_id(),
            file: GATEWAY.to_owned(),
            at: self.evidence.gateway.source.pointer().to_owned(),
            operations,
        }
    }

    /// A path of the gateway's document, by its pointer in the file.
    fn path<'p>(&self, pointer: &'p str) -> &'p str {
        let at = self.evidence.gateway.source.pointer();
        pointer.strip_prefix(at).unwrap_or(pointer)
    }

    fn stands(&self, pointer: &str) -> bool {
        let place = Place {
            file: GATEWAY.to_owned(),
            pointer: pointer.to_owned(),
        };
        !self.evidence.value_at(&place).is_null()
    }

    /// The name that a new part of a collection gets: `wanted`, or that with a number that no part
    /// has yet.
    pub(super) fn free_name(&self, collection: &str, wanted: &str) -> String {
        let list = self.evidence.value_at(&Place {
            file: GATEWAY.to_owned(),
            pointer: self.evidence.gateway.source.pointer_to(collection),
        });
        let known = list.as_array().into_iter().flatten();
        let known: Vec<&str> = known.filter_map(|one| one.get("name")?.as_str()).collect();
        free(&known, wanted)
    }

    /// Changes a part of the gateway. `verb` is az's, such as `probe update`.
    pub(super) fn update<T>(&self, verb: &str, item: &Item<T>, sets: &[Set]) -> Edit {
        let arguments: Vec<String> = sets
            .iter()
            .map(|set| format!("{} {}", set.option, set.given.argument()))
            .collect();
        let mut operations = self.is_still(item);
        for set in sets {
            operations.extend(self.put_member(item, set));
        }
        let is_known = !sets.iter().any(|set| set.given.is_placeholder());
        Edit {
            command: self.commands.part(verb, &item.name, &arguments.join(" ")),
            patch: is_known.then(|| self.of_gateway(operations)),
        }
    }

    /// The part must be the one that it was.
    fn is_still<T>(&self, item: &Item<T>) -> Vec<PatchOperation> {
        let name = self.existing(item.pointer(), "name");
        match self.stands(&name) {
            true => patch::test(self.path(&name), json!(item.name)),
            false => Vec::new(),
        }
    }

    /// The pointer of a member of the object at `outer`, in the letter case that it has there.
    fn existing(&self, outer: &str, member: &str) -> String {
        let object = self.evidence.value_at(&Place {
            file: GATEWAY.to_owned(),
            pointer: outer.to_owned(),
        });
        let members = object.as_object().into_iter().flatten();
        let mut names = members.map(|(name, _)| name.as_str());
        let own = names.find(|name| name.eq_ignore_ascii_case(member));
        format!("{outer}/{}", own.unwrap_or(member))
    }

    fn put_member<T>(&self, item: &Item<T>, set: &Set) -> Vec<PatchOperation> {
        let value = set.given.value(&self.gateway_id());
        let Some((outer, inner)) = set.member.split_once('/') else {
            return self.put_over(&item.pointer_to(set.member), value);
        };
        let outer = item.pointer_to(outer);
        match self.stands(&outer) {
            true => self.put_over(&self.existing(&outer, inner), value),
            false => patch::put(self.path(&outer), json!({inner: value})),
        }
    }

    /// Puts a value, where the one that is there is still what it was.
    fn put_over(&self, pointer: &str, value: Value) -> Vec<PatchOperation> {
        let before = self.evidence.value_at(&Place {
            file: GATEWAY.to_owned(),
            pointer: pointer.to_owned(),
        });
        let path = self.path(pointer);
        let mut operations = match before.is_null() {
            true => Vec::new(),
            false => patch::test(path, before),
        };
        operations.extend(patch::put(path, value));
        operations
    }

    /// Gives a pool these servers; by a command to be completed, where none is known.
    pub(super) fn set_servers(
        &self,
        pool: &Item<BackendAddressPool>,
        servers: Vec<String>,
    ) -> Edit {
        let servers = match servers.is_empty() {
            false => servers,
            true => vec!["ADDRESS".to_owned()],
        };
        let set = Set::of("--servers", "backendAddresses", Given::Servers(servers));
        self.update("address-pool update", pool, &[set])
    }

    /// Changes a backend setting; where the evidence does not have it, by a command alone.
    pub(super) fn update_setting(
        &self,
        setting: Option<&Item<BackendHttpSettings>>,
        sets: &[Set],
    ) -> Edit {
        let unknown;
        let item = match setting {
            Some(item) => item,
            None => {
                unknown = Item::new("SETTING", BackendHttpSettings::default());
                &unknown
            }
        };
        let edit = self.update("http-settings update", item, sets);
        match setting {
            Some(_) => edit,
            None => Edit::by_command(edit.command),
        }
    }

    pub(super) fn update_probe(&self, probe: &Item<Probe>, sets: &[Set]) -> Edit {
        self.update("probe update", probe, sets)
    }

    /// Makes a part. `more` are arguments for what `sets` does not have.
    pub(super) fn create(
        &self,
        verb: &str,
        (collection, name): (&str, &str),
        sets: &[Set],
        more: &str,
    ) -> Edit {
        let gateway = self.gateway_id();
        let mut properties = Map::new();
        let mut arguments = Vec::new();
        for set in sets {
            properties.insert(set.member.to_owned(), set.given.value(&gateway));
            if !set.option.is_empty() {
                arguments.push(format!("{} {}", set.option, set.given.argument()));
            }
        }
        arguments.extend((!more.is_empty()).then(|| more.to_owned()));
        let item = json!({
            "name": name,
            "id": format!("{gateway}/{collection}/{name}"),
            "properties": properties,
        });
        let list = self.evidence.gateway.source.pointer_to(collection);
        let item = self.in_shape(item);
        let operations = match self.stands(&list) {
            true => patch::put(&format!("{}/-", self.path(&list)), item),
            false => patch::put(self.path(&list), json!([item])),
        };
        let is_known = !sets.iter().any(|set| set.given.is_placeholder());
        Edit {
            command: self.commands.part(verb, name, &arguments.join(" ")),
            patch: is_known.then(|| self.of_gateway(operations)),
        }
    }

    /// A new part as the gateway's document writes parts: with `properties`, or with their members
    /// beside the name, as az and PowerShell print them.
    fn in_shape(&self, item: Value) -> Value {
        let root = &self.evidence.gateway.source;
        let has_bag = self.stands(&format!("{}/properties", root.pointer()));
        match has_bag {
            true => item,
            false => flat(item),
        }
    }

    /// Changes a member of the gateway itself. `argument` is az's, such as `--capacity 4`.
    pub(super) fn update_gateway(&self, argument: &str, member: &str, value: Value) -> Edit {
        let pointer = self.evidence.gateway.source.pointer_to(member);
        Edit {
            command: format!("{} {argument}", self.commands.gateway("update")),
            patch: Some(self.of_gateway(self.put_over(&pointer, value))),
        }
    }

    /// A path rule in a map, before its other rules or behind them.
    pub(super) fn create_path_rule(
        &self,
        map: &Item<gatewright_arm::model::UrlPathMap>,
        name: &str,
        (pattern, pool, setting): (&str, &str, &str),
    ) -> Edit {
        let more = format!(
            "--path-map-name {} --paths {} --address-pool {} --http-settings {}",
            word(&map.name),
            quoted(pattern),
            word(pool),
            word(setting)
        );
        let gateway = self.gateway_id();
        let rule = json!({
            "name": name,
            "id": format!("{gateway}/urlPathMaps/{}/pathRules/{name}", map.name),
            "properties": {
                "paths": [pattern],
                "backendAddressPool": {"id": format!("{gateway}/backendAddressPools/{pool}")},
                "backendHttpSettings": {
                    "id": format!("{gateway}/backendHttpSettingsCollection/{setting}"),
                },
            },
        });
        let list = map.pointer_to("pathRules");
        let rule = self.in_shape(rule);
        let mut operations = self.is_still(map);
        operations.extend(match self.stands(&list) {
            true => patch::put(&format!("{}/-", self.path(&list)), rule),
            false => patch::put(self.path(&list), json!([rule])),
        });
        Edit {
            command: self.commands.part("url-path-map rule create", name, &more),
            patch: Some(self.of_gateway(operations)),
        }
    }

    /// Puts a rule of a path map behind the last one.
    pub(super) fn move_path_rule_back(
        &self,
        map: &Item<gatewright_arm::model::UrlPathMap>,
        rule: &Item<gatewright_arm::model::PathRule>,
        commands: [String; 2],
    ) -> [Edit; 2] {
        let pointer = rule.pointer();
        let own = self.evidence.value_at(&Place {
            file: GATEWAY.to_owned(),
            pointer: pointer.to_owned(),
        });
        let mut removal = self.is_still(rule);
        removal.extend(patch::remove(self.path(pointer)));
        let list = map.pointer_to("pathRules");
        let addition = patch::put(&format!("{}/-", self.path(&list)), own);
        let [delete, create] = commands;
        let edit = |command, operations| Edit {
            command,
            patch: Some(self.of_gateway(operations)),
        };
        [edit(delete, removal), edit(create, addition)]
    }
}

/// The members of `properties` beside the others.
fn flat(item: Value) -> Value {
    let Value::Object(mut members) = item else {
        return item;
    };
    if let Some(Value::Object(properties)) = members.remove("properties") {
        members.extend(properties);
    }
    Value::Object(members)
}

fn free(known: &[&str], wanted: &str) -> String {
    let is_free = |name: &String| !known.iter().any(|one| one.eq_ignore_ascii_case(name));
    let numbered = (2..).map(|number| format!("{wanted}-{number}"));
    let mut names = std::iter::once(wanted.to_owned()).chain(numbered);
    names.find(is_free).unwrap_or_default()
}

/// Always in quotes: a shell would take `*` for itself.
pub(super) fn quoted(pattern: &str) -> String {
    match word(pattern) {
        bare if bare == pattern => format!("'{pattern}'"),
        quoted => quoted,
    }
}

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
    fn group_of_id(&self, id: &str) -> String {
        let id = ResourceId::parse(id).ok();
        let group = id.as_ref().and_then(|id| id.resource_group());
        word(group.unwrap_or(self.commands.group()))
    }

    fn security_group(&self, name: &str) -> Option<(&str, &Item<NetworkSecurityGroup>)> {
        self.evidence
            .network_resources
            .iter()
            .find_map(|(file, one)| {
                let mut groups = one.security_groups.iter();
                Some((file.as_str(), groups.find(|group| group.is_named(name))?))
            })
    }

    fn route_table(&self, name: &str) -> Option<(&str, &Item<RouteTable>)> {
        self.evidence
            .network_resources
            .iter()
            .find_map(|(file, one)| {
                let mut tables = one.route_tables.iter();
                Some((file.as_str(), tables.find(|table| table.is_named(name))?))
            })
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
        let taken = self.security_group(group).map(|(_, item)| {
            let rules = item.properties.security_rules.iter();
            rules.map(|one| one.name.as_str()).collect::<Vec<_>>()
        });
        let name = &free(&taken.unwrap_or_default(), name);
        let to: Vec<String> = destinations.iter().map(|one| word(one)).collect();
        let command = format!(
            "az network nsg rule create -g {} --nsg-name {} -n {name} --priority {priority} \
             --direction {direction} --access Allow --protocol Tcp --source-address-prefixes {} \
             --source-port-ranges '*' --destination-address-prefixes {} \
             --destination-port-ranges {}",
            self.group_of_id(id),
            word(group),
            sources.join(" "),
            to.join(" "),
            ports.join(" ")
        );
        let sources = match sources.as_slice() {
            [only] => ("sourceAddressPrefix", json!(only)),
            several => ("sourceAddressPrefixes", json!(several)),
        };
        let to = match destinations.as_slice() {
            [only] => ("destinationAddressPrefix", json!(only)),
            several => ("destinationAddressPrefixes", json!(several)),
        };
        let ports = match ports.as_slice() {
            [only] => ("destinationPortRange", json!(only)),
            several => ("destinationPortRanges", json!(several)),
        };
        let value = json!({
            "name": name,
            "properties": {
                "priority": priority, "direction": direction, "access": "Allow",
                "protocol": "Tcp", sources.0: sources.1, "sourcePortRange": "*",
                to.0: to.1, ports.0: ports.1,
            },
        });
        let patch = self.security_group(group).map(|(file, item)| {
            let list = item.pointer_to("securityRules");
            let path = list.strip_prefix(item.pointer()).unwrap_or(&list);
            let value = match path.starts_with("/properties/") {
                true => value,
                false => flat(value),
            };
            let has_rules = !item.properties.security_rules.is_empty();
            let operations = match has_rules {
                true => patch::put(&format!("{path}/-"), value),
                false => patch::put(path, json!([value])),
            };
            network_patch(file, item, operations)
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
        let patch = self.security_group(group).and_then(|(file, item)| {
            let mut rules = item.properties.security_rules.iter();
            let own = rules.find(|one| one.is_named(rule))?;
            let path = own.pointer_to("priority");
            let path = path.strip_prefix(item.pointer()).unwrap_or(&path);
            let mut operations = is_still(item, own);
            operations.extend(patch::replace(path, json!(priority)));
            Some(network_patch(file, item, operations))
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
        let patch = self.security_group(group).and_then(|(file, item)| {
            let mut rules = item.properties.security_rules.iter();
            let own = rules.find(|one| one.is_named(rule))?;
            Some(network_patch(file, item, removal(item, own)))
        });
        Edit { command, patch }
    }

    /// Takes a route out of a table.
    pub(super) fn remove_route(&self, table: &str, route: &str) -> Edit {
        let found = self.route_table(table);
        let id = found
            .and_then(|(_, item)| item.id.as_deref())
            .unwrap_or_default();
        let command = format!(
            "az network route-table route delete -g {} --route-table-name {} -n {}",
            self.group_of_id(id),
            word(table),
            word(route)
        );
        let patch = found.and_then(|(file, item)| {
            let mut routes = item.properties.routes.iter();
            let own = routes.find(|one| one.is_named(route))?;
            Some(network_patch(file, item, removal(item, own)))
        });
        Edit { command, patch }
    }

    /// Has a route lead to the Internet.
    pub(super) fn route_to_internet(&self, table: &str, route: &str) -> Edit {
        let found = self.route_table(table);
        let id = found
            .and_then(|(_, item)| item.id.as_deref())
            .unwrap_or_default();
        let command = format!(
            "az network route-table route update -g {} --route-table-name {} -n {} \
             --next-hop-type Internet --next-hop-ip-address null",
            self.group_of_id(id),
            word(table),
            word(route)
        );
        let patch = found.and_then(|(file, item)| {
            let mut routes = item.properties.routes.iter();
            let own = routes.find(|one| one.is_named(route))?;
            let path = |member: &str| {
                let pointer = own.pointer_to(member);
                pointer
                    .strip_prefix(item.pointer())
                    .unwrap_or(&pointer)
                    .to_owned()
            };
            let mut operations = is_still(item, own);
            operations.extend(patch::put(&path("nextHopType"), json!("Internet")));
            operations.extend(patch::put(&path("nextHopIpAddress"), Value::Null));
            Some(network_patch(file, item, operations))
        });
        Edit { command, patch }
    }
}

/// The part of a resource must be the one that it was.
fn is_still<T, P>(resource: &Item<T>, part: &Item<P>) -> Vec<PatchOperation> {
    let path = part.pointer().strip_prefix(resource.pointer());
    let path = path.unwrap_or(part.pointer());
    patch::test(&format!("{path}/name"), json!(part.name))
}

fn removal<T, P>(resource: &Item<T>, part: &Item<P>) -> Vec<PatchOperation> {
    let path = part.pointer().strip_prefix(resource.pointer());
    let mut operations = is_still(resource, part);
    operations.extend(patch::remove(path.unwrap_or(part.pointer())));
    operations
}

fn network_patch<T>(file: &str, item: &Item<T>, operations: Vec<PatchOperation>) -> Patch {
    Patch {
        resource: item.id.clone().unwrap_or_default(),
        file: file.to_owned(),
        at: item.pointer().to_owned(),
        operations,
    }
}
