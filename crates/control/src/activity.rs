//! The activity log: every write, who made it, and what came of it.

use gatewright_arm::ResourceId;
use gatewright_store::{Entry, Key, StoreError};
use serde_json::{Value, json};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::clock;

/// What the keys of events begin with; the time and a GUID follow, so that they lie in the order
/// of time.
pub(crate) const PREFIX: &str = "activity/";

/// What happened to a resource.
pub(crate) struct Event<'a> {
    pub(crate) resource: &'a ResourceId,
    /// `Microsoft.Network/applicationGateways/write`.
    pub(crate) action: &'a str,
    /// `Started`, `Accepted`, `Succeeded`, `Failed`.
    pub(crate) status: &'static str,
    /// `OK`, `Created`, `Accepted`, `BadRequest`; empty where there is no answer.
    pub(crate) sub_status: &'a str,
    /// The appId of who did it.
    pub(crate) caller: &'a str,
    pub(crate) correlation: &'a str,
    pub(crate) operation: Uuid,
    /// The error object, where it failed.
    pub(crate) error: Option<&'a Value>,
}

impl Event<'_> {
    /// The entry of the log.
    pub(crate) fn entry(&self) -> Result<(Key, Vec<u8>), StoreError> {
        let now = clock::now();
        let id = Uuid::new_v4();
        let key = key_at(now, &id.to_string())?;
        Ok((key, self.to_value(now, id).to_string().into_bytes()))
    }

    fn to_value(&self, now: OffsetDateTime, id: Uuid) -> Value {
        let resource = self.resource.to_string();
        let kind = self.resource.resource_type();
        let provider = kind.split('/').next().unwrap_or_default();
        let time = clock::precise(now);
        let ticks = now.unix_timestamp_nanos() / 100 + UNIX_EPOCH_TICKS;
        let subscription = self.resource.subscription().unwrap_or_default();
        let (action, status) = (self.action, self.status);
        let level = if status == "Failed" {
            "Error"
        } else {
            "Informational"
        };
        let named = |value: &str| json!({"value": value, "localizedValue": value});
        let mut properties = json!({
            "entity": resource,
            "message": action,
            "hierarchy": subscription,
        });
        if let Some(error) = self.error {
            properties["statusMessage"] = json!(json!({"error": error}).to_string());
        }
        json!({
            "authorization": {"action": action, "scope": resource},
            "caller": self.caller,
            "channels": "Operation",
            "claims": {"appid": self.caller},
            "correlationId": self.correlation,
            "description": "",
            "eventDataId": id.to_string(),
            "eventName": named(if status == "Started" { "BeginRequest" } else { "EndRequest" }),
            "category": named("Administrative"),
            "eventTimestamp": time,
            "id": format!("{resource}/events/{id}/ticks/{ticks}"),
            "level": level,
            "operationId": self.operation.to_string(),
            "operationName": named(action),
            "resourceGroupName": self.resource.resource_group().unwrap_or_default(),
            "resourceProviderName": named(provider),
            "resourceType": named(&kind),
            "resourceId": resource,
            "status": named(status),
            "subStatus": named(self.sub_status),
            "submissionTimestamp": time,
            "subscriptionId": subscription,
            "properties": properties,
        })
    }
}

/// .NET's ticks at the Unix epoch.
const UNIX_EPOCH_TICKS: i128 = 621_355_968_000_000_000;

/// A key of the log at this time; with an empty `id`, the first one that there may be.
pub(crate) fn key_at(time: OffsetDateTime, id: &str) -> Result<Key, StoreError> {
    let micros = time.unix_timestamp_nanos() / 1000;
    let text = format!("{PREFIX}{micros:020}/{id}");
    Key::new(text).map_err(|error| StoreError::Refused(error.to_string()))
}

pub(crate) fn read(entry: &Entry) -> Result<Value, StoreError> {
    serde_json::from_slice(&entry.value).map_err(|error| {
        StoreError::Unreadable(format!("the entry {} is no event: {error}", entry.key))
    })
}
