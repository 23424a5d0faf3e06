//! What surrounds a deployment, and who answers for what is deployed.

use serde_json::{Map, Value, json};

/// A resource group that exists.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ResourceGroup {
    pub name: String,
    pub location: String,
    pub tags: Map<String, Value>,
}

/// Where a deployment goes, and everything it may ask that is not in its template.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scope {
    pub subscription_id: String,
    pub tenant_id: String,
    /// Where the resources go.
    pub resource_group: ResourceGroup,
    /// Where nested deployments may go, beside `resource_group`.
    pub other_groups: Vec<ResourceGroup>,
    pub deployment_name: String,
    /// Of the deployment itself, where it has one.
    pub location: Option<String>,
    /// The time of the deployment, in seconds since the Unix epoch: what `utcNow` answers.
    pub now: i64,
    /// Where `newGuid` begins. The same seed gives the same GUIDs, so it should be random.
    pub guid_seed: u128,
    /// What `environment()` answers.
    pub environment: Value,
    /// What `providers(…)` answers: an array of `{"namespace", "resourceTypes": […]}`.
    pub providers: Value,
}

impl Scope {
    /// The id of the subscription.
    pub fn subscription_path(&self) -> String {
        format!("/subscriptions/{}", self.subscription_id)
    }

    /// The id of the resource group.
    pub fn group_path(&self) -> String {
        format!(
            "{}/resourceGroups/{}",
            self.subscription_path(),
            self.resource_group.name
        )
    }

    pub(crate) fn subscription(&self) -> Value {
        json!({
            "id": self.subscription_path(),
            "subscriptionId": self.subscription_id,
            "tenantId": self.tenant_id,
            "displayName": self.subscription_id,
            "state": "Enabled",
        })
    }

    pub(crate) fn tenant(&self) -> Value {
        json!({
            "id": format!("/tenants/{}", self.tenant_id),
            "tenantId": self.tenant_id,
        })
    }

    pub(crate) fn group(&self) -> Value {
        json!({
            "id": self.group_path(),
            "name": self.resource_group.name,
            "type": "Microsoft.Resources/resourceGroups",
            "location": self.resource_group.location,
            "tags": self.resource_group.tags,
            "properties": {"provisioningState": "Succeeded"},
        })
    }

    /// The group with this name, in any letter case.
    pub(crate) fn group_named(&self, name: &str) -> Option<&ResourceGroup> {
        let mut groups = std::iter::once(&self.resource_group).chain(&self.other_groups);
        groups.find(|group| group.name.eq_ignore_ascii_case(name))
    }
}

/// Who knows the resources: what a template asks while it is being deployed.
pub trait Runtime {
    /// The properties of a resource, or with `full` the whole of it. `api_version` is the given
    /// one, or that of the resource in the template.
    ///
    /// # Errors
    /// A sentence.
    fn reference(&self, id: &str, api_version: Option<&str>, full: bool) -> Result<Value, String>;

    /// What a function of the name `list…` answers.
    ///
    /// # Errors
    /// A sentence. By default there are no lists.
    fn list(
        &self,
        function: &str,
        id: &str,
        _api_version: Option<&str>,
        _body: Option<&Value>,
    ) -> Result<Value, String> {
        Err(format!(
            "The template function '{function}' is not supported here for '{id}'."
        ))
    }
}
