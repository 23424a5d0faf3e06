//! The files of a folder, each in the form that it is read in.

use serde_json::{Map, Value, json};

use super::network;
use super::picture::{Picture, list, text};
use super::rounds::moment;
use super::verbs::Verb;

/// A file of the folder.
#[derive(Debug)]
pub(super) struct File {
    pub(super) name: String,
    pub(super) content: Value,
}

/// Every file for which there are answers, in a fixed order.
pub(super) fn files(picture: &mut Picture) -> Vec<File> {
    let mut files = Vec::new();
    let mut put = |name: &str, content: Option<Value>| {
        let name = name.to_owned();
        files.extend(content.map(|content| File { name, content }));
    };
    put("gateway.json", Some(picture.gateway.clone()));
    put("backend-health.json", picture.first(Verb::Health).cloned());
    put("last-error.json", failures(picture));
    put("subnet.json", of_file(picture, "subnet.json").pop());
    put("vnet.json", of_file(picture, "vnet.json").pop());
    put("backend-subnet.json", backends(picture));
    let is_known = network::knows_own_subnet(picture);
    for name in ["nsgs.json", "route-tables.json"] {
        let all = of_file(picture, name);
        put(name, (is_known || !all.is_empty()).then(|| all.into()));
    }
    put("metrics.json", picture.first(Verb::Metrics).cloned());
    put("access-logs.json", rows(picture));
    let apps: Vec<Value> = picture
        .all(Verb::WebApp)
        .map(|(_, app)| app.clone())
        .collect();
    put("webapp.json", some(apps));
    put("private-dns-links.json", zones(picture));
    put("vmss-instances.json", instances(picture));
    for (name, vault) in vaults(picture) {
        put(&name, Some(vault));
    }
    files
}

fn some(list: Vec<Value>) -> Option<Value> {
    (!list.is_empty()).then(|| list.into())
}

/// The answers that go into a file as they are.
fn of_file(picture: &Picture, name: &str) -> Vec<Value> {
    let own = picture.answers.iter();
    let own = own.filter(|(question, _)| question.file == name);
    own.map(|(_, value)| value.clone()).collect()
}

/// Networks and subnets of members; the interfaces that led there are no network.
fn backends(picture: &Picture) -> Option<Value> {
    let own = picture.answers.iter();
    let own = own.filter(|(question, _)| {
        let verb = question.call.verb;
        question.file == "backend-subnet.json" && verb != Verb::Interface
    });
    some(own.map(|(_, value)| value.clone()).collect())
}

/// The events of changes that failed, the newest first, unless a later change succeeded: what was
/// mended since would be blamed for what is wrong now.
fn failures(picture: &mut Picture) -> Option<Value> {
    let is_change = |event: &&Value| {
        let operation = text(event, "/operationName/value").unwrap_or_default();
        !operation.to_ascii_lowercase().contains("backendhealth")
    };
    let events: Vec<Value> = picture
        .items(Verb::Events)
        .filter(is_change)
        .cloned()
        .collect();
    let is = |event: &&Value, status: &str| {
        let own = text(event, "/status/value").unwrap_or_default();
        own.eq_ignore_ascii_case(status)
    };
    let succeeded = events.iter().filter(|event| is(event, "Succeeded"));
    let mended = succeeded.filter_map(moment).max();
    let mut failed: Vec<Value> = events
        .iter()
        .filter(|event| is(event, "Failed"))
        .cloned()
        .collect();
    failed.sort_by_key(|event| std::cmp::Reverse(moment(event)));
    let all = failed.len();
    failed.retain(|event| mended.is_none_or(|mended| moment(event) > Some(mended)));
    if failed.is_empty() && all > 0 {
        picture.remarks.push(format!(
            "last-error.json: {all} events of failed changes are left out: a later change succeeded"
        ));
    }
    some(failed)
}

/// Rows of the first table that has some; an empty list where one was read and has none.
fn rows(picture: &Picture) -> Option<Value> {
    let mut tables = picture.all(Verb::Log).map(|(_, rows)| rows);
    let first = picture.first(Verb::Log);
    let is_filled = |rows: &&Value| rows.as_array().is_some_and(|rows| !rows.is_empty());
    tables.find(is_filled).or(first).cloned()
}

/// Zones with their links; a zone without any is told too.
fn zones(picture: &Picture) -> Option<Value> {
    let zones = picture.all(Verb::ZoneLinks).map(|(question, links)| {
        let id = question.about.as_ref();
        json!({
            "zone": id.and_then(|id| id.name()),
            "id": id.map(ToString::to_string),
            "links": links,
        })
    });
    some(zones.collect())
}

/// Instances with what is needed of them, and the addresses of their interfaces.
fn instances(picture: &Picture) -> Option<Value> {
    const MEMBERS: [&str; 5] = [
        "name",
        "instanceId",
        "id",
        "latestModelApplied",
        "provisioningState",
    ];
    let mut interfaces: Vec<(String, Vec<&str>)> = Vec::new();
    for interface in picture.items(Verb::ScaleSetInterfaces) {
        let machine = text(interface, "/virtualMachine/id").unwrap_or_default();
        let configurations = list(interface, "/ipConfigurations");
        let addresses = configurations.filter_map(|one| text(one, "/privateIPAddress"));
        interfaces.push((machine.to_ascii_lowercase(), addresses.collect()));
    }
    let instance = |instance: &Value| {
        let mut own = Map::new();
        for member in MEMBERS {
            if let Some(value) = instance.get(member) {
                own.insert(member.to_owned(), value.clone());
            }
        }
        let id = text(instance, "/id")
            .unwrap_or_default()
            .to_ascii_lowercase();
        let own_interfaces = interfaces.iter().filter(|(machine, _)| *machine == id);
        let addresses: Vec<&str> = own_interfaces
            .flat_map(|(_, addresses)| addresses.iter().copied())
            .collect();
        if !addresses.is_empty() {
            own.insert("privateIpAddresses".to_owned(), json!(addresses));
        }
        Value::Object(own)
    };
    let all: Vec<Value> = picture
        .items(Verb::ScaleSetInstances)
        .map(instance)
        .collect();
    let is_known = picture.first(Verb::ScaleSetInstances).is_some();
    is_known.then(|| all.into())
}

/// The vault that can keep a gateway out, or else the first, under the name that is read; the
/// others beside it.
fn vaults(picture: &Picture) -> Vec<(String, Value)> {
    let mut vaults: Vec<&Value> = picture.all(Verb::Vault).map(|(_, vault)| vault).collect();
    vaults.sort_by_key(|vault| !has_firewall(vault));
    let mut named = Vec::new();
    for (index, vault) in vaults.into_iter().enumerate() {
        let name = match index {
            0 => "keyvault.json".to_owned(),
            more => format!("keyvault-{}.json", more + 1),
        };
        named.push((name, vault.clone()));
    }
    named
}

fn has_firewall(vault: &Value) -> bool {
    let is = |pointer: &str, word: &str| {
        text(vault, pointer).is_some_and(|own| own.eq_ignore_ascii_case(word))
    };
    is("/properties/publicNetworkAccess", "Disabled")
        || is("/properties/networkAcls/defaultAction", "Deny")
}
