//! Is the gateway there at all, and what became of its last change?

use gatewright_arm::model::network::{
    SecurityRuleAccess, SecurityRuleDirection, SecurityRuleProtocol,
};
use gatewright_arm::model::{OperationalState, ProvisioningState};

use super::vault::{secret_of, vault_of};
use super::{Walk, Weight, finding};
use crate::cause::{Cause, Owner};
use crate::evidence::{Failure, LAST_ERROR};
use crate::finding::{Confidence, Finding};
use crate::remedy::{fix, word};
use crate::site::in_gateway;

impl Walk<'_> {
    pub(super) fn is_the_gateway_running(&mut self) {
        let asked = "Is the gateway running?";
        let gateway = &self.evidence.gateway;
        let name = gateway.name.clone();
        let place = in_gateway(gateway.source.pointer_to("operationalState"));
        let state = gateway.properties.operational_state;
        let shown = self.commands.gateway("show");
        match state {
            Some(OperationalState::Stopped) => {
                let title = format!("The gateway {name} is stopped, so it answers nothing.");
                let start = fix(Owner::Gateway, "Start the gateway.")
                    .run(self.commands.gateway("start"))
                    .risking(
                        "Traffic flows again some minutes later; a v1 gateway may get \
                              another public address.",
                    )
                    .verified_by(vec![format!("{shown} --query operationalState -o tsv")]);
                let found = finding(Cause::Stopped, Confidence::Certain, title)
                    .because([self.because(&place, "it is stopped")])
                    .fixed_by(start);
                self.step(asked, "operationalState is Stopped", "every request fails");
                self.find(Weight::Gateway, usize::MAX, found);
            }
            Some(OperationalState::Starting | OperationalState::Stopping) => {
                let title = format!("The gateway {name} is being started or stopped.");
                let wait = fix(
                    Owner::Platform,
                    "Wait for one or two minutes, and look again.",
                )
                .run(self.commands.gateway("wait --updated"))
                .run(shown.clone());
                let found = finding(Cause::Transitioning, Confidence::Certain, title)
                    .because([self.because(&place, "it is on its way to another state")])
                    .fixed_by(wait);
                self.step(asked, "it is on its way", "nothing else can be judged");
                self.find(Weight::Gateway, usize::MAX, found);
            }
            Some(OperationalState::Running) => {
                self.rule_out(Cause::Stopped, "operationalState is Running");
                self.step(asked, "operationalState is Running", "it serves");
            }
            _ => self.step(asked, "the export does not say", "it is taken to run"),
        }
    }

    pub(super) fn did_the_last_change_fail(&mut self) {
        let asked = "Did the last change of the gateway fail?";
        let gateway = &self.evidence.gateway;
        let place = in_gateway(gateway.source.pointer_to("provisioningState"));
        let state = gateway.properties.provisioning_state;
        if let Some(failure) = &self.evidence.failure {
            let mut found = self.of_failure(failure);
            if self.is_history(failure) {
                found.confidence = Confidence::Possible;
                self.step(asked, found.title.clone(), "a later one has succeeded");
                return self.find(Weight::Beside, 0, found);
            }
            self.step(
                asked,
                found.title.clone(),
                "the configuration before it goes on",
            );
            // What was refused long ago explains nothing that is seen now.
            let weight = match failure.is_newest && self.is_past(failure) {
                true => Weight::Beside,
                false => Weight::Change,
            };
            return self.find(weight, usize::MAX, found);
        }
        match state {
            Some(ProvisioningState::Failed) => {
                let title = format!("The last change of the gateway {} failed.", gateway.name);
                let found = finding(Cause::PutFailedUnknown, Confidence::Likely, title)
                    .because([self.because(
                        &place,
                        "the last change failed; what was good before goes on",
                    )])
                    .fixed_by(self.retry());
                self.step(
                    asked,
                    "provisioningState is Failed",
                    "why is in the failed operation",
                );
                self.find(Weight::Beside, 0, found);
                let command = format!(
                    "az monitor activity-log list -g {} --status Failed --offset 7d -o json",
                    word(self.commands.group())
                );
                self.need(LAST_ERROR, "it says why the last change failed", command);
            }
            Some(ProvisioningState::Updating) => {
                let title = format!("A change of the gateway {} is being applied.", gateway.name);
                let found = finding(Cause::Transitioning, Confidence::Likely, title)
                    .because([self.because(&place, "a change is under way")])
                    .fixed_by(
                        fix(
                            Owner::Platform,
                            "Wait until the change has ended, and look again.",
                        )
                        .run(self.commands.gateway("wait --updated")),
                    );
                self.step(asked, "provisioningState is Updating", "it has not ended");
                self.find(Weight::Beside, 0, found);
            }
            _ => {
                self.rule_out(Cause::PutFailedUnknown, "provisioningState is not Failed");
                self.step(asked, "no sign of it", "the configuration is live");
            }
        }
    }

    /// Whether a failure lies days behind.
    fn is_past(&self, failure: &Failure) -> bool {
        const DAYS_SECONDS: i64 = 2 * 86_400;
        failure
            .time
            .is_some_and(|time| time + DAYS_SECONDS < self.now)
    }

    /// Whether a later change has succeeded: it is in the log of activities, or the failure lies so
    /// far behind that one must have.
    pub(super) fn is_history(&self, failure: &Failure) -> bool {
        const LATER_SECONDS: i64 = 600;
        let state = self.evidence.gateway.properties.provisioning_state;
        let is_old = failure
            .time
            .is_some_and(|time| time + LATER_SECONDS < self.now);
        match state {
            // A change that is refused at once leaves the state as it was.
            Some(ProvisioningState::Succeeded) => {
                failure.is_overcome || is_old && !failure.is_newest
            }
            None => failure.is_overcome,
            Some(_) => false,
        }
    }

    /// The rules of the group that a message names; the one that denies, where it is known.
    fn let_out(&self, message: &str) -> Option<crate::finding::Fix> {
        if let Some(found) = self.denied_egress() {
            return found.fixes.into_iter().next();
        }
        let (before, rest) = message.split_once("/networkSecurityGroups/")?;
        let name = rest.split([' ', '\'', '"', '/', ',']).next()?;
        let group = before
            .rsplit_once("/resourceGroups/")?
            .1
            .split('/')
            .next()?;
        // The service takes any of them for one, wherever it leads.
        if let Some((_, known)) = self.security_group(name) {
            let mut rules = known.properties.security_rules.iter();
            let denies = rules.find(|one| {
                let own = &one.properties;
                let is_tcp = matches!(
                    own.protocol,
                    None | Some(SecurityRuleProtocol::Tcp | SecurityRuleProtocol::Any)
                );
                is_tcp
                    && own.access == Some(SecurityRuleAccess::Deny)
                    && own.direction == Some(SecurityRuleDirection::Outbound)
            });
            if let Some(rule) = denies {
                let id = known.id.as_deref().unwrap_or_default();
                let summary = format!(
                    "Take the outbound rule {} away, and deny the same where it ends: at the \
                     group of that subnet.",
                    rule.name
                );
                let away = self.remove_rule((name, id), &rule.name);
                return Some(fix(Owner::Network, summary).edit(away).weakening());
            }
        }
        let summary = format!("Take the outbound rules of {name} away that deny the Internet.");
        Some(fix(Owner::Network, summary).run(format!(
            "az network nsg rule list -g {} --nsg-name {} --query \
             \"[?direction=='Outbound' && access=='Deny']\" -o table",
            word(group),
            word(name)
        )))
    }

    fn retry(&self) -> crate::finding::Fix {
        fix(
            Owner::Gateway,
            "Once what it names is mended, write the gateway again: this ends the Failed state.",
        )
        .run(self.commands.gateway("update"))
        .verified_by(vec![format!(
            "{} --query provisioningState -o tsv",
            self.commands.gateway("show")
        )])
    }

    fn of_failure(&self, failure: &Failure) -> Finding {
        let cause = cause_of(failure, self.is_vault_shut());
        let message = failure.errors.last().map(|(_, message)| message.as_str());
        let message = message.unwrap_or_default();
        let code = failure
            .errors
            .last()
            .map(|(code, _)| code.as_str())
            .unwrap_or_default();
        let title = match cause {
            Cause::PutFailedKeyVaultDenied
                if let Some(vault) = self.vault_that_keeps_out(message) =>
            {
                format!(
                    "The last change of {} failed: the vault {} did not give the certificate's \
                     secret; its identity may read it, and the vault's firewall does not name the \
                     gateway's subnet.",
                    self.evidence.gateway.name, vault.name
                )
            }
            Cause::PutFailedKeyVaultDenied => format!(
                "The last change of {} failed: its identity may not read the certificate's \
                 secret{}.",
                self.evidence.gateway.name,
                secret_of(message)
                    .map(|secret| format!(" {secret}"))
                    .unwrap_or_default()
            ),
            cause => {
                let means = cause.means().trim_end_matches('.');
                format!("{means} ({code}).")
            }
        };
        let mut found = finding(cause, Confidence::Certain, title)
            .because([self.because(&failure.place, "the error of the last change")]);
        if cause == Cause::PutFailedKeyVaultDenied {
            found = found.fixed_by(self.let_read(message));
        }
        if cause == Cause::ListenerCertificateUnreachable {
            let vault = secret_of(message)
                .and_then(vault_of)
                .or_else(|| self.vault_in_use());
            found = found.fixed_by(self.open_vault(vault.as_deref().unwrap_or("VAULT")));
        }
        let network = match cause {
            Cause::V2ManagementPortsPutRejected => self.let_manager_in(message),
            Cause::UdrDefaultRoute => self.lead_to_internet(),
            Cause::GatewaySubnetOutboundNsg => self.let_out(message),
            _ => None,
        };
        found = network
            .into_iter()
            .fold(found, |found, fix| found.fixed_by(fix));
        if matches!(cause, Cause::PutFailedCert | Cause::PutFailedReference) {
            let texts = failure.errors.iter().rev().map(|(_, message)| message);
            let mut mends = texts.filter_map(|text| {
                let referrer = self.mend_referrer(text);
                referrer.or_else(|| self.mend_named(text, cause))
            });
            let mend = mends.next();
            let texts = failure.errors.iter().rev().map(|(_, message)| message);
            let mut annotations = texts.filter_map(|text| self.mend_annotation(text));
            found = annotations
                .next()
                .into_iter()
                .chain(mend)
                .fold(found, |found, fix| found.fixed_by(fix));
        }
        found.fixed_by(self.retry())
    }
}

/// By the innermost code, then by what the texts have in common.
fn cause_of(failure: &Failure, is_vault_shut: bool) -> Cause {
    let text = failure.text().to_lowercase();
    let codes: Vec<String> = failure.codes().map(str::to_lowercase).collect();
    let any = |word: &str| codes.iter().any(|code| code.contains(word));
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    let inner = codes.last().map(String::as_str).unwrap_or_default();
    let is_of_vault = any("keyvault") || has(&["key vault", "keyvault"]);
    let is_denied = any("accessdenied") || has(&["access denied", "forbidden", "does not have"]);
    match () {
        () if any("inboundtrafficblockedbynetworksecuritygroup") => {
            Cause::V2ManagementPortsPutRejected
        }
        () if any("outboundtrafficblockedbynetworksecuritygroup") => {
            Cause::GatewaySubnetOutboundNsg
        }
        () if any("userdefinedroutenotallowed") => Cause::UdrDefaultRoute,
        () if is_of_vault && is_denied && !has(&["firewall"]) => Cause::PutFailedKeyVaultDenied,
        () if is_of_vault && is_vault_shut => Cause::ListenerCertificateUnreachable,
        () if is_of_vault && has(&UNREACHABLE) => Cause::ListenerCertificateUnreachable,
        () if REFERENCES.iter().any(|word| inner.contains(word)) => Cause::PutFailedReference,
        () if inner.contains("certificate") || inner.contains("ssl") || has(&["pfx"]) => {
            Cause::PutFailedCert
        }
        () if is_of_vault => Cause::PutFailedKeyVaultDenied,
        () if has(&["certificate"]) => Cause::PutFailedCert,
        () => Cause::PutFailedUnknown,
    }
}

/// What texts say of a vault that cannot be reached, or does not have the secret.
const UNREACHABLE: [&str; 10] = [
    "firewall",
    "not authorized to access the vault from",
    "public network access",
    "could not be reached",
    "unable to reach",
    "timed out",
    "name resolution",
    "disabled",
    "not found",
    "expired",
];

/// What codes of settings that do not go together have in common.
const REFERENCES: [&str; 5] = ["reference", "notfound", "cannot", "incompatible", "inuse"];
