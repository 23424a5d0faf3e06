//! Does the gateway have room for what it is asked?

use std::collections::BTreeMap;

use serde_json::json;

use super::{Walk, Weight, finding, live};
use crate::cause::{Cause, Owner};
use crate::evidence::Metric;
use crate::finding::{Confidence, Fix};
use crate::remedy::fix;
use crate::site::in_gateway;

/// Capacity units of one instance (documented as at least so many).
const UNITS_OF_INSTANCE: f64 = 10.0;
/// Most instances that a gateway may have (documented).
const INSTANCES_MAX: i32 = 125;
/// Of all requests, and in all: fewer that failed are nobody's trouble.
const FAILED_PART: f64 = 0.01;
const FAILED_MIN: f64 = 10.0;
/// What was measured so many seconds before or after a failure was measured with it.
const NEAR_SECONDS: i64 = 300;
/// As few failures, of the most that there were in such a time, are stray ones.
const STRAY_PART: f64 = 0.1;
/// From which part of the ceiling on a gateway has no room.
const FULL: f64 = 0.9;

impl Walk<'_> {
    pub(super) fn is_there_room(&mut self) {
        let asked = "Does the gateway have room for what it is asked?";
        let named = |name: &str| {
            let mut metrics = self.evidence.metrics.iter();
            metrics.find(|metric| metric.name.eq_ignore_ascii_case(name))
        };
        let units = ["CapacityUnits", "ComputeUnits"]
            .iter()
            .find_map(|name| named(name));
        let failing = self.failing_moments();
        let near = |one: &Metric| one.most_near(&failing, NEAR_SECONDS);
        let most_of = |one: &Metric| near(one).or_else(|| one.most());
        let Some((units, most)) = units.and_then(|one| Some((one, most_of(one)?))) else {
            return self.step(asked, "nobody measured", "it cannot be judged");
        };
        let place = units.place.clone();
        let failures = named("FailedRequests");
        let unhealthy = named("UnhealthyHostCount");
        let explains = unhealthy.is_some_and(|count| {
            let was_before = failures.is_some_and(|failures| count.was_so_without(failures));
            count.most().is_some_and(|most| most > 0.0) && !was_before
        });
        if explains && !self.site.is_all_healthy() {
            return self.step(
                asked,
                "servers were unhealthy meanwhile",
                "that explains more",
            );
        }
        let failed = failures.and_then(|one| one.most());
        let has_failures = failed.is_some_and(|count| count > 0.0)
            || live::failures(self.evidence).next().is_some();
        let (cause, instances, option, member) = self.ceiling();
        let Some(instances) = instances.filter(|instances| *instances > 0) else {
            return self.step(asked, "the export has no ceiling", "it cannot be judged");
        };
        let ceiling = f64::from(instances) * UNITS_OF_INSTANCE;
        // Some write down instances: then it stays at their number, and hardly comes by it once.
        let is_of_instances = units.stays_at(f64::from(instances));
        let reached = if is_of_instances {
            f64::from(instances)
        } else {
            ceiling
        };
        let seen = format!("at most {most} capacity units of {ceiling}");
        if most < reached * FULL || !has_failures {
            self.rule_out(cause, seen.clone());
            return self.step(asked, seen, "it has");
        }
        let title = format!(
            "The gateway is full: {most} capacity units, with {instances} instances at most."
        );
        let at = self.evidence.gateway.source.pointer_to(member);
        // Of another day than the failures, it shows that it may be so.
        let has_times = units.points.iter().any(|point| point.time.is_some());
        let is_of_other_time = has_times && !failing.is_empty() && near(units).is_none();
        let confidence = match (is_of_other_time, is_of_instances) {
            (true, _) => Confidence::Possible,
            (false, true) => Confidence::Likely,
            (false, false) => Confidence::Certain,
        };
        let found = finding(cause, confidence, title)
            .because([
                self.because(&place, format!("up to {most} units in the window")),
                self.because(&in_gateway(at), format!("{instances} instances at most")),
            ])
            .fixed_by(self.give_room(instances, option, member));
        self.step(asked, seen, "requests are shed");
        self.find(Weight::Requests, usize::MAX, found);
    }

    /// When requests failed, by the metric and by the log.
    fn failing_moments(&self) -> Vec<i64> {
        let metrics = self.evidence.metrics.iter();
        let failed = metrics.filter(|one| one.name.eq_ignore_ascii_case("FailedRequests"));
        let points: Vec<_> = failed.flat_map(|one| &one.points).collect();
        let most = points.iter().map(|point| point.value).fold(0.0, f64::max);
        // A stray one is not what is asked about.
        let many = |value: f64| value > 0.0 && value >= most * STRAY_PART;
        let counted = points.iter().filter(|point| many(point.value));
        let counted = counted.filter_map(|point| point.time);
        let mut logged: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
        for time in live::failures(self.evidence).filter_map(|row| row.time) {
            logged.entry(time / NEAR_SECONDS).or_default().push(time);
        }
        let most = logged.values().map(Vec::len).max().unwrap_or_default() as f64;
        let logged = logged.into_values();
        let logged = logged.filter(|times| times.len() as f64 >= most * STRAY_PART);
        let mut all: Vec<i64> = counted.chain(logged.flatten()).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// Whether requests failed that are more than the odd one: one in a hundred, or, where nobody
    /// says of how many, ten.
    pub(super) fn do_metrics_tell_of_failures(&self) -> bool {
        let sum = |name: &str| {
            let metrics = self.evidence.metrics.iter();
            let mut own = metrics.filter(|metric| metric.name.eq_ignore_ascii_case(name));
            let first = own.next()?;
            Some(first.sum() + own.map(Metric::sum).sum::<f64>())
        };
        match (sum("FailedRequests"), sum("TotalRequests")) {
            (Some(failed), Some(all)) if all > 0.0 => failed / all >= FAILED_PART,
            (Some(failed), _) => failed >= FAILED_MIN,
            (None, _) => false,
        }
    }

    /// What a gateway that is full is full by: the cause, the instances, az's option for them, and
    /// where they stand.
    fn ceiling(&self) -> (Cause, Option<i32>, &'static str, &'static str) {
        let properties = &self.evidence.gateway.properties;
        match &properties.autoscale_configuration {
            Some(bounds) => (
                Cause::AutoscaleMax,
                bounds.max_capacity,
                "--max-capacity",
                "autoscaleConfiguration/maxCapacity",
            ),
            None => (
                Cause::FixedCapacity,
                properties.sku.as_ref().and_then(|sku| sku.capacity),
                "--capacity",
                "sku/capacity",
            ),
        }
    }

    fn give_room(&self, instances: i32, option: &str, member: &str) -> Fix {
        let more = instances.saturating_mul(2).min(INSTANCES_MAX);
        let edit = self.update_gateway(&format!("{option} {more}"), member, json!(more));
        fix(Owner::Gateway, format!("Let it have {more} instances."))
            .edit(edit)
            .risking("More instances cost more.")
            .verified_by(self.commands.verify_health())
    }
}
