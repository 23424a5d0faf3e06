//! The functions of templates: which there are, how many arguments they take, and what they do.
//!
//! Argument rules follow the service's documentation of each function. Results differ from the
//! service in two: `uniqueString` and `guid` are deterministic, of the same form, and other values
//! than there; nothing can depend on the value but a name that both have to agree on.

mod arguments;
mod arrays;
mod choices;
mod dates;
mod digest;
mod encodings;
mod formatting;
mod lambdas;
mod logic;
mod networks;
mod numbers;
mod objects;
mod resources;
mod scopes;
mod texts;
mod uris;

use crate::evaluate::{Evaluator, Outcome};
use crate::expression::Call;

pub(crate) use arguments::{Answer, Arguments, kind, link};
pub(crate) use digest::digest64;
pub(crate) use objects::find as find_member;
pub(crate) use scopes::resource_id;

pub(crate) struct Function {
    /// In the service's casing.
    pub(crate) name: &'static str,
    /// Fewest and most arguments.
    pub(crate) least: usize,
    pub(crate) most: usize,
    pub(crate) run: Run,
}

pub(crate) enum Run {
    /// Of its arguments alone.
    Plain(fn(&Arguments<'_>) -> Answer),
    /// Of what surrounds it: it evaluates its arguments itself.
    Within(for<'a> fn(&mut Evaluator<'a>, &Call, usize) -> Outcome<'a>),
}

const fn plain(
    name: &'static str,
    (least, most): (usize, usize),
    run: fn(&Arguments<'_>) -> Answer,
) -> Function {
    Function {
        name,
        least,
        most,
        run: Run::Plain(run),
    }
}

const fn within(
    name: &'static str,
    (least, most): (usize, usize),
    run: for<'a> fn(&mut Evaluator<'a>, &Call, usize) -> Outcome<'a>,
) -> Function {
    Function {
        name,
        least,
        most,
        run: Run::Within(run),
    }
}

const ANY: usize = usize::MAX;

const FUNCTIONS: &[Function] = &[
    plain("add", (2, 2), numbers::add),
    within("and", (2, ANY), choices::and),
    plain("array", (1, 1), arrays::array),
    plain("base64", (1, 1), encodings::base64),
    plain("base64ToJson", (1, 1), encodings::base64_to_json),
    plain("base64ToString", (1, 1), encodings::base64_to_string),
    plain("bool", (1, 1), logic::bool),
    plain("cidrHost", (2, 2), networks::cidr_host),
    plain("cidrSubnet", (3, 3), networks::cidr_subnet),
    within("coalesce", (1, ANY), choices::coalesce),
    plain("concat", (1, ANY), arrays::concat),
    plain("contains", (2, 2), arrays::contains),
    within("copyIndex", (0, 2), scopes::copy_index),
    plain("createArray", (0, ANY), arrays::create_array),
    plain("createObject", (0, ANY), objects::create_object),
    plain("dataUri", (1, 1), encodings::data_uri),
    plain("dataUriToString", (1, 1), encodings::data_uri_to_string),
    plain("dateTimeAdd", (2, 3), dates::date_time_add),
    plain("dateTimeFromEpoch", (1, 1), dates::date_time_from_epoch),
    plain("dateTimeToEpoch", (1, 1), dates::date_time_to_epoch),
    within("deployment", (0, 0), scopes::deployment),
    plain("div", (2, 2), numbers::div),
    plain("empty", (1, 1), arrays::empty),
    plain("endsWith", (2, 2), texts::ends_with),
    within("environment", (0, 0), scopes::environment),
    plain("equals", (2, 2), logic::equals),
    plain(
        "extensionResourceId",
        (3, ANY),
        resources::extension_resource_id,
    ),
    plain("false", (0, 0), logic::r#false),
    within("filter", (2, 2), lambdas::filter),
    plain("first", (1, 1), arrays::first),
    plain("flatten", (1, 1), arrays::flatten),
    plain("float", (1, 1), numbers::float),
    plain("format", (1, ANY), formatting::format),
    plain("greater", (2, 2), logic::greater),
    plain("greaterOrEquals", (2, 2), logic::greater_or_equals),
    within("groupBy", (2, 2), lambdas::group_by),
    plain("guid", (1, ANY), digest::guid),
    within("if", (3, 3), choices::r#if),
    plain("indexOf", (2, 2), arrays::index_of),
    plain("int", (1, 1), numbers::int),
    plain("intersection", (2, ANY), arrays::intersection),
    plain("items", (1, 1), objects::items),
    plain("join", (2, 2), arrays::join),
    plain("json", (1, 1), encodings::json),
    within("lambda", (1, ANY), lambdas::out_of_place),
    within("lambdaVariables", (1, 1), lambdas::lambda_variables),
    plain("last", (1, 1), arrays::last),
    plain("lastIndexOf", (2, 2), arrays::last_index_of),
    plain("length", (1, 1), arrays::length),
    plain("less", (2, 2), logic::less),
    plain("lessOrEquals", (2, 2), logic::less_or_equals),
    within("map", (2, 2), lambdas::map),
    within("mapValues", (2, 2), lambdas::map_values),
    plain("max", (1, ANY), numbers::max),
    plain("min", (1, ANY), numbers::min),
    plain("mod", (2, 2), numbers::r#mod),
    plain("mul", (2, 2), numbers::mul),
    within("newGuid", (0, 0), scopes::new_guid),
    plain("not", (1, 1), logic::not),
    plain("null", (0, 0), logic::null),
    plain("objectKeys", (1, 1), objects::object_keys),
    within("or", (2, ANY), choices::or),
    plain("padLeft", (2, 3), texts::pad_left),
    within("parameters", (1, 1), scopes::parameters),
    plain("parseCidr", (1, 1), networks::parse_cidr),
    plain("pickZones", (3, 5), resources::pick_zones),
    within("providers", (1, 2), scopes::providers),
    plain("range", (2, 2), numbers::range),
    within("reduce", (3, 3), lambdas::reduce),
    within("reference", (1, 3), scopes::reference),
    plain("replace", (3, 3), texts::replace),
    within("resourceGroup", (0, 0), scopes::resource_group),
    within("resourceId", (2, ANY), scopes::resource_id_function),
    plain("shallowMerge", (1, 1), objects::shallow_merge),
    plain("skip", (2, 2), arrays::skip),
    within("sort", (2, 2), lambdas::sort),
    plain("split", (2, 2), texts::split),
    plain("startsWith", (2, 2), texts::starts_with),
    plain("string", (1, 1), formatting::string),
    plain("sub", (2, 2), numbers::sub),
    within("subscription", (0, 0), scopes::subscription),
    within(
        "subscriptionResourceId",
        (2, ANY),
        scopes::subscription_resource_id,
    ),
    plain("substring", (2, 3), texts::substring),
    plain("take", (2, 2), arrays::take),
    within("tenant", (0, 0), scopes::tenant),
    plain("tenantResourceId", (2, ANY), resources::tenant_resource_id),
    within("toObject", (2, 3), lambdas::to_object),
    plain("toLower", (1, 1), texts::to_lower),
    plain("toUpper", (1, 1), texts::to_upper),
    plain("trim", (1, 1), texts::trim),
    plain("true", (0, 0), logic::r#true),
    plain("tryGet", (2, ANY), objects::try_get),
    plain("union", (2, ANY), arrays::union),
    plain("uniqueString", (1, ANY), digest::unique_string),
    plain("uri", (2, 2), uris::uri),
    plain("uriComponent", (1, 1), uris::uri_component),
    plain(
        "uriComponentToString",
        (1, 1),
        uris::uri_component_to_string,
    ),
    within("utcNow", (0, 1), scopes::utc_now),
    within("variables", (1, 1), scopes::variables),
];

/// Every `list*` name is one function: which lists there are is for the provider to know.
const LIST: Function = within("list*", (1, 3), scopes::list);

/// Functions of the service that are not made here.
const NOT_HERE: &[&str] = &[
    "deployer",
    "externalInput",
    "fail",
    "indexFromEnd",
    "managementGroup",
    "managementGroupResourceId",
    "parseUri",
    "buildUri",
    "references",
    "resourceInfo",
    "toLogicalZone",
    "toLogicalZones",
    "toPhysicalZone",
    "toPhysicalZones",
    "tryIndexFromEnd",
];

/// The function with this name in any letter case.
///
/// # Errors
/// A sentence that tells a function of the service that is not here from one that is nowhere.
pub(crate) fn find(name: &str) -> Result<&'static Function, String> {
    let known = FUNCTIONS
        .iter()
        .find(|known| known.name.eq_ignore_ascii_case(name));
    if let Some(known) = known {
        return Ok(known);
    }
    if is_list(name) {
        return Ok(&LIST);
    }
    if let Some(missing) = NOT_HERE
        .iter()
        .find(|known| known.eq_ignore_ascii_case(name))
    {
        return Err(format!(
            "The template function '{missing}' is not supported here."
        ));
    }
    Err(format!(
        "The template function '{name}' is not valid. Please see https://aka.ms/arm-functions for \
         usage details."
    ))
}

pub(crate) fn is_list(name: &str) -> bool {
    let longer = name.len() > 4;
    longer
        && name
            .get(..4)
            .is_some_and(|start| start.eq_ignore_ascii_case("list"))
}

/// The complaint where the number of arguments is wrong.
pub(crate) fn check_count(function: &Function, given: usize) -> Result<(), String> {
    let Function {
        name, least, most, ..
    } = *function;
    if (least..=most).contains(&given) {
        return Ok(());
    }
    let takes = match (least, most) {
        (0, 0) => "takes no parameters".to_owned(),
        (1, 1) => "takes exactly one parameter".to_owned(),
        _ if least == most => format!("takes exactly {least} parameters"),
        (_, ANY) => format!("takes at least {least} parameters"),
        _ => format!("takes {least} to {most} parameters"),
    };
    Err(format!(
        "Unable to evaluate template language function '{name}': the function {takes}, and \
         '{given}' are given. Please see {} for usage details.",
        link(name)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_found_in_any_case_and_the_missing_are_told_from_the_unknown() {
        assert_eq!(find("RESOURCEID").unwrap().name, "resourceId");
        assert_eq!(find("listKeys").unwrap().name, "list*");
        assert!(
            find("managementgroup")
                .err()
                .unwrap()
                .contains("is not supported here")
        );
        assert!(find("list").err().unwrap().contains("is not valid"));
        assert!(find("concatenate").err().unwrap().contains("is not valid"));
        for (index, function) in FUNCTIONS.iter().enumerate() {
            let others = FUNCTIONS.get(index + 1..).unwrap();
            assert!(
                others.iter().all(|other| other.name != function.name),
                "{}",
                function.name
            );
            assert!(!NOT_HERE.contains(&function.name), "{}", function.name);
        }
    }
}
