//! What makes a probe ask for what servers answer.

use std::net::IpAddr;

use gatewright_arm::Item;
use gatewright_arm::model::Probe;

use super::edits::{Edit, Given, NEW_PROBE, Set};
use super::{Walk, finding};
use crate::cause::{Cause, Owner};
use crate::evidence::{Http, path_of};
use crate::finding::{Confidence, Finding, Fix};
use crate::remedy::fix;
use crate::site::{DEFAULT_HOST, Target, in_gateway};

impl Walk<'_> {
    /// A path that the server was seen to answer healthily.
    fn good_path(&self, target: &Target<'_>) -> String {
        // A page of another site of the server's is none of this one's.
        let host = target.probed_host();
        let is_of_site = |one: &&Http| {
            let asked = one.host().filter(|asked| asked.parse::<IpAddr>().is_err());
            host == DEFAULT_HOST || asked.is_none_or(|asked| asked.eq_ignore_ascii_case(&host))
        };
        let mut good = self
            .requests_to(target)
            .filter(|one| one.status.is_some_and(|status| target.counts(status)))
            .filter(is_of_site);
        let seen = good.find_map(|one| one.path.clone());
        let served = self.rows_at(&target.row.address).into_iter();
        let mut served = served.filter(|row| row.server_status == Some(200));
        let path = seen.or_else(|| served.find_map(|row| path_of(&row.uri)));
        let path = path.filter(|path| path != target.probed_path());
        path.unwrap_or_else(|| "/PATH".to_owned())
    }

    /// A probe that asks for what is there, or counts what comes.
    pub(super) fn mend_probe(&self, target: &Target<'_>, status: u16) -> Fix {
        let verify = self.commands.verify_health();
        let Some(probe) = target.probe else {
            let path = self.good_path(target);
            let [create, refer] = self.give_probe(target, NEW_PROBE, &path);
            return fix(
                Owner::Gateway,
                "Give the setting a probe for a path that the backend answers with 200.",
            )
            .edit(create)
            .edit(refer)
            .verified_by(verify);
        };
        match status {
            401 | 300..=399 => fix(
                Owner::Gateway,
                format!("Count {status} as healthy where that is what a healthy backend answers."),
            )
            .edit(self.update_probe(
                probe,
                &[Set::of(
                    "--match-status-codes",
                    "match/statusCodes",
                    Given::Texts(counted_too(&probe.properties, status)),
                )],
            ))
            .risking("A backend that answers so for another reason counts as healthy too.")
            .weakening()
            .verified_by(verify),
            _ => fix(
                Owner::Gateway,
                "Probe a path that the backend answers with 200.",
            )
            .edit(self.update_probe(
                probe,
                &[Set::text("--path", "path", &self.good_path(target))],
            ))
            .verified_by(verify),
        }
    }

    /// A new probe for a path, and the setting that refers to it.
    pub(super) fn give_probe(&self, target: &Target<'_>, name: &str, path: &str) -> [Edit; 2] {
        let name = self.free_name("probes", name);
        let protocol = match target.is_encrypted() {
            true => "Https",
            false => "Http",
        };
        let sets = [
            Set::text("--protocol", "protocol", protocol),
            Set::text("--host", "host", &target.probed_host()),
            Set::text("--path", "path", path),
            Set::number("--interval", "interval", 30),
            Set::number("--timeout", "timeout", 30),
            Set::number("--threshold", "unhealthyThreshold", 3),
        ];
        let refer = Set::of("--probe", "probe", Given::Part("probes", name.clone()));
        [
            self.create("probe create", ("probes", &name), &sets, ""),
            self.update_setting(target.setting, &[refer]),
        ]
    }

    /// The probe that the setting should refer to, and that nobody refers to.
    pub(super) fn orphan(&self, target: &Target<'_>) -> Option<&Item<Probe>> {
        let setting = target.setting?;
        if setting.properties.probe.is_some() {
            return None;
        }
        let properties = &self.evidence.gateway.properties;
        let used: Vec<&str> = properties
            .backend_http_settings_collection
            .iter()
            .filter_map(|one| one.properties.probe.as_ref())
            .map(|reference| crate::evidence::view::last_part(&reference.id))
            .collect();
        let is_meant = |probe: &&Item<Probe>| {
            let own = &probe.properties;
            let host = own.host.as_deref().filter(|host| !host.is_empty());
            let asked = target.live_host();
            let known = asked.clone().or_else(|| self.client_host(target, &[]));
            let is_host = host.is_none_or(|host| {
                host.eq_ignore_ascii_case(&target.row.address)
                    || known
                        .as_deref()
                        .is_none_or(|known| known.eq_ignore_ascii_case(host))
            });
            let path = own.path.as_deref().unwrap_or("/");
            let is_bad = self.evidence.observations.http.iter().any(|one| {
                let is_seen = one.path.as_deref() == Some(path);
                is_seen && one.status.is_some_and(|status| !target.counts(status))
            });
            let is_protocol = own.protocol.is_none() || own.protocol == setting.properties.protocol;
            let same = is_protocol && is_host && !is_bad;
            let is_free = !used.iter().any(|name| probe.is_named(name));
            same && is_free && own.path.as_deref().is_some_and(|path| path != "/")
        };
        properties.probes.iter().find(is_meant)
    }

    pub(super) fn not_attached(
        &self,
        target: &Target<'_>,
        orphan: &Item<Probe>,
        status: Option<u16>,
    ) -> Finding {
        let setting = target.setting.map_or("", |one| one.name.as_str());
        let path = orphan.properties.path.as_deref().unwrap_or("/");
        let title = format!(
            "The backend setting {setting} does not refer to the probe {} ({path}): the default \
             probe \
             asks for / and gets {}.",
            orphan.name,
            status.map_or_else(|| "no good answer".to_owned(), |status| status.to_string())
        );
        let mut because = vec![
            self.because(&target.row.place, "what the default probe gets"),
            self.because(
                &in_gateway(orphan.pointer()),
                "no setting refers to this probe",
            ),
        ];
        if let Some(setting) = target.setting {
            because.push(self.because(&in_gateway(setting.pointer()), "it refers to no probe"));
        }
        finding(Cause::ProbeNotAttached, Confidence::Certain, title)
            .because(because)
            .fixed_by(
                fix(
                    Owner::Gateway,
                    format!("Have {setting} use the probe {}.", orphan.name),
                )
                .edit(self.update_setting(
                    target.setting,
                    &[Set::of(
                        "--probe",
                        "probe",
                        Given::Part("probes", orphan.name.clone()),
                    )],
                ))
                .verified_by(self.commands.verify_health()),
            )
    }
}

/// What a probe counts as healthy, and a status more.
pub(super) fn counted_too(probe: &Probe, status: u16) -> Vec<String> {
    let own = probe.r#match.as_ref().map(|own| own.status_codes.clone());
    let own = own.filter(|own| !own.is_empty());
    let mut codes = own.unwrap_or_else(|| vec!["200-399".to_owned()]);
    codes.push(status.to_string());
    codes
}

/// Has requests ask for the name of the pool's member.
pub(super) fn host_from_pool() -> Set {
    let member = "pickHostNameFromBackendAddress";
    Set::of("--host-name-from-backend-pool", member, Given::Flag(true))
}
