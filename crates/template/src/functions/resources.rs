//! Resource ids of given types and names, and what else is asked of a type.

use serde_json::Value;

use super::{Answer, Arguments};

/// Zones of a region.
const ZONES: usize = 3;

/// `ns/t1/t2` with `n1`, `n2`, as `ns/t1/n1/t2/n2`.
///
/// # Errors
/// Where there is not one name for each type behind the namespace.
pub(super) fn typed_path(arguments: &Arguments<'_>, at: usize) -> Result<String, String> {
    let full = arguments.text(at)?;
    let mut segments = full.split('/');
    let namespace = segments.next().unwrap_or_default();
    let types: Vec<&str> = segments.collect();
    if namespace.is_empty() || types.is_empty() || types.contains(&"") {
        return Err(arguments.fails(&format!(
            "the resource type '{full}' must have the form 'Namespace/type'."
        )));
    }
    let names = (at + 1..arguments.len()).map(|index| arguments.text(index));
    let names: Vec<&str> = names.collect::<Result<_, _>>()?;
    if names.len() != types.len() {
        return Err(arguments.fails(&format!(
            "the type '{full}' requires '{}' resource name argument(s).",
            types.len()
        )));
    }
    let mut path = namespace.to_owned();
    for (kind, name) in types.iter().zip(names) {
        path.push('/');
        path.push_str(kind);
        path.push('/');
        path.push_str(name);
    }
    Ok(path)
}

pub(super) fn extension_resource_id(arguments: &Arguments<'_>) -> Answer {
    let scope = arguments.text(0)?.trim_end_matches('/');
    Ok(format!("{scope}/providers/{}", typed_path(arguments, 1)?).into())
}

pub(super) fn tenant_resource_id(arguments: &Arguments<'_>) -> Answer {
    Ok(format!("/providers/{}", typed_path(arguments, 0)?).into())
}

/// Here every place has the zones 1, 2 and 3.
pub(super) fn pick_zones(arguments: &Arguments<'_>) -> Answer {
    for index in 0..3 {
        arguments.text(index)?;
    }
    let count = usize::try_from(arguments.integer_or(3, 1)?).unwrap_or(usize::MAX);
    let skipped = usize::try_from(arguments.integer_or(4, 0)?).unwrap_or(usize::MAX);
    if !(1..=ZONES).contains(&count.saturating_add(skipped)) || count == 0 {
        return Err(arguments.fails(&format!("the location has the zones '1' to '{ZONES}'.")));
    }
    let zones = (1..=ZONES).skip(skipped).take(count);
    Ok(zones.map(|zone| Value::from(zone.to_string())).collect())
}
