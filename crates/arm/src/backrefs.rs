//! Back-references: which items are used by which.
//!
//! The service computes them on every answer, ignores what clients send, and omits those that
//! would be empty (recorded from the service).

use indexmap::IndexMap;
use serde_json::{Map, Value};

use crate::ids::ResourceId;
use crate::model::{ApplicationGateway, Item, Reference};

/// Order of a target's back-references on the wire.
const ORDER: &[&str] = &[
    "backendHttpSettings",
    "backendSettings",
    "frontendIpConfigurations",
    "httpListeners",
    "listeners",
    "requestRoutingRules",
    "routingRules",
    "urlPathMaps",
    "pathRules",
    "redirectConfiguration",
];

/// The ids that use each target, by target and by the name of the back-reference.
#[derive(Default)]
struct Uses(IndexMap<(String, &'static str), Vec<String>>);

impl Uses {
    fn add<'a>(
        &mut self,
        user: &str,
        name: &'static str,
        targets: impl IntoIterator<Item = &'a Reference>,
    ) {
        for target in targets {
            let Some(id) = target.resource_id() else {
                continue;
            };
            let users = self.0.entry((key(&id), name)).or_default();
            if users.last().is_none_or(|last| last != user) {
                users.push(user.to_owned());
            }
        }
    }
}

fn key(id: &ResourceId) -> String {
    id.to_string().to_ascii_lowercase()
}

/// Adds the back-references to the written properties of `gateway`, whose id is `own_id`.
pub(crate) fn insert(out: &mut Map<String, Value>, gateway: &ApplicationGateway, own_id: &str) {
    let uses = collect(gateway, own_id);
    let items = out.values_mut().filter_map(Value::as_array_mut).flatten();
    for item in items {
        let id = item
            .get("id")
            .and_then(Value::as_str)
            .map(str::to_ascii_lowercase);
        let (Some(id), Some(bag)) = (
            id,
            item.get_mut("properties").and_then(Value::as_object_mut),
        ) else {
            continue;
        };
        for name in ORDER {
            let Some(users) = uses.0.get(&(id.clone(), *name)) else {
                continue;
            };
            let list = users
                .iter()
                .map(|user| serde_json::json!({ "id": user }))
                .collect();
            bag.insert((*name).to_owned(), Value::Array(list));
        }
    }
}

fn collect(gateway: &ApplicationGateway, own_id: &str) -> Uses {
    let properties = &gateway.properties;
    let mut uses = Uses::default();
    each(
        &properties.http_listeners,
        own_id,
        "httpListeners",
        |id, p| {
            let targets = [
                &p.frontend_ip_configuration,
                &p.frontend_port,
                &p.ssl_certificate,
            ];
            uses.add(id, "httpListeners", targets.into_iter().flatten());
        },
    );
    each(&properties.listeners, own_id, "listeners", |id, p| {
        let targets = [
            &p.frontend_ip_configuration,
            &p.frontend_port,
            &p.ssl_certificate,
        ];
        uses.add(id, "listeners", targets.into_iter().flatten());
    });
    each(
        &properties.request_routing_rules,
        own_id,
        "requestRoutingRules",
        |id, p| {
            let targets = [
                &p.http_listener,
                &p.backend_address_pool,
                &p.backend_http_settings,
                &p.rewrite_rule_set,
                &p.redirect_configuration,
            ];
            uses.add(id, "requestRoutingRules", targets.into_iter().flatten());
        },
    );
    each(
        &properties.routing_rules,
        own_id,
        "routingRules",
        |id, p| {
            let targets = [&p.listener, &p.backend_address_pool, &p.backend_settings];
            uses.add(id, "routingRules", targets.into_iter().flatten());
        },
    );
    each(
        &properties.backend_http_settings_collection,
        own_id,
        SETTINGS,
        |id, p| {
            uses.add(id, "backendHttpSettings", &p.trusted_root_certificates);
            uses.add(id, "backendHttpSettings", &p.authentication_certificates);
        },
    );
    each(
        &properties.redirect_configurations,
        own_id,
        "redirectConfigurations",
        |id, p| {
            uses.add(id, "redirectConfiguration", &p.target_listener);
        },
    );
    each(
        &properties.frontend_ip_configurations,
        own_id,
        "frontendIPConfigurations",
        |id, p| {
            uses.add(
                id,
                "frontendIpConfigurations",
                &p.private_link_configuration,
            );
        },
    );
    collect_path_maps(gateway, own_id, &mut uses);
    uses
}

const SETTINGS: &str = "backendHttpSettingsCollection";

fn collect_path_maps(gateway: &ApplicationGateway, own_id: &str, uses: &mut Uses) {
    each(
        &gateway.properties.url_path_maps,
        own_id,
        "urlPathMaps",
        |id, p| {
            let targets = [
                &p.default_backend_address_pool,
                &p.default_backend_http_settings,
                &p.default_rewrite_rule_set,
                &p.default_redirect_configuration,
            ];
            uses.add(id, "urlPathMaps", targets.into_iter().flatten());
            each(&p.path_rules, id, "pathRules", |id, p| {
                let targets = [
                    &p.backend_address_pool,
                    &p.backend_http_settings,
                    &p.rewrite_rule_set,
                    &p.redirect_configuration,
                ];
                uses.add(id, "pathRules", targets.into_iter().flatten());
            });
        },
    );
}

fn each<T>(items: &[Item<T>], parent: &str, collection: &str, mut apply: impl FnMut(&str, &T)) {
    for item in items {
        apply(
            &format!("{parent}/{collection}/{}", item.name),
            &item.properties,
        );
    }
}
