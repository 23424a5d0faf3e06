//! Changes of the gateway, each told twice: as the command that makes it, and as a patch.

use gatewright_arm::Item;
use gatewright_arm::model::{BackendAddressPool, BackendHttpSettings, Probe};
use json_patch::PatchOperation;
use serde_json::{Map, Value, json};

use super::Walk;
use super::document::Document;
use crate::evidence::GATEWAY;
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
        Self::of(option, member, Given::Number(value))
    }

    pub(super) fn text(option: &'static str, member: &'static str, value: &str) -> Self {
        Self::of(option, member, Given::Text(value.to_owned()))
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
    pub(super) patch: Option<Patch>,
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

    /// The gateway's.
    pub(super) fn document(&self) -> Document<'_> {
        Document {
            evidence: self.evidence,
            resource: self.gateway_id(),
            file: GATEWAY,
            at: self.evidence.gateway.source.pointer(),
        }
    }

    /// The name that a new part of a collection gets: `wanted`, or that with a number that no part
    /// has yet.
    pub(super) fn free_name(&self, collection: &str, wanted: &str) -> String {
        let known = self.names_in(collection);
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        free(&known, wanted)
    }

    /// The names of the parts of a collection of the gateway.
    pub(super) fn names_in(&self, collection: &str) -> Vec<String> {
        let document = self.document();
        let list = document.value(&self.evidence.gateway.source.pointer_to(collection));
        let known = list.as_array().into_iter().flatten();
        let names = known.filter_map(|one| one.get("name").or_else(|| one.get("Name"))?.as_str());
        names.map(str::to_owned).collect()
    }

    /// Changes a part of the gateway. `verb` is az's, such as `probe update`.
    pub(super) fn update<T>(&self, verb: &str, item: &Item<T>, sets: &[Set]) -> Edit {
        let arguments: Vec<String> = sets
            .iter()
            .map(|set| format!("{} {}", set.option, set.given.argument()))
            .collect();
        let document = self.document();
        let mut operations = document.is_still(item);
        for set in sets {
            operations.extend(put_member(&document, item, set));
        }
        let is_known = !sets.iter().any(|set| set.given.is_placeholder());
        Edit {
            command: self.commands.part(verb, &item.name, &arguments.join(" ")),
            patch: is_known.then(|| document.patch(operations)),
        }
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
        let document = self.document();
        let operations = document.append(&list, item);
        let is_known = !sets.iter().any(|set| set.given.is_placeholder());
        Edit {
            command: self.commands.part(verb, name, &arguments.join(" ")),
            patch: is_known.then(|| document.patch(operations)),
        }
    }

    /// Changes a member of the gateway itself. `argument` is az's, such as `--capacity 4`.
    pub(super) fn update_gateway(&self, argument: &str, member: &str, value: Value) -> Edit {
        let pointer = self.evidence.gateway.source.pointer_to(member);
        let document = self.document();
        let operations = document.put_over(&pointer, value);
        Edit {
            command: format!("{} {argument}", self.commands.gateway("update")),
            patch: Some(document.patch(operations)),
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
        let document = self.document();
        let mut operations = document.is_still(map);
        operations.extend(document.append(&map.pointer_to("pathRules"), rule));
        Edit {
            command: self.commands.part("url-path-map rule create", name, &more),
            patch: Some(document.patch(operations)),
        }
    }

    /// Puts a part behind the last one of its list, by two commands.
    pub(super) fn move_back<T>(
        &self,
        list: &str,
        item: &Item<T>,
        commands: [String; 2],
    ) -> [Edit; 2] {
        let document = self.document();
        let own = document.value(item.pointer()).clone();
        let removal = document.remove(item);
        let addition = document.push(list, own);
        let [delete, create] = commands;
        let edit = |command, operations| Edit {
            command,
            patch: Some(document.patch(operations)),
        };
        [edit(delete, removal), edit(create, addition)]
    }
}

fn put_member<T>(document: &Document<'_>, item: &Item<T>, set: &Set) -> Vec<PatchOperation> {
    let value = set.given.value(&document.resource);
    let Some((outer, inner)) = set.member.split_once('/') else {
        return document.put_over(&item.pointer_to(set.member), value);
    };
    let outer = item.pointer_to(outer);
    match document.stands(&outer) {
        true => document.put_over(&document.existing(&outer, inner), value),
        false => patch::put(document.path(&outer), json!({inner: value})),
    }
}

/// `wanted`, or that with a number, whichever nothing is named yet.
pub(super) fn free(known: &[&str], wanted: &str) -> String {
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
