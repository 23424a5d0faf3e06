//! The shapes of resources that are stored as they are sent: which members there are, in which
//! casing and order, and what stands there by default.
//!
//! Clients write names and words of enums in any case, numbers as text, and `null` for what they
//! do not mean. What is stored is what the service would answer. Of members that nobody knows, the
//! network's parser says so; elsewhere they are kept as they came.

use gatewright_arm::{ArmError, ResourceId, no_such_member, no_such_value, shorten};
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// What resources of a type, or items of one, are made of, in the order of answers: name, id, etag,
/// type, `head`, `properties` and `tail`.
pub(crate) struct Shape {
    /// Whether the type stands after `properties` instead.
    pub(crate) type_last: bool,
    pub(crate) head: &'static [Member],
    pub(crate) properties: &'static [Member],
    pub(crate) tail: &'static [Member],
    pub(crate) bounds: Bounds,
}

/// Which `properties` there are beside those of the shape.
pub(crate) enum Bounds {
    /// Any: they are kept as they came.
    Open,
    /// These, which are kept as they came; others are refused, as by the network's parser, to which
    /// `contract` is the type of the object.
    These {
        contract: &'static str,
        others: &'static [&'static str],
    },
}

/// One member.
pub(crate) struct Member {
    pub(crate) name: &'static str,
    pub(crate) form: Form,
    pub(crate) origin: Origin,
}

/// What a member holds.
pub(crate) enum Form {
    Text,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A number between these, both included.
    Integer(i64, i64),
    Boolean,
    Texts,
    /// `{"id": …}`.
    Reference,
    /// A list of such.
    References,
    Object(&'static [Member]),
    /// An object with these members and no others, of the type that the network's parser names.
    Closed(&'static str, &'static [Member]),
    /// Objects that are no resources.
    Objects(&'static [Member]),
    /// A list of closed ones.
    ClosedList(&'static str, &'static [Member]),
    /// Resources of their own name and id; the type is the parent's and the member's name.
    Items(&'static Shape),
    /// Anything.
    Any,
}

/// Where a member's value comes from.
pub(crate) enum Origin {
    /// From the client; absent where the client says nothing.
    Client,
    /// From the client, or else this JSON.
    ClientOr(&'static str),
    /// From the client, who must say it.
    Required,
    /// From the server alone; what a client sends is ignored, what was stored stays.
    Server,
    /// From the server, a GUID that never changes.
    ServerGuid,
    /// From the server, which puts it here afterwards; this JSON until then.
    Computed(&'static str),
    /// Accepted and dropped.
    Dropped,
}

pub(crate) const fn member(name: &'static str, form: Form) -> Member {
    Member {
        name,
        form,
        origin: Origin::Client,
    }
}

pub(crate) const fn defaulted(name: &'static str, form: Form, default: &'static str) -> Member {
    Member {
        name,
        form,
        origin: Origin::ClientOr(default),
    }
}

pub(crate) const fn required(name: &'static str, form: Form) -> Member {
    Member {
        name,
        form,
        origin: Origin::Required,
    }
}

pub(crate) const fn computed(name: &'static str, until_then: &'static str) -> Member {
    Member {
        name,
        form: Form::Any,
        origin: Origin::Computed(until_then),
    }
}

pub(crate) const fn server(name: &'static str) -> Member {
    Member {
        name,
        form: Form::Any,
        origin: Origin::Server,
    }
}

pub(crate) const fn guid(name: &'static str) -> Member {
    Member {
        name,
        form: Form::Any,
        origin: Origin::ServerGuid,
    }
}

pub(crate) const fn dropped(name: &'static str) -> Member {
    Member {
        name,
        form: Form::Any,
        origin: Origin::Dropped,
    }
}

/// Members that every resource has beside `properties`, which the server writes itself.
const OWN_MEMBERS: [&str; 5] = ["id", "name", "type", "etag", "properties"];

/// Where in the body something is, for the sentences about it.
struct Place<'a> {
    /// The id of the resource or the item.
    id: &'a ResourceId,
    path: String,
}

impl Place<'_> {
    fn below(&self, name: &str) -> Self {
        Place {
            id: self.id,
            path: format!("{}.{name}", self.path),
        }
    }
}

/// The resource as it is to be stored: with its id, name and type, an etag, a state, and the
/// members of its shape.
///
/// # Errors
/// When a member holds what it cannot hold; the first one.
pub(crate) fn resource(
    id: &ResourceId,
    shape: &'static Shape,
    given: &Value,
    previous: Option<&Value>,
) -> Result<Value, ArmError> {
    let place = Place {
        id,
        path: String::new(),
    };
    let empty = Map::new();
    whole(shape, given.as_object().unwrap_or(&empty), previous, &place)
}

/// The body of a question about the resource `id`: with the members that such questions have.
///
/// # Errors
/// When a member holds what it cannot hold, or one that is needed is not there; the first one.
pub(crate) fn question(
    id: &ResourceId,
    members: &'static [Member],
    given: &Value,
) -> Result<Value, ArmError> {
    let place = Place {
        id,
        path: String::new(),
    };
    let mut out = Map::new();
    fill(members, given, None, &place, &mut out)?;
    Ok(Value::Object(out))
}

/// A resource or an item. The casing of names is that of the first PUT.
fn whole(
    shape: &'static Shape,
    given: &Map<String, Value>,
    previous: Option<&Value>,
    place: &Place<'_>,
) -> Result<Value, ArmError> {
    let before = |name: &str| previous.and_then(|before| before.get(name)).cloned();
    let mut out = Map::new();
    let name = before("name").unwrap_or_else(|| json!(place.id.name().unwrap_or_default()));
    out.insert("name".to_owned(), name);
    let id = before("id").unwrap_or_else(|| json!(place.id.to_string()));
    out.insert("id".to_owned(), id);
    out.insert("etag".to_owned(), json!(""));
    let kind = ("type".to_owned(), json!(place.id.resource_type()));
    let (first, last) = match shape.type_last {
        false => (Some(kind), None),
        true => (None, Some(kind)),
    };
    out.extend(first);
    for one in shape.head {
        put(one, given, previous, place, &mut out)?;
    }
    let bag = find(given, "properties")
        .cloned()
        .unwrap_or_else(|| json!({}));
    let before = previous.and_then(|before| before.get("properties"));
    let inner = place.below("properties");
    check_known(shape, &bag, &inner)?;
    let bag = stated(shape.properties, &bag, before, &inner)?;
    out.insert("properties".to_owned(), bag);
    out.extend(last);
    for one in shape.tail {
        put(one, given, previous, place, &mut out)?;
    }
    let known = out.clone();
    let members = [shape.head, shape.tail];
    keep_unknown(given, &known, &members, &OWN_MEMBERS, &mut out);
    Ok(Value::Object(out))
}

/// # Errors
/// When a member is none of those that there are. Recorded for peerings within a network.
fn check_known(shape: &Shape, given: &Value, place: &Place<'_>) -> Result<(), ArmError> {
    let Bounds::These { contract, others } = shape.bounds else {
        return Ok(());
    };
    let others = [others, &["provisioningState"]].concat();
    check_closed((contract, shape.properties), &others, given, place)
}

/// # Errors
/// When an object of the type `contract` has another member than these and `others`.
fn check_closed(
    (contract, members): (&str, &[Member]),
    others: &[&str],
    given: &Value,
    place: &Place<'_>,
) -> Result<(), ArmError> {
    let known = || {
        let own = members.iter().map(|one| one.name);
        own.chain(others.iter().copied())
    };
    let mut given = given.as_object().into_iter().flat_map(Map::keys);
    let is_unknown = |name: &&String| !known().any(|other| other.eq_ignore_ascii_case(name));
    let Some(name) = given.find(is_unknown) else {
        return Ok(());
    };
    let path = place.below(&shorten(name)).path;
    let message = no_such_member(name, contract, path.trim_start_matches('.'));
    Err(not_parsed("InvalidJson", message))
}

/// The members of `properties`, the state first.
fn stated(
    members: &'static [Member],
    given: &Value,
    previous: Option<&Value>,
    place: &Place<'_>,
) -> Result<Value, ArmError> {
    let mut out = Map::new();
    out.insert("provisioningState".to_owned(), json!("Succeeded"));
    fill(members, given, previous, place, &mut out)?;
    Ok(Value::Object(out))
}

fn fill(
    members: &[Member],
    given: &Value,
    previous: Option<&Value>,
    place: &Place<'_>,
    out: &mut Map<String, Value>,
) -> Result<(), ArmError> {
    let Some(object) = given.as_object() else {
        return Err(invalid(place, "an object is expected"));
    };
    for one in members {
        put(one, object, previous, place, out)?;
    }
    let known = out.clone();
    keep_unknown(object, &known, &[members], &["provisioningState"], out);
    Ok(())
}

fn keep_unknown(
    given: &Map<String, Value>,
    known: &Map<String, Value>,
    members: &[&[Member]],
    own: &[&str],
    out: &mut Map<String, Value>,
) {
    for (name, value) in given {
        let same = |other: &str| other.eq_ignore_ascii_case(name);
        let is_known = known.keys().any(|other| same(other))
            || members.iter().copied().flatten().any(|one| same(one.name))
            || own.iter().any(|other| same(other));
        if !is_known && !value.is_null() {
            out.insert(name.clone(), value.clone());
        }
    }
}

fn put(
    one: &Member,
    given: &Map<String, Value>,
    previous: Option<&Value>,
    place: &Place<'_>,
    out: &mut Map<String, Value>,
) -> Result<(), ArmError> {
    let before = previous.and_then(|before| before.get(one.name));
    let sent = find(given, one.name).filter(|value| !value.is_null());
    let value = match (&one.origin, sent) {
        (Origin::Dropped, _) => None,
        (Origin::Computed(until_then), _) => Some(parsed(until_then)),
        (Origin::Required, None) => {
            let why = format!("the required property '{}' is not found", one.name);
            return Err(invalid(place, &why));
        }
        (Origin::Server, _) => before.cloned(),
        (Origin::ServerGuid, _) => Some(
            before
                .cloned()
                .unwrap_or_else(|| json!(Uuid::new_v4().to_string())),
        ),
        (Origin::Client | Origin::ClientOr(_) | Origin::Required, Some(sent)) => {
            Some(read(&one.form, sent, before, &place.below(one.name))?)
        }
        (Origin::ClientOr(default), None) => Some(read(
            &one.form,
            &parsed(default),
            before,
            &place.below(one.name),
        )?),
        (Origin::Client, None) => None,
    };
    if let Some(value) = value {
        out.insert(one.name.to_owned(), value);
    }
    Ok(())
}

/// The JSON of a table.
fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_default()
}

fn read(
    form: &Form,
    sent: &Value,
    before: Option<&Value>,
    place: &Place<'_>,
) -> Result<Value, ArmError> {
    match form {
        Form::Any => Ok(without_nulls(sent)),
        Form::Text => match sent {
            Value::String(_) => Ok(sent.clone()),
            Value::Number(number) => Ok(json!(number.to_string())),
            _ => Err(invalid(place, "a text is expected")),
        },
        Form::Word(words) => word(words, sent, place),
        Form::Integer(least, most) => integer((*least, *most), sent, place),
        Form::Boolean => match sent {
            Value::Bool(_) => Ok(sent.clone()),
            Value::String(text) if text.eq_ignore_ascii_case("true") => Ok(json!(true)),
            Value::String(text) if text.eq_ignore_ascii_case("false") => Ok(json!(false)),
            _ => Err(invalid(place, "true or false is expected")),
        },
        Form::Texts => match sent.as_array() {
            Some(texts) if texts.iter().all(Value::is_string) => Ok(sent.clone()),
            _ => Err(invalid(place, "a list of texts is expected")),
        },
        Form::Reference => reference(sent, place),
        Form::References => list(sent, place, reference),
        Form::Object(members) => object(members, sent, before, place),
        Form::Closed(contract, members) => {
            check_closed((contract, members), &[], sent, place)?;
            object(members, sent, before, place)
        }
        Form::Objects(members) => list(sent, place, |one, place| object(members, one, None, place)),
        Form::ClosedList(contract, members) => list(sent, place, |one, place| {
            check_closed((contract, members), &[], one, place)?;
            object(members, one, None, place)
        }),
        Form::Items(shape) => items(shape, sent, before, place),
    }
}

fn object(
    members: &[Member],
    sent: &Value,
    before: Option<&Value>,
    place: &Place<'_>,
) -> Result<Value, ArmError> {
    let mut out = Map::new();
    fill(members, sent, before, place, &mut out)?;
    Ok(Value::Object(out))
}

fn list(
    sent: &Value,
    place: &Place<'_>,
    read_one: impl Fn(&Value, &Place<'_>) -> Result<Value, ArmError>,
) -> Result<Value, ArmError> {
    let list = sent
        .as_array()
        .ok_or_else(|| invalid(place, "a list is expected"))?;
    let place = |index: usize| Place {
        id: place.id,
        path: format!("{}[{index}]", place.path),
    };
    let all = list.iter().enumerate();
    all.map(|(index, one)| read_one(one, &place(index)))
        .collect()
}

fn word(words: &[&str], sent: &Value, place: &Place<'_>) -> Result<Value, ArmError> {
    let text = sent.as_str().unwrap_or_default();
    let found = words.iter().find(|word| word.eq_ignore_ascii_case(text));
    found.map(|word| json!(word)).ok_or_else(|| {
        if let Some(error) = no_such_word(place.id, text) {
            return error;
        }
        let why = format!(
            "'{text}' was not found; one of {} is expected",
            words.join(", ")
        );
        invalid(place, &why)
    })
}

/// The word of the network's own parser; recorded for public IP addresses.
fn no_such_word(id: &ResourceId, text: &str) -> Option<ArmError> {
    let kind = id.resource_type();
    let kind = kind.strip_prefix("Microsoft.Network/")?;
    let contract = match kind.rsplit('/').next()? {
        "publicIPAddresses" => "PublicIpAddress".to_owned(),
        kind => {
            let one = kind.strip_suffix('s').unwrap_or(kind);
            let mut letters = one.chars();
            let first = letters.next()?.to_ascii_uppercase();
            std::iter::once(first).chain(letters).collect()
        }
    };
    let message = no_such_value(&contract, text);
    Some(not_parsed("InvalidJsonResourceType", message))
}

fn integer((least, most): (i64, i64), sent: &Value, place: &Place<'_>) -> Result<Value, ArmError> {
    let number = match sent {
        Value::String(text) => text.trim().parse().ok(),
        sent => sent.as_i64(),
    };
    match number.filter(|number| (least..=most).contains(number)) {
        Some(number) => Ok(json!(number)),
        None => Err(invalid(
            place,
            &format!("a number from {least} to {most} is expected"),
        )),
    }
}

/// In canonical casing.
fn reference(sent: &Value, place: &Place<'_>) -> Result<Value, ArmError> {
    let id = sent.as_object().and_then(|object| find(object, "id"));
    let Some(text) = id.and_then(Value::as_str) else {
        return Err(invalid(place, "a reference with an id is expected"));
    };
    let id = ResourceId::parse(text).map_err(|_| {
        let message = format!(
            "Reference Id {text} is not formatted correctly. The Id is expected to reference a \
             resource. Path {}.",
            place.path.trim_start_matches('.')
        );
        ArmError::new("InvalidJsonReferenceFormat", message)
    })?;
    Ok(json!({"id": id.to_string()}))
}

fn items(
    shape: &'static Shape,
    sent: &Value,
    before: Option<&Value>,
    place: &Place<'_>,
) -> Result<Value, ArmError> {
    let list = sent
        .as_array()
        .ok_or_else(|| invalid(place, "a list is expected"))?;
    let collection = place.path.rsplit('.').next().unwrap_or_default();
    let mut out: Vec<Value> = Vec::new();
    for one in list {
        let object = one
            .as_object()
            .ok_or_else(|| invalid(place, "an object is expected"))?;
        let name = find(object, "name")
            .and_then(Value::as_str)
            .unwrap_or_default();
        if name.is_empty() {
            return Err(invalid(place, "every item must have a name"));
        }
        let same = |other: &&Value| crate::resources::edit::is_named(other, name);
        if out.iter().any(|other| same(&other)) {
            return Err(ArmError::new(
                "DuplicateResourceName",
                format!(
                    "Resource {} has two child resources with the same name ({name}).",
                    place.id
                ),
            ));
        }
        let previous = before.and_then(Value::as_array);
        let previous = previous.and_then(|list| list.iter().find(same));
        let id = place.id.child(collection, name);
        let inner = Place {
            id: &id,
            path: format!("{}[{}]", place.path, out.len()),
        };
        out.push(whole(shape, object, previous, &inner)?);
    }
    Ok(Value::Array(out))
}

fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let kept = members.iter().filter(|(_, value)| !value.is_null());
            kept.map(|(name, value)| (name.clone(), without_nulls(value)))
                .collect()
        }
        Value::Array(items) => items.iter().map(without_nulls).collect(),
        other => other.clone(),
    }
}

/// Puts a member before another one; at the end where that one is not there.
pub(crate) fn insert_before(bag: &mut Value, other: &str, name: &str, value: Value) {
    let Some(members) = bag.as_object_mut() else {
        return;
    };
    members.shift_remove(name);
    let position = members.keys().position(|own| own == other);
    members.shift_insert(position.unwrap_or(members.len()), name.to_owned(), value);
}

/// References to these ids, as answers hold them.
pub(crate) fn references(ids: impl IntoIterator<Item = String>) -> Value {
    ids.into_iter().map(|id| json!({ "id": id })).collect()
}

/// A member in any letter case.
fn find<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    let mut members = object.iter();
    let found = members.find(|(own, _)| own.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value)
}

fn invalid(place: &Place<'_>, why: &str) -> ArmError {
    let path = place.path.trim_start_matches('.');
    let message = format!(
        "The value of '{path}' of {} is invalid: {why}. Path '{path}'.",
        place.id
    );
    not_parsed("InvalidJson", message)
}

fn not_parsed(code: &str, message: String) -> ArmError {
    ArmError::not_parsed([(code.to_owned(), message)])
}
