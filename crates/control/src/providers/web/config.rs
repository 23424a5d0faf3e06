//! `config/web`, application settings, and the profile for publishing.

use bytes::Bytes;
use gatewright_arm::{ArmError, ResourceId};
use hyper::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::{SITES, below_site, restrictions};
use crate::context::{Context, handler};
use crate::core::failed;
use crate::front::answer::{Answer, Body};
use crate::front::router::Route;
use crate::operations::Doing;
use crate::resources::document::Document;
use crate::resources::edit::{Edit, member};
use crate::routes::{action, route};

/// The lists of rules, each with the member that states what its last rule does.
pub(super) const RESTRICTIONS: [(&str, &str); 2] = [
    (
        "ipSecurityRestrictions",
        "ipSecurityRestrictionsDefaultAction",
    ),
    (
        "scmIpSecurityRestrictions",
        "scmIpSecurityRestrictionsDefaultAction",
    ),
];

/// Most application settings of a site.
const SETTINGS_MAX: usize = 1000;

pub(super) fn routes() -> Vec<Route> {
    let kind = format!("{SITES}/config");
    let web = below_site("config/web");
    let settings = below_site("config/appsettings");
    let slots = below_site("config/slotConfigNames");
    let publish = below_site("publishxml");
    let publish_action = action(SITES, "publishxml/action");
    vec![
        route(Method::GET, &web, action(&kind, "read"), handler(get_web)),
        route(
            Method::PUT,
            &web,
            action(&kind, "write"),
            handler(change_web),
        ),
        route(
            Method::PATCH,
            &web,
            action(&kind, "write"),
            handler(change_web),
        ),
        route(
            Method::POST,
            format!("{settings}/list"),
            action(&kind, "list/action"),
            handler(list_settings),
        ),
        route(
            Method::PUT,
            &settings,
            action(&kind, "write"),
            handler(put_settings),
        ),
        route(
            Method::GET,
            &slots,
            action(&kind, "read"),
            handler(slot_names),
        ),
        route(
            Method::POST,
            &publish,
            publish_action,
            handler(publish_profile),
        ),
    ]
}

/// The configuration of a new site. Source: the service's answers, without what nothing here has a
/// use for.
pub(super) fn defaults() -> Value {
    json!({
        "numberOfWorkers": 1,
        "defaultDocuments": ["Default.htm", "Default.html", "index.htm", "index.html"],
        "netFrameworkVersion": "v4.0",
        "phpVersion": "",
        "pythonVersion": "",
        "nodeVersion": "",
        "linuxFxVersion": "",
        "requestTracingEnabled": false,
        "remoteDebuggingEnabled": false,
        "httpLoggingEnabled": false,
        "acrUseManagedIdentityCreds": false,
        "logsDirectorySizeLimit": 35,
        "detailedErrorLoggingEnabled": false,
        "use32BitWorkerProcess": true,
        "webSocketsEnabled": false,
        "alwaysOn": false,
        "appCommandLine": "",
        "managedPipelineMode": "Integrated",
        "loadBalancing": "LeastRequests",
        "autoHealEnabled": false,
        "vnetRouteAllEnabled": false,
        "localMySqlEnabled": false,
        "ipSecurityRestrictions": [],
        "scmIpSecurityRestrictions": [],
        "scmIpSecurityRestrictionsUseMain": false,
        "http20Enabled": false,
        "minTlsVersion": "1.2",
        "scmMinTlsVersion": "1.2",
        "ftpsState": "FtpsOnly",
        "preWarmedInstanceCount": 0,
        "functionsRuntimeScaleMonitoringEnabled": false,
        "minimumElasticInstanceCount": 0,
    })
}

/// Settings by name, from the list that bodies of sites have.
pub(super) fn settings(list: &Value) -> Result<Map<String, Value>, ArmError> {
    let mut out = Map::new();
    for one in list.as_array().into_iter().flatten() {
        let name = member(one, "name")
            .and_then(Value::as_str)
            .unwrap_or_default();
        if !name.is_empty() {
            let value = member(one, "value").cloned().unwrap_or_default();
            out.insert(name.to_owned(), as_text(&value));
        }
    }
    match out.len() {
        0..=SETTINGS_MAX => Ok(out),
        _ => {
            let message = format!("A site has at most {SETTINGS_MAX} application settings.");
            Err(ArmError::front_door("BadRequest", message))
        }
    }
}

fn as_text(value: &Value) -> Value {
    match value {
        Value::Null | Value::String(_) => value.clone(),
        other => json!(other.to_string()),
    }
}

/// The configuration as an answer shows it.
fn shown(site: &Document) -> Value {
    let mut config = site
        .body
        .pointer("/properties/siteConfig")
        .cloned()
        .unwrap_or_default();
    for (list, stated) in RESTRICTIONS {
        let rules = config.get(list).cloned().unwrap_or_else(|| json!([]));
        let stated = config
            .get(stated)
            .and_then(Value::as_str)
            .map(str::to_owned);
        config[list] = restrictions::shown(&rules, stated.as_deref());
    }
    json!({
        "id": format!("{}/config/web", site.id),
        "name": site.id.name(),
        "type": format!("{SITES}/config"),
        "location": site.location(),
        "properties": config,
    })
}

async fn get_web(context: Context) -> Result<Answer, ArmError> {
    let site = context.document(&context.resource_id(2)?).await?;
    Ok(Answer::ok(&shown(&site)))
}

async fn change_web(context: Context) -> Result<Answer, ArmError> {
    let id = context.resource_id(2)?;
    context.document(&id).await?;
    let body = context.json()?;
    let given = member(&body, "properties")
        .cloned()
        .unwrap_or_else(|| json!({}));
    let site = change(&context, &id, given).await?;
    Ok(Answer::ok(&shown(&site)))
}

/// Changes members of the configuration.
async fn change(context: &Context, id: &ResourceId, config: Value) -> Result<Document, ArmError> {
    let call = context.call(Doing::Put, format!("{SITES}/config/write"));
    let change = json!({"properties": {"siteConfig": config}});
    let accepted = context.core.write(&call, id, Edit::Merge(&change)).await?;
    Ok(accepted.document)
}

fn shown_settings(context: &Context, site: &Document) -> Result<Value, ArmError> {
    let sealed = site.open(&context.core.sealing).map_err(failed)?;
    let settings = sealed
        .get("appSettings")
        .cloned()
        .unwrap_or_else(|| json!({}));
    Ok(json!({
        "id": format!("{}/config/appsettings", site.id),
        "name": "appsettings",
        "type": format!("{SITES}/config"),
        "location": site.location(),
        "properties": settings,
    }))
}

async fn list_settings(context: Context) -> Result<Answer, ArmError> {
    let site = context.document(&context.resource_id(3)?).await?;
    Ok(Answer::ok(&shown_settings(&context, &site)?))
}

/// All of them are replaced.
async fn put_settings(context: Context) -> Result<Answer, ArmError> {
    let id = context.resource_id(2)?;
    context.document(&id).await?;
    let body = context.json()?;
    let given = member(&body, "properties").and_then(Value::as_object);
    let one = |(name, value): (&String, &Value)| json!({"name": name, "value": value});
    let list: Vec<Value> = given.into_iter().flatten().map(one).collect();
    let site = change(&context, &id, json!({ "appSettings": list })).await?;
    Ok(Answer::ok(&shown_settings(&context, &site)?))
}

/// There are no slots.
async fn slot_names(context: Context) -> Result<Answer, ArmError> {
    let site = context.document(&context.resource_id(2)?).await?;
    Ok(Answer::ok(&json!({
        "id": format!("{}/config/slotConfigNames", site.id),
        "name": "slotConfigNames",
        "type": format!("{SITES}/config"),
        "location": site.location(),
        "properties": {
            "connectionStringNames": null,
            "appSettingNames": null,
            "azureStorageConfigNames": null,
        },
    })))
}

/// Where one would publish to. Nothing listens there, and there are no credentials for it.
async fn publish_profile(context: Context) -> Result<Answer, ArmError> {
    let site = context.document(&context.resource_id(1)?).await?;
    // Names of sites are letters, digits and hyphens.
    let name = site.id.name().unwrap_or_default();
    let host = site.text("/properties/defaultHostName").unwrap_or_default();
    let scm = host.replacen('.', ".scm.", 1);
    let ftp = host.replacen('.', ".ftp.", 1);
    let profile = |title: &str, method: &str, url: &str, more: &str| {
        format!(
            "<publishProfile profileName=\"{name} - {title}\" publishMethod=\"{method}\" \
             publishUrl=\"{url}\" {more} userName=\"${name}\" userPWD=\"\" \
             destinationAppUrl=\"http://{host}\" SQLServerDBConnectionString=\"\" \
             mySQLDBConnectionString=\"\" hostingProviderForumLink=\"\" \
             controlPanelLink=\"\" webSystem=\"WebSites\"><databases /></publishProfile>"
        )
    };
    let site_of = format!("msdeploySite=\"{name}\"");
    let web = profile("Web Deploy", "MSDeploy", &format!("{scm}:443"), &site_of);
    let ftp = format!("ftps://{ftp}/site/wwwroot");
    let ftp = profile("FTP", "FTP", &ftp, "ftpPassiveMode=\"True\"");
    Ok(Answer {
        body: Body::Xml(Bytes::from(format!(
            "<publishData>{web}{ftp}</publishData>"
        ))),
        ..Answer::empty(StatusCode::OK)
    })
}
