//! Is what is shown what serves, and is what serves what is really there?

use gatewright_arm::ApplicationGateway;
use gatewright_arm::model::ProvisioningState;

use super::stale::{RESTART_CONTROLLER, is_of_a_controller};
use super::{Question, Walk, Weight, finding, listed, live};
use crate::cause::{Cause, Owner};
use crate::evidence::Place;
use crate::finding::{Confidence, Finding};
use crate::remedy::fix;
use crate::site::in_gateway;

/// Words by which a controller says that it writes the gateway.
const APPLIES: [&str; 3] = [
    "applied generated application gateway",
    "apply",
    "deployment",
];

impl Walk<'_> {
    pub(super) fn is_what_is_shown_what_serves(&mut self) {
        let asked = "Is what is shown what serves, and what is there?";
        let questions: [Question<Self, Weight>; 4] = [
            Self::did_another_writer_undo_it,
            Self::is_a_change_not_live_yet,
            Self::do_instances_lag_behind,
            Self::do_servers_come_and_go,
        ];
        let mut told = Vec::new();
        for question in questions {
            if let Some((found, weight)) = question(self) {
                told.push(found.title.clone());
                self.find(weight, 1, found);
            }
        }
        match told.first() {
            Some(first) => self.step(asked, first.clone(), "the two differ"),
            None => self.step(asked, "nothing says otherwise", "it is"),
        }
    }

    /// What an earlier export had, and a controller that writes the gateway took away.
    fn did_another_writer_undo_it(&mut self) -> Option<(Finding, Weight)> {
        let previous = self.evidence.previous.as_ref()?;
        // A controller has its own pools follow its pods.
        let mut gone = parts_gone(previous, &self.evidence.gateway);
        let members = members_gone(previous, &self.evidence.gateway);
        let members = members.filter(|(pool, _)| !is_of_a_controller(pool));
        gone.extend(members.map(|(_, member)| member));
        if gone.is_empty() {
            return None;
        }
        let log = self.evidence.controller_log.iter().flatten();
        let mut lines = log.enumerate();
        let applied = lines.find(|(_, line)| {
            let line = line.to_lowercase();
            APPLIES.iter().any(|word| line.contains(word))
        });
        // A tag that is gone was taken away by another writer too.
        let was_managed = super::pools::is_managed(previous);
        if !self.is_managed() && !was_managed && applied.is_none() {
            return None;
        }
        let title = format!(
            "Another writer put the gateway {} back: {} of the earlier export is gone.",
            self.evidence.gateway.name,
            listed(&gone)
        );
        let place = Place::whole("previous-gateway.json");
        let mut because = vec![self.because(&place, format!("it had {}", listed(&gone)))];
        if self.is_managed() {
            let tags = in_gateway("/tags");
            because.push(self.because(&tags, "a Kubernetes controller writes this gateway"));
        }
        because.extend(applied.map(|(number, line)| {
            let place = Place::whole("controller-log.txt");
            let number = number + 1;
            self.because(&place, format!("line {number}: {}", line.trim()))
        }));
        let kept = self.names_in("backendAddressPools");
        let lost: Vec<String> = previous
            .properties
            .backend_address_pools
            .iter()
            .map(|pool| pool.name.clone())
            .filter(|name| is_of_a_controller(name))
            .filter(|name| !kept.contains(name))
            .collect();
        let found = finding(Cause::ConfigOverwritten, Confidence::Likely, title).because(because);
        // Where the controller's own parts are there still, it is the one that takes away.
        let has_kept = kept.iter().any(|name| is_of_a_controller(name));
        if !lost.is_empty() && !has_kept {
            return Some((found.fixed_by(write_anew(&lost)), Weight::Change));
        }
        let found = found.fixed_by(
            fix(
                Owner::Controller,
                "Say it where the controller reads it: in the ingress and its annotations; or \
                     forbid it that host or those paths.",
            )
            .run("kubectl get azureingressprohibitedtargets,ingress -A")
            .run(self.prohibit()),
        );
        Some((found, Weight::Change))
    }

    /// Has the controller leave alone what it took away: a target of its own kind for the first
    /// host of a listener that is gone.
    fn prohibit(&self) -> String {
        let previous = self.evidence.previous.iter();
        let mut before = previous.flat_map(|one| &one.properties.http_listeners);
        let now = &self.evidence.gateway.properties.http_listeners;
        let gone = before.find(|one| !now.iter().any(|other| other.is_named(&one.name)));
        let host = gone.and_then(|one| one.properties.hosts().next());
        let host = host.unwrap_or("HOST");
        format!(
            "printf '%s\\n' 'apiVersion: appgw.ingress.k8s.io/v1' 'kind: \
             AzureIngressProhibitedTarget' 'metadata: {{name: by-hand}}' 'spec: {{hostname: \
             {host}}}' | kubectl apply -f -"
        )
    }

    fn is_a_change_not_live_yet(&mut self) -> Option<(Finding, Weight)> {
        let gateway = &self.evidence.gateway;
        let state = gateway.properties.provisioning_state;
        if state != Some(ProvisioningState::Updating) {
            return None;
        }
        let changed = match &self.evidence.previous {
            Some(previous) => {
                let added = gone(gateway, previous);
                if added.is_empty() {
                    gone(previous, gateway)
                } else {
                    added
                }
            }
            None => self.probed_elsewhere(),
        };
        if changed.is_empty() && self.evidence.previous.is_none() {
            return None;
        }
        let title = format!(
            "A change of {} is still being applied: {} is not live yet.",
            gateway.name,
            if changed.is_empty() {
                "what is shown".to_owned()
            } else {
                listed(&changed)
            }
        );
        let place = in_gateway(gateway.source.pointer_to("provisioningState"));
        let found = finding(
            Cause::UpdateInProgressConfigNotLive,
            Confidence::Likely,
            title,
        )
        .because([self.because(&place, "the change has not ended")])
        .fixed_by(
            fix(Owner::Platform, "Wait until it has ended, and try again.")
                .run(self.commands.gateway("wait") + " --updated"),
        );
        Some((found, Weight::Change))
    }

    /// Members that probes do not go to yet, where they go to others.
    fn probed_elsewhere(&self) -> Vec<String> {
        let mut waiting = Vec::new();
        for pool in &self.evidence.gateway.properties.backend_address_pools {
            let rows = self.site.targets.iter().map(|target| &*target.row);
            let rows = rows.filter(|row| pool.is_named(&row.pool));
            let probed: Vec<&str> = rows.map(|row| row.address.as_str()).collect();
            let members = pool.properties.backend_addresses.iter();
            let members: Vec<&str> = members
                .filter_map(|one| one.ip_address.as_deref())
                .collect();
            if probed.iter().all(|address| members.contains(address)) {
                continue;
            }
            let new = members.iter().filter(|address| !probed.contains(address));
            waiting.extend(new.map(|address| format!("{address} in the pool {}", pool.name)));
        }
        waiting
    }

    /// Requests that failed at a server that is in no pool and behind none, beside a controller
    /// that was at work.
    fn asked_the_gone(&self) -> Option<Finding> {
        let pools = &self.evidence.gateway.properties.backend_address_pools;
        let members = pools
            .iter()
            .flat_map(|pool| &pool.properties.backend_addresses);
        let mut known: Vec<&str> = members
            .filter_map(|one| one.ip_address.as_deref())
            .collect();
        if known.is_empty()
            || pools
                .iter()
                .any(|pool| !pool.properties.backend_ip_configurations.is_empty())
        {
            return None;
        }
        let endpoints = self.evidence.endpoints.iter().flatten();
        known.extend(endpoints.flat_map(|one| &one.addresses).map(String::as_str));
        known.extend(
            self.site
                .targets
                .iter()
                .map(|target| target.row.address.as_str()),
        );
        let row = live::failures(self.evidence).find(|row| {
            let (host, _) = crate::evidence::split_port(&row.server);
            host.parse::<std::net::IpAddr>().is_ok() && !known.contains(&host.as_str())
        })?;
        let log = self.evidence.controller_log.as_ref()?;
        let line = log.iter().position(|line| {
            let line = line.to_lowercase();
            APPLIES.iter().any(|word| line.contains(word)) || line.contains("endpoint")
        })?;
        let (host, _) = crate::evidence::split_port(&row.server);
        let title = format!(
            "Requests went to {host}, which was gone already: the pool followed behind a \
             deployment."
        );
        let place = Place::whole("controller-log.txt");
        let says = log
            .get(line)
            .map(|text| format!("line {}: {}", line + 1, text.trim()));
        let because = [
            self.because(
                &row.place,
                format!("{host} is in no pool, and nothing has it any more"),
            ),
            self.because(&place, says.unwrap_or_default()),
        ];
        Some(
            finding(Cause::BackendChurnDuringDeploy, Confidence::Likely, title)
                .because(because)
                .fixed_by(drain()),
        )
    }

    /// Failures in a short while, when pods went and came.
    fn do_servers_come_and_go(&mut self) -> Option<(Finding, Weight)> {
        if let Some(found) = self.asked_the_gone() {
            return Some((found, Weight::Requests));
        }
        const SHORT_SECONDS: i64 = 600;
        let endpoints = self.evidence.endpoints.iter().flatten();
        let changing = endpoints
            .filter(|one| !one.not_ready.is_empty())
            .map(|one| one.place.clone())
            .next();
        let log = self.evidence.controller_log.iter().flatten();
        let words = ["endpoints", "pod", "rolling", "scaled"];
        let line = log
            .enumerate()
            .find(|(_, line)| words.iter().any(|word| line.to_lowercase().contains(word)))
            .map(|(number, line)| (number + 1, line.clone()));
        let times: Vec<i64> = live::failures(self.evidence)
            .filter_map(|row| row.time)
            .collect();
        let first = times.iter().min()?;
        let is_short = times
            .iter()
            .max()
            .is_some_and(|last| last - first <= SHORT_SECONDS);
        if !is_short || changing.is_none() && line.is_none() || !self.site.is_all_healthy() {
            return None;
        }
        let row = live::failures(self.evidence).next()?;
        let mut because = vec![self.because(&row.place, "failures stand within some minutes")];
        because.extend(changing.map(|place| self.because(&place, "some are not ready")));
        because.extend(line.map(|(number, line)| {
            let place = Place::whole("controller-log.txt");
            self.because(&place, format!("line {number}: {}", line.trim()))
        }));
        let title = "Servers went and came during a deployment, and the pool followed behind.";
        let found = finding(Cause::BackendChurnDuringDeploy, Confidence::Likely, title)
            .because(because)
            .fixed_by(drain());
        Some((found, Weight::Requests))
    }
}

/// What was the controller's is the controller's to write; who took it away must leave it alone.
fn write_anew(pools: &[String]) -> crate::finding::Fix {
    let summary = format!(
        "Have the controller write its parts anew, {} among them, and whoever took them away leave \
         them alone: in Terraform, lifecycle ignore_changes for what a controller writes.",
        listed(pools)
    );
    fix(Owner::Controller, summary).run(RESTART_CONTROLLER).run(
        "grep -rn -A40 azurerm_application_gateway --include='*.tf' .   # lifecycle { \
             ignore_changes = [backend_address_pool, backend_http_settings, frontend_port, \
             http_listener, probe, redirect_configuration, request_routing_rule, ssl_certificate, \
             tags, url_path_map] }",
    )
}

/// What lets a deployment lose no request.
fn drain() -> crate::finding::Fix {
    fix(
        Owner::Controller,
        "Let a pod answer for a while after it was told to end, and end requests before: a preStop \
         sleep and connection draining.",
    )
    .run(
        "kubectl annotate ingress INGRESS appgw.ingress.kubernetes.io/connection-draining=true \
         --overwrite",
    )
    .run(
        "kubectl explain pod.spec.containers.lifecycle.preStop   # exec: {command: [sleep, '90']}, \
         with a longer terminationGracePeriodSeconds",
    )
}

/// What one gateway has and another has not: pools, rules, listeners, probes, by name; addresses.
fn gone(had: &ApplicationGateway, has: &ApplicationGateway) -> Vec<String> {
    let mut gone = parts_gone(had, has);
    gone.extend(members_gone(had, has).map(|(_, member)| member));
    gone
}

fn parts_gone(had: &ApplicationGateway, has: &ApplicationGateway) -> Vec<String> {
    let mut gone = Vec::new();
    let (had, has) = (&had.properties, &has.properties);
    macro_rules! compare {
        ($($collection:ident $what:literal,)*) => {
            $(for item in &had.$collection {
                if !has.$collection.iter().any(|other| other.is_named(&item.name)) {
                    gone.push(format!(concat!("the ", $what, " {}"), item.name));
                }
            })*
        };
    }
    compare! {
        http_listeners "listener",
        request_routing_rules "rule",
        url_path_maps "path map",
        backend_address_pools "pool",
        backend_http_settings_collection "setting",
        probes "probe",
    }
    for setting in &had.backend_http_settings_collection {
        let mut others = has.backend_http_settings_collection.iter();
        let now = others.find(|other| other.is_named(&setting.name));
        let ports = now.map(|now| (setting.properties.port, now.properties.port));
        if let Some((Some(before), now)) = ports
            && now != Some(before)
        {
            gone.push(format!("port {before} of the setting {}", setting.name));
        }
    }
    gone
}

/// The members of pools that are still there, with their pools.
fn members_gone<'g>(
    had: &'g ApplicationGateway,
    has: &'g ApplicationGateway,
) -> impl Iterator<Item = (&'g str, String)> {
    let pools = had.properties.backend_address_pools.iter();
    let pools = pools.filter_map(|pool| {
        let mut others = has.properties.backend_address_pools.iter();
        Some((pool, others.find(|other| other.is_named(&pool.name))?))
    });
    pools.flat_map(|(pool, now)| {
        let members = pool.properties.backend_addresses.iter();
        let gone = members.filter(|one| !now.properties.backend_addresses.contains(one));
        gone.map(|one| {
            let own = one.fqdn.as_deref().or(one.ip_address.as_deref());
            let member = format!("{} in the pool {}", own.unwrap_or_default(), pool.name);
            (pool.name.as_str(), member)
        })
    })
}
