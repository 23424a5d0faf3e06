//! Members that are no servers any more.

use std::net::IpAddr;

use gatewright_arm::Item;

use super::ingress::Names;
use super::{Candidate, Walk, finding, listed};
use crate::cause::{Cause, Owner};
use crate::evidence::{KubernetesEndpoints, Place, State};
use crate::finding::{Confidence, Finding, Fix};
use crate::lookup::has_whole;
use crate::remedy::{fix, word};

/// Has the controller of an AKS add-on write the gateway anew.
pub(super) const RESTART_CONTROLLER: &str =
    "kubectl rollout restart deployment -n kube-system ingress-appgw-deployment";

/// What is really behind a pool.
#[derive(Clone, Debug)]
pub(super) struct Behind {
    /// Addresses of what is there and ready.
    pub(super) ready: Vec<String>,
    /// Of what is there and not ready.
    others: Vec<String>,
    /// Where that is said.
    pub(super) place: Place,
}

impl Walk<'_> {
    /// An address of the pool that nothing behind it has.
    pub(super) fn stale_target(&mut self, index: usize) -> Option<Finding> {
        let behind = self.now_behind(index)?;
        let target = self.site.targets.get(index)?;
        let address = &target.row.address;
        let title = format!(
            "The pool {} has {address}, which nothing behind it has any more: there are {}.",
            target.row.pool,
            listed(&behind.ready)
        );
        let because = self.because(&behind.place, "what is there now");
        let mut found = finding(Cause::StaleBackendTargets, Confidence::Likely, title)
            .because(self.reported(index))
            .because([because]);
        if self.is_managed() {
            let summary = format!(
                "Have the controller write the gateway anew: {} is to have {}.",
                target.row.pool,
                listed(&behind.ready)
            );
            found = found.fixed_by(fix(Owner::Controller, summary).run(RESTART_CONTROLLER));
            let first = self.allow_controller().or_else(|| self.mend_ingress());
            let first = first.or_else(|| self.stop_prohibiting(&target.row.pool));
            found.fixes.splice(0..0, first);
        }
        // The first one says it for all.
        let is_alike = |one: &Candidate| one.finding.cause == Cause::StaleBackendTargets;
        let pools = match self.candidates.iter().any(is_alike) {
            true => Some(target.row.pool.as_str()),
            false => None,
        };
        Some(found.fixed_by(self.give_what_is_there(pools)))
    }

    /// A server that answers probes well, and is another service's: requests for the one get the
    /// answers of the other.
    pub(super) fn is_another_service_asked(&mut self) -> Option<(Finding, usize)> {
        let targets = self.site.targets.iter();
        let foreign = targets.filter_map(|target| {
            let address = &target.row.address;
            let endpoints = || self.evidence.endpoints.iter().flatten();
            let (mut own, others): (Vec<_>, Vec<_>) =
                endpoints().partition(|one| is_pool_of(&target.row.pool, one));
            let has_it = |one: &&KubernetesEndpoints| {
                one.addresses.contains(address) || one.not_ready.contains(address)
            };
            let is_own = own.iter().any(has_it);
            let other = others.into_iter().find(has_it)?;
            let own = own
                .pop()
                .filter(|_| !is_own && is_of_a_controller(&target.row.pool))?;
            Some((target, own, other))
        });
        let (target, own, other) = foreign.into_iter().next()?;
        let address = &target.row.address;
        let rows = self.rows_at(address).into_iter();
        let rows = rows.filter(|row| row.pool.eq_ignore_ascii_case(&target.row.pool));
        let failed = rows.filter(|row| row.status >= Some(400));
        let failed: Vec<_> = failed.collect();
        let title = format!(
            "The pool {} of the service {} has {address}, where {} answers now.",
            target.row.pool, own.service, other.service
        );
        let confidence = match failed.is_empty() {
            true => Confidence::Likely,
            false => Confidence::Certain,
        };
        let seen = failed.first();
        let seen = seen.map(|row| self.because(&row.place, "what the other service answers"));
        let list = format!(
            "kubectl get pods -A -o wide --field-selector status.podIP={address}   # one that has \
             ended and still has the address is to be deleted"
        );
        let mut found = finding(Cause::StaleBackendTargets, confidence, title)
            .because([
                self.because(&target.row.place, "it is in the pool"),
                self.because(&own.place, "where the service's pods are"),
                self.because(&other.place, "whose address it is now"),
            ])
            .because(seen)
            .fixed_by(
                fix(
                    Owner::Controller,
                    "Take the pod away that has ended, and have the controller write the gateway \
                     anew.",
                )
                .run(list)
                .run(RESTART_CONTROLLER),
            );
        if let Some(pool) = target.pool {
            let update = self.set_servers(pool, own.addresses.clone());
            let summary = "Give the pool the addresses that are there.";
            let mend = fix(Owner::Gateway, summary).edit(update);
            found = found.fixed_by(mend.verified_by(self.commands.verify_health()));
        }
        Some((found, failed.len()))
    }

    /// What is behind the pool of a server that has an address which nothing there has any more.
    fn now_behind(&self, index: usize) -> Option<Behind> {
        let target = self.site.targets.get(index)?;
        let address = &target.row.address;
        let behind = self.behind_the_pool(&target.row.pool)?;
        let is_there = behind.ready.contains(address) || behind.others.contains(address);
        if behind.ready.is_empty() || is_there || address.parse::<IpAddr>().is_err() {
            return None;
        }
        // What does not know of a server that is well knows nothing of the others.
        let mut targets = self.site.targets.iter();
        let is_of_others = targets.any(|one| {
            one.row.state == State::Healthy
                && one.row.pool.eq_ignore_ascii_case(&target.row.pool)
                && !behind.ready.contains(&one.row.address)
        });
        let members = target.pool.map(|pool| &pool.properties.backend_addresses);
        let is_configured = members.is_none_or(|members| {
            let mut own = members.iter();
            own.any(|one| one.ip_address.as_deref() == Some(address.as_str()))
        });
        (is_configured && !is_of_others).then_some(behind)
    }

    /// For each pool with such a server, or for one alone: what stopped the one from being followed
    /// stopped all.
    fn give_what_is_there(&self, only: Option<&str>) -> Fix {
        let mut pools: Vec<&str> = Vec::new();
        let mut mend = fix(
            Owner::Gateway,
            "Give the pool the addresses that are there.",
        );
        for (index, target) in self.site.targets.iter().enumerate() {
            let pool = target.row.pool.as_str();
            let is_meant = only.is_none_or(|only| only == pool);
            if target.row.state == State::Healthy || !is_meant || pools.contains(&pool) {
                continue;
            }
            let Some(behind) = self.now_behind(index) else {
                continue;
            };
            pools.push(pool);
            let pool = target.pool.cloned();
            let pool = pool.unwrap_or_else(|| Item::new(&*target.row.pool, Default::default()));
            mend = mend.edit(self.set_servers(&pool, behind.ready));
        }
        mend.verified_by(self.commands.verify_health())
    }

    /// Where the controller's log says that the gateway refuses what it writes, the ingress whose
    /// parts it names: as long as it is there, nothing else is written.
    fn mend_ingress(&self) -> Option<Fix> {
        let mut lines = self.refused_lines();
        let line = lines.find(|line| line.contains("Failure sending request"))?;
        let is_break = |letter: char| !(letter.is_alphanumeric() || "-.".contains(letter));
        let mut words = line.split(is_break);
        let names = Names::of(self.evidence);
        let ingress = words.find_map(|word| names.ingress_of(word))?;
        let summary = "Mend the ingress of which the gateway refuses a part, or take it away: \
                       until then it refuses all that the controller writes.";
        let describe = format!("kubectl describe{}", ingress.as_words());
        Some(fix(Owner::Controller, summary).run(describe.trim_end()))
    }

    /// Where the controller's log says that it keeps off a pool of its own, what forbids it that.
    fn stop_prohibiting(&self, pool: &str) -> Option<Fix> {
        let mut lines = self.refused_lines().map(|line| line.to_lowercase());
        let pool = pool.to_lowercase();
        lines.find(|line| {
            let is_kept = line.contains("blacklisted") && has_whole(line, &pool, "-_.");
            is_kept || prohibits_all(line)
        })?;
        let summary = "The controller leaves alone what a prohibited target covers, this pool too: \
                       take the target away that has all paths (/*).";
        let list = "kubectl get azureingressprohibitedtargets -A -o yaml";
        let mend = fix(Owner::Controller, summary).run(list);
        // What a list of them shows: namespace, name and age.
        let known = self.refused_lines().find_map(|line| {
            let mut words = line.split_whitespace();
            let (namespace, name) = (words.next()?, words.next()?);
            let is_it = ALL_TARGETS.contains(&name) && words.next().is_some();
            is_it.then(|| (word(namespace), word(name)))
        });
        Some(match known {
            Some((namespace, name)) => mend.run(format!(
                "kubectl delete azureingressprohibitedtarget {name} -n {namespace}"
            )),
            None => mend.run(
                "kubectl delete azureingressprohibitedtarget prohibit-all-targets   # what its \
                 chart calls it; the list says what it is called here",
            ),
        })
    }

    /// Gives a pool the addresses of what is behind it, where that is known and another.
    pub(super) fn servers_behind_the_pool(&self, index: usize) -> Option<Fix> {
        let target = self.site.targets.get(index)?;
        let known = self.behind_the_pool(&target.row.pool)?.ready;
        if known.contains(&target.row.address) {
            return None;
        }
        let summary = format!(
            "Give the pool the addresses of its pods or machines: {}.",
            listed(&known)
        );
        let update = self.set_servers(target.pool?, known);
        let mend = fix(Owner::Gateway, summary).edit(update);
        Some(mend.verified_by(self.commands.verify_health()))
    }

    /// The lines of the controller's log since it last wrote the gateway: what was refused before
    /// that is over.
    fn refused_lines(&self) -> impl Iterator<Item = &String> {
        let lines = self.evidence.controller_log.as_deref().unwrap_or_default();
        let is_applied = |line: &String| line.to_lowercase().contains("applied");
        let since = lines.iter().rposition(is_applied);
        lines.iter().skip(since.map_or(0, |last| last + 1))
    }

    /// Where the controller's log says that it may not write the gateway, its role.
    fn allow_controller(&self) -> Option<Fix> {
        let mut lines = self.refused_lines();
        let line = lines.find(|line| line.contains("AuthorizationFailed"))?;
        let after = |words: &str| {
            let (_, rest) = line.split_once(words)?;
            rest.split('\'').next().filter(|text| !text.is_empty())
        };
        let client = after("with object id '").or_else(|| after("The client '"))?;
        // It may write the gateway, and not join it to its subnet.
        let linked = after("linked scope(s) '");
        let role = match linked {
            Some(_) => "'Network Contributor'",
            None => "Contributor",
        };
        let scope = linked.or_else(|| after("over scope '"))?;
        let summary = format!("Give the controller's identity {client} its role there.");
        Some(fix(Owner::Controller, summary).run(format!(
            "az role assignment create --role {role} --assignee {} --scope {}",
            word(client),
            word(scope)
        )))
    }

    pub(super) fn behind_the_pool(&self, pool: &str) -> Option<Behind> {
        let pool = pool.to_lowercase();
        if let Some(known) = self.behind.borrow().get(&pool) {
            return known.clone();
        }
        let found = self.look_behind(&pool);
        self.behind.borrow_mut().insert(pool, found.clone());
        found
    }

    fn look_behind(&self, pool: &str) -> Option<Behind> {
        let of_services = self.services_behind(pool);
        of_services.or_else(|| self.instances_behind(pool))
    }

    /// Of a whole cluster, the pool's own service: by its name, or by what both have.
    fn services_behind(&self, pool: &str) -> Option<Behind> {
        let all: Vec<_> = self.evidence.endpoints.iter().flatten().collect();
        let named: Vec<_> = all.iter().filter(|one| is_pool_of(pool, one)).collect();
        let is_only = self.evidence.gateway.properties.backend_address_pools.len() == 1;
        let shared = || {
            let own = all.iter().filter(|one| {
                is_only && all.len() == 1 || self.has_member_of(pool, &one.addresses)
            });
            own.collect()
        };
        let own = if named.is_empty() { shared() } else { named };
        let first = own.first()?;
        let ready: Vec<String> = own.iter().flat_map(|one| one.addresses.clone()).collect();
        (!ready.is_empty()).then(|| Behind {
            ready,
            others: own.iter().flat_map(|one| one.not_ready.clone()).collect(),
            place: first.place.clone(),
        })
    }

    /// Another pool may well be of other machines.
    fn instances_behind(&self, pool: &str) -> Option<Behind> {
        let instances = self.evidence.instances.iter().flatten();
        let mut instances = instances.filter(|one| !one.addresses.is_empty()).peekable();
        let is_only = self.evidence.gateway.properties.backend_address_pools.len() == 1;
        let shares = instances.clone().any(|one| {
            let set = one.name.rsplit_once('_').map_or("", |(set, _)| set);
            self.has_member_of(pool, &one.addresses) || has_whole(pool, set, "")
        });
        if !is_only && !shares {
            return None;
        }
        let place = instances.peek()?.place.clone();
        Some(Behind {
            ready: instances.flat_map(|one| one.addresses.clone()).collect(),
            others: Vec::new(),
            place,
        })
    }

    fn has_member_of(&self, pool: &str, addresses: &[String]) -> bool {
        let mut targets = self.site.targets.iter();
        targets.any(|target| {
            target.row.pool.eq_ignore_ascii_case(pool) && addresses.contains(&target.row.address)
        })
    }
}

/// What charts call the target that keeps a controller off everything.
const ALL_TARGETS: [&str; 2] = ["prohibit-all-targets", "prohibit-all-target"];

/// What a controller made a pool of.
pub(super) struct Service {
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) port: u16,
}

impl Walk<'_> {
    /// The service of a pool that is called as a controller calls it. Where the namespace ends and
    /// the service begins is told by the services that are known, or by there being one word of
    /// each.
    pub(super) fn service_of_pool(&self, pool: &str) -> Option<Service> {
        let (names, port) = of_a_controller(pool)?.rsplit_once('-')?;
        let known = self.evidence.endpoints.iter().flatten();
        let known = known.filter_map(|one| {
            let namespace = names.strip_suffix(&one.service)?.strip_suffix('-')?;
            let is_own = one.namespace.is_empty() || one.namespace == namespace;
            is_own.then_some((namespace, one.service.as_str()))
        });
        let words = names.split_once('-');
        let words = words.filter(|(_, name)| !name.contains('-'));
        // Of `api` and `my-api`, the pool is of the longer one.
        let known = known.max_by_key(|(_, service)| service.len());
        let (namespace, name) = words.or(known)?;
        Some(Service {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            port: port.parse().ok()?,
        })
    }
}

/// Whether a line of a controller's log, in lower case, tells of a prohibited target for all paths
/// of all hosts.
fn prohibits_all(line: &str) -> bool {
    let targets = line.split_once("prohibited targets:");
    let targets = targets.into_iter().flat_map(|(_, all)| all.split('}'));
    targets
        .filter(|one| !one.contains("hostname"))
        .any(|one| one.contains("\"/*\""))
}

/// Whether a pool is called like a service: as a controller calls it,
/// `pool-NAMESPACE-SERVICE-PORT-bp-PORT`, or with the service's name as a word of its own.
fn is_pool_of(pool: &str, service: &KubernetesEndpoints) -> bool {
    let name = service.service.to_lowercase();
    if name.is_empty() {
        return false;
    }
    let Some(rest) = of_a_controller(pool) else {
        return has_whole(pool, &name, "");
    };
    let Some((names, _port)) = rest.rsplit_once('-') else {
        return false;
    };
    match service.namespace.to_lowercase().as_str() {
        "" => names
            .strip_suffix(&name)
            .is_some_and(|rest| rest.ends_with('-')),
        namespace => names == format!("{namespace}-{name}"),
    }
}

/// `NAMESPACE-SERVICE-PORT` of a pool that is called as a controller calls it.
fn of_a_controller(pool: &str) -> Option<&str> {
    let (rest, _) = pool.strip_prefix("pool-")?.rsplit_once("-bp-")?;
    Some(rest)
}

pub(super) fn is_of_a_controller(pool: &str) -> bool {
    of_a_controller(pool).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::Place;

    #[test]
    fn pools_are_of_their_own_service() {
        let check = |pool: &str, (namespace, service): (&str, &str), expected: bool| {
            let endpoints = KubernetesEndpoints {
                namespace: namespace.to_owned(),
                service: service.to_owned(),
                addresses: Vec::new(),
                ports: Vec::new(),
                not_ready: Vec::new(),
                nodes: Default::default(),
                place: Place::default(),
            };
            assert_eq!(
                is_pool_of(pool, &endpoints),
                expected,
                "{pool} {namespace}/{service}"
            );
        };
        let pool = "pool-shop-cart-80-bp-8080";
        check(pool, ("shop", "cart"), true);
        check(pool, ("", "cart"), true);
        for other in [
            ("test", "cart"),
            ("shop", "shop"),
            ("", "shop"),
            ("", "art"),
            ("", ""),
        ] {
            check(pool, other, false);
        }
        check("web-pool", ("default", "web"), true);
        check("webpool", ("default", "web"), false);
    }
}
