//! The regions. Source: Azure's public list of regions, geographies and pairs; `local` is ours.
//!
//! Coordinates, and the zones that a subscription sees, are left out of the service's answer.

use std::sync::LazyLock;

use serde_json::{Map, Value, json};

/// Regions that few subscriptions see, those of the other clouds, and those that are new or coming:
/// taken, since exported resources and templates name them, and not listed.
const UNLISTED: &str = "centraluseuap eastus2euap eastusslv southcentralusstg eastusstg \
    austriaeast belgiumcentral chilecentral denmarkeast indonesiacentral israelnorthwest \
    jioindiacentral jioindiawest malaysiasouth malaysiawest southcentralus2 southeastus \
    southeastus3 southeastus5 southwestus taiwannorth taiwannorthwest brazilus brazilnortheast \
    saudiarabiacentral saudiarabiaeast \
    usgovvirginia usgovtexas usgovarizona usgoviowa usdodcentral usdodeast usnateast usnatwest \
    usseceast ussecwest usseccentral usseccentral2 ussecwestcentral \
    chinaeast chinaeast2 chinaeast3 chinanorth chinanorth2 chinanorth3 \
    germanycentral germanynortheast";

const TEXT: &str = include_str!("regions.txt");

/// A test holds that the text can be read, so that this is never empty.
static REGIONS: LazyLock<Vec<Region>> = LazyLock::new(|| read(TEXT).unwrap_or_default());

#[derive(Debug)]
struct Region {
    name: &'static str,
    display_name: &'static str,
    geography: Option<&'static str>,
    group: Option<&'static str>,
    category: &'static str,
    place: Option<&'static str>,
    paired: Option<&'static str>,
}

/// The regions of a subscription, as one page: those of the public cloud, and `local`.
pub fn locations(subscription: &str) -> Value {
    let regions: Vec<Value> = REGIONS
        .iter()
        .map(|region| location(subscription, region))
        .collect();
    json!({ "value": regions })
}

/// Whether there is such a region; `name` without blanks, in lower case.
pub fn is_region(name: &str) -> bool {
    let mut unlisted = UNLISTED.split_ascii_whitespace();
    region_names().any(|own| own == name) || unlisted.any(|own| own == name)
}

/// The names of the regions that are listed.
pub fn region_names() -> impl Iterator<Item = &'static str> {
    REGIONS.iter().map(|region| region.name)
}

/// The names of the regions as resource types list them.
pub(super) fn display_names() -> impl Iterator<Item = &'static str> {
    REGIONS.iter().map(|region| region.display_name)
}

fn location(subscription: &str, region: &Region) -> Value {
    let display_name = region.display_name;
    let regional = match region.group {
        Some(group) => format!("({group}) {display_name}"),
        None => display_name.to_owned(),
    };
    json!({
        "id": id(subscription, region.name),
        "name": region.name,
        "type": "Region",
        "displayName": display_name,
        "regionalDisplayName": regional,
        "metadata": metadata(subscription, region),
    })
}

fn metadata(subscription: &str, region: &Region) -> Map<String, Value> {
    let mut out = Map::new();
    out.insert("regionType".to_owned(), json!("Physical"));
    out.insert("regionCategory".to_owned(), json!(region.category));
    let optional = [
        ("geography", region.geography),
        ("geographyGroup", region.group),
        ("physicalLocation", region.place),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            out.insert(name.to_owned(), json!(value));
        }
    }
    let paired = region.paired.iter();
    let paired = paired.map(|name| json!({ "name": name, "id": id(subscription, name) }));
    out.insert("pairedRegion".to_owned(), paired.collect());
    out
}

fn id(subscription: &str, name: &str) -> String {
    format!("/subscriptions/{subscription}/locations/{name}")
}

/// The rows of the table; `None` where a line is not of the form that its head tells.
fn read(text: &'static str) -> Option<Vec<Region>> {
    let lines = text.lines();
    let rows = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    rows.map(row).collect()
}

fn row(line: &'static str) -> Option<Region> {
    let mut cells = line.split(" | ");
    let mut cell = || cells.next();
    let given = |cell: &'static str| (cell != "-").then_some(cell);
    let region = Region {
        name: cell()?,
        display_name: cell()?,
        geography: given(cell()?),
        group: given(cell()?),
        category: cell()?,
        place: given(cell()?),
        paired: given(cell()?),
    };
    cells.next().is_none().then_some(region)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_can_be_read_and_names_follow_from_display_names() {
        let regions = read(TEXT).expect("a text of the table's form");
        assert_eq!(regions.len(), 52);
        for region in &regions {
            let name = region.display_name.replace(' ', "").to_lowercase();
            assert_eq!(region.name, name);
            let category = region.category;
            assert!(["Recommended", "Other"].contains(&category), "{region:?}");
        }
        assert!(is_region("westeurope") && is_region("usgovvirginia") && is_region("local"));
        assert!(!is_region("mars") && !is_region(""));
        assert!(read("a | A").is_none());
        assert!(row("a | A | - | - | Other | - | - | more").is_none());
    }

    #[test]
    fn pairs_are_regions_and_no_region_comes_twice() {
        for (i, region) in REGIONS.iter().enumerate() {
            let known = |name| REGIONS.iter().position(|other| other.name == name);
            assert_eq!(known(region.name), Some(i), "{region:?}");
            assert!(
                region.paired.is_none_or(|name| known(name).is_some()),
                "{region:?}"
            );
        }
    }
}
