//! What a request asks to be deployed, and the plan of it.

use std::sync::Arc;

use bytes::Bytes;
use gatewright_arm::{ArmError, ResourceId, catalogue};
use gatewright_template::{
    Document, Plan, ResourceGroup, Scope, Template, TemplateError, plan, read_document,
};
use hyper::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::clock;
use crate::core::{Core, failed};
use crate::front::answer::Answer;
use crate::resources::edit::member;

/// Longest name of a deployment, in characters, as in the service.
const NAME_CHARACTERS_MAX: usize = 64;

/// Why nothing is deployed.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The template is faulty: the answer says where.
    Template(Box<TemplateError>),
    Arm(ArmError),
}

impl From<ArmError> for Refusal {
    fn from(error: ArmError) -> Self {
        Self::Arm(error)
    }
}

impl From<TemplateError> for Refusal {
    fn from(error: TemplateError) -> Self {
        Self::Template(Box::new(error))
    }
}

impl Refusal {
    /// The answer to the request.
    pub(super) fn answer(self) -> Result<Answer, ArmError> {
        match self {
            Self::Arm(error) => Err(error),
            Self::Template(error) => {
                let body = json!({ "error": error.to_json() });
                let answer = Answer::json(StatusCode::BAD_REQUEST, &body);
                Ok(answer.with("x-ms-failure-cause", "gateway"))
            }
        }
    }

    /// The error without the place in the template.
    pub(super) fn into_error(self) -> ArmError {
        match self {
            Self::Arm(error) => error,
            Self::Template(error) => ArmError::front_door(error.code, error.message),
        }
    }
}

/// What a request asks for.
pub(super) struct Requested {
    template: Template,
    parameters: Map<String, Value>,
    pub(super) tags: Option<Value>,
    /// `ResourceIdOnly` or `FullResourcePayloads`, of a what-if.
    pub(super) shows_payloads: bool,
    source: Source,
}

/// What a deployment was made of: sealed while it runs, so that it can go on after a restart. What
/// depends on the moment is part of it, so that the plan comes out the same.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Source {
    pub(super) template: Value,
    #[serde(default)]
    parameters: Value,
    /// Seconds since the Unix epoch.
    now: i64,
    seed: String,
    /// What `environment()` is made of.
    origin: String,
}

impl Source {
    /// As it is kept once the deployment has ended: what it was given is forgotten.
    pub(super) fn template_only(self) -> Self {
        Self {
            parameters: Value::Null,
            ..self
        }
    }

    pub(super) fn of(sealed: Value) -> Option<Self> {
        serde_json::from_value(sealed).ok()
    }

    pub(super) fn into_value(self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}

/// The front door's word for a template without a section that it must have. Recorded, with the
/// place of the template's end where ours is that of its beginning.
fn lacks(section: &str, template: &Document) -> ArmError {
    let (line, column) = template.place();
    let message = format!(
        "The request content was invalid and could not be deserialized: 'Required property \
         '{section}' not found in JSON. Path 'properties.template', line {line}, position \
         {column}.'."
    );
    ArmError::front_door("InvalidRequestContent", message)
}

impl Requested {
    /// Reads a body, as leniently as the service does.
    pub(super) fn read(bytes: &Bytes, origin: &str) -> Result<Self, Refusal> {
        let document = read_document(bytes).map_err(|error| unreadable(&error.to_string()))?;
        let properties = document.part(&["properties"]);
        let properties = properties.filter(|part| part.value().is_object());
        let properties = properties.ok_or_else(|| unreadable("it has no object 'properties'"))?;
        check(&properties)?;
        let location = member(document.value(), "location");
        if location.is_some_and(|location| !location.is_null()) {
            let message = "The 'location' property is not allowed for deployments to a resource \
                           group.";
            return Err(ArmError::front_door("InvalidDeployment", message).into());
        }
        // From the root, so that the path of a fault is that in the request.
        let template = document.part(&["properties", "template"]);
        let template = template.filter(|part| !part.value().is_null());
        let template = template.ok_or_else(|| {
            let message = "The request content was invalid: 'template' is required.";
            ArmError::front_door("InvalidRequestContent", message)
        })?;
        for section in ["contentVersion", "resources"] {
            if member(template.value(), section).is_none_or(Value::is_null) {
                return Err(lacks(section, &template).into());
            }
        }
        let parameters = member(properties.value(), "parameters").and_then(Value::as_object);
        let parameters = parameters.cloned().unwrap_or_default();
        let source = Source {
            template: template.value().clone(),
            parameters: Value::Object(parameters.clone()),
            now: clock::unix_now(),
            seed: Uuid::new_v4().to_string(),
            origin: origin.to_owned(),
        };
        let settings = member(properties.value(), "whatIfSettings");
        let format = settings.and_then(|settings| member(settings, "resultFormat")?.as_str());
        Ok(Self {
            template: Template::read(template)?,
            parameters,
            tags: member(document.value(), "tags").cloned(),
            shows_payloads: format
                .is_none_or(|format| !format.eq_ignore_ascii_case("ResourceIdOnly")),
            source,
        })
    }

    /// What was asked for before a restart.
    pub(super) fn again(source: Source) -> Result<Self, Refusal> {
        let parameters = source.parameters.as_object().cloned();
        Ok(Self {
            template: Template::from_value(source.template.clone())?,
            parameters: parameters.unwrap_or_default(),
            tags: None,
            shows_payloads: true,
            source,
        })
    }

    pub(super) fn source(&self) -> &Source {
        &self.source
    }

    fn plan(&self, mut scope: Scope) -> Result<Plan, TemplateError> {
        let source = &self.source;
        scope.now = source.now;
        scope.guid_seed = source.seed.parse().map_or(0, |seed: Uuid| seed.as_u128());
        scope.environment = json!({
            "name": "Gatewright",
            "resourceManager": format!("{}/", source.origin),
            "authentication": {
                "loginEndpoint": format!("{}/adfs", source.origin),
                "audiences": [format!("{}/", source.origin)],
                "tenant": scope.tenant_id,
                "identityProvider": "ADFS",
            },
            // The public cloud's: a template makes of them what exported gateways hold, and a local
            // vault answers to those names.
            "suffixes": {
                "acrLoginServer": ".azurecr.io",
                "azureDatalakeAnalyticsCatalogAndJob": "azuredatalakeanalytics.net",
                "azureDatalakeStoreFileSystem": "azuredatalakestore.net",
                "azureFrontDoorEndpointSuffix": "azurefd.net",
                "keyvaultDns": ".vault.azure.net",
                "sqlServerHostname": ".database.windows.net",
                "storage": "core.windows.net",
            },
        });
        plan(&self.template, &self.parameters, &scope)
    }
}

/// What is not done is refused, not left out.
fn check(properties: &Document) -> Result<(), Refusal> {
    let given = |name: &str| member(properties.value(), name).filter(|value| !value.is_null());
    let refused = |message: String| Err(ArmError::front_door("InvalidDeployment", message).into());
    for name in ["templateLink", "parametersLink", "onErrorDeployment"] {
        if given(name).is_some() {
            return refused(format!(
                "The property '{name}' is not supported by this control plane; give the template \
                 and its parameters themselves."
            ));
        }
    }
    match given("mode").map(Value::as_str) {
        None => Ok(()),
        Some(Some(mode)) if mode.eq_ignore_ascii_case("Incremental") => Ok(()),
        Some(Some(mode)) if mode.eq_ignore_ascii_case("Complete") => refused(
            "The mode 'Complete' is not supported by this control plane: it deletes what the \
             template does not name. Use 'Incremental', and delete what is to go."
                .to_owned(),
        ),
        Some(_) => refused("The mode of a deployment is 'Incremental'.".to_owned()),
    }
}

fn unreadable(why: &str) -> ArmError {
    let message =
        format!("The request content was invalid and could not be deserialized: '{why}'.");
    ArmError::front_door("InvalidRequestContent", message)
}

/// # Errors
/// When the service has no deployment of such a name.
pub(super) fn check_name(name: &str) -> Result<(), ArmError> {
    let is_fine = |c: char| c.is_alphanumeric() || "-_().".contains(c);
    let is_short = name.chars().count() <= NAME_CHARACTERS_MAX;
    if is_short && name.chars().all(is_fine) && !name.ends_with('.') {
        return Ok(());
    }
    let message = format!(
        "The provided deployment name '{name}' is invalid: up to {NAME_CHARACTERS_MAX} letters, \
         digits, '-', '_', '(', ')' and '.' are allowed, and a period may not be the last."
    );
    Err(ArmError::front_door("InvalidDeploymentName", message))
}

/// Does what takes the time of a processor where nothing else waits for it.
pub(super) async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(Refusal::Arm(failed(error))))
}

impl Core {
    /// The plan of what is asked for, as the deployment `id`.
    pub(super) async fn plan(
        self: &Arc<Self>,
        requested: Arc<Requested>,
        id: &ResourceId,
    ) -> Result<Arc<Plan>, Refusal> {
        let scope = self.scope(id)?;
        aside(move || Ok(Arc::new(requested.plan(scope)?))).await
    }

    fn scope(&self, id: &ResourceId) -> Result<Scope, ArmError> {
        let subscription = &self.config.subscription;
        let groups = format!("/subscriptions/{subscription}/resourceGroups");
        let groups = self.inventory.within(&groups).into_iter();
        let groups = groups.filter(|known| known.id.name().is_none());
        let own = id.resource_group().unwrap_or_default();
        let (mut resource_group, mut other_groups) = (None, Vec::new());
        for known in groups {
            let text = |name: &str| known.summary.get(name).and_then(Value::as_str);
            let tags = known.summary.get("tags").and_then(Value::as_object);
            let name = known.id.resource_group().unwrap_or_default();
            let group = ResourceGroup {
                name: name.to_owned(),
                location: text("location").unwrap_or_default().to_owned(),
                tags: tags.cloned().unwrap_or_default(),
            };
            match name.eq_ignore_ascii_case(own) {
                true => resource_group = Some(group),
                false => other_groups.push(group),
            }
        }
        let providers = catalogue::providers(subscription, |_| true);
        Ok(Scope {
            subscription_id: subscription.clone(),
            tenant_id: self.config.tenant.clone(),
            resource_group: resource_group.ok_or_else(|| crate::resources::links::no_group(own))?,
            other_groups,
            deployment_name: id.name().unwrap_or_default().to_owned(),
            providers: providers.get("value").cloned().unwrap_or_default(),
            ..Scope::default()
        })
    }
}
