//! Public IP addresses.

use gatewright_arm::{ApiVersion, ArmError, ResourceId};
use gatewright_store::Pending;
use serde_json::{Value, json};

use super::virtual_networks::{id_of, reference_of};
use crate::core::Core;
use crate::resources::document::Document;
use crate::resources::edit;
use crate::resources::inventory::Inventory;
use crate::resources::kind::{Ending, Kind, Prepared, Put};
use crate::resources::references::{PUBLIC, PUBLIC_NOTE};
use crate::resources::shape::{
    Bounds, Form, Member, Shape, defaulted, guid, insert_before, member, server,
};

const ADDRESSES: &str = "Microsoft.Network/publicIPAddresses";

const ALLOCATION: &str = "publicIPAllocationMethod";

/// API versions before this one make addresses of the Basic SKU, which v1 gateways had. The service
/// has refused them since September 2025, under any version; recorded in 2023, under 2022-01-01,
/// they are made.
const BASIC_UNTIL: ApiVersion = ApiVersion::new(2023, 1, 1);

/// What the names of addresses end with.
const DOMAIN: &str = "cloudapp.local";

/// Characters of a label: from and to (documentation of the service).
const LABEL_CHARACTERS: std::ops::RangeInclusive<usize> = 3..=63;

const ADDRESS: Shape = Shape {
    type_last: true,
    head: &[
        member("location", Form::Text),
        member("extendedLocation", Form::Any),
        member("tags", Form::Any),
        member("zones", Form::Texts),
    ],
    properties: &[
        guid("resourceGuid"),
        server("ipAddress"),
        defaulted(
            "publicIPAddressVersion",
            Form::Word(&["IPv4", "IPv6"]),
            "\"IPv4\"",
        ),
        defaulted(ALLOCATION, Form::Word(&["Static", "Dynamic"]), "\"Static\""),
        defaulted("idleTimeoutInMinutes", Form::Integer(4, 30), "4"),
        member(
            "dnsSettings",
            Form::Closed("PublicIpAddressDnsSettings", DNS_SETTINGS),
        ),
        defaulted("ipTags", Form::Any, "[]"),
        server("ipConfiguration"),
        defaulted(
            "ddosSettings",
            Form::Any,
            r#"{"protectionMode": "VirtualNetworkInherited"}"#,
        ),
    ],
    tail: &[defaulted("sku", Form::Closed("Sku", SKU), "{}")],
    bounds: Bounds::These {
        contract: "PublicIpAddressProperties",
        others: &[
            "deleteOption",
            "linkedPublicIPAddress",
            "migrationPhase",
            "natGateway",
            "publicIPPrefix",
            "servicePublicIPAddress",
            "upgradedToV2",
        ],
    },
};

const SCOPES: &[&str] = &[
    "TenantReuse",
    "SubscriptionReuse",
    "ResourceGroupReuse",
    "NoReuse",
];

const DNS_SETTINGS: &[Member] = &[
    member("domainNameLabel", Form::Text),
    member("domainNameLabelScope", Form::Word(SCOPES)),
    server("fqdn"),
    member("reverseFqdn", Form::Text),
];

/// Without a word, a client means what can still be had.
const SKU: &[Member] = &[
    defaulted(
        "name",
        Form::Word(&["Standard", "Basic", "StandardV2"]),
        "\"Standard\"",
    ),
    defaulted("tier", Form::Word(&["Regional", "Global"]), "\"Regional\""),
];

pub(crate) struct PublicIps;

impl Kind for PublicIps {
    fn name(&self) -> &'static str {
        ADDRESSES
    }

    fn prepare<'a>(
        &'a self,
        core: &'a Core,
        put: Put<'a>,
    ) -> Pending<'a, Result<Prepared, ArmError>> {
        Box::pin(async move {
            let mut body = put.shaped(&ADDRESS)?;
            settle_unsaid(&put, &mut body);
            check_sku(&body, put.previous_body())?;
            if put.api_version >= BASIC_UNTIL {
                check_retired(&body, put.previous_body())?;
            }
            name(core, &mut body).await?;
            let notes = Some(json!({PUBLIC_NOTE: allocate(core, &put, &body)?}));
            Ok(Prepared {
                body,
                notes,
                ..Prepared::default()
            })
        })
    }

    /// Absent under 2021-03-01 (recorded by the azure-cli), there under 2022-11-01.
    fn leave_out(&self, shown: &mut Document, api_version: ApiVersion) {
        if api_version < ApiVersion::new(2022, 5, 1)
            && let Some(Value::Object(members)) = shown.edit().get_mut("properties")
        {
            members.shift_remove("ddosSettings");
        }
    }

    fn present(&self, shown: &mut Document, inventory: &Inventory) {
        let users = inventory.users(&shown.id.to_string());
        if users.is_empty() && allocation(&shown.body) == Some("Dynamic") {
            let bag = shown.edit()["properties"].as_object_mut();
            bag.map(|bag| bag.shift_remove("ipAddress"));
        }
        if let Some(user) = users.first() {
            let bag = &mut shown.edit()["properties"];
            insert_before(bag, "ddosSettings", "ipConfiguration", json!({"id": user}));
        }
    }

    fn refuse_delete(
        &self,
        document: &Document,
        _: &ResourceId,
        inventory: &Inventory,
    ) -> Option<ArmError> {
        let id = &document.id;
        let users = inventory.users(&id.to_string());
        users.first().map(|user| {
            ArmError::new(
                "PublicIPAddressCannotBeDeleted",
                format!(
                    "Public IP address {id} can not be deleted since it is still allocated to \
                     resource {user}. In order to delete the public IP, disassociate/detach the \
                     Public IP address from the resource. To learn how to do this, see \
                     aka.ms/deletepublicip."
                ),
            )
        })
    }

    /// The address is shown once it is there.
    fn end(&self, body: &mut Value, notes: &Value, ending: Ending) {
        let address = notes.get(PUBLIC_NOTE).filter(|_| ending == Ending::Good);
        if let Some(address) = address {
            let bag = &mut body["properties"];
            insert_before(bag, "publicIPAddressVersion", "ipAddress", address.clone());
        }
    }
}

/// What a client that says nothing of it means: what the address is already, but Basic under the
/// first API versions; a new Basic address is dynamic.
fn settle_unsaid(put: &Put<'_>, body: &mut Value) {
    let sent = |pointer: [&str; 2]| {
        let bag = edit::member(put.body, pointer[0])?;
        edit::member(bag, pointer[1]).filter(|value| !value.is_null())
    };
    let before = put.previous_body();
    for member in ["name", "tier"] {
        let kept = before
            .and_then(|before| before.get("sku")?.get(member))
            .cloned();
        let meant = match member {
            "name" if put.api_version < BASIC_UNTIL => Some(json!("Basic")),
            _ => kept,
        };
        if let Some(meant) = meant.filter(|_| sent(["sku", member]).is_none()) {
            body["sku"][member] = meant;
        }
    }
    let is_as_before = before.is_some_and(|before| sku(before) == sku(body));
    let kept = before.and_then(allocation).filter(|_| is_as_before);
    let unsaid = match sku(body) {
        Some("Basic") => kept.or(Some("Dynamic")),
        _ => kept,
    };
    if let Some(unsaid) = unsaid.filter(|_| sent(["properties", ALLOCATION]).is_none()) {
        body["properties"][ALLOCATION] = json!(unsaid);
    }
}

/// # Errors
/// For a new address of the SKU that was retired in September 2025.
fn check_retired(body: &Value, previous: Option<&Value>) -> Result<(), ArmError> {
    let is_global = body.pointer("/sku/tier") == Some(&json!("Global"));
    let is_new = previous.and_then(sku) != Some("Basic");
    if sku(body) != Some("Basic") || is_global || !is_new {
        return Ok(());
    }
    let family = if is_ipv6(body) { "IPv6" } else { "IPv4" };
    let message = format!(
        "Cannot create more than 0 {family} Basic SKU public IP addresses for this subscription in \
         this region."
    );
    let code = format!("{family}BasicSkuPublicIpCountLimitReached");
    Err(ArmError::new(&code, message))
}

/// # Errors
/// When the SKU cannot be had, or not by an address that has the one of `previous`: an address goes
/// from Basic to Standard and never back (reported by users of the service).
fn check_sku(body: &Value, previous: Option<&Value>) -> Result<(), ArmError> {
    let tier = body.pointer("/sku/tier").and_then(Value::as_str);
    let id = id_of(body);
    let refuse = |code: &str, message: String| Err(ArmError::new(code, message));
    let before = previous.and_then(sku).filter(|before| *before != "Basic");
    if let (Some("Basic"), Some(before)) = (sku(body), before) {
        return refuse(
            "SkuCannotBeChangedOnUpdate",
            format!(
                "Sku property is set at creation time and cannot be changed from {before} to Basic \
                 on resource update for resource {id}."
            ),
        );
    }
    match (sku(body), tier, allocation(body)) {
        (Some("Basic"), Some("Global"), _) => refuse(
            "GlobalPublicIPAddressNotSupportedForBasicPublicIpAddress",
            format!(
                "Global publicIP addresses are only supported for standard SKU public IP \
                 addresses. Public IP address {id} is not standard SKU."
            ),
        ),
        (Some("Basic"), ..) => Ok(()),
        (_, _, Some("Dynamic")) => refuse(
            "StandardSkuPublicIPAddressesMustBeStatic",
            format!("Standard sku publicIp {id} must have AllocationMethod set to Static."),
        ),
        _ => Ok(()),
    }
}

/// The name of an address's SKU.
pub(super) fn sku(body: &Value) -> Option<&str> {
    body.pointer("/sku/name")?.as_str()
}

fn allocation(body: &Value) -> Option<&str> {
    body.get("properties")?.get(ALLOCATION)?.as_str()
}

fn is_ipv6(body: &Value) -> bool {
    body.pointer("/properties/publicIPAddressVersion") == Some(&json!("IPv6"))
}

/// The full name of a label; of one that is taken, or is none, an error.
async fn name(core: &Core, body: &mut Value) -> Result<(), ArmError> {
    let label = body.pointer("/properties/dnsSettings/domainNameLabel");
    let Some(label) = label.and_then(Value::as_str).map(str::to_owned) else {
        if let Some(settings) = body.pointer_mut("/properties/dnsSettings") {
            settings
                .as_object_mut()
                .map(|settings| settings.shift_remove("fqdn"));
        }
        return Ok(());
    };
    check_label(&label)?;
    let location = body
        .get("location")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let fqdn = fqdn(&label, location);
    if is_taken(core, &fqdn, id_of(body)).await? {
        let message = format!("DNS record {fqdn} is already used by another public IP.");
        return Err(ArmError::new("DnsRecordInUse", message));
    }
    let settings = &mut body["properties"]["dnsSettings"];
    insert_before(settings, "reverseFqdn", "fqdn", json!(fqdn));
    Ok(())
}

fn fqdn(label: &str, location: &str) -> String {
    format!("{label}.{location}.{DOMAIN}")
}

/// Whether another address than that of the id `own` has the name.
async fn is_taken(core: &Core, fqdn: &str, own: &str) -> Result<bool, ArmError> {
    for known in core.inventory.of_type(ADDRESSES) {
        if known.id.to_string().eq_ignore_ascii_case(own) {
            continue;
        }
        let other = core.document(&known.id).await?;
        let taken = other
            .as_ref()
            .and_then(|other| other.text("/properties/dnsSettings/fqdn"));
        if taken == Some(fqdn) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether a new address in this location may have this label.
///
/// # Errors
/// When nothing can have it.
pub(super) async fn is_free(core: &Core, label: &str, location: &str) -> Result<bool, ArmError> {
    check_label(label)?;
    Ok(!is_taken(core, &fqdn(label, location), "").await?)
}

fn check_label(label: &str) -> Result<(), ArmError> {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_good = LABEL_CHARACTERS.contains(&label.len())
        && label.starts_with(|first: char| first.is_ascii_lowercase())
        && !label.ends_with('-')
        && label.bytes().all(|byte| is_plain(byte) || byte == b'-');
    match is_good {
        true => Ok(()),
        false => Err(ArmError::new(
            "InvalidDomainNameLabel",
            format!(
                "The domain name label {label} is invalid. It must conform to the following \
                 regular expression: ^[a-z][a-z0-9-]{{1,61}}[a-z0-9]$."
            ),
        )),
    }
}

/// The address that it has or gets. It is taken when the resource is stored; nothing else is stored
/// between the two, see [`Core::write`].
fn allocate(core: &Core, put: &Put<'_>, body: &Value) -> Result<String, ArmError> {
    let is_ipv6 = is_ipv6(body);
    let before = put
        .previous
        .and_then(|before| before.notes.get(PUBLIC_NOTE)?.as_str());
    if let Some(before) = before.filter(|before| before.contains(':') == is_ipv6) {
        return Ok(before.to_owned());
    }
    let held = core.inventory.held(PUBLIC, Some(put.id));
    let addresses = &core.config.public_addresses;
    let free = addresses.free(is_ipv6, |address| held.contains_key(address));
    free.map(|address| address.to_string()).ok_or_else(|| {
        let count = addresses.count(is_ipv6);
        let family = if is_ipv6 { "IPv6" } else { "IPv4" };
        ArmError::new(
            "PublicIPCountLimitReached",
            format!(
                "Cannot create more than {count} {family} public IP addresses for this \
                 subscription in this region. Give the control plane more public addresses."
            ),
        )
    })
}

/// Refuses a public address that something else has.
///
/// # Errors
/// When the item's public address is in another use than that of `own`.
pub(super) fn check_free(
    inventory: &Inventory,
    own: &ResourceId,
    item: &Value,
) -> Result<(), ArmError> {
    match reference_of(item, "publicIPAddress") {
        Some(address) => check_use(inventory, own, id_of(item), &address),
        None => Ok(()),
    }
}

pub(super) fn check_use(
    inventory: &Inventory,
    own: &ResourceId,
    item: &str,
    address: &ResourceId,
) -> Result<(), ArmError> {
    let own = format!("{own}/").to_ascii_lowercase();
    let users = inventory.users(&address.to_string());
    let other = users
        .iter()
        .find(|user| !user.to_ascii_lowercase().starts_with(&own));
    match other {
        None => Ok(()),
        Some(user) => Err(ArmError::new(
            "PublicIPAddressInUse",
            format!(
                "Resource {item} is referencing public IP address {address} that is already \
                 allocated to resource {user}."
            ),
        )),
    }
}
