//! Do the instances of a scale set have what its model says?

use gatewright_arm::Item;
use gatewright_arm::model::BackendAddressPool;
use gatewright_snapshot::network::{Access, AddressTerm, Direction, Protocol};

use super::{Walk, Weight, finding, listed};
use crate::cause::{Cause, Owner};
use crate::evidence::{Instance, State};
use crate::finding::{Because, Confidence, Finding};
use crate::message::Symptom;
use crate::remedy::{fix, word};
use crate::site::{Target, in_gateway};

/// Instances of one scale set that do not have its latest model.
struct Behind<'e> {
    set: &'e str,
    old: Vec<&'e Instance>,
    /// Those that have it.
    new: Vec<&'e Instance>,
}

/// What comes of it that some do not have it.
struct Harm {
    title: String,
    because: Vec<Because>,
    confidence: Confidence,
}

impl<'e> Walk<'e> {
    pub(super) fn do_instances_lag_behind(&mut self) -> Option<(Finding, Weight)> {
        let all = self.scale_sets_behind();
        all.iter().find_map(|behind| {
            let harm = self
                .fails_where_old(behind)
                .or_else(|| self.keeps_out_of_pool(behind))
                .or_else(|| self.leaves_pools_empty(behind))?;
            let found = finding(Cause::VmssModelNotApplied, harm.confidence, harm.title)
                .because(harm.because)
                .because(
                    behind
                        .old
                        .first()
                        .map(|first| self.because(&first.place, "latestModelApplied is false")),
                )
                .fixed_by(self.give_model(behind));
            Some((found, Weight::Change))
        })
    }

    /// The sets of which some instances lag behind.
    fn scale_sets_behind(&self) -> Vec<Behind<'e>> {
        let mut sets: Vec<Behind<'e>> = Vec::new();
        for instance in self.evidence.instances.iter().flatten() {
            let set = instance.scale_set().unwrap_or_default();
            let position = sets.iter().position(|one| one.set == set);
            let position = position.unwrap_or_else(|| {
                let (old, new) = (Vec::new(), Vec::new());
                sets.push(Behind { set, old, new });
                sets.len() - 1
            });
            let Some(own) = sets.get_mut(position) else {
                continue;
            };
            match instance.has_latest_model {
                Some(false) => own.old.push(instance),
                Some(true) => own.new.push(instance),
                None => {}
            }
        }
        sets.retain(|one| !one.old.is_empty());
        sets
    }

    /// Servers that fail are instances without the model, and none that fails has it.
    fn fails_where_old(&self, behind: &Behind<'_>) -> Option<Harm> {
        let targets = || self.site.targets.iter();
        let fails = |target: &&Target<'_>| target.row.state != State::Healthy;
        let is_of = |target: &Target<'_>, instances: &[&Instance]| {
            instances.iter().any(|one| is_at(one, target))
        };
        let failing: Vec<_> = targets()
            .filter(fails)
            .filter(|one| is_of(one, &behind.old))
            .collect();
        let first = failing.first()?;
        if targets().filter(fails).any(|one| is_of(one, &behind.new)) {
            return None;
        }
        // A rule that denies just them says more.
        let positions = targets().enumerate().filter(|(_, one)| fails(one));
        let mut positions = positions.filter(|(_, one)| is_of(one, &behind.old));
        if positions.any(|(index, one)| self.denying(index).is_some() || self.is_denied(one)) {
            return None;
        }
        let well: Vec<_> = targets()
            .filter(|one| one.row.state == State::Healthy)
            .filter(|one| is_of(one, &behind.new))
            .collect();
        let are_all = behind.old.iter().all(|one| {
            let mut own = targets().filter(|target| is_at(one, target)).peekable();
            own.peek().is_none() || own.any(|target| fails(&target))
        });
        let mut because = vec![self.because(&first.row.place, "an instance without it fails")];
        because.extend(
            well.iter()
                .take(1)
                .map(|one| self.because(&one.row.place, "an instance that has it is well")),
        );
        Some(Harm {
            title: format!(
                "Instances of the scale set{} do not have its latest model, and fail: {}{}.",
                named(behind.set),
                listed(&names(&behind.old)),
                match well.is_empty() {
                    false => "; those that have it are well",
                    true => "",
                }
            ),
            because,
            // One machine of several may fail by itself; and without others to compare with, its
            // age says nothing.
            confidence: match (are_all, failing.len().min(well.len())) {
                (_, 0) | (false, _) => Confidence::Possible,
                (true, 1) => Confidence::Likely,
                (true, _) => Confidence::Certain,
            },
        })
    }

    /// Whether a rule of some group that is known denies just the address of a server to the
    /// gateway.
    fn is_denied(&self, target: &Target<'_>) -> bool {
        let addresses = self.addresses_of(&target.row.address);
        let names_it = |term: &AddressTerm| match term {
            AddressTerm::Prefix(prefix) => addresses
                .iter()
                .any(|one| prefix.contains(*one) && prefix.first() == prefix.last()),
            _ => false,
        };
        let port = target.probed_port();
        let groups = self.evidence.security_groups().iter();
        let mut rules = groups.flat_map(|group| group.rules(Direction::Inbound));
        rules.any(|rule| {
            rule.access == Access::Deny
                && rule.protocol.is_none_or(|one| one == Protocol::Tcp)
                && port.is_some_and(|port| rule.destination_ports.contains(port))
                && self.is_own_side(rule.source.terms())
                && rule.destination.terms().iter().any(names_it)
        })
    }

    /// A pool with instances that have the model, of which some server fails, and without those
    /// that do not.
    fn keeps_out_of_pool(&self, behind: &Behind<'_>) -> Option<Harm> {
        let pools = self
            .evidence
            .gateway
            .properties
            .backend_address_pools
            .iter();
        let mut pools = pools.filter(|pool| {
            let has = |instances: &[&Instance]| instances.iter().any(|one| is_member(pool, one));
            let of_pool = self.site.targets.iter();
            let of_pool = of_pool.filter(|one| one.row.pool.eq_ignore_ascii_case(&pool.name));
            let mut failing = of_pool
                .filter(|one| one.row.state != State::Healthy)
                .peekable();
            // Who has too much to do is slow; whatever else fails has a cause of its own.
            let are_slow = failing.peek().is_some()
                && failing.all(|one| matches!(one.symptom, Symptom::TimedOut | Symptom::Silent));
            let are_known = behind
                .old
                .iter()
                .all(|one| !one.id.is_empty() || one.pools.is_some());
            are_slow && are_known && has(&behind.new) && !has(&behind.old)
        });
        let pool = pools.next()?;
        let place = in_gateway(pool.pointer_to("backendIPConfigurations"));
        let title = format!(
            "{} of {} instances of the scale set{} do not have its latest model, and so are not \
             in the pool {}: the others serve for all.",
            behind.old.len(),
            behind.old.len() + behind.new.len(),
            named(behind.set),
            pool.name
        );
        let says = format!("{} is not among them", listed(&names(&behind.old)));
        Some(Harm {
            title,
            because: vec![self.because(&place, says)],
            confidence: Confidence::Likely,
        })
    }

    /// A pool that a rule uses waits for instances.
    fn leaves_pools_empty(&self, behind: &Behind<'_>) -> Option<Harm> {
        let waits = !self.empty_routes().is_empty();
        waits.then(|| Harm {
            title: format!(
                "Instances of the scale set{} do not have its latest model, and so not its pool: \
                 {}.",
                named(behind.set),
                listed(&names(&behind.old))
            ),
            because: Vec::new(),
            confidence: Confidence::Likely,
        })
    }

    fn give_model(&self, behind: &Behind<'_>) -> crate::finding::Fix {
        let numbers: Vec<String> = behind.old.iter().map(|one| word(&one.number)).collect();
        let numbers = match numbers.iter().any(|one| one.is_empty() || one == "''") {
            true => "'*'".to_owned(),
            false => numbers.join(" "),
        };
        let group = behind.old.first().map(|one| self.group_of_id(&one.id));
        let set = match behind.set {
            "" => "VMSS".to_owned(),
            set => word(set),
        };
        let group = group.unwrap_or_default();
        fix(Owner::Backend, "Give these instances the latest model.")
            .run(format!(
                "az vmss update-instances -g {group} -n {set} --instance-ids {numbers}"
            ))
            .risking("Instances may restart for it: a few at a time keeps the others serving.")
            .verified_by(self.commands.verify_health())
    }
}

/// ` NAME`, where it is known.
fn named(set: &str) -> String {
    match set {
        "" => String::new(),
        set => format!(" {set}"),
    }
}

fn names(instances: &[&Instance]) -> Vec<String> {
    instances.iter().map(|one| one.name.clone()).collect()
}

fn is_at(instance: &Instance, target: &Target<'_>) -> bool {
    instance.addresses.contains(&target.row.address)
        || instance.has_configuration(&target.row.configuration)
}

/// Whether a pool has an instance: by its own list, or by the instance's.
fn is_member(pool: &Item<BackendAddressPool>, instance: &Instance) -> bool {
    let own = pool.properties.backend_ip_configurations.iter();
    let mut own = own.filter_map(|one| one.id.as_deref());
    let id = pool.id.as_deref().unwrap_or_default();
    let mut of_instance = instance.pools.iter().flatten();
    own.any(|one| instance.has_configuration(one))
        || of_instance.any(|one| one.eq_ignore_ascii_case(id))
}
