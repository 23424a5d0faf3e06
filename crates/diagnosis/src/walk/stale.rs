//! Members that are no servers any more.

use std::net::IpAddr;

use gatewright_arm::Item;

use super::ingress::Ingress;
use super::{Candidate, Walk, finding, listed};
use crate::cause::{Cause, Owner};
use crate::evidence::{Place, State};
use crate::finding::{Confidence, Finding, Fix};
use crate::remedy::{fix, word};

/// Addresses, and where they are said to be there.
pub(super) type Behind = (Vec<String>, Place);

impl Walk<'_> {
    /// An address of the pool that nothing behind it has.
    pub(super) fn stale_target(&mut self, index: usize) -> Option<Finding> {
        let (known, place) = self.now_behind(index)?;
        let target = self.site.targets.get(index)?;
        let address = &target.row.address;
        let title = format!(
            "The pool {} has {address}, which nothing behind it has any more: there are {}.",
            target.row.pool,
            listed(&known)
        );
        let because = self.because(&place, "what is there now");
        let mut found = finding(Cause::StaleBackendTargets, Confidence::Likely, title)
            .because(self.reported(index))
            .because([because]);
        if self.is_managed() {
            found = found.fixed_by(
                fix(
                    Owner::Controller,
                    "Have the controller write the gateway anew.",
                )
                .run("kubectl rollout restart deployment -n kube-system ingress-appgw-deployment"),
            );
            let first = self.allow_controller().or_else(|| self.mend_ingress());
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

    /// What is behind the pool of a server that has an address which nothing there has any more.
    fn now_behind(&self, index: usize) -> Option<Behind> {
        let target = self.site.targets.get(index)?;
        let address = &target.row.address;
        let (known, place) = self.behind_the_pool(&target.row.pool)?;
        if known.is_empty() || known.contains(address) || address.parse::<IpAddr>().is_err() {
            return None;
        }
        let members = target.pool.map(|pool| &pool.properties.backend_addresses);
        let is_configured = members.is_none_or(|members| {
            let mut own = members.iter();
            own.any(|one| one.ip_address.as_deref() == Some(address.as_str()))
        });
        is_configured.then_some((known, place))
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
            let Some((known, _)) = self.now_behind(index) else {
                continue;
            };
            pools.push(pool);
            let pool = target.pool.cloned();
            let pool = pool.unwrap_or_else(|| Item::new(&*target.row.pool, Default::default()));
            mend = mend.edit(self.set_servers(&pool, known));
        }
        mend.verified_by(self.commands.verify_health())
    }

    /// Where the controller's log says that the gateway refuses what it writes, the ingress whose
    /// parts it names: as long as it is there, nothing else is written.
    fn mend_ingress(&self) -> Option<Fix> {
        let mut lines = self.evidence.controller_log.iter().flatten();
        let line = lines.find(|line| line.contains("Failure sending request"))?;
        let is_break = |letter: char| !(letter.is_alphanumeric() || "-.".contains(letter));
        let mut words = line.split(is_break);
        let ingress = words.find_map(|word| Ingress::of_part(word, self.evidence))?;
        let summary = "Mend the ingress of which the gateway refuses a part, or take it away: \
                       until then it refuses all that the controller writes.";
        let describe = format!("kubectl describe{}", ingress.as_words());
        Some(fix(Owner::Controller, summary).run(describe.trim_end()))
    }

    /// Gives a pool the addresses of what is behind it, where that is known and another.
    pub(super) fn servers_behind_the_pool(&self, index: usize) -> Option<Fix> {
        let target = self.site.targets.get(index)?;
        let (known, _) = self.behind_the_pool(&target.row.pool)?;
        if known.is_empty() || known.contains(&target.row.address) {
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

    /// Where the controller's log says that it may not write the gateway, its role.
    fn allow_controller(&self) -> Option<Fix> {
        let mut lines = self.evidence.controller_log.iter().flatten();
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

    /// The addresses of what is behind a pool, and where that is said.
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
        let endpoints = self.evidence.endpoints.iter().flatten();
        let all: Vec<_> = endpoints.filter(|one| !one.addresses.is_empty()).collect();
        // Of a whole cluster, those of the pool's own service: by its name, or by what both have.
        let is_named =
            |service: &str| !service.is_empty() && pool.contains(&service.to_lowercase());
        let is_only = self.evidence.gateway.properties.backend_address_pools.len() == 1;
        let is_known = |addresses: &[String]| {
            let mut targets = self.site.targets.iter();
            targets.any(|target| {
                target.row.pool.eq_ignore_ascii_case(pool)
                    && addresses.contains(&target.row.address)
            })
        };
        let own = all.iter().copied().filter(|one| {
            let is_alone = is_only && all.len() == 1;
            is_alone || is_named(&one.service) || is_known(&one.addresses)
        });
        let mut endpoints = own.peekable();
        if let Some(first) = endpoints.peek().map(|one| one.place.clone()) {
            return Some((
                endpoints.flat_map(|one| one.addresses.clone()).collect(),
                first,
            ));
        }
        let instances = self.evidence.instances.iter().flatten();
        let instances = instances.filter(|one| !one.addresses.is_empty());
        // Another pool may well be of other machines.
        let shares = instances.clone().any(|one| {
            let set = one.name.rsplit_once('_').map_or("", |(set, _)| set);
            is_known(&one.addresses) || is_named(set)
        });
        if !is_only && !shares {
            return None;
        }
        let mut instances = instances.peekable();
        let first = instances.peek().map(|one| one.place.clone())?;
        Some((
            instances.flat_map(|one| one.addresses.clone()).collect(),
            first,
        ))
    }
}
