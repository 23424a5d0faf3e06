//! What is asked, round by round: each by what the ones before have shown.

use gatewright_arm::ResourceId;
use serde_json::Value;

use super::network;
use super::picture::{Picture, Question, list, text};
use super::subject::{parse, parts};
use super::verbs::Verb;
use crate::cli::AzArguments;
use crate::times;

/// Most of each that are asked for.
const INTERFACES_MAX: usize = 16;
const SCALE_SETS_MAX: usize = 4;
const VAULTS_MAX: usize = 4;
const APPS_MAX: usize = 8;
const ZONES_MAX: usize = 8;

const APP_ENDING: &str = ".azurewebsites.net";

const METRICS_V1: [&str; 5] = [
    "FailedRequests",
    "TotalRequests",
    "HealthyHostCount",
    "UnhealthyHostCount",
    "Throughput",
];
const METRICS_V2: [&str; 7] = [
    "CapacityUnits",
    "ComputeUnits",
    "CurrentConnections",
    "FailedRequests",
    "TotalRequests",
    "HealthyHostCount",
    "UnhealthyHostCount",
];

/// What the user said.
#[derive(Clone, Debug)]
pub(super) struct Wish {
    group: String,
    name: String,
    subscription: Option<String>,
    workspace: Option<String>,
}

impl Wish {
    pub(super) fn new(group: &str, name: &str, az: &AzArguments) -> Self {
        Self {
            group: group.to_owned(),
            name: name.to_owned(),
            subscription: az.subscription.clone(),
            workspace: az.workspace.clone(),
        }
    }

    fn scoped<'a>(&'a self, arguments: &[&'a str]) -> Vec<&'a str> {
        let mut arguments = arguments.to_vec();
        if let Some(subscription) = &self.subscription {
            arguments.extend(["--subscription", subscription]);
        }
        arguments
    }

    /// The first question of all.
    pub(super) fn gateway(&self) -> Question {
        let what = format!("the gateway {} of {}", self.name, self.group);
        let arguments = self.scoped(&["-g", &self.group, "-n", &self.name]);
        Question::new(Verb::Gateway, &arguments, what, "gateway.json")
    }

    /// By the gateway's own document.
    pub(super) fn first_round(&self, picture: &mut Picture) -> Vec<Question> {
        let arguments = self.scoped(&["-g", &self.group, "-n", &self.name]);
        let file = "backend-health.json";
        let mut questions = vec![Question::new(
            Verb::Health,
            &arguments,
            "the backend-health report",
            file,
        )];
        let subnet = picture.subject.subnet.clone();
        if let Some(subnet) = &subnet {
            questions.push(Question::of(Verb::Subnet, subnet, "subnet", "subnet.json"));
        }
        if let Some(network) = subnet.and_then(|subnet| subnet.parent()) {
            let kind = "virtual network";
            questions.push(Question::of(Verb::Network, &network, kind, "vnet.json"));
        }
        questions.push(self.events(picture, "Failed"));
        questions.push(metrics(picture));
        self.members(picture, &mut questions);
        let vaults = picture.subject.vaults.clone();
        for vault in picture.bounded(vaults, VAULTS_MAX, "vaults") {
            let arguments = self.scoped(&["-n", &vault]);
            let what = format!("the vault {vault}");
            let file = "keyvault.json";
            questions.push(Question::new(Verb::Vault, &arguments, what, file));
        }
        if let Some(workspace) = &self.workspace {
            questions.push(log(picture, workspace, "AGWAccessLogs", "HttpStatus"));
        }
        questions
    }

    /// By what the first has shown.
    pub(super) fn second_round(&self, picture: &mut Picture) -> Vec<Question> {
        let mut questions = network::surroundings(picture);
        if picture.subject.has_succeeded && picture.items(Verb::Events).next().is_some() {
            questions.push(self.events(picture, "Succeeded"));
        }
        let apps = apps(picture);
        for id in picture.bounded(apps, APPS_MAX, "web apps") {
            questions.push(Question::of(Verb::WebApp, &id, "web app", "webapp.json"));
        }
        let sets = joining(picture);
        for id in picture.bounded(sets, SCALE_SETS_MAX, "scale sets") {
            questions.extend(scale_set(&id));
        }
        let zones = zones(picture);
        for id in picture.bounded(zones, ZONES_MAX, "private zones") {
            questions.extend(links(&id));
        }
        let log_is_empty = picture.items(Verb::Log).next().is_none();
        if let Some(workspace) = self.workspace.as_ref().filter(|_| log_is_empty) {
            // Gateways whose log has not been given a table of its own.
            questions.push(log(picture, workspace, "AzureDiagnostics", "httpStatus_d"));
        }
        questions
    }

    /// By all that is known of the network.
    pub(super) fn third_round(&self, picture: &mut Picture) -> Vec<Question> {
        network::groups_and_tables(picture)
    }

    /// What is really behind the pools.
    fn members(&self, picture: &mut Picture, questions: &mut Vec<Question>) {
        let names = &picture.subject.names;
        if names.iter().any(|name| name.ends_with(APP_ENDING)) {
            let query = "[].{id:id,defaultHostName:defaultHostName,hostNames:hostNames}";
            let arguments = self.scoped(&["--query", query]);
            let what = "the names of web apps";
            questions.push(Question::new(
                Verb::WebApps,
                &arguments,
                what,
                "webapp.json",
            ));
        }
        if !names.is_empty() {
            let arguments = self.scoped(&["--query", "[].{id:id,name:name}"]);
            let (what, file) = ("the private zones", "private-dns-links.json");
            questions.push(Question::new(Verb::Zones, &arguments, what, file));
        }
        let interfaces = picture.subject.interfaces.clone();
        for id in picture.bounded(interfaces, INTERFACES_MAX, "network interfaces") {
            let file = "backend-subnet.json";
            questions.push(Question::of(
                Verb::Interface,
                &id,
                "network interface",
                file,
            ));
        }
        if picture.subject.has_empty_pool {
            let query = "[].{id:id,pools:virtualMachineProfile.networkProfile.\
                         networkInterfaceConfigurations[].ipConfigurations[].\
                         applicationGatewayBackendAddressPools[].id}";
            let arguments = self.scoped(&["--query", query]);
            let (what, file) = ("the pools that scale sets join", "vmss-instances.json");
            questions.push(Question::new(Verb::ScaleSets, &arguments, what, file));
        }
        let sets = picture.subject.scale_sets.clone();
        for id in picture.bounded(sets, SCALE_SETS_MAX, "scale sets") {
            questions.extend(scale_set(&id));
        }
    }

    fn events(&self, picture: &Picture, status: &str) -> Question {
        let id = picture.subject.id.to_string();
        let arguments = [
            &["--resource-id", id.as_str(), "--status", status][..],
            &["--offset", "7d", "--max-events", "200"],
        ]
        .concat();
        let what = match status {
            "Failed" => "the changes that failed",
            _ => "the changes that succeeded",
        };
        Question::new(Verb::Events, &arguments, what, "last-error.json")
    }
}

fn metrics(picture: &Picture) -> Question {
    let id = picture.subject.id.to_string();
    let metrics: &[&str] = match picture.subject.is_v1 {
        true => &METRICS_V1,
        false => &METRICS_V2,
    };
    // Each is told in its own aggregation where none is asked for.
    let arguments = [
        &["--resource", id.as_str(), "--metrics"][..],
        metrics,
        &["--offset", "1h", "--interval", "1m"],
    ]
    .concat();
    Question::new(Verb::Metrics, &arguments, "the metrics", "metrics.json")
}

fn log(picture: &Picture, workspace: &str, table: &str, status: &str) -> Question {
    let id = &picture.subject.id;
    let query = format!(
        "{table} | where _ResourceId =~ '{id}' and {status} >= 400 | top 500 by TimeGenerated desc"
    );
    let arguments = ["-w", workspace, "--analytics-query", &query, "-t", "P1D"];
    let what = format!("the access log in {table}");
    Question::new(Verb::Log, &arguments, what, "access-logs.json")
}

fn scale_set(id: &ResourceId) -> Vec<Question> {
    let Some((subscription, group, name)) = parts(id) else {
        return Vec::new();
    };
    let file = "vmss-instances.json";
    let instances = ["-g", group, "-n", name, "--subscription", subscription];
    let interfaces = [
        "-g",
        group,
        "--vmss-name",
        name,
        "--subscription",
        subscription,
    ];
    let instances = Question::new(
        Verb::ScaleSetInstances,
        &instances,
        format!("the instances of the scale set {name} of {group}"),
        file,
    );
    let interfaces = Question::new(
        Verb::ScaleSetInterfaces,
        &interfaces,
        format!("the network interfaces of the scale set {name} of {group}"),
        file,
    );
    vec![instances.about(id), interfaces.about(id)]
}

/// Scale sets whose model names a pool of the gateway, and of which nothing is there yet.
fn joining(picture: &Picture) -> Vec<ResourceId> {
    let own = &picture.subject.id;
    let joins = |set: &&Value| {
        let mut pools = list(set, "/pools").filter_map(Value::as_str);
        pools.any(|pool| parse(pool).and_then(|pool| pool.parent()).as_ref() == Some(own))
    };
    let sets = picture.items(Verb::ScaleSets).filter(joins);
    let ids = sets.filter_map(|set| text(set, "/id").and_then(parse));
    ids.filter(|id| !picture.subject.scale_sets.contains(id))
        .collect()
}

/// The web apps that members of pools are names of.
fn apps(picture: &mut Picture) -> Vec<ResourceId> {
    let listed: Vec<&Value> = picture.items(Verb::WebApps).collect();
    let mut ids = Vec::new();
    let mut unknown = Vec::new();
    for name in &picture.subject.names {
        let is_own = |app: &&&Value| {
            let hosts = list(app, "/hostNames").filter_map(Value::as_str);
            let mut hosts = hosts.chain(text(app, "/defaultHostName"));
            hosts.any(|host| host.eq_ignore_ascii_case(name))
        };
        match listed.iter().find(is_own) {
            Some(app) => match text(app, "/id").and_then(parse) {
                Some(id) if !ids.contains(&id) => ids.push(id),
                _ => {}
            },
            None if name.ends_with(APP_ENDING) => unknown.push(name.clone()),
            None => {}
        }
    }
    if picture.first(Verb::WebApps).is_some() {
        let told = unknown
            .into_iter()
            .map(|name| format!("webapp.json: no web app that az shows answers to {name}"));
        picture.remarks.extend(told.collect::<Vec<_>>());
    }
    ids
}

/// The private zones that members of pools are in, by their names or by those of their private
/// endpoints.
fn zones(picture: &Picture) -> Vec<ResourceId> {
    let mut ids = Vec::new();
    for zone in picture.items(Verb::Zones) {
        let Some(own) = text(zone, "/name") else {
            continue;
        };
        let own = own.to_ascii_lowercase();
        let public = own.strip_prefix("privatelink.").unwrap_or(&own);
        let is_within = |name: &String, zone: &str| {
            let rest = name.strip_suffix(zone);
            rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        };
        let mut names = picture.subject.names.iter();
        if names.any(|name| is_within(name, &own) || is_within(name, public)) {
            ids.extend(text(zone, "/id").and_then(parse));
        }
    }
    ids
}

fn links(id: &ResourceId) -> Option<Question> {
    let (subscription, group, zone) = parts(id)?;
    let arguments = ["-g", group, "-z", zone, "--subscription", subscription];
    let what = format!("the links of the private zone {zone} of {group}");
    let file = "private-dns-links.json";
    let question = Question::new(Verb::ZoneLinks, &arguments, what, file);
    Some(question.about(id))
}

/// When an event was, in nanoseconds since the Unix epoch.
pub(super) fn moment(event: &Value) -> Option<i128> {
    times::unix_nanos(text(event, "/eventTimestamp")?)
}

#[cfg(test)]
#[path = "rounds_tests.rs"]
mod tests;
