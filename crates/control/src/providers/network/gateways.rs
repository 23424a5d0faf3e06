//! `Microsoft.Network/applicationGateways`.

mod actions;
mod neighbours;
mod private_link;
mod public;
pub(crate) mod serving;
mod vault;

use std::collections::HashMap;
use std::sync::Arc;

use gatewright_arm::model::{
    OperationalState, ProvisioningState, Secret, SslCertificate, SslPolicyName,
};
use gatewright_arm::{
    ApiVersion, ApplicationGateway, ArmError, Context as Validation, Diagnostic, Item, ReadError,
    WriteOptions, read_gateways, read_put, validate,
};
use gatewright_compile::{CERTIFICATE_WITHOUT_KEY, Options, compile_validated};
use gatewright_store::Pending;
use serde_json::{Map, Value, json};

pub(crate) use actions::{ask_later, routes};
use serving::{Asked, STOPPED, STOPPED_BEFORE, ask_for, is_stopped};

use crate::clock;
use crate::core::{Core, failed};
use crate::operations::Doing;
use crate::resources::document::{Document, Judged};
use crate::resources::edit::member;
use crate::resources::inventory::Inventory;
use crate::resources::kind::{Ending, Kind, Prepared, Put};

pub(crate) const GATEWAYS: &str = "Microsoft.Network/applicationGateways";

/// The first api-version whose gateways have the newer TLS policy by default (documented; recorded
/// in 2024. Recordings of 2026 have it whatever the version).
const NEWER_TLS_DEFAULT: ApiVersion = ApiVersion::new(2023, 2, 1);

pub(crate) struct Gateways;

impl Kind for Gateways {
    fn name(&self) -> &'static str {
        GATEWAYS
    }

    fn supersedes(&self) -> bool {
        true
    }

    fn keeps_last_good(&self) -> bool {
        true
    }

    fn ends_unchanged_writes(&self) -> bool {
        true
    }

    fn prepare<'a>(
        &'a self,
        core: &'a Core,
        put: Put<'a>,
    ) -> Pending<'a, Result<Prepared, ArmError>> {
        Box::pin(async move { prepare(core, &put).await })
    }

    fn judge_alone(&self, core: &Core, put: &Put<'_>) -> Result<(), ArmError> {
        let before = Before::read(core, put)?;
        let previous = before.previous.as_deref();
        let mut gateway = read(put)?;
        own(&mut gateway, put, previous);
        before.keep_secrets(&mut gateway);
        check(&gateway, put, previous)?;
        check_certificates(&gateway)
    }

    fn settle<'a>(
        &'a self,
        core: &'a Core,
        document: &'a Document,
        doing: Doing,
    ) -> Pending<'a, Result<(), ArmError>> {
        let (node, revision) = (core.node(), document.revision);
        match doing {
            // Whatever was wrong with it: what is served instead is stopped too, or goes.
            Doing::Stop | Doing::Delete => Box::pin(node.took_all(revision)),
            _ => Box::pin(node.serves(&document.id, revision)),
        }
    }

    fn present(&self, shown: &mut Document, _inventory: &Inventory) {
        let has_run = shown.text("/properties/operationalState") != Some("Stopped");
        if !has_run && shown.state() != Some("Succeeded") && !is_stopped(&shown.notes) {
            hide_given_addresses(shown.edit());
        }
        if shown.state() == Some("Updating") && shown.body.get("identity").is_some() {
            hide_principals(shown.edit());
        }
    }

    fn is_cut_as_a_gateway(&self) -> bool {
        true
    }

    fn note(&self, doing: Doing, notes: &mut Value) {
        match doing {
            Doing::Stop => {
                notes[STOPPED_BEFORE] = json!(is_stopped(notes));
                notes[STOPPED] = json!(true);
            }
            Doing::Start => notes[STOPPED] = json!(false),
            _ => {}
        }
    }

    fn take_back(&self, doing: Doing, notes: &mut Value) {
        if doing == Doing::Stop {
            notes[STOPPED] = notes[STOPPED_BEFORE].take();
        }
    }

    fn begin(&self, body: &mut Value, doing: Doing) {
        let shown = &mut body["properties"]["operationalState"];
        match doing {
            Doing::Start => *shown = json!("Starting"),
            Doing::Stop if *shown != "Stopped" => *shown = json!("Stopping"),
            _ => {}
        }
    }

    fn end(&self, body: &mut Value, notes: &Value, ending: Ending) {
        let state = match is_stopped(notes) || ending == Ending::NothingGood {
            true => "Stopped",
            false => "Running",
        };
        body["properties"]["operationalState"] = json!(state);
    }
}

/// A gateway that has never run has no private address yet but one that it asked for.
fn hide_given_addresses(body: &mut Value) {
    let frontends = body.pointer_mut("/properties/frontendIPConfigurations");
    let frontends = frontends
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten();
    for properties in frontends.filter_map(|one| one.get_mut("properties")?.as_object_mut()) {
        if properties.get("privateIPAllocationMethod") == Some(&json!("Dynamic")) {
            properties.shift_remove("privateIPAddress");
        }
    }
}

/// Who the identities are is told when a write has ended.
fn hide_principals(body: &mut Value) {
    let identities = body.pointer_mut("/identity/userAssignedIdentities");
    let identities = identities.and_then(Value::as_object_mut);
    for shown in identities.into_iter().flat_map(Map::values_mut) {
        *shown = json!({});
    }
}

async fn prepare(core: &Core, put: &Put<'_>) -> Result<Prepared, ArmError> {
    let before = Before::read(core, put)?;
    let previous = before.previous.as_deref();
    let mut gateway = read(put)?;
    own(&mut gateway, put, previous);
    drop_sent(&mut gateway);
    before.keep_secrets(&mut gateway);
    let id = put.own_id();
    let interfaces = neighbours::join_interfaces(core, id, &mut gateway).await?;
    let warnings = check(&gateway, put, previous)?;
    check_sources(&gateway)?;
    neighbours::give_addresses(core, put, &mut gateway, previous).await?;
    let doomed = vault::fetch_all(core, &mut gateway).await;
    let options = Options {
        now: clock::unix_now(),
        allow_unsupported: true,
        ..Options::default()
    };
    if let Err(findings) = compile_validated(std::slice::from_ref(&gateway), &options) {
        // A key that could not be fetched fails the operation, not the request.
        let is_judged = |code: &str| doomed.is_none() || code != CERTIFICATE_WITHOUT_KEY;
        let mut errors = findings
            .iter()
            .filter(|finding| finding.is_error() && is_judged(&finding.code));
        if let Some(error) = errors.next() {
            return Err(ArmError::from_finding(error));
        }
    }
    // What is written anew for another reason was taken once: a certificate that is renewed must
    // not be lost for a rule that came after.
    if put.replaces {
        neighbours::check_subnet(core, id, &gateway).await?;
    }
    neighbours::introduce_identities(core, &mut gateway).await?;
    let secrets = secrets(&gateway);
    public::describe(&mut gateway);
    leave_idle_capacity_out(&mut gateway);
    let body = gatewright_arm::write(&gateway, &WriteOptions::default());
    let mut notes = neighbours::noted(put, interfaces);
    if put.replaces && is_stopped(&notes) {
        // Any PUT on a stopped gateway starts it (Azure FAQ).
        notes[STOPPED] = json!(false);
    }
    let mut judged = Judged {
        gateway: Arc::new(gateway),
        findings: Some(warnings.into()),
    };
    ask_for(&mut judged, Asked::of(&notes));
    Ok(Prepared {
        body,
        secrets,
        notes: Some(notes),
        judged: Some(judged),
        doomed,
    })
}

/// Whether each certificate comes from somewhere: also one of which a client says that the service
/// has it, as answers of another control plane do.
fn check_sources(gateway: &ApplicationGateway) -> Result<(), ArmError> {
    let mut items = gateway.properties.ssl_certificates.iter();
    let has_none = |item: &&Item<SslCertificate>| {
        let own = &item.properties;
        own.data.is_none() && own.hsm.is_none() && vault::given(&own.key_vault_secret_id).is_none()
    };
    let Some(item) = items.find(has_none) else {
        return Ok(());
    };
    let id = format!("{}/sslCertificates/{}", gateway.id_text(), item.name);
    Err(match gateway.is_v1() {
        true => ArmError::new(
            "ApplicationGatewaySslCertificateDataMustBeSpecified",
            format!("Data must be specified for certificate {id}."),
        ),
        false => ArmError::new(
            "ApplicationGatewayCertificateDataOrKeyVaultSecretIdMustBeSpecified",
            format!("Data or KeyVaultSecretId must be specified for certificate {id}."),
        ),
    })
}

/// Judges what can be judged of certificates whose neighbours are not there yet: those that the
/// document holds.
fn check_certificates(gateway: &ApplicationGateway) -> Result<(), ArmError> {
    let options = Options {
        now: clock::unix_now(),
        allow_unsupported: true,
        ..Options::default()
    };
    let judged = compile_validated(std::slice::from_ref(gateway), &options);
    let Err(findings) = judged else {
        return Ok(());
    };
    let is_of_one = |code: &str| code.contains("Certificate");
    let mut errors = findings.iter().filter(|finding| finding.is_error());
    match errors.find(|finding| is_of_one(&finding.code)) {
        Some(error) => Err(ArmError::from_finding(error)),
        None => Ok(()),
    }
}

/// A gateway that scales by itself has no capacity, also when one was sent: az sends what it read.
fn leave_idle_capacity_out(gateway: &mut ApplicationGateway) {
    let properties = &mut gateway.properties;
    if properties.autoscale_configuration.is_some()
        && let Some(sku) = &mut properties.sku
    {
        sku.capacity = None;
    }
}

/// Judges a gateway by itself; answers the warnings.
fn check(
    gateway: &ApplicationGateway,
    put: &Put<'_>,
    previous: Option<&ApplicationGateway>,
) -> Result<Vec<Diagnostic>, ArmError> {
    let context = Validation {
        // What is not replaced runs already: rules that came after it was made are no reason not
        // to stop it.
        api_version: put.replaces.then_some(put.api_version),
        previous,
        // What is served is for the compilation to say: a deprecated policy is a warning here.
        refuse_old_tls: false,
        ..Validation::default()
    };
    let findings = validate(gateway, &context);
    match findings.iter().find(|finding| finding.is_error()) {
        Some(error) => Err(ArmError::from_finding(error)),
        None => Ok(findings),
    }
}

/// The body of a PUT, as leniently as the service reads it; an unknown member is an error.
fn read(put: &Put<'_>) -> Result<ApplicationGateway, ArmError> {
    // Recorded, with this status and in these words.
    let is_empty = |bag: &Value| bag.as_object().is_some_and(Map::is_empty);
    if member(put.body, "properties").is_none_or(is_empty) {
        return Err(ArmError::new("InternalServerError", "An error occurred."));
    }
    read_put(put.body, put.id.name().unwrap_or_default()).map_err(|error| match error {
        ReadError::Invalid(findings) => {
            ArmError::from_findings(&findings).unwrap_or_else(|| unreadable("it holds no gateway"))
        }
        other => unreadable(&other.to_string()),
    })
}

fn unreadable(why: &str) -> ArmError {
    ArmError::not_parsed([("InvalidJson".to_owned(), why.to_owned())])
}

/// The members that are the server's.
fn own(gateway: &mut ApplicationGateway, put: &Put<'_>, previous: Option<&ApplicationGateway>) {
    let id = put.own_id();
    gateway.id = Some(id.to_string());
    gateway.name = id.name().unwrap_or_default().to_owned();
    gateway.kind = None;
    gateway.etag = Some(String::new());
    if gateway.location.is_none() {
        gateway.location = previous.and_then(|before| before.location.clone());
    }
    let before = previous.map(|before| &before.properties);
    let properties = &mut gateway.properties;
    properties.provisioning_state = Some(ProvisioningState::Updating);
    if let Some(sku) = &mut properties.sku {
        // Follows from the tier, whatever a client read elsewhere.
        sku.family = None;
    }
    let state = put.kept("/properties/operationalState");
    properties.operational_state = state
        .and_then(|state| OperationalState::from_text(state.as_str()?))
        .or(Some(OperationalState::Stopped));
    properties.resource_guid = before
        .and_then(|before| before.resource_guid.clone())
        .or_else(|| Some(uuid::Uuid::new_v4().to_string()));
    let first_default = match put.api_version >= NEWER_TLS_DEFAULT {
        true => SslPolicyName::DEFAULT,
        false => SslPolicyName::FORMER_DEFAULT,
    };
    properties.default_predefined_ssl_policy = before
        .and_then(|before| before.default_predefined_ssl_policy)
        .or(Some(first_default));
    properties.private_endpoint_connections = before
        .map(|before| before.private_endpoint_connections.clone())
        .unwrap_or_default();
    if let Some(previous) = previous.filter(|_| put.replaces) {
        gatewright_arm::keep_newer_members(gateway, previous, put.api_version);
    }
    // az leaves out a lower bound of 0.
    if let Some(bounds) = &mut gateway.properties.autoscale_configuration {
        bounds.min_capacity.get_or_insert(0);
    }
}

/// Public halves are the server's to say; what lies in a vault comes from there, whatever else a
/// client sends.
fn drop_sent(gateway: &mut ApplicationGateway) {
    for item in &mut gateway.properties.ssl_certificates {
        item.properties.public_cert_data = None;
        if vault::given(&item.properties.key_vault_secret_id).is_some() {
            item.properties.data = None;
            item.properties.password = None;
        }
    }
    for item in &mut gateway.properties.trusted_root_certificates {
        if vault::given(&item.properties.key_vault_secret_id).is_some() {
            item.properties.data = None;
        }
    }
}

/// What a gateway was before a write.
struct Before {
    previous: Option<Arc<ApplicationGateway>>,
    /// What was good, where what is stored is not.
    last_good: Option<Arc<ApplicationGateway>>,
}

impl Before {
    fn read(core: &Core, put: &Put<'_>) -> Result<Self, ArmError> {
        let read = |document: Option<&Document>| {
            document.map(|document| stored(core, document)).transpose()
        };
        Ok(Self {
            previous: read(put.previous)?,
            last_good: read(put.last_good)?,
        })
    }

    /// Certificates that come without their data keep what was stored under their name: also what a
    /// change that failed has put something else in the place of.
    fn keep_secrets(&self, gateway: &mut ApplicationGateway) {
        let before = [&self.previous, &self.last_good];
        for previous in before.into_iter().flatten() {
            keep_secrets(gateway, previous);
        }
    }
}

fn keep_secrets(gateway: &mut ApplicationGateway, previous: &ApplicationGateway) {
    for item in &mut gateway.properties.ssl_certificates {
        let mut stored = previous.properties.ssl_certificates.iter();
        let Some(before) = stored.find(|before| before.is_named(&item.name)) else {
            continue;
        };
        let (new, old) = (&mut item.properties, &before.properties);
        let is_same_source =
            vault::given(&new.key_vault_secret_id) == vault::given(&old.key_vault_secret_id);
        if new.data.is_none() && is_same_source {
            new.data.clone_from(&old.data);
            new.password.clone_from(&old.password);
            new.public_cert_data.clone_from(&old.public_cert_data);
        }
    }
    for item in &mut gateway.properties.trusted_root_certificates {
        let mut stored = previous.properties.trusted_root_certificates.iter();
        let before = stored.find(|before| before.is_named(&item.name));
        let is_fetched = vault::given(&item.properties.key_vault_secret_id).is_some();
        if let Some(before) = before.filter(|_| is_fetched && item.properties.data.is_none()) {
            item.properties.data.clone_from(&before.properties.data);
        }
    }
}

/// What is to be sealed: the data and the password of each certificate, by its name; and the roots
/// that were fetched.
fn secrets(gateway: &ApplicationGateway) -> Value {
    let mut secrets = Map::new();
    for item in &gateway.properties.ssl_certificates {
        let Some(data) = &item.properties.data else {
            continue;
        };
        let password = item.properties.password.as_ref().map(Secret::expose);
        secrets.insert(
            item.name.to_ascii_lowercase(),
            json!({"data": data.expose(), "password": password}),
        );
    }
    for item in &gateway.properties.trusted_root_certificates {
        let is_fetched = vault::given(&item.properties.key_vault_secret_id).is_some();
        if let Some(data) = item.properties.data.as_ref().filter(|_| is_fetched) {
            secrets.insert(sealed_root(&item.name), json!({ "data": data }));
        }
    }
    match secrets.is_empty() {
        true => Value::Null,
        false => Value::Object(secrets),
    }
}

/// Under which name a root is sealed: none that a certificate has.
fn sealed_root(name: &str) -> String {
    format!("trustedRootCertificates/{}", name.to_ascii_lowercase())
}

/// A stored gateway with its secrets. Its states are not to be looked at.
fn stored(core: &Core, document: &Document) -> Result<Arc<ApplicationGateway>, ArmError> {
    if let Some(judged) = &document.judged {
        return Ok(Arc::clone(&judged.gateway));
    }
    let sealed = document.open(&core.sealing).map_err(failed)?;
    typed(document, &sealed).map(Arc::new).map_err(failed)
}

/// A stored gateway with these secrets.
pub(crate) fn typed(document: &Document, secrets: &Value) -> Result<ApplicationGateway, String> {
    let report = read_gateways(&document.body);
    let report = report.map_err(|error| error.to_string())?;
    let mut gateways = report.gateways.into_iter();
    let mut gateway = gateways.next().ok_or("a stored gateway is none")?;
    let by_name: HashMap<&str, &Value> = secrets
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, secret)| (name.as_str(), secret))
        .collect();
    for item in &mut gateway.properties.ssl_certificates {
        let Some(secret) = by_name.get(item.name.to_ascii_lowercase().as_str()) else {
            continue;
        };
        let text = |name: &str| secret.get(name).and_then(Value::as_str).map(Secret::new);
        item.properties.data = text("data");
        item.properties.password = text("password");
    }
    for item in &mut gateway.properties.trusted_root_certificates {
        if let Some(secret) = by_name.get(sealed_root(&item.name).as_str()) {
            let data = secret.get("data").and_then(Value::as_str);
            item.properties.data = data.map(str::to_owned);
        }
    }
    Ok(gateway)
}
