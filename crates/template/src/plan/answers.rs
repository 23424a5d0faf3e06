//! The parts of a deployment's answer that follow from its plan, in the shapes that are recorded
//! from the service.

use serde_json::{Map, Value, json};

use super::{Plan, PlannedResource};
use crate::functions::digest64;

/// Things by their names, in the order in which they came.
type Named<'n, T> = Vec<(&'n str, T)>;

impl Plan {
    /// `dependencies`: each resource that depends on others, with those, in the template's order.
    pub fn dependencies(&self) -> Value {
        let entry = |resource: &PlannedResource| {
            json!({
                "id": resource.id,
                "resourceType": resource.resource_type,
                "resourceName": resource.name,
            })
        };
        let mut dependencies = Vec::new();
        for resource in self.in_order() {
            let mut needed: Vec<&PlannedResource> = resource
                .declared
                .iter()
                .filter_map(|at| self.resources.get(*at))
                .collect();
            if needed.is_empty() {
                continue;
            }
            needed.sort_by_key(|one| one.ordinal);
            let depends_on: Vec<Value> = needed.into_iter().map(entry).collect();
            dependencies.push(json!({
                "dependsOn": depends_on,
                "id": resource.id,
                "resourceType": resource.resource_type,
                "resourceName": resource.name,
            }));
        }
        Value::Array(dependencies)
    }

    /// `providers`: the types by namespace, and where they go, in the template's order.
    pub fn providers(&self) -> Value {
        let mut providers: Named<'_, Named<'_, Vec<Value>>> = Vec::new();
        for resource in self.in_order() {
            let (namespace, kind) = resource.resource_type.split_once('/').unwrap_or_default();
            let types = entry(&mut providers, namespace);
            let locations = entry(types, kind);
            let location = resource
                .location
                .as_deref()
                .map_or(Value::Null, Value::from);
            if !locations.contains(&location) {
                locations.push(location);
            }
        }
        let types = |types: Named<'_, Vec<Value>>| -> Vec<Value> {
            let one = |(kind, locations)| json!({"resourceType": kind, "locations": locations});
            types.into_iter().map(one).collect()
        };
        let one = |(name, of_it)| json!({"namespace": name, "resourceTypes": types(of_it)});
        providers.into_iter().map(one).collect()
    }

    /// `parameters`: each with its type in the service's casing and its value, secure ones without.
    pub fn parameters(&self) -> Map<String, Value> {
        let frame = &self.shared.frame;
        let answered = frame.parameters.iter().filter_map(|parameter| {
            let value = frame.parameter_values.get(&parameter.lower)?;
            Some((camel_case(&parameter.name), parameter.kind.answer(value)))
        });
        answered.collect()
    }

    /// `templateHash`: see [`crate::Template::hash`].
    pub fn template_hash(&self) -> String {
        digest64(&self.shared.document.value().to_string()).to_string()
    }

    /// `outputResources` and `validatedResources`: the ids of what is deployed, in their order. A
    /// nested deployment is there with its own id.
    pub fn output_resources(&self) -> Value {
        let deployed = self.resources.iter().filter(|resource| resource.condition);
        let mut ids: Vec<&str> = deployed.map(|resource| resource.id.as_str()).collect();
        ids.sort_by_cached_key(|id| id.to_ascii_lowercase());
        ids.into_iter().map(|id| json!({"id": id})).collect()
    }

    /// In the template's order.
    fn in_order(&self) -> Vec<&PlannedResource> {
        let mut resources: Vec<&PlannedResource> = self.resources.iter().collect();
        resources.sort_by_key(|resource| resource.ordinal);
        resources
    }
}

/// The entry with this name in any letter case, made where there is none.
fn entry<'l, 'n, T: Default>(list: &'l mut Named<'n, T>, name: &'n str) -> &'l mut T {
    let at = list
        .iter()
        .position(|(known, _)| known.eq_ignore_ascii_case(name));
    let at = at.unwrap_or_else(|| {
        list.push((name, T::default()));
        list.len() - 1
    });
    &mut list[at].1
}

/// With small letters at the beginning, up to the last capital before a small one: `newNSG` of
/// `NewNSG` (recorded), `urlOfShop` of `URLOfShop`.
pub(super) fn camel_case(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    let mut result = String::with_capacity(name.len());
    let mut is_head = true;
    for (index, letter) in letters.iter().enumerate() {
        let next_is_capital = letters
            .get(index + 1)
            .is_none_or(|next| next.is_uppercase());
        is_head = is_head && letter.is_uppercase() && (index == 0 || next_is_capital);
        if is_head {
            result.extend(letter.to_lowercase());
        } else {
            result.push(*letter);
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::camel_case;

    #[test]
    fn names_begin_with_small_letters() {
        for (name, answered) in [
            ("NewNSG", "newNSG"),
            ("Empty", "empty"),
            ("applicationGateway", "applicationGateway"),
            ("URLOfShop", "urlOfShop"),
            ("ID", "id"),
            ("extra_param", "extra_param"),
            ("", ""),
        ] {
            assert_eq!(camel_case(name), answered);
        }
    }
}
