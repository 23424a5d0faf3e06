//! Reading in every shape, the findings it makes, and its calm under hostile input.

mod common;

use common::{gateway, sample};
use gatewright_arm::{
    Context, Diagnostic, MAX_DOCUMENT_BYTES, ReadError, Shape, WriteOptions, model, read_gateways,
    read_gateways_text, read_put, validate, write,
};
use serde_json::{Map, Value, json};

fn errors(document: &Value) -> Vec<Diagnostic> {
    match read_gateways(document) {
        Err(ReadError::Invalid(findings)) => findings,
        other => panic!("expected findings, got {other:?}"),
    }
}

fn warnings(document: &Value) -> Vec<Diagnostic> {
    read_gateways(document).expect("readable").warnings
}

/// Turns every member name into PascalCase, as PowerShell prints it.
fn pascal(value: &Value) -> Value {
    match value {
        Value::Array(list) => list.iter().map(pascal).collect(),
        Value::Object(map) => {
            let member = |(name, value): (&String, &Value)| {
                let mut chars = name.chars();
                let first = chars.next().map(|c| c.to_ascii_uppercase());
                (
                    first.into_iter().chain(chars).collect::<String>(),
                    pascal(value),
                )
            };
            Value::Object(map.iter().map(member).collect())
        }
        other => other.clone(),
    }
}

#[test]
fn the_shapes_of_a_gateway_read_alike() {
    let rest = sample("contoso-get.json");
    let expected = gateway(&rest).properties;
    let flat = write(
        &gateway(&rest),
        &WriteOptions {
            secrets: false,
            shape: Shape::AzureCli,
        },
    );
    let mut powershell = pascal(&flat);
    powershell["FrontendPortsText"] = json!("[ { } ]");
    powershell["ResourceGroupName"] = json!("contoso");
    let mut mixed = flat.clone();
    mixed["httpListeners"] = rest["properties"]["httpListeners"].clone();
    for document in [&rest, &flat, &powershell, &mixed] {
        let report = read_gateways(document).expect("readable");
        assert_eq!(report.warnings, []);
        assert_eq!(report.gateways[0].properties, expected);
    }
}

#[test]
fn pointers_follow_the_shape_of_the_document() {
    let rest = sample("contoso-put.json");
    let listener = &gateway(&rest).properties.http_listeners[0];
    assert_eq!(listener.pointer(), "/properties/httpListeners/0");
    assert_eq!(
        listener.pointer_to("frontendPort"),
        "/properties/httpListeners/0/properties/FrontendPort",
        "as the document spells it"
    );
    assert_eq!(
        listener.pointer_to("hostName"),
        "/properties/httpListeners/0/properties/hostName",
        "where it would be"
    );
    let flat = write(
        &gateway(&rest),
        &WriteOptions {
            secrets: false,
            shape: Shape::AzureCli,
        },
    );
    let list = json!({ "value": [flat] });
    let gateway = gateway(&list);
    let probe = &gateway.properties.probes[0];
    assert_eq!(
        probe.pointer_to("match/statusCodes"),
        "/value/0/probes/0/match/statusCodes"
    );
    assert_eq!(
        list.pointer(&probe.pointer_to("match")),
        list.pointer("/value/0/probes/0/match")
    );
    let port = gateway.properties.http_listeners[0]
        .properties
        .frontend_port
        .as_ref();
    assert_eq!(
        port.map(|p| p.pointer()),
        Some("/value/0/httpListeners/0/frontendPort")
    );
}

#[test]
fn references_resolve_in_any_casing_but_only_within_the_gateway() {
    let mut gateway = gateway(&sample("contoso-put.json"));
    let rule = &gateway.properties.request_routing_rules[1].properties;
    let reference = rule.url_path_map.clone().expect("a path map");
    let upper = model::Reference::new(reference.id.to_uppercase());
    for found in [&reference, &upper] {
        let map: Option<&model::Item<model::UrlPathMap>> = gateway.resolve(found);
        assert_eq!(map.map(|map| map.name.as_str()), Some("shop"));
    }
    assert!(
        gateway.resolve::<model::Probe>(&reference).is_none(),
        "another collection"
    );
    gateway.id = Some(
        "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/\
        applicationGateways/other"
            .to_owned(),
    );
    assert!(
        gateway.resolve::<model::UrlPathMap>(&reference).is_none(),
        "another gateway"
    );
    gateway.id = None;
    assert!(
        gateway.resolve::<model::UrlPathMap>(&reference).is_some(),
        "a gateway without id"
    );
}

#[test]
fn an_unknown_member_is_a_warning_with_its_place_and_a_hint() {
    let mut document = sample("contoso-put.json");
    document["properties"]["probes"][0]["properties"]["intervall"] = json!(5);
    document["properties"]["sku"]["flavour/x"] = json!({});
    let found = warnings(&document);
    let expected = [
        "warning InvalidJson at /properties/probes/0/properties/intervall: Could not find member \
         'intervall' on object of type 'ApplicationGatewayProbe'. Path \
         'properties.probes[0].properties.intervall'. Did you mean 'interval'?",
        "warning InvalidJson at /properties/sku/flavour~1x: Could not find member 'flavour/x' on \
         object of type 'ApplicationGatewaySku'. Path 'properties.sku.flavour/x'.",
    ];
    let mut texts: Vec<String> = found.iter().map(ToString::to_string).collect();
    texts.sort();
    assert_eq!(texts, expected);
    assert!(matches!(
        read_put(&document, "gw"),
        Err(ReadError::Invalid(_))
    ));
}

#[test]
fn a_put_has_the_name_of_its_path() {
    let mut document = sample("contoso-put.json");
    let read = |document: &Value| read_put(document, "of-the-path").expect("a gateway");
    for (name, said) in [
        ("id", json!("/subscriptions/s/other")),
        ("Name", json!("other")),
        ("type", json!("Microsoft.Network/virtualNetworks")),
        ("etag", json!(7)),
        ("iD", json!({"no": "text"})),
    ] {
        document[name] = said;
        let gateway = read(&document);
        assert_eq!(gateway.name, "of-the-path", "{name}");
        assert_eq!((gateway.id, gateway.etag), (None, None), "{name}");
    }
    // It is this gateway, and no list of others.
    document["value"] = json!([{"name": "other", "properties": {"sku": {}}}]);
    assert!(matches!(
        read_put(&document, "gw"),
        Err(ReadError::Invalid(_))
    ));
    assert!(read_put(&json!([]), "gw").is_err());
}

#[test]
fn a_misplaced_member_is_not_taken_for_a_known_one() {
    let mut document = sample("contoso-put.json");
    document["properties"]["probes"][0]["properties"]["name"] = json!("other");
    assert_eq!(warnings(&document).len(), 1);
    assert_eq!(gateway(&document).properties.probes[0].name, "alive");
}

#[test]
fn a_member_given_twice_is_told_and_the_last_one_counts() {
    let mut document = sample("contoso-put.json");
    document["properties"]["probes"][0]["properties"]["Interval"] = json!(7);
    let found = warnings(&document);
    assert_eq!(found[0].code, "GW-W-duplicate-member");
    assert_eq!(found[0].pointer, "/properties/probes/0/properties/interval");
    assert_eq!(
        gateway(&document).properties.probes[0].properties.interval,
        Some(7)
    );
}

#[test]
fn wrong_types_name_what_was_found_and_what_would_be_right() {
    let mut document = sample("contoso-put.json");
    document["properties"]["frontendPorts"][1]["properties"]["Port"] = json!("https");
    document["properties"]["probes"] = json!({});
    let found = errors(&document);
    let find = |pointer: &str| found.iter().find(|d| d.pointer == pointer).expect(pointer);
    let port = find("/properties/frontendPorts/1/properties/Port");
    assert_eq!(
        port.message,
        "Error converting value \"https\" at path 'properties.frontendPorts[1].properties.Port': \
         expected a whole number of 32 bits, found a string."
    );
    assert!(
        find("/properties/probes")
            .message
            .contains("expected an array, found an object")
    );
}

#[test]
fn numbers_are_whole_and_of_32_bits() {
    for (value, expected) in [
        (json!(80.0), Some(80)),
        (json!(" 80 "), Some(80)),
        (json!(80.5), None),
        (json!(3_000_000_000_i64), None),
        (json!(true), None),
    ] {
        let document = json!({ "frontendPorts": [{ "name": "p", "port": value }] });
        let read = read_gateways(&document).ok();
        let port = read.and_then(|r| r.gateways[0].properties.frontend_ports[0].properties.port);
        assert_eq!(port, expected, "{document}");
    }
}

#[test]
fn an_unknown_value_of_an_enumeration_is_refused_as_the_service_does() {
    let mut document = sample("contoso-put.json");
    document["properties"]["sku"]["tier"] = json!("Basically");
    let found = errors(&document);
    assert_eq!(found[0].code, "InvalidJsonResourceType");
    assert!(
        found[0]
            .message
            .ends_with("Requested value 'Basically' was not found.")
    );
    assert!(
        found[0]
            .help
            .as_deref()
            .is_some_and(|help| help.contains("Standard_v2"))
    );
}

#[test]
fn other_documents_are_refused_with_a_clear_sentence() {
    let template = json!({
        "$schema": "https://schema.management.azure.com/schemas/2019-04-01/\
                    deploymentTemplate.json#",
        "resources": []
    });
    for (document, sentence) in [
        (template, "ARM deployment template"),
        (
            json!({ "type": "Microsoft.Network/virtualNetworks" }),
            "Microsoft.Network/virtualNetworks",
        ),
        (json!({ "hello": 1 }), "none of a gateway's properties"),
        (json!("text"), "neither an object nor an array"),
        (json!([1]), "'/0' is not an object"),
    ] {
        match read_gateways(&document) {
            Err(ReadError::NotAGateway(message)) => {
                assert!(message.contains(sentence), "{message}")
            }
            other => panic!("{document} gives {other:?}"),
        }
    }
    assert_eq!(
        read_gateways(&json!([])).map(|report| report.gateways.len()),
        Ok(0)
    );
}

#[test]
fn malformed_text_is_located() {
    let error = read_gateways_text(b"{\n  \"name\": \"x\",,\n}").expect_err("malformed");
    assert!(
        matches!(
            error,
            ReadError::Malformed {
                line: 2,
                column: 15,
                ..
            }
        ),
        "{error:?}"
    );
    let deep = "[".repeat(10_000);
    assert!(matches!(
        read_gateways_text(deep.as_bytes()),
        Err(ReadError::Malformed { .. })
    ));
    let large = vec![b' '; MAX_DOCUMENT_BYTES + 1];
    assert!(matches!(
        read_gateways_text(&large),
        Err(ReadError::TooLarge { .. })
    ));
    let marked = format!("\u{feff}{}", sample("contoso-put.json"));
    assert!(read_gateways_text(marked.as_bytes()).is_ok());
}

/// A generator of its own (xorshift), so that a failure repeats.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound.max(1) as u64).unwrap_or(0)
    }

    fn value(&mut self) -> Value {
        match self.below(9) {
            0 => Value::Null,
            1 => json!(true),
            2 => json!(-1),
            3 => json!(1e300),
            4 => json!(""),
            5 => json!("\u{0}é/~[concat()]"),
            6 => json!([null, 1, {}]),
            7 => json!({ "properties": { "properties": [] }, "id": 7 }),
            _ => json!("/subscriptions//providers"),
        }
    }

    fn mutate(&mut self, value: &mut Value) {
        match value {
            Value::Array(list) if !list.is_empty() && self.below(6) > 0 => {
                let i = self.below(list.len());
                self.mutate(&mut list[i]);
            }
            Value::Object(map) if !map.is_empty() && self.below(6) > 0 => self.mutate_member(map),
            other => *other = self.value(),
        }
    }

    fn mutate_member(&mut self, map: &mut Map<String, Value>) {
        let i = self.below(map.len());
        let name = map.keys().nth(i).cloned().unwrap_or_default();
        match self.below(8) {
            0 => drop(map.shift_remove(&name)),
            1 => drop(map.insert(name.to_uppercase(), self.value())),
            _ => self.mutate(map.get_mut(&name).expect("a member")),
        }
    }
}

#[test]
fn no_mutation_of_a_gateway_makes_anything_panic() {
    let original = sample("contoso-get.json");
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut readable = 0;
    for _ in 0..2000 {
        let mut document = original.clone();
        for _ in 0..=random.below(4) {
            random.mutate(&mut document);
        }
        if let Ok(report) = read_gateways(&document) {
            for gateway in report.gateways {
                assert!(validate(&gateway, &Context::default()).len() <= 1001);
                let once = write(&gateway, &WriteOptions::default());
                let again = read_gateways(&once).expect("what was written is readable");
                assert_eq!(write(&again.gateways[0], &WriteOptions::default()), once);
                readable += 1;
            }
        }
    }
    assert!(readable > 200, "only {readable} mutations were readable");
}

#[test]
fn a_null_beside_a_value_is_absent() {
    let mut document = sample("contoso-put.json");
    document["properties"]["probes"][0]["properties"]["Interval"] = Value::Null;
    assert_eq!(warnings(&document), []);
    assert_eq!(
        gateway(&document).properties.probes[0].properties.interval,
        Some(30)
    );
}

#[test]
fn a_flood_of_unknown_members_is_read_in_passing() {
    let members = (0..200_000).map(|i| (format!("unknown{i}"), json!(0)));
    let mut document = sample("contoso-put.json");
    document["properties"]["sku"]
        .as_object_mut()
        .expect("an object")
        .extend(members);
    assert_eq!(warnings(&document).len(), 1000);
    assert!(matches!(
        read_put(&document, "gw"),
        Err(ReadError::Invalid(_))
    ));
}

#[test]
fn utf_16_with_its_mark_is_read() {
    let text = r#"{"name": "gw-é", "properties": {"sku": {"name": "Standard_v2"}}}"#;
    let big: Vec<u8> = "\u{feff}"
        .encode_utf16()
        .chain(text.encode_utf16())
        .flat_map(u16::to_be_bytes)
        .collect();
    let little: Vec<u8> = big.chunks(2).flat_map(|word| [word[1], word[0]]).collect();
    for bytes in [&big, &little] {
        let report = read_gateways_text(bytes).expect("a gateway");
        assert_eq!(report.gateways[0].name, "gw-é");
        let cut = read_gateways_text(&bytes[..bytes.len() - 1]);
        let error = cut.expect_err("half a word").to_string();
        assert!(error.contains("save it as UTF-8"), "{error}");
    }
}
