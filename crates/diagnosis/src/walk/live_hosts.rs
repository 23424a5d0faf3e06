//! Requests that fail because of the host that a server sees, though probes do not.

use super::edits::Set;
use super::live::{failures, refusals};
use super::probe_remedies::host_from_pool;
use super::{Walk, finding};
use crate::cause::{Cause, Owner};
use crate::evidence::{LogRow, State, WebApp};
use crate::finding::{Confidence, Finding, Fix};
use crate::remedy::{fix, word};
use crate::site::{Target, in_gateway, is_shared_host, is_storage};

impl Walk<'_> {
    /// The App Service of a target, as far as a file or its name tells.
    pub(super) fn app_of(&self, target: &Target<'_>) -> Option<&WebApp> {
        let apps = &self.evidence.web_apps;
        apps.iter().find(|app| app.answers_to(&target.row.address))
    }

    /// An App Service as commands name it: its group, in which it need not be with the gateway, and
    /// its name.
    pub(super) fn named_in_commands(&self, app: Option<&WebApp>) -> (String, String) {
        let own = app.map(|app| app.group.as_str());
        let group = own.filter(|group| !group.is_empty());
        let name = app.map_or("APP", |app| app.name.as_str());
        if let Some(app) = app.filter(|app| !app.id.is_empty()) {
            return (self.group_of_id(&app.id), word(name));
        }
        (word(group.unwrap_or(self.commands.group())), word(name))
    }

    pub(super) fn does_the_shared_host_know_the_name(&mut self) -> Option<(Finding, usize)> {
        let mut targets = self.site.targets.iter();
        targets.find_map(|target| {
            let is_meant = self.is_shared_by(target)
                && target.row.state == State::Healthy
                && self.site.serves(target);
            is_meant
                .then(|| self.asked_for_an_unbound_name(target))
                .flatten()
        })
    }

    /// Whether a server tells the applications on it apart by their names.
    fn is_shared_by(&self, target: &Target<'_>) -> bool {
        is_shared_host(&target.row.address.to_lowercase())
            || self.app_of(target).is_some()
            || target.live_host().is_none() && is_shared_host(&target.probed_host().to_lowercase())
    }

    fn asked_for_an_unbound_name(&self, target: &Target<'_>) -> Option<(Finding, usize)> {
        let rows = refusals(self.evidence).chain(failures(self.evidence));
        let is_own = |row: &&LogRow| {
            row.setting.is_empty() || target.row.setting.eq_ignore_ascii_case(&row.setting)
        };
        let rows: Vec<&LogRow> = rows.filter(is_own).collect();
        let asked = target
            .live_host()
            .or_else(|| self.client_host(target, &rows))?;
        let app = self.app_of(target);
        let is_bound = match app {
            Some(app) => app.answers_to(&asked),
            None => is_shared_host(&asked.to_lowercase()),
        };
        let is_answered = self.answered().has_host(&asked, &target.row.setting, &rows);
        if is_bound || is_answered || app.is_none() && rows.is_empty() {
            return None;
        }
        let passes = match target.live_host() {
            Some(_) => "that name",
            None => "the client's own host",
        };
        let title = format!(
            "{} gets requests for the host {asked}, which is not bound to it: the backend setting \
             {} passes {passes}.",
            target.row.address,
            target.setting.map_or("SETTING", |one| one.name.as_str()),
        );
        let passed = target.setting.map(|setting| {
            let place = in_gateway(setting.pointer_to("pickHostNameFromBackendAddress"));
            self.because(&place, "the host of requests is not the backend's")
        });
        let got = rows
            .first()
            .map(|row| self.because(&row.place, "what a client got"));
        let bound = app.map(|app| self.because(&app.place, "the names that are bound"));
        let confidence = match (app.is_some(), rows.is_empty()) {
            (true, false) => Confidence::Certain,
            _ => Confidence::Likely,
        };
        let mut told = finding(Cause::AppServiceHostHeader, confidence, title)
            .because([passed, got, bound].into_iter().flatten());
        for mend in self.have_the_name_known(target, &asked) {
            told = told.fixed_by(mend);
        }
        Some((told, rows.len()))
    }

    /// A shared host that does not know the name which probes ask for, and has the page for its
    /// own.
    pub(super) fn probed_by_an_unbound_name(
        &self,
        target: &Target<'_>,
        status: Option<u16>,
    ) -> Option<Finding> {
        let (address, asked) = (&target.row.address, target.probed_host());
        let is_shared = is_shared_host(&address.to_lowercase());
        if status != Some(404) || !is_shared || asked.eq_ignore_ascii_case(address) {
            return None;
        }
        let path = target.probed_path();
        let mut http = self.evidence.observations.http.iter();
        let answered = http.find(|one| {
            let is_own = one
                .host()
                .is_some_and(|host| host.eq_ignore_ascii_case(address));
            let is_good = one.status.is_some_and(|status| status < 400);
            is_own && is_good && one.path.as_deref() == Some(&*path)
        })?;
        let title = format!(
            "{address} is asked for the host {asked}, which is not bound to it: it answers 404, \
             and has the page {path} for its own name."
        );
        let found = finding(Cause::AppServiceHostHeader, Confidence::Certain, title).because([
            self.because(&target.row.place, "what the probe gets"),
            self.because(&answered.place, "the same page by its own name"),
        ]);
        let mends = self.have_the_name_known(target, &asked).into_iter();
        Some(mends.fold(found, Finding::fixed_by))
    }

    fn have_the_name_known(&self, target: &Target<'_>, asked: &str) -> [Fix; 2] {
        let app = self.app_of(target);
        let has_own_name = is_shared_host(&target.row.address.to_lowercase()) || app.is_some();
        let name = match has_own_name {
            true => host_from_pool(),
            false => Set::text(
                "--host-name",
                "hostName",
                &target.probed_host().to_lowercase(),
            ),
        };
        let ask = fix(Owner::Gateway, "Ask for the backend's own name.")
            .edit(self.update_setting(target.setting, &[name]))
            .risking("Redirects and cookies of the application then name its own host.")
            .verified_by(self.commands.verify_health());
        let summary = format!("Or bind {asked} to the application.");
        let address = target.row.address.to_lowercase();
        let command = match is_storage(&address) {
            true => format!(
                "az storage account update -n {} --custom-domain {}   # for HTTP alone",
                word(address.split('.').next().unwrap_or_default()),
                word(asked)
            ),
            false => {
                let (group, name) = self.named_in_commands(app);
                let bind = "az webapp config hostname add";
                format!(
                    "{bind} -g {group} --webapp-name {name} --hostname {}",
                    word(asked)
                )
            }
        };
        [ask, fix(Owner::Backend, summary).run(command)]
    }

    /// What clients ask for where the setting passes it on.
    pub(super) fn client_host(&self, target: &Target<'_>, rows: &[&LogRow]) -> Option<String> {
        let mut hosts = rows.iter().flat_map(|row| [&row.host, &row.original_host]);
        let of_rows = hosts.find(|host| !host.is_empty()).cloned();
        of_rows.or_else(|| {
            let routes = self.site.routes.iter();
            let mut own = routes.filter(|route| {
                route
                    .setting
                    .is_some_and(|one| one.is_named(&target.row.setting))
            });
            own.find_map(|route| {
                let host = route.listener?.properties.hosts().next()?;
                Some(host.to_owned())
            })
        })
    }

    pub(super) fn is_another_name_asked_for_live(&mut self) -> Option<(Finding, usize)> {
        if self.evidence.gateway.is_v1() {
            return None;
        }
        for target in &self.site.targets {
            let Some(chain) = self.presented_to(target) else {
                continue;
            };
            let Some(leaf) = chain.leaf() else {
                continue;
            };
            let checks = target.setting.and_then(|one| one.properties.validate_sni) != Some(false);
            let is_meant = target.is_encrypted() && target.row.state == State::Healthy && checks;
            let sni = target
                .setting
                .and_then(|one| one.properties.sni_name.as_deref());
            let is_named = sni.is_some_and(|name| !name.is_empty());
            if !is_meant || is_named || target.live_host().is_some() {
                continue;
            }
            // A server that answered has taken the handshake.
            let rows: Vec<&LogRow> = failures(self.evidence)
                .filter(|row| row.server_status.is_none_or(|status| status == 502))
                .filter(|row| {
                    let own = self.setting_of(row);
                    own.is_none_or(|own| own.is_named(&target.row.setting))
                })
                .collect();
            let Some(host) = self.client_host(target, &rows) else {
                continue;
            };
            if leaf.names().cover(&host) || host.contains('*') {
                continue;
            }
            let names = leaf.names().served().join(", ");
            let probed = target.probed_host();
            let title = format!(
                "Live requests ask {} for {host}, which its certificate ({names}) is not for; \
                 probes ask \
                 for {probed}.",
                target.row.address
            );
            let mut because = vec![self.because(&chain.place, format!("it is for {names}"))];
            because.extend(
                rows.first()
                    .map(|row| self.because(&row.place, "a live request failed")),
            );
            let confidence = if rows.is_empty() {
                Confidence::Possible
            } else {
                Confidence::Certain
            };
            let told = finding(Cause::DatapathTlsNameMismatch, confidence, title)
                .because(because)
                .fixed_by(
                    fix(
                        Owner::Gateway,
                        "Ask for the name in the certificate on live requests too.",
                    )
                    .edit(self.update_setting(
                        target.setting,
                        &[Set::text("--host-name", "hostName", &probed)],
                    ))
                    .risking("The server gets that name as the host of every request.")
                    .verified_by(self.commands.verify_health()),
                );
            return Some((told, rows.len()));
        }
        None
    }
}
