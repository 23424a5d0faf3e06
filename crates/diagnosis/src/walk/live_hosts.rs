//! Requests that fail because of the host that a server sees, though probes do not.

use super::edits::Set;
use super::live::{failures, refusals};
use super::probe_remedies::host_from_pool;
use super::{Walk, finding};
use crate::cause::{Cause, Owner};
use crate::evidence::{LogRow, State, WebApp};
use crate::finding::{Confidence, Finding};
use crate::remedy::{fix, word};
use crate::site::{Target, in_gateway, is_shared_host};

impl Walk<'_> {
    /// The App Service of a target, as far as a file or its name tells.
    fn app_of(&self, target: &Target<'_>) -> Option<&WebApp> {
        let apps = &self.evidence.web_apps;
        apps.iter().find(|app| app.answers_to(&target.row.address))
    }

    pub(super) fn does_the_shared_host_know_the_name(&mut self) -> Option<(Finding, usize)> {
        for target in &self.site.targets {
            let address = target.row.address.to_lowercase();
            let probed = target.probed_host().to_lowercase();
            let is_shared = is_shared_host(&address)
                || self.app_of(target).is_some()
                || target.live_host().is_none() && is_shared_host(&probed);
            if !is_shared || target.row.state != State::Healthy || !self.site.serves(target) {
                continue;
            }
            let rows: Vec<&LogRow> = refusals(self.evidence)
                .chain(failures(self.evidence))
                .filter(|row| {
                    row.setting.is_empty() || target.row.setting.eq_ignore_ascii_case(&row.setting)
                })
                .collect();
            let asked = target
                .live_host()
                .or_else(|| self.client_host(target, &rows));
            let Some(asked) = asked else {
                continue;
            };
            let app = self.app_of(target);
            let is_bound = match app {
                Some(app) => app.answers_to(&asked),
                None => asked.to_lowercase().ends_with(".azurewebsites.net"),
            };
            if is_bound || app.is_none() && rows.is_empty() {
                continue;
            }
            let setting = target.setting.map_or("SETTING", |one| one.name.as_str());
            let title = format!(
                "{} gets requests for the host {asked}, which is not bound to it: the backend \
                 setting \
                 {setting} passes {}.",
                target.row.address,
                if target.live_host().is_some() {
                    "that name"
                } else {
                    "the client's own host"
                }
            );
            let mut because: Vec<_> = Vec::new();
            if let Some(setting) = target.setting {
                let place = in_gateway(setting.pointer_to("pickHostNameFromBackendAddress"));
                because.push(self.because(&place, "the host of requests is not the backend's"));
            }
            because.extend(
                rows.first()
                    .map(|row| self.because(&row.place, "what a client got")),
            );
            because.extend(app.map(|app| self.because(&app.place, "the names that are bound")));
            let confidence = match (app.is_some(), rows.is_empty()) {
                (true, false) => Confidence::Certain,
                _ => Confidence::Likely,
            };
            let ask = match is_shared_host(&address) || app.is_some() {
                true => host_from_pool(),
                false => Set::text("--host-name", "hostName", &probed),
            };
            let bind = app.map_or("APP", |app| app.name.as_str());
            let told = finding(Cause::AppServiceHostHeader, confidence, title)
                .because(because)
                .fixed_by(
                    fix(Owner::Gateway, "Ask for the backend's own name.")
                        .edit(self.update_setting(target.setting, &[ask]))
                        .risking("Redirects and cookies of the application then name its own host.")
                        .verified_by(self.commands.verify_health()),
                )
                .fixed_by(
                    fix(
                        Owner::Backend,
                        format!("Or bind {asked} to the application."),
                    )
                    .run(format!(
                        "az webapp config hostname add -g {} --webapp-name {} --hostname {}",
                        word(self.commands.group()),
                        word(bind),
                        word(&asked)
                    )),
                );
            return Some((told, rows.len()));
        }
        None
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
