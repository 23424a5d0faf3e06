//! Variables: each evaluated once, after those that it needs.

use std::collections::HashMap;

use serde_json::Value;

use crate::bounds::{Budget, weigh};
use crate::document::Path;
use crate::error::TemplateError;
use crate::evaluate::{Evaluator, Stage, Stop, View, broken};
use crate::frame::Frame;
use crate::template::{self, Kind, MAX_VARIABLES, Template, told};

/// A variable as it stands in the template.
struct Raw<'t> {
    value: &'t Value,
    path: Path,
    /// `{name, count, input}` of the section's `copy`.
    is_loop: bool,
}

pub(crate) fn settle(
    template: &Template,
    frame: &mut Frame,
    budget: &Budget,
) -> Result<(), TemplateError> {
    let (names, raws) = raws(template)?;
    frame.variable_names = raws.keys().cloned().collect();
    let make = |frame: &Frame, lower: &str| {
        let Some(raw) = raws.get(lower) else {
            return Err(broken("there is no such variable", &Path::default()));
        };
        evaluate(frame, raw, budget)
    };
    for name in names {
        let lower = name.to_ascii_lowercase();
        let settled = template::settle(frame, Kind::Variables, &lower, &make);
        settled.map_err(|(faulty, stop)| {
            let faulty = if faulty == lower { &name } else { &faulty };
            let reason = format!(
                "The template variable '{faulty}' is not valid: {}. Please see \
                 https://aka.ms/arm-functions for usage details.",
                told(&stop)
            );
            template.document().invalid(&stop.path, &reason)
        })?;
    }
    Ok(())
}

/// The names in the template's order, and what stands behind them, by names in lower case.
fn raws(template: &Template) -> Result<(Vec<String>, HashMap<String, Raw<'_>>), TemplateError> {
    let (section, members) = template.members("variables");
    let (mut names, mut raws) = (Vec::new(), HashMap::new());
    for (name, value) in members.into_iter().flatten() {
        let path = section.name(name);
        let loops = value
            .as_array()
            .filter(|_| name.eq_ignore_ascii_case("copy"));
        let Some(loops) = loops else {
            raws.insert(
                name.to_ascii_lowercase(),
                Raw {
                    value,
                    path,
                    is_loop: false,
                },
            );
            names.push(name.clone());
            continue;
        };
        for (index, value) in loops.iter().enumerate() {
            let path = path.index(index);
            let name = value.get("name").and_then(Value::as_str);
            let Some(name) = name else {
                let reason = "A copy loop of variables must have a 'name' that is a text";
                return Err(template.document().invalid(&path, reason));
            };
            raws.insert(
                name.to_ascii_lowercase(),
                Raw {
                    value,
                    path,
                    is_loop: true,
                },
            );
            names.push(name.to_owned());
        }
    }
    if names.len() > MAX_VARIABLES {
        let reason = format!(
            "The number of template variables limit exceeded. Limit: '{MAX_VARIABLES}' and actual: \
             '{}'. Please see https://aka.ms/arm-template/#variables for usage details.",
            names.len()
        );
        return Err(template.document().invalid(&section, &reason));
    }
    Ok((names, raws))
}

fn evaluate(frame: &Frame, raw: &Raw<'_>, budget: &Budget) -> Result<Value, Stop> {
    let view = View {
        frame,
        stage: Stage::Variable,
        runtime: None,
        index: None,
        budget,
    };
    let mut evaluator = Evaluator::new(view, Vec::new());
    let mut path = raw.path.clone();
    let value = if raw.is_loop {
        evaluator.property_loop(raw.value, &mut path)?.1
    } else {
        evaluator.value(raw.value, &mut path)?
    };
    // A chain of variables, each around the one before, grows without any function.
    weigh(&value).map_err(|message| broken(message, &raw.path))?;
    Ok(value)
}
