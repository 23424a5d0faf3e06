//! What probes will find, by the configuration and what is known around it, where no report says.
//!
//! What nothing speaks against is taken to be well: that servers listen, and answer what they are
//! asked.

use std::borrow::Cow;
use std::net::IpAddr;

use gatewright_arm::Item;
use gatewright_arm::model::{BackendAddressPool, BackendHttpSettings};
use gatewright_chain::Kind;
use gatewright_snapshot::network::{Flow, Outcome};

use super::Walk;
use super::certificates::{checks_of, sends_no_name};
use crate::evidence::{HealthRow, Place, State, TcpResult};
use crate::lookup::names_host;
use crate::message::Symptom;
use crate::site::{DEFAULT_HOST, Target, in_gateway, is_shared_host};

impl<'e> Walk<'e> {
    /// Puts what is foreseen of every server that rules lead to in the place of a report.
    pub(super) fn foresee_all(&mut self) {
        self.foresees = true;
        self.site.targets = self.members();
        self.foresee(|_| true);
    }

    /// Puts what is foreseen of these servers in the place of what the report says of them.
    pub(super) fn foresee(&mut self, is_meant: impl Fn(&Target<'e>) -> bool) {
        let foreseen: Vec<Option<(State, Symptom)>> = self
            .site
            .targets
            .iter()
            .map(|target| is_meant(target).then(|| self.foreseen(target)))
            .collect();
        for (target, foreseen) in self.site.targets.iter_mut().zip(foreseen) {
            if let Some((state, symptom)) = foreseen {
                target.symptom = symptom;
                let row = target.row.to_mut();
                row.state = state;
                row.log.clear();
                row.error_name.clear();
            }
        }
    }

    /// Each member of a pool under each setting that a rule pairs it with.
    fn members(&self) -> Vec<Target<'e>> {
        let mut pairs: Vec<(&Item<BackendAddressPool>, &Item<BackendHttpSettings>)> = Vec::new();
        for route in &self.site.routes {
            let Some(pair) = route.pool.zip(route.setting) else {
                continue;
            };
            let is_known = |known: &(&Item<_>, &Item<_>)| {
                known.0.name == pair.0.name && known.1.name == pair.1.name
            };
            if !pairs.iter().any(is_known) {
                pairs.push(pair);
            }
        }
        let gateway = &self.evidence.gateway;
        let mut targets = Vec::new();
        for (pool, setting) in pairs {
            let members = pool.properties.backend_addresses.iter().enumerate();
            for (position, member) in members {
                let address = member.ip_address.clone().or_else(|| member.fqdn.clone());
                let pointer = pool.pointer_to("backendAddresses");
                let row = HealthRow {
                    pool: pool.name.clone(),
                    setting: setting.name.clone(),
                    address: address.unwrap_or_default(),
                    state: State::Unknown,
                    log: String::new(),
                    error_name: String::new(),
                    configuration: String::new(),
                    place: in_gateway(format!("{pointer}/{position}")),
                };
                let probe = setting.properties.probe.as_ref();
                targets.push(Target {
                    row: Cow::Owned(row),
                    symptom: Symptom::NotProbed,
                    pool: Some(pool),
                    setting: Some(setting),
                    probe: probe.and_then(|probe| gateway.resolve(probe)),
                });
            }
        }
        targets
    }

    fn foreseen(&self, target: &Target<'_>) -> (State, Symptom) {
        let bad = |symptom| (State::Unhealthy, symptom);
        if self.is_out_of_reach(target) {
            return bad(Symptom::NotConnected);
        }
        if let Some(symptom) = self.refused_certificate(target) {
            return bad(symptom);
        }
        match self.seen_status(target) {
            Some(status) if target.counts(status) => (State::Healthy, Symptom::Good),
            Some(status) => bad(Symptom::Status(Some(status))),
            None if self.asks_for_nobody(target) => bad(Symptom::Status(Some(404))),
            None => (State::Healthy, Symptom::Good),
        }
    }

    fn is_out_of_reach(&self, target: &Target<'_>) -> bool {
        let address = &target.row.address;
        if let Ok(IpAddr::V4(ip)) = address.parse::<IpAddr>()
            && (ip.is_loopback() || ip.is_link_local() || ip.is_unspecified())
        {
            return true;
        }
        let Some(port) = target.probed_port() else {
            return false;
        };
        let way = self
            .addresses_of(address)
            .into_iter()
            .next()
            .zip(self.evidence.policy());
        let is_denied = way.is_some_and(|(address, (policy, subnet))| {
            let verdict = policy.evaluate(&Flow::tcp(subnet, address, port));
            !matches!(verdict.outcome(), Outcome::Allowed)
        });
        let mut tcp = self.connections_to([address]).into_iter();
        let refuses = tcp.any(|one| one.port == Some(port) && one.result == TcpResult::Refused);
        is_denied || refuses
    }

    /// What a probe will say of the certificate that the server was seen to present.
    fn refused_certificate(&self, target: &Target<'_>) -> Option<Symptom> {
        if !target.is_encrypted() {
            return None;
        }
        let expected = self.expected(target);
        let sends_none = sends_no_name(&expected);
        let without = self.evidence.presented_without_sni.as_ref();
        let without = without.filter(|_| sends_none);
        let chain = without.or_else(|| self.presented_to(target))?;
        let mut checks = checks_of(target);
        // Where no name is asked for, none is compared.
        checks.name &= !sends_none;
        let verdict = self.examined(target, chain, &expected, checks);
        Some(match verdict.deciding()?.kind() {
            Kind::NameMismatch => Symptom::CertificateName,
            Kind::Expired | Kind::NotYetValid | Kind::InvalidDates => Symptom::CertificateDates,
            Kind::IntermediateMissing => Symptom::IntermediateMissing,
            Kind::LeafMissing => Symptom::LeafMissing,
            Kind::LeafNotFirst => Symptom::LeafNotTopmost,
            Kind::RootMismatch => Symptom::OtherRoot,
            Kind::NotPinned => Symptom::NotPinned,
            _ => Symptom::NotTrusted,
        })
    }

    /// What the server was seen to answer to the very page that probes ask for.
    fn seen_status(&self, target: &Target<'_>) -> Option<u16> {
        let is_same = |one: &&crate::evidence::Http| {
            let is_page = one.path.as_deref() == Some(target.probed_path());
            let host = target.probed_host();
            let is_host = host == DEFAULT_HOST || names_host(&one.request, &host);
            is_page && is_host && one.status.is_some()
        };
        self.requests_to(target).find(is_same)?.status
    }

    /// Whether a probe without a host asks a server that tells its applications apart by their
    /// names.
    fn asks_for_nobody(&self, target: &Target<'_>) -> bool {
        let is_shared = is_shared_host(&target.row.address.to_lowercase());
        is_shared && target.probed_host() == DEFAULT_HOST
    }
}

/// Whether it is the place of a member of a pool, where a report would have a server.
pub(super) fn is_foreseen(place: &Place) -> bool {
    place.file == crate::evidence::GATEWAY && place.pointer.contains("/backendAddresses/")
}
