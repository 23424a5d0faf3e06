//! Sites: web apps that answer with a page of their own.

use gatewright_arm::{ArmError, ResourceId};
use gatewright_store::Pending;
use hyper::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::config::{self, RESTRICTIONS};
use super::{DOMAIN, PLANS, SITES, below_site, bindings, restrictions};
use crate::context::{Context, handler};
use crate::core::{Core, failed};
use crate::front::answer::Answer;
use crate::front::router::{Access, Route};
use crate::operations::Doing;
use crate::resources::document::Document;
use crate::resources::edit::{Edit, member};
use crate::resources::inventory::Inventory;
use crate::resources::kind::{Kind, Manner, Prepared, Put};
use crate::resources::shape::{Bounds, Form, Member, Shape, defaulted, dropped, member as plain};
use crate::routes::{action, route};

/// Lengths of a name, in characters.
const NAME_CHARACTERS: std::ops::RangeInclusive<usize> = 2..=60;

/// Most host names that are bound to a site, as in the service.
const BOUND_MAX: usize = 500;

/// Longest host name, in characters.
const HOST_CHARACTERS_MAX: usize = 253;

/// The member of `properties` with the names that were bound; never shown.
pub(super) const BOUND: &str = "boundHostNames";

const SHAPE: Shape = Shape {
    type_last: false,
    head: TOP,
    properties: PROPERTIES,
    tail: &[],
    bounds: Bounds::Open,
};

const TOP: &[Member] = &[
    dropped("kind"),
    plain("location", Form::Text),
    defaulted("tags", Form::Any, "{}"),
    plain("identity", Form::Any),
];

const PROPERTIES: &[Member] = &[
    plain("state", Form::Word(&["Running", "Stopped"])),
    dropped("hostNames"),
    dropped("enabledHostNames"),
    dropped("hostNameSslStates"),
    dropped("defaultHostName"),
    dropped("repositorySiteName"),
    dropped("resourceGroup"),
    dropped("sku"),
    dropped("lastModifiedTimeUtc"),
    dropped(BOUND),
    dropped("siteConfig"),
    plain("serverFarmId", Form::Text),
    defaulted("enabled", Form::Boolean, "true"),
    defaulted("reserved", Form::Boolean, "false"),
    defaulted("isXenon", Form::Boolean, "false"),
    defaulted("hyperV", Form::Boolean, "false"),
    defaulted("clientAffinityEnabled", Form::Boolean, "true"),
    defaulted("clientCertEnabled", Form::Boolean, "false"),
    defaulted("httpsOnly", Form::Boolean, "false"),
    plain("virtualNetworkSubnetId", Form::Text),
    plain("publicNetworkAccess", Form::Text),
];

pub(super) struct Sites;

impl Kind for Sites {
    fn name(&self) -> &'static str {
        SITES
    }

    fn manner(&self) -> Manner {
        Manner::AtOnce
    }

    fn status_of_new(&self) -> StatusCode {
        StatusCode::OK
    }

    fn patches_properties(&self) -> bool {
        true
    }

    fn prepare<'a>(
        &'a self,
        core: &'a Core,
        put: Put<'a>,
    ) -> Pending<'a, Result<Prepared, ArmError>> {
        Box::pin(prepare(core, put))
    }

    /// Without what has routes of its own.
    fn present(&self, shown: &mut Document, _inventory: &Inventory) {
        let body = shown.edit();
        let config_members = [
            "numberOfWorkers",
            "acrUseManagedIdentityCreds",
            "alwaysOn",
            "http20Enabled",
            "linuxFxVersion",
            "functionAppScaleLimit",
            "minimumElasticInstanceCount",
        ];
        if let Some(properties) = body["properties"].as_object_mut() {
            properties.shift_remove(BOUND);
            if let Some(Value::Object(config)) = properties.get_mut("siteConfig") {
                config.retain(|name, _| config_members.contains(&name.as_str()));
            }
        }
    }
}

async fn prepare(core: &Core, put: Put<'_>) -> Result<Prepared, ArmError> {
    let name = put.id.name().unwrap_or_default();
    check_name(name)?;
    if put.previous.is_none() && core.site_id(name).is_some() {
        return Err(taken(name));
    }
    let previous = put.previous_body();
    let mut body = put.shaped(&SHAPE)?;
    let plan = plan(core, &body, previous).await?;
    let bound = bound(core, &put).await?;
    let (config, secrets) = configuration(core, &put)?;
    describe(&mut body, &put, &plan, &bound);
    let is_container = config["linuxFxVersion"]
        .as_str()
        .is_some_and(|version| version.to_ascii_uppercase().starts_with("DOCKER|"));
    let is_linux = plan.body["properties"]["reserved"] == true;
    body["kind"] = json!(match (is_linux, is_container) {
        (true, true) => "app,linux,container",
        (true, false) => "app,linux",
        (false, _) => "app",
    });
    body["properties"]["siteConfig"] = config;
    Ok(Prepared {
        body,
        secrets,
        ..Prepared::default()
    })
}

fn check_name(name: &str) -> Result<(), ArmError> {
    let is_fine = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let is_good = NAME_CHARACTERS.contains(&name.len())
        && name.chars().all(is_fine)
        && !name.starts_with('-')
        && !name.ends_with('-');
    if is_good {
        return Ok(());
    }
    let message = format!(
        "The name '{name}' is invalid: 2 to 60 letters, digits and hyphens are allowed, and a \
         hyphen may not be the first or the last."
    );
    Err(ArmError::front_door("BadRequest", message))
}

fn taken(name: &str) -> ArmError {
    let message = format!("Website with given name {name} already exists.");
    ArmError::front_door("Conflict", message)
}

/// The plan of the body, else the one before.
async fn plan(core: &Core, body: &Value, previous: Option<&Value>) -> Result<Document, ArmError> {
    let given = body.pointer("/properties/serverFarmId");
    let before = previous.and_then(|before| before.pointer("/properties/serverFarmId"));
    let text = given.or(before).and_then(Value::as_str).unwrap_or_default();
    let id = ResourceId::parse(text)
        .ok()
        .filter(|id| id.resource_type() == PLANS);
    let plan = match &id {
        Some(id) => core.document(id).await?,
        None => None,
    };
    plan.ok_or_else(|| {
        let message = format!("Cannot find serverFarm with id {text}.");
        ArmError::front_door("BadRequest", message)
    })
}

/// The names that are bound to the site, each to no other.
async fn bound(core: &Core, put: &Put<'_>) -> Result<Vec<String>, ArmError> {
    let given = member(put.body, "properties").and_then(|bag| bag.get(BOUND));
    let before = put.kept(&format!("/properties/{BOUND}"));
    let list = given.or(before).and_then(Value::as_array);
    let names = list.into_iter().flatten().filter_map(Value::as_str);
    let names: Vec<String> = names.map(str::to_ascii_lowercase).collect();
    if names.len() > BOUND_MAX {
        let message = format!("A site has at most {BOUND_MAX} host names.");
        return Err(ArmError::front_door("BadRequest", message));
    }
    let known = before.and_then(Value::as_array);
    let is_known = |name: &str| known.is_some_and(|all| all.contains(&json!(name)));
    for name in names.iter().filter(|name| !is_known(name)) {
        if !is_host_name(name) || name.ends_with(DOMAIN) {
            let message = format!("'{name}' is no host name that can be bound.");
            return Err(ArmError::front_door("BadRequest", message));
        }
        if core
            .site_of_host(name)
            .await?
            .is_some_and(|site| site.id != *put.id)
        {
            let message = format!("Hostname '{name}' already exists.");
            return Err(ArmError::front_door("Conflict", message));
        }
    }
    Ok(names)
}

fn is_host_name(name: &str) -> bool {
    let is_label = |label: &str| {
        let is_fine = |c: char| c.is_ascii_alphanumeric() || c == '-';
        (1..=63).contains(&label.len()) && label.chars().all(is_fine)
    };
    name.len() <= HOST_CHARACTERS_MAX && name.contains('.') && name.split('.').all(is_label)
}

/// What is stored of `siteConfig`, and what of it is sealed: settings may be secrets.
fn configuration(core: &Core, put: &Put<'_>) -> Result<(Value, Value), ArmError> {
    let mut sealed = match put.previous {
        Some(before) => before.open(&core.sealing).map_err(failed)?,
        None => Value::Null,
    };
    let mut config = put.kept("/properties/siteConfig").cloned();
    let config_before = config.get_or_insert_with(config::defaults);
    let given = member(put.body, "properties").and_then(|bag| member(bag, "siteConfig"));
    for (name, value) in given.and_then(Value::as_object).into_iter().flatten() {
        let own = config_before.as_object().into_iter().flatten();
        let own = own
            .map(|(own, _)| own)
            .find(|own| own.eq_ignore_ascii_case(name));
        let name = own.cloned().unwrap_or_else(|| name.clone());
        let list = RESTRICTIONS
            .iter()
            .find(|(list, _)| list.eq_ignore_ascii_case(&name));
        match (list, value) {
            (_, Value::Null) => {}
            (Some((list, _)), value) => config_before[*list] = restrictions::normalized(value)?,
            (None, value) if name.eq_ignore_ascii_case("appSettings") => {
                sealed["appSettings"] = Value::Object(config::settings(value)?);
            }
            (None, value) if name.eq_ignore_ascii_case("connectionStrings") => {
                sealed["connectionStrings"] = value.clone();
            }
            (None, value) => config_before[name] = value.clone(),
        }
    }
    Ok((config.unwrap_or_default(), sealed))
}

/// What the server says of a site.
fn describe(body: &mut Value, put: &Put<'_>, plan: &Document, bound: &[String]) {
    let name = put
        .previous
        .map_or(put.id, |before| &before.id)
        .name()
        .unwrap_or_default();
    let default = format!("{}.{DOMAIN}", name.to_ascii_lowercase());
    let scm = format!("{}.scm.{DOMAIN}", name.to_ascii_lowercase());
    let names: Vec<&str> = [default.as_str()]
        .into_iter()
        .chain(bound.iter().map(String::as_str))
        .collect();
    let ssl: Vec<Value> = names
        .iter()
        .map(|name| (name, "Standard"))
        .chain([(&scm.as_str(), "Repository")])
        .map(|(name, kind)| json!({"name": name, "sslState": "Disabled", "hostType": kind}))
        .collect();
    let mut enabled = names.clone();
    enabled.push(&scm);
    if let Some(members) = body.as_object_mut() {
        members.shift_remove("etag");
    }
    if body.get("location").is_none() {
        body["location"] = json!(plan.location());
    }
    let mut more = Map::new();
    if body["properties"].get("state").is_none() {
        let before = put.kept("/properties/state").cloned();
        more.insert(
            "state".to_owned(),
            before.unwrap_or_else(|| json!("Running")),
        );
    }
    more.insert("hostNames".to_owned(), json!(names));
    more.insert("repositorySiteName".to_owned(), json!(name));
    more.insert("usageState".to_owned(), json!("Normal"));
    more.insert("enabledHostNames".to_owned(), json!(enabled));
    more.insert("availabilityState".to_owned(), json!("Normal"));
    more.insert("hostNameSslStates".to_owned(), ssl.into());
    more.insert("serverFarmId".to_owned(), json!(plan.id.to_string()));
    more.insert(
        "reserved".to_owned(),
        plan.body["properties"]["reserved"].clone(),
    );
    more.insert("resourceGroup".to_owned(), json!(put.id.resource_group()));
    more.insert("defaultHostName".to_owned(), json!(default));
    more.insert("sku".to_owned(), plan.body["sku"]["tier"].clone());
    more.insert(BOUND.to_owned(), json!(bound));
    if let Some(properties) = body["properties"].as_object_mut() {
        properties.shift_remove("provisioningState");
        properties.extend(more);
    }
}

impl Core {
    /// The site of this name, in any group.
    pub(super) fn site_id(&self, name: &str) -> Option<ResourceId> {
        let mut sites = self.site_ids().into_iter();
        sites.find(|id| id.name().is_some_and(|own| own.eq_ignore_ascii_case(name)))
    }

    pub(super) fn site_ids(&self) -> Vec<ResourceId> {
        let all = self.inventory.of_type(SITES).into_iter();
        all.map(|known| known.id).collect()
    }

    /// The site that answers to this host name.
    pub(super) async fn site_of_host(&self, host: &str) -> Result<Option<Document>, ArmError> {
        for id in self.site_ids() {
            let site = self.document(&id).await?;
            let site = site.filter(|site| {
                bindings::host_names(&site.body).any(|name| name.eq_ignore_ascii_case(host))
            });
            if site.is_some() {
                return Ok(site);
            }
        }
        Ok(None)
    }
}

pub(super) fn routes() -> Vec<Route> {
    let turn = |word: &'static str| {
        route(
            Method::POST,
            below_site(word),
            action(SITES, &format!("{word}/action")),
            handler(move |context| turn(context, word)),
        )
    };
    vec![
        turn("start"),
        turn("stop"),
        turn("restart"),
        route(
            Method::POST,
            "/subscriptions/{subscription}/providers/Microsoft.Web/checknameavailability",
            Access::Authenticated,
            handler(check_availability),
        ),
    ]
}

async fn turn(context: Context, word: &str) -> Result<Answer, ArmError> {
    let id = context.resource_id(1)?;
    context.document(&id).await?;
    let state = if word == "stop" { "Stopped" } else { "Running" };
    let call = context.call(Doing::Put, format!("{SITES}/{word}/action"));
    let change = json!({"properties": {"state": state}});
    context.core.write(&call, &id, Edit::Merge(&change)).await?;
    Ok(Answer::empty(StatusCode::OK))
}

async fn check_availability(context: Context) -> Result<Answer, ArmError> {
    let body = context.json()?;
    let name = member(&body, "name")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let (reason, message) = match check_name(name) {
        Err(error) => ("Invalid", error.message),
        Ok(()) if context.core.site_id(name).is_some() => (
            "AlreadyExists",
            format!("Hostname '{name}' already exists. Please select a different name."),
        ),
        Ok(()) => {
            let free = json!({"nameAvailable": true, "reason": "", "message": ""});
            return Ok(Answer::ok(&free));
        }
    };
    Ok(Answer::ok(
        &json!({"nameAvailable": false, "reason": reason, "message": message}),
    ))
}
