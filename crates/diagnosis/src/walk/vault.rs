//! Listeners' certificates that come from a vault: may the gateway fetch them?

use gatewright_arm::Item;
use gatewright_arm::model::{HttpListener, ProvisioningState, SslCertificate};

use super::live_paths::is_host_of;
use super::restrictions::KEY_VAULT;
use super::{Walk, Weight, finding};
use crate::cause::{Cause, Owner};
use crate::evidence::{Vault, is_alert};
use crate::finding::{Because, Confidence, Finding, Fix};
use crate::lookup::has_whole;
use crate::remedy::{fix, word};
use crate::site::in_gateway;

impl Walk<'_> {
    /// Certificates of listeners come from a vault: does it let the gateway in?
    pub(super) fn can_certificates_be_fetched(&mut self) {
        let asked = "Can the gateway fetch its listeners' certificates?";
        let Some(name) = self.vault_in_use() else {
            return self.step(asked, "none comes from a vault", "nothing is to be fetched");
        };
        let used = self.vaults_in_use();
        let is_used =
            |name: &str| name.is_empty() || used.iter().any(|own| own.eq_ignore_ascii_case(name));
        let subnet = self.subnet_id();
        let vaults = self.evidence.vaults.iter();
        let mut vaults = vaults.filter(|vault| is_used(&vault.name));
        let by_answer = self.secret_that_is_not_given();
        let found = by_answer.or_else(|| {
            vaults.find_map(|vault| {
                let own = match vault.name.is_empty() {
                    true => &name,
                    false => &vault.name,
                };
                match vault.is_shut_to(&subnet) {
                    true => Some(self.shut_vault(vault, own)),
                    false => self.denied_by_policies(vault, own),
                }
            })
        });
        let Some(found) = found else {
            return self.step(
                asked,
                format!("they come from {name}"),
                "nothing speaks against it",
            );
        };
        self.step(
            asked,
            found.title.clone(),
            "listeners go on with what they have, or with nothing",
        );
        // What listeners have, they go on with: what probes show explains more.
        let weight = match self.has_the_gateway_failed() {
            true => Weight::Change,
            false => Weight::Requests,
        };
        self.find(weight, 1, found);
    }

    fn shut_vault(&self, vault: &Vault, name: &str) -> Finding {
        let title = match vault.is_private() {
            true => format!(
                "The vault {name} answers at its private endpoint alone, which the gateway's \
                 network does not find, so the gateway cannot fetch its listeners' certificates."
            ),
            false => format!(
                "The firewall of the vault {name} does not let the gateway in, so it cannot fetch \
                 its listeners' certificates."
            ),
        };
        let confidence = match self.has_the_gateway_failed() {
            true => Confidence::Certain,
            false => Confidence::Likely,
        };
        finding(Cause::ListenerCertificateUnreachable, confidence, title)
            .because([self.because(&vault.place, "whom its firewall lets in")])
            .because(self.secret_in_use())
            .fixed_by(self.open_vault(name))
    }

    /// A certificate's secret that the vault has and does not give, or does not have: somebody
    /// asked.
    fn secret_that_is_not_given(&self) -> Option<Finding> {
        let certificates = self.evidence.gateway.properties.ssl_certificates.iter();
        let mut asked = certificates.filter_map(|one| {
            let secret = one.properties.key_vault_secret_id.as_deref()?;
            let (vault, name) = (vault_of(secret)?, name_of(secret)?);
            let host = secret.strip_prefix("https://")?.split('/').next()?;
            let mut http = self.evidence.observations.http.iter();
            let refused = http.find(|seen| {
                let is_it = seen.path.as_deref().and_then(|path| name_of(path)) == Some(name);
                seen.host()
                    .is_some_and(|own| own.eq_ignore_ascii_case(host))
                    && is_it
                    && seen.status >= Some(400)
                    && NOT_GIVEN.iter().any(|word| seen.error.contains(word))
            })?;
            Some((one, vault, name, refused))
        });
        let (certificate, vault, name, refused) = asked.next()?;
        let is_disabled = refused.error.contains("disabled");
        let why = match is_disabled {
            true => "is disabled",
            false => "is not there",
        };
        let title = format!(
            "The secret {name} of the vault {vault}, where the certificate {} comes from, {why}: \
             the gateway switches its listeners off.",
            certificate.name
        );
        let confidence = match self.lacks_a_client_tls() {
            true => Confidence::Certain,
            false => Confidence::Likely,
        };
        let again = fix(Owner::Certificate, "Make the secret available again.");
        let again = match is_disabled {
            true => again.run(format!(
                "az keyvault secret set-attributes --vault-name {} -n {} --enabled true",
                self.named_vault(&vault),
                word(name)
            )),
            false => again.run(format!(
                "az keyvault secret recover --vault-name {} -n {}   # where it was deleted",
                self.named_vault(&vault),
                word(name)
            )),
        };
        let list = format!(
            "az keyvault certificate list --vault-name {} -o table",
            self.named_vault(&vault)
        );
        let refer = self.commands.part(
            "ssl-cert update",
            &certificate.name,
            &format!("--key-vault-secret-id https://{vault}.vault.azure.net/secrets/NAME"),
        );
        let other = fix(
            Owner::Gateway,
            "Or have the certificate refer to the one that took its place.",
        );
        Some(
            finding(Cause::ListenerCertificateUnreachable, confidence, title)
                .because([
                    self.because(&refused.place, "what the vault answers"),
                    self.because(
                        &in_gateway(certificate.pointer_to("keyVaultSecretId")),
                        "where the certificate is",
                    ),
                ])
                .fixed_by(again.run(self.commands.gateway("update")))
                .fixed_by(other.run(list).run(refer)),
        )
    }

    /// A vault whose policies let others read its secrets, and none of the gateway's identities.
    fn denied_by_policies(&self, vault: &Vault, name: &str) -> Option<Finding> {
        let principals = self.principals();
        let permissions = vault.permissions.as_ref()?;
        let is_allowed = principals.iter().any(|own| may_read(permissions, own));
        if principals.is_empty() || is_allowed || self.is_one_served() {
            return None;
        }
        let title = format!(
            "No access policy of the vault {name} lets the gateway's identity ({}) read secrets, \
             so it cannot fetch its listeners' certificates.",
            principals.join(", ")
        );
        let failure = self.evidence.failure.as_ref();
        let is_said = failure.is_some_and(|one| one.text().to_lowercase().contains("vault"));
        // A policy may be a group's that the identity is in.
        let confidence = match is_said || self.lacks_a_client_tls() {
            true => Confidence::Certain,
            false => Confidence::Possible,
        };
        let identity = self.evidence.gateway.source.pointer_to("identity");
        let found = finding(Cause::ListenerCertificateUnreachable, confidence, title)
            .because([
                self.because(&vault.policies, "who may do what with its secrets"),
                self.because(&in_gateway(identity), "the gateway's own identity"),
            ])
            .because(self.secret_in_use());
        let update = self.commands.gateway("update");
        Some(found.fixed_by(self.grant_in(name).run(update)))
    }

    /// Whether somebody's handshake with a host of a listener's came to nothing.
    fn lacks_a_client_tls(&self) -> bool {
        let listeners = self.evidence.gateway.properties.http_listeners.iter();
        let hosts: Vec<&str> = listeners.flat_map(|one| one.properties.hosts()).collect();
        let is_own = |host: &str| hosts.iter().any(|own| is_host_of(own, host));
        let mut tls = self.evidence.observations.tls.iter();
        tls.any(|one| {
            let host = one.sni.as_deref().unwrap_or(&one.address);
            is_alert(&one.error) && is_own(host) && !self.is_of_a_server(one)
        })
    }

    /// Whether a request came through a listener whose certificate is a vault's.
    fn is_one_served(&self) -> bool {
        let mut rows = self.evidence.rows();
        rows.any(|row| {
            self.listeners_of_vaults()
                .any(|one| one.is_named(&row.listener))
        })
    }

    /// The listeners whose certificates are vaults'.
    fn listeners_of_vaults(&self) -> impl Iterator<Item = &Item<HttpListener>> {
        let gateway = &self.evidence.gateway;
        let listeners = gateway.properties.http_listeners.iter();
        listeners.filter(|listener| {
            let own = listener.properties.ssl_certificate.as_ref();
            let own: Option<&Item<SslCertificate>> = own.and_then(|one| gateway.resolve(one));
            own.is_some_and(|one| one.properties.key_vault_secret_id.is_some())
        })
    }

    fn has_the_gateway_failed(&self) -> bool {
        let state = self.evidence.gateway.properties.provisioning_state;
        self.evidence.failure.is_some() || state == Some(ProvisioningState::Failed)
    }

    fn secret_in_use(&self) -> Option<Because> {
        let mut certificates = self.evidence.gateway.properties.ssl_certificates.iter();
        let own = certificates.find(|one| one.properties.key_vault_secret_id.is_some())?;
        let place = in_gateway(own.pointer_to("keyVaultSecretId"));
        Some(self.because(&place, "where the certificate is"))
    }

    /// The object ids of the gateway's identities.
    fn principals(&self) -> Vec<String> {
        let identities = self.evidence.gateway.identity.iter();
        let identities = identities.flat_map(|one| &one.user_assigned_identities);
        identities
            .filter_map(|(_, one)| one.principal_id.clone())
            .collect()
    }

    pub(super) fn open_vault(&self, vault: &str) -> Fix {
        let vaults = self.evidence.vaults.iter();
        let own = vaults.filter(|one| one.name.is_empty() || one.name.eq_ignore_ascii_case(vault));
        if own.clone().any(Vault::is_private) {
            return self.lead_to_vault(vault);
        }
        let lets_services_by = own.clone().any(Vault::lets_services_by);
        let subnet = self.subnet_id();
        let or_services = match lets_services_by {
            true => "",
            false => ", or the platform's trusted services",
        };
        let summary = format!("Let the gateway's subnet in at the vault {vault}{or_services}.");
        let mut mend = fix(Owner::Platform, summary);
        mend.commands.extend(self.give_endpoint(KEY_VAULT));
        mend = mend.run(format!(
            "az keyvault network-rule add --name {} --subnet {}",
            self.named_vault(vault),
            word(&subnet)
        ));
        if !lets_services_by {
            mend = mend.run(format!(
                "az keyvault update --name {} --bypass AzureServices",
                self.named_vault(vault)
            ));
        }
        mend.run(self.commands.gateway("update"))
            .risking("The subnet needs the service endpoint Microsoft.KeyVault for the first.")
    }

    /// Rules do not help where a vault takes nothing but what comes over a private endpoint: then
    /// its name must lead there.
    fn lead_to_vault(&self, vault: &str) -> Fix {
        if let Some(zone) = self.unlinked_zone(&format!("{vault}.vaultcore.azure.net")) {
            let mut link = self.link(zone);
            link.summary = format!(
                "Link the private zone {} to the gateway's network, so that it finds {vault}.",
                zone.zone
            );
            return link;
        }
        fix(
            Owner::Platform,
            format!(
                "Have the gateway's network find the private endpoint of {vault} (a link of the \
                 zone privatelink.vaultcore.azure.net to it), or switch its public access on, for \
                 the gateway's subnet alone."
            ),
        )
        .run(format!(
            "az keyvault update --name {} --public-network-access Enabled --default-action Deny",
            self.named_vault(vault)
        ))
        .run(format!(
            "az keyvault network-rule add --name {} --subnet {}",
            self.named_vault(vault),
            word(&self.subnet_id())
        ))
        .run(self.commands.gateway("update"))
        .risking("The subnet needs the service endpoint Microsoft.KeyVault for that.")
    }

    /// What lets the gateway read the secret that a message names.
    pub(super) fn let_read(&self, message: &str) -> Fix {
        let Some(vault) = self.vault_that_keeps_out(message) else {
            return self.grant(message);
        };
        let mut open = self.open_vault(&vault.name);
        // Whoever asks has the gateway written again at the end.
        let update = self.commands.gateway("update");
        open.commands.retain(|command| *command != update);
        open
    }

    /// The vault of the secret that a message names, where the gateway's identity may read it, and
    /// its firewall does not name the gateway's subnet.
    pub(super) fn vault_that_keeps_out(&self, message: &str) -> Option<&Vault> {
        let name = secret_of(message).and_then(vault_of);
        let subnet = self.subnet_id();
        let principals = self.principals();
        let used = self.vaults_in_use();
        let mut vaults = self.evidence.vaults.iter();
        vaults.find(|vault| {
            let is_named = |name: &String| vault.name.eq_ignore_ascii_case(name);
            let is_it = match &name {
                Some(name) => is_named(name),
                None => used.iter().any(is_named),
            };
            let is_allowed = vault
                .permissions
                .as_ref()
                .is_some_and(|all| principals.iter().any(|own| may_read(all, own)));
            let is_kept_out = vault.is_shut_to(&subnet) || vault.names_others_than(&subnet);
            is_it && is_allowed && is_kept_out
        })
    }

    /// Lets the gateway's identity read the vault's secrets.
    fn grant(&self, message: &str) -> Fix {
        let vault = secret_of(message)
            .and_then(vault_of)
            .or_else(|| self.vault_in_use());
        self.grant_in(vault.as_deref().unwrap_or("VAULT"))
    }

    /// A vault as commands name it: with its subscription, where that is another than the
    /// gateway's.
    fn named_vault(&self, vault: &str) -> String {
        let mut vaults = self.evidence.vaults.iter();
        let known = vaults.find(|one| one.name.eq_ignore_ascii_case(vault));
        let group = known.map(|one| self.group_of_id(&one.id));
        let subscription = group
            .as_deref()
            .and_then(|group| group.split_once(" --subscription "));
        match subscription {
            Some((_, subscription)) => format!("{} --subscription {subscription}", word(vault)),
            None => word(vault),
        }
    }

    fn grant_in(&self, vault: &str) -> Fix {
        let principal = self.principals().into_iter().next();
        let summary = format!("Let the gateway's identity get secrets of the vault {vault}.");
        let principal = principal.unwrap_or_else(|| "PRINCIPAL-ID".to_owned());
        let named = self.named_vault(vault);
        let vault = word(vault);
        let mut vaults = self.evidence.vaults.iter();
        let known = vaults.find(|one| word(&one.name).eq_ignore_ascii_case(&vault));
        // What is set takes the place of what there was.
        let mut secrets = vec!["get".to_owned()];
        let others = known
            .iter()
            .flat_map(|one| one.permissions.iter().flatten());
        let others = others.filter(|(object, _)| object.eq_ignore_ascii_case(&principal));
        secrets.extend(
            others
                .flat_map(|(_, own)| own.clone())
                .filter(|own| own != "get"),
        );
        let policy = format!(
            "az keyvault set-policy --name {named} --object-id {principal} --secret-permissions {}",
            secrets.join(" ")
        );
        let scope = match known.map(|one| one.id.as_str()).filter(|id| !id.is_empty()) {
            Some(id) => word(id),
            None => format!("\"$(az keyvault show --name {named} --query id -o tsv)\""),
        };
        let role = format!(
            "az role assignment create --role 'Key Vault Secrets User' --assignee-object-id \
             {principal} --assignee-principal-type ServicePrincipal --scope {scope}"
        );
        let grant = fix(Owner::Platform, summary);
        let has_policies = known.is_some_and(|one| one.permissions.is_some());
        match known.and_then(|one| one.has_roles) {
            Some(true) => grant.run(role),
            _ if has_policies => grant.run(policy),
            _ => grant.run(policy).run(format!(
                "{role}   # where the vault has RBAC instead of access policies"
            )),
        }
    }

    /// A certificate of a vault is mended there: the gateway takes what the secret has.
    pub(super) fn import_into_vault(&self, message: &str) -> Option<Fix> {
        let mut certificates = self.evidence.gateway.properties.ssl_certificates.iter();
        let secret = certificates.find_map(|one| {
            let secret = one.properties.key_vault_secret_id.as_deref()?;
            has_whole(message, &one.name, "-_.").then_some(secret)
        });
        let secret = secret.or_else(|| secret_of(message))?;
        let vault = vault_of(secret)?;
        let name = name_of(secret)?;
        let summary = format!(
            "Put a certificate with its key and chain, as PFX without a password, into {name} of \
             the vault {vault}."
        );
        Some(fix(Owner::Certificate, summary).run(format!(
            "az keyvault certificate import --vault-name {} -n {} --file FILE.pfx",
            self.named_vault(&vault),
            word(name)
        )))
    }

    pub(super) fn is_vault_shut(&self) -> bool {
        let subnet = self.subnet_id();
        let mut vaults = self.evidence.vaults.iter();
        vaults.any(|vault| vault.is_shut_to(&subnet))
    }

    pub(super) fn vault_in_use(&self) -> Option<String> {
        self.vaults_in_use().into_iter().next()
    }

    fn vaults_in_use(&self) -> Vec<String> {
        let certificates = self.evidence.gateway.properties.ssl_certificates.iter();
        let secrets = certificates.filter_map(|one| one.properties.key_vault_secret_id.as_deref());
        secrets.filter_map(vault_of).collect()
    }
}

/// Whether policies let a principal get secrets.
fn may_read(permissions: &[(String, Vec<String>)], principal: &str) -> bool {
    permissions.iter().any(|(object, secrets)| {
        let mut secrets = secrets.iter();
        object.eq_ignore_ascii_case(principal) && secrets.any(|one| one == "get" || one == "all")
    })
}

/// What a vault says of a secret that is disabled, or is not there.
const NOT_GIVEN: [&str; 4] = [
    "secretdisabled",
    "disabled secret",
    "secretnotfound",
    "was not found",
];

/// The name of a secret in its URL or path.
fn name_of(secret: &str) -> Option<&str> {
    let (_, rest) = secret.split_once("/secrets/")?;
    rest.split(['/', '?'])
        .next()
        .filter(|name| !name.is_empty())
}

/// The first URL of a vault in a text.
pub(super) fn secret_of(text: &str) -> Option<&str> {
    let from = text.find("https://")?;
    let url = text.get(from..)?;
    let ends = |letter: char| letter.is_whitespace() || "'\"<>,".contains(letter);
    let url = url.split(ends).next()?;
    url.contains("vault").then(|| url.trim_end_matches('.'))
}

pub(super) fn vault_of(url: &str) -> Option<String> {
    let host = url.strip_prefix("https://")?.split('/').next()?;
    host.split('.').next().map(str::to_owned)
}
